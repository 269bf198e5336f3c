"""Effects against a number: position, distance, measured affinity, a shift of the null
model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr
from matplotlib.axes import Axes

from causalgia.attributes import about
from causalgia.checks import listed
from causalgia.effect_table import has_positions, positions_of, tasks_in_table
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.estimation.request import null_value
from causalgia.multiplicity.joint_methods import FEW
from causalgia.schema import validate
from causalgia.tell.effect_rows import Row, as_reportable
from causalgia.tell.figures.style import (
    AS_IT_IS,
    BAND,
    EFFECT,
    GRAY,
    GRID,
    INK,
    MODELS,
    PAGE,
    ROPE,
    VERDICTS,
    add_verdicts_to_legend,
    as_task,
    axes_or_new,
    axis_label,
    beside_axis,
    color_of,
    heading,
    interval_label,
    legend,
    name_points,
    numbers_on_contrasts,
    on_contrasts,
    part_shown,
    reach,
    shortened,
    strip,
    task_rows,
    write_heading,
)
from causalgia.types import Array

MARKERS = ("o", "s", "^", "D")
_MANY_POINTS = 60
_POINTS_LABELED = 12


def profile(
    table: xr.Dataset,
    *,
    along: str,
    by: str | None = None,
    task: str | None = None,
    label: str = EFFECT,
    ax: Axes | None = None,
) -> Axes:
    """Draw effects with intervals along a numeric coordinate of their contrasts, such
    as position or distance.

    Colors show verdicts (undecided: hollow), and the region of practical equivalence is
    shaded. Unbounded intervals end in an arrow. A gray line joins the effects if no
    number occurs twice.

    Parameters
    ----------
    table
        From `causalgia.estimate` or `causalgia.decide`:
        ``ace (contrast, task[, model])``.
    along
        A numeric coordinate of the contrasts; contrasts without it (NaN) are left out.
        Its attribute ``units`` is part of the axis label.
    by
        A coordinate of the contrasts, such as a strand: each value has its own line,
        color and marker, instead of the colors of verdicts.
    task
        The task; required if there are several.
    label
        Name of the effects on the axis: ``"effect"``, or another such as
        ``"Interaction"``.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Save it by `save_figure`.

    Raises
    ------
    EstimateError
        If `along` is not a numeric coordinate of the contrasts, `by` is not a
        coordinate of them, or the task does not exist or is required.
    DataError
        If `table` is not a Dataset of estimates or decisions.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5], [0.5], [1.0]])
    >>> at = ("contrast", [4, 12, float("nan")])
    >>> names = {
    ...     "contrast": ["at 4", "at 12", "mean"],
    ...     "task": ["K562"],
    ...     "position": at,
    ... }
    >>> axes = profile(xr.Dataset({"ace": ace}, coords=names), along="position")
    >>> axes.get_xlabel(), axes.lines[0].get_ydata().tolist()
    ('position', [1.5, 0.5])
    """
    table = as_reportable(table)
    task = as_task(table, task, "profile")
    found = _rows_along(table, along, task, "profile")
    axes = axes_or_new(ax, 6.4, 3.6)
    _draw_rope(axes, found)
    series = _split_series(
        found, None if by is None else on_contrasts(table, by, "profile")
    )
    for look, rows in series:
        x, y = _as_columns(rows, "ace")
        if max(Counter(x.tolist()).values()) == 1:
            axes.plot(
                x,
                y,
                color=look.color or GRAY,
                lw=0.9,
                alpha=0.7,
                zorder=3,
                label="_joined",
            )
        _draw_points(
            axes, rows, look, reach([row for row, _ in found], null_value(table))
        )
    _finish_curve(axes, table, along, task, found, has_verdicts=by is None, label=label)
    return axes


def band(
    curves: xr.Dataset,
    *,
    contrast: str | list[str] | None = None,
    task: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the effect on a profile along its positions, with the band (or intervals) as
    a shade.

    Limits by the rule of three, where eight or fewer units differ, are dotted and do
    not set the scale. Bars at the bottom mark positions at which few units carry the
    effect: bands of such curves may cover less often than stated.

    Parameters
    ----------
    curves
        From `causalgia.simultaneous` with ``over="position"``, or `causalgia.estimate`:
        ``ace (contrast, position, task)``.
    contrast
        One or several, each in its own color; required if there are more than four.
    task
        The task; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Save it by `save_figure`.

    Raises
    ------
    EstimateError
        If the contrast or the task does not exist or is required.
    DataError
        If `curves` are no estimates with a dim position.

    Examples
    --------
    >>> ace = (
    ...     ("contrast", "position", "task"),
    ...     np.array([0.0, 2.0, 0.5]).reshape(1, 3, 1),
    ... )
    >>> names = {"contrast": ["GATA1"], "position": [-1, 0, 1], "task": ["K562"]}
    >>> axes = band(xr.Dataset({"ace": ace}, coords=names))
    >>> axes.get_xlabel(), axes.lines[0].get_ydata().tolist()
    ('position (bp)', [0.0, 2.0, 0.5])
    """
    curves = validate(curves, "estimates", positions=True)
    if not has_positions(curves) or "model" in curves["ace"].dims:
        raise DataError("band draws estimates (contrast, position, task) of one model")
    task = as_task(curves, task, "band")
    names = [str(name) for name in curves["contrast"].to_numpy()]
    wanted = (
        names
        if contrast is None
        else [contrast]
        if isinstance(contrast, str)
        else list(contrast)
    )
    unknown = [name for name in wanted if name not in names]
    if unknown or not 0 < len(wanted) <= len(MODELS):
        raise EstimateError(
            f"band: contrast={quoted(contrast)}: 1 to {len(MODELS)} of {listed(names)}"
        )
    axes, at = (
        axes_or_new(ax, PAGE, 3.4),
        positions_of(curves) + (int(about(curves, 1).bin) - 1) / 2,
    )
    drawn = [
        curves.isel(contrast=names.index(name), task=tasks_in_table(curves).index(task))
        for name in wanted
    ]
    for number, (name, curve, color) in enumerate(
        zip(wanted, drawn, MODELS, strict=False)
    ):
        if "lower" in curve:
            _draw_limits(axes, at, curve, color, low=0.012 + 0.02 * number)
        axes.plot(
            at,
            curve["ace"].to_numpy(),
            color=color,
            lw=1.2,
            zorder=4,
            label=shortened(name),
        )
    axes.axhline(null_value(curves), color=INK, lw=0.8, zorder=2)
    _scale_to_bands(axes, drawn)
    if any("few_units" in curve and curve["few_units"].any() for curve in drawn):
        axes.plot([], [], color=GRAY, lw=3, label="few units carry it")
    if any(_bounded(curve).any() for curve in drawn):
        axes.plot([], [], color=GRAY, lw=0.9, ls=":", label="limit by rule of three")
    words = (
        "band over all positions"
        if about(curves, None).over == "position"
        else "interval at each position"
    )
    levels = (
        f"{100 * float(about(curves, 0.95).ci_prob):.4g} % {words}"
        if "lower" in curves
        else ""
    )
    beside_axis(axes, axis_label(curves.attrs), levels)
    axes.set_xlabel("position (bp)", fontsize=9.5)
    write_heading(
        axes,
        heading(curves, *(wanted if len(wanted) == 1 else []), task),
        part_shown(curves),
    )
    strip(axes, "top", "right", "bottom")
    axes.margins(x=0.01)
    axes.tick_params(labelsize=9)
    axes.grid(axis="y", color=GRID, lw=0.5, zorder=1)
    legend(axes)
    return axes


def _bounded(curve: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return where the limits of a curve's band are those of the rule of three and not
    of a t.
    """
    if about(curve, None).band != "sup_t" or "n_differing" not in curve:
        return np.zeros(curve["ace"].shape, dtype=bool)
    return np.asarray(
        (curve["n_differing"].to_numpy() <= FEW)
        & (curve["lower"] < curve["upper"]).to_numpy()
    )


def _draw_limits(
    axes: Axes, at: Array, curve: xr.Dataset, color: str, *, low: float
) -> None:
    """Shade the band of a curve, dot its limits by the rule of three, and mark where
    few units carry the effect.
    """
    lower, upper, bounded = (
        curve["lower"].to_numpy(),
        curve["upper"].to_numpy(),
        _bounded(curve),
    )
    beside = bounded | np.append(bounded[1:], False) | np.insert(bounded[:-1], 0, False)
    where: dict[str, Any] = {"where": ~bounded} if bounded.any() else {}
    axes.fill_between(
        at,
        lower,
        upper,
        color=color,
        alpha=0.25,
        lw=0,
        zorder=2.5,
        label="_band",
        **where,
    )
    if bounded.any():
        for limit in (lower, upper):
            dotted = np.where(
                bounded, limit, np.where(beside, curve["ace"].to_numpy(), np.nan)
            )
            axes.plot(
                at,
                dotted,
                color=color,
                lw=0.9,
                ls=":",
                zorder=3,
                label="_rule of three",
            )
    if "few_units" in curve and (few := curve["few_units"].to_numpy()).any():
        half = (at[1] - at[0]) / 2 if len(at) > 1 else 0.5
        runs = np.flatnonzero(np.diff(np.concatenate([[False], few, [False]]))).reshape(
            -1, 2
        )
        spans = [(at[a] - half, at[b - 1] - at[a] + 2 * half) for a, b in runs]
        look: dict[str, Any] = {"facecolors": color, "alpha": 0.8, "lw": 0, "zorder": 3}
        axes.broken_barh(
            spans,
            (low, 0.014),
            transform=axes.get_xaxis_transform(),
            label="_few units",
            **look,
        )


def _scale_to_bands(axes: Axes, drawn: list[xr.Dataset]) -> None:
    """Fit the axis to the curves and their bands; limits by the rule of three may leave
    it.
    """
    ends = [curve["ace"].to_numpy() for curve in drawn]
    for curve in drawn:
        if "lower" in curve:
            ends += [
                curve[name].to_numpy()[~_bounded(curve)] for name in ("lower", "upper")
            ]
    values = np.concatenate(ends)
    values = values[np.isfinite(values)]
    low, high = values.min(initial=0.0), values.max(initial=0.0)
    if any(_bounded(curve).any() for curve in drawn) and low < high:
        axes.set_ylim(low - 0.09 * (high - low), high + 0.06 * (high - low))


def against(
    table: xr.Dataset,
    *,
    x: str,
    line: tuple[float, float] | None = None,
    task: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw effects against a measured number, with the errors of both and an optional
    line.

    Parameters
    ----------
    table
        From `causalgia.estimate` or `causalgia.decide`:
        ``ace (contrast, task[, model])``; bars are the intervals.
    x
        A numeric coordinate of the contrasts; contrasts without it (NaN) are left out.
        Horizontal bars are 1.96 standard errors on either side, if there is a
        coordinate ``{x}_se``.
    line
        Intercept and slope of a line, drawn over the range of `x`.
    task
        The task; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Save it by `save_figure`. Up to twelve points are labeled with their contrasts,
        where there is room.

    Raises
    ------
    EstimateError
        If `x` is not a numeric coordinate of the contrasts, the line is not two finite
        numbers, or the task does not exist or is required.
    DataError
        If `table` is not a Dataset of estimates or decisions.

    Examples
    --------
    >>> names = {
    ...     "contrast": ["UGCAUG", "UGCACG"],
    ...     "task": ["K562"],
    ...     "affinity": ("contrast", [-0.5, -2.0]),
    ... }
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[1.5], [0.5]])}, coords=names
    ... )
    >>> axes = against(table, x="affinity", line=(1.8, 0.65))
    >>> [text.get_text() for text in axes.texts]
    ['UGCACG', 'UGCAUG']
    """
    table = as_reportable(table)
    task = as_task(table, task, "against")
    found = _rows_along(table, x, task, "against")
    axes = axes_or_new(ax, 5.2, 4.2)
    if line is not None:
        _draw_line(axes, [place for _, place in found], line)
    if f"{x}_se" in table.coords:
        se = numbers_on_contrasts(table, f"{x}_se", "against")
        known = [(row, place) for row, place in found if row["contrast"] in se]
        places, y = _as_columns(known, "ace")
        half = 1.96 * np.array([se[row["contrast"]] for row, _ in known])
        axes.errorbar(
            places, y, xerr=half, fmt="none", ecolor=GRAY, elinewidth=0.9, zorder=3.5
        )
    for look, rows in _split_series(found, None):
        _draw_points(
            axes, rows, look, reach([row for row, _ in found], null_value(table))
        )
    _finish_curve(axes, table, x, task, found)
    if len(found) <= _POINTS_LABELED and "model" not in found[0][0]:
        places, aces = _as_columns(found, "ace")
        name_points(
            axes, places, aces, {i: row["contrast"] for i, (row, _) in enumerate(found)}
        )
    return axes


Placed = list[tuple[Row, float]]


def _rows_along(table: xr.Dataset, along: str, task: str, figure: str) -> Placed:
    """Return the rows of a task with their coordinate, in its order."""
    at = numbers_on_contrasts(table, along, figure)
    placed = [
        (row, at[row["contrast"]])
        for row in task_rows(table, task)
        if row["contrast"] in at
    ]
    return sorted(placed, key=lambda pair: pair[1])


class Look(NamedTuple):
    """Style of one series: name in the legend, color (None: those of verdicts) and
    marker.
    """

    label: str
    color: str | None
    marker: str


def _split_series(
    found: Placed, by: Mapping[str, Any] | None
) -> list[tuple[Look, Placed]]:
    """Return the rows of each model and each value of a coordinate, with their
    style.
    """
    if not found:
        return []
    keys = [
        (row.get("model"), None if by is None else by.get(row["contrast"], ""))
        for row, _ in found
    ]
    values = list(dict.fromkeys(value for _, value in keys))
    series = []
    for number, key in enumerate(dict.fromkeys(keys)):
        rows = [placed for placed, mine in zip(found, keys, strict=True) if mine == key]
        names = [str(part) for part in key if part is not None]
        label = ", ".join(names) or (
            "_decided" if "verdict" in rows[0][0] else "estimate"
        )
        color = MODELS[number % len(MODELS)] if names else None
        marker = "o" if by is None else MARKERS[values.index(key[1]) % len(MARKERS)]
        series.append((Look(label, color, marker), rows))
    return series


def _as_columns(found: Placed, *names: str) -> list[Array]:
    x = np.array([place for _, place in found])
    return [
        x,
        *(np.array([row[name] for row, _ in found], dtype=float) for name in names),
    ]


def _draw_rope(axes: Axes, found: Placed) -> None:
    """Shade the region of practical equivalence, a band that may vary along the
    axis.
    """
    if not found or "rope_lower" not in found[0][0]:
        return
    x, low, high = _as_columns(found, "rope_lower", "rope_upper")
    look: dict[str, Any] = {"color": ROPE, "lw": 0, "zorder": 0.5, "label": "ROPE"}
    if np.array_equal(low, high):
        return
    if np.ptp(low) == np.ptp(high) == 0:
        axes.axhspan(low[0], high[0], **look)
    else:
        axes.fill_between(x, low, high, **look)


def _draw_points(
    axes: Axes, found: Placed, look: Look, ends: tuple[float, float]
) -> None:
    x, y = _as_columns(found, "ace")
    colors = np.array([look.color or color_of(row) for row, _ in found])
    size, width = (8, 0.8) if len(found) > _MANY_POINTS else (26, 1.4)
    if "lower" in found[0][0]:
        _, lower, upper = _as_columns(found, "lower", "upper")
        arms = np.maximum([y - np.clip(lower, *ends), np.clip(upper, *ends) - y], 0)
        axes.errorbar(
            x,
            y,
            yerr=arms,
            fmt="none",
            ecolor=colors.tolist(),
            elinewidth=width,
            zorder=4,
        )
        for limit, end, marker in zip((lower, upper), ends, ("v", "^"), strict=True):
            gone = np.isinf(limit)
            if gone.any():
                edge: dict[str, Any] = {
                    "s": size,
                    "marker": marker,
                    "lw": 0,
                    "zorder": 5,
                    "label": "_unbounded",
                }
                axes.scatter(
                    x[gone],
                    np.full(int(gone.sum()), end),
                    color=colors[gone].tolist(),
                    **edge,
                )
    axes.scatter(
        x, y, s=size, color=colors, marker=look.marker, lw=0, zorder=5, label=look.label
    )
    hollow = np.array([row.get("verdict") == "undecided" for row, _ in found])
    inner: dict[str, Any] = {
        "color": "white",
        "marker": look.marker,
        "lw": 0,
        "zorder": 5.5,
        "label": "_undecided",
    }
    axes.scatter(x[hollow], y[hollow], s=size / 2, **inner)


def _draw_line(axes: Axes, places: list[float], line: tuple[float, float]) -> None:
    if len(line) != 2 or not np.isfinite(np.asarray(line, dtype=float)).all():
        raise EstimateError(
            f"against: line={quoted(line)} must be an intercept and a slope, two "
            "finite numbers"
        )
    ends = np.array([min(places), max(places)])
    label = f"line {line[0]:.3g} {line[1]:+.3g} x".replace("-", "\N{MINUS SIGN}")
    axes.plot(
        ends,
        line[0] + line[1] * ends,
        color=INK,
        lw=1.0,
        ls=(0, (5, 3)),
        zorder=2.5,
        label=label,
    )


def _finish_curve(
    axes: Axes,
    table: xr.Dataset,
    along: str,
    task: str,
    found: Placed,
    *,
    has_verdicts: bool = True,
    label: str = EFFECT,
) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.axhline(null_value(table), color=INK, lw=0.8, zorder=2)
    levels = interval_label(table)
    beside_axis(axes, axis_label(table.attrs, label), levels)
    units = about(table[along], None).units
    axes.set_xlabel(
        along.replace("_", " ") + (f" ({units})" if units else ""),
        fontsize=9.5,
        **AS_IT_IS,
    )
    write_heading(axes, heading(table, task), part_shown(table))
    strip(axes, "top", "right", "bottom")
    axes.tick_params(labelsize=9)
    if all(
        x == round(x) for x in numbers_on_contrasts(table, along, "profile").values()
    ):
        axes.xaxis.set_major_locator(
            MaxNLocator("auto", integer=True, steps=[1, 2, 5, 10])
        )
    if len({place for _, place in found}) == 1:
        axes.set_xlim(found[0][1] - 1.5, found[0][1] + 1.5)
    axes.grid(axis="y", color=GRID, lw=0.5, zorder=1)
    if has_verdicts:
        drawn = table.sel(
            contrast=list(dict.fromkeys(row["contrast"] for row, _ in found))
        )
        drawn = (
            drawn.isel(task=[tasks_in_table(table).index(task)])
            if "task" in table.dims
            else drawn
        )
        add_verdicts_to_legend(axes, drawn)
    elif any(row.get("verdict") == "undecided" for row, _ in found):
        axes.scatter(
            [],
            [],
            s=26,
            facecolors="none",
            edgecolors=GRAY,
            lw=1.4,
            label="hollow: undecided",
        )
    legend(axes)


def tipping_point(
    found: xr.Dataset,
    *,
    contrast: str | None = None,
    task: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the ACE as a function of the null model, with its interval, its verdicts and
    the points where they turn.

    Points are colored by verdict, and the region of practical equivalence is shaded. A
    dotted line marks each tipping point; a second axis has the mean of the covariate.

    Parameters
    ----------
    found
        From `causalgia.tipping_point`, of one predictor.
    contrast, task
        The contrast and the task; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Save it by `save_figure`.

    Raises
    ------
    EstimateError
        If the contrast or task does not exist or is required, or there are several
        predictors.
    DataError
        If `found` is no result of `causalgia.tipping_point`.

    Examples
    --------
    >>> import causalgia as cg
    >>> gc = cg.FunctionPredictor(
    ...     lambda x: x[:, 1:3].mean((1, 2)) * x[:, 0, 9], tasks=["K562"]
    ... )
    >>> arms = {"T": cg.Embed("T", at=9), "A": cg.Embed("A", at=9)}
    >>> outcomes = cg.run(
    ...     cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=200), gc, rng=0
    ... )
    >>> axes = tipping_point(
    ...     cg.tipping_point(outcomes, contrast="A - T", rope=(-0.4, 0.4))
    ... )
    >>> axes.get_xlabel()
    'shift of gc (sd)'
    """
    validate(found, "tipping")
    if "model" in found.dims:
        raise EstimateError(
            "tipping_point: there are several predictors, and one is drawn"
        )
    task = as_task(found, task, "tipping_point")
    names = [str(name) for name in found["contrast"].to_numpy()]
    contrast = names[0] if contrast is None and len(names) == 1 else contrast
    if contrast not in names:
        raise EstimateError(
            f"tipping_point: contrast={quoted(contrast)} is none of {listed(names)}"
        )
    one = found.isel(
        contrast=names.index(contrast), task=tasks_in_table(found).index(task)
    )
    axes, shift = axes_or_new(ax, 6.4, 3.6), one["shift"].to_numpy()
    ace, lower, upper = (
        one[f"tilted_{name}"].to_numpy() for name in ("ace", "lower", "upper")
    )
    low, high = (one[f"rope_{end}"].item() for end in ("lower", "upper"))
    if low < high:
        axes.axhspan(low, high, color=ROPE, lw=0, zorder=0.5, label="ROPE")
    axes.fill_between(
        shift, lower, upper, color=BAND, lw=0, zorder=1.5, label="interval"
    )
    axes.plot(shift, ace, color=GRAY, lw=0.9, zorder=3, label="_joined")
    verdict = one["tilted_verdict"].to_numpy()
    for name, color in VERDICTS.items():
        mine = verdict == name
        if mine.any():
            inner = "white" if name == "undecided" else color
            axes.scatter(
                shift[mine],
                ace[mine],
                s=14,
                facecolors=inner,
                edgecolors=color,
                lw=1.0,
                zorder=5,
                label=name,
            )
    for at in one["tipping_shift"].to_numpy()[one["turns"].to_numpy()]:
        axes.axvline(at, color=INK, lw=0.8, ls=":", zorder=2.5)
    axes.axvline(0, color=GRID, lw=0.8, zorder=1)
    label, mean, sd = (
        found.attrs[name] for name in ("covariate", "covariate_at_0", "covariate_sd")
    )
    axes.set_xlabel(f"shift of {label} (sd)", fontsize=9.5, **AS_IT_IS)
    below = axes.secondary_xaxis(
        -0.28, functions=(lambda s: mean + sd * s, lambda x: (x - mean) / sd)
    )
    below.set_xlabel(f"mean of {label}", fontsize=9.5, **AS_IT_IS)
    below.tick_params(labelsize=9)
    level = f"{100 * float(about(found).ci_prob):.4g} % intervals"
    beside_axis(axes, axis_label(found.attrs), level)
    write_heading(axes, heading(found, contrast, task))
    strip(axes, "top", "right")
    axes.tick_params(labelsize=9)
    axes.grid(axis="y", color=GRID, lw=0.5, zorder=1)
    legend(axes)
    if (
        ax is None
    ):  # the second axis hangs on the height of the first, which the first layout finds
        axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    return axes
