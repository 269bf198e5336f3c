"""P-values adjusted for multiple testing within declared families."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias, cast, overload

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.analysis import exploratory_attrs
from causalgia.attributes import about, attributes, has
from causalgia.checks import converts_to_float, nearest, why_no_numbers
from causalgia.choices import STEPWISE, Method, Stepwise
from causalgia.effect_table import as_effect_table
from causalgia.errors import (
    EstimateError,
    OutcomesError,
    Setting,
    quoted,
)
from causalgia.estimation import as_estimates
from causalgia.estimation._from_effects import check_not_decisions
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
from causalgia.multiplicity.adjusted_p import hierarchical_q, stepwise, storey_q
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
    enumerates,
    sign_flip_max_t,
    warn_of_skewness,
)
from causalgia.notes import with_notes
from causalgia.schema import annotate, check_dataset, check_no_positions, validate
from causalgia.streams import RNG, check_seed
from causalgia.types import Array, Codes, HasToPandas

_OF_P = (*STEPWISE, "storey", "hierarchical")
_JOINT = ("bootstrap_t", "sign_flip", "dunnett")
_METHOD_NAMES = ("auto", *_OF_P, *_JOINT)
_CI_PROB = 0.95
_ALPHA = 0.05
_OF_ONE_METHOD = ("adjust_alpha", "skewness", "n_flips")


@overload
def adjust(
    estimates: pd.Series[Any],
    *,
    method: Method | Literal["hierarchical"] = ...,
    family: str | None = ...,
    n_draws: int = ...,
    n_flips: int = ...,
    cluster: str = ...,
    rng: RNG | None = ...,
) -> pd.Series[float]: ...
@overload
def adjust(
    estimates: npt.NDArray[Any] | Sequence[float],
    *,
    method: Method | Literal["hierarchical"] = ...,
    family: str | None = ...,
    n_draws: int = ...,
    n_flips: int = ...,
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
    n_flips: int = ...,
    cluster: str = ...,
    rng: RNG | None = ...,
) -> xr.Dataset: ...
def adjust(
    estimates: xr.Dataset
    | pd.DataFrame
    | HasToPandas
    | pd.Series[Any]
    | npt.NDArray[Any]
    | Sequence[float],
    *,
    method: Method | Literal["hierarchical"] = "bh",
    family: str | None = None,
    n_draws: int = 9_999,
    n_flips: int = 9_999,
    cluster: str = "auto",
    rng: RNG | None = None,
) -> xr.Dataset | pd.Series[float] | Array:
    """Add p-values adjusted for the number of tests in their family.

    Use it for confirmatory p-values of several contrasts, after `causalgia.estimate`;
    `causalgia.decide` adjusts its verdicts itself. Choose the method by the claim:
    ``"bh"`` if few of the discoveries may be false, ``"auto"`` if none may be.

    ======================================= ==============================================================
    expected share of false discoveries
    ``"bh"``                                under independence or positive dependence
    ``"by"``                                under any dependence
    ``"storey"``                            BH times the estimated share of nulls; refused where estimates correlate
    ``"hierarchical"``                      Benjamini-Bogomolov: families first, then inside those selected at .05
    probability of any false discovery
    ``"bonferroni"``, ``"holm"``            under any dependence
    ``"hochberg"``                          under positive dependence
    ``"auto"``                              ``"bootstrap_t"`` of 20 clusters or more, else ``"holm"``, with a note
    ``"bootstrap_t"``                       the largest t of resampled clusters; for skewed effects; the p of the band
    ``"dunnett"``                           the multivariate t of the covariance; for near-normal effects
    ``"sign_flip"``                         Westfall-Young step-down over flipped clusters; assumes joint symmetry
    ======================================= ==============================================================

    Parameters
    ----------
    estimates
        Estimates with ``p (contrast, task[, model])``; a table with columns ``effect``
        and ``se``; effects ``ice (unit, contrast, task)``, which ``"bootstrap_t"`` and
        ``"sign_flip"`` need; or the p-values of one family: a list, an array (K,), a
        Series or a DataArray. A NaN among the p of a Dataset is not counted and stays
        NaN.
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
    n_flips
        Number of flips of ``"sign_flip"``. All 2^G flips of G clusters are used if G is
        at most 14 or 2^G at most `n_flips`.
    cluster
        Units that vary together. For effects: these are resampled or flipped together.
    rng
        Seed (0 is a seed), Generator or SeedSequence. For ``"bootstrap_t"`` and random
        flips.

    Returns
    -------
    Dataset
        The estimates with ``p_adjusted`` and the attrs ``adjust`` (the method used),
        ``family`` and ``exploratory``; from ``"bootstrap_t"`` and ``"dunnett"`` also
        ``p_step_down``, from ``"sign_flip"`` the attr ``skewness``, from
        ``"hierarchical"`` ``adjust_alpha``, .05. For p-values alone, the adjusted ones:
        an array (K,) for a list or an array, else a Series or DataArray ``p_adjusted``
        with the same labels.

    Raises
    ------
    EstimateError
        If the method or family is unknown, there are no p-values (one unit, decisions),
        a p-value is not between 0 and 1, the method needs units that are not there, or
        its assumption contradicts the estimates.
    OutcomesError
        If `estimates` is not a Dataset with a dim contrast.
    RandomnessError
        If ``"bootstrap_t"``, or ``"sign_flip"`` of more flips than are enumerated, has
        no `rng`.

    Warns
    -----
    SkewnessWarning
        For ``"sign_flip"`` with fewer than 25 skew^2 clusters.

    Notes
    -----
    p-values test no effect, attrs["null_value"]: 1 for ratios and 0 otherwise. Those of
    ``"bootstrap_t"`` and ``"dunnett"`` are single-step: at most .05 where the band of
    `simultaneous` excludes no effect. The three methods for effects give 1 where the
    interval of a ratio is ``unbounded``. Exact contrasts (se = 0) have p 1 or 0, except
    for ``"bootstrap_t"``. The page "Test many contrasts at once" compares the methods,
    and the bootstrap with Holm in few clusters.

    References
    ----------
    Benjamini & Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x. Benjamini &
    Yekutieli (2001), doi:10.1214/aos/1013699998. Holm (1979),
    www.jstor.org/stable/4615733. Hochberg (1988), doi:10.1093/biomet/75.4.800. Storey
    (2002), doi:10.1111/1467-9868.00346. Benjamini & Bogomolov (2014),
    doi:10.1111/rssb.12028. Romano & Wolf (2005), doi:10.1198/016214504000000539.
    Dunnett (1955), doi:10.1080/01621459.1955.10501294. Westfall & Young (1993),
    Resampling-Based Multiple Testing, Wiley.

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
            argument="method",
            value=method,
            need="is not a text",
            cure=f"one of {', '.join(_METHOD_NAMES)}",
        )
    check_seed(rng)
    given: Any = as_pandas(estimates)
    check_cluster_name(cluster, of_units=has_effects(given))
    if isinstance(
        given, list | tuple | np.ndarray | pd.Series | pd.Index | xr.DataArray
    ):
        p_alone: pd.Series[float] | Array = _adjust_p_values(given, method, family)
        return p_alone
    used, why = _choose_method(given, cluster) if method == "auto" else (method, None)
    if family is None and _is_fit(given) and used != "hierarchical":
        family = "all"
    elif family == "task" and _has_tasks(given):
        family = None
    if used in _JOINT:
        joint = as_joint_estimates(given, cluster)
        out, attrs = _adjust_jointly(joint, used, family, n_draws, n_flips, rng)
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
            argument="method",
            value=method,
            need=f"needs {needs}, and p-values alone have none",
            cure=(
                "give effects from ``cg.contrast`` or estimates, or use ",
                Setting("method", "holm"),
                " or 'bh'",
            ),
        )
    if name not in _OF_P:
        raise _unknown_method(method)
    if family not in (None, "all"):
        raise EstimateError(
            argument="family",
            value=family,
            need=": p-values alone are one family",
            cure="adjust each family by itself, or give a Dataset with 'p' and the "
            f"coordinate {quoted(family)} on contrast",
        )
    adjusted = _adjust_family(p, name)
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
        raise EstimateError(
            "p has masked entries; leave them out before adjusting the others"
        )
    try:
        values = np.asarray(given)
        p = values.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        is_list = isinstance(given, Iterable) and getattr(given, "ndim", 1) > 0
        for k, one in enumerate(given if is_list else ()):
            if (
                np.isscalar(one)
                and not isinstance(given, str)
                and not converts_to_float(one)
            ):
                raise EstimateError(
                    f"entry {k}: p is {quoted(one)}, not a number; leave it out"
                ) from error
        raise EstimateError(
            f"p does not hold numbers alone ({why_no_numbers(given)}); give a list of p-values, such as "
            "[0.01, 0.2]"
        ) from error
    if values.dtype.kind in "bcmMUS":
        cure = (
            "convert them: np.asarray(p, float)"
            if values.dtype.kind in "US"
            else "give p-values between 0 and 1"
        )
        raise EstimateError(f"p has dtype {values.dtype}, not floats; {cure}")
    if p.ndim != 1 or not p.size:
        raise EstimateError(
            f"p has shape {p.shape}; give a list of K p-values, K at least 1"
        )
    wrong = ~((p >= 0) & (p <= 1))
    if wrong.any():
        k = int(np.argmax(wrong))
        labels = (
            given.get_index(given.dims[0])
            if isinstance(given, xr.DataArray)
            else getattr(given, "index", None)
        )
        named = (
            ""
            if not isinstance(labels, pd.Index) or labels[k] == k
            else f" ({labels[k]!s})"
        )
        cure = "leave it out" if np.isnan(p[k]) else "a p-value is a probability"
        raise EstimateError(
            f"entry {k}{named}: p is {p[k]:g}, not between 0 and 1; {cure}"
        )
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
        raise OutcomesError(
            "the table has no column 'effect'; to adjust its p-values alone: "
            "``cg.adjust(table['p'])``"
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
                argument="method",
                value="hierarchical",
                need="selects families first",
                cure=(
                    "name the coordinate on contrast that makes them with ",
                    Setting("family"),
                ),
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
    if method == "storey":
        for members in tested:
            check_nearly_independent(table, members)
    return [
        (members, _adjust_family(flat[members], method))
        for members in tested
        if len(members)
    ]


def _adjust_family(p: Array, method: str) -> Array:
    return (
        storey_q(p)[0] if method == "storey" else stepwise(p, cast("Stepwise", method))
    )


def _adjust_jointly(
    joint: JointEstimates,
    method: str,
    family: str | None,
    n_draws: int,
    n_flips: int,
    rng: RNG | None,
) -> tuple[xr.Dataset, dict[str, Any]]:
    table = joint.estimates
    units = None if method == "dunnett" else units_to_resample(joint, method)
    needs_rng = units is not None and (
        method == "bootstrap_t" or not enumerates(units.n_clusters, n_flips)
    )
    seed = seed_of_method(method, rng, draws=needs_rng)
    attrs: dict[str, Any] = attributes(
        adjust=method, seed=str(seed), family=family_label(family, table["ace"])
    )
    se, shape = joint.numbers("se"), table["ace"].shape
    single, down = np.empty_like(se), np.empty_like(se)
    if method == "bootstrap_t":
        attrs.update(attributes(n_draws=n_draws))
    elif units is not None:
        attrs |= attributes(skewness=warn_of_skewness(units), n_flips=n_flips)
    for members in families(table, family, shape):
        if units is None:
            result = by_multivariate_t(joint, members, ci_prob=_CI_PROB, key=seed.key)
        elif method == "bootstrap_t":
            result = by_bootstrap(
                units,
                members,
                se=se[members],
                ci_prob=_CI_PROB,
                n_draws=n_draws,
                key=seed.key,
            )
        else:
            flips = sign_flip_max_t(
                units.of(members), units.cluster, n_flips=n_flips, rng=seed.key
            )
            single[members] = flips.p_step_down
            continue
        single[members], down[members] = result.p_single_step, result.p_step_down
    untestable = unbounded(table).ravel() | is_below_floor(table).ravel()
    single[untestable], down[untestable] = 1.0, 1.0
    columns = (
        {"p_adjusted": single}
        if method == "sign_flip"
        else {"p_adjusted": single, "p_step_down": down}
    )
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
        raise EstimateError(
            "the estimates have no p-values; take them from ``cg.estimate`` or "
            "``cg.from_effects``"
        )
    p = estimates["p"]
    if "contrast" not in p.dims or p.dtype.kind != "f":
        raise OutcomesError(
            f"``estimates``: 'p' has dims {p.dims} and dtype {p.dtype}, not floats on "
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
            f"contrast {name!s}: p is {p.to_numpy()[tuple(wrong[0])]!s}, not between 0 "
            "and 1"
        )
    return p


LARGEST = 0.1
_EFFECTS_A_BLOCK = 512


def mean_absolute_correlation(factor: Array) -> float:
    """Return the mean |correlation| over pairs of columns, in blocks; 0 for one column.

    Parameters
    ----------
    factor
        Factor of the covariance, shape ``(G, K)``, no column of zeros.

    Examples
    --------
    >>> round(
    ...     mean_absolute_correlation(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])), 4
    ... )
    0.4714
    """
    unit = factor / np.sqrt((factor**2).sum(axis=0))
    k = unit.shape[1]
    total = sum(
        float(np.abs(unit[:, start : start + _EFFECTS_A_BLOCK].T @ unit).sum())
        for start in range(0, k, _EFFECTS_A_BLOCK)
    )
    return (total - k) / (k * (k - 1)) if k > 1 else 0.0


def check_nearly_independent(table: xr.Dataset, members: Codes) -> None:
    """Refuse Storey's q for estimates whose known covariance has a mean |correlation|
    of .1 or more.

    Correlations estimated on few df are not 0 even for independent estimates. The bound
    is therefore what a true correlation of .1 gives, ``sqrt(.1^2 + 2 / (pi df))``, plus
    three standard errors of the mean |r| over the pairs,
    ``sqrt((1 - 2 / pi) / (df pairs))`` each.
    """
    if "se" not in table or not {"covariance", "factor"} & set(table.variables):
        return
    joint = JointEstimates(table, None)
    vary = members[joint.numbers("se")[members] > 0]
    if len(vary) < 2:
        return
    n_columns = table["ace"].size // table.sizes["contrast"]
    if "factor" not in table and len(set((vary % n_columns).tolist())) > 1:
        raise EstimateError(
            argument="method",
            value="storey",
            need="assumes nearly independent estimates, and a family over several "
            "tasks (or models) has the same units in each, whose correlation the "
            "estimates do not say",
            cure=(
                "take each task as a family (``family=None``), or use ",
                Setting("method", "bh"),
            ),
        )
    factor = joint.factor_of(vary)
    if factor is None:
        return
    mean, df = mean_absolute_correlation(factor), float(joint.numbers("df")[vary].min())
    if mean >= largest_mean_correlation(df, len(vary) * (len(vary) - 1) // 2):
        raise EstimateError(
            argument="method",
            value="storey",
            need="assumes nearly independent estimates, and these have a mean "
            f"|correlation| of {mean:.2g}, as arms that share a control or units "
            "do: the share of nulls would be erratic and the FDR too large",
            cure=("use ", Setting("method", "bh"), ", or 'by'"),
        )


def largest_mean_correlation(df: float, n_pairs: int) -> float:
    """Return the least mean |correlation| at which `check_nearly_independent` refuses.

    Examples
    --------
    >>> round(largest_mean_correlation(99, 3), 3), largest_mean_correlation(np.inf, 3)
    (0.233, 0.1)
    """
    spread = np.sqrt((1 - 2 / np.pi) / (df * n_pairs))
    return float(np.sqrt(LARGEST**2 + 2 / (np.pi * df)) + 3 * spread)
