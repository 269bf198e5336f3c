"""Families of motifs in one picture: logos of their instances, effects by task, and
where they stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from causalgia.errors import DataError
from causalgia.tell.figures.logos import draw_letters
from causalgia.tell.figures.style import (
    AS_IT_IS,
    GRAY,
    GRID,
    PAGE,
    draw_effects,
    shortened,
)

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_MOST_FAMILIES = 10
_TASKS_A_PANEL = 4
_SMALL = 7.5


def motif_families(
    families: pd.DataFrame,
    effects: pd.DataFrame,
    sites: pd.DataFrame,
    logos: xr.Dataset | None,
    length: int,
) -> Axes:
    """Draw the ten families of motifs with the largest effects, a row each: a logo of
    instances in bits, effects in up to four tasks, and where sites stand.

    The tables are those of what `causalgia.discover` returns; the axes are those of the
    first logo.
    """
    if not len(families) or logos is None:
        raise DataError("no motif is confirmed, and there is no family to draw")
    shown = families.head(_MOST_FAMILIES)
    effects = effects.rename(
        columns={"ace": "estimate", "lower": "conf_low", "upper": "conf_high"}
    )
    of = [_largest_tasks(effects, str(family)) for family in shown["motif"]]
    heights = [0.45 + max(0.5, 0.16 * (len(rows) + 1)) for rows in of]
    figure, grid = plt.subplots(
        len(shown), 3, figsize=(PAGE, sum(heights) + 0.55), layout="constrained",
        height_ratios=heights, width_ratios=[2.6, 2.2, 2.0], squeeze=False,
        sharex="col", facecolor="white",
    )  # fmt: skip
    limits = effects[["conf_low", "conf_high"]].to_numpy(float)
    limits = limits[np.isfinite(limits)]
    ends = float(limits.min(initial=0.0)), float(limits.max(initial=0.0))
    for panels, family, rows in zip(grid, shown.itertuples(), of, strict=True):
        logo, effect, place = panels
        _draw_logo(logo, logos.sel(family=str(family.motif)))
        logo.set_title(_heading(family), loc="left", fontsize=8, **AS_IT_IS)
        at = np.arange(len(rows))[::-1].astype(float)
        draw_effects(effect, rows, at, across=True, ends=ends, size=14)
        several = effects["task"].nunique() > 1
        names = [shortened(str(task), 14) if several else "" for task in rows["task"]]
        effect.set_yticks(at, names, fontsize=_SMALL, **AS_IT_IS)
        effect.tick_params(axis="y", length=0)
        effect.set_ylim(-0.7, len(rows) - 0.3)
        effect.axvline(0.0, color=GRAY, lw=0.8, zorder=1)
        effect.grid(axis="x", color=GRID, lw=0.5, zorder=0)
        members = [str(family.motif), *str(family.others).split(", ")]
        _draw_places(place, sites[sites["motif"].isin(members)], max(length, 1))
        for axes in panels:
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=_SMALL)
    grid[0, 0].set_xlim(-0.6, int(logos["width"].max()) - 0.4)
    grid[0, 0].set_xticks([])
    grid[-1, 1].set_xlabel("effect, with its interval", fontsize=8)
    grid[-1, 2].set_xlabel("middle of sites, bp", fontsize=8)
    for column in (1, 2):
        grid[0, column].locator_params(axis="x", nbins=5)
    if left := len(families) - len(shown):
        figure.supxlabel(f"{left:,} more with smaller effects", fontsize=8, color=GRAY)
    return grid[0, 0]  # type: ignore[no-any-return]


def _largest_tasks(effects: pd.DataFrame, family: str) -> pd.DataFrame:
    own = effects[effects["family"] == family]
    order = np.argsort(-own["estimate"].abs().to_numpy(float), kind="stable")
    return own.iloc[np.sort(order[:_TASKS_A_PANEL])]


def _heading(family: Any) -> str:
    """Return what stands above a row: the motif, its name, its share of sequences, and
    its partners.
    """
    name = f", {family.name}" if family.name else ""
    many = f"; {family.n_motifs:,} motifs" if family.n_motifs > 1 else ""
    where = (
        f"in {100 * family.share:.0f} % of sequences"
        if family.n_sites
        else "at no site"
    )
    lines = [f"{family.motif}{name}{many}; {where}", family.partners]
    return "\n".join(shortened(line, 92) for line in lines if line)


def _draw_logo(axes: Axes, logo: xr.Dataset) -> None:
    width = int(logo["width"])
    shares = logo["frequency"].transpose("motif_position", "base").to_numpy()[:width]
    logs = np.log2(shares, where=shares > 0, out=np.zeros_like(shares))
    bits = 2 + (shares * logs).sum(axis=1, keepdims=True)
    draw_letters(axes, shares * bits, "ACGT")
    axes.set_ylim(0, 2.05)
    axes.set_yticks([0, 2])
    axes.set_ylabel("bits", fontsize=_SMALL)


def _draw_places(axes: Axes, sites: pd.DataFrame, length: int) -> None:
    own = sites.drop_duplicates(["sequence", "start"])
    middles = (own["start"] + own["stop"]).to_numpy(float) / 2
    counts, _, _ = axes.hist(middles, np.linspace(0, length, 26).tolist(), color=GRAY)
    top = max(int(np.max(counts)), 1)
    axes.set(xlim=(0, length), ylim=(0, 1.1 * top))
    axes.set_yticks([0, top], ["0", f"{top:,}"])
    axes.set_ylabel("sites", fontsize=_SMALL)
