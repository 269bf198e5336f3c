"""The comparison of audits as text: which rules and motifs differ between networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from causalgia.checks import first_of, in_list
from causalgia.tell.audit_answers import gap_in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_LINES, _NAMED = 7, 4
"""Differences that have a line, and others that are named, at most."""
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
    difference first.
    """
    names = list(found.audits)
    rows = [(_motif_row, row) for row in found.motifs.to_dict("records")]
    rows = [(_rule_row, row) for row in found.rules.to_dict("records")] + rows
    if not rows:
        lines = [
            f"Nothing to compare: of {in_list(names)}, none reads a motif or has a rule."
        ]
    else:
        differ = sorted(
            (one for one in rows if one[1]["verdict"] == "differs"),
            key=lambda one: (
                one[0] is _motif_row,
                one[0] is _rule_row and one[1]["first"] == one[1]["second"],
                -abs(one[1]["difference"]),
            ),
        )
        lines = [
            f"{in_list(names)}: {len(differ)} of {len(rows)} differences of effects "
            f"hold (q <= 0.05), on {found.n_reserved:,} held-out sequences and their "
            "shuffles."
        ]
        lines += [_difference(*one(row), row, names) for one, row in differ[:_LINES]]
        if len(differ) > _LINES:
            lines.append(f"and {len(differ) - _LINES} more differ.")
        for verdict, words in (
            ("negligible", "The same, within a fifth of the sd of predictions"),
            ("undecided", "Undecided"),
        ):
            alike = [one(row)[0] for one, row in rows if row["verdict"] == verdict]
            if alike:
                named = first_of(list(dict.fromkeys(alike)), _NAMED, sep="; ")
                lines.append(f"{words}: {named}.")
    if found.left_out:
        lines.append(f"Not compared: {first_of(found.left_out, _NAMED, sep='; ')}.")
    return "\n".join(lines)


def _motif_row(row: Mapping[Any, Any]) -> tuple[str, str]:
    """Return what a row is of, and the columns of whose audit found it."""
    name = f" ({row['name']})" if row["name"] else ""
    where = f"alone on {row['strand']}" if row["asks"] == "alone" else "lost"
    return f"{row['motif']}{name} {where}, in {row['task']}", "reads"


def _rule_row(row: Mapping[Any, Any]) -> tuple[str, str]:
    return f"{row['arrangement']}, {gap_in_words(row)}, in {row['task']}", "holds"


def _difference(what: str, verb: str, row: Mapping[Any, Any], names: list[str]) -> str:
    effects = {name: row[f"effect, {name}"] for name in names}
    least = _NONE * max(map(abs, effects.values()))
    each = ", ".join(
        f"{name} {effect if abs(effect) > least else 0:+.3g}"
        f"{'' if row[f'{verb}, {name}'] else ' (not found by its audit)'}"
        for name, effect in effects.items()
    )
    return (
        f"{what}: {each}; {row['minus']} {row['difference']:+.3g} "
        f"[{row['lower']:.3g}, {row['upper']:.3g}]."
    )
