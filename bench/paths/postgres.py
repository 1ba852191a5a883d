"""A PostgreSQL table to files, beside psql and the drivers that speak Arrow."""
import json
import os
import shlex
import sys

import duckdb

import inputs
from deployment import VERSIONS, exported
from measure import Contender, Failed, race, remove, run, say
from results import Report, compare, compare_with_before

sys.path.insert(0, str(inputs.HERE.parent / "tests" / "e2e"))
from postgres import PostgresServer  # The same server that the tests start.

ROWS = int(os.environ.get("POSTGRES_ROWS", 10_000_000))
OUTPUTS = inputs.DIRECTORY / "outputs"
TABLE = f"""CREATE UNLOGGED TABLE orders AS
  SELECT i AS id, (i * 7919) % 100000 AS customer, ((i * 104729) % 1000000 / 100.0)::numeric(10, 2) AS price,
         '2024-01-01Z'::timestamptz + i * '1 sec'::interval AS placed_at, i % 3 = 0 AS paid,
         (i % 1000003)::float8 / 1000003 AS score, md5(i::text) AS note
  FROM generate_series(1::int8, {ROWS}::int8) AS i"""
SUMS = "count(*)::bigint, sum(id)::bigint, sum(customer)::bigint, sum(price::decimal(10, 2) * 100)::bigint, sum(length(note))::bigint"


class Exports:
    def __init__(self, server):
        self.server = server
        say(f"making a table of {ROWS:,} rows")
        server.sql(TABLE)
        server.sql("VACUUM ANALYZE orders")
        self.directory = inputs.DIRECTORY / "postgres"
        remove(self.directory)
        self.directory.mkdir(parents=True)

    def configuration(self, version):
        path = self.directory / f"{version}.yaml"
        path.write_text(json.dumps({
            "state": str(self.directory / f"{version}.db"),
            "databases": {"bench": {"url": self.server.url()}}, "engine": {"threads": 2},
            "exports": {"orders": {"recipe": "query_export", "database": "bench", "table": "orders", "csv": {"line_end": "lf"}}}}))
        return path

    def ours(self, *flags):
        def contender(version):
            command = [VERSIONS[version], "--config", self.configuration(version), "--quiet", "run", "orders", "--fresh"]
            return Contender(version, lambda to: [*command, "--output", to, *flags], "directory")
        return [contender(version) for version in VERSIONS]

    def psql(self):
        copy = "COPY orders TO STDOUT (FORMAT csv, HEADER)"
        psql = [self.server.programs / "psql", "-X", "-q", "-d", self.server.url(), "-c", copy, "-o"]
        return Contender("psql", lambda to: ["sh", "-c", shlex.join(map(str, [*psql, to])) + " && " + shlex.join(["sync", str(to)])])

    def peer(self, engine):
        script = inputs.HERE / "peers" / "postgres.py"
        return Contender(engine, lambda to: [sys.executable, "-B", script, engine, self.server.url(), "orders", to])

    def check(self, report, reader, contenders):
        expected = [int(value) for value in self.server.sql(f"SELECT {SUMS} FROM orders")[0]]
        for contender in contenders:
            _, output = contender.run(OUTPUTS)
            files = exported(output) if contender.output == "directory" else [output]
            report.bytes[contender.name] = sum(path.stat().st_size for path in files)
            found = list(duckdb.connect().execute(f"SELECT {SUMS} FROM {reader}({[str(path) for path in files]})").fetchall()[0])
            remove(output)
            if found != expected:
                raise Failed(f"{report.path}: {contender.name} wrote {found}, the table holds {expected}")
            say(f"  {contender.name}: the same rows, {report.bytes[contender.name] / 1e6:.0f} MB")

    def measure(self, report, reader, contenders, rounds):
        self.check(report, reader, contenders)
        report.notes.append(race(contenders, OUTPUTS, rounds))
        report.contenders = contenders
        taken = {contender.name: contender for contender in contenders}
        compare_with_before(report, taken, OUTPUTS)
        return taken


def csv(exports, rounds):
    report = Report("postgres-csv", f"a PostgreSQL table of {ROWS / 1e6:g} M rows as one CSV file, the server on the same cores")
    taken = exports.measure(report, "read_csv", [*exports.ours(), exports.psql()], rounds)
    compare(report, "ratio", "pg-csv-vs-psql", taken["ours"], taken["psql"], at_least=1.5)
    return report


def parquet(exports, rounds):
    report = Report("postgres-parquet", "the same table as Parquet with zstd at level 1")
    contenders = [*exports.ours("--format", "parquet"), exports.peer("adbc"), exports.peer("connectorx")]
    taken = exports.measure(report, "read_parquet", contenders, rounds)
    for peer in ("adbc", "connectorx"):
        compare(report, "ratio", f"pg-parquet-vs-{peer}", taken["ours"], taken[peer], at_least=1.5)
    return report


PATHS = {"postgres-csv": csv, "postgres-parquet": parquet}


def measure(path, rounds):
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    with PostgresServer("shared_buffers = 512MB", "max_wal_size = 4GB") as server:
        return PATHS[path](Exports(server), rounds)
