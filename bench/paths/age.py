"""Sealing and opening a file in memory, beside `age`. Neither digests what it writes, and what both read and write costs the
system, not them: what is compared is user CPU."""
import os
import pathlib
import subprocess
import sys

import inputs
import pyrage
from deployment import SPILLWAY
from measure import Contender, race, remove, run
from results import Figure, Report, describe

REPOSITORY = inputs.HERE.parent
AGE_FILE = SPILLWAY.parents[1] / "age" / "age_file"
WORK = pathlib.Path("/dev/shm/spillway-bench-age")
BYTES = 1_000_000_000


def age():
    subprocess.run([REPOSITORY / "setup" / "go_tool.sh", "age"], check=True, stdout=sys.stderr)
    return next((REPOSITORY / ".deps").glob("age-*/age"))


def reading(path, *words):
    """A program whose standard input is the file."""
    return lambda _: ["bash", "-c", 'exec "${@:2}" <"$1"', "bash", path, *words]


def measure(path, rounds):
    report = Report("age", f"{BYTES / 1e9:g} GB in memory sealed for one recipient, and opened; output to /dev/null")
    remove(WORK)
    WORK.mkdir()
    identity = pyrage.x25519.Identity.generate()
    keys, plain, sealed = WORK / "identity.txt", WORK / "plain", WORK / "sealed.age"
    keys.write_text(f"{identity}\n")
    block = os.urandom(1_000_000)
    with plain.open("wb") as file:
        for _ in range(BYTES // len(block)):
            file.write(block)
    seal = (AGE_FILE, "seal", identity.to_public()), (age(), "-r", identity.to_public())
    run(reading(plain, *seal[0])(None), stdout=sealed)
    acts = {"seal": (plain, *seal), "open": (sealed, (AGE_FILE, "open", keys), (age(), "-d", "-i", keys))}
    for act, (file, *programs) in acts.items():
        pair = [Contender(f"{name} {act}", reading(file, *words), "stdout") for name, words in zip(("ours", "age"), programs)]
        quiet = race(pair, WORK, rounds)
        ours, other = (contender.median("user") for contender in pair)
        report.notes.append(f"To {act} took {ours:.2f} s of user CPU, and age {other:.2f} s. {quiet}")
        report.add(Figure("ratio", f"age-{act}-user-cpu", other / ours, at_least=1.5,
                          beside=f"{ours:.3f} and {other:.3f} user CPU s; {'; '.join(map(describe, pair))}"))
        report.contenders += pair
    remove(WORK)
    return report
