#!/usr/bin/env python3
"""How values are written in files, as their readers see it: PostgreSQL's COPY, pandas, pyarrow, DuckDB."""
import csv
import io
import json
import shutil
import subprocess
import unittest
import xml.etree.ElementTree

import duckdb
import pandas
import pyarrow.dataset
import pyarrow.parquet

from deployment import Deployment
from postgres import PostgresServer


class FormatsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        shutil.rmtree(cls.server.folder, ignore_errors=True)

    def deployment(self, query, **block):
        export = {"recipe": "query_export", "database": "shop", "query": query, "split_by": "none", **block}
        spillway = Deployment(json.dumps({"databases": {"shop": {"url": self.server.url()}}, "exports": {"x": export}}))
        self.addCleanup(spillway.close)
        return spillway

    def export(self, query, *flags, **block):
        """The only file of an export of a query."""
        spillway = self.deployment(query, **block)
        job = spillway.json("run", "x", *flags)
        self.assertEqual(job["state"], "succeeded", job)
        [file] = [p for p in (spillway.path / job["directory"]).iterdir() if not p.name.startswith("manifest.json")]
        return file

    def refusal(self, query, *flags, **block):
        answer = self.deployment(query, **block).call("run", "x", *flags)
        self.assertNotEqual(answer.code, 0, flags)
        self.assertEqual(answer.err.count("\n"), 1, answer.err)
        return answer.err

    def copied_back(self, file, columns, options=""):
        """Loads a file with PostgreSQL's COPY, as the server reads it."""
        self.server.sql(f"DROP TABLE IF EXISTS back; CREATE TABLE back ({columns})")
        readable = self.server.folder / "back.csv"
        readable.write_bytes(file.read_bytes())
        self.server.sql(f"COPY back FROM '{readable}' (FORMAT csv, HEADER{options})")

    def test_e02_no_line_ends_the_data(self):
        self.server.sql(r"CREATE TABLE dots (a text); INSERT INTO dots VALUES ('first'), ('\.'), (''), ('\'), ('last')")
        for block in ({}, {"csv": {"line_end": "lf"}}, {"csv": {"delimiter": ";"}}, {"csv": {"profile": "excel", "byte_order_mark": False}}):
            file = self.export("SELECT a FROM dots", **block)
            self.assertIn(b'"\\."', file.read_bytes())
            self.copied_back(file, "a text")
            self.assertEqual(self.server.sql("SELECT count(*) FROM (TABLE dots INTERSECT TABLE back) AS same"), [["5"]])
            self.assertEqual(pandas.read_csv(file, keep_default_na=False)["a"].tolist(), ["first", "\\.", "", "\\", "last"])
            self.assertEqual(duckdb.sql(f"SELECT count(*), max(a) FROM read_csv('{file}', header=true, delim=',', quote='\"', escape='\"')"
                                        ).fetchall(), [(5, "last")])
        # A header and a null marker may be such a line as well.
        file = self.export('SELECT a AS "\\." FROM dots')
        self.copied_back(file, "a text")
        self.assertEqual(self.server.sql("SELECT count(*) FROM back"), [["5"]])
        self.assertIn("COPY FROM", self.refusal("SELECT a FROM dots", "--null", "\\."))
        # In the first and the last of two columns it is no line.
        file = self.export("SELECT a, a AS b FROM dots")
        self.copied_back(file, "a text, b text")
        self.assertEqual(self.server.sql("SELECT count(*) FROM back WHERE a = b"), [["5"]])

    def test_e05_numbers_are_no_formulas(self):
        query = """SELECT sum(v) AS total, (-5.25)::money AS money, (-5.25)::amount AS domain, (-5)::int8 AS whole, (-0.5)::float8 AS float,
                   (-5.25)::numeric(10,2) AS decimal, (-1)::numeric(60,2) AS wide, '-5.25' AS text, 'NaN'::numeric AS nan
                   FROM (VALUES (-5.25::numeric(10,2))) AS t(v)"""
        self.server.sql("CREATE DOMAIN amount AS numeric")
        [_, row] = csv.reader(io.StringIO(self.export(query, csv={"profile": "excel"}).read_text("utf-8-sig"), newline=""))
        self.assertEqual(row, ["-5.25", "-5.25", "-5.25", "-5", "-0.5", "-5.25", "-1.00", "'-5.25", "NaN"])

    def test_f05_xml_is_in_the_encoding_of_the_file(self):
        declared = """'<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>'::xml"""
        file = self.export(f"SELECT {declared} AS x")
        self.assertEqual(file.read_bytes(), "x\r\n<a>é</a>\r\n".encode())
        file = self.export(f"SELECT {declared} AS x", "--format", "ndjson")
        text = json.loads(file.read_bytes())["x"]
        self.assertEqual(xml.etree.ElementTree.fromstring(text.encode()).text, "é")

    def test_e03_columns_of_one_name(self):
        for format in ("parquet", "json", "ndjson"):
            self.assertIn('two columns are named "a"', self.refusal("SELECT 1 AS a, 2 AS a", "--format", format))
        file = self.export('SELECT 1 AS a, 2 AS "A"', format="parquet")
        self.assertEqual(pandas.read_parquet(file).values.tolist(), [[1, 2]])
        self.assertEqual(duckdb.sql(f"FROM '{file}'").fetchall(), [(1, 2)])

    def test_o5_files_of_a_directory_have_one_type(self):
        for format, read in (("csv", "csv"), ("ndjson", "json")):
            files = [self.export(f"SELECT v::float8 AS d, v::float4 AS f FROM unnest('{values}'::float8[]) AS v", format=format)
                     for values in ("{14,-3,2}", "{0.5,1e-7,100000}", "{1e16,0,-0}")]
            table = pyarrow.dataset.dataset([str(file) for file in files], format=read).to_table()
            self.assertEqual([str(type) for type in table.schema.types], ["double", "double"])
            self.assertEqual(sorted(table["d"].to_pylist()), [-3, -0.0, 0, 1e-7, 0.5, 2, 14, 100000, 1e16])
            for file in files:
                types = duckdb.sql(f"SELECT typeof(d), typeof(f) FROM read_{read}('{file}') LIMIT 1").fetchall()
                self.assertEqual(types, [("DOUBLE", "DOUBLE")], file.read_text())
        bare = self.export("SELECT 14::float8 AS d, 0.5::float4 AS f", csv={"whole_floats": "bare"})
        self.assertEqual(bare.read_bytes(), b"d,f\r\n14,0.5\r\n")

    def test_n2_wide_decimals_are_exact(self):
        number = "-1234567890123456789012345678901234567890.5000000000"
        self.server.sql(f"CREATE TABLE wide (n numeric(60,10), d numeric(38,2)); INSERT INTO wide VALUES ({number}, -5.25), (NULL, NULL)")
        file = self.export("SELECT n, d FROM wide", format="parquet")
        self.assertEqual([str(type) for type in pyarrow.parquet.read_schema(file).types], ["string", "decimal128(38, 2)"])
        self.assertEqual(duckdb.sql(f"SELECT n, d::text FROM '{file}' ORDER BY 1").fetchall(), [(number, "-5.25"), (None, None)])

    def test_row_groups_of_parquet_are_whole(self):
        """Full at the end of a batch; a long text; nothing but nulls; a dictionary that is given up in the middle of a group."""
        rows = 2 * 131_072
        file = self.export(
            "SELECT n, CASE WHEN n < 5000 THEN 'same' ELSE md5(n::text) END AS fades, NULL::text AS nothing, "
            f"CASE n WHEN 140000 THEN repeat('x', 10000000) ELSE n::text END AS long FROM generate_series(1, {rows}) n",
            format="parquet")
        metadata = pyarrow.parquet.read_metadata(file)
        self.assertEqual([metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)], [131_072, 131_072])
        table = pyarrow.parquet.read_table(file)
        table.validate(full=True)
        self.assertEqual(table["n"].to_pylist(), list(range(1, rows + 1)))
        self.assertEqual(table["nothing"].null_count, rows)
        self.assertEqual(table["long"][139_999].as_py(), "x" * 10_000_000)
        self.assertEqual(
            duckdb.sql("SELECT count(*), count(nothing), bool_and(fades = CASE WHEN n < 5000 THEN 'same' ELSE md5(n::text) END), "
                       f"count(*) FILTER (long = n::text) FROM '{file}'").fetchall(), [(rows, 0, True, rows - 1)])

    def test_n4_no_setting_does_nothing(self):
        rows = "SELECT i, md5(i::text) || repeat(md5((i % 7)::text), 9) AS t FROM generate_series(1, 20000) AS i"
        sizes = [self.export(rows, "--compression-level", level, format="parquet").stat().st_size for level in (1, 19)]
        self.assertLess(sizes[1], sizes[0])
        for flags, said in ((("--compression-level", "3"), "--compression-level is 3, and nothing is compressed"), (("--format", "json", "--null", "-"), "--null is for CSV"),
                            (("--format", "parquet", "--line-end", "lf"), "--line-end is for CSV"), (("--on-limit", "fail"), "no limit to act at"),
                            (("--limit", "3"), "--limit is not for exports of queries"), (("--time-limit", "3m"), "--time-limit is not for exports of queries"),
                            (("--format", "parquet", "--compression", "zip", "--compression-level", "19"), "--compression-level is 19, which only zstd has")):
            self.assertIn(said, self.refusal("SELECT 1 AS a", *flags))
        # What an export is configured with may be without use in a run that asks for another format.
        self.assertEqual(self.export("SELECT 1 AS a", "--format", "ndjson", compression="zstd", compression_level=15,
                                     csv={"null_marker": "-"}).suffixes, [".ndjson", ".zst"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
