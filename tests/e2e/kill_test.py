#!/usr/bin/env python3
"""The real program, killed with SIGKILL at random moments of ingest, compaction and export, then resumed: exactly the
right rows, no debris. SPILLWAY_KILLS says how often (default 20), SPILLWAY_SEED makes a run repeatable
but for the machine's own timing."""
import collections
import csv
import hashlib
import io
import os
import random
import signal
import time
import unittest

from deployment import Deployment, day, expected_rows, make_messages, write_ndjson

KILLS = int(os.environ.get("SPILLWAY_KILLS", "20"))
SEED = int(os.environ.get("SPILLWAY_SEED", str(time.time_ns())))
CONFIG = """\
engine: {attempts: 10, lease: 1s, heartbeat: 100ms, backoff: {base: 100ms, max: 1s}}
lake: {ingest_memory: 64 MiB}
"""
RANGE = ("--from", "2025-01-01", "--to", "2025-02-01")
COMPACT = ("compact", "--vacuum", "0s", "--no-other-writers")


class KillTest(unittest.TestCase):
    def setUp(self):
        self.rng = random.Random(SEED)
        self.spillway = Deployment(CONFIG)
        self.killed = collections.Counter()

    def tearDown(self):
        self.spillway.close()

    def kill_once(self, longest, *arguments):
        """Starts a command and kills it within `longest` seconds; True if it was still running."""
        process = self.spillway.start(*arguments, start_new_session=True)
        try:
            process.wait(timeout=self.rng.uniform(0, longest))
        except Exception:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return process.returncode == -signal.SIGKILL

    def kill_until_done(self, what, resume, *arguments):
        """Kills runs of a command until enough were hit, then lets it finish; learns how long one takes."""
        longest = self.durations.get(what, 1.0)
        for _ in range(self.rng.randint(1, 4)):
            if self.remaining() <= 0 or not self.kill_once(longest, *arguments):
                break
            self.killed[what] += 1
        began = time.monotonic()
        answer = resume()
        self.durations[what] = max(0.02, 1.1 * (time.monotonic() - began))
        return answer

    def remaining(self):
        return KILLS - sum(self.killed.values())

    def check_debris(self):
        for place in ("exports", "lake"):
            left = [name for name in self.spillway.files(place) if name.startswith(".spillway/")]
            self.assertEqual(left, [], f"debris in {place}")

    def check_export(self, job, messages):
        directory = self.spillway.path / job["directory"]
        self.spillway.good("verify", directory, "--key", "signing.pem")
        names = sorted(path.name for path in directory.iterdir())
        self.assertEqual(names, ["manifest.json", "manifest.json.sig", "messages_2025-01-01_2025-01-31.csv"])
        text = (directory / names[2]).read_bytes().decode()
        rows = [row["message_id"] for row in csv.DictReader(io.StringIO(text, newline=""))]
        expected = expected_rows(messages, "acme", day("2025-01-01"), day("2025-02-01"))
        self.assertEqual(rows, [row["message_id"] for row in expected])
        return hashlib.sha256(text.encode()).hexdigest()

    def test_kills(self):
        print(f"seed {SEED}, {KILLS} kills", flush=True)
        self.durations = {}
        messages = []
        batch = 0
        while self.remaining() > 0:
            batch += 1
            added = make_messages(SEED % 1000 + batch, 4000)
            for message in added:
                message["body"] = message["body"] * 5
            messages += added
            name = f"{batch}.ndjson"
            write_ndjson(self.spillway.path / name, added)
            report = self.kill_until_done("ingest", lambda: self.spillway.json("ingest", name)[0], "ingest", name)
            self.assertEqual(report["rows"] + 4000 * report["duplicate"], 4000)
            plan = self.spillway.json("plan", "messages", "-o", "acme", *RANGE)
            self.assertEqual(plan["rows"], len(messages), "rows in the lake")
            for run in range(3):
                # Small chunks, many of them: kills fall between and into them. Each marker is a job of its own.
                request = ("run", "messages", "-o", "acme", *RANGE, "--null", f"batch {batch} run {run}")
                job = self.kill_until_done("export", lambda: self.spillway.json(*request), *request)
                self.assertEqual(job["state"], "succeeded", job)
                self.assertEqual(job["counts"]["written"], len(messages))
                self.check_export(job, messages)
            if batch % 3 == 0:
                self.kill_until_done("compact", lambda: self.spillway.json(*COMPACT), *COMPACT)
                self.assertEqual(self.spillway.json("plan", "messages", "-o", "acme", *RANGE)["rows"], len(messages))
            self.check_debris()
        self.spillway.json(*COMPACT)
        self.assertEqual(self.spillway.json("plan", "messages", "-o", "acme", *RANGE)["rows"], len(messages))
        succeeded = self.spillway.json("jobs", "list", "--limit", "1000")["jobs"]
        self.assertEqual({job["state"] for job in succeeded}, {"succeeded"})
        self.check_debris()
        print(f"killed: {dict(self.killed)}; {len(messages)} rows; no row lost, doubled or left behind", flush=True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
