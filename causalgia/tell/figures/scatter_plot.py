"""Points: two columns of effects, measured against virtual effects, two replicates."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator
from scipy.special import ndtri

from causalgia.attributes import about
from causalgia.choices import OPEN
from causalgia.errors import EstimateError, quoted
from causalgia.tell.figures.style import (
    ACCENT,
    BAND,
    GRAY,
    GRID,
    INK,
    axis_label,
    colors_of,
    draw_effects,
    draw_region,
    effects_in,
    finish,
    interval_label,
    name_points,
    new_axes,
    no_effect,
    of_one_task,
    reach,
    rows_of,
    title_of,
    verdict_keys,
    verdicts_of,
)

_NAMED = 8
_LEAST_P = 1e-300
_VECTOR_POINTS = 1_500
_CALIBRATION_LINE = "errors_and_scatter"


def scatter(
    table: xr.Dataset,
    *,
    x: str = "estimate",
    y: str = "p_value",
    task: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw a point for each effect, element or oligo, on two of its numbers.

    Effects are colored by verdict (undecided: hollow), and the eight largest are named
    where there is room. By default their p stands against their size, small p at the
    top: the p of any effect gets small with enough units, and only those outside the
    shaded region matter. Measured effects stand against virtual ones, with the
    calibration line and the means of bins; those off the line (q < .05) are orange.
    Activities of the oligos of a library stand in the first replicate against the
    second.

    Parameters
    ----------
    table
        From `causalgia.estimate` or `causalgia.decide`; from
        `causalgia.mpra.concordance`, the first contrast; or from
        `causalgia.mpra.quality`, the first two replicates. Others are drawn by
        ``table.sel(contrast=["GATA1"])`` and ``table.sel(replicate=["2", "3"])``.
    x, y
        Of effects, columns of `causalgia.tidy`: also a coordinate of the contrasts.
        An ``"estimate"`` on `y` has its interval.
    task
        The task of effects; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    EstimateError
        If there is no such column or task, the task is required, or there are several
        models.
    DataError
        If these are no estimates, concordance or quality.

    Examples
    --------
    >>> import causalgia as cg
    >>> decided = cg.decide(
    ...     cg.from_effects([1.38, 0.01], se=[0.2, 0.02], names=["GATA1", "mutant"]),
    ...     rope=(-0.1, 0.1),
    ... )
    >>> axes = scatter(decided)
    >>> axes.get_ylabel(), [text.get_text() for text in axes.texts]
    ('p of no effect', ['GATA1', 'mutant'])
    """
    if "noise_ceiling" in table:
        return _measured_against_virtual(table, ax)
    if "activity" in table and "replicate" in table["activity"].dims:
        return _replicates(table, ax)
    found = of_one_task(effects_in(table), task, "scatter")
    rows = rows_of(found)
    if wrong := [
        name for name in (x, y) if name not in rows or rows[name].isna().all()
    ]:
        raise EstimateError(f"scatter: the effects have no {quoted(wrong[0])}")
    rows = rows[rows[x].notna() & rows[y].notna()]
    at = {name: rows[name].to_numpy(float) for name in (x, y)}
    (axes,) = new_axes(ax, 6.4, 4.8)
    if y == "p_value":
        at[y] = np.maximum(at[y], _LEAST_P)
        axes.set_yscale("log")
        axes.set_ylim(2.0, min(at[y].min(), 0.1) ** 1.02)
        axes.yaxis.set_major_locator(LogLocator(numticks=7))
    if y == "estimate":
        draw_effects(
            axes, rows, at[x], across=False, ends=reach(rows), label="_effects"
        )
    else:
        colors = np.array(colors_of(rows))
        hollow = np.isin(verdicts_of(rows), OPEN)
        axes.scatter(
            at[x], at[y], s=22 if len(rows) <= 200 else 7, lw=0.8, zorder=4,
            c=np.where(hollow, "none", colors).tolist(), edgecolors=colors.tolist(),
            rasterized=len(rows) > _VECTOR_POINTS,
        )  # fmt: skip
    verdict_keys(axes, rows)
    axes.margins(0.08)
    for name, across in ((x, True), (y, False)):
        if name == "estimate":
            draw_region(axes, rows, across=across)
            no_effect(axes, found, across=across)
    words = {"estimate": axis_label(found.attrs), "p_value": "p of no effect"}
    below, beside = (words.get(name, name.replace("_", " ")) for name in (x, y))
    if y == "estimate":
        beside = f"{beside}\n{interval_label(found)}".strip()
    title = title_of(found, f"{len(rows):,} effect{'s' * (len(rows) != 1)}")
    finish([axes], ax, title, below, beside)
    largest = np.argsort(-np.abs(rows["estimate"].to_numpy(float)), kind="stable")
    term = rows["term"].tolist()
    name_points(axes, at[x], at[y], {int(i): str(term[i]) for i in largest[:_NAMED]})
    return axes


def _replicates(quality: xr.Dataset, ax: Axes | None) -> Axes:
    names = [str(name) for name in quality["replicate"].to_numpy()]
    pair = (
        quality.isel(replicate=[0, 1])["activity"]
        .transpose("oligo", "replicate")
        .to_numpy()
    )
    (axes,) = new_axes(ax, 4.6, 4.8)
    ends = [np.nanmin(pair), np.nanmax(pair)]
    axes.plot(ends, ends, color=GRAY, lw=0.8, zorder=2, label="equal")
    axes.scatter(
        pair[:, 0], pair[:, 1], s=6, color=ACCENT, alpha=0.5, lw=0, zorder=3, label="oligo",
        rasterized=len(pair) > _VECTOR_POINTS,
    )  # fmt: skip
    axes.set_aspect("equal")
    axes.grid(color=GRID, lw=0.6)
    between = {"replicate": names[0], "replicate_": names[1]}
    correlation = quality["correlation_activity"].sel(between).item()
    title = title_of(quality, f"{len(pair):,} oligos, correlation {correlation:.2f}")
    return finish(
        [axes], ax, title, *(f"log2(RNA/DNA), replicate {n}" for n in names[:2])
    )


def _measured_against_virtual(table: xr.Dataset, ax: Axes | None) -> Axes:
    one = table.isel(contrast=0) if "contrast" in table.dims else table
    known = about(table)
    tail = ndtri(0.5 + float(known.ci_prob) / 2)
    (axes,) = new_axes(ax, 5.4, 5.2)
    best = one.sel(line=_CALIBRATION_LINE)
    x, y, off = (one[name].to_numpy() for name in ("virtual", "measured", "q_off"))
    ends = np.array([x.min(), x.max()])
    line = best["intercept"].item() + best["slope"].item() * ends
    slope, low, high = (
        best[name].item() for name in ("slope", "slope_lower", "slope_upper")
    )
    half = tail * one["scatter"].item()
    if half > 0:
        axes.fill_between(
            ends, line - half, line + half, color=BAND, lw=0, zorder=0.5,
            label="true effects, expected",
        )  # fmt: skip
    axes.plot(
        ends, line, color=INK, lw=1.0, ls=(0, (5, 3)), zorder=2.5,
        label=f"slope {slope:.2f} [{low:.2f}, {high:.2f}]",
    )  # fmt: skip
    look: dict[str, Any] = {
        "fmt": "none",
        "ecolor": GRAY,
        "elinewidth": 0.5,
        "alpha": 0.4,
    }
    axes.errorbar(
        x, y, xerr=one["virtual_se"], yerr=one["measured_se"], zorder=2, **look
    )
    for some, color, name in (
        (off >= 0.05, ACCENT, "element"),
        (off < 0.05, "#c25b12", "off the line"),
    ):
        if some.any():
            axes.scatter(
                x[some], y[some], s=11, color=color, lw=0, zorder=4, label=name
            )

    axes.grid(color=GRID, lw=0.5, zorder=1)
    sides = ("virtual effect", "measured effect")
    if about(table, None).of_two_fits:
        sides = ("effect in the first", "effect in the second")
    title = title_of(
        table, str(one["contrast"].item()), f"{one.sizes['element']:,} elements"
    )
    scales = (known.virtual_scale, known.measured_scale)
    finish(
        [axes],
        ax,
        title,
        *(f"{s} on {on}" for s, on in zip(sides, scales, strict=True)),
    )
    names = one["element"].to_numpy()
    farthest = np.flatnonzero(off < 0.05)[:_NAMED]
    name_points(axes, x, y, {int(i): str(names[i]) for i in farthest})
    return axes
