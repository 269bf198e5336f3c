"""Hall's transformed t: limits and tests that allow for skewed units."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.types import Array

ENOUGH = 25
"""Units per squared skewness below which a t interval covers less than its level."""
_SAMPLED = ("population", "parents")
"""Targets whose error comes from the sampled units alone, so that the skewness of the estimates applies."""


def transformed(t: Array, a: Array) -> Array:
    """Return ``g(t) = t + a t^2 / 3 + a^2 t^3 / 27 + a / 6``, which removes the effect of skewness on t.

    The studentized mean of n skewed observations has a long tail on the side of the short tail of the observations:
    ``P(t <= x) = Phi(x) + a (2 x^2 + 1) phi(x) / 6 + O(1/n)`` with ``a = skewness / sqrt(n)``. g is increasing and
    removes that term.

    Parameters
    ----------
    t
        Studentized distances of estimates from the tested value.
    a
        Skewness of the independent contributions divided by the root of their number, broadcast against `t`.

    References
    ----------
    Hall (1992), doi:10.1111/j.2517-6161.1992.tb01872.x.

    Examples
    --------
    >>> transformed(np.array([-2.0, 0.0, 2.0]), np.array([0.0, 0.3, 0.3])).round(4)
    array([-2.    ,  0.05  ,  2.4767])
    """
    # ((1 + a t / 3)^3 - 1) / a, without the cancellation for small a
    u = a * t / 3
    return np.asarray(t * (1 + u + u**2 / 3) + a / 6)


def untransformed(x: Array, a: Array) -> Array:
    """Return the inverse of `transformed`: the t whose transformed value is x.

    Examples
    --------
    >>> t, a = np.array([-9.0, -1.0, 4.0]), np.array([0.7, 0.7, -0.01])
    >>> untransformed(transformed(t, a), a)
    array([-9., -1.,  4.])
    """
    a = np.broadcast_to(np.asarray(a, dtype=np.float64), np.broadcast_shapes(np.shape(x), np.shape(a)))
    y = x - a / 6
    still = np.abs(a) < 1e-12
    safe = np.where(still, 1.0, a)
    inner = safe * y
    near = inner > -0.5
    root = np.where(near, np.expm1(np.log1p(np.where(near, inner, 0.0)) / 3), np.cbrt(1 + inner) - 1)
    return np.where(still, y, 3 * root / safe)


def hall_coefficient(estimates: xr.Dataset) -> Array:
    """Return ``skewness / sqrt(n)`` of each estimate, in the shape of ``ace``; 0 where it is not known.

    n is the number of independent contributions (``n_clusters``, else ``n_units``). The coefficient is also 0 for
    targets with another source of variance (words, predictors, replicates), for which the skewness of units says
    little.

    Examples
    --------
    >>> one = {name: ("contrast", [x]) for name, x in {"ace": 1.0, "skewness": 2.0, "n_units": 100}.items()}
    >>> hall_coefficient(xr.Dataset(one)), hall_coefficient(xr.Dataset({"ace": ("contrast", [1.0])}))
    (array([0.2]), array([0.]))
    """
    ace = estimates["ace"]
    counts = [name for name in ("n_clusters", "n_units") if name in estimates]
    if "skewness" not in estimates or not counts or estimates.attrs.get("target", "population") not in _SAMPLED:
        return np.zeros(ace.shape)
    skewness, n = (estimates[name].broadcast_like(ace).transpose(*ace.dims) for name in ("skewness", counts[0]))
    return np.asarray(skewness.to_numpy() / np.sqrt(np.maximum(n.to_numpy(), 1)))
