"""What a design can tell: standard error, half width and power of one element's effect, or of the mean of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from causalgia.numerics.moments import satterthwaite
from causalgia.planning.power_functions import t_power, t_quantile
from causalgia.types import Array

_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_LEAST_ALPHA = 1e-12
_STEPS = 200


@dataclass(frozen=True, eq=False)
class Error:
    """The standard error of a design, as sources that add up; DataArrays that broadcast by name."""

    parts: list[xr.DataArray]
    """Variances."""
    dfs: list[xr.DataArray]
    """Their degrees of freedom."""
    nodes: list[tuple[float, xr.DataArray]]
    """Standard errors of elements of unlike noisiness, with the share of each; one where all are alike."""

    def se(self) -> xr.DataArray:
        """Return the root mean square standard error."""
        return root(sum(self.parts[1:], self.parts[0]))

    def df(self) -> xr.DataArray:
        """Return Satterthwaite's degrees of freedom."""
        if len(self.parts) == 1:
            return self.dfs[0]
        every = xr.broadcast(*self.parts, *self.dfs)
        stacked = [
            np.stack([x.to_numpy() for x in half]) for half in (every[: len(self.parts)], every[len(self.parts) :])
        ]
        return every[0].copy(data=satterthwaite(*stacked))


def noisiness_nodes(sd: float) -> list[tuple[float, float]]:
    """Return shares and squared noisiness ``h^2`` of elements, ``log h ~ N(0, sd^2)``, by Gauss-Hermite quadrature.

    Examples
    --------
    >>> noisiness_nodes(0.0)
    [(1.0, 1.0)]
    >>> nodes = noisiness_nodes(0.4)
    >>> bool(np.isclose(sum(w * h2 for w, h2 in nodes), np.exp(2 * 0.4**2)))
    True
    """
    if sd == 0:
        return [(1.0, 1.0)]
    return [(float(w), float(h2)) for w, h2 in zip(_WEIGHTS / _WEIGHTS.sum(), np.exp(2 * sd * _NODES), strict=True)]


def chance(effect: xr.DataArray, error: Error, alpha: Any) -> xr.DataArray:
    """Return the power of the two-sided t test at level `alpha`, averaged over elements of unlike noisiness."""
    df = error.df()
    found: list[xr.DataArray] = [w * xr.apply_ufunc(_power, effect, se, df, alpha) for w, se in error.nodes]
    return sum(found[1:], found[0])


def root(variance: xr.DataArray) -> xr.DataArray:
    """Return the square root, labelled."""
    return variance.copy(data=np.sqrt(variance.to_numpy()))


def _power(effect: Array, se: Array, df: Array, alpha: Array) -> Array:
    level: Any = 1 - np.asarray(alpha)
    if np.all(np.isinf(df)):
        size, se = np.broadcast_arrays(np.abs(effect), se)
        z = np.divide(size, se, out=np.full(se.shape, np.inf), where=se > 0)
        critical = -special.ndtri(np.asarray(alpha) / 2)
        return np.asarray(special.ndtr(z - critical) + special.ndtr(-z - critical))
    return np.asarray(t_power(effect, se, df, level=level))


def halfwidth(error: Error, level: float) -> xr.DataArray:
    """Return the half width of the interval, from the root mean square standard error."""
    df = error.df()
    return error.se() * df.copy(data=t_quantile(df.to_numpy(), 0.5 + level / 2))


def alpha_for_q(effect: xr.DataArray, error: Error, *, q: float, share_true: float) -> xr.DataArray:
    """Return the level of a single test at which Benjamini-Hochberg at q stops, in a large family.

    The threshold alpha solves ``alpha / (alpha (1 - s) + power(alpha) s) = q``, with s the share of true effects, all
    of the same size; power is concave in alpha, so that the steps fall to the one solution from above.

    References
    ----------
    Genovese & Wasserman (2002), doi:10.1111/1467-9868.00347.
    """
    ratio = q * share_true / (1 - q * (1 - share_true))
    alpha = xr.full_like(chance(effect, error, 0.5), ratio)
    for _ in range(_STEPS):
        new = (ratio * chance(effect, error, alpha)).clip(min=_LEAST_ALPHA)
        if bool((abs(new - alpha) <= 1e-9 * alpha).all()):
            break
        alpha = new
    return alpha
