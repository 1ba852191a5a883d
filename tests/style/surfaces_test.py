#!/usr/bin/env python3
"""The texts of libraries speak of no command and no flag: an error reaches people by several surfaces, and each says by
what means of its own a thing is done.

Usage: surfaces_test.py <source folder>
Looked through are the string literals of src/ but tests and the rooms and files that are a surface themselves.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
SOURCES = ROOT / "src"
EXCEPT = {
    "cli": "the command line",
    "recipe/*/operations.cc": "operations are what an operator runs as commands",
    "settings/settings_file.cc": "the introductions of the starting file and of docs/configuration.md",
    "postgres/test_server.cc": "runs another program",
    "storage/s3/versity_gateway.cc": "runs another program",
}
NOT_TEXT = re.compile(r"examples\(\) const override \{.*?\n  \}|\.application_name = \"[^\"]*\"", re.DOTALL)
# Comments are matched too, so that a quote in one opens no literal.
TOKEN = re.compile(r'//[^\n]*|R"(\w*)\((?P<raw>.*?)\)\1"|"(?P<text>(?:[^"\\\n]|\\.)*)"|\'(?:[^\'\\\n]|\\.)+\'', re.DOTALL)
FLAG = r"(?<![\w-])--[a-z]"


def commands():
    """Those that src/cli adds, and the one that has a recipe's operations."""
    names = set()
    for path in (SOURCES / "cli").glob("*.cc"):
        names.update(re.findall(r'program\.add_subcommand\(\s*"([a-z-]+)"', path.read_text()))
    return names | {"open-data"}


def literals(text):
    """Line and text; what stands one after the other is one literal, as the compiler has it."""
    joined, begun, end = "", 0, 0
    for found in TOKEN.finditer(text):
        part = found["raw"] if found["raw"] is not None else found["text"]
        if part is None:
            continue
        if joined and text[end:found.start()].strip():
            yield begun, joined
            joined = ""
        if not joined:
            begun = text.count("\n", 0, found.start()) + 1
        joined, end = joined + part, found.end()
    if joined:
        yield begun, joined


def excepted(shown):
    return shown.name.endswith("_test.cc") or any(shown.match(each) or shown.parts[0] == each for each in EXCEPT)


def main():
    names = commands()
    if not {"run", "jobs", "ingest"} <= names:
        sys.exit(f"surfaces: only the commands {sorted(names)} were found; this test no longer sees them")
    speaks = re.compile(rf"\bspillway (?:{'|'.join(sorted(names))})\b|{FLAG}")
    finds = []
    for path in sorted([*SOURCES.rglob("*.cc"), *SOURCES.rglob("*.h")]):
        shown = path.relative_to(SOURCES)
        if excepted(shown):
            continue
        text = NOT_TEXT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), path.read_text())
        for line, literal in literals(text):
            if found := speaks.search(literal):
                finds.append(f"src/{shown}:{line} speaks of a command or flag, {found[0]}: {literal[:100]}")
    print("\n".join(finds))
    sys.exit(f"surfaces: {len(finds)} texts of libraries speak of the command line" if finds else 0)


main()
