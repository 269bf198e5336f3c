"""What stands in for "nothing" where bases are taken away: random bases, or the unit's own in another order."""

from __future__ import annotations

import numpy as np

from causalgia.types import Tokens, Units

FILLS = {"uniform": 0, "shuffle": 1, "dinucleotide_shuffle": 2}
"""Each fill that is drawn, and the k of the k-lets of its own that a span keeps."""


def drawn_fill(fill: str, own: Tokens, units: Units, key: int) -> Tokens:
    """Return what stands in for the bases `own`, (n, w) tokens, each row from the stream of its unit.

    Examples
    --------
    >>> own = np.array([[0, 0, 1, 3]], np.uint8)
    >>> np.sort(drawn_fill("shuffle", own, np.arange(1, dtype=np.uint64), 7))
    array([[0, 0, 1, 3]], dtype=uint8)
    """
    if fill == "uniform":
        from causalgia.sequences.samplers import sample_uniform

        return sample_uniform(key, units, own.shape[1])
    return shuffled(own, FILLS[fill], units, key)


def shuffled(own: Tokens, k: int, units: Units, key: int) -> Tokens:
    """Return an arrangement of each row of `own`, (n, w), that keeps its k-lets."""
    from causalgia.sequences.shuffles import klet_shuffle

    return klet_shuffle(key, units, np.ascontiguousarray(own), k)
