"""Power and interval of a planned average, from the law of the variances that its fit
will estimate.

The fit (`causalgia.mpra.average`) has three mean squares, independent of each other and
of the mean under normal noise: of backgrounds, ``S / n`` with n - 1 degrees of freedom;
between replicates, ``E`` with R - 1; and of backgrounds by replicates, ``I``, with
(n - 1)(R - 1). Its squared error is ``S / n + max(E - I, 0)``, with the degrees of
freedom of `df_with_shared_noise`: n - 1 where E is below I (of two or three replicates,
far below), and toward R - 1 elsewhere. With two replicates E has one degree of freedom,
whose limit is wide, so that a plan by the true variances alone promises too much.

The functions take arrays that broadcast: `spread`, the variance of the mean from
backgrounds and their measurement, ``(tau^2 + se_unit^2) / n``; `shared`, from what the
elements of an arm share in a replicate; `within`, from the noise of backgrounds that
differs between replicates; and n and R, backgrounds and replicates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from causalgia.estimation.shared_error import MOST_WIDE, df_with_shared_noise
from causalgia.numerics.moments import t_quantile
from causalgia.types import Array


def _unit_nodes(n: int) -> tuple[Array, Array]:
    """Return Gauss-Legendre nodes and weights on 0 to 1."""
    x, w = np.polynomial.legendre.leggauss(n)
    return (x + 1) / 2, w / 2


_SPREAD, _WITHIN, _BETWEEN, _ALONE = (_unit_nodes(n) for n in (6, 4, 8, 24))


class _FitVariances(NamedTuple):
    """What the fit estimates in D designs, at nodes of its mean squares: the probability
    that its limit is wider than of S alone, shape ``(D,)``; and its squared error and
    degrees of freedom there with their weights, which sum to `apart`, ``(D, nodes)``.
    """

    apart: Array
    variance: Array
    df: Array
    weight: Array


def _fit_variances(
    spread: Array, shared: Array, within: Array, n: Array, R: Array
) -> _FitVariances:
    df_s, df_e = n - 1, R - 1
    S = spread[:, None] * _mean_square(df_s, _SPREAD[0])
    left = within[:, None] * _mean_square(df_s * df_e, _WITHIN[0])
    expected = within + shared
    half = df_e[:, None] / 2
    ratio = np.divide(
        left, expected[:, None], out=np.ones_like(left), where=expected[:, None] > 0
    )
    # the limit is wider where E is above I, of few replicates E t_e^2 above I t_s^2
    own, wide = t_quantile(df_s, 0.975), t_quantile(np.minimum(df_s, df_e), 0.975)
    least = np.where(df_e < MOST_WIDE, (own / wide) ** 2, 1.0)
    below = special.gammainc(half, half * ratio * least[:, None])
    p = np.minimum(below[..., None] + (1 - below[..., None]) * _BETWEEN[0], 1 - 1e-15)
    between = special.gammaincinv(half[..., None], p) / half[..., None]
    between = expected[:, None, None] * between
    weight = _WITHIN[1][:, None] * (1 - below[..., None]) * _BETWEEN[1]
    apart = weight.sum(axis=(1, 2))
    S, left, between = S[:, :, None, None], left[:, None, :, None], between[:, None]
    variance = S + np.maximum(between - left, 0.0)
    df_s, df_e = (x[:, None, None, None] for x in (df_s, df_e))
    df = df_with_shared_noise(S, df_s, between, left, df_s * df_e, df_e + 1)
    weight = np.broadcast_to(
        _SPREAD[1][:, None, None] * weight[:, None], variance.shape
    )
    return _FitVariances(
        apart, *(x.reshape(len(spread), -1) for x in (variance, df, weight))
    )


def _mean_square(df: Array, p: Array) -> Array:
    """Return quantiles of chi-square over its degrees of freedom, shape
    ``(len(df), len(p))``.
    """
    half = df[:, None] / 2
    return np.asarray(special.gammaincinv(half, p) / half)


def average_power(
    effect: Array,
    alpha: Array,
    spread: Array,
    shared: Array,
    within: Array,
    n: Array,
    R: Array,
) -> Array:
    """Return the power of the two-sided test of an average at level `alpha`."""
    shape, (effect, alpha, spread, shared, within, n, R) = _flat(
        effect, alpha, spread, shared, within, n, R
    )
    fit = _fit_variances(spread, shared, within, n, R)
    sd, size = np.sqrt(spread + shared), np.abs(effect)
    known = sd > 0
    unit = np.where(known, sd, 1.0)
    shift = np.where(known, size / unit, np.where(size > 0, np.inf, 0.0))[:, None]
    part = np.where(known, np.sqrt(spread) / unit, 1.0)
    limit = np.where(known[:, None], np.sqrt(fit.variance) / unit[:, None], 1.0)
    limit = limit * t_quantile(fit.df, 1 - alpha[:, None] / 2)
    # S alone: a noncentral t whose numerator has the variance of all
    alone = part * t_quantile(n - 1, 1 - alpha / 2)
    alone = alone[:, None] * np.sqrt(_mean_square(n - 1, _ALONE[0]))
    found = (1 - fit.apart) * (_beyond(alone, shift) @ _ALONE[1])
    found = found + (fit.weight * _beyond(limit, shift)).sum(axis=1)
    return np.asarray(found.reshape(shape))


def average_half_width(
    spread: Array, shared: Array, within: Array, n: Array, R: Array, *, ci_prob: float
) -> Array:
    """Return the mean half width of the interval of an average."""
    shape, (spread, shared, within, n, R) = _flat(spread, shared, within, n, R)
    fit = _fit_variances(spread, shared, within, n, R)
    level, df = 0.5 + ci_prob / 2, n - 1
    # the mean of the root of chi-square over its degrees of freedom
    root = np.sqrt(2 / df)
    root = root * np.exp(special.gammaln((df + 1) / 2) - special.gammaln(df / 2))
    alone = t_quantile(df, level) * np.sqrt(spread) * root
    wide = fit.weight * np.sqrt(fit.variance) * t_quantile(fit.df, level)
    return np.asarray(((1 - fit.apart) * alone + wide.sum(axis=1)).reshape(shape))


def _flat(*arrays: Array) -> tuple[tuple[int, ...], list[Array]]:
    every = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in arrays))
    return every[0].shape, [np.ravel(x) for x in every]


def _beyond(limit: Array, shift: Array) -> Array:
    """Return P(|z + shift| > limit)."""
    return np.asarray(special.ndtr(shift - limit) + special.ndtr(-shift - limit))
