"""Gradients of an answer at a sequence, and integrated along the line from baselines to it; needs torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import roots_legendre

from causalgia.errors import AttributionError
from causalgia.predict.answer_checks import first_line
from causalgia.predict.differentiable import Differentiable
from causalgia.types import Tokens

NO_GRADIENT = (
    "no gradient of the answers reaches the sequence: the network, or reduce=, detaches it, leaves torch or counts "
    "letters; take method='ism', which needs answers alone"
)


@contextmanager
def backward_errors(also: str = "") -> Iterator[None]:
    """Raise AttributionError where torch cannot differentiate a network, as after ``h += x`` on what it kept."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise AttributionError(
            f"the network cannot be differentiated as it is: {first_line(error)}; write operations in place, such as "
            f"h += x, as h = h + x{also}; or take method='ism', which needs answers alone"
        ) from error


def one_hot(tokens: Tokens, like: torch.Tensor) -> torch.Tensor:
    """Return tokens (n, length) as one-hot rows (n, 4, length), in the order ACGT, with the dtype and device given."""
    rows = torch.from_numpy(tokens.astype(np.int64)).to(like.device)
    return torch.nn.functional.one_hot(rows, 4).transpose(1, 2).to(like.dtype)


def slopes(f: Differentiable, x: torch.Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gradients of each answer (n, length, 4, tasks) and the answers (n, tasks) at rows (n, 4, length)."""
    x = x.detach().requires_grad_(True)
    answers = f(x)
    last = answers.shape[1] - 1
    parts: list[torch.Tensor | None] = []
    with backward_errors():
        for k in range(last + 1 if answers.requires_grad else 0):
            parts += torch.autograd.grad(answers[:, k].sum(), x, retain_graph=k < last, allow_unused=True)
    if all(part is None for part in parts):
        raise AttributionError(NO_GRADIENT)
    zeros = torch.zeros_like(x)
    gradient = torch.stack([zeros if part is None else part for part in parts], -1).transpose(1, 2)
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


def path_multipliers(
    f: Differentiable, tokens: Tokens, draws: Tokens, *, batch: int, like: torch.Tensor, n_steps: int
) -> NDArray[np.float64]:
    """Return mean gradients on the lines from baselines to a sequence (length,): (draws, length, 4, tasks).

    By Gauss-Legendre quadrature: the multipliers of integrated gradients (Sundararajan et al. 2017, arXiv:1703.01365).
    """
    nodes, weights = _legendre(n_steps)
    x, baselines = one_hot(tokens[None], like), one_hot(draws, like)
    total: NDArray[np.float64] = np.zeros(())
    for start in range(0, len(draws) * n_steps, batch):
        pair, step = np.divmod(np.arange(start, min(start + batch, len(draws) * n_steps)), n_steps)
        share = torch.from_numpy((nodes[step] + 1) / 2).to(like)[:, None, None]
        gradient, _ = slopes(f, baselines[pair] + share * (x - baselines[pair]))
        if start == 0:
            total = np.zeros((len(draws), *gradient.shape[1:]))
        np.add.at(total, pair, gradient * (weights[step] / 2)[:, None, None, None])
    return total


@cache
def _legendre(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nodes and weights on [-1, 1]; numpy takes the eigenvalues of a dense matrix, which at 4,096 is seconds."""
    nodes, weights = roots_legendre(n)
    return nodes, weights


def random_point_multipliers(
    f: Differentiable, tokens: Tokens, draws: Tokens, shares: NDArray[np.float64], *, batch: int, like: torch.Tensor
) -> NDArray[np.float64]:
    """Return gradients at one point of the line from each baseline to a sequence: (draws, length, 4, tasks).

    Shares (draws,) say how far along; uniform ones give the multipliers of expected gradients (Erion et al. 2021,
    doi:10.1038/s42256-021-00343-w), whose mean over draws is that of integrated gradients.
    """
    x, baselines = one_hot(tokens[None], like), one_hot(draws, like)
    parts = []
    for start in range(0, len(draws), batch):
        near = baselines[start : start + batch]
        share = torch.from_numpy(shares[start : start + batch]).to(like)[:, None, None]
        parts.append(slopes(f, near + share * (x - near))[0])
    return np.concatenate(parts)
