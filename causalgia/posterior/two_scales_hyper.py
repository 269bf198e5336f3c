"""Hyperparameters of the law of two scales: posterior of scales, shares, center and
factor scores.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from causalgia.compiled import njit
from causalgia.errors import EstimateError
from causalgia.posterior.exact import LinearPart
from causalgia.posterior.lattice import (
    Cells,
    Density,
    Lattice,
    adaptive_cells,
    bin_estimates,
    sharpen_cells,
    tilted_quantile,
)
from causalgia.posterior.scale_mixture import (
    LN2,
    LOG2E,
    exp2,
    exponent,
    inverse_root,
    log2,
    log2_product,
    mantissa,
    product_sum,
    summed,
)
from causalgia.types import Array

__all__ = [
    "ONE_SCALE",
    "Part",
    "TwoScaleModel",
    "X",
    "log_prior",
    "posterior_parts",
    "scales_at",
]

ONE_SCALE = 0.1  # prior probability that one scale is enough
# scale of the half-Cauchy of the wide part, and of it in multiples of the narrow one
WIDE = 3.0
LEAST_RATIO = 2.0

_SMALLEST_SCALE = 0.01  # 5e-5 of the prior of a scale lies below
_TAIL = 7.0
_CELL_SIZE = 0.7  # size of the first cells
_FEWER = 500
_SCREENED = 1.5  # times as many effects: cells are screened by fewer of them first
_MANY_IN_POWER = 4.0  # sharpening power from which effects count as many
# nodes of the share: up to 5.5 sd of its logit on both sides
X = np.linspace(-2.4, 2.4, 9)
_ON_A_LINE = 0.2  # finer cells cost little in one dimension
_LIKELIEST = np.zeros(1)  # the share at its mode alone
ROUNDS = 60
# floats, since a kernel would be compiled for each constant bool
_CURVATURE, _EM = 2.0, 0.0
_HALVINGS = 24
_RIGHT = 0.01  # tolerance in nats of sums over the lattice


def log_prior(narrow: Array, wide: Array, *, one: bool) -> Array:
    """Return the log prior density of (tau1, tau2), or of tau1 where there is one
    scale; (N,).

    ``tau1 ~ tau (1 + tau^2)^(-3/2)``; with probability .1 that is all, else
    ``tau2 ~ half-Cauchy(max(3, 3 tau1))`` from ``2 tau1`` on. The share is uniform, and
    the density of mu is 1.

    Examples
    --------
    >>> x = np.array([1.0])
    >>> log_prior(x, 3 * x, one=False).round(3)
    array([-2.919])
    """
    first = np.log(narrow) - 1.5 * np.log1p(narrow**2)
    if one:
        return np.asarray(first + np.log(ONE_SCALE))
    c = WIDE * np.maximum(1.0, narrow)
    cauchy = np.log(2 / (np.pi * c)) - np.log1p((wide / c) ** 2)
    beyond = np.log(2 / np.pi * np.arctan2(c, LEAST_RATIO * narrow))
    return np.asarray(first + cauchy - beyond + np.log1p(-ONE_SCALE))


@dataclass(frozen=True, eq=False)
class TwoScaleModel:
    """K estimates in units of their median standard error, or points that represent
    them, and their linear part.
    """

    effect: Array
    """Estimates, (K,)."""
    noise: Array
    """Their independent noise variances, (K,)."""
    shared: LinearPart
    """Linear part of the estimates; mu comes first and is flat."""
    count: Array
    """Number of estimates that each row represents, (K,)."""

    def fewer(self) -> TwoScaleModel:
        """Return a smaller model, as informative as 500 effects: bins of all, or
        effects evenly spaced by rank.
        """
        if len(self.shared.precision) == 1:
            effect, noise, count = bin_estimates(self.effect, self.noise)
            return self._of(effect, noise, count * (_FEWER / len(self.effect)))
        rows = np.argsort(self.effect, kind="stable")[
            np.linspace(0, len(self.effect) - 1, _FEWER).astype(int)
        ]
        shared = replace(self.shared, columns=self.shared.columns[rows])
        return TwoScaleModel(
            self.effect[rows], self.noise[rows], shared, self.count[rows]
        )

    def on(self, lattice: Lattice) -> TwoScaleModel:
        """Return the points of a lattice in place of the estimates, whose linear part
        is mu alone.
        """
        return self._of(lattice.effect, lattice.noise, lattice.count)

    def _of(self, effect: Array, noise: Array, count: Array) -> TwoScaleModel:
        return TwoScaleModel(
            effect,
            noise,
            replace(self.shared, columns=np.ones((len(effect), 1))),
            count,
        )


@dataclass(frozen=True, eq=False)
class Part:
    """The posterior where the law has one scale, or two: cells of the scales, and P
    points of the share in each.
    """

    one: bool
    cells: Cells
    weight: Array
    """Probability of each point of the share, given the part, (N, P)."""
    share: Array
    """Share of the narrow part, (N, P)."""
    logit: Array
    """Mode of its logit and sd there, (N, 2): the points are at
    ``logit + sd sinh(x)``.
    """
    slope: Array
    """Derivative of the log density of x at the points, (N, P)."""
    value: Array
    """Coefficients at each point, (N, P, m)."""
    root: Array
    """Root of their covariance given the likeliest point of the cell, (N, m, m)."""
    wider: Array
    """What multiplies it at each point, (N, P)."""
    height: Array
    """Log density of the estimates given the scales, (N,)."""

    @cached_property
    def _ends(self) -> Array:
        return np.cumsum(self.weight)

    def draw(
        self, n: int, generator: np.random.Generator
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Array, Array]:
        """Return n independent draws: the cell of each and the point of the share in
        it, the scales and the share.

        Weights of the points of the share are values of the density, not integrals;
        with half its slope about each point a normal density keeps its variance.
        """
        cell, at = np.empty((2, n), dtype=np.intp)
        points, x = np.empty((n, self.cells.points.shape[1])), np.empty(n)
        tables = (
            self._ends,
            self.cells.points,
            self.cells.size,
            self.cells.slope,
            self.slope,
        )
        nodes = _share_points(self.one)
        _draw_cells_kernel(
            *tables,
            nodes,
            generator.random(n),
            generator.random((n, points.shape[1] + 1)),
            cell,
            at,
            points,
            x,
        )
        if self.one:
            return cell, at, points, np.ones(n)
        return (
            cell,
            at,
            points,
            expit(self.logit[cell, 0] + self.logit[cell, 1] * np.sinh(x)),
        )


def _share_points(one: bool) -> Array:
    """Return x at the points of the share; where the law has one scale there is no
    share to integrate.
    """
    return _LIKELIEST if one else X


def scales_at(points: Array, *, one: bool) -> tuple[Array, Array, Array]:
    """Return tau1 and tau2 at points (log tau1[, log of the excess of tau2]), (N, d),
    and the log Jacobian, (N,) each.

    The excess over 2 tau1 is in units of the scale of its prior, ``max(3, 3 tau1)``.
    """
    narrow = np.exp(points[:, 0])
    if one:
        return narrow, narrow, points[:, 0]
    excess = WIDE * np.maximum(1.0, narrow) * np.exp(points[:, 1])
    return narrow, LEAST_RATIO * narrow + excess, points[:, 0] + np.log(excess)


def _log_prior_at(points: Array, one: bool) -> Array:
    narrow, wide, jacobian = scales_at(points, one=one)
    return np.asarray(log_prior(narrow, wide, one=one) + jacobian)


def _log_prior_slope(points: Array, one: bool) -> Array:
    """Return the gradient of `_log_prior_at`, (N, d)."""
    narrow = np.exp(points[:, 0])
    first = 2 - 3 * narrow**2 / (1 + narrow**2)
    if one:
        return np.asarray(first[:, None])
    excess = np.exp(points[:, 1])
    least = LEAST_RATIO * narrow / (WIDE * np.maximum(1.0, narrow))
    fall = 2 * (least + excess) / (1 + (least + excess) ** 2)
    beyond = 1 / ((1 + least**2) * np.arctan2(1.0, least))
    first += np.where(narrow > 1, 0.0, least * (beyond - fall))
    return np.column_stack([first, 1 - fall * excess])


def _coordinate_gradient(slope: Array, points: Array, one: bool) -> Array:
    """Return derivatives along the coordinates of the cells from those in (tau1^2,
    tau2^2), (N, d).
    """
    t1, t2, _ = scales_at(points, one=one)
    if one:
        return np.asarray(2 * t1**2 * (slope[:, 0] + slope[:, 1]))[:, None]
    excess = t2 - LEAST_RATIO * t1
    along = LEAST_RATIO * t1 + np.where(t1 > 1, excess, 0.0)
    first = 2 * t1**2 * slope[:, 0] + 2 * t2 * along * slope[:, 1]
    return np.column_stack([first, 2 * t2 * excess * slope[:, 1]])


@dataclass(frozen=True, eq=False)
class _ShareIntegral:
    """Share and coefficients given the scales, at N points of these."""

    log_terms: Array
    """Log density of the estimates and x at the points of the share, coefficients by
    Laplace, (N, P).
    """
    slope: Array
    """Its derivative in x, (N, P)."""
    gradient: Array
    """Derivatives of the log of its integral in (tau1^2, tau2^2), (N, 2)."""
    logit: Array
    value: Array
    root: Array
    wider: Array
    """Sd of the coefficients at each point of the share, of that at the likeliest, (N,
    P).
    """
    state: Array
    """Logit of the share and coefficients at the mode, (N, 1 + m): the start for points
    nearby.
    """

    @property
    def log_integral(self) -> Array:
        """Integral over the share, (N,)."""
        return _log_sums(self.log_terms)


def _log_sums(terms: Array) -> Array:
    """Return the log of the sum of each row's exponentials, with less overhead than
    scipy's.
    """
    largest = terms.max(axis=1)
    return np.asarray(largest + np.log(np.exp(terms - largest[:, None]).sum(axis=1)))


def integrate_share(
    model: TwoScaleModel, points: Array, state: Array, x: Array, *, one: bool
) -> _ShareIntegral:
    """Integrate the share and the coefficients at points of the scales.

    The share lies on points ``logit = mode + sd sinh(x)`` with x equally spaced
    (trapezoid), or is normal about its mode where x is 0 alone; given it, coefficients
    are normal about theirs (Laplace). The state, (N, 1 + m), is the start of the search
    for their joint mode. Where a coefficient is undetermined the density is next to 0.
    """
    narrow, wide, _ = scales_at(points, one=one)
    n, m, size, state = len(points), state.shape[1] - 1, len(x), state.copy()
    value, root, logit = np.zeros((n, size, m)), np.zeros((n, m, m)), np.zeros((n, 2))
    out, done = np.zeros((n, size, 5)), np.zeros(n, dtype=np.int64)
    columns, precision = (
        np.ascontiguousarray(model.shared.columns.T),
        model.shared.precision,
    )
    data = (
        model.effect,
        model.noise,
        model.count,
        columns,
        precision,
        narrow**2,
        wide**2,
        x,
    )
    _integrate_share_kernel(*data, one, state, value, root, logit, out, done)
    # the lattice is not valid for laws that are far too narrow
    out[done < 0, :, 0] = -1e300
    known = precision[precision > 0]
    constant = 0.5 * np.log(known).sum() + 0.5 * (m - len(known)) * np.log(2 * np.pi)
    step = 1.0 if one else x[1] - x[0] if size > 1 else np.sqrt(2 * np.pi)
    terms = out[:, :, 0] + constant + np.log(step)
    weight = np.exp(terms - _log_sums(terms)[:, None])
    gradient = (weight[:, :, None] * out[:, :, 2:4]).sum(axis=1)
    wider = np.exp((out[:, :, 4] - out[:, size // 2, 4, None]) / m)
    return _ShareIntegral(
        terms, out[:, :, 1], gradient, logit, value, root, wider, state
    )


def posterior_parts(
    model: TwoScaleModel, coarse: TwoScaleModel, fine: TwoScaleModel
) -> tuple[list[Part], Array, float]:
    """Return the posterior for two scales and for one, their probabilities, (2,), and
    the log evidence of both.

    With thousands of effects, cells are cut with the share at its mode: first for a
    subset of the effects, then refined under the coarse model. Probabilities come from
    the fine model with the share integrated. They are compared with those of the
    estimates where most mass lies, and replaced by them where they differ.

    Parameters
    ----------
    model, coarse, fine
        The estimates, and their representations: points of lattices, or the estimates.

    Raises
    ------
    EstimateError
        If the density is too rough, or a coefficient undetermined.
    """
    # starting states, (3, 1 + m): the median, and the coefficients under one scale, wide
    # and narrow, of which the last is near precise effects
    start = np.zeros((3, 1 + len(model.shared.precision)))
    start[:, 1] = np.median(model.effect)
    spread = float(
        np.median(np.abs(model.effect - start[0, 1])) + np.sqrt(np.median(model.noise))
    )
    scales = np.log([max(spread, 1.0), _SMALLEST_SCALE])[:, None]
    first = integrate_share(model, scales, start[:2], _LIKELIEST, one=True)
    if first.log_integral[0] < -1e299:
        raise EstimateError(
            "effects leave a coefficient undetermined: covariates are collinear, or "
            "too many"
        )
    start[1:, 1:] = first.value[:, 0]
    cells = [
        _scale_cells(model, coarse, fine, _scale_box(model, one=one), start, one=one)
        for one in (False, True)
    ]
    found = _fit_parts(fine, cells)
    return (
        found
        if fine is model or _lattice_agrees(found[0], found[1], model)
        else _fit_parts(model, cells)
    )


def _sharpening_power(model: TwoScaleModel) -> float:
    """Return the ratio of the curvatures of the log density of all estimates and of the
    subset.
    """
    return len(model.effect) / _FEWER


def _fit_parts(
    model: TwoScaleModel, cells: list[Cells]
) -> tuple[list[Part], Array, float]:
    parts = [
        _fit_part(model, found, one=one)
        for found, one in zip(cells, (False, True), strict=True)
    ]
    totals = np.array([part.cells.log_total for part in parts])
    whole = float(np.logaddexp(*totals))
    return parts, np.exp(totals - whole), whole


def _lattice_agrees(parts: list[Part], share: Array, model: TwoScaleModel) -> bool:
    """Return whether the lattice gives the same log densities of laws as the estimates,
    up to a constant.
    """
    differ = []
    for part, p in zip(parts, share, strict=True):
        ends = np.cumsum(part.cells.weight)
        if p > _RIGHT:
            at = np.unique(np.searchsorted(ends, np.array([0.1, 0.5, 0.9]) * ends[-1]))
            nodes = _share_points(part.one)
            here = integrate_share(
                model, part.cells.points[at], part.cells.state[at], nodes, one=part.one
            )
            differ.append(here.log_integral - part.height[at])
    return float(np.ptp(np.concatenate(differ))) < _RIGHT


def _fit_part(model: TwoScaleModel, cells: Cells, *, one: bool) -> Part:
    found = integrate_share(
        model, cells.points, cells.state, _share_points(one), one=one
    )
    cells = cells.under(*_scales_log_density(found, cells.points, one=one))
    weight = cells.weight[:, None] * np.exp(
        found.log_terms - found.log_integral[:, None]
    )
    share = (
        np.ones_like(weight)
        if one
        else expit(found.logit[:, :1] + found.logit[:, 1:] * np.sinh(X))
    )
    return Part(
        one,
        cells,
        weight,
        share,
        found.logit,
        found.slope,
        found.value,
        found.root,
        found.wider,
        found.log_integral,
    )


def _scales_log_density(
    found: _ShareIntegral, points: Array, *, one: bool
) -> tuple[Array, Array]:
    """Return the log posterior density of the coordinates of the scales, (N,), and its
    gradient, (N, d).
    """
    slope = _log_prior_slope(points, one)
    slope += _coordinate_gradient(found.gradient, points, one)
    return found.log_integral + _log_prior_at(points, one), slope


def _scale_cells(
    model: TwoScaleModel,
    coarse: TwoScaleModel,
    fine: TwoScaleModel,
    box: tuple[Array, Array, npt.NDArray[np.intp]],
    start: Array,
    *,
    one: bool,
) -> Cells:
    def density_of(model: TwoScaleModel, x: Array) -> Density:
        def density(points: Array, state: Array) -> tuple[Array, Array, Array]:
            found = integrate_share(model, points, state, x, one=one)
            return *_scales_log_density(found, points, one=one), found.state

        return density

    # cells are cut with the share at its mode, and weighed with it integrated
    if _sharpening_power(model) < _MANY_IN_POWER:
        density = density_of(fine, _LIKELIEST)
        if fine is not model or len(model.effect) < _SCREENED * _FEWER:
            return adaptive_cells(density, *box, start)
        flatter = density_of(model.fewer(), _LIKELIEST)
        return adaptive_cells(density, *box, start, flatter)
    part = adaptive_cells(density_of(model.fewer(), _LIKELIEST), *box, start)
    return sharpen_cells(
        density_of(coarse, _LIKELIEST),
        part,
        _sharpening_power(model),
        _ON_A_LINE if one else 1.0,
    )


def _scale_box(
    model: TwoScaleModel, *, one: bool
) -> tuple[Array, Array, npt.NDArray[np.intp]]:
    """Return the corners of the coordinates, with about 1e-4 of the prior outside, and
    the numbers of cells.
    """
    span = float(np.ptp(model.effect)) + 3.0
    lower, upper = [np.log(_SMALLEST_SCALE)], [np.log(30 * span)]
    if not one:
        lower, upper = [*lower, -_TAIL], [*upper, max(_TAIL, float(np.log(span)) + 4)]
    low, high = np.array(lower), np.array(upper)
    return low, high, np.ceil((high - low) / _CELL_SIZE).astype(int)


@njit(nogil=True)
def _draw_cells_kernel(  # type: ignore[no-untyped-def]
    ends, center, size, slope, share_slope, nodes, u, places, cell, at, points, x
):
    """Draw a cell and a point of the share in it, and positions about both, from
    uniform numbers.
    """
    step = nodes[1] - nodes[0] if len(nodes) > 1 else 0.0
    for i in range(len(u)):
        found, above, mass = 0, len(ends) - 1, u[i] * ends[-1]
        while found < above:  # the first cell that ends above it
            halfway = (found + above) // 2
            if ends[halfway] > mass:
                above = halfway
            else:
                found = halfway + 1
        c, p = found // len(nodes), found % len(nodes)
        cell[i], at[i] = c, p
        for j in range(points.shape[1]):
            points[i, j] = center[c, j] + size[c, j] * tilted_quantile(
                slope[c, j] * size[c, j], places[i, j]
            )
        x[i] = nodes[p] + step * tilted_quantile(
            0.5 * step * share_slope[c, p], places[i, points.shape[1]]
        )


@njit(nogil=True, no_cpython_wrapper=True)
def _copy(target, source):  # type: ignore[no-untyped-def]
    """Copy numbers; an assignment of slices would compile numba's error texts, which
    takes 4 s.
    """
    for j in range(len(target)):
        target[j] = source[j]


@njit(nogil=True, no_cpython_wrapper=True)
def _cholesky_in_place(matrix):  # type: ignore[no-untyped-def]
    """Compute the Cholesky factor in place, below the diagonal; return whether it
    exists.
    """
    for i in range(len(matrix)):
        for j in range(i + 1):
            s = matrix[i, j]
            for h in range(j):
                s -= matrix[i, h] * matrix[j, h]
            if i == j:
                if not s > 1e-12 * abs(matrix[i, i]):
                    return False
                matrix[i, i] = np.sqrt(s)
            else:
                matrix[i, j] = s / matrix[j, j]
    return True


@njit(nogil=True, no_cpython_wrapper=True)
def _solve_in_place(factor, rest):  # type: ignore[no-untyped-def]
    """Solve L L' x = rest in place."""
    m = len(rest)
    for i in range(m):
        for j in range(i):
            rest[i] -= factor[i, j] * rest[j]
        rest[i] /= factor[i, i]
    _solve_transposed_in_place(factor, rest)


@njit(nogil=True, no_cpython_wrapper=True)
def _solve_transposed_in_place(factor, rest):  # type: ignore[no-untyped-def]
    """Solve L' x = rest in place."""
    m = len(rest)
    for i in range(m - 1, -1, -1):
        for j in range(i + 1, m):
            rest[i] -= factor[j, i] * rest[j]
        rest[i] /= factor[i, i]


@njit(
    nogil=True,
    error_model="numpy",
    no_cpython_wrapper=True,
)
def _inverse_sd_kernel(noise, v1, v2, roots):  # type: ignore[no-untyped-def]
    """Fill 1 / sd of each estimate under both scales, (2, K)."""
    for k in range(len(noise)):
        roots[0, k] = inverse_root(noise[k] + v1)
        roots[1, k] = inverse_root(noise[k] + v2)


@njit(
    nogil=True,
    error_model="numpy",
    no_cpython_wrapper=True,
)
def _row_terms(  # type: ignore[no-untyped-def]
    effect, count, rest, roots, p, curved, scores, weights, terms
):
    """Fill derivatives of each row in its linear part, and the terms of the sums over
    rows, (5, K), but for the log of what replaces the linear part; the loop compiles to
    vector code.
    """
    for k in range(len(effect)):
        r = effect[k] - rest[k]
        y1, y2 = roots[0, k], roots[1, k]
        q1, q2 = y1 * y1, y2 * y2
        gap, half = q1 - q2, 0.5 * r * r
        a = p * y1 * exp2(max(-half * gap * LOG2E, -1000.0))
        both = a + (1 - p) * y2
        first = a / both
        mean, mixed, n = q2 + first * gap, first * (1 - first), count[k]
        terms[0, k] = n * (exponent(both) * LN2 - half * q2)
        terms[1, k] = n * first * q1 * (half * q1 - 0.5)
        terms[2, k] = n * (1 - first) * q2 * (half * q2 - 0.5)
        terms[3, k] = n * (first - p)
        terms[4, k] = n * mixed
        scores[k] = n * r * mean
        weights[k] = n * (mean - curved * half * mixed * gap * gap)
        rest[k] = mantissa(both)


@njit(
    nogil=True,
    error_model="numpy",
    no_cpython_wrapper=True,
)
def _row_sums(  # type: ignore[no-untyped-def]
    effect,
    count,
    single,
    size,
    columns,
    precision,
    roots,
    p,
    value,
    curved,
    gradient,
    matrix,
    room,
    out,
):
    """Compute log density and derivatives at one share and value of the coefficients;
    `curved`: _CURVATURE or _EM.

    Columns are (m, K), roots (2, K) from `_inverse_sd_kernel`, room (8, K): each is a
    run of memory.
    """
    m, n = len(value), len(effect)
    rest, scores, weights, terms = room[0], room[1], room[2], room[3:]
    for k in range(n):
        rest[k] = 0.0
    for j in range(m):
        for k in range(n):
            rest[k] += columns[j, k] * value[j]
    _row_terms(effect, count, rest, roots, p, curved, scores, weights, terms)
    if single:
        total = log2_product(rest) * LN2
    else:
        for k in range(n):
            rest[k] = log2(rest[k])
        total = product_sum(count, rest) * LN2
    for j in range(m):
        gradient[j] = product_sum(columns[j], scores)
        for k in range(n):
            rest[k] = columns[j, k] * weights[k]
        for h in range(j + 1):
            matrix[j, h] = product_sum(rest, columns[h])
    total += summed(terms[0]) - 0.5 * size * np.log(2 * np.pi)
    for j in range(m):
        gradient[j] -= precision[j] * value[j]
        total -= 0.5 * precision[j] * value[j] ** 2
        matrix[j, j] += precision[j]
    out[0], out[1], out[2] = total, summed(terms[1]), summed(terms[2])
    # the uniform prior of the share, as that of its logit
    out[3] = summed(terms[3]) + 1 - 2 * p
    out[4] = (size + 2) * p * (1 - p) - summed(terms[4])


@njit(nogil=True, inline="always")
def _newton_ascent(  # type: ignore[no-untyped-def]
    effect,
    count,
    single,
    size,
    columns,
    precision,
    roots,
    value,
    v,
    free,
    tolerance,
    work,
    step,
    matrix,
    room,
    row,
):
    """Maximize the density over the coefficients and, where `free` is 1.0, the logit v
    of the share.

    Returns v and `gain`, that of one more Newton step, which is left in `step`;
    `matrix` is its factor. -1: failed.
    """
    ahead, direction = np.empty(len(value)), np.empty(len(value))
    for j in range(len(value)):
        ahead[j], direction[j] = value[j], 0.0
    there, dv, gain, floor = v, 0.0, 0.0, -np.inf
    for _ in range(ROUNDS):
        length, curved, usable = 1.0, _CURVATURE, False
        # one call of _row_sums, since each would be compiled by itself
        for turn in range(_HALVINGS + 2):
            share = 1.0 if there > 700 else 1 / (1 + np.exp(-there))
            _row_sums(
                effect,
                count,
                single,
                size,
                columns,
                precision,
                roots,
                share,
                ahead,
                curved,
                step,
                matrix,
                room,
                row,
            )
            height = row[0] - (
                abs(there) + 2 * np.log1p(np.exp(-abs(there))) if free > 0 else 0.0
            )
            if (
                curved == _EM
                or turn >= _HALVINGS
                or height >= (floor - 1e-9 * abs(floor))
            ):
                _copy(work, step)
                usable = _cholesky_in_place(matrix)
                if usable or curved == _EM:
                    break
                curved = _EM  # here once more
            else:
                length *= 0.5
                for j in range(len(ahead)):
                    ahead[j] = value[j] + length * direction[j]
                there = min(max(v + length * dv, -40.0), 40.0) if free > 0 else v
        _copy(value, ahead)
        v, floor = there, height
        up, known = row[3], row[4]
        if not usable:
            return v, -1.0
        _solve_in_place(matrix, step)
        gain = 0.0
        for j in range(len(step)):
            gain += 0.5 * work[j] * step[j]
        most = (size + 2) * share * (1 - share)
        dv = up / (known if known > 0.1 * most else most) if free > 0 else 0.0
        dv = min(max(dv, -1.5), 1.5)
        if gain < tolerance and abs(dv) < 0.02 + 0.02 / np.sqrt(max(most, 1e-12)):
            break
        _copy(direction, step)
        for j in range(len(ahead)):
            ahead[j] = value[j] + direction[j]
        there = min(max(v + dv, -40.0), 40.0) if free > 0 else v
    return v, gain


@njit(nogil=True)
def _integrate_share_kernel(  # type: ignore[no-untyped-def]
    effect,
    noise,
    count,
    columns,
    precision,
    narrow,
    wide,
    x,
    one,
    state,
    value,
    root,
    logit,
    out,
    done,
):
    m, middle = value.shape[2], len(x) // 2
    work, step, matrix, row = np.empty(m), np.empty(m), np.empty((m, m)), np.empty(5)
    at, roots, size = np.empty(m), np.empty((2, len(effect))), summed(count)
    room, single = np.empty((8, len(effect))), True
    for k in range(len(count)):
        single = single and count[k] == 1.0
    for i in range(len(narrow)):
        _copy(at, state[i, 1:])
        _inverse_sd_kernel(noise, narrow[i], wide[i], roots)
        v, width, gain = 1e3, 0.0, -1.0
        for turn in range(
            int(one) - 1, len(x)
        ):  # -1: the mode; then from the middle to one end, then to the other
            s = middle + turn if turn < len(x) - middle else len(x) - 1 - turn
            if turn == len(x) - middle:
                _copy(at, value[i, middle])
            here = state[i, 0] if turn < 0 else v + width * np.sinh(x[s])
            free, tolerance = (1.0, 1e-3) if turn < 0 else (0.0, 1e-2)
            # the middle is the mode, whose sums, step and factor are there
            if not (turn == 0 and x[s] == 0.0 and 0.0 <= gain < tolerance):
                here, gain = _newton_ascent(
                    effect,
                    count,
                    single,
                    size,
                    columns,
                    precision,
                    roots,
                    at,
                    here,
                    free,
                    tolerance,
                    work,
                    step,
                    matrix,
                    room,
                    row,
                )
            if turn < 0:
                p = 1 / (1 + np.exp(-here))
                v, width = here, 1 / np.sqrt(max(row[4], 2 * p * (1 - p), 0.02))
                _copy(state[i, 1:], at)
                continue
            if gain < 0:
                done[i] = -1
                break
            for j in range(m):
                at[j] += step[j]
                value[i, s, j] = at[j]
            height = row[0] + gain
            spread = 0.0
            for j in range(m):
                spread -= np.log(matrix[j, j])
            height += spread
            out[i, s, 4] = spread
            stretch = 1.0
            if not one:  # log of p (1 - p): the uniform prior of the share
                stretch = width * np.cosh(x[s])
                height += np.log(stretch) - abs(here) - 2 * np.log1p(np.exp(-abs(here)))
                out[i, s, 1] = row[3] * stretch + np.tanh(x[s])
            out[i, s, 0], out[i, s, 2], out[i, s, 3] = height, row[1], row[2]
            if s == middle:
                for j in range(m):  # the inverse of L' is a root of the covariance
                    for h in range(m):
                        step[h] = 0.0
                    step[j] = 1.0
                    _solve_transposed_in_place(matrix, step)
                    _copy(root[i, :, j], step)
        state[i, 0], logit[i, 0], logit[i, 1] = v, v, width
