"""The page of performance, from what was measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from timing import shown

from performed import scale
from performed.parts import PARTS, SECTIONS, Target
from performed.reasons import REASONS

_HEAD = """# Speed

What each step costs, beside a peer or beside what cannot be less, and [what a large trial
takes](#what-a-large-trial-takes). Most rows are ratios of two quantities that are measured in one process, in
alternation, so that they can be compared between machines: the median over repeats of the ratio within a repeat and, in
parentheses, the range. The others are seconds, sizes or counts on the machines listed below. Times are processor times
of one thread, except where threads, disks or workers are measured. `python benchmarks/performance_page.py` writes the
page; with `--only NAME` it measures one benchmark again. `benchmarks/performed/results.json` has the versions of all
libraries.
"""
_TABLE = """
## {}

| what | against | target | measured | on | |
|---|---|---|---:|---|---|
"""


def page(results: dict[str, Any], of_scale: dict[str, Any] | None = None) -> str:
    """Return the page of the parts that have results, in the order of the table; and
    what a large trial takes, where it was measured.
    """
    return "".join(
        [
            _HEAD,
            *(_section(heading, of, results) for heading, of in SECTIONS.items()),
            _missed(results),
            "" if of_scale is None else scale.section(of_scale),
            _machines(results),
        ]
    )


def _section(heading: str, names: Iterable[str], results: dict[str, Any]) -> str:
    rows = [
        _row(target, results[name])
        for name in names
        if name in results
        for target in PARTS[name]
        if target.key in results[name]["found"]
    ]
    return "".join([_TABLE.format(heading), *rows]) if rows else ""


def missed(results: dict[str, Any]) -> dict[str, Target]:
    """Return the targets that are not reached, by the benchmark and the name of the
    figure ("fits: two_way / one pass").
    """
    asked = {
        f"{name}: {t.key}": (t, results[name]["found"][t.key])
        for name in PARTS
        if name in results
        for t in PARTS[name]
        if t.key in results[name]["found"]
    }
    return {
        key: target for key, (target, value) in asked.items() if not target.holds(value)
    }


def _row(target: Target, result: dict[str, Any]) -> str:
    figure = result["found"][target.key]
    reached = "reached" if target.holds(figure) else "**missed**"
    promise = f"{target.sense} {shown(target.bound)} {target.unit}"
    return (
        f"| {target.what} | {target.against} | {promise} | {shown(figure)} | "
        f"{result['on']} | {reached} |\n"
    )


def _missed(results: dict[str, Any]) -> str:
    by_reason: dict[str, dict[str, list[str]]] = {}
    for key, t in missed(results).items():
        if key in REASONS:
            of = by_reason.setdefault(REASONS[key], {})
            of.setdefault(t.against, []).append(t.what)
    said = []
    for reason, by_peer in by_reason.items():
        each = (f"{'; '.join(what)}, against {peer}" for peer, what in by_peer.items())
        said.append(f"- {'; '.join(each)}: {reason}.\n")
    return "".join(["\n## What is missed, and why\n\n", *said]) if said else ""


def _machines(results: dict[str, Any]) -> str:
    by_machine: dict[str, list[str]] = {}
    for name in filter(results.__contains__, PARTS):
        by_machine.setdefault(results[name]["machine"], []).append(f"`{name}`")
    said = [f"- {at}: {', '.join(names)}\n" for at, names in by_machine.items()]
    return "".join(["\n## Where each was measured\n\n", *said])
