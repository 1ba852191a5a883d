#!/usr/bin/env python3
"""Four workers on one PostgreSQL, each behind a toxiproxy of its own (`make partition`): one is partitioned while it holds
work, one slowed, one cut, the fourth left alone, and all are healed. SPILLWAY_SEED makes the messages repeatable."""
import os
import signal
import subprocess
import sys
import threading
import time
import unittest

from postgres_state_test import LEASE, RANGE, SEED, OnPostgres
from toxiproxy import Toxiproxy

BUSY = 6  # Jobs that wait or run.


class PartitionTest(OnPostgres):
    def setUp(self):
        super().setUp()
        print(f"seed {SEED}", flush=True)
        self.toxiproxy = Toxiproxy()
        self.addCleanup(self.toxiproxy.close)
        self.messages = self.ingest(8000, batches=8)
        self.workers = []
        self.addCleanup(self.kill_workers)

    def kill_workers(self):
        for worker in self.workers:
            worker.kill()
            worker.wait()

    def start_worker(self, way):
        state = f"postgres://postgres@127.0.0.1:{way.port}/{self.database}"
        with open(self.spillway.path / f"worker-{len(self.workers)}.log", "ab") as log:
            self.workers.append(subprocess.Popen(self.spillway.command("worker"), cwd=self.spillway.path, stdout=log, stderr=log,
                                                 env={**os.environ, "STATE": state}))

    def sql(self, statement):
        return self.server.sql(statement, self.database)

    def count(self, condition):
        return int(self.sql(f"SELECT count(*) FROM spillway.jobs WHERE {condition}")[0][0])

    def leases_of(self, worker):
        """(job, chunk, token)"""
        return self.sql("SELECT job, chunk_index, lease_token FROM spillway.chunks WHERE state = 'leased' "
                        f"AND lease_owner LIKE '%-{worker.pid}-%'")

    def wait_until(self, condition, what):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.01)

    def submit(self):
        return self.spillway.json("run", "messages", "-o", "acme", *RANGE, "--fresh", "--detach")["id"]

    def keep_busy(self):
        """Submits jobs until told to stop."""
        while not self.enough.is_set():
            if self.count("state IN ('pending', 'processing')") < BUSY:
                self.jobs.append(self.submit())
            else:
                time.sleep(0.02)

    def test_ways_that_fail_lose_and_double_nothing(self):
        self.jobs, self.enough = [self.submit()], threading.Event()  # The state is there from now on.
        ways = [self.toxiproxy.proxy(self.server.port) for _ in range(4)]
        for way in ways:
            self.start_worker(way)
        submitting = threading.Thread(target=self.keep_busy)
        submitting.start()
        try:
            self.fail_and_heal(ways)
        finally:
            self.enough.set()
            submitting.join()
        self.wait_until(lambda: self.count("state IN ('pending', 'processing')") == 0, "jobs that do not end")
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
            self.assertEqual(worker.wait(timeout=60), 0)
        for id in self.jobs:
            job = self.spillway.json("jobs", "show", id)
            self.assertEqual((job["state"], job["counts"]["written"]), ("succeeded", len(self.messages)), job)
            self.check_export(job, self.messages)
        self.check_debris()
        print(f"{len(self.jobs)} jobs of {len(self.messages)} rows, all right", flush=True)

    def fail_and_heal(self, ways):
        partitioned, slowed, cut = ways[:3]
        held = []
        while not held:  # in the middle of its work
            self.wait_until(lambda: self.leases_of(self.workers[0]), "the first worker gets no work")
            partitioned.poison("timeout", timeout=0)
            time.sleep(0.1)
            held = self.leases_of(self.workers[0])
            if not held:
                partitioned.heal()
        slowed.poison("latency", latency=200, jitter=100)
        slowed.poison("bandwidth", rate=20)
        cut.poison("reset_peer", timeout=0)
        done = self.count("state = 'succeeded'")
        time.sleep(3 * LEASE)
        for job, chunk, token in held:
            [[state, later]] = self.sql(f"SELECT state, lease_token FROM spillway.chunks WHERE (job, chunk_index) = ({job}, {chunk})")
            self.assertEqual(state, "succeeded")
            self.assertGreater(int(later), int(token), "others took it over")
        self.wait_until(lambda: self.count("state = 'succeeded'") > done + BUSY, "the others do not go on")
        for way, worker in zip(ways, self.workers):
            way.heal()
            self.wait_until(lambda worker=worker: self.leases_of(worker), f"no work after healing: {worker.args}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
