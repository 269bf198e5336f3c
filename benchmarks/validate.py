"""Every statistical promise over repeated trials, written to docs/validation.md, with a
row for each in docs/validation_rows.tsv: `python benchmarks/validate.py`.

The tables of docs/howto/plan_and_stop.md are written in the same run, from the same
rows. The figures are kept in `benchmarks/validation/figures.json`, so that a part can
be run again by itself (``--only``), and the page written without a run (``--write``).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

# a process for each core, and one thread in each
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import xarray as xr

sys.path.insert(0, str(Path(__file__).resolve().parent))
from shared_folder import IS_NAMED
from validation import (
    active_windows,
    arms,
    audits,
    bench,
    bench_designs,
    between_tasks,
    claims,
    clusters,
    coarse_answers,
    combinations,
    compared,
    count_quality,
    count_tables,
    estimation,
    few_degrees,
    floor,
    laws,
    layouts,
    matched,
    moderated,
    moderation,
    motif_matches,
    multiplicity,
    overlaps,
    own_nulls,
    placebo,
    position_pairs,
    posterior,
    predictors,
    profiles,
    ratios,
    real,
    refutations,
    replicates,
    screens,
    sequential,
    shared_effects,
    tilts,
    verdicts,
    waves,
)
from validation.binomial_bands import Row, rate_table
from validation.checks import Check

PAGE = Path(__file__).resolve().parents[1] / "docs" / "validation.md"
ROWS = PAGE.with_name("validation_rows.tsv")
FIGURES = Path(__file__).resolve().parent / "validation" / "figures.json"
ROOMS = {
    "Verdicts": (verdicts, arms, claims),
    "Placebos, matched nulls and searches": (
        placebo,
        matched,
        active_windows,
        audits,
        motif_matches,
    ),
    "Effects and their intervals": (
        estimation,
        moderated,
        moderation,
        layouts,
        ratios,
        between_tasks,
        clusters,
        overlaps,
        own_nulls,
        combinations,
        tilts,
        waves,
    ),
    "Many questions at once": (multiplicity, few_degrees, position_pairs, profiles),
    "Hierarchical sizes": (posterior, laws, screens, shared_effects),
    "Stopping early": (sequential,),
    "Networks": (floor, predictors, coarse_answers, compared),
    "The bench": (bench, count_quality, count_tables, bench_designs, replicates),
    "A real network, and refutations": (real, refutations),
}
CHECKS: list[Check] = [
    check for room in ROOMS.values() for module in room for check in module.CHECKS
]
Places = dict[str, tuple[str, str]]
PLACES: Places = {
    check.name: (room, check.section)
    for room, modules in ROOMS.items()
    for module in modules
    for check in module.CHECKS
}
"""Name of a row -> its room and its section."""
_CLAIMS = {
    "exact": "exactly",
    "known": "known to be",
    "at most": "at most",
    "at least": "at least",
    "fails": "known to fail",
    "reported": "none",
}


def table(rows: list[Row]) -> xr.Dataset:
    """Return all rows judged together: the error rate of the table is shared by its
    rows.
    """
    return rate_table(rows, alpha=0.001)


def _cell(name: str) -> str:
    """Return what rows of the same trials have in common: their names up to what is
    counted.
    """
    return re.split(r", ROPE|:|, reported", name)[0]


def _some(job: tuple[list[int], bool]) -> list[tuple[int, Row]]:
    """Run the rows of one cell in one process, which draws their trials once."""
    numbers, quick = job
    found = []
    for number in numbers:
        check, start = CHECKS[number], time.perf_counter()
        row = check.row(check.quick if quick else check.full)
        print(
            f"{time.perf_counter() - start:7.1f} s  {row.value:.4f}  {check.name}",
            flush=True,
        )
        found.append((number, row))
    return found


def main(argv: list[str]) -> None:
    """Run the checks, keep their figures, and write the page of all that are kept."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument(
        "--quick",
        action="store_true",
        help="the smaller number of trials, as in CI; writes nothing",
    )
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument(
        "--only", default="", help="checks whose section or name holds this text"
    )
    asked.add_argument(
        "--missing",
        action="store_true",
        help="only checks whose figure is not kept yet",
    )
    asked.add_argument(
        "--write",
        action="store_true",
        help="run nothing: write the page and its rows from the kept figures",
    )
    said = asked.parse_args(argv)
    if said.write:
        write(kept([]))
        return
    have = json.loads(FIGURES.read_text()) if said.missing and FIGURES.exists() else {}
    chosen = [
        i
        for i, c in enumerate(CHECKS)
        if said.only in f"{c.section}: {c.name}"
        and c.name not in have
        and (IS_NAMED or not c.real)
    ]
    if not IS_NAMED:
        print(
            "CAUSALGIA_SHARED names no folder: rows on real networks stay as they are"
        )
    cells: dict[str, list[int]] = {}
    for i in chosen:
        cells.setdefault(_cell(CHECKS[i].name), []).append(i)
    numbered: dict[int, Row] = {}
    with ProcessPoolExecutor(said.workers) as pool:
        for done in as_completed(
            [pool.submit(_some, (numbers, said.quick)) for numbers in cells.values()]
        ):
            numbered |= dict(done.result())
            if not said.quick:
                kept(list(numbered.values()))  # what was found stays found
    rows = [numbered[i] for i in chosen]
    if not said.quick:
        rows = kept(rows)
    judgment = write(rows) if not said.quick else table(rows)
    failed = judgment["row"].to_numpy()[~judgment["passes"].to_numpy()]
    print(
        f"{len(rows)} rows, {len(failed)} outside their band: "
        f"{', '.join(failed) or 'none'}"
    )
    sys.exit(len(failed) > 0)


def write(rows: list[Row]) -> xr.Dataset:
    """Write the page, its rows, and the tables of the guide; return the judgment."""
    judgment = table(rows)
    PAGE.write_text(page(judgment), encoding="utf-8")
    ROWS.write_text(rows_as_text(judgment), encoding="utf-8")
    sequential.write_howto(rows)
    return judgment


def kept(rows: list[Row]) -> list[Row]:
    """Keep new figures beside those of earlier runs; return all that the checks of
    today ask for, in their order.
    """
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    figures |= {row.name: asdict(row) for row in rows}
    figures = {
        check.name: figures[check.name] for check in CHECKS if check.name in figures
    }
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    claims = {check.name: (check.claim, check.nominal) for check in CHECKS}
    return [
        Row(**figure | dict(zip(("claim", "nominal"), claims[name], strict=True)))
        for name, figure in figures.items()
    ]


def page(judgment: xr.Dataset, places: Places | None = None) -> str:
    """Return the page: what was promised and found in a few lines, then a table for each
    room, with a line for each of its sections; `places` are those of `CHECKS` unless
    others are given.
    """
    places = places or PLACES
    rows = [judgment.isel(row=i) for i in range(judgment.sizes["row"])]
    lines = [opening(rows, places), _HEAD.format(rows=len(rows))]
    of: dict[str, dict[str, list[xr.Dataset]]] = {}
    for row in rows:
        room, section = places[row["row"].item()]
        of.setdefault(room, {}).setdefault(section, []).append(row)
    for room, sections in of.items():
        lines += [
            f"\n## {room}\n",
            "| | rows | held | worst |",
            "|---|---:|---|---|",
            *(_summary(section, own) for section, own in sections.items()),
        ]
    return "\n".join([*lines, _BELOW])


_PROMISES = ("exact", "known", "at most", "at least")


def _summary(section: str, rows: list[xr.Dataset]) -> str:
    """Return the line of a section: its rows, the promises that held, and the row that
    is furthest past its promise, or nearest to it.
    """
    promised = [row for row in rows if row["claim"].item() in _PROMISES]
    failing = [row for row in rows if row["claim"].item() == "fails"]
    held = []
    if promised:
        kept_to = sum(bool(row["passes"]) for row in promised)
        all_held = kept_to == len(promised)
        said = f"{kept_to:,} of {len(promised):,}"
        held.append(said if all_held else f"**{said}**")
    if failing:
        held.append(f"{len(failing):,} shown to fail")
    worst = max(promised, key=past, default=None)
    said = "" if worst is None else f"{_value(worst)}, {_promise(worst)}"
    return f"| {section} | {len(rows):,} | {', '.join(held) or '-'} | {said} |"


def past(row: xr.Dataset) -> float:
    """Return by how much a value is past what is promised of it, below 0 where it is on
    the side that the promise allows. Tests of uniformity are ordered by their p.
    """
    value, nominal = float(row["value"]), float(row["nominal"])
    if row["kind"].item() == "p":
        return -value
    claim = row["claim"].item()
    over = value - nominal
    return over if claim == "at most" else -over if claim == "at least" else abs(over)


def _ends(row: xr.Dataset) -> tuple[float | None, float | None]:
    """Return the ends of a row's band, None on a side that its promise leaves open."""
    claim = row["claim"].item()
    return (
        None if claim in ("at most", "reported") else float(row["lower"]),
        None if claim in ("at least", "reported") else float(row["upper"]),
    )


def rows_as_text(judgment: xr.Dataset) -> str:
    """Return every row as tab-separated text, in the order of the page."""
    lines = ["\t".join(_COLUMNS)]
    for i in range(judgment.sizes["row"]):
        row = judgment.isel(row=i)
        claim, name = row["claim"].item(), row["row"].item()
        has_band = claim != "reported"
        numbers = (row[key].item() for key in ("value", "mcse", "nominal"))
        value, mcse, nominal = (f"{number:.6g}" for number in numbers)
        cells = (
            *PLACES[name],
            name,
            value,
            mcse,
            _CLAIMS[claim],
            nominal if has_band else "",
            *("" if end is None else f"{end:.6g}" for end in _ends(row)),
            str(int(row["n_trials"])),
            ("yes" if bool(row["passes"]) else "no") if has_band else "",
        )
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def excess(row: xr.Dataset) -> float:
    """Return by how much a rate of errors is above its bound, or a coverage or power
    below it; NaN for rows of another kind.
    """
    claim, nominal = row["claim"].item(), row["nominal"].item()
    of_a_rate = (claim == "at most" and 0 < nominal <= 0.1) or (
        claim == "at least" and nominal >= 0.8
    )
    return past(row) if of_a_rate else np.nan


def opening(rows: list[xr.Dataset], places: Places) -> str:
    """Return the first lines of the page: what is promised, how often it held, how much
    was missed, and the five worst rows.
    """
    claims = [row["claim"].item() for row in rows]
    promised = [
        row for row, claim in zip(rows, claims, strict=True) if claim in _PROMISES
    ]
    broken = sum(not bool(row["passes"]) for row in promised)
    over = [row for row in promised if excess(row) > 0]
    by_chance = sum(bool(row["passes"]) for row in over)
    far = [
        row
        for row in rows
        if places[row["row"].item()][1] == verdicts.MISSED
        and "at 8 standard errors" in row["row"].item()
    ]
    given_up = [row for row in rows if verdicts.NO_PROMISE in row["row"].item()]
    worst = sorted(
        (row for row in promised if not np.isnan(excess(row))), key=excess, reverse=True
    )[:5]
    lines = [
        _PROMISED,
        f"**Held**: {len(promised):,} promises were counted. {len(promised) - broken:,} "
        f"held, as far as chance allows to tell; {broken:,} did not. "
        f"{len(over):,} rates are past their bound, {by_chance:,} of these by no more "
        f"than chance. A further {claims.count('fails'):,} rows show methods known to "
        f"fail, and {claims.count('reported'):,} promise nothing.",
    ]
    if worst:
        lines.append(
            f"\n**Worst**: {float(worst[0]['value']):.2g}, where "
            f"{worst[0]['claim'].item()} {float(worst[0]['nominal']):.2g} is promised "
            f"({worst[0]['row'].item()}): the next are listed below."
        )
    lines.append(_missed_in_words(far))
    if given_up:
        past = max(given_up, key=lambda row: float(row["value"]))
        lines.append(
            "**No promise**: units so few, of effects so skewed, that no rule knows "
            f"their tails: {len(given_up):,} rows, the worst {float(past['value']):.2g} "
            f"({past['row'].item()}).\n"
        )
    lines += [
        _not_yet({row["row"].item() for row in rows}).lstrip("\n"),
        "## The five worst rows of all that promise a rate\n",
        "*n* units, *K* effects in one table; the law is that of the effects of units.",
        "",
    ]
    lines += [
        f"{i}. {row['row'].item()}: {float(row['value']):.4f}, promised "
        f"{row['claim'].item()} {float(row['nominal']):.4g}"
        f"{'' if bool(row['passes']) else ' (**missed**)'}"
        for i, row in enumerate(worst, 1)
    ]
    return "\n".join(
        ["# Validation: are error rates and coverages as stated?\n", *lines]
    )


def _not_yet(have: set[str]) -> str:
    """Return the line about checks without a figure yet, and about what they are."""
    left = [check for check in CHECKS if check.name not in have]
    if not left:
        return ""
    of_rule = sum(check in (*verdicts.CHECKS, *arms.CHECKS) for check in left)
    return _NOT_YET.format(
        left=len(left),
        of_rule=f", {of_rule:,} of them about the rule of verdicts" if of_rule else "",
    )


def _missed_in_words(far: list[xr.Dataset]) -> str:
    """Return the line about effects that should have had a verdict."""
    if not far:
        return ""
    shares = np.array([float(row["value"]) for row in far])
    worst = far[int(shares.argmax())]
    return (
        "\n**Missed**: effects that large which had no verdict: "
        f"{100 * np.median(shares):.2g} % in the middle one of {len(far)} settings, "
        f"{100 * shares.max():.2g} % in the worst "
        f"({worst['row'].item().split(':')[0]}).\n"
    )


def _value(row: xr.Dataset) -> str:
    if row["kind"].item() == "p":
        return f"p {float(row['value']):.3f}"
    small = 0 < float(row["nominal"]) < 1e-3
    return format(float(row["value"]), ".2g" if small else ".4f")


def _promise(row: xr.Dataset) -> str:
    if row["kind"].item() == "p":
        return "uniform"
    return f"{_CLAIMS[row['claim'].item()]} {float(row['nominal']):.4g}"


_COLUMNS = (
    "room",
    "section",
    "row",
    "observed",
    "standard_error",
    "stated",
    "nominal",
    "band_lower",
    "band_upper",
    "trials",
    "as_stated",
)
_PROMISED = """\
Trials whose true effects are known were simulated and analyzed as a user would. Here is how often what was said of
them was false.

**Promised**: a 95 % interval contains its effect in 95 of 100 trials. Of the rows of a table that "increase" or
"decrease", at most 5 % are false on average, and of the "negligible" ones. An effect of two bounds or more that lies 8
standard errors beyond its bound has a verdict. No other row, task or way of calling changes what is said of a row.
"""
_HEAD = """
## How to read the tables

A line is a group of rows; a row is one rate, mean or test over repeated simulated trials.

- *Held*: how many promises lie within their band, the range in which a value lies by chance if the promise is true:
  two-sided for "exactly" and "known to be", one-sided for "at most" and "at least". The level .001 is split over all
  {rows:,} rows.
- *Worst*: of these rows the one that is furthest past its promise, or nearest to it.
- *Shown to fail*: methods that are there as a warning. Their values lie outside the band around what they claim.
- "Known to be": a value that was observed in other trials, and need not be the nominal one. A dash: no promise.

Every row, with its band and its number of trials, is in [validation_rows.tsv](validation_rows.tsv).
`python benchmarks/validate.py` writes both. After every change the tests run the same code with fewer trials. They fail
where a value lies outside its band, or, for a method that is known to fail, nearer to what the method claims than to
its value here. Effects of units are normal, exponential (skewness 2), lognormal (skewness 6.2), or rare:
present in 3 % of the units only."""

_BELOW = """
## Other evidence

- [Audits](audit.md): what they find where motifs and rules are known, and what they miss; for those who read one
- [Published claims](claims.md): what papers say of published networks, asked of these; for referees
- [The founding paper](paper.md): its statements, each beside the call, an oracle and trained networks; for its readers
- [DeepSTARR, asked](deepstarr.md): a screen and an audit of a published network, with what twenty sequences leave open
- [Methods of interpretation](interpretation.md): maps where the truth is known; for choosing one that proposes motifs
- [Speed](performance.md): each step beside a peer or the floor, and what a large trial takes; for engineers

```{toctree}
:hidden:

audit
claims
paper
deepstarr
interpretation
performance
```
"""
_NOT_YET = """
**Not measured yet**: {left:,} further checks{of_rule}. They run after every change with fewer trials, but have not been
run with their full number, so that nothing above is said of them.
"""


if __name__ == "__main__":
    main(sys.argv[1:])
