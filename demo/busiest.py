#!/usr/bin/env python3
"""The organisation with the most messages, and the ten years up to its last one: `name from to`."""
import collections
import datetime
import json
import sys

counts = collections.Counter()
latest = {}
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        message = json.loads(line)
        organisation = message["organisation"]
        time = datetime.datetime.fromisoformat(message["ts"]).astimezone(datetime.timezone.utc)
        counts[organisation] += 1
        latest[organisation] = max(time, latest.get(organisation, time))
organisation = counts.most_common(1)[0][0]
end = latest[organisation].date() + datetime.timedelta(days=1)
print(organisation, end.replace(year=end.year - 10, day=1), end)
