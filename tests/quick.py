"""Which tests `make quick` runs: those of what changed since a commit, the examples in it, and a few of every room.

``python tests/quick.py [COMMIT]`` prints them; the commit is HEAD where none is named.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: a second or two each, and together a part of every room
ALWAYS = (
    "house",
    "package",
    "alphabet",
    "interventions",
    "null_models",
    "effects",
    "adjust",
    "stepwise",
    "verdicts",
    "records",
)
MOST = 8
"""Test files of what changed: those that name the most of it."""


def changed(commit: str) -> list[Path]:
    """Return the Python files that differ from a commit, new ones included."""
    lines = _git("diff", "--name-only", commit) + _git("ls-files", "--others", "--exclude-standard")
    paths = map(Path, lines)
    return [path for path in paths if path.suffix == ".py" and (ROOT / path).is_file()]


def _git(*words: str) -> list[str]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def named_in(module: Path) -> set[str]:
    """Return what a test would call a module by: its dotted path, and the public names that it defines."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return {name for name in names if not name.startswith("_")} | {".".join(module.with_suffix("").parts)}


def tests_of(modules: list[Path]) -> list[str]:
    """Return the test files that name the most of some modules."""
    words = set[str]().union(*map(named_in, modules)) if modules else set()
    mentions: Counter[str] = Counter()
    for test in sorted((ROOT / "tests").glob("test_*.py")):
        text = test.read_text(encoding="utf-8")
        mentions[f"tests/{test.name}"] = sum(bool(re.search(rf"\b{re.escape(word)}\b", text)) for word in words)
    return [test for test, n in mentions.most_common(MOST) if n]


def main(commit: str = "HEAD") -> None:
    """Print the arguments for pytest."""
    files = changed(commit)
    modules = [path for path in files if path.parts[0] == "causalgia"]
    own = [str(path) for path in files if path.match("tests/test_*.py")]
    always = [f"tests/test_{name}.py" for name in ALWAYS]
    print(*dict.fromkeys([*map(str, modules), *own, *tests_of(modules), *always]))


if __name__ == "__main__":
    main(*sys.argv[1:])
