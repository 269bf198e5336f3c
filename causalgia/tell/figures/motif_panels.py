"""Families of motifs in one picture: logos of their instances, effects by task, and
where they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from causalgia.errors import DataError
from causalgia.tell.figures.logos import draw_information
from causalgia.tell.figures.style import (
    AS_IT_IS,
    GRAY,
    GRID,
    INK,
    PAGE,
    VERDICTS,
    new_figure,
    shortened,
    strip,
)

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_MOST_FAMILIES = 10
_TASKS_A_PANEL = 4
_BINS = 25
_OF_HEADING, _OF_ROW, _OF_TASK, _BELOW = 0.36, 0.5, 0.16, 0.55  # inches
_LETTERS_ACROSS = 92.0
_SMALL = 7.5


def motif_families(
    families: pd.DataFrame,
    effects: pd.DataFrame,
    sites: pd.DataFrame,
    logos: xr.Dataset | None,
    length: int,
) -> Axes:
    """Draw the ten families of motifs with the largest effects, a row each: a logo of
    its instances in bits, its effects by task with their intervals, and where its sites
    stand in the sequences.

    A logo stands on the strand of the motif that leads the family. Of more than four
    tasks those with the largest effects of a family are drawn.

    Parameters
    ----------
    families, effects, sites, logos, length
        ``families``, ``effects_by_task``, ``sites``, ``logos`` and ``length`` of what
        `causalgia.discover` returns, whose ``draw()`` calls this.

    Returns
    -------
    Axes
        Those of the first logo; `save_figure` saves the figure.

    Raises
    ------
    DataError
        If there is no family.
    """
    if not len(families) or logos is None:
        raise DataError("no motif is confirmed, and there is no family to draw")
    shown = families.head(_MOST_FAMILIES)
    rows = [_largest_tasks(effects, str(family)) for family in shown["motif"]]
    several = effects["task"].nunique() > 1
    heights = [_OF_HEADING + max(_OF_ROW, _OF_TASK * (len(of) + 1)) for of in rows]
    figure: Any = new_figure(PAGE, sum(heights) + _BELOW)
    grid = figure.add_gridspec(
        len(rows), 3, height_ratios=heights, width_ratios=[2.6, 2.2, 2.0]
    )
    ends = effects[["lower", "upper", "ace"]].to_numpy(float)
    ends = ends[np.isfinite(ends)]
    low, high = min(0.0, ends.min()), max(0.0, ends.max())
    pad = 0.06 * (high - low or 1.0)
    widest = int(logos["width"].max())
    first: Axes | None = None
    for i, (family, of) in enumerate(zip(shown.itertuples(), rows, strict=True)):
        logo, effect, place = (figure.add_subplot(grid[i, k]) for k in range(3))
        first = logo if first is None else first
        _draw_logo(logo, logos.sel(family=str(family.motif)), widest)
        logo.set_title(
            _heading(family), loc="left", fontsize=8, color=INK, pad=4, **AS_IT_IS
        )
        _draw_effects(effect, of, several=several)
        effect.set_xlim(low - pad, high + pad)
        members = [str(family.motif), *str(family.others).split(", ")]
        _draw_places(place, sites[sites["motif"].isin(members)], length)
        last = i == len(rows) - 1
        for axes in (effect, place):
            axes.tick_params(axis="x", labelbottom=last, labelsize=_SMALL)
        if last:
            effect.set_xlabel("effect, with its interval", fontsize=8)
            place.set_xlabel("middle of sites, bp", fontsize=8)
    left = len(families) - len(shown)
    if left:
        figure.supxlabel(
            f"{left:,} more famil{'y' if left == 1 else 'ies'} of smaller effects",
            fontsize=8,
            color=GRAY,
        )
    assert first is not None
    return first


def _largest_tasks(effects: pd.DataFrame, family: str) -> pd.DataFrame:
    own = effects[effects["family"] == family]
    order = np.argsort(-own["ace"].abs().to_numpy(float), kind="stable")
    return own.iloc[np.sort(order[:_TASKS_A_PANEL])]


def _heading(family: Any) -> str:
    """Return what stands above a row: the motif, its name, its share of sequences, and
    its partners.
    """
    name = f", {family.name}" if family.name else ""
    many = f"; {family.n_motifs:,} motifs" if family.n_motifs > 1 else ""
    where = f"in {family.share:.0%} of sequences" if family.n_sites else "at no site"
    first = f"{family.motif}{name}{many}; {where}"
    lines = [first, family.partners] if family.partners else [first]
    return "\n".join(shortened(line, _LETTERS_ACROSS) for line in lines)


def _draw_logo(axes: Axes, logo: xr.Dataset, widest: int) -> None:
    width = int(logo["width"])
    table = logo["frequency"].transpose("motif_position", "base").to_numpy()[:width]
    draw_information(axes, table)
    axes.set_xlim(-0.6, widest - 0.4)
    axes.set_ylim(0, 2.05)
    axes.set_xticks([])
    axes.set_yticks([0, 2], ["0", "2"], fontsize=_SMALL)
    axes.set_ylabel("bits", fontsize=_SMALL)
    strip(axes, "top", "right", "bottom")


def _draw_effects(axes: Axes, of: pd.DataFrame, *, several: bool) -> None:
    at = np.arange(len(of))[::-1]
    numbers = of[["lower", "upper", "ace"]].to_numpy(float)
    for y, (low, high, ace), verdict in zip(at, numbers, of["verdict"], strict=True):
        color = VERDICTS[str(verdict)]
        axes.plot([low, high], [y, y], color=color, lw=1.6, zorder=3)
        axes.plot([ace], [y], "o", color=color, ms=4, zorder=4)
    axes.axvline(0.0, color=GRAY, lw=0.8, zorder=1)
    names = [shortened(str(task), 14) if several else "" for task in of["task"]]
    axes.set_yticks(at, names, fontsize=_SMALL, **AS_IT_IS)
    axes.set_ylim(-0.7, len(of) - 0.3)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID, lw=0.5, zorder=0)
    axes.locator_params(axis="x", nbins=5)
    strip(axes, "top", "right", "left")


def _draw_places(axes: Axes, sites: pd.DataFrame, length: int) -> None:
    own = sites.drop_duplicates(["sequence", "start"])
    middles = (own["start"] + own["stop"]).to_numpy(float) / 2
    edges = np.linspace(0, max(length, 1), _BINS + 1)
    counts, _ = np.histogram(middles, edges)
    axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=GRAY, lw=0)
    axes.set_xlim(0, max(length, 1))
    top = max(int(counts.max()), 1)
    axes.set_ylim(0, 1.1 * top)
    axes.set_yticks([0, top], ["0", f"{top:,}"], fontsize=_SMALL)
    axes.set_ylabel("sites", fontsize=_SMALL)
    axes.locator_params(axis="x", nbins=5)
    strip(axes, "top", "right")
