"""What a client is told when something is wrong, and that the bridge and the workers survive it."""
import os
import signal

import pytest
from conftest import JOBS, until
from dap_client import DapClient, DapError


def refused(debugger: DapClient, arguments: dict) -> DapError:
    """The error of an attach that must fail, after checking that it is fit for a user."""
    with pytest.raises(DapError) as caught:
        debugger.attach(arguments)
    assert caught.value.error.get("id") and caught.value.error.get("format"), caught.value.response
    return caught.value


def test_worker_that_somebody_debugs_directly(submit, targets, client):
    submit("tasks.py", "1")
    [row] = targets(1, state="waiting")
    somebody = DapClient(row["ip"], row["port"])
    somebody.initialize()
    somebody.send("attach", {"justMyCode": False})
    somebody.event("initialized")  # attached, but the worker still waits for its configurationDone
    error = refused(client(), {"target": row["target"], "wait": 0})
    assert f"{row['ip']}:{row['port']}" in str(error)
    somebody.close()
    again = client()
    again.attach({"target": row["target"]})
    again.stop()
    again.disconnect()


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "running"])
def test_worker_killed_while_attached(submit, targets, attach, stopped):
    submit("tasks.py", "1")
    [row] = targets(1, state="waiting")
    stop = attach(target=row["target"])
    if not stopped:
        stop.resume()
    os.kill(row["pid"], signal.SIGKILL)
    stop.client.event("terminated")
    stop.client.request("disconnect")
    stop.client.wait_closed()
    assert len(stop.client.events("terminated")) == 1
    until(lambda: row["target"] not in [each["target"] for each in targets()], "the dead worker's row is gone")


def test_worker_killed_while_it_waits(submit, targets, client):
    submit("tasks.py", "1")
    [row] = targets(1, state="waiting")
    os.kill(row["pid"], signal.SIGKILL)
    until(lambda: row["target"] not in [each["target"] for each in targets()], "the dead worker's row is gone")
    refused(client(), {"target": row["target"], "wait": 0})


def test_worker_killed_while_held(submit, targets, attach):
    submit("tasks.py", "1")
    stop = attach()
    stop.client.close()
    [row] = targets(1, state="held")
    os.kill(row["pid"], signal.SIGKILL)
    until(lambda: row["target"] not in [each["target"] for each in targets()], "the dead worker's row is gone")


@pytest.mark.parametrize("arguments", [
    {"host": "10.9.9.2"}, {"port": 22}, {"processId": 1}, {"subProcessId": 1}, {"listen": {"host": "127.0.0.1", "port": 9}},
    {"debugpyArgs": ["--log-to-stderr"]}, {"noDebug": True}, {"target": ["a", "list"]}, {"wait": -1}, {"sources": "elsewhere"},
], ids=lambda arguments: next(iter(arguments)))
def test_attach_arguments_that_are_refused(client, arguments):
    error = refused(client(), {"wait": 0, **arguments})
    assert next(iter(arguments)) in str(error)


def test_where_vscode_found_the_bridge_is_no_argument(submit, client, bridge):
    host, _, port = bridge.address.rpartition(":")
    job = submit("tasks.py", "1")
    debugger = client("vscode")
    debugger.attach({"type": "debugpy", "request": "attach", "name": "Ray", "connect": {"host": host, "port": int(port)},
                     "debugServer": int(port), "localRoot": str(JOBS)}, timeout=40)
    debugger.stop()
    debugger.disconnect(restart=False, terminateDebuggee=False, suspendDebuggee=False)
    assert job.result() == [10]


def test_nothing_paused(client):
    refused(client(), {"wait": 0})


def test_unknown_target(submit, targets, client):
    submit("tasks.py", "1")
    targets(1, state="waiting")
    assert "nobody" in str(refused(client(), {"target": "nobody", "wait": 0}))


def test_ambiguous_target(submit, targets, client):
    submit("tasks.py", "2")
    rows = targets(2, state="waiting")
    error = refused(client(), {"target": "square", "sessions": "single", "wait": 0})
    assert all(str(row["pid"]) in str(error) for row in rows)
    targets(2, state="waiting")


def test_two_clients_want_the_same_worker(submit, targets, attach, client):
    submit("tasks.py", "1")
    [row] = targets(1, state="waiting")
    stop = attach(target=row["target"])
    refused(client(), {"target": row["target"], "wait": 0})
    assert stop.locals()["x"] == "3"  # the first is not disturbed


def test_second_attach_in_one_session(submit, attach):
    submit("tasks.py", "1")
    stop = attach()
    with pytest.raises(DapError):
        stop.client.request("attach", {})
    assert stop.locals()["x"] == "3"


def test_requests_before_initialize(client):
    debugger = client()
    for command in ("threads", "attach", "configurationDone", "evaluate"):
        with pytest.raises(DapError):
            debugger.request(command, {})
    assert debugger.initialize()


def test_requests_before_attach(client):
    debugger = client()
    debugger.initialize()
    with pytest.raises(DapError):
        debugger.request("stackTrace", {"threadId": 1})
    debugger.request("disconnect")
    debugger.wait_closed()


def test_waiting_attach_is_cancelled(client):
    debugger = client()
    debugger.initialize()
    attaching = debugger.send("attach", {})
    debugger.request("cancel", {"requestId": attaching})
    with pytest.raises(DapError) as caught:
        debugger.response(attaching)
    assert caught.value.response["message"] == "cancelled"


def test_disconnect_ends_a_waiting_attach(client):
    debugger = client()
    debugger.initialize()
    attaching = debugger.send("attach", {})
    debugger.request("disconnect")
    with pytest.raises(DapError):
        debugger.response(attaching)
    debugger.wait_closed()


def test_terminate_kills_no_worker(submit, attach, targets):
    job = submit("tasks.py", "1")
    stop = attach()
    try:
        stop.client.request("disconnect", {"terminateDebuggee": True})
    except DapError:
        stop.client.request("disconnect", {"terminateDebuggee": False})
    assert job.result() == [10]
