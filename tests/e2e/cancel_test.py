#!/usr/bin/env python3
"""Cancellation through the program: by Ctrl-C, by another process, of a waiting job; nothing is left."""
import json
import os
import pty
import signal
import subprocess
import time
import unittest

from deployment import SPILLWAY, Deployment, make_messages

RANGE = ("--from", "2025-01-01", "--to", "2025-02-01")


class CancelTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spillway = Deployment("engine: {threads: 1}\n")
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

    def test_interrupt_cancels_and_says_so(self):
        process = self.slow_export("interrupt")
        process.send_signal(signal.SIGINT)
        code, err = process.wait(timeout=30), process.stderr.read().decode()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(code, 130)
        self.assertIn("cancelled", err)
        self.assertEqual(self.processing(), [])

    def test_second_interrupt_leaves_at_once(self):
        process = self.slow_export("twice")
        process.send_signal(signal.SIGINT)
        time.sleep(0.06)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=5), 130)
        process.stdout.close()
        process.stderr.close()

    def test_waiting_job_is_cancelled_at_once(self):
        ids = [self.spillway.good("run", "messages", "-o", "acme", *RANGE, "--null", f"wait{i}", "--detach").out.strip()
               for i in range(5)]
        states = [self.spillway.json("jobs", "show", id)["state"] for id in ids]
        self.assertEqual(states, ["processing"] * 3 + ["pending"] * 2)  # Three in parallel by default.
        for id in reversed(ids):
            job = self.spillway.json("jobs", "cancel", id)
            self.assertEqual(job["state"], "cancelled")
            self.assertIn("bytes_removed", job["outcome"] if isinstance(job["outcome"], dict) else {"bytes_removed": 0})
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
