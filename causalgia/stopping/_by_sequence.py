"""Verdicts of a trial with a stopping rule, from the confidence sequence that monitored it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from causalgia.schema import annotate

_OF_ONE_LOOK = ("lfsr", "p_rope", "p_above", "p_below", "local_error", "q", "raw")
_ROUNDING = 1e-9


def watched_by_sequence(outcomes: xr.Dataset, estimates: xr.Dataset) -> bool:
    """Return whether a confidence sequence (`Decided`) monitored these effects: the same contrasts and tasks.

    The middle of its last interval is then the estimate, which distinguishes another control or scale.

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
    """Return decisions with the intervals and verdicts of the confidence sequence that monitored the trial.

    A test at the end of a trial whose length depended on its outcomes does not have its nominal error rate. The
    intervals of the sequence hold at every look, and so at the last one, with probability ``interval_level`` for all
    effects together; the verdicts have this error jointly and none of their own.

    Parameters
    ----------
    decisions
        Of the same effects (`watched_by_sequence`), with their regions.
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
    attrs = {"evidence": "confidence sequence", "error": "sequence", "level": level}
    return annotate(out.assign({name: (dims, values) for name, values in columns.items()}).assign_attrs(attrs))
