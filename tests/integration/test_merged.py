"""Many workers as threads of one session, for a client that takes no child sessions, on real Ray."""
from __future__ import annotations

import os
import re
import signal
import sys

import pytest
from conftest import JOBS, line_of, until
from dap_client import DapError

MANY = 20
STEPS = JOBS / "steps_many.py"
ACTORS = JOBS / "actors.py"


def stops_of(client, count):
    """The stops of so many workers, by the name of their thread."""
    stops = [client.stop(timeout=60) for _ in range(count)]
    names = {thread["id"]: thread["name"] for thread in client.request("threads")["threads"]}
    by_name = {names[stop.thread]: stop for stop in stops}
    assert len(by_name) == count
    return by_name


def test_twenty_workers_in_one_session(submit, client, targets):
    job = submit("steps_many.py", str(MANY))
    targets(MANY, state="waiting", within=120)
    merged = client()
    merged.attach({"localRoot": str(JOBS)}, {str(STEPS): [line_of(STEPS, "in double")]})
    stops = stops_of(merged, MANY)
    assert all(re.fullmatch(r"square · pid \d+ @ [\d.]+", name) for name in stops)
    events = merged.events("stopped")
    assert all(event["allThreadsStopped"] is False for event in events)
    assert [event["preserveFocusHint"] for event in events] == [False] + [True] * (MANY - 1)

    # All stacks, each with its own locals.
    values = {}
    for name, stop in stops.items():
        assert (stop.name, stop.path, stop.line) == ("square", str(STEPS), line_of(STEPS, "square"))
        values[name] = int(stop.locals()["x"])
        assert stop.evaluate("x + y") == str(values[name] + values[name] ** 2)
    assert sorted(values.values()) == list(range(3, 3 + MANY))

    # Stepping one leaves the others stopped.
    name, first = next(iter(stops.items()))
    stepped = first.step()
    assert (stepped.thread, stepped.line) == (first.thread, line_of(STEPS, "square") + 1)
    assert {event["threadId"] for event in merged.events("continued")} == {first.thread}
    other = list(stops.values())[-1]
    assert merged.top(other.thread)["line"] == line_of(STEPS, "square")

    # One question to all of them.
    answer = merged.evaluate("@all x % 4", stepped.frame["id"])
    assert f"{MANY} stopped workers" in answer
    counts = {value: int(count) for count, value in re.findall(r"^ *(\d+) = (\d+) ", answer, re.MULTILINE)}
    assert counts == {str(rest): len([x for x in values.values() if x % 4 == rest]) for rest in range(4)}
    assert f"min 3 ({next(n for n, x in values.items() if x == 3)})" in merged.evaluate("@all x")

    # The breakpoint that was set once is hit in every worker.
    for stop in [stepped, *list(stops.values())[1:]]:
        stop.resume()
    hits = [merged.stop(timeout=60) for _ in range(MANY)]
    assert {(hit.name, hit.line) for hit in hits} == {("double", line_of(STEPS, "in double"))}
    assert {hit.thread for hit in hits} == {stop.thread for stop in stops.values()}
    for hit in hits:
        hit.resume()
    assert job.result() == [2 * x * x + 1 for x in range(3, 3 + MANY)]
    merged.disconnect()
    assert len(merged.events("terminated")) == 1


def test_workers_join_while_the_session_runs(submit, client, targets):
    """A client without child sessions, from the attach to the end, that never says what it wants."""
    merged = client()
    merged.attach({"localRoot": str(JOBS)})
    assert merged.request("threads")["threads"] == []
    [line] = merged.set_breakpoints(str(STEPS), [line_of(STEPS, "in double")])
    assert line["verified"] is False
    job = submit("steps_many.py", "2")
    stops = stops_of(merged, 2)
    changed = merged.event("breakpoint")["breakpoint"]
    assert (changed["id"], changed["verified"]) == (line["id"], True)
    for stop in stops.values():
        stop.resume()
    for hit in [merged.stop(), merged.stop()]:
        assert hit.line == line_of(STEPS, "in double")
        hit.resume()
    assert job.result() == [19, 33]
    merged.disconnect()


def test_a_client_like_helix_completes_a_session(submit, client):
    """What Helix 25.07 says, in its order: it handles startDebugging, but does not advertise it."""
    job = submit("tasks.py", "1")
    helix = client("hx")
    helix.initialize(clientName="helix", locale="en-us", supportsRunInTerminalRequest=True, supportsMemoryReferences=False,
                     supportsVariablePaging=False, supportsProgressReporting=False, supportsInvalidatedEvent=False)
    attach = helix.send("attach", {"localRoot": str(JOBS)})
    helix.event("initialized")
    helix.request("configurationDone")
    helix.response(attach)
    stop = helix.stop(timeout=60)
    assert stop.name == "square" and stop.locals()["y"] == "9"
    assert [thread["id"] for thread in helix.request("threads")["threads"]].count(stop.thread) == 1
    assert stop.step().line == line_of(JOBS / "tasks.py", "square") + 1
    stop.resume()
    assert job.result() == [10]
    helix.request("disconnect", {"restart": False})
    helix.close()


def test_a_lost_client_finds_all_workers_where_they_were(submit, client, targets):
    job = submit("tasks.py", "3")
    targets(3, state="waiting")
    merged = client()
    merged.attach()
    stepped = next(iter(stops_of(merged, 3).values())).step()
    line = stepped.line
    merged.close()
    targets(3, state="held")
    again = client()
    again.attach({})
    lines = sorted(stop.line for stop in stops_of(again, 3).values())
    assert lines == [line - 1, line - 1, line]
    again.disconnect()
    assert job.result() == [10, 17, 26]


def test_a_worker_that_dies_takes_its_threads_along(submit, client, targets):
    submit("tasks.py", "2")
    rows = targets(2, state="waiting")
    merged = client()
    merged.attach({})
    stops = stops_of(merged, 2)
    victim = next(row for row in rows)
    name = next(each for each in stops if f"pid {victim['pid']} " in each)
    os.kill(victim["pid"], signal.SIGKILL)
    merged.event("thread", where=lambda body: body == {"reason": "exited", "threadId": stops[name].thread})
    with pytest.raises(DapError):
        merged.frames(stops[name].thread)
    survivor = next(stop for each, stop in stops.items() if each != name)
    assert survivor.locals()["y"]
    merged.disconnect()


def test_subprocesses_join_as_threads(submit, client):
    job = submit("spawns.py")
    merged = client()
    merged.attach({"localRoot": str(JOBS)})
    merged.stop(timeout=60).resume()
    assert job.result() == [49]
    assert len(merged.events("process")) == 2
    # What the subprocess's main thread was, its end took along.
    started = [body["threadId"] for body in merged.events("thread") if body["reason"] == "started"]
    assert len(set(started)) == len(started) > 1
    merged.event("thread", where=lambda body: body == {"reason": "exited", "threadId": started[-1]})
    merged.disconnect()


def test_pause_and_continue_are_of_one_worker(submit, client, targets):
    job = submit("loops.py", "2")
    targets(2, state="waiting")
    merged = client()
    merged.attach({"localRoot": str(JOBS)})
    stops = list(stops_of(merged, 2).values())
    assert merged.request("continue", {"threadId": stops[0].thread}) == {"allThreadsContinued": False}
    merged.event("continued", where=lambda body: body["threadId"] == stops[0].thread)
    assert merged.request("stackTrace", {"threadId": stops[1].thread})["stackFrames"]
    merged.request("pause", {"threadId": stops[0].thread})
    paused = merged.stop(thread=stops[0].thread)
    assert paused.path == str(JOBS / "loops.py")
    paused.evaluate("flag.append(1)")
    for stop in [paused, stops[1]]:
        stop.evaluate("flag.append(1)")
        stop.resume()
    assert job.result() == [True, True]
    merged.disconnect()


def test_siblings_in_a_threaded_actor(submit, client, targets):
    job = submit("actors.py", "threaded")
    targets(1, state="waiting", paused_threads=3)
    merged = client()
    merged.attach({"localRoot": str(JOBS)})
    merged.stop()
    if sys.version_info < (3, 12):  # later, debugpy stops the other threads only at their next event (sys.monitoring)
        until(lambda: len({body["threadId"] for body in merged.events("stopped")}) == 3, "stops of all three threads")
    names = {thread["id"]: thread["name"] for thread in merged.request("threads")["threads"]}
    assert all(name.startswith("ThreadedCounter.add · pid ") for name in names.values())
    for stopped in merged.events("stopped"):  # each is told of only where it really stands still
        assert merged.frames(stopped["threadId"])

    resumed = 0

    def ended() -> bool:
        nonlocal resumed
        stops = merged.events("stopped")
        if len(stops) > resumed:
            resumed = len(stops)
            merged.resume(stops[-1]["threadId"])
        return job.status().is_terminal()

    until(ended, "end of the job")
    assert job.result() == [31, 32, 33]
    merged.disconnect()
