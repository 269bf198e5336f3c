"""Along what the effect of a motif changes: GC, which is set where the effect is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia import experiments
from causalgia._audit.rules import Sites
from causalgia._audit.tested_motifs import judged
from causalgia.choices import DIRECTIONS
from causalgia.design import NullModel
from causalgia.experiments import Experiment
from causalgia.experiments._composition import GC
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.ropes import Ends
from causalgia.sequences import Motif
from causalgia.types import Array, Tokens

AROUND, WHOLE = "GC of the 20 bases on each side", "GC of the sequence"
COLUMNS = (
    *("motif", "task", "along", "change", "lower", "upper", "verdict", "q", "holds"),
    *(f"at {100 * level:g} %" for level in GC),
)
_FLANK = 20


def trial_along(motif: Motif, null: NullModel, *, n_units: int) -> Experiment:
    """Return the trial of a motif in random sequences of each GC, minus its letters in
    another order.
    """
    return experiments.composition(null, motif, n_units=n_units, rope=0)


def rows_along(
    label: str, trial: Experiment, effects: xr.Dataset, region: Mapping[str, Ends]
) -> pd.DataFrame:
    """Return, by task, how the effect of a motif changes from the lowest GC to the
    highest, and what it is at each.
    """
    slope = trial.asked[-1]
    of = slope.rpartition(", ")[0]
    decided = judged(effects.sel(contrast=[slope]), region).isel(contrast=0)
    names = [f"{of} at GC {100 * level:g} %" for level in GC]
    curve = effects["ice"].sel(contrast=names).mean("unit")
    directed = np.isin(decided["verdict"].to_numpy(), DIRECTIONS)
    return pd.DataFrame(
        {
            "motif": label,
            "task": decided["task"].to_numpy(),
            "change": decided["ace"].to_numpy(),
            "lower": decided["lower"].to_numpy(),
            "upper": decided["upper"].to_numpy(),
            "verdict": decided["verdict"].to_numpy(),
            "p": np.where(directed, decided["p_verdict"].to_numpy(), 1.0),
        }
        | {
            column: curve.sel(contrast=name).to_numpy()
            for column, name in zip(COLUMNS[-len(GC) :], names, strict=True)
        }
    )


def table_along(
    rows: Sequence[pd.DataFrame], sites: pd.DataFrame, names: Sequence[str], of: Tokens
) -> pd.DataFrame:
    """Return the rows with q over all of them, whether each holds, and of which bases the
    GC goes with what the sites in named sequences lose.
    """
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.concat(rows, ignore_index=True)
    table["q"] = stepwise(table.pop("p").to_numpy(float), "bh")
    table["holds"] = table["verdict"].isin(DIRECTIONS) & (table["q"] <= 0.05)
    row_of = {name: k for k, name in enumerate(names)}
    table["along"] = [
        _nearest(row, sites[sites["motif"] == row["motif"]], row_of, of)
        if len(sites)
        else AROUND
        for row in table.to_dict("records")
    ]
    return table[list(COLUMNS)]


def _nearest(
    row: Mapping[Any, Any], sites: pd.DataFrame, row_of: Mapping[str, int], of: Tokens
) -> str:
    lost = sites[f"lost, {row['task']}"].to_numpy(float)
    at = np.array([row_of[name] for name in sites["sequence"]], int)
    start, stop = (sites[name].to_numpy(int) for name in ("start", "stop"))
    fits = {
        along: np.square(_curve(row, _gc(of, at, start, stop, along)) + lost).sum()
        for along in (AROUND, WHOLE)
    }
    return min(fits, key=lambda along: fits[along])


def _gc(tokens: Tokens, row: Array, start: Array, stop: Array, along: str) -> Array:
    """Return the GC of the bases beside sites, or of the sequences they are in."""
    strong = np.isin(tokens, (1, 2)).cumsum(axis=1)
    strong = np.column_stack([np.zeros(len(tokens), int), strong])
    length = tokens.shape[1]
    flank = _FLANK if along == AROUND else length
    first, last = np.maximum(start - flank, 0), np.minimum(stop + flank, length)
    inside = strong[row, stop] - strong[row, start]
    n = strong[row, last] - strong[row, first] - inside
    share: Array = n / np.maximum(last - first - (stop - start), 1)
    return share


def _curve(row: Mapping[Any, Any], gc: Array) -> Array:
    """Return the effect of a motif at each GC, as measured."""
    effects = [row[column] for column in COLUMNS[-len(GC) :]]
    return np.asarray(np.interp(gc, GC, effects))


def features_along(
    along: pd.DataFrame, sites: Mapping[str, Sites], tokens: Tokens
) -> Array:
    """Return the sum over the sites of each sequence of what the motif does at the GC
    there, a column a motif and task that holds, (n, p).
    """
    columns: list[Array] = [np.zeros((len(tokens), 0))]
    for row in along[along["holds"].astype(bool)].to_dict("records"):
        if (own := sites.get(row["motif"])) is None:
            continue
        stop = own.start + own.width
        effects = _curve(row, _gc(tokens, own.row, own.start, stop, row["along"]))
        total = np.bincount(own.row, effects, len(tokens)).astype(float)
        columns.append(total[:, None])
    return np.concatenate(columns, axis=1)
