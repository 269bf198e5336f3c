"""How much of a network a list of features is: the share of the variance of its
predictions, on sequences that had no part in the list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import scipy

from causalgia.types import Array, Codes, Mask

_PENALTIES = np.geomspace(1e-6, 1e3, 37)
"""A row, on columns of standard deviation 1; 0 would leave out no row that alone has a
feature."""
_RANK = 1e-8
"""Relative size below which a number is one of rounding."""
COLUMNS = ("task", "step", "share", "lower", "upper", "n_features")


def variance_explained(
    fitted: Array,
    held: Array,
    features: Mapping[str, tuple[Array, Array]],
    tasks: Sequence[str],
    clusters: Codes,
    *,
    ci_prob: float = 0.95,
) -> pd.DataFrame:
    r"""Return the share of the variance of held-out predictions that features explain,
    step by step.

    Each step adds its features to those before. Their coefficients are ridge regression
    on the fitted sequences, with the penalty of the least leave-one-out error; on those
    held out,

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2},

    with an interval of :math:`\log(1 - R^2)` from the influence of each cluster on the
    ratio. Below 0, features predict worse than the mean.

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
    n_clusters = int(clusters.max()) + 1
    quantile = scipy.stats.t.ppf(0.5 + ci_prob / 2, n_clusters - 1)
    x = [np.zeros((len(fitted), 0)), np.zeros((len(held), 0))]
    total, varies = held - held.mean(axis=0), varying(held)
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
            ratio = a / b
            influence = np.bincount(
                clusters, e2 / max(a, np.finfo(float).tiny) - t2 / b
            )
            se = np.sqrt(n_clusters / (n_clusters - 1) * np.sum(influence**2)) / len(
                held
            )  # of log(1 - R2)
            rows.append(
                (
                    task,
                    step,
                    1 - ratio,
                    1 - ratio * np.exp(quantile * se),
                    1 - ratio * np.exp(-quantile * se),
                    design.shape[1],
                )
            )
    return pd.DataFrame(rows, columns=list(COLUMNS))


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
