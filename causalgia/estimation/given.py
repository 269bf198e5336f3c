"""Numbers of anybody's -> estimates: effects with their standard errors or covariance, from no trial of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.errors import EstimateError, OutcomesError
from causalgia.estimation.moments import Array, p_and_limits
from causalgia.schema import annotate, validate

TASK = "effect"


def from_effects(
    effect: npt.ArrayLike,
    se: npt.ArrayLike | None = None,
    covariance: npt.ArrayLike | None = None,
    df: npt.ArrayLike | None = None,
    names: Sequence[Any] | npt.NDArray[Any] | None = None,
    *,
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Make estimates of effects and their standard errors, or of effects and their covariance, from any source.

    Parameters
    ----------
    effect
        Effects of K contrasts, shape ``(K,)``.
    se
        Their standard errors, shape ``(K,)`` or one number; the errors are then independent.
    covariance
        Instead: their covariance, shape ``(K, K)``. It counts as known.
    df
        Degrees of freedom of the standard errors, shape ``(K,)`` or one number; None: normal.
    names
        K names; None counts from 0.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        ``ace, se, p, lower, upper (contrast, task)``, ``df`` where it was given, and ``covariance (contrast,
        contrast_, task)`` where it was given; one task, ``"effect"``.

    Raises
    ------
    EstimateError
        If an effect is not finite, an se is not positive, df is not positive, shapes differ, a name is repeated, or the
        covariance is not symmetric or not positive definite. The message names the contrast.

    Examples
    --------
    >>> estimates = from_effects([28.0, 8.0], se=[15.0, 10.0], names=["A", "B"])
    >>> estimates["p"].values.ravel().round(4)
    array([0.0619, 0.4237])
    """
    ace = np.atleast_1d(_numbers(effect, "effect"))
    if ace.ndim != 1 or ace.size == 0:
        raise EstimateError(f"effect has shape {ace.shape}; give one number for each of one or more contrasts")
    labels = _labels(names, len(ace))
    _refuse(~np.isfinite(ace), labels, ace, "effect", "is not finite; leave the contrast out or repair it")
    if (se is None) == (covariance is None):
        raise EstimateError("give either se= (independent errors) or covariance=, and not both")
    columns: dict[str, Any] = {}
    if covariance is None:
        errors = _positive(se, "se", labels, "a contrast without error is no estimate; leave it out")
    else:
        columns["covariance"] = (("contrast", "contrast_", "task"), _covariance(covariance, labels)[:, :, None])
        errors = np.sqrt(np.diagonal(columns["covariance"][1][:, :, 0]))
    freedom = np.full(len(ace), np.inf) if df is None else _positive(df, "df", labels, "None is normal")
    if df is not None and np.isfinite(freedom).all():
        columns["df"] = freedom
    elif df is not None and np.isfinite(freedom).any():
        raise EstimateError("df is infinite for some contrasts; give 1e9 for a normal one among others")
    p, lower, upper = p_and_limits(ace, errors, freedom, _probability(ci_prob))
    columns = {"ace": ace, "se": errors, "p": p, "lower": lower, "upper": upper} | columns
    data = {name: v if isinstance(v, tuple) else (("contrast", "task"), v[:, None]) for name, v in columns.items()}
    coords = {"contrast": labels, "task": [TASK]} | ({"contrast_": labels} if "covariance" in columns else {})
    attrs = {"ci_prob": float(ci_prob), "errors": "known" if df is None else "estimated"}
    return validate(annotate(xr.Dataset(data, coords=coords, attrs=attrs)), "estimates")


def as_estimates(table: Any) -> xr.Dataset:
    """Take estimates as they are, or a table with ``effect`` and ``se`` (or ``covariance``) as `from_effects` does.

    Parameters
    ----------
    table
        Estimates; or an xarray Dataset with ``effect (x)`` and ``se (x)`` (and ``df``) or ``covariance (x, y)``, its
        dim x naming the contrasts; or a pandas DataFrame with columns ``effect`` and ``se`` (and ``df``), its index
        naming the contrasts.

    Raises
    ------
    OutcomesError
        If it is none of these.

    Examples
    --------
    >>> as_estimates(pd.DataFrame({"effect": [1.0, 2.0], "se": [0.5, 0.5]}, index=["a", "b"]))["contrast"].values
    array(['a', 'b'], dtype='<U1')
    """
    if isinstance(table, xr.Dataset) and "ace" in table:
        return validate(table, "estimates")
    if isinstance(table, pd.DataFrame):
        table = xr.Dataset(
            {str(c): ("contrast", table[c].to_numpy()) for c in table}, {"contrast": np.asarray(table.index)}
        )
    if not isinstance(table, xr.Dataset) or "effect" not in table or not {"se", "covariance"} & set(table.variables):
        raise OutcomesError(
            "estimates: take them from cg.estimate or cg.from_effects, or give a table with columns 'effect' and 'se' "
            f"(or a covariance), not {_described(table)}"
        )
    effect = table["effect"]
    if effect.ndim != 1:
        raise OutcomesError(f"estimates: 'effect' has dims {effect.dims}; give one dim that names the contrasts")
    names = table[effect.dims[0]].to_numpy() if effect.dims[0] in table.coords else None
    covariance = None if "covariance" not in table else table["covariance"].transpose(effect.dims[0], ...).to_numpy()
    se = table["se"].to_numpy() if covariance is None else None
    return from_effects(effect.to_numpy(), se, covariance, table["df"].to_numpy() if "df" in table else None, names)


def _described(table: Any) -> str:
    return (
        f"a Dataset with {', '.join(map(str, table.variables)) or 'nothing'}"
        if isinstance(table, xr.Dataset)
        else type(table).__name__
    )


def _numbers(values: Any, name: str) -> Array:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EstimateError(f"{name} does not hold numbers alone ({error}); give floats") from error
    return numbers


def _labels(names: Sequence[Any] | npt.NDArray[Any] | None, n: int) -> npt.NDArray[Any]:
    if names is None:
        return np.arange(n)
    labels = np.asarray(names)
    labels = labels.astype(str) if labels.dtype == object else labels
    if labels.shape != (n,):
        raise EstimateError(f"names has shape {labels.shape}, and there are {n} effects; give one name for each")
    unique, counts = np.unique(labels, return_counts=True)
    if (counts > 1).any():
        raise EstimateError(f"the name {unique[counts > 1][0]!s} appears {counts.max()} times; make names unique")
    return labels


def _positive(values: Any, name: str, labels: npt.NDArray[Any], cure: str) -> Array:
    numbers = _numbers(values, name)
    if numbers.shape not in ((), (len(labels),)):
        raise EstimateError(f"{name} has shape {numbers.shape}, and there are {len(labels)} effects")
    numbers = np.broadcast_to(numbers, (len(labels),)).copy()
    finite = numbers < np.inf if name != "df" else ~np.isnan(numbers)
    _refuse(~((numbers > 0) & finite), labels, numbers, name, f"is not a positive number; {cure}")
    return numbers


def _refuse(bad: Any, labels: npt.NDArray[Any], values: Array, name: str, why: str) -> None:
    if bad.any():
        k = int(np.argmax(bad))
        raise EstimateError(f"contrast {labels[k]!s}: {name} {values[k]:g} {why}")


def _covariance(values: Any, labels: npt.NDArray[Any]) -> Array:
    matrix, n = _numbers(values, "covariance"), len(labels)
    if matrix.shape != (n, n):
        raise EstimateError(f"covariance has shape {matrix.shape}, and there are {n} effects; give ({n}, {n})")
    _refuse(~np.isfinite(matrix).all(axis=1), labels, np.diagonal(matrix), "covariance", "has a row that is not finite")
    variances = np.diagonal(matrix)
    _refuse(~(variances > 0), labels, variances, "variance", "is not a positive number; leave the contrast out")
    size = np.sqrt(np.outer(variances, variances))
    crooked = np.abs(matrix - matrix.T) > 1e-8 * size
    _refuse(
        crooked.any(axis=1), labels, variances, "covariance", "is not symmetric; give (V + V.T) / 2 if it should be"
    )
    least = float(np.linalg.eigvalsh(matrix / size)[0])
    if not least > 1e-12 * n:
        raise EstimateError(
            f"the covariance of the {n} effects is singular or not positive definite (least eigenvalue of "
            f"the correlation {least:.2g}): some contrast is a sum of others; leave it out, or give se= alone"
        )
    return (matrix + matrix.T) / 2


def _probability(ci_prob: Any) -> float:
    if isinstance(ci_prob, bool) or not isinstance(ci_prob, int | float) or not 0 < ci_prob < 1:
        raise EstimateError(f"ci_prob={ci_prob!r} is not between 0 and 1; for example ci_prob=0.95")
    return float(ci_prob)
