#!/usr/bin/env python3
"""Runs clang-tidy over our sources, skipping those that passed with the same contents before.

Usage: tidy.py <build folder with compile_commands.json> [--jobs N] [--landed FILE]
A pass is remembered by a hash of the file, our headers it reaches, and .clang-tidy.
Tests are left out: both compilers see them with warnings as errors.

FILE names a commit whose files all passed. Then only files are checked that have changed since, or whose headers
have, and a tenth of the others, another one each day. All are checked where that commit is not among the ancestors,
and after a change of what decides how files are read: the checks, CMake's files, the libraries' versions.
"""

import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import zlib

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


def changed_since(commit: str) -> set[pathlib.Path] | None:
    """None: everything has to be checked."""
    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)

    if git("merge-base", "--is-ancestor", commit, "HEAD").returncode != 0:
        return None
    names = git("diff", "--name-only", commit).stdout.splitlines()
    if any(name.startswith(("cmake/", "setup/")) or name in (".clang-tidy", "CMakeLists.txt", "CMakePresets.json")
           or name == "tests/style/tidy.py" for name in names):
        return None
    return {ROOT / name for name in names}


def due(entries: list[dict], landed: pathlib.Path | None) -> list[dict]:
    changed = changed_since(landed.read_text().strip()) if landed else None
    if changed is None:
        return entries
    committed = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"], capture_output=True, check=True).stdout
    tenth = int(committed) // 86400 % 10

    def is_due(file: pathlib.Path) -> bool:
        return (zlib.crc32(str(file.relative_to(ROOT)).encode()) % 10 == tenth
                or bool(changed.intersection(reached_files(file))))

    return [entry for entry in entries if is_due(pathlib.Path(entry["file"]))]


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("build", type=pathlib.Path)
    arguments.add_argument("--jobs", type=int, default=2)
    arguments.add_argument("--landed", type=pathlib.Path)
    options = arguments.parse_args()
    (options.build / "tidy").mkdir(parents=True, exist_ok=True)

    commands = json.loads((options.build / "compile_commands.json").read_text())
    entries = [entry for entry in commands
               if entry["file"].startswith(f"{ROOT}/src/") and not entry["file"].endswith("_test.cc")]
    left_out = len(entries)
    entries = due(entries, options.landed)
    left_out -= len(entries)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        finds = [found for found in pool.map(lambda entry: tidy(options.build, entry), entries) if found]
    print("\n".join(finds), end="")
    print(f"clang-tidy: {len(entries) - len(finds)} of {len(entries)} files clean" +
          (f"; {left_out} have not changed since they passed" if left_out else ""))
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
