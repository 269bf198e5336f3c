"""Patterns of effects over tasks: covariances ``U = L L' + c I`` of the law of effects that tasks share.

Canonical patterns say how tasks may share effects (all alike, each by itself, one task alone); others are learnt from
the strongest effects: principal components, and a mixture of factor analysers (extreme deconvolution). The form low
rank + constant makes every density exact after one eigendecomposition of the errors, whatever the number of scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from causalgia.types import Array

_RANK = 5  # of the largest learnt pattern
_CLUSTERS = 4  # directions that the strongest effects are sorted into
_TURNS = 100  # of sorting and of EM
_SETTLED = 1e-4  # gain of the log likelihood in nats an effect
_LEAST_RIDGE = 1e-6
_PARTLY = (0.25, 0.5, 0.75)  # correlations of effects between tasks
_LEAST_STRONG = 20
_CLEAR = 4.0  # standard errors from which a loading is not 0
_DOUBTED = 2.0  # standard errors of a loading that the independent part covers
_ALIKE = 0.9  # cosine of directions that are one


@dataclass(frozen=True, eq=False)
class Pattern:
    """Covariance of the effects of one contrast over T tasks, ``loadings loadings' + ridge I``; largest variance 1."""

    name: str
    loadings: Array
    """L, (T, r); r = 0 where effects are independent."""
    ridge: float = 0.0

    @property
    def covariance(self) -> Array:
        """U, (T, T)."""
        return np.asarray(self.loadings @ self.loadings.T + self.ridge * np.eye(len(self.loadings)))


def canonical_patterns(names: Sequence[str]) -> list[Pattern]:
    """Return the patterns that need no data, for tasks of these names.

    Independent effects of one variance, equal effects, effects that correlate by .25, .5 and .75, and an effect in one
    task alone.

    References
    ----------
    Urbut, Wang, Carbonetto & Stephens (2019), doi:10.1038/s41588-018-0268-8, Methods.

    Examples
    --------
    >>> [pattern.name for pattern in canonical_patterns(["liver", "lung"])]
    ['independent', 'equal', 'correlated .25', 'correlated .5', 'correlated .75', 'liver alone', 'lung alone']
    """
    n = len(names)
    one, every = np.ones((n, 1)), np.eye(n)
    partly = [Pattern(f"correlated {r:.2g}".replace("0.", "."), np.sqrt(r) * one, 1 - r) for r in _PARTLY]
    alone = [Pattern(f"{name} alone", every[:, [t]]) for t, name in enumerate(names)]
    return [Pattern("independent", np.empty((n, 0)), 1.0), Pattern("equal", one), *partly, *alone]


def learnt_patterns(effect: Array, values: Array, vectors: Array, n_strong: int) -> list[Pattern]:
    """Return patterns learnt from strong effects: main directions and principal components, refined by EM.

    Parameters
    ----------
    effect
        Estimates of n contrasts in T tasks, (n, T): first the strong ones, which give the start, then weaker ones.
        Were there none of these, the errors that made effects strong would be learnt as effects.
    values, vectors
        Eigenvalues, (n, T), and eigenvectors, (n, T, T), of the covariance of their errors.
    n_strong
        Number of strong ones.

    Returns
    -------
    list
        Four directions into which the effects are sorted and the first five principal components, together refined by
        EM as a mixture of factor analysers about 0 with known errors and of no effect; and each direction with its
        clear loadings alone. Empty for fewer than 20 strong effects.

    Notes
    -----
    Extreme deconvolution of a singular U never leaves the space in which it starts. The ridge c, which is estimated as
    well, lets loadings turn. A learnt loading of .01 where the truth is 0 would have a certain sign: so c is never less
    than four sampling variances of a loading, and without it loadings below four standard errors are exactly 0.

    References
    ----------
    Bovy, Hogg & Roweis (2011), doi:10.1214/10-AOAS439 (deconvolution). Rubin & Thayer (1982), doi:10.1007/BF02293851
    (EM of factor analysis).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(0, 4, size=(200, 1)) * [1.0, 1.0, 0.0]
    >>> unit = np.ones((200, 3)), np.broadcast_to(np.eye(3), (200, 3, 3))
    >>> patterns = learnt_patterns(shared + rng.normal(size=(200, 3)), *unit, n_strong=200)
    >>> patterns[1].loadings.ravel() != 0
    array([ True,  True, False])
    """
    strong, n_tasks = effect[:n_strong], effect.shape[1]
    if n_strong < _LEAST_STRONG:
        return []
    _, length, right = np.linalg.svd(strong, full_matrices=False)
    columns = right.T * (length / np.sqrt(n_strong))
    rank = min(_RANK, n_tasks - 1, columns.shape[1])
    starts = [direction[:, None] * np.sqrt((strong @ direction).var()) for direction in _main_directions(strong)]
    starts += [columns[:, :rank]] if rank > 1 else []
    found = []
    parts = _distinct(_factor_analysers(effect, values, vectors, starts))
    for i, part in enumerate(_factor_analysers(effect, values, vectors, [part.loadings for part in parts])):
        floor = _DOUBTED**2 * float(part.loading_variance.sum(axis=1).max())
        found.append((f"learnt {i + 1}", part.loadings, max(part.ridge, floor)))
        if part.loadings.shape[1] == 1:
            clear = part.loadings**2 > _CLEAR**2 * part.loading_variance
            found.append((f"learnt {i + 1}, clear tasks", np.where(clear, part.loadings, 0.0), 0.0))
    return [_as_unit(*pattern) for pattern in found if (pattern[1] ** 2).sum() > 0]


def _as_unit(name: str, loadings: Array, ridge: float) -> Pattern:
    largest = float((loadings**2).sum(axis=1).max() + ridge)
    return Pattern(name, loadings / np.sqrt(largest), ridge / largest)


def _main_directions(effect: Array) -> Array:
    """Return unit vectors, (k, T), of clusters of effects, each an effect and its opposite alike (k-means of axes).

    Starts are effects far from the directions before them, the first the largest.
    """
    size = np.sqrt((effect**2).sum(axis=1))
    unit = effect[size > 0] / size[size > 0, None]
    chosen = [unit[int(np.argmax(size[size > 0]))]]
    while len(chosen) < min(_CLUSTERS, effect.shape[1]):
        apart = 1 - np.abs(unit @ np.stack(chosen).T).max(axis=1)
        chosen.append(unit[int(np.argmax(apart * size[size > 0]))])
    directions, before = np.stack(chosen), np.full(len(unit), -1)
    for _ in range(_TURNS):
        near = np.abs(unit @ directions.T).argmax(axis=1)
        if (near == before).all():
            break
        before = near
        for k in range(len(directions)):
            if (near == k).any():
                directions[k] = np.linalg.svd(unit[near == k], full_matrices=False)[2][0]
    return directions


@dataclass(frozen=True, eq=False)
class _Analyser:
    """A factor analyser about 0."""

    loadings: Array
    ridge: float
    loading_variance: Array
    """Sampling variances of the loadings, (T, r)."""


def _distinct(parts: list[_Analyser]) -> list[_Analyser]:
    """Return the analysers without directions that repeat one with larger effects.

    Two parts that share the effects of one direction would fit the noise by their difference.
    """
    kept: list[_Analyser] = []
    for part in sorted(parts, key=lambda part: float(part.loading_variance.sum())):
        unit = part.loadings / np.sqrt((part.loadings**2).sum())
        if part.loadings.shape[1] > 1 or not any(
            other.loadings.shape[1] == 1
            and abs(float((other.loadings * unit).sum())) > _ALIKE * np.sqrt(float((other.loadings**2).sum()))
            for other in kept
        ):
            kept.append(part)
    return kept


def _factor_analysers(effect: Array, values: Array, vectors: Array, starts: list[Array]) -> list[_Analyser]:
    """Return the parts of a mixture of factor analysers about 0, with known errors, by EM."""
    rotated = np.einsum("nij,ni->nj", vectors, effect)
    errors = np.einsum("nij,nj,nij->i", vectors, values, vectors, optimize=True) / len(effect)
    least = _LEAST_RIDGE * float(values.mean())
    parts = [
        _Analyser(start, 0.2 * float((start**2).sum()) / len(start) + least, np.zeros_like(start)) for start in starts
    ]
    share, before = np.full(len(parts) + 1, 1 / (len(parts) + 1)), -np.inf
    none = -0.5 * (np.log(values) + rotated**2 / values).sum(axis=1)
    for _ in range(_TURNS):
        bases = np.matmul(vectors.transpose(0, 2, 1), np.hstack([part.loadings for part in parts]))
        edges = np.cumsum([part.loadings.shape[1] for part in parts])[:-1]
        each = zip(np.split(bases, edges, axis=2), parts, strict=True)
        steps = [_Expected(rotated, values, basis, part.ridge) for basis, part in each]
        terms = np.stack([none, *(step.log_density for step in steps)], axis=1) + np.log(share)
        top = terms.max(axis=1, keepdims=True)
        weight = np.exp(terms - top)
        total = weight.sum(axis=1, keepdims=True)
        weight /= total
        reached = float((np.log(total) + top).mean())
        used = weight.sum(axis=0) > 1.0
        used[0] = True
        parts = [
            step.maximized(w, effect, errors)
            for step, w, kept in zip(steps, weight.T[1:], used[1:], strict=True)
            if kept
        ]
        share = np.maximum(weight.sum(axis=0)[used], 1.0)
        share /= share.sum()
        if reached - before < _SETTLED and used.all():
            break
        before = reached
    return parts


class _Expected:
    """The E-step of one factor analyser: moments of scores z and effects ``delta = L z + ridge^(1/2) e`` given x."""

    def __init__(self, rotated: Array, values: Array, basis: Array, ridge: float) -> None:
        rank = basis.shape[2]
        total = values + ridge
        weighted = basis / total[..., None]
        inner = np.eye(rank) + np.matmul(basis.transpose(0, 2, 1), weighted)
        self._spread = np.linalg.inv(inner)
        projected = np.matmul(weighted.transpose(0, 2, 1), rotated[..., None])[..., 0]
        self._score = np.matmul(self._spread, projected[..., None])[..., 0]
        quadratic = (rotated**2 / total).sum(axis=1) - (projected * self._score).sum(axis=1)
        self.log_density = -0.5 * (np.log(total).sum(axis=1) + np.linalg.slogdet(inner)[1] + quadratic)
        # E |delta - L z|^2
        own = ridge / total
        rest = own * (rotated - np.matmul(basis, self._score[..., None])[..., 0])
        scaled = own[..., None] * basis
        beyond = (np.matmul(scaled, self._spread) * scaled).sum(axis=(1, 2))
        self._rest = (rest**2 + own * values).sum(axis=1) + beyond

    def maximized(self, weight: Array, effect: Array, errors: Array) -> _Analyser:
        """Return the next analyser: loadings as if errors of all effects were alike, and the ridge.

        With effects, too, as missing data loadings would move slowly in directions in which errors are large.
        """
        second = np.einsum("n,nrs->rs", weight, self._spread + self._score[:, :, None] * self._score[:, None, :])
        loadings = np.linalg.solve(second, (weight[:, None] * self._score).T @ effect).T
        ridge = float(weight @ self._rest) / (float(weight.sum()) * len(loadings))
        return _Analyser(loadings, ridge, np.outer(errors + ridge, np.diagonal(np.linalg.inv(second))))
