#!/usr/bin/env python3
"""Exports through the program, read back by readers that others wrote."""
import contextlib
import csv
import decimal
import gzip
import io
import json
import random
import sqlite3
import subprocess
import unittest
import zipfile
import zoneinfo

import duckdb
import pandas
import pyarrow as pa
import pyarrow.parquet

from deployment import COLUMNS, UTC, Deployment, day, expected_rows, instant, make_messages

BEGIN, END = "2025-01-12", "2025-01-17"


def read_csv(text, null=""):
    """Python's csv reader cannot tell a null from an empty string: both come back as None."""
    return [{name: (value if value not in ("", null) else None) for name, value in row.items()}
            for row in csv.DictReader(io.StringIO(text, newline=""))]


class ExportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spillway = Deployment()
        cls.messages = make_messages(1, 3000) + make_messages(2, 500, organisation="other")
        cls.spillway.ingest(cls.messages[:2000], "a.ndjson")
        cls.spillway.ingest(cls.messages[2000:], "b.ndjson")
        cls.expected = expected_rows(cls.messages, "acme", day(BEGIN), day(END))
        cls.blank = [{name: value or None for name, value in row.items()} for row in cls.expected]

    @classmethod
    def tearDownClass(cls):
        cls.spillway.close()

    def export(self, *arguments, begin=BEGIN, end=END):
        job, directory = self.spillway.export("acme", begin, end, *arguments)
        counts = job["counts"]
        self.assertEqual(counts["planned"], counts["written"] + counts["excluded"] + counts["failed"])
        self.spillway.good("verify", directory, "--key", "signing.pem")
        files = sorted(p for p in directory.iterdir() if not p.name.startswith("manifest.json"))
        return job, files

    def one(self, *arguments, **options):
        job, files = self.export(*arguments, **options)
        self.assertEqual(len(files), 1)
        return files[0]

    def test_csv_by_python(self):
        text = self.one().read_bytes().decode()
        self.assertEqual(read_csv(text), self.blank)
        self.assertTrue(text.startswith(",".join(COLUMNS) + "\r\n"))

    def test_csv_tells_nulls_from_empty_strings(self):
        text = self.one("--null", "\\N").read_bytes().decode()
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        nulls = sum(row["channel"] == "\\N" for row in rows)
        self.assertEqual(nulls, sum(row["channel"] is None for row in self.expected))
        self.assertIn('"\\N"', text)  # The body that reads like the marker is quoted.

    def test_csv_by_duckdb(self):
        path = self.one()
        rows = duckdb.sql(f"SELECT * FROM read_csv('{path}', all_varchar=true, header=true, quote='\"', escape='\"', "
                          "nullstr='', allow_quoted_nulls=false)").fetchall()
        self.assertEqual(rows, [tuple(row.values()) for row in self.expected])

    def test_csv_by_pandas(self):
        frame = pandas.read_csv(self.one(), dtype=str, keep_default_na=False)
        self.assertEqual(list(frame["body"]), [row["body"] for row in self.expected])
        self.assertEqual(list(frame["message_id"]), [row["message_id"] for row in self.expected])

    def test_csv_of_one_column_keeps_empty_strings(self):
        path = self.one("--columns", "body", "--null", "\\N")
        bodies = [row["body"] for row in self.expected]
        self.assertIn("", bodies)
        with open(path, newline="", encoding="utf-8") as text:
            self.assertEqual([row["body"] for row in csv.DictReader(text)], bodies)
        frame = pandas.read_csv(path, dtype=str, keep_default_na=False)
        self.assertEqual(list(frame["body"]), bodies)
        rows = duckdb.sql(f"SELECT * FROM read_csv('{path}', all_varchar=true, header=true, quote='\"', escape='\"', "
                          "delim=',', nullstr='\\N', allow_quoted_nulls=false)").fetchall()
        self.assertEqual([body for body, in rows], bodies)

    def test_gzip(self):
        text = gzip.decompress(self.one("--compression", "gzip").read_bytes()).decode()
        self.assertEqual(read_csv(text), self.blank)

    def test_zstd(self):
        with pa.input_stream(str(self.one("--compression", "zstd")), compression="zstd") as stream:
            self.assertEqual(read_csv(stream.read().decode()), self.blank)

    def test_zip_has_a_member_a_day(self):
        path = self.one("--compression", "zip")
        subprocess.run(["unzip", "-tq", path], check=True, capture_output=True)
        rows = []
        with zipfile.ZipFile(path) as archive:
            self.assertIsNone(archive.testzip())
            names = archive.namelist()
            for name in names:
                member = read_csv(archive.read(name).decode())
                self.assertTrue(all(row["ts"].startswith(name.removesuffix(".csv")) for row in member))
                rows += member
        self.assertEqual(names, [f"2025-01-{d}.csv" for d in range(12, 17)])
        self.assertEqual(rows, self.blank)

    def test_json(self):
        rows = json.loads(self.one("--format", "json").read_bytes().decode(), parse_float=decimal.Decimal,
                          parse_int=decimal.Decimal)
        self.assertEqual(len(rows), len(self.expected))
        for row, expected in zip(rows, self.expected):
            if expected["price"] is not None:
                expected = {**expected, "price": decimal.Decimal(expected["price"])}
            self.assertEqual(row, expected)

    def test_ndjson_gzip(self):
        text = gzip.decompress(self.one("--format", "ndjson", "--compression", "gzip").read_bytes()).decode()
        self.assertEqual([json.loads(line)["body"] for line in text.splitlines()],
                         [row["body"] for row in self.expected])

    def test_parquet(self):
        path = self.one("--format", "parquet")
        table = pyarrow.parquet.read_table(path)
        self.assertEqual(table.column_names, COLUMNS)
        self.assertEqual(table["body"].to_pylist(), [row["body"] for row in self.expected])
        self.assertEqual([value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
                          for value in table["ts"].to_pylist()], [row["ts"] for row in self.expected])
        self.assertEqual([None if value is None else str(value) for value in table["price"].to_pylist()],
                         [row["price"] for row in self.expected])
        self.assertEqual(duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchall(), [(len(self.expected),)])

    def test_columns_and_names(self):
        text = self.one("--columns", "body,message_id=id").read_bytes().decode()
        self.assertEqual(read_csv(text)[0].keys(), {"body", "id"})
        self.assertEqual([row["id"] for row in read_csv(text)], [row["message_id"] for row in self.expected])

    def test_range_and_times_in_a_zone(self):
        zone = zoneinfo.ZoneInfo("America/St_Johns")
        path = self.one("--time-zone", "America/St_Johns")
        begin = day(BEGIN).replace(tzinfo=zone)
        end = day(END).replace(tzinfo=zone)
        expected = expected_rows(self.messages, "acme", begin, end, zone)
        self.assertEqual([row["ts"] for row in read_csv(path.read_bytes().decode())],
                         [row["ts"] for row in expected])

    def test_through_includes_its_day(self):
        job = self.spillway.json("run", "messages", "-o", "acme", "--from", BEGIN, "--through", "2025-01-16")
        self.assertEqual(job["counts"]["written"], len(self.expected))

    def test_instants_are_half_open(self):
        first, last = self.expected[10]["ts"], self.expected[20]["ts"]
        job, _ = self.export(begin=first, end=last)
        self.assertEqual(job["counts"]["written"], 10)

    def test_empty_range_has_a_header(self):
        self.assertEqual(self.one(begin="2024-01-01", end="2024-02-01").read_bytes(),
                         (",".join(COLUMNS) + "\r\n").encode())

    def test_empty_json_and_parquet(self):
        self.assertEqual(json.loads(self.one("-f", "json", begin="2024-01-01", end="2024-02-01").read_text()), [])
        table = pyarrow.parquet.read_table(self.one("-f", "parquet", begin="2024-01-01", end="2024-02-01"))
        self.assertEqual((table.num_rows, table.column_names), (0, COLUMNS))

    def test_split_by_rows(self):
        _, files = self.export("--rows-per-file", "400")
        tables = [read_csv(path.read_bytes().decode()) for path in files]
        self.assertEqual([len(rows) for rows in tables[:-1]], [400] * (len(tables) - 1))
        self.assertEqual(sum(tables, []), self.blank)

    def test_split_by_bytes(self):
        _, files = self.export("--bytes-per-file", "50kB")
        self.assertGreater(len(files), 3)
        self.assertTrue(all(path.stat().st_size <= 50_000 for path in files))
        self.assertEqual(sum((read_csv(path.read_bytes().decode()) for path in files), []), self.blank)

    def test_truncate_says_so(self):
        job, files = self.export("--rows-per-file", "100", "--on-limit", "truncate")
        self.assertEqual(job["counts"]["excluded"], len(self.expected) - 100)
        manifest = json.loads((files[0].parent / "manifest.json").read_text())
        self.assertEqual(manifest["errors"][0]["classification"], "excluded")
        self.assertEqual(read_csv(files[0].read_bytes().decode()), self.blank[:100])
        excluded = f"{len(self.expected) - 100:,}"
        listed = self.spillway.good("jobs", "list", "--limit", "1").out
        self.assertIn(f" 100 / {len(self.expected):,}, {excluded} excluded ", listed)
        directory = files[0].parent
        verified = self.spillway.json("verify", directory)
        self.assertEqual((verified["planned"], verified["rows"], verified["excluded"], verified["failed"]),
                         (len(self.expected), 100, len(self.expected) - 100, 0))
        self.assertEqual(verified["errors"], manifest["errors"])
        text = self.spillway.good("verify", directory).out
        self.assertIn(f"not in it, of {len(self.expected):,} rows planned: excluded {excluded}, failed 0", text)
        self.assertRegex(text, r"\n  excluded: \d+ rows: left out at limits.rows_per_file 100\n")

    def test_verify_says_nothing_of_what_is_not_excluded(self):
        _, files = self.export()
        self.assertNotIn("excluded", self.spillway.good("verify", files[0].parent).out)

    def test_what_a_recipe_has_counted_is_shown(self):
        job, _ = self.export()
        self.assertNotIn("counted:", self.spillway.good("jobs", "show", job["id"]).out)
        with contextlib.closing(sqlite3.connect(self.spillway.path / "state.db")) as state, state:  # No recipe here counts.
            state.execute("DROP TRIGGER job_documents_final")
            state.execute("UPDATE job_documents SET outcome = json_set(outcome, '$.tallies', json('{\"copied\": 1200, \"put\": 3}')) "
                          "WHERE job = (SELECT number FROM jobs WHERE id = ?)", (job["id"],))
        self.assertIn("\ncounted: copied 1,200, put 3\n", self.spillway.good("jobs", "show", job["id"]).out)
        self.assertEqual(self.spillway.json("jobs", "show", job["id"])["outcome"]["tallies"], {"copied": 1200, "put": 3})

    def test_fail_on_limit_leaves_nothing(self):
        before = self.spillway.files("exports")
        answer = self.spillway.call("run", "messages", "-o", "acme", "--from", BEGIN, "--to", END, "--rows-per-file",
                                    "101", "--on-limit", "fail")
        self.assertEqual(answer.code, 7)
        self.assertIn("rows_per_file 101", answer.err)
        self.assertEqual(self.spillway.files("exports"), before)

    def test_standard_output(self):
        answer = self.spillway.good("run", "messages", "-o", "acme", "--from", BEGIN, "--to", END, "--output", "-",
                                    text=False)
        self.assertEqual(read_csv(answer.out.decode()), self.blank)
        self.assertIn("planned", answer.err)

    def test_same_request_finds_the_run_that_is_under_way(self):
        request = ("run", "messages", "-o", "acme", "--from", BEGIN, "--to", END, "--null", "twice", "--detach")
        first, again, fresh = (self.spillway.json(*request), self.spillway.json(*request),
                               self.spillway.json(*request, "--fresh"))
        self.assertEqual((again["id"], again["created"]), (first["id"], False))
        self.assertEqual((fresh["run"], fresh["created"]), (2, True))
        self.spillway.good("jobs", "cancel", fresh["id"])
        self.assertEqual(self.spillway.json(*request)["run"], 3)
        self.spillway.good("worker", "--until-idle")

    def test_same_request_runs_anew_once_it_is_over(self):
        first, _ = self.export("--null", "idem")
        again, _ = self.export("--null", "idem")
        fresh, _ = self.export("--null", "idem", "--fresh")
        self.assertEqual([(job["task_id"], job["run"]) for job in (again, fresh)],
                         [(first["task_id"], 2), (first["task_id"], 3)])
        self.assertEqual(again["created"], True)

    def test_runs_are_byte_for_byte_alike(self):
        for compression in ("none", "gzip", "zstd", "zip"):
            first = self.one("-C", compression, "--fresh").read_bytes()
            self.assertEqual(first, self.one("-C", compression, "--fresh").read_bytes())

    def test_plan_estimates_bytes_whatever_parquet_makes_of_them(self):
        rng = random.Random(5)
        bodies = {"alike": lambda: "the same words in every message, " * 20, "unlike": lambda: rng.randbytes(100).hex()}
        for name, body in bodies.items():
            messages = make_messages(7, 4_000, organisation=name)
            for message in messages:
                message["body"] = body()
            self.spillway.ingest(messages, name)
        for name in bodies:
            for columns in (("--columns", "body"), ()):
                request = ("messages", "-o", name, "--from", BEGIN, "--to", END, *columns)
                written = len(self.spillway.good("run", *request, "--output", "-", text=False).out)
                estimate = self.spillway.json("plan", *request)["estimated_csv_bytes"]
                self.assertTrue(0.8 < estimate / written < 1.25, (name, columns, estimate, written))
        self.assertRegex(self.spillway.good("plan", *request).out, r"\noutput +\S+ \S+ estimated, as CSV\n")

    def test_plan_counts_exactly_and_skips(self):
        plan = self.spillway.json("plan", "messages", "-o", "acme", "--from", BEGIN, "--to", END)
        self.assertEqual(plan["rows"], len(self.expected))
        self.assertEqual(plan["partitions"], {"read": 5, "skipped": 5})

    def test_detached_job_is_done_by_workers(self):
        id = self.spillway.good("run", "messages", "-o", "acme", "--from", BEGIN, "--to", END, "--null", "detached",
                                "--detach").out.strip()
        workers = [self.spillway.start("worker", "--until-idle") for _ in range(2)]
        for worker in workers:
            _, err = worker.communicate(timeout=120)
            self.assertEqual(worker.returncode, 0, err)
        job = self.spillway.json("jobs", "show", id)
        self.assertEqual(job["state"], "succeeded")
        self.assertEqual([step["to"] for step in job["history"]], ["pending", "processing", "succeeded"])
        self.assertEqual(job["counts"]["written"], len(self.expected))

    def test_verify_finds_damage(self):
        path = self.one("--null", "damage")
        whole = path.read_bytes()
        for damage, word in ((whole[:-1], "bytes, not"), (whole[:50] + b"X" + whole[51:], "not those"), (None, "missing")):
            path.unlink() if damage is None else path.write_bytes(damage)
            answer = self.spillway.call("verify", path.parent)
            self.assertEqual(answer.code, 1)
            self.assertIn(word, answer.out)
        path.write_bytes(whole)
        manifest = path.parent / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"created_at": "2', '"created_at": "3'))
        answer = self.spillway.call("verify", path.parent, "--key", "signing.pem")
        self.assertEqual((answer.code, "signature" in answer.out), (1, True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
