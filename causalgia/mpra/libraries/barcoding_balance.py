"""Whether what barcodes are made of goes with the arms that carry them: a re-randomisation test of the assignment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import LibraryError
from causalgia.sequences.alphabet import checked_tokens
from causalgia.streams import RNG, derive, root_key

_BASES = 3  # A, C and G: T is what is left of the length


def barcode_balance(
    barcodes: NDArray[np.integer],
    arms: NDArray[np.integer],
    blocks: NDArray[np.integer],
    *,
    repeats: int = 199,
    rng: RNG,
) -> float:
    """Return the p-value of "barcodes were dealt to arms at random within blocks", by dealing them again.

    A barcode has an effect of its own, in part by its composition. Where barcodes are dealt to arms at random within
    blocks, that effect is noise; where they are not, it is bias. The statistic is the sum over arms and over the counts
    of A, C and G of ``n_arm (mean of the arm - expected)^2 / variance``, counts taken from their block's mean. Dealing
    again gives its distribution exactly as the assignment does, so p is at most alpha with probability alpha.

    Parameters
    ----------
    barcodes
        Tokens, shape ``(n, length)``.
    arms
        Arm of each barcode's oligo as a number from 0, shape ``(n,)``.
    blocks
        Within which barcodes were dealt, shape ``(n,)``: a unit, or a set of barcodes within a unit.
    repeats
        How often barcodes are dealt again; the smallest p is ``1 / (repeats + 1)``.
    rng
        Seed, Generator or SeedSequence.

    Returns
    -------
    float
        ``(1 + #{statistic dealt again >= statistic}) / (1 + repeats)``; 1 where no block has two arms.

    Raises
    ------
    LibraryError
        If there is not one arm and one block a barcode, or `repeats` is below 1.

    References
    ----------
    Phipson & Smyth (2010), Permutation p-values should never be zero, doi:10.2202/1544-6115.1585. Lee et al. (2021),
    on the effects of tags in MPRA, Genome Research 31:1638.

    Examples
    --------
    >>> tokens = np.repeat(np.array([[0, 0, 1], [2, 2, 3]], np.uint8), 20, axis=0)
    >>> unit = np.tile(np.arange(20), 2)
    >>> barcode_balance(tokens, np.repeat([0, 1], 20), unit, rng=0)  # one arm has all that begin with A
    0.005
    """
    tokens, arm, block = checked_tokens(barcodes), np.asarray(arms), np.asarray(blocks)
    if tokens.ndim != 2 or arm.shape != (len(tokens),) or block.shape != arm.shape:
        raise LibraryError(
            f"{tokens.shape} tokens, {arm.shape} arms and {block.shape} blocks: give one arm and one block a barcode"
        )
    if repeats < 1:
        raise LibraryError(f"repeats={repeats}: barcodes are dealt again at least once")
    order = np.argsort(block, kind="stable")
    _, number, size = np.unique(block[order], return_inverse=True, return_counts=True)
    counts = np.stack([(tokens[order] == base).sum(axis=1) for base in range(_BASES)], axis=1).astype(float)
    means = np.stack([np.bincount(number, column) for column in counts.T], axis=1) / size[:, None]
    return _p_value(
        counts - means[number], arm[order], number, repeats, np.random.default_rng(derive(root_key(rng), "balance"))
    )


def _p_value(
    off: NDArray[np.float64],
    arm: NDArray[np.integer],
    block: NDArray[np.integer],
    repeats: int,
    dice: np.random.Generator,
) -> float:
    """Return the p-value of arms dealt within blocks; rows stand block by block, counts less their block's mean."""
    weight = np.maximum(np.bincount(arm), 1) * np.maximum(off.var(axis=0), 1e-300)[:, None]

    def statistic(rows: NDArray[np.intp] | slice) -> float:
        sums = np.stack([np.bincount(arm, column) for column in off[rows].T])
        return float((sums**2 / weight).sum())

    seen = statistic(slice(None))
    # what is equal but for rounding counts as equal
    again = sum(statistic(np.argsort(block + dice.random(len(block)))) >= seen * (1 - 1e-9) for _ in range(repeats))
    return (1 + again) / (1 + repeats)
