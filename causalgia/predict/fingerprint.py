"""Digests of callables from source text and state, the same in every process.

Nothing here uses `id`, `repr` of an object, pickle or the order of a set. A function is
its source text, defaults, closure and the globals that it names; an object is its class
and its attributes; an array is its bytes. Installed modules (the standard library,
numpy, torch, ...) are named, not read. What cannot be read (a function without source,
one of several lambdas of a line, a C object, an open file) is named; the fingerprint
then ends in ``~``, and a trial that is resumed compares answers.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import io
import operator
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from causalgia.checks import is_installed
from causalgia.errors import CausalgiaError

UNREAD = "~"
"""Suffix of a fingerprint that does not cover all state."""

_SCALAR_TYPES = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type(Ellipsis),
    type(NotImplemented),
    range,
    slice,
)
_ROUTINES = (types.BuiltinFunctionType, types.MethodWrapperType, np.ufunc)
_DESCRIPTORS = (
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.ClassMethodDescriptorType,
)
_SLOTS = (types.MemberDescriptorType, types.GetSetDescriptorType)


@dataclass(frozen=True, order=True, slots=True)
class _Blank:
    """An empty class, whose attributes every class has."""


_NOT_BEHAVIOR = frozenset(dir(_Blank)) | frozenset(
    "__dict__ __weakref__ __annotations__ __annotations_cache__ __post_init__ "  # noqa: SIM905
    "__abstractmethods__ _abc_impl".split()
)
_MADE_ON_THE_FLY = {"<locals>", "<lambda>"}


def digest(*parts: object) -> str:
    """Return a hexadecimal digest of values; it ends in ``~`` if one of them is text
    that does.

    Examples
    --------
    >>> (
    ...     digest("a", 1) == digest("a", 1),
    ...     digest("a", 1) == digest("a", 1.0),
    ...     digest("0f~")[-1],
    ... )
    (True, False, '~')
    """
    partial = any(isinstance(part, str) and part.endswith(UNREAD) for part in parts)
    return _Reader().read(parts).hex() + UNREAD * partial


def fingerprint_of(value: object) -> str:
    """Return a hexadecimal digest of a callable (or any value); it ends in ``~`` if a
    part is unreadable.

    Examples
    --------
    >>> def line(slope):
    ...     return lambda x: slope * x
    >>> (
    ...     fingerprint_of(line(2)) == fingerprint_of(line(2)),
    ...     fingerprint_of(line(2)) == fingerprint_of(line(3)),
    ... )
    (True, False)
    """
    reader = _Reader()
    try:
        return reader.read(value).hex() + UNREAD * bool(reader.unread)
    except RecursionError:
        return _blake2b(b"unread", _qualified_name(type(value))).hex() + UNREAD


def parts_of(value: object) -> dict[str, str]:
    """Return digests of a callable's code (with its structure), and of its arrays.

    Examples
    --------
    >>> def line(slope, shift):
    ...     return lambda x: slope * x + shift
    >>> one, other = (parts_of(line(np.full(3, slope), 1)) for slope in (2.0, 3.0))
    >>> one["code"] == other["code"], one["weights"] == other["weights"]
    (True, False)
    """
    reader = _Reader(weights=[])
    try:
        code = reader.read(value)
    except RecursionError:
        code = _qualified_name(type(value))
    return {
        "code": code.hex(),
        "weights": _blake2b(*sorted(reader.weights or ())).hex(),
    }


def structure_of(network: Any) -> bytes:
    """Return a digest of a PyTorch network's layers, code and plain attributes, without
    its tensors.
    """
    try:
        return _blake2b(*_Reader().structure(network))
    except RecursionError:
        return _qualified_name(type(network))


def uncompiled(network: Any) -> Any:
    """Return the network that `torch.compile` wraps, or else the given one; no attribute
    is asked for, which a network may answer with code of its own.
    """
    parts = network._modules  # in TorchScript no dict: it has no `get`
    return parts["_orig_mod"] if "_orig_mod" in parts else network  # noqa: SIM401


class _Reader:
    """One traversal of a value; values in progress are remembered, so that cycles end.

    If `weights` is a list, digests of arrays are collected there and not in the value's
    own digest.
    """

    def __init__(self, weights: list[bytes] | None = None) -> None:
        self.weights = weights
        self._open: dict[int, int] = {}
        self._closed: dict[int, tuple[object, bytes]] = {}
        self.unread: list[str] = []
        """Class names of unreadable values."""

    def read(self, value: object) -> bytes:
        """Return the digest of a value."""
        if isinstance(value, _SCALAR_TYPES):
            return _blake2b(
                b"plain", type(value).__name__.encode(), repr(value).encode()
            )
        key = id(value)
        if key in self._closed:
            return self._closed[key][1]
        if key in self._open:
            return _blake2b(b"cycle", str(self._open[key]).encode())
        self._open[key] = len(self._open)
        try:
            result = _blake2b(*self._parts(value))
        except (CausalgiaError, RecursionError):
            raise
        except Exception:  # an object may raise anything when it is looked at
            result = _blake2b(*self._unread(value))
        finally:
            del self._open[key]
        self._closed[key] = (value, result)
        return result

    def _parts(self, value: object) -> Iterable[bytes]:
        for kinds, method in _KINDS:
            if isinstance(value, kinds):
                return method(self, value)
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(value, torch.Tensor):
            return self._held(_tensor_bytes(value))
        if torch is not None and isinstance(value, torch.nn.Module):
            return self._network(value)
        if torch is not None and isinstance(value, torch.dtype | torch.device):
            return b"torch", str(value).encode()
        if callable(value) and isinstance(
            getattr(value, "py_func", None), types.FunctionType
        ):
            return b"compiled", self.read(value.py_func)  # type: ignore[attr-defined]  # numba
        wrapped = getattr(value, "__wrapped__", None)
        if (
            callable(value)
            and isinstance(wrapped, types.FunctionType)
            and not is_installed(type(value).__module__)
        ):
            return self._object(value)
        if isinstance(wrapped, types.FunctionType):
            return b"wrapped", _qualified_name(type(value)), self.read(wrapped)
        if (
            callable(value)
            and is_installed(getattr(value, "__module__", None))
            and hasattr(value, "__qualname__")
        ):
            return b"installed", _qualified_name(value)
        return self._object(value)

    def _mapping(self, value: Any) -> Iterator[bytes]:
        yield b"mapping"
        items = ((self.read(key), item) for key, item in value.items())
        for key, item in sorted(items, key=lambda row: row[0]):
            yield key
            yield self.read(item)

    def _array(self, value: Any) -> Iterator[bytes]:
        yield b"array" + type(value).__qualname__.encode()
        yield (
            repr(value.dtype.descr if value.dtype.names else value.dtype.str).encode()
            + repr(value.shape).encode()
        )
        if value.dtype.hasobject:
            yield self.read(value.tolist())
        else:
            yield _blake2b(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)

    def _held(self, parts: Iterable[bytes]) -> Iterable[bytes]:
        if self.weights is None:
            return parts
        self.weights.append(_blake2b(*parts))
        return (b"weights",)

    def _network(self, value: Any) -> Iterator[bytes]:
        network = uncompiled(value)
        yield b"network"
        yield from self.structure(network)
        named = [
            *network.named_parameters(remove_duplicate=False),
            *network.named_buffers(remove_duplicate=False),
        ]
        tensors = (
            part
            for name, tensor in named
            for part in (name.encode(), *_tensor_bytes(tensor))
        )
        if self.weights is None:
            yield from tensors
        else:
            self.weights.append(_blake2b(*tensors))

    def structure(self, network: Any) -> Iterator[bytes]:
        """Yield the layers of a PyTorch network with their code and plain
        attributes.
        """
        torch = sys.modules["torch"]
        # what every module has (parameter tables, hooks, the training flag) is read by
        # its own route, or does not affect answers
        internal = {*vars(torch.nn.Module()), "_is_torch_compile"}
        for name, sub in network.named_modules():
            yield name.encode()
            if isinstance(sub, torch.jit.ScriptModule):
                yield self.read(
                    str(sub.code) if hasattr(sub, "forward") else sub.original_name
                )
                continue
            yield self.read(type(sub))
            try:
                yield sub.extra_repr().encode()
            except Exception:  # a class of the user's; its fields are read below
                yield b""
            public = is_installed(type(sub).__module__)
            own = {
                k: v
                for k, v in vars(sub).items()
                if k not in internal and not (public and k.startswith("_"))
            }
            yield self.read(own)

    def _routine(self, value: Any) -> Iterator[bytes]:
        yield b"routine"
        yield _qualified_name(value)
        owner = getattr(value, "__self__", None)
        if owner is not None and not isinstance(owner, types.ModuleType):
            yield self.read(owner)

    def _module(self, value: Any) -> Iterator[bytes]:
        yield b"module"
        yield value.__name__.encode()
        source = getattr(value, "__file__", None)
        if not is_installed(value.__name__) and source is not None:
            yield Path(source).read_bytes()

    def _function(self, value: Any) -> Iterator[bytes]:
        if is_installed(value.__module__) and not _MADE_ON_THE_FLY & set(
            value.__qualname__.split(".")
        ):
            yield b"installed"
            yield _qualified_name(value)
            return
        yield b"function"
        yield from self._source(value)
        yield self.read((value.__defaults__, value.__kwdefaults__))
        for name, cell in zip(
            value.__code__.co_freevars, value.__closure__ or (), strict=True
        ):
            try:
                held = cell.cell_contents
            except ValueError:  # an empty cell
                held = None
            yield name.encode()
            yield self.read(held)
        for name in sorted(_names_of(value.__code__)):
            if name in value.__globals__:
                yield name.encode()
                yield self.read(value.__globals__[name])

    def _source(self, value: Any) -> Iterator[bytes]:
        """Yield the source text of a function, or its name if there is none."""
        code = value.__code__
        try:
            text = inspect.getsource(code)
        except (OSError, TypeError):
            yield from self._unread(value)
            return
        last = max((line for *_, line in code.co_lines() if line), default=0)
        if value.__name__ == "<lambda>" and (
            text.count("lambda") > 1 or last >= code.co_firstlineno + text.count("\n")
        ):  # the text of a lambda is that of its lines, and the first ones alone
            self.unread.append("lambda")
        yield inspect.cleandoc(text).encode("utf-8", "surrogatepass")

    def _class(self, value: Any) -> Iterator[bytes]:
        if is_installed(value.__module__) and not _MADE_ON_THE_FLY & set(
            value.__qualname__.split(".")
        ):
            yield b"installed class"
            yield _qualified_name(value)
            return
        yield b"class" + value.__qualname__.encode()
        yield self.read(value.__bases__)
        for name, item in sorted(vars(value).items()):
            if name not in _NOT_BEHAVIOR and not isinstance(item, _SLOTS):
                yield name.encode()
                yield self.read(item)

    def _unread(self, value: object) -> Iterator[bytes]:
        self.unread.append(type(value).__qualname__)
        named = value if isinstance(value, types.FunctionType) else type(value)
        yield b"unread" + _qualified_name(named)

    def _object(self, value: object) -> Iterator[bytes]:
        state = _state(value)
        if state is None:
            yield from self._unread(value)
            return
        yield b"object"
        yield self.read(type(value))
        for name, item in sorted(state.items()):
            yield name.encode()
            yield self.read(item)


#: places in memory of what an object written in C has, which are no attributes
_OFFSETS = {"__vectorcalloffset__", "__dictoffset__", "__weaklistoffset__"}
_GETTERS = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
_KINDS: tuple[
    tuple[type | tuple[type, ...], Callable[[_Reader, Any], Iterable[bytes]]], ...
] = (
    (
        enum.Enum,
        lambda r, x: (
            b"member",
            _qualified_name(type(x)),
            x.name.encode(),
            r.read(x.value),
        ),
    ),
    (np.ndarray, lambda r, x: r._held(r._array(x))),
    (np.generic, lambda _, x: (b"scalar", f"'{x.dtype.str}'".encode(), x.tobytes())),
    (
        (np.dtype, PurePath),
        lambda _, x: (b"text", type(x).__qualname__.encode(), str(x).encode()),
    ),
    (re.Pattern, lambda r, x: (b"pattern", r.read((x.pattern, x.flags)))),
    (types.FunctionType, _Reader._function),
    (
        types.MethodType,
        lambda r, x: (b"method", r.read(x.__self__), r.read(x.__func__)),
    ),
    (types.ModuleType, _Reader._module),
    (_ROUTINES, _Reader._routine),
    (
        _DESCRIPTORS,
        lambda _, x: (
            b"descriptor",
            x.__objclass__.__qualname__.encode(),
            x.__name__.encode(),
        ),
    ),
    (
        functools.partial,
        lambda r, x: (b"partial", r.read((x.func, x.args, x.keywords))),
    ),
    (_GETTERS, lambda r, x: (b"getter", r.read(x.__reduce__()))),
    (
        (staticmethod, classmethod),
        lambda r, x: (b"wrapper", type(x).__name__.encode(), r.read(x.__func__)),
    ),
    (property, lambda r, x: (b"property", r.read((x.fget, x.fset)))),
    (functools.cached_property, lambda r, x: (b"cached property", r.read(x.func))),
    (type, _Reader._class),
    (
        (tuple, list),
        lambda r, x: (b"sequence" + type(x).__qualname__.encode(), *map(r.read, x)),
    ),
    ((set, frozenset), lambda r, x: (b"set", *sorted(map(r.read, x)))),
    (Mapping, _Reader._mapping),
)


def _blake2b(*parts: bytes | memoryview) -> bytes:
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.digest()


def _tensor_bytes(tensor: Any) -> Iterator[bytes]:
    """Yield a tensor's dtype, shape and bytes, whatever its device."""
    torch = sys.modules["torch"]
    yield b"tensor"
    yield f"{tensor.dtype} {tuple(tensor.shape)}".encode()
    plain = (
        tensor.detach().to_dense()
        if tensor.layout is not torch.strided
        else tensor.detach()
    )
    yield plain.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _qualified_name(value: Any) -> bytes:
    name = getattr(value, "__qualname__", None) or value.__name__
    return f"{getattr(value, '__module__', None)}.{name}".encode()


def _names_of(code: types.CodeType) -> set[str]:
    """Return the names of globals and attributes in a function and those inside it."""
    inner = (item for item in code.co_consts if isinstance(item, types.CodeType))
    return set(code.co_names).union(*map(_names_of, inner))


def _state(value: object) -> dict[str, object] | None:
    """Return an object's attributes; None if they may not be complete (a C object)."""
    kinds = [kind for kind in type(value).__mro__ if kind is not object]
    written_in_c = any(not kind.__flags__ & (1 << 9) for kind in kinds)  # a static type
    if written_in_c or isinstance(value, io.IOBase):
        return None
    members = ((name, item) for kind in kinds for name, item in vars(kind).items())
    slots = [
        name
        for name, item in members
        if isinstance(item, types.MemberDescriptorType) and name not in _OFFSETS
    ]
    if (
        not hasattr(value, "__dict__")
        and not slots
        and "__slots__" not in vars(type(value))
    ):
        return None
    own = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return {**own, **getattr(value, "__dict__", {})}
