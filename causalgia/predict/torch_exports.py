"""PyTorch networks as differentiable functions and files of weights; imported on demand,
for torch.

Files of weights are opened without unpickling code.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from causalgia.errors import (
    CausalgiaError,
    MissingExtraError,
    PredictorError,
    install_command,
    quoted,
    type_in_words,
)
from causalgia.inputs import open_regular_file
from causalgia.predict.answer_checks import first_line
from causalgia.predict.torch_device import (
    exact_float32,
    in_eval_mode,
    without_autocast,
)
from causalgia.predict.torch_predictor import TorchPredictor

Differentiable: TypeAlias = Callable[[torch.Tensor], torch.Tensor]


@contextmanager
def differentiable(predictor: TorchPredictor) -> Iterator[Differentiable]:
    """Yield a predictor as a function of one-hot rows, with gradients: (n, 4, length)
    in the order ACGT to (n, tasks).

    The function applies what `predict` applies: the order of the letters, the layout,
    the read-out, both strands and the choice of tasks. The network is in eval mode
    meanwhile, its weights and flags are as before afterward.

    Parameters
    ----------
    predictor
        Without a dim position.

    Raises
    ------
    PredictorError
        If it answers along a track, or the network or its read-out fails.
    """
    if predictor.dims != ("task",):
        raise PredictorError(
            "the predictor answers with a dim position, and a map is of one "
            "number for each task"
        )

    def answers(one_hot: torch.Tensor) -> torch.Tensor:
        try:
            return answers_to_one_hot(predictor, predictor.module, one_hot)
        except CausalgiaError:
            raise
        except (Exception, SystemExit) as error:
            raise PredictorError(
                f"the network failed where gradients are kept: {first_line(error)}"
            ) from error

    exact, whole = (
        exact_float32(predictor.device, tf32=False),
        without_autocast(predictor.device),
    )
    kept = torch.inference_mode(False), torch.enable_grad()  # whatever a user set
    with in_eval_mode(predictor.module), kept[0], kept[1], exact, whole:
        yield answers


def answers_to_one_hot(
    predictor: TorchPredictor, network: torch.nn.Module, one_hot: torch.Tensor
) -> torch.Tensor:
    """Return answers (n, tasks) of a network to rows (n, 4, length) in the order ACGT,
    over both strands if averaged.

    The network may be another than the predictor's own, such as a changed copy.
    """

    def answers(rows: torch.Tensor, *, reverse: bool = False) -> torch.Tensor:
        output = network(as_network_input(predictor, rows))
        return predictor.read_out(output, len(rows), reverse=reverse)

    made = answers(one_hot)
    if not predictor.rc_average:
        return made
    return (made + answers(one_hot.flip(1, 2), reverse=True)) / 2


def as_network_input(predictor: TorchPredictor, one_hot: torch.Tensor) -> torch.Tensor:
    """Return rows (n, 4, length) in the order ACGT in the order of letters and the
    layout of the network.
    """
    x = one_hot[:, list(predictor.channel_order)]
    return x if predictor.layout == "NCL" else x.transpose(1, 2)


_KNOWN = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
_MOST_HEADER = 10**8
"""Most bytes of the header of a safetensors file, as that package has it."""


def load_weights(module: torch.nn.Module, path: str | Path) -> None:
    """Load the tensors of a file into a network: safetensors, or a .pt/.pth state dict
    by ``weights_only=True``.

    A pickle can run any code when it is opened, so other kinds of files are refused.
    The network is unchanged if the file does not match it. A folder holds the parts of
    one set of weights; where some are safetensors, these are read.

    Raises
    ------
    PredictorError
        If the file is absent, is not a plain state dict, or its names or shapes differ
        from the network's; if a folder holds no weights, or a tensor twice.
    MissingExtraError
        If safetensors is not installed.

    Examples
    --------
    >>> import tempfile, torch
    >>> net = torch.nn.Linear(4, 2)
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> save_weights(net, path)
    >>> other = torch.nn.Linear(4, 2)
    >>> load_weights(other, path)
    >>> torch.equal(other.weight, net.weight)
    True
    """
    state = _read_weights_file(Path(path))
    wanted = module.state_dict()
    missing, unexpected = (
        sorted(wanted.keys() - state.keys()),
        sorted(state.keys() - wanted.keys()),
    )
    if missing or unexpected:
        raise PredictorError(
            f"{path}: {len(missing)} tensors of the network are missing ({_some(missing)}) "
            f"and {len(unexpected)} are unexpected ({_some(unexpected)})"
        )
    for name, tensor in state.items():
        shape = tuple(wanted[name].shape)
        if tuple(tensor.shape) != shape and (shape, tensor.shape) != (
            (),
            (1,),
        ):  # torch takes (1,) for a scalar
            raise PredictorError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, the network's "
                f"has {shape}"
            )
    module.load_state_dict(dict(state))


def differs_when_rebuilt(
    module: torch.nn.Module, rebuild: Callable[[], object]
) -> bool:
    """Return whether a function, called again, returns a network of the same tensors
    with other values: random ones.

    The state of torch's and numpy's random numbers is put back; False if it fails.
    """
    numpy_state = np.random.get_state()  # noqa: NPY002 - what a user's function may use
    try:
        with torch.random.fork_rng(devices=[]):
            torch.rand(1)
            other: Any = rebuild()
        other = other if isinstance(other, torch.nn.Module) else other.module
        pairs = list(
            zip(module.named_parameters(), other.named_parameters(), strict=True)
        )
        return any(
            name == again and one.shape == two.shape and not torch.equal(one, two)
            for (name, one), (again, two) in pairs
        )
    except (Exception, SystemExit):
        return False
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002


def not_in_file(module: torch.nn.Module, path: Path) -> tuple[list[str], int] | None:
    """Return which of a network's tensors are not in a file, and how many were looked
    for; None if the file cannot be read here.

    Tensors are compared by their sorted values, so that a transposed one is the same, and
    one that was rounded. Those of one value, as the averages of a fresh batch
    normalization, are looked for by the end of their name.
    """
    try:
        if path.suffix == ".safetensors":
            held: object = _safetensors().load_file(str(path))
        else:
            held = torch.load(path, map_location="cpu", weights_only=True)
        theirs = dict(_tensors(held))
    except Exception:  # what the factory can read and this cannot
        return None
    varied = {name: x for name, x in theirs.items() if x[0] != x[-1]}
    kinds = (torch.float32, torch.float16, torch.bfloat16)
    values = {
        x.to(kind).float().numpy().tobytes() for x in varied.values() for kind in kinds
    }
    own = dict(_tensors(dict([*module.named_parameters(), *module.named_buffers()])))
    looked_for = {
        name: x
        for name, x in own.items()
        if x[0] != x[-1]
        or any(
            f".{other}".endswith(f".{name}") or f".{name}".endswith(f".{other}")
            for other in varied
        )
    }
    absent = [
        name
        for name, x in looked_for.items()
        if x[0] == x[-1] or x.numpy().tobytes() not in values
    ]
    return (absent, len(looked_for)) if varied else None


def _tensors(held: object, at: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the sorted values of the tensors of a checkpoint, however deep they lie."""
    if isinstance(held, torch.Tensor):
        if held.is_floating_point() and held.numel() > 1:
            yield at, held.detach().cpu().float().flatten().sort().values
    elif isinstance(held, Mapping | list | tuple):
        parts = held.items() if isinstance(held, Mapping) else enumerate(held)
        for key, part in parts:
            yield from _tensors(part, f"{at}.{key}" if at else str(key))


def save_weights(module: torch.nn.Module, path: str | Path) -> None:
    """Write a network's tensors to a safetensors file, which `load_weights` reads back.

    Raises
    ------
    PredictorError
        If the name does not end in .safetensors, or the file cannot be written.
    MissingExtraError
        If safetensors is not installed.

    Examples
    --------
    >>> import tempfile, torch
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> save_weights(torch.nn.Linear(4, 2), path)
    >>> path.exists()
    True
    """
    target = Path(path)
    if target.suffix != ".safetensors":
        raise PredictorError(f"{path}: weights are written as .safetensors")
    state = {
        name: tensor.detach().cpu().contiguous().clone()
        for name, tensor in module.state_dict().items()
    }
    try:
        _safetensors().save_file(state, str(target))
    except Exception as error:
        raise PredictorError(
            f"{path}: cannot be written ({first_line(error)})"
        ) from error


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"weights in safetensors need that package: {install_command('torch')}"
        ) from error
    return safetensors.torch


def _read_weights_file(path: Path) -> Mapping[str, torch.Tensor]:
    if path.is_dir():
        return _read_weights_folder(path)
    with open_regular_file(path, PredictorError) as file:
        head = file.read(512)
    is_pickle = head.startswith((b"PK\3\4", b"\x80"))
    is_safetensors = (
        head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _MOST_HEADER
    )
    if path.suffix in _KNOWN and is_safetensors:
        package = _safetensors()
        try:
            state: Mapping[str, torch.Tensor] = package.load_file(str(path))
        except Exception as error:
            raise PredictorError(
                f"{path}: not a safetensors file ({first_line(error)})"
            ) from error
        return state
    if path.suffix in _KNOWN and not is_pickle and path.suffix != ".safetensors":
        raise PredictorError(f"{path}: does not begin as a file that torch.save writes")
    if path.suffix in _KNOWN and is_pickle:
        return _read_state_dict(path)
    if path.suffix == ".safetensors":
        raise PredictorError(
            f"{path}: not a safetensors file (it does not begin as one)"
        )
    raise PredictorError(
        f"{path}: weights are read from .safetensors, .pt or .pth (a state dict), "
        f"not {quoted(path.suffix)}"
    )


def _read_weights_folder(folder: Path) -> Mapping[str, torch.Tensor]:
    files = [file for file in sorted(folder.iterdir()) if file.suffix in _KNOWN]
    files = [file for file in files if file.suffix == ".safetensors"] or files
    if not files:
        raise PredictorError(f"{folder}: no file ends in {', '.join(_KNOWN)}")
    state: dict[str, torch.Tensor] = {}
    for file in files:
        part = _read_weights_file(file)
        twice = sorted(state.keys() & part.keys())
        if twice:
            raise PredictorError(
                f"{file}: tensor {twice[0]} is in another file of the folder too"
            )
        state |= part
    return state


def _read_state_dict(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        with warnings.catch_warnings():
            # a file that causes a warning of torch is refused below
            warnings.simplefilter("ignore")
            # as a file, since torch goes by the name of a path
            with path.open("rb") as file:
                state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise PredictorError(
            f"{path}: holds more than tensors, and a stranger's pickle is never opened"
        ) from error
    except Exception as error:
        raise PredictorError(
            f"{path}: not a state dict ({first_line(error)})"
        ) from error
    if not isinstance(state, Mapping) or not all(
        isinstance(item, torch.Tensor) for item in state.values()
    ):
        raise PredictorError(
            f"{path}: holds {type_in_words(state)}, not a state dict of tensors"
        )
    return state


def _some(names: Iterable[str]) -> str:
    given = list(names)
    return (
        ", ".join(given[:3]) + (", ..." if len(given) > 3 else "") if given else "none"
    )
