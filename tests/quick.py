"""Which tests `make quick` runs: those of what changed since a commit, the examples in
it, and a few of every room.

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
MOST = 5
"""Test files of what changed: those named like it, and those that name the most of
it.
"""


def changed(commit: str) -> list[Path]:
    """Return the Python files and the pages that differ from a commit, new ones
    included.
    """
    lines = _git("diff", "--name-only", commit) + _git(
        "ls-files", "--others", "--exclude-standard"
    )
    paths = map(Path, lines)
    return [
        path
        for path in paths
        if path.suffix in (".py", ".md") and (ROOT / path).is_file()
    ]


def _git(*words: str) -> list[str]:
    return subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def named_in(path: Path) -> set[str]:
    """Return what a test would call a file by: the name of a page; a module's path, and
    what it defines in public.
    """
    if path.suffix == ".md":
        return {path.name}
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    return {name for name in names if not name.startswith("_")} | {
        ".".join(path.with_suffix("").parts)
    }


def related_tests(paths: list[Path], texts: dict[str, str]) -> list[str]:
    """Return the test files about some paths: those named like one or its room, then
    those that name the most of it.

    Of each word, a test file has the share of all its mentions that are there: a word
    of many tests says little.

    Examples
    --------
    >>> texts = {"test_cli.py": "run run", "test_plot.py": "axes", "test_run.py": ""}
    >>> related_tests([Path("causalgia/_run/_run.py")], texts)
    ['test_run.py', 'test_cli.py']
    """
    shares: Counter[str] = Counter()
    for word in set[str]().union(*map(named_in, paths)):
        mentions = {
            test: len(re.findall(rf"\b{re.escape(word)}\b", text))
            for test, text in texts.items()
        }
        shares.update(
            {test: n / sum(mentions.values()) for test, n in mentions.items() if n}
        )
    alike = {
        f"test_{part.strip('_')}.py"
        for path in paths
        for part in path.with_suffix("").parts[1:]
    }
    own = sorted(alike & set(texts))
    return list(dict.fromkeys([*own, *(test for test, _ in shares.most_common(MOST))]))[
        : max(MOST, len(own))
    ]


def chosen(files: list[Path]) -> list[str]:
    """Return the arguments for pytest after a change of some files."""
    texts = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted((ROOT / "tests").glob("test_*.py"))
    }
    parts = [
        path for path in files if path.suffix == ".md" or path.parts[0] == "causalgia"
    ]
    own = [path.name for path in files if path.match("tests/test_*.py")]
    always = [f"test_{name}.py" for name in ALWAYS]
    tests = [
        f"tests/{name}"
        for name in dict.fromkeys([*own, *related_tests(parts, texts), *always])
    ]
    return [*map(str, parts), *tests]


if __name__ == "__main__":
    print(*chosen(changed(*sys.argv[1:] or ["HEAD"])))
