"""What all units of a null model share: worked out once, since units are drawn some at a time.

It is kept beside the null model and not in it, so that a null model that is sent elsewhere takes its sequences alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from causalgia.design.null_model import FromParents, FromSequences
    from causalgia.sequences.markov import MarkovChain


@lru_cache(maxsize=2)
def frequencies(null: FromSequences) -> NDArray[np.float64]:
    """Return the base frequencies of the given sequences by position, (length, 4)."""
    from causalgia.sequences.samplers import fit_profile

    return _constant(fit_profile(null.parents_given.tokens))


@lru_cache(maxsize=2)
def chain(null: FromSequences, order: int) -> MarkovChain:
    """Return the Markov chain of the given sequences."""
    from causalgia.sequences.markov import fit_markov

    return fit_markov(null.parents_given.tokens, order)


@lru_cache(maxsize=2)
def first_alike(null: FromParents) -> NDArray[np.int64]:
    """Return for each given sequence the first one that has the same dinucleotide counts, (n,)."""
    from causalgia.sequences.composition import first_of_equal_dinucleotides

    return _constant(first_of_equal_dinucleotides(null.parents_given.tokens))


@lru_cache(maxsize=2)
def parent_labels(null: FromParents) -> NDArray[Any]:
    """Return the parent of each given sequence, (n,)."""
    return _constant(np.asarray(null.parent_names))


@lru_cache(maxsize=2)
def random_order(n: int, key: int) -> NDArray[np.int64]:
    """Return a random order of n sequences, of which a trial takes the first part."""
    from causalgia.sequences.random import random_words

    return _constant(np.argsort(random_words(key, np.arange(n, dtype=np.uint64), 1)[:, 0], kind="stable"))


def _constant(values: NDArray[Any]) -> NDArray[Any]:
    values.setflags(write=False)
    return values
