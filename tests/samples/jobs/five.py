"""Five workers that pause at the same time: three tasks, an actor, an async actor."""
import json

import ray

from actors import AsyncCounter, Counter


@ray.remote(num_cpus=0.1)
def square(x: int) -> int:
    y = x * x
    breakpoint()  # square
    return y


counter = Counter.options(name="plain counter").remote()
async_counter = AsyncCounter.options(name="async counter").remote()
calls = [square.remote(2), square.remote(3), square.remote(4), counter.add.remote(5), async_counter.add.remote(6)]
print("RESULT", json.dumps(ray.get(calls)))
