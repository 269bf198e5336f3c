"""P-values adjusted for multiple testing within declared families."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, cast, overload

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.analysis import exploratory_attrs
from causalgia.attributes import about, attributes, has
from causalgia.checks import nearest, why_no_numbers
from causalgia.choices import STEPWISE, Method, Stepwise
from causalgia.effect_table import as_effect_table
from causalgia.errors import (
    DataError,
    EstimateError,
    quoted,
)
from causalgia.estimation._from_effects import as_estimates, check_not_decisions
from causalgia.estimation.given_effects import with_effect_columns
from causalgia.estimation.ratios import unbounded
from causalgia.estimation.request import (
    FEW_CLUSTERS,
    Request,
    check_cluster_name,
    check_has_errors,
    clusters,
    is_below_floor,
)
from causalgia.inputs import as_pandas
from causalgia.multiplicity.adjusted_p import hierarchical_q, stepwise
from causalgia.multiplicity.bands import seed_of_method
from causalgia.multiplicity.families import (
    JointEstimates,
    as_joint_estimates,
    estimate_effects,
    families,
    family_codes,
    family_label,
    has_effects,
    order_ice_dims,
    units_to_resample,
)
from causalgia.multiplicity.joint_methods import (
    bootstrap_or_bound,
    by_bootstrap,
    by_multivariate_t,
)
from causalgia.notes import with_notes
from causalgia.numerics.float_errors import usual_errors
from causalgia.schema import annotate, check_dataset, check_no_positions, validate
from causalgia.streams import RNG, check_seed
from causalgia.types import Array, Codes, HasToPandas, Series

_OF_P = (*STEPWISE, "hierarchical")
_JOINT = ("bootstrap_t", "dunnett")
_METHOD_NAMES = ("auto", *_OF_P, *_JOINT)
_CI_PROB = 0.95
_ALPHA = 0.05
_OF_ONE_METHOD = ("adjust_alpha",)


@overload
def adjust(
    estimates: Series,
    *,
    method: Method | Literal["hierarchical"] = ...,
    family: str | None = ...,
    n_draws: int = ...,
    cluster: str = ...,
    rng: RNG | None = ...,
) -> Series: ...
@overload
def adjust(
    estimates: npt.NDArray[Any] | Sequence[float],
    *,
    method: Method | Literal["hierarchical"] = ...,
    family: str | None = ...,
    n_draws: int = ...,
    cluster: str = ...,
    rng: RNG | None = ...,
) -> Array: ...
@overload
def adjust(
    estimates: xr.Dataset | pd.DataFrame | HasToPandas,
    *,
    method: Method | Literal["hierarchical"] = ...,
    family: str | None = ...,
    n_draws: int = ...,
    cluster: str = ...,
    rng: RNG | None = ...,
) -> xr.Dataset: ...
@usual_errors
def adjust(
    estimates: xr.Dataset
    | pd.DataFrame
    | HasToPandas
    | Series
    | npt.NDArray[Any]
    | Sequence[float],
    *,
    method: Method | Literal["hierarchical"] = "bh",
    family: str | None = None,
    n_draws: int = 9_999,
    cluster: str = "auto",
    rng: RNG | None = None,
) -> xr.Dataset | Series | Array:
    """Add p-values adjusted for the number of tests in their family.

    Use it for confirmatory p-values of several contrasts, after `causalgia.estimate`;
    `causalgia.decide` adjusts its verdicts itself. Choose the method by the claim:
    ``"bh"`` if few of the discoveries may be false, ``"auto"`` if none may be.

    ======================================= ==============================================================
    expected share of false discoveries
    ``"bh"``                                under independence or positive dependence
    ``"hierarchical"``                      Benjamini-Bogomolov: families first, then inside those selected at .05
    probability of any false discovery
    ``"holm"``                              under any dependence
    ``"auto"``                              ``"bootstrap_t"`` of 20 clusters or more, else ``"holm"``, with a note
    ``"bootstrap_t"``                       the largest t of resampled clusters; for skewed effects; the p of the band
    ``"dunnett"``                           the multivariate t of the covariance; for near-normal effects
    ======================================= ==============================================================

    Parameters
    ----------
    estimates
        Estimates with ``p (contrast, task[, model])``; a table with columns ``effect``
        and ``se``; effects ``ice (unit, contrast, task)``, which ``"bootstrap_t"``
        needs; or the p-values of one family: a list, an array (K,), a Series or a
        DataArray. A NaN among the p of a Dataset is not counted and stays NaN.
    method
        One of the above.
    family
        The set of p-values that are adjusted together. None: the contrasts of one task
        (and model), and of a fit of the bench all elements and contrasts, as in its
        verdicts; a coordinate on contrast: each of its values within a task;
        ``"all"``; ``"task"``: the contrasts of one task, or the elements of one
        contrast of a fit.
    n_draws
        Number of resamples of ``"bootstrap_t"``. No other method uses it: ``"dunnett"``
        integrates, or simulates 65,535 draws.
    cluster
        Units that vary together. For effects: these are resampled together.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For ``"bootstrap_t"``.

    Returns
    -------
    Dataset
        The estimates with ``p_adjusted`` and the attrs ``adjust`` (the method used),
        ``family`` and ``exploratory``; from ``"bootstrap_t"`` and ``"dunnett"`` also
        ``p_step_down``, from ``"hierarchical"`` ``adjust_alpha``, .05. For p-values
        alone, the adjusted ones: an array (K,) for a list or an array, else a Series or
        DataArray ``p_adjusted`` with the same labels.

    Raises
    ------
    EstimateError
        If the method or family is unknown, there are no p-values (one unit, decisions),
        a p-value is not between 0 and 1, or the method needs units that are not there.
    DataError
        If `estimates` is not a Dataset with a dim contrast.
    TypeError
        If ``"bootstrap_t"`` has no `rng`.

    Notes
    -----
    p-values test no effect, attrs["null_value"]: 1 for ratios and 0 otherwise. Those of
    ``"bootstrap_t"`` and ``"dunnett"`` are single-step: at most .05 where the band of
    `simultaneous` excludes no effect. The two methods for effects give 1 where the
    interval of a ratio is ``unbounded``. Exact contrasts (se = 0) have p 1 or 0, except
    for ``"bootstrap_t"``. The page "Test many contrasts at once" compares the methods,
    and the bootstrap with Holm in few clusters.

    References
    ----------
    Benjamini & Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x. Holm (1979),
    www.jstor.org/stable/4615733. Benjamini & Bogomolov (2014),
    doi:10.1111/rssb.12028. Romano & Wolf (2005), doi:10.1198/016214504000000539.
    Dunnett (1955), doi:10.1080/01621459.1955.10501294.

    Examples
    --------
    >>> estimates = xr.Dataset(
    ...     {
    ...         "ace": (("contrast", "task"), [[3.0], [2.0]]),
    ...         "p": (("contrast", "task"), [[0.01], [0.04]]),
    ...     },
    ...     coords={"contrast": ["GATA1", "TAL1"], "task": ["K562"]},
    ... )
    >>> adjust(estimates, method="holm")["p_adjusted"].values.ravel()
    array([0.02, 0.04])
    >>> adjust([0.01, 0.04, 0.03], method="holm")
    array([0.03, 0.06, 0.06])
    """
    if not isinstance(method, str):
        raise EstimateError(
            f"method={quoted(method)} is not a text; one of {', '.join(_METHOD_NAMES)}",
            argument="method",
        )
    check_seed(rng)
    given: Any = as_pandas(estimates)
    check_cluster_name(cluster, of_units=has_effects(given))
    if isinstance(
        given, list | tuple | np.ndarray | pd.Series | pd.Index | xr.DataArray
    ):
        p_alone: Series | Array = _adjust_p_values(given, method, family)
        return p_alone
    used, why = _choose_method(given, cluster) if method == "auto" else (method, None)
    if family is None and _is_fit(given) and used != "hierarchical":
        family = "all"
    elif family == "task" and _has_tasks(given):
        family = None
    if used in _JOINT:
        joint = as_joint_estimates(given, cluster)
        out, attrs = _adjust_jointly(joint, used, family, n_draws, rng)
    elif used in _OF_P:
        table = _estimates_table(given, cluster)
        out, attrs = _adjust_by_p(table, used, family)
    else:
        raise _unknown_method(method)
    # how p was adjusted, in place of what an earlier method wrote
    stale = _OF_ONE_METHOD if has(out).band else (*_OF_ONE_METHOD, "n_draws", "seed")
    others = {name: value for name, value in out.attrs.items() if name not in stale}
    out = (
        out
        if about(attrs).adjust in ("bootstrap_t", "dunnett")
        else out.drop_vars("p_step_down", errors="ignore")
    )
    bound = {"adjust_alpha": _ALPHA} if about(attrs).adjust == "hierarchical" else {}
    out.attrs = others | attrs | bound | exploratory_attrs(others)
    adjusted = annotate(out)
    return with_notes(adjusted, *([why] if why else []))


def _is_fit(given: Any) -> bool:
    """Whether these are effects in each element of a bench."""
    return isinstance(given, xr.Dataset) and (
        "ace" in given and "element" in given["ace"].dims
    )


def _has_tasks(given: Any) -> bool:
    """Whether "task" names the tasks, and not a coordinate on contrast."""
    return not (isinstance(given, xr.Dataset) and "task" in given.coords) or (
        given["task"].dims != ("contrast",)
    )


def _unknown_method(method: str) -> EstimateError:
    return EstimateError(
        f"method {quoted(method)} is not one of "
        f"{', '.join(_METHOD_NAMES)}{nearest(method, _METHOD_NAMES)}"
    )


def _adjust_p_values(given: Any, method: str, family: str | None) -> Any:
    """Adjust p-values given without effects; a Series or DataArray keeps its labels."""
    p, name = _as_p_array(given), "holm" if method == "auto" else method
    if name in _JOINT or name == "hierarchical":
        needs = (
            "coordinates that name families"
            if name == "hierarchical"
            else "units or a covariance"
        )
        raise EstimateError(
            f"method={quoted(method)} needs {needs}, and p-values alone have none",
            argument="method",
        )
    if name not in _OF_P:
        raise _unknown_method(method)
    if family not in (None, "all"):
        raise EstimateError(
            f"family={quoted(family)}: p-values alone are one family",
            argument="family",
        )
    adjusted = stepwise(p, cast("Stepwise", name))
    if isinstance(given, pd.Series):
        return pd.Series(adjusted, index=given.index, name="p_adjusted")
    return (
        given.copy(data=adjusted).drop_attrs().rename("p_adjusted")
        if isinstance(given, xr.DataArray)
        else adjusted
    )


def _as_p_array(given: Any) -> Array:
    """Return p-values as floats (K,); the error names the first that is not one."""
    if np.ma.is_masked(given):
        raise EstimateError("p has masked entries")
    try:
        values = np.asarray(given)
        p = values.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise EstimateError(
            f"p does not hold numbers alone ({why_no_numbers(given)})"
        ) from error
    if values.dtype.kind in "bcmMUS":
        raise EstimateError(f"p has dtype {values.dtype}, not floats")
    if p.ndim != 1 or not p.size:
        raise EstimateError(
            f"p has shape {p.shape}; give a list of K p-values, K at least 1"
        )
    wrong = ~((p >= 0) & (p <= 1))
    if wrong.any():
        k = int(np.argmax(wrong))
        raise EstimateError(f"entry {k}: p is {p[k]:g}, not between 0 and 1")
    return p


def _choose_method(given: Any, cluster: str) -> tuple[str, str | None]:
    n_clusters = None
    if has_effects(given) and "ice" in given:
        effects = order_ice_dims(given)
        groups = clusters(effects, Request(cluster, None, (), "population", "units"))
        n_clusters = int(given.sizes["unit"]) if groups is None else len(groups.labels)
    elif (
        isinstance(given, xr.Dataset)
        and "n_clusters" in given
        and given["n_clusters"].size
    ):
        least = int(given["n_clusters"].min())
        n_clusters = least if least < FEW_CLUSTERS else None
    return bootstrap_or_bound(n_clusters, bounds="holm", takes="adjusted by Holm")


def _adjust_by_p(
    table: xr.Dataset, method: str, family: str | None
) -> tuple[xr.Dataset, dict[str, Any]]:
    p_values = _p_of_estimates(table)
    p = p_values.to_numpy().astype(np.float64)
    adjusted = np.full(p.size, np.nan)
    for members, p_of_family in _adjust_families(table, p, method, family):
        adjusted[members] = p_of_family
    column = (
        p_values.copy(data=adjusted.reshape(p.shape))
        .drop_attrs()
        .transpose(*table["p"].dims)
    )
    return table.assign(p_adjusted=column), {
        "adjust": method,
        "family": family_label(family, p_values),
    }


_FamilyAnswers: TypeAlias = list[tuple[Codes, Array]]


def _estimates_table(given: Any, cluster: str) -> xr.Dataset:
    if has_effects(given):
        return estimate_effects(given, cluster)
    given = with_effect_columns(given)
    if isinstance(given, pd.DataFrame) and "effect" not in given and "p" in given:
        raise DataError(
            "the table has no column 'effect'; to adjust its p-values alone: "
            "cg.adjust(table['p'])"
        )
    if not isinstance(given, xr.Dataset):
        return as_estimates(given) if hasattr(given, "columns") else given
    of_elsewhere = "effect" in given and bool(
        {"se", "covariance"} & set(given.variables)
    )
    of_elements = _is_fit(given)
    of_others = "outcome" in given or "ice_mean" in given  # which the error names
    of_one_contrast = "contrast" in given.coords and "contrast" not in given.dims
    if "ace" in given and of_one_contrast and not of_elements:
        given = validate(given, "estimates")  # one contrast was selected
    return (
        as_estimates(given)
        if of_elsewhere or of_elements or of_others
        else as_effect_table(given)
    )


def _adjust_families(
    table: xr.Dataset, p: Array, method: str, family: str | None
) -> _FamilyAnswers:
    if method == "hierarchical":
        if family in (None, "all"):
            raise EstimateError(
                "method='hierarchical' selects families first",
                argument="method",
            )
        codes = family_codes(table, family)
        columns = np.arange(p.size, dtype=np.intp).reshape(len(p), -1).T
        return [
            (column, hierarchical_q(p.ravel()[column], codes, alpha=_ALPHA).q)
            for column in columns
            if not np.isnan(p.ravel()[column]).all()
        ]
    flat = p.ravel()
    tested = [
        members[~np.isnan(flat[members])]
        for members in families(table, family, p.shape)
    ]
    return [
        (members, stepwise(flat[members], cast("Stepwise", method)))
        for members in tested
        if len(members)
    ]


def _adjust_jointly(
    joint: JointEstimates,
    method: str,
    family: str | None,
    n_draws: int,
    rng: RNG | None,
) -> tuple[xr.Dataset, dict[str, Any]]:
    table = joint.estimates
    units = None if method == "dunnett" else units_to_resample(joint, method)
    seed = seed_of_method(method, rng, draws=units is not None)
    attrs: dict[str, Any] = attributes(
        adjust=method, seed=str(seed), family=family_label(family, table["ace"])
    )
    if units is not None:
        attrs |= attributes(n_draws=n_draws)
    se, shape = joint.numbers("se"), table["ace"].shape
    single, down = np.empty_like(se), np.empty_like(se)
    for members in families(table, family, shape):
        result = (
            by_multivariate_t(joint, members, ci_prob=_CI_PROB, key=seed.key)
            if units is None
            else by_bootstrap(
                units,
                members,
                se=se[members],
                ci_prob=_CI_PROB,
                n_draws=n_draws,
                key=seed.key,
            )
        )
        single[members], down[members] = result.p_single_step, result.p_step_down
    untestable = unbounded(table).ravel() | is_below_floor(table).ravel()
    single[untestable], down[untestable] = 1.0, 1.0
    columns = {"p_adjusted": single, "p_step_down": down}
    out = table.assign(
        {
            name: (table["ace"].dims, values.reshape(shape))
            for name, values in columns.items()
        }
    )
    return out, attrs


def _p_of_estimates(estimates: xr.Dataset) -> xr.DataArray:
    """Return p with contrast as its first dim, each NaN or between 0 and 1."""
    check_dataset(estimates, "estimates")
    check_no_positions(estimates, "estimates")
    if "contrast" not in estimates.dims:
        validate(estimates, "estimates")  # which says why
    if "p" not in estimates:
        check_not_decisions(estimates)
        check_has_errors(estimates)
        raise EstimateError("the estimates have no p-values")
    p = estimates["p"]
    if "contrast" not in p.dims or p.dtype.kind != "f":
        raise DataError(
            f"estimates: 'p' has dims {p.dims} and dtype {p.dtype}, not floats on "
            "the dim contrast"
        )
    if p.size == 0:
        raise EstimateError(
            "the estimates have no contrasts (or tasks); the selection before adjust "
            "left none"
        )
    p = p.transpose("contrast", ...)
    wrong = np.argwhere(((p < 0) | (p > 1)).to_numpy())
    if len(wrong):
        k = wrong[0][0]
        name = p["contrast"].to_numpy()[k]
        raise EstimateError(
            f"contrast {name}: p is {p.to_numpy()[tuple(wrong[0])]}, not between 0 and "
            "1"
        )
    return p
