"""The answer of effects in sentences that a reader would say to a colleague: what has
an effect and of what size, what is negligible, what the data do not decide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import xarray as xr

from causalgia.attributes import about, has
from causalgia.checks import four_digits, in_list
from causalgia.choices import DIRECTIONS
from causalgia.errors import printable
from causalgia.tell.effect_rows import Row
from causalgia.tell.folded_text import cut as cut, cut_apart as cut_apart
from causalgia.tell.table_formats import (
    format_effect,
    is_large,
)
from causalgia.tell.verdict_sentences import (
    is_decided,
    noun_of_region,
    why_undecided,
)

_TASKS_LISTED = 3


def answer_sentences(
    effects: xr.Dataset, table: Sequence[Row], *, scale: str
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
    >>> from causalgia.tell.effect_rows import rows
    >>> from causalgia.verdicts import decide
    >>> effects = from_effects([1.4, 0.0], se=[0.1, 0.01], names=["GATA1", "mutant"])
    >>> decided = decide(effects, rope=(-0.1, 0.1))
    >>> for line in answer_sentences(decided, rows(decided), scale="log counts"):
    ...     print(line)
    GATA1: 1.40 [1.20, 1.60], beyond ±0.1.
    mutant is negligible.
    """
    rows = [row for row in table if not row["is_placebo"]] or list(table)
    if "of_question" in effects.variables:  # helpers are no answer
        names = effects["contrast"].to_numpy()[effects["of_question"].to_numpy()]
        asked = set(names.astype(str).tolist())
        rows = [row for row in rows if row["contrast"] in asked] or rows
    large = any(map(is_large, rows))  # one notation, as in the table
    rows = [row | {"scientific": large} for row in rows]
    several = [d for d in ("task", "model") if effects.sizes.get(d, 1) > 1]
    if not is_decided(effects):
        return _estimates_in_words(rows, several, effects.attrs, scale)
    directions = [row for row in rows if row["verdict"] in DIRECTIONS]
    undecided = [row for row in rows if row["verdict"] == "undecided"]
    inside = [row for row in rows if row["verdict"] not in (*DIRECTIONS, "undecided")]
    null = float(about(effects, 0.0).null_value)
    directions.sort(key=lambda row: -_size(row, null))
    parts = [
        _directions_in_words(directions, rows, several, effects.attrs, scale),
        _negligible_in_words(inside, rows, several, effects.attrs, directions),
        _undecided_in_words(undecided, rows, several, effects.attrs),
    ]
    return [printable(part) for part in parts if part]


def _size(row: Row, null: float) -> float:
    """Return the distance from no effect, of the shrunken effect where there is one."""
    shrunken = row.get("shrunken", math.nan)
    return float(abs((row["ace"] if math.isnan(shrunken) else shrunken) - null))


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


def size_in_words(row: Mapping[str, Any]) -> str:
    """Return an effect with its interval to three digits of the effect, where they tell
    the limits apart; in scientific notation where the row has it as ``scientific``.

    Examples
    --------
    >>> size_in_words({"ace": 1.0588, "se": 0.004, "lower": 1.0503, "upper": 1.0671})
    '1.06 [1.05, 1.07]'
    """
    scientific = row.get("scientific", False)
    size = abs(row["ace"])
    if 0 < size < math.inf and not scientific:
        three_digits = 10.0 ** (math.floor(math.log10(size)) - 1)
        rough = {**row, "se": max(row.get("se") or 0.0, three_digits)}
        ace, interval = format_effect(rough)
        limits = interval.strip("[]()").split(", ")
        if len(limits) == 2 and ace not in limits and limits[0] != limits[1]:
            return f"{ace} {interval}"
    ace, interval = format_effect(row, scientific=scientific)
    return f"{ace} {interval}" if interval else ace


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
    ends = {(four_digits(r["rope_lower"]), four_digits(r["rope_upper"])) for r in rows}
    noun = noun_of_region(attrs)
    named = noun != "the ROPE"
    if len(ends) > 1:
        return f"{kind} {noun if named else 'the ROPE of the task'}"
    low, high = next(iter(ends))
    if "inf" in (low.lstrip("-"), high):
        side, end = ("above", high) if high != "inf" else ("below", low)
        return f"not {side} {end}" if kind == "within" else f"{side} {end}"
    symmetric = f"-{high}" == low
    if low == high:
        return {
            "above": f"above {high}",
            "below": f"below {low}",
            "beyond": f"clear of {high}",
        }.get(kind, f"at {high}")
    text = f"±{high}" if symmetric else f"{low} to {high}"
    if named:
        return f"{kind} {noun} ({text})"
    if not symmetric and kind in ("above", "below"):
        return f"{kind} {high if kind == 'above' else low}"
    if symmetric and kind in ("above", "below"):
        return f"beyond {text}"
    return f"{kind} {text}"


def _place(row: Row, several: Sequence[str]) -> str:
    """Return " in HepG2" where there are several tasks or models."""
    return "".join(f" in {cut(str(row[name]))}" for name in several)


def _of_arms(attrs: Mapping[Any, Any]) -> bool:
    """Return whether each contrast is an arm minus the control, of which "raises" is
    said.
    """
    return (
        bool(about(attrs, None).control)
        and not has(attrs).divergence
        and about(attrs, None).transform != "ratio"
    )


def _directions_in_words(
    found: list[Row],
    rows: list[Row],
    several: list[str],
    attrs: Mapping[Any, Any],
    scale: str,
) -> str:
    if not found:
        return ""
    names = list(dict.fromkeys(row["contrast"] for row in found))
    if len(names) > _TASKS_LISTED or len(found) > 2 * _TASKS_LISTED:
        return _many_directions(found, rows, several, attrs, scale)
    return " ".join(
        _one_direction(
            [row for row in found if row["contrast"] == name], several, attrs, scale
        )
        for name in names
    )


def _one_direction(
    found: list[Row], several: list[str], attrs: Mapping[Any, Any], scale: str
) -> str:
    """Return "GATA1 raises log2 activity by 1.06 [1.05, 1.07] in K562, beyond ±0.1."""
    name = cut(found[0]["contrast"])
    up, down = ([row for row in found if row["verdict"] == x] for x in DIRECTIONS)
    side = "beyond" if up and down else "above" if up else "below"
    where = region_words(found, attrs, side)
    if not _of_arms(attrs):
        sizes = in_list([f"{_size_beside(row)}{_place(row, several)}" for row in found])
        return f"{name}: {sizes}, {where}."
    clauses: list[str] = []
    for group, verb in ((up, "raises"), (down, "lowers")):
        if not group:
            continue
        sizes = in_list(
            [f"by {_size_beside(row, verb)}{_place(row, several)}" for row in group]
        )
        clauses.append(f"{verb} {'it' if clauses else scale} {sizes}")
    return f"{name} {in_list(clauses)}, {where}."


def _size_beside(row: Row, verb: str = "") -> str:
    """Return the size of a row, without its sign where the verb says it, with the
    shrunken one where there is one.
    """
    shown = row
    if verb == "lowers":
        turned: dict[str, Any] = {
            name: -value for name, value in row.items() if name in ("ace", "shrunken")
        }
        for name in ("", "rope_", "shrunken_"):
            one, other = f"{name}lower", f"{name}upper"
            if one in row:
                sides: dict[str, Any] = {**row}
                turned |= {one: -sides[other], other: -sides[one]}
        shown = cast("Row", {**row, **turned})
    text = size_in_words(shown)
    if math.isnan(row.get("shrunken", math.nan)):
        return text
    names = {"shrunken": "ace", "shrunken_lower": "lower", "shrunken_upper": "upper"}
    size = {name: shown[column] for column, name in names.items() if column in shown}
    size |= {"scientific": row.get("scientific", False)}
    return f"{text}, shrunken {size_in_words(size).partition(' ')[0]}"


def _many_directions(
    found: list[Row],
    rows: list[Row],
    several: list[str],
    attrs: Mapping[Any, Any],
    scale: str,
) -> str:
    """Return the number of directions each way, and the largest of each."""
    groups = {
        side: [row for row in found if row["verdict"] == verdict]
        for side, verdict in zip(("above", "below"), DIRECTIONS, strict=True)
    }
    groups = {side: group for side, group in groups.items() if group}
    where = region_words(
        found, attrs, next(iter(groups)) if len(groups) == 1 else "beyond"
    )
    of = _noun(rows, several)
    if _of_arms(attrs):
        clauses: list[str] = []
        for side, group in groups.items():
            verb = {"above": "raise", "below": "lower"}[side]
            verb += "s" if len(group) == 1 else ""
            what = "it" if clauses else f"{scale} {where}"
            clauses.append(f"{len(group):,} {verb} {what}{_largest(group, several)}")
        return f"Of {of}, {in_list(clauses)}."
    lie = "is named" if len(found) == 1 else "are named"
    if len(groups) == 1:
        return f"Of {of}, {len(found):,} {lie} {where}{_largest(found, several)}."
    parts = [
        f"{len(group):,} {side}{_largest(group, several)}"
        for side, group in groups.items()
    ]
    return f"Of {of}, {len(found):,} {lie} {where}: {in_list(parts)}."


def _largest(group: list[Row], several: list[str]) -> str:
    """Return the largest effect of a group, sorted by size, in parentheses."""
    top = group[0]
    which = "" if len(group) == 1 else "the largest "
    name = f"{cut(top['contrast'])}{_place(top, several)}"
    return f" ({which}{name}: {_size_beside(top)})"


def _noun(rows: list[Row], several: list[str]) -> str:
    contrasts = len({row["contrast"] for row in rows})
    if not several:
        return f"{contrasts:,} contrast{'s' if contrasts != 1 else ''}"
    tasks = len({tuple(row[name] for name in several) for row in rows})
    levels = "tasks" if several == ["task"] else "combinations of task and model"
    return f"{len(rows):,} effects ({contrasts:,} contrast{'s' * (contrasts != 1)} in {tasks:,} {levels})"


def _names_with_place(
    found: list[Row], rows: list[Row], several: list[str]
) -> list[str]:
    """Return the contrasts of these rows, with the place of those that have not all of
    their rows among them.
    """
    total: dict[str, int] = {}
    for row in rows:
        total[row["contrast"]] = total.get(row["contrast"], 0) + 1
    groups: dict[str, list[Row]] = {}
    for row in found:
        groups.setdefault(row["contrast"], []).append(row)
    names = []
    for name, group in groups.items():
        if not several or len(group) == total[name]:
            names.append(name)
        else:
            places = in_list([_place(row, several).strip() for row in group])
            names.append(f"{name} {places}")
    return names


def _negligible_in_words(
    found: list[Row],
    rows: list[Row],
    several: list[str],
    attrs: Mapping[Any, Any],
    before: list[Row],
) -> str:
    """Return what is negligible, with the region where the sentence before has none."""
    if not found:
        return ""
    word, where = found[0]["verdict"], region_words(found, attrs, "within")
    if (
        before
        and where.split()[1:] == region_words(before, attrs, "beyond").split()[1:]
    ):
        where = "" if word == "negligible" else where
    names = _names_with_place(found, rows, several)
    if len(found) == len(rows) and len(names) > _TASKS_LISTED:
        return f"All {_noun(rows, several)} are {_state(word, where)}."
    if len(names) > _TASKS_LISTED:
        are = "is" if len(found) == 1 else "are"
        return f"{len(found):,} {are} {_state(word, where)}."
    are = "is" if len(names) == 1 else "are"
    return f"{in_words(names)} {are} {_state(word, where)}."


def _state(word: str, where: str) -> str:
    if where.startswith("not "):  # a large effect on the other side is not negligible
        return where
    return ", ".join(x for x in (word, where) if x) if word == "negligible" else where


def _undecided_in_words(
    found: list[Row], rows: list[Row], several: list[str], attrs: Mapping[Any, Any]
) -> str:
    if not found:
        return ""
    names = _names_with_place(found, rows, several)
    if len(found) == len(rows) and len(found) > 1:
        return f"The data decide about none of {_noun(rows, several)}."
    if len(names) > _TASKS_LISTED:
        are = "is" if len(found) == 1 else "are"
        return f"{len(found):,} {are} undecided."
    why = ""
    if len(found) == 1:
        row = found[0]
        why = f" ({size_in_words(row)}{why_undecided(row, attrs)})"
    return f"The data do not decide about {in_words(names)}{why}."


def _estimates_in_words(
    rows: list[Row], several: list[str], attrs: Mapping[Any, Any], scale: str
) -> list[str]:
    """Return the sizes of up to three effects, of more the largest."""
    null = float(about(attrs, 0.0).null_value)
    known = [row for row in rows if math.isfinite(row["ace"])]
    if not known:
        return []
    if has(attrs).chosen:
        order = [f"{tile}, total" for tile in about(attrs).chosen.split(", ")]
        if found := _search_in_words(known, order, several, scale):
            return found
    known.sort(key=lambda row: -abs(row["ace"] - null))
    if len(rows) <= _TASKS_LISTED:
        parts = [
            f"of {cut(row['contrast'])}{_place(row, several)}: {size_in_words(row)}"
            for row in known
        ]
        return [printable(f"Effect on {scale} {'; '.join(parts)}.")]
    top = known[0]
    return [
        printable(
            f"The largest of {_noun(rows, several)} is {cut(top['contrast'])}"
            f"{_place(top, several)}: {size_in_words(top)} on {scale or 'its scale'}."
        )
    ]


def _search_in_words(
    rows: list[Row], order: list[str], several: list[str], scale: str
) -> list[str]:
    """Return what the tiles that a greedy search chose do together, and the first of
    them alone.
    """
    chosen = [row for row in rows if row["contrast"] in order]
    chosen.sort(key=lambda row: order.index(row["contrast"]))
    by_place: dict[str, list[Row]] = {}
    for row in chosen:
        by_place.setdefault(_place(row, several), []).append(row)
    lines = []
    for place, of_place in by_place.items():
        names = [cut(row["contrast"].removesuffix(", total")) for row in of_place]
        first, last = of_place[0], of_place[-1]
        line = f"Shuffling {names[0]} changes {scale}{place} by {size_in_words(first)}"
        if len(of_place) > 1:
            line += f"; shuffling {in_list(names)} together, by {size_in_words(last)}"
        lines.append(printable(f"{line}."))
    return lines[:_TASKS_LISTED]
