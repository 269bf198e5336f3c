"""Forest plots: effects with their intervals, a row for each contrast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from causalgia.attributes import about
from causalgia.choices import PLACEBO_ROPES
from causalgia.effect_table import select_tasks, tasks_in_table
from causalgia.errors import EstimateError, quoted
from causalgia.tell.figures.style import (
    AS_IT_IS,
    BAND,
    GRAY,
    INK,
    PAGE,
    SERIES,
    axis_label,
    draw_effects,
    draw_region,
    effects_in,
    finish,
    interval_label,
    letters_wide,
    new_axes,
    no_effect,
    reach,
    rows_of,
    shortened,
    title_of,
    verdict_keys,
)
from causalgia.types import Array

if TYPE_CHECKING:
    import pandas as pd

_ALL_ROWS, _FIRST_ROWS = 30, 20
_PANELS = 4
_ROW, _LETTER = 0.26, 0.083  # inches
_ENOUGH_FOR_QUANTILES = 40


def forest(
    table: xr.Dataset,
    *,
    task: str | Sequence[str] | None = None,
    truth: xr.DataArray | None = None,
    sort: Literal["size", "given"] = "size",
    ax: Axes | None = None,
) -> Axes:
    """Draw effects with their intervals, a row each, in the order of a report.

    Points have the color of their verdict (undecided: hollow), and the region of
    practical equivalence is shaded. Gray points above them are hierarchical effect
    sizes. Fixed placebos share the lowest row; the gray band is the range of their
    effects (their central 95 %, from forty on). Open intervals end in an arrow.

    Parameters
    ----------
    table
        From `causalgia.estimate` or `causalgia.decide`:
        ``ace (contrast, task[, model])``; each model has its own color.
    task
        Names or patterns of tasks, such as ``"DNASE:*"``; None: all.
    truth
        True ACE ``(contrast, task)`` if known, drawn as hollow diamonds.
    sort
        ``"size"``: as in a report, directions first, then undecided and negligible
        effects, each by size; along a setting, such as a distance, in its order.
        ``"given"``: in the order of the contrasts.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Two to four tasks stand side by side, on one axis where they have one region:
        these are the axes of the first, ``axes.figure.axes`` has all. In `ax`, and for
        more tasks, each effect in each task has its row. Of more than 30 rows the first
        20 are drawn, as the title says.

    Raises
    ------
    EstimateError
        If there is no such task, or `sort` is neither.
    DataError
        If these are no estimates or decisions.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5, 0.2]])
    >>> names = {"contrast": ["GATA1"], "task": ["K562", "HepG2"]}
    >>> axes = forest(xr.Dataset({"ace": ace}, coords=names))
    >>> [panel.get_title() for panel in axes.figure.axes]
    ['K562', 'HepG2']
    """
    if sort not in ("size", "given"):
        raise EstimateError(f"forest: sort={quoted(sort)}: 'size' or 'given'")
    found = select_tasks(effects_in(table), task, place="forest: ")
    rows = rows_of(found)
    if sort == "given":
        rows = rows.sort_index().assign(_place=range(len(rows)))
    if truth is not None:
        known = truth.transpose("contrast", "task").to_series().rename("truth")
        rows = rows.join(known, on=["term", "task"])
    return draw_forest(found, rows, ax)


def draw_forest(
    found: xr.Dataset, rows: pd.DataFrame, ax: Axes | None = None, width: float = PAGE
) -> Axes:
    """Draw rows of effects, which are in their order, in axes or in a figure of a width
    in inches.
    """
    tasks = tasks_in_table(found)
    beside = ax is None and 1 < len(tasks) <= _PANELS and width == PAGE
    of: list[str] = []
    n_placebos = rows["term"][rows["is_placebo"]].nunique()
    if len(tasks) > 1 and not beside:
        of = rows["term"][~rows["is_placebo"]].drop_duplicates().tolist()
        of = of if len(of) == 1 else []
        rows = _named_by_task(rows, one=bool(of))
    names = list(dict.fromkeys(rows["term"][~rows["is_placebo"]]))
    shown = names if len(names) <= _ALL_ROWS else names[:_FIRST_ROWS]
    if len(shown) < len(names):
        some = f"the first {len(shown)} of {len(names):,} effects"
        found = found.assign_attrs(shown=about(found, some).shown)
    rows = rows[rows["is_placebo"] | rows["term"].isin(shown)]
    rows = rows.sort_values("_place", kind="stable")
    shown = list(dict.fromkeys(rows["term"][~rows["is_placebo"]]))
    groups = [rows[rows["task"] == name] for name in tasks] if beside else [rows]
    inches = width if ax is None else ax.get_window_extent().width / ax.figure.dpi
    labels = [shortened(name, min(40, 0.5 * inches / _LETTER)) for name in shown]
    labels += [f"{n_placebos:,} placebos"] * (n_placebos > 0)
    wide = _LETTER * max(map(letters_wide, labels)) + (2.3 if beside else 3.9) * len(
        groups
    )
    models = rows["model"].nunique() if "model" in rows else 1
    tall = _ROW * max(1.0, 0.55 * models) * len(labels) + 1.8
    one_region = beside and _one_region(groups)
    panels = new_axes(
        ax,
        min(width, max(wide, 5.0)),
        tall,
        1,
        len(groups),
        sharey=True,
        sharex=one_region,
    )
    for axes, group, name in zip(panels, groups, tasks, strict=False):
        _draw_rows(axes, group, found, shown)
        if beside:
            axes.set_title(shortened(name, 22), fontsize=9.5, **AS_IT_IS)
        axes.xaxis.set_major_locator(
            MaxNLocator(4 if beside or inches < 4.5 else 7, steps=[1, 2, 5, 10])
        )
    panels[0].set_ylim(len(labels) - 0.4, -0.6)
    panels[0].set_yticks(range(len(labels)), labels, **AS_IT_IS)
    panels[0].set_label("rows")
    words = [axis_label(found.attrs), interval_label(found)]
    if beside and not one_region:
        words.append("each task has an axis of its own")
    label = "\n".join(filter(None, words))
    return finish(panels, ax, title_of(found, *of), label)


def _named_by_task(rows: pd.DataFrame, *, one: bool) -> pd.DataFrame:
    """Return rows that are named by contrast and task, or by task alone where there is
    one contrast.
    """
    both = rows["term"] + ", " + rows["task"]
    return rows.assign(term=rows["task"].where(one & ~rows["is_placebo"], both))


def _one_region(groups: Sequence[pd.DataFrame]) -> bool:
    """Return whether all panels have one region, and so share an axis."""
    if "rope_lower" not in groups[0]:
        return True
    ends = ["rope_lower", "rope_upper"]
    return len({tuple(group[ends].iloc[0]) for group in groups if len(group)}) == 1


def _draw_rows(
    axes: Axes, rows: pd.DataFrame, table: xr.Dataset, shown: Sequence[str]
) -> None:
    place = {name: at for at, name in enumerate(shown)}
    effects, placebos = rows[~rows["is_placebo"]], rows[rows["is_placebo"]]
    at = np.array([place[name] for name in effects["term"]], dtype=float)
    ends = reach(rows)
    draw_region(axes, effects, at, across=True)
    if len(placebos):
        kind = about(table, "stated").rope_kind
        _draw_placebos(axes, placebos, len(shown), banded=kind not in PLACEBO_ROPES)
    if "shrunken" in effects:
        low, high, middle = (
            effects[name].to_numpy(float)
            for name in ("shrunken_low", "shrunken_high", "shrunken")
        )
        axes.hlines(at - 0.25, low, high, colors=GRAY, lw=0.7, alpha=0.6, zorder=3)
        axes.scatter(
            middle, at - 0.25, s=8, color=GRAY, lw=0, zorder=3, label="shrunken"
        )
    if "model" in effects:
        models = effects.sort_index()["model"].drop_duplicates().tolist()
        for number, model in enumerate(models):
            mine = np.asarray(effects["model"] == model)
            apart = 0.6 * (number / max(len(models) - 1, 1) - 0.5)
            heights: Array = at[mine] + apart
            draw_effects(
                axes, effects[mine], heights, across=True, ends=ends, size=14,
                color=SERIES[number % len(SERIES)], label=shortened(str(model)),
            )  # fmt: skip
    else:
        label = "_decided" if "verdict" in effects else "estimate"
        draw_effects(axes, effects, at, across=True, ends=ends, label=label)
        verdict_keys(axes, effects)
    if "truth" in effects:
        look: dict[str, Any] = {"facecolors": "none", "edgecolors": INK, "lw": 0.9}
        axes.scatter(
            effects["truth"], at, s=38, marker="D", zorder=6, label="truth", **look
        )
    no_effect(axes, table, across=True)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _draw_placebos(
    axes: Axes, placebos: pd.DataFrame, at: int, *, banded: bool
) -> None:
    """Draw a point for each placebo, and their range behind the effects."""
    values = placebos["estimate"].to_numpy(float)
    enough = len(values) >= _ENOUGH_FOR_QUANTILES
    low, high = np.quantile(values, [0.025, 0.975] if enough else [0, 1])
    if banded:
        share = "central 95 %" if enough else "range"
        axes.axvspan(
            low, high, color=BAND, lw=0, zorder=0.4, label=f"{share} of placebos"
        )
    spread = 0.5 * (np.arange(len(values)) * 0.618034 % 1 - 0.5)
    axes.scatter(values, at + spread, s=9, color=GRAY, alpha=0.65, lw=0, zorder=3)
