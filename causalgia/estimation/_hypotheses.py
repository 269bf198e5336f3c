"""Linear hypotheses about contrasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import xarray as xr
from scipy import sparse

from causalgia.analysis import as_result, exploratory_attrs
from causalgia.attributes import about, attributes
from causalgia.effect_table import has_gaps
from causalgia.effects.contrast_weights import as_unique
from causalgia.effects.pointwise_effects import pooled_sd, weighted_sums
from causalgia.effects.scales import OF_MEANS, sums_over_axis
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
    check_distinct,
    differences,
    hypothesis_name,
    read_hypothesis,
)
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.row_blocks import by_block, weights_of
from causalgia.schema import validate
from causalgia.types import Array

Hypothesis: TypeAlias = str | Sequence[str] | Mapping[str, str]
"""Text over names of contrasts: one, several, or by name."""


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
        Text in the names of contrasts, one, a list, or by the name of each:
        ``"kozak - scrambled = 0"``, ``"a = b"``, ``"2*a - b = 0.5"``,
        ``"(a + b)/2 = c"``; without ``=`` the right side is 0. Put names with spaces or
        signs in backticks or quotes; ``b1`` is the first contrast unless one has that
        name. ``"pairwise"``, ``"reference"`` (each minus the first) and
        ``"sequential"`` (each minus the one before) stand for several.
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
        If a hypothesis is no text, names no contrast, is not linear, has numbers that
        are not finite, or is a multiple of another; if estimates are given; if effects
        are functions of means; if a right side is not 0 in a parallel trial or a table
        with gaps; or if outcomes take two values and the effects do not tell how two
        arms of a hypothesis agree (give the outcomes to `contrast`).

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
    if not isinstance(effects, xr.Dataset) or "contrast" not in effects.dims:
        raise EstimateError(
            "hypotheses takes effects, or outcomes with control=, and these are neither",
            argument="effects",
        )
    if "ace" in effects:
        raise EstimateError(
            "these are estimates; give the effects, or of a regression take t_test of "
            "statsmodels",
            argument="effects",
        )
    effects = validate(effects, "effects", gaps=True)
    if about(effects, "").transform in OF_MEANS:
        raise EstimateError(
            f"effects on scale={quoted(about(effects).transform)} are functions of "
            "means and have no value for each unit; ask contrasts= of cg.contrast"
        )
    labels = effects["contrast"].to_numpy().tolist()
    names = as_unique([str(name) for name in labels], "contrasts")
    rows = _as_rows(hypothesis, names)
    H = np.array(
        [[row.terms.get(name, 0.0) for name in names] for row in rows.values()]
    )
    # left sides minus these numbers
    r = -np.array([row.constant for row in rows.values()]) + 0.0
    out = effects.drop_dims("contrast").assign_coords(contrast=list(rows))
    if "ice" in effects:
        out = out.assign(_units(effects, H, r) | _counts(effects, H, list(rows)))
    elif r.any():
        raise EstimateError(
            f"hypothesis {quoted(list(rows)[np.flatnonzero(r)[0]])} compares with a "
            f"number, and {'a table with gaps' if has_gaps(effects) else 'a parallel trial'} "
            "has no effects of units to take it from"
        )
    if "weight" in effects:
        W = np.asarray(H @ weights_of(effects).astype(np.float64))
        out["weight"] = ("contrast", "arm"), W
    if "control_sd" in effects:
        sd = effects["control_sd"].transpose("contrast", ...)
        out["control_sd"] = sd.dims, pooled_sd(sd.to_numpy(), sparse.csr_array(-abs(H)))
    if "floor" in effects:
        floor = effects["floor"].transpose("contrast", ...)
        out["floor"] = floor.dims, np.tensordot(abs(H), floor.to_numpy(), axes=1)
    attrs = attributes(
        control="",
        estimand="left side minus right side of each hypothesis, of average effects",
        constants=int(r.any()),
    )
    asked = {name: row.terms for name, row in rows.items()}
    attrs |= exploratory_attrs(effects.attrs, contrasts=asked)
    return as_result(out.assign_attrs(attrs), "effects", gaps=True)


def _as_rows(hypothesis: Hypothesis, names: list[str]) -> dict[str, Linear]:
    """Return hypotheses by name, as sums of contrasts and a number that are 0."""
    texts: Any = [hypothesis] if isinstance(hypothesis, str) else hypothesis
    if not isinstance(texts, Mapping | Sequence) or not len(texts):
        raise EstimateError(
            f"hypothesis={quoted(hypothesis)}: give text over contrasts, one or more",
            argument="hypothesis",
        )
    if not isinstance(texts, Mapping):
        written = [
            one
            for text in texts
            for one in (
                differences(text, names)
                if isinstance(text, str) and text in KEYWORDS and text not in names
                else [text]
            )
        ]
        by_name = [hypothesis_name(str(text)) for text in written]
        texts = dict(zip(as_unique(by_name, "hypotheses"), written, strict=True))
    for name, text in texts.items():
        if not isinstance(text, str):
            raise EstimateError(
                f"hypothesis {quoted(name)} is no text over contrasts; weights of arms "
                "go to contrasts= of cg.contrast",
                argument="hypothesis",
            )
    rows = {str(name): read_hypothesis(text, names) for name, text in texts.items()}
    check_distinct(rows)
    return rows


def _units(effects: xr.Dataset, H: Array, r: Array) -> dict[str, Any]:
    """Return the ICE of the hypotheses, and where they are constant within rounding."""
    ice = effects["ice"].transpose("unit", "contrast", ...)
    y, W = ice.data, sparse.csr_array(H)
    if r.any():  # of an effect that is 1 in all units
        y = by_block(y, np.insert, obj=len(H.T), values=1.0, axis=1)
        W = sparse.hstack([W, sparse.csr_array(-r[:, None])], format="csr")
    values, constant, zero = weighted_sums(y, W, scale="identity")
    if {"constant", "zero"} <= set(effects.variables):  # within that of the outcomes
        varies, moves = (
            sums_over_axis(
                sparse.csr_array((H != 0) * 1.0),
                1.0 - effects[name].transpose(*ice.dims[1:]).to_numpy(),
                0,
            )
            > 0
            for name in ("constant", "zero")
        )
        constant |= ~varies
        zero |= ~moves & (r == 0).reshape(-1, *[1] * (ice.ndim - 2))
    return {
        "ice": (ice.dims, values),
        "constant": (ice.dims[1:], constant),
        "zero": (ice.dims[1:], constant & zero),
    }


def _counts(effects: xr.Dataset, H: Array, names: list[str]) -> dict[str, Any]:
    """Return the counts of outcomes of two values."""
    if WEIGHT not in effects:
        return {}
    ice = effects["ice"].transpose("unit", "contrast", ...)
    dims = ice.dims[1:]
    weight = effects[WEIGHT].transpose(*dims, "own").to_numpy()
    counts = effects[COUNTS].transpose(*dims, "own", "own_", "cell").to_numpy()
    k, m, shape = len(weight), weight.shape[-1], (len(H), *ice.shape[2:])
    found = counts_of_combinations(
        ice.to_numpy().astype(np.float64).reshape(len(ice), k, -1),
        weights_of(effects).toarray().astype(np.float64),
        TwoValues(weight.reshape(k, -1, m), counts.reshape(k, -1, m, m, 4)),
        H,
        names,
    )
    if found is None:
        return {}
    return TwoValues(
        found.weight.reshape(*shape, -1),
        found.counts.reshape(*shape, *found.counts.shape[2:]),
    ).columns(dims)
