"""Gradients of a prediction, also along the line from baselines, and DeepLIFT
multipliers; needs torch.

DeepLIFT multipliers are tangermeme's, on a copy of the network in which every
activation passes through a module: rules of DeepLIFT attach to modules, so that of a
network that calls ``x.relu()`` they see nothing, and the scores are wrong without a
word. Here each such call is redirected, while the copy runs, to a module that has the
rule; nothing is traced, so that ``forward`` may branch. The copy is in float64, where
quotients of small differences are exact enough.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import roots_legendre
from torch import nn
from torch.overrides import TorchFunctionMode

from causalgia.errors import (
    CausalgiaError,
    MissingExtraError,
    PredictorError,
    install_command,
)
from causalgia.predict.answer_checks import first_line
from causalgia.predict.torch_device import (
    copied_network,
    is_exported,
    module_errors,
    to_eval_mode,
)
from causalgia.predict.torch_exports import Differentiable, answers_to_one_hot
from causalgia.predict.torch_predictor import TorchPredictor
from causalgia.types import Tokens

NO_GRADIENT = "no gradient of the answers reaches the sequence"


def check_finite_slopes(gradient: torch.Tensor) -> None:
    """Raise PredictorError if a slope of an answer, (n, length, 4, tasks), is not
    finite.
    """
    if not bool(torch.isfinite(gradient).all()):
        row, position, base, task = (
            int(k) for k in (~torch.isfinite(gradient)).nonzero()[0]
        )
        raise PredictorError(
            f"the slope of answer {task} in base {'ACGT'[base]} at position "
            f"{position} is {gradient[row, position, base, task].item()}, not a "
            "finite number"
        )


@contextmanager
def backward_errors() -> Iterator[None]:
    """Raise PredictorError where torch cannot differentiate a network, as after
    ``h += x`` on what it kept, or where the network's own code fails on the way back.
    """
    try:
        yield
    except (torch.OutOfMemoryError, CausalgiaError):
        raise
    except Exception as error:
        raise PredictorError(
            f"the network cannot be differentiated: {first_line(error)}"
        ) from error


def one_hot(tokens: Tokens, like: torch.Tensor) -> torch.Tensor:
    """Return tokens (n, length) as one-hot rows (n, 4, length), in the order ACGT, with
    the dtype and device given.
    """
    rows = torch.from_numpy(tokens.astype(np.int64)).to(like.device)
    return torch.nn.functional.one_hot(rows, 4).transpose(1, 2).to(like.dtype)


def slopes(
    f: Differentiable, x: torch.Tensor
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gradients of each answer (n, length, 4, tasks) and the answers (n, tasks)
    at rows (n, 4, length).
    """
    x = x.detach().requires_grad_(True)
    answers = f(x)
    last = answers.shape[1] - 1
    parts: list[torch.Tensor | None] = []
    with backward_errors():
        for k in range(last + 1 if answers.requires_grad else 0):
            parts += torch.autograd.grad(
                answers[:, k].sum(), x, retain_graph=k < last, allow_unused=True
            )
    if all(part is None for part in parts):
        raise PredictorError(NO_GRADIENT)
    zeros = torch.zeros_like(x)
    gradient = torch.stack(
        [zeros if part is None else part for part in parts], -1
    ).transpose(1, 2)
    check_finite_slopes(gradient)
    return gradient.double().cpu().numpy(), answers.detach().double().cpu().numpy()


def gradients(
    f: Differentiable,
    tokens: Tokens,
    *,
    batch: int,
    like: torch.Tensor,
    progress: Callable[[int], None],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gradients centered over the four bases, (n, length, 4, tasks), and the
    answers (n, tasks).

    The part of a gradient that is common to the bases points off the simplex of one-hot
    rows, where the network was never asked (Majdandzic et al. 2023,
    doi:10.1186/s13059-023-02956-3).
    """
    made: list[NDArray[np.float64]] = []
    for start in range(0, len(tokens), batch):
        rows = slice(start, start + batch)
        gradient, answers = slopes(f, one_hot(tokens[rows], like))
        if not made:
            made = [
                np.empty((len(tokens), *part.shape[1:])) for part in (gradient, answers)
            ]
        np.subtract(gradient, gradient.mean(2, keepdims=True), out=made[0][rows])
        made[1][rows] = answers
        progress(len(answers))
    return made[0], made[1]


def path_multipliers(
    f: Differentiable,
    tokens: Tokens,
    draws: Tokens,
    *,
    batch: int,
    like: torch.Tensor,
    n_steps: int,
) -> NDArray[np.float64]:
    """Return mean gradients on the lines from baselines to a sequence (length,):
    (draws, length, 4, tasks).

    By Gauss-Legendre quadrature: the multipliers of integrated gradients (Sundararajan
    et al. 2017, arXiv:1703.01365).
    """
    nodes, weights = _legendre(n_steps)
    x, baselines = one_hot(tokens[None], like), one_hot(draws, like)
    total: NDArray[np.float64] = np.zeros(())
    for start in range(0, len(draws) * n_steps, batch):
        pair, step = np.divmod(
            np.arange(start, min(start + batch, len(draws) * n_steps)), n_steps
        )
        share = torch.from_numpy((nodes[step] + 1) / 2).to(like)[:, None, None]
        gradient, _ = slopes(f, baselines[pair] + share * (x - baselines[pair]))
        if start == 0:
            total = np.zeros((len(draws), *gradient.shape[1:]))
        np.add.at(total, pair, gradient * (weights[step] / 2)[:, None, None, None])
    return total


@cache
def _legendre(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return nodes and weights on [-1, 1]; numpy takes the eigenvalues of a dense
    matrix, which at 4,096 is seconds.
    """
    nodes, weights = roots_legendre(n)
    return nodes, weights


def random_point_multipliers(
    f: Differentiable,
    tokens: Tokens,
    draws: Tokens,
    shares: NDArray[np.float64],
    *,
    batch: int,
    like: torch.Tensor,
) -> NDArray[np.float64]:
    """Return gradients at one point of the line from each baseline to a sequence:
    (draws, length, 4, tasks).

    Shares (draws,) say how far along; uniform ones give the multipliers of expected
    gradients (Erion et al. 2021, doi:10.1038/s42256-021-00343-w), whose mean over draws
    is that of integrated gradients.
    """
    x, baselines = one_hot(tokens[None], like), one_hot(draws, like)
    parts = []
    for start in range(0, len(draws), batch):
        near = baselines[start : start + batch]
        share = torch.from_numpy(shares[start : start + batch]).to(like)[:, None, None]
        parts.append(slopes(f, near + share * (x - near))[0])
    return np.concatenate(parts)


_UNARY = frozenset(
    (
        *(
            "relu",
            "relu6",
            "selu",
            "celu",
            "elu",
            "gelu",
            "silu",
            "mish",
            "leaky_relu",
            "prelu",
            "sigmoid",
            "tanh",
            "softplus",
        ),
        *(
            "softsign",
            "logsigmoid",
            "log_sigmoid",
            "hardtanh",
            "hardswish",
            "hardsigmoid",
            "tanhshrink",
            "softshrink",
        ),
        *(
            "hardshrink",
            "threshold",
            "exp",
            "expm1",
            "exp2",
            "log",
            "log1p",
            "log2",
            "log10",
            "sqrt",
            "rsqrt",
            "square",
            "abs",
        ),
        *(
            "absolute",
            "reciprocal",
            "erf",
            "erfc",
            "sin",
            "cos",
            "sinh",
            "cosh",
            "atan",
            "clamp",
            "clamp_min",
            "clamp_max",
            "clip",
        ),
        *(
            "pow",
            "__pow__",
            "float_power",
            "__rtruediv__",
            "__rpow__",
            "logit",
            "nan_to_num",
            "__abs__",
        ),
        *("special_expit", "special_erf", "special_erfc", "sinc"),
    )
)
_PRODUCTS = frozenset(("mul", "multiply", "__mul__", "__rmul__", "__imul__"))
_MATRIX_PRODUCTS = frozenset(["matmul", "__matmul__", "bmm", "mm"])
_QUOTIENTS = frozenset(["div", "divide", "true_divide", "__truediv__", "__itruediv__"])
#: operations that are linear in the one argument that depends on the sequence
_LINEAR = frozenset(
    (
        *(
            "conv1d",
            "conv2d",
            "conv3d",
            "conv_transpose1d",
            "conv_transpose2d",
            "linear",
            "einsum",
            "tensordot",
            "mv",
        ),
        *(
            "mul",
            "multiply",
            "__mul__",
            "__rmul__",
            "__imul__",
            "div",
            "divide",
            "true_divide",
            "__truediv__",
        ),
        *(
            "__itruediv__",
            "matmul",
            "__matmul__",
            "__rmatmul__",
            "bmm",
            "mm",
            "dot",
            "inner",
            "outer",
            "neg",
        ),
        *(
            "__neg__",
            "negative",
            "sum",
            "mean",
            "nansum",
            "cumsum",
            "diff",
            "avg_pool1d",
            "avg_pool2d",
        ),
        *(
            "adaptive_avg_pool1d",
            "adaptive_avg_pool2d",
            "batch_norm",
            "interpolate",
            "upsample",
            "pad",
            "fold",
        ),
        *(
            "unfold",
            "flatten",
            "unflatten",
            "reshape",
            "reshape_as",
            "view",
            "view_as",
            "ravel",
            "squeeze",
        ),
        *(
            "unsqueeze",
            "transpose",
            "t",
            "permute",
            "movedim",
            "moveaxis",
            "swapaxes",
            "swapdims",
            "flip",
            "fliplr",
        ),
        *(
            "flipud",
            "roll",
            "rot90",
            "expand",
            "expand_as",
            "broadcast_to",
            "repeat",
            "repeat_interleave",
            "tile",
        ),
        *(
            "chunk",
            "split",
            "split_with_sizes",
            "tensor_split",
            "unbind",
            "narrow",
            "select",
            "index_select",
        ),
        *(
            "gather",
            "take",
            "take_along_dim",
            "diagonal",
            "diag",
            "diag_embed",
            "tril",
            "triu",
            "pixel_shuffle",
        ),
        *(
            "dropout",
            "dropout1d",
            "dropout2d",
            "feature_dropout",
            "alpha_dropout",
            "feature_alpha_dropout",
        ),
        *(
            "clone",
            "contiguous",
            "to",
            "type",
            "type_as",
            "double",
            "cpu",
            "cuda",
            "__getitem__",
            "__iter__",
        ),
    )
)
#: operations that are linear in all their arguments together
_SUMS = frozenset(
    (
        *(
            "add",
            "__add__",
            "__radd__",
            "__iadd__",
            "sub",
            "subtract",
            "rsub",
            "__sub__",
            "__rsub__",
            "__isub__",
        ),
        *(
            "cat",
            "concat",
            "concatenate",
            "stack",
            "hstack",
            "vstack",
            "dstack",
            "column_stack",
            "broadcast_tensors",
        ),
    )
)
#: what is asked of a tensor beside its values
_OF_SHAPE = frozenset(
    (
        *(
            "__get__",
            "__set__",
            "__len__",
            "__repr__",
            "__format__",
            "__hash__",
            "size",
            "dim",
            "ndimension",
        ),
        *(
            "numel",
            "stride",
            "is_contiguous",
            "is_floating_point",
            "is_complex",
            "get_device",
            "element_size",
        ),
        *(
            "type",
            "zeros_like",
            "ones_like",
            "empty_like",
            "full_like",
            "new_zeros",
            "new_ones",
            "new_empty",
        ),
        *("new_full", "new_tensor", "requires_grad", "retain_grad", "register_hook"),
    )
)
_RULED_MODULES = (
    *(
        nn.ReLU,
        nn.ReLU6,
        nn.RReLU,
        nn.SELU,
        nn.CELU,
        nn.GELU,
        nn.SiLU,
        nn.Mish,
        nn.GLU,
        nn.ELU,
        nn.LeakyReLU,
    ),
    *(
        nn.Sigmoid,
        nn.Tanh,
        nn.Softplus,
        nn.Softshrink,
        nn.LogSigmoid,
        nn.PReLU,
        nn.MaxPool1d,
        nn.MaxPool2d,
    ),
    *(nn.Softmax, nn.LayerNorm, nn.RMSNorm),
)


class Elementwise(nn.Module):
    """A function of each element as a module, to which a rule of DeepLIFT can
    attach.
    """

    function: Callable[[torch.Tensor], torch.Tensor] = torch.relu

    def of(
        self,
        x: torch.Tensor,
        function: Callable[..., torch.Tensor],
        *others: Any,
        **named: Any,
    ) -> torch.Tensor:
        """Return ``function(x, *others, **named)`` by a call of this module, which has
        one argument for its rule.
        """
        self.function = lambda values: function(values, *others, **named)
        made: torch.Tensor = self(x)
        return made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the function of x."""
        return self.function(x)


class _ActivationsAsModules(TorchFunctionMode):
    """Sends activations, products and poolings of what depends on the sequence through
    modules; notes what has no rule.

    A tensor depends on the sequence if it requires a gradient, since the weights of the
    copy do not.
    """

    def __init__(self, modules: nn.ModuleDict) -> None:
        super().__init__()
        self.modules = modules
        self.elementwise = Elementwise()
        modules["elementwise"] = self.elementwise
        self.inside_ruled = 0
        self.unruled: dict[str, None] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if not args and "input" in kwargs:
            args = (kwargs.pop("input"),)
        name = getattr(func, "__name__", "")
        plain = name if name.startswith("__") else name.strip("_")
        n_varying = _n_varying(args)
        if self.inside_ruled or not n_varying + _n_varying(kwargs.values()):
            return func(*args, **kwargs)
        made = None
        if isinstance(args[0] if args else None, torch.Tensor):
            self.inside_ruled += 1
            try:
                made = self._by_module(func, plain, args, kwargs, n_varying)
            finally:
                self.inside_ruled -= 1
        if made is None:
            is_linear = (
                plain in _LINEAR
                # of the second argument of view_as and its like the shape alone counts
                and (n_varying == 1 or plain.endswith("_as"))
                and not (plain == "batch_norm" and kwargs.get("training"))
            )
            if not (
                is_linear or plain in _SUMS | _OF_SHAPE or _is_called_by_tangermeme()
            ):
                self.unruled[plain] = None
            return func(*args, **kwargs)
        if name.endswith("_") and not name.startswith("__"):
            return args[0].copy_(made)
        return made

    def _by_module(
        self, func: Any, name: str, args: Any, kwargs: dict[str, Any], n_varying: int
    ) -> Any:
        """Return the result of a module that has a rule, or None where the operation is
        linear or has no rule.
        """
        modules, inplace = self.modules, kwargs.pop("inplace", None)
        x = (
            args[0].clone()
            if inplace or getattr(func, "__name__", "").endswith("_")
            else args[0]
        )
        if name in _UNARY and n_varying == 1:
            return self.elementwise.of(x, _out_of_place(func), *args[1:], **kwargs)
        if name in _PRODUCTS and n_varying == 2:
            return modules["product"](*_broadcast(x, args[1]))
        if name in _MATRIX_PRODUCTS and n_varying == 2:
            return modules["matrix_product"](x, args[1])
        if (
            name in _QUOTIENTS
            and isinstance(args[1], torch.Tensor)
            and args[1].requires_grad
        ):
            below = self.elementwise.of(args[1], torch.reciprocal)
            return (
                modules["product"](*_broadcast(x, below))
                if n_varying == 2
                else x * below
            )
        if name in ("max_pool1d", "max_pool2d"):
            pool = (nn.MaxPool1d if x.ndim == 3 else nn.MaxPool2d)(*args[1:], **kwargs)
            return self._registered(
                f"pool {args[1:]} {sorted(kwargs.items())} {x.ndim}", pool
            )(x)
        if name in ("softmax", "softmin", "glu"):
            dim = kwargs.get("dim", args[1] if len(args) > 1 else -1)
            if name == "glu":
                return self._registered(f"glu {dim}", nn.GLU(dim=dim))(x)
            return self._registered(f"softmax {dim}", nn.Softmax(dim=dim))(
                -x if name == "softmin" else x
            )
        if inplace is not None:
            kwargs["inplace"] = inplace
        return None

    def _registered(self, key: str, module: nn.Module) -> nn.Module:
        """Return the module of that key, which is kept from the first pass on, so that
        rules attach to it.
        """
        key = key.replace(".", " ")
        if key not in self.modules:
            self.modules[key] = module
        return self.modules[key]


def _is_called_by_tangermeme() -> bool:
    """Return whether an operation is one of a hook of tangermeme's, not the network's."""
    return "tangermeme" in sys._getframe(2).f_globals.get("__name__", "")


def _n_varying(args: Iterable[Any]) -> int:
    """Return how many tensors among arguments, and in lists of them, depend on the
    sequence.
    """
    return sum(
        _n_varying(one)
        if isinstance(one, list | tuple)
        else isinstance(one, torch.Tensor) and one.requires_grad
        for one in args
    )


def _broadcast(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
    made: tuple[torch.Tensor, ...] = torch.broadcast_tensors(*tensors)  # type: ignore[no-untyped-call]
    return made


def _out_of_place(func: Any) -> Any:
    name = getattr(func, "__name__", "")
    if name.endswith("_") and not name.startswith("__"):
        return getattr(torch.Tensor, name.removesuffix("_"), None) or getattr(
            torch, name.removesuffix("_")
        )
    return func


class Answers(nn.Module):
    """A predictor as a module from one-hot rows (n, 4, length), in the order ACGT, to
    answers (n, tasks) in float64.

    `unruled` lists the operations met that have no rule of DeepLIFT.
    """

    def __init__(self, predictor: TorchPredictor) -> None:
        from tangermeme.deep_lift_shap import BilinearOp

        super().__init__()
        _check_open_to_rules(predictor.module)
        self.network = copied_network(predictor.module, double=True)
        to_eval_mode(self.network)
        with module_errors(
            self.network, "parameters()", "let it return what torch.nn.Module's does"
        ):
            for one in self.network.parameters():
                one.requires_grad_(False)
        # in a tuple, so that its network is no part of this one
        self.predictor = (predictor,)
        self.activations = nn.ModuleDict(
            {"product": BilinearOp("...,...->..."), "matrix_product": BilinearOp()}
        )
        self._mode = _ActivationsAsModules(self.activations)
        for part in self.network.modules():
            if "inplace" in vars(part):  # a module's own __getattr__ may raise
                part.inplace = False  # type: ignore[assignment]
            if isinstance(part, _RULED_MODULES):
                part.register_forward_pre_hook(self._enter)
                part.register_forward_hook(self._leave)
        self.training = False  # tangermeme restores the flag that it finds

    def _enter(self, *_: Any) -> None:
        self._mode.inside_ruled += 1

    def _leave(self, *_: Any) -> None:
        self._mode.inside_ruled -= 1

    @property
    def unruled(self) -> list[str]:
        """Operations met that neither are linear nor have a rule."""
        return list(self._mode.unruled)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the answers, over both strands where the predictor averages them."""
        (predictor,) = self.predictor
        with self._mode, backward_errors():
            return answers_to_one_hot(predictor, self.network, rows)


def _check_open_to_rules(network: nn.Module) -> None:
    """Raise PredictorError if operations of a network are hidden from rules."""
    if any(".quantized." in type(part).__module__ for part in network.modules()):
        raise PredictorError(
            f"a layer of {type(network).__name__} is quantized, and has no gradient"
        )
    if is_exported(network) or any(
        isinstance(part, torch.jit.ScriptModule) for part in network.modules()
    ):
        raise PredictorError(
            f"{type(network).__name__} is exported or scripted, and DeepLIFT has rules "
            "for the layers of a torch.nn.Module alone"
        )


def check_installed() -> None:
    """Raise MissingExtraError if tangermeme is not installed."""
    try:
        import tangermeme.deep_lift_shap  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"method='deeplift' needs tangermeme: {install_command('attribution')}",
            argument="method",
        ) from error


def multipliers(
    model: nn.Module,
    tokens: Tokens,
    draws: Tokens,
    *,
    tasks: Sequence[int],
    batch: int,
    like: torch.Tensor,
) -> NDArray[np.float64]:
    """Return DeepLIFT multipliers of a sequence (length,) against baselines: (draws,
    length, 4, tasks).

    By the rescale rule (Shrikumar et al. 2017, arXiv:1704.02685), as tangermeme has it;
    `tasks` are places among the answers.
    """
    from tangermeme.deep_lift_shap import _nonlinear, deep_lift_shap

    rules = {Elementwise: _nonlinear}
    x, references = one_hot(tokens[None], like), one_hot(draws, like)[None]
    with warnings.catch_warnings(), backward_errors():
        # registers the modules, to which rules then attach
        answers = model(x.clone().requires_grad_(True))
        if not answers.requires_grad:
            raise PredictorError(NO_GRADIENT)
        # completeness is checked, over all baselines
        warnings.simplefilter("ignore", RuntimeWarning)
        parts = [
            deep_lift_shap(
                model,
                x,
                target=task,
                references=references,
                batch_size=batch,
                additional_nonlinear_ops=rules,
                raw_outputs=True,
                dtype=torch.float64,
                device=like.device,
            )[0]
            .double()
            .cpu()
            .numpy()
            for task in tasks
        ]
    made = np.stack(parts, -1).transpose(0, 2, 1, 3)
    check_finite_slopes(torch.from_numpy(made))
    return made
