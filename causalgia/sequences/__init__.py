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
    from causalgia.sequences.alphabet import decode, encode, one_hot, tokens
    from causalgia.sequences.fasta import (
        Sequences as Sequences,
        from_bed,
        middle_windows,
        read_fasta as read_fasta,
    )
    from causalgia.sequences.motif_names import motif as motif
    from causalgia.sequences.motif_scores import (
        Instances as Instances,
        find_instances as find_instances,
        strength_ladder as strength_ladder,
    )
    from causalgia.sequences.motifs import Motif, read_motifs
    from causalgia.sequences.pattern_files import read_patterns as read_patterns
    from causalgia.sequences.sequence_files import read_sequences as read_sequences
    from causalgia.sequences.variant_files import (
        Variant,
        read_variants,
        split_by_genome as split_by_genome,
    )
else:
    __getattr__, __dir__ = on_first_use(__name__)

__all__ = [
    "Motif",
    "Variant",
    "decode",
    "encode",
    "from_bed",
    "middle_windows",
    "one_hot",
    "read_motifs",
    "read_variants",
    "tokens",
]
