"""The engine over PostgreSQL, beside River's own benchmark on the same server in the same run."""
import json
import pathlib
import re
import statistics
import subprocess
import sys

import inputs
from deployment import BEFORE, BINARIES
from measure import Failed, remove, run, say
from results import Figure, Report

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from postgres import PostgresServer  # noqa: E402

WORK = inputs.DIRECTORY / "engine-postgres"
CHUNKS = 50_000
SETTINGS = ("fsync = on", "full_page_writes = on", "shared_buffers = 256MB", "max_wal_size = 4GB")


def engine(server):
    remove(WORK)
    usage = run([BINARIES / "bench" / "engine_bench", WORK, "--chunks", CHUNKS, "--postgres", server.url(server.new_database())])
    remove(WORK)
    found = json.loads(usage.printed)
    say(f"  engine: {found['chunks_per_second']} chunks a second")
    return found


def river(server):
    """Jobs a second by River's `bench`, over jobs that were put beforehand."""
    command = max((ROOT / ".deps").glob("river-*/river"), default=None)
    if command is None:
        raise Failed("there is no River: run setup/go_tool.sh river")
    address = server.url(server.new_database()) + "?sslmode=disable"
    run([command, "migrate-up", "--database-url", address])
    done = subprocess.run([command, "bench", "--database-url", address, "--num-total-jobs", str(CHUNKS)],
                          capture_output=True, text=True, check=False)
    found = re.search(r"overall job/sec \[\s*([\d.]+)", done.stdout + done.stderr)
    if done.returncode != 0 or not found:
        raise Failed(f"river bench: {(done.stdout + done.stderr)[-500:]}")
    say(f"  river: {found[1]} jobs a second")
    return float(found[1])


def claim(server, binaries):
    found = json.loads(run([binaries / "bench" / "claim_bench", server.url(server.new_database())]).printed)
    say(f"  claims of {binaries.parents[1].name}: half within {found['p50_ms']:.1f} ms, 99 of 100 within {found['p99_ms']:.1f} ms")
    return found


def median_of(claims, percentile):
    return statistics.median(found[percentile] for found in claims)


def measure(path, rounds):
    report = Report("postgres-state", "chunks claimed and completed by the real workers over one PostgreSQL server, durably")
    with PostgresServer(*SETTINGS) as server:
        pairs = [(engine(server), river(server)) for _ in range(rounds)]
        builds = [BINARIES, BEFORE] if BEFORE else [BINARIES]
        claims = {build: [] for build in builds}
        for _ in range(rounds):
            for build in builds:
                claims[build].append(claim(server, build))
    rates = [found["chunks_per_second"] for found, _ in pairs]
    report.add(Figure("ratio", "engine-postgres-vs-river", statistics.median(ours["chunks_per_second"] / theirs for ours, theirs in pairs),
                      at_least=1.0, beside=f"{statistics.median(theirs for _, theirs in pairs):,.0f} jobs/s by `river bench`"))
    report.add(Figure("figure", "engine-postgres-chunks", statistics.median(rates), "chunks/s",
                      beside=f"{CHUNKS:,} empty chunks, 2 threads"))
    ours = claims[BINARIES]
    report.add(Figure("figure", "claim-p99", median_of(ours, "p99_ms"), "ms", at_most=20,
                      beside=f"16 workers, one chunk at a time; half within {median_of(ours, 'p50_ms'):.1f} ms"))
    if BEFORE:
        for percentile in ("p50_ms", "p99_ms"):
            report.add(Figure("ratio", f"claim-{percentile[:3]}-vs-before", median_of(claims[BEFORE], percentile) / median_of(ours, percentile)))
    shares = ", ".join(f"{name} {share:.1%}" for name, share in pairs[-1][0]["shares"].items())
    report.notes.append(f"Of the two threads' time: {shares}.")
    return report
