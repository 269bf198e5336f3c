"""Spread of individual effects, and their regression on properties of the units
(`causalgia.moderation` asks for both).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import numpy.typing as npt
import scipy
import xarray as xr

from causalgia.attributes import about
from causalgia.checks import as_names
from causalgia.effects.scales import OF_MEANS
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.estimation.cells import (
    Cells,
    pooled_error_of_clusters,
    root_n_skewness_of,
)
from causalgia.estimation.crossover import mean_ice
from causalgia.estimation.crossover_estimates import (
    has_moments,
    ice_without_rounding,
    needs_units_error,
)
from causalgia.estimation.effect_intervals import by_the_rule
from causalgia.estimation.request import grouping
from causalgia.estimation.standard_errors import Regression, regress
from causalgia.numerics.moments import centered, group_sums, log_p
from causalgia.numerics.rounding import RELATIVE_ROUNDING
from causalgia.schema import validate
from causalgia.types import Array, Codes

_OUTCOMES = ("outcome", "ice", "assigned", "rounding", "denominator")


def sd_of(
    ice: Array, cluster: Codes | None, ci_prob: float
) -> tuple[Array, Array, Array, Array]:
    """Return the sd of ICE, its standard error and limits.

    The variance is the mean of ``e_i^2`` plus the (CR2) variance of the mean, which is
    ``sum e_i^2 / (n - 1)`` without clusters. The standard error is that of the
    delete-one-cluster jackknife of the log sd, with t on G - 1 degrees of freedom. Over
    4,000 trials 95 % intervals covered .95 with 200 or 50 normal units and .93 with 40
    or 20 normal parents of 5; with exponential ICE .93, .89, .90 and .88, most of the
    misses being too low.

    Parameters
    ----------
    ice
        Individual causal effects, shape ``(n, ...)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. None: each unit is one.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    sd, se, lower, upper
        Shape ``(...)`` each; all 0 where nothing varies.

    Examples
    --------
    >>> [round(float(x), 3) for x in sd_of(np.array([1.0, 2.0, 4.0, 9.0]), None, 0.95)]
    [3.559, 2.596, 0.349, 36.277]
    """
    residuals = centered(ice)[1]
    peak = np.abs(residuals).max(axis=0)
    z = residuals / np.where(peak > 0, peak, 1.0)
    variance = np.asarray((z**2).mean(axis=0) + mean_ice(z, cluster).se ** 2)
    relative, n_clusters = _jackknife_of_log_sd(z, cluster)
    sd = peak * np.sqrt(variance)
    half = np.exp(
        np.minimum(
            scipy.special.stdtrit(n_clusters - 1, 0.5 + ci_prob / 2) * relative, 100.0
        )
    )
    return sd, sd * relative, sd / half, sd * half


def _jackknife_of_log_sd(z: Array, cluster: Codes | None) -> tuple[Array, int]:
    """Return the delete-one-cluster jackknife standard error of the log sd of centered
    values, and the cluster count.

    If one cluster has all the spread, the variance without it counts as 1e-12 of the
    total.
    """
    codes = np.arange(len(z)) if cluster is None else cluster
    trailing = [1] * (z.ndim - 1)
    sizes, sums, squares = (
        np.bincount(codes).reshape(-1, *trailing),
        group_sums(z, codes),
        group_sums(z**2, codes),
    )
    left, total = len(z) - sizes, squares.sum(axis=0)
    variance = (total - squares) / left - (sums / left) ** 2
    logs = 0.5 * np.log(
        np.maximum(variance, 1e-12 * np.where(total > 0, total, 1.0) / len(z))
    )
    g = len(sizes)
    se = np.sqrt((g - 1) / g * (centered(logs)[1] ** 2).sum(axis=0))
    return np.where(total > 0, se, 0.0), g


def share_of(
    event: npt.NDArray[np.bool_], cluster: Codes | None, ci_prob: float
) -> tuple[Array, Array, Array, Array]:
    """Return the share of units with an event, its standard error (CR2) and
    Korn-Graubard limits.

    Clopper-Pearson at the effective number of units ``p (1 - p) / se^2`` (at most n,
    times the squared ratio of t quantiles); at a share of 0 or 1, where none can be
    estimated, at the number of clusters.

    Parameters
    ----------
    event
        Shape ``(n, ...)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. None: each is its own.
    ci_prob
        Probability of the intervals.

    Examples
    --------
    >>> [round(float(x), 3) for x in share_of(np.arange(20) < 4, None, 0.95)]
    [0.2, 0.092, 0.057, 0.437]
    """
    answer, n = mean_ice(event.astype(np.float64), cluster), float(len(event))
    share, tail = np.asarray(answer.ace), 0.5 - ci_prob / 2
    size = np.full(share.shape, n)
    if cluster is not None:
        free = np.asarray(answer.se) > 0
        effective = np.divide(
            share * (1 - share),
            np.asarray(answer.se) ** 2,
            out=np.zeros_like(share),
            where=free,
        )
        shrink = (
            scipy.special.stdtrit(n - 1, 1 - tail)
            / scipy.special.stdtrit(answer.df, 1 - tail)
        ) ** 2
        inside = (share > 0) & (share < 1)
        size = np.where(
            inside,
            np.where(free, np.minimum(effective, n) * shrink, n),
            float(cluster.max() + 1),
        )
    hits = share * size
    lower = np.where(
        hits > 0,
        scipy.special.betaincinv(np.maximum(hits, 1e-300), size - hits + 1, tail),
        0.0,
    )
    upper = np.where(
        hits < size,
        scipy.special.betaincinv(hits + 1, np.maximum(size - hits, 1e-300), 1 - tail),
        1.0,
    )
    return share, np.asarray(answer.se), lower, upper


def individual_effects(effects: xr.Dataset, what: str) -> Array:
    """Return the ICE, shape ``(n, K, ...)``, of three or more units.

    Parameters
    ----------
    effects
        From `contrast`, or any Dataset with ``ice (unit, contrast, task[, model])``.
    what
        What they are needed for, for error messages.

    Raises
    ------
    EstimateError
        For a parallel trial, for moments, for a function of means, or with one or two
        units.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), [[[1.0]], [[2.0]], [[4.0]]])}
    ... )
    >>> individual_effects(effects, "moderation").ravel()
    array([1., 2., 4.])
    """
    if has_moments(effects):
        raise needs_units_error(what)
    validate(effects, "effects")
    if "ice" not in effects:
        raise EstimateError(
            f"{what} needs the individual effects (ICE) of a crossover, and in a "
            "parallel trial each unit shows one arm"
        )
    scale = about(effects, None).transform
    if scale in OF_MEANS:
        raise EstimateError(
            f"{what} needs individual effects, and scale={quoted(scale)} has influence "
            "values of a function of means"
        )
    if effects.sizes["unit"] < 3:
        raise EstimateError(
            f"{what} needs three or more units, and there are {effects.sizes['unit']}"
        )
    return ice_without_rounding(effects)


@dataclass(frozen=True)
class Term:
    """A number, or whether a category has a level, for each of n units.

    Attributes
    ----------
    name, level
        Name of the coordinate or product; levels of categories, else empty.
    values
        Shape ``(n,)``; 0 or 1 for a category.
    reference
        The level that a category's is compared with; empty: all others.
    """

    name: str
    level: str
    values: Array
    reference: str = ""

    @property
    def label(self) -> str:
        """Name and level."""
        return f"{self.name}[{self.level}]" if self.level else self.name

    def times(self, other: Term) -> Term:
        """Return the product."""
        level = ":".join(x for x in (self.level, other.level) if x)
        return Term(f"{self.name}:{other.name}", level, self.values * other.values)


def terms(effects: xr.Dataset, by: str | Sequence[str]) -> list[Term]:
    """Return the columns of a regression on coordinates of the units.

    ``"a + b"`` has both, ``"a:b"`` their product, ``"a*b"`` all three (Wilkinson &
    Rogers 1973, doi:10.2307/2346786). A category has a column for each level but the
    first.

    Raises
    ------
    EstimateError
        If a coordinate is missing, does not vary or is an outcome, or a term repeats.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     coords={"gc": ("unit", [0.4, 0.5]), "tissue": ("unit", ["liver", "skin"])}
    ... )
    >>> [term.label for term in terms(effects, "gc * tissue")]
    ['gc', 'tissue[skin]', 'gc:tissue[skin]']
    """
    listed: list[tuple[str, ...]] = []
    for text in as_names(by) or ():
        for part in [text] if text in effects.variables else text.split("+"):
            factors = (
                [text]
                if text in effects.variables
                else [factor.strip() for factor in part.split("*")]
            )
            for size in range(1, len(factors) + 1):
                listed += combinations(factors, size)
    found = []
    for names in listed:
        whole = ":".join(names)
        factors = [whole] if whole in effects.variables else whole.split(":")
        columns = [_columns(effects, name.strip(), by) for name in factors]
        for chosen in product(*columns):
            term = chosen[0]
            for factor in chosen[1:]:
                term = term.times(factor)
            found.append(term)
    labels = [term.label for term in found]
    if len(set(labels)) < len(labels):
        raise EstimateError(f"by={quoted(by)}: a term repeats", argument="by")
    return found


def _columns(effects: xr.Dataset, name: str, by: object) -> list[Term]:
    """Return the number of that name, or the levels of the category but the first."""
    arms = map(str, effects["arm"].to_numpy()) if "arm" in effects.coords else ()
    meaning = about(effects[name], "").meaning if name in effects.variables else ""
    if (
        name in (*_OUTCOMES, *effects.data_vars, *arms)
        or meaning.startswith("potential outcome")
        or name.lower().startswith(("outcome", "y("))
    ):
        raise EstimateError(
            f"by={quoted(by)}: {quoted(name)} is an outcome, and Y(a) - Y(c) falls "
            "with Y(c) even where effects do not differ",
            argument="by",
        )
    if name in effects.coords and effects[name].dtype.kind in "UOST":
        levels = grouping(effects, name, f"by={quoted(by)}")
        if len(levels.labels) < 2:
            raise EstimateError(f"covariate {quoted(name)} is the same in all units")
        first, *order = np.argsort(levels.labels).tolist()
        of = levels.labels[first] if len(order) > 1 else ""
        return [
            Term(name, levels.labels[k], (levels.codes == k) * 1.0, of) for k in order
        ]
    return [Term(name, "", unit_covariate(effects, name, f"by={quoted(by)}"))]


def moderated(
    values: Array,
    ice: Array,
    cluster: Codes | None,
    ci_prob: float,
    groups: Sequence[str] = (),
) -> dict[str, Array]:
    """Regress effects on moderators, and say how large they are on either side of each.

    Parameters
    ----------
    values
        Moderators, shape ``(n, q)``.
    ice
        Individual causal effects, shape ``(n, ...)``.
    cluster
        Cluster of each unit, 0 to G - 1, shape ``(n,)``. None: each unit is one.
    ci_prob
        Probability of the intervals.
    groups
        Category of each moderator that is one of several levels of it, else empty.

    Returns
    -------
    dict
        Shape ``(q, ...)`` each: ``slope, se, df, p, lower, upper`` (CR2), and
        ``skewness, se_pooled, df_pooled``, by which p and limits are those of the rule
        (`causalgia.estimation.effect_intervals`), and ``unbounded`` where one cluster
        alone has a category; ``mean`` and
        ``sd`` of the moderator; ``inside`` and ``outside``, the effect where an indicator is 1 and 0
        (of a category of several levels, at this level and at the reference), or one sd
        above and below the mean of a number; ``share``, the part of the
        variance of effects that is lost without it; ``n_inside`` and ``n_outside``, the
        units above the mean and the others.

    Examples
    --------
    >>> near = np.array([[0.0], [0.0], [1.0], [1.0]])
    >>> found = moderated(near, np.array([1.0, 3.0, 4.0, 6.0]), None, 0.95)
    >>> [round(found[k].item(), 9) for k in ("outside", "inside", "slope")]
    [2.0, 5.0, 3.0]
    >>> round(found["share"].item(), 3)
    0.692
    """
    x = centered(values)[1]
    columns = _slopes(x, ice, cluster, ci_prob)
    shape = (-1, *[1] * (ice.ndim - 1))
    mean, sd = values.mean(axis=0), values.std(axis=0, ddof=1)
    indicator = ((values == 0) | (values == 1)).all(axis=0)
    slope, whole = columns["slope"], ice.mean(axis=0)
    own = 1 / np.diag(np.linalg.inv((x / sd).T @ (x / sd)))
    squares = (centered(ice)[1] ** 2).sum(axis=0)
    lost = slope**2 * (sd**2 * own).reshape(shape)
    high = (x > 0).sum(axis=0)
    # the effect at 0 of an indicator, or at one sd below the mean of a number; other
    # moderators at their mean, and other levels of its category at 0
    step = np.where(indicator, mean, sd)
    alike = np.eye(len(step), dtype=bool)
    if groups:
        names = np.asarray(groups)
        alike |= (names[:, None] == names) & (names != "")
    moved = step.reshape(shape) * slope
    outside = whole - np.tensordot(alike, moved, axes=1)
    width = np.where(indicator, 1.0, 2 * sd)
    return columns | {
        "mean": np.broadcast_to(mean.reshape(shape), slope.shape),
        "sd": np.broadcast_to(sd.reshape(shape), slope.shape),
        "inside": outside + slope * width.reshape(shape),
        "outside": outside,
        "share": np.divide(lost, squares, out=np.zeros_like(lost), where=squares > 0),
        "n_inside": np.broadcast_to(high.reshape(shape), slope.shape),
        "n_outside": np.broadcast_to((len(x) - high).reshape(shape), slope.shape),
    }


def _slopes(
    x: Array, ice: Array, cluster: Codes | None, ci_prob: float
) -> dict[str, Array]:
    """Return slope, se, df, p, lower and upper of each centered covariate, (n, q)."""
    X, flat = np.column_stack([np.ones(len(x)), x]), ice.reshape(len(ice), -1)
    fits = [regress(X, flat, c, cluster) for c in np.eye(X.shape[1])[1:]]
    rows = [_row_of_rule(fit, cluster) for fit in fits]
    dims = ("contrast", "task")
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    estimates = xr.Dataset({name: (dims, values) for name, values in columns.items()})
    found = columns | by_the_rule(estimates.assign(n_units=len(x)), ci_prob)
    shape = (x.shape[1], *ice.shape[1:])
    return {
        "slope" if name == "ace" else name: found[name].reshape(shape)
        for name in (
            *("ace", "se", "df", "p", "lower", "upper"),
            *("skewness", "se_pooled", "df_pooled"),
            *(["unbounded"] if columns["unbounded"].any() else []),
        )
    }


def _row_of_rule(fit: Regression, cluster: Codes | None) -> dict[str, Array]:
    """Return what the rule of intervals reads of a slope, shape ``(R,)`` each.

    Few units on one side of a category that happen to be alike are no certainty: the
    second t has the variance of all residuals.
    """
    n, se = len(fit.residual), fit.se
    df = np.full(se.shape, fit.df)
    if cluster is None:
        cells = Cells(
            np.ones((1, 1)),
            fit.weight,
            fit.residual,
            np.zeros(n, dtype=np.intp),
            np.array([fit.df_residual]),
        )
        pooled, df_pooled = (x[0] for x in cells.pooled_error)
        skewed = cells.root_n_skewness[0]
    else:
        # of units that have no part in the slope the sign of the weight is rounding
        part = np.abs(fit.weight) > RELATIVE_ROUNDING * np.abs(fit.weight).max()
        weight = fit.weight[part]
        pooled, df_pooled = pooled_error_of_clusters(
            weight,
            fit.residual[part],
            (weight > 0).astype(np.intp),
            cluster[part],
            n - fit.df_residual,
        )
        skewed = root_n_skewness_of(fit.influence)
    return {
        "ace": fit.estimate,
        "se": se,
        "df": df,
        "log_p": log_p(fit.estimate, se, df),
        "skewness": skewed * np.sqrt(n),
        "se_pooled": np.where(se > 0, pooled, 0.0),
        "df_pooled": np.broadcast_to(df_pooled, se.shape),
        "unbounded": np.full(se.shape, fit.lone),
    }


def unit_covariate(effects: xr.Dataset, name: str, argument: str) -> Array:
    """Return a numeric, varying coordinate on the units, shape ``(n,)``; error messages
    name it by `argument`.

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
    values = numeric_coordinate(effects, "unit", name, argument)
    if (values == values[0]).all():
        raise EstimateError(f"covariate {quoted(name)} is the same in all units")
    return values


def numeric_coordinate(
    effects: xr.Dataset, dim: str, name: str, argument: str
) -> Array:
    """Return a numeric, finite coordinate on a dim; error messages name it by
    `argument`.
    """
    there = [
        str(c)
        for c, values in effects.coords.items()
        if values.dims == (dim,) and values.dtype.kind in "fiub" and c != dim
    ]
    if name not in there:
        raise EstimateError(
            f"{argument}: no numeric coordinate of that name on the {dim}s; there are "
            f"{', '.join(there) or 'none'}"
        )
    values = effects[name].to_numpy().astype(np.float64)
    if not np.isfinite(values).all():
        i = int(np.argmax(~np.isfinite(values)))
        raise EstimateError(
            f"{argument}: it is {values[i]} in {dim} {quoted(effects[dim][i].item())}"
        )
    return values


def check_rank(x: Array, names: tuple[str, ...], where: str) -> None:
    """Raise EstimateError for the first covariate that is constant or collinear with
    those before it.

    Examples
    --------
    >>> check_rank(np.array([[-1.0, -2.0], [1.0, 2.0]]), ("gc", "cpg"), "the units")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: covariate 'cpg' is collinear with gc in the units
    """
    R = np.abs(np.diag(np.linalg.qr(x)[1]))
    size = np.sqrt((x**2).sum(axis=0))
    for j, name in enumerate(names):
        if size[j] == 0:
            raise EstimateError(
                f"covariate {quoted(name)} is the same in all units of {where}"
            )
        if j >= len(R) or R[j] <= 1e-9 * size[j]:
            raise EstimateError(
                f"covariate {quoted(name)} is collinear with {', '.join(names[:j])} in "
                f"{where}"
            )
