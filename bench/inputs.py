"""What is measured on: made from a seed, once, and kept."""
import os
import pathlib
import sys

from measure import run, say

HERE = pathlib.Path(__file__).resolve().parent
DIRECTORY = pathlib.Path(os.environ.get("BENCH_DIR") or
                         pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "spillway-bench")
ORGANISATION = 7
BIG_ROWS = 6_000_000
LARGER_ROWS = 24_000_000
NDJSON_DAYS = 90 if os.environ.get("FULL") == "1" else 23


def made(path, make):
    """The path, made first if it is not there; an interrupted making leaves nothing under its name."""
    if not path.exists():
        say(f"making {path} (once)")
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(path.name + ".unfinished")
        run(["rm", "-rf", unfinished])
        make(unfinished)
        unfinished.rename(path)
    return path


def script(name, *arguments):
    return run([sys.executable, "-B", HERE / "peers" / name, *arguments])


def lake():
    """12 M messages of 20 organisations in 90 days; half of all rows are ORGANISATION's."""
    return made(DIRECTORY / "lake", lambda path: script("make_lake.py", path))


def larger_lake():
    """ORGANISATION alone, with LARGER_ROWS."""
    return made(DIRECTORY / "lake-24m", lambda path: script(
        "make_lake.py", path, "--rows", LARGER_ROWS, "--big-rows", LARGER_ROWS, "--only-organisation", ORGANISATION))


def ndjson():
    """The lake's messages of its first days in the order of their times: 3 M, or all 12 M with FULL=1."""
    return made(DIRECTORY / f"messages-{NDJSON_DAYS}-days.ndjson",
                lambda path: script("make_ndjson.py", lake(), path, NDJSON_DAYS))
