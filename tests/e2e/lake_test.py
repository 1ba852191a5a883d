#!/usr/bin/env python3
"""The lake through the program: what others wrote is adopted, read and taken out again; what lies in a
directory is ingested; manifests tell nothing of the operator."""
import getpass
import json
import os
import pathlib
import socket
import unittest

import pyarrow
import pyarrow.parquet

from deployment import Deployment, make_messages, write_ndjson

CASES = pathlib.Path(__file__).parents[1] / "cases"
TWO_COLUMNS = "lake: {columns: [{name: ts, type: timestamp}, {name: s, type: string}]}\n"
JANUARY = ("-o", "acme", "--from", "2025-01-01", "--to", "2025-02-01")


class AdoptTest(unittest.TestCase):
    def setUp(self):
        self.spillway = Deployment(TWO_COLUMNS)
        self.directory = self.spillway.path / "lake" / "org=acme" / "day=2025-01-10"

    def tearDown(self):
        self.spillway.close()

    def write(self, name, rows=10):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        start = 1_736_467_200_000_000  # 2025-01-10
        times = pyarrow.array([start + i for i in range(rows)], pyarrow.timestamp("us", "UTC"))
        pyarrow.parquet.write_table(pyarrow.table({"ts": times, "s": [str(i) for i in range(rows)]}), path)

    def put(self, name, source):
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / name).write_bytes((CASES / source).read_bytes())

    def read(self):
        answer = self.spillway.good("run", "messages", *JANUARY, "--columns", "s", "-f", "ndjson", "--output", "-")
        return [json.loads(line)["s"] for line in answer.out.splitlines()]

    def test_g10_spark_leaves_more_than_data(self):
        self.write("part-0.parquet")
        self.write("_temporary/0/task_0/part-0.parquet")
        self.write(".hidden.parquet")
        (self.directory / ".part-0.parquet.crc").write_bytes(b"crc")
        (self.directory / "_SUCCESS").touch()
        report = self.spillway.json("adopt")
        self.assertEqual((report["files"], report["rows"], report["hidden"]["files"]), (1, 10, 4))
        self.assertEqual(len(self.read()), 10)
        self.assertIn("passed over 4 files that are hidden", self.spillway.good("adopt").out)

    def test_g03_odd_forms_are_read(self):
        self.put("a.parquet", "g02-bitpacked-levels.parquet")
        self.spillway.good("adopt")
        self.assertEqual(self.read(), ["aa", "b", "", "dddd"] * 2)
        self.spillway.good("lake", "remove", "org=acme/day=2025-01-10/")
        self.put("b.parquet", "g02-zero-bp-run-mid.parquet")
        self.spillway.good("adopt")
        self.assertEqual(self.read(), ["aa", "b", None, None])
        self.spillway.good("lake", "remove", "org=acme/day=2025-01-10/b.parquet")
        self.put("c.parquet", "g02-dict-zero-index-run.parquet")
        self.spillway.good("adopt")
        self.assertEqual(self.read(), ["x", "yy", "zzz", "x"])

    def test_g03_a_file_that_does_not_read_is_refused(self):
        self.write("good.parquet")
        whole = (CASES / "g02-dict-zero-index-run.parquet").read_bytes()
        (self.directory / "bad.parquet").write_bytes(whole.replace(b"\x02\x00\x00\x03\x24", b"\x02\x00\x00\x03\x3c"))
        answer = self.spillway.call("adopt")
        self.assertEqual(answer.code, 2)
        self.assertIn("bad.parquet cannot be adopted: it cannot be read: column 's' has a page", answer.err)
        self.assertNotIn("backup", answer.err)
        self.assertEqual(self.spillway.call("plan", "messages", *JANUARY).code, 3)

    def test_g03_remove(self):
        self.write("a.parquet", 3)
        self.write("b.parquet", 4)
        self.spillway.good("adopt")
        key = "org=acme/day=2025-01-10/a.parquet"
        answer = self.spillway.call("lake", "remove", key, "org=acme/c.parquet")
        self.assertEqual(answer.code, 3)
        self.assertIn("is not in the lake", answer.err)
        self.assertEqual(len(self.read()), 7)
        report = self.spillway.json("lake", "remove", key)
        self.assertEqual((report["files"], report["rows"], report["lake_version"]), (1, 3, 2))
        self.assertEqual(len(self.read()), 4)
        self.assertIn("was taken out of the lake before", self.spillway.call("lake", "remove", key).err)
        self.assertEqual(self.spillway.json("adopt")["taken_out"], {"files": 1, "first": key})
        self.assertTrue((self.spillway.path / "lake" / key).exists())

    def test_g03_what_was_ingested_stays(self):
        (self.spillway.path / "m.ndjson").write_text('{"organisation": "acme", "ts": "2025-01-10T00:00:00Z", "s": "x"}\n')
        self.spillway.good("ingest", "m.ndjson")
        [own] = [name for name in self.spillway.files("lake") if name.endswith(".parquet")]
        answer = self.spillway.call("lake", "remove", own)
        self.assertEqual(answer.code, 2)
        self.assertIn("was written by Spillway itself", answer.err)
        self.assertEqual(self.read(), ["x"])

    def test_g09_hives_null_is_no_organisation(self):
        self.write("../../org=__HIVE_DEFAULT_PARTITION__/x.parquet")
        answer = self.spillway.call("adopt")
        self.assertEqual(answer.code, 2)
        self.assertIn("stands for rows without an organisation", answer.err)


class IngestInputTest(unittest.TestCase):
    def setUp(self):
        self.spillway = Deployment()
        self.directory = self.spillway.path / "in"
        self.directory.mkdir()

    def tearDown(self):
        self.spillway.close()

    def rows(self, *arguments):
        return [report["rows"] for report in self.spillway.json("ingest", *arguments)]

    def test_a01_a02_a04_compressed_cases(self):
        for name in ("a01-pzstd.ndjson.zst", "a02-long28.ndjson.zst", "a04-zeropad1.ndjson.gz"):
            self.assertEqual(self.rows(CASES / name, "--batch-id", name), [50])

    def test_c02_leap_seconds_and_long_fractions(self):
        self.assertEqual(self.rows(CASES / "c03-rfc3339.ndjson"), [2])
        answer = self.spillway.good("run", "messages", "-o", "acme", "--from", "2016-01-01", "--to", "2026-01-01", "--columns",
                                    "message_id,ts", "-f", "ndjson", "--output", "-")
        times = {row["message_id"]: row["ts"] for row in map(json.loads, answer.out.splitlines())}
        self.assertEqual({id: time[:19] for id, time in times.items()}, {"1": "2017-01-01T00:00:00", "2": "2025-01-01T00:00:00"})

    def test_f06_the_end_of_time_can_be_exported(self):
        (self.directory / "end.ndjson").write_text('{"organisation": "acme", "ts": "9999-12-31T23:59:59.999999Z", "message_id": "last"}\n')
        self.assertEqual(self.rows(self.directory / "end.ndjson"), [1])
        answer = self.spillway.good("run", "messages", "-o", "acme", "--from", "9999-01-01", "--through", "9999-12-31", "--columns",
                                    "message_id,ts", "-f", "ndjson", "--output", "-")
        self.assertEqual(json.loads(answer.out)["ts"], "9999-12-31T23:59:59.999999Z")

    def test_n1_directories_are_read_whole(self):
        for place, seed in (("a", 1), ("sub/b", 2), ("sub/sub/c", 3), (".hidden/d", 4), ("_temporary/0/e", 5), ("sub/.f", 6)):
            (self.directory / place).parent.mkdir(parents=True, exist_ok=True)
            write_ndjson((self.directory / place).with_name(pathlib.Path(place).name + ".ndjson"), make_messages(seed, 10 * seed))
        (self.directory / "sub" / "loop").symlink_to("..")
        os.mkfifo(self.directory / "pipe")
        answer = self.spillway.good("--json", "ingest", "in")
        self.assertEqual([report["rows"] for report in json.loads(answer.out)], [10, 20, 30])
        self.assertIn("passed over 3 hidden files and directories", answer.err)
        self.assertIn("passed over 1 pipes, sockets and devices; the first: in/pipe", answer.err)

    def test_n1_what_cannot_be_read_ends_it_first(self):
        write_ndjson(self.directory / "a.ndjson", make_messages(1, 10))
        (self.directory / "b.ndjson").symlink_to("nowhere")
        answer = self.spillway.call("ingest", "in")
        self.assertEqual(answer.code, 3)
        self.assertIn("in/b.ndjson", answer.err)
        self.assertEqual(self.spillway.call("plan", "messages", *JANUARY).code, 3)

    def test_n3_a_manifest_says_nothing_of_the_operator(self):
        write_ndjson(self.directory / "a.ndjson", make_messages(1, 100))
        self.spillway.good("ingest", "in")
        for arguments in ((), ("-C", "zip"), ("-f", "parquet"), ("-C", "gzip")):
            job, directory = self.spillway.export("acme", "2025-01-01", "2025-02-01", *arguments)
            record = self.spillway.json("jobs", "show", job["id"])
            self.assertEqual(record["requested_by"], getpass.getuser())
            self.assertEqual(pathlib.Path(record["parameters"]["destination"]), self.spillway.path / "exports")
            for path in directory.iterdir():
                content = path.read_bytes()
                for fact in (str(self.spillway.path), "requested_by", "destination"):
                    self.assertNotIn(fact.encode(), content, path)
            for fact in (f'"{getpass.getuser()}"', socket.gethostname()):
                self.assertNotIn(fact, (directory / "manifest.json").read_text())
            self.spillway.good("verify", directory, "--key", "signing.pem")

    def test_n3_manifests_of_version_0_1_still_verify(self):
        write_ndjson(self.directory / "a.ndjson", make_messages(1, 100))
        self.spillway.good("ingest", "in")
        _, directory = self.spillway.export("acme", "2025-01-01", "2025-02-01")
        manifest = json.loads((directory / "manifest.json").read_text())
        manifest["job"]["requested_by"] = "ada"
        manifest["job"]["parameters"]["destination"] = "/srv/exports"
        (directory / "manifest.json").write_text(json.dumps(manifest))
        (directory / "manifest.json.sig").unlink()
        self.spillway.good("verify", directory)


class ShowTest(unittest.TestCase):
    def setUp(self):
        self.spillway = Deployment()

    def tearDown(self):
        self.spillway.close()

    def test_what_a_lake_holds(self):
        self.assertIn("there is no lake at", self.spillway.call("lake", "show").err)
        self.spillway.ingest(make_messages(1, 300, "acme", begin="2025-01-10", days=10), "a")
        self.spillway.ingest(make_messages(2, 50, "globex", begin="2024-12-31", days=1), "b")
        files = list((self.spillway.path / "lake").rglob("*.parquet"))
        sizes = {name: [file.stat().st_size for file in files if f"org={name}" in str(file)] for name in ("acme", "globex")}
        for file in files:  # The log says it all.
            file.unlink()
        shown = self.spillway.json("lake", "show")
        self.assertEqual(shown, {
            "lake_version": 2, "rows": 350, "files": len(files), "bytes": sum(map(sum, sizes.values())),
            "organisations": [{"organisation": name, "first_day": first, "last_day": last, "rows": rows,
                               "files": len(sizes[name]), "bytes": sum(sizes[name])}
                              for name, first, last, rows in (("acme", "2025-01-10", "2025-01-19", 300),
                                                              ("globex", "2024-12-31", "2024-12-31", 50))]})
        self.assertEqual([each["rows"] for each in self.spillway.json("lake", "show", "-o", "globex")["organisations"]], [50])
        lines = self.spillway.good("lake", "show").out.splitlines()
        self.assertRegex(lines[0], r"^2025-01-10 to 2025-01-19 +300 messages +10 files .*  acme$")
        self.assertRegex(lines[2], r"^lake version 2 +350 messages +11 files .*  of 2 organisations$")
        unknown = self.spillway.call("lake", "show", "--organisation", "acmee")
        self.assertEqual(unknown.code, 3)
        self.assertIn('did you mean "acme"?', unknown.err)


if __name__ == "__main__":
    unittest.main(verbosity=2)
