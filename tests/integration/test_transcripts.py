"""Whole sessions against recorded transcripts, on real Ray: what a client says and hears, in order, ids normalised.

`run.py test_transcripts.py --update` writes the transcripts anew. One that is missing is a failure.
"""
from __future__ import annotations

import json
import re

import debugpy
import pytest
import ray as ray_package
from conftest import JOBS, REPOSITORY, until

FIXTURES = REPOSITORY / "tests" / "fixtures"
CHILDREN = {"supportsStartDebuggingRequest": True}
# Their number and place are debugpy's business: threads of Ray's own, modules as they are first seen, telemetry.
LEFT_OUT = {"thread", "module", "output"}


class Names:
    """Gives ids and addresses of one run names that are the same in every run."""

    def __init__(self):
        self.known: dict[str, str] = {}

    def name(self, kind: str, value: str) -> str:
        return self.known.setdefault(value, f"<{kind} {1 + sum(n.startswith(f'<{kind} ') for n in self.known.values())}>")

    def text(self, text: str) -> str:
        text = re.sub(r"\b[0-9a-f]{32}\b", lambda m: self.name("one-shot id", m[0]), text)
        text = re.sub(r"\b[0-9a-f]{56}\b", lambda m: self.name("worker", m[0]), text)
        text = re.sub(r"pid \d+", lambda m: "pid " + self.name("pid", m[0]), text)
        text = re.sub(r"session \d+", lambda m: self.name("session", m[0]), text)
        text = re.sub(r"/[^\"]*/_ray_pkg_[0-9a-f]+", "<package>", text)
        return text.replace(str(REPOSITORY), "<repository>")


def normalised(names: Names, who: str, direction: str, message: dict) -> str:
    kind, name = message["type"], message.get("command") or message.get("event")
    if kind == "response":
        kind = "answer" if message["success"] else "refusal"
    content = message.get("arguments") if kind == "request" else message.get("body")
    if name == "process":
        content = {"startMethod": content.get("startMethod")}
    if name == "variables":
        content = content and {"names": sorted(v["name"] for v in content["variables"])} if kind == "answer" else None
    if name in ("stackTrace", "scopes", "threads", "initialize") and kind == "answer":
        content = None  # their ids and lengths are debugpy's; the other tests look into them
    text = f"{who} {direction} {kind} {name}"
    return names.text(text + (" " + json.dumps(content, sort_keys=True, ensure_ascii=False) if content else ""))


class Recorder:
    """Records the messages of several clients, session by session."""

    def __init__(self, client):
        self.make = client
        self.clients: list[tuple[str, object]] = []

    def client(self, name: str):
        made = self.make(name)
        self.clients.append((name, made))
        return made

    def transcript(self, case: str) -> str:
        names = Names()
        lines = [f"# {case}: Ray {ray_package.__version__}, debugpy {debugpy.__version__}"]
        for name, client in self.clients:
            lines.append("")
            lines += [normalised(names, name, direction, message) for direction, message in list(client.transcript)
                      if message.get("event") not in LEFT_OUT]
        return "\n".join(lines) + "\n"


@pytest.fixture
def recorded(request, client):
    recorder = Recorder(client)
    yield recorder
    case = request.node.name.removeprefix("test_").replace("_", "-")
    text = recorder.transcript(case)
    path = FIXTURES / f"{ray_package.__version__}-{debugpy.__version__}-{case}.dap"
    if request.config.getoption("--update"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert path.exists(), f"{path.name} is missing; write it with run.py test_transcripts.py --update"
    assert text == path.read_text(), f"differs from {path.name}"


def look_around(client):
    stop = client.stop()
    stop.locals()
    return stop


def test_attach(recorded, submit, targets):
    job = submit("tasks.py", "1")
    [row] = targets(1)
    client = recorded.client("client")
    client.attach({"target": row["target"], "localRoot": str(JOBS)})
    look_around(client).resume()
    client.event("terminated", timeout=40)
    client.disconnect()
    assert job.result() == [10]


def test_reattach(recorded, submit, targets):
    job = submit("tasks.py", "1")
    [row] = targets(1)
    first = recorded.client("lost")
    first.attach({"target": row["target"]}, {str(JOBS / "tasks.py"): [13]})
    look_around(first)
    first.close()
    until(lambda: targets(state="held"), "held")
    second = recorded.client("next")
    second.attach({"target": row["target"]})
    look_around(second)
    second.disconnect()
    assert job.result() == [10]


def start_root(recorded, submit, script, *arguments, client_id="root"):
    job = submit(script, *arguments)
    root = recorded.client(client_id)
    root.attach({"type": "ray"}, **CHILDREN)
    return job, root


def open_child(recorded, parent, name="child"):
    request = parent.server_request("startDebugging", timeout=40)
    parent.reply(request)
    child = recorded.client(name)
    child.attach(request["arguments"]["configuration"], **CHILDREN)
    return child


def test_children(recorded, submit):
    job, root = start_root(recorded, submit, "tasks.py", "1")
    child = open_child(recorded, root)
    look_around(child)
    root.disconnect()
    child.event("terminated")
    child.disconnect()
    assert job.result() == [10]


def test_subprocess(recorded, submit):
    job, root = start_root(recorded, submit, "spawns.py")
    child = open_child(recorded, root)
    look_around(child).resume()
    grandchild = open_child(recorded, child, "subprocess")
    grandchild.event("terminated")
    grandchild.disconnect()
    assert job.result() == [49]
    child.event("terminated", timeout=40)
    child.disconnect()


def test_take_over(recorded, submit, targets):
    job = submit("tasks.py", "1")
    [row] = targets(1)
    first = recorded.client("first")
    first.attach({"target": row["target"]})
    look_around(first)
    second = recorded.client("second")
    second.attach({"target": row["target"], "takeOver": True})
    look_around(second)
    first.event("terminated")
    first.disconnect()
    second.disconnect()
    assert job.result() == [10]


def test_reload(recorded, submit):
    """What VS Code says when its page is reloaded, and when it comes back."""
    job, root = start_root(recorded, submit, "tasks.py", "1", client_id="vscode")
    child = open_child(recorded, root, "vscode")
    look_around(child)
    for session in (child, root):
        session.disconnect(restart=False)
    root = recorded.client("vscode")
    root.attach({"type": "ray"}, **CHILDREN)
    child = open_child(recorded, root, "vscode")
    look_around(child)
    child.disconnect(restart=False, terminateDebuggee=False, suspendDebuggee=False)
    root.disconnect(restart=False, terminateDebuggee=False, suspendDebuggee=False)
    assert job.result() == [10]
