"""Contrasts of the arms' means, put into a Dataset of effects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import sparse

from causalgia.effects.control_sd import control_sd
from causalgia.effects.means import (
    Expansion,
    Parts,
    bliss,
    bpnet,
    cooperativity,
    excess_over_multiplicative,
    is_plain,
    log_of_means,
    of_four_means,
    ratio_of_means,
    relative,
)
from causalgia.effects.scales import OF_MEANS, agreement, is_log, on_scale, refuse_logs
from causalgia.errors import ContrastError, quoted
from causalgia.types import Array

_OF_FOUR = {"excess_over_multiplicative": excess_over_multiplicative, "bpnet": bpnet, "cooperativity": cooperativity}


def check_of_means(
    scale: object, ceiling: float | None, interaction: Sequence[str] | None, crossover: bool, measured_on: str
) -> None:
    """Refuse a function of means that is not defined for what was asked.

    Examples
    --------
    >>> check_of_means("bpnet", None, None, True, "counts")
    Traceback (most recent call last):
    ...
    causalgia.errors.ContrastError: scale='bpnet' is an interaction of two factors; give interaction=["A", "B"]
    """
    if not isinstance(scale, str):
        raise ContrastError(f"scale {quoted(scale)} is none of the scales, such as 'identity', 'log' and 'ratio'")
    if (scale == "bliss") != (ceiling is not None):
        raise ContrastError("scale='bliss' and ceiling= (the largest outcome there can be) go together; give both")
    if scale not in OF_MEANS:
        return
    if scale == "cooperativity":
        if measured_on != "outcome" and not is_log(measured_on):
            raise ContrastError(f"scale='cooperativity' takes log2 outcomes, and these are on {quoted(measured_on)}")
    else:
        refuse_logs(scale, measured_on)
    if scale in ("log_of_means", "ratio"):
        return
    if interaction is None or len(interaction) != 2 or isinstance(interaction, str):
        raise ContrastError(f'scale={quoted(scale)} is an interaction of two factors; give interaction=["A", "B"]')
    if not crossover:
        raise ContrastError(f"scale={quoted(scale)} takes a crossover; in a parallel trial use scale='log_of_means'")


def expanded(
    y: xr.DataArray,
    W: sparse.csr_array,
    read: sparse.csr_array,
    scale: str,
    measured_on: str,
    ceiling: float | None,
    cells: Sequence[str],
) -> dict[str, Any]:
    """Expand functions of the means of shared units: the variables of a Dataset of effects.

    Parameters
    ----------
    y
        Outcomes ``(unit, arm, ...)`` of the A arms that are used.
    W, read
        Weights of the contrasts, and those that say in whose sd each is measured, shape ``(K, A)`` both.
    scale, measured_on, ceiling
        As in `contrast`.
    cells
        The arms of the first contrast in the order of its weights: 0, B, A, AB for an interaction.
    """
    values, bound = (np.moveaxis(np.asarray(x), 1, 0) for x in on_scale(y, "identity", measured_on))
    if scale in ("log_of_means", "ratio"):
        mean, change, moved = (np.stack(x) for x in zip(*map(relative, values, bound), strict=True))
        _check_means(mean, W, scale, [str(a) for a in y["arm"].to_numpy()])
        found = (log_of_means if scale == "log_of_means" else ratio_of_means)(mean, change, moved, W)
        spread = control_sd(list(change), list(moved), read)
    else:
        arms = [str(a) for a in y["arm"].to_numpy()]
        order = [arms.index(cell) for cell in cells]
        found, spread = of_four_means(values[order], bound[order], with_four(scale, ceiling), scale), {}
    return variables(found, y, OF_MEANS[scale], spread)


def with_four(scale: str, ceiling: float | None) -> Callable[[Array, Array, Array, Array], Parts]:
    """Return the function of the means of arms 0, B, A and AB that a scale names."""
    return bliss(_ceiling(ceiling)) if scale == "bliss" else _OF_FOUR[scale]


def _ceiling(ceiling: Any) -> float:
    if isinstance(ceiling, bool) or not isinstance(ceiling, int | float | np.number) or not np.isfinite(ceiling):
        raise ContrastError(f"ceiling={quoted(ceiling)} is not a number; give the largest outcome there can be")
    return float(ceiling)


def _check_means(mean: Array, W: sparse.csr_array, scale: str, arms: list[str]) -> None:
    """Refuse a mean of 0, and a negative one unless its contrasts are ratios of two means."""
    plain = is_plain(W) if scale == "ratio" else np.zeros(W.shape[0], dtype=bool)
    strict = np.asarray(abs(W).T @ ~plain > 0)
    flat = mean.reshape(len(mean), -1)
    bad = (flat == 0) | (strict[:, None] & (flat < 0))
    for a, r in np.argwhere(bad)[:1]:
        need = "positive" if strict[a] else "other than 0"
        raise ContrastError(
            f"scale={quoted(scale)} needs means {need}, and arm {quoted(arms[a])} has the mean {flat[a, r]:.4g}; "
            "use scale='identity'"
        )


def variables(found: Expansion, y: xr.DataArray, null: float, spread: dict[str, Array]) -> dict[str, Any]:
    """Return the variables of a Dataset of effects; of outcomes ``y (unit, arm, ...)`` only the labels are read."""
    others = y.dims[2:]
    constant, one = settle(found, null)
    ice = np.where(constant[:, None], one[:, None], found.value[:, None] + found.influence)
    coords = {dim: y[dim].to_numpy() for dim in ("unit", *others) if dim in y.coords}
    by_unit = {"ice": ice} if found.denominator is None else {"ice": ice, "denominator": found.denominator}
    dims = ("unit", "contrast", *others)
    parts: dict[str, Any] = {
        name: xr.DataArray(np.ascontiguousarray(np.moveaxis(x, 0, 1)), dims=dims, coords=coords)
        for name, x in by_unit.items()
    }
    columns = {"constant": constant, "zero": constant & (one == 0), **spread}
    return parts | {name: (("contrast", *others), values) for name, values in columns.items()}


def settle(found: Expansion, null: float) -> tuple[Any, Array]:
    """Return where the influences are one number within rounding, and the effect, which is then the null if it may be.

    Returns
    -------
    constant, value
        Shape ``(K, ...)``.

    Examples
    --------
    >>> value, nothing = np.array([1 + 1e-16, 2.0]), np.zeros((2, 3))
    >>> settle(Expansion(value, nothing, None, nothing + 1e-15), 1.0)
    (array([ True,  True]), array([1., 2.]))
    """
    around = found.value - null
    flags = [agreement(x + e, b) for x, e, b in zip(around, found.influence, found.bound, strict=True)]
    constant, zero = (np.stack(part) for part in zip(*flags, strict=True))
    return constant, np.where(zero, null, found.value)


def expanded_by_arm(
    y: xr.DataArray,
    rows: Sequence[Any],
    arms: Sequence[str],
    W: sparse.csr_array,
    read: sparse.csr_array,
    scale: str,
    measured_on: str,
) -> tuple[xr.DataArray, Array, dict[str, Any]]:
    """Expand functions of the means of arms that have units of their own (a parallel trial).

    Parameters
    ----------
    y
        Outcomes ``(unit, ...)``.
    rows
        Units of each arm.
    arms
        Their names.
    W, read
        Weights of the contrasts, and those that say in whose sd each is measured, shape ``(K, A)`` both.
    scale, measured_on
        As in `contrast`.

    Returns
    -------
    outcome, bound, variables
        ``log m_a + (Y_u - m_a) / m_a`` (for the ratio ``Y_u / m_a``) and the bound on its rounding, of the shape of
        `y`; and for the ratio ``ratio (contrast, ...)``.
    """
    values, bound = y.to_numpy().astype(np.float64), on_scale(y, "identity", measured_on)[1]
    used = np.unique(W.indices)
    empty = [arms[a] for a in used if not len(rows[a])]
    if empty:
        raise ContrastError(
            f"scale={quoted(scale)}: no unit was given arm {quoted(empty[0])}, so it has no mean; leave it out"
        )
    used = np.array([a for a in np.union1d(used, read.indices) if len(rows[a])])
    mean = np.ones((len(arms), *values.shape[1:]))
    out, moved = np.zeros_like(values), np.zeros_like(values)
    for a in used:
        mean[a], change, within = relative(values[rows[a]], bound[rows[a]])
        out[rows[a]], moved[rows[a]] = change, within
    _check_means(mean, W, scale, list(arms))
    nothing = np.zeros((len(arms), 1, *mean.shape[1:]))
    if scale == "ratio":
        value = ratio_of_means(mean, nothing, nothing, W).value
        bound = np.stack([moved[i].max(axis=0, initial=0.0) for i in rows]).reshape(len(arms), -1)
        value = np.where(np.abs(value - 1) <= (abs(W) @ bound).reshape(value.shape), 1.0, value)
        return y.copy(data=out + 1), moved, {"ratio": (("contrast", *y.dims[1:]), value)}
    for a in used:
        log = np.log(mean[a])
        out[rows[a]] += log
        moved[rows[a]] += 8 * np.finfo(float).eps * (1 + np.abs(log))
    return y.copy(data=out), moved, {}
