"""`python post_mortem.py 0|1 CALL...`: calls that fail, first undisturbed, then with RAY_DEBUG_POST_MORTEM=0|1.

A call is a task, or an actor with the methods to call in turn: `Actor.fail.pause`. Prints how each ended, twice.
"""
import json
import os
import re
import sys

import ray


@ray.remote(num_cpus=0.1, max_retries=0)
def task(x: int) -> float:
    zero = 0
    return x / zero  # task


@ray.remote(num_cpus=0.1, max_retries=0)
def deep(x: int) -> None:
    outer = x + 1
    middle(outer)  # deep


def middle(y: int) -> None:
    key = str(y)
    inner(key)  # middle


def inner(key: str) -> None:
    known = {"seven": 7}
    raise LookupError(f"no {key} in {sorted(known)}")  # inner


@ray.remote(num_cpus=0.1, max_retries=0)
def chained(x: int) -> None:
    try:
        inner(str(x))
    except LookupError as cause:
        raise RuntimeError("chained") from cause  # chained


@ray.remote(num_cpus=0.1, max_retries=0)
def in_c(x: int) -> int:
    text = f"x{x}"
    return int(text)  # in C


@ray.remote(num_cpus=0.1, max_retries=0)
def in_library(x: int) -> dict:
    text = "{" * x
    return json.loads(text)  # in library


@ray.remote(num_cpus=0.1, max_retries=0)
def through_library(x: int) -> str:
    def replacement(found: re.Match) -> str:
        digit = int(found[0])
        return str(digit / (x - digit))  # called back

    return re.sub("[0-9]", replacement, str(x))  # through library


@ray.remote(num_cpus=0.1, max_retries=0)
def pauses(x: int) -> None:
    if "RAY_DEBUG_POST_MORTEM" in os.environ:
        breakpoint()
    raise ValueError(f"after {x}")  # after breakpoint


@ray.remote(num_cpus=0.1)
class Actor:
    def __init__(self) -> None:
        self.calls = 0

    def fail(self, x: int) -> None:
        self.calls += 1
        raise ValueError(f"call {self.calls} of {x}")  # actor

    def pause(self, x: int) -> int:
        y = x * 2
        if "RAY_DEBUG_POST_MORTEM" in os.environ:
            breakpoint()  # pause
        return y  # after pause


@ray.remote(num_cpus=0.1)
class AsyncActor:
    async def wait(self, x: int) -> None:
        y = x + 1
        raise ValueError(f"async {y}")  # async actor


@ray.remote(num_cpus=0.1, max_concurrency=2)
class ThreadedActor:
    def run(self, x: int) -> None:
        y = x + 2
        raise ValueError(f"threaded {y}")  # threaded actor


def start(call: str, options: dict) -> list[ray.ObjectRef]:
    name, *methods = call.split(".")
    remote = globals()[name].options(**options)
    if not methods:
        return [remote.remote(7)]
    actor = remote.remote()
    return [getattr(actor, method).remote(7) for method in methods]


def outcome(reference: ray.ObjectRef):
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        # Of the text only what is the same each time: no process ids, no libraries that wait for a result or find it.
        lines = str(error).splitlines()
        trace = [line for line in lines if os.path.basename(__file__) in line]
        return {"classes": [each.__name__ for each in type(error).__mro__], "cause": repr(error.cause),
                "trace": [*trace, lines[-1]]}


def outcomes(calls: list[str], options: dict) -> list[list]:
    started = [start(call, options) for call in calls]
    return [[outcome(reference) for reference in references] for references in started]


if __name__ == "__main__":
    debugged = {"runtime_env": {"env_vars": {"RAY_DEBUG_POST_MORTEM": sys.argv[1]}}}
    print("RESULT", json.dumps([outcomes(sys.argv[2:], options) for options in ({}, debugged)]))
