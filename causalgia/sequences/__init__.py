"""Sequences: letters, tokens, records, variants, motifs and their instances.

The random samplers are numba code and are imported where they are used:
`causalgia.sequences.samplers` (uniform, profile, Markov chains),
`causalgia.sequences.shuffles` (exact k-let shuffles) and the counter-based generator
under them, `causalgia.sequences.random`.
"""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
