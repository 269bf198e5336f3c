"""Interactions in many 2 x 2 factorials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import xarray as xr

from causalgia.effects._contrast import contrast
from causalgia.effects.functions_of_means import (
    Expansion,
    check_scale_of_means,
    effect_variables,
    function_of_four_means,
    of_four_means,
)
from causalgia.effects.labels import effect_attrs, measured_on
from causalgia.effects.scales import OF_MEANS, Scale, on_scale
from causalgia.schema import annotate, validate

Cells: TypeAlias = Mapping[str, tuple[str, str, str, str]]
"""Cell -> its arms: neither, second alone, first alone, both."""
_BY_WEIGHTS = ("log_of_means", "ratio")


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
