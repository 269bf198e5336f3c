"""Counts of a parallel library, in which each element has one arm: who is in which, for averages over elements."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.types import Ints


def parallel_oligos(counts: xr.Dataset, arms: Sequence[str] | None = None) -> Ints | None:
    """Return the oligos (places) of a parallel trial, or None where some element has two arms that are compared.

    Without `arms` these are the oligos of the group ``test``, else those of the arms, but no declared duplicates.

    Examples
    --------
    >>> from causalgia.mpra import simulate
    >>> arms, groups = ["control", "GATA1", "scramble"], ["test", "test", "negative"]
    >>> table = pd.DataFrame({"element": ["u1", "u2", "n1"], "arm": arms, "group": groups, "log2": 0.0})
    >>> counts = simulate(table, rng=0)
    >>> parallel_oligos(counts), parallel_oligos(counts, ["control", "scramble"])
    (array([0, 1]), array([0, 2]))
    """
    arm, group = counts["arm"].to_numpy().astype(str), counts["group"].to_numpy().astype(str)
    chosen = group == "test" if arms is None else np.isin(arm, list(arms)) & (group != "duplicate")
    places = np.flatnonzero(chosen).astype(np.int64)
    elements = pd.Series(counts["element"].to_numpy()[places])
    if elements.duplicated().any() or len(set(arm[places].tolist())) < 2:
        return None
    return places
