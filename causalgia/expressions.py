"""Linear hypotheses such as ``"2*a - b = 0.5"`` over names of arms or contrasts, read by
Python's own parser.

A name is a word of letters, digits, dots and underscores that does not begin with a
digit, such words joined by colons (``DNASE:K562``), or any text in backticks or quotes.
Among contrasts ``b2`` is the second, unless another has that name. Expressions must be
linear in the names.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import combinations, pairwise
from numbers import Real
from typing import Any, TypeAlias

from causalgia.checks import as_names, is_not_among, is_real, nearest
from causalgia.errors import DesignError, EstimateError, first_of, quoted

Terms: TypeAlias = dict[str, float]
KEYWORDS = ("pairwise", "reference", "sequential")
EMPTY_NAME = "a contrast has an empty name; give each a name, by which it is printed"
_LONGEST_EXPRESSION = 10_000
_MOST_PAIRED = 200  # names; their 19,900 pairs are dense rows of weights
_LONGEST_PATTERN = 10_000
_WILD = re.compile(r"[*?]|\[[^\]]+\]")
_SPACED_SIGN = re.compile(r"\s[-+*/=]+\s")
_MULTIPLE = re.compile(r"\s*[\d.]+\s*\*")
_WORD = re.compile(r"[^\W\d][\w.]*(?::[\w.]+)*")
_NAME = re.compile(
    r"`([^`]*)`|\"([^\"]*)\"|'([^']*)'|(?<![\w.])([^\W\d][\w.]*(?::[\w.]+)*)"
)


@dataclass(frozen=True)
class Linear:
    """A linear combination of names plus a constant.

    Attributes
    ----------
    terms
        Name -> its coefficient; 0 where a name cancels.
    constant
        The number.
    """

    terms: Terms
    constant: float

    def plus(self, other: Linear, times: float = 1.0) -> Linear:
        """Return this sum plus `times` the other."""
        names = dict.fromkeys([*self.terms, *other.terms])
        terms = {
            name: self.terms.get(name, 0.0) + times * other.terms.get(name, 0.0)
            for name in names
        }
        return Linear(terms, self.constant + times * other.constant)

    def scaled(self, by: float) -> Linear:
        """Return the sum times a number."""
        return Linear(
            {name: value * by for name, value in self.terms.items()}, self.constant * by
        )


def read_hypothesis(text: str, names: Sequence[str], *, of: str = "contrast") -> Linear:
    """Parse a hypothesis over known names; all terms are moved to the left side.

    Parameters
    ----------
    text
        For example ``"a - b = 0"``, ``"a = b"``, ``"(a + b)/2 = 0.5"``; without ``=``
        the right side is 0.
    names
        Known names.
    of
        What the names denote, for messages: ``"contrast"``, ``"arm"`` or ``"task"``.

    Returns
    -------
    Linear
        Left side minus right side.

    Raises
    ------
    EstimateError
        If the text is not linear in known names, contains no name, or has a nonfinite
        number.

    Examples
    --------
    >>> read_hypothesis("2*a - b = 0.5", ["a", "b"])
    Linear(terms={'a': 2.0, 'b': -1.0}, constant=-0.5)
    >>> read_hypothesis("`GATA1 + TAL1` = b1", ["GATA1", "GATA1 + TAL1"]).terms
    {'GATA1 + TAL1': 1.0, 'GATA1': -1.0}
    """
    plain, named = _with_stand_ins(text, of)
    of_stand_in = {key: _known(one, text, names, of) for key, one in named.items()}
    sides = plain.replace("==", "=").split("=")
    if len(sides) > 2:
        raise EstimateError(f"{_noun(of)} {quoted(text)}: it has two '='")
    try:
        left, *right = [
            _linear(ast.parse(side.strip(), mode="eval").body) for side in sides
        ]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise EstimateError(
            f"{_noun(of)} {quoted(text)}: not a weighted sum of names, such as "
            f"{quoted(_example(names, of))}; a name of other letters stands in backticks"
        ) from error
    whole = left.plus(right[0], -1.0) if right else left
    found = Linear({}, whole.constant)
    for key, value in whole.terms.items():
        found = found.plus(Linear({of_stand_in[key]: value}, 0.0))
    if not all(map(math.isfinite, [*found.terms.values(), found.constant])):
        raise EstimateError(
            f"{_noun(of)} {quoted(text)} has a number that is not finite; weights of "
            "size 1 say the same"
        )
    if not any(found.terms.values()):
        what = f"every {of} in it cancels" if found.terms else f"it names no {of}"
        raise EstimateError(f"{_noun(of)} {quoted(text)}: {what}")
    return Linear(
        {name: value for name, value in found.terms.items() if value}, found.constant
    )


def names_in(text: str, *, of: str = "arm") -> list[str]:
    """Return the names in a hypothesis, known or not, in order of appearance.

    Examples
    --------
    >>> names_in("2 * `GATA1 x TAL1` - GATA1 = GATA1")
    ['GATA1 x TAL1', 'GATA1']
    """
    return list(dict.fromkeys(map(_unquoted, _with_stand_ins(text, of)[1].values())))


def differences(
    which: str, names: Sequence[str], *, of: str = "contrast"
) -> dict[str, Terms]:
    """Return the pairwise hypotheses of a keyword, each a later name minus an earlier
    one.

    ``"pairwise"`` is all pairs, ``"reference"`` each name minus the first,
    ``"sequential"`` each minus the one before.

    Raises
    ------
    EstimateError
        If there is only one name, or there are more than 200 to pair.

    Examples
    --------
    >>> list(differences("pairwise", ["a", "b", "c"]))
    ['b - a', 'c - a', 'c - b']
    """
    if len(names) < 2:
        raise EstimateError(
            f"{quoted(which)} compares {of}s, and there is one, {quoted(names[0])}"
        )
    if which == "pairwise" and len(names) > _MOST_PAIRED:
        raise EstimateError(
            f"'pairwise' of {len(names):,} {of}s is "
            f"{len(names) * (len(names) - 1) // 2:,} differences; up to {_MOST_PAIRED} "
            f"{of}s are paired: name those that you compare, "
            f"{quoted(_example(names, of))}, or say 'reference' (each minus the first, "
            f"{quoted(names[0])})"
        )
    pairs = {
        "pairwise": list(combinations(names, 2)),
        "reference": [(names[0], name) for name in names[1:]],
        "sequential": list(pairwise(names)),
    }[which]
    return {
        f"{backticked(later)} - {backticked(earlier)}": {later: 1.0, earlier: -1.0}
        for earlier, later in pairs
    }


def backticked(name: str) -> str:
    """Return a name as written in a hypothesis: in backticks if it is not one word.

    Examples
    --------
    >>> backticked("GATA1"), backticked("GATA1 x TAL1")
    ('GATA1', '`GATA1 x TAL1`')
    """
    if _WORD.fullmatch(name):
        return name
    mark = next((m for m in "`\"'" if m not in name), "`")
    return f"{mark}{name}{mark}"


def hypothesis_name(text: str) -> str:
    """Return a hypothesis with single spaces, used as the name of its contrast.

    Examples
    --------
    >>> hypothesis_name(" a  - b = 0 ")
    'a - b = 0'
    """
    return " ".join(text.split())


def name_alone(text: str) -> str:
    """Return the name in a text that is one name in backticks; other texts as
    `hypothesis_name` gives them.

    Examples
    --------
    >>> name_alone("`Cortex - Brain`"), name_alone("`a b` - `c d`")
    ('Cortex - Brain', '`a b` - `c d`')
    """
    return (
        text.strip()[1:-1]
        if re.fullmatch(r"\s*`[^`]+`\s*", text)
        else hypothesis_name(text)
    )


def unpacked_contrasts(value: Any) -> Any:
    """Return several texts, in any form in which names are given, as a list of them,
    and weights by contrast, as a table or in pairs, as mappings; other values
    unchanged.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> unpacked_contrasts(np.array(["K562", "HepG2"])), unpacked_contrasts("K562")
    (['K562', 'HepG2'], 'K562')
    >>> unpacked_contrasts(pd.DataFrame({"d": {"K562": 1, "HepG2": -1}}))
    {'d': {'K562': 1, 'HepG2': -1}}
    >>> unpacked_contrasts((("d", (("K562", 1.0), ("HepG2", -1.0))),))
    {'d': {'K562': 1.0, 'HepG2': -1.0}}
    """
    if isinstance(value, str):
        return value
    if hasattr(value, "columns") and hasattr(value, "to_dict"):
        return value.to_dict()
    if names := as_names(value):
        return list(names)
    rows = _of_pairs(value)
    if not isinstance(rows, Mapping):
        return value
    return {name: _of_pairs(row) for name, row in rows.items()}


def _of_pairs(value: Any) -> Any:
    """Return pairs of a name and what it names, or a labeled column, as a mapping; other
    values unchanged.
    """
    if hasattr(value, "index") and hasattr(value, "to_dict"):
        return value.to_dict()
    in_pairs = isinstance(value, tuple | list) and all(
        isinstance(pair, tuple | list)
        and len(pair) == 2
        and isinstance(pair[0], str | Real)
        and not isinstance(pair[1], str)
        for pair in value
    )
    table = dict(value) if in_pairs else {}
    return table if table and len(table) == len(value) else value


def matched(pattern: str, known: Iterable[str]) -> list[str]:
    """Return the names that a pattern stands for: itself if it is a name, else those
    that it matches.

    Examples
    --------
    >>> (
    ...     matched("DNASE:*", ["DNASE:K562", "RNA:K562", "DNASE:HepG2"]),
    ...     matched("K5[6]2", ["K562", "K5[6]2"]),
    ... )
    (['DNASE:K562', 'DNASE:HepG2'], ['K5[6]2'])
    """
    known = list(known)
    if pattern in known:
        return [pattern]
    if len(pattern) > _LONGEST_PATTERN or not _WILD.search(pattern):
        return []
    return [name for name in known if fnmatchcase(name, pattern)]


def without_patterns(
    rows: Mapping[str, Mapping[str, float]], known: Sequence[str]
) -> dict[str, Terms]:
    """Return weights of names in place of patterns of them.

    A pattern by itself, of weight 1 and without another name, stands for each name that
    it matches; in a sum, or under a name, for the mean of those that the sum does not
    name itself.

    Raises
    ------
    EstimateError
        If a pattern matches nothing, or a sum cancels.

    Examples
    --------
    >>> known = ["DNASE:a", "DNASE:b", "RNA:a"]
    >>> without_patterns({"DNASE:*": {"DNASE:*": 1.0}}, known)
    {'DNASE:a': {'DNASE:a': 1.0}, 'DNASE:b': {'DNASE:b': 1.0}}
    >>> without_patterns({"open": {"DNASE:*": 1.0, "RNA:a": -1.0}}, known)
    {'open': {'DNASE:a': 0.5, 'DNASE:b': 0.5, 'RNA:a': -1.0}}
    >>> without_patterns({"a alone": {"DNASE:a": 1.0, "*": -1.0}}, known)
    {'a alone': {'DNASE:a': 1.0, 'DNASE:b': -0.5, 'RNA:a': -0.5}}
    """
    there = set(known)
    found: dict[str, Terms] = {}
    for name, row in rows.items():
        if there.issuperset(row):
            found[name] = dict(row)
            continue
        by_pattern = {pattern: matched(pattern, known) for pattern in row}
        for pattern, names in by_pattern.items():
            if not names:
                hint = nearest(
                    pattern,
                    known,
                    then=f"there are {first_of(map(quoted, known), 12)}",
                )
                raise EstimateError(
                    f"contrast of tasks {quoted(name)}: {quoted(pattern)} is the name "
                    f"or pattern of no task{hint}"
                )
        alone = next(iter(row))
        if row == {alone: 1.0} and hypothesis_name(alone) == hypothesis_name(
            name.strip("`\"'")
        ):
            found |= {one: {one: 1.0} for one in by_pattern[alone]}
            continue
        for pattern in [one for one in row if one not in there]:
            others = [name for name in by_pattern[pattern] if name not in row]
            if not others:
                raise EstimateError(
                    f"contrast of tasks {quoted(name)}: {quoted(pattern)} matches no "
                    "other task than those that the sum names itself; there are "
                    f"{', '.join(map(quoted, known[:12]))}"
                )
            by_pattern[pattern] = others
        terms: Terms = {}
        for pattern, weight in row.items():
            for one in by_pattern[pattern]:
                terms[one] = terms.get(one, 0.0) + weight / len(by_pattern[pattern])
        left = {
            one: weight
            for one, weight in terms.items()
            if abs(weight) > 1e-12 * sum(map(abs, row.values()))
        }
        if not left:
            raise EstimateError(
                f"contrast of tasks {quoted(name)}: its patterns match the same tasks, "
                "and all cancel"
            )
        found[name] = left
    return found


def is_pattern(text: str) -> bool:
    """Return whether a text that is no sum of names may be a pattern of them.

    Examples
    --------
    >>> (
    ...     is_pattern("DNASE:cell 1*"),
    ...     is_pattern("K562 * HepG2"),
    ...     is_pattern("`DNASE:*` - K562"),
    ... )
    (True, False, False)
    """
    is_sum = "`" in text or _SPACED_SIGN.search(text) or _MULTIPLE.match(text)
    return bool(_WILD.search(text)) and not is_sum


def check_distinct(rows: dict[str, Linear]) -> None:
    """Raise EstimateError if a hypothesis is a multiple of another, which would count
    twice in the family.

    Raises
    ------
    EstimateError
        With the names of both.

    Examples
    --------
    >>> check_distinct(
    ...     {"a": Linear({"a": 1, "b": -1}, 0), "b": Linear({"a": -1, "b": 1}, 0)}
    ... )
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: hypotheses 'a' and 'b' are one: ...
    """
    known: dict[tuple[tuple[str, str], ...], str] = {}
    for name, row in rows.items():
        terms = sorted((n, value) for n, value in row.terms.items() if value)
        first = terms[0][1]
        key = tuple(
            (n, f"{value / first + 0.0:.9g}")
            for n, value in [*terms, ("", row.constant or 0.0)]
        )
        if key in known:
            raise EstimateError(
                f"hypotheses {quoted(known[key])} and {quoted(name)} are one: the "
                "second is a multiple of the first, and would count twice in the family"
            )
        known[key] = name


def first_dependent(rows: Mapping[str, Mapping[str, float]]) -> str | None:
    """Return the first row of weights that is a weighted sum of rows before it; None if
    there is none.

    Examples
    --------
    >>> first_dependent(
    ...     {
    ...         "A - B": {"A": 1, "B": -1},
    ...         "B - C": {"B": 1, "C": -1},
    ...         "A - C": {"A": 1, "C": -1},
    ...     }
    ... )
    'A - C'
    """
    # a name -> a row with weight 1 there and 0 at the names before it
    basis: dict[str, Terms] = {}
    for name, row in rows.items():
        left = dict(row)
        for pivot, known in basis.items():
            if times := left.get(pivot, 0.0):
                for one, weight in known.items():
                    left[one] = left.get(one, 0.0) - times * weight
        left = {
            one: weight
            for one, weight in left.items()
            if abs(weight) > 1e-9 * sum(map(abs, row.values()))
        }
        if not left:
            return name
        pivot = max(left, key=lambda one: abs(left[one]))
        basis[pivot] = {one: weight / left[pivot] for one, weight in left.items()}
    return None


def _example(names: Sequence[str], of: str) -> str:
    shown = [backticked(name) for name in names[:2]] or ["A", "B"]
    if of == "task" and len(shown) > 1:
        return f"{shown[0]} - {shown[1]}"
    if of == "arm":  # whose weights sum to zero
        return f"{shown[0]} - {shown[1] if len(shown) > 1 else 'control'}"
    return f"{shown[0]} - {shown[1]} = 0" if len(shown) > 1 else f"{shown[0]} = 0"


def _noun(of: str) -> str:
    """Return the noun for a text over arms, tasks or contrasts."""
    return {"arm": "contrast", "task": "contrast of tasks"}.get(of, "hypothesis")


def _with_stand_ins(text: str, of: str) -> tuple[str, dict[str, str]]:
    """Return a text with a word of Python in place of each name, and what was there."""
    if len(text) > _LONGEST_EXPRESSION:
        raise EstimateError(f"a {_noun(of)} of {len(text):,} letters")
    named: dict[str, str] = {}

    def stand_in(found: re.Match[str]) -> str:
        named[key := f"_{len(named)}"] = found[0]
        return f" {key} "

    plain = _NAME.sub(stand_in, text.replace("\N{MINUS SIGN}", "-"))
    return " ".join(plain.split()), named


def _unquoted(there: str) -> str:
    return there[1:-1] if there[0] in "`\"'" else there


def _known(there: str, text: str, names: Sequence[str], of: str) -> str:
    """Return the name that a text has, which may be in quotes."""
    name = _unquoted(there)
    if name in names:
        return name
    position = re.fullmatch(r"b([1-9]\d{0,6})", there)
    if position and of == "contrast" and int(position[1]) <= len(names):
        return names[int(position[1]) - 1]
    if of == "task" and name != there and matched(name, names):
        return name
    raise EstimateError(
        f"{_noun(of)} {quoted(text[:200])}: {quoted(name)} {is_not_among(name, names, of)}"
    )


def _linear(node: ast.expr) -> Linear:
    """Return an expression as a sum of names; raises ValueError if it is none."""
    later: list[tuple[ast.expr, float]] = []
    while isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        later.append((node.right, 1.0 if isinstance(node.op, ast.Add) else -1.0))
        node = node.left
    if later:
        found = _linear(node)
        for one, sign in reversed(later):
            found = found.plus(_linear(one), sign)
        return found
    match node:
        case ast.Constant(value=int() | float() as value):
            return Linear({}, float(value))
        case ast.Name(id=name):
            return Linear({name: 1.0}, 0.0)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() as op, operand=one):
            return _linear(one).scaled(1.0 if isinstance(op, ast.UAdd) else -1.0)
        case ast.BinOp(left=a, op=ast.Mult(), right=b):
            first, second = _linear(a), _linear(b)
            if first.terms and second.terms:
                raise ValueError("a product of names")
            if first.terms:
                return first.scaled(second.constant)
            return second.scaled(first.constant)
        case ast.BinOp(left=a, op=ast.Div(), right=b):
            first, second = _linear(a), _linear(b)
            if second.terms or second.constant == 0:
                raise ValueError("a division by a name or by 0")
            terms = {k: v / second.constant for k, v in first.terms.items()}
            return Linear(terms, first.constant / second.constant)
    raise ValueError("only + - * / of names and numbers")


def fault_of_weights(
    weights: Any,
    *,
    of: str = "arm",
) -> str:
    """Return what is wrong with the weights of one contrast, whatever the names of arms
    (or tasks) are; nothing if they can be a contrast.

    Examples
    --------
    >>> fault_of_weights({"A": 1, "B": -0.5})
    ": the weights {'A': 1.0, 'B': -0.5} sum to 0.5; an effect needs weights that sum to 0"
    >>> fault_of_weights({"A": 1, "B": -1})
    ''
    """
    if not isinstance(weights, Mapping):
        return f" is {quoted(weights)}, not weights by {of}"
    for name, value in weights.items():
        if not is_real(value):
            return (
                f": the weight of {of} {quoted(name)} is {quoted(value)}, not a number"
            )
    w = {str(name): float(value) for name, value in weights.items()}
    size, total = sum(map(abs, w.values())), sum(w.values())
    if not math.isfinite(size):
        return f" has a weight that is not finite: {w}"
    if size == 0:
        return " has no weight other than 0"
    if any(not 1e-100 < abs(value) < 1e100 for value in w.values() if value):
        return f" has weights beyond 1e-100 to 1e100: {w}"
    if of != "task" and abs(total) > 1e-9 * size:
        return (
            f": the weights {w} sum to {total:g}; an effect needs weights that sum to 0"
        )
    return ""


def weights_in_text(value: Any, *, of: str = "arm") -> Any:
    """Return contrasts with text over arms (or tasks) parsed to weights by name; other
    values unchanged.

    Raises
    ------
    DesignError
        If a text is not a weighted sum of names, or is a keyword, which needs the names
        of all arms.

    Examples
    --------
    >>> weights_in_text("GATA1 - (mutant + scrambled) / 2")
    {'GATA1 - (mutant + scrambled) / 2': {'GATA1': 1.0, 'mutant': -0.5, 'scrambled': -0.5}}
    >>> weights_in_text("DNASE:*", of="task")
    {'DNASE:*': {'DNASE:*': 1.0}}
    """
    value = unpacked_contrasts(value)
    texts = [value] if isinstance(value, str) else value
    if (
        isinstance(texts, list | tuple)
        and texts
        and all(isinstance(text, str) for text in texts)
    ):
        names = [
            name_alone(text) if of == "task" else hypothesis_name(text)
            for text in texts
        ]
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise DesignError(f"Analysis: {named_twice(twice, of)}")
        value = dict(zip(names, texts, strict=True))
    if not isinstance(value, Mapping):
        return value
    rows = {
        name: _weights_in_hypothesis(row, of) if isinstance(row, str) else row
        for name, row in value.items()
    }
    if any(isinstance(row, str) for row in value.values()):
        sound = {
            name: Linear(row, 0.0)
            for name, row in rows.items()
            if not fault_of_weights(row, of=of)
        }
        try:
            check_distinct(sound)
        except EstimateError as error:
            raise DesignError(f"Analysis: {error}") from error
    return rows


def named_twice(name: str, of: str) -> EstimateError:
    """Return the error of a contrast of arms, tasks or models that is named twice."""
    return EstimateError(
        f"{('contrasts' if of == 'arm' else f'{of}s')} names {quoted(name)} twice; "
        "leave one out",
        argument="contrasts" if of == "arm" else f"{of}s",
    )


def weights_of_text(
    text: str, names: Sequence[str] | None = None, *, of: str = "arm"
) -> Terms:
    """Return the weights in a text over arms, tasks or models; without `names`, those
    that the text has are known.

    Raises
    ------
    EstimateError
        If the text is not a weighted sum of names, or has a right side other than 0.

    Examples
    --------
    >>> weights_of_text("GATA1 - (mutant + scrambled) / 2")
    {'GATA1': 1.0, 'mutant': -0.5, 'scrambled': -0.5}
    """
    if of == "task" and names and text in names:
        return {text: 1.0}  # a name alone, which may have spaces and signs
    try:
        known = names_in(text, of=of) if names is None else names
        found = read_hypothesis(text, known, of=of)
    except EstimateError:
        if of == "task" and is_pattern(text):
            return {text: 1.0}
        raise
    if found.constant:
        raise EstimateError(
            f"{_noun(of)} {quoted(text)}: {of}s are compared with each other, and the "
            "right side must be 0; a contrast is compared with a number by "
            "cg.estimation.hypotheses(effects, ...)"
        )
    return found.terms


def _weights_in_hypothesis(text: str, of: str) -> dict[str, float]:
    if text in KEYWORDS and of == "arm":
        raise DesignError(
            f"Analysis: contrasts={quoted(text)} takes all arms, which are not known "
            "to an analysis",
            argument="contrasts",
        )
    try:
        return weights_of_text(text, of=of)
    except EstimateError as error:
        raise DesignError(f"Analysis: {error}") from error


def two_kinds(
    contrasts: Iterable[tuple[str, Iterable[float]]],
) -> tuple[str, str] | None:
    """Return the names of two contrasts of different kinds, by their weights; None if
    all are of one kind.

    A simple effect (``+1, -1``) differs in kind from an interaction
    (``+1, -1, -1, +1``) and from a mean of arms.

    Parameters
    ----------
    contrasts
        Name and weights of each contrast; the order of the arms is irrelevant.

    Examples
    --------
    >>> two_kinds([("GATA1", [1, -1, 0]), ("TAL1", [0, -1, 1])])
    >>> two_kinds([("GATA1", [1, -1, 0]), ("both", [0.5, -1, 0.5])])
    ('GATA1', 'both')
    """
    kinds: dict[tuple[float, ...], str] = {}
    for name, weights in contrasts:
        kinds.setdefault(
            tuple(sorted(round(float(weight), 9) for weight in weights if weight)),
            str(name),
        )
        if len(kinds) > 1:
            first, second = kinds.values()
            return first, second
    return None
