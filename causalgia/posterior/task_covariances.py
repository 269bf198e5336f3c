"""Covariances over tasks: patterns ``U = L L' + c I`` of the effects that tasks share,
and errors of the estimates.

Canonical patterns say how tasks may share effects (all alike, each by itself, one task
alone); others are learned from the strongest effects: principal components, and a
mixture of factor analyzers (extreme deconvolution). The form low rank + constant makes
every density exact after one eigendecomposition of the errors, whatever the number of
scales.

The units are the same in all tasks, so estimates vary together, and `estimate` knows
how. Estimated correlations are shrunken towards their mean over contrasts by their
sampling error. An error that all contrasts share (that of their control arm) would pass
for an effect that all of them have: it is estimated and removed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.attributes import about
from causalgia.effects.scales import stored_task_weights
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.estimation.given_effects import task_columns_of
from causalgia.expressions import first_dependent
from causalgia.posterior.error_covariance import as_usable_se, normal_scores
from causalgia.posterior.mixture import null_biased_counts, scale_grid
from causalgia.types import Array
from causalgia.workers.clusters import available_cores

_RANK = 5  # of the largest learned pattern
_CLUSTERS = 4  # directions that the strongest effects are sorted into
_MOST_FITS = 100  # of sorting and of EM
_SETTLED = 1e-4  # gain of the log likelihood in nats an effect
_LEAST_RIDGE = 1e-6
_PARTLY = (0.25, 0.5, 0.75)  # correlations of effects between tasks
_LEAST_STRONG = 20
_LOADING_STANDARD_ERRORS = 4.0  # standard errors from which a loading is not 0
_DOUBTED = 2.0  # standard errors of a loading that the independent part covers
_SAME_COSINE = 0.9  # cosine of directions that are one
# numbers of a block of contrasts in the bases of their errors
_NUMBERS_OF_BASES = 1 << 21
_HELD = 1 << 27  # numbers of all eigenvectors up to which they are computed once: 1 GiB
_SINGULAR = 1e-6
_SOME = 20  # contrasts whose correlations are looked at one by one
_LEAST_SHARE = 0.01  # of the error variance: a smaller shared error is left in
_LEAST_OWN_PART = 0.02  # least part of a variance that a contrast does not share
_EM_TURNS = 30


@dataclass(frozen=True, eq=False)
class Pattern:
    """Covariance of the effects of one contrast over T tasks,
    ``loadings loadings' + ridge I``; largest variance 1.
    """

    name: str
    loadings: Array
    """L, (T, r); r = 0 where effects are independent."""
    ridge: float = 0.0

    @property
    def covariance(self) -> Array:
        """U, (T, T)."""
        return np.asarray(
            self.loadings @ self.loadings.T + self.ridge * np.eye(len(self.loadings))
        )


def canonical_patterns(names: Sequence[str]) -> list[Pattern]:
    """Return the patterns that need no data, for tasks of these names.

    Independent effects of one variance, equal effects, effects that correlate by .25,
    .5 and .75, and an effect in one task alone.

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
    partly = [
        Pattern(f"correlated {r:.2g}".replace("0.", "."), np.sqrt(r) * one, 1 - r)
        for r in _PARTLY
    ]
    alone = [Pattern(f"{name} alone", every[:, [t]]) for t, name in enumerate(names)]
    return [
        Pattern("independent", np.empty((n, 0)), 1.0),
        Pattern("equal", one),
        *partly,
        *alone,
    ]


def learned_patterns(
    effect: Array, values: Array, vectors: Array, n_strong: int
) -> list[Pattern]:
    """Return patterns learned from strong effects: main directions and principal
    components, refined by EM.

    Parameters
    ----------
    effect
        Estimates of n contrasts in T tasks, (n, T): first the strong ones, which give
        the start, then weaker ones. Were there none of these, the errors that made
        effects strong would be learned as effects.
    values, vectors
        Eigenvalues, (n, T), and eigenvectors, (n, T, T), of the covariance of their
        errors.
    n_strong
        Number of strong ones.

    Returns
    -------
    list
        Four directions into which the effects are sorted and the first five principal
        components, together refined by EM as a mixture of factor analyzers about 0 with
        known errors and of no effect; and each direction with its clear loadings alone.
        Empty for fewer than 20 strong effects.

    Notes
    -----
    Extreme deconvolution of a singular U never leaves the space in which it starts. The
    ridge c, which is estimated as well, lets loadings turn. A learned loading of .01
    where the truth is 0 would have a certain sign: so c is never less than four
    sampling variances of a loading, and without it loadings below four standard errors
    are exactly 0.

    References
    ----------
    Bovy, Hogg & Roweis (2011), doi:10.1214/10-AOAS439 (deconvolution). Rubin & Thayer
    (1982), doi:10.1007/BF02293851 (EM of factor analysis).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(0, 4, size=(200, 1)) * [1.0, 1.0, 0.0]
    >>> unit = np.ones((200, 3)), np.broadcast_to(np.eye(3), (200, 3, 3))
    >>> patterns = learned_patterns(
    ...     shared + rng.normal(size=(200, 3)), *unit, n_strong=200
    ... )
    >>> patterns[1].loadings.ravel() != 0
    array([ True,  True, False])
    """
    strong, n_tasks = effect[:n_strong], effect.shape[1]
    if n_strong < _LEAST_STRONG:
        return []
    _, length, right = np.linalg.svd(strong, full_matrices=False)
    columns = right.T * (length / np.sqrt(n_strong))
    rank = min(_RANK, n_tasks - 1, columns.shape[1])
    starts = [
        direction[:, None] * np.sqrt((strong @ direction).var())
        for direction in _main_directions(strong)
    ]
    starts += [columns[:, :rank]] if rank > 1 else []
    found = []
    parts = _distinct(_factor_analyzers(effect, values, vectors, starts))
    for i, part in enumerate(
        _factor_analyzers(effect, values, vectors, [part.loadings for part in parts])
    ):
        floor = _DOUBTED**2 * float(part.loading_variance.sum(axis=1).max())
        found.append((f"learned {i + 1}", part.loadings, max(part.ridge, floor)))
        if part.loadings.shape[1] == 1:
            clear = (
                part.loadings**2 > _LOADING_STANDARD_ERRORS**2 * part.loading_variance
            )
            found.append(
                (
                    f"learned {i + 1}, clear tasks",
                    np.where(clear, part.loadings, 0.0),
                    0.0,
                )
            )
    return [_as_unit(*pattern) for pattern in found if (pattern[1] ** 2).sum() > 0]


def _as_unit(name: str, loadings: Array, ridge: float) -> Pattern:
    largest = float((loadings**2).sum(axis=1).max() + ridge)
    return Pattern(name, loadings / np.sqrt(largest), ridge / largest)


def _main_directions(effect: Array) -> Array:
    """Return unit vectors, (k, T), of clusters of effects, each an effect and its
    opposite alike (k-means of axes).

    Starts are effects far from the directions before them, the first the largest.
    """
    size = np.sqrt((effect**2).sum(axis=1))
    unit = effect[size > 0] / size[size > 0, None]
    chosen = [unit[int(np.argmax(size[size > 0]))]]
    while len(chosen) < min(_CLUSTERS, effect.shape[1]):
        apart = 1 - np.abs(unit @ np.stack(chosen).T).max(axis=1)
        chosen.append(unit[int(np.argmax(apart * size[size > 0]))])
    directions, before = np.stack(chosen), np.full(len(unit), -1)
    for _ in range(_MOST_FITS):
        near = np.abs(unit @ directions.T).argmax(axis=1)
        if (near == before).all():
            break
        before = near
        for k in range(len(directions)):
            if (near == k).any():
                directions[k] = np.linalg.svd(unit[near == k], full_matrices=False)[2][
                    0
                ]
    return directions


@dataclass(frozen=True, eq=False)
class _Analyzer:
    """A factor analyzer about 0."""

    loadings: Array
    ridge: float
    loading_variance: Array
    """Sampling variances of the loadings, (T, r)."""


def _distinct(parts: list[_Analyzer]) -> list[_Analyzer]:
    """Return the analyzers without directions that repeat one with larger effects.

    Two parts that share the effects of one direction would fit the noise by their
    difference.
    """
    distinct: list[_Analyzer] = []
    for part in sorted(parts, key=lambda part: float(part.loading_variance.sum())):
        unit = part.loadings / np.sqrt((part.loadings**2).sum())
        if part.loadings.shape[1] > 1 or not any(
            other.loadings.shape[1] == 1
            and abs(float((other.loadings * unit).sum()))
            > _SAME_COSINE * np.sqrt(float((other.loadings**2).sum()))
            for other in distinct
        ):
            distinct.append(part)
    return distinct


def _factor_analyzers(
    effect: Array, values: Array, vectors: Array, starts: list[Array]
) -> list[_Analyzer]:
    """Return the parts of a mixture of factor analyzers about 0, with known errors, by
    EM.
    """
    rotated = np.einsum("nij,ni->nj", vectors, effect)
    errors = np.einsum("nij,nj,nij->i", vectors, values, vectors, optimize=True) / len(
        effect
    )
    least = _LEAST_RIDGE * float(values.mean())
    parts = [
        _Analyzer(
            start,
            0.2 * float((start**2).sum()) / len(start) + least,
            np.zeros_like(start),
        )
        for start in starts
    ]
    share, before = np.full(len(parts) + 1, 1 / (len(parts) + 1)), -np.inf
    none = -0.5 * (np.log(values) + rotated**2 / values).sum(axis=1)
    for _ in range(_MOST_FITS):
        bases = np.matmul(
            vectors.transpose(0, 2, 1), np.hstack([part.loadings for part in parts])
        )
        edges = np.cumsum([part.loadings.shape[1] for part in parts])[:-1]
        each = zip(np.split(bases, edges, axis=2), parts, strict=True)
        steps = [_Expected(rotated, values, basis, part.ridge) for basis, part in each]
        terms = np.stack(
            [none, *(step.log_density for step in steps)], axis=1
        ) + np.log(share)
        top = terms.max(axis=1, keepdims=True)
        weight = np.exp(terms - top)
        total = weight.sum(axis=1, keepdims=True)
        weight /= total
        reached = float((np.log(total) + top).mean())
        used = weight.sum(axis=0) > 1.0
        used[0] = True
        parts = [
            step.maximized(w, effect, errors)
            for step, w, in_use in zip(steps, weight.T[1:], used[1:], strict=True)
            if in_use
        ]
        share = np.maximum(weight.sum(axis=0)[used], 1.0)
        share /= share.sum()
        if reached - before < _SETTLED and used.all():
            break
        before = reached
    return parts


class _Expected:
    """The E-step of one factor analyzer: moments of scores z and effects
    ``delta = L z + ridge^(1/2) e`` given x.
    """

    def __init__(
        self, rotated: Array, values: Array, basis: Array, ridge: float
    ) -> None:
        rank = basis.shape[2]
        total = values + ridge
        weighted = basis / total[..., None]
        inner = np.eye(rank) + np.matmul(basis.transpose(0, 2, 1), weighted)
        self._spread = np.linalg.inv(inner)
        projected = np.matmul(weighted.transpose(0, 2, 1), rotated[..., None])[..., 0]
        self._score = np.matmul(self._spread, projected[..., None])[..., 0]
        quadratic = (rotated**2 / total).sum(axis=1) - (projected * self._score).sum(
            axis=1
        )
        self.log_density = -0.5 * (
            np.log(total).sum(axis=1) + np.linalg.slogdet(inner)[1] + quadratic
        )
        # E |delta - L z|^2
        own = ridge / total
        rest = own * (rotated - np.matmul(basis, self._score[..., None])[..., 0])
        scaled = own[..., None] * basis
        beyond = (np.matmul(scaled, self._spread) * scaled).sum(axis=(1, 2))
        self._rest = (rest**2 + own * values).sum(axis=1) + beyond

    def maximized(self, weight: Array, effect: Array, errors: Array) -> _Analyzer:
        """Return the next analyzer: loadings as if errors of all effects were alike,
        and the ridge.

        With effects, too, as missing data loadings would move slowly in directions in
        which errors are large.
        """
        second = np.einsum(
            "n,nrs->rs",
            weight,
            self._spread + self._score[:, :, None] * self._score[:, None, :],
        )
        loadings = np.linalg.solve(second, (weight[:, None] * self._score).T @ effect).T
        ridge = float(weight @ self._rest) / (float(weight.sum()) * len(loadings))
        return _Analyzer(
            loadings,
            ridge,
            np.outer(errors + ridge, np.diagonal(np.linalg.inv(second))),
        )


def over_blocks(
    run: Callable[[npt.NDArray[np.intp]], None], n: int, numbers: int
) -> None:
    """Call `run` on blocks of contrasts, on all available cores; a contrast has so many
    numbers.

    Examples
    --------
    >>> seen = []
    >>> over_blocks(seen.append, 3, 1 << 20)
    >>> [rows.tolist() for rows in seen]
    [[0, 1], [2]]
    """
    width = max(1, min(_NUMBERS_OF_BASES // numbers, 512))
    blocks = [np.arange(start, min(start + width, n)) for start in range(0, n, width)]
    threads = min(available_cores(), len(blocks))
    if threads < 2:
        for block in blocks:
            run(block)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, blocks))


@dataclass(frozen=True, eq=False)
class TaskErrors:
    """Effects of n contrasts in T tasks and the covariances of their errors, in a unit
    near a typical error.
    """

    effect: Array
    """Estimates less the shared error, (n, T)."""
    variance: Array
    """Diagonals of the covariances, (n, T), after the shared error was removed."""
    se: Array
    """Standard errors as normal scores, (n, T), on the contrast scale and with the
    shared error.
    """
    unit: float
    """Unit of effects and variances, a power of 2 on the contrast scale."""
    shared: Array
    """The shared error that was removed, (T,); 0 where contrasts share none."""
    shrinkage: float
    """Weight of the mean correlation: 0 where correlations are known, 1 where contrasts
    do not differ visibly.
    """
    correlation: Array
    """Mean correlation between tasks, (T, T)."""
    rotation: Rotations


class Rotations:
    """Eigenvalues and eigenvectors of the covariance of each contrast; kept, unless
    they are too many.
    """

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts
        self._kept: tuple[Array, Array] | None = None
        n, size = parts.least.shape
        if n * size * size <= _HELD:
            self._kept = np.empty((n, size)), np.empty((n, size, size))
            over_blocks(self._keep, n, size**2)

    def _keep(self, rows: npt.NDArray[np.intp]) -> None:
        assert self._kept is not None  # for mypy: made before
        self._kept[0][rows], self._kept[1][rows] = self._parts.eigen(rows)

    def __call__(self, rows: npt.NDArray[np.intp]) -> tuple[Array, Array]:
        """Return the eigenvalues, (b, T), and eigenvectors, (b, T, T), of the contrasts
        at these places.
        """
        if self._kept is None:
            return self._parts.eigen(rows)
        return self._kept[0][rows], self._kept[1][rows]


@dataclass(frozen=True, eq=False)
class _Parts:
    """Parts of the covariances: ``D R D + diag(own) - shared + left``."""

    least: Array
    """Standard errors at an effect of 0, (n, T)."""
    own: Array
    """Variances beyond these, (n, T), for few degrees of freedom."""
    correlation: Array
    """(T, T) or (n, T, T)."""
    mean: Array
    shrinkage: float
    shared: Array
    """Change of every covariance by the removal of the shared error, (T, T)."""

    def covariance(self, rows: npt.NDArray[np.intp]) -> Array:
        own = (
            self.correlation
            if self.correlation.ndim == 2
            else self.correlation[rows].astype(np.float64)
        )
        matrix = self.shrinkage * self.mean + (1 - self.shrinkage) * own
        out = np.asarray(
            matrix * self.least[rows][:, :, None] * self.least[rows][:, None, :]
        )
        out += self.shared
        at = np.arange(out.shape[1])
        out[:, at, at] += self.own[rows]
        return out

    def eigen(self, rows: npt.NDArray[np.intp]) -> tuple[Array, Array]:
        values, vectors = np.linalg.eigh(self.covariance(rows))
        floor = (
            _LEAST_OWN_PART * np.median((self.least[rows] ** 2), axis=1)
            if self.shared.any()
            else 0.0
        )
        return np.maximum(values, np.reshape(floor, (-1, 1))), np.ascontiguousarray(
            vectors
        )


def task_errors(estimates: xr.Dataset) -> TaskErrors:
    """Return effects and errors over tasks, from estimates that know how the errors of
    tasks vary together.

    Parameters
    ----------
    estimates
        With ``ace, se (contrast, task)``, maybe ``df``, and ``task_correlation`` or
        ``factor``.

    Raises
    ------
    EstimateError
        If the correlation between tasks is not known, tasks repeat each other, or a
        standard error is missing or 0.
    """
    se = as_usable_se(estimates).T
    effect = (
        estimates["ace"].transpose("contrast", "task").to_numpy().astype(np.float64)
    )
    unit = float(2.0 ** np.round(np.log2(np.median(se))))
    columns = task_columns_of(estimates)
    if not columns:
        raise EstimateError(
            "across='task': the correlation of the errors between tasks is not "
            "known, and treating them as independent would give false signs. From "
            "units: cg.estimate(effects, task_correlation=True); from elsewhere: "
            "cg.from_effects(table, task_correlation=...), a matrix over tasks "
            "(np.eye(T) says that they are independent)",
            argument="across",
        )
    names = [
        d
        for d in ("contrast", "task", "task_")
        if d in columns["task_correlation"].dims
    ]
    correlation = columns["task_correlation"].transpose(*names).to_numpy()
    df = (
        estimates["df"].transpose("contrast", "task").to_numpy()
        if "df" in estimates
        else np.full(se.shape, np.inf)
    )
    df = np.where(np.isnan(df), np.inf, df)
    score, least = (
        normal_scores(effect, se, df),
        normal_scores(np.zeros(se.shape), se, df),
    )
    mean = (
        correlation
        if correlation.ndim == 2
        else correlation.mean(axis=0, dtype=np.float64)
    )
    known = float(about(estimates, np.inf).task_correlation_df)
    if "factor" in estimates and "task_correlation" not in estimates:
        known = (
            min(float(estimates["n_clusters"].min()), float(estimates.sizes["cluster"]))
            - 1
        )
    shrinkage = (
        0.0
        if np.isinf(known) or correlation.ndim == 2
        else _shrinkage(correlation, mean, known)
    )
    _check_tasks_differ(mean, estimates["task"].to_numpy())
    if correlation.ndim == 3:
        _check_independent(estimates, correlation, known)
    shared = (
        columns["shared_covariance"].to_numpy()
        if "shared_covariance" in columns
        else np.zeros(mean.shape)
    )
    sizes = (least / unit, (score**2 - least**2) / unit**2)
    parts = _Parts(*sizes, correlation, mean, shrinkage, np.zeros(mean.shape))
    if correlation.ndim == 3 and shrinkage == 0:
        for start in range(0, len(parts.least), 1024):
            rows = np.arange(start, min(start + 1024, len(parts.least)))
            values = np.linalg.eigvalsh(parts.correlation[rows].astype(np.float64))[
                :, 0
            ]
            if values.min() <= _SINGULAR:
                name = estimates["contrast"].to_numpy()[rows[int(values.argmin())]]
                raise EstimateError(
                    f"across='task': contrast {name}: task_correlation= is singular "
                    f"(least eigenvalue {values.min():.1g})",
                    argument="across",
                )
    if not _exceeds_sampling_error(shared, mean, least, known):
        shared = np.zeros(mean.shape)
    removed, change = _shared_error(effect / unit, parts, shared / unit**2)
    parts = _Parts(*sizes, correlation, mean, shrinkage, change)
    variance = np.maximum(
        parts.least**2 + parts.own + np.diagonal(change),
        _LEAST_OWN_PART * parts.least**2,
    )
    return TaskErrors(
        effect / unit - removed,
        variance,
        score,
        unit,
        removed * unit,
        shrinkage,
        mean,
        Rotations(parts),
    )


def _shrinkage(correlation: Array, mean: Array, df: float) -> float:
    """Return the weight of the mean correlation: the share of sampling error in what
    contrasts differ by.

    At least ``T / (T + df)``, so that the inverse of a correlation from few units stays
    usable.

    References
    ----------
    Schaefer & Strimmer (2005), doi:10.2202/1544-6115.1175 (weights by sampling error).
    Ledoit & Wolf (2004), doi:10.1016/S0047-259X(03)00096-4.
    """
    size = len(mean)
    least = size / (size + df)
    off = ~np.eye(size, dtype=bool)
    step = max(1, (1 << 22) // size**2)
    blocks = (
        correlation[start : start + step] for start in range(0, len(correlation), step)
    )
    apart = sum(((c - mean)[:, off] ** 2).sum(axis=1).sum() for c in blocks) / len(
        correlation
    )
    noise = float(((1 - mean[off] ** 2) ** 2).sum() / df)
    return float(np.clip(noise / apart if apart > 0 else 1.0, least, 1.0))


def _check_tasks_differ(correlation: Array, names: npt.NDArray[np.str_]) -> None:
    value, vector = np.linalg.eigh(correlation)
    if value[0] > _SINGULAR:
        return
    first, second = np.argsort(-np.abs(vector[:, 0]), kind="stable")[:2]
    raise EstimateError(
        f"across='task': the errors of task {names[first]} follow from those of other "
        f"tasks, such as {names[second]} (correlation "
        f"{correlation[first, second]:.4f}, least eigenvalue {value[0]:.1g}): the task "
        "is redundant",
        argument="across",
    )


def _check_independent(estimates: xr.Dataset, correlation: Array, df: float) -> None:
    """Raise EstimateError for contrasts between tasks, or tasks, of which one is a
    weighted sum of others.

    Its error is then 0 given the others. The mean correlation hides this, since every
    contrast has other weights in units of its standard errors.
    """
    rows = stored_task_weights(estimates)
    names = [str(name) for name in estimates["task"].to_numpy()]
    dependent = first_dependent({name: rows[name] for name in names if name in rows})
    few = correlation[:_SOME].astype(np.float64)
    least = _SINGULAR * np.sqrt(len(names))  # correlations are in single precision
    if dependent is None and (
        df < len(names) or np.linalg.eigvalsh(few)[:, 0].max() > least
    ):
        return
    if dependent is None:
        vectors = np.linalg.eigh(few[0])[1]
        dependent = names[int(np.abs(vectors[:, 0]).argmax())]
    raise EstimateError(
        f"across='task': the task {quoted(dependent)} is a weighted sum of other "
        "tasks, so its errors follow from theirs and it adds no information",
        argument="across",
    )


def _exceeds_sampling_error(
    shared: Array, correlation: Array, se: Array, df: float
) -> bool:
    """Return whether the covariance that contrasts share is more than that of contrasts
    which share nothing.

    In units of the errors (whitened) the mean covariance of n contrasts is then
    ``(S - I) / (n - 1)``, S being a sample covariance of independent variables, whose
    largest eigenvalue is near ``(1 + sqrt(T / df))^2`` and hardly ever ``4 / sqrt(df)``
    more.

    References
    ----------
    Johnstone (2001), doi:10.1214/aos/1009210544.
    """
    n, size = se.shape
    if n < 2 or not shared.any():
        return False
    root = np.linalg.cholesky(
        correlation * np.outer(*[np.sqrt((se**2).mean(axis=0))] * 2)
    )
    whitened = np.linalg.solve(root, np.linalg.solve(root, (shared + shared.T) / 2).T)
    edge = (1 + np.sqrt(size / df)) ** 2 - 1 + 4 / np.sqrt(df)
    return bool(np.linalg.eigvalsh(whitened)[-1] > edge / (n - 1))


def _shared_error(effect: Array, parts: _Parts, shared: Array) -> tuple[Array, Array]:
    """Return the estimate of the error that contrasts share, (T,), and the change of
    their covariances, (T, T).

    ``x_j = delta_j + a + e_j`` with ``a ~ N(0, A)``: a is at the joint maximum with the
    weights of a mixture of ``N(0, w^2 I)`` as law of the effects, by EM with the
    effects integrated out. Its own uncertainty S stays in the covariances, which change
    by ``S - A``.
    """
    size = len(shared)
    value, vector = np.linalg.eigh((shared + shared.T) / 2)
    typical = float(np.median(parts.least**2))
    value = np.where(value > _LEAST_SHARE * typical, value, 0.0)
    if not value.any():
        return np.zeros(size), np.zeros((size, size))
    prior = np.asarray((vector * value) @ vector.T)
    # no contrast shares more than it has
    root = np.linalg.cholesky(
        parts.mean * np.outer(*[np.sqrt(np.median(parts.least**2, axis=0))] * 2)
    )
    whitened = np.linalg.solve(root, np.linalg.solve(root, prior).T)
    prior *= min(1.0, (1 - _LEAST_OWN_PART) / float(np.linalg.eigvalsh(whitened)[-1]))
    own = _Parts(
        parts.least, parts.own, parts.correlation, parts.mean, parts.shrinkage, -prior
    )
    scale = scale_grid(effect.ravel(), np.full(effect.size, np.sqrt(typical))) ** 2
    counts = null_biased_counts(scale)
    weight, spread, error = np.full(len(scale), 1 / len(scale)), prior, np.zeros(size)
    rows = [np.arange(s, min(s + 512, len(effect))) for s in range(0, len(effect), 512)]
    eigen = (
        [own.eigen(block) for block in rows] if effect.size * size <= _HELD else None
    )
    for _ in range(_EM_TURNS):
        precision, pull, share = np.zeros((size, size)), np.zeros(size), counts - 1.0
        for i, block in enumerate(rows):
            values, vectors = own.eigen(block) if eigen is None else eigen[i]
            total = values[:, None, :] + scale[:, None]
            rotated = np.einsum("nij,ni->nj", vectors, effect[block])
            moved = rotated - error @ vectors
            with np.errstate(divide="ignore"):
                terms = -0.5 * (np.log(total) + moved[:, None, :] ** 2 / total).sum(
                    axis=2
                ) + np.log(weight)
            part = np.exp(terms - terms.max(axis=1, keepdims=True))
            part /= part.sum(axis=1, keepdims=True)
            share = share + part.sum(axis=0)
            each = (part[:, :, None] / total).sum(axis=1)
            precision += np.einsum(
                "nij,nj,nkj->ik", vectors, each, vectors, optimize=True
            )
            pull += np.einsum("nij,nj->i", vectors, each * rotated)
        weight = share / share.sum()
        spread = np.linalg.solve(np.eye(size) + prior @ precision, prior)
        before, error = error, spread @ pull
        if np.abs(error - before).max() < 1e-6 * np.sqrt(typical):
            break
    return error, (spread + spread.T) / 2 - prior
