"""Effects that tasks share: shrinkage across tasks (mash), cross-fitted, and the tree
of their posterior.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import linalg
from scipy.special import ndtr

from causalgia.analysis import exploratory_attrs
from causalgia.analysis_values import Prior
from causalgia.attributes import attributes
from causalgia.choices import LEAST_TO_SHARE
from causalgia.errors import (
    EstimateError,
)
from causalgia.notes import with_notes
from causalgia.posterior.averaged_weights import RARE, averaged_weights, visible_counts
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.labeled_data import (
    FamilyData,
    average_over_predictors,
    constant_group,
    coords_on,
    on_contrasts,
    result_coordinates,
)
from causalgia.posterior.mixture import (
    mixture,
    mixture_weights,
    null_biased_counts,
    scale_grid,
)
from causalgia.posterior.pattern_mixture import (
    Errors,
    PatternLaw,
    TaskMoments,
    averaged_moments,
    component_shares,
    draw_effects_of_tasks,
    fitted_weights,
    log_densities,
    pattern_grid,
    signed_moments,
)
from causalgia.posterior.posterior_tree import CHAINS, Tree, as_tree
from causalgia.posterior.scale_mixture import (
    Components,
    Node,
    draw_mixtures,
    log_component_densities,
    posterior_normals,
)
from causalgia.posterior.task_covariances import (
    Pattern,
    TaskErrors,
    canonical_patterns,
    learned_patterns,
    task_errors,
)
from causalgia.streams import derive
from causalgia.types import Array, Codes

MOST_TASKS = 1_000
_MOST_DRAWN = 1 << 29  # numbers: 4 GiB
_CLEAR_LFSR = 0.05  # lfsr of an effect that counts in the summaries
_HALF_WIDTHS = 1.959963984540054
_BOTH = ("contrast", "task")
# lfsr of a strong effect, and strong effects to learn from in a half
_STRONG, _MOST_STRONG = 0.05, 250
_EFFECTS_A_STRONG = 3  # effects to learn from for each strong one
# contrasts from which a quarter of them has all scales, and one split is as good as
# several
_MANY_CONTRASTS = 1_000
_GROUPS_OF_MANY = 4
_GROUPS_OF_FEW = 8
_SPLITS_OF_FEW = 4
_DRAWN, _DRAWN_OF_OTHERS = 200_000, 30_000  # components, to average weights over
_FEWER_ZEROS = 0.2  # of P(0), by which the law of sharing has fewer
NEAR = 0.7
"""Ratio of the risks above which sharing and each task by itself are near: the lfsr of
both are to be read.
"""


def infer_across_tasks(estimates: xr.Dataset, n_draws: int, key: int) -> Tree:
    """Return the posterior of the effects of many contrasts in several tasks, which may
    share strength.

    Parameters
    ----------
    estimates
        With ``ace, se (contrast, task)`` and the correlation of the errors between
        tasks.
    n_draws
        In all, rounded up to a multiple of four.
    key
        Root key of the call.

    Raises
    ------
    EstimateError
        If there are fewer than 20 contrasts, or fewer than 2 or more than 1,000 tasks,
        several predictors, more draws than memory is for, or as
        `causalgia.posterior.task_covariances.task_errors`.
    """
    n_draws = -(-n_draws // CHAINS) * CHAINS
    _check_sizes(estimates, n_draws)
    estimates = estimates.transpose(..., "contrast", "task")
    errors = task_errors(estimates)
    names = [str(name) for name in estimates["task"].to_numpy()]
    found = share_across_tasks(errors, names, key)
    coords = result_coordinates(estimates.drop_dims("task_", errors="ignore"), ())
    draws = found.draw(n_draws)
    draws *= errors.unit
    shape = (CHAINS, n_draws // CHAINS, *errors.effect.shape)
    labels = coords_on(coords, {"contrast", "task"})
    chains = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    posterior = xr.Dataset(
        {"ace": (("chain", "draw", *_BOTH), draws.reshape(shape))}, labels | chains
    )
    groups = {
        "posterior": posterior,
        "moments": _moments(estimates, errors, found, labels),
        "sharing": _sharing_group(found, labels),
        "observed_data": on_contrasts({"effect": estimates["ace"]}, coords),
        "constant_data": constant_group(
            estimates.drop_dims("task_", errors="ignore"), _families(errors), coords
        ),
    }
    attrs = dict(
        with_notes(estimates, *_notes(errors, found, groups["sharing"])).attrs
    ) | _attrs(found)
    attrs |= exploratory_attrs(estimates.attrs, across="task")
    for name in ("posterior", "constant_data"):
        groups[name].attrs = attrs
    return as_tree(groups)


def _check_sizes(estimates: xr.Dataset, n_draws: int) -> None:
    if "model" in estimates["ace"].dims:
        raise EstimateError(
            "across='task': the estimates have the dim 'model'",
            argument="across",
        )
    n, size = estimates.sizes["contrast"], estimates.sizes["task"]
    if size < 2:
        raise EstimateError(
            "across='task': there is one task and nothing to share",
            argument="across",
        )
    if n < LEAST_TO_SHARE:
        raise EstimateError(
            f"across='task': {n} contrast{'s' * (n != 1)} cannot show which effects "
            f"tasks share; {LEAST_TO_SHARE} or more are needed. Without it, "
            "cg.infer(estimates, ...) and cg.decide(estimates, ...) treat each "
            "task by itself",
            argument="across",
        )
    if size > MOST_TASKS:
        raise EstimateError(
            f"across='task': {size:,} tasks, and {MOST_TASKS:,} are possible: each "
            "contrast needs the eigenvectors of a matrix of tasks by tasks, and "
            "the time grows with the cube of their number. Choose tasks, "
            "estimates.sel(task=[...]), or average similar ones before cg.contrast; "
            "without across= each task is treated by itself, and any number is "
            "possible",
            argument="across",
        )
    if n_draws * n * size > _MOST_DRAWN:
        raise EstimateError(
            f"n_draws={n_draws:,} of {n * size:,} effects take "
            f"{8 * n_draws * n * size / 2**30:.0f} GiB"
        )


def _families(errors: TaskErrors) -> list[FamilyData]:
    """Return the effects of each task as the tree's groups take them."""
    return [
        FamilyData(
            task=t,
            rows=np.arange(len(errors.effect)),
            effect=errors.effect[:, t] * errors.unit,
            by_predictor=None,
            noise=Noise(errors.se[:, t] ** 2),
            covariates=None,
            patterns=None,
            prior=Prior(),
            unit=errors.unit,
            law="",
        )
        for t in range(errors.effect.shape[1])
    ]


def _moments(
    estimates: xr.Dataset, errors: TaskErrors, found: Sharing, labels: dict[str, Any]
) -> xr.Dataset:
    unit, one, other = errors.unit, found.moments, found.alone
    half = _HALF_WIDTHS * errors.se
    effect = average_over_predictors(estimates)["ace"].to_numpy()
    columns = {
        "mean": one.mean * unit,
        "sd": one.sd * unit,
        "lfsr": one.lfsr,
        "lfdr": one.lfdr,
        "mean_alone": other.mean * unit,
        "sd_alone": other.sd * unit,
        "lfsr_alone": other.lfsr,
        "lower_unshrunken": effect - half,
        "upper_unshrunken": effect + half,
    }
    return xr.Dataset(
        {name: (_BOTH, values) for name, values in columns.items()}, labels
    )


def _sharing_group(found: Sharing, labels: dict[str, Any]) -> xr.Dataset:
    """Return how effects are shared: by contrast, by pair of tasks, and the patterns
    and risks behind it.

    An effect counts where its lfsr is at most .05. The strongest of a contrast is the
    one to compare with; two effects are alike in size if neither is more than twice the
    other and their signs agree.
    """
    mean, clear = found.moments.mean, found.moments.lfsr <= _CLEAR_LFSR
    strongest = np.where(clear, np.abs(mean), -1.0).argmax(axis=1)
    top = mean[np.arange(len(mean)), strongest][:, None]
    some = clear.any(axis=1)
    n_tasks = mean.shape[1]
    counts, sign, size = (
        np.zeros((n_tasks, n_tasks)),
        np.zeros((n_tasks, n_tasks)),
        np.zeros((n_tasks, n_tasks)),
    )
    for t in range(n_tasks):
        either, own = clear | clear[:, [t]], mean[:, [t]]
        counts[t] = either.sum(axis=0)
        sign[t] = np.logical_and(either, mean * own > 0).sum(axis=0)
        size[t] = np.logical_and(either, _alike(mean, own)).sum(axis=0)
    least = np.maximum(counts, 1)
    tasks = (
        labels["task"].to_numpy()
        if isinstance(labels["task"], xr.DataArray)
        else labels["task"]
    )
    of_contrasts = {
        "n_clear": clear.sum(axis=1),
        "n_same_sign": np.where(some, (mean * top > 0).sum(axis=1), 0),
        "n_same_size": np.where(some, _alike(mean, top).sum(axis=1), 0),
    }
    of_pairs = {
        "n_either": counts.astype(int),
        "same_sign": sign / least,
        "same_size": size / least,
    }
    out = xr.Dataset(
        {name: ("contrast", values) for name, values in of_contrasts.items()}
        | {name: (("task", "task_"), values) for name, values in of_pairs.items()}
        | {
            "risk": ("task", found.risk.shared),
            "risk_alone": ("task", found.risk.alone),
        }
        | {"weight": ("pattern", np.array(list(found.patterns.values())))},
        coords_on(labels, {"contrast", "task"})
        | {"task_": tasks, "pattern": list(found.patterns)},
    )
    out.attrs = _attrs(found) | attributes(clear=_CLEAR_LFSR)
    return out


def _alike(one: Array, other: Array) -> npt.NDArray[np.bool_]:
    """Return whether two effects have one sign and differ in size by a factor of at
    most 2.
    """
    small, large = (
        np.minimum(np.abs(one), np.abs(other)),
        np.maximum(np.abs(one), np.abs(other)),
    )
    return np.logical_and(one * other > 0, 2 * small >= large)


def _attrs(found: Sharing) -> dict[str, Any]:
    shared = found.risk.prefers_sharing
    return {
        "across": "task",
        "law": "mash" if shared else "mixture",
        "sharing": "used" if shared else "given up",
        "sharing_risk": found.risk.ratio,
        "sharing_gain": found.risk.gain,
        "sharing_gain_se": found.risk.gain_se,
        "sharing_near": int(shared and (found.risk.ratio > NEAR or found.cautious)),
        "lfsr_of": "the larger of both"
        if found.cautious
        else "sharing"
        if shared
        else "each task by itself",
    }


def _notes(errors: TaskErrors, found: Sharing, sharing: xr.Dataset) -> list[str]:
    ratio = found.risk.ratio
    gain = f"{100 * (1 - ratio):.0f} %" if ratio > 0.01 else "nearly all"
    if not found.risk.prefers_sharing:
        notes = [
            "sharing across tasks was given up: by Stein's estimate (cross-fitted) its "
            f"squared error is {ratio:.2f} times that of each task by itself, which is "
            "not clearly less; posterior and lfsr are those of each task by itself"
        ]
    else:
        notes = [
            "tasks share strength: by Stein's estimate (cross-fitted) this lowers the "
            f"squared error by {gain} of that of each task by itself"
        ]
    if found.risk.prefers_sharing and ratio > NEAR and not found.cautious:
        notes.append(
            "both are near: lfsr_alone, that of each task by itself, stands beside lfsr"
        )
    if found.cautious:
        notes.append(
            "the law of sharing finds effects in far more places than each task by "
            "itself does, as where effects are present or absent in each task "
            "independently: lfsr is the larger of both, and draws and intervals rest "
            "on the law of sharing alone"
        )
    counts = sharing["n_either"].to_numpy()
    off = ~np.eye(len(counts), dtype=bool) & (counts > 0)
    if found.risk.prefers_sharing and off.any():
        weight = counts[off] / counts[off].sum()
        sign, size = (
            float(weight @ sharing[name].to_numpy()[off])
            for name in ("same_sign", "same_size")
        )
        notes.append(
            f"of the effects that are clear in one of two tasks (lfsr <= {_CLEAR_LFSR:g}), "
            f"{100 * sign:.0f} % have one sign in both and {100 * size:.0f} % a size "
            "within a factor of 2"
        )
    if errors.shared.any():
        notes.append(
            "an error that all contrasts share, as that of their control arm, was "
            "estimated and removed before effects were compared between tasks"
        )
    return notes


@dataclass(frozen=True, eq=False)
class Risk:
    """Mean squared errors of posterior means by Stein's unbiased estimate, in error
    variances: 1 is no shrinkage.
    """

    shared: Array
    """Of sharing, by task, (T,)."""
    alone: Array
    """Of each task by itself, (T,)."""
    gain: float
    """Mean risk of each task by itself less that of sharing."""
    gain_se: float
    """Its standard error over contrasts."""

    @property
    def ratio(self) -> float:
        """Risk of sharing over that of each task by itself."""
        return float(self.shared.mean() / self.alone.mean())

    @property
    def prefers_sharing(self) -> bool:
        """Whether sharing is better by more than two standard errors."""
        return self.gain > 2 * self.gain_se


@dataclass(frozen=True, eq=False)
class Sharing:
    """Posterior of n contrasts in T tasks, in the unit of the errors."""

    moments: TaskMoments
    """By sharing, or of each task by itself where sharing was given up."""
    alone: TaskMoments
    """Of each task by itself."""
    risk: Risk
    cautious: bool
    """Whether lfsr is the larger of both: the law of sharing has far fewer zeros than
    each task by itself has.

    The law has no pattern for effects that are present or absent in each task
    independently. Where errors of tasks correlate, sharing is still better on average,
    and gives a sign to effects that do not exist.
    """
    patterns: dict[str, float]
    """Weight of each pattern that has one, the largest first, and of no effect in any
    task (``"none"``).
    """
    draw: Callable[[int], Array]
    """Joint draws, (n, contrasts, T)."""


def share_across_tasks(errors: TaskErrors, names: list[str], key: int) -> Sharing:
    """Return the posterior of effects that tasks may share.

    Parameters
    ----------
    errors
        Effects and their error covariances.
    names
        Of the tasks, (T,).
    key
        Seed of the draws.

    References
    ----------
    Urbut, Wang, Carbonetto & Stephens (2019), doi:10.1038/s41588-018-0268-8. Stein
    (1981), doi:10.1214/aos/1176345632.
    """
    few = len(errors.effect) < _MANY_CONTRASTS
    alone, draw_alone = (
        _each_task_of_few(errors, key) if few else _each_task(errors, key)
    )
    size = errors.effect.shape
    groups, splits = balanced_splits(
        errors, *((_GROUPS_OF_FEW, _SPLITS_OF_FEW) if few else (_GROUPS_OF_MANY, 1))
    )
    scales = scale_grid(
        errors.effect.ravel(),
        np.full(errors.effect.size, np.sqrt(np.median(errors.variance))),
    )[1:]
    canonical = pattern_grid(canonical_patterns(names), scales)
    canonical_density = log_densities(errors.effect, errors.rotation, canonical)
    everything = np.arange(len(errors.effect))

    def part(here: Codes, learned: list[Pattern]) -> _Part:
        grid, density = canonical, canonical_density[here]
        if learned:
            own = pattern_grid(learned, scales)
            grid = _joined(canonical, own)
            more = log_densities(errors.effect[here], _at(errors, here), own)[:, 1:]
            density = np.hstack([density, more])
        return _part(errors, here, grid, density, groups[here], few)

    # same in all splits
    unlearned = lru_cache(maxsize=1)(lambda: [part(everything, [])])
    laws: list[list[_Part]] = []
    for signs in splits:
        halves = [np.flatnonzero(signs[groups] == sign) for sign in (1, -1)]
        learned = [_learn(errors, alone.lfsr, other) for other in halves[::-1]]
        if few and not any(learned):
            laws.append(unlearned())
        else:
            laws.append([part(*half) for half in zip(halves, learned, strict=True)])
    crossed = np.mean([_gathered(parts, "crossed", size) for parts in laws], axis=0)
    by_itself = _alone_from_others(errors, groups, splits, few)
    risk = _risks(errors, crossed, by_itself)
    if not risk.prefers_sharing:
        return Sharing(alone, alone, risk, False, _pattern_weights(laws), draw_alone)

    def draw(n: int) -> Array:
        out = np.empty((n, *size))
        for i, parts in enumerate(laws):
            own = out[i :: len(laws)]
            for one in parts:
                here, seed = one.here, _generators(key, i, one.here)
                given = errors.effect[here], _at(errors, here), one.law
                own[:, here] = draw_effects_of_tasks(len(own), *given, seed, one.share)
        return out

    moments = averaged_moments([_gathered(parts, "moments", size) for parts in laws])
    fewer_zeros = float(alone.lfdr.mean() - moments.lfdr.mean())
    if fewer_zeros > _FEWER_ZEROS:
        moments = replace(moments, lfsr=np.maximum(moments.lfsr, alone.lfsr))
    return Sharing(
        moments, alone, risk, fewer_zeros > _FEWER_ZEROS, _pattern_weights(laws), draw
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """Posterior of some of the contrasts under one law."""

    here: Codes
    """Their places, (m,)."""
    law: PatternLaw
    share: Array
    """Probability of each component for each of them, (m, C)."""
    moments: Array
    """As `signed_moments`, (5, m, T)."""
    crossed: Array
    """Mean and variance with weights from the other groups, (2, m, T)."""


def _part(
    errors: TaskErrors,
    here: Codes,
    grid: PatternLaw,
    density: Array,
    groups: Codes,
    few: bool,
) -> _Part:
    """Return the posterior of contrasts `here`, and that of each of their groups from
    the others.

    Weights are integrated where contrasts are few, else at their maximum.
    """
    effect, rotation = errors.effect[here], _at(errors, here)
    counts = visible_counts(grid.scale, float(np.median(errors.variance)))

    def fitted(
        rows: npt.NDArray[np.bool_],
        n_drawn: int,
    ) -> tuple[PatternLaw, Array, npt.NDArray[np.bool_]]:
        """Return a law without unused components, their shares, and which are used."""
        if not few:
            law, used = _fitted(grid, density[rows])
            return law, component_shares(density[rows][:, used], law.weight), used
        weight, share = averaged_weights(density[rows], counts, n_drawn)
        used = np.asarray((share > 0).any(axis=0))
        return _used(grid, weight, used), share[:, used], used

    law, share, _ = fitted(np.ones(len(here), bool), _DRAWN)
    crossed = np.empty((2, *effect.shape))
    for group in np.unique(groups):
        rows = groups == group
        others, _, used = fitted(~rows, _DRAWN_OF_OTHERS)
        given = component_shares(density[rows][:, used], others.weight)
        if few:
            given[given < RARE] = 0.0
        at = _at(errors, here[rows])
        crossed[:, rows] = signed_moments(effect[rows], at, others, given)[:2]
    moments = signed_moments(effect, rotation, law, share)
    return _Part(here, law, share, moments, crossed)


def _gathered(parts: list[_Part], name: str, size: tuple[int, ...]) -> Array:
    """Return one array of all contrasts from those of parts."""
    first = getattr(parts[0], name)
    out = np.empty((len(first), *size))
    for part in parts:
        out[:, part.here] = getattr(part, name)
    return out


def _alone_from_others(
    errors: TaskErrors,
    groups: Codes,
    splits: npt.NDArray[np.int64],
    few: bool,
) -> Array:
    """Return mean and variance of each task by itself, weights from others, (2, n,
    T).
    """
    out = np.empty((2, *errors.effect.shape))
    halves = [np.arange(len(groups))]
    if not few:
        halves = [np.flatnonzero(splits[0][groups] == sign) for sign in (1, -1)]
    for here in halves:
        for group in np.unique(groups[here]):
            rows = groups[here] == group
            out[:, here[rows]] = _crossed_alone(errors, here[~rows], here[rows], few)
    return out


def balanced_splits(
    errors: TaskErrors, n_groups: int, n_splits: int
) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Return the group of each contrast, (n,), and the half of each group in each
    split, 1 or -1, (splits, groups).

    Groups are alike in the largest effects of their contrasts in standard errors: these
    are dealt to groups in the order of their size, to and fro. Two groups are in one
    half in about half of the splits (balanced half-samples). So the posterior is a
    function of the effects, whatever their order, and does not depend on a seed.

    References
    ----------
    McCarthy (1969), doi:10.2307/1402116.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> errors = SimpleNamespace(
    ...     effect=np.array([[3.0], [1.0], [9.0], [2.0]]), variance=np.ones((4, 1))
    ... )
    >>> groups, splits = balanced_splits(errors, 4, 2)
    >>> groups, splits.tolist()
    (array([1, 3, 0, 2]), [[1, -1, 1, -1], [1, -1, -1, 1]])
    """
    strength = (errors.effect**2 / errors.variance).max(axis=1)
    place = np.argsort(np.argsort(-strength, kind="stable"), kind="stable")
    row, column = np.divmod(place, n_groups)
    groups = np.where(row % 2 == 0, column, n_groups - 1 - column)
    return groups, linalg.hadamard(n_groups)[1 : 2 * n_splits : 2]


def _joined(one: PatternLaw, other: PatternLaw) -> PatternLaw:
    """Return the law of the patterns of both, with one point mass."""
    pattern = np.concatenate([one.pattern, other.pattern[1:] + len(one.patterns)])
    scale = np.concatenate([one.scale, other.scale[1:]])
    return PatternLaw(
        one.patterns + other.patterns,
        pattern,
        scale,
        np.full(len(scale), 1 / len(scale)),
    )


def _generators(
    key: int, split: int, places: Codes
) -> Callable[[int], np.random.Generator]:
    own = derive(key, "draws", split)
    return lambda row: np.random.default_rng([own, int(places[row])])


def _at(errors: TaskErrors, places: Codes) -> Errors:
    return lambda rows: errors.rotation(places[rows])


def _fitted(
    grid: PatternLaw, density: Array
) -> tuple[PatternLaw, npt.NDArray[np.bool_]]:
    """Return the law with weights at their maximum, without unused components, and
    which are used.
    """
    weight = fitted_weights(density, grid.scale)
    used = weight > 0
    return _used(grid, weight, used), used


def _used(grid: PatternLaw, weight: Array, used: npt.NDArray[np.bool_]) -> PatternLaw:
    share = weight[used] / weight[used].sum()
    return PatternLaw(grid.patterns, grid.pattern[used], grid.scale[used], share)


def _learn(errors: TaskErrors, lfsr: Array, half: Codes) -> list[Pattern]:
    """Return the patterns of the strongest effects of a half."""
    best = lfsr[half].min(axis=1)
    n_strong = min(_MOST_STRONG, int((best <= _STRONG).sum()))
    chosen = half[np.argsort(best, kind="stable")[: _EFFECTS_A_STRONG * n_strong]]
    return learned_patterns(errors.effect[chosen], *errors.rotation(chosen), n_strong)


def _each_task(
    errors: TaskErrors, key: int
) -> tuple[TaskMoments, Callable[[int], Array]]:
    """Return the posterior of each task by itself (ash), and its draws."""
    fits = [
        mixture(x, v) for x, v in zip(errors.effect.T, errors.variance.T, strict=True)
    ]
    columns = [
        np.stack([getattr(fit, name) for fit in fits], axis=1)
        for name in ("mean", "sd", "lfsr", "lfdr")
    ]

    def draw(n: int) -> Array:
        out = np.empty((n, *errors.effect.shape))
        for t, fit in enumerate(fits):
            generator = np.random.default_rng(derive(key, "alone", t))
            out[:, :, t] = fit.draw(n, generator)
        return out

    return TaskMoments(*columns), draw


def _each_task_of_few(
    errors: TaskErrors,
    key: int,
) -> tuple[TaskMoments, Callable[[int], Array]]:
    """Return the posterior of each task by itself and its draws, weights integrated."""
    laws = []
    for x, v in zip(errors.effect.T, errors.variance.T, strict=True):
        sd, terms = _alone_terms(x, v)
        counts = visible_counts(sd, float(np.median(v)))
        share = averaged_weights(terms, counts, _DRAWN)[1]
        node = Node(1.0, x, np.zeros(len(x)), Components(sd**2, np.ones(len(sd))))
        laws.append((*posterior_normals(node, v)[:2], share))
    signed = np.stack([_signed_moments_alone(*law) for law in laws], axis=2)

    def draw(n: int) -> Array:
        out = np.empty((n, *errors.effect.shape))
        for t, law in enumerate(laws):
            generator = np.random.default_rng(derive(key, "alone", t))
            out[:, :, t] = draw_mixtures(n, *law, generator)
        return out

    return averaged_moments([signed]), draw


def _signed_moments_alone(mean: Array, sd: Array, share: Array) -> Array:
    """Return what `signed_moments` does, (5, n), of mixtures of normals, (n, J)
    each.
    """
    center = (share * mean).sum(axis=1)
    spread = (share * (sd**2 + (mean - center[:, None]) ** 2)).sum(axis=1)
    atom = sd == 0
    z = mean / np.where(atom, 1.0, sd)
    tails = [
        np.where(atom, 0.0, share * ndtr(sign * z)).sum(axis=1) for sign in (-1, 1)
    ]
    return np.stack([center, spread, *tails, (share * atom).sum(axis=1)])


def _alone_terms(x: Array, v: Array) -> tuple[Array, Array]:
    """Return the scales of a task, (J,), and log densities of its estimates, (n, J)."""
    sd = scale_grid(x, np.sqrt(v))
    return sd, log_component_densities(x, v, Components(sd**2, np.ones(len(sd))))


def _crossed_alone(errors: TaskErrors, learned: Codes, used: Codes, few: bool) -> Array:
    """Return mean and variance of each task by itself on the contrasts `used`, with
    weights from others, (2, n, T).
    """
    out = np.empty((2, len(used), errors.effect.shape[1]))
    for t in range(out.shape[2]):
        x, v = errors.effect[:, t], errors.variance[:, t]
        sd, terms = _alone_terms(x[learned], v[learned])
        if few:
            counts = visible_counts(sd, float(np.median(v)))
            weight = averaged_weights(terms, counts, _DRAWN_OF_OTHERS)[0]
        else:
            weight = mixture_weights(terms, null_biased_counts(sd)).weight
        node = Node(1.0, x[used], np.zeros(len(used)), Components(sd**2, weight))
        out[:, :, t] = _signed_moments_alone(*posterior_normals(node, v[used]))[:2]
    return out


def _risks(errors: TaskErrors, shared: Array, alone: Array) -> Risk:
    """Return both risks: for ``V = cov(x)`` and a posterior mean,
    ``(x - mean)^2 - V + 2 var`` is unbiased.

    Means and variances are averages over splits: the variance *between* splits is no
    part of the derivative of a mean.
    """
    parts = [
        ((errors.effect - m) ** 2 + 2 * v) / errors.variance - 1
        for m, v in (shared, alone)
    ]
    apart = (parts[1] - parts[0]).mean(axis=1)
    se = float(apart.std(ddof=1) / np.sqrt(len(apart)))
    return Risk(parts[0].mean(axis=0), parts[1].mean(axis=0), float(apart.mean()), se)


def _pattern_weights(laws: list[list[_Part]]) -> dict[str, float]:
    total: dict[str, float] = {}
    every = [part for parts in laws for part in parts]
    n = sum(len(part.here) for part in every)
    for part in every:
        for place, weight in zip(part.law.pattern, part.law.weight, strict=True):
            name = "none" if place < 0 else part.law.patterns[place].name
            total[name] = total.get(name, 0.0) + float(weight) * len(part.here) / n
    return dict(sorted(total.items(), key=lambda item: -item[1]))
