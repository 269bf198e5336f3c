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
from scipy import stats

from causalgia.analysis_values import Prior
from causalgia.estimation import from_effects
from causalgia.posterior import infer, labeled_data, model_checks
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
