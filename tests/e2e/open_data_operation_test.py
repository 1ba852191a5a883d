"""Open data as its operator meets it: what is not configured, where nothing is made, .env, doctor, manifests apart."""
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import unittest

from postgres import PostgresServer, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPILLWAY = os.environ["SPILLWAY"]
NOT_SET = "open_data.database.host is not set, so there is no open data; set it, or the variable DATABASE_HOST"


class OperationTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        os.chmod(folder.name, 0o755)
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name, "here")
        self.folder.mkdir()
        self.elsewhere = pathlib.Path(folder.name, "elsewhere")
        self.user = {}

    def read_only(self):
        """The working directory from now on, and a user whom that holds back."""
        os.chmod(self.folder, 0o555)
        if os.geteuid() == 0:
            self.user = dict(user="nobody", group="nogroup", extra_groups=[])

    def spillway(self, *words, code=0, **variables):
        done = subprocess.run([SPILLWAY, *words], cwd=self.folder, capture_output=True, text=True, **self.user,
                              env={"PATH": os.environ["PATH"], **{name: str(value) for name, value in variables.items()}})
        if code is not None:
            self.assertEqual(done.returncode, code, (words, done.stdout, done.stderr))
        return done

    def made(self):
        return sorted(path.name for path in self.folder.iterdir())


class NotConfiguredTest(OperationTest):
    def test_o17_every_command_names_what_is_to_be_set(self):
        for variables in ({}, {"DATABASE_HOST": ""}, {"DATABASE_DB": "openaq", "DATABASE_READ_USER": "reader"}):
            for words in (("run", "open-data"), ("plan", "open-data"), ("run", "open-data", "--limit", "5"),
                          ("open-data", "status"), ("open-data", "migrate"), ("open-data", "recount")):
                self.assertIn(NOT_SET, self.spillway(*words, code=2, **variables).stderr)
            (self.folder / "spillway.yaml").write_text("schedules: {hourly: {export: open-data, cron: '0 * * * *'}}\n")
            self.assertIn(NOT_SET, self.spillway("schedules", code=2, **variables).stderr)
            (self.folder / "spillway.yaml").unlink()
        self.assertEqual(self.made(), [])
        found = self.spillway("doctor", code=1, WRITE_FILE_FORMAT="csv").stdout
        self.assertIn("FAIL  open data: " + NOT_SET, found)
        self.assertNotIn("open data", self.spillway("doctor").stdout)

    def test_o17_names_that_are_none(self):
        for words in (("run", "open_data"), ("plan", "opendata"), ("run", "messagse", "-o", "acme")):
            self.assertIn("did you mean \"", self.spillway(*words, code=3).stderr)
        self.assertIn("use messages or open-data", self.spillway("run", "nightly", code=3).stderr)
        self.assertEqual(self.made(), [])

    def test_o17_a_bucket_that_is_missing(self):
        missing = self.spillway("run", "open-data", code=2, DATABASE_HOST="h", WRITE_FILE_LOCATION="s3").stderr
        self.assertIn("open_data.bucket is missing, but location is s3; name the bucket here, or in the variable OPEN_DATA_BUCKET",
                      missing)

    def test_flags_that_open_data_does_not_look_at_are_refused(self):
        for flag in (("-o", "acme"), ("--from", "2024-01-01"), ("--format", "csv"), ("-O", "elsewhere"), ("--param", "a=b")):
            refused = self.spillway("run", "open-data", *flag, code=2, DATABASE_HOST="127.0.0.1").stderr
            self.assertIn("is not for open data", refused)
        self.assertIn("--limit is not for exports of messages",
                      self.spillway("run", "messages", "-o", "a", "--from", "2024-01-01", "--limit", "5", code=2).stderr)
        self.assertEqual(self.made(), [])


class NothingIsMadeTest(OperationTest):
    """O18: no command makes what it does not use, so a working directory may be read-only."""

    def test_o18_what_fails_or_only_looks_makes_nothing(self):
        for code, *words in ((0, "version"), (0, "config", "show"), (0, "config", "check"), (0, "config", "schema"), (0, "doctor"),
                             (0, "jobs", "list"), (0, "jobs", "expire"), (3, "jobs", "show", "x"), (3, "jobs", "cancel", "x"),
                             (3, "jobs", "redrive", "x"), (3, "link", "x"), (0, "schedules"), (0, "storage", "sweep"),
                             (3, "plan", "messages", "-o", "acme", "--from", "2024-01-01", "--to", "2024-01-02"),
                             (3, "compact"), (3, "adopt"), (3, "verify", "nowhere"), (2, "run", "messages"),
                             (3, "ingest", "nowhere.ndjson"), (0, "completion")):
            self.spillway(*words, code=code)
            self.assertEqual(self.made(), [], words)

    def test_o18_a_read_only_directory(self):
        self.read_only()
        words = ("run", "open-data")
        refused = self.spillway(*words, code=None, DATABASE_HOST="127.0.0.1", DATABASE_PORT=1).stderr
        self.assertIn("set state, or the variable SPILLWAY_STATE, to a place where it can be made", refused)
        found = self.spillway("doctor", code=1, DATABASE_HOST="127.0.0.1", DATABASE_PORT=1).stdout
        self.assertIn("is not there, and cannot be made in " + str(self.folder), found)

    def test_o18_an_ingest_makes_the_lake_alone(self):
        (self.folder / "m.ndjson").write_text('{"organisation": "acme", "ts": "2024-01-01T00:00:00Z", "message_id": "1"}\n')
        self.spillway("ingest", "m.ndjson", SPILLWAY_LAKE_DIRECTORY=self.elsewhere)
        self.assertEqual(self.made(), ["m.ndjson"])
        self.spillway("compact", SPILLWAY_LAKE_DIRECTORY=self.elsewhere)
        self.spillway("adopt", SPILLWAY_LAKE_DIRECTORY=self.elsewhere)
        self.assertEqual(self.made(), ["m.ndjson"])

    def test_o18_exports_of_messages_say_where_no_lake_is(self):
        missing = self.spillway("run", "messages", "-o", "acme", "--from", "2024-01-01", "--to", "2024-01-02", code=3).stderr
        self.assertIn("there is no lake at", missing)
        self.assertIn("ingest messages, which makes it", missing)
        self.assertNotIn("lake", self.made())


class WithReadings(OperationTest):
    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        super().setUp()
        self.database = self.server.new_database()
        for file in ("schema.sql", "readings.sql"):
            self.server.sql((ROOT / "demo" / "open-data" / file).read_text(), self.database)
        self.variables = {"DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": self.server.port, "DATABASE_DB": self.database,
                          "DATABASE_READ_USER": "postgres", "DATABASE_WRITE_USER": "postgres", "WRITE_FILE_LOCATION": "local",
                          "LOCAL_SAVE_DIRECTORY": self.elsewhere / "data", "WRITE_FILE_FORMAT": "csv",
                          "SPILLWAY_STATE": self.elsewhere / "state.db", "SPILLWAY_SIGNING_KEY": self.elsewhere / "signing.pem"}
        self.elsewhere.mkdir()

    def migrate(self):
        self.spillway("open-data", "migrate", "--track", "measurements", **self.variables)
        self.spillway("open-data", "recount", **self.variables)

    def files(self, kind="csv"):
        return sorted((self.elsewhere / "data" / "records").rglob("*." + kind))


class RunTest(WithReadings):
    def test_o18_a_run_makes_what_it_uses_alone(self):
        self.migrate()
        os.chmod(self.elsewhere, 0o777)
        self.read_only()
        self.spillway("run", "open-data", "--limit", "3", **self.variables)
        self.assertEqual(self.made(), [])
        self.assertEqual(sorted(path.name for path in self.elsewhere.iterdir() if not path.name.startswith("state.db-")),
                         ["data", "signing.pem", "signing.pub.pem", "state.db"])
        self.assertEqual(len(self.files()), 3)

    def test_o17_a_plan_counts_what_is_pending(self):
        self.migrate()
        before = sorted(self.elsewhere.iterdir())
        planned = json.loads(self.spillway("--json", "plan", "open-data", **self.variables).stdout)["location_days"]
        self.assertEqual(sorted(self.elsewhere.iterdir()), before)
        self.spillway("run", "open-data", **self.variables)
        self.assertEqual(planned, len(self.files()))
        self.assertIn("0 pending now", self.spillway("plan", "open-data", **self.variables).stdout)

    def test_o20_a_file_of_variables(self):
        """What the seed's users have: .env in the working directory, where the environment has less."""
        def write(name, variables):
            (self.folder / name).write_text("# for the exporter\n" + "".join(
                f"export {key} = '{value}'  # a comment\n" for key, value in variables.items()))
        write(".env", {**self.variables, "LIMIT": 4, "DATABASE_READ_PASSWORD": "hunter2"})
        self.spillway("open-data", "migrate", "--track", "measurements")
        self.spillway("open-data", "recount")
        self.spillway("run", "open-data")
        self.assertEqual(len(self.files()), 4)
        self.spillway("run", "open-data", LIMIT=2)
        self.assertEqual(len(self.files()), 6)
        write("other.env", {**self.variables, "LIMIT": 1})
        self.spillway("--env-file", "other.env", "run", "open-data")
        self.spillway("run", "open-data", SPILLWAY_ENV_FILE="other.env")
        self.assertEqual(len(self.files()), 8)
        self.assertIn(NOT_SET, self.spillway("--env-file", os.devnull, "run", "open-data", code=2).stderr)
        self.assertIn("none.env: there is no such file of variables", self.spillway("--env-file", "none.env", "doctor", code=2).stderr)
        shown = self.spillway("config", "show")
        self.assertIn("with variables of .env", self.spillway("doctor").stdout)
        self.assertNotIn("hunter2", shown.stdout + shown.stderr)
        (self.folder / ".env").write_text("DATABASE_PORT=hunter2 hunter3\nDATABASE_HOST hunter4\n")
        wrong = self.spillway("run", "open-data", code=2).stderr
        self.assertEqual(wrong, ".env:2:1: is no NAME=value; correct the line, or begin it with #\n")

    def test_o20_debug_says_what_becomes_of_each_day(self):
        self.migrate()
        quiet = self.spillway("run", "open-data", "--limit", "2", **self.variables)
        self.assertEqual(quiet.stderr, "")
        lines = self.spillway("run", "open-data", "--limit", "2", LOG_LEVEL="DEBUG", SPILLWAY_LOG_FORMAT="json",
                              **self.variables).stderr.splitlines()
        said = [json.loads(line)["message"] for line in lines]
        for message, times in (("days claimed", 1), ("day read", 2), ("day put", 2), ("day recorded", 2)):
            self.assertEqual(said.count(message), times, said)
        for level in ("INFO", "WARN", "CRITICAL", "warning"):
            self.spillway("run", "open-data", "--limit", "1", LOG_LEVEL=level, **self.variables)

    def test_o20_days_settle(self):
        """A day is exported when it is over for so long, and counts as open until then."""
        self.server.sql("DELETE FROM measurements; INSERT INTO measurements (sensors_id, datetime, value) "
                        "SELECT sensors_id, now() - n * interval '1 day', 1 FROM (SELECT min(sensors_id) AS sensors_id FROM "
                        "open_data_sensors) AS s, generate_series(0, 9) AS n", self.database)
        self.migrate()
        def pending(**more):
            planned = json.loads(self.spillway("--json", "plan", "open-data", **self.variables, **more).stdout)["location_days"]
            states = json.loads(self.spillway("--json", "open-data", "status", **self.variables, **more).stdout)
            self.assertEqual(states["pending"]["location_days"], planned)
            self.assertEqual(states["pending"]["location_days"] + states["open"]["location_days"], 10)
            return planned
        now, longer = pending(), {"SPILLWAY_OPEN_DATA_SETTLE": "72h"}
        for words in (("plan", "open-data"), ("run", "open-data")):
            self.assertIn("but the log lets days settle for 00:00:00; run `spillway open-data migrate`",
                          self.spillway(*words, code=None, **self.variables, **longer).stderr)
        self.assertIn("run `spillway open-data migrate`", self.spillway("doctor", code=1, **self.variables, **longer).stdout)
        self.assertEqual(self.files(), [])
        self.spillway("open-data", "migrate", **self.variables, **longer)
        self.assertEqual(pending(**longer), now - 3)
        self.assertEqual(json.loads(self.spillway("--json", "open-data", "mark", "--all", **self.variables).stdout),
                         {"days_marked": 10, "days_open": 10 - (now - 3)})
        self.assertIn(f"{now - 3} location-days are exported again by the next run\n{10 - (now - 3)} once they are over",
                      self.spillway("open-data", "mark", "--all", **self.variables).stdout)
        self.spillway("run", "open-data", **self.variables, **longer)
        self.assertEqual(len(self.files()), now - 3)
        self.spillway("open-data", "migrate", **self.variables)  # Without the setting: what is in force stays.
        self.assertIn("0 pending now", self.spillway("plan", "open-data", **self.variables).stdout)
        self.spillway("doctor", **self.variables)
        self.spillway("run", "open-data", **self.variables)
        self.assertEqual(len(self.files()), now - 3)
        none = {"SPILLWAY_OPEN_DATA_SETTLE": "0s"}
        self.spillway("open-data", "migrate", **self.variables, **none)
        self.spillway("run", "open-data", **self.variables, **none)
        self.assertEqual(len(self.files()), now)

    def test_o8_manifests_apart_from_the_files(self):
        self.migrate()
        own = self.elsewhere / "manifests"
        apart = {**self.variables, "SPILLWAY_OPEN_DATA_MANIFESTS": own, "SPILLWAY_OPEN_DATA_MANIFEST_RETENTION": "1s"}
        job = json.loads(self.spillway("--json", "run", "open-data", "--limit", "3", **apart).stdout)
        data = self.elsewhere / "data"
        self.assertEqual([path.name for path in data.iterdir()], ["records"])
        self.assertEqual(job["directory"], str(own / job["id"]))
        self.assertEqual(len(self.files()), 3)
        key = self.elsewhere / "signing.pub.pem"
        self.assertIn("whole and unchanged: 3 location-days in 3 files", self.spillway("verify", job["directory"], "-k", key).stdout)
        self.files()[0].write_bytes(self.files()[0].read_bytes() + b"x")
        self.assertIn("has", self.spillway("verify", job["directory"], code=1).stdout)
        data.rename(self.elsewhere / "moved")
        self.assertIn(str(data), self.spillway("verify", job["directory"], code=3).stderr)
        self.assertIn(".csv: has", self.spillway("verify", job["directory"], "--files", self.elsewhere / "moved", code=1).stdout)
        (self.elsewhere / "moved").rename(data)
        subprocess.run(["sleep", "1.1"], check=True)
        self.spillway("jobs", "expire", **apart)
        self.assertEqual(list(own.rglob("manifest.json")), [])
        self.assertEqual(len(self.files()), 3)
        self.assertIn(str(own), self.spillway("storage", "sweep", **apart).stdout)
        nowhere = {name: value for name, value in apart.items() if name != "DATABASE_HOST"}
        self.spillway("run", "open-data", "--limit", "1", **apart)
        subprocess.run(["sleep", "1.1"], check=True)
        self.assertIn("expired: jobs 1", self.spillway("jobs", "expire", **nowhere).stdout)  # O17: needs no database
        self.assertIn("--files is for manifests that are kept apart",
                      self.spillway("verify", self.run_beside(), "--files", data, code=2).stderr)

    def run_beside(self):
        return json.loads(self.spillway("--json", "run", "open-data", "--limit", "1", **self.variables).stdout)["directory"]


class DoctorTest(WithReadings):
    """O15: everything that open data needs, each with a remedy."""

    def doctor(self, code=0, **variables):
        findings = json.loads(self.spillway("--json", "doctor", code=code, **self.variables, **variables).stdout)
        return {finding["what"]: finding for finding in findings if finding["what"].startswith("open data")}

    def assert_bad(self, finding, *texts):
        self.assertFalse(finding["good"], finding)
        for text in texts:
            self.assertIn(text, finding["detail"])

    def test_o15_all_is_well(self):
        self.migrate()
        self.spillway("run", "open-data", "--limit", "2", **self.variables)
        found = self.doctor()
        self.assertTrue(all(finding["good"] and not finding["note"] for finding in found.values()), found)
        self.assertIn("can be written", found[f"open data {self.elsewhere}/data"]["detail"])
        self.assertIn("those of measurements are tracked", found["open data, changes"]["detail"])
        self.assertRegex(found["open data, location-days"]["detail"], r"^2 exported, \d+ pending, 0 queued, 0 failed")

    def test_o15_no_log_yet(self):
        found = self.doctor(code=1)
        self.assert_bad(found["open data, log"], "run `spillway open-data migrate`")
        self.assertTrue(found["open data, view open_data_sensors"]["good"])

    def test_o15_a_database_that_is_away(self):
        self.variables["DATABASE_PORT"] = free_port()
        found = self.doctor(code=1)
        self.assert_bad(found["open data, reading as postgres"], "Connection refused")
        self.assert_bad(found["open data, writing as postgres"], "Connection refused")

    def test_o15_roles_that_may_not(self):
        self.migrate()
        for role in ("reader_" + self.database, "writer_" + self.database):
            self.server.sql(f"CREATE ROLE {role} LOGIN", self.database)
        self.variables.update(DATABASE_READ_USER="reader_" + self.database, DATABASE_WRITE_USER="writer_" + self.database)
        found = self.doctor(code=1)
        self.assertTrue(any(not finding["good"] and "open-data migrate" in finding["detail"] for finding in found.values()),
                        found)
        self.spillway("open-data", "migrate", "--as", self.server.url(self.database), **self.variables)
        self.assertTrue(all(finding["good"] for finding in self.doctor().values()), self.doctor())
        self.server.sql(f"REVOKE SELECT ON open_data_sensors FROM reader_{self.database}; "
                        f"REVOKE EXECUTE ON FUNCTION get_pending FROM writer_{self.database}", self.database)
        found = self.doctor(code=1)
        self.assert_bad(found["open data, view open_data_sensors"], "permission denied", "`spillway open-data migrate`")
        self.assert_bad(found["open data, rights of writer_" + self.database], "may not call get_pending")
        self.assertTrue(found["open data, view open_data_locations"]["good"])
        self.server.sql(f"ALTER ROLE reader_{self.database} NOLOGIN", self.database)
        found = self.doctor(code=1)
        self.assert_bad(found["open data, reading as reader_" + self.database], "not permitted to log in")
        self.assertTrue(found["open data, log"]["good"])

    def test_o15_views_that_lack_something(self):
        self.migrate()
        self.server.sql("DROP VIEW open_data_sensors; ALTER VIEW open_data_locations RENAME COLUMN lat TO latitude", self.database)
        found = self.doctor(code=1)
        self.assert_bad(found["open data, view open_data_sensors"], "is not there", "docs/open-data.md")
        self.assert_bad(found["open data, view open_data_locations"], "lacks lat")

    def test_o15_zones_doubles_and_failed_days(self):
        self.migrate()
        self.server.sql("CREATE TABLE places AS SELECT * FROM open_data_locations; "
                        "CREATE OR REPLACE VIEW open_data_locations AS SELECT * FROM places", self.database)
        for zone in ("+02", "posix/Europe/Vienna", "CET"):  # PostgreSQL takes the first two, and no export does.
            self.server.sql(f"UPDATE places SET time_zone = '{zone}' WHERE sensor_nodes_id = (SELECT min(sensor_nodes_id) FROM places)",
                            self.database)
            found = self.doctor(code=1)
            self.assert_bad(found["open data, time zones"], "that both PostgreSQL and Spillway know: 1", f'has "{zone}"', "recount")
        self.server.sql("INSERT INTO places SELECT * FROM places LIMIT 1", self.database)
        self.assert_bad(self.doctor(code=1)["open data, rows of open_data_locations"], "more than once", "give each one row")
        self.server.sql("DELETE FROM places a USING places b WHERE a.sensor_nodes_id = b.sensor_nodes_id AND a.ctid > b.ctid",
                        self.database)
        self.server.sql("UPDATE open_data_export_logs SET has_error = true, attempts = 3, checked_on = now() "
                        "WHERE (sensor_nodes_id, day) IN (SELECT sensor_nodes_id, day FROM open_data_export_logs LIMIT 2)",
                        self.database)
        self.assert_bad(self.doctor(code=1)["open data, location-days"], "2 failed", "`spillway open-data status`")

    def test_o15_changes_that_go_unseen(self):
        self.spillway("open-data", "migrate", **self.variables)
        changes = self.doctor()["open data, changes"]
        self.assertTrue(changes["note"])
        self.assertIn("`spillway open-data migrate --track measurements`", changes["detail"])
        self.migrate()
        self.server.sql("ALTER TABLE measurements DISABLE TRIGGER open_data_went", self.database)
        self.assert_bad(self.doctor(code=1)["open data, changes"], "lost or disabled", "recount")
        self.remedy(self.doctor(code=1)["open data, changes"])
        self.doctor()

    def test_o15_a_partition_whose_trigger_is_disabled(self):
        self.server.sql("DROP VIEW open_data_measurements; DROP TABLE measurements;"
                        "CREATE TABLE measurements (sensors_id int, datetime timestamptz, value float8, lat float8, lon float8) "
                        "PARTITION BY RANGE (datetime);"
                        "CREATE TABLE years PARTITION OF measurements FOR VALUES FROM ('2020-01-01') TO ('2030-01-01') "
                        "PARTITION BY HASH (sensors_id);"
                        "CREATE TABLE pm1 PARTITION OF years FOR VALUES WITH (MODULUS 1, REMAINDER 0);"
                        "CREATE VIEW open_data_measurements AS SELECT * FROM measurements", self.database)
        self.migrate()
        self.server.sql("ALTER TABLE pm1 DISABLE TRIGGER open_data_came", self.database)
        findings = json.loads(self.spillway("--json", "doctor", code=1, **self.variables).stdout)
        [found] = [finding for finding in findings if not finding["good"]]
        self.assert_bad(found, "pm1 has lost or disabled", "`spillway open-data migrate --track measurements`")
        self.remedy(found)
        self.doctor()
        self.server.sql("INSERT INTO pm1 SELECT min(sensors_id), '2024-05-01T12:00Z', 1 FROM open_data_sensors", self.database)
        self.assertEqual(self.server.sql("SELECT sum(records) FROM open_data_export_logs", self.database), [["1"]])

    def remedy(self, finding):
        """Runs the commands that a finding says to run."""
        commands = re.findall(r"`spillway (open-data [^`]*)`", finding["detail"])
        self.assertTrue(commands)
        for command in commands:
            self.spillway(*shlex.split(command), **self.variables)

    def test_o15_a_partition_without_triggers(self):
        self.migrate()
        self.server.sql("CREATE TABLE late () INHERITS (measurements)", self.database)
        findings = json.loads(self.spillway("--json", "doctor", code=1, **self.variables).stdout)
        found = [finding for finding in findings if finding["what"] == "open data, changes" and not finding["good"]]
        self.assertEqual(len(found), 1, found)
        self.assert_bad(found[0], "late belongs to a tracked table", "`spillway open-data migrate`", "recount")
        self.spillway("open-data", "migrate", **self.variables)
        self.doctor()

    def test_o10_a_table_that_was_not_tracked(self):
        self.spillway("open-data", "migrate", **self.variables)
        untrack = ("open-data", "migrate", "--untrack", "measurements")
        self.assertIn("changes of measurements were not tracked for this log before", self.spillway(*untrack, **self.variables).stdout)
        self.migrate()
        self.assertIn("changes of measurements are tracked no longer", self.spillway(*untrack, **self.variables).stdout)

    def test_o09_who_may_recount(self):
        self.migrate()
        role = "writer_" + self.database
        self.server.sql(f"CREATE ROLE {role} LOGIN", self.database)
        self.variables["DATABASE_WRITE_USER"] = role
        owner = self.server.url(self.database)
        self.spillway("open-data", "migrate", "--as", owner, **self.variables)
        refused = self.spillway("open-data", "recount", code=None, **self.variables).stderr
        self.assertIn("which only its owner may", refused)
        self.assertIn("recount --as postgres://", refused)
        self.assertNotIn("GRANT", refused)
        self.server.sql(f"ALTER DATABASE {self.database} SET default_transaction_isolation = 'repeatable read'", self.database)
        self.spillway("open-data", "recount", "--as", owner, **self.variables)

    def test_o15_places(self):
        self.migrate()
        (self.elsewhere / "file").write_text("")
        found = self.doctor(code=1, SPILLWAY_OPEN_DATA_MANIFESTS=self.elsewhere / "file" / "manifests")
        self.assertFalse(found[f"open data, manifests {self.elsewhere}/file/manifests"]["good"])


if __name__ == "__main__":
    unittest.main()
