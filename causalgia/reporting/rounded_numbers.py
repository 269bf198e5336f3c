"""Numbers as text, rounded by their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def format_effect(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return an effect and its interval as text, rounded by the interval's half-width.

    A limit other than 0 is not rounded to 0, so that an interval that excludes 0 shows it. An interval with an open end
    (a ratio whose denominator may be 0) is "unbounded", and the effect is rounded by its standard error.

    Examples
    --------
    >>> format_effect({"ace": 1.3812, "lower": 1.29, "upper": 1.472})
    ('1.38', '[1.29, 1.47]')
    >>> format_effect({"ace": -0.07, "lower": -0.1369, "upper": -0.0031})
    ('-0.07', '[-0.14, -0.003]')
    >>> format_effect({"ace": 0.25})
    ('0.250', '')
    >>> format_effect({"ace": 41.38, "se": 30.2, "lower": -math.inf, "upper": math.inf})
    ('41', 'unbounded')
    """
    lower, upper = row.get("lower"), row.get("upper")
    if lower is None or upper is None:
        return format_number(row["ace"], abs(row["ace"]) / 50), ""
    if math.isinf(lower) or math.isinf(upper):
        return format_number(row["ace"], row.get("se") or abs(row["ace"]) / 50), "unbounded"
    unit = (upper - lower) / 2 or row.get("se") or abs(row["ace"]) / 50
    return format_number(row["ace"], unit), f"[{_format_limit(lower, unit)}, {_format_limit(upper, unit)}]"


def _format_limit(limit: float, unit: float) -> str:
    rounded = format_number(limit, unit)
    return f"{limit:.1g}" if float(rounded) == 0 and abs(limit) > 1e-6 * unit else rounded


def format_se(se: float) -> str:
    """Return a standard error as text: two significant digits.

    Examples
    --------
    >>> format_se(0.00389), format_se(0.0), format_se(1234.5), format_se(3.21e-9)
    ('0.0039', '0', '1234', '3.2e-09')
    """
    se = abs(se)  # a 0 may have a sign
    decimals = 1 - int(f"{se:.1e}".partition("e")[2])
    return f"{se:.1e}" if decimals > 7 else f"{se:.{max(decimals, 0) if se else 0}f}"


def format_number(value: float, unit: float) -> str:
    """Return a number rounded to two digits of its uncertainty `unit`, or one if that begins above 3.5.

    Examples
    --------
    >>> format_number(1.38123, 0.031), format_number(-0.0001, 0.5), format_number(1.5e-9, 2e-10)
    ('1.381', '0.0', '1.50e-09')
    >>> format_number(1.5, 1e-320)
    '1.5000000000000000e+00'
    """
    if not unit > 0 or not math.isfinite(unit):
        return f"{value:.4g}"
    decimals = math.ceil(math.log10(3.55) - math.log10(unit))  # 3.55 / unit may be infinite
    if decimals > 6 or abs(value) >= 1e7:
        digits = decimals + (math.floor(math.log10(abs(value))) if value else 0)
        return f"{value:.{min(max(digits, 0), 16)}e}"
    return f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}"


def format_p(p: float, *, exact: bool = False) -> str:
    """Return a p-value: three decimals, two significant digits below 0.001; 0 only where nothing varies.

    Examples
    --------
    >>> format_p(0.0312), format_p(3.2e-41), format_p(0.0), format_p(0.0, exact=True)
    ('0.031', '3.2e-41', '<1e-300', '0')
    """
    if p < 1e-300:
        return "0" if exact and p == 0 else "<1e-300"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"
