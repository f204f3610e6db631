"""The demo's job: a task, an actor and an imported helper module, each with a breakpoint() of its own."""
import json

import ray

from dependency.pricing import with_tax


@ray.remote(num_cpus=0.1)
def square(x: int) -> int:
    y = x * x
    breakpoint()
    return y


@ray.remote(num_cpus=0.1)
class Counter:
    def __init__(self) -> None:
        self.total = 40

    def add(self, amount: int) -> int:
        total = self.total + amount
        breakpoint()
        self.total = total
        return total


@ray.remote(num_cpus=0.1)
def price(amount: int) -> int:
    return with_tax(amount)


counter = Counter.options(name="counter").remote()
results = ray.get([square.remote(4), counter.add.remote(2), price.remote(50)])
print("RESULT", json.dumps(results))
