"""Layer by layer: how a call of the network becomes a step.

Each function takes the reader, the node and what it calls, and gives the node its place, or raises `NotLocalError`
saying why the layer is recomputed in full.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, TypeAlias

import torch
from torch import fx
from torch.nn import functional

from causalgia.predict.incremental.calls import Call
from causalgia.predict.incremental.convolving import Convolved
from causalgia.predict.incremental.graph import Reader, is_row_count
from causalgia.predict.incremental.reductions import Dense, Largest, Total
from causalgia.predict.incremental.sliding import convolution, pooling, spread
from causalgia.predict.incremental.tensor_layout import Flat, Laid, Taken, relaid
from causalgia.predict.incremental.trace import NotLocalError
from causalgia.predict.incremental.window_steps import Affine, Combined, Cut, Joined, Pointwise, Rectified

Understanding: TypeAlias = Callable[[Reader, fx.Node, Call], None]


def _same(reader: Reader, node: fx.Node, call: Call) -> None:
    reader.alias(node, call.args[0])


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
    taken = relaid(laid, partial(_moved, node, call, source))
    if isinstance(taken, Flat) or _is_whole(taken, laid):
        reader.alias(node, source, taken if isinstance(taken, Flat) else taken.laid)
        return
    after = taken.laid
    step = Cut(
        sources=(value.number,),
        length=after.length,
        channels=after.channels,
        offset=taken.offset,
        first_channel=taken.first_channel,
    )
    reader.add(node, step, after)


def _is_whole(taken: Taken, laid: Laid) -> bool:
    return (taken.laid.length, taken.laid.channels) == (laid.length, laid.channels)


def _moved(node: fx.Node, call: Call, source: fx.Node, numbers: torch.Tensor) -> torch.Tensor:
    args, kwargs = fx.node.map_arg((node.args, node.kwargs), lambda n: numbers if n is source else 2)
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
    if given.get("mode", "constant") != "constant" or given["value"] or laid.axis != len(laid.rest) + 1:
        raise NotLocalError("it pads with other things than zeros, or other dims")
    if any(not isinstance(n, int) for n in pad) or any(pad[2:]):
        raise NotLocalError("its padding is computed, or of several dims")
    after = reader.result(node, laid)
    step = Cut(sources=(value.number,), length=after.length, channels=after.channels, offset=-pad[0], first_channel=0)
    reader.add(node, step, after)


def _relu(reader: Reader, node: fx.Node, call: Call) -> None:
    source = call.args[0]
    value, laid = reader.sequence(source)
    maker = reader.makers.get(source)
    if maker is not None and reader.only_user(source):
        maker.relu = True
        reader.alias(node, source)
        return
    step = Rectified(sources=(value.number,), length=laid.length, channels=laid.channels)
    reader.add(node, step, laid)


def _elementwise(reader: Reader, node: fx.Node, call: Call) -> None:
    value, laid = reader.sequence(call.args[0])
    if len(node.all_input_nodes) > 1:
        raise NotLocalError("its settings are computed")
    function = partial(_applied, call)
    reader.add(
        node, Pointwise(sources=(value.number,), length=laid.length, channels=laid.channels, function=function), laid
    )


def _applied(call: Call, x: torch.Tensor) -> torch.Tensor:
    if call.module is not None:
        made: torch.Tensor = call.module.forward(x.clone() if getattr(call.module, "inplace", False) else x)
    else:
        settings = call.args[1:]
        made = call.function(x.clone() if True in settings else x, *settings, **call.kwargs)
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
    if (laid.axis, laid.length) != (second.axis, second.length) or not _broadcasts(after, laid, second):
        raise NotLocalError("it combines values whose positions do not match")
    reader.add(
        node,
        Combined(
            sources=(one.number, other.number),
            length=after.length,
            channels=after.channels,
            operation=call.combining,
        ),
        after,
    )


def _broadcasts(after: Laid, *laid: Laid) -> bool:
    return all(one.rest == after.rest or one.channels == 1 for one in laid) and after.length == laid[0].length


def _with_constant(reader: Reader, node: fx.Node, call: Call, pair: tuple[Any, ...]) -> None:
    source = next(a for a in pair if isinstance(a, fx.Node) and a in reader.values)
    value, laid = reader.sequence(source)
    constant = reader.constant(pair[0] if source is pair[1] else pair[1])
    if isinstance(constant, torch.Tensor):
        constant = _of_channels(constant, laid)
    operands = tuple(None if a is source else constant for a in pair)
    function = partial(_with_operands, call.function, operands)
    if reader.result(node, laid) != laid:
        raise NotLocalError("it makes more channels out of few")
    reader.add(
        node, Pointwise(sources=(value.number,), length=laid.length, channels=laid.channels, function=function), laid
    )


def _with_operands(function: Any, operands: tuple[Any, ...], x: torch.Tensor) -> torch.Tensor:
    made: torch.Tensor = function(*(x if operand is None else operand for operand in operands))
    return made


def _of_channels(constant: torch.Tensor, laid: Laid) -> torch.Tensor:
    """Return a tensor that is added to (rows, ...) as one number, or (channels,)."""
    if constant.numel() == 1:
        return constant.reshape(())
    shape = (1,) * (len(laid.rest) + 2 - constant.ndim) + tuple(constant.shape)
    if len(shape) != len(laid.rest) + 2 or shape[0] != 1 or shape[laid.axis] != 1:
        raise NotLocalError("it combines positions with constants that differ between positions")
    lengthwise = constant.reshape(shape).movedim(laid.axis, 0)
    return lengthwise.expand(1, 1, *laid.rest).reshape(-1)


def _cat(reader: Reader, node: fx.Node, call: Call) -> None:
    given = call.given("dim axis")
    parts = call.args[0]
    dim = given["dim"] if given["dim"] is not None else given["axis"] or 0
    found = [reader.sequence(part) for part in parts]
    laid = found[0][1]
    after = reader.result(node, laid)
    first = next((d for d in range(1, len(laid.rest) + 2) if d != laid.axis and laid.shape[d - 1] > 1), None)
    dim = dim % (len(laid.rest) + 2)
    if dim in (0, laid.axis) or any((v.axis, v.length) != (laid.axis, laid.length) for _, v in found):
        raise NotLocalError("it joins other things than channels at the same positions")
    if first is not None and dim > first:
        raise NotLocalError("it joins an inner dim")
    sources = tuple(value.number for value, _ in found)
    reader.add(node, Joined(sources=sources, length=after.length, channels=after.channels), after)


def _linear(reader: Reader, node: fx.Node, call: Call) -> None:
    value = reader.values.get(call.args[0])
    given = call.given("weight bias")
    weight, bias = (reader.constant(given[name]) for name in ("weight", "bias"))
    weight, bias = weight.detach(), None if bias is None else bias.detach()
    if value is not None and isinstance(value.laid, Laid) and len(value.laid.rest) == 1 and value.laid.axis == 1:
        laid = reader.result(node, value.laid)
        function = partial(functional.linear, weight=weight, bias=bias)
        step = Pointwise(sources=(value.number,), length=laid.length, channels=laid.channels, function=function)
        step.macs = float(weight.numel())
        reader.add(node, step, laid)
        return
    order = _order(value.laid) if value is not None else None
    if order is None or value is None:
        raise NotLocalError("it mixes positions in parts")
    laid_out = torch.empty_like(weight.t())
    laid_out[order] = weight.t()
    length = _length(reader, value.number)
    shaped = laid_out.reshape(length, -1, len(weight)).contiguous()
    macs = float(shaped[0].numel())
    reader.ends[node] = Dense(source=value.number, shape=(len(weight),), weight=shaped, bias=bias, macs=macs)


def _order(laid: Laid | Flat) -> torch.Tensor | None:
    """Return which number of (positions, channels) each feature is, where the tensor is a row of features."""
    if isinstance(laid, Flat):
        return laid.order
    return torch.arange(laid.length) if laid.rest == () else None


def _length(reader: Reader, number: int) -> int:
    if number:
        return reader.steps[number - 1].length
    first = next(value.laid for value in reader.values.values() if value.number == 0)
    assert isinstance(first, Laid)
    return first.length


def _layer_norm(reader: Reader, node: fx.Node, call: Call) -> None:
    value, laid = reader.sequence(call.args[0])
    if call.module is None or laid.axis != 1 or tuple(call.module.normalized_shape) != laid.rest:
        raise NotLocalError("it normalises over positions")
    if len(laid.rest) != 1:
        raise NotLocalError("it normalises over several dims")
    step = Pointwise(sources=(value.number,), length=laid.length, channels=laid.channels, function=call.module.forward)
    reader.add(node, step, laid)


def _batch_norm(reader: Reader, node: fx.Node, call: Call) -> None:
    source = call.args[0]
    value, laid = reader.sequence(source)
    norm = call.module
    if norm is None or norm.running_mean is None or laid.axis == 1:
        raise NotLocalError("it normalises by what other rows or positions hold")
    scale = torch.rsqrt(norm.running_var.double() + norm.eps)
    scale = scale if norm.weight is None else scale * norm.weight.detach().double()
    shift = -norm.running_mean.double() * scale
    shift = shift if norm.bias is None else shift + norm.bias.detach().double()
    dtype, repeats = norm.running_mean.dtype, prod(laid.rest[1:])
    scale, shift = (v.repeat_interleave(repeats).to(dtype) for v in (scale, shift))
    maker = reader.makers.get(source)
    if isinstance(maker, Convolved) and not maker.relu and reader.only_user(source):
        maker.scaled(scale, shift)
        reader.alias(node, source)
        return
    step = Affine(sources=(value.number,), length=laid.length, channels=laid.channels, scale=scale, shift=shift)
    reader.add(node, step, laid)


def _reduction(reader: Reader, node: fx.Node, call: Call) -> None:
    value, laid = reader.sequence(call.args[0])
    given = call.given("dim keepdim dtype")
    dims = spread(given["dim"], 1) if given["dim"] is not None else ()
    n_dims = len(laid.rest) + 2
    if [dim % n_dims for dim in dims if isinstance(dim, int)] != [laid.axis] or given["dtype"] is not None:
        raise NotLocalError("it reduces other dims than the positions")
    shape = tuple(node.meta["shape"][1:])
    if call.name == "amax":
        reader.ends[node] = Largest(source=value.number, shape=shape)
    else:
        factor = 1 / laid.length if call.name == "mean" else 1.0
        reader.ends[node] = Total(source=value.number, shape=shape, factor=factor)


def _adaptive(reader: Reader, node: fx.Node, call: Call) -> None:
    value, laid = reader.sequence(call.args[0])
    size = call.given("output_size return_indices")
    if spread(size["output_size"], 1) != (1,) or size["return_indices"] or (laid.axis, len(laid.rest)) != (2, 1):
        raise NotLocalError("it pools to several positions")
    if call.name == "adaptive_max_pool1d":
        reader.ends[node] = Largest(source=value.number, shape=(*laid.rest, 1))
    else:
        reader.ends[node] = Total(source=value.number, shape=(*laid.rest, 1), factor=1 / laid.length)


UNDERSTOOD: dict[str, Understanding] = {
    **{"same": _same, "cast": _cast, "moving": _moving, "pad": _pad, "cat": _cat},
    **{"relu": _relu, "elementwise": _elementwise, "combine": _combine},
    **{"linear": _linear, "layer_norm": _layer_norm, "batch_norm": _batch_norm},
    **dict.fromkeys(("conv1d", "conv2d"), convolution),
    **dict.fromkeys(("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"), pooling),
    **dict.fromkeys(("mean", "sum", "amax"), _reduction),
    **dict.fromkeys(("adaptive_avg_pool1d", "adaptive_max_pool1d"), _adaptive),
}
"""Every kind of call that is understood."""
