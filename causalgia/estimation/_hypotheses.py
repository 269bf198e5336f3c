"""Linear hypotheses about contrasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import sparse

from causalgia.analysis import as_result, exploratory_attrs
from causalgia.attributes import about, attributes
from causalgia.checks import as_ci_prob, is_real, nearest
from causalgia.effect_table import has_gaps
from causalgia.effects.contrast_weights import as_unique
from causalgia.effects.pointwise_effects import sums_over_arms
from causalgia.effects.scales import OF_MEANS
from causalgia.errors import EstimateError, quoted
from causalgia.estimation._estimate import MAX_COVARIANCE, covariance
from causalgia.estimation._from_effects import as_estimates
from causalgia.estimation.request import check_has_errors, null_value, with_floor
from causalgia.expressions import (
    KEYWORDS,
    Linear,
    backticked,
    check_distinct,
    differences,
    hypothesis_name,
    read_hypothesis,
)
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import log_p, p_and_limits
from causalgia.numerics.rounding import DIFFERENCE_ROUNDING
from causalgia.numerics.row_blocks import by_block, weights_of
from causalgia.schema import validate
from causalgia.types import Array, EstimateTable

#: hypotheses as text, as weights by name, or as a matrix
Hypothesis: TypeAlias = (
    str
    | Sequence[str]
    | Mapping[str, str | Mapping[str, float]]
    | pd.DataFrame
    | npt.ArrayLike
)
_OF_P = (
    "family",
    "n_draws",
    "seed",
    "band",
    "skewness",
    "null_value",
)


@dataclass(frozen=True)
class System:
    """Linear hypotheses ``H theta = r`` about K effects.

    Attributes
    ----------
    names
        Names of the h hypotheses.
    H
        Weights, shape ``(h, K)``.
    r
        Right sides, shape ``(h,)``.
    """

    names: list[str]
    H: Array
    r: Array


@usual_errors
def hypotheses(
    estimates: EstimateTable, hypothesis: Hypothesis, *, ci_prob: float | None = None
) -> xr.Dataset:
    r"""Combine effects linearly: differences of contrasts, their averages, a contrast
    minus a number.

    Hypothesis j is :math:`\sum_k h_{jk} \delta_k = r_j`; the left side minus the right
    one is estimated. Prefer to give *effects*: the result is effects, and
    `causalgia.estimate` takes errors and degrees of freedom from the units, for any
    target. Given *estimates*, the standard error is :math:`\sqrt{h_j' V h_j}` with V
    their covariance.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`, `causalgia.from_effects` with ``covariance=``, or a
        table that these take; or effects from `causalgia.contrast`.
    hypothesis
        Text in the names of contrasts, one or a list: ``"kozak - scrambled = 0"``,
        ``"a = b"``, ``"2*a - b = 0.5"``, ``"(a + b)/2 = c"``; without ``=`` the right
        side is 0. Put names with spaces or signs in backticks or quotes; ``b1`` is the
        first contrast unless one has that name. Or ``"pairwise"``, ``"reference"``
        (each minus the first) or ``"sequential"`` (each minus the one before). Or a
        mapping: name -> text, or name -> contrast -> weight. Or a matrix with a row for
        each hypothesis and a column for each contrast; names of a DataFrame are used.
    ci_prob
        Probability of the intervals. None: that of the estimates.

    Returns
    -------
    Dataset
        Estimates (or effects, given effects) with the hypotheses on the dim contrast,
        named as they were written. Estimates have ``ace, se, df, p, log_p, lower,
        upper, exact (contrast, task[, model])`` and ``covariance``.
        ``df, n_units, n_clusters`` are the smallest over the contrasts of a hypothesis
        (a note says so where df differ), ``control_sd`` is pooled by the size of the
        weights. Tests use the ordinary t, because the skewness of a combination is not
        known from estimates.

    Raises
    ------
    EstimateError
        If a hypothesis names no contrast, is not linear, has numbers that are not
        finite, or is a multiple of another; or the effects are ratios (use
        ``scale="log_of_means"``).
    EstimateError
        If a hypothesis combines contrasts whose covariance is not known, the estimates
        have no error, their target draws a second population, a combination has no
        spread beyond rounding, or there are more than 512.

    Notes
    -----
    Hypotheses may be linearly dependent, as all pairs are: each is estimated and
    adjusted for. A joint test (`causalgia.estimation.joint_test`) refuses such a set.

    References
    ----------
    Hothorn, Bretz & Westfall (2008), doi:10.1002/bimj.200810425. Arel-Bundock, Greifer
    & Heiss (2024), doi:10.18637/jss.v111.i09: the form of the text.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> table = from_effects(
    ...     [1.0, 0.4],
    ...     covariance=[[0.04, 0.02], [0.02, 0.05]],
    ...     names=["kozak", "scrambled"],
    ... )
    >>> found = hypotheses(table, "kozak - scrambled = 0")
    >>> (
    ...     found["contrast"].item(),
    ...     round(found["ace"].item(), 3),
    ...     round(found["se"].item(), 4),
    ... )
    ('kozak - scrambled = 0', 0.6, 0.2236)
    """
    if _are_effects(estimates):
        if ci_prob is not None:
            raise EstimateError(
                "ci_prob is for intervals, and effects have none",
                argument="ci_prob",
            )
        return _combine_effects(validate(estimates, "effects", gaps=True), hypothesis)
    table = as_estimates(estimates)
    check_has_errors(table)
    target = about(table, "population").target
    if target.startswith(("population x", "next")):
        raise EstimateError(
            f"target={quoted(target)} draws two populations, and the error of a "
            "combination needs the units: "
            f"cg.estimate(cg.estimation.hypotheses(effects, ...), target={quoted(target)})",
            argument="target",
        )
    _check_not_ratio(table)
    system = as_system(hypothesis, _distinct_labels(table))
    if len(system.names) > MAX_COVARIANCE:
        raise EstimateError(
            f"{len(system.names)} hypotheses of estimates: a covariance is formed for "
            f"{MAX_COVARIANCE} at most"
        )
    return _combine_estimates(
        table, system, about(table, 0.95).ci_prob if ci_prob is None else ci_prob
    )


def as_system(hypothesis: Hypothesis, names: list[str]) -> System:
    """Return hypotheses in any form as weights of named contrasts and right sides.

    Examples
    --------
    >>> as_system(["a = b", "2*a = 0.5"], ["a", "b"]).H
    array([[ 1., -1.],
           [ 2.,  0.]])
    >>> as_system([[0.5, 0.5]], ["a", "b"]).names
    ['0.5*a + 0.5*b']
    """
    if hypothesis is None or (isinstance(hypothesis, Mapping) and not hypothesis):
        raise EstimateError("no hypothesis is given")
    if isinstance(hypothesis, Mapping):
        rows = {
            str(name): _parse_row(str(name), row, names)
            for name, row in hypothesis.items()
        }
        as_unique([str(name) for name in hypothesis], "hypotheses")
    elif isinstance(hypothesis, str):
        rows = _rows_from_text([hypothesis], names)
    elif isinstance(hypothesis, list | tuple) and any(
        isinstance(item, str) for item in hypothesis
    ):
        rows = _rows_from_text(hypothesis, names)
    else:
        rows = _rows_from_matrix(hypothesis, names)
    check_distinct(rows)
    place = {name: k for k, name in enumerate(names)}
    H = np.zeros((len(rows), len(names)))
    for j, row in enumerate(rows.values()):
        H[j, [place[name] for name in row.terms]] = list(row.terms.values())
    return System(
        list(rows), H, -np.array([row.constant for row in rows.values()]) + 0.0
    )


def _rows_from_text(texts: Any, names: list[str]) -> dict[str, Linear]:
    rows: dict[str, Linear] = {}
    for text in texts:
        if not isinstance(text, str):
            raise EstimateError(
                f"hypothesis {quoted(text)} is not text, while others are"
            )
        if text in KEYWORDS and text not in names:
            more = {
                name: Linear(terms, 0.0)
                for name, terms in differences(text, names).items()
            }
        else:
            more = {hypothesis_name(text): read_hypothesis(text, names)}
        duplicates = sorted(rows.keys() & more.keys())
        if duplicates:
            raise EstimateError(
                f"hypothesis {quoted(duplicates[0])} is given twice and would count "
                "twice in the family"
            )
        rows |= more
    return rows


def _parse_row(name: str, row: Any, names: list[str]) -> Linear:
    if isinstance(row, str):
        return read_hypothesis(row, names)
    if not isinstance(row, Mapping):
        raise EstimateError(
            f"hypothesis {quoted(name)} is {quoted(row)}, neither text nor weights by "
            "contrast such as {'a': 1}"
        )
    terms: dict[str, float] = {}
    for contrast, weight in row.items():
        if str(contrast) not in names:
            hint = nearest(str(contrast), names, most=3) or "."
            raise EstimateError(
                f"hypothesis {quoted(name)}: {quoted(contrast)} is not a "
                f"contrast{hint} There are {quoted(names[:20])}"
            )
        if not is_real(weight):
            raise EstimateError(
                f"hypothesis {quoted(name)}: the weight of {quoted(contrast)} is "
                f"{quoted(weight)}, not a number"
            )
        terms[str(contrast)] = float(weight)
    return _as_row(name, Linear(terms, 0.0))


def _as_row(name: str, row: Linear) -> Linear:
    if not np.isfinite(list(row.terms.values())).all():
        raise EstimateError(
            f"hypothesis {quoted(name)} has a weight that is not finite"
        )
    if not any(row.terms.values()):
        raise EstimateError(f"hypothesis {quoted(name)} has no weight other than 0")
    return Linear(
        {contrast: weight for contrast, weight in row.terms.items() if weight},
        row.constant,
    )


def _rows_from_matrix(matrix: Any, names: list[str]) -> dict[str, Linear]:
    labels: list[str] | None = None
    if isinstance(matrix, pd.DataFrame):
        columns = as_unique([str(c) for c in matrix.columns], "columns of the matrix")
        unknown = [column for column in columns if column not in names]
        if unknown:
            hint = nearest(unknown[0], names, most=3)
            raise EstimateError(
                f"the matrix has a column {quoted(unknown[0])}, which is not a "
                f"contrast{hint}"
            )
        if not isinstance(matrix.index, pd.RangeIndex):
            labels = as_unique([str(name) for name in matrix.index], "hypotheses")
        matrix = (
            matrix.set_axis(columns, axis=1)
            .reindex(columns=names, fill_value=0.0)
            .to_numpy()
        )
    try:
        H = np.atleast_2d(np.asarray(matrix, dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise EstimateError(
            f"hypothesis {quoted(matrix)} is neither text, a mapping nor a matrix of "
            "numbers"
        ) from error
    if H.ndim != 2 or H.size == 0 or H.shape[1] != len(names):
        raise EstimateError(
            f"the matrix of hypotheses has shape {H.shape}; give (hypotheses, "
            f"{len(names)} contrasts)"
        )
    rows = [Linear(dict(zip(names, map(float, row), strict=True)), 0.0) for row in H]
    rows = [
        _as_row(f"row {j}" if labels is None else labels[j], row)
        for j, row in enumerate(rows)
    ]
    written = [_format_weights(row.terms) for row in rows] if labels is None else labels
    if len(set(written)) < len(written):
        j = next(j for j, one in enumerate(written) if one in written[:j])
        raise EstimateError(
            f"rows {written.index(written[j])} and {j} of the matrix of hypotheses are "
            "the same"
        )
    return dict(zip(written, rows, strict=True))


def _format_weights(terms: Mapping[str, float]) -> str:
    """Return weights as the text of a hypothesis."""
    pieces = [
        f"{'-' if weight < 0 else '+'} "
        f"{'' if abs(weight) == 1 else f'{abs(weight):.6g}*'}{backticked(name)}"
        for name, weight in terms.items()
    ]
    text = " ".join(pieces)
    return text[2:] if text.startswith("+ ") else f"-{text[2:]}"


def _distinct_labels(table: xr.Dataset) -> list[str]:
    names = (
        table["contrast"].to_numpy()
        if "contrast" in table.coords
        else np.arange(table.sizes["contrast"])
    )
    return as_unique([str(name) for name in names], "contrasts")


def _are_effects(dataset: Any) -> TypeGuard[xr.Dataset]:
    if (
        not isinstance(dataset, xr.Dataset)
        or "ace" in dataset
        or "contrast" not in dataset.dims
    ):
        return False
    return (
        "ice" in dataset
        or {"outcome", "assigned"} <= set(dataset.variables)
        or has_gaps(dataset)
    )


def _check_not_ratio(table: xr.Dataset) -> None:
    if null_value(table) != 0:
        raise EstimateError(
            "the effects are ratios "
            f"(scale={quoted(about(table, 'ratio').transform)}), and no effect is 1: "
            "sums of ratios have no plain limits"
        )


def _combine_estimates(table: xr.Dataset, system: System, ci_prob: float) -> xr.Dataset:
    ci_prob, dims, H = as_ci_prob(ci_prob), table["ace"].dims, system.H
    at = np.flatnonzero(H.any(axis=0))
    H = H[:, at]
    used = (
        table.isel(contrast=at)
        .drop_dims("contrast_", errors="ignore")
        .transpose(*dims, ...)
    )
    ace = _minus_right_side(np.tensordot(H, used["ace"].to_numpy(), axes=1), system.r)
    V = _hypothesis_covariance(table, used, system)
    columns: dict[str, Array]
    se, columns = _hypothesis_errors(V, used["se"].to_numpy(), H, system), {"ace": ace}
    df = (
        _smallest_used(used["df"].to_numpy(), H)
        if "df" in used
        else np.full(ace.shape, np.inf)
    )
    p, lower, upper = p_and_limits(ace, se, df, ci_prob)
    columns |= {
        "se": se,
        "p": p,
        "log_p": log_p(ace, se, df),
        "lower": lower,
        "upper": upper,
        "exact": se == 0,
    }
    columns |= {"df": df} if "df" in used else {}
    columns |= {
        n: _smallest_used(used[n].to_numpy(), H)
        for n in ("n_units", "n_clusters")
        if n in used and used[n].dims == dims
    }
    if "control_sd" in used and used["control_sd"].dims == dims:
        columns["control_sd"] = _pooled_control_sd(used["control_sd"].to_numpy(), H)
    coords = {
        n: c
        for n, c in table.coords.items()
        if c.dims and not {"contrast", "contrast_"} & set(c.dims)
    }
    out = xr.Dataset(
        {n: (dims, x) for n, x in columns.items()},
        coords,
        attrs=_estimates_attrs(table, system, ci_prob),
    )
    if V is not None:
        out["covariance"] = (("contrast", "contrast_", *dims[1:]), V)
        out = out.assign_coords(contrast_=system.names)
    out = _with_arm_weights(out.assign_coords(contrast=system.names), used, H)
    out = with_floor(out, _combined_floor(used, H, out)) if "floor" in used else out
    return as_result(out, "estimates", *_combination_notes(used, H))


def _minus_right_side(x: Array, r: Array) -> Array:
    """Return ``x - r`` for each hypothesis, shape ``(h, ...)``."""
    return np.asarray(x - r.reshape(-1, *[1] * (x.ndim - 1)))


def _hypothesis_covariance(
    table: xr.Dataset, used: xr.Dataset, system: System
) -> Array | None:
    """Return the covariance of the hypotheses; None if it is not known, and each
    hypothesis has one contrast.
    """
    at = np.flatnonzero(system.H.any(axis=0))
    names, H = _distinct_labels(used), system.H[:, at]
    if "covariance" in table or "factor" in table:
        labels: list[Any] = (
            list(used["contrast"].to_numpy()) if "contrast" in used.coords else list(at)
        )
        V = (
            covariance(table, labels)
            .transpose("contrast", "contrast_", *used["ace"].dims[1:])
            .to_numpy()
        )
        return np.asarray(np.einsum("hk,kl...,jl->hj...", H, V, H))
    several = np.flatnonzero((H != 0).sum(axis=1) > 1)
    if several.size:
        j = int(several[0])
        one, other = (names[k] for k in np.flatnonzero(H[j])[:2])
        raise EstimateError(
            f"hypothesis {quoted(system.names[j])}: the covariance of {quoted(one)} "
            f"and {quoted(other)} is not known, and contrasts of one trial are "
            "correlated"
        )
    return None


def _hypothesis_errors(V: Array | None, se: Array, H: Array, system: System) -> Array:
    """Return standard errors, shape ``(h, ...)``; raise where a variance is 0 within
    rounding.
    """
    size = np.tensordot(np.abs(H), se, axes=1)
    if V is None:
        return np.asarray(size)
    variance = np.moveaxis(np.diagonal(V), -1, 0)
    degenerate = (variance <= DIFFERENCE_ROUNDING * size**2) & (size > 0)
    if degenerate.any():
        j = int(np.argwhere(degenerate)[0][0])
        raise EstimateError(
            f"hypothesis {quoted(system.names[j])}: under this covariance its variance "
            "is 0 within rounding, although its contrasts vary: they determine each "
            "other"
        )
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _smallest_used(x: Array, H: Array) -> Array:
    """Return the smallest value over the contrasts of each hypothesis, shape
    ``(h, ...)``.
    """
    return np.stack([x[row != 0].min(axis=0) for row in H])


def _pooled_control_sd(sd: Array, H: Array) -> Array:
    """Return ``sqrt(sum |h| sd^2 / sum |h|)``, shape ``(h, ...)``."""
    share = np.abs(H) / np.abs(H).sum(axis=1, keepdims=True)
    peak = sd.max(axis=0)
    return np.asarray(
        peak
        * np.sqrt(
            np.tensordot(share, (sd / np.where(peak > 0, peak, 1.0)) ** 2, axes=1)
        )
    )


def _combined_floor(used: xr.Dataset, H: Array, out: xr.Dataset) -> xr.Dataset:
    floor = used["floor"].transpose("contrast", ...)
    dims = floor.dims
    return xr.Dataset(
        {"floor": (dims, np.tensordot(np.abs(H), floor.to_numpy(), axes=1))},
        {"contrast": out["contrast"]},
    )


def _with_arm_weights(out: xr.Dataset, used: xr.Dataset, H: Array) -> xr.Dataset:
    if "weight" not in used:
        return out
    return out.assign(
        weight=(
            ("contrast", "arm"),
            np.asarray(H @ weights_of(used).astype(np.float64)),
        )
    )


def _estimates_attrs(
    table: xr.Dataset, system: System, ci_prob: float
) -> dict[str, Any]:
    attrs: dict[str, Any] = {
        str(k): v for k, v in table.attrs.items() if k not in _OF_P
    }
    method = about(attrs, "").method.strip()
    attrs |= attributes(
        ci_prob=ci_prob,
        method=(
            "linear hypotheses by the covariance of "
            f"estimates{method and f': {method}'}"
        ),
    )
    return attrs | _estimand_attrs(table, system)


def _estimand_attrs(table: xr.Dataset, system: System) -> dict[str, Any]:
    names = _distinct_labels(table)
    rows = {
        name: {names[k]: float(row[k]) for k in np.flatnonzero(row)}
        for name, row in zip(system.names, system.H, strict=True)
    }
    attrs = attributes(
        control="",
        estimand="left side minus right side of each hypothesis, of average effects",
        constants=int((np.asarray(system.r) != 0).any()),
    )
    return attrs | exploratory_attrs(table.attrs, contrasts=rows)


def _combination_notes(used: xr.Dataset, H: Array) -> list[str]:
    notes, from_units = [], "n_units" in used
    if "df" in used:
        df = used["df"].to_numpy()
        unequal = any(
            np.ptp(df[row != 0], axis=0).max() > 1e-9 * df[row != 0].max() for row in H
        )
        cure = (
            "; cg.estimate(cg.estimation.hypotheses(effects, ...)) estimates "
            "Satterthwaite's from the units"
            if from_units
            else ""
        )
        if unequal:
            notes.append(
                "the degrees of freedom of a hypothesis are the smallest of its "
                f"contrasts'{cure}"
            )
    if "skewness" in used and bool((used["skewness"] != 0).any()):
        notes.append(
            "the skewness of combinations is not known from estimates, so they are "
            "tested by the ordinary t; cg.estimate(cg.estimation.hypotheses(effects, "
            "...)) estimates it"
        )
    return notes


def _combine_effects(effects: xr.Dataset, hypothesis: Any) -> xr.Dataset:
    """Return the effects of combinations: ICE of each unit, or new weights of the arms
    (parallel, or with gaps).
    """
    if about(effects, "").transform in OF_MEANS:
        _check_not_ratio(effects)
        raise EstimateError(
            f"effects on scale={quoted(about(effects).transform)} are functions of "
            "means and have no value for each unit"
        )
    system = as_system(hypothesis, _distinct_labels(effects))
    out = effects.drop_dims("contrast")
    if "ice" in effects:
        out = out.assign(_combined_ice(effects, system))
    elif system.r.any():
        name = system.names[int(np.flatnonzero(system.r)[0])]
        raise EstimateError(
            f"hypothesis {quoted(name)} compares with a number, and "
            f"{'a table with gaps' if has_gaps(effects) else 'a parallel trial'} has "
            "no effects of units to take it from"
        )
    out = _with_arm_weights(out.assign_coords(contrast=system.names), effects, system.H)
    if "control_sd" in effects:
        sd = effects["control_sd"].transpose("contrast", ...)
        out["control_sd"] = (sd.dims, _pooled_control_sd(sd.to_numpy(), system.H))
    if "floor" in effects:
        out["floor"] = _combined_floor(effects, system.H, out)["floor"]
    return as_result(
        out.assign_attrs(_estimand_attrs(effects, system)), "effects", gaps=True
    )


def _combined_ice(effects: xr.Dataset, system: System) -> dict[str, Any]:
    """Return the ICE of the hypotheses, and where they are constant within rounding."""
    ice = effects["ice"].transpose("unit", "contrast", ...)
    dims, H = ice.dims, sparse.csr_array(system.H)
    values = xr.DataArray(
        by_block(ice.data, _combine_block, H=H, r=system.r), dims=dims
    )
    largest = np.maximum(ice.max("unit").to_numpy(), -ice.min("unit").to_numpy())
    size = np.tensordot(np.abs(system.H), largest, axes=1)
    bound = 8 * np.finfo(float).eps * _minus_right_side(size, -np.abs(system.r))
    least, most = values.min("unit").to_numpy(), values.max("unit").to_numpy()
    constant, zero = most - least <= bound, np.zeros(bound.shape, dtype=bool)
    if {"constant", "zero"} <= set(effects.variables):
        given, none = (
            effects[n].transpose("contrast", ...).to_numpy()
            for n in ("constant", "zero")
        )
        constant |= np.stack([given[row != 0].all(axis=0) for row in system.H])
        zero |= np.stack(
            [
                none[row != 0].all(axis=0) & (r == 0)
                for row, r in zip(system.H, system.r, strict=True)
            ]
        )
    zero = constant & (zero | ((least <= bound) & (most >= -bound)))
    return {"ice": values, "constant": (dims[1:], constant), "zero": (dims[1:], zero)}


def _combine_block(block: Array, *, H: sparse.csr_array, r: Array) -> Array:
    sums = sums_over_arms(H, np.asarray(block, dtype=np.float64))
    return np.ascontiguousarray(np.moveaxis(_minus_right_side(sums, r), 0, 1))
