# Imports from the inside: the law over tasks, each of its parts proved against dense
# matrices.
"""Patterns of effects over tasks and the error that contrasts share, by dense matrices
and known axes.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.errors import EstimateError
from causalgia.posterior import task_covariances
from causalgia.posterior.mixture import scale_grid
from causalgia.posterior.task_covariances import (
    _Analyzer,
    _check_independent,
    _distinct,
    _exceeds_sampling_error,
    _factor_analyzers,
    _main_directions,
    _Parts,
    _shared_error,
    canonical_patterns,
    learned_patterns,
    task_errors,
)
from causalgia.types import Array


def units(n: int, size: int) -> tuple[Array, Array]:
    """Eigenvalues and eigenvectors of errors of 1."""
    return np.ones((n, size)), np.broadcast_to(np.eye(size), (n, size, size))


def by_dense_matrices(
    effect: Array, errors: Array, starts: list[Array], least: float
) -> list[tuple[Array, float]]:
    """EM of a mixture of no effect and N(0, L L' + c I), from the joint normal of
    scores, own parts and estimates.
    """
    size = effect.shape[1]
    parts = [(start, 0.2 * (start**2).sum() / size + least) for start in starts]
    share, before = np.full(len(parts) + 1, 1 / (len(parts) + 1)), -np.inf
    while True:
        density = np.empty((len(effect), len(parts) + 1))
        for i, law in enumerate(
            [np.zeros((size, size)), *(L @ L.T + c * np.eye(size) for L, c in parts)]
        ):
            whole = errors + law
            square = np.einsum("ni,nij,nj->n", effect, np.linalg.inv(whole), effect)
            density[:, i] = np.exp(-square / 2) / np.sqrt(np.linalg.det(whole))
        reached = np.log(density @ share).mean()
        weight = density * share / (density @ share)[:, None]
        used = np.r_[True, weight[:, 1:].sum(axis=0) > 1]
        ahead = []
        for (L, c), w, kept in zip(parts, weight.T[1:], used[1:], strict=True):
            if not kept:
                continue
            rank = L.shape[1]
            # of scores and own parts, (T, r + T)
            both = np.hstack([L, np.sqrt(c) * np.eye(size)])
            gain = both.T @ np.linalg.inv(both @ both.T + errors)
            mean = np.einsum("nij,nj->ni", gain, effect)
            moment = (
                np.eye(rank + size) - gain @ both + mean[:, :, None] * mean[:, None, :]
            )
            moment = np.einsum("n,nij->ij", w, moment)
            first = mean[:, :rank].T @ (w[:, None] * effect)
            ridge = c * np.trace(moment[rank:, rank:]) / w.sum() / size
            ahead.append(((np.linalg.inv(moment[:rank, :rank]) @ first).T, ridge))
        parts = ahead
        share = np.maximum(weight.sum(axis=0)[used], 1)
        share = share / share.sum()
        if reached - before < 1e-4 and used.all():
            return parts
        before = reached


@pytest.mark.parametrize(
    ("useless", "far"), [(False, False), (True, False), (False, True)]
)
def test_a_mixture_of_analyzers_is_that_of_dense_matrices(
    useless: bool, far: bool
) -> None:
    rng = np.random.default_rng(3)
    n, size = 60, 3
    L = np.array([[2.0], [1.5], [0.0]])
    effect = np.where(np.arange(n)[:, None] < 25, rng.normal(size=(n, 1)) * L.T, 0.0)
    effect[25:40] += rng.normal(0, 3, (15, 3)) * [0.0, 0.3, 1.0]
    root = rng.normal(size=(n, size, 5))
    errors = root @ root.transpose(0, 2, 1) / 10 + 0.1 * np.eye(size)
    effect += np.array([rng.multivariate_normal(np.zeros(size), V) for V in errors])
    values, vectors = np.linalg.eigh(errors)
    starts = [
        np.array([[1.0], [1.0], [0.5]]),
        np.array([[0.0, 0.5], [0.2, 0.0], [1.5, 0.1]]),
    ]
    starts += [np.array([[400.0], [-400.0], [400.0]])] if useless else []
    if far:  # the density without an effect is e^-1000 of the others
        effect[-4:] = np.array(
            [
                [120.0, 90.0, 1.0],
                [-100.0, -75.0, 0.0],
                [60.0, 45.0, 0.5],
                [-70.0, -50.0, 0.0],
            ]
        )
        starts += [np.array([[60.0], [45.0], [0.0]])]
    found = _factor_analyzers(effect, values, vectors, starts)
    expected = by_dense_matrices(effect, errors, starts, 1e-6 * values.mean())
    assert len(found) == len(expected) == 2 + far
    for part, (loadings, ridge) in zip(found, expected, strict=True):
        np.testing.assert_allclose(part.loadings, loadings, rtol=1e-6, atol=1e-8)
        assert part.ridge == pytest.approx(ridge, rel=1e-6)


def test_effects_along_four_axes_are_sorted_into_these() -> None:
    """Many large effects along one axis do not hide the few small ones along the
    others.
    """
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0][:, :4].T
    which = np.r_[np.zeros(40, dtype=int), 1, 1, 2, 2, 3, 3]
    size = np.where(
        which == 0, rng.uniform(5, 9, 46), rng.uniform(0.5, 1.5, 46)
    ) * rng.choice([-1, 1], 46)
    effect = np.vstack([size[:, None] * axes[which], np.zeros((2, 6))])
    found = _main_directions(effect)
    assert found.shape == (4, 6)
    np.testing.assert_allclose(np.sort(np.abs(found @ axes.T), axis=1)[:, -1], 1.0)
    assert sorted(np.abs(found @ axes.T).argmax(axis=1)) == [0, 1, 2, 3]
    assert _main_directions(effect[:, :2]).shape == (2, 2)


def test_directions_are_the_principal_axes_of_the_effects_nearest_to_them() -> None:
    rng = np.random.default_rng(1)
    effect = rng.normal(size=(80, 3)) * [3.0, 2.0, 1.0]
    found = _main_directions(effect)
    unit = effect / np.linalg.norm(effect, axis=1)[:, None]
    near = np.abs(unit @ found.T).argmax(axis=1)
    for k, direction in enumerate(found):
        vectors = np.linalg.eigh(unit[near == k].T @ unit[near == k])[1]
        assert abs(direction @ vectors[:, -1]) == pytest.approx(1)


def test_a_learned_pattern_covers_what_is_not_known_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its ridge is at least four sampling variances; clear loadings are those beyond
    four standard errors.
    """
    narrow = _Analyzer(
        np.array([[2.0], [0.1], [1.0]]), 0.01, np.array([[0.04], [0.01], [0.09]])
    )
    wide = _Analyzer(
        np.array([[1.0, 0.2], [0.0, 0.6], [0.3, 0.0]]), 0.5, np.full((3, 2), 0.01)
    )
    monkeypatch.setattr(
        task_covariances, "_factor_analyzers", lambda *given: [narrow, wide]
    )
    effect = np.random.default_rng(0).normal(size=(20, 3))
    first, clear, second = learned_patterns(effect, *units(20, 3), n_strong=20)
    assert [p.name for p in (first, clear, second)] == [
        "learned 1",
        "learned 1, clear tasks",
        "learned 2",
    ]
    np.testing.assert_allclose(first.loadings, narrow.loadings / np.sqrt(4.36))
    assert first.ridge == pytest.approx(0.36 / 4.36)
    np.testing.assert_array_equal(clear.loadings.ravel(), [1.0, 0.0, 0.0])
    np.testing.assert_allclose(second.loadings, wide.loadings / np.sqrt(1.54))
    assert second.ridge == pytest.approx(0.5 / 1.54)
    assert learned_patterns(effect, *units(20, 3), n_strong=19) == []
    narrow.loadings[:] = 0.1
    # no clear loading is no pattern
    assert len(learned_patterns(effect, *units(20, 3), n_strong=20)) == 2


def test_two_tasks_have_no_components_beside_their_directions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = []
    monkeypatch.setattr(
        task_covariances, "_factor_analyzers", lambda *args: given.append(args[3]) or []
    )
    for size, shapes in (
        (2, [(2, 1)] * 2),
        (3, [(3, 1)] * 3 + [(3, 2)]),
        (8, [(8, 1)] * 4 + [(8, 5)]),
    ):
        effect = np.random.default_rng(0).normal(size=(40, size))
        learned_patterns(effect, *units(40, size), n_strong=40)
        assert [start.shape for start in given[-2]] == shapes


def test_of_directions_alike_the_better_known_is_kept() -> None:
    def part(*columns: list[float], variance: float) -> _Analyzer:
        loadings = np.array(columns).T
        return _Analyzer(loadings, 0.1, np.full(loadings.shape, variance))

    doubted, known = part([3.0, 0.1], variance=0.5), part([-1.0, 0.0], variance=0.1)
    apart, pair = (
        part([1.0, 0.6], variance=0.2),
        part([3.0, 0.1], [0.0, 0.1], variance=0.01),
    )
    assert _distinct([doubted, known, apart, pair]) == [pair, known, apart]
    assert _distinct([doubted, apart]) == [apart, doubted]


def test_patterns_that_need_no_data_are_their_covariances() -> None:
    one, every = np.ones((3, 3)), np.eye(3)
    partly = [r * one + (1 - r) * every for r in (0.25, 0.5, 0.75)]
    alone = [np.outer(e, e) for e in every]
    for pattern, expected in zip(
        canonical_patterns("abc"), [every, one, *partly, *alone], strict=True
    ):
        np.testing.assert_allclose(pattern.covariance, expected, atol=1e-12)


@pytest.mark.parametrize("side", [-1e-6, 1e-6])
def test_a_shared_covariance_is_compared_with_the_edge_of_its_sampling_error(
    side: float,
) -> None:
    """Errors of n contrasts that share nothing: ((1 + sqrt(T / df))^2 - 1 + 4 /
    sqrt(df)) / (n - 1) of a variance.
    """
    correlation = np.array([[1.0, 0.3], [0.3, 1.0]])
    se = np.array([[0.5, 2.0], [1.5, 1.0], [1.0, 3.0]])
    root = np.sqrt((se**2).mean(axis=0))
    edge = ((1 + np.sqrt(2 / 40)) ** 2 - 1 + 4 / np.sqrt(40)) / 2
    shared = (edge + side) * correlation * np.outer(root, root)
    assert _exceeds_sampling_error(shared, correlation, se, 40.0) == (side > 0)
    pair = 2 * (edge + side) * correlation * se[0][:, None] * se[0]
    assert _exceeds_sampling_error(pair, correlation, se[[0, 0]], 40.0) == (side > 0)
    assert not _exceeds_sampling_error(9 * shared, correlation, se[:1], 40.0)
    assert not _exceeds_sampling_error(0 * shared, correlation, se, 40.0)


@pytest.mark.parametrize("size_of_shared", [0.3, 5.0])
@pytest.mark.parametrize(
    ("size", "sign", "third"),
    [(2, 1, 0), (2, -1, 0), (3, 1, 0.9), (3, -1, 0.9), (3, 1, 0.0)],
)
def test_the_error_that_contrasts_share_is_that_of_dense_matrices(
    size_of_shared: float, size: int, sign: float, third: float
) -> None:
    """Thirty turns of EM over the weights of N(0, w^2 I), the effects integrated out;
    at most .98 of a variance.
    """
    rng = np.random.default_rng(0)
    n = 25
    least, own = rng.uniform(0.8, 1.2, (n, size)), rng.uniform(0.1, 0.3, (n, size))
    correlation = np.array([[1.0, 0.2, 0.0], [0.2, 1.0, 0.0], [0.0, 0.0, 1.0]])[
        :size, :size
    ]
    effect = rng.normal(size=(n, size)) + [0.5, 0.8, 0.1][:size]
    effect = sign * (effect + rng.normal(0, 3, (n, 1)) * (np.arange(n)[:, None] < 6))
    parts = _Parts(least, own, correlation, correlation, 0.0, np.zeros((size, size)))
    given = (
        size_of_shared
        * np.array([[1.0, 0.4, 0.0], [0.4, 0.5, 0.0], [0.0, 0.0, third]])[:size, :size]
    )
    typical = np.median(least**2)
    cap = correlation * np.outer(*[np.sqrt(np.median(least**2, axis=0))] * 2)
    A = given * min(1.0, 0.98 / np.linalg.eigvals(np.linalg.solve(cap, given)).max())
    S = (
        correlation * least[:, :, None] * least[:, None, :]
        + own[:, :, None] * np.eye(size)
        - A
    )
    values, vectors = np.linalg.eigh(S)
    S = (
        vectors
        * np.maximum(values, 0.02 * np.median(least**2, axis=1)[:, None])[:, None]
    ) @ vectors.transpose(0, 2, 1)
    scales = scale_grid(effect.ravel(), np.full(effect.size, np.sqrt(typical)))
    counts = np.where(scales == 0, 10.0, 1.0)
    weight, a = np.full(len(scales), 1 / len(scales)), np.zeros(size)
    for _ in range(30):
        whole = S[:, None] + (scales**2)[:, None, None] * np.eye(size)
        inverse = np.linalg.inv(whole)
        rest = effect - a
        with np.errstate(divide="ignore"):
            terms = np.log(weight) - 0.5 * (
                np.log(np.linalg.det(whole))
                + np.einsum("ni,nwij,nj->nw", rest, inverse, rest)
            )
        part = np.exp(terms - terms.max(axis=1)[:, None])
        part /= part.sum(axis=1)[:, None]
        each = np.einsum("nw,nwij->nij", part, inverse)
        weight = (part.sum(axis=0) + counts - 1) / (part.sum(axis=0) + counts - 1).sum()
        spread = A - A @ np.linalg.inv(A + np.linalg.inv(each.sum(axis=0))) @ A
        before, a = a, spread @ np.einsum("nij,nj->i", each, effect)
        if np.abs(a - before).max() < 1e-6 * np.sqrt(typical):
            break
    found, change = _shared_error(effect, parts, given)
    np.testing.assert_allclose(found, a, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(change, spread - A, rtol=1e-7, atol=1e-12)
    nothing, none = _shared_error(effect, parts, 1e-12 * given)
    assert not nothing.any()
    assert not none.any()


def few_units(control: float, scale: float = 1.0) -> xr.Dataset:
    """Estimates of 40 contrasts in 3 tasks from 30 units, large effects among them;
    `control`: an error they share.
    """
    rng = np.random.default_rng(0)
    ice = (
        rng.normal(size=(30, 40, 3))
        + rng.normal(size=(30, 40, 1))
        + control * rng.normal(size=(30, 1, 3))
    )
    ice[:, :10] += 2.0
    coords = {"contrast": [f"w{k}" for k in range(40)], "task": ["a", "b", "c"]}
    return cg.estimate(
        xr.Dataset({"ice": (("unit", "contrast", "task"), scale * ice)}, coords),
        task_correlation=True,
    )


def test_variances_of_errors_are_those_of_their_normal_scores_where_nothing_is_shared() -> (
    None
):
    estimates = few_units(0.0)
    found = task_errors(estimates)
    assert not found.shared.any()
    np.testing.assert_allclose(found.effect * found.unit, estimates["ace"])
    assert found.unit in (0.125, 0.25)
    # of 29 degrees of freedom
    assert (found.se > 1.1 * estimates["se"].to_numpy()).any()
    np.testing.assert_allclose(found.variance * found.unit**2, found.se**2)
    values, vectors = found.rotation(np.arange(40))
    np.testing.assert_allclose(
        (vectors**2 * values[:, None]).sum(axis=2), found.variance
    )


def test_an_error_that_is_shared_leaves_effects_and_variances_in_any_unit() -> None:
    here, there = task_errors(few_units(0.7)), task_errors(few_units(0.7, 1 / 16))
    estimates = few_units(0.7)
    assert np.abs(here.shared).max() > 0.05
    np.testing.assert_allclose(here.effect * here.unit + here.shared, estimates["ace"])
    assert there.unit == here.unit / 16
    for name, size in (
        ("effect", 1),
        ("variance", 1),
        ("shared", 1 / 16),
        ("se", 1 / 16),
        ("shrinkage", 1),
    ):
        np.testing.assert_allclose(
            getattr(there, name), size * getattr(here, name), rtol=1e-5
        )
    values, vectors = here.rotation(np.arange(40))
    np.testing.assert_allclose(
        (vectors**2 * values[:, None]).sum(axis=2), here.variance, rtol=1e-6
    )
    assert (here.variance < (here.se / here.unit) ** 2).all()


def test_the_largest_shared_direction_is_compared_with_the_edge() -> None:
    """In three tasks: an error along one direction, which is nothing along the other
    two.
    """
    edge = ((1 + np.sqrt(3 / 40)) ** 2 - 1 + 4 / np.sqrt(40)) / 4
    axes = np.array([[2.0, -1.0, 2.0], [0.0, 3.0, 0.0]]) / 3
    for factor, axis in product((0.99, 1.01), axes):
        shared = factor * edge * np.outer(axis, axis)
        assert _exceeds_sampling_error(shared, np.eye(3), np.ones((5, 3)), 40.0) == (
            factor > 1
        )


@pytest.mark.parametrize("rows", [18, 40])
def test_correlations_of_units_in_groups_have_the_freedom_of_the_least(
    rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the clusters of a contrast, and of the rows of the factor; less one."""
    seen = []
    monkeypatch.setattr(
        task_covariances, "_shrinkage", lambda *given: seen.append(given[2]) or 0.5
    )
    coords = {"contrast": [f"w{k}" for k in range(25)], "task": ["a", "b"]}
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(rows, 25, 2))
    factor /= np.sqrt((factor**2).sum(axis=0))
    clusters = np.full(25, 30)
    clusters[7], clusters[9] = 21, 35
    estimates = xr.Dataset(
        {
            "ace": (("contrast", "task"), rng.normal(size=(25, 2))),
            "se": (("contrast", "task"), np.ones((25, 2))),
            "factor": (("cluster", "contrast", "task"), factor),
            "n_clusters": ("contrast", clusters),
        },
        coords,
    )
    task_errors(estimates)
    assert seen == [min(rows, 21) - 1]
    correlation = np.broadcast_to(np.array([[1.0, 0.4], [0.4, 1.0]]), (25, 2, 2))
    told = estimates.assign(
        task_correlation=(("contrast", "task", "task_"), correlation)
    )
    task_errors(
        told.assign_coords(task_=["a", "b"]).assign_attrs(task_correlation_df=12.0)
    )
    assert seen[1:] == [12.0]


def test_an_effect_of_exactly_0_has_no_direction() -> None:
    effect = np.random.default_rng(2).normal(size=(30, 3))
    with_zeros = np.insert(effect, [0, 17], 0.0, axis=0)
    np.testing.assert_array_equal(
        _main_directions(with_zeros), _main_directions(effect)
    )


def with_correlations(correlation: Array) -> xr.Dataset:
    """Estimates of n contrasts in T tasks with known correlations of each, (n, T,
    T).
    """
    n, size, _ = correlation.shape
    names = [f"t{t}" for t in range(size)]
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "ace": (("contrast", "task"), rng.normal(size=(n, size))),
            "se": (("contrast", "task"), rng.uniform(0.7, 1.4, (n, size))),
            "task_correlation": (("contrast", "task", "task_"), correlation),
        },
        {"contrast": [f"w{k}" for k in range(n)], "task": names, "task_": names},
    )


def test_known_correlations_of_each_contrast_are_taken_as_they_are() -> None:
    rho = np.linspace(-0.8, 0.8, 1_100)
    correlation = np.eye(2) + rho[:, None, None] * (1 - np.eye(2))
    estimates = with_correlations(correlation)
    found = task_errors(estimates)
    se = estimates["se"].to_numpy() / found.unit
    values, vectors = found.rotation(np.arange(1_100))
    whole = np.einsum("nij,nj,nkj->nik", vectors, values, vectors)
    np.testing.assert_allclose(
        whole, correlation * se[:, :, None] * se[:, None, :], atol=1e-12
    )
    assert found.shrinkage == 0
    for place in (3, 1_060):
        bad = correlation.copy()
        bad[place] = 1 - 1e-9 * (1 - np.eye(2))
        with pytest.raises(EstimateError):
            task_errors(with_correlations(bad))


def test_tasks_follow_from_others_where_they_do_in_every_contrast() -> None:
    """Of the first contrasts; one in which two tasks agree is no reason."""
    free, tied = np.array([[1.0, 0.5], [0.5, 1.0]]), np.ones((2, 2))
    _check_independent(
        with_correlations(np.array([free, tied, free])),
        np.array([free, tied, free]),
        30.0,
    )
    with pytest.raises(EstimateError):
        _check_independent(
            with_correlations(np.array([tied, tied])), np.array([tied, tied]), 30.0
        )
    with pytest.raises(EstimateError):
        _check_independent(
            with_correlations(np.array([tied, tied])), np.array([tied, tied]), 2.0
        )
    # fewer than tasks
    _check_independent(
        with_correlations(np.array([tied, tied])), np.array([tied, tied]), 1.0
    )


def test_a_variance_is_at_least_a_fiftieth_of_the_typical_one_where_an_error_was_removed() -> (
    None
):
    """In one task of three; without a removed error eigenvalues are as they are."""
    least, own = np.full((1, 3), 2.0), np.zeros((1, 3))
    shared = np.zeros((3, 3))
    one = _Parts(least, own, np.eye(3), np.eye(3), 0.0, shared)
    np.testing.assert_allclose(one.eigen(np.arange(1))[0], [[4.0, 4.0, 4.0]])
    shared[1, 1] = -4.0
    other = _Parts(least, own, np.eye(3), np.eye(3), 0.0, shared)
    np.testing.assert_allclose(other.eigen(np.arange(1))[0], [[0.08, 4.0, 4.0]])


def test_one_correlation_of_all_contrasts_is_not_shrunken() -> None:
    estimates = with_correlations(
        np.broadcast_to(np.array([[1.0, 0.4], [0.4, 1.0]]), (25, 2, 2))
    )
    estimates["task_correlation"] = estimates["task_correlation"][0].drop_vars(
        "contrast"
    )
    found = task_errors(estimates.assign_attrs(task_correlation_df=12.0))
    assert found.shrinkage == 0
    np.testing.assert_allclose(found.correlation, [[1.0, 0.4], [0.4, 1.0]])


def test_effects_along_one_axis_have_this_direction() -> None:
    effect = np.random.default_rng(3).normal(size=(30, 1)) * np.array(
        [[0.6, 0.0, -0.8]]
    )
    found = _main_directions(effect)
    assert found.shape == (3, 3)
    np.testing.assert_allclose(np.abs(found @ [0.6, 0.0, -0.8]), 1.0)


def test_a_shared_error_below_a_hundredth_of_the_variances_is_left_in() -> None:
    """Of variances of 4."""
    parts = _Parts(
        np.full((25, 2), 2.0),
        np.zeros((25, 2)),
        np.eye(2),
        np.eye(2),
        0.0,
        np.zeros((2, 2)),
    )
    effect = np.random.default_rng(4).normal(1.0, 2.0, (25, 2))
    for share, left_in in ((0.009, True), (0.011, False)):
        error, change = _shared_error(effect, parts, 4 * share * np.eye(2))
        assert (error == 0).all() == (change == 0).all() == left_in


def test_a_contrast_with_small_errors_keeps_a_fiftieth_of_its_variance() -> None:
    """It has less variance than the error that the others share."""
    estimates = with_correlations(np.broadcast_to(np.eye(2), (25, 2, 2)))
    estimates["task_correlation"] = estimates["task_correlation"][0].drop_vars(
        "contrast"
    )
    estimates["se"][:] = 8.0
    estimates["se"][0] = 2.0
    estimates["shared_covariance"] = (("task", "task_"), 40.0 * np.eye(2))
    found = task_errors(estimates)
    assert found.unit == 8
    np.testing.assert_allclose(found.variance[0], 0.02 * (2 / 8) ** 2)
    assert (found.variance[1:] > 0.3).all()


def test_the_mean_correlation_has_the_share_of_sampling_error_or_what_few_units_need() -> (
    None
):
    """Schaefer & Strimmer's weight by hand, the mean of all contrasts whatever the
    blocks they are taken in.
    """
    rng = np.random.default_rng(5)
    rho = np.concatenate([np.full(7, 0.9), rng.uniform(-0.3, 0.3, 15)])
    correlation = np.eye(2) + rho[:, None, None] * (1 - np.eye(2))
    mean = correlation.mean(axis=0)
    weight = (1 - rho.mean() ** 2) ** 2 / 12 / ((rho - rho.mean()) ** 2).mean()
    assert task_covariances._shrinkage(correlation, mean, 12.0) == pytest.approx(weight)
    assert task_covariances._shrinkage(correlation, mean, 1.0) == 1.0
    apart = np.eye(2) + np.array([0.9, -0.9])[:, None, None] * (1 - np.eye(2))
    assert task_covariances._shrinkage(apart, np.eye(2), 50.0) == pytest.approx(2 / 52)
    assert task_covariances._shrinkage(np.tile(mean, (5, 1, 1)), mean, 12.0) == 1.0


def test_every_contrast_counts_the_same_in_the_shrinkage_of_correlations_of_many_tasks() -> (
    None
):
    """Of 400 tasks 26 contrasts are held at a time: the last block, of four, is no more
    than its contrasts.
    """
    n, size = 30, 400
    first = np.array([np.eye(size, dtype=np.float32)])
    correlation = np.broadcast_to(first, (n, size, size)).copy()
    for k in range(n):
        correlation[k, 0, 1] = correlation[k, 1, 0] = 0.9 if k >= 26 else 0.0
    rho = correlation[:, 0, 1].astype(float)
    mean = correlation.mean(axis=0, dtype=np.float64)
    noise = (size * (size - 1) - 2 + 2 * (1 - rho.mean() ** 2) ** 2) / 1e8
    expected = noise / (2 * ((rho - rho.mean()) ** 2).mean())
    assert task_covariances._shrinkage(correlation, mean, 1e8) == pytest.approx(
        expected, rel=1e-5
    )
