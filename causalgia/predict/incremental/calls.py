"""What a node of a graph calls: one name and its arguments, whether it is a module, a function or a method."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

ELEMENTWISE_MODULES: tuple[type[nn.Module], ...] = (
    *(nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh, nn.Softplus),
    *(nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.LogSigmoid, nn.Softsign, nn.Softshrink, nn.Hardshrink),
    *(nn.Tanhshrink, nn.Threshold),
)
_ELEMENTWISE = (
    *("exp", "sigmoid", "tanh", "abs", "sqrt", "rsqrt", "log", "log1p", "log2", "log10", "expm1", "exp2", "square"),
    *("neg", "clamp", "clamp_min", "clamp_max", "pow", "sin", "cos", "erf", "reciprocal", "sign", "relu6"),
    *("leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "hardtanh", "hardswish"),
    *("hardsigmoid", "logsigmoid", "softsign", "softshrink", "tanhshrink", "threshold"),
)
MOVING = (
    *("view", "reshape", "permute", "transpose", "swapaxes", "movedim", "squeeze", "unsqueeze", "flatten"),
    *("unflatten", "getitem", "narrow", "select", "swapdims", "moveaxis"),
)
_SAME = ("contiguous", "clone", "detach", "dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout")
_CASTS = ("float", "double", "to", "type", "type_as")
_COMBINING = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "truediv": torch.div}
_COMBINING |= {"iadd": torch.add, "isub": torch.sub, "imul": torch.mul, "itruediv": torch.div, "true_divide": torch.div}
_COMBINING |= {"maximum": torch.maximum, "minimum": torch.minimum, "subtract": torch.sub, "multiply": torch.mul}
_WINDOWS = ("conv1d", "conv2d", "max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d")
_REDUCING = ("mean", "sum", "amax", "adaptive_avg_pool1d", "adaptive_max_pool1d")
_PLAIN = ("relu", "cat", "concat", "concatenate", "pad", "linear", "batch_norm", "layer_norm", *_WINDOWS, *_REDUCING)

MODULES: dict[type[nn.Module], str] = {
    nn.ReLU: "relu",
    **dict.fromkeys((nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.AlphaDropout), "same"),
    **dict.fromkeys((nn.Flatten, nn.Unflatten), "moving"),
    **{nn.Conv1d: "conv1d", nn.Conv2d: "conv2d", nn.Linear: "linear", nn.LayerNorm: "layer_norm"},
    **{nn.MaxPool1d: "max_pool1d", nn.MaxPool2d: "max_pool2d", nn.AvgPool1d: "avg_pool1d", nn.AvgPool2d: "avg_pool2d"},
    **{nn.BatchNorm1d: "batch_norm", nn.BatchNorm2d: "batch_norm", nn.ConstantPad1d: "pad", nn.ZeroPad1d: "pad"},
    **{nn.AdaptiveAvgPool1d: "adaptive_avg_pool1d", nn.AdaptiveMaxPool1d: "adaptive_max_pool1d"},
    **dict.fromkeys(ELEMENTWISE_MODULES, "elementwise"),
}
"""The library's own layers that are understood; a subclass of one may do something else."""


@dataclass(frozen=True)
class Call:
    """What is called, by one of the names of this module, or "" where it is not known."""

    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    module: Any = None
    function: Any = None
    combining: Any = None
    """Of two tensors, with an argument ``out``."""

    def given(self, names: str, **defaults: Any) -> dict[str, Any]:
        """Return the arguments after the first by name: from the call, or from the module's attributes."""
        wanted = names.split()
        if self.module is not None:
            return {name: getattr(self.module, name, defaults.get(name)) for name in wanted}
        found = dict(zip(wanted, self.args[1:], strict=False)) | dict(self.kwargs)
        return {name: found.get(name, defaults.get(name)) for name in wanted}


def call_of(node: fx.Node, root: nn.Module) -> Call:
    """Return what a node calls."""
    if node.op == "call_module":
        module = root.get_submodule(str(node.target))
        hooks = (module._forward_hooks, module._forward_pre_hooks, "forward" in vars(module))
        name = "" if any(hooks) else MODULES.get(type(module), "")
        return Call(name, node.args, node.kwargs, module, module)
    if node.op == "call_method":
        return _named(str(node.target).rstrip("_"), node, torch.Tensor)
    if node.op == "call_function":
        name, place = _function_name(node.target)
        return _named(name, node, place)
    return Call("")


def _function_name(target: Any) -> tuple[str, Any]:
    """Return the name of a function of torch, torch.nn.functional or operator, and which; "" for another one."""
    name = str(getattr(target, "__name__", ""))
    for place in (operator, torch, functional):
        if getattr(place, name, None) is target:
            return name.rstrip("_"), place
    dispatched = (name for name in (*_WINDOWS, *_REDUCING) if getattr(functional, name, None) is target)
    return next(dispatched, ""), functional


def _named(name: str, node: fx.Node, place: Any) -> Call:
    """Return the call; what works in place is replaced by what does not, since a context must not change."""
    if name in _COMBINING:
        plain = name.removeprefix("i") if place is operator else name
        return Call("combine", node.args, node.kwargs, None, getattr(place, plain), _COMBINING[name])
    kinds = ((_ELEMENTWISE, "elementwise"), (MOVING, "moving"), (_SAME, "same"), (_CASTS, "cast"))
    kind = next((kind for names, kind in kinds if name in names), name if name in _PLAIN else "")
    kwargs = {key: value for key, value in node.kwargs.items() if key != "inplace"}
    return Call("cat" if kind.startswith("conc") else kind, node.args, kwargs, None, getattr(place, name, None))
