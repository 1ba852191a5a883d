#!/usr/bin/env python3
"""What a deployment is made of: who makes which file, and who signs."""
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import time
import unittest

from deployment import Deployment, make_messages

RANGE = ("--from", "2025-01-10", "--to", "2025-01-20")
IMPATIENT = "engine: {lease: 1s, backoff: {base: 1ms, max: 10ms}}\n"


class DeploymentTest(unittest.TestCase):
    def setUp(self):
        self.spillway = Deployment()

    def tearDown(self):
        self.spillway.close()

    def test_looking_makes_nothing(self):
        os.remove(self.spillway.path / "spillway.yaml")
        for command in (("show", "none"), ("cancel", "none"), ("redrive", "none")):
            answer = self.spillway.call("jobs", *command)
            self.assertEqual((answer.code, answer.out, len(answer.err.splitlines())), (3, "", 1), answer.err)
            self.assertIn(f"there is no state at {self.spillway.path / 'state.db'}", answer.err)
        for command in (("jobs", "list"), ("jobs", "expire"), ("schedules",), ("storage", "sweep")):
            self.assertIn("there is no state at", self.spillway.good(*command).err)
        self.assertEqual(self.spillway.call("plan", "messages", "-o", "acme", *RANGE).code, 3)
        self.assertEqual(self.spillway.call("verify", "exports").code, 3)
        self.assertIn("no file; the defaults are in force", self.spillway.good("doctor").out)
        self.assertIn("no file; the defaults are in force", self.spillway.good("config", "check").out)
        self.assertEqual(list(self.spillway.path.iterdir()), [])

    def test_doctor_counts_no_messages_of_jobs_that_are_over(self):
        self.spillway.ingest(make_messages(1, 5_000))
        self.spillway.export("acme", "2025-01-01", "2025-02-01", "--rows-per-file", "50")
        self.assertRegex(self.spillway.good("doctor").out, r"ok    state .*: 0 jobs in processing, 0 waiting\n")
        self.spillway.good("run", "messages", "-o", "acme", *RANGE, "--detach")
        self.assertRegex(self.spillway.good("doctor").out, r"ok    state .*: 1 jobs in processing, 0 waiting\n")

    def test_what_is_tried_again_is_said(self):
        (self.spillway.path / "spillway.yaml").write_text(
            "databases: {shop: {url: 'postgres://ada@127.0.0.1:1/shop'}}\n"
            "exports: {orders: {recipe: query_export, database: shop, table: orders}}\n")
        answer = self.spillway.call("run", "orders")
        *notes, failure = answer.err.splitlines()
        self.assertEqual(answer.code, 8, answer)
        self.assertRegex(failure, "^spillway: job .* failed: ")
        self.assertIn(len(notes), (1, 2), answer.err)
        for note in notes:
            self.assertRegex(note, r"^attempt [12] of 3 failed, the next is within \d\.\d s: .*127\.0\.0\.1.*refused")
        for flag in ("--quiet", "--json"):
            self.assertNotIn("attempt", self.spillway.call(flag, "run", "orders").err)

    def test_doctor_sees_destinations_that_cannot_be(self):
        (self.spillway.path / "file").write_text("")
        for destination in ("file/below", "file/far/below", "/proc/exports"):
            (self.spillway.path / "spillway.yaml").write_text(f"exports: {{messages: {{destination: {destination}}}}}\n")
            answer = self.spillway.call("doctor")
            self.assertEqual(answer.code, 1)
            self.assertRegex(answer.out, f"FAIL  export messages .*{destination} is not there, and cannot be made in")
        (self.spillway.path / "spillway.yaml").write_text("lake: {directory: file/lake}\n")
        self.assertRegex(self.spillway.good("doctor").out, "note  lake .*file/lake is not there, and cannot be made in")
        self.assertEqual(self.spillway.files(), ["file", "spillway.yaml"])

    def test_doctor_sees_a_key_that_everybody_may_read(self):
        self.spillway.ingest(make_messages(1, 10))
        self.run_export()
        key = self.spillway.path / "signing.pem"
        self.assertNotIn("note", self.spillway.good("doctor").out)
        key.chmod(0o644)
        self.assertIn(f"note  signing key {key}: everybody on this machine may read it (mode 644), and so sign as you; chmod 600",
                      self.spillway.good("doctor").out)

    def test_init_makes_both_keys(self):
        os.remove(self.spillway.path / "spillway.yaml")
        self.spillway.good("init")
        self.assertEqual(self.spillway.files(), ["signing.pem", "signing.pub.pem", "spillway.yaml"])

    def test_init_makes_the_folder_of_its_configuration(self):
        os.remove(self.spillway.path / "spillway.yaml")
        self.spillway.good("--config", "a/b/spillway.yaml", "init")
        self.assertEqual(self.spillway.files(), ["a/b/signing.pem", "a/b/signing.pub.pem", "a/b/spillway.yaml"])

    def run_export(self, *arguments):
        return self.spillway.json("run", "messages", "-o", "acme", *RANGE, *arguments)

    def test_missing_key_is_no_new_identity(self):
        self.spillway.ingest(make_messages(1, 100))
        self.run_export()
        key = self.spillway.path / "signing.pem"
        kept = key.read_bytes()
        key.unlink()
        for command in (("run", "messages", "-o", "acme", *RANGE), ("worker", "--until-idle")):
            answer = self.spillway.call(*command)
            self.assertEqual((answer.code, len(answer.err.splitlines())), (3, 1), answer.err)
            self.assertIn(str(key), answer.err)
        self.assertFalse(key.exists())
        self.assertEqual(self.spillway.call("doctor").code, 1)
        key.write_bytes(kept)
        self.spillway.good("doctor")
        self.run_export()

    def test_another_key_is_refused(self):
        self.spillway.ingest(make_messages(1, 100))
        id = self.spillway.json("verify", self.run_export()["directory"])["key_id"]
        key = self.spillway.path / "signing.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        for command in (("run", "messages", "-o", "acme", *RANGE), ("worker", "--until-idle")):
            answer = self.spillway.call(*command)
            self.assertNotEqual(answer.code, 0)
            self.assertEqual(len(answer.err.splitlines()), 1, answer.err)
            self.assertRegex(answer.err, f"signing key {key} is .* signed with {id}; copy .*adopt-key")

    def test_doctor_sees_another_public_key(self):
        self.spillway.ingest(make_messages(1, 100))
        self.run_export()
        self.assertIn("signs as", self.spillway.good("doctor").out)
        other = Deployment()
        other.ingest(make_messages(2, 10))
        other.json("run", "messages", "-o", "acme", *RANGE)
        (self.spillway.path / "signing.pub.pem").write_bytes((other.path / "signing.pub.pem").read_bytes())
        other.close()
        answer = self.spillway.call("doctor")
        self.assertEqual(answer.code, 1)
        self.assertIn("signing.pub.pem", answer.out)

    @contextlib.contextmanager
    def working(self):
        worker = self.spillway.start("worker")
        try:
            yield worker
        finally:
            worker.terminate()
            worker.log = worker.communicate()[1].decode()

    @staticmethod
    def opened(process):
        paths = []
        for descriptor in pathlib.Path(f"/proc/{process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                paths.append(descriptor.readlink())
        return paths

    def adopt_new_key(self):
        key = self.spillway.path / "signing.pem"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", key.with_name("signing.pub.pem")], check=True)
        return self.spillway.json("adopt-key")["key_id"]

    def test_a_worker_with_the_former_key_leaves_jobs_to_one_with_the_new(self):
        (self.spillway.path / "spillway.yaml").write_text(IMPATIENT)
        self.spillway.ingest(make_messages(1, 100))
        with self.working() as former:
            self.await_end(self.detach())
            id = self.adopt_new_key()
            job = self.detach()
            while self.spillway.json("jobs", "show", job)["chunks"]["succeeded"] == 0:
                time.sleep(0.05)
            with self.working():
                directory = self.await_end(job)["directory"]
        self.assertEqual(self.spillway.json("verify", directory, "--key", "signing.pub.pem")["key_id"], id)
        self.assertRegex(former.log, f"job not finished .*{job}.* is signed with {id} since; stop it")

    def test_another_public_key_beside_it_is_refused(self):
        self.spillway.ingest(make_messages(1, 100))
        self.run_export()
        public = self.spillway.path / "signing.pub.pem"
        kept = public.read_bytes()
        subprocess.run("openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out signing.pub.pem", shell=True,
                       check=True, cwd=self.spillway.path)
        for command in (("run", "messages", "-o", "acme", *RANGE), ("worker", "--until-idle"), ("adopt-key",)):
            answer = self.spillway.call(*command)
            self.assertEqual((answer.code, len(answer.err.splitlines())), (4, 1), answer.err)
            self.assertIn(f"{public} is the public key of another", answer.err)
        (self.spillway.path / "spillway.yaml").unlink()
        self.assertIn("is the public key of another", self.spillway.call("init").err)
        public.unlink()
        self.run_export()
        public.write_bytes(kept)
        self.run_export()

    def detach(self, *arguments):
        return self.run_export("--detach", "--fresh", *arguments)["id"]

    def await_end(self, id):
        while True:
            job = self.spillway.json("jobs", "show", id)
            if job["state"] not in ("pending", "processing"):
                return job
            time.sleep(0.05)

    def test_files_are_where_the_job_says_although_the_directory_was_moved_or_made_again(self):
        (self.spillway.path / "spillway.yaml").write_text(IMPATIENT)
        self.spillway.ingest(make_messages(1, 100))
        exports, moved = self.spillway.path / "exports", self.spillway.path / "moved"
        with self.working() as worker:
            self.assertEqual(self.await_end(self.detach())["state"], "succeeded")
            exports.rename(moved)
            before = self.spillway.files("moved")
            for _ in range(2):
                job = self.await_end(self.detach())
                self.assertEqual(job["state"], "succeeded", job.get("failure"))
                self.spillway.good("verify", job["directory"], "--key", "signing.pub.pem")
                self.assertEqual(self.spillway.files("moved"), before)
                self.assertNotIn(moved, self.opened(worker))
                shutil.rmtree(exports)
                exports.mkdir()

    def test_what_is_exported_is_the_lake_at_the_path(self):
        """The worker has the former one open."""
        self.spillway.ingest(make_messages(1, 100))
        lake = self.spillway.path / "lake"
        with self.working():
            self.assertEqual(self.await_end(self.detach())["counts"]["written"], 100)
            lake.rename(self.spillway.path / "former")
            self.spillway.ingest(make_messages(2, 300))
            self.assertEqual(self.await_end(self.detach())["counts"]["written"], 300)

    def test_a_directory_that_is_away_is_waited_for_and_not_made_again(self):
        (self.spillway.path / "spillway.yaml").write_text(IMPATIENT)
        self.spillway.ingest(make_messages(1, 100))
        exports, moved = self.spillway.path / "exports", self.spillway.path / "moved"
        rows = next((self.spillway.path / "lake").rglob("*.parquet"))
        with self.working():
            self.await_end(self.detach())
            kept = rows.rename(self.spillway.path / "kept.parquet")
            id = self.detach()
            self.assertEqual(self.await_end(id)["state"], "failed")
            kept.rename(rows)
            exports.rename(moved)
            self.spillway.good("jobs", "redrive", id)
            job = self.await_end(id)
            self.assertEqual(job["state"], "failed")
            self.assertIn(f"{exports} is no longer the directory", job["failure"]["message"])
            self.assertFalse(exports.exists())
            moved.rename(exports)
            self.spillway.good("jobs", "redrive", id)
            job = self.await_end(id)
            self.assertEqual(job["state"], "succeeded", job.get("failure"))
            self.spillway.good("verify", job["directory"], "--key", "signing.pub.pem")

    def test_signed_is_what_was_verified(self):
        self.spillway.ingest(make_messages(1, 100))
        directory = pathlib.Path(self.run_export()["directory"])
        unchecked = self.spillway.json("verify", directory)
        self.assertEqual((unchecked["whole"], unchecked["signed"]), (True, False))
        self.assertIn("not checked", self.spillway.good("verify", directory).out)
        checked = self.spillway.json("verify", directory, "--key", "signing.pub.pem")
        self.assertEqual((checked["signed"], checked["key_id"]), (True, unchecked["key_id"]))
        self.assertIn(checked["key_id"], self.spillway.good("verify", directory, "--key", "signing.pub.pem").out)
        answer = self.spillway.call("verify", directory, "--key", directory / "manifest.json")
        self.assertEqual(answer.code, 2)
        self.assertNotIn("spillway keys", answer.err)
        (directory / "manifest.json.sig").write_text("ed25519 0123456789abcdef nonsense\n")
        self.assertFalse(json.loads(self.spillway.call("--json", "verify", directory).out)["whole"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
