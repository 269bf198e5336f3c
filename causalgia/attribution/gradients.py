"""Gradients of an answer at a sequence, and integrated along the line from baselines to it; needs torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from causalgia.errors import AttributionError
from causalgia.predict.differentiable import Differentiable
from causalgia.types import Tokens

_FEWEST, _MOST = 16, 512
#: completeness, as a share of the difference that a map explains
TOLERANCE = 0.01


def one_hot(tokens: Tokens, like: torch.Tensor) -> torch.Tensor:
    """Return tokens (n, length) as one-hot rows (n, 4, length), in the order ACGT, with the dtype and device given."""
    rows = torch.from_numpy(tokens.astype(np.int64)).to(like.device)
    return torch.nn.functional.one_hot(rows, 4).transpose(1, 2).to(like.dtype)


def slopes(f: Differentiable, x: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gradients of each answer (n, length, 4, tasks) and the answers (n, tasks) at rows (n, 4, length)."""
    x = x.detach().requires_grad_(True)
    answers = f(x)
    if not answers.requires_grad:
        raise AttributionError(
            "no gradient of the answers reaches the sequence: the network, or reduce=, detaches it, leaves torch or "
            "counts letters; take method='ism', which needs answers alone"
        )
    last = answers.shape[1] - 1
    parts = [
        torch.autograd.grad(answers[:, k].sum(), x, retain_graph=k < last, materialize_grads=True)[0]
        for k in range(last + 1)
    ]
    gradient = torch.stack(parts, -1).transpose(1, 2)
    return gradient.double().cpu().numpy(), answers.detach().double().cpu().numpy()


def gradients(
    f: Differentiable, tokens: Tokens, *, batch: int, like: torch.Tensor, progress: Callable[[int], None]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gradients centered over the four bases, (n, length, 4, tasks), and the answers (n, tasks).

    The part of a gradient that is common to the bases points off the simplex of one-hot rows, where the network was
    never asked (Majdandzic et al. 2023, doi:10.1186/s13059-023-02956-3).
    """
    parts = []
    for start in range(0, len(tokens), batch):
        parts.append(slopes(f, one_hot(tokens[start : start + batch], like)))
        progress(len(parts[-1][1]))
    gradient = np.concatenate([part[0] for part in parts])
    return gradient - gradient.mean(2, keepdims=True), np.concatenate([part[1] for part in parts])


@dataclass(frozen=True)
class ScoresOverBaselines:
    """Scores (length, 4, tasks) of one sequence as a mean over baselines, and what they add up to.

    Attributes
    ----------
    score, se
        Mean over the baselines and its standard error, (length, 4, tasks).
    baseline_answers
        Answers to the baselines, (draws, tasks).
    completeness
        Sum of the observed bases' scores minus the mean difference of the answers, (tasks,).
    """

    score: NDArray[np.float64]
    se: NDArray[np.float64]
    baseline_answers: NDArray[np.float64]
    completeness: NDArray[np.float64]

    def is_complete(self, answer: NDArray[np.float64]) -> bool:
        """Say whether the scores add up to 1 % of the difference to the baselines, or of its sd where that is more."""
        return bool((np.abs(self.completeness) <= TOLERANCE * self.scale(answer)).all())

    def scale(self, answer: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what completeness is measured against, (tasks,)."""
        difference = np.abs(answer - self.baseline_answers.mean(0))
        rounding = 1e-4 * np.maximum(np.abs(answer), np.abs(self.baseline_answers).max(0))
        scale: NDArray[np.float64] = np.maximum.reduce([difference, self.baseline_answers.std(0), rounding])
        return scale


def integrated_gradients(
    f: Differentiable, tokens: Tokens, draws: Tokens, *, batch: int, like: torch.Tensor, n_steps: int
) -> ScoresOverBaselines:
    """Return integrated gradients of one sequence over its baselines (Sundararajan et al. 2017, arXiv:1703.01365).

    The score of base b at position i is ``mean over x' of sum_c m_ic (1[c = b] - x'_ic)``, where m is the mean gradient
    on the line from x' to x, by Gauss-Legendre quadrature; of the observed base that is the integrated gradient.

    Parameters
    ----------
    f
        The answers as a function of one-hot rows.
    tokens
        The sequence, (length,).
    draws
        Its baselines, (draws, length).
    batch
        Rows at once.
    like
        A tensor of the dtype and device of the network's input.
    n_steps
        Steps of the quadrature.
    """
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    x, baselines = one_hot(tokens[None], like), one_hot(draws, like)
    total: NDArray[np.float64] = np.zeros(())
    for start in range(0, len(draws) * n_steps, batch):
        pair, step = np.divmod(np.arange(start, min(start + batch, len(draws) * n_steps)), n_steps)
        share = torch.from_numpy((nodes[step] + 1) / 2).to(like)[:, None, None]
        gradient, _ = slopes(f, baselines[pair] + share * (x - baselines[pair]))
        if start == 0:
            total = np.zeros((len(draws), *gradient.shape[1:]))
        np.add.at(total, pair, gradient * (weights[step] / 2)[:, None, None, None])
    with torch.no_grad():
        answer = f(x).double().cpu().numpy()[0]
        baseline_answers = np.concatenate(
            [f(baselines[i : i + batch]).double().cpu().numpy() for i in range(0, len(draws), batch)]
        )
    at_baseline = np.take_along_axis(total, draws.astype(np.intp)[:, :, None, None], 2)
    scores = total - at_baseline
    score = scores.mean(0)
    se = scores.std(0, ddof=1) / np.sqrt(len(draws)) if len(draws) > 1 else np.zeros_like(score)
    observed = np.take_along_axis(score, tokens.astype(np.intp)[:, None, None], 1)
    return ScoresOverBaselines(score, se, baseline_answers, observed.sum((0, 1)) - (answer - baseline_answers.mean(0)))
