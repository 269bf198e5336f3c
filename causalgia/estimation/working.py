"""The working scale: where an estimate's t is trusted, which for a ratio of means is its logarithm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import special

from causalgia.estimation.quotients import fieller
from causalgia.estimation.transformed_t import untransformed
from causalgia.types import Array, Mask

UNCLEAR = 0.1
"""Fieller's g = (t se / mean)^2 beyond which a mean is not clearly away from 0."""
COLUMNS = ("unbounded", "divisor_covariance", "divisor_variance")
"""What estimates of a quotient keep: open limits; the error of its divisor, as `Working` has it."""


def clear_from(df: Array | float, ci_prob: float | Array) -> Array:
    """Return how many standard errors from 0 a mean is clear of it: ``t / sqrt(0.1)``.

    Examples
    --------
    >>> clear_from(np.array([np.inf, 19.0, 4.0]), 0.95).round(1)
    array([6.2, 6.6, 8.8])
    """
    return np.asarray(special.stdtrit(df, 0.5 + np.asarray(ci_prob) / 2) / np.sqrt(UNCLEAR))


@dataclass(frozen=True)
class Working:
    """Estimates, and the scale on which each one's error is that of a t; every array has the shape of `ace`.

    Attributes
    ----------
    ace, se, df
        As estimated, on the scale of the contrast.
    logs
        Whether the logarithm is worked on: a ratio of two means that are both clearly away from 0.
    unclear
        Whether a mean of a quotient is not clear of 0 (`clear_from`), or a ratio is negative: Fieller's.
    divisor
        Covariance of the relative error of the divisor with the error of the quotient, and its variance; 0 unless
        unclear.
    """

    ace: Array
    se: Array
    df: Array
    logs: Mask
    unclear: Mask
    divisor: tuple[Array, Array]

    @property
    def centre(self) -> Array:
        """The effects on their working scales."""
        return self.put(self.ace)

    @property
    def error(self) -> Array:
        """Standard errors on the working scales."""
        return np.asarray(self.se / np.where(self.logs, self.ace, 1.0))

    def put(self, value: Array | float) -> Array:
        """Put effects on the working scales; a ratio of 0 and less is -inf."""
        value = np.broadcast_to(value, self.ace.shape)
        positive = self.logs & (value > 0)
        return np.where(positive, np.log(np.where(positive, value, 1.0)), np.where(self.logs, -np.inf, value))

    def back(self, value: Array) -> Array:
        """Put numbers on the working scales back on that of the contrast."""
        with np.errstate(over="ignore"):
            return np.where(self.logs, np.exp(np.where(self.logs, value, 0.0)), value)

    def around(self, half: Array) -> tuple[Array, Array]:
        """Return limits half widths (on the working scales) about the effects, the point itself where one is 0."""
        return tuple(np.where(half == 0, self.ace, self.back(self.centre + side * half)) for side in (-1, 1))  # type: ignore[return-value]

    def against(self, value: Array | float) -> tuple[Array, Array]:
        """Return the distance from a value to the effects and its standard error, for a t test of that value."""
        gap, (both, own) = self.ace - value, self.divisor
        spread = np.sqrt(np.maximum(self.se**2 + 2 * gap * both + gap**2 * own, 0.0))
        return np.where(self.logs, self.centre - self.put(value), gap), np.where(self.logs, self.error, spread)

    def width(self, size: Array | float) -> Array:
        """Put a small distance from the effects on the working scales."""
        return np.asarray(size / np.where(self.logs, np.abs(self.ace), 1.0))

    def limits(
        self, ci_prob: float | Array, *, hall: Array | float = 0.0, unseen: Array | float = 0.0
    ) -> tuple[Array, Array, Mask]:
        """Return lower and upper limits, and whether they are open.

        They are those of Hall's transformed t with coefficient `hall`, moved outwards by `unseen`.
        """
        critical, beyond = special.stdtrit(self.df, 0.5 + np.asarray(ci_prob) / 2), self.width(unseen)
        down, up = (
            np.where(self.error == 0, 0.0, untransformed(side * critical, np.asarray(hall))) for side in (1, -1)
        )
        lower, upper = (
            np.where(
                t * self.error + side * beyond == 0, self.ace, self.back(self.centre - t * self.error - side * beyond)
            )
            for t, side in ((down, 1), (up, -1))
        )
        both, own = self.divisor
        variances = (self.se**2 + 2 * self.ace * both + self.ace**2 * own, both + self.ace * own, own)
        low, high, open_ended = fieller(self.ace, np.ones_like(self.ace), variances, self.df, ci_prob)
        mine = self.unclear
        return np.where(mine, low, lower), np.where(mine, high, upper), open_ended & mine


def working(
    scale: str | None, ace: Array, se: Array, df: Array, divisor: tuple[Array, Array], ci_prob: float | Array
) -> Working:
    """Find the working scale of each estimate.

    Parameters
    ----------
    scale
        What the effects are: ``"ratio"`` is worked on as a logarithm.
    ace, se, df
        Effects, their standard errors and degrees of freedom, of one shape.
    divisor
        As in `Working`, also where it is clear; zeros where nothing is divided by.
    ci_prob
        Probability of the intervals: it sets how far from 0 is clear.

    Examples
    --------
    >>> one = np.ones(1)
    >>> found = working("ratio", 2 * one, 0.1 * one, np.inf * one, (0 * one, 0.001 * one), 0.95)
    >>> lower, upper, unbounded = found.limits(0.95)
    >>> lower.round(3), upper.round(3), unbounded
    (array([1.813]), array([2.206]), array([False]))
    """
    both, own = divisor
    t2, ratio = special.stdtrit(df, 0.5 + np.asarray(ci_prob) / 2) ** 2, scale == "ratio"
    unclear = t2 * own > UNCLEAR
    if ratio:
        of_dividend = se**2 + 2 * ace * both + ace**2 * own
        unclear |= (ace <= 0) | (t2 * of_dividend > UNCLEAR * ace**2)
    unclear &= se > 0
    logs = ratio & ~unclear & (ace > 0)
    return Working(ace, se, df, logs, unclear, (np.where(unclear, both, 0.0), np.where(unclear, own, 0.0)))


def working_of(estimates: xr.Dataset, ace: Array, se: Array, df: Array, ci_prob: float | Array) -> Working:
    """Find the working scale of estimates, whose numbers have the shape of ``ace``.

    A ratio whose estimates say nothing of the error of a divisor is taken to be one by a known number.

    Examples
    --------
    >>> one = xr.Dataset({"ace": ("contrast", [2.0])}, attrs={"transform": "ratio"})
    >>> working_of(one, np.array([2.0]), np.array([0.1]), np.array([np.inf]), 0.95).centre.round(3)
    array([0.693])
    """
    zero = np.zeros(ace.shape)
    both, own = (
        estimates[name].transpose(*estimates["ace"].dims).to_numpy() if name in estimates else zero
        for name in COLUMNS[1:]
    )
    return working(estimates.attrs.get("transform"), ace, se, df, (both, own), ci_prob)
