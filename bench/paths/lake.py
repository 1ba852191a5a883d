"""Exports of one organisation's messages out of the lake."""
import functools
import sys

import inputs
from deployment import BINARIES, VERSIONS, Deployment, exported
from measure import Contender, Failed, contents, race, remove, say
from results import Report, compare, compare_with_before, compare_with_best

OUTPUTS = inputs.DIRECTORY / "outputs"
FLAGS = {"csv": (), "csvgz": ("--compression", "gzip"), "zip": ("--compression", "zip"), "parquet": ("--format", "parquet")}
UNORDERED = {"duckdb-unordered", "chdb", "chdb-unsynced"}


@functools.cache
def rows_of(lake):
    return contents("lake", lake)


class LakeExports:
    def __init__(self):
        self.lake = inputs.lake()
        self.deployments = {version: Deployment(inputs.DIRECTORY / "deployment" / version, self.lake, version=version)
                            for version in VERSIONS}

    def ours(self, kind, output="directory"):
        return [Contender(version, lambda to, deployment=deployment: deployment.export(to, *FLAGS[kind]), output)
                for version, deployment in self.deployments.items()]

    def floor(self, kind, output="file"):
        sync = ("sync",) if output == "file" else ()
        return Contender("floor", lambda to: [BINARIES / "bench" / "floor", self.lake, to, kind, "digest", *sync], output)

    def peer(self, engine, kind, output="file", sync=True):
        script = inputs.HERE / "peers" / "export.py"
        name, flags = (engine, ()) if sync else (f"{engine}-unsynced", ("unsynced",))
        return Contender(name, lambda to: [sys.executable, "-B", script, engine, kind, self.lake, to, *flags], output)

    def check(self, report, kind, contenders):
        """Each writes its output once (which also warms the page cache), and all must hold the lake's rows."""
        expected = rows_of(self.lake)
        for contender in contenders:
            output_kind = "directory" if contender.name in VERSIONS else "file"
            _, output = contender.run(OUTPUTS, output_kind)
            files = exported(output) if output_kind == "directory" else [output]
            report.bytes[contender.name] = sum(path.stat().st_size for path in files)
            found = contents(kind, output if kind == "parquet" else files[0])
            remove(output)
            same = ("rows", "values") if contender.name in UNORDERED else ("rows", "values", "order")
            if any(found[key] != expected[key] for key in same):
                raise Failed(f"{report.path}: {contender.name} wrote {found}, the lake holds {expected}")
            say(f"  {contender.name}: the same rows{'' if 'order' in same else ', in no order'}, "
                f"{report.bytes[contender.name] / 1e6:.0f} MB")

    def measure(self, report, kind, contenders, rounds):
        self.check(report, kind, contenders)
        report.notes.append(race(contenders, OUTPUTS, rounds))
        report.contenders = contenders
        taken = {contender.name: contender for contender in contenders}
        compare_with_before(report, taken, OUTPUTS)
        return taken


def csv(exports, rounds):
    report = Report("lake-csv", "one organisation's 4.7 M messages of 71 days as CSV, to /dev/null")
    contenders = [*exports.ours("csv", "stdout"), exports.floor("csv", "null")]
    peers = [exports.peer(engine, "csv", "null") for engine in ("duckdb", "duckdb-unordered", "polars", "chdb")]
    taken = exports.measure(report, "csv", contenders + peers, rounds)
    compare_with_best(report, "lake-csv-vs-best", taken["ours"], peers, at_least=1.4, cpu_too=True)
    for peer in peers:
        compare(report, "ratio", f"lake-csv-vs-{peer.name}", taken["ours"], peer)
    compare(report, "limit", "lake-csv", taken["ours"], taken["floor"], at_most=1.15)
    return report


def csv_disk(exports, rounds):
    report = Report("lake-csv-disk", "the same to a file, which everybody syncs but who is called unsynced")
    contenders = [*exports.ours("csv"), exports.floor("csv")]
    synced = [exports.peer(engine, "csv") for engine in ("duckdb", "duckdb-unordered", "polars", "chdb")]
    unsynced = [exports.peer(engine, "csv", sync=False) for engine in ("polars", "chdb")]
    taken = exports.measure(report, "csv", contenders + synced + unsynced, rounds)
    compare_with_best(report, "lake-csv-disk-vs-best", taken["ours"], synced, at_least=1.4)
    compare_with_best(report, "lake-csv-disk-vs-best-unsynced", taken["ours"], unsynced, at_least=1.25)
    for peer in synced + unsynced:
        compare(report, "ratio", f"lake-csv-disk-vs-{peer.name}", taken["ours"], peer)
    compare(report, "limit", "lake-csv-disk", taken["ours"], taken["floor"])
    return report


def csvgz(exports, rounds):
    report = Report("lake-csvgz", "as gzip-compressed CSV; everybody at level 1 and with fsync, DuckDB at its only level")
    contenders = [*exports.ours("csvgz"), exports.floor("csvgz")]
    singles = [exports.peer(engine, "csvgz") for engine in ("polars", "chdb", "datafusion", "duckdb")]
    piped = exports.peer("polars-igzip", "csvgz")
    taken = exports.measure(report, "csvgz", [*contenders, *singles, piped], rounds)
    compare_with_best(report, "lake-csvgz-vs-best-single", taken["ours"], singles, at_least=2.4)
    compare(report, "ratio", "lake-csvgz-vs-polars-igzip", taken["ours"], piped, at_least=1.45)
    for peer in singles:
        compare(report, "ratio", f"lake-csvgz-vs-{peer.name}", taken["ours"], peer)
    compare(report, "limit", "lake-csvgz", taken["ours"], taken["floor"], at_most=1.15)
    smaller = report.bytes["ours"] < report.bytes["polars"]
    report.notes.append(f"Our file is {'smaller' if smaller else 'LARGER'} than that of polars; wanted is a smaller one.")
    return report


def archive(exports, rounds):
    report = Report("lake-zip", "as a zip with a CSV a day; DuckDB with Python's zipfile at level 1")
    contenders = [*exports.ours("zip"), exports.floor("zip"), exports.peer("duckdb", "zip")]
    taken = exports.measure(report, "zip", contenders, rounds)
    compare(report, "ratio", "lake-zip-vs-duckdb", taken["ours"], taken["duckdb"], at_least=6)
    compare(report, "limit", "lake-zip", taken["ours"], taken["floor"], at_most=1.15)
    return report


def parquet(exports, rounds):
    report = Report("lake-parquet", "as Parquet with zstd at level 1, with fsync")
    contenders = [*exports.ours("parquet"), exports.peer("duckdb", "parquet"), exports.peer("polars", "parquet")]
    taken = exports.measure(report, "parquet", contenders, rounds)
    compare(report, "ratio", "lake-parquet-vs-duckdb", taken["ours"], taken["duckdb"], at_least=1.3)
    compare(report, "ratio", "lake-parquet-vs-polars", taken["ours"], taken["polars"], at_least=1.1)
    return report


PATHS = {"lake-csv": csv, "lake-csv-disk": csv_disk, "lake-csvgz": csvgz, "lake-zip": archive, "lake-parquet": parquet}


def measure(path, rounds):
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    return PATHS[path](LakeExports(), rounds)
