"""Whether estimates depend on each other weakly enough for a method that supposes so."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.estimation.moments import Array, Codes
from causalgia.multiplicity.questions import Questions

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
    looks like, ``sqrt(.1^2 + 2 / (pi df))``.
    """
    if "se" not in table or not {"covariance", "factor"} & set(table.variables):
        return
    questions = Questions(table, None)
    vary = members[questions.numbers("se")[members] > 0]
    factor = questions.factor_of(vary) if len(vary) > 1 else None
    if factor is None:
        return
    found, df = mean_absolute_correlation(factor), questions.numbers("df")[vary].min()
    if found >= np.sqrt(LARGEST**2 + 2 / (np.pi * df)):
        raise EstimateError(
            f"method='storey' supposes nearly independent estimates, and these have a mean |correlation| of "
            f"{found:.2g}, as arms that share a control or units do: the share of nulls would be erratic and the FDR "
            "too large; use method='bh', or 'by'"
        )
