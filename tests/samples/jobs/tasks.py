"""`python tasks.py COUNT`: that many tasks, each with a breakpoint."""
import json
import sys

import ray


@ray.remote(num_cpus=0.1)
def square(x: int) -> int:
    y = x * x
    breakpoint()  # square
    return y + 1


print("RESULT", json.dumps(ray.get([square.remote(number) for number in range(3, 3 + int(sys.argv[1]))])))
