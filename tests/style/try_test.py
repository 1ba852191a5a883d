#!/usr/bin/env python3
"""TRY stands alone: to the right of `=` or `return`, as a statement, or in a condition or call, but never inside the
braces of an initialiser.

Where a statement expression returns from inside an initialiser, g++ 12 does not destroy what the initialiser has made
already. Usage: try_test.py <source folder>
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1]).resolve()
NOT_CODE = re.compile(r'//[^\n]*|R"(\w*)\(.*?\)\1"|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)+\'', re.DOTALL)


def blanked(text):
    """The text with comments and literals as spaces, so that places stay what they are."""
    return NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def opens_initialiser(text, at, within_one):
    """Whether the brace at `at` opens an initialiser; blocks have a space before theirs, which clang-format sees to."""
    if at > 0 and not text[at - 1].isspace():
        return within_one if text[at - 1] in ";{}" else True
    before = text[:at].rstrip()
    return within_one and before.endswith("{") or bool(re.search(r"(?:[=,(]|\breturn)$", before))


def breaches(text):
    open_brackets = []
    for at, char in enumerate(text):
        if char in "({[":
            within_one = bool(open_brackets and open_brackets[-1])
            open_brackets.append(char == "{" and opens_initialiser(text, at, within_one))
            if char == "{" and not open_brackets[-1]:
                open_brackets[-1] = None  # A block, whose statements stand for their own.
        elif char in ")}]" and open_brackets:
            open_brackets.pop()
        elif text.startswith("TRY(", at) and not (at and (text[at - 1].isalnum() or text[at - 1] == "_")):
            for kind in reversed(open_brackets):
                if kind is None:
                    break
                if kind:
                    yield text.count("\n", 0, at) + 1
                    break


def main():
    for sample, expected in (("f({.a = TRY(g())});", 1), ("return K{.a = 1, .b = TRY(g())};", 1), ("v.push_back({h(TRY(g()))});", 1),
                             ("f({{.a = TRY(g())}});", 1),
                             ("if (ok) { TRY(g()); }", 0), ("if (ok) {\n  {\n    TRY(g());\n  }\n}", 0), ("f([&] { return TRY(g()); });", 0), ("f(TRY(g()));", 0),
                             ("a = K{[&]() -> Result<> { TRY(g()); }};", 0)):
        if len(list(breaches(sample))) != expected:
            sys.exit(f"try: this test judges wrongly of: {sample}")
    finds = [f"{path.relative_to(ROOT)}:{line}: TRY inside an initialiser"
             for folder in ("src", "tests", "bench")
             for path in sorted((ROOT / folder).rglob("*")) if path.suffix in (".h", ".cc")
             for line in breaches(blanked(path.read_text()))]
    print("\n".join(finds))
    sys.exit(f"try: {len(finds)} breaches; give each its own line before" if finds else 0)


main()
