#!/usr/bin/env python3
"""Open data from a PostgreSQL with readings: a file a location and day, exported again when readings change.
Everything is started here, on loopback, and stopped at the end.
  demo/open-data/run.py [PATH_TO_SPILLWAY [DEMO_DIRECTORY]]
"""
import collections
import csv
import gzip
import json
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "e2e"))
from postgres import PostgresServer  # noqa: E402

# What the files of each day must say, from the database alone.
EXPECTED = """
SELECT ((m.datetime - interval '1 microsecond') AT TIME ZONE tzid)::date, n.sensor_nodes_id, m.sensors_id, site_name,
       to_char(m.datetime AT TIME ZONE tzid, 'YYYY-MM-DD"T"HH24:MI:SS'), parameter, units, m.value
FROM measurements m JOIN open_data_sensors s USING (sensors_id) JOIN sensor_nodes n USING (sensor_nodes_id)
  JOIN timezones USING (timezones_id)
ORDER BY m.sensors_id, m.datetime"""

CONFIGURATION = """open_data:
  database:
    host: 127.0.0.1
    port: {port}
    name: {name}
    read: {{user: open_data_reader}}
    write: {{user: open_data_writer}}
  format: csv.gz, parquet
  directory: data
"""


def say(text):
    print(f"\n\033[1m{text}\033[0m", flush=True)


class Demo:
    def __init__(self, spillway, folder, server):
        self.spillway, self.folder, self.server = spillway, folder, server
        self.database = server.new_database()

    def show(self, *words):
        print(f"\033[2m$ spillway {' '.join(words)}\033[0m", flush=True)
        subprocess.run([self.spillway, *words], cwd=self.folder, check=True)

    def psql(self, file):
        subprocess.run([self.server.programs / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.server.folder, "-p",
                        str(self.server.port), "-U", "postgres", "-d", self.database, "-f", file],
                       check=True, stdout=subprocess.DEVNULL)

    def sql(self, statement):
        return self.server.sql(statement, self.database)

    def check(self):
        """Every file of every exported day, against the database."""
        days = self.sql("SELECT sensor_nodes_id, day, key FROM open_data_states WHERE state = 'exported' ORDER BY 1, 2")
        readings = collections.defaultdict(list)
        for day, location, *reading in self.sql(EXPECTED):
            readings[location, day].append((location, *reading))
        rows = 0
        for location, day, key in days:
            expected = readings[location, day]
            with gzip.open(self.folder / "data" / key, "rt", newline="") as file:
                written = list(csv.DictReader(file))
            assert len(written) == len(expected), (key, len(written), len(expected))
            for line, (number, sensor, name, at, parameter, units, value) in zip(written, expected):
                assert line["location_id"] == number and line["sensors_id"] == sensor, (key, line)
                assert line["location"] == name and line["datetime"][:19] == at, (key, line, at)
                assert line["parameter"] == parameter and line["units"] == units, (key, line)
                assert float(line["value"]) == float(value), (key, line, value)
            rows += len(written)
        print(f"{len(days):,} files, {rows:,} readings: each as the database has it")

    def last_job(self):
        listed = subprocess.run([self.spillway, "--json", "jobs", "list", "--limit", "1"], cwd=self.folder, check=True,
                                capture_output=True, text=True).stdout
        return json.loads(listed)["jobs"][0]

    def run(self):
        (self.folder / "spillway.yaml").write_text(CONFIGURATION.format(port=self.server.port, name=self.database))
        owner = self.server.url(self.database)

        say("1. A database of readings, from stations in twenty time zones")
        self.psql(HERE / "schema.sql")
        self.sql("CREATE ROLE open_data_reader LOGIN")
        self.sql("CREATE ROLE open_data_writer LOGIN")
        self.psql(HERE / "readings.sql")
        self.show("open-data", "migrate", "--as", owner, "--track", "measurements")
        self.show("open-data", "recount", "--as", owner)

        say("2. Every day that is over where its station is")
        self.show("run", "open-data")
        self.show("open-data", "status")
        job = self.last_job()
        self.show("verify", job["directory"], "--key", "signing.pub.pem")
        self.check()

        say("3. Late readings, a correction and a deletion: three days change")
        self.sql("INSERT INTO measurements SELECT 1, datetime + interval '1 minute', 1 FROM measurements"
                 " WHERE sensors_id = 1 ORDER BY datetime OFFSET 40 LIMIT 1")
        self.sql("UPDATE measurements SET value = value + 1 WHERE sensors_id = 7 AND datetime ="
                 " (SELECT datetime FROM measurements WHERE sensors_id = 7 ORDER BY datetime OFFSET 60 LIMIT 1)")
        self.sql("DELETE FROM measurements WHERE sensors_id = 13 AND datetime ="
                 " (SELECT datetime FROM measurements WHERE sensors_id = 13 ORDER BY datetime OFFSET 80 LIMIT 1)")
        self.show("run", "open-data")
        counts = self.last_job()["counts"]
        assert counts["written"] == 3, counts
        self.check()


def main():
    spillway = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else HERE / "../../build/release/src/cli/spillway").resolve()
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else HERE / "../../build/demo-open-data").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with PostgresServer() as server:
        Demo(spillway, folder, server).run()
    say(f"The files are in {folder}/data")


if __name__ == "__main__":
    main()
