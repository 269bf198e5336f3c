"""How much of a network a list of features is: the share of the variance of its
predictions, on sequences that had no part in the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import special

from causalgia.sequences import Motif
from causalgia.types import Array, Codes, Mask, Tokens

_PENALTIES = np.geomspace(1e-6, 1e3, 37)
"""A row, on columns of standard deviation 1; 0 would leave out no row that alone has a
feature."""
_RANK = 1e-8
"""Relative size below which a number is one of rounding."""
LEAST_EFFECTIVE = 12.0
"""Effective number of units from which a share of their variance has an interval."""
_LEAST_LIMIT = -1.0
COLUMNS = ("task", "step", "share", "lower", "upper", "n_features")


def variance_explained(
    fitted: Array,
    held: Array,
    features: Mapping[str, tuple[Array, Array]],
    tasks: Sequence[str],
    clusters: Codes,
    *,
    effective: Mapping[str, float] | None = None,
    ci_prob: float = 0.95,
) -> pd.DataFrame:
    r"""Return the share of the variance of held-out predictions that features explain,
    step by step.

    Each step adds its features to those before. Their coefficients are ridge regression
    on the fitted sequences, with the penalty of the least leave-one-out error; on those
    held out,

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2},

    with a jackknife interval of :math:`\log(1 - R^2)` over clusters, whose degrees of
    freedom are the effective number of what it leaves out; none (NaN) where the variance
    of all predictions is that of fewer than 12 effective units. Below 0, features predict
    worse than the mean; a lower limit below -1 is -1.

    Parameters
    ----------
    fitted, held
        Predictions, (n, tasks), of the sequences that coefficients are fitted on, and of
        those held out.
    features
        Step -> its features, (n, p), of the fitted and the held-out sequences.
    tasks
        Names of the tasks.
    clusters
        Of the held-out sequences, 0, 1, ...: those that descend from one.
    effective
        Task -> the effective number of all predictions; None: that of these.
    ci_prob
        Probability of the intervals.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(2, 500, 1))
    >>> y = 2 * x + rng.normal(size=(2, 500, 1))
    >>> found = variance_explained(
    ...     y[0], y[1], {"x": (x[0], x[1])}, ["activity"], np.arange(500)
    ... )
    >>> found[["step", "share"]].round(1).values.tolist()
    [['x', 0.8]]
    """
    rows = []
    x = [np.zeros((len(fitted), 0)), np.zeros((len(held), 0))]
    total, varies = held - held.mean(axis=0), varying(held)
    if effective is None:
        every = np.concatenate([fitted, held])
        alone = np.arange(len(every))
        of_these = [effective_number(y, alone) for y in every.T]
        effective = dict(zip(tasks, of_these, strict=True))
    for step, (of_fitted, of_held) in features.items():
        x = [np.column_stack([x[0], of_fitted]), np.column_stack([x[1], of_held])]
        fits = [one[:, varying(x[0])] for one in x]
        center, scale = fits[0].mean(axis=0), fits[0].std(axis=0)
        design, other = ((one - center) / scale for one in fits)
        residual = held - predicted_by_ridge(design, fitted, other)
        for k, task in enumerate(tasks):
            e2, t2 = residual[:, k] ** 2, total[:, k] ** 2
            a, b = e2.mean(), t2.mean()
            if not varies[k]:
                rows.append((task, step, np.nan, np.nan, np.nan, design.shape[1]))
                continue
            ratio, half = a / b, np.nan
            if effective[task] >= LEAST_EFFECTIVE:
                half = _half_width(residual[:, k], total[:, k], clusters, ci_prob)
            # where what is left out is one unit's, the interval has no end
            lower = np.maximum(1 - ratio * np.exp(half), _LEAST_LIMIT)
            ends = (lower, 1 - ratio * np.exp(-half))
            rows.append((task, step, 1 - ratio, *ends, design.shape[1]))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def match_features(tokens: Tokens, motif: Motif, *, both_strands: bool) -> Array:
    """Return how well each sequence matches a motif: the most letters that agree at any
    place and strand, and three to the power of less the letters that do not, summed over
    all; (n, 2). A letter counts by its probability over that of the likeliest.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> found = match_features(
    ...     encode(["AAGATTAC", "AAGCTTAC"]),
    ...     Motif.from_iupac("GATTAC"),
    ...     both_strands=False,
    ... )
    >>> found.round(2).tolist()
    [[6.0, 1.01], [5.0, 0.34]]
    """
    p = np.asarray(motif.probabilities)
    agree = p / p.max(axis=1, keepdims=True)
    width, found = len(agree), np.zeros((len(tokens), 2))
    for own in (agree, agree[::-1, ::-1])[: 1 + both_strands]:
        n = tokens.shape[1] - width + 1
        score = sum(own[j][tokens[:, j : j + n]] for j in range(width))
        found[:, 0] = np.maximum(found[:, 0], np.max(score, axis=1))
        found[:, 1] += np.sum(3.0 ** (score - width), axis=1)
    return found


def _half_width(
    residual: Array, total: Array, clusters: Codes, ci_prob: float
) -> float:
    """Return the half width of the interval of log(1 - R2), by leaving out each cluster."""
    n, (e, y, y2) = (
        np.bincount(clusters),
        (np.bincount(clusters, x) for x in (residual**2, total, total**2)),
    )
    left = n.sum() - n
    mean = (y.sum() - y) / left
    spread = (y2.sum() - y2) / left - mean**2
    tiny = np.finfo(float).tiny
    found = np.log(np.maximum((e.sum() - e) / left, tiny) / np.maximum(spread, tiny))
    moved = (found - found.mean()) ** 2
    se = np.sqrt((len(n) - 1) / len(n) * moved.sum())
    df = moved.sum() ** 2 / max(float(np.sum(moved**2)), tiny)
    return float(special.stdtrit(max(df, 1.0), 0.5 + ci_prob / 2) * se)


def effective_number(values: Array, clusters: Codes) -> float:
    """Return how many independent units of equal weight the variance of values is as good
    as: the sum of squares by unit, squared, over its sum of squares.

    Examples
    --------
    >>> effective_number(np.array([1.0, -1, 1, -1]), np.arange(4))
    4.0
    """
    by_unit = np.bincount(clusters, (values - values.mean()) ** 2)
    squares = float(np.sum(by_unit**2))
    return float(by_unit.sum() ** 2 / squares) if squares else 0.0


def varying(values: Array) -> Mask:
    """Return which columns vary by more than rounding.

    Examples
    --------
    >>> varying(np.array([[0.1, 0.1], [0.1, 0.2], [0.1, 0.1]])).tolist()
    [False, True]
    """
    vary: Mask = values.std(axis=0) > _RANK * np.abs(values).max(axis=0, initial=0)
    return vary


def predicted_by_ridge(design: Array, outcomes: Array, other: Array) -> Array:
    """Return what ridge regression of each outcome on a design of centered columns, with
    the penalty of the least leave-one-out error (Golub, Heath & Wahba 1979), predicts for
    the rows of another design.
    """
    n = len(design)
    u, s, vt = np.linalg.svd(design, full_matrices=False)
    kept = s > _RANK * s.max(initial=0.0)
    u, s, vt = u[:, kept], s[kept], vt[kept]
    mean = outcomes.mean(axis=0)
    on_u = u.T @ (outcomes - mean)

    def left_out(penalty: float) -> Array:
        shrunken = s**2 / (s**2 + penalty)
        left = 1 - 1 / n - (u**2) @ shrunken  # of each residual, as its row is left out
        residual = outcomes - mean - u @ (shrunken[:, None] * on_u)
        error: Array = ((residual / left[:, None]) ** 2).mean(axis=0)
        return error

    penalties = n * _PENALTIES
    chosen = penalties[np.argmin([left_out(x) for x in penalties], axis=0)]
    coefficients = vt.T @ (s[:, None] / (s[:, None] ** 2 + chosen) * on_u)
    predicted: Array = mean + other @ coefficients
    return predicted
