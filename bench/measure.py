"""Running programs one after the other and measuring them: wall clock, CPU seconds, peak resident memory."""
import dataclasses
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import quiet


@dataclasses.dataclass
class Usage:
    """Of one process and the children it waited for."""
    wall: float  # seconds, from start to exit
    own: float  # CPU seconds, user and system
    peak: int  # bytes resident, of the largest process
    status: int
    printed: str  # standard output, where it was not sent elsewhere
    servers: float = 0  # CPU seconds that servers started by the bench took meanwhile
    others: float = 0  # cores that everybody else used meanwhile
    user: float = 0  # of `own`, what the system did not take

    @property
    def cpu(self):
        """CPU seconds of the process and of the servers that it may have kept busy."""
        return self.own + self.servers

    @property
    def alone(self):
        """Seconds of the work without the program's start, where it says so itself."""
        try:
            return json.loads(self.printed.splitlines()[-1])["wall"]
        except (IndexError, ValueError, KeyError, TypeError):
            return None


class Failed(Exception):
    pass


def finish(process, began):
    """Waits for a subprocess.Popen; its usage, without what it printed."""
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, process.returncode, "", user=usage.ru_utime)


def run(command, stdout=None, expected=(0,)):
    """Runs a program to its end. This process stays small: a child's peak memory starts with its parent's."""
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as complaints:
        with open(stdout, "wb") if stdout else open(os.devnull, "wb") as sink:
            before, began = quiet.Instant(), time.perf_counter()
            process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                       stdout=sink if stdout else printed, stderr=complaints)
            usage = finish(process, began)
            after = quiet.Instant()
        usage.servers = after.servers - before.servers
        usage.others = after.others_since(before, usage.own)
        if usage.status not in expected:
            complaints.seek(0)
            raise Failed(f"exit code {usage.status} of {' '.join(map(str, command))}:\n"
                         + complaints.read().decode(errors="replace")[-2000:])
        printed.seek(0)
        usage.printed = printed.read().decode(errors="replace")
        return usage


def contents(kind, path):
    """What rows an output holds: see contents.py."""
    reader = pathlib.Path(__file__).resolve().parent / "contents.py"
    return json.loads(run([sys.executable, "-B", reader, kind, path]).printed)


@dataclasses.dataclass
class Contender:
    """A way to do the work that is measured. `command(output)` gives the program; `output` is a fresh path of its own."""
    name: str
    command: callable
    output: str = "file"  # file, directory (the program fills it), null (/dev/null), stdout (its own goes to /dev/null)
    usages: list = dataclasses.field(default_factory=list)

    def run(self, directory, kind=None):
        """One run, into `directory` unless the output is nothing; the usage and the output's path."""
        kind = kind or self.output
        output = pathlib.Path(directory) / self.name
        remove(output)
        os.sync()  # Nobody pays for what another has left to be written.
        if kind == "stdout":
            return run(self.command("-"), stdout="/dev/null"), None
        if kind == "null":
            return run(self.command("/dev/null")), None
        if kind == "directory":
            output.mkdir()
        return run(self.command(output)), output

    def median(self, field):
        values = [getattr(usage, field) for usage in self.usages]
        return None if None in values else statistics.median(values)


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def race(contenders, directory, rounds, check=None):
    """Interleaved: every round runs each once, in a turning order, when others are quiet. Outputs are removed, after
    `check(contender, output)`. Returns what to say of the quiet."""
    patience = quiet.Patience()
    for turn in range(rounds):
        for i in range(len(contenders)):
            contender = contenders[(turn + i) % len(contenders)]
            usage, output = patience.measure(lambda: contender.run(directory))
            contender.usages.append(usage)
            if output is not None:
                if check is not None:
                    check(contender, output)
                remove(output)
            say(f"  round {turn + 1} of {rounds}: {contender.name} {usage.wall:.2f} s, "
                f"{usage.cpu:.2f} CPU s, {usage.peak / 1e6:.0f} MB, others {usage.others:.2f} cores")
    return patience.note()


def say(line):
    print(line, file=sys.stderr, flush=True)
