"""VS Code's side: a whole session with Microsoft's DAP client library, and the samples of vscode-config/launch.json."""
from __future__ import annotations

import json
import os
import re
import subprocess

import jsonschema
import pytest
from conftest import JOBS, REPOSITORY, line_of, run_ray_dap, until

CLIENTS = REPOSITORY / "tests" / "clients"
STEPS = JOBS / "steps.py"
TASKS = JOBS / "tasks.py"

LAUNCH = json.loads((REPOSITORY / "vscode-config" / "launch.json").read_text())
SCHEMA = json.loads((REPOSITORY / "dap" / "attach.schema.json").read_text())
SAMPLES = {sample["name"]: sample for sample in LAUNCH["configurations"]}


@pytest.fixture(scope="module")
def npm_packages() -> None:
    # There is no network here to install from: tests/run did it before.
    done = subprocess.run([CLIENTS / "install.sh"], env={**os.environ, "npm_config_fetch_retries": "0"}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    if done.returncode == 77:
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, f"run tests/clients/install.sh where the network is: {done.stdout}"


def test_whole_session_with_microsofts_client(npm_packages, submit, targets, bridge):
    job = submit("steps.py")
    [row] = targets(1, state="waiting")
    arguments = {"port": int(bridge.address.rpartition(":")[2]), "source": str(STEPS),
                 "attach": {"target": row["target"], "job": job.id, "sessions": "single", "localRoot": str(JOBS)}}
    done = subprocess.run(["node", CLIENTS / "vscode_session.mjs", json.dumps(arguments)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert job.result() == 10  # 21 unless the session set `count` to 3
    until(lambda: not targets(), "no target left in the bridge")


# -- vscode-config/launch.json --------------------------------------------------------------------


def substituted(sample: dict, answers: dict[str, str]) -> dict:
    """The sample with VS Code's variables replaced; `answers` are those to its inputs."""
    def replace(found: re.Match) -> str:
        kind, _, name = found.group(1).partition(":")
        return str(JOBS) if found.group(1) == "workspaceFolder" else {"input": answers}[kind][name]

    def walk(value):
        if isinstance(value, dict):
            return {name: walk(each) for name, each in value.items()}
        if isinstance(value, list):
            return [walk(each) for each in value]
        return re.sub(r"\$\{([^}]*)\}", replace, value) if isinstance(value, str) else value

    return walk(sample)


def attributes_of(sample: dict) -> dict:
    """What of a sample is meant for ray-dap."""
    return {name: value for name, value in sample.items() if name not in ("name", "type", "request")}


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_agrees_with_the_schema(name):
    sample = substituted(SAMPLES[name], {each["id"]: "square" for each in LAUNCH["inputs"]})
    assert (sample["type"], sample["request"]) == ("debugpy", "attach")
    attributes = attributes_of(sample)
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(attributes, SCHEMA, cls=jsonschema.Draft7Validator)
    # Unknown attributes are debugpy's, so the schema allows them: in a sample they would be a slip of the pen.
    assert attributes.keys() <= SCHEMA["properties"].keys()
    assert f"{attributes['connect']['host']}:{attributes['connect']['port']}" in run_ray_dap("serve", "--help").stdout


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_attaches(submit, targets, bridge, name):
    job = submit("tasks.py", "1")
    [row] = targets(1, state="waiting")
    sample = substituted(SAMPLES[name], {"target": row["name"]})
    client = bridge.client("vscode")
    # With what VS Code and its Python Debugger add on their own.
    client.attach({**sample, "__sessionId": "2b8b6d9e", "clientOS": "unix", "debugOptions": ["RedirectOutput", "ShowReturnValue"],
                   "justMyCode": False, "showReturnValue": True, "workspaceFolder": str(JOBS)}, timeout=40)
    stop = client.stop()
    assert (stop.name, stop.line) == ("square", line_of(TASKS, "square"))
    # debugpy's `showReturnValue` lists among the locals what the last call returned.
    own = {variable: value for variable, value in stop.locals().items() if not variable.startswith("(return) ")}
    assert own == {"x": "3", "y": "9"}
    if "localRoot" in sample:
        assert stop.path == str(TASKS)
    else:
        assert stop.frame["source"]["sourceReference"] > 0  # served from the worker
    client.disconnect(restart=False, terminateDebuggee=False, suspendDebuggee=False)
    assert job.result() == [10]
