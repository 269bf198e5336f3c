"""`against_trial`: sites whose substitutions change less than their average effect in a trial says."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from causalgia.attribution._contributions import contributions
from causalgia.attribution.aligned_average import find_aligned
from causalgia.errors import AttributionError, quoted
from causalgia.schema import annotate, validate
from causalgia.sequences import Instances, Motif
from causalgia.types import Array

SATURATED, REDUNDANT = 0.25, 0.05


def against_trial(
    attributions: xr.Dataset,
    estimates: xr.Dataset,
    align: str | Motif | Instances | ArrayLike,
    *,
    contrast: str | None = None,
    width: int | None = None,
    threshold: float | None = None,
    both_strands: bool = True,
) -> xr.Dataset:
    """Compare what a site does in each sequence, by single substitutions, with its average effect in a trial.

    A substitution sees what a site adds to the rest of its sequence: next to nothing where another site does the same
    (an OR gate), and a part where copies saturate. Such sites look unimportant on a map, and are flagged.

    Parameters
    ----------
    attributions
        From ``cg.attribute(..., method="ism")``.
    estimates
        From `causalgia.estimate` or `causalgia.decide`: the effect of the site alone, such as of an arm that embeds it
        in backgrounds.
    align, width, threshold, both_strands
        Where the sites are, as in `causalgia.attribution.average`.
    contrast
        The contrast of that effect; by default the only one.

    Returns
    -------
    Dataset
        ``largest_contribution, average_effect, share (site, task[, model])``, and ``flag``: ``"redundant"`` where the
        largest contribution of a position of the site is below 5 % of the effect, ``"saturated"`` below 25 %, both for
        every effect in the interval of the trial; ``"no effect"`` where that interval holds 0; else ``""``. Coordinates
        ``unit``, ``start`` and ``strand`` say where each site is.

    Raises
    ------
    AttributionError
        If the maps are not by substitutions, there is no site, the contrast is unknown, or tasks differ.
    OutcomesError
        If a Dataset is of another kind.

    Notes
    -----
    The contribution is that of the one position which counts most, in the direction of the effect: all of the effect
    for a site that any substitution breaks. Where many bases share an effect equally, none has much of it, and the site
    is flagged though nothing else acts: compare the share with that of the site alone in a background, or look for
    what acts in its place: positions where `causalgia.attribution.dfim` of the site has the sign opposite to the
    effect's.

    Examples
    --------
    >>> import causalgia as cg
    >>> import pandas as pd
    >>> gate = cg.zoo.oracle("gated")
    >>> maps = cg.attribute(["AGATAAGG" + "ACAC" * 3 + "CCACACCC"], gate)
    >>> table = {"contrast": ["GATA"] * 3, "task": ["AND", "OR", "sum"], "effect": [0.1, 2.0, 1.0], "se": [0.1] * 3}
    >>> effect = cg.from_effects(pd.DataFrame(table))
    >>> against_trial(maps, effect, "AGATAAGG")["flag"].sel(site=0).values.tolist()
    ['no effect', 'redundant', '']
    """
    validate(attributions, "attributions")
    validate(estimates, "estimates")
    if attributions.attrs.get("method") != "ism":
        raise AttributionError(
            f"maps by {quoted(attributions.attrs.get('method'))} do not say what a substitution changes; give those of "
            "cg.attribute(..., method='ism')"
        )
    names = [str(name) for name in estimates["contrast"].to_numpy()]
    if (contrast is None and len(names) != 1) or (contrast is not None and contrast not in names):
        said = "the estimates have several contrasts" if contrast is None else f"contrast={quoted(contrast)} is not one"
        raise AttributionError(f"{said}; say contrast= one of {', '.join(map(quoted, names[:8]))}")
    effect = estimates.isel(contrast=0 if contrast is None else names.index(contrast))
    tasks = attributions["task"].to_numpy().tolist()
    if lacking := [task for task in tasks if task not in effect["task"].to_numpy().tolist()]:
        raise AttributionError(f"task {quoted(lacking[0])} of the maps is not in the estimates; run the trial on it")
    if not {"lower", "upper"} <= set(effect.variables):
        raise AttributionError("the estimates have no intervals (one unit, or target='units'); run more units")
    found = find_aligned(attributions, align, width=width, threshold=threshold, both_strands=both_strands)
    if not len(found):
        raise AttributionError("no site in these sequences; give maps of sequences that have one")
    of_position = contributions(attributions).to_numpy()
    dims = ("task", *(("model",) if "model" in attributions["score"].dims else ()))
    ace, lower, upper = (
        _like_maps(effect[name].sel(task=tasks), attributions, dims) for name in ("ace", "lower", "upper")
    )
    at_sites = of_position[found.row[:, None], found.start[:, None] + np.arange(found.width)]
    largest = (at_sites * np.sign(ace)).max(axis=1)
    has_effect = lower * upper > 0
    least = np.minimum(np.abs(lower), np.abs(upper))
    flag = np.select(
        [np.broadcast_to(~has_effect, largest.shape), largest < REDUNDANT * least, largest < SATURATED * least],
        ["no effect", "redundant", "saturated"],
        "",
    )
    shape = largest.shape
    share = np.divide(largest, np.abs(ace), out=np.zeros(shape), where=np.broadcast_to(ace != 0, shape))
    columns: dict[str, Any] = {
        "largest_contribution": largest * np.sign(ace),
        "average_effect": np.broadcast_to(ace, shape).copy(),
        "share": share,
        "flag": flag,
    }
    coords: dict[str, Any] = {name: attributions[name].to_numpy() for name in dims}
    coords |= {
        "site": np.arange(len(found)),
        "unit": ("site", attributions["unit"].to_numpy()[found.row]),
        "start": ("site", found.start),
        "strand": ("site", found.strand),
    }
    attrs = {
        name: attributions.attrs[name] for name in ("scale", "predictor", "sequences") if name in attributions.attrs
    }
    made = {name: (("site", *dims), values) for name, values in columns.items()}
    return validate(annotate(xr.Dataset(made, coords, attrs)), "sites")


def _like_maps(values: xr.DataArray, maps: xr.Dataset, dims: tuple[str, ...]) -> Array:
    """Return numbers of the trial by task, and by model if the maps have members: those of the same name, or one."""
    if "model" in values.dims and "model" not in dims:
        raise AttributionError(
            "the estimates have the dim 'model' and the maps have one network; take one: .isel(model=0)"
        )
    if "model" in values.dims:
        known = values["model"].to_numpy().tolist()
        if lacking := [name for name in maps["model"].to_numpy().tolist() if name not in known]:
            raise AttributionError(
                f"member {quoted(lacking[0])} of the maps is not in the estimates; run the same ones"
            )
        values = values.sel(model=maps["model"].to_numpy())
    elif "model" in dims:
        values = values.expand_dims(model=maps.sizes["model"], axis=-1)
    return values.transpose(*dims).to_numpy()
