"""Barcode counts: read, simulate, check, filter, aggregate and turn into activities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.mpra.counts._activity import activity, aggregate
    from causalgia.mpra.counts._noise_model import NoiseModel, simulate
    from causalgia.mpra.counts._quality import quality
    from causalgia.mpra.counts._read_counts import read_counts
    from causalgia.mpra.counts.active_calls import calls
    from causalgia.mpra.counts.barcodes import filter, split_duplicates
    from causalgia.mpra.counts.counts_table import counts_of
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "NoiseModel",
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
