"""Counts in: barcode tables read, looked at, filtered, normalised and summed up as activities."""

from __future__ import annotations

from causalgia.mpra.counting.reading import read_counts
from causalgia.mpra.counting.simulating import simulate
from causalgia.mpra.counting.tables import counts_of

__all__ = ["counts_of", "read_counts", "simulate"]
