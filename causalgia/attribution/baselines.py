"""Baselines of a map, drawn from a null model, and scores of a sequence from multipliers against them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

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


#: largest miss, as a share of the difference that a map explains
TOLERANCE = 0.01
_ROUNDING = 1e-4
#: share of maps by random points that are refused on either side though they add up in expectation
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
        What the miss is measured against: the largest of that difference, the sd of the baselines' answers, and what
        rounding may reach.
    completeness_se
        Standard error of the miss over baselines, of methods that add up in expectation alone; else None.
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
        """Whether the scores of every task add up to within `TOLERANCE` of what they explain, or chance allows it."""
        within = TOLERANCE * self.explained
        if self.completeness_se is not None:
            within = np.maximum(within, stdtrit(self.n_baselines - 1, 1 - _FALSE_REFUSALS) * self.completeness_se)
        return bool((np.abs(self.completeness) <= within).all())


@dataclass
class BaselineSums:
    """Running mean and sum of squares of scores over blocks of baselines, by the pairwise update.

    Scores of base b at position i from multipliers m are ``mean over x' of sum_c m_ic (1[c = b] - x'_ic)``.

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115.
    """

    n: int = 0
    mean: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    squares: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    totals: list[NDArray[np.float64]] = field(default_factory=list)
    """Sum of the observed bases' scores, by baseline: (draws, tasks) of each block."""

    def add(self, multipliers: NDArray[np.float64], tokens: Tokens, draws: Tokens) -> None:
        """Add multipliers (draws, length, 4, tasks) of a sequence (length,) against baselines (draws, length)."""
        at_baseline = np.take_along_axis(multipliers, draws.astype(np.intp)[:, :, None, None], 2)
        scores = multipliers - at_baseline
        observed = np.take_along_axis(scores, tokens.astype(np.intp)[None, :, None, None], 2)
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
        """Return the scores; `in_expectation` says that they add up over many baselines, and not for each."""
        se = np.sqrt(self.squares / (self.n - 1)) / np.sqrt(self.n)
        observed = np.take_along_axis(self.mean, tokens.astype(np.intp)[:, None, None], 1)
        sizes = np.abs(observed).sum((0, 1))
        found = _scores(self.mean, se, observed.sum((0, 1)), sizes, answer, baseline_answers)
        if not in_expectation:
            return found
        miss = np.concatenate(self.totals) - (answer - baseline_answers)
        by_chance = np.where(sizes > 0, mean_and_se(miss)[1], 0.0)  # no scores at all have no error to hide behind
        return replace(found, completeness_se=by_chance, n_baselines=self.n)


def position_scores_over_baselines(
    scores: NDArray[np.float64], answer: NDArray[np.float64], baseline_answers: NDArray[np.float64]
) -> ScoresOverBaselines:
    """Return scores of the observed bases alone as a mean over baselines, from (draws, length, tasks)."""
    score, se = mean_and_se(scores)
    return _scores(score, se, score.sum(0), np.abs(score).sum(0), answer, baseline_answers)


def mean_and_se(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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
    # where all answers are equal, scores are of nothing, and miss it by their own rounding
    rounding = _ROUNDING * np.maximum.reduce([np.abs(answer), np.abs(baseline_answers).max(0), sizes])
    explained = np.maximum.reduce([np.abs(difference), baseline_answers.std(0), rounding])
    return ScoresOverBaselines(score, se, answer, baseline_answers.mean(0), observed - difference, explained)
