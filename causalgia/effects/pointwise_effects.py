"""Effects on scales that apply to every unit, and the standard deviation of the
control, their unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse

from causalgia.effects.scales import (
    bound_of_alike,
    check_scale,
    transform,
    transform_with_bound,
)
from causalgia.effects.two_values import AT_FIRST, count_two_values
from causalgia.errors import first_of, quoted
from causalgia.numerics.moments import column_moments
from causalgia.numerics.row_blocks import (
    Rows,
    agreement,
    agreement_of_blocks,
    by_block,
    computed_if_small,
    is_finite,
    is_lazy,
    row_blocks,
)
from causalgia.types import Array, Ints, Mask

if TYPE_CHECKING:
    from causalgia.effects.scales import TaskWeights

OF_UNTREATED = "the untreated arm"
_LEAST_SKEWNESS, _ENOUGH_FOR_SD = 0.75, 200


def effects_of_units(
    y: xr.DataArray,
    W: sparse.csr_array,
    sd_of: sparse.csr_array,
    scale: str,
    measured_on: str,
    over: TaskWeights | None = None,
    *,
    untreated_sd: Array | None = None,
    two_valued: bool = True,
) -> dict[str, Any]:
    """Return the variables of effects of a crossover: ICE, where they do not vary, and
    the sd of the control.

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
    untreated_sd
        From `varying_sd_weights`, if known: spares lazy outcomes a second reading.
    two_valued
        Whether outcomes of two values are counted, which curves do without.
        Units may lack an arm at positions of curves; ``n_units`` then counts the others.

    Raises
    ------
    EstimateError
        If the scale is unknown, or impossible for the outcomes.

    Examples
    --------
    >>> y = xr.DataArray(np.array([[1.0, 3.0], [2.0, 5.0]]), dims=("unit", "arm"))
    >>> W = sparse.csr_array([[-1.0, 1.0]])
    >>> effects_of_units(y, W, W, "identity", "counts")["ice"].values.ravel()
    array([2., 3.])
    """
    check_scale(y, scale, measured_on)
    sd: dict[str, Array] = {}
    if untreated_sd is not None and scale == "identity" and over is None:
        sd["control_sd"] = pooled_sd(untreated_sd, sd_of[:, np.unique(sd_of.indices)])
    elif y.sizes["unit"] > 1:
        sd["control_sd"] = shared_control_sd(y.data, sd_of, scale=scale, over=over)
    first: list[Array] = []
    ice, constant, zero = weighted_sums(y.data, W, scale=scale, over=over, first=first)
    columns: dict[str, Array | Mask | Ints] = {"constant": constant, "zero": zero, **sd}
    others = y.dims[2:]
    two = (
        count_two_values(
            first[0],
            lambda: (
                transform(block, scale=scale, over=over) for block in row_blocks(y.data)
            ),
            W,
        )
        if two_valued
        else None
    )
    columns |= {} if two_valued else n_with_effect(ice)
    coords = {dim: y[dim].to_numpy() for dim in ("unit", *others) if dim in y.coords}
    coords |= {} if over is None else {"task": np.asarray(over.names)}
    return {
        "ice": xr.DataArray(ice, dims=("unit", "contrast", *others), coords=coords),
        **{name: (("contrast", *others), values) for name, values in columns.items()},
        **({} if two is None else two.columns(("contrast", *others))),
    }


def n_with_effect(ice: Rows) -> dict[str, Ints]:
    """Return ``n_units``, the number of units that have an effect at each position,
    where some have none.

    Examples
    --------
    >>> (
    ...     n_with_effect(np.array([[[1.0]], [[np.nan]]])),
    ...     n_with_effect(np.ones((2, 1, 1))),
    ... )
    ({'n_units': array([[1]])}, {})
    """
    if is_finite(ice):
        return {}
    return {"n_units": sum(np.isfinite(x).sum(axis=0) for x in row_blocks(ice))}


def weighted_sums(
    y: Rows,
    W: sparse.csr_array,
    *,
    scale: str,
    over: TaskWeights | None = None,
    first: list[Array] | None = None,
) -> tuple[Rows, Mask, Mask]:
    """Return ``sum_a w_a g(Y_u(a))`` of each unit u, and where the sums are constant,
    or may be 0, within rounding.

    Parameters
    ----------
    y
        Outcomes for which the scale is possible, in memory or lazy, shape
        ``(n, A, ...)``.
    W
        Weights, shape ``(K, A)``.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``: g.
    over
        Contrasts between tasks, which replace the tasks.
    first
        A list to which the values of the first units are added, so that lazy ones are
        read once.

    Returns
    -------
    sums, constant, zero
        Shape ``(n, K, ...)`` in float64, lazy where the outcomes are and in chunks of
        the same units; and ``(K, ...)``.

    Examples
    --------
    >>> weighted_sums(
    ...     np.array([[1.0, 3.0], [2.0, 4.0]]),
    ...     sparse.csr_array([[-1.0, 1.0]]),
    ...     scale="identity",
    ... )
    (array([[2.],
           [2.]]), array([ True]), array([False]))
    """
    shape = (
        (W.shape[0], *y.shape[2:])
        if over is None
        else (W.shape[0], len(over.names), *y.shape[3:])
    )
    out = None if is_lazy(y) else np.empty((len(y), *shape))
    low, high = np.full(shape, np.inf), np.full(shape, -np.inf)

    def sums_of_blocks() -> Iterator[tuple[Array, Array]]:
        start = 0
        for block in row_blocks(y, math.prod(shape)):
            values, bound = transform_with_bound(block, scale=scale, over=over)
            if first is not None and not start:
                first.append(values[:AT_FIRST].copy())
            bound = bound_of_alike(values, bound)
            sums, within = (
                np.moveaxis(sums_over_arms(w, x), 0, 1)
                for w, x in ((W, values), (abs(W), bound))
            )
            np.minimum(low, sums.min(axis=0), out=low)
            np.maximum(high, sums.max(axis=0), out=high)
            if out is not None:
                out[start : start + len(block)] = sums
            start += len(block)
            yield sums, within

    constant, zero = agreement_of_blocks(sums_of_blocks())
    if out is not None:
        return out, constant, zero
    return (
        by_block(
            y,
            _weighted_sums_of_block,
            extremes=(low, high),
            W=W,
            scale=scale,
            over=over,
        ),
        constant,
        zero,
    )


def _weighted_sums_of_block(
    block: Array, *, W: sparse.csr_array, scale: str, over: TaskWeights | None
) -> Array:
    return np.ascontiguousarray(
        np.moveaxis(sums_over_arms(W, transform(block, scale=scale, over=over)), 0, 1)
    )


def sums_over_arms(W: sparse.csr_array, x: Array) -> Array:
    """Return weighted sums over arms, ``(K, n, ...)``, of numbers ``(n, A, ...)``.

    Examples
    --------
    >>> sums_over_arms(
    ...     sparse.csr_array([[-1.0, 1.0]]), np.array([[1.0, 3.0], [2.0, 5.0]])
    ... )
    array([[2., 3.]])
    """
    by_arm = np.moveaxis(x, 1, 0)
    return np.asarray(W @ by_arm.reshape(len(by_arm), -1)).reshape(
        W.shape[0], *by_arm.shape[1:]
    )


def sd_weights(
    W: sparse.csr_array, kinds: Sequence[str], control: object
) -> sparse.csr_array:
    """Return weights whose negative entries name the arms whose sd is the unit of each
    contrast.

    Without a control this is the only untreated arm, for all contrasts: an interaction
    has no control of its own, and the negation of a contrast must have the same size.
    Otherwise it is the arms that a contrast subtracts.

    Parameters
    ----------
    W
        Weights, shape ``(K, A)``.
    kinds
        Kind of each arm, such as ``"untreated"``; empty if not known.
    control
        The requested control of all contrasts, or None.

    Returns
    -------
    csr_array
        Shape ``(K, A)``; `W` itself where there is a `control`, or no or several
        untreated arms.

    Examples
    --------
    >>> W = sparse.csr_array([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0]])
    >>> sd_weights(W, ["embed", "embed", "untreated"], None).toarray()
    array([[ 0.,  0., -1.],
           [ 0.,  0., -1.]])
    """
    untreated = [a for a, kind in enumerate(kinds) if kind == "untreated"]
    if control is not None or len(untreated) != 1:
        return W
    rows = np.arange(W.shape[0])
    return sparse.csr_array(
        (-np.ones(len(rows)), (rows, np.full(len(rows), untreated[0]))), shape=W.shape
    )


def varying_sd_weights(
    outcomes: xr.Dataset, W: sparse.csr_array, arms: list[str], control: str | None
) -> tuple[sparse.csr_array, Array | None]:
    """Return `sd_weights`, but those of the contrasts if the untreated arm does not
    vary; else its sd, ``(1, ...)``.
    """
    kinds = (
        outcomes["kind"].to_numpy().astype(str).tolist()
        if "kind" in outcomes.coords
        else []
    )
    sd_of = sd_weights(W, kinds, control)
    if sd_of is W:
        return W, None
    a, y = int(sd_of.indices[0]), outcomes["outcome"]
    if "arm" in y.dims:
        rows, column = y.data, a
    else:
        rows, column = (
            y.to_numpy()[outcomes["assigned"].to_numpy().astype(str) == arms[a], None],
            0,
        )
    sds = (
        shared_arm_sds(rows, [column], scale="identity")
        if len(rows) > 1
        else np.zeros(1)
    )
    return (sd_of, sds) if (sds > 0).all() else (W, None)


def sd_attrs(sd_of: sparse.csr_array, W: sparse.csr_array) -> dict[str, str]:
    """Return the attr ``control_sd_of`` of effects, if the arm is not the one that is
    subtracted.

    Examples
    --------
    >>> W = sparse.csr_array([[1.0, -1.0]])
    >>> sd_attrs(sd_weights(W, ["embed", "untreated"], None), W), sd_attrs(W, W)
    ({'control_sd_of': 'the untreated arm'}, {})
    """
    return {} if sd_of is W else {"control_sd_of": OF_UNTREATED}


def pooled_sd(sds: Array, W: sparse.csr_array) -> Array:
    """Pool the sd of the arms that each contrast subtracts:
    ``sqrt(sum |w_a| s_a^2 / sum |w_a|)`` over ``w_a < 0``.

    Parameters
    ----------
    sds
        Standard deviation of each arm over units, shape ``(A, ...)``; only arms of
        negative weight are used.
    W
        Weights of K contrasts, each with a negative one, shape ``(K, A)``.

    Returns
    -------
    array
        Shape ``(K, ...)``, on the scale of `sds`.

    Examples
    --------
    >>> pooled_sd(
    ...     np.array([3.0, 1.0, 5.0]),
    ...     sparse.csr_array([[-1.0, 1.0, 0.0], [-0.5, 1.0, -0.5]]),
    ... ).round(4)
    array([3.    , 4.1231])
    """
    share = (-W).maximum(0)
    share = sparse.diags_array(1 / share.sum(axis=1)) @ share
    flat = sds.reshape(len(sds), -1)
    peak = np.where(flat.max(axis=0) > 0, flat.max(axis=0), 1.0)
    pooled = np.asarray(share @ (flat / peak) ** 2)
    return np.asarray(peak * np.sqrt(pooled)).reshape(W.shape[0], *sds.shape[1:])


def skewed_control_note(y: xr.DataArray, sd_of: sparse.csr_array) -> list[str]:
    """Return a note on the controls whose sd is uncertain because they are skewed:
    ``n < 200 skewness^2``.

    In simulations 95 % intervals in sd of such a control covered .94 (exponential) to
    .88 (lognormal), of others .93 and more. A sample's skewness is below that of its
    law, so that skewness below .75 counts as none.

    Parameters
    ----------
    y
        Outcomes ``(unit, arm, ...)`` of the A arms that are used.
    sd_of
        Weights of `sd_weights`, shape ``(K, A)``.
    """
    arms = np.unique(sd_of.indices[sd_of.data < 0])
    values = np.asarray(np.take(y.data, arms, axis=1)).astype(np.float64)
    n = len(values)
    away = values - values.mean(axis=0)
    square, cube = (away**2).mean(axis=0), (away**3).mean(axis=0)
    size = np.abs(cube) / np.where(square > 0, square, 1.0) ** 1.5
    flagged = (size >= _LEAST_SKEWNESS) & (n < _ENOUGH_FOR_SD * size**2)
    if not flagged.any():
        return []
    a, t, *_ = np.unravel_index(int(size.argmax()), size.shape)
    task = str(y["task"].to_numpy()[t]) if "task" in y.coords else str(t)
    n_tasks = int(
        flagged.any(axis=tuple(i for i in range(flagged.ndim) if i != 1)).sum()
    )
    return [
        f"the control {quoted(str(y['arm'].to_numpy()[arms[a]]))} is skewed in task "
        f"{first_of([quoted(task)], 1, n=n_tasks)}"
        + (
            f" (skewness {float(size.max()):.1f}), so that its sd is uncertain: 95 % "
            "intervals in sd then covered .88 to .94 in simulations; about "
            f"{int(np.ceil(_ENOUGH_FOR_SD * float(size.max()) ** 2)):,} units are "
            f"enough, and there are {n:,}"
        )
    ]


def arm_sds(values: Sequence[Array], bounds: Sequence[Array]) -> Array:
    """Return the sd over units of each arm, 0 where its values are equal within
    rounding.

    Parameters
    ----------
    values, bounds
        For each arm: outcomes of two or more units, and bounds on their rounding, shape
        ``(n_a, ...)`` each.

    Returns
    -------
    array
        Shape ``(A, ...)``.

    Examples
    --------
    >>> arm_sds(
    ...     [np.array([1.0, 3.0]), np.array([0.3, 0.1 + 0.2])],
    ...     [np.zeros(2), np.full(2, 1e-16)],
    ... ).round(4)
    array([1.4142, 0.    ])
    """
    sds = [
        np.where(agreement(y, bound)[0], 0.0, column_moments(y).sd)
        for y, bound in zip(values, bounds, strict=True)
    ]
    return np.stack(sds)


def shared_arm_sds(
    y: Rows,
    arms: Sequence[int] | npt.NDArray[np.integer],
    *,
    scale: str,
    over: TaskWeights | None = None,
) -> Array:
    """Return the sd over units of some arms of a crossover, as `arm_sds`.

    Parameters
    ----------
    y
        Untransformed outcomes, in memory or lazy, shape ``(n, A, ...)``.
    arms
        The arms, columns of `y`.
    scale
        The scale of the sd: ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``.
    over
        Contrasts between tasks, whose sd is computed instead.

    Returns
    -------
    array
        One row for each of `arms`, on that scale.

    Examples
    --------
    >>> shared_arm_sds(
    ...     np.array([[1.0, 4.0, 0.0], [3.0, 4.0, 9.0]]), [0, 1], scale="identity"
    ... ).round(4)
    array([1.4142, 0.    ])
    """
    y = computed_if_small(by_block(y, np.take, indices=arms, axis=1))
    put = by_block(y, transform, scale=scale, over=over)
    sds = column_moments(put).sd
    if (lacks := np.isnan(sds)).any():  # of units that lack bases of an arm
        measured = np.ma.masked_invalid(np.asarray(put))
        sds[lacks] = measured.std(axis=0, ddof=1).filled(0.0)[lacks]
    constant = agreement_of_blocks(
        transform_with_bound(block, scale=scale, over=over) for block in row_blocks(y)
    )[0]
    return np.where(constant, 0.0, sds)


def shared_control_sd(
    y: Rows, sd_of: sparse.csr_array, *, scale: str, over: TaskWeights | None = None
) -> Array:
    """Return the sd of the control of each contrast of a crossover, shape ``(K, ...)``;
    arguments as `shared_arm_sds`.

    Examples
    --------
    >>> y, W = np.array([[1.0, 4.0], [3.0, 7.0]]), sparse.csr_array([[-1.0, 1.0]])
    >>> shared_control_sd(y, W, scale="identity").round(4)
    array([1.4142])
    """
    subtracted = np.unique(sd_of.indices[sd_of.data < 0])
    return pooled_sd(
        shared_arm_sds(y, subtracted, scale=scale, over=over), sd_of[:, subtracted]
    )


def control_sd(
    values: Sequence[Array], bounds: Sequence[Array], W: sparse.csr_array
) -> dict[str, Array]:
    """Return ``control_sd`` of each contrast, shape ``(K, ...)``; empty if an arm has
    fewer than two units.

    Parameters
    ----------
    values, bounds
        For each of A arms: outcomes of its units, and bounds on their rounding, shape
        ``(n_a, ...)`` each.
    W
        Weights, shape ``(K, A)``.

    Examples
    --------
    >>> control_sd(
    ...     [np.array([1.0, 3.0]), np.array([5.0, 6.0])],
    ...     [np.zeros(2)] * 2,
    ...     sparse.csr_array([[-1.0, 1.0]]),
    ... )
    {'control_sd': array([1.41421356])}
    """
    subtracted = np.unique(W.indices[W.data < 0])
    if min(len(values[a]) for a in subtracted) < 2:
        return {}
    sds = arm_sds([values[a] for a in subtracted], [bounds[a] for a in subtracted])
    return {"control_sd": pooled_sd(sds, W[:, subtracted])}
