"""Ray with RAY_AUTH_MODE=token: the right token opens the dashboard, and it shows nowhere."""
from pathlib import Path

import pytest
from conftest import run_ray_dap, until
from dap_client import DapError

WORLD = ["--auth"]  # run.py passes this on to world.py; the token is in ~/.ray/auth_token of this world
NOBODY = "127.0.0.1:1"


@pytest.fixture
def no_token(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has no token."""
    (tmp_path / "empty-home").mkdir()
    return {"HOME": str(tmp_path / "empty-home")}


def test_right_token(submit, targets, attach, bridge, ray):
    assert ray.token
    job = submit("tasks.py", "1")
    [row] = targets(1, state="waiting")
    stop = attach(target=row["target"])
    assert stop.locals()["y"] == "9"
    stop.client.disconnect()
    assert job.result() == [10]
    assert ray.token not in bridge.log.read_text()


def test_missing_and_wrong_token(no_token):
    missing = run_ray_dap("targets", RAY_DAP_CONNECT=NOBODY, **no_token)
    assert missing.status == 3 and "token" in missing.stderr
    wrong = run_ray_dap("targets", RAY_DAP_CONNECT=NOBODY, RAY_AUTH_TOKEN="wrong-secret", **no_token)
    assert wrong.status == 3 and "token" in wrong.stderr and "wrong-secret" not in wrong.stderr


def test_bridge_without_token_says_so(start_bridge, no_token):
    bridge = start_bridge(**no_token)
    debugger = bridge.client()
    with pytest.raises(DapError, match="token"):
        debugger.attach({"wait": 0})
    assert run_ray_dap("targets", RAY_DAP_CONNECT=bridge.address).status == 3


def test_token_file_is_read_again(start_bridge, no_token, tmp_path, ray, submit):
    token_file = tmp_path / "token"
    token_file.write_text("old-token-that-has-expired")
    bridge = start_bridge(RAY_AUTH_TOKEN_PATH=str(token_file), **no_token)
    assert run_ray_dap("targets", RAY_DAP_CONNECT=bridge.address).status == 3
    token_file.write_text(ray.token)
    until(lambda: run_ray_dap("targets", RAY_DAP_CONNECT=bridge.address).status == 0, "the new token is used")
    job = submit("tasks.py", "1")
    debugger = bridge.client()
    debugger.attach({}, timeout=40)
    debugger.stop()
    debugger.disconnect()
    assert job.result() == [10]
    log = bridge.log.read_text()
    assert ray.token not in log and "old-token-that-has-expired" not in log
