"""A real S3 server for a test: Versity's gateway (setup/go_tool.sh versitygw) on a free port of loopback, over a directory."""
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / ".deps" / "versitygw-1.8.0" / "versitygw"
ACCESS, SECRET = "gateway", "gateway-secret"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    def __init__(self, *options, directory=None, **popen):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="spillway-gateway-", dir=directory))
        for folder in ("data", "attributes"):
            (self.path / folder).mkdir()
        self.port = free_port()
        self.log = self.path / "access.log"
        self.process = subprocess.Popen(
            [PROGRAM, "--access", ACCESS, "--secret", SECRET, "--port", f"127.0.0.1:{self.port}", "--keep-alive",
             "--quiet", "--access-log", self.log, *map(str, options),
             "posix", "--sidecar", self.path / "attributes", self.path / "data"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **popen)
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    break
            assert self.process.poll() is None, f"{PROGRAM} ends at once; run setup/go_tool.sh versitygw"
            time.sleep(0.01)

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self):
        return {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_ENDPOINT_URL_S3": self.url,
                "AWS_EC2_METADATA_DISABLED": "true"}

    def bucket(self, name):
        signed_put(f"127.0.0.1:{self.port}", f"/{name}", "", b"")
        return self.path / "data" / name

    def add_user(self, access, secret):
        """A user who may do nothing yet, where the gateway was started with --iam-dir; returns their environment."""
        subprocess.run([PROGRAM, "admin", "--access", ACCESS, "--secret", SECRET, "--endpoint-url", self.url,
                        "create-user", "--access", access, "--secret", secret, "--role", "user"],
                       check=True, stdout=subprocess.DEVNULL)
        return {**self.environment, "AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}

    def put_policy(self, bucket, *statements):
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements}).encode()
        signed_put(f"127.0.0.1:{self.port}", f"/{bucket}", "policy=", policy)

    def requests(self):
        """Every request so far, as (operation, key)."""
        log = self.log.read_text() if self.log.exists() else ""
        return re.findall(r" (s3_\w+) (.*?) /\S* \d{3} ", log)


def signed_put(host, path, query, body):
    """Signature version 4, as AWS documents it."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
    names = ";".join(headers)
    canonical = "\n".join(["PUT", path, query, *(f"{name}:{value}" for name, value in headers.items()), "", names, digest])
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in [*scope.split("/"), text]:
        key = hmac.digest(key, part.encode(), "sha256")
    headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={ACCESS}/{scope}, SignedHeaders={names}, "
                                f"Signature={key.hex()}")
    urllib.request.urlopen(urllib.request.Request(f"http://{host}{path}?{query}", body, headers, method="PUT")).close()


def objects(bucket):
    """The keys below a bucket's directory, without what the gateway keeps there itself."""
    keys = (str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file())
    return sorted(key for key in keys if not key.startswith(".sgwtmp"))


def uploads(bucket):
    """Multipart uploads that are neither completed nor aborted, by the parts' directories."""
    root = bucket / ".sgwtmp" / "multipart"
    return [str(path) for path in root.glob("*/*")] if root.exists() else []
