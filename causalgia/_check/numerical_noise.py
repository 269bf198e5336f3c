"""How much of a contrast is rounding: its size on one unit, and what it does to a mean over units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalgia.types import Array

AGAINST_EXACT = "against float64"
"""How rounding was found where the same outcomes were computed in higher precision."""
_NOTHING = 2
"""An ICE that varies by fewer roundings of its outcomes than this does not vary."""


@dataclass(frozen=True)
class Rounding:
    """The rounding error ``e`` of individual effects, in units of their own spread.

    With ``ICE_u = sum_a w_a Y_u(a)`` and ``e_u`` its error, over m units: `rms` is ``sqrt(mean e^2) / sd``, `bias`
    ``mean e / se`` with ``se`` the standard error of the average effect at the design's own number of units, `mcse` the
    standard error of `bias` itself, as m units know it. `sd` is the spread of the ICE (of a parallel trial: the
    standard error of the average effect times the root of the number of units). Where the ICE do not vary, `constant`,
    there is no standard error: `rms` is then relative to the largest outcome, `bias` and `mcse` are 0.

    All are (contrasts, tasks[, models]).
    """

    rms: Array
    bias: Array
    mcse: Array
    sd: Array
    constant: NDArray[np.bool_]

    @property
    def most(self) -> Array:
        """The largest bias that m units leave possible, two standard errors beyond what they show, in se."""
        return np.abs(self.bias) + 2 * self.mcse


def weighed(weights: Array, y: Array) -> Array:
    """Return the sums over arms, (K, units, ...), of outcomes (arms, units, ...) by weights (K, arms)."""
    return np.tensordot(weights, y, axes=1)


def against_exact(y: Array, exact: Array, weights: Array, *, n_units: int, dealt: int = 1) -> Rounding:
    """Return the rounding of contrasts, found by computing the same outcomes in higher precision.

    Parameters
    ----------
    y, exact
        Outcomes as they are answered, and in higher precision, (arms, units, tasks[, models]).
    weights
        Of the contrasts, (K, arms).
    n_units
        Units of the trial.
    dealt
        Arms among which the units of a parallel trial are dealt; 1 in a crossover.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> exact = rng.normal(size=(2, 400, 1))
    >>> y = exact + np.array([0.05, 0.0]).reshape(2, 1, 1)  # the first arm is always answered 0.05 too high
    >>> found = against_exact(y, exact, np.array([[1.0, -1.0]]), n_units=10_000)
    >>> found.rms.round(3).tolist(), found.bias.round(2).tolist()  # about 0.05 / sqrt(2), and 100 times that
    ([[0.037]], [[3.69]])
    """
    error = weighed(weights, y - exact)
    return _in_units_of_spread(error[None], 0.0, exact, weights, n_units=n_units, dealt=dealt, eps=2.0**-40)


def among_repeats(repeats: Array, weights: Array, *, eps: float, n_units: int, dealt: int = 1) -> Rounding:
    """Return the rounding of contrasts that shows when the same sequences are asked for in other batches.

    An error that is made alike in every batch is not seen: `bias` is the largest shift of the average effect from one
    way of asking to another. The rounding of the answers themselves to their dtype, ``eps |Y| / sqrt(12)`` at most, is
    added to `rms` and `mcse`.

    Parameters
    ----------
    repeats
        The same outcomes asked for in several ways, (ways, arms, units, tasks[, models]).
    weights
        Of the contrasts, (K, arms).
    eps
        Relative spacing of the numbers that answers are computed in.
    n_units, dealt
        As in `against_exact`.
    """
    first = repeats[0]
    error = weighed(weights, np.moveaxis(repeats[1:] - first, 0, 1))  # (K, ways - 1, units, ...)
    own = np.sqrt(np.tensordot(weights**2, (eps * first) ** 2 / 12, axes=1))
    return _in_units_of_spread(np.moveaxis(error, 1, 0), own, first, weights, n_units=n_units, dealt=dealt, eps=eps)


def _in_units_of_spread(
    errors: Array, own: Array | float, y: Array, weights: Array, *, n_units: int, dealt: int, eps: float
) -> Rounding:
    """Return errors (ways, K, units, ...) relative to the spread of the ICE of outcomes y (arms, units, ...)."""
    m = y.shape[1]
    size = np.abs(y).max(axis=(0, 1))
    sd, varies = _spread(y, weights, dealt=dealt, least=_NOTHING * eps * size)
    unit = np.where(varies, sd, np.where(size > 0, size, 1.0))
    square = np.broadcast_to(errors**2 + np.asarray(own) ** 2, errors.shape)
    mean = errors.mean(axis=2)
    worst = np.take_along_axis(mean, np.abs(mean).argmax(axis=0)[None], axis=0)[0]
    variance = (square.mean(axis=2) - mean**2).clip(0).max(axis=0) / max(m - 1, 1)
    se = unit / np.sqrt(n_units)
    return Rounding(
        rms=np.sqrt(square.mean(axis=(0, 2))) / unit,
        bias=np.where(varies, worst / se, 0.0),
        mcse=np.where(varies, np.sqrt(variance) / se, 0.0),
        sd=np.where(varies, sd, 0.0),
        constant=~varies,
    )


def _spread(y: Array, weights: Array, *, dealt: int, least: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Return root-n standard errors of the contrasts, (K, ...), and whether they are more than rounding."""
    ice = weighed(weights, y)
    if y.shape[1] < 2:
        return np.zeros_like(ice[:, 0]), np.zeros(ice[:, 0].shape, bool)
    sd = ice.std(axis=1, ddof=1)
    if dealt > 1:
        sd = np.sqrt(np.tensordot(weights**2 * dealt, y.var(axis=1, ddof=1), axes=1))
    return sd, sd > least * np.abs(weights).sum(axis=1).reshape(-1, *[1] * least.ndim)


def yardstick(y: Array) -> Array:
    """Return what differences of answers (units, ...) are measured in: their sd over units; without one, their size.

    Examples
    --------
    >>> yardstick(np.array([[1.0, 5.0, 0.0], [3.0, 5.0, 0.0]])).round(3).tolist()
    [1.414, 5.0, 1.0]
    """
    size = np.abs(y).max(axis=0)
    sd = y.std(axis=0, ddof=1) if len(y) > 1 else np.zeros_like(size)
    return np.where(sd > 1e-12 * size, sd, np.where(size > 0, size, 1.0))
