#!/usr/bin/env python3
"""Tables and queries out of PostgreSQL through the program, read back by readers that others wrote."""
import csv
import gzip
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import duckdb
import pyarrow.parquet

from deployment import Deployment
from postgres import PostgresServer
from proxy import Proxy

ROWS = 30_000
TABLE = f"""CREATE TABLE orders AS SELECT i AS id, i % 100 AS customer, (i * 1.37)::numeric(10,2) AS price,
  '2025-01-01Z'::timestamptz + i * '1 min'::interval AS at, CASE WHEN i % 10 > 0 THEN 'note "' || i || '", ü' END AS note,
  ARRAY[i, NULL] AS tags FROM generate_series(1, {ROWS}) AS i; ANALYZE orders"""


def configuration(url, exports, timeout="0s"):
    return json.dumps({"databases": {"shop": {"url": url, "statement_timeout": timeout}},
                       "engine": {"lease": "2s", "attempts": 30, "backoff": {"base": "20ms", "max": "100ms"}},
                       "exports": {name: {"recipe": "query_export", "database": "shop", **block} for name, block in exports.items()}})


class QueryExportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()
        cls.server.sql(TABLE)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        shutil.rmtree(cls.server.folder, ignore_errors=True)

    def spillway(self, exports, url=None, timeout="0s"):
        spillway = Deployment(configuration(url or self.server.url(), exports, timeout))
        self.addCleanup(spillway.close)
        return spillway

    def run_export(self, spillway, *arguments):
        job = spillway.json("run", *arguments)
        self.assertEqual(job["state"], "succeeded", job)
        counts = job["counts"]
        self.assertEqual(counts["planned"], counts["written"] + counts["excluded"] + counts["failed"])
        directory = spillway.path / job["directory"]
        spillway.good("verify", directory, "--key", spillway.path / "signing.pem")
        files = sorted(p for p in directory.iterdir() if not p.name.startswith("manifest.json"))
        return job, files, json.loads((directory / "manifest.json").read_text())

    def failure(self, spillway, *arguments):
        answer = spillway.call("run", *arguments)
        self.assertNotEqual(answer.code, 0, arguments)
        self.assertEqual(answer.err.count("\n"), 1, answer.err)
        return answer.err

    def expected(self, columns="id, customer, price, note", where="true"):
        return self.server.sql(f"COPY (SELECT {columns} FROM orders WHERE {where} ORDER BY id) TO STDOUT (FORMAT csv)")

    def test_a_table_in_every_format(self):
        spillway = self.spillway({"orders": {"table": "public.orders", "columns": ["id", "customer", "price", "note"]}})
        expected = [line[0] for line in self.expected()]
        read = lambda text: sorted((",".join("" if v is None else v for v in row) for row in csv.reader(io.StringIO(text, newline=""))))
        wanted = read("\n".join(expected))
        _, [plain], manifest = self.run_export(spillway, "orders")
        self.assertEqual(plain.name, "orders.csv")
        self.assertEqual(read(plain.read_bytes().decode().split("\r\n", 1)[1]), wanted)
        source = manifest["source"]
        self.assertEqual((source["rows"], source["split_by"]), (ROWS, ""))
        _, [packed], _ = self.run_export(spillway, "orders", "--compression", "gzip")
        self.assertEqual(gzip.decompress(packed.read_bytes()), plain.read_bytes())
        _, [lines], _ = self.run_export(spillway, "orders", "--format", "ndjson")
        found = duckdb.sql(f"SELECT count(*), sum(id), sum(price::decimal(18,2)), count(note) FROM read_json('{lines}')").fetchall()[0]
        theirs = self.server.sql("SELECT count(*), sum(id), sum(price), count(note) FROM orders")[0]
        self.assertEqual([str(value) for value in found], theirs)
        _, [parquet], _ = self.run_export(spillway, "orders", "--format", "parquet")
        rows = pyarrow.parquet.read_table(parquet)
        self.assertEqual(str(rows.schema.field("price").type), "decimal128(10, 2)")
        self.assertEqual([str(v) for v in duckdb.sql("SELECT count(*), sum(id), sum(price), count(note) FROM rows").fetchall()[0]], theirs)

    def test_rows_per_file_is_exact(self):
        spillway = self.spillway({"orders": {"table": "orders", "limits": {"rows_per_file": 7000}, "csv": {"header": False}}})
        _, files, _ = self.run_export(spillway, "orders")
        self.assertEqual([p.read_bytes().count(b"\r\n") for p in files], [7000] * 4 + [2000])
        job, [file], _ = self.run_export(spillway, "orders", "--on-limit", "truncate")
        self.assertEqual((job["counts"]["written"], job["counts"]["excluded"]), (7000, ROWS - 7000))
        self.assertIn("rows_per_file 7000", self.failure(spillway, "orders", "--on-limit", "fail"))
        _, [archive], _ = self.run_export(spillway, "orders", "--compression", "zip")
        subprocess.run(["unzip", "-tq", archive], check=True, stdout=subprocess.DEVNULL)

    def test_parameters_stay_values(self):
        self.server.sql("CREATE TABLE names (name text); CREATE TABLE untouched AS SELECT 1 AS a")
        spillway = self.spillway({"one": {"query": "SELECT :name::text AS name, :n + 1 AS n -- :comment\n;", "csv": {"header": False}}})
        for value in ["plain", "it's", "'; DROP TABLE untouched; --", "') TO PROGRAM 'true' --", "\\", "\\'", "$1", ":n", "a\nb", "ü🙂", "="]:
            _, [file], _ = self.run_export(spillway, "one", "-p", f"name={value}", "--param", "n=41")
            self.assertEqual(next(csv.reader(io.StringIO(file.read_bytes().decode(), newline=""))), [value, "42"])
        self.assertEqual(self.server.sql("SELECT a FROM untouched"), [["1"]])
        self.assertIn("--param has no value for n; give it one", self.failure(spillway, "one", "-p", "name=a"))
        self.assertIn('did you mean name?', self.failure(spillway, "one", "-p", "nmae=a", "-p", "n=1"))
        self.assertIn("invalid input syntax for type integer", self.failure(spillway, "one", "-p", "name=a", "-p", "n=1 OR true"))
        self.assertIn("use name=value", self.failure(spillway, "one", "-p", "name"))

    def test_one_snapshot_while_others_write(self):
        self.server.sql("CREATE TABLE account AS SELECT i AS id, 100 AS balance, repeat('x', 800) AS pad FROM generate_series(1, 60000) AS i")
        spillway = self.spillway({"account": {"table": "account", "columns": ["id", "balance"], "csv": {"header": False}}})
        self.assertGreater(spillway.json("plan", "account")["splits"], 2)
        done = threading.Event()

        def write():
            while not done.is_set():  # What one has less, another has more.
                self.server.sql("UPDATE account SET balance = balance + CASE WHEN id % 2 = 0 THEN 1 ELSE -1 END WHERE id % 50 < 2")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(3):
                _, [file], _ = self.run_export(spillway, "account", "--fresh")
                rows = list(csv.reader(io.StringIO(file.read_bytes().decode(), newline="")))
                self.assertEqual(len({row[0] for row in rows}), 60000)
                self.assertEqual(len(rows), 60000)
                self.assertEqual(len({row[1] for row in rows if int(row[0]) % 50 == 0}), 1, "rows of two instants")
                self.assertEqual(sum(int(row[1]) for row in rows), 6_000_000)
        finally:
            done.set()
            writer.join()

    def test_f01_parts_hold_every_row_once_or_are_refused(self):
        self.server.sql("CREATE TABLE rn2 AS SELECT i AS id, i % 50000 AS k, repeat('x', 60) AS pad FROM generate_series(1, 450000) AS i;"
                        "CREATE VIEW numbered AS SELECT row_number() OVER (ORDER BY k) AS n, id FROM rn2;"
                        # Declared as what it is not, so that no parse tree shows it: every session has other ids for a number.
                        "CREATE FUNCTION shuffled(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
                        "'BEGIN RETURN ($1 + pg_backend_pid() * 7) % 450000; END';"
                        "CREATE TABLE keyed AS SELECT i AS id, md5(i::text) AS pad FROM generate_series(1, 450000) AS i;"
                        "ALTER TABLE keyed ADD PRIMARY KEY (id); ANALYZE keyed; ANALYZE rn2")
        window = "SELECT row_number() OVER (ORDER BY k) AS n, id FROM rn2"
        shuffled = {"query": "SELECT id, shuffled(id) AS n FROM keyed", "split_by": "n"}
        spillway = self.spillway({"window": {"query": window, "split_by": "n"}, "view": {"table": "numbered", "split_by": "n"},
                                  "whole": {"query": window, "split_by": "none", "csv": {"header": False}},
                                  "lies": {**shuffled, "key": ["id"]}, "unknown": {**shuffled, "key": ["idd"]},
                                  "keyed": {"table": "keyed", "split_by": "id", "csv": {"header": False}, "columns": ["pad", "id"]}})
        for name in ("window", "view"):
            error = self.failure(spillway, name)
            self.assertIn("it has a window function", error)
            self.assertIn("split_by: none", error)
        _, [file], _ = self.run_export(spillway, "whole")
        self.assertEqual(len({line.split(",")[1] for line in file.read_text().split()}), 450000)
        self.assertIn("have other keys (id) than those that were counted", self.failure(spillway, "lies"))
        self.assertIn('did you mean "id"', self.failure(spillway, "unknown"))
        _, [file], manifest = self.run_export(spillway, "keyed")
        self.assertEqual((manifest["source"]["key"], manifest["source"]["split_by"], manifest["source"]["splits"]), (["id"], "id", 2))
        rows = file.read_text().split()
        self.assertEqual((len(rows), len({row.split(",")[1] for row in rows}), len(rows[0].split(","))), (450000, 450000, 2))

    def test_f02_a_job_has_one_instant(self):
        self.server.sql("CREATE TABLE big AS SELECT i AS id, now() + i * '100 us'::interval AS expires_at FROM generate_series(1, 450000) AS i;"
                        "ANALYZE big; CREATE VIEW valid AS SELECT id, expires_at, now() AS seen FROM big WHERE expires_at > now()")
        spillway = self.spillway({
            "split": {"query": "SELECT id, now()::text AS n, :tick::timestamptz AS t, CURRENT_TIMESTAMP AS c FROM big", "split_by": "id"},
            "view": {"table": "valid"}, "split-view": {"table": "valid", "split_by": "id"},
            "filter": {"query": "SELECT id FROM big WHERE expires_at > now()", "split_by": "id"}})
        _, [file], manifest = self.run_export(spillway, "split", "--param", "tick=now")
        rows = list(csv.DictReader(io.StringIO(file.read_text())))
        self.assertGreater(manifest["source"]["splits"], 1)
        self.assertEqual([len({row[name] for row in rows}) for name in ("n", "t", "c")], [1, 1, 1])
        self.assertEqual(rows[0]["t"], rows[0]["c"])
        self.assertEqual(rows[0]["c"].rstrip("Z0"), manifest["source"]["instant"].rstrip("Z0"))
        for _ in range(3):  # Rows expire all the time; what is counted is what is read.
            _, [file], manifest = self.run_export(spillway, "view", "--fresh")
            self.assertIn("present time", manifest["source"]["one_session"])
            self.assertLessEqual(len({line.rsplit(",", 1)[1] for line in file.read_text().split("\n")[1:-1]}), 1)
            self.run_export(spillway, "filter", "--fresh")
        self.assertIn("present time", self.failure(spillway, "split-view"))

    def test_f02_a_function_that_may_hide_the_time_has_one_instant(self):
        self.server.sql("CREATE TABLE moments AS SELECT i AS id, clock_timestamp() + i * '100 us'::interval AS at, 'now'::text AS word "
                        "FROM generate_series(1, 100000) AS i; CREATE FUNCTION present() RETURNS timestamptz LANGUAGE plpgsql AS "
                        "'BEGIN RETURN now(); END'; CREATE FUNCTION later(timestamptz) RETURNS bool LANGUAGE sql STABLE AS 'SELECT $1 > now()'")
        spillway = self.spillway({
            "present": {"query": "SELECT id, present() AS seen FROM moments WHERE at > present()"},
            "later": {"query": "SELECT id, now() AS seen FROM moments WHERE later(at)"},
            "word": {"query": "SELECT id, word::timestamptz AS seen FROM moments WHERE at > word::timestamptz"},
            "record": {"query": "SELECT id, r.seen FROM moments, jsonb_to_record('{\"seen\": \"now\"}') AS r(seen timestamptz) WHERE at > r.seen"}})
        for name in ("present", "later", "word", "record"):
            self.server.sql("UPDATE moments SET at = clock_timestamp() + id * '100 us'::interval")
            _, [file], manifest = self.run_export(spillway, name)
            self.assertNotEqual(manifest["source"]["one_session"], "", name)
            seen = {line.split(",")[1].rstrip("Z0") for line in file.read_text().split("\n")[1:-1]}
            self.assertEqual(seen, {manifest["source"]["instant"].rstrip("Z0")}, name)

    def test_f02_other_processes_leave_one_sessions_export_to_its_own(self):
        self.server.sql("CREATE TABLE ticks AS SELECT i AS id FROM generate_series(1, 1000) AS i; CREATE VIEW ticking AS SELECT id, now() AS at FROM ticks")
        settings = json.loads(configuration(self.server.url(), {f"ticking{i}": {"table": "ticking"} for i in range(8)}))
        settings["engine"].update(threads=1, attempts=1)
        spillway = Deployment(json.dumps(settings))
        self.addCleanup(spillway.close)
        jobs = [spillway.good("run", name, "--detach").out.strip() for name in settings["exports"]]
        workers = [spillway.start("worker") for _ in range(3)]
        try:
            done = [self.await_job(spillway, job) for job in jobs]
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGTERM)
                worker.communicate(timeout=60)
        self.assertEqual([job["state"] for job in done], ["succeeded"] * len(jobs), done)

    def test_f02_an_export_whose_only_session_ended_fails(self):
        self.server.sql("CREATE VIEW dozing AS SELECT id, now() AS at FROM generate_series(1, 40000) AS id")
        spillway = self.spillway({"dozing": {"query": "SELECT id, CASE WHEN id % 400 = 0 THEN pg_sleep(0.1)::text END AS pad, at FROM dozing"}})
        job = spillway.good("run", "dozing", "--detach").out.strip()
        first = spillway.start("worker")
        self.await_reading(first)
        first.kill()
        first.communicate(timeout=60)
        second = spillway.start("worker")
        try:
            done = self.await_job(spillway, job)
        finally:
            second.send_signal(signal.SIGTERM)
            second.communicate(timeout=60)
        self.assertEqual(done["state"], "failed")
        self.assertIn("run the export again", json.dumps(done))

    def test_a_run_outlives_what_it_planned_for_others(self):
        # Not evaluated when rows are counted, as it is STABLE.
        self.server.sql("CREATE FUNCTION doze(int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN PERFORM pg_sleep(0.1); RETURN $1; END'")
        slow = {"query": "SELECT doze(id) AS id FROM generate_series(1, 50) AS id"}
        spillway = self.spillway({"slow": slow, "quick": {"query": "SELECT pg_sleep(1)::text AS one"}})
        job = spillway.good("run", "slow", "--detach").out.strip()
        self.assertIn("waits for other exports", spillway.good("run", "quick").err)
        spillway.good("worker", "--until-idle")
        self.assertEqual(spillway.json("jobs", "show", job)["state"], "succeeded")

    def await_job(self, spillway, job):
        while (shown := spillway.json("jobs", "show", job))["state"] not in ("succeeded", "failed", "cancelled"):
            time.sleep(0.05)
        return shown

    def test_f03_row_security_is_refused_or_said(self):
        self.server.sql("CREATE TABLE tenants AS SELECT i AS id, i % 10 AS tenant FROM generate_series(1, 100) AS i;"
                        "ALTER TABLE tenants ENABLE ROW LEVEL SECURITY; CREATE ROLE clerk LOGIN; GRANT SELECT ON tenants TO clerk;"
                        "CREATE POLICY one ON tenants FOR SELECT TO clerk USING (tenant = 3)")
        exports = {"all": {"table": "tenants"}, "query": {"query": "SELECT id FROM tenants"},
                   "some": {"table": "tenants", "row_security": "allow"}}
        spillway = self.spillway(exports, self.server.url(user="clerk"))
        for name in ("all", "query"):
            error = self.failure(spillway, name)
            self.assertIn('"tenants"', error)
            self.assertIn("row_security: allow", error)
        job, _, manifest = self.run_export(spillway, "some")
        self.assertEqual(job["counts"]["written"], 10)
        self.assertEqual((manifest["source"]["row_security"], manifest["source"]["policies"]), ("allow", ["public.tenants"]))
        self.assertIn("row security chooses the rows of public.tenants", spillway.good("plan", "some").out)
        job, _, manifest = self.run_export(self.spillway(exports), "all")
        self.assertEqual((job["counts"]["written"], manifest["source"]["policies"]), (100, []))

    def test_f03_row_security_in_functions_is_refused_or_said(self):
        self.server.sql("CREATE TABLE hidden AS SELECT i AS id FROM generate_series(1, 100) AS i; CREATE ROLE typist LOGIN;"
                        "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; GRANT SELECT ON hidden TO typist;"
                        "CREATE POLICY few ON hidden FOR SELECT TO typist USING (id <= 10);"
                        "CREATE FUNCTION hidden_ids() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT id FROM hidden';"
                        "CREATE FUNCTION shown_ids() RETURNS SETOF int LANGUAGE sql STABLE SET row_security = on AS 'SELECT id FROM hidden'")
        query = {"query": "SELECT * FROM hidden_ids()"}
        switched = {"query": "SELECT * FROM shown_ids()"}
        spillway = self.spillway({"all": query, "some": {**query, "row_security": "allow"}, "switched": switched},
                                 self.server.url(user="typist"))
        self.assertIn('"hidden"', self.failure(spillway, "all"))
        self.assertIn("shown_ids() sets row_security = on", self.failure(spillway, "switched"))
        job, _, manifest = self.run_export(spillway, "some")
        self.assertEqual((job["counts"]["written"], manifest["source"]["policies_unseen_in"]), (10, ["hidden_ids()"]))
        self.assertIn("row security may hide rows from the function hidden_ids()", spillway.good("plan", "some").out)

    def test_f04_columns_that_are_granted_are_read(self):
        self.server.sql("CREATE TABLE colg AS SELECT i AS a, i AS b, 'secret ' || i AS secret FROM generate_series(1, 450000) AS i;"
                        "ALTER TABLE colg ADD PRIMARY KEY (secret); ANALYZE colg; CREATE ROLE partial LOGIN; GRANT SELECT (a, b) ON colg TO partial")
        spillway = self.spillway({"a": {"table": "colg", "columns": ["a"]}, "ranges": {"table": "colg", "columns": ["a"], "split_by": "b"},
                                  "all": {"table": "colg"}, "secret": {"table": "colg", "columns": ["secret"]},
                                  "by-secret": {"table": "colg", "columns": ["a"], "split_by": "secret"}},
                                 self.server.url(user="partial"))
        for name in ("a", "ranges"):
            job, [file], manifest = self.run_export(spillway, name)
            self.assertEqual(job["counts"]["written"], 450000)
            self.assertNotIn("secret", file.read_text())
            self.assertEqual(manifest["source"]["key"], [])
        self.assertIn("columns: [a, b]", self.failure(spillway, "all"))
        self.assertIn('GRANT SELECT ("secret") ON public.colg TO partial', self.failure(spillway, "secret"))
        self.assertIn('GRANT SELECT ("secret") ON public.colg TO partial', self.failure(spillway, "by-secret"))

    def test_errors_are_one_clear_line(self):
        self.server.sql("CREATE ROLE reader LOGIN; CREATE TABLE closed (a int); CREATE SEQUENCE numbers;"
                        "CREATE TABLE odd AS SELECT 1 AS id, 'NaN'::numeric(5,2) AS n, 'infinity'::timestamptz AS t")
        exports = {"closed": {"table": "closed"}, "missing": {"table": "nowhere"}, "slow": {"query": "SELECT pg_sleep(60)::text"},
                   "nan": {"query": "SELECT id, n FROM odd"}, "infinite": {"query": "SELECT t FROM odd"},
                   "writes": {"query": "SELECT nextval('numbers')"}, "broken": {"query": "SELEC 1"},
                   "text": {"query": "SELECT id, n::text, t::text FROM odd"}, "twice": {"query": "SELECT 1 AS a, 2 AS a", "format": "json"}}
        spillway = self.spillway(exports, self.server.url(user="reader"), "300ms")
        self.server.sql("GRANT SELECT ON odd TO reader; GRANT ALL ON SEQUENCE numbers TO reader")
        for name, words in {"closed": "GRANT SELECT ON TABLE closed TO reader", "missing": 'there is no table "nowhere"',
                            "slow": "statement_timeout", "nan": 'column "n", row 1: NaN', "infinite": 'column "t", row 1: infinity',
                            "writes": "the query writes", "broken": "syntax error", "twice": '"a"'}.items():
            self.assertIn(words, self.failure(spillway, name), name)
        self.run_export(spillway, "text")
        self.assertEqual(spillway.files("exports", "slow"), [])

    def test_what_a_query_cannot_compute_is_a_fault_of_the_data(self):
        spillway = self.spillway({"shares": {"query": "SELECT 1 / (id % 7) AS share FROM orders"}})
        answer = spillway.call("run", "shares")
        self.assertEqual((answer.code, answer.err.count("\n")), (5, 1), answer)
        self.assertIn("division by zero (SQLSTATE 22012); a row has a value that the query cannot compute with", answer.err)

    def test_what_is_asked_for_wrongly_is_refused_in_one_line(self):
        spillway = self.spillway({"orders": {"table": "orders"}, "writes": {"query": "WITH d AS (DELETE FROM orders RETURNING 1) SELECT * FROM d"}})

        def refused(*arguments, deployment=spillway):
            answer = deployment.call(*arguments)
            self.assertEqual((answer.code, answer.err.count("\n"), answer.out), (2, 1, ""), (arguments, answer))
            self.assertNotIn("redrive", answer.err)
            return answer.err

        self.assertIn("the query writes", refused("run", "writes"))
        self.assertIn("not UTF-8", refused("run", "orders", "-o", b"\xff\xfe".decode("utf-8", "surrogateescape")))
        for name in ("a\nb\x01", "a\x7f", "\x1b[31m"):
            self.assertIn("--organisation has a control character", refused("run", "orders", "-o", name))
        for flag in ("-O", "-o", "-f", "-C", "-z", "--rows-per-file", "--on-limit"):
            self.assertIn("is empty", refused("run", "orders", flag, ""), flag)
        self.assertEqual(spillway.files("exports") if (spillway.path / "exports").exists() else [], [])
        _, [file], _ = self.run_export(self.spillway({"null": {"query": "SELECT NULL AS a, 1 AS b", "csv": {"null_marker": "~"}}}), "null", "--null", "")
        self.assertEqual(file.read_text().split()[1], ",1")
        for url in (self.server.url() + "?sslmode=bogus", "postgres://postgres@127.0.0.1:99999/postgres"):
            self.assertIn("the PostgreSQL address has an invalid", refused("run", "orders", deployment=self.spillway({"orders": {"table": "orders"}}, url)))

    def test_doctor_looks_at_databases_and_at_what_exports_read(self):
        self.server.sql("CREATE ROLE visitor LOGIN; CREATE TABLE guarded AS SELECT 1 AS id; CREATE TABLE lists AS SELECT ARRAY[1] AS list;"
                        "CREATE TABLE own AS SELECT 1 AS id; ALTER TABLE own ENABLE ROW LEVEL SECURITY; GRANT SELECT ON orders, lists, own TO visitor;"
                        "CREATE POLICY few ON own TO visitor USING (id < 9)")
        exports = {"good": {"query": "SELECT id, at FROM orders WHERE customer = :c AND at > :since LIMIT :n"}, "orders": {"table": "orders"},
                   "closed": {"table": "guarded"}, "gone": {"table": "nowhere"}, "broken": {"query": "SELEC 1"}, "own": {"table": "own"},
                   "list": {"table": "lists", "split_by": "list"}}
        answer = self.spillway(exports, self.server.url(user="visitor")).call("--json", "doctor")
        self.assertEqual(answer.code, 1, answer.err)
        found = {finding["what"]: (finding["good"], finding["detail"]) for finding in json.loads(answer.out)}
        self.assertTrue(found["database shop"][0])
        self.assertEqual(found["export good, query"], (True, "can be read, 2 columns"))
        self.assertEqual(found["export orders, table orders"], (True, "can be read, 6 columns"))
        for what, words in {"closed, table guarded": "GRANT SELECT", "gone, table nowhere": 'there is no table "nowhere"', "broken, query": "syntax error",
                            "own, table own": "row_security: allow", "list, table lists": "cannot be cut into ranges"}.items():
            good, detail = found["export " + what]
            self.assertFalse(good, what)
            self.assertIn(words, detail)
            self.assertNotIn("\n", detail)
        answer = self.spillway(exports, "postgres://postgres@127.0.0.1:1/postgres").call("doctor")
        self.assertRegex(answer.out, "FAIL +database shop: .*Connection refused")
        self.assertNotIn("export good, query", answer.out)

    def test_a_secret_stays_one(self):
        url = f"postgres://postgres:open-sesame@127.0.0.1:{self.server.port}/postgres"
        spillway = self.spillway({"orders": {"table": "orders"}, "missing": {"table": "nowhere"}}, url)
        _, files, manifest = self.run_export(spillway, "orders")
        said = [json.dumps(manifest), self.failure(spillway, "missing"), spillway.good("config", "show").out,
                spillway.good("jobs", "list", "--json").out, (spillway.path / "state.db").read_bytes().decode("latin-1")]
        self.assertFalse([text for text in said if "open-sesame" in text])

    def test_a_parameter_out_of_a_variable_is_shown_nowhere(self):
        spillway = self.spillway({"one": {"query": "SELECT :token::text = 'other' AS same, :plain::text AS plain",
                                          "parameters": {"token": "${TOKEN}", "plain": "as-it-is"}, "csv": {"header": False}}})
        env = {"TOKEN": "open-sesame"}
        job = spillway.json("run", "one", env=env)
        directory = spillway.path / job["directory"]
        self.assertEqual((directory / "one.csv").read_text().strip(), "false,as-it-is")
        manifest = (directory / "manifest.json").read_text()
        for shown in job, json.loads(manifest)["job"], spillway.json("jobs", "show", job["id"], env=env):
            self.assertEqual(shown["parameters"]["parameters"], {"plain": "as-it-is", "token": "(secret)"})
        self.assertEqual(json.loads(manifest)["source"]["from"], "(secret)")
        said = [json.dumps(job), manifest] + [spillway.good(*command, env=env).out for command in (
            ("--json", "jobs", "list"), ("--json", "jobs", "show", job["id"]), ("jobs", "show", job["id"]), ("plan", "one"),
            ("--json", "plan", "one"), ("run", "one"), ("--json", "verify", directory))]
        self.assertFalse([text for text in said if "open-sesame" in text])
        # What no variable gave is shown as ever.
        plain = self.spillway({"one": {"query": "SELECT :token::text AS token", "parameters": {"token": "as-it-is"}}}).json("run", "one")
        self.assertIn("as-it-is", plain["source"]["from"])
        self.assertEqual(plain["parameters"]["parameters"], {"token": "as-it-is"})

    def test_a_replica_serves_as_well(self):
        replica = self.server.replica()
        self.addCleanup(replica.stop)
        spillway = self.spillway({"orders": {"table": "orders", "format": "parquet"}}, replica.url())
        job, _, _ = self.run_export(spillway, "orders")
        self.assertEqual(job["counts"]["written"], ROWS)

    def test_tls_as_the_address_asks_for_it(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="spillway-tls-"))
        self.addCleanup(shutil.rmtree, folder)
        for name in ("server", "other"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"],
                           check=True, capture_output=True)
        if os.geteuid() == 0:
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, "postgres", "postgres")
        with PostgresServer("ssl = on", f"ssl_cert_file = '{folder}/server.pem'", f"ssl_key_file = '{folder}/server.key'") as server:
            exports = {"session": {"query": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"}}

            def with_mode(mode, root="server", to=server):
                return self.spillway(exports, f"{to.url()}?sslmode={mode}&sslrootcert={folder}/{root}.pem")

            for mode, encrypted in (("disable", "false"), ("require", "true"), ("verify-ca", "true"), ("verify-full", "true")):
                _, files, _ = self.run_export(with_mode(mode), "session")
                self.assertEqual(files[0].read_text().split(), ["ssl", encrypted], mode)
            self.assertIn("certificate verify failed", self.failure(with_mode("verify-full", "other"), "session"))
            self.assertIn("server does not support SSL", self.failure(with_mode("require", to=self.server), "session"))

    def await_reading(self, process, what="pg_sleep"):
        reading = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY (%{what}%' AND state = 'active'"
        while self.server.sql(reading) == [["0"]]:
            self.assertIsNone(process.poll())
            time.sleep(0.02)

    def slow(self, proxy=None):
        """An export whose reading, though not its counting, takes ten seconds."""
        self.server.sql("DROP TABLE IF EXISTS slow; CREATE TABLE slow AS SELECT i AS id, repeat('x', 1000) AS pad"
                        " FROM generate_series(1, 40000) AS i; ANALYZE slow")
        url = f"postgres://postgres@127.0.0.1:{proxy.port}/postgres" if proxy else None
        return self.spillway({"slow": {"query": "SELECT id, CASE WHEN id % 400 = 0 THEN pg_sleep(0.1)::text ELSE pad END AS pad FROM slow"}}, url)

    def test_e7_an_export_of_one_chunk_shows_how_far_it_is(self):
        spillway = self.slow()
        job = spillway.good("run", "slow", "--detach").out.strip()
        worker = spillway.start("worker")
        seen = set()
        try:
            while (shown := spillway.json("jobs", "show", job))["state"] not in ("succeeded", "failed"):
                progress = shown["progress"]
                self.assertLessEqual(progress["rows_done"], progress["rows_total"])
                if progress["chunks_total"] > 0 and progress["chunks_done"] == 0:
                    seen.add(progress["rows_done"])
                time.sleep(0.1)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.communicate(timeout=60)
        self.assertEqual(shown["state"], "succeeded")
        self.assertEqual(shown["progress"]["rows_done"], 40000)
        self.assertGreater(len(seen - {0, 40000}), 1, seen)

    def test_a_lost_reader_is_tried_again_in_the_same_snapshot(self):
        proxy = Proxy(self.server.port)
        self.addCleanup(proxy.close)
        spillway = self.slow(proxy)
        process = spillway.start("run", "slow", "--json")
        self.await_reading(process)
        self.server.sql("UPDATE slow SET pad = 'another instant'")
        proxy.cut(slice(1, None))  # All but the first, which holds the snapshot.
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        job = json.loads(out)
        text = next((spillway.path / job["directory"]).glob("*.csv")).read_text()
        self.assertNotIn("another instant", text)
        self.assertEqual(text.count("\n"), 40001)

    def test_a_lost_snapshot_fails_for_good(self):
        spillway = self.slow()
        process = spillway.start("run", "slow", env={**os.environ, "SPILLWAY_ENGINE_ATTEMPTS": "50"})  # However long the server takes.
        self.await_reading(process)
        self.server.restart()
        _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 4, err)
        self.assertIn(b"run the export again", err)
        self.assertEqual([f for f in spillway.files("exports") if "manifest" in f], [])
        self.server.sql("SELECT 1")

    def test_h4_what_names_mean_may_not_change_meanwhile(self):
        self.server.sql("CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE FUNCTION slowly(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
                        "'BEGIN IF $1 % 20 = 0 THEN PERFORM pg_sleep(0.01); END IF; RETURN $1; END'; CREATE SCHEMA live; CREATE SCHEMA next;"
                        "CREATE TABLE live.big AS SELECT i AS id, 'sad'::mood AS mood FROM generate_series(1, 5000) AS i;"
                        "CREATE TABLE next.big AS SELECT i AS id, 'glad'::mood AS mood FROM generate_series(1, 5000) AS i;"
                        "ANALYZE live.big; ANALYZE next.big;"
                        "UPDATE pg_class SET reltuples = 1e7 WHERE relname = 'big'")  # So that it is cut into ranges.
        spillway = self.spillway({"big": {"query": "SELECT slowly(id) AS n, mood, id FROM live.big", "split_by": "id"}})
        for change, words in {"ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'": "a label of the enum mood was renamed",
                              "ALTER SCHEMA live RENAME TO old; ALTER SCHEMA next RENAME TO live": "when the export's snapshot was taken"}.items():
            process = spillway.start("run", "big", "--fresh")
            self.await_reading(process, "slowly")
            self.server.sql(change)
            _, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 4, err)
            self.assertIn(words, err.decode())
            self.assertIn("run the export again", err.decode())
        self.run_export(spillway, "big", "--fresh")

    def test_interrupt_ends_the_servers_work(self):
        spillway = self.slow()
        process = spillway.start("run", "slow")
        self.await_reading(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        while self.server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'spillway'") != [["0"]]:
            time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
