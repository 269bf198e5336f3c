"""What the refusals that a test meets offer, applied to the very calls that were refused.

While a test runs, every public call that is refused is noted with its arguments. When the
body of the test has ended, what the message offers is put in place of the argument that
was refused, and the call is made again. A cure that the same line refuses once more does
not cure, and the test fails (`not_cured`); `cures_census` counts what was applied.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import inspect
import io
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from offers import OUT, settings_offered, sites

from causalgia import lazy_names
from causalgia.errors import (
    CausalgiaError,
    TrialInterruptedError,
    quoted,
)

ACCEPTED, AGAIN, ELSEWHERE, OTHER = "accepted", "again", "elsewhere", "another error"
LARGEST = 1e5  # offered sizes above are not tried

LONG = {
    *("adjust", "analyze", "attribute", "cheapest", "check", "confirm", "discover"),
    *("export_onnx", "infer", "library", "power", "propose", "refute"),
    *("report", "run", "sample_size", "split_duplicates", "tile_search"),
    *("tipping_point", "calibrate", "greedy_tiles", "null_models"),
}
"""Functions that work for seconds once nothing is refused: their offers are applied by
`cures_census` alone.
"""

NOT_CURED: dict[str, str] = {}
"""Beginnings of messages whose offers the same line may refuse once more, and why."""


@dataclasses.dataclass
class Level:
    """A public call that was refused."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.function.__qualname__)

    def bound(self) -> inspect.BoundArguments | None:
        try:
            return inspect.signature(self.function).bind(*self.args, **self.kwargs)
        except TypeError:
            return None


@dataclasses.dataclass
class Refused:
    """An error of the outermost public call, where it was raised, the deepest place
    first, and the public calls in which it was raised, the outermost first.
    """

    error: CausalgiaError
    places: tuple[str, ...]
    levels: list[Level]


@dataclasses.dataclass
class Outcome:
    """An offer, and what became of the call with it."""

    refused: Refused
    level: Level
    offer: dict[str, Any]
    outcome: str
    after: str = ""

    def __str__(self) -> str:
        offer = {k: "(left out)" if v is OUT else v for k, v in self.offer.items()}
        return f"{self.refused.error}\n    {self.level.name}: {offer}: {self.after}"


def _copied(value: Any) -> Any:
    return value.copy() if type(value) in (dict, list) else value


lazy_names._naming(_copied)
_CALL = lazy_names._NAMING.pop(_copied).__code__
"""The code in which every public call is made."""
_refusal = lazy_names._refusal


class Notes:
    """The refusals that a test meets, one of a place and an argument."""

    def __init__(self) -> None:
        self.refused: list[Refused] = []
        self._levels: list[tuple[BaseException, Level]] = []
        self._known: set[object] = set()

    def __call__(
        self, error: Exception, function: Any, args: tuple[Any, ...], kwargs: Any
    ) -> Any:
        made = _refusal(error, function, args, kwargs)
        if threading.current_thread() is not threading.main_thread():
            return made
        final = error if made is None else made
        if isinstance(final, CausalgiaError):
            level = Level(function, tuple(map(_copied, args)), dict(kwargs))
            self._levels.append((final, level))
        if _is_outermost(sys._getframe(2)):
            if isinstance(final, CausalgiaError):
                self._note(final)
            self._levels.clear()
        return made

    def _note(self, error: CausalgiaError) -> None:
        chain = {id(one) for one in _chain(error)}
        levels = [one for held, one in self._levels if id(held) in chain][::-1]
        places = tuple(sites(error))
        key = (places, error.argument, levels[0].name)
        if key not in self._known:
            self._known.add(key)
            self.refused.append(Refused(error, places, levels))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_outermost(frame: Any) -> bool:
    while frame is not None:
        if frame.f_code is _CALL:
            return False
        frame = frame.f_back
    return True


@contextlib.contextmanager
def refusals_noted() -> Iterator[Notes]:
    """Note the public calls that are refused in the body."""
    notes = Notes()
    lazy_names._refusal = notes  # type: ignore[assignment]
    try:
        yield notes
    finally:
        lazy_names._refusal = _refusal


def offers_made(refused: Refused) -> Iterator[tuple[Level, dict[str, Any]]]:
    """Yield what an error offers, with the call that takes it; at last all together, if
    it offers several.
    """
    together: dict[str, Any] = {}
    seen: set[tuple[str, str]] = set()
    first = refused.levels[0]
    bound = first.bound()
    given = bound.arguments if bound else {}
    for name, value in settings_offered(refused.error, given, first.name):
        level = taker(refused, name)
        if level is None or is_large(value) or (name, quoted(value)) in seen:
            continue
        seen.add((name, quoted(value)))
        yield level, {name: value}
        if level is first:
            together.setdefault(name, value)
    if len(together) > 1:
        yield first, together


def is_large(value: Any) -> bool:
    """Return whether a value is a size that takes long."""
    return isinstance(value, int | float) and abs(value) > LARGEST


def taker(refused: Refused, name: str) -> Level | None:
    """Return the outermost call with an argument of a name, or one of whose arguments
    has a field of that name.
    """
    return next((one for one in refused.levels if _holder(one, name) is not None), None)


def _holder(level: Level, name: str) -> str | None:
    """Return where a call holds a setting: "" for an argument of its own, the name of
    that which collects others, or of one with such a field; None if nothing does.
    """
    bound = level.bound()
    if bound is None:
        return None
    for key, one in inspect.signature(level.function).parameters.items():
        if one.kind is one.VAR_KEYWORD:
            if name in bound.arguments.get(key, {}) or name in _declared(level, one):
                return key
        elif key == name and one.kind is not one.VAR_POSITIONAL:
            return ""
    with_field = [
        (key, field.default is not getattr(one, name, None))
        for key, one in bound.arguments.items()
        if dataclasses.is_dataclass(one) and not isinstance(one, type)
        for field in dataclasses.fields(one)
        if field.name == name and field.init
    ]
    # one that was given goes before one that is left at its default
    return next(
        (key for key, _ in sorted(with_field, key=lambda one: not one[1])), None
    )


def _declared(level: Level, one: inspect.Parameter) -> dict[str, Any]:
    """Return the arguments that ``**kwargs: Unpack[...]`` takes."""
    found = re.search(r"Unpack\[(\w+)\]", str(one.annotation))
    names = getattr(inspect.unwrap(level.function), "__globals__", {})
    kind = names.get(found[1]) if found else None
    return dict(getattr(kind, "__annotations__", {}))


def made_again(level: Level, offer: dict[str, Any]) -> Any:
    """Make a call again with what is offered."""
    bound = level.bound()
    assert bound is not None
    given = bound.arguments
    parameters = inspect.signature(level.function).parameters
    for name, value in offer.items():
        key = _holder(level, name)
        assert key is not None
        if key and parameters[key].kind is not inspect.Parameter.VAR_KEYWORD:
            field = next(f for f in dataclasses.fields(given[key]) if f.name == name)
            new = field.default if value is OUT else value
            given[key] = dataclasses.replace(given[key], **{name: new})
            continue
        held = given
        if key:
            held = given[key] = dict(given.get(key, {}))
        if value is OUT:
            held.pop(name, None)
        else:
            held[name] = value
    first = next(iter(parameters), "")
    if level.function.__name__ in ("__init__", "__new__") and first in given:
        owner = given[first]
        kind = owner if isinstance(owner, type) else type(owner)
        return kind(*bound.args[1:], **bound.kwargs)
    public = lazy_names._NAMING.get(level.function, level.function)
    return public(*bound.args, **bound.kwargs)


def applied(refused: Refused, level: Level, offer: dict[str, Any]) -> Outcome:
    """Apply an offer, and return what became of it."""
    outcome, after = ACCEPTED, ""
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            made_again(level, offer)
    except CausalgiaError as error:
        after = str(error)
        is_same = tuple(sites(error))[:1] == refused.places[:1] and (
            error.argument == refused.error.argument != ""
            or after == str(refused.error)
        )
        outcome = AGAIN if is_same else ELSEWHERE
    except Exception as error:
        outcome, after = OTHER, f"{type(error).__name__}: {error}"
    return Outcome(refused, level, offer, outcome, after)


@contextlib.contextmanager
def in_a_folder(root: Path) -> Iterator[None]:
    """Work in an empty folder, unless a test has gone to one of its own; close the
    figures that are drawn.
    """
    former = Path.cwd()
    pyplot = sys.modules.get("matplotlib.pyplot")
    figures = set(pyplot.get_fignums()) if pyplot else set()
    if former == root:  # nothing is removed here, where a test may have its own `os`
        os.chdir(tempfile.mkdtemp(dir=_FOLDERS.name))
    try:
        yield
    finally:
        os.chdir(former)
        for number in set(pyplot.get_fignums()) - figures if pyplot else ():
            pyplot.close(number)


_FOLDERS = tempfile.TemporaryDirectory()
"""Where calls write that are made again; removed when the process ends."""
Path(_FOLDERS.name).chmod(0o777)  # a test may be another user by then
atexit.register(_FOLDERS.cleanup)


def not_cured(notes: Notes, root: Path) -> list[str]:
    """Return the refusals of a test whose offers the same line refuses once more, and
    none of whose offers is taken.
    """
    found = []
    with in_a_folder(root):
        for refused in notes.refused:
            if isinstance(refused.error, TrialInterruptedError):
                continue
            if str(refused.error).startswith(tuple(NOT_CURED)):
                continue
            outcomes = [
                applied(refused, level, offer)
                for level, offer in offers_made(refused)
                if not LONG & set(level.name.split("."))
            ]
            again = [one for one in outcomes if one.outcome == AGAIN]
            if again and all(one.outcome == AGAIN for one in outcomes):
                found.append(str(again[0]))
    return found
