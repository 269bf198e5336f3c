"""The page of performance, from what was measured."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from timing import shown

from performed.parts import PARTS, SECTIONS, Target
from performed.reasons import REASONS

HERE = Path(__file__).resolve().parents[1]
_HEAD = """# Performance

What each step costs, beside a peer or beside what cannot be less. Most rows are ratios of two quantities that are
measured in one process, in alternation, so that they can be compared between machines: the median over repeats of the
ratio within a repeat and, in parentheses, the range. The others are seconds, sizes or counts on the machines listed
below. Times are processor times of one thread, except where threads, disks or workers are measured. *Before* is the
figure that stood here last; a row without one has not been measured again since its day. The page is written by
`python benchmarks/performance_page.py`.
"""
_TABLE = """
## {}

| what | against | target | measured | before | on | |
|---|---|---|---:|---:|---|---|
"""
_HOW = """
## How each is measured

A benchmark is run again by its name: `python benchmarks/performance_page.py --only NAME`.

| name | what it measures | load at the start | minutes |
|---|---|---:|---:|
"""


def page(results: dict[str, Any]) -> str:
    """Return the page of the parts that have results, in the order of the table."""
    parts = [name for of in SECTIONS.values() for name in of if name in results]
    return "".join(
        [
            _HEAD,
            *(_section(heading, of, results) for heading, of in SECTIONS.items()),
            _missed(results),
            _HOW,
            *(_how(name, results[name]) for name in parts),
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
    figure, before = result["found"][target.key], result["before"].get(target.key)
    reached = "reached" if target.holds(figure) else "**missed**"
    promise = f"{target.sense} {shown(target.bound)} {target.unit}"
    last = "" if before is None else shown(before)
    return (
        f"| {target.what} | {target.against} | {promise} | {shown(figure)} | {last} | "
        f"{result['on']} | {reached} |\n"
    )


def _missed(results: dict[str, Any]) -> str:
    by_reason: dict[str, list[str]] = {}
    for key, t in missed(results).items():
        if key in REASONS:
            by_reason.setdefault(REASONS[key], []).append(
                f"{t.what}, against {t.against}"
            )
    said = [f"- {'; '.join(of)}: {reason}.\n" for reason, of in by_reason.items()]
    return "".join(["\n## What is missed, and why\n\n", *said]) if said else ""


def _how(name: str, result: dict[str, Any]) -> str:
    first = (
        ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8")))
        or ""
    ).split("\n\n")[0]
    return (
        f"| `{name}` | {' '.join(first.split())} | {result['load']} | "
        f"{result['seconds'] / 60:.0f} |\n"
    )


def _machines(results: dict[str, Any]) -> str:
    by_machine: dict[tuple[str, str], list[str]] = {}
    for name in filter(results.__contains__, PARTS):
        by_machine.setdefault(
            (results[name]["machine"], results[name]["versions"]), []
        ).append(f"`{name}`")
    said = [
        f"- {machine}; {versions}: {', '.join(names)}\n"
        for (machine, versions), names in by_machine.items()
    ]
    return "".join(["\n## Where\n\n", *said])
