"""The verb `profile`: effects along a position, spacing or dose as a Gaussian process,
with an optional period.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import linalg, special

from causalgia.analysis_values import Prior
from causalgia.attributes import attributes
from causalgia.checks import check_draws
from causalgia.errors import EstimateError, quoted
from causalgia.numerics.float_errors import usual_errors
from causalgia.posterior.error_covariance import Noise, as_usable_se
from causalgia.posterior.exact import log_prior_tau
from causalgia.posterior.labeled_data import (
    FamilyData,
    as_labeled_estimates,
    covariate_values,
    family_data,
    prior_unit_label,
    result_coordinates,
    sigma_label,
)
from causalgia.posterior.posterior_tree import CHAINS, Tree, as_tree
from causalgia.streams import RNG, derive, root_key
from causalgia.types import Array, EstimateTable

_BARE = ("chain", "draw")


@usual_errors
def profile(
    estimates: EstimateTable,
    *,
    along: str,
    periods: npt.ArrayLike | None = None,
    prior: Prior = Prior(),  # noqa: B008  # frozen
    n_draws: int = 4_000,
    rng: RNG,
) -> Tree:
    """Infer effects on a smooth curve by an exact Gaussian process, with the posterior
    of a period on a grid.

    For each task separately, ``effect | delta ~ N(delta, Sigma)`` and ``delta(x) =
    trend + Matern 5/2 + a cos(2 pi x / P) + b sin(2 pi x / P)``: neighbors share
    information. The estimand of row k remains the ACE of its estimate.

    Parameters
    ----------
    estimates
        As `infer` takes them, 4 to 300 contrasts.
    along
        Name of a numeric coordinate on contrast: position, spacing, dose.
    periods
        Grid of periods in the unit of `along`, each equally likely beforehand, such as
        ``np.arange(9, 12.1, 0.1)`` for the turn of the helix; None: no periodic part.
    prior
        ``mu_sd`` is of the height at the middle and of the rise over the whole range;
        ``tau_scale`` of the sd of the smooth part, and of the sd of the periodic
        coefficients.
    n_draws
        In all, over four chains; rounded up to a multiple of four.
    rng
        Seed (0 is a seed), Generator or SeedSequence.

    Returns
    -------
    DataTree
        As `infer`: ``posterior`` with ``ace (chain, draw, contrast, task)``, ``mu``
        (height at the middle), ``slope`` (rise over the range), ``tau`` (sd of the
        smooth part), ``length`` (its length scale, in the unit of `along`), and with
        periods ``period``, ``amplitude`` (``sqrt(a^2 + b^2)``) and ``phase`` (place of
        the first peak from 0, in the unit of `along`), all ``(chain, draw, task)``;
        ``moments``: ``mean, sd, lfsr (contrast, task)``, and with periods
        ``period_probability (period, task)`` and ``log_bayes_factor (task)`` of having
        a period against none.

    Raises
    ------
    EstimateError
        If the coordinate is absent or not numeric, contrasts are too few or too many,
        or a period is not positive.

    References
    ----------
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, sections 2.7
    and 5.4.

    Examples
    --------
    >>> import pandas as pd
    >>> at = np.arange(11.0, 61.0)
    >>> effect = 0.3 * np.cos(
    ...     2 * np.pi * (at - 2) / 10.5
    ... ) + 0.1 * np.random.default_rng(0).normal(size=50)
    >>> table = pd.DataFrame({"effect": effect, "se": 0.1, "spacing": at})
    >>> found = profile(table, along="spacing", periods=[9.5, 10, 10.5, 11], rng=0)
    >>> found["moments"]["period_probability"].round(2).values.ravel()
    array([0., 0., 1., 0.])
    """
    check_draws(n_draws, usual=4000)
    table = as_labeled_estimates(estimates, [along])
    if "model" in table["ace"].dims:
        raise EstimateError("a profile takes one predictor")
    positions = covariate_values(table, along)[1]
    assert positions is not None  # `along` names a coordinate
    x = positions[:, 0]
    n, key = -(-int(n_draws) // CHAINS) * CHAINS, root_key(rng)
    as_usable_se(table)
    families = family_data(table, None, prior)
    found = [_fit_profile(family, x, periods) for family in families]
    generators = [
        np.random.Generator(np.random.Philox(derive(key, "profile", q.task)))
        for q in families
    ]
    drawn = [
        p.sample(n, generator) for p, generator in zip(found, generators, strict=True)
    ]
    coords = result_coordinates(table, ())
    se = np.stack([np.sqrt(family.noise.marginal) for family in families], axis=-1)
    groups = {
        "posterior": _profile_draws_group(
            drawn, coords, has_period=periods is not None
        ),
        "observed_data": xr.Dataset({"effect": table["ace"]}).drop_attrs(),
        "constant_data": xr.Dataset({"se": (("contrast", "task"), se)}, coords),
        "moments": _profile_moments(found, coords, periods is not None),
    }
    attrs = attributes(
        law="smooth profile",
        along=along,
        prior=json.dumps(asdict(prior)),
        prior_unit=prior_unit_label(table, prior),
        sigma=", ".join(
            dict.fromkeys(sigma_label(family.noise) for family in families)
        ),
    )
    for name in ("posterior", "constant_data"):
        groups[name].attrs = dict(table.attrs) | attrs
    return as_tree(groups)


def _fit_profile(
    family: FamilyData, x: npt.NDArray[np.float64], periods: npt.ArrayLike | None
) -> Profile:
    prior = family.prior
    return gaussian_process(
        family.effect,
        family.noise,
        x,
        log_prior=lambda sd: log_prior_tau(prior, sd),
        mu_sd=prior.mu_sd,
        periods=periods,
    )


def _profile_draws_group(
    drawn: Sequence[ProfileDraws], coords: dict[str, Any], *, has_period: bool
) -> xr.Dataset:
    columns = {
        "mu": [d.coefficients[:, 0] for d in drawn],
        "slope": [d.coefficients[:, 1] for d in drawn],
        "tau": [d.sd for d in drawn],
        "length": [d.length for d in drawn],
    }
    if has_period:
        waves = [d.coefficients[:, 2:] for d in drawn]
        turn = [np.arctan2(w[:, 1], w[:, 0]) / (2 * np.pi) % 1 for w in waves]
        columns |= {
            "period": [d.period for d in drawn],
            "amplitude": [np.hypot(w[:, 0], w[:, 1]) for w in waves],
            "phase": [t * d.period for t, d in zip(turn, drawn, strict=True)],
        }
    data: dict[str, Any] = {
        name: ((*_BARE, "task"), _chains(np.stack(v, axis=-1)))
        for name, v in columns.items()
    }
    data["ace"] = (
        (*_BARE, "contrast", "task"),
        _chains(np.stack([d.ace for d in drawn], axis=-1)),
    )
    size = data["ace"][1].shape[:2]
    return xr.Dataset(
        data, coords | {name: np.arange(n) for name, n in zip(_BARE, size, strict=True)}
    )


def _chains(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return values.reshape(CHAINS, -1, *values.shape[1:])


def _profile_moments(
    found: Sequence[Profile], coords: dict[str, Any], has_period: bool
) -> xr.Dataset:
    both = ("contrast", "task")
    data: dict[str, Any] = {
        name: (both, np.stack([getattr(p, name) for p in found], axis=-1))
        for name in ("mean", "sd", "lfsr")
    }
    if not has_period:
        return xr.Dataset(data, coords)
    data["period_probability"] = (
        ("period", "task"),
        np.stack([p.period_probability for p in found], axis=-1),
    )
    data["log_bayes_factor"] = (
        "task",
        [p.log_evidence - p.log_evidence_without_period for p in found],
    )
    return xr.Dataset(data, coords | {"period": found[0].periods})


MOST_POINTS = 300
_SD_GRID = 20
_LENGTH_GRID = 12
_AMPLITUDE_GRID = 16
_LEAST_GRID_WEIGHT = 1e-7
LogPrior = Callable[[Array], Array]


@dataclass(frozen=True, eq=False)
class ProfileDraws:
    """Independent draws of a profile and its hyperparameters; row i of every array
    belongs to draw i.
    """

    ace: Array
    """The profile at the K points, (n, K), in the unit of the effects."""
    coefficients: Array
    """Height at the middle and rise over the whole range, and with a period cosine and
    sine, (n, 2) or (n, 4).
    """
    sd: Array
    """Sd of the smooth part, (n,)."""
    length: Array
    """Its length scale, in the unit of x, (n,)."""
    amplitude_sd: Array
    """Prior sd of the two periodic coefficients, (n,); 0 without a period."""
    period: Array
    """Period, in the unit of x, (n,); 0 without one."""


@dataclass(frozen=True, eq=False)
class Profile:
    """The posterior of a smooth profile at K points: moments by quadrature, and a
    sampler.

    Attributes
    ----------
    mean, sd, lfsr
        Of the profile at each point, (K,).
    periods, period_probability
        The grid of periods and the posterior probability of each, (P,); empty without a
        period.
    log_evidence
        Log density of the effects, up to constants of their number and of a flat prior.
    log_evidence_without_period
        The same without the periodic part; equal where there is none.
    sample
        ``sample(n, generator)`` gives n independent `ProfileDraws`.
    """

    mean: Array
    sd: Array
    lfsr: Array
    periods: Array
    period_probability: Array
    log_evidence: float
    log_evidence_without_period: float
    sample: Callable[[int, np.random.Generator], ProfileDraws]


def matern52(x: Array, length: float) -> Array:
    """Return the Matern 5/2 correlation of points x, (K,), at a length scale: (K, K).

    ``(1 + a + a^2 / 3) exp(-a)`` with ``a = sqrt(5) |x - x'| / length``.

    References
    ----------
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, eq. 4.17.

    Examples
    --------
    >>> matern52(np.array([0.0, 1.0]), 2.0).round(4)
    array([[1.    , 0.8286],
           [0.8286, 1.    ]])
    """
    a = np.sqrt(5) * np.abs(x[:, None] - x[None, :]) / length
    return np.asarray((1 + a + a**2 / 3) * np.exp(-a))


def gaussian_process(
    effect: Array,
    noise: Noise,
    x: Array,
    *,
    log_prior: LogPrior,
    mu_sd: float = np.inf,
    periods: npt.ArrayLike | None = None,
) -> Profile:
    """Return the posterior of ``delta(x) = trend + Matern 5/2 + a cos(2 pi x / P) + b
    sin(2 pi x / P)``.

    Trend and periodic coefficients are integrated in closed form; the sd of the smooth
    part, its length scale, the sd of the periodic part and the period by quadrature:
    log-spaced nodes, of which the lowest carries the prior mass below it.

    Parameters
    ----------
    effect
        Estimates of K effects, (K,), 4 to 300 of them.
    noise
        Their sampling covariance.
    x
        Position, spacing or dose of each, (K,), not all equal.
    log_prior
        Log density of the sd of the smooth part, and of the periodic part, in the unit
        of the effects.
    mu_sd
        Prior sd of the height at the middle of x and of the rise over its range; inf is
        flat.
    periods
        Grid of periods, each equally likely beforehand, in the unit of x; None: no
        periodic part.

    Raises
    ------
    EstimateError
        If there are too few points or more than 300, x has the wrong shape or no
        spread, or a period is not positive.

    References
    ----------
    Rasmussen & Williams (2006), Gaussian Processes for Machine Learning, sections 2.2,
    2.7 and 5.4.

    Examples
    --------
    >>> x = np.arange(40.0)
    >>> noise = Noise(np.full(40, 0.01))
    >>> effect = 0.5 * np.cos(2 * np.pi * x / 10.5) + 0.1 * np.random.default_rng(
    ...     0
    ... ).normal(size=40)
    >>> profile = gaussian_process(
    ...     effect, noise, x, log_prior=lambda s: -s, periods=[8, 9, 10, 10.5, 11, 12]
    ... )
    >>> float(profile.periods[profile.period_probability.argmax()])
    10.5
    """
    points = _as_positions(effect, noise, x)
    grid = _as_periods(periods)
    unit = max(float(np.std(effect)), float(np.sqrt(np.median(noise.marginal))))
    basis = _Basis.of(points, grid)
    sigma = np.diag(noise.variances) if noise.whole is None else noise.whole
    if noise.whole is None and noise.loadings is not None:
        sigma = sigma + noise.loadings @ noise.loadings.T
    sds, log_sds = _log_nodes(0.01 * unit, 30 * unit, _SD_GRID, log_prior)
    amplitudes, log_amplitudes = _log_nodes(
        0.01 * unit, 30 * unit, _AMPLITUDE_GRID, log_prior
    )
    gap = np.diff(np.unique(points))
    lengths = np.geomspace(gap.min(), 2 * np.ptp(points), _LENGTH_GRID)
    kernels = [
        _Kernel.of(sigma, s**2 * matern52(points, length))
        for s in sds
        for length in lengths
    ]
    prior = np.repeat(log_sds, len(lengths)) - np.log(len(lengths))
    shared = (effect, basis, 1 / mu_sd**2)
    plain = (
        np.array([_node_log_density(kernel, *shared, None, None) for kernel in kernels])
        + prior
    )
    if not grid.size:
        log_weight = plain[:, None, None]
    else:
        each = np.stack(
            [_periodic_log_density(kernel, *shared, amplitudes) for kernel in kernels]
        )
        log_weight = (
            each
            + prior[:, None, None]
            + log_amplitudes[None, None, :]
            - np.log(grid.size)
        )
    evidence = float(special.logsumexp(log_weight))
    nodes = _Nodes(
        np.exp(log_weight - evidence),
        kernels,
        np.repeat(sds, len(lengths)),
        np.tile(lengths, len(sds)),
        amplitudes,
        *shared,
    )
    mean, sd, lfsr = nodes.moments()
    return Profile(
        mean=mean,
        sd=sd,
        lfsr=lfsr,
        periods=grid,
        period_probability=nodes.weight.sum(axis=(0, 2)) if grid.size else np.empty(0),
        log_evidence=evidence,
        log_evidence_without_period=float(special.logsumexp(plain)),
        sample=nodes.sample,
    )


def _as_periods(periods: npt.ArrayLike | None) -> Array:
    if periods is None:
        return np.empty(0)
    grid = np.asarray(periods).ravel()
    if (
        grid.dtype.kind not in "iuf"
        or not grid.size
        or not (np.isfinite(grid) & (grid > 0)).all()
    ):
        raise EstimateError(
            f"periods={quoted(periods)} must be positive numbers, such as [9.5, "
            "10.0, 10.5, 11.0]; None asks for no period"
        )
    return grid.astype(np.float64)


def _as_positions(effect: Array, noise: Noise, x: Array) -> Array:
    points = np.asarray(x, dtype=np.float64)
    if points.shape != effect.shape or noise.marginal.shape != effect.shape:
        raise EstimateError(
            f"x has shape {points.shape}, and there are {effect.size} effects"
        )
    if not 4 <= effect.size <= MOST_POINTS:
        raise EstimateError(
            f"{effect.size} points: an exact smooth profile takes 4 to {MOST_POINTS}"
        )
    if not np.isfinite(points).all():
        k = int(np.argmin(np.isfinite(points)))
        raise EstimateError(f"x[{k}] is {points[k]:g}")
    if np.ptp(points) == 0:
        raise EstimateError(
            f"x is {points[0]:g} in all {len(points)} contrasts: a profile needs "
            "different positions"
        )
    return points


def _log_nodes(
    low: float, high: float, n: int, log_prior: LogPrior
) -> tuple[Array, Array]:
    """Return nodes equally spaced in log, and the log prior mass of each; that of the
    first includes all below it.
    """
    nodes = np.geomspace(low, high, n)
    width = np.log(nodes[1] / nodes[0])
    density = np.exp(log_prior(nodes))
    mass = density * nodes * width
    mass[0] = density[0] * nodes[0] * (1 + width / 2)
    with np.errstate(divide="ignore"):
        return nodes, np.log(mass / mass.sum()) if np.isfinite(
            mass
        ).all() else np.zeros(n)


@dataclass(frozen=True, eq=False)
class _Basis:
    """Linear terms: the trend, (K, 2), and cosine and sine of each of P periods, (K, P,
    2).
    """

    trend: Array
    waves: Array
    periods: Array

    @classmethod
    def of(cls, x: Array, periods: Array) -> _Basis:
        middle = (x.max() + x.min()) / 2
        turn = 2 * np.pi * x[:, None] / periods[None, :]
        waves = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        return cls(
            np.stack([np.ones_like(x), (x - middle) / np.ptp(x)], axis=1),
            waves,
            periods,
        )

    def of_period(self, p: int | None) -> Array:
        return (
            self.trend
            if p is None
            else np.concatenate([self.trend, self.waves[:, p]], axis=1)
        )


@dataclass(frozen=True, eq=False)
class _Kernel:
    """Smooth covariance at one node, and the Cholesky factor of it plus the noise."""

    smooth: Array
    factor: Array
    log_det: float

    @classmethod
    def of(cls, sigma: Array, smooth: Array) -> _Kernel:
        factor = linalg.cholesky(sigma + smooth, lower=True)
        return cls(smooth, factor, 2 * float(np.log(np.diagonal(factor)).sum()))

    def whiten(self, columns: Array) -> Array:
        return np.asarray(linalg.solve_triangular(self.factor, columns, lower=True))


def _node_log_density(
    kernel: _Kernel,
    effect: Array,
    basis: _Basis,
    precision: float,
    p: int | None,
    amplitude: float | None,
) -> float:
    """Return the log density of the effects at one node, linear coefficients
    integrated.
    """
    rows = kernel.whiten(np.column_stack([effect, basis.of_period(p)]))
    y, H = rows[:, 0], rows[:, 1:]
    prior = _prior_precisions(precision, None if p is None else amplitude)
    return float(
        _marginal_log_density(kernel.log_det, float(y @ y), H.T @ y, H.T @ H, prior)
    )


def _periodic_log_density(
    kernel: _Kernel, effect: Array, basis: _Basis, precision: float, amplitudes: Array
) -> Array:
    """Return the log density at every period and amplitude, (P, A): one solve for all
    of them.
    """
    n_periods = basis.waves.shape[1]
    rows = kernel.whiten(
        np.column_stack([effect, basis.trend, basis.waves.reshape(len(effect), -1)])
    )
    y, W = rows[:, 0], rows[:, 3:].reshape(len(effect), n_periods, 2).transpose(1, 0, 2)
    H = np.concatenate([np.broadcast_to(rows[:, 1:3], W.shape), W], axis=2)
    v, G = (y @ H)[:, None, :], (H.transpose(0, 2, 1) @ H)[:, None]
    prior = np.stack([_prior_precisions(precision, float(a)) for a in amplitudes])
    return _marginal_log_density(kernel.log_det, float(y @ y), v, G, prior[None])


def _prior_precisions(precision: float, amplitude: float | None) -> Array:
    return np.array(
        [precision] * 2 + ([] if amplitude is None else [amplitude**-2.0] * 2)
    )


def _marginal_log_density(
    log_det: float, square: float, v: Array, G: Array, prior: Array
) -> Array:
    """Return the log density of y = H b + N(0, C) with b ~ N(0, 1 / prior), up to 2 pi;
    a precision of 0 is flat.

    `v` = H'C^-1 y, (..., c); `G` = H'C^-1 H, (..., c, c); `prior`, (..., c), zero in
    the same places throughout.
    """
    A = G + prior[..., None] * np.eye(prior.shape[-1])
    v = np.broadcast_to(v, A.shape[:-1])
    fitted = (v * np.linalg.solve(A, v[..., None])[..., 0]).sum(axis=-1)
    known = np.log(np.where(prior > 0, prior, 1.0)).sum(axis=-1)
    return np.asarray(
        -0.5 * (log_det + square - fitted + np.linalg.slogdet(A)[1] - known)
    )


@dataclass(frozen=True, eq=False)
class _Nodes:
    """All nodes with posterior weights (kernel, period, amplitude), and the data for
    moments and draws at each.
    """

    weight: Array
    kernels: list[_Kernel]
    sds: Array
    lengths: Array
    amplitudes: Array
    effect: Array
    basis: _Basis
    precision: float

    @property
    def has_period(self) -> bool:
        return bool(self.basis.waves.shape[1] > 0)

    def at(
        self, kernel: _Kernel, p: npt.NDArray[np.intp], a: npt.NDArray[np.intp]
    ) -> tuple[Array, Array, Array]:
        """Return the linear coefficients at h nodes of a kernel: mean (h, c),
        covariance (h, c, c), basis (h, K, c).
        """
        periods, which = np.unique(p, return_inverse=True)
        H = np.stack(
            [self.basis.of_period(int(i) if self.has_period else None) for i in periods]
        )
        y = kernel.whiten(self.effect)
        W = (
            kernel.whiten(H.transpose(1, 0, 2).reshape(len(y), -1))
            .reshape(len(y), *H.shape[::2])
            .transpose(1, 0, 2)
        )
        amplitude = [float(self.amplitudes[i]) if self.has_period else None for i in a]
        prior = np.stack(
            [_prior_precisions(self.precision, each) for each in amplitude]
        )
        precision = (W.transpose(0, 2, 1) @ W)[which] + prior[:, None] * np.eye(
            prior.shape[1]
        )
        covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
        return (covariance @ (y @ W)[which][..., None])[..., 0], covariance, H[which]

    def moments(self) -> tuple[Array, Array, Array]:
        """Return mean, sd and local false sign rate of the profile at each point, each
        (K,).
        """
        first, second, below = np.zeros((3, self.effect.size))
        total = 0.0
        for kernel, weight in zip(self.kernels, self.weight, strict=True):
            p, a = np.nonzero(weight > _LEAST_GRID_WEIGHT)
            if not len(p):
                continue
            gain, own = self._smoothing(kernel)
            b, V, H = self.at(kernel, p, a)
            D, w = H - gain @ H, weight[p, a]
            line = (H @ b[..., None])[..., 0]
            mean = line + (self.effect - line) @ gain.T
            variance = np.diagonal(own) + ((D @ V) * D).sum(axis=-1)
            first, second = first + w @ mean, second + w @ (mean**2 + variance)
            below, total = (
                below + w @ special.ndtr(-mean / np.sqrt(variance)),
                total + float(w.sum()),
            )
        mean = np.asarray(first / total)
        lfsr = np.asarray(
            np.minimum(below / total, 1 - below / total), dtype=np.float64
        )
        return mean, np.asarray(np.sqrt(np.maximum(second / total - mean**2, 0))), lfsr

    def _smoothing(self, kernel: _Kernel) -> tuple[Array, Array]:
        """Return the gain from residuals to the smooth part, (K, K), and its covariance
        given the residuals.
        """
        half = kernel.whiten(kernel.smooth)
        gain = np.asarray(
            linalg.solve_triangular(kernel.factor, half, lower=True, trans="T")
        ).T
        return gain, kernel.smooth - half.T @ half

    def sample(self, n: int, generator: np.random.Generator) -> ProfileDraws:
        """Return n independent draws: a node by its weight, its coefficients, then the
        smooth part given them.
        """
        flat = self.weight.ravel()
        chosen = np.sort(generator.choice(flat.size, size=n, p=flat / flat.sum()))
        k, p, a = np.unravel_index(chosen, self.weight.shape)
        columns = 4 if self.has_period else 2
        ace, coefficients = np.empty((n, self.effect.size)), np.empty((n, columns))
        edges = np.flatnonzero(np.diff(chosen, prepend=-1, append=-1))
        last, gain, root = -1, np.empty(0), np.empty(0)
        for start, stop in pairwise(edges):
            kernel = self.kernels[k[start]]
            if k[start] != last:
                last = int(k[start])
                gain, own = self._smoothing(kernel)
                root = _covariance_root(own)
            b, V, H = self.at(kernel, p[start : start + 1], a[start : start + 1])
            beta = (
                b[0]
                + generator.standard_normal((stop - start, columns))
                @ _covariance_root(V[0]).T
            )
            line = beta @ H[0].T
            noise = generator.standard_normal((stop - start, self.effect.size)) @ root.T
            ace[start:stop], coefficients[start:stop] = (
                line + (self.effect - line) @ gain.T + noise,
                beta,
            )
        order = generator.permutation(n)
        zero = np.zeros(n)
        period = self.basis.periods[p] if self.has_period else zero
        amplitude = self.amplitudes[a] if self.has_period else zero
        each = (ace, coefficients, self.sds[k], self.lengths[k], amplitude, period)
        return ProfileDraws(*(np.asarray(x)[order] for x in each))


def _covariance_root(covariance: Array) -> Array:
    """Return R with R R' = covariance, which may be singular: negative eigenvalues
    count as 0.
    """
    values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))
