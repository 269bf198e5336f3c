"""ACE from tables of units by predictors or by placebos with missing cells."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.analysis import as_result
from causalgia.attributes import attributes
from causalgia.checks import as_ci_prob, check_another_arm, check_arm, in_order
from causalgia.effects._from_frame import (
    check_outcome_column,
    factorized,
    not_numeric,
)
from causalgia.errors import (
    DataError,
    DegenerateWarning,
    EstimateError,
    caller_stacklevel,
    quoted,
)
from causalgia.estimation._variance_components import Cells, identify, interaction_codes
from causalgia.estimation.crossover_estimates import LEAST_CROSSED_PLACEBOS
from causalgia.estimation.mixed_model import reml
from causalgia.estimation.request import LARGEST_SE
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import log_p, p_and_limits
from causalgia.types import Array, Codes


@dataclass(frozen=True)
class CrossedFit:
    """An average causal effect over two crossed populations, by restricted maximum
    likelihood.

    Attributes
    ----------
    ace, se, df
        Estimate, standard error and Satterthwaite's degrees of freedom.
    singular
        Whether the variance between levels was estimated as 0.
    """

    ace: float
    se: float
    df: float
    singular: bool


def crossed_reml(
    ice: Array,
    unit: Codes,
    level: Codes,
    parent: Codes | None = None,
    *,
    levels: str = "levels",
) -> CrossedFit:
    r"""Estimate the ACE over random units and random crossed levels (predictors,
    placebos) from an incomplete table.

    ``ICE_um = ACE + a_u + g_m + e_um`` with normal a, g, e, fitted by restricted
    maximum likelihood; with parents, the parent and its interaction with the level have
    variances too. The ACE is the generalized least-squares mean, with Satterthwaite's
    df. Cells must be missing at random: given unit and level, missingness must not
    depend on the ICE.

    Parameters
    ----------
    ice
        Individual causal effects of the N cells that were measured, shape ``(N,)``.
    unit, level
        Unit and level of each cell, 0 to n - 1 and 0 to M - 1, all present, shape
        ``(N,)``.
    parent
        Parent of each cell's unit, shape ``(N,)``; None: units are independent.
    levels
        What the levels are, in messages.

    Raises
    ------
    EstimateError
        With fewer than two units, parents or levels, or where the cells do not identify
        units and levels.

    Notes
    -----
    For a complete table the result is that of `crossed_mean`, unless a component is
    estimated as 0. With equal components, 30 units and a fifth of the cells missing, 95
    % intervals covered .938, .941 and .949 with 3, 5 and 8 levels (1,500 trials each),
    and .944 with 5 levels and half of the cells missing.

    A variance estimated as 0 counts as known to be 0: with few levels, a variance
    between levels of 0 makes the interval too short. If all cells are equal the answer
    is exact, with a standard error of 0.

    References
    ----------
    Patterson & Thompson (1971), doi:10.1093/biomet/58.3.545. Giesbrecht & Burns (1985),
    doi:10.2307/2530872. Rubin (1976), doi:10.1093/biomet/63.3.581: missing at random.

    Examples
    --------
    >>> ice, unit, level = (
    ...     np.array([1.0, 2.0, 3.0, 5.0, 4.0]),
    ...     np.array([0, 0, 1, 1, 2]),
    ...     np.array([0, 1, 0, 1, 1]),
    ... )
    >>> found = crossed_reml(ice, unit, level)
    >>> round(found.ace, 3), round(found.se, 3), round(found.df, 2)
    (2.93, 1.054, 2.51)
    """
    for what, codes in (("units", unit), (levels, level), ("parents", parent)):
        if codes is not None and codes.max() == 0:
            raise EstimateError(f"one {what[:-1]} gives no spread between {what}")
    ice = np.asarray(ice, dtype=np.float64)
    if np.ptp(ice) == 0:
        return CrossedFit(
            float(ice[0]),
            0.0,
            float((unit if parent is None else parent).max()),
            singular=False,
        )
    drawn: dict[str, Codes] = {}
    if parent is not None:
        drawn |= {"parent": parent, "parent_by_level": interaction_codes(parent, level)}
    drawn |= {"unit": unit, "level": level}
    fixed = np.ones((len(ice), 1))
    groups = identify(Cells(ice[:, None], fixed, fixed[:, 0] / len(ice), drawn)).groups
    if "level" not in groups or not {"unit", "parent"} & groups.keys():
        raise EstimateError(
            f"no two cells share a unit or no two share a {levels[:-1]}, so that "
            f"units, {levels} and noise cannot be separated"
        )
    fit = reml(ice, fixed, groups)
    return CrossedFit(
        float(fit.beta[0]),
        float(fit.se[0]),
        float(fit.df[0]),
        bool(fit.variance[fit.names.index("level")] == 0),
    )


@dataclass(frozen=True)
class _ColumnNames:
    """Names of the columns of the table."""

    outcome: str
    arm: str
    unit: str
    model: str | None
    parent: str | None
    task: str | None

    @property
    def all(self) -> list[str]:
        optional = (self.model, self.parent, self.task)
        return [
            self.outcome,
            self.arm,
            self.unit,
            *(name for name in optional if name is not None),
        ]


@usual_errors
def from_incomplete(
    frame: pd.DataFrame,
    *,
    outcome: str,
    arm: str,
    unit: str,
    control: str | float,
    model: str | None = None,
    placebos: Sequence[str | float] | None = None,
    parent: str | None = None,
    task: str | None = None,
    scale: str = "outcome",
    ci_prob: float = 0.95,
) -> xr.Dataset:
    """Estimate ACEs from a long table of units by predictors or by placebos, with
    missing cells.

    With several predictors `from_frame` refuses such a table, because values are not
    imputed (units by arms with missing cells it takes). Here each pair of unit and
    predictor (or placebo) with both arms gives one ICE, and `crossed_reml` estimates
    from these. The claim is then about new units and new predictors (placebos):
    ``target="population x predictors"`` (``"population x placebos"``).

    Parameters
    ----------
    frame
        A row for each measurement. A missing cell is a row that is not there.
    outcome, arm, unit
        Columns of the measurement, of the arm's name and of the unit.
    control
        The arm subtracted from every other arm.
    model
        Column of the predictor (retraining, replicate); every arm other than the
        control is a contrast.
    placebos
        Instead of `model`: names of 20 or more arms that are placebos of one class;
        their mean effect is one contrast, ``"placebos"``. Other arms are not used,
        which a note states.
    parent
        Column of the source that units share, constant within a unit; None: units are
        independent.
    task
        Column of the task; None: one task, named after `outcome`.
    scale
        Scale of the outcome, in words.
    ci_prob
        Probability of the intervals.

    Returns
    -------
    Dataset
        Estimates as `estimate` gives them, ``ace, se, df, p, log_p, lower, upper,
        exact, n_units, n_clusters, control_sd (contrast, task)``, each contrast by
        itself: their covariance is not known. Notes give the number of missing cells, of rows without
        a partner (not used), and where the variance between units or levels was
        estimated as 0.

    Raises
    ------
    DataError
        If a column is missing or has gaps, an outcome is not finite, or a cell occurs
        twice.
    EstimateError
        If both or neither of `model` and `placebos` are given, an arm is unknown, there are fewer
        than 20 placebos, or the cells of a contrast do not identify its error.

    Warns
    -----
    DegenerateWarning
        If nothing varies among the cells of a contrast.

    References
    ----------
    Judd, Westfall & Kenny (2012), doi:10.1037/a0028347.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> unit, net, arm = (x.ravel() for x in np.indices((30, 4, 2)))
    >>> table = pd.DataFrame(
    ...     {"unit": unit, "net": net, "arm": np.where(arm, "GATA1", "placebo")}
    ... )
    >>> table["y"] = (
    ...     rng.normal(size=30)[unit]
    ...     + arm * (1 + rng.normal(size=4)[net])
    ...     + rng.normal(size=len(table))
    ... )
    >>> found = from_incomplete(
    ...     table.iloc[7:],
    ...     outcome="y",
    ...     arm="arm",
    ...     unit="unit",
    ...     model="net",
    ...     control="placebo",
    ... )
    >>> (
    ...     found["contrast"].values.tolist(),
    ...     found["n_units"].item(),
    ...     bool(found["df"] < 4),
    ... )
    (['GATA1'], 29, True)
    """
    ci_prob = as_ci_prob(ci_prob)
    columns = _ColumnNames(outcome, arm, unit, model, parent, task)
    if (model is None) == (placebos is None):
        raise EstimateError(
            "give one of model= (units by predictors) and placebos= (units by placebos)"
        )
    table = _as_cell_table(frame, columns)
    control, listed = (
        _as_arm_name(control),
        None if placebos is None else _as_arm_names(placebos),
    )
    _check_arms(table, control, listed)
    tasks = list(dict.fromkeys(table["task"]))
    blocks = [
        _estimate_task(table[table["task"] == name], control, listed, ci_prob)
        for name in tasks
    ]
    out = xr.concat(
        [block for block, _ in blocks],
        pd.Index(tasks, name="task"),
        coords="minimal",
        compat="override",
        join="outer",
    ).transpose("contrast", "task")
    missing = np.argwhere(~np.isfinite(out["ace"].to_numpy()))
    if missing.size:
        names = (
            str(out[dim].to_numpy()[i])
            for dim, i in zip(("contrast", "task"), missing[0], strict=True)
        )
        contrast, name = map(quoted, names)
        raise EstimateError(f"contrast {contrast} has no cell in task {name}")
    if out["exact"].any():
        exact = out["exact"]
        warnings.warn(
            DegenerateWarning(
                f"{int(exact.sum())} of {exact.size} contrasts do not vary at all over "
                "their cells: their intervals are points"
            ),
            stacklevel=caller_stacklevel(),
        )
    what = "predictors" if placebos is None else "placebos"
    clusters = "unit" if parent is None else "parent"
    out.attrs = attributes(
        assignment="crossover",
        scale=scale,
        contrast_scale=scale,
        transform="identity",
        source="from_incomplete",
        control=control,
        estimand=(
            f"mean over units and {what} of outcome under the arm minus outcome under "
            f"{quoted(control)}"
        ),
        target=f"population x {what}",
        ci_prob=ci_prob,
        cluster=clusters,
        method=(
            f"mean ICE over units and {what}, both drawn; REML of the cells measured, "
            "Satterthwaite df"
        ),
    )
    notes = dict.fromkeys(note for _, found in blocks for note in found)
    return as_result(out, "estimates", *notes)


def _as_arm_names(names: Any) -> list[str]:
    found = in_order(names)
    if not found:
        raise EstimateError(
            f"placebos={quoted(names)} is not a list of names of arms",
            argument="placebos",
        )
    return [_as_arm_name(name) for name in found]


def _as_arm_name(name: Any) -> str:
    try:
        return (
            str(int(name))
            if isinstance(name, float) and name.is_integer()
            else str(name)
        )
    except ValueError as error:  # a whole number of more digits than Python writes
        raise EstimateError(f"{quoted(name)} is not a name of an arm") from error


def _as_cell_table(frame: Any, columns: _ColumnNames) -> pd.DataFrame:
    """Check a table (all columns, no gaps, each cell once) and return it with columns
    named by their roles.
    """
    if not isinstance(frame, pd.DataFrame) or frame.empty:
        raise DataError(
            "from_incomplete takes a pandas DataFrame with a row for each measurement"
        )
    for name in columns.all:
        if not isinstance(name, str) or list(frame.columns).count(name) != 1:
            raise DataError(
                f"no one column {quoted(name)}; the columns are "
                f"{', '.join(map(quoted, frame.columns))}"
            )
        gaps = frame[name].isna().to_numpy()
        if gaps.any():
            raise DataError(
                f"row {frame.index[int(np.argmax(gaps))]}: column {quoted(name)} has "
                "no value"
            )
        if name != columns.outcome:
            factorized(frame, name)
    check_outcome_column(vars(columns))
    try:
        y = frame[columns.outcome].to_numpy(dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise not_numeric(frame, columns.outcome, error) from error
    if not np.isfinite(y).all():
        raise DataError(
            f"row {frame.index[int(np.argmin(np.isfinite(y)))]}: "
            f"{quoted(columns.outcome)} is not finite"
        )
    table = pd.DataFrame({"y": y, "unit": frame[columns.unit].to_numpy()})
    table["arm"] = [_as_arm_name(name) for name in frame[columns.arm]]
    table["task"] = (
        columns.outcome
        if columns.task is None
        else [_as_arm_name(name) for name in frame[columns.task]]
    )
    table["model"] = 0 if columns.model is None else frame[columns.model].to_numpy()
    table["parent"] = (
        None if columns.parent is None else frame[columns.parent].to_numpy()
    )
    keys = ["unit", "model", "arm", "task"]
    duplicated = table.duplicated(keys).to_numpy()
    if duplicated.any():
        row = table.loc[int(np.argmax(duplicated)), keys]
        where = ", ".join(
            f"{key} {row[key]!s}"
            for key in keys
            if columns.model is not None or key != "model"
        )
        raise DataError(f"{where} is measured more than once")
    for given, column, singular in (
        (columns.model, "model", "predictor"),
        (columns.parent, "parent", "parent"),
    ):
        if given is not None and table[column].nunique() == 1:
            raise EstimateError(
                f"{quoted(given)} has one {singular}, which gives no spread between "
                f"{singular}s"
            )
    if columns.parent is not None:
        several = table.groupby("unit", sort=False)["parent"].nunique() > 1
        if several.any():
            raise DataError(
                f"unit {several.idxmax()}: {quoted(columns.parent)} changes between "
                "its rows; it belongs to the unit"
            )
    return table


def _check_arms(table: pd.DataFrame, control: str, placebos: list[str] | None) -> None:
    arms = list(dict.fromkeys(table["arm"]))
    check_arm(control, arms, "control", error=EstimateError)
    for name in placebos or []:
        check_arm(name, arms, "placebos=", error=EstimateError)
    if placebos is not None and (
        len(set(placebos)) < LEAST_CROSSED_PLACEBOS or control in placebos
    ):
        raise EstimateError(
            f"placebos= names {len(set(placebos))} "
            f"placebos{' and the control' if control in placebos else ''}; the class "
            f"takes {LEAST_CROSSED_PLACEBOS} or more besides the control"
        )
    check_another_arm(control, arms, error=EstimateError)


def _estimate_task(
    table: pd.DataFrame, control: str, placebos: list[str] | None, ci_prob: float
) -> tuple[xr.Dataset, list[str]]:
    """Return the estimates of one task, on the dim contrast, and notes."""
    key = ["unit", "model"] if placebos is None else ["unit"]
    base = table[table["arm"] == control].set_index(key)["y"]
    others = [name for name in dict.fromkeys(table["arm"]) if name != control]
    if not others:
        raise EstimateError(
            f"task {quoted(table['task'].iloc[0])}: only {quoted(control)} was measured"
        )
    arms_of = (
        {name: [name] for name in others}
        if placebos is None
        else {"placebos": placebos}
    )
    rows, notes = [], []
    for name, arms in arms_of.items():
        cells, alone = _paired_cells(table[table["arm"].isin(arms)], base, key)
        if cells.empty:
            raise EstimateError(
                f"contrast {quoted(name)}: no cell has both its arm and "
                f"{quoted(control)}"
            )
        between = "predictors" if placebos is None else "placebos"
        row, singular = _estimate_contrast(name, cells, ci_prob, between)
        rows.append(row)
        notes += _missing_notes(
            name,
            cells,
            alone,
            singular=singular,
            between=between,
        )
    columns = {
        column: ("contrast", np.array([row[column] for row in rows]))
        for column in rows[0]
    }
    out = xr.Dataset(columns, coords={"contrast": list(arms_of)})
    unused = [name for name in others if placebos is not None and name not in placebos]
    if unused:
        notes.append(
            f"{len(unused)} arms are neither the control nor placebos and were not "
            f"used: {', '.join(unused[:5])}"
        )
    spread = (
        table[table["arm"] == control]
        .groupby("model", sort=False)["y"]
        .var(ddof=1)
        .to_numpy()
    )
    if np.isfinite(spread).any():
        out["control_sd"] = (
            "contrast",
            np.full(len(rows), np.sqrt(np.nanmean(spread))),
        )
    return out, notes


def _paired_cells(
    treated: pd.DataFrame, base: pd.Series[float], key: list[str]
) -> tuple[pd.DataFrame, int]:
    """Return the cells with both arms, with ICE and level, and the number of rows
    without a partner.
    """
    at = (
        pd.MultiIndex.from_frame(treated[key])
        if len(key) > 1
        else pd.Index(treated["unit"])
    )
    ice = treated["y"].to_numpy() - base.reindex(at).to_numpy()
    there = np.isfinite(ice)
    level = treated["model"] if len(key) > 1 else treated["arm"]
    alone = int((~there).sum()) + int((~base.index.isin(at)).sum())
    return treated.assign(ice=ice, level=level)[there], alone


def _estimate_contrast(
    name: str, cells: pd.DataFrame, ci_prob: float, between: str
) -> tuple[dict[str, Any], bool]:
    codes = {
        key: np.asarray(pd.factorize(cells[key])[0], dtype=np.intp)
        for key in ("unit", "level", "parent")
    }
    parent = None if cells["parent"].isna().any() else codes["parent"]
    ice = cells["ice"].to_numpy()
    if not np.abs(ice).max() < LARGEST_SE / len(ice):
        raise EstimateError(
            f"contrast {quoted(name)}: the sum of squares of its effects is beyond "
            "float64"
        )
    try:
        fit = crossed_reml(
            ice,
            codes["unit"],
            codes["level"],
            parent,
            levels=between,
        )
    except EstimateError as error:
        raise type(error)(f"contrast {quoted(name)}: {error}") from error
    ace, se, df = np.array(fit.ace), np.array(fit.se), np.array(fit.df)
    p, lower, upper = p_and_limits(ace, se, df, ci_prob)
    n = int(codes["unit"].max()) + 1
    row: dict[str, Any] = {
        "ace": ace,
        "se": se,
        "df": df,
        "p": p,
        "log_p": log_p(ace, se, df),
    }
    row |= {"lower": lower, "upper": upper, "exact": fit.se == 0, "n_units": n}
    return row | {
        "n_clusters": n if parent is None else int(parent.max()) + 1
    }, fit.singular


def _missing_notes(
    name: str, cells: pd.DataFrame, alone: int, *, singular: bool, between: str
) -> list[str]:
    whole = cells["unit"].nunique() * cells["level"].nunique()
    missing, notes = whole - len(cells), []
    if missing:
        notes.append(
            f"{name}: {missing:,} of {whole:,} cells are missing, which is assumed to "
            "be at random"
        )
    if alone:
        notes.append(
            f"{name}: {alone:,} rows have no partner in their cell and were not used"
        )
    if singular:
        notes.append(
            f"{name}: the variance between {between} was estimated as 0, and the "
            "interval may be too short"
        )
    return notes
