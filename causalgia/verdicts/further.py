"""How much larger a new trial would have to be to decide what this one left open."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from causalgia.types import Array

_BEYOND_ANY_TRIAL = 1e15


def more_units(
    distance: Array, sd: Array, se: Array, n_units: npt.NDArray[np.int64], *, z: Array | float
) -> npt.NDArray[np.int64]:
    """Return about how many units more than this trial's a new trial would need to decide an effect.

    A verdict needs ``distance >= z sd``. The standard error falls as ``1 / sqrt(n)``, what is known beyond the trial
    (a prior, ``1/sd^2 - 1/se^2``) stays: ``n' = n se^2 (z^2 / distance^2 - (1/sd^2 - 1/se^2))``. So does an
    uncertainty that units do not lessen, such as between predictors (sd above se):
    ``n' = n se^2 / (distance^2 / z^2 - (sd^2 - se^2))``. If the effect is what it seems, a new trial of n' units
    decides with even odds. Units that share parents are taken to come with as many more parents.

    Parameters
    ----------
    distance
        From the effect to the nearest end of the region of practical equivalence, shape ``(K,)``.
    sd
        Its uncertainty in this trial: standard error, or posterior sd, shape ``(K,)``.
    se
        Standard error, shape ``(K,)``.
    n_units
        Units of this trial, shape ``(K,)``; 0 where they are not known.
    z
        How many sd the verdict needs; 0 where the band of an effect has no width, which more units do not help.

    Returns
    -------
    array
        At least 1; -1 where nothing can be said: units are not known or do not help, nothing varies, or the effect
        is on an end.

    Examples
    --------
    >>> one = np.array([1.0, 0.0])
    >>> more_units(one, np.array([1.0, 1.0]), np.array([1.0, 1.0]), np.array([100, 100]), z=2.0)
    array([300,  -1])
    """
    known = (n_units > 0) & (se > 0) & (sd > 0) & (distance > 0) & (np.asarray(z) > 0)
    gap, s, spread, z = (np.where(known, x, 1.0) for x in (distance, sd, se, z))
    with np.errstate(over="ignore"):
        beyond = np.maximum((spread / s) ** 2 - 1, 0.0)
        stays = np.maximum(s**2 - spread**2, 0.0)
        room = (gap / z) ** 2 - stays
        known &= room > 0
        needed = n_units * (spread**2 / np.where(known, room, 1.0) - beyond)
    known &= needed < _BEYOND_ANY_TRIAL
    more = np.maximum(np.ceil(np.where(known, needed - n_units, 0.0)), 1.0)
    return np.where(known, more, -1).astype(np.int64)
