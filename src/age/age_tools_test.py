#!/usr/bin/env python3
"""Files of ours are opened by other people's programs, and theirs by us: age of Go, its older version of Debian, rage by
pyrage.

Usage: age_tools_test.py <path of age_file>
"""
import pathlib
import random
import subprocess
import sys
import tempfile

import pyrage

AGE_FILE = sys.argv[1]
GO_AGE = pathlib.Path(__file__).resolve().parents[2] / ".deps" / "age-1.3.2" / "age"
SIZES = (0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_003)


def run(command, given=b""):
    done = subprocess.run([str(word) for word in command], input=given, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"exit code {done.returncode} of {command}: {done.stderr.decode(errors='replace')}")
    return done.stdout


class Program:
    """`age`, of whatever version."""

    def __init__(self, path):
        self.path = path

    def seal(self, plain, recipients):
        return run([self.path, *(word for each in recipients for word in ("-r", each))], plain)

    def open(self, sealed, identity_file):
        return run([self.path, "-d", "-i", identity_file], sealed)


class Pyrage:
    def seal(self, plain, recipients):
        return pyrage.encrypt(plain, [pyrage.x25519.Recipient.from_str(each) for each in recipients])

    def open(self, sealed, identity_file):
        return pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(identity_file.read_text().splitlines()[-1])])


def main():
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    others = {"age 1.3.2": Program(GO_AGE), "Debian's age": Program("/usr/bin/age"), "pyrage": Pyrage()}
    with tempfile.TemporaryDirectory() as folder:
        identities = [pyrage.x25519.Identity.generate() for _ in range(3)]
        recipients = [str(each.to_public()) for each in identities]
        files = []
        for number, identity in enumerate(identities):
            files.append(pathlib.Path(folder) / f"identity-{number}.txt")
            files[-1].write_text(f"# public key: {recipients[number]}\n{identity}\n")
        theirs = pathlib.Path(folder) / "theirs.age"
        compared = 0
        for name, other in others.items():
            for size in SIZES:
                plain = chance.randbytes(size)
                count = chance.randint(1, len(recipients))
                holder = files[chance.randrange(count)]
                results = {"ours opened by it": other.open(run([AGE_FILE, "seal", *recipients[:count]], plain), holder)}
                theirs.write_bytes(other.seal(plain, recipients[:count]))
                results["its opened by us"] = run([AGE_FILE, "open", holder], theirs.read_bytes())
                results["its opened by us, by ranges"] = run([AGE_FILE, "ranges", holder, theirs])
                for what, found in results.items():
                    if found != plain:
                        sys.exit(f"{name}, {size} bytes for {count}: {what} has {len(found)} bytes that differ")
                    compared += 1
    print(f"{compared} files are the same")
    if compared != 3 * len(SIZES) * len(others):
        sys.exit("some were not compared")


main()
