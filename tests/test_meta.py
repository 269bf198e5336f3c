"""Imports RandomEffects from the inside, as a type alone.

Random effects against metafor 3.8.1 (R 4.2.2), against the definitions, and at the
edges.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from causalgia.estimation._random_effects import random_effects

HERE = Path(__file__).parent / "reference"


@given(
    st.integers(0, 10_000),
    st.sampled_from(["REML", "ML", "DL", "PM", "FE"]),
    st.booleans(),
)
def test_a_diagonal_covariance_is_its_variances(
    seed: int, method: Any, knapp_hartung: bool
) -> None:
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.1, 2, size=9)
    y, x = rng.normal(size=9) * rng.choice([0.1, 1, 10]), rng.normal(size=9)
    one = random_effects(y, v, covariates=x, method=method, knapp_hartung=knapp_hartung)
    other = random_effects(
        y,
        covariance=np.diag(v),
        covariates=x,
        method=method,
        knapp_hartung=knapp_hartung,
    )
    for name in (
        "tau2",
        "tau2_se",
        "beta",
        "se",
        "blup",
        "blup_se",
        "prediction_upper",
        "I2",
        "tau2_upper",
    ):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-8, err_msg=name
        )


@given(st.integers(0, 10_000))
def test_no_other_tau2_is_likelier(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(3, 12))
    v = np.exp(rng.normal(size=k) * 2)
    y = rng.normal(size=k) * np.sqrt(v + np.exp(2 * rng.normal()))
    mine = random_effects(y, v)

    def likelihood(tau2: float) -> float:
        w = 1 / (v + tau2)
        r = y - (w * y).sum() / w.sum()
        return float(np.log(w).sum() - np.log(w.sum()) - (w * r**2).sum())

    best = likelihood(mine.tau2)
    assert all(likelihood(t) <= best + 1e-9 for t in [0, *np.geomspace(1e-6, 1e6, 200)])


@pytest.mark.simulation
def test_coverage_of_knapp_hartung_is_nominal() -> None:
    """1,000 meta-analyses of 10 effects with equal errors, where its t is exact given
    tau2 > 0.
    """
    rng = np.random.default_rng(12)
    hits = 0
    for _ in range(1_000):
        y = 1 + rng.normal(size=10) * np.sqrt(2.0)
        fit = random_effects(y, np.ones(10), method="DL", knapp_hartung=True)
        hits += bool(fit.lower[0] <= 1 <= fit.upper[0])
    assert abs(hits / 1_000 - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 1_000)


def test_equal_effects_have_no_spread() -> None:
    mine = random_effects([1.0, 1.0, 1.0], [0.5, 1.0, 2.0], knapp_hartung=True)
    assert (mine.tau2, mine.I2) == (0.0, 0.0)
    assert 0 <= mine.Q < 1e-28  # the square of a rounding
    assert np.isfinite(mine.statistic).all()
    np.testing.assert_allclose(mine.blup, 1.0)


@pytest.mark.parametrize("method", ["REML", "ML", "DL", "PM", "FE"])
@pytest.mark.parametrize("knapp_hartung", [False, True])
def test_effects_below_zero_are_those_above_it_mirrored(
    method: Any, knapp_hartung: bool
) -> None:
    table = pd.read_csv(HERE / "random_effects" / "input.csv")
    sizes = table.ace.abs() + 1.0
    up, down = (
        random_effects(
            sign * sizes, table.variance, method=method, knapp_hartung=knapp_hartung
        )
        for sign in (1, -1)
    )
    assert up.beta[0] > 0
    for one, other in (
        ("beta", "beta"),
        ("statistic", "statistic"),
        ("blup", "blup"),
        ("fitted", "fitted"),
    ):
        np.testing.assert_allclose(getattr(down, one), -getattr(up, other), rtol=1e-9)
    for name in ("", "prediction_", "blup_"):
        np.testing.assert_allclose(
            getattr(down, name + "lower"), -getattr(up, name + "upper"), rtol=1e-9
        )
    for name in (
        "p",
        "se",
        "tau2",
        "tau2_lower",
        "tau2_upper",
        "Q",
        "Q_p",
        "H2",
        "I2",
        "blup_se",
    ):
        np.testing.assert_allclose(
            getattr(down, name), getattr(up, name), rtol=1e-7, err_msg=name
        )


def test_equal_effects_have_no_heterogeneity() -> None:
    found = random_effects(np.zeros(3), [0.1, 0.2, 0.3])
    assert (found.Q, found.I2, found.tau2) == (0, 0, 0)
    assert found.p[0] == pytest.approx(1)


@pytest.mark.parametrize("covariates", [0, 1])
@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize("method", ["REML", "ML", "DL", "PM", "FE"])
@pytest.mark.parametrize("knapp_hartung", [False, True])
def test_every_number_is_that_of_dense_matrices(
    method: Any, correlated: bool, covariates: int, knapp_hartung: bool
) -> None:
    """tau2 by its own equation, then everything from V + tau2 I and the projection P by
    the textbook.
    """
    rng = np.random.default_rng(3)
    k = 9
    root = rng.normal(size=(k, k)) * 0.15 if correlated else np.zeros((k, k))
    V = np.diag(rng.uniform(0.2, 0.9, k)) + root @ root.T
    X = np.column_stack([np.ones(k), rng.normal(size=(k, covariates))])
    y = X.sum(axis=1) + rng.normal(0, 2.5, k)
    given: dict[str, Any] = (
        {"covariance": V} if correlated else {"variance": np.diagonal(V)}
    )
    given["covariates"] = X[:, 1:] if covariates else None
    found = random_effects(y, method=method, knapp_hartung=knapp_hartung, **given)
    p = X.shape[1]

    def projection(tau2: float) -> np.ndarray:
        W = np.linalg.inv(V + tau2 * np.eye(k))
        return np.asarray(W - W @ X @ np.linalg.inv(X.T @ W @ X) @ X.T @ W)

    tau2, P, P0 = found.tau2, projection(found.tau2), projection(0.0)
    W = np.linalg.inv(V + tau2 * np.eye(k))
    slack = {
        "REML": y @ P @ P @ y - np.trace(P),
        "ML": y @ P @ P @ y - np.trace(W),
        "DL": (y @ P0 @ y - (k - p)) / np.trace(P0) - tau2,
        "PM": y @ P @ y - (k - p),
        "FE": tau2,
    }[method]
    assert slack == pytest.approx(0, abs=1e-8)
    assert (tau2 > 0) == (method != "FE")
    covariance = np.linalg.inv(X.T @ W @ X)
    beta = covariance @ X.T @ W @ y
    cov = covariance * (y @ P @ y / (k - p) if knapp_hartung else 1.0)
    law = stats.t(k - p) if knapp_hartung else stats.norm()
    se = np.sqrt(np.diagonal(cov))
    np.testing.assert_allclose(found.beta, beta, rtol=1e-8)
    np.testing.assert_allclose(found.se, se, rtol=1e-8)
    np.testing.assert_allclose(found.p, 2 * law.sf(np.abs(beta / se)), rtol=1e-7)
    half = law.ppf(0.975)
    np.testing.assert_allclose(
        [found.lower, found.upper], [beta - half * se, beta + half * se], rtol=1e-7
    )
    trace2, of_fixed = np.trace(P @ P), np.trace(P0 @ P0)
    se2 = {
        "REML": np.sqrt(2 / trace2),
        "ML": np.sqrt(2 / np.trace(W @ W)),
        "DL": np.sqrt(2 * (k - p) + 4 * tau2 * np.trace(P0) + 2 * tau2**2 * of_fixed)
        / np.trace(P0),
        "PM": np.sqrt(2 * k**2 / (k - p)) / np.trace(W),
        "FE": 0.0,
    }[method]
    assert found.tau2_se == pytest.approx(se2, rel=1e-7)
    Q = y @ P0 @ y
    assert (found.Q, found.Q_df, found.Q_p) == pytest.approx(
        (Q, k - p, stats.chi2.sf(Q, k - p)), rel=1e-8
    )
    for end, share in ((found.tau2_lower, 0.025), (found.tau2_upper, 0.975)):
        at, target = y @ projection(end) @ y, stats.chi2.isf(share, k - p)
        assert at == pytest.approx(target, rel=1e-8) if end > 0 else at <= target
    H2 = Q / (k - p) if method == "FE" else tau2 * np.trace(P0) / (k - p) + 1
    assert pytest.approx((H2, max(0.0, 100 * (1 - 1 / H2))), rel=1e-8) == (
        found.H2,
        found.I2,
    )
    spread = np.sqrt(np.diagonal(X @ cov @ X.T) + tau2)
    np.testing.assert_allclose(
        found.prediction_lower, X @ beta - half * spread, rtol=1e-7
    )
    np.testing.assert_allclose(
        found.prediction_upper, X @ beta + half * spread, rtol=1e-7
    )
    blup = X @ beta + tau2 * W @ (y - X @ beta)
    D = X - tau2 * W @ X
    blup_se = np.sqrt(np.diagonal(tau2 * W @ V) + np.diagonal(D @ cov @ D.T))
    np.testing.assert_allclose(found.blup, blup, rtol=1e-7)
    np.testing.assert_allclose(found.blup_se, blup_se, rtol=1e-7)
    np.testing.assert_allclose(found.blup_lower, blup - half * blup_se, rtol=1e-7)
    np.testing.assert_allclose(found.blup_upper, blup + half * blup_se, rtol=1e-7)


@pytest.mark.parametrize("method", ["REML", "ML", "DL", "PM"])
@pytest.mark.parametrize("unit", [1e-20, 1e20])
def test_another_unit_of_the_effects_changes_the_unit_alone(
    method: Any, unit: float
) -> None:
    y, v = np.array([1.0, 3.0, -2.0, 5.0, 0.5]), np.array([0.5, 1.0, 0.7, 0.4, 2.0])
    here, there = (random_effects(y * u, v * u**2, method=method) for u in (1.0, unit))
    for name, power in (
        ("tau2", 2),
        ("tau2_se", 2),
        ("tau2_lower", 2),
        ("tau2_upper", 2),
        ("I2", 0),
        ("Q_p", 0),
    ):
        assert getattr(there, name) == pytest.approx(
            getattr(here, name) * unit**power, rel=1e-6
        )
    np.testing.assert_allclose(there.blup_se, here.blup_se * unit, rtol=1e-6)


@pytest.mark.parametrize(("method", "ddof"), [("REML", 1), ("ML", 0)])
def test_a_heterogeneity_just_above_zero_is_the_variance_of_the_effects_less_that_of_their_errors(
    method: Any, ddof: int
) -> None:
    y = np.array([-1.0, 1.0, 0.0, 2.0, -2.0])
    y *= np.sqrt((1 + 3e-7) / y.var(ddof=ddof))
    assert random_effects(y, np.ones(5), method=method).tau2 == pytest.approx(
        3e-7, rel=1e-6
    )


@pytest.mark.parametrize("method", ["REML", "ML"])
def test_of_two_maxima_of_the_likelihood_the_higher_one_is_taken(method: Any) -> None:
    v = np.array([10.0, 10.0, 10.0, 0.1, 0.1, 1.0, 0.1, 10.0, 0.01])
    y = np.array([0.9, -3.1, -10.5, 0.2, -0.1, 0.7, 0.7, -15.6, 0.0])

    def deviance(tau2: float) -> float:
        V, X = np.diag(v + tau2), np.ones((9, 1))
        information = X.T @ np.linalg.solve(V, X)
        r = y - X @ np.linalg.solve(information, X.T @ np.linalg.solve(V, y))
        restricted = np.linalg.slogdet(information)[1] if method == "REML" else 0.0
        return float(r @ np.linalg.solve(V, r) + np.linalg.slogdet(V)[1] + restricted)

    tau2 = np.array([0.0, *np.geomspace(1e-4, 1e3, 701)])
    at = np.array([deviance(t) for t in tau2])
    lower = np.flatnonzero((at < np.r_[np.inf, at[:-1]]) & (at < np.r_[at[1:], np.inf]))
    assert len(lower) == 2
    found = random_effects(y, v, method=method).tau2
    assert found == pytest.approx(tau2[at.argmin()], rel=0.02)
    assert deviance(found) <= at.min() + 1e-12


TWO_MAXIMA = (
    ("REML", [0.01, 0.01, 4.5782, 4.5782, 4.5782], [-0.2, 0.2, 5.6, -4.0, -1.8]),
    ("ML", [0.0014, 0.0014, 7.4568, 7.4568, 7.4568], [0.3, 0.1, -3.9, -1.2, -9.4]),
    ("ML", [0.0024] * 2 + [8.5314] * 6, [0.0, -0.1, -14.5, 1.3, -5.7, -1.1, 5.6, 6.8]),
    ("ML", [0.0018] * 4 + [12.2632] * 4, [0.1, 0.0, -0.1, -0.1, -3.2, 6.5, -5.9, 18.3]),
    (
        "ML",
        [0.0006] * 5 + [967.9195] * 3,
        [-3.1, 0.3, -1.6, 2.5, -2.8, 148.6, -58.7, 19.7],
    ),
    (
        "ML",
        [0.0001] * 2 + [855.0076] * 5,
        [-1.5, -1.2, 55.1, -69.6, -190.5, 44.2, -87.5],
    ),
    ("ML", [0.002] * 2 + [581.7013] * 5, [0.0, -0.1, -87.5, 40.1, 37.5, -151.5, -84.2]),
    ("ML", [0.0409] * 2 + [11.2283] * 2, [-3.2, -2.2, 10.7, -6.9]),
    ("REML", [0.0042] * 4 + [1.6409], [-0.1, 0.0, 0.1, 0.0, -4.9]),
)


@pytest.mark.parametrize(("method", "variance", "effect"), TWO_MAXIMA)
def test_the_higher_of_two_maxima_between_precise_and_vague_effects_is_taken(
    method: Any, variance: list[float], effect: list[float]
) -> None:
    y, tau2 = np.array(effect), np.geomspace(1e-6, 1e5, 20_001)
    w = 1 / (np.array(variance) + tau2[:, None])
    left = y - ((w * y).sum(axis=1) / w.sum(axis=1))[:, None]
    likelihood = (np.log(w).sum(axis=1) - (w * left**2).sum(axis=1)) / 2
    likelihood -= np.log(w.sum(axis=1)) / 2 if method == "REML" else 0
    maxima = 1 + np.flatnonzero(
        (likelihood[1:-1] > likelihood[:-2]) & (likelihood[1:-1] >= likelihood[2:])
    )
    assert len(maxima) == 2
    best = tau2[maxima[likelihood[maxima].argmax()]]
    assert random_effects(y, variance, method=method).tau2 == pytest.approx(
        best, rel=2e-3
    )


@pytest.mark.parametrize("unit", [1e-9, 1e9])
def test_another_unit_of_a_covariate_changes_its_slope_alone(unit: float) -> None:
    rng = np.random.default_rng(0)
    x, y, v = rng.normal(5, 1, 12), rng.normal(size=12), rng.uniform(0.1, 1, 12)
    here, there = (
        random_effects(y, v, covariates=x),
        random_effects(y, v, covariates=unit * x),
    )
    np.testing.assert_allclose(there.beta * [1, unit], here.beta, rtol=1e-6)
    np.testing.assert_allclose(there.fitted, here.fitted, rtol=1e-6)
    assert there.tau2 == pytest.approx(here.tau2, rel=1e-6)
