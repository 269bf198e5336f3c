"""What an error offers instead of a wrong argument, read from its fields and, where it
has none, from its words.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from described_values import (
    is_of_a_kind,
    names_listed,
    parts_restored,
    without_rows,
)
from working_calls import Call, working_calls
from wrong_arguments import OF_ANY_KIND, near

import causalgia as cg
from causalgia.errors import NOT_GIVEN, ArgumentError, CausalgiaError, Setting, quoted
from causalgia.mentions import CallMention, Mention, Unread

PACKAGE = Path(cg.__file__).parent
OUT = object()
"""Stands for an argument that is to be left out."""
_NUMBER = r"(-?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?)"
_LARGEST = 1e6  # offered sizes above are not tried


class _Any:
    """A value of no kind that any argument takes."""

    def __repr__(self) -> str:
        return "<a value of another kind>"


def wrong_values(right: Any) -> Iterator[Any]:
    """Yield values that are near a right one and wrong, and some of other kinds."""
    yield from (_Any(), "no such name", -1, float("nan"), [], True, {}, 2.5)
    if isinstance(right, str):
        yield from (right[:-1], right + "x", "", [right, right], right.swapcase())
    elif isinstance(right, int | float) and not isinstance(right, bool):
        yield from (str(right), 0, [right], -right, float("inf"), right + 0.5)
    elif isinstance(right, Mapping):
        names = list(right)
        if names and isinstance(names[0], str):
            yield {names[0][:-1] + "x": right[names[0]]}
            yield dict.fromkeys(names, "no such name")
            yield dict.fromkeys(names, -1)
    elif isinstance(right, list | tuple) and len(right):
        yield from (right[:1], [*right, *right], list(right)[::-1], next(iter(right)))
        yield [right[0], "no such name"]
        if isinstance(right[0], str):
            yield [right[0][:-1] + "x", *right[1:]]
    elif isinstance(right, np.ndarray) and right.size and right.dtype.kind in "fiu":
        yield from (right[:1], -right, right * np.nan, right.ravel()[:-1], right[None])
        yield right.tolist()


def many_wrong_values(right: Any) -> Iterator[Any]:
    """Yield the values of `wrong_values`, those that are nearly right, and those of many
    kinds.
    """
    yield from wrong_values(right)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from _with_one_missing(right)
        for _, wrong in near(right):
            yield wrong
    for make in OF_ANY_KIND.values():
        yield make()


def _with_one_missing(right: Any) -> Iterator[Any]:
    """Yield tables and Datasets in which one value is missing, or one row is twice."""
    if isinstance(right, pd.DataFrame) and len(right):
        yield pd.concat([right, right.iloc[:1]], ignore_index=True)
        for column in list(right)[:6]:
            values = right[column].astype(object).copy()
            values.iloc[-1] = None
            yield right.assign(**{str(column): values.infer_objects()})
    elif isinstance(right, xr.Dataset):
        for name, one in right.data_vars.items():
            if one.dtype.kind == "f" and one.ndim:
                values = one.to_numpy().copy()
                values[(-1,) * one.ndim] = np.nan
                yield right.assign({name: one.copy(data=values)})


def _literal(text: str) -> Any:
    """Return the longest beginning of a text that is a literal of Python, or OUT."""
    for end in sorted(
        {m.end() for m in re.finditer(r"[\])}\"']|[\w.]+", text)}, reverse=True
    ):
        try:
            return ast.literal_eval(text[:end].strip())
        except (ValueError, SyntaxError):
            continue
    return OUT


def settings_in_words(text: str, names: set[str]) -> Iterator[tuple[str, Any]]:
    """Yield name and value of settings that a text tells to give or to leave out."""
    for found in re.finditer(
        r"(?:for example|such as|give|use|set|with|try|or|is|take|takes|write|and) "
        r"(\w+)=(?=[^\s=])([^;]{1,160})",
        text,
    ):
        if found[1] in names and (value := _literal(found[2])) is not OUT:
            yield found[1], value
    for found in re.finditer(
        r"(?:leave|drop|without|leave out|nothing for) (\w+)=(?: out|[\s;,.]|$)", text
    ):
        if found[1] in names:
            yield found[1], OUT


def settings_offered(
    error: CausalgiaError, given: Mapping[str, Any] = {}, owner: str = ""
) -> Iterator[tuple[str, Any]]:
    """Yield name and value of the settings that an error tells to give, in its fields and,
    after the first semicolon, its mentions; `given` are the arguments of the call that it
    refuses, and `owner` is its name.
    """
    if error.argument and error.example is not NOT_GIVEN:
        yield error.argument, error.example
    begun, before = False, ""
    for part in error.parts:
        name, value = _name_and_value(part)
        if not name and isinstance(part, Mention) and part.call is not None:
            yield from _of_call(part.call, owner)
            made = _evaluated(part) if part.call.name[:1].isupper() else OUT
            if begun and error.argument and made is not OUT:
                yield error.argument, made
        elif begun and name and _LEFT_OUT.search(before):
            yield name, OUT
        elif begun and name and value is not NOT_GIVEN:
            # "; schema='original' has the columns ..." says what was given
            is_given = name in given and quoted(given[name]) == quoted(value)
            if not (is_given and before.endswith("; ")):
                yield name, value
        if isinstance(part, str) and not isinstance(part, Mention):
            begun |= ";" in part
            if str(part).strip() not in ("and", "or", ","):
                before = str(part)


_LEFT_OUT = re.compile(r"\b(?:leave|drop|leave out|drop the) ?$")


def _name_and_value(part: object) -> tuple[str, Any]:
    """Return the setting that a part of a message is; ("", NOT_GIVEN) for a text."""
    if isinstance(part, Setting):
        return part.name, part.value
    if not isinstance(part, Mention):
        return "", NOT_GIVEN
    value = part.value
    if part.argument and part.call is not None:
        value = _evaluated(part.partition("=")[2])
    unknown = isinstance(value, Unread) or value is OUT
    return part.argument, NOT_GIVEN if unknown else value


def _of_call(call: CallMention, owner: str) -> Iterator[tuple[str, Any]]:
    """Yield what a call in a message gives to the function that was refused."""
    others = [value for name, value in call.arguments if not name and value != "..."]
    if call.name.rpartition(".")[2] == owner.partition(".")[0] and not others:
        for name, value in call.arguments:
            read = Mention(f"{name}={value}").value
            if name and not isinstance(read, Unread) and read is not NOT_GIVEN:
                yield name, read


def _evaluated(text: str) -> Any:
    """Return what a call in a message makes, or OUT if it leaves something to fill in."""
    if re.search(r"\.\.\.|=[,)]", text):
        return OUT
    try:
        return eval(text, {"cg": cg})
    except Exception:
        return OUT


def values_in_words(text: str) -> Iterator[Any]:
    """Yield the values that a text offers for the argument which it refuses."""
    words = r"((?:[\"'][^\"']{1,60}[\"'](?:, | and | or |, or )?)+)"
    for found in re.finditer(rf"(?:one of|use|did you mean|takes|give) {words}", text):
        yield from re.findall(r"[\"']([^\"']{1,60})[\"']", found[1])
    for found in re.finditer(r"[\"'][^\"']*[\"'] is [\"']([^\"']+)[\"'] now", text):
        yield found[1]
    sizes = r"(?! ?(?:bp|units|bases|positions|p-values|left))"
    for found in re.finditer(rf"(?<!counted )from {_NUMBER} to {_NUMBER}", text):
        yield _number(found[1])
        yield _number(found[2])
    for found in re.finditer(rf"(?:at least|at most) {_NUMBER}{sizes}", text):
        yield _number(found[1])
    for found in re.finditer(
        rf"(?<!numbers )(?<!numbers that are not )between {_NUMBER} and {_NUMBER}", text
    ):
        yield (_number(found[1]) + _number(found[2])) / 2
    if "True or False" in text or "neither True nor False" in text:
        yield from (True, False)


def _number(text: str) -> float | int:
    plain = text.replace(",", "")
    return int(plain) if plain.lstrip("-").isdigit() else float(plain)


def in_place_of(wrong: Any, right: Any, offered: Any) -> Any:
    """Return what an argument is where a value is taken in place of the wrong one: the
    value, or a list or a mapping with it.
    """
    if isinstance(offered, str) and isinstance(right, Mapping):
        changed = set(wrong) != set(right) if isinstance(wrong, Mapping) else False
        one = next(iter(right.values()))
        return {offered: one} if changed else dict.fromkeys(right, offered)
    listed = isinstance(right, list | tuple) and isinstance(wrong, list | tuple)
    if isinstance(offered, str) and listed and len(wrong):
        known = list(right)
        return [
            one if isinstance(one, str) and one in known else offered for one in wrong
        ]
    named = isinstance(wrong, str) and re.findall(r"[\w.]+", wrong)
    if isinstance(offered, str) and named and len(named) > 1 and isinstance(right, str):
        unknown = [one for one in named if one not in re.findall(r"[\w.]+", right)]
        return wrong.replace(unknown[0], offered) if len(unknown) == 1 else offered
    return offered


def offers(
    error: CausalgiaError, altered: str, wrong: Any, right: Any, names: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield the changes of arguments that an error offers for the call which it
    refuses.
    """
    argument = error.argument if error.argument in names else altered
    if error.argument in names and error.example is not NOT_GIVEN:
        yield {argument: error.example}
    for part in (*error.cure, *error.then):
        if (
            isinstance(part, Setting)
            and part.name in names
            and part.value is not NOT_GIVEN
        ):
            yield {part.name: part.value}
    text = str(error)
    for name, value in settings_in_words(text, names):
        yield {name: value}
    if error.argument == altered or (not error.argument and altered in text):
        for value in values_in_words(text):
            if isinstance(value, str) or abs(value) < _LARGEST:
                yield {argument: in_place_of(wrong, right, value)}


def described_offers(
    error: CausalgiaError, altered: str, wrong: Any, right: Any, names: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield the changes that an error offers in mentions, or describes: to leave an
    argument out, to give a value of a kind, a part that is missing, one of some names.
    """
    text = str(error)
    for name, value in settings_offered(error):
        if name in names:
            yield {name: value}
    about = error.argument == altered or (not error.argument and altered in text)
    if about and altered in names:
        if re.search(r"(?:leave|drop) it(?: out)?\b", text):
            yield {altered: OUT}
        for value in names_listed(text, right):
            yield {altered: value}
        for part in (parts_restored(wrong, right, text), without_rows(wrong, text)):
            if part is not None:
                yield {altered: part}
        if is_of_a_kind(text, right) and not is_of_a_kind(text, wrong):
            yield {altered: right}


def site(error: BaseException) -> str:
    """Return the file and line where an error was raised in the package."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE):
            place = f"{path.relative_to(PACKAGE)}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def sites(error: BaseException) -> Iterator[str]:
    """Yield the places of an error and of those that it was made from."""
    seen: BaseException | None = error
    while seen is not None:
        if place := site(seen):
            yield place
        seen = seen.__cause__ or seen.__context__


@dataclass(frozen=True)
class Trial:
    """A wrong value, the error of it, a change that the error offers, and the error of
    the call with this change, if it is refused, too.
    """

    name: str
    argument: str
    wrong: Any
    error: CausalgiaError
    offer: dict[str, Any] | None = None
    after: Exception | None = None

    def __str__(self) -> str:
        return (
            f"{self.name}({self.argument}={self.wrong!r}): {self.error}\n"
            f"    {self.offer}: {self.after}"
        )


def trials(name: str, value: Any, *, many: bool = False) -> Iterator[Trial]:
    """Yield what the errors of a public callable offer, applied to the calls of its
    examples, with each argument wrong in turn; with `many` in more ways, each error
    once, and the arguments too that the examples leave as they are.
    """
    done = set()
    done_errors: set[tuple[str, str]] = set()
    for call in working_calls(value):
        names = {
            key
            for key, one in inspect.signature(call.function).parameters.items()
            if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        }
        given = dict(call.given)
        if many:
            for key, one in inspect.signature(call.function).parameters.items():
                if key in names and one.default is not one.empty:
                    given.setdefault(key, one.default)
        for argument, right in given.items():
            if (argument, type(right)) in done or argument.startswith("_"):
                continue
            done.add((argument, type(right)))
            for wrong in (many_wrong_values if many else wrong_values)(right):
                error = _refusal(call, {**call.given, argument: wrong})
                if not isinstance(error, CausalgiaError):
                    continue
                place = (argument, site(error))
                if many and place in done_errors:
                    continue
                for one in _applied(
                    *(name, call, argument, wrong, right, error, names), many=many
                ):
                    if one.offer is not None and one.after is None:
                        done_errors.add(place)
                    yield one
            if argument not in call.given:
                continue
            shorter = argument[:-1] if len(argument) > 3 else f"{argument}s"
            if shorter not in names:
                left = {k: v for k, v in call.given.items() if k != argument}
                error = _refusal(call, {**left, shorter: right})
                if isinstance(error, ArgumentError):
                    found = re.search(
                        r"did you mean '(\w+)'|give (\w+)=|it takes ([\w, ]+)",
                        str(error),
                    )
                    assert found, error
                    listed = (found[3] or "").split(", ")
                    meant = (
                        found[1]
                        or found[2]
                        or next(one for one in listed if one == argument)
                    )
                    yield Trial(
                        name,
                        shorter,
                        right,
                        error,
                        {meant: right},
                        _unless_gone(_refusal(call, left | {meant: right})),
                    )


def _applied(
    name: str,
    call: Call,
    argument: str,
    wrong: Any,
    right: Any,
    error: CausalgiaError,
    names: set[str],
    *,
    many: bool,
) -> Iterator[Trial]:
    """Yield the trials of one error; where a value is taken and another argument is
    refused then, what that error offers for it is applied as well.
    """
    given = {**call.given, argument: wrong}
    made = [*offers(error, argument, wrong, right, names)]
    if many:
        made += described_offers(error, argument, wrong, right, names)
    offered = [
        offer
        for offer in made
        if not isinstance(value := offer.get(argument), list | tuple)
        or len({*map(str, value)}) == len(value)
        or value is right
        or value == right
    ]
    if not offered:
        yield Trial(name, argument, wrong, error)
    for offer in offered:
        changed = _changed(given, offer)
        after = _refusal(call, changed)
        if isinstance(after, CausalgiaError):
            others = offers(after, "", None, None, names - offer.keys() - {argument})
            if any(_refusal(call, _changed(changed, one)) is None for one in others):
                after = None
        yield Trial(name, argument, wrong, error, offer, after)


def _changed(given: Mapping[str, Any], offer: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in {**given, **offer}.items() if v is not OUT}


def _unless_gone(error: Exception | None) -> Exception | None:
    """Return an error, unless it is that an example wrote or removed its files."""
    gone = ("exists already", "no such file", "No such file", "damaged")
    return None if any(words in str(error) for words in gone) else error


def _refusal(call: Call, given: Mapping[str, Any]) -> Exception | None:
    """Return the error with which a call is refused, or None."""
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            call.function(*call.args, **given)
    except Exception as error:
        return error
    return None
