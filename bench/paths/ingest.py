"""NDJSON into Parquet by organisation and day."""
import sys

import inputs
from deployment import VERSIONS, Deployment
from measure import Contender, Failed, contents, race, remove, say
from results import Report, compare, compare_with_before

WORK = inputs.DIRECTORY / "ingest"


def ours(source, version):
    def command(output):
        deployment = Deployment(WORK / "deployment", output, adopt=False, version=version)
        return deployment.command("--quiet", "ingest", source)
    return Contender(version, command, "directory")


def peer(engine, source):
    return Contender(engine, lambda output: [sys.executable, "-B", inputs.HERE / "peers" / "ingest.py", engine, source, output],
                     "directory")


def measure(path, rounds):
    source = inputs.ndjson()
    WORK.mkdir(parents=True, exist_ok=True)
    report = Report("ingest", f"NDJSON of {source.stat().st_size / 1e6:.0f} MB, 20 organisations, {inputs.NDJSON_DAYS} days, "
                              "into Parquet by organisation and day, zstd")
    contenders = [*(ours(source, version) for version in VERSIONS), peer("duckdb", source), peer("duckdb-unordered", source)]
    expected = contents("ndjson", source)
    for contender in contenders:
        _, output = contender.run(WORK)
        found = contents("partitions", output)
        report.bytes[contender.name] = sum(part.stat().st_size for part in output.rglob("*.parquet"))
        remove(output)
        if any(found[key] != expected[key] for key in ("rows", "values")):
            raise Failed(f"ingest: {contender.name} wrote {found}, the input holds {expected}")
        say(f"  {contender.name}: the same {found['rows']} rows")
    report.notes.append(race(contenders, WORK, rounds))
    report.contenders = contenders
    taken = {contender.name: contender for contender in contenders}
    compare_with_before(report, taken, WORK)
    compare(report, "ratio", "ingest-vs-duckdb", taken["ours"], taken["duckdb"], at_least=1.5)
    compare(report, "ratio", "ingest-vs-duckdb-unordered", taken["ours"], taken["duckdb-unordered"])
    return report
