"""Our side: a configured deployment on a lake, and the commands people would type."""
import json
import os
import pathlib

from inputs import ORGANISATION
from measure import remove, run

BUILD = pathlib.Path(__file__).resolve().parent.parent / "build" / "release"
BINARIES = pathlib.Path(os.environ.get("BENCH_BUILD") or BUILD)
SPILLWAY = BINARIES / "src" / "cli" / "spillway"
VERSIONS = {"ours": SPILLWAY}
BEFORE = pathlib.Path(os.environ["BENCH_BEFORE"]).resolve() if os.environ.get("BENCH_BEFORE") else None
if BEFORE:
    VERSIONS["before"] = BEFORE / "src" / "cli" / "spillway"
FIRST, AFTER = "2025-01-11", "2025-03-23"  # The same days as in peers/export.py, half-open.

CONFIGURATION = """\
state: {directory}/state.db
signing_key: {directory}/signing.pem
lake:
  directory: {lake}
  columns:
    - {{name: message_id, type: string}}
    - {{name: ts, type: timestamp}}
    - {{name: sender, type: string}}
    - {{name: recipient, type: string}}
    - {{name: channel, type: string}}
    - {{name: status, type: string}}
    - {{name: price, type: "decimal(10,4)"}}
    - {{name: body, type: string}}
exports:
  messages:
    destination: {directory}/exports
    csv: {{line_end: lf}}
engine: {{threads: 2}}
"""


class Deployment:
    """State and configuration in a directory of their own, beside a lake."""

    def __init__(self, directory, lake, adopt=True, version="ours"):
        self.version = version
        self.directory = pathlib.Path(directory)
        remove(self.directory)
        self.directory.mkdir(parents=True)
        self.configuration = self.directory / "spillway.yaml"
        self.configuration.write_text(CONFIGURATION.format(directory=self.directory, lake=lake))
        if adopt:
            run(self.command("adopt", "--organisation-partition", "organisation"))

    def command(self, *arguments):
        return [VERSIONS[self.version], "--config", self.configuration, *arguments]

    def export(self, output, *flags, first=FIRST, after=AFTER):
        return self.command("--quiet", "run", "messages", "--organisation", ORGANISATION, "--from", first, "--to", after,
                            "--fresh", "--output", output, *flags)

    def newest_job(self):
        printed = run(self.command("--json", "jobs", "list", "--limit", "1")).printed
        return json.loads(printed)["jobs"][0]


def exported(directory):
    """The files of the only export in a directory, without its manifest."""
    return sorted(path for path in pathlib.Path(directory).rglob("*")
                  if path.is_file() and ".spillway" not in path.parts and not path.name.startswith("manifest"))
