"""The local part of a network, and the windows of its values that an edit reaches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import lcm
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import fx

from causalgia.predict.incremental.graph import (
    LocalValue,
    Reader,
    is_row_count,
    layer_label,
    read_graph,
)
from causalgia.predict.incremental.trace import (
    FlatLayout,
    NotLocalError,
    TensorLayout,
    trace_network,
)
from causalgia.predict.incremental.window_steps import (
    Additive,
    Dense,
    End,
    Linear,
    Nonlinear,
    Span,
    Step,
    Windowed,
    clipped,
    hull,
)

Layout: TypeAlias = Literal["NCL", "NLC"]
Handed: TypeAlias = "LocalValue | End"
"""An output of the local part that the rest takes."""


@dataclass(frozen=True)
class Network:
    """A network read for one length of input.

    `steps[i]` computes value i + 1 from the input, value 0; `handed` are the values and
    ends that `rest` takes, in order, and `rest` returns the network's output. `used`
    marks the values that anything depends on. `not_local` are the layers at which the
    rest begins, as text.
    """

    length: int
    steps: tuple[Step, ...]
    handed: tuple[Handed, ...]
    rest: fx.GraphModule
    used: tuple[bool, ...]
    not_local: tuple[str, ...]

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """Positions of each value."""
        return (self.length, *(step.length for step in self.steps))

    @cached_property
    def channels(self) -> tuple[int, ...]:
        """Channels of each value."""
        return (4, *(step.channels for step in self.steps))

    @cached_property
    def strides(self) -> tuple[int, ...] | None:
        """Letters from one position of each value to the next; None where a step has
        sources of several strides.
        """
        found = [1]
        for step, used in zip(self.steps, self.used[1:], strict=True):
            strides = {found[source] for source in step.sources}
            if used and len(strides) > 1:
                return None
            found.append(strides.pop() * step.stride)
        return tuple(found)

    @cached_property
    def period(self) -> int:
        """Letters by which an edit moves so that its windows keep their shape; 0 if
        there is no such number.
        """
        return (
            0
            if self.strides is None
            else lcm(
                *(n for n, used in zip(self.strides, self.used, strict=True) if used)
            )
        )

    @cached_property
    def running(self) -> tuple[tuple[int, Step], ...]:
        """Numbers and steps of the values that anything depends on."""
        return tuple((i, step) for i, step in enumerate(self.steps, 1) if self.used[i])

    @cached_property
    def wanted_changes(self) -> frozenset[int]:
        """Numbers of the values whose change is an input of something linear."""
        linear = {
            source
            for _, step in self.running
            if isinstance(step, Linear)
            for source in step.sources
        }
        return frozenset(
            linear | {end.source for end in self.handed if isinstance(end, Additive)}
        )

    @cached_property
    def wanted_values(self) -> frozenset[int]:
        """Numbers of the values that are themselves an input of something."""
        nonlinear = {
            source
            for _, step in self.running
            if isinstance(step, Nonlinear)
            for source in step.sources
        }
        handed = {
            i.source if isinstance(i, End) else i.number
            for i in self.handed
            if not isinstance(i, Additive)
        }
        return frozenset(nonlinear | handed)

    @cached_property
    def retained(self) -> frozenset[int]:
        """Numbers of the values whose control is kept: what changes are added to, or
        are differences from.
        """
        linear = {0} | {i for i, step in self.running if isinstance(step, Linear)}
        controls = {i for i in self.wanted_values if i in linear} | {
            i for i in self.wanted_changes if i not in linear
        }
        several = {
            s
            for _, step in self.running
            if len(step.sources) > 1 and isinstance(step, Nonlinear)
            for s in step.sources
        }
        handed = {
            i.source if isinstance(i, End) else i.number
            for i in self.handed
            if not isinstance(i, Additive)
        }
        return frozenset(controls | several | handed)

    @cached_property
    def last_uses(self) -> dict[int, list[int]]:
        """Numbers of the values that no step uses after a step."""
        last = {
            source: number for number, step in self.running for source in step.sources
        }
        ended = {i.source if isinstance(i, End) else i.number for i in self.handed}
        found: dict[int, list[int]] = {}
        for source, number in last.items():
            if source not in ended:
                found.setdefault(number, []).append(source)
        return found

    def windows(self, span: Span, moves: int = 0) -> Windows:
        """Return the windows of an edit of a span of letters, and of others up to
        `moves` periods to the right.
        """
        bounds = []
        for number, length in enumerate(self.lengths):
            stride = 1 if self.strides is None else self.strides[number]
            bounds.append((-moves * self.period // stride, length))
        touched: list[Span | None] = [span]
        for number, step in enumerate(self.steps, 1):
            reached = step.touched([touched[source] for source in step.sources])
            touched.append(
                clipped(reached, bounds[number]) if self.used[number] else None
            )
        held: list[Span | None] = [
            t if i in self.wanted_values else None for i, t in enumerate(touched)
        ]
        for number, step in reversed(self.running):
            if isinstance(step, Nonlinear):
                held[number] = hull([held[number], touched[number]])
                if (own := held[number]) is not None:
                    for source in step.sources:
                        held[source] = hull(
                            [held[source], clipped(step.needed(own), bounds[source])]
                        )
        return Windows(tuple(touched), tuple(held))

    def share(self, span: Span) -> float:
        """Return the multiplications that an edit of a span of letters takes in the
        local part, of those of a pass.
        """
        touched = self.windows(span).touched
        return self._macs(touched) / max(self.macs, 1.0)

    @cached_property
    def macs(self) -> float:
        """Multiplications of the local part of a whole pass."""
        return self._macs(tuple((0, length) for length in self.lengths))

    def _macs(self, touched: tuple[Span | None, ...]) -> float:
        widths = [0 if span is None else span[1] - span[0] for span in touched]
        local = sum(
            step.macs * widths[source]
            for _, step in self.running
            for source in step.sources
        )
        return local + sum(
            end.macs * widths[end.source] for end in self.handed if isinstance(end, End)
        )


class Windows(NamedTuple):
    """Spans of each value: `touched`, which an edit changes, and `held`, of which the
    values themselves are needed.
    """

    touched: tuple[Span | None, ...]
    held: tuple[Span | None, ...]


def local_network(
    module: torch.nn.Module, sample: torch.Tensor, layout: Layout
) -> Network:
    """Read a network in eval mode for the length of a sample (2, 4, length), or (2,
    length, 4) in layout "NLC".

    Raises
    ------
    NotLocalError
        If it cannot be traced, or has no local layer; the message names the first layer
        that is not local.
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
    local = any(isinstance(step, Windowed) for _, step in network.running)
    if local or any(isinstance(end, Dense) for end in network.handed):
        return network
    first = next(
        (
            node
            for node in graph.graph.nodes
            if node.op not in ("placeholder", "get_attr", "output")
        ),
        None,
    )
    reason = (
        network.not_local[0]
        if network.not_local
        else "nothing slides along the sequence"
    )
    raise NotLocalError(
        reason
        if first is None or network.not_local
        else f"{layer_label(first, graph)}: {reason}"
    )


def _rest(reader: Reader) -> tuple[fx.GraphModule, tuple[Handed, ...]]:
    """Return the part of a graph that is computed in full, and its inputs."""
    graph = reader.graph.graph
    # the nodes that the output depends on, back to those that the local part computes
    wanted: set[fx.Node] = set()
    waiting: list[Any] = [
        node for node in reader.graph.graph.nodes if node.op == "output"
    ]
    while waiting:
        node = waiting.pop()
        if node in wanted:
            continue
        wanted.add(node)
        if (
            node not in reader.values
            and node not in reader.ends
            and not is_row_count(node)
        ):
            waiting += node.all_input_nodes
    copied: dict[fx.Node, fx.Node] = {}
    rest = fx.Graph()
    handed: list[Handed] = []
    for node in graph.nodes:
        if (
            node in wanted
            and (value := reader.ends.get(node) or reader.values.get(node)) is not None
        ):
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
    """Return a copy of a value (positions, rows, channels) in the network's layout,
    (rows, ...).
    """
    if isinstance(laid, TensorLayout):
        return laid.original(x)
    return x.permute(1, 0, 2).reshape(x.shape[1], -1)[:, laid.order.to(x.device)]
