"""Intervals of estimates against formulas: the part of Student's t, and the interval of
rows that all answer alike.
"""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import stats


def of_t(
    estimates: xr.Dataset, ci_prob: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P, lower and upper of Student's t alone, from ace, se and df."""
    ace, se, df = (estimates[name].to_numpy() for name in ("ace", "se", "df"))
    half = stats.t.ppf((1 + ci_prob) / 2, df) * se
    return 2 * stats.t.sf(np.abs(ace) / se, df), ace - half, ace + half


def assert_holds_t(estimates: xr.Dataset, ci_prob: float = 0.95) -> None:
    """P is at least that of t, and the interval holds the t interval."""
    p, low, high = of_t(estimates, ci_prob)
    assert (estimates["p"] >= p * (1 - 1e-9)).all()
    slack = 1e-9 * estimates["se"]
    assert (estimates["lower"] <= low + slack).all()
    assert (estimates["upper"] >= high - slack).all()


def assert_still(
    estimates: xr.Dataset, n: int, largest: float, ci_prob: float = 0.95
) -> None:
    """Of n units that all answer alike: ``c -+ s0 (L + |c|)``, p
    ``(1 - |c| / (L + |c|))^n``.
    """
    ace, missed = estimates["ace"], 1 - (1 - ci_prob) ** (1 / n)
    reach = missed * (largest + np.abs(ace))
    np.testing.assert_allclose(estimates["lower"], ace - reach, rtol=1e-9)
    np.testing.assert_allclose(estimates["upper"], ace + reach, rtol=1e-9)
    p = np.where(ace == 0, 1.0, (largest / (largest + np.abs(ace))) ** n)
    np.testing.assert_allclose(estimates["p"], p, rtol=1e-9)
