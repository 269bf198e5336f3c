"""Results of statsmodels as arguments of `causalgia.from_effects`."""

from __future__ import annotations

import sys
from typing import Any, Literal

import numpy as np
import pandas as pd

from causalgia.checks import in_list
from causalgia.errors import EstimateError, quoted

POOLED = "random effect"
"""The row of a meta-analysis that is its claim, as statsmodels calls it."""


Kind = Literal["fit", "tests", "meta-analysis"]
_WRAPPER = "statsmodels.base.wrapper", "ResultsWrapper"
_CLASSES: dict[Kind, tuple[tuple[str, str], ...]] = {
    "fit": (
        ("statsmodels.base.model", "LikelihoodModelResults"),
        ("statsmodels.genmod.bayes_mixed_glm", "BayesMixedGLMResults"),
        ("statsmodels.tsa.vector_ar.var_model", "VARResults"),
    ),
    "tests": (("statsmodels.stats.contrast", "ContrastResults"),),
    "meta-analysis": (("statsmodels.stats.meta_analysis", "CombineResults"),),
}


def kind_of_result(given: object) -> Kind | None:
    """Return whether this is a fitted model, its linear tests or a meta-analysis of
    statsmodels, which is there only if it was imported; None for anything else.

    Examples
    --------
    >>> kind_of_result([1.0])
    """
    if _is_a(given, *_WRAPPER):  # of a fit, whose class says more
        given = vars(given)["_results"]
    for kind, places in _CLASSES.items():
        if any(_is_a(given, *place) for place in places):
            return kind
    return None


def _is_a(given: object, module: str, name: str) -> bool:
    there = getattr(sys.modules.get(module), name, None)
    return there is not None and isinstance(given, there)


def arguments_of(given: Any, names: list[Any] | None) -> dict[str, Any]:
    """Return a result as arguments of `causalgia.from_effects`.

    Examples
    --------
    >>> from statsmodels.stats.meta_analysis import combine_effects
    >>> found = arguments_of(combine_effects(np.r_[1.0, 2.0], np.r_[1.0, 1.0]), None)
    >>> found["names"], found["estimates"][0].round(6)
    (['random effect'], np.float64(1.5))
    """
    kind = kind_of_result(given)
    if kind == "fit":
        return _coefficients(given, names)
    if kind == "tests":
        return _tests(given, names)
    return {
        "estimates": [given.mean_effect_re],
        "se": [given.sd_eff_w_re],
        "df": given.df_resid if given.use_t else None,
        "names": [POOLED] if names is None else names,
    }


def _coefficients(fit: Any, asked: list[Any] | None) -> dict[str, Any]:
    """Return the coefficients of a fitted model: those asked for, else those of its
    design but the intercept.
    """
    # a mixed model has variances among its parameters
    params = getattr(fit, "fe_params", fit.params)
    model = getattr(fit, "model", None)
    values = np.asarray(params, dtype=np.float64)
    matrix = np.asarray(fit.cov_params(), dtype=np.float64)
    n = len(values) if values.ndim == 1 else -1
    if n < 0 or matrix.ndim != 2 or min(matrix.shape) < n:
        raise EstimateError(
            f"from_effects: the coefficients of this {type(fit).__name__} have shape "
            f"{values.shape} and their covariance {matrix.shape}"
        )
    names = (
        params.index
        if isinstance(params, pd.Series)
        else getattr(model, "exog_names", None)
    )
    labels = list(range(n) if names is None else names)[:n]
    df = None
    if getattr(fit, "use_t", False):
        # of clusters where errors were clustered
        df = getattr(fit, "df_resid_inference", None)
        df = getattr(fit, "df_resid", None) if df is None else df
    if asked is None:
        # dispersions, thresholds and variances follow the design; a zero inflation
        # comes before it
        first = int(getattr(model, "k_inflate", 0))
        design = np.shape(getattr(model, "exog", np.empty((0, n))))
        of_design = range(first, min(first + design[-1], n))
        intercept = getattr(getattr(model, "data", None), "const_idx", None)
        at = None if intercept is None else first + intercept
        keep = [i for i in of_design if i != at] or [*of_design]
    else:
        if unknown := [name for name in asked if name not in labels]:
            raise EstimateError(
                f"from_effects: names={quoted(unknown[0])} is no coefficient of this "
                f"{type(fit).__name__}, which has {in_list([quoted(x) for x in labels])}",
                argument="names",
            )
        keep = [labels.index(name) for name in asked]
    return {
        "estimates": values[keep],
        "covariance": matrix[np.ix_(keep, keep)],
        "df": df,
        "names": None if names is None else [labels[i] for i in keep],
        # few clusters make it singular, and no coefficient a sum of others
        "singular": getattr(model, "rank", 0) >= n,
    }


def _tests(tests: Any, names: list[Any] | None) -> dict[str, Any]:
    """Return linear combinations of coefficients, each minus the value that it was
    tested against.
    """
    if tests.effect is None:
        raise EstimateError(
            f"from_effects: this {type(tests).__name__} tests several coefficients at "
            "once and has no effect; fit.t_test(...) has one for each"
        )
    effect, sd, t = (
        np.asarray(x, dtype=np.float64).ravel()
        for x in (tests.effect, tests.sd, tests.statistic)
    )
    tested = effect - t * sd
    none = np.abs(tested) <= 1e-9 * (np.abs(effect) + sd)
    return {
        "estimates": effect - np.where(none, 0.0, tested),
        "se": sd,
        "df": tests.df_denom if tests.distribution == "t" else None,
        "names": getattr(tests, "c_names", None) if names is None else names,
    }
