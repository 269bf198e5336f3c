"""The comparison of audits as text: which rules and motifs differ between networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from causalgia._audit.named import gap_in_words
from causalgia.checks import in_list
from causalgia.errors import first_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

_LINES, _NAMED = 7, 4
"""Differences that have a line, and others that are named, at most."""
_DIFFERS, _NEGLIGIBLE, _UNDECIDED = "differs", "negligible", "undecided"
_ADDED = {_DIFFERS: "", _NEGLIGIBLE: " (the same)", _UNDECIDED: " (undecided)"}
_NONE = 1e-6
"""Share of the largest effect of a row below which one is printed as 0."""


class Compared(Protocol):
    """What the text is of: the comparison of `causalgia.audit`."""

    @property
    def audits(self) -> Mapping[str, Any]: ...
    @property
    def motifs(self) -> pd.DataFrame: ...
    @property
    def rules(self) -> pd.DataFrame: ...
    @property
    def n_reserved(self) -> int: ...
    @property
    def left_out(self) -> tuple[str, ...]: ...


def comparison_answer(found: Compared) -> str:
    """Return the answer, at most twelve lines: rules of two motifs first, the largest
    difference first. A line is of a claim, with every pair of networks.
    """
    names = list(found.audits)
    rules, motifs = _by_claim(found.rules, _rule), _by_claim(found.motifs, _motif)
    claims = rules | motifs
    if not claims:
        lines = [
            f"Nothing to compare: of {in_list(names)}, none reads a motif or has a rule."
        ]
    else:
        n = sum(map(len, claims.values()))
        n_differ = sum(len(_pairs(of, _DIFFERS)) for of in claims.values())
        differ = sorted(
            (what for what, of in claims.items() if _pairs(of, _DIFFERS)),
            key=lambda what: (
                what in motifs,
                what in rules and rules[what][0]["first"] == rules[what][0]["second"],
                -max(abs(row["difference"]) for row in claims[what]),
            ),
        )
        lines = [
            f"{in_list(names)}: {n_differ} of {n} differences of effects "
            f"hold (q <= 0.05), on {found.n_reserved:,} held-out sequences and their "
            "shuffles."
        ]
        for what in differ[:_LINES]:
            verb = "reads" if what in motifs else "holds"
            lines.append(_difference(what, verb, claims[what], names))
        if len(differ) > _LINES:
            lines.append(f"and {len(differ) - _LINES} more differ.")
        same, undecided = list[str](), list[str]()
        for what, of in claims.items():
            if what in differ:
                continue
            if pairs := _pairs(of, _UNDECIDED):
                some = f" ({', '.join(pairs)})" if len(pairs) < len(of) else ""
                undecided.append(what + some)
            elif _pairs(of, _NEGLIGIBLE):
                same.append(what)
        for alike, words in (
            (same, "The same, within a fifth of the sd of predictions"),
            (undecided, "Undecided"),
        ):
            if alike:
                lines.append(f"{words}: {first_of(alike, _NAMED, sep='; ')}.")
    if found.left_out:
        lines.append(f"Not compared: {first_of(found.left_out, _NAMED, sep='; ')}.")
    return "\n".join(lines)


def _by_claim(
    table: pd.DataFrame, what: Callable[[Mapping[Any, Any]], str]
) -> dict[str, list[Mapping[Any, Any]]]:
    """Return the rows of each claim, one a pair of networks."""
    claims: dict[str, list[Mapping[Any, Any]]] = {}
    for row in table.to_dict("records"):
        claims.setdefault(what(row), []).append(row)
    return claims


def _pairs(rows: Sequence[Mapping[Any, Any]], verdict: str) -> list[str]:
    """Return the pairs of networks of a claim that have a verdict."""
    return [row["minus"] for row in rows if row["verdict"] == verdict]


def _motif(row: Mapping[Any, Any]) -> str:
    name = f" ({row['name']})" if row["name"] else ""
    where = f"alone on {row['strand']}" if row["asks"] == "alone" else "lost"
    return f"{row['motif']}{name} {where}, in {row['task']}"


def _rule(row: Mapping[Any, Any]) -> str:
    return f"{row['arrangement']}, {gap_in_words(row)}, in {row['task']}"


def _difference(
    what: str, verb: str, rows: Sequence[Mapping[Any, Any]], names: list[str]
) -> str:
    """Return the effects of a claim, and the difference of each pair of networks."""
    row = rows[0]  # effects are the same in each
    effects = {name: row[f"effect, {name}"] for name in names}
    least = _NONE * max(map(abs, effects.values()))
    each = ", ".join(
        f"{name} {effect if abs(effect) > least else 0:+.3g}"
        f"{'' if row[f'{verb}, {name}'] else ' (not found by its audit)'}"
        for name, effect in effects.items()
    )
    pairs = "; ".join(
        f"{row['minus']} {row['difference']:+.3g} [{row['lower']:.3g}, "
        f"{row['upper']:.3g}]{_ADDED[row['verdict']]}"
        for row in rows
    )
    return f"{what}: {each}; {pairs}."
