"""q-values, weights, families of families and selected intervals: against R, and
against simulated truth.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.interpolate import make_smoothing_spline
from scipy.optimize import brentq
from scipy.stats import norm

import causalgia as cg
from causalgia.errors import EstimateError
from causalgia.multiplicity import selected_intervals
from causalgia.multiplicity.adjusted_p import (
    fcr_ci_prob,
    hierarchical_q,
    pi0_by_lambda,
    smooth_natural_cubic,
    storey_q,
    weighted_bh,
)

HERE = Path(__file__).parent / "reference"


def case(name: str) -> tuple[pd.DataFrame, Any]:
    folder = HERE / name
    return pd.read_csv(folder / "input.csv"), json.loads(
        (folder / "expected.json").read_text()
    )


def numbers(values: Any) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def test_q_values_are_those_of_qvalue() -> None:
    d, r = case("qvalue")
    np.testing.assert_allclose(
        pi0_by_lambda(d["p"]), r["bootstrap"]["pi0_lambda"], rtol=1e-9
    )
    q, pi0 = storey_q(d["p"], pi0="bootstrap")
    np.testing.assert_allclose(pi0, r["bootstrap"]["pi0"], rtol=1e-9)
    np.testing.assert_allclose(q, r["bootstrap"]["q"], rtol=1e-9)
    fixed, _ = storey_q(d["p"], pi0=r["fixed_half"]["pi0"])
    np.testing.assert_allclose(fixed, r["fixed_half"]["q"], rtol=1e-9)
    np.testing.assert_allclose(
        pi0_by_lambda(d["p"])[9], r["fixed_half"]["pi0"], rtol=1e-9
    )


def test_the_smoother_is_the_spline_of_three_df() -> None:
    d, r = case("qvalue")
    q, pi0 = storey_q(d["p"], pi0="smoother")
    assert abs(pi0 - r["smoother"]["pi0"]) < 1e-4
    np.testing.assert_allclose(q, r["smoother"]["q"], atol=1e-4)
    fit = smooth_natural_cubic(
        np.array(r["lambda"]), np.array(r["smoother"]["pi0_lambda"]), df=3.0
    )
    np.testing.assert_allclose(fit, r["smoother"]["pi0_smooth"], atol=1e-4)


def test_the_smoother_is_scipys_spline_of_the_same_trace() -> None:
    x, y = (
        np.array([0.0, 0.3, 1.0, 1.4, 2.5, 3.0, 4.2, 4.5]),
        np.random.default_rng(0).normal(size=8),
    )

    def fit(log_penalty: float, values: np.ndarray) -> np.ndarray:
        return make_smoothing_spline(x, values, lam=np.exp(log_penalty))(x)

    def trace(log_penalty: float) -> float:
        return sum(fit(log_penalty, unit)[i] for i, unit in enumerate(np.eye(8)))

    penalty = brentq(lambda a: trace(a) - 3.5, -15, 15, xtol=1e-12)
    np.testing.assert_allclose(
        smooth_natural_cubic(x, y, df=3.5), fit(penalty, y), atol=1e-7
    )


def test_weights_and_the_adaptive_procedure_are_those_of_r() -> None:
    d, r = case("p_adjust")
    for mine, name in (
        (weighted_bh(d["p"], d["weight"]), "weighted_BH"),
        (storey_q(d["p"], pi0="adaptive")[0], "storey_adaptive_BH"),
    ):
        np.testing.assert_allclose(
            mine, numbers(r["adjusted"][name]), rtol=1e-12, err_msg=name
        )
    assert storey_q(d["p"], pi0="adaptive")[1] == pytest.approx(
        r["pi0_storey_half"], rel=1e-12
    )


@pytest.mark.parametrize(("within", "suffix"), [("bh", ""), ("holm", "_holm")])
def test_families_are_selected_as_in_the_paper(within: Any, suffix: str) -> None:
    d, r = case("fdr_hierarchical")
    codes = pd.factorize(d["family"])[0].astype(np.intp)
    found = hierarchical_q(d["p"], codes, alpha=r["q"], within=within)
    np.testing.assert_allclose(found.simes, r["simes"], rtol=1e-12)
    np.testing.assert_allclose(found.simes_adjusted, r["simes_bh"], rtol=1e-12)
    assert found.selected.tolist() == r["selected"]
    theirs = numbers(r["q_bb" + suffix])
    np.testing.assert_allclose(
        found.q, np.where(np.isnan(theirs), 1.0, theirs), rtol=1e-12
    )
    assert (found.q <= r["q"]).tolist() == r["rejected" + suffix]


def test_what_is_missing_is_no_question() -> None:
    p = np.array([0.001, np.nan, 0.2, 0.9])
    present = ~np.isnan(p)
    for whole, part in (
        (storey_q(p, pi0=0.7)[0], storey_q(p[present], pi0=0.7)[0]),
        (weighted_bh(p, [1, 9, 1, 2]), weighted_bh(p[present], [1, 1, 2])),
        (
            hierarchical_q(p, np.array([0, 0, 1, 1])).q,
            hierarchical_q(p[present], np.array([0, 1, 1])).q,
        ),
    ):
        assert np.isnan(whole[1])
        np.testing.assert_array_equal(whole[present], part)
    lost = hierarchical_q(np.array([0.01, np.nan]), np.array([0, 1]))
    assert lost.selected.tolist() == [True, False]
    assert lost.q[0] == 0.01


def test_no_large_p_leaves_a_positive_share() -> None:
    for how in ("bootstrap", "smoother", "adaptive"):
        q, pi0 = storey_q(np.full(50, 1e-6), pi0=how)  # type: ignore[arg-type]
        assert pi0 == pytest.approx(2 / 50)
        assert (q > 0).all()
    assert storey_q([0.03])[0] == pytest.approx([0.03])


def test_the_fdr_is_held_on_independent_p() -> None:
    rng = np.random.default_rng(5)
    share, false = np.zeros(400), {"q": np.zeros(400), "bb": np.zeros(400)}
    codes = np.repeat(np.arange(20), 10)
    for i in range(400):
        p = norm.sf(rng.normal(size=200) + 3.0 * (codes < 4))
        q, share[i] = storey_q(p, pi0="adaptive")
        called = q <= 0.1
        false["q"][i] = (called & (codes >= 4)).sum() / max(1, called.sum())
        found = hierarchical_q(p, codes, alpha=0.1)
        rejected = found.q <= 0.1
        by_family = [
            (rejected & (codes == f)).sum() for f in np.flatnonzero(found.selected)
        ]
        wrong = np.flatnonzero(found.selected) >= 4
        inside = [
            bool(count and bad) for count, bad in zip(by_family, wrong, strict=True)
        ]
        false["bb"][i] = np.mean(inside) if inside else 0.0
    for name, rate in false.items():
        assert rate.mean() < 0.1 + 3 * rate.std() / 20, name
    assert false["q"].mean() > 0.1 - 4 * false["q"].std() / 20
    assert 0.75 < share.mean() < 0.9


def test_bad_input_is_named() -> None:
    with pytest.raises(EstimateError, match=r"p\[1\] is 1.2, not between 0 and 1"):
        storey_q([0.1, 1.2])
    with pytest.raises(EstimateError, match="pi0='lasso' is not one of 'bootstrap'"):
        storey_q([0.1], pi0="lasso")  # type: ignore[arg-type]
    with pytest.raises(EstimateError, match="not above 0 and at most 1"):
        storey_q([0.1], pi0=0.0)
    with pytest.raises(EstimateError, match="one number >= 0 for each"):
        weighted_bh([0.1, 0.2], [1, -1])
    with pytest.raises(EstimateError, match="all weights are 0"):
        weighted_bh([0.1, 0.2], [0, 0])
    for codes in (np.array([-1, 0]), np.array([0.0, 1.0])):
        with pytest.raises(EstimateError, match="give an integer, 0 or more, for each"):
            hierarchical_q([0.1, 0.2], codes)
    with pytest.raises(EstimateError, match="1 family codes for 2 p-values"):
        hierarchical_q([0.1, 0.2], np.array([0]))
    with pytest.raises(EstimateError, match="neither 'bh' nor 'holm'"):
        hierarchical_q([0.1], np.array([0]), within="by")  # type: ignore[arg-type]
    with pytest.raises(EstimateError, match="alpha=1 is not between 0 and 1"):
        hierarchical_q([0.1], np.array([0]), alpha=1)
    with pytest.raises(EstimateError, match="0 selected of 9"):
        fcr_ci_prob(0, 9)


@pytest.mark.rotating
def test_selected_intervals_cover_as_they_say() -> None:
    rng, m = np.random.default_rng(3), 400
    missed, plain = np.zeros(200), np.zeros(200)
    truth = np.where(np.arange(m) < 40, 2.0, 0.0)
    for i in range(200):
        effect = truth + rng.normal(size=m)
        screen = cg.adjust(
            cg.from_effects(effect, 1.0, names=np.arange(m)), method="bh"
        )
        mask = screen["p_adjusted"].values.ravel() <= 0.1
        if not mask.any():
            continue
        found = selected_intervals(screen, select=0.1, ci_prob=0.9)
        assert found["contrast"].values.tolist() == np.flatnonzero(mask).tolist()
        true = truth[mask]
        missed[i] = np.mean(
            (found["lower"].values.ravel() > true)
            | (found["upper"].values.ravel() < true)
        )
        plain[i] = np.mean(np.abs(effect[mask] - true) > norm.ppf(0.95))
    assert missed.mean() < 0.1 + 3 * missed.std() / np.sqrt(200)
    assert plain.mean() > 0.15


def test_selection_by_name_mask_and_number_agree() -> None:
    screen = cg.adjust(
        cg.from_effects([5.0, 0.1, -4.0], 1.0, names=["a", "b", "c"]), method="bh"
    )
    by_name = selected_intervals(screen, select=["a", "c"])
    for how in (0.05, np.array([True, False, True]), screen["p_adjusted"] <= 0.05):
        xr.testing.assert_identical(selected_intervals(screen, select=how), by_name)
    half = norm.ppf(0.5 + fcr_ci_prob(2, 3) / 2)
    np.testing.assert_allclose(by_name["lower"].values.ravel(), [5 - half, -4 - half])


def test_each_task_has_its_own_level() -> None:
    ace = [[5.0, 0.0], [0.0, 0.0], [6.0, 5.0]]
    two = xr.Dataset(
        {
            "ace": (("contrast", "task"), ace),
            "se": (("contrast", "task"), np.ones((3, 2))),
        }
    )
    found = selected_intervals(two, select=np.array(ace) > 1)
    np.testing.assert_allclose(
        found["fcr_ci_prob"], [fcr_ci_prob(2, 3), fcr_ci_prob(1, 3)]
    )
    assert found["selected"].values.tolist() == [[True, False], [True, True]]


def test_an_impossible_selection_is_named() -> None:
    screen = cg.from_effects([5.0, 0.1], 1.0, names=["a", "b"])
    with pytest.raises(EstimateError, match="'nobody' is not among the estimates"):
        selected_intervals(screen, select=["a", "nobody"])
    with pytest.raises(EstimateError, match="no contrast is selected"):
        selected_intervals(screen, select=np.array([False, False]))
    with pytest.raises(EstimateError, match="asks for p_adjusted"):
        selected_intervals(screen, select=0.05)
    with pytest.raises(EstimateError, match="mask has shape"):
        selected_intervals(screen, select=np.array([True]))


def storey_share_of_the_paper(p: np.ndarray) -> float:
    """Storey, Taylor & Siegmund (2004): the lambda of the least estimated mean squared
    error, written out.
    """
    m, shares, errors = len(p), [], []
    for step in range(1, 20):
        at_least, width = int((p >= 0.05 * step - 1e-12).sum()), 1 - 0.05 * step
        shares.append(at_least / (m * width))
        errors.append(at_least / (m**2 * width**2) * (1 - at_least / m))
    tenth = np.quantile(shares, 0.1)
    error = [
        variance + (share - tenth) ** 2
        for variance, share in zip(errors, shares, strict=True)
    ]
    return min(
        1.0,
        min(share for share, e in zip(shares, error, strict=True) if e == min(error)),
    )


@pytest.mark.parametrize("seed", range(40))
def test_the_bootstrap_takes_the_lambda_of_least_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = int(rng.integers(20, 300))
    p = np.where(rng.random(m) < 0.4, rng.random(m) ** 4, rng.random(m))
    assert storey_q(p, pi0="bootstrap")[1] == pytest.approx(
        storey_share_of_the_paper(p), rel=1e-9
    )


@pytest.mark.parametrize("p", [np.full((2, 2), 0.1), 0.1, [np.nan, np.nan], []])
def test_what_is_no_list_of_p_is_refused(p: Any) -> None:
    for adjusted in (storey_q, lambda x: weighted_bh(x, [1.0, 1.0])):
        with pytest.raises(EstimateError, match="p has .*; give a list of p-values"):
            adjusted(p)


def test_a_family_at_the_very_level_is_selected() -> None:
    found = hierarchical_q([0.05, 0.05, 0.5], np.array([0, 0, 1]), alpha=0.05)
    assert found.simes.tolist() == [0.05, 0.5]
    assert found.simes_adjusted.tolist() == [0.1, 0.5]
    assert not found.selected.any()
    assert hierarchical_q(
        [0.05, 0.05], np.array([0, 1]), alpha=0.05
    ).selected.tolist() == [True, True]
