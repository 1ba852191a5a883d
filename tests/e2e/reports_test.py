#!/usr/bin/env python3
"""What users of comparable tools reported in public, tried on the program (tests/cases/reports/README.md)."""
import json
import os
import pathlib
import resource
import shutil
import subprocess
import time
import unittest

from deployment import SPILLWAY, Deployment, make_messages, write_ndjson
from postgres import PostgresServer


def configuration(url, exports):
    return json.dumps({"databases": {"shop": {"url": url}}, "engine": {"lease": "2s", "backoff": {"base": "20ms", "max": "200ms"}},
                       "exports": {name: {"recipe": "query_export", "database": "shop", **block} for name, block in exports.items()}})


class PostgresReports(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer("wal_level = replica", "hot_standby_feedback = off", "max_standby_streaming_delay = 0")

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        shutil.rmtree(cls.server.folder, ignore_errors=True)

    def spillway(self, url, exports):
        spillway = Deployment(configuration(url, exports))
        self.addCleanup(spillway.close)
        return spillway

    def psql(self):
        return subprocess.Popen([self.server.programs / "psql", "-X", "-q", "-h", self.server.folder, "-p", str(self.server.port),
                                 "-U", "postgres"], stdin=subprocess.PIPE, text=True, cwd="/")

    def await_count(self, wanted, query):
        while self.server.sql(query) != [[str(wanted)]]:
            time.sleep(0.05)

    def test_r03_a_table_that_is_loaded_anew_is_not_exported_empty(self):
        for change, rows in [("TRUNCATE t; INSERT INTO t SELECT i, 'new' FROM generate_series(1, 500) AS i", 500),
                             ("ALTER TABLE t ALTER COLUMN id TYPE bigint", 1000),
                             ("CREATE TABLE n AS SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t", 1000)]:
            for block in {"table": "t"}, {"query": "SELECT x, id FROM t ORDER BY id"}, {"query": "SELECT * FROM report()"}:
                self.server.sql("DROP TABLE IF EXISTS t")
                self.server.sql("CREATE OR REPLACE FUNCTION report() RETURNS TABLE (id bigint, x text) LANGUAGE plpgsql AS "
                                "'BEGIN RETURN QUERY SELECT t.id::bigint, t.x FROM t; END'")
                self.server.sql("CREATE TABLE t AS SELECT i AS id, 'old' AS x FROM generate_series(1, 1000) AS i")
                spillway = self.spillway(self.server.url(), {"e": block})
                other = self.psql()
                other.stdin.write(f"BEGIN; {change};\n")
                other.stdin.flush()
                self.await_count(1, "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")
                export = spillway.start("--json", "run", "e")
                self.await_count(1, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
                other.communicate("COMMIT;\n")
                out, err = export.communicate(timeout=60)
                self.assertEqual(export.returncode, 0, err)
                self.assertEqual(json.loads(out)["counts"]["written"], rows, change)

    def test_r22_a_foreign_table_is_not_read_in_parts(self):
        self.server.sql("CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; "
                        "CREATE FOREIGN TABLE far (line text) SERVER files OPTIONS (filename '/dev/null')")
        spillway = self.spillway(self.server.url(), {"whole": {"table": "far"}, "parts": {"query": "SELECT * FROM far", "split_by": "line"}})
        self.assertEqual(spillway.json("run", "whole")["counts"]["written"], 0)
        answer = spillway.call("run", "parts")
        self.assertEqual(answer.code, 2)
        self.assertIn("every session reads the foreign table far for itself", answer.err)

    def test_r07_bytea_that_copy_is_to_load_is_written_as_text(self):
        self.server.sql(r"CREATE TABLE photos AS SELECT '\x00ff10'::bytea AS photo UNION ALL SELECT 'ABC'; CREATE TABLE loaded (photo bytea)")
        spillway = self.spillway(self.server.url(), {"photos": {"query": 'SELECT photo::text AS photo FROM photos'}})
        job = spillway.json("run", "photos")
        [file] = (spillway.path / job["directory"]).glob("*.csv")
        self.server.sql(f"COPY loaded FROM '{self.readable(file)}' (FORMAT csv, HEADER)")
        self.assertEqual(self.server.sql("SELECT count(*) FROM (TABLE photos EXCEPT ALL TABLE loaded) AS lost"), [["0"]])

    def readable(self, file):
        """A copy that the server may read."""
        copy = self.server.folder / file.name
        shutil.copyfile(file, copy)
        copy.chmod(0o644)
        return copy

    def test_r06_a_replica_that_ends_the_export_is_named(self):
        self.server.sql("CREATE TABLE big AS SELECT i AS id, repeat('x', 400) AS x FROM generate_series(1, 20000) AS i")
        replica = self.server.replica()
        self.addCleanup(replica.stop)
        spillway = self.spillway(replica.url(), {"e": {"query": "SELECT id, x, pg_sleep(0.0002)::text AS z FROM big"}})
        while replica.sql("SELECT to_regclass('big') IS NULL") == [["t"]]:
            time.sleep(0.05)
        export = spillway.start("run", "e")
        while export.poll() is None:
            self.server.sql("UPDATE big SET x = 'y' WHERE id % 50 = 7")
            self.server.sql("VACUUM big")
        _, err = export.communicate()
        self.assertNotEqual(export.returncode, 0)
        self.assertIn(b"hot_standby_feedback", err)
        self.assertEqual(spillway.files("exports") if (spillway.path / "exports").exists() else [], [])


class PrintedReports(unittest.TestCase):
    def test_r04_what_a_full_disk_cut_short_is_no_success(self):
        spillway = Deployment()
        self.addCleanup(spillway.close)
        spillway.ingest(make_messages(1, 50))
        spillway.export("acme", "2025-01-10", "2025-01-20")
        for command in [("jobs", "list"), ("--json", "jobs", "list"), ("config", "schema"), ("version",), ("--help",),
                        ("plan", "messages", "-o", "acme", "--from", "2025-01-10", "--to", "2025-01-20")]:
            with open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run(spillway.command(*command), cwd=spillway.path, stdout=full, stderr=subprocess.PIPE, check=False)
            self.assertEqual(done.returncode, 7, command)
            self.assertIn(b"standard output cannot be written", done.stderr)

    def test_r04_a_reader_that_wants_no_more_is_no_failure(self):
        spillway = Deployment()
        self.addCleanup(spillway.close)
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(spillway.command("config", "schema"), cwd=spillway.path, stdout=write, stderr=subprocess.PIPE, check=False)
        os.close(write)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


class FileSystemReports(unittest.TestCase):
    def test_r31_verify_names_what_is_not_of_the_export(self):
        spillway = Deployment()
        self.addCleanup(spillway.close)
        spillway.ingest(make_messages(1, 50))
        _, directory = spillway.export("acme", "2025-01-10", "2025-01-20")
        self.assertEqual(spillway.json("verify", directory)["not_of_the_export"], [])
        self.assertNotIn("beside it", spillway.good("verify", directory).out)
        (directory / "extra.csv").write_text("x")
        self.assertEqual(spillway.json("verify", directory)["not_of_the_export"], ["extra.csv"])
        self.assertIn("not of the export: extra.csv;", spillway.good("verify", directory).out)

    def test_r30_a_limit_on_file_sizes_is_named(self):
        spillway = Deployment()
        self.addCleanup(spillway.close)
        write_ndjson(spillway.path / "messages.ndjson", make_messages(1, 3000))
        (spillway.path / "new").mkdir()
        for command in ("ingest", "messages.ndjson"), ("--config", "new/spillway.yaml", "init"):
            limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
            done = subprocess.run(spillway.command(*command), cwd=spillway.path, capture_output=True, text=True, check=False,
                                  preexec_fn=limit)
            self.assertGreater(done.returncode, 0, command)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertFalse((spillway.path / "lake" / "_log").exists())
        self.assertEqual(spillway.files("new"), [])

    def test_r23_poor_file_systems_hold_lakes_and_exports(self):
        preloaded = pathlib.Path(SPILLWAY).resolve().parents[2] / "tests" / "e2e" / "libpoor_file_system.so"
        self.assertTrue(preloaded.exists(), preloaded)
        messages = make_messages(1, 50)
        for lacks in "NO_DIRECTORY_SYNC", "NO_HARD_LINKS":
            spillway = Deployment()
            self.addCleanup(spillway.close)
            write_ndjson(spillway.path / "messages.ndjson", messages)
            poor = {"LD_PRELOAD": str(preloaded), lacks: "1", "ASAN_OPTIONS": "verify_asan_link_order=0"}
            spillway.good("ingest", "messages.ndjson", env=poor)
            spillway.good("ingest", "messages.ndjson", env=poor)
            job = spillway.json("run", "messages", "-o", "acme", "--from", "2025-01-10", "--to", "2025-01-20", env=poor)
            self.assertEqual(job["counts"]["written"], len(messages))
            spillway.good("verify", job["directory"], env=poor)


if __name__ == "__main__":
    unittest.main()
