"""Scores of a sequence from multipliers against baselines, and whether they add up to what they explain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalgia.types import Tokens

#: largest miss, as a share of the difference that a map explains
TOLERANCE = 0.01
_ROUNDING = 1e-4


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
        What the miss is measured against: that difference, or the sd of the baselines' answers where it is more.
    """

    score: NDArray[np.float64]
    score_se: NDArray[np.float64]
    answer: NDArray[np.float64]
    baseline_answer: NDArray[np.float64]
    completeness: NDArray[np.float64]
    explained: NDArray[np.float64]

    @property
    def is_complete(self) -> bool:
        """Whether the scores of every task add up to within `TOLERANCE` of what they explain."""
        return bool((np.abs(self.completeness) <= TOLERANCE * self.explained).all())


def scores_over_baselines(
    multipliers: NDArray[np.float64],
    tokens: Tokens,
    draws: Tokens,
    answer: NDArray[np.float64],
    baseline_answers: NDArray[np.float64],
) -> ScoresOverBaselines:
    """Return scores from multipliers m: of base b at position i, ``mean over x' of sum_c m_ic (1[c = b] - x'_ic)``.

    Parameters
    ----------
    multipliers
        By baseline, (draws, length, 4, tasks).
    tokens, draws
        The sequence (length,) and its baselines (draws, length).
    answer, baseline_answers
        (tasks,) and (draws, tasks).
    """
    at_baseline = np.take_along_axis(multipliers, draws.astype(np.intp)[:, :, None, None], 2)
    score, se = mean_and_se(multipliers - at_baseline)
    observed = np.take_along_axis(score, tokens.astype(np.intp)[:, None, None], 1).sum((0, 1))
    return _scores(score, se, observed, answer, baseline_answers)


def position_scores_over_baselines(
    scores: NDArray[np.float64], answer: NDArray[np.float64], baseline_answers: NDArray[np.float64]
) -> ScoresOverBaselines:
    """Return scores of the observed bases alone as a mean over baselines, from (draws, length, tasks)."""
    score, se = mean_and_se(scores)
    return _scores(score, se, score.sum(0), answer, baseline_answers)


def mean_and_se(scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean over the first axis and its standard error."""
    return scores.mean(0), scores.std(0, ddof=1) / np.sqrt(len(scores))


def _scores(
    score: NDArray[np.float64],
    se: NDArray[np.float64],
    observed: NDArray[np.float64],
    answer: NDArray[np.float64],
    baseline_answers: NDArray[np.float64],
) -> ScoresOverBaselines:
    difference = answer - baseline_answers.mean(0)
    rounding = _ROUNDING * np.maximum(np.abs(answer), np.abs(baseline_answers).max(0))
    explained = np.maximum.reduce([np.abs(difference), baseline_answers.std(0), rounding])
    return ScoresOverBaselines(score, se, answer, baseline_answers.mean(0), observed - difference, explained)
