"""What a run costs that has nothing to export."""
import statistics

import inputs
from deployment import Deployment
from measure import remove, run
from results import Figure, Report

WORK = inputs.DIRECTORY / "start"
RUNS = 20


def measure(path, rounds):
    report = Report("start", "a warm `spillway run` of a range without messages, from start to exit")
    deployment = Deployment(WORK / "deployment", inputs.lake())
    command = deployment.export(WORK / "export", first="2024-01-01", after="2024-01-02")
    usages = [run(command) for _ in range(RUNS + 1)][1:]
    milliseconds = [usage.wall * 1e3 for usage in usages]
    cpu = statistics.median(usage.cpu for usage in usages) * 1e3
    peak = statistics.median(usage.peak for usage in usages) / 1e6
    report.add(Figure("figure", "empty-run", statistics.median(milliseconds), "ms", at_most=50,
                      beside=f"worst {max(milliseconds):.0f} ms of {RUNS}; {cpu:.0f} CPU ms, {peak:.0f} MB"))
    remove(WORK)
    return report
