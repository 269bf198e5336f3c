"""How the effect of an embedded motif changes with composition and with instances of it
nearby.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from causalgia.attributes import about
from causalgia.design import Genomic
from causalgia.effects.scales import OF_MEANS
from causalgia.experiments.kit.answer import Reading
from causalgia.experiments.kit.experiment import Experiment
from causalgia.notes import Statement
from causalgia.sequences import Motif, find_instances
from causalgia.streams import Seed, derive

if TYPE_CHECKING:
    import xarray as xr

_LEAST_PARENTS = 20  # units from which one speaks of what modifies their effects


@dataclass(frozen=True, eq=False)
class Place:
    """Pattern and place of a knock-in.

    Attributes
    ----------
    pattern
        A string or motif.
    at
        0-based start.
    threshold
        p-value of the lowest score of an instance, as in `find_instances`.
    """

    pattern: str | Motif
    at: int
    threshold: float | None


def moderated_by_neighbors(
    effects: xr.Dataset, design: Experiment, place: Place, *, rows: Sequence[str]
) -> Reading:
    """Return how the effects of some rows change with GC, with the number of instances
    elsewhere, and with the distance to the nearest; sentences on the last row.
    """
    tables = _effect_moderation(_add_neighbor_coordinates(effects, design, place), rows)
    tasks = effects["task"].to_numpy().tolist()
    further = [
        Statement((("neighbors", table.sel(contrast=rows[-1], task=task)),), str(task))
        for task in tasks
        for table in tables.values()
    ]
    return Reading(datasets=tables, further=tuple(further))


def moderated_by_units(effects: xr.Dataset | None, rows: Sequence[str]) -> Reading:
    """Return what moves the individual effects of some rows (`causalgia.moderation`),
    with a sentence where a moderator is named; nothing where none could be.
    """
    from causalgia._moderation import LEAST_CLUSTERS, LEAST_UNITS, moderation

    if effects is None or about(effects, None).transform in OF_MEANS:
        return Reading()
    n_clusters = effects.sizes["unit"]
    if "parent" in effects.coords:
        n_clusters = len(np.unique(effects["parent"].to_numpy()))
    # two sides of two halves
    if effects.sizes["unit"] < 4 * LEAST_UNITS or n_clusters < 4 * LEAST_CLUSTERS:
        return Reading()
    found = moderation(_over_models(effects, rows))
    further = [
        Statement((("moderation", one, str(row)),), str(task))
        for task in found["task"].to_numpy()
        for row in rows
        if (one := found.sel(task=task, contrast=row).squeeze())["named"].item()
    ]
    return Reading(datasets={"moderation": found}, further=tuple(further))


def _over_models(effects: xr.Dataset, rows: Sequence[str]) -> xr.Dataset:
    """Return the individual effects of some rows, the mean over predictors."""
    whole = effects.sel(contrast=list(rows))
    if "model" not in whole.dims:
        return whole
    return whole.assign(ice=whole["ice"].mean("model")).drop_vars(
        ["constant", "zero"], errors="ignore"
    )


def _add_neighbor_coordinates(
    effects: xr.Dataset, design: Experiment, place: Place
) -> xr.Dataset:
    """Add the number of instances elsewhere in each background and the distance to the
    nearest one.
    """
    given, seed = design.drawn, Seed.stored(about(effects, "").rng)
    assert isinstance(given, Genomic)
    if seed is None and design.n_units < given.available:
        return effects  # which sequences were drawn is not known
    rows = given.rows(
        effects["unit"].to_numpy().astype(np.uint64),
        key=0 if seed is None else derive(seed.key, "null"),
        n_units=design.n_units,
    )
    found = find_instances(
        given.parents_given.tokens, place.pattern, threshold=place.threshold
    )
    apart = np.abs(found.start - place.at)
    elsewhere = apart >= found.width
    count = np.bincount(found.row[elsewhere], minlength=len(given.parents_given))
    nearest = np.full(len(count), np.inf)
    np.minimum.at(nearest, found.row[elsewhere], apart[elsewhere])
    return effects.assign_coords(
        neighbors=("unit", count[rows]), distance=("unit", nearest[rows])
    )


def _effect_moderation(
    effects: xr.Dataset, rows: Sequence[str]
) -> dict[str, xr.Dataset]:
    """Return the dependence of effects on GC and neighboring instances, and on the
    distance to the nearest one.
    """
    from causalgia._moderation import moderation

    whole = _over_models(effects, rows)
    near = (
        whole.isel(unit=np.isfinite(whole["distance"]))
        if "distance" in whole.coords
        else whole.isel(unit=[])
    )
    covariates_of = {
        "moderation": (whole, ("gc", "neighbors")),
        "distance": (near, ("distance",)),
    }
    found = {}
    for name, (part, covariates) in covariates_of.items():
        by = [
            name
            for name in covariates
            if name in part.coords and len(np.unique(part[name].to_numpy())) > 1
        ]
        if by and len(set(part["parent"].to_numpy().tolist())) >= _LEAST_PARENTS:
            found[name] = moderation(part, by)
    return found
