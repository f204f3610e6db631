"""No value of justMyCode loses a stop or puts a library's frame on top; each on a fresh worker, for its options stick."""
import pytest
from conftest import JOBS, line_of

STEPS = JOBS / "steps.py"
TWICE = JOBS / "twice.py"


@pytest.mark.parametrize("arguments", [{"justMyCode": True}, {"justMyCode": False}, {}, None],
                         ids=["true", "false", "absent", "no-arguments"])
def test_stops_in_the_users_frame(submit, client, arguments):
    job = submit("twice.py", "1")
    debugger = client()
    debugger.attach(arguments, timeout=40)
    stop = debugger.stop()
    assert (stop.name, stop.line) == ("square", line_of(TWICE, "first"))
    assert stop.locals() == {"x": "3", "y": "9"}

    names = [frame["name"] for frame in debugger.frames(stop.thread)]
    if arguments == {"justMyCode": False}:
        assert "main_loop" in names, "the library's frames are wanted below the user's"
    else:
        assert names == ["square"]

    stop = stop.step()
    assert (stop.name, stop.line) == ("square", line_of(TWICE, "after first"))
    stop.resume()
    stop = debugger.stop()
    assert stop.name == "square" and stop.line in (line_of(TWICE, "second"), line_of(TWICE, "after second"))
    stop.resume()
    assert job.result() == [10]


@pytest.mark.parametrize("just_my_code", [True, False])
def test_steps_into_and_out_of_user_code(submit, attach, just_my_code):
    job = submit("steps.py")
    stop = attach(justMyCode=just_my_code)
    assert (stop.name, stop.line) == ("work", line_of(STEPS, "start"))
    stop = stop.step()
    assert (stop.name, stop.line) == ("work", line_of(STEPS, "call"))
    stop = stop.step("stepIn")
    assert (stop.name, stop.line) == ("double", line_of(STEPS, "in double"))
    stop = stop.step("stepOut")
    assert stop.name == "work"
    stop.resume()
    assert job.result() == 21
