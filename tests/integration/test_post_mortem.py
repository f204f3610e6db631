"""With RAY_DEBUG_POST_MORTEM=1 a worker stops where it raised; its error then reaches the caller as it always does."""
import pytest
from conftest import JOBS, line_of

SAMPLE = JOBS / "post_mortem.py"

# For each call the frames, each with the comment on its line, the locals on top, what was raised, and its message.
INNER = [("inner", "inner"), ("middle", "middle"), ("deep", "deep")]
NO_NUMBER = "invalid literal for int() with base 10: 'x7'"
NO_NAME = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
CALLS = {
    "task": ([("task", "task")], {"x": "7", "zero": "0"}, "ZeroDivisionError", "division by zero"),
    "deep": (INNER, {"key": "'8'", "known": "{'seven': 7}"}, "LookupError", "no 8 in ['seven']"),
    "chained": ([("chained", "chained")], {"x": "7"}, "RuntimeError", "chained"),
    "in_c": ([("in_c", "in C")], {"x": "7", "text": "'x7'"}, "ValueError", NO_NUMBER),
    "in_library": ([("in_library", "in library")], {"x": "7", "text": "'{{{{{{{'"}, "JSONDecodeError", NO_NAME),
    "through_library": ([("replacement", "called back"), ("through_library", "through library")],
                        {"x": "7", "digit": "7"}, "ZeroDivisionError", "division by zero"),
    "Actor.fail": ([("fail", "actor")], {"x": "7"}, "ValueError", "call 1 of 7"),
    "AsyncActor.wait": ([("wait", "async actor")], {"x": "7", "y": "8"}, "ValueError", "async 8"),
    "ThreadedActor.run": ([("run", "threaded actor")], {"x": "7", "y": "9"}, "ValueError", "threaded 9"),
}


def check(stop, call: str, message: str = "", just_my_code: bool = True) -> None:
    """That everything a client can ask about the stop is as in the source."""
    expected_frames, expected_locals, exception, default_message = CALLS[call]
    message = message or default_message
    assert stop.reason == "exception", call

    frames = stop.client.frames(stop.thread)
    seen = [(frame["name"].rpartition(".")[2], frame["source"]["path"], frame["line"]) for frame in frames
            if not frame["name"].startswith("[Chained")]
    expected = [(name, str(SAMPLE), line_of(SAMPLE, comment)) for name, comment in expected_frames]
    if just_my_code:
        assert seen == expected
    else:
        assert seen[:len(expected)] == expected
        assert len(seen) > len(expected), "the library's frames are wanted below the user's"

    values = stop.locals()
    assert {name: values[name] for name in expected_locals} == expected_locals, call
    expression = " + ".join(f"repr({name})" for name in expected_locals)
    assert stop.evaluate(expression) == repr("".join(expected_locals.values()))

    info = stop.client.request("exceptionInfo", {"threadId": stop.thread})
    assert (info["exceptionId"].rpartition(".")[2], info["description"]) == (exception, message)
    assert info["breakMode"] == "unhandled"
    assert info["details"]["stackTrace"].rstrip().endswith(f"{exception}: {message}")
    assert all(name in info["details"]["stackTrace"] for name, _ in expected_frames)


def check_result(job, *causes: str) -> None:
    """That the calls ended as without a debugger, each in an error of Ray's with its cause."""
    undisturbed, debugged = job.result()
    assert debugged == undisturbed
    outcomes = [outcome for call in debugged for outcome in call]
    assert len(outcomes) == len(causes)
    for outcome, cause in zip(outcomes, causes):
        assert outcome["classes"][:2] == [f"RayTaskError({cause})", "RayTaskError"] and cause in outcome["classes"]
        assert outcome["cause"].startswith(f"{cause}(")


@pytest.mark.parametrize("calls", [["task", "deep", "chained"], ["in_c", "in_library", "through_library"],
                                   ["Actor.fail", "AsyncActor.wait", "ThreadedActor.run"]], ids=" ".join)
def test_stops_where_it_raised(submit, targets, attach, calls):
    job = submit("post_mortem.py", "1", *calls)
    rows = targets(len(calls), state="waiting")
    target_of = {row["name"].rpartition(".")[2]: row["target"] for row in rows}
    for call in calls:
        stop = attach(target=target_of[call.rpartition(".")[2]], localRoot=str(JOBS))
        check(stop, call)
        if call == "deep":
            below = [frame["id"] for frame in stop.client.frames(stop.thread)[1:]]
            assert [stop.client.evaluate(name, frame) for name, frame in zip("yx", below)] == ["8", "7"]
            assert [stop.client.locals(frame)[name] for name, frame in zip(("key", "outer"), below)] == ["'8'", "8"]
        if call == "chained":
            info = stop.client.request("exceptionInfo", {"threadId": stop.thread})
            assert "LookupError: no 7 in ['seven']" in info["details"]["stackTrace"]
        stop.resume()
    check_result(job, *(CALLS[call][2] for call in calls))


@pytest.mark.parametrize("filters", [[], ["raised", "userUnhandled"]], ids=["none", "others"])
def test_whatever_the_clients_filters_are(submit, attach, filters):
    job = submit("post_mortem.py", "1", "deep")
    stop = attach(filters=filters, localRoot=str(JOBS))
    check(stop, "deep")
    stop.resume()
    check_result(job, "LookupError")
    assert len(stop.client.events("stopped")) == 1


def test_without_just_my_code(submit, targets, attach):
    job = submit("post_mortem.py", "1", "deep", "in_library")
    target_of = {row["name"]: row["target"] for row in targets(2, state="waiting")}
    stop = attach(target=target_of["deep"], localRoot=str(JOBS), justMyCode=False)
    check(stop, "deep", just_my_code=False)
    stop.resume()
    # Here the library's frames count, and it is the library that raised.
    stop = attach(target=target_of["in_library"], localRoot=str(JOBS), justMyCode=False)
    names = [frame["name"].rpartition(".")[2] for frame in stop.client.frames(stop.thread)]
    assert names[:4] == ["raw_decode", "decode", "loads", "in_library"]
    assert stop.locals()["s"] == "'{{{{{{{'"
    stop.resume()
    check_result(job, "LookupError", "JSONDecodeError")


def test_again_and_around_a_breakpoint_in_one_worker(submit, attach):
    """Errors that are raised while the debugger is there already, and a stop of another kind between them."""
    job = submit("post_mortem.py", "1", "Actor.fail.fail.pause.fail")
    stop = attach(localRoot=str(JOBS))
    debugger = stop.client
    check(stop, "Actor.fail", "call 1 of 7")
    stop.resume()
    stop = debugger.stop()
    check(stop, "Actor.fail", "call 2 of 7")
    stop.resume()
    stop = debugger.stop()
    assert stop.name == "pause" and stop.line in (line_of(SAMPLE, "pause"), line_of(SAMPLE, "after pause"))
    assert stop.locals()["y"] == "14"
    stop.resume()
    stop = debugger.stop()
    check(stop, "Actor.fail", "call 3 of 7")
    stop.resume()
    undisturbed, debugged = job.result()
    assert debugged == undisturbed
    assert [each if each == 14 else each["cause"] for each in debugged[0]] == [
        "ValueError('call 1 of 7')", "ValueError('call 2 of 7')", 14, "ValueError('call 3 of 7')"]
    assert len(debugger.events("stopped")) == 4


def test_another_client_takes_over(submit, targets, attach):
    job = submit("post_mortem.py", "1", "Actor.fail.fail")
    attach(localRoot=str(JOBS)).client.close()
    targets(1, state="held")
    stop = attach(localRoot=str(JOBS))
    check(stop, "Actor.fail", "call 1 of 7")
    stop.client.disconnect()
    stop = attach(localRoot=str(JOBS))
    check(stop, "Actor.fail", "call 2 of 7")
    stop.client.disconnect()
    check_result(job, "ValueError", "ValueError")


def test_step_goes_on(submit, attach):
    """There is no next line: the error goes its way."""
    job = submit("post_mortem.py", "1", "Actor.fail.fail")
    stop = attach(localRoot=str(JOBS))
    stop = stop.step("stepIn")
    check(stop, "Actor.fail", "call 2 of 7")
    stop.client.request("next", {"threadId": stop.thread})
    check_result(job, "ValueError", "ValueError")
    assert len(stop.client.events("stopped")) == 2


def test_error_of_a_debugged_worker_without_post_mortem(submit, attach):
    """It reaches the caller whole, and stops nobody on its way."""
    job = submit("post_mortem.py", "0", "pauses")
    stop = attach(localRoot=str(JOBS))
    assert stop.name == "pauses"
    stop.resume()
    check_result(job, "ValueError")
    assert len(stop.client.events("stopped")) == 1
