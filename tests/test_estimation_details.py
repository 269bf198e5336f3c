"""Details of the estimators that larger tests do not see: units of measurement, one of
several, sides and signs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import optimize, special, stats

import causalgia as cg
import causalgia.estimation.request as estimation_request
from causalgia.errors import EstimateError
from causalgia.estimation.crossover_estimates import (
    ice_without_rounding,
    uses_random_arms,
)
from causalgia.estimation.moderated_variances import moderate_variances
from causalgia.estimation.parallel import _rounding_bounds, fixed_blocks
from causalgia.estimation.parallel_estimates import (
    _clusters_of_blocks,
    rounded_block_effects,
)
from causalgia.estimation.ratios import (
    _check_equal_blocks,
    check_means_are_units,
)
from causalgia.estimation.request import Grouping, Request, with_clusters
from causalgia.estimation.standard_errors import _orthonormal, wald_htz

AUTO = Request("auto", None, (), "population", "units")


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e7])
def test_a_joint_test_does_not_depend_on_the_unit_of_one_contrast(unit: float) -> None:
    ace, covariance = np.array([1.0, -0.7]), np.array([[0.5, 0.2], [0.2, 0.3]])
    expected = ace @ np.linalg.inv(covariance) @ ace * (9.0 - 1) / (9.0 * 2)
    each = np.array([1.0, unit])
    found = wald_htz(ace * each, covariance * np.outer(each, each), eta=9.0)
    np.testing.assert_allclose(
        [found.F, found.p], [expected, stats.f.sf(expected, 2, 8.0)], rtol=1e-9
    )


def test_a_joint_test_needs_more_degrees_of_freedom_than_contrasts_but_one() -> None:
    found = wald_htz(np.array([1.0, 2.0]), np.eye(2), eta=1.5)
    np.testing.assert_allclose([found.F, found.df2], [5.0 * 0.5 / 3.0, 0.5])


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8])
def test_variances_that_correlate_spread_less_by_chance(rho: float) -> None:
    """Var log s^2 over contrasts is trigamma(d/2) (1 - rho) + trigamma(d0/2)."""
    s2, df = np.array([0.02, 0.4, 1.0, 2.5, 30.0]), 4.0
    z = np.log(s2) - special.digamma(df / 2) + np.log(df / 2)
    excess = z.var(ddof=1) - special.polygamma(1, df / 2) * (1 - rho)
    half = optimize.brentq(lambda x: special.polygamma(1, x) - excess, 1e-3, 1e3)
    found = moderate_variances(s2, np.full(5, df), dependence=rho)
    np.testing.assert_allclose(found.prior_df, 2 * half, rtol=1e-6)
    np.testing.assert_allclose(
        found.prior_variance,
        np.exp(z.mean() + special.digamma(half) - np.log(half)),
        rtol=1e-6,
    )


@pytest.mark.parametrize(
    "covariate",
    [[-3.0, -1.0, -2.0, -7.0], [0.1, -900.0, 3.0, 2.0], [4.0, 1.0, 2.0, 3.0]],
)
def test_a_design_is_the_product_of_its_two_parts(covariate: list[float]) -> None:
    X = np.column_stack([np.ones(4), covariate])
    Q, R = _orthonormal(X)
    np.testing.assert_allclose(Q @ R, X, rtol=1e-9)
    np.testing.assert_allclose(Q.T @ Q, np.eye(2), atol=1e-12)


def test_an_arm_is_random_on_either_side_of_a_contrast() -> None:
    coords = {
        "contrast": ["a", "b", "c"],
        "arm": ["fixed", "drawn", "drawn too"],
        "random": ("arm", [False, True, True]),
    }
    weight = (
        ("contrast", "arm"),
        [[1.0, -1.0, 0.0], [0.0, 1.0, -1.0], [0.0, 0.0, 0.0]],
    )
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), np.zeros((2, 3, 1))), "weight": weight},
        coords,
    )
    assert uses_random_arms(effects).tolist() == [True, True, False]


def test_an_effect_without_variation_keeps_its_sign() -> None:
    y = np.array([7.0, 7.0, 7.0, 2.0, 2.0, 2.0])
    effects = xr.Dataset(
        {
            "outcome": (("unit", "task"), y[:, None]),
            "weight": (("contrast", "arm"), [[-1.0, 1.0], [1.0, -1.0]]),
            "assigned": ("unit", np.repeat(["c", "t"], 3)),
            "rounding": (("unit", "task"), np.full((6, 1), 1e-9)),
        },
        {"contrast": ["t - c", "c - t"], "arm": ["c", "t"], "task": ["y"]},
        {"assignment": "parallel"},
    )
    with pytest.warns(cg.errors.DegenerateWarning):
        found = cg.estimate(effects)
    assert found["ace"].values.ravel().tolist() == [-5.0, 5.0]
    assert found["se"].values.ravel().tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("away", "flat"),
    [
        (
            [1.5, -1.5, 0.0, 0.0],
            True,
        ),  # within the bound of each and that of the mean, 1 + 1/2
        ([3.0, -3.0, 0.0, 0.0], False),
        ([0.9, 0.9, 0.9, -2.7], False),  # one alone, on the lower side
        ([2.7, -0.9, -0.9, -0.9], False),
    ],
)
def test_outcomes_of_a_block_that_rounding_explains_do_not_vary(
    away: list[float], flat: bool
) -> None:
    bound = 1e-6
    y = np.concatenate([5 + bound * np.array(away), np.full(4, 3.0)])[:, None]
    stratum, arm = np.repeat([0, 1], 4), np.zeros(8, np.intp)
    found, _ = fixed_blocks(
        y, arm, stratum, np.array([[1.0]]), rounding=np.full_like(y, bound)
    )
    assert (not found.factor.any()) == flat


def test_effects_of_blocks_are_settled_within_the_rounding_of_every_arm_that_any_contrast_has() -> (
    None
):
    y = np.array([0.3, 0.3, 0.3, 0.1 + 0.2, 0.3, 0.3])[:, None]
    arm, block = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1])
    W = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])
    assert not rounded_block_effects(y, arm, block, W, np.spacing(y)).any()


def test_clusters_that_cross_blocks_are_seen_however_their_numbers_combine() -> None:
    def of(parents: list[int], blocks: list[int]) -> Grouping:
        parent, block = np.array(parents), np.array(blocks)
        effects = xr.Dataset(
            {"outcome": (("unit", "task"), np.zeros((len(parent), 1)))},
            {"parent": ("unit", parent.astype(str))},
        )
        grouped = Grouping("block", block, np.unique(block).astype(str))
        return _clusters_of_blocks(grouped, with_clusters(effects, AUTO))

    # parents lie in one block each
    assert of([0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1]).name == "block"
    shared = of([0, 0, 0, 1, 1], [0, 1, 1, 2, 2])  # blocks lie in one parent each
    assert (shared.name, shared.codes.tolist()) == ("parent", [0, 0, 1])


@pytest.mark.parametrize(
    "asked", [{"block": "parent"}, {"scale": "ratio"}], ids=["blocks", "ratio"]
)
def test_the_clusters_of_a_parallel_trial_are_found_once(
    asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a crossover; parents as blocks, and each mean that a ratio divides
    by, looked for them again.
    """
    found: list[str] = []
    checked = estimation_request._check_names_groups
    monkeypatch.setattr(
        estimation_request,
        "_check_names_groups",
        lambda *given: (found.append(given[1]), checked(*given)),
    )
    rng = np.random.default_rng(0)
    arms, parents = np.array(["0", "A"])[np.arange(240) % 2], np.arange(240) // 6
    outcomes = xr.Dataset(
        {"outcome": (("unit", "task"), rng.normal(5, 1, (240, 1)))},
        coords={
            "arm": ["0", "A"],
            "task": ["t"],
            "assigned": ("unit", arms),
            "parent": ("unit", parents),
        },
        attrs={"scale": "counts"},
    )
    effects = cg.contrast(outcomes, control="0", scale=asked.get("scale", "identity"))
    cg.estimate(effects, block=asked.get("block"))
    assert found == ["parent"]


def test_the_error_of_means_adjusted_in_clusters_has_the_sampling_of_covariates_with_its_sign() -> (
    None
):
    """Delete one cluster, and adjust again: slopes between clusters differ from those
    within them.
    """
    rng = np.random.default_rng(4)
    n_clusters, each = 150, 6
    cluster = np.repeat(np.arange(n_clusters), each)
    between, within = (
        rng.normal(size=n_clusters)[cluster],
        rng.normal(size=n_clusters * each),
    )
    x, treated = between + within, np.tile([0, 1], n_clusters * each // 2)
    y = treated * (2.5 * between - 0.5 * within) + 0.1 * rng.normal(size=len(x))

    def adjusted(keep: np.ndarray) -> float:
        center = x[keep].mean()
        fits = [
            np.polynomial.polynomial.polyfit(
                x[keep & (treated == a)] - center, y[keep & (treated == a)], 1
            )
            for a in (0, 1)
        ]
        return float(fits[1][0] - fits[0][0])

    left = np.array([adjusted(cluster != g) for g in range(n_clusters)])
    jackknife = np.sqrt(
        (n_clusters - 1) / n_clusters * ((left - left.mean()) ** 2).sum()
    )
    effects = xr.Dataset(
        {
            "outcome": (("unit", "task"), y[:, None]),
            "weight": (("contrast", "arm"), [[-1.0, 1.0]]),
            "assigned": ("unit", np.where(treated, "t", "c")),
        },
        {
            "contrast": ["t"],
            "arm": ["c", "t"],
            "task": ["y"],
            "x": ("unit", x),
            "family": ("unit", cluster),
        },
        {"assignment": "parallel"},
    )
    found = cg.estimate(effects, covariates="x", cluster="family")
    np.testing.assert_allclose(
        found["ace"].item(), adjusted(np.ones(len(x), bool)), atol=1e-12
    )
    np.testing.assert_allclose(found["se"].item(), jackknife, rtol=0.05)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_one_residual_beyond_rounding_on_either_side_varies(side: float) -> None:
    """The bound of a residual is that of its outcome and of the fitted value: 1 +
    sqrt(leverage) sqrt(16).
    """
    n = 16
    X, bound = np.ones((n, 1)), np.full((n, 1), 1e-6)
    away = side * np.r_[-3.0, np.full(n - 1, 0.2)][:, None]
    flat, change = _rounding_bounds(X, 4 + 1e-6 * away, bound)
    assert not flat.any()
    assert _rounding_bounds(X, 4 + 0.6e-6 * away, bound)[0].all()  # 1.8 of 2
    np.testing.assert_allclose(change, [[1e-6]])


def test_few_clusters_of_one_contrast_are_warned_of_beside_many_of_another() -> None:
    rng = np.random.default_rng(0)
    arm = np.repeat(["a", "b", "c", "d"], [10, 10, 60, 60])
    family = np.r_[np.tile(np.arange(5), 4), 5 + np.tile(np.arange(30), 4)]
    effects = xr.Dataset(
        {
            "outcome": (("unit", "task"), rng.normal(size=(140, 1))),
            "weight": (
                ("contrast", "arm"),
                [[-1.0, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 1.0]],
            ),
            "assigned": ("unit", arm),
        },
        {
            "contrast": ["b", "d"],
            "arm": ["a", "b", "c", "d"],
            "task": ["y"],
            "family": ("unit", family),
        },
        {"assignment": "parallel"},
    )
    with pytest.warns(cg.errors.DegenerateWarning):
        cg.estimate(effects, cluster="family")
    cg.estimate(
        effects.isel(contrast=[1], arm=[2, 3], unit=np.arange(20, 140)),
        cluster="family",
    )


def test_skewness_of_a_task_does_not_depend_on_another_whose_arm_is_constant() -> None:
    rng = np.random.default_rng(1)
    y = np.column_stack(
        [
            rng.exponential(size=60),
            np.where(np.arange(60) < 30, 1.0, rng.exponential(size=60)),
        ]
    )

    def skewness(tasks: list[int]) -> np.ndarray:
        effects = xr.Dataset(
            {
                "outcome": (("unit", "task"), y[:, tasks]),
                "weight": (("contrast", "arm"), [[-1.0, 1.0]]),
                "assigned": ("unit", np.repeat(["c", "t"], 30)),
            },
            {
                "contrast": ["t"],
                "arm": ["c", "t"],
                "task": np.array(["varies", "half"])[tasks],
            },
            {"assignment": "parallel"},
        )
        return np.asarray(cg.estimate(effects)["skewness"].values[0])

    m2, m3 = (
        (
            (y[:, 0].reshape(2, 30) - y[:, 0].reshape(2, 30).mean(axis=1)[:, None]) ** k
        ).mean(axis=1)
        for k in (2, 3)
    )
    by_hand = (m3 * [-1, 1]).sum() / 900 / (m2.sum() / 30) ** 1.5 * np.sqrt(60)
    np.testing.assert_allclose(skewness([0, 1])[0], by_hand, rtol=1e-9)
    np.testing.assert_allclose(
        skewness([0, 1]), [*skewness([0]), *skewness([1])], rtol=1e-9
    )


def blocked(arms_in_blocks: dict[str, list[int]]) -> xr.Dataset:
    """Effects of a parallel ratio in two blocks, with so many units of each arm in
    each.
    """
    rows = [
        (a, b)
        for a, counts in arms_in_blocks.items()
        for b, n in enumerate(counts)
        for _ in range(n)
    ]
    arm, block = (np.array(column) for column in zip(*rows, strict=True))
    names = list(arms_in_blocks)
    weight = np.array(
        [[-1.0, 1.0, *np.zeros(len(names) - 2)]]
        + ([[-1.0, 0.0, 1.0]] if len(names) > 2 else [])
    )
    return xr.Dataset(
        {
            "weight": (("contrast", "arm"), weight),
            "outcome": (("unit", "task"), np.ones((len(arm), 1))),
        },
        {"arm": names, "assigned": ("unit", arm), "plate": ("unit", block)},
        {"transform": "ratio"},
    )


def test_blocks_of_a_ratio_have_equal_shares_of_every_arm_that_any_contrast_has() -> (
    None
):
    drawn, fixed = (
        Request("auto", "plate", (), target, "units")
        for target in ("population", "units")
    )
    _check_equal_blocks(blocked({"c": [4, 4], "t": [6, 6]}), drawn)
    with pytest.raises(EstimateError):
        _check_equal_blocks(blocked({"c": [4, 4], "t": [4, 4], "u": [2, 6]}), drawn)
    with pytest.raises(EstimateError):
        # equal shares, and blocks count alike
        _check_equal_blocks(blocked({"c": [4, 8], "t": [2, 4]}), drawn)
    _check_equal_blocks(blocked({"c": [4, 8], "t": [2, 4]}), fixed)
    with pytest.raises(EstimateError):
        _check_equal_blocks(blocked({"c": [6, 12], "t": [4, 8], "u": [2, 10]}), fixed)


def test_clusters_of_unequal_sizes_are_refused_only_where_they_count_alike() -> None:
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), np.ones((3, 1, 1)))},
        {"parent": ("unit", ["a", "a", "b"])},
        {"transform": "ratio"},
    )
    check_means_are_units(effects, AUTO)
    with pytest.raises(EstimateError):
        check_means_are_units(
            effects, Request("auto", None, (), "population", "clusters")
        )


def test_one_effect_that_is_constant_within_rounding_is_settled_beside_others() -> None:
    ice = np.array([[[1e-17], [1.0]], [[-1e-17], [3.0]], [[0.0], [2.0]]])
    effects = xr.Dataset(
        {
            "ice": (("unit", "contrast", "task"), ice),
            "constant": (("contrast", "task"), [[True], [False]]),
            "zero": (("contrast", "task"), [[True], [False]]),
        }
    )
    np.testing.assert_array_equal(
        ice_without_rounding(effects)[:, :, 0], [[0.0, 1.0], [0.0, 3.0], [0.0, 2.0]]
    )


def test_modifiers_have_the_coordinates_of_contrasts_and_tasks_and_none_of_units() -> (
    None
):
    rng = np.random.default_rng(2)
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), rng.normal(size=(30, 2, 1)))},
        {
            "contrast": ["a", "b"],
            "task": ["y"],
            "length": ("contrast", [6, 7]),
            "gc": ("unit", rng.random(30)),
        },
    )
    found = cg.moderation(effects, by="gc")
    assert "unit" not in found.dims
    assert {"length", "contrast", "task", "moderator", "prob"} == set(found.coords)
    assert found["length"].values.tolist() == [6, 7]


def test_tasks_are_not_correlated_at_several_positions() -> None:
    ice = xr.DataArray(
        np.random.default_rng(0).normal(size=(9, 1, 4, 2)),
        dims=("unit", "contrast", "position", "task"),
    )
    effects = xr.Dataset(
        {"ice": ice}, {"position": np.arange(4), "contrast": ["a"], "task": ["x", "y"]}
    )
    assert "task_correlation" in cg.estimate(
        effects.isel(position=0, drop=True), task_correlation=True
    )


def test_a_curve_that_is_constant_at_one_position_alone_is_not_warned_of() -> None:
    values = np.random.default_rng(0).normal(size=(9, 1, 3, 1))
    values[:, :, 1] = 2.0
    ice = xr.DataArray(values, dims=("unit", "contrast", "position", "task"))
    effects = xr.Dataset(
        {"ice": ice}, {"position": np.arange(3), "contrast": ["a"], "task": ["x"]}
    )
    found = cg.estimate(effects)  # warnings are errors here
    assert found["se"].values.ravel()[1] == 0.0
    with pytest.warns(cg.errors.DegenerateWarning):
        cg.estimate(effects.isel(position=[1]))


def test_the_effect_that_falls_most_with_the_size_of_clusters_is_named() -> None:
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(60), 1 + np.arange(60) % 12)
    size = np.log(np.bincount(cluster))[cluster]
    ice = np.stack([0.4 * size, -3.0 * size], axis=1)[..., None] + rng.normal(
        size=(len(cluster), 2, 1)
    )
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        {"contrast": ["rises", "falls"], "task": ["y"], "family": ("unit", cluster)},
    )
    with pytest.warns(
        cg.errors.DegenerateWarning,
    ):
        cg.estimate(effects, cluster="family")


def test_clusters_of_a_crossed_mean_count_alike_where_asked() -> None:
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(25), 1 + np.arange(25) % 4)
    ice = rng.normal(size=(len(cluster), 2, 1, 3)) + cluster[:, None, None, None] % 4
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), ice)},
        {
            "contrast": ["a", "b"],
            "task": ["y"],
            "model": ["m", "n", "o"],
            "family": ("unit", cluster),
        },
    )
    asked = {"cluster": "family", "target": "population x predictors"}
    over_clusters = cg.estimate(effects, weights="clusters", **asked)[
        "ace"
    ].values.ravel()
    means = np.stack([ice[cluster == g].mean(axis=0) for g in range(25)])
    np.testing.assert_allclose(over_clusters, means.mean(axis=(0, 2, 3)), rtol=1e-12)
    with pytest.warns(cg.errors.DegenerateWarning):
        over_units = cg.estimate(effects, **asked)["ace"].values.ravel()
    np.testing.assert_allclose(over_units, ice.mean(axis=(0, 2, 3)), rtol=1e-12)


@pytest.fixture(scope="module")
def moments() -> dict[str, xr.Dataset]:
    """Of independent units, and of shuffles of eight parents."""
    arms = {"none": cg.Untreated(), "word": cg.Embed("TGACTCA", at=10)}
    parents = cg.Uniform(length=40).sample(8, rng=0)["sequence"]
    nulls = {
        "units": cg.Uniform(length=40),
        "parents": cg.DinucleotideShuffle(of=parents),
    }
    predictor = cg.zoo.oracle("gata1_like")
    return {
        name: cg.run(
            cg.Design(
                null=null,
                arms=arms,
                n_units=24,
                contrasts={"word": {"word": 1, "none": -1}},
            ),
            predictor,
            rng=1,
            keep="moments",
        )
        for name, null in nulls.items()
    }


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize(
    ("of", "asked", "refused"),
    [
        ("units", {}, None),
        ("units", {"cluster": "none"}, None),
        ("units", {"cluster": "parent"}, None),
        ("units", {"cluster": "family"}, "cluster='family'"),
        ("units", {"weights": "clusters"}, "weights='clusters'"),
        ("units", {"target": "units"}, "target='units'"),
        ("parents", {}, None),
        ("parents", {"cluster": "parent"}, None),
        ("parents", {"cluster": "none"}, "cluster='none'"),
        ("parents", {"cluster": "family"}, "cluster='family'"),
        ("parents", {"weights": "clusters"}, "weights='clusters'"),
    ],
)
def test_moments_answer_what_they_kept(
    moments: dict[str, xr.Dataset], of: str, asked: dict[str, str], refused: str | None
) -> None:
    if refused is None:
        assert cg.estimate(moments[of], **asked).identical(cg.estimate(moments[of]))
    else:
        with pytest.raises(EstimateError):
            cg.estimate(moments[of], **asked)


@pytest.mark.parametrize("lost", [["n_units"], ["ice_correlation", "ice_sum"]])
def test_moments_without_their_number_or_products_are_refused(
    moments: dict[str, xr.Dataset], lost: list[str]
) -> None:
    with pytest.raises(cg.errors.DataError):
        cg.estimate(moments["units"].drop_vars(lost, errors="ignore"))


def test_moments_have_no_effects_that_differ_between_units(
    moments: dict[str, xr.Dataset],
) -> None:
    with pytest.raises(EstimateError):
        cg.moderation(moments["units"])
