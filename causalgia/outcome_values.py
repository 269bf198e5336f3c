"""Outcomes that say whether they are those that were measured: attributes about values,
as their scale, hold for these alone.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.attributes import About, about, attributes, has

CHANGED = "unknown scale (outcomes changed)"


def with_first_unit(outcomes: xr.Dataset) -> xr.Dataset:
    """Return outcomes with those of the first unit beside them, and its name; as a
    coordinate, which arithmetic leaves alone.
    """
    own = outcomes["outcome"].variable.isel(unit=0).copy()
    name = str(outcomes["unit"].to_numpy()[0])
    return outcomes.assign_coords(
        first_outcome=xr.Variable(own.dims, own.data)
    ).assign_attrs(attributes(first_unit=name))


def as_measured(outcomes: xr.Dataset) -> xr.Dataset:
    """Return outcomes as they are, or without their scale and rounding error where the
    values of the first unit are others than were measured.
    """
    if "first_outcome" not in outcomes or not has(outcomes).first_unit:
        return outcomes
    changed = is_first_unit(outcomes) is False
    outcomes = (
        outcomes.drop_vars("first_outcome")
        .drop_attrs(deep=False)
        .assign_attrs(
            {k: v for k, v in outcomes.attrs.items() if k != About.first_unit.name}
        )
    )
    if not changed:
        return outcomes
    lost = ["answer_floor", "task_scale"]
    return outcomes.drop_vars(lost, errors="ignore").assign_attrs(
        attributes(scale=CHANGED)
    )


def n_selected(found: xr.Dataset) -> int | None:
    """Return how many units of those that a trial drew are left, None where all are or
    their number is not known.

    Examples
    --------
    >>> drawn = xr.Dataset(coords={"unit": range(5)}, attrs={"n_drawn": 5})
    >>> n_selected(drawn), n_selected(drawn.isel(unit=slice(3)))
    (None, 3)
    """
    here = about(found, None)
    if not found.sizes.get("unit") or here.n_drawn is None:
        return here.n_selected
    n = len(np.unique(found["unit"].to_numpy()))
    return n if n < here.n_drawn else None


def selection(found: xr.Dataset) -> dict[str, int]:
    """Return as an attribute how many of the units drawn are left, if some are not."""
    n = n_selected(found)
    return {} if n is None else attributes(n_selected=n)


def is_first_unit(outcomes: xr.Dataset) -> bool | None:
    """Return whether the outcomes of the first unit are those that were measured; None
    if that unit is not among them.
    """
    name, kept = about(outcomes).first_unit, outcomes["first_outcome"]
    found = np.flatnonzero(outcomes["unit"].to_numpy().astype(str) == name)
    if not found.size:
        return None
    own = outcomes["outcome"].isel(unit=int(found[0]))
    if set(own.dims) != set(kept.dims):
        return None
    now, then = (x.transpose(*kept.dims).to_numpy() for x in (own, kept))
    return bool(np.allclose(now, then, rtol=1e-6, atol=0, equal_nan=True))
