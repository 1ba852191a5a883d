#!/usr/bin/env python3
"""Users who may not do everything everywhere in a bucket, through the program, against a real server (`make s3`)."""
import json
import os
import re
import tempfile
import unittest

from deployment import Deployment, make_messages
from gateway import Gateway, objects, uploads

RANGE = ("--from", "2025-01-01", "--to", "2025-02-01")
USER, PASSWORD = "clerk", "clerk-secret"
CONFIG = """\
lake: {directory: "s3://shared/lake"}
exports:
  messages: {recipe: message_export, destination: "s3://shared/open"}
  sealed: {recipe: message_export, destination: "s3://shared/closed"}
engine: {threads: 1, attempts: 2}
s3: {retry_for: 2s}
"""
ARN = "arn:aws:s3:::shared"
WORK = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
LISTING = ["s3:ListBucket", "s3:ListBucketMultipartUploads"]


def statement(effect, actions, resource, **more):
    return {"Effect": effect, "Principal": USER, "Action": actions, "Resource": resource, **more}


class PermissionTest(unittest.TestCase):
    def setUp(self):
        users = tempfile.TemporaryDirectory(prefix="spillway-users-")
        self.addCleanup(users.cleanup)
        self.gateway = Gateway("--iam-dir", users.name, "--iam-cache-disable")
        self.addCleanup(self.gateway.close)
        self.bucket = self.gateway.bucket("shared")
        self.spillway = Deployment(CONFIG)
        self.addCleanup(self.spillway.close)
        os.environ.update(self.gateway.environment)
        self.spillway.ingest(make_messages(1, 1000))
        os.environ.update(self.gateway.add_user(USER, PASSWORD))

    def allow(self, *statements):
        self.gateway.put_policy("shared", statement("Allow", WORK, [f"{ARN}/lake/*", f"{ARN}/open/*"]), *statements)

    def below(self, prefix):
        return [key for key in objects(self.bucket) if key.startswith(prefix)]

    def check_only_open_works(self, says):
        job = self.spillway.json("run", "messages", "-o", "acme", *RANGE)
        self.assertEqual(job["state"], "succeeded")
        answer = self.spillway.call("run", "sealed", "-o", "acme", *RANGE)
        self.assertEqual(answer.code, 6, answer)
        self.assertEqual(len(answer.err.splitlines()), 1, answer.err)
        self.assertRegex(answer.err, says)
        self.assertNotIn(PASSWORD, answer.err)
        self.assertEqual(uploads(self.bucket), [])

        answer = self.spillway.call("--json", "doctor")
        self.assertEqual(answer.code, 1, answer)
        findings = {finding["what"]: finding for finding in json.loads(answer.out)}
        self.assertEqual(findings["export messages s3://shared/open"]["detail"], "can be written")
        bad = [finding for finding in findings.values() if not finding["good"]]
        self.assertEqual([finding["what"] for finding in bad], ["export sealed s3://shared/closed"])
        return bad[0]["detail"]

    def test_one_prefix_cannot_be_written(self):
        self.allow(statement("Allow", LISTING, ARN))
        advice = r".*AccessDenied.*; allow s3:PutObject in the bucket's or the role's policy$"
        found = self.check_only_open_works(r"PUT s3://shared/closed/\.spillway/jobs/[^ ]*: " + advice)
        self.assertRegex(found, r"^PUT s3://shared/closed/\.spillway/doctor-[^ ]*: " + advice)
        self.assertEqual(self.below("closed"), [])

    def test_one_prefix_cannot_be_listed(self):
        self.allow(statement("Allow", "s3:ListBucketMultipartUploads", ARN),
                   statement("Allow", "s3:ListBucket", ARN, Condition={"StringLike": {"s3:prefix": ["lake/*", "open/*"]}}),
                   statement("Allow", WORK, f"{ARN}/closed/*"))
        advice = r"GET s3://shared/closed/: AccessDenied.*; allow s3:ListBucket in the bucket's or the role's policy$"
        self.assertRegex(self.check_only_open_works(advice), "^" + advice)
        self.assertEqual(self.below("closed"), [])

    def test_what_was_refused_at_the_end_is_redriven(self):
        everything = (statement("Allow", LISTING, ARN), statement("Allow", WORK, f"{ARN}/closed/*"))
        self.allow(*everything, statement("Deny", "s3:PutObject", f"{ARN}/closed/acme/*"))
        answer = self.spillway.call("run", "sealed", "-o", "acme", *RANGE)
        self.assertEqual(answer.code, 6, answer)
        self.assertRegex(answer.err, r"^spillway: job \S+ failed: PUT s3://shared/closed/acme/\S+\.csv: AccessDenied.*"
                                     r"; allow s3:PutObject, and s3:GetObject on what is copied, in the bucket's")
        self.assertEqual(self.below("closed/acme"), [])
        job = re.search(r"job (\S+) failed", answer.err)[1]
        self.allow(*everything)
        self.spillway.good("jobs", "redrive", job)
        self.spillway.good("worker", "--until-idle")
        self.assertEqual(self.spillway.json("jobs", "show", job)["state"], "succeeded")
        self.assertEqual(self.below("closed/.spillway"), [])
        self.spillway.good("verify", f"s3://shared/closed/acme/{job}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
