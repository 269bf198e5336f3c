"""Hierarchical effect sizes beside estimates: which contrasts are shrunken together,
and what the posterior says.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.analysis_values import Prior, Shrinkage
from causalgia.attributes import about
from causalgia.choices import LEAST_TO_SHARE, LEAST_TO_SHRINK
from causalgia.errors import (
    CausalgiaWarning,
    EstimateError,
)
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.request import null_value
from causalgia.numerics.row_blocks import weights_of
from causalgia.ropes import Rope
from causalgia.types import Codes, Mask
from causalgia.verdicts.posterior_evidence import summarize_posterior

COLUMNS = ("shrunken", "shrunken_lower", "shrunken_upper", "lfsr")
LABEL = "exchangeable"
"""Coordinate on contrast: contrasts that share a label are exchangeable, those with an
empty one with none.
"""
_USUAL_SEED = 0
"""Of the draws whose quantiles are the limits: fixed, so that the same estimates have
the same columns everywhere.
"""


def shrink_effects(
    estimates: xr.Dataset,
    shrink: Shrinkage,
    *,
    ci_prob: float,
    across: str | None = None,
    client: Any = None,
) -> tuple[dict[str, Any], str]:
    """Return the columns of hierarchical effect sizes, and a note where there are none
    for a reason; {} for none.

    Parameters
    ----------
    estimates
        With ``ace, se (contrast, task)``.
    shrink
        Law and prior.
    ci_prob
        Probability of the intervals.
    across
        ``"task"``: tasks borrow strength as well.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers infer tasks in parallel.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> columns, note = shrink_effects(
    ...     from_effects(np.arange(12.0), se=3.0), Shrinkage(), ci_prob=0.95
    ... )
    >>> columns["shrunken"][1].round(0).ravel()[[0, -1]], note
    (array([4., 7.]), '')
    """
    found = infer_exchangeable(estimates, shrink, across=across, client=client)
    if isinstance(found, str):
        return {}, found
    tree, rows = found
    try:
        summary = summarize_posterior(tree, Rope.parse(0), ci_prob=ci_prob).columns
    except EstimateError as error:  # too few draws for so high a probability
        return {}, f"no hierarchical effect sizes: {error}"
    return spread_over(estimates, rows, summary), ""


def spread_over(
    estimates: xr.Dataset, rows: Codes, summary: dict[str, Any]
) -> dict[str, Any]:
    """Return columns of some contrasts as columns of all, NaN for the others.

    Examples
    --------
    >>> table = xr.Dataset({"ace": (("contrast", "task"), np.zeros((2, 1)))})
    >>> spread_over(table, np.array([1]), {"lfsr": np.array([[0.5]])})["lfsr"][
    ...     1
    ... ].ravel()
    array([nan, 0.5])
    """
    ace = estimates["ace"].transpose("contrast", "task")
    columns = {}
    for name, values in summary.items():
        whole = np.full(ace.shape, np.nan)
        whole[rows] = values
        columns[name] = (("contrast", "task"), whole)
    return columns


def infer_exchangeable(
    estimates: xr.Dataset,
    shrink: Shrinkage,
    *,
    across: str | None = None,
    client: Any = None,
    rng: Any = _USUAL_SEED,
) -> tuple[Any, Codes] | str:
    """Return the posterior of the exchangeable contrasts of estimates and their rows;
    else why there is none, or "".

    Contrasts count that are no placebos and vary in every task; a group of fewer than
    10 is left out.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> infer_exchangeable(from_effects(np.arange(9.0), se=3.0), Shrinkage())
    ''
    """
    if (
        "model" in estimates["ace"].dims
        or "se" not in estimates
        or null_value(estimates) != 0
    ):
        return ""
    if str(about(estimates, None).target) == "next predictor":
        return ""
    rows, labels = exchangeable_rows(estimates)
    if not len(rows):
        return ""
    prior = shrink.prior if isinstance(shrink.prior, Prior) else Prior()
    how: dict[str, Any] = {"law": shrink.law, "prior": prior, "client": client}
    if across is not None:
        if len(rows) < LEAST_TO_SHARE or estimates.sizes["task"] < 2:
            return (
                f"across='task' takes {LEAST_TO_SHARE} exchangeable contrasts in "
                "two tasks or more"
            )
        how = {"across": across}
    part = estimates.isel(
        {dim: rows for dim in ("contrast", "contrast_") if dim in estimates.dims}
    )
    if len(np.unique(labels)) > 1 and across is None:
        part, how["family"] = part.assign_coords({LABEL: ("contrast", labels)}), LABEL
    from causalgia.posterior import infer

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            return infer(part, **how, exchangeable=True, rng=rng), rows
    except EstimateError as error:
        return f"no hierarchical effect sizes: {error}"


def exchangeable_rows(estimates: xr.Dataset) -> tuple[Codes, npt.NDArray[np.str_]]:
    """Return the rows of contrasts that are shrunken, and the label of each; groups of
    fewer than 10 are left out.

    The coordinate ``exchangeable`` labels them. Without it, contrasts are exchangeable
    if their weights are alike: effects of one arm each against a control are,
    interactions and slopes beside them are not.

    Examples
    --------
    >>> table = xr.Dataset({"ace": (("contrast", "task"), np.zeros((12, 1)))})
    >>> table = table.assign(se=table["ace"] + 1).assign_coords(
    ...     exchangeable=("contrast", ["k-mer"] * 11 + [""])
    ... )
    >>> exchangeable_rows(table)[0]
    array([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10])
    """
    n = estimates.sizes["contrast"]
    se = estimates["se"].transpose("contrast", "task", ...).to_numpy()
    counted: Mask = (
        ~is_placebo(estimates) & (se > 0).all(axis=1) & np.isfinite(se).all(axis=1)
    )
    if LABEL in estimates.coords:
        labels = estimates[LABEL].to_numpy().astype(str)
    elif "weight" in estimates:
        weight = weights_of(estimates)
        kinds = [
            " ".join(
                f"{w:.9g}"
                for w in sorted(weight.data[weight.indptr[k] : weight.indptr[k + 1]])
                if w
            )
            for k in range(n)
        ]
        labels = np.array(kinds, dtype=str)
    else:
        labels = np.full(n, "effects")
    counted &= labels != ""
    names, codes, counts = np.unique(
        labels[counted], return_inverse=True, return_counts=True
    )
    enough = counts[codes] >= LEAST_TO_SHRINK if len(names) else np.zeros(0, bool)
    rows = np.flatnonzero(counted)[enough]
    return rows, labels[rows]
