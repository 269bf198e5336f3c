"""ACE of a parallel trial: the estimator for each target of `estimate`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.estimation.cells import root_n_skewness_of
from causalgia.estimation.crossover import Estimate, mean_ice
from causalgia.estimation.moderation import check_rank, unit_covariate
from causalgia.estimation.parallel import (
    cells_of_arms,
    cells_of_drawn_blocks,
    clustered,
    covariate_sampling,
    fit_arms,
    fixed_blocks,
    pooled_error_of_arms,
    residual_df,
    welch,
    with_sampling,
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
from causalgia.numerics.moments import centered
from causalgia.numerics.row_blocks import agreement
from causalgia.types import Array, Codes, Mask

_T = TypeVar("_T", bound=np.generic)


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

    def has(self, groups: Grouping) -> Mask:
        """Return whether each arm has units of each group, shape ``(A, G)``."""
        has = np.zeros((len(self.names), len(groups.labels)), dtype=bool)
        has[self.arm, groups.codes] = True
        return has


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
    found = (
        _estimate_without_blocks(effects, trial, request)
        if block is None
        else _estimate_with_blocks(trial, block, request)
    )
    trailing = effects["outcome"].shape[1:]

    def shaped(x: npt.NDArray[_T]) -> npt.NDArray[_T]:
        return x.reshape(*x.shape[:-1], *trailing)

    e, (se, df) = found.estimate, found.pooled_error
    se = np.where(e.se > 0, se, 0.0)  # what rounding leaves is no spread
    reach = np.ptp(trial.Y[np.isin(trial.arm, trial.used)], axis=0)
    groups = request.groups
    in_arm = trial.counts if groups is None else trial.has(groups).sum(axis=1)
    of_arms = None
    if found.sd is not None:
        sd = np.zeros((len(trial.names), trial.Y.shape[1]))
        sd[trial.used] = found.sd
        units = np.broadcast_to(trial.counts[:, None], sd.shape)
        of_arms = shaped(sd), shaped(units)
    return Answer(
        estimate=Estimate(*map(shaped, (e.ace, e.se, e.df, e.factor, e.leverage))),
        skewness=shaped(found.skewness),
        reach=shaped(np.broadcast_to(reach, e.ace.shape)),
        n_units=(trial.W != 0) @ trial.counts,
        n_clusters=found.n_clusters,
        method=found.method,
        cluster=found.cluster,
        smallest=np.array([in_arm[w != 0].min() for w in trial.W]),
        pooled=(shaped(se), shaped(np.broadcast_to(df, se.shape))),
        of_arms=of_arms,
        # of outcomes that do not vary every estimate is one
        sums_of_arms=shaped(found.by_arms[:, None] | (e.se == 0)),
    )


@dataclass(frozen=True)
class _Found:
    """An estimate, and what its fit says beside effect and error.

    Attributes
    ----------
    skewness
        Of the independent contributions, times the root of their number, ``(K, R)``.
    pooled_error
        Error and df by the pooled variance, shape ``(K, R)`` each.
    n_clusters
        Independent units of each contrast, shape ``(K,)``.
    by_arms
        Whether the estimate is a weighted sum of the means of arms, whatever the
        outcomes, shape ``(K,)``.
    sd
        Standard deviation of each arm in use, ``(A, R)``; None where its units are not
        independent.
    """

    estimate: Estimate
    skewness: Array
    pooled_error: tuple[Array, Array]
    n_clusters: Codes
    cluster: str
    method: str
    by_arms: Mask
    sd: Array | None = None


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
) -> _Found:
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
        df = (
            "t with G - 1 df"
            if groups.name == block.name
            else f"CR2 by {groups.name}, Satterthwaite df"
        )
        alike = np.ptp(counts, axis=0) == 0
        answer = mean_ice(inside, groups.codes)
        cells = cells_of_drawn_blocks(trial.Y, trial.arm, block.codes, trial.W)
        n_clusters = np.full(len(trial.W), len(groups.labels))
        return _Found(
            estimate=answer,
            skewness=root_n_skewness_of(answer.factor) * np.sqrt(n_clusters)[:, None],
            pooled_error=cells.pooled_error,
            n_clusters=n_clusters,
            cluster=groups.name,
            method=f"mean of the effects inside each {block.name}, drawn from a "
            f"population of them; {df}",
            by_arms=np.array([alike[w != 0].all() for w in trial.W]),
        )
    check_no_cluster(request, "units were randomized one by one inside fixed blocks")
    answer, cells = fixed_blocks(
        trial.Y, trial.arm, block.codes, trial.W, rounding=trial.rounding
    )
    n_units = (trial.W != 0) @ trial.counts
    return _Found(
        estimate=answer,
        skewness=cells.root_n_skewness * np.sqrt(n_units)[:, None],
        pooled_error=cells.pooled_error,
        n_clusters=n_units,
        cluster="unit",
        method=f"difference in means weighted by {block.name} size, {block.name}s "
        f"fixed; Neyman by {block.name}, Satterthwaite df",
        by_arms=np.zeros(len(trial.W), dtype=bool),
    )


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
) -> _Found:
    covariates, groups = _covariate_matrix(effects, trial, request), request.groups
    of_units = request.target == "units"
    if of_units:
        check_no_cluster(
            request, "units were randomized one by one, and these are all there are"
        )
    if groups is not None:
        n_clusters = _clusters_of_contrasts(trial, groups)
    codes = None if groups is None else groups.codes
    fits = fit_arms(
        trial.Y,
        trial.arm,
        trial.used.tolist(),
        cluster=codes,
        covariates=covariates,
        rounding=trial.rounding,
    )
    if groups is not None:
        answer = clustered(fits, trial.W, len(groups.labels))
        error = f"CR2 by {groups.name}, Satterthwaite (Bell-McCaffrey) df"
        pooled, df = pooled_error_of_arms(fits, trial.W, groups.codes)
    else:
        cells, n_clusters = cells_of_arms(fits, trial.W), (trial.W != 0) @ trial.counts
        pooled, df = cells.pooled_error
        if covariates is None:
            answer, error = welch(fits, trial.W), "Neyman's variance, Welch df"
        else:
            answer, error = residual_df(fits, trial.W), "HC2, df n - A (p + 1)"
    what, own = "difference in means", np.ones((1, 1))
    if covariates is not None:
        what = f"Lin's interacted regression on {', '.join(request.covariates)}"
        if not of_units:
            pieces = covariate_sampling(fits, trial.W, covariates, codes)
            before, answer = (
                answer.se,
                with_sampling(answer, pieces, of_clusters=groups is not None),
            )
            pooled = np.where(
                pooled > 0, np.hypot(pooled, np.linalg.norm(pieces, axis=0)), 0.0
            )
            error = error.replace(
                "HC2", "HC2 plus the sampling of the covariates' mean"
            )
            own = np.divide(
                before, answer.se, out=np.ones_like(before), where=answer.se > 0
            )
    return _Found(
        estimate=answer,
        skewness=np.sqrt(n_clusters)[:, None]
        * (
            root_n_skewness_of(answer.factor)
            if groups is not None
            else cells.root_n_skewness * own**3
        ),
        pooled_error=(pooled, df),
        n_clusters=n_clusters,
        cluster="unit" if groups is None else groups.name,
        method=f"{what}; {error}",
        by_arms=np.full(len(trial.W), covariates is None),
        sd=cells.sd if groups is None and covariates is None else None,
    )


def _clusters_of_contrasts(
    trial: _ParallelTrial, groups: Grouping
) -> npt.NDArray[np.intp]:
    """Return the clusters of each contrast; raise EstimateError where an arm has one."""
    has = trial.has(groups)
    for a in trial.used:
        if has[a].sum() < 2:
            raise EstimateError(
                f"all units of arm {quoted(trial.names[a])} share the one "
                f"{groups.name} {quoted(groups.labels[int(np.argmax(has[a]))])}, so "
                f"the spread between {groups.name}s is unknown"
            )
    n_clusters = np.array([has[w != 0].any(axis=0).sum() for w in trial.W])
    check_clusters(groups, int(n_clusters.min()))
    return n_clusters.astype(np.intp)


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
