"""Several exporters of open data, each with a state of its own, on one database: started together, stopped, killed and
continued at each of their steps. Whatever happens, in the end each file is what the database has."""
import collections
import csv
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from postgres import PostgresServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPILLWAY = os.environ["SPILLWAY"]
RECORD_LOCK = 42

# An exporter that records what it has put waits while somebody holds the lock.
WAIT_AT_RECORD = f"""
CREATE FUNCTION wait_at_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock_shared({RECORD_LOCK}); RETURN NEW; END $$;
CREATE TRIGGER wait_at_record BEFORE UPDATE OF exported_on ON open_data_export_logs
  FOR EACH ROW EXECUTE FUNCTION wait_at_record();
"""


class Session:
    """A psql that keeps its locks."""

    def __init__(self, server, database):
        self.child = subprocess.Popen(
            [server.programs / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", server.folder, "-p", str(server.port),
             "-U", "postgres", "-d", database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/")

    def do(self, statement):
        self.child.stdin.write(statement + ";\n\\echo done\n")
        self.child.stdin.flush()
        while (line := self.child.stdout.readline().strip()) != "done":
            assert self.child.poll() is None, line

    def close(self):
        self.child.stdin.close()
        self.child.wait()
        self.child.stdout.close()


class ExportersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer("max_connections = 200")

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.database = self.server.new_database()
        self.sql((ROOT / "demo" / "open-data" / "schema.sql").read_text())
        for name in ("a", "b"):
            (self.folder / name).mkdir()
            (self.folder / name / "spillway.yaml").write_text(
                f"open_data: {{database: {{host: 127.0.0.1, port: {self.server.port}, name: {self.database}, "
                "read: {user: postgres}, write: {user: postgres}}, format: csv, "
                f"directory: {self.folder}/data}}\nengine: {{threads: 1}}\n")
        self.run_spillway("a", "open-data", "migrate", "--track", "measurements")
        self.sql("INSERT INTO measurands VALUES (1, 'pm25', 'µg/m³'); INSERT INTO timezones VALUES (1, 'UTC');"
                 "INSERT INTO sensor_nodes SELECT n, 'Station ' || n, 1.5, -2.25, 1 FROM generate_series(1, 5) n;"
                 "INSERT INTO sensor_systems SELECT n, n FROM generate_series(1, 5) n;"
                 "INSERT INTO sensors SELECT n, n, 1 FROM generate_series(1, 5) n")

    def sql(self, statement):
        return self.server.sql(statement, self.database)

    def ingest(self, days, hour):
        self.sql(f"INSERT INTO measurements SELECT n, timestamptz '2023-01-01T00:00Z' + d * interval '1 day' + interval '{hour} h', "
                 f"d + {hour} FROM generate_series(1, 5) n, generate_series(1, {days}) d")

    def start(self, name):
        return subprocess.Popen([SPILLWAY, "--json", "run", "open-data"], cwd=self.folder / name, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self, child, code=0):
        out, err = child.communicate(timeout=120)
        if code is not None:
            self.assertEqual(child.returncode, code, err)
        return json.loads(out) if out else None

    def run_spillway(self, name, *words):
        done = subprocess.run([SPILLWAY, *words], cwd=self.folder / name, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def await_sql(self, condition):
        for _ in range(600):
            if self.sql(f"SELECT {condition}") == [["t"]]:
                return
            time.sleep(0.05)
        self.fail(condition)

    def states(self):
        return dict(self.sql("SELECT state, count(*) FROM open_data_states GROUP BY 1"))

    def check_files(self, exported_only=False):
        """Files of days that are exported say what the database has."""
        expected = collections.defaultdict(list)
        for node, day, at, value in self.sql(
                "SELECT l.sensor_nodes_id, l.day, to_char(m.datetime AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS'), m.value "
                "FROM open_data_states l LEFT JOIN measurements m ON m.sensors_id = l.sensor_nodes_id AND "
                "open_data_day(m.datetime, 'UTC', true) = l.day WHERE l.exported_on >= l.modified_on ORDER BY 1, 2, m.datetime"):
            expected[node, day].append((at, float(value)))
        if not exported_only:
            self.assertEqual(self.states().keys(), {"exported"}, self.states())
        for (node, day), rows in expected.items():
            path = (self.folder / "data" / "records" / "csv" / f"locationid={node}" / f"year={day[:4]}" / f"month={day[5:7]}"
                    / f"location-{node}-{day.replace('-', '')}.csv")
            with open(path, newline="", encoding="utf-8") as file:
                got = [(row["datetime"][:19], float(row["value"])) for row in csv.DictReader(file)]
            self.assertEqual(got, rows, path)

    def manifest(self, job):
        return json.loads((self.folder / "data" / "manifests" / job["id"] / "manifest.json").read_text())

    def test_o1_two_states_started_together(self):
        self.ingest(300, 12)
        children = [self.start("a")]
        time.sleep(0.3)
        children.append(self.start("b"))
        jobs = [self.end(child) for child in children]
        self.assertNotEqual(jobs[0]["id"], jobs[1]["id"])
        self.assertEqual(jobs[0]["task_id"], jobs[1]["task_id"], "one request")
        self.check_files()
        items = [file["item"] for job in jobs for file in self.manifest(job)["files"]]
        self.assertEqual((len(items), len(set(items))), (1500, 1500), "each day once, in one manifest")
        for job in jobs:
            self.run_spillway("a", "verify", f"{self.folder}/data/manifests/{job['id']}")

    def test_o1_a_state_that_was_deleted_and_one_from_a_backup(self):
        self.ingest(2, 10)
        folder = self.folder / "a"
        first = json.loads(self.run_spillway("a", "--json", "run", "open-data"))
        backup = {file.name: file.read_bytes() for file in folder.glob("state.db*")}
        self.ingest(2, 11)
        second = json.loads(self.run_spillway("a", "--json", "run", "open-data"))
        kept = {job["id"]: self.manifest(job) for job in (first, second)}
        for restored in (backup, {}):
            for file in folder.glob("state.db*"):
                file.unlink()
            for name, content in restored.items():
                (folder / name).write_bytes(content)
            self.ingest(2, 12 + len(restored))
            self.run_spillway("a", "--json", "run", "open-data")
        self.check_files()
        for job in (first, second):
            self.assertEqual(self.manifest(job), kept[job["id"]])
        self.assertEqual(len(list((self.folder / "data" / "manifests").iterdir())), 4)

    def stop_a(self, step, how):
        """Starts exporter a, and sends the signal when it is at the step."""
        at_read, at_hold, at_record = (Session(self.server, self.database) for _ in range(3))
        at_read.do("BEGIN; LOCK TABLE measurements")
        if step == "record":
            at_record.do(f"SELECT pg_advisory_lock({RECORD_LOCK})")
        child = self.start("a")
        self.addCleanup(lambda: child.poll() is None and child.kill())
        waits = "(SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND {})"
        self.await_sql(waits.format("application_name = 'spillway open data, reading'"))
        if step != "read":
            if step == "hold":
                at_hold.do("BEGIN; SELECT count(*) FROM (SELECT FROM open_data_export_logs FOR UPDATE) AS locked")
            at_read.do("COMMIT")
            self.await_sql(waits.format("query LIKE '%open_data_hold%'" if step == "hold" else "query LIKE '%open_data_exported%'"))
        child.send_signal(how)
        for session in (at_read, at_hold, at_record):
            session.close()
        self.await_sql("(SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND "
                       "(query LIKE '%open_data_hold%' OR query LIKE '%open_data_exported%') AND pid <> pg_backend_pid())")
        if how == signal.SIGKILL:
            child.communicate()
            self.await_sql("(SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'spillway open data%')")
        return child

    def abandon(self):
        self.sql("UPDATE open_data_export_logs SET queued_on = queued_on - interval '2 hours'")
        self.sql("UPDATE open_data_lost_claims SET seen_on = seen_on - interval '2 hours'")

    def run_to_the_end(self):
        """Days of a session that is gone stay pending until an hour has passed since a run saw so."""
        for name in ("a", "b", "a"):
            self.end(self.start(name))
            self.check_files(exported_only=True)
            self.sql("UPDATE open_data_lost_claims SET seen_on = seen_on - interval '2 hours'")
        self.check_files()

    def test_o1_killed_at_each_step(self):
        for step in ("read", "hold", "record"):
            with self.subTest(step):
                self.ingest(4, 3 + ("read", "hold", "record").index(step))
                if step == "record":
                    self.sql(WAIT_AT_RECORD)
                self.stop_a(step, signal.SIGKILL)
                self.check_files(exported_only=True)
                self.abandon()
                self.sql("UPDATE measurements SET value = value + 0.5")
                self.end(self.start("b"))
                self.check_files(exported_only=True)
                self.run_to_the_end()

    def test_o1_stopped_at_each_step_and_continued_when_another_is_done(self):
        for step in ("read", "hold", "record"):
            with self.subTest(step):
                self.ingest(4, 3 + ("read", "hold", "record").index(step))
                if step == "record":
                    self.sql(WAIT_AT_RECORD)
                child = self.stop_a(step, signal.SIGSTOP)
                self.abandon()
                self.sql("UPDATE measurements SET value = value + 0.5")
                self.end(self.start("b"))
                self.check_files(exported_only=True)
                child.send_signal(signal.SIGCONT)
                self.end(child)
                self.check_files(exported_only=True)
                self.run_to_the_end()

    def test_o1_an_older_file_that_comes_late_and_is_never_recorded(self):
        """The worst: asleep between its claim and its file, it wakes when a newer file is there, and dies with the older in
        its place."""
        self.ingest(4, 3)
        self.sql(WAIT_AT_RECORD)
        child = self.stop_a("hold", signal.SIGSTOP)
        self.abandon()
        self.sql("UPDATE measurements SET value = value + 0.5")
        self.end(self.start("b"))
        self.assertNotIn("exported", self.states(), "while a may still put its files")
        session = Session(self.server, self.database)
        session.do(f"SELECT pg_advisory_lock({RECORD_LOCK})")
        child.send_signal(signal.SIGCONT)
        self.await_sql("(SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%open_data_exported%') "
                       "OR (SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'spillway open data%')")
        child.kill()
        child.communicate()
        session.close()
        self.await_sql("(SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'spillway open data%')")
        self.check_files(exported_only=True)
        self.run_to_the_end()

    def test_o14_a_server_that_restarts_is_waited_for(self):
        self.ingest(400, 12)
        with PostgresServer() as server:
            dump = subprocess.run([self.server.programs / "pg_dump", "-h", self.server.folder, "-p", str(self.server.port), "-U", "postgres",
                                   self.database], check=True, capture_output=True, cwd="/").stdout
            server.sql(f"CREATE DATABASE {self.database}")
            subprocess.run([server.programs / "psql", "-X", "-q", "-h", server.folder, "-p", str(server.port), "-U", "postgres", "-d",
                            self.database], input=dump, check=True, capture_output=True, cwd="/")
            config = self.folder / "a" / "spillway.yaml"
            config.write_text(config.read_text().replace(f"port: {self.server.port}", f"port: {server.port}"))
            child = self.start("a")
            for _ in range(600):
                if sum(len(files) for _, _, files in os.walk(self.folder / "data" / "records")) > 200:
                    break
                time.sleep(0.01)
            server.stop()
            time.sleep(3)
            server.start()
            job = self.end(child)
            self.assertEqual((job["counts"]["planned"], job["counts"]["failed"]), (2000, 0), job)
            self.assertEqual(server.sql("SELECT state, count(*) FROM open_data_states GROUP BY 1", self.database), [["exported", "2000"]])
            items = [file["item"] for file in self.manifest(job)["files"]]
            self.assertEqual(len(items), len(set(items)))

    def test_o14_a_server_that_stays_away_fails_the_job_and_says_what_to_do(self):
        config = self.folder / "a" / "spillway.yaml"
        config.write_text(config.read_text().replace(f"port: {self.server.port}", "port: 1").replace("format:", "retry_for: 1s, format:"))
        done = subprocess.run([SPILLWAY, "run", "open-data"], cwd=self.folder / "a", capture_output=True, text=True)
        self.assertEqual(done.returncode, 8, done.stderr)
        self.assertIn("it was waited for 1 s (open_data.retry_for)", done.stderr)
        self.assertRegex(done.stderr, r"`spillway jobs redrive [0-9a-f]{16}-1` does what is left")

    def test_o13_failed_days_are_named_and_change_the_exit_code(self):
        self.ingest(2, 12)
        self.sql("UPDATE timezones SET tzid = 'Mars/Olympus'")
        done = subprocess.run([SPILLWAY, "run", "open-data"], cwd=self.folder / "a", capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, "all failed: " + done.stderr)
        self.assertIn("10 of 10 location-days failed", done.stderr)
        self.assertIn('location 1, 2023-01-02: "Mars/Olympus" is no name of a time zone', done.stderr)
        self.sql("UPDATE open_data_export_logs SET attempts = 0; INSERT INTO timezones VALUES (2, 'UTC');"
                 "UPDATE sensor_nodes SET timezones_id = 2 WHERE sensor_nodes_id > 1")
        job = self.end(self.start("a"), code=9)
        self.assertEqual([job["counts"][name] for name in ("planned", "written", "failed")], [10, 8, 2])
        self.assertEqual({failure["key"] for failure in job["failures"]}, {"location 1, 2023-01-02", "location 1, 2023-01-03"})
        self.assertIn("Mars/Olympus", job["failures"][0]["message"])

    def test_o13_days_that_failed_before_are_named_until_they_are_exported(self):
        self.ingest(2, 12)
        self.sql("INSERT INTO timezones VALUES (2, 'Mars/Olympus'); UPDATE sensor_nodes SET timezones_id = 2 WHERE sensor_nodes_id = 1")
        self.end(self.start("a"), code=9)
        self.sql("UPDATE open_data_export_logs SET attempts = 99 WHERE has_error")
        done = subprocess.run([SPILLWAY, "run", "open-data"], cwd=self.folder / "a", capture_output=True, text=True)
        self.assertEqual(done.returncode, 9, done.stdout + done.stderr)
        self.assertIn("2 location-days failed, in this run or before, and are not exported; `spillway open-data status` says why, and "
                      "`spillway open-data recount` has them tried again",
                      done.stderr)
        self.assertEqual(self.end(self.start("a"), code=9)["location_days_failed"], 2)
        self.sql("UPDATE timezones SET tzid = 'UTC'; UPDATE open_data_export_logs SET attempts = 0")
        self.assertNotIn("location_days_failed", self.end(self.start("a")))

    def test_o12_a_recount_that_was_broken_off_holds_up_empty_days_and_says_so(self):
        self.ingest(2, 12)
        self.end(self.start("a"))
        self.sql("SELECT open_data_begin_recount(); DELETE FROM measurements WHERE sensors_id = (SELECT min(sensors_id) FROM measurements)")
        self.sql("UPDATE open_data_export_logs SET records = 0, modified_on = clock_timestamp() WHERE sensor_nodes_id = 1")
        line = "without readings wait for the end of the recount that began at 2"
        done = subprocess.run([SPILLWAY, "run", "open-data"], cwd=self.folder / "a", capture_output=True, text=True)
        self.assertEqual(done.returncode, 9, done.stderr)
        self.assertIn(line, done.stderr)
        doctor = subprocess.run([SPILLWAY, "doctor"], cwd=self.folder / "a", capture_output=True, text=True)
        self.assertIn(line, doctor.stdout + doctor.stderr)
        status = [SPILLWAY, "open-data", "status"]
        self.assertIn(line, subprocess.run(status, cwd=self.folder / "a", capture_output=True, text=True, check=True).stdout)
        subprocess.run([SPILLWAY, "open-data", "recount", "--as", self.server.url(self.database)], cwd=self.folder / "a",
                       capture_output=True, check=True)
        self.assertNotIn(line, subprocess.run(status, cwd=self.folder / "a", capture_output=True, text=True, check=True).stdout)

    def test_verify_says_that_a_day_may_have_been_exported_again(self):
        self.ingest(2, 12)
        first = self.end(self.start("a"))
        self.sql("UPDATE measurements SET value = value + 1 WHERE sensors_id = 1")
        second = self.end(self.start("a"))
        verify = [SPILLWAY, "verify", f"{self.folder}/data/manifests/{first['id']}"]
        done = subprocess.run(verify, capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("a later run may have exported these days again, and then its manifest lists them", done.stdout)
        self.assertEqual(self.sql("SELECT DISTINCT split_part(metadata->>'job', '/', 1) FROM open_data_export_logs "
                                  "WHERE sensor_nodes_id = 1"), [[second["id"]]])
        self.run_spillway("a", "verify", f"{self.folder}/data/manifests/{second['id']}")

    def test_o13_a_job_that_failed_names_the_days_that_failed_before_it_did(self):
        self.ingest(60, 12)
        self.sql("INSERT INTO timezones VALUES (2, 'Mars/Olympus'); UPDATE sensor_nodes SET timezones_id = 2 WHERE sensor_nodes_id = 1;"
                 "ALTER FUNCTION open_data_hold RENAME TO may_hold;"
                 "CREATE FUNCTION open_data_hold(claimed_by text, nodes bigint[], days date[], abandoned interval) "
                 "RETURNS TABLE (sensor_nodes_id bigint, day date) LANGUAGE plpgsql AS $$ BEGIN "
                 "IF '2023-02-20' < ANY (days) THEN RAISE 'no more' USING ERRCODE = 'insufficient_privilege'; END IF; "
                 "RETURN QUERY SELECT h.* FROM may_hold(claimed_by, nodes, days, abandoned) h; END $$")
        job = self.end(self.start("a"), code=None)
        self.assertEqual(job["state"], "failed")
        for shown in job, json.loads(self.run_spillway("a", "--json", "jobs", "show", job["id"])):
            self.assertEqual(shown["failures"][0]["key"], "location 1, 2023-01-02")
            self.assertIn("Mars/Olympus", shown["failures"][0]["message"])

    def test_o12_a_table_that_was_emptied_by_mistake(self):
        self.ingest(30, 12)
        self.end(self.start("a"))
        self.sql("TRUNCATE measurements")
        done = subprocess.run([SPILLWAY, "run", "open-data"], cwd=self.folder / "a", capture_output=True, text=True)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("more than open_data.delete_max (100) would be removed", done.stderr)
        self.assertEqual(len(list((self.folder / "data").rglob("location-*"))), 150)
        config = self.folder / "a" / "spillway.yaml"
        config.write_text(config.read_text().replace("format:", "on_empty: keep, format:"))
        self.sql("UPDATE open_data_export_logs SET attempts = 0")
        self.end(self.start("a"))
        self.assertEqual(len(list((self.folder / "data").rglob("location-*"))), 150)


if __name__ == "__main__":
    unittest.main()
