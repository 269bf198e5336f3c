"""q-values, weights, families of families and selected intervals: against R, and against simulated truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import make_smoothing_spline
from scipy.optimize import brentq
from scipy.stats import norm

from causalgia.errors import EstimateError
from causalgia.multiplicity.fdr import (
    fcr_level,
    hierarchical_q,
    pi0_by_lambda,
    smooth_natural_cubic,
    storey_q,
    weighted_bh,
    weighted_bonferroni,
)

HERE = Path(__file__).parent / "reference"


def case(name: str) -> tuple[pd.DataFrame, Any]:
    folder = HERE / name
    return pd.read_csv(folder / "input.csv"), json.loads((folder / "expected.json").read_text())


def numbers(values: Any) -> np.ndarray:
    return np.array([np.nan if v is None else v for v in values], dtype=float)


def test_q_values_are_those_of_qvalue() -> None:
    d, r = case("qvalue")
    np.testing.assert_allclose(pi0_by_lambda(d["p"]), r["bootstrap"]["pi0_lambda"], rtol=1e-9)
    q, pi0 = storey_q(d["p"], pi0="bootstrap")
    np.testing.assert_allclose(pi0, r["bootstrap"]["pi0"], rtol=1e-9)
    np.testing.assert_allclose(q, r["bootstrap"]["q"], rtol=1e-9)
    fixed, _ = storey_q(d["p"], pi0=r["fixed_half"]["pi0"])
    np.testing.assert_allclose(fixed, r["fixed_half"]["q"], rtol=1e-9)
    np.testing.assert_allclose(pi0_by_lambda(d["p"])[9], r["fixed_half"]["pi0"], rtol=1e-9)


def test_the_smoother_is_the_spline_of_three_df() -> None:
    d, r = case("qvalue")
    q, pi0 = storey_q(d["p"], pi0="smoother")
    assert abs(pi0 - r["smoother"]["pi0"]) < 1e-4
    np.testing.assert_allclose(q, r["smoother"]["q"], atol=1e-4)
    fit = smooth_natural_cubic(np.array(r["lambda"]), np.array(r["smoother"]["pi0_lambda"]), df=3.0)
    np.testing.assert_allclose(fit, r["smoother"]["pi0_smooth"], atol=1e-4)


def test_the_smoother_is_scipys_spline_of_the_same_trace() -> None:
    x, y = np.array([0.0, 0.3, 1.0, 1.4, 2.5, 3.0, 4.2, 4.5]), np.random.default_rng(0).normal(size=8)

    def fit(log_penalty: float, values: np.ndarray) -> np.ndarray:
        return make_smoothing_spline(x, values, lam=np.exp(log_penalty))(x)

    def trace(log_penalty: float) -> float:
        return sum(fit(log_penalty, unit)[i] for i, unit in enumerate(np.eye(8)))

    penalty = brentq(lambda a: trace(a) - 3.5, -15, 15, xtol=1e-12)
    np.testing.assert_allclose(smooth_natural_cubic(x, y, df=3.5), fit(penalty, y), atol=1e-7)


def test_weights_and_the_adaptive_procedure_are_those_of_r() -> None:
    d, r = case("p_adjust")
    for mine, name in (
        (weighted_bh(d["p"], d["weight"]), "weighted_BH"),
        (weighted_bonferroni(d["p"], d["weight"]), "weighted_bonferroni"),
        (storey_q(d["p"], pi0="adaptive")[0], "storey_adaptive_BH"),
    ):
        np.testing.assert_allclose(mine, numbers(r["adjusted"][name]), rtol=1e-12, err_msg=name)
    assert storey_q(d["p"], pi0="adaptive")[1] == pytest.approx(r["pi0_storey_half"], rel=1e-12)


@pytest.mark.parametrize(("within", "suffix"), [("bh", ""), ("holm", "_holm")])
def test_families_are_selected_as_in_the_paper(within: Any, suffix: str) -> None:
    d, r = case("fdr_hierarchical")
    codes = pd.factorize(d["family"])[0].astype(np.intp)
    found = hierarchical_q(d["p"], codes, level=r["q"], within=within)
    np.testing.assert_allclose(found.simes, r["simes"], rtol=1e-12)
    np.testing.assert_allclose(found.simes_adjusted, r["simes_bh"], rtol=1e-12)
    assert found.selected.tolist() == r["selected"]
    theirs = numbers(r["q_bb" + suffix])
    np.testing.assert_allclose(found.q, np.where(np.isnan(theirs), 1.0, theirs), rtol=1e-12)
    assert (found.q <= r["q"]).tolist() == r["rejected" + suffix]


def test_what_is_missing_is_no_question() -> None:
    p = np.array([0.001, np.nan, 0.2, 0.9])
    present = ~np.isnan(p)
    for whole, part in (
        (storey_q(p, pi0=0.7)[0], storey_q(p[present], pi0=0.7)[0]),
        (weighted_bh(p, [1, 9, 1, 2]), weighted_bh(p[present], [1, 1, 2])),
        (hierarchical_q(p, np.array([0, 0, 1, 1])).q, hierarchical_q(p[present], np.array([0, 1, 1])).q),
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
        found = hierarchical_q(p, codes, level=0.1)
        rejected = found.q <= 0.1
        by_family = [(rejected & (codes == f)).sum() for f in np.flatnonzero(found.selected)]
        wrong = np.flatnonzero(found.selected) >= 4
        inside = [bool(count and bad) for count, bad in zip(by_family, wrong, strict=True)]
        false["bb"][i] = np.mean(inside) if inside else 0.0
    for name, rate in false.items():
        assert rate.mean() < 0.1 + 3 * rate.std() / 20, name
    assert false["q"].mean() > 0.1 - 4 * false["q"].std() / 20
    assert 0.75 < share.mean() < 0.9


def test_bad_input_is_named() -> None:
    with pytest.raises(EstimateError, match=r"p\[1\] is 1.2, not between 0 and 1"):
        storey_q([0.1, 1.2])
    with pytest.raises(EstimateError, match="pi0='lasso' is none of 'bootstrap'"):
        storey_q([0.1], pi0="lasso")  # type: ignore[arg-type]
    with pytest.raises(EstimateError, match="not above 0 and at most 1"):
        storey_q([0.1], pi0=0.0)
    with pytest.raises(EstimateError, match="one number >= 0 for each"):
        weighted_bh([0.1, 0.2], [1, -1])
    with pytest.raises(EstimateError, match="all weights are 0"):
        weighted_bonferroni([0.1, 0.2], [0, 0])
    with pytest.raises(EstimateError, match="1 family codes for 2 p-values"):
        hierarchical_q([0.1, 0.2], np.array([0]))
    with pytest.raises(EstimateError, match="neither 'bh' nor 'holm'"):
        hierarchical_q([0.1], np.array([0]), within="by")  # type: ignore[arg-type]
    with pytest.raises(EstimateError, match="level=1 is not between 0 and 1"):
        hierarchical_q([0.1], np.array([0]), level=1)
    with pytest.raises(EstimateError, match="0 selected of 9"):
        fcr_level(0, 9)
