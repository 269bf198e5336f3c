"""Interactions of two motifs on every scale, and their text and figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from causalgia.experiments.kit.experiment import TrialResults
from causalgia.experiments.kit.joint_effects import (
    UNDECIDED,
    ScalesTried,
    interactions_in_words,
    is_departure,
    joint_effects,
    pair_in_words,
    scales_tried,
)
from causalgia.experiments.kit.variance import (
    effect_in_words,
)

if TYPE_CHECKING:
    import xarray as xr


_MOST_ON_SCALES = 5_000
"""Interactions, at most, that are tried on further scales where all pairs of many
motifs are asked."""


def interactions_text(
    table: xr.Dataset,
    cells: xr.Dataset,
    found: TrialResults,
    tried: ScalesTried | None = None,
) -> str:
    """Return how many pairs of each kind there are, how many of them are on every
    scale, and the strongest interaction with its kind.
    """
    names = cells["contrast"].to_numpy().astype(str).tolist()
    contrasts: Mapping[str, Mapping[str, float]] = (
        found.experiment.named_contrasts or {}
    )
    kinds = joint_effects(table, contrasts, names)
    departing = [name for name in names if is_departure(kinds[name])]
    if tried is None and len(departing) <= _MOST_ON_SCALES:
        tried = scales_tried(
            found.outcomes, {name: contrasts[name] for name in departing}
        )
    on_scales = "" if tried is None else tried.text(departing, table)
    row = cells.isel(contrast=int(np.abs(cells["ace"].to_numpy()).argmax()))
    strongest = str(row["contrast"].item())
    size = effect_in_words(row)
    if len(names) == 1:
        return f"{strongest} is {kinds[strongest]}{on_scales} (interaction {size})"
    largest = "all estimates are 0, from too few sequences to call them negligible"
    if row["ace"].item() != 0:
        largest = (
            f"the strongest is that of {strongest} ({size}, {kinds[strongest].word})"
        )
    pair = pair_in_words(table)
    of = f"{len(names):,} interactions{pair and f' of {pair}'}"
    if not departing and all(kind.word == UNDECIDED for kind in kinds.values()):
        return f"none of {of} is decided; {largest}"
    return f"of {of}, {interactions_in_words(kinds.values(), on_scales)}; {largest}"
