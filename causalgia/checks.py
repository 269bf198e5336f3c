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
    ContrastError,
    DesignError,
    EstimateError,
    InferenceError,
    PredictorError,
    Setting,
    ShortNumber,
    quoted,
    type_in_words,
    with_article,
)
from causalgia.former_names import new_name
from causalgia.mentions import NOT_GIVEN

Table: TypeAlias = dict[str, Any]
Takes: TypeAlias = tuple[Callable[[Any], bool], str]
"""Test of a value, and what a value must be, in words."""
Keys: TypeAlias = Mapping[str, tuple[Any, ...]]
"""Keys of a table and what each takes; rows of `causalgia.arguments` may say more."""


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
    """Raise InferenceError unless a value is a number of draws of a posterior; the
    message proposes the usual one.
    """
    if not is_draws(n_draws):
        raise InferenceError(
            argument="n_draws",
            value=n_draws,
            need=f"is not a positive whole number of at most {MOST_DRAWS:,}",
            example=usual,
        )


def check_flag(value: object, name: str, *, error: type[CausalgiaError]) -> None:
    """Raise an error of the given type unless a value is True or False."""
    if not isinstance(value, bool):
        raise error(argument=name, value=value, need="is neither True nor False")


def check_text_or_none(
    value: object, name: str, *, error: type[CausalgiaError]
) -> None:
    """Raise an error of the given type unless a value is text or None."""
    if value is not None and not isinstance(value, str):
        raise error(argument=name, value=value, need="is neither text nor None")


def is_share(value: object) -> bool:
    """Return whether a value is a number between 0 and 1."""
    return is_number(value) and 0 < value < 1  # type: ignore[operator]


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


def table_such_as(example: str) -> Takes:
    """Return the `Keys` entry for a table, with one that is taken."""
    return is_table, f"a table such as {example}"


def check_table(plain: Table, place: str, keys: Keys) -> Table:
    """Return a copy of a table after checking its keys and values; `place` names the
    table in messages.

    Raises
    ------
    DesignError
        If it has an unknown key (the message suggests the nearest), or a value of the
        wrong type.

    Examples
    --------
    >>> check_table({"nam": "x"}, "[trial]", {"name": NAME})
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: [trial] has no key 'nam'; did you mean 'name'?
    """
    check_keys(plain, place, keys)
    for key, value in plain.items():
        check_value(value, keys, key, places=(place,) if place else ())
    return dict(plain)


def check_value(
    value: object,
    keys: Keys,
    key: str,
    *,
    given: object = None,
    places: tuple[str, ...] = (),
    in_toml: bool = True,
    error: type[CausalgiaError] = DesignError,
) -> None:
    """Raise DesignError if a value is invalid for its key; `places` name the table in
    the message. Where the row of the key has a parser, the error is that of the parser.

    `given` is the value as the user wrote it, where `value` was made from it.

    Examples
    --------
    >>> check_value(
    ...     "holmes", {"adjust": one_of("bh", "holm")}, "adjust", places=("[mpra]",)
    ... )
    Traceback (most recent call last):
    ...
    causalgia.errors.DesignError: [mpra]: adjust = 'holmes' must be one of "bh", "holm"; did you mean 'holm'?
    """
    is_valid, description = keys[key][:2]
    if (parse := getattr(keys[key], "parse", None)) is not None:
        try:
            parse(value if given is None else given)
        except CausalgiaError as found:
            found = found.replace(places=(*places, *found.places), error=error)
            raise (found.as_key() if in_toml else found) from None
    elif not is_valid(value):
        hint = (
            nearest(value, is_valid.names)
            if isinstance(is_valid, _IsOneOf) and isinstance(value, str)
            else ""
        )
        raise error(
            argument=key,
            value=value if given is None else given,
            need=f"must be {description}{hint}",
            example=without_point(value, is_valid),
            places=places,
            in_toml=in_toml,
        )


def check_key(table: Table, key: str, what: str, keys: Keys | None = None) -> None:
    """Raise DesignError if a table lacks a key; `keys` say what its value is."""
    if key not in table:
        value = f", {keys[key][1]}" if keys else ""
        has = ", ".join(table) or "nothing"
        raise DesignError(f"{what} needs {quoted(key)}{value}; it has {has}")


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
    either case. Of a former name, the hint is the name that took its place.

    Examples
    --------
    >>> nearest("GATA", ["GATA1", "SP1"])
    "; did you mean 'GATA1'?"
    >>> (
    ...     nearest("GATA", ["GATA1", "SP1"], then="there are 2"),
    ...     nearest("x", ["GATA1", "SP1"], then="there are 2"),
    ... )
    ("; did you mean 'GATA1'? There are 2", '; there are 2')
    >>> nearest("word_screen", ["copies", "kmer_screen"])
    "; 'word_screen' is 'kmer_screen' now"
    """
    names = list(known)
    if new := new_name(name, names):
        return f"; {quoted(name)} is {quoted(new)} now" + (f"; {then}" if then else "")
    near = similar_names(name, names, most=most, cutoff=cutoff)
    if (usual := _VALUES_BY_OTHER_WORDS.get(name.casefold())) in names:
        near = [str(usual)]
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
    then: str = "",
    error: type[CausalgiaError] = ContrastError,
) -> None:
    """Raise an error of the given type unless a name is one of the arms (or tasks,
    models); `role` says what names it, and `then` ends the message.

    Examples
    --------
    >>> check_arm("GATA", ["placebo", "GATA1"], "control")
    Traceback (most recent call last):
    ...
    causalgia.errors.ContrastError: control 'GATA' is not an arm; did you mean 'GATA1'? The arms are 'placebo', 'GATA1'
    """
    if arm not in arms:
        unknown = is_not_among(str(arm), arms, of)
        raise error(f"{role} {quoted(arm)} {unknown}", then=then)


def check_another_arm(
    control: str, arms: Sequence[str], *, error: type[CausalgiaError] = ContrastError
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


_KEYS_BY_OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "seed": ("rng",),
    "seeds": ("rng",),
    "n_seqs": ("n_units",),
    "ci_level": ("ci_prob",),
    "random_state": ("rng",),
    "alpha": ("level", "fdr", "ci_prob"),
    "confidence": ("ci_prob",),
    "n": ("n_units", "n_draws"),
    "n_samples": ("n_units", "n_draws"),
    "model": ("predictor",),
    "network": ("predictor", "module"),
    "net": ("predictor", "module"),
    "background": ("null",),
    "backgrounds": ("null", "n_units"),
    "null_model": ("null",),
    "pattern": ("motif", "motifs"),
    "patterns": ("motifs",),
    "position": ("at",),
    "positions": ("at",),
    "reference": ("genome", "control"),
    "fasta": ("genome", "sequences", "path", "of"),
    "names": ("tasks",),
    "spacings": ("distances",),
    "gap": ("distances",),
    "gaps": ("distances",),
    "threshold": ("rope",),
    "verbose": ("progress",),
    "file": ("path",),
    "filename": ("path",),
    "fname": ("path",),
    "folder": ("path",),
    "genome": ("fasta",),
    "sequences": ("of",),
    "seqs": ("sequences", "of"),
    "window": ("length", "tile_width"),
    "width": ("length", "tile_width"),
    "seq_len": ("length",),
    "input_length": ("length",),
    "kmers": ("motifs",),
    "words": ("motifs",),
    "database": ("motifs",),
    "motif_db": ("motifs",),
    "species": ("taxon",),
    "start": ("at",),
    "pos": ("at",),
    "motif": ("pattern", "motifs"),
    "motif2": ("other",),
    "second": ("other",),
    "spacing": ("distances",),
    "conf_level": ("ci_prob",),
    "confidence_level": ("ci_prob",),
    "ci": ("ci_prob",),
    "level": ("ci_prob",),
    "equivalence": ("rope",),
    "margin": ("rope",),
    "sesoi": ("rope",),
    "baseline": ("control",),
    "ref": ("control",),
    "cuda": ("device",),
    "gpu": ("device",),
    "models": ("predictors",),
    "pwm": ("probabilities", "what"),
    "reps": ("n_trials", "n_replicates"),
    "n_reps": ("n_replicates", "n_trials"),
    "data": ("frame", "dataset", "estimates"),
    "df": ("frame", "dataset", "estimates", "table"),
    "y": ("outcome",),
    "summit": ("center",),
    "design": ("side_table",),
    "min_count": ("min_dna",),
    "min_counts": ("min_dna",),
    "min_reads": ("min_dna",),
    "kind": ("name",),
    "L": ("length",),
    "kmer": ("k", "motifs"),
    "kmer_size": ("k",),
    "target": ("tasks", "task"),
    "targets": ("tasks",),
    "power": ("assurance",),
    "barcodes": ("barcodes_per_oligo",),
}
_VALUES_BY_OTHER_WORDS = {
    "benjamini-hochberg": "bh",
    "benjamini_hochberg": "bh",
    "fdr_bh": "bh",
    "fdr": "bh",
    "benjamini-yekutieli": "by",
    "benjamini_yekutieli": "by",
    "fdr_by": "by",
    "holm-bonferroni": "holm",
    "qvalue": "storey",
    "gaussian": "normal",
    "t": "student_t",
    "spike_slab": "spike_and_slab",
    "deepshap": "deeplift",
    "deepliftshap": "deeplift",
    "deep_lift_shap": "deeplift",
    "saliency": "gradient",
    "input_x_gradient": "gradient",
    "gradient_x_input": "gradient",
    "gradientxinput": "gradient",
    "ig": "integrated_gradients",
    "gradientshap": "expected_gradients",
    "gradient_shap": "expected_gradients",
    "mutagenesis": "ism",
    "in_silico_mutagenesis": "ism",
    "saturation_mutagenesis": "ism",
}
"""Methods of adjustment and of maps, and laws, as other packages call them."""
_NUMBERS_BEGIN = ("n_", "num_", "min_", "max_")
_LEAST_RATIO_OF_KEYS = 0.7
_LETTERS_IN_COMMON = 3


def nearest_key(key: str, known: Iterable[str], *, then: str = "") -> str:
    """Return a hint with the known key that has the meaning of another word, else with
    the nearest, else an empty text; `then` follows in either case.

    Examples
    --------
    >>> (
    ...     nearest_key("seed", ["rng", "reserve"]),
    ...     nearest_key("reserv", ["rng", "reserve"]),
    ... )
    ("; did you mean 'rng'?", "; did you mean 'reserve'?")
    """
    names = list(known)
    meant = []
    if not new_name(key, names):
        meant = [one for one in _KEYS_BY_OTHER_WORDS.get(key, ()) if one in names]
        names = meant or [one for one in names if _may_be_meant(key, one)]
    return nearest(meant[0] if meant else key, names, cutoff=0.6, then=then)


def _may_be_meant(key: str, known: str) -> bool:
    """Return whether a key that is spelled like another may stand for it: a number for a
    number only, and neither for words that share some letters by chance.

    Examples
    --------
    >>> _may_be_meant("n_motifs", "motifs"), _may_be_meant("counts", "n_units")
    (False, False)
    >>> _may_be_meant("distance", "distances"), _may_be_meant("rgn", "rng")
    (True, True)
    """
    if key.startswith(_NUMBERS_BEGIN) and not known.startswith(_NUMBERS_BEGIN):
        return False
    name, other = known.casefold(), key.casefold()
    alike = difflib.SequenceMatcher(None, name, other).ratio()
    part = len(other) > _LETTERS_IN_COMMON and other in name
    return (
        alike >= _LEAST_RATIO_OF_KEYS
        or part
        or sorted(name) == sorted(other)
        or name[:_LETTERS_IN_COMMON] == other[:_LETTERS_IN_COMMON]
    )


def check_keys(plain: Table, place: str, known: Iterable[str]) -> None:
    """Raise DesignError if a table has an unknown key."""
    names = list(known)
    for key in plain:
        if key not in names:
            where = (
                f"{place} has no key '{key}'"
                if place
                else f"there is no key '{key}' at the top"
            )
            raise DesignError(
                where + (nearest_key(key, names) or f"; it takes {', '.join(names)}")
            )


def shown(value: object) -> str:
    """Return a value as quoted in messages: escaped, and shortened if long."""
    return quoted(value)


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


def first_of(
    texts: Iterable[str],
    most: int,
    *,
    sep: str = ", ",
    n: int | None = None,
    thing: str = "",
) -> str:
    """Return the first texts of a list, and how many more there are; `n` is the number of
    all where only the first are given.

    Examples
    --------
    >>> first_of(["GATA1", "CTCF", "TAL1"], 2)
    'GATA1, CTCF and 1 more'
    >>> first_of(["GATA1", "CTCF"], 2)
    'GATA1, CTCF'
    >>> first_of(["a is 1", "b is 2"], 2, sep="; ", n=1_002, thing="task")
    'a is 1; b is 2; and 1,000 more tasks'
    """
    listed = list(texts)
    shown = listed[:most]
    left = (len(listed) if n is None else n) - len(shown)
    if left <= 0:
        return sep.join(shown)
    things = thing and f" {thing}{'s' * (left > 1)}"
    return f"{sep.join(shown)}{';' * (sep == '; ')} and {left:,} more{things}"


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


def without_point(value: object, is_valid: Callable[[Any], bool]) -> object:
    """Return the whole number that is written with a point, if it is accepted: the
    example of an error.

    Examples
    --------
    >>> without_point(7.0, is_count), without_point(7.5, is_count)
    (7, NOT_GIVEN)
    """
    if isinstance(value, float) and value.is_integer() and is_valid(int(value)):
        return int(value)
    return NOT_GIVEN


def as_count(value: object, name: str, *, least: int = 1) -> int:
    """Return `value` as an int of at least 1, or raise DesignError; a ``length`` is
    below 2^32. `least` is the smallest number that the message offers, where the caller
    refuses smaller ones itself.
    """
    most = 32 if name == "length" else 48
    if not is_whole(value) or not 1 <= value < 2**most:
        raise DesignError(
            argument=name,
            value=value,
            need=f"must be a whole number of at least {least} (and below 2^{most})",
            example=without_point(value, lambda x: least <= x < 2**most),
        )
    return int(value)


def as_position(value: object, name: str) -> int:
    """Return `value` as a 0-based position, or raise DesignError naming it."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise DesignError(
            argument=name,
            value=value,
            need="must be a whole number: a 0-based position",
            example=without_point(value, lambda x: x >= 0),
        )
    if int(value) < 0:
        raise DesignError(
            argument=name,
            value=value,
            need="is negative",
            cure="positions are counted from 0 at the left end",
        )
    if int(value) >= 2**48:
        raise DesignError(
            argument=name,
            value=value,
            need="is beyond any sequence",
            cure="positions are below 2^48",
        )
    return int(value)


def as_span(value: object) -> Span:
    """Return `value` as (start, stop), stop excluded, or raise DesignError."""
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
            argument=name,
            value=value,
            need="must be a share: a number of 0 or more and below 1",
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
    causalgia.errors.PredictorError: recovery=1.5 must be a number between 0 and 1; 0.25 is 25 per cent
    """
    if not is_real(value) or not math.isfinite(value) or not least <= value <= most:
        limits = (
            f"of at least {least:g}"
            if most == math.inf
            else f"between {least:g} and {most:g}"
        )
        number = "finite number" if least == -math.inf else f"number {limits}"
        hint = "; 0.25 is 25 per cent" if (least, most) == (0, 1) else ""
        raise error(argument=name, value=value, need=f"must be a {number}{hint}")
    return float(value)


def as_positive(
    value: object, name: str, *, error: type[CausalgiaError] = PredictorError
) -> float:
    """Return a finite number above 0, or raise `error` naming it."""
    number = as_number(value, name, error=error)
    if number <= 0:
        raise error(argument=name, value=value, need="must be above 0")
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
        place, _, argument = name.rpartition(": ")
        raise error(
            places=(place,) if place else (),
            argument=argument,
            value=value,
            need=f"must be a whole number of at least {least} (and below 2^48)",
            example=without_point(value, lambda x: least <= x < 2**48),
        )
    return int(value)


_LEAST_ERROR = 1e-15
"""Smallest error of an interval: of half of it, a float still tells 1 less from 1."""


def as_ci_prob(
    ci_prob: Any,
    *,
    places: tuple[str, ...] = (),
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
    causalgia.errors.EstimateError: ci_prob=95 is not a number from 0.5 to below 1; for example ci_prob=0.95
    """
    if is_real(ci_prob) and _LEAST_ERROR < ci_prob < 0.5:
        raise error(
            places=places,
            argument="ci_prob",
            value=ci_prob,
            need="is below 0.5",
            cure=(
                "it is the probability of the interval, not its error: give ",
                Setting("ci_prob", ShortNumber(1 - ci_prob)),
            ),
        )
    if is_real(ci_prob) and 1 - _LEAST_ERROR < float(ci_prob) <= 1 and ci_prob < 1:
        raise error(
            places=places,
            argument="ci_prob",
            value=ci_prob,
            need=f"is within {_LEAST_ERROR:g} of 1, where intervals have no ends",
            example=0.999,
        )
    if not is_real(ci_prob) or not 0.5 <= ci_prob < 1:
        raise error(
            places=places,
            argument="ci_prob",
            value=ci_prob,
            need="is not a number from 0.5 to below 1",
            example=0.95,
        )
    return float(ci_prob)


def as_probability(
    value: object,
    name: str,
    *,
    example: float = 0.05,
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
    causalgia.errors.EstimateError: alpha=5 is not between 0 and 1; for example alpha=0.05
    """
    if not is_real(value) or not 0 < float(value) < 1:
        raise error(
            argument=name, value=value, need="is not between 0 and 1", example=example
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
            argument=name,
            value=value,
            need=f": give {what} as text, or a list of texts",
            cure="() for none",
        )
    found = tuple(found)
    for one in found:
        if not isinstance(one, str) or not one:
            raise error(
                argument=name,
                need=f"has {quoted(one)}, which is not text",
                cure=f"give {what} as text, or a list of texts",
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
