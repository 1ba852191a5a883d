"""A real S3 server for a test: Versity's gateway (setup/go_tool.sh versitygw) on a free port of loopback, over a directory."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

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
        folder = self.path / "data" / name
        folder.mkdir()
        return folder

    def requests(self):
        """Every request so far, as (operation, key)."""
        log = self.log.read_text() if self.log.exists() else ""
        return re.findall(r" (s3_\w+) (.*?) /\S* \d{3} ", log)


def objects(bucket):
    """The keys below a bucket's directory, without what the gateway keeps there itself."""
    keys = (str(path.relative_to(bucket)) for path in bucket.rglob("*") if path.is_file())
    return sorted(key for key in keys if not key.startswith(".sgwtmp"))


def uploads(bucket):
    """Multipart uploads that are neither completed nor aborted, by the parts' directories."""
    root = bucket / ".sgwtmp" / "multipart"
    return [str(path) for path in root.glob("*/*")] if root.exists() else []
