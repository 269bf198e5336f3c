"""A network as a graph of operations, each with the shape that it makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

from causalgia.predict.predictor import first_line


class NotLocalError(Exception):
    """Why a network, or an edit, cannot be recomputed in part; the message says it in words."""


def traced(module: torch.nn.Module, sample: torch.Tensor) -> fx.GraphModule:
    """Return the graph of a network in eval mode, with the shape of every tensor in ``node.meta["shape"]``.

    The sample (2, ...) goes through the network as it is traced, so that questions about shapes are answered with
    numbers: a check of the input's length is no control flow. The number of rows stays a symbol.

    Raises
    ------
    NotLocalError
        If the network decides by what a tensor holds, or cannot be traced for another reason.
    """
    network = getattr(module, "_orig_mod", module)
    if isinstance(network, torch.jit.ScriptModule):
        raise NotLocalError("a TorchScript network has no layers to look into")
    tracer = _ShapeTracer(sample)
    try:
        graph = tracer.trace(network)
    except Exception as error:
        raise NotLocalError(f"{type(network).__name__} cannot be traced by torch.fx: {first_line(error)}") from error
    for node in graph.nodes:
        value = node.meta.pop("value", None)
        node.meta["shape"] = tuple(value.shape) if isinstance(value, torch.Tensor) else None
        node.meta["dtype"] = getattr(value, "dtype", None)
    return fx.GraphModule(tracer.root, graph)


class _ShapedProxy(fx.Proxy):
    """A symbol whose shape is known, but for its number of rows."""

    @property
    def shape(self) -> Any:
        return self._sizes()

    @property
    def ndim(self) -> Any:
        return self._value().ndim

    @property
    def dtype(self) -> Any:
        return self._value().dtype

    @property
    def device(self) -> Any:
        return self._value().device

    def dim(self) -> Any:
        return self._value().ndim

    def size(self, dim: int | None = None) -> Any:
        return self._sizes() if dim is None else self._sizes()[dim]

    def _sizes(self) -> tuple[Any, ...]:
        rows = self.tracer.create_proxy("call_method", "size", (self, 0), {})
        return (rows, *self._value().shape[1:])

    def _value(self) -> Any:
        value = self.node.meta.get("value")
        if not isinstance(value, torch.Tensor):
            raise NotLocalError(f"{self.node} is no tensor, and is asked for its shape")
        return value


class _ShapeTracer(fx.Tracer):
    """Computes each operation on a sample as it is written down."""

    def __init__(self, sample: torch.Tensor) -> None:
        super().__init__()
        self._sample = sample
        self._computing = False

    def create_node(
        self, kind: str, target: Any, args: Any, kwargs: Any, name: Any = None, type_expr: Any = None
    ) -> Any:
        node = super().create_node(kind, target, args, kwargs, name, type_expr)
        if kind != "output":
            node.meta["value"] = self._computed(node)
        return node

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _ShapedProxy(node, self)

    def call_module(self, m: torch.nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if self._computing:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        if self._computing:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def _computed(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            return node.args[0] if node.args else self._sample
        if node.op == "get_attr":
            return _attribute(self.root, str(node.target))
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: n.meta["value"])
        self._computing = True
        try:
            return self._called(node, args, kwargs)
        finally:
            self._computing = False

    def _called(self, node: fx.Node, args: Any, kwargs: Any) -> Any:
        if node.op == "call_module":
            return self.root.get_submodule(str(node.target))(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]


def _attribute(root: torch.nn.Module, path: str) -> Any:
    value: Any = root
    for name in path.split("."):
        value = getattr(value, name)
    return value
