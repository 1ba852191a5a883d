#!/usr/bin/env python3
"""Writes the first days of a lake as NDJSON in the order of the messages' times: LAKE OUT DAYS"""
import sys

import duckdb


def main():
    lake, out, days = sys.argv[1:]
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "4GB", "temp_directory": f"{out}.sorting"})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"""
        COPY (SELECT organisation::VARCHAR AS organisation, message_id, strftime(ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS ts,
                     sender, recipient, channel, status, price, body
              FROM read_parquet('{lake}/organisation=*/day=*/*.parquet', hive_partitioning = true) AS message
              WHERE day < DATE '2025-01-01' + {int(days)}
              ORDER BY message.ts, message_id)
        TO '{out}' (FORMAT json)""")


if __name__ == "__main__":
    main()
