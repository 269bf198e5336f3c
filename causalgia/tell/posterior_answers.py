"""A posterior of effects, and the spread of individual effects, as text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from causalgia.attributes import about
from causalgia.effect_table import select_tasks
from causalgia.notes import notes_of
from causalgia.tell._trial_report import in_one_line
from causalgia.tell.answer_sentences import cut
from causalgia.tell.answers import AnswerParts
from causalgia.tell.effect_rows import posterior_effects
from causalgia.tell.short_answers import short_answer
from causalgia.tell.table_formats import (
    format_effect,
    format_p,
    format_share,
    percent,
)

_ENDS = ("", "_lower", "_upper")
_LAWS = {"two_scales": "two normal scales", "normal": "one normal scale"}
_TASKS_IN_ANSWER = 3


def posterior_parts(
    posterior: Any,
    *,
    task: str | Sequence[str] | None = None,
    order: str = "size",
    every_row: bool = False,
    requested: Sequence[str] = (),
) -> AnswerParts:
    """Return the parts of the report of a posterior: how far true effects differ, and a
    line for each effect, raw beside shrunken, the largest first.
    """
    found = select_tasks(posterior_effects(posterior), task, place="report: ")
    raw = {"ace": "ace", "lower": "lower", "upper": "upper"}
    size = {new: f"shrunken{end}" for new, end in zip(raw, _ENDS, strict=True)}
    if "shrunken" not in found:
        raw, size = {}, raw
    tasks, names = found["task"].to_numpy(), found["contrast"].to_numpy()
    cells = []
    for k, t in product(range(len(names)), range(len(tasks))):
        one = found.isel(contrast=k, task=t)
        if np.isnan(one[size["ace"]]):
            continue
        own, shrunken = (
            format_effect({new: float(one[old]) for new, old in columns.items()})
            if columns
            else ("", "")
            for columns in (raw, size)
        )
        where = [str(names[k]), str(tasks[t]) if len(tasks) > 1 else ""]
        line = [*where, *own, *shrunken, format_p(float(one["lfsr"]))]
        cells.append((abs(float(one[size["ace"]])), line))
    if order == "size":
        cells.sort(key=lambda cell: -cell[0])
    level = percent(float(about(found).ci_prob))
    header = ["contrast", "task", "raw", f"{level} interval", "shrunken"]
    header += [f"{level} credible", "lfsr"]
    out = len(names) * len(tasks) - len(cells)
    return short_answer(
        _spread_of_law(posterior, found, len(cells)),
        header,
        [line for _, line in cells],
        words=header[:2],
        foot=[
            "Shrunken: posterior mean. Sizes alone: verdicts are of the raw intervals "
            "(cg.decide). lfsr: probability that the sign is wrong, if no effect is "
            "exactly 0.",
            f"{out:,} effects without an error are left out." if out else "",
        ],
        notes=[f"Note: {note}" for note in notes_of(found)],
        requested=requested,
        every_row=every_row,
    )


def _spread_of_law(posterior: Any, found: xr.Dataset, n: int) -> list[str]:
    """Return sentences on the law of true effects: its sd in each task."""
    from causalgia.posterior.posterior_tree import tree_group

    alone = isinstance(posterior, xr.Dataset | xr.DataTree) and "ace" in posterior
    draws = posterior if alone else tree_group(posterior, "posterior")
    attrs = draws.attrs
    if "tau" not in draws and "tau_narrow" not in draws:
        law = "learned over patterns of tasks" if about(attrs, None).across else ""
        what = f"Posterior of {n:,} effects"
        return [f"{what}, whose law is {law}." if law else f"{what}."]
    tau = draws["tau"] if "tau" in draws else _sd_of_two_scales(draws)
    if "task" not in tau.dims:
        tau = tau.expand_dims(task=["effect"])
    level = float(about(found).ci_prob)
    ends = tau.sel(task=found["task"]).quantile(
        [0.5, (1 - level) / 2, (1 + level) / 2], dim=("chain", "draw"), skipna=False
    )
    spreads = []
    learned_in = ends.notnull().all("quantile")  # a dead task has no law
    for name in found["task"].to_numpy()[learned_in.to_numpy().astype(bool)]:
        middle, lower, upper = (float(x) for x in ends.sel(task=name))
        text = "{} {}".format(
            *format_effect({"ace": middle, "lower": lower, "upper": upper})
        )
        place = f" in {cut(str(name))}" if len(found["task"]) > 1 else ""
        spreads.append(f"{text}{place}")
    more = len(spreads) - _TASKS_IN_ANSWER
    shown = "; ".join(spreads[:_TASKS_IN_ANSWER]) + (
        f"; {more:,} more tasks" if more > 0 else ""
    )
    laws = [_LAWS.get(law, law) for law in about(attrs, "").law.split(", ") if law]
    of = "in each task" if len(spreads) > 1 else f"from {n:,} effects"
    learned = f" Law: {' or '.join(laws)}, learned {of}." if laws else ""
    covariates = about(attrs, "").covariates
    line = f" about the line in {covariates}" if covariates else ""
    scale = about(attrs, "").contrast_scale
    on = f" on {in_one_line(scale)}" if scale else ""
    return [f"True effects{on} differ{line} with an sd of {shown}.{learned}"]


def _sd_of_two_scales(draws: xr.Dataset) -> xr.DataArray:
    share = draws["share_narrow"]
    variance = share * draws["tau_narrow"] ** 2 + (1 - share) * draws["tau_wide"] ** 2
    return variance**0.5


def is_spread(given: object) -> bool:
    """Return whether it is a result of `causalgia.verdicts.heterogeneity`."""
    return isinstance(given, xr.Dataset) and {"sd_lower", "quantiles"} <= set(
        given.data_vars
    )


def spread_parts(
    found: xr.Dataset,
    *,
    task: str | Sequence[str] | None = None,
    every_row: bool = False,
    requested: Sequence[str] = (),
) -> AnswerParts:
    """Return the parts of the report of `causalgia.verdicts.heterogeneity`: how individual
    effects differ between contexts, a line for each contrast and task.
    """
    found = select_tasks(found, task, place="report: ")
    dims = [str(dim) for dim in found["sd"].dims]
    level = percent(float(about(found).ci_prob))
    probs = found["prob"].to_numpy()
    shares = [name for name in ("above", "below") if name in found]
    lines, sds = [], []
    for at in product(*(range(found.sizes[dim]) for dim in dims)):
        one = found.isel(dict(zip(dims, at, strict=True)))
        sd = {"": "ace", "_lower": "lower", "_upper": "upper"}
        row = {new: float(one[f"sd{old}"]) for old, new in sd.items()}
        sds.append(row["ace"])
        lines.append(
            [
                *(str(one[dim].item()) for dim in dims),
                *format_effect(row),
                *(
                    format_effect({"ace": float(q), "se": row["ace"] / 10})[0]
                    for q in one["quantiles"].transpose("prob")
                ),
                *(format_share(float(one[name])) for name in shares),
            ]
        )
    first = lines[int(np.nanargmax(sds))]
    most, highest = len(dims), len(dims) + 1 + len(probs)
    where = " in ".join(cut(name) for name in first[:most])
    units = int(about(found, 0).n_units)
    header = [*dims, "sd", f"{level} interval"]
    header += [f"{100 * p:.3g} %" for p in probs] + shares
    return short_answer(
        [
            f"Effects of {where} differ between single sequences with an sd of "
            f"{first[most]} {first[most + 1]}: {100 * probs[0]:.3g} % are below "
            f"{first[most + 2]}, {100 * probs[-1]:.3g} % below {first[highest]}."
        ],
        header,
        lines,
        words=dims,
        foot=[
            f"Quantiles of individual effects of {units:,} units; the interval of an "
            "sd covers less than its level where they are few and skewed.",
            "Above, below: shares beyond the region." if shares else "",
        ],
        every_row=every_row,
        requested=requested,
    )
