"""A worker stays where it stopped when its client is lost, and goes on when its client lets it."""
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import JOBS, line_of, until

TWICE = JOBS / "twice.py"
STEPS = JOBS / "steps.py"

# A client process that attaches, reports its stop and then only waits to be killed.
DOOMED_CLIENT = """
import sys
sys.path.insert(0, sys.argv[1])
from dap_client import DapClient
client = DapClient(sys.argv[2], int(sys.argv[3]))
client.attach({"localRoot": sys.argv[4]}, timeout=40)
stop = client.stop()
print(stop.name, stop.line, sorted(stop.locals().items()), flush=True)
sys.stdin.read()
"""


def doomed_client(bridge) -> subprocess.Popen:
    host, _, port = bridge.address.rpartition(":")
    return subprocess.Popen([sys.executable, "-c", DOOMED_CLIENT, str(Path(__file__).parent), host, port, str(JOBS)],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_client_killed_ten_times(submit, bridge, targets):
    job = submit("twice.py", "1")
    targets(1, state="waiting")
    reports = []
    for _ in range(10):
        doomed = doomed_client(bridge)
        reports.append(doomed.stdout.readline())
        assert targets()[0]["state"] == "attached"
        doomed.kill()
        doomed.wait()
        targets(1, state="held")
    assert set(reports) == {f"square {line_of(TWICE, 'first')} [('x', '3'), ('y', '9')]\n"}

    last = bridge.client()
    last.attach({})
    stop = last.stop()
    assert stop.line == line_of(TWICE, "first")
    stop.resume()
    stop = last.stop()
    assert stop.locals()["z"] == "10"
    last.disconnect()
    assert job.result() == [10]


def test_client_lost_while_the_worker_is_in_another_line(submit, targets, attach):
    """Held means where it stopped last, not where it paused first."""
    job = submit("steps.py")
    stop = attach(localRoot=str(JOBS)).step()
    stop.client.close()
    targets(1, state="held")
    again = attach(localRoot=str(JOBS))
    assert (again.name, again.line) == ("work", line_of(STEPS, "call"))
    again.client.disconnect()
    assert job.result() == 21


def test_client_lost_while_the_worker_runs(submit, targets, attach, bridge):
    """The link stays, so the next breakpoint() stops the worker for whoever comes then."""
    job = submit("twice.py", "1")
    stop = attach()
    stop.resume()
    stop.client.close()
    targets(1, state="held")
    again = attach(localRoot=str(JOBS))
    assert again.name == "square" and again.locals()["z"] == "10"
    again.client.disconnect()
    assert job.result() == [10]


def test_disconnect_releases(submit, targets, attach):
    job = submit("steps.py")
    attach().client.disconnect()
    assert targets() == [], "what the bridge let go is not waiting, whatever it knew before"
    assert job.result() == 21
    assert targets() == []


def test_disconnect_before_the_stop_releases(submit, client):
    """debugpy leaves a worker suspended, with nobody to tell, if it is disconnected between configurationDone and the stop."""
    job = submit("tasks.py", "1")
    debugger = client()
    debugger.attach({"sessions": "single"}, timeout=40)
    debugger.disconnect()
    assert job.result() == [10]


def test_disconnect_that_suspends_holds(submit, targets, attach):
    job = submit("steps.py")
    attach().client.disconnect(suspendDebuggee=True)
    [row] = targets(1, state="held")
    again = attach(target=row["target"])
    assert again.line == line_of(STEPS, "start")
    again.client.disconnect(suspendDebuggee=False)
    assert job.result() == 21


@pytest.mark.parametrize(("client_id", "held"), [("vscode", True), ("nvim-dap", False)])
def test_reloading_the_window_of_vscode_holds(submit, targets, client, client_id, held):
    """VS Code says `disconnect {restart: false}` when its window goes away; from others that is an ordinary disconnect."""
    job = submit("steps.py")
    targets(1, state="waiting")
    debugger = client(client_id)
    debugger.attach({})
    debugger.stop()
    debugger.disconnect(restart=False)
    if held:
        [row] = targets(1, state="held")
        last = client()
        last.attach({"target": row["target"]})
        last.stop()
        last.disconnect()
    assert job.result() == 21


def test_on_disconnect_resume(submit, attach):
    job = submit("steps.py")
    attach(onDisconnect="resume").client.close()
    assert job.result() == 21


def test_hold_ends_after_its_time(submit, attach, targets):
    job = submit("steps.py")
    attach(holdFor=1).client.close()
    assert job.result() == 21
    until(lambda: targets() == [], "no target")


def test_new_session_brings_its_own_breakpoints_and_paths(submit, attach, targets, tmp_path):
    job = submit("steps.py")
    first_root, second_root = tmp_path / "first", tmp_path / "second"
    for root in (first_root, second_root):
        root.mkdir()
        (root / "steps.py").write_text(STEPS.read_text())

    first = attach(breakpoints={str(first_root / "steps.py"): [line_of(STEPS, "in double")]}, filters=["raised"],
                   localRoot=str(first_root))
    assert first.path == str(first_root / "steps.py")
    first.client.close()
    targets(1, state="held")

    second = attach(breakpoints={str(second_root / "steps.py"): [line_of(STEPS, "handler")]}, filters=[],
                    localRoot=str(second_root))
    assert (second.path, second.line) == (str(second_root / "steps.py"), line_of(STEPS, "start"))
    second.resume()
    second = second.client.stop()
    # Neither the first session's breakpoint in double() nor its exception filter stopped the worker on its way here.
    assert (second.path, second.line, second.reason) == (str(second_root / "steps.py"), line_of(STEPS, "handler"), "breakpoint")
    second.client.disconnect()
    assert job.result() == 21


def test_states_and_continue_by_command_line(submit, attach, targets, cli):
    job = submit("steps.py")
    targets(1, state="waiting")
    stop = attach()
    targets(1, state="attached")
    stop.client.close()
    [row] = targets(1, state="held")
    done = cli("continue", row["target"])
    assert done.status == 0, done.stderr
    assert job.result() == 21
    assert targets() == []
