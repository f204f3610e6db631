"""`python steps_many.py COUNT`: that many tasks that call a function after their breakpoint."""
import json
import sys

import ray


def double(value: int) -> int:
    result = value * 2  # in double
    return result


@ray.remote(num_cpus=0.1)
def square(x: int) -> int:
    y = x * x
    breakpoint()  # square
    return double(y) + 1


print("RESULT", json.dumps(ray.get([square.remote(number) for number in range(3, 3 + int(sys.argv[1]))])))
