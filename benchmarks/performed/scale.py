"""What large trials take, from what was measured: a section of the page on speed."""

from __future__ import annotations

from typing import Any

Results = dict[str, Any]
POWERS = (6, 9, 12)

_HEAD = """
## What a large trial takes

A *prediction* is the outcome of one unit under one arm: one sequence through the network. The trial is a control and
{n_motifs} motifs, each against the control, with two tasks and answers in float32, measured by
`python benchmarks/scale_page.py` on {machine}. A worker is one process with one thread on one core; it draws the units,
applies the arms and runs the network. Workers are independent: twice as many give twice the rate, as long as each has
its own core and the client can receive their results. On other machines rates differ and bytes do not.

| network | sequence | predictions a second and worker | worker-hours for a million |
|---|---:|---:|---:|
"""
_BYTES = """
Results are kept on the disk of the client (`store=`); a store of moments has one size, however long the trial. The
client receives predictions, writes the store and sends turns, so that its rate limits the number of workers. A trial
that needs more is split into several, each with its own seed, client and store.

| `keep=` | moved for a prediction | on disk for a prediction | on disk once | a client takes in | which feeds |
|---|---:|---:|---:|---:|---|
"""
_TABLE = """
Hours of one worker, and bytes moved (with outcomes kept) and on disk:

| predictions | {names} | moved | outcomes | effects | moments |
|---:|{rules}---:|---:|---:|---:|
"""
_LAST = """
Keep moments: standard errors, correlations and quantiles of every contrast are in them. If a worker dies, its current
turns are lost: two, of about eight batches each. The standard error shrinks with the square root of the units: 10^12
predictions instead of 10^6 make it 1,000 times smaller. More units do not help below the rounding error of float32
predictions, which `causalgia check` reports.
"""


def section(results: Results) -> str:
    """Return the section."""
    names = list(results["rates"])
    table = _TABLE.format(names=" | ".join(names), rules="---:|" * len(names))
    head = _HEAD.format(**results, n_motifs=results["arms"] - 1)
    rates = [_rate(results, name) for name in names]
    rows = [_row(results, power) for power in POWERS]
    return "".join([head, *rates, _BYTES, *_kept(results), table, *rows, _LAST])


def _rate(results: Results, name: str) -> str:
    rate = results["rates"][name]
    return (
        f"| {name} size | {results['lengths'][name]:,} bp | {_count(rate)} | "
        f"{_short(1e6 / rate / 3_600)} |\n"
    )


def _kept(results: Results) -> list[str]:
    return [_kept_row(results, keep) for keep in results["moved"]]


def _kept_row(results: Results, keep: str) -> str:
    kept, taken_in = results["on_disk"][keep], 1 / results["client"][keep]
    fed = ", ".join(
        f"{_count(taken_in / rate)} x {name}" for name, rate in results["rates"].items()
    )
    moved, each = (
        f"{results['moved'][keep]:.1f} bytes",
        f"{kept['a_prediction']:.1f} bytes",
    )
    return (
        f"| `{keep}` | {moved} | {each} | {size(kept['once'])} | {_count(taken_in)} a "
        f"second | {fed} |\n"
    )


def _row(results: Results, power: int) -> str:
    n = 10.0**power
    hours = " | ".join(_hours(n / rate) for rate in results["rates"].values())
    kept = " | ".join(
        size(_on_disk(results, keep, n)) for keep in ("outcomes", "effects", "moments")
    )
    return (
        f"| 10^{power} | {hours} | {size(n * results['moved']['outcomes'])} | {kept} "
        "|\n"
    )


def _on_disk(results: Results, keep: str, n: float) -> float:
    one = results["on_disk"][keep]
    return float(one["once"] + n * one["a_prediction"])


def _count(n: float) -> str:
    """Return a number to three digits, with commas."""
    return f"{float(f'{n:.3g}'):,.0f}" if n >= 100 else f"{n:.3g}"


def _short(n: float) -> str:
    return _count(n) if n >= 100 else f"{n:.2g}"


def _hours(seconds: float) -> str:
    return f"{_short(seconds / 3_600)} h"


def size(n: float) -> str:
    """Return bytes in the unit that reads best.

    Examples
    --------
    >>> size(3_000), size(2.5e12)
    ('3 kB', '2.5 TB')
    """
    for unit, length in (
        ("PB", 1e15),
        ("TB", 1e12),
        ("GB", 1e9),
        ("MB", 1e6),
        ("kB", 1e3),
    ):
        if n >= length:
            return f"{n / length:.3g} {unit}"
    return f"{n:.0f} bytes"
