"""The page of performance, from what was measured."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from timing import shown

from performed.parts import PARTS, Target
from performed.reasons import REASONS

HERE = Path(__file__).resolve().parents[1]
_HEAD = """# Performance

What each step costs, beside a peer or beside what cannot be less. Most rows are ratios of two quantities that are
measured in one process, in alternation, so that they can be compared between machines: the median over repeats of the
ratio within a repeat and, in parentheses, the range. The others are seconds, sizes or counts on the machines listed
below. Times are processor times of one thread, except where threads, disks or workers are measured. *Before* is the
figure that stood here last; a row without one has not been measured again since the day that is given below for its
benchmark. The page is written by `python benchmarks/performance_page.py`.

| what | against | target | measured | before | |
|---|---|---|---:|---:|---|
"""
_HOW = """
## How each is measured

A benchmark is run again by its name: `python benchmarks/performance_page.py --only NAME`.

| name | what it measures | measured on | load at the start | minutes |
|---|---|---|---:|---:|
"""


def page(results: dict[str, Any]) -> str:
    """Return the page of the parts that have results, in the order of the table."""
    names = [name for name in PARTS if name in results]
    rows = [_row(target, results[name]) for name in names for target in PARTS[name]]
    return "".join(
        [
            _HEAD,
            *rows,
            _missed(results),
            _HOW,
            *(_how(n, results[n]) for n in names),
            _machines(results),
        ]
    )


def missed(results: dict[str, Any]) -> dict[str, Target]:
    """Return the targets that are not reached, by the benchmark and the name of the
    figure ("fits: two_way / one pass").
    """
    asked = {
        f"{name}: {t.key}": (t, results[name]["found"][t.key])
        for name in PARTS
        if name in results
        for t in PARTS[name]
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
        f"{reached} |\n"
    )


def _missed(results: dict[str, Any]) -> str:
    said = [
        f"- {t.what}, against {t.against}: {REASONS[key]}\n"
        for key, t in missed(results).items()
        if key in REASONS
    ]
    return "".join(["\n## What is missed, and why\n\n", *said]) if said else ""


def _how(name: str, result: dict[str, Any]) -> str:
    first = (
        ast.get_docstring(ast.parse((HERE / f"{name}.py").read_text(encoding="utf-8")))
        or ""
    ).split("\n\n")[0]
    return (
        f"| `{name}` | {' '.join(first.split())} | {result['on']} | {result['load']} | "
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
