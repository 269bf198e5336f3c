"""State outside a network that its forward pass may change: class attributes and globals."""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch

from causalgia.provenance import is_installed

_CONTAINERS = (list, dict, set)
_Place: TypeAlias = "type | dict[str, Any]"


@contextmanager
def preserve_state(network: torch.nn.Module) -> Iterator[None]:
    """Restore, after the context, what a network's classes bind or write into containers outside the network.

    These are all attributes of the classes, and all globals named by their methods or by functions that those name;
    modules that are installed with Python or a package are skipped.
    """
    places = _rebindable_names(network)
    before = [
        (place, name, value, value.copy() if type(value) in _CONTAINERS else None)
        for place, names in places
        for name, value in names.items()
    ]
    known = [(place, set(vars(place))) for place, _ in places if isinstance(place, type)]
    try:
        yield
    finally:
        for of, names in known:
            for name in set(vars(of)) - names:
                delattr(of, name)
        for place, name, value, items in before:
            if _values(place).get(name, _ABSENT) is not value:
                _bind(place, name, value)
            if items is not None:
                _refill(value, items)


_ABSENT = object()


def _rebindable_names(network: torch.nn.Module) -> list[tuple[_Place, dict[str, Any]]]:
    """Return classes, and globals of modules, each with the names that code may rebind."""
    classes = {
        one: None for part in network.modules() for one in type(part).__mro__ if not is_installed(one.__module__)
    }
    found: list[tuple[_Place, dict[str, Any]]] = []
    seen = set[types.CodeType]()
    for one in classes:
        found.append((one, {name: value for name, value in vars(one).items() if not name.startswith("__")}))
        for value in vars(one).values():
            function = getattr(value, "__func__", value)
            if isinstance(function, types.FunctionType):
                found += _of_function(function, seen)
    return found


def _of_function(function: types.FunctionType, seen: set[types.CodeType]) -> list[tuple[_Place, dict[str, Any]]]:
    """Return the globals that a function names, and those of the functions that it names."""
    if function.__code__ in seen or is_installed(function.__module__):
        return []
    seen.add(function.__code__)
    names = {name for code in _codes(function.__code__) for name in code.co_names}
    bound = {name: function.__globals__.get(name, _ABSENT) for name in names}
    found: list[tuple[_Place, dict[str, Any]]] = [(function.__globals__, bound)]
    for value in bound.values():
        if isinstance(value, types.FunctionType):
            found += _of_function(value, seen)
    return found


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            yield from _codes(value)


def _values(place: _Place) -> Any:
    return vars(place) if isinstance(place, type) else place


def _bind(place: _Place, name: str, value: Any) -> None:
    if value is _ABSENT and isinstance(place, dict):
        place.pop(name, None)
    elif isinstance(place, type):
        setattr(place, name, value)
    else:
        place[name] = value


def _refill(value: Any, items: Any) -> None:
    value.clear()
    if isinstance(value, list):
        value.extend(items)
    else:
        value.update(items)
