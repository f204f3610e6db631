#!/usr/bin/env python3
"""Runs a command beside a Ray of its own: `world.py [options] VENV COMMAND...`

The Ray lives in its own network, process and mount namespaces, so nothing of another Ray on this machine is touched or
seen, several worlds can run at once, and everything in one ends with its command. Its node has the address 10.9.9.2
rather than a loopback one, because that is where debugpy listens and what a real cluster looks like.

The command finds the dashboard in RAY_API_SERVER_ADDRESS and the cluster in RAY_ADDRESS. Where namespaces are not
allowed the exit status is 77 (ctest: skipped), unless --anywhere permits a Ray with ports and a temporary folder of its
own in the machine's namespaces; that one is ended process by process.
"""
from __future__ import annotations

import argparse
import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

NODE_ADDRESS = "10.9.9.2"
SKIPPED = 77
INSIDE = "RAY_DAP_WORLD"  # tells this script, started anew by unshare, where it is


def namespace_command() -> list[str] | None:
    """The `unshare` command that works here: as it is for root, with a user namespace for others; None if neither does."""
    common = ["--net", "--pid", "--mount", "--fork", "--mount-proc", "--kill-child"]
    for who in [[], ["--user", "--map-root-user"]]:
        command = ["unshare", *who, *common]
        # Not every place that allows namespaces allows mounts in them, so try one.
        probe = [*command, "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"]
        try:
            if subprocess.run(probe, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0:
                return command
        except OSError:
            pass
    return None


def furnish_namespaces() -> Path:
    """Private /dev/shm and /tmp/ray (nothing else: the checkout itself may lie below /tmp) and a network of one node."""
    Path("/tmp/ray").mkdir(exist_ok=True)
    for command in [
        "mount -t tmpfs tmpfs /dev/shm",
        "mount -t tmpfs tmpfs /tmp/ray",
        "ip link set lo up",
        f"ip address add {NODE_ADDRESS}/32 dev lo",
    ]:
        subprocess.run(command.split(), check=True)
    return Path("/tmp/ray")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def world_environment(options: argparse.Namespace, folder: Path) -> dict[str, str]:
    """The user's environment without what would lead to another Ray: variables, and a token in the home folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    home = folder / "home"
    (home / ".ray").mkdir(parents=True)
    if options.auth:
        (home / ".ray" / "auth_token").write_text(secrets.token_hex(32))
    return {
        **environment,
        "HOME": str(home),
        "PATH": f"{options.venv}/bin:{environment['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "RAY_AUTH_MODE": "token" if options.auth else "disabled",
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Workers are started when they are needed: two cores have better things to do than to start spare ones.
        "RAY_prestart_worker_first_driver": "0",
        # A stopped job gets this long before its driver is killed; 3 s by default, and every test would pay it.
        "RAY_JOB_STOP_WAIT_TIME_S": "1",
        **{name: value for name, value in os.environ.items() if name.startswith("RAY_DAP")},
    }


def start_ray(environment: dict[str, str], folder: Path, cpus: int, shared: bool) -> None:
    """Starts the head and adds its addresses to `environment`. `shared`: other Rays may own the usual ports."""
    command = ["ray", "start", "--head", "--disable-usage-stats", "--dashboard-host=127.0.0.1", f"--num-cpus={cpus}",
               "--object-store-memory=100000000", f"--temp-dir={folder}"]
    address, port, dashboard = NODE_ADDRESS, 6379, 8265
    if shared:
        address = "127.0.0.1"
        port, dashboard, client, agent_http, agent_grpc, runtime_env, metrics = free_ports(7)
        command += [f"--port={port}", f"--dashboard-port={dashboard}", f"--ray-client-server-port={client}",
                    f"--dashboard-agent-listen-port={agent_http}", f"--dashboard-agent-grpc-port={agent_grpc}",
                    f"--runtime-env-agent-port={runtime_env}", f"--metrics-export-port={metrics}"]
    command.append(f"--node-ip-address={address}")
    log = folder / "start.log"
    with log.open("w") as output:
        status = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output).returncode
    if status != 0:
        sys.exit(f"world.py: `{' '.join(command)}` failed:\n{log.read_text()}")
    environment["RAY_ADDRESS"] = f"{address}:{port}"
    environment["RAY_API_SERVER_ADDRESS"] = f"http://127.0.0.1:{dashboard}"


def run_and_reap(command: list[str], environment: dict[str, str]) -> int:
    """Runs `command` to its end while taking the orphans that a first process, or a subreaper, is given."""
    process = subprocess.Popen(command, env=environment)
    while True:
        pid, status = os.wait()
        if pid == process.pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode if process.returncode >= 0 else 128 - process.returncode


def descendants() -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                pass  # ended while we looked
    found, newest = [], [os.getpid()]
    while newest:
        newest = [pid for pid, parent in parents.items() if parent in newest]
        found += newest
    return found


def end_descendants() -> None:
    """Ends exactly the processes that came from this one; a subreaper keeps them all below itself."""
    while pids := descendants():
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        while True:
            try:
                os.wait()
            except ChildProcessError:
                break


def run_in_namespaces(options: argparse.Namespace) -> int:
    folder = furnish_namespaces()
    environment = world_environment(options, folder)
    start_ray(environment, folder, options.cpus, shared=False)
    return run_and_reap(options.command, environment)


def run_anywhere(options: argparse.Namespace) -> int:
    pr_set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0) != 0:
        sys.exit("world.py: cannot become the reaper of Ray's processes, so could not end them all")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="ray-dap-"))
    try:
        environment = world_environment(options, folder)
        start_ray(environment, folder, options.cpus, shared=True)
        return run_and_reap(options.command, environment)
    finally:
        end_descendants()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anywhere", action="store_true", help="without namespaces where they are not allowed")
    parser.add_argument("--no-namespaces", action="store_true", help="do not even try them (implies --anywhere)")
    parser.add_argument("--auth", action="store_true", help="Ray demands a token; it is in ~/.ray/auth_token of the world")
    parser.add_argument("--cpus", type=int, default=8, help="logical CPUs of the Ray (default 8)")
    parser.add_argument("venv", type=Path, help="virtual environment with Ray, as python.sh prints it")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("no command given")
    if os.environ.pop(INSIDE, None) == "entering":
        return run_in_namespaces(options)
    unshare = None if options.no_namespaces else namespace_command()
    if unshare:
        sys.stdout.flush()
        os.environ[INSIDE] = "entering"
        os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
    if options.anywhere or options.no_namespaces:
        return run_anywhere(options)
    print("skipped: a Ray of its own needs network, process and mount namespaces (root, or user namespaces), which are "
          "not allowed here")
    return SKIPPED


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
