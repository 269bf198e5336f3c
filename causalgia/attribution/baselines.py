"""Baselines of a map: sequences drawn from a null model for each sequence that is explained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.design import DinucleotideShuffle, KletShuffle, NullModel
from causalgia.errors import AttributionError, quoted
from causalgia.schema import validate
from causalgia.sequences.fasta import Sequences, as_sequences
from causalgia.types import Tokens

#: draws baselines: rows of the sequences and numbers of the draws, each (m,), to tokens (m, length)
Draw = Callable[[NDArray[np.int64], NDArray[np.int64]], Tokens]


def as_explained(sequences: Any) -> Sequences:
    """Return sequences of any source, or of a Dataset that a null model drew, whose units are their names."""
    import xarray as xr

    if not isinstance(sequences, xr.Dataset):
        return as_sequences(sequences)
    drawn = validate(sequences, "sequences")
    return Sequences(drawn["sequence"].to_numpy(), tuple(map(str, drawn["unit"].to_numpy())))


def as_null(baselines: object, of: Sequences) -> NullModel:
    """Return the null model of the baselines, by default dinucleotide shuffles of each sequence.

    Raises
    ------
    AttributionError
        If it is no null model, or one of another length.
    """
    if baselines is None:
        return DinucleotideShuffle(of=of)
    if not isinstance(baselines, NullModel):
        raise AttributionError(
            f"baselines={quoted(baselines)} is no null model, and a row of zeros or of quarters is no sequence; give "
            "one such as cg.DinucleotideShuffle(of=sequences) or cg.Uniform(length=...), or leave baselines= out"
        )
    if baselines.length != of.length:
        raise AttributionError(
            f"baselines= draws sequences of {baselines.length:,} bp, and those to explain have {of.length:,}; they "
            "replace each other base by base: give a null model of that length"
        )
    return baselines


def draws_of(null: NullModel, of: Sequences, n_baselines: int, key: int) -> Draw:
    """Return the function that draws the k-th baseline of a sequence, keyed by both.

    Shuffles of the very sequences that are explained are those of each sequence itself; other null models are one
    population for all.
    """
    n_units = len(of) * n_baselines
    null.check(n_units)
    own = isinstance(null, KletShuffle) and np.array_equal(null.parents_given.tokens, of.tokens)

    def draw(rows: NDArray[np.int64], draws: NDArray[np.int64]) -> Tokens:
        units = (rows * n_baselines + draws).astype(np.uint64)
        if own and isinstance(null, KletShuffle):
            from causalgia.sequences.shuffles import klet_shuffle

            return klet_shuffle(key, units, of.tokens, null.k, parent=rows)
        return null.draw(units, key=key, n_units=n_units)

    return draw
