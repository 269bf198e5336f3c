"""The page of what large trials take, from what was measured."""

from __future__ import annotations

from typing import Any

Results = dict[str, Any]
POWERS = (6, 7, 8, 9, 10, 11, 12)
WORKERS = 1_000

_HEAD = """# What a large trial takes

Seconds, memory and disk by the size of a trial, measured by `python benchmarks/scale_page.py` on one machine:
{machine}; {versions}.
A *prediction* is the outcome of one unit under one arm: one sequence through the network. The trial is a control and
{n_motifs} motifs, each against the control, with two tasks and answers in float32. Seconds are the processor's own, so
that other work on the machine does not count. On other machines rates differ and bytes do not.

## Predictions per second and worker

A worker is one process with one thread on one core. It draws the units, applies the arms and runs the network; all
of that is included in the rate. Workers are independent: twice as many give twice the rate, as long as each has its
own core and the client can receive their results. `benchmarks/workers.py` measures two against one, beside two bare
processes against one: what those lose to the machine (memory, other work) workers lose too.

| network | sequence | predictions a second | worker-hours for a million |
|---|---:|---:|---:|
"""
_BYTES = """
## Bytes, and the rate of the client

Bytes moved are those sent from workers to the client, excluding the trial itself, which each worker receives once. They
are counted where they are written, with every message of the cluster. Results are kept on the disk of the client
(`store=`). A store of moments has one size, however long the trial. The client, with a scheduler in its own process,
receives predictions, writes the store and sends turns: its rate limits the number of workers.

| `keep=` | moved for a prediction | on disk for a prediction | on disk once | a client takes in | which feeds |
|---|---:|---:|---:|---:|---|
"""
_TABLE = """
A trial that needs more workers than that is split into several, each with its own seed, client and store.

## From a million to 10^12 predictions

| predictions | {names} | moved | outcomes | effects | moments |
|---:|{rules}---:|---:|---:|---:|
"""
_LAST = """
Hours are those of one worker, predictions / rate / 3,600; bytes moved and on disk are predictions times the bytes above
(moved: with outcomes kept), and on disk those that are there once.

## 10^12 predictions, step by step

- Units: 10^12 / {arms} arms = {units:.3g}. A unit is drawn from its number alone, by whichever worker has its turn;
  none is stored before.
{steps}
- Disk: {outcomes} as outcomes (10^12 x {outcome_bytes:.1f} bytes), {effects} as effects, {moments} as moments. Keep
  moments: standard errors, correlations and quantiles of every contrast are in them.
- Network: 10^12 x {moved_bytes:.1f} bytes = {moved} with moments kept, {taken_time} of one client's processor.
- If a worker dies, its current turns are lost: two, of about eight batches each.
- The standard error shrinks with the square root of the units: 10^12 predictions instead of 10^6 make it 1,000 times
  smaller. More units do not help below the rounding error of float32 predictions, which `causalgia check` reports.
"""


def page(results: Results) -> str:
    """Return the page."""
    names = list(results["rates"])
    table = _TABLE.format(names=" | ".join(names), rules="---:|" * len(names))
    head = _HEAD.format(**results, n_motifs=results["arms"] - 1)
    rates = [_rate(results, name) for name in names]
    rows = [_row(results, power) for power in POWERS]
    return "".join(
        [head, *rates, _BYTES, *_kept(results), table, *rows, _last(results)]
    )


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


def _last(results: Results) -> str:
    n = 1e12
    moved = results["moved"]["moments"]
    return _LAST.format(
        arms=results["arms"],
        units=n / results["arms"],
        steps="\n".join(
            _step(name, n / rate, rate) for name, rate in results["rates"].items()
        ),
        outcome_bytes=results["on_disk"]["outcomes"]["a_prediction"],
        moved_bytes=moved,
        moved=size(n * moved),
        taken_time=duration(n * results["client"]["moments"]),
        **{keep: size(_on_disk(results, keep, n)) for keep in results["on_disk"]},
    )


def _step(name: str, seconds: float, rate: float) -> str:
    whole, shared = _hours(seconds), duration(seconds / WORKERS)
    return (
        f"- {name} size: 10^12 / {_count(rate)} a second = {whole} of one worker, "
        f"{shared} of {WORKERS:,}."
    )


def _count(n: float) -> str:
    """Return a number to three digits, with commas."""
    return f"{float(f'{n:.3g}'):,.0f}" if n >= 100 else f"{n:.3g}"


def _short(n: float) -> str:
    return _count(n) if n >= 100 else f"{n:.2g}"


def _hours(seconds: float) -> str:
    return f"{_short(seconds / 3_600)} h"


def duration(seconds: float) -> str:
    """Return a time in the unit that reads best.

    Examples
    --------
    >>> duration(90), duration(3 * 86_400)
    ('90 s', '3 days')
    """
    for unit, length, least in (
        ("years", 31_557_600, 2),
        ("days", 86_400, 2),
        ("h", 3_600, 2),
        ("min", 60, 2),
    ):
        if seconds >= least * length:
            return f"{seconds / length:,.3g} {unit}"
    return f"{seconds:.2g} s"


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
