"""Translation of a network's graph into local steps; what cannot be translated is
recomputed in full.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from math import prod
from typing import Any, TypeAlias

import torch
from torch import fx
from torch.nn import functional

from causalgia.predict.incremental.trace import (
    Call,
    FlatLayout,
    NotLocalError,
    TensorLayout,
    call_of,
    layout_after,
)
from causalgia.predict.incremental.window_steps import (
    Affine,
    Averaged,
    Combined,
    Convolved,
    Cut,
    Dense,
    End,
    Greatest,
    Joined,
    Largest,
    Pointwise,
    Rectified,
    Step,
    Summed,
    Total,
    Window,
)


@dataclass(frozen=True)
class LocalValue:
    """A tensor that the local steps compute: its number, and its layout in the
    network.
    """

    number: int
    laid: TensorLayout | FlatLayout


@dataclass
class Reader:
    """Reads a graph node by node.

    Value 0 is the input; the step ``steps[i]`` computes value ``i + 1``. `values` and
    `ends` map nodes to what they became; a node in neither is recomputed in full, and
    `refused` says why.
    """

    graph: fx.GraphModule
    steps: list[Step] = field(default_factory=list)
    values: dict[fx.Node, LocalValue] = field(default_factory=dict)
    ends: dict[fx.Node, End] = field(default_factory=dict)
    refused: dict[fx.Node, str] = field(default_factory=dict)
    makers: dict[fx.Node, Step] = field(default_factory=dict)

    def add(self, node: fx.Node, step: Step, laid: TensorLayout) -> None:
        """Make a node the output of a step."""
        self.steps.append(step)
        self.values[node] = LocalValue(len(self.steps), laid)
        self.makers[node] = step

    def alias(
        self,
        node: fx.Node,
        source: fx.Node,
        laid: TensorLayout | FlatLayout | None = None,
    ) -> None:
        """Make a node the value of another one, possibly in another layout."""
        value = self.values[source]
        self.values[node] = LocalValue(
            value.number, value.laid if laid is None else laid
        )
        if laid is None and source in self.makers and self.only_user(source):
            self.makers[node] = self.makers[source]

    def only_user(self, node: fx.Node) -> bool:
        """Say whether a single node uses the values of this one."""
        return sum(not is_row_count(user) for user in node.users) == 1

    def sequence(self, node: object) -> tuple[LocalValue, TensorLayout]:
        """Return a value with positions.

        Raises
        ------
        NotLocalError
            If the node is none.
        """
        value = self.values.get(node) if isinstance(node, fx.Node) else None
        if value is None or not isinstance(value.laid, TensorLayout):
            raise NotLocalError("it takes what is not a sequence of positions")
        return value, value.laid

    def result(self, node: fx.Node, laid: TensorLayout) -> TensorLayout:
        """Return the layout of a node whose positions are on the same dim as those of
        `laid`.

        Raises
        ------
        NotLocalError
            If what it makes is not a tensor of as many dims.
        """
        shape = node.meta["shape"]
        if shape is None or len(shape) != len(laid.rest) + 2:
            raise NotLocalError("it makes no single tensor of as many dims")
        rest = tuple(size for dim, size in enumerate(shape[1:], 1) if dim != laid.axis)
        return TensorLayout(laid.axis, shape[laid.axis], rest)

    def constant(self, argument: object) -> Any:
        """Return a number, or one of the network's own tensors.

        Raises
        ------
        NotLocalError
            If it is computed.
        """
        if isinstance(argument, fx.Node):
            if argument.op != "get_attr":
                raise NotLocalError(
                    "it combines positions with what is computed from the whole "
                    "sequence"
                )
            value: Any = self.graph
            for name in str(argument.target).split("."):
                value = getattr(value, name)
            return value.detach() if isinstance(value, torch.Tensor) else value
        return argument


def is_row_count(node: fx.Node) -> bool:
    """Say whether a node is the number of rows of a tensor."""
    return node.op == "call_method" and node.target == "size" and node.args[1:] == (0,)


def read_graph(graph: fx.GraphModule, laid: TensorLayout) -> Reader:
    """Read a graph whose input has this layout; nodes after an unknown layer are not
    read.
    """
    reader = Reader(graph)
    for node in graph.graph.nodes:
        if node.op == "placeholder" and not reader.values:
            reader.values[node] = LocalValue(0, laid)
        sources = [source for source in node.all_input_nodes if source in reader.values]
        if not sources or node.op == "output" or is_row_count(node):
            continue
        call = call_of(node, graph)
        try:
            if call.name not in UNDERSTOOD:
                raise NotLocalError("it is not known to be local")
            UNDERSTOOD[call.name](reader, node, call)
        except NotLocalError as reason:
            reader.refused[node] = f"{layer_label(node, graph)}: {reason}"
    return reader


def layer_label(node: fx.Node, graph: fx.GraphModule) -> str:
    """Return a layer's name and kind for a message.

    Examples
    --------
    >>> graph = fx.symbolic_trace(torch.nn.Sequential(torch.nn.ReLU()))
    >>> [layer_label(node, graph) for node in graph.graph.nodes][1]
    "'0' (ReLU)"
    """
    if node.op == "call_module":
        return (
            f"'{node.target}' ({type(graph.get_submodule(str(node.target))).__name__})"
        )
    return f"'{node.name}'"


def convolution(reader: Reader, node: fx.Node, call: Call) -> None:
    """Read a zero-padded convolution over one dim, or over two of which it covers the
    second entirely.
    """
    value, laid = reader.sequence(call.args[0])
    if getattr(call.module, "padding_mode", "zeros") != "zeros":
        raise NotLocalError(f"it pads by {call.module.padding_mode}")
    given = call.given(
        "weight bias stride padding dilation groups",
        stride=1,
        padding=0,
        dilation=1,
        groups=1,
    )
    weight, bias = (reader.constant(given[name]) for name in ("weight", "bias"))
    after = reader.result(node, laid)
    along = _along(laid, after, given, tuple(weight.shape[2:]))
    if along["height"] > 1 and given["groups"] > 1:
        raise NotLocalError("it has groups over two dims")
    if weight.ndim == 4:
        weight = weight if laid.axis == 3 else weight.transpose(2, 3)
        weight = weight.reshape(weight.shape[0], -1, weight.shape[3])
    step = Convolved(
        sources=(value.number,),
        length=after.length,
        channels=after.channels,
        window=_window(laid, after, along),
        weight=weight.detach(),
        bias=None if bias is None else bias.detach(),
        groups=given["groups"],
    )
    reader.add(node, step, after)


def pooling(reader: Reader, node: fx.Node, call: Call) -> None:
    """Read a pooling layer along the positions."""
    value, laid = reader.sequence(call.args[0])
    if laid.axis == 1:
        raise NotLocalError("it pools channels")
    if call.name.startswith("max"):
        names = "kernel_size stride padding dilation ceil_mode return_indices"
    else:
        names = (
            "kernel_size stride padding ceil_mode count_include_pad divisor_override"
        )
    given = call.given(names, padding=0, dilation=1)
    if given.get("return_indices"):
        raise NotLocalError("it returns indices")
    kernel = given["kernel_size"]
    given["stride"] = (
        kernel if given["stride"] is None or given["stride"] == [] else given["stride"]
    )
    given["dilation"] = given.get("dilation") or 1
    after = reader.result(node, laid)
    dims = len(laid.rest)
    along = _along(laid, after, given, per_dim(kernel, dims))
    if along["height"] > 1:
        raise NotLocalError("it pools over a second dim")
    window = _window(laid, after, along)
    shape: dict[str, Any] = {
        "length": after.length,
        "channels": after.channels,
        "window": window,
    }
    if not call.name.startswith("max"):
        factors = _window_weights(call, laid, window, node.meta["dtype"])
        reader.add(
            node, Averaged(sources=(value.number,), factors=factors, **shape), after
        )
        return
    maker = reader.makers.get(call.args[0])
    if isinstance(maker, Rectified) and reader.only_user(
        call.args[0]
    ):  # rectify the maxima, which are fewer
        reader.steps.append(Largest(sources=maker.sources, **shape))
        step = Rectified(
            sources=(len(reader.steps),),
            length=after.length,
            channels=after.channels,
            in_place=True,
        )
        reader.add(node, step, after)
        return
    reader.add(node, Largest(sources=(value.number,), **shape), after)


def _window_weights(
    call: Call, laid: TensorLayout, window: Window, dtype: torch.dtype
) -> torch.Tensor:
    """Return the factor of each window's sum: the layer's answer to ones, divided by
    the window's size.
    """
    ones = laid.original(
        torch.ones(laid.length, 1, laid.channels, dtype=dtype, device="cpu")
    )
    if call.module is not None:
        pooled = call.module.forward(ones)
    else:
        pooled = call.function(ones, *call.args[1:], **call.kwargs)
    averaged = laid.canonical(pooled)[:, 0, 0]
    counted = torch.zeros_like(averaged)
    for _, outputs, _ in window.taps((0, window.n_out), (0, window.n_in)):
        counted[outputs] += 1
    return averaged / counted.clamp_min(1)


def per_dim(value: Any, n: int) -> tuple[Any, ...]:
    """Return a setting for each of n dims.

    Examples
    --------
    >>> per_dim(3, 2), per_dim((1, 2), 2), per_dim([4], 2)
    ((3, 3), (1, 2), (4, 4))
    """
    return (
        (value,) * n
        if isinstance(value, int | str)
        else tuple(value) * (n if len(value) == 1 else 1)
    )


def _along(
    laid: TensorLayout,
    after: TensorLayout,
    given: dict[str, Any],
    kernel: tuple[int, ...],
) -> dict[str, Any]:
    """Return kernel, stride, padding and dilation along the positions, and the kernel's
    height across them.
    """
    dims = len(laid.rest)
    place = laid.axis - 2
    if dims not in (1, 2) or place < 0:
        raise NotLocalError("positions are where it expects channels")
    along = {
        name: per_dim(given[name], dims)[place]
        for name in ("stride", "padding", "dilation")
    }
    along |= {"kernel": kernel[place], "height": 1}
    if dims == 2:
        height = 2 - 1 - place
        across = laid.rest[1]
        padding = per_dim(given["padding"], 2)[height]
        if (
            kernel[height] not in (1, across)
            or padding not in (0, "valid", "same")
            or after.rest[1] != (1 if kernel[height] == across else across)
        ):
            raise NotLocalError("it slides over a second dim")
        along["height"] = kernel[height] if across > 1 else 1
        if kernel[height] == 1 and across > 1 and "kernel_size" not in given:
            raise NotLocalError("it goes over a second dim row by row")
    return along


def _window(laid: TensorLayout, after: TensorLayout, along: dict[str, Any]) -> Window:
    padding = along["padding"]
    if padding == "same":
        padding = along["dilation"] * (along["kernel"] - 1) // 2  # the part on the left
    pad = 0 if padding == "valid" else padding
    return Window(
        along["kernel"],
        along["stride"],
        along["dilation"],
        pad,
        laid.length,
        after.length,
    )


Understanding: TypeAlias = Callable[[Reader, fx.Node, Call], None]


def _cast(reader: Reader, node: fx.Node, call: Call) -> None:
    if node.meta["dtype"] != call.args[0].meta["dtype"]:
        raise NotLocalError(f"it changes the precision to {node.meta['dtype']}")
    reader.alias(node, call.args[0])


def _moving(reader: Reader, node: fx.Node, call: Call) -> None:
    source = call.args[0]
    value, laid = reader.sequence(source)
    counts = [n for n in node.all_input_nodes if n is not source]
    if not all(map(is_row_count, counts)):
        raise NotLocalError("its shape is computed")
    taken = layout_after(laid, partial(_moved, node, call, source))
    if isinstance(taken, FlatLayout):
        reader.alias(node, source, taken)
        return
    after = taken.laid
    if (after.length, after.channels) == (laid.length, laid.channels):
        reader.alias(node, source, after)
        return
    step = Cut(
        sources=(value.number,),
        length=after.length,
        channels=after.channels,
        offset=taken.offset,
        first_channel=taken.first_channel,
    )
    reader.add(node, step, after)


def _moved(
    node: fx.Node, call: Call, source: fx.Node, numbers: torch.Tensor
) -> torch.Tensor:
    args, kwargs = fx.node.map_arg(
        (node.args, node.kwargs), lambda n: numbers if n is source else 2
    )
    if call.module is not None:
        moved: torch.Tensor = call.module.forward(*args, **kwargs)
    else:
        moved = call.function(*args, **kwargs)
    return moved


def _pad(reader: Reader, node: fx.Node, call: Call) -> None:
    value, laid = reader.sequence(call.args[0])
    given = (
        {"pad": call.module.padding, "value": getattr(call.module, "value", 0)}
        if call.module is not None
        else call.given("pad mode value", mode="constant", value=0)
    )
    pad = given["pad"]
    if (
        given.get("mode", "constant") != "constant"
        or given["value"]
        or laid.axis != len(laid.rest) + 1
    ):
        raise NotLocalError("it pads with other things than zeros, or other dims")
    if any(not isinstance(n, int) for n in pad) or any(pad[2:]):
        raise NotLocalError("its padding is computed, or of several dims")
    after = reader.result(node, laid)
    step = Cut(
        sources=(value.number,),
        length=after.length,
        channels=after.channels,
        offset=-pad[0],
        first_channel=0,
    )
    reader.add(node, step, after)


def _relu(reader: Reader, node: fx.Node, call: Call) -> None:
    value, laid = reader.sequence(call.args[0])
    step = Rectified(
        sources=(value.number,), length=laid.length, channels=laid.channels
    )
    reader.add(node, step, laid)


def _elementwise(reader: Reader, node: fx.Node, call: Call) -> None:
    value, laid = reader.sequence(call.args[0])
    if len(node.all_input_nodes) > 1:
        raise NotLocalError("its settings are computed")
    function = partial(_applied, call)
    reader.add(
        node,
        Pointwise(
            sources=(value.number,),
            length=laid.length,
            channels=laid.channels,
            function=function,
        ),
        laid,
    )


def _applied(call: Call, x: torch.Tensor) -> torch.Tensor:
    if call.module is not None:
        made: torch.Tensor = call.module.forward(
            x.clone() if getattr(call.module, "inplace", False) else x
        )
    else:
        settings = call.args[1:]
        made = call.function(
            x.clone() if True in settings else x, *settings, **call.kwargs
        )
    return made


def _combine(reader: Reader, node: fx.Node, call: Call) -> None:
    pair = call.args[:2]
    values = [reader.values.get(a) if isinstance(a, fx.Node) else None for a in pair]
    if len(pair) != 2 or call.kwargs:
        raise NotLocalError("it has more than two operands")
    if None in values:
        _with_constant(reader, node, call, pair)
        return
    (one, laid), (other, second) = (reader.sequence(a) for a in pair)
    after = reader.result(node, laid)
    broadcast = all(
        one.rest == after.rest or one.channels == 1 for one in (laid, second)
    )
    if (
        (laid.axis, laid.length) != (second.axis, second.length)
        or not broadcast
        or after.length != laid.length
    ):
        raise NotLocalError("it combines values whose positions do not match")
    shape: dict[str, Any] = {"length": after.length, "channels": after.channels}
    sources = one.number, other.number
    if call.combining in (torch.add, torch.sub):
        signs = 1, 1 if call.combining is torch.add else -1
        reader.add(node, Summed(sources=sources, signs=signs, **shape), after)
        return
    reader.add(
        node, Combined(sources=sources, operation=call.combining, **shape), after
    )


def _with_constant(
    reader: Reader, node: fx.Node, call: Call, pair: tuple[Any, ...]
) -> None:
    source = next(a for a in pair if isinstance(a, fx.Node) and a in reader.values)
    value, laid = reader.sequence(source)
    constant = reader.constant(pair[0] if source is pair[1] else pair[1])
    if isinstance(constant, torch.Tensor):
        # an operand of (rows, ...) as one number, or (channels,)
        if constant.numel() == 1:
            constant = constant.reshape(())
        else:
            shape = (1,) * (len(laid.rest) + 2 - constant.ndim) + tuple(constant.shape)
            if (
                len(shape) != len(laid.rest) + 2
                or shape[0] != 1
                or shape[laid.axis] != 1
            ):
                raise NotLocalError(
                    "it combines positions with constants that differ between positions"
                )
            lengthwise = constant.reshape(shape).movedim(laid.axis, 0)
            constant = lengthwise.expand(1, 1, *laid.rest).reshape(-1)
    operands = tuple(None if a is source else constant for a in pair)
    function = partial(_with_operands, call.function, operands)
    if reader.result(node, laid) != laid:
        raise NotLocalError("it makes more channels out of few")
    reader.add(
        node,
        Pointwise(
            sources=(value.number,),
            length=laid.length,
            channels=laid.channels,
            function=function,
        ),
        laid,
    )


def _with_operands(
    function: Any, operands: tuple[Any, ...], x: torch.Tensor
) -> torch.Tensor:
    made: torch.Tensor = function(
        *(x if operand is None else operand for operand in operands)
    )
    return made


def _cat(reader: Reader, node: fx.Node, call: Call) -> None:
    given = call.given("dim axis")
    parts = call.args[0]
    dim = given["dim"] if given["dim"] is not None else given["axis"] or 0
    found = [reader.sequence(part) for part in parts]
    laid = found[0][1]
    after = reader.result(node, laid)
    first = next(
        (
            d
            for d in range(1, len(laid.rest) + 2)
            if d != laid.axis and laid.shape[d - 1] > 1
        ),
        None,
    )
    dim = dim % (len(laid.rest) + 2)
    if dim in (0, laid.axis) or any(
        (v.axis, v.length) != (laid.axis, laid.length) for _, v in found
    ):
        raise NotLocalError("it joins other things than channels at the same positions")
    if first is not None and dim > first:
        raise NotLocalError("it joins an inner dim")
    sources = tuple(value.number for value, _ in found)
    widths = tuple(one.channels for _, one in found)
    reader.add(
        node,
        Joined(
            sources=sources, length=after.length, channels=after.channels, widths=widths
        ),
        after,
    )


def _linear(reader: Reader, node: fx.Node, call: Call) -> None:
    value = reader.values.get(call.args[0])
    given = call.given("weight bias")
    weight, bias = (reader.constant(given[name]) for name in ("weight", "bias"))
    weight, bias = weight.detach(), None if bias is None else bias.detach()
    if (
        value is not None
        and isinstance(value.laid, TensorLayout)
        and len(value.laid.rest) == 1
        and value.laid.axis == 1
    ):
        laid = reader.result(node, value.laid)
        function = partial(functional.linear, weight=weight, bias=bias)
        step = Pointwise(
            sources=(value.number,),
            length=laid.length,
            channels=laid.channels,
            function=function,
        )
        step.macs = float(weight.numel())
        reader.add(node, step, laid)
        return
    flat = None if value is None else value.laid
    order = flat.order if isinstance(flat, FlatLayout) else None
    if isinstance(flat, TensorLayout) and flat.rest == ():
        order = torch.arange(flat.length, device="cpu")
    if order is None or value is None:
        raise NotLocalError("it mixes positions in parts")
    with_layout = torch.empty_like(weight.t())
    with_layout[order] = weight.t()
    if value.number:
        length = reader.steps[value.number - 1].length
    else:
        first = next(one.laid for one in reader.values.values() if one.number == 0)
        assert isinstance(first, TensorLayout)
        length = first.length
    shaped = with_layout.reshape(length, -1, len(weight)).contiguous()
    macs = float(shaped[0].numel())
    reader.ends[node] = Dense(
        source=value.number, shape=(len(weight),), weight=shaped, bias=bias, macs=macs
    )


def _layer_norm(reader: Reader, node: fx.Node, call: Call) -> None:
    value, laid = reader.sequence(call.args[0])
    if (
        call.module is None
        or laid.axis != 1
        or tuple(call.module.normalized_shape) != laid.rest
    ):
        raise NotLocalError("it normalizes over positions")
    if len(laid.rest) != 1:
        raise NotLocalError("it normalizes over several dims")
    step = Pointwise(
        sources=(value.number,),
        length=laid.length,
        channels=laid.channels,
        function=call.module.forward,
    )
    reader.add(node, step, laid)


def _batch_norm(reader: Reader, node: fx.Node, call: Call) -> None:
    source = call.args[0]
    value, laid = reader.sequence(source)
    norm = call.module
    if norm is None or norm.running_mean is None or laid.axis == 1:
        raise NotLocalError("it normalizes by what other rows or positions hold")
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    scale = scale if norm.weight is None else scale * norm.weight.detach().double()
    shift = -norm.running_mean.double() * scale
    shift = shift if norm.bias is None else shift + norm.bias.detach().double()
    dtype, repeats = norm.running_mean.dtype, prod(laid.rest[1:])
    scale, shift = (v.repeat_interleave(repeats).to(dtype) for v in (scale, shift))
    maker = reader.makers.get(source)
    if isinstance(maker, Convolved) and reader.only_user(source):
        maker.scaled(scale, shift)
        reader.alias(node, source)
        return
    step = Affine(
        sources=(value.number,),
        length=laid.length,
        channels=laid.channels,
        factor=scale,
        shift=shift,
    )
    reader.add(node, step, laid)


def _reduction(reader: Reader, node: fx.Node, call: Call) -> None:
    value, laid = reader.sequence(call.args[0])
    given = call.given("dim keepdim dtype")
    dims = per_dim(given["dim"], 1) if given["dim"] is not None else ()
    n_dims = len(laid.rest) + 2
    if [dim % n_dims for dim in dims if isinstance(dim, int)] != [laid.axis] or given[
        "dtype"
    ] is not None:
        raise NotLocalError("it reduces other dims than the positions")
    shape = tuple(node.meta["shape"][1:])
    if call.name == "amax":
        reader.ends[node] = Greatest(source=value.number, shape=shape)
    else:
        factor = 1 / laid.length if call.name == "mean" else 1.0
        reader.ends[node] = Total(source=value.number, shape=shape, factor=factor)


def _adaptive(reader: Reader, node: fx.Node, call: Call) -> None:
    value, laid = reader.sequence(call.args[0])
    size = call.given("output_size return_indices")
    if (
        per_dim(size["output_size"], 1) != (1,)
        or size["return_indices"]
        or (laid.axis, len(laid.rest)) != (2, 1)
    ):
        raise NotLocalError("it pools to several positions")
    if call.name == "adaptive_max_pool1d":
        reader.ends[node] = Greatest(source=value.number, shape=(*laid.rest, 1))
    else:
        reader.ends[node] = Total(
            source=value.number, shape=(*laid.rest, 1), factor=1 / laid.length
        )


UNDERSTOOD: dict[str, Understanding] = {
    "same": lambda reader, node, call: reader.alias(node, call.args[0]),
    **{"cast": _cast, "moving": _moving, "pad": _pad, "cat": _cat},
    **{"relu": _relu, "elementwise": _elementwise, "combine": _combine},
    **{"linear": _linear, "layer_norm": _layer_norm, "batch_norm": _batch_norm},
    **dict.fromkeys(("conv1d", "conv2d"), convolution),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"), pooling),
    **dict.fromkeys(("mean", "sum", "amax"), _reduction),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_max_pool1d"), _adaptive),
}
"""The kinds of calls that can be translated."""
