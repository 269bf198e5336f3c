"""ACE of a crossover, from units or from stored moments: the estimator for each target
of `estimate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.analysis import analysis_in_attrs
from causalgia.attributes import about
from causalgia.errors import (
    DataError,
    EstimateError,
    quoted,
)
from causalgia.estimation.crossover import (
    Estimate,
    crossed_mean,
    from_factor,
    mean_ice,
    mean_of_cluster_means,
    mean_of_rows,
    mean_of_sums,
    next_level,
    stratified_mean,
)
from causalgia.estimation.given_effects import aligned_covariance
from causalgia.estimation.request import (
    Answer,
    Grouping,
    Request,
    check_clusters,
    check_no_cluster,
    check_squares,
    clusters,
    grouping,
    parents_as_strata,
)
from causalgia.numerics.moments import centered, column_moments, skewness
from causalgia.numerics.row_blocks import (
    Rows,
    by_block,
    first_row,
    mean_from,
    weights_of,
)
from causalgia.types import Array

NEXT = "next predictor"


def estimate_crossover(effects: xr.Dataset, request: Request) -> Answer:
    """Estimate the ACE of every contrast over the requested target, from ICE."""
    check_crossover_request(request)
    if is_unclustered_population(effects, request):
        return _estimate_unclustered(effects)
    ice = ice_without_rounding(effects)
    residuals = centered(ice)[1]
    estimator: Callable[
        [xr.Dataset, Array, Request], tuple[Estimate, int, str, str]
    ] = {
        "population": _estimate_population,
        "parents": _estimate_parents,
        "units": _estimate_units,
        "population x predictors": _estimate_crossed,
        "next predictor": _estimate_crossed,
        "population x replicates": _estimate_crossed,
    }[request.target]
    answer, n_clusters, cluster, method = estimator(effects, ice, request)
    n_units, n_contrasts = ice.shape[:2]
    reach = np.maximum(ice.max(axis=0), -ice.min(axis=0))
    return Answer(
        estimate=answer,
        skewness=skewness(answer.factor)
        if request.target == "population"
        else skewness(
            residuals
            if answer.ace.ndim == residuals.ndim - 1
            else residuals.mean(axis=-1)
        ),
        reach=np.asarray(
            reach if reach.ndim == answer.ace.ndim else reach.max(axis=-1)
        ),
        n_units=np.full(n_contrasts, n_units),
        n_clusters=np.full(n_contrasts, n_clusters),
        method=method,
        cluster=cluster,
        by_definition=request.target == "units",
    )


def is_unclustered_population(effects: xr.Dataset, request: Request) -> bool:
    """Return whether the units of a crossover are independent draws, so that their ICE
    can be streamed in blocks.
    """
    return (
        "ice" in effects and request.target == "population" and request.groups is None
    )


def _estimate_unclustered(effects: xr.Dataset) -> Answer:
    """Estimate the ACE over new, independent units; the factor is lazy where the ICE
    are.
    """
    ice = lazy_ice_without_rounding(effects)
    found = column_moments(ice)
    every = np.full(ice.shape[1], found.n)
    method = "mean ICE; s^2 / n, t with n - 1 df"
    return Answer(
        mean_of_rows(ice, found),
        found.skewness,
        found.largest,
        every,
        every,
        method,
        "unit",
    )


def check_crossover_request(request: Request) -> None:
    """Raise EstimateError where a request names blocks or covariates, which are for
    parallel trials.
    """
    if request.block is not None:
        raise EstimateError(
            f"block={quoted(request.block)} is for parallel trials: in a crossover "
            "every unit is its own block",
            argument="block",
        )
    if request.covariates:
        raise EstimateError(
            f"covariates={quoted(request.covariates)} is for parallel trials: in a "
            "crossover each unit is compared with itself and its covariates cancel",
            argument="covariates",
        )


def check_one_unit(effects: xr.Dataset, request: Request) -> None:
    """Raise EstimateError where a request is impossible with one unit: for crossed
    targets.
    """
    check_crossover_request(request)
    clusters(effects, request)
    if request.target == "parents":
        parents_as_strata(effects)
    if request.is_crossed:
        raise EstimateError(
            f"target={quoted(request.target)} needs two or more units, and there is "
            "one",
            argument="target",
        )


def ice_without_rounding(effects: xr.Dataset) -> Array:
    """Return the ICE; those equal within the rounding of the outcomes are made exactly
    equal, or 0 if possible.
    """
    return np.asarray(lazy_ice_without_rounding(effects), dtype=np.float64)


def lazy_ice_without_rounding(effects: xr.Dataset) -> Rows:
    """Return `ice_without_rounding`, lazily where the ICE are lazy."""
    ice = effects["ice"].data
    ice = ice if ice.dtype == np.float64 else ice.astype(np.float64)
    if (
        not {"constant", "zero"} <= set(effects.variables)
        or not effects["constant"].any()
    ):
        return ice
    first = first_row(ice)
    one = np.where(effects["zero"].to_numpy(), 0.0, first + mean_from(ice, first))
    return by_block(
        ice, _replace_constant, one=one, constant=effects["constant"].to_numpy()
    )


def _replace_constant(
    ice: Array, *, one: Array, constant: npt.NDArray[np.bool_]
) -> Array:
    return np.where(constant, one, ice)


def _estimate_population(
    _: xr.Dataset, ice: Array, request: Request
) -> tuple[Estimate, int, str, str]:
    groups = request.groups
    assert groups is not None  # else `_estimate_unclustered` answers
    check_clusters(groups, len(groups.labels))
    n_clusters, name = len(groups.labels), groups.name
    if request.weights == "clusters":
        answer = mean_of_cluster_means(ice, groups.codes)
        return (
            answer,
            n_clusters,
            name,
            f"mean over {name}s of their mean ICE; t with G - 1 df",
        )
    answer = mean_ice(ice, groups.codes)
    return (
        answer,
        n_clusters,
        name,
        f"mean ICE; CR2 by {name}, Satterthwaite (Bell-McCaffrey) df",
    )


def _estimate_parents(
    effects: xr.Dataset, ice: Array, request: Request
) -> tuple[Estimate, int, str, str]:
    check_no_cluster(
        request, "these parents are fixed, and their units are drawn independently"
    )
    strata = parents_as_strata(effects)
    _check_two_units_each(strata, "target='parents'")
    answer = stratified_mean(ice, strata.codes, _stratum_weights(strata, request))
    return (
        answer,
        len(ice),
        "unit",
        "mean ICE with these parents fixed; variance within parents, Satterthwaite df",
    )


def _check_two_units_each(strata: Grouping, why: str) -> None:
    lone = np.flatnonzero(strata.sizes < 2)
    if lone.size:
        raise EstimateError(
            f"{why} needs the spread within each {strata.name}, and {lone.size} "
            f"{strata.name}s have only one unit (first: "
            f"{quoted(strata.labels[lone[0]])})"
        )


def _stratum_weights(strata: Grouping, request: Request) -> Array:
    if request.weights == "clusters":
        return np.full(len(strata.labels), 1 / len(strata.labels))
    return np.asarray(strata.sizes / strata.sizes.sum())


def _estimate_units(
    effects: xr.Dataset, ice: Array, request: Request
) -> tuple[Estimate, int, str, str]:
    check_no_cluster(request, "these units are fixed")
    random = uses_random_arms(effects)
    if not random.any():
        groups = clusters(effects, request) if request.weights == "clusters" else None
        means = (
            centered(ice)[0]
            if groups is None
            else centered(centered(ice, groups.codes)[0])[0]
        )
        ace = np.asarray(means[0])
        answer = from_factor(
            ace, np.zeros((1, *ace.shape)), float(max(len(ice) - 1, 1))
        )
        return (
            answer,
            len(ice),
            "unit",
            "mean ICE of exactly these units; nothing is sampled, so the standard "
            "error is 0",
        )
    if about(effects, None).null_kind != "genomic" or "parent" not in effects.coords:
        k = int(np.argmax(random))
        raise EstimateError(
            f"target='units': contrast {effects['contrast'].to_numpy()[k]} has an arm "
            "that draws something of its own, which needs two or more draws of every "
            "unit: null=cg.Genomic(of=..., n_draws=2), or use target='population'",
            argument="target",
        )
    strata = grouping(effects, "parent", "target='units'")
    _check_two_units_each(
        strata,
        "target='units' with an arm that draws something of its own",
    )
    answer = stratified_mean(ice, strata.codes, _stratum_weights(strata, request))
    factor = answer.factor * random.reshape(1, -1, *[1] * (ice.ndim - 2))
    method = (
        "mean ICE of exactly these sequences; variance of the arms' own draws, "
        "Satterthwaite df"
    )
    return from_factor(answer.ace, factor, answer.df), len(ice), "unit", method


def _estimate_crossed(
    effects: xr.Dataset, ice: Array, request: Request
) -> tuple[Estimate, int, str, str]:
    levels_noun = (
        "predictors"
        if request.target == NEXT
        else request.target.removeprefix("population x ")
    )
    if "model" not in effects["ice"].dims or effects.sizes["model"] < 2:
        raise EstimateError(
            f"target={quoted(request.target)} needs two or more {levels_noun} on a dim "
            "'model'"
        )
    if levels_noun == "predictors":
        check_distinct_predictors(effects, ice)
    ratio = "denominator" in effects and about(effects).transform != "log_of_means"
    if request.target == NEXT and ratio:
        raise EstimateError(
            f"target='next predictor' with scale={quoted(about(effects).transform)}: "
            "there is no predictive interval for a ratio",
            argument="target",
        )
    by_level, groups = np.moveaxis(ice, -1, 1), request.groups
    by, n_clusters, name, codes = "", len(ice), "unit", None
    if groups is not None:
        check_clusters(groups, len(groups.labels))
        n_clusters, name, codes, by = (
            len(groups.labels),
            groups.name,
            groups.codes,
            f"CR2 by {groups.name}, ",
        )
        if request.weights == "clusters":
            by_level, codes, by = (
                centered(by_level, groups.codes)[0],
                None,
                f"means of {name}s, ",
            )
    if request.target == NEXT:
        answer = next_level(by_level, codes)
        n = effects.sizes["model"]
        method = (
            f"predictive interval from {n} predictors: s_b^2 (1 + 1/{n}) between "
            f"predictors, {by}and the variance of the units that they share; t on few df"
        )
        return answer, n_clusters, name, method
    return (
        crossed_mean(by_level, codes),
        n_clusters,
        name,
        f"mean ICE over units and {levels_noun}, both drawn; crossed, "
        f"{by}Satterthwaite df",
    )


def uses_random_arms(effects: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return whether each contrast has a weight on an arm whose intervention is random,
    shape (K,).
    """
    if "random" not in effects.coords or "weight" not in effects:
        return np.zeros(effects.sizes["contrast"], dtype=bool)
    return np.asarray(
        abs(weights_of(effects))
        @ effects["random"].to_numpy().astype(bool).astype(np.float64)
        > 0
    )


def placebo_contrasts(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return whether each contrast of effects or estimates is one fixed placebo
    minus other arms, (contrast,).

    This is read from ``weight (contrast, arm)`` and ``kind (arm)``; without them no
    contrast is. A mean of several placebos is not a draw from the class of placebos,
    and does not count.

    Examples
    --------
    >>> weight = [[-1.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.5, 0.5]]
    >>> kind = ("arm", ["placebo", "embed", "fixed_placebo", "fixed_placebo"])
    >>> placebo_contrasts(
    ...     xr.Dataset({"weight": (("contrast", "arm"), weight)}, coords={"kind": kind})
    ... )
    array([False,  True, False])
    """
    if "weight" not in dataset or "kind" not in dataset.variables:
        return np.zeros(dataset.sizes["contrast"], dtype=bool)
    positive = (weights_of(dataset) > 0).astype(np.intp)
    placebo = dataset["kind"].to_numpy().astype(str) == "fixed_placebo"
    return np.asarray(
        (positive.sum(axis=1) == 1) & (positive @ placebo.astype(np.intp) > 0)
    )


def is_placebo(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return whether each contrast is one fixed placebo, shape ``(contrast,)``.

    Read from the bool coordinate or variable ``is_placebo (contrast)``, else by
    `placebo_contrasts`.

    Raises
    ------
    EstimateError
        If ``is_placebo`` is not bool on the dim contrast.

    Examples
    --------
    >>> is_placebo(
    ...     xr.Dataset(
    ...         {
    ...             "ace": ("contrast", [1.0, 0.0]),
    ...             "is_placebo": ("contrast", [False, True]),
    ...         }
    ...     )
    ... )
    array([False,  True])
    """
    if "is_placebo" not in dataset.variables:
        return placebo_contrasts(dataset)
    marked = dataset["is_placebo"]
    if marked.dims != ("contrast",) or marked.dtype != bool:
        raise EstimateError(
            f"is_placebo has dims {marked.dims} and dtype {marked.dtype}, not bool "
            "on contrast"
        )
    return np.asarray(marked.to_numpy())


def check_distinct_predictors(effects: xr.Dataset, ice: Array) -> None:
    """Check that no two predictors have identical ICE, which would be one network
    counted twice.

    Parameters
    ----------
    effects
        Effects whose coordinate ``model`` names the predictors.
    ice
        Their ICE, shape ``(n, K, ..., J)``. Predictors without any variation (all their
        architecture excludes it) are not compared.

    Raises
    ------
    EstimateError
        If two are identical; the message names both.
    """
    for i, j in combinations(range(ice.shape[-1]), 2):
        one, other = ice[..., i], ice[..., j]
        if (
            np.array_equal(one[0], other[0])
            and (one != one[0]).any()
            and np.array_equal(one, other)
        ):
            names = (
                effects["model"].to_numpy()
                if "model" in effects.coords
                else range(ice.shape[-1])
            )
            raise EstimateError(
                f"models {quoted(str(names[i]))} and {quoted(str(names[j]))} gave the "
                "same numbers in every unit: they are one network, and do not show the "
                "spread between networks"
            )


def has_moments(dataset: object) -> bool:
    """Return whether a Dataset has moments of the ICE instead of the ICE.

    Examples
    --------
    >>> has_moments(xr.Dataset({"ice_mean": (("contrast", "task"), [[1.0]])}))
    True
    """
    return (
        isinstance(dataset, xr.Dataset)
        and "ice_mean" in dataset
        and "ice" not in dataset
    )


def needs_units_error(what: str) -> EstimateError:
    """Return the error for a request that needs the ICE of every unit."""
    return EstimateError(
        f"{what} needs the ICE of every unit, and these are moments of them; run the "
        'trial with keep="effects"'
    )


def estimate_from_moments(
    moments: xr.Dataset, request: Request
) -> tuple[xr.Dataset, Request, Answer]:
    """Return the effects without units, the request with its clusters named, and the
    ACE, (K, tasks[, models]).

    ``ACE = ice_mean``, ``se^2 = ice_sd^2 / n`` on n - 1 degrees of freedom; or CR2 of
    the sums by parent if units share parents. The covariance is ``se_j se_k`` times the
    correlation of the ICE, or the products of sums by parent (or by random group). A
    requested ``cluster="auto"`` is the cluster of the trial's analysis.

    Raises
    ------
    EstimateError
        If the request needs the ICE of every unit, or a squared standard error is
        beyond float64, so that there is no covariance.
    """
    request = _request_for_moments(moments, request)
    if "n_units" not in moments or not {"ice_sum", "ice_correlation"} & set(
        moments.variables
    ):
        raise DataError(
            "moments: no 'n_units', or neither 'ice_correlation' nor 'ice_sum'"
        )
    n, by = (
        int(moments["n_units"].to_numpy().max()),
        about(moments, "unit").cluster,
    )
    clustered = by != "unit"
    estimate, rows = _estimate_of_moments(moments, n, clustered=clustered)
    check_squares(estimate.se, moments)
    K = moments.sizes["contrast"]
    dealt = f", covariance by {rows} random groups" if rows < n else ""
    return (
        _without_units(moments),
        request,
        Answer(
            estimate=estimate,
            skewness=skewness(estimate.factor)
            if clustered
            else moments["ice_skewness"].to_numpy(),
            reach=np.maximum(
                np.abs(moments["ice_least"].to_numpy()),
                np.abs(moments["ice_most"].to_numpy()),
            ),
            n_units=np.full(K, n),
            n_clusters=np.full(K, rows if clustered else n),
            method=f"mean ICE; CR2 by {by}, Satterthwaite (Bell-McCaffrey) df"
            if clustered
            else f"mean ICE; s^2 / n, t with n - 1 df{dealt}",
            cluster=by,
        ),
    )


def _request_for_moments(moments: xr.Dataset, request: Request) -> Request:
    """Return a request with ``cluster="auto"`` replaced by the cluster of the trial's
    analysis.
    """
    check_crossover_request(request)
    for name, default in (("target", "population"), ("weights", "units")):
        if getattr(request, name) != default:
            raise needs_units_error(f"{name}={quoted(getattr(request, name))}")
    cluster = analysis_in_attrs(moments.attrs).cluster
    by = about(moments, "unit").cluster
    alone = ("none", "parent") if cluster != "none" else ("none",)
    if request.cluster not in ("auto", cluster, by, *(alone if by == "unit" else ())):
        raise needs_units_error(f"cluster={quoted(request.cluster)}")
    return replace(
        request, cluster=cluster if request.cluster == "auto" else request.cluster
    )


def _estimate_of_moments(
    moments: xr.Dataset, n: int, *, clustered: bool
) -> tuple[Estimate, int]:
    """Return the estimate, and the number of parents or random groups whose sums there
    are, else of units.
    """
    if "ice_sum" in moments:
        return _estimate_from_sums(moments, n, clustered=clustered)
    return _estimate_from_correlation(moments, n), n


def _estimate_from_sums(
    moments: xr.Dataset, n: int, *, clustered: bool
) -> tuple[Estimate, int]:
    """Return the estimate with a factor row for each parent or random group, and their
    number.
    """
    sums, sizes = moments["ice_sum"].to_numpy(), moments["cluster_size"].to_numpy()
    found = mean_of_sums(moments["ice_mean"].to_numpy(), sums, sizes)
    if not clustered:
        found = _unclustered_estimate(moments, n, found.factor)
    return found, len(sizes)


def _estimate_from_correlation(moments: xr.Dataset, n: int) -> Estimate:
    """Return the estimate with a factor row for each contrast."""
    correlation = aligned_covariance(
        moments["ice_correlation"], "contrast", "contrast_"
    ).to_numpy()
    sd = moments["ice_sd"].to_numpy()
    return _unclustered_estimate(moments, n, root_of(correlation) * (sd / np.sqrt(n)))


def _unclustered_estimate(moments: xr.Dataset, n: int, factor: Array) -> Estimate:
    """Return the estimate whose units are its clusters."""
    mean, sd, leverage = (
        moments[f"ice_{name}"].to_numpy() for name in ("mean", "sd", "leverage")
    )
    df = np.full(sd.shape, n - 1.0)
    return Estimate(mean, sd / np.sqrt(n), df, factor, leverage)


def root_of(correlation: Array) -> Array:
    """Return F, shape ``(K, K, ...)``, with ``F' F`` equal to (possibly singular)
    correlations ``(K, K, ...)``.

    Examples
    --------
    >>> F = root_of(np.array([[1.0, 1.0], [1.0, 1.0]]))
    >>> (F.T @ F).round(6)
    array([[1., 1.],
           [1., 1.]])
    """
    values, vectors = np.linalg.eigh(np.moveaxis(correlation, (0, 1), (-2, -1)))
    roots = np.sqrt(np.maximum(values, 0.0))[..., None] * np.swapaxes(vectors, -1, -2)
    return np.asarray(np.moveaxis(roots, (-2, -1), (0, 1)))


def _without_units(moments: xr.Dataset) -> xr.Dataset:
    """Return effects with 0 units, which have the labels, weights and attributes for
    estimates.
    """
    names = [name for name in ("weight", "control_sd", "floor") if name in moments]
    mean = moments["ice_mean"]
    drop = [
        str(c)
        for c in moments.coords
        if {"quantile", "contrast_", "byte"} & set(moments[c].dims)
    ]
    effects = moments[names].assign_coords(mean.coords).drop_vars(drop, errors="ignore")
    effects["ice"] = (("unit", *mean.dims), np.empty((0, *mean.shape)))
    return effects
