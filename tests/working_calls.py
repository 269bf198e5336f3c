"""Working calls of the public callables: those that the examples of their docstrings
make, with the values that they give.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import functools
import importlib
import inspect
import io
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import causalgia as cg
from causalgia.errors import MissingExtraError

ROOMS = sorted(set(dir(cg)) - set(cg.__all__))


def public() -> Iterator[tuple[str, Any]]:
    """Yield every public function and class once, with its first address."""
    seen: set[int] = set()
    for room in ("causalgia", *(f"causalgia.{room}" for room in ROOMS)):
        module = importlib.import_module(room)
        for name in getattr(module, "__all__", ()):
            try:
                value = getattr(module, name)
            except MissingExtraError:
                continue
            is_class = isinstance(value, type) and not issubclass(value, BaseException)
            if (inspect.isfunction(value) or is_class) and id(value) not in seen:
                seen.add(id(value))
                yield f"{room}.{name}".removeprefix("causalgia."), value


def methods(name: str, kind: type) -> Iterator[tuple[str, Any]]:
    """Yield the public methods of a class that have examples."""
    for key, held in vars(kind).items():
        function = getattr(held, "__func__", held)
        if not key.startswith("_") and inspect.isfunction(function):
            yield f"{name}.{key}", function


@dataclass(frozen=True)
class Call:
    """A call that works: what is called, with which arguments, by name where they have
    one.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    given: dict[str, Any]

    def with_(self, **changed: Any) -> Any:
        return self.function(*self.args, **{**self.given, **changed})


class _Recorded(ast.NodeTransformer):
    """Let every call of an example pass through ``_recorded``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        held = ast.Call(ast.Name("_recorded", ast.Load()), [node.func], [])
        node.func = ast.copy_location(held, node.func)
        return node


def _key(function: Any) -> Any:
    function = getattr(function, "__func__", function)
    return getattr(function, "__wrapped__", function)


def working_calls(value: Any, of: Any = None) -> list[Call]:
    """Return the calls that the examples of a public callable, or those of something
    else (the class of a method), make of it.
    """
    found: list[Call] = []
    wanted = _key(value)

    def recorded(function: Any) -> Any:
        if _key(function) is not wanted:
            return function

        @functools.wraps(function, updated=())
        def call(*args: Any, **kwargs: Any) -> Any:
            answer = function(*args, **kwargs)
            found.append(_named(function, args, kwargs))
            return answer

        return call

    module = sys.modules[value.__module__]
    names = {**vars(module), "_recorded": recorded, "__name__": "__main__"}
    for example in doctest.DocTestParser().get_examples(
        inspect.getdoc(value if of is None else of) or ""
    ):
        if example.options.get(doctest.SKIP) or example.exc_msg:
            continue
        tree = _Recorded().visit(ast.parse(example.source))
        code = compile(ast.fix_missing_locations(tree), "<example>", "exec")
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(code, names)
    return found


def _named(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """Return a call with its arguments by name, where they may be given so."""
    parameters = list(inspect.signature(function).parameters.values())
    by_name = {}
    left = []
    for i, one in enumerate(args):
        takes_name = (
            i < len(parameters)
            and parameters[i].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        )
        if takes_name:
            by_name[parameters[i].name] = one
        else:
            left = list(args)
            by_name = {}
            break
    return Call(function, tuple(left), {**by_name, **kwargs})
