"""Verdicts of a trial that stopped itself: by the confidence sequence that watched it, not by a test at its end."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.schema import annotate

_OF_ONE_LOOK = ("lfsr", "p_rope", "p_above", "p_below", "local_error", "q", "raw")
_ROUNDING = 1e-9


def watched_by_sequence(outcomes: xr.Dataset, estimates: xr.Dataset) -> bool:
    """Return whether a confidence sequence watched just these effects: `Decided`, on the same contrasts and tasks.

    The middle of its last interval is then the estimate itself, so another control or scale is found out.

    Examples
    --------
    >>> watched_by_sequence(xr.Dataset(), xr.Dataset())
    False
    """
    if "look_counts" not in outcomes or "ace" not in estimates:
        return False
    last, ace = outcomes.isel(look=-1), estimates["ace"]
    dims = last["look_lower"].dims
    if set(dims) != set(ace.dims) or any(last[d].to_numpy().tolist() != ace[d].to_numpy().tolist() for d in dims):
        return False
    middle = (last["look_lower"] + last["look_upper"]).transpose(*ace.dims).to_numpy() / 2
    width = (last["look_upper"] - last["look_lower"]).transpose(*ace.dims).to_numpy()
    return bool(np.all(np.abs(middle - ace.to_numpy()) <= _ROUNDING * (np.abs(middle) + width)))


def by_sequence(decisions: xr.Dataset, outcomes: xr.Dataset) -> xr.Dataset:
    """Return decisions with the intervals and verdicts of the confidence sequence that watched the trial.

    A test at the end of a trial whose length its own outcomes decided does not have the error that it states. The
    sequence's interval holds at every look, and so at the last one, with the probability ``interval_level`` for all
    effects together, which is also the error of the verdicts: none has one of its own.

    Parameters
    ----------
    decisions
        Of the same effects (`watched_by_sequence`), with the regions that are asked.
    outcomes
        Of a trial with ``until=Decided(...)``.
    """
    last, dims = outcomes.isel(look=-1), decisions["ace"].dims
    lower, upper = (last[f"look_{name}"].transpose(*dims).to_numpy() for name in ("lower", "upper"))
    low, high = decisions["rope_lower"].to_numpy(), decisions["rope_upper"].to_numpy()
    level = float(outcomes.attrs["until_level"])
    claims = [upper < low, (low < lower) & (upper < high), lower > high]
    counts = bool(last["look_counts"].item())
    verdict = np.select([c & counts for c in claims], ["decreases", "negligible", "increases"], "undecided")
    columns = {
        "verdict": verdict,
        "lower": lower,
        "upper": upper,
        "interval_level": np.full(lower.shape, level),
        "missed_share": np.full(lower.shape, float(outcomes.attrs["until_missed"])),
        "more_units": np.where(verdict != "undecided", -1, decisions["more_units"].to_numpy()),
    }
    out = decisions.drop_vars([name for name in _OF_ONE_LOOK if name in decisions])
    said = {"evidence": "confidence sequence", "error": "sequence", "level": level}
    return annotate(out.assign({name: (dims, values) for name, values in columns.items()}).assign_attrs(said))
