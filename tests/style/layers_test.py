#!/usr/bin/env python3
"""Each room of src/ includes only rooms that stand above it in ARCHITECTURE.md's table.

Usage: layers_test.py <source folder>
Tests and what only they include are free: they look at everything.
"""
import sys

from rooms import Rooms


def main():
    rooms = Rooms(sys.argv[1])
    order = rooms.in_order()
    there = sorted(path.name for path in rooms.sources.iterdir() if path.is_dir())
    finds = [f"ARCHITECTURE.md does not say what src/{room} is" for room in there if room not in order]
    finds += [f"ARCHITECTURE.md speaks of src/{room}, which is not there" for room in order if room not in there]
    place = {room: n for n, room in enumerate(order)}
    includes = rooms.includes()
    files = len({path for path, _ in includes})
    if files < 200:
        sys.exit(f"layers: only {files} files of the program were found; this test no longer sees it")
    for path, other in includes:
        if place.get(rooms.of(other), 0) > place.get(rooms.of(path), 0):
            finds.append(f"{path.relative_to(rooms.root)} includes {other.relative_to(rooms.sources)}: "
                         f"{rooms.of(path)} stands above {rooms.of(other)} in ARCHITECTURE.md")
    print("\n".join(finds))
    sys.exit(f"layers: {len(finds)} breaches" if finds else 0)


main()
