"""Checks that estimates are exchangeable with known errors, as a posterior assumes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import special

from causalgia.analysis import Analysis
from causalgia.choices import LEAST_DF, LEAST_FOR_A_LAW, Error
from causalgia.estimation._from_effects import typical_df
from causalgia.numerics.moments import ENOUGH
from causalgia.posterior.mixture import effect_se_dependence
from causalgia.types import Array

_CLEAR, _BY_CHANCE, _UNCERTAIN = 2.0, 0.001, 0.2


def errors_grow_with_effects(effect: Array, se: Array) -> bool:
    """Return whether larger effects clearly have larger errors, which every law of effects assumes to be unrelated.

    Either of two criteria shows it. Mixtures of normals about the median fit better by 2 nats (odds of 7) if effect /
    se is exchangeable than if effects are (`effect_se_dependence`). Or ``effect^2 - se^2``, whose mean under
    independence does not depend on se, rises with it (Spearman's correlation, p < .001), as where effects exist only at
    large errors. In addition it has to matter: the largest tenth of the effects, whose errors the law would shrink too
    much, have a median error above a fifth of the effect. Effects close to their errors cannot show it.

    Parameters
    ----------
    effect, se
        Estimates and their standard errors, shape ``(K,)``; fewer than 30 show nothing.

    References
    ----------
    Stephens (2017), section 2.3, doi:10.1093/biostatistics/kxw041.

    Examples
    --------
    >>> effect = np.random.default_rng(0).normal(size=100)
    >>> errors_grow_with_effects(effect, 0.1 + 0.4 * np.abs(effect))
    True
    >>> errors_grow_with_effects(effect, np.full(100, 0.3))
    False
    """
    if len(effect) < LEAST_FOR_A_LAW or np.ptp(se) == 0:
        return False
    largest = np.argsort(-np.abs(effect))[: len(effect) // 10]
    uncertain = float(np.median(se[largest] / np.maximum(np.abs(effect[largest]), np.finfo(float).tiny)))
    if uncertain <= _UNCERTAIN:
        return False
    table = pd.DataFrame({"se": se, "beyond": effect**2 - se**2}).rank()
    r, df = float(table["se"].corr(table["beyond"])), len(table) - 2  # Spearman's; scipy.stats is slow to import
    p = float(special.stdtr(df, -r * np.sqrt(df / max(1 - r**2, 1e-300))))
    return (p < _BY_CHANCE / 2) or effect_se_dependence(effect - np.median(effect), se).gain > _CLEAR


def why_no_posterior(estimates: xr.Dataset, counted: npt.NDArray[np.bool_]) -> str:
    """Return why a posterior should not decide these estimates although they are many; "" if there is no reason.

    A posterior assumes that standard errors are known and unrelated to the effects, and that estimates are normal.

    Parameters
    ----------
    estimates
        With ``ace, se (contrast, task[, model])``.
    counted
        Contrasts that belong to the family, shape ``(contrast,)``.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> why_no_posterior(from_effects(np.arange(30.0), se=1.0, df=5), np.full(30, True))
    'their standard errors have 5 degrees of freedom (median)'
    """
    df = typical_df(estimates, counted)
    if df < LEAST_DF:
        return f"their standard errors have {df:.3g} degrees of freedom (median)"
    if "se" not in estimates:
        return ""
    ace, se = (estimates[n].transpose("contrast", ...).to_numpy()[counted] for n in ("ace", "se"))
    columns = zip(ace.reshape(len(ace), -1).T, se.reshape(len(se), -1).T, strict=True)
    if any(errors_grow_with_effects(effect[error > 0], error[error > 0]) for effect, error in columns):
        return "their standard errors grow with the effects"
    return "most of them are too skewed for their number of units" if _is_skewed(estimates, counted) else ""


def deciding_error(
    analysis: Analysis, estimates: xr.Dataset, counted: npt.NDArray[np.bool_], n: int
) -> tuple[Error, str]:
    """Return the error rate that decides estimates, and why tests are used where there are enough for a posterior.

    Parameters
    ----------
    analysis
        Settings; only ``error="auto"`` depends on the estimates.
    estimates, counted
        As in `why_no_posterior`.
    n
        Contrasts of the smallest family.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> deciding_error(Analysis(control="c"), from_effects(np.arange(30.0), se=1.0), np.full(30, True), 30)
    ('local', '')
    """
    error = analysis.decides_by(n)
    why = why_no_posterior(estimates, counted) if analysis.error == "auto" and error == "local" else ""
    return "bh" if why else error, why


def _is_skewed(estimates: xr.Dataset, counted: npt.NDArray[np.bool_]) -> bool:
    n = next((estimates[name] for name in ("n_clusters", "n_units") if name in estimates), None)
    if "skewness" not in estimates or n is None or not counted.any():
        return False
    short = (n < ENOUGH * estimates["skewness"] ** 2).transpose("contrast", ...).to_numpy()[counted]
    return bool((short.mean(axis=0) > 0.5).any())
