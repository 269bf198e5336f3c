"""Variance components with confidence limits, and text of effects and components."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import EstimateError
from causalgia.types import Array

#: verdict -> what a site does, in a sentence
DOES = {
    "increases": "increases the outcome",
    "decreases": "decreases the outcome",
    "negligible": "is negligible",
    "undecided": "is undecided",
}
# standard errors from 0 beyond which the lower limit is that of a chi-square
_CLEAR_VARIANCE = 2.0


def variance_limits(variance: Array, se: Array, ci_prob: float) -> tuple[Array, Array]:
    """Return confidence limits of variance components from their standard errors.

    By Satterthwaite, a component v has a scaled chi-square distribution on
    ``2 (v / se)^2`` degrees of freedom (at least 2 for the upper limit). ``v -+ z se``
    replaces a limit where it is wider: the lower one for v within two standard errors
    of 0 (truncated at 0), and the upper one. In simulations of 600 tables (10 to 30
    groups, 3 sites in each, 4 draws of these), 95 % intervals covered .93 to .98 of
    components away from 0 and .97 to 1 of those near it.

    Parameters
    ----------
    variance, se
        Arrays of one shape.
    ci_prob
        Probability of the intervals.

    References
    ----------
    Satterthwaite (1946), doi:10.2307/3002019.

    Examples
    --------
    >>> lower, upper = variance_limits(np.array([4.0, 0.0]), np.array([1.0, 0.5]), 0.95)
    >>> lower.round(2), upper.round(2)
    (array([2.59, 0.  ]), array([7.  , 0.98]))
    """
    from scipy import special

    tail, varies = 0.5 - ci_prob / 2, (variance > 0) & (se > 0)
    half = special.ndtri(1 - tail) * se
    df = 2 * np.square(
        np.clip(
            np.divide(variance, se, out=np.ones_like(variance), where=varies), 1.0, 1e4
        )
    )
    known = varies & (variance > _CLEAR_VARIANCE * se)
    lower = np.where(
        known,
        df * variance / special.chdtri(df, tail),
        np.maximum(variance - half, 0.0),
    )
    chi_square = np.where(varies, df * variance / special.chdtri(df, 1 - tail), 0.0)
    upper = np.where(known, chi_square, np.maximum(chi_square, variance + half))
    return lower, upper


def nested_split(
    ice: xr.DataArray, groups: Mapping[str, NDArray[Any]], *, each: str, ci_prob: float
) -> xr.Dataset:
    """Split the variance of individual effects by groups inside groups, by REML.

    Parameters
    ----------
    ice
        Individual effects, (unit, contrast, task).
    groups
        Component -> group of each unit, the widest first; components that are not
        identified are left out and listed.
    each
        Name of the residual component: the differences between units of one innermost
        group.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        ``variance, se, sd, lower, upper, share (component, contrast, task)``: limits
        are of the sd, the share is of the sum. ``attrs["not_identified"]`` lists
        components that are not identified, and contrasts that are left out because no
        maximum of their likelihood was found.

    Examples
    --------
    >>> import xarray as xr
    >>> rng = np.random.default_rng(0)
    >>> site = np.repeat(np.arange(40), 5)
    >>> effect = (rng.normal(size=40)[site] + rng.normal(size=200))[:, None, None]
    >>> found = nested_split(
    ...     xr.DataArray(effect, dims=("unit", "contrast", "task")),
    ...     {"site": site},
    ...     each="draw",
    ...     ci_prob=0.95,
    ... )
    >>> found["component"].values.tolist(), found["sd"].values.ravel().round(2).tolist()
    (['site', 'draw'], [0.79, 1.01])
    """
    from causalgia.estimation._variance_components import Cells, identify

    values = ice.transpose("unit", "contrast", "task").to_numpy()
    rows = values[:, :, 0]
    codes = {
        name: np.unique(of_unit, return_inverse=True)[1].astype(np.intp)
        for name, of_unit in groups.items()
    }
    known = identify(
        Cells(rows, np.ones((len(rows), 1)), np.full(len(rows), 1 / len(rows)), codes)
    )
    fits = [_fit_components(values[:, k], known.groups) for k in range(values.shape[1])]
    fitted = [k for k, fit in enumerate(fits) if fit is not None]
    both = np.array([fit for fit in fits if fit is not None])
    variance, se = np.moveaxis(
        both.reshape(len(fitted), 2, len(known.groups) + 1, values.shape[2]), 0, 2
    )
    names = [str(name) for name in ice["contrast"].to_numpy()]
    failed = [
        f"{name}: no maximum of its likelihood"
        for k, name in enumerate(names)
        if k not in fitted
    ]
    coords = {
        str(k): c
        for k, c in ice.isel(contrast=fitted).coords.items()
        if set(c.dims) <= {"contrast", "task"}
    }
    return (
        component_table(variance, se, ci_prob)
        .assign_coords(
            component=[*known.groups, _residual_name(known.residual, each)], **coords
        )
        .assign_attrs(
            not_identified="; ".join(
                [*(note.replace("the residual", each) for note in known.notes), *failed]
            ),
            ci_prob=ci_prob,
        )
    )


def _residual_name(residual: str, each: str) -> str:
    """Return the name of the residual together with the components that are confounded
    with it.

    Examples
    --------
    >>> (
    ...     _residual_name("instance + sequence + residual", "draw"),
    ...     _residual_name("residual", "draw"),
    ... )
    ('sequence, instance and draw together', 'draw')
    """
    *others, last = [
        *residual.replace("residual", "").strip(" +").split(" + ")[::-1],
        each,
    ]
    return f"{', '.join(others)} and {last} together" if any(others) else last


def _fit_components(
    rows: Array, groups: Mapping[str, NDArray[np.intp]]
) -> tuple[Array, Array] | None:
    """Return variances and their standard errors, (components, responses) each; None
    where no fit converges.
    """
    from causalgia.estimation.mixed_model import fit_variances, mixed_layout, respond

    if not groups:
        variance = rows.var(axis=0, ddof=1)[None]
        return variance, variance * np.sqrt(2 / (len(rows) - 1))
    try:
        layout = mixed_layout(np.ones((len(rows), 1)), groups)
        fits = [fit_variances(respond(layout, y)) for y in rows.T]
    except EstimateError:
        return None
    return np.column_stack([fit.variance for fit in fits]), np.column_stack(
        [fit.se for fit in fits]
    )


def component_table(variance: Array, se: Array, ci_prob: float) -> xr.Dataset:
    """Return a table of variance components: variance, se, sd with limits, and share of
    the total variance.

    Examples
    --------
    >>> found = component_table(
    ...     np.array([[[4.0]], [[0.0]]]), np.array([[[1.0]], [[0.5]]]), 0.95
    ... )
    >>> found["share"].values.ravel().tolist()
    [1.0, 0.0]
    """
    import xarray as xr

    lower, upper = variance_limits(variance, se, ci_prob)
    whole = variance.sum(axis=0, keepdims=True)
    columns = {
        "variance": variance,
        "se": se,
        "sd": np.sqrt(variance),
        "lower": np.sqrt(lower),
        "upper": np.sqrt(upper),
    }
    columns["share"] = np.divide(
        variance, whole, out=np.zeros_like(variance), where=whole > 0
    )
    return xr.Dataset(
        {
            name: (("component", "contrast", "task"), column)
            for name, column in columns.items()
        }
    )


def split_in_words(split: xr.Dataset) -> str:
    """Return the components of one contrast and task as text, "site sd 0.79 [0.60,
    1.10] (38 %)".

    Examples
    --------
    >>> found = component_table(
    ...     np.array([[[4.0]], [[1.0]]]), np.array([[[1.0]], [[0.5]]]), 0.95
    ... )
    >>> split_in_words(
    ...     found.assign_coords(component=["flank", "background"]).squeeze(
    ...         ["contrast", "task"]
    ...     )
    ... )
    'flank sd 2.00 [1.61, 2.65] (80 %), background sd 1.00 [0.14, 1.92] (20 %)'
    """
    from causalgia.tell.table_formats import format_effect, format_share

    parts = []
    for name in split["component"].to_numpy():
        one = {
            k: split[k].sel(component=name).item()
            for k in ("sd", "lower", "upper", "share")
        }
        size, interval = format_effect(
            {"ace": one["sd"], "lower": one["lower"], "upper": one["upper"]}
        )
        parts.append(f"{name} sd {size} {interval} ({format_share(one['share'])})")
    return ", ".join(parts)


def effect_in_words(row: xr.Dataset) -> str:
    """Return one contrast's effect with its interval to three digits, "1.06 [1.05,
    1.07]".

    Examples
    --------
    >>> import xarray as xr
    >>> effect_in_words(xr.Dataset({"ace": 1.0612, "lower": 1.0512, "upper": 1.0712}))
    '1.06 [1.05, 1.07]'
    """
    from causalgia.tell.answer_sentences import size_in_words

    columns = ("ace", "se", "lower", "upper")
    return size_in_words({name: row[name].item() for name in columns if name in row})


Place: TypeAlias = tuple[str, str | None]
"""Task and model that a sentence is on."""


def rows_by_task(table: xr.Dataset) -> Iterator[tuple[Place, xr.Dataset]]:
    """Yield each task (and each model of an ensemble) of a table, and its rows.

    Examples
    --------
    >>> import xarray as xr
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[1.0, 2.0]])},
    ...     coords={"task": ["K562", "HepG2"]},
    ... )
    >>> [place for place, _ in rows_by_task(table)]
    [('K562', None), ('HepG2', None)]
    """
    models = table["model"].to_numpy() if "model" in table["ace"].dims else [None]
    for task in table["task"].to_numpy():
        for model in models:
            of_model = {} if model is None else {"model": model}
            place = str(task), None if model is None else str(model)
            yield place, table.sel({"task": task, **of_model})


def per_unit(row: xr.Dataset, reach: float, unit: str) -> str:
    """Return a rise over a range as a slope per unit, "3.5 per copy"; it is shown
    beside the rise and has no verdict.

    Examples
    --------
    >>> import xarray as xr
    >>> per_unit(xr.Dataset({"ace": 10.5}), 3, "per copy")
    '3.5 per copy'
    """
    return f"{row['ace'].item() / reach:.3g} {unit}"


def trend_in_words(row: xr.Dataset, what: str) -> str:
    """Return a trend in words by its verdict, "the outcome rises"; an undecided one
    "may change".

    Examples
    --------
    >>> import xarray as xr
    >>> trend_in_words(xr.Dataset({"verdict": "decreases"}), "the interaction")
    'the interaction falls'
    """
    return f"{what} {_TRENDS[str(row['verdict'].item())]}"


_TRENDS = {
    "increases": "rises",
    "decreases": "falls",
    "negligible": "changes negligibly",
    "undecided": "may change (undecided)",
}
