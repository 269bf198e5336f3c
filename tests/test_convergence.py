# Imports from the inside: limits of convergence, which no short run of a sampler meets.
"""Whether draws may be believed: what is refused, what is settled, and that it is said
by name.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from causalgia.errors import DegenerateWarning, EstimateError
from causalgia.posterior.posterior_tree import (
    MAX_RHAT,
    MIN_ESS,
    check_convergence,
    check_n_draws,
    convergence_failures,
    diagnose,
)

GENERATOR = np.random.default_rng(0)
GOOD = GENERATOR.normal(size=(4, 1000, 3))


def posterior(ace: np.ndarray) -> xr.Dataset:
    return xr.Dataset(
        {
            "ace": (("chain", "draw", "contrast"), ace),
            "tau": (("chain", "draw"), GOOD[..., 0]),
        },
        coords={"contrast": ["GATA1", "TAL1", "KLF1"]},
    )


def test_independent_draws_have_converged() -> None:
    found = diagnose(posterior(GOOD), 0)
    assert convergence_failures(found) == []
    said = check_convergence(found, accepted=False)
    assert (said["converged"], said["divergences"]) == ("yes", 0)
    assert 3_000 < said["ess_bulk_min"] < 5_000
    assert said["rhat_max"] < 1.01


def test_chains_apart_are_refused_by_the_name_of_the_row() -> None:
    ace = GOOD.copy()
    ace[0, :, 1] += 1
    with pytest.raises(
        EstimateError,
    ):
        check_convergence(diagnose(posterior(ace), 0), accepted=False)


def test_sticky_chains_have_too_few_effective_draws() -> None:
    ace = np.repeat(GENERATOR.normal(size=(4, 50, 3)), 20, axis=1)
    found = convergence_failures(diagnose(posterior(ace), 0))
    assert any(line.startswith("ess_bulk of ace below 400") for line in found)
    assert any(line.startswith("ess_tail of ace below 400") for line in found)


def test_one_divergence_is_enough() -> None:
    with pytest.raises(EstimateError):
        check_convergence(diagnose(posterior(GOOD), 1), accepted=False)


def test_accepted_draws_warn_and_say_so_in_the_attrs() -> None:
    with pytest.warns(DegenerateWarning):
        said = check_convergence(diagnose(posterior(GOOD), 7), accepted=True)
    assert said["converged"] == "no"


def test_an_effect_that_is_certainly_zero_has_converged() -> None:
    ace = GOOD.copy()
    ace[..., 2] = 0
    found = diagnose(posterior(ace), 0)
    assert float(found["rhat_ace"][2]) == 1
    assert float(found["ess_bulk_ace"][2]) == 4_000
    assert convergence_failures(found) == []


def test_chains_stuck_at_different_numbers_have_not() -> None:
    ace = GOOD.copy()
    ace[..., 2] = np.arange(4)[:, None]
    assert convergence_failures(diagnose(posterior(ace), 0))


def test_too_few_draws_are_refused_before_sampling() -> None:
    with pytest.raises(
        EstimateError,
    ):
        check_n_draws(100, accepted=False)
    check_n_draws(100, accepted=True)
    check_n_draws(400, accepted=False)


def test_the_limits_of_convergence_are_allowed() -> None:
    at = xr.Dataset(
        {"rhat_mu": MAX_RHAT, "ess_bulk_mu": float(MIN_ESS)}, attrs={"divergences": 0}
    )
    assert convergence_failures(at) == []
    beyond = at.assign(
        rhat_mu=np.nextafter(MAX_RHAT, 2), ess_bulk_mu=np.nextafter(MIN_ESS, 0)
    )
    assert len(convergence_failures(beyond)) == 2
