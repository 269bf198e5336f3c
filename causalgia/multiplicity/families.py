"""Families of contrasts for multiple testing, and the estimates and units that joint
tests need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.analysis import exploratory_attrs
from causalgia.effect_table import filled
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.estimation import estimate
from causalgia.estimation._from_effects import TASK, as_estimates
from causalgia.estimation.crossover import mean_ice
from causalgia.estimation.crossover_estimates import ice_without_rounding, is_placebo
from causalgia.estimation.given_effects import aligned_covariance, is_factor_by_arm
from causalgia.estimation.given_table import has_effects
from causalgia.estimation.ratios import (
    WorkingScale,
    working_scale_of,
)
from causalgia.estimation.request import Request, check_has_errors, clusters
from causalgia.multiplicity.maxima import scale_columns
from causalgia.multiplicity.multivariate_t import correlation_factor
from causalgia.numerics.rounding import LEAST_SD
from causalgia.schema import check_no_positions
from causalgia.types import Array, Codes, EstimateTable


class Family(NamedTuple):
    """What the rows share over which an error rate holds.

    Attributes
    ----------
    rows
        Their number.
    by
        What divides them: "task" or a coordinate; empty if nothing.
    without
        Rows in no such family: "placebos", "helpers"; empty if none.
    """

    rows: int
    by: str = ""
    without: str = ""

    def __str__(self) -> str:
        """Return "these 6 rows"; empty of one row."""
        helpers = self.without == "helpers"
        if self.by:
            of = " in the question" if helpers else ""
            words = f"the rows of each {self.by}{of}"
        elif self.rows > 1:
            of = f"{self.rows:,} rows"
            words = f"the {of} of the question" if helpers else f"these {of}"
        else:
            return ""
        if helpers:
            return f"{words}, each helper by itself"
        return f"{words} without placebos" if self.without else words


def row_families(
    table: xr.Dataset, family: str | None, counted: npt.NDArray[np.bool_] | None = None
) -> tuple[list[Codes], Family]:
    """Return the rows of each family of verdicts, as flat positions in (contrast,
    task[, model]), and what they share.

    A family is the rows of the question, and placebos are another. Rows in no family
    are judged each by itself.

    Parameters
    ----------
    table
        With ``ace``; the bool coordinate ``of_question (contrast)`` names the rows of
        the question, without it all.
    family
        None: all rows of the question; ``"task"``: those of one task; or a coordinate
        on contrast: those that share its value.
    counted
        Which rows have a p, of the shape of ``ace``; None: all.

    Raises
    ------
    EstimateError
        If `family` is neither, or no row of the question has its coordinate.

    Examples
    --------
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), np.zeros((2, 2)))},
    ...     coords={"contrast": ["a", "b"]},
    ... )
    >>> [members.tolist() for members in row_families(table, "task")[0]]
    [[0, 2], [1, 3]]
    """
    ace, placebo, asked = table["ace"], is_placebo(table), _of_question(table)
    by_contrast = (-1, *[1] * (ace.ndim - 1))
    codes = _family_codes(table, family, asked)
    alone = ~(asked | placebo)
    kinds = np.broadcast_to((placebo + 2 * alone).reshape(by_contrast), ace.shape)
    of_row = np.where(kinds == 2, -1, 2 * codes + kinds).ravel()
    order = np.argsort(of_row, kind="stable")[int((of_row < 0).sum()) :]
    families = np.split(order, np.flatnonzero(np.diff(of_row[order])) + 1)
    counts = kinds == (1 if placebo.all() else 0)
    n = int((counts if counted is None else counts & counted).sum())
    without = "placebos" if placebo.any() and not placebo.all() else ""
    without = "helpers" if alone.any() else without
    return families, Family(n, family or "", without)


def _of_question(table: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return whether each contrast is one of the question, shape ``(contrast,)``."""
    if "of_question" not in table.variables:
        return np.full(table["ace"].shape[0], True)
    marked = table["of_question"]
    if marked.dims != ("contrast",) or marked.dtype != bool:
        raise EstimateError(
            f"of_question has dims {marked.dims} and dtype {marked.dtype}, not bool on "
            "contrast"
        )
    return np.asarray(marked.to_numpy())


def _family_codes(
    table: xr.Dataset, family: str | None, asked: npt.NDArray[np.bool_]
) -> Codes:
    """Return the number of the family of each row, which spreads over ``ace``."""
    ace = table["ace"]
    if family is None:
        return np.zeros([1] * ace.ndim, dtype=np.intp)
    if isinstance(family, str) and family == "task" and "task" in ace.dims:
        return np.arange(ace.sizes["task"]).reshape(1, -1, *[1] * (ace.ndim - 2))
    on_contrast = [str(c) for c in table.coords if table[c].dims == ("contrast",)]
    if not isinstance(family, str) or family not in on_contrast:
        whole = "; None is the whole table" if str(family) == "all" else ""
        raise EstimateError(
            f"family={quoted(family)} is neither 'task' nor a coordinate on "
            f"contrast ({', '.join(on_contrast)}){whole}",
            argument="family",
        )
    labels = table[family].to_numpy()
    if not (pd.notna(labels) & (labels != ""))[asked].any():
        raise EstimateError(
            f"family={quoted(family)}: no row of the question has that coordinate",
            argument="family",
        )
    codes = np.unique(labels.astype(str), return_inverse=True)[1]
    return codes.reshape(-1, *[1] * (ace.ndim - 1))


def band_families(
    table: xr.Dataset, family: str | None, n_positions: int = 1
) -> tuple[list[Codes], str]:
    """Return the families of `row_families`, of curves with all positions of each row,
    and what they share; a helper row is a family by itself.

    Parameters
    ----------
    table
        Estimates; of curves as `causalgia.effect_table.folded` gives them: a column for
        each position and task.
    family
        As in `row_families`.
    n_positions
        Positions of a curve; 1: of no curves.

    Examples
    --------
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), np.zeros((2, 4)))},
    ...     coords={"contrast": ["a", "b"]},
    ... )
    >>> [members.tolist() for members in band_families(table, "contrast", 2)[0]]
    [[0, 1, 2, 3], [4, 5, 6, 7]]
    """
    ace = table["ace"]
    places = np.arange(ace.size, dtype=np.intp).reshape(len(ace), n_positions, -1)
    if n_positions > 1:
        shape = (len(ace), ace.shape[1] // n_positions, *ace.shape[2:])
        table = table.drop_dims("task").assign(ace=(ace.dims, np.zeros(shape)))
    if not _of_question(table).any():  # a band of helpers that were selected
        table = table.drop_vars("of_question")
    found, shared = row_families(table, family)
    words = str(shared)
    together = np.concatenate(found) if found else np.zeros(0, dtype=np.intp)
    alone = np.setdiff1d(np.arange(table["ace"].size), together)
    sets = [
        np.sort(np.moveaxis(places, 1, 2).reshape(-1, n_positions)[rows].ravel())
        for rows in [*found, *alone[:, None]]
    ]
    if n_positions > 1:
        return sets, f"all positions of {words}" if words else "all positions"
    return sets, words or "this row"


@dataclass(frozen=True)
class Units:
    """ICE of units, which tell how estimates correlate.

    Attributes
    ----------
    ice
        ICE, of functions of means influence values, shape ``(n, K R)``: contrasts by
        tasks (and models), read row by row.
    cluster
        Cluster of each unit, shape ``(n,)``, or None where each is its own.
    """

    ice: Array
    cluster: Codes | None

    def of(self, members: Codes) -> Array:
        """ICE of some contrasts, shape ``(n, m)``."""
        return self.ice if len(members) == self.ice.shape[1] else self.ice[:, members]


@dataclass(frozen=True)
class JointEstimates:
    """Estimates with the units behind them, for tests of a whole family.

    Attributes
    ----------
    estimates
        With ``ace`` and ``se``.
    units
        None for estimates without effects, and for parallel trials.
    """

    estimates: xr.Dataset
    units: Units | None

    def working_scale(self, ci_prob: float) -> WorkingScale:
        """Return the working scale of each estimate: itself, or the logarithm of a
        ratio.
        """
        shape = self.estimates["ace"].shape
        ace, se, df = (
            self.numbers(name).reshape(shape) for name in ("ace", "se", "df")
        )
        return working_scale_of(self.estimates, ace, se, df, ci_prob)

    def tested(self, ci_prob: float) -> tuple[Array, Array]:
        """Return se on the working scale and df, ``(K R,)`` each."""
        working = self.working_scale(ci_prob)
        return working.error.ravel(), working.df.ravel()

    def numbers(self, name: str) -> Array:
        """Return a variable of the estimates, shape ``(K R,)``; infinite df where there
        are none.
        """
        if name == "df" and "df" not in self.estimates:
            return np.full(self.estimates["ace"].size, np.inf)
        return np.asarray(self.estimates[name].to_numpy(), dtype=np.float64).ravel()

    @property
    def n_columns(self) -> int:
        """Tasks (times models)."""
        return int(np.prod(self.estimates["ace"].shape[1:]))

    def tells_columns_together(self, members: Codes) -> bool:
        """Return whether it is known how these estimates correlate, or that they do
        not: of several tasks a covariance of contrasts does not say it.
        """
        e = self.estimates
        if self.units is not None or not np.ptp(members % self.n_columns):
            return True
        if "factor" in e:
            return not is_factor_by_arm(e)
        return "covariance" not in e

    def factor_of(self, members: Codes) -> Array | None:
        """Return a factor (G, m) of the correlation of estimates with se > 0; None
        where errors are independent.
        """
        e = self.estimates
        row, column = np.divmod(members, self.n_columns)
        if "factor" in e and not (np.ptp(column) and is_factor_by_arm(e)):
            return np.ascontiguousarray(e["factor"].to_numpy()).reshape(
                e.sizes["cluster"], -1
            )[:, members]
        if self.units is not None:
            return mean_ice(
                scale_columns(self.units.of(members))[0], self.units.cluster
            ).factor
        if "covariance" not in e:
            return None
        matrix = aligned_covariance(e["covariance"], "contrast", "contrast_").to_numpy()
        covariance = matrix.reshape(len(matrix), len(matrix), -1)[..., column[0]][
            np.ix_(row, row)
        ]
        return correlation_factor(_as_correlation(covariance))


def as_joint_estimates(given: Any, cluster: str) -> JointEstimates:
    """Return estimates with their units: from effects, estimated first, from estimates,
    or from a table.
    """
    of_units = has_effects(given) and "ice" in given
    given = order_ice_dims(given)
    joint = JointEstimates(filled(estimates_of(given, cluster)), None)
    check_has_errors(joint.estimates)
    if not of_units:
        return joint
    groups, ice = (
        clusters(given, Request(cluster, None, (), "population", "units")),
        ice_without_rounding(given),
    )
    codes = None if groups is None else groups.codes
    return JointEstimates(joint.estimates, Units(ice.reshape(len(ice), -1), codes))


def _as_correlation(covariance: Array) -> Array:
    """Return the correlations of a covariance; refuse variances too small for full
    floating-point precision.
    """
    sd = np.sqrt(np.diagonal(covariance))
    if not (sd > LEAST_SD).all():
        raise EstimateError(
            f"a variance of the estimates is {sd.min() ** 2:g}, too near the least "
            "float to tell how they correlate"
        )
    return np.clip(covariance / sd / sd[:, None], -1.0, 1.0)


def estimates_of(given: EstimateTable, cluster: str = "auto") -> xr.Dataset:
    """Return estimates from estimates, a table, or effects, which are estimated first.

    Examples
    --------
    >>> ice = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task"), [[[1.0]], [[2.0]], [[6.0]]])}
    ... )
    >>> estimates_of(ice)["ace"].values
    array([[3.]])
    """
    if has_effects(given):
        return estimate_effects(given, cluster)
    return as_estimates(given)


def estimate_effects(effects: xr.Dataset, cluster: str) -> xr.Dataset:
    """Estimate effects for another verb; of the settings of `estimate`, ``exploratory``
    then counts `cluster` alone.
    """
    estimates = estimate(order_ice_dims(effects), cluster=cluster)
    estimates.attrs = {
        name: value for name, value in estimates.attrs.items() if name != "exploratory"
    }
    return estimates.assign_attrs(exploratory_attrs(effects.attrs, cluster=cluster))


def order_ice_dims(given: Any) -> Any:
    """Return ICE with the dims (unit, contrast, task[, model]); without a task they get
    one, "effect".

    Examples
    --------
    >>> ice = xr.Dataset({"ice": (("contrast", "unit"), [[1.0, 2.0, 6.0]])})
    >>> order_ice_dims(ice)["ice"].dims
    ('unit', 'contrast', 'task')
    """
    if (
        not has_effects(given)
        or "ice" not in given
        or not {"unit", "contrast"} <= set(given["ice"].dims)
    ):
        return given
    check_no_positions(given, "effects")
    if "task" not in given["ice"].dims:
        task = (
            given["task"].item()
            if "task" in given.coords and not given["task"].dims
            else TASK
        )
        ice = given["ice"].drop_vars("task", errors="ignore").expand_dims(task=[task])
        given = given.drop_vars("task", errors="ignore").assign(ice=ice)
    order = [
        dim for dim in ("unit", "contrast", "task", "model") if dim in given["ice"].dims
    ]
    return (
        given
        if list(given["ice"].dims) == order
        else given.assign(ice=given["ice"].transpose(*order, ...))
    )
