#!/usr/bin/env python3
"""Turns NDJSON messages into Parquet by organisation and day, with DuckDB: ENGINE INPUT OUTPUT

ENGINE  duckdb, duckdb-unordered (rows in any order)

Compresses at level 1 and syncs the files, as ours does. Prints, as JSON, the seconds of the work alone: without the
interpreter's start and the imports.
"""
import json
import os
import pathlib
import sys
import time

COLUMNS = {"organisation": "VARCHAR", "message_id": "VARCHAR", "ts": "TIMESTAMPTZ", "sender": "VARCHAR",
           "recipient": "VARCHAR", "channel": "VARCHAR", "status": "VARCHAR", "price": "DECIMAL(10, 4)", "body": "VARCHAR"}
THREADS = 2


def main():
    engine, source, output = sys.argv[1:]
    import duckdb
    connection = duckdb.connect(config={"threads": THREADS})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"SET preserve_insertion_order = {str(engine == 'duckdb').lower()}")
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in COLUMNS.items())
    began = time.perf_counter()
    connection.execute(
        f"COPY (SELECT *, ts::DATE AS day FROM read_json('{source}', format = 'newline_delimited', columns = {{{columns}}})) "
        f"TO '{output}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARTITION_BY (organisation, day))")
    for file in pathlib.Path(output).rglob("*.parquet"):
        with open(file, "rb") as written:
            os.fsync(written.fileno())
    print(json.dumps({"wall": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
