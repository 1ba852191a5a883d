"""Open data on an existing OpenAQ database, as docs/open-data.md says: its section is what is run here."""
import collections
import csv
import datetime
import gzip
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import duckdb
import pandas
import polars
import pyarrow.csv
import pyarrow.dataset

from postgres import PostgresServer

ROOT = pathlib.Path(__file__).resolve().parents[2]
SPILLWAY = os.environ["SPILLWAY"]
SECTION = "## On an existing OpenAQ database"
COLUMNS = ["location_id", "sensors_id", "location", "datetime", "lat", "lon", "parameter", "units", "value"]

# What the files must say, from OpenAQ's own tables.
EXPECTED = """
SELECT n.sensor_nodes_id, s.sensors_id, n.site_name || '-' || y.sensor_systems_id, extract(epoch FROM m.datetime),
  CASE WHEN n.ismobile THEN m.lat ELSE st_y(n.geom) END, CASE WHEN n.ismobile THEN m.lon ELSE st_x(n.geom) END,
  p.measurand, p.units, m.value, ((m.datetime - interval '1 second') AT TIME ZONE t.tzid)::date
FROM measurements m JOIN sensors s USING (sensors_id) JOIN measurands p USING (measurands_id)
  JOIN sensor_systems y USING (sensor_systems_id) JOIN sensor_nodes n USING (sensor_nodes_id) JOIN timezones t USING (timezones_id)
WHERE n.is_public AND s.is_public"""


def documented():
    """The section's code blocks, in order: their language, and what they say."""
    section = (ROOT / "docs" / "open-data.md").read_text().split(SECTION)[1].split("\n## ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


def guess(values):
    """A column's type as R's readers guess it from its first rows."""
    values = {value for value in values[:1000] if value not in ("", "NA")}
    for name, form in (("logical", r"(T|F|TRUE|FALSE|true|false)"), ("integer", r"-?\d+"),
                       ("double", r"-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|NaN|-?Inf"),
                       ("datetime", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[-+]\d\d:\d\d")):
        if all(re.fullmatch(form, value) for value in values):
            return name
    return "character"


class OpenAqTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = PostgresServer()
        cls.addClassCleanup(cls.server.__exit__)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.database = self.server.new_database()
        self.addCleanup(self.drop_roles)
        for file in ("schema.sql", "deploy.sql", "readings.sql"):
            self.psql((ROOT / "tests" / "e2e" / "openaq" / file).read_text())

    def drop_roles(self):
        for role in ("open_data_reader", "open_data_writer"):
            if self.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{role}'"):
                self.sql(f"DROP OWNED BY {role}; DROP ROLE {role}")

    def sql(self, statement):
        return self.server.sql(statement, self.database)

    def psql(self, script):
        self.server.sql(script, self.database)

    def shell(self, command, code=0):
        environment = {**os.environ, "PATH": f"{pathlib.Path(SPILLWAY).parent}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-euc", command], cwd=self.folder, capture_output=True, text=True, env=environment)
        self.assertEqual(done.returncode, code, f"{command}\n{done.stdout}{done.stderr}")
        return done.stdout

    def here(self, text):
        """The same on this test's server and database."""
        owner = self.server.url(self.database)
        return (text.replace("postgres://owner@db.example.org/openaq", owner).replace("host: db.example.org", "host: 127.0.0.1")
                .replace("port: 5432", f"port: {self.server.port}").replace("name: openaq", f"name: {self.database}")
                .replace("examples/openaq/", f"{ROOT}/examples/openaq/"))

    def follow(self):
        """Does what the documentation says; returns what the shell's blocks said."""
        said = []
        for language, block in documented():
            if language == "yaml":
                (self.folder / "spillway.yaml").write_text(self.here(block))
            elif language == "sql":
                self.psql(self.here(block))
            else:
                said.append(self.shell(self.here(block)))
        return said

    def files(self):
        return sorted((self.folder / "data" / "records" / "csv.gz").rglob("*.csv.gz"))

    def rows_of_files(self):
        rows = collections.Counter()
        for path in self.files():
            day = datetime.datetime.strptime(path.name.split("-")[2][:8], "%Y%m%d").date()
            with gzip.open(path, "rt", newline="") as file:
                for row in csv.DictReader(file):
                    at = datetime.datetime.fromisoformat(row["datetime"]).timestamp()
                    rows[int(row["location_id"]), int(row["sensors_id"]), row["location"], at, float(row["lat"]), float(row["lon"]),
                         row["parameter"], row["units"], float(row["value"]), str(day)] += 1
        return rows

    def rows_of_database(self):
        return collections.Counter(
            (int(node), int(sensor), location, float(at), float(lat), float(lon), parameter, units, float(value), day)
            for node, sensor, location, at, lat, lon, parameter, units, value, day in self.sql(EXPECTED))

    def check(self):
        written, there = self.rows_of_files(), self.rows_of_database()
        self.assertEqual(written - there, collections.Counter())
        self.assertEqual(there - written, collections.Counter())

    def ingest(self, source, first, hours):
        self.sql(f"INSERT INTO staged_measurements SELECT '{source}', timestamptz '{first}' + n * interval '1 hour', n + 0.5, 7, 8"
                 f" FROM generate_series(1, {hours}) n")
        return int(self.sql("SELECT ingest_measurements()")[0][0])

    def exported(self):
        """What the last run wrote."""
        return json.loads(self.shell("spillway --json jobs list --limit 1"))["jobs"][0]["counts"]["written"]

    def test_o02_o03_o04_beside_the_exporter_that_is_there(self):
        theirs = self.sql("SELECT proname, pg_get_function_arguments(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
                          " AND proname IN ('get_pending', 'update_export_log_exported') ORDER BY 1")
        self.follow()
        self.check()
        hidden = {int(row[0]) for row in self.sql("SELECT sensors_id FROM sensors WHERE source_id LIKE 'sensor-5-%' OR NOT is_public")}
        self.assertEqual(len(hidden), 4)
        self.assertEqual({row[1] for row in self.rows_of_files()} & hidden, set())
        texts = {row[2] for row in self.rows_of_files() if row[0] == 1}
        self.assertEqual(texts, {"London, Bridge-1", "London, Bridge-2"})
        # Their next deploy, their ingest, which writes their log, and our next run.
        self.psql((ROOT / "tests" / "e2e" / "openaq" / "deploy.sql").read_text())
        self.assertEqual(theirs, self.sql("SELECT proname, pg_get_function_arguments(oid) FROM pg_proc WHERE pronamespace ="
                                          " 'public'::regnamespace AND proname IN ('get_pending', 'update_export_log_exported') ORDER BY 1"))
        self.assertEqual(self.ingest("sensor-3-1", "2024-03-29T00:30Z", 5), 5)
        self.sql("SELECT create_measurements_partition('2024-05-01')")
        self.assertEqual(self.ingest("sensor-1-1", "2024-05-05T00:00Z", 3), 3)
        self.shell("spillway run open-data")
        self.assertEqual(self.exported(), 2)
        self.check()
        self.assertNotEqual(self.sql("SELECT count(*) FROM get_pending(1000)"), [["0"]], "their log still works")
        # And what can be done once it is there: each may be said again.
        owner = self.server.url(self.database)
        self.shell(f"spillway open-data migrate --as {owner} --track measurements")
        self.assertIn("0 location-days", self.shell(f"spillway open-data recount --as {owner}"))
        self.shell("spillway run open-data")
        self.assertEqual(self.exported(), 0)

    def test_o03_what_their_exporter_has_exported_is_not_exported_again(self):
        self.sql("SELECT update_export_log_exported(day, sensor_nodes_id, records) FROM open_data_export_logs WHERE day < '2024-03-30'")
        self.sql("SELECT update_export_log_exported(day, sensor_nodes_id, records - 1) FROM open_data_export_logs WHERE day = '2024-03-28'"
                 " AND sensor_nodes_id = 5")
        days = int(self.sql("SELECT count(*) FROM open_data_export_logs WHERE sensor_nodes_id <> 4")[0][0])
        # Location 3 has a sensor that is not public, which their log counts and we do not.
        kept = int(self.sql("SELECT count(*) FROM open_data_export_logs WHERE day < '2024-03-30' AND sensor_nodes_id IN (1, 2, 5)")[0][0]) - 1
        self.follow()
        self.assertEqual(self.exported(), days - kept)
        self.assertEqual(len(self.files()), days - kept)

    def test_o11_the_documented_ingest_without_triggers(self):
        self.follow()
        owner = self.server.url(self.database)
        self.shell(f"spillway open-data migrate --as {owner} --untrack measurements")
        section = (ROOT / "docs" / "open-data.md").read_text().split("**Without triggers.**")[1].split("\n## ")[0]
        function = re.search(r"`(EXECUTE ON FUNCTION [^`]*)`", section)[1]
        schema = re.search(r"USAGE on the log's schema, here `(\w+)`", section)[1]
        statement = re.search(r"```sql\n(.*?)```", section, re.DOTALL)[1]
        sensors = [row[0] for row in self.sql("SELECT sensors_id FROM spillway_open_data.open_data_sensors ORDER BY 1 LIMIT 2")]
        self.psql(f"CREATE ROLE ingest LOGIN; GRANT USAGE ON SCHEMA {schema} TO ingest; GRANT {function} TO ingest; SET ROLE ingest; "
                  + statement.replace("11, 12", ", ".join(sensors)))
        self.addCleanup(self.sql, "DROP OWNED BY ingest; DROP ROLE ingest")
        self.assertEqual(self.sql("SELECT sum(records) FROM spillway_open_data.open_data_export_logs WHERE day = '2024-01-31'"), [["2"]])

    def test_o09_o10_o12_marking_renaming_and_tracking(self):
        self.follow()
        owner = self.server.url(self.database)
        said = self.shell("spillway open-data mark --location 1 --location 3 --from 2024-03-28 --through 2024-03-29")
        self.assertIn("4 location-days", said)
        self.shell("spillway run open-data")
        self.assertEqual(self.exported(), 4)
        self.sql("UPDATE sensor_nodes SET site_name = 'Denver, moved', geom = st_setsrid(st_makepoint(-104.5, 39.5), 4326)"
                 " WHERE source_id = 'c'")
        days = len([path for path in self.files() if path.name.startswith("location-3-")])
        self.assertIn(f"{days} location-days", self.shell(f"spillway open-data recount --as {owner}"))
        self.shell("spillway run open-data")
        self.check()
        self.sql("INSERT INTO _measurements_internal.measurements_202403 (sensors_id, datetime, value)"
                 " VALUES (1, '2024-03-31T12:34Z', 5.5)")
        self.shell("spillway run open-data")
        self.assertEqual(self.exported(), 1)
        self.check()
        self.shell("spillway open-data mark --all")
        self.shell("spillway run open-data")
        self.assertEqual(self.exported(), len(self.files()))
        for words, code, complaint in (
                ("mark", 2, "--location is missing; give locations"), ("mark --all --location 1", 2, "--all marks every day"),
                ("mark --from 2024-02-30", 2, '--from is "2024-02-30"; use a day'), ("mark --from 2024-03-02 --through 2024-03-01", 2, "exchange them"),
                ("mark --location 999", 3, "has no such days"),
                (f"migrate --as {owner} --track sensors", 2, "datetime is not there"),
                (f"migrate --as {owner} --track nowhere", 3, "nowhere"),
                (f"migrate --as {owner} --adopt=sensors", 2, "it lacks")):
            done = subprocess.run([SPILLWAY, "open-data", *words.split()], cwd=self.folder, capture_output=True, text=True)
            self.assertEqual((done.returncode, complaint in done.stderr, done.stderr.count("\n")), (code, True, 1), (words, done.stderr))
        self.shell(f"spillway open-data migrate --as {owner} --untrack measurements")
        self.ingest("sensor-1-2", "2024-03-28T00:15Z", 2)
        self.shell("spillway run open-data")
        self.assertEqual(self.exported(), 0)

    def test_o05_o06_a_weeks_files_are_one_table_to_everybodys_readers(self):
        self.follow()
        paths = [str(path) for path in self.files()]
        rows = len(self.sql(EXPECTED))
        tables = [pandas.read_csv(path) for path in paths]
        self.assertEqual({tuple(map(str, table.dtypes)) for table in tables}, {tuple(map(str, tables[0].dtypes))})
        self.assertEqual(len(pandas.concat(tables)), rows)
        self.assertEqual(pyarrow.dataset.dataset(paths, format="csv").to_table().num_rows, rows)
        self.assertEqual(polars.scan_csv(paths).collect().height, rows)
        self.assertEqual(polars.concat([polars.read_csv(path) for path in paths]).height, rows)
        self.assertEqual(duckdb.sql(f"SELECT count(*) FROM read_csv({paths})").fetchall(), [(rows,)])
        types = {tuple(name_and_type[1] for name_and_type in duckdb.sql(f"DESCRIBE SELECT * FROM read_csv('{path}')").fetchall())
                 for path in paths}
        self.assertEqual(len(types), 1, types)
        guesses = set()
        for path in paths:
            with gzip.open(path, "rt", newline="") as file:
                lines = list(csv.DictReader(file))
            guesses.add(tuple(guess([line[column] for line in lines]) for column in COLUMNS))
        self.assertEqual(guesses, {("integer", "integer", "character", "datetime", "double", "double", "character", "character", "double")})


if __name__ == "__main__":
    unittest.main()
