"""`--group`: fifty paused workers at a glance, on real Ray."""
import json
import re

from conftest import JOBS, line_of, until

PATHS = JOBS / "paths.py"
MANY = 50
NUMBERS = range(MANY)
# Fifty interpreters and their debuggers start on however few cores there are.
PATIENCE = 240.0

WAYS = {
    "quick": [number for number in NUMBERS if number % 6 in (0, 2, 4)],
    "steady": [number for number in NUMBERS if number % 6 in (1, 3)],
    "careful": [number for number in NUMBERS if number % 6 == 5],
}
ABOVE = {"quick": ["quick"], "steady": ["steady"], "careful": ["quick", "careful"]}


def counts(classes):
    return [each["count"] for each in classes if "count" in each]


def test_fifty_workers_in_classes(submit, ray, cli):
    job = submit("paths.py", str(MANY))
    until(lambda: len(ray.paused_workers()) == MANY, f"{MANY} paused workers", PATIENCE)

    # Every number is a value of its own: a class for each, all in one summary.
    numbers = cli("eval", "number", "--all", "--group", "--json", deadline=PATIENCE).json()
    summary = numbers.pop()["summary"]
    target_of = {int(each["value"]): each["targets"][0] for each in numbers}
    assert sorted(target_of) == list(NUMBERS) and counts(numbers) == [1] * MANY
    assert summary == {"min": 0, "max": 49, "mean": 24.5, "count": MANY,
                       "min_target": target_of[0], "max_target": target_of[49]}

    # Three ways lead to the one breakpoint; `number` differs in each and does not count.
    stacks = cli("stack", "--all", "--group", "--json", deadline=PATIENCE).json()
    assert counts(stacks) == [25, 17, 8]
    for way, each in zip(WAYS, stacks):
        assert sorted(each["targets"]) == sorted(target_of[number] for number in WAYS[way])
        assert [frame["name"] for frame in each["frames"]][:3 + len(ABOVE[way]) - 1] == ["wait_here", *ABOVE[way], "work"]
        assert [frame["line"] for frame in each["frames"]][:2] == [line_of(PATHS, "here"), line_of(PATHS, ABOVE[way][0])]
        assert all(frame["file"].endswith("/paths.py") for frame in each["frames"][:3])

    # Few distinct values.
    steps = cli("eval", "step", "--all", "--group", "--json", deadline=PATIENCE).json()
    assert [(each["value"], each["count"], each["error"]) for each in steps[:-1]] == [("1", 33, None), ("2", 17, None)]
    assert sorted(steps[1]["targets"]) == sorted(target_of[number] for number in WAYS["steady"])
    assert steps[-1]["summary"]["mean"] == 1.34

    # As people read it, with errors as a class.
    shown = cli("eval", "1 // (step - 1)", "--all", "--group", deadline=PATIENCE)
    lines = shown.stdout.splitlines()
    assert shown.status == 1 and len(lines) == 3, shown
    assert lines[0].startswith("33 × error: ZeroDivisionError") and lines[0].endswith(" and 30 more")
    assert lines[1].startswith("17 × 1 ") and lines[1].endswith(" and 14 more")
    assert lines[2].startswith("min 1 (") and lines[2].endswith("mean 1 · of 17")

    assert cli("continue", "--all", deadline=PATIENCE).status == 0
    job.wait(PATIENCE)
    assert job.result() == [number * (2 if number in WAYS["steady"] else 1) + (number in WAYS["careful"]) for number in NUMBERS]


def test_each_stopped_thread_counts(submit, targets, cli, ray):
    """Three threads of one actor stand in one method, not always at one line; their worker is named once a class."""
    submit("actors.py", "threaded")
    [row] = targets(1, state="waiting", paused_threads=3)

    def classes():
        stacks = cli("stack", "--group", "--json").json()
        return stacks if sum(stack["count"] for stack in stacks) == 3 else None

    stacks = until(classes, "three stopped threads")
    assert all((stack["targets"], stack["frames"][0]["name"]) == ([row["target"]], "add") for stack in stacks)
    text = cli("stack", row["target"], "--group").stdout.splitlines()
    assert re.fullmatch(rf"[123] × ThreadedCounter\.add · {row['pid']}@{re.escape(row['ip'])}", text[0])
    assert re.fullmatch(r"    add  .*/actors\.py:\d+", text[1])
    [value] = cli("eval", "self.together.parties", "--group", "--json").json()  # one number is no summary
    assert value == {"count": 1, "value": "3", "error": None, "targets": [row["target"]]}
    assert cli("continue", "--all").status == 0


def test_values_errors_and_large_numbers(submit, targets, cli):
    submit("tasks.py", "3")
    targets(3, state="waiting")
    [texts] = cli("eval", "'a\\nb'", "--group", "--json").json()
    assert (texts["count"], texts["value"]) == (3, repr("a\nb"))
    failed = cli("eval", "no_such_name", "--group", "--json")
    [errors] = json.loads(failed.stdout)
    assert failed.status == 1 and (errors["count"], errors["value"], len(errors["targets"])) == (3, None, 3)
    assert "no_such_name" in errors["error"]
    large = json.loads(cli("eval", "2**62 + x", "--group", "--json").stdout)[-1]["summary"]
    assert (large["min"], large["max"]) == (2**62 + 3, 2**62 + 5)
    text = cli("eval", "x * 10**6", "--group").stdout.splitlines()
    assert text[-1].startswith("min 3000000 (") and text[-1].endswith(" · mean 4000000.0 · of 3")
