"""Sequence logos of maps, of the difference of two maps, and of averages over aligned instances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy.special import stdtrit

from causalgia.errors import ContrastError, OutcomesError, quoted
from causalgia.estimation.request import as_ci_prob
from causalgia.numerics.observed_scores import observed_scores
from causalgia.plot.logos import OFFSETS, logo_with_bars
from causalgia.plot.style import AS_IT_IS, as_task, fit_to_page, heading, interval_label, write_heading
from causalgia.schema import validate
from causalgia.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LETTERS = np.array(list("ACGT"))


def map_logo(
    attributions: xr.Dataset,
    *,
    unit: Any = None,
    task: str | None = None,
    model: Any = None,
    minus: xr.Dataset | None = None,
    minus_model: Any = None,
    span: tuple[int, int] | None = None,
    ci_prob: float = 0.95,
    ax: Axes | None = None,
) -> Axes:
    """Draw the map of one sequence: each of its letters as high as its contribution, or the difference of two maps.

    Over baselines each letter has its interval, for more baselines of this sequence; it says nothing of other sequences
    or networks, and is no test. Maps by single substitutions are exact and have none.

    Parameters
    ----------
    attributions
        From `causalgia.attribute`.
    unit, task, model
        Which sequence, task and member; required where there are several.
    minus
        Another map of that sequence: letters are as high as the difference.
    minus_model
        The member whose map is subtracted, of `minus` or, by default, of the same maps. Bars are then the sum of both
        half-widths, the most that the error of a difference can be: members share their baselines.
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
    OutcomesError
        If it is no Dataset of `causalgia.attribute`, or the two maps are not of one sequence by one method.
    ContrastError
        If a unit, task, member or span does not exist or is required.

    Examples
    --------
    >>> import causalgia as cg
    >>> count = cg.FunctionPredictor(lambda x: x[:, 2].sum(-1), tasks=["G"], scale="count")
    >>> axes = map_logo(cg.attribute(["ACGT"], count, method="ism"))
    >>> len(axes.patches), [round(float(y), 2) for y in axes.get_ylim()]
    (4, [-0.41, 1.08])
    """
    ci_prob = as_ci_prob(ci_prob)
    heights, half, table = _one_map(attributions, unit, task, model, ci_prob)
    method = str(attributions.attrs.get("method", "")).replace("_", " ")
    label = f"contribution\n({method})"
    names = [str(table[name].item()) for name in ("parent", "task", "model") if name in table.coords]
    if minus is not None or minus_model is not None:
        of = attributions if minus is None else minus
        others, their_half, other = _one_map(of, unit, task, model if minus_model is None else minus_model, ci_prob)
        if not np.array_equal(table["observed"], other["observed"]):
            raise OutcomesError("map_logo: minus= is of another sequence; give maps of the same one")
        methods = [one.attrs.get("method") for one in (attributions, of)]
        if methods[0] != methods[1]:
            raise OutcomesError(
                f"map_logo: maps by {quoted(methods[0])} and {quoted(methods[1])} measure different things; take one "
                "method for both"
            )
        heights, half, label = heights - others, half + their_half, f"difference\n({method})"
        names.append(f"minus {other['model'].item() if 'model' in other.coords else 'the other'}")
    start, stop = _as_span(span, len(heights))
    scale = attributions.attrs.get("scale")
    columns = np.zeros((stop - start, 4))
    shown = table["observed"].to_numpy()[start:stop]
    columns[np.arange(stop - start), shown] = heights[start:stop]
    errors = np.full(columns.shape, np.nan)
    errors[np.arange(stop - start), shown] = half[start:stop]
    axes = logo_with_bars(
        columns, errors, "ACGT", table["position"].to_numpy()[start:stop].tolist(), ax, offsets=np.zeros(4)
    )
    axes.set_ylabel(f"{label},\n{scale}" if scale else label, fontsize=9.5, **AS_IT_IS)
    bars = f" (bars: {100 * ci_prob:.4g} % over baselines)" if np.isfinite(half).any() else ""
    write_heading(axes, heading(attributions.drop_dims("unit"), *names) + bars)
    fit_to_page(axes)
    return axes


def average_logo(average: xr.Dataset, *, task: str | None = None, model: Any = None, ax: Axes | None = None) -> Axes:
    """Draw the average of maps at aligned instances: bases as letters of that height, with their intervals.

    Letters are stacked as in `logo`; the bar of a letter stands at its outer edge, beside those of the others.
    A base whose interval is a point has no bar.

    Parameters
    ----------
    average
        From `causalgia.attribution.average`, or `causalgia.simultaneous` of it, whose intervals hold together.
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
    OutcomesError
        If it has no coordinates ``motif_position`` and ``base``.
    ContrastError
        If a task or member does not exist or is required.
    """
    if not isinstance(average, xr.Dataset) or not {"ace", "lower", "upper", "motif_position", "base"} <= set(
        average.variables
    ):
        raise OutcomesError(
            "average_logo: no average of maps by base; give one from cg.attribution.average, by a method with bases"
        )
    table = average.isel(task=[_place(average, "task", as_task(average, task, "average_logo"))]).isel(task=0)
    table = _select(table, "model", model, "average_logo")
    places = table["motif_position"].to_numpy()
    at = np.unique(places)
    heights, half = np.full((len(at), 4), np.nan), np.full((len(at), 4), np.nan)
    index = np.searchsorted(at, places), np.searchsorted(_LETTERS, table["base"].to_numpy())
    heights[index] = table["ace"].to_numpy()
    half[index] = (table["upper"] - table["lower"]).to_numpy() / 2
    axes = logo_with_bars(heights, np.where(half > 0, half, np.nan), "ACGT", at.tolist(), ax, offsets=OFFSETS)
    method = str(table.attrs.get("map_method", "")).replace("_", " ")
    words = [f"mean score\n({method})", str(table.attrs.get("scale", ""))]
    axes.set_ylabel(",\n".join(filter(None, words)), fontsize=9.5, **AS_IT_IS)
    axes.set_xlabel("position in the motif", fontsize=9.5)
    names = [str(table[name].item()) for name in ("task", "model") if name in table.coords]
    above = heading(table.drop_vars("n_units"), *names, f"{int(table['n_units'].max()):,} instances")
    levels = interval_label(table)
    write_heading(axes, above + (f" (bars: {levels})" if levels else ""))
    fit_to_page(axes)
    return axes


def _one_map(
    maps: xr.Dataset, unit: Any, task: str | None, model: Any, ci_prob: float
) -> tuple[Array, Array, xr.Dataset]:
    """Return contributions and half-widths, (length,), of one map, and what was selected; nan where it has none."""
    validate(maps, "attributions")
    one = maps.isel(task=_place(maps, "task", as_task(maps, task, "map_logo")))
    one = _select(_select(one, "model", model), "unit", unit)
    observed = one["observed"].to_numpy()[None]
    by_substitution = maps.attrs.get("method") == "ism"
    tables = [one[name].to_numpy()[None] for name in ("score", "score_se") if name in one]
    if "base" in maps["score"].dims:
        tables = [observed_scores(table, observed, by_substitution=by_substitution) for table in tables]
    half = np.full(observed.shape[1], np.nan)
    if len(tables) == 2:
        half = tables[1][0] * stdtrit(int(maps.attrs["n_baselines"]) - 1, 0.5 + ci_prob / 2)
    return tables[0][0], half, one


def _place(table: xr.Dataset, dim: str, name: Any) -> int:
    return [str(one) for one in table[dim].to_numpy()].index(str(name))


def _select(table: xr.Dataset, dim: str, name: Any, figure: str = "map_logo") -> xr.Dataset:
    if dim not in table.dims:
        if name is not None:
            raise ContrastError(f"{figure}: {dim}={quoted(name)}, and the maps have no dim {dim}; leave it out")
        return table
    known = table[dim].to_numpy().tolist()
    if name is None and len(known) == 1:
        return table.isel({dim: 0})
    if name is None or name not in known:
        lacking = "several, and one is drawn" if name is None else f"{dim}={quoted(name)} is not there"
        some = ", ".join(map(quoted, known[:5])) + (", ..." if len(known) > 5 else "")
        raise ContrastError(f"{figure}: {lacking}; say {dim}= one of {some}")
    return table.isel({dim: known.index(name)})


def _as_span(span: Any, length: int) -> tuple[int, int]:
    if span is None:
        return 0, length
    try:
        start, stop = map(int, span)
    except (TypeError, ValueError):
        start, stop = 0, -1
    if not 0 <= start < stop <= length:
        raise ContrastError(
            f"map_logo: span={quoted(span)} is no stretch of {length:,} positions; such as (0, {length})"
        )
    return start, stop
