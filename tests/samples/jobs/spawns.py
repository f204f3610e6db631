"""A task that starts a process while it is debugged: debugpy holds that until somebody attaches to it."""
import json
import subprocess
import sys

import ray


@ray.remote(num_cpus=0.1)
def parent(x: int) -> int:
    code = f"y = {x} * {x}\nprint(y)"
    breakpoint()  # before
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    return int(done.stdout)  # after


print("RESULT", json.dumps([ray.get(parent.remote(7))]))
