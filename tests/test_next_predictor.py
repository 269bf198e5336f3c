# Imports from the inside: predictive intervals and crossed means, against sums of squares
# and coverage by simulation.
"""The effect in the next network: predictive intervals from few retrainings, and one
network counted twice.
"""

import itertools

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import (
    EstimateError,
    PredictorError,
)
from causalgia.estimation.crossover import (
    crossed_mean,
    mean_ice,
    next_level,
)
from causalgia.posterior.labeled_data import average_over_predictors

A, C = (
    cg.FunctionPredictor(lambda x, row=row: x[:, row].mean(-1), tasks=["n"])
    for row in (0, 1)
)


def effects_of(ice, **coords):
    """Effects of ice (unit, contrast, model) in one task."""
    names = [f"w{k}" for k in range(ice.shape[1])]
    return xr.Dataset(
        {"ice": (("unit", "contrast", "task", "model"), ice[:, :, None])},
        coords={
            "contrast": names,
            "task": ["y"],
            "model": [f"m{j}" for j in range(ice.shape[2])],
            **coords,
        },
    )


def drawn(rng, n, J, K=1, *, of_units=1.0, between=0.3, residual=0.3):
    """ICE (n, J + 1, K) of J networks and the next one, and the ACE of the next over
    the population.
    """
    g = between * rng.normal(size=(J + 1, K))
    ice = (
        1
        + g
        + of_units * rng.normal(size=(n, 1, K))
        + residual * rng.normal(size=(n, J + 1, K))
    )
    return ice, 1 + g[-1]


# --- one network twice ----------------------------------------------------------------


class _Handle:
    """State that no fingerprint can read."""

    __slots__ = ("_row",)

    def __init__(self, row):
        import threading

        self._row = (threading.Lock(), row)

    def __call__(self, x):
        return x[:, self._row[1]].mean(-1)


def test_what_a_fingerprint_cannot_read_is_compared_by_answers():
    class Unread(cg.FunctionPredictor):
        fingerprint = "0f~"

    tokens = np.random.default_rng(0).integers(0, 4, (6, 9), dtype=np.uint8)
    one, same, other = (Unread(_Handle(row), tasks=["n"]) for row in (0, 0, 1))
    assert cg.Ensemble([one, other]).predict(tokens).shape == (6, 1, 2)
    with pytest.raises(PredictorError):
        cg.Ensemble([one, same]).predict(tokens)
    with pytest.raises(PredictorError):
        cg.Ensemble([one, one])


@pytest.mark.parametrize("target", ["next predictor", "population x predictors"])
def test_a_table_that_holds_one_network_twice_is_refused(target):
    ice = np.random.default_rng(0).normal(size=(20, 2, 3))
    ice[..., 2] = ice[..., 0]
    with pytest.raises(EstimateError):
        cg.estimate(effects_of(ice), target=target)
    # what an architecture excludes is alike in all, and is no copy
    constant = np.zeros((20, 2, 3))
    with pytest.warns(cg.errors.DegenerateWarning):
        assert cg.estimate(effects_of(constant), target=target)["exact"].all()


def test_what_the_members_are_is_kept_and_said():
    design = cg.Design(
        null=cg.Uniform(length=30),
        arms={"none": cg.Untreated(), "w": cg.Embed("ACAGA", at=10)},
        n_units=40,
    )
    for of in ("seeds", "folds", "architectures"):
        outcomes = cg.run(
            design, cg.Ensemble([A, C], differ_by=of), rng=0, progress=False
        )
        assert outcomes.attrs["model_is"] == of


# --- the interval ---------------------------------------------------------------------


def test_the_interval_of_identical_units_is_the_textbook_one():
    """Without units that differ it is Student's predictive interval of one more
    draw.
    """
    level = np.array([1.0, 1.7, 0.6, 1.2])
    found = cg.estimate(
        effects_of(np.tile(level, (5, 1, 1))), target="next predictor"
    ).squeeze()
    half = stats.t.ppf(0.975, 3) * level.std(ddof=1) * np.sqrt(1 + 1 / 4)
    assert found["ace"].item() == pytest.approx(level.mean())
    assert found["df"].item() == 3
    assert found["upper"].item() == pytest.approx(level.mean() + half)
    assert found["lower"].item() == pytest.approx(level.mean() - half)


def test_the_half_width_is_that_of_its_two_parts():
    """Both squared half widths by hand, at 90 and 99.9 %: what networks answer
    differently in a unit counts once.
    """
    n, J = 25, 3
    ice = drawn(
        np.random.default_rng(1), n, J, 50, of_units=1.0, between=0.4, residual=0.5
    )[0][:, :J]
    found = next_level(ice)
    between = ice.mean(axis=0).var(axis=0, ddof=1)
    of_units = J * ice.mean(axis=1).var(axis=0, ddof=1)  # s2_e + J s2_a
    rest = (
        ice - ice.mean(axis=0) - ice.mean(axis=1, keepdims=True) + ice.mean(axis=(0, 1))
    )
    s2_e = (rest**2).sum(axis=(0, 1)) / (n - 1) / (J - 1)
    shared = np.maximum((of_units - s2_e) / J - s2_e, 0) / n
    for prob in (0.9, 0.999):
        t = stats.t.ppf((1 + prob) / 2, [[J - 1], [n - 1]])
        expected = np.sqrt(t[0] ** 2 * between * (1 + 1 / J) + t[1] ** 2 * shared)
        np.testing.assert_allclose(
            stats.t.ppf((1 + prob) / 2, found.df) * found.se, expected, rtol=1e-9
        )
    assert (shared > 0).sum() > 45
    np.testing.assert_allclose((found.factor**2).sum(axis=0), found.se**2)


@pytest.mark.simulation
@pytest.mark.parametrize(("J", "most"), [(2, 0.926), (3, 0.918), (4, 0.914)])
def test_units_that_networks_answer_differently_do_not_count_twice(J, most):
    """As much between networks in each unit as between units: .979, .963 and .956 when
    it was added again.
    """
    trials = 20_000
    ice, truth = drawn(
        np.random.default_rng(30 + J), 40, J, trials, between=0.16, residual=1.0
    )
    found = next_level(ice[:, :J])
    covered = np.mean(
        np.abs(found.ace - truth) <= stats.t.ppf(0.95, found.df) * found.se
    )
    assert (
        0.9 - 4 * np.sqrt(0.09 / trials) <= covered <= most + 4 * np.sqrt(0.09 / trials)
    )


@pytest.mark.simulation
@pytest.mark.parametrize("J", [2, 3, 4])
@pytest.mark.parametrize("between", [0.0, 0.1, 0.6])
def test_it_covers_the_next_network_over_the_population(J, between):
    rng = np.random.default_rng(J)
    trials = 4_000
    ice, truth = drawn(rng, 40, J, trials, between=between)
    found = next_level(ice[:, :J])
    half = stats.t.ppf(0.95, found.df) * found.se
    covered = np.mean(np.abs(found.ace - truth) <= half)
    assert covered >= 0.9 - 4 * np.sqrt(0.09 / trials)


def test_it_is_exact_for_the_next_network_on_these_units():
    rng = np.random.default_rng(7)
    trials = 6_000
    for J in (2, 3, 4):
        ice, _ = drawn(rng, 30, J, trials, of_units=0.0, between=0.5)
        level = ice[:, :J].mean(axis=0)
        t = stats.t.ppf(0.95, J - 1) * level.std(axis=0, ddof=1) * np.sqrt(1 + 1 / J)
        covered = np.mean(np.abs(level.mean(axis=0) - ice[:, J].mean(axis=0)) <= t)
        assert abs(covered - 0.9) < 4 * np.sqrt(0.09 / trials)


def test_units_of_one_parent_are_one_draw():
    rng = np.random.default_rng(3)
    parent = np.repeat(np.arange(30), 5)
    ice = rng.normal(size=(30, 1, 1))[parent] + 0.01 * rng.normal(size=(150, 1, 3))
    by_parent = cg.estimate(
        effects_of(ice, parent=("unit", parent)), target="next predictor"
    )
    alone = cg.estimate(
        effects_of(ice, parent=("unit", parent)),
        target="next predictor",
        cluster="none",
    )
    assert by_parent["se"].item() > 1.8 * alone["se"].item()
    assert by_parent["n_clusters"].item() == 30


def test_moderation_is_on_request_and_said():
    rng = np.random.default_rng(5)
    ice, _ = drawn(rng, 60, 3, 80, of_units=0.05, between=0.5)
    effects = effects_of(np.moveaxis(ice[:, :3], 1, 2))
    plain, moderated = (
        cg.estimate(effects, target="next predictor", variances=m)
        for m in (False, True)
    )
    width = {
        name: (e["upper"] - e["lower"]).mean().item()
        for name, e in (("plain", plain), ("moderated", moderated))
    }
    assert width["moderated"] < 0.6 * width["plain"]


@pytest.mark.simulation
def test_moderated_intervals_cover_on_average_over_contrasts():
    """And not each: a fifth of the contrasts, whose networks differ most, is covered
    less.
    """
    rng = np.random.default_rng(11)
    hits, widths = [], []
    for _ in range(60):
        sd = np.exp(0.5 * rng.normal(size=120))
        level = sd * rng.normal(size=(5, 120))
        ice = level[None] + 0.01 * rng.normal(size=(12, 5, 120))
        for J in (3, 4):
            effects = effects_of(np.moveaxis(ice[:, :J], 1, 2))
            found, plain = (
                cg.estimate(effects, target="next predictor", variances=v)
                for v in (True, False)
            )
            half, half_plain = (
                (stats.t.ppf(0.95, e["df"]) * e["se"]).to_numpy()[:, 0]
                for e in (found, plain)
            )
            hits.append(np.mean(np.abs(level[4] - found["ace"].values[:, 0]) <= half))
            widths.append(half.mean() / half_plain.mean())
    assert 0.87 <= np.mean(hits) <= 0.93
    assert np.mean(widths) < 0.85


# --- from analysis to report ----------------------------------------------------------


@pytest.fixture(scope="module")
def outcomes():
    rng = np.random.default_rng(2)
    nets = [
        cg.FunctionPredictor(lambda x, w=w: (x * w[:, None]).sum((1, 2)), tasks=["n"])
        for w in rng.normal([2.0, 0.0, 0.0, 0.0], 0.1, size=(4, 4))
    ]
    arms = {
        "none": cg.Untreated(),
        "AAAAA": cg.Embed("AAAAA", at=10),
        "CCCCC": cg.Embed("CCCCC", at=10),
    }
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=400)
    analysis = cg.Analysis(control="none", rope=(-1, 1), target="next predictor")
    return cg.run(design, cg.Ensemble(nets), rng=0, analysis=analysis, progress=False)


def test_a_verdict_is_about_the_next_network(outcomes):
    decisions = cg.analyze(outcomes)
    found = decisions if isinstance(decisions, xr.Dataset) else decisions.decisions
    assert found["verdict"].sel(contrast="AAAAA").item() == "increases"
    assert "exploratory" not in found.attrs


def test_ratios_have_no_predictive_interval(outcomes):
    shifted = outcomes.assign(outcome=outcomes["outcome"] + 100)
    logs = cg.contrast(shifted, control="none", scale="log_of_means")
    assert (cg.estimate(logs, target="next predictor")["se"] > 0).all()


@pytest.mark.simulation
@pytest.mark.parametrize("sd", [0.2, 0.5, 0.8])
def test_false_verdicts_about_the_next_network(sd):
    """Directions <= .025 a side, and "negligible" <= .05 although the next network may
    lie on either side.
    """
    rng = np.random.default_rng(17)
    trials, J = 4_000, 3
    for center in (0.0, 0.5, 1.0):
        level = center + sd * rng.normal(size=(J + 1, trials))
        ice = level[None, :J] + 1e-3 * rng.normal(size=(6, J, trials))
        e = next_level(ice)
        t95, t90 = (stats.t.ppf(q, e.df) * e.se for q in (0.975, 0.95))
        above, inside = e.ace - t95 > 1, (e.ace - t90 > -1) & (e.ace + t90 < 1)
        band = 4 * np.sqrt(0.05 * 0.95 / trials)
        assert np.mean(above & (level[J] <= 1)) <= 0.025 + band
        assert np.mean(inside & (np.abs(level[J]) >= 1)) <= 0.05 + band


@pytest.mark.simulation
def test_leave_one_out_of_every_ensemble_covers_as_it_says():
    rng = np.random.default_rng(23)
    for J in (2, 3, 4):
        hits = []
        for _ in range(150):
            level = rng.normal(size=(5, 8))
            for subset in itertools.combinations(range(5), J):
                e = next_level(np.tile(level[list(subset)], (3, 1, 1)))
                half = stats.t.ppf(0.95, e.df) * e.se
                hits += [
                    np.abs(level[m] - e.ace) <= half
                    for m in set(range(5)) - set(subset)
                ]
        assert 0.87 <= np.mean(hits) <= 0.93


def mean_squares(ice, codes):
    """CR2 variances of the mean over units, over levels, and of their interaction, each
    by sums over clusters.
    """
    n, M = ice.shape[:2]
    G = codes.max() + 1
    share = np.bincount(codes) / n
    by_unit, by_level = ice.mean(axis=1), ice.mean(axis=0)
    units = sum(
        ((by_unit - by_unit.mean(axis=0))[codes == g].sum(axis=0) / n) ** 2
        / (1 - share[g])
        for g in range(G)
    )
    levels = by_level.var(axis=0, ddof=1) / M
    left = (
        ice - ice.mean(axis=1, keepdims=True) - ice.mean(axis=0) + ice.mean(axis=(0, 1))
    )
    both = sum(
        (left[codes == g].sum(axis=0) / n) ** 2 / (1 - share[g]) for g in range(G)
    ).sum(axis=0) / (M * (M - 1))
    return units, levels, both


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize(
    "scale", [(1.0, 1.0, 0.3), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0), (0.0, 0.0, 1.0)]
)
def test_units_and_levels_are_crossed_as_mean_squares_say(scale, clustered):
    rng = np.random.default_rng(3)
    n, M = 24, 4
    codes = np.arange(n) // 3 if clustered else np.arange(n)
    ice = (
        5
        + scale[0] * rng.normal(size=(n, 1, 6))
        + scale[1] * rng.normal(size=(1, M, 6))
    )
    ice = ice + scale[2] * rng.normal(size=(n, M, 6))
    units, levels, both = mean_squares(ice, codes)
    found = crossed_mean(ice, codes if clustered else None)
    np.testing.assert_allclose(found.ace, ice.mean(axis=(0, 1)))
    variance = np.maximum(units - both, 0) + np.maximum(levels - both, 0) + both
    np.testing.assert_allclose(found.se**2, variance, rtol=1e-9)
    np.testing.assert_allclose((found.factor**2).sum(axis=0), variance, rtol=1e-9)
    df_units, df_levels = (
        mean_ice(ice.mean(axis=1), codes if clustered else None).df,
        M - 1.0,
    )
    dfs = df_units, df_levels, df_units * df_levels
    counted = [units > both, levels > both, (units > both) == (levels > both)]
    spread = sum(
        np.where(used, part**2 / df, 0)
        for used, part, df in zip(counted, (units, levels, both), dfs, strict=True)
    )
    np.testing.assert_allclose(found.df, variance**2 / spread, rtol=1e-9)

    ahead = next_level(ice, codes if clustered else None)
    shared, predicted = np.maximum(units - (M + 1) * both, 0), (M + 1) * levels
    np.testing.assert_allclose(ahead.ace, found.ace)
    np.testing.assert_allclose((ahead.factor**2).sum(axis=0), ahead.se**2, rtol=1e-9)
    for prob in (0.95, 0.9995):
        half = np.sqrt(
            predicted * stats.t.ppf(prob, df_levels) ** 2
            + shared * stats.t.ppf(prob, df_units) ** 2
        )
        np.testing.assert_allclose(
            ahead.se * stats.t.ppf(prob, ahead.df), half, rtol=1e-6
        )


def test_the_mean_over_predictors_has_the_least_df_and_counts_and_the_root_mean_square_of_errors() -> (
    None
):
    dims, rng = ("contrast", "task", "model"), np.random.default_rng(0)
    values = {
        name: rng.uniform(1, 9, (2, 3, 4))
        for name in ("ace", "se", "control_sd", "df", "n_clusters")
    }
    values["n_units"] = rng.integers(20, 90, (2, 3, 4))
    values["exact"] = np.arange(24).reshape(2, 3, 4) % 5 > 0
    found = average_over_predictors(
        xr.Dataset({name: (dims, value) for name, value in values.items()})
    )
    np.testing.assert_allclose(found["ace"], values["ace"].mean(axis=-1))
    for name in ("se", "control_sd"):
        np.testing.assert_allclose(
            found[name], np.sqrt((values[name] ** 2).mean(axis=-1))
        )
    for name in ("df", "n_clusters", "n_units", "exact"):
        np.testing.assert_array_equal(
            found[name], np.sort(values[name], axis=-1)[..., 0]
        )
