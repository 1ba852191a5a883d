"""Figures beside what is wanted of them: a line each on standard output, a table for each path in RESULTS.md."""
import dataclasses
import datetime
import os
import pathlib
import platform
import re
import statistics
import subprocess

from measure import Contender, race

BEFORE_TURNS = 12
FILE = pathlib.Path(__file__).resolve().parent / "RESULTS.md"


@dataclasses.dataclass
class Figure:
    kind: str  # ratio, limit or figure
    name: str
    value: float
    unit: str = ""
    at_least: float = None
    at_most: float = None
    beside: str = ""
    cpu: float = None  # the same of CPU seconds, where the value is of wall time
    cpu_too: bool = False  # whether the bounds are wanted of CPU seconds as well

    @property
    def reached(self):
        if self.at_least is None and self.at_most is None:
            return None
        values = [self.value, self.cpu] if self.cpu_too else [self.value]
        return all((self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)
                   for value in values)

    @property
    def wanted(self):
        bounds = [f"{sign} {bound:,g}" for sign, bound in (("≥", self.at_least), ("≤", self.at_most)) if bound is not None]
        return " ".join(bounds) + (" of both" if self.cpu_too else "")

    @property
    def mark(self):
        return {None: "", True: "reached", False: "MISSED"}[self.reached]

    @property
    def shown(self):
        return f"{self.value:,.0f}" if abs(self.value) >= 1000 else f"{self.value:.3g}"

    def line(self):
        words = [self.kind, self.name, self.shown, self.unit]
        if self.cpu is not None:
            words.append(f"(CPU {self.cpu:.3g})")
        if self.wanted:
            words.append(f"(wanted {self.wanted}: {self.mark})")
        return " ".join(filter(None, words)) + (f"  {self.beside}" if self.beside else "")

    def row(self):
        cpu = "" if self.cpu is None else f"{self.cpu:.3g}"
        return f"| {self.kind} {self.name} | {self.shown} {self.unit} | {cpu} | {self.wanted} | {self.mark} |"


@dataclasses.dataclass
class Report:
    """Of one path: its figures, and a table of who took what."""
    path: str
    title: str
    figures: list = dataclasses.field(default_factory=list)
    contenders: list = dataclasses.field(default_factory=list)
    bytes: dict = dataclasses.field(default_factory=dict)  # of each contender's output
    notes: list = dataclasses.field(default_factory=list)

    def add(self, figure):
        self.figures.append(figure)
        print(figure.line(), flush=True)

    def markdown(self):
        lines = [f"<!-- {self.path} -->", f"## {self.path}: {self.title}", "", facts(), ""]
        lines += ["| figure | value | of CPU seconds | wanted | |", "| --- | ---: | ---: | ---: | --- |"]
        lines += [figure.row() for figure in self.figures]
        if self.contenders:
            lines += ["", "| | wall s | of it without start | CPU s | peak MB | output MB |"]
            lines += ["| --- | ---: | ---: | ---: | ---: | ---: |"]
            lines += [self.contender_row(contender) for contender in self.contenders]
        lines += [""] + self.notes if self.notes else []
        return "\n".join(lines + [f"<!-- /{self.path} -->"])

    def contender_row(self, contender):
        alone, size = contender.median("alone"), self.bytes.get(contender.name)
        return (f"| {contender.name} | {contender.median('wall'):.2f} | {'' if alone is None else f'{alone:.2f}'} "
                f"| {contender.median('cpu'):.2f} | {contender.median('peak') / 1e6:.0f} "
                f"| {'' if size is None else f'{size / 1e6:.1f}'} |")


def describe(contender):
    return (f"{contender.name} {contender.median('wall'):.2f} s {contender.median('cpu'):.2f} CPU s "
            f"{contender.median('peak') / 1e6:.0f} MB")


def compare(report, kind, name, ours, other, **bounds):
    """`ratio`: how many times as long the other takes. `limit`: how many times as long ours takes."""
    above, below = (ours, other) if kind == "limit" else (other, ours)
    value, cpu = (above.median(field) / below.median(field) for field in ("wall", "cpu"))
    report.add(Figure(kind, name, value, cpu=cpu, beside=f"{describe(ours)}; {describe(other)}", **bounds))


def compare_with_best(report, name, ours, others, **bounds):
    """Beside whichever of the others took least wall time; in CPU seconds, least of these."""
    fastest, thriftiest = (min(others, key=lambda other: other.median(field)) for field in ("wall", "cpu"))
    report.add(Figure("ratio", name, fastest.median("wall") / ours.median("wall"), cpu=thriftiest.median("cpu") / ours.median("cpu"),
                      beside=f"{describe(ours)}; {describe(fastest)}", **bounds))


def compare_with_before(report, taken, directory):
    """Where an earlier version takes part (BENCH_BEFORE): in turns of these two alone, since three rounds among many
    others cannot tell a difference of some per cent. The median of what each turn gives."""
    if "before" not in taken:
        return
    pair = [Contender(name, taken[name].command, taken[name].output) for name in ("ours", "before")]
    race(pair, directory, BEFORE_TURNS)
    ratios = {field: statistics.median(getattr(before, field) / getattr(ours, field)
                                       for ours, before in zip(*(contender.usages for contender in pair)))
              for field in ("wall", "cpu")}
    report.add(Figure("ratio", f"{report.path}-vs-before", ratios["wall"], cpu=ratios["cpu"],
                      beside=f"{describe(pair[0])}; {describe(pair[1])}; {BEFORE_TURNS} turns"))


def processor():
    """Its name, family and model: names alone are the same for several of them."""
    found = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE))
    if "cpu family" not in found:
        return platform.machine()
    return f"{found['model name'].strip()} (family {found['cpu family']}, model {found['model']})"


def facts():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = subprocess.run(["git", "-C", FILE.parent, "describe", "--always", "--dirty"], capture_output=True, text=True)
    return (f"{datetime.date.today()}, {commit.stdout.strip() or 'no commit'}, on "
            f"{processor()}, 2 of {os.cpu_count()} cores, {memory:.0f} GiB, "
            f"Linux {platform.release()}, load {os.getloadavg()[0]:.1f} at the end.")


def keep(report):
    """Puts the report in the place of the path's earlier one."""
    text = FILE.read_text()
    section = re.compile(f"<!-- {report.path} -->.*?<!-- /{report.path} -->", re.DOTALL)
    if section.search(text):
        text = section.sub(lambda _: report.markdown(), text)
    else:
        text = text.rstrip("\n") + "\n\n" + report.markdown() + "\n"
    FILE.write_text(text)
