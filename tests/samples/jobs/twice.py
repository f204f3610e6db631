"""`python twice.py COUNT`: that many tasks, each with two breakpoints in one worker."""
import json
import sys

import ray


@ray.remote(num_cpus=0.1)
def square(x: int) -> int:
    y = x * x
    breakpoint()  # first
    z = y + 1  # after first
    breakpoint()  # second
    return z  # after second


print("RESULT", json.dumps(ray.get([square.remote(number) for number in range(3, 3 + int(sys.argv[1]))])))
