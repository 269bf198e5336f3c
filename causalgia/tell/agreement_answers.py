"""The answer on the agreement of null models: the order of contrasts under each pair of
them, and how far effects differ between them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from causalgia.attributes import about
from causalgia.effect_table import select_tasks, tasks_in_table
from causalgia.notes import said_from_json
from causalgia.tell.answers import AnswerParts
from causalgia.tell.foot import in_task, sentences_on_tasks
from causalgia.tell.short_answers import short_answer
from causalgia.tell.table_formats import percent

OF_AGREEMENT = frozenset({"tau", "tau_lower", "tau_upper", "between_sd"})
"""Variables by which an agreement is known."""


def agreement_parts(
    agreement: xr.Dataset,
    *,
    task: str | Sequence[str] | None = None,
    every_row: bool = False,
    requested: Sequence[str] = (),
) -> AnswerParts:
    """Return the answer on the agreement of null models: a line for each pair of them.

    Parameters
    ----------
    agreement
        From `causalgia.experiments.agreement`: ``tau, tau_lower, tau_upper, clear
        (null, null_, task)`` and ``between_sd (contrast, task)``.
    task, every_row, requested
        As in `causalgia.report`.

    Raises
    ------
    EstimateError
        If there is no such task.

    Examples
    --------
    >>> tau = np.array([[[1.0], [0.9]], [[0.9], [1.0]]])
    >>> of_pairs = dict.fromkeys(
    ...     ("tau", "tau_lower", "tau_upper", "clear"), (("null", "null_", "task"), tau)
    ... )
    >>> between = (("contrast", "task"), [[0.1], [0.2]])
    >>> found = xr.Dataset(
    ...     of_pairs | {"between_sd": between},
    ...     {"null": ["uniform", "shuffle"], "task": ["K562"], "contrast": ["a", "b"]},
    ...     {"sentences": '[["the order differs.", "K562", null]]', "ci_prob": 0.95},
    ... )
    >>> print(agreement_parts(found).text())
    In K562, the order differs.
    <BLANKLINE>
    null models           tau  95 % interval  clear
    uniform and shuffle  0.90   [0.90, 0.90]   90 %
    <BLANKLINE>
    tau: Kendall's; clear: pairs of contrasts whose order is clear under both null models.
    """
    shown = select_tasks(agreement, task, place="report: ")
    tasks = tasks_in_table(shown)
    found = said_from_json(about(agreement, "[]").sentences)
    interval = f"{percent(float(about(agreement, 0.95).ci_prob))} interval"
    names = [str(name) for name in shown["null"].to_numpy()]
    values = {
        name: shown[name].transpose("null", "null_", "task").to_numpy()
        for name in ("tau", "tau_lower", "tau_upper", "clear")
    }
    lines = []
    for i, j in zip(*np.triu_indices(len(names), 1), strict=True):
        for k, name in enumerate(tasks):
            tau, low, high, clear = (
                float(values[name_][i, j, k])
                for name_ in ("tau", "tau_lower", "tau_upper", "clear")
            )
            lines.append(
                [
                    f"{names[i]} and {names[j]}",
                    name if len(tasks) > 1 else "",
                    f"{tau:.2f}",
                    f"[{low:.2f}, {high:.2f}]",
                    f"{100 * clear:.0f} %",
                ]
            )
    return short_answer(
        [in_task(text) for text in sentences_on_tasks(found, tasks)],
        ["null models", "task", "tau", interval, "clear"],
        lines,
        words=["null models", "task"],
        foot=[
            "tau: Kendall's; clear: pairs of contrasts whose order is clear under both "
            "null models."
        ],
        notes=_differences(shown, interval),
        requested=requested,
        every_row=every_row,
    )


def _differences(agreement: xr.Dataset, interval: str) -> list[str]:
    """Return how far the effects of each contrast differ between null models, which is
    printed on request.
    """
    if not {"mean", "between_sd_lower", "between_sd_upper"} <= set(agreement):
        return []
    lines = []
    for name in agreement["contrast"].to_numpy():
        for task in agreement["task"].to_numpy():
            row = agreement.sel(contrast=name, task=task)
            mean, sd, low, high = (
                f"{row[column].item():.3g}"
                for column in (
                    "mean",
                    "between_sd",
                    "between_sd_lower",
                    "between_sd_upper",
                )
            )
            where = f" in {task}" if agreement.sizes["task"] > 1 else ""
            lines.append(
                f"{name}{where}: mean {mean} over null models, sd between them {sd} "
                f"[{low}, {high}] ({interval})."
            )
    return lines
