"""Differences between two pools of retrainings, which are as random as the units."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.estimation.cells import Cells
from causalgia.numerics.moments import satterthwaite
from causalgia.schema import annotate
from causalgia.types import Array, Codes

_OF_UNITS = ("ace", "n_units", "n_clusters", "floor")


def over_pools(estimates: xr.Dataset, first: Array, second: Array) -> xr.Dataset:
    r"""Return estimates of the mean over one pool of levels (retrainings of a network)
    minus that over another, on the same units, with the error of drawing both pools.

    With J and M levels, :math:`se^2 = v + s_J^2 / J + s_M^2 / M`: v is the variance over
    units of the difference of both means over levels, :math:`s_J^2` and :math:`s_M^2`
    those between the ACEs of the levels. The part by which units differ between levels is
    in v and in these, and counts twice. As of independent arms, the pooled variance of
    the levels gives a second error: a pool of two seems by chance to differ little.
    Degrees of freedom are Satterthwaite's (Welch's, where v is small). Skewness is that
    of the units, times :math:`(v / se^2)^{1.5}`: that of the error, levels taken as symmetric.

    Parameters
    ----------
    estimates
        Of the difference of both means over levels, from the units, in one contrast.
    first, second
        ACE of each level, two or more, by task: shapes ``(J, T)`` and ``(M, T)``.

    Returns
    -------
    Dataset
        What `causalgia.decide` reads: ``ace, se, df, se_pooled, df_pooled, skewness`` and
        the numbers of units.

    References
    ----------
    Welch (1947), doi:10.1093/biomet/34.1-2.28. Satterthwaite (1946),
    doi:10.2307/3002019.

    Examples
    --------
    >>> columns = {"ace": 1.0, "se": 0.0, "df": 1.0, "skewness": 0.0}
    >>> of_units = xr.Dataset(
    ...     {name: (("contrast", "task"), [[x]]) for name, x in columns.items()}
    ... )
    >>> first, second = np.array([[2.0], [3.0], [4.0]]), np.array([[1.0], [3.0], [2.0]])
    >>> found = over_pools(of_units, first, second)
    >>> found["se"].values.round(3), found["df"].values
    (array([[0.816]]), array([[4.]]))
    """
    sizes = np.array([len(first), len(second)])
    cells = Cells(
        weight=np.array([[1.0, -1.0]]),
        loading=np.repeat(1 / sizes, sizes),
        residual=np.concatenate([x - x.mean(axis=0) for x in (first, second)]),
        cell=np.repeat([0, 1], sizes),
        df=sizes - 1,
    )
    se, df, skewness = (estimates[name].to_numpy() for name in ("se", "df", "skewness"))
    pooled, df_pooled = cells.pooled_error
    found = _with_units(se, df, cells.sd / np.sqrt(sizes)[:, None], cells.df[:, None])
    second_t = _with_units(se, df, pooled, df_pooled)
    share = np.divide(se, found[0], out=np.zeros_like(se), where=found[0] > 0)
    columns = {
        **dict(zip(("se", "df"), found, strict=True)),
        **dict(zip(("se_pooled", "df_pooled"), second_t, strict=True)),
        "skewness": skewness * share**3,
        "exact": found[0] == 0,
    }
    kept = estimates[[name for name in _OF_UNITS if name in estimates]]
    dims = estimates["ace"].dims
    return annotate(kept.assign({name: (dims, x) for name, x in columns.items()}))


def _with_units(
    se: Array, df: Array, of_levels: Array, df_of_levels: Array | Codes
) -> tuple[Array, Array]:
    """Return error and degrees of freedom of units and levels together, ``(1, T)``."""
    variances = np.concatenate([se, of_levels]) ** 2
    dfs = np.broadcast_to(df_of_levels, of_levels.shape)
    together = satterthwaite(variances, np.concatenate([df, dfs]))
    return np.sqrt(variances.sum(axis=0))[None], together[None]
