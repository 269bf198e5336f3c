"""The comparison of audits as text: which rules and motifs differ between networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from causalgia.checks import first_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_LINES, _NAMED = 7, 4
"""Differences that have a line, and others that are named, at most."""


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
    """Return the answer, at most twelve lines."""
    names = list(found.audits)
    rows = [
        (table, row)
        for table in ("rules", "motifs")
        for row in getattr(found, table).to_dict("records")
    ]
    of = " and ".join([", ".join(names[:-1]), names[-1]])
    if not rows:
        lines = [
            f"No motif is read and no rule holds in {of}: there is nothing to compare."
        ]
    else:
        differ = [row for row in rows if row[1]["verdict"] == "differs"]
        lines = [
            f"{len(differ)} of {len(rows)} effects differ between {of} (q <= 0.05), on "
            f"{found.n_reserved:,} held-out sequences and their shuffles."
        ]
        lines += [_difference(*row, names) for row in differ[:_LINES]]
        if len(differ) > _LINES:
            lines.append(f"and {len(differ) - _LINES} more differ.")
        for verdict, words in (
            ("negligible", "The same, within a fifth of the sd of predictions"),
            ("undecided", "Undecided"),
        ):
            alike = [_what(*row) for row in rows if row[1]["verdict"] == verdict]
            if alike:
                lines.append(f"{words}: {first_of(alike, _NAMED, sep='; ')}.")
    if found.left_out:
        lines.append(f"Not compared: {first_of(found.left_out, _NAMED, sep='; ')}.")
    return "\n".join(lines)


def _what(table: str, row: Mapping[Any, Any]) -> str:
    """Return which effect a row is of."""
    if table == "motifs":
        name = f" ({row['name']})" if row["name"] else ""
        where = f"alone on {row['strand']}" if row["asks"] == "alone" else "lost"
        return f"{row['motif']}{name} {where}, {row['task']}"
    gaps = dict.fromkeys([row["gap_from"], row["gap_to"]])
    gap = "anywhere" if row["anywhere"] else f"{' to '.join(map(str, gaps))} bp apart"
    return f"{row['arrangement']}, {gap}, {row['task']}"


def _difference(table: str, row: Mapping[Any, Any], names: list[str]) -> str:
    verb, none = (
        ("reads", "not read") if table == "motifs" else ("holds", "does not hold")
    )
    each = ", ".join(
        f"{name} {row[f'effect, {name}']:+.3g}"
        f"{'' if row[f'{verb}, {name}'] else f' ({none})'}"
        for name in names
    )
    return (
        f"{_what(table, row)}: {each}; {row['minus']} {row['difference']:+.3g} "
        f"[{row['lower']:.3g}, {row['upper']:.3g}]."
    )
