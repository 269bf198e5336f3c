"""Networks: the two small architectures of the trained networks, and oracles as
networks. Needs torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from causalgia.errors import PredictorError
from causalgia.zoo.arrangements import Hairpin, Pair
from causalgia.zoo.automaton import ANY, BaseSets, Site, n_windows
from causalgia.zoo.terms import (
    Exponential,
    Gate,
    Hill,
    Linear,
    Response,
    Saturating,
    Term,
)

if TYPE_CHECKING:
    from causalgia.zoo.grammar import Oracle

#: length of the sequences of the trained networks: that of an RNAcompete probe
LENGTH = 41


class Convolution(nn.Sequential):
    """A convolution that preserves the length, with batch normalization."""

    def __init__(
        self, channels: int, filters: int, width: int, *, dilation: int = 1
    ) -> None:
        kernel = nn.Conv1d(
            channels, filters, width, padding="same", dilation=dilation, bias=False
        )
        super().__init__(kernel, nn.BatchNorm1d(filters))


class DilatedResidual(nn.Module):
    """Residual block of convolutions with increasing dilation: ``relu(x + f(x))``."""

    def __init__(self, filters: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(
            [Convolution(filters, filters, 3, dilation=d) for d in dilations]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the shape of x, (n, filters, length)."""
        step = x
        for i, convolution in enumerate(self.steps):
            step = convolution(step.relu() if i else step)
        return (x + step).relu()


class ResidualNetwork(nn.Module):
    """A small network after ResidualBind: wide filters, a dilated residual block, mean
    pooling, a dense layer.

    Takes one-hot (n, 4, 41), channels A C G T, and returns (n, 1). It has a tenth of
    the size of the published network, and no dropout, since training data are
    simulated.

    References
    ----------
    Koo, Majdandzic, Ploenzke, Anand & Paul (2021) Global importance analysis.
    doi:10.1371/journal.pcbi.1008925

    Examples
    --------
    >>> import torch
    >>> ResidualNetwork()(torch.zeros(2, 4, 41)).shape
    torch.Size([2, 1])
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = Convolution(4, 32, 11)
        self.block = DilatedResidual(32, (1, 2, 4))
        self.pool = nn.AvgPool1d(4)
        self.dense = nn.Linear(32 * (LENGTH // 4), 64)
        self.last = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for each one-hot sequence."""
        _check_length(x)
        features = self.pool(self.block(self.first(x).relu()))
        answer: Tensor = self.last(self.dense(features.flatten(1)).relu())
        return answer


class ExponentialNetwork(nn.Module):
    """A small convolutional network whose first layer's activation is the exponential.

    Takes one-hot (n, 4, 41), channels A C G T, and returns (n, 1). The exponential
    keeps background noise out of the deeper layers, so that the first filters become
    whole motifs.

    References
    ----------
    Koo & Ploenzke (2021) Improving representations of genomic sequence motifs in
    convolutional networks with exponential activations. doi:10.1038/s42256-020-00291-x

    Examples
    --------
    >>> import torch
    >>> ExponentialNetwork()(torch.zeros(2, 4, 41)).shape
    torch.Size([2, 1])
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = Convolution(4, 32, 19)
        self.second = Convolution(32, 32, 9)
        self.pool = nn.AvgPool1d(4)
        self.dense = nn.Linear(32 * (LENGTH // 4), 64)
        self.last = nn.Linear(64, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for each one-hot sequence."""
        _check_length(x)
        features = self.pool(self.second(self.first(x).exp()).relu())
        answer: Tensor = self.last(self.dense(features.flatten(1)).relu())
        return answer


NETWORKS: dict[str, type[nn.Module]] = {
    "residual": ResidualNetwork,
    "exponential": ExponentialNetwork,
}


def _check_length(x: Tensor) -> None:
    if x.shape[1:] != (4, LENGTH):
        raise PredictorError(
            f"the zoo's trained networks take one-hot (n, 4, {LENGTH}), not "
            f"{tuple(x.shape)}"
        )


class Twin(nn.Module):
    """An oracle as a network from one-hot (n, 4, length), channels A C G T, to (n,
    tasks), in the dtype of the input.

    A motif is matched by a product of one-hot entries, so the network is smooth between
    one-hot inputs, and the gradient at a window of a motif gives the exact effects of
    single substitutions.

    Examples
    --------
    >>> from causalgia.sequences import encode, one_hot
    >>> from causalgia.zoo import Oracle, MotifCount
    >>> Twin(Oracle(MotifCount("GATA", 2.0)))(
    ...     torch.tensor(one_hot(encode("GATAC")))
    ... ).tolist()
    [[2.0]]
    """

    weights: Tensor
    intercepts: Tensor

    def __init__(self, oracle: Oracle) -> None:
        super().__init__()
        self.oracle = oracle
        self.register_buffer(
            "weights", torch.tensor(oracle.weights, dtype=torch.float64, device="cpu").T
        )
        self.register_buffer(
            "intercepts",
            torch.tensor(oracle.intercepts, dtype=torch.float64, device="cpu"),
        )

    def extra_repr(self) -> str:
        return repr(self.oracle)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output for each one-hot sequence."""
        if x.ndim != 3 or x.shape[1] != 4:
            raise PredictorError(
                f"an oracle takes one-hot (n, 4, length), not {tuple(x.shape)}"
            )
        self.oracle.check(x.shape[2])
        scores = torch.stack(
            [_term_score(term, x) for term in self.oracle.terms], dim=1
        )
        total = self.intercepts.to(scores) + scores @ self.weights.to(scores)
        return total.exp() if self.oracle.link == "exp" else total


def _pattern_indicators(x: Tensor, pattern: BaseSets) -> Tensor:
    windows = n_windows(x.shape[2], len(pattern))
    product = x.new_ones(len(x), windows)
    for k, bases in enumerate(pattern):
        if bases != ANY:
            members = [base for base in range(4) if bases >> base & 1]
            product = product * x[:, members, k : k + windows].sum(dim=1)
    return product


def _site_indicators(x: Tensor, site: Site) -> Tensor:
    return torch.stack(
        [sign * _pattern_indicators(x, pattern) for sign, pattern in site.signed]
    ).sum(dim=0)


def _term_score(term: Term, x: Tensor) -> Tensor:
    match term:
        case Linear():
            return _site_indicators(x, term.site()) @ x.new_tensor(
                term.vector(x.shape[2])
            )
        case Saturating():
            return _apply_response(
                term.response,
                torch.stack([_term_score(part, x) for part in term.terms]).sum(dim=0),
            )
        case Pair():
            h, sites = term.by_distance(x.shape[2]), term.orders()
            pairs = [
                _pair_score(_site_indicators(x, a), _site_indicators(x, b), h)
                for a, b in sites
            ]
            return torch.stack(pairs).sum(dim=0)
        case Gate():
            absent = torch.stack(
                [(1 - _site_indicators(x, site)).prod(dim=1) for site in term.sites()]
            )
            opened = (
                (1 - absent).prod(dim=0)
                if term.logic == "and"
                else 1 - absent.prod(dim=0)
            )
            return term.bonus * opened
        case Hairpin():
            motif = _site_indicators(x, Site.of(term.motif))
            return term.bonus * torch.stack(
                [_hairpin_score(term, x, motif, loop) for loop in term.loops]
            ).sum(dim=0)
    raise PredictorError(f"{type(term).__name__} has no PyTorch twin")


def _pair_score(upstream: Tensor, downstream: Tensor, h: np.ndarray) -> Tensor:
    """Return for each row the sum of h(j - i) upstream_i downstream_j; h(0) is 0."""
    n, exact = (
        upstream.shape[1] + len(h),
        torch.promote_types(upstream.dtype, torch.float32),
    )
    kernel = torch.fft.rfft(torch.tensor(h, dtype=exact, device=upstream.device), n)
    reached = torch.fft.irfft(torch.fft.rfft(upstream.to(exact), n) * kernel, n)[
        :, : downstream.shape[1]
    ]
    sums: Tensor = (reached.to(downstream) * downstream).sum(dim=1)
    return sums


def _hairpin_score(term: Hairpin, x: Tensor, motif: Tensor, loop: int) -> Tensor:
    windows = n_windows(x.shape[2], 2 * term.stem + loop)
    closed, pairing = x.new_ones(len(x), windows), x.new_tensor(term.pairing)
    for left, right in term.stem_pairs(loop):
        partner = torch.einsum("ncl,cd->ndl", x[:, :, right : right + windows], pairing)
        closed = closed * (x[:, :, left : left + windows] * partner).sum(dim=1)
    inside = torch.stack(
        [motif[:, place : place + windows] for place in term.places(loop)]
    ).sum(dim=0)
    return (closed * inside).sum(dim=1)


def _apply_response(response: Response, score: Tensor) -> Tensor:
    if isinstance(response, Hill):
        x: Tensor = score.clamp(min=0) ** response.power
        answer: Tensor = response.top * x / (response.half**response.power + x)
        return answer
    if isinstance(response, Exponential):
        return response.top * -torch.expm1(-score / response.scale)
    raise PredictorError(f"{type(response).__name__} has no PyTorch twin")
