"""Whether estimates depend on each other weakly enough for a method that supposes so."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.multiplicity.questions import Questions
from causalgia.types import Array, Codes

LARGEST = 0.1
_BLOCK = 512


def mean_absolute_correlation(factor: Array) -> float:
    """Return the mean |correlation| over pairs of columns, in blocks; 0 for one column.

    Parameters
    ----------
    factor
        Factor of the covariance, shape ``(G, K)``, no column of zeros.

    Examples
    --------
    >>> round(mean_absolute_correlation(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])), 4)
    0.4714
    """
    unit = factor / np.sqrt((factor**2).sum(axis=0))
    k = unit.shape[1]
    total = sum(float(np.abs(unit[:, start : start + _BLOCK].T @ unit).sum()) for start in range(0, k, _BLOCK))
    return (total - k) / (k * (k - 1)) if k > 1 else 0.0


def refuse_correlated(table: xr.Dataset, members: Codes) -> None:
    """Refuse Storey's q for estimates with a mean |correlation| of .1 or more, where their covariance is there.

    Correlations that are estimated on few df are not 0 even for independent estimates: the bound is what a true .1
    looks like, ``sqrt(.1^2 + 2 / (pi df))``, and three standard errors of a mean of |r| over the pairs more,
    ``sqrt((1 - 2 / pi) / (df pairs))`` each.
    """
    if "se" not in table or not {"covariance", "factor"} & set(table.variables):
        return
    questions = Questions(table, None)
    vary = members[questions.numbers("se")[members] > 0]
    if len(vary) < 2:
        return
    _refuse_unknown(table, vary)
    factor = questions.factor_of(vary)
    if factor is None:
        return
    found, df = mean_absolute_correlation(factor), float(questions.numbers("df")[vary].min())
    if found >= largest_mean_correlation(df, len(vary) * (len(vary) - 1) // 2):
        raise EstimateError(
            f"method='storey' assumes nearly independent estimates, and these have a mean |correlation| of "
            f"{found:.2g}, as arms that share a control or units do: the share of nulls would be erratic and the FDR "
            "too large; use method='bh', or 'by'"
        )


def largest_mean_correlation(df: float, n_pairs: int) -> float:
    """Return the mean |correlation| from which on estimates count as dependent, for `refuse_correlated`.

    Examples
    --------
    >>> round(largest_mean_correlation(99, 3), 3), largest_mean_correlation(np.inf, 3)
    (0.233, 0.1)
    """
    spread = np.sqrt((1 - 2 / np.pi) / (df * n_pairs))
    return float(np.sqrt(LARGEST**2 + 2 / (np.pi * df)) + 3 * spread)


def _refuse_unknown(table: xr.Dataset, members: Codes) -> None:
    """Refuse a family over several tasks whose correlation the estimates do not say."""
    n_columns = table["ace"].size // table.sizes["contrast"]
    if "factor" not in table and len(set((members % n_columns).tolist())) > 1:
        raise EstimateError(
            "method='storey' assumes nearly independent estimates, and a family over several tasks (or models) has "
            "the same units in each, whose correlation the estimates do not say; take each task as a family"
            " (family=None), or use method='bh'"
        )
