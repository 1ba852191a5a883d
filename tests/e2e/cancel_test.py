#!/usr/bin/env python3
"""Cancellation through the program: by Ctrl-C, by another process, of a waiting job; nothing is left."""
import json
import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import time
import unittest

from deployment import SPILLWAY, Deployment, make_messages

RANGE = ("--from", "2025-01-01", "--to", "2025-02-01")


class CancelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spillway = Deployment("engine: {threads: 1, lease: 2s}\n")
        messages = make_messages(1, 20000)
        cls.spillway.ingest(messages)

    @classmethod
    def tearDownClass(cls):
        cls.spillway.close()

    def slow_export(self, marker, **options):
        """An export whose reader takes nothing, so that it is surely under way."""
        request = ("run", "messages", "-o", "acme", *RANGE, "--null", marker, "--output", "-")
        process = subprocess.Popen([SPILLWAY, *request], cwd=self.spillway.path, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, **options)
        os.read(process.stdout.fileno(), 1)
        return process

    def processing(self):
        return self.spillway.json("jobs", "list", "--state", "processing")["jobs"]

    def finish(self, process):
        process.stdout.close()
        _, err = process.communicate(timeout=30)
        return process.returncode, err.decode()

    def expect_cancelled(self, process):
        code, err = process.wait(timeout=30), process.stderr.read().decode()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(code, 130)
        self.assertIn("cancelled", err)
        self.assertEqual(self.processing(), [])

    def test_interrupt_cancels_and_says_so(self):
        process = self.slow_export("interrupt")
        process.send_signal(signal.SIGINT)
        self.expect_cancelled(process)

    def test_a_signal_that_comes_twice_at_once_is_one(self):
        """As timeout(1) sends it: to the program, and to its group."""
        process = self.slow_export("doubled")
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        self.expect_cancelled(process)

    def test_second_interrupt_leaves_at_once(self):
        process = self.slow_export("twice")
        id = self.processing()[0]["id"]
        with sqlite3.connect(self.spillway.path / "state.db", isolation_level=None) as state:
            state.execute("BEGIN IMMEDIATE")  # So that the cancellation cannot be recorded.
            process.send_signal(signal.SIGINT)
            time.sleep(1)  # What comes sooner is the same signal.
            self.assertIsNone(process.poll())
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(timeout=5), 130)
            state.execute("ROLLBACK")
        self.finish(process)
        self.assertEqual(self.spillway.json("jobs", "show", id)["state"], "processing")
        self.spillway.good("jobs", "cancel", id)

    def test_interrupt_of_one_that_only_watches(self):
        request = ("run", "messages", "-o", "acme", *RANGE, "--null", "watched")
        id = self.spillway.json(*request, "--detach")["id"]
        with sqlite3.connect(self.spillway.path / "state.db") as state:  # In the hands of somebody who is silent.
            state.execute("UPDATE jobs SET lease_owner = 'another', lease_token = 1, lease_expires_at = ? WHERE id = ?",
                          (int((time.time() + 3600) * 1e6), id))
        process = self.spillway.start(*request)
        self.assertIn(b"under way already", process.stdout.readline())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertIn(f"job {id} goes on; `spillway jobs cancel {id}` stops it", err.decode())
        job = self.spillway.json("jobs", "show", id)
        self.assertEqual((job["state"], job["cancel_requested_at"]), ("processing", None))
        with sqlite3.connect(self.spillway.path / "state.db") as state:
            state.execute("UPDATE jobs SET lease_owner = '', lease_expires_at = 0 WHERE id = ?", (id,))
        self.spillway.good("jobs", "cancel", id)

    def test_interrupt_ends_commands_that_do_not_listen(self):
        for which in (signal.SIGINT, signal.SIGTERM):
            id = self.spillway.json("run", "messages", "-o", "acme", *RANGE, "--null", "hangs", "--detach")["id"]
            with sqlite3.connect(self.spillway.path / "state.db") as state:
                state.execute("UPDATE jobs SET lease_owner = 'another', lease_token = 1, lease_expires_at = ? "
                              "WHERE id = ?", (int((time.time() + 3600) * 1e6), id))
            process = self.spillway.start("jobs", "cancel", id)
            while self.spillway.json("jobs", "show", id)["cancel_requested_at"] is None:
                time.sleep(0.02)
            process.send_signal(which)
            process.communicate(timeout=10)
            self.assertEqual(process.returncode, 130)
            with sqlite3.connect(self.spillway.path / "state.db") as state:
                state.execute("UPDATE jobs SET lease_owner = '', lease_expires_at = 0 WHERE id = ?", (id,))
            self.spillway.good("worker", "--until-idle")
            self.assertEqual(self.spillway.json("jobs", "show", id)["state"], "cancelled")

    def test_another_process_cancels_a_live_stream(self):
        process = self.slow_export("live")
        id = self.processing()[0]["id"]
        job = self.spillway.json("jobs", "cancel", id)
        self.assertEqual(job["state"], "cancelled")
        self.assertNotIn("failure", job)
        code, err = process.wait(timeout=30), process.stderr.read().decode()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(code, 130)
        self.assertIn(f"job {id} cancelled", err)

    def test_stream_whose_process_is_gone(self):
        process = self.slow_export("gone")
        process.kill()
        self.finish(process)
        id = self.processing()[0]["id"]
        job = self.spillway.json("jobs", "cancel", id)  # As soon as the dead process's leases have run out.
        self.assertEqual((job["state"], job["outcome"]["remaining"]), ("cancelled", ""))
        self.spillway.good("worker", "--until-idle")

    def test_destination_that_cannot_be_cleaned(self):
        destination = self.spillway.path / "sealed"
        id = self.spillway.good("run", "messages", "-o", "acme", *RANGE, "--null", "sealed", "-O", destination,
                                "--detach").out.strip()
        shutil.rmtree(destination)
        destination.write_text("a file where the directory was")
        answer = self.spillway.call("--json", "jobs", "cancel", id)
        self.assertNotIn(answer.code, (0, 130))
        job = json.loads(answer.out)
        self.assertEqual(job["state"], "cancelled")
        self.assertIn("sealed", job["failure"]["message"])
        self.assertIn(id, job["outcome"]["remaining"])
        self.assertEqual(self.processing(), [])

    def detached(self, count):
        return [self.spillway.good("run", "messages", "-o", "acme", *RANGE, "--null", f"wait{i}", "--detach").out.strip()
                for i in range(count)]

    def test_waiting_job_knows_its_place(self):
        ids = self.detached(5)
        progress = [self.spillway.json("jobs", "show", id)["progress"] for id in ids]
        self.assertEqual([one["queue_position"] for one in progress], [None] * 3 + [1, 2])  # Three run in parallel.
        self.assertIn("number 2 by age of those that wait", self.spillway.good("jobs", "show", ids[4]).out)
        self.spillway.good("worker", "--until-idle")
        job = self.spillway.json("jobs", "show", ids[4])
        done = job["progress"]
        self.assertEqual((done["rows_done"], done["rows_total"]), (job["counts"]["planned"],) * 2)
        self.assertEqual((done["chunks_done"], done["queue_position"]), (job["chunks"]["total"], None))
        self.assertGreater(done["rows_per_second"], 0)

    def test_waiting_job_is_cancelled_at_once(self):
        ids = self.detached(5)
        states = [self.spillway.json("jobs", "show", id)["state"] for id in ids]
        self.assertEqual(states, ["processing"] * 3 + ["pending"] * 2)  # Three in parallel by default.
        for id in reversed(ids):
            job = self.spillway.json("jobs", "cancel", id)
            self.assertEqual(job["state"], "cancelled")
            if job["started_at"] is not None:
                self.assertIn("bytes_removed", job["outcome"])
        self.assertEqual(self.spillway.call("jobs", "cancel", ids[0]).code, 4)
        self.assertEqual([name for name in self.spillway.files("exports") if ids[0] in name], [])

    def test_progress_only_on_a_terminal(self):
        request = ("run", "messages", "-o", "acme", *RANGE, "--null", "progress", "--fresh")
        self.assertNotIn("\r", self.spillway.good(*request).err)
        parent, child = pty.openpty()
        process = subprocess.Popen([SPILLWAY, *request], cwd=self.spillway.path, stdout=subprocess.PIPE, stderr=child)
        os.close(child)
        seen = b""
        while process.poll() is None or seen == b"":
            try:
                seen += os.read(parent, 65536)
            except OSError:
                break
        process.communicate()
        os.close(parent)
        self.assertIn(b"\r", seen)
        self.assertIn(b"rows", seen)

    def test_quiet_and_json(self):
        request = ("run", "messages", "-o", "acme", *RANGE, "--null", "quiet")
        self.assertEqual(self.spillway.good("-q", *request).out, "")
        job = json.loads(self.spillway.good("--json", *request).out)
        self.assertEqual(job["state"], "succeeded")


if __name__ == "__main__":
    unittest.main(verbosity=2)
