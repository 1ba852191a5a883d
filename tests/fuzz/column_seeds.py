#!/usr/bin/env python3
"""Writes the seeds of column_fuzzer: the pages of columns that pyarrow wrote, of each type in each encoding
and version of data pages. Compressions, nulls and checksums take turns.

Usage: .deps/venv/bin/python tests/fuzz/column_seeds.py; needed when Kinds() or InputOf() of column_fuzzer.cc change.
"""
import datetime
import decimal
import io
import itertools
import pathlib
import random

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 120
DICTIONARY = "DICTIONARY"
START = datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc)

# In the order of Kinds(): what a column holds, and the encodings that its type may have.
NUMBERS = ["PLAIN", DICTIONARY, "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
KINDS = [
    (pa.bool_(), lambda n: n % 3 == 0, ["PLAIN", "RLE"]),
    (pa.int32(), lambda n: n * 7919 - 40000, NUMBERS),
    (pa.timestamp("us", "UTC"), lambda n: START + datetime.timedelta(microseconds=n * 104729), NUMBERS),
    (pa.float64(), lambda n: n / 3, ["PLAIN", DICTIONARY, "BYTE_STREAM_SPLIT"]),
    (pa.string(), lambda n: "text"[: n % 5] + str(n), ["PLAIN", DICTIONARY, "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]),
    (pa.decimal128(18, 4), lambda n: decimal.Decimal(n - 30) / 16, NUMBERS),
    (pa.decimal128(20, 4), lambda n: decimal.Decimal(30 - n) / 16, ["PLAIN", DICTIONARY, "DELTA_BYTE_ARRAY", "BYTE_STREAM_SPLIT"]),
]
COMPRESSIONS = ["NONE", "SNAPPY", "ZSTD"]  # In the order of InputOf().


def values(value, nullable, chance):
    """Runs of equal values, and stretches of different ones."""
    numbers = []
    while len(numbers) < ROWS:
        if chance.random() < 0.5:
            numbers += [chance.randrange(60)] * chance.randrange(1, 25)
        else:
            numbers += [chance.randrange(60) for _ in range(chance.randrange(1, 20))]
    absent = set()
    if nullable:  # Of some columns, only the last row of a page.
        some = set(range(20, 30)) | {chance.randrange(ROWS) for _ in range(15)}
        absent = some if chance.random() < 0.7 else {39}
    return [None if row in absent else value(number) for row, number in enumerate(numbers[:ROWS])]


def pages(column, encoding, version, compression, checksum):
    schema = pa.schema([pa.field("c", column.type, nullable=column.null_count > 0)])
    file = io.BytesIO()
    pq.write_table(
        pa.Table.from_arrays([column], schema=schema), file, compression=compression, data_page_version=version,
        use_dictionary=encoding == DICTIONARY, column_encoding=None if encoding == DICTIONARY else {"c": encoding},
        data_page_size=100, write_batch_size=40, write_page_checksum=checksum, write_statistics=False,
        store_decimal_as_integer=column.type != pa.decimal128(20, 4), store_schema=False)
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(0)
    start = chunk.dictionary_page_offset or chunk.data_page_offset
    return file.getvalue()[start : start + chunk.total_compressed_size]


def main():
    corpus = pathlib.Path(__file__).parent / "corpus" / "column_fuzzer"
    turns = itertools.count()
    for kind, (type_, value, encodings) in enumerate(KINDS):
        for encoding, version in itertools.product(encodings, ["1.0", "2.0"]):
            turn = next(turns)
            nullable = turn % 3 != 0
            compression = [0, 1, 0, 2, 0][turn % 5]
            checksum = turn % 4 == 3
            column = pa.array(values(value, nullable, random.Random(turn)), type_)
            head = [kind, compression * 2 + nullable, (ROWS - 1) % 256, (ROWS - 1) // 256, turn % 50]
            name = f"{encoding.lower()}_{kind}_v{version[0]}"
            body = pages(column, encoding, version, COMPRESSIONS[compression], checksum)
            (corpus / name).write_bytes(bytes(head) + body)


if __name__ == "__main__":
    main()
