#!/usr/bin/env python3
"""Nothing outside of a recipe's folder knows its name: what a recipe is, its Definition says.

Usage: recipes_test.py <source folder>
Looked through are the sources of src/ but tests; the list in src/recipe/CMakeLists.txt is the one line that names recipes.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
SOURCES = ROOT / "src"
OF_TESTS = re.compile(r"_test\.cc$")


def recipes():
    lists = (SOURCES / "recipe" / "CMakeLists.txt").read_text()
    return re.search(r"^set\(recipes\s+([^)]*)\)", lists, re.MULTILINE)[1].split()


def spellings(recipe):
    """open_data, open-data, OpenData, "open data"; not as part of a longer word."""
    words = recipe.split("_")
    camel = "".join(word.capitalize() for word in words)
    return re.compile(rf"(?<![a-z])(?:{'[_ -]'.join(words)})(?![a-z])|{camel}")


def main():
    names = recipes()
    if len(names) < 3:
        sys.exit(f"recipes: only {names} were found; this test no longer sees the list")
    finds = []
    for path in sorted(SOURCES.rglob("*")):
        shown = path.relative_to(SOURCES)
        is_source = path.suffix in (".h", ".cc", ".inc", ".sql") or path.name == "CMakeLists.txt"
        if not is_source or OF_TESTS.search(str(shown)) or shown == pathlib.Path("recipe/CMakeLists.txt"):
            continue
        for recipe in names:
            if shown.parts[:2] == ("recipe", recipe):
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if spellings(recipe).search(line):
                    finds.append(f"src/{shown}:{number} names the recipe {recipe}: {line.strip()}")
    print("\n".join(finds))
    sys.exit(f"recipes: {len(finds)} places know a recipe's name" if finds else 0)


main()
