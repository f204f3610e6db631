"""Threads of one worker that stop at the same time: each stop is told of, each `continue` is answered."""
import pytest
from conftest import until

ROUNDS = 15


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
        debugger.response(seq)
    assert len(asked) >= ROUNDS
    if sessions == "single":  # none that nobody asked for
        assert len(debugger.events("continued")) <= len(asked)
