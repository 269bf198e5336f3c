"""Where a network runs and in what precision."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch

from causalgia.errors import PredictorError

_HALF = (torch.float16, torch.bfloat16)


def choose_device(module: torch.nn.Module, device: str | torch.device, dtype: torch.dtype) -> torch.device:
    """Return the device to run on; "auto" is where the module is if that is an accelerator, else cuda, mps or cpu.

    Raises
    ------
    PredictorError
        If the device does not exist here.
    """
    if isinstance(device, str) and device == "auto":
        home = next((t.device for t in chain(module.parameters(), module.buffers())), torch.device("cpu"))
        return home if home.type != "cpu" else _best_device(dtype)
    try:
        chosen = torch.device(device)
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        msg = f"device={str(device)!r} cannot be used here; available: {', '.join(_available())} (or device='auto')"
        raise PredictorError(msg) from error
    return chosen


def _available() -> list[str]:
    here = ["cuda"] if torch.cuda.is_available() else []
    return here + (["mps"] if torch.backends.mps.is_available() else []) + ["cpu"]


def _best_device(dtype: torch.dtype) -> torch.device:
    best = _available()[0]
    return torch.device("cpu" if best == "mps" and dtype is torch.float64 else best)


def input_dtype(module: torch.nn.Module, dtype: torch.dtype | str | None) -> torch.dtype:
    """Return the dtype of the one-hot input: as given, else that of the module's first floating tensor, else float32.

    Raises
    ------
    PredictorError
        If it is no floating dtype, or half precision that was not asked for.
    """
    if dtype is not None:
        return _named_dtype(dtype)
    floats = (t.dtype for t in chain(module.parameters(), module.buffers()) if t.is_floating_point())
    own = next(floats, torch.float32)
    if own in _HALF:
        msg = (
            f"the network's weights are {own}: rounding errors of that size do not cancel in a contrast, and no number "
            f"of units removes them; use module.float(), or accept it with dtype={str(own).removeprefix('torch.')!r}"
        )
        raise PredictorError(msg)
    return own


def _named_dtype(dtype: torch.dtype | str) -> torch.dtype:
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        msg = f"dtype={dtype!r} is not a floating torch dtype; use 'float32' or 'float64'"
        raise PredictorError(msg)
    return found


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """Switch TF32 off on CUDA for a while: convolutions round to 10 bits by default.

    The switches belong to the process: the first thread that comes in turns them, the last one out turns them back.
    """
    if device.type != "cuda":
        yield
        return
    _TF32.enter()
    try:
        yield
    finally:
        _TF32.leave()


class _Tf32:
    """How many threads want exact float32, and how the switches were before."""

    def __init__(self) -> None:
        self._turning = threading.Lock()
        self._wanted = 0
        self._before: list[tuple[Any, str, Any]] = []

    def enter(self) -> None:
        with self._turning:
            if not self._wanted:
                name, exact, places = _tf32_switches()
                found = [(place, name, getattr(place, name)) for place in places]
                self._before = [switch for switch in found if switch[2] != exact]
                for place, _, _ in self._before:
                    setattr(place, name, exact)
            self._wanted += 1

    def leave(self) -> None:
        with self._turning:
            self._wanted -= 1
            if not self._wanted:
                for switch in self._before:
                    setattr(*switch)


_TF32 = _Tf32()


def _tf32_switches() -> tuple[str, str | bool, tuple[Any, ...]]:
    """Return the name of the TF32 switch, its value for exact float32, and where it is.

    torch 2.9 renamed the switch; the old one cannot be read any more once the user has touched the new one.
    """
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    try:
        _ = cudnn.allow_tf32, matmul.allow_tf32
    except RuntimeError:
        return "fp32_precision", "ieee", (cudnn.conv, cudnn.rnn, matmul)
    return "allow_tf32", False, (cudnn, matmul)
