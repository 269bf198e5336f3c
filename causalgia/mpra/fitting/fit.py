"""The door of the fits: counts -> effects of arms in every element, by a method of choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
import xarray as xr

from causalgia.errors import EstimateError
from causalgia.estimation.moments import p_and_limits
from causalgia.estimation.request import require_ci_prob
from causalgia.estimation.tails import log_p
from causalgia.mpra.fitting.cells import cells_of
from causalgia.mpra.fitting.fitted import Fitted
from causalgia.mpra.fitting.hierarchical import hierarchical
from causalgia.mpra.fitting.nb import negative_binomial
from causalgia.mpra.fitting.precision import precision
from causalgia.mpra.fitting.question import Asked, asked_of, n_barcodes
from causalgia.mpra.fitting.two_way import two_way

Method: TypeAlias = Literal["hierarchical", "two_way", "precision", "nb"]
_Way: TypeAlias = Callable[[xr.Dataset, Asked], Fitted]


def fit(
    counts: xr.Dataset,
    *,
    control: str | None = None,
    arms: Sequence[str] | None = None,
    contrasts: Mapping[str, Mapping[str, float]] | None = None,
    method: Method = "hierarchical",
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Estimate what arms do to the activity of each element, from its barcode counts."""
    if method not in _WAYS:
        raise EstimateError(f"method={method!r} is none of {', '.join(map(repr, get_args(Method)))}")
    ci_prob = require_ci_prob(ci_prob)
    asked = asked_of(counts, control=control, arms=arms, contrasts=contrasts)
    fitted = _WAYS[method](counts, asked)
    return _labelled(counts, asked, fitted, method, control, ci_prob)


def _labelled(
    counts: xr.Dataset, asked: Asked, fitted: Fitted, method: str, control: str | None, ci_prob: float
) -> xr.Dataset:
    dims = ("element", "contrast")
    ace, se, df = (np.ascontiguousarray(v, dtype=np.float64) for v in (fitted.ace, fitted.se, fitted.df))
    p, lower, upper = p_and_limits(ace, se, df, ci_prob)
    columns = {"ace": ace, "se": se, "df": df, "lower": lower, "upper": upper, "p": p, "log_p": log_p(ace, se, df)}
    kept = np.ones(len(asked.elements), dtype=bool) if fitted.kept is None else fitted.kept
    oligos = asked.oligos[kept]
    n = n_barcodes(counts)[oligos]
    return xr.Dataset(
        {name: (dims, column) for name, column in columns.items()}
        | {"n_barcodes": (("element", "arm"), n), "weight": (("contrast", "arm"), asked.weights)}
        | dict(fitted.variables),
        coords={
            "element": asked.elements[kept],
            "contrast": list(asked.contrasts),
            "arm": asked.arms,
            "group": ("element", counts["group"].to_numpy()[oligos[:, 0]]),
        },
        attrs={
            "method": method,
            "scale": "log2",
            "ci_prob": ci_prob,
            "estimand": "contrast of log2(RNA/DNA) between arms, in each element, over the barcodes that it might have",
            "effect_on": "measured activity",
            "null": "the barcodes that an oligo might have",
            **({} if control is None else {"control": control}),
            "n_left_out": asked.n_left_out,
            "n_not_fitted": int((~kept).sum()),
            "arms_left_out": ", ".join(asked.arms_left_out),
            **fitted.attrs,
        },
    )


_WAYS: dict[str, _Way] = {
    "hierarchical": hierarchical,
    "two_way": lambda counts, asked: two_way(cells_of(counts, asked), asked.weights),
    "precision": precision,
    "nb": negative_binomial,
}
