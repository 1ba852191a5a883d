#!/usr/bin/env python3
"""Checks the demo's export: its rows, read with Python's zipfile and csv, against an independent count.

  check.py EXPORT_DIRECTORY ORGANISATION FROM TO DEMO_DIRECTORY
"""
import csv
import glob
import io
import subprocess
import sys
import zipfile

directory, organisation, begin, end, here = sys.argv[1:6]
rows = 0
(archive_path,) = glob.glob(directory + "/*.zip")
with zipfile.ZipFile(archive_path) as archive:
    assert archive.testzip() is None
    for member in archive.namelist():
        with archive.open(member) as stream:
            day = list(csv.DictReader(io.TextIOWrapper(stream, "utf-8", newline="")))
            assert all(row["ts"].startswith(member[:10]) for row in day)
            rows += len(day)
    members = len(archive.namelist())

if glob.glob("/usr/share/doc/*/changelog.Debian*.gz"):
    counted = int(subprocess.run([here + "/independent_count.sh", organisation, begin, end],
                                 check=True, capture_output=True, text=True).stdout)
    source = "zcat and awk, straight from the changelogs"
else:
    log = subprocess.run(["git", "-C", here, "log", "--format=%ae", "--since-as-filter=" + begin + "T00:00:00Z",
                          "--until=" + end + "T00:00:00Z"], check=True, capture_output=True, text=True).stdout
    counted = sum(line.split("@")[-1] == organisation for line in log.splitlines())
    source = "git log"
print(f"{rows} rows in {members} daily files of {archive_path.rsplit('/', 1)[-1]}; {counted} by {source}")
sys.exit(0 if rows == counted else "the counts differ")
