"""Which part of a long table a run of the suite tries: another at each commit, and
whatever that commit changed.

The rest is measured by `make validate` and `make bench`. ``SUITE_PART=3`` repeats the
run that took part 3.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


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
    return (int(number) if number else int(_git("rev-parse", "HEAD") or "0", 16)) % (
        n_parts
    )


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
