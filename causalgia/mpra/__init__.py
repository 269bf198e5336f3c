"""The bench: a design as an oligo library, its barcode counts, and the virtual trial beside the measured one."""

from __future__ import annotations

from causalgia.mpra.comparing.virtual import virtual_trial
from causalgia.mpra.counting import counts_of, read_counts, simulate
from causalgia.mpra.fitting import fit
from causalgia.mpra.ordering import library, report
from causalgia.mpra.ordering.barcoding import BarcodeRules, barcodes
from causalgia.mpra.ordering.barcoding_balance import barcode_balance
from causalgia.mpra.planning import PriceList, cheapest, components, power, read_prices

__all__ = [
    "BarcodeRules",
    "PriceList",
    "barcode_balance",
    "barcodes",
    "cheapest",
    "components",
    "counts_of",
    "fit",
    "library",
    "power",
    "read_counts",
    "read_prices",
    "report",
    "simulate",
    "virtual_trial",
]
