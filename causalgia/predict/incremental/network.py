"""A network in two parts: local steps, and the rest that is computed in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch
from torch import fx

from causalgia.predict.incremental.graph import LocalValue, Reader, is_row_count, layer_label, read_graph
from causalgia.predict.incremental.reach import Span, hull
from causalgia.predict.incremental.reductions import Dense, End
from causalgia.predict.incremental.tensor_layout import FlatLayout, TensorLayout
from causalgia.predict.incremental.trace import NotLocalError, trace_network
from causalgia.predict.incremental.window_steps import Convolved, Pooled, Step

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
    wanted = _wanted(reader)
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


def _wanted(reader: Reader) -> set[fx.Node]:
    """Return the nodes that the output depends on, back to those that the local part computes."""
    wanted: set[fx.Node] = set()
    waiting: list[Any] = [node for node in reader.graph.graph.nodes if node.op == "output"]
    while waiting:
        node = waiting.pop()
        if node in wanted:
            continue
        wanted.add(node)
        if node not in reader.values and node not in reader.ends and not is_row_count(node):
            waiting += node.all_input_nodes
    return wanted


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
