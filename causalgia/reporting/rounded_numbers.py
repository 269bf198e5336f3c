"""Numbers for readers: effects rounded by their standard errors, and p-values; data files keep every digit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

_LEAST_P = 1e-4


def format_effect(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return an effect and its interval as text, to the decimal of the second significant digit of the standard error.

    A posterior interval may be narrower than the unshrunken ``se`` allows; its own standard deviation then counts. A
    limit other than 0 is not rounded to 0, so that an interval that excludes 0 shows it. An interval with an open end
    (a ratio whose denominator may be 0) is "unbounded".

    Parameters
    ----------
    row
        ``ace``, and as far as there are ``se``, ``lower``, ``upper`` and, for verdicts, ``interval_level``,
        ``rope_lower`` and ``rope_upper``: a limit gets more digits where rounding would put it on an end of the ROPE.

    Examples
    --------
    >>> format_effect({"ace": 1.38123, "se": 0.0463, "lower": 1.29, "upper": 1.472})
    ('1.381', '[1.290, 1.472]')
    >>> format_effect({"ace": -0.07, "lower": -0.2369, "upper": -0.0031})
    ('-0.070', '[-0.237, -0.003]')
    >>> format_effect({"ace": 0.25})
    ('0.2500', '')
    >>> format_effect({"ace": 41.38, "se": 30.2, "lower": -math.inf, "upper": math.inf})
    ('41', 'unbounded')
    >>> format_effect({"ace": 0.3, "se": 0.1, "lower": 0.1042, "upper": 0.5, "rope_lower": -0.1, "rope_upper": 0.1})
    ('0.30', '[0.104, 0.50]')
    """
    lower, upper, se = row.get("lower"), row.get("upper"), row.get("se") or abs(row["ace"]) / 100
    if lower is None or upper is None:
        return format_number(row["ace"], se), ""
    if math.isinf(lower) or math.isinf(upper):
        return format_number(row["ace"], se), "unbounded"
    if not row.get("se") or "interval_level" in row:
        quantile = NormalDist().inv_cdf((1 + (row.get("interval_level") or 0.95)) / 2)
        se = min((upper - lower) / 2 / quantile or se, row.get("se") or math.inf)
    rope = [row[name] for name in ("rope_lower", "rope_upper") if math.isfinite(row.get(name) or math.nan)]
    return format_number(row["ace"], se), f"[{_format_limit(lower, se, rope)}, {_format_limit(upper, se, rope)}]"


def _format_limit(limit: float, se: float, rope: Sequence[float]) -> str:
    """Return a limit that does not cross 0 or an end of the ROPE by being rounded."""
    rounded = format_number(limit, se)
    if float(rounded) == 0 and abs(limit) > 1e-6 * se:
        return f"{limit:.1g}"
    for _ in range(4):
        se /= 10
        if all((limit < end) == (float(rounded) < end) and (limit > end) == (float(rounded) > end) for end in rope):
            break
        rounded = format_number(limit, se)
    return rounded


def format_se(se: float) -> str:
    """Return a standard error as text: two significant digits.

    Examples
    --------
    >>> format_se(0.00389), format_se(0.0), format_se(1234.5), format_se(3.21e-9)
    ('0.0039', '0', '1200', '3.2e-09')
    """
    return format_number(abs(se), abs(se)) if se else "0"  # a 0 may have a sign


def format_number(value: float, se: float) -> str:
    """Return a number, rounded to the decimal of the second significant digit of its standard error.

    Examples
    --------
    >>> format_number(1.38123, 0.031), format_number(-0.0001, 0.5), format_number(1.5e-9, 2e-10)
    ('1.381', '0.00', '1.50e-09')
    >>> format_number(123456.0, 1234.5)
    '123500'
    """
    if not se > 0 or not math.isfinite(se):
        return f"{value:.4g}"
    decimals = 1 - int(f"{se:.1e}".partition("e")[2])
    if decimals > 7 or abs(value) >= 1e7:
        digits = decimals + (math.floor(math.log10(abs(value))) if value else 0)
        return f"{value:.{min(max(digits, 0), 16)}e}"
    return f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}"


def format_p(p: float, *, exact: bool = False) -> str:
    """Return a p-value for a reader: three decimals, two significant digits below 0.001, and ``<1e-4`` below that.

    Tails beyond 1e-4 depend on assumptions that no trial can check. Data files keep the number.

    Parameters
    ----------
    p
        The p-value, or another probability of error.
    exact
        Whether nothing varies, so that a p-value of 0 is printed as 0.

    Examples
    --------
    >>> format_p(0.0312), format_p(0.00027), format_p(3.2e-41), format_p(0.0, exact=True)
    ('0.031', '0.00027', '<1e-4', '0')
    """
    if p < _LEAST_P:
        return "0" if exact and p == 0 else "<1e-4"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.2g}"


def p_clause(p: float) -> str:
    """Return a p-value as a clause of a sentence.

    Examples
    --------
    >>> p_clause(0.0312), p_clause(3.2e-41)
    ('p = 0.031', 'p < 1e-4')
    """
    text = format_p(p)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"
