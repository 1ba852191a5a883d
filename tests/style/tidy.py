#!/usr/bin/env python3
"""Runs clang-tidy over our sources, skipping those that passed with the same contents before.

Usage: tidy.py <build folder with compile_commands.json> [--jobs N]
A pass is remembered by a hash of the file, our headers it reaches, and .clang-tidy.
Tests are left out: both compilers see them with warnings as errors.
"""

import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = re.compile(rb'^#include "([^"]+)"', re.MULTILINE)


def reached_files(source: pathlib.Path) -> list[pathlib.Path]:
    reached, waiting = set(), [source]
    while waiting:
        file = waiting.pop()
        if file in reached:
            continue
        reached.add(file)
        for name in INCLUDE.findall(file.read_bytes()):
            header = ROOT / "src" / name.decode()
            if header.exists():
                waiting.append(header)
    return sorted(reached)


def fingerprint(entry: dict) -> str:
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes() + entry["command"].encode())
    for file in reached_files(pathlib.Path(entry["file"])):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def tidy(build: pathlib.Path, entry: dict) -> str:
    """Returns what clang-tidy found in one file; empty when it is clean."""
    passed = build / "tidy" / fingerprint(entry)
    if passed.exists():
        return ""
    run = subprocess.run(
        ["clang-tidy-19", "--quiet", "--warnings-as-errors=*", "-p", str(build), entry["file"]],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode != 0:
        return run.stdout or run.stderr
    passed.touch()
    return ""


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("build", type=pathlib.Path)
    arguments.add_argument("--jobs", type=int, default=2)
    options = arguments.parse_args()
    (options.build / "tidy").mkdir(parents=True, exist_ok=True)

    commands = json.loads((options.build / "compile_commands.json").read_text())
    entries = [entry for entry in commands
               if entry["file"].startswith(f"{ROOT}/src/") and not entry["file"].endswith("_test.cc")]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        finds = [found for found in pool.map(lambda entry: tidy(options.build, entry), entries) if found]
    print("\n".join(finds), end="")
    print(f"clang-tidy: {len(entries) - len(finds)} of {len(entries)} files clean")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
