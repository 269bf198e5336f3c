"""ACE of a parallel trial: the estimator for each target of `estimate`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.estimation.crossover import Estimate, mean_ice
from causalgia.estimation.moderation import check_rank, unit_covariate
from causalgia.estimation.parallel import (
    Fits,
    add_covariate_sampling,
    clustered,
    fit_arms,
    fixed_blocks,
    residual_df,
    welch,
)
from causalgia.estimation.request import (
    Answer,
    Grouping,
    Request,
    check_clusters,
    check_no_cluster,
    check_two_clusters,
    grouping,
    parents_as_strata,
)
from causalgia.numerics.moments import centered, skewness
from causalgia.numerics.row_blocks import agreement
from causalgia.types import Array, Codes


@dataclass(frozen=True)
class _ParallelTrial:
    """A parallel trial as arrays: outcomes and bounds on their rounding ``(n, R)``,
    arms ``(n,)``, weights ``(K, A)``.

    Outcomes are relative to those of the first unit: contrasts are unchanged, and a
    large offset costs no digits.
    """

    Y: Array
    rounding: Array
    arm: Codes
    W: Array
    names: tuple[str, ...]

    @property
    def used(self) -> Codes:
        """Arms with a weight in any contrast."""
        return np.flatnonzero((self.W != 0).any(axis=0))

    @property
    def counts(self) -> Codes:
        """Units of each arm, shape ``(A,)``."""
        return np.bincount(self.arm, minlength=len(self.names))


def estimate_parallel(effects: xr.Dataset, request: Request) -> Answer:
    """Estimate the ACE of every contrast over the requested target, from one outcome
    per unit.
    """
    if request.weights == "clusters":
        raise EstimateError(
            "weights='clusters' needs the ICE of a crossover",
            argument="weights",
        )
    if request.is_crossed:
        raise EstimateError(
            f"target={quoted(request.target)} needs the ICE of a crossover",
            argument="target",
        )
    trial = _read_trial(effects)
    block = _strata(effects, request)
    if block is not None:
        answer, n_clusters, cluster, method = _estimate_with_blocks(
            trial, block, request
        )
    else:
        answer, n_clusters, cluster, method = _estimate_without_blocks(
            effects, trial, request
        )
    trailing = effects["outcome"].shape[1:]
    ace, se, df, leverage = (
        x.reshape(len(x), *trailing)
        for x in (answer.ace, answer.se, answer.df, answer.leverage)
    )
    return Answer(
        estimate=Estimate(
            ace,
            se,
            df,
            answer.factor.reshape(*answer.factor.shape[:2], *trailing),
            leverage,
        ),
        skewness=_contribution_skewness(trial, answer, n_clusters).reshape(
            -1, *trailing
        ),
        reach=np.broadcast_to(
            np.ptp(trial.Y[np.isin(trial.arm, trial.used)], axis=0), answer.ace.shape
        ).reshape(-1, *trailing),
        n_units=(trial.W != 0) @ trial.counts,
        n_clusters=n_clusters,
        method=method,
        cluster=cluster,
    )


def _read_trial(effects: xr.Dataset) -> _ParallelTrial:
    if "weight" not in effects:
        raise EstimateError(
            "effects of a parallel trial have no 'weight (contrast, arm)'"
        )
    names = tuple(str(a) for a in effects["arm"].to_numpy())
    column = {name: j for j, name in enumerate(names)}
    arm = np.array(
        [column[str(a)] for a in effects["assigned"].to_numpy()], dtype=np.intp
    )
    Y = effects["outcome"].to_numpy().astype(np.float64).reshape(len(arm), -1)
    rounding = (
        effects["rounding"].to_numpy().reshape(len(arm), -1)
        if "rounding" in effects
        else np.zeros_like(Y)
    )
    trial = _ParallelTrial(
        Y - Y[0], rounding, arm, effects["weight"].to_numpy().astype(np.float64), names
    )
    for a in trial.used:
        if trial.counts[a] < 2:
            without = (trial.W[:, a] == 0).any()
            raise EstimateError(
                f"arm {quoted(names[a])} has {trial.counts[a]} unit(s), and a spread "
                "needs two; assign more units to it"
                + (", or leave its contrasts out" if without else "")
            )
    return trial


def _contribution_skewness(
    trial: _ParallelTrial, answer: Estimate, n_clusters: npt.NDArray[np.intp]
) -> Array:
    """Return the skewness of the error times the root of the number of independent
    contributions, shape (K, R).

    Clusters or blocks contribute their influences. Independent units have the third
    cumulant ``sum_a w_a^3 m3_a / n_a^2`` and the variance ``sum_a w_a^2 m2_a / n_a``.
    """
    if len(answer.factor) == n_clusters.max():
        return skewness(answer.factor)
    third, second = np.zeros((2, len(trial.W), trial.Y.shape[1]))
    for a in trial.used:
        Y, w = trial.Y[trial.arm == a], trial.W[:, [a]]
        if (away := centered(Y)[1]).size and not agreement(
            Y, trial.rounding[trial.arm == a]
        )[0].all():
            size = max(float(np.abs(trial.Y).max()), np.finfo(float).tiny)
            third += w**3 * ((away / size) ** 3).mean(axis=0) / len(Y) ** 2
            second += w**2 * ((away / size) ** 2).mean(axis=0) / len(Y)
    of_all = np.divide(third, second**1.5, out=np.zeros_like(third), where=second > 0)
    return np.asarray(of_all * np.sqrt(n_clusters)[:, None])


def _strata(effects: xr.Dataset, request: Request) -> Grouping | None:
    """Return the strata: parents for the target 'parents', else the named block, else
    that of the design.
    """
    if request.target == "parents":
        if request.block not in (None, "parent"):
            raise EstimateError(
                "target='parents' takes parents as blocks",
                argument="target",
            )
        check_no_cluster(
            request, "these parents are fixed, and their units are drawn independently"
        )
        return parents_as_strata(effects)
    if request.groups is not None and request.groups.name == request.block:
        return request.groups
    if request.block is not None:
        return grouping(effects, request.block, f"block={quoted(request.block)}")
    return (
        grouping(effects, "block", "block=None") if "block" in effects.coords else None
    )


def _estimate_with_blocks(
    trial: _ParallelTrial, block: Grouping, request: Request
) -> tuple[Estimate, npt.NDArray[np.intp], str, str]:
    if request.covariates:
        raise EstimateError(
            f"covariates={quoted(request.covariates)} with blocks "
            f"({quoted(block.name)}): both adjust for what was known before",
            argument="covariates",
        )
    drawn = request.target == "population"
    least = 1 if drawn else 2
    counts = np.zeros((len(block.labels), len(trial.names)), dtype=np.intp)
    np.add.at(counts, (block.codes, trial.arm), 1)
    # fixed blocks are of a contrast's own arms; drawn ones have an effect each
    for w in [(trial.W != 0).any(axis=0)] if drawn else trial.W:
        own = np.flatnonzero(w)
        there = counts[:, own].any(axis=1, keepdims=True)
        lacking = (counts[:, own] < least) & (there | drawn)
        for b, a in np.argwhere(lacking)[:1]:
            raise EstimateError(
                f"{block.name} {quoted(block.labels[b])} has "
                f"{('no unit', 'one unit')[counts[b, own[a]]]} of arm "
                f"{quoted(trial.names[own[a]])}, and needs "
                f"{('one', 'two')[least - 1]}"
            )
    if drawn:
        groups = _clusters_of_blocks(block, request)
        require = (
            check_two_clusters
            if groups.name == block.name != "parent"
            else check_clusters
        )
        require(
            groups,
            len(groups.labels),
        )
        inside = rounded_block_effects(
            trial.Y, trial.arm, block.codes, trial.W, trial.rounding
        )
        answer = mean_ice(inside, groups.codes)
        df = (
            "t with G - 1 df"
            if groups.name == block.name
            else f"CR2 by {groups.name}, Satterthwaite df"
        )
        method = (
            f"mean of the effects inside each {block.name}, drawn from a population of "
            f"them; {df}"
        )
        return answer, np.full(len(trial.W), len(groups.labels)), groups.name, method
    check_no_cluster(request, "units were randomized one by one inside fixed blocks")
    answer = fixed_blocks(
        trial.Y, trial.arm, block.codes, trial.W, rounding=trial.rounding
    )
    method = (
        f"difference in means weighted by {block.name} size, {block.name}s fixed; "
        f"Neyman by {block.name}, Satterthwaite df"
    )
    return answer, (trial.W != 0) @ trial.counts, "unit", method


def _clusters_of_blocks(block: Grouping, request: Request) -> Grouping:
    """Return the independent cluster of each block: the block itself, or a larger one
    (a parent) that blocks share.
    """
    by_block = Grouping(block.name, np.arange(len(block.labels)), block.labels)
    larger = request.groups
    if larger is None or larger.name == block.name:
        return by_block
    first = np.unique(block.codes, return_index=True)[1]
    nested = (larger.codes == larger.codes[first][block.codes]).all()
    if nested:
        codes, labels = (
            np.unique(larger.codes[first], return_inverse=True)[1],
            larger.labels,
        )
        return (
            by_block
            if len(labels) == len(block.labels)
            else Grouping(larger.name, codes, labels)
        )
    joint_codes = larger.codes * (int(block.codes.max()) + 1) + block.codes
    if len(np.unique(joint_codes)) == len(
        larger.labels
    ):  # each cluster lies in one block
        return by_block
    raise EstimateError(
        f"{larger.name}s and {block.name}s cross, so {block.name}s are not independent "
        f"draws: use target='units' (these {block.name}s), drop the {block.name}s "
        f"(drop_vars({quoted(block.name)})) to cluster by {larger.name}, or "
        f"cluster='none' where {larger.name}s do not matter"
    )


def _estimate_without_blocks(
    effects: xr.Dataset, trial: _ParallelTrial, request: Request
) -> tuple[Estimate, npt.NDArray[np.intp], str, str]:
    covariates = _covariate_matrix(effects, trial, request)
    if request.target == "units":
        check_no_cluster(
            request, "units were randomized one by one, and these are all there are"
        )
    if request.groups is not None:
        return _estimate_with_clusters(trial, request.groups, covariates, request)
    n_clusters = (trial.W != 0) @ trial.counts
    fits = _fit_used_arms(trial, covariates)
    if covariates is None:
        return (
            welch(fits, trial.W),
            n_clusters,
            "unit",
            "difference in means; Neyman's variance, Welch df",
        )
    answer = residual_df(fits, trial.W)
    method = (
        f"Lin's interacted regression on {', '.join(request.covariates)}; HC2, df n - "
        "A (p + 1)"
    )
    if request.target == "units":
        return answer, n_clusters, "unit", method
    answer = add_covariate_sampling(answer, fits, trial.W, covariates, None)
    return (
        answer,
        n_clusters,
        "unit",
        method.replace("HC2", "HC2 plus the sampling of the covariates' mean"),
    )


def _fit_used_arms(
    trial: _ParallelTrial, covariates: Array | None, cluster: Codes | None = None
) -> Fits:
    arms = trial.used.tolist()
    return fit_arms(
        trial.Y,
        trial.arm,
        arms,
        cluster=cluster,
        covariates=covariates,
        rounding=trial.rounding,
    )


def _estimate_with_clusters(
    trial: _ParallelTrial, groups: Grouping, covariates: Array | None, request: Request
) -> tuple[Estimate, npt.NDArray[np.intp], str, str]:
    has = np.zeros((len(trial.names), len(groups.labels)), dtype=bool)
    has[trial.arm, groups.codes] = True
    for a in trial.used:
        if has[a].sum() < 2:
            raise EstimateError(
                f"all units of arm {quoted(trial.names[a])} share the one "
                f"{groups.name} {quoted(groups.labels[int(np.argmax(has[a]))])}, so "
                f"the spread between {groups.name}s is unknown"
            )
    n_clusters = np.array(
        [has[w != 0].any(axis=0).sum() for w in trial.W], dtype=np.intp
    )
    check_clusters(groups, int(n_clusters.min()))
    fits = _fit_used_arms(trial, covariates, groups.codes)
    answer = clustered(fits, trial.W, len(groups.labels))
    method = (
        f"difference in means; CR2 by {groups.name}, Satterthwaite (Bell-McCaffrey) df"
    )
    if covariates is not None:
        answer = add_covariate_sampling(answer, fits, trial.W, covariates, groups.codes)
        method = (
            f"Lin's interacted regression on {', '.join(request.covariates)}; "
            f"{method.split('; ')[1]}"
        )
    return answer, n_clusters, groups.name, method


def _covariate_matrix(
    effects: xr.Dataset, trial: _ParallelTrial, request: Request
) -> Array | None:
    """Return the covariates, centered at their mean over all units and divided by the
    largest deviation, (n, p).
    """
    if not request.covariates:
        return None
    names = request.covariates
    columns = [
        centered(unit_covariate(effects, name, f"covariates={quoted(name)}"))[1]
        for name in names
    ]
    x = np.column_stack([column / np.abs(column).max() for column in columns])
    check_rank(x, names, "the units")
    for a in trial.used:
        if trial.counts[a] < len(names) + 2:
            raise EstimateError(
                f"arm {quoted(trial.names[a])} has {trial.counts[a]} units, and "
                f"{len(names)} covariate(s) need {len(names) + 2} or more"
            )
        check_rank(
            centered(x[trial.arm == a])[1], names, f"arm {quoted(trial.names[a])}"
        )
    return x


def block_effects(Y: Array, arm: Codes, block: Codes, W: Array) -> Array:
    """Return the effect inside each block: the contrast of the block's arm means.

    Blocks drawn from the null model can then be analyzed as units of a crossover, by
    `mean_ice`.

    Parameters
    ----------
    Y
        Outcomes, shape ``(n, R)``.
    arm
        Arm of each unit, shape ``(n,)``.
    block
        Block of each unit, 0 to B - 1, shape ``(n,)``; every block has units of every
        arm that has a weight.
    W
        Weights of K contrasts over all arms, shape ``(K, A)``.

    Returns
    -------
    array
        Shape ``(B, K, R)``.

    Examples
    --------
    >>> y = np.array([[1.0], [4.0], [2.0], [9.0]])
    >>> block_effects(
    ...     y, np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), np.array([[-1.0, 1.0]])
    ... )[:, 0, 0]
    array([3., 7.])
    """
    used = np.flatnonzero((W != 0).any(axis=0))
    means = np.stack([centered(Y[arm == a], block[arm == a])[0] for a in used])
    offset = (
        means[0]
        if np.allclose(W.sum(axis=1), 0.0, atol=1e-9 * np.abs(W).max())
        else 0.0
    )
    return np.ascontiguousarray(
        np.moveaxis(np.tensordot(W[:, used], means - offset, axes=1), 1, 0)
    )


def rounded_block_effects(
    Y: Array, arm: Codes, block: Codes, W: Array, rounding: Array
) -> Array:
    """Return `block_effects` without rounding noise: equal effects within rounding are
    made equal, or 0 if possible.

    Parameters
    ----------
    Y, arm, block, W
        As in `block_effects`.
    rounding
        Bound on the rounding of each outcome, shape ``(n, R)``.

    Examples
    --------
    >>> y, arm, block = (
    ...     np.array([[0.3], [0.1 + 0.2], [0.3], [0.3]]),
    ...     np.array([0, 1, 0, 1]),
    ...     np.array([0, 0, 1, 1]),
    ... )
    >>> W = np.array([[-1.0, 1.0]])
    >>> (
    ...     block_effects(y, arm, block, W)[:, 0, 0],
    ...     rounded_block_effects(y, arm, block, W, np.spacing(y))[:, 0, 0],
    ... )
    (array([5.55111512e-17, 0.00000000e+00]), array([0., 0.]))
    """
    inside = block_effects(Y, arm, block, W)
    used = np.flatnonzero((W != 0).any(axis=0))
    bounds = np.stack([centered(rounding[arm == a], block[arm == a])[0] for a in used])
    bound = np.moveaxis(np.tensordot(np.abs(W[:, used]), bounds, axes=1), 1, 0)
    constant, zero = agreement(inside, bound)
    return np.where(constant, np.where(zero, 0.0, centered(inside)[0][0]), inside)
