"""The validation table with fewer trials: every promise inside its band, every method
shown failing outside it.

Every second row about company of verdicts, estimates, ratios and contrasts between tasks
runs always; the rest are marked `simulation`. Rows on real networks are `real`.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from validate import CHECKS, FIGURES, PAGE, ROWS, page, rows_as_text, table
from validation import between_tasks, estimation, ratios, verdicts
from validation.binomial_bands import (
    Row,
    mean_row,
    rank_row,
    rate_table,
    share_row,
)
from validation.checks import SEEDS

import causalgia as cg

EACH = 0.001 / len(CHECKS)
FEW = 8
"""Up to so many trials say next to nothing of their own spread: with 2, the band of
Student's t has 80,000 errors.
"""
KEPT = json.loads(FIGURES.read_text(encoding="utf-8"))
REPORTED = 2
"""Trials of a row without a promise: it has no band, and passes unless the trials fail
or give no number.
"""
ALWAYS = {
    check.name
    for module in (verdicts, estimation, ratios, between_tasks)
    for check in module.CHECKS
    if module is not verdicts or check.section == verdicts.COMPANY
}


def with_known_spread(row: Row) -> Row:
    """Return a row of few trials with the spread between trials that those of the page
    had.
    """
    kept = KEPT.get(row.name)
    if row.n_trials > FEW or row.kind != "mean" or kept is None:
        return row
    sd = kept["mcse"] * kept["n_trials"] ** 0.5
    return replace(row, mcse=sd / row.n_trials**0.5, n_trials=kept["n_trials"])


def holds(row: Row) -> bool:
    """Return whether a row of the tests says what that of the page says.

    That a method fails, the page shows. With the fewer trials here its figure may well
    lie inside of a band at the level of the whole table, so that it has to lie nearer
    to the page's figure than to the nominal one.
    """
    kept = KEPT.get(row.name)
    if row.claim != "fails" or kept is None:
        return with_known_spread(row).passes(EACH)
    return Row(**kept).passes(EACH) and abs(row.value - kept["value"]) < abs(
        row.value - row.nominal
    )


def test_names_are_different() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_seeds_are_those_of_rows() -> None:
    """A row that is renamed keeps its trials; a seed without a row is left over."""
    assert set(SEEDS) <= {check.name for check in CHECKS}
    assert len(SEEDS) == len(set(SEEDS.values()))


def marked(check):
    """Return a row as a case, with its marks."""
    marks = [pytest.mark.real] if check.real else []
    if check.name not in ALWAYS or CHECKS.index(check) % 2:
        marks.append(pytest.mark.simulation)
    return pytest.param(check, marks=marks, id=check.name)


@pytest.mark.parametrize("check", [marked(check) for check in CHECKS])
def test_what_is_promised_happens(check) -> None:
    n = REPORTED if check.claim == "reported" and check.quick > FEW else check.quick
    row = check.row(n)
    assert row.n_trials >= n
    assert holds(row), (
        f"{row.name}: {row.value:.4f}, band {with_known_spread(row).band(EACH)}"
    )


FAILING = [check for check in CHECKS if check.claim == "fails" and check.name in KEPT]


@pytest.mark.parametrize("check", FAILING, ids=lambda check: check.name)
def test_a_method_that_is_shown_failing_is_seen_where_it_fails_no_more(check) -> None:
    page = Row(**KEPT[check.name])
    assert holds(replace(page, n_trials=check.quick))
    assert not holds(replace(page, value=page.nominal, n_trials=check.quick))


def test_of_all_methods_shown_failing_other_draws_would_rarely_be_taken_for_sound() -> (
    None
):
    """And as rarely one that became sound for failing: by the normal law,
    docs/contribute.md names the sum.
    """
    chances = []
    for check in FAILING:
        page = KEPT[check.name]
        se = page["mcse"] * np.sqrt(page["n_trials"] / check.quick)
        chances.append(
            stats.norm.sf(abs(page["value"] - page["nominal"]) / 2 / se) if se else 0.0
        )
    assert sum(chances) < 0.03


def test_the_page_and_its_rows_are_those_of_the_figures() -> None:
    claims = {check.name: (check.claim, check.nominal) for check in CHECKS}
    judgment = table(
        [
            replace(Row(**kept), claim=claims[name][0], nominal=claims[name][1])
            for name, kept in KEPT.items()
        ]
    )
    again = "run: python benchmarks/validate.py --write"
    assert page(judgment) == PAGE.read_text(encoding="utf-8"), again
    assert rows_as_text(judgment) == ROWS.read_text(encoding="utf-8"), again


def test_a_promise_that_is_broken_is_said() -> None:
    name = next(iter(KEPT))
    kept = Row(**KEPT[name])
    row = replace(kept, value=kept.nominal + 30 * kept.mcse)
    assert "**0 of 1**" in page(table([row]))
    line = rows_as_text(table([row])).splitlines()[1].split("\t")
    assert (line[2], line[-1]) == (name, "no")


def said_of_holm(n: int, contrasts: int, tasks: int = 1, **ask: str) -> str:
    """What is printed of tables by Holm: rows and units of those that were simulated, and
    how many had a false verdict.
    """
    ice = np.random.default_rng(1).normal(size=(n, contrasts, tasks))
    names = {
        "contrast": [f"k{i}" for i in range(contrasts)],
        "task": [f"t{i}" for i in range(tasks)],
        "half": ("contrast", [f"h{i % 2}" for i in range(contrasts)]),
    }
    effects = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, names)
    decided = cg.decide(effects, rope=0, error="fwer", shrink=None, **ask)
    printed = " ".join(str(cg.report(decided)).split())
    return printed.split("simulated at .05 (")[1].split(". ")[0]


@pytest.mark.parametrize("n", [30, 100, 300])
@pytest.mark.parametrize("k", [20, 200])
def test_what_is_printed_of_holm_was_measured(k, n) -> None:
    where, rates = said_of_holm(n, k).split("): ")
    assert where == f"{k} rows, n = {n}"
    printed = [float(part.split(" at ")[0]) for part in rates.split(", ")]
    for rate, law in zip(printed, ("normal", "exponential", "lognormal"), strict=True):
        (name,) = (x for x in KEPT if x.startswith(f"Holm, K = {k}, n = {n}, {law}: "))
        assert rate == pytest.approx(KEPT[name]["value"], abs=0.005 + 1e-9)


@pytest.mark.parametrize(
    ("table", "simulated"),
    [
        ({"n": 20, "contrasts": 2}, "20 rows, n = 30"),
        ({"n": 99, "contrasts": 21}, "200 rows, n = 30"),
        ({"n": 101, "contrasts": 201}, "200 rows, n = 100"),
        (
            {"n": 301, "contrasts": 21, "tasks": 2, "family": "half"},
            "200 rows, n = 300",
        ),
        ({"n": 30, "contrasts": 20, "tasks": 3}, "200 rows, n = 30"),
        ({"n": 30, "contrasts": 20, "tasks": 3, "family": "task"}, "20 rows, n = 30"),
        ({"n": 30, "contrasts": 20, "tasks": 2, "family": "half"}, "20 rows, n = 30"),
    ],
)
def test_of_holm_the_nearest_harder_table_is_printed(table, simulated) -> None:
    assert said_of_holm(**table).startswith(simulated)


def test_bands_are_those_of_the_binomial_and_the_mean() -> None:
    hits = np.arange(1000) < 960
    low, high = stats.binom.ppf([0.0005, 0.9995], 1000, 0.95) / 1000
    table = rate_table([share_row("coverage", hits, 0.95)], alpha=0.001)
    np.testing.assert_allclose(
        [table["lower"].item(), table["upper"].item()], [low, high]
    )
    assert share_row("a", hits, 0.95, "at least").band(0.001)[1] == np.inf
    assert not share_row("a", hits, 0.90, "at most").passes(0.001)
    assert share_row("a", hits, 0.90, "fails").passes(0.001)
    assert not share_row("a", hits, 0.95, "fails").passes(0.001)
    x = np.random.default_rng(0).normal(size=400)
    row = mean_row("m", x, 0.0)
    np.testing.assert_allclose(
        row.band(0.01)[1], stats.t.isf(0.005, 399) * x.std(ddof=1) / 20
    )
    assert rank_row("r", np.zeros(200, int), 99).value < 1e-10
