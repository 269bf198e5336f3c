"""Every statistical promise over repeated trials, written to docs/validation.md:
`python benchmarks/validate.py`.

The tables of docs/howto/confirm_and_stop.md are written in the same run, from the same
rows. The figures are kept in `benchmarks/validation/figures.json`, so that a part can
be run again by itself (``--only``).
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
    arms,
    bench,
    bench_designs,
    between_tasks,
    claims,
    clusters,
    coarse_answers,
    combinations,
    count_quality,
    count_tables,
    estimation,
    few_degrees,
    floor,
    laws,
    matched,
    moderated,
    moderation,
    motif_matches,
    multiplicity,
    overlaps,
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
)
from validation.checks import Check

from causalgia.calibration.binomial_bands import Row, rate_table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "validation.md"
FIGURES = Path(__file__).resolve().parent / "validation" / "figures.json"
CHECKS: list[Check] = [
    *verdicts.CHECKS,
    *arms.CHECKS,
    *claims.CHECKS,
    *placebo.CHECKS,
    *matched.CHECKS,
    *motif_matches.CHECKS,
    *estimation.CHECKS,
    *moderated.CHECKS,
    *moderation.CHECKS,
    *ratios.CHECKS,
    *between_tasks.CHECKS,
    *clusters.CHECKS,
    *overlaps.CHECKS,
    *combinations.CHECKS,
    *tilts.CHECKS,
    *multiplicity.CHECKS,
    *few_degrees.CHECKS,
    *position_pairs.CHECKS,
    *profiles.CHECKS,
    *posterior.CHECKS,
    *laws.CHECKS,
    *screens.CHECKS,
    *shared_effects.CHECKS,
    *sequential.CHECKS,
    *floor.CHECKS,
    *predictors.CHECKS,
    *coarse_answers.CHECKS,
    *bench.CHECKS,
    *count_quality.CHECKS,
    *count_tables.CHECKS,
    *bench_designs.CHECKS,
    *replicates.CHECKS,
    *real.CHECKS,
    *refutations.CHECKS,
]
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
    said = asked.parse_args(argv)
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
    judgment = table(rows)
    failed = judgment["row"].to_numpy()[~judgment["passes"].to_numpy()]
    print(
        f"{len(rows)} rows, {len(failed)} outside their band: "
        f"{', '.join(failed) or 'none'}"
    )
    if not said.quick:
        sections = {check.name: check.section for check in CHECKS}
        PAGE.write_text(
            page(judgment, [sections[row.name] for row in rows]), encoding="utf-8"
        )
        sequential.write_howto(rows)
    sys.exit(len(failed) > 0)


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


def page(judgment: xr.Dataset, sections: list[str]) -> str:
    """Return the page: what was promised and found in a few lines, then a folded table
    for each section, each figure beside its band.
    """
    rows = judgment.sizes["row"]
    lines = [opening(judgment, sections), _HEAD.format(rows=rows)]
    for section in dict.fromkeys(sections):
        own = [judgment.isel(row=i) for i, s in enumerate(sections) if s == section]
        lines += [
            f"\n## {section}\n",
            f"<details><summary>{_held_of(own)}</summary>\n",
            "| | observed | stated | band | trials | as stated |",
            "|---|---|---|---|---|---|",
            *(_line(row) for row in own),
            "\n</details>",
        ]
    return "\n".join(lines) + "\n"


_PROMISES = ("exact", "known", "at most", "at least")


def _held_of(rows: list[xr.Dataset]) -> str:
    """Return how many rows there are and how many of their promises held, in words."""
    promises = [bool(row["passes"]) for row in rows if row["claim"].item() in _PROMISES]
    held = sum(promises)
    said = f"{len(rows):,} row{'' if len(rows) == 1 else 's'}"
    if not promises:
        return f"{said}, without a promise"
    return f"{said}: {held:,} of {len(promises):,} promises held"


def excess(row: xr.Dataset) -> float:
    """Return by how much a rate of errors is above its bound, or a coverage or power
    below it; NaN for rows of another kind.
    """
    claim, value, nominal = (row[name].item() for name in ("claim", "value", "nominal"))
    if claim == "at most" and 0 < nominal <= 0.1:
        return float(value - nominal)
    return float(nominal - value) if claim == "at least" and nominal >= 0.8 else np.nan


def opening(judgment: xr.Dataset, sections: list[str]) -> str:
    """Return the first lines of the page: what is promised, how often it held, how much
    was missed, and the five worst rows.
    """
    rows = [judgment.isel(row=i) for i in range(judgment.sizes["row"])]
    claims = [row["claim"].item() for row in rows]
    promised = [
        row for row, claim in zip(rows, claims, strict=True) if claim in _PROMISES
    ]
    broken = sum(not bool(row["passes"]) for row in promised)
    over = [row for row in promised if excess(row) > 0]
    by_chance = sum(bool(row["passes"]) for row in over)
    far = [
        row
        for row, section in zip(rows, sections, strict=True)
        if section == verdicts.MISSED and "at 8 standard errors" in row["row"].item()
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


def _line(row: xr.Dataset) -> str:
    claim, kind = str(row["claim"].item()), str(row["kind"].item())
    digits = (
        ".3f" if kind == "p" else ".2g" if 0 < float(row["nominal"]) < 1e-3 else ".4f"
    )
    value, low, high = (
        format(float(row[name]), digits) for name in ("value", "lower", "upper")
    )
    one_sided = {"at most": f"at most {high}", "at least": f"at least {low}"}
    promise = (
        "uniform" if kind == "p" else f"{_CLAIMS[claim]} {float(row['nominal']):.4g}"
    )
    promise = (
        _CLAIMS["fails"]
        if claim == "fails"
        else _CLAIMS["reported"]
        if claim == "reported"
        else promise
    )
    band = "" if claim == "reported" else one_sided.get(claim, f"{low} to {high}")
    verdict = "" if claim == "reported" else "yes" if bool(row["passes"]) else "**NO**"
    return (
        f"| {row['row'].item()} | {value} | {promise} | {band} | "
        f"{int(row['n_trials']):,} | {verdict} |"
    )


_PROMISED = """Trials whose true effects are known were simulated, analyzed as a user would, and their false statements
counted.

**Promised**: a 95 % interval contains its effect in 95 of 100 trials. Of the rows of a table that "increase" or
"decrease", at most 5 % are false on average, and of the "negligible" ones. An effect of two bounds or more that lies 8
standard errors beyond its bound has a verdict. No other row, task or way of calling changes what is said of a row.
"""
_HEAD = """
## How to read the tables

Written by `python benchmarks/validate.py` from `benchmarks/validation/figures.json`, which has every row. The tests
run the same code with fewer trials after every change. They fail if a value lies outside its band, or, for a method
that is known to fail, if its value is nearer to the nominal one than to the one on this page.

Each row counts something over repeated simulated trials whose true effects are known; "trials" is their number. The
band is the range in which the observed value lies by chance if the statement holds: two-sided for "exactly", one-sided
for "at most" and "at least". The level .001 is split over the {rows} rows of all tables. Methods that are known to fail
are shown too, with the band around their nominal value: "yes" means that the observed value lies outside it. A value
that is "known to be" was observed in other trials and need not be the nominal one. Rows whose statement is "none" are
given for information. The effects of units are normal, exponential (skewness 2), lognormal (skewness 6.2), or rare:
present in 3 % of the units only."""

_NOT_YET = """
**Not measured yet**: {left:,} further checks{of_rule}. They run after every change with fewer trials, but have not been
run with their full number, so that nothing above is said of them.
"""


if __name__ == "__main__":
    main(sys.argv[1:])
