"""The mean of effects that differ, and the variance between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from causalgia.errors import EstimateError
from causalgia.numerics.finite_arrays import as_finite_array
from causalgia.types import Array


@dataclass(frozen=True)
class RandomEffects:
    """Random-effects model of K estimates with known errors.

    Attributes
    ----------
    mean, se, df
        The mean effect, its standard error scaled by the residuals (Knapp and Hartung,
        not truncated at 1), and the degrees of freedom of its t, ``K - 1``.
    tau2
        Variance of the true effects about their mean (Paule and Mandel).
    tau2_lower, tau2_upper
        Q-profile interval of tau2; negative limits are 0.
    Q_p
        P of Cochran's test that all true effects are equal.
    """

    mean: float
    se: float
    df: float
    tau2: float
    tau2_lower: float
    tau2_upper: float
    Q_p: float


def random_effects(
    effect: npt.ArrayLike, variance: npt.ArrayLike, *, ci_prob: float = 0.95
) -> RandomEffects:
    """Fit the random-effects model of a meta-analysis to K estimates, shape ``(K,)``,
    of squared standard errors that are taken as known.

    ``effect ~ N(theta, variance)`` and ``theta_k ~ N(mean, tau2)``.

    References
    ----------
    Paule & Mandel (1982), doi:10.6028/jres.087.022. Knapp & Hartung (2003),
    doi:10.1002/sim.1482. Viechtbauer (2007), doi:10.1002/sim.2514: the Q profile.

    Examples
    --------
    >>> effect = [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0]
    >>> se = np.array([15, 10, 16, 11, 9, 11, 10, 18.0])
    >>> found = random_effects(effect, se**2)
    >>> round(found.mean, 4), round(found.tau2, 4), round(found.Q_p, 2)
    (7.6856, 0.0, 0.7)
    """
    y, v = (
        as_finite_array(values, name, "leave it out", error=EstimateError)
        for values, name in ((effect, "effect"), (variance, "variance"))
    )
    if y.ndim != 1 or v.shape != y.shape or len(y) < 2:
        raise EstimateError(
            f"effects of shape {y.shape} with variances of shape {v.shape}: give two "
            "effects or more, and the variance of each"
        )
    if (v <= 0).any():
        raise EstimateError(
            f"effect {int(np.argmin(v))}: variance {v.min():g} is not positive"
        )
    from statsmodels.stats.meta_analysis import combine_effects

    # squares of other units may leave the floats
    unit = float(np.sqrt(v.max()))
    y, v, df = y / unit, v / unit**2, len(y) - 1
    # its tau2 doubles in a step where errors are far smaller, and 50 do not suffice; a
    # smaller atol lets a rounding set it to 0
    with np.errstate(divide="ignore"):  # in the I2 of equal effects
        found = combine_effects(y, v, method_re="iterated", use_t=True, maxiter=1_000)
    low, high = (float(special.chdtri(df, 0.5 + x * ci_prob / 2)) for x in (-1, 1))
    return RandomEffects(
        mean=float(found.mean_effect_re) * unit,
        se=float(found.sd_eff_w_re_hksj) * unit,
        df=float(df),
        tau2=float(found.tau2) * unit**2,
        tau2_lower=_tau2_at(y, v, low) * unit**2,
        tau2_upper=_tau2_at(y, v, high) * unit**2,
        Q_p=float(special.chdtrc(df, _squares(y, v, 0.0))),
    )


def _squares(y: Array, v: Array, tau2: float) -> float:
    w = 1 / (v + tau2)
    return float(w @ (y - (w @ y) / w.sum()) ** 2)


def _tau2_at(y: Array, v: Array, target: float) -> float:
    """Return the tau2 at which the weighted squares equal `target`; 0 if they are below
    it at tau2 = 0.
    """
    if _squares(y, v, 0.0) <= target:
        return 0.0
    top = 4.0
    while _squares(y, v, top) > target:
        top *= 4
    return float(
        optimize.brentq(
            lambda tau2: _squares(y, v, tau2) - target,
            0.0,
            top,
            xtol=1e-300,
            rtol=4 * np.finfo(float).eps,
            maxiter=1_000,
        )
    )
