"""`python actors.py plain|async|threaded`: one actor with a breakpoint in its method."""
import asyncio
import json
import sys
import threading

import ray


@ray.remote(num_cpus=0.1)
class Counter:
    def __init__(self) -> None:
        self.total = 10

    def add(self, amount: int) -> int:
        total = self.total + amount
        breakpoint()  # add
        self.total = total
        return total


@ray.remote(num_cpus=0.1)
class AsyncCounter:
    async def add(self, amount: int) -> int:
        await asyncio.sleep(0)
        total = 20 + amount
        breakpoint()  # async add
        return total


@ray.remote(num_cpus=0.1, max_concurrency=3)
class ThreadedCounter:
    """Pauses three of its threads at the same time."""

    def __init__(self) -> None:
        self.together = threading.Barrier(3)

    def add(self, amount: int) -> int:
        total = 30 + amount
        self.together.wait()
        breakpoint()  # threaded add
        return total


if __name__ == "__main__":
    actor_class, calls = {
        "plain": (Counter, [1]),
        "async": (AsyncCounter, [1]),
        "threaded": (ThreadedCounter, [1, 2, 3]),
    }[sys.argv[1]]
    actor = actor_class.options(name="counter").remote()
    print("RESULT", json.dumps(ray.get([actor.add.remote(amount) for amount in calls])))
