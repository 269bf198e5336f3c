"""Sites of the channels of a layer, and of the first convolution of a network as proposals. Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from causalgia.attribution.layers import At, activations, call_network, receptive_field
from causalgia.attribution.seqlets import Group, Windows, group_of, window_sums, windows_at
from causalgia.errors import AttributionError, quoted
from causalgia.predict.torch_predictor import TorchPredictor
from causalgia.sequences.fasta import Sequences
from causalgia.types import Tokens

_NARROWEST, _LEAST_BITS, _CHANCE_BITS = 4, 0.25, 2.16


@dataclass(frozen=True)
class FilterSites:
    """Windows that excite a channel to more than half of its maximum over all sequences.

    Attributes
    ----------
    unit, channel, start
        Of each site, (m,): the row of its sequence, the channel, the first position of the window.
    width
        Positions of the window, the receptive field of the layer.
    maximum
        Of each channel over all sequences, (channels,).
    """

    unit: NDArray[np.int64]
    channel: NDArray[np.int64]
    start: NDArray[np.int64]
    width: int
    maximum: NDArray[np.float64]


def filter_sites(
    network: TorchPredictor,
    layer: str,
    of: Sequences,
    at: At,
    activation: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> FilterSites:
    """Return the sites of each channel of a layer, those that leave a sequence left out.

    Raises
    ------
    AttributionError
        As `causalgia.attribution.filters`.
    """
    start, step, width = receptive_field(network, layer, at, of.length)
    parts, maximum, row = [], np.zeros(0), 0
    for block in activations(network, layer, at, of.tokens):
        first = start + step * np.arange(block.shape[2])
        inside = np.flatnonzero((first >= 0) & (first + width <= of.length))
        if not len(inside):
            raise AttributionError(
                f"layer {quoted(layer)} reads windows of {width} bp, and none lies within sequences of {of.length} bp; "
                "give longer sequences"
            )
        block = block[:, :, inside] if activation is None else activation(block[:, :, inside])
        peak = block.max((0, 2))
        maximum = np.maximum(maximum, peak) if len(maximum) else peak
        unit, channel, place = np.nonzero((block > maximum[:, None] / 2) & (block > 0))
        parts.append((row + unit, channel, first[inside[place]], block[unit, channel, place]))
        row += len(block)
    unit, channel, begin, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    kept = value > maximum[channel] / 2
    return FilterSites(unit[kept], channel[kept], begin[kept], width, maximum)


def base_counts(tokens: Tokens, sites: FilterSites) -> NDArray[np.int64]:
    """Return how often each base is at each position of the sites of each channel, (channels, width, 4)."""
    counts = np.zeros((len(sites.maximum), sites.width, 4), np.int64)
    for position in range(sites.width):
        bases = tokens[sites.unit, sites.start + position].astype(np.int64)
        np.add.at(counts[:, position], (sites.channel, bases), 1)
    return counts


def filter_groups(
    network: TorchPredictor, of: Sequences, contributions: NDArray[np.float64], width: int
) -> list[tuple[Windows, Group]]:
    """Return the sites of each channel of the first convolution as windows of a pattern.

    A window is cut to the positions in a row that have most information, and to the span of those among them with a
    quarter of a bit or more, and more than chance gives so few sites (2.16 bits over their number). Channels with sites
    in fewer than two sequences, or a span below four positions, propose nothing. The task is that in which the windows
    contribute most, in standard deviations of the contributions of single bases.

    Parameters
    ----------
    network
        The network.
    of
        The sequences.
    contributions
        Of the observed bases, (n, length, tasks).
    width
        Most positions of a window.

    Raises
    ------
    AttributionError
        If the network has no convolution, or places behind it read the whole sequence.
    """
    layer, at = first_activation(network, of.tokens[:1])
    sites = filter_sites(network, layer, of, at)
    counts = base_counts(of.tokens, sites)
    spread = np.maximum(contributions.std(axis=(0, 1)), np.finfo(float).tiny)
    found = []
    for channel, table in enumerate(counts):
        rows = np.flatnonzero(sites.channel == channel)
        if len(set(sites.unit[rows].tolist())) < 2:
            continue
        share = table / table.sum(axis=1, keepdims=True)
        bits = 2 + (share * np.log2(share, where=share > 0, out=np.zeros_like(share))).sum(axis=1)
        first = int(window_sums(bits[None], min(width, sites.width)).argmax())
        informative = first + np.flatnonzero(bits[first : first + width] > max(_LEAST_BITS, _CHANCE_BITS / len(rows)))
        if not len(informative) or np.ptp(informative) + 1 < _NARROWEST:
            continue
        unit, start, span = sites.unit[rows], sites.start[rows] + informative[0], int(np.ptp(informative)) + 1
        inside = contributions[unit[:, None], start[:, None] + np.arange(span)].sum(axis=1)
        task = int((np.abs(inside.mean(axis=0)) / spread).argmax())
        windows = windows_at(of.tokens, contributions, unit, start, np.full(len(unit), task), span)
        found.append((windows, group_of(np.arange(len(unit)), windows.letters)))
    return found


def first_activation(network: TorchPredictor, tokens: Tokens) -> tuple[str, At]:
    """Return the layer, and its side, at which the first convolution has passed normalization and activation.

    That is the input of the first module behind it that is another kind of layer: one that has a matrix of weights, or
    changes the shape. If places are flattened before it, it is the output of the last module with places.

    Raises
    ------
    AttributionError
        If the network calls no convolution.
    """
    called: list[tuple[str, nn.Module, tuple[int, ...], tuple[int, ...]]] = []

    def after(name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def hook(part: nn.Module, args: tuple[object, ...], output: object) -> None:
            tensors = (one if isinstance(one, torch.Tensor) else torch.empty(0) for one in (*args[:1], output))
            shapes = [tuple(one.shape) for one in tensors]
            called.append((name, part, shapes[0], shapes[-1]))

        return hook

    leaves = [(name, part) for name, part in network.module.named_modules() if not next(part.children(), None)]
    hooks = [part.register_forward_hook(after(name)) for name, part in leaves]
    try:
        call_network(network, tokens)
    finally:
        for hook in hooks:
            hook.remove()
    kinds = nn.Conv1d, nn.Conv2d
    first = next((k for k, (_, part, _, _) in enumerate(called) if isinstance(part, kinds)), None)
    if first is None:
        raise AttributionError(
            f"{type(network.module).__name__} calls no nn.Conv1d or nn.Conv2d, whose channels would be filters; leave "
            "'filters' out of method="
        )
    at: tuple[str, At] = (called[first][0], "output")
    channels = called[first][3][:2]
    for name, part, given, made in called[first + 1 :]:
        if len(given) < len(called[first][3]) or given[:2] != channels:
            break
        if made != given or any(one.ndim > 1 for one in part.parameters(recurse=False)):
            return name, "input"
        at = name, "output"
    return at
