#!/usr/bin/env python3
"""Each room of src/ includes only rooms that stand above it in ARCHITECTURE.md's table.

Usage: layers_test.py <source folder>
Tests and what only they include are free: they look at everything.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
SOURCES = ROOT / "src"
OF_TESTS = re.compile(r"(_test|_fixture)\.(h|cc)$")


def rooms_in_order():
    table = re.search(r"^\| room \|.*?\n\n", (ROOT / "ARCHITECTURE.md").read_text(), re.MULTILINE | re.DOTALL)
    return re.findall(r"^\| `(\w+)` \|", table[0], re.MULTILINE)


def included_by(path):
    return re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE)


def program_files():
    """Everything that some source of the program includes, and these sources: what only tests include is none of it."""
    waiting = [path for path in SOURCES.rglob("*.cc") if not OF_TESTS.search(path.name) and is_in_a_component(path)]
    seen = set(waiting)
    while waiting:
        for name in included_by(waiting.pop()):
            path = SOURCES / name
            if path.exists() and path not in seen:
                seen.add(path)
                waiting.append(path)
    return seen


def is_in_a_component(path):
    """Whether a CMakeLists.txt above it names it in a component or program, not only in a test."""
    folder = path.parent
    while folder != ROOT:
        lists = folder / "CMakeLists.txt"
        if lists.exists():
            name = re.escape(str(path.relative_to(folder)))
            for call in re.findall(r"^spillway_(?:component|program)\(.*?\)", lists.read_text(), re.MULTILINE | re.DOTALL):
                if re.search(rf"(?<![\w/]){name}(?!\w)", call):
                    return True
        folder = folder.parent
    return False


def main():
    order = rooms_in_order()
    there = sorted(path.name for path in SOURCES.iterdir() if path.is_dir())
    finds = [f"ARCHITECTURE.md does not say what src/{room} is" for room in there if room not in order]
    finds += [f"ARCHITECTURE.md speaks of src/{room}, which is not there" for room in order if room not in there]
    place = {room: n for n, room in enumerate(order)}
    files = program_files()
    if len(files) < 200:
        sys.exit(f"layers: only {len(files)} files of the program were found; this test no longer sees it")
    for path in sorted(files):
        room = path.relative_to(SOURCES).parts[0]
        for name in included_by(path):
            other = pathlib.Path(name).parts[0]
            if (SOURCES / name).exists() and other != room and place.get(other, 0) > place.get(room, 0):
                finds.append(f"{path.relative_to(ROOT)} includes {name}: {room} stands above {other} in ARCHITECTURE.md")
    print("\n".join(finds))
    sys.exit(f"layers: {len(finds)} breaches" if finds else 0)


main()
