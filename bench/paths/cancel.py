"""From the request to cancel to the last byte released, in the middle of an export."""
import os
import random
import signal
import statistics
import subprocess
import time

import inputs
from deployment import Deployment
from measure import Failed, finish, remove, run, say
from results import Figure, Report

WORK = inputs.DIRECTORY / "cancel"
OUTPUT = WORK / "export"
REQUESTS = 50
CANCELLED = 130


def command_of(deployment):
    return [str(word) for word in deployment.export(OUTPUT, first="2025-01-01", after="2025-04-01")]


class Export:
    """An export of all of the organisation's rows that is under way."""

    def __init__(self, deployment):
        self.deployment = deployment
        remove(OUTPUT)
        self.began = time.perf_counter()
        self.process = subprocess.Popen(command_of(deployment), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    def released(self):
        """Waits for the process to end and its staged bytes to be gone; the exit code."""
        status = finish(self.process, self.began).status
        while staged():
            if time.perf_counter() - self.began > 60:
                raise Failed(f"cancel: staged bytes are left in {OUTPUT}")
            time.sleep(.001)
        return status


def staged():
    return any(files for _, _, files in os.walk(OUTPUT / ".spillway" / "jobs"))


def interrupt(export):
    began = time.perf_counter()
    export.process.send_signal(signal.SIGINT)
    return began, export.released()


def cancel(export):
    job = export.deployment.newest_job()["id"]
    began = time.perf_counter()
    cancelling = subprocess.Popen([str(word) for word in export.deployment.command("--quiet", "jobs", "cancel", job)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status = export.released()
    cancelling.wait()
    return began, status


def seconds_to_release(deployment, request, after):
    """None where the export was done before it could be cancelled."""
    export = Export(deployment)
    time.sleep(after)
    began, status = request(export)
    took = time.perf_counter() - began
    if status not in (0, CANCELLED):
        raise Failed(f"cancel: exit code {status}")
    return took if status == CANCELLED else None


def measure(path, rounds):
    report = Report("cancel", f"from the request to the last byte released, {REQUESTS} times, at random moments in the "
                              "middle half of the CSV export of 6 M rows to a file")
    deployment = Deployment(WORK / "deployment", inputs.lake())
    moments = random.Random(42)
    run(command_of(deployment))
    export = Export(deployment)
    export.released()
    whole = time.perf_counter() - export.began
    for name, request in (("sigint", interrupt), ("command", cancel)):
        times = []
        while len(times) < REQUESTS // 2:
            took = seconds_to_release(deployment, request, whole * moments.uniform(.2, .7))
            if took is not None:
                times.append(took)
                say(f"  {name} {len(times)}: {took * 1e3:.0f} ms")
        report.add(Figure("figure", f"cancel-{name}-worst", max(times) * 1e3, "ms", at_most=1000,
                          beside=f"median {statistics.median(times) * 1e3:.0f} ms of {len(times)}"))
    remove(WORK)
    return report
