"""A Spillway of its own for a test: a directory with a configuration, a lake and a state, driven through
the real program."""
import collections
import datetime
import decimal
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile

SPILLWAY = os.environ["SPILLWAY"]
UTC = datetime.timezone.utc

COLUMNS = ["message_id", "ts", "sender", "recipient", "channel", "status", "price", "body"]
AWKWARD_BODIES = ["", "plain", "comma, and more", 'a "quoted" word', "two\nlines", "carriage\r\nreturn", "=SUM(A1:A9)",
                  "-1", "@cmd", "\ttab first", "naïve café", "中文短信", "🙂🚀", "ends with quote\"", " spaces ", "\\N",
                  "NULL", "x" * 2000]

Answer = collections.namedtuple("Answer", "code out err")


class Deployment:
    def __init__(self, config=""):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="spillway-e2e-"))
        (self.path / "spillway.yaml").write_text(config, encoding="utf-8")

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def command(self, *arguments):
        return [SPILLWAY, *map(str, arguments)]

    def start(self, *arguments, **options):
        return subprocess.Popen(self.command(*arguments), cwd=self.path, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **options)

    def call(self, *arguments, stdin=None, env=None, text=True):
        done = subprocess.run(self.command(*arguments), cwd=self.path, input=stdin, capture_output=True, check=False,
                              timeout=300, env={**os.environ, **(env or {})})
        out = done.stdout.decode("utf-8") if text else done.stdout
        return Answer(done.returncode, out, done.stderr.decode("utf-8", "replace"))

    def good(self, *arguments, **options):
        answer = self.call(*arguments, **options)
        assert answer.code == 0, f"spillway {' '.join(map(str, arguments))}: exit {answer.code}: {answer.err}{answer.out}"
        return answer

    def json(self, *arguments, **options):
        return json.loads(self.good("--json", *arguments, **options).out)

    def jobs(self, *filters, **options):
        """The jobs that there are; none while there is no state yet."""
        answer = self.call("--json", "jobs", "list", *filters, **options)
        return [] if answer.code == 3 else json.loads(answer.out)["jobs"]

    def ingest(self, messages, name="messages.ndjson", *arguments):
        write_ndjson(self.path / name, messages)
        return self.json("ingest", name, *arguments)[0]

    def export(self, organisation, begin, end, *arguments):
        """Runs an export; returns its job and the directory of its files."""
        job = self.json("run", "messages", "-o", organisation, "--from", begin, "--to", end, *arguments)
        assert job["state"] == "succeeded", job
        return job, pathlib.Path(job["directory"])

    def files(self, *parts):
        """Every file below a directory of the deployment, relative to it."""
        root = self.path.joinpath(*parts)
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def write_ndjson(path, messages):
    with open(path, "w", encoding="utf-8") as lines:
        for message in messages:
            lines.write(json.dumps(message, ensure_ascii=False, default=str) + "\n")


def make_messages(seed, count, organisation="acme", begin="2025-01-10", days=10):
    """Messages as they are ingested; times are distinct, so that their order is one."""
    rng = random.Random(seed)
    start = datetime.datetime.fromisoformat(begin).replace(tzinfo=UTC)
    span = days * 86_400_000_000
    times = rng.sample(range(span), count)
    messages = []
    for i, at in enumerate(times):
        offset = datetime.timezone(datetime.timedelta(minutes=rng.choice([0, 60, -300, 345, 840])))
        moment = start + datetime.timedelta(microseconds=at)
        message = {"organisation": organisation, "message_id": f"{seed}-{i}",
                   "ts": moment.astimezone(offset).isoformat(timespec="microseconds"),
                   "sender": f"sender{rng.randrange(5)}", "recipient": f"+{rng.randrange(10**11)}",
                   "channel": rng.choice(["sms", "voice", None]), "status": rng.choice(["delivered", "failed"]),
                   "price": str(decimal.Decimal(rng.randrange(-10**6, 10**6)) / 10**4),
                   "body": rng.choice(AWKWARD_BODIES)}
        if rng.random() < 0.1:
            del message["price"]
        messages.append(message)
    return messages


def instant(message):
    return datetime.datetime.fromisoformat(message["ts"]).astimezone(UTC)


def expected_rows(messages, organisation, begin, end, zone=UTC):
    """The exported rows as texts, nulls as None, by an implementation that shares nothing with Spillway's."""
    rows = []
    for message in sorted(messages, key=instant):
        if message["organisation"] != organisation or not begin <= instant(message) < end:
            continue
        row = {name: message.get(name) for name in COLUMNS}
        text = instant(message).astimezone(zone).isoformat(timespec="microseconds")
        row["ts"] = text.replace("+00:00", "Z") if zone is UTC else text
        if row["price"] is not None:
            row["price"] = f"{decimal.Decimal(row['price']):.4f}"
        rows.append(row)
    return rows


def day(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)
