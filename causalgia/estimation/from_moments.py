"""Average causal effects from stored moments of the ICE."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from causalgia.analysis import Analysis
from causalgia.errors import EstimateError, OutcomesError, quoted
from causalgia.estimation.crossover import Estimate, mean_of_sums
from causalgia.estimation.crossover_estimates import check_crossover_request
from causalgia.estimation.given_effects import aligned_covariance
from causalgia.estimation.magnitude import check_squares
from causalgia.estimation.request import Answer, Request
from causalgia.numerics.moments import skewness
from causalgia.types import Array


def has_moments(dataset: object) -> bool:
    """Return whether a Dataset has moments of the ICE instead of the ICE.

    Examples
    --------
    >>> has_moments(xr.Dataset({"ice_mean": (("contrast", "task"), [[1.0]])}))
    True
    """
    return isinstance(dataset, xr.Dataset) and "ice_mean" in dataset and "ice" not in dataset


def needs_units_error(what: str) -> EstimateError:
    """Return the error for a request that needs the ICE of every unit."""
    return EstimateError(
        f'{what} needs the ICE of every unit, and these are moments of them; run the trial with keep="effects"'
    )


def estimate_from_moments(moments: xr.Dataset, request: Request) -> tuple[xr.Dataset, Request, Answer]:
    """Return the effects without units, the request with its clusters named, and the ACE, (K, tasks[, models]).

    ``ACE = ice_mean``, ``se^2 = ice_sd^2 / n`` on n - 1 degrees of freedom; or CR2 of the sums by parent if units share
    parents. The covariance is ``se_j se_k`` times the correlation of the ICE, or the products of sums by parent (or by
    random group). A requested ``cluster="auto"`` is the cluster of the trial's analysis.

    Raises
    ------
    EstimateError
        If the request needs the ICE of every unit, or a squared standard error is beyond float64, so that there is no
        covariance.
    """
    request = _request_for_moments(moments, request)
    if "n_units" not in moments or not {"ice_sum", "ice_correlation"} & set(moments.variables):
        raise OutcomesError("moments: no 'n_units', or neither 'ice_correlation' nor 'ice_sum'; keep all variables")
    n, by = int(moments["n_units"].to_numpy().max()), str(moments.attrs.get("cluster", "unit"))
    clustered = by != "unit"
    estimate, rows = (
        _estimate_from_sums(moments, n, clustered)
        if "ice_sum" in moments
        else (_estimate_from_correlation(moments, n), n)
    )
    check_squares(estimate.se, moments)
    K = moments.sizes["contrast"]
    dealt = f", covariance by {rows} random groups" if rows < n else ""
    return (
        _without_units(moments),
        request,
        Answer(
            estimate=estimate,
            skewness=skewness(estimate.factor) if clustered else moments["ice_skewness"].to_numpy(),
            reach=np.maximum(np.abs(moments["ice_least"].to_numpy()), np.abs(moments["ice_most"].to_numpy())),
            n_units=np.full(K, n),
            n_clusters=np.full(K, rows if clustered else n),
            method=f"mean ICE; CR2 by {by}, Satterthwaite (Bell-McCaffrey) df"
            if clustered
            else f"mean ICE; s^2 / n, t with n - 1 df{dealt}",
            cluster=by,
        ),
    )


def _request_for_moments(moments: xr.Dataset, request: Request) -> Request:
    """Return a request with ``cluster="auto"`` replaced by the cluster of the trial's analysis."""
    check_crossover_request(request)
    for name, default in (("target", "population"), ("weights", "units")):
        if getattr(request, name) != default:
            raise needs_units_error(f"{name}={quoted(getattr(request, name))}")
    cluster = Analysis.from_json(str(moments.attrs.get("analysis", "{}"))).cluster
    by = str(moments.attrs.get("cluster", "unit"))
    alone = ("none", "parent") if cluster != "none" else ("none",)
    if request.cluster not in ("auto", cluster, by, *(alone if by == "unit" else ())):
        raise needs_units_error(f"cluster={quoted(request.cluster)}")
    return replace(request, cluster=cluster if request.cluster == "auto" else request.cluster)


def _estimate_from_sums(moments: xr.Dataset, n: int, clustered: bool) -> tuple[Estimate, int]:
    """Return the estimate with a factor row for each parent or random group, and their number."""
    sums, sizes = moments["ice_sum"].to_numpy(), moments["cluster_size"].to_numpy()
    found = mean_of_sums(moments["ice_mean"].to_numpy(), sums, sizes)
    return found if clustered else _unclustered_estimate(moments, n, found.factor), len(sizes)


def _estimate_from_correlation(moments: xr.Dataset, n: int) -> Estimate:
    correlation = aligned_covariance(moments["ice_correlation"], "contrast", "contrast_").to_numpy()
    return _unclustered_estimate(moments, n, root_of(correlation) * (moments["ice_sd"].to_numpy() / np.sqrt(n)))


def _unclustered_estimate(moments: xr.Dataset, n: int, factor: Array) -> Estimate:
    mean, sd, leverage = (moments[f"ice_{name}"].to_numpy() for name in ("mean", "sd", "leverage"))
    return Estimate(mean, sd / np.sqrt(n), np.full(sd.shape, n - 1.0), factor, leverage)


def root_of(correlation: Array) -> Array:
    """Return F, shape ``(K, K, ...)``, with ``F' F`` equal to (possibly singular) correlations ``(K, K, ...)``.

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
    """Return effects with 0 units, which have the labels, weights and attributes for estimates."""
    names = [name for name in ("weight", "control_sd", "floor") if name in moments]
    mean = moments["ice_mean"]
    drop = [str(c) for c in moments.coords if {"quantile", "contrast_", "byte"} & set(moments[c].dims)]
    effects = moments[names].assign_coords(mean.coords).drop_vars(drop, errors="ignore")
    effects["ice"] = (("unit", *mean.dims), np.empty((0, *mean.shape)))
    return effects
