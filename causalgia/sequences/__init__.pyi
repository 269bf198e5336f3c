from .alphabet import (
    decode as decode,
    encode as encode,
    one_hot as one_hot,
    tokens as tokens,
)
from .fasta import (
    from_bed as from_bed,
    middle_windows as middle_windows,
    read_fasta as read_fasta,
)
from .motif_files import read_motifs as read_motifs
from .motif_names import motif as motif
from .motif_scores import find_instances as find_instances
from .motifs import Motif as Motif
from .pattern_files import read_patterns as read_patterns
from .sequence_files import read_sequences as read_sequences
from .variant_files import Variant as Variant, read_variants as read_variants
