"""Many workers in the editor: root and child sessions, take-over, subprocesses, on real Ray."""
from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from conftest import JOBS, REPOSITORY, line_of, until
from dap_client import DapError

CHILDREN = {"supportsStartDebuggingRequest": True}
SPAWNS = JOBS / "spawns.py"
MANY = 20
CUTS = 10


def start_root(client, breakpoints=None, **arguments):
    """A root session as an editor starts it: nothing is said about `sessions`."""
    root = client()
    root.attach({"type": "ray", **arguments}, breakpoints, **CHILDREN)
    return root


def announced(root, reply=True):
    request = root.server_request("startDebugging")
    if reply:
        root.reply(request)
    return request["arguments"]["configuration"]


def open_child(client, configuration):
    child = client()
    child.attach(configuration, **CHILDREN)
    return child


def open_all(client, root, count):
    children = [open_child(client, announced(root)) for _ in range(count)]
    return {stop.locals()["x"]: stop for stop in (child.stop() for child in children)}


def test_twenty_workers_are_twenty_children_and_again_after_the_editor_was_lost(submit, client, targets):
    job = submit("tasks.py", str(MANY))
    root = start_root(client, localRoot=str(JOBS))
    stops = open_all(client, root, MANY)
    assert set(stops) == {str(x) for x in range(3, 3 + MANY)}
    for x, stop in stops.items():
        assert (stop.name, stop.path, stop.line) == ("square", str(JOBS / "tasks.py"), line_of(JOBS / "tasks.py", "square"))
        assert stop.evaluate("y + 1") == str(int(x) ** 2 + 1)

    # The editor is gone: every connection breaks, the root's and the children's.
    for stop in stops.values():
        stop.client.close()
    root.close()
    until(lambda: len(targets(state="held")) == MANY, "all held")

    root = start_root(client, localRoot=str(JOBS))
    stops = open_all(client, root, MANY)
    assert set(stops) == {str(x) for x in range(3, 3 + MANY)}
    for stop in stops.values():
        assert stop.line == line_of(JOBS / "tasks.py", "square")
        stop.resume()
    assert job.result() == [x * x + 1 for x in range(3, 3 + MANY)]


def test_children_are_named_and_attached_lazily(submit, client, ray, targets):
    submit("tasks.py", "1")
    root = start_root(client, connect={"host": "127.0.0.1", "port": 5679})
    configuration = announced(root, reply=False)
    [row] = targets()
    assert row["state"] == "waiting", "a worker is attached only when its child connects"
    assert ray.paused_workers()
    assert configuration["name"] == f"{row['name']} · pid {row['pid']} @ {row['ip']}"
    assert (configuration["type"], configuration["request"]) == ("ray", "attach")
    assert configuration["connect"] == {"host": "127.0.0.1", "port": 5679}
    assert root.request("threads") == {"threads": []}
    stop = open_child(client, configuration).stop()
    with pytest.raises(DapError, match="opened already"):
        open_child(client, configuration)
    stop.client.disconnect()


def test_new_pauses_arrive_and_a_second_breakpoint_after_the_childs_end_too(submit, client):
    root = start_root(client)
    job = submit("twice.py", "1")
    stop = open_child(client, announced(root)).stop()
    stop.client.disconnect()
    stop = open_child(client, announced(root)).stop()
    assert stop.locals()["z"] == "10"
    assert not root.events("terminated"), "a child's end leaves the root"
    stop.client.disconnect()
    assert job.result() == [10]


def test_breakpoints_of_the_root_reach_its_children(submit, client):
    wanted = line_of(JOBS / "twice.py", "after first")
    root = start_root(client, {str(JOBS / "twice.py"): [wanted]}, localRoot=str(JOBS))
    job = submit("twice.py", "1")
    stop = open_child(client, announced(root)).stop()
    stop.resume()
    assert stop.client.stop().line == wanted
    root.disconnect()
    stop.client.event("terminated")
    # Released: the worker runs into its second breakpoint() and waits for the next client.
    stop = open_child(client, announced(start_root(client))).stop()
    stop.client.disconnect()
    assert job.result() == [10]


def test_the_roots_disconnect_releases_held_children(submit, client, targets):
    job = submit("tasks.py", "2")
    root = start_root(client)
    stops = open_all(client, root, 2)
    for stop in stops.values():
        stop.client.close()  # nvim's :qa tells only the root
    until(lambda: len(targets(state="held")) == 2, "both held")
    root.disconnect()
    assert job.result() == [10, 17]


def test_take_over(submit, client, targets, attach):
    job = submit("tasks.py", "1")
    [row] = targets(1)
    first = attach(target=row["target"])
    with pytest.raises(DapError, match="session [0-9]+ .*takeOver"):
        attach(target=row["target"])
    second = attach(target=row["target"], takeOver=True)
    first.client.event("terminated")
    assert (second.line, second.locals()) == (first.line, {"x": "3", "y": "9"})
    second.client.disconnect()
    assert job.result() == [10]


def test_terminate_does_not_kill(submit, attach):
    job = submit("tasks.py", "1")
    stop = attach()
    stop.client.disconnect(terminateDebuggee=True)
    assert job.result() == [10]


def test_a_subprocess_is_a_child_session(submit, client):
    job = submit("spawns.py")
    root = start_root(client)
    parent = open_child(client, announced(root))
    stop = parent.stop()
    stop.resume()
    configuration = announced(parent)
    assert "subprocess · pid" in configuration["name"]
    child = open_child(client, configuration)
    child.event("terminated")
    child.disconnect()
    assert job.result() == [49]


def test_a_subprocess_is_let_go_where_no_client_takes_it(submit, attach):
    job = submit("spawns.py")
    stop = attach()
    stop.resume()
    assert job.result() == [49]


def test_clients_that_misbehave_leave_nothing_behind(submit, bridge, client, targets):
    """Roots that never answer, children that come and break off at every stage: no descriptor, no worker is lost."""
    job = submit("tasks.py", "3")
    targets(3, state="waiting")

    def descriptors():
        return len(os.listdir(f"/proc/{bridge.process.pid}/fd"))

    before = descriptors()
    for round_number in range(6):
        root = start_root(client)
        configurations = [announced(root, reply=round_number % 2 == 0) for _ in range(3)]
        children = [client() for _ in configurations]
        for stage, (child, configuration) in enumerate(zip(children, configurations)):
            child.initialize(**CHILDREN)
            if stage >= 1:
                child.send("attach", configuration)
            if stage >= 2:
                child.event("initialized")
                child.request("configurationDone")
                child.stopped()
                child.send("evaluate", {"expression": "x", "context": "repl"})
            child.close()
        root.close()
        until(lambda: all(row["state"] in ("held", "waiting") for row in targets()) and len(targets()) == 3, "three left")
    root = start_root(client)
    for stop in open_all(client, root, 3).values():
        stop.client.disconnect()
    root.disconnect()
    assert job.result() == [10, 17, 26]
    until(lambda: descriptors() <= before, f"{before} descriptors as before")


CUT = """
import sys, time
sys.path.insert(0, {tests!r})
from dap_client import DapClient
clients = [DapClient({host!r}, {port}) for _ in {targets!r}]
for client, target in zip(clients, {targets!r}):
    client.attach({{"target": target, "token": "token-of-this-test"}})
print([client.stop().step().line for client in clients], flush=True)
time.sleep(600)
"""


@pytest.fixture
def other_host():
    """A network namespace that reaches us only through a link that can be cut without a word."""
    name, ours, theirs = "ray-dap-cut", "10.77.0.1", "10.77.0.2"
    def ip(*words):
        subprocess.run(["ip", *words], check=True)
    ip("netns", "add", name)
    try:
        ip("link", "add", "cut0", "type", "veth", "peer", "name", "cut1", "netns", name)
        ip("addr", "add", f"{ours}/24", "dev", "cut0")
        ip("link", "set", "cut0", "up")
        ip("-n", name, "addr", "add", f"{theirs}/24", "dev", "cut1")
        ip("-n", name, "link", "set", "cut1", "up")
        yield {"name": name, "address": ours,
               "cut": lambda: ip("-n", name, "link", "set", "cut1", "down")}
    finally:
        subprocess.run(["ip", "netns", "del", name])


def test_ten_paths_that_are_cut_without_a_word_are_found_and_hold(submit, start_bridge, other_host, tmp_path):
    (tmp_path / "token").write_text("token-of-this-test")
    bridge = start_bridge("--listen", f"{other_host['address']}:0", "--token-file", str(tmp_path / "token"))
    job = submit("tasks.py", str(CUTS))
    rows = bridge.client()
    rows.initialize()
    token = {"token": "token-of-this-test"}

    def in_state(state):
        found = [row for row in rows.request("rayTargets", token)["targets"] if row["state"] == state]
        return found if len(found) == CUTS else None

    targets = [row["target"] for row in until(lambda: in_state("waiting"), "paused workers", 90)]
    host, _, port = bridge.address.rpartition(":")
    script = CUT.format(tests=str(REPOSITORY / "tests" / "integration"), host=host, port=port, targets=targets)
    far = subprocess.Popen(["ip", "netns", "exec", other_host["name"], sys.executable, "-c", script],
                           stdout=subprocess.PIPE, text=True)
    try:
        lines = json.loads(far.stdout.readline())
        other_host["cut"]()
        # Keep-alive probes stay unanswered: found within half a minute.
        until(lambda: in_state("held"), "held", 45)
    finally:
        os.kill(far.pid, signal.SIGKILL)
        far.wait()
    seen = []
    for target, line in zip(targets, lines):
        again = bridge.client()
        again.attach({"target": target, **token})
        stop = again.stop()
        assert stop.line == line == line_of(JOBS / "tasks.py", "square") + 1
        seen.append(stop.locals())
        again.disconnect()
    assert sorted(int(each["x"]) for each in seen) == list(range(3, 3 + CUTS))
    assert all(int(each["y"]) == int(each["x"]) ** 2 for each in seen)
    assert job.result() == [x * x + 1 for x in range(3, 3 + CUTS)]
