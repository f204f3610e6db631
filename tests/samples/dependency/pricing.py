def with_tax(amount: int) -> int:
    rate = 20
    tax = amount * rate // 100
    breakpoint()
    return amount + tax
