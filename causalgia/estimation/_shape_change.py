"""Change of the shape of a profile: the divergence of normalized mean tracks, with
jackknife errors.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from scipy import special

from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob, check_another_arm, check_arm, is_real
from causalgia.effect_table import positions_of
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.estimation.request import Request, check_cluster_name, clusters
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.row_blocks import in_memory
from causalgia.schema import keeps_effects, validate
from causalgia.types import Array, Codes

Divergence = Literal["total_variation", "jensen_shannon"]
_NUMBERS_AT_ONCE = 2**23
_NO_NULL = (
    "a distance is never negative, so that 0 is no null, and intervals near 0 do not "
    "hold; compare with placebos, cg.multiplicity.placebo_rank"
)


@usual_errors
def shape_change(
    outcomes: xr.Dataset,
    *,
    control: str,
    divergence: Divergence = "total_variation",
    between: tuple[int, int] | None = None,
    cluster: str = "auto",
    ci_prob: float = 0.95,
) -> xr.Dataset:
    r"""Estimate how much each arm changes the shape of the profile, whatever it does to
    the total.

    With :math:`p_a(x) = E[Y_a(x)] / \sum_x E[Y_a(x)]` the normalized mean profile of an
    arm, it is the distance of :math:`p_a` from that of the control: the total
    variation :math:`\frac12 \sum_x |p_a(x) - p_0(x)|`, the share of counts that moves,
    or the Jensen-Shannon divergence in bits. Both lie between 0, the same shape, and 1.

    Parameters
    ----------
    outcomes
        Of a crossover: ``outcome (unit, arm, position, task[, model])``, a track that
        is not negative on average.
    control
        The arm whose shape the others are compared with.
    divergence
        ``"total_variation"`` or ``"jensen_shannon"``.
    between
        First position, and the one after the last, of the profile; None: the whole
        track.
    cluster
        Units that vary together. They are left out together.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        Estimates: ``ace, se, df, lower, upper (contrast, task[, model])``, the
        divergence of each arm, corrected for its bias by the jackknife, so that it may
        lie just below 0 where no shape changes; limits are cut at 0 and 1. There is no
        p: see Notes.

    Raises
    ------
    DataError
        If the outcomes have no dim position, are of a parallel trial, or a mean track
        is negative or sums to 0.
    EstimateError
        If an argument is impossible, or there are fewer than five clusters.

    Notes
    -----
    A divergence is never negative, so that an effect of 0 is on its boundary, noise
    alone makes it positive, and neither a p-value against 0 nor an interval near 0
    holds. What it is compared with are placebos: with arms of
    `causalgia.placebos`, ``cg.multiplicity.placebo_rank(found)`` ranks each divergence
    among the placebos', and ``p_placebo_above`` is exact for a motif exchangeable with
    them.

    Errors are those of the leave-one-cluster-out jackknife. The total variation has a
    corner where both shapes agree at a position: its correction is incomplete there.
    With few units prefer the Jensen-Shannon divergence.

    References
    ----------
    Lin (1991), doi:10.1109/18.61115. Efron & Stein (1981), doi:10.1214/aos/1176345462.

    Examples
    --------
    >>> import causalgia as cg
    >>> oracle = cg.zoo.footprint()
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=200),
    ...     arms={
    ...         "control": cg.Placebo("AGATAAG", at=96),
    ...         "GATA1": cg.Embed("AGATAAG", at=96),
    ...     },
    ...     n_units=100,
    ... )
    >>> found = shape_change(cg.run(design, oracle, rng=0), control="control")
    >>> found["ace"].round(3).item(), found["se"].round(4).item()
    (0.034, 0.0006)
    """
    if divergence not in get_args(Divergence):
        raise EstimateError(
            f"divergence={quoted(divergence)} is not one of "
            f"{', '.join(map(quoted, get_args(Divergence)))}"
        )
    ci_prob = as_ci_prob(ci_prob)
    check_cluster_name(cluster, of_units=True)
    y, treatments = _profiles(outcomes, control, between)
    groups = clusters(outcomes, Request(cluster, None, (), "population", "units"))
    codes = np.arange(len(y)) if groups is None else groups.codes
    whole, out = _jackknife(y, codes, divergence)
    n_clusters = len(out)
    if not np.isfinite(out).all():
        raise DataError(
            "an arm's track is 0 everywhere but in one cluster, and without it there "
            "is no shape"
        )
    if n_clusters < 5:
        raise EstimateError(
            f"{n_clusters} clusters are too few for a jackknife; draw 5 or more, 20 "
            "for its interval"
        )
    ace = n_clusters * whole - (n_clusters - 1) * out.mean(axis=0)
    se = np.sqrt(
        (n_clusters - 1) / n_clusters * ((out - out.mean(axis=0)) ** 2).sum(axis=0)
    )
    half = special.stdtrit(n_clusters - 1, 0.5 + ci_prob / 2) * se
    dims = (
        "contrast",
        *(dim for dim in ("task", "model") if dim in outcomes["outcome"].dims),
    )
    columns: dict[str, Any] = {
        "ace": ace,
        "se": se,
        "df": np.full(ace.shape, n_clusters - 1.0),
    }
    columns |= {"lower": np.clip(ace - half, 0, 1), "upper": np.clip(ace + half, 0, 1)}
    columns |= {
        "n_units": np.full(ace.shape, len(y)),
        "n_clusters": np.full(ace.shape, n_clusters),
    }
    coords: dict[str, Any] = {"contrast": treatments, "task": outcomes["task"]}
    if "model" in dims:
        coords["model"] = outcomes["model"]
    if "kind" in outcomes.coords:
        kinds = dict(
            zip(
                outcomes["arm"].to_numpy().tolist(),
                outcomes["kind"].to_numpy().tolist(),
                strict=True,
            )
        )
        coords["is_placebo"] = (
            "contrast",
            [kinds[name] == "fixed_placebo" for name in treatments],
        )
    words = (
        "total variation"
        if divergence == "total_variation"
        else "Jensen-Shannon divergence (bits)"
    )
    attrs = {
        name: value
        for name, value in outcomes.attrs.items()
        if name not in ("edits", "analysis", "bin")
    } | attributes(
        contrast_scale=f"{words} of the shape",
        estimand=(
            f"{words} between the normalized mean profiles of each arm and "
            f"{quoted(control)}"
        ),
        method="leave-one-cluster-out jackknife",
        cluster="unit" if groups is None else groups.name,
        control=control,
        ci_prob=ci_prob,
        target="population",
    )
    attrs.update(attributes(divergence=divergence))
    made = xr.Dataset(
        {name: (dims, values) for name, values in columns.items()},
        coords=coords,
        attrs=attrs,
    )
    return as_result(made, "estimates", _NO_NULL)


def _profiles(
    outcomes: xr.Dataset, control: str, between: tuple[int, int] | None
) -> tuple[Array, list[str]]:
    """Return outcomes (units, arms, positions, tasks[, models]) with the control first,
    and the names of the others.
    """
    if keeps_effects(outcomes):
        raise DataError(
            "shape_change needs the tracks of all arms, and these are effects of "
            "contrasts"
        )
    validate(outcomes, "outcomes", positions=True)
    if "position" not in outcomes.dims:
        raise DataError(
            "shape_change needs outcomes with a dim 'position', of a predictor that "
            "answers a track: cg.TorchPredictor(..., track=cg.Track(...)), without "
            "windows"
        )
    if "arm" not in outcomes["outcome"].dims:
        raise DataError(
            "shape_change compares arms of the same units; a parallel trial has other "
            "units in each arm"
        )
    arms = [str(arm) for arm in outcomes["arm"].to_numpy()]
    check_arm(control, arms, "control", error=EstimateError)
    check_another_arm(control, arms, error=EstimateError)
    at = positions_of(outcomes)
    if between is not None and not (
        isinstance(between, tuple | list) and [*map(is_real, between)] == [True] * 2
    ):
        raise EstimateError(
            f"between={quoted(between)}: give the first position and the one after "
            "the last, such as (-50, 50)"
        )
    which = (
        np.ones(len(at), bool)
        if between is None
        else (at >= between[0]) & (at < between[1])
    )
    if which.sum() < 2:
        limits = "" if between is None else f" between {between[0]} and {between[1]}"
        raise EstimateError(
            f"the track has {which.sum()} positions{limits}, and a shape needs two or "
            f"more; its positions are {at[0]} to {at[-1]}"
        )
    order = [control, *(arm for arm in arms if arm != control)]
    chosen = in_memory(outcomes[["outcome"]].isel(position=which))["outcome"].sel(
        arm=order
    )
    y = chosen.transpose("unit", "arm", "position", ...).to_numpy().astype(np.float64)
    means = y.mean(axis=0)
    if (means < 0).any() or (means.sum(axis=1) <= 0).any():
        arm, *_ = np.argwhere((means < 0) | (means.sum(axis=1, keepdims=True) <= 0))[0]
        raise DataError(
            f"arm {quoted(order[arm])}: the mean track is negative at a position, or "
            "sums to 0: it has no shape"
        )
    return y, order[1:]


def _jackknife(y: Array, cluster: Codes, divergence: str) -> tuple[Array, Array]:
    """Return the divergences of all arms from the first, (K, ...), and those without
    each cluster, (G, K, ...).
    """
    n_clusters = int(cluster.max()) + 1
    total = y.sum(axis=0)
    order = np.argsort(cluster, kind="stable")
    starts = np.searchsorted(cluster[order], np.arange(n_clusters))
    size = max(1, _NUMBERS_AT_ONCE // total.size)
    parts = []
    for first in range(0, n_clusters, size):
        last = min(first + size, n_clusters)
        rows = order[starts[first] : starts[last] if last < n_clusters else None]
        parts.append(
            _divergence(
                total - np.add.reduceat(y[rows], starts[first:last] - starts[first]),
                divergence,
            )
        )
    return _divergence(total[None], divergence)[0], np.concatenate(parts)


def _divergence(sums: Array, divergence: str) -> Array:
    """Return divergences (g, K, ...) of sums of tracks (g, 1 + K, positions, ...), the
    control first.
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # refused by the caller
        p = sums / sums.sum(axis=2, keepdims=True)
    q, p = p[:, :1], p[:, 1:]
    if divergence == "total_variation":
        return np.asarray(np.abs(p - q).sum(axis=2) / 2)
    middle = (p + q) / 2
    return np.asarray(
        (special.rel_entr(p, middle) + special.rel_entr(q, middle)).sum(axis=2)
        / (2 * np.log(2))
    )
