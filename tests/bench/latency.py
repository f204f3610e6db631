#!/usr/bin/env python3
"""What ray-dap costs, and saves, on one real worker each way: `latency.py [--python 3.11] [--requests 200]`.

In the same run: requests and attach directly at debugpy (untuned, as an editor would) and through the bridge, each on a fresh
worker, for debugpy's settings stick; the bridge's start, and what it takes while idle. Prints numbers, judges nothing.
"""
from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
RAY_DAP = os.environ.get("RAY_DAP", str(TESTS.parent / "build" / "release" / "ray-dap"))
sys.path.insert(0, str(TESTS / "integration"))

from dap_client import DapClient, Stop  # noqa: E402


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:8.2f} ms"


def timed_attach(host: str, port: int, arguments: dict) -> tuple[Stop, float]:
    client = DapClient(host, port)
    start = time.perf_counter()
    client.attach(arguments)
    client.stopped()
    took = time.perf_counter() - start
    thread = client.events("stopped")[0]["threadId"]
    return Stop(client, thread, "breakpoint", client.top(thread)), took


def median_evaluate(stop: Stop, requests: int) -> float:
    samples = []
    for _ in range(requests):
        start = time.perf_counter()
        stop.evaluate("1+1")
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def median_step(stop: Stop, steps: int) -> float:
    samples = []
    for _ in range(steps):
        start = time.perf_counter()
        stop.client.request("next", {"threadId": stop.thread})
        stop.client.stopped()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


class Served:
    """`ray-dap serve`, with the time until its DAP port answered."""

    def __init__(self) -> None:
        self.log = tempfile.NamedTemporaryFile()
        start = time.perf_counter()
        self.process = subprocess.Popen([RAY_DAP, "serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"],
                                        stdin=subprocess.DEVNULL, stderr=self.log)
        while not (found := re.search(rb"DAP on (127\.0\.0\.1):(\d+)", Path(self.log.name).read_bytes())):
            if self.process.poll() is not None or time.perf_counter() - start > 20:
                sys.exit("ray-dap serve did not report its port: " + Path(self.log.name).read_text())
            time.sleep(0.0005)
        self.host, self.port = found.group(1).decode(), int(found.group(2))
        DapClient(self.host, self.port).initialize()
        self.start = time.perf_counter() - start

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_megabytes(self) -> float:
        return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.process.pid}/status").read_text()).group(1)) / 1024


def paused_workers() -> list[dict]:
    with urllib.request.urlopen(os.environ["RAY_API_SERVER_ADDRESS"] + "/api/v0/workers?detail=1&limit=10000") as response:
        rows = json.load(response)["data"]["result"]["result"]
    return [row for row in rows if row["num_paused_threads"] and row["is_alive"]]


def measure(requests: int) -> None:
    """Runs in a world, beside its Ray."""
    driver = subprocess.Popen([sys.executable, str(TESTS / "bench" / "loop.py")], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while len(workers := paused_workers()) < 2:
        if time.monotonic() > end:
            sys.exit("no two paused workers")
        time.sleep(0.1)
    served = Served()

    direct, direct_attach = timed_attach(workers[0]["ip"], workers[0]["debugger_port"], {"justMyCode": False})
    bridged, bridged_attach = timed_attach(served.host, served.port, {"target": workers[1]["worker_id"]})
    direct_evaluate, bridged_evaluate = median_evaluate(direct, requests), median_evaluate(bridged, requests)
    direct_step, bridged_step = median_step(direct, 40), median_step(bridged, 40)

    print(f"{'':24} {'direct':>11} {'bridge':>11}  direct/bridge")
    for what, one, other in [("attach -> stopped", direct_attach, bridged_attach),
                             (f"evaluate, p50 of {requests}", direct_evaluate, bridged_evaluate),
                             ("next -> stopped, p50", direct_step, bridged_step)]:
        print(f"{what:24} {milliseconds(one)} {milliseconds(other)}  {one / other:6.1f}")
    direct.client.disconnect()
    bridged.client.disconnect()
    driver.kill()

    before = served.processor_seconds()
    time.sleep(10)
    print(f"serve until DAP answers  {milliseconds(served.start)}")
    print(f"idle: {served.resident_megabytes():.1f} MB resident, {(served.processor_seconds() - before) * 1000:.0f} ms of "
          "processor in 10 s")
    served.process.terminate()
    sys.exit(served.process.wait())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="any")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        measure(options.requests)
    pins = dict(line.split("=", 1) for line in (TESTS / "env" / "versions.env").read_text().splitlines()
                if line and not line.startswith("#"))
    venv = subprocess.run([TESTS / "env" / "python.sh", options.python, pins["RAY"], pins["DEBUGPY"]], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
    os.execv(sys.executable, [sys.executable, str(TESTS / "env" / "world.py"), venv, f"{venv}/bin/python", __file__,
                              "--inside", "--requests", str(options.requests)])


if __name__ == "__main__":
    main()
