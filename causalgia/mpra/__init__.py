"""The bench: a design as an oligo library, its barcode counts, and the virtual trial beside the measured one."""

from __future__ import annotations

from causalgia.mpra.counting import counts_of, read_counts, simulate
from causalgia.mpra.fitting import fit
from causalgia.mpra.ordering.barcoding import BarcodeRules, barcodes
from causalgia.mpra.ordering.barcoding_balance import barcode_balance

__all__ = ["BarcodeRules", "barcode_balance", "barcodes", "counts_of", "fit", "read_counts", "simulate"]
