"""Shrinkage of effects across tasks (mash), cross-fitted, and its comparison with each task by itself.

Patterns are learnt from one half of the contrasts and used on the other, in several balanced splits whose posteriors
are averaged. Stein's unbiased estimate of the risk, with patterns and weights from other contrasts, says whether
sharing is better than each task by itself; where it is not, sharing is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import linalg

from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.mixture import mixture, mixture_weights, null_biased_counts, scale_grid
from causalgia.posterior.pattern_mixture import (
    Errors,
    PatternLaw,
    TaskMoments,
    averaged_moments,
    draw_effects_of_tasks,
    fitted_weights,
    log_densities,
    pattern_grid,
    signed_moments,
)
from causalgia.posterior.scale_mixture import Components, Node, log_component_densities, posterior_normals
from causalgia.posterior.task_errors import TaskErrors
from causalgia.posterior.task_patterns import Pattern, canonical_patterns, learnt_patterns
from causalgia.prior import Prior
from causalgia.streams import derive
from causalgia.types import Array, Codes

_STRONG, _MOST_STRONG = 0.05, 250  # lfsr of a strong effect, and strong effects to learn from in a half
_BESIDE = 3  # effects to learn from for each strong one
_MANY = 1_000  # contrasts from which a quarter of them has all scales, and one split is as good as several
_GROUPS, _GROUPS_OF_FEW, _SPLITS_OF_FEW = 4, 8, 4
_FEWER_ZEROS = 0.2  # of P(0), by which the law of sharing has fewer
NEAR = 0.7
"""Ratio of the risks above which sharing and each task by itself are near: the lfsr of both are to be read."""


@dataclass(frozen=True, eq=False)
class Risk:
    """Mean squared errors of posterior means by Stein's unbiased estimate, in error variances: 1 is no shrinkage."""

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
    """Whether lfsr is the larger of both: the law of sharing has far fewer zeros than each task by itself has.

    The law has no pattern for effects that are present or absent in each task independently. Where errors of tasks
    correlate, sharing is still better on average, and gives a sign to effects that do not exist.
    """
    patterns: dict[str, float]
    """Weight of each pattern that has one, the largest first, and of no effect in any task (``"none"``)."""
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
    Urbut, Wang, Carbonetto & Stephens (2019), doi:10.1038/s41588-018-0268-8. Stein (1981), doi:10.1214/aos/1176345632.
    """
    alone, draw_alone = _each_task(errors, key)
    size = errors.effect.shape
    few = len(errors.effect) < _MANY
    groups, splits = balanced_splits(errors, *((_GROUPS_OF_FEW, _SPLITS_OF_FEW) if few else (_GROUPS, 1)))
    scales = scale_grid(errors.effect.ravel(), np.full(errors.effect.size, np.sqrt(np.median(errors.variance))))[1:]
    canonical = pattern_grid(canonical_patterns(names), scales)
    canonical_density = log_densities(errors.effect, errors.rotation, canonical)
    laws: list[list[tuple[Codes, PatternLaw]]] = []
    together, crossed, by_itself = [], np.zeros((2, *size)), np.empty((2, *size))
    for signs in splits:
        found, halves = np.empty((5, *size)), [np.flatnonzero(signs[groups] == sign) for sign in (1, -1)]
        laws.append([])
        for here, other in (halves, halves[::-1]):
            learnt = _learn(errors, alone.lfsr, other)
            effect, rotation = errors.effect[here], _at(errors, here)
            grid, density = canonical, canonical_density[here]
            if learnt:
                own = pattern_grid(learnt, scales)
                grid = _joined(canonical, own)
                density = np.hstack([density, log_densities(effect, rotation, own)[:, 1:]])
            law, used = _fitted(grid, density)
            laws[-1].append((here, law))
            found[:, here] = signed_moments(effect, rotation, law, density[:, used])
            for group in np.unique(groups[here]):
                rows = groups[here] == group
                fitted, used = _fitted(grid, density[~rows])
                parts = signed_moments(effect[rows], _at(errors, here[rows]), fitted, density[rows][:, used])
                crossed[:, here[rows]] += parts[:2] / len(splits)
                if not few:
                    by_itself[:, here[rows]] = _crossed_alone(errors, here[~rows], here[rows])
        together.append(found)
    if few:
        for group in np.unique(groups):
            rows = groups == group
            by_itself[:, rows] = _crossed_alone(errors, np.flatnonzero(~rows), np.flatnonzero(rows))
    risk = _risks(errors, crossed, by_itself)
    if not risk.prefers_sharing:
        return Sharing(alone, alone, risk, False, _pattern_weights(laws), draw_alone)

    def draw(n: int) -> Array:
        out = np.empty((n, *size))
        for i, law_of_halves in enumerate(laws):
            own = out[i :: len(laws)]
            for here, law in law_of_halves:
                generator = _generators(key, i, here)
                own[:, here] = draw_effects_of_tasks(len(own), errors.effect[here], _at(errors, here), law, generator)
        return out

    moments = averaged_moments(together)
    fewer_zeros = float(alone.lfdr.mean() - moments.lfdr.mean())
    if fewer_zeros > _FEWER_ZEROS:
        moments = replace(moments, lfsr=np.maximum(moments.lfsr, alone.lfsr))
    return Sharing(moments, alone, risk, fewer_zeros > _FEWER_ZEROS, _pattern_weights(laws), draw)


def balanced_splits(errors: TaskErrors, n_groups: int, n_splits: int) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Return the group of each contrast, (n,), and the half of each group in each split, 1 or -1, (splits, groups).

    Groups are alike in the largest effects of their contrasts in standard errors: these are dealt to groups in the
    order of their size, to and fro. Two groups are in one half in about half of the splits (balanced half-samples). So
    the posterior is a function of the effects, whatever their order, and does not depend on a seed.

    References
    ----------
    McCarthy (1969), doi:10.2307/1402116.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> errors = SimpleNamespace(effect=np.array([[3.0], [1.0], [9.0], [2.0]]), variance=np.ones((4, 1)))
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
    return PatternLaw(one.patterns + other.patterns, pattern, scale, np.full(len(scale), 1 / len(scale)))


def _generators(key: int, split: int, places: Codes) -> Callable[[int], np.random.Generator]:
    own = derive(key, "draws", split)
    return lambda row: np.random.default_rng([own, int(places[row])])


def _at(errors: TaskErrors, places: Codes) -> Errors:
    return lambda rows: errors.rotation(places[rows])


def _fitted(grid: PatternLaw, density: Array) -> tuple[PatternLaw, npt.NDArray[np.bool_]]:
    """Return the law with weights at their maximum, without unused components, and which are used."""
    weight = fitted_weights(density, grid.scale)
    used = weight > 0
    share = weight[used] / weight[used].sum()
    return PatternLaw(grid.patterns, grid.pattern[used], grid.scale[used], share), used


def _learn(errors: TaskErrors, lfsr: Array, half: Codes) -> list[Pattern]:
    """Return the patterns of the strongest effects of a half."""
    best = lfsr[half].min(axis=1)
    n_strong = min(_MOST_STRONG, int((best <= _STRONG).sum()))
    chosen = half[np.argsort(best, kind="stable")[: _BESIDE * n_strong]]
    return learnt_patterns(errors.effect[chosen], *errors.rotation(chosen), n_strong)


def _each_task(errors: TaskErrors, key: int) -> tuple[TaskMoments, Callable[[int], Array]]:
    """Return the posterior of each task by itself (ash), and its draws."""
    prior = Prior(standardized=False)
    fits = [mixture(x, Noise(v), prior) for x, v in zip(errors.effect.T, errors.variance.T, strict=True)]
    columns = [np.stack([getattr(fit, name) for fit in fits], axis=1) for name in ("mean", "sd", "lfsr", "lfdr")]

    def draw(n: int) -> Array:
        out = np.empty((n, *errors.effect.shape))
        for t, fit in enumerate(fits):
            out[:, :, t] = fit.draw(n, np.random.default_rng(derive(key, "alone", t))).ace
        return out

    return TaskMoments(*columns), draw


def _crossed_alone(errors: TaskErrors, learnt: Codes, used: Codes) -> Array:
    """Return mean and variance of each task by itself on the contrasts `used`, with weights from others, (2, n, T)."""
    out = np.empty((2, len(used), errors.effect.shape[1]))
    for t in range(out.shape[2]):
        x, v = errors.effect[:, t], errors.variance[:, t]
        sd = scale_grid(x[learnt], np.sqrt(v[learnt]))
        terms = log_component_densities(x[learnt], v[learnt], Components(sd**2, np.ones(len(sd))))
        weight = mixture_weights(terms, null_biased_counts(sd)).weight
        node = Node(1.0, x[used], np.zeros(len(used)), Components(sd**2, weight))
        mean, spread, share = posterior_normals(node, v[used])
        out[0, :, t] = (share * mean).sum(axis=1)
        out[1, :, t] = (share * (spread**2 + (mean - out[0, :, [t]].T) ** 2)).sum(axis=1)
    return out


def _risks(errors: TaskErrors, shared: Array, alone: Array) -> Risk:
    """Return both risks: for ``V = cov(x)`` and a posterior mean, ``(x - mean)^2 - V + 2 var`` is unbiased.

    Means and variances are averages over splits: the variance *between* splits is no part of the derivative of a mean.
    """
    parts = [((errors.effect - m) ** 2 + 2 * v) / errors.variance - 1 for m, v in (shared, alone)]
    apart = (parts[1] - parts[0]).mean(axis=1)
    se = float(apart.std(ddof=1) / np.sqrt(len(apart)))
    return Risk(parts[0].mean(axis=0), parts[1].mean(axis=0), float(apart.mean()), se)


def _pattern_weights(laws: list[list[tuple[Codes, PatternLaw]]]) -> dict[str, float]:
    total: dict[str, float] = {}
    every = [part for halves in laws for part in halves]
    n = sum(len(here) for here, _ in every)
    for here, law in every:
        for place, weight in zip(law.pattern, law.weight, strict=True):
            name = "none" if place < 0 else law.patterns[place].name
            total[name] = total.get(name, 0.0) + float(weight) * len(here) / n
    return dict(sorted(total.items(), key=lambda item: -item[1]))
