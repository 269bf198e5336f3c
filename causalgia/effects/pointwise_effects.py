"""Effects on scales that apply to every unit: weighted sums of the transformed outcomes of its arms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import sparse

from causalgia.effects.control_sd import pooled_sd, shared_arm_sds
from causalgia.effects.scales import agreement_of_blocks, check_scale, transform, transform_with_bound
from causalgia.numerics.row_blocks import Rows, by_block, is_lazy, row_blocks
from causalgia.types import Array, Mask

if TYPE_CHECKING:
    from causalgia.effects.task_weights import TaskWeights


def effects_of_units(
    y: xr.DataArray,
    W: sparse.csr_array,
    sd_of: sparse.csr_array,
    scale: str,
    measured_on: str,
    over: TaskWeights | None = None,
) -> dict[str, Any]:
    """Return the variables of effects of a crossover: ICE, where they do not vary, and the sd of the control.

    Parameters
    ----------
    y
        Outcomes ``(unit, arm, ...)`` of the A arms that are used, in memory or lazy.
    W, sd_of
        Weights of the contrasts, and those of `sd_weights`, shape ``(K, A)`` each.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``.
    measured_on
        Scale of the outcomes, in words.
    over
        Contrasts between tasks, which replace the tasks.

    Raises
    ------
    ContrastError
        If the scale is unknown, or impossible for the outcomes.

    Examples
    --------
    >>> y = xr.DataArray(np.array([[1.0, 3.0], [2.0, 5.0]]), dims=("unit", "arm"))
    >>> W = sparse.csr_array([[-1.0, 1.0]])
    >>> effects_of_units(y, W, W, "identity", "counts")["ice"].values.ravel()
    array([2., 3.])
    """
    check_scale(y, scale, measured_on)
    ice, constant, zero = weighted_sums(y.data, W, scale=scale, over=over)
    columns: dict[str, Any] = {"constant": constant, "zero": zero}
    if y.sizes["unit"] > 1:
        subtracted = np.unique(sd_of.indices[sd_of.data < 0])
        sds = shared_arm_sds(by_block(y.data, np.take, indices=subtracted, axis=1), scale=scale, over=over)
        columns["control_sd"] = pooled_sd(sds, sd_of[:, subtracted])
    others = y.dims[2:]
    coords = {dim: y[dim].to_numpy() for dim in ("unit", *others) if dim in y.coords}
    coords |= {} if over is None else {"task": np.asarray(over.names)}
    return {
        "ice": xr.DataArray(ice, dims=("unit", "contrast", *others), coords=coords),
        **{name: (("contrast", *others), values) for name, values in columns.items()},
    }


def weighted_sums(
    y: Rows, W: sparse.csr_array, *, scale: str, over: TaskWeights | None = None
) -> tuple[Rows, Mask, Mask]:
    """Return ``sum_a w_a g(Y_u(a))`` of each unit u, and where the sums are constant, or may be 0, within rounding.

    Parameters
    ----------
    y
        Outcomes for which the scale is possible, in memory or lazy, shape ``(n, A, ...)``.
    W
        Weights, shape ``(K, A)``.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``: g.
    over
        Contrasts between tasks, which replace the tasks.

    Returns
    -------
    sums, constant, zero
        Shape ``(n, K, ...)`` in float64, lazy where the outcomes are and in chunks of the same units; and ``(K, ...)``.

    Examples
    --------
    >>> weighted_sums(np.array([[1.0, 3.0], [2.0, 4.0]]), sparse.csr_array([[-1.0, 1.0]]), scale="identity")
    (array([[2.],
           [2.]]), array([ True]), array([False]))
    """
    shape = (W.shape[0], *y.shape[2:]) if over is None else (W.shape[0], len(over.names), *y.shape[3:])
    out = None if is_lazy(y) else np.empty((len(y), *shape))
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)

    def sums_of_blocks() -> Iterator[tuple[Array, Array]]:
        start = 0
        for block in row_blocks(y, math.prod(shape)):
            values, bound = transform_with_bound(block, scale=scale, over=over)
            sums, within = (np.moveaxis(sums_over_arms(w, x), 0, 1) for w, x in ((W, values), (abs(W), bound)))
            np.minimum(low, sums.min(axis=0), out=low)
            np.maximum(high, sums.max(axis=0), out=high)
            if out is not None:
                out[start : start + len(block)] = sums
            start += len(block)
            yield sums, within

    constant, zero = agreement_of_blocks(sums_of_blocks())
    if out is not None:
        return out, constant, zero
    return by_block(y, _weighted_sums_of_block, extremes=(low, high), W=W, scale=scale, over=over), constant, zero


def _weighted_sums_of_block(block: Array, *, W: sparse.csr_array, scale: str, over: TaskWeights | None) -> Array:
    return np.ascontiguousarray(np.moveaxis(sums_over_arms(W, transform(block, scale=scale, over=over)), 0, 1))


def sums_over_arms(W: sparse.csr_array, x: Array) -> Array:
    """Return weighted sums over arms, ``(K, n, ...)``, of numbers ``(n, A, ...)``.

    Examples
    --------
    >>> sums_over_arms(sparse.csr_array([[-1.0, 1.0]]), np.array([[1.0, 3.0], [2.0, 5.0]]))
    array([[2., 3.]])
    """
    by_arm = np.moveaxis(x, 1, 0)
    return np.asarray(W @ by_arm.reshape(len(by_arm), -1)).reshape(W.shape[0], *by_arm.shape[1:])
