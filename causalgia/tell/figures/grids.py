"""Heatmaps: effects over two coordinates of their contrasts, such as pair and distance;
sharing of pairs of tasks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from causalgia.checks import listed
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.request import null_value
from causalgia.posterior.posterior_tree import tree_datasets, tree_group
from causalgia.tell.effect_rows import as_reportable
from causalgia.tell.figures.style import (
    AS_IT_IS,
    BAND,
    EFFECT,
    GRAY,
    INCHES_A_LETTER,
    INK,
    PAGE,
    as_task,
    axes_or_new,
    axis_label,
    fit_to_page,
    heading,
    interval_label,
    legend_below,
    letters_wide,
    on_contrasts,
    ordinal,
    part_shown,
    shortened,
    strip,
    task_rows,
    write_heading,
)
from causalgia.tell.table_formats import format_effect, format_number
from causalgia.types import Array, PosteriorGroups

if TYPE_CHECKING:
    from matplotlib.image import AxesImage


_EFFECTS = ("ace", "lower", "upper", "shrunken")
_COLORS = ["#8a3b06", "#e9a263", "#ffffff", "#7fb0dd", "#123f70"]
_WRITTEN, _LABELS, _PAIRED_LABELS = 120, 40, 100
_INCHES_A_LINE = 0.15  # of labels


def heatmap(
    table: xr.Dataset,
    *,
    rows: str,
    columns: str,
    value: str = "ace",
    task: str | None = None,
    label: str = EFFECT,
    ax: Axes | None = None,
) -> Axes:
    """Draw a variable of the contrasts as colors in a grid of two of their coordinates.

    The color scale is symmetric about no effect (0, for ratios 1), which is white.
    Cells without a contrast are gray. Grids of up to 120 cells show the numbers too,
    effects rounded by their standard errors.

    Parameters
    ----------
    table
        From `causalgia.estimate` or `causalgia.decide`: ``ace (contrast, task)``.
    rows, columns
        Coordinates of the contrasts; numbers are sorted, names are in the order of the
        contrasts. Contrasts that lack one of them are left out.
    value
        The variable: ``"ace"``, ``"se"``, ``"lfsr"``, ...
    task
        The task; required if there are several.
    label
        Name of the effects on the color bar: ``"effect"``, or another such as
        ``"Interaction"``.
    ax
        Axes to draw into; by default those of a new figure, as large as its cells need.

    Returns
    -------
    Axes
        With a color bar; save by `save_figure`.

    Raises
    ------
    EstimateError
        If a coordinate or the value does not exist or is not finite, two contrasts
        share a cell, there are several models, or the task does not exist or is
        required.
    DataError
        If `table` is not a Dataset of estimates or decisions.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5], [0.5], [-1.0]])
    >>> at = {"first": ("contrast", list("AAB")), "distance": ("contrast", [10, 5, 5])}
    >>> table = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["x", "y", "z"], "task": ["K562"], **at}
    ... )
    >>> axes = heatmap(table, rows="first", columns="distance")
    >>> axes.images[0].get_array().tolist()
    [[0.5, 1.5], [-1.0, None]]
    """
    table = as_reportable(table)
    task = as_task(table, task, "heatmap")
    cells = _grid_cells(table, rows, columns, value, task)
    down, across = (_ordered(place[axis] for place in cells) for axis in (0, 1))
    grid = np.full((len(down), len(across)), np.nan)
    texts = np.full(grid.shape, "", dtype=object)
    for (row, column), (number, text) in cells.items():
        place = down.index(row), across.index(column)
        grid[place], texts[place] = number, text
    axes = axes_or_new(ax, *_figure_size(grid, down, across))
    center = null_value(table) if value in _EFFECTS else 0.0
    image = _draw_grid(axes, grid, center)
    _add_color_bar(
        axes, image, axis_label(table.attrs, label) if value == "ace" else value
    )
    _label_grid(
        axes,
        (columns, across),
        (rows, down),
        heading(table, task),
        shown=part_shown(table),
    )
    fit_to_page(axes)
    _write_values(axes, grid, texts, center)
    return axes


def interaction_map(
    table: xr.Dataset,
    *,
    task: str | None = None,
    model: str | int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw interactions of pairs of positions as a triangle of colors, from those of
    pair mutagenesis.

    Rows are the first position of a pair and columns the second. Blue pairs need each
    other, brown ones replace each other, and white ones add up; pairs that were not
    measured are gray. A dot marks a pair whose interval excludes 0: give intervals that
    hold for all pairs, ``cg.simultaneous(interactions)``. One
    sequence has none.

    Parameters
    ----------
    table
        Estimates, decisions or simultaneous intervals of
        `causalgia.attribution.interactions`.
    task, model
        The task and member; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        With a color bar; save by `save_figure`.

    Raises
    ------
    EstimateError
        If contrasts are no pairs of positions, or the task or member does not exist or
        is required.
    DataError
        If `table` is not a Dataset of estimates or decisions.

    Examples
    --------
    >>> at = {"first": ("contrast", [4, 4, 5]), "second": ("contrast", [5, 6, 6])}
    >>> ace = (("contrast", "task"), [[1.5], [0.5], [-1.0]])
    >>> table = xr.Dataset(
    ...     {"ace": ace},
    ...     coords={"contrast": ["4:5", "4:6", "5:6"], "task": ["K562"], **at},
    ... )
    >>> interaction_map(table).images[0].get_array().tolist()
    [[None, 1.5, 0.5], [None, None, -1.0], [None, None, None]]
    """
    table = as_reportable(table)
    if not {"first", "second"} <= set(table.coords) or any(
        table[name].dtype.kind not in "iu" for name in ("first", "second")
    ):
        raise EstimateError("interaction_map: the contrasts are not pairs of positions")
    task = as_task(table, task, "interaction_map")
    if "model" in table["ace"].dims:
        names = table["model"].to_numpy().tolist()
        if model not in names:
            raise EstimateError(
                f"interaction_map: model={quoted(model)} is none of {listed(names)}"
            )
        table = table.sel(model=model)
    elif model is not None:
        raise EstimateError(
            f"interaction_map: model={quoted(model)}, and there is no dim model"
        )
    table = table.sel(task=task)
    pairs = np.stack([table["first"].to_numpy(), table["second"].to_numpy()], axis=1)
    places = np.unique(pairs)
    if places[-1] - places[0] < 2 * len(places):  # nearly contiguous: gaps are shown
        places = np.arange(places[0], places[-1] + 1)
    row, column = np.searchsorted(places, pairs).T
    grid = np.full((len(places), len(places)), np.nan)
    grid[row, column] = table["ace"].to_numpy()
    side = float(np.clip(0.1 * len(places), 3.2, (PAGE - 1.0) / 1.25))
    axes = axes_or_new(ax, side * 1.25 + 1.0, side + 0.6)
    image = _draw_grid(axes, grid, 0.0)
    axes.plot(
        [-0.5, len(places) - 0.5], [-0.5, len(places) - 0.5], color=GRAY, linewidth=0.6
    )
    below = np.tril(np.ones(grid.shape, dtype=bool))
    axes.imshow(
        np.ma.masked_where(~below, below),
        cmap="gray",
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
    )
    if {"lower", "upper"} <= set(table.variables):
        beyond = ((table["lower"] > 0) | (table["upper"] < 0)).to_numpy()
        size = float(np.clip((30 * side / len(places)) ** 2, 0.5, 20.0))
        far = np.abs(grid[row, column]) > 0.4 * np.nanmax(np.abs(grid))
        for some, color in ((beyond & far, "white"), (beyond & ~far, "#1b1f24")):
            axes.scatter(
                column[some], row[some], s=size, c=color, linewidths=0, zorder=3
            )
        interval = (interval_label(table) or "interval").replace(
            "intervals", "interval"
        )
        axes.scatter([], [], s=16, color=INK, label=f"{interval} excludes 0")
    _add_color_bar(axes, image, axis_label(table.attrs, "interaction"))
    names = places.tolist()
    title = heading(table, task, *([] if model is None else [str(model)]))
    _label_grid(
        axes,
        ("second position", names),
        ("first position", names),
        title,
        most=int(5 * side),
    )
    if np.isnan(grid[np.triu_indices(len(places), 1)]).any():
        axes.scatter([], [], s=36, marker="s", color=BAND, label="not measured")
    legend_below(axes)
    fit_to_page(axes)
    return axes


def sharing(
    posterior: xr.Dataset | PosteriorGroups,
    *,
    by: Literal["size", "sign"] = "size",
    ax: Axes | None = None,
) -> Axes:
    """Draw how many effects each pair of tasks shares, as a matrix of colors.

    Of the effects that are clear in one of two tasks (lfsr at most .05), the share
    whose posterior means agree. Pairs without such an effect are gray; up to ten tasks
    show the numbers too. Up to 100 tasks are labeled where there is room, of more every
    second, third and so on, as the axis says.

    Parameters
    ----------
    posterior
        From ``causalgia.infer(..., across="task")``.
    by
        ``"size"``: one sign, and sizes within a factor of 2. ``"sign"``: one sign.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        With a color bar; save by `save_figure`.

    Raises
    ------
    EstimateError
        If `by` is neither.
    EstimateError
        If the posterior is not one across tasks.

    Examples
    --------
    >>> group = xr.Dataset(
    ...     {
    ...         name: (("task", "task_"), [[1.0, 0.8], [0.8, 1.0]])
    ...         for name in ("same_size", "same_sign", "n_either")
    ...     },
    ...     coords={"task": ["liver", "lung"], "task_": ["liver", "lung"]},
    ... )
    >>> sharing({"sharing": group}).images[0].get_array().tolist()
    [[1.0, 0.8], [0.8, 1.0]]
    """
    if by not in ("size", "sign"):
        raise EstimateError(f"sharing: by={quoted(by)} is neither 'size' nor 'sign'")
    if "sharing" not in (groups := tree_datasets(posterior)) and "posterior" in groups:
        raise EstimateError("sharing: this posterior treats each task by itself")
    found = tree_group(posterior, "sharing", "same_size", "same_sign", "n_either")
    share = found[f"same_{by}"].transpose("task", "task_").to_numpy()
    grid = np.where(
        found["n_either"].transpose("task", "task_").to_numpy() > 0, share, np.nan
    )
    tasks = found["task"].to_numpy().tolist()
    axes = axes_or_new(ax, *_figure_size(grid, tasks, tasks, square=True))
    from matplotlib.colors import LinearSegmentedColormap

    colors = LinearSegmentedColormap.from_list(
        "shares", _COLORS[2:], N=257
    ).with_extremes(bad=BAND)
    image = axes.imshow(
        np.ma.masked_invalid(grid), cmap=colors, vmin=0, vmax=1, interpolation="nearest"
    )
    texts = np.full(grid.shape, "", dtype=object)
    for place, number in np.ndenumerate(grid):
        texts[place] = f"{number:.2f}".replace("0.", ".") if np.isfinite(number) else ""
    alike = "one sign, sizes within a factor of 2" if by == "size" else "one sign"
    _add_color_bar(axes, image, f"share of clear effects: {alike}")
    _label_grid(
        axes, ("", tasks), ("", tasks), f"{len(tasks):,} tasks", most=_PAIRED_LABELS
    )
    fit_to_page(axes)
    _write_values(axes, grid, texts, 0.0)
    return axes


def _grid_cells(
    table: xr.Dataset, rows: str, columns: str, value: str, task: str
) -> dict[tuple[Any, Any], tuple[float, str]]:
    """Return (row, column) -> number and, for effects, its text as a report writes
    it.
    """
    down, across = (
        on_contrasts(table, rows, "heatmap"),
        on_contrasts(table, columns, "heatmap"),
    )
    cells: dict[tuple[Any, Any], tuple[float, str]] = {}
    for row in task_rows(table, task):
        name = row["contrast"]
        if "model" in row:
            raise EstimateError("heatmap: there are several models, and one is drawn")
        if name not in down or name not in across:
            continue
        place = down[name], across[name]
        if place in cells:
            raise EstimateError(
                f"heatmap: two contrasts are at {rows} {place[0]}, {columns} "
                f"{place[1]} ({quoted(name)} is the second)"
            )
        number = row.get(value)
        if isinstance(number, str) or number is None or not np.isfinite(number):
            raise EstimateError(
                f"heatmap: value={quoted(value)} of {quoted(row['contrast'])} is "
                f"{quoted(number)}, no finite number"
            )
        cells[place] = float(number), format_effect(row)[0] if value == "ace" else ""
    if not cells:
        raise EstimateError(
            f"heatmap: no contrast has both {quoted(rows)} and {quoted(columns)}"
        )
    return cells


def _ordered(places: Any) -> list[Any]:
    """Return distinct values: numbers sorted, names in order of appearance."""
    found = list(dict.fromkeys(places))
    return (
        sorted(found)
        if all(isinstance(place, int | float) for place in found)
        else found
    )


def _figure_size(
    grid: Array, down: list[Any], across: list[Any], *, square: bool = False
) -> tuple[float, float]:
    beside, below = (
        INCHES_A_LETTER * max(letters_wide(_tick_label(place)) for place in names)
        for names in (down, across)
    )
    height, width = (float(np.clip(0.42 * n, 1.2, 9.0)) for n in grid.shape)
    if square:
        height = min(height, max(PAGE - beside - 2.0, 1.2))
    return (
        float(np.clip(width * 1.25 + beside + 2.0, 3.6, PAGE)),
        height + 1.2 + max(0.0, below - 4 * INCHES_A_LETTER),
    )


def _draw_grid(axes: Axes, grid: Array, center: float) -> AxesImage:
    from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm

    away = float(np.nanmax(np.abs(grid - center))) or 1.0
    colors = LinearSegmentedColormap.from_list("effects", _COLORS, N=257).with_extremes(
        bad=BAND
    )
    norm = TwoSlopeNorm(vcenter=center, vmin=center - away, vmax=center + away)
    return axes.imshow(
        np.ma.masked_invalid(grid),
        cmap=colors,
        norm=norm,
        aspect="auto",
        interpolation="nearest",
    )


def _write_values(
    axes: Axes, grid: Array, texts: NDArray[np.object_], center: float
) -> None:
    if grid.size > _WRITTEN:
        return
    width, height = _cell_size(axes, grid.shape)
    if height < _INCHES_A_LINE or width < 0.068 * max(
        map(len, map(str, texts.ravel()))
    ):
        return
    away = float(np.nanmax(np.abs(grid - center))) or 1.0
    for (row, column), number in np.ndenumerate(grid):
        if np.isfinite(number):
            dark = abs(number - center) > 0.62 * away
            look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.5}
            text = str(texts[row, column]) or format_number(number, away / 10)
            axes.text(
                column,
                row,
                text.replace("-", "\N{MINUS SIGN}"),
                color="white" if dark else "#1b1f24",
                **look,
            )


def _add_color_bar(axes: Axes, image: AxesImage, label: str) -> None:
    figure = axes.get_figure(root=True)
    if figure is not None:
        bar = figure.colorbar(image, ax=axes, shrink=0.9, pad=0.02)
        bar.set_label(label, fontsize=9, **AS_IT_IS)
        bar.ax.tick_params(labelsize=8)
        bar.outline.set_visible(False)


def _tick_label(place: Any) -> str:
    """Return a name shortened, or a number with four digits."""
    return f"{place:.4g}" if isinstance(place, float) else shortened(str(place))


def _cell_size(axes: Axes, shape: tuple[int, ...]) -> tuple[float, float]:
    """Return width and height of a cell in inches, as it was last laid out."""
    box, dpi = axes.get_window_extent(), axes.get_figure(root=True).dpi  # type: ignore[union-attr]
    return box.width / dpi / shape[1], box.height / dpi / shape[0]


Places = tuple[str, list[Any]]


def _label_grid(
    axes: Axes,
    columns: Places,
    rows: Places,
    above: str,
    *,
    most: int = _LABELS,
    shown: str = "",
) -> None:
    """Label rows and columns, of more than have room every second, third and so on,
    with a word on it.
    """
    axes.tick_params(length=0, labelcolor=GRAY)
    write_heading(axes, above, shown)
    strip(axes, "top", "right", "left", "bottom")
    wide = (
        INCHES_A_LETTER * max(letters_wide(_tick_label(place)) for place in columns[1])
        + 0.06
    )
    room = {axes.xaxis: most, axes.yaxis: most}
    for _ in range(2):  # labels take room from the cells that they name
        for axis, (name, found) in ((axes.xaxis, columns), (axes.yaxis, rows)):
            every = -(-len(found) // max(1, min(most, room[axis])))
            axis.set_ticks(list(range(0, len(found), every)))
            axis.set_ticklabels(
                [_tick_label(place) for place in found[::every]],
                fontsize=8.5,
                **AS_IT_IS,
            )
            some = f"{ordinal(every)} of {len(found):,} labeled"
            words = [name.replace("_", " "), f"(every {some})" if every > 1 else ""]
            axis.set_label_text(" ".join(filter(None, words)), fontsize=9.5, **AS_IT_IS)
        fit_to_page(axes)
        box, dpi = axes.get_window_extent(), axes.get_figure(root=True).dpi  # type: ignore[union-attr]
        across, down = box.width / dpi, box.height / dpi
        upright = len(columns[1]) * wide > across
        axes.tick_params(axis="x", labelrotation=90 if upright else 0)
        room = {
            axes.xaxis: int(across / (_INCHES_A_LINE if upright else wide)),
            axes.yaxis: int(down / _INCHES_A_LINE),
        }
