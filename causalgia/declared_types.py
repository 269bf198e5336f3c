"""The value of an argument against the type that the signature of its function declares:
the error of a call that failed on a value of another kind.

Signatures are checked by mypy and shown in the reference, so they say once what each
argument takes. Nothing here runs unless a call has failed with an error that is not one
of this library: values are then compared with the signature, and one that contradicts it
is named. Where all values are of the declared types, the error stays as it is: it is a
fault of the library, or of a function that the user gave.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from numbers import Integral
from os import PathLike
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import numpy.typing as npt

from causalgia.checks import is_real, nearest
from causalgia.errors import ArgumentError, quoted, with_article

CODE = "type"
"""`code` of the errors made here."""
_UNKNOWN = object()
"""A declared type that cannot be found or compared; no value contradicts it."""
_MOST_ALTERNATIVES = 5
_MOST_ELEMENTS = 1_000
_ROUNDS = 6  # of types within types


def contradiction(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> ArgumentError | None:
    """Return the error of the first argument of a call whose value contradicts the type
    that the signature declares, or None. A default is never refused.

    Examples
    --------
    >>> def spacing(motif: str, *, distances: Sequence[int] = (0, 5)) -> int:
    ...     return len(distances)
    >>> str(contradiction(spacing, ("GATA",), {"distances": 5}))
    'spacing: distances=5 must be a list of whole numbers'
    >>> contradiction(spacing, ("GATA",), {"distances": [5]}) is None
    True
    """
    signature = inspect.signature(function)
    try:
        bound = signature.bind(*args, **kwargs).arguments
    except TypeError:
        return None
    names = _Names(function)
    for name, value in bound.items():
        one = signature.parameters[name]
        if name in ("self", "cls", "_cls") or one.annotation is one.empty:
            continue
        for key, given, declared in _values(one, value, names):
            if given is one.default or _fits(given, declared, names) is not False:
                continue
            return ArgumentError(
                argument=key,
                value=given,
                need=f"must be {_in_words(declared, names)}{_hint(given, declared, names)}",
                places=(name_of(function),),
                code=CODE,
            )
    return None


def name_of(function: Callable[..., Any]) -> str:
    """Return the name by which users call a function, or a method of a class.

    Examples
    --------
    >>> name_of(contradiction), name_of(str.format)
    ('contradiction', 'str.format')
    """
    parts = function.__qualname__.rpartition("<locals>.")[2].split(".")
    return ".".join(part for part in parts if part not in ("__init__", "__new__"))


def _values(
    one: inspect.Parameter, value: Any, names: _Names
) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, value and declared type of what a parameter holds."""
    if one.kind is one.VAR_POSITIONAL:
        yield from ((one.name, each, one.annotation) for each in value)
    elif one.kind is one.VAR_KEYWORD:
        for table in _alternatives(one.annotation, names):
            fields = next(iter(get_args(table)), None)  # of Unpack[...]
            declared = getattr(fields, "__annotations__", {})
            for key, each in value.items():
                yield key, each, declared.get(key, _UNKNOWN)
    else:
        yield one.name, value, one.annotation


class _Names(dict[str, Any]):
    """Names as the module of a function sees them, with those that it imports for type
    checkers alone.
    """

    def __init__(self, function: Any) -> None:
        self._module = getattr(function, "__module__", "") or ""
        # those of the function itself, which others may have wrapped
        super().__init__(getattr(inspect.unwrap(function), "__globals__", {}))

    def __missing__(self, name: str) -> Any:
        if name in vars(builtins):
            return vars(builtins)[name]
        if name in vars(typing):
            return vars(typing)[name]
        if module := _imports_for_checkers(self._module).get(name):
            try:
                return getattr(importlib.import_module(module), name)
            except (ImportError, AttributeError):
                pass
        if module := _modules_for_checkers(self._module).get(name):
            return importlib.import_module(module)
        # a name within an alias, of the module where that is written: if there is one
        others = [
            vars(held)[name]
            for home, held in list(sys.modules.items())
            if home.startswith("causalgia.") and name in vars(held)
        ]
        if others and all(one is others[0] for one in others):
            return others[0]
        raise KeyError(name)


@cache
def _tree(module: str) -> ast.Module:
    held = sys.modules.get(module)
    try:
        return ast.parse(inspect.getsource(held)) if held else ast.Module([], [])
    except (OSError, TypeError):
        return ast.Module([], [])


@cache
def _imports_for_checkers(module: str) -> dict[str, str]:
    """Return the names that a module imports, each with its module."""
    return {
        alias.asname or alias.name: node.module
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


@cache
def _modules_for_checkers(module: str) -> dict[str, str]:
    """Return the modules that a module imports, each under the name that it has there."""
    return {
        alias.asname or alias.name.partition(".")[0]: alias.name
        if alias.asname
        else alias.name.partition(".")[0]
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Import)
        for alias in node.names
    }


def _alternatives(declared: Any, names: _Names) -> Iterator[Any]:
    """Yield the types of which a value may be one."""
    if isinstance(declared, typing.ForwardRef):
        declared = declared.__forward_arg__
    if isinstance(declared, str):
        try:
            declared = ast.parse(declared.strip(), mode="eval").body
        except SyntaxError:
            declared = _UNKNOWN
    if isinstance(declared, ast.BinOp):
        yield from _alternatives(declared.left, names)
        yield from _alternatives(declared.right, names)
    elif isinstance(declared, ast.Constant):
        yield from _alternatives(declared.value, names)
    elif isinstance(declared, ast.expr):
        body = compile(ast.Expression(declared), "<annotation>", "eval")
        try:
            found = eval(body, {}, names)
        except Exception:  # a type that is not there at run time
            found = _UNKNOWN
        yield from _alternatives(found, names)
    elif declared == npt.ArrayLike:  # a union of protocols: numbers, here
        yield np.ndarray[Any, np.dtype[np.floating]]
    elif get_origin(declared) in (Union, types.UnionType):
        for each in get_args(declared):
            yield from _alternatives(each, names)
    elif get_origin(declared) is typing.Annotated:
        yield from _alternatives(get_args(declared)[0], names)
    elif isinstance(declared, typing.NewType):
        yield from _alternatives(declared.__supertype__, names)
    else:
        yield types.NoneType if declared is None else declared


def _fits(
    value: Any, declared: Any, names: _Names, depth: int = _ROUNDS
) -> bool | None:
    """Return whether a value is of a declared type; None where that cannot be told."""
    if not depth:
        return None
    found = [
        _fits_one(value, one, names, depth) for one in _alternatives(declared, names)
    ]
    return True if True in found else None if None in found else False


def _fits_one(value: Any, kind: Any, names: _Names, depth: int) -> bool | None:
    origin, inner = get_origin(kind), get_args(kind)
    if kind in (Any, object):
        return True
    if kind is _UNKNOWN or isinstance(kind, typing.TypeVar):
        return None
    if kind is types.NoneType:
        return value is None
    if origin is Literal:
        return any(_is_same(value, one) for one in inner)
    if kind is bool:
        return isinstance(value, bool | np.bool_)
    if kind is int or kind is np.integer:
        return isinstance(value, Integral) and is_real(value) and abs(value) < 2**64
    if kind is float or kind is complex or kind is np.floating:
        return is_real(value) and math.isfinite(value)
    if np.ndarray in (kind, origin):
        return _fits_array(value, inner[1] if len(inner) > 1 else Any)
    if origin is None and isinstance(kind, type):
        return _is_instance(value, kind)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and _all_fit(
            (
                *((key, inner[0]) for key in value),
                *((o, inner[1]) for o in value.values()),
            ),
            names,
            depth,
        )
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        if not _is_sequence(value) or len(value) != len(inner):
            return False
        return _all_fit(zip(value, inner, strict=True), names, depth)
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return _fits_iterable(value, origin, inner[0] if inner else Any, names, depth)
    if origin is Callable:
        return callable(value)
    if origin is type:
        return isinstance(value, type)
    if isinstance(origin, type):
        return None if _is_instance(value, origin) is not False else False
    return None


def _is_same(value: Any, one: Any) -> bool:
    kinds = str if isinstance(one, str) else type(one)
    return isinstance(value, kinds) and value == one


def _is_instance(value: Any, kind: type) -> bool | None:
    if getattr(kind, "_is_protocol", False):
        return all(
            hasattr(value, name) for name in typing.cast("Any", kind).__annotations__
        ) and all(
            hasattr(value, name)
            for name, held in vars(kind).items()
            if callable(held) and (not name.startswith("_") or name == "__call__")
        )
    if typing.is_typeddict(kind):
        return None if isinstance(value, dict) else False
    return isinstance(value, kind)


def _is_sequence(value: Any) -> bool:
    """Return whether a value has elements in an order, and is no text and no table."""
    if isinstance(value, list | tuple | range):
        return True
    if hasattr(value, "ndim"):
        return hasattr(value, "dtype") and value.ndim > 0
    return isinstance(value, Sequence) and not isinstance(
        value, str | bytes | bytearray
    )


def _fits_iterable(
    value: Any, origin: type, inner: Any, names: _Names, depth: int
) -> bool | None:
    if isinstance(value, str | bytes | bytearray | Mapping):
        return False
    if not _is_sequence(value):
        if hasattr(value, "ndim") or issubclass(origin, Sequence):
            return False
        if isinstance(value, Iterator):  # its elements cannot be looked at
            return False if issubclass(origin, Collection) else None
        if not isinstance(value, Collection):
            return False
    if hasattr(value, "dtype") and getattr(value.dtype, "kind", "O") not in "OUTSb":
        sample = np.asarray(value[:1]).tolist() if len(value) else []
        return _all_fit(((one, inner) for one in sample), names, depth)
    elements = list(value.tolist() if hasattr(value, "tolist") else value)
    return _all_fit(((one, inner) for one in elements[:_MOST_ELEMENTS]), names, depth)


def _all_fit(
    pairs: Iterable[tuple[Any, Any]], names: _Names, depth: int
) -> bool | None:
    found = [_fits(value, declared, names, depth - 1) for value, declared in pairs]
    return False if False in found else None if None in found else True


_KINDS = {
    np.floating: "fiub",
    np.number: "fiub",
    np.float64: "fiub",
    np.integer: "iub",
    np.int64: "iub",
    np.intp: "iub",
    np.uint64: "iub",
    np.uint8: "iub",
    np.bool_: "b",
    np.str_: "UT",
}


def _fits_array(value: Any, dtype: Any) -> bool | None:
    """Return whether a value can be made an array of a kind."""
    inner = get_args(dtype)
    kinds = _KINDS.get(inner[0] if inner else dtype)
    try:
        array = np.asarray(value)
    except Exception:  # what another library's object raises
        return False
    if not array.ndim and inner[:1] != (np.floating,):  # ArrayLike takes a number
        return False
    if array.dtype.kind == "O":
        return False if kinds else None
    return array.dtype.kind in kinds if kinds and array.size else True


_PLAIN_WORDS: dict[Any, tuple[str, str]] = {
    str: ("text", "texts"),
    int: ("a whole number", "whole numbers"),
    float: ("a finite number", "finite numbers"),
    bool: ("True or False", "True or False each"),
    np.ndarray: ("an array of numbers", "arrays of numbers"),
    np.integer: ("a whole number", "whole numbers"),
    PathLike: ("a path", "paths"),
    types.NoneType: ("None", "None"),
}


def _in_words(declared: Any, names: _Names, *, several: bool = False) -> str:
    """Return a declared type in words; of several values, with `several`."""
    found = dict.fromkeys(
        _words_of(one, names, several) for one in _alternatives(declared, names)
    )
    words = list(found)
    if len(words) > _MOST_ALTERNATIVES:
        return (
            ", ".join(words[:_MOST_ALTERNATIVES])
            + " or another of the kinds that its documentation lists"
        )
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def _words_of(kind: Any, names: _Names, several: bool) -> str:
    origin, inner = get_origin(kind), get_args(kind)
    plain = _PLAIN_WORDS.get(kind if origin is None else origin)
    if plain:
        return plain[several]
    if origin is Literal:
        listed = [f'"{one}"' if isinstance(one, str) else quoted(one) for one in inner]
        return ("one of " if len(listed) > 1 else "") + ", ".join(listed)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        words = "dicts" if several else "a dict"
        values = _in_words(inner[1], names, several=True)
        return f"{words} of {values}" if inner[1] is not Any else words
    if origin is tuple and inner and inner[-1] is not Ellipsis:
        parts = ", ".join(_in_words(one, names) for one in inner)
        return ("tuples" if several else "a tuple") + f" ({parts})"
    if isinstance(origin, type) and issubclass(origin, Iterable):
        words = "lists" if several else "a list"
        of = _in_words(inner[0], names, several=True) if inner else ""
        return f"{words} of {of}" if of and inner[0] is not Any else words
    if origin is Callable:
        return "functions" if several else "a function"
    found = origin or kind
    if isinstance(found, type):
        return _class_in_words(found, several)
    return "what the documentation of the call says"


def _class_in_words(kind: type, several: bool) -> str:
    home = kind.__module__.partition(".")[0]
    name = kind.__name__
    if home == "causalgia":
        root = getattr(sys.modules.get("causalgia"), "__all__", ())
        name = f"cg.{name}" if name in root else name
    elif home != "builtins":
        name = f"{home}.{name}"
    if several:
        return f"values of type {name}"
    return with_article(name)


def _hint(value: Any, declared: Any, names: _Names) -> str:
    """Return the nearest of the texts that an argument takes, as a hint."""
    known = [
        text
        for one in _alternatives(declared, names)
        if get_origin(one) is Literal
        for text in get_args(one)
        if isinstance(text, str)
    ]
    return nearest(value, known) if known and isinstance(value, str) else ""
