"""Tables of effects as other programs write them: one table of names, and the errors and
degrees of freedom that follow from other columns.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import numpy as np
import pandas as pd
import scipy

from causalgia.checks import why_no_numbers
from causalgia.errors import EstimateError, quoted
from causalgia.types import Array

COLUMN_NAMES = {
    "effect": (
        *("effect", "ace", "estimate", "Estimate", "logFC", "log2FoldChange"),
        *("coef", "Coef.", "betahat", "Bhat", "eff", "yi"),
        *("beta", "BETA", "Beta", "b"),
    ),
    "se": (
        *("se", "std_error", "std.error", "Std. Error", "SE", "lfcSE"),
        *("std err", "Std.Err.", "se(coef)", "sebetahat", "Shat", "sd_eff"),
        *("sei", "standard_error", "stderr", "StdErr"),
    ),
    "variance": ("vi",),
    "df": ("df",),
    "statistic": (
        *("statistic", "t", "t value", "t.ratio", "stat", "z", "z value", "z.ratio"),
    ),
    "p": (
        *("p", "p_value", "p.value", "P.Value", "pvalue"),
        *("Pr(>|t|)", "Pr(>|z|)", "P>|t|", "P>|z|"),
    ),
    "lower": (
        *("lower", "conf_low", "conf.low", "2.5%", "2.5 %", "CI.L", "lower.CL"),
        *("[0.025", "Conf. Int. Low", "ci_low"),
    ),
    "upper": (
        *("upper", "conf_high", "conf.high", "97.5%", "97.5 %", "CI.R", "upper.CL"),
        *("0.975]", "Conf. Int. Upp.", "ci_upp"),
    ),
    "level": ("conf_level", "conf.level"),
    "contrast": (
        *("contrast", "term", "Coefficient", "ID"),
        *("slab", "SNP", "rsid", "variant_id"),
    ),
}
"""What a column holds -> the names that it has here and in broom, marginaleffects, R's
summaries, limma, DESeq2, emmeans, survival, ashr, mashr, pyfixest, statsmodels, metafor
and GWAS.
"""
_OF_OTHERS = frozenset(("beta", "BETA", "Beta", "b"))
"""Names of an effect only beside an error, and where no other is: b may be a label."""
INTERCEPTS = ("(Intercept)", "Intercept", "const")
"""Names of the row of a regression that is no effect."""
_NORMAL = 1e4  # degrees of freedom from which a t is normal
_OFF_CENTER = 0.1  # of half an interval, by rounding
_ROUNDED = 0.02


def with_effect_columns(
    table: pd.DataFrame, *, has_covariance: bool = False
) -> pd.DataFrame:
    r"""Return a table with the columns of `COLUMN_NAMES` renamed to ``effect``, ``se``
    and ``df``.

    Without a standard error (or a covariance beside the table) it is the root of the
    variance, ``|effect / t|``,
    or half the width of the interval over the quantile of its level (.95 without a
    column of it). Without degrees of freedom they are those at which t has the p of the
    table, so that a row keeps its p.

    Raises
    ------
    EstimateError
        If two columns may be the effect (or its error) and differ, t and p are not of a
        two-sided test of no effect, or an effect is not in the middle of its limits.

    Examples
    --------
    >>> top = pd.DataFrame({"logFC": [1.0], "t": [4.0], "P.Value": [0.0039497]})
    >>> with_effect_columns(top)[["effect", "se", "df"]].round(2)
       effect    se   df
    0     1.0  0.25  8.0
    """
    for kind in ("effect", "se", "df"):
        first, *same = _columns(table, kind) or [kind]
        if first != kind:
            table = table.rename(columns={first: kind})
        table = table.drop(columns=same)
    if "df" in table and np.isnan(numbers(table["df"], "df")).all():
        table = table.drop(columns="df")
    if "se" not in table and not has_covariance:
        se = _standard_errors(table)
        table = table if se is None else table.assign(se=se)
    if "df" not in table and "se" in table:
        df = _degrees_of_freedom(table)
        table = table if df is None else table.assign(df=df)
    return table


def columns_of(table: Container[Any], kind: str) -> list[str]:
    """Return the columns that may be of a kind.

    Examples
    --------
    >>> columns_of(pd.DataFrame(columns=["b", "effect"]), "effect")
    ['effect']
    """
    there = [name for name in COLUMN_NAMES[kind] if name in table]
    clear = [name for name in there if name not in _OF_OTHERS]
    errors = (*COLUMN_NAMES["se"], *COLUMN_NAMES["variance"])
    return clear or (there if any(name in table for name in errors) else [])


def _columns(table: pd.DataFrame, kind: str) -> list[str]:
    """Return the columns of a kind, which agree; raise EstimateError if they differ."""
    there = columns_of(table, kind)
    for other in there[1:]:
        one, two = (table[name].reset_index(drop=True) for name in (there[0], other))
        if (one.eq(two) | (one.isna() & two.isna())).all():
            continue
        row = int(np.argmin(one.eq(two)))
        raise EstimateError(
            f"the table has the columns {quoted(there[0])} and {quoted(other)}, and "
            f"they differ: {one[row]!s} and {two[row]!s} in row {row}"
        )
    return there


def _floats(table: pd.DataFrame, kind: str) -> Array | None:
    """Return the column of a kind as numbers; None if there is none."""
    if not (there := _columns(table, kind)):
        return None
    column = table[there[0]]
    if kind in ("statistic", "p"):  # text such as "<2e-16" is none
        return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    return numbers(column, there[0])


def _standard_errors(table: pd.DataFrame) -> Array | None:
    effect, t, p = (_floats(table, kind) for kind in ("effect", "statistic", "p"))
    if effect is None:
        return None
    if (variance := _floats(table, "variance")) is not None:
        with np.errstate(invalid="ignore"):  # of a negative variance none
            return np.sqrt(variance)
    if t is not None:
        # one-sided tests and those of a size (limma's treat) have smaller p
        if (
            p is not None
            and (wrong := p < 0.9 * 2 * scipy.special.ndtr(-np.abs(t))).any()
        ):
            at = int(np.argmax(wrong))
            raise EstimateError(
                f"row {at}: p {p[at]:.3g} at t {t[at]:.3g} is not of a two-sided "
                "test of no effect, so that effect / t is no standard error"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.abs(effect / t)
    low, high = (_floats(table, kind) for kind in ("lower", "upper"))
    if low is None or high is None:
        return None
    level, df = _floats(table, "level"), _floats(table, "df")
    half = (high - low) / 2
    off = np.abs(effect - (low + high) / 2) > _OFF_CENTER * np.abs(half)
    if off.any():
        at = int(np.argmax(off))
        raise EstimateError(
            f"row {at}: {effect[at]:.4g} is not in the middle of its limits "
            f"{low[at]:.4g} and {high[at]:.4g}, so that their width is no error (a "
            "ratio: give its logarithm)"
        )
    tail = 0.975 if level is None else 0.5 + level / 2
    return np.asarray(half / scipy.special.stdtrit(np.inf if df is None else df, tail))


def _degrees_of_freedom(table: pd.DataFrame) -> Array | None:
    """Return the degrees of freedom at which the t of a table has its p: where p > .9
    says little the median of the others; None where p is normal, or of another test.
    """
    effect, se = (_floats(table, kind) for kind in ("effect", "se"))
    try:
        t, p = (_floats(table, kind) for kind in ("statistic", "p"))
    except EstimateError:  # two columns that may be it say nothing
        return None
    if effect is None or se is None or t is None or p is None:
        return None
    known = np.isfinite(effect) & np.isfinite(se) & np.isfinite(t) & np.isfinite(p)
    apart = np.abs(np.abs(effect) - np.abs(t) * se) > _ROUNDED * (np.abs(effect) + se)
    says = known & (p > 0) & (p <= 0.9)
    if (apart & known).any() or not says.any():
        return None
    df = scipy.special.stdtridf(
        np.where(says, p, 0.25) / 2, -np.abs(np.where(says, t, 1.0))
    )
    usual = float(np.median(df[says]))
    return None if usual > _NORMAL else np.minimum(np.where(says, df, usual), 1e9)


def numbers(values: Any, name: str) -> Array:
    """Return numbers as floats; raise EstimateError, with the name, for anything else.

    Examples
    --------
    >>> numbers([1, 2], "effect")
    array([1., 2.])
    """
    if isinstance(values, dict):
        raise EstimateError(f"{name} is a mapping of names to numbers")
    if np.ma.is_masked(values):
        raise EstimateError(f"{name} has masked numbers")
    try:
        if (dtype := np.asarray(values).dtype).kind in "USmMc":
            raise EstimateError(f"{name} has dtype {dtype}, not floats")
        if isinstance(values, pd.Series) and dtype.kind == "O":
            values = values.to_numpy(dtype=np.float64, na_value=np.nan)
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, EstimateError):
            raise
        raise EstimateError(
            f"{name} does not hold numbers alone ({why_no_numbers(values)})"
        ) from error
