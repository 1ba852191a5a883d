#!/usr/bin/env python3
"""Exports one organisation's messages of a range of days as a peer's user would: ENGINE KIND LAKE OUTPUT [unsynced]

ENGINE  duckdb, polars, polars-igzip (piped into igzip), datafusion, and, with rows in any order, duckdb-unordered, chdb
KIND    csv, csvgz, zip (a member a day), parquet

Compresses at level 1, as ours does (DuckDB's gzip has no levels), and syncs the file, as ours does, unless told not to. Prints,
as JSON, the seconds of the export alone: without the interpreter's start and the imports.
"""
import datetime
import json
import os
import subprocess
import sys
import time
import zipfile

ORGANISATION = 7
FIRST_DAY, LAST_DAY = datetime.date(2025, 1, 11), datetime.date(2025, 3, 22)
COLUMNS = ["message_id", "ts", "sender", "recipient", "channel", "status", "price", "body"]
THREADS = 2
LEVEL = 1


def days():
    return [FIRST_DAY + datetime.timedelta(days=i) for i in range((LAST_DAY - FIRST_DAY).days + 1)]


class DuckDb:
    def __init__(self, ordered):
        import duckdb
        self.connection = duckdb.connect(config={"threads": THREADS})
        self.connection.execute("SET TimeZone = 'UTC'")
        self.connection.execute(f"SET preserve_insertion_order = {str(ordered).lower()}")

    def copy(self, files, condition, output, form):
        self.connection.execute(f"COPY (SELECT {', '.join(COLUMNS)} FROM read_parquet('{files}', hive_partitioning = true) "
                                f"WHERE {condition}) TO '{output}' ({form})")

    def export(self, kind, lake, output):
        files = f"{lake}/organisation={ORGANISATION}/day=*/*.parquet"
        condition = f"day BETWEEN DATE '{FIRST_DAY}' AND DATE '{LAST_DAY}'"
        if kind == "zip":
            self.export_zip(lake, output)
        else:
            self.copy(files, condition, output, {"csv": "FORMAT csv, HEADER", "csvgz": "FORMAT csv, HEADER, COMPRESSION gzip",
                                                 "parquet": f"FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {LEVEL}"}[kind])

    def export_zip(self, lake, output):
        member = f"{output}.csv"
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
            for day in days():
                self.copy(f"{lake}/organisation={ORGANISATION}/day={day}/*.parquet", "true", member, "FORMAT csv, HEADER")
                archive.write(member, f"{day}.csv")
        os.unlink(member)


class Polars:
    def __init__(self):
        os.environ["POLARS_MAX_THREADS"] = str(THREADS)
        import polars
        self.polars = polars

    def export(self, kind, lake, output):
        rows = (self.polars.scan_parquet(f"{lake}/organisation={ORGANISATION}/", hive_partitioning=True)
                .filter(self.polars.col("day").is_between(FIRST_DAY, LAST_DAY))
                .select(COLUMNS))
        if kind == "parquet":
            rows.sink_parquet(output, compression="zstd", compression_level=LEVEL)
        else:
            rows.sink_csv(output, **{"csv": {}, "csvgz": {"compression": "gzip", "compression_level": LEVEL}}[kind])


class PolarsIgzip(Polars):
    def export(self, kind, lake, output):
        with open(output, "wb") as compressed:
            igzip = subprocess.Popen(["igzip", f"-{LEVEL}", "-c"], stdin=subprocess.PIPE, stdout=compressed)
            super().export("csv", lake, f"/dev/fd/{igzip.stdin.fileno()}")
            igzip.stdin.close()
            if igzip.wait() != 0:
                raise RuntimeError("igzip failed")


class Chdb:
    def __init__(self):
        import chdb
        self.query = chdb.query

    def export(self, kind, lake, output):
        compression = {"csv": "", "csvgz": f" COMPRESSION 'gzip' LEVEL {LEVEL}"}[kind]
        chosen = ",".join(str(day) for day in days())
        self.query(f"SELECT {', '.join(COLUMNS)} "
                   f"FROM file('{lake}/organisation={ORGANISATION}/day={{{chosen}}}/part-0.parquet', Parquet) "
                   f"INTO OUTFILE '{output}' TRUNCATE{compression} FORMAT CSVWithNames SETTINGS max_threads = {THREADS}")


class DataFusion:
    def __init__(self):
        import datafusion
        # In the declared order, files are read one after the other in each of the threads, and their rows merged.
        self.context = datafusion.SessionContext(
            datafusion.SessionConfig().with_target_partitions(THREADS)
            .set("datafusion.execution.split_file_groups_by_statistics", "true"))

    def export(self, kind, lake, output):
        self.context.sql(f"CREATE EXTERNAL TABLE messages STORED AS PARQUET PARTITIONED BY (day) "
                         f"LOCATION '{lake}/organisation={ORGANISATION}/' WITH ORDER (ts ASC)")
        form = {"csvgz": f"CSV OPTIONS ('format.has_header' 'true', 'format.compression' 'gzip', 'format.compression_level' '{LEVEL}')"}
        named = f"{output}.csv.gz"  # A name without an extension becomes a directory.
        self.context.sql(f"COPY (SELECT {', '.join(COLUMNS)} FROM messages WHERE day BETWEEN '{FIRST_DAY}' AND '{LAST_DAY}' "
                         f"ORDER BY ts) TO '{named}' STORED AS {form[kind]}").collect()
        os.rename(named, output)


ENGINES = {"duckdb": lambda: DuckDb(ordered=True), "duckdb-unordered": lambda: DuckDb(ordered=False),
           "polars": Polars, "polars-igzip": PolarsIgzip, "chdb": Chdb, "datafusion": DataFusion}


def sync(output):
    if os.path.isfile(output):
        with open(output, "rb") as written:
            os.fsync(written.fileno())


def main():
    engine, kind, lake, output, *unsynced = sys.argv[1:]
    exporter = ENGINES[engine]()
    began = time.perf_counter()
    exporter.export(kind, lake, output)
    if not unsynced:
        sync(output)
    print(json.dumps({"wall": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
