"""Imports the law of two scales from the inside: one effect against its quadrature.

Hundreds of tasks: taken together, with the numbers that each has by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.special import ndtr

import causalgia as cg
from causalgia import analysis
from causalgia.posterior import two_scales as law
from causalgia.posterior.error_covariance import Noise, noises_of

_TESTED = ("ace", "se", "p", "log_p", "lower", "upper", "df")


def table(n_tasks: int, n_contrasts: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        (f"t{i}", f"c{k}") for i in range(n_tasks) for k in rng.permutation(n_contrasts)
    ]
    frame = pd.DataFrame(rows, columns=["task", "contrast"])
    frame["motif"] = frame["contrast"] + " motif"
    frame["depth"] = rng.integers(1, 100, len(frame))
    frame["n_units"] = rng.integers(10, 99, len(frame))
    frame["df"] = frame["n_units"] - 1.0
    return frame.assign(
        effect=rng.normal(size=len(frame)), se=rng.uniform(0.1, 1, len(frame))
    )


def test_a_long_table_is_read_as_its_tasks_are(monkeypatch):
    frame, validated = table(40), []
    monkeypatch.setattr(
        analysis,
        "validate",
        lambda found, kind, **_: validated.append(kind) or found,
    )
    found = cg.from_effects(frame)
    assert validated == ["estimates"]  # once, whatever the number of tasks
    assert found["task"].values.tolist() == [f"t{i}" for i in range(40)]
    for task, rows in frame.groupby("task"):
        one, part = cg.from_effects(rows.drop(columns="task")), found.sel(task=task)
        part = part.sel(contrast=one["contrast"])
        for name in (*_TESTED, "n_units", "depth", "motif"):
            assert np.array_equal(part[name].values, one[name].values.reshape(3)), name
    assert found["motif"].dims == ("contrast",)
    assert found["depth"].dims == found["n_units"].dims == ("contrast", "task")


def test_tasks_come_in_the_order_of_the_table():
    frame = table(12)
    backwards = pd.concat(
        [frame[frame["task"] == f"t{i}"] for i in reversed(range(12))]
    )
    assert cg.from_effects(backwards)["task"].values.tolist() == [
        f"t{i}" for i in reversed(range(12))
    ]


@pytest.mark.parametrize("with_covariance", [False, True])
def test_noise_of_all_tasks_is_the_noise_of_each(with_covariance):
    rng = np.random.default_rng(1)
    ice = rng.normal(size=(60, 4, 5)) + rng.normal(size=(60, 1, 5))
    effects = xr.Dataset(
        {"ice": (("unit", "contrast", "task"), ice)},
        coords={"contrast": list("abcd"), "task": list("vwxyz")},
    )
    estimates = cg.estimate(effects)
    if not with_covariance:
        estimates = estimates.drop_vars(["covariance", "factor"], errors="ignore")
    for task, noise in zip("vwxyz", noises_of(estimates, factors=4), strict=True):
        alone = noises_of(estimates.sel(task=[task]), factors=4)[0]
        np.testing.assert_allclose(noise.marginal, alone.marginal, rtol=1e-12)
        assert (
            (noise.loadings is None)
            == (alone.loadings is None)
            == (not with_covariance)
        )


def test_one_effect_is_not_shrunken_and_moves_its_law():
    for effect, se in ((0.0, 1.0), (3.0, 0.2), (-40.0, 7.0)):
        found = law.two_scales(np.array([effect]), Noise(np.array([se**2])))
        np.testing.assert_allclose(found.mean, effect, rtol=1e-14)
        np.testing.assert_allclose(found.sd, se, rtol=1e-14)
        np.testing.assert_allclose(found.lfsr, ndtr(-abs(effect) / se), rtol=1e-12)
        np.testing.assert_allclose(
            found.below(np.array([effect + se])), ndtr(1.0), rtol=1e-12
        )
        drawn = found.draw(40_000, np.random.default_rng(0))
        assert abs(drawn.ace.mean() - effect) < 4 * se / 200
        assert drawn.ace.std() == pytest.approx(se, rel=0.02)
        unit = law.two_scales(np.zeros(1), Noise(np.ones(1)))
        assert float(found.shrinkage[0]) == pytest.approx(
            float(unit.shrinkage[0]), rel=1e-9
        )
        assert found.log_evidence == pytest.approx(unit.log_evidence, rel=1e-9)


def test_the_law_of_one_effect_is_that_of_the_integration_over_it():
    """What `two_scales` says of one effect is what its quadrature says, which takes no
    account of their number.
    """
    at_0, _, _, shrinkage = law._posterior_at_zero(1.0)
    parts = [replace(part, value=part.value + 2.0) for part in at_0.parts]
    moved = law._TwoScalePosterior(
        replace(at_0.model, effect=np.array([2.0])), parts, at_0.share, None
    )
    by_quadrature = law._two_scales_posterior(moved, Noise(np.ones(1)), 1.0, 0.0)
    found = law.two_scales(np.array([2.0]), Noise(np.ones(1)))
    np.testing.assert_allclose(by_quadrature.mean, found.mean, atol=1e-6)
    np.testing.assert_allclose(by_quadrature.sd, found.sd, rtol=0.01)
    np.testing.assert_allclose(by_quadrature.lfsr, found.lfsr, rtol=0.1)
    np.testing.assert_allclose(by_quadrature.shrinkage, shrinkage, rtol=1e-9)
    one, other = (x.draw(400, np.random.default_rng(0)) for x in (by_quadrature, found))
    for name in ("ace", "mu", "tau"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-9, atol=1e-12
        )
    np.testing.assert_allclose(one.log_likelihood(), other.log_likelihood(), rtol=1e-9)
    np.testing.assert_allclose(
        by_quadrature.nodes.coefficients, found.nodes.coefficients, rtol=1e-9
    )


def test_the_law_is_integrated_once_for_all_tasks_of_one_contrast(monkeypatch):
    integrated = []
    parts_of = law.posterior_parts
    monkeypatch.setattr(
        law, "posterior_parts", lambda *given: integrated.append(1) or parts_of(*given)
    )
    law._posterior_at_zero.cache_clear()
    found = cg.infer(cg.from_effects(table(60, 1)), rng=0, n_draws=40)
    assert found["posterior"]["ace"].shape == (4, 10, 1, 60)
    assert 1 <= len(integrated) <= 5  # one for each rounding of se / se
    again = cg.infer(cg.from_effects(table(60, 1)), rng=0, n_draws=40)
    assert np.array_equal(
        found["posterior"]["tau"].values, again["posterior"]["tau"].values
    )
