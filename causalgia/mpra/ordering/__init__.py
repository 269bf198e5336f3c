"""A library that is ordered: barcodes, rules, repaired units, controls and the report."""

from __future__ import annotations

from causalgia.mpra.ordering.making import library
from causalgia.mpra.ordering.reporting import report

__all__ = ["library", "report"]
