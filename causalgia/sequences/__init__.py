"""Sequences: letters, tokens, records, variants, motifs and their instances; imports
numpy only.

The random samplers are numba code and are imported where they are used:
`causalgia.sequences.samplers` (uniform, profile, Markov chains),
`causalgia.sequences.shuffles` (exact k-let shuffles) and the counter-based generator
under them, `causalgia.sequences.random`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.lazy_names import on_first_use

if TYPE_CHECKING:
    from causalgia.sequences.alphabet import (
        decode,
        encode,
        one_hot,
        reverse_complement,
        tokens,
    )
    from causalgia.sequences.fasta import (
        Sequences,
        from_bed,
        middle_windows,
        read_fasta,
    )
    from causalgia.sequences.motif_names import motif
    from causalgia.sequences.motif_scores import (
        Instances,
        find_instances,
        strength_ladder,
    )
    from causalgia.sequences.motifs import Motif, Seqlets, read_motifs
    from causalgia.sequences.pattern_files import read_patterns
    from causalgia.sequences.sequence_files import read_sequences
    from causalgia.sequences.shuffles import log_degeneracy
    from causalgia.sequences.variant_files import (
        Variant,
        read_variants,
        read_vcf,
        split_by_genome,
    )
    from causalgia.sequences.windowed_variants import VariantWindows, variant_windows
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Instances",
    "Motif",
    "Seqlets",
    "Sequences",
    "Variant",
    "VariantWindows",
    "decode",
    "encode",
    "find_instances",
    "from_bed",
    "log_degeneracy",
    "middle_windows",
    "motif",
    "one_hot",
    "read_fasta",
    "read_motifs",
    "read_patterns",
    "read_sequences",
    "read_variants",
    "read_vcf",
    "reverse_complement",
    "split_by_genome",
    "strength_ladder",
    "tokens",
    "variant_windows",
]
