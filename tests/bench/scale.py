#!/usr/bin/env python3
"""Many fake workers in one merged session: `scale.py [WORKERS…]`, by default 100, 1000 and 10000.

Measures, each in a fresh bridge: from the attach to the last stop, to the answer of `threads`, one question to all
(`@all`), and the bridge's memory a worker. Prints numbers, judges nothing. The farm (tests/bench/farm.cpp) is built where
it is missing.
"""
from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
FARM = BUILD / "tests" / "bench" / "ray_dap_farm"
sys.path.insert(0, str(ROOT / "tests" / "integration"))

from dap_client import DapClient  # noqa: E402


def resident(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def measure(count: int) -> dict:
    farm = subprocess.Popen([FARM, str(count)], stdout=subprocess.PIPE, text=True)
    address = json.loads(farm.stdout.readline())["dashboard"]
    bridge = subprocess.Popen([BUILD / "ray-dap", "serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--address",
                               address], stderr=subprocess.PIPE, text=True)
    try:
        port = next(int(line.rsplit(":", 1)[1]) for line in bridge.stderr if " DAP on " in line)
        # The log must not fill its pipe.
        subprocess.Popen(["cat"], stdin=bridge.stderr, stdout=subprocess.DEVNULL)
        client = DapClient("127.0.0.1", port)
        before = resident(bridge.pid)
        start = time.perf_counter()
        client.attach({"sessions": "merged"}, timeout=120)
        while len(client.events("stopped")) < count:
            assert time.perf_counter() - start < 120, len(client.events("stopped"))
            time.sleep(0.05)
        attached = time.perf_counter() - start
        threads = client.request("threads", timeout=60)["threads"]
        listed = time.perf_counter() - start
        assert len(threads) == count, f"{len(threads)} threads"
        asked = time.perf_counter()
        answer = client.request("evaluate", {"expression": "@all x % 7"}, timeout=60)["result"]
        everywhere = time.perf_counter() - asked
        assert answer.startswith(f"{count} stopped"), answer
        memory = (resident(bridge.pid) - before) / count
        client.close()
        return {"workers": count, "attached_s": attached, "listed_s": listed, "at_all_s": everywhere,
                "KiB_a_worker": memory / 1024}
    finally:
        for process in (bridge, farm):
            process.terminate()
            process.wait(20)


def main() -> None:
    if not FARM.exists():
        subprocess.run(["cmake", "--build", BUILD, "--target", "ray_dap_farm"], check=True)
    for count in [int(each) for each in sys.argv[1:]] or [100, 1000, 10000]:
        figures = measure(count)
        print("  ".join(f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}"
                        for name, value in figures.items()), flush=True)


if __name__ == "__main__":
    main()
