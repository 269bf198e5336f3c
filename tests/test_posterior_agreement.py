# Imports from the inside: nodes and draws of one law, conflicts and profiles, against scipy
# and dense matrices.
"""Numbers of a posterior that stand beside the effects: nodes agree with draws, and
messages with definitions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import special, stats

from causalgia.analysis_values import Prior
from causalgia.estimation import from_effects
from causalgia.posterior import infer, labeled_data, model_checks
from causalgia.posterior._profile import (
    ProfileDraws,
    _profile_draws_group,
    gaussian_process,
    matern52,
)
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.labeled_data import shared_patterns
from causalgia.posterior.model_checks import (
    errors_grow_with_effects,
)
from causalgia.posterior.posterior_tree import tree_datasets

# ---------------------------------------------------------------- conflicts with the prior


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
    monkeypatch.setattr(
        model_checks, "effect_se_dependence", lambda *_: type("Gain", (), {"gain": 0.0})
    )
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
def test_the_largest_tenth_of_the_effects_says_whether_growth_matters(
    share: float,
) -> None:
    """Of 40 effects the largest four have errors of this share of them, or the median
    of the four has.
    """
    size = np.linspace(0.1, 4, 40)
    se = np.where(np.arange(40) < 36, 0.02 * size, share * size)
    assert errors_grow_with_effects(size, se) == (share > 0.2)
    # one of the four does not change their median
    mixed = se * np.where(np.arange(40) == 39, 0.01, 1.0)
    assert errors_grow_with_effects(size, mixed) == (share > 0.2)


# ---------------------------------------------------------------- what is kept and said of families


@pytest.mark.parametrize(("n", "columns"), [(9, 0), (10, 1), (19, 1), (20, 2), (35, 2)])
def test_ten_effects_carry_a_pattern_of_their_errors(n: int, columns: int) -> None:
    """Of two loadings beside a constant one, the larger first; each of length 1 and
    orthogonal to the constant.
    """
    rng = np.random.default_rng(0)
    parts = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, 2))]))[0][
        :, 1:
    ]
    found = shared_patterns(
        Noise(np.ones(n), np.column_stack([np.ones(n), parts * [1.0, 3.0]]))
    )
    if not columns:
        assert found is None
        return
    assert found is not None
    np.testing.assert_allclose(
        np.abs(found.T @ parts), np.eye(2)[::-1][:columns], atol=1e-9
    )


# ---------------------------------------------------------------- smooth profiles

PLACES = np.array([0.0, 1.0, 2.5, 4.0, 7.0])
LOADINGS = np.array([[0.2], [0.1], [-0.3], [0.2], [0.1]])
NOISES = {
    "independent": Noise(np.array([0.05, 0.1, 0.04, 0.08, 0.06])),
    "shared": Noise(np.full(5, 0.05), LOADINGS),
    "whole": Noise(
        np.full(5, 0.05) + (LOADINGS**2)[:, 0],
        whole=0.05 * np.eye(5) + LOADINGS @ LOADINGS.T,
    ),
}


def log_masses(nodes: np.ndarray) -> np.ndarray:
    """Masses of exp(-s^2 / 2) on cells that are equally wide in log s, the first with
    all below it.
    """
    width = np.log(nodes[1] / nodes[0])
    mass = np.exp(-(nodes**2) / 2) * nodes * width
    mass[0] *= (1 + width / 2) / width
    return np.asarray(np.log(mass / mass.sum()))


@pytest.mark.parametrize("periods", [None, [3.0, 5.0, 9.0]])
@pytest.mark.parametrize("form", NOISES)
def test_a_profile_is_the_mixture_of_normals_over_its_nodes(
    form: str, periods: list[float] | None
) -> None:
    """Of 20 sd, 12 lengths, and with periods 16 amplitudes of each: dense normal
    densities and conditional moments.
    """
    effect, noise, mu_sd = np.array([0.5, 0.9, -0.2, 0.4, 1.1]), NOISES[form], 1.5
    found = gaussian_process(
        effect,
        noise,
        PLACES,
        log_prior=lambda s: -(s**2) / 2,
        mu_sd=mu_sd,
        periods=periods,
    )
    sigma = np.diag(noise.variances) if noise.whole is None else noise.whole
    sigma = sigma + LOADINGS @ LOADINGS.T if noise.loadings is not None else sigma
    unit = max(effect.std(), np.sqrt(np.median(np.diag(sigma))))
    sds, lengths = np.geomspace(0.01 * unit, 30 * unit, 20), np.geomspace(1.0, 14.0, 12)
    amplitudes = np.geomspace(0.01 * unit, 30 * unit, 16)
    trend = np.column_stack([np.ones(5), (PLACES - 3.5) / 7])
    plain, covariances, of_period = [], [], []
    for sd, mass in zip(sds, log_masses(sds), strict=True):
        for length in lengths:
            plain.append(mass - np.log(12))
            covariances.append(
                sd**2 * matern52(PLACES, length) + mu_sd**2 * trend @ trend.T
            )
    whole, weight = np.array(covariances), np.array(plain)
    without = special.logsumexp(weight + densities(effect, whole + sigma))
    of_period = np.zeros(len(weight), int)
    if periods is not None:
        waves = []
        for p, period in enumerate(periods):
            turn = 2 * np.pi * PLACES / period
            both = np.outer(np.cos(turn), np.cos(turn)) + np.outer(
                np.sin(turn), np.sin(turn)
            )
            waves += [
                (p, m - np.log(3), a**2 * both)
                for a, m in zip(amplitudes, log_masses(amplitudes), strict=True)
            ]
        of_period = np.repeat([p for p, _, _ in waves], len(weight))
        weight = np.concatenate([weight + m for _, m, _ in waves])
        whole = np.concatenate([whole + wave for _, _, wave in waves])
    logs = weight + densities(effect, whole + sigma)
    assert found.log_evidence == pytest.approx(special.logsumexp(logs), abs=1e-7)
    assert found.log_evidence_without_period == pytest.approx(without, abs=1e-7)
    every = special.softmax(logs)
    # nodes below that are left out of the moments
    share = np.where(every > 1e-7, every, 0.0)
    share /= share.sum()
    gain = np.linalg.solve(whole + sigma, whole).transpose(0, 2, 1)
    means = gain @ effect
    variances = np.diagonal(whole - gain @ whole, axis1=1, axis2=2)
    mean = share @ means
    np.testing.assert_allclose(found.mean, mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(
        found.sd, np.sqrt(share @ (variances + means**2) - mean**2), rtol=1e-6
    )
    below = share @ special.ndtr(-means / np.sqrt(variances))
    np.testing.assert_allclose(found.lfsr, np.minimum(below, 1 - below), rtol=1e-6)
    if periods is not None:
        np.testing.assert_allclose(
            found.period_probability, np.bincount(of_period, every), rtol=1e-6
        )


def densities(effect: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Log normal densities about 0 under each covariance, but for the constant."""
    square = (effect * np.linalg.solve(covariance, effect[:, None])[..., 0]).sum(axis=1)
    return np.asarray(-0.5 * (np.linalg.slogdet(covariance)[1] + square))


def test_draws_of_a_wave_are_its_size_and_the_place_of_its_first_peak() -> None:
    """In two tasks of two draws a chain; the peak lies between 0 and the period on
    either side of 0.
    """
    rng = np.random.default_rng(0)
    coefficients, period = rng.normal(size=(2, 8, 4)), rng.uniform(3, 12, size=(2, 8))
    drawn = [
        ProfileDraws(
            rng.normal(size=(8, 5)),
            coefficients[t],
            *rng.uniform(size=(3, 8)),
            period[t],
        )
        for t in range(2)
    ]
    coords = {"contrast": list("abcde"), "task": ["x", "y"]}
    group = _profile_draws_group(drawn, coords, has_period=True)
    for t in range(2):
        one = group.isel(task=t)
        a, b, P = coefficients[t, :, 2], coefficients[t, :, 3], period[t]
        phase = one["phase"].values.ravel()
        assert ((phase >= 0) & (phase < P)).all()
        wave = one["amplitude"].values.ravel() * np.cos(2 * np.pi * (0.7 - phase) / P)
        np.testing.assert_allclose(
            wave, a * np.cos(1.4 * np.pi / P) + b * np.sin(1.4 * np.pi / P)
        )
        np.testing.assert_array_equal(one["ace"].values.reshape(8, 5), drawn[t].ace)
        for name, values in (
            ("mu", coefficients[t, :, 0]),
            ("slope", coefficients[t, :, 1]),
            ("tau", drawn[t].sd),
        ):
            np.testing.assert_array_equal(one[name].values.ravel(), values)
        np.testing.assert_array_equal(one["length"].values.ravel(), drawn[t].length)
        np.testing.assert_array_equal(one["period"].values.ravel(), P)
    assert dict(group.sizes) == {"chain": 4, "draw": 2, "contrast": 5, "task": 2}
    assert "period" not in _profile_draws_group(drawn, coords, has_period=False)


# ---------------------------------------------------------------- notes and attributes


def notes_of(table: Any, **given: Any) -> str:
    notes = tree_datasets(infer(table, n_draws=4, rng=0, **given))[
        "posterior"
    ].attrs.get("notes", "")
    return str(notes)


def test_few_degrees_of_freedom_are_noted_of_two_effects_and_not_of_one() -> None:
    assert "have 19 degrees of freedom" in notes_of(
        from_effects([1.0, 2.0], se=1.0, df=19.0)
    )
    assert "degrees of freedom" not in notes_of(
        from_effects([1.0, 2.0], se=1.0, df=20.0)
    )
    assert "degrees of freedom" not in notes_of(from_effects([1.0], se=1.0, df=5.0))


@pytest.mark.parametrize("task", [0, 1])
def test_a_standardized_prior_has_the_root_mean_square_of_control_sds_as_unit(
    task: int,
) -> None:
    sds = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    dims = ("contrast", "task")
    table = xr.Dataset(
        {"ace": (dims, sds), "se": (dims, np.ones((3, 2))), "control_sd": (dims, sds)}
    )
    table = table.assign_coords(
        contrast=list("abc"), task=["x", "y"], sort=("contrast", ["p", "q", "q"])
    )
    prior = Prior(mu_sd=2.0, tau_scale=0.5)
    family = labeled_data.family_data(table, None, prior)[task]
    unit = np.sqrt((sds[:, task] ** 2).mean())
    assert family.unit == pytest.approx(unit)
    assert family.prior.mu_sd == pytest.approx(2 * unit)
    assert family.prior.tau_scale == pytest.approx(0.5 * unit)
