"""Channels of zeros, with which matrix products are faster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch.nn import functional

from causalgia.predict.incremental.graph import LocalValue
from causalgia.predict.incremental.window_steps import (
    Affine,
    Averaged,
    Convolved,
    Dense,
    End,
    Largest,
    Rectified,
    Step,
)

_LANES = 8
_MOST_ADDED = 8
"""Channels are made a multiple of the first by at most one for so many of theirs."""


def padded_channels(n: int) -> int:
    """Return how many channels n are padded to.

    A processor multiplies eight or sixteen numbers at once: a product with 60 columns
    takes 1.1 to 1.9 times as long as one with 64.

    Examples
    --------
    >>> [padded_channels(n) for n in (2, 20, 30, 60, 64, 100, 120)]
    [2, 20, 32, 64, 64, 104, 120]
    """
    more = -n % _LANES
    return n + more if more * _MOST_ADDED <= n else n


def pad_channels(
    steps: Sequence[Step], handed: Sequence[LocalValue | End], used: Sequence[bool]
) -> tuple[tuple[Step, ...], tuple[LocalValue | End, ...]]:
    """Return the steps and ends of a network with filters of zeros beside those of its
    convolutions.

    They are added where all layers up to the next convolution or dense layer leave
    channels of zeros zero; that layer's weights for them are zero too. `used` marks the
    values that anything depends on. Multiplications are counted without them.
    """
    made, ends = list(steps), list(handed)
    for number, step in enumerate(steps, 1):
        if not (used[number] and isinstance(step, Convolved) and step.groups == 1):
            continue
        more = padded_channels(step.channels) - step.channels
        reached = _reached(number, steps, handed, used)
        if not more or reached is None:
            continue
        values, takers, dense = reached
        made[number - 1] = _with_filters(made[number - 1], more)
        for value in values:
            made[value - 1] = _with_channels(made[value - 1], more)
        for taker in takers:
            made[taker - 1] = _with_inputs(made[taker - 1], more)
        for place in dense:
            end = ends[place]
            assert isinstance(end, Dense)
            assert end.weight is not None
            weight = functional.pad(end.weight, (0, 0, 0, more)).contiguous()
            ends[place] = replace(end, weight=weight)
    return tuple(made), tuple(ends)


def _reached(
    number: int,
    steps: Sequence[Step],
    handed: Sequence[LocalValue | End],
    used: Sequence[bool],
) -> tuple[list[int], list[int], list[int]] | None:
    """Return what takes the channels of a value: the numbers of values that have them
    too, those of convolutions, and the places of dense layers; None if anything else
    takes them.
    """
    values, takers, dense = [number], list[int](), list[int]()
    for value in values:  # which grows
        for place, item in enumerate(handed):
            source = item.source if isinstance(item, End) else item.number
            if source == value:
                if not isinstance(item, Dense):
                    return None
                dense.append(place)
        for taker, step in enumerate(steps, 1):
            if not used[taker] or value not in step.sources:
                continue
            if isinstance(step, Convolved) and step.groups == 1:
                takers.append(taker)
            elif isinstance(step, Rectified | Largest | Averaged | Affine):
                values.append(taker)
            else:
                return None
    return values[1:], takers, dense


def _with_filters(step: Step, more: int) -> Step:
    """Return a convolution with more filters, of zeros."""
    assert isinstance(step, Convolved)
    weight = functional.pad(step.weight, (0, 0, 0, 0, 0, more))
    bias = None if step.bias is None else functional.pad(step.bias, (0, more))
    made = replace(step, weight=weight, bias=bias, channels=step.channels + more)
    made.macs = step.macs
    return made


def _with_inputs(step: Step, more: int) -> Step:
    """Return a convolution that takes more channels, of which it makes nothing."""
    assert isinstance(step, Convolved)
    made = replace(step, weight=functional.pad(step.weight, (0, 0, 0, more)))
    made.macs = step.macs
    return made


def _with_channels(step: Step, more: int) -> Step:
    """Return a step between them for more channels."""
    if isinstance(step, Affine):
        factor, shift = (
            functional.pad(x, (0, more)) for x in (step.factor, step.shift)
        )
        step = replace(step, factor=factor, shift=shift)
    return replace(step, channels=step.channels + more)
