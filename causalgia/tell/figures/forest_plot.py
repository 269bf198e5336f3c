"""Forest plots: effects with their intervals, a row for each contrast."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from causalgia.attributes import about
from causalgia.choices import PLACEBO_ROPES
from causalgia.effect_table import select_tasks, selected_tasks, tasks_in_table
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.request import null_value
from causalgia.tell.effect_rows import (
    Row,
    as_reportable,
    placebo_summary,
    reading_order,
    rows,
)
from causalgia.tell.figures.style import (
    AS_IT_IS,
    BAND,
    GRAY,
    GRID,
    INCHES_A_LETTER,
    INK,
    MODELS,
    PAGE,
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
    letters_wide,
    new_figure,
    part_shown,
    put_legend,
    reach,
    save_figure,
    set_flowing,
    shortened,
    strip,
    task_rows,
    write_heading,
)
from causalgia.tell.verdict_sentences import kind_of_region

_ROOMY = 20
# inches of a row
_ROW_WITH_DO = 0.4
_NAMED_ROW = 0.26
_DENSE_ROW = 0.125
_LONGEST_DO = 44
_ONE_PANEL = 6.4  # inches of a figure with one panel
# inches of a panel beside others, and how many
_PANEL_INCHES = 1.75
_PANELS_ACROSS = 3
_MOST_PANELS = 12
_ROWS_A_PICTURE = 100  # of a picture: each has its name
_ROWS_OF_TASKS = 20  # of many tasks in one picture, as in a report
_MOST_ASKED = 200


def forest(
    estimates: xr.Dataset,
    *,
    task: str | Sequence[str] | None = None,
    truth: xr.DataArray | None = None,
    sort: Literal["size", "given"] = "size",
    ax: Axes | None = None,
) -> Axes:
    """Draw effects with intervals in the order of a report, with the line of no effect,
    the ROPE and the placebos.

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
        ``"size"``: as in a report, directions first, then undecided and negligible
        effects, each by size; ``"given"``: in the order of the contrasts.
    ax
        Axes to draw into; by default those of a new figure, ``axes.figure``, whose
        height grows with the rows. Of more than 100 rows the first are drawn, as the
        heading says.

    Returns
    -------
    Axes
        Save it by `save_figure`.

    Raises
    ------
    EstimateError
        If `task` does not exist, or is required and not given, several make more than
        200 rows, or `sort` is neither.
    DataError
        If `estimates` is not a Dataset of estimates or decisions; a posterior goes
        through `causalgia.decide` first.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> estimates = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["GATA1"], "task": ["K562"]}
    ... )
    >>> forest(estimates).get_xlabel()
    'effect on the outcome'
    """
    if sort not in ("size", "given"):
        raise EstimateError(
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
        _check_few_enough(estimates)
        table = _rows_of_tasks(
            _rows_in_order(estimates, truth, sort), f"{len(found)} tasks"
        )
    else:
        name = as_task(estimates, task, "forest")
        estimates = select_tasks(estimates, [name])
        table = _rows_in_order(estimates, truth, sort)
    table, estimates = _first_rows(table, estimates, _ROWS_A_PICTURE)
    places = _row_of_contrasts(table)
    axes = axes_or_new(ax, _ONE_PANEL, 1.3 + _inches(table, places))
    _draw_forest(table, estimates, axes, places)
    _finish_forest(axes, table, estimates)
    if ax is None:
        _keep_apart([axes], _inches(table, places))
    return axes


def _rows_in_order(
    estimates: xr.Dataset, truth: xr.DataArray | None, sort: str = "size"
) -> list[Row]:
    table = rows(estimates, truth=truth)
    placebos = [row for row in table if row["is_placebo"]]
    in_order = (
        table if sort == "given" else [table[i] for i in reading_order(estimates)]
    )
    return [*(row for row in in_order if not row["is_placebo"]), *placebos]


def _check_few_enough(estimates: xr.Dataset) -> None:
    """Raise EstimateError where several tasks make too many rows."""
    drawn = (~is_placebo(estimates)).sum() * estimates["ace"][0].size
    if drawn > _MOST_ASKED:
        raise EstimateError(
            f"forest: {drawn:,} rows, of tasks and contrasts, are more than "
            f"{_MOST_ASKED}"
        )


def _rows_of_tasks(table: list[Row], heading: str) -> list[Row]:
    """Return the rows of several tasks as rows of one picture, named by task, and by
    contrast where there are several.
    """
    names = {row["contrast"] for row in table if not row["is_placebo"]}
    several = len(names) > 1
    if len(names) == 1:
        heading = f"{next(iter(names))}, {heading}"
    return [
        row
        | {
            "contrast": f"{row['contrast']}, {row['task']}"
            if several or row["is_placebo"]
            else row["task"],
            "task": heading,
            "do": "",
        }
        for row in table
    ]


def save_forest(
    estimates: xr.Dataset, path: str | Path, *, truth: xr.DataArray | None = None
) -> Path:
    """Save forest plots of all tasks, side by side, to a file (PNG, PDF or SVG by its
    name).

    Of more than 12 tasks, the first 20 rows of a report share one plot, as in
    ``forest(task=[...])``.

    Parameters
    ----------
    estimates, truth
        As in `forest`.
    path
        Where to.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    return save_figure(forest_of_tasks(estimates, truth=truth), path)


def forest_of_tasks(
    estimates: xr.Dataset,
    *,
    truth: xr.DataArray | None = None,
    width: float = PAGE,
    rows_within: float | None = None,
) -> Axes:
    """Return the first panel of a figure of all tasks, side by side: they share the
    names of the rows, one legend and the name of what is drawn.

    Of more than 12 tasks, the first 20 rows of a report share one plot.

    Parameters
    ----------
    estimates, truth
        As in `forest`.
    width
        Inches of the figure. Narrow ones have one panel beside the names, which are
        cut to fewer letters.
    rows_within
        Inches that the rows of all panels may take together: of more contrasts the
        first are drawn, at least three, as the heading says. None: up to 100 rows.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5, 0.2]])
    >>> names = {"contrast": ["GATA1"], "task": ["K562", "HepG2"]}
    >>> first = forest_of_tasks(xr.Dataset({"ace": ace}, coords=names))
    >>> [axes.get_title("left") for axes in first.figure.axes]
    ['K562', 'HepG2']
    """
    estimates = as_reportable(estimates)
    tasks = tasks_in_table(estimates)
    if len(tasks) > _MOST_PANELS:
        return _first_of_tasks(estimates, truth, width, rows_within)
    if len(tasks) > 1:
        return _draw_panels(estimates, truth, width, rows_within)
    table = _rows_in_order(estimates, truth)
    most = _ROWS_A_PICTURE if rows_within is None else _rows_in(rows_within)
    return _draw_alone(*_first_rows(table, estimates, most), width)


def _rows_in(inches: float, lines: int = 1) -> int:
    """Return how many contrasts have room in each of so many panels, one below the
    other.
    """
    return max(3, int((inches / lines - 0.5 * (lines > 1)) / _NAMED_ROW - 1.2))


def _letters(width: float) -> float:
    """Return how many letters of a name have room in a figure of this width."""
    return 40 if width >= _ONE_PANEL else 0.42 * width / INCHES_A_LETTER


def _draw_alone(table: list[Row], estimates: xr.Dataset, width: float) -> Axes:
    """Draw rows in one plot of a figure of its own."""
    places = _row_of_contrasts(table)
    tall = _inches(table, places)
    # words around a narrow plot take more lines
    around = 1.3 if width >= _ONE_PANEL else 2.6
    axes = axes_or_new(None, min(width, _ONE_PANEL), around + tall)
    _draw_forest(table, estimates, axes, places, _letters(width))
    _finish_forest(axes, table, estimates)
    _keep_apart([axes], tall)
    return axes


def _first_of_tasks(
    estimates: xr.Dataset,
    truth: xr.DataArray | None,
    width: float,
    rows_within: float | None,
) -> Axes:
    """Draw the first rows over all tasks as rows of one plot."""
    most = _ROWS_OF_TASKS if rows_within is None else _rows_in(rows_within)
    table = _rows_in_order(estimates, truth)
    first = [row for row in table if not row["is_placebo"]][:most]
    tasks = tasks_in_table(estimates)
    of_first = {row["task"] for row in first}
    placebos = [row for row in table if row["is_placebo"] and row["task"] in of_first]
    drawn = _rows_of_tasks([*first, *placebos], f"first rows of {len(tasks):,} tasks")
    at = [i for i, name in enumerate(tasks) if name in of_first]
    return _draw_alone(drawn, estimates.isel(task=at), width)


def _draw_panels(
    estimates: xr.Dataset,
    truth: xr.DataArray | None,
    page: float,
    rows_within: float | None,
) -> Axes:
    """Draw a panel for each task, with shared rows, legend and name of the numbers."""
    from matplotlib.ticker import MaxNLocator

    tasks = tasks_in_table(estimates)
    every = _rows_in_order(estimates, truth)
    letters = _letters(page)
    names = {shortened(row["contrast"], letters) for row in every}
    wide = INCHES_A_LETTER * max(map(letters_wide, names)) + 0.3
    fit = int((page - wide) / _PANEL_INCHES)
    columns = max(1, min(len(tasks), _PANELS_ACROSS, fit))
    lines = math.ceil(len(tasks) / columns)
    most = max(_ROWS_A_PICTURE // lines, 8)
    if rows_within is not None:
        most = _rows_in(rows_within, lines)
    every, estimates = _first_rows(every, estimates, most)
    places = _row_of_contrasts(every)
    tables = [task_rows(estimates, task, truth) for task in tasks]
    tall = _inches(every, places)
    figure = new_figure(min(page, wide + 2.6 * columns), 1.4 + lines * (tall + 0.5))
    panels = [
        figure.add_subplot(lines, columns, 1 + number) for number in range(len(tasks))
    ]
    for number, (axes, table) in enumerate(zip(panels, tables, strict=True)):
        _draw_forest(table, estimates, axes, places, letters)
        axes.tick_params(labelleft=number % columns == 0)
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        room = (page - wide) / columns
        axes.set_title(
            shortened(tasks[number], (room - 0.25) / INCHES_A_LETTER),
            fontsize=9.5,
            loc="left",
            color=INK,
            **AS_IT_IS,
        )
    if above := _headed(estimates, ""):
        title = figure.suptitle(
            "", fontsize=10.5, x=0.01, ha="left", color=INK, **AS_IT_IS
        )
        set_flowing(title, above)
    keys = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    keys = {label: keys[label] for label in keys if list(keys) != ["estimate"]}
    own = "Each task has an axis of its own: compare numbers, not lengths."
    letters_across = int(80 * page / PAGE)
    words = (_numbers(estimates, "; "), own)
    below = "\n".join(fill(text, letters_across) for text in words)
    if keys:
        put_legend(
            figure,
            list(keys.values()),
            list(keys),
            4 if page >= _ONE_PANEL else 2,
            loc="outside lower center",
            title=below,
            title_fontsize=9,
        )
    else:
        figure.supxlabel(below, fontsize=9, **AS_IT_IS)
    fit_to_page(*panels)
    _keep_apart(panels, tall)
    return panels[0]


def _first_rows(
    table: list[Row], estimates: xr.Dataset, most: int
) -> tuple[list[Row], xr.Dataset]:
    """Return the placebos and the rows of the first contrasts, and the Dataset that
    says so.
    """
    of_effects = _row_of_contrasts(table)
    if len(of_effects) <= most:
        return table, estimates
    drawn = set(list(of_effects)[:most])
    words = f"the first {most} of {len(of_effects):,} effects"
    before = about(estimates, "").shown
    cut = [row for row in table if row["is_placebo"] or row["contrast"] in drawn]
    names = [str(name) for name in estimates["contrast"].to_numpy()]
    if drawn <= set(names):
        placebo = {row["contrast"] for row in table if row["is_placebo"]}
        pairs = [
            name
            for name, variable in estimates.variables.items()
            if "contrast_" in variable.dims
        ]
        estimates = estimates.drop_vars(pairs).isel(
            contrast=[i for i, name in enumerate(names) if name in drawn | placebo]
        )
    return cut, estimates.assign_attrs(shown=before or words)


def _inches(table: Sequence[Row], places: dict[str, int]) -> float:
    """Return how tall the rows are together."""
    n = len(places) + any(row["is_placebo"] for row in table)
    if len(places) > _ROOMY:
        return _DENSE_ROW * (n + 0.2)
    if (models := len({row.get("model") for row in table})) > 2:
        return (0.14 * models + 0.1) * (n + 0.2)
    return (_ROW_WITH_DO if any(_texts_of(table, places).values()) else _NAMED_ROW) * (
        n + 0.2
    )


def _keep_apart(panels: list[Axes], inches: float) -> None:
    """Make the figure as tall as the rows of its panels need."""
    figure: Any = panels[0].get_figure(root=True)
    place = panels[0].get_subplotspec()
    lines = 1 if place is None else place.get_gridspec().nrows
    for _ in range(3):
        found = panels[0].get_window_extent().height / figure.dpi
        if abs(found - inches) < 0.01 * inches:
            break
        width, height = figure.get_size_inches()
        figure.set_size_inches(width, height + lines * (inches - found))
        fit_to_page(*panels)


def _draw_forest(
    table: list[Row],
    estimates: xr.Dataset,
    axes: Axes,
    places: dict[str, int],
    letters: float = 40,
) -> None:
    placebos = [row for row in table if row["is_placebo"]]
    effects = [row for row in table if not row["is_placebo"]]
    edge = reach(table, null_value(estimates))
    kind = kind_of_region(estimates.attrs)
    rope = _draw_rope(axes, effects, places, edge, kind)
    _draw_placebos(
        axes,
        placebos,
        len(places),
        banded=kind not in PLACEBO_ROPES,
        rope=rope,
    )
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
    _label_rows(axes, table, places, placebos, letters)
    axes.axvline(null_value(estimates), color=INK, lw=0.8, zorder=2)
    strip(axes, "top", "right", "left")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(axis="x", color=GRID, lw=0.5, zorder=1)


def _finish_forest(axes: Axes, table: list[Row], estimates: xr.Dataset) -> None:
    axes.set_xlabel(_numbers(estimates, "\n"), fontsize=9.5, **AS_IT_IS)
    write_heading(axes, _headed(estimates, table[0]["task"]))
    legend(axes)


def _numbers(estimates: xr.Dataset, between: str) -> str:
    """Return what the numbers are, and the level of their intervals."""
    parts = (axis_label(estimates.attrs), interval_label(estimates))
    return between.join(filter(None, parts))


def _headed(estimates: xr.Dataset, task: str) -> str:
    above = heading(estimates, *filter(None, (task,)))
    return ": ".join(filter(None, (above, part_shown(estimates))))


def _row_of_contrasts(table: list[Row]) -> dict[str, int]:
    """Return the row of each contrast, the first at the top."""
    names = dict.fromkeys(row["contrast"] for row in table if not row["is_placebo"])
    return {name: place for place, name in enumerate(names)}


def _draw_rope(
    axes: Axes,
    effects: list[Row],
    places: dict[str, int],
    edge: tuple[float, float],
    kind: str,
) -> tuple[float, float]:
    """Shade the region of practical equivalence: one band, or a bar for each effect
    where they differ.

    Returns
    -------
    tuple of float
        Ends of the intersection of all regions; (0, 0) if there are none.
    """
    ends = {
        row["contrast"]: tuple(np.clip([row["rope_lower"], row["rope_upper"]], *edge))
        for row in effects
        if "rope_lower" in row
    }
    if not ends or all(low == high for low, high in ends.values()):
        return 0.0, 0.0
    label = "range of matched variants" if kind == "matched" else "ROPE"
    look: dict[str, Any] = {"color": ROPE, "lw": 0, "zorder": 0.5, "label": label}
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
    size = 9 if len(places) <= _ROOMY else 7
    axes.scatter(x, y, s=size, color=GRAY, lw=0, zorder=3.5, label="shrunken")


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
    size, width = (9, 0.9) if len(places) > _ROOMY else (26, 1.4)
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
    axes: Axes,
    table: list[Row],
    places: dict[str, int],
    placebos: list[Row],
    letters: float = 40,
) -> None:
    ticks = list(range(len(places)))
    labels = [shortened(name, letters) for name in places]
    if placebos:
        ticks.append(len(places))
        labels.append(f"{len({row['contrast'] for row in placebos}):,} placebos")
    axes.set_yticks(
        ticks, labels, fontsize=9.5 if len(places) <= _ROOMY else 7, **AS_IT_IS
    )
    axes.set_ylim(len(places) - 0.4 + bool(placebos), -0.6)
    axes.set_label("rows")
    place = axes.get_subplotspec()
    if len(places) <= _ROOMY and (place is None or place.is_first_col()):
        # short do-notation under each name; a shared control is named on the axis
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
        for name, done in _texts_of(table, places).items():
            axes.annotate(done, (0, places[name]), (-3.5, -11), **beside, **look)


def _texts_of(table: Sequence[Row], places: dict[str, int]) -> dict[str, str]:
    """Return the do-notation that is written under the names of rows."""
    do = {row["contrast"]: row["do"] for row in table}
    return _short_do({name: do[name] or "" for name in places})


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
        if text and count[text] == 1 and letters_wide(text) <= _LONGEST_DO
    }
