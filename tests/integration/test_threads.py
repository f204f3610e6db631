"""Threads of one worker that stop at the same time: each stop is told of, each `continue` is answered."""
import pytest
from conftest import until
from dap_client import DapError

ROUNDS = 15


def answered(debugger, seq):
    """Waits for the response: that it is done, or that the worker ended meanwhile."""
    try:
        debugger.response(seq)
    except DapError:
        pass


@pytest.mark.parametrize("sessions", ["single", "merged"])
def test_threads_that_stop_together(submit, targets, client, sessions):
    job = submit("together.py", str(ROUNDS))
    targets(1, state="waiting")
    debugger = client()
    debugger.attach({"sessions": sessions})
    asked = []

    def ended() -> bool:
        """Whether the job is done; continues once for each stop that was told of, and waits for no answer."""
        for stopped in debugger.events("stopped")[len(asked):]:
            asked.append(debugger.send("continue", {"threadId": stopped["threadId"]}))
        return job.status().is_terminal()

    until(ended, "end of the job", 60)
    assert job.result() == [ROUNDS] * 4
    for seq in asked:
        answered(debugger, seq)
    assert len(asked) >= ROUNDS


def test_every_continue_is_answered(submit, targets, client):
    """A client that resumes each thread it heard of, though the first `continue` resumes them all."""
    job = submit("actors.py", "threaded")
    targets(1, state="waiting", paused_threads=3)
    debugger = client()
    debugger.attach({"sessions": "merged"})
    stopped = debugger.stopped()
    for _ in range(3):
        debugger.request("continue", {"threadId": stopped["threadId"]})

    def ended() -> bool:
        for event in debugger.events("stopped")[1:]:
            answered(debugger, debugger.send("continue", {"threadId": event["threadId"]}))
        return job.status().is_terminal()

    until(ended, "end of the job")
    assert job.result() == [31, 32, 33]
