"""`python paths.py COUNT`: that many tasks that come to one breakpoint by three ways: half by `quick`, a third by `steady`."""
import json
import sys

import ray


def wait_here(number: int, step: int) -> int:
    breakpoint()  # here
    return number * step


def quick(number: int) -> int:
    return wait_here(number, step=1)  # quick


def steady(number: int) -> int:
    return wait_here(number, step=2)  # steady


def careful(number: int) -> int:
    return quick(number) + 1  # careful


@ray.remote(num_cpus=0.1)
def work(number: int) -> int:
    way = [quick, steady, quick, steady, quick, careful][number % 6]
    return way(number)  # way


print("RESULT", json.dumps(ray.get([work.remote(number) for number in range(int(sys.argv[1]))])))
