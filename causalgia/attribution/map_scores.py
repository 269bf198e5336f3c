"""Scores of maps: from predictions alone (mutagenesis, exchanges), and from multipliers
against baselines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from causalgia.choices import RECORD_SKIPS
from causalgia.design import DinucleotideShuffle, KletShuffle, NullModel
from causalgia.errors import PredictorError, SequenceError, quoted
from causalgia.predict import Predictor
from causalgia.predict._torch_network import torch_network
from causalgia.schema import validate
from causalgia.sequences.fasta import (
    Sequences,
    as_sequences,
    read_fasta,
)
from causalgia.sequences.random import random_words
from causalgia.sequences.skipped_inputs import Skip, as_skip, skip_sentence
from causalgia.streams import derive
from causalgia.types import Array, Tokens

if TYPE_CHECKING:
    from causalgia.predict import TorchPredictor

_SEQUENCES_A_CALL = 4_096
_LEAST_SHUFFLED = 3


def mutagenesis(
    predictor: Predictor,
    tokens: Tokens,
    *,
    progress: Callable[[int], None],
    tasks: slice | list[int] = slice(None),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the change of the answer by each base at each position, and the answers.

    Parameters
    ----------
    predictor
        A single predictor, which answers (n, tasks).
    tokens
        Sequences (n, length).
    progress
        Called with the number of answers since its last call.
    tasks
        Places of the tasks to keep.

    Returns
    -------
    tuple
        ``f(x with b at i) - f(x)``, (n, length, 4, tasks), 0 for the observed base; and
        ``f(x)``, (n, tasks).
    """
    n, length = tokens.shape
    answers = predictor.predict(tokens, progress=progress)[:, tasks].astype(np.float64)
    changes = np.zeros((n, length, 4, answers.shape[1]))
    held = predictor.backgrounds_at_once(length)
    at, step = (
        np.repeat(np.arange(length), 3),
        np.tile(np.arange(1, 4, dtype=np.uint8), length),
    )
    block = min(max(held, 1), max(1, _SEQUENCES_A_CALL // (3 * length)))
    for start in range(0, n, block):
        base = tokens[start : start + block]
        rows = np.repeat(np.arange(len(base)), 3 * length)
        places, steps = np.tile(at, len(base)), np.tile(step, len(base))
        to = (base[rows, places] + steps) % 4
        edited = base[rows]
        edited[np.arange(len(rows)), places] = to
        made = (
            predictor.edits(base).answers(edited, rows)
            if held
            else predictor.predict(edited)
        )
        changes[start + rows, places, to] = (
            made[:, tasks].astype(np.float64) - answers[start + rows]
        )
        progress(len(rows))
    return changes, answers


_OTHER_BASES = np.arange(1, 4, dtype=np.uint8)


class PairChanges(NamedTuple):
    """What pair mutagenesis found.

    Attributes
    ----------
    interaction
        ``f(x) - mean f(x_i) - mean f(x_j) + mean f(x_ij)`` of each pair, (n, pairs,
        tasks).
    answers
        ``f(x)``, (n, tasks).
    largest
        Largest absolute answer to a sequence or one of its edits, (n, tasks).
    """

    interaction: Array
    answers: Array
    largest: Array


def pair_mutagenesis(
    predictor: Predictor,
    tokens: Tokens,
    places: NDArray[np.int64],
    pairs: NDArray[np.int64],
    *,
    progress: Callable[[int], None],
    tasks: slice | list[int] = slice(None),
) -> PairChanges:
    """Return the interaction of the bases at pairs of positions, over the 3 x 3
    exchanges of both.

    Double mutants are asked for as single substitutions of single mutants: an edit is
    then one base wide however far apart the two positions are, which is what a session
    of edits recomputes fastest.

    Parameters
    ----------
    predictor
        A single predictor, which answers (n, tasks).
    tokens
        Sequences (n, length).
    places
        Positions that are exchanged, (n, m); those of a sequence are distinct.
    pairs
        Columns of `places`, (pairs, 2), sorted by the first.
    progress
        Called with the number of answers since its last call.
    tasks
        Columns of the answers to keep.
    """
    (n, m), n_pairs = places.shape, len(pairs)
    answers = predictor.predict(tokens, progress=progress)[:, tasks].astype(np.float64)
    largest = np.abs(answers)
    one, both = (
        np.zeros((n, m, answers.shape[1])),
        np.zeros((n, n_pairs, answers.shape[1])),
    )
    held = predictor.backgrounds_at_once(tokens.shape[1])

    def add(
        total: Array,
        base: Tokens,
        own: NDArray[np.int64],
        rows: NDArray[np.int64],
        to: NDArray[np.int64],
    ) -> None:
        """Add answers to substitutions in `base`, made of the sequences `own`; `to` are
        columns of `total`.
        """
        column = to if total is one else pairs[to, 1]
        at, rows = np.repeat(places[own[rows], column], 3), np.repeat(rows, 3)
        edited = base[rows]
        each = np.arange(len(rows))
        edited[each, at] = (edited[each, at] + np.tile(_OTHER_BASES, len(to))) % 4
        made = (
            predictor.edits(base).answers(edited, rows)
            if held
            else predictor.predict(edited)
        )
        found = made[:, tasks].astype(np.float64)
        np.add.at(total, (own[rows], np.repeat(to, 3)), found)
        np.maximum.at(largest, own[rows], np.abs(found))
        progress(len(rows))

    limit = max(held, 1) if held else _SEQUENCES_A_CALL
    block = max(1, min(limit, _SEQUENCES_A_CALL // (3 * m)))
    for start in range(0, n, block):
        own = np.arange(start, min(start + block, n))
        rows, to = np.divmod(np.arange(len(own) * m), m)
        add(one, tokens[own], own, rows, to)

    firsts, begins, counts = np.unique(
        pairs[:, 0], return_index=True, return_counts=True
    )
    width = len(firsts) * 3
    # of each single mutant: (sequence, first position, base)
    n_edits = np.tile(np.repeat(3 * counts, 3), n)
    start = 0
    while start < len(n_edits):
        some = np.cumsum(n_edits[start : start + limit])
        stop = start + max(
            1, int(np.searchsorted(some, _SEQUENCES_A_CALL, side="right"))
        )
        mutant = np.arange(start, stop)
        own, which = mutant // width, mutant % width // 3
        at = places[own, firsts[which]]
        base = tokens[own]
        base[np.arange(len(base)), at] = (
            base[np.arange(len(base)), at] + _OTHER_BASES[mutant % 3]
        ) % 4
        rows = np.repeat(np.arange(len(base)), counts[which])
        to = np.concatenate(
            [np.arange(begins[k], begins[k] + counts[k]) for k in which]
        )
        add(both, base, own, rows, to)
        start = stop
    interaction = (
        answers[:, None] - (one[:, pairs[:, 0]] + one[:, pairs[:, 1]]) / 3 + both / 9
    )
    return PairChanges(interaction, answers, largest)


def occlusion(
    predictor: Predictor,
    tokens: Tokens,
    draws: Tokens,
    *,
    width: int,
    progress: Callable[[int], None],
    tasks: slice | list[int] = slice(None),
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return what an answer loses with the windows that cover a position, by baseline:
    (draws, length, tasks).

    A window has the letters of the baseline at its place. A position has the mean over
    the windows that cover it.

    Parameters
    ----------
    predictor
        A single predictor.
    tokens, draws
        The sequence (length,) and its baselines (draws, length).
    width
        Bases of a window.
    progress
        Called with the number of answers since its last call.
    tasks
        Places of the tasks to keep.

    Returns
    -------
    tuple
        The scores; the answer (tasks,); and the answers to the baselines (draws,
        tasks).
    """
    n, length = draws.shape
    n_windows = length - width + 1
    ends = _answers(predictor, np.concatenate([tokens[None], draws]), progress, tasks)
    scores = np.zeros((n, length, ends.shape[1]))
    covering = np.convolve(np.ones(n_windows), np.ones(width))
    inside = np.arange(length) - np.arange(n_windows)[:, None]
    occluded = (inside >= 0) & (inside < width)
    for row, baseline in enumerate(draws):
        lost = ends[0] - _answers(
            predictor, np.where(occluded, baseline, tokens), progress, tasks
        )
        total = np.cumsum(np.concatenate([np.zeros((1, lost.shape[1])), lost]), axis=0)
        last = np.minimum(np.arange(length), n_windows - 1) + 1
        first = np.maximum(np.arange(length) - width + 1, 0)
        scores[row] = (total[last] - total[first]) / covering[:, None]
    return scores, ends[0], ends[1:]


def shapley(
    predictor: Predictor,
    tokens: Tokens,
    draws: Tokens,
    *,
    key: int,
    progress: Callable[[int], None],
    tasks: slice | list[int] = slice(None),
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return Shapley values of the positions by random orders, one for each baseline:
    (draws, length, tasks).

    From the baseline, letters of the sequence are put in one after another, in random
    order; a position has the change that its letter makes (Castro et al. 2009,
    doi:10.1016/j.cor.2008.04.004). Changes add up to the difference of the answers in
    every order.

    Parameters
    ----------
    predictor
        A single predictor.
    tokens, draws
        The sequence (length,) and its baselines (draws, length).
    key
        Of the random orders.
    progress
        Called with the number of answers since its last call.
    tasks
        Places of the tasks to keep.

    Returns
    -------
    tuple
        As `occlusion`.
    """
    n, length = draws.shape
    words = random_words(derive(key, "orders"), np.arange(n, dtype=np.uint64), length)
    scores: list[NDArray[np.float64]] = []
    first, last = [], []
    for baseline, order in zip(
        draws, np.argsort(words, axis=1, kind="stable"), strict=True
    ):
        rank = np.argsort(order)
        steps = np.where(rank < np.arange(length + 1)[:, None], tokens, baseline)
        answers = _answers(predictor, steps, progress, tasks)
        scores.append(np.diff(answers, axis=0)[rank])
        first.append(answers[0])
        last.append(answers[-1])
    return np.stack(scores), last[0], np.stack(first)


def _answers(
    predictor: Predictor,
    rows: Tokens,
    progress: Callable[[int], None],
    tasks: slice | list[int],
) -> NDArray[np.float64]:
    parts = [
        predictor.predict(rows[start : start + _SEQUENCES_A_CALL], progress=progress)[
            :, tasks
        ].astype(np.float64)
        for start in range(0, len(rows), _SEQUENCES_A_CALL)
    ]
    return np.concatenate(parts)


#: draws baselines: rows of the sequences and numbers of the draws, each (m,), to tokens
#: (m, length)
Draw = Callable[[NDArray[np.int64], NDArray[np.int64]], Tokens]


def as_torch_predictor(predictor: Predictor, call: str) -> TorchPredictor:
    """Return a predictor with layers; PredictorError if it has none, or is an
    ensemble.
    """
    if (network := torch_network(predictor)) is not None:
        return network
    raise PredictorError(f"{call}: {type(predictor).__name__} has no layers")


def as_explained(sequences: Any, skip: Skip = ()) -> Sequences:
    """Return sequences of any source, or of a Dataset that a null model drew, whose
    units are their names; records of a file are left out for the reasons in `skip`.

    Raises
    ------
    SequenceError
        If records are to be left out of what is not a file.
    """
    import xarray as xr

    if as_skip(skip, RECORD_SKIPS, what="records"):
        if not isinstance(sequences, str | PathLike):
            raise SequenceError(
                f"skip={quoted(skip)} leaves records of a file out, and sequences= is "
                "none"
            )
        return read_fasta(sequences, skip=skip)
    if not isinstance(sequences, xr.Dataset):
        return as_sequences(sequences)
    drawn = validate(sequences, "sequences")
    return Sequences(
        drawn["sequence"].to_numpy(), tuple(map(str, drawn["unit"].to_numpy()))
    )


def count_skipped(of: Sequences) -> dict[str, str]:
    """Return the attribute that counts the records that were left out, if any were.

    Examples
    --------
    >>> count_skipped(as_sequences(["ACGT"]))
    {}
    """
    counted = skip_sentence(of.skipped, len(of), "sequences")
    return {"skipped": counted} if counted else {}


def as_null(baselines: NullModel | None, of: Sequences) -> NullModel:
    """Return the null model of the baselines, by default dinucleotide shuffles of each
    sequence.

    Raises
    ------
    PredictorError
        If it is not a null model, or one of another length, or sequences are too short
        for shuffles.
    """
    if baselines is None and of.length < _LEAST_SHUFFLED:
        raise PredictorError(
            f"sequences of {of.length} bp have no shuffles, the default of baselines="
        )
    if baselines is None:
        return DinucleotideShuffle(of=of)
    if baselines.length != of.length:
        raise PredictorError(
            f"baselines= draws sequences of {baselines.length:,} bp, and those to "
            f"explain have {of.length:,}"
        )
    return baselines


def draws_of(null: NullModel, of: Sequences, n_baselines: int, key: int) -> Draw:
    """Return the function that draws the k-th baseline of a sequence, keyed by both.

    Shuffles of the very sequences that are explained are those of each sequence itself;
    other null models are one population for all.
    """
    n_units = len(of) * n_baselines
    null.check(n_units)
    own = isinstance(null, KletShuffle) and np.array_equal(
        null.parents_given.tokens, of.tokens
    )

    def draw(rows: NDArray[np.int64], draws: NDArray[np.int64]) -> Tokens:
        units = (rows * n_baselines + draws).astype(np.uint64)
        if own and isinstance(null, KletShuffle):
            from causalgia.sequences.shuffles import klet_shuffle

            return klet_shuffle(key, units, of.tokens, null.k, parent=rows)
        return null.draw(units, key=key, n_units=n_units)

    return draw


#: largest miss, as a share of the difference that a map explains
TOLERANCE = 0.01
_ANSWER_ROUNDING = 1e-4  # of answers in single precision, relative
#: share of maps by random points that are refused on either side though they add up in
#: expectation
_FALSE_REFUSALS = 1e-6


@dataclass(frozen=True)
class ScoresOverBaselines:
    """Scores of one sequence as a mean over its baselines.

    Attributes
    ----------
    score, score_se
        Mean over the baselines and its standard error, (length, 4, tasks).
    answer, baseline_answer
        Answer to the sequence and mean answer to the baselines, (tasks,).
    completeness
        Sum of the observed bases' scores minus the difference of the answers, (tasks,).
    explained
        What the miss is measured against: the largest of that difference, the sd of the
        baselines' answers, and what rounding may reach.
    completeness_se
        Standard error of the miss over baselines, of methods that add up in expectation
        alone; else None.
    """

    score: NDArray[np.float64]
    score_se: NDArray[np.float64]
    answer: NDArray[np.float64]
    baseline_answer: NDArray[np.float64]
    completeness: NDArray[np.float64]
    explained: NDArray[np.float64]
    completeness_se: NDArray[np.float64] | None = None
    n_baselines: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether the scores of every task add up to within `TOLERANCE` of what they
        explain, or chance allows it.
        """
        within = TOLERANCE * self.explained
        if self.completeness_se is not None:
            within = np.maximum(
                within,
                stdtrit(self.n_baselines - 1, 1 - _FALSE_REFUSALS)
                * self.completeness_se,
            )
        return bool((np.abs(self.completeness) <= within).all())


@dataclass
class BaselineSums:
    """Running mean and sum of squares of scores over blocks of baselines, by the
    pairwise update.

    Scores of base b at position i from multipliers m are
    ``mean over x' of sum_c m_ic (1[c = b] - x'_ic)``.

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115.
    """

    n: int = 0
    mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    squares: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    totals: list[NDArray[np.float64]] = field(default_factory=list)
    """Sum of the observed bases' scores, by baseline: (draws, tasks) of each block."""

    def add(
        self, multipliers: NDArray[np.float64], tokens: Tokens, draws: Tokens
    ) -> None:
        """Add multipliers (draws, length, 4, tasks) of a sequence (length,) against
        baselines (draws, length).
        """
        at_baseline = np.take_along_axis(
            multipliers, draws.astype(np.intp)[:, :, None, None], 2
        )
        scores = multipliers - at_baseline
        observed = np.take_along_axis(
            scores, tokens.astype(np.intp)[None, :, None, None], 2
        )
        self.totals.append(observed.sum((1, 2)))
        n, mean = len(scores), scores.mean(0)
        scores -= mean
        scores *= scores
        squares = scores.sum(0)
        if self.n == 0:
            self.n, self.mean, self.squares = n, mean, squares
            return
        step, both = mean - self.mean, self.n + n
        self.mean = self.mean + step * (n / both)
        self.squares = self.squares + squares + step * step * (self.n * n / both)
        self.n = both

    def scores(
        self,
        tokens: Tokens,
        answer: NDArray[np.float64],
        baseline_answers: NDArray[np.float64],
        *,
        in_expectation: bool = False,
    ) -> ScoresOverBaselines:
        """Return the scores; `in_expectation` says that they add up over many
        baselines, and not for each.
        """
        se = np.sqrt(self.squares / (self.n - 1)) / np.sqrt(self.n)
        observed = np.take_along_axis(
            self.mean, tokens.astype(np.intp)[:, None, None], 1
        )
        sizes = np.abs(observed).sum((0, 1))
        found = _scores(
            self.mean, se, observed.sum((0, 1)), sizes, answer, baseline_answers
        )
        if not in_expectation:
            return found
        miss = np.concatenate(self.totals) - (answer - baseline_answers)
        # no scores at all have no error to hide behind
        by_chance = np.where(sizes > 0, mean_and_se(miss)[1], 0.0)
        return replace(found, completeness_se=by_chance, n_baselines=self.n)


def position_scores_over_baselines(
    scores: NDArray[np.float64],
    answer: NDArray[np.float64],
    baseline_answers: NDArray[np.float64],
) -> ScoresOverBaselines:
    """Return scores of the observed bases alone as a mean over baselines, from (draws,
    length, tasks).
    """
    score, se = mean_and_se(scores)
    return _scores(
        score, se, score.sum(0), np.abs(score).sum(0), answer, baseline_answers
    )


def mean_and_se(
    scores: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean over the first axis and its standard error."""
    return scores.mean(0), scores.std(0, ddof=1) / np.sqrt(len(scores))


def _scores(
    score: NDArray[np.float64],
    se: NDArray[np.float64],
    observed: NDArray[np.float64],
    sizes: NDArray[np.float64],
    answer: NDArray[np.float64],
    baseline_answers: NDArray[np.float64],
) -> ScoresOverBaselines:
    difference = answer - baseline_answers.mean(0)
    # where all answers are equal, scores are of nothing, and miss it by their own
    # rounding
    rounding = _ANSWER_ROUNDING * np.maximum.reduce(
        [np.abs(answer), np.abs(baseline_answers).max(0), sizes]
    )
    explained = np.maximum.reduce(
        [np.abs(difference), baseline_answers.std(0), rounding]
    )
    return ScoresOverBaselines(
        score, se, answer, baseline_answers.mean(0), observed - difference, explained
    )
