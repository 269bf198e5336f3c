"""Lazy imports of a package's names, so that a call loads only the modules it needs, and
errors of public calls that name the argument which was meant.
"""

from __future__ import annotations

import functools
import importlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar, cast

from causalgia.errors import ArgumentError, CausalgiaError, quoted

_C = TypeVar("_C")

_OTHER_WORDS = {"describe": "report", "read_vcf": "read_variants"}


def _home_of(name: str, package: str) -> str:
    """Return the module of a package that defines a function or class, or "".

    Examples
    --------
    >>> _home_of("to_csv", "causalgia.mpra"), _home_of("nothing", "causalgia.mpra")
    ('causalgia.mpra.formats.orders', '')
    """
    if name.startswith("_") or package.count(".") != 1:
        return ""
    path = (
        vars(sys.modules[package]).get("__path__") if package in sys.modules else None
    )
    if not path:
        return ""
    defined = re.compile(rf"^(?:def|class) {re.escape(name)}\b", re.MULTILINE)
    for file in sorted(Path(path[0]).rglob("*.py")):
        if defined.search(file.read_text(encoding="utf-8")):
            inner = file.relative_to(path[0]).with_suffix("")
            return ".".join((package, *inner.parts))
    return ""


def unknown_name(
    module: str, name: str, known: Iterable[str], rooms: Iterable[str] = ()
) -> AttributeError:
    """Return the error of a module without a name: with the room that has it, or else
    the nearest name of its own.

    Examples
    --------
    >>> raise unknown_name("causalgia.store", "loa", ["load", "save"])
    Traceback (most recent call last):
    ...
    AttributeError: module 'causalgia.store' has no attribute 'loa'; did you mean 'load'?
    """
    from causalgia.checks import nearest
    from causalgia.former_names import REMOVED

    hint = ""
    if removed := REMOVED.get(f"{module}.{name}"):
        hint = f"; {removed}"
    elif name not in _OTHER_WORDS and (inner := _home_of(name, module)):
        hint = f"; it is not public, and can be imported: from {inner} import {name}"
    elif not name.startswith("_"):
        known = list(known)
        packages = [importlib.import_module(f"{module}.{room}") for room in rooms]
        homes = [
            package.__name__
            for package in packages
            if name in getattr(package, "__all__", ())
        ]
        other = _OTHER_WORDS.get(name, "")
        hint = nearest(name, known, cutoff=0.6)
        if homes and name.casefold() not in map(str.casefold, known):
            hint = f"; did you mean {', '.join(f'{home}.{name}' for home in homes)}?"
        hint = f"; did you mean {other!r}?" if other in known else hint
    # with the name given to the error, Python 3.12 would suggest it again
    return AttributeError(
        f"module {module!r} has no attribute {name!r}{hint}", obj=sys.modules[module]
    )


def of_module(module: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a module: an error with the nearest name,
    and the names of ``__all__``.
    """

    def names() -> list[str]:
        return sorted(sys.modules[module].__all__)

    def get(name: str) -> Any:
        raise unknown_name(module, name, names())

    return get, names


def on_first_use(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package that imports its names on first
    use.

    The imports are written once, under ``if TYPE_CHECKING:`` in the package's
    `__init__`. They are read from its source and executed one by one, when a name is
    first used.

    Parameters
    ----------
    package
        ``__name__`` of the package.

    Returns
    -------
    tuple of callable
        ``__getattr__`` (raises AttributeError for an unknown name, suggesting the
        nearest known one) and ``__dir__`` (the names of ``__all__``, and the
        subpackages of the root).

    Examples
    --------
    >>> import causalgia.experiments
    >>> causalgia.experiments.copies.__module__
    'causalgia.experiments._copies'
    >>> causalgia.experiments.copys
    Traceback (most recent call last):
    ...
    AttributeError: module 'causalgia.experiments' has no attribute 'copys'; did you mean 'copies'?
    """

    @cache
    def homes() -> dict[str, str]:
        import ast

        loader = sys.modules[package].__loader__
        source = (
            loader.get_source(package)
            if loader is not None and hasattr(loader, "get_source")
            else None
        )
        if source is None:
            raise ImportError(
                f"{package} is installed without its source; install causalgia with "
                "its .py files"
            )
        return {
            alias.asname or alias.name: node.module
            for block in ast.parse(source).body
            if isinstance(block, ast.If)
            for node in block.body
            if isinstance(node, ast.ImportFrom)
            and node.module is not None
            and node.module.startswith("causalgia")
            for alias in node.names
        }

    def get(name: str) -> Any:
        if name.startswith("__") or name not in homes():
            raise unknown_name(
                package,
                name,
                {*names(), *homes()},
                [room for room, home in homes().items() if home == package],
            )
        home = homes()[name]
        if home == package:
            return importlib.import_module(f"{package}.{name}")
        value = getattr(importlib.import_module(home), name)
        made = naming_arguments(value)
        if made is not value:  # one object at each of its addresses, as pickle wants
            for place in (home, value.__module__):
                if getattr(sys.modules.get(place), name, None) is value:
                    setattr(sys.modules[place], name, made)
        value = made
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        rooms = {name for name, home in homes().items() if home == package}
        return sorted({*vars(sys.modules[package]).get("__all__", ()), *rooms})

    return get, names


_NAMING: dict[FunctionType, Any] = {}
"""Function -> itself with errors that name arguments."""


def naming_arguments(value: _C) -> _C:
    """Return a function whose calls with wrong arguments name the one that was meant, and
    the value that is not of the declared type; of a class, which is changed in place, its
    construction and its public methods. Other values are returned as they are.

    Nothing is looked at unless a call fails with an error that is not of this library,
    except flags: any value is true or false, and would be taken for it in silence.

    Raises
    ------
    ArgumentError
        When the function is called with an argument that it has not, or without one that
        it needs; or fails with an argument that is not of the type that its signature
        declares (`causalgia.declared_types`); or a flag is neither True nor False.

    Examples
    --------
    >>> @naming_arguments
    ... def spacing(motif, *, distances=(0, 5)):
    ...     return len(distances)
    >>> spacing("GATA")
    2
    >>> spacing("GATA", distance=[3])
    Traceback (most recent call last):
    ...
    causalgia.errors.ArgumentError: spacing: there is no argument 'distance'; did you mean 'distances'?
    >>> spacing()
    Traceback (most recent call last):
    ...
    causalgia.errors.ArgumentError: spacing: 'motif' is missing; give motif=
    """
    if isinstance(value, FunctionType):
        return cast("_C", _naming(value))
    if isinstance(value, type) and _is_ours(value):
        for kind in value.__mro__:
            if _is_ours(kind) and "_names_arguments" not in vars(kind):
                _name_in_methods(kind)
    return value


def _is_ours(kind: type) -> bool:
    """Return whether a class is one of this library that users construct or call."""
    return (
        kind.__module__.startswith("causalgia")
        and not issubclass(kind, BaseException | Enum)
        and not getattr(kind, "_is_protocol", False)
        and not any(one.__module__.startswith("torch") for one in kind.__mro__)
    )


def _name_in_methods(kind: type) -> None:
    """Wrap the construction and the public methods of a class."""
    for name, held in list(vars(kind).items()):
        if name.startswith("_") and name not in ("__init__", "__call__", "__new__"):
            continue
        if isinstance(held, FunctionType) and name != "__new__":
            setattr(kind, name, _naming(held))
        elif isinstance(held, classmethod | staticmethod) and isinstance(
            held.__func__, FunctionType
        ):
            setattr(kind, name, type(held)(_naming(held.__func__)))
        elif name == "__new__" and isinstance(held, FunctionType):
            kind.__new__ = staticmethod(_naming(held))  # type: ignore[method-assign]
    try:
        kind._names_arguments = True  # type: ignore[attr-defined]
    except (AttributeError, TypeError):  # a class that takes no attributes
        return


def _naming(function: Any) -> Any:
    if getattr(function, "_names_arguments", False):
        return function
    if function not in _NAMING:
        flags = _flags_of(function)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if flags:
                args, kwargs = _with_flags(function, flags, args, kwargs)
            try:
                result = function(*args, **kwargs)
            except Exception as error:
                refusal = _refusal(error, function, args, kwargs)
                if refusal is None:
                    raise
            else:
                _name_in_results(result)
                return result
            raise refusal

        call._names_arguments = True  # type: ignore[attr-defined]
        _NAMING[function] = call
    return _NAMING[function]


_FLAGS = {"bool": False, "bool | None": True}
"""Declared types of a flag, and whether None is one of its values."""


def _flags_of(function: FunctionType) -> dict[str, int]:
    """Return the flags of a function, each with its position, or -1 where it is given
    by name alone.
    """
    code = function.__code__
    by_place = code.co_varnames[: code.co_argcount]
    return {
        name: by_place.index(name) if name in by_place else -1
        for name, declared in function.__annotations__.items()
        if declared in _FLAGS and name != "return"
    }


def _with_flags(
    function: FunctionType,
    flags: Mapping[str, int],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a call with its flags as Python has them; a flag of NumPy
    is one.

    Raises
    ------
    ArgumentError
        If a flag is neither True nor False.
    """
    for name, place in flags.items():
        by_name = name in kwargs
        if not by_name and not 0 <= place < len(args):
            continue
        value = kwargs[name] if by_name else args[place]
        none_too = _FLAGS[function.__annotations__[name]]
        if isinstance(value, bool) or (value is None and none_too):
            continue
        if type(value).__name__ not in ("bool", "bool_"):  # of NumPy
            from causalgia.declared_types import name_of

            raise ArgumentError(
                argument=name,
                value=value,
                need="is neither True nor False" + (", nor None" if none_too else ""),
                places=(name_of(function),),
            )
        if by_name:
            kwargs = {**kwargs, name: bool(value)}
        else:
            args = (*args[:place], bool(value), *args[place + 1 :])
    return args, kwargs


_KINDS_OF_RESULTS: set[type] = set()


def _name_in_results(result: object) -> None:
    """Name arguments in the methods of what a call returns, or of the first item of a
    collection: its class may never be looked up by name.
    """
    if isinstance(result, dict) and result:
        result = next(iter(result.values()))
    elif isinstance(result, list | tuple) and result and not _is_ours(type(result)):
        result = result[0]
    kind = type(result)
    if kind not in _KINDS_OF_RESULTS:
        _KINDS_OF_RESULTS.add(kind)
        naming_arguments(kind)


def _refusal(
    error: Exception,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> ArgumentError | None:
    """Return the error of a call that failed because of an argument, or None where the
    error says what is wrong, or the arguments are not the cause.

    Raised in place of an error of Python or of another library, which is its cause, and
    of one that names the argument of an inner call.
    """
    is_inner = isinstance(error, ArgumentError) and error.code == "type"
    if isinstance(error, CausalgiaError | MemoryError | Warning) and not is_inner:
        return None
    if isinstance(error, TypeError) and (
        wrong := wrong_arguments(function, args, kwargs)
    ):
        return ArgumentError(wrong)
    from causalgia.declared_types import contradiction

    refusal = contradiction(function, args, kwargs)
    if refusal is not None:
        refusal.__cause__ = error.__cause__ if is_inner else error
    return refusal


def wrong_arguments(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> str:
    """Return what is wrong with the arguments of a call, and the cure; "" if they fit.

    Examples
    --------
    >>> def screen(motifs, null, *, n_units=100):
    ...     return None
    >>> wrong_arguments(screen, ("GATA",), {"n": 20})
    "screen: there is no argument 'n'; did you mean 'n_units'?"
    >>> wrong_arguments(screen, ("GATA", 1, 2), {})
    'screen: 3 arguments are given by position, and only the first 2 may be; name the others, such as ``n_units=``'
    >>> wrong_arguments(screen, ("GATA", 1), {"null": 1})
    "screen: 'null' is given twice, by position and by name; give it once"
    """
    import inspect

    from causalgia.checks import nearest_key
    from causalgia.declared_types import name_of
    from causalgia.former_names import REMOVED

    signature = inspect.signature(function)
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        pass
    else:
        return ""
    what = at = name_of(function)
    in_class = "." in function.__qualname__.rpartition("<locals>.")[2]
    is_method = in_class and next(iter(signature.parameters), "") in (
        "self",
        "cls",
        "_cls",
    )
    if is_method and args:  # the class of the user, not one that it is derived from
        owner = args[0] if isinstance(args[0], type) else type(args[0])
        what = ".".join([owner.__name__, *at.split(".")[1:]])
    all_ = list(signature.parameters.values())[is_method:]
    given = len(args) - is_method
    named = [
        one for one in all_ if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    by_place = [
        one
        for one in all_
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ]
    names = [one.name for one in named if not one.name.startswith("_")]
    for name in kwargs:
        if name not in names and not any(one.kind is one.VAR_KEYWORD for one in all_):
            removed = REMOVED.get(f"{function.__module__}.{at}: {name}")
            hint = f"; {removed}" if removed else nearest_key(name, names)
            takes = f"; it takes {', '.join(names)}" if names else "; it takes none"
            return f"{what}: there is no argument {quoted(name)}{hint or takes}"
    if given > len(by_place) and not any(
        one.kind is one.VAR_POSITIONAL for one in all_
    ):
        others = [one.name for one in named if one.kind is one.KEYWORD_ONLY]
        few = len(by_place)
        too_many = "it" if given - few == 1 and not few else "the others"
        cure = (
            f"name {too_many}, such as ``{others[0]}=``"
            if others
            else f"leave {too_many} out"
        )
        given_so = "an argument is" if given == 1 else f"{given} arguments are"
        first = f"only the first{f' {few}' if few > 1 else ''}" if few else "none"
        return f"{what}: {given_so} given by position, and {first} may be; {cure}"
    held = [one.name for one in by_place[:given]]
    for name in held:
        if name in kwargs:
            return (
                f"{what}: {quoted(name)} is given twice, by position and by name; give it "
                "once"
            )
    missing = [
        one.name
        for one in (*by_place[given:], *(o for o in named if o.kind is o.KEYWORD_ONLY))
        if one.default is one.empty and one.name not in kwargs
    ]
    return (
        f"{what}: {' and '.join(map(quoted, missing))} "
        f"{'is' if len(missing) == 1 else 'are'} missing; give "
        f"{', '.join(f'{name}=' for name in missing)}"
    )
