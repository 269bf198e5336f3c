"""Forest plots: effects with their intervals, a row for each contrast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from causalgia.effect_table import select_tasks, selected_tasks, tasks_in_table
from causalgia.errors import ContrastError, quoted
from causalgia.estimation.request import null_value
from causalgia.plot.style import (
    AS_IT_IS,
    BAND,
    GRAY,
    GRID,
    INK,
    MODELS,
    ROPE,
    add_verdicts_to_legend,
    as_task,
    axes_or_new,
    axis_label,
    color_of,
    fit_to_page,
    heading,
    interval_label,
    legend,
    new_figure,
    ordinal,
    part_shown,
    reach,
    save_figure,
    shortened,
    strip,
    task_rows,
    write_heading,
)
from causalgia.reporting import Row, placebo_summary, rows
from causalgia.reporting.effect_rows import as_reportable, largest_tasks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FULL_SIZE = 60
_ROOMY = 20
_TALLEST = 14.0
_LONGEST_DO = 44
_ACROSS = 3
_MOST_PANELS = 12
_MOST_ROWS = 200


def forest(
    estimates: xr.Dataset,
    *,
    task: str | Sequence[str] | None = None,
    truth: xr.DataArray | None = None,
    sort: Literal["size", "given"] = "size",
    ax: Axes | None = None,
) -> Axes:
    """Draw effects with intervals, largest first, with the line of no effect, the ROPE
    and the placebos.

    The line of no effect is at 0, for ratios at 1. Unbounded intervals end in an arrow.

    Decisions are colored by verdict (undecided: hollow) on the shaded region of
    practical equivalence. Hierarchical effect sizes, where they stand beside the
    estimates, are drawn above them in gray, with intervals of the same probability.

    Fixed placebos share the lowest row, a point for each. The gray band behind the
    effects is their central 95 % (their range, if there are fewer than 40): effects of
    meaningless placebos on this predictor.

    Parameters
    ----------
    estimates
        From `causalgia.estimate` or `causalgia.decide`:
        ``ace (contrast, task[, model])``; each model of an ensemble gets its own
        marker.
    task
        The task, or several: a list, or a pattern such as ``"DNASE:*"``. Each effect in
        each of several tasks has its row, named after the task where there is one
        contrast. Required if there are several.
    truth
        True ACE ``(contrast, task)`` if known, drawn as hollow diamonds.
    sort
        ``"size"``: the largest effect first; ``"given"``: in the order of the
        contrasts.
    ax
        Axes to draw into; by default those of a new figure, ``axes.figure``, whose
        height grows with the rows.

    Returns
    -------
    Axes
        Save it by `save_figure`.

    Raises
    ------
    ContrastError
        If `task` does not exist, or is required and not given, several make more than
        200 rows, or `sort` is neither.
    OutcomesError
        If `estimates` is not a Dataset of estimates or decisions; a posterior goes
        through `causalgia.decide` first.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> estimates = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["GATA1"], "task": ["K562"]}
    ... )
    >>> forest(estimates).get_xlabel()
    'ACE on the outcome'
    """
    if sort not in ("size", "given"):
        raise ContrastError(
            f"forest: sort={quoted(sort)} is neither 'size' nor 'given'"
        )
    estimates = as_reportable(estimates)
    if (
        task is not None
        and len(
            found := selected_tasks(tasks_in_table(estimates), task, place="forest: ")
        )
        > 1
    ):
        estimates = select_tasks(estimates, found)
        table = _rows_of_tasks(estimates, truth, f"{len(found)} tasks")
    else:
        name = as_task(estimates, task, "forest")
        estimates = select_tasks(estimates, [name])
        table = task_rows(estimates, name, truth)
    axes = axes_or_new(ax, 6.4, _figure_height(table))
    return _draw_forest(
        table, estimates, axes, _row_of_contrasts(table, by_size=sort == "size")
    )


def _rows_of_tasks(
    estimates: xr.Dataset, truth: xr.DataArray | None, heading: str
) -> list[Row]:
    """Return the rows of several tasks as rows of one picture, named by task, and by
    contrast where there are several.

    Raises
    ------
    ContrastError
        If they are too many.
    """
    table = rows(estimates, truth=truth)
    several = len({row["contrast"] for row in table if not row["is_placebo"]}) > 1
    drawn = sum(not row["is_placebo"] for row in table)
    if drawn > _MOST_ROWS:
        raise ContrastError(
            f"forest: {estimates.sizes['task']:,} tasks and "
            f"{estimates.sizes['contrast']:,} contrasts are {drawn:,} rows, and a "
            f"picture shows {_MOST_ROWS}; give a narrower pattern as task=, or fewer "
            "contrasts: estimates.sel(contrast=[...])"
        )
    if not several and drawn:
        heading = (
            f"{next(row['contrast'] for row in table if not row['is_placebo'])}, "
            f"{heading}"
        )
    return [
        {
            **row,
            "contrast": f"{row['contrast']}, {row['task']}"
            if several or row["is_placebo"]
            else row["task"],
        }
        | {"task": heading, "do": None}
        for row in table
    ]


def save_forest(
    estimates: xr.Dataset, path: str | Path, *, truth: xr.DataArray | None = None
) -> Path:
    """Save forest plots of all tasks, side by side, to a file (PNG, PDF or SVG by its
    name).

    Of more than 12 tasks, those with the largest effects share one plot, as in
    ``forest(task=[...])``.

    Parameters
    ----------
    estimates, truth
        As in `forest`.
    path
        Where to.

    Raises
    ------
    OutcomesError
        If the file cannot be written.
    """
    estimates = as_reportable(estimates)
    n = len(tasks_in_table(estimates))
    if n > _MOST_PANELS:
        shown = largest_tasks(estimates, most=_MOST_PANELS)
        at = range(min(shown.sizes["contrast"], _MOST_ROWS // shown.sizes["task"]))
        if len(at) < shown.sizes["contrast"]:
            size = abs(shown["ace"] - null_value(shown)).max(
                [dim for dim in shown["ace"].dims if dim != "contrast"]
            )
            shown = shown.isel(
                contrast=np.argsort(-size.to_numpy(), kind="stable")[: len(at)]
            )
        few = shown.sizes["task"]
        table = _rows_of_tasks(shown, truth, f"largest in {few} of {n:,} tasks")
        axes = axes_or_new(None, 6.4, _figure_height(table))
        return save_figure(
            _draw_forest(table, shown, axes, _row_of_contrasts(table)), path
        )
    tables = [task_rows(estimates, task, truth) for task in tasks_in_table(estimates)]
    columns = min(len(tables), _ACROSS)
    lines = math.ceil(len(tables) / columns)
    figure = new_figure(2.2 + 4.2 * columns, lines * max(map(_figure_height, tables)))
    places = _row_of_contrasts([row for table in tables for row in table])
    # laid out together
    panels = [
        figure.add_subplot(lines, columns, 1 + number) for number in range(len(tables))
    ]
    for number, (axes, table) in enumerate(zip(panels, tables, strict=True)):
        _draw_forest(table, estimates, axes, places)
        axes.tick_params(labelleft=number % columns == 0)
        if number and (mine := axes.get_legend()) is not None:
            mine.remove()
    if len(tables) > 1:
        fit_to_page(*panels)
        figure.supxlabel(
            "Each task has an axis of its own: compare numbers, not lengths.",
            fontsize=8,
            color=GRAY,
        )
    return save_figure(panels[0], path)


def _figure_height(table: Sequence[Row]) -> float:
    n = len({row["contrast"] for row in table if not row["is_placebo"]}) + any(
        r["is_placebo"] for r in table
    )
    per_row = 0.4 if n <= _ROOMY + 1 else 0.2
    return min(1.3 + per_row * n, _TALLEST)


def _draw_forest(
    table: list[Row], estimates: xr.Dataset, axes: Axes, places: dict[str, int]
) -> Axes:
    placebos = [row for row in table if row["is_placebo"]]
    effects = [row for row in table if not row["is_placebo"]]
    rope = _draw_rope(axes, effects, places)
    _draw_placebos(
        axes,
        placebos,
        len(places),
        banded="placebo" not in str(estimates.attrs.get("rope")),
        rope=rope,
    )
    edge = reach(table, null_value(estimates))
    _draw_shrunken(axes, effects, places, edge)
    _draw_effects(axes, effects, places, edge)
    add_verdicts_to_legend(axes, estimates)
    if any(
        name in estimates and np.isinf(estimates[name]).any()
        for name in ("lower", "upper")
    ):
        axes.scatter([], [], s=26, marker=">", color=GRAY, label="unbounded")
    truth = {
        row["contrast"]: row["truth"] for row in effects if row.get("truth") is not None
    }
    if truth:
        x, y = list(truth.values()), [places[name] for name in truth]
        axes.scatter(
            x,
            y,
            s=38,
            marker="D",
            facecolors="none",
            edgecolors=INK,
            lw=0.9,
            zorder=6,
            label="truth",
        )
    _label_rows(axes, table, places, placebos)
    axes.axvline(null_value(estimates), color=INK, lw=0.8, zorder=2)
    levels = interval_label(estimates)
    axes.set_xlabel(
        axis_label(estimates.attrs) + (f"\n{levels}" if levels else ""),
        fontsize=9.5,
        **AS_IT_IS,
    )
    write_heading(axes, heading(estimates, table[0]["task"]), part_shown(estimates))
    strip(axes, "top", "right", "left")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(axis="x", color=GRID, lw=0.5, zorder=1)
    legend(axes)
    return axes


def _row_of_contrasts(table: list[Row], *, by_size: bool = True) -> dict[str, int]:
    """Return the row of each contrast, with the largest effect (mean over tasks and
    models) in row 0, at the top.
    """
    totals: dict[str, list[float]] = {}
    for row in table:
        if not row["is_placebo"]:
            totals.setdefault(row["contrast"], []).append(row["ace"])
    largest_first = sorted(
        totals, key=lambda name: -sum(totals[name]) / len(totals[name])
    )
    return {
        name: place for place, name in enumerate(largest_first if by_size else totals)
    }


def _draw_rope(
    axes: Axes, effects: list[Row], places: dict[str, int]
) -> tuple[float, float]:
    """Shade the region of practical equivalence: one band, or a bar for each effect
    where they differ.

    Returns
    -------
    tuple of float
        Ends of the intersection of all regions; (0, 0) if there are none.
    """
    ends = {
        row["contrast"]: (row["rope_lower"], row["rope_upper"])
        for row in effects
        if "rope_lower" in row
    }
    if not ends or all(low == high for low, high in ends.values()):
        return 0.0, 0.0
    look: dict[str, Any] = {"color": ROPE, "lw": 0, "zorder": 0.5, "label": "ROPE"}
    if len(set(ends.values())) == 1:
        axes.axvspan(*next(iter(ends.values())), **look)
    else:
        low, high = np.array(list(ends.values())).T
        axes.barh(
            [places[name] for name in ends], high - low, left=low, height=1.0, **look
        )
    return max(low for low, _ in ends.values()), min(high for _, high in ends.values())


def _draw_shrunken(
    axes: Axes, effects: list[Row], places: dict[str, int], edge: tuple[float, float]
) -> None:
    """Draw hierarchical effect sizes, lighter, above the estimates."""
    beside = [row for row in effects if not math.isnan(row.get("shrunken", math.nan))]
    if not beside:
        return
    x, lower, upper = (
        np.array([row[name] for row in beside])
        for name in ("shrunken", "shrunken_lower", "shrunken_upper")
    )
    low, high = np.clip(lower, *edge), np.clip(upper, *edge)
    y = np.array([places[row["contrast"]] for row in beside]) - 0.22
    axes.hlines(y, low, high, colors=GRAY, lw=0.7, alpha=0.6, zorder=3)
    size = 9 if len(places) <= _FULL_SIZE else 4
    axes.scatter(
        x, y, s=size, color=GRAY, alpha=0.6, lw=0, zorder=3.5, label="shrunken"
    )


def _draw_placebos(
    axes: Axes,
    placebos: list[Row],
    place: int,
    *,
    banded: bool,
    rope: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Draw a point for each placebo, and their band behind the effects, in front
    of the ROPE if inside it.
    """
    if not placebos:
        return
    aces = np.array([row["ace"] for row in placebos])
    found = placebo_summary(placebos)
    low, high = found["central"] or (found["lowest"], found["highest"])
    share = "central 95 %" if found["central"] else "range"
    if banded:
        order = 0.6 if rope[0] <= low and high <= rope[1] else 0.0
        axes.axvspan(
            low, high, color=BAND, lw=0, zorder=order, label=f"{share} of placebos"
        )
    spread = 0.5 * (np.arange(len(aces)) * 0.618034 % 1 - 0.5)
    axes.scatter(
        aces,
        place + spread,
        s=9,
        color=GRAY,
        alpha=0.65,
        lw=0,
        zorder=3,
        label="_placebo placebos",
    )


def _draw_effects(
    axes: Axes, effects: list[Row], places: dict[str, int], reach: tuple[float, float]
) -> None:
    models = list(dict.fromkeys(row.get("model") for row in effects))
    size, width = (8, 0.8) if len(places) > _FULL_SIZE else (26, 1.4)
    for number, model in enumerate(models):
        mine = [row for row in effects if row.get("model") == model]
        dodge = 0.0 if len(models) == 1 else 0.5 * (number / (len(models) - 1) - 0.5)
        y = np.array([places[row["contrast"]] for row in mine]) + dodge
        x = np.array([row["ace"] for row in mine])
        color: Any = (
            [color_of(row) for row in mine]
            if model is None
            else MODELS[number % len(MODELS)]
        )
        if mine and "lower" in mine[0]:
            limits = np.array(
                [[row["lower"] for row in mine], [row["upper"] for row in mine]]
            )
            low, high = np.clip(limits, *reach)
            arms = np.maximum([x - low, high - x], 0)
            axes.errorbar(
                x, y, xerr=arms, fmt="none", ecolor=color, elinewidth=width, zorder=4
            )
            colors = np.broadcast_to(color, len(mine))
            for limit, end, marker in zip(
                limits, reach, ("<", ">"), strict=True
            ):  # an arrow at each unbounded end
                if (gone := np.isinf(limit)).any():
                    look: dict[str, Any] = {
                        "s": size,
                        "marker": marker,
                        "lw": 0,
                        "zorder": 5,
                        "label": "_unbounded",
                    }
                    axes.scatter(
                        np.full(int(gone.sum()), end),
                        y[gone],
                        color=colors[gone],
                        **look,
                    )
        hollow = np.array([row.get("verdict") == "undecided" for row in mine])
        label = model or ("_decided" if "verdict" in mine[0] else "estimate")
        axes.scatter(x, y, s=size, color=color, lw=0, zorder=5, label=label)
        axes.scatter(
            x[hollow],
            y[hollow],
            s=size / 2,
            color="white",
            lw=0,
            zorder=5.5,
            label="_undecided",
        )


def _label_rows(
    axes: Axes, table: list[Row], places: dict[str, int], placebos: list[Row]
) -> None:
    every = math.ceil(len(places) / _FULL_SIZE)
    ticks = list(range(0, len(places), every))
    labels = [shortened(name) for name in places][::every]
    if placebos:
        ticks.append(len(places))
        labels.append(f"{len({row['contrast'] for row in placebos})} placebos")
    axes.set_yticks(
        ticks, labels, fontsize=9.5 if len(places) <= _ROOMY else 7, **AS_IT_IS
    )
    axes.set_ylim(len(places) - 0.4 + bool(placebos), -0.6)
    if every > 1:
        axes.set_ylabel(
            f"{len(places):,} contrasts, every {ordinal(every)} labeled",
            fontsize=8,
            color=GRAY,
        )
    place = axes.get_subplotspec()
    if len(places) <= _ROOMY and (place is None or place.is_first_col()):
        # short do-notation under each name; a shared control is named on the axis
        do = {row["contrast"]: row["do"] for row in table}
        look: dict[str, Any] = {
            "ha": "right",
            "va": "center",
            "fontsize": 7,
            "color": GRAY,
            "annotation_clip": False,
        }
        look |= AS_IT_IS
        beside: dict[str, Any] = {
            "xycoords": axes.get_yaxis_transform(),
            "textcoords": "offset points",
        }
        written = _short_do({name: do[name] or "" for name in places})
        for name, done in written.items():
            axes.annotate(done, (0, places[name]), (-3.5, -11), **beside, **look)


def _short_do(do: dict[str, str]) -> dict[str, str]:
    """Return short do-notation of each contrast, without a control that is shared by
    all or untreated.

    Contrasts with the same text are left out.

    Examples
    --------
    >>> _short_do(
    ...     {
    ...         "motif": "do(a) − do()",
    ...         "net": "do(a) − do(b)",
    ...         "sum": "do() + do(a) − do(b) − do(c)",
    ...     }
    ... )
    {'motif': 'do(a)', 'net': 'do(a) − do(b)', 'sum': 'do() + do(a) − do(b) − do(c)'}
    >>> _short_do({"one": "do(a) − do()", "other": "do(a) − do()"})
    {}
    """
    shared = {text.partition(" − ")[2] for text in do.values()}
    less = {}
    for name, text in do.items():
        treated, _, control = text.partition(" − ")
        less[name] = treated if len(shared) == 1 or control == "do()" else text
    count = Counter(less.values())
    return {
        name: text
        for name, text in less.items()
        if text and count[text] == 1 and len(text) <= _LONGEST_DO
    }
