"""Open data: files by location and day out of PostgreSQL, log updates included, against one COPY of the same rows."""
import hashlib
import itertools
import os
import pathlib
import statistics
import sys

import inputs
import quiet
from deployment import VERSIONS
from measure import Contender, Failed, remove, run, say
from results import Figure, Report, compare

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from postgres import PostgresServer  # noqa: E402

WORK = inputs.DIRECTORY / "open-data"
LOCATIONS = int(os.environ.get("OPEN_DATA_LOCATIONS", "1000"))
DAYS = 20
READINGS_A_DAY = 144  # Of six sensors, one an hour.

FILL = f"""
INSERT INTO timezones SELECT row_number() OVER (), zone
FROM unnest(ARRAY['UTC', 'Europe/Vienna', 'America/New_York', 'Asia/Kolkata', 'Australia/Sydney']) AS zone;
INSERT INTO measurands VALUES (1, 'pm25', 'µg/m³'), (2, 'pm10', 'µg/m³'), (3, 'o3', 'ppm'), (4, 'no2', 'ppm'),
  (5, 'temperature', 'c'), (6, 'relativehumidity', '%');
SELECT setseed(0.5);
INSERT INTO sensor_nodes SELECT n, 'Station ' || n || ', Main Street', random() * 120 - 60, random() * 360 - 180, n % 5 + 1
FROM generate_series(1, {LOCATIONS}) AS n;
INSERT INTO sensor_systems SELECT n, n FROM generate_series(1, {LOCATIONS}) AS n;
INSERT INTO sensors SELECT (n - 1) * 6 + m, n, m FROM generate_series(1, {LOCATIONS}) AS n, generate_series(1, 6) AS m;
-- Hour by hour, as readings come.
INSERT INTO measurements SELECT sensors_id, at, round((random() * 100)::numeric, 3), NULL, NULL
FROM generate_series(timestamptz '2024-03-01T12:00Z', timestamptz '2024-03-01T11:00Z' + interval '{DAYS} days',
                     interval '1 hour') AS at, sensors;
"""

# The same rows in the same order, with times as PostgreSQL writes them: less than ours says.
COPY = """COPY (
  SELECT sensor_nodes_id AS location_id, sensors_id, location, datetime, coalesce(m.lat, l.lat) AS lat,
         coalesce(m.lon, l.lon) AS lon, parameter, units, value
  FROM open_data_measurements m JOIN open_data_sensors s USING (sensors_id)
    JOIN open_data_locations l USING (sensor_nodes_id)
  ORDER BY sensor_nodes_id, open_data_day(datetime, time_zone, true), sensors_id, datetime
) TO STDOUT (FORMAT csv, HEADER)"""
COPY_UNORDERED = COPY[:COPY.index("  ORDER BY")] + COPY[COPY.index(") TO"):]

CONFIGURATION = """open_data:
  database: {{host: 127.0.0.1, port: {port}, name: {name}, read: {{user: postgres}}, write: {{user: postgres}}}}
  format: csv.gz
"""


def digest(folder):
    """Of all files' names and bytes."""
    whole = hashlib.sha256()
    for path in sorted((folder / "records").rglob("location-*")):
        whole.update(str(path.relative_to(folder)).encode() + path.read_bytes())
    return whole.hexdigest()


class Exporter:
    """One version of Spillway, on a database of its own with the same readings."""

    def __init__(self, server, version):
        self.server, self.version, self.runs, self.digests = server, version, itertools.count(), set()
        self.database = server.new_database()
        configuration = WORK / f"{version}.yaml"
        configuration.write_text(f"state: {WORK / version}.db\n" + CONFIGURATION.format(port=server.port, name=self.database))
        self.command = [VERSIONS[version], "--config", configuration]
        server.sql((ROOT / "demo" / "open-data" / "schema.sql").read_text(), self.database)
        server.sql(FILL, self.database)
        run([*self.command, "open-data", "migrate", "--track", "measurements"])
        run([*self.command, "open-data", "recount"])
        server.sql("VACUUM ANALYZE", self.database)
        self.days = int(server.sql("SELECT count(*) FROM open_data_export_logs", self.database)[0][0])

    def run(self):
        """Exports every day; its usage, and the digest of the files."""
        # A folder for each: file systems take longer for inodes that were freed a moment ago.
        folder = WORK / f"data-{self.version}-{next(self.runs)}"
        os.environ["LOCAL_SAVE_DIRECTORY"] = str(folder)
        self.server.sql("UPDATE open_data_export_logs SET exported_on = NULL", self.database)
        self.server.sql("VACUUM open_data_export_logs", self.database)
        self.server.sql("CHECKPOINT", self.database)
        usage = run([*self.command, "run", "open-data", "--fresh"])
        if f"{self.days:,} location-days" not in usage.printed:
            raise Failed(f"{self.days} location-days are there, but: {usage.printed}")
        self.digests.add(digest(folder))
        return usage, folder


def measure(path, rounds):
    report = Report("open-data", f"files of {READINGS_A_DAY} readings by location and day, csv.gz, and the log, out of PostgreSQL")
    remove(WORK)
    WORK.mkdir(parents=True)
    with PostgresServer("shared_buffers = 1GB", "fsync = on", "full_page_writes = on", "max_wal_size = 4GB") as server:
        exporters = {version: Exporter(server, version) for version in VERSIONS}
        ours = exporters["ours"]
        psql = [server.programs / "psql", "-X", "-q", "-h", server.folder, "-p", server.port, "-U", "postgres",
                "-d", ours.database, "-c"]
        runs = {version: exporter.run for version, exporter in exporters.items()}
        runs["psql"] = lambda: (run([*psql, COPY], stdout="/dev/null"), None)
        runs["psql-unordered"] = lambda: (run([*psql, COPY_UNORDERED], stdout="/dev/null"), None)
        taken = {name: Contender(name, None) for name in runs}
        patience = quiet.Patience()
        for turn in range(rounds + 1):
            for name in list(runs)[::1 if turn % 2 == 0 else -1]:
                usage, _ = runs[name]() if turn == 0 else patience.measure(runs[name])  # The first warms caches.
                if turn > 0:
                    taken[name].usages.append(usage)
                say(f"  round {turn} of {rounds}: {name} {usage.wall:.2f} s, {usage.own:.2f} CPU s and PostgreSQL's "
                    f"{usage.servers:.2f}, others {usage.others:.2f} cores")
    report.contenders = list(taken.values())
    mine = taken["ours"].median("wall")
    report.add(Figure("figure", "opendata-days", ours.days / mine, "location-days/s", at_least=2_000,
                      beside=f"{ours.days:,} in {mine:.2f} s"))
    compare(report, "ratio", "opendata-vs-psql", taken["ours"], taken["psql"], at_least=1.0)  # COPY in the same order
    compare(report, "ratio", "opendata-vs-psql-unordered", taken["ours"], taken["psql-unordered"])
    if "before" in taken:
        compare(report, "ratio", "opendata-vs-before", taken["ours"], taken["before"])
    report.add(Figure("figure", "opendata-different-bytes", len(ours.digests) - 1, "of the runs", at_most=0))
    report.notes.append(patience.note() + " CPU seconds include PostgreSQL's.")
    remove(WORK)
    return report
