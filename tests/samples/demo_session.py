"""Debugs every paused worker through a ray-dap bridge: `demo_session.py HOST:PORT`.

Nothing here knows Ray: it is what any DAP client does with one address. Exit status 1 if a value is not the expected one.
"""
from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

from dap_client import DapClient  # noqa: E402

# Where the client has the files that the workers run: the job's working directory, and a package of py_modules.
LOCAL_ROOT = {".": str(HERE / "demo_job"), "dependency": str(HERE / "dependency")}

# What must be seen: function -> (file, some locals, expression, its value).
EXPECTED = {
    "square": ("demo_job/driver.py", {"x": "4", "y": "16"}, "x + y", "20"),
    "add": ("demo_job/driver.py", {"amount": "2", "total": "42"}, "self.total", "40"),
    "with_tax": ("dependency/pricing.py", {"amount": "50", "tax": "10"}, "amount * 2", "100"),
}


def check(what: str, seen: object, expected: object) -> None:
    if seen != expected:
        sys.exit(f"demo_session.py: {what} is {seen!r}, expected {expected!r}")


def debug_one(host: str, port: int, target: dict) -> str:
    """Attaches to one worker, shows it, lets it go on. Returns the function it was paused in."""
    client = DapClient(host, port)
    client.attach({"target": target["target"], "localRoot": LOCAL_ROOT})
    stop = client.stop()
    check("the function", stop.name in EXPECTED, True)
    file, some_locals, expression, value = EXPECTED[stop.name]

    print(f"\n{target['name']}, pid {target['pid']} on {target['ip']}: stopped ({stop.reason})")
    for frame in client.frames(stop.thread)[:3]:
        print(f"  {frame['name']:24} {frame.get('source', {}).get('path', '')}:{frame['line']}")
    seen_locals = stop.locals()
    print("  locals:", ", ".join(f"{name} = {seen_locals.get(name)}" for name in some_locals))
    result = stop.evaluate(expression)
    print(f"  {expression} -> {result}")

    check(f"the file of {stop.name}", stop.path, str(HERE / file))
    for name, expected in some_locals.items():
        check(f"{name} in {stop.name}", seen_locals.get(name), expected)
    check(f"{expression} in {stop.name}", result, value)

    stop.resume()
    client.disconnect()
    return stop.name


def main() -> None:
    host, _, port = sys.argv[1].rpartition(":")
    asking = DapClient(host, int(port))
    asking.initialize()
    targets = asking.request("rayTargets")["targets"]
    asking.close()
    seen = {debug_one(host, int(port), target) for target in targets}
    check("what was paused", seen, set(EXPECTED))


if __name__ == "__main__":
    main()
