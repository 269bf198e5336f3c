"""The answer of a context swap: shares of the variance of the predictions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from causalgia.attributes import about
from causalgia.checks import in_list
from causalgia.effect_table import select_tasks
from causalgia.notes import Said
from causalgia.tell.answers import AnswerParts, short_answer
from causalgia.tell.foot import in_task
from causalgia.tell.table_formats import percent

_SAID = {
    "element": "the element",
    "context": "the context",
    "interaction": "their interaction",
}
_MOST_SENTENCES = 3


def swap_parts(
    found: xr.Dataset,
    *,
    task: str | Sequence[str] | None = None,
    every_row: bool = False,
    requested: Sequence[str] = (),
) -> AnswerParts:
    """Return the answer of `causalgia.experiments.context_swap`: a sentence for each of
    the first tasks, and a line for each where there are several.
    """
    found = select_tasks(found, task, place="report: ")
    known, rows = about(found), list(_rows(found))
    level = percent(float(known.ci_prob))
    header = [*(str(dim) for dim in found["sd"].dims), "sd"]
    lines = [
        [*names, f"{row['sd'].item():.3g}", *(_share(row, x) for x in _SAID)]
        for names, row in rows
    ]
    n = int(known.n_sequences)
    left_out = int(known.n_left_out)
    drawn = f" {left_out:,} more sequences were left out." if left_out else ""
    return short_answer(
        [_sentence(row, known.element, n) for _, row in rows[:_MOST_SENTENCES]],
        [*header, *_SAID],
        lines if len(lines) > 1 else [],
        words=header[:-1],
        foot=[
            f"{level} intervals, by leaving out each of {n:,} sequences as element and "
            f"as context.{drawn}"
        ],
        every_row=every_row,
        requested=requested,
    )


def _rows(found: xr.Dataset) -> Sequence[tuple[list[str], xr.Dataset]]:
    """Return names and part of each task (of each model, at each position)."""
    dims = [str(dim) for dim in found["sd"].dims]
    parts = [
        found.isel(dict(zip(dims, at, strict=True)))
        for at in np.ndindex(found["sd"].shape)
    ]
    return [([str(part[dim].item()) for dim in dims], part) for part in parts]


def _share(row: xr.Dataset, source: str) -> str:
    one = row.sel(source=source)
    share, lower, upper = (
        f"{100 * one[name].item():.0f}" for name in ("share", "lower", "upper")
    )
    return f"{share} % [{lower}, {upper}]"


def _sentence(row: xr.Dataset, element: str, n: int) -> str:
    """Return the sentence on one task, from its shares alone."""
    what = (
        f"element {element} of one sequence in the context of another ({n:,} sequences)"
    )
    if row["sd"].item() == 0:
        clause = f"predictions for {what} do not vary."
    else:
        shares = [f"{said} {_share(row, x)}" for x, said in _SAID.items()]
        below = [said for x, said in _SAID.items() if row["below_zero"].sel(source=x)]
        zero = f" (of {in_list(below)} estimated below 0)" if below else ""
        clause = (
            f"predictions for {what} have an sd of {row['sd'].item():.3g}; shares of "
            f"the variance: {in_list(shares)}{zero}."
        )
    model = str(row["model"].item()) if "model" in row.coords else None
    return in_task(Said(clause, str(row["task"].item()), model))
