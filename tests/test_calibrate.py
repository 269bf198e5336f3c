# Imports from the inside: bands of rates, which are those of the binomial.
"""Calibration of whole trials: what is right passes, what is wrong is found, and bands
are those of the binomial.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.analysis_values import Shrinkage
from causalgia.calibration._calibrate import (
    centered_truth,
    ranks_from_the_prior,
)
from causalgia.calibration.binomial_bands import (
    mean_row,
    rank_row,
    rate_table,
    share_row,
    verdict_rows,
)
from causalgia.estimation import from_effects

ARMS = {
    "untreated": cg.Untreated(),
    "GC": cg.Embed("GCGCGC", at=12),
    "AT": cg.Embed("ATATAT", at=12),
}
DESIGN = cg.Design(null=cg.Uniform(length=30), arms=ARMS, n_units=40)


def simulator(
    design: cg.Design, *, rng: int, tau: float = 0.5, narrow: float = 1.0
) -> xr.Dataset:
    """Outcomes with normal effects whose truths are drawn anew; `narrow` shrinks the
    spread and so the errors.
    """
    draw = np.random.default_rng(rng)
    arms = design.arm_names
    if design.assignment == "parallel":
        y = draw.normal(size=(design.n_units, 1))
        assigned = np.array(arms)[np.arange(design.n_units) % len(arms)]
        return xr.Dataset(
            {"outcome": (("unit", "task"), y)},
            coords={
                "arm": list(arms),
                "task": ["activity"],
                "assigned": ("unit", assigned),
            },
            attrs={"scale": "log", "assignment": "parallel"},
        )
    truth = tau * draw.normal(size=len(arms) - 1)
    y = draw.normal(size=(design.n_units, len(arms))) + np.r_[0.0, truth]
    if narrow != 1:
        center = y.mean(axis=0)
        y = center + narrow * (y - center)
    return xr.Dataset(
        {
            "outcome": (("unit", "arm", "task"), y[:, :, None]),
            "truth": (("contrast", "task"), truth[:, None]),
        },
        coords={"arm": list(arms), "task": ["activity"], "contrast": list(arms[1:])},
        attrs={"scale": "log"},
    )


@pytest.mark.simulation
def test_an_oracle_is_calibrated_and_its_truth_is_used() -> None:
    oracle = cg.zoo.oracle("rbfox1_like")
    arms = {"placebo": cg.Placebo("TGCATG", at=16), "RBFOX1": cg.Embed("TGCATG", at=16)}
    design = cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=300)
    table = cg.calibrate(design, oracle, n_trials=20, rng=1)
    assert table["passes"].all(), table["value"].to_series()
    assert {
        "A/A p < 0.05: RBFOX1",
        "coverage: RBFOX1, RBFOX1",
        "FWER of the band",
    } <= set(table["row"].values)
    assert table.sel(row="lfsr - wrong signs")["claim"] == "reported"
    assert table["p_same"].dims == ("trial", "task")


@pytest.mark.simulation
def test_a_simulator_with_truths_of_its_own_is_ranked() -> None:
    ask = cg.Analysis(
        control="untreated",
        shrink=Shrinkage(prior=cg.Prior(mu_sd=1, tau_scale=1, standardized=False)),
    )
    table = cg.calibrate(
        DESIGN, simulator, n_trials=40, rng=2, analysis=ask, posterior=True
    )
    assert table["passes"].all(), table["value"].to_series()
    assert {"SBC rank: GC, activity", "lfsr - wrong signs"} <= set(table["row"].values)


@pytest.mark.simulation
def test_errors_that_are_too_small_are_found() -> None:
    def wrong(design: cg.Design, *, rng: int) -> xr.Dataset:
        return simulator(design, rng=rng, narrow=0.5)

    table = cg.calibrate(DESIGN, wrong, n_trials=40, rng=3, posterior=False)
    coverage = table.sel(
        row=["coverage: GC, activity", "coverage: AT, activity", "FWER of the band"]
    )
    assert not coverage["passes"].any()


@pytest.mark.simulation
def test_false_discoveries_are_counted_where_some_truth_is_0() -> None:
    truth = xr.DataArray(
        [[0.0], [2.0]],
        coords={"contrast": ["GC", "AT"], "task": ["activity"]},
        dims=("contrast", "task"),
    )

    def known(design: cg.Design, *, rng: int) -> xr.Dataset:
        outcomes = simulator(design, rng=rng, tau=0.0).drop_vars(
            "truth", errors="ignore"
        )
        if "arm" in outcomes["outcome"].dims:
            outcomes["outcome"] = outcomes["outcome"] + xr.DataArray(
                [0.0, 0.0, 2.0], dims="arm"
            )
        return outcomes

    table = cg.calibrate(
        DESIGN, known, n_trials=40, rng=4, truth=truth, posterior=False
    )
    assert table.sel(row="FDR")["passes"]
    assert table.sel(row="FDR")["value"] <= 0.1
    assert "FDR" not in table.attrs["not_measured"]


def test_a_simulator_with_arms_of_its_own_has_no_same_arms() -> None:
    def own(design: cg.Design, *, rng: int) -> xr.Dataset:
        return simulator(DESIGN, rng=rng)

    table = cg.calibrate(DESIGN, own, n_trials=5, rng=0, posterior=False)
    assert "A/A" in table.attrs["not_measured"]
    assert "p_same" not in table


@pytest.mark.simulation
def test_trials_without_a_posterior_are_counted() -> None:
    def sometimes(design: cg.Design, *, rng: int) -> xr.Dataset:
        outcomes = simulator(design, rng=rng)
        if "arm" in outcomes["outcome"].dims and rng % 2:
            outcomes["outcome"][:, 1] = outcomes["outcome"][:, 0]
        return outcomes

    table = cg.calibrate(DESIGN, sometimes, n_trials=8, rng=0)
    assert 0 < table.attrs["without_posterior"] < 8


@pytest.mark.simulation
def test_the_same_seed_gives_the_same_table() -> None:
    one, two = (cg.calibrate(DESIGN, simulator, n_trials=8, rng=5) for _ in range(2))
    xr.testing.assert_identical(one, two)


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


@pytest.mark.simulation
def test_a_control_that_does_not_vary_in_one_trial_has_no_prior_to_rank_in() -> None:
    """Few backgrounds have a site of their own: in some trials the untreated arm is
    constant.
    """
    known = from_effects([0.0, 1.0], se=0.5)
    still = known.assign(control_sd=(("contrast", "task"), np.zeros((2, 1))))
    assert ranks_from_the_prior(known, cg.Prior(), "normal", seed=0) is not None
    assert ranks_from_the_prior(still, cg.Prior(), "normal", seed=0) is None
    arms = {"a": cg.Untreated(), "b": cg.Embed("AGATAA", at=20)}
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=4)
    table = cg.calibrate(design, cg.zoo.oracle("gata1_like"), n_trials=6, rng=1)
    ranked = table["n_trials"].sel(row="SBC rank: b, K562")
    assert 0 < int(ranked) < 6


def test_a_truth_from_the_mean_of_all_trials_costs_no_coverage() -> None:
    rng = np.random.default_rng(1)
    ace = rng.normal(size=(25, 4000))
    away = np.abs(ace - centered_truth(ace))
    assert abs((away < 1.959964).mean() - 0.95) < 4 * np.sqrt(0.95 * 0.05 / ace.size)


def decided(verdict: list[str], **settings: Any) -> xr.Dataset:
    """Return decisions of four contrasts in one task against -0.5 to 0.5."""
    cells = (("contrast", "task"), np.array(verdict)[:, None])
    ends = {"rope_lower": -0.5, "rope_upper": 0.5, "se": 0.05}
    return xr.Dataset(
        {"verdict": cells}
        | {name: (cells[0], np.full((4, 1), x)) for name, x in ends.items()},
        {"contrast": list("abcd"), "task": ["y"]},
        {"ci_prob": 0.95, "error": "fdr"} | settings,
    )


def test_false_and_missed_verdicts_are_counted_of_their_own_kind() -> None:
    truth = np.tile(np.array([0.0, 0.5, 1.0, -2.0])[:, None], (2, 1, 1))
    trials = [
        decided(["negligible", "increases", "undecided", "decreases"]),
        decided(["undecided", "negligible", "increases", "decreases"]),
    ]
    rows, lacking = verdict_rows(trials, truth)
    assert not lacking
    value = {row.name: row.value for row in rows}
    assert value == {
        "false verdict: a, y": 0.0,
        "false verdict: b, y": 1.0,
        "false verdict: c, y": 0.0,
        "false verdict: d, y": 0.0,
        "false directions of all given": 0.25,
        "false negligibles of all given": 0.5,
        "missed: effects of 2 bounds or more": 0.25,
        "missed: those 8 se beyond the region": 0.25,
        "missed: effects of 0, se below a fifth of the bound": 0.5,
    }
    claims = {row.name: row.claim for row in rows}
    assert claims["false directions of all given"] == "at most"
    each, _ = verdict_rows([x.assign_attrs(error="each") for x in trials], truth)
    assert [row.claim for row in each[4:6]] == ["reported"] * 2
    assert [row.claim for row in each[:4]] == ["at most"] * 4


def test_words_against_random_sequences_are_verdicts_and_placebos_are_not_counted() -> (
    None
):
    truth = np.array([0.0, 0.5, 0.6, -2.0])[None, :, None]
    found = decided(["within", "increases", "increases", "undecided"])
    found = found.assign_coords(is_placebo=("contrast", [False, True, False, False]))
    rows, _ = verdict_rows([found], truth)
    value = {row.name: row.value for row in rows}
    assert value["false verdict: b, y"] == 1.0
    assert value["false directions of all given"] == 0.0
    assert value["missed: effects of 2 bounds or more"] == 1.0
    assert value["missed: effects of 0, se below a fifth of the bound"] == 0.0


@pytest.mark.simulation
def test_verdicts_are_counted() -> None:
    """What is printed is counted, at a truth on the bound, where any verdict is false,
    and at one far beyond it.
    """
    truth = xr.DataArray(
        [[0.5], [3.0]],
        coords={"contrast": ["GC", "AT"], "task": ["activity"]},
        dims=("contrast", "task"),
    )

    def known(design: cg.Design, *, rng: int) -> xr.Dataset:
        outcomes = simulator(design, rng=rng, tau=0.0).drop_vars(
            "truth", errors="ignore"
        )
        if "arm" in outcomes["outcome"].dims:
            outcomes["outcome"] = outcomes["outcome"] + xr.DataArray(
                [0.0, 0.5, 3.0], dims="arm"
            )
        return outcomes

    ask = cg.Analysis(control="untreated", rope=(-0.5, 0.5))
    table = cg.calibrate(
        DESIGN, known, n_trials=60, rng=4, analysis=ask, truth=truth, posterior=False
    )
    rows = [
        "false verdict: GC, activity",
        "coverage: GC, activity",
        "coverage: AT, activity",
        "false directions of all given",
        "false negligibles of all given",
        "missed: effects of 2 bounds or more",
        "missed: those 8 se beyond the region",
    ]
    assert table.sel(row=rows)["passes"].all()
    assert 0 < table.sel(row=rows[0])["value"] <= 0.08
    assert table.sel(row=rows[5])["value"] == 0


@pytest.mark.simulation
def test_verdicts_that_claim_too_much_are_found() -> None:
    """Standard errors that are half of what they should be make false verdicts, and the
    table shows them.
    """

    def wrong(design: cg.Design, *, rng: int) -> xr.Dataset:
        return (
            simulator(design, rng=rng, tau=0.0, narrow=0.5).assign(
                truth=(("contrast", "task"), np.zeros((2, 1)))
            )
            if design.assignment != "parallel"
            else simulator(design, rng=rng)
        )

    ask = cg.Analysis(control="untreated", rope=0)
    table = cg.calibrate(
        DESIGN, wrong, n_trials=60, rng=3, analysis=ask, posterior=False
    )
    assert not table.sel(row=["false verdict: GC, activity", "coverage: GC, activity"])[
        "passes"
    ].any()
