#!/usr/bin/env python3
"""What rows an output holds, read by DuckDB: csv|csvgz|zip|parquet|partitions|ndjson|lake PATH

Prints, as JSON, the number of rows, a sum of hashes over all columns of every row, which no order changes, and one over
ids and their places, which only the same order keeps. `lake` reads the organisation's days that exports are made of.
"""
import glob
import json
import os
import sys
import tempfile
import zipfile

import duckdb

COLUMNS = ["message_id", "ts", "sender", "recipient", "channel", "status", "price", "body"]
TEXT = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in COLUMNS) + "}"
CSV = f"columns = {TEXT}, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"'"
EXPORTED = "day BETWEEN DATE '2025-01-11' AND DATE '2025-03-22'"


def quoted(paths):
    return "[" + ", ".join(f"'{path}'" for path in paths) + "]"


def csv(paths, compression="none"):
    return f"read_csv({quoted(paths)}, {CSV}, compression = '{compression}')"


def unzipped(path, directory):
    with zipfile.ZipFile(path) as archive:
        return [archive.extract(name, directory) for name in archive.namelist()]


def relation(kind, path, directory):
    if kind == "csv":
        return csv([path])
    if kind == "csvgz":
        return csv([path], "gzip")
    if kind == "zip":
        return csv(unzipped(path, directory))
    if kind == "parquet":
        return f"read_parquet({quoted(sorted(glob.glob(f'{path}/**/*.parquet', recursive=True)) or [path])})"
    if kind == "partitions":
        return f"read_parquet('{path}/**/*.parquet', hive_partitioning = false)"
    if kind == "ndjson":
        return f"read_json('{path}', format = 'newline_delimited', columns = {TEXT})"
    return f"(FROM read_parquet('{path}/organisation=7/day=*/*.parquet', hive_partitioning = true) WHERE {EXPORTED})"


def main():
    kind, path = sys.argv[1:]
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("SET TimeZone = 'UTC'")
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(path))) as directory:
        rows, values, order = connection.execute(f"""
            SELECT count(*), sum(hash(message_id, epoch_us(ts::TIMESTAMPTZ), sender, recipient, channel::VARCHAR,
                                      status::VARCHAR, price::DECIMAL(10, 4), body))::VARCHAR,
                   sum(hash(message_id, place))::VARCHAR
            FROM (SELECT *, row_number() OVER () AS place FROM {relation(kind, path, directory)})""").fetchone()
    print(json.dumps({"rows": rows, "values": values, "order": order}))


if __name__ == "__main__":
    main()
