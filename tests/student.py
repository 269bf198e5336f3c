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


def assert_alike(estimates: xr.Dataset) -> None:
    """Of units that all answer alike: the interval is that value, p says its side."""
    for end in ("lower", "upper"):
        np.testing.assert_array_equal(estimates[end], estimates["ace"])
    np.testing.assert_array_equal(estimates["p"], estimates["ace"] == 0)
