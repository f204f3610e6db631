"""The main job in short, for every Python and for the older Ray: a task, an actor, a second breakpoint in one worker."""
from conftest import JOBS, line_of

TWICE = JOBS / "twice.py"
ACTORS = JOBS / "actors.py"


def test_task_with_two_breakpoints(submit, targets, attach):
    job = submit("twice.py", "1")
    [row] = targets(1, state="waiting")
    assert (row["kind"], row["name"], row["job_id"], row["submission_id"]) == ("task", "square", job.job_id, job.id)

    stop = attach(target=row["target"], localRoot=str(JOBS))
    assert (stop.name, stop.path, stop.line) == ("square", str(TWICE), line_of(TWICE, "first"))
    assert stop.locals() == {"x": "3", "y": "9"}
    assert stop.evaluate("x + y") == "12"

    stop.resume()
    stop = stop.client.stop()
    # Until Python 3.11 an attached debugger reports a breakpoint() on the line after it.
    assert stop.name == "square" and stop.line in (line_of(TWICE, "second"), line_of(TWICE, "after second"))
    assert stop.locals()["z"] == "10"

    stop.client.disconnect()
    assert job.result() == [10]


def test_actor(submit, targets, attach):
    job = submit("actors.py", "plain")
    [row] = targets(1, state="waiting")
    assert (row["kind"], row["actor_name"]) == ("actor", "counter")

    stop = attach(target="counter", localRoot=str(JOBS))
    assert (stop.name, stop.path, stop.line) == ("add", str(ACTORS), line_of(ACTORS, "add"))
    assert stop.evaluate("self.total + amount") == "11"
    stop.resume()
    assert job.result() == [11]
