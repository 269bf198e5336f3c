"""Power and interval of a planned average, from the law of the variances that its fit
will estimate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from causalgia.estimation.shared_error import MOST_WIDE, df_with_shared_noise
from causalgia.numerics.moments import t_quantile
from causalgia.types import Array


def _unit_nodes(n: int) -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes and weights on 0 to 1."""
    x, w = np.polynomial.legendre.leggauss(n)
    return (x + 1) / 2, w / 2


_SPREAD, _WITHIN, _BETWEEN = (_unit_nodes(n) for n in (6, 4, 8))


@dataclass(frozen=True, eq=False)
class AverageVariances:
    """Variances of a mean over n backgrounds in R replicates, which its fit estimates.

    The fit (`causalgia.mpra.average`) has three mean squares, independent of each other
    and of the mean under normal noise: of backgrounds, ``S / n`` with n - 1 degrees of
    freedom; between replicates, ``E`` with R - 1; and of backgrounds by replicates,
    ``I``, with (n - 1)(R - 1). Its squared error is ``S / n + max(E - I, 0)``, with the
    degrees of freedom of `df_with_shared_noise`: n - 1 where E is below I (of two or
    three replicates, far below), and toward R - 1 elsewhere. With two replicates E has
    one degree of freedom, whose limit is wide, so that a plan by the true variances
    alone promises too much.

    Attributes
    ----------
    spread
        Of the mean, from backgrounds and their measurement: ``(tau^2 + se_unit^2) / n``.
    common
        Of the mean, from what replicates share: ``sd_common^2 / R``.
    within
        Of the mean, from the noise of backgrounds that differs between replicates; a
        part of `spread`.
    n, R
        Backgrounds and replicates.
    """

    spread: xr.DataArray
    common: xr.DataArray
    within: xr.DataArray
    n: xr.DataArray
    R: xr.DataArray

    def power(self, true_effect: xr.DataArray, alpha: Any) -> xr.DataArray:
        """Return the power of the two-sided test at level `alpha`."""
        power: xr.DataArray = xr.apply_ufunc(
            _power,
            true_effect,
            xr.DataArray(alpha),
            self.spread,
            self.common,
            self.within,
            self.n,
            self.R,
        )
        return power

    def half_width(self, ci_prob: float) -> xr.DataArray:
        """Return the mean half width of the interval."""
        width: xr.DataArray = xr.apply_ufunc(
            lambda *x: _half_width(*x, ci_prob=ci_prob),
            self.spread,
            self.common,
            self.within,
            self.n,
            self.R,
        )
        return width


@dataclass(frozen=True)
class _FitVariances:
    """What the fit estimates in D designs, at nodes of its mean squares.

    Attributes
    ----------
    apart
        Probability that its limit is wider than of S alone, shape ``(D,)``.
    variance, df
        Squared error and degrees of freedom where it does, shape ``(D, nodes)``.
    weight
        Of the nodes, shape ``(D, nodes)``; they sum to `apart`.
    """

    apart: Array
    variance: Array
    df: Array
    weight: Array


def _fit_variances(
    spread: Array, common: Array, within: Array, n: Array, R: Array
) -> _FitVariances:
    df_s, df_e = n - 1, R - 1
    df_i = df_s * df_e
    S, w_s = spread[:, None] * _mean_square(df_s, _SPREAD[0]), _SPREAD[1]
    left, w_i = within[:, None] * _mean_square(df_i, _WITHIN[0]), _WITHIN[1]
    expected = within + common
    half = df_e[:, None] / 2
    ratio = np.divide(
        left, expected[:, None], out=np.ones_like(left), where=expected[:, None] > 0
    )
    # the limit is wider where E is above I, of few replicates E t_e^2 above I t_s^2
    own, wide = t_quantile(df_s, 0.975), t_quantile(np.minimum(df_s, df_e), 0.975)
    least = np.where(df_e < MOST_WIDE, (own / wide) ** 2, 1.0)
    not_above = special.gammainc(half, half * ratio * least[:, None])
    p = not_above[..., None] + (1 - not_above[..., None]) * _BETWEEN[0]
    p = np.minimum(p, 1 - 1e-15)
    between = (
        expected[:, None, None]
        * special.gammaincinv(half[..., None], p)
        / half[..., None]
    )
    weight = w_i[:, None] * (1 - not_above[..., None]) * _BETWEEN[1]
    apart = weight.sum(axis=(1, 2))
    S, left, between = S[:, :, None, None], left[:, None, :, None], between[:, None]
    variance = S + np.maximum(between - left, 0.0)
    df_s, df_e = (x[:, None, None, None] for x in (df_s, df_e))
    df = df_with_shared_noise(S, df_s, between, left, df_s * df_e, df_e + 1)
    D = len(spread)
    weight = np.broadcast_to(w_s[:, None, None] * weight[:, None], variance.shape)
    return _FitVariances(
        apart, variance.reshape(D, -1), df.reshape(D, -1), weight.reshape(D, -1)
    )


def _mean_square(df: Array, p: Array) -> Array:
    """Return quantiles of chi-square over its degrees of freedom, shape
    ``(len(df), len(p))``.
    """
    half = df[:, None] / 2
    return np.asarray(special.gammaincinv(half, p) / half)


def _power(
    effect: Array,
    alpha: Array,
    spread: Array,
    common: Array,
    within: Array,
    n: Array,
    R: Array,
) -> Array:
    shape, (effect, alpha, spread, common, within, n, R) = _flat(
        effect, alpha, spread, common, within, n, R
    )
    fit = _fit_variances(spread, common, within, n, R)
    sd = np.sqrt(spread + common)
    size = np.abs(effect)
    with np.errstate(divide="ignore", invalid="ignore"):
        shift = np.where(sd > 0, size / sd, np.where(size > 0, np.inf, 0.0))
        part = np.where(sd > 0, np.sqrt(spread) / sd, 1.0)
        limit = np.where(
            sd[:, None] > 0, np.sqrt(fit.variance) / sd[:, None], 1.0
        ) * t_quantile(fit.df, 1 - alpha[:, None] / 2)
    # S alone: a noncentral t whose numerator has the variance of all
    alone = t_quantile(n - 1, 1 - alpha / 2) * part
    found = (1 - fit.apart) * _beyond_t(alone, n - 1, shift)
    beyond = special.ndtr(shift[:, None] - limit) + special.ndtr(
        -shift[:, None] - limit
    )
    found = found + (fit.weight * beyond).sum(axis=1)
    return np.asarray(found.reshape(shape))


def _half_width(
    spread: Array,
    common: Array,
    within: Array,
    n: Array,
    R: Array,
    *,
    ci_prob: float,
) -> Array:
    shape, (spread, common, within, n, R) = _flat(spread, common, within, n, R)
    fit = _fit_variances(spread, common, within, n, R)
    level = 0.5 + ci_prob / 2
    alone = t_quantile(n - 1, level) * np.sqrt(spread) * _mean_root(n - 1)
    shared = (fit.weight * np.sqrt(fit.variance) * t_quantile(fit.df, level)).sum(
        axis=1
    )
    return np.asarray(((1 - fit.apart) * alone + shared).reshape(shape))


def _flat(*arrays: Array) -> tuple[tuple[int, ...], list[Array]]:
    every = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in arrays))
    return every[0].shape, [np.ravel(x) for x in every]


def _mean_root(df: Array) -> Array:
    """Return the mean of the root of chi-square over its degrees of freedom."""
    return np.asarray(
        np.sqrt(2 / df)
        * np.exp(special.gammaln((df + 1) / 2) - special.gammaln(df / 2))
    )


def _beyond_t(limit: Array, df: Array, shift: Array) -> Array:
    """Return P(|T| > limit) of the noncentral t."""
    x, w = _unit_nodes(24)
    root = np.sqrt(_mean_square(df, x)) * limit[:, None]
    beyond = special.ndtr(shift[:, None] - root) + special.ndtr(-shift[:, None] - root)
    return np.asarray(beyond @ w)
