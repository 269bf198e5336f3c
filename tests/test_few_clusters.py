"""Imports regress from the inside: proofs of the kernel alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.analysis import Analysis
from causalgia.errors import EstimateError
from causalgia.estimation import estimate
from causalgia.estimation.standard_errors import regress
from causalgia.multiplicity import simultaneous

K = 12


def effects_of(ice: np.ndarray, **coords: Any) -> xr.Dataset:
    names = {"contrast": [f"c{i}" for i in range(ice.shape[1])], "task": ["t0"]}
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[:, :, None])}, coords=names | coords
    )


def normal(n_clusters: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(
        rng.normal(size=(n_clusters, K)) + rng.normal(size=(n_clusters, 1)) + 0.3
    )


def test_bonferroni_by_families_of_estimates() -> None:
    table = estimate(effects_of(normal(30), motif=("contrast", ["a"] * 4 + ["b"] * 8)))
    critical = (
        simultaneous(table, method="bonferroni", family="motif")["critical"]
        .to_numpy()
        .ravel()
    )
    np.testing.assert_allclose(
        critical, stats.t.isf(0.025 / np.repeat([4, 8], [4, 8]), 29), rtol=1e-12
    )


def test_a_plan_that_allows_no_false_verdict_takes_holm_below_20_clusters() -> None:
    arms = np.column_stack([np.zeros(8), normal(8)[:, :3]])
    outcomes = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), arms[:, :, None])},
        coords={
            "unit": np.arange(8),
            "arm": ["control", "a", "b", "c"],
            "task": ["t0"],
        },
    )
    ask = Analysis(control="control", rope=0, error="fwer")
    found = cg.analyze(outcomes, ask)
    expected = cg.decide(
        estimate(cg.contrast(outcomes, control="control")),
        rope=0,
        error="fwer",
        shrink=None,
    )
    assert "band" not in found.attrs
    np.testing.assert_array_equal(found["q"], expected["q"])


@pytest.mark.parametrize("clustered", [False, True])
def test_a_regression_is_that_of_dense_matrices(clustered):
    """Estimate, sandwich and Satterthwaite df by N x N matrices: H, (I - H_gg)^(-1/2)
    and P = A (I - H) A'.
    """
    rng = np.random.default_rng(0)
    n = 18
    X = np.column_stack([np.ones(n), 1e6 * rng.normal(size=n), np.arange(n) % 3 == 0])
    Y, c = rng.normal(size=(n, 2)) + 7, np.array([1.0, 0.0, 1.0])
    codes = np.sort(rng.integers(0, 6, n)) if clustered else np.arange(n)
    codes = np.unique(codes, return_inverse=True)[1]
    found = regress(X, Y, c, codes if clustered else None)
    inverse = np.linalg.inv(X.T @ X)
    H = X @ inverse @ X.T
    beta = inverse @ X.T @ Y
    G, rows = codes.max() + 1, []
    for g in range(G):
        here = codes == g
        value, vector = np.linalg.eigh(np.eye(here.sum()) - H[np.ix_(here, here)])
        root = (vector * value**-0.5) @ vector.T
        rows.append(c @ inverse @ X[here].T @ root @ (np.eye(n) - H)[here])
    P = np.array(rows) @ np.array(rows).T
    factor = np.array(rows) @ Y
    np.testing.assert_allclose(found.beta, beta, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.estimate, c @ beta, rtol=1e-8)
    np.testing.assert_allclose(found.se, np.sqrt((factor**2).sum(axis=0)), rtol=1e-7)
    np.testing.assert_allclose(found.influence, factor, rtol=1e-6, atol=1e-9)
    assert found.df == pytest.approx(np.trace(P) ** 2 / np.trace(P @ P), rel=1e-8)
    assert found.df_residual == n - 3


@pytest.mark.parametrize("n", [12, 4_000])
def test_a_column_is_determined_by_others_below_1e_10_of_its_size_whatever_the_number_of_units(
    n,
):
    wiggle = np.where(np.arange(n) % 2, 1.0, -1.0)
    y = np.random.default_rng(n).normal(size=(n, 1))
    for part, refused in [(1e-8, False), (3e-10, False), (3e-11, True)]:
        X = np.column_stack([np.ones(n), 1 + part * wiggle])
        if refused:
            with pytest.raises(EstimateError):
                regress(X, y, np.array([0.0, 1.0]))
        else:
            slope = regress(X, y, np.array([0.0, 1.0])).estimate * part
            np.testing.assert_allclose(slope, (wiggle @ y) / n, rtol=1e-4)
