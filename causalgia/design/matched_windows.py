"""Windows of a genome that lie off the peaks and match them in GC, or another statistic
of their letters.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia.design.null_model import gc_content
from causalgia.errors import DesignError, quoted
from causalgia.sequences.alphabet import CODES
from causalgia.sequences.fasta import (
    FilePath,
    Sequences,
    Source,
    as_sequences,
    from_bed,
)
from causalgia.sequences.genome import Genome
from causalgia.sequences.intervals import read_bed
from causalgia.sequences.random import random_words
from causalgia.sequences.skipped_inputs import Skipped
from causalgia.streams import derive
from causalgia.types import Array, Ints, Tokens

Statistic: TypeAlias = Callable[[Tokens], NDArray[Any]]
"""Function from tokens (n, length) to a number for each sequence, (n,)."""

_LETTERS_AT_ONCE = 1 << 24
_TRIED = 4
"""Windows predicted for each that is kept as quiet: the lowest quarter."""


class Predicts(Protocol):
    """What is asked of a predictor: its answers to tokens (n, length), and their
    dims.
    """

    @property
    def dims(self) -> tuple[str, ...]: ...

    def predict(self, tokens: Tokens) -> NDArray[Any]: ...


def cpg_ratio(tokens: Tokens) -> Array:
    """Return CpG observed over expected of each sequence, 0 without C or G
    (Gardiner-Garden & Frommer 1987, doi:10.1016/0022-2836(87)90689-9).

    Examples
    --------
    >>> cpg_ratio(np.array([[1, 2, 0, 0], [0, 0, 0, 0]], np.uint8))
    array([4., 0.])
    """
    c, g = tokens == 1, tokens == 2
    expected = c.sum(axis=1) * g.sum(axis=1) / tokens.shape[1]
    found: Array = (c[:, :-1] & g[:, 1:]).sum(axis=1).astype(np.float64)
    ratio: Array = np.zeros(len(found))
    np.divide(found, expected, out=ratio, where=expected > 0)
    return ratio


_STATISTICS: dict[str, Statistic] = {"gc": gc_content, "cpg": cpg_ratio}


def matched_windows(
    peaks: Source,
    genome: FilePath,
    *,
    length: int | None,
    by: str | Statistic,
    tolerance: float,
    quiet: Predicts | None,
    key: int,
) -> Sequences:
    """Return a window for each peak, as `causalgia.Genomic.matched` documents it; peaks
    without one are listed in ``skipped``.
    """
    statistic = by if callable(by) else _STATISTICS.get(by)
    if statistic is None:
        raise DesignError(
            f"by={quoted(by)}: 'gc', 'cpg' or a function of tokens (n, length)",
            argument="by",
        )
    if not tolerance > 0:
        raise DesignError(
            f"tolerance={tolerance}: a number above 0", argument="tolerance"
        )
    given, taken = _given_peaks(peaks, genome, length)
    bins = _bins(statistic, given.tokens, tolerance)
    with Genome(genome) as letters:
        chromosomes = list(dict.fromkeys(given.places.chromosome.tolist()))
        tiles = [
            _free_tiles(letters, name, taken, statistic, given.length, tolerance, key)
            for name in chromosomes
        ]
        of = np.repeat(np.arange(len(tiles)), [len(starts) for starts, _ in tiles])
        start, bin_of = (np.concatenate(part) for part in zip(*tiles, strict=True))

        def read(rows: Ints) -> Tokens:
            cut = b"".join(
                letters.letters(
                    chromosomes[of[i]],
                    start[i],
                    start[i] + given.length,
                    place="genome",
                )
                for i in rows.tolist()
            )
            return CODES[np.frombuffer(cut, np.uint8)].reshape(-1, given.length)

        rank = random_words(
            derive(key, "windows"), np.arange(len(start), dtype=np.uint64), 1
        )[:, 0]
        order = np.lexsort((rank, bin_of))
        tries = 1 if quiet is None else _TRIED
        peaks_of = {level: np.flatnonzero(bins == level) for level in np.unique(bins)}
        tried = {
            level: order[slice(*np.searchsorted(bin_of[order], [level, level + 1]))][
                : tries * len(own)
            ]
            for level, own in peaks_of.items()
        }
        if quiet is not None:
            tried = _quietest(quiet, tried, read)
        chosen = np.full(len(given), -1)
        for level, own in peaks_of.items():
            chosen[own[: len(tried[level])]] = tried[level]
        rows = chosen[chosen >= 0]
        if not len(rows):
            raise DesignError(
                f"no window of {given.length:,} bp off the peaks is within "
                f"{tolerance:g} of one of {len(given):,} peaks",
                argument="tolerance",
            )
        unmatched = (
            Skipped(str(given.names[i]), "unmatched")
            for i in np.flatnonzero(chosen < 0).tolist()
        )
        names = tuple(
            f"{chromosomes[of[i]]}:{start[i]}-{start[i] + given.length}" for i in rows
        )
        return Sequences(read(rows), names, None, (*given.skipped, *unmatched))


def _given_peaks(
    peaks: Source, genome: FilePath, length: int | None
) -> tuple[Sequences, dict[str, Ints]]:
    """Return the peaks' windows, and by chromosome the stretches that no window may
    touch, (n, 2): the windows, and the whole intervals of a BED file.
    """
    if isinstance(peaks, str | PathLike) or hasattr(peaks, "columns"):
        if length is None:
            raise DesignError(
                f"peaks={quoted(peaks)}: intervals need length=, that of the "
                "backgrounds",
                argument="length",
            )
        listed_peaks: Any = peaks
        given = from_bed(listed_peaks, genome, length=length)
        listed = read_bed(listed_peaks, length=length, center="middle", stranded=False)
        spans = [(one.chromosome, *one.interval) for one in listed]
    else:
        given, spans = as_sequences(peaks), []
    at = given.places
    lost = np.flatnonzero(at.start < 0)
    if len(lost):
        raise DesignError(
            f"peaks: the name {quoted(given.names[lost[0]])} says no place, such as "
            f"chr1:100-{100 + given.length}",
            argument="peaks",
        )
    spans += zip(
        at.chromosome.tolist(), at.start.tolist(), at.stop.tolist(), strict=True
    )
    taken: dict[str, list[tuple[int, int]]] = {}
    for name, first, last in spans:
        taken.setdefault(name, []).append((first, last))
    return given, {name: _union(np.array(rows)) for name, rows in taken.items()}


def _union(spans: Ints) -> Ints:
    """Return the union of intervals as disjoint ones in order, (n, 2).

    Examples
    --------
    >>> _union(np.array([[5, 9], [0, 3], [2, 4]])).tolist()
    [[0, 4], [5, 9]]
    """
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1])
    first = np.flatnonzero(np.r_[True, spans[1:, 0] > reach[:-1]])
    return np.column_stack([spans[first, 0], reach[np.r_[first[1:] - 1, -1]]])


def _free_tiles(
    genome: Genome,
    chromosome: str,
    taken: dict[str, Ints],
    statistic: Statistic,
    length: int,
    tolerance: float,
    key: int,
) -> tuple[Ints, Ints]:
    """Return start and bin of the statistic of the tiles of a chromosome, from a random
    offset on, that have bases alone and touch no peak.
    """
    size = genome.length(chromosome, place="peaks")
    offset = derive(key, "offset", chromosome) % length
    starts = np.arange(offset, size - length + 1, length)
    first, last = taken[chromosome].T
    after = np.searchsorted(last, starts, side="right")
    free = np.r_[first, size][after] >= starts + length
    at_once = max(1, _LETTERS_AT_ONCE // length)
    kept, bins = list[Ints](), list[Ints]()
    for i in range(0, len(starts), at_once):
        block = starts[i : i + at_once]
        cut = genome.letters(chromosome, block[0], block[-1] + length, place="genome")
        tokens = CODES[np.frombuffer(cut, np.uint8)].reshape(-1, length)
        usable = free[i : i + at_once] & (tokens < 4).all(axis=1)
        if usable.any():
            kept.append(block[usable])
            bins.append(_bins(statistic, tokens[usable], tolerance))
    none = [np.zeros(0, np.int64)]
    return np.concatenate(kept or none), np.concatenate(bins or none)


def _bins(statistic: Statistic, tokens: Tokens, tolerance: float) -> Ints:
    """Return the bin of each sequence: those of one bin differ by less than the
    tolerance.
    """
    values = np.asarray(statistic(tokens), float)
    if values.shape != (len(tokens),) or not np.isfinite(values).all():
        raise DesignError(
            f"by= gives {quoted(values)}, not a number for each of {len(tokens):,} "
            "sequences",
            argument="by",
        )
    return np.floor(values / tolerance + 1e-9).astype(np.int64)


def _quietest(
    predictor: Predicts, tried: dict[int, Ints], read: Callable[[Ints], Tokens]
) -> dict[int, Ints]:
    """Return the quarter of the windows of each bin whose largest rank over tasks is
    lowest; positions and models are averaged.
    """
    from scipy.stats import rankdata

    rows = np.concatenate(list(tried.values()))
    if not len(rows):
        return tried
    answers = np.asarray(predictor.predict(read(rows)), float)
    task = predictor.dims.index("task") + 1
    answers = answers.mean(
        axis=tuple({1, 2, 3}.intersection(range(answers.ndim)) - {task})
    )
    ends = np.cumsum([len(part) for part in tried.values()])[:-1]
    loud = [
        rankdata(part, axis=0).max(axis=1, initial=0)
        for part in np.split(answers, ends)
    ]
    return {
        level: part[np.argsort(rank, kind="stable")[: len(part) // _TRIED]]
        for (level, part), rank in zip(tried.items(), loud, strict=True)
    }
