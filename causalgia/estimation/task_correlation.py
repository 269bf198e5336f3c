"""Correlation of estimates between tasks: from the units, which are the same in all tasks, or given."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.estimation.given_effects import labels_of
from causalgia.numerics.row_blocks import Rows, row_blocks
from causalgia.types import Array

_MOST_BYTES = 2**31
_SYMMETRIC = 1e-6


def task_columns(factor: Rows, contrasts: Any, tasks: Any) -> dict[str, xr.DataArray]:
    """Return what is known of the errors between tasks, from the rows of units or clusters.

    Parameters
    ----------
    factor
        ``(G, K, T)``, whose products are the covariances; a lazy one is read once.
    contrasts, tasks
        Names of the contrasts and of the tasks.

    Returns
    -------
    dict
        ``task_correlation (contrast, task, task_)``, in single precision, and ``shared_covariance (task, task_)``: the
        mean covariance of the errors of two contrasts, which is 0 unless contrasts share an arm.

    Raises
    ------
    EstimateError
        If the correlations take more than 2 GiB.
    """
    n, size = factor.shape[1:]
    if 4 * n * size**2 > _MOST_BYTES:
        raise EstimateError(
            f"task_correlation=True: the correlations between {size:,} tasks of {n:,} contrasts take "
            f"{4 * n * size**2 / 2**30:.1f} GiB; take fewer tasks, effects.sel(task=[...]), or contrasts in parts"
        )
    square, total = np.zeros((n, size, size)), np.zeros((size, size))
    for rows in row_blocks(factor):
        each = np.ascontiguousarray(np.moveaxis(rows, 1, 0), dtype=np.float64)
        square += np.matmul(each.transpose(0, 2, 1), each)
        whole = rows.sum(axis=1, dtype=np.float64)
        total += whole.T @ whole
    shared = (total - square.sum(axis=0)) / (n * (n - 1)) if n > 1 else np.zeros((size, size))
    sd = np.sqrt(np.diagonal(square, axis1=1, axis2=2))
    sd = np.where(sd > 0, sd, 1.0)
    square /= sd[:, :, None]
    square /= sd[:, None, :]
    square[:, np.arange(size), np.arange(size)] = 1.0
    coords = {"contrast": contrasts, "task": tasks, "task_": tasks}
    own = {name: coords[name] for name in ("task", "task_")}
    return {
        "task_correlation": xr.DataArray(square.astype(np.float32), coords, ("contrast", "task", "task_")),
        "shared_covariance": xr.DataArray(shared, own, ("task", "task_")),
    }


def with_given_correlation(estimates: xr.Dataset, given: Any) -> xr.Dataset:
    """Return estimates with the correlation of their errors between tasks, given by the user.

    Parameters
    ----------
    estimates
        Of two or more tasks.
    given
        ``(T, T)``, the same for all contrasts, or ``(K, T, T)``.

    Raises
    ------
    EstimateError
        If it has another shape or other names, a number is not finite, or a matrix is no correlation.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.0, 2.0]])
    >>> estimates = xr.Dataset({"ace": ace}, coords={"contrast": ["A"], "task": ["liver", "lung"]})
    >>> with_given_correlation(estimates, [[1.0, 0.3], [0.3, 1.0]])["task_correlation"].dims
    ('task', 'task_')
    """
    n, size = estimates.sizes["contrast"], estimates.sizes["task"]
    tasks = estimates["task"].to_numpy().tolist()
    for names in labels_of(given)[-2:]:
        if names.tolist() != tasks:
            raise EstimateError(
                f"task_correlation= names the tasks {', '.join(map(str, names[:4]))} and the effects "
                f"{', '.join(map(str, tasks[:4]))}; give it in the order of the effects' tasks"
            )
    try:
        values = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise EstimateError(f"task_correlation= holds {type(given).__name__} and no numbers; give a matrix") from None
    if values.shape not in ((size, size), (n, size, size)):
        raise EstimateError(
            f"task_correlation= has shape {values.shape}, and the effects have {n} contrasts in {size} tasks; give "
            f"({size}, {size}) for all contrasts alike, or ({n}, {size}, {size})"
        )
    stack = values.reshape(-1, size, size)
    check_correlations(stack, estimates["contrast"].to_numpy() if values.ndim == 3 else None)
    dims = ("contrast", "task", "task_")[3 - values.ndim :]
    return estimates.assign(task_correlation=(dims, values)).assign_coords(task_=estimates["task"].to_numpy())


def check_correlations(stack: Array, contrasts: Any) -> None:
    """Raise EstimateError unless every matrix, (n, T, T), is a correlation: finite, symmetric, of diagonal 1."""
    size = stack.shape[1]
    finite = np.isfinite(stack)
    stack = np.where(finite, stack, 0.0)
    unit = np.abs(np.diagonal(stack, axis1=1, axis2=2) - 1) <= _SYMMETRIC
    symmetric = stack - stack.transpose(0, 2, 1) <= _SYMMETRIC  # one of each pair of differences is not negative
    bounded = np.abs(stack) <= 1 + _SYMMETRIC
    for holds, why in (
        (finite, "holds a number that is not finite"),
        (unit, "does not have ones on its diagonal; for a covariance V give V / np.outer(se, se)"),
        (symmetric, "is not symmetric"),
        (bounded, "exceeds 1"),
    ):
        if not holds.all():
            first = int(np.argwhere(~holds)[0, 0])
            which = "" if contrasts is None else f" of contrast {contrasts[first]!s}"
            raise EstimateError(f"task_correlation={which}: the matrix {why}")
    negative = np.asarray(np.linalg.eigvalsh(stack)[:, 0] < -_SYMMETRIC * size)
    if negative.any():
        which = "" if contrasts is None else f" of contrast {contrasts[int(np.argmax(negative))]!s}"
        raise EstimateError(
            f"task_correlation={which}: the matrix has a negative eigenvalue, and no errors correlate like that; "
            "estimate it from complete data"
        )


def task_columns_of(estimates: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return `task_columns` of estimates, kept with them or from their factor; empty where neither is known.

    Tasks that were selected from the estimates are selected on both dims.

    Raises
    ------
    EstimateError
        If a task is missing on one of the dims.

    Examples
    --------
    >>> task_columns_of(xr.Dataset({"ace": (("contrast", "task"), [[1.0]])}))
    {}
    """
    if "task_correlation" in estimates:
        found = {n: estimates[n] for n in ("task_correlation", "shared_covariance") if n in estimates}
        wanted = estimates["task"].to_numpy().tolist()
        place = {name: i for i, name in enumerate(estimates["task_"].to_numpy().tolist())}
        missing = [name for name in wanted if name not in place]
        if missing:
            raise EstimateError(
                f"task {missing[0]!s} has a row in task_correlation and no column; select from the estimates as "
                "cg.estimate gave them, estimates.sel(task=[...])"
            )
        return {name: column.isel(task_=[place[task] for task in wanted]) for name, column in found.items()}
    if "factor" in estimates and "model" not in estimates["factor"].dims and not is_factor_by_arm(estimates):
        factor = estimates["factor"].transpose("cluster", "contrast", "task")
        return task_columns(factor.data, estimates["contrast"].to_numpy(), estimates["task"].to_numpy())
    return {}


def is_factor_by_arm(estimates: xr.Dataset) -> bool:
    """Return whether a row of the factor is an arm, and so says nothing of two tasks.

    Independent units of a parallel trial have a row of standard deviations for each arm, in each task by itself.

    Examples
    --------
    >>> is_factor_by_arm(xr.Dataset(attrs={"assignment": "parallel", "cluster": "unit"}))
    True
    """
    return estimates.attrs.get("assignment") == "parallel" and estimates.attrs.get("cluster") == "unit"
