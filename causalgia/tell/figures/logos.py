"""Letters as high as their effects: of a motif, or of the map of a sequence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import PathPatch
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D
from scipy.special import stdtrit

from causalgia.attributes import about
from causalgia.checks import listed
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.numerics.moments import observed_scores
from causalgia.schema import validate
from causalgia.tell.figures.style import (
    GRID,
    INK,
    PAGE,
    axis_label,
    finish,
    interval_label,
    new_axes,
    of_one_task,
    title_of,
)
from causalgia.types import Array

_COLORS = {
    "A": "#3b7d3a",
    "C": "#1f5fa8",
    "G": "#d98a00",
    "T": "#c0392b",
    "U": "#c0392b",
}
_LETTERS_A_LINE = 50  # more could not be read
_BOLD = FontProperties(family="DejaVu Sans", weight="bold")


def logo(
    table: xr.Dataset,
    *,
    task: str | None = None,
    centered: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw the effect of each base at each position as a letter of that height,
    negative effects below the axis.

    Heights are effects, not information: a letter twice as high is an effect twice as
    large. Bars at the outer edges of letters are their intervals.

    Parameters
    ----------
    table
        ``ace (position, base)``, and ``task`` if there are several, with the bases
        A C G T (or U); or an average of maps, from `causalgia.attribution.average`.
        Unknown heights (NaN) are left out. ``attrs["units"]``, such as bits, is the
        label of the axis in place of the scale.
    task
        The task; required if there are several.
    centered
        Whether the mean of each position is subtracted, so that heights show
        differences between bases and not the effect of the whole motif. Bars then have
        the largest half-width that the errors of the bases allow, whatever their
        correlation: 3/4 of its own and 1/4 of each other one.
    ax
        Axes to draw into; by default those of a new figure, with 50 positions a line.

    Returns
    -------
    Axes
        Of several lines the first; ``axes.figure.axes`` has all.

    Raises
    ------
    DataError
        If there are no effects by position and base, or a height is infinite.
    EstimateError
        If a base is not one of A C G T U, or the task does not exist or is required.

    Examples
    --------
    >>> heights = xr.Dataset(
    ...     {
    ...         "ace": (
    ...             ("position", "base"),
    ...             [[0.5, 0.0, 0.0, -0.2], [0.0, 0.9, 0.1, 0.0]],
    ...         )
    ...     },
    ...     {"base": list("ACGU"), "position": [4, 5]},
    ... )
    >>> axes = logo(heights)
    >>> len(axes.patches), [round(float(y), 3) for y in axes.get_ylim()]
    (4, [-0.272, 1.072])
    """
    if "motif_position" in table.coords and "contrast" in table.dims:
        known = [name for name in ("ace", "lower", "upper") if name in table]
        at = table[known].drop_vars("contrast").rename(motif_position="position")
        table = at.set_index(contrast=["position", "base"]).unstack("contrast")
    if "ace" not in table or not {"position", "base"} <= set(table["ace"].dims):
        raise DataError("logo: there is no 'ace' (position, base)")
    if "task" in table["ace"].dims:
        table = of_one_task(table, task, "logo").isel(task=0)
    more = {str(dim) for dim in table["ace"].dims} - {"position", "base"}
    if more or np.isinf(table["ace"]).any():
        raise DataError(f"logo: an infinite height, or further dims {listed(more)}")
    letters = [str(base) for base in table["base"].to_numpy()]
    if odd := [letter for letter in letters if letter not in _COLORS]:
        raise EstimateError(f"logo: {quoted(odd[0])} is not one of A C G T U")
    ace = table["ace"].transpose("position", "base").to_numpy().astype(float)
    half = np.full(ace.shape, np.nan)
    if "lower" in table:
        width = (table["upper"] - table["lower"]).transpose("position", "base")
        half = width.to_numpy() / 2
    if centered:
        ace, n = ace - ace.mean(axis=1, keepdims=True), len(letters)
        half = (1 - 2 / n) * half + half.sum(axis=1, keepdims=True) / n
    units = about(table["ace"], "").units or about(table, "").units
    label = units or axis_label(table.attrs, "letter: effect")
    levels = interval_label(table)
    bars = f"\nbars: {'at most ' if centered else ''}{levels}" if levels else ""
    minus = ", minus the mean at the position" if centered else ""
    panels = _letters(ace, half, letters, table["position"].to_numpy().tolist(), ax)
    names = [str(table["task"].item())] if "task" in table.coords else []
    title = title_of(table, *names)
    return finish(panels, ax, title, "position", f"{label}{minus}{bars}")


def map(
    attributions: xr.Dataset,
    *,
    unit: str | int | None = None,
    task: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the map of one sequence: each of its letters as high as its contribution.

    Over baselines each letter has its 95 % interval, for more baselines of this
    sequence; it says nothing of other sequences or networks, and is no test. Maps by single
    substitutions are exact and have none.

    Parameters
    ----------
    attributions
        From `causalgia.attribute`.
    unit, task
        Which sequence and task; required where there are several.
    ax
        Axes to draw into; by default those of a new figure, with 50 positions a line.

    Returns
    -------
    Axes
        Of several lines the first; ``axes.figure.axes`` has all.

    Raises
    ------
    DataError
        If it is no Dataset of `causalgia.attribute`.
    EstimateError
        If a unit or task does not exist or is required, or there are several members.

    Examples
    --------
    >>> import causalgia as cg
    >>> count = cg.FunctionPredictor(
    ...     lambda x: x[:, 2].sum(-1), tasks=["G"], scale="count"
    ... )
    >>> axes = map(cg.attribute(["ACGT"], count, method="ism"))
    >>> len(axes.patches), [round(float(y), 2) for y in axes.get_ylim()]
    (4, [-0.41, 1.08])
    """
    table = of_one_task(validate(attributions, "attributions"), task, "map")
    units = table["unit"].to_numpy().tolist()
    if unit not in units and (unit is not None or len(units) > 1):
        known_units = listed([str(one) for one in units])
        raise EstimateError(f"map: unit={quoted(unit)} is none of {known_units}")
    table = table.isel(task=0, unit=0 if unit is None else units.index(unit))
    observed = table["observed"].to_numpy()
    scores = [table[name] for name in ("score", "score_se") if name in table]
    numbers = [one.to_numpy()[None] for one in scores]
    if "base" in scores[0].dims:
        exact = about(table, "").method == "ism"
        numbers = [
            observed_scores(one, observed[None], by_substitution=exact)
            for one in numbers
        ]
    letters = np.eye(4)[observed]
    heights, bars = letters * numbers[0][0][:, None], np.full(letters.shape, np.nan)
    if len(numbers) == 2:
        tail = stdtrit(int(about(table).n_baselines) - 1, 0.975)
        bars = letters * (tail * numbers[1][0])[:, None]
    positions: list[Any] = table["position"].to_numpy().tolist()
    panels = _letters(heights, bars, "ACGT", positions, ax)
    known = about(attributions, "")
    method = known.method.replace("_", " ")
    what = f"contribution ({method})"
    if known.method == "dfim":
        what = f"interaction with {known.source} (dfim, {known.map_method})"
    label = ",\n".join(filter(None, (what, known.scale)))
    if np.isfinite(bars).any():
        label += "\nbars: 95 % over baselines"
    names = [f"sequence {table['unit'].item()}", str(table["task"].item())]
    return finish(panels, ax, title_of(table, *names), "position", label)


def _letters(
    heights: Array,
    half: Array,
    letters: Sequence[str],
    positions: list[Any],
    ax: Axes | None,
) -> list[Axes]:
    """Draw letters of these heights and a bar at the outer edge of each, (positions,
    letters), in lines of fifty that share their scale; return the axes of the lines.
    """
    n = len(positions)
    lines = 1 if ax is not None else math.ceil(n / _LETTERS_A_LINE)
    each = math.ceil(n / lines)
    wide = float(np.clip(1.6 + 0.42 * each, 4.2, PAGE))
    panels = new_axes(
        ax, wide, 3.0 if lines == 1 else 0.8 + 1.3 * lines, lines, sharey=True
    )
    edges = np.full(heights.shape, np.nan)
    for line, axes in enumerate(panels):
        own = slice(line * each, (line + 1) * each)
        edges[own] = draw_letters(axes, heights[own], letters)
        at, base = np.nonzero(np.isfinite(edges[own]) & (half[own] > 0))
        ends, width = edges[own][at, base], half[own][at, base]
        apart = (base - (len(letters) - 1) / 2) * (
            0.2 if (half > 0).sum(1).max() > 1 else 0
        )
        axes.vlines(at + apart, ends - width, ends + width, color=INK, lw=1.0, zorder=5)
        axes.set_xlim(-0.6, each - 0.4)
        axes.axhline(0.0, color=INK, lw=0.8, zorder=4)
        names = [str(place) for place in positions[own]]
        every = math.ceil(len(names) * (len(names[-1]) + 1) / (11 * (wide - 1.5)))
        axes.set_xticks(range(0, len(names), every), names[::every])
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="x", length=0)
        axes.grid(axis="y", color=GRID, lw=0.5, zorder=1)
    panels[0].margins(y=0.06)
    if min(axes.dataLim.y0 for axes in panels) >= 0:
        panels[0].set_ylim(bottom=0)
    return panels


def draw_letters(axes: Axes, heights: Array, letters: Sequence[str]) -> Array:
    """Stack letters of these heights (positions, letters), small ones next to the axis;
    return where each ends.
    """
    edges = np.full(heights.shape, np.nan)
    for place, column in enumerate(heights):
        ends = {1.0: 0.0, -1.0: 0.0}
        for k in np.argsort(np.abs(column), kind="stable"):
            height = float(column[k])
            if height != 0 and np.isfinite(height):
                side = math.copysign(1.0, height)
                before, ends[side] = ends[side], ends[side] + height
                edges[place, k] = ends[side]
                _draw_letter(axes, letters[k], place, *sorted((before, ends[side])))
    return edges


def _draw_letter(
    axes: Axes, letter: str, place: int, bottom: float, top: float
) -> None:
    shape = TextPath((0, 0), letter, size=1, prop=_BOLD)
    box = shape.get_extents()
    to_box = Affine2D().translate(-box.x0, -box.y0)
    to_box = to_box.scale(0.92 / box.width, (top - bottom) / box.height)
    path = to_box.translate(place - 0.46, bottom).transform_path(shape)
    axes.add_patch(PathPatch(path, facecolor=_COLORS[letter], lw=0, zorder=3))
