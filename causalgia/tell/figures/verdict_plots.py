"""Figures of verdicts: effects against their p-values, and intervals against the
ROPE.
"""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from causalgia.choices import DIRECTIONS
from causalgia.effect_table import tasks_in_table
from causalgia.errors import DataError, EstimateError
from causalgia.estimation.request import null_value
from causalgia.tell.effect_rows import as_reportable, first_of
from causalgia.tell.figures.style import (
    ACCENT,
    AS_IT_IS,
    GRAY,
    GRID,
    INK,
    MOST_POINTS,
    ROPE,
    VERDICTS,
    as_task,
    axes_or_new,
    axis_label,
    beside_axis,
    heading,
    interval_label,
    legend_below,
    name_ends,
    name_points,
    shortened,
    strip,
    write_heading,
)
from causalgia.tell.verdict_sentences import is_decided
from causalgia.types import Array

_LARGEST_DRAWN = 2_000
_EFFECTS_NAMED = 8
_RASTER_POINTS = 1_500
_HIGHEST = 300.0
_ROWS_NAMED = 60
_LARGEST_NAMED = 12


def volcano(
    table: xr.Dataset, *, task: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw the p-value of each contrast against its effect size, with the region of
    practical equivalence.

    Use it for many effects at once. Significance depends on the number of units: only
    points outside the shaded ROPE are large enough to matter, whatever their height.

    Parameters
    ----------
    table
        From `causalgia.estimate` or `causalgia.decide`: ``ace`` and ``p``, else the
        ``lfsr``.
    task
        The task; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        A point per contrast, colored by its verdict (undecided: hollow); the largest
        eight are named where there is room. Triangles at the upper edge have a p below
        1e-300, or none because the effect is exact. Of more than 20,000 contrasts the
        2,000 largest effects and evenly spaced others are drawn, which the label says.

    Raises
    ------
    EstimateError
        If the task does not exist or is required, or there are several models.
    DataError
        If `table` is not a Dataset of estimates or decisions, or has neither p-values
        nor lfsr.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> decided = decide(
    ...     from_effects([1.38, 0.01], se=[0.2, 0.02], names=["GATA1", "mutant"]),
    ...     rope=(-0.1, 0.1),
    ... )
    >>> axes = volcano(decided)
    >>> axes.get_ylabel(), [text.get_text() for text in axes.texts]
    ('p of no effect', ['GATA1', 'mutant'])
    """
    table = as_reportable(table)
    task = as_task(table, task, "volcano")
    one = _of_one_predictor(table, task, "volcano")
    ace, height, label = _evidence(one)
    axes, top = (
        axes_or_new(ax, 6.4, 4.6),
        float(np.max(height, initial=0.0, where=np.isfinite(height))),
    )
    top = max(1.05 * top, 1.0)
    beyond = ~np.isfinite(height)
    y = np.where(beyond, top, height)
    center = null_value(table)
    if "rope_lower" in one:
        low, high = _within(ace, one["rope_lower"], one["rope_upper"])
        several = np.ptp(low) > 0 or np.ptp(high) > 0
        if low.max() < high.min():
            shared = "ROPE that all contrasts share" if several else "ROPE"
            axes.axvspan(
                low.max(), high.min(), color=ROPE, lw=0, zorder=0.5, label=shared
            )
    verdict = one["verdict"].to_numpy() if "verdict" in one else np.full(len(ace), "")
    at = _thinned(np.abs(ace - center))
    drawn = np.zeros(len(ace), dtype=bool)
    drawn[at] = True
    size = 22.0 if len(at) <= 200 else 7.0
    for name, color in [*VERDICTS.items(), ("", ACCENT)]:
        for edge, marker in ((False, "o"), (True, "^")):
            mine = drawn & (verdict == name) & (beyond == edge)
            if mine.any():
                look: dict[str, Any] = {
                    "s": size,
                    "marker": marker,
                    "edgecolors": color,
                    "zorder": 4,
                    "clip_on": False,
                }
                look |= {
                    "facecolors": "none" if name == "undecided" else color,
                    "lw": 0.8,
                }
                first = not edge or not (drawn & (verdict == name) & ~beyond).any()
                shown = (name or "effect") if first else "_at the edge"
                axes.scatter(
                    ace[mine],
                    y[mine],
                    label=shown,
                    rasterized=mine.sum() > _RASTER_POINTS,
                    **look,
                )
    if beyond.any():
        axes.scatter(
            [],
            [],
            s=size,
            marker="^",
            color=GRAY,
            label="at the edge: p below 1e-300, or exact",
        )
    axes.axvline(center, color=INK, lw=0.8, zorder=2)
    axes.set_ylim(0, 1.08 * top)
    axes.margins(x=0.08)
    some = (
        "\n"
        f"{len(at):,} of {len(ace):,} are drawn: the {_LARGEST_DRAWN:,} largest, others "
        "evenly in rank"
    )
    few = "" if len(at) == len(ace) else some
    axes.set_xlabel(fill(axis_label(table.attrs), 70) + few, fontsize=9.5, **AS_IT_IS)
    axes.set_ylabel(label, fontsize=9.5)
    axes.yaxis.set_major_formatter(_as_p)
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(
        MaxNLocator(6, integer=True, steps=[1, 2, 5, 10], prune=None)
    )
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    _finish(
        axes,
        one,
        f"{len(ace):,} effects" if len(ace) > 1 else str(one["contrast"].to_numpy()[0]),
        task,
    )
    legend_below(axes)
    largest = np.argsort(-np.abs(ace - center), kind="stable")[:_EFFECTS_NAMED]
    name_points(
        axes, ace, y, {int(i): str(one["contrast"].to_numpy()[i]) for i in largest}
    )
    return axes


def ranked(
    table: xr.Dataset, *, task: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw many effects in the order of their size, the largest first, and name those
    that are beyond the region.

    Use it for a screen: a forest plot of thousands of contrasts has no room for names.

    Parameters
    ----------
    table
        From `causalgia.estimate` or `causalgia.decide`: ``ace (contrast, task)``.
    task
        The task; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        A point per contrast with its interval, colored by its verdict; placebos are
        not drawn. The twelve largest with a direction are named, the others counted in
        the legend. The region (of random sequences, where that decided) is shaded.

    Raises
    ------
    EstimateError
        If the task does not exist or is required, or there are several models.
    DataError
        If `table` is not a Dataset of estimates or decisions.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> decided = decide(
    ...     from_effects([0.0, 3.0], [0.1, 0.1], names=["a", "b"]), rope=(-1, 1)
    ... )
    >>> axes = ranked(decided)
    >>> axes.get_xlabel(), [text.get_text() for text in axes.texts]
    ('rank among 2 effects', ['b'])
    """
    table = as_reportable(table)
    task = as_task(table, task, "ranked")
    one = _of_one_predictor(table, task, "ranked")
    if "is_placebo" in one.coords:
        one = one.isel(contrast=~one["is_placebo"].to_numpy().astype(bool))
    one = one.isel(contrast=np.argsort(-one["ace"].to_numpy(), kind="stable"))
    ace, n = one["ace"].to_numpy().astype(float), one.sizes["contrast"]
    rank = np.arange(1, n + 1)
    axes = axes_or_new(ax, 6.4, 4.2)
    if "rope_lower" in one:
        ends = _within(ace, one["rope_lower"], one["rope_upper"])
        low, high = (float(np.median(end)) for end in ends)
        if low < high:
            axes.axhspan(low, high, color=ROPE, lw=0, zorder=0.5, label="ROPE")
    verdict = one["verdict"].to_numpy() if "verdict" in one else np.full(n, "")
    few = np.flatnonzero(np.isin(verdict, DIRECTIONS))
    if "lower" in one:
        least, most = (
            np.clip(one[end].to_numpy(), *_around(ace)) for end in ("lower", "upper")
        )
        axes.vlines(
            rank[few],
            least[few],
            most[few],
            colors=[VERDICTS[str(name)] for name in verdict[few]],
            lw=1.0,
            zorder=3,
        )
    for name, color in [*VERDICTS.items(), ("", ACCENT)]:
        mine = verdict == name
        if not mine.any():
            continue
        axes.scatter(
            rank[mine],
            ace[mine],
            s=16 if mine.sum() <= 200 else 5,
            facecolors="none" if name == "undecided" else color,
            edgecolors=color,
            lw=0.6,
            zorder=4,
            label=f"{name or 'effect'} ({mine.sum():,})",
            rasterized=mine.sum() > _RASTER_POINTS,
        )
    axes.axhline(null_value(table), color=INK, lw=0.8, zorder=2)
    axes.set_xlim(1 - 0.03 * n, n * 1.03)
    axes.margins(y=0.08)
    axes.set_xlabel(f"rank among {n:,} effects", fontsize=9.5)
    levels = interval_label(table) if "lower" in one and len(few) else ""
    beside_axis(axes, axis_label(table.attrs), levels)
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    _finish(axes, one.assign_attrs(table.attrs), "", task)
    legend_below(axes)
    size = np.abs(ace - null_value(table))
    largest = few[np.argsort(-size[few], kind="stable")[:_LARGEST_NAMED]]
    name_ends(
        axes,
        rank.astype(float),
        ace,
        {int(i): str(one["contrast"].to_numpy()[i]) for i in largest},
        null_value(table),
    )
    axes.set_xticks([at for at in axes.get_xticks() if 1 <= at <= n])
    return axes


def _within(ace: Array, low: xr.DataArray, high: xr.DataArray) -> tuple[Array, Array]:
    """Return the ends of regions, those at infinity at the edge of the picture."""
    ends = (low.to_numpy(), high.to_numpy())
    edge = _around(np.concatenate([ace, *(end[np.isfinite(end)] for end in ends)]))
    return np.clip(ends[0], *edge), np.clip(ends[1], *edge)


def _around(ace: Array) -> tuple[float, float]:
    pad = 0.15 * float(np.ptp(ace)) or 1.0
    return float(ace.min()) - pad, float(ace.max()) + pad


def _of_one_predictor(table: xr.Dataset, task: str, figure: str) -> xr.Dataset:
    if "model" in table["ace"].dims:
        raise EstimateError(f"{figure}: there are several models, and one is drawn")
    return (
        table.isel(task=tasks_in_table(table).index(task))
        if "task" in table.dims
        else table
    )


def _evidence(one: xr.Dataset) -> tuple[Array, Array, str]:
    """Return effects, -log10 p (infinite: below 1e-300, or exact) and the name of p."""
    ace = one["ace"].to_numpy().astype(float)
    label = "p of no effect"
    if "log_p" in one:
        height = -one["log_p"].to_numpy() / np.log(10)
    elif "p" in one:
        height = _negative_log10(one["p"].to_numpy())
    elif "lfsr" in one:
        height = _negative_log10(one["lfsr"].to_numpy())
        label = "local false sign rate"
    else:
        raise DataError("volcano: there are neither p-values of no effect nor lfsr")
    return (
        ace,
        np.where(
            np.isnan(height) | (height > _HIGHEST), np.inf, np.maximum(height, 0.0)
        ),
        label,
    )


def _negative_log10(p: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.log10(np.minimum(p, 1.0))


def _as_p(height: float, _: float) -> str:
    return (
        "1"
        if height == 0
        else f"{10.0**-height:g}"
        if height <= 3
        else f"1e\N{MINUS SIGN}{height:g}"
    )


def _thinned(size: Array) -> NDArray[np.int64]:
    """Return which of very many points are drawn: the largest, and others evenly
    spaced.
    """
    n = len(size)
    if n <= MOST_POINTS:
        return np.arange(n)
    order = np.argsort(-size, kind="stable")
    rest = order[_LARGEST_DRAWN:][
        :: -(-(n - _LARGEST_DRAWN) // (MOST_POINTS - _LARGEST_DRAWN))
    ]
    return np.sort(np.concatenate([order[:_LARGEST_DRAWN], rest]))


def equivalence(
    table: xr.Dataset, *, task: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw intervals against the region of practical equivalence, a row for each
    contrast.

    Use it to show that effects are negligible: the interval of a negligible effect lies
    inside the shaded ROPE.

    Parameters
    ----------
    table
        From `causalgia.decide` with a rope.
    task
        The task; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Rows in the order of the contrasts, with verdicts in color and in words; of more
        than 60 contrasts the first 60 of a report, which the heading says.

    Raises
    ------
    EstimateError
        If the task does not exist or is required, or there are several models.
    DataError
        If there is no rope or no interval.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> axes = equivalence(
    ...     decide(from_effects([0.0, 3.0], [0.3, 0.3], names=["a", "b"]), rope=(-1, 1))
    ... )
    >>> [text.get_text() for text in axes.texts]
    ['negligible', 'increases']
    """
    table = as_reportable(table)
    task = as_task(table, task, "equivalence")
    one = _of_one_predictor(table, task, "equivalence")
    if not is_decided(one) or "lower" not in one:
        raise DataError("equivalence: there are no verdicts with intervals")
    low, high = _rope_of(one)
    n = one.sizes["contrast"]
    if n > _ROWS_NAMED:
        first = first_of(one, "contrast", _ROWS_NAMED)
        one, low, high = one.isel(contrast=first), low[first], high[first]
    ace, lower, upper, verdict = (
        one[name].to_numpy() for name in ("ace", "lower", "upper", "verdict")
    )
    ends = np.concatenate([x[np.isfinite(x)] for x in (ace, lower, upper, low, high)])
    pad = 0.1 * (ends.max() - ends.min()) or 1.0
    edge = (ends.min() - pad, ends.max() + pad)
    axes, y = axes_or_new(ax, 6.8, min(1.5 + 0.3 * len(ace), 16.0)), np.arange(len(ace))
    low, high = np.clip(low, *edge), np.clip(high, *edge)
    axes.barh(
        y, high - low, left=low, height=1.0, color=ROPE, lw=0, zorder=0.5, label="ROPE"
    )
    colors = [VERDICTS[str(name)] for name in verdict]
    axes.hlines(
        y,
        np.clip(lower, *edge),
        np.clip(upper, *edge),
        colors=colors,
        lw=2.6,
        zorder=3,
    )
    axes.plot([], [], color=GRAY, lw=2.6, label=interval_label(table) or "intervals")
    hollow = verdict == "undecided"
    axes.scatter(ace, y, s=22, c=colors, lw=0, zorder=5)
    axes.scatter(ace[hollow], y[hollow], s=9, color="white", lw=0, zorder=6)
    for limit, end, marker in ((lower, edge[0], "<"), (upper, edge[1], ">")):
        gone = np.isinf(limit)
        axes.scatter(
            np.full(int(gone.sum()), end),
            y[gone],
            s=24,
            color=GRAY,
            marker=marker,
            zorder=5,
        )
    axes.axvline(null_value(table), color=INK, lw=0.8, zorder=2)
    for row, name in zip(y, verdict, strict=True):
        beside: dict[str, Any] = {
            "xycoords": axes.get_yaxis_transform(),
            "textcoords": "offset points",
        }
        words: dict[str, Any] = {
            "fontsize": 7.5,
            "va": "center",
            "annotation_clip": False,
            **AS_IT_IS,
        }
        axes.annotate(
            str(name), (1, row), (4, 0), color=VERDICTS[str(name)], **words, **beside
        )
    labels = [shortened(str(name)) for name in one["contrast"].to_numpy()]
    axes.set_yticks(y, labels, fontsize=9 if len(y) <= 25 else 7, **AS_IT_IS)
    axes.set_ylim(len(y) - 0.4, -0.6)
    axes.set_xlim(edge[0] - pad / 4, edge[1] + pad / 4)
    axes.set_xlabel(fill(axis_label(table.attrs), 60), fontsize=9.5, **AS_IT_IS)
    _finish(
        axes, one, f"the first {len(y)} of {n:,} effects" if n > len(y) else "", task
    )
    legend_below(axes, columns=2)
    return axes


def _rope_of(one: xr.Dataset) -> tuple[Array, Array]:
    """Return the ends of the ROPE of each contrast."""
    low, high = one["rope_lower"].to_numpy(), one["rope_upper"].to_numpy()
    if (low >= high).all():
        raise DataError("equivalence: the rope is a point, inside which nothing lies")
    return low, high


def _finish(axes: Axes, one: xr.Dataset, what: str, task: str) -> None:
    write_heading(axes, heading(one, *filter(None, (what, task))))
    strip(axes, "top", "right")
    axes.tick_params(axis="x", labelsize=9)
    axes.grid(axis="x", color=GRID, lw=0.5, zorder=1)
