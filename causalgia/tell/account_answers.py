"""The account in words: what the sites of motifs carry, and where to look for the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from causalgia._audit.named import (
    LEAST_CARRIED,
    LEAST_FATHERS,
    beyond_elsewhere,
    others_carry,
)
from causalgia.checks import in_list
from causalgia.errors import printable
from causalgia.tell.folded_text import WIDTH, cut, folded

_POINTS, _PART = 0.05, 0.2
"""Least difference that is told; and what a tenth of the length carries, at its lower
limit.
"""
_TASKS = 3


def percent_of(share: float) -> str:
    """Return a share in per cent, without a sign where it is 0.

    Examples
    --------
    >>> percent_of(0.714), percent_of(-0.001)
    ('71', '0')
    """
    return f"{100 * share:.0f}".replace("-0", "0")


def share_in_words(row: Any, unit: str = " %") -> str:
    """Return a share with its interval, where it has one."""
    ends = f" [{percent_of(row['lower'])}, {percent_of(row['upper'])}]"
    return (
        f"{percent_of(row['share'])}{unit}{ends if np.isfinite(row['lower']) else ''}"
    )


def account_answer(
    table: pd.DataFrame, counts: Mapping[str, int], without: Sequence[str]
) -> str:
    """Return the account of each task, of three at most, and what fills."""
    tasks = dict(iter(table.groupby("task", sort=False)))
    lines = []
    for task, of in list(tasks.items())[:_TASKS]:
        rows = of.set_index("line")
        lines.append(carried(str(task), rows, counts, alone=len(tasks) == 1))
        lines += pointers(rows, counts)
    if (left := len(tasks) - _TASKS) > 0:
        lines.append(f"{left:,} more tasks: the table has them.")
    others = (
        "your other sequences" + ", named sites scrambled" * (counts["motifs"] > 0)
        if counts["units"] >= LEAST_FATHERS
        else "the same sequence in another order"
    )
    vary = table.dropna(subset="share")
    if len(vary):
        lines.append(
            f"All other bases come from {others}; {counts['sequences']:,} sequences, as good "
            f"as {float(vary['effective'].min()):,.0f} of equal weight."
        )
    if without:
        lines.append(f"Without a site here: {in_list(without)}.")
    return "\n".join(folded(printable(line), WIDTH) for line in lines)


def carried(
    task: str,
    rows: Any,
    counts: Mapping[str, int],
    *,
    alone: bool = False,
    and_more: str | None = None,
) -> str:
    """Return what the sites carry, and all other bases, in a sentence; and what needs
    both, if nothing else ends it.
    """
    first = "Of" if alone else f"{cut(task)}: of"
    of = f"{first} the variance of {counts['sequences']:,} predictions"
    if rows["share"].isna().any():
        return f"{cut(task)}: the {counts['sequences']:,} predictions do not vary."
    few = ""
    if not np.isfinite(rows["lower"].iloc[0]):
        k = int(rows["half"].iloc[0])
        few = f" (no intervals: half of the variance is that of {k:,} sequence{'s' * (k != 1)})"
    if "sites" not in rows.index:
        composition = share_in_words(rows.loc["composition alone"])
        more = "; no motif is named" if and_more is None else and_more
        return f"{of} composition alone carries {composition}{few}{more}."
    n = counts["motifs"]
    bases = percent_of(rows.loc["sites", "bases"])
    said = (
        f"{of} the sites of {n:,} motif{'s' * (n != 1)} ({bases} % of the bases) carry "
        f"{share_in_words(rows.loc['sites'])}"
    )
    if "all other bases" in rows.index:
        said += f", all other bases {share_in_words(rows.loc['all other bases'])}"
        if and_more is None:
            said += f"; {share_in_words(rows.loc['needs both'])} needs both"
    return f"{said}{few}{and_more or ''}."


def pointers(rows: Any, counts: Mapping[str, int]) -> list[str]:
    """Return where to look for what the sites do not carry."""
    if not np.isfinite(rows["lower"].iloc[0]):
        return []
    found = []
    if not beyond_elsewhere(rows):
        found.append(
            "The named sites are not shown to carry more than as many bases elsewhere."
        )
    if "sites" in rows.index:
        found += _of_sites(rows)
    composition = rows.loc["composition alone"]
    if (
        composition["share"] >= _POINTS
        and composition["lower"] > 0
        and "sites" in rows.index
    ):
        found.append(f"Composition alone carries {share_in_words(composition)}.")
    if not others_carry(rows):
        return found
    parts = rows[rows.index.str.match(r"bases \d+ to \d+$") & (rows["lower"] > _PART)]
    for name, row in parts.sort_values("share", ascending=False).head(2).iterrows():
        found.append(
            f"Look at {name} of {counts['length']:,}: they carry {share_in_words(row)}."
        )
    if not found and "sites" in rows.index:
        found.append(
            "The rest is spread over the other bases: other motifs, or no motif."
        )
    return found


def _of_sites(rows: Any) -> list[str]:
    found = []
    limit = max(LEAST_CARRIED, 2 * rows.loc["sites", "bases"])
    if "needs both" in rows.index and rows.loc["needs both", "lower"] > limit:
        found.append("The sites act with something elsewhere.")
    between = "between motifs"
    if between in rows.index and rows.loc[between, "lower"] > limit:
        found.append(
            f"{share_in_words(rows.loc[between], ' points')} lie between motifs: no one "
            "of them carries these alone."
        )
    found += _beside(rows)
    alike = "sites, others of the same GC less any"
    more = rows.loc[alike]
    if (
        more["lower"] > 0
        and more["share"] >= _POINTS
        and more["share"] > rows.loc["composition alone", "share"]
    ):
        found.append(
            "What they do, or what other bases do, goes with GC: "
            f"{share_in_words(more, ' points')} more if the others come from sequences of "
            "the same GC."
        )
    return found


def _beside(rows: Any) -> list[str]:
    """Return how near the sites something further lies."""
    flanks = [
        int(x[1])
        for name in rows.index
        if (x := re.fullmatch(r"sites and (\d+) bp", str(name)))
    ]
    names = {k: f"sites and {k} bp" for k in flanks}
    told = [
        k
        for k, name in names.items()
        if all(
            rows.loc[less, "lower"] > 0 and rows.loc[less, "share"] >= _POINTS
            for less in (f"{name}, less sites", f"{name}, less as many bases elsewhere")
        )
    ]
    most = max((rows.loc[name, "share"] for name in names.values()), default=0.0)
    for k in told:
        whole = rows.loc[names[k]]
        if whole["share"] < most - _POINTS:
            continue
        more = rows.loc[f"{names[k]}, less as many bases elsewhere"]
        said = (
            f"{share_in_words(whole)} with these bases, "
            f"{share_in_words(more, ' points')} more than with as many elsewhere."
        )
        if k == min(flanks) and len(flanks) > 1:
            return [
                f"A motif is longer than named, by up to {k} bp on either side: {said}"
            ]
        return [f"Look within {k} bp of the sites: {said}"]
    return []
