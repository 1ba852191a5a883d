#!/usr/bin/env python3
"""Schedules and retention through the program. Three processes on one state fire each tick once."""
import contextlib
import csv
import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import time
import unittest

from deployment import Deployment, make_messages
from postgres import PostgresServer

OPEN_DATA = pathlib.Path(__file__).resolve().parents[2] / "demo" / "open-data"

CONFIG = """
engine: {threads: 1}
exports:
  messages: {time_zone: Europe/Berlin, retention: %s}
schedules:
  minutely: {export: messages, cron: "* * * * *", organisation: acme, from: "2025-01-01", to: today}
  nightly:
    export: messages
    cron: "30 2 * * *"
    organisation: acme
    from: yesterday
    through: yesterday
"""


def files_of(spillway):
    return sorted(str(path.relative_to(spillway.path)) for path in (spillway.path / "exports").rglob("*")
                  if path.is_file() and ".spillway" not in path.parts)


def copy_jobs(state, job, ids):
    """Other finished jobs like one that is there."""
    with contextlib.closing(sqlite3.connect(state)) as store, store:
        store.row_factory = sqlite3.Row
        done = dict(store.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone())
        documents = tuple(store.execute("SELECT parameters, plan, outcome FROM job_documents WHERE job = ?", (done.pop("number"),)).fetchone())
        new = {**done, "state": "pending", "phase": "initializing", "started_at": None, "finished_at": None}
        for number, id in enumerate(ids):
            inserted = store.execute(f"INSERT INTO jobs ({', '.join(new)}) VALUES ({', '.join('?' * len(new))})",
                                     [*{**new, "id": id, "run": 2 + number}.values()])
            store.execute("INSERT INTO job_documents VALUES (?, ?, ?, ?)", (inserted.lastrowid, *documents))
        for change in ({"state": "processing", "started_at": done["started_at"]},
                       {"state": "succeeded", "phase": done["phase"], "finished_at": done["finished_at"]}):
            store.execute(f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in change)} WHERE id LIKE 'copy-%'", [*change.values()])


class ScheduleTest(unittest.TestCase):
    def test_three_processes_fire_each_tick_once(self):
        spillway = Deployment(CONFIG % "forever")
        self.addCleanup(spillway.close)
        spillway.ingest(make_messages(1, 100))
        servers = [spillway.start("worker", "--schedules"), spillway.start("serve", "--no-http"),
                   spillway.start("worker", "--schedules")]
        try:
            deadline = time.monotonic() + 120
            while time.monotonic() < deadline:
                jobs = spillway.jobs()
                if jobs and all(job["state"] == "succeeded" for job in jobs):
                    break
                time.sleep(0.5)
            time.sleep(2)  # For whoever would come second.
        finally:
            for server in servers:
                server.send_signal(signal.SIGTERM)
            outputs = [server.communicate(timeout=60)[1].decode() for server in servers]
        self.assertEqual([server.returncode for server in servers], [0, 0, 0], outputs)
        jobs = spillway.jobs()
        ticks = [job["requested_by"] for job in jobs]
        self.assertTrue(1 <= len(ticks) <= 4, ticks)
        self.assertEqual(len(set(ticks)), len(ticks), ticks)
        for job in jobs:
            self.assertRegex(job["requested_by"], r"^schedule minutely, \d{4}-\d\d-\d\dT\d\d:\d\d:00\.000000Z$")
            self.assertEqual(job["state"], "succeeded", job)
            self.assertEqual(job["parameters"]["from"], "2024-12-31T23:00:00.000000Z")

        listed = {one["name"]: one for one in spillway.json("schedules")["schedules"]}
        self.assertEqual(listed["minutely"]["last_job"], jobs[0]["id"])
        self.assertIn(listed["minutely"]["last"], ticks[0])
        self.assertEqual(listed["nightly"]["in_words"], "at 02:30")
        self.assertEqual(listed["nightly"]["time_zone"], "Europe/Berlin")
        self.assertIsNone(listed["nightly"]["last"])
        next_tick = datetime.datetime.fromisoformat(listed["nightly"]["next"])
        self.assertGreater(next_tick, datetime.datetime.now(datetime.timezone.utc))
        text = spillway.good("schedules").out
        self.assertIn("nightly: messages at 02:30, Europe/Berlin\n  last never, next ", text)


    def test_a_tick_that_cannot_be_fired_leaves_a_failed_job(self):
        """Nobody's messages are there yet, and the other schedule's lake is; neither hides the other."""
        minutely = {"cron": "* * * * *", "export": "messages", "from": "2025-01-01", "to": "today"}
        spillway = Deployment(json.dumps({
            "engine": {"threads": 1}, "exports": {"messages": {}},
            "schedules": {"nobody": {**minutely, "organisation": "nobody"}, "acme": {**minutely, "organisation": "acme"}}}))
        self.addCleanup(spillway.close)
        spillway.ingest(make_messages(1, 100))
        logs = []
        failed = []
        for _ in range(2):  # The second worker is one that was started again, within the same minute or after.
            worker = spillway.start("worker", "--schedules")
            try:
                deadline = time.monotonic() + 150
                while time.monotonic() < deadline:
                    jobs = spillway.jobs()
                    failed = [job for job in jobs if job["state"] == "failed"]
                    if failed and any(job["state"] == "succeeded" for job in jobs):
                        break
                    time.sleep(0.5)
                time.sleep(3)  # For whoever would make it twice.
            finally:
                worker.send_signal(signal.SIGTERM)
                logs.append(worker.communicate(timeout=60)[1].decode())
        jobs = spillway.jobs()
        failed = [job for job in jobs if job["state"] == "failed"]
        self.assertTrue(failed, logs)
        self.assertEqual({job["tenant"] for job in jobs if job["state"] != "failed"}, {"acme"}, logs)
        self.assertEqual(len({job["requested_by"] for job in failed}), len(failed), failed)
        for job in failed:
            self.assertRegex(job["requested_by"], r"^schedule nobody, \d{4}-\d\d-\d\dT\d\d:\d\d:00\.000000Z$")
            self.assertEqual((job["export"], job["recipe"], job["tenant"]), ("messages", "message_export", "nobody"))
            self.assertEqual(job["failure"]["code"], "not_found")
            self.assertIn("nobody", job["failure"]["message"])
        newest = failed[0]
        for shown in spillway.good("jobs", "show", newest["id"]).out, spillway.good("jobs", "list", "--state", "failed").out:
            self.assertIn(f'failure: {newest["failure"]["message"]}', shown)
            self.assertIn(f'requested by {newest["requested_by"]}', shown)
            self.assertNotIn("initializing", shown)
        self.assertIn("never began; run the export again", spillway.call("jobs", "redrive", newest["id"]).err)
        self.assertEqual(sum(f'"{newest["id"]}"' in log or f'={newest["id"]}' in log for log in logs), 1, logs)

        listed = {one["name"]: one for one in spillway.json("schedules")["schedules"]}
        self.assertEqual((listed["nobody"]["last_job"], listed["nobody"]["last_state"], listed["nobody"]["last_failure"]),
                         (newest["id"], "failed", newest["failure"]["message"]))
        self.assertEqual((listed["acme"]["last_state"], listed["acme"]["last_failure"]), ("succeeded", None))
        text = spillway.good("schedules").out
        self.assertRegex(text, rf'last .* as job {newest["id"]}, failed, next ')
        self.assertIn(f'\n  failure: {newest["failure"]["message"]}\n', text)

    def test_a_lake_that_does_not_answer_is_tried_until_the_next_tick(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        port = server.getsockname()[1]
        server.close()  # Nobody listens: connections are refused.
        spillway = Deployment(json.dumps({
            "engine": {"threads": 1}, "exports": {"messages": {}},
            "lake": {"directory": "s3://lake/messages"},
            "s3": {"endpoint": f"http://127.0.0.1:{port}", "retry_for": "1s", "region": "local"},
            "schedules": {"acme": {"cron": "* * * * *", "export": "messages", "organisation": "acme",
                                   "from": "2025-01-01", "to": "today"}}}))
        self.addCleanup(spillway.close)
        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        worker = spillway.start("worker", "--schedules", env={**os.environ, **keys})
        due, failed = [], []
        try:
            deadline = time.monotonic() + 200
            while not failed and time.monotonic() < deadline:
                time.sleep(0.5)
                due += [one["due"] for one in spillway.json("schedules", env=keys)["schedules"] if one["due"]]
                failed = spillway.jobs(env=keys)
        finally:
            worker.send_signal(signal.SIGTERM)
            log = worker.communicate(timeout=60)[1].decode()
        self.assertEqual([job["state"] for job in failed], ["failed"], log)
        self.assertEqual(failed[0]["failure"]["code"], "unavailable")
        self.assertIn(failed[0]["requested_by"].removeprefix("schedule acme, "), due)
        self.assertIn("schedule put off", log)

    def test_a_lake_that_is_mounted_late_is_read_all_the_same(self):
        """Its disk is missing when the tick comes: what is there is the empty directory that it is mounted on."""
        spillway = Deployment(json.dumps({
            "engine": {"threads": 1}, "exports": {"messages": {}},
            "schedules": {"acme": {"cron": "* * * * *", "export": "messages", "organisation": "acme",
                                   "from": "2025-01-01", "to": "today"}}}))
        self.addCleanup(spillway.close)
        spillway.ingest(make_messages(1, 50, days=1))
        lake, away = spillway.path / "lake", spillway.path / "away"
        lake.rename(away)
        lake.mkdir()
        worker = spillway.start("worker", "--schedules")
        due, jobs = [], []
        try:
            deadline = time.monotonic() + 150
            while time.monotonic() < deadline and not any(job["state"] == "succeeded" for job in jobs):
                time.sleep(0.5)
                jobs = spillway.json("jobs", "list")["jobs"]
                due += [one["due"] for one in spillway.json("schedules")["schedules"] if one["due"]]
                if due and away.exists():
                    time.sleep(2)  # For the first attempt.
                    away.rename(lake)
        finally:
            worker.send_signal(signal.SIGTERM)
            log = worker.communicate(timeout=60)[1].decode()
        self.assertEqual({job["state"] for job in jobs}, {"succeeded"}, log)
        self.assertIn(jobs[-1]["requested_by"].removeprefix("schedule acme, "), due)
        self.assertIn("schedule put off", log)

    def test_a_bucket_that_does_not_answer_holds_up_no_other_export(self):
        server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(server.close)
        port = server.getsockname()[1]
        server.close()  # Nobody listens: connections are refused.
        of_acme = {"cron": "* * * * *", "organisation": "acme", "from": "2025-01-01", "to": "today"}
        spillway = Deployment(json.dumps({
            "engine": {"threads": 1},
            "exports": {"messages": {}, "far": {"recipe": "message_export", "destination": "s3://bucket/far"}},
            "s3": {"endpoint": f"http://127.0.0.1:{port}", "retry_for": "10m", "region": "local"},
            "schedules": {"far": {"export": "far", **of_acme}, "near": {"export": "messages", **of_acme}}}))
        self.addCleanup(spillway.close)
        spillway.ingest(make_messages(1, 50, days=1))
        keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"}
        worker = spillway.start("worker", "--schedules", env={**os.environ, **keys})
        jobs = []
        try:
            deadline = time.monotonic() + 200
            while not jobs and time.monotonic() < deadline:
                time.sleep(0.5)
                jobs = spillway.jobs(env=keys)
        finally:
            worker.send_signal(signal.SIGTERM)
            log = worker.communicate(timeout=60)[1].decode()
        self.assertEqual([job["export"] for job in jobs], ["messages"], log)
        self.assertNotIn("schedule put off", log)
        # The end of the worker fails no tick: it is due still.
        jobs = spillway.jobs(env=keys)
        self.assertEqual({job["export"] for job in jobs}, {"messages"}, log)
        standing = {one["name"]: one for one in spillway.json("schedules", env=keys)["schedules"]}
        self.assertIsNotNone(standing["far"]["due"])

    def test_schedules_pass_parameters(self):
        with PostgresServer() as server:
            for file in ("schema.sql", "readings.sql"):
                server.sql((OPEN_DATA / file).read_text())
            minutely = {"cron": "* * * * *"}
            spillway = Deployment(json.dumps({
                "databases": {"shop": {"url": server.url()}},
                "exports": {"sums": {"recipe": "query_export", "database": "shop",
                                     "query": "SELECT :A::int + :b::int AS sum, :tick::timestamptz AS tick"}},
                "open_data": {"database": {"host": "127.0.0.1", "port": server.port, "read": {"user": "postgres"},
                                           "write": {"user": "postgres"}}},
                "schedules": {"sum": {**minutely, "export": "sums", "organisation": "acme", "parameters": {"A": 3, "b": "${FOUR}"}},
                              "some": {**minutely, "export": "open-data", "limit": 3, "time_limit": "14m"}}}))
            self.addCleanup(spillway.close)
            (spillway.path / ".env").write_text("FOUR=4\n")
            spillway.good("open-data", "migrate", "--track", "measurements")
            spillway.good("open-data", "recount")
            worker = spillway.start("worker", "--schedules")
            try:
                deadline = time.monotonic() + 120
                jobs = {}
                while len(jobs) < 2 and time.monotonic() < deadline:
                    time.sleep(0.5)
                    jobs = {job["export"]: job for job in spillway.jobs("--state", "succeeded")}
            finally:
                worker.send_signal(signal.SIGTERM)
                output = worker.communicate(timeout=60)[1].decode()
            self.assertEqual(jobs.keys(), {"sums", "open-data"}, output)
            self.assertEqual((jobs["open-data"]["counts"]["written"], jobs["open-data"]["parameters"]["time_limit_ms"]), (3, 840_000))
            with open(spillway.path / jobs["sums"]["directory"] / "sums.csv", newline="") as file:
                row = next(csv.DictReader(file))
            self.assertEqual(row["sum"], "7")
            self.assertEqual(jobs["sums"]["requested_by"], f"schedule sum, {row['tick']}")
            self.assertEqual(jobs["sums"]["tenant"], "acme")
            self.assertEqual({name: jobs["sums"]["parameters"]["parameters"][name] for name in "Ab"}, {"A": "3", "b": "(secret)"})


class RetentionTest(unittest.TestCase):
    def test_files_go_and_the_record_stays(self):
        spillway = Deployment(CONFIG % "1s")
        self.addCleanup(spillway.close)
        spillway.ingest(make_messages(1, 100))
        job, _ = spillway.export("acme", "2025-01-01", "2025-02-01")
        before = files_of(spillway)
        self.assertTrue(any(name.endswith("manifest.json") for name in before), before)
        size = sum(os.path.getsize(spillway.path / name) for name in before)
        deadline = time.monotonic() + 60
        while not (due := spillway.json("jobs", "expire", "--dry-run")["jobs"]) and time.monotonic() < deadline:
            time.sleep(0.2)
        self.assertEqual(due, [{"id": job["id"], "files": len(before), "bytes": size}])
        self.assertEqual(files_of(spillway), before)
        self.assertNotIn("expired", spillway.json("jobs", "show", job["id"]))

        # As where a disk is not mounted: nothing is there, or what another has published meanwhile.
        exports, mounted = spillway.path / "exports", spillway.path / "mounted"
        for put in (lambda: None, exports.mkdir, lambda: shutil.copytree(mounted / "acme" / job["id"], exports / "acme" / "another")):
            exports.rename(mounted)
            put()
            refused = spillway.call("jobs", "expire")
            self.assertEqual(refused.code, 1)
            self.assertRegex(refused.err, rf"^{job['id']}  cannot expire: .*is the destination mounted.*jobs expire --missing")
            self.assertRegex(refused.out, "^expired: jobs 0, .*; failed: 1\n$")
            shutil.rmtree(exports, ignore_errors=True)
            mounted.rename(exports)
        with contextlib.closing(sqlite3.connect(spillway.path / "state.db")) as state, state:
            state.executescript("DROP TRIGGER jobs_final; DROP TRIGGER jobs_identity; UPDATE jobs SET recipe = 'gone'")
        refused = spillway.call("jobs", "expire")
        self.assertRegex(refused.err, rf"^{job['id']}  cannot expire: .*gone")
        self.assertNotIn("--missing", refused.err)
        with contextlib.closing(sqlite3.connect(spillway.path / "state.db")) as state, state:
            state.execute("UPDATE jobs SET recipe = 'message_export'")

        self.assertEqual(spillway.json("jobs", "expire")["jobs"], due)
        self.assertEqual(files_of(spillway), [])
        shown = spillway.json("jobs", "show", job["id"])
        self.assertEqual(shown["state"], "succeeded")
        self.assertEqual(shown["counts"], job["counts"])
        self.assertEqual((shown["expired"]["files"], shown["expired"]["bytes"]), (len(before), size))
        self.assertRegex(spillway.good("jobs", "show", job["id"]).out, rf"expired 20.*; removed {len(before)} files, ")
        self.assertEqual(spillway.json("jobs", "expire")["jobs"], [])
        self.assertNotEqual(spillway.call("verify", job["directory"]).code, 0)

    def test_more_jobs_than_a_page(self):
        spillway = Deployment(CONFIG % "1s")
        self.addCleanup(spillway.close)
        spillway.ingest(make_messages(1, 100))
        job, directory = spillway.export("acme", "2025-01-01", "2025-02-01")
        files = len(list((spillway.path / directory).iterdir()))
        copies, removed = 1100, 7
        ids = [f"copy-{number:04}" for number in range(copies)]
        copy_jobs(spillway.path / "state.db", job["id"], ids)
        for id in ids[removed:]:
            shutil.copytree(spillway.path / directory, spillway.path / "exports" / "acme" / id)
        time.sleep(1.1)
        refused = spillway.call("--json", "jobs", "expire")
        self.assertEqual(refused.code, 1, refused.err)
        report = json.loads(refused.out)
        self.assertEqual({one["id"] for one in report["jobs"]}, {job["id"], *ids[removed:]})
        self.assertEqual({one["files"] for one in report["jobs"]}, {files})
        self.assertEqual([one["id"] for one in report["failed"]], ids[:removed])
        self.assertEqual(files_of(spillway), [])
        gone = spillway.json("jobs", "expire", "--missing")
        self.assertEqual(gone["jobs"], [{"id": id, "files": 0, "bytes": 0} for id in ids[:removed]])
        self.assertEqual(spillway.json("jobs", "expire")["failed"], [])

    def test_refusals(self):
        spillway = Deployment("exports: {mails: {}}\nschedules:\n  nightly: {export: messages, cron: '@daily'}\n")
        self.addCleanup(spillway.close)
        for command in (("worker", "--schedules"), ("serve", "--no-http"), ("schedules",)):
            answer = spillway.call(*command)
            self.assertEqual(answer.code, 2, answer)
            self.assertIn('spillway.yaml:3:21: schedules.nightly.export does not run: no export named "messages" is configured', answer.err)
        whole = Deployment("")
        self.addCleanup(whole.close)
        answer = whole.call("serve")
        self.assertEqual(answer.code, 2)
        self.assertIn("serve has no HTTP interface yet; use serve --no-http", answer.err)
        self.assertIn("no schedules", whole.good("schedules").out)


if __name__ == "__main__":
    unittest.main()
