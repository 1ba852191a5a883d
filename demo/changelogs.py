#!/usr/bin/env python3
"""The changelogs of the installed Debian packages as messages, one JSON object a line on standard output.

The organisation is the source package; author, version, distribution, urgency, time and its offset,
and body are as the maintainers wrote them. Binary packages of one source ship the same entries: each
(source, version, time) counts once. On a machine without changelogs, the commits of the git repository
given as the argument serve (organisation: the author's mail domain).
"""
import email.utils
import glob
import gzip
import json
import re
import subprocess
import sys

HEADER = re.compile(rb"^(\S+) \(([^)]*)\)([^;]*);(.*)$")
TRAILER = re.compile(rb"^ -- (.*?)  ?(\w{3}, .*)$")
URGENCY = re.compile(rb"urgency=(\w+)", re.IGNORECASE)


def entries(path):
    """Yields (source, version, distribution, urgency, author, date, body) of one changelog."""
    with gzip.open(path) as lines:
        header, body = None, []
        for line in lines:
            line = line.rstrip(b"\n")
            if (found := HEADER.match(line)) and not line.startswith(b" "):
                header, body = found, []
            elif header and (found := TRAILER.match(line)):
                source, version, distribution, rest = header.groups()
                urgency = URGENCY.search(rest)
                yield (source, version, distribution.strip(), urgency.group(1) if urgency else b"",
                       found.group(1), found.group(2), b"\n".join(body).strip(b"\n"))
                header, body = None, []
            elif header:
                body.append(line)


def changelog_messages():
    seen = set()
    for path in sorted(glob.glob("/usr/share/doc/*/changelog.Debian*.gz")):
        for source, version, distribution, urgency, author, date, body in entries(path):
            try:
                time = email.utils.parsedate_to_datetime(date.decode("ascii"))
            except (ValueError, TypeError):
                continue
            if time.tzinfo is None or (source, version, time) in seen:
                continue
            seen.add((source, version, time))
            text = lambda value: value.decode("utf-8", "replace")
            yield {"organisation": text(source), "ts": time.isoformat(), "offset": time.strftime("%z"),
                   "author": text(author), "version": text(version), "distribution": text(distribution),
                   "urgency": text(urgency).lower(), "body": text(body)}


def commit_messages(repository):
    log = subprocess.run(["git", "-C", repository, "log", "--format=%aI%x1f%an <%ae>%x1f%h%x1f%B%x1e"],
                         capture_output=True, check=True).stdout.decode("utf-8", "replace")
    for commit in log.split("\x1e"):
        if commit.strip():
            time, author, version, body = commit.strip().split("\x1f")
            yield {"organisation": author.rstrip(">").split("@")[-1], "ts": time, "offset": time[-6:],
                   "author": author, "version": version, "distribution": "", "urgency": "",
                   "body": body.strip()}


def main():
    count = 0
    for messages in (changelog_messages(), commit_messages(sys.argv[1])):
        for message in messages:
            print(json.dumps(message, ensure_ascii=False))
            count += 1
        if count:
            break
    print(f"{count} messages", file=sys.stderr)


if __name__ == "__main__":
    main()
