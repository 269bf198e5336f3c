"""Covariance Sigma of the estimates about their effects:
``d_hat | delta ~ N(delta, Sigma)``.

Sigma is used whole where it is known or well estimated (K <= df/10). Estimated from few
clusters, it has null directions that look noise-free, and tau would absorb the noise;
it is then used as low rank + diagonal, as it is for laws that need effects to be
independent given a few scores: docs/effects.md, "Many effects together".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from causalgia.attributes import has
from causalgia.errors import EstimateError, first_of
from causalgia.numerics.moments import density_ratio_at_0, log_sf_t
from causalgia.types import Array

# a covariance of K contrasts is used whole from 10 K degrees of freedom on
_PER_CONTRAST = 10
_NEAR_ZERO = 1e-3
_SINGULAR = 1e-12
# least eigenvalue of estimated correlations for a whole covariance
_LEAST_EIGENVALUE = 1e-6
_SURE_SCORE = 5.0  # normal score beyond which the sign is certain
_LEAST_OWN_VARIANCE = 0.05  # least unshared part of a variance
_ONE_FACTOR = 1e-8
_LEAST_SE = 1e-150  # and its inverse the largest, so that squares do not overflow


@dataclass(frozen=True, eq=False)
class Noise:
    """Sigma, the covariance of K estimates about their effects, in one of three forms.

    Independent (``loadings`` and ``whole`` None), low rank + diagonal (``loadings``),
    or ``whole``.
    """

    variances: Array
    """Diagonal D of ``Sigma = L L' + D``, (K,), all positive; with ``whole``, the
    diagonal of Sigma itself.
    """
    loadings: Array | None = None
    """L, (K, r)."""
    whole: Array | None = None
    """Sigma itself, (K, K), symmetric and positive definite."""

    @property
    def marginal(self) -> Array:
        """Diagonal of Sigma, (K,): the squared standard errors."""
        return (
            self.variances
            if self.loadings is None
            else self.variances + (self.loadings**2).sum(axis=1)
        )


def check_effects(effect: Array, noise: Noise) -> None:
    """Raise unless effects and noise variances are K usable numbers each.

    Raises
    ------
    EstimateError
        If shapes differ, or a number is not finite, or a variance not positive.
    """
    if effect.ndim != 1 or effect.size == 0 or effect.shape != noise.variances.shape:
        raise EstimateError(
            f"effects of shape {effect.shape} and noise of {noise.variances.shape}: "
            "give K of each"
        )
    for name, values in (("effect", effect), ("variance", noise.variances)):
        bad = ~np.isfinite(values) | ((values <= 0) if name == "variance" else False)
        if bad.any():
            k = int(np.argmax(bad))
            raise EstimateError(
                f"contrast {k}: {name} {values[k]:g} is not a usable number"
            )


def noise_unit(noise: Noise) -> float:
    """Return a power of 2 near the typical standard error, in which results do not
    depend on the unit of the data.
    """
    return float(2.0 ** np.round(np.log2(np.median(np.sqrt(noise.marginal)))))


def rescale_noise(noise: Noise, unit: float) -> Noise:
    """Return the noise in multiples of `unit`."""
    loadings = None if noise.loadings is None else noise.loadings / unit
    return Noise(
        noise.variances / unit**2,
        loadings,
        None if noise.whole is None else noise.whole / unit**2,
    )


def normal_scores(effect: Array, se: Array, df: Array) -> Array:
    """Return standard errors that make ``effect / se`` the normal score of its own t
    p-value.

    A t with few degrees of freedom has heavy tails; treated as normal, it gives too
    many wrong signs. With ``z = Phi^-1(F_t(t))`` the standard error becomes
    ``effect / z``, and at effect 0 its limit ``se * phi(0) / f_t(0)``. Beyond z = 5 it
    is constant: the sign is certain there, and an interval that grew with the effect
    would be less informative than the t interval.

    Parameters
    ----------
    effect, se, df
        Effects, their standard errors (positive) and degrees of freedom (positive;
        ``inf`` is normal), ``(..., K)``.

    Returns
    -------
    ndarray
        Standard errors, ``(..., K)``, never below `se`.

    Raises
    ------
    EstimateError
        If the degrees of freedom of an effect are not positive.

    References
    ----------
    Efron (2010), Large-Scale Inference, doi:10.1017/CBO9780511761362, section 2.1.

    Examples
    --------
    >>> normal_scores(
    ...     np.array([0.0, 2.776445]), np.ones(2), np.array([4.0, 4.0])
    ... ).round(4)
    array([1.0638, 1.4166])
    """
    effect, se, df = np.broadcast_arrays(effect, se, df)
    if not (df > 0).all():
        at = tuple(np.argwhere(~(df > 0))[0])
        raise EstimateError(
            f"contrast {at[-1]}: df {df[at]:g} is not positive; df=None is normal"
        )
    t = np.minimum(
        np.abs(effect / se), -special.stdtrit(df, special.ndtr(-_SURE_SCORE))
    )
    factor = np.ones(t.shape)
    near, far = np.isfinite(df) & (t < _NEAR_ZERO), np.isfinite(df) & (t >= _NEAR_ZERO)
    density = density_ratio_at_0(df[near])
    factor[near] = 1 / (
        density
        * (1 + t[near] ** 2 * (density**2 / 6 - (df[near] + 1) / (6 * df[near])))
    )
    factor[far] = t[far] / -special.ndtri_exp(log_sf_t(t[far], df[far]))
    return np.asarray(se * np.maximum(factor, 1.0))


def spiked_noise(
    correlations: Array, df: float, variances: Array, *, most: int | None = None
) -> Noise:
    """Return low rank + diagonal noise: principal components of the correlations above
    the noise level.

    Of the K eigenvalues of a correlation matrix with ``df`` degrees of freedom, those
    above the Marchenko-Pastur edge ``(1 + sqrt(K/df))^2`` are spikes. A sample spike is
    biased upwards: ``lambda = l (1 + g s / (l - s))`` with ``g = K/df`` and s the mean
    of the other eigenvalues, which is solved for l. Loadings are ``sqrt(l - s)`` times
    the eigenvectors, shrunken (James & Stein) towards equal ones in the unit of the
    effects, as of a shared control; the diagonal is the rest of each variance, at least
    ``(r + 1)/df``.

    Parameters
    ----------
    correlations
        Factor F of the correlation matrix ``R = F' F``, shape ``(G, K)``, columns of
        length 1. The cost is that of the smaller Gram matrix.
    df
        Degrees of freedom of R: clusters - 1.
    variances
        Squared standard errors, ``(K,)``: the diagonal of Sigma, kept.
    most
        Keep at most this many components, the largest; None: all spikes.

    References
    ----------
    Baik & Silverstein (2006), doi:10.1016/j.jmva.2005.08.003; Donoho, Gavish &
    Johnstone (2018), doi:10.1214/17-AOS1601.

    Examples
    --------
    >>> shared = np.random.default_rng(0).normal(size=(100, 1)) + np.random.default_rng(
    ...     1
    ... ).normal(size=(100, 200))
    >>> noise = spiked_noise(
    ...     (shared - shared.mean(0)) / shared.std(0) / 10, 99, np.ones(200)
    ... )
    >>> (
    ...     noise.loadings.shape,
    ...     round(float((noise.loadings**2).mean()), 1),
    ...     bool(np.allclose(noise.marginal, 1)),
    ... )
    ((200, 1), 0.5, True)
    """
    n_rows, n = correlations.shape
    wide = n > n_rows
    gram = correlations @ correlations.T if wide else correlations.T @ correlations
    edge = (1 + np.sqrt(n / df)) ** 2
    values, vectors = np.linalg.eigh(gram)
    above = values > edge
    if not above.any():
        return Noise(variances)
    if most is not None:
        above[: len(above) - most] = False  # eigenvalues ascend
    spikes, directions = values[above], vectors[:, above]
    if wide:
        directions = correlations.T @ directions / np.sqrt(spikes)
    # the noise level and the population spikes
    ratio = n / df
    level, population = 1.0, spikes
    for _ in range(50):
        half = spikes + level - ratio * level
        population = (half + np.sqrt(np.maximum(half**2 - 4 * spikes * level, 0))) / 2
        rest = max(n - float((population - level).sum()), 0.0) / n
        if abs(rest - level) < 1e-12:
            break
        level = rest
    population = np.maximum(population, level)
    loadings = _shrink_loadings(directions * np.sqrt(population - level), variances, df)
    most = 1 - min((spikes.size + 1) / df, 0.5)
    share = (loadings**2).sum(axis=1)
    loadings *= np.sqrt(np.minimum(1, most / np.maximum(share, _SINGULAR)))[:, None]
    rest = 1 - (loadings**2).sum(axis=1)
    return Noise(variances * rest, loadings * np.sqrt(variances)[:, None])


def _shrink_loadings(loadings: Array, variances: Array, df: float) -> Array:
    """Shrink the loadings of each component towards equal ones in the unit of the
    effects, by their sampling noise.

    A shared control loads equally on all contrasts. Unshrunken loadings, with noise of
    1/df, would seem to distinguish the component's score from mu, and intervals would
    be too short; real differences exceed that noise and remain.
    """
    pattern = np.sqrt(variances.min() / variances)
    pattern /= np.sqrt(pattern @ pattern)
    fit = np.outer(pattern, pattern @ loadings)
    rest = loadings - fit
    noise = float(np.maximum(1 - (loadings**2).sum(axis=1), 0).sum()) / df
    factor = np.maximum(1 - noise / np.maximum((rest**2).sum(axis=0), _SINGULAR), 0)
    return np.asarray(fit + factor * rest)


def as_one_factor(covariance: Array) -> Noise | None:
    """Return a covariance as ``l l' + D`` with one column l, or None where it does not
    have that form.

    Estimates that share one control and no other error have it. With O the correlations
    off the diagonal, ``O_ij = l_i l_j``, each
    ``l_i^2 = sum_jk O_ij O_jk O_ki / sum_jk O_jk^2`` over the j and k other than i. The
    result is also None where less than 5 % of a variance would remain in D.

    Parameters
    ----------
    covariance
        Shape ``(K, K)``, positive definite.

    Examples
    --------
    >>> noise = as_one_factor(
    ...     np.array([[2.0, 1.0, 1.0], [1.0, 3.0, 1.0], [1.0, 1.0, 4.0]])
    ... )
    >>> noise.variances.round(6), np.abs(noise.loadings.ravel()).round(6)
    (array([1., 2., 3.]), array([1., 1., 1.]))
    """
    sd = np.sqrt(np.diagonal(covariance))
    off = covariance / np.outer(sd, sd)
    np.fill_diagonal(off, 0)
    if np.abs(off).max() < _ONE_FACTOR:
        return Noise(sd**2)
    # the squared loadings of one factor, (K,), from correlations without their diagonal
    if len(off) == 2:
        square = np.full(2, abs(float(off[0, 1])))
    else:
        squares = (off**2).sum(axis=1)
        others = squares.sum() - 2 * squares
        triangles = np.einsum("ij,jk,ki->i", off, off, off, optimize=True)
        square = np.asarray(
            np.divide(
                triangles, others, out=np.zeros(len(off)), where=others > _SINGULAR
            ).clip(0)
        )
    column = np.where(off[int(np.argmax(square))] < 0, -1.0, 1.0) * np.sqrt(square)
    rest = np.outer(column, column) - off
    np.fill_diagonal(rest, 0)
    if np.abs(rest).max() > _ONE_FACTOR or square.max() > 1 - _LEAST_OWN_VARIANCE:
        return None
    return Noise(sd**2 * (1 - square), (sd * column)[:, None])


def noises_of(estimates: xr.Dataset, *, factors: int | None = None) -> list[Noise]:
    """Return the noise of every task's estimates by the rule for Sigma, each se the
    normal score of its own p-value.

    The correlations are those at the normal score of an effect of 0. The increase of an
    se by a large t is added as independent variance: with constant correlations, a
    clear effect would be corrected many times over for the error of the shared control.

    A covariance given with the effects (`from_effects`), or without ``df`` and
    ``n_clusters``, is known and used whole. One estimated from units is used whole
    where K <= df/10 with df = clusters - 1, and as low rank + diagonal beyond, or where
    contrasts are sums of others. With standard errors alone the errors are taken as
    independent.

    Parameters
    ----------
    estimates
        From `estimate` or `from_effects`: ``ace, se (contrast, task)``, maybe ``df``,
        and ``covariance`` or ``factor``. Contrasts may be a subset (a family) of those
        that were estimated.
    factors
        Number of factor scores that the engine integrates, if it needs effects to be
        independent given them: an estimated covariance is then low rank + diagonal
        whatever its df (0: the diagonal alone), and a known one has a single factor
        where possible (`as_one_factor`), else it stays whole. None: any form.

    Raises
    ------
    EstimateError
        If a standard error is missing or 0, or contrasts of a known covariance are sums
        of others; the message names the contrast.
    """
    if "model" in estimates["ace"].dims:
        raise EstimateError("the estimates have the dim 'model'")
    se = as_usable_se(estimates)
    effect = estimates["ace"].transpose("task", "contrast").to_numpy()
    df = (
        estimates["df"].transpose("task", "contrast").to_numpy()
        if "df" in estimates
        else np.full(se.shape, np.inf)
    )
    df = np.where(np.isnan(df), np.inf, df)
    score = normal_scores(effect, se, df)
    if ("covariance" not in estimates and "factor" not in estimates) or se.shape[
        1
    ] == 1:
        return [Noise(row) for row in score**2]
    least = normal_scores(np.zeros(se.shape), se, df)
    own = score**2 - least**2
    tasks = range(len(se))
    return [
        add_variances(
            _correlated_noise(estimates.isel(task=t), least[t], factors, task), own[t]
        )
        for t, task in zip(tasks, _names(estimates, "task"), strict=True)
    ]


def add_variances(noise: Noise, variance: Array) -> Noise:
    """Return the noise with independent variances added, (K,)."""
    whole = None if noise.whole is None else noise.whole + np.diag(variance)
    return Noise(noise.variances + variance, noise.loadings, whole)


def _correlated_noise(
    one: xr.Dataset, se: Array, factors: int | None, task: Any
) -> Noise:
    """Return the noise with the correlations of the estimates and these standard
    errors, in the form of `noises_of`.
    """
    if has(one).errors:  # from_effects: a given covariance is known
        freedom = np.inf
    elif "n_clusters" in one:
        # fewer where units were put into random groups
        rows = one.sizes["cluster"] if "factor" in one else np.inf
        freedom = float(min(one["n_clusters"].min(), rows) - 1)
    else:
        freedom = float(one["df"].min()) if "df" in one else np.inf
    if np.isinf(freedom):
        correlation = _error_correlation(one, se)
        values, vectors = np.linalg.eigh(correlation)
        if not values[0] > _SINGULAR * len(values):
            culprit = _names(one, "contrast")[int(np.argmax(np.abs(vectors[:, 0])))]
            raise EstimateError(
                f"task {task}: contrast {culprit} is a sum of other contrasts (least "
                f"eigenvalue of the correlation {values[0]:.2g}): it is redundant"
            )
        known = correlation * np.outer(se, se)
        return (as_one_factor(known) if factors is not None else None) or _whole_noise(
            known
        )
    if factors == 0:
        return Noise(se**2)
    if factors is None and len(se) <= freedom / _PER_CONTRAST:
        correlation = _error_correlation(one, se)
        if np.linalg.eigvalsh(correlation)[0] > _LEAST_EIGENVALUE:
            return _whole_noise(correlation * np.outer(se, se))
    return spiked_noise(_correlation_factor(one, se), freedom, se**2, most=factors)


def _names(estimates: xr.Dataset, dim: str) -> Any:
    return (
        estimates[dim].to_numpy()
        if dim in estimates.coords
        else np.arange(estimates.sizes[dim])
    )


def as_usable_se(estimates: xr.Dataset) -> Array:
    """Return standard errors (tasks, K); raise for the first task where one is missing,
    0, or overflows squared.
    """
    if "se" not in estimates:
        raise EstimateError("the estimates have no 'se': one unit gives none")
    se, effect = (
        estimates[name].transpose("task", "contrast").to_numpy()
        for name in ("se", "ace")
    )
    missing, constant = ~(np.isfinite(se) & np.isfinite(effect)), se <= 0
    beyond = (se < _LEAST_SE) | (se > 1 / _LEAST_SE)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        large = ~beyond & (
            np.maximum(np.abs(effect), np.abs(effect / se)) > 1 / _LEAST_SE
        )
    if large.any() and not (missing | constant | beyond).any():
        t, k = np.argwhere(large)[0]
        in_its_unit = abs(effect[t, k]) / se[t, k] <= 1 / _LEAST_SE
        raise EstimateError(
            f"task {_names(estimates, 'task')[t]!s}: contrast "
            f"{_names(estimates, 'contrast')[k]!s}: effect {effect[t, k]:.3g} with se "
            f"{se[t, k]:.3g}, and no float holds the square of "
            + (
                "the effect; give effects and standard errors in another unit, or "
                if in_its_unit
                else "their ratio; "
            )
            + "leave the contrast out"
        )
    if not (missing | constant | beyond).any():
        return np.asarray(se, dtype=np.float64)
    t = int((missing | constant | beyond).any(axis=1).argmax())
    task, names = _names(estimates, "task")[t], _names(estimates, "contrast")
    if missing[t].any():
        raise EstimateError(
            f"task {task}: {_contrast_list(names[missing[t]])}: no finite effect and se"
        )
    if not constant[t].any():
        in_one_unit = np.log10(se[t].max()) - np.log10(se[t].min()) <= -np.log10(
            _LEAST_SE
        )
        odd = beyond[t]
        if not in_one_unit and odd.all():
            odd = se[t] < _LEAST_SE
        raise EstimateError(
            f"task {task}: {_contrast_list(names[odd])}: se {se[t][odd][0]:.3g}, and "
            "no float holds its square"
        )
    raise EstimateError(
        f"task {task}: {_contrast_list(names[constant[t]])}: se 0, the same effect in "
        "every unit"
    )


def _contrast_list(names: Any, most: int = 5) -> str:
    return f"contrast {first_of(map(str, names), most)}"


def _error_correlation(one: xr.Dataset, se: Array) -> Array:
    if "factor" in one:
        factor = _correlation_factor(one, se)
        return np.asarray(factor.T @ factor)
    matrix = one["covariance"]
    if matrix.sizes["contrast_"] != len(se):
        labels = list(matrix["contrast_"].to_numpy())
        matrix = matrix.isel(
            contrast_=[labels.index(name) for name in _names(one, "contrast")]
        )
    values = matrix.transpose("contrast", "contrast_").to_numpy()
    root = np.sqrt(np.diagonal(values))
    return np.asarray(values / np.outer(root, root))


def _correlation_factor(one: xr.Dataset, se: Array) -> Array:
    """Columns of length 1, (G, K), whose products are the correlations."""
    if "factor" in one:
        factor = np.ascontiguousarray(
            one["factor"].transpose("cluster", "contrast").to_numpy()
        )
        return np.asarray(factor / np.sqrt((factor**2).sum(axis=0)))
    values, vectors = np.linalg.eigh(_error_correlation(one, se))
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))).T)


def _whole_noise(covariance: Array) -> Noise:
    return Noise(np.diagonal(covariance).copy(), whole=(covariance + covariance.T) / 2)
