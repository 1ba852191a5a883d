"""1, 2 and 4 workers at one export, each reading through a slow line of its own, so that this machine is not the limit. Nor is its
one disk, which stands for the workers' common storage: the file is compressed."""
import json
import pathlib
import statistics
import subprocess
import sys
import time

import inputs
from deployment import SPILLWAY
from measure import Failed, remove, run, say
from results import Figure, Report

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from postgres import PostgresServer  # noqa: E402
from proxy import Proxy  # noqa: E402

WORK = inputs.DIRECTORY / "scaling"
ROWS = 5_600_000  # 32 chunks, so that eight come on each of four workers
BYTES_PER_SECOND = 12 << 20
WORKERS = (1, 2, 4)
TABLE = f"""CREATE UNLOGGED TABLE orders AS
  SELECT i AS id, (i * 7919) % 100000 AS customer, (i % 1000003)::float8 / 1000003 AS score, md5(i::text) AS note
  FROM generate_series(1::int8, {ROWS}::int8) AS i"""


def configure(server, state, index, port):
    path = WORK / f"worker-{index}.yaml"
    path.write_text(json.dumps({
        "state": server.url(state), "engine": {"threads": 1},
        "databases": {"orders": {"url": f"postgres://postgres@127.0.0.1:{port}/postgres"}},
        "exports": {"orders": {"recipe": "query_export", "database": "orders", "table": "orders",
                               "destination": str(WORK / "exports"), "csv": {"line_end": "lf"}, "compression": "zstd"}}}))
    return path


def export(configurations):
    """Seconds from the start of the workers until they have nothing left to do."""
    printed = run([SPILLWAY, "--json", "--config", configurations[0], "run", "orders", "--fresh", "--detach"]).printed
    job = json.loads(printed)["id"]
    began = time.perf_counter()
    workers = [subprocess.Popen([SPILLWAY, "--quiet", "--config", path, "worker", "--until-idle"], stdout=subprocess.DEVNULL)
               for path in configurations]
    for worker in workers:
        if worker.wait() != 0:
            raise Failed(f"a worker ended with {worker.returncode}")
    took = time.perf_counter() - began
    found = json.loads(run([SPILLWAY, "--json", "--config", configurations[0], "jobs", "show", job]).printed)
    if found["state"] != "succeeded" or found["counts"]["written"] != ROWS:
        raise Failed(f"{ROWS} rows are there, but: {found['state']}, {found['counts']}")
    say(f"  {len(workers)} workers: {took:.2f} s, {found['chunks']['total']} chunks")
    return took


def measure(path, rounds):
    report = Report("scaling", f"a table of {ROWS / 1e6:g} M rows, each worker's line limited to {BYTES_PER_SECOND >> 20} MiB/s")
    remove(WORK)
    WORK.mkdir(parents=True)
    with PostgresServer() as server:
        server.sql(TABLE)
        server.sql("VACUUM ANALYZE orders")
        state = server.new_database()
        proxies = [Proxy(server.port, BYTES_PER_SECOND) for _ in range(max(WORKERS))]
        paths = [configure(server, state, index, proxy.port) for index, proxy in enumerate(proxies)]
        taken = {number: [] for number in WORKERS}
        for _ in range(rounds):
            for number in WORKERS:
                taken[number].append(export(paths[:number]))
                remove(WORK / "exports")
        for proxy in proxies:
            proxy.close()
    medians = {number: statistics.median(times) for number, times in taken.items()}
    for number in WORKERS[1:]:
        report.add(Figure("figure", f"scaling-efficiency-{number}", medians[1] / number / medians[number], at_least=0.9,
                          beside=f"{medians[1]:.1f} s by one worker, {medians[number]:.1f} s by {number}"))
    remove(WORK)
    return report
