#!/usr/bin/env python3
"""Runs one file of integration tests in a world of its own: `run.py test_main_job.py --python 3.11`.

Options that are not its own go to pytest, for example `-k stepping -x`.

Exit status 77 (ctest: skipped) where the Python, or what a world needs, is missing; the reason is printed.
"""
from __future__ import annotations

import argparse
import ast
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENV = HERE.parent / "env"


def pins() -> dict[str, str]:
    lines = (ENV / "versions.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def world_of(test_file: Path) -> list[str]:
    """The options of world.py that a file asks for: its module-level `WORLD = […]`."""
    for statement in ast.parse(test_file.read_text()).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "WORLD":
            return ast.literal_eval(statement.value)
    return []


def main() -> int:
    pinned = pins()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--python", default="any")
    parser.add_argument("--ray", default=pinned["RAY"])
    parser.add_argument("--debugpy", default=pinned["DEBUGPY"])
    options, for_pytest = parser.parse_known_args()
    # A name without a folder means a file beside this one.
    test_file = options.file if options.file.exists() else HERE / options.file

    made = subprocess.run([ENV / "python.sh", options.python, options.ray, options.debugpy], stdout=subprocess.PIPE, text=True)
    if made.returncode != 0:
        return made.returncode
    venv = made.stdout.strip()
    command = [sys.executable, str(ENV / "world.py"), *world_of(test_file), venv,
               f"{venv}/bin/python", "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(HERE),
               "-ra", "--tb=short", "--durations=5", str(test_file), *for_pytest]
    sys.stdout.flush()
    os.execv(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
