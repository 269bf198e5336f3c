"""Average effects under a tilted null model: functions of arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalgia.errors import EstimateError
from causalgia.estimation.crossover import Estimate, from_factor
from causalgia.numerics.moments import group_sums
from causalgia.types import Array, Codes

_CLOSE, _TURNS = 1e-11, 1_000


@dataclass(frozen=True)
class Tilt:
    """Weights of n units that move the mean of a standardized covariate.

    Attributes
    ----------
    shift
        Weighted mean of the covariate, in its standard deviations from its mean.
    exponent
        The lambda of ``w_u proportional to exp(lambda z_u)``.
    weights
        Shape ``(n,)``, of sum 1.
    """

    shift: float
    exponent: float
    weights: Array

    def effective(self, cluster: Codes | None = None) -> float:
        """Return Kish's effective number of units, or of clusters: ``(sum W)^2 / sum W^2``.

        References
        ----------
        Kish (1965), Survey Sampling, section 11.7.
        """
        parts = self.weights if cluster is None else np.bincount(cluster, self.weights)
        return float(1 / (parts**2).sum())


def standardized(covariate: Array) -> tuple[Array, float, float]:
    """Return the covariate in standard deviations (of n, not n - 1) from its mean, with that mean and that sd.

    Examples
    --------
    >>> standardized(np.array([1.0, 3.0]))
    (array([-1.,  1.]), 2.0, 1.0)
    """
    mean = float(covariate.mean())
    away = covariate - mean
    size = 2.0 ** (np.frexp(np.abs(away).max())[1] - 1)  # squares of huge or tiny numbers are no floats
    sd = float(np.sqrt(((away / size) ** 2).mean()) * size)
    return away / sd, mean, sd


def tilt(z: Array, shift: float, *, start: float = 0.0) -> Tilt:
    """Return the exponential tilt under which the mean of z is `shift`.

    Of all weights with that mean those of ``exp(lambda z)`` are nearest to equal ones in relative entropy; lambda is
    found by Newton's method, bracketed, on the convex ``log sum exp(lambda z) - lambda shift``.

    Parameters
    ----------
    z
        Standardized covariate, shape ``(n,)``.
    shift
        Strictly between the least and the largest z.
    start
        Where the search for lambda begins, such as that of a neighboring shift.

    Raises
    ------
    EstimateError
        If no weights reach that mean.

    References
    ----------
    Hainmueller (2012), doi:10.1093/pan/mpr025: entropy balancing of a mean.

    Examples
    --------
    >>> tilted = tilt(np.array([-1.0, 1.0]), 0.5)
    >>> tilted.weights.round(6), round(tilted.exponent, 6)
    (array([0.25, 0.75]), 0.549306)
    """
    if not z.min() < shift < z.max():
        raise EstimateError(
            f"no weights of these units move the covariate by {shift:.3g} sd: it lies between {z.min():.3g} and "
            f"{z.max():.3g} sd; ask for less"
        )
    exponent, least, most = start, -np.inf, np.inf
    for _ in range(_TURNS):
        weights = np.exp(exponent * z - (exponent * z).max())
        weights /= weights.sum()
        mean = float(weights @ z)
        if abs(shift - mean) <= _CLOSE * max(1.0, abs(shift)):
            return Tilt(shift, exponent, weights)
        least, most = (exponent, most) if mean < shift else (least, exponent)
        spread = float(weights @ (z - mean) ** 2)
        further = exponent + float(np.clip((shift - mean) / max(spread, np.finfo(float).tiny), -1.0, 1.0))
        exponent = further if least < further < most else (least + most) / 2
    raise EstimateError(f"the tilt that moves the covariate by {shift:.3g} sd was not found; ask for less")


def tilted_mean(ice: Array, z: Array, tilted: Tilt, cluster: Codes | None = None) -> Estimate:
    r"""Estimate the average effect under a null model whose covariate is moved by a number of standard deviations.

    The estimand is :math:`\theta(s) = E[Y e^{\lambda z}] / E[e^{\lambda z}]` with :math:`\lambda` such that the mean of
    z is s under the tilt; mean and sd of the covariate, :math:`\lambda` and the ratio are all estimated. The influence
    of unit u is :math:`w_u (Y_u - \hat\theta - \beta (z_u - s)) + \beta (z_u + s (z_u^2 - 1) / 2) / n`, with
    :math:`\beta` the weighted slope of Y on z. Influences are summed by cluster and scaled as CR2 does for a weighted
    mean, with Satterthwaite degrees of freedom: at s = 0 this is `causalgia.estimation.mean_ice`.

    Parameters
    ----------
    ice
        Individual effects Y, shape ``(n, ...)``.
    z
        Standardized covariate, shape ``(n,)``.
    tilted
        Its `tilt`.
    cluster
        Cluster of each unit, 0 to G - 1, all present, shape ``(n,)``; without it each unit is one.

    Raises
    ------
    EstimateError
        With fewer than two clusters.

    References
    ----------
    Hajek (1971), in Foundations of Statistical Inference, 236: the ratio. Bell & McCaffrey (2002), Survey Methodology
    28(2), 169-181: the scale and the degrees of freedom.

    Examples
    --------
    >>> y, z = np.array([1.0, 2.0, 4.0, 9.0]), np.array([-1.0, 1.0, -1.0, 1.0])
    >>> flat, moved = (tilted_mean(y, z, tilt(z, s)) for s in (0.0, 0.5))
    >>> flat.ace, flat.se.round(4), flat.df.round(6), moved.ace.round(6)
    (np.float64(4.0), np.float64(1.7795), np.float64(3.0), np.float64(4.75))
    """
    w, s, n = tilted.weights, tilted.shift, len(z)
    share: Array = w if cluster is None else np.bincount(cluster, w).astype(np.float64)
    if len(share) < 2:
        raise EstimateError(f"{len(share)} cluster gives no spread between clusters; two or more are needed")
    shifted = ice - ice[0]
    mean = np.tensordot(w, shifted, axes=1)
    residuals = shifted - mean
    aside = z - s
    slope = np.tensordot(w * aside, residuals, axes=1) / float(w @ aside**2)
    of_mean, of_moments = (x.reshape(-1, *[1] * (ice.ndim - 1)) for x in (w, (z + s * (z**2 - 1) / 2) / n))
    along = aside.reshape(-1, *[1] * (ice.ndim - 1))
    influence = of_mean * residuals + (of_moments - of_mean * along) * slope
    squares: Array = w**2 if cluster is None else np.bincount(cluster, w**2).astype(np.float64)
    whole = float((w**2).sum())
    scale: Array = (1 - 2 * share + share**2 * whole / squares) ** -0.5
    sums = influence if cluster is None else group_sums(influence, cluster)
    factor = sums * scale.reshape(-1, *[1] * (ice.ndim - 1))
    return from_factor((mean + ice[0])[()], factor, _weighted_mean_df(share, squares, scale))


def _weighted_mean_df(share: Array, squares: Array, scale: Array) -> float:
    """Return Satterthwaite df of the scaled influences of a weighted mean under independent errors of one variance.

    Their covariance is ``D - u v' - v u' + Q u u'`` with ``D = diag(scale^2 squares)``, ``u = scale share``, ``v =
    scale squares`` and ``Q = sum squares``: ``tr^2 / tr(.^2)`` of it, in O(G).
    """
    diagonal, Q = scale**2 * squares, squares.sum()
    U = np.stack([scale * share, scale * squares], axis=1)
    middle = np.array([[-Q, 1.0], [1.0, 0.0]])
    turned = U @ middle
    gram = U.T @ U @ middle
    trace = diagonal.sum() - (turned * U).sum()
    of_square = (diagonal**2).sum() - 2 * (diagonal[:, None] * turned * U).sum() + np.trace(gram @ gram)
    return float(trace**2 / of_square)
