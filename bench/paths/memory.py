"""Peak memory of an export as the organisation grows."""
import statistics

import inputs
from deployment import Deployment, exported
from measure import remove, run, say
from results import Figure, Report

WORK = inputs.DIRECTORY / "memory"
LIMIT_MB = 300
GROWTH_MAX = 1.10


def peaks(lake, rounds):
    deployment = Deployment(WORK / "deployment", lake)
    found = []
    for turn in range(rounds):
        output = WORK / "export"
        remove(output)
        usage = run(deployment.export(output, first="2025-01-01", after="2025-04-01"))
        say(f"  {lake.name}: {usage.peak / 1e6:.0f} MB, {usage.wall:.2f} s, "
            f"{sum(path.stat().st_size for path in exported(output)) / 1e6:.0f} MB of CSV")
        remove(output)
        found.append(usage.peak / 1e6)
    return found


def measure(path, rounds):
    report = Report("memory", "peak resident memory of the CSV export of all 90 days, to a file")
    small, large = (statistics.median(peaks(lake, rounds)) for lake in (inputs.lake(), inputs.larger_lake()))
    report.add(Figure("figure", "memory-6m", small, "MB", at_most=LIMIT_MB))
    report.add(Figure("figure", "memory-24m", large, "MB", at_most=LIMIT_MB))
    report.add(Figure("figure", "memory-growth", large / small, "times", at_most=GROWTH_MAX))
    return report
