"""What a run of the suite tries of what is long: another part at each commit, and
whatever is about files that this commit changed.

Tests that are shared out have the mark `rotating`, and `make rotating` runs them all;
all rows and benchmarks are measured by `make validate` and `make bench`.
``SUITE_PART=3`` repeats the run that took part 3.
"""

from __future__ import annotations

import os
import re
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from house import PACKAGE

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parents[1]
N_PARTS = 18
"""Parts of the rows of the validation page and, where the mark says no other number, of
the tests with the mark `rotating`.
"""


def in_turn(n_parts: int) -> int:
    """Return which of some parts is due: by ``SUITE_PART``, or else by the commit that
    is checked out, so that all processes of a run agree and the run can be repeated.

    Where there is no git (an unpacked archive), it is the first.

    Examples
    --------
    >>> 0 <= in_turn(6) < 6
    True
    """
    number = os.environ.get("SUITE_PART")
    return (int(number) if number else _commit()) % n_parts


@cache
def _commit() -> int:
    return int(_git("rev-parse", "HEAD") or "0", 16)


def due(names: list[str], n_parts: int, file_of: Callable[[str], str]) -> list[str]:
    """Return every `n_parts`-th name, and those whose file changed in the last commit,
    or since.

    Examples
    --------
    >>> len(due(list("abcdefghijkl"), 6, "benchmarks/no_{}.py".format))
    2
    """
    first = in_turn(n_parts)
    return [
        name
        for i, name in enumerate(names)
        if i % n_parts == first or file_of(name) in changed_files()
    ]


def is_due(name: str, files: Iterable[str], n_parts: int = N_PARTS) -> bool:
    """Return whether a test or row is tried now: in its turn, by its name, or because
    one of the files that it is about changed.

    Examples
    --------
    >>> is_due("a test", []) == (in_turn(18) == 2)
    True
    """
    return zlib.crc32(name.encode()) % n_parts == in_turn(
        n_parts
    ) or not changed_files().isdisjoint(files)


def out_of_turn(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the tests with the mark `rotating` that this run leaves out: none with
    ``ROTATING=all``.
    """
    if os.environ.get("ROTATING") == "all":
        return []
    return [
        item
        for item in items
        if (mark := item.get_closest_marker("rotating")) is not None
        and not is_due(
            item.nodeid, about(item.path.relative_to(ROOT).as_posix()), *mark.args
        )
    ]


def about(file: str) -> frozenset[str]:
    """Return a file of tests or rows, and the modules of rooms that it names as
    `modules_of` finds them. The ground floor counts only by its tests: all name it.
    """
    return frozenset([file]) | {
        module for module in modules_of(file) if module.count("/") > 1
    }


@cache
def modules_of(file: str) -> frozenset[str]:
    """Return the modules that define what a file imports of the package or names as
    ``cg.name``, and what these import of their own room.

    Examples
    --------
    >>> found = modules_of("tests/test_stopping.py")
    >>> "causalgia/stopping/stopping_rules.py" in found, "README.md" in found
    (True, False)
    """
    found, new = set[str](), set(_named_in(file))
    while new:
        found |= new
        new = {
            other
            for module in new
            if module.count("/") > 1
            for other in _named_in(module)
            if other.rsplit("/", 1)[0] == module.rsplit("/", 1)[0]
        } - found
    return frozenset(found)


_IMPORTS = re.compile(r"^ *from (causalgia[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)
_AFTER_CG = re.compile(r"(?<![\w.])cg((?:\.[A-Za-z_]\w*)+)")


@cache
def _named_in(file: str) -> frozenset[str]:
    """Return the modules that define what a file names of the package: by its text,
    because parsing every file takes each process of pytest several seconds.

    In the package itself ``cg`` stands in examples.
    """
    text = (ROOT / file).read_text(encoding="utf-8")
    names = {name for _, name in _imported(text)}
    if not file.startswith(f"{PACKAGE.name}/"):
        names |= {f"causalgia{attributes}" for attributes in _AFTER_CG.findall(text)}
    return frozenset(home for name in names if (home := _home(name)))


def _imported(text: str) -> Iterator[tuple[str, str]]:
    """Yield what a source imports of the package: its name there, and the dotted name
    where it is imported from.
    """
    for module, imported in _IMPORTS.findall(text):
        lines = [line.partition("#")[0] for line in imported.strip("()").splitlines()]
        for words in map(str.split, " ".join(lines).split(",")):
            if words:
                yield words[-1], f"{module}.{words[0]}"


@cache
def _home(name: str) -> str | None:
    """Return the file that defines a dotted name of the package: through the rooms
    that only pass it on.
    """
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        path = Path(*parts[:n])
        if (ROOT / path).with_suffix(".py").is_file():
            return path.with_suffix(".py").as_posix()
        if (ROOT / path / "__init__.py").is_file():
            exported = _exported(path.as_posix()).get(".".join(parts[n : n + 1]))
            return _home(exported) if exported not in (None, name) else None
    return None


@cache
def _exported(room: str) -> dict[str, str]:
    """Return what a room passes on: name -> its dotted name where it is imported
    from.
    """
    return dict(_imported((ROOT / room / "__init__.py").read_text(encoding="utf-8")))


@cache
def changed_files() -> frozenset[str]:
    """Return the files that differ from the commit before the last; none where a
    checkout has no commit before it.
    """
    before = _git("rev-parse", "--verify", "--quiet", "HEAD~1")
    return frozenset(_git("diff", "--name-only", before).splitlines() if before else ())


def _git(*words: str) -> str:
    try:
        return subprocess.run(
            ["git", *words], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()
    except FileNotFoundError:  # no git on this machine
        return ""
