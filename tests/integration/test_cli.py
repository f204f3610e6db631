"""The command line as users script against it: output, JSON, exit status, standard streams."""
import json
import os
import pty
import subprocess

import pytest
from conftest import JOBS, RAY_DAP, line_of, run_ray_dap
from dap_client import DapClient

TASKS = JOBS / "tasks.py"
TWICE = JOBS / "twice.py"
ROW = {"target", "kind", "name", "task_id", "actor_id", "actor_name", "job_id", "submission_id", "node_id", "ip", "port", "pid",
       "state", "paused_threads"}
NOBODY = "127.0.0.1:1"  # nothing listens there


def test_targets(submit, targets, cli):
    submit("tasks.py", "1")
    [row] = targets(1, state="waiting")
    assert row.keys() >= ROW
    assert (row["kind"], row["name"], row["actor_id"], row["paused_threads"]) == ("task", "square", None, 1)
    table = cli("targets").stdout
    for cell in ("square", str(row["pid"]), row["ip"], "waiting"):
        assert cell in table
    assert "\x1b" not in table


def test_targets_asks_the_dashboard_where_no_bridge_serves(submit, ray):
    submit("tasks.py", "1")
    [worker] = ray.wait_paused(1)
    [row] = run_ray_dap("targets", "--json", RAY_DAP_CONNECT=NOBODY).json()
    assert (row["target"], row["state"]) == (worker["worker_id"], "waiting")


def test_no_targets(cli):
    assert cli("targets", "--json").json() == []


def test_no_color_on_a_terminal(submit, targets, bridge):
    submit("tasks.py", "1")
    targets(1, state="waiting")
    terminal, child_side = pty.openpty()
    with os.fdopen(terminal, "rb") as reader:
        subprocess.run([RAY_DAP, "targets"], env={**os.environ, "RAY_DAP_CONNECT": bridge.address, "NO_COLOR": "1"},
                       stdin=child_side, stdout=child_side, stderr=child_side, check=True, timeout=20)
        shown = os.read(reader.fileno(), 65536)
        os.close(child_side)
    assert b"square" in shown and b"\x1b" not in shown


def test_stack(submit, targets, cli, ray):
    job = submit("twice.py", "2")
    rows = targets(2, state="waiting")
    stacks = cli("stack", "--json").json()
    assert {each["target"] for each in stacks} == {row["target"] for row in rows}
    for each in stacks:
        assert each["name"] == "square" and each["pid"] in {row["pid"] for row in rows}
        [thread] = [thread for thread in each["threads"] if thread["stopped"] and thread["frames"]]
        top = thread["frames"][0]
        assert (top["name"], top["line"]) == ("square", line_of(TWICE, "first"))
        assert top["file"].endswith("/twice.py")
        values = {variable["name"]: (variable["value"], variable["type"]) for variable in top["locals"]}
        assert values["x"] in (("3", "int"), ("4", "int"))

    text = cli("stack", rows[0]["target"])
    assert text.status == 0 and "square" in text.stdout and "twice.py" in text.stdout
    # Looking at them let none of them go on.
    targets(2, state="held")
    assert cli("continue", "--all").status == 0
    ray.wait_paused(2)  # the second breakpoint
    assert cli("continue", "--all").status == 0
    assert job.result() == [10, 17]


def test_eval(submit, targets, cli):
    submit("tasks.py", "2")
    rows = targets(2, state="waiting")
    values = cli("eval", "x * 10", "--json").json()
    assert sorted((each["value"], each["type"], each["error"]) for each in values) == [("30", "int", None), ("40", "int", None)]
    [one] = cli("eval", "type(x).__name__", rows[0]["target"], "--json").json()
    assert (one["target"], one["value"], one["name"]) == (rows[0]["target"], "'int'", "square")
    [failed] = json.loads(cli("eval", "no_such_name", rows[0]["target"], "--json").stdout)
    assert failed["value"] is None and "no_such_name" in failed["error"]


def test_continue_wants_one_or_all(submit, targets, cli, ray):
    job = submit("twice.py", "2")
    rows = targets(2, state="waiting")
    ambiguous = cli("continue")
    assert ambiguous.status == 1
    assert all(str(row["pid"]) in ambiguous.stderr for row in rows)
    targets(2, state="waiting")
    assert cli("continue", f"{rows[0]['pid']}@{rows[0]['ip']}").status == 0
    assert cli("continue", rows[1]["target"][:12]).status == 0
    ray.wait_paused(2)
    assert cli("continue", "squ*").status == 0  # a glob that matches both means both
    assert job.result() == [10, 17]


def test_in_process_needs_no_bridge(submit, ray):
    job = submit("driver_pause.py")
    ray.wait_paused(1)
    done = run_ray_dap("eval", "answer", "--in-process", "--json", RAY_DAP_CONNECT=NOBODY)
    assert [each["value"] for each in done.json()] == ["42"]
    assert "resume" in done.stderr
    assert job.result() == 42


def test_wait(submit, cli):
    job = submit("driver_pause.py")
    [value] = cli("eval", "answer", "--wait", "40", "--json").json()
    assert value["value"] == "42"
    assert cli("continue").status == 0
    assert job.result() == 42


def test_health(cli):
    assert cli("health").status == 0
    assert run_ray_dap("health", RAY_DAP_CONNECT=NOBODY).status == 3


def test_doctor(submit, targets, cli):
    submit("tasks.py", "1")
    targets(1, state="waiting")
    assert cli("doctor").status == 0
    cli("doctor", "--json").json()
    targets(1, state="waiting")  # examined, not released
    unreachable = run_ray_dap("doctor", "--address", f"http://{NOBODY}", RAY_DAP_CONNECT=NOBODY)
    assert unreachable.status == 3 and NOBODY in unreachable.stdout + unreachable.stderr


@pytest.mark.parametrize("arguments", [["stack"], ["eval", "1"], ["continue"]])
def test_exit_status_of_commands_that_need_a_paused_worker(cli, arguments):
    nothing = cli(*arguments)
    assert (nothing.status, nothing.stdout) == (4, "") and nothing.stderr
    unreachable = run_ray_dap(*arguments, RAY_DAP_CONNECT=NOBODY)
    assert unreachable.status == 3 and NOBODY in unreachable.stderr


def test_exit_status_of_an_unreachable_dashboard():
    nobody = run_ray_dap("targets", "--address", f"http://{NOBODY}", RAY_DAP_CONNECT=NOBODY)
    assert nobody.status == 3 and NOBODY in nobody.stderr


def test_exit_status_of_an_unknown_target(submit, targets, cli):
    submit("tasks.py", "1")
    targets(1, state="waiting")
    for command in (["stack", "nobody"], ["eval", "1", "nobody"], ["continue", "nobody"]):
        unknown = cli(*command)
        assert unknown.status == 1 and "nobody" in unknown.stderr


def test_exit_status_of_wrong_usage():
    for arguments in (["targets", "--no-such-option"], ["no-such-command"], ["eval"]):
        assert run_ray_dap(*arguments).status == 2, arguments
    open_to_all = run_ray_dap("serve", "--listen", "0.0.0.0:0", "--http", "127.0.0.1:0")
    assert open_to_all.status == 2 and "token" in open_to_all.stderr


def test_help_and_version():
    assert "serve" in run_ray_dap("--help").stdout
    assert run_ray_dap("--version").stdout.strip()


@pytest.fixture
def stdio():
    """Starts `ray-dap stdio` for a client that speaks on its standard streams."""
    processes = []

    def start(connect: str) -> tuple[subprocess.Popen, DapClient]:
        process = subprocess.Popen([RAY_DAP, "stdio"], env={**os.environ, "RAY_DAP_CONNECT": connect},
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        processes.append(process)
        return process, DapClient.over_pipes(process.stdout, process.stdin)

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_stdio_relays_to_the_bridge(submit, targets, bridge, stdio):
    job = submit("tasks.py", "1")
    targets(1, state="waiting")
    process, client = stdio(bridge.address)
    client.attach({"localRoot": str(JOBS)})
    stop = client.stop()
    assert (stop.path, stop.line, stop.locals()["y"]) == (str(TASKS), line_of(TASKS, "square"), "9")
    targets(1, state="attached")

    process.kill()  # as when `kubectl exec` breaks
    targets(1, state="held")

    process, client = stdio(bridge.address)
    client.attach({"localRoot": str(JOBS)})
    client.stop()
    client.request("disconnect")
    process.stdin.close()
    assert process.wait(10) == 0
    assert job.result() == [10]


def test_stdio_without_a_bridge_runs_its_own(submit, ray, stdio):
    job = submit("tasks.py", "1")
    ray.wait_paused(1)
    process, client = stdio(NOBODY)
    client.attach({"localRoot": str(JOBS)})
    stop = client.stop()
    assert stop.line == line_of(TASKS, "square")
    client.request("disconnect")
    process.stdin.close()
    assert process.wait(10) == 0
    assert "bridge" in process.stderr.read().decode()
    assert job.result() == [10]
