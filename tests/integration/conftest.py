"""Fixtures of the integration tests: a real Ray (run.py started it), and a ray-dap bridge of its own for every test."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Optional, TypeVar

import pytest
from dap_client import DapClient, Stop
from ray.job_submission import JobStatus, JobSubmissionClient

REPOSITORY = Path(__file__).resolve().parents[2]
RAY_DAP = os.environ.get("RAY_DAP", str(REPOSITORY / "build" / "release" / "ray-dap"))
JOBS = REPOSITORY / "tests" / "samples" / "jobs"
DEPENDENCY = REPOSITORY / "tests" / "samples" / "dependency"

T = TypeVar("T")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="write the recorded transcripts anew")


def until(predicate: Callable[[], T], what: str, deadline: float = 30.0) -> T:
    """Polls `predicate` until it returns something true, and returns that."""
    end = time.monotonic() + deadline
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {deadline} s; last: {value!r}")
        time.sleep(0.05)


def line_of(path: Path, comment: str) -> int:
    """The number of the one line that ends in `# comment`."""
    found = [n for n, line in enumerate(path.read_text().splitlines(), 1) if line.endswith(f"# {comment}")]
    assert len(found) == 1, f"{path.name} has {len(found)} lines marked '# {comment}'"
    return found[0]


@dataclass
class Ray:
    """The Ray of this world, asked directly rather than through ray-dap."""

    dashboard: str
    token: Optional[str]

    def get(self, path: str) -> Any:
        request = urllib.request.Request(self.dashboard + path)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=20) as response:
            return json.load(response)

    def paused_workers(self) -> list[dict]:
        """Rows of living workers in which threads wait for a client."""
        rows = self.get("/api/v0/workers?detail=1&limit=10000&filter_keys=num_paused_threads&filter_predicates=!%3D"
                        "&filter_values=0&filter_keys=is_alive&filter_predicates=%3D&filter_values=True")
        return [row for row in rows["data"]["result"]["result"] if row["num_paused_threads"] and row["is_alive"]]

    def wait_paused(self, count: int) -> list[dict]:
        return until(lambda: (rows := self.paused_workers()) and len(rows) >= count and rows, f"{count} paused workers")


@pytest.fixture(scope="session")
def ray() -> Ray:
    token_file = Path.home() / ".ray" / "auth_token"
    return Ray(os.environ["RAY_API_SERVER_ADDRESS"], token_file.read_text() if token_file.exists() else None)


@dataclass
class Bridge:
    """A running `ray-dap serve`."""

    process: subprocess.Popen
    log: Path
    address: str = ""  # of the DAP port, as HOST:PORT
    http: str = ""
    clients: list[DapClient] = field(default_factory=list)

    def client(self, client_id: str = "ray-dap-tests") -> DapClient:
        host, _, port = self.address.rpartition(":")
        client = DapClient(host, int(port), client_id)
        self.clients.append(client)
        return client

    def reported(self, what: str) -> str:
        def look() -> str:
            found = re.search(rf"{what} on ([\d.]+:\d+)", self.log.read_text())
            assert found or self.process.poll() is None, f"ray-dap serve ended: {self.log.read_text()}"
            return found.group(1) if found else ""

        return until(look, f"'{what} on ADDRESS' in the log of ray-dap serve", 20)


@pytest.fixture
def start_bridge(tmp_path: Path) -> Iterator[Callable[..., Bridge]]:
    """Starts `ray-dap serve` with further options and environment; ends it in order and checks that it could."""
    bridges: list[Bridge] = []

    def start(*options: str, **environment: Optional[str]) -> Bridge:
        log = tmp_path / f"serve-{len(bridges)}.log"
        merged = {**os.environ, **environment}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [RAY_DAP, "serve", *(() if "--listen" in options else ("--listen", "127.0.0.1:0")),
                 "--http", "127.0.0.1:0", *options],
                env={name: value for name, value in merged.items() if value is not None},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        bridge = Bridge(process, log)
        bridges.append(bridge)
        bridge.address = bridge.reported("DAP")
        bridge.http = bridge.reported("HTTP")
        return bridge

    yield start
    for bridge in bridges:
        for client in bridge.clients:
            client.close()
        if bridge.process.poll() is None:
            bridge.process.send_signal(signal.SIGTERM)
        try:
            assert bridge.process.wait(15) == 0, f"ray-dap serve did not end in order: {bridge.log.read_text()[-4000:]}"
        finally:
            bridge.process.kill()
            bridge.process.wait()


@pytest.fixture
def bridge(start_bridge: Callable[..., Bridge]) -> Bridge:
    return start_bridge()


@pytest.fixture
def client(bridge: Bridge) -> Callable[..., DapClient]:
    """Makes DAP clients of the bridge."""
    return bridge.client


@pytest.fixture
def attach(bridge: Bridge) -> Callable[..., Stop]:
    """One client attached to one worker with the given arguments, at its first stop."""

    def start(breakpoints: Optional[dict] = None, filters: Optional[list] = None, **arguments: Any) -> Stop:
        client = bridge.client()
        client.attach({"sessions": "single", **arguments}, breakpoints, filters, timeout=40)
        return client.stop()

    return start


@dataclass
class CliResult:
    status: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        assert self.status == 0, f"status {self.status}: {self.stderr}"
        return json.loads(self.stdout)


def run_ray_dap(*arguments: str, deadline: float = 30.0, **environment: str) -> CliResult:
    done = subprocess.run([RAY_DAP, *arguments], env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=deadline)
    return CliResult(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def cli(bridge: Bridge) -> Callable[..., CliResult]:
    """Runs ray-dap beside the test's bridge."""

    def run(*arguments: str, **environment: str) -> CliResult:
        return run_ray_dap(*arguments, RAY_DAP_CONNECT=bridge.address, **environment)

    return run


@pytest.fixture
def targets(bridge: Bridge) -> Callable[..., list[dict]]:
    """Rows of the bridge's targets; with a count, waits until there are exactly that many that `match`.

    Waiting ones must have names, too: Ray reports what runs in a worker up to a second after it started.
    """
    asking = bridge.client("ray-dap-tests-targets")
    asking.initialize()

    def rows(count: Optional[int] = None, within: float = 30.0, **match: Any) -> list[dict]:
        def look() -> list[dict]:
            found = asking.request("rayTargets")["targets"]
            return [row for row in found if all(row[name] == value for name, value in match.items())
                    and (count is None or row["kind"] != "worker" or row["state"] != "waiting")]

        return look() if count is None else until(lambda: len(found := look()) == count and found,
                                                  f"{count} targets with {match or 'anything'}", within)

    return rows


class Job:
    """A job submitted through Ray's job API."""

    def __init__(self, jobs: JobSubmissionClient, submission_id: str):
        self.jobs = jobs
        self.id = submission_id

    @property
    def job_id(self) -> str:
        """Ray's own id, which exists once the driver runs."""
        return until(lambda: self.jobs.get_job_info(self.id).job_id, f"job id of {self.id}")

    def status(self) -> JobStatus:
        return self.jobs.get_job_status(self.id)

    def logs(self) -> str:
        return self.jobs.get_job_logs(self.id)

    def wait(self, deadline: float = 30.0) -> JobStatus:
        until(lambda: self.status().is_terminal(), f"end of job {self.id}", deadline)
        return self.status()

    def result(self) -> Any:
        """What the driver printed after RESULT, once the job has succeeded."""
        assert self.wait() == JobStatus.SUCCEEDED, self.logs()
        return json.loads(re.search(r"^RESULT (.*)$", self.logs(), re.MULTILINE).group(1))

    def stop(self) -> None:
        if not self.status().is_terminal():
            self.jobs.stop_job(self.id)
            self.wait()


@pytest.fixture(scope="session")
def job_client(ray: Ray) -> JobSubmissionClient:
    headers = {"Authorization": f"Bearer {ray.token}"} if ray.token else None
    return JobSubmissionClient(ray.dashboard, headers=headers)


@pytest.fixture
def submit(request: pytest.FixtureRequest, ray: Ray, job_client: JobSubmissionClient) -> Iterator[Callable[..., Job]]:
    """Submits a script of tests/samples/jobs; afterwards no job runs and no worker is paused."""
    jobs: list[Job] = []

    def start(script: str, *arguments: str, runtime_env: Optional[dict] = None) -> Job:
        environment = {"working_dir": str(JOBS), **(runtime_env or {})}
        submission_id = job_client.submit_job(entrypoint=" ".join(["python", script, *arguments]), runtime_env=environment)
        jobs.append(Job(job_client, submission_id))
        return jobs[-1]

    request.node.stash[SUBMITTED] = jobs
    yield start
    for job in jobs:
        job.stop()
    until(lambda: not ray.paused_workers(), "no worker paused after the test")


SUBMITTED = pytest.StashKey[list]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """A failure shows what the bridges and the jobs of its test said."""
    report = yield
    if report.failed:
        for log in sorted(item.funcargs["tmp_path"].glob("serve-*.log") if "tmp_path" in item.funcargs else []):
            report.sections.append((f"end of {log.name}", log.read_text(errors="replace")[-6000:]))
        for job in item.stash.get(SUBMITTED, []):
            report.sections.append((f"end of the log of job {job.id}", job.logs()[-2000:]))
    return report
