#!/usr/bin/env python3
"""Lake and exports in buckets, through the program, against a real server (`make s3`)."""
import csv
import io
import json
import os
import random
import re
import resource
import shutil
import signal
import time
import unittest
import urllib.error
import urllib.request
import zipfile

from deployment import Deployment, day, expected_rows, make_messages, write_ndjson
from gateway import SECRET, Gateway, objects, uploads
from stalling_proxy import StallingProxy

RANGE = ("--from", "2025-01-01", "--to", "2025-02-01")
SWEEP = ("storage", "sweep", "--older-than", "0s", "--no-other-writers")
CONFIG = """\
lake: {{directory: "s3://{bucket}/the lake", ingest_memory: 64 MiB}}
exports:
  messages: {{recipe: message_export, destination: "s3://{bucket}/{prefix}"}}
  kept: {{recipe: message_export, destination: "s3://{bucket}/{prefix}"}}
engine: {{threads: {threads}, lease: 2s, heartbeat: 100ms, attempts: 10, backoff: {{base: 50ms, max: 500ms}}}}
s3: {{part_bytes: 5 MiB, retry_for: {retry_for}}}
"""


def long_messages(seed, count, **options):
    """Messages that hardly compress: 1 KB each in a zip."""
    rng = random.Random(seed)
    messages = make_messages(seed, count, **options)
    for message in messages:
        message["body"] = rng.randbytes(1000).hex()
    return messages


class S3Test(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway()
        cls.proxy = StallingProxy(cls.gateway.port)
        os.environ.update(cls.gateway.environment)

    @classmethod
    def tearDownClass(cls):
        cls.proxy.close()
        cls.gateway.close()

    def setUp(self):
        self.name = re.sub("[^a-z]+", "-", self._testMethodName)[5:60].strip("-")
        self.prefix = "out"
        self.bucket = self.gateway.bucket(self.name)
        self.spillway = self.deployment()

    def deployment(self, threads=2, retry_for="60s"):
        spillway = Deployment(CONFIG.format(bucket=self.name, prefix=self.prefix, threads=threads, retry_for=retry_for))
        self.addCleanup(spillway.close)
        return spillway

    def run_export(self, *arguments):
        job = self.spillway.json("run", "messages", "-o", "acme", *RANGE, *arguments)
        self.assertEqual(job["state"], "succeeded")
        return job

    def published(self, job, name):
        return (self.bucket / self.prefix / "acme" / job["id"] / name).read_bytes()

    def manifest(self, job):
        return json.loads(self.published(job, "manifest.json"))

    def check_rows(self, text, messages):
        rows = [row["message_id"] for row in csv.DictReader(io.StringIO(text.decode(), newline=""))]
        expected = expected_rows(messages, "acme", day("2025-01-01"), day("2025-02-01"))
        self.assertEqual(rows, [row["message_id"] for row in expected])

    def check_archive(self, job, messages):
        """How many members there are."""
        with zipfile.ZipFile(io.BytesIO(self.published(job, "messages_2025-01-01_2025-01-31.zip"))) as archive:
            self.assertIsNone(archive.testzip())
            texts = [archive.read(name) for name in archive.namelist()]
        header = texts[0][:texts[0].index(b"\n") + 1]
        self.check_rows(header + b"".join(text[len(header):] for text in texts), messages)
        return len(texts)

    def check_nothing_left(self):
        self.assertEqual([key for key in objects(self.bucket) if ".spillway/" in key], [])
        self.assertEqual(uploads(self.bucket), [])

    def through_proxy(self):
        return {**os.environ, "AWS_ENDPOINT_URL_S3": self.proxy.url}

    def start_stalled(self, pattern, *command):
        """A command at the moment when its request hangs that matches the pattern."""
        self.proxy.stall(pattern)
        process = self.spillway.start(*command, env=self.through_proxy(), start_new_session=True)
        self.assertTrue(self.proxy.stalled.wait(60), "nothing like this was ever sent")
        return process

    def test_from_lake_to_export(self):
        messages = make_messages(1, 3000) + make_messages(2, 2000)
        self.spillway.ingest(messages[:3000], "a.ndjson")
        self.spillway.ingest(messages[3000:], "b.ndjson")
        self.assertTrue(self.spillway.ingest(messages[3000:], "c.ndjson")["duplicate"])
        job = self.run_export()
        text = self.published(job, "messages_2025-01-01_2025-01-31.csv")
        self.check_rows(text, messages)
        self.assertEqual(job["directory"], f"s3://{self.name}/out/acme/{job['id']}")
        self.spillway.good("verify", job["directory"], "--key", "signing.pem")
        self.spillway.good("verify", job["directory"] + "/manifest.json")
        self.spillway.good("compact")
        self.spillway.good("compact", "--vacuum", "0s", "--no-other-writers")
        again = self.run_export("--fresh")
        self.assertEqual(self.published(again, "messages_2025-01-01_2025-01-31.csv"), text)
        self.check_nothing_left()

    def test_damage_is_found(self):
        self.spillway.ingest(make_messages(1, 100))
        job = self.run_export()
        path = self.bucket / "out" / "acme" / job["id"] / "messages_2025-01-01_2025-01-31.csv"
        path.write_bytes(path.read_bytes().replace(b",", b";", 1))
        answer = self.spillway.call("verify", job["directory"])
        self.assertEqual((answer.code, "are not those that were exported" in answer.out), (1, True))
        self.assertEqual(self.spillway.call("verify", f"s3://{self.name}/out/elsewhere").code, 3)

    def test_bytes_read_are_counted_and_few(self):
        self.spillway.ingest(long_messages(1, 20000))
        self.spillway.good("compact")
        whole = self.manifest(self.run_export())["source"]
        self.assertGreaterEqual(whole["bytes_read"], whole["bytes"])
        before = len(self.gateway.requests())
        one = self.spillway.json("run", "messages", "-o", "acme", "--from", "2025-01-12", "--to", "2025-01-13")
        read = [key for operation, key in self.gateway.requests()[before:] if operation == "s3_GetObject" and "/day=" in key]
        self.assertTrue(read)
        self.assertEqual([key for key in read if "/day=2025-01-12/" not in key], [])
        source = self.manifest(one)["source"]
        self.assertLess(source["bytes_read"], whole["bytes_read"] / 5)
        self.assertEqual(source["bytes"] + source["bytes_pruned"], whole["bytes"] + whole["bytes_pruned"])
        narrow = self.manifest(self.run_export("--columns", "ts,status"))["source"]
        self.assertLess(narrow["bytes_read"], whole["bytes_read"] / 5)

    def test_many_workers_one_zip(self):
        messages = long_messages(3, 60000, days=6)
        self.spillway.ingest(messages)
        id = self.spillway.good("run", "messages", "-o", "acme", *RANGE, "-C", "zip", "--detach").out.strip()
        before = len(self.gateway.requests())
        workers = [self.spillway.start("worker", "--until-idle") for _ in range(3)]
        for worker in workers:
            _, err = worker.communicate(timeout=280)
            self.assertEqual(worker.returncode, 0, err)
        job = self.spillway.json("jobs", "show", id)
        self.assertEqual(job["state"], "succeeded", job)
        self.assertEqual(self.check_archive(job, messages), 6)
        requests = self.gateway.requests()[before:]
        staged = [operation for operation, key in requests if "!" in key]
        self.assertGreater(staged.count("s3_PutObject"), 6)
        self.assertNotIn("s3_GetObject", staged, "the join read what was staged")
        self.check_nothing_left()

    def test_long_chunks_are_parts_of_the_file(self):
        messages = long_messages(3, 60000, days=3)
        self.spillway.ingest(messages)
        run = self.start_stalled(rb"PUT [^ ]*partNumber=3&", "run", "messages", "-o", "acme", *RANGE)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        self.assertEqual(len(uploads(self.bucket)), 1)
        self.assertEqual(self.spillway.json(*SWEEP)[0]["abandoned"], 0)
        before = len(self.gateway.requests())
        workers = [self.spillway.start("worker", "--until-idle") for _ in range(2)]
        for worker in workers:
            _, err = worker.communicate(timeout=280)
            self.assertEqual(worker.returncode, 0, err)
        job = self.spillway.json("jobs", "list", "--state", "succeeded")["jobs"][0]
        parts = [operation for operation, _ in self.gateway.requests()[before:] if "UploadPart" in operation]
        self.assertIn("s3_UploadPartCopy", parts, "the upload is the killed process's, so others go on with stages")
        self.check_rows(self.published(job, "messages_2025-01-01_2025-01-31.csv"), messages)
        self.spillway.good("verify", job["directory"], "--key", "signing.pem")
        self.check_nothing_left()

        before = len(self.gateway.requests())
        whole = self.run_export("--fresh")
        parts = [operation for operation, _ in self.gateway.requests()[before:] if "UploadPart" in operation]
        self.assertGreater(parts.count("s3_UploadPart"), parts.count("s3_UploadPartCopy"))
        self.check_rows(self.published(whole, "messages_2025-01-01_2025-01-31.csv"), messages)
        self.check_nothing_left()

    def test_links(self):
        self.prefix = "a b+c%20ü/😀"
        self.spillway = self.deployment()
        self.spillway.ingest(make_messages(1, 1000))
        job = self.run_export("-C", "zip")
        links = self.spillway.json("link", job["id"], "--expires", "10m")["links"]
        self.assertEqual([link["name"] for link in links],
                         ["messages_2025-01-01_2025-01-31.zip", "manifest.json", "manifest.json.sig"])
        self.assertEqual(len(self.spillway.good("link", job["id"]).out.split()), 3)
        for link in links:
            with urllib.request.urlopen(link["url"]) as answer:
                self.assertEqual(answer.read(), self.published(job, link["name"]))
                self.assertIn(link["name"], answer.headers["Content-Disposition"])
        with self.assertRaises(urllib.error.HTTPError) as changed:
            urllib.request.urlopen(links[0]["url"].replace("X-Amz-Expires=600", "X-Amz-Expires=6000"))
        self.assertEqual(changed.exception.code, 403)
        short = self.spillway.json("link", job["id"], "--expires", "1s")["links"][0]["url"]
        while True:
            try:
                urllib.request.urlopen(short).close()
            except urllib.error.HTTPError as refusal:
                self.assertEqual(refusal.code, 403)
                break
            time.sleep(0.1)

    def test_links_that_cannot_be(self):
        self.spillway.ingest(make_messages(1, 100))
        waiting = self.spillway.good("run", "messages", "-o", "acme", *RANGE, "--detach").out.strip()
        answer = self.spillway.call("link", waiting)
        self.assertEqual(answer.code, 4)
        self.assertIn("only a succeeded job has files", answer.err)
        self.spillway.good("jobs", "cancel", waiting)
        local = self.run_export("-O", "here")
        answer = self.spillway.call("link", local["id"])
        self.assertEqual((answer.code, len(answer.err.splitlines())), (2, 1))
        self.assertIn("is not in a bucket", answer.err)
        for expires in ("8d", "0s", "soon"):
            self.assertEqual(self.spillway.call("link", local["id"], "--expires", expires).code, 2)
        self.assertEqual(self.spillway.call("link", "none").code, 3)

    def test_cancel_ends_an_upload_that_hangs_and_leaves_nothing(self):
        self.spillway.ingest(long_messages(1, 20000))
        run = self.start_stalled(rb"PUT [^ ]*%21", "run", "messages", "-o", "acme", *RANGE)
        id = self.spillway.json("jobs", "list", "--state", "processing")["jobs"][0]["id"]
        job = self.spillway.json("jobs", "cancel", id)
        self.assertEqual((job["state"], job["outcome"]["remaining"]), ("cancelled", ""))
        _, err = run.communicate(timeout=30)
        self.assertEqual(run.returncode, 130, err)
        self.check_nothing_left()

    def test_a_worker_that_is_to_end_does_not_wait_for_a_silent_server(self):
        self.spillway = self.deployment(retry_for="1h")
        self.spillway.ingest(long_messages(1, 20000))
        run = self.start_stalled(rb"PUT [^ ]*/\.spillway/jobs/[^ !%]* ", "run", "messages", "-o", "acme", *RANGE)
        os.killpg(run.pid, signal.SIGTERM)
        run.communicate(timeout=45)
        self.assertNotEqual(run.returncode, 0)

    def test_kill_while_staging(self):
        messages = long_messages(1, 20000)
        self.spillway.ingest(messages)
        run = self.start_stalled(rb"PUT [^ ]*%21", "run", "messages", "-o", "acme", *RANGE)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        self.assertNotEqual([key for key in objects(self.bucket) if ".spillway/" in key], [])
        self.spillway.good("worker", "--until-idle")
        job = self.spillway.json("jobs", "list", "--state", "succeeded")["jobs"][0]
        self.check_rows(self.published(job, "messages_2025-01-01_2025-01-31.csv"), messages)
        self.spillway.good(*SWEEP)
        self.check_nothing_left()

    def test_kill_while_joining(self):
        messages = long_messages(1, 20000)
        self.spillway.ingest(messages)
        run = self.start_stalled(rb"PUT [^ ]*partNumber=", "run", "messages", "-o", "acme", *RANGE, "-C", "zip")
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        self.assertEqual(len(uploads(self.bucket)), 1)
        self.spillway.good("worker", "--until-idle")
        job = self.spillway.json("jobs", "list", "--state", "succeeded")["jobs"][0]
        self.check_archive(job, messages)
        self.assertEqual(len(uploads(self.bucket)), 1)
        counted = self.spillway.json(*SWEEP, "--dry-run")[0]
        self.assertEqual((counted["abandoned"], counted["removed"]), (1, False))
        self.assertEqual(len(uploads(self.bucket)), 1)
        young = self.spillway.json("storage", "sweep")[0]
        self.assertEqual(young["abandoned"], 0)
        self.assertEqual(self.spillway.call("storage", "sweep", "--older-than", "0s").code, 2)
        swept = self.spillway.json(*SWEEP)[0]
        self.assertEqual((swept["abandoned"], swept["removed"]), (1, True))
        self.check_nothing_left()

    def test_a_bucket_that_goes_away_is_named(self):
        self.spillway.ingest(long_messages(1, 20000))
        other = self.gateway.bucket("soon-gone")
        run = self.start_stalled(rb"HEAD [^ ]*/\.spillway/jobs/", "run", "messages", "-o", "acme", *RANGE, "-C", "zip", "-O", "s3://soon-gone/x")
        shutil.rmtree(other)
        self.proxy.cut()
        _, err = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 3, err)
        self.assertRegex(err.decode(), r"^spillway: job \S+ failed: GET s3://soon-gone/x/: NoSuchBucket \(.*\); "
                                       r"create the bucket, or correct its name\n$")

    def run_and_kill_while_joining(self, export):
        """A job that another worker finished; of the join that was killed an upload is left, which is returned too."""
        before = set(uploads(self.bucket))
        run = self.start_stalled(rb"PUT [^ ]*partNumber=", "run", export, "-o", "acme", *RANGE, "-C", "zip")
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate()
        self.spillway.good("worker", "--until-idle")
        job = self.spillway.json("jobs", "list", "--state", "succeeded")["jobs"][0]
        self.assertEqual(job["export"], export)
        return job, set(uploads(self.bucket)) - before

    def test_an_expired_job_leaves_nothing_and_takes_nothing_of_others(self):
        self.spillway.ingest(long_messages(1, 20000))
        job, job_uploads = self.run_and_kill_while_joining("messages")
        other, other_uploads = self.run_and_kill_while_joining("kept")
        self.assertEqual((len(job_uploads), len(other_uploads)), (1, 1))
        before = objects(self.bucket)
        expired = [key for key in before if f"/{job['id']}/" in key]
        size = sum((self.bucket / key).stat().st_size for key in expired)
        self.assertEqual(len(expired), 3, expired)
        short = {"SPILLWAY_EXPORTS_MESSAGES_RETENTION": "1s"}
        while not (due := self.spillway.json("jobs", "expire", "--dry-run", env=short)["jobs"]):
            time.sleep(0.1)
        self.assertEqual(due, [{"id": job["id"], "files": 3, "bytes": size}])
        self.assertEqual(objects(self.bucket), before)

        refused = self.spillway.call("jobs", "expire", env={**short, "AWS_SECRET_ACCESS_KEY": "wrong"})
        self.assertEqual(refused.code, 1, refused)
        self.assertRegex(refused.err, rf"^{job['id']}  cannot expire: .*the credentials are wrong\n$")
        self.assertEqual(self.spillway.json("jobs", "expire", env=short)["jobs"], due)
        self.assertEqual(objects(self.bucket), [key for key in before if key not in expired])
        self.assertEqual(set(uploads(self.bucket)), other_uploads)
        shown = self.spillway.json("jobs", "show", job["id"])
        self.assertEqual((shown["state"], shown["counts"]), ("succeeded", job["counts"]))
        self.assertEqual((shown["expired"]["files"], shown["expired"]["bytes"]), (3, size))
        self.assertRegex(self.spillway.good("jobs", "show", job["id"]).out, r"expired 20.*; removed 3 files, ")
        self.assertEqual(self.spillway.json("jobs", "expire", env=short)["jobs"], [])
        for command in (("verify", job["directory"]), ("link", job["id"])):
            answer = self.spillway.call(*command)
            self.assertEqual((answer.code, len(answer.err.splitlines())), (3, 1), answer)
        self.assertIn(f"{job['id']} expired 20", answer.err)
        self.spillway.good("verify", other["directory"], "--key", "signing.pem")

    def test_doctor(self):
        self.spillway.ingest(make_messages(1, 100))
        findings = {finding["what"]: finding for finding in self.spillway.json("doctor")}
        self.assertEqual(findings[f"lake s3://{self.name}/the lake"]["detail"], "can be written")
        for change, says in (({"AWS_SECRET_ACCESS_KEY": "wrong"}, "the credentials are wrong"),
                             ({"SPILLWAY_LAKE_DIRECTORY": "s3://no-such-bucket"}, "create the bucket"),
                             ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "SPILLWAY_S3_RETRY_FOR": "0s"},
                              "127.0.0.1")):
            answer = self.spillway.call("--json", "doctor", env=change)
            self.assertEqual(answer.code, 1, answer)
            lake = [one for one in json.loads(answer.out) if one["what"].startswith("lake s3")][0]
            self.assertFalse(lake["good"])
            self.assertIn(says, lake["detail"])
            self.assertNotIn(SECRET, answer.out + answer.err)
            self.assertEqual(len(lake["detail"].splitlines()), 1)

    def test_wrong_places_are_named(self):
        for place, says in (("gs://bucket/x", "nor an S3 URL"), ("s3://Not_A_Bucket", "names the bucket"),
                            ("s3://bucket/a//b", "wrong prefix")):
            answer = self.spillway.call("config", "check", env={"SPILLWAY_LAKE_DIRECTORY": place})
            self.assertEqual(answer.code, 2)
            self.assertIn(says, answer.err)
            self.spillway.ingest(make_messages(1, 10))
            answer = self.spillway.call("run", "messages", "-o", "acme", *RANGE, "-O", place)
            self.assertEqual(answer.code, 2)
            self.assertIn(says, answer.err)

    def test_server_without_room(self):
        limit = 4 << 20  # For each file of the gateway, as a full disk would.
        full = Gateway(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        self.addCleanup(full.close)
        bucket = full.bucket(self.name)
        self.spillway = self.deployment(retry_for="500ms")
        write_ndjson(self.spillway.path / "m.ndjson", long_messages(1, 20000, days=1))
        answer = self.spillway.call("ingest", "m.ndjson", env=full.environment)
        self.assertNotEqual(answer.code, 0)
        self.assertEqual(len(answer.err.splitlines()), 1, answer.err)
        self.assertIn(f"s3://{self.name}/the lake", answer.err)
        self.assertEqual(([key for key in objects(bucket) if "parquet" in key], uploads(bucket)), ([], []))


if __name__ == "__main__":
    unittest.main(verbosity=2)
