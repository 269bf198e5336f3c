"""Estimates from tables of units by arms with gaps: one mixed model of all arms."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from causalgia.checks import first_of
from causalgia.effect_table import gaps_in_words
from causalgia.errors import (
    DegenerateWarning,
    EstimateError,
    caller_stacklevel,
    quoted,
)
from causalgia.estimation._variance_components import Cells, identify, interaction_codes
from causalgia.estimation.mixed_model import FLOOR, MixedFit, reml
from causalgia.estimation.request import (
    Request,
    check_squares,
    check_two_clusters,
    contrast_labels,
)
from causalgia.numerics.moments import centered, log_p, p_and_limits
from causalgia.types import Array, Codes, Mask

_OUTCOME_ROUNDING = 16 * np.finfo(float).eps


@dataclass(frozen=True)
class ArmContrasts:
    """Contrasts of arms in a table with gaps.

    Attributes
    ----------
    ace, se, df
        Estimate, standard error and Satterthwaite's degrees of freedom, shape ``(K,)``.
    covariance
        Covariance of the estimates, shape ``(K, K)``.
    between
        Whether a contrast rests on differences between units, because no chain of units
        that have two arms each joins its arms, shape ``(K,)``.
    at_zero
        The groupings whose variance was estimated as 0.
    """

    ace: Array
    se: Array
    df: Array
    covariance: Array
    between: Mask
    at_zero: tuple[str, ...]


def contrasts_of_arms(
    y: Array, arm: Codes, unit: Codes, weights: Array, parent: Codes | None = None
) -> ArmContrasts:
    r"""Estimate contrasts of arms from the cells of units by arms that were measured.

    :math:`y_{ua} = \mu_a + b_u + e_{ua}` with normal b and e, fitted by restricted
    maximum likelihood (REML) to all cells; the ACE is :math:`\sum_a w_a \mu_a`. A unit
    with several arms contributes the differences inside it, and every unit its level,
    weighted by what the variances make of it (recovery of interblock information). With
    parents, :math:`y = \mu_a + c_p + d_{pa} + b_u + e`: effects may differ between
    parents.

    Parameters
    ----------
    y
        Outcomes of the N measured cells, shape ``(N,)``.
    arm, unit
        Arm and unit of each cell, 0 to A - 1 and 0 to n - 1, all present, shape
        ``(N,)``.
    weights
        Weights of the arms in K contrasts, shape ``(K, A)``.
    parent
        Parent of each cell's unit, shape ``(N,)``; None: units are independent.

    Returns
    -------
    ArmContrasts
        With ``covariance = W (X'V^-1 X)^-1 W'`` at the estimated variances, and df ``2
        v^2 / (g' C g)`` for a variance v of gradient g in the variance components,
        whose covariance C is the inverse of the observed information.

    Raises
    ------
    EstimateError
        If no unit has two arms, so that units and noise cannot be separated, there are
        too few cells, the noise vanishes beside the variance between parents, or it is
        estimated as 0 from few units.

    Notes
    -----
    The estimand is the mean over units, of whom some lack arms: cells must be missing
    at random, which means that whether one is missing must not depend on what it would
    have been, given the other cells of its unit. The residual is one variance for all
    arms, and its covariance is the same for any two; a crossover without gaps assumes
    neither. `y ~ arm + (1 | unit)` in lme4, with lmerTest's degrees of freedom, gives
    the same numbers.

    Degenerate cases. A variance between units that is estimated as 0 counts as known to
    be 0, and cells then as independent. If units differ by a constant alone (no noise),
    contrasts inside units are exact, with standard error 0 on the residual degrees of
    freedom. Below 1e-10 of the variance of the outcomes, the noise is that of least
    squares with a level for each unit, which is the limit of the mixed model. An arm
    that shares no unit with others is compared between units (`between`), in that limit
    by the levels of the units, with one variance.

    The estimated variances count as known in the standard error, as in lmerTest. With
    normal outcomes, equal variances and cells missing at random, tests at .05 of a true
    null rejected in 5.4, 5.2 and 5.0 % of cases with a fifth of the cells missing (8
    and 20 units, 3 arms) and with half of them missing (60 units, 4 arms), and in 6.9,
    6.1 and 5.5 % with half missing (8, 20 and 40 units, 3 arms); 18,000 or more tests
    each. `reml` has Kenward and Roger's adjustment.

    Memory and time grow with N A.

    References
    ----------
    Patterson & Thompson (1971), doi:10.1093/biomet/58.3.545: interblock information.
    Giesbrecht & Burns (1985), doi:10.2307/2530872: degrees of freedom. Kuznetsova,
    Brockhoff & Christensen (2017), doi:10.18637/jss.v082.i13: lmerTest. Rubin (1976),
    doi:10.1093/biomet/63.3.581: missing at random.

    Examples
    --------
    >>> y = np.array([1.0, 2.5, 4.0, 5.0, 0.5, 4.0])
    >>> arm, unit = np.array([0, 1, 0, 1, 0, 1]), np.array([0, 0, 1, 1, 2, 3])
    >>> found = contrasts_of_arms(y, arm, unit, np.array([[-1.0, 1.0]]))
    >>> found.ace.round(3), found.se.round(3), found.df.round(2)
    (array([1.279]), array([0.248]), array([1.03]))
    """
    n_arms, exponent = weights.shape[1], _exponent(y)
    y = np.ldexp(y, -exponent)
    fixed = np.zeros((len(y), n_arms))
    fixed[np.arange(len(y)), arm] = 1.0
    rounding = _OUTCOME_ROUNDING * float(np.abs(y).max())
    means, away = centered(y, arm)
    inside = _fixed_units(y, fixed, arm, unit, weights)
    if np.abs(away).max() <= rounding and len(y) > n_arms:  # nothing varies in any arm
        zero = np.zeros((len(weights), len(weights)))
        df = np.full(len(weights), float(len(y) - n_arms))
        return _as_contrasts(weights @ means, zero, df, inside.between, (), exponent)
    groups = _groups(y, fixed, unit, parent, arm)
    exact = inside.df > 0 and inside.deviation <= rounding
    if exact or (inside.df > 0 and inside.variance <= FLOOR * np.var(away)):
        if parent is not None and (inside.between.any() or not exact):
            raise EstimateError(
                "the outcomes of a unit differ by less than 1e-5 of what units differ "
                "by, which hides how effects vary between parents"
            )
        noise = 0.0 if exact else inside.variance
        covariance = noise * inside.inverse + inside.of_levels
        df = np.where(inside.between, inside.df_of_levels, inside.df)
        return _as_contrasts(inside.ace, covariance, df, inside.between, (), exponent)
    fit = _fit(y, fixed, groups, weights)
    at_zero = tuple(
        name
        for name, v in zip(fit.names, fit.variance, strict=True)
        if v == 0 and name != "residual"
    )
    return _as_contrasts(
        fit.beta, fit.covariance, fit.df, inside.between, at_zero, exponent
    )


def _fit(y: Array, fixed: Array, groups: dict[str, Codes], weights: Array) -> MixedFit:
    """Fit the mixed model; raise EstimateError where there is no noise left in it."""
    vanished = (
        "the noise inside units was estimated as 0, and too few units have several "
        "arms to show that it is; measure more units under two or more arms"
    )
    try:
        with np.errstate(invalid="raise"):  # of matrices that rounding alone fills
            fit = reml(y, fixed, groups, combinations=weights)
    except (FloatingPointError, np.linalg.LinAlgError) as error:
        raise EstimateError(vanished) from error
    noise = [
        v
        for name, v in zip(fit.names, fit.variance, strict=True)
        if name in ("residual", "parent_by_arm")
    ]
    if not any(noise) or not np.isfinite([fit.se, fit.df]).all():
        raise EstimateError(vanished)
    return fit


def _exponent(y: Array) -> int:
    """Return the power of two that divides outcomes outside 1e-100 to 1e100, else 0."""
    peak = float(np.abs(y).max())
    return int(np.frexp(peak)[1]) if peak > 0 and not 1e-100 <= peak <= 1e100 else 0


def _as_contrasts(
    ace: Array,
    covariance: Array,
    df: Array,
    between: Mask,
    at_zero: tuple[str, ...],
    exponent: int,
) -> ArmContrasts:
    se = np.ldexp(np.sqrt(np.diagonal(covariance)), exponent)
    with np.errstate(over="ignore"):
        covariance = np.ldexp(covariance, 2 * exponent)
    return ArmContrasts(np.ldexp(ace, exponent), se, df, covariance, between, at_zero)


@dataclass(frozen=True)
class _FixedUnits:
    """Contrasts of arms by least squares with a level for each unit.

    Those between parts of the table compare these levels.
    Parts are sets of arms that units join. ``inverse`` times ``variance``, the noise on
    ``df``, is the covariance of contrasts inside units, and ``of_levels`` what those
    between parts add, on ``df_of_levels``; ``deviation`` is the largest residual.
    """

    ace: Array
    inverse: Array
    variance: float
    df: float
    of_levels: Array
    df_of_levels: float
    between: Mask
    deviation: float


def _fixed_units(
    y: Array, fixed: Array, arm: Codes, unit: Codes, weights: Array
) -> _FixedUnits:
    """Estimate contrasts of arms from units with fixed levels."""
    n_arms, n_units = fixed.shape[1], int(unit.max()) + 1
    has = sparse.csr_array((np.ones(len(y)), (arm, unit)), shape=(n_arms, n_units))
    n_parts, part = connected_components(has @ has.T, directed=False)
    sums = np.zeros((len(weights), n_parts))
    np.add.at(sums.T, part, weights.T)
    between = np.abs(sums).max(axis=1) > 1e-9 * np.abs(weights).max(axis=1)
    X, r = centered(fixed, unit)[1], centered(y, unit)[1]
    inverse = np.linalg.pinv(X.T @ X, rcond=1e-12, hermitian=True)
    beta = inverse @ (X.T @ r)
    residual = r - X @ beta
    df = len(y) - n_units - (n_arms - n_parts)
    variance = float(residual @ residual) / df if df > 0 else np.nan
    levels = centered(y - fixed @ beta, unit)[0]
    part_of_unit = np.zeros(n_units, dtype=np.intp)
    part_of_unit[unit] = part[arm]
    means, away = centered(levels, part_of_unit)
    df_of_levels = n_units - n_parts
    spread = float(away @ away) / df_of_levels if df_of_levels > 0 else np.nan
    sums = np.where(between[:, None], sums, 0.0)
    of_levels = (
        spread * (sums / np.bincount(part_of_unit)) @ sums.T
        if between.any()
        else np.zeros((len(weights),) * 2)
    )
    return _FixedUnits(
        ace=weights @ beta + sums @ means,
        inverse=weights @ inverse @ weights.T,
        variance=variance,
        df=float(df),
        of_levels=of_levels,
        df_of_levels=float(df_of_levels),
        between=between,
        deviation=float(np.abs(residual).max()),
    )


def _groups(
    y: Array, fixed: Array, unit: Codes, parent: Codes | None, arm: Codes
) -> dict[str, Codes]:
    """Return the identifiable random groupings of the cells."""
    drawn: dict[str, Codes] = {}
    if parent is not None:
        drawn |= {"parent": parent, "parent_by_arm": interaction_codes(parent, arm)}
    drawn |= {"unit": unit}
    groups = identify(Cells(y[:, None], fixed, fixed[:, 0], drawn)).groups
    if not {"unit", "parent"} & groups.keys():
        raise EstimateError(
            "no unit has two arms, so that units and noise cannot be separated"
        )
    return groups


def check_request(request: Request) -> None:
    """Raise EstimateError where a request needs the effects of single units."""
    if request.target != "population":
        raise EstimateError(
            f"target={quoted(request.target)} needs the individual effects of every "
            "unit, and some lack an arm",
            argument="target",
        )
    if request.weights != "units":
        raise EstimateError(
            f"weights={quoted(request.weights)} needs the individual effects of every "
            "unit, and some lack an arm",
            argument="weights",
        )
    if request.block is not None:
        raise EstimateError(
            f"block={quoted(request.block)} is for parallel trials: here units are "
            "compared with themselves",
            argument="block",
        )
    if request.covariates:
        raise EstimateError(
            f"covariates={quoted(request.covariates)} is for parallel trials: here "
            "units are compared with themselves",
            argument="covariates",
        )


def estimate_incomplete(
    effects: xr.Dataset, request: Request, ci_prob: float
) -> tuple[dict[str, Any], dict[str, str], Array, list[str]]:
    """Estimate the ACE of every contrast, task by task, from effects with gaps.

    Returns
    -------
    columns, attrs
        Of estimates, shape ``(K, T)``.
    factor
        With covariance = factor' factor in each task, shape ``(K, K, T)``.
    notes
        On variances estimated as 0, and on contrasts between units.
    """
    check_request(request)
    tasks = [str(name) for name in effects["task"].to_numpy()]
    y = (
        effects["outcome"]
        .transpose("unit", "arm", "task")
        .to_numpy()
        .astype(np.float64)
    )
    W = effects["weight"].to_numpy().astype(np.float64)
    if request.groups is not None:
        check_two_clusters(request.groups, len(request.groups.labels))
    parent = None if request.groups is None else request.groups.codes
    found, counts = [], []
    for t, task in enumerate(tasks):
        measured = np.isfinite(y[:, :, t])
        _check_measured(effects, measured, W, task)
        used = np.flatnonzero(measured.any(axis=0))
        row, column = np.nonzero(measured)
        arm, unit = (np.unique(x, return_inverse=True)[1] for x in (column, row))
        of_parent = (
            None if parent is None else np.unique(parent[row], return_inverse=True)[1]
        )
        try:
            one = contrasts_of_arms(y[row, column, t], arm, unit, W[:, used], of_parent)
        except EstimateError as error:
            raise type(error)(f"task {quoted(task)}: {error}") from error
        found.append(one)
        n = int(unit.max()) + 1
        counts.append((n, n if of_parent is None else int(of_parent.max()) + 1))
    ace, se, df = (
        np.stack([getattr(one, name) for one in found], axis=1)
        for name in ("ace", "se", "df")
    )
    check_squares(se, effects)
    p, lower, upper = p_and_limits(ace, se, df, ci_prob)
    columns: dict[str, Any] = {
        "ace": ace,
        "se": se,
        "df": df,
        "p": p,
        "lower": lower,
        "upper": upper,
    }
    columns |= {"log_p": log_p(ace, se, df), "exact": se == 0}
    for i, name in enumerate(("n_units", "n_clusters")):
        columns[name] = np.broadcast_to(np.array(counts)[:, i], ace.shape).astype(
            np.int64
        )
    if (se == 0).any():
        warnings.warn(
            DegenerateWarning(
                f"{int((se == 0).sum())} of {se.size} effects (contrast by task) do not "
                "vary at all inside units: their "
                "intervals are points"
            ),
            stacklevel=caller_stacklevel(),
        )
    factor = np.stack([_factor(one.covariance) for one in found], axis=2)
    return columns, _attrs(effects, request), factor, _notes(effects, found, tasks)


def _factor(covariance: Array) -> Array:
    """Return F with ``F' F = covariance``."""
    size = np.sqrt(np.diagonal(covariance))
    scale = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(covariance / scale / scale[:, None])
    return np.asarray(np.sqrt(np.maximum(values, 0.0))[:, None] * vectors.T * size)


def _check_measured(
    effects: xr.Dataset, measured: npt.NDArray[np.bool_], W: Array, task: str
) -> None:
    """Raise EstimateError where a contrast weighs an arm that no unit has."""
    lacking = (W != 0).any(axis=0) & ~measured.any(axis=0)
    if lacking.any():
        arm = str(effects["arm"].to_numpy()[int(np.argmax(lacking))])
        raise EstimateError(
            f"arm {quoted(arm)} has no outcome in any unit of task {quoted(task)}"
        )


def _attrs(effects: xr.Dataset, request: Request) -> dict[str, str]:
    missing = gaps_in_words(effects)
    if request.groups is None:
        return {
            "cluster": "unit",
            "method": "mixed model (outcome ~ arm, units random), REML, "
            f"Satterthwaite df; {missing}",
        }
    name = request.groups.name
    return {
        "cluster": name,
        "method": f"mixed model (outcome ~ arm; units, {name}s and {name}s by arms "
        "random), REML, Satterthwaite df; "
        f"{missing}",
    }


def _notes(
    effects: xr.Dataset, found: list[ArmContrasts], tasks: list[str]
) -> list[str]:
    """Return notes on variances estimated as 0, and on contrasts between units."""
    names, notes = [str(name) for name in contrast_labels(effects)], []
    for task, one in zip(tasks, found, strict=True):
        of = f" (task {task})" if len(tasks) > 1 else ""
        if {"unit", "parent"} & set(one.at_zero):
            what = "units" if "unit" in one.at_zero else "clusters"
            notes.append(
                f"the variance between {what} was estimated as 0{of}: cells count as "
                "independent, and intervals may be "
                "too short"
            )
        if one.between.any():
            which = [
                name
                for name, between in zip(names, one.between, strict=True)
                if between
            ]
            notes.append(
                f"{first_of(which, 5)}: no unit joins these arms{of}; the effect is a difference "
                "between units"
            )
    return notes
