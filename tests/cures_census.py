"""Print how many raises of the package name a cure, and how many of these cures a test
applies: ``python tests/cures_census.py``.

A raise names a cure where its text, or a field of its error, tells what to give instead.
"""

from __future__ import annotations

import ast
import collections
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cures
import pytest
from offers import PACKAGE, sites, trials
from test_offered_values import SLOW, callables

from causalgia.errors import CausalgiaError

CURE = re.compile(
    r"(?:[;:,] |\bor |^)(?:\w+ly )?(?:give|use|write|drop|leave|name|set|choose|take|pass|"
    r"run|make|save|add|check|draw|select|rename|wrap|load|put|keep|order|correct|"
    r"remove|try|plan|ask|read|move|open|say|start|repeat|order|convert|reduce|"
    r"address|compare|split|state)\b"
    r"|did you mean|one of |for example|must be|at least|at most|it takes|is now"
)
BY_OTHERS = {
    "install something": re.compile(r"\binstall|pip |extra"),
    "a file that another program writes anew": re.compile(
        r"save (?:it|the|as)|export|download|git lfs|samtools|bcftools|convert|bgzip|"
        r"sequence (?:them|it) again|UTF-8|make it anew|write it anew|unzip|gunzip"
    ),
    "a place on disk, or a machine": re.compile(
        r"permission|disk|memory|another (?:place|folder|machine)|workers?\b|client|GPU"
    ),
    "the network's own code": re.compile(
        r"forward|the network|the module|the factory|state_dict|checkpoint|torch\."
    ),
    "the laboratory or who sent the data": re.compile(
        r"laborator|order longer|who made|sequencing|whoever|vendor"
    ),
}
"""Cures that a program cannot apply to the call, by what has to be done."""


def raises() -> Iterator[tuple[str, int, int, str]]:
    """Yield file, first and last line, and all text of each raise of an error that is
    made there.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Raise) or not isinstance(node.exc, ast.Call):
                continue
            name = ast.unparse(node.exc.func)
            if not name.endswith("Error") and "error" not in name.casefold():
                continue
            texts = [
                one.value
                for one in ast.walk(node.exc)
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            fields = {one.arg for one in node.exc.keywords}
            cure = " cure; give" if fields & {"cure", "example", "then"} else ""
            yield (
                str(path.relative_to(PACKAGE)),
                node.lineno,
                node.end_lineno or node.lineno,
                " ".join(texts) + cure,
            )


def by_harness() -> tuple[set[str], set[str]]:
    """Return the places of errors that wrong values reach, and of those with an offer
    that was applied and taken.
    """
    reached: set[str] = set()
    taken: set[str] = set()
    for name, value in callables():
        if name in SLOW or ">>>" not in (value.__doc__ or ""):
            continue
        for one in trials(name, value):
            reached |= {*sites(one.error)}
            if one.offer is not None and one.after is None:
                taken |= {*sites(one.error)}
    return reached, taken


def by_hand() -> set[str]:
    """Return the places of the errors whose cures the cases in tests/ follow."""
    taken: set[str] = set()

    def refusal(call: Callable[..., Any], *args: Any, **given: Any) -> str:
        with pytest.raises(CausalgiaError) as error:
            call(*args, **given)
        taken.update(sites(error.value))
        return str(error.value)

    cures.refusal = refusal
    folder = Path(__file__).parent
    files = sorted(folder.glob("test_applied_cures*.py"))
    pytest.main([*map(str, files), "-q", "-p", "no:cacheprovider", "-n", "0"])
    return taken


def main() -> None:
    """Count, and print what is left by room."""
    hand = by_hand()
    os.chdir(tempfile.mkdtemp())
    reached, taken = by_harness()

    def has(places: set[str], file: str, first: int, last: int) -> bool:
        return any(f"{file}:{line}" in places for line in range(first, last + 1))

    counts: collections.Counter[str] = collections.Counter()
    left: collections.Counter[str] = collections.Counter()
    for file, first, last, text in raises():
        counts["raises"] += 1
        if not CURE.search(text):
            counts["without a cure (a fact, or a cure made elsewhere)"] += 1
            continue
        counts["with a cure"] += 1
        if has(hand, file, first, last):
            counts["applied by hand-made cases"] += 1
        if has(taken, file, first, last):
            counts["applied by the harness"] += 1
        if has(hand | taken, file, first, last):
            counts["applied by either"] += 1
            continue
        kind = next((k for k, one in BY_OTHERS.items() if one.search(text)), "")
        if kind:
            counts[f"no program applies it: {kind}"] += 1
            continue
        counts["left"] += 1
        if has(reached, file, first, last):
            counts["left, though reached"] += 1
            if "--left" in sys.argv:
                print(f"reached  {file}:{first}: {' '.join(text.split())[:160]}")
        left[file.split("/")[0]] += 1
    for what, n in counts.items():
        print(f"{n:6,}  {what}")
    print("left by room: " + ", ".join(f"{r} {n}" for r, n in left.most_common()))


if __name__ == "__main__":
    main()
