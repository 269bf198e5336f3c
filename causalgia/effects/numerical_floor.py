"""Numerical floor of a contrast: the largest average effect that rounding in the predictor can produce."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import sparse

from causalgia.effects.control_sd import pooled_sd, shared_arm_sds
from causalgia.effects.functions_of_means import function_of_four_means
from causalgia.effects.scales import OF_MEANS
from causalgia.numerics.row_blocks import by_block
from causalgia.types import Array

if TYPE_CHECKING:
    from causalgia.effects.task_weights import TaskWeights


def floor_of(W: sparse.csr_array, by_scale: xr.DataArray, scale: str) -> Array:
    """Return ``sum_a |w_a| r``, with r the largest rounding error of a prediction, ``(K, tasks[, models])``.

    Parameters
    ----------
    W
        Weights of K contrasts, ``(K, A)``.
    by_scale
        r, shape ``(transform, task[, model])``, as measured in a trial.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``.

    Examples
    --------
    >>> r = xr.DataArray([[1e-7], [0.0]], dims=("transform", "task"), coords={"transform": ["identity", "log"]})
    >>> floor_of(sparse.csr_array([[1.0, -1.0, -1.0, 1.0]]), r, "identity")
    array([[4.e-07]])
    """
    r = by_scale.sel(transform=scale).to_numpy()
    size = np.asarray(abs(W).sum(axis=1), np.float64).ravel()
    return np.asarray(np.multiply.outer(size, r))


def floor_of_means(
    W: sparse.csr_array, error: Array, mean: Array, scale: str, ceiling: float | None, cells: list[int]
) -> Array:
    """Return ``sum_a |d theta / d m_a| r`` of functions theta of the arms' means, ``(K, tasks[, models])``.

    Parameters
    ----------
    W
        Weights, ``(K, A)``.
    error
        The largest rounding error of a prediction, ``(tasks[, models])``.
    mean
        Means of the arms, ``(A, tasks[, models])``.
    scale, ceiling
        As in `causalgia.contrast`.
    cells
        Arms 0, B, A and AB of an interaction, for scales of four means.

    Examples
    --------
    >>> W, mean = sparse.csr_array([[-1.0, 1.0]]), np.array([[2.0], [4.0]])
    >>> floor_of_means(W, np.array([1e-6]), mean, "log_of_means", None, [])
    array([[7.5e-07]])
    """
    shape = (W.shape[0], *mean.shape[1:])
    if scale in ("log_of_means", "ratio"):
        used = np.asarray(abs(W).sum(axis=0)).ravel() > 0
        size = np.where(used.reshape(-1, *[1] * (mean.ndim - 1)), np.abs(mean), 1.0)
        relative = (error / size).reshape(len(mean), -1)
        floor = np.asarray(abs(W) @ relative).reshape(shape)
        if scale == "log_of_means":
            return floor
        logs = np.log(size).reshape(len(mean), -1)
        return np.asarray(floor * np.exp(np.asarray(W @ logs)).reshape(shape))
    gradient = function_of_four_means(scale, ceiling)(*(mean[cell] for cell in cells))[1]
    return np.array(np.broadcast_to(np.abs(np.stack(gradient)).sum(axis=0) * error, shape))


def floor_column(
    outcomes: xr.Dataset,
    W: sparse.csr_array,
    arms: list[str],
    scale: str,
    ceiling: float | None,
    cells: list[Any],
    *,
    over: TaskWeights | None = None,
    sd_of: sparse.csr_array | None = None,
) -> dict[str, Any]:
    """Return the variable ``floor`` of effects, if the outcomes have the rounding error of predictions.

    Examples
    --------
    >>> floor_column(xr.Dataset(), sparse.csr_array([[1.0, -1.0]]), ["a", "b"], "identity", None, [])
    {}
    """
    if "answer_floor" not in outcomes:
        return {}
    others = [dim for dim in outcomes["outcome"].dims if dim not in ("unit", "arm")]
    by_scale = outcomes["answer_floor"].transpose("transform", *others)
    if scale not in OF_MEANS:
        floor = floor_of(W, by_scale, scale)
    elif scale == "sd" and sd_of is not None:
        subtracted = np.unique(sd_of.indices[sd_of.data < 0])
        y = by_block(outcomes["outcome"].data, np.take, indices=subtracted, axis=1)
        sd = pooled_sd(shared_arm_sds(y, scale="identity"), sd_of[:, subtracted])
        floor = floor_of(W, by_scale, "identity") / sd
    else:
        error, mean = by_scale.sel(transform="identity").to_numpy(), _arm_means(outcomes, arms)
        of_four = [] if scale in ("log_of_means", "ratio") else [arms.index(str(cell)) for cell in cells]
        floor = floor_of_means(W, error, mean, scale, ceiling, of_four)
    return {"floor": (("contrast", *others), floor if over is None else over.bounds(floor, 1))}


def _arm_means(outcomes: xr.Dataset, arms: list[str]) -> Array:
    """Return the mean outcome of every arm, 1 for an arm without units."""
    y = outcomes["outcome"]
    if "arm" in y.dims:
        return np.asarray(y.to_numpy().astype(np.float64).mean(axis=0))
    assigned, values = outcomes["assigned"].to_numpy().astype(str), y.to_numpy().astype(np.float64)
    return np.stack(
        [values[assigned == a].mean(axis=0) if (assigned == a).any() else np.ones(values.shape[1:]) for a in arms]
    )
