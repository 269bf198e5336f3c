"""Wrong values for every argument of the public callables, and what the calls with them
end in.
"""

from __future__ import annotations

import contextlib
import datetime
import inspect
import io
import math
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from working_calls import Call, working_calls

from causalgia.errors import CausalgiaError

SECONDS = 5.0
"""Most CPU time of a call with a wrong value."""
LONGEST_WAIT = 60.0
"""Most seconds of a call that waits for something else."""


class _Late(BaseException):
    """A call took longer than `SECONDS`."""


def _objects(*values: Any) -> np.ndarray:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


OF_ANY_KIND: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "''": lambda: "",
    "'x'": lambda: "x",
    "b'x'": lambda: b"x",
    "True": lambda: True,
    "-1": lambda: -1,
    "0": lambda: 0,
    "2.5": lambda: 2.5,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "10**400": lambda: 10**400,
    "1j": lambda: 1j,
    "[]": list,
    "[[]]": lambda: [[]],
    "[None]": lambda: [None],
    "[[1], [1, 2]]": lambda: [[1], [1, 2]],
    "['x']": lambda: ["x"],
    "[10**400]": lambda: [10**400],
    "array of objects": lambda: _objects(None, {}),
    "array of times": lambda: np.array(["2020-01-01"], "M8[D]"),
    "array (0,)": lambda: np.zeros(0),
    "array (2, 2, 2, 2, 2)": lambda: np.zeros((2, 2, 2, 2, 2)),
    "array of text ()": lambda: np.array("x"),
    "{}": dict,
    "{'x': 1}": lambda: {"x": 1},
    "{1: None}": lambda: {1: None},
    "{1, 2}": lambda: {1, 2},
    "generator": lambda: (one for one in (1.0, 2.0)),
    "DataFrame": lambda: pd.DataFrame({"x": [1.0, 2.0]}),
    "Dataset": xr.Dataset,
    "DataArray": lambda: xr.DataArray([1.0, 2.0], dims="x"),
    "Path": lambda: Path("no/such/file"),
    "datetime": lambda: datetime.datetime(2020, 1, 1),
    "object": object,
    "function": lambda: lambda *_, **__: None,
    "class": lambda: int,
}
"""Values of many kinds, few of which an argument takes."""


def near(right: Any) -> Iterator[tuple[str, Any]]:
    """Yield values that are nearly what a call takes, each with a name."""
    if isinstance(right, np.ndarray):
        yield from _near_array(right)
    elif isinstance(right, list | tuple) and len(right):
        yield (
            "first alone",
            type(right)(right[:1]) if type(right) is list else right[:1],
        )
        yield "one more", [*right, right[-1]]
        yield "None within", [None, *right[1:]]
        yield "nan within", [math.nan, *right[1:]]
        yield "object within", [object(), *right[1:]]
        yield "nested", [right]
    elif isinstance(right, Mapping) and len(right):
        for key, value in (
            *(("None within", None), ("'x' within", "x"), ("nan within", math.nan)),
            *(("object within", object()), ("[] within", [])),
        ):
            yield key, dict.fromkeys(right, value)
        yield "other key", {object(): next(iter(right.values()))}
        yield "one left", dict(list(right.items())[:1])
    elif isinstance(right, pd.DataFrame):
        yield "no rows", right.iloc[:0]
        yield "all text", right.astype(str) + "?"
        yield "all missing", right.mask(np.ones(right.shape, dtype=bool))
        yield "columns of numbers", right.set_axis(range(right.shape[1]), axis=1)
        for column in list(right)[:6]:
            yield f"without {column}", right.drop(columns=column)
            yield (
                f"objects in {column}",
                right.assign(**{str(column): [{}] * len(right)}),
            )
    elif isinstance(right, xr.Dataset):
        yield from _near_dataset(right)
    elif isinstance(right, xr.DataArray):
        yield "without coords", right.drop_vars(list(right.coords))
        yield "all missing", right.where(False)
        yield "all text", right.astype(str)
        if right.dims:
            yield "no dims", right.isel(dict.fromkeys(right.dims, 0))


def _near_array(right: np.ndarray) -> Iterator[tuple[str, Any]]:
    yield "one dim more", right[None]
    yield "text", right.astype(str)
    yield "objects", np.full(right.shape, None, dtype=object)
    yield "no elements", right[:0] if right.ndim else right.reshape(1)[:0]
    yield "number", 1.0
    if right.dtype.kind in "fiu" and right.size:
        yield "complex", right.astype(complex)
        yield "negative", -right
        yield "zero", right * 0
        for name, value in (("nan", math.nan), ("inf", math.inf)):
            within = right.astype(float)
            within[(0,) * right.ndim] = value
            yield f"{name} within", within
            yield f"{name} alone", np.full(right.shape, value)
    if right.ndim:
        yield "one fewer", right[:-1]
        yield "one alone", right[:1]
        yield "flat", right.ravel()
        yield "turned", right.T


def _near_dataset(right: xr.Dataset) -> Iterator[tuple[str, Any]]:
    yield "without attributes", right.drop_attrs()
    yield "without coords", right.drop_vars(list(right.coords))
    yield "no variables", right.drop_vars(list(right.data_vars))
    for name in list(right.data_vars)[:8]:
        one = right[name]
        yield f"without {name}", right.drop_vars(name)
        yield f"text in {name}", right.assign({name: one.astype(str)})
        yield (
            f"objects in {name}",
            right.assign({name: one.astype(object).where(False)}),
        )
        yield f"no dims of {name}", right.assign({name: 1.0})
        if one.dtype.kind == "f":
            yield f"nan in {name}", right.assign({name: one * np.nan})
    for dim in list(right.dims)[:4]:
        yield f"one of {dim}", right.isel({dim: slice(1)})
        yield f"none of {dim}", right.isel({dim: slice(0)})
        yield f"without {dim}", right.isel({dim: 0}, drop=True)


@dataclass(frozen=True)
class Ending:
    """What a call with a wrong value ends in: ``"typed"`` error, ``"raw"`` error,
    ``"late"``, ``"nan"`` (where the right call has none), or ``"taken"``.
    """

    argument: str
    wrong: str
    what: str
    error: BaseException | None = None


def endings(value: Any, of: Any = None) -> Iterator[Ending]:
    """Yield how the calls of a callable's examples end with each argument wrong in
    turn.
    """
    done: set[tuple[str, type]] = set()
    for call in working_calls(value, of):
        signature = inspect.signature(call.function).parameters
        names = [
            name
            for name, one in signature.items()
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
            and not name.startswith("_")
        ]
        places: list[tuple[str, int | str]] = [
            (f"*{i}", i) for i in range(len(call.args))
        ]
        places += [
            (name, name) for name in names if not call.args or name in call.given
        ]
        has_nan = None
        for argument, place in places:
            right = (
                call.args[place]
                if isinstance(place, int)
                else call.given.get(place, signature[place].default)
            )
            if (argument, type(right)) in done:
                continue
            done.add((argument, type(right)))
            tried = [(name, make()) for name, make in OF_ANY_KIND.items()]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tried += list(near(right))
            for name, wrong in tried:
                if type(wrong) is type(right) and repr(wrong) == repr(right):
                    continue
                args, given = list(call.args), dict(call.given)
                if isinstance(place, int):
                    args[place] = wrong
                else:
                    given[place] = wrong
                what, answer = _end(Call(call.function, tuple(args), given))
                if what == "taken" and holds_nan(answer):
                    if has_nan is None:
                        has_nan = holds_nan(_end(call)[1])
                    what = "taken" if has_nan else "nan"
                error = answer if isinstance(answer, BaseException) else None
                yield Ending(argument, name, what, error)


def _end(call: Call) -> tuple[str, Any]:
    """Return what a call ends in, with its answer or its error."""

    folder = Path.cwd()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            np.errstate(all="ignore"),
            _in_time(),
        ):
            warnings.simplefilter("ignore")
            answer = call.function(*call.args, **call.given)
    except _Late as error:
        return "late", error
    except CausalgiaError as error:
        return "typed", error
    except Exception as error:
        return "raw", error
    finally:
        os.chdir(folder)
    return "taken", answer


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    """Raise `_Late` in a call that takes too long."""

    def late(*_: Any) -> None:
        raise _Late

    timers = (
        (signal.SIGPROF, signal.ITIMER_PROF, SECONDS),
        (signal.SIGALRM, signal.ITIMER_REAL, LONGEST_WAIT),
    )
    before = [signal.signal(number, late) for number, _, _ in timers]
    for _, timer, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for _, timer, _ in timers:
            signal.setitimer(timer, 0)
        for (number, _, _), one in zip(timers, before, strict=True):
            signal.signal(number, one)


def holds_nan(answer: Any, depth: int = 3) -> bool:
    """Return whether an answer has a number that is NaN."""
    if isinstance(answer, float | complex | np.number):
        return bool(np.isnan(answer))
    if isinstance(answer, xr.Dataset):
        return any(holds_nan(one) for one in answer.data_vars.values())
    if isinstance(answer, xr.DataArray):
        answer = answer.to_numpy()
    if isinstance(answer, pd.DataFrame):
        return any(holds_nan(answer[name].to_numpy()) for name in answer)
    if isinstance(answer, np.ndarray):
        return answer.dtype.kind in "fc" and bool(np.isnan(answer).any())
    if not depth:
        return False
    if isinstance(answer, Mapping):
        return any(holds_nan(one, depth - 1) for one in answer.values())
    if isinstance(answer, list | tuple):
        return any(holds_nan(one, depth - 1) for one in answer)
    if hasattr(answer, "__dataclass_fields__"):
        return any(
            holds_nan(getattr(answer, name, None), depth - 1)
            for name in answer.__dataclass_fields__
        )
    return False
