"""How a forward pass is carried out: eager, in channels-last memory, or compiled. Imported on demand: needs torch."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from causalgia.errors import CausalgiaError, PredictorError
from causalgia.predict.wording import first_line

Tensor: TypeAlias = torch.Tensor
_LENGTHS = 8
"""torch compiles a network for so many shapes, and goes on eagerly, without a word, at the next."""
_NO_COMPILER = (
    "compile=True needs a C++ compiler on a CPU and none was found (looked for {}); install one (apt install g++, or "
    "conda install cxx-compiler), name it in the environment variable CXX, or leave compile= out"
)


def forward_pass(module: torch.nn.Module, *, channels_last: bool, compiled: bool, device: torch.device) -> Any:
    """Return what carries out the forward pass of a network.

    Raises
    ------
    PredictorError
        If both ways are asked for, or there is nothing to compile with.
    """
    if channels_last and compiled:
        msg = "channels_last=True and compile=True exclude each other: a compiler lays memory out itself; choose one"
        raise PredictorError(msg)
    if compiled:
        return Compiled(module, device)
    return ChannelsLast(module) if channels_last else module


class ChannelsLast:
    """Runs a network's one-dimensional layers as two-dimensional ones of height 1, channels innermost in memory.

    oneDNN has better kernels for that layout where a network has many channels and short sequences. The network is
    untouched: calls are turned on their way, whether they come from layers or from functions.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module

    def __call__(self, x: Tensor) -> Any:
        """Answer for one-hot x; PredictorError where no convolution was met that could be turned."""
        turning = _Turning()
        with turning:
            answer = self._module(x)
        if not turning.convolutions:
            msg = (
                "channels_last=True found no one-dimensional convolution in the forward pass that it could run in that "
                "layout (a scripted network hides its own); leave it out"
            )
            raise PredictorError(msg)
        return answer


class Compiled:
    """A network through `torch.compile`, at whole batches of one size for each length."""

    def __init__(self, module: torch.nn.Module, device: torch.device) -> None:
        _require_compiler(device)
        self._network = torch.compile(module, dynamic=False)
        self._shapes: set[torch.Size] = set()

    def __call__(self, x: Tensor) -> Any:
        """Answer for one-hot x; PredictorError where it cannot be compiled."""
        self._shapes.add(x.shape)
        if len(self._shapes) > _LENGTHS:
            msg = f"compile=True serves {_LENGTHS} lengths of sequence, one compilation each; leave it out for more"
            raise PredictorError(msg)
        try:
            return self._network(x)
        except CausalgiaError:
            raise
        except Exception as error:
            if not type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise
            msg = f"compile=True: torch.compile cannot compile this network ({first_line(error)}); leave compile= out"
            raise PredictorError(msg) from error


def _require_compiler(device: torch.device) -> None:
    wanted = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++"]
    if device.type == "cpu" and not any(map(shutil.which, wanted)):
        raise PredictorError(_NO_COMPILER.format(", ".join(wanted)))


class _Turning(TorchFunctionMode):
    """Sends one-dimensional layers to their two-dimensional versions."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        turned = _TURNED.get(func)
        if turned is None or not args or args[0].ndim != 3:
            return func(*args, **(kwargs or {}))
        self.convolutions += func is torch.conv1d
        return turned(*args, **(kwargs or {}))


def _one(value: Any) -> Any:
    """Return a width as an int, or a padding in words."""
    return value[0] if isinstance(value, tuple | list) else value


def _conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    flat = weight.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    pad = padding if isinstance(padding, str) else (0, _one(padding))
    wide = torch.conv2d(x.unsqueeze(2), flat, bias, (1, _one(stride)), pad, (1, _one(dilation)), groups)
    return wide.squeeze(2)


def _max_pool(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if return_indices:
        return functional.max_pool1d(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    step = kernel_size if stride is None or stride == [] else stride
    wide = torch.max_pool2d(
        x.unsqueeze(2),
        (1, _one(kernel_size)),
        (1, _one(step)),
        (0, _one(padding)),
        (1, _one(dilation)),
        ceil_mode,
    )
    return wide.squeeze(2)


def _avg_pool(
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    step = kernel_size if stride is None or stride == () else stride
    wide = functional.avg_pool2d(
        x.unsqueeze(2), (1, _one(kernel_size)), (1, _one(step)), (0, _one(padding)), ceil_mode, count_include_pad
    )
    return wide.squeeze(2)


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Scale and shift each channel in one pass; torch's own kernel for this layout takes three times as long."""
    if training or running_mean is None or running_var is None:
        return functional.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)
    gain = torch.rsqrt(running_var + eps) * (1 if weight is None else weight)
    shift = (0 if bias is None else bias) - running_mean * gain
    return torch.addcmul(shift.unsqueeze(1), x, gain.unsqueeze(1))


_TURNED: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.conv1d: _conv,
    functional.max_pool1d: _max_pool,
    torch.max_pool1d: _max_pool,
    torch.avg_pool1d: _avg_pool,
    functional.batch_norm: _batch_norm,
}
