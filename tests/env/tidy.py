#!/usr/bin/env python3
"""Checks dap/, discovery/ and launcher/ with clang-tidy as .clang-tidy says; only files that changed since they last passed.

What passed is remembered in the user's cache by the content of the file and of every project header it includes. Exit
status 77 (skipped) without the pinned clang-tidy: other versions know other checks.
"""
from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ray-dap" / "tidy"
PINNED = re.search(r"^CLANG_FORMAT=(\d+)", (ROOT / "tests/env/versions.env").read_text(), re.MULTILINE)[1]


def find_clang_tidy() -> str:
    tool = shutil.which(f"clang-tidy-{PINNED}") or shutil.which("clang-tidy")
    version = subprocess.run([tool, "--version"], capture_output=True, text=True).stdout if tool else ""
    if f"version {PINNED}." not in version:
        print(f"skipped: clang-tidy {PINNED} is not here")
        sys.exit(77)
    return tool


def included(path: Path, seen: set[Path]) -> set[Path]:
    """`path` and the project headers it includes, directly or not."""
    if path not in seen and path.exists():
        seen.add(path)
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE):
            included(ROOT / name, seen)
    return seen


def key(path: Path) -> Path:
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for file in sorted(included(path, set())):
        digest.update(file.read_bytes())
    return CACHE / digest.hexdigest()


def main() -> int:
    tool = find_clang_tidy()
    CACHE.mkdir(parents=True, exist_ok=True)
    files = [file for folder in ("dap", "discovery", "launcher") for file in sorted((ROOT / folder).glob("*.cpp"))]
    changed = [file for file in files if not key(file).exists()]

    def check(file: Path) -> bool:
        # The compile commands are g++'s; clang does not know all of their warning options.
        done = subprocess.run([tool, "-p", str(BUILD), "--quiet", "--extra-arg=-Wno-unknown-warning-option", str(file)],
                              capture_output=True, text=True)
        if done.returncode == 0:
            key(file).touch()
        else:
            print(done.stdout + done.stderr, flush=True)
        return done.returncode == 0

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = list(pool.map(check, changed))
    print(f"clang-tidy: {len(changed)} of {len(files)} files checked anew, {passed.count(False)} with findings")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
