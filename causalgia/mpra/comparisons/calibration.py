"""Calibration of predictions against measurements: residuals about a line, predictive intervals, bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from causalgia.estimation.lines import FittedLine
from causalgia.multiplicity import weighted_bh
from causalgia.numerics.moments import satterthwaite
from causalgia.types import Array, Codes

_LEAST = 5


@dataclass(frozen=True)
class Residuals:
    """Measured effects against the prediction of a line, shape ``(n,)`` each.

    Attributes
    ----------
    predicted
        Value of the line at the virtual effect.
    z
        Measured less predicted, over the standard deviation from the errors of both sides and of the line.
    p, q
        Two-sided p of no difference beyond these errors (t where the measured error has degrees of freedom), and
        Benjamini-Hochberg's q over the elements.
    within
        Whether the measured effect lies inside its predictive interval: errors, line *and* scatter.
    """

    predicted: Array
    z: Array
    p: Array
    q: Array
    within: NDArray[np.bool_]


def residuals(
    x: Array, y: Array, vx: Array, vy: Array, df: Array, line: FittedLine, *, ci_prob: float = 0.95
) -> Residuals:
    """Compare measured effects y with the line at virtual effects x.

    Parameters
    ----------
    x, y, vx, vy
        Effects and the variances of their errors, shape ``(n,)``.
    df
        Degrees of freedom of `vy`, shape ``(n,)``; inf is normal.
    line
        With its scatter, as from `causalgia.estimation.lines.errors_in_both`.
    ci_prob
        Probability of the predictive intervals.

    Examples
    --------
    >>> line = FittedLine(0.0, 1.0, np.zeros((2, 2)), 8.0, 0.5, 0.0)
    >>> off = residuals(np.zeros(2), np.array([0.1, 3.0]), np.zeros(2), np.ones(2), np.full(2, np.inf), line)
    >>> off.z, off.within
    (array([0.1, 3. ]), array([ True, False]))
    """
    predicted = line.at(x)
    Z = np.column_stack([np.ones_like(x), x])
    error = line.slope**2 * vx + np.einsum("ni,ij,nj->n", Z, line.covariance, Z)
    size = np.sqrt(vy + error)
    gap = y - predicted
    z = np.divide(gap, size, out=np.zeros_like(gap), where=size > 0)
    finite = np.where(np.isfinite(df), df, 1e9)
    freedom = satterthwaite(np.stack([vy, error]), np.stack([finite, np.full_like(finite, 1e9)]))
    p = np.where(size > 0, 2 * special.stdtr(freedom, -np.abs(z)), np.where(gap == 0, 1.0, 0.0))
    half = special.stdtrit(freedom, 0.5 + ci_prob / 2) * np.sqrt(vy + error + line.scatter**2)
    return Residuals(predicted, z, p, weighted_bh(p, np.ones_like(p)), np.abs(gap) <= half)


@dataclass(frozen=True)
class Bins:
    """Elements sorted by their virtual effect into B bins of about equal size, shape ``(B,)`` each.

    Attributes
    ----------
    n
        Elements.
    virtual, measured, predicted
        Mean virtual effect, mean measured effect, and mean prediction of the line.
    se
        Standard error of the measured mean, between elements.
    coverage
        Share of the elements inside their predictive intervals.
    """

    n: Codes
    virtual: Array
    measured: Array
    predicted: Array
    se: Array
    coverage: Array


def calibration_bins(x: Array, y: Array, found: Residuals, n_bins: int) -> Bins:
    """Bin elements by x and average them; bins have five elements or more, and ties share a bin.

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> off = Residuals(x, 0 * x, 0 * x, 0 * x, x < 10)
    >>> calibration_bins(x, 2 * x, off, 2).coverage
    array([1., 0.])
    """
    parts = _bin_members(x, max(1, min(n_bins, len(x) // _LEAST)))
    mean = [[v[part].mean() for part in parts] for v in (x, y, found.predicted, found.within)]
    se = np.array([y[part].std(ddof=1) / np.sqrt(len(part)) for part in parts])
    virtual, measured, predicted, coverage = map(np.array, mean)
    return Bins(np.array([len(part) for part in parts]), virtual, measured, predicted, se, coverage)


def _bin_members(x: Array, n_bins: int) -> list[Codes]:
    """Return the places of the elements of each bin; ties in x share a bin."""
    order = np.argsort(x, kind="stable")
    ends = [0]
    for planned in np.cumsum([len(part) for part in np.array_split(order, n_bins)])[:-1]:
        end = int(np.searchsorted(x[order], x[order[planned - 1]], side="right"))
        if end - ends[-1] >= _LEAST and len(x) - end >= _LEAST:
            ends.append(end)
    return np.split(order, ends[1:])
