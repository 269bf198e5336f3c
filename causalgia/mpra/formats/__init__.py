"""File formats of MPRAs: order files, IGVF tables, library folders, variant tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.mpra.formats._variant_tiles import VariantTiles, variant_tiles
    from causalgia.mpra.formats.igvf import igvf_table, read_igvf, to_igvf
    from causalgia.mpra.formats.orders import (
        read_library,
        to_csv,
        to_fasta,
        write_library,
    )
    from causalgia.mpra.formats.text_tables import given_name, vendor_name
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "VariantTiles",
    "given_name",
    "igvf_table",
    "read_igvf",
    "read_library",
    "to_csv",
    "to_fasta",
    "to_igvf",
    "variant_tiles",
    "vendor_name",
    "write_library",
]
