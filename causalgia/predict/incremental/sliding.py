"""Layers that slide along the positions, and other dims with them: convolutions and pooling."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import fx

from causalgia.predict.incremental.calls import Call
from causalgia.predict.incremental.convolving import Convolved
from causalgia.predict.incremental.graph import Reader
from causalgia.predict.incremental.reach import Window, same_padding
from causalgia.predict.incremental.tensor_layout import Laid
from causalgia.predict.incremental.trace import NotLocalError
from causalgia.predict.incremental.window_steps import Pooled


def convolution(reader: Reader, node: fx.Node, call: Call) -> None:
    """Read a convolution with zeros around it, over one dim, or over two of which the second is gone through whole."""
    value, laid = reader.sequence(call.args[0])
    if getattr(call.module, "padding_mode", "zeros") != "zeros":
        raise NotLocalError(f"it pads by {call.module.padding_mode}")
    given = call.given("weight bias stride padding dilation groups", stride=1, padding=0, dilation=1, groups=1)
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
        names = "kernel_size stride padding ceil_mode count_include_pad divisor_override"
    given = call.given(names, padding=0, dilation=1)
    if given.get("return_indices"):
        raise NotLocalError("it returns indices")
    kernel = given["kernel_size"]
    given["stride"] = kernel if given["stride"] is None or given["stride"] == [] else given["stride"]
    given["dilation"] = given.get("dilation") or 1
    after = reader.result(node, laid)
    dims = len(laid.rest)
    along = _along(laid, after, given, spread(kernel, dims))
    if along["height"] > 1:
        raise NotLocalError("it pools over a second dim")
    window = _window(laid, after, along)
    step = Pooled(
        sources=(value.number,),
        length=after.length,
        channels=after.channels,
        window=window,
        largest=call.name.startswith("max"),
    )
    if not step.largest:
        step.scale = _weights(call, laid, window, node.meta["dtype"])
    _rectify_later(reader, call.args[0], step)
    reader.add(node, step, after)


def _rectify_later(reader: Reader, source: fx.Node, step: Pooled) -> None:
    """Take over the rectification of what is pooled: the largest of fewer numbers is the same."""
    maker = reader.makers.get(source)
    if step.largest and maker is not None and maker.relu and reader.only_user(source):
        maker.relu, step.relu = False, True


def _weights(call: Call, laid: Laid, window: Window, dtype: torch.dtype) -> torch.Tensor:
    """Return what the sum of each window is multiplied by: the layer's answer to ones, over how many they are."""
    ones = laid.original(torch.ones(laid.length, 1, laid.channels, dtype=dtype))
    pool = call.module.forward if call.module is not None else partial(_settled, call)
    averaged = laid.canonical(pool(ones))[:, 0, 0]
    counted = torch.zeros_like(averaged)
    for (first, last), _ in window.taps((0, window.n_out)):
        counted[first:last] += 1
    return averaged / counted.clamp_min(1)


def _settled(call: Call, x: torch.Tensor) -> torch.Tensor:
    made: torch.Tensor = call.function(x, *call.args[1:], **call.kwargs)
    return made


def spread(value: Any, n: int) -> tuple[Any, ...]:
    """Return a setting for each of n dims.

    Examples
    --------
    >>> spread(3, 2), spread((1, 2), 2), spread([4], 2)
    ((3, 3), (1, 2), (4, 4))
    """
    return (value,) * n if isinstance(value, int | str) else tuple(value) * (n if len(value) == 1 else 1)


def _along(laid: Laid, after: Laid, given: dict[str, Any], kernel: tuple[int, ...]) -> dict[str, Any]:
    """Return kernel, stride, padding and dilation along the positions, and the kernel's height across them."""
    dims = len(laid.rest)
    place = laid.axis - 2
    if dims not in (1, 2) or place < 0:
        raise NotLocalError("positions are where it expects channels")
    along = {name: spread(given[name], dims)[place] for name in ("stride", "padding", "dilation")}
    along |= {"kernel": kernel[place], "height": 1}
    if dims == 2:
        height = 2 - 1 - place
        across = laid.rest[1]
        padding = spread(given["padding"], 2)[height]
        if (
            kernel[height] not in (1, across)
            or padding not in (0, "valid", "same")
            or not _fits(after, across, kernel[height])
        ):
            raise NotLocalError("it slides over a second dim")
        along["height"] = kernel[height] if across > 1 else 1
        if kernel[height] == 1 and across > 1 and "kernel_size" not in given:
            raise NotLocalError("it goes over a second dim row by row")
    return along


def _fits(after: Laid, across: int, height: int) -> bool:
    return after.rest[1] == (1 if height == across else across)


def _window(laid: Laid, after: Laid, along: dict[str, Any]) -> Window:
    padding = along["padding"]
    if padding == "same":
        padding = same_padding(along["kernel"], along["dilation"])
    pad = 0 if padding == "valid" else padding
    return Window(along["kernel"], along["stride"], along["dilation"], pad, laid.length, after.length)
