"""Counts in: barcode tables read, looked at, filtered, normalised and summed up as activities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.exports import on_first_use

if TYPE_CHECKING:
    from causalgia.mpra.counting.activities import activity
    from causalgia.mpra.counting.aggregating import aggregate, calls
    from causalgia.mpra.counting.filtering import filter
    from causalgia.mpra.counting.looking import quality
    from causalgia.mpra.counting.reading import read_counts
    from causalgia.mpra.counting.simulating import simulate
    from causalgia.mpra.counting.splitting import split_duplicates
    from causalgia.mpra.counting.tables import counts_of
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "activity",
    "aggregate",
    "calls",
    "counts_of",
    "filter",
    "quality",
    "read_counts",
    "simulate",
    "split_duplicates",
]
