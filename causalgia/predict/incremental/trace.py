"""A network as a graph of operations with the shapes and layouts of their results, and
its state, which is kept.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from math import prod
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from causalgia.errors import PredictorError, quoted
from causalgia.predict.fingerprint import structure_of, uncompiled
from causalgia.predict.predictor import first_line
from causalgia.predict.torch_device import OperationWatch, copied_network


class NotLocalError(Exception):
    """A network, or an edit, cannot be recomputed in part; the message says why."""


def trace_network(module: torch.nn.Module, sample: torch.Tensor) -> fx.GraphModule:
    """Return the graph of a network in eval mode, with the shape of every tensor in
    ``node.meta["shape"]``.

    The sample (2, ...) goes through the network during tracing, so that shapes are
    numbers: a check of the input's length is not control flow. The number of rows
    remains a symbol. A copy of the network that shares its tensors is traced, so that
    attributes set by the forward pass do not stay on the network.

    Raises
    ------
    NotLocalError
        If control flow depends on a tensor's values, a tensor is written to and used
        again, the network has hooks, a forward pass of its own or layers that define
        ``__eq__``, or it cannot be copied or traced for another reason.
    """
    network: torch.nn.Module = uncompiled(module)
    if isinstance(network, torch.jit.ScriptModule):
        raise NotLocalError("a TorchScript network has no layers to look into")
    if (
        network._forward_hooks
        or network._forward_pre_hooks
        or "forward" in vars(network)
    ):
        raise NotLocalError(
            f"{type(network).__name__} has hooks, or a forward pass, that are not its "
            "class's"
        )
    if compared := [
        type(part).__name__
        for part in network.modules()
        if type(part).__eq__ is not object.__eq__
    ]:
        raise NotLocalError(
            f"{compared[0]} defines __eq__, and torch counts the work of layers by "
            "comparing them"
        )
    tracer, copied = _ShapeTracer(sample), _copy_sharing_tensors(network)
    try:
        graph = tracer.trace(copied)
    except (NotLocalError, KeyboardInterrupt):
        raise
    except (
        BaseException
    ) as error:  # a network that cannot be traced may even try to end the program
        raise NotLocalError(
            f"{type(network).__name__} cannot be traced by torch.fx: "
            f"{first_line(error)}"
        ) from error
    _check_written_tensors(graph, tracer)
    for node in graph.nodes:
        value = node.meta.pop("value", None)
        node.meta["shape"] = (
            tuple(value.shape) if isinstance(value, torch.Tensor) else None
        )
        node.meta["dtype"] = getattr(value, "dtype", None)
    try:
        return fx.GraphModule(tracer.root, graph)
    except (
        AttributeError
    ) as error:  # a tensor that a hook left outside the network is no part of it
        raise NotLocalError(
            f"{type(network).__name__} cannot be traced by torch.fx: "
            f"{first_line(error)}"
        ) from error


def _copy_sharing_tensors(network: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of a network that shares its tensors."""
    parts, tensors = (
        list(network.modules()),
        [*network.parameters(), *network.buffers()],
    )
    tensors += [
        value
        for part in parts
        for value in vars(part).values()
        if isinstance(value, torch.Tensor)
    ]
    try:
        return copied_network(network, sharing=tensors)
    except PredictorError as error:
        raise NotLocalError(str(error)) from error


def _storage(value: object) -> int | None:
    strided = isinstance(value, torch.Tensor) and value.layout is torch.strided
    return value.untyped_storage().data_ptr() if strided else None  # type: ignore[attr-defined]


class _Writes(OperationWatch):
    """Records the storages that operations write into."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.storages: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func._schema.is_mutable:
            named = dict(
                zip((a.name for a in func._schema.arguments), args, strict=False)
            ) | (kwargs or {})
            targets = (
                named.get(a.name)
                for a in func._schema.arguments
                if a.alias_info and a.alias_info.is_write
            )
            self.storages |= {
                place for target in targets if (place := _storage(target)) is not None
            }
        return func(*args, **(kwargs or {}))


class _ShapedProxy(fx.Proxy):
    """A symbol whose shape is known, except for its number of rows."""

    @property
    def shape(self) -> Any:
        return self.size()

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
        sizes, tracer = tuple(self._value().shape), self.tracer
        if not isinstance(tracer, _ShapeTracer) or sizes[:1] == tuple(
            tracer.sample.shape[:1]
        ):  # the rows come first
            sizes = (
                tracer.create_proxy("call_method", "size", (self, 0), {}),
                *sizes[1:],
            )
        return sizes if dim is None else sizes[dim]

    def _value(self) -> Any:
        value = self.node.meta.get("value")
        if not isinstance(value, torch.Tensor):
            raise NotLocalError(
                f"{self.node} is not a tensor, and is asked for its shape"
            )
        return value


def _check_written_tensors(graph: fx.Graph, tracer: _ShapeTracer) -> None:
    """Raise NotLocalError if a tensor is written to and then used by an earlier name:
    steps make new tensors.
    """
    places = {node: place for place, node in enumerate(graph.nodes)}
    for writer, storage in tracer.written:
        for node in graph.nodes:
            later = (
                place
                for user in node.users
                if not (user.op == "call_method" and user.target == "size")
                if (place := places[user]) > places[writer]
            )
            if (
                places[node] < places[writer]
                and _storage(node.meta.get("value")) == storage
                and any(later)
            ):
                raise NotLocalError(
                    f"{quoted(writer.name)} writes into a tensor that is used again"
                )


class _ShapeTracer(fx.Tracer):
    """Computes each operation on a sample while it is traced."""

    def __init__(self, sample: torch.Tensor) -> None:
        super().__init__()
        self.sample = sample
        self._computing = False
        self.written: list[tuple[fx.Node, int]] = []
        """The storages that nodes write into."""

    def create_node(
        self,
        kind: str,
        target: Any,
        args: Any,
        kwargs: Any,
        name: Any = None,
        type_expr: Any = None,
    ) -> Any:
        node = super().create_node(kind, target, args, kwargs, name, type_expr)
        if kind != "output":
            node.meta["value"] = self._computed(node)
        return node

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _ShapedProxy(node, self)

    def call_module(
        self, m: torch.nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any
    ) -> Any:
        if self._computing:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(
        self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]
    ) -> Any:
        if self._computing:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)

    def _computed(self, node: fx.Node) -> Any:
        if node.op == "placeholder":
            return node.args[0] if node.args else self.sample
        args, kwargs = fx.node.map_arg(
            (node.args, node.kwargs), lambda n: n.meta["value"]
        )
        self._computing, writes = True, _Writes()
        try:
            with writes:
                return self._called(node, args, kwargs)
        finally:
            self._computing = False
            self.written += [(node, storage) for storage in writes.storages]

    def _called(self, node: fx.Node, args: Any, kwargs: Any) -> Any:
        if node.op == "get_attr":
            value: Any = self.root
            for name in str(node.target).split("."):
                value = getattr(value, name)
            return value
        if node.op == "call_module":
            return self.root.get_submodule(str(node.target))(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]


ELEMENTWISE_MODULES: tuple[type[nn.Module], ...] = (
    *(
        nn.ReLU6,
        nn.LeakyReLU,
        nn.ELU,
        nn.SELU,
        nn.CELU,
        nn.GELU,
        nn.SiLU,
        nn.Mish,
        nn.Sigmoid,
        nn.Tanh,
        nn.Softplus,
    ),
    *(
        nn.Hardtanh,
        nn.Hardswish,
        nn.Hardsigmoid,
        nn.LogSigmoid,
        nn.Softsign,
        nn.Softshrink,
        nn.Hardshrink,
    ),
    *(nn.Tanhshrink, nn.Threshold),
)
_ELEMENTWISE = (
    *(
        "exp",
        "sigmoid",
        "tanh",
        "abs",
        "sqrt",
        "rsqrt",
        "log",
        "log1p",
        "log2",
        "log10",
        "expm1",
        "exp2",
        "square",
    ),
    *(
        "neg",
        "clamp",
        "clamp_min",
        "clamp_max",
        "pow",
        "sin",
        "cos",
        "erf",
        "reciprocal",
        "sign",
        "relu6",
    ),
    *(
        "leaky_relu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "hardtanh",
        "hardswish",
    ),
    *("hardsigmoid", "logsigmoid", "softsign", "softshrink", "tanhshrink", "threshold"),
)
MOVING = (
    *(
        "view",
        "reshape",
        "permute",
        "transpose",
        "swapaxes",
        "movedim",
        "squeeze",
        "unsqueeze",
        "flatten",
    ),
    *("unflatten", "getitem", "narrow", "select", "swapdims", "moveaxis"),
)
_SAME = (
    "contiguous",
    "clone",
    "detach",
    "dropout",
    "dropout1d",
    "dropout2d",
    "alpha_dropout",
    "feature_alpha_dropout",
)
_CASTS = ("float", "double", "to", "type", "type_as")
_COMBINING = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "truediv": torch.div,
}
_COMBINING |= {
    "iadd": torch.add,
    "isub": torch.sub,
    "imul": torch.mul,
    "itruediv": torch.div,
    "true_divide": torch.div,
}
_COMBINING |= {
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "subtract": torch.sub,
    "multiply": torch.mul,
}
_WINDOWS = ("conv1d", "conv2d", "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d")
_REDUCING = ("mean", "sum", "amax", "adaptive_avg_pool1d", "adaptive_max_pool1d")
_KNOWN_LAYERS = (
    "relu",
    "cat",
    "concat",
    "concatenate",
    "pad",
    "linear",
    "batch_norm",
    "layer_norm",
    *_WINDOWS,
    *_REDUCING,
)

MODULES: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    **dict.fromkeys(
        (nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout), "same"
    ),
    **dict.fromkeys((nn.Flatten, nn.Unflatten), "moving"),
    **{
        nn.Conv1d: "conv1d",
        nn.Conv2d: "conv2d",
        nn.Linear: "linear",
        nn.LayerNorm: "layer_norm",
    },
    **{
        nn.MaxPool1d: "max_pool1d",
        nn.MaxPool2d: "max_pool2d",
        nn.AvgPool1d: "avg_pool1d",
        nn.AvgPool2d: "avg_pool2d",
    },
    **{
        nn.BatchNorm1d: "batch_norm",
        nn.BatchNorm2d: "batch_norm",
        nn.ConstantPad1d: "pad",
        nn.ZeroPad1d: "pad",
    },
    **{
        nn.AdaptiveAvgPool1d: "adaptive_avg_pool1d",
        nn.AdaptiveMaxPool1d: "adaptive_max_pool1d",
    },
    **dict.fromkeys(ELEMENTWISE_MODULES, "elementwise"),
}
"""Supported layers of torch; a subclass of one may do something else."""


@dataclass(frozen=True)
class Call:
    """The function that a node calls, by one of the names of this module; "" if it is
    unknown.
    """

    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    module: Any = None
    function: Any = None
    combining: Any = None
    """Operation on two tensors, with an argument ``out``."""

    def given(self, names: str, **defaults: Any) -> dict[str, Any]:
        """Return the arguments after the first by name, from the call or from the
        module's attributes.
        """
        wanted = names.split()
        if self.module is not None:
            return {
                name: getattr(self.module, name, defaults.get(name)) for name in wanted
            }
        found = dict(zip(wanted, self.args[1:], strict=False)) | dict(self.kwargs)
        return {name: found.get(name, defaults.get(name)) for name in wanted}


def call_of(node: fx.Node, root: nn.Module) -> Call:
    """Return the call of a node."""
    if node.op == "call_module":
        module = root.get_submodule(str(node.target))
        hooks = (
            module._forward_hooks,
            module._forward_pre_hooks,
            "forward" in vars(module),
        )
        name = "" if any(hooks) else MODULES.get(type(module), "")
        return Call(name, node.args, node.kwargs, module, module)
    if node.op == "call_method":
        return _torch_call(str(node.target).rstrip("_"), node, torch.Tensor)
    if node.op == "call_function":
        name, place = _function_name(node.target)
        return _torch_call(name, node, place)
    return Call("")


def _function_name(target: Any) -> tuple[str, Any]:
    """Return the name and module of a function of torch, torch.nn.functional or
    operator; "" for others.
    """
    name = str(getattr(target, "__name__", ""))
    for place in (operator, torch, functional):
        if getattr(place, name, None) is target:
            return name.rstrip("_"), place
    dispatched = (
        name
        for name in (*_WINDOWS, *_REDUCING)
        if getattr(functional, name, None) is target
    )
    return next(dispatched, ""), functional


def _torch_call(name: str, node: fx.Node, place: Any) -> Call:
    """Return the call, with in-place functions replaced: a context must not change."""
    if name in _COMBINING:
        plain = name.removeprefix("i") if place is operator else name
        return Call(
            "combine",
            node.args,
            node.kwargs,
            None,
            getattr(place, plain),
            _COMBINING[name],
        )
    kinds = (
        (_ELEMENTWISE, "elementwise"),
        (MOVING, "moving"),
        (_SAME, "same"),
        (_CASTS, "cast"),
    )
    kind = next(
        (kind for names, kind in kinds if name in names),
        name if name in _KNOWN_LAYERS else "",
    )
    kwargs = {key: value for key, value in node.kwargs.items() if key != "inplace"}
    return Call(
        "cat" if kind.startswith("conc") else kind,
        node.args,
        kwargs,
        None,
        getattr(place, name, None),
    )


@dataclass(frozen=True)
class TensorLayout:
    """A tensor (rows, ...) with the positions on dim `axis`; the other dims `rest`
    together are the channels.

    Examples
    --------
    >>> laid = TensorLayout(axis=2, length=3, rest=(2,))
    >>> laid.original(torch.zeros(3, 5, 2)).shape, laid.shape
    (torch.Size([5, 2, 3]), (2, 3))
    """

    axis: int
    length: int
    rest: tuple[int, ...]

    @property
    def channels(self) -> int:
        return prod(self.rest)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return (*self.rest[: self.axis - 1], self.length, *self.rest[self.axis - 1 :])

    def original(self, x: torch.Tensor) -> torch.Tensor:
        """Return a copy of (positions, rows, channels) in the network's layout, (rows,
        ...).
        """
        moved = x.reshape(len(x), x.shape[1], *self.rest).movedim(0, self.axis)
        return moved.clone(memory_format=torch.contiguous_format)

    def canonical(self, x: torch.Tensor) -> torch.Tensor:
        """Return (rows, ...) as (positions, rows, channels)."""
        return x.movedim(self.axis, 0).reshape(x.shape[self.axis], x.shape[0], -1)


@dataclass(frozen=True)
class FlatLayout:
    """A tensor (rows, features); `order` (features,) is the index of each feature in
    (positions, channels).
    """

    order: torch.Tensor


@dataclass(frozen=True)
class LayoutSlice:
    """Positions from `offset` on and channels from `first_channel` on, in the layout
    `laid`.
    """

    laid: TensorLayout
    offset: int
    first_channel: int


def layout_after(
    laid: TensorLayout, change: Callable[[torch.Tensor], torch.Tensor]
) -> LayoutSlice | FlatLayout:
    """Return the layout after a function that only moves numbers (a view, a
    transposition, a slice).

    Raises
    ------
    NotLocalError
        If the result is neither positions with channels nor a flat row.

    Examples
    --------
    >>> layout_after(
    ...     TensorLayout(2, 9, (4,)), lambda x: x[:, 1:3, 2:-2].transpose(1, 2)
    ... )
    LayoutSlice(laid=TensorLayout(axis=1, length=5, rest=(2,)), offset=2, first_channel=1)
    """
    numbers = torch.arange(2 * prod(laid.shape), device="cpu").view(2, *laid.shape)
    moved = change(numbers)
    if (
        not isinstance(moved, torch.Tensor)
        or moved.ndim < 2
        or len(moved) != 2
        or not moved.numel()
    ):
        raise NotLocalError("rows are mixed with other dims")
    before = laid.canonical(numbers)
    for axis in range(1, moved.ndim):
        taken = _match_slice(moved, before, axis)
        if taken is not None:
            return taken
    if moved.ndim != 2 or moved.shape[1] != before[:, 0].numel():
        raise NotLocalError("positions are mixed with channels, or some are left out")
    first = before[:, 0].reshape(-1)
    place = torch.empty(len(first), dtype=torch.int64, device="cpu")
    place[first] = torch.arange(len(first), device="cpu")
    if int(moved[0].max()) >= len(first) or not torch.equal(
        moved[1] - moved[0], torch.full_like(moved[0], len(first))
    ):
        raise NotLocalError("rows are mixed with other dims")
    return FlatLayout(place[moved[0]])


def _match_slice(
    moved: torch.Tensor, before: torch.Tensor, axis: int
) -> LayoutSlice | None:
    rest = tuple(size for dim, size in enumerate(moved.shape[1:], 1) if dim != axis)
    after = TensorLayout(axis, moved.shape[axis], rest).canonical(moved)
    found = (before[:, 0] == after[0, 0, 0]).nonzero()
    if not len(found):
        return None
    offset, channel = map(int, found[0])
    part = before[offset : offset + len(after), :, channel : channel + after.shape[2]]
    if part.shape != after.shape or not torch.equal(part, after):
        return None
    return LayoutSlice(TensorLayout(axis, len(after), rest), offset, channel)


class NetworkSnapshot:
    """A network at one moment: its code and attributes, its hooks, and the state of every
    tensor.

    A tensor is another one after any write but through ``.data``, which a comparison of
    the control pass with full passes finds.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._structure, self._state = structure_of(module), _state(module)

    def is_still(self, module: torch.nn.Module) -> bool:
        """Say whether a network is unchanged since the snapshot."""
        before, now = self._state, _state(module)
        same = len(before) == len(now) and all(
            one is other and version == later
            for (one, version), (other, later) in zip(before, now, strict=True)
        )
        return same and self._structure == structure_of(module)


def _state(module: torch.nn.Module) -> list[tuple[object, int]]:
    """Return the layers, their hooks and tensors, each with its number of writes;
    references are kept, so that no id is reused.
    """
    hooks = (
        chain(part._forward_pre_hooks.values(), part._forward_hooks.values())
        for part in module.modules()
    )
    parts: list[object] = [*module.modules(), *chain.from_iterable(hooks)]
    tensors = [*module.parameters(), *module.buffers()]
    # what was made in inference mode counts no writes
    return [(part, 0) for part in parts] + [
        (tensor, 0 if tensor.is_inference() else tensor._version) for tensor in tensors
    ]
