"""Linear hypotheses about contrasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from scipy import sparse

from causalgia.analysis import as_result, exploratory_attrs
from causalgia.attributes import about, attributes
from causalgia.checks import is_real, nearest
from causalgia.effect_table import has_gaps
from causalgia.effects.contrast_weights import as_unique
from causalgia.effects.pointwise_effects import sums_over_arms
from causalgia.effects.scales import OF_MEANS
from causalgia.effects.two_values import (
    COUNTS,
    WEIGHT,
    TwoValues,
    counts_of_combinations,
)
from causalgia.errors import EstimateError, quoted
from causalgia.estimation._estimate import minus_control
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
from causalgia.numerics.row_blocks import by_block, weights_of
from causalgia.schema import validate
from causalgia.types import Array

#: hypotheses as text, as weights by name, or as a matrix
Hypothesis: TypeAlias = (
    str
    | Sequence[str]
    | Mapping[str, str | Mapping[str, float]]
    | pd.DataFrame
    | npt.ArrayLike
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
    effects: xr.Dataset, hypothesis: Hypothesis, *, control: str | float | None = None
) -> xr.Dataset:
    r"""Combine effects linearly: differences of contrasts, their averages, a contrast
    minus a number.

    Hypothesis j is :math:`\sum_k h_{jk} \delta_k = r_j`; the left side minus the right
    one is a contrast of arms, whose weights are those of its contrasts, and the effects
    are those that `causalgia.contrast` gives for it. `causalgia.estimate`
    or `causalgia.decide` follows.

    Parameters
    ----------
    effects
        From `causalgia.contrast`; or outcomes, with their `control`. Estimates are
        refused: of a regression take ``fit.t_test`` of statsmodels, whose result
        `causalgia.decide` reads.
    hypothesis
        Text in the names of contrasts, one or a list: ``"kozak - scrambled = 0"``,
        ``"a = b"``, ``"2*a - b = 0.5"``, ``"(a + b)/2 = c"``; without ``=`` the right
        side is 0. Put names with spaces or signs in backticks or quotes; ``b1`` is the
        first contrast unless one has that name. Or ``"pairwise"``, ``"reference"``
        (each minus the first) or ``"sequential"`` (each minus the one before). Or a
        mapping: name -> text, or name -> contrast -> weight. Or a matrix with a row for
        each hypothesis and a column for each contrast; names of a DataFrame are used.
    control
        Of outcomes: the arm subtracted from every other arm, as in `contrast`.

    Returns
    -------
    Dataset
        Effects, with the hypotheses on the dim contrast, named as they were written.
        ``control_sd`` is pooled by the size of the weights.

    Raises
    ------
    EstimateError
        If a hypothesis names no contrast, is not linear, has numbers that are not
        finite, or is a multiple of another; if estimates are given; if effects are
        functions of means; if a right side is not 0 in a parallel trial or a table with
        gaps; or if outcomes take two values and the effects do not tell how two arms of
        a hypothesis agree (give the outcomes to `contrast`).

    Notes
    -----
    Hypotheses may be linearly dependent, as all pairs are: each is estimated and
    adjusted for.

    References
    ----------
    Arel-Bundock, Greifer & Heiss (2024), doi:10.18637/jss.v111.i09: the form of the text.

    Examples
    --------
    >>> ice = np.array([[1.0, 0.2], [2.0, 0.4], [1.5, 0.9]])[:, :, None]
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), ice)},
    ...     {"contrast": ["kozak", "scrambled"], "task": ["K562"]},
    ... )
    >>> found = hypotheses(effects, "kozak - scrambled = 0.5")
    >>> found["contrast"].item(), found["ice"].values.ravel().round(3)
    ('kozak - scrambled = 0.5', array([0.3, 1.1, 0.1]))
    """
    if control is not None:
        effects = minus_control(effects, control)
    if not isinstance(effects, xr.Dataset) or "ace" in effects:
        raise EstimateError(
            "hypotheses takes effects or outcomes, and these are not; for the estimates "
            "of a regression, take t_test of statsmodels",
            argument="effects",
        )
    effects = validate(effects, "effects", gaps=True)
    if about(effects, "").transform in OF_MEANS:
        raise EstimateError(
            f"effects on scale={quoted(about(effects).transform)} are functions of "
            "means and have no value for each unit; ask contrasts= of cg.contrast"
        )
    return _combined(effects, as_system(hypothesis, _distinct_labels(effects)))


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


def _combined(effects: xr.Dataset, system: System) -> xr.Dataset:
    """Return the effects of combinations: ICE of each unit, or new weights of the arms
    (parallel, or with gaps).
    """
    out = effects.drop_dims("contrast")
    if "ice" in effects:
        out = out.assign(_combined_ice(effects, system) | _counts(effects, system))
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


def _minus_right_side(x: Array, r: Array) -> Array:
    """Return ``x - r`` for each hypothesis, shape ``(h, ...)``."""
    return np.asarray(x - r.reshape(-1, *[1] * (x.ndim - 1)))


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


def _counts(effects: xr.Dataset, system: System) -> dict[str, Any]:
    """Return the counts of outcomes of two values."""
    if WEIGHT not in effects:
        return {}
    dims = tuple(map(str, effects["ice"].dims[1:]))
    weight = effects[WEIGHT].transpose(*dims, "own").to_numpy()
    counts = effects[COUNTS].transpose(*dims, "own", "own_", "cell").to_numpy()
    trailing, m = weight.shape[1:-1], weight.shape[-1]
    known = TwoValues(
        weight.reshape(len(weight), -1, m), counts.reshape(len(weight), -1, m, m, 4)
    )
    ice = effects["ice"].to_numpy().astype(np.float64)
    found = counts_of_combinations(
        ice.reshape(*ice.shape[:2], -1),
        weights_of(effects).toarray().astype(np.float64),
        known,
        system.H,
        system.names,
    )
    if found is None:
        return {}
    shape = len(system.names), *trailing
    return TwoValues(
        found.weight.reshape(*shape, found.weight.shape[-1]),
        found.counts.reshape(*shape, *found.counts.shape[2:]),
    ).columns(dims)


def _combine_block(block: Array, *, H: sparse.csr_array, r: Array) -> Array:
    sums = sums_over_arms(H, np.asarray(block, dtype=np.float64))
    return np.ascontiguousarray(np.moveaxis(_minus_right_side(sums, r), 0, 1))
