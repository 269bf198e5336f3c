"""Effects along a number: the positions of a profile, a distance, a shift of the null
model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from causalgia.attributes import about
from causalgia.checks import listed
from causalgia.effect_table import has_positions, positions_of
from causalgia.errors import EstimateError, quoted
from causalgia.schema import validate
from causalgia.tell.figures.style import (
    AS_IT_IS,
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
    new_axes,
    no_effect,
    of_one_task,
    reach,
    rows_of,
    shortened,
    title_of,
    verdict_keys,
)

if TYPE_CHECKING:
    import pandas as pd

_MARKERS = "os^D"
_FEW_UNITS_DIFFER = 8


def curve(
    table: xr.Dataset,
    *,
    x: str | None = None,
    by: str | None = None,
    task: str | None = None,
    label: str = "effect",
    ax: Axes | None = None,
) -> Axes:
    """Draw effects along a number: along the positions of a profile, along a shift of
    the null model, or along a coordinate of the contrasts, such as a distance.

    Effects along a coordinate and a shift have the color of their verdict (undecided:
    hollow), and the region of practical equivalence is shaded. A profile has a line and
    a band for each contrast; limits by the rule of three, where at most eight units
    differ from all others, are dotted, and bars at the bottom mark positions at which
    few units carry the effect. Dotted vertical lines are tipping points.

    Parameters
    ----------
    table
        From `causalgia.estimate` or `causalgia.decide`; a profile, from
        `causalgia.simultaneous` with ``over="position"``, of which the first six
        contrasts are drawn; or from `causalgia.tipping_point`, the first contrast.
        Others are drawn by ``table.sel(contrast=["GATA1"])``.
    x
        A numeric coordinate of the contrasts; those without it (NaN) are left out.
        Needed where the table has neither positions nor shifts.
    by
        A coordinate of the contrasts, such as a strand: each value has a line, a color
        and a marker of its own, instead of the colors of verdicts.
    task
        The task; required if there are several.
    label
        Name of the effects on the axis.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    EstimateError
        If `x` is not a numeric coordinate of the contrasts, or the task does not exist
        or is required.
    DataError
        If these are no estimates.

    Examples
    --------
    >>> at = ("contrast", [4, 12, float("nan")])
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[1.5], [0.5], [1.0]])},
    ...     {"contrast": ["at 4", "at 12", "mean"], "task": ["K562"], "position": at},
    ... )
    >>> axes = curve(table, x="position")
    >>> axes.get_xlabel(), axes.lines[0].get_ydata().tolist()
    ('position', [1.5, 0.5])
    """
    if "tipping_shift" in table:
        return _along_shift(of_one_task(validate(table, "tipping"), task, "curve"), ax)
    if has_positions(table):
        profile = validate(table, "estimates", positions=True)
        return _along_positions(of_one_task(profile, task, "curve"), label, ax)
    found = of_one_task(effects_in(table), task, "curve", models=True)
    rows = rows_of(found)
    if (
        x is None
        or x not in rows
        or rows[x].dtype.kind not in "iuf"
        or not rows[x].notna().any()
    ):
        known = [
            str(name)
            for name, of in found.coords.items()
            if of.dims == ("contrast",)
            and of.dtype.kind in "iuf"
            and of.notnull().any()
        ]
        there = f"are {listed(known)}" if known else "are none"
        raise EstimateError(
            f"curve: x={quoted(x)} is no numeric coordinate of contrasts; there {there}"
        )
    rows = rows[rows[x].notna()].sort_values(x, kind="stable")
    (axes,) = new_axes(ax, 6.4, 3.9)
    _draw_along(axes, rows, x, [name for name in ("model", by or "") if name in rows])
    no_effect(axes, found, across=False)
    axes.locator_params(axis="x", integer=bool((rows[x] % 1 == 0).all()))
    if rows[x].nunique() == 1:
        axes.set_xlim(rows[x].iloc[0] - 1.5, rows[x].iloc[0] + 1.5)
    unit = about(found[x], "").units
    below = x.replace("_", " ") + (f" ({unit})" if unit else "")
    beside = f"{axis_label(found.attrs, label)}\n{interval_label(found)}".strip()
    return finish([axes], ax, title_of(found), below, beside)


def _draw_along(axes: Axes, rows: pd.DataFrame, x: str, keys: list[str]) -> None:
    """Draw rows in the order of a column, joined where no place occurs twice; each
    value of the keys has its color and marker.
    """
    draw_region(axes, rows, rows[x].to_numpy(float), across=False)
    groups = list(rows.groupby(keys, sort=False)) if keys else [((), rows)]
    for number, (key, group) in enumerate(groups):
        at = group[x].to_numpy(float)
        color = SERIES[number % len(SERIES)] if keys else None
        if len(np.unique(at)) == len(at):
            look: dict[str, Any] = {"color": color or GRAY, "lw": 0.9, "alpha": 0.7}
            axes.plot(at, group["estimate"], zorder=3, **look)
        name = ", ".join(shortened(str(part)) for part in key)
        plain = "_decided" if "verdict" in group else "estimate"
        draw_effects(
            axes, group, at, across=False, ends=reach(rows), color=color,
            label=name or plain, marker=_MARKERS[number % len(_MARKERS)],
            size=26 if len(rows) <= 60 else 8,
        )  # fmt: skip
    if not keys:
        verdict_keys(axes, rows)


def _along_positions(table: xr.Dataset, label: str, ax: Axes | None) -> Axes:
    """Draw the effect along a profile, with its band, of each of up to six contrasts."""
    at = positions_of(table) + (int(about(table, 1).bin) - 1) / 2
    (axes,) = new_axes(ax, PAGE, 3.6)
    names = [str(name) for name in table["contrast"].to_numpy()]
    drawn = names[: len(SERIES)]
    for number, (name, color) in enumerate(zip(drawn, SERIES, strict=False)):
        one = table.isel(contrast=number, task=0)
        ace = one["ace"].to_numpy()
        axes.plot(at, ace, color=color, lw=1.2, zorder=4, label=shortened(name))
        if "lower" in one:
            _draw_band(axes, at, one, color, low=0.012 + 0.02 * number)
    no_effect(axes, table, across=False)
    axes.margins(x=0.01)
    some = f"the first {len(drawn)} of {len(names)} contrasts"
    shown = table if drawn == names else table.assign_attrs(shown=some)
    over = about(table, "").over == "position"
    words = "band over all positions" if over else "interval at each position"
    level = f"{100 * float(about(table, 0.95).ci_prob):.4g} % {words}"
    upward = axis_label(table.attrs, label) + (f"\n{level}" if "lower" in table else "")
    title = title_of(shown, *(names if len(names) == 1 else []))
    return finish([axes], ax, title, "position (bp)", upward)


def _draw_band(axes: Axes, at: Any, one: xr.Dataset, color: str, *, low: float) -> None:
    """Shade the band of a curve, dot its limits by the rule of three (which do not set
    the scale), and mark where few units carry the effect.
    """
    lower, upper = one["lower"].to_numpy(), one["upper"].to_numpy()
    of_three = np.zeros(len(at), dtype=bool)
    if about(one, "").band == "sup_t" and "n_differing" in one:
        of_three = (one["n_differing"].to_numpy() <= _FEW_UNITS_DIFFER) & (
            lower < upper
        )
    axes.fill_between(
        at, lower, upper, where=~of_three, color=color, alpha=0.25, lw=0, zorder=2.5
    )
    if of_three.any():
        held = axes.get_ylim()
        for limit in (lower, upper):
            dotted = np.where(of_three, limit, np.nan)
            axes.plot(at, dotted, color=color, lw=0.9, ls=":", zorder=3, scaley=False)
        axes.set_ylim(held)
        axes.plot([], [], color=GRAY, lw=0.9, ls=":", label="limit by rule of three")
    if "few_units" in one and one["few_units"].any():
        few = at[one["few_units"].to_numpy()]
        height = np.full(len(few), low)
        axes.plot(
            few, height, "s", color=color, ms=2.5, transform=axes.get_xaxis_transform()
        )
        axes.plot([], [], "s", color=GRAY, ms=4, label="few units carry it")


def _along_shift(table: xr.Dataset, ax: Axes | None) -> Axes:
    """Draw the effect as the null model shifts, and the points where its verdict turns."""
    one = table.isel(contrast=0, task=0)
    columns = {
        "tilted_ace": "estimate",
        "tilted_lower": "conf_low",
        "tilted_upper": "conf_high",
        "tilted_verdict": "verdict",
    }
    rows = one[[*columns]].to_dataframe().rename(columns=columns).reset_index("shift")
    ends = {end: one[end].item() for end in ("rope_lower", "rope_upper")}
    (axes,) = new_axes(ax, 6.4, 4.0)
    _draw_along(axes, rows.assign(**ends), "shift", [])
    for at in one["tipping_shift"].to_numpy()[one["turns"].to_numpy()]:
        axes.axvline(at, color=INK, lw=0.8, ls=":", zorder=2.5)
    no_effect(axes, table, across=False)
    name, mean, sd = (
        table.attrs[key] for key in ("covariate", "covariate_at_0", "covariate_sd")
    )
    above = axes.secondary_xaxis(
        "top", functions=(lambda s: mean + sd * s, lambda m: (m - mean) / sd)
    )
    above.tick_params(labelsize=9)
    above.set_xlabel(f"mean of {name}", fontsize=9.5, **AS_IT_IS)
    level = f"{100 * float(about(table).ci_prob):.4g} % intervals"
    title = title_of(table, str(one["contrast"].item()))
    beside = f"{axis_label(table.attrs)}\n{level}"
    return finish([axes], ax, title, f"shift of {name} (sd)", beside)
