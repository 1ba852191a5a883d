#!/usr/bin/env python3
"""Draws which rooms of src/ include which: docs/rooms.svg.

Usage: draw_rooms.py <source folder> [--check]    (--check: whether the drawing is what would be drawn)
An arrow leads from a room to one that it includes. Left out is what follows from other arrows, and every arrow to
`base`, which all rooms include and which is drawn as the floor below them.
"""
import collections
import itertools
import math
import pathlib
import sys

from rooms import Rooms

FLOOR = "base"
BOX, HEIGHT, GAP, LEVEL, EDGE = 116, 34, 22, 78, 28  # pixels: of a box, between boxes, of a level, around all
THREAD = 14  # the width that a long arrow takes where it passes a level

STYLE = """\
    .ground { fill: #ffffff } .box { fill: #f3f5f9; stroke: #8a97ad } .floor { fill: #e3e8f1 }
    .arrow { fill: none; stroke: #71809b; stroke-width: 1.3 } .head { fill: #71809b }
    text { font: 14px system-ui, sans-serif; fill: #1a2233; text-anchor: middle } .note { font-size: 12px; fill: #55627a }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #12161f } .box { fill: #202736; stroke: #5d6b85 } .floor { fill: #2b3447 }
      .arrow { stroke: #8fa0be } .head { fill: #8fa0be } text { fill: #e8edf6 } .note { fill: #a9b5ca }
    }"""


def needed(order, includes):
    """The arrows without those that follow from others; `order` has what is included before what includes it."""
    reached = {}
    arrows = []
    for room in order:
        # What stands lowest in the table reaches most, so it is asked first.
        used = sorted(includes[room] - {FLOOR}, key=order.index, reverse=True)
        reached[room] = set()
        for other in used:
            if other not in reached[room]:
                arrows.append((room, other))
                reached[room] |= {other} | reached[other]
    return arrows


def levels(order, arrows):
    """The level of each room: above all that it includes, and otherwise where its arrows are short."""
    users, uses = collections.defaultdict(list), collections.defaultdict(list)
    for room, other in arrows:
        uses[room].append(other)
        users[other].append(room)
    level = {}
    for room in order:
        level[room] = 1 + max((level[other] for other in uses[room]), default=-1)
    for _ in order:
        for room in reversed(order):
            if len(users[room]) > len(uses[room]):
                level[room] = min(level[user] for user in users[room]) - 1
    return level


def threaded(arrows, level):
    """Each arrow as the places it passes, one a level: its ends, and between them threads of its own."""
    paths = []
    for room, other in arrows:
        between = [(room, other, at) for at in range(level[room] - 1, level[other], -1)]
        paths.append([room, *between, other])
    return paths


def crossings(upper, lower, steps):
    """How many of the steps between two rows cross each other."""
    place = {node: n for row in (upper, lower) for n, node in enumerate(row)}
    drawn = [(place[a], place[b]) for a, b in steps if a in place and b in place]
    return sum((a - c) * (b - d) < 0 for (a, b), (c, d) in itertools.combinations(drawn, 2))


def arrange(rows, steps):
    """Orders each row so that few steps cross: by the middle of its neighbours, then by swaps of any two."""
    by_row = [[step for step in steps if step[0] in set(rows[n + 1])] for n in range(len(rows) - 1)]

    def crossings_at(n):
        return sum(crossings(rows[m + 1], rows[m], by_row[m]) for m in (n - 1, n) if 0 <= m < len(rows) - 1)

    near = collections.defaultdict(list)
    for a, b in steps:
        near[a].append(b)
        near[b].append(a)
    for _ in range(12):
        place = {node: n / max(1, len(row) - 1) for row in rows for n, node in enumerate(row)}
        for row in rows:
            row.sort(key=lambda node: math.fsum(place[other] for other in near[node]) / max(1, len(near[node])))
            place.update({node: n / max(1, len(row) - 1) for n, node in enumerate(row)})
    better = True
    while better:
        better = False
        for n, row in enumerate(rows):
            for i, j in itertools.combinations(range(len(row)), 2):
                before = crossings_at(n)
                row[i], row[j] = row[j], row[i]
                if crossings_at(n) < before:
                    better = True
                else:
                    row[i], row[j] = row[j], row[i]


def width_of(node):
    return BOX if isinstance(node, str) else THREAD


def spread(rows, steps):
    """The middle of each node: near those it is joined to, and clear of its neighbours in the row."""
    near = collections.defaultdict(list)
    for a, b in steps:
        weight = 8 if not isinstance(a, str) and not isinstance(b, str) else 1  # long arrows are straight
        near[a].append((b, weight))
        near[b].append((a, weight))
    x = {}
    for row in rows:
        for n, node in enumerate(row):
            x[node] = n * (BOX + GAP)
    for _ in range(2000):
        for row in rows:
            wanted = []
            for node in row:
                pulls = near[node]
                wanted.append(math.fsum(x[other] * weight for other, weight in pulls) / max(1, sum(w for _, w in pulls)))
            # Two passes keep the distances; their mean favours neither side.
            left, right = list(wanted), list(wanted)
            apart = [(width_of(a) + width_of(b)) / 2 + GAP for a, b in zip(row, row[1:])]
            for n, distance in enumerate(apart):
                left[n + 1] = max(left[n + 1], left[n] + distance)
            for n in range(len(apart) - 1, -1, -1):
                right[n] = min(right[n], right[n + 1] - apart[n])
            for n, node in enumerate(row):
                x[node] = (left[n] + right[n]) / 2
    least = min(x[node] - width_of(node) / 2 for node in x)
    return {node: EDGE + at - least for node, at in x.items()}


def curve(points):
    """A line through the points that leaves and enters each level upright."""
    drawn = f"M{points[0][0]:.0f},{points[0][1]:.0f}"
    for (x, y), (to_x, to_y) in zip(points, points[1:]):
        middle = (y + to_y) / 2
        drawn += f" C{x:.0f},{middle:.0f} {to_x:.0f},{middle:.0f} {to_x:.0f},{to_y:.0f}"
    return drawn


def svg(root):
    rooms = Rooms(root)
    order = rooms.in_order()
    includes = {room: set() for room in order}
    for path, other in rooms.includes():
        if rooms.of(path) != rooms.of(other):
            includes[rooms.of(path)].add(rooms.of(other))
    apart = [room for room in order if room != FLOOR and FLOOR not in includes[room]]
    if apart:
        sys.exit(f"draw_rooms: {', '.join(apart)} do not include {FLOOR}; draw its arrows, too")
    order.remove(FLOOR)
    arrows = needed(order, includes)
    level = levels(order, arrows)
    paths = threaded(arrows, level)
    steps = [step for path in paths for step in zip(path, path[1:])]
    rows = [[room for room in order if level[room] == n] for n in range(max(level.values()) + 1)]
    for path in paths:
        for node in path[1:-1]:
            rows[node[2]].append(node)
    arrange(rows, steps)
    x = spread(rows, steps)
    width = max(x[node] + width_of(node) / 2 for node in x) + EDGE
    floor = EDGE + LEVEL * len(rows)
    height = floor + HEIGHT + EDGE

    def y(node):
        return EDGE + LEVEL * (len(rows) - 1 - (level[node] if isinstance(node, str) else node[2]))

    drawn = []
    for path in paths:
        points = [(x[path[0]], y(path[0]) + HEIGHT)]
        for node in path[1:-1]:
            points += [(x[node], y(node)), (x[node], y(node) + HEIGHT)]
        points.append((x[path[-1]], y(path[-1]) - 2))
        drawn.append(f'  <path class="arrow" d="{curve(points)}" marker-end="url(#head)"/>')
    for room in order:
        drawn.append(f'  <rect class="box" x="{x[room] - BOX / 2:.0f}" y="{y(room)}" width="{BOX}" height="{HEIGHT}" rx="6"/>')
        drawn.append(f'  <text x="{x[room]:.0f}" y="{y(room) + 22}">{room}</text>')
    drawn.append(f'  <rect class="box floor" x="{EDGE}" y="{floor}" width="{width - 2 * EDGE:.0f}" height="{HEIGHT}" rx="6"/>')
    drawn.append(f'  <text x="{width / 2:.0f}" y="{floor + 22}">{FLOOR}<tspan class="note" dx="12">included by all</tspan></text>')
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}">',
        "  <title>Which rooms of src/ include which</title>",
        "  <style>", STYLE, "  </style>",
        '  <marker id="head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
        '    <path class="head" d="M0,0 L8,4 L0,8 z"/>', "  </marker>",
        f'  <rect class="ground" width="{width:.0f}" height="{height}" rx="10"/>',
        *drawn, "</svg>", ""])


def main():
    drawing = pathlib.Path(sys.argv[1]) / "docs" / "rooms.svg"
    drawn = svg(sys.argv[1])
    if "--check" not in sys.argv:
        drawing.write_text(drawn)
    elif not drawing.exists() or drawing.read_text() != drawn:
        sys.exit("docs/rooms.svg is not how src/ is; run: make rooms")


if __name__ == "__main__":
    main()
