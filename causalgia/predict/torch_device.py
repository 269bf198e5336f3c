"""Where a network runs and in what precision."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain
from typing import Any

import torch

from causalgia.errors import PredictorError, quoted

HALF = (torch.float16, torch.bfloat16)
NOT_CANCELLED = (
    "rounding errors of that size do not cancel in a contrast (in bfloat16 a bias of up to 2.7 standard errors was "
    "measured at 1,000 units), and no number of units removes them"
)


def choose_device(module: torch.nn.Module, device: str | torch.device, dtype: torch.dtype) -> torch.device:
    """Return the device to run on; "auto" is where the module is if that is an accelerator, else cuda, mps or cpu.

    In a process that is one worker of several, "auto" and "cuda" mean that worker's own GPU (`device_of_worker`).

    Raises
    ------
    PredictorError
        If the device does not exist here.
    """
    if isinstance(device, str) and device == "auto":
        home = next((t.device for t in chain(module.parameters(), module.buffers())), torch.device("cpu"))
        return home if home.type != "cpu" else _own(_best_device(dtype))
    try:
        chosen = _own(torch.device(device))
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        msg = (
            f"device={quoted(str(device))} cannot be used here; available: {', '.join(_available())} (or device='auto')"
        )
        raise PredictorError(msg) from error
    return chosen


def device_of_worker(k: int, n_devices: int) -> str:
    """Return the GPU of worker k where a machine has `n_devices` of them: one process each, in turn.

    Raises
    ------
    PredictorError
        If there are no devices, or k is negative.

    Examples
    --------
    >>> [device_of_worker(k, 2) for k in range(3)]
    ['cuda:0', 'cuda:1', 'cuda:0']
    """
    if n_devices < 1 or k < 0:
        msg = f"worker {k} of a machine with {n_devices} GPUs has none; count workers from 0, or use device='cpu'"
        raise PredictorError(msg)
    return f"cuda:{k % n_devices}"


def worker_number() -> int | None:
    """Return which worker this process is: CAUSALGIA_WORKER, else the name of its Dask worker where that is a number.

    Raises
    ------
    PredictorError
        If CAUSALGIA_WORKER is set to something else than a number from 0 on.
    """
    said = os.environ.get("CAUSALGIA_WORKER")
    if said is None:
        name = _dask_name()
        return int(name) if name.isdecimal() else None
    if not said.isdecimal():
        msg = f"CAUSALGIA_WORKER={quoted(said)} must be a worker's number, counted from 0"
        raise PredictorError(msg)
    return int(said)


def _dask_name() -> str:
    distributed: Any = sys.modules.get("distributed")
    try:
        return "" if distributed is None else str(distributed.get_worker().name)
    except ValueError:  # no worker runs in this thread
        return ""


def _own(device: torch.device) -> torch.device:
    """Return this worker's GPU where a device is cuda without a number; else the device."""
    if str(device) != "cuda" or (k := worker_number()) is None:
        return device
    return torch.device(device_of_worker(k, torch.cuda.device_count()))


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
    if own in HALF:
        msg = (
            f"the network's weights are {own}: {NOT_CANCELLED}; use module.float(), or accept it with "
            f"dtype={quoted(str(own).removeprefix('torch.'))}"
        )
        raise PredictorError(msg)
    return own


def _named_dtype(dtype: torch.dtype | str) -> torch.dtype:
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        msg = f"dtype={quoted(dtype)} is not a floating torch dtype; use 'float32' or 'float64'"
        raise PredictorError(msg)
    return found


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Switch off a user's autocast, which would compute in half precision, for a while."""
    if not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


@contextmanager
def exact_float32(device: torch.device, *, tf32: bool = False) -> Iterator[None]:
    """Switch TF32 off on CUDA for a while (convolutions round to 10 bits by default), or on where it is asked for.

    The switches belong to the process: the first thread that comes in turns them, the last one out turns them back,
    and a thread that wants them otherwise waits until then.

    Raises
    ------
    PredictorError
        If a network that runs one way asks, in its forward pass, one that runs the other way.
    """
    if device.type != "cuda":
        yield
        return
    _SWITCHES.enter(tf32=tf32)
    try:
        yield
    finally:
        _SWITCHES.leave()


class _Switches:
    """Which threads are inside, what they want, and how the switches were before."""

    def __init__(self) -> None:
        self._turning = threading.Condition()
        self._inside: list[int] = []
        self._tf32 = False
        self._before: list[tuple[Any, str, Any]] = []

    def enter(self, *, tf32: bool) -> None:
        with self._turning:
            if threading.get_ident() in self._inside and tf32 != self._tf32:
                msg = f"a network with tf32={self._tf32} asks one with tf32={tf32}; give both the same"
                raise PredictorError(msg)
            self._turning.wait_for(lambda: not self._inside or tf32 == self._tf32)
            if not self._inside:
                self._turn(tf32=tf32)
            self._inside.append(threading.get_ident())

    def _turn(self, *, tf32: bool) -> None:
        name, values, places = _tf32_switches()
        self._tf32 = tf32
        found = [(place, name, getattr(place, name)) for place in places]
        self._before = [switch for switch in found if switch[2] != values[tf32]]
        for place, _, _ in self._before:
            setattr(place, name, values[tf32])

    def leave(self) -> None:
        with self._turning:
            self._inside.remove(threading.get_ident())
            if not self._inside:
                for switch in self._before:
                    setattr(*switch)
                self._turning.notify_all()


_SWITCHES = _Switches()


def _tf32_switches() -> tuple[str, tuple[str | bool, str | bool], tuple[Any, ...]]:
    """Return the name of the TF32 switch, its values for off and on, and where it is.

    torch 2.9 renamed the switch; the old one cannot be read any more once the user has touched the new one.
    """
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    try:
        _ = cudnn.allow_tf32, matmul.allow_tf32
    except RuntimeError:
        return "fp32_precision", ("ieee", "tf32"), (cudnn.conv, cudnn.rnn, matmul)
    return "allow_tf32", (False, True), (cudnn, matmul)
