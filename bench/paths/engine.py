"""The engine's own cost over SQLite."""
import json
import statistics

import inputs
from deployment import BEFORE, BINARIES
from measure import Failed, remove, run, say
from results import Figure, Report

WORK = inputs.DIRECTORY / "engine"
EMPTY_CHUNKS = 200_000
SMALL_CHUNKS = 1_000_000
SMALL_CHUNK_BYTES = 64 << 10
MIXED_CHUNKS = 200
MIXED_CHUNK_BYTES = 4 << 20


def engine(chunks, chunk_bytes, binaries=BINARIES):
    remove(WORK)
    usage = run([binaries / "bench" / "engine_bench", WORK, "--chunks", chunks, "--chunk-bytes", chunk_bytes])
    remove(WORK)
    found = json.loads(usage.printed)
    say(f"  {chunks} chunks of {chunk_bytes} bytes: {found['chunks_per_second']} a second, planned in "
        f"{found['planning_seconds']:.1f} s, finished in {found['finishing_seconds']:.1f} s")
    return found, usage


def measure_mixed(path, rounds):
    """A job of 200 chunks while another organisation's job of a million runs: its share is half of the threads."""
    report = Report("engine-mixed", "a job of 200 chunks beside one of a million, another organisation's")
    ratios = []
    for _ in range(rounds):
        remove(WORK)
        usage = run([BINARIES / "bench" / "engine_bench", WORK, "--chunks", SMALL_CHUNKS, "--chunk-bytes", MIXED_CHUNK_BYTES,
                     "--beside", MIXED_CHUNKS])
        remove(WORK)
        found = json.loads(usage.printed)
        if not found["large_runs_on"]:
            raise Failed("the large job was over before the small one")
        ratios.append(found["beside_seconds"] / (2 * found["alone_seconds"]))
        say(f"  {found['alone_seconds']:.2f} s alone, {found['beside_seconds']:.2f} s beside the large job")
    report.add(Figure("ratio", "engine-mixed", statistics.median(ratios), at_most=2.0,
                      beside="its time over its fair share, which is twice its time alone"))
    return report


def measure(path, rounds):
    report = Report("engine", "chunks claimed and completed by the real workers over one SQLite file, durably")
    builds = [BINARIES, BEFORE] if BEFORE else [BINARIES]
    rates = {build: [] for build in builds}
    for _ in range(rounds):
        for build in builds:
            rates[build].append(engine(EMPTY_CHUNKS, 0, build)[0]["chunks_per_second"])
    rate = statistics.median(rates[BINARIES])
    report.add(Figure("figure", "engine-chunks", rate, "chunks/s", at_least=5_000, beside=f"{EMPTY_CHUNKS:,} empty chunks, 2 threads"))
    if BEFORE:
        report.add(Figure("ratio", "engine-vs-before", rate / statistics.median(rates[BEFORE])))
    found, usage = engine(SMALL_CHUNKS, SMALL_CHUNK_BYTES)
    each = found["shares"]["recipe"] * found["processing_seconds"] * found["threads"] / SMALL_CHUNKS
    shares = ", ".join(f"{name} {share:.1%}" for name, share in found["shares"].items())
    report.add(Figure("figure", "engine-small-chunks", found["chunks_per_second"], "chunks/s",
                      beside=f"{SMALL_CHUNKS:,} chunks of {each * 1e6:.0f} µs of work each"))
    cost = found["engine_share"] * found["processing_seconds"] * found["threads"] / SMALL_CHUNKS
    report.add(Figure("figure", "engine-share", 100 * found["engine_share"], "%",
                      beside=f"{cost * 1e6:.0f} µs of a thread for each chunk: {shares}"))
    report.add(Figure("figure", "engine-planning", found["planning_seconds"], "s"))
    report.add(Figure("figure", "engine-finishing", found["finishing_seconds"], "s"))
    report.add(Figure("figure", "engine-memory", usage.peak / 1e6, "MB"))
    report.notes.append(f"Of the two threads' time in the run of {SMALL_CHUNKS:,} chunks: {shares}. The rest is the engine's "
                        "own code and waiting for the other thread.")
    return report
