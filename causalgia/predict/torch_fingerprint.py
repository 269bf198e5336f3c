"""Digest of a PyTorch network: its tensors, layers, code and plain attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from causalgia.provenance import is_installed

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
