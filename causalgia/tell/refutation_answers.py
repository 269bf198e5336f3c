"""The checks of a claim as text: whether one refutes it, and a line for each."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr

from causalgia.attributes import about
from causalgia.checks import four_digits
from causalgia.errors import NAMES_SHOWN
from causalgia.schema import validate
from causalgia.tell.answer_sentences import cut, in_words
from causalgia.tell.answers import AnswerParts
from causalgia.tell.short_answers import LETTERS_SHOWN, short_answer
from causalgia.tell.verdict_sentences import check_value

_WORD_COLUMNS = ("result", "check", "limit", "what")
_ORDER = ("fail", "warn", "pass")
_FIGURE_LETTERS = 56
_FEW_CLAIMS = 2
_AT_MOST = {
    "beyond placebos",
    "another control",
    "sd between null models",
    "k-mer composition",
    "classifier",
    "prediction range",
    "dose reversal",
    "same answers",
    "junction sites",
    "randomized weights",
}
"""Checks that pass up to their limit; others pass from it."""
_SHORT_FIGURES = {
    "shift of the mean GC content, in sd, at which an effect turns": (
        "shift of GC content, in sd, that turns an effect"
    ),
    "largest step back between neighboring doses over the whole effect": (
        "largest step back between doses over the effect"
    ),
    "smallest effect under another null model over that of the trial": (
        "smallest effect of null models over the trial's"
    ),
    "area under the ROC curve of real sequences against backgrounds": (
        "AUROC of real sequences against backgrounds"
    ),
    "share of untreated backgrounds outside the central 95 % of real sequences": (
        "share of backgrounds outside 95 % of real ones"
    ),
    "effect over backgrounds weighted to look like real sequences, over that of the trial": (
        "effect on weighted backgrounds over the trial's"
    ),
    "effect of the control beside that of the arm, both from the mean of beyond placebos": (
        "effect of the control over that of the arm"
    ),
    "effect on fresh units over that of the trial, of the clearest effect": (
        "clearest effect on fresh units over the trial's"
    ),
    "difference between answers to one sequence, in sd of the answers": (
        "difference of answers to one sequence, in sd"
    ),
    "effect on the reverse complements over that on the sequences": (
        "effect on reverse complements over the trial's"
    ),
    "rank of the network among copies with shuffled parameters, by its clearest effect": (
        "rank among networks of shuffled parameters"
    ),
    "p-value of a difference between the first and the second half of the units": (
        "p-value of first against second half of units"
    ),
    "p-value of a difference between the backgrounds of an arm and of all others": (
        "p-value of an arm's backgrounds against others"
    ),
    "share of the effect that is lost without units in which a site is made or destroyed": (
        "share of the effect from sites made or destroyed"
    ),
}
"""What a value is, where its sentence is too long for a table."""


def refutation_parts(
    found: xr.Dataset,
    *,
    every_row: bool = False,
    requested: Sequence[str] = (),
    noted: str = "notes=True",
    each: str = "sentences=True",
) -> AnswerParts:
    """Return the parts of the answer of checks: whether one refutes the claim, failures
    and warnings first.

    Parameters
    ----------
    found
        From `causalgia.refute`, or from a check of `causalgia.refutation`.
    every_row
        Whether checks are in the order in which they were made.
    requested
        Of ``"arms"``, ``"each"`` and ``"notes"``, what is printed besides.
    noted, each
        How to see notes, and the reason of each check.

    Examples
    --------
    >>> columns = {
    ...     "value": 0.2,
    ...     "threshold": 0.05,
    ...     "status": "warn",
    ...     "figure": "rank p-value",
    ...     "n_predictions": 40,
    ... }
    >>> columns |= {
    ...     "reason": "3 of 19 placebos have the effect or more",
    ...     "cure": "claim less",
    ... }
    >>> one = xr.Dataset(
    ...     {name: ("check", [x]) for name, x in columns.items()},
    ...     {"check": ["beyond placebos"]},
    ... )
    >>> parts = refutation_parts(
    ...     one.assign_attrs(
    ...         claims="GATA1 on K562", not_applicable="balance: a crossover"
    ...     )
    ... )
    >>> print(parts.text())
    The effect of GATA1 on K562 fails no check; beyond placebos warns.
    3 of 19 placebos have the effect or more. Remedy: claim less.
    <BLANKLINE>
    result  check            value  limit         what
    warn    beyond placebos    0.2  at most 0.05  rank p-value
    <BLANKLINE>
    40 predictions. 1 check does not apply: notes=True. The reasons: sentences=True.
    """
    validate(found, "refutations")
    status = [str(one) for one in found["status"].to_numpy()]
    names = [str(name) for name in found["check"].to_numpy()]
    reasons = [str(one) for one in found["reason"].to_numpy()]
    cures = [str(one) for one in found["cure"].to_numpy()]
    figures = [str(one) for one in found["figure"].to_numpy()]
    values = [
        check_value(value, figure)
        for value, figure in zip(found["value"].to_numpy(), figures, strict=True)
    ]
    limits = [
        f"{_side(name, figure)} {four_digits(threshold)}"
        for name, figure, threshold in zip(
            names, figures, found["threshold"].to_numpy(), strict=True
        )
    ]
    order = list(range(len(names)))
    if not every_row:
        order.sort(key=lambda i: _ORDER.index(status[i]))
    lines = [
        [
            status[i],
            names[i],
            values[i],
            limits[i],
            _SHORT_FIGURES.get(figures[i], figures[i]),
        ]
        for i in order
    ]
    skipped = about(found, "").not_applicable.splitlines()
    n_predictions = int(found["n_predictions"].sum())
    budget = about(found, None).budget
    foot = [
        f"{n_predictions:,} prediction{'s' * (n_predictions != 1)}"
        + (f", besides the trial's {budget:,}." if budget else "."),
    ]
    if skipped and "notes" not in requested:
        n = len(skipped)
        foot[0] += f" {n:,} check{'s do' if n > 1 else ' does'} not apply: {noted}."
    foot[0] += f" The reasons: {each}." * ("each" not in requested)
    least = [
        i
        for i in order
        if status[i] == "pass"
        and figures[i].startswith("rank")
        and found["value"].to_numpy()[i] == found["threshold"].to_numpy()[i]
    ]
    if least:
        foot.append(
            "A rank that equals its limit is the least that so few placebos or copies "
            "can give."
        )
    first = [i for i in order if status[i] != "pass"][:1]
    answer = [
        _answer(names, status, about(found, "none").claims),
        *(_because(reasons[i], cures[i]) for i in first if reasons[i]),
    ]
    return short_answer(
        answer,
        ["result", "check", "value", "limit", "what"],
        lines,
        words=_WORD_COLUMNS,
        letters=_FIGURE_LETTERS,
        foot=foot,
        each=[
            f"{names[i]} ({status[i]}; {figures[i]} {values[i]}): "
            f"{_because(reasons[i], cures[i])}"
            for i in order
        ],
        notes=[f"Not applicable: {line}." for line in skipped],
        requested=requested,
        every_row=True,
        pointers={"noted": ""},  # which the foot says
    )


def _answer(names: list[str], status: list[str], claims: str) -> str:
    """Return whether a check refutes the claim."""
    n = len(names)
    n_pass = status.count("pass")
    failed, warned = (
        _named([name for name, x in zip(names, status, strict=True) if x == kind])
        for kind in ("fail", "warn")
    )
    if claims == "none":
        rest = [
            f"{which} {kind}{'s' * (status.count(kind) == 1)}"
            for which, kind in ((failed, "fail"), (warned, "warn"))
            if which
        ]
        rest.append(f"{n_pass:,} of {n:,} checks pass" if n > 1 else "")
        also = ", ".join(part for part in rest if part) or "the check passes"
        return (
            "No contrast has a significant effect, so there is no claim to refute: "
            f"{also}."
        )
    effects = claims.split("; ")
    named = (
        in_words([cut(one, LETTERS_SHOWN) for one in effects])
        if len(effects) <= _FEW_CLAIMS
        else f"{len(effects):,} contrasts"
    )
    many = len(effects) > 1
    what = f"The effect{'s' * many} of {named}"
    warns = f"{warned} warn{'s' * (status.count('warn') == 1)}"
    if failed:
        also = f", and {warns}" if warned else ""
        return (
            f"{what} fail{'s' * (not many)} {status.count('fail'):,} of {n:,} "
            f"check{'s' * (n != 1)} ({failed}); {n_pass:,} pass{also}."
        )
    if warned:
        passed = f" and pass{'es' * (not many)} {n_pass:,} of {n:,}" if n > 1 else ""
        return f"{what} fail{'s' * (not many)} no check{passed}; {warns}."
    if not n:
        return "No check was made."
    which = f"all {n:,} checks" if n > 1 else f"the check {names[0]}"
    return f"{what} pass{'es' * (not many)} {which}."


def _named(names: list[str]) -> str:
    """Return the names of a few checks, or the number of more; empty where none is."""
    if not names:
        return ""
    return in_words(names) if len(names) <= NAMES_SHOWN else f"{len(names):,} checks"


def _because(reason: str, cure: str) -> str:
    end = "" if reason.endswith(".") else "."
    answer = f"{reason[:1].upper()}{reason[1:]}{end}"
    answer += f" Remedy: {cure.rstrip('.')}." if cure else ""
    return answer


def _side(name: str, figure: str) -> str:
    """Return whether a check passes up to its limit or from it."""
    ranked = name == "positive control" and "p-value" in figure
    return "at most" if name in _AT_MOST or ranked else "at least"
