"""What ray-dap is for: every way a Ray program can pause, debugged through the one address."""
import shutil
import sys
import time

import pytest
from conftest import DEPENDENCY, JOBS, line_of, until
from dap_client import DapError

ACTORS = JOBS / "actors.py"
DRIVER = JOBS / "driver_pause.py"
FIVE = JOBS / "five.py"
STEPS = JOBS / "steps.py"
TASKS = JOBS / "tasks.py"


# -- every kind of worker -------------------------------------------------------------------------


def test_waits_for_something_to_pause(submit, client):
    debugger = client()
    debugger.initialize()
    attaching = debugger.send("attach", {"localRoot": str(JOBS)})  # nothing is paused yet, and `wait` has no limit
    job = submit("tasks.py", "1")
    debugger.event("initialized", timeout=40)
    debugger.request("configurationDone")
    debugger.response(attaching)
    stop = debugger.stop()
    assert (stop.path, stop.line, stop.locals()["y"]) == (str(TASKS), line_of(TASKS, "square"), "9")
    debugger.disconnect()
    assert job.result() == [10]


def test_worker_that_is_attached_before_it_has_a_name_gets_one(submit, client, targets):
    """Ray reports what runs in a worker up to a second after it started; a client that waits has it before that."""
    debugger = client()
    debugger.initialize()
    attaching = debugger.send("attach", {})
    job = submit("tasks.py", "1")
    debugger.event("initialized", timeout=40)
    debugger.request("configurationDone")
    debugger.response(attaching)
    debugger.stop()
    [row] = targets(1, state="attached", name="square", kind="task")
    assert (row["job_id"], row["submission_id"]) == (job.job_id, job.id)
    debugger.disconnect()
    assert job.result() == [10]


def test_async_actor(submit, targets, attach):
    job = submit("actors.py", "async")
    [row] = targets(1, state="waiting")
    assert row["kind"] == "actor"
    stop = attach(target=row["target"], localRoot=str(JOBS))
    assert (stop.name, stop.path, stop.line) == ("add", str(ACTORS), line_of(ACTORS, "async add"))
    assert stop.locals()["total"] == "21"
    stop.resume()
    assert job.result() == [21]


def test_threaded_actor_with_three_paused_threads(submit, targets, attach):
    job = submit("actors.py", "threaded")
    targets(1, state="waiting", paused_threads=3)
    stop = attach(localRoot=str(JOBS))
    assert (stop.name, stop.line) == ("add", line_of(ACTORS, "threaded add"))

    def values() -> list[str]:
        """`total` of every thread that is in the method; a thread may have been stopped just above it."""
        stacks = [stop.client.frames(thread["id"]) for thread in stop.client.request("threads")["threads"]]
        paused = [frame["id"] for frames in stacks for frame in frames if frame["name"].endswith("add")]
        try:
            return sorted(stop.client.locals(frame)["total"] for frame in paused)
        except DapError:
            return []  # a thread is in the method, but not yet stopped

    if sys.version_info < (3, 12):  # later, debugpy stops the other threads only at their next event (sys.monitoring)
        until(lambda: values() == ["31", "32", "33"], "three threads in the method", 10)

    resumed = 0

    def ended() -> bool:
        """Whether the job is done; resumes whatever stopped since, for a thread may report its stop only after a resume."""
        nonlocal resumed
        stops = len(stop.client.events("stopped"))
        if stops > resumed:
            resumed = stops
            stop.resume()
        return job.status().is_terminal()

    until(ended, "end of the job")
    assert job.result() == [31, 32, 33]


def test_driver(submit, targets, attach):
    job = submit("driver_pause.py")
    [row] = targets(1, state="waiting")
    assert (row["kind"], row["job_id"], row["submission_id"], row["task_id"]) == ("driver", job.job_id, job.id, None)
    stop = attach(target=row["target"], localRoot=str(JOBS))
    assert (stop.path, stop.line) == (str(DRIVER), line_of(DRIVER, "driver"))
    assert stop.evaluate("answer + 1") == "43"
    stop.resume()
    assert job.result() == 42


def test_two_jobs_are_told_apart(submit, targets, attach):
    jobs = [submit("tasks.py", "1"), submit("actors.py", "plain")]
    targets(2, state="waiting")
    by_submission = attach(job=jobs[1].id, localRoot=str(JOBS))
    by_job_id = attach(job=jobs[0].job_id, localRoot=str(JOBS))
    assert (by_submission.name, by_job_id.name) == ("add", "square")
    for stop in (by_submission, by_job_id):
        stop.client.disconnect()
    assert [job.result() for job in jobs] == [[10], [11]]


def test_five_paused_workers(submit, ray, targets, client):
    job = submit("five.py")
    rows_of_ray = {row["worker_id"]: row for row in ray.wait_paused(5)}
    seen_at = time.monotonic()
    rows = targets(5, state="waiting")
    assert time.monotonic() - seen_at < 1.0, "the bridge lags behind the dashboard"
    assert sorted((row["kind"], row["actor_name"]) for row in rows) == [
        ("actor", "async counter"), ("actor", "plain counter"), ("task", None), ("task", None), ("task", None)]
    assert sorted(row["name"] for row in rows if row["kind"] == "task") == ["square"] * 3
    assert all(row["name"].endswith("add") for row in rows if row["kind"] == "actor")
    for row in rows:
        of_ray = rows_of_ray[row["target"]]
        assert (row["pid"], row["ip"], row["port"]) == (of_ray["pid"], of_ray["ip"], of_ray["debugger_port"])
        assert (row["job_id"], row["submission_id"]) == (job.job_id, job.id)

    # Clients that want just one: each takes one that nobody else has.
    seen = []
    for _ in rows:
        debugger = client()
        debugger.attach({"sessions": "single"}, timeout=40)
        stop = debugger.stop()
        values = stop.locals()
        if stop.name == "square":
            assert stop.line == line_of(FIVE, "square")
            seen.append((stop.name, int(values["y"])))
            assert stop.evaluate("x * x") == values["y"]
        else:
            seen.append((stop.name, int(values["total"])))
            assert stop.evaluate("total - amount") in ("10", "20")
        stop = stop.step()
        stop.resume()
    assert sorted(seen) == [("add", 15), ("add", 26), ("square", 4), ("square", 9), ("square", 16)]
    assert job.result() == [4, 9, 16, 15, 26]


# -- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["string", "object"])
def test_imported_module_is_mapped(submit, attach, tmp_path, form):
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(JOBS / "uses_module.py", project)
    shutil.copytree(DEPENDENCY, project / "dependency", ignore=shutil.ignore_patterns("__pycache__"))
    job = submit("uses_module.py", runtime_env={"working_dir": str(project), "py_modules": [str(DEPENDENCY)],
                                                "excludes": ["/dependency"]})
    # As a string it names the project, in which the package is looked for by its name.
    package = {"string": project / "dependency", "object": DEPENDENCY}[form]
    local_root = {"string": str(project), "object": {".": str(project), "dependency": str(DEPENDENCY)}}[form]
    stop = attach(localRoot=local_root)
    assert (stop.name, stop.path) == ("with_tax", str(package / "pricing.py"))
    assert "breakpoint()" in (package / "pricing.py").read_text().splitlines()[stop.line - 1]
    assert stop.locals() == {"amount": "50", "rate": "20", "tax": "10"}
    caller = stop.client.frames(stop.thread)[1]
    assert (caller["name"], caller["source"]["path"]) == ("price", str(project / "uses_module.py"))

    returning = stop.line + 1
    [verified] = stop.client.set_breakpoints(str(package / "pricing.py"), [returning])
    assert verified["verified"]
    stop.resume()
    stop = stop.client.stop()
    assert (stop.path, stop.line) == (str(package / "pricing.py"), returning)
    stop.resume()
    assert job.result() == 60


def test_files_that_nothing_maps_are_served_from_the_worker(submit, attach):
    job = submit("tasks.py", "1")
    stop = attach()
    source = stop.frame["source"]
    assert source["sourceReference"] > 0
    served = stop.client.request("source", {"source": source, "sourceReference": source["sourceReference"]})
    assert served["content"] == TASKS.read_text()
    stop.client.disconnect()
    assert job.result() == [10]


def test_sources_path_leaves_the_workers_paths(submit, attach):
    job = submit("tasks.py", "1")
    stop = attach(sources="path")
    source = stop.frame["source"]
    assert not source.get("sourceReference")
    with open(source["path"]) as file:  # a client that shares the worker's disk opens it itself
        assert file.read() == TASKS.read_text()
    stop.client.disconnect()
    assert job.result() == [10]


# -- breakpoints of the client --------------------------------------------------------------------


def at(line: int, **more) -> dict:
    return {str(STEPS): [{"line": line, **more}]}


def test_breakpoint_in_a_local_path(submit, attach):
    job = submit("steps.py")
    stop = attach(breakpoints=at(line_of(STEPS, "in double")), localRoot=str(JOBS))
    assert stop.line == line_of(STEPS, "start")
    stop.resume()
    stop = stop.client.stop()
    assert (stop.name, stop.path, stop.line) == ("double", str(STEPS), line_of(STEPS, "in double"))
    stop.client.disconnect()
    assert job.result() == 21


@pytest.mark.parametrize("more", [{"condition": "number == 3"}, {"hitCondition": "== 4"}], ids=["condition", "hit-count"])
def test_breakpoint_that_stops_once_in_a_loop(submit, attach, more):
    job = submit("steps.py")
    stop = attach(breakpoints=at(line_of(STEPS, "loop"), **more), localRoot=str(JOBS))
    stop.resume()
    stop = stop.client.stop()
    assert (stop.line, stop.locals()["number"]) == (line_of(STEPS, "loop"), "3")
    stop.resume()
    assert job.result() == 21
    assert len(stop.client.events("stopped")) == 2


def test_logpoint_prints_and_does_not_stop(submit, attach):
    job = submit("steps.py")
    stop = attach(breakpoints=at(line_of(STEPS, "loop"), logMessage="number is {number}"), localRoot=str(JOBS))
    stop.resume()
    assert job.result() == 21
    printed = "".join(output.get("output", "") for output in stop.client.events("output"))
    assert all(f"number is {number}" in printed for number in range(5))
    assert len(stop.client.events("stopped")) == 1


def test_exception_filter_and_exception_info(submit, attach):
    job = submit("steps.py")
    stop = attach(filters=["raised"], localRoot=str(JOBS))
    stop.resume()
    stop = stop.client.stop()
    assert (stop.reason, stop.line) == ("exception", line_of(STEPS, "raise"))
    info = stop.client.request("exceptionInfo", {"threadId": stop.thread})
    assert "ValueError" in info["exceptionId"] and "total is 20" in info["description"]
    stop.client.request("setExceptionBreakpoints", {"filters": []})
    stop.resume()
    assert job.result() == 21


# -- a stopped worker -----------------------------------------------------------------------------


def test_stepping(submit, attach):
    job = submit("steps.py")
    stop = attach(localRoot=str(JOBS))
    stop = stop.step("next")
    assert (stop.name, stop.line) == ("work", line_of(STEPS, "call"))
    stop = stop.step("stepIn")
    assert (stop.name, stop.line, stop.locals()) == ("double", line_of(STEPS, "in double"), {"value": "5"})
    stop = stop.step("stepOut")
    assert stop.name == "work" and stop.reason == "step"
    stop.resume()
    assert job.result() == 21


def test_changing_a_variable_changes_the_result(submit, attach):
    job = submit("tasks.py", "1")
    stop = attach(localRoot=str(JOBS))
    reference = stop.client.locals_reference(stop.frame["id"])
    changed = stop.client.request("setVariable", {"variablesReference": reference, "name": "y", "value": "100"})
    assert changed["value"] == "100"
    assert stop.locals()["y"] == "100"
    stop.client.disconnect()
    assert job.result() == [101]


def test_evaluate_and_completions(submit, attach):
    job = submit("actors.py", "plain")
    stop = attach(localRoot=str(JOBS))
    assert stop.evaluate("[self.total, amount]") == "[10, 1]"
    with pytest.raises(DapError, match="no_such_name"):
        stop.evaluate("no_such_name")
    expanded = stop.client.request("evaluate", {"expression": "{'a': 1, 'b': 'two'}", "frameId": stop.frame["id"]})
    children = {v["name"]: v["value"] for v in stop.client.variables(expanded["variablesReference"])}
    assert children["'a'"] == "1" and children["'b'"] == "'two'"
    offered = stop.client.request("completions", {"frameId": stop.frame["id"], "text": "self.tot", "column": 9})
    assert "total" in [item["label"] for item in offered["targets"]]
    stop.client.disconnect()
    assert job.result() == [11]


def test_capabilities_are_debugpys_without_those_that_kill(submit, client):
    job = submit("tasks.py", "1")
    debugger = client()
    debugger.attach({}, timeout=40)
    debugger.stop()
    offered = next(m["body"] for m in debugger.messages if m.get("command") == "initialize")
    for event in debugger.events("capabilities"):
        offered.update(event["capabilities"])
    for name in ["supportsConditionalBreakpoints", "supportsLogPoints", "supportsSetVariable", "supportsCompletionsRequest",
                 "supportsExceptionInfoRequest", "supportTerminateDebuggee", "supportSuspendDebuggee"]:
        assert offered.get(name), name
    assert not offered.get("supportsTerminateRequest")
    assert {"raised", "uncaught"} <= {each["filter"] for each in offered["exceptionBreakpointFilters"]}
    debugger.disconnect()
    assert job.result() == [10]


def test_targets_request(submit, targets, client):
    submit("tasks.py", "2")
    rows = targets(2, state="waiting")
    asking = client()
    asking.initialize()
    answer = asking.request("rayTargets")["targets"]
    assert sorted(row["target"] for row in answer) == sorted(row["target"] for row in rows)
    assert all(row.keys() == rows[0].keys() for row in answer)


def test_bridges_end_resumes_its_workers(submit, start_bridge, ray):
    bridge = start_bridge()
    job = submit("twice.py", "1")
    ray.wait_paused(1)
    debugger = bridge.client()
    debugger.attach({}, timeout=40)
    debugger.stop()
    bridge.process.terminate()
    assert bridge.process.wait(15) == 0
    debugger.event("terminated")
    # The second breakpoint pauses the worker again, now for whoever comes next.
    ray.wait_paused(1)
    successor = start_bridge().client()
    successor.attach({})
    assert successor.stop().locals()["z"] == "10"
    successor.disconnect()
    assert job.result() == [10]
