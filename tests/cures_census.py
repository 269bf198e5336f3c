"""Print how many raises of the package name a cure, and how many of these cures a test
applies: ``python tests/cures_census.py``, or ``python tests/cures_census.py mpra cli`` of
some rooms; ``--left`` lists the cures that none applies.

A raise names a cure where its text, or a field of its error, tells what to give instead.
"""

from __future__ import annotations

import ast
import collections
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cures
import offers
import pytest
from offers import PACKAGE, sites, trials
from test_offered_values import SLOW, callables
from working_calls import Call

from causalgia.errors import CausalgiaError

SECONDS_A_CALL = 2.0

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


def _refused_in_time(call: Call, given: Mapping[str, Any]) -> Exception | None:
    """Return the error of a call; TimeoutError after some seconds of processor time."""

    def stop(*_: object) -> None:
        raise TimeoutError

    former = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS_A_CALL)
    try:
        return _refusal(call, given)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


_refusal = offers._refusal


def by_harness(rooms: set[str]) -> tuple[set[str], set[str]]:
    """Return the places of errors that wrong values reach, and of those with an offer
    that was applied and taken; by the callables of some rooms, or of all.
    """
    reached: set[str] = set()
    taken: set[str] = set()
    offers._refusal = _refused_in_time
    for name, value in callables():
        if name in SLOW or ">>>" not in (value.__doc__ or ""):
            continue
        if rooms and not rooms & {*value.__module__.split(".")}:
            continue
        for one in trials(name, value, many=True):
            reached |= {*sites(one.error)}
            if one.offer is not None and one.after is None:
                taken |= {*sites(one.error)}
    return reached, taken


def by_hand(rooms: set[str]) -> set[str]:
    """Return the places of the errors whose cures the cases in tests/ follow; of files
    that mention a room, if rooms are named.
    """
    taken: set[str] = set()

    def observe(error: CausalgiaError) -> None:
        taken.update(sites(error))

    cures.observe = observe
    files = [
        path
        for path in sorted(Path(__file__).parent.rglob("test_*.py"))
        if "from cures import" in (text := path.read_text())
        and (not rooms or any(re.search(rf"\b{room}\b", text) for room in rooms))
    ]
    pytest.main([*map(str, files), "-q", "-p", "no:cacheprovider", "-n", "0"])
    return taken


def main() -> None:
    """Count, and print what is left by room."""
    rooms = {one for one in sys.argv[1:] if not one.startswith("-")}
    hand = by_hand(rooms)
    os.chdir(tempfile.mkdtemp())
    reached, taken = by_harness(rooms)

    def has(places: set[str], file: str, first: int, last: int) -> bool:
        return any(f"{file}:{line}" in places for line in range(first, last + 1))

    counts: collections.Counter[str] = collections.Counter()
    left: collections.Counter[str] = collections.Counter()
    for file, first, last, text in raises():
        room = file.split("/")[0].removesuffix(".py")
        if rooms and room not in rooms:
            continue
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
        seen = has(reached, file, first, last)
        counts["left, though reached"] += seen
        if "--left" in sys.argv:
            words = " ".join(text.split())[:160]
            print(f"{'reached' if seen else '       '}  {file}:{first}: {words}")
        left[room] += 1
    for what, n in counts.items():
        print(f"{n:6,}  {what}")
    print("left by room: " + ", ".join(f"{r} {n}" for r, n in left.most_common()))


if __name__ == "__main__":
    main()
