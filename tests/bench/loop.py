"""Two workers that pause, then have lines to step over."""
import ray


@ray.remote(num_cpus=0.1)
def work(count: int) -> int:
    breakpoint()
    total = 0
    for number in range(count):
        total += number
        total -= 1
    return total


ray.init()
ray.get([work.remote(1000) for _ in range(2)])
