"""Sequences: letters, tokens, records, motifs; numpy only at this door.

The random samplers are numba code and are imported by whoever draws: `causalgia.sequences.samplers` (uniform,
profile, Markov chains), `causalgia.sequences.klet` (exact k-let shuffles) and the counter-based generator under them,
`causalgia.sequences.random`.
"""

from __future__ import annotations

from causalgia.sequences.alphabet import decode, encode, one_hot, reverse_complement, tokens
from causalgia.sequences.motifs import Motif, read_motifs
from causalgia.sequences.records import Sequences, from_bed, read_fasta

__all__ = [
    "Motif",
    "Sequences",
    "decode",
    "encode",
    "from_bed",
    "one_hot",
    "read_fasta",
    "read_motifs",
    "reverse_complement",
    "tokens",
]
