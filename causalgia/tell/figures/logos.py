"""Sequence logos of effects, of maps and their differences, and of averages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from scipy.special import stdtrit

from causalgia.attributes import about
from causalgia.checks import as_ci_prob, listed
from causalgia.effect_table import tasks_in_table
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.numerics.moments import observed_scores
from causalgia.schema import validate
from causalgia.tell.figures.style import (
    AS_IT_IS,
    GRAY,
    GRID,
    INK,
    PAGE,
    as_task,
    axes_or_new,
    axis_label,
    fit_to_page,
    heading,
    interval_label,
    strip,
    write_heading,
)
from causalgia.types import Array

_COLORS = {
    "A": "#3b7d3a",
    "C": "#1f5fa8",
    "G": "#d98a00",
    "T": "#c0392b",
    "U": "#c0392b",
}
_LETTER_WIDTH = 0.92
OFFSETS = np.array([-0.3, -0.1, 0.1, 0.3])  # of the bars of A C G T, beside each other


def logo(
    ace: xr.Dataset,
    *,
    task: str | None = None,
    centered: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw the effect of each base at each position as a letter of that height,
    negative effects below the axis.

    Letters are stacked with the largest farthest from the axis. Heights are effects,
    not information content: a letter twice as high is an effect twice as large.

    Parameters
    ----------
    ace
        ``ace (position, base)``, and ``task`` if there are several; `base` has the
        letters A C G T (or U). Unknown heights (NaN) are left out. ``lower`` and
        ``upper`` are drawn as bars at the outer edges of letters. Where
        ``ace.attrs["units"]`` is given, as for information in bits, it is the label of
        the axis, in place of "effect on" the scale.
    task
        The task; required if there are several.
    centered
        Whether the mean of each position is subtracted, so that heights show
        differences between bases and not the effect of the whole motif. Bars then have
        the largest half-width that the errors of the bases allow, whatever their
        correlation: 3/4 of its own and 1/4 of each other one.
    ax
        Axes to draw into; by default those of a new figure, as wide as there are
        positions.

    Returns
    -------
    Axes
        Save it by `save_figure`.

    Raises
    ------
    DataError
        If it is not such a Dataset, or a height is infinite.
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
    ...     }
    ... )
    >>> axes = logo(heights.assign_coords(base=list("ACGU"), position=[4, 5]))
    >>> len(axes.patches), [round(float(y), 3) for y in axes.get_ylim()]
    (4, [-0.272, 1.072])
    >>> mutants = xr.Dataset(
    ...     {
    ...         "ace": (
    ...             ("position", "base"),
    ...             [[3.0, 3.0, 3.0, 3.4], [0.0, 3.4, 0.0, 0.0]],
    ...         )
    ...     }
    ... )
    >>> axes = logo(
    ...     mutants.assign_coords(base=list("ACGU"), position=[0, 1]), centered=True
    ... )
    >>> [
    ...     round(float(y), 3) for y in axes.get_ylim()
    ... ]  # position 0 is low, and position 1 tall
    [-2.856, 2.856]
    """
    table = _one_task(ace, task)
    by_base = table["ace"].transpose("position", "base")
    heights = (
        (by_base - by_base.mean("base") if centered else by_base)
        .to_numpy()
        .astype(np.float64)
    )
    letters = _as_bases(table)
    positions: list[Any] = table["position"].to_numpy().tolist()
    axes = logo_with_bars(
        heights,
        _half_widths(table, centered=centered),
        letters,
        positions,
        ax,
        offsets=OFFSETS,
    )
    units = about(table["ace"], None).units
    axes.set_ylabel(
        f"height of a letter:\n{axis_label(table.attrs) if units is None else units}",
        fontsize=9.5,
        **AS_IT_IS,
    )
    if centered:
        axes.set_ylabel(
            f"{axes.get_ylabel()},\nminus the mean at the position",
            fontsize=9.5,
            **AS_IT_IS,
        )
    names = [str(table["task"].item())] if "task" in table.coords else []
    levels = interval_label(table)
    bars = f" (bars: {'at most ' if centered else ''}{levels})" if levels else ""
    write_heading(axes, heading(table, *names) + bars)
    fit_to_page(axes)
    return axes


def _half_widths(table: xr.Dataset, *, centered: bool) -> Array:
    """Return the half-widths of intervals, (position, base), nan where there are
    none.
    """
    shape = table.sizes["position"], table.sizes["base"]
    if "lower" not in table or "upper" not in table:
        return np.full(shape, np.nan)
    half = (
        ((table["upper"] - table["lower"]) / 2).transpose("position", "base").to_numpy()
    )
    if centered:
        n = shape[1]
        half = (1 - 2 / n) * half + half.sum(axis=1, keepdims=True) / n
    return np.where(half > 0, half, np.nan)


def logo_with_bars(
    heights: Array,
    half: Array,
    letters: Sequence[str],
    positions: list[Any],
    ax: Axes | None,
    *,
    offsets: Array,
) -> Axes:
    """Draw letters of these heights and a bar at the outer edge of each, (positions,
    letters).
    """
    wide = float(np.clip(1.2 + 0.42 * len(positions), 4.2, PAGE))
    axes = axes_or_new(ax, wide, 2.6)
    letters = list(letters)
    edges = np.full(heights.shape, np.nan)
    for place, column in enumerate(heights):
        above = below = 0.0
        for k in sorted(
            range(len(letters)), key=lambda k: abs(column[k])
        ):  # small letters next to the axis
            height = float(column[k])
            if height > 0:
                _draw_letter(axes, letters[k], place, above, above + height)
                edges[place, k] = above = above + height
            elif height < 0:
                _draw_letter(axes, letters[k], place, below + height, below)
                edges[place, k] = below = below + height
    up, down = (
        np.nansum(np.maximum(heights, 0), 1).max(),
        np.nansum(np.minimum(heights, 0), 1).min(),
    )
    pad = 0.06 * (up - down)
    axes.set_ylim(
        down - pad if down < 0 else 0.0, (up + pad if up > 0 else 0.0) if pad else 1.0
    )
    axes.set_xlim(-0.6, len(positions) - 0.4)
    axes.axhline(0.0, color=INK, lw=0.8, zorder=4)
    each = 0.09 * max(len(str(place)) for place in positions) + 0.1
    every = max(1, math.ceil(len(positions) * each / (wide - 1.2)))
    axes.set_xticks(
        range(0, len(positions), every), list(map(str, positions))[::every], fontsize=9
    )
    axes.set_xlabel("position", fontsize=9.5)
    strip(axes, "top", "right", "bottom")
    axes.tick_params(axis="x", length=0)
    axes.tick_params(axis="y", labelsize=9)
    axes.grid(axis="y", color=GRID, lw=0.5, zorder=1)
    at, base = np.nonzero(np.isfinite(half) & np.isfinite(edges))
    if len(at):
        ends, width = edges[at, base], half[at, base]
        x = at + offsets[base]
        axes.vlines(x, ends - width, ends + width, color=INK, lw=1.0, zorder=5)
        axes.plot(x, ends, ".", color=GRAY, ms=2.5, zorder=6)
        low, high = axes.get_ylim()
        axes.set_ylim(
            min(low, float((ends - width).min()) * 1.05),
            max(high, float((ends + width).max()) * 1.05),
        )
    return axes


def _one_task(ace: xr.Dataset, task: str | None) -> xr.Dataset:
    if "ace" not in ace or not {"position", "base"} <= set(ace["ace"].dims):
        raise DataError("logo: there is no 'ace' (position, base)")
    if "task" in ace["ace"].dims:
        ace = ace.isel(task=tasks_in_table(ace).index(as_task(ace, task, "logo")))
    more = sorted(
        str(dim) for dim in ace["ace"].dims if dim not in ("position", "base")
    )
    if more:
        raise DataError(f"logo: 'ace' has the dims {', '.join(more)} too")
    if np.isinf(ace["ace"].to_numpy()).any():
        raise DataError("logo: a height is infinite")
    return ace


def _as_bases(table: xr.Dataset) -> list[str]:
    letters = [str(base) for base in table["base"].to_numpy()]
    if odd := [letter for letter in letters if letter not in _COLORS]:
        raise EstimateError(f"logo: {quoted(odd[0])} is not one of A C G T U")
    return letters


def _draw_letter(
    axes: Axes, letter: str, place: int, bottom: float, top: float
) -> None:
    from matplotlib.font_manager import FontProperties
    from matplotlib.patches import PathPatch
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    shape = TextPath(
        (0, 0), letter, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold")
    )
    box = shape.get_extents()
    to_box = (
        Affine2D()
        .translate(-box.x0, -box.y0)
        .scale(_LETTER_WIDTH / box.width, (top - bottom) / box.height)
    )
    path = to_box.translate(place - _LETTER_WIDTH / 2, bottom).transform_path(shape)
    axes.add_patch(
        PathPatch(path, facecolor=_COLORS[letter], lw=0, zorder=3, label=f"_{letter}")
    )


def draw_information(axes: Axes, frequency: Array) -> None:
    """Draw base frequencies (positions, 4) as letters whose heights add up to the
    information of their position, in bits.
    """
    logs = np.log2(frequency, where=frequency > 0, out=np.zeros_like(frequency))
    bits = 2 + (frequency * logs).sum(axis=1)
    for place, (row, height) in enumerate(zip(frequency, bits, strict=True)):
        bottom = 0.0
        for k in np.argsort(row, kind="stable"):
            top = bottom + float(row[k] * height)
            if top - bottom > _LOWEST:
                _draw_letter(axes, str(_BASE_ARRAY[k]), place, bottom, top)
            bottom = top


_LOWEST = 1e-3  # bits
_BASE_ARRAY = np.array(list("ACGT"))


def map_logo(
    attributions: xr.Dataset,
    *,
    unit: str | int | None = None,
    task: str | None = None,
    model: str | int | None = None,
    minus: xr.Dataset | None = None,
    minus_model: str | int | None = None,
    span: tuple[int, int] | None = None,
    ci_prob: float = 0.95,
    ax: Axes | None = None,
) -> Axes:
    """Draw the map of one sequence: each of its letters as high as its contribution, or
    the difference of two maps.

    Over baselines each letter has its interval, for more baselines of this sequence; it
    says nothing of other sequences or networks, and is no test. Maps by single
    substitutions are exact and have none.

    Parameters
    ----------
    attributions
        From `causalgia.attribute`.
    unit, task, model
        Which sequence, task and member; required where there are several.
    minus
        Another map of that sequence: letters are as high as the difference.
    minus_model
        The member whose map is subtracted, of `minus` or, by default, of the same maps.
        Bars are then the sum of both half-widths, the most that the error of a
        difference can be: members share their baselines.
    span
        First position, and the one behind the last; by default all.
    ci_prob
        Probability of the intervals.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Save it by `save_figure`.

    Raises
    ------
    DataError
        If it is no Dataset of `causalgia.attribute`, or the two maps are not of one
        sequence by one method.
    EstimateError
        If a unit, task, member or span does not exist or is required.

    Examples
    --------
    >>> import causalgia as cg
    >>> count = cg.FunctionPredictor(
    ...     lambda x: x[:, 2].sum(-1), tasks=["G"], scale="count"
    ... )
    >>> axes = map_logo(cg.attribute(["ACGT"], count, method="ism"))
    >>> len(axes.patches), [round(float(y), 2) for y in axes.get_ylim()]
    (4, [-0.41, 1.08])
    """
    ci_prob = as_ci_prob(ci_prob)
    heights, half, table = _one_map(attributions, unit, task, model, ci_prob)
    what, method = _measured(attributions)
    label = f"{what}\n({method})"
    names = [_sequence_name(attributions, table)]
    names += [
        str(table[name].item()) for name in ("task", "model") if name in table.coords
    ]
    if minus is not None or minus_model is not None:
        of = attributions if minus is None else minus
        others, their_half, other = _one_map(
            of, unit, task, model if minus_model is None else minus_model, ci_prob
        )
        if not np.array_equal(table["observed"], other["observed"]):
            raise DataError("map_logo: minus= is of another sequence")
        if (what, method) != (theirs := _measured(of)):
            raise DataError(
                f"map_logo: {what} ({method}) and {theirs[0]} ({theirs[1]}) are "
                "different things"
            )
        difference = "difference" if what == "contribution" else f"difference of {what}"
        heights, half, label = (
            heights - others,
            half + their_half,
            f"{difference}\n({method})",
        )
        names.append(
            f"minus {other['model'].item() if 'model' in other.coords else 'the other'}"
        )
    start, stop = _as_span(span, len(heights))
    scale = about(attributions, None).scale
    columns = np.zeros((stop - start, 4))
    shown = table["observed"].to_numpy()[start:stop]
    columns[np.arange(stop - start), shown] = heights[start:stop]
    errors = np.full(columns.shape, np.nan)
    errors[np.arange(stop - start), shown] = half[start:stop]
    axes = logo_with_bars(
        columns,
        errors,
        "ACGT",
        table["position"].to_numpy()[start:stop].tolist(),
        ax,
        offsets=np.zeros(4),
    )
    axes.set_ylabel(f"{label},\n{scale}" if scale else label, fontsize=9.5, **AS_IT_IS)
    bars = (
        f" (bars: {100 * ci_prob:.4g} % over baselines)"
        if np.isfinite(half).any()
        else ""
    )
    write_heading(axes, heading(attributions.drop_dims("unit"), *names) + bars)
    fit_to_page(axes)
    return axes


def average_logo(
    average: xr.Dataset,
    *,
    task: str | None = None,
    model: str | int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the average of maps at aligned instances: bases as letters of that height,
    with their intervals.

    Letters are stacked as in `logo`; the error bar of a letter is at its outer edge,
    next to those of the others. A base whose interval is a point has no bar.

    Parameters
    ----------
    average
        From `causalgia.attribution.average`, or `causalgia.simultaneous` of it, whose
        intervals hold together.
    task, model
        Which task and member; required where there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Save it by `save_figure`.

    Raises
    ------
    DataError
        If it has no coordinates ``motif_position`` and ``base``.
    EstimateError
        If a task or member does not exist or is required.
    """
    if not {"ace", "lower", "upper", "motif_position", "base"} <= set(
        average.variables
    ):
        raise DataError("average_logo: no average of maps by base")
    table = average.isel(
        task=[_place(average, "task", as_task(average, task, "average_logo"))]
    ).isel(task=0)
    table = _select(table, "model", model, "average_logo")
    places = table["motif_position"].to_numpy()
    at = np.unique(places)
    heights, half = np.full((len(at), 4), np.nan), np.full((len(at), 4), np.nan)
    index = (
        np.searchsorted(at, places),
        np.searchsorted(_BASE_ARRAY, table["base"].to_numpy()),
    )
    heights[index] = table["ace"].to_numpy()
    half[index] = (table["upper"] - table["lower"]).to_numpy() / 2
    axes = logo_with_bars(
        heights,
        np.where(half > 0, half, np.nan),
        "ACGT",
        at.tolist(),
        ax,
        offsets=OFFSETS,
    )
    method = about(table, "").map_method.replace("_", " ")
    words = [f"mean score\n({method})", about(table, "").scale]
    axes.set_ylabel(",\n".join(filter(None, words)), fontsize=9.5, **AS_IT_IS)
    axes.set_xlabel("position in the motif", fontsize=9.5)
    names = [
        str(table[name].item()) for name in ("task", "model") if name in table.coords
    ]
    above = heading(
        table.drop_vars("n_units"), *names, f"{int(table['n_units'].max()):,} instances"
    )
    levels = interval_label(table)
    write_heading(axes, above + (f" (bars: {levels})" if levels else ""))
    fit_to_page(axes)
    return axes


def _one_map(
    maps: xr.Dataset, unit: Any, task: str | None, model: Any, ci_prob: float
) -> tuple[Array, Array, xr.Dataset]:
    """Return contributions and half-widths, (length,), of one map, and what was
    selected; nan where it has none.
    """
    validate(maps, "attributions")
    one = maps.isel(task=_place(maps, "task", as_task(maps, task, "map_logo")))
    one = _select(_select(one, "model", model), "unit", unit)
    observed = one["observed"].to_numpy()[None]
    by_substitution = about(maps, None).method == "ism"
    tables = [
        one[name].to_numpy()[None] for name in ("score", "score_se") if name in one
    ]
    if "base" in maps["score"].dims:
        tables = [
            observed_scores(table, observed, by_substitution=by_substitution)
            for table in tables
        ]
    half = np.full(observed.shape[1], np.nan)
    if len(tables) == 2:
        half = tables[1][0] * stdtrit(
            int(about(maps).n_baselines) - 1, 0.5 + ci_prob / 2
        )
    return tables[0][0], half, one


def _measured(maps: xr.Dataset) -> tuple[str, str]:
    """Return what the scores of maps are, and by which method."""
    method = about(maps, "").method
    if method != "dfim":
        return "contribution", method.replace("_", " ")
    return (
        f"interaction with {about(maps).source}",
        f"dfim, {about(maps).map_method}".replace("_", " "),
    )


def _sequence_name(maps: xr.Dataset, one: xr.Dataset) -> str:
    """Return the name of a sequence: its parent's, and its unit where that has
    several.
    """
    unit = str(one["unit"].item())
    if "parent" not in maps:
        return f"sequence {unit}"
    parent = str(one["parent"].item())
    name = f"sequence {parent}" if parent.isdigit() else parent
    return (
        f"{name}, unit {unit}" if (maps["parent"] == one["parent"]).sum() > 1 else name
    )


def _place(table: xr.Dataset, dim: str, name: Any) -> int:
    return [str(one) for one in table[dim].to_numpy()].index(str(name))


def _select(
    table: xr.Dataset, dim: str, name: Any, figure: str = "map_logo"
) -> xr.Dataset:
    if dim not in table.dims:
        if name is not None:
            raise EstimateError(
                f"{figure}: {dim}={quoted(name)}, and the maps have no dim {dim}"
            )
        return table
    known = table[dim].to_numpy().tolist()
    if name is None and len(known) == 1:
        return table.isel({dim: 0})
    if name not in known:
        raise EstimateError(
            f"{figure}: {dim}={quoted(name)} is none of {listed(map(str, known))}"
        )
    return table.isel({dim: known.index(name)})


def _as_span(span: Any, length: int) -> tuple[int, int]:
    if span is None:
        return 0, length
    try:
        start, stop = map(int, span)
    except (TypeError, ValueError):
        start, stop = 0, -1
    if not 0 <= start < stop <= length:
        raise EstimateError(
            f"map_logo: span={quoted(span)} is not a range of {length:,} positions"
        )
    return start, stop
