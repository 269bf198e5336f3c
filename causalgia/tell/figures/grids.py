"""Heatmaps: effects by contrast and task, or over two coordinates of the contrasts, or any
small matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm, LinearSegmentedColormap

from causalgia.errors import EstimateError, quoted
from causalgia.estimation.request import null_value
from causalgia.tell.figures.style import (
    AS_IT_IS,
    BAND,
    INK,
    PAGE,
    axis_label,
    effects_in,
    finish,
    in_lines,
    letters_wide,
    new_axes,
    of_one_task,
    rows_of,
    shortened,
    title_of,
)

_COLORS = ["#8a3b06", "#e9a263", "#ffffff", "#7fb0dd", "#123f70"]
_WRITTEN, _LABELS = 120, 40
_CELL, _LETTER = 0.45, 0.083  # inches


def heatmap(
    table: xr.Dataset | xr.DataArray,
    *,
    rows: str = "contrast",
    columns: str = "task",
    value: str = "estimate",
    task: str | None = None,
    label: str = "effect",
    ax: Axes | None = None,
) -> Axes:
    """Draw effects as colors in a grid, of contrasts by tasks or of two coordinates of
    the contrasts.

    Colors are symmetric about no effect (0, for ratios 1), which is white; cells
    without a contrast are gray. Up to 120 cells show their numbers, bold where the
    interval excludes no effect; in larger grids a dot marks these.

    Parameters
    ----------
    table
        From `causalgia.estimate` or `causalgia.decide`: ``ace (contrast, task)``. Or an
        array on the dims `rows` and `columns`, such as
        ``posterior["sharing"]["same_size"]``.
    rows, columns
        ``"contrast"`` (in the order of the report), ``"task"``, or coordinates of the
        contrasts: numbers are sorted, names are in the order of the contrasts, and
        contrasts that lack one of them are left out.
    value
        A column of `causalgia.tidy`: ``"estimate"``, ``"shrunken"``, ``"lfsr"``, ...
    task
        The task; required if there are several, and neither rows nor columns are tasks.
    label
        Name of the numbers on the color bar.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        With a color bar.

    Raises
    ------
    EstimateError
        If a coordinate or the value does not exist, two contrasts share a cell, there
        are several models, or the task does not exist or is required.
    DataError
        If these are no estimates.

    Examples
    --------
    >>> at = {"first": ("contrast", list("AAB")), "distance": ("contrast", [10, 5, 5])}
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[1.5], [0.5], [-1.0]])},
    ...     {"contrast": ["x", "y", "z"], "task": ["K562"], **at},
    ... )
    >>> axes = heatmap(table, rows="first", columns="distance")
    >>> axes.images[0].get_array().tolist()
    [[0.5, 1.5], [-1.0, None]]
    >>> [row.get_text() for row in heatmap(table).get_yticklabels()]
    ['z', 'y', 'x']
    """
    center, title, words = 0.0, "", label
    if isinstance(table, xr.DataArray):
        grid = pd.DataFrame(table.transpose(rows, columns).to_pandas())
        excludes = np.zeros(grid.shape, dtype=bool)
    else:
        found = effects_in(table)
        if task is not None or "task" not in (rows, columns) or "model" in found.dims:
            found = of_one_task(found, task, "heatmap")
        frame, ace = rows_of(found), found["ace"]
        at = np.unravel_index(frame.index, ace.shape)[ace.dims.index("contrast")]
        frame = frame.assign(contrast=found["contrast"].to_numpy()[at])
        places = {"contrast": _ordered(frame.sort_values("_place")["contrast"])}
        frame = frame.sort_index()
        if missing := {rows, columns, value} - set(frame):
            raise EstimateError(f"heatmap: no coordinate {quoted(min(missing))}")
        given = [name for name in (rows, columns) if name not in ("contrast", "task")]
        frame = frame[~frame[given].isin(["", None, np.nan]).any(axis=1)]
        places = {name: _ordered(frame[name]) for name in (rows, columns)} | places
        if not len(frame) or frame.duplicated([rows, columns]).any():
            raise EstimateError(
                f"heatmap: each {rows} and {columns} needs one contrast, and none is "
                "there, or two share a cell"
            )
        center = null_value(found) if value in ("estimate", "shrunken") else 0.0
        low, high = frame["conf_low"], frame["conf_high"]
        beyond = ((low > center) | (high < center)) & (low < high)  # has an interval
        grid, of_each = (
            frame.assign(beyond=beyond)
            .pivot(index=rows, columns=columns, values=name)
            .reindex(index=places[rows], columns=places[columns])
            for name in (value, "beyond")
        )
        excludes = of_each.to_numpy() == True  # noqa: E712
        title = title_of(found)
        words = axis_label(found.attrs, label) if value == "estimate" else value
    down, across = ([_name(place) for place in index] for index in grid.axes)
    beside, below = (
        _LETTER * max(map(letters_wide, names)) for names in (down, across)
    )
    width = np.clip(_CELL * len(across) + beside + 2.2, 4.2, PAGE)
    height = np.clip(_CELL * len(down), 1.4, 5.5) + min(below, 2.5) + 1.2
    (axes,) = new_axes(ax, float(width), float(height))
    numbers = grid.to_numpy(float)
    colors = LinearSegmentedColormap.from_list("effects", _COLORS, N=257).with_extremes(
        bad=BAND
    )
    away = float(np.nanmax(np.abs(numbers - center), initial=0.0)) or 1.0
    image = axes.imshow(
        np.ma.masked_invalid(numbers), cmap=colors, norm=CenteredNorm(center, away),
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    known = numbers[np.isfinite(numbers)]
    bar.ax.set_ylim(known.min(initial=center), known.max(initial=center))
    bar.outline.set_visible(False)
    _label(axes.xaxis, columns, across)
    _label(axes.yaxis, rows, down)
    upright = below > 0.8 * (float(width) - beside - 1.2) / len(across)
    axes.tick_params(length=0)
    axes.tick_params(axis="x", labelrotation=90 if upright else 0)
    texts = {
        (column, row): f"{number:.2g}".replace("-", "\N{MINUS SIGN}")
        for (row, column), number in np.ndenumerate(numbers)
        if np.isfinite(number)
    }
    room = (float(width) - beside - 1.7) / len(across)
    written = numbers.size <= _WRITTEN and room > 0.07 * max(map(len, texts.values()))
    for (column, row), text in texts.items() if written else ():
        ink = "white" if abs(numbers[row, column] - center) > 0.62 * away else INK
        weight = "bold" if excludes[row, column] else "normal"
        look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7.5}
        axes.text(column, row, text, color=ink, weight=weight, **look)
    if excludes.any():
        mark = "bold" if written else "dot"
        words += f"; {mark}: interval excludes {center:g}"
        if not written:
            axes.plot(*np.nonzero(excludes)[::-1], ".", color=INK, ms=3)
    bar.set_label(in_lines(words, 0.7 * float(height)), fontsize=9, **AS_IT_IS)
    axes.spines[:].set_visible(False)
    return finish([axes], ax, title)


def _ordered(places: Any) -> list[Any]:
    found = places.drop_duplicates().tolist()
    return sorted(found) if places.dtype.kind in "iuf" else found


def _name(place: Any) -> str:
    return f"{place:.4g}" if isinstance(place, float) else shortened(str(place))


def _label(axis: Any, name: str, places: list[str]) -> None:
    """Label an axis, of more than forty places every second, third and so on."""
    every = -(-len(places) // _LABELS)
    axis.set_ticks(
        range(0, len(places), every), places[::every], fontsize=8.5, **AS_IT_IS
    )
    words = name.replace("_", " ").strip()
    axis.set_label_text(words, fontsize=9.5, **AS_IT_IS)
