#!/usr/bin/env python3
"""The offsets of zones from 1850 to 2100 and beyond against Python's zoneinfo, which reads the same files with code
of its own. A sample of zones, all of them where SPILLWAY_ALL_ZONES is set."""

import bisect
import os
import random
import subprocess
import sys
import zoneinfo
from datetime import datetime, timedelta, timezone

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
BEGIN = datetime(1850, 1, 1, tzinfo=timezone.utc)
END = datetime(2101, 1, 1, tzinfo=timezone.utc)
FAR = [(datetime(year, 1, 1, tzinfo=timezone.utc), datetime(year + 3, 1, 1, tzinfo=timezone.utc))
       for year in (1000, 2399, 2499, 5000, 9990)]
# Whose rules ever surprised somebody.
ODD = {"Europe/Dublin", "Africa/Casablanca", "Africa/El_Aaiun", "Antarctica/Troll", "Australia/Lord_Howe", "Asia/Gaza",
       "America/Nuuk", "Europe/Berlin", "Asia/Riyadh", "Pacific/Apia", "America/Sao_Paulo", "Europe/Chisinau"}


def seconds(at):
    return int((at - EPOCH).total_seconds())


def check(name, begin, end, spans):
    """Looks at both ends of each span, and every few days in between."""
    zone = zoneinfo.ZoneInfo(name)
    begins, offsets = spans[0::2], spans[1::2]
    looked_at = set(range(seconds(begin), seconds(end), 5 * 86400 + 3600))
    for at in begins:
        looked_at.update((at - 1, at))
    for at in sorted(looked_at):
        if seconds(begin) <= at < seconds(end):
            ours = offsets[bisect.bisect_right(begins, at) - 1]
            theirs = int((EPOCH + timedelta(seconds=at)).astimezone(zone).utcoffset().total_seconds())
            assert ours == theirs, f"{name} at {EPOCH + timedelta(seconds=at)}: {ours} s, Python has {theirs} s"


def main():
    zoneinfo.reset_tzpath(["/usr/share/zoneinfo"])  # The system's, as ours; not the package tzdata.
    # "localtime" and "posixrules" are links to a zone that the machine chooses.
    names = sorted(name for name in zoneinfo.available_timezones() if name[0].isupper() and name != "Factory")
    if "SPILLWAY_ALL_ZONES" not in os.environ:
        names = sorted(ODD | set(random.sample(names, 25)))
    cases = [(name, begin, end) for name in names for begin, end in [(BEGIN, END), *FAR]]
    lines = "".join(f"{name}\t{seconds(begin)}\t{seconds(end)}\n" for name, begin, end in cases)
    answer = subprocess.run([sys.argv[1]], input=lines, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    spans = answer.stdout.splitlines()
    assert len(spans) == len(cases)
    for (name, begin, end), line in zip(cases, spans):
        check(name, begin, end, [int(number) for number in line.split()])
    print(f"{len(names)} zones")


if __name__ == "__main__":
    main()
