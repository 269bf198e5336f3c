"""Linear hypotheses of contrasts: combinations of effects that were estimated together, with their covariance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import sparse

from causalgia.analysis import exploratory_attrs
from causalgia.arm_weights import weights_of
from causalgia.effects._contrast import times
from causalgia.effects.contrast_weights import unique
from causalgia.effects.scales import OF_MEANS
from causalgia.errors import ContrastError, EstimateError, quoted
from causalgia.estimation._estimate import MAX_COVARIANCE, covariance
from causalgia.estimation._from_effects import as_estimates, require_errors
from causalgia.estimation.arithmetic_floor import with_floor
from causalgia.estimation.request import require_ci_prob
from causalgia.expressions import (
    KEYWORDS,
    Linear,
    backticked,
    check_distinct,
    differences,
    hypothesis_name,
    nearest,
    read_hypothesis,
)
from causalgia.notes import with_notes
from causalgia.numerics.moments import log_p, p_and_limits
from causalgia.numerics.row_blocks import by_block
from causalgia.schema import annotate, validate
from causalgia.types import Array

_ROUNDING = 1e-12  # of a variance that is a difference of larger ones
_OF_P = ("adjust", "adjust_level", "family", "n_draws", "n_flips", "seed", "band", "skewness", "null_value")


@dataclass(frozen=True)
class System:
    """Linear hypotheses ``H theta = r`` of K effects.

    Attributes
    ----------
    names
        What each of h hypotheses is called.
    H
        Weights, shape ``(h, K)``.
    r
        Right sides, shape ``(h,)``.
    """

    names: list[str]
    H: Array
    r: Array


def hypotheses(estimates: Any, hypothesis: Any, *, ci_prob: float | None = None) -> xr.Dataset:
    r"""Combine effects linearly: differences of contrasts, their averages, a contrast against a number.

    Hypothesis j says :math:`\sum_k h_{jk} \delta_k = r_j`. What is estimated is the left side minus the right one, so
    that no effect is 0. Of *estimates* its standard error is :math:`\sqrt{h_j' V h_j}` with V the covariance that the
    estimates hold. Given *effects*, it returns effects, unit by unit, and `causalgia.estimate` computes errors
    and degrees of freedom from the units, for any target, with clusters: prefer this wherever there are units.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`, `causalgia.from_effects` with ``covariance=``, or a table that these take; or effects
        from `causalgia.contrast`.
    hypothesis
        Text over the names of contrasts, one or several in a list: ``"kozak - scrambled = 0"``, ``"a = b"``, ``"2*a -
        b = 0.5"``, ``"(a + b)/2 = c"``; without ``=`` the right side is 0. Names with spaces or signs stand in
        backticks or quotes; ``b1`` is the first contrast where none is called so. Or ``"pairwise"``, ``"reference"``
        (each minus the first) or ``"sequential"`` (each minus the one before). Or a mapping: name -> text, or
        name -> contrast -> weight. Or a matrix with a row a hypothesis and a column a contrast; names of a DataFrame
        are read.
    ci_prob
        Probability of the intervals; None: that of the estimates.

    Returns
    -------
    Dataset
        Estimates (of effects: effects) whose dim contrast has the hypotheses, each called as it was written.
        Of estimates: ``ace, se, df, p, log_p, lower, upper, exact (contrast, task[, model])`` and their ``covariance``;
        the df are those of the contrasts, the smallest where they differ, which a note says. ``n_units, n_clusters``
        are the least of its contrasts, ``control_sd`` is pooled by the size of the weights. Skewness is not known from
        estimates, so that tests are by the ordinary t.

    Raises
    ------
    ContrastError
        If a hypothesis names no contrast, is not linear, has numbers that are not finite, or is a multiple of another;
        or the effects are ratios, whose sums mean little: ``scale="log_of_means"`` makes them differences.
    EstimateError
        If a hypothesis is of several contrasts and their covariance is not known, the estimates have no error, their
        target draws a second population, a combination has no spread beyond rounding, or there are more than 512.

    Notes
    -----
    Hypotheses may determine each other, as all pairs do: each is estimated and adjusted for. What asks for all of
    them at once (`causalgia.estimation.joint_test`) refuses such a set.

    References
    ----------
    Hothorn, Bretz & Westfall (2008), doi:10.1002/bimj.200810425. Arel-Bundock, Greifer & Heiss (2024),
    doi:10.18637/jss.v111.i09: the form of the text.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> table = from_effects([1.0, 0.4], covariance=[[0.04, 0.02], [0.02, 0.05]], names=["kozak", "scrambled"])
    >>> found = hypotheses(table, "kozak - scrambled = 0")
    >>> found["contrast"].item(), round(found["ace"].item(), 3), round(found["se"].item(), 4)
    ('kozak - scrambled = 0', 0.6, 0.2236)
    """
    if _are_effects(estimates):
        if ci_prob is not None:
            raise EstimateError("ci_prob= is for intervals, and effects have none; give it to cg.estimate instead")
        return _of_effects(validate(estimates, "effects"), hypothesis)
    table = as_estimates(estimates)
    require_errors(table)
    _check_possible(table)
    system = as_system(hypothesis, _labels(table))
    if len(system.names) > MAX_COVARIANCE:
        raise EstimateError(
            f"{len(system.names)} hypotheses of estimates: a covariance is formed for {MAX_COVARIANCE} at most; test "
            "fewer ('reference'), or combine the effects: cg.estimate(cg.estimation.hypotheses(effects, ...))"
        )
    return _of_estimates(table, system, table.attrs.get("ci_prob", 0.95) if ci_prob is None else ci_prob)


def as_system(hypothesis: Any, names: list[str]) -> System:
    """Return hypotheses, in whichever form, as weights and right sides over named contrasts.

    Examples
    --------
    >>> as_system(["a = b", "2*a = 0.5"], ["a", "b"]).H
    array([[ 1., -1.],
           [ 2.,  0.]])
    >>> as_system([[0.5, 0.5]], ["a", "b"]).names
    ['0.5*a + 0.5*b']
    """
    if hypothesis is None or (isinstance(hypothesis, Mapping) and not hypothesis):
        raise ContrastError("no hypothesis is given; for example \"b1 - b2 = 0\" or 'pairwise'")
    if isinstance(hypothesis, Mapping):
        rows = {str(name): _row(str(name), row, names) for name, row in hypothesis.items()}
        unique([str(name) for name in hypothesis], "hypotheses")
    elif isinstance(hypothesis, str):
        rows = _from_text([hypothesis], names)
    elif isinstance(hypothesis, list | tuple) and any(isinstance(item, str) for item in hypothesis):
        rows = _from_text(hypothesis, names)
    else:
        rows = _from_matrix(hypothesis, names)
    check_distinct(rows)
    place = {name: k for k, name in enumerate(names)}
    H = np.zeros((len(rows), len(names)))
    for j, row in enumerate(rows.values()):
        H[j, [place[name] for name in row.terms]] = list(row.terms.values())
    return System(list(rows), H, -np.array([row.constant for row in rows.values()]) + 0.0)


def _from_text(texts: Any, names: list[str]) -> dict[str, Linear]:
    rows: dict[str, Linear] = {}
    for text in texts:
        if not isinstance(text, str):
            raise ContrastError(
                f"hypothesis {quoted(text)} is not text, while others are; give texts alone, or a matrix of numbers"
            )
        if text in KEYWORDS and text not in names:
            more = {name: Linear(terms, 0.0) for name, terms in differences(text, names).items()}
        else:
            more = {hypothesis_name(text): read_hypothesis(text, names)}
        twice = sorted(rows.keys() & more.keys())
        if twice:
            raise ContrastError(
                f"hypothesis {quoted(twice[0])} is given twice, and would count twice in the family; leave one out"
            )
        rows |= more
    return rows


def _row(name: str, row: Any, names: list[str]) -> Linear:
    if isinstance(row, str):
        return read_hypothesis(row, names)
    if not isinstance(row, Mapping):
        raise ContrastError(
            f"hypothesis {quoted(name)} is {quoted(row)}, neither text nor weights by contrast such as {{'a': 1}}"
        )
    terms: dict[str, float] = {}
    for contrast, weight in row.items():
        if str(contrast) not in names:
            hint = nearest(str(contrast), names) or "."
            raise ContrastError(
                f"hypothesis {quoted(name)}: {quoted(contrast)} is not a contrast{hint} There are {quoted(names[:20])}"
            )
        if isinstance(weight, bool) or not isinstance(weight, Real):
            raise ContrastError(
                f"hypothesis {quoted(name)}: the weight of {quoted(contrast)} is {quoted(weight)}, not a number"
            )
        terms[str(contrast)] = float(weight)
    return _checked_row(name, Linear(terms, 0.0))


def _checked_row(name: str, row: Linear) -> Linear:
    if not np.isfinite(list(row.terms.values())).all():
        raise ContrastError(f"hypothesis {quoted(name)} has a weight that is not finite; rescale the weights")
    if not any(row.terms.values()):
        raise ContrastError(
            f"hypothesis {quoted(name)} has no weight other than 0; name the contrasts that it combines"
        )
    return Linear({contrast: weight for contrast, weight in row.terms.items() if weight}, row.constant)


def _from_matrix(matrix: Any, names: list[str]) -> dict[str, Linear]:
    labels: list[str] | None = None
    if isinstance(matrix, pd.DataFrame):
        columns = unique([str(c) for c in matrix.columns], "columns of the matrix")
        lost = [column for column in columns if column not in names]
        if lost:
            raise ContrastError(
                f"the matrix has a column {quoted(lost[0])}, which is not a contrast{nearest(lost[0], names)}"
            )
        if not isinstance(matrix.index, pd.RangeIndex):
            labels = unique([str(name) for name in matrix.index], "hypotheses")
        matrix = matrix.set_axis(columns, axis=1).reindex(columns=names, fill_value=0.0).to_numpy()
    try:
        H = np.atleast_2d(np.asarray(matrix, dtype=np.float64))
    except (TypeError, ValueError, OverflowError) as error:
        raise ContrastError(
            f"hypothesis {quoted(matrix)} is neither text, a mapping nor a matrix of numbers; for example 'b1 - b2 = 0'"
        ) from error
    if H.ndim != 2 or H.size == 0 or H.shape[1] != len(names):
        raise ContrastError(f"the matrix of hypotheses has shape {H.shape}; give (hypotheses, {len(names)} contrasts)")
    rows = [Linear(dict(zip(names, map(float, row), strict=True)), 0.0) for row in H]
    rows = [_checked_row(f"row {j}" if labels is None else labels[j], row) for j, row in enumerate(rows)]
    written = [_in_text(row.terms) for row in rows] if labels is None else labels
    if len(set(written)) < len(written):
        raise ContrastError("two rows of the matrix of hypotheses are the same; leave one out")
    return dict(zip(written, rows, strict=True))


def _in_text(terms: Mapping[str, float]) -> str:
    """Write weights as a hypothesis reads them."""
    pieces = [
        f"{'-' if weight < 0 else '+'} {'' if abs(weight) == 1 else f'{abs(weight):.6g}*'}{backticked(name)}"
        for name, weight in terms.items()
    ]
    text = " ".join(pieces)
    return text[2:] if text.startswith("+ ") else f"-{text[2:]}"


def _labels(table: xr.Dataset) -> list[str]:
    names = table["contrast"].to_numpy() if "contrast" in table.coords else np.arange(table.sizes["contrast"])
    return unique([str(name) for name in names], "contrasts")


def _are_effects(given: Any) -> bool:
    if not isinstance(given, xr.Dataset) or "ace" in given or "contrast" not in given.dims:
        return False
    return "ice" in given or {"outcome", "assigned"} <= set(given.variables)


def _check_possible(table: xr.Dataset) -> None:
    target = str(table.attrs.get("target", "population"))
    if target.startswith(("population x", "next")):
        raise EstimateError(
            f"target={quoted(target)} draws two populations, and the error of a combination needs the units: "
            f"cg.estimate(cg.estimation.hypotheses(effects, ...), target={quoted(target)})"
        )
    _refuse_ratio(table)


def _refuse_ratio(table: xr.Dataset) -> None:
    if float(table.attrs.get("null_value", 0.0)) != 0:
        raise ContrastError(
            f"the effects are ratios (scale={quoted(table.attrs.get('transform', 'ratio'))}), and no effect is 1: sums "
            "of ratios have no plain limits; use scale='log_of_means', where ratios of ratios are differences"
        )


def _of_estimates(table: xr.Dataset, system: System, ci_prob: float) -> xr.Dataset:
    ci_prob, dims, H = require_ci_prob(ci_prob), table["ace"].dims, system.H
    at = np.flatnonzero(H.any(axis=0))
    H = H[:, at]
    used = table.isel(contrast=at).drop_dims("contrast_", errors="ignore").transpose(*dims, ...)
    ace = _less(np.tensordot(H, used["ace"].to_numpy(), axes=1), system.r)
    V = _covariance(table, used, system)
    columns: dict[str, Array]
    se, columns = _errors(V, used["se"].to_numpy(), H, system), {"ace": ace}
    df = _least(used["df"].to_numpy(), H) if "df" in used else np.full(ace.shape, np.inf)
    p, lower, upper = p_and_limits(ace, se, df, ci_prob)
    columns |= {"se": se, "p": p, "log_p": log_p(ace, se, df), "lower": lower, "upper": upper, "exact": se == 0}
    columns |= {"df": df} if "df" in used else {}
    columns |= {
        n: _least(used[n].to_numpy(), H) for n in ("n_units", "n_clusters") if n in used and used[n].dims == dims
    }
    if "control_sd" in used and used["control_sd"].dims == dims:
        columns["control_sd"] = _pooled(used["control_sd"].to_numpy(), H)
    coords = {n: c for n, c in table.coords.items() if c.dims and not {"contrast", "contrast_"} & set(c.dims)}
    out = xr.Dataset({n: (dims, x) for n, x in columns.items()}, coords, attrs=_attrs(table, system, ci_prob))
    if V is not None:
        out["covariance"] = (("contrast", "contrast_", *dims[1:]), V)
        out = out.assign_coords(contrast_=system.names)
    out = _with_weight(out.assign_coords(contrast=system.names), used, H)
    out = with_floor(out, _floor(used, H, out)) if "floor" in used else out
    return validate(annotate(with_notes(out, *_notes(used, H))), "estimates")


def _less(x: Array, r: Array) -> Array:
    return np.asarray(x - r.reshape(-1, *[1] * (x.ndim - 1)))


def _covariance(table: xr.Dataset, used: xr.Dataset, system: System) -> Array | None:
    """Return the covariance of the hypotheses; None where each is of one contrast, and nothing else is known."""
    at = np.flatnonzero(system.H.any(axis=0))
    names, H = _labels(used), system.H[:, at]
    if "covariance" in table or "factor" in table:
        labels: list[Any] = list(used["contrast"].to_numpy()) if "contrast" in used.coords else list(at)
        V = covariance(table, labels).transpose("contrast", "contrast_", *used["ace"].dims[1:]).to_numpy()
        return np.asarray(np.einsum("hk,kl...,jl->hj...", H, V, H))
    several = np.flatnonzero((H != 0).sum(axis=1) > 1)
    if several.size:
        j = int(several[0])
        one, other = (names[k] for k in np.flatnonzero(H[j])[:2])
        raise EstimateError(
            f"hypothesis {quoted(system.names[j])}: the covariance of {quoted(one)} and {quoted(other)} is not known, "
            "and contrasts of one trial are correlated; give it, cg.from_effects(effect, covariance=...), or "
            "np.diag(se**2) where errors are independent, or give the effects of cg.contrast"
        )
    return None


def _errors(V: Array | None, se: Array, H: Array, system: System) -> Array:
    """Return standard errors, shape ``(h, ...)``; refuse a difference of errors that rounding alone could make."""
    size = np.tensordot(np.abs(H), se, axes=1)
    if V is None:
        return np.asarray(size)
    variance = np.moveaxis(np.diagonal(V), -1, 0)
    lost = (variance <= _ROUNDING * size**2) & (size > 0)
    if lost.any():
        j = int(np.argwhere(lost)[0][0])
        raise EstimateError(
            f"hypothesis {quoted(system.names[j])}: under this covariance its variance is 0 within rounding, although "
            "its contrasts vary: they determine each other; leave it out, or combine the effects: "
            "cg.estimation.hypotheses(effects, ...)"
        )
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _least(x: Array, H: Array) -> Array:
    """Return the smallest value over the contrasts of each hypothesis, shape ``(h, ...)``."""
    return np.stack([x[row != 0].min(axis=0) for row in H])


def _pooled(sd: Array, H: Array) -> Array:
    """Return ``sqrt(sum |h| sd^2 / sum |h|)``, shape ``(h, ...)``."""
    share = np.abs(H) / np.abs(H).sum(axis=1, keepdims=True)
    peak = sd.max(axis=0)
    return np.asarray(peak * np.sqrt(np.tensordot(share, (sd / np.where(peak > 0, peak, 1.0)) ** 2, axes=1)))


def _floor(used: xr.Dataset, H: Array, out: xr.Dataset) -> xr.Dataset:
    floor = used["floor"].transpose("contrast", ...)
    dims = floor.dims
    return xr.Dataset(
        {"floor": (dims, np.tensordot(np.abs(H), floor.to_numpy(), axes=1))}, {"contrast": out["contrast"]}
    )


def _with_weight(out: xr.Dataset, used: xr.Dataset, H: Array) -> xr.Dataset:
    if "weight" not in used:
        return out
    return out.assign(weight=(("contrast", "arm"), np.asarray(H @ weights_of(used).astype(np.float64))))


def _attrs(table: xr.Dataset, system: System, ci_prob: float) -> dict[str, Any]:
    attrs: dict[str, Any] = {str(k): v for k, v in table.attrs.items() if k not in _OF_P}
    method = str(attrs.get("method", "")).strip()
    attrs |= {
        "ci_prob": ci_prob,
        "method": f"linear hypotheses by the covariance of estimates{method and f': {method}'}",
    }
    return attrs | _in_words(table, system)


def _in_words(table: xr.Dataset, system: System) -> dict[str, Any]:
    names = _labels(table)
    rows = {
        name: {names[k]: float(row[k]) for k in np.flatnonzero(row)}
        for name, row in zip(system.names, system.H, strict=True)
    }
    words = {"control": "", "estimand": "left side minus right side of each hypothesis, of average effects"}
    return words | exploratory_attrs(table.attrs, contrasts=rows)


def _notes(used: xr.Dataset, H: Array) -> list[str]:
    notes, from_units = [], "n_units" in used
    if "df" in used:
        df = used["df"].to_numpy()
        unequal = any(np.ptp(df[row != 0], axis=0).max() > 1e-9 * df[row != 0].max() for row in H)
        cure = (
            "; cg.estimate(cg.estimation.hypotheses(effects, ...)) estimates Satterthwaite's from the units"
            if from_units
            else ""
        )
        if unequal:
            notes.append(f"the degrees of freedom of a hypothesis are the smallest of its contrasts'{cure}")
    if "skewness" in used and bool((used["skewness"] != 0).any()):
        notes.append(
            "the skewness of combinations is not known from estimates, so they are tested by the ordinary t; "
            "cg.estimate(cg.estimation.hypotheses(effects, ...)) estimates it"
        )
    return notes


def _of_effects(effects: xr.Dataset, hypothesis: Any) -> xr.Dataset:
    """Return effects of combinations: those of each unit, or in a parallel trial other weights of the arms."""
    if effects.attrs.get("transform") in OF_MEANS:
        _refuse_ratio(effects)
        raise ContrastError(
            f"effects on scale={quoted(effects.attrs['transform'])} are functions of means and have no value for each "
            "unit; combine their estimates: cg.estimation.hypotheses(cg.estimate(effects), ...)"
        )
    system = as_system(hypothesis, _labels(effects))
    out = effects.drop_dims("contrast")
    if "ice" in effects:
        out = out.assign(_combined(effects, system))
    elif system.r.any():
        name = system.names[int(np.flatnonzero(system.r)[0])]
        raise ContrastError(
            f"hypothesis {quoted(name)} compares with a number, and a parallel trial has no effects of units to take "
            "it from; combine the estimates: cg.estimation.hypotheses(cg.estimate(effects), ...)"
        )
    out = _with_weight(out.assign_coords(contrast=system.names), effects, system.H)
    if "control_sd" in effects:
        sd = effects["control_sd"].transpose("contrast", ...)
        out["control_sd"] = (sd.dims, _pooled(sd.to_numpy(), system.H))
    if "floor" in effects:
        out["floor"] = _floor(effects, system.H, out)["floor"]
    return validate(annotate(out.assign_attrs(_in_words(effects, system))), "effects")


def _combined(effects: xr.Dataset, system: System) -> dict[str, Any]:
    """ICE of the hypotheses, and where they are one number within rounding."""
    ice = effects["ice"].transpose("unit", "contrast", ...)
    dims, H = ice.dims, sparse.csr_array(system.H)
    values = xr.DataArray(by_block(ice.data, _sums, H=H, r=system.r), dims=dims)
    largest = np.maximum(ice.max("unit").to_numpy(), -ice.min("unit").to_numpy())
    size = np.tensordot(np.abs(system.H), largest, axes=1)
    bound = 8 * np.finfo(float).eps * _less(size, -np.abs(system.r))
    least, most = values.min("unit").to_numpy(), values.max("unit").to_numpy()
    constant, zero = most - least <= bound, np.zeros(bound.shape, dtype=bool)
    if {"constant", "zero"} <= set(effects.variables):
        given, none = (effects[n].transpose("contrast", ...).to_numpy() for n in ("constant", "zero"))
        constant |= np.stack([given[row != 0].all(axis=0) for row in system.H])
        zero |= np.stack([none[row != 0].all(axis=0) & (r == 0) for row, r in zip(system.H, system.r, strict=True)])
    zero = constant & (zero | ((least <= bound) & (most >= -bound)))
    return {"ice": values, "constant": (dims[1:], constant), "zero": (dims[1:], zero)}


def _sums(block: Array, *, H: sparse.csr_array, r: Array) -> Array:
    sums = times(H, np.asarray(block, dtype=np.float64))
    return np.ascontiguousarray(np.moveaxis(_less(sums, r), 0, 1))
