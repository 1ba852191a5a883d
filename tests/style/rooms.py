"""The rooms of src/, as ARCHITECTURE.md's table names them, and which of them includes which."""
import pathlib
import re

OF_TESTS = re.compile(r"(_test|_fixture)\.(h|cc)$")


class Rooms:
    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.sources = self.root / "src"

    def in_order(self):
        """As the table has them: each may include those above it."""
        text = (self.root / "ARCHITECTURE.md").read_text()
        table = re.search(r"^\| room \|.*?\n\n", text, re.MULTILINE | re.DOTALL)
        return re.findall(r"^\| `(\w+)` \|", table[0], re.MULTILINE)

    def of(self, path):
        return path.relative_to(self.sources).parts[0]

    def includes(self):
        """Every (file, included file) of the program. Tests, and what only they include, look at everything."""
        waiting = [path for path in self.sources.rglob("*.cc") if not OF_TESTS.search(path.name) and self._is_built(path)]
        seen = set(waiting)
        found = []
        while waiting:
            path = waiting.pop()
            for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE):
                other = self.sources / name
                if not other.exists():
                    continue
                found.append((path, other))
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return sorted(found)

    def _is_built(self, path):
        """Whether a CMakeLists.txt above it names it in a component or program, not only in a test."""
        folder = path.parent
        while folder != self.root:
            lists = folder / "CMakeLists.txt"
            if lists.exists():
                name = re.escape(str(path.relative_to(folder)))
                for call in re.findall(r"^spillway_(?:component|program)\(.*?\)", lists.read_text(), re.MULTILINE | re.DOTALL):
                    if re.search(rf"(?<![\w/]){name}(?!\w)", call):
                        return True
            folder = folder.parent
        return False
