"""Exact engines: their common posterior, the design of the center, and errors that
effects share.

All laws return an `Exact`. What all effects share is integrated by Laplace's method:
with noise ``Sigma = L L' + D`` an estimate is ``x_k' b + L_k f + delta'_k + noise_k``,
``f ~ N(0, I)`` and the noise independent. Given c = (b, f) the rows are independent,
and the posterior of c is nearly normal about its mode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.linalg import LinAlgError
from scipy.linalg import cho_factor, cho_solve
from scipy.special import gammaln, ndtri

from causalgia.analysis_values import Prior
from causalgia.checks import check_draws
from causalgia.errors import EstimateError, quoted
from causalgia.posterior.error_covariance import Noise
from causalgia.posterior.scale_mixture import (
    Components,
    Node,
    ResidualRows,
    residual_rows,
)
from causalgia.types import Array

# widths relative to the first bracket
_BRACKET_STEPS = 200
_BRACKET_TOLERANCE = 1e-12
_LEAST_NUDGE = 4e-14
# least singular value of the covariates, of the largest: sums of their squares lose its
# square
_COLLINEAR = 1e-6
_HALF_T_DF = 3.0
#: power of the tail: p(tau) falls as tau to minus this; 40 stands for a normal tail
TAIL = {
    "half_t": _HALF_T_DF + 1,
    "half_cauchy": 2.0,
    "half_normal": 40.0,
    "uniform": 0.0,
}
_ASCENT_STEPS = 500
_STEP_HALVINGS = 40
_STILL = 1e-9
_STRATA = 11


@dataclass(frozen=True, eq=False)
class Draws:
    """Independent draws from one joint posterior: row i of every array belongs to draw
    i.
    """

    ace: Array
    """Effects, (n, K), in the unit of the effects."""
    mu: Array
    """Center of the effects, (n,)."""
    tau: Array
    """Spread of the effects about their center, (n,); scale of z in
    ``delta = mu + x' beta + tau z``.
    """
    beta: Array
    """Coefficients of the covariates, (n, q); q = 0 where there are none."""
    law: dict[str, Array] = field(default_factory=dict)
    """Parameters of the law of effects other than tau, by name, (n,) each."""
    slab: Array | None = None
    """Effects given that they are not exactly 0, each by itself, (n, K), under a law
    with an atom; None without one.
    """
    log_likelihood: Callable[[], Array] | None = None
    """Computes the log density of each estimate given the shared parameters of each
    draw, (n, K). None where the law is not drawn.
    """


@dataclass(frozen=True, eq=False)
class Nodes:
    """Posterior of the hyperparameters on T nodes: at each, the coefficients are normal
    with these moments.
    """

    weight: Array
    """Posterior probability of each node, (T,); sums to 1."""
    tau: Array
    """Spread at each node, (T,)."""
    coefficients: Array
    """Mean of (mu, beta) given the node, (T, 1 + q)."""
    coefficients_sd: Array
    """Their sd given the node, (T, 1 + q); 0 where the node determines them."""


@dataclass(frozen=True, eq=False)
class Exact:
    """The posterior of K effects of one task and family: exact moments, and a sampler.

    Everything is in the unit of the effects. ``lfsr`` is P(delta = 0) + min(P(delta <
    0), P(delta > 0)), and ``lfdr`` is P(delta = 0): 0 under a continuous prior.
    """

    mean: Array
    """Posterior mean of each effect, (K,)."""
    sd: Array
    """Posterior sd of each effect, (K,)."""
    lfsr: Array
    """Local false sign rate, (K,)."""
    lfdr: Array
    """Posterior probability that the effect is 0, (K,)."""
    shrinkage: Array
    """Shrinkage factor from the estimate towards the center, (K,):
    ``E[s^2 / (tau^2 + s^2)]`` over the posterior of tau under a normal law; 0 leaves
    the estimate, 1 replaces it by the center.
    """
    nodes: Nodes
    """Posterior of the hyperparameters."""
    log_evidence: float
    """Log density of the effects under the model, up to the constant of a flat
    prior.
    """
    below: Callable[[Array], Array]
    """P(delta_k <= x_k) for x of shape (K,); discontinuous where an effect may be
    exactly 0.
    """
    sample: Callable[[int, np.random.Generator], Draws]
    """Independent draws from the joint posterior."""

    def draw(self, n: int, generator: np.random.Generator) -> Draws:
        """Return n independent draws from the joint posterior of effects and
        hyperparameters.

        Raises
        ------
        EstimateError
            If n is not a positive whole number.
        """
        check_draws(n, usual=4000)
        return self.sample(int(n), generator)

    def quantile(self, probability: float) -> Array:
        """Return the posterior quantile of each effect, (K,), from a bracket of 1e-15
        sd or one float.

        The bracket shrinks by secants on the probit scale, on which `below` is nearly
        straight, projected so that they are few more than bisections at worst (ITP),
        and by bisection in the end. An atom at 0 is tried first.

        Raises
        ------
        EstimateError
            If the probability does not lie strictly between 0 and 1.

        References
        ----------
        Oliveira & Takahashi (2020), doi:10.1145/3423597.
        """
        if not 0 < probability < 1:
            raise EstimateError(
                f"probability {quoted(probability)} does not lie between 0 and 1"
            )
        # Cantelli
        reach = 1.01 * np.sqrt(
            max(probability, 1 - probability) / min(probability, 1 - probability)
        )
        lower, upper = self.mean - reach * self.sd, self.mean + reach * self.sd
        if (self.lfdr > 0).any():
            at_zero = self.below(np.zeros_like(self.mean))
            atom = (
                (at_zero - self.lfdr < probability)
                & (at_zero >= probability)
                & (self.lfdr > 0)
            )
            lower, upper = np.where(atom, 0.0, lower), np.where(atom, 0.0, upper)
        first, z_lower, z_upper = (
            upper - lower,
            _probit(self.below(lower)),
            _probit(self.below(upper)),
        )
        for step in range(_BRACKET_STEPS):
            width = upper - lower
            middle = lower + width / 2
            if np.all(
                (middle == lower) | (middle == upper) | (width <= 1e-15 * self.sd)
            ):
                break
            with np.errstate(
                invalid="ignore", divide="ignore"
            ):  # where a bracket is closed
                secant = lower + (ndtri(probability) - z_lower) * width / (
                    z_upper - z_lower
                )
                nudge = np.maximum(0.2 * width**2 / first, _LEAST_NUDGE * first)
                inside = secant + np.sign(middle - secant) * np.minimum(
                    nudge, np.abs(middle - secant)
                )
            slack = np.maximum(first * 2.0**-step - width / 2, 0.0)
            x = np.clip(inside, middle - slack, middle + slack)
            x = np.where(
                (width > _BRACKET_TOLERANCE * first) & (x > lower) & (x < upper),
                x,
                middle,
            )
            mass = self.below(x)
            under, z = mass < probability, _probit(mass)
            lower, upper = np.where(under, x, lower), np.where(under, upper, x)
            z_lower, z_upper = np.where(under, z, z_lower), np.where(under, z_upper, z)
        return np.where((lower <= 0) & (upper >= 0), 0.0, upper)


def _probit(mass: Array) -> Array:
    return np.asarray(ndtri(np.clip(mass, 1e-300, 1 - 1e-16)))


def log_prior_tau(prior: Prior, tau: Array) -> Array:
    """Return the log prior density of tau, normalized; a flat prior has density 1.

    Examples
    --------
    >>> log_prior_tau(Prior(tau="uniform", tau_scale=2), np.array([1.0, 3.0]))
    array([-0.69314718,        -inf])
    """
    scaled = tau / prior.tau_scale
    if prior.tau == "half_normal":
        return np.asarray(
            0.5 * np.log(2 / np.pi) - np.log(prior.tau_scale) - scaled**2 / 2
        )
    if prior.tau == "uniform":
        level = 0.0 if np.isinf(prior.tau_scale) else -np.log(prior.tau_scale)
        # includes the end, within rounding
        return np.where(scaled <= 1 + 1e-9, level, -np.inf)
    df = 1.0 if prior.tau == "half_cauchy" else _HALF_T_DF
    constant = (
        np.log(2)
        + gammaln((df + 1) / 2)
        - gammaln(df / 2)
        - 0.5 * np.log(df * np.pi)
        - np.log(prior.tau_scale)
    )
    return np.asarray(constant - (df + 1) / 2 * np.log1p(scaled**2 / df))


def has_flat_tau(prior: Prior) -> bool:
    """Return whether the prior of tau is flat on (0, inf)."""
    return prior.tau == "uniform" and bool(np.isinf(prior.tau_scale))


def rescale_prior(prior: Prior, unit: float) -> Prior:
    """Return the prior in multiples of `unit`."""
    return replace(prior, mu_sd=prior.mu_sd / unit, tau_scale=prior.tau_scale / unit)


@dataclass(frozen=True, eq=False)
class Design:
    """Fixed effects of the center, ``mu + x' beta``, and their normal prior about 0."""

    columns: Array
    """Intercept and centered covariates, (K, 1 + q)."""
    sd: Array
    """Prior sd of mu and of each beta, (1 + q,); ``inf`` is flat."""


def fixed_effects_design(n: int, covariates: Array | None, prior: Prior) -> Design:
    """Return the design of the center of n effects: covariates centered, so that mu is
    the effect at their mean.

    The prior of beta is as wide as that of mu per sd of the covariate:
    ``beta ~ N(0, (mu_sd / sd(x))^2)``.

    Parameters
    ----------
    n
        Number of effects, K.
    covariates
        Of each effect, (K, q); None for none.
    prior
        Prior of mu and tau, in the unit of the effects.

    Raises
    ------
    EstimateError
        If a covariate is not finite or constant, some are sums of others, or there are
        as many as effects.
    """
    if covariates is None or covariates.shape[1] == 0:
        return Design(np.ones((n, 1)), np.array([prior.mu_sd]))
    if covariates.shape[0] != n or not np.isfinite(covariates).all():
        raise EstimateError(
            f"covariates of shape {covariates.shape} for {n} effects: give one finite "
            "number for each effect"
        )
    centered = covariates - covariates.mean(axis=0)
    spread = centered.std(axis=0)
    if (spread <= 1e-12 * np.abs(covariates).max(axis=0)).any():
        raise EstimateError(
            f"covariate {int(np.argmin(spread))} is constant and carries no information"
        )
    columns = np.column_stack([np.ones(n), centered])
    if (
        np.linalg.matrix_rank(
            np.column_stack([np.ones(n), centered / spread]), rtol=_COLLINEAR
        )
        < columns.shape[1]
    ):
        raise EstimateError(
            f"{centered.shape[1]} covariates of {n} effects: some are sums of others, "
            "or too many"
        )
    return Design(columns, np.concatenate([[prior.mu_sd], prior.mu_sd / spread]))


def check_proper(n: int, center: Design, prior: Prior) -> None:
    """Raise for flat priors under which n effects have no posterior: a flat coefficient
    needs one, a flat tau two.

    Raises
    ------
    EstimateError
        If tau is flat and there are too few effects; the error gives the number needed.
    """
    lost = int(np.isinf(center.sd).sum())
    if has_flat_tau(prior) and n - lost <= 1:
        raise EstimateError(
            f"{n} effect{'s' * (n > 1)} with a flat prior of tau give no proper "
            f"posterior: it takes {2 + lost} or more"
        )


@dataclass(frozen=True, eq=False)
class LinearPart:
    """The linear part of the estimates: ``columns @ (b, f)``, and the normal prior of
    (b, f) about 0.
    """

    columns: Array
    """``[X | L]``, (K, m)."""
    precision: Array
    """Prior precision of each coefficient, (m,); 0 is flat, 1 a factor score."""
    n_center: int
    """Number of columns of the center of the effects; the others are factors of the
    noise.
    """

    def split(self, coefficients: Array) -> tuple[Array, Array]:
        """Return the center of the effects and the whole linear part, (..., K) each, at
        coefficients (..., m).
        """
        center = coefficients[..., : self.n_center] @ self.columns[:, : self.n_center].T
        return center, center + coefficients[..., self.n_center :] @ self.columns[
            :, self.n_center :
        ].T


@dataclass(frozen=True, eq=False)
class SharedMode:
    """The posterior of the m coefficients given the components: normal about its
    mode.
    """

    value: Array
    """Mode, (m,)."""
    root: Array
    """Lower triangular R with covariance R R', (m, m)."""
    log_integral: float
    """Laplace's log of the integral over the coefficients; up to the constants of flat
    priors.
    """
    peaked: bool
    """Whether the density is concave here in all directions; if not, the covariance is
    a lower bound.
    """

    def at(self, normal: Array) -> Array:
        """Return coefficients at standard normal positions (n, m)."""
        return np.asarray(self.value + normal @ self.root.T)


def linear_part(design: Design | None, noise: Noise) -> LinearPart:
    """Return the linear part of a center (None: the center is 0) and the noise's
    factors.

    Raises
    ------
    EstimateError
        If the noise is a whole covariance, which has no factors.
    """
    if noise.whole is not None:
        raise EstimateError("a whole covariance is exact under law='normal' alone")
    size = len(noise.variances)
    center = np.empty((size, 0)) if design is None else design.columns
    loadings = np.empty((size, 0)) if noise.loadings is None else noise.loadings
    precision = np.empty(0) if design is None else 1 / design.sd**2
    return LinearPart(
        np.hstack([center, loadings]),
        np.append(precision, np.ones(loadings.shape[1])),
        center.shape[1],
    )


def shared_mode(
    effect: Array,
    noise: Array,
    components: Components,
    shared: LinearPart,
    start: Array,
) -> SharedMode:
    """Return the mode of the coefficients given the components, and Laplace's
    approximation about it.

    Newton's method where the density is log-concave and increases, else steps of the EM
    algorithm, which always do.

    Parameters
    ----------
    effect, noise
        Estimates and their independent noise variances, (K,).
    components
        Prior of the effects about their center.
    shared
        Linear part of the estimates.
    start
        Coefficients to start from, (m,).

    Raises
    ------
    EstimateError
        If the coefficients have no mode, or rows leave one of them undetermined.

    References
    ----------
    Tierney & Kadane (1986), doi:10.1080/01621459.1986.10478240.
    """
    value, rows = start, _rows_at(effect, noise, components, shared, start)
    for _ in range(_ASCENT_STEPS):
        step = _ascent_step(effect, rows, shared, value)
        reached = _line_search(effect, noise, components, shared, value, rows, step)
        moved = np.abs(shared.columns @ (reached[0] - value)) / np.sqrt(noise)
        value, rows = reached
        if not moved.size or moved.max() < _STILL:
            size = len(value)
            factor, peaked = _curvature_factor(rows, shared)
            known = shared.precision[shared.precision > 0]
            normalizer = 0.5 * np.log(known).sum() - 0.5 * len(known) * np.log(
                2 * np.pi
            )
            spread = 0.5 * size * np.log(2 * np.pi) - np.log(np.diag(factor)).sum()
            root = (
                np.linalg.cholesky(np.linalg.inv(factor @ factor.T)) if size else factor
            )
            return SharedMode(
                value,
                root,
                _log_joint(rows, shared, value) + float(normalizer + spread),
                peaked,
            )
    raise EstimateError(
        f"factor scores or covariates found no mode in {_ASCENT_STEPS} steps"
    )


def row_nodes(
    weight: float,
    effect: Array,
    components: Components,
    shared: LinearPart,
    value: Array,
    root: Array,
) -> list[Node]:
    """Return nodes of each row's linear part, where the coefficients are normal.

    A row depends on the coefficients through its linear part and its center only, which
    are jointly normal. The linear part is divided into eleven equally likely strata;
    within each, effects are normal given their component.

    Parameters
    ----------
    weight
        Probability of all the nodes together.
    effect
        Estimates, (K,).
    components
        Prior of the effects about their center.
    shared
        Linear part of the estimates.
    value, root
        Mean of the coefficients, (m,), and a root of their covariance, (m, m).
    """
    center, linear = shared.split(value)
    if not len(value):
        return [Node(weight, effect - linear, center, components)]
    n = shared.n_center
    a, b = shared.columns[:, :n] @ root[:n], shared.columns @ root
    sd = np.sqrt((b**2).sum(axis=1))
    slope = (a * b).sum(axis=1) / np.where(sd > 0, sd, 1.0)
    rest = (
        np.sqrt(np.maximum((a**2).sum(axis=1) - slope**2, 0.0))
        if 0 < n < len(value)
        else 0.0
    )
    return [
        Node(
            weight / _STRATA,
            effect - linear - sd * x,
            center + slope * x,
            components,
            sd * h,
            slope * h,
            rest,
        )
        for x, h in zip(*normal_strata(_STRATA), strict=True)
    ]


def normal_strata(n: int) -> tuple[Array, Array]:
    """Return mean and sd of the standard normal within n equally likely intervals, (n,)
    each.

    Examples
    --------
    >>> mean, sd = normal_strata(1)
    >>> mean.item(), sd.item()
    (-0.0, 1.0)
    """
    edges = ndtri(np.arange(1, n) / n)
    height = np.concatenate(
        [[0.0], np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi), [0.0]]
    )
    product = np.concatenate([[0.0], edges, [0.0]]) * height
    mean = -n * np.diff(height)
    return mean, np.sqrt(1 - n * np.diff(product) - mean**2)


def _rows_at(
    effect: Array,
    noise: Array,
    components: Components,
    shared: LinearPart,
    value: Array,
) -> ResidualRows:
    return residual_rows(effect - shared.columns @ value, noise, components)


def _log_joint(rows: ResidualRows, shared: LinearPart, value: Array) -> float:
    return float(rows.log_density.sum() - 0.5 * (shared.precision * value**2).sum())


def _ascent_step(
    effect: Array, rows: ResidualRows, shared: LinearPart, value: Array
) -> Array:
    """Return the Newton step if the density is log-concave here, else the EM step."""
    residual = effect - shared.columns @ value
    gradient = shared.columns.T @ (rows.precision * residual) - shared.precision * value
    for weight in (rows.curvature, rows.precision):
        try:
            return np.asarray(
                cho_solve(cho_factor(_information_matrix(weight, shared)), gradient)
            )
        except LinAlgError:
            continue
    raise EstimateError(
        "effects leave a coefficient undetermined: covariates are collinear, or too "
        "many"
    )


def _line_search(
    effect: Array,
    noise: Array,
    components: Components,
    shared: LinearPart,
    value: Array,
    rows: ResidualRows,
    step: Array,
) -> tuple[Array, ResidualRows]:
    """Halve the step until the density does not decrease."""
    floor = _log_joint(rows, shared, value)
    for _ in range(_STEP_HALVINGS):
        ahead = value + step
        reached = _rows_at(effect, noise, components, shared, ahead)
        if _log_joint(reached, shared, ahead) >= floor - 1e-12 * abs(floor):
            return ahead, reached
        step = step / 2
    return value, rows


def _curvature_factor(rows: ResidualRows, shared: LinearPart) -> tuple[Array, bool]:
    """Return the Cholesky factor of the curvature, or of the EM information where the
    density is not concave.
    """
    if not len(shared.precision):
        return np.empty((0, 0)), True
    try:
        return np.asarray(
            np.linalg.cholesky(_information_matrix(rows.curvature, shared)),
            dtype=np.float64,
        ), True
    except LinAlgError:
        return np.asarray(
            np.linalg.cholesky(_information_matrix(rows.precision, shared)),
            dtype=np.float64,
        ), False


def _information_matrix(weight: Array, shared: LinearPart) -> Array:
    information = shared.columns.T @ (weight[:, None] * shared.columns)
    information[np.diag_indices_from(information)] += shared.precision
    return np.asarray(information)
