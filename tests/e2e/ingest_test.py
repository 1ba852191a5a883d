#!/usr/bin/env python3
"""Ingest through the program: exactly once, and every bad line accounted for."""
import datetime
import decimal
import gzip
import json
import shutil
import unittest

import pyarrow.parquet

from deployment import COLUMNS, Deployment, make_messages, write_ndjson


class IngestTest(unittest.TestCase):
    def setUp(self):
        self.spillway = Deployment()

    def tearDown(self):
        self.spillway.close()

    def rows(self, organisation="acme"):
        return self.spillway.json("plan", "messages", "-o", organisation, "--from", "1971-01-01", "--to",
                                  "2100-01-01")["rows"]

    def rejects(self, line, config=""):
        """Ingests one good line and the given one; returns why the latter was refused."""
        good = json.dumps(make_messages(1, 1)[0])
        raw = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
        (self.spillway.path / "bad.ndjson").write_bytes(good.encode() + b"\n" + raw + b"\n" + good.encode()[:-1] + b"}\n")
        if config:
            (self.spillway.path / "spillway.yaml").write_text(config)
        answer = self.spillway.call("--json", "ingest", "bad.ndjson")
        self.assertEqual(answer.code, 9, answer.err)
        report = json.loads(answer.out)[0]
        self.assertEqual((report["lines"], report["rows"], report["rejected"]), (3, 2, 1))
        refusals = (self.spillway.path / "bad.ndjson.rejects.ndjson").read_text(encoding="utf-8")
        refused = [json.loads(text) for text in refusals.splitlines()]
        self.assertEqual([reject["line"] for reject in refused], [2])
        self.assertEqual(self.rows(), 2)
        return refused[0]["reason"]

    def changed(self, **fields):
        return json.dumps({**make_messages(2, 1)[0], **fields})

    def test_twice_adds_nothing(self):
        messages = make_messages(1, 500)
        first = self.spillway.ingest(messages)
        self.assertEqual((first["rows"], first["duplicate"]), (500, False))
        write_ndjson(self.spillway.path / "copy.ndjson", messages)
        again = self.spillway.json("ingest", "copy.ndjson")[0]
        self.assertEqual((again["rows"], again["duplicate"]), (0, True))
        self.assertEqual(self.rows(), 500)

    def test_an_empty_input_is_told(self):
        for name, text, lines, told in (("none", b"", 0, "is empty"), ("blank", b"\n \n\n", 3, "has blank lines only"),
                                        ("none.gz", gzip.compress(b""), 0, "is empty")):
            (self.spillway.path / name).write_bytes(text)
            self.assertEqual(self.spillway.good("ingest", name).out, f"{name}: 0 messages; the input {told}\n")
            report = self.spillway.json("ingest", name)[0]
            self.assertEqual((report["empty"], report["rows"], report["lines"], report["duplicate"]), (True, 0, lines, False))
        self.assertEqual(self.spillway.good("ingest", "-", stdin=b"").out, "-: 0 messages; the input is empty\n")
        self.assertFalse(self.spillway.ingest(make_messages(1, 1), "one.ndjson")["empty"])
        self.assertFalse(self.spillway.json("ingest", "one.ndjson")[0]["empty"], "it is a duplicate")
        (self.spillway.path / "bad").write_text("no JSON\n")
        self.assertFalse(json.loads(self.spillway.call("--json", "ingest", "bad").out)[0]["empty"])

    def test_batch_ids_decide(self):
        self.spillway.ingest(make_messages(1, 100), "a.ndjson", "--batch-id", "monday")
        again = self.spillway.ingest(make_messages(2, 100), "b.ndjson", "--batch-id", "monday")
        self.assertTrue(again["duplicate"])
        self.assertEqual(self.rows(), 100)

    def test_directory_gzip_and_standard_input(self):
        directory = self.spillway.path / "incoming"
        directory.mkdir()
        write_ndjson(directory / "1.ndjson", make_messages(1, 50))
        write_ndjson(self.spillway.path / "2.ndjson", make_messages(2, 60))
        (directory / "2.ndjson.gz").write_bytes(gzip.compress((self.spillway.path / "2.ndjson").read_bytes()))
        self.assertEqual([report["rows"] for report in self.spillway.json("ingest", "incoming")], [50, 60])
        text = "".join(json.dumps(message) + "\n" for message in make_messages(3, 70))
        self.assertEqual(self.spillway.json("ingest", "-", stdin=text.encode())[0]["rows"], 70)
        self.assertEqual(self.rows(), 180)

    def test_damaged_gzip_adds_nothing(self):
        write_ndjson(self.spillway.path / "m.ndjson", make_messages(1, 5000))
        whole = gzip.compress((self.spillway.path / "m.ndjson").read_bytes())
        (self.spillway.path / "cut.gz").write_bytes(whole[:len(whole) // 2])
        answer = self.spillway.call("ingest", "cut.gz")
        self.assertEqual(answer.code, 5)
        self.assertIn("cut.gz", answer.err)
        self.assertEqual(len(answer.err.splitlines()), 1)
        self.assertEqual([name for name in self.spillway.files("lake") if name.endswith(".parquet")], [])

    def test_hostile_organisation_names_stay_inside(self):
        names = ["../../etc", "a=b", "a/b", "nul\0byte", "🙂", ".", "..", "org%2Fx", "A" * 900, " ", "Ünïcode"]
        messages = [{**message, "organisation": name}
                    for i, name in enumerate(names) for message in make_messages(i, 3)]
        self.assertEqual(self.spillway.ingest(messages)["rows"], 3 * len(names))
        for name in names:
            if "\0" not in name:  # A command line cannot carry it.
                self.assertEqual(self.rows(name), 3, name)
        outside = [path for path in self.spillway.path.parent.glob("etc*")]
        self.assertEqual(outside, [])
        job, directory = self.spillway.export("../../etc", "2025-01-01", "2025-02-01")
        self.assertTrue(directory.is_relative_to(self.spillway.path / "exports"))
        self.assertEqual(job["counts"]["written"], 3)

    def test_reasons(self):
        for line, word in [
                ("not json", "JSON"),
                ("[1, 2]", "object"),
                (self.changed(ts="yesterday"), "ts"),
                (self.changed(ts=None), "ts"),
                (self.changed(organisation=None), "organisation"),
                (self.changed(price="12.34567"), "price"),
                (self.changed(price="99999999.5"), "price"),
                (self.changed(sender=12), "sender"),
                (self.changed(surprise=1), "surprise"),
                (self.changed()[:-1] + ', "body": "again"}', "body"),
                (self.changed(body="x").encode().replace(b'"x"', b'"\xff\xfe"'), "UTF-8"),
                (self.changed(body="y" * 2_000_000), "bytes"),
        ]:
            with self.subTest(word=word, line=line[:60]):
                self.tearDown()
                self.setUp()
                self.assertIn(word, self.rejects(line))

    def refusals(self, name):
        text = (self.spillway.path / name).read_text(encoding="utf-8")
        return [(reject["input"], reject["line"]) for reject in map(json.loads, text.splitlines())]

    def test_no_list_of_refused_lines_is_lost(self):
        for name in ("a.ndjson", "b.ndjson"):
            (self.spillway.path / name).write_text(f"no message {name}\n")
        self.assertEqual(self.spillway.call("ingest", "a.ndjson", "b.ndjson", "--rejects", "r").code, 9)
        self.assertEqual(self.refusals("r"), [("a.ndjson", 1), ("b.ndjson", 1)])
        for text in (b"x\ny\n", b"z\n"):
            self.assertEqual(self.spillway.call("ingest", "-", stdin=text).code, 9)
        self.assertEqual(self.refusals("stdin.rejects.ndjson"),
                         [("standard input", 1), ("standard input", 2), ("standard input", 1)])
        # A run that was killed may have left half a line.
        with open(self.spillway.path / "r", "ab") as rejects:
            rejects.write(b'{"input"')
        self.assertEqual(self.spillway.call("ingest", "b.ndjson", "--rejects", "r").code, 9)
        last = (self.spillway.path / "r").read_text(encoding="utf-8").splitlines()[-1]
        self.assertEqual(json.loads(last)["input"], "b.ndjson")
        # If the list of refused lines cannot be written, nothing is added.
        write_ndjson(self.spillway.path / "c.ndjson", make_messages(1, 10))
        with open(self.spillway.path / "c.ndjson", "a", encoding="utf-8") as lines:
            lines.write("no message\n")
        self.assertEqual(self.spillway.call("ingest", "c.ndjson", "--rejects", "/dev/full").code, 7)
        self.assertEqual([name for name in self.spillway.files("lake") if name.endswith(".parquet")], [])

    def test_lists_of_refused_lines_are_no_input(self):
        directory = self.spillway.path / "incoming"
        directory.mkdir()
        write_ndjson(directory / "1.ndjson", make_messages(1, 50))
        with open(directory / "1.ndjson", "a", encoding="utf-8") as lines:
            lines.write("no message\n")
        self.assertEqual(self.spillway.call("ingest", "incoming").code, 9)
        self.assertEqual(len(self.spillway.json("ingest", "incoming")), 1)
        self.assertEqual(self.refusals("incoming/1.ndjson.rejects.ndjson"), [("incoming/1.ndjson", 51)])

    def test_numbers_beyond_two_to_the_53(self):
        columns = "[{name: ts, type: timestamp}, {name: big, type: int64}, {name: real, type: double}]"
        config = f"lake: {{columns: {columns}}}\n"
        (self.spillway.path / "spillway.yaml").write_text(config)
        line = '{"organisation": "acme", "ts": "2025-01-01T00:00:00Z", "big": %s, "real": %s}\n'
        good = line % (9007199254740993, 1.5) + line % (-9223372036854775808, "null")
        bad = line % (9223372036854775808, 1.5) + line % (1, 9007199254740993)
        (self.spillway.path / "n.ndjson").write_text(good + bad)
        self.assertEqual(self.spillway.call("ingest", "n.ndjson").code, 9)
        answer = self.spillway.good("run", "messages", "-o", "acme", "--from", "2025-01-01", "--to", "2025-01-02",
                                    "--columns", "big", "--output", "-")
        self.assertEqual(answer.out.split(), ["big", "9007199254740993", "-9223372036854775808"])

    def test_every_type_goes_through(self):
        types = {"ts": "timestamp", "text": "string", "whole": "int64", "real": "double", "yes": "bool",
                 "on": "date", "exact": "decimal(20,5)"}
        columns = ", ".join(f"{{name: {name}, type: '{type}'}}" for name, type in types.items())
        (self.spillway.path / "spillway.yaml").write_text(f"lake: {{columns: [{columns}]}}\n")
        row = {"ts": "2025-01-01T00:00:00.000000Z", "text": "é", "whole": -5, "real": 0.5, "yes": True,
               "on": "2024-02-29", "exact": "12.30000"}
        nothing = {**dict.fromkeys(types), "ts": "2025-01-01T00:00:01.000000Z"}
        with open(self.spillway.path / "t.ndjson", "w", encoding="utf-8") as lines:
            for line in (row, nothing):
                lines.write(json.dumps({"organisation": "acme", **line}) + "\n")
        self.assertEqual(self.spillway.json("ingest", "t.ndjson")[0]["rows"], 2)
        for format in ("csv", "json", "ndjson", "parquet"):
            _, directory = self.spillway.export("acme", "2025-01-01", "2025-01-02", "-f", format)
            path = next(path for path in directory.iterdir() if path.suffix == "." + format)
            if format == "csv":
                self.assertEqual(path.read_text(encoding="utf-8").splitlines()[1:],
                                 ["2025-01-01T00:00:00.000000Z,é,-5,0.5,true,2024-02-29,12.30000",
                                  "2025-01-01T00:00:01.000000Z,,,,,,"])
            elif format == "parquet":
                value = pyarrow.parquet.read_table(path).to_pylist()
                self.assertEqual(value[0], {
                    "ts": datetime.datetime(2025, 1, 1, tzinfo=datetime.timezone.utc), "text": "é", "whole": -5,
                    "real": 0.5, "yes": True, "on": datetime.date(2024, 2, 29), "exact": decimal.Decimal("12.30000")})
                self.assertEqual(set(list(value[1].values())[1:]), {None})
            else:
                text = path.read_text(encoding="utf-8")
                values = json.loads(text) if format == "json" else [json.loads(line) for line in text.splitlines()]
                self.assertEqual(values, [{**row, "exact": 12.3}, nothing])

    def test_compaction_changes_no_row(self):
        for seed in range(8):
            self.spillway.ingest(make_messages(seed, 300), f"{seed}.ndjson")
        read = lambda: self.spillway.good("run", "messages", "-o", "acme", "--from", "2025-01-01", "--to",
                                          "2025-02-01", "--output", "-").out
        before = sorted(read().split("\r\n"))
        plan = ("plan", "messages", "-o", "acme", "--from", "2025-01-01", "--to", "2025-02-01")
        files = self.spillway.json(*plan)["files"]["read"]
        self.spillway.good("compact")
        self.assertLess(self.spillway.json(*plan)["files"]["read"], files)
        self.assertEqual(sorted(read().split("\r\n")), before)


    def test_vacuum_leaves_time_to_writers(self):
        self.spillway.ingest(make_messages(1, 100))
        self.make_state()
        answer = self.spillway.call("compact", "--vacuum", "59m")
        self.assertEqual(answer.code, 2)
        self.assertIn("--no-other-writers", answer.err)
        self.spillway.good("compact", "--vacuum", "1h")
        self.spillway.good("compact", "--vacuum", "0s", "--no-other-writers")
        self.assertEqual(self.rows(), 100)

    def make_state(self):
        self.spillway.good("worker", "--until-idle")

    def test_vacuum_asks_a_state_that_is_there(self):
        for seed in range(3):
            self.spillway.ingest(make_messages(seed, 50, days=1), f"{seed}.ndjson")
        self.make_state()
        before = self.spillway.files("lake")
        vacuum = ("compact", "--vacuum", "0s", "--no-other-writers")
        mistyped = {"SPILLWAY_STATE": "stale.db"}
        answer = self.spillway.call(*vacuum, env=mistyped)
        self.assertEqual(answer.code, 3, answer.err)
        self.assertIn(f"there is no state at {self.spillway.path / 'stale.db'}", answer.err)
        self.assertEqual(self.spillway.files("lake"), before, "nothing was merged either")
        self.spillway.good("compact", env=mistyped)
        self.spillway.good(*vacuum)

    def test_vacuum_keeps_what_a_failed_export_may_still_read(self):
        for seed in range(4):
            self.spillway.ingest(make_messages(seed, 50, days=1), f"{seed}.ndjson")
        path = next((self.spillway.path / "lake").rglob("*.parquet"))
        kept = self.spillway.path / "kept.parquet"
        shutil.move(path, kept)
        answer = self.spillway.call("run", "messages", "-o", "acme", "--from", "2025-01-01", "--to", "2025-02-01")
        self.assertIn("a vacuum removed it", answer.err)
        self.assertIn("run the export again", answer.err)
        job = self.spillway.json("jobs", "list", "--state", "failed")["jobs"][0]["id"]
        shutil.move(kept, path)
        vacuum = ("compact", "--vacuum", "0s", "--no-other-writers")
        self.assertIn("kept what 1 exports", self.spillway.good(*vacuum).out)
        self.assertEqual(self.spillway.json(*vacuum)["jobs_that_may_read"], 1)
        self.spillway.good("jobs", "redrive", job)
        self.spillway.good("worker", "--until-idle")
        job = self.spillway.json("jobs", "show", job)
        self.assertEqual((job["state"], job["counts"]["written"]), ("succeeded", 200))
        report = self.spillway.json(*vacuum)
        self.assertEqual((report["vacuumed_objects"], report["jobs_that_may_read"]), (4, 0))
        self.assertEqual(self.rows(), 200)

    def test_a_log_that_was_lost_is_noticed(self):
        self.spillway.ingest(make_messages(1, 100, days=1))
        self.make_state()
        shutil.rmtree(self.spillway.path / "lake" / "_log")
        answer = self.spillway.call("--json", "adopt")
        self.assertEqual(answer.code, 1, answer.err)
        unnamed = json.loads(answer.out)["unnamed_files"]
        self.assertEqual([f"lake/{name}" for name in unnamed],
                         [name for name in self.spillway.files() if name.endswith(".parquet")])
        self.assertIn(unnamed[0], self.spillway.call("adopt").out)
        answer = self.spillway.call("compact", "--vacuum", "0s", "--no-other-writers")
        self.assertEqual(answer.code, 3)
        self.assertIn("_log", answer.err)
        self.assertTrue((self.spillway.path / "lake" / unnamed[0]).exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
