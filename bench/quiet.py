"""How busy others keep the machine: measuring waits until they are quiet, and is repeated where they were not."""
import os
import time

QUIET_CORES = 0.15  # A run begins when others use less.
LOUD_CORES = 0.25  # A run is repeated where they used more.
REPEATS_MAX = 2
PATIENCE = float(os.environ.get("PATIENCE", "600"))  # seconds of waiting and repeating for each path
LOOK = 1.0  # seconds
TICKS = os.sysconf("SC_CLK_TCK")


def servers_cpu():
    """CPU seconds of this process's children and theirs, and of those that they waited for."""
    parents, taken = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:  # It has ended.
            continue
        parents[int(entry)] = int(fields[1])
        taken[int(entry)] = sum(map(int, fields[11:15])) / TICKS
    ours = {os.getpid()}
    while more := {process for process, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return sum(taken[process] for process in ours - {os.getpid()})


class Instant:
    """What was used until now. Taken while no program runs that is measured: what runs below the bench are servers."""

    def __init__(self):
        with open("/proc/stat", encoding="ascii") as file:
            user, nice, system, _, _, interrupts, soft, stolen = map(int, file.readline().split()[1:9])
        self.busy = (user + nice + system + interrupts + soft + stolen) / TICKS
        self.at, self.bench, self.servers = time.monotonic(), time.process_time(), servers_cpu()

    def others_since(self, before, measured=0.0):
        """Cores that others used, where a program that has ended took `measured` CPU seconds."""
        ours = measured + self.servers - before.servers + self.bench - before.bench
        return max(0.0, (self.busy - before.busy - ours) / (self.at - before.at))


class Patience:
    """Of one path."""

    def __init__(self):
        self.left, self.waited, self.repeated, self.others = PATIENCE, 0.0, 0, []

    def wait(self):
        """Until others are quiet. What servers of our own do by themselves ends before that, too."""
        began = time.monotonic()
        while self.left > 0:
            before = Instant()
            time.sleep(LOOK)
            now = Instant()
            self.left -= LOOK
            if now.others_since(before) + (now.servers - before.servers) / LOOK < QUIET_CORES:
                break
        self.waited += time.monotonic() - began

    def measure(self, once):
        """`once()` returns a Usage and something else. Runs it again where others were not quiet, and returns what came
        of the run that they disturbed least."""
        best = None
        for repeat in range(1 + REPEATS_MAX):
            self.wait()
            run = once()
            if best is None or run[0].others < best[0].others:
                best = run
            if best[0].others < LOUD_CORES or self.left <= 0 or repeat == REPEATS_MAX:
                break
            self.left -= run[0].wall
            self.repeated += 1
        self.others.append(best[0].others)
        return best

    def note(self):
        loud = sum(others >= LOUD_CORES for others in self.others)
        return (f"Waited {self.waited:.0f} s for others to be quiet, and repeated {self.repeated} runs. Of the {len(self.others)} that "
                f"count, {loud or 'none'} had others using more than {LOUD_CORES} of a core (at most {max(self.others):.2f})"
                f"{': wall times say little, CPU seconds more' if loud else ''}.")
