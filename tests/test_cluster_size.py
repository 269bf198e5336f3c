# Imports from the inside: the dependence on sizes, against all permutations.
"""Effects that depend on the size of their cluster: the warning, its level, and the
estimand of either weighting.
"""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import DegenerateWarning
from causalgia.estimation import _estimate, request
from causalgia.estimation._estimate import size_dependence


def pareto_sizes(rng: np.random.Generator, n_clusters: int) -> np.ndarray:
    return np.minimum(np.ceil((1 - rng.random(n_clusters)) ** (-1 / 1.5)), 500).astype(
        int
    )


def table(ice: np.ndarray, cluster: np.ndarray) -> xr.Dataset:
    names = [f"word{k}" for k in range(ice.shape[1])]
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice[:, :, None])},
        coords={"contrast": names, "task": ["K562"], "parent": ("unit", cluster)},
    )


def dependent(
    n_clusters: int = 100, slope: float = 1.5, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = pareto_sizes(rng, n_clusters)
    cluster = np.repeat(np.arange(n_clusters), sizes)
    own = rng.normal(size=(n_clusters, 2)) + slope * np.log(sizes)[:, None] * [0, 1]
    return own[cluster] + rng.normal(size=(len(cluster), 2)), cluster


def test_effects_that_depend_on_cluster_size_are_said_to() -> None:
    ice, cluster = dependent()
    effects = table(ice, cluster)
    with pytest.warns(DegenerateWarning) as caught:
        found = cg.estimate(effects)
    assert caught[0].filename == __file__
    cured = cg.estimate(effects, weights="clusters")  # warnings are errors here
    assert cured["ace"].values[1, 0] < found["ace"].values[1, 0]
    for mean, estimates in (
        (ice[:, 1].mean(), found),
        (cured["ace"].values[1, 0], cured),
    ):
        np.testing.assert_allclose(estimates["ace"].values[1, 0], mean)


def test_the_sign_of_the_dependence_does_not_matter() -> None:
    ice, cluster = dependent()
    up, down = size_dependence(ice, cluster), size_dependence(-ice, cluster)
    np.testing.assert_allclose(down[0], -up[0])
    assert down[1] == up[1] == 0.001


def test_nothing_is_said_where_there_is_nothing_to_choose() -> None:
    ice, cluster = dependent()
    effects = table(ice, cluster)
    cg.estimate(effects, cluster="none")
    cg.estimate(table(ice[:, :1], cluster))
    alike = np.repeat(np.arange(50), 4)
    cg.estimate(table(ice[:200], alike))  # clusters of one size
    few = cluster < 9
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegenerateWarning)
        warnings.simplefilter("ignore", cg.errors.DegenerateWarning)
        cg.estimate(
            table(
                np.log(np.bincount(cluster[few]))[cluster[few], None] + 0.0,
                cluster[few],
            )
        )


def test_the_correlation_is_that_of_log_size_and_rank() -> None:
    ice, cluster = dependent(seed=4)
    means = np.array([ice[cluster == g].mean(axis=0) for g in range(100)])
    expected = [
        np.corrcoef(np.log(np.bincount(cluster)), np.argsort(np.argsort(m)))[0, 1]
        for m in means.T
    ]
    np.testing.assert_allclose(size_dependence(ice, cluster)[0], expected, rtol=1e-12)


def test_p_is_that_of_all_permutations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven clusters, all 5,040 permutations, two contrasts: drawn permutations agree
    within their error.
    """
    monkeypatch.setattr(_estimate, "_PERMUTATIONS", 20_000)
    size = _estimate._standardized(np.log([1.0, 2, 3, 5, 8, 13, 21])[:, None])[:, 0]
    effect = _estimate._standardized(
        np.array([[1.0, 2, 4, 3, 5, 7, 6], [3, 1, 2, 7, 6, 5, 4]]).T
    )
    largest = np.abs(size @ effect).max()
    every = [
        np.abs(size[list(order)] @ effect).max()
        for order in itertools.permutations(range(7))
    ]
    p = np.mean(np.array(every) >= largest - 1e-12)
    assert (
        abs(_estimate._by_permutation(size, effect, largest) - p)
        < 4 * np.sqrt(p * (1 - p) / 20_000) + 1e-4
    )


def test_blocks_of_columns_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ice, cluster = dependent(n_clusters=40, slope=0.6, seed=2)
    whole = size_dependence(np.tile(ice, 4), cluster)
    monkeypatch.setattr(_estimate, "LARGE_BLOCK", 1)
    np.testing.assert_array_equal(
        size_dependence(np.tile(ice, 4), cluster)[0], whole[0]
    )
    assert size_dependence(np.tile(ice, 4), cluster)[1] == whole[1]


@pytest.mark.simulation
@pytest.mark.parametrize("law", ["normal", "lognormal", "rare"])
def test_false_alarms_are_one_in_a_hundred(law: str) -> None:
    rng, n_trials, alarms = np.random.default_rng(11), 600, 0
    for _ in range(n_trials):
        cluster = np.repeat(np.arange(40), pareto_sizes(rng, 40))
        own = (
            (rng.random((40, 5)) < 0.05) * 1.0
            if law == "rare"
            else getattr(rng, law)(size=(40, 5))
        )
        alarms += size_dependence(own[cluster], cluster)[1] <= _estimate.LEVEL
    assert alarms <= 15  # more by chance in less than 1 of 1,000 at .01


def test_every_predictor_and_task_is_looked_at() -> None:
    ice, cluster = dependent()
    values = np.stack([ice[:, :1], ice[:, 1:]], axis=-1)[..., None, :]
    names = ["a", "b"]
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), values)},
        coords={
            "contrast": ["word"],
            "task": ["K562"],
            "model": names,
            "parent": ("unit", cluster),
        },
    )
    with pytest.warns(DegenerateWarning):
        cg.estimate(effects)
    with pytest.warns(DegenerateWarning):
        cg.estimate(effects, target="population x predictors")
    cg.estimate(effects, target="population x predictors", weights="clusters")


def test_only_clear_dependence_is_permuted() -> None:
    """Against Pearson's p of log size and rank: from .05 on, five times the level of
    the warning, it is taken as 1.
    """
    near = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        sizes = rng.integers(1, 30, 10)
        ice = rng.normal(size=10)
        p = float(stats.pearsonr(np.log(sizes), stats.rankdata(ice)).pvalue)
        found = size_dependence(
            np.repeat(ice, sizes)[:, None], np.repeat(np.arange(10), sizes)
        )[1]
        assert (found == 1) == (p > 0.05)
        near += 0.04 < p < 0.07
    assert near > 3


@pytest.mark.parametrize("n", range(10, 24))
def test_effects_that_are_the_sizes_correlate_perfectly(n: int) -> None:
    """Within rounding, on either side of 1."""
    sizes = 1 + np.arange(n) % 2
    cluster, ice = (
        np.repeat(np.arange(n), sizes),
        np.repeat(sizes, sizes)[:, None].astype(float),
    )
    for sign in (1.0, -1.0):
        correlation, p = size_dependence(sign * ice, cluster)
        assert correlation == pytest.approx(sign, abs=1e-12)
        assert p < 0.02


@pytest.mark.parametrize("scale", ["identity", "ratio"])
def test_units_are_grouped_once_in_a_call(
    scale: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sorting many units by the names of their parents takes longer than their
    means.
    """
    y = np.random.default_rng(0).gamma(3.0, size=(60, 2, 1)) + 1
    names = {
        "arm": ["0", "A"],
        "task": ["K562"],
        "parent": ("unit", [f"p{i // 2}" for i in range(60)]),
    }
    effects = cg.contrast(
        xr.Dataset({"outcome": (("unit", "arm", "task"), y)}, names),
        control="0",
        scale=scale,
    )
    calls = []
    group = request.grouping
    monkeypatch.setattr(
        request, "grouping", lambda *given: calls.append(given) or group(*given)
    )
    assert cg.estimate(effects)["n_clusters"].item() == 30
    assert len(calls) == 1
