"""Digest of a PyTorch network: every tensor it holds and everything its forward pass is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

# What every module has (parameter tables, hooks, the training flag) is read by its own route or answers for nothing.
_INTERNAL = frozenset(vars(torch.nn.Module()))


def tensor_bytes(tensor: torch.Tensor) -> Iterator[bytes]:
    """Yield a tensor's dtype, shape and bytes; where it lies does not matter."""
    yield b"tensor"
    yield f"{tensor.dtype} {tuple(tensor.shape)}".encode()
    plain = tensor.detach().to_dense() if tensor.layout is not torch.strided else tensor.detach()
    yield plain.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def network_parts(module: torch.nn.Module, trail: str, read: Callable[[object, str], bytes]) -> Iterator[bytes]:
    """Yield what a network's answers in eval mode depend on: tensors, structure, code and plain attributes."""
    yield b"network"
    for name, sub in module.named_modules():
        where = f"{trail}.{name}" if name else trail
        yield name.encode()
        yield _class_of(sub, where, read)
        yield sub.extra_repr().encode()
        yield read({key: value for key, value in vars(sub).items() if key not in _INTERNAL}, where)
    tensors = [*module.named_parameters(remove_duplicate=False), *module.named_buffers(remove_duplicate=False)]
    for name, tensor in tensors:
        yield name.encode()
        yield from tensor_bytes(tensor)


def _class_of(sub: torch.nn.Module, where: str, read: Callable[[object, str], bytes]) -> bytes:
    if isinstance(sub, torch.jit.ScriptModule):
        return str(getattr(sub, "code", "")).encode()
    return read(type(sub), f"the class of {where}")
