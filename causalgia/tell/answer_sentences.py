"""The answer of effects in sentences that a reader would say to a colleague: what has
an effect and of what size, what is negligible, what the data do not decide.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from causalgia.attributes import about
from causalgia.checks import four_digits, in_list
from causalgia.choices import NEGLIGIBLE, VERDICT_WORDS
from causalgia.errors import printable
from causalgia.tell.folded_text import cut
from causalgia.tell.table_formats import (
    format_effect,
    is_large,
)
from causalgia.tell.verdict_sentences import (
    is_decided,
    noun_of_region,
    region_of,
    why_undecided,
)

_NAMED = 3
"""Contrasts, at most, that are named with their numbers."""
_OF_SIZE = ("ace", "se", "lower", "upper", "rope_lower", "rope_upper")
_SHRUNKEN = {"ace": "", "lower": "_lower", "upper": "_upper"}


def answer_sentences(
    effects: xr.Dataset, table: Sequence[Mapping[str, Any]], *, scale: str
) -> list[str]:
    """Return the answer of estimates or decisions: directions, the largest first, then
    what is negligible, then what is undecided.

    Up to three effects of a kind are named with their numbers; of more the number and
    the largest.

    Parameters
    ----------
    effects
        Estimates or decisions.
    table
        Their `rows`.
    scale
        The scale of the effects in words.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.tell.effect_rows import rows_of
    >>> from causalgia.verdicts import decide
    >>> effects = from_effects([1.4, 0.0], se=[0.1, 0.01], names=["GATA1", "mutant"])
    >>> decided = decide(effects, rope=(-0.1, 0.1))
    >>> for line in answer_sentences(decided, rows_of(decided), scale="log counts"):
    ...     print(line)
    GATA1: 1.40 [1.20, 1.60], beyond ±0.1.
    mutant is negligible.
    """
    rows = [row for row in table if not row["is_placebo"]] or list(table)
    if "of_question" in effects.variables:  # helpers are no answer
        names = effects["contrast"].to_numpy()[effects["of_question"].to_numpy()]
        asked = set(names.astype(str).tolist())
        rows = [row for row in rows if row["contrast"] in asked] or rows
    several = [d for d in ("task", "model") if effects.sizes.get(d, 1) > 1]
    large = any(map(is_large, rows))  # one notation, as in the table
    telling = _Telling(rows, several, effects.attrs, scale, large)
    parts = telling.verdicts() if is_decided(effects) else telling.estimates()
    return [printable(part) for part in parts if part]


def in_words(names: Sequence[str]) -> str:
    """Return "a, b and c", with quotes where a name has a comma or " and ".

    Examples
    --------
    >>> in_words(["GATA1", "CTCF"]), in_words(["GATA1, core broken", "CTCF"])
    ('GATA1 and CTCF', "'GATA1, core broken' and CTCF")
    """
    parts = [
        f"'{name}'" if len(names) > 1 and ("," in name or " and " in name) else name
        for name in map(cut, names)
    ]
    return in_list(parts)


def size_in_words(row: Mapping[str, Any], *, scientific: bool = False) -> str:
    """Return an effect with its interval to three digits of the effect, where they tell
    the limits apart.

    Examples
    --------
    >>> size_in_words({"ace": 1.0588, "se": 0.004, "lower": 1.0503, "upper": 1.0671})
    '1.06 [1.05, 1.07]'
    """
    return " ".join(part for part in _size_parts(row, scientific) if part)


def _size_parts(row: Mapping[str, Any], scientific: bool) -> tuple[str, str]:
    """Return an effect and its interval."""
    numbers, size = {x: row[x] for x in _OF_SIZE if x in row}, abs(row["ace"])
    if 0 < size < math.inf and not scientific:
        three_digits = 10.0 ** (math.floor(math.log10(size)) - 1)
        rough = numbers | {"se": max(numbers.get("se") or 0.0, three_digits)}
        ace, interval = format_effect(rough)
        limits = interval.strip("[]()").split(", ")
        if len(limits) == 2 and ace not in limits and limits[0] != limits[1]:
            return ace, interval
    return format_effect(numbers, scientific=scientific)


def _even(low: float, high: float, null: float) -> bool:
    """Return whether a region ends as far from no effect on one side as on the other, or
    half or twice as far: an effect inside is then small on either.
    """
    ratios = null == 1 and low > 0
    sides = (1 / low, high) if ratios else (null - low, high - null)
    return 2 * min(sides) >= max(sides)


def _turned(row: Mapping[str, float]) -> dict[str, float]:
    """Return the numbers of a row with the other sign."""
    ends = {"lower": "upper", "upper": "lower"}
    ends |= {f"rope_{one}": f"rope_{other}" for one, other in ends.items()}
    return {x: row[x] if x == "se" else -row[ends.get(x, x)] for x in row}


def region_words(
    rows: Sequence[Mapping[str, Any]], attrs: Mapping[Any, Any], kind: str
) -> str:
    """Return where effects lie: "beyond ±0.1", "within ±0.1", "above 0".

    Parameters
    ----------
    rows
        The rows of one sentence, with ``rope_lower, rope_upper``.
    attrs
        Those of the decisions.
    kind
        "beyond", "above", "below" or "within".

    Examples
    --------
    >>> region_words([{"rope_lower": -0.1, "rope_upper": 0.1}], {}, "beyond")
    'beyond ±0.1'
    >>> region_words([{"rope_lower": 0.0, "rope_upper": 0.0}], {}, "above")
    'above 0'
    >>> region_words([{"rope_lower": 0.0, "rope_upper": 0.0}], {}, "beyond")
    'clear of 0'
    >>> one_sided = [{"rope_lower": -math.inf, "rope_upper": 0.5}]
    >>> region_words(one_sided, {}, "above"), region_words(one_sided, {}, "within")
    ('above 0.5', 'not above 0.5')
    """
    noun = noun_of_region(attrs)
    named = noun != "the ROPE"
    ends = {(row["rope_lower"], row["rope_upper"]) for row in rows}
    texts = {region_of(*each) for each in ends}
    if len(texts) > 1:
        return f"{kind} {noun if named else 'the ROPE of the task'}"
    low, high = next(iter(ends))
    if math.isinf(high - low):
        side, end = ("above", high) if math.isinf(low) else ("below", low)
        return f"{'not ' * (kind == 'within')}{side} {four_digits(end)}"
    if low == high:
        where = {"beyond": "clear of", "within": "at"}.get(kind, kind)
        return f"{where} {four_digits(high)}"
    (text,) = texts
    if named:
        return f"{kind} {noun} ({text})"
    if kind == "within":
        return f"within {text}"
    if low == -high or kind == "beyond":
        return f"beyond {text}"
    return f"{kind} {four_digits(high if kind == 'above' else low)}"


@dataclass(frozen=True)
class _Telling:
    """Rows of one answer, and what all its sentences need to know."""

    rows: list[Mapping[str, Any]]
    several: list[str]
    attrs: Mapping[Any, Any]
    scale: str
    scientific: bool

    def verdicts(self) -> list[str]:
        """Return the answer of decisions."""
        by_side: dict[int | None, list[Mapping[str, Any]]] = {}
        for row in self.rows:
            side = VERDICT_WORDS[row["verdict"]].side
            by_side.setdefault(side and abs(side), []).append(row)
        found = sorted(by_side.get(1, []), key=lambda row: -self._distance(row))
        inside, undecided = by_side.get(0, []), by_side.get(None, [])
        return [
            self._directions(found),
            self._inside(inside, found),
            self._undecided(undecided),
        ]

    def _distance(self, row: Mapping[str, Any]) -> float:
        """Return the distance from no effect, of the shrunken effect where there is
        one.
        """
        shrunken = row.get("shrunken", math.nan)
        size = row["ace"] if math.isnan(shrunken) else shrunken
        return float(abs(size - float(about(self.attrs, 0.0).null_value)))

    def _place(self, row: Mapping[str, Any]) -> str:
        """Return " in HepG2" where there are several tasks or models."""
        return "".join(f" in {cut(str(row[name]))}" for name in self.several)

    def _name(self, row: Mapping[str, Any]) -> str:
        return f"{cut(row['contrast'])}{self._place(row)}"

    def _size(self, row: Mapping[str, Any], *, turned: bool = False) -> str:
        """Return the size of a row, and the shrunken one where there is one; `turned`:
        without the sign, which the verb says.
        """
        names = ("lower", "upper", "rope_lower", "rope_upper")
        shown = {x: row[x] for x in ("ace", "se", *names) if x in row}
        alone = {x: row.get(f"shrunken{of}", math.nan) for x, of in _SHRUNKEN.items()}
        if turned:
            shown, alone = _turned(shown), _turned(alone)
        text = size_in_words(shown, scientific=self.scientific)
        if math.isnan(alone["ace"]):
            return text
        return f"{text}, shrunken {_size_parts(alone, self.scientific)[0]}"

    def _noun(self) -> str:
        """Return "30 effects (15 contrasts in 2 tasks)": what the answer ranges over."""
        n = len({row["contrast"] for row in self.rows})
        contrasts = f"{n:,} contrast{'s' * (n != 1)}"
        if not self.several:
            return contrasts
        places = len({tuple(row[name] for name in self.several) for row in self.rows})
        levels = "combinations of task and model"
        levels = "tasks" if self.several == ["task"] else levels
        return f"{len(self.rows):,} effects ({contrasts} in {places:,} {levels})"

    def _directions(self, found: list[Mapping[str, Any]]) -> str:
        """Return what lies beyond its region: each contrast of few, else how many and
        the largest.
        """
        if not found:
            return ""
        by_name: dict[str, list[Mapping[str, Any]]] = {}
        for row in found:
            by_name.setdefault(row["contrast"], []).append(row)
        if len(by_name) <= _NAMED and len(found) <= 2 * _NAMED:
            return " ".join(map(self._one_contrast, by_name.values()))
        clauses = list[str]()
        for verdict, group in _by_verdict(found).items():
            word, one, top = VERDICT_WORDS[verdict], len(group) == 1, group[0]
            does = f"is {word.noun}" if one else f"are {word.nouns}"
            if self._of_arms:
                does = f"{word.verb if one else word.plural} {self.scale}"
            largest = f"{'' if one else 'the largest '}{self._name(top)}"
            clauses.append(f"{len(group):,} {does} ({largest}: {self._size(top)})")
        return f"Of {self._noun()}, {in_list(clauses)}, {self._where(found)}."

    def _where(self, found: list[Mapping[str, Any]]) -> str:
        sides = {VERDICT_WORDS[row["verdict"]].side for row in found}
        side = {1: "above", -1: "below"}.get(sum(x or 0 for x in sides), "beyond")
        return region_words(found, self.attrs, side)

    @property
    def _of_arms(self) -> bool:
        """Whether each contrast is an arm minus the control, of which "raises" is
        said.
        """
        here = about(self.attrs, None)
        return bool(here.control) and here.transform != "ratio"

    def _one_contrast(self, found: list[Mapping[str, Any]]) -> str:
        """Return one contrast with its sizes: "GATA1 raises log2 activity by 1.06 [1.05,
        1.07] in K562, beyond ±0.1.".
        """
        name, where = cut(found[0]["contrast"]), self._where(found)
        if not self._of_arms:
            sizes = in_list([f"{self._size(row)}{self._place(row)}" for row in found])
            return f"{name}: {sizes}, {where}."
        clauses = list[str]()
        for verdict, group in _by_verdict(found).items():
            word = VERDICT_WORDS[verdict]
            sizes = in_list(
                [
                    f"by {self._size(row, turned=word.side == -1)}{self._place(row)}"
                    for row in group
                ]
            )
            clauses.append(f"{word.verb} {'it' if clauses else self.scale} {sizes}")
        return f"{name} {in_list(clauses)}, {where}."

    def _names(self, found: list[Mapping[str, Any]]) -> tuple[str, int]:
        """Return the contrasts of these rows in words, with the places of those that
        have not all of their rows among them, and their number.
        """
        total = Counter(row["contrast"] for row in self.rows)
        places: dict[str, list[str]] = {}
        for row in found:
            levels = [cut(str(row[name])) for name in self.several]
            places.setdefault(row["contrast"], []).append(", ".join(levels))
        whole = [n for n, of in places.items() if not of[0] or len(of) == total[n]]
        many = "{:,} of {:,} tasks" if self.several == ["task"] else "{:,} of {:,} rows"
        parts = [
            f"{in_words([name])} in "
            f"{in_list(of) if len(of) <= _NAMED else many.format(len(of), total[name])}"
            for name, of in places.items()
            if name not in whole
        ]
        if not parts:
            return in_words(whole), len(places)
        named = [*parts, *([in_words(whole)] if whole else [])]
        alone = len(named) <= 2 and not any(" and " in part for part in named)
        return in_list(named) if alone else "; ".join(named), len(places)

    def _inside(
        self, found: list[Mapping[str, Any]], before: list[Mapping[str, Any]]
    ) -> str:
        """Return what is inside its region, with the region where the sentence before
        has not named it.
        """
        if not found:
            return ""
        word, where = found[0]["verdict"], region_words(found, self.attrs, "within")
        state = where
        regions = {(row["rope_lower"], row["rope_upper"]) for row in (*found, *before)}
        if word == NEGLIGIBLE and not math.isinf(
            found[0]["rope_upper"] - found[0]["rope_lower"]
        ):
            known = before and len(regions) == 1
            null = float(about(self.attrs, 0.0).null_value)
            if all(_even(*ends, null) for ends in regions):
                state = word if known else f"{word}, {where}"
        names, n = self._names(found)
        if n <= _NAMED:
            return f"{names} {'is' if n == 1 else 'are'} {state}."
        if len(found) == len(self.rows):
            return f"All {self._noun()} are {state}."
        return f"{len(found):,} are {state}."

    def _undecided(self, found: list[Mapping[str, Any]]) -> str:
        if not found:
            return ""
        names, n = self._names(found)
        if len(found) == len(self.rows) > 1:
            return f"The data decide about none of {self._noun()}."
        if n > _NAMED:
            groups = _by_verdict(found).items()
            counts = [
                f"{len(of):,} {VERDICT_WORDS[x].does(len(of))}" for x, of in groups
            ]
            return f"{in_list(counts)}."
        why = ""
        if len(found) == 1:
            size = size_in_words(found[0], scientific=self.scientific)
            why = f" ({size}{why_undecided(found[0], self.attrs)})"
        return f"The data do not decide about {names}{why}."

    def estimates(self) -> list[str]:
        """Return the sizes of up to three effects, of more the largest."""
        null = float(about(self.attrs, 0.0).null_value)
        known = [row for row in self.rows if math.isfinite(row["ace"])]
        if not known:
            return []
        known.sort(key=lambda row: -abs(row["ace"] - null))
        sizes = [
            f"{self._name(row)}: {size_in_words(row, scientific=self.scientific)}"
            for row in known
        ]
        if len(self.rows) <= _NAMED:
            return [f"Effect on {self.scale} of {'; of '.join(sizes)}."]
        return [
            f"The largest of {self._noun()} is {sizes[0]} on "
            f"{self.scale or 'its scale'}."
        ]


def _by_verdict(
    found: list[Mapping[str, Any]],
) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rows of each verdict, in the order of the table of words."""
    groups = {
        word: [row for row in found if row["verdict"] == word] for word in VERDICT_WORDS
    }
    return {word: group for word, group in groups.items() if group}
