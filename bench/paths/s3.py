"""Lake and exports in buckets, on a gateway of this machine that takes its share of the same cores. Its files are in memory
where there is room for them: the disk is not what is measured."""
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

import inputs
from deployment import Deployment
from measure import Contender, Failed, race, remove, run, say
from results import Report, compare

REPOSITORY = inputs.HERE.parent
sys.path.append(str(REPOSITORY / "tests" / "e2e"))
from gateway import Gateway, uploads  # noqa: E402

OUTPUTS = inputs.DIRECTORY / "outputs"
# All columns, and the longest some times more, so that the export has about 4 GB.
COLUMNS = ["message_id", "ts", "sender", "recipient", "channel", "status", "price", "body"]
REPEATS = int(os.environ.get("S3_REPEATS", "10"))
MEMORY = pathlib.Path("/dev/shm")
ROOM = 20 << 30  # bytes: a file's parts, the file they make, and what pages hold of the input


def tool(name):
    subprocess.run([REPOSITORY / "setup" / "go_tool.sh", name], check=True, stdout=sys.stderr)
    return next((REPOSITORY / ".deps").glob(f"{name}-*/{name}"))


def shell(text):
    return ["bash", "-euo", "pipefail", "-c", text]


class Bucket:
    """An empty bucket on a gateway, with the environment in which programs find it."""

    def __init__(self):
        tool("versitygw")
        in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM
        self.gateway = Gateway(directory=MEMORY if in_memory else inputs.DIRECTORY)
        self.path = self.gateway.bucket("bench")
        self.environment = {**self.gateway.environment, "AWS_REGION": "us-east-1", "S3_ENDPOINT_URL": self.gateway.url,
                            "RCLONE_CONFIG_GATEWAY_TYPE": "s3", "RCLONE_CONFIG_GATEWAY_PROVIDER": "Other",
                            "RCLONE_CONFIG_GATEWAY_ENV_AUTH": "true", "RCLONE_CONFIG_GATEWAY_ENDPOINT": self.gateway.url,
                            "RCLONE_CONFIG": "/dev/null",
                            "RCLONE_S3_NO_CHECK_BUCKET": "true"}  # The gateway cannot be asked to make one that is there.
        os.environ.update(self.environment)
        os.environ.pop("AWS_CA_BUNDLE", None)  # No TLS here, and rclone 1.60 stumbles over it.

    def close(self):
        self.gateway.close()


def upload(bucket, rounds):
    lake = inputs.lake()
    deployment = Deployment(inputs.DIRECTORY / "deployment", lake)
    columns = ",".join([*COLUMNS, *(f"body=body_{i}" for i in range(REPEATS))])
    s5cmd = tool("s5cmd")

    def ours(output):
        return deployment.export(output, "--columns", columns)

    def piped(program):
        return lambda _: shell(f"{shlex.join(map(str, ours('-')))} | {program}")

    finished = OUTPUTS / "finished.csv"
    run(ours("-"), stdout=finished)
    report = Report("s3-upload", f"an export of {finished.stat().st_size / 1e9:.2f} GB of CSV to a bucket; s5cmd-cp sends a "
                                 "file that is there already")
    contenders = [
        Contender("ours", lambda _: ours("s3://bench/ours")),
        Contender("s5cmd-pipe", piped(f"{s5cmd} pipe s3://bench/s5cmd-pipe")),
        # The gateway never says "100 Continue": each part would wait a second for it.
        Contender("rclone-rcat", piped("rclone --expect-continue-timeout 0 rcat gateway:bench/rclone-rcat")),
        Contender("s5cmd-cp", lambda _: [s5cmd, "cp", finished, "s3://bench/s5cmd-cp"]),
    ]

    def check(contender, output):
        files = [output] if output.is_file() else list(output.rglob("*.csv"))
        sizes = [file.stat().st_size for file in files]
        if sizes != [finished.stat().st_size] or uploads(bucket.path):
            raise Failed(f"s3-upload: {contender.name} left files of {sizes} bytes, or unfinished uploads")

    report.notes.append(race(contenders, bucket.path, rounds, check))
    remove(finished)
    report.contenders = contenders
    taken = {contender.name: contender for contender in contenders}
    for peer in ("s5cmd-pipe", "rclone-rcat", "s5cmd-cp"):
        compare(report, "ratio", f"s3-upload-vs-{peer}", taken["ours"], taken[peer], at_least=1.0)
    return report


def lake(bucket, rounds):
    on_disk = inputs.lake()
    say("  copying the lake into the bucket")
    run([tool("s5cmd"), "cp", f"{on_disk}/", "s3://bench/lake/"])
    near = Deployment(inputs.DIRECTORY / "deployment", on_disk)
    far = Deployment(inputs.DIRECTORY / "deployment-s3", "s3://bench/lake")
    report = Report("s3-lake", "a lake in a bucket as CSV to /dev/null, beside the same lake on disk")
    contenders = [Contender("ours-s3", lambda to: far.export(to), "stdout"),
                  Contender("ours-disk", lambda to: near.export(to), "stdout")]
    report.notes.append(race(contenders, OUTPUTS, rounds))
    report.contenders = contenders
    compare(report, "limit", "s3-lake-vs-disk", contenders[0], contenders[1], at_most=1.25)
    return report


PATHS = {"s3-upload": upload, "s3-lake": lake}


def measure(path, rounds):
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    bucket = Bucket()
    try:
        return PATHS[path](bucket, rounds)
    finally:
        bucket.close()
