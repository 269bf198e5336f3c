"""Effect modification by covariates of units."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError, quoted
from causalgia.estimation._heterogeneity import individual_effects
from causalgia.estimation.regression import regress
from causalgia.estimation.request import Request, as_ci_prob, check_clusters, clusters, unit_name
from causalgia.numerics.moments import centered, p_and_limits
from causalgia.types import Array

_OUTCOMES = ("outcome", "ice", "assigned", "rounding", "denominator")


def modification(
    effects: xr.Dataset,
    *,
    by: str | Sequence[str] = "gc",
    cluster: str = "auto",
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Regress individual causal effects (ICE) on covariates of the units: effect modification.

    ``ICE_u = a + sum_j b_j (x_uj - mean x_j) + e_u`` by least squares; b_j is the change of the effect per unit of x_j
    at equal values of the others, over the null model. Contexts were drawn, not set: the slopes describe where the
    effect is larger, not what causes it.

    Parameters
    ----------
    effects
        From `contrast`, of a crossover.
    by
        Numeric coordinates on the units, such as ``"gc"`` or a parent's measured activity, in one joint regression.
    cluster, ci_prob
        As in `estimate`; CR2 with Satterthwaite degrees of freedom.

    Returns
    -------
    Dataset
        ``slope, se, df, p, lower, upper (covariate, contrast, task[, model])`` on attrs["contrast_scale"] for one unit
        of the covariate, and ``mean, sd (covariate)``.

    Raises
    ------
    EstimateError
        If a covariate is missing, is not numeric, does not vary, is determined by the others, or is an outcome:
        ``Y(a) - Y(c)`` holds ``-Y(c)``, so its slope on Y(c) is negative whether or not effects differ. Also for a
        parallel trial, a function of means, or too few units.

    References
    ----------
    Oldham (1962), doi:10.1016/0021-9681(62)90034-7: change is coupled to the initial value. Bell & McCaffrey (2002),
    Survey Methodology 28(2), 169-181.

    Examples
    --------
    >>> gc = np.array([0.3, 0.4, 0.5, 0.6, 0.7])
    >>> ice = (2 * gc + np.array([0.1, -0.1, 0.0, -0.1, 0.1]))[:, None, None]
    >>> effects = xr.Dataset({"ice": (("unit", "contrast", "task"), ice)}, coords={"gc": ("unit", gc)})
    >>> found = modification(effects, by="gc").squeeze()
    >>> round(float(found["slope"]), 3), round(float(found["se"]), 3), round(float(found["df"]), 2)
    (2.0, 0.478, 1.95)
    """
    ice = individual_effects(effects, "modification")
    names, ci_prob = _as_covariates(by), as_ci_prob(ci_prob)
    for name in names:
        meaning = str(effects[name].attrs.get("meaning", "")) if name in effects.variables else ""
        arms = [str(a) for a in effects["arm"].to_numpy()] if "arm" in effects.coords else []
        outcome = name in _OUTCOMES or name in effects.data_vars or meaning.startswith("potential outcome")
        if outcome or name in arms or name.lower().startswith(("outcome", "y(")):
            raise EstimateError(
                f"by={quoted(name)} is an outcome: effects are differences of outcomes, so their slope on one of them "
                "is coupled to it by construction (Y(a) - Y(c) falls with Y(c) even where effects do not differ); use "
                "what was known of the units before, such as 'gc'"
            )
    values = [unit_covariate(effects, name, f"by={quoted(name)}") for name in names]
    x = np.column_stack([centered(v)[1] for v in values])
    check_rank(x / np.abs(x).max(axis=0), names, "the units")
    if len(ice) < len(names) + 2:
        raise EstimateError(f"{len(names)} covariates need {len(names) + 2} or more units, and there are {len(ice)}")
    groups = clusters(effects, Request(cluster, None, (), "population", "units"))
    if groups is not None:
        check_clusters(groups, len(groups.labels))
    columns = slopes(x, ice, None if groups is None else groups.codes, ci_prob)
    dims = effects["ice"].dims[1:]
    out = xr.Dataset({name: (("covariate", *dims), column) for name, column in columns.items()})
    for name, about in (("mean", [v.mean() for v in values]), ("sd", [v.std(ddof=1) for v in values])):
        out[name] = (("covariate",), about)
    coords = {str(name): c for name, c in effects.coords.items() if c.dims and set(c.dims) <= set(dims)}
    attrs = {"ci_prob": ci_prob, "cluster": "unit" if groups is None else groups.name, "n_units": len(ice)}
    return out.assign_coords(covariate=list(names), **coords).assign_attrs(dict(effects.attrs) | attrs)


def slopes(x: Array, ice: Array, cluster: Any, ci_prob: float) -> dict[str, Array]:
    """Return slope, se, df, p, lower and upper of each covariate for each effect.

    Parameters
    ----------
    x
        Centered covariates, shape ``(n, q)``.
    ice
        Individual causal effects, shape ``(n, ...)``.
    cluster
        Cluster of each unit, shape ``(n,)``, or None.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    dict
        Arrays of shape ``(q, ...)``.

    Examples
    --------
    >>> x = np.array([[-1.0], [0.0], [1.0], [0.0]])
    >>> {k: v.round(3).tolist() for k, v in slopes(x, np.array([1.0, 2.0, 4.0, 2.0]), None, 0.95).items() if k != "p"}
    {'slope': [1.5], 'se': [0.354], 'df': [1.0], 'lower': [-2.992], 'upper': [5.992]}
    """
    X, flat = np.column_stack([np.ones(len(x)), x]), ice.reshape(len(ice), -1)
    fits = [regress(X, flat, c, cluster) for c in np.eye(X.shape[1])[1:]]
    slope, se = (np.stack([np.asarray(getattr(fit, k)) for fit in fits]) for k in ("estimate", "se"))
    df = np.broadcast_to(np.array([fit.df for fit in fits])[:, None], slope.shape)
    p, lower, upper = p_and_limits(slope, se, df, ci_prob)
    shape = (x.shape[1], *ice.shape[1:])
    columns = {"slope": slope, "se": se, "df": df, "p": p, "lower": lower, "upper": upper}
    return {name: np.array(column).reshape(shape) for name, column in columns.items()}


def _as_covariates(by: Any) -> tuple[str, ...]:
    """Return the names of the covariates as a tuple."""
    listed = (by,) if isinstance(by, str) else tuple(by) if isinstance(by, Iterable) else ()
    names = tuple(map(str, listed))
    if not names or len(set(names)) < len(names):
        raise EstimateError(f"by={quoted(by)}: name one or more different coordinates on the units, such as by='gc'")
    return names


def unit_covariate(effects: xr.Dataset, name: str, argument: str) -> Array:
    """Return a numeric, varying coordinate on the units, shape ``(n,)``; error messages name it by `argument`.

    Raises
    ------
    EstimateError
        If it is absent, not numeric, not finite, or the same in all units.

    Examples
    --------
    >>> effects = xr.Dataset(coords={"unit": [0, 1], "gc": ("unit", [0.4, 0.5])})
    >>> unit_covariate(effects, "gc", "by='gc'")
    array([0.4, 0.5])
    """
    on_unit = [
        str(c)
        for c in effects.coords
        if effects[c].dims == ("unit",) and effects[c].dtype.kind in "fiub" and c != "unit"
    ]
    if name not in on_unit:
        raise EstimateError(
            f"{argument}: no numeric coordinate of that name on the units; there are {', '.join(on_unit) or 'none'}; "
            "for anything else give its values, one number for each unit"
        )
    values = effects[name].to_numpy().astype(np.float64)
    if not np.isfinite(values).all():
        i = int(np.argmax(~np.isfinite(values)))
        raise EstimateError(f"unit {unit_name(effects, i)}: covariate {quoted(name)} is {values[i]}; repair it")
    if (values == values[0]).all():
        raise EstimateError(f"covariate {quoted(name)} is the same in all units; leave it out")
    return values


def check_rank(x: Array, names: tuple[str, ...], where: str) -> None:
    """Raise EstimateError for the first covariate that is constant or collinear with those before it.

    Examples
    --------
    >>> check_rank(np.array([[-1.0, -2.0], [1.0, 2.0]]), ("gc", "cpg"), "the units")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: covariate 'cpg' is collinear with gc in the units; leave one out
    """
    R = np.abs(np.diag(np.linalg.qr(x)[1]))
    size = np.sqrt((x**2).sum(axis=0))
    for j, name in enumerate(names):
        if size[j] == 0:
            raise EstimateError(f"covariate {quoted(name)} is the same in all units of {where}; leave it out")
        if j >= len(R) or R[j] <= 1e-9 * size[j]:
            raise EstimateError(
                f"covariate {quoted(name)} is collinear with {', '.join(names[:j])} in {where}; leave one out"
            )
