"""A task to step through: a call, a loop, an exception that is caught."""
import json

import ray


def double(value: int) -> int:
    twice = value * 2  # in double
    return twice


@ray.remote(num_cpus=0.1)
def work(count: int) -> int:
    total = 0
    breakpoint()  # start
    total = double(count)  # call
    for number in range(count):
        total += number  # loop
    try:
        raise ValueError(f"total is {total}")  # raise
    except ValueError:
        total += 1  # handler
    return total


print("RESULT", json.dumps(ray.get(work.remote(5))))
