"""Effects that tasks share: the mixture against enumeration, its weights, risks, and
simulations of kinds of truth.
"""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import special, stats

import causalgia as cg
from causalgia._analyze import steps
from causalgia.errors import (
    ExploratoryWarning,
)
from causalgia.posterior import task_covariances
from causalgia.posterior.averaged_weights import averaged_weights, visible_counts
from causalgia.posterior.mixture import mixture_weights, null_biased_counts, scale_grid
from causalgia.posterior.pattern_mixture import (
    PatternLaw,
    TaskMoments,
    averaged_moments,
    draw_effects_of_tasks,
    fitted_weights,
    log_densities,
    pattern_grid,
    signed_moments,
)
from causalgia.posterior.posterior_tree import tree_datasets
from causalgia.posterior.shared_effects import (
    Risk,
    Sharing,
    _crossed_alone,
    _joined,
    _pattern_weights,
    _risks,
    _sharing_group,
    balanced_splits,
)
from causalgia.posterior.task_covariances import (
    Pattern,
    _Analyzer,
    _distinct,
    _Expected,
    canonical_patterns,
    learned_patterns,
    task_errors,
)
from causalgia.zoo import MotifCount, Oracle

TASKS = ["a", "b", "c", "d"]


def small_problem(seed=1, n=20):
    """Twenty contrasts in four tasks, each with a covariance of its own, and a law of
    28 components.
    """
    rng = np.random.default_rng(seed)
    size = len(TASKS)
    root = rng.normal(size=(n, size, size + 3))
    covariance = root @ root.transpose(0, 2, 1) / size + 0.1 * np.eye(size)
    learned = [
        Pattern("two", rng.normal(size=(size, 2)), 0.3),
        Pattern("three", rng.normal(size=(size, 3))),
    ]
    grid = pattern_grid(
        [*canonical_patterns(TASKS), *learned], np.array([0.3, 1.0, 3.0])
    )
    law = PatternLaw(
        grid.patterns, grid.pattern, grid.scale, rng.dirichlet(np.ones(len(grid.scale)))
    )
    values, vectors = np.linalg.eigh(covariance)
    return (
        2 * rng.normal(size=(n, size)),
        covariance,
        law,
        lambda rows: (values[rows], vectors[rows]),
    )


def enumerated(effect, covariance, law):
    """The posterior of one contrast, every component a dense matrix: log densities,
    mean, covariance, lfsr, P(0).
    """
    size = len(effect)
    densities, means, covariances = [], [], []
    for place, scale in zip(law.pattern, law.scale, strict=True):
        prior = (
            np.zeros((size, size))
            if place < 0
            else scale**2 * law.patterns[place].covariance
        )
        densities.append(
            stats.multivariate_normal(np.zeros(size), covariance + prior).logpdf(effect)
        )
        gain = prior @ np.linalg.inv(covariance + prior)
        means.append(gain @ effect)
        covariances.append(prior - gain @ prior)
    share = np.exp(densities) * law.weight
    share /= share.sum()
    mean = share @ np.array(means)
    second = np.einsum(
        "c,cij->ij",
        share,
        np.array(covariances) + np.einsum("ci,cj->cij", means, means),
    )
    sd = np.sqrt(np.maximum(np.diagonal(covariances, axis1=1, axis2=2), 0))
    atom = sd < 1e-7
    below = np.where(atom, 0, stats.norm.cdf(-np.array(means) / np.where(atom, 1, sd)))
    zero = share @ atom
    negative = share @ below
    lfsr = zero + np.minimum(negative, 1 - zero - negative)
    return np.array(densities), mean, second - np.outer(mean, mean), lfsr, zero


def test_the_posterior_is_that_of_enumeration():
    effect, covariance, law, errors = small_problem()
    found, density = (
        averaged_moments([signed_moments(effect, errors, law)]),
        log_densities(effect, errors, law),
    )
    for j, (x, v) in enumerate(zip(effect, covariance, strict=True)):
        densities, mean, spread, lfsr, zero = enumerated(x, v, law)
        assert density[j] - len(x) / 2 * np.log(2 * np.pi) == pytest.approx(
            densities, abs=1e-10
        )
        assert found.mean[j] == pytest.approx(mean, abs=1e-10)
        assert found.sd[j] == pytest.approx(np.sqrt(np.diagonal(spread)), abs=1e-10)
        assert found.lfsr[j] == pytest.approx(lfsr, abs=1e-9)
        assert found.lfdr[j] == pytest.approx(zero, abs=1e-10)


@pytest.mark.parametrize("size", [1e-20, 1e20])
@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_determinants_beyond_any_float_are_sums_of_logs(size, ridge):
    """Ten tasks whose variances have a product of 1e-400 or 1e400: the log density is
    that of a unit of its own.
    """
    rng = np.random.default_rng(4)
    variance = rng.uniform(0.5, 2.0, (3, 10))
    effect, loadings = 2 * rng.normal(size=(3, 10)), rng.normal(size=(10, 2))
    law = pattern_grid([Pattern("two", loadings, ridge)], np.array([np.sqrt(2.0)]))
    there = replace(law, scale=law.scale * size)
    eye = np.eye(10)
    values, vectors = size**2 * variance, np.tile(eye, (3, 1, 1))
    found = log_densities(
        size * effect, lambda rows: (values[rows], vectors[rows]), there
    )
    for x, v, row in zip(effect, variance, found, strict=True):
        for prior, density in zip(
            (0 * eye, 2 * (loadings @ loadings.T + ridge * eye)), row, strict=True
        ):
            whole = stats.multivariate_normal(np.zeros(10), np.diag(v) + prior)
            expected = whole.logpdf(x) + 5 * np.log(2 * np.pi) - 10 * np.log(size)
            assert density == pytest.approx(expected, rel=1e-12)


def test_draws_have_the_moments_of_enumeration():
    effect, covariance, law, errors = small_problem(n=3)
    n = 40_000
    draws = draw_effects_of_tasks(
        n, effect, errors, law, lambda row: np.random.default_rng([5, row])
    )
    for j in range(3):
        _, mean, spread, _, zero = enumerated(effect[j], covariance[j], law)
        sd = np.sqrt(np.diagonal(spread))
        assert (np.abs(draws[:, j].mean(axis=0) - mean) < 5 * sd / np.sqrt(n)).all()
        assert np.abs(
            np.cov(draws[:, j].T) - spread
        ).max() < 10 * sd.max() ** 2 / np.sqrt(n)
        assert (
            np.abs((draws[:, j] == 0).mean(axis=0) - zero) < 5 / np.sqrt(4 * n)
        ).all()


def test_draws_do_not_depend_on_other_contrasts():
    effect, _, law, errors = small_problem()

    def seed(row):
        return np.random.default_rng([5, row])

    all_of_them = draw_effects_of_tasks(8, effect, errors, law, seed)
    first = draw_effects_of_tasks(8, effect[:3], errors, law, seed)
    np.testing.assert_array_equal(all_of_them[:, :3], first)


def test_the_weights_are_those_of_the_whole_program():
    """Adding columns where the gradient is positive reaches the optimum of all columns
    at once.
    """
    rng = np.random.default_rng(2)
    scale = np.concatenate([[0.0], np.tile(np.geomspace(0.1, 5, 20), 10)])
    density = rng.normal(scale=2.0, size=(300, len(scale)))
    counts = null_biased_counts(scale)
    found = fitted_weights(density, scale)
    whole = mixture_weights(density, counts).weight

    def objective(weight):
        return np.log(np.exp(density) @ weight).sum() + 9 * np.log(weight[0])

    assert found.sum() == pytest.approx(1)
    assert objective(found) == pytest.approx(objective(whole), abs=1e-5)


def test_averaged_weights_are_those_of_enumeration():
    """All 3^6 ways of giving six contrasts three components, weights integrated."""
    log_density = np.random.default_rng(4).normal(0, 1.5, size=(6, 3))
    counts, total, log_p = np.array([1.0, 0.4, 2.0]), np.zeros((6, 3)), []
    ways = np.array(list(product(range(3), repeat=6)))
    for way in ways:
        taken = counts + np.bincount(way, minlength=3)
        likelihood = log_density[np.arange(6), way].sum()
        log_p.append(likelihood + special.gammaln(taken).sum())
    p = np.exp(np.array(log_p) - max(log_p))
    p /= p.sum()
    for c in range(3):
        total[:, c] = p @ (ways == c)
    weight, share = averaged_weights(log_density, counts, 200_000)
    np.testing.assert_allclose(share, total, atol=0.01)
    mean = (counts + total.sum(axis=0)) / (6 + 3.4)
    np.testing.assert_allclose(weight, mean, atol=0.005)
    again, turned = averaged_weights(log_density[::-1], counts, 200_000)
    np.testing.assert_array_equal(turned[::-1], share)
    np.testing.assert_allclose(again, weight, rtol=1e-12)


@pytest.mark.simulation
@pytest.mark.parametrize(("size", "r"), [(5, 0.0), (10, 0.6)])
def test_intervals_of_few_weak_effects_cover(size, r):
    """Weights taken for known covered .80 and .69 in these cells; averaged over, .93.

    With errors that correlate sharing is mostly given up, for each task by itself.
    """
    covered = []
    for seed in range(6):
        truth, estimates = estimates_of("weak", n=60, size=size, r=r, seed=seed)
        posterior = cg.infer(estimates, across="task", rng=seed, n_draws=1_000)
        draws = posterior["posterior"]["ace"].stack(all=("chain", "draw"))
        lower, upper = np.quantile(draws.transpose("all", ...), [0.025, 0.975], axis=0)
        covered.append(((lower <= truth) & (truth <= upper)).mean())
    assert np.mean(covered) >= 0.9


def test_patterns_of_two_groups_are_learned_with_exact_zeros():
    rng = np.random.default_rng(3)
    first = rng.random(400) < 0.5
    group = np.array([True] * 3 + [False] * 3)
    truth = 4 * rng.normal(size=(400, 1)) * np.where(first[:, None], group, ~group)
    values, vectors = np.ones((400, 6)), np.broadcast_to(np.eye(6), (400, 6, 6))
    found = learned_patterns(
        truth + rng.normal(size=(400, 6)), values, vectors, n_strong=400
    )
    clear = [
        pattern.loadings.ravel() != 0 for pattern in found if "clear" in pattern.name
    ]
    assert any((one == group).all() for one in clear)
    assert any((one == ~group).all() for one in clear)


def correlation_of(size, r):
    return (1 - r) * np.eye(size) + r


def truths(kind, n, size, rng):
    """True effects, (n, size): shared or not between tasks; errors have sd 1."""
    some = (rng.random(n) < 0.3)[:, None]
    if kind == "equal":
        return 3 * rng.normal(size=(n, 1)) * some * np.ones(size)
    if kind == "weak":
        common = np.sqrt(0.75) * rng.normal(size=(n, 1))
        return common + 0.5 * rng.normal(size=(n, size))
    if kind == "independent":
        return 3 * rng.normal(size=(n, size)) * (rng.random((n, size)) < 0.3)
    if kind == "one task":
        return (
            4
            * rng.normal(size=(n, 1))
            * some
            * np.eye(size)[rng.integers(size, size=n)]
        )
    return np.zeros((n, size))


def estimates_of(kind, n=400, size=6, r=0.0, seed=1):
    rng = np.random.default_rng(seed)
    truth = truths(kind, n, size, rng)
    correlation = correlation_of(size, r)
    effect = truth + rng.normal(size=(n, size)) @ np.linalg.cholesky(correlation).T
    dims, coords = (
        ("contrast", "task"),
        {"contrast": np.arange(n), "task": [f"t{t}" for t in range(size)]},
    )
    table = xr.Dataset(
        {"effect": (dims, effect), "se": (dims, np.ones(effect.shape))}, coords
    )
    return truth, cg.from_effects(table, task_correlation=correlation)


def rmse(values, truth):
    return float(np.sqrt(((values.to_numpy() - truth) ** 2).mean()))


@pytest.mark.simulation
def test_shared_effects_are_estimated_better_and_the_risk_says_so():
    truth, estimates = estimates_of("equal")
    posterior = cg.infer(estimates, across="task", rng=1, n_draws=400)
    moments, attrs = posterior["moments"], posterior["posterior"].attrs
    assert attrs["sharing"] == "used"
    assert rmse(moments["mean"], truth) < 0.5 * rmse(moments["mean_alone"], truth)
    group = posterior["sharing"]
    true_risk = rmse(moments["mean"], truth) ** 2
    assert float(group["risk"].mean()) == pytest.approx(true_risk, abs=0.15)
    assert float(group["risk_alone"].mean()) == pytest.approx(
        rmse(moments["mean_alone"], truth) ** 2, abs=0.15
    )
    assert float(group["weight"].sum()) == pytest.approx(1)
    off = ~np.eye(6, dtype=bool)
    assert float(group["same_size"].to_numpy()[off].min()) > 0.9


@pytest.mark.parametrize("kind", ["equal", "one task"])
def test_moments_depend_on_the_effects_alone(kind):
    """Not on the seed, to twelve digits (BLAS decides the rest), nor on the order of the
    contrasts; halves drawn at random moved means by up to 1.8 errors.
    """
    _, estimates = estimates_of(kind, n=90, r=0.6)
    order = np.random.default_rng(0).permutation(90)
    one, other, turned = (
        cg.infer(x, across="task", rng=seed, n_draws=40)
        for x, seed in (
            (estimates, 1),
            (estimates, 2),
            (estimates.isel(contrast=order), 3),
        )
    )
    for name, values in one["moments"].items():
        np.testing.assert_allclose(
            other["moments"][name], values, rtol=1e-12, atol=1e-15
        )
        np.testing.assert_allclose(
            turned["moments"][name], values.isel(contrast=order), rtol=1e-6, atol=1e-9
        )
    assert not np.array_equal(one["posterior"]["ace"], other["posterior"]["ace"])


def test_a_posterior_over_splits_is_the_mixture_of_enumeration():
    effect, covariance, law, errors = small_problem(n=4)
    laws = [
        replace(
            law, weight=np.random.default_rng(k).dirichlet(np.ones(len(law.weight)))
        )
        for k in range(3)
    ]
    found = averaged_moments([signed_moments(effect, errors, one) for one in laws])
    for j in range(4):
        each = [enumerated(effect[j], covariance[j], one) for one in laws]
        means, spreads = (
            np.array([one[1] for one in each]),
            np.array([np.diagonal(one[2]) for one in each]),
        )
        np.testing.assert_allclose(found.mean[j], means.mean(axis=0), atol=1e-10)
        np.testing.assert_allclose(
            found.sd[j] ** 2,
            (spreads + means**2).mean(axis=0) - means.mean(axis=0) ** 2,
            rtol=1e-6,
        )
        zero = np.mean([one[4] for one in each], axis=0)
        np.testing.assert_allclose(found.lfdr[j], zero, atol=1e-10)
        negative = np.mean(
            [signed_moments(effect, errors, one)[2, j] for one in laws], axis=0
        )
        np.testing.assert_allclose(
            found.lfsr[j], zero + np.minimum(negative, 1 - zero - negative), atol=1e-10
        )


def test_splits_are_balanced():
    rng = np.random.default_rng(0)
    errors = SimpleNamespace(
        effect=rng.normal(0, 3, size=(80, 5)), variance=np.ones((80, 5))
    )
    groups, splits = balanced_splits(errors, 8, 4)
    assert np.bincount(groups).tolist() == [10] * 8
    assert (splits.sum(axis=1) == 0).all()
    assert np.array_equal(splits @ splits.T, 8 * np.eye(4))
    strength = np.abs(errors.effect).max(axis=1)
    means = np.array([strength[groups == g].mean() for g in range(8)])
    assert np.ptp(means) < 0.5 * strength.std()


@pytest.mark.parametrize("n", [90, 1_000])
def test_draws_of_all_splits_have_the_moments(n):
    _, estimates = estimates_of("equal", n=n, size=4)
    posterior = cg.infer(estimates, across="task", rng=1, n_draws=800)
    draws, moments = posterior["posterior"]["ace"], posterior["moments"]
    apart = (draws.mean(("chain", "draw")) - moments["mean"]) / np.maximum(
        moments["sd"], 1e-3
    )
    assert float(np.abs(apart).max()) < 6 / np.sqrt(800)
    spread = draws.std(("chain", "draw")) / np.maximum(moments["sd"], 1e-3)
    clear = (moments["lfsr"] < 0.01).to_numpy()
    assert np.abs(spread.to_numpy()[clear] - 1).max() < 0.25


@pytest.mark.simulation
def test_independent_effects_are_left_to_each_task():
    _, estimates = estimates_of("independent")
    posterior = cg.infer(estimates, across="task", rng=1, n_draws=400)
    moments, attrs = posterior["moments"], posterior["posterior"].attrs
    assert attrs["sharing"] == "given up"
    for name in ("mean", "sd", "lfsr"):
        np.testing.assert_array_equal(moments[name], moments[f"{name}_alone"])
    draws = posterior["posterior"]["ace"]
    assert draws.dims == ("chain", "draw", "contrast", "task")
    apart = (draws.mean(("chain", "draw")) - moments["mean"]) / np.maximum(
        moments["sd"], 1e-3
    )
    assert float(np.abs(apart).max()) < 6 / np.sqrt(400)


@pytest.mark.simulation
def test_where_the_law_lacks_zeros_the_larger_lfsr_holds():
    """Independent effects with correlated errors: sharing subtracts errors, and gives
    signs to effects that are 0.
    """
    truth, estimates = estimates_of("independent", n=1_000, size=10, r=0.6)
    posterior = cg.infer(estimates, across="task", rng=1, n_draws=40)
    moments, attrs = posterior["moments"], posterior["posterior"].attrs
    assert attrs["sharing"] == "used"
    assert attrs["lfsr_of"] == "the larger of both"
    assert rmse(moments["mean"], truth) < rmse(moments["mean_alone"], truth)
    assert (moments["lfsr"] >= moments["lfsr_alone"]).all()
    clear = (moments["lfsr"] <= 0.05).to_numpy()
    wrong = np.sign(moments["mean"].to_numpy()) != np.sign(truth)
    assert wrong[clear].mean() <= 0.05
    decisions = cg.decide(posterior, rope=0, ci_prob=0.9)
    assert "lfsr_alone" in decisions


def test_ignoring_the_correlation_of_errors_gives_false_signs():
    """The law itself, without the comparison of risks: errors that tasks share pass for
    effects that they share.
    """
    _, estimates = estimates_of("null", n=500, size=10, r=0.6)
    effect, clear = estimates["ace"].to_numpy(), []
    for correlation in (correlation_of(10, 0.6), np.eye(10)):
        values, vectors = np.linalg.eigh(correlation)
        rotation = (np.tile(values, (500, 1)), np.tile(vectors, (500, 1, 1)))
        grid = pattern_grid(
            canonical_patterns([f"t{t}" for t in range(10)]), np.geomspace(0.1, 4, 12)
        )

        def errors(rows, rotation=rotation):
            return rotation[0][rows], rotation[1][rows]

        weight = fitted_weights(log_densities(effect, errors, grid), grid.scale)
        law = PatternLaw(grid.patterns, grid.pattern, grid.scale, weight)
        clear.append(
            int(
                (
                    averaged_moments([signed_moments(effect, errors, law)]).lfsr <= 0.05
                ).sum()
            )
        )
    assert clear[0] == 0
    assert clear[1] > 500  # of 5,000, all of them false


def units(n=300, n_contrasts=60, size=5, r=0.5, control=0.0, effect=None, seed=3):
    """Individual effects of a crossover: errors of tasks correlate, and contrasts share
    those of their control.
    """
    rng = np.random.default_rng(seed)
    root = np.linalg.cholesky(correlation_of(size, r)).T
    ice = (
        rng.normal(size=(n, n_contrasts, size)) @ root
        + control * rng.normal(size=(n, 1, size)) @ root
    )
    ice += 0.0 if effect is None else effect
    coords = {
        "contrast": [f"w{k}" for k in range(n_contrasts)],
        "task": [f"t{t}" for t in range(size)],
    }
    return xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords)


def test_the_correlation_between_tasks_is_that_of_the_units():
    effects = units(n_contrasts=4)
    estimates = cg.estimate(effects, task_correlation=True)
    for k in range(4):
        expected = np.corrcoef(effects["ice"].isel(contrast=k).to_numpy().T)
        assert estimates["task_correlation"].isel(
            contrast=k
        ).to_numpy() == pytest.approx(expected, abs=1e-6)
    ice = effects["ice"].to_numpy()
    flat = np.cov(ice.reshape(len(ice), -1).T).reshape(4, 5, 4, 5) / len(ice)
    pairs = np.mean(
        [flat[j, :, k, :] for j in range(4) for k in range(4) if j != k], axis=0
    )
    assert estimates["shared_covariance"].to_numpy() == pytest.approx(pairs, abs=1e-12)
    assert estimates.attrs["task_correlation_df"] == 299
    plain = cg.estimate(effects)
    xr.testing.assert_identical(
        estimates[list(plain.data_vars)].drop_attrs(), plain.drop_attrs()
    )


def parallel_units(n=90, size=3, scale="log counts"):
    """A parallel trial of three arms, in which the outcomes of a unit in several tasks
    go together.
    """
    rng = np.random.default_rng(3)
    y = np.exp(
        0.3 * (rng.normal(size=(n, size)) + rng.normal(size=(n, 1)) * np.arange(size))
    )
    arms = ["none", "A", "B"]
    coords = {
        "arm": arms,
        "assigned": ("unit", np.array(arms)[np.arange(n) % 3]),
        "task": [f"t{t}" for t in range(size)],
    }
    return xr.Dataset(
        {"outcome": (("unit", "task"), y)}, coords, attrs={"scale": scale}
    )


@pytest.mark.parametrize("scale", ["identity", "log_of_means"])
def test_the_correlation_in_a_parallel_trial_is_that_of_the_units(scale):
    """Its plain estimate has a row of errors for each arm, which says nothing of two
    tasks.
    """
    outcomes = parallel_units(scale="counts")
    estimates = cg.estimate(
        cg.contrast(outcomes, control="none", scale=scale), task_correlation=True
    )
    covariance = {}
    for arm in ("none", "A", "B"):
        y = outcomes["outcome"].to_numpy()[outcomes["assigned"].to_numpy() == arm]
        covariance[arm] = np.cov(
            (y / y.mean(axis=0) if scale == "log_of_means" else y).T
        ) / len(y)
    for arm in ("A", "B"):
        V = covariance[arm] + covariance["none"]
        expected = V / np.sqrt(np.outer(np.diag(V), np.diag(V)))
        assert estimates["task_correlation"].sel(
            contrast=arm
        ).to_numpy() == pytest.approx(expected, abs=1e-6)
        assert estimates["se"].sel(contrast=arm).to_numpy() == pytest.approx(
            np.sqrt(np.diag(V))
        )
    assert estimates["shared_covariance"].to_numpy() == pytest.approx(
        covariance["none"], rel=1e-6
    )
    assert estimates.attrs["task_correlation_df"] == 59
    plain = cg.estimate(cg.contrast(outcomes, control="none", scale=scale))
    xr.testing.assert_identical(
        estimates[list(plain.data_vars)].drop_attrs(), plain.drop_attrs()
    )


def test_many_contrasts_bring_their_factor():
    """Beyond 512 contrasts estimates hold the factor, from which the correlations
    follow.
    """
    estimates = cg.estimate(units(n=40, n_contrasts=520, size=3))
    asked = cg.estimate(units(n=40, n_contrasts=520, size=3), task_correlation=True)
    one, other = (task_errors(x) for x in (estimates, asked))
    np.testing.assert_allclose(one.effect, other.effect)
    np.testing.assert_allclose(one.correlation, other.correlation)
    assert one.shrinkage == pytest.approx(other.shrinkage)
    assert one.shrinkage > 0.8  # contrasts have one correlation


@pytest.mark.simulation
def test_an_error_that_contrasts_share_is_no_effect():
    effects = units(n=60, n_contrasts=300, size=10, r=0.6, control=1.0, seed=0)
    estimates = cg.estimate(effects, task_correlation=True)
    found = cg.infer(estimates, across="task", rng=1, n_draws=40)
    ignored = cg.infer(
        estimates.drop_vars("shared_covariance"), across="task", rng=1, n_draws=40
    )
    count = [int((tree["moments"]["lfsr"] <= 0.05).sum()) for tree in (found, ignored)]
    assert count[0] <= 6
    assert count[1] > 50


@pytest.mark.parametrize(("n", "n_contrasts", "size"), [(60, 20, 5)])
def test_contrasts_that_share_no_arm_have_no_shared_error(n, n_contrasts, size):
    """Its estimate is not 0, and within the sampling error; a control arm, half of the
    variance, is always beyond.
    """
    kinds = {0.0: 0, 1.0: 12}
    for control, found in kinds.items():
        all_units = [
            units(n, n_contrasts, size, r=0.6, control=control, seed=seed)
            for seed in range(12)
        ]
        errors = [
            task_errors(cg.estimate(one, task_correlation=True)) for one in all_units
        ]
        assert sum(bool(one.shared.any()) for one in errors) == found


def test_the_shared_error_is_found_beside_effects():
    rng = np.random.default_rng(0)
    effect = np.where(
        rng.random((200, 1)) < 0.3, rng.normal(size=(200, 1)), 0.0
    ) * np.ones(4)
    effects = units(n=100, n_contrasts=200, size=4, control=1.0, effect=effect)
    errors = task_errors(cg.estimate(effects, task_correlation=True))
    true = effects["ice"].mean("unit").to_numpy() - effect
    assert errors.effect * errors.unit + (true.mean(axis=0)) == pytest.approx(
        effects["ice"].mean("unit").to_numpy(), abs=0.04
    )


def test_results_do_not_depend_on_the_unit_of_the_effects():
    _, estimates = estimates_of("equal", n=100)
    small = estimates.copy()
    for name in ("ace", "se", "lower", "upper"):
        small[name] = estimates[name] * 2.0**-40
    one, other = (
        cg.infer(x, across="task", rng=1, n_draws=4)["moments"]
        for x in (estimates, small)
    )
    np.testing.assert_allclose(other["mean"], one["mean"] * 2.0**-40, rtol=1e-9)
    np.testing.assert_allclose(other["lfsr"], one["lfsr"], rtol=1e-9)


@pytest.mark.simulation
def test_a_posterior_across_tasks_is_decided_reported_drawn_and_stored(tmp_path):
    _, estimates = estimates_of("equal", n=60)
    posterior = cg.infer(estimates, across="task", rng=1)
    decisions = cg.decide(posterior, rope=(-0.5, 0.5))
    assert decisions["verdict"].dims == ("contrast", "task")
    share = posterior["sharing"]["same_sign"]
    axes = cg.plot.heatmap(share, rows="task", columns="task_", label="share")
    assert axes.images[0].get_array().shape == (6, 6)
    posterior.to_netcdf(str(tmp_path / "posterior.nc"))
    groups = tree_datasets(posterior)
    assert {"posterior", "moments", "sharing", "observed_data", "constant_data"} <= set(
        groups
    )
    assert set(groups["sharing"].data_vars) >= {
        "n_clear",
        "n_same_sign",
        "n_same_size",
        "same_sign",
        "same_size",
    }


def test_selected_tasks_are_selected_in_the_correlation():
    _, estimates = estimates_of("equal", n=60, r=0.5)
    whole = task_errors(estimates.sel(task=["t4", "t1"]))
    assert whole.correlation == pytest.approx(correlation_of(2, 0.5))


def test_a_direction_that_repeats_one_better_known_is_left_out():
    column = np.array([[3.0], [4.0], [0.0]])

    def part(loadings, variance):
        return _Analyzer(loadings, 0.1, np.full(loadings.shape, variance))

    known, repeated, other = (
        part(column, 0.1),
        part(-0.01 * column, 0.2),
        part(np.array([[4.0], [-3.0], [0.0]]), 0.3),
    )
    wide = part(np.hstack([column, column]), 0.4)
    kept = _distinct([wide, other, repeated, known])
    assert [
        found is expected
        for found, expected in zip(kept, (known, other, wide), strict=True)
    ] == [True] * 3
    large = _distinct([part(100 * column, 0.2), known])
    assert len(large) == 1
    assert large[0] is known


@pytest.mark.parametrize("ridge", [0.0, 0.4])
@pytest.mark.parametrize("rank", [1, 2])
def test_the_expectations_of_an_analyzer_are_those_of_dense_matrices(ridge, rank):
    """x = L z + ridge^(1/2) e + noise: density of x, moments of z, and E |delta - L
    z|^2, given x.
    """
    rng = np.random.default_rng(rank)
    n, size = 5, 4
    root = rng.normal(size=(n, size, 6))
    V = root @ root.transpose(0, 2, 1) / 6 + 0.2 * np.eye(size)
    values, vectors = np.linalg.eigh(V)
    effect, L = rng.normal(0, 2, (n, size)), rng.normal(size=(size, rank))
    rotated = np.einsum("nij,ni->nj", vectors, effect)
    found = _Expected(rotated, values, np.matmul(vectors.transpose(0, 2, 1), L), ridge)
    scores, spreads = [], []
    for j in range(n):
        whole = V[j] + L @ L.T + ridge * np.eye(size)
        density = stats.multivariate_normal(np.zeros(size), whole).logpdf(
            effect[j]
        ) + size / 2 * np.log(2 * np.pi)
        assert found.log_density[j] == pytest.approx(density, rel=1e-9)
        inner = np.linalg.inv(V[j] + ridge * np.eye(size))
        spread = np.linalg.inv(np.eye(rank) + L.T @ inner @ L)
        score = spread @ L.T @ inner @ effect[j]
        np.testing.assert_allclose(found._score[j], score, rtol=1e-9)
        np.testing.assert_allclose(found._spread[j], spread, rtol=1e-9, atol=1e-12)
        # own part given x and z: mean gain (x - L z), covariance gain V
        gain = ridge * inner
        rest = gain @ (effect[j] - L @ score)
        expected = (
            rest @ rest
            + np.trace(gain @ V[j])
            + np.trace(gain @ L @ spread @ L.T @ gain.T)
        )
        assert found._rest[j] == pytest.approx(expected, rel=1e-9, abs=1e-12)
        scores.append(score)
        spreads.append(spread)
    weight, errors = rng.random(n), rng.random(size) + 1
    ahead = found.maximized(weight, effect, errors)
    second = sum(
        w * (c + np.outer(z, z))
        for w, c, z in zip(weight, spreads, scores, strict=True)
    )
    first = sum(
        w * np.outer(x, z) for w, x, z in zip(weight, effect, scores, strict=True)
    )
    np.testing.assert_allclose(ahead.loadings, first @ np.linalg.inv(second), rtol=1e-8)
    assert ahead.ridge == pytest.approx(weight @ found._rest / weight.sum() / size)
    expected = np.outer(errors + ahead.ridge, np.diagonal(np.linalg.inv(second)))
    np.testing.assert_allclose(ahead.loading_variance, expected, rtol=1e-9)


def test_risks_are_steins_by_hand():
    rng = np.random.default_rng(0)
    errors = task_errors(estimates_of("equal", n=30, size=3)[1])
    errors = SimpleNamespace(
        effect=errors.effect, variance=errors.variance * rng.uniform(0.5, 2, (30, 3))
    )
    shared, alone = (np.abs(rng.normal(size=(2, 30, 3))) for _ in range(2))
    found = _risks(errors, shared, alone)
    each = [
        ((errors.effect - m) ** 2 - errors.variance + 2 * v) / errors.variance
        for m, v in (shared, alone)
    ]
    np.testing.assert_allclose(found.shared, each[0].mean(axis=0))
    np.testing.assert_allclose(found.alone, each[1].mean(axis=0))
    apart = (each[1] - each[0]).mean(axis=1)
    assert (found.gain, found.gain_se) == pytest.approx(
        (apart.mean(), apart.std(ddof=1) / np.sqrt(30))
    )
    assert found.ratio == pytest.approx(each[0].mean() / each[1].mean())
    for gain, prefers in ((2.01, True), (2.0, False), (-3.0, False)):
        assert Risk(found.shared, found.alone, gain, 1.0).prefers_sharing == prefers


@pytest.mark.parametrize("few", [False, True])
def test_each_task_by_itself_is_the_mixture_with_weights_of_others(few):
    errors = task_errors(estimates_of("one task", n=60, size=2)[1])
    learned, used = np.arange(40), np.arange(40, 60)
    mean, variance = _crossed_alone(errors, learned, used, few)
    for t in range(2):
        x, v = errors.effect[:, t], errors.variance[:, t]
        scale = scale_grid(x[learned], np.sqrt(v[learned]))
        log_density = stats.norm.logpdf(
            x[learned, None], 0, np.sqrt(v[learned, None] + scale**2)
        )
        weight = mixture_weights(log_density, null_biased_counts(scale)).weight
        if few:
            counts = visible_counts(scale, float(np.median(v[learned])))
            weight = averaged_weights(log_density, counts, 30_000)[0]
        share = weight * stats.norm.pdf(
            x[used, None], 0, np.sqrt(v[used, None] + scale**2)
        )
        share /= share.sum(axis=1, keepdims=True)
        gain = scale**2 / (scale**2 + v[used, None])
        center = (share * gain * x[used, None]).sum(axis=1)
        second = (share * (gain * v[used, None] + (gain * x[used, None]) ** 2)).sum(
            axis=1
        )
        np.testing.assert_allclose(mean[:, t], center, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(variance[:, t], second - center**2, rtol=1e-6)


def test_a_law_of_two_sets_of_patterns_has_the_components_of_both_and_one_point_mass():
    rng = np.random.default_rng(0)
    sets = [
        [Pattern(f"{i}{k}", rng.normal(size=(2, 1)), 0.1 * k) for k in range(n)]
        for i, n in (("a", 2), ("b", 3))
    ]
    laws = [
        pattern_grid(patterns, scales)
        for patterns, scales in zip(sets, ([1.0, 2.0], [0.5]), strict=True)
    ]
    joined = _joined(*laws)
    expected = (
        [("none", 0.0)]
        + [(p.name, s) for p in sets[0] for s in (1.0, 2.0)]
        + [(p.name, 0.5) for p in sets[1]]
    )
    names = [
        "none" if place < 0 else joined.patterns[place].name for place in joined.pattern
    ]
    assert list(zip(names, joined.scale, strict=True)) == expected
    np.testing.assert_allclose(joined.weight, 1 / 8)


def test_weights_of_patterns_are_averages_over_the_contrasts_of_each_law():
    first, second = Pattern("first", np.ones((2, 1))), Pattern("second", np.eye(2))
    one = PatternLaw(
        (first, second),
        np.array([-1, 0, 0, 1]),
        np.array([0, 1, 2, 1.0]),
        np.array([0.1, 0.2, 0.4, 0.3]),
    )
    other = PatternLaw(
        (second,), np.array([-1, 0]), np.array([0, 1.0]), np.array([0.7, 0.3])
    )
    both = ((3, one), (1, other))
    parts = [SimpleNamespace(here=np.arange(n), law=law) for n, law in both]
    found = _pattern_weights([parts])
    assert list(found) == ["first", "second", "none"]
    assert list(found.values()) == pytest.approx(
        [0.75 * 0.6, 0.75 * 0.3 + 0.25 * 0.3, 0.75 * 0.1 + 0.25 * 0.7]
    )


def test_how_effects_are_shared_is_counted_by_hand():
    mean = np.array(
        [[4.0, 2.0, 1.9], [-1.0, -3.0, 0.5], [1.0, 1.0, 1.0], [-5.0, 2.0, -2.4]]
    )
    lfsr = np.array(
        [[0.01, 0.05, 0.2], [0.2, 0.01, 0.3], [0.2, 0.3, 0.06], [0.01, 0.01, 0.9]]
    )
    moments = TaskMoments(mean, np.ones((4, 3)), lfsr, np.zeros((4, 3)))
    risk = Risk(np.full(3, 0.5), np.full(3, 1.0), 0.5, 0.1)
    found = Sharing(
        moments,
        moments,
        risk,
        False,
        {"equal": 0.6, "none": 0.4},
        lambda n: np.zeros((n, 4, 3)),
    )
    group = _sharing_group(found, {"contrast": list("abcd"), "task": list("xyz")})
    assert group["n_clear"].values.tolist() == [2, 1, 0, 2]
    assert group["n_same_sign"].values.tolist() == [3, 2, 0, 2]
    assert group["n_same_size"].values.tolist() == [2, 1, 0, 1]
    clear = lfsr <= 0.05
    for i in range(3):
        for j in range(3):
            either = clear[:, i] | clear[:, j]
            same = mean[:, i] * mean[:, j] > 0
            ratio = np.abs(mean[:, i] / mean[:, j])
            alike = same & (ratio >= 0.5) & (ratio <= 2)
            assert group["n_either"].values[i, j] == either.sum()
            n = max(either.sum(), 1)
            assert group["same_sign"].values[i, j] == pytest.approx(
                (either & same).sum() / n
            )
            assert group["same_size"].values[i, j] == pytest.approx(
                (either & alike).sum() / n
            )
    assert group.attrs["sharing_risk"] == 0.5


def test_patterns_start_from_directions_and_principal_components_as_large_as_the_effects(
    monkeypatch,
):
    rng = np.random.default_rng(0)
    effect = rng.normal(size=(60, 3)) @ np.diag([4.0, 2.0, 1.0, 0.5])[:3] + rng.normal(
        0, 0.1, (60, 4)
    )
    given = []
    plain = task_covariances._factor_analyzers

    def counted(effect, values, vectors, starts):
        given.append(starts)
        return plain(effect, values, vectors, starts)

    monkeypatch.setattr(task_covariances, "_factor_analyzers", counted)
    learned_patterns(
        effect, np.ones((60, 4)), np.broadcast_to(np.eye(4), (60, 4, 4)), n_strong=50
    )
    *directions, components = given[0]
    strong = effect[:50]
    value, vector = np.linalg.eigh(strong.T @ strong / 50)
    best = vector[:, -3:] * value[-3:] @ vector[:, -3:].T
    np.testing.assert_allclose(components @ components.T, best, atol=1e-9)
    for start in directions:
        unit = start[:, 0] / np.linalg.norm(start)
        assert np.linalg.norm(start) == pytest.approx((strong @ unit).std(), rel=1e-9)


@pytest.mark.parametrize("df", [5.0, 60.0, 1e6])
def test_the_weight_of_the_mean_correlation_is_the_share_of_sampling_error(df):
    rng = np.random.default_rng(0)
    each = []
    for _ in range(50):
        root = rng.normal(size=(4, 30))
        each.append(np.corrcoef(root + rng.normal(size=30)))
    each = np.array(each)
    mean = each.mean(axis=0)
    noise, apart = 0.0, 0.0
    for i in range(4):
        for j in range(4):
            if i != j:
                noise += (1 - mean[i, j] ** 2) ** 2 / df
                apart += ((each[:, i, j] - mean[i, j]) ** 2).mean()
    expected = np.clip(noise / apart, 4 / (4 + df), 1.0)
    assert task_covariances._shrinkage(each, mean, df) == pytest.approx(expected)
    assert task_covariances._shrinkage(np.stack([mean] * 3), mean, df) == 1.0


@pytest.mark.parametrize("removed", [0.0, 0.3])
def test_covariances_of_errors_are_put_together_from_their_parts(removed):
    rng = np.random.default_rng(1)
    least, own = rng.uniform(0.5, 2, (6, 3)), rng.uniform(0, 0.5, (6, 3))
    each = np.stack([correlation_of(3, r) for r in np.linspace(0, 0.5, 6)])
    mean, change = each.mean(axis=0), -removed * np.ones((3, 3))
    parts = task_covariances._Parts(least, own, each, mean, 0.25, change)
    rows = np.array([4, 1])
    values, vectors = parts.eigen(rows)
    for i, row in enumerate(rows):
        blend = 0.25 * mean + 0.75 * each[row]
        expected = blend * np.outer(least[row], least[row]) + change + np.diag(own[row])
        np.testing.assert_allclose(parts.covariance(rows)[i], expected, rtol=1e-12)
        floor = 0.02 * np.median(least[row] ** 2) if removed else 0.0
        exact = np.linalg.eigvalsh(expected)
        np.testing.assert_allclose(values[i], np.maximum(exact, floor), rtol=1e-9)
        if exact.min() > floor:
            np.testing.assert_allclose(
                (vectors[i] * values[i]) @ vectors[i].T, expected, atol=1e-9
            )


@pytest.mark.parametrize("ridge", [0.0, 0.5])
def test_a_pattern_is_scaled_to_a_largest_variance_of_1(ridge):
    loadings = np.array([[3.0, 1.0], [0.5, -2.0], [0.0, 0.1]])
    plain = loadings @ loadings.T + ridge * np.eye(3)
    found = task_covariances._as_unit("a", loadings, ridge)
    np.testing.assert_allclose(
        found.covariance, plain / np.diagonal(plain).max(), rtol=1e-12
    )


def plan_of(n_words=40, **settings):
    """A crossover whose words act alike in four tasks, its design and its plan."""
    rng = np.random.default_rng(4)
    words = ["".join(rng.choice(list("ACGT"), 6)) for _ in range(n_words)]
    size = np.where(rng.random(n_words) < 0.4, rng.normal(size=n_words), 0.0)
    terms = [
        MotifCount(word, float(one)) for word, one in zip(words, size, strict=True)
    ]
    background = [
        MotifCount(base, one)
        for base, one in zip("ACG", (0.1, -0.1, 0.05), strict=True)
    ]
    oracle = Oracle(
        *terms,
        *background,
        tasks=["a", "b", "c", "d"],
        weights=[[1.0] * (n_words + 3)] * 4,
        scale="z",
    )
    arms = {
        "untreated": cg.Untreated(),
        **{word: cg.Embed(word, at=20) for word in words},
    }
    noise = np.random.default_rng(5).normal(size=(4, 60))
    predictor = cg.FunctionPredictor(
        lambda x: (
            oracle.predict(x.argmax(1).astype(np.uint8)) + (x.argmax(1) - 1.5) @ noise.T
        ),
        tasks=list("abcd"),
        scale="z",
    )
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=150)
    return (
        design,
        predictor,
        cg.Analysis(
            **{"control": "untreated", "across": "task", "rope": (-0.1, 0.1)} | settings
        ),
    )


@pytest.mark.simulation
def test_a_plan_shares_across_tasks():
    design, predictor, plan = plan_of()
    assert cg.Analysis.from_toml(plan.to_toml()) == plan
    outcomes = cg.run(design, predictor, rng=0, analysis=plan)
    found = steps(outcomes)
    assert "exploratory" not in found.decisions.attrs
    by_hand = cg.infer(
        cg.estimate(cg.contrast(outcomes), task_correlation=True),
        across="task",
        rng=0,
        n_draws=4,
    )
    shrunken = found.decisions["shrunken"].transpose("contrast", "task")
    assert np.array_equal(
        shrunken, by_hand["moments"]["mean"].transpose("contrast", "task")
    )
    kept = cg.run(design, predictor, rng=0, analysis=plan, keep="effects")
    assert np.array_equal(cg.analyze(kept)["shrunken"], shrunken)
    with pytest.warns(ExploratoryWarning):
        alone = cg.analyze(outcomes, replace(plan, across=None))
    assert alone.attrs["exploratory"] == "across"
    assert (
        cg.infer(found.estimates, rng=0)["posterior"].attrs["exploratory"] == "across"
    )
    assert (
        "exploratory"
        not in cg.infer(found.estimates, across="task", rng=0)["posterior"].attrs
    )


def test_tests_decide_and_shrunken_sizes_share_across_tasks():
    design, predictor, plan = plan_of(n_words=20)
    outcomes = cg.run(design, predictor, rng=0, analysis=plan)
    decided = cg.analyze(outcomes)
    with pytest.warns(ExploratoryWarning):
        alone = cg.analyze(outcomes, replace(plan, across=None))
    assert decided.attrs["error"] == "fdr"
    for name in ("lower", "upper", "q", "verdict"):
        assert decided[name].equals(alone[name])
    length = {
        name: float((one["shrunken_upper"] - one["shrunken_lower"]).mean())
        for name, one in {"shared": decided, "alone": alone}.items()
    }
    assert length["shared"] < 0.95 * length["alone"]


@pytest.mark.simulation
@pytest.mark.simulation
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_one_family_over_tasks_of_a_large_parallel_trial_takes_its_units():
    """Its factor has a row of standard deviations for each arm, as if the tasks went
    together perfectly.
    """
    rng, n, size = np.random.default_rng(0), 2_100, 3
    arms = ["none", *(f"a{k}" for k in range(520))]
    coords = {
        "arm": arms,
        "assigned": ("unit", np.array(arms)[np.arange(n) % len(arms)]),
        "task": list("abc"),
    }
    outcomes = xr.Dataset(
        {"outcome": (("unit", "task"), rng.normal(size=(n, size)))},
        coords,
        attrs={"scale": "x"},
    )
    effects = cg.contrast(outcomes, control="none")
    numbered = effects.assign_coords(each=("unit", np.arange(n)))
    for estimates in (cg.estimate(effects), cg.estimate(numbered, cluster="each")):
        apart, together = (
            cg.simultaneous(estimates, method="dunnett", family=family)["critical"]
            for family in ("task", None)
        )
        assert (together > apart).all()
