"""The local part of a network, and the plan and memory for running it on one span of positions."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import fx

from causalgia.predict.incremental.graph import LocalValue, Reader, is_row_count, layer_label, read_graph
from causalgia.predict.incremental.tensor_layout import Dense, End, FlatLayout, Part, TensorLayout
from causalgia.predict.incremental.trace import NotLocalError, trace_network
from causalgia.predict.incremental.window_steps import (
    Convolved,
    Pooled,
    Span,
    Step,
    StepRequest,
    clipped,
    hull,
    outside,
)

Layout: TypeAlias = Literal["NCL", "NLC"]
Handed: TypeAlias = "LocalValue | End"
"""An output of the local part that the rest takes."""


@dataclass(frozen=True)
class Network:
    """A network read for one length of input.

    `steps[i]` computes value i + 1 from the input, value 0; `handed` are the values and ends that `rest` takes, in
    order, and `rest` returns the network's output. `used` marks the values that anything depends on. `not_local` are
    the layers at which the rest begins, as text.
    """

    length: int
    steps: tuple[Step, ...]
    handed: tuple[Handed, ...]
    rest: fx.GraphModule
    used: tuple[bool, ...]
    not_local: tuple[str, ...]

    @property
    def lengths(self) -> tuple[int, ...]:
        """Positions of each value."""
        return (self.length, *(step.length for step in self.steps))

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each value."""
        return (4, *(step.channels for step in self.steps))

    def touched(self, span: Span) -> tuple[Span | None, ...]:
        """Return the positions of each value that an edit of a span of the input changes."""
        found: list[Span | None] = [span]
        for step in self.steps:
            found.append(step.touched([found[source] for source in step.sources]))
        return tuple(found)

    def macs(self, touched: tuple[Span | None, ...]) -> float:
        """Return the multiplications of the local part for spans of its values."""
        steps = zip(self.steps, touched[1:], self.used[1:], strict=True)
        local = sum(step.macs * _span_width(span) for step, span, used in steps if used)
        return local + sum(end.macs * _span_width(touched[end.source]) for end in self.handed if isinstance(end, End))

    @property
    def whole(self) -> tuple[Span, ...]:
        """All positions of each value."""
        return tuple((0, length) for length in self.lengths)


def _span_width(span: Span | None) -> int:
    return 0 if span is None else span[1] - span[0]


def local_network(module: torch.nn.Module, sample: torch.Tensor, layout: Layout) -> Network:
    """Read a network in eval mode for the length of a sample (2, 4, length), or (2, length, 4) in layout "NLC".

    Raises
    ------
    NotLocalError
        If it cannot be traced, or has no local layer; the message names the first layer that is not local.
    """
    axis = 2 if layout == "NCL" else 1
    length = sample.shape[axis]
    graph = trace_network(module, sample)
    reader = read_graph(graph, TensorLayout(axis, length, (4,)))
    rest, handed = _rest(reader)
    used = _used(reader, handed)
    not_local = tuple(
        reason
        for node, reason in reader.refused.items()
        if any(source in reader.values for source in node.all_input_nodes)
    )
    network = Network(length, tuple(reader.steps), handed, rest, used, not_local)
    _check_local(network, graph)
    return network


def _check_local(network: Network, graph: fx.GraphModule) -> None:
    sliding = (step for step, used in zip(network.steps, network.used[1:], strict=True) if used)
    if any(isinstance(step, Convolved | Pooled) for step in sliding):
        return
    if any(isinstance(end, Dense) for end in network.handed):
        return
    first = next((node for node in graph.graph.nodes if node.op not in ("placeholder", "get_attr", "output")), None)
    reason = network.not_local[0] if network.not_local else "nothing slides along the sequence"
    raise NotLocalError(reason if first is None or network.not_local else f"{layer_label(first, graph)}: {reason}")


def _rest(reader: Reader) -> tuple[fx.GraphModule, tuple[Handed, ...]]:
    """Return the part of a graph that is computed in full, and its inputs."""
    graph = reader.graph.graph
    # the nodes that the output depends on, back to those that the local part computes
    wanted: set[fx.Node] = set()
    waiting: list[Any] = [node for node in reader.graph.graph.nodes if node.op == "output"]
    while waiting:
        node = waiting.pop()
        if node in wanted:
            continue
        wanted.add(node)
        if node not in reader.values and node not in reader.ends and not is_row_count(node):
            waiting += node.all_input_nodes
    copied: dict[fx.Node, fx.Node] = {}
    rest = fx.Graph()
    handed: list[Handed] = []
    for node in graph.nodes:
        if node in wanted and (value := reader.ends.get(node) or reader.values.get(node)) is not None:
            copied[node] = rest.placeholder(f"handed_{len(handed)}")
            handed.append(value)
    if not handed:
        raise NotLocalError("the answer does not depend on the sequence")
    for node in graph.nodes:
        if node not in wanted or node in copied:
            continue
        if is_row_count(node):
            copied[node] = rest.call_method("size", (next(iter(copied.values())), 0))
        else:
            copied[node] = rest.node_copy(node, lambda n: copied[n])
    return fx.GraphModule(reader.graph, rest), tuple(handed)


def _used(reader: Reader, handed: tuple[Handed, ...]) -> tuple[bool, ...]:
    used = [False] * (len(reader.steps) + 1)
    for item in handed:
        used[item.source if isinstance(item, End) else item.number] = True
    for number in range(len(reader.steps), 0, -1):
        for source in reader.steps[number - 1].sources:
            used[source] = used[source] or used[number]
    return tuple(used)


def in_network(laid: TensorLayout | FlatLayout, x: torch.Tensor) -> torch.Tensor:
    """Return a copy of a value (positions, rows, channels) in the network's layout, (rows, ...)."""
    if isinstance(laid, TensorLayout):
        return laid.original(x)
    return x.permute(1, 0, 2).reshape(x.shape[1], -1)[:, laid.order.to(x.device)]


def needed_spans(network: Network, touched: tuple[Span | None, ...]) -> tuple[Span | None, ...]:
    """Return the positions of each value that must be available: what changes, and the inputs of what changes.

    Positions before 0, and beyond a value's length, are zeros.
    """
    needs: list[list[Span | None]] = [[] for _ in touched]
    for item in network.handed:
        if isinstance(item, End):
            needs[item.source].append(touched[item.source])
        elif touched[item.number] is not None:
            needs[item.number].append((0, network.lengths[item.number]))
    for number in range(len(network.steps), 0, -1):
        span, step = touched[number], network.steps[number - 1]
        if span is not None and needs[number]:
            for source, need in zip(step.sources, step.needed(span), strict=True):
                needs[source].append(need)
    return tuple(hull([*need, touched[i]]) if need else None for i, need in enumerate(needs))


@dataclass(frozen=True)
class StoredSpan:
    """Positions of a value, from `start` on: (positions, rows, channels)."""

    values: torch.Tensor
    start: int

    def at(self, span: Span) -> torch.Tensor:
        """Return a span of them, as a view."""
        return self.values[span[0] - self.start : span[1] - self.start]


_Source: TypeAlias = "torch.Tensor | tuple[int, int, int]"
"""A permanent view, or the number of a temporary value and the part of it."""


@dataclass(frozen=True)
class SpanPlan:
    """Plan of one span of edits.

    For each value: `touched`, what changes, and `held`, what must be available; where the two differ the value has a
    context, which comes from the control.
    """

    network: Network
    touched: tuple[Span | None, ...]
    held: tuple[Span | None, ...]

    @staticmethod
    def of(network: Network, span: Span) -> SpanPlan:
        touched = network.touched(span)
        return SpanPlan(network, touched, needed_spans(network, touched))

    @staticmethod
    def control(network: Network) -> SpanPlan:
        """Return the plan of a whole pass."""
        return SpanPlan(network, network.whole, needed_spans(network, network.whole))

    @property
    def kept(self) -> frozenset[int]:
        """Numbers of the values whose control must be stored."""
        own = {i for i, (t, h) in enumerate(zip(self.touched, self.held, strict=True)) if h is not None and h != t}
        return frozenset(own | {i.source if isinstance(i, End) else i.number for i in self.network.handed})

    def largest(self) -> int:
        """Return the largest size of a value in one row; 1 if the edit reaches nothing."""
        return max(self._sizes(), default=1)

    def numbers(self) -> int:
        """Return the total size of all values in one row."""
        return sum(self._sizes())

    def _sizes(self) -> list[int]:
        held = zip(self.held, self.network.channels, strict=True)
        return [(span[1] - span[0]) * channels for span, channels in held if span is not None]


class Workspace:
    """Memory and views for running a plan on a number of rows at once."""

    def __init__(
        self,
        plan: SpanPlan,
        n_rows: int,
        *,
        dtype: torch.dtype,
        device: torch.device,
        keep: frozenset[int] = frozenset(),
    ) -> None:
        self.plan = plan
        self.keep = keep
        self.n_rows = n_rows
        self._make = {"dtype": dtype, "device": device}
        network = plan.network
        spans = zip(plan.touched, plan.held, network.channels, strict=True)
        self._stored = {
            number: self._room(number, held, channels)
            for number, (touched, held, channels) in enumerate(spans)
            if held is not None and held != touched
        }
        self._operations = [
            self._operation(number, step, span)
            for number, (step, span) in enumerate(zip(network.steps, plan.touched[1:], strict=True), 1)
            if span is not None and plan.held[number] is not None
        ]
        # the temporary values that are no longer used after each operation
        wanted = {item.source if isinstance(item, End) else item.number for item in self.plan.network.handed}
        wanted |= self.keep
        last = {source: place for place, (_, step, *_) in enumerate(self._operations) for source in step.sources}
        ends: list[list[int]] = [[] for _ in self._operations]
        for number, place in last.items():
            if number not in wanted and number not in self._stored:
                ends[place].append(number)
        self._last = ends
        self._passing: dict[int, torch.Tensor] = {}
        self._rests: list[torch.Tensor] = []
        self.filled: weakref.ref[object] | None = None
        """The control whose contexts are in the memory, for all rows."""

    def _room(self, number: int, held: Span, channels: int) -> StoredSpan:
        """Return memory for a value; positions outside the sequence are zero and stay so."""
        room = torch.empty((held[1] - held[0], self.n_rows, channels), **self._make)  # type: ignore[call-overload]
        found = StoredSpan(room, held[0])
        for side in outside(held, (0, self.plan.network.lengths[number])):
            found.at(side).zero_()
        return found

    def _operation(
        self, number: int, step: Step, span: Span
    ) -> tuple[int, Step, Span, list[_Source], torch.Tensor | None]:
        sources = [self._source(s, need) for s, need in zip(step.sources, step.needed(span), strict=True)]
        out = self._stored[number].at(span) if number in self._stored else None
        return number, step, span, sources, out

    def _source(self, number: int, need: Span) -> _Source:
        if number in self._stored:
            return self._stored[number].at(need)
        touched = self.plan.touched[number]
        assert touched is not None
        return number, need[0] - touched[0], need[1] - touched[0]

    def fill(
        self, control: Mapping[int, StoredSpan], ends: Mapping[int, torch.Tensor], rows: torch.Tensor | None
    ) -> None:
        """Copy the contexts of some rows of the control; None: all rows, once or repeatedly."""
        plan = self.plan
        for number, held in self._stored.items():
            inside = clipped(plan.held[number], plan.network.lengths[number])
            touched = plan.touched[number]
            for side in [] if inside is None else [inside] if touched is None else outside(inside, touched):
                _copy_rows(held.at(side), control[number].at(side), rows)
        self._rests = [
            self._rest_of(item, control[item.source], ends[place], rows)
            for place, item in enumerate(plan.network.handed)
            if isinstance(item, End)
        ]

    def _rest_of(self, end: End, held: StoredSpan, whole: torch.Tensor, rows: torch.Tensor | None) -> torch.Tensor:
        span = self.plan.touched[end.source]
        if span is not None:
            sides = outside((0, self.plan.network.lengths[end.source]), span)
            whole = end.without(whole, Part(span, held.at(span), tuple(held.at(side) for side in sides)))
        return whole.repeat(self.n_rows // len(whole), 1) if rows is None else whole[rows]

    def run(self, one_hot: torch.Tensor) -> None:
        """Run the steps on the edited span of the input, (width, rows, 4)."""
        self._passing = {}
        if 0 in self._stored:
            touched = self.plan.touched[0]
            assert touched is not None
            self._stored[0].at(touched).copy_(one_hot)
        else:
            self._passing[0] = one_hot
        for (number, step, span, sources, out), last in zip(self._operations, self._last, strict=True):
            made = step.compute(StepRequest(span, [self._taken(source) for source in sources], out))
            if out is None:
                self._passing[number] = made
            for source in last:
                del self._passing[source]

    def _taken(self, source: _Source) -> torch.Tensor:
        if isinstance(source, torch.Tensor):
            return source
        number, start, stop = source
        return self._passing[number][start:stop]

    def changed(self, number: int) -> StoredSpan:
        """Return the available positions of a value, with the changed ones."""
        if number in self._stored:
            return self._stored[number]
        touched = self.plan.touched[number]
        assert touched is not None
        return StoredSpan(self._passing[number], touched[0])

    def controlled(self) -> tuple[dict[int, StoredSpan], dict[int, torch.Tensor]]:
        """Return the values to store, and the ends by their place among the outputs, after a whole pass."""
        handed = enumerate(self.plan.network.handed)
        values = {number: self.changed(number) for number in self.keep}
        lengths = self.plan.network.lengths
        ends = {
            place: item.whole(self.changed(item.source).at((0, lengths[item.source])))
            for place, item in handed
            if isinstance(item, End)
        }
        return values, ends

    def wholly_handed(self, ends: Mapping[int, torch.Tensor]) -> list[torch.Tensor]:
        """Return copies of the inputs of the rest, which may work in place, after a whole pass."""
        return [
            ends[place].reshape(self.n_rows, *item.shape).clone()
            if isinstance(item, End)
            else in_network(item.laid, self.changed(item.number).at((0, self.plan.network.lengths[item.number])))
            for place, item in enumerate(self.plan.network.handed)
        ]

    def handed(self, control: Mapping[int, StoredSpan], rows: torch.Tensor | None) -> list[torch.Tensor]:
        """Return copies of the inputs of the rest, which may work in place, after a run."""
        rests = iter(self._rests)
        return [
            self._ended(item, next(rests)) if isinstance(item, End) else self._whole(item, control, rows)
            for item in self.plan.network.handed
        ]

    def _ended(self, end: End, rest: torch.Tensor) -> torch.Tensor:
        span = self.plan.touched[end.source]
        made = rest.clone() if span is None else end.updated(rest, Part(span, self.changed(end.source).at(span)))
        return made.reshape(self.n_rows, *end.shape)

    def _whole(self, value: LocalValue, control: Mapping[int, StoredSpan], rows: torch.Tensor | None) -> torch.Tensor:
        whole = (0, self.plan.network.lengths[value.number])
        if self.plan.touched[value.number] is not None:
            return in_network(value.laid, self.changed(value.number).at(whole))
        kept = control[value.number].at(whole)
        room = kept.new_empty((len(kept), self.n_rows, kept.shape[2]))
        _copy_rows(room, kept, rows)
        return in_network(value.laid, room)


def _copy_rows(room: torch.Tensor, kept: torch.Tensor, rows: torch.Tensor | None) -> None:
    if rows is not None:
        torch.index_select(kept, 1, rows, out=room)
    elif room.shape[1] == kept.shape[1]:
        room.copy_(kept)
    else:
        room.view(len(room), -1, kept.shape[1], room.shape[2]).copy_(kept.unsqueeze(1))
