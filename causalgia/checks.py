"""Argument checks: `is_x` returns a bool, `check_x` raises, `as_x` returns the cleaned
value or raises.
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

from causalgia.errors import (
    CausalgiaError,
    DesignError,
    EstimateError,
    PredictorError,
    first_of,
    quoted,
    type_in_words,
    with_article,
)

Table: TypeAlias = dict[str, Any]
Takes: TypeAlias = tuple[Callable[[Any], bool], str]
"""Test of a value, and what a value must be, in words."""
Keys: TypeAlias = Mapping[str, tuple[Any, ...]]
"""Keys of a table and what each takes."""


def is_text(value: object) -> bool:
    """Return whether a value is non-blank text."""
    return isinstance(value, str) and bool(value.strip())


def are_texts(value: object) -> bool:
    """Return whether a value is a non-empty list of non-blank texts."""
    return isinstance(value, list) and bool(value) and all(map(is_text, value))


def is_number(value: object) -> bool:
    """Return whether a value is a finite number."""
    return is_int64(value) or (isinstance(value, float) and math.isfinite(value))


def converts_to_float(value: Any) -> bool:
    """Return whether ``float(value)`` is a number or NaN."""
    try:
        float(value)
    except (TypeError, ValueError, ArithmeticError):
        return False
    return True


def why_no_numbers(given: object) -> str:
    """Return why NumPy made no array of numbers of values: parts of unequal lengths, a
    value that is no number, or what was given.

    Examples
    --------
    >>> why_no_numbers([[1, 2], [1]]), why_no_numbers({"A": [1, 2, 3], "C": [1]})
    ('rows have 2 and 1 numbers', 'columns have 3 and 1 numbers')
    >>> why_no_numbers([[1, "x"]]), why_no_numbers({"A": 0.5}), why_no_numbers([[1], 2])
    ("'x' is not a number", 'a dict', 'a list beside the number 2')
    """
    parts = list(given.values() if isinstance(given, Mapping) else _parts_of(given))
    lists = [len(x) for part in parts if (x := _parts_of(part))]
    if len(lengths := list(dict.fromkeys(lists))) > 1:
        what = "columns" if isinstance(given, Mapping) else "rows"
        return f"{what} have {' and '.join(map(str, lengths[:2]))} numbers"
    if isinstance(given, str):
        return f"{quoted(given)} is not a number"
    single = [x for part in parts for x in _parts_of(part) or [part]]
    odd = [x for x in single if not converts_to_float(x)]
    if parts and not isinstance(given, Mapping) and odd:
        return f"{quoted(odd[0])} is not a number"
    one = next((x for x in parts if converts_to_float(x)), None)
    if lists and one is not None:
        return f"a list beside the number {quoted(one)}"
    return type_in_words(given)


def _parts_of(value: Any) -> list[Any]:
    """Return the parts of a list or an array, none of anything else."""
    found = value.tolist() if hasattr(value, "tolist") else value
    return list(found) if isinstance(found, list | tuple) else []


def is_real(value: object) -> TypeGuard[float]:
    """Return whether a value is a real number of Python or NumPy that a float can hold,
    and no bool.

    Examples
    --------
    >>> is_real(2), is_real(10**400), is_real(True)
    (True, False, False)
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True


def is_whole(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number of Python or NumPy that a float can
    hold, and no bool.
    """
    return isinstance(value, Integral) and is_real(value)


def is_int64(value: object) -> bool:
    """Return whether a value is a whole number of 64 bits."""
    return (
        isinstance(value, int)
        and not isinstance(value, bool)
        and -(2**63) <= value < 2**63
    )


def is_count(value: object) -> bool:
    """Return whether a value is a whole number of at least 1."""
    return is_int64(value) and value >= 1  # type: ignore[operator]


MOST_DRAWS = 10**8
"""Largest number of draws of a distribution; their error is by then 1e-4 of its sd, and
more seldom fit into memory.
"""


def is_draws(value: object) -> TypeGuard[int]:
    """Return whether a value is a number of draws: whole, at least 1 and at most
    10^8.
    """
    return is_whole(value) and 1 <= value <= MOST_DRAWS


def check_draws(n_draws: object, *, usual: int) -> None:
    """Raise EstimateError unless a value is a number of draws of a posterior; the
    message proposes the usual one.
    """
    if not is_draws(n_draws):
        raise EstimateError(
            f"n_draws={quoted(n_draws)} is not a positive whole number of at most "
            f"{MOST_DRAWS:,}, such as {quoted(usual)}",
            argument="n_draws",
        )


def check_flag(value: object, name: str, *, error: type[CausalgiaError]) -> None:
    """Raise an error of the given type unless a value is True or False."""
    if not isinstance(value, bool):
        raise error(
            f"{name}={quoted(value)} is neither True nor False",
            argument=name,
        )


def check_text_or_none(
    value: object, name: str, *, error: type[CausalgiaError]
) -> None:
    """Raise an error of the given type unless a value is text or None."""
    if value is not None and not isinstance(value, str):
        raise error(
            f"{name}={quoted(value)} is neither text nor None",
            argument=name,
        )


def is_table(value: object) -> bool:
    """Return whether a value is a table."""
    return isinstance(value, dict)


@dataclass(frozen=True)
class _IsOneOf:
    names: tuple[str, ...]

    def __call__(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.names


def one_of(*names: str) -> Takes:
    """Return the `Keys` entry for a choice among names."""
    return _IsOneOf(names), "one of " + ", ".join(f'"{n}"' for n in names)


NAME: Takes = (is_text, "text that is not empty")


def check_value(
    value: object,
    keys: Keys,
    key: str,
    *,
    given: object = None,
    place: str = "",
    error: type[CausalgiaError] = DesignError,
) -> None:
    """Raise DesignError if a value is invalid for its key; `place` names the table in
    the message. Where the row of the key has a parser, the error is that of the parser.

    `given` is the value as the user wrote it, where `value` was made from it.

    Examples
    --------
    >>> check_value("fdrs", {"error": one_of("fdr", "each")}, "error", place="[mpra]")
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: [mpra]: error='fdrs' must be one of "fdr", "each"; did you mean 'fdr'?
    """
    is_valid, description = keys[key][:2]
    where = f"{place}: " if place else ""
    if (parse := getattr(keys[key], "parse", None)) is not None:
        try:
            parse(value if given is None else given)
        except (CausalgiaError, TypeError) as found:
            raise error(f"{where}{found}", argument=key) from None
    elif not is_valid(value):
        hint = (
            nearest(value, is_valid.names)
            if isinstance(is_valid, _IsOneOf) and isinstance(value, str)
            else ""
        )
        raise error(
            f"{where}{key}={quoted(value if given is None else given)} must be "
            f"{description}{hint}",
            argument=key,
        )


def check_key(table: Table, key: str, what: str) -> None:
    """Raise DesignError if a table lacks a key."""
    if key not in table:
        raise DesignError(f"{what} needs {quoted(key)}")


def similar_names(
    name: str, known: Iterable[str], *, most: int = 1, cutoff: float = 0.5
) -> list[str]:
    """Return the known names that are spelled most like a name, the nearest first; none
    if none reaches `cutoff`.
    """
    names = list(known)
    same = [one for one in names if one.casefold() == name.casefold()]
    close = difflib.get_close_matches(name, names, n=most, cutoff=cutoff)
    return list(dict.fromkeys([*same, *close]))[:most]


def nearest(
    name: str,
    known: Iterable[str],
    *,
    most: int = 1,
    cutoff: float = 0.5,
    then: str = "",
) -> str:
    """Return a hint with the nearest known names, or an empty text; `then` follows in
    either case.

    Examples
    --------
    >>> nearest("GATA", ["GATA1", "SP1"])
    "; did you mean 'GATA1'?"
    >>> (
    ...     nearest("GATA", ["GATA1", "SP1"], then="there are 2"),
    ...     nearest("x", ["GATA1", "SP1"], then="there are 2"),
    ... )
    ("; did you mean 'GATA1'? There are 2", '; there are 2')
    """
    names = list(known)
    near = similar_names(name, names, most=most, cutoff=cutoff)
    if not near:
        return f"; {then}" if then else ""
    return f"; did you mean {', '.join(map(quoted, near))}?" + (
        f" {then[0].upper()}{then[1:]}" if then else ""
    )


def is_not_among(name: str, known: Sequence[str], what: str = "arm") -> str:
    """Return that a name is none of the known ones, the nearest of them, and what they
    are; `what` begins with the noun.

    Examples
    --------
    >>> is_not_among("GATA", ["GATA1", "SP1"])
    "is not an arm; did you mean 'GATA1'? The arms are 'GATA1', 'SP1'"
    >>> is_not_among("x", ["GATA1"], "task"), is_not_among("x", [], "factor")
    ("is not a task; the tasks are 'GATA1'", 'is not a factor; there are no factors')
    """
    noun = what.split()[0]
    then = f"the {noun}s are {listed(known)}" if known else f"there are no {noun}s"
    return f"is not {with_article(what)}{nearest(name, known, most=3, then=then)}"


def check_arm(
    arm: Any,
    arms: Sequence[str],
    role: str,
    of: str = "arm",
    *,
    error: type[CausalgiaError] = EstimateError,
) -> None:
    """Raise an error of the given type unless a name is one of the arms (or tasks,
    models); `role` says what names it.

    Examples
    --------
    >>> check_arm("GATA", ["placebo", "GATA1"], "control")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: control 'GATA' is not an arm; did you mean 'GATA1'? The arms are 'placebo', 'GATA1'
    """
    if arm not in arms:
        unknown = is_not_among(str(arm), arms, of)
        raise error(f"{role} {quoted(arm)} {unknown}")


def check_another_arm(
    control: str, arms: Sequence[str], *, error: type[CausalgiaError] = EstimateError
) -> None:
    """Raise an error of the given type if the control is the only arm."""
    if len(arms) < 2:
        raise error(
            f"the only arm is the control {quoted(control)}; a contrast needs another "
            "arm"
        )


def listed(names: Iterable[str], most: int = 20) -> str:
    """Return names for a message, the first 20."""
    return first_of(map(quoted, names), most)


def check_keys(plain: Table, place: str, known: Iterable[str]) -> None:
    """Raise DesignError if a table has an unknown key; suggests the nearest.

    Examples
    --------
    >>> check_keys({"nam": "x"}, "[trial]", ["name"])
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: [trial] has no key 'nam'; did you mean 'name'?
    """
    names = list(known)
    for key in plain:
        if key not in names:
            hint = nearest(key, names, cutoff=0.6) or f"; it takes {', '.join(names)}"
            raise DesignError(f"{place or 'the top'} has no key '{key}'{hint}")


Span = tuple[int, int]


def in_list(parts: Sequence[str], *, n: int | None = None) -> str:
    """Return "a, b and c"; `n` is the number of all where only the first are given.

    Examples
    --------
    >>> in_list(["4", "6", "9"]), in_list(["4"]), in_list([])
    ('4, 6 and 9', '4', '')
    >>> in_list(["4", "6"], n=1_002)
    '4, 6 and 1,000 more'
    """
    if n is not None and n > len(parts):
        parts = [*parts, f"{n - len(parts):,} more"]
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def four_digits(value: float) -> str:
    """Return a number as text with four significant digits, and without an exponent
    below 1e7.

    Examples
    --------
    >>> (
    ...     four_digits(-0.1),
    ...     four_digits(0.123456),
    ...     four_digits(123456.0),
    ...     four_digits(1.23456e7),
    ... )
    ('-0.1', '0.1235', '123500', '1.235e+07')
    """
    text = f"{value:.4g}"
    return f"{float(text):.0f}" if 1e4 <= abs(float(text)) < 1e7 else text


def as_count(value: object, name: str, *, least: int = 1) -> int:
    """Return `value` as an int of at least 1, or raise DesignError; a ``length`` is
    below 2^32. `least` is the smallest number that the message offers, where the caller
    refuses smaller ones itself.
    """
    most = 32 if name == "length" else 48
    if not is_whole(value) or not 1 <= value < 2**most:
        raise DesignError(
            f"{name}={quoted(value)} must be a whole number of at least {least} "
            f"(and below 2^{most})",
            argument=name,
        )
    return int(value)


def as_position(value: object, name: str) -> int:
    """Return `value` as a 0-based position, or raise DesignError naming it."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DesignError(
            f"{name}={quoted(value)} must be a whole number: a 0-based position",
            argument=name,
        )
    if int(value) < 0:
        raise DesignError(
            f"{name}={quoted(value)} is negative, and positions are counted from 0",
            argument=name,
        )
    if int(value) >= 2**48:
        raise DesignError(
            f"{name}={quoted(value)} is beyond any sequence; positions are below 2^48",
            argument=name,
        )
    return int(value)


def as_span(value: object) -> Span:
    """Return `value` as (start, stop), stop excluded, or raise DesignError."""
    if isinstance(value, slice | range) and value.step in (None, 1):
        value = value.start, value.stop
    if not isinstance(value, tuple | list) and hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise DesignError(f"a span is (start, stop), not {quoted(value)}")
    start, stop = as_position(value[0], "start"), as_position(value[1], "stop")
    if stop <= start:
        raise DesignError(
            f"span ({start}, {stop}) is empty; stop is excluded and must be greater "
            "than start"
        )
    return start, stop


def as_share(value: object, name: str) -> float:
    """Return `value` as a number from 0 to below 1, or raise DesignError naming it."""
    if not is_real(value) or not 0 <= value < 1:
        raise DesignError(
            f"{name}={quoted(value)} must be a share: a number of 0 or more and "
            "below 1",
            argument=name,
        )
    return float(value)


def as_number(
    value: object,
    name: str,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    error: type[CausalgiaError] = PredictorError,
) -> float:
    """Return a finite number from `least` to `most` as a float, or raise `error` naming
    it.

    Examples
    --------
    >>> as_number(1.5, "recovery", least=0, most=1)
    Traceback (most recent call last):
    ...
    causalgia.errors.PredictorError: recovery=1.5 must be a number between 0 and 1
    """
    if not is_real(value) or not math.isfinite(value) or not least <= value <= most:
        limits = (
            f"of at least {least:g}"
            if most == math.inf
            else f"between {least:g} and {most:g}"
        )
        number = "finite number" if least == -math.inf else f"number {limits}"
        raise error(
            f"{name}={quoted(value)} must be a {number}",
            argument=name,
        )
    return float(value)


def as_positive(
    value: object, name: str, *, error: type[CausalgiaError] = PredictorError
) -> float:
    """Return a finite number above 0, or raise `error` naming it."""
    number = as_number(value, name, error=error)
    if number <= 0:
        raise error(
            f"{name}={quoted(value)} must be above 0",
            argument=name,
        )
    return number


def as_int(
    value: object,
    name: str,
    *,
    least: int = 1,
    error: type[CausalgiaError] = PredictorError,
) -> int:
    """Return a whole number of at least `least` (and below 2^48) as an int, or raise
    `error` naming it.

    Examples
    --------
    >>> as_int(2.5, "n_replicates")
    Traceback (most recent call last):
    ...
    causalgia.errors.PredictorError: n_replicates=2.5 must be a whole number of at least 1 (and below 2^48)
    """
    if not is_whole(value) or not least <= value < 2**48:
        raise error(
            f"{name}={quoted(value)} must be a "
            f"whole number of at least {least} (and below 2^48)",
            argument=name,
        )
    return int(value)


_LEAST_ERROR = 1e-15
"""Smallest error of an interval: of half of it, a float still tells 1 less from 1."""


def as_ci_prob(
    ci_prob: Any,
    *,
    place: str = "",
    error: type[CausalgiaError] = EstimateError,
) -> float:
    """Return the probability of an interval as a float: from 0.5 to below 1.

    The one parser of the one level of an analysis, for intervals and for the error
    rate ``1 - ci_prob`` of verdicts and tests, as `causalgia.Analysis` takes it.

    Raises
    ------
    EstimateError
        If it is no such number (or `error`, of another kind).

    Examples
    --------
    >>> as_ci_prob(0.5)
    0.5
    >>> as_ci_prob(95)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: ci_prob=95 is not a number from 0.5 to below 1
    """
    where = f"{place}: " if place else ""
    if is_real(ci_prob) and 1 - _LEAST_ERROR < float(ci_prob) <= 1 and ci_prob < 1:
        raise error(
            f"{where}ci_prob={quoted(ci_prob)} is within {_LEAST_ERROR:g} of 1, "
            "where intervals have no ends",
            argument="ci_prob",
        )
    if not is_real(ci_prob) or not 0.5 <= ci_prob < 1:
        raise error(
            f"{where}ci_prob={quoted(ci_prob)} is not a number from 0.5 to below 1",
            argument="ci_prob",
        )
    return float(ci_prob)


def as_probability(
    value: object,
    name: str,
    *,
    error: type[CausalgiaError] = EstimateError,
) -> float:
    """Return a probability strictly between 0 and 1, such as an error rate, as a float.

    Raises
    ------
    EstimateError
        If it is no such number (or `error`, of another kind).

    Examples
    --------
    >>> as_probability(5, "alpha")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: alpha=5 is not between 0 and 1
    """
    if not is_real(value) or not 0 < float(value) < 1:
        raise error(
            f"{name}={quoted(value)} is not between 0 and 1",
            argument=name,
        )
    return float(value)


def in_order(value: Any) -> tuple[Any, ...] | None:
    """Return what a list, a tuple, an array, a column of a table, a DataArray, the keys
    of a dict or a generator holds, in its order; a text is one. None of anything else: a
    set has no order, and a dict or a table is no list.

    Examples
    --------
    >>> in_order("K562"), in_order([3, "K562"]), in_order(iter([1.5]))
    (('K562',), (3, 'K562'), (1.5,))
    >>> in_order({"K562", "HepG2"}), in_order({"K562": 1}), in_order(3)
    (None, None, None)
    """
    if isinstance(value, str):
        return (str(value),)
    if not isinstance(value, list | tuple) and hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if hasattr(value, "ndim") and hasattr(value, "ravel"):
        value = value.ravel().tolist() if value.ndim < 2 else None
    unordered = isinstance(value, set | frozenset | bytes | bytearray | Mapping)
    if unordered or not isinstance(value, Iterable):
        return None
    return tuple(value)


def as_names(value: Any) -> tuple[str, ...] | None:
    """Return the names that a value holds, in their order, or None if it holds none:
    texts as `in_order` takes them.

    Examples
    --------
    >>> as_names("K562"), as_names(["K562", "HepG2"]), as_names({"K562": 1}.keys())
    (('K562',), ('K562', 'HepG2'), ('K562',))
    >>> as_names({"K562", "HepG2"}), as_names([3]), as_names(b"K562"), as_names("")
    (None, None, None, None)
    """
    found = in_order(value)
    if found is None or any(not isinstance(name, str) or not name for name in found):
        return None
    return tuple(map(str, found))


def as_texts(
    value: Any, name: str, what: str, *, error: type[CausalgiaError] = DesignError
) -> tuple[str, ...]:
    """Return one text or several as a tuple, or raise `error` naming what texts are
    expected.

    Examples
    --------
    >>> (
    ...     as_texts("EcoRI", "avoid", "sites"),
    ...     as_texts(["EcoRI", "SbfI"], "avoid", "sites"),
    ... )
    (('EcoRI',), ('EcoRI', 'SbfI'))
    """
    found = (
        (value,)
        if isinstance(value, str)
        else None
        if value is None or isinstance(value, bytes)
        else value
    )
    if not isinstance(found, Iterable):
        raise error(
            f"{name}={quoted(value)} is neither text nor a list of texts: {what}",
            argument=name,
        )
    found = tuple(found)
    for one in found:
        if not isinstance(one, str) or not one:
            raise error(
                f"{name} has {quoted(one)}, which is not text: {what}",
                argument=name,
            )
    return found


def is_installed(module: str | None) -> bool:
    """Return whether a module belongs to an installed package rather than to the user's
    code.
    """
    if module is None or module == "__main__":
        return False
    loaded = sys.modules.get(module) or sys.modules.get(module.partition(".")[0])
    if loaded is None:
        return False
    source = getattr(loaded, "__file__", None)
    if source is None:
        return module.partition(".")[0] in sys.stdlib_module_names or hasattr(
            loaded, "__path__"
        )
    return _is_installed_file(source)


@cache
def _installed_folders() -> set[Path]:
    import sysconfig

    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return {Path(sysconfig.get_path(name)).resolve() for name in names} | {
        Path(__file__).resolve().parent
    }


@cache
def _is_installed_file(source: str) -> bool:
    path = Path(source).resolve()
    return any(path.is_relative_to(root) for root in _installed_folders())
