#!/usr/bin/env python3
"""Measures Spillway, and the peers in the same run. A line a figure goes to standard output, progress to standard
error, tables to bench/RESULTS.md.

  ONLY=lake,start    some paths: lake (all of lake-csv, lake-csv-disk, lake-csvgz, lake-zip, lake-parquet), ingest,
                     engine, engine-mixed, s3 (s3-upload, s3-lake), postgres (postgres-csv, postgres-parquet,
                     postgres-state), memory, cancel,
                     start, open-data, scaling, age
  ROUNDS=3           rounds of each comparison
  PATIENCE=600       seconds that each path may wait for others to be quiet, and repeat what they disturbed
  POSTGRES_ROWS=…    rows of the table that postgres is measured on; default 10 M
  OPEN_DATA_LOCATIONS=…  of open-data, with 21 days each; default 1,000
  S3_REPEATS=10      how often s3-upload repeats the messages' texts; 10 makes 4 GB
  FULL=1             ingest of all 12 M messages in place of 3 M
  BENCH_DIR=…        where inputs are kept and outputs go (6 GB); default ~/.cache/spillway-bench
  BENCH_BUILD=…      the build folder to measure; default build/release
  BENCH_BEFORE=…     an earlier version's build folder, which takes part as `before` (lake, ingest, engine,
                     postgres, open-data)
"""
import os
import sys

import results
from measure import Failed, say
from paths import age, cancel, engine, ingest, lake, memory, open_data, postgres, postgres_state, s3, scaling, start

PATHS = {**dict.fromkeys(lake.PATHS, lake.measure), "ingest": ingest.measure, "engine": engine.measure, "engine-mixed": engine.measure_mixed,
         **dict.fromkeys(s3.PATHS, s3.measure), **dict.fromkeys(postgres.PATHS, postgres.measure),
         "memory": memory.measure, "cancel": cancel.measure, "start": start.measure,
         "open-data": open_data.measure, "postgres-state": postgres_state.measure, "scaling": scaling.measure, "age": age.measure}
CORES = 2


def chosen():
    wanted = [name for name in os.environ.get("ONLY", "").replace(",", " ").split()]
    unknown = [name for name in wanted if not any(belongs(path, name) for path in PATHS)]
    if unknown:
        raise Failed(f"ONLY={unknown[0]}: there are {', '.join(['lake', 's3', *PATHS])}")
    return [path for path in PATHS if not wanted or any(belongs(path, name) for name in wanted)]


def belongs(path, name):
    return path == name or path.startswith(name + "-")


def main():
    if len(sys.argv) > 1:
        print(__doc__.strip())
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    missed = []
    try:
        rounds = int(os.environ.get("ROUNDS", "3"))
        for path in chosen():
            say(f"== {path}")
            report = PATHS[path](path, rounds)
            results.keep(report)
            missed += [figure.name for figure in report.figures if figure.reached is False]
    except Failed as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    print(f"missed: {', '.join(missed)}" if missed else "every wanted figure is reached")
    return 0


if __name__ == "__main__":
    sys.exit(main())
