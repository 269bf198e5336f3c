from ._variant_tiles import VariantTiles as VariantTiles, variant_tiles as variant_tiles
from .igvf import igvf_table as igvf_table, to_igvf as to_igvf
from .orders import (
    read_library as read_library,
    to_csv as to_csv,
    to_fasta as to_fasta,
    write_library as write_library,
)
