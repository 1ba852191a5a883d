#!/usr/bin/env python3
"""Ticks of random schedules in random zones against cronsim, which mimics Debian's cron."""

import os
import random
import subprocess
import sys
import zoneinfo
from datetime import datetime, timedelta, timezone

from cronsim import CronSim

COUNT = 6
END = datetime(2100, 1, 1, tzinfo=timezone.utc).timestamp()
# "Factory" is no zone. Lord Howe's clock changes by half an hour, and cronsim steps by whole ones. Those of
# the others jumped by a day or more: cron takes that for a correction of the clock.
SKIPPED = {"Factory", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Fakaofo", "Pacific/Enderbury",
           "Pacific/Kanton", "Pacific/Kiritimati", "Pacific/Kwajalein", "Kwajalein"}


def field(chance, least, most):
    kind = chance.randrange(4)
    if kind == 0:
        return "*"
    if kind == 1:
        return f"*/{chance.choice([chance.randint(2, (most - least) // 2), chance.randint(most, 200)])}"
    items = ["*/100"] if chance.randrange(8) == 0 else []
    for _ in range(chance.randint(1, 3)):
        first = chance.randint(least, most - 1)
        last = chance.randint(first + 1, most)  # cronsim takes 5-5/2 for 5-59/2.
        items.append(chance.choice([f"{first}", f"{first}-{last}", f"{first}-{last}/{chance.randint(1, 5)}"]))
    return ",".join(items)


def schedule(chance):
    minute, hour = field(chance, 0, 59), field(chance, 0, 23)
    if chance.random() < 0.5:  # What most schedules look like, at the hours at which clocks change.
        minute, hour = str(chance.randrange(60)), str(chance.randrange(4))
    day = field(chance, 1, 28) if chance.random() < 0.3 else "*"
    month = field(chance, 1, 12) if chance.random() < 0.2 else "*"
    weekday = field(chance, 0, 6) if chance.random() < 0.3 else "*"
    return f"{minute} {hour} {day} {month} {weekday}"


def change_near(zone, at):
    """The first change of the zone's offset within a year after `at`, or `at`."""
    offset = at.astimezone(zone).utcoffset()
    for _ in range(366):
        after = at + timedelta(days=1)
        if after.astimezone(zone).utcoffset() != offset:
            return at
        at = after
    return at - timedelta(days=366)


def main():
    zoneinfo.reset_tzpath(["/usr/share/zoneinfo"])  # The system's, as ours; not the package tzdata.
    seed = int(os.environ.get("SPILLWAY_TEST_SEED", random.SystemRandom().randrange(2**32)))
    print(f"SPILLWAY_TEST_SEED={seed}")
    chance = random.Random(seed)
    with open("/usr/share/zoneinfo/tzdata.zi", encoding="ascii") as zones:
        names = sorted({line.split()[1] for line in zones if line.startswith("Z ")} - SKIPPED)
    cases = []
    for _ in range(1500):
        cron = schedule(chance)
        # When the clock changes, cronsim loses or doubles beats of intervals: it judges them in UTC only.
        name = "Etc/UTC" if any(part.startswith("*") for part in cron.split()[:2]) else chance.choice(names)
        at = datetime(1990, 1, 1, tzinfo=timezone.utc) + timedelta(minutes=chance.randrange(109 * 365 * 1440))
        near = change_near(zoneinfo.ZoneInfo(name), at) - timedelta(minutes=chance.randrange(1440))
        cases.append((cron, name, near))
    lines = "".join(f"{cron}\t{name}\t{int(at.timestamp())}\t{COUNT}\n" for cron, name, at in cases)
    answer = subprocess.run([sys.argv[1]], input=lines, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    ours = answer.stdout.splitlines()
    assert len(ours) == len(cases)
    differences = 0
    for (cron, name, at), line in zip(cases, ours):
        theirs = CronSim(cron, at.astimezone(zoneinfo.ZoneInfo(name)))
        expected = [int(next(theirs).timestamp()) for _ in range(COUNT)]
        if expected[-1] < END and [int(tick) for tick in line.split()] != expected:
            differences += 1
            print(f"{cron!r} in {name} after {at.isoformat()}:")
            for whose, ticks in (("ours", line.split()), ("theirs", expected)):
                moments = [datetime.fromtimestamp(int(tick), zoneinfo.ZoneInfo(name)) for tick in ticks]
                print(f"  {whose:7}", *(moment.isoformat() for moment in moments))
    assert differences == 0, f"{differences} of {len(cases)} differ"
    print(f"{len(cases)} schedules, {COUNT} ticks each")


if __name__ == "__main__":
    main()
