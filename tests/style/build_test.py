#!/usr/bin/env python3
"""Nothing is left out of the build without a word: every source is named, and what CMake does not understand it refuses.

Usage: build_test.py <source folder>
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1]).resolve()

# What cmake/component.cmake needs to be there.
PROJECT = """\
cmake_minimum_required(VERSION 3.25)
project(tried LANGUAGES CXX)
add_library(Threads::Threads INTERFACE IMPORTED)
foreach(library Arrow::parquet fmt::fmt CLI11::CLI11 nlohmann_json::nlohmann_json GTest::gtest GTest::gmock_main)
  add_library(${{library}} INTERFACE IMPORTED)
endforeach()
include({root}/cmake/component.cmake)
enable_testing()
{tried}
"""


def unnamed_sources():
    """Sources that no CMakeLists.txt above them names: they are not compiled, and tests in them never run."""
    lists = [*ROOT.glob("cmake/*.cmake"), *(ROOT / name for name in ("CMakeLists.txt",))]
    for top in ("src", "tests", "bench"):
        lists += (ROOT / top).rglob("CMakeLists.txt")
    named = set()
    for path in lists:
        for name in re.findall(r"[\w./}{$-]+\.cc\b", path.read_text()):
            named.add((path.parent / name.replace("${PROJECT_SOURCE_DIR}", str(ROOT))).resolve())
    return [path for top in ("src", "tests", "bench") for path in sorted((ROOT / top).rglob("*.cc")) if path not in named]


def configured(tried):
    """What CMake says to a project with these lines; nothing where it takes them."""
    with tempfile.TemporaryDirectory() as folder:
        here = pathlib.Path(folder)
        (here / "CMakeLists.txt").write_text(PROJECT.format(root=ROOT, tried=tried))
        (here / "a.cc").write_text("")
        (here / "cmake").symlink_to(ROOT / "cmake")
        done = subprocess.run(["cmake", "-S", here, "-B", here / "build", "-DCMAKE_CXX_COMPILER_WORKS=ON"],
                              capture_output=True, text=True)
        return "" if done.returncode == 0 else " ".join(done.stderr.split())


def main():
    finds = [f"{path.relative_to(ROOT)} is named in no CMakeLists.txt" for path in unnamed_sources()]
    if said := configured("spillway_component(NAME a SOURCES a.cc)\nspillway_component(NAME headers)"):
        finds.append(f"what is right was refused: {said}")
    for tried, reason in {
        "spillway_component(NAME a SOURCE a.cc)": "these words mean nothing here: SOURCE;a.cc",
        "spillway_component(NAME a SOURCES)": "nothing follows SOURCES",
        "spillway_component(NAME a SOURCES b.cc)": "Cannot find source file: b.cc",
        "spillway_program(a SOURCES a.cc PRECOMPILD arrow DEPS x)": "Cannot find source file: PRECOMPILD",
        "spillway_test(a_test SOURCES a.cc TIMEOUT)": "nothing follows TIMEOUT",
        "spillway_script_test(a SCRIPT a.py)": "these words mean nothing here: SCRIPT;a.py",
        "spillway_fuzzer(a a.cc)": "these words mean nothing here: a.cc",
        "spillway_folders(missing)": "which is not an existing directory",
        "spillway_migrations(a a.h)": "there is no migrations/*.sql",
    }.items():
        said = configured(tried)
        if reason not in said:
            finds.append(f"{tried}: instead of '{reason}', CMake said: {said or 'nothing'}")
    print("\n".join(finds))
    sys.exit(f"build: {len(finds)} finds" if finds else 0)


main()
