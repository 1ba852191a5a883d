#!/usr/bin/env python3
"""Exports a PostgreSQL table to Parquet as a peer's user would: ENGINE ADDRESS TABLE OUTPUT

ENGINE  adbc (batches as they come into pyarrow's writer), connectorx (two partitions by id, written by pyarrow)

Syncs the file, as ours does. Prints, as JSON, the seconds of the export alone: without the interpreter's start and the imports.
"""
import json
import os
import sys
import time

import pyarrow.parquet

WRITER = {"compression": "zstd", "compression_level": 1}


def adbc(address, table, output):
    import adbc_driver_postgresql.dbapi
    began = time.perf_counter()
    with adbc_driver_postgresql.dbapi.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")
        batches = cursor.fetch_record_batch()
        with pyarrow.parquet.ParquetWriter(output, batches.schema, **WRITER) as writer:
            for batch in batches:
                writer.write_batch(batch)
    return began


def connectorx(address, table, output):
    import connectorx as cx
    began = time.perf_counter()
    rows = cx.read_sql(address, f"SELECT * FROM {table}", return_type="arrow", partition_on="id", partition_num=2)
    pyarrow.parquet.write_table(rows, output, **WRITER)
    return began


def main():
    engine, address, table, output = sys.argv[1:]
    began = {"adbc": adbc, "connectorx": connectorx}[engine](address, table, output)
    with open(output, "rb") as written:
        os.fsync(written.fileno())
    print(json.dumps({"wall": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
