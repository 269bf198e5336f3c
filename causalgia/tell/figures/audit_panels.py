"""Small pictures of the page of an audit: the logo of a matrix, and an interaction by
gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from causalgia.tell.figures.logos import draw_letters
from causalgia.tell.figures.style import AS_IT_IS, BAND, GRAY, GRID, SERIES, shortened
from causalgia.types import Array

if TYPE_CHECKING:
    import pandas as pd

_WIDE, _A_POSITION, _HIGH = 3.6, 0.24, 0.8
_SMALL = 7.5


def matrix_logo(probabilities: Array) -> Axes:
    """Draw the logo of a matrix, (positions, 4), in bits."""
    shares = np.asarray(probabilities, float)
    logs = np.log2(shares, where=shares > 0, out=np.zeros_like(shares))
    bits = shares * np.maximum(2 + (shares * logs).sum(axis=1, keepdims=True), 0.0)
    width = min(0.5 + _A_POSITION * len(shares), _WIDE)
    _, axes = plt.subplots(
        figsize=(width, _HIGH), layout="constrained", facecolor="white"
    )
    draw_letters(axes, bits, "ACGT")
    axes.set(xlim=(-0.6, len(shares) - 0.4), ylim=(0, 2.05), xticks=[], yticks=[0, 2])
    axes.set_ylabel("bits", fontsize=_SMALL)
    axes.tick_params(labelsize=_SMALL)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    made: Axes = axes
    return made


def gap_plot(
    settings: pd.DataFrame,
    arrangement: str,
    gaps: Sequence[tuple[int, int]],
    label: str,
) -> Axes:
    """Draw an interaction by gap with its interval, a color a task, and behind it those
    of the other arrangements of the pair; the gaps of the rule are shaded.

    Parameters
    ----------
    settings
        ``arrangement, gap, task, interaction, lower, upper`` of one pair.
    arrangement
        The one that is drawn; empty: every one alike.
    gaps
        First and last gap of each run of the rule.
    label
        Of the axis of interactions.
    """
    figure, axes = plt.subplots(
        figsize=(_WIDE, 2.2), layout="constrained", facecolor="white"
    )
    for first, last in gaps:
        axes.axvspan(first - 0.5, last + 0.5, color=BAND, lw=0, zorder=0)
    axes.axhline(0.0, color=GRAY, lw=0.8, zorder=1)
    tasks = list(dict.fromkeys(settings["task"]))
    for color, task in zip(SERIES, tasks, strict=False):
        of_task = settings[settings["task"] == task]
        for name, rows in of_task.groupby("arrangement", sort=False):
            rows = rows.sort_values("gap")
            own = name == arrangement
            axes.plot(
                rows["gap"],
                rows["interaction"],
                color=color if own or not arrangement else GRAY,
                lw=1.3 if own else 0.6,
                alpha=1.0 if own else 0.5,
                zorder=3 if own else 2,
                marker="o" if own else "",
                ms=2.5,
            )
            if own:
                axes.vlines(
                    rows["gap"], rows["lower"], rows["upper"], color=color, lw=1
                )
        if len(tasks) > 1:
            axes.plot([], [], color=color, lw=1.3, label=shortened(task, 24))
    axes.grid(axis="y", color=GRID, lw=0.5, zorder=0)
    axes.set_xlabel("bases between the two", fontsize=8)
    axes.set_ylabel(label, fontsize=8, **AS_IT_IS)
    axes.tick_params(labelsize=_SMALL)
    axes.spines[["top", "right"]].set_visible(False)
    if len(tasks) > 1:
        made = figure.legend(
            loc="outside upper left", ncols=2, frameon=False, fontsize=_SMALL
        )
        for text in made.get_texts():
            text.set(**AS_IT_IS)
    found: Axes = axes
    return found
