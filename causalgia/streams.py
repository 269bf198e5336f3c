"""Keyed random streams: each unit's draws depend on the seed, the purpose and the unit
alone.

A draw is a function of (root key, purpose, unit id, counter). Results therefore do not
depend on batch size, order, workers or the other arms, and the first 100 units of a
1,000-unit trial equal the 100-unit trial. The counter-based generator (SplitMix64) is
in `sequences`.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np

from causalgia.checks import is_whole
from causalgia.errors import RandomnessError, quoted

RNG: TypeAlias = "int | np.integer | np.random.Generator | np.random.SeedSequence"


def root_key(rng: RNG) -> int:
    """Return the 64-bit root key of all random draws of one call.

    An integer (0 is a valid seed) or a `SeedSequence` always gives the same key. A
    `Generator` is advanced by one draw, so two calls with the same Generator differ.

    Raises
    ------
    RandomnessError
        If `rng` is anything else, such as None or a bool: a seed must be explicit.

    Examples
    --------
    >>> root_key(0) == root_key(0), root_key(0) == root_key(1)
    (True, False)
    """
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(0, 2**64, dtype=np.uint64))
    if isinstance(rng, np.random.SeedSequence):
        return int(rng.generate_state(1, np.uint64)[0])
    if is_whole(rng) and 0 <= rng < 2**256:
        return int(np.random.SeedSequence(int(rng)).generate_state(1, np.uint64)[0])
    raise RandomnessError(
        argument="rng",
        need="takes a non-negative int (below 2^256), a numpy Generator or a "
        f"SeedSequence, not {quoted(rng)}",
        example=0,
    )


def derive(key: int, *purpose: str | int) -> int:
    """Return the 64-bit key of a purpose under `key`; different purposes have
    independent keys.

    Examples
    --------
    >>> derive(7, "null") != derive(7, "assignment")
    True
    """
    text = "\x1f".join([str(key), *map(str, purpose)])
    return int.from_bytes(
        hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"
    )
