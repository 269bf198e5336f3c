"""Device and precision of a PyTorch network, and the operations of a forward pass with
their use of memory.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any, ClassVar, TypeVar
from weakref import finalize

import numpy as np
import torch
from numpy.typing import NDArray
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from causalgia.errors import CausalgiaError, PredictorError, first_line, quoted


class OperationWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A `TorchDispatchMode` that loads ``torch._dynamo`` in no process that compiles
    nothing.

    Recent versions of torch shield ``__torch_dispatch__`` from their compiler, and
    import it for that: 2 s of processor time. Where nothing has loaded the compiler,
    there is nothing to shield from.
    """

    _shielded: ClassVar[Any]
    _unshielded: ClassVar[Any]

    def __init_subclass__(cls, **options: Any) -> None:
        cls._unshielded = cls.__dict__["__torch_dispatch__"]
        super().__init_subclass__(**options)  # type: ignore[no-untyped-call]
        cls._shielded = cls.__torch_dispatch__

    def __enter__(self) -> Any:
        kind: Any = type(self)
        kind.__torch_dispatch__ = (
            kind._shielded if "torch._dynamo" in sys.modules else kind._unshielded
        )
        return super().__enter__()  # type: ignore[no-untyped-call]


Value = TypeVar("Value")
HALF = (torch.float16, torch.bfloat16)
NOT_CANCELLED = (
    "rounding errors of that size do not cancel in a contrast (in bfloat16 a bias of "
    "up to 2.7 standard errors was measured at 1,000 units), and no number of units "
    "removes them"
)


def choose_device(
    module: torch.nn.Module, device: str | torch.device, dtype: torch.dtype
) -> torch.device:
    """Return the device to run on; "auto" is the module's accelerator, else cuda, mps
    or cpu.

    "auto" prefers the accelerator on which the module is. In a process that is one of
    several workers, "auto" and "cuda" mean that worker's own GPU (`device_of_worker`).

    Raises
    ------
    PredictorError
        If the device does not exist here.
    """
    if isinstance(device, str) and device == "auto":
        home = next(
            (t.device for t in chain(module.parameters(), module.buffers())),
            torch.device("cpu"),
        )
        return home if home.type != "cpu" else _worker_device(_best_device(dtype))
    try:
        chosen = _worker_device(torch.device(device))
        torch.zeros(1, device=chosen)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise PredictorError(
            f"device={quoted(str(device))} cannot be used here; available: "
            f"{', '.join(_available())} (or device='auto')"
        ) from error
    return chosen


def device_of_worker(k: int, n_devices: int) -> str:
    """Return the GPU of worker k on a machine with `n_devices` GPUs, which are assigned
    in turn.

    Raises
    ------
    PredictorError
        If there are no devices, or k is negative.

    Examples
    --------
    >>> [device_of_worker(k, 2) for k in range(3)]
    ['cuda:0', 'cuda:1', 'cuda:0']
    """
    if n_devices < 1:
        raise PredictorError(
            "device='cuda' cannot be used here, on a machine without a GPU"
        )
    if k < 0:
        raise PredictorError(f"there is no worker {k}; count workers from 0")
    return f"cuda:{k % n_devices}"


def worker_number() -> int | None:
    """Return the number of this worker: CAUSALGIA_WORKER, else its Dask name if that is
    a number.

    Raises
    ------
    PredictorError
        If CAUSALGIA_WORKER is not a non-negative number.
    """
    value = os.environ.get("CAUSALGIA_WORKER")
    if value is None:
        distributed: Any = sys.modules.get("distributed")
        try:
            name = "" if distributed is None else str(distributed.get_worker().name)
        except ValueError:  # no worker runs in this thread
            return None
        return int(name) if name.isdecimal() else None
    if not value.isdecimal():
        raise PredictorError(
            f"CAUSALGIA_WORKER={quoted(value)} must be a worker's number, counted "
            "from 0"
        )
    return int(value)


def _worker_device(device: torch.device) -> torch.device:
    """Return this worker's GPU if the device is cuda without a number; else the
    device.
    """
    if str(device) != "cuda" or (k := worker_number()) is None:
        return device
    return torch.device(device_of_worker(k, torch.cuda.device_count()))


def _available() -> list[str]:
    here = ["cuda"] if torch.cuda.is_available() else []
    return here + (["mps"] if torch.backends.mps.is_available() else []) + ["cpu"]


def _best_device(dtype: torch.dtype) -> torch.device:
    best = _available()[0]
    return torch.device("cpu" if best == "mps" and dtype is torch.float64 else best)


def weights_dtype(module: torch.nn.Module) -> torch.dtype:
    """Return the dtype of the module's first floating tensor, else float32."""
    with module_errors(
        module, "parameters()", "let it return what torch.nn.Module's does"
    ):
        floats = (
            t.dtype
            for t in chain(module.parameters(), module.buffers())
            if t.is_floating_point()
        )
        return next(floats, torch.float32)


def input_dtype(
    module: torch.nn.Module, dtype: torch.dtype | str | None
) -> torch.dtype:
    """Return the dtype of the one-hot input: as given, else of the module's first
    floating tensor, else float32.

    Raises
    ------
    PredictorError
        If it is not a floating dtype, or is half precision without that being
        requested.
    """
    if dtype is not None:
        found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
        if not isinstance(found, torch.dtype) or not found.is_floating_point:
            raise PredictorError(
                f"dtype={quoted(dtype)} is not a floating torch dtype, such as "
                "'float32'"
            )
        return found
    own = weights_dtype(module)
    if own in HALF:
        raise PredictorError(
            f"the network's weights are {own}: {NOT_CANCELLED}; dtype={quoted(str(own).removeprefix('torch.'))} "
            "accepts them"
        )
    return own


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Switch off the user's autocast, which would compute in half precision, within the
    context.
    """
    if not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


@contextmanager
def exact_float32(device: torch.device, *, tf32: bool = False) -> Iterator[None]:
    """Switch TF32 off on CUDA within the context (convolutions round to 10 bits by
    default), or on if requested.

    The switches are global to the process: the first thread that enters sets them, the
    last one that leaves restores them, and a thread that needs the other setting waits
    until then.

    Raises
    ------
    PredictorError
        If a network calls, in its forward pass, another one with the other setting.
    """
    if device.type != "cuda":
        yield
        return
    _SWITCHES.enter(tf32=tf32)
    try:
        yield
    finally:
        _SWITCHES.leave()


@dataclass(eq=False)
class _Switches:
    """The threads inside, the setting that they need, and the previous switches."""

    _turning: threading.Condition = field(default_factory=threading.Condition)
    _inside: list[int] = field(default_factory=list)
    _tf32: bool = False
    _before: list[tuple[Any, str, Any]] = field(default_factory=list)

    def enter(self, *, tf32: bool) -> None:
        with self._turning:
            if threading.get_ident() in self._inside and tf32 != self._tf32:
                raise PredictorError(
                    f"a network with tf32={self._tf32} asks one with tf32={tf32}"
                )
            self._turning.wait_for(lambda: not self._inside or tf32 == self._tf32)
            if not self._inside:
                name, values, places = _tf32_switches()
                self._tf32 = tf32
                found = [(place, name, getattr(place, name)) for place in places]
                self._before = [switch for switch in found if switch[2] != values[tf32]]
                for place, _, _ in self._before:
                    setattr(place, name, values[tf32])
            self._inside.append(threading.get_ident())

    def leave(self) -> None:
        with self._turning:
            self._inside.remove(threading.get_ident())
            if not self._inside:
                for switch in self._before:
                    setattr(*switch)
                self._turning.notify_all()


_SWITCHES = _Switches()


def _tf32_switches() -> tuple[str, tuple[str | bool, str | bool], tuple[Any, ...]]:
    """Return the name of the TF32 switch, its values for off and on, and the module
    that has it.

    torch 2.9 renamed the switch; the old one is unreadable once the user has set the
    new one.
    """
    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    try:
        _ = cudnn.allow_tf32, matmul.allow_tf32
    except RuntimeError:
        return "fp32_precision", ("ieee", "tf32"), (cudnn.conv, cudnn.rnn, matmul)
    return "allow_tf32", (False, True), (cudnn, matmul)


_PRODUCTS = ("conv", "mm", "linear", "attention", "lstm", "gru")


def in_full_precision(forward: Callable[[], Value]) -> Value:
    """Return a forward pass's value; PredictorError if it multiplies in half precision,
    or rounds to it at any point.

    Raises
    ------
    PredictorError
        If it does, for example under an autocast of the network's own, or by a cast
        that loses digits.
    """
    watch = _HalfPrecisionWatch()
    with watch:
        value = forward()
    if watch.half is not None:
        name = str(watch.half).removeprefix("torch.")
        raise PredictorError(
            f"the network computes in {name} inside its forward pass: "
            f"{NOT_CANCELLED}; dtype='float32' accepts them"
        )
    return value


class _HalfPrecisionWatch(OperationWatch):
    """Records the first half precision that is multiplied in, or rounded to."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.half: torch.dtype | None = None

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = str(func)
        if self.half is None and any(word in name for word in _PRODUCTS):
            tensors = (value for value in args if isinstance(value, torch.Tensor))
            self.half = next(
                (tensor.dtype for tensor in tensors if tensor.dtype in HALF), None
            )
        made = func(*args, **(kwargs or {}))
        if self.half is None and isinstance(made, torch.Tensor) and made.dtype in HALF:
            wider = (
                value
                for value in args
                if isinstance(value, torch.Tensor)
                and value.is_floating_point()
                and value.dtype not in HALF
            )
            if any(
                value.shape != made.shape
                or not torch.equal(made.to(value.dtype), value)
                for value in wider
            ):
                # a wider floating tensor was rounded to half precision
                self.half = made.dtype
        return made


class HostDeviceCopier:
    """Asynchronous copies between host and device.

    On CUDA copies go through page-locked memory, which torch caches: they are queued
    and the host continues. On other devices copies are synchronous.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pinned = device.type == "cuda"

    def send(self, values: NDArray[Any]) -> torch.Tensor:
        """Return an array on the device."""
        host = self._page(
            values.shape, torch.from_numpy(np.empty(0, values.dtype)).dtype
        )
        host.numpy()[...] = values
        return host.to(self._device, non_blocking=self._pinned)

    def fetch(self, answer: torch.Tensor) -> PendingCopy:
        """Queue the copy of an answer to the host."""
        if not self._pinned:
            # a network may write every answer into one tensor
            return PendingCopy(answer.to("cpu", copy=True))
        host = self._page(answer.shape, answer.dtype)
        host.copy_(answer, non_blocking=True)
        arrival = torch.cuda.Event()  # type: ignore[no-untyped-call]
        arrival.record(torch.cuda.current_stream(self._device))
        return PendingCopy(host, arrival)

    def _page(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device="cpu", pin_memory=self._pinned)


@dataclass(frozen=True, eq=False)
class PendingCopy:
    """An answer whose copy to the host may not be finished."""

    host: torch.Tensor
    arrival: Any = None

    def __len__(self) -> int:
        return len(self.host)

    def arrived(self) -> torch.Tensor:
        """Return the answer on the host, once it has arrived."""
        if self.arrival is not None:
            self.arrival.synchronize()
        return self.host


_LOCKS: dict[int, threading.RLock] = {}
"""By id, since a network may define ``__eq__``; dropped with the network."""
_REGISTERING = threading.Lock()


def lock_of(module: torch.nn.Module) -> threading.RLock:
    """Return the re-entrant lock of a network; networks with a common part share the
    lock.
    """
    with _REGISTERING:
        if id(module) in _LOCKS:
            return _LOCKS[id(module)]
        parts = list(module.modules())
        lock = (
            next((_LOCKS[id(part)] for part in parts if id(part) in _LOCKS), None)
            or threading.RLock()
        )
        for part in parts:
            if id(part) not in _LOCKS:
                finalize(part, _LOCKS.pop, id(part), None)
            _LOCKS[id(part)] = lock
        return lock


def copied_network(
    network: torch.nn.Module,
    *,
    sharing: Sequence[torch.Tensor] = (),
    double: bool = False,
) -> torch.nn.Module:
    """Return a deep copy of a network, sharing some tensors, or in float64.

    Raises
    ------
    PredictorError
        If it cannot be copied, its copy is itself, or a function that the copy holds
        uses a part of the original.
    """
    what = f"{type(network).__name__} cannot be copied"
    try:
        copies: dict[int, Any] = {id(tensor): tensor for tensor in sharing}
        made = deepcopy(network, copies)
        if made is not network:
            _check_functions(
                made, {old for old, new in copies.items() if id(new) != old}
            )
            if not double:
                return made
            with _without_grad_warning():
                return made.double()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a network's own way of copying may raise anything
        raise PredictorError(
            f"{what}: {error if type(error) is PredictorError else first_line(error)}"
        ) from error
    raise PredictorError(f"{what}: its copy is itself")


@contextmanager
def _without_grad_warning() -> Iterator[None]:
    """Ignore what torch says where a script, whose weights are no leaves, is moved."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"The \.grad attribute", UserWarning)
        yield


def _check_functions(made: torch.nn.Module, originals: set[int]) -> None:
    """Raise PredictorError if a hook, or another function that a copy holds, reaches a
    part of the original by id.

    `deepcopy` copies no function: a hook that writes into a dict of its network goes on
    writing into the original's, and the copy reads what its own held when it was made.
    """
    waiting: list[Any] = []
    for part in made.modules():
        own = vars(part)
        waiting += chain(
            *(
                own.get(name, {}).values()
                for name in ("_forward_pre_hooks", "_forward_hooks")
            )
        )
        waiting += [
            held for held in own.values() if isinstance(held, FunctionType | partial)
        ]
    seen: set[int] = set()
    while waiting:
        held = waiting.pop()
        if id(held) in originals:
            raise PredictorError(
                "a hook or another function uses a part of it, and would use the "
                "original's"
            )
        if id(held) not in seen:
            seen.add(id(held))
            waiting += _used_by(held)


def _used_by(held: Any) -> list[Any]:
    """Return what a function closes over, has as defaults, or names as globals; of
    other objects nothing.
    """
    if isinstance(held, MethodType):
        return [held.__func__, held.__self__]
    if isinstance(held, partial):
        return [held.func, *held.args, *held.keywords.values()]
    if isinstance(held, CellType):
        with suppress(ValueError):  # not filled yet
            return [held.cell_contents]
    if not isinstance(held, FunctionType):
        return []
    codes = [held.__code__]
    for code in codes:
        codes += [part for part in code.co_consts if isinstance(part, CodeType)]
    here = held.__globals__
    named = [
        here[name]
        for name in {name for code in codes for name in code.co_names} & here.keys()
    ]
    # no functions of other files
    nearby = [one for one in named if getattr(one, "__globals__", here) is here]
    return [
        *(held.__closure__ or ()),
        *(held.__defaults__ or ()),
        *(held.__kwdefaults__ or {}).values(),
        *nearby,
    ]


def is_exported(module: torch.nn.Module) -> bool:
    """Return whether a network is a graph of operations that `torch.export` made."""
    return isinstance(module, torch.fx.GraphModule) and any(
        isinstance(node.target, torch._ops.OpOverload) for node in module.graph.nodes
    )


@contextmanager
def module_errors(module: torch.nn.Module, call: str, cure: str) -> Iterator[None]:
    """Raise PredictorError with a cure for whatever a method of a network raises, which
    its class may define: ``eval()``, ``to()``, ``parameters()``, hooks.
    """
    try:
        yield
    except CausalgiaError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise PredictorError(
            f"{type(module).__name__}.{call} failed ({first_line(error)}); {cure}"
        ) from error


def move_to(module: torch.nn.Module, device: torch.device) -> None:
    """Move a network to a device.

    Raises
    ------
    PredictorError
        If its own way of moving fails.
    """
    with (
        module_errors(
            module,
            f"to({quoted(str(device))})",
            "move it there first, and give device= as it is",
        ),
        _without_grad_warning(),
    ):
        module.to(device)


def to_eval_mode(module: torch.nn.Module) -> None:
    """Put a network into eval mode; one that `torch.export` made has one mode, keeps it
    and refuses the call.

    Raises
    ------
    PredictorError
        If its own ``eval()`` or ``train()`` fails.
    """
    with (
        module_errors(
            module, "eval()", "let train(mode) of its class return super().train(mode)"
        ),
        suppress(NotImplementedError),
    ):
        module.eval()


@contextmanager
def in_eval_mode(module: torch.nn.Module) -> Iterator[None]:
    """Hold a network in eval mode, locked against other threads, and restore its
    training flags afterward.

    Training flags belong to the module, not to a thread: if they were restored while
    another thread is in the forward pass, that pass would continue in training mode and
    give wrong answers. Parts of a frozen network have no flag.
    """
    with lock_of(module):
        flags = [
            (part, part.training)
            for part in module.modules()
            if hasattr(part, "training")
        ]
        if any(training for _, training in flags):
            to_eval_mode(module)
        try:
            yield
        finally:
            for part, training in flags:
                if part.training != training:
                    part.training = training


@dataclass(frozen=True)
class TensorUse:
    """Bytes of tensors during a call.

    Attributes
    ----------
    operations
        Number of operations; 0 if torch was not used (or by another thread).
    peak
        Peak bytes of all new tensors together.
    largest
        Bytes of the largest tensor.
    on_cpu
        Whether they were in the host's memory.
    """

    operations: int
    peak: int
    largest: int
    on_cpu: bool


def tensors_used(do: Callable[[], object]) -> TensorUse:
    """Return the bytes of the tensors of a call, without the scratch memory inside
    single operations.

    Examples
    --------
    >>> tensors_used(lambda: torch.zeros(1_000) + 1).peak
    8000
    """
    alive = _LiveStorages()
    with alive:
        do()
    return TensorUse(alive.operations, alive.peak, alive.largest, alive.on_cpu)


class _LiveStorages(OperationWatch):
    """Tracks the storages of the tensors that operations return until they are
    freed.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = self.peak = self.largest = 0
        self.on_cpu = True
        self._alive: dict[int, tuple[Any, int]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        parts = result if isinstance(result, tuple | list) else (result,)
        for tensor in parts:
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self._alive[storage._cdata] = (
                    StorageWeakRef(storage),  # type: ignore[no-untyped-call]
                    storage.nbytes(),
                )
                self.largest = max(self.largest, storage.nbytes())
                self.on_cpu = self.on_cpu and tensor.device.type == "cpu"
        self._alive = {
            key: entry for key, entry in self._alive.items() if not entry[0].expired()
        }
        self.peak = max(self.peak, sum(size for _, size in self._alive.values()))
        self.operations += 1
        return result


@contextmanager
def with_threads(n: int) -> Iterator[None]:
    """Let torch's operations use n threads within the context.

    Examples
    --------
    >>> before = torch.get_num_threads()
    >>> with with_threads(1):
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_in_use() -> int:
    """Return the number of threads of torch's operations."""
    return torch.get_num_threads()


def cuda_peak(do: Callable[[], object]) -> int:
    """Return the peak memory of a call on the current CUDA device, in bytes; 0 without
    one.
    """
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return 0
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    do()
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated()) - before
