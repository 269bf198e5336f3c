"""Degrees of freedom of a mean over units to whose error replicates, or predictors, add
what all units share.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy

from causalgia.numerics.moments import t_quantile
from causalgia.types import Array

#: the most replicates whose mean square has a quantile of t of its own
MOST_WIDE = 3
_LEVEL = 0.975
_LARGEST_DF = 1e6


def df_with_shared_noise(
    spread: npt.ArrayLike,
    df: npt.ArrayLike,
    between: npt.ArrayLike,
    within: npt.ArrayLike,
    df_within: npt.ArrayLike,
    n_replicates: npt.ArrayLike,
) -> Array:
    r"""Return degrees of freedom of the squared error ``S + max(E - W, 0)`` of a mean.

    S is the mean square of units (`df` degrees of freedom), E that between replicates
    (R - 1), and W the part of E due to the units' own noise (`df_within`). From four
    replicates on they are Satterthwaite's, R - 1 at the least, where E is above W, and
    `df` where it is not: the test at .05 rejects at most .065 of true nulls, and of four
    replicates that at .01 at most .02. The limit below would hold there as well, but
    where nothing is shared its power is .665 of four replicates, where it is .711.

    With two or three replicates E has one or two degrees of freedom: by chance it is
    often near W or below, however much replicates share, and the error is then far too
    small. Satterthwaite's degrees of freedom, which take E for its expectation, do not
    see that: the test at .05 would reject up to .12 of true nulls at two replicates, and
    .07 at three. The limit at .05 is therefore the root of

    .. math:: S\,t_{df}^2 + \max(E\,t_{R-1}^2 - W\,t_{df}^2, 0),

    each mean square with its own quantile of t (after Cochran's limits for a sum of
    two), and the degrees of freedom are those of the t that has this limit. W is known
    far better than E, and is subtracted with the narrow quantile. The test rejects at
    most .051 (6 to 40 units, units' noise of .05 to .8 of S, shared noise of 0 to 100
    times S).

    Parameters
    ----------
    spread, df
        S and its degrees of freedom.
    between, within
        E and W.
    df_within
        Degrees of freedom of W.
    n_replicates
        R.

    References
    ----------
    Satterthwaite (1946), doi:10.2307/3002019.

    Examples
    --------
    >>> df_with_shared_noise(1.0, 29.0, [0.0, 0.1, 1.0, 100.0], 0.1, 29.0, 2).round(1)
    array([29. ,  1.9,  1.2,  1. ])
    >>> df_with_shared_noise(1.0, 29.0, [0.0, 0.1, 1.0, 100.0], 0.1, 87.0, 4).round(1)
    array([29. , 29. ,  9.8,  3.1])
    """
    S, df, E, W, df_W, R = (
        np.asarray(x, dtype=np.float64)
        for x in (spread, df, between, within, df_within, n_replicates)
    )
    least = np.minimum(df, R - 1)
    error2 = S + np.maximum(E - W, 0.0)
    squares = S**2 / df + E**2 / np.maximum(R - 1, 1) + W**2 / df_W
    welch = np.where(squares > 0, error2**2, df) / np.where(squares > 0, squares, 1.0)
    many = np.where(E > W, np.maximum(welch, least), df)
    few = R <= MOST_WIDE
    if not few.any():
        return many
    # before the arguments are stretched: quantiles of t cost most
    own, wide = t_quantile(df, _LEVEL), t_quantile(least, _LEVEL)
    limit2 = S * own**2 + np.maximum(E * wide**2 - W * own**2, 0.0)
    known = error2 > 0
    ratio = np.sqrt(np.where(known, limit2, own**2) / np.where(known, error2, 1.0))
    found = np.where(ratio < wide, df, least)
    inside = few & (ratio > own * (1 + 1e-9)) & (ratio < wide)
    if inside.any():
        highest = np.minimum(df, _LARGEST_DF)
        low, high, ratio = (
            np.broadcast_to(x, inside.shape)[inside] for x in (least, highest, ratio)
        )
        found = np.array(np.broadcast_to(found, inside.shape))
        found[inside] = np.clip(scipy.special.stdtridf(_LEVEL, ratio), low, high)
    return np.where(few, found, many)
