"""Hierarchical effect sizes beside estimates: which effects are shrunken together, and
the four columns of them.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.analysis_values import Prior, Shrinkage
from causalgia.attributes import about
from causalgia.choices import LEAST_TO_SHARE, LEAST_TO_SHRINK, MOST_TO_SHRINK
from causalgia.errors import CausalgiaWarning, EstimateError, first_of
from causalgia.estimation.exchangeable import EXCHANGEABLE, exchangeable_contrasts
from causalgia.estimation.request import is_below_floor, null_value
from causalgia.numerics.row_blocks import weights_of
from causalgia.types import Array, Codes, Mask

COLUMNS = ("shrunken", "shrunken_lower", "shrunken_upper", "lfsr")
_QUANTILE_TOLERANCE = 2e-3  # in normal scores: .002 posterior sd


def shrink_effects(
    estimates: xr.Dataset,
    shrink: Shrinkage,
    *,
    ci_prob: float,
    across: str | None = None,
    client: Any = None,
) -> tuple[dict[str, Any], list[str]]:
    """Return the columns of hierarchical effect sizes, and notes on rows without them;
    {} where no task has 10 exchangeable effects.

    An effect is exchangeable with those of its task that have its label; placebos and
    effects without a standard error above 0 are with none.

    Parameters
    ----------
    estimates
        With ``ace, se (contrast, task)``.
    shrink
        Prior, and whether more than 5,000 rows are shrunken.
    ci_prob
        Probability of the intervals.
    across
        ``"task"``: tasks borrow strength as well.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process. Its
        workers shrink tasks in parallel.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> columns, notes = shrink_effects(
    ...     from_effects(np.arange(12.0), se=3.0), Shrinkage(), ci_prob=0.95
    ... )
    >>> columns["shrunken"][1].round(0).ravel()[[0, -1]], notes
    (array([3., 8.]), [])
    """
    if (
        "model" in estimates["ace"].dims
        or "se" not in estimates
        or null_value(estimates) != 0
        or str(about(estimates, None).target) == "next predictor"
    ):
        return {}, []
    labels, rows = exchangeable_effects(estimates)
    if not rows.any():
        return {}, []
    if across is not None:
        return _across_tasks(estimates, np.flatnonzero(rows.any(axis=1)), ci_prob)
    if not shrink.all_rows and rows.sum() > MOST_TO_SHRINK:
        return {}, [
            f"hierarchical effect sizes of more than {MOST_TO_SHRINK:,} rows are made "
            "on request: shrink=cg.Shrinkage(all_rows=True)"
        ]
    from causalgia.posterior.labeled_data import family_data
    from causalgia.posterior.model_checks import errors_grow_with_effects
    from causalgia.workers import mapped

    prior = shrink.prior if isinstance(shrink.prior, Prior) else None
    columns = {name: np.full(rows.shape, np.nan) for name in COLUMNS}
    notes, growing = _few_note(estimates, rows), list[str]()
    for label in np.unique(labels[rows.any(axis=1)]):
        of_label = np.flatnonzero((labels == label) & rows.any(axis=1))
        tasks = np.flatnonzero(rows[of_label].any(axis=0))
        part = _without(estimates, of_label, tasks, ~rows[np.ix_(of_label, tasks)])
        try:
            families = family_data(part, None, prior)
        except EstimateError as error:
            notes.append(f"no hierarchical effect sizes: {error}")
            continue
        names = [str(estimates["task"].to_numpy()[tasks[q.task]]) for q in families]
        found = mapped(
            partial(_four_columns, ci_prob=ci_prob),
            families,
            what="decide",
            names=names,
            client=client,
        )
        for name, family, values in zip(names, families, found, strict=True):
            if isinstance(values, str):
                notes.append(f"no hierarchical effect sizes in {name}: {values}")
                continue
            at = of_label[family.rows], tasks[family.task]
            for column, of_rows in zip(COLUMNS, values, strict=True):
                columns[column][at] = of_rows
            se = part["se"].transpose("contrast", "task").to_numpy()
            if errors_grow_with_effects(family.effect, se[family.rows, family.task]):
                growing.append(name)
    if growing:
        notes.append(
            "standard errors grow with the effects, which their law assumes to be "
            f"unrelated: the largest are shrunken too far ({first_of(growing, 5)})"
        )
    if "floor" in estimates:  # no number of units distinguishes it from 0
        columns["lfsr"] = np.where(
            is_below_floor(estimates) & np.isfinite(columns["lfsr"]),
            1.0,
            columns["lfsr"],
        )
    return (
        {name: (("contrast", "task"), values) for name, values in columns.items()},
        notes,
    )


def _four_columns(family: Any, ci_prob: float) -> Array | str:
    """Return the columns of the effects of a task, (4, K), or why there are none."""
    from causalgia.posterior.family_posterior import law_posterior

    try:
        found = law_posterior(family, family.effect, family.noise)
    except EstimateError as error:
        return str(error)
    lower, upper = (
        found.quantile(0.5 + side * ci_prob / 2, tolerance=_QUANTILE_TOLERANCE)
        for side in (-1, 1)
    )
    return np.stack([found.mean, lower, upper, found.lfsr])


def _without(
    estimates: xr.Dataset, rows: Any, tasks: Any, out: npt.NDArray[np.bool_]
) -> xr.Dataset:
    """Return these rows of these tasks, with no standard error where one is out."""
    indexers: dict[str, Any] = {
        dim: rows for dim in ("contrast", "contrast_") if dim in estimates.dims
    }
    part = estimates.isel(indexers | {"task": tasks})
    if not out.any():
        return part
    hidden = xr.DataArray(~out, dims=("contrast", "task"))
    return part.assign(se=part["se"].where(hidden))


def _few_note(estimates: xr.Dataset, rows: Mask) -> list[str]:
    """Return a note on tasks with fewer than 10 exchangeable effects beside others that
    have them.
    """
    without = np.flatnonzero(~rows.any(axis=0))
    if not len(without):
        return []
    names = estimates["task"].to_numpy()[without]
    return [
        f"fewer than {LEAST_TO_SHRINK} exchangeable effects that vary, so none is "
        f"shrunken, in {first_of(map(str, names), 5)}"
    ]


def _across_tasks(
    estimates: xr.Dataset, at: Codes, ci_prob: float
) -> tuple[dict[str, Any], list[str]]:
    """Return the columns of effects that tasks share (`causalgia.infer`,
    ``across="task"``).
    """
    from causalgia.posterior import infer

    if len(at) < LEAST_TO_SHARE or estimates.sizes["task"] < 2:
        return {}, [
            f"across='task' takes {LEAST_TO_SHARE} exchangeable contrasts in two tasks "
            "or more"
        ]
    part = estimates.isel(
        {dim: at for dim in ("contrast", "contrast_") if dim in estimates.dims}
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            tree = infer(part, across="task", exchangeable=True, rng=0)
    except EstimateError as error:
        return {}, [f"no hierarchical effect sizes: {error}"]
    found = posterior_columns(
        tree["posterior"]["ace"], tree["moments"].to_dataset(), ci_prob
    )
    if about(tree["posterior"].attrs, None).sharing_near:
        found["lfsr_alone"] = tree["moments"]["lfsr_alone"].to_numpy()
    columns = {}
    for name, values in found.items():
        whole = np.full((estimates.sizes["contrast"], estimates.sizes["task"]), np.nan)
        whole[at] = values
        columns[name] = (("contrast", "task"), whole)
    return columns, []


def posterior_columns(
    ace: xr.DataArray, moments: xr.Dataset, ci_prob: float
) -> dict[str, Array]:
    """Return the four columns of draws ``(chain, draw, contrast, task)``, by moments
    where these are known.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(3, 1, (4, 500, 1, 1))
    >>> ace = xr.DataArray(draws, dims=("chain", "draw", "contrast", "task"))
    >>> found = posterior_columns(ace, xr.Dataset(), 0.95)
    >>> found["shrunken"].round(1), found["lfsr"].round(1)
    (array([[3.]]), array([[0.]]))
    """
    x = ace.transpose("chain", "draw", "contrast", "task").to_numpy()
    x = x.reshape(-1, *x.shape[2:])
    lower, upper = np.quantile(x, [(1 - ci_prob) / 2, (1 + ci_prob) / 2], axis=0)
    columns = {
        "shrunken": x.mean(axis=0),
        "shrunken_lower": lower,
        "shrunken_upper": upper,
        "lfsr": 1 - np.maximum((x > 0).mean(axis=0), (x < 0).mean(axis=0)),
    }
    columns["lfsr"] = np.where(np.isnan(x).any(axis=0), np.nan, columns["lfsr"])
    for name, known in (("shrunken", "mean"), ("lfsr", "lfsr")):
        if known in moments:
            columns[name] = moments[known].transpose("contrast", "task").to_numpy()
    return columns


def exchangeable_effects(
    estimates: xr.Dataset,
) -> tuple[npt.NDArray[np.str_], Mask]:
    """Return the label of each contrast, and which effects are shrunken, (contrast,
    task): those of which a task has 10 or more with one label.

    The coordinate ``exchangeable`` labels them. Without it, contrasts are exchangeable
    if their weights are alike: effects of one arm each against a control are,
    interactions and slopes beside them are not.

    Examples
    --------
    >>> table = xr.Dataset({"ace": (("contrast", "task"), np.zeros((12, 1)))})
    >>> table = table.assign(se=table["ace"] + 1).assign_coords(
    ...     exchangeable=("contrast", ["k-mer"] * 11 + [""])
    ... )
    >>> exchangeable_effects(table)[1].ravel().sum()
    np.int64(11)
    """
    n = estimates.sizes["contrast"]
    se = estimates["se"].transpose("contrast", "task", ...).to_numpy()
    ace = estimates["ace"].transpose("contrast", "task", ...).to_numpy()
    counted: Mask = (se > 0) & np.isfinite(se) & np.isfinite(ace)
    if "variance_share" in estimates:  # moderated: 0 where the row itself does not vary
        share = estimates["variance_share"].transpose("contrast", "task", ...)
        counted &= share.to_numpy() > 0
    counted &= exchangeable_contrasts(estimates)[:, None]
    if EXCHANGEABLE in estimates.coords:
        labels = estimates[EXCHANGEABLE].to_numpy().astype(str)
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
    for label in np.unique(labels):
        of_label = labels == label
        counted[of_label] &= counted[of_label].sum(axis=0) >= LEAST_TO_SHRINK
    return labels, counted
