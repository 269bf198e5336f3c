"""Numbers of a posterior that stand beside the effects: nodes agree with draws, and messages with definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from causalgia.estimation import from_effects
from causalgia.posterior import infer, model_checks
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.labeled_data import shared_patterns
from causalgia.posterior.mixture import mixture
from causalgia.posterior.model_checks import errors_grow_with_effects, prior_conflict, tau_quantile, why_no_posterior
from causalgia.posterior.normal import normal
from causalgia.posterior.posterior_tree import tree_datasets
from causalgia.posterior.spike_and_slab import spike_and_slab
from causalgia.posterior.student_t import student
from causalgia.prior import Prior

PRIOR = Prior(mu_sd=2.0, tau="half_normal", tau_scale=1.5)
LAWS: dict[str, Any] = {"normal": normal, "student_t": student, "spike_and_slab": spike_and_slab}


@pytest.mark.parametrize("unit", [1.0, 1e-3])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("law", LAWS)
def test_nodes_and_draws_are_of_one_law_of_tau_and_mu(law: str, shared: bool, unit: float) -> None:
    """Means of tau and its square, and of mu, by nodes and by 8,000 draws, within 4 standard errors."""
    effect = unit * np.array([1.0, -0.4, 3.0, 0.2, 0.9])
    loadings = unit * np.array([[0.5], [0.2], [0.6], [-0.3], [0.4]]) if shared else None
    noise = Noise(unit**2 * np.array([0.3, 0.2, 0.5, 0.1, 0.4]), loadings)
    prior = Prior(mu_sd=2.0 * unit, tau="half_normal", tau_scale=1.5 * unit)
    answer = LAWS[law](effect, noise, prior)
    draws, nodes = answer.draw(8_000, np.random.default_rng(1)), answer.nodes
    pairs = [(draws.tau, nodes.tau), (draws.tau**2, nodes.tau**2)]
    if law != "spike_and_slab":  # whose center is 0
        pairs.append((draws.mu, nodes.coefficients[:, 0]))
        of_mu = nodes.coefficients[:, 0] ** 2 + nodes.coefficients_sd[:, 0] ** 2
        pairs.append((draws.mu**2, of_mu))
    for drawn, at in pairs:
        assert abs(drawn.mean() - nodes.weight @ at) < 4 * drawn.std() / np.sqrt(8_000) + 0.01 * abs(drawn.mean())


@pytest.mark.parametrize("size", [1.0, 1e4])
def test_the_weights_of_a_mixture_have_the_tau_of_its_draws(size: float) -> None:
    effect = size * np.random.default_rng(0).normal(0, 2, 60)
    answer = mixture(effect, Noise(np.full(60, 0.25 * size**2)), PRIOR)
    draws = answer.draw(400, np.random.default_rng(1))
    np.testing.assert_allclose(draws.tau, answer.nodes.weight @ answer.nodes.tau, rtol=1e-9)


# ---------------------------------------------------------------- conflicts with the prior

N = 6
VARIANCES = np.array([0.5, 0.7, 0.3, 0.4, 0.6, 0.5])


@pytest.mark.parametrize("nu", [None, 4.0])
@pytest.mark.parametrize("tau", ["half_normal", "half_t", "half_cauchy", "uniform"])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_mean_conflicts_from_where_the_prior_gives_one_percent(tau: Any, nu: float | None, side: float) -> None:
    """The tail is that of normals averaged over 400 equally likely tau of the prior."""
    prior = Prior(mu_sd=1.3, tau=tau, tau_scale=0.8)
    p = (np.arange(400) + 0.5) / 400
    law: dict[str, Any] = {"half_normal": stats.halfnorm, "half_cauchy": stats.halfcauchy, "uniform": stats.uniform}
    quantiles = np.abs(stats.t(3).ppf((1 + p) / 2)) if tau == "half_t" else law[tau].ppf(p)
    np.testing.assert_allclose(tau_quantile(prior, p), 0.8 * quantiles, rtol=1e-9)
    variance = (0.8 * quantiles) ** 2 * (1 if nu is None else nu / (nu - 2))
    sd = np.sqrt(1.3**2 + variance / N + VARIANCES.sum() / N**2)
    grid = np.geomspace(0.5, 500, 4_000)
    edge = grid[np.array([2 * stats.norm.sf(x / sd).mean() for x in grid]) < 0.01][0]
    around = 0.1 * np.array([1.0, -1, 1, -1, 1, -1])
    for factor, found in ((0.99, False), (1.01, True)):
        said = prior_conflict(side * edge * factor + around, Noise(VARIANCES), prior, nu)
        assert said.startswith("the mean of the effects") == found


def test_a_flat_prior_conflicts_with_nothing() -> None:
    far = np.array([1e6, -1e6, 3e6])
    assert prior_conflict(far, Noise(np.ones(3)), Prior(mu_sd=1.0, tau="uniform", tau_scale=np.inf)) == ""
    of_spread = prior_conflict(far, Noise(np.ones(3)), Prior(mu_sd=np.inf, tau="half_normal", tau_scale=1.0))
    assert of_spread.startswith("the spread of the effects")
    assert ";" not in of_spread


# ---------------------------------------------------------------- errors that grow with the effects


def grown(n: int, seed: int, slope: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    se = rng.uniform(0.5, 1.5, n)
    return 2 * (slope * se + 1 - slope) * (1 + 0.4 * rng.normal(size=n)), se


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_errors_grow_where_spearman_says_so_at_one_in_two_thousand(
    side: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of effects about their size, with and without a trend, whatever mixtures say."""
    monkeypatch.setattr(model_checks, "effect_se_dependence", lambda *_: type("Gain", (), {"gain": 0.0}))
    found, expected = [], []
    for seed in range(60):
        effect, se = grown(40, seed, 1.0)
        p = stats.spearmanr(se, effect**2 - se**2, alternative="greater")
        t = p.statistic * np.sqrt(38 / (1 - p.statistic**2))
        found.append(errors_grow_with_effects(side * effect, se))
        expected.append(bool(stats.t.sf(t, 38) < 0.0005))
    assert found == expected
    assert 5 < sum(found) < 55


@pytest.mark.parametrize(("gain", "said"), [(1.99, False), (2.01, True)])
def test_errors_grow_where_mixtures_of_ratios_are_better_by_two_nats(
    gain: float, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def dependence(effect: np.ndarray, se: np.ndarray) -> Any:
        asked.append((effect, se))
        return type("Gain", (), {"gain": gain})

    monkeypatch.setattr(model_checks, "effect_se_dependence", dependence)
    effect, se = grown(40, 1, 0.0)
    assert errors_grow_with_effects(effect + 0.5, se) == said
    np.testing.assert_allclose(asked[0][0], effect - np.median(effect), atol=1e-12)
    np.testing.assert_array_equal(asked[0][1], se)


def test_thirty_effects_show_whether_errors_grow_and_fewer_do_not() -> None:
    size = np.linspace(0.1, 3, 30)
    assert errors_grow_with_effects(size, 0.05 + 0.5 * size)
    assert not errors_grow_with_effects(size[1:], 0.05 + 0.5 * size[1:])


@pytest.mark.parametrize("share", [0.19, 0.21])
def test_the_largest_tenth_of_the_effects_says_whether_growth_matters(share: float) -> None:
    """Of 40 effects the largest four have errors of this share of them, or the median of the four has."""
    size = np.linspace(0.1, 4, 40)
    se = np.where(np.arange(40) < 36, 0.02 * size, share * size)
    assert errors_grow_with_effects(size, se) == (share > 0.2)
    mixed = se * np.where(np.arange(40) == 39, 0.01, 1.0)  # one of the four does not change their median
    assert errors_grow_with_effects(size, mixed) == (share > 0.2)


@pytest.mark.parametrize("tasks", [[0], [1], [0, 1]])
def test_one_task_of_two_in_which_errors_grow_is_a_reason(tasks: list[int]) -> None:
    size = np.linspace(0.1, 3, 40)
    se = np.stack([0.05 + 0.5 * size, np.full(40, 0.3)], axis=1)[:, tasks]
    dims = ("contrast", "task")
    table = xr.Dataset({"ace": (dims, np.stack([size] * len(tasks), axis=1)), "se": (dims, se)})
    table = table.assign_coords(contrast=np.arange(40), task=[f"t{i}" for i in tasks])
    reason = why_no_posterior(table, np.full(40, True))
    assert reason == ("their standard errors grow with the effects" if 0 in tasks else "")


# ---------------------------------------------------------------- what is kept and said of families


@pytest.mark.parametrize(("n", "columns"), [(9, 0), (10, 1), (19, 1), (20, 2), (35, 2)])
def test_ten_effects_carry_a_pattern_of_their_errors(n: int, columns: int) -> None:
    """Of two loadings beside a constant one, the larger first; each of length 1 and orthogonal to the constant."""
    rng = np.random.default_rng(0)
    parts = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, 2))]))[0][:, 1:]
    found = shared_patterns(Noise(np.ones(n), np.column_stack([np.ones(n), parts * [1.0, 3.0]])))
    if not columns:
        assert found is None
        return
    assert found is not None
    np.testing.assert_allclose(np.abs(found.T @ parts), np.eye(2)[::-1][:columns], atol=1e-9)


@pytest.mark.parametrize(("n", "tested"), [(19, False), (20, True)])
def test_twenty_effects_are_tested_for_growth_with_their_errors(n: int, tested: bool) -> None:
    table = from_effects(np.random.default_rng(0).normal(size=n), se=np.linspace(0.5, 1.5, n))
    attrs = tree_datasets(infer(table, law="normal", n_draws=4, rng=0))["moments"].attrs
    assert ("effect_se_gain" in attrs) == tested
    assert (attrs["effect_se_dependence"] == "not tested: fewer than 20 effects") != tested
