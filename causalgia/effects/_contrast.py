"""Contrasts of arms: individual causal effects on a named scale, from outcomes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from scipy import sparse

from causalgia.analysis import Analysis, exploratory_attrs
from causalgia.arm_weights import as_dense
from causalgia.choices import Scale
from causalgia.control_notes import edits_from_json, notes_of_controls
from causalgia.effects.contrast_weights import (
    Contrasts,
    arm_name,
    as_unique,
    duplicate_notes,
    requested_weights,
    weight_matrix,
)
from causalgia.effects.control_sd import arm_sds, control_sd, pooled_sd, sd_attrs, sd_weights, shared_arm_sds
from causalgia.effects.functions_of_means import (
    Expansion,
    check_scale_of_means,
    effect_variables,
    expand_crossover,
    expand_parallel,
    function_of_four_means,
    of_four_means,
)
from causalgia.effects.labels import do_coordinate, effect_attrs, measured_on
from causalgia.effects.numerical_floor import floor_column
from causalgia.effects.scales import OF_MEANS, check_scale, on_scale, transform, transform_with_bound
from causalgia.errors import OutcomesError, quoted
from causalgia.long_text import design_question
from causalgia.notes import with_notes
from causalgia.numerics.row_blocks import Rows, by_block, in_memory, is_lazy, remember_extremes, row_blocks
from causalgia.schema import annotate, validate
from causalgia.types import Array, Mask

Cells: TypeAlias = Mapping[str, tuple[str, str, str, str]]
"""Cell -> its arms: neither, second alone, first alone, both."""
_BY_WEIGHTS = ("log_of_means", "ratio")


def contrast(
    outcomes: xr.Dataset,
    *,
    control: str | float | None = None,
    contrasts: Contrasts | None = None,
    interaction: Sequence[str] | None = None,
    scale: Scale = "identity",
    ceiling: float | None = None,
) -> xr.Dataset:
    """Compute individual causal effects (ICE) from outcomes: weighted sums of a unit's arms, on a named scale.

    ``ICE_u = sum_a w_a g(Y_u(a))`` with weights that sum to zero; the estimand is its mean over the null model. If
    neither `control`, `contrasts` nor `interaction` is given, the contrasts are those of the analysis stored with the
    outcomes, or of their design.

    Parameters
    ----------
    outcomes
        From `causalgia.run` or `from_frame`: ``outcome (unit, arm, task[, model])`` of a crossover, or
        ``outcome (unit, task[, model])`` and ``assigned (unit)`` of a parallel trial.
    control
        The arm that is subtracted from every other one; each contrast is named after its treatment arm. A number means
        the arm of that name: 0 and 0.0 for ``"0"``.
    contrasts
        Instead of `control`: contrast name -> arm name -> weight; the weights of a contrast sum to zero. Or text in the
        names of arms, ``"GATA1 - placebo"``, ``"(AB - A) - (B - none)"``, ``"(A + B)/2 = placebo"``, one or several in
        a list, or as the value of a name; put names with spaces or signs in backticks. Or ``"pairwise"``,
        ``"reference"`` (each arm minus the first) or ``"sequential"`` (each minus the one before).
    interaction
        Instead of `control`: names of two or more two-level factors, coordinates on the arm dim. The contrast is the
        full interaction, ``sum (-1)^(number of factors at reference) g(Y)``: AB - A - B + 0 for two. The reference is
        the smaller level (0, False). Arms whose level is missing (NaN or empty) are not part of the factorial.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``: g, applied to every outcome. Or a function of the
        means m_a: ``"log_of_means"``, ``sum_a w_a log m_a``; ``"ratio"``, its exponential, for `control` the ratio of
        two means; and, for an interaction of two factors A, B in a crossover, ``"excess_over_multiplicative"``,
        ``AB - A B / 0``; ``"bpnet"``, ``(AB - (B - 0)) / A``; ``"cooperativity"``, ``2^AB / (2^A + 2^B - 2^0)`` of log2
        outcomes; ``"bliss"``, the excess over independent action, which needs `ceiling`. The null value
        (attrs["null_value"]) is 1 for the ratios and 0 for the others.
    ceiling
        ``scale="bliss"``: the largest possible outcome.

    Returns
    -------
    Dataset
        Crossover: ``ice (unit, contrast, task[, model])`` in float64; ``constant (contrast, task[, model])`` where
        the ICE of all units are equal within the rounding of the outcomes, and ``zero`` where they may be 0. Parallel
        trial: no ICE; the observed ``outcome`` (on the scale g), ``assigned``, and the bound ``rounding`` on each
        outcome. Both: ``weight (contrast, arm)`` (float32 where exact), ``control_sd (contrast, task[, model])``, the
        coordinates of units and arms, ``do (contrast)``, and attrs that describe the estimand.

    Raises
    ------
    ContrastError
        If more than one of `control`, `contrasts`, `interaction` is given, or none and none is stored, an arm or factor
        is unknown, text is not linear in arms or repeats a contrast, weights do not sum to zero, a cell of the
        factorial is empty or occurs twice, or the scale is impossible for an outcome.
    OutcomesError
        If `outcomes` is not a Dataset of outcomes.

    Notes
    -----
    For g = log the estimand is a difference of *means of logs*, not the log of a ratio of means. The latter is a
    function of the arms' means (``"log_of_means"``, ``"ratio"`` and the interactions above). For these ``ice`` holds
    *influence values* (attrs["ice_is"]), not individual effects: the delta method's expansion for each unit, whose mean
    is the effect and whose spread is its error. ``denominator`` has the same for a divisor.

    ``control_sd`` is the sd over units that is the unit of a rope or prior in sd (absent below two units): that of the
    `control`. With `contrasts` or an `interaction` it is that of the untreated arm for all contrasts
    (attrs["control_sd_of"]); if there is none, or several, or it does not vary in some task, that of the arms of
    negative weight (variances pooled by the size of the weights).

    ``attrs["exploratory"]`` names what was requested, here and by later functions, beyond the analysis stored with the
    outcomes.

    Arms that neither a contrast nor ``control_sd`` uses are not read; on a scale other than identity, units of a
    parallel trial with such an arm are left out. Lazy outcomes (dask arrays, as in an opened store) of a crossover are
    streamed, and ``ice`` is lazy in chunks of the same units; those of a parallel trial, or for a function of means,
    are loaded. Results are the same to the bit.

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
    arms = as_unique([str(a) for a in outcomes["arm"].to_numpy()], "arms")
    from_analysis = control is None and contrasts is None and interaction is None
    if from_analysis:
        control, contrasts, interaction = _stored_question(outcomes)
    control = None if control is None else arm_name(control, arms)
    weights = requested_weights(outcomes, arms, control, contrasts, interaction)
    W = weight_matrix(weights, arms)
    crossover = "arm" in outcomes["outcome"].dims
    check_scale_of_means(scale, ceiling, interaction, crossover, measured_on(outcomes))
    sd_of = _varying_sd_weights(outcomes, W, arms, control)
    outcomes, parts = (
        _crossover_effects(outcomes, W, sd_of, scale, ceiling, list(next(iter(weights.values()))))
        if crossover
        else _parallel_effects(outcomes, W, sd_of, arms, scale)
    )
    dims = {*outcomes["outcome"].dims, "arm"}
    coords = {name: c for name, c in outcomes.coords.items() if dims.issuperset(c.dims)}
    effects = xr.Dataset(parts, coords=coords, attrs=outcomes.attrs)
    effects["weight"] = (("contrast", "arm"), as_dense(W))
    effects = effects.assign(floor_column(outcomes, W, arms, scale, ceiling, list(next(iter(weights.values())))))
    effects = effects.assign_coords(contrast=list(weights), arm=arms, **do_coordinate(outcomes, weights))
    effects.attrs |= effect_attrs(
        outcomes, weights, scale, "crossover" if crossover else "parallel", control, interaction
    )
    effects.attrs |= sd_attrs(sd_of, W)
    named = weights if contrasts is not None else None
    question = {"control": control, "contrasts": named, "interaction": interaction}
    if "analysis" in outcomes.attrs and not from_analysis:
        from_analysis = question == dict(zip(question, _stored_question(outcomes), strict=True))
    effects.attrs |= exploratory_attrs(outcomes.attrs, **({} if from_analysis else question), scale=scale)
    if not from_analysis:
        effects = with_notes(effects, *duplicate_notes(weights))
    edits = str(effects.attrs.pop("edits", ""))
    if edits and not (from_analysis or interaction):
        effects = with_notes(effects, *notes_of_controls(weights, edits_from_json(edits)))
    return validate(annotate(effects), "effects")


def _stored_question(outcomes: xr.Dataset) -> tuple[str | None, Any, Any]:
    """Return control, contrasts and interaction of the analysis stored with the outcomes, else of their design."""
    analysis = Analysis.from_json(str(outcomes.attrs.get("analysis", "{}")))
    analysis = analysis if analysis.asks else analysis.asking(design_question(outcomes))
    return (
        analysis.control,
        analysis.weights_by_contrast or None,
        list(analysis.interaction) if analysis.interaction else None,
    )


def _varying_sd_weights(
    outcomes: xr.Dataset, W: sparse.csr_array, arms: list[str], control: str | None
) -> sparse.csr_array:
    """Return `sd_weights`, but those of the contrasts if the untreated arm does not vary."""
    kinds = outcomes["kind"].to_numpy().astype(str).tolist() if "kind" in outcomes.coords else []
    sd_of = sd_weights(W, kinds, control)
    if sd_of is W:
        return W
    a, y = int(sd_of.indices[0]), outcomes["outcome"]
    if "arm" in y.dims:
        sds = shared_arm_sds(_select_arms(y, [a]).data, scale="identity") if y.sizes["unit"] > 1 else np.zeros(1)
    else:
        y = y.isel(unit=outcomes["assigned"].to_numpy().astype(str) == arms[a])
        values, bound = on_scale(y, "identity", measured_on(outcomes))
        sds = arm_sds([values.to_numpy()], [bound]) if y.sizes["unit"] > 1 else np.zeros(1)
    return sd_of if (sds > 0).all() else W


def _select_arms(y: xr.DataArray, arms: Any) -> xr.DataArray:
    """Return the outcomes ``(unit, arm, ...)`` of some arms, lazily where they are lazy."""
    if list(arms) == list(range(y.sizes["arm"])):
        return y
    return y.isel(arm=arms).copy(data=by_block(y.data, np.take, indices=arms, axis=1))


def _crossover_effects(
    outcomes: xr.Dataset,
    W: sparse.csr_array,
    sd_of: sparse.csr_array,
    scale: str,
    ceiling: float | None,
    cells: list[str],
) -> tuple[xr.Dataset, dict[str, Any]]:
    """Return the outcomes, and the variables of effects: ICE as sparse products, and where they do not vary."""
    used = np.union1d(W.indices, sd_of.indices)
    W, sd_of = W[:, used], sd_of[:, used]
    y, on = _select_arms(outcomes["outcome"], used), measured_on(outcomes)
    if scale in OF_MEANS:
        return outcomes, expand_crossover(y, W, sd_of, scale, on, ceiling, cells)
    check_scale(y, scale, on)
    ice, constant, zero = weighted_sums(y.data, W, scale=scale)
    subtracted, spread = np.unique(sd_of.indices[sd_of.data < 0]), {}
    if y.sizes["unit"] > 1:
        sds = shared_arm_sds(_select_arms(y, subtracted).data, scale=scale)
        spread = {"control_sd": pooled_sd(sds, sd_of[:, subtracted])}
    others = y.dims[2:]
    coords = {dim: y[dim].to_numpy() for dim in ("unit", *others) if dim in y.coords}
    columns = {"constant": constant, "zero": zero, **spread}
    return outcomes, {
        "ice": xr.DataArray(ice, dims=("unit", "contrast", *others), coords=coords),
        **{name: (("contrast", *others), values) for name, values in columns.items()},
    }


def _parallel_effects(
    outcomes: xr.Dataset, W: sparse.csr_array, sd_of: sparse.csr_array, arms: list[str], scale: str
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
        outcomes = outcomes.isel(unit=np.isin(assigned, [arms[j] for j in np.union1d(W.indices, sd_of.indices)]))
    received = outcomes["assigned"].to_numpy().astype(str)
    rows = [np.flatnonzero(received == arm) for arm in arms]
    if scale in OF_MEANS:
        y, bound, more = expand_parallel(outcomes["outcome"], rows, arms, W, sd_of, scale, measured_on(outcomes))
    else:
        (y, bound), more = on_scale(outcomes["outcome"], scale, measured_on(outcomes)), {}
    spread = control_sd([y.to_numpy()[i].astype(np.float64) for i in rows], [bound[i] for i in rows], sd_of)
    sds = {name: (("contrast", *y.dims[1:]), values) for name, values in spread.items()}
    return outcomes, {"outcome": y, "rounding": (y.dims, bound), **sds, **more}


def weighted_sums(y: Rows, W: sparse.csr_array, *, scale: str) -> tuple[Rows, Mask, Mask]:
    """Return ``sum_a w_a g(Y_u(a))`` of each unit u, and where the sums are constant, or may be 0, within rounding.

    Parameters
    ----------
    y
        Outcomes for which the scale is possible, in memory or lazy, shape ``(n, A, ...)``.
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
    >>> weighted_sums(np.array([[1.0, 3.0], [2.0, 4.0]]), sparse.csr_array([[-1.0, 1.0]]), scale="identity")
    (array([[2.],
           [2.]]), array([ True]), array([False]))
    """
    shape = (W.shape[0], *y.shape[2:])
    out = None if is_lazy(y) else np.empty((len(y), *shape))
    start, ends = 0, _Extremes(shape)
    for block in row_blocks(y, math.prod(shape)):
        sums = ends.add(block, W, scale)
        if out is not None:
            out[start : start + len(block)] = np.moveaxis(sums, 0, 1)
        start += len(block)
    found = by_block(y, _weighted_sums_of_block, W=W, scale=scale) if out is None else out
    if out is None:
        remember_extremes(found, ends.least, ends.most)
    constant = ends.low <= ends.high
    return found, constant, constant & (ends.low <= 0) & (ends.high >= 0)


class _Extremes:
    """Running extremes of weighted sums, and the intersection of their rounding intervals, shape ``(K, ...)``."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.least, self.high = np.full(shape, np.inf), np.full(shape, np.inf)
        self.most, self.low = np.full(shape, -np.inf), np.full(shape, -np.inf)

    def add(self, block: Array, W: sparse.csr_array, scale: str) -> Array:
        """Add outcomes of some units, ``(b, A, ...)``; return their sums, ``(K, b, ...)``."""
        y, bound = transform_with_bound(block, scale=scale)
        sums, within = sums_over_arms(W, y), sums_over_arms(abs(W), bound)
        np.minimum(self.least, sums.min(axis=1), out=self.least)
        np.maximum(self.most, sums.max(axis=1), out=self.most)
        np.minimum(self.high, (sums + within).min(axis=1), out=self.high)
        np.maximum(self.low, (sums - within).max(axis=1), out=self.low)
        return sums


def _weighted_sums_of_block(block: Array, *, W: sparse.csr_array, scale: str) -> Array:
    return np.ascontiguousarray(np.moveaxis(sums_over_arms(W, transform(block, scale=scale)), 0, 1))


def sums_over_arms(W: sparse.csr_array, x: Array) -> Array:
    """Return weighted sums over arms, ``(K, n, ...)``, of numbers ``(n, A, ...)``.

    Examples
    --------
    >>> sums_over_arms(sparse.csr_array([[-1.0, 1.0]]), np.array([[1.0, 3.0], [2.0, 5.0]]))
    array([[2., 3.]])
    """
    by_arm = np.moveaxis(x, 1, 0)
    return np.asarray(W @ by_arm.reshape(len(by_arm), -1)).reshape(W.shape[0], *by_arm.shape[1:])


def cell_interactions(
    outcomes: xr.Dataset, cells: Cells, *, scale: Scale = "identity", ceiling: float | None = None
) -> xr.Dataset:
    """Return the interaction of two interventions in each of many 2 x 2 factorials, which may share arms.

    For each cell this is ``cg.contrast(outcomes, interaction=[first, second], scale=scale)``: AB - A - B + 0, or the
    interaction on a scale of means. A is the first intervention, the divisor of ``"bpnet"``.

    Parameters
    ----------
    outcomes
        Of a crossover.
    cells
        Cell -> names of its arms: neither, second alone, first alone, both.
    scale, ceiling
        As in `contrast`.

    Returns
    -------
    Dataset
        Effects, as `contrast` gives them, with a contrast for each cell (no ``weight`` on the scales of four means).

    Raises
    ------
    ContrastError
        If the scale is impossible for the outcomes, or divides by a mean that is not positive.

    Examples
    --------
    >>> y = np.array([[1.0, 2.0, 3.0, 9.0, 4.0], [1.0, 2.0, 5.0, 11.0, 8.0]])
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), y[:, :, None])},
    ...     coords={"arm": ["0", "B", "A", "AB", "AB far"], "task": ["K562"]},
    ... )
    >>> cells = {"near": ("0", "B", "A", "AB"), "far": ("0", "B", "A", "AB far")}
    >>> cell_interactions(outcomes, cells, scale="bpnet")["ice"].mean("unit").values.ravel()
    array([2.25, 1.25])
    """
    if scale not in OF_MEANS or scale in _BY_WEIGHTS:
        rows = {name: {both: 1.0, a: -1.0, b: -1.0, none: 1.0} for name, (none, b, a, both) in cells.items()}
        return contrast(outcomes, contrasts=rows, scale=scale)
    validate(outcomes, "outcomes")
    on = measured_on(outcomes)
    check_scale_of_means(scale, ceiling, ("first", "second"), "arm" in outcomes["outcome"].dims, on)
    names = list(map(str, outcomes["arm"].to_numpy()))
    place = {name: i for i, name in enumerate(names)}
    columns = [[place[arm] for arm in arms] for arms in cells.values()]
    y = outcomes["outcome"].transpose("unit", "arm", ...)
    values, bound = (np.asarray(x)[:, columns] for x in on_scale(y, "identity", on))
    values, bound = (np.moveaxis(x, 2, 0) for x in (values, bound))
    found = of_four_means(values, bound, function_of_four_means(scale, ceiling), scale)
    shell = y.isel(arm=np.zeros(len(cells), int)).drop_vars("arm", errors="ignore")
    effects = xr.Dataset(effect_variables(_by_cell(found), shell, OF_MEANS[scale], {}), attrs=outcomes.attrs)
    coords = {str(name): c.variable for name, c in outcomes.coords.items() if c.dims == ("unit",)}
    effects = effects.assign_coords(contrast=list(cells), **coords)
    weights = {name: {arms[3]: 1.0} for name, arms in cells.items()}
    effects.attrs |= effect_attrs(outcomes, weights, scale, "crossover", None, ("first", "second"))
    return validate(annotate(effects), "effects")


def _by_cell(found: Expansion) -> Expansion:
    """Return an expansion (1, n, C, ...) of C cells as one of C functions, (C, n, ...)."""
    parts = (found.influence, found.denominator, found.bound)
    influence, below, bound = (None if x is None else np.moveaxis(x[0], 1, 0) for x in parts)
    assert influence is not None
    assert bound is not None
    return Expansion(found.value[0], influence, below, bound)
