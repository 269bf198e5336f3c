"""The units of a trial, as they are drawn: ids, backgrounds, parents, blocks, and who gets which arm."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Design, assign
from causalgia.design.null_model import gc_content
from causalgia.errors import DegenerateWarning, DesignError
from causalgia.streams import derive
from causalgia.trial.turns import Trial

_AT_ONCE = 16_384
_TOKENS = 2**26


@dataclass(frozen=True)
class Units:
    """What is known of the n units before any arm is applied.

    `ids` (n,) uint64; `tokens` (n, length) uint8 backgrounds; `parents` (n,) names or indices; `blocks` (n,) labels or
    None; `assigned` (n,) index of the arm that each unit receives, or None in a crossover.
    """

    ids: NDArray[np.uint64]
    tokens: NDArray[np.uint8]
    parents: NDArray[Any]
    blocks: NDArray[Any] | None
    assigned: NDArray[np.int64] | None

    def first(self, n: int) -> Units:
        """Return the first n units."""
        parts = (self.ids, self.tokens, self.parents, self.blocks, self.assigned)
        return Units(*(None if part is None else part[:n] for part in parts))  # type: ignore[arg-type]  # as they were

    @property
    def gc(self) -> NDArray[np.float64]:
        """Share of G and C of each background."""
        return gc_content(self.tokens)


def require_memory(design: Design, *, tasks: int) -> None:
    """Refuse a design whose units and outcomes would not fit into this machine's memory; nothing is allocated.

    Counted are 24 bytes of coordinates for each unit, and 4 bytes for each outcome: the least that a trial takes.

    Raises
    ------
    DesignError
        If they would not fit; says how much they would take.
    """
    if _bytes_needed(design, tasks) > _physical_memory():
        raise _too_large(design, tasks)


def _bytes_needed(design: Design, tasks: int) -> int:
    answers = len(design.named_arms) if design.assignment == "crossover" else 1
    return design.n_units * (24 + 4 * answers * tasks)


def _physical_memory() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def _too_large(design: Design, tasks: int) -> DesignError:
    n, gib = design.n_units, _bytes_needed(design, tasks) / 2**30
    return DesignError(
        f"n_units={n:,}: units of {design.null.length:,} bp and their outcomes would take {gib:,.1f} GiB, more than "
        "this machine's memory; keep them on disk with store=, or ask for fewer units: the standard error shrinks only "
        "with the square root of n_units"
    )


@contextmanager
def memory_said(design: Design) -> Iterator[None]:
    """Say how much a design takes where memory runs out."""
    try:
        yield
    except MemoryError as error:
        raise _too_large(design, 1) from error


def check_distinct(trial: Trial) -> None:
    """Refuse or warn where the first units repeat and the null model could not know: what it knows is judged before.

    Raises
    ------
    DesignError
        If every one of them came out as the same sequence.

    Warns
    -----
    DegenerateWarning
        If fewer than half of them are distinct sequences.
    """
    design = trial.design
    most = min(_AT_ONCE, max(_TOKENS // design.null.length, 2), design.n_units)
    if most > 1 and not np.isfinite(design.drawn.log_reachable(design.n_units)):
        _check_distinct(design, trial.draw(0, most).tokens)


def draw_units(design: Design, *, key: int) -> Units:
    """Draw the units of a design; `key` is the root key of the trial.

    Raises
    ------
    DesignError
        If every unit came out as the same sequence and the null model could not know, or memory runs out.

    Warns
    -----
    DegenerateWarning
        If fewer than half of the units are distinct sequences and the design could not know.
    """
    try:
        return _drawn(design, key)
    except MemoryError as error:
        raise _too_large(design, 1) from error


def _drawn(design: Design, key: int) -> Units:
    ids = np.arange(design.n_units, dtype=np.uint64)
    stream = derive(key, "null")
    tokens = design.drawn.draw(ids, key=stream, n_units=design.n_units)
    parents = design.drawn.parents(ids, key=stream, n_units=design.n_units)
    blocks = design.block_labels(key=stream) if design.assignment == "parallel" else None
    _check_distinct(design, tokens)
    return Units(ids, tokens, parents, blocks, _assigned(design, blocks, key))


def _assigned(design: Design, blocks: NDArray[Any] | None, key: int) -> NDArray[np.int64] | None:
    if design.assignment == "crossover":
        return None
    labels = np.zeros(design.n_units, np.int64) if blocks is None else blocks
    return assign(labels, n_arms=len(design.named_arms), key=key)


def _check_distinct(design: Design, tokens: NDArray[np.uint8]) -> None:
    """Refuse or warn where units repeat and the null model could not know: what it knows, the design has judged."""
    n = len(tokens)
    sample = np.ascontiguousarray(tokens[:_AT_ONCE])
    distinct = len(np.unique(sample.view(np.dtype((np.void, sample.shape[1])))))
    few = distinct < max(2, len(sample) / 2)
    if n == 1 or not few or np.isfinite(design.drawn.log_reachable(n)):
        return
    if (tokens == tokens[0]).all():
        all_ = "all" if n == design.n_units else "the first"
        raise DesignError(
            f"{all_} {n:,} units came out as one sequence: {design.drawn.describe()} hardly vary; "
            "use a null model that does, or n_units=1"
        )
    text = f"{design.drawn.describe()}: only {distinct:,} of the first {len(sample):,} units are distinct sequences"
    warnings.warn(text, DegenerateWarning, stacklevel=5)
