"""Checks that a trial is feasible: its memory, and the number of distinct units."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Design
from causalgia.errors import DegenerateWarning, DesignError
from causalgia.trial.turns import Trial

_AT_ONCE = 16_384
_TOKENS = 2**26


def check_memory(design: Design, *, tasks: int) -> None:
    """Raise DesignError if the units and outcomes of a design exceed this machine's memory; nothing is allocated.

    Counted are 24 bytes of coordinates per unit and 4 bytes per outcome: a lower bound.

    Raises
    ------
    DesignError
        If they would not fit; says how much they would take.
    """
    if _bytes_needed(design, tasks) > _physical_memory():
        raise _memory_error(design, tasks)


def _bytes_needed(design: Design, tasks: int) -> int:
    answers = len(design.named_arms) if design.assignment == "crossover" else 1
    return design.null.length + design.n_units * (24 + 4 * answers * tasks)


def _physical_memory() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        return math.inf


def _memory_error(design: Design, tasks: int) -> DesignError:
    n, gib = design.n_units, _bytes_needed(design, tasks) / 2**30
    return DesignError(
        f"n_units={n:,}: units of {design.null.length:,} bp and their outcomes would take {gib:,.1f} GiB, more than "
        "this machine's memory; keep them on disk with store=, or ask for fewer units: the standard error shrinks only "
        "with the square root of n_units"
    )


@contextmanager
def explain_memory_error(design: Design) -> Iterator[None]:
    """Say how much memory a design takes where memory runs out."""
    try:
        yield
    except MemoryError as error:
        raise _memory_error(design, 1) from error


def check_distinct(trial: Trial) -> None:
    """Raise or warn if the first units repeat and the null model could not predict that.

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


def _check_distinct(design: Design, tokens: NDArray[np.uint8]) -> None:
    """Raise or warn if units repeat and the null model could not predict that."""
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
