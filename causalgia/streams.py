"""Randomness that belongs to a unit: a root key from `rng=`, then a key for each purpose.

A draw is a function of (root key, purpose, unit id, counter) and of nothing else, so results do not depend
on batch size, order, workers or on which other arms exist, and the first 100 units of a 1,000-unit trial are
the 100-unit trial. The counter-based generator itself (SplitMix64) lives with the kernels in `sequences`.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np

from causalgia.errors import RandomnessError, quoted

RNG: TypeAlias = "int | np.integer | np.random.Generator | np.random.SeedSequence"


def root_key(rng: RNG) -> int:
    """Return the 64-bit key that everything random in one call descends from.

    An integer (0 is a seed like any other) or a `SeedSequence` always gives the same key; a `Generator` is
    advanced by one draw, so that two calls with the same Generator differ.

    Raises
    ------
    RandomnessError
        If `rng` is None, a bool or anything else: randomness is never hidden.

    Examples
    --------
    >>> root_key(0) == root_key(0), root_key(0) == root_key(1)
    (True, False)
    """
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(0, 2**64, dtype=np.uint64))
    if isinstance(rng, np.random.SeedSequence):
        return int(rng.generate_state(1, np.uint64)[0])
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool) and 0 <= rng < 2**256:
        return int(np.random.SeedSequence(int(rng)).generate_state(1, np.uint64)[0])
    msg = "rng= takes a non-negative int (below 2^256), a numpy Generator or a SeedSequence"
    msg = f"{msg}, not {quoted(rng)}; for example rng=0"
    raise RandomnessError(msg)


def derive(key: int, *purpose: str | int) -> int:
    """Return the 64-bit key of a purpose under `key`: equal purposes get equal keys, others unrelated ones.

    Examples
    --------
    >>> derive(7, "null") != derive(7, "assignment")
    True
    """
    text = "\x1f".join([str(key), *map(str, purpose)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
