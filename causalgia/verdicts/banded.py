"""The error at which a simultaneous band would just give each verdict: a single-step p against the nearest end."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.multiplicity.families import families
from causalgia.multiplicity.joint_methods import by_bootstrap
from causalgia.multiplicity.questions import Units, asked, null_value, require_units
from causalgia.types import Array
from causalgia.verdicts.rope import Region

_N_DRAWS = 9_999


def band_error(
    effects: xr.Dataset, region: Region, *, level: float, family: str | None, cluster: str | None, key: int
) -> Array:
    """Return the least ``1 - level`` at which the band of `causalgia.simultaneous` decides each effect.

    That is the single-step p of the largest |t| for ICE that are counted from the nearest end of the region, since the
    band lies on one side of that end where ``|ace - end| > critical * se``. Deciding where it is at most ``1 - level``
    bounds the probability of any wrong verdict in a family. It is 1 where an interval is unbounded.

    Parameters
    ----------
    effects
        With ``ice (unit, contrast, task[, model])``.
    region
        On the scale of the contrast.
    level, family, cluster
        As the band has them.
    key
        Of the same resamples as the band's.

    Returns
    -------
    array
        Of the shape of the effects.

    References
    ----------
    Romano & Wolf (2005), doi:10.1198/016214504000000539: the single step.

    Examples
    --------
    >>> ice = np.random.default_rng(0).normal([0.0, 1.0], 1.0, size=(50, 2))[..., None]
    >>> effects = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)})
    >>> region = Region(np.full((2, 1), -0.5), np.full((2, 1), 0.5), "-0.5 to 0.5")
    >>> band_error(effects, region, level=0.95, family=None, cluster=None, key=0).ravel() <= 0.05
    array([ True,  True])
    """
    questions = asked(effects, cluster, level)
    units, working = require_units(questions, "bootstrap_t"), questions.working(level)
    lower, upper = working.put(region.lower), working.put(region.upper)
    nearest = np.where(np.abs(working.centre - lower) < np.abs(working.centre - upper), lower, upper)
    from_end = Units(units.ice - (nearest - working.put(null_value(questions.estimates))).ravel(), units.cluster)
    se, error = working.error.ravel(), np.empty(nearest.size)
    for members in families(questions.estimates, family, nearest.shape):
        found = by_bootstrap(from_end, members, se=se[members], ci_prob=level, n_draws=_N_DRAWS, key=key)
        error[members] = found.p_single_step
    return np.where(questions.open_ended(level), 1.0, error.reshape(nearest.shape))
