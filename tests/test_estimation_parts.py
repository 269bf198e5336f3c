# Imports from the inside: parts of the estimators, against formulas of textbooks.
"""Parts of the estimators: each against loops, root finders and formulas of the
textbook in numpy and scipy.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import optimize, stats

from causalgia.effect_table import hall_coefficient
from causalgia.errors import DegenerateWarning, EstimateError
from causalgia.estimation import covariance, estimate
from causalgia.estimation._helical_phase import (
    _wave_of_pair,
    trend_basis,
    unitwise_wave,
)
from causalgia.estimation.crossover import (
    _t_of_same_width,
    crossed_mean,
    crossed_variances,
    mean_ice,
    mean_of_cluster_means,
    next_level,
    sqrt_ratio,
    stratified_mean,
)
from causalgia.estimation.crossover_estimates import check_distinct_predictors
from causalgia.estimation.given_effects import (
    task_columns,
    task_columns_of,
    with_given_correlation,
)
from causalgia.estimation.lines import errors_in_both
from causalgia.estimation.moderation import check_rank
from causalgia.estimation.ratios import fieller
from causalgia.estimation.request import (
    Grouping,
    check_clusters,
    rescale,
)
from causalgia.numerics.moments import transformed, untransformed
from causalgia.numerics.row_blocks import sums_in_random_groups

EFFECT = ("contrast", "task")


# skewness


@pytest.mark.parametrize("a", [-2.0, -0.3, -1e-9, 0.0, 1e-13, 1e-5, 0.4, 3.0])
def test_the_transformed_t_is_its_polynomial_and_its_inverse_a_root(a: float) -> None:
    t = np.array([-8.0, -2.0, -0.1, 0.0, 0.7, 3.0, 9.0])
    near = np.clip(t, -4, 4)
    polynomial = near + a * near**2 / 3 + a**2 * near**3 / 27 + a / 6 + (t - near)
    np.testing.assert_allclose(
        transformed(t, np.array(a)), polynomial, rtol=1e-12, atol=1e-15
    )
    np.testing.assert_allclose(
        transformed(-t, np.array(-a)), -polynomial, rtol=1e-12, atol=1e-15
    )
    for x in (-6.0, -1.0, 0.0, 0.4, 5.0):
        root = optimize.brentq(
            lambda t, x=x: transformed(t, a).item() - x,
            -500,
            500,
            xtol=1e-13,
        )
        assert untransformed(np.array(x), np.array(a)).item() == pytest.approx(
            root, abs=1e-5
        )


def test_the_coefficient_of_skewness_is_that_over_the_root_of_independent_contributions() -> (
    None
):
    table = xr.Dataset(
        {"ace": (EFFECT, [[0.0, 0.0]]), "skewness": (EFFECT, [[3.0, -6.0]])}
    )
    with pytest.raises(EstimateError):
        hall_coefficient(table)
    assert hall_coefficient(table.drop_vars("skewness")).tolist() == [[0, 0]]
    table["n_units"] = ("task", [36, 9])
    np.testing.assert_allclose(hall_coefficient(table), [[0.5, -2.0]])
    table["n_clusters"] = ("task", [9, 1])
    np.testing.assert_allclose(hall_coefficient(table), [[1.0, -6.0]])
    for target, known in (
        ("population", 1),
        ("parents", 1),
        ("next predictor", 0),
    ):
        assert bool(hall_coefficient(table.assign_attrs(target=target)).any()) == known
    np.testing.assert_allclose(
        hall_coefficient(table.transpose("task", "contrast")), [[1.0], [-6.0]]
    )


# numbers beyond squares


@pytest.mark.parametrize("name", ["ice", "outcome"])
def test_tasks_of_huge_or_tiny_numbers_are_divided_by_powers_of_two(name: str) -> None:
    values = (
        np.random.default_rng(0).normal(size=(5, 3, 4, 2))
        * np.array([1.0, 1e150, -1e-150, 0.0])[:, None]
    )
    dims = ("unit", "contrast" if name == "ice" else "arm", "task", "model")
    effects = xr.Dataset(
        {name: (dims, values), "rounding": (dims[1:], np.ones((3, 4, 2)))}
    )
    found, exponents = rescale(effects)
    assert exponents[[0, 3]].tolist() == [0, 0]
    np.testing.assert_array_equal(
        found[name] * 2.0 ** exponents.astype(float)[:, None], values
    )
    peak = np.abs(found[name].to_numpy()).max(axis=(0, 1, 3))
    assert ((peak[1:3] >= 0.5) & (peak[1:3] < 1)).all()
    np.testing.assert_array_equal(
        found["rounding"][0, :, 0], 2.0 ** -exponents.astype(float)
    )
    # the largest is below 0, in one alone
    uneven = values * np.where(np.arange(3) == 1, -8.0, 0.1)[:, None, None]
    uneven[:, 1] = -np.abs(uneven[:, 1])
    peak = np.abs(rescale(xr.Dataset({name: (dims, uneven)}))[0][name].to_numpy()).max(
        axis=(0, 1, 3)
    )
    assert ((peak[1:3] >= 0.5) & (peak[1:3] < 1)).all()
    for factor, moved in ((1e-99, False), (1e-101, True), (1e99, False), (1e101, True)):
        one = xr.Dataset({name: (dims, np.full((2, 1, 1, 1), -factor))})
        assert rescale(one)[1].any() == moved


@pytest.mark.parametrize("by_model", [False, True])
def test_estimates_of_huge_and_tiny_tasks_are_those_of_plain_ones_in_their_unit(
    by_model: bool,
) -> None:
    ice = np.random.default_rng(0).normal(size=(9, 3, 2, *([2] if by_model else [])))
    unit = np.array([1e120, 1e-120]).reshape(2, *([1] if by_model else []))
    dims = ("unit", *EFFECT, *(["model"] if by_model else []))
    plain, scaled = (
        estimate(xr.Dataset({"ice": (dims, ice * u)}))
        for u in (np.ones_like(unit), unit)
    )
    for name, power in (
        ("ace", unit),
        ("se", unit),
        ("lower", unit),
        ("covariance", unit**2),
        ("p", 1),
        ("df", 1),
    ):
        np.testing.assert_allclose(scaled[name] / power, plain[name], rtol=1e-12)


# correlation between tasks


def test_correlations_between_tasks_are_of_the_rows_and_shared_covariances_of_all_pairs() -> (
    None
):
    factor = np.random.default_rng(0).normal(size=(30, 4, 3)) + np.random.default_rng(
        1
    ).normal(size=(30, 1, 3))
    factor[:, 2, 1] = 0.0
    found = task_columns(factor, list("abcd"), list("xyz"))
    correlation, shared = found["task_correlation"].to_numpy(), np.zeros((3, 3))
    for k, t, s in itertools.product(range(4), range(3), range(3)):
        one, other = factor[:, k, t], factor[:, k, s]
        size = np.sqrt((one @ one) * (other @ other))
        expected = 1.0 if t == s else (one @ other / size if size > 0 else 0.0)
        assert correlation[k, t, s] == pytest.approx(expected, abs=1e-6)
    for k, j in itertools.permutations(range(4), 2):
        shared += factor[:, k].T @ factor[:, j] / 12
    np.testing.assert_allclose(
        found["shared_covariance"], (shared + shared.T) / 2, atol=1e-12
    )
    alone = task_columns(factor[:, :1], ["a"], list("xyz"))
    assert (alone["shared_covariance"] == 0).all()
    np.testing.assert_allclose(alone["task_correlation"][0], correlation[0], atol=1e-6)


def test_correlations_are_kept_with_the_tasks_that_are_selected() -> None:
    factor = np.random.default_rng(0).normal(size=(30, 2, 3))
    names = {"contrast": ["a", "b"], "task": list("xyz")}
    table = xr.Dataset({"ace": (EFFECT, np.zeros((2, 3)))}, coords=names)
    by_rows = task_columns_of(table.assign(factor=(("cluster", *EFFECT), factor)))[
        "task_correlation"
    ]
    kept = table.assign(task_columns(factor, names["contrast"], names["task"]))
    for order in (["x", "y", "z"], ["z", "x"], ["y"]):
        found = task_columns_of(kept.sel(task=order))["task_correlation"]
        np.testing.assert_allclose(
            found, by_rows.sel(task=order, task_=order), atol=1e-6
        )
    parallel = table.assign(factor=(("cluster", *EFFECT), factor)).assign_attrs(
        assignment="parallel"
    )
    assert task_columns_of(parallel.assign_attrs(cluster="unit")) == {}
    assert set(task_columns_of(parallel.assign_attrs(cluster="parent"))) == {
        "task_correlation",
        "shared_covariance",
    }
    assert task_columns_of(table) == {}


def test_a_given_correlation_has_the_shape_and_the_names_of_the_effects() -> None:
    table = xr.Dataset(
        {"ace": (EFFECT, np.zeros((2, 3)))},
        coords={"contrast": ["a", "b"], "task": list("xyz")},
    )
    one = np.full((3, 3), 0.5) + 0.5 * np.eye(3)
    assert with_given_correlation(table, one)["task_correlation"].dims == (
        "task",
        "task_",
    )
    assert with_given_correlation(table, np.stack([one, one]))[
        "task_correlation"
    ].dims == (*EFFECT, "task_")
    with_given_correlation(table, np.ones((3, 3)))  # singular, and a correlation
    named = pd.DataFrame(one, index=list("xyz"), columns=list("xyz"))
    assert "task_correlation" in with_given_correlation(table, named)


# means over units, strata and levels


def test_a_stratified_mean_is_that_of_its_strata_one_by_one() -> None:
    rng = np.random.default_rng(0)
    stratum = np.repeat([0, 1, 2], [2, 5, 9])
    y, w = (
        rng.normal(size=(16, 2, 2)) * (stratum[:, None, None] + 1),
        np.array([0.5, 0.2, 0.3]),
    )
    found = stratified_mean(y, stratum, w)
    means, variances = (
        np.stack([f(y[stratum == p]) for p in range(3)])
        for f in (lambda v: v.mean(0), lambda v: v.var(0, ddof=1))
    )
    n, w = np.array([2, 5, 9])[:, None, None], w[:, None, None]
    np.testing.assert_allclose(found.ace, (w * means).sum(axis=0))
    parts = w**2 * variances / n
    np.testing.assert_allclose(found.se, np.sqrt(parts.sum(axis=0)))
    np.testing.assert_allclose(
        found.df, parts.sum(axis=0) ** 2 / (parts**2 / (n - 1)).sum(axis=0)
    )
    np.testing.assert_allclose((found.factor**2).sum(axis=0), found.se**2)


@pytest.mark.parametrize("clustered", [False, True])
def test_degrees_of_freedom_of_a_mean_are_those_of_the_residual_maker(
    clustered: bool,
) -> None:
    """Satterthwaite by the dense matrix of the scaled residuals, under independent
    errors of one variance.
    """
    rng, n = np.random.default_rng(1), 12
    codes = (
        rng.permutation(np.repeat([0, 1, 2, 3], [1, 2, 3, 6]))
        if clustered
        else np.arange(n)
    )
    y = rng.normal(size=(n, 3))
    G, share = codes.max() + 1, np.bincount(codes) / n
    scale = (1 - share) ** -0.5
    maker = (codes == np.arange(G)[:, None]) / n * scale[:, None] @ (np.eye(n) - 1 / n)
    found = mean_ice(y, codes if clustered else None)
    np.testing.assert_allclose(found.factor, maker @ y, atol=1e-12)
    np.testing.assert_allclose(found.se, np.sqrt(((maker @ y) ** 2).sum(axis=0)))
    P = maker @ maker.T
    np.testing.assert_allclose(found.df, np.trace(P) ** 2 / np.trace(P @ P))
    pieces = (maker @ y) ** 2
    np.testing.assert_allclose(
        found.leverage, (pieces / pieces.sum(axis=0)).max(axis=0)
    )


def test_clusters_that_count_once_each_are_a_paired_t_of_their_means() -> None:
    y, codes = (
        np.random.default_rng(2).normal(size=9),
        np.array([0, 0, 0, 0, 1, 2, 2, 3, 3]),
    )
    found, means = (
        mean_of_cluster_means(y, codes),
        np.array([y[codes == g].mean() for g in range(4)]),
    )
    assert found.ace == pytest.approx(means.mean())
    assert found.se == pytest.approx(means.std(ddof=1) / 2)
    assert found.df == pytest.approx(3)


@pytest.mark.parametrize(
    "spread", [(1.0, 1.0, 1.0), (0.01, 1.0, 1.0), (1.0, 0.01, 1.0), (0.01, 0.01, 1.0)]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_crossed_mean_is_the_analysis_of_variance_with_components_cut_at_0(
    spread: tuple[float, ...], seed: int
) -> None:
    rng, n, M = np.random.default_rng(seed), 8, 4
    of_units, of_levels = (
        rng.normal(size=(n, 1)) * spread[0],
        rng.normal(size=(1, M)) * spread[1],
    )
    y = 3 + of_units + of_levels + rng.normal(size=(n, M)) * spread[2]
    rows, columns = y.mean(axis=1), y.mean(axis=0)
    left = y - rows[:, None] - columns + y.mean()
    ms_u, ms_m = M * rows.var(ddof=1), n * columns.var(ddof=1)
    ms_e = (left**2).sum() / ((n - 1) * (M - 1))
    s2_u, s2_m = max((ms_u - ms_e) / M, 0), max((ms_m - ms_e) / n, 0)
    found = crossed_mean(y)
    assert found.ace == pytest.approx(y.mean())
    assert found.se == pytest.approx(np.sqrt(s2_u / n + s2_m / M + ms_e / (n * M)))
    # the variance as a sum of mean squares with signs: those that enter, each with its
    # degrees of freedom
    signs = np.array(
        [float(s2_u > 0), float(s2_m > 0), 1 - float(s2_u > 0) - float(s2_m > 0)]
    )
    parts = signs * np.array([ms_u, ms_m, ms_e]) / (n * M)
    assert parts.sum() == pytest.approx(found.se**2)
    assert found.df == pytest.approx(
        parts.sum() ** 2 / (parts**2 / [n - 1, M - 1, (n - 1) * (M - 1)]).sum()
    )
    assert (found.factor**2).sum() == pytest.approx(found.se**2)


PARTS = [
    (1.0, 1.0, 1.0, 0.5, 1.0),
    (0.0, 1.0, 0.0, 0.0, 2.0),
    (1.0, 0.0, 0.3, 0.0, 1.0),
]


def crossed_table(
    rng: np.random.Generator, codes: np.ndarray, n_levels: int, sds: Any, *more: int
) -> np.ndarray:
    """Draw effects with the sd of clusters, units, levels, clusters by levels, rest."""
    n, G = len(codes), codes.max() + 1
    shapes = [(G, 1), (n, 1), (1, n_levels), (G, n_levels), (n, n_levels)]
    cluster, unit, level, both, rest = (
        sd * rng.normal(size=(*shape, *more))
        for sd, shape in zip(sds, shapes, strict=True)
    )
    return cluster[codes] + unit + level + both[codes] + rest


@pytest.mark.parametrize("sds", PARTS)
@pytest.mark.parametrize("size", [1, 3])
def test_variances_of_a_crossed_table_are_those_of_restricted_likelihood(
    sds: tuple[float, ...], size: int
) -> None:
    """Its slope, by dense matrices, is 0 at variances above 0 and falls beyond those of
    0; standard errors are of its average information.
    """
    n, M = 18, 4
    codes = np.arange(n) // size
    one, draws = np.full((n * M, 1), (n * M) ** -0.5), [np.arange(n), np.zeros(n, int)]
    unit, none = (np.eye(k.max() + 1)[k] for k in draws)
    cluster, level = np.eye(n // size)[codes], np.eye(M)
    pairs = [(cluster, 1), (unit, 1), (none, 0), (cluster, 0), (unit, 0)]
    Zs = [
        np.kron(rows, np.ones((M, 1)) if together else level)
        for rows, together in (pairs if size > 1 else [pairs[i] for i in (1, 2, 4)])
    ]
    bounded = 0
    for seed in range(6):
        y = crossed_table(np.random.default_rng(seed), codes, M, sds)
        variance, se = crossed_variances(y, codes)
        W = np.linalg.inv(sum(v * Z @ Z.T for v, Z in zip(variance, Zs, strict=True)))
        P = W - W @ one @ np.linalg.solve(one.T @ W @ one, one.T @ W)
        u = P @ y.ravel()
        traces = np.array([np.trace(Z.T @ P @ Z) for Z in Zs])
        slope = np.array([u @ Z @ Z.T @ u for Z in Zs]) / traces - 1
        at_bound = variance == 0
        bounded += at_bound.sum()
        assert (np.abs(slope[~at_bound]) < 1e-8).all()
        assert (slope[at_bound] < 0).all()
        parts = np.column_stack([Z @ Z.T @ u for Z in Zs])
        information = parts.T @ P @ parts / 2
        covariance = np.linalg.inv(information)
        np.testing.assert_allclose(se, np.sqrt(np.diagonal(covariance)), rtol=1e-6)
    assert bounded > 0 or sds == PARTS[0]


def test_variances_of_a_crossed_table_where_nothing_varies() -> None:
    variance, se = crossed_variances(np.full((10, 3), 2.5))
    assert (variance == 0).all()
    assert (se == 0).all()
    u = np.random.default_rng(0).normal(size=40)
    twins, se = crossed_variances(np.repeat(u[:, None], 3, axis=1))
    assert twins.tolist() == [pytest.approx(u.var(ddof=1)), 0, 0]
    assert se.tolist() == [pytest.approx(u.var(ddof=1) * np.sqrt(2 / 39)), 0, 0]
    alike = crossed_variances(1e6 + 1e-3 * u.reshape(10, 4))[0]
    np.testing.assert_allclose(
        alike, 1e-6 * crossed_variances(u.reshape(10, 4))[0], rtol=1e-5
    )


@pytest.mark.simulation
@pytest.mark.parametrize("sizes", ["single", "equal", "unequal"])
def test_variances_of_crossed_tables_are_right_on_average(sizes: str) -> None:
    """And so are their squared errors; unequal clusters count alike, without bias."""
    rng = np.random.default_rng(5)
    size = {"single": [1], "equal": [3], "unequal": [1, 2, 6]}[sizes]
    codes = np.repeat(np.arange(60), np.resize(size, 60))
    sds = (1.0, 1.0, 1.0, 1.0, 1.0) if len(codes) > 60 else (0.0, 1.0, 1.0, 0.0, 1.0)
    variance, se = crossed_variances(crossed_table(rng, codes, 8, sds, 400), codes)
    mcse = variance.std(axis=1) / np.sqrt(400)
    assert (np.abs(variance.mean(axis=1) - 1) < 4 * mcse).all()
    np.testing.assert_allclose(
        np.sqrt((se**2).mean(axis=1)), variance.std(axis=1), rtol=0.25
    )


def test_the_t_of_a_prediction_has_the_widths_of_its_parts_at_both_ends() -> None:
    one, df = np.array([1.0, 0.2, 4.0, 2.0]), np.array([1.0, 4.0, 2.0, 3.0])
    other, other_df = np.array([0.5, 3.0, 4.0, 0.0]), np.array([30.0, 2.0, 40.0, 9.0])
    scale, found = _t_of_same_width(one, df, other, other_df)
    for at in (0.95, 0.9995):
        width = np.sqrt(
            one * stats.t.ppf(at, df) ** 2 + other * stats.t.ppf(at, other_df) ** 2
        )
        np.testing.assert_allclose(scale * stats.t.ppf(at, found), width, rtol=1e-9)
    assert (scale[3], found[3]) == (np.sqrt(2.0), 3.0)


def test_the_next_level_misses_by_its_own_spread_and_that_of_shared_units() -> None:
    rng, n, J = np.random.default_rng(3), 20, 3
    y = (
        5
        + 2 * rng.normal(size=(n, 1))
        + rng.normal(size=(1, J))
        + 0.1 * rng.normal(size=(n, J))
    )
    found = next_level(y)
    rows, columns = y.mean(axis=1), y.mean(axis=0)
    left = y - rows[:, None] - columns + y.mean()
    s2_e = (left**2).sum() / ((n - 1) * (J - 1))
    s2_a = rows.var(ddof=1) - s2_e / J
    between, shared = (1 + 1 / J) * columns.var(ddof=1), (s2_a - s2_e) / n
    for at in (0.95, 0.9995):
        width = np.sqrt(
            between * stats.t.ppf(at, J - 1) ** 2 + shared * stats.t.ppf(at, n - 1) ** 2
        )
        assert found.se * stats.t.ppf(at, found.df) == pytest.approx(width)
    assert found.ace == pytest.approx(y.mean())
    assert (found.factor**2).sum() == pytest.approx(found.se**2)
    still = next_level(np.repeat(rng.normal(size=(9, 1)), 3, axis=1))
    assert still.se > 0


def test_predictors_are_one_network_where_all_their_numbers_agree() -> None:
    rng = np.random.default_rng(0)
    ice = rng.normal(size=(6, 2, 3))
    names = xr.Dataset(coords={"model": ["a", "b", "c"]})
    check_distinct_predictors(names, ice)
    first = ice.copy()
    first[0] = first[0, :, :1]  # the first unit alone agrees
    check_distinct_predictors(names, first)
    still = np.repeat(ice[:1], 6, axis=0)
    still[..., 1] = still[..., 0]  # nothing varies
    check_distinct_predictors(names, still)
    ice[..., 2] = ice[..., 0]
    with pytest.raises(EstimateError):
        check_distinct_predictors(names, ice)
    with pytest.raises(EstimateError):
        check_distinct_predictors(xr.Dataset(), ice)


# ratios


def test_limits_of_fieller_are_the_ratios_that_a_t_test_does_not_reject() -> None:
    rng = np.random.default_rng(0)
    n, d, df = (
        rng.normal(2, 1, 6),
        rng.choice([-1.0, 1.0], 6) * rng.uniform(1, 3, 6),
        np.array([5.0, 20.0, np.inf] * 2),
    )
    v_nn, v_dd = rng.uniform(0.01, 0.1, 6), rng.uniform(0.001, 0.05, 6)
    v_nd = rng.uniform(-0.9, 0.9, 6) * np.sqrt(v_nn * v_dd)
    lower, upper, opened = fieller(n, d, (v_nn, v_nd, v_dd), df, 0.9)
    assert not opened.any()
    for ends in (lower, upper):
        t = (n - ends * d) / np.sqrt(v_nn - 2 * ends * v_nd + ends**2 * v_dd)
        np.testing.assert_allclose(np.abs(t), stats.t.ppf(0.95, df), rtol=1e-9)
    assert (lower < n / d).all()
    assert (n / d < upper).all()


def test_a_root_of_a_share_is_0_where_there_is_nothing_to_share() -> None:
    np.testing.assert_allclose(
        sqrt_ratio(np.array([1.0, 0.0, 2.0]), np.array([4.0, 0.0, 2.0])),
        [0.5, 0.0, 1.0],
    )


# estimates of a crossover


def test_rows_of_a_factor_are_dealt_out_to_groups_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    factor = np.random.default_rng(0).normal(size=(17, 3, 2))
    monkeypatch.setattr("causalgia.numerics.row_blocks._LEAST_GROUPS", 4)
    for n_bytes, n in ((8 * 6 * 5, 5), (8 * 6 * 2, 4), (8 * 6 * 16, 16)):
        monkeypatch.setattr("causalgia.numerics.row_blocks._BYTES_OF_GROUPS", n_bytes)
        found = sums_in_random_groups(factor)
        np.testing.assert_allclose(found, [factor[g::n].sum(axis=0) for g in range(n)])
    for n_bytes in (8 * 6 * 17, 8 * 6 * 18):
        monkeypatch.setattr("causalgia.numerics.row_blocks._BYTES_OF_GROUPS", n_bytes)
        np.testing.assert_array_equal(sums_in_random_groups(factor), factor)


def test_covariances_from_a_factor_are_those_of_the_matrix_in_the_order_that_was_asked() -> (
    None
):
    ice = np.random.default_rng(0).normal(size=(9, 3, 2, 2))
    names = {"contrast": ["a", "b", "c"], "task": ["x", "y"], "model": ["m", "n"]}
    estimates = estimate(
        xr.Dataset({"ice": (("unit", *EFFECT, "model"), ice)}, coords=names)
    )
    expected = np.stack(
        [[np.cov(ice[:, :, t, m].T) / 9 for m in range(2)] for t in range(2)]
    )
    np.testing.assert_allclose(covariance(estimates), expected.transpose(2, 3, 0, 1))
    rows = (ice - ice.mean(axis=0)) / np.sqrt(9 * 8)
    thin = estimates.drop_vars(["covariance", "contrast_"]).assign(
        factor=(("cluster", *EFFECT, "model"), rows)
    )
    for asked in (None, "b", ["c", "a"]):
        one, other = covariance(estimates, asked), covariance(thin, asked)
        np.testing.assert_allclose(one, other, atol=1e-14)
        assert (
            other["contrast"].values.tolist()
            == one["contrast"].values.tolist()
            == other["contrast_"].values.tolist()
        )


@pytest.mark.parametrize("unit", [1.0, 1e-170, 1e170])
def test_the_sd_of_the_control_over_predictors_is_the_root_of_their_mean_square(
    unit: float,
) -> None:
    rng = np.random.default_rng(0)
    ice, sd = rng.normal(size=(9, 2, 2, 3)), rng.uniform(1, 3, size=(2, 2, 3))
    sd[1, 1] = 0.0
    effects = xr.Dataset(
        {
            "ice": (("unit", *EFFECT, "model"), ice),
            "control_sd": ((*EFFECT, "model"), unit * sd),
        }
    )
    found = estimate(effects, target="population x predictors")
    np.testing.assert_allclose(
        found["control_sd"] / unit, np.sqrt((sd**2).mean(axis=2))
    )
    assert found.attrs["n_levels"] == 3
    each = estimate(effects)
    np.testing.assert_allclose(each["control_sd"] / unit, sd)
    assert "n_levels" not in each.attrs


@pytest.mark.parametrize(
    "still",
    [
        1,
        2,
    ],
)
def test_contrasts_that_do_not_vary_are_counted(still: int) -> None:
    ice = np.random.default_rng(0).normal(size=(40, 3, 1))
    ice[:, :still] = 2.0
    with pytest.warns(
        DegenerateWarning,
    ):
        found = estimate(xr.Dataset({"ice": (("unit", *EFFECT), ice)}))
    assert found["exact"].values.ravel().tolist() == [k < still for k in range(3)]
    two = np.concatenate([ice, ice], axis=2)
    with pytest.warns(
        DegenerateWarning,
    ):
        estimate(xr.Dataset({"ice": (("unit", *EFFECT), two)}))
    with pytest.warns(DegenerateWarning):
        estimate(xr.Dataset({"ice": (("unit", *EFFECT), ice[:2])}))


def test_the_largest_ice_is_that_of_the_row_on_either_side() -> None:
    ice = np.random.default_rng(0).normal(size=(20, 3, 2))
    for sign in (1, -1):
        found = estimate(xr.Dataset({"ice": (("unit", *EFFECT), sign * (ice + 1))}))
        expected = np.abs(ice + 1).max(axis=0)
        np.testing.assert_allclose(found["largest_ice"], expected)
        away = sign * (ice - ice.mean(axis=0))
        np.testing.assert_allclose(
            found["skewness"], stats.skew(away, axis=0), rtol=1e-9
        )


@pytest.mark.parametrize(("n", "warned"), [(19, True), (20, False)])
def test_fewer_than_twenty_clusters_are_warned_of(n: int, warned: bool) -> None:
    groups = Grouping("parent", np.arange(n), tuple(map(str, range(n))))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        check_clusters(groups, n)
    assert [w.category for w in seen] == [DegenerateWarning] * warned


@pytest.mark.parametrize("trend", ["linear", "cubic"])
def test_the_mean_wave_of_units_is_the_mean_of_their_regressions(trend: str) -> None:
    x, rng = np.arange(40.0), np.random.default_rng(0)
    ice = np.sin(2 * np.pi * x / 10.5) + 0.1 * x + rng.normal(size=(20, 40))
    base = trend_basis(x, trend)
    turn = 2 * np.pi * x / 10.5
    design = np.column_stack([base, np.cos(turn), np.sin(turn)])
    pairs = np.array(
        [np.linalg.lstsq(design, unit, rcond=None)[0][-2:] for unit in ice]
    )
    found = unitwise_wave(x, ice, base, 10.5)
    np.testing.assert_allclose([found.cos, found.sin], pairs.mean(axis=0), rtol=1e-9)
    # Hotelling
    squares = (
        20 * pairs.mean(axis=0) @ np.linalg.solve(np.cov(pairs.T), pairs.mean(axis=0))
    )
    assert found.p == pytest.approx(
        stats.f.sf(squares * 18 / (2 * 19), 2, 18), rel=1e-6
    )


def test_effects_that_are_equal_within_their_rounding_give_no_line() -> None:
    """About a million, nine digits after the point are rounding; about 0 they are
    not.
    """
    x, y, v = (
        np.array([0.0, 1.0, 2.0, 3.0]) * 1e-9,
        np.array([1.0, 2.0, 3.0, 4.5]),
        np.full(4, 1e-20),
    )
    assert errors_in_both(x, y, v, np.full(4, 0.01)).slope > 1e8
    with pytest.raises(EstimateError):
        errors_in_both(1e6 + x, y, v, np.full(4, 0.01))


def test_waves_of_units_that_differ_in_size_alone_judge_no_mean() -> None:
    x, rng = np.arange(40.0), np.random.default_rng(0)
    ice = rng.uniform(1, 2, (20, 1)) * np.sin(2 * np.pi * x / 10.5 + 0.7)
    with pytest.raises(EstimateError):
        unitwise_wave(x, ice, trend_basis(x, "linear"), 10.5)


def test_waves_of_units_that_differ_in_one_direction_beside_their_mean_judge_no_mean() -> (
    None
):
    x, rng = np.arange(40.0), np.random.default_rng(0)
    turn = 2 * np.pi * x / 10.5
    ice = np.cos(turn) + rng.normal(size=(20, 1)) * np.sin(turn)
    with pytest.raises(EstimateError):
        unitwise_wave(x, ice, trend_basis(x, "linear"), 10.5)


def test_a_wave_of_exactly_no_size_has_no_phase() -> None:
    test = (0.0, 2.0, 18.0, 1.0)
    assert _wave_of_pair(0.0, -1e-100, np.eye(2), 10.0, test).phase_bp == pytest.approx(
        7.5
    )


def test_columns_are_collinear_by_their_own_size_whatever_the_first_rows_are() -> None:
    x = np.random.default_rng(0).normal(size=(12, 3))
    x[:3] = 0
    x -= x.mean(axis=0)
    check_rank(x - x[0], ("a", "b", "c"), "the units")
    check_rank(x * [1e6, 1, 1e-6], ("a", "b", "c"), "the units")
    with pytest.raises(EstimateError):
        check_rank(x * [1, 0, 1], ("a", "b", "c"), "the units")
    with pytest.raises(EstimateError):
        check_rank(
            np.column_stack([x[:, :2], 1e-6 * x[:, :2].sum(axis=1)]),
            ("a", "b", "c"),
            "the units",
        )
