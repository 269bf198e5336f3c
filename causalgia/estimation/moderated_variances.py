r"""Moderated variances (limma's): the variance of a row of few units, toward the one that
variances of all rows have in common.

The true variances are taken as draws, :math:`\sigma_k^2 \sim d_0 s_0^2 / \chi^2_{d_0}`,
so that a row's own :math:`s_k^2` on :math:`d_k` degrees of freedom becomes
:math:`\tilde s_k^2 = (d_0 s_0^2 + d_k s_k^2) / (d_0 + d_k)` on :math:`d_0 + d_k` (at most
all that there are). Effect, error and df are then limma's, and the interval, as
everywhere, a union (`causalgia.estimation.effect_intervals`), of what still is valid:

- Student's t with the moderated error. Its variance is that of both arms together, as
  in limma.
- Hall's transform. The skewness of a mean shifts t through the numerator, and bends it
  through the row's own variance in the divisor, of which the share
  :math:`\lambda = d_k / (d_0 + d_k)` is left: the term
  :math:`a (2 t^2 + 1) / 6` is :math:`a ((3 \lambda - 1) t^2 + 1) / 6`
  (`causalgia.numerics.moments.transformed`), and Hall's again where units are many. For
  4 to 20 exponential effects this covers .93 to .95, Student's t alone .91 to .93, the
  unmoderated union .91 to .95; of 4 v 4 normal units it costs a quarter of limma's hits,
  and the whole of Hall's transform would cost half.
- For independent arms, Welch's t with the variance of each arm moderated over the rows
  of that arm. limma's t holds if both arms have one variance: where 5 units have three
  times the standard deviation of the 80 they are compared with, it covers .57, and the
  union .95. Where one variance is true the second t costs one hit in fifty. Welch's
  error moderated as a whole, on Satterthwaite's df, would cost more than half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
import xarray as xr

from causalgia.attributes import about, attributes, has
from causalgia.choices import LEAST_TO_SHRINK
from causalgia.effect_table import has_positions, of_effects
from causalgia.effects.scales import OF_MEANS
from causalgia.errors import EstimateError, quoted
from causalgia.estimation._from_effects import with_aligned_covariance
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.effect_intervals import (
    ace_se_df,
    by_the_rule,
    independent_units,
)
from causalgia.estimation.given_effects import is_factor_by_arm
from causalgia.estimation.ratios import unbounded
from causalgia.estimation.request import check_has_errors
from causalgia.notes import MODERATION_OFFERED, without_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import log_p, p_and_limits
from causalgia.numerics.row_blocks import gram, weights_of
from causalgia.schema import annotate
from causalgia.types import Array, Codes, Mask

_FLOOR = 1e-5
"""Least variance in the fit of the prior, times the median."""
_MOST_COMPARED = 512
"""Contrasts whose correlation is computed; of more, as many at even distances."""
_ALL_CHANCE = 0.7
"""Mean squared correlation of independent errors beyond which there is none to see."""


@usual_errors
def moderate(estimates: xr.Dataset) -> xr.Dataset:
    """Moderate the variances of estimates over their rows, and recompute what rests on
    them.

    Rows are contrasts by tasks. From 10 contrasts on, each task has a prior variance of
    its own, with the same prior degrees of freedom; with fewer, tasks are rows like
    contrasts. Fixed placebos have one apart from the other contrasts. How contrasts of a
    task vary together, where the estimates know it, is allowed for; tasks are taken as
    independent. Intervals then hold on average over rows, and cover less where a row
    varies most: of 1,000 rows of 4 v 4 units .95, and .89 of the noisiest tenth.

    Parameters
    ----------
    estimates
        From `estimate`, or a table with degrees of freedom. Estimates whose variances
        are moderated already are returned as they are.

    Returns
    -------
    Dataset
        With new ``se, df``, what is computed of them, and ``variance_share (contrast,
        task)``, the share of the row's own variance; of independent arms with
        ``se_welch, df_welch`` in place of ``se_pooled, df_pooled``, which with blocks,
        covariates or parents are moderated as well.
        attrs["moderated_rows"] is the number of rows, attrs["prior_df"] the degrees of
        freedom of their prior.

    Raises
    ------
    EstimateError
        If there is no standard error, fewer than 10 rows have one with degrees of
        freedom, or effects are functions of means or curves.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> se = [0.1, 0.2, 0.1, 0.3, 0.2, 0.1, 0.4, 0.2, 0.1, 0.2]
    >>> found = moderate(from_effects([0.5] * 10, se=se, df=[3] * 10))
    >>> found["se"].values[:4, 0].round(3), found["df"].values[0].round(1)
    (array([0.191, 0.2  , 0.191, 0.212]), array([28.6]))
    """
    if has(estimates).moderated_rows:
        return estimates
    check_has_errors(estimates)
    if about(estimates, "").transform in OF_MEANS or has_positions(estimates):
        raise EstimateError(
            "variances=True is of means, and these effects are "
            + (
                "curves"
                if has_positions(estimates)
                else f"on scale={quoted(about(estimates).transform)}"
            )
        )
    dims, arms = estimates["ace"].dims, _Arms.of(estimates)
    ace, se, df = ace_se_df(estimates)
    size = 1 / np.sqrt(np.maximum(independent_units(estimates), 1.0))
    if arms is not None:
        pooled, df_pooled = (
            of_effects(estimates, f"{name}_pooled") for name in ("se", "df")
        )
        se, df, size = (
            np.where(arms.known, x, y)
            for x, y in ((pooled, se), (df_pooled, df), (arms.size, size))
        )
    rows = np.isfinite(se) & np.isfinite(df) & ~unbounded(estimates)
    group = _groups(estimates)
    varies = np.bincount(group[rows], se[rows] > 0, minlength=int(group.max()) + 1) > 0
    rows &= varies[group]  # a task that no sequence changes
    if about(estimates, "").target == "units":  # what is not sampled has no error
        rows &= se > 0
    if (n := int(rows.sum())) < LEAST_TO_SHRINK:
        raise EstimateError(
            f"variances=True takes {LEAST_TO_SHRINK} or more rows whose errors have "
            f"degrees of freedom, and there {'is' if n == 1 else 'are'} {n}"
            + (" (errors are known)" if np.isinf(df).all() else "")
        )
    dependence = _dependence(estimates, rows)
    found = _moderated(se / size, df, rows, group, dependence)
    new_se = np.where(rows, found.sd * size, se)
    columns: dict[str, Array] = {
        "se": new_se,
        "df": np.where(rows, found.df, df),
        # 0 of a row that does not vary: all of its variance is that of the others
        "variance_share": np.where(rows, np.where(se > 0, found.share, 0.0), 1.0),
    }
    out = estimates
    if arms is not None:
        out = out.drop_vars(["se_pooled", "df_pooled"])
        columns["se_welch"], columns["df_welch"] = arms.welch(rows & arms.known)
    elif "se_pooled" in out:
        second, df_second = (
            of_effects(out, f"{name}_pooled").astype(np.float64)
            for name in ("se", "df")
        )
        own = rows & (second > 0)
        both = _moderated(second / size, df_second, own, group, dependence)
        columns |= {"se_pooled": both.sd * size, "df_pooled": both.df}
    if "exact" in out:
        columns["exact"] = of_effects(estimates, "exact") & (new_se == 0)
    out = out.assign({name: (dims, x) for name, x in columns.items()})
    out = _with_its_covariance(out, estimates)
    out = out.assign_attrs(attributes(moderated_rows=n, prior_df=float(found.prior_df)))
    return annotate(without_notes(_tested(out, ace), [MODERATION_OFFERED]))


def _tested(estimates: xr.Dataset, ace: Array) -> xr.Dataset:
    """Return estimates with p and limits by their new errors."""
    dims, ci_prob = estimates["ace"].dims, float(about(estimates, 0.95).ci_prob)
    se, df = (estimates[name].to_numpy() for name in ("se", "df"))
    columns = {"log_p": log_p(ace, se, df)}
    if "p_t" in estimates:
        columns["p_t"] = p_and_limits(ace, se, df, ci_prob)[0]
    out = estimates.assign({name: (dims, x) for name, x in columns.items()})
    found = by_the_rule(out, ci_prob)
    return out.assign({name: (dims, x) for name, x in found.items()})


@dataclass(frozen=True)
class _Arms:
    """Independent arms of K contrasts: standard deviation and units, ``(A, ...)``;
    weights; and which rows are of such arms, ``(K, ...)``.
    """

    sd: Array
    n: Array
    W: scipy.sparse.csr_array
    known: Mask

    @classmethod
    def of(cls, estimates: xr.Dataset) -> _Arms | None:
        """Return those of estimates; None where arms are not independent."""
        if "arm_sd" not in estimates or "se_pooled" not in estimates:
            return None
        dims = ("arm", *estimates["ace"].dims[1:])
        sd, n = (
            estimates[name].transpose(*dims).to_numpy().astype(np.float64)
            for name in ("arm_sd", "arm_units")
        )
        # of effects that are not of independent arms it is 1
        known = of_effects(estimates, "df_pooled") >= 2
        return cls(sd, n, weights_of(estimates), known)

    def over_arms(self, of_arm: Array, power: int) -> Array:
        """Return the sum over the arms of each contrast, times a power of its weights."""
        rows = self.W.power(power) @ of_arm.reshape(len(of_arm), -1)
        return np.asarray(rows).reshape(-1, *of_arm.shape[1:])

    @property
    def size(self) -> Array:
        """Standard error of each contrast where the standard deviation is 1."""
        return np.sqrt(self.over_arms(1 / np.maximum(self.n, 1.0), 2))

    def welch(self, rows: Mask) -> tuple[Array, Array]:
        """Return error and df of each contrast by the moderated variances of its arms; 0
        and 1 of other rows.
        """
        used = np.asarray(self.W.power(2).sum(axis=0)).reshape(-1, 1) > 0
        spread = (self.n > 1) & used.reshape(-1, *[1] * (self.n.ndim - 1))
        n_tasks = spread[0].size
        place = np.indices((len(spread), n_tasks)).reshape(2, *spread.shape)
        alike = n_tasks >= LEAST_TO_SHRINK, len(spread) >= LEAST_TO_SHRINK
        group = place[0] if alike[0] else place[1] * alike[1]
        found = _moderated(self.sd, np.maximum(self.n - 1, 0.0), spread, group, 0.0)
        unit = float(found.sd.max()) or 1.0
        part = np.where(spread, (found.sd / unit) ** 2 / np.maximum(self.n, 1.0), 0.0)
        total = self.over_arms(part, 2)
        of_df = self.over_arms(part**2 / np.where(spread, found.df, 1.0), 4)
        known = rows & (of_df > 0)
        return (
            np.where(rows, unit * np.sqrt(total), 0.0),
            np.where(known, total**2 / np.where(known, of_df, 1.0), 1.0),
        )


@dataclass(frozen=True)
class _Rows:
    """Moderated standard deviations with df, and the share of the own variance."""

    sd: Array
    df: Array
    share: Array
    prior_df: float


def _moderated(
    sd: Array, df: Array, rows: Mask, group: Codes, dependence: float
) -> _Rows:
    """Moderate the standard deviations of some rows; others stay."""
    unit = float(sd[rows].max(initial=0.0)) or 1.0  # squares of 1e-200 are no floats
    codes = np.unique(group[rows], return_inverse=True)[1]
    found = moderate_variances(
        (sd[rows] / unit) ** 2, df[rows], group=codes, dependence=dependence
    )
    out = (
        np.array(sd, dtype=np.float64),
        np.array(df, dtype=np.float64),
        np.ones(sd.shape),
    )
    out[0][rows], out[1][rows] = unit * np.sqrt(found.variance), found.df
    out[2][rows] = found.share
    return _Rows(*out, found.prior_df)


def _groups(estimates: xr.Dataset) -> Codes:
    """Return the group of rows whose variances have one prior: fixed placebos and others,
    by model, and by task where a task has enough.
    """
    sizes = estimates["ace"].sizes
    at = dict(zip(sizes, np.indices(tuple(sizes.values())), strict=True))
    kind = is_placebo(estimates).astype(np.intp)
    enough = np.bincount(kind, minlength=2)[kind] >= LEAST_TO_SHRINK
    of = kind[at["contrast"]]
    if "task" in at:
        of = of * sizes["task"] + np.where(enough[at["contrast"]], at["task"], 0)
    return np.asarray(of * sizes["model"] + at["model"] if "model" in at else of)


def _dependence(estimates: xr.Dataset, rows: Mask) -> float:
    """Return the mean correlation of the variances of two rows, from the squared
    correlation of their errors, corrected for chance; 0 where it is not known.
    """
    n_contrasts, n_tasks = rows.shape[0], int(np.prod(rows.shape[1:]))
    if n_contrasts == 1:
        return 0.0
    dims = estimates["ace"].dims
    if "covariance" in estimates:
        known = with_aligned_covariance(estimates)["covariance"]
        V = known.transpose("contrast", "contrast_", *dims[1:]).to_numpy()
    elif "factor" in estimates:
        step = -(-n_contrasts // _MOST_COMPARED)
        factor = estimates["factor"].transpose("cluster", *dims)
        rows, V = rows[::step], gram(factor[:, ::step].data)
    else:
        return 0.0
    sd = np.sqrt(np.diagonal(V).transpose(-1, *range(V.ndim - 2)))
    pairs = rows[:, None] & rows[None] & (sd[:, None] > 0) & (sd[None] > 0)
    pairs[np.diag_indices(len(rows))] = False
    if not pairs.any():
        return 0.0
    scale = np.where(pairs, sd[:, None] * sd[None], 1.0)
    square = float(((V / scale) ** 2)[pairs].mean())
    chance = 0.0 if is_factor_by_arm(estimates) else _chance(estimates)
    within = 1.0 if chance > _ALL_CHANCE else (square - chance) / (1 - chance)
    within = min(max(within, 0.0), 1.0)
    if n_contrasts >= LEAST_TO_SHRINK:  # tasks are apart
        return within
    return float(within * (n_contrasts - 1) / (n_contrasts * n_tasks - 1))


def _chance(estimates: xr.Dataset) -> float:
    """Return the mean squared correlation of independent errors."""
    df = of_effects(estimates, "df")
    return float(np.minimum(1 / df[np.isfinite(df) & (df > 0)], 1.0).mean())


def _with_its_covariance(out: xr.Dataset, before: xr.Dataset) -> xr.Dataset:
    """Return estimates with the covariance, or its factor, of their new errors."""
    old, new = before["se"], out["se"]
    ratio = (new / old.where(old > 0, 1.0)).where(old > 0, 0.0)
    if "factor" in out:
        dims = out["factor"].dims
        return out.assign(factor=(out["factor"] * ratio).transpose(*dims))
    if "covariance" not in out:
        return out
    V = with_aligned_covariance(out)["covariance"]
    other = ratio.rename(contrast="contrast_")
    if "contrast_" in V.coords:
        other = other.assign_coords(contrast_=V["contrast_"])
    scaled = (V * ratio * other).transpose("contrast", "contrast_", *new.dims[1:])
    values = scaled.to_numpy().copy()
    values[np.diag_indices(len(values))] = new.to_numpy() ** 2
    return out.assign(covariance=scaled.copy(data=values).transpose(*V.dims))


@dataclass(frozen=True)
class Moderated:
    """Variances moderated toward a common value.

    Attributes
    ----------
    variance, df
        Posterior variances and their degrees of freedom, shape ``(K,)``.
    prior_variance
        That of each row's group, shape ``(K,)``.
    prior_df
        Degrees of freedom of the prior: 0 if nothing was moderated, infinite if the
        variances differ by no more than sampling error.
    share
        Share of each row's own variance in the posterior one, shape ``(K,)``.
    """

    variance: Array
    df: Array
    prior_variance: Array
    prior_df: float
    share: Array


def moderate_variances(
    s2: Array, df: Array, *, group: Codes | None = None, dependence: float = 0.0
) -> Moderated:
    r"""Moderate K sample variances by empirical Bayes, as limma's squeezeVar does.

    The sample variances are :math:`s_0^2 F(d_k, d_0)`; :math:`d_0` and :math:`s_0^2`
    match the mean and variance of their logs. The posterior variance is
    :math:`(d_0 s_0^2 + d_k s_k^2) / (d_0 + d_k)` on :math:`d_0 + d_k` degrees of freedom,
    at most the sum of all. A variance of 0 counts as 1e-5 of the median in the fit, and
    is moderated like every other.

    Groups have a prior variance each and one :math:`d_0`. Correlated variances (contrasts
    with one control in the same units) have less information: with mean correlation rho
    the logs have sampling variance ``trigamma(d / 2) (1 - rho)``, and the degrees of
    freedom are at most ``sum d / (1 + (K - 1) rho)``. One group and rho = 0 are limma.

    Parameters
    ----------
    s2
        Sample variances, shape ``(K,)``; not read where df is 0.
    df
        Their degrees of freedom, shape ``(K,)``. A variance with 0 is replaced by that of
        the prior.
    group
        Group of each, 0 to G - 1, shape ``(K,)``; None: one. The variances of a group of
        one stay as they are.
    dependence
        Mean correlation rho of two variances of a group, 0 to 1.

    References
    ----------
    Smyth (2004), doi:10.2202/1544-6115.1027.

    Examples
    --------
    >>> answer = moderate_variances(
    ...     np.array([0.1, 1.0, 1.5, 9.0, 2.0]), np.array([4.0, 6.0, 4.0, 3.0, 0.0])
    ... )
    >>> round(answer.prior_df, 3), answer.variance.round(3), answer.df.round(3)
    (1.374, array([0.224, 0.923, 1.266, 6.357, 0.585]), array([5.374, 7.374, 5.374, 4.374, 1.374]))
    """
    s2, df = np.asarray(s2, dtype=np.float64), np.asarray(df, dtype=np.float64)
    codes: Codes = np.zeros(len(s2), dtype=np.intp) if group is None else group
    known = df > 0
    n = np.bincount(codes[known], minlength=int(codes.max(initial=0)) + 1)
    own = np.where(known, s2, 0.0)
    fit = known & (n[codes] > 1)
    if not fit.any():
        of_group = np.bincount(codes, own, minlength=len(n)).astype(np.float64)[codes]
        variance = np.where(known, own, of_group)
        return Moderated(variance, df, of_group, 0.0, known.astype(np.float64))
    s0, d0 = _fit_prior(s2[fit], df[fit], codes[fit], len(n), dependence)
    prior = s0[codes]
    posterior = prior if np.isinf(d0) else (d0 * prior + df * own) / (d0 + df)
    most = np.bincount(codes[known], df[known], minlength=len(n))
    total = np.minimum(df + d0, (most / (1 + (n - 1) * dependence))[codes])
    alone = n[codes] < 2
    return Moderated(
        np.where(alone, own, posterior),
        np.where(alone, df, np.maximum(total, df)),
        np.where(alone, own, prior),
        d0,
        np.where(alone, 1.0, df / (df + d0)),
    )


def _fit_prior(
    s2: Array, df: Array, codes: Codes, n_groups: int, rho: float
) -> tuple[Array, float]:
    """Return s0^2 of each group and d0, by the moments of log s^2."""
    groups = np.unique(codes)
    floored = s2.copy()
    for g in groups:
        mine = codes == g
        floored[mine] = np.maximum(s2[mine], _FLOOR * (np.median(s2[mine]) or 1.0))
    n = np.maximum(np.bincount(codes, minlength=n_groups), 1)
    z = np.log(floored) - scipy.special.digamma(df / 2) + np.log(df / 2)
    mean = np.bincount(codes, z, minlength=n_groups) / n
    spread = ((z - mean[codes]) ** 2).sum() / (len(z) - len(groups))
    excess = spread - scipy.special.polygamma(1, df / 2).mean() * (1 - rho)
    if excess <= 0:
        return np.bincount(codes, floored, minlength=n_groups) / n, np.inf
    d0 = 2 * inverse_trigamma(float(excess))
    return np.exp(mean + scipy.special.digamma(d0 / 2) - np.log(d0 / 2)), d0


def inverse_trigamma(value: float) -> float:
    """Return x with trigamma(x) = value, by Newton's method on 1 / trigamma, which is
    nearly linear.

    Examples
    --------
    >>> [
    ...     round(float(scipy.special.polygamma(1, inverse_trigamma(v))), 9)
    ...     for v in (1e-6, 0.3, 40.0)
    ... ]
    [1e-06, 0.3, 40.0]
    """
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = float(scipy.special.polygamma(1, x))
        step = trigamma * (1 - trigamma / value) / float(scipy.special.polygamma(2, x))
        x += step
        if -step < 1e-10 * x:
            break
    return x
