"""What a report notes of controls: another place or length than the treatment's, or the placebo of another word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from causalgia.design.arms import Arm
from causalgia.design.intervention import Intervention, Sequential
from causalgia.design.patterned import Patterned, Placebo, PlaceboWord

_NAMED, _GC = 3, 0.25


def notes_of_controls(pairs: list[Pair]) -> list[str]:
    """Return a sentence for each kind of difference between treatments and their controls, but for the question's.

    Examples
    --------
    >>> from causalgia.design import Embed
    >>> arms = {"p": Arm("p", Placebo("GATAAG", at=5)), "a": Arm("a", Embed("GATAAG", at=20))}
    >>> notes_of_controls(list(pairs_of({"a": {"a": 1.0, "p": -1.0}}, arms)))[0][:60]
    "'a' and its control 'p' differ in place (at 20 against 5); w"
    """
    return [*_mismatches(pairs), *_other_placebos(pairs), *_compositions(pairs)]


@dataclass(frozen=True)
class Pair:
    """A contrast of two arms that differ in one written pattern."""

    contrast: str
    treated: str
    control: str
    one: Patterned
    other: Patterned


def pairs_of(contrasts: Mapping[str, Mapping[str, float]], arms: Mapping[str, Arm]) -> Iterator[Pair]:
    """Return the contrasts of one arm minus one other that differ in one written pattern."""
    for contrast, weights in contrasts.items():
        plus = [name for name, weight in weights.items() if weight > 0]
        minus = [name for name, weight in weights.items() if weight < 0]
        if len(plus) != 1 or len(minus) != 1 or not {plus[0], minus[0]} <= arms.keys():
            continue
        one, other = _apart(arms[plus[0]].intervention, arms[minus[0]].intervention)
        if len(one) == len(other) == 1 and isinstance(one[0], Patterned) and isinstance(other[0], Patterned):
            yield Pair(contrast, plus[0], minus[0], one[0], other[0])


def steps_of(done: Intervention) -> tuple[Intervention, ...]:
    """Return what an arm does, one thing after the other; nothing where it is untreated."""
    return done.steps if isinstance(done, Sequential) else () if done.kind == "untreated" else (done,)


def _apart(one: Intervention, other: Intervention) -> tuple[list[Intervention], list[Intervention]]:
    """Return the steps that two arms do not share."""
    first, second = list(steps_of(one)), list(steps_of(other))
    for step in list(first):
        if step in second:
            first.remove(step)
            second.remove(step)
    return first, second


def _is_placebo(step: Patterned) -> bool:
    return isinstance(step, Placebo | PlaceboWord)


def _mismatches(pairs: list[Pair]) -> list[str]:
    """Note controls at another place, or of another length."""
    found = []
    for pair in pairs:
        one, other = pair.one, pair.other
        moved = one.at != other.at and not _same_word(one, other)
        what = [f"at {one.at} against {other.at}"] if moved else []
        what += [f"{one.width} bases against {other.width}"] if one.width != other.width else []
        if what:
            found.append(f"'{pair.treated}' and its control '{pair.control}' differ in {_kinds(moved, what)}")
    cure = "write both over the same bases, or part of the effect is of the place or the length and not of the word"
    return [f"{some_of(found)}; {cure}"] if found else []


def _same_word(one: Patterned, other: Patterned) -> bool:
    """Say whether place is the question: the same pattern, not a placebo of it."""
    return one.written == other.written and _is_placebo(one) == _is_placebo(other)


def _kinds(moved: bool, what: list[str]) -> str:
    kinds = [*(["place"] if moved else []), *(["length"] if len(what) > moved else [])]
    return f"{' and '.join(kinds)} ({', '.join(what)})"


def _other_placebos(pairs: list[Pair]) -> list[str]:
    """Note placebos that are rearrangements of another word, with the composition that differs."""
    found = []
    for pair in pairs:
        if _is_placebo(pair.other) and not _belongs(pair.one, pair.other):
            one, other = pair.one.written, pair.other.written
            share = f"GC {_gc(one.word):.2f} against {_gc(other.word):.2f}"
            found.append(
                f"the control '{pair.control}' of '{pair.treated}' rearranges {other.label}, not {one.label} ({share})"
            )
    cure = "a placebo of its own word keeps the composition: cg.Placebo of the same pattern at the same place"
    return [f"{some_of(found)}; {cure}"] if found else []


def _belongs(one: Patterned, placebo: Patterned) -> bool:
    """Say whether a placebo may be a rearrangement of what the other arm writes."""
    word, other = one.written, placebo.written
    if word == other:
        return True
    if word.random or other.random or not (isinstance(word.reads, str) and isinstance(other.reads, str)):
        return isinstance(placebo, PlaceboWord) and len(word) == len(other)  # of an instance that is not known here
    return sorted(word.reads) == sorted(other.reads)


def _compositions(pairs: list[Pair]) -> list[str]:
    """Note fixed words against fixed words of another composition, beyond what a changed base or two makes."""
    found = []
    for pair in pairs:
        one, other = pair.one.written, pair.other.written
        if _is_placebo(pair.other) or one.random or other.random or abs(_gc(one.word) - _gc(other.word)) <= _GC:
            continue
        share = f"GC {_gc(one.word):.2f} against {_gc(other.word):.2f}"
        found.append(f"'{pair.treated}' and its control '{pair.control}' differ in composition ({share})")
    cure = "part of the effect may be of the composition; cg.Placebo keeps that of the word"
    return [f"{some_of(found)}; {cure}"] if found else []


def _gc(word: str) -> float:
    return sum(letter in "GCS" for letter in word) / len(word)


def some_of(found: list[str], things: str = "contrasts") -> str:
    """Return the first of several findings, and how many more there are."""
    more = f"; and {len(found) - _NAMED} more {things}" if len(found) > _NAMED else ""
    return "; ".join(found[:_NAMED]) + more
