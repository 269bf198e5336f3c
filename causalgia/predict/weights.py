"""Weights of a network: files, without unpickling code, and a digest. Imported on demand, as they need torch."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from causalgia.checks import is_installed
from causalgia.errors import MissingExtraError, PredictorError, quoted
from causalgia.inputs import open_regular_file
from causalgia.predict.answer_checks import first_line

_CONVERT = (
    "load it where you trust it and keep the tensors alone: causalgia.predict.save_weights(module, 'net.safetensors')"
)


def load_weights(module: torch.nn.Module, path: str | Path) -> None:
    """Load the tensors of a file into a network: safetensors, or a .pt/.pth state dict by ``weights_only=True``.

    A pickle can run any code when it is opened, so other kinds of files are refused. The network is unchanged if the
    file does not match it.

    Raises
    ------
    PredictorError
        If the file is absent, is not a plain state dict, or its names or shapes differ from the network's.
    MissingExtraError
        If safetensors is not installed.
    """
    state = _read_weights_file(Path(path))
    wanted = module.state_dict()
    _check_same_names(wanted.keys(), state.keys(), path)
    for name, tensor in state.items():
        shape = tuple(wanted[name].shape)
        if tuple(tensor.shape) != shape and (shape, tensor.shape) != ((), (1,)):  # torch takes (1,) for a scalar
            msg = (
                f"{path}: {name} has shape {tuple(tensor.shape)}, the network's has {shape}; is it this network's file?"
            )
            raise PredictorError(msg)
    module.load_state_dict(dict(state))


def save_weights(module: torch.nn.Module, path: str | Path) -> None:
    """Write a network's tensors to a safetensors file, which `load_weights` reads back.

    Raises
    ------
    PredictorError
        If the name does not end in .safetensors, or the file cannot be written.
    MissingExtraError
        If safetensors is not installed.
    """
    target = Path(path)
    if target.suffix != ".safetensors":
        msg = f"{path}: weights are written as safetensors; call it {quoted(target.with_suffix('.safetensors').name)}"
        raise PredictorError(msg)
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
    try:
        _safetensors().save_file(state, str(target))
    except Exception as error:
        msg = f"{path}: cannot be written ({first_line(error)})"
        raise PredictorError(msg) from error


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ModuleNotFoundError as error:
        msg = "weights in safetensors need that package; run: pip install 'causalgia[torch]'"
        raise MissingExtraError(msg) from error
    return safetensors.torch


def _read_weights_file(path: Path) -> Mapping[str, torch.Tensor]:
    with open_regular_file(path, PredictorError):
        pass
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    if path.suffix in (".pt", ".pth"):
        return _read_state_dict(path)
    msg = (
        f"{path}: weights are read from .safetensors, .pt or .pth (a state dict), not {quoted(path.suffix)}; {_CONVERT}"
    )
    raise PredictorError(msg)


def _read_safetensors(path: Path) -> Mapping[str, torch.Tensor]:
    package = _safetensors()
    try:
        state: Mapping[str, torch.Tensor] = package.load_file(str(path))
    except Exception as error:
        msg = f"{path}: not a safetensors file ({first_line(error)}); write it anew with save_weights"
        raise PredictorError(msg) from error
    return state


def _read_state_dict(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a file that causes a warning of torch is refused below
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        msg = f"{path}: holds more than tensors, and a stranger's pickle is never opened; {_CONVERT}"
        raise PredictorError(msg) from error
    except Exception as error:
        msg = f"{path}: not a state dict ({first_line(error)}); {_CONVERT}"
        raise PredictorError(msg) from error
    if not isinstance(state, Mapping) or not all(isinstance(item, torch.Tensor) for item in state.values()):
        held = f"the entries {_some(map(str, state))}" if isinstance(state, Mapping) else f"a {type(state).__name__}"
        msg = f"{path}: holds {held}, not a state dict of tensors; save module.state_dict() alone, or {_CONVERT}"
        raise PredictorError(msg)
    return state


def _check_same_names(wanted: Iterable[str], found: Iterable[str], path: str | Path) -> None:
    missing, unexpected = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    if missing or unexpected:
        msg = (
            f"{path}: {len(missing)} tensors of the network are missing ({_some(missing)}) and {len(unexpected)} are "
            f"unexpected ({_some(unexpected)}); is it this network's file? Rename the tensors if it is"
        )
        raise PredictorError(msg)


def _some(names: Iterable[str]) -> str:
    given = list(names)
    return ", ".join(given[:3]) + (", ..." if len(given) > 3 else "") if given else "none"


# What every module has (parameter tables, hooks, the training flag) is read by its own route or answers for nothing.
_INTERNAL = frozenset(vars(torch.nn.Module())) | {"_is_torch_compile"}


def tensor_bytes(tensor: torch.Tensor) -> Iterator[bytes]:
    """Yield a tensor's dtype, shape and bytes, whatever its device."""
    yield b"tensor"
    yield f"{tensor.dtype} {tuple(tensor.shape)}".encode()
    plain = tensor.detach().to_dense() if tensor.layout is not torch.strided else tensor.detach()
    yield plain.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def network_tensors(network: torch.nn.Module) -> Iterator[bytes]:
    """Yield every tensor of a network by its name."""
    tensors = [*network.named_parameters(remove_duplicate=False), *network.named_buffers(remove_duplicate=False)]
    for name, tensor in tensors:
        yield name.encode()
        yield from tensor_bytes(tensor)


def network_structure(network: torch.nn.Module, read: Callable[[object], bytes]) -> Iterator[bytes]:
    """Yield the layers of a network with their code and plain attributes."""
    for name, sub in network.named_modules():
        yield name.encode()
        if isinstance(sub, torch.jit.ScriptModule):
            yield read(str(sub.code) if hasattr(sub, "forward") else sub.original_name)
            continue
        yield read(type(sub))
        yield sub.extra_repr().encode()
        public = is_installed(type(sub).__module__)
        attributes = {k: v for k, v in vars(sub).items() if k not in _INTERNAL and not (public and k.startswith("_"))}
        yield read(attributes)
