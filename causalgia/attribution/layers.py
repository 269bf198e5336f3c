"""Layers of a network by name: the activations of their channels, and the sites that
they read. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from causalgia.attribution.gradients import one_hot
from causalgia.checks import is_not_among
from causalgia.design import Uniform
from causalgia.errors import PredictorError, first_words, quoted
from causalgia.predict.torch_device import (
    exact_float32,
    in_eval_mode,
    is_exported,
    without_autocast,
)
from causalgia.predict.torch_exports import as_network_input
from causalgia.predict.torch_predictor import TorchPredictor
from causalgia.sequences.fasta import Sequences
from causalgia.types import Tokens

Side: TypeAlias = Literal["output", "input"]
_PROBE_SEQUENCES = 8
_ACTIVATION_ROUNDING = 1e-9
_LONGEST_READ_WHOLE = 1_000  # positions; of longer ones only the middle is changed


def same_options(whole: TorchPredictor) -> dict[str, Any]:
    """Return the options with which another network is read as that of a predictor
    is.
    """
    return {
        "tasks": whole._given_tasks,
        "scale": whole._given_scale,
        "device": whole.device,
        "batch_size": whole.batch_size,
        "layout": whole.layout,
        "alphabet": whole.alphabet,
        "heads": whole.heads,
        "reduce": whole.reduce,
        "rc_average": whole.rc_average,
        "track": whole.track,
        "opposite": whole.opposite,
        "length": whole.length,
        "dtype": whole.dtype if whole._half_accepted else None,
        "tf32": whole.tf32,
    }


def as_layer(
    network: nn.Module, layer: str, side: str, *, of_use: Sequence[str] = ()
) -> nn.Module:
    """Return the layer of that name; an error proposes one of `of_use`, if there are
    such.

    Raises
    ------
    PredictorError
        If the network has no layer of that name, which lists those that it has, or
        `side` is neither of its sides.
    """
    if side not in get_args(Side):
        raise PredictorError(f"side={quoted(side)} is neither 'output' nor 'input'")
    _check_has_layers(network)
    known: dict[str, nn.Module] = {
        name: part for name, part in network.named_modules() if name
    }
    if layer not in known:
        raise PredictorError(
            f"layer={quoted(layer)} "
            f"{is_not_among(str(layer), list(of_use or known), 'layer')}"
        )
    _check_has_layers(known[layer])
    return known[layer]


def _check_has_layers(network: nn.Module) -> None:
    """Raise PredictorError for a network whose layers torch does not call one by one."""
    if is_exported(network) or isinstance(network, torch.jit.ScriptModule):
        raise PredictorError(
            f"{type(network).__name__} is exported or scripted, and calls no layers"
        )


def channel_axis(part: nn.Module, x: torch.Tensor) -> int:
    """Return the axis of the channels: 1, but the last one of a linear layer along a
    sequence, and of attention.
    """
    return (
        x.ndim - 1
        if isinstance(part, nn.Linear | nn.LayerNorm | nn.MultiheadAttention)
        else 1
    )


@contextmanager
def met_at(
    part: nn.Module, side: Side, change: Callable[[torch.Tensor], torch.Tensor | None]
) -> Iterator[None]:
    """Call `change` with what a layer returns, or is given, and go on with what it
    returns, within the context.
    """

    def tensor(value: object) -> torch.Tensor:
        if isinstance(value, torch.Tensor) and value.ndim >= 2:
            return value
        raise PredictorError(
            f"the {side} of the {type(part).__name__} is {quoted(value)}, not a tensor "
            "(n, channels[, positions])"
        )

    def before(
        _: nn.Module, args: tuple[object, ...], options: dict[str, object]
    ) -> Any:
        given = dict(enumerate(args)) | options
        first = next(iter(given), 0)
        made = change(tensor(given.get(first)))
        if made is None:
            return None
        return (
            ((made, *args[1:]), options)
            if args
            else (args, options | {str(first): made})
        )

    def after(_: nn.Module, __: object, output: object) -> torch.Tensor | None:
        return change(tensor(output))

    at_input = side == "input"
    hook = (
        part.register_forward_pre_hook(before, with_kwargs=True)
        if at_input
        else part.register_forward_hook(after)
    )
    try:
        yield
    finally:
        hook.remove()


def activations(
    predictor: TorchPredictor, layer: str, side: Side, tokens: Tokens
) -> Iterator[NDArray[np.float64]]:
    """Yield what a layer answers to tokens (n, length), batch by batch: (b, channels,
    places).

    Raises
    ------
    PredictorError
        If there is no such layer, it takes no part in the forward pass or several
        times, or has two axes of places.
    """
    part = as_layer(predictor.module, layer, side)
    size = predictor.resolve_batch_size(tokens.shape[1])
    predictor.predict(tokens[:1])  # the network's own errors come with their cures
    for start in range(0, len(tokens), size):
        met: list[torch.Tensor] = []
        with met_at(part, side, met.append):
            call_network(predictor, tokens[start : start + size])
        check_met(len(met), layer)
        yield _by_channel(part, met[0], layer).double().cpu().numpy()


def call_network(
    predictor: TorchPredictor, tokens: Tokens, *, nan_at: int | None = None
) -> None:
    """Call the network once on tokens (b, length), for the hooks on its layers; with
    NaN in place of one base.
    """
    network, device = predictor.module, predictor.device
    like = torch.empty(0, dtype=predictor.dtype, device=device)
    exact, whole = exact_float32(device, tf32=False), without_autocast(device)
    with in_eval_mode(network), torch.inference_mode(), exact, whole:
        x = one_hot(tokens, like)
        if nan_at is not None:
            x[:, :, nan_at] = torch.nan
        network(as_network_input(predictor, x))


def check_met(n_calls: int, layer: str) -> None:
    """Raise PredictorError unless a layer was called once in a forward pass."""
    if n_calls != 1:
        raise PredictorError(
            f"layer {quoted(layer)} is called {n_calls} times in one forward pass; it "
            "must be called once"
        )


def _by_channel(part: nn.Module, x: torch.Tensor, layer: str) -> torch.Tensor:
    """Return (n, channels, places) of a layer's answer, in which axes of length 1 are
    left out.
    """
    if (
        isinstance(part, nn.MultiheadAttention) and not part.batch_first
    ):  # (places, n, channels)
        x = x.transpose(0, 1)
    first = x.movedim(channel_axis(part, x), 1)
    long = [size for size in first.shape[2:] if size > 1]
    if len(long) > 1:
        raise PredictorError(
            f"layer {quoted(layer)} answers {tuple(x.shape)}; (n, channels, places) "
            "has one axis of places"
        )
    return first.reshape(len(x), first.shape[1], -1)


def receptive_field(
    predictor: TorchPredictor, layer: str, side: Side, length: int
) -> tuple[int, int, int]:
    """Return where a place of a layer reads: the first base of place 0, the bases
    between places, and the width.

    In float64, on random sequences: a base is read by a place if a substitution changes
    any channel of it, or if the place has no number where the base has none.
    Substitutions alone do not move a channel that answers to rare motifs only, and what
    has no number is the same to any weight; but a comparison, or a lookup, may hide it.

    Raises
    ------
    PredictorError
        If places read the whole sequence, windows that do not move along it evenly, or
        windows of which none lies whole inside it.
    """
    exact = predictor.reference()
    probes = (
        Uniform(length=length).sample(_PROBE_SEQUENCES, rng=0)["sequence"].to_numpy()
    )
    before = np.concatenate(list(activations(exact, layer, side, probes)))

    def changed(bases: NDArray[np.int64]) -> NDArray[np.bool_]:
        found = np.zeros((len(bases), before.shape[2]), bool)
        for row, base in enumerate(bases):
            edited = probes.copy()
            edited[:, base] = (edited[:, base] + 1 + row % 3) % 4
            after = np.concatenate(list(activations(exact, layer, side, edited)))
            found[row] = (
                np.abs(after - before)
                > _ACTIVATION_ROUNDING * (np.abs(after) + np.abs(before))
            ).any((0, 1))
            found[row] |= _without_a_number(
                exact, layer, side, probes[:1], int(base), before.shape[2]
            )
        return found

    whole = PredictorError(
        f"each position of layer {quoted(layer)} reads the whole sequence ({length} "
        "bp), so its sites have no width of their own; use a layer nearer to "
        "the sequence, such as the first convolution, or give longer sequences",
    )
    cut_off = PredictorError(
        f"no position of layer {quoted(layer)} reads a window that lies whole "
        f"inside the sequence ({length} bp), so its width is not known; give "
        "longer sequences",
    )
    bases = np.arange(length)
    if length > _LONGEST_READ_WHOLE:
        met = np.flatnonzero(changed(np.array([length // 2])))
        reach = (
            (np.ptp(met) + 2) * -(-length // before.shape[2]) if len(met) else length
        )
        if 2 * reach >= length:
            raise whole
        bases = np.arange(length // 2 - reach, length // 2 + reach + 1)
    read = changed(bases)
    places = np.flatnonzero(
        read.any(0)
        & ~(
            read[0] | read[-1]
            if length > _LONGEST_READ_WHOLE
            else np.zeros_like(read[0])
        )
    )
    if not len(places):
        raise whole
    first = bases[read[:, places].argmax(0)]
    width = bases[len(bases) - 1 - read[::-1, places].argmax(0)] - first + 1
    full = width == width.max()
    at_places, starts = places[full], first[full]
    if width.max() >= length:
        raise whole
    n_steps = max(int(np.ptp(at_places)), 1)
    step = max(round(np.ptp(starts) / n_steps), 1)
    if len(at_places) == 1 < len(places):  # the others are cut off by the ends
        one = int(full.argmax())
        if not bases[0] < first[one] <= bases[-1] - width[one]:
            raise cut_off
        after = one + 1 < len(places)
        other = one + 1 if after else one - 1
        edge = first if after else first + width
        step = int((edge[other] - edge[one]) // (places[other] - places[one]))
    beyond = (exact, layer, side, length, before.shape[2], step)
    if length <= _LONGEST_READ_WHOLE and _width_beyond(*beyond) > width.max():
        raise cut_off
    start = int(starts[0] - step * at_places[0])
    if (starts != start + step * at_places).any():
        raise PredictorError(
            f"the positions of layer {quoted(layer)} read windows that are not "
            "evenly spaced along the sequence; use a layer nearer to the sequence, "
            "such as the first convolution",
        )
    return start, step, int(width.max())


def _width_beyond(
    predictor: TorchPredictor,
    layer: str,
    side: Side,
    length: int,
    n_places: int,
    step: int,
) -> float:
    """Return the least width of the windows of a layer on sequences of three times the
    length, where they lie whole inside: infinite if places are not as many bases apart
    there, 0 if the network takes no other length or has no more places then.
    """
    part = as_layer(predictor.module, layer, side)
    long, more = 3 * length, 2 * length
    probes = Uniform(length=long).sample(_PROBE_SEQUENCES, rng=0)["sequence"].to_numpy()

    def answer(tokens: Tokens) -> torch.Tensor | None:
        found: list[torch.Tensor] = []
        with met_at(part, side, found.append), suppress(*_REFUSALS):
            call_network(predictor, tokens)
        return _by_channel(part, found[0], layer).double() if found else None

    before = answer(probes)
    new = 0 if before is None else before.shape[2] - n_places
    if before is None or new <= 0:
        return 0
    if n_places > 1 and abs(new * step - more) >= 2 * step:
        return np.inf
    middle = long // 2
    bases = range(long) if n_places == 1 else range(middle, middle + min(step, 8))
    read = np.zeros((len(bases), before.shape[2]), bool)
    for row, base in enumerate(bases):
        edited = probes.copy()
        edited[:, base] = (edited[:, base] + 1) % 4
        after = answer(edited)
        if after is None:
            return 0
        rounding = _ACTIVATION_ROUNDING * (after.abs() + before.abs())
        moved = (after - before).abs() > rounding
        read[row] = moved.any(1).any(0).cpu().numpy()
    if n_places == 1:  # of one place, the bases between places are not known
        at = [np.flatnonzero(column) for column in read.T]
        return max((int(np.ptp(x)) + 1 for x in at if len(x)), default=0)
    places = [np.flatnonzero(one) for one in read]
    return max((int(np.ptp(x)) * step + 1 for x in places if len(x)), default=0)


_REFUSALS = RuntimeError, ValueError, AssertionError, IndexError, ArithmeticError
"""Errors of a network that is given what it does not take."""


def _without_a_number(
    predictor: TorchPredictor,
    layer: str,
    side: Side,
    tokens: Tokens,
    base: int,
    n_places: int,
) -> NDArray[np.bool_]:
    """Return which places of a layer are NaN, (places,), where a base is; none if the
    network refuses it before.
    """
    part, met = as_layer(predictor.module, layer, side), list[torch.Tensor]()
    with (
        met_at(part, side, met.append),
        suppress(*_REFUSALS),
    ):
        call_network(predictor, tokens, nan_at=base)
    if not met:
        return np.zeros(n_places, bool)
    return _by_channel(part, met[0], layer).isnan().any(1).any(0).cpu().numpy()


@dataclass(frozen=True)
class FilterSites:
    """Windows that excite a channel to more than half of its maximum over all
    sequences.

    Attributes
    ----------
    unit, channel, start
        Of each site, (m,): the row of its sequence, the channel, the first position of
        the window.
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
    side: Side,
    activation: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None,
) -> FilterSites:
    """Return the sites of each channel of a layer, those that leave a sequence left
    out.

    Raises
    ------
    PredictorError
        As `causalgia.attribution.filters`.
    """
    start, step, width = receptive_field(network, layer, side, of.length)
    parts, maximum, row = [], np.zeros(0), 0
    for block in activations(network, layer, side, of.tokens):
        first = start + step * np.arange(block.shape[2])
        inside = np.flatnonzero((first >= 0) & (first + width <= of.length))
        block = block[:, :, inside]
        if activation is not None:
            block = _activated(block, activation)
        peak = block.max((0, 2))
        maximum = np.maximum(maximum, peak) if len(maximum) else peak
        unit, channel, place = np.nonzero((block > maximum[:, None] / 2) & (block > 0))
        parts.append(
            (row + unit, channel, first[inside[place]], block[unit, channel, place])
        )
        row += len(block)
    unit, channel, begin, value = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    strong = value > maximum[channel] / 2
    return FilterSites(unit[strong], channel[strong], begin[strong], width, maximum)


def base_counts(tokens: Tokens, sites: FilterSites) -> NDArray[np.int64]:
    """Return how often each base is at each position of the sites of each channel,
    (channels, width, 4).
    """
    counts = np.zeros((len(sites.maximum), sites.width, 4), np.int64)
    for position in range(sites.width):
        bases = tokens[sites.unit, sites.start + position].astype(np.int64)
        np.add.at(counts[:, position], (sites.channel, bases), 1)
    return counts


def _activated(
    block: NDArray[np.float64],
    activation: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return a user's function of the values of a layer, of the same shape."""
    try:
        made = np.asarray(activation(block), dtype=np.float64)
    except Exception as error:
        raise PredictorError(
            f"activation= fails on an array of shape {block.shape}: "
            f"{first_words(error)}"
        ) from error
    if made.shape != block.shape:
        raise PredictorError(
            f"activation= makes of an array of shape {block.shape} one of {made.shape}"
        )
    return made


def first_activation(network: TorchPredictor, tokens: Tokens) -> tuple[str, Side]:
    """Return the layer, and its side, at which the first convolution has passed
    normalization and activation.

    That is the input of the first module behind it that is another kind of layer: one
    that has a matrix of weights, or changes the shape. If places are flattened before
    it, it is the output of the last module with places.

    Raises
    ------
    PredictorError
        If the network calls no convolution.
    """
    called: list[tuple[str, nn.Module, tuple[int, ...], tuple[int, ...]]] = []

    def after(name: str) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def hook(part: nn.Module, args: tuple[object, ...], output: object) -> None:
            tensors = (
                one if isinstance(one, torch.Tensor) else torch.empty(0, device="cpu")
                for one in (*args[:1], output)
            )
            shapes = [tuple(one.shape) for one in tensors]
            called.append((name, part, shapes[0], shapes[-1]))

        return hook

    _check_has_layers(network.module)
    leaves = [
        (name, part)
        for name, part in network.module.named_modules()
        if not next(part.children(), None)
    ]
    hooks = [part.register_forward_hook(after(name)) for name, part in leaves]
    try:
        call_network(network, tokens)
    finally:
        for hook in hooks:
            hook.remove()
    kinds = nn.Conv1d, nn.Conv2d
    first = next(
        (k for k, (_, part, _, _) in enumerate(called) if isinstance(part, kinds)), None
    )
    if first is None:
        raise PredictorError(
            f"{type(network.module).__name__} calls no nn.Conv1d or nn.Conv2d, whose "
            "channels would be filters; leave 'filters' out of method="
        )
    at: tuple[str, Side] = (called[first][0], "output")
    channels = called[first][3][:2]
    for name, part, given, made in called[first + 1 :]:
        if len(given) < len(called[first][3]) or given[:2] != channels:
            break
        if made != given or any(one.ndim > 1 for one in part.parameters(recurse=False)):
            return name, "input"
        at = name, "output"
    return at
