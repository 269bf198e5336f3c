"""The mixture of patterns over tasks (mash): densities, weights, exact moments and
draws of effects.

``x_j ~ N(delta_j, V_j)``, ``delta_j ~ sum_kl pi_kl N(0, w_l^2 U_k)`` with
``U_k = L_k L_k' + c_k I``, and a point mass at 0. In the eigenvectors of V_j every
``V_j + w^2 U_k`` is diagonal plus rank r: a component costs O(T r^2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from causalgia.compiled import njit
from causalgia.posterior.mixture import mixture_weights, null_biased_counts
from causalgia.posterior.scale_mixture import erfc
from causalgia.posterior.task_covariances import Pattern, over_blocks
from causalgia.types import Array

_ROOT_HALF = 0.7071067811865476
_LEAST_PROBABILITY = 1e-14  # posterior probability of a component that is left out
# columns of the convex program at first, and added at each round
_COLUMNS_AT_FIRST = 60
_COLUMNS_A_ROUND = 40
_OPTIMAL = 1e-8  # excess of the gradient at which the program is solved

Rotation = tuple[Array, Array]
"""Eigenvalues (b, T) and eigenvectors (b, T, T) of the error covariances of a block of
contrasts.
"""
Errors = Callable[[npt.NDArray[np.intp]], Rotation]
"""Returns the `Rotation` of the contrasts at these places."""


@dataclass(frozen=True, eq=False)
class PatternLaw:
    """Law of the effects of one contrast over T tasks: a point mass at 0, and
    components of patterns and scales.
    """

    patterns: tuple[Pattern, ...]
    pattern: npt.NDArray[np.int64]
    """Place of the pattern of each component, (C,); -1 for the point mass at 0, the
    first component.
    """
    scale: Array
    """w of each component, (C,); 0 for the point mass."""
    weight: Array
    """pi, (C,); sums to 1."""


def pattern_grid(patterns: list[Pattern], scales: Array) -> PatternLaw:
    """Return the law of every pattern at every scale, and the point mass, with equal
    weights.

    Examples
    --------
    >>> law = pattern_grid([Pattern("equal", np.ones((2, 1)))], np.array([1.0, 2.0]))
    >>> law.pattern, law.scale
    (array([-1,  0,  0]), array([0., 1., 2.]))
    """
    pattern = np.concatenate([[-1], np.repeat(np.arange(len(patterns)), len(scales))])
    scale = np.concatenate([[0.0], np.tile(scales, len(patterns))])
    return PatternLaw(
        tuple(patterns), pattern, scale, np.full(len(scale), 1 / len(scale))
    )


@dataclass(frozen=True, eq=False)
class TaskMoments:
    """Exact posterior of n contrasts in T tasks; every array is (n, T)."""

    mean: Array
    sd: Array
    lfsr: Array
    lfdr: Array
    """P(delta = 0)."""


def log_densities(effect: Array, errors: Errors, law: PatternLaw) -> Array:
    """Return the log density of every contrast under every component, (n, C), up to
    ``T log(2 pi) / 2``.

    Parameters
    ----------
    effect
        Estimates, (n, T).
    errors
        Of the contrasts by place.
    law
        Its weights are not used.

    Examples
    --------
    >>> law = pattern_grid([Pattern("equal", np.ones((2, 1)))], np.array([1.0]))
    >>> unit = lambda rows: (
    ...     np.ones((len(rows), 2)),
    ...     np.broadcast_to(np.eye(2), (len(rows), 2, 2)),
    ... )
    >>> log_densities(np.array([[3.0, 3.0]]), unit, law).round(3)
    array([[-9.   , -3.549]])
    """
    out = np.empty((len(effect), len(law.scale)))
    table = _Table(law)

    def run(rows: npt.NDArray[np.intp]) -> None:
        values, vectors = errors(rows)
        rotated, basis = _rotate(effect[rows], vectors, table.loadings)
        _log_density_kernel(
            rotated, values, basis, *table.layout, out[rows[0] : rows[-1] + 1]
        )

    over_blocks(
        run, len(effect), effect.shape[1] * (effect.shape[1] + table.loadings.shape[1])
    )
    return out


def fitted_weights(log_density: Array, scale: Array) -> Array:
    """Return the weights at their penalized maximum, (C,), of a program with many
    columns of which few matter.

    Columns are added where the gradient says that they would gain, until none does: the
    optimum of all. The penalty is that of ash, 10 for the point mass and 1 elsewhere.

    Parameters
    ----------
    log_density
        (n, C).
    scale
        Of each component, (C,); 0 for the point mass.

    References
    ----------
    Kim, Carbonetto, Stephens & Anitescu (2020), doi:10.1080/10618600.2019.1689985.

    Examples
    --------
    >>> fitted_weights(
    ...     np.log([[0.9, 0.1], [0.1, 0.9], [0.1, 0.9]]), np.array([0.0, 1.0])
    ... ).round(3)
    array([0.936, 0.064])
    """
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    counts = null_biased_counts(scale)
    best = np.bincount(
        density.argmax(axis=1), minlength=len(scale)
    ) + 1e-3 * density.mean(axis=0)
    best[counts > 1] = np.inf
    columns = np.sort(np.argsort(-best, kind="stable")[:_COLUMNS_AT_FIRST])
    total = len(density) + float((counts - 1).sum())
    while True:
        with np.errstate(divide="ignore"):
            found = mixture_weights(np.log(density[:, columns]), counts[columns]).weight
        weight = np.zeros(len(scale))
        weight[columns] = found
        gradient = (1 / (density[:, columns] @ found)) @ density
        penalized = counts > 1
        gradient[penalized] += (counts[penalized] - 1) / weight[penalized]
        excess = gradient / total - 1
        excess[columns] = -np.inf
        if excess.max(initial=-np.inf) <= _OPTIMAL:
            return weight
        gaining = np.argsort(-excess, kind="stable")[:_COLUMNS_A_ROUND]
        columns = np.sort(
            np.concatenate([columns[found > 0], gaining[excess[gaining] > _OPTIMAL]])
        )
        columns = np.unique(np.concatenate([columns, np.flatnonzero(penalized)]))


def component_shares(log_density: Array, weight: Array) -> Array:
    """Return the probability of each component given weights, (n, C).

    Parameters
    ----------
    log_density
        (n, C).
    weight
        (C,).

    Examples
    --------
    >>> component_shares(np.log([[0.2, 0.6]]), np.array([0.5, 0.5]))
    array([[0.25, 0.75]])
    """
    with np.errstate(divide="ignore"):
        terms = log_density + np.log(weight)
    share = np.exp(terms - terms.max(axis=1, keepdims=True))
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def signed_moments(
    effect: Array,
    errors: Errors,
    law: PatternLaw,
    share: Array | None = None,
) -> Array:
    """Return the exact posterior mean, variance, P(delta < 0), P(delta > 0) and
    P(delta = 0), (5, n, T).

    Of the effect of every contrast in every task.

    Parameters
    ----------
    effect, errors, law
        As in `log_densities`.
    share
        Probability of each component, (n, C); None: that given the weights of the law.

    Examples
    --------
    >>> law = pattern_grid([Pattern("equal", np.ones((2, 1)))], np.array([1.0]))
    >>> unit = lambda rows: (
    ...     np.ones((len(rows), 2)),
    ...     np.broadcast_to(np.eye(2), (len(rows), 2, 2)),
    ... )
    >>> signed_moments(np.array([[3.0, 3.0]]), unit, law)[2:, 0, 0].round(1)
    array([0., 1., 0.])
    """
    if share is None:
        share = component_shares(log_densities(effect, errors, law), law.weight)
    table, out = _Table(law), np.empty((5, *effect.shape))

    def run(rows: npt.NDArray[np.intp]) -> None:
        values, vectors = errors(rows)
        rotated, basis = _rotate(effect[rows], vectors, table.loadings)
        here = slice(rows[0], rows[-1] + 1)
        _moment_kernel(
            rotated,
            values,
            np.ascontiguousarray(vectors),
            basis,
            table.loadings,
            *table.each,
            share[here],
            out[:, here],
        )

    over_blocks(
        run, len(effect), effect.shape[1] * (effect.shape[1] + table.loadings.shape[1])
    )
    return out


def averaged_moments(each: Sequence[Array]) -> TaskMoments:
    """Return the moments of a posterior that is one of several, each as likely as the
    others.

    Parameters
    ----------
    each
        `signed_moments` of each.

    Examples
    --------
    >>> one, other = (
    ...     np.reshape([m, 1.0, below, 1 - below, 0.0], (5, 1, 1))
    ...     for m, below in ((1.0, 0.1), (3.0, 0.0))
    ... )
    >>> found = averaged_moments([one, other])
    >>> found.mean.item(), found.sd.item() ** 2, found.lfsr.item()
    (2.0, 2.0000000000000004, 0.05)
    """
    mean, variance, below, above, zero = sum(each[1:], each[0]) / len(each)
    between = sum(((one[0] - mean) ** 2 for one in each), np.zeros_like(mean)) / len(
        each
    )
    return TaskMoments(
        mean, np.sqrt(variance + between), zero + np.minimum(below, above), zero
    )


def draw_effects_of_tasks(
    n: int,
    effect: Array,
    errors: Errors,
    law: PatternLaw,
    seed: Callable[[int], np.random.Generator],
    share: Array | None = None,
) -> Array:
    """Return n independent draws of all effects of each contrast, jointly over tasks,
    (n, contrasts, T).

    Parameters
    ----------
    n
        Number of draws.
    effect, errors, law
        As in `log_densities`.
    seed
        Generator of each contrast by its place, so that draws do not depend on blocks.
    share
        As in `signed_moments`.
    """
    if share is None:
        share = component_shares(log_densities(effect, errors, law), law.weight)
    out = np.empty((n, *effect.shape))

    def run(rows: npt.NDArray[np.intp]) -> None:
        values, vectors = errors(rows)
        for i, row in enumerate(rows):
            generator = seed(int(row))
            drawn = np.concatenate(
                list(
                    _drawn_of(
                        n,
                        effect[row],
                        values[i],
                        vectors[i],
                        law,
                        share[row],
                        generator,
                    )
                )
            )
            out[:, row] = generator.permutation(drawn)

    over_blocks(run, len(effect), effect.shape[1] ** 2)
    return out


def _drawn_of(
    n: int,
    x: Array,
    values: Array,
    vectors: Array,
    law: PatternLaw,
    share: Array,
    generator: np.random.Generator,
) -> Iterator[Array]:
    """Yield the draws of each pattern in turn: scores of loadings, then effects given
    them.
    """
    counts = generator.multinomial(n, share / share.sum())
    turned = vectors.T @ x
    for place in np.unique(law.pattern[counts > 0]):
        drawn = np.flatnonzero((law.pattern == place) & (counts > 0))
        each = np.repeat(np.arange(len(drawn)), counts[drawn])
        if place < 0:
            yield np.zeros((len(each), len(x)))
            continue
        pattern, scale = law.patterns[place], law.scale[drawn]
        loadings, own = pattern.loadings, scale[:, None] ** 2 * pattern.ridge
        basis = scale[:, None, None] * (vectors.T @ loadings)
        total = values + own
        weighted = basis / total[..., None]
        inner = np.eye(basis.shape[2]) + weighted.transpose(0, 2, 1) @ basis
        spread = np.linalg.inv(inner)
        mean = (spread @ (turned @ weighted)[..., None])[..., 0]
        normal = generator.standard_normal((len(each), basis.shape[2]))
        root = np.linalg.cholesky(spread)
        score = mean[each] + (root[each] @ normal[..., None])[..., 0]
        shared = scale[each, None] * score
        if pattern.ridge == 0:
            yield shared @ loadings.T
            continue
        rest = turned - shared @ (vectors.T @ loadings).T
        noise = generator.standard_normal((len(each), len(x)))
        noise *= np.sqrt(own * values / total)[each]
        yield shared @ loadings.T + ((own / total)[each] * rest + noise) @ vectors.T


class _Table:
    """The components as arrays for the kernels."""

    def __init__(self, law: PatternLaw) -> None:
        ranks = [pattern.loadings.shape[1] for pattern in law.patterns]
        self.loadings = np.ascontiguousarray(
            np.hstack([pattern.loadings for pattern in law.patterns])
        )
        first = np.concatenate([[0], np.cumsum(ranks)[:-1]]).astype(np.int64)
        ridge = np.array([pattern.ridge for pattern in law.patterns])
        none = law.pattern < 0
        own = np.where(none, 0, law.pattern)
        width = np.where(none, 0, np.array(ranks, dtype=np.int64)[own])
        self.each = first[own], width, np.where(none, 0.0, ridge[own]), law.scale**2
        self.layout = law.pattern, *self.each


def _rotate(effect: Array, vectors: Array, loadings: Array) -> Rotation:
    """Return effects, (b, T), and loadings, (b, T, R), in the eigenvectors of the
    errors.
    """
    turned = vectors.transpose(0, 2, 1)
    return np.matmul(turned, effect[..., None])[..., 0], np.matmul(turned, loadings)


@njit(nogil=True, forceinline=True)
def _gram_kernel(y, value, basis, first, rank, ridge, gram, inner):  # type: ignore[no-untyped-def]
    """Fill ``G = B' D^-1 B`` and ``h = B' D^-1 y`` with ``D = values + ridge``; return
    ``log |D| + y' D^-1 y``.
    """
    for a in range(rank):
        inner[a] = 0.0
        for b in range(a + 1):
            gram[a, b] = 0.0
    base = 0.0
    product = 1.0
    for i in range(len(value)):
        total = value[i] + ridge
        product *= total
        if product > 1e100 or product < 1e-100:
            base += np.log(product)
            product = 1.0
        base += y[i] * y[i] / total
        for a in range(rank):
            scaled = basis[i, first + a] / total
            inner[a] += scaled * y[i]
            for b in range(a + 1):
                gram[a, b] += scaled * basis[i, first + b]
    return base + np.log(product)


@njit(nogil=True, forceinline=True)
def _factor_kernel(gram, rank, scale2, root):  # type: ignore[no-untyped-def]
    """Fill the Cholesky factor of ``I + scale2 G``; return its log determinant."""
    log_det = 0.0
    for a in range(rank):
        for b in range(a + 1):
            s = scale2 * gram[a, b] + (1.0 if a == b else 0.0)
            for c in range(b):
                s -= root[a, c] * root[b, c]
            root[a, b] = np.sqrt(s) if a == b else s / root[b, b]
        log_det += 2 * np.log(root[a, a])
    return log_det


@njit(nogil=True, forceinline=True)
def _forward_kernel(root, rank, inner, out):  # type: ignore[no-untyped-def]
    """Solve ``root out = inner``; return the sum of squares of `out`."""
    square = 0.0
    for a in range(rank):
        s = inner[a]
        for b in range(a):
            s -= root[a, b] * out[b]
        out[a] = s / root[a, a]
        square += out[a] * out[a]
    return square


@njit(nogil=True)
def _log_density_kernel(y, values, basis, pattern, first, rank, ridge, scale2, out):  # type: ignore[no-untyped-def]
    most = 1
    for c in range(len(rank)):
        most = max(most, rank[c])
    gram, root = np.empty((most, most)), np.empty((most, most))
    inner, solved = np.empty(most), np.empty(most)
    for j in range(y.shape[0]):
        before = -2
        base = 0.0
        for c in range(len(rank)):
            if ridge[c] > 0 or pattern[c] != before:
                base = _gram_kernel(
                    y[j],
                    values[j],
                    basis[j],
                    first[c],
                    rank[c],
                    ridge[c] * scale2[c],
                    gram,
                    inner,
                )
                before = pattern[c]
            log_det = _factor_kernel(gram, rank[c], scale2[c], root)
            square = _forward_kernel(root, rank[c], inner, solved)
            out[j, c] = -0.5 * (base + log_det - scale2[c] * square)


@njit(nogil=True)
def _moment_kernel(  # type: ignore[no-untyped-def]
    y, values, vectors, basis, loadings, first, rank, ridge, scale2, share, out
):
    n, size = y.shape
    most = 1
    for c in range(len(rank)):
        most = max(most, rank[c])
    gram, root, spread = (
        np.empty((most, most)),
        np.empty((most, most)),
        np.empty((most, most)),
    )
    inner, solved, score = np.empty(most), np.empty(most), np.empty(most)
    center, own = np.empty(size), np.empty(size)
    gain, wide = np.empty((size, most)), np.empty(most)
    sums = np.empty((5, size))
    for j in range(n):
        sums[:] = 0.0
        sum_of_shares = 0.0
        for c in range(len(rank)):
            p = share[j, c]
            if p < _LEAST_PROBABILITY:
                continue
            sum_of_shares += p
            step = p / sum_of_shares
            r, v, extra = rank[c], scale2[c], ridge[c] * scale2[c]
            # posterior of the scores z of delta = w L z + ...: mean w C h, covariance
            # C = (I + w^2 G)^-1
            if v > 0:
                _gram_kernel(y[j], values[j], basis[j], first[c], r, extra, gram, inner)
                _factor_kernel(gram, r, v, root)
                _forward_kernel(root, r, inner, solved)
                for a in range(r - 1, -1, -1):
                    s = solved[a]
                    for b in range(a + 1, r):
                        s -= root[b, a] * score[b]
                    score[a] = s / root[a, a]
                _inverse_kernel(root, r, spread)
            if extra > 0:
                _ridge_kernel(
                    y[j],
                    values[j],
                    basis[j],
                    first[c],
                    r,
                    v,
                    extra,
                    score,
                    center,
                    own,
                    gain,
                )
            for t in range(size):
                m = 0.0
                s2 = 0.0
                if extra > 0:
                    for a in range(r):
                        wide[a] = 0.0
                    for i in range(size):
                        q = vectors[j, t, i]
                        m += q * center[i]
                        s2 += q * q * own[i]
                        for a in range(r):
                            wide[a] += q * gain[i, a]
                elif v > 0:
                    for a in range(r):
                        wide[a] = loadings[t, first[c] + a]
                        m += v * wide[a] * score[a]
                if v > 0:
                    for a in range(r):
                        for b in range(r):
                            s2 += v * wide[a] * spread[a, b] * wide[b]
                _add_normal_kernel(sums, t, m, s2, p, step)
        for t in range(size):
            out[0, j, t] = sums[0, t]
            for k in range(1, 5):
                out[k, j, t] = sums[k, t] / sum_of_shares


@njit(nogil=True, forceinline=True)
def _ridge_kernel(  # type: ignore[no-untyped-def]
    y, value, basis, first, rank, scale2, ridge, score, center, own, gain
):
    """Fill mean and variance of the effects in the eigenvectors, given the scores, and
    how they follow the scores.
    """
    for i in range(len(value)):
        total = value[i] + ridge
        keep = value[i] / total
        own[i] = keep * ridge
        s = 0.0
        for a in range(rank):
            gain[i, a] = keep * basis[i, first + a]
            s += gain[i, a] * score[a]
        center[i] = ridge / total * y[i] + scale2 * s


@njit(nogil=True, forceinline=True)
def _add_normal_kernel(sums, t, m, s2, p, step):  # type: ignore[no-untyped-def]
    """Add ``p N(m, s2)`` to mean, sum of squares about it, and P(< 0), P(> 0) and
    P(= 0) of the effect in task t.

    `step` is the share of p in all that was added.
    """
    move = m - sums[0, t]
    sums[0, t] += step * move
    sums[1, t] += p * (s2 + move * (m - sums[0, t]))
    if s2 <= 0.0:
        sums[4, t] += p
    else:
        tail = 0.5 * erfc(abs(m) / np.sqrt(s2) * _ROOT_HALF)
        if m > 0:
            sums[2, t] += p * tail
            sums[3, t] += p * (1 - tail)
        else:
            sums[2, t] += p * (1 - tail)
            sums[3, t] += p * tail


@njit(nogil=True, forceinline=True)
def _inverse_kernel(root, rank, spread):  # type: ignore[no-untyped-def]
    """Fill the inverse of ``root root'``, column by column."""
    for k in range(rank):
        for a in range(rank):
            s = 1.0 if a == k else 0.0
            for b in range(a):
                s -= root[a, b] * spread[b, k]
            spread[a, k] = s / root[a, a]
        for a in range(rank - 1, -1, -1):
            s = spread[a, k]
            for b in range(a + 1, rank):
                s -= root[b, a] * spread[b, k]
            spread[a, k] = s / root[a, a]
