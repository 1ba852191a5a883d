#!/usr/bin/env python3
"""Times that are far away, through the program: offsets after 2037, and years before 0000 and after 9999."""
import csv
import json
import shutil
import unittest
import zipfile

import pyarrow.parquet

from deployment import Deployment
from postgres import PostgresServer


class FarFutureTest(unittest.TestCase):
    """D01: the rules of zones go on after the last change that the system's files list."""

    def setUp(self):
        self.spillway = Deployment()
        self.addCleanup(self.spillway.close)
        self.spillway.ingest([{"organisation": "acme", "ts": ts, "message_id": str(number)} for number, ts in enumerate(
            ["2050-07-01T21:59:59Z", "2050-07-01T22:00:00Z", "2050-07-01T22:30:00Z", "2050-07-02T21:59:59Z",
             "2050-07-02T22:00:00Z", "2050-12-31T23:00:00Z", "2099-07-01T22:30:00Z"])])

    def rows(self, directory):
        (path,) = directory.glob("*.csv")
        with open(path, newline="", encoding="utf-8") as text:
            return [(row["message_id"], row["ts"]) for row in csv.DictReader(text)]

    def test_d01_offsets_and_ranges(self):
        job = self.spillway.json("run", "messages", "-o", "acme", "--time-zone", "Europe/Berlin", "--from", "2050-07-02", "--through",
                                 "2050-07-02")
        directory = self.spillway.path / job["directory"]
        self.assertEqual(self.rows(directory), [("1", "2050-07-02T00:00:00.000000+02:00"), ("2", "2050-07-02T00:30:00.000000+02:00"),
                                                ("3", "2050-07-02T23:59:59.000000+02:00")])
        self.assertIn("messages_2050-07-02_2050-07-02.csv", self.spillway.files(job["directory"]))

    def test_d01_days_of_zips(self):
        job = self.spillway.json("run", "messages", "-o", "acme", "--time-zone", "Europe/Berlin", "--from", "2050-01-01", "--through",
                                 "2099-12-31", "--compression", "zip")
        (archive,) = (self.spillway.path / job["directory"]).glob("*.zip")
        with zipfile.ZipFile(archive) as members:
            self.assertEqual(members.namelist(), ["2050-07-01.csv", "2050-07-02.csv", "2050-07-03.csv", "2051-01-01.csv", "2099-07-02.csv"])
            self.assertIn(b"2051-01-01T00:00:00.000000+01:00", members.read("2051-01-01.csv"))
            self.assertIn(b"2099-07-02T00:30:00.000000+02:00", members.read("2099-07-02.csv"))


class EndsOfTimeTest(unittest.TestCase):
    """F06: years that RFC 3339 has not, of every type, in every format."""

    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()
        cls.server.sql("""CREATE TABLE ends (id int, at timestamptz, local timestamp, day date);
            INSERT INTO ends VALUES (1, '9999-12-31 23:59:59+00', '9999-12-31 23:59:59', '9999-12-31'),
              (2, '10000-01-01 00:00:00+00', '10000-01-01', '10000-01-01'), (3, '0001-01-01 00:00:00+00 BC', '0001-01-01 BC', '0001-01-01 BC'),
              (4, '0044-03-15 12:00:00+00 BC', '0044-03-15 12:00:00 BC', '0044-03-15 BC'),
              (5, '294246-12-31 12:00:00.5+00', '294246-12-31 12:00:00.5', '5874897-12-31'),
              (6, '4713-01-01 00:00:00+00 BC', '4713-01-01 BC', '4713-01-01 BC'), (7, '2025-07-01 00:00:00+00', '2025-07-01', '2025-07-01')""")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        shutil.rmtree(cls.server.folder, ignore_errors=True)

    EXPECTED = [
        ("1", "+10000-01-01T00:59:59.000000+01:00", "9999-12-31T23:59:59.000000", "9999-12-31"),
        ("2", "+10000-01-01T01:00:00.000000+01:00", "+10000-01-01T00:00:00.000000", "+10000-01-01"),
        ("3", "0000-01-01T00:53:00.000000+00:53", "0000-01-01T00:00:00.000000", "0000-01-01"),
        ("4", "-0043-03-15T12:53:00.000000+00:53", "-0043-03-15T12:00:00.000000", "-0043-03-15"),
        ("5", "+294246-12-31T13:00:00.500000+01:00", "+294246-12-31T12:00:00.500000", "+5874897-12-31"),
        ("6", "-4712-01-01T00:53:00.000000+00:53", "-4712-01-01T00:00:00.000000", "-4712-01-01"),
        ("7", "2025-07-01T02:00:00.000000+02:00", "2025-07-01T00:00:00.000000", "2025-07-01"),
    ]

    def export(self, query="SELECT * FROM ends ORDER BY id", **options):
        spillway = Deployment(json.dumps({
            "databases": {"shop": {"url": self.server.url()}},
            "exports": {"ends": {"recipe": "query_export", "database": "shop", "query": query, "time_zone": "Europe/Berlin", **options}}}))
        self.addCleanup(spillway.close)
        return spillway

    def file(self, **options):
        spillway = self.export(**options)
        job = spillway.json("run", "ends")
        self.assertEqual(job["state"], "succeeded", job)
        directory = spillway.path / job["directory"]
        spillway.good("verify", directory, "--key", spillway.path / "signing.pem")
        (path,) = [path for path in directory.iterdir() if not path.name.startswith("manifest.json")]
        return path

    def test_f06_csv(self):
        for quoting in ({}, {"csv": {"quoting": "all"}}):
            with open(self.file(format="csv", **quoting), newline="", encoding="utf-8") as text:
                self.assertEqual([tuple(row) for row in csv.reader(text)][1:], self.EXPECTED)

    def test_f06_json(self):
        rows = json.loads(self.file(format="json").read_text())
        lines = [json.loads(line) for line in self.file(format="ndjson").read_text().splitlines()]
        for read in (rows, lines):
            self.assertEqual([(str(row["id"]), row["at"], row["local"], row["day"]) for row in read], self.EXPECTED)

    def test_f06_parquet_has_numbers(self):
        table = pyarrow.parquet.read_table(self.file(format="parquet"))
        self.assertEqual(table["at"].cast("int64")[0].as_py(), 253_402_300_799_000_000)
        self.assertEqual(table["local"].cast("int64")[3].as_py(), -63_517_780_800_000_000)
        self.assertEqual(table["day"].cast("int32")[1].as_py(), 2_932_897)

    def test_f06_what_has_no_place_is_named_with_a_remedy(self):
        for value, what, remedy in [
                ("'infinity'::timestamptz", "infinity", 'CASE WHEN isfinite("v") THEN "v" END'),
                ("'-infinity'::date", "infinity", 'CASE WHEN isfinite("v") THEN "v" END'),
                ("'infinity'::timestamp", "infinity", 'CASE WHEN isfinite("v") THEN "v" END'),
                ("'24:00:00'::time", "24:00:00", "nullif(\"v\", '24:00')"),
                ("'NaN'::numeric(5,2)", "NaN", "nullif(\"v\", 'NaN')")]:
            spillway = self.export(query=f"SELECT {value} AS v")
            answer = spillway.call("run", "ends")
            self.assertNotEqual(answer.code, 0)
            self.assertIn(f'column "v", row 1: {what} has no place in ', answer.err + answer.out)
            self.assertIn(remedy, answer.err + answer.out)
            kept = self.export(query=f"SELECT {remedy} AS v FROM (SELECT {value} AS v) AS t", csv={"null_marker": "NULL"})
            job = kept.json("run", "ends")
            self.assertEqual(job["state"], "succeeded", job)
            (path,) = (kept.path / job["directory"]).glob("*.csv")
            self.assertEqual(path.read_text().split(), ["v", "NULL"])


if __name__ == "__main__":
    unittest.main()
