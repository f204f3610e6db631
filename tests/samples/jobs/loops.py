"""`python loops.py COUNT`: that many tasks that run in a loop after their breakpoint, until the debugger ends it."""
import json
import sys
import time

import ray


@ray.remote(num_cpus=0.1)
def wait_for_flag() -> bool:
    flag: list = []
    breakpoint()  # before
    while not flag:
        time.sleep(0.02)
    return True


print("RESULT", json.dumps(ray.get([wait_for_flag.remote() for _ in range(int(sys.argv[1]))])))
