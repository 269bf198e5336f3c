"""Contrasts: outcomes under several arms -> individual causal effects on a named scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import sparse

from causalgia.analysis import Analysis, exploratory_attrs
from causalgia.arm_weights import as_dense
from causalgia.control_notes import edits_from_json, notes_of_controls
from causalgia.effects.contrast_weights import Contrasts, arm_name, chosen, notes_of_twice, unique, weight_matrix
from causalgia.effects.control_sd import arm_sds, control_sd, measured_in, pooled_sd, read_for_sd, sds_of_shared
from causalgia.effects.functions_of_means import check_of_means, expanded, expanded_by_arm
from causalgia.effects.labels import done, in_words, measured_on
from causalgia.effects.numerical_floor import floor_column
from causalgia.effects.scales import OF_MEANS, Scale, check_scale, on_scale, put_on, transformed
from causalgia.errors import OutcomesError, quoted
from causalgia.long_text import design_question
from causalgia.notes import with_notes
from causalgia.numerics.row_blocks import Rows, by_block, in_memory, is_lazy, remember, row_blocks
from causalgia.schema import annotate, validate
from causalgia.types import Array, Mask


def contrast(
    outcomes: xr.Dataset,
    *,
    control: str | float | None = None,
    contrasts: Contrasts | None = None,
    interaction: Sequence[str] | None = None,
    scale: Scale = "identity",
    ceiling: float | None = None,
) -> xr.Dataset:
    """Turn outcomes into individual causal effects (ICE): weighted sums of a unit's arms, on a named scale.

    Where neither `control`, `contrasts` nor `interaction` is given, the contrasts are those of the analysis kept with
    the outcomes, or of their design.

    ``ICE_u = sum_a w_a g(Y_u(a))`` with weights that sum to zero; the estimand is its mean over the null model. For
    g = log that is a difference of *means of logs*, which is not the log of a ratio of means: another estimand, a
    function of the arms' means, which ``"log_of_means"``, ``"ratio"`` and the interactions of the field give.

    Parameters
    ----------
    outcomes
        From `causalgia.run` or `from_frame`: ``outcome (unit, arm, task[, model])`` of a crossover, or
        ``outcome (unit, task[, model])`` and ``assigned (unit)`` of a parallel trial. Lazy ones (dask arrays, such as
        an opened store has) are read a few blocks of units at a time.
    control
        The arm that is subtracted from every other one; each contrast is named after its treatment arm. A number
        stands for the arm of that name: 0 and 0.0 for ``"0"``.
    contrasts
        Instead: contrast name -> arm name -> weight; the weights of a contrast sum to zero. Or text over the names of
        arms, ``"GATA1 - placebo"``, ``"(AB - A) - (B - none)"``, ``"(A + B)/2 = placebo"``, one or several in a
        list, or as the value of a name; names with spaces or signs stand in backticks. Or ``"pairwise"``,
        ``"reference"`` (each arm minus the first) or ``"sequential"`` (each minus the one before).
    interaction
        Instead: the names of two or more two-level factors, coordinates on the arm dim. The full interaction over
        their arms, ``sum (-1)^(number of factors at reference) g(Y)``: AB - A - B + 0 for two. The reference is the
        smaller level (0, False). Arms whose level is missing (NaN or empty) stand outside the factorial.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``: g, taken of every outcome first. Or a function of the
        means m_a: ``"log_of_means"``, ``sum_a w_a log m_a``; ``"ratio"``, its exponential, for `control` the ratio of
        two means; and, for an interaction of two factors A, B in a crossover, ``"excess_over_multiplicative"``,
        ``AB - A B / 0``; ``"bpnet"``, ``(AB - (B - 0)) / A``; ``"cooperativity"``, ``2^AB / (2^A + 2^B - 2^0)`` of log2
        outcomes; ``"bliss"``, the excess over independent action, which needs `ceiling`. No effect is 1 for the
        ratios (attrs["null_value"]) and 0 for the others. Arms that no contrast uses, nor ``control_sd``, are not
        read; on a scale other than identity the units that a parallel trial gave them are left out.
    ceiling
        ``scale="bliss"``: the largest outcome there can be.

    Returns
    -------
    Dataset
        Crossover: ``ice (unit, contrast, task[, model])`` in float64; ``constant (contrast, task[, model])`` where
        the ICE of all units are one number within the rounding of each unit's own outcomes, and ``zero`` where that
        number may be 0. Parallel: no ICE exists, and the observed ``outcome`` (on the scale g) and ``assigned`` are
        kept, with the bound ``rounding`` on each outcome. Both: ``weight (contrast, arm)`` (float32 where that is
        exact), ``control_sd (contrast, task[, model])``, the sd over units that a rope or prior in sd is measured in
        (absent below two units): of the `control`; beside `contrasts` or an `interaction` that of the untreated arm,
        for every contrast the same (attrs["control_sd_of"]), and where there is none, or several, or it does not vary
        in some task, that of the arms of negative weight (their variances pooled by the size of the weights); the
        coordinates of units and arms,
        ``do (contrast)``, and attrs that say the estimand; ``attrs["exploratory"]`` names what was asked, here and by
        the verbs that follow, beyond the analysis kept with the outcomes. For functions of means ``ice`` holds
        *influence values* (attrs["ice_is"]): the delta method's expansion, unit by unit, whose mean is the effect and
        whose spread is its error; they are no individual effects. Where one divides, ``denominator`` has the same of
        the divisor. Of lazy outcomes of a crossover ``ice`` is lazy too, in chunks of the same units, and what is of no
        unit is in memory; a parallel trial and a function of means are loaded. All is the same in every bit.

    Raises
    ------
    ContrastError
        If more than one of `control`, `contrasts`, `interaction` is given, or none and none is kept, an arm or factor
        is unknown, text is not linear in arms or asks one contrast twice, weights do not sum to zero, a cell of the
        factorial is empty or taken twice, or the scale is impossible for an outcome.
    OutcomesError
        If `outcomes` is not a Dataset of outcomes.

    References
    ----------
    Koo et al. (2021), doi:10.1371/journal.pcbi.1008925: global importance is such an average.

    Examples
    --------
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), [[[1.0], [3.0]], [[2.0], [5.0]]])},
    ...     coords={"unit": [0, 1], "arm": ["placebo", "GATA1"], "task": ["K562"]},
    ... )
    >>> effects = contrast(outcomes, control="placebo")
    >>> effects["ice"].squeeze().values, effects.attrs["estimand"]
    (array([2., 3.]), "mean over units of outcome under 'GATA1' minus outcome under 'placebo'")
    """
    validate(outcomes, "outcomes")
    if outcomes.sizes["unit"] == 0:
        raise OutcomesError("outcomes: no units; the selection before contrast left none")
    if "arm" not in outcomes.dims:
        raise OutcomesError("outcomes: no dim 'arm'; a Dataset from cg.run or cg.from_frame has it")
    outcomes = in_memory(outcomes, but="unit" if "arm" in outcomes["outcome"].dims else None)
    outcomes = outcomes.set_coords([name for name in ("assigned", "parent", "block") if name in outcomes])
    arms = unique([str(a) for a in outcomes["arm"].to_numpy()], "arms")
    of_kept = control is None and contrasts is None and interaction is None
    if of_kept:
        control, contrasts, interaction = _kept_question(outcomes)
    control = None if control is None else arm_name(control, arms)
    weights = chosen(outcomes, arms, control, contrasts, interaction)
    W = weight_matrix(weights, arms)
    crossover = "arm" in outcomes["outcome"].dims
    check_of_means(scale, ceiling, interaction, crossover, measured_on(outcomes))
    read = _yardstick(outcomes, W, arms, control)
    outcomes, parts = (
        _crossover(outcomes, W, read, scale, ceiling, list(next(iter(weights.values()))))
        if crossover
        else _parallel(outcomes, W, read, arms, scale)
    )
    dims = {*outcomes["outcome"].dims, "arm"}
    coords = {name: c for name, c in outcomes.coords.items() if dims.issuperset(c.dims)}
    effects = xr.Dataset(parts, coords=coords, attrs=outcomes.attrs)
    effects["weight"] = (("contrast", "arm"), as_dense(W))
    effects = effects.assign(floor_column(outcomes, W, arms, scale, ceiling, list(next(iter(weights.values())))))
    effects = effects.assign_coords(contrast=list(weights), arm=arms, **done(outcomes, weights))
    effects.attrs |= in_words(outcomes, weights, scale, "crossover" if crossover else "parallel", control, interaction)
    effects.attrs |= measured_in(read, W)
    named = weights if contrasts is not None else None
    asked = {"control": control, "contrasts": named, "interaction": interaction}
    if "analysis" in outcomes.attrs and not of_kept:
        of_kept = asked == dict(zip(asked, _kept_question(outcomes), strict=True))
    effects.attrs |= exploratory_attrs(outcomes.attrs, **({} if of_kept else asked), scale=scale)
    if not of_kept:
        effects = with_notes(effects, *notes_of_twice(weights))
    edits = str(effects.attrs.pop("edits", ""))
    if edits and not (of_kept or interaction):
        effects = with_notes(effects, *notes_of_controls(weights, edits_from_json(edits)))
    return validate(annotate(effects), "effects")


def _kept_question(outcomes: xr.Dataset) -> tuple[str | None, Any, Any]:
    """Return control, contrasts and interaction of the analysis kept with the outcomes, else of their design."""
    kept = Analysis.from_json(str(outcomes.attrs.get("analysis", "{}")))
    kept = kept if kept.asks else kept.asking(design_question(outcomes))
    return kept.control, kept.weights_by_contrast or None, list(kept.interaction) if kept.interaction else None


def _yardstick(outcomes: xr.Dataset, W: sparse.csr_array, arms: list[str], control: str | None) -> sparse.csr_array:
    """Return weights that say in which arms' sd each contrast is measured: of the untreated arm, where it varies."""
    kinds = outcomes["kind"].to_numpy().astype(str).tolist() if "kind" in outcomes.coords else []
    read = read_for_sd(W, kinds, control)
    if read is W:
        return W
    a, y = int(read.indices[0]), outcomes["outcome"]
    if "arm" in y.dims:
        sds = sds_of_shared(_of_arms(y, [a]).data, scale="identity") if y.sizes["unit"] > 1 else np.zeros(1)
    else:
        y = y.isel(unit=outcomes["assigned"].to_numpy().astype(str) == arms[a])
        values, bound = on_scale(y, "identity", measured_on(outcomes))
        sds = arm_sds([values.to_numpy()], [bound]) if y.sizes["unit"] > 1 else np.zeros(1)
    return read if (sds > 0).all() else W


def _of_arms(y: xr.DataArray, arms: Any) -> xr.DataArray:
    """Return the outcomes ``(unit, arm, ...)`` of some arms, lazily where they are lazy; the same ones, of all arms."""
    if list(arms) == list(range(y.sizes["arm"])):
        return y
    return y.isel(arm=arms).copy(data=by_block(y.data, np.take, indices=arms, axis=1))


def _crossover(
    outcomes: xr.Dataset,
    W: sparse.csr_array,
    read: sparse.csr_array,
    scale: str,
    ceiling: float | None,
    cells: list[str],
) -> tuple[xr.Dataset, dict[str, Any]]:
    """ICE as (sparse) matrix products, in float64, and where they do not vary."""
    used = np.union1d(W.indices, read.indices)
    W, read = W[:, used], read[:, used]
    y, on = _of_arms(outcomes["outcome"], used), measured_on(outcomes)
    if scale in OF_MEANS:
        return outcomes, expanded(y, W, read, scale, on, ceiling, cells)
    check_scale(y, scale, on)
    ice, constant, zero = weighed(y.data, W, scale=scale)
    subtracted, spread = np.unique(read.indices[read.data < 0]), {}
    if y.sizes["unit"] > 1:
        sds = sds_of_shared(_of_arms(y, subtracted).data, scale=scale)
        spread = {"control_sd": pooled_sd(sds, read[:, subtracted])}
    others = y.dims[2:]
    coords = {dim: y[dim].to_numpy() for dim in ("unit", *others) if dim in y.coords}
    columns = {"constant": constant, "zero": zero, **spread}
    return outcomes, {
        "ice": xr.DataArray(ice, dims=("unit", "contrast", *others), coords=coords),
        **{name: (("contrast", *others), values) for name, values in columns.items()},
    }


def _parallel(
    outcomes: xr.Dataset, W: sparse.csr_array, read: sparse.csr_array, arms: list[str], scale: str
) -> tuple[xr.Dataset, dict[str, Any]]:
    if "assigned" not in outcomes:
        raise OutcomesError(
            "outcomes: neither a dim 'arm' of the outcome nor a coordinate 'assigned'; use cg.from_frame"
        )
    known = set(arms)
    assigned = outcomes["assigned"].to_numpy().astype(str)
    for i, arm in enumerate(assigned):
        if arm not in known:
            raise OutcomesError(
                f"unit {outcomes['unit'].to_numpy()[i]!s} is assigned to {quoted(arm)}, which is not an arm"
            )
    if scale != "identity":
        outcomes = outcomes.isel(unit=np.isin(assigned, [arms[j] for j in np.union1d(W.indices, read.indices)]))
    received = outcomes["assigned"].to_numpy().astype(str)
    rows = [np.flatnonzero(received == arm) for arm in arms]
    if scale in OF_MEANS:
        y, bound, more = expanded_by_arm(outcomes["outcome"], rows, arms, W, read, scale, measured_on(outcomes))
    else:
        (y, bound), more = on_scale(outcomes["outcome"], scale, measured_on(outcomes)), {}
    spread = control_sd([y.to_numpy()[i].astype(np.float64) for i in rows], [bound[i] for i in rows], read)
    sds = {name: (("contrast", *y.dims[1:]), values) for name, values in spread.items()}
    return outcomes, {"outcome": y, "rounding": (y.dims, bound), **sds, **more}


def weighed(y: Rows, W: sparse.csr_array, *, scale: str) -> tuple[Rows, Mask, Mask]:
    """Return ``sum_a w_a g(Y_u(a))`` of each unit u, where all units have one such number, and where that may be 0.

    Parameters
    ----------
    y
        Outcomes as they were measured, which the scale is possible for, in memory or lazy, shape ``(n, A, ...)``.
    W
        Weights, shape ``(K, A)``.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``: g.

    Returns
    -------
    sums, constant, zero
        Shape ``(n, K, ...)`` in float64, lazy where the outcomes are and in chunks of the same units; and ``(K, ...)``.

    Examples
    --------
    >>> weighed(np.array([[1.0, 3.0], [2.0, 4.0]]), sparse.csr_array([[-1.0, 1.0]]), scale="identity")
    (array([[2.],
           [2.]]), array([ True]), array([False]))
    """
    shape = (W.shape[0], *y.shape[2:])
    out = None if is_lazy(y) else np.empty((len(y), *shape))
    start, ends = 0, _Ends(shape)
    for block in row_blocks(y, math.prod(shape)):
        sums = ends.add(block, W, scale)
        if out is not None:
            out[start : start + len(block)] = np.moveaxis(sums, 0, 1)
        start += len(block)
    found = by_block(y, _weighed, W=W, scale=scale) if out is None else out
    if out is None:
        remember(found, ends.least, ends.most)
    constant = ends.low <= ends.high
    return found, constant, constant & (ends.low <= 0) & (ends.high >= 0)


class _Ends:
    """Extremes of sums of arms, and the interval that all of them share within their rounding, shape ``(K, ...)``."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.least, self.high = np.full(shape, np.inf), np.full(shape, np.inf)
        self.most, self.low = np.full(shape, -np.inf), np.full(shape, -np.inf)

    def add(self, block: Array, W: sparse.csr_array, scale: str) -> Array:
        """Take in outcomes of some units, ``(b, A, ...)``; return their sums, ``(K, b, ...)``."""
        y, bound = put_on(block, scale=scale)
        sums, within = times(W, y), times(abs(W), bound)
        np.minimum(self.least, sums.min(axis=1), out=self.least)
        np.maximum(self.most, sums.max(axis=1), out=self.most)
        np.minimum(self.high, (sums + within).min(axis=1), out=self.high)
        np.maximum(self.low, (sums - within).max(axis=1), out=self.low)
        return sums


def _weighed(block: Array, *, W: sparse.csr_array, scale: str) -> Array:
    return np.ascontiguousarray(np.moveaxis(times(W, transformed(block, scale=scale)), 0, 1))


def times(W: sparse.csr_array, x: Array) -> Array:
    """Return weighted sums of the arms, ``(K, n, ...)``, of numbers ``(n, A, ...)``.

    Examples
    --------
    >>> times(sparse.csr_array([[-1.0, 1.0]]), np.array([[1.0, 3.0], [2.0, 5.0]]))
    array([[2., 3.]])
    """
    by_arm = np.moveaxis(x, 1, 0)
    return np.asarray(W @ by_arm.reshape(len(by_arm), -1)).reshape(W.shape[0], *by_arm.shape[1:])
