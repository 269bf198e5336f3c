"""The exact expected outcome of each arm, many arms at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from causalgia.design import Intervention, NullModel
from causalgia.types import Array
from causalgia.zoo.automaton import NoClosedForm
from causalgia.zoo.mixtures import mixture, null_columns

if TYPE_CHECKING:
    from causalgia.zoo.grammar import Oracle

Piece: TypeAlias = tuple[int, Array, float]
"""An arm's number, some of its components (m, length, 4), and the weight of each."""

_COMPONENTS_AT_ONCE, _BASES_AT_ONCE = 64, 2**21


def exact_means(oracle: Oracle, null: NullModel, arms: list[Intervention]) -> Array:
    """Return the exact expected outcome of each arm in each task, (arms, tasks); NaN where there is no closed form.

    Raises
    ------
    PredictorError
        If the oracle does not answer sequences of an arm's length.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo import Oracle, Word
    >>> exact_means(Oracle(Word("GA", 2.0)), cg.Uniform(length=3), [cg.Untreated(), cg.Embed("GA", at=0)])
    array([[0.25],
           [2.  ]])
    """
    means = np.full((len(arms), len(oracle.tasks)), np.nan)
    for batch in _batches(_pieces(null, arms)):
        columns, share = np.concatenate([piece for _, piece, _ in batch]), [s for _, p, s in batch for _ in p]
        arm = np.array([i for i, piece, _ in batch for _ in piece])
        means[arm] = np.where(np.isnan(means[arm]), 0.0, means[arm])
        np.add.at(means, arm, _expected(oracle, columns) * np.array(share)[:, None])
    return means


def _pieces(null: NullModel, arms: list[Intervention]) -> Iterator[Piece]:
    """Yield the components of the arms that are mixtures of independent positions."""
    try:
        untreated = null_columns(null)
    except NoClosedForm:
        return
    for i, arm in enumerate(arms):
        try:
            columns = mixture(arm, untreated).columns
        except NoClosedForm:
            continue
        size = max(1, min(_COMPONENTS_AT_ONCE, _BASES_AT_ONCE // columns.shape[1]))
        for start in range(0, len(columns), size):
            yield i, columns[start : start + size], 1 / len(columns)


def _batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Gather pieces of one length until they are many enough to be worth a look."""
    batch: list[Piece] = []
    for piece in pieces:
        components, length = sum(len(p) for _, p, _ in batch) + len(piece[1]), piece[1].shape[1]
        full = components > _COMPONENTS_AT_ONCE or components * length > _BASES_AT_ONCE
        if batch and (full or length != batch[0][1].shape[1]):
            yield batch
            batch = []
        batch.append(piece)
    if batch:
        yield batch


def _expected(oracle: Oracle, columns: Array) -> Array:
    """Return the expected outcomes under m distributions, (m, tasks); NaN where a task has no closed form."""
    oracle.check(columns.shape[1])
    return np.stack([_of_task(oracle, columns, task) for task in oracle.tasks], axis=1)


def _of_task(oracle: Oracle, columns: Array, task: str) -> Array:
    try:
        return oracle.expected(columns, task)
    except NoClosedForm:
        return np.full(len(columns), np.nan)
