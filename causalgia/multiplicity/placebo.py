"""Placebos as the null distribution of a screen: ranks among them, and regions.

On a real network most random sequences have an effect, so that a point null of 0 is
false for all of them. A screen asks whether a placebo has a larger effect than random
sequences.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.special import ndtri

from causalgia.checks import is_real
from causalgia.choices import LEAST_PLACEBOS
from causalgia.effect_table import of_effects
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.request import check_has_errors
from causalgia.multiplicity.families import estimates_of
from causalgia.numerics.float_errors import usual_errors
from causalgia.types import Array, EstimateTable, Mask

_FENCES = 5.0
_CENTRAL_SHARE = 0.95
_AT_90 = float(ndtri(0.9))
# of the effect of the outermost placebo; rounding of float32 outcomes is less
_ONE_EFFECT = 1e-4


@usual_errors
def placebo_rank(estimates: EstimateTable) -> xr.Dataset:
    """Rank each effect among the placebos: a p-value against "no larger than a
    placebo".

    One side is ``(1 + #{placebos at least as extreme}) / (M + 1)``, exact if the
    contrast is exchangeable with the M placebos (as precise as they are, and of their
    class). The two-sided p is twice the smaller side, at most 1: no symmetry of the
    placebos' effects is assumed. A placebo is ranked among the others.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`, with contrasts of placebos; a table with a bool
        column ``is_placebo``; or the effects from `causalgia.contrast`, which are
        estimated first. With a coordinate ``placebo_class`` a contrast is ranked among
        the placebos of its class.

    Returns
    -------
    Dataset
        The same with ``p_placebo`` (two-sided), ``p_placebo_above`` (small where the
        effect lies above the placebos') and ``p_placebo_below``, on the dims of
        ``ace``; and attrs ``n_placebos``, of the class that has the fewest.

    Raises
    ------
    EstimateError
        If there are fewer than two placebos.

    References
    ----------
    Phipson & Smyth (2010), doi:10.2202/1544-6115.1585.

    Examples
    --------
    >>> effect, placebo = [5.0, 0.3, -0.1, 0.2, 0.4], [False, True, True, True, True]
    >>> table = xr.Dataset({"ace": (("contrast", "task"), np.array(effect)[:, None])})
    >>> placebo_rank(table.assign_coords(is_placebo=("contrast", placebo)))[
    ...     "p_placebo"
    ... ].values.ravel()
    array([0.4, 1. , 0.5, 1. , 0.5])
    """
    table = estimates_of(estimates)
    ace, marked = table["ace"].to_numpy(), is_placebo(table)
    above, below, fewest = np.empty(ace.shape), np.empty(ace.shape), len(marked)
    for rows in placebo_classes(table):
        fewest = min(fewest, int(marked[rows].sum()))
        if fewest < 2:
            raise EstimateError(
                f"a rank among placebos needs two or more, and there are {fewest}"
            )
        above[rows], below[rows] = (
            _rank_p_values(sign * ace[rows], marked[rows]) for sign in (1, -1)
        )
    columns = {"p_placebo": np.minimum(1.0, 2 * np.minimum(above, below))}
    columns |= {"p_placebo_above": above, "p_placebo_below": below}
    out = table.assign({name: (table["ace"].dims, p) for name, p in columns.items()})
    return out.assign_attrs(n_placebos=fewest)


def placebo_classes(estimates: xr.Dataset) -> list[npt.NDArray[np.int64]]:
    """Return the rows of contrasts that are compared with placebos of their own
    class, class by class.

    Placebos of different widths are of different classes, for wider ones change more
    bases. The class is the coordinate or variable ``placebo_class (contrast)``; without
    it all contrasts are of one.

    Examples
    --------
    >>> table = xr.Dataset({"ace": ("contrast", [1.0, 0.2, 0.3])})
    >>> [
    ...     rows.tolist()
    ...     for rows in placebo_classes(
    ...         table.assign_coords(placebo_class=("contrast", [6, 8, 6]))
    ...     )
    ... ]
    [[0, 2], [1]]
    """
    n = estimates.sizes["contrast"]
    if "placebo_class" not in estimates.variables:
        return [np.arange(n)]
    _, of = np.unique(estimates["placebo_class"].to_numpy(), return_inverse=True)
    return [np.flatnonzero(of == k) for k in range(int(of.max(initial=-1)) + 1)]


def placebo_region(
    estimates: EstimateTable, *, share: float = _CENTRAL_SHARE
) -> xr.Dataset:
    """Estimate the region of the central share of the placebos' true effects.

    Estimates vary more than true effects, so each placebo is shrunk towards their mean
    by the share of its own error; the limits are quantiles of the shrunken effects. Use
    it as a region of practical equivalence where no effect is exactly 0:
    ``cg.decide(..., rope="placebo")``.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`: ``ace``, ``se`` and the covariance; a table with a
        bool column ``is_placebo``; or the effects from `causalgia.contrast`, which
        are estimated first.
    share
        Share of placebos inside.

    Returns
    -------
    Dataset
        ``lower, upper, mean, sd (task[, model])`` of the placebos' true effects, on
        attrs["contrast_scale"], and ``n_placebos``.

    Raises
    ------
    EstimateError
        If there are fewer than 40 placebos, or fewer than the share needs; if they
        have no standard error or are of several classes; if they spread no more than
        their errors do; or if the central share of them are one value.

    Notes
    -----
    ``E[S^2] = Var(true) + mean v_j``, where ``v_j`` is the variance of placebo j's own
    error: its variance minus its mean covariance with the other placebos. The
    covariance is the error that placebos share through their control; it moves all
    contrasts against that control together, and is no part of their spread. The factor
    of shrinkage is ``sqrt(Var(true) / (Var(true) + v_j))``, and the limits are the
    placebos at rank ``r = floor((M + 1) (1 - share) / 2)`` from either side: no shape
    and no symmetry about 0 is assumed, the expected share of new placebos beyond each
    limit is ``r / (M + 1)``, and effects known exactly lie beyond them where their
    two-sided rank p, ``2 min(ranks) / (M + 1)``, is at most ``1 - share``: one ordering
    gives p and region. Where only rare placebos have an effect, most placebos have one
    value in few units, and that value is in the region. The region is exact for normal
    true effects; for skewed ones the limit on the long side stays right, and the one on
    the short side is generous (5 % outside becomes 4 to 5 %; 3 % for exponential
    effects).

    References
    ----------
    Louis (1984), doi:10.1080/01621459.1984.10478062: shrinkage to the spread of the
    true effects.

    Examples
    --------
    >>> effect = np.random.default_rng(0).normal(size=100)
    >>> table = xr.Dataset(
    ...     {"effect": ("contrast", effect), "se": ("contrast", np.full(100, 0.3))}
    ... )
    >>> region = placebo_region(
    ...     table.assign_coords(is_placebo=("contrast", np.full(100, True)))
    ... )
    >>> region["lower"].values.round(2), region["upper"].values.round(2)
    (array([-2.09]), array([1.87]))
    """
    table = estimates_of(estimates)
    found = _region_limits(table, _placebos_of_one_class(table, share), share)
    _check_spread(found.true, found.spread, table)
    _check_width(found.lower, found.upper, table)
    return _region_dataset(table, found)


def placebo_fences(estimates: EstimateTable) -> xr.Dataset:
    """Estimate the range of effects of random sequences: five sd of a normal law fitted
    to their central 80 %.

    Placebos selected by a search are extreme among random sequences for any network,
    and 5 % of all placebos lie outside `placebo_region`. Under the normal law, .04 of
    the 65,536 k-mers of eight letters are expected beyond the fences. The standard
    deviation of each side is that of the quantile at 10 or 90 %, so that neither skewed
    effects nor a few placebos that the network reads widen the fences as they widen the
    variance. Use it for placebos that were chosen:
    ``cg.decide(..., rope="placebo outliers")``.

    Parameters
    ----------
    estimates
        As for `placebo_region`.

    Returns
    -------
    Dataset
        As of `placebo_region`. The fences never lie within the central 95 % of the
        placebos.

    Raises
    ------
    EstimateError
        If there are fewer than 40 placebos, or if they have no standard error or
        are of several classes.

    Notes
    -----
    Where placebos spread no more than their errors, as where one of them completes a
    placebo that the network reads in a unit or two, they are not shrunken: the fences
    are then too wide by those errors, and never too narrow for want of them. On a side
    where most placebos have one effect (to a ten-thousandth of the outermost placebo's,
    for answers are rounded), as those of a network that reads whole placebos alone,
    there is no law to fit, and the fence is the outermost placebo: a new random
    sequence lies beyond it with probability 1 / (M + 1). That placebos beyond the
    fences are more than the extremes of a search rests on a model: effects of random
    sequences whose tails are no heavier than a normal law's.

    References
    ----------
    Efron (2004), doi:10.1198/016214504000000089: a null distribution from the center of
    many statistics.

    Examples
    --------
    >>> effect = np.concatenate(
    ...     [np.random.default_rng(0).normal(size=100), [9.0, 12.0]]
    ... )
    >>> table = xr.Dataset(
    ...     {"effect": ("contrast", effect), "se": ("contrast", np.full(102, 0.1))}
    ... )
    >>> fences = placebo_fences(
    ...     table.assign_coords(is_placebo=("contrast", np.full(102, True)))
    ... )
    >>> fences["lower"].values.round(1), fences["upper"].values.round(1)
    (array([-5.]), array([5.6]))
    """
    table = estimates_of(estimates)
    placebos = _placebos_of_one_class(table, _CENTRAL_SHARE)
    found = _region_limits(table, placebos, _CENTRAL_SHARE)
    ace, narrow = (
        table["ace"].to_numpy()[placebos],
        _is_narrow(found.true, found.spread),
    )
    near = np.where(narrow, ace, found.near)
    low, middle, high = np.quantile(near, [0.1, 0.5, 0.9], axis=0)
    center = np.where(narrow, middle, found.center)
    true = np.where(narrow, ((high - low) / (2 * _AT_90)) ** 2, found.true)
    lower, upper = np.quantile(near, [0.025, 0.975], axis=0, method="weibull")
    reach = _FENCES / _AT_90
    least, most = ace.min(axis=0), ace.max(axis=0)
    same = _ONE_EFFECT * np.maximum(middle - least, most - middle)
    lower = np.minimum(
        lower, np.where(middle - low > same, middle - reach * (middle - low), least)
    )
    upper = np.maximum(
        upper, np.where(high - middle > same, middle + reach * (high - middle), most)
    )
    return _region_dataset(
        table, found._replace(lower=lower, upper=upper, center=center, true=true)
    )


def _placebos_of_one_class(table: xr.Dataset, share: float) -> Mask:
    """Return the placebos, enough for a region and of one class."""
    check_has_errors(table)
    placebos = is_placebo(table)
    if len(classes := placebo_classes(table)) > 1:
        raise EstimateError(
            f"the contrasts are of {len(classes)} classes of placebos, and each has a "
            "region of its own"
        )
    _check_n_placebos(int(placebos.sum()), share)
    return placebos


def tasks_without_scale(estimates: xr.Dataset) -> Mask:
    """Return the tasks in which the placebos set no scale, shape ``(task,)``:
    `placebo_region` refuses those.

    There the placebos vary no more than their errors explain, or nearly all have one
    effect. Too few placebos in all raise an error whatever the task.

    Examples
    --------
    >>> effect = np.column_stack(
    ...     [np.random.default_rng(0).normal(size=40), np.zeros(40)]
    ... )
    >>> table = xr.Dataset(
    ...     {
    ...         "ace": (("contrast", "task"), effect),
    ...         "se": (("contrast", "task"), effect * 0 + 0.1),
    ...     }
    ... )
    >>> tasks_without_scale(
    ...     table.assign_coords(is_placebo=("contrast", np.full(40, True)))
    ... )
    array([False,  True])
    """
    check_has_errors(estimates)
    none = np.zeros(estimates["ace"].shape[1:], dtype=bool)
    for rows in placebo_classes(estimates):
        own = estimates.isel(contrast=rows)
        placebos = is_placebo(own)
        _check_n_placebos(int(placebos.sum()), _CENTRAL_SHARE)
        found = _region_limits(own, placebos, _CENTRAL_SHARE)
        none |= _is_narrow(found.true, found.spread) | ~(found.lower < found.upper)
    of_task = np.moveaxis(none, estimates["ace"].dims[1:].index("task"), 0)
    return np.asarray(of_task.reshape(len(of_task), -1).any(axis=1))


class _RegionLimits(NamedTuple):
    """Limits of the region, mean of the placebos, variances of true and estimated
    effects, and shrunken effects.
    """

    lower: Array
    upper: Array
    center: Array
    true: Array
    spread: Array
    near: Array


def _region_limits(
    estimates: xr.Dataset, placebos: Mask, share: float
) -> _RegionLimits:
    ace = estimates["ace"].to_numpy()[placebos]
    center, spread = ace.mean(axis=0), ace.var(axis=0, ddof=1)
    own = _own_variances(estimates, placebos)
    true = spread - own.mean(axis=0)
    # shrunken towards the center by their own errors; exact ones are unchanged to the
    # bit
    positive = np.maximum(true, 0.0)
    total = positive + np.maximum(own, 0.0)
    keep = np.sqrt(np.divide(positive, total, out=np.ones_like(total), where=total > 0))
    near = np.asarray(ace + (center - ace) * (1 - keep))
    return _RegionLimits(*_central_limits(near, share), center, true, spread, near)


def _central_limits(near: Array, share: float) -> tuple[Array, Array]:
    """Return the outermost placebos but ``floor((M + 1) (1 - share) / 2) - 1`` on each
    side.

    An effect lies strictly beyond them exactly where its doubled rank p among these
    placebos is at most 1 - share.
    """
    ordered = np.sort(near, axis=0)
    at = int(round((len(near) + 1) * (1 - share) / 2, 9))
    return ordered[at - 1], ordered[len(near) - at]


def _region_dataset(table: xr.Dataset, found: _RegionLimits) -> xr.Dataset:
    dims = table["ace"].dims[1:]
    columns = {
        "lower": found.lower,
        "upper": found.upper,
        "mean": found.center,
        "sd": np.sqrt(found.true),
    }
    coords = {dim: table[dim] for dim in dims if dim in table.coords}
    region = xr.Dataset(
        {name: (dims, values) for name, values in columns.items()}, coords=coords
    )
    return region.assign(n_placebos=len(found.near)).assign_attrs(table.attrs)


def _rank_p_values(values: Array, placebos: Mask) -> Array:
    """Return (1 + #{placebos >= value}) / (M + 1) for each column; a placebo is not
    counted among its own M.
    """
    flat = values.reshape(len(values), -1)
    ranks = np.empty(flat.shape)
    for column, out in zip(flat.T, ranks.T, strict=True):
        ordered = np.sort(column[placebos])
        out[:] = len(ordered) - np.searchsorted(ordered, column, side="left")
    others = placebos.sum() - placebos[:, None]
    return np.asarray(
        ((1 + ranks - placebos[:, None]) / (others + 1)).reshape(values.shape)
    )


def _check_n_placebos(n: int, share: Any) -> None:
    if not is_real(share) or not 0 < float(share) < 1:
        raise EstimateError(f"share={quoted(share)} is not between 0 and 1")
    needed = max(LEAST_PLACEBOS, math.ceil(round(2 / (1 - float(share)), 9)) - 1)
    if n < needed:
        raise EstimateError(
            f"a region of placebos needs {needed} of them for a share of "
            f"{float(share):g}, and there are {n}"
        )


def _own_variances(estimates: xr.Dataset, placebos: Mask) -> Array:
    """Return each placebo's variance minus its mean covariance with the others, (W,
    task[, model]).
    """
    variance, n = estimates["se"].to_numpy()[placebos] ** 2, int(placebos.sum())
    if "covariance" in estimates:
        with_all = _placebo_covariance(estimates, placebos).sum(axis=1)
    elif "factor" in estimates:
        factor = np.ascontiguousarray(estimates["factor"].to_numpy())[:, placebos]
        with_all = (factor * factor.sum(axis=1, keepdims=True)).sum(axis=0)
    else:
        return np.asarray(variance)
    return np.asarray(variance - (with_all - variance) / (n - 1))


def _placebo_covariance(estimates: xr.Dataset, placebos: Mask) -> Array:
    """Return the covariance of the placebos, (W, W, task[, model]), also after
    contrasts were selected.
    """
    rows = estimates["covariance"].isel(contrast=np.flatnonzero(placebos))
    if "contrast_" not in estimates.coords:
        return np.asarray(rows.isel(contrast_=np.flatnonzero(placebos)).to_numpy())
    return np.asarray(rows.sel(contrast_=rows["contrast"].to_numpy()).to_numpy())


def _is_narrow(true: Array, spread: Array) -> Mask:
    return np.asarray(~(true > 1e-9 * spread))


def _check_spread(true: Array, spread: Array, estimates: xr.Dataset) -> None:
    narrow = _is_narrow(true, spread)
    if narrow.any():
        where = tuple(np.argwhere(narrow)[0])
        raise EstimateError(
            f"{_task_label(estimates, where)}: the placebos spread (variance "
            f"{spread[where]:.3g}) no more than their errors explain, so that they set "
            "no scale"
        )


def _check_width(lower: Array, upper: Array, estimates: xr.Dataset) -> None:
    tied = ~(lower < upper)
    if tied.any():
        where = tuple(np.argwhere(tied)[0])
        raise EstimateError(
            f"{_task_label(estimates, where)}: nearly all placebos have one effect in "
            f"these units ({lower[where]:.3g}), so that they set no scale"
        )


def _task_label(estimates: xr.Dataset, where: tuple[Any, ...]) -> str:
    """Return the task (and model) at these positions, by their labels where they have
    some.
    """
    places = zip(map(str, estimates["ace"].dims[1:]), where, strict=True)
    return ", ".join(
        f"{dim} {estimates[dim].to_numpy()[i] if dim in estimates.coords else i}"
        for dim, i in places
    )


def rank_errors(estimates: xr.Dataset) -> tuple[Array, Array]:
    """Return twice the conformal p of "above the placebos" and of "below them", each of
    the shape of ``ace``.

    ``p = (1 + #{placebos at least as far}) / (M + 1)`` is super-uniform for a placebo
    exchangeable with the placebos, so that Benjamini-Hochberg over many of them bounds
    the false discoveries. A region alone does not: by construction 5 % of the placebos
    lie outside it.

    References
    ----------
    Bates, Candes, Lei, Romano & Sesia (2023), doi:10.1214/22-AOS2244.

    Examples
    --------
    >>> effect, placebo = [5.0, 0.3, -0.1, 0.2, 0.4], [False, True, True, True, True]
    >>> table = xr.Dataset({"ace": (("contrast", "task"), np.array(effect)[:, None])})
    >>> above, below = rank_errors(
    ...     table.assign_coords(is_placebo=("contrast", placebo))
    ... )
    >>> above.ravel()[0], below.ravel()[0]
    (np.float64(0.4), np.float64(1.0))
    """
    ranked = placebo_rank(estimates)
    above, below = (
        of_effects(ranked, f"p_placebo_{side}") for side in ("above", "below")
    )
    return np.minimum(2 * above, 1.0), np.minimum(2 * below, 1.0)
