#!/usr/bin/env python3
"""Jobs in PostgreSQL, through the real program: the same commands, and four workers that are killed, paused, partitioned
and lose their server. SPILLWAY_SEED makes the order of faults repeatable, SPILLWAY_FAULTS says how many."""
import collections
import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
import unittest

from deployment import Deployment, day, expected_rows, make_messages
from postgres import PgBouncer, PostgresServer
from proxy import Proxy

SEED = int(os.environ.get("SPILLWAY_SEED", str(time.time_ns())))
FAULTS = int(os.environ.get("SPILLWAY_FAULTS", "40"))
LEASE = 1.0
CONFIG = """\
state: ${STATE}
engine: {attempts: 30, lease: 1s, heartbeat: 100ms, backoff: {base: 50ms, max: 500ms}, threads: 2}
"""
RANGE = ("--from", "2025-01-01", "--to", "2025-02-01")


class OnPostgres(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def setUp(self):
        self.database = self.server.new_database()
        self.use(self.server.url(self.database))
        self.spillway = Deployment(CONFIG)
        self.addCleanup(self.spillway.close)

    def use(self, state):
        os.environ["STATE"] = state

    def ingest(self, count, batches=1):
        messages = []
        for batch in range(batches):
            added = make_messages(SEED % 10_000 + batch, count // batches)
            self.spillway.ingest(added, f"{batch}.ndjson")
            messages += added
        return messages

    def check_export(self, job, messages):
        directory = self.spillway.path / job["directory"]
        self.spillway.good("verify", directory, "--key", "signing.pem")
        rows = []
        for name in sorted(directory.glob("*.csv")):
            with open(name, encoding="utf-8", newline="") as file:
                rows += [row["message_id"] for row in csv.DictReader(file)]
        expected = expected_rows(messages, "acme", day("2025-01-01"), day("2025-02-01"))
        self.assertEqual(rows, [row["message_id"] for row in expected])

    def check_debris(self):
        left = [name for name in self.spillway.files("exports") if name.startswith(".spillway/")]
        self.assertEqual(left, [])


def make_key(machine):
    """As the operator of a machine does."""
    for file in ("signing.pem", "signing.pub.pem"):
        (machine.path / file).unlink(missing_ok=True)
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", machine.path / "signing.pem"], check=True)
    subprocess.run(["openssl", "pkey", "-in", machine.path / "signing.pem", "-pubout",
                    "-out", machine.path / "signing.pub.pem"], check=True)


def copy_key(source, target):
    for file in ("signing.pem", "signing.pub.pem"):
        if (source.path / file).exists():
            (target.path / file).write_bytes((source.path / file).read_bytes())


class SigningKeyTest(OnPostgres):
    def other_machine(self):
        other = Deployment(CONFIG)
        self.addCleanup(other.close)
        return other

    def test_a_machine_with_another_key_is_refused(self):
        messages = self.ingest(200)
        job, _ = self.spillway.export("acme", "2025-01-01", "2025-02-01")
        first = self.spillway.json("verify", self.spillway.path / job["directory"])["key_id"]
        other = self.other_machine()
        answer = other.call("worker", "--until-idle")
        self.assertEqual((answer.code, len(answer.err.splitlines())), (3, 1), answer.err)
        self.assertIn(f"there is no signing key at {other.path / 'signing.pem'}", answer.err)
        self.assertIn(first, answer.err)
        self.assertFalse((other.path / "signing.pem").exists())

        make_key(other)
        answer = other.call("worker", "--until-idle")
        self.assertNotEqual(answer.code, 0)
        self.assertEqual(len(answer.err.splitlines()), 1, answer.err)
        self.assertRegex(answer.err, rf"the signing key {other.path / 'signing.pem'} is [0-9a-f]{{16}}, but .* signed with {first}; copy .*adopt-key")
        doctor = other.call("doctor")
        self.assertEqual(doctor.code, 1)
        self.assertRegex(doctor.out, rf"FAIL  signing key .*signed with {first}; copy")
        other.good("jobs", "list")

        copy_key(self.spillway, other)
        other.good("worker", "--until-idle")
        self.assertRegex(other.good("doctor").out, rf"ok    signing key .*signs as {first}")
        self.check_export(job, messages)

    def test_a_key_is_changed_on_purpose(self):
        self.ingest(200)
        job, _ = self.spillway.export("acme", "2025-01-01", "2025-02-01")
        kept = self.spillway.path / "kept.pem"
        kept.write_bytes((self.spillway.path / "signing.pem").read_bytes())
        before = self.spillway.json("verify", self.spillway.path / job["directory"])["key_id"]
        other = self.other_machine()
        make_key(other)
        public = other.path / "signing.pub.pem"
        own = public.read_bytes()
        public.write_bytes((self.spillway.path / "signing.pub.pem").read_bytes())
        self.assertIn("is the public key of another, but recipients verify with it", other.call("adopt-key").err)
        public.unlink()
        self.assertIn("is not there, but recipients verify with it", other.call("adopt-key").err)
        public.write_bytes(own)
        adopted = other.json("adopt-key")
        self.assertEqual(adopted["before"], before)
        self.assertNotEqual(adopted["key_id"], before)
        self.assertIn("already", other.good("adopt-key").out)
        self.assertIn(adopted["key_id"], self.spillway.call("worker", "--until-idle").err)
        copy_key(other, self.spillway)
        (self.spillway.path / "signing.pub.pem").unlink()
        again = self.spillway.json("run", "messages", "-o", "acme", *RANGE, "--fresh")
        for one, key, id in ((again, "signing.pem", adopted["key_id"]), (job, kept, before)):
            checked = self.spillway.json("verify", self.spillway.path / one["directory"], "--key", key)
            self.assertEqual((checked["signed"], checked["key_id"]), (True, id))

    def test_of_two_machines_that_start_at_once_one_runs(self):
        machines = [self.spillway, self.other_machine()]
        workers = [machine.start("worker", "--until-idle") for machine in machines]
        errors = [worker.communicate(timeout=60)[1].decode() for worker in workers]
        codes = [worker.returncode for worker in workers]
        self.assertEqual(codes.count(0), 1, errors)
        self.assertIn("signing key", errors[codes.index(0) - 1])

    def test_there_is_no_key_to_adopt_before_there_is_a_state(self):
        self.assertIn("there is no state at", self.spillway.call("adopt-key").err)


class StateTest(OnPostgres):
    def test_every_command_works(self):
        doctor = self.spillway.call("doctor")
        self.assertIn("is not there yet", doctor.out)
        self.assertEqual(self.server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'spillway'", self.database), [["0"]],
                         "commands that look make nothing")
        answer = self.spillway.call("jobs", "list")
        self.assertEqual(answer.code, 0)
        self.assertIn("there is no state at postgres://", answer.err)
        messages = self.ingest(2000)
        job, _ = self.spillway.export("acme", "2025-01-01", "2025-02-01")
        self.check_export(job, messages)
        self.assertEqual([one["id"] for one in self.spillway.json("jobs", "list")["jobs"]], [job["id"]])
        self.assertEqual(self.spillway.json("jobs", "show", job["id"])["state"], "succeeded")
        detached = self.spillway.json("run", "messages", "-o", "acme", *RANGE, "--fresh", "--detach")
        self.spillway.good("worker", "--until-idle")
        self.check_export(self.spillway.json("jobs", "show", detached["id"]), messages)
        self.assertIn("0 jobs in processing", self.spillway.good("doctor").out)
        self.check_debris()

    def test_a_password_is_shown_nowhere(self):
        secret = "hush-hush"
        for state in (f"postgres://postgres:{secret}@127.0.0.1:1/none", f"postgres://postgres@127.0.0.1:1/none?password={secret}",
                      f"postgres://postgres:{secret}@127.0.0.1:port/none"):
            self.use(state)
            for command in (("jobs", "list"), ("doctor",), ("config", "show"), ("worker",), ("migrate-state", "--to", state)):
                answer = self.spillway.call(*command)
                self.assertNotIn(secret, answer.out + answer.err, command)

    def test_clear_lines_for_what_is_wrong(self):
        self.use(f"postgres://postgres@127.0.0.1:1/{self.database}")
        answer = self.spillway.call("jobs", "list")
        self.assertEqual(answer.code, 8, answer.err)
        self.use(self.server.url("nowhere"))
        answer = self.spillway.call("jobs", "list")
        self.assertEqual(answer.code, 3, answer.err)
        self.assertIn("create the database", answer.err)
        self.use(self.server.url(self.database))
        self.ingest(100)
        self.spillway.export("acme", "2025-01-01", "2025-02-01")
        replica = self.server.replica()
        self.addCleanup(replica.stop)
        self.use(replica.url(self.database))
        self.assertEqual(len(self.spillway.json("jobs", "list")["jobs"]), 1, "a replica can be looked at")
        answer = self.spillway.call("run", "messages", "-o", "acme", *RANGE, "--fresh")
        self.assertIn("target_session_attrs=read-write", answer.err)
        self.assertEqual((answer.code, len(answer.err.splitlines())), (8, 1), answer.err)

    def test_a_sqlite_state_moves(self):
        self.use("state.db")
        messages = self.ingest(2000)
        done, _ = self.spillway.export("acme", "2025-01-01", "2025-02-01")
        waiting = self.spillway.json("run", "messages", "-o", "acme", *RANGE, "--fresh", "--detach")
        address = self.server.url(self.database)
        before = (self.spillway.path / "state.db").read_bytes()
        moved = self.spillway.json("migrate-state", "--to", address)
        self.assertEqual(moved["jobs"], 2)
        self.assertEqual((self.spillway.path / "state.db").read_bytes(), before)
        self.assertEqual(self.spillway.call("migrate-state", "--to", address).code, 4)
        self.use(address)
        self.assertEqual(self.spillway.json("jobs", "show", done["id"])["state"], "succeeded")
        self.spillway.good("worker", "--until-idle")
        self.check_export(self.spillway.json("jobs", "show", waiting["id"]), messages)

    def test_through_pgbouncer(self):
        with PgBouncer(self.server) as pooler:
            self.use(f"postgres://postgres@127.0.0.1:{pooler.port}/{self.database}")
            messages = self.ingest(4000, batches=4)
            job = self.spillway.json("run", "messages", "-o", "acme", *RANGE, "--detach")
            workers = [self.spillway.start("worker", "--until-idle") for _ in range(3)]
            for worker in workers:
                _, err = worker.communicate(timeout=120)
                self.assertEqual(worker.returncode, 0, err)
            self.check_export(self.spillway.json("jobs", "show", job["id"]), messages)


class FaultTest(OnPostgres):
    """Four workers, each with a proxy of its own to the one server."""

    def start_worker(self, index):
        proxy = self.proxies[index]
        state = f"postgres://postgres@127.0.0.1:{proxy.port}/{self.database}"
        with open(self.spillway.path / f"worker-{index}.log", "ab") as log:
            self.workers[index] = subprocess.Popen(self.spillway.command("worker"), cwd=self.spillway.path, stdout=log, stderr=log,
                                                   env={**os.environ, "STATE": state})

    def strike(self):
        index = self.rng.randrange(len(self.workers))
        worker, proxy = self.workers[index], self.proxies[index]
        fault = self.rng.choice(["kill", "pause", "cut", "partition", "restart"])
        if fault == "kill":
            worker.kill()
            worker.wait()
            self.start_worker(index)
        elif fault == "pause":
            worker.send_signal(signal.SIGSTOP)
            time.sleep(LEASE * self.rng.uniform(0.3, 1.8))
            worker.send_signal(signal.SIGCONT)
        elif fault == "cut":
            proxy.cut()
        elif fault == "partition":
            proxy.blackhole(True)
            time.sleep(LEASE * self.rng.uniform(0.3, 1.8))
            if self.rng.random() < 0.5:
                proxy.cut()
            proxy.blackhole(False)
        else:
            self.server.restart()
        self.struck[fault] += 1

    def test_nothing_is_lost_and_nothing_doubled(self):
        print(f"seed {SEED}, {FAULTS} faults", flush=True)
        self.rng, self.struck = random.Random(SEED), collections.Counter()
        messages = self.ingest(20_000, batches=8)
        self.proxies = [Proxy(self.server.port) for _ in range(4)]
        self.workers = [None] * 4
        for index in range(4):
            self.start_worker(index)
        jobs, run = [], 0
        try:
            while sum(self.struck.values()) < FAULTS:
                for _ in range(3):
                    run += 1
                    jobs.append(self.submit(run))
                for _ in range(6):
                    time.sleep(self.rng.uniform(0, 0.4))
                    self.strike()
            deadline = time.monotonic() + 240
            while any(job["state"] in ("pending", "processing") for job in self.seen(jobs)):
                self.assertLess(time.monotonic(), deadline, self.seen(jobs))
                time.sleep(0.2)
        finally:
            for worker in self.workers:
                worker.terminate()
            for worker in self.workers:
                self.assertEqual(worker.wait(timeout=60), 0)
            for proxy in self.proxies:
                proxy.close()
        for job in self.seen(jobs):
            self.assertEqual(job["state"], "succeeded", job)
            self.assertEqual(job["counts"]["written"], len(messages))
            self.check_export(job, messages)
        self.check_debris()
        doubled = self.server.sql("SELECT job FROM spillway.jobs JOIN spillway.chunks ON job = number GROUP BY job, chunks_succeeded "
                                  "HAVING count(*) FILTER (WHERE chunks.state = 'succeeded') <> chunks_succeeded", self.database)
        self.assertEqual(doubled, [])
        print(f"{dict(self.struck)}; {len(jobs)} jobs of {len(messages)} rows, all right", flush=True)

    def submit(self, run):
        while True:  # the server may be restarting
            answer = self.spillway.call("--json", "run", "messages", "-o", "acme", *RANGE, "--null", f"run {run}", "--detach")
            if answer.code == 0:
                return json.loads(answer.out)["id"]
            self.assertEqual(answer.code, 8, answer.err)

    def seen(self, jobs):
        return [self.spillway.json("jobs", "show", job) for job in jobs]


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
