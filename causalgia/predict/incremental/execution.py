"""Execution of the control pass and of edits: changes are propagated from layer to
layer, many edits at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch

from causalgia.predict.incremental.graph import LocalValue
from causalgia.predict.incremental.program import Network, Windows, in_network
from causalgia.predict.incremental.window_steps import (
    Additive,
    Averaged,
    End,
    Linear,
    Nonlinear,
    Span,
    Stretch,
    clipped,
)
from causalgia.types import Ints, Tokens

_UNITS_A_PASS = 256
_MOST_KEPT = 2**28
_MOST_EDITS = 512
_BYTES_A_LAYER = 2**22  # of the edits that are predicted at once, in the largest layer
_HANDED = 2_048
_WINDOWS_KEPT = 2**13
_STARTS, _MORE, _FEW_OF_A_PHASE = 8, 1.2, 128
_MANY_OF_A_SPAN = 128


class Runner:
    """Runs one network; `columns` reads (rows, tasks) from the network's output for a
    number of rows.

    `budget` is the largest size in bytes of a value of the control pass; all values of
    a stored control take at most 256 MiB, and the largest of a pass over edits 4 MiB,
    so that it stays in a processor's cache.
    """

    def __init__(
        self,
        network: Network,
        *,
        columns: Callable[[Any, int], torch.Tensor],
        order: tuple[int, ...],
        dtype: torch.dtype,
        device: torch.device,
        budget: int,
    ) -> None:
        self.network = network
        self._columns = columns
        self.make: dict[str, Any] = {"dtype": dtype, "device": device}
        self._order = torch.tensor(order, dtype=torch.uint8, device=device)
        alone = self.one_hot(np.arange(4, dtype=np.uint8)[:, None])[0]
        self._replaced = (alone[None] - alone[:, None]).view(16, 4)
        sizes = [
            n * c
            for n, c, used in zip(
                network.lengths, network.channels, network.used, strict=True
            )
            if used
        ]
        n_values = sum(
            network.lengths[i] * network.channels[i] for i in network.retained
        )
        fitting = (budget // max(sizes), _MOST_KEPT // max(n_values, 1))
        n = min(_UNITS_A_PASS, max(1, min(fitting) // dtype.itemsize))
        self.units = n // 8 * 8 or n
        self._windows: dict[tuple[Span, int], Windows] = {}
        self._steps: dict[int, int] = {}

    def windows(self, span: Span, moves: int) -> Windows:
        """Return the windows of edits of a span and up to so many periods to the right
        of it, cached.
        """
        if (span, moves) not in self._windows:
            if len(self._windows) >= _WINDOWS_KEPT:
                self._windows.clear()
            self._windows[span, moves] = self.network.windows(span, moves)
        return self._windows[span, moves]

    def step(self, width: int) -> int:
        """Return to multiples of which starts are rounded, so that edits have fewer
        phases at little more work.
        """
        if width not in self._steps:
            period, middle = self.network.period, self.network.length // 2
            shares = {
                step: np.mean(
                    [
                        self.network.share((middle + s, middle + s + width + step - 1))
                        for s in starts
                    ]
                )
                for step in range(1, period + 1)
                if period % step == 0
                for starts in [
                    range(
                        -(middle % step),
                        period,
                        step * max(1, period // step // _STARTS),
                    )
                ]
            }
            self._steps[width] = max(
                (step for step in shares if shares[step] <= _MORE * shares[1]),
                default=1,
            )
        return self._steps[width]

    def one_hot(self, tokens: Tokens) -> torch.Tensor:
        """Return tokens (rows, width) as (width, rows, 4)."""
        # torch warns of what is read-only
        letters = torch.from_numpy(tokens.T.copy()).to(self.make["device"])
        return (letters.unsqueeze(2) == self._order).to(self.make["dtype"])

    def replacements(self, old: Tokens, new: Tokens) -> torch.Tensor:
        """Return how the one-hot rows of tokens (rows, width) change, (width, rows, 4).

        It is read from a table of the 16 pairs of letters.
        """
        pairs = self.index((old.T.astype(np.int64, order="C") << 2) | new.T)
        return self._replaced.index_select(0, pairs.view(-1)).view(*pairs.shape, 4)

    def index(self, places: Ints) -> torch.Tensor:
        """Return an index on the device."""
        return torch.from_numpy(places).to(self.make["device"])

    def answers(self, handed: list[torch.Tensor], n_rows: int) -> torch.Tensor:
        """Return the columns (rows, tasks) for the output of the local part."""
        return self._columns(self.network.rest(*handed), n_rows)


class ControlBlock:
    """Some units with their control pass; `control` are its answers (n, tasks)."""

    def __init__(self, runner: Runner, tokens: Tokens) -> None:
        self.runner = runner
        self._tokens = tokens
        self.trusted: bool | None = None
        """Whether the control agrees with full passes; None if that was not checked."""
        network, n = runner.network, len(tokens)
        values = {0: Stretch(runner.one_hot(tokens), (0, network.length))}
        self._kept = {0: values[0]} if 0 in network.retained else {}
        for number, step in network.running:
            whole, sources = (
                (0, step.length),
                [values[source] for source in step.sources],
            )
            if isinstance(step, Linear):
                made = step.whole(sources)
            else:
                assert isinstance(step, Nonlinear)
                made = step.compute(whole, sources)
            values[number] = Stretch(made, whole)
            if number in network.retained:
                self._kept[number] = Stretch(made.contiguous(), whole)
            for done in network.last_uses.get(number, ()):
                del values[done]
        self._ends: list[torch.Tensor | None] = []
        self._beside: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        handed = []
        for item in network.handed:
            if isinstance(item, LocalValue):
                self._ends.append(None)
                handed.append(in_network(item.laid, values[item.number].values))
                continue
            end = item.whole(values[item.source].values)
            self._ends.append(end)
            handed.append(end.reshape(n, *item.shape).clone())
            if not isinstance(item, Additive):
                # the maxima before each position, and from each position on,
                # (positions + 1, rows, channels)
                x = values[item.source].values
                none = torch.full_like(x[:1], -torch.inf)
                self._beside[item.source] = (
                    torch.cat([none, x.cummax(0)[0]]),
                    torch.cat([x.flip(0).cummax(0)[0].flip(0), none]),
                )
        self.control = runner.answers(handed, n)

    def edited(
        self, groups: list[EditGroup], tokens: Tokens, rows: Ints
    ) -> torch.Tensor:
        """Return the answers (m, tasks) of the edits of some groups, one after another.

        Of all edits that a group's places are among, `tokens` (n, length) are the
        sequences, `rows` (n,) their units.
        """
        runner, waiting = self.runner, list[list[torch.Tensor]]()
        whole = any(isinstance(item, LocalValue) for item in runner.network.handed)
        made, order, n_waiting = list[torch.Tensor](), list[Ints](), 0
        for group in groups:
            sorted_places = np.lexsort((rows[group.places], group.starts))
            order.append(sorted_places + sum(map(len, order)))
            for chunk in self._chunks(group, tokens, rows, sorted_places):
                waiting.append(chunk.run())
                n_waiting += len(waiting[-1][0])
                if whole or n_waiting >= _HANDED:
                    made.append(
                        runner.answers(
                            [torch.cat(parts) for parts in zip(*waiting, strict=True)],
                            n_waiting,
                        )
                    )
                    waiting, n_waiting = [], 0
        if waiting:
            made.append(
                runner.answers(
                    [torch.cat(parts) for parts in zip(*waiting, strict=True)],
                    n_waiting,
                )
            )
        answers = torch.cat(made)
        back = torch.empty_like(answers)
        back[runner.index(np.concatenate(order))] = answers
        return back

    def _chunks(
        self, group: EditGroup, tokens: Tokens, rows: Ints, order: Ints
    ) -> Iterator[_Chunk]:
        """Yield the edits in the order, cut into parts that go through the layers
        together.
        """
        first_start, width, runner = (
            int(group.starts[order[0]]),
            group.width,
            self.runner,
        )
        windows = runner.windows((first_start, first_start + width), 0)
        spans = [held or touched for touched, held in zip(*windows, strict=True)]
        sized = zip(spans, runner.network.channels, strict=True)
        largest = max((span[1] - span[0]) * n for span, n in sized if span is not None)
        at_once = int(
            min(
                max(1, _BYTES_A_LAYER // (largest * runner.make["dtype"].itemsize)),
                _MOST_EDITS,
            )
        )
        for first in range(0, len(order), at_once):
            mine = order[first : first + at_once]
            starts, places = group.starts[mine], group.places[mine]
            letters = starts[:, None] + np.arange(width)
            inside = np.minimum(letters, tokens.shape[1] - 1)
            old, new = (
                self._tokens[rows[places, None], inside],
                tokens[places[:, None], inside],
            )
            new = np.where(inside == letters, new, old)
            yield _Chunk(self, starts, rows[places], runner.replacements(old, new))


class _Chunk:
    """Edits of one width and phase that go through the layers together; those of one
    place follow each other.
    """

    def __init__(
        self, block: ControlBlock, starts: Ints, rows: Ints, change: torch.Tensor
    ) -> None:
        self._block, self._runner, self._network = (
            block,
            block.runner,
            block.runner.network,
        )
        self._change, self._n_rows = change, len(rows)
        self._period = max(self._network.period, 1)
        self._moves = (starts - starts[0]) // self._period
        self._span = int(starts[0]), int(starts[0]) + len(change)
        self._by_stride: dict[int, torch.Tensor] = {}
        self._rows, self._moved = (
            self._runner.index(rows),
            self._runner.index(self._moves),
        )

    def run(self) -> list[torch.Tensor]:
        """Return what the local part hands to the rest."""
        network, last = self._network, int(self._moves[-1])
        windows = self._runner.windows(self._span, last)
        self._values: dict[int, Stretch] = {}
        self._changes = {0: Stretch(self._change, self._span)}
        if 0 in network.wanted_values:
            self._made(0, windows)
        for number, step in network.running:
            touched, held = windows.touched[number], windows.held[number]
            if touched is None:
                continue
            if isinstance(step, Linear):
                out = self._made(number, windows)
                changes = [self._changes.get(source) for source in step.sources]
                if isinstance(step, Averaged):
                    summed = Stretch(torch.zeros_like(out.values), out.span)
                    step.add(summed, changes)
                    places = self._positions(number, out.span).clamp_(
                        0, step.length - 1
                    )
                    out.values.addcmul_(
                        summed.values,
                        step.factors.to(summed.values)[places].unsqueeze(2),
                    )
                else:
                    step.add(out, changes)
            else:
                assert isinstance(step, Nonlinear)
                assert held is not None
                out = Stretch(step.compute(held, self._inputs(step, held)), held)
                self._values[number] = out
            if number in network.wanted_changes:
                change = out
                if number in network.wanted_values or isinstance(step, Nonlinear):
                    control = self._control(number, touched)
                    change = Stretch(
                        torch.sub(out.at(touched), control, out=control), touched
                    )
                self._fill_outside(number, change, 0.0)
                self._changes[number] = change
            for done in network.last_uses.get(number, ()):
                self._values.pop(done, None)
                self._changes.pop(done, None)
        return [
            self._handed(item, end)
            for item, end in zip(network.handed, self._block._ends, strict=True)
        ]

    def _made(self, number: int, windows: Windows) -> Stretch:
        """Return what a linear step adds to: its control where values are wanted, zeros
        where changes alone are.
        """
        held, touched = windows.held[number], windows.touched[number]
        if held is not None:
            out = self._values[number] = Stretch(self._control(number, held), held)
            if number == 0:
                assert touched is not None
                out.at(touched).add_(self._change)
            return out
        assert touched is not None
        shape = (touched[1] - touched[0], self._n_rows, self._network.channels[number])
        return Stretch(torch.zeros(shape, **self._runner.make), touched)

    def _inputs(self, step: Nonlinear, span: Span) -> list[Stretch]:
        """Return the values of a step's sources that a span of outputs needs."""
        found = []
        for source in step.sources:
            need = clipped(step.needed(span), self._bounds(source))
            assert need is not None
            values = self._values.get(source) or Stretch(
                self._control(source, need), need
            )
            values = Stretch(values.at(need), need)
            if step.border is not None:
                self._fill_outside(source, values, step.border)
            found.append(values)
        return found

    def _stride(self, number: int) -> int:
        return (
            self._period // self._network.strides[number]
            if self._network.strides
            else 1
        )

    def _bounds(self, number: int) -> Span:
        """Return the positions, of the first edit, that are inside the sequence in any
        edit.
        """
        return -int(self._moves[-1]) * self._stride(number), self._network.lengths[
            number
        ]

    def _positions(self, number: int, span: Span) -> torch.Tensor:
        """Return the position of each place of a window in each edit, (width, rows)."""
        stride = self._stride(number)
        if stride not in self._by_stride:
            self._by_stride[stride] = self._moved * stride
        return (
            torch.arange(*span, device=self._moved.device)[:, None]
            + self._by_stride[stride]
        )

    def _is_inside(self, number: int, span: Span) -> bool:
        """Say whether a window is inside the sequence in every edit."""
        return (
            span[0] >= 0
            and span[1] - self._bounds(number)[0] <= self._network.lengths[number]
        )

    def _control(self, number: int, span: Span) -> torch.Tensor:
        """Return a copy of the control of a window in each edit; outside the sequence
        that of its border.
        """
        whole = self._block._kept[number].values
        if not self._moves[-1] and self._is_inside(number, span):
            return whole[slice(*span)].index_select(1, self._rows)
        places = self._positions(number, span)
        if not self._is_inside(number, span):
            places.clamp_(0, len(whole) - 1)
        index = places.mul_(whole.shape[1]).add_(self._rows).view(-1)
        return (
            whole.view(-1, whole.shape[2])
            .index_select(0, index)
            .view(-1, self._n_rows, whole.shape[2])
        )

    def _fill_outside(self, number: int, values: Stretch, fill: float) -> None:
        """Fill a window's positions that are outside the sequence."""
        if self._is_inside(number, values.span):
            return
        places = self._positions(number, values.span)
        outside = (places < 0) | (places >= self._network.lengths[number])
        values.values.masked_fill_(outside.unsqueeze(2), fill)

    def _handed(self, item: LocalValue | End, end: torch.Tensor | None) -> torch.Tensor:
        number = item.source if isinstance(item, End) else item.number
        length, change = self._network.lengths[number], self._changes.get(number)
        if isinstance(item, LocalValue):
            return in_network(item.laid, self._whole(number))
        assert end is not None
        made = end[self._rows]
        if isinstance(item, Additive):
            if change is not None:
                item.add(made, change, self._moves * self._stride(number), length)
        elif number in self._values:
            values = self._values[number]
            self._fill_outside(number, values, -torch.inf)
            before, after = self._block._beside[number]
            sides = (before, values.span[0]), (after, values.span[1])
            made = values.values.amax(0)
            for side, place in sides:
                places = (place + self._moved * self._stride(number)).clamp_(0, length)
                made = torch.maximum(made, side[places, self._rows])
        return made.reshape(self._n_rows, *item.shape)

    def _whole(self, number: int) -> torch.Tensor:
        """Return whole sequences of a value, (positions, rows, channels)."""
        whole = self._block._kept[number].values.index_select(1, self._rows)
        if number in self._values:
            values = self._values[number]
            places = self._positions(number, values.span)
            inside = (places >= 0) & (places < len(whole))
            index = (
                places * self._n_rows + torch.arange(self._n_rows, device=places.device)
            )[inside]
            whole.view(-1, whole.shape[2])[index] = values.values[inside]
        return whole


class EditGroup(NamedTuple):
    """Edits of at most `widest` letters that are treated as edits of one `width` and
    whose windows have one shape.

    `places` (m,) are their places among all edits, `starts` (m,) the first letter of
    each.
    """

    widest: int
    width: int
    places: Ints
    starts: Ints


_COMPARED = 2**22


def changed_spans(base: Tokens, edited: Tokens, rows: Ints) -> tuple[Ints, Ints]:
    """Return the first changed position of each edited sequence (m, length), and one
    past the last.

    Row i is compared with ``base[rows[i]]``; both are -1 if nothing differs.

    Examples
    --------
    >>> base = np.zeros((2, 6), np.uint8)
    >>> edited = np.array([[0, 1, 0, 2, 0, 0], [0, 0, 0, 0, 0, 0]], np.uint8)
    >>> changed_spans(base, edited, np.array([0, 1]))
    (array([ 1, -1]), array([ 4, -1]))
    """
    starts, stops = (np.full(len(rows), -1, np.int64) for _ in range(2))
    length = base.shape[1]
    for first in range(0, len(rows), step := max(1, _COMPARED // length)):
        part = slice(first, first + step)
        differs = edited[part] != base[rows[part]]
        some = differs.any(axis=1)
        starts[part][some] = differs[some].argmax(axis=1)
        stops[part][some] = length - differs[some, ::-1].argmax(axis=1)
    return starts, stops


def width_class(width: int) -> int:
    """Return the widest edit that is treated like one of a width: 1, 2, 3, 4, 6, 8, 12,
    16, 24, ...

    Examples
    --------
    >>> [width_class(width) for width in (1, 5, 8, 10, 13, 17, 40)]
    [1, 6, 8, 12, 16, 24, 48]
    """
    power = 1 << max(width - 1, 0).bit_length()
    return power * 3 // 4 if power >= 4 and width <= power * 3 // 4 else power


def grouped(
    starts: Ints, stops: Ints, *, period: int, step: Callable[[int], int] = lambda _: 1
) -> list[EditGroup]:
    """Return groups of edits of one width whose starts differ by multiples of the
    period; unedited rows are in none.

    The letters at the ends of an edit may be unchanged by chance: edits of half of a
    width and more, and narrower ones if they are few, are treated alike. Those of one
    span are a group where they are many, with the few of spans inside of it. The others
    are widened to the width, and start where most edits of that width do, if that
    covers them. If few are of each phase, starts are rounded down to multiples of the
    step of their width. A period of 0 says that windows have one shape at one place
    alone. A group's last letters may lie behind the end of the sequence.

    Examples
    --------
    >>> starts, stops = np.array([4, 4, 5, -1, 20]), np.array([8, 8, 8, -1, 24])
    >>> for group in grouped(starts, stops, period=4):
    ...     print(group.width, group.places, group.starts)
    4 [0 1 2 4] [ 4  4  4 20]
    """
    places, widths = np.flatnonzero(starts >= 0), stops - starts
    found = list[EditGroup]()
    while len(places):
        width = int(widths[places].max())
        mine = places[2 * widths[places] >= width]
        mine = places if len(places) - len(mine) <= len(mine) // 4 else mine
        places = np.setdiff1d(places, mine)
        of_spans, mine = _of_one_span(starts, widths, mine, period=period)
        found += of_spans
        if not len(mine):
            continue
        first = starts[mine]
        common = np.bincount(
            first[widths[mine] == width], minlength=int(first.max()) + 1
        )
        best = common[first]
        for candidate in range(1, width - int(widths[mine].min()) + 1):
            other = np.maximum(starts[mine] - candidate, 0)
            better = (other + width >= stops[mine]) & (common[other] > best)
            first, best = (
                np.where(better, other, first),
                np.where(better, common[other], best),
            )
        phase = first % period if period else first
        n_phases, each = np.count_nonzero(np.bincount(phase)), 1
        if 1 < n_phases <= period and len(mine) < n_phases * _FEW_OF_A_PHASE:
            each = step(width)
            first, phase = first // each * each, phase // each * each
        found += [
            EditGroup(width, width + each - 1, mine[phase == one], first[phase == one])
            for one in np.flatnonzero(np.bincount(phase))
        ]
    return found


def _of_one_span(
    starts: Ints, widths: Ints, places: Ints, *, period: int
) -> tuple[list[EditGroup], Ints]:
    """Return a group for each span of many edits, with the few of spans inside it, and
    the places of all others.
    """
    if len(places) < _MANY_OF_A_SPAN:
        return [], places
    first, wide = starts[places], widths[places]
    widest = int(wide.max())
    phase = first % period if period else first
    _, example, which, counts = np.unique(
        phase * (widest + 1) + wide,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    phase, width = phase[example], wide[example]
    many = np.flatnonzero(counts >= _MANY_OF_A_SPAN)
    if not len(many):
        return [], places
    # by how much a span stands behind the start of one of many edits
    shift = phase[:, None] - phase[many]
    shift = shift % period if period else shift
    holds = np.logical_and(shift >= 0, shift + width[:, None] <= width[many])
    into = np.where(holds, width[many], widest + 1).argmin(axis=1)
    into[many] = np.arange(len(many))
    start = first - np.take_along_axis(shift, into[:, None], 1)[:, 0][which]
    inside = np.any(holds, axis=1, keepdims=True)[:, 0]
    fits = inside[which] & (start >= 0)
    group = np.where(fits, into[which], -1)
    found = [
        EditGroup(widest, int(width[k]), places[mine], start[mine])
        for number, k in enumerate(many)
        for mine in [np.flatnonzero(group == number)]
    ]
    return found, places[~fits]


def other_strand(tokens: Tokens) -> Tokens:
    """Return the reverse complements of sequences (m, length)."""
    return np.ascontiguousarray((3 - tokens)[:, ::-1])
