"""From a graph to steps: which of a network's layers are local, and what is left to be recomputed in full."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from causalgia.predict.incremental.calls import Call, call_of
from causalgia.predict.incremental.reductions import End
from causalgia.predict.incremental.tensor_layout import Flat, Laid
from causalgia.predict.incremental.trace import NotLocalError
from causalgia.predict.incremental.window_steps import Step


@dataclass(frozen=True)
class Value:
    """A tensor of the network that is one of ours: its number, and how the network has it."""

    number: int
    laid: Laid | Flat


@dataclass
class Reader:
    """Goes through a graph node by node.

    Value 0 is the input; the step ``steps[i]`` makes value ``i + 1``. `values` and `ends` say what each node became;
    a node that is in neither is recomputed in full, and `refused` says why.
    """

    graph: fx.GraphModule
    steps: list[Step] = field(default_factory=list)
    values: dict[fx.Node, Value] = field(default_factory=dict)
    ends: dict[fx.Node, End] = field(default_factory=dict)
    refused: dict[fx.Node, str] = field(default_factory=dict)
    makers: dict[fx.Node, Step] = field(default_factory=dict)

    def add(self, node: fx.Node, step: Step, laid: Laid) -> None:
        """Let a node be a step's output."""
        self.steps.append(step)
        self.values[node] = Value(len(self.steps), laid)
        self.makers[node] = step

    def alias(self, node: fx.Node, source: fx.Node, laid: Laid | Flat | None = None) -> None:
        """Let a node be the value that another one is, perhaps laid in another way."""
        value = self.values[source]
        self.values[node] = Value(value.number, value.laid if laid is None else laid)
        if laid is None and source in self.makers and self.only_user(source):
            self.makers[node] = self.makers[source]

    def only_user(self, node: fx.Node) -> bool:
        """Say whether a single node takes the values of this one."""
        return sum(not is_row_count(user) for user in node.users) == 1

    def sequence(self, node: object) -> tuple[Value, Laid]:
        """Return a value with positions.

        Raises
        ------
        NotLocalError
            If the node is none.
        """
        value = self.values.get(node) if isinstance(node, fx.Node) else None
        if value is None or not isinstance(value.laid, Laid):
            raise NotLocalError("it takes what is no sequence of positions")
        return value, value.laid

    def result(self, node: fx.Node, laid: Laid) -> Laid:
        """Return how a node is laid whose positions are on the same dim as those of `laid`.

        Raises
        ------
        NotLocalError
            If what it makes is no tensor of as many dims.
        """
        shape = node.meta["shape"]
        if shape is None or len(shape) != len(laid.rest) + 2:
            raise NotLocalError("it makes no single tensor of as many dims")
        rest = tuple(size for dim, size in enumerate(shape[1:], 1) if dim != laid.axis)
        return Laid(laid.axis, shape[laid.axis], rest)

    def constant(self, argument: object) -> Any:
        """Return a number, or one of the network's own tensors.

        Raises
        ------
        NotLocalError
            If it is computed.
        """
        if isinstance(argument, fx.Node):
            if argument.op != "get_attr":
                raise NotLocalError("it combines positions with what is computed from the whole sequence")
            value: Any = self.graph
            for name in str(argument.target).split("."):
                value = getattr(value, name)
            return value.detach() if isinstance(value, torch.Tensor) else value
        return argument


def is_row_count(node: fx.Node) -> bool:
    """Say whether a node is the number of rows of a tensor."""
    return node.op == "call_method" and node.target == "size" and node.args[1:] == (0,)


def read(graph: fx.GraphModule, laid: Laid) -> Reader:
    """Read a graph whose input is laid in this way; what follows a layer that is not understood is not read."""
    from causalgia.predict.incremental.understanding import UNDERSTOOD

    reader = Reader(graph)
    for node in graph.graph.nodes:
        if node.op == "placeholder" and not reader.values:
            reader.values[node] = Value(0, laid)
        sources = [source for source in node.all_input_nodes if source in reader.values]
        if not sources or node.op == "output" or is_row_count(node):
            continue
        call = call_of(node, graph)
        try:
            _understand(UNDERSTOOD, reader, node, call)
        except NotLocalError as reason:
            reader.refused[node] = f"{named(node, graph)}: {reason}"
    return reader


def _understand(understood: dict[str, Any], reader: Reader, node: fx.Node, call: Call) -> None:
    if call.name not in understood:
        raise NotLocalError("it is not known to be local")
    understood[call.name](reader, node, call)


def named(node: fx.Node, graph: fx.GraphModule) -> str:
    """Return a layer's name and kind for a message.

    Examples
    --------
    >>> graph = fx.symbolic_trace(torch.nn.Sequential(torch.nn.ReLU()))
    >>> [named(node, graph) for node in graph.graph.nodes][1]
    "'0' (ReLU)"
    """
    if node.op == "call_module":
        return f"'{node.target}' ({type(graph.get_submodule(str(node.target))).__name__})"
    return f"'{node.name}'"
