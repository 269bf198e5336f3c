"""Assignment of units to arms in a parallel trial: permuted groups of all arms, inside blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import DesignError
from causalgia.streams import derive


def check_blocks(labels: NDArray[Any] | None, *, n_units: int, n_arms: int) -> None:
    """Raise DesignError if units cannot be randomized inside the blocks, one label for each unit."""
    if n_units < n_arms:
        raise DesignError(f"parallel: {n_units} units cannot fill {n_arms} arms; raise n_units or drop arms")
    if labels is None:
        return
    if labels.shape != (n_units,):
        raise DesignError(f"blocks= must be None, 'parent', or {n_units} labels, one for each unit; not {labels.shape}")
    names, sizes = np.unique(labels, return_counts=True)
    if sizes.min() < n_arms:
        label, size = names[sizes.argmin()], sizes.min()
        raise DesignError(f"block {label!s} has {size} units for {n_arms} arms; every block must hold every arm")


def assign(blocks: NDArray[Any], *, n_arms: int, key: int) -> NDArray[np.int64]:
    """Return the arm index of each unit: inside each block, arms are assigned in permuted groups of `n_arms`.

    Each group of `n_arms` units of a block gets every arm once, in an order drawn from the group's own stream; so
    arms are balanced to within one unit, and a longer trial keeps the assignment of a shorter one.

    Parameters
    ----------
    blocks
        Block label of each unit, (n,).
    n_arms
        Number of arms.
    key
        Root key of the trial.

    Returns
    -------
    ndarray
        (n,) indices of arms.

    Examples
    --------
    >>> sorted(assign(np.zeros(3, np.int64), n_arms=3, key=1).tolist())
    [0, 1, 2]
    """
    from causalgia.sequences.random import random_words

    arms = np.empty(len(blocks), np.int64)
    for block in np.unique(blocks):
        members = np.flatnonzero(blocks == block)
        groups = np.arange(-(-len(members) // n_arms), dtype=np.uint64)
        stream = derive(key, "assignment", str(block))
        order = np.argsort(random_words(stream, groups, n_arms), axis=1, kind="stable")
        arms[members] = order.reshape(-1)[: len(members)]
    return arms
