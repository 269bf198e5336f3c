"""The labelled verb: effects -> average causal effects with standard errors, and the covariance of what it returns."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from causalgia.analysis import exploratory_attrs
from causalgia.effects.scales import OF_MEANS
from causalgia.errors import DegenerateWarning, EstimateError, quoted
from causalgia.estimation._from_effects import aligned
from causalgia.estimation.arithmetic_floor import with_floor
from causalgia.estimation.cluster_size import with_size_note
from causalgia.estimation.crossover_estimates import check_one_unit, estimate_crossover, of_units_alone, words_as_levels
from causalgia.estimation.from_moments import answer_of, as_kept, has_moments, without_units
from causalgia.estimation.magnitude import put_back, sized
from causalgia.estimation.parallel_estimates import estimate_parallel
from causalgia.estimation.ratios import Limits, check_means_are_units, limits_of_means
from causalgia.estimation.request import Answer, Request, require_ci_prob, target_of, users_level
from causalgia.numerics.moments import centred, log_p, p_and_limits
from causalgia.numerics.row_blocks import HELD, Rows, added, by_block, in_memory, row_blocks
from causalgia.schema import annotate, check_dataset, validate
from causalgia.types import Array

MAX_COVARIANCE = 512


def estimate(
    effects: xr.Dataset,
    *,
    cluster: str | None = "auto",
    block: str | None = None,
    covariates: str | Iterable[str] | None = None,
    target: str | None = None,
    ci_prob: float = 0.95,
    weights: Literal["units", "clusters"] = "units",
    moderate: bool | None = None,
) -> xr.Dataset:
    """Estimate average causal effects (ACE) and how sure one may be of them, by what the design drew at random.

    The ACE is ``E_u[ICE_u]`` over the target: ``"population"``, new backgrounds (and new parents) from the null
    model; ``"parents"``, new shuffles of these parents; ``"units"``, exactly these units. A crossover averages the
    ICE; a parallel trial compares the arms' means.

    Parameters
    ----------
    effects
        From `contrast`; or the moments of a trial that kept nothing else, ``cg.run(..., keep="moments")``, which answer
        for the population, each unit counting once, by parent or not as the trial's analysis says.
        Lazy ICE are read a few blocks of units at a time for ``target="population"`` without clusters (nothing as long
        as the units is held, and a ``factor`` is lazy too), and loaded for anything else, for functions of means, and
        where they take less than 32 MiB; the estimates are the same in every bit.
    cluster
        ``"auto"``: by ``parent`` wherever a parent has more than one unit; None: each unit by itself; or the name of
        a coordinate on the units. Clustered standard errors are CR2 with Satterthwaite degrees of freedom.
    block
        Parallel trials: the coordinate inside which arms were randomised; None takes ``block`` where the outcomes
        have it. Blocks are drawn for the target ``"population"`` (mean of block effects) and fixed for ``"units"``.
    covariates
        Parallel trials: numeric coordinates on the units for Lin's interacted regression.
    target
        ``"population"`` (None), ``"parents"`` or ``"units"``; or, in a crossover on several predictors (dim model),
        ``"population x predictors"``: retrainings of the predictor too, the variance between which is moderated over
        three or more contrasts; or ``"next predictor"``: one network more, trained as these were, whose ACE the mean
        predicts (``se`` is the standard deviation of the error of prediction, ``lower, upper`` a predictive interval,
        and p says how far 0 lies out in it); or, with 20 or more arms of kind ``placebo_word``,
        ``"population x words"``: the mean effect of such words, as one contrast. For ``"units"`` of a crossover the
        standard error is 0 unless an arm draws something of its own, which the coordinate ``random (arm)`` says;
        outcomes from `from_frame` have none.
        Of measured activities (`causalgia.mpra.activity`) None is ``"population x replicates"``: new elements, with
        new barcodes, and new replicates; ``"population"`` is then an answer for each replicate.
    ci_prob
        Probability of the interval.
    weights
        What the mean is over (crossover): ``"units"``, each counts once, ``E[n_g m_g] / E[n_g]`` of clusters with
        ``n_g`` units and mean ICE ``m_g``; or ``"clusters"``, each counts once, ``E[m_g]``. They differ where effects
        depend on the size of a cluster.
    moderate
        Whether the variance between predictors is moderated over contrasts (limma's squeezeVar, at least three
        predictors and contrasts). None: for ``"population x predictors"``, and not for ``"next predictor"``, whose
        intervals then have their probability on average over the contrasts, and less where the predictors differ most.

    Returns
    -------
    Dataset
        ``ace, se, df, p, lower, upper, skewness, leverage, exact, n_units, n_clusters (contrast, task[,
        model])`` on attrs["contrast_scale"]; ``covariance (contrast, contrast_, task[, model])`` up to 512
        contrasts, beyond that ``factor (cluster, contrast, task[, model])`` with covariance = factor' factor;
        ``control_sd`` as in the effects (its root mean square over predictors, where they are drawn).
        Where nothing varies (beyond the rounding of the outcomes) ``exact`` is true, the interval is the point,
        p is 1 for an ACE of 0 and else 0. ``log_p`` is the natural logarithm of p, also where p is below the least
        float. One unit gives ``ace`` alone; exactly these units of a crossover without random arms have an effect
        that is known, and neither df, p, log_p nor limits. On a scale of means p tests
        attrs["null_value"]; limits of a ratio are those of its logarithm, or Fieller's where a mean is within about
        six standard errors of 0: infinite where ``unbounded`` is true.

    Raises
    ------
    EstimateError
        If the data cannot give the standard error that was asked; the message names what is lacking and the cure.

    Warns
    -----
    DegenerateWarning
        If nothing varies among the units, or there is one unit.
    ClusterSizeWarning
        If the mean ICE of clusters depends on their size (10 or more clusters; false alarms in 1 %) and units are
        weighted alike; ``weights="clusters"`` is the cure.
    FewClustersWarning
        Below 20 clusters; not for drawn blocks, where t on G - 1 is exact arithmetic.

    References
    ----------
    Bell & McCaffrey (2002), Survey Methodology 28(2), 169-181. Pustejovsky & Tipton (2018),
    doi:10.1080/07350015.2016.1247004. Welch (1947), doi:10.1093/biomet/34.1-2.28. Lin (2013), doi:10.1214/12-AOAS583.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), [[[1.0]], [[2.0]], [[4.0]], [[9.0]]])},
    ...     coords={"contrast": ["GATA1"], "task": ["K562"]},
    ... )
    >>> estimates = estimate(effects)
    >>> estimates["ace"].item(), round(estimates["se"].item(), 4), round(estimates["lower"].item(), 4)
    (4.0, 1.7795, -1.6632)
    """
    of_moments = has_moments(effects)
    validate(effects, "moments" if of_moments else "effects")
    for dim in ("unit", "contrast", "task"):
        if effects.sizes.get(dim, 1) == 0:
            raise EstimateError(f"the effects have no {dim}s; the selection before estimate left none")
    ci_prob, target = require_ci_prob(ci_prob), target_of(effects, target)
    names = _names_of(covariates)
    request = Request(cluster, block, names, target, weights, moderate)
    if of_moments:
        request = as_kept(effects, request)
    chosen: dict[str, Any] = {"target": target, "ci_prob": ci_prob, "weights": weights}
    said = chosen | {"covariates": ", ".join(names)}
    chosen["moderate"] = moderate
    said |= exploratory_attrs(effects.attrs, cluster=request.cluster, block=block, covariates=names, **chosen)
    if of_moments:
        answer = answer_of(effects)
        return estimates_of(without_units(effects), answer, _limits(answer, ci_prob), said | _by(answer))
    of_means = effects.attrs.get("transform") in OF_MEANS
    if of_means:
        check_means_are_units(effects, request)
    if target == "population x words":
        effects = words_as_levels(effects)
    crossover = "ice" in effects
    if crossover and effects.sizes["unit"] == 1 and target != "units":
        check_one_unit(effects, request)
        return _one_unit(effects, said)
    effects = _read(effects, request)
    near, exponents = sized(effects)
    estimator = estimate_crossover if crossover else estimate_parallel
    answer = put_back(estimator(near, request), exponents, effects)
    limits: Limits
    if of_means:
        answer, limits = limits_of_means(effects, answer, request, ci_prob, estimator)
    else:
        limits = _limits(answer, ci_prob)
    return with_size_note(estimates_of(effects, answer, limits, said | _by(answer)), effects, request)


def _limits(answer: Answer, ci_prob: float) -> Limits:
    e = answer.estimate
    return (*p_and_limits(e.ace, e.se, e.df, ci_prob), {"log_p": log_p(e.ace, e.se, e.df)})


def _by(answer: Answer) -> dict[str, str]:
    return {"cluster": answer.cluster, "method": answer.method}


def _names_of(covariates: str | Iterable[str] | None) -> tuple[str, ...]:
    if covariates is None or isinstance(covariates, str):
        return () if covariates is None else (covariates,)
    if not isinstance(covariates, Iterable):
        raise EstimateError(f"covariates={quoted(covariates)}: give names of coordinates on the units")
    return tuple(map(str, covariates))


def _read(effects: xr.Dataset, request: Request) -> xr.Dataset:
    """Return the effects in memory, unless their ICE are lazy, too many to be held, and may be read block by block."""
    by_blocks = effects.attrs.get("transform") not in OF_MEANS and of_units_alone(effects, request)
    if not by_blocks or (effects["ice"].nbytes <= HELD and effects.sizes["contrast"] <= MAX_COVARIANCE):
        return in_memory(effects)
    return in_memory(effects, but="unit")


def _one_unit(effects: xr.Dataset, said: dict[str, Any]) -> xr.Dataset:
    warnings.warn(
        "one unit: the effects stand without standard error, p and interval; draw more units, or ask target='units'",
        DegenerateWarning,
        stacklevel=users_level(),
    )
    ace = centred(np.asarray(effects["ice"].to_numpy(), dtype=np.float64))[0][0]
    said |= {"method": "the ICE of one unit, without standard error", "cluster": "unit"}
    one = _assemble(effects, {"ace": ace, "n_units": np.ones(ace.shape, dtype=np.int64)}, said)
    return with_floor(one, effects)


def estimates_of(effects: xr.Dataset, answer: Answer, limits: Limits, said: dict[str, Any]) -> xr.Dataset:
    """Return the Dataset of estimates of an answer, as `estimate` gives it; only the labels of the effects are read."""
    e, (p, lower, upper, others) = answer.estimate, limits
    exact = e.se == 0
    if exact.any() and not answer.by_definition:
        _warn_exact(exact, int(answer.n_clusters.max()))
    wide = [1] * (e.ace.ndim - 1)
    columns: dict[str, Any] = {"ace": e.ace, "se": e.se}
    if not (answer.by_definition and exact.all()):
        columns |= {"df": e.df, "p": p, "lower": lower, "upper": upper, **others}
    columns |= {"skewness": answer.skewness, "leverage": e.leverage, "exact": exact}
    columns["largest_ice"] = np.broadcast_to(answer.reach.max(axis=0), e.ace.shape)
    for name, count in (("n_units", answer.n_units), ("n_clusters", answer.n_clusters)):
        columns[name] = np.broadcast_to(count.reshape(-1, *wide), e.ace.shape).astype(np.int64)
    return _with_covariance(with_floor(_assemble(effects, columns, said), effects), e.factor)


def _warn_exact(exact: Any, n: int) -> None:
    of_what = "contrasts" if exact.size == len(exact) else "effects (contrast by task)"
    warnings.warn(
        f"{int(exact.sum())} of {exact.size} {of_what} do not vary at all over {n} independent units: "
        f"their intervals are points, and up to 3/n = {min(3 / n, 1):.2g} of the population may still differ (95 %)",
        DegenerateWarning,
        stacklevel=users_level(),
    )


def _assemble(effects: xr.Dataset, columns: dict[str, Any], said: dict[str, Any]) -> xr.Dataset:
    source = effects["ice"] if "ice" in effects else effects["outcome"]
    dims = ("contrast", *(d for d in source.dims if d in ("task", "model")))[: columns["ace"].ndim]
    kept = {name: c for name, c in effects.coords.items() if c.dims and set(c.dims) <= set(dims)}
    estimates = xr.Dataset({name: (dims, values) for name, values in columns.items()}, coords=kept)
    if "weight" in effects:
        estimates["weight"] = effects["weight"]
    if "control_sd" in effects:
        estimates["control_sd"] = _pooled(effects["control_sd"], dims)
    estimates.attrs = dict(effects.attrs) | said
    return validate(annotate(estimates), "estimates")


def _pooled(sd: xr.DataArray, dims: tuple[Any, ...]) -> xr.DataArray:
    """Sd of the control arm on the dims of the estimates: root mean square over the predictors, where they are one."""
    over = [dim for dim in sd.dims if dim not in dims]
    peak = sd.max(over)
    return peak * np.sqrt(((sd / peak.where(peak > 0, 1.0)) ** 2).mean(over))


def _with_covariance(estimates: xr.Dataset, factor: Array) -> xr.Dataset:
    dims = estimates["ace"].dims
    if estimates.sizes["contrast"] > MAX_COVARIANCE:
        return annotate(estimates.assign(factor=(("cluster", *dims), factor)))
    out = estimates.assign(covariance=(("contrast", "contrast_", *dims[1:]), _product(factor)))
    return annotate(out.assign_coords(contrast_=_names(estimates)))


def _product(factor: Rows) -> Array:
    """Factor' factor for each task (and model), summed by blocks of rows: (G, K, ...) -> (K, K, ...)."""
    whole = added(map(_product_of_block, row_blocks(factor)))
    return whole.reshape(factor.shape[1], factor.shape[1], *factor.shape[2:])


def _product_of_block(factor: Array) -> Array:
    flat = factor.reshape(*factor.shape[:2], -1)
    return np.stack([flat[..., r].T @ flat[..., r] for r in range(flat.shape[2])], axis=-1)


def _names(estimates: xr.Dataset) -> Any:
    return (
        estimates["contrast"].to_numpy() if "contrast" in estimates.coords else np.arange(estimates.sizes["contrast"])
    )


def covariance(estimates: xr.Dataset, contrasts: str | Sequence[str] | None = None) -> xr.DataArray:
    """Return the covariance of ACEs, whichever way the estimates hold it.

    Parameters
    ----------
    estimates
        From `estimate`, with ``covariance`` or ``factor``.
    contrasts
        The contrasts wanted, one name or several; None for all. From a factor only this block is formed.

    Returns
    -------
    DataArray
        ``(contrast, contrast_, task[, model])``, on attrs["contrast_scale"] squared.

    Raises
    ------
    EstimateError
        If a contrast is unknown, the estimates have neither (one unit), or names do not say which columns belong to
        the contrasts that were selected.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), [[[1.0], [0.0]], [[2.0], [3.0]], [[6.0], [3.0]]])},
    ...     coords={"contrast": ["GATA1", "TAL1"], "task": ["K562"]},
    ... )
    >>> covariance(estimate(effects)).sel(contrast="GATA1", contrast_="TAL1").round(6).item()
    1.0
    """
    check_dataset(estimates, "estimates")
    estimates = aligned(estimates)
    if "covariance" not in estimates and "factor" not in estimates:
        raise EstimateError("the estimates have neither 'covariance' nor 'factor': one unit gives none; use more units")
    wanted = [contrasts] if isinstance(contrasts, str) else contrasts
    names = list(_names(estimates)) if wanted is None else list(wanted)
    place = {name: k for k, name in enumerate(_names(estimates))}
    unknown = [name for name in names if name not in place]
    if unknown:
        raise EstimateError(
            f"contrast {quoted(unknown[0])} is not among the estimates; estimates['contrast'] lists them"
        )
    where = [place[name] for name in names]
    if "covariance" in estimates:
        return estimates["covariance"].isel(contrast=where, contrast_=where)
    factor = estimates["factor"]
    chosen = by_block(factor.data, np.take, indices=where, axis=1)
    dims = ("contrast", "contrast_", *factor.dims[2:])
    coords = {d: estimates[d].to_numpy() for d in dims[2:] if d in estimates.coords} | {
        "contrast": names,
        "contrast_": names,
    }
    return xr.DataArray(_product(chosen), dims=dims, coords=coords, name="covariance", attrs=factor.attrs)
