"""The bench: a design as an oligo library, its barcode counts, and the virtual trial beside the measured one."""

from __future__ import annotations

from causalgia.mpra.counting import counts_of, read_counts, simulate
from causalgia.mpra.fitting import fit

__all__ = ["counts_of", "fit", "read_counts", "simulate"]
