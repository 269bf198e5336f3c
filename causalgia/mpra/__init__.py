"""Massively parallel reporter assays: oligo libraries, barcode counts, fits, and
virtual trials of libraries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.mpra.comparisons import (
        concordance,
        prediction_powered,
        virtual_trial,
    )
    from causalgia.mpra.counts import (
        NoiseModel,
        activity,
        calls,
        counts_of,
        filter,
        quality,
        read_counts,
        simulate,
        split_duplicates,
    )
    from causalgia.mpra.fits import average, fit
    from causalgia.mpra.formats import (
        igvf_table,
        read_igvf,
        read_library,
        to_fasta,
        to_igvf,
        variant_tiles,
        vendor_name,
        write_library,
    )
    from causalgia.mpra.libraries import library
    from causalgia.mpra.libraries.barcode_sets import BarcodeRules, barcode_balance
    from causalgia.mpra.libraries.order_plan import Controls
    from causalgia.mpra.libraries.rules import OligoRules
    from causalgia.mpra.planning import (
        PlannedContrast,
        PlannedLibrary,
        cheapest,
        components,
        power,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "BarcodeRules",
    "Controls",
    "NoiseModel",
    "OligoRules",
    "PlannedContrast",
    "PlannedLibrary",
    "activity",
    "average",
    "barcode_balance",
    "calls",
    "cheapest",
    "components",
    "concordance",
    "counts_of",
    "filter",
    "fit",
    "igvf_table",
    "library",
    "power",
    "prediction_powered",
    "quality",
    "read_counts",
    "read_igvf",
    "read_library",
    "simulate",
    "split_duplicates",
    "to_fasta",
    "to_igvf",
    "variant_tiles",
    "vendor_name",
    "virtual_trial",
    "write_library",
]
