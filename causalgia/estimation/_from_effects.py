"""Estimates from effects and standard errors obtained elsewhere."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from causalgia.analysis import as_result
from causalgia.attributes import about, attributes, has
from causalgia.checks import as_ci_prob
from causalgia.effect_table import blanked, first_row, unmeasured_in_words
from causalgia.errors import (
    NAMES_LISTED,
    DataError,
    DegenerateWarning,
    EstimateError,
    caller_stacklevel,
    first_of,
    quoted,
    type_in_words,
)
from causalgia.estimation.effect_columns import numbers as _as_floats
from causalgia.estimation.effect_intervals import by_the_rule
from causalgia.estimation.given_effects import (
    GivenEffects,
    aligned_covariance,
    contrast_names,
    shared_labels,
    stack_tasks,
    with_given_correlation,
)
from causalgia.estimation.given_table import (
    NOT_COLUMNS,
    VARIABLES,
    EffectRows,
    Given,
    effect_rows,
    is_matrix,
    read_given,
    rows_of_matrices,
)
from causalgia.estimation.results_of_others import arguments_of
from causalgia.inputs import as_pandas
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import log_p, p_and_limits
from causalgia.numerics.rounding import LEAST_SD
from causalgia.schema import annotate, validate
from causalgia.types import (
    Array,
    GivenTable,
    Index,
    Mask,
    Series,
)

TASK = "effect"
_OF_THE_RULE = {"skewness", "se_pooled", "two_valued", "mean_variance"}
_NOT_FINITE = "is not finite; leave the contrast out or repair it"


@usual_errors
def from_effects(
    estimates: npt.ArrayLike | GivenTable,
    se: npt.ArrayLike | None = None,
    covariance: npt.ArrayLike | None = None,
    df: npt.ArrayLike | None = None,
    names: Sequence[str | float | pd.Timestamp]
    | npt.NDArray[Any]
    | Index
    | Series
    | None = None,
    *,
    ci_prob: float = 0.95,
    task_correlation: npt.ArrayLike | None = None,
) -> xr.Dataset:
    """Make estimates from effects and standard errors (or their covariance) obtained
    elsewhere.

    Use it to shrink or decide effects that another program estimated.

    Parameters
    ----------
    estimates
        Effects of K contrasts, shape ``(K,)``; or ``(K, T)``, of T tasks, with `se` of
        the same shape, as mashr's ``Bhat, Shat``. Names of a Series, DataFrame or
        DataArray are those of the contrasts (and tasks); all arguments with names must
        have the same ones in the same order.

        Or a table (of pandas, or of another library with ``to_pandas()``), as in
        `as_estimates`, or a mapping of names to columns or matrices; then only
        `ci_prob` and `task_correlation` may be given as well.

        Or a result of statsmodels; then only `names` and `ci_prob` may be given as
        well. A fit: the coefficients of its design without the intercept, with their
        covariance, and its residual degrees of freedom where it has t tests.
        ``fit.t_test(...)``: its combinations, each minus the value tested.
        ``combine_effects(...)``: its random effect. Or slopes, of
        `causalgia.moderation`.
    se
        Their standard errors, shape ``(K,)``, ``(K, T)`` or one number; the errors are
        independent, unless there is a covariance. An effect without one (0 or NaN), or
        that is NaN, is no estimate: it is named, with a `DegenerateWarning`, ``measured`` is False and
        its columns are NaN; no family has it, and the others are as without it.
    covariance
        Their covariance, shape ``(K, K)``, taken as known; standard errors follow from
        it. With `se` as well, its diagonal has to be their squares.
    df
        Degrees of freedom of the standard errors, of the shape of `se` or one number;
        None: normal.
    names
        K names; None: those of the arguments, else numbers from 0. Of a fit: the
        coefficients that are asked for, such as ``["Intercept", "dose"]``; None: all
        but the intercept.
    ci_prob
        Probability of the intervals.
    task_correlation
        Of a table with several tasks: correlation of the errors between tasks,
        ``(T, T)`` for all contrasts alike or ``(K, T, T)``, which
        ``infer(..., across="task")`` needs; ``np.eye(T)`` for independent errors.

    Returns
    -------
    Dataset
        ``ace, se, p, log_p, lower, upper (contrast, task)``, ``df`` where it was given,
        ``measured`` where a row has no error, and ``covariance (contrast, contrast_,
        task)`` where it was given; one task, ``"effect"``.

    Raises
    ------
    EstimateError
        If an effect is infinite or masked, or NaN beside a covariance, an se is negative or infinite, no effect
        has one above 0, a df is not positive, shapes or names differ, a name is missing
        or repeated, or the covariance is not symmetric, not positive definite or
        disagrees with the standard errors. The message names the contrast.

    Examples
    --------
    >>> estimates = from_effects([28.0, 8.0], se=[15.0, 10.0], names=["A", "B"])
    >>> estimates["p"].values.ravel().round(4)
    array([0.0619, 0.4237])

    The coefficients of a fitted model:

    >>> import statsmodels.api as sm
    >>> x = np.column_stack([np.ones(6), np.arange(6.0)])
    >>> fit = sm.OLS([0.1, 1.9, 4.2, 6.1, 7.8, 10.1], x).fit()
    >>> from_effects(fit).sel(contrast="x1")["ace"].round(3).item()
    1.989
    """
    given, ci_prob = read_given(estimates), as_ci_prob(ci_prob)
    estimates = given.data
    beside = {"se": se, "covariance": covariance, "df": df, "names": names}
    named = [name for name, value in beside.items() if value is not None]
    if given.kind == "result":
        beside = beside | {"names": None, "task_correlation": task_correlation}
        for name in (name for name, value in beside.items() if value is not None):
            raise EstimateError(
                f"from_effects: {name}= beside a {type(estimates).__name__}, which "
                "says it"
            )
        return _estimates_of_result(estimates, names, ci_prob)
    of_tasks = not isinstance(estimates, xr.Dataset) and (
        is_matrix(se) or (se is not None and is_matrix(estimates, tables=False))
    )
    if of_tasks:
        if covariance is not None:
            raise EstimateError(
                "from_effects: covariance= is of one task, and these are several"
            )
        rows = rows_of_matrices(estimates, as_pandas(se), df, names)
        made = _estimates_of_rows(rows, ci_prob)
    elif isinstance(estimates, pd.DataFrame | xr.Dataset) or given.of_others:
        if named:
            raise EstimateError(
                f"from_effects: {named[0]}= beside a table, whose columns say it"
            )
        if isinstance(estimates, xr.Dataset) and "ace" in estimates:
            raise EstimateError(
                "from_effects: these are estimates already (they have 'ace')"
            )
        made = estimates_of_given(given, ci_prob)
    else:
        if task_correlation is not None:
            raise EstimateError(
                "from_effects: task_correlation= is for a table with several tasks"
            )
        if estimates is None:
            raise EstimateError("from_effects: estimates=None")
        effects = _as_given_effects(estimates, se, covariance, df, names, {})
        return _estimates_of_tasks({TASK: effects}, ci_prob)
    if task_correlation is None:
        return made
    return with_given_correlation(made, task_correlation)


def _estimates_of_result(given: Any, names: Any, ci_prob: float) -> xr.Dataset:
    found = arguments_of(given, None if names is None else list(names))
    effects = _as_given_effects(
        found["estimates"],
        found.get("se"),
        found.get("covariance"),
        found["df"],
        found["names"],
        {},
        singular=found.get("singular", False),
    )
    made = _estimates_of_tasks({TASK: effects}, ci_prob)
    return made.assign_attrs(attributes(effects_are="coefficients"))


def _as_given_effects(
    effect: Any,
    se: Any,
    covariance: Any,
    df: Any,
    names: Any,
    beside: dict[str, Any],
    *,
    singular: bool = False,
) -> GivenEffects:
    """Validate the effects of one task and convert them to arrays."""
    shared = shared_labels(
        {"names": names, "effect": effect, "se": se, "covariance": covariance, "df": df}
    )
    names = shared if names is None else names
    ace = np.atleast_1d(_as_floats(effect, "effect"))
    if ace.ndim != 1 or ace.size == 0:
        raise EstimateError(
            f"effect has shape {ace.shape}; give one number for each of one or more "
            "contrasts"
        )
    labels = contrast_names(names, len(ace))
    if se is None and covariance is None:
        raise EstimateError(
            "give se= (independent errors) or covariance=; or both, which then "
            "have to agree"
        )
    matrix = (
        None
        if covariance is None
        else _as_covariance(covariance, labels, singular=singular)
    )
    errors = _as_standard_errors(se, matrix, labels)
    if matrix is None:  # an effect that is missing has no error
        errors = np.where(np.isnan(ace), np.nan, errors)
    lacks = np.isnan(errors)
    bad = np.isinf(ace) | (np.isnan(ace) & ~lacks)
    check_none(bad, labels, ace, "effect", _NOT_FINITE)
    freedom = (
        np.full(len(ace), np.inf)
        if df is None
        else _as_positive_array(
            df,
            "df",
            labels,
            "leave df out for normal errors, or give 1e9 for one among others",
            unless=lacks,
        )
    )
    if np.isinf(freedom).any() and not np.isinf(freedom).all():
        raise EstimateError("df is infinite for some contrasts")
    return GivenEffects(labels, ace, errors, freedom, matrix, beside)


def _estimates_of_tasks(
    tasks: dict[Any, GivenEffects], ci_prob: float, *notes: str
) -> xr.Dataset:
    """Return the estimates of all tasks, with p and limits, in one Dataset."""
    effects = stack_tasks(tasks)
    measured = np.isfinite(effects.se)
    if "measured" in effects.beside:  # of a table given back
        said = effects.beside["measured"].astype(bool)
        measured &= said if said.ndim == 2 else said[:, None]
    if not measured.any():
        raise EstimateError(
            f"contrast {effects.labels[0]}: no standard error above 0, nor has any other"
        )
    t = (
        np.where(measured, effects.effect, 0.0).ravel(),
        np.where(measured, effects.se, 1.0).ravel(),
        effects.df.ravel(),
    )
    tested = dict(
        zip(("p", "lower", "upper"), p_and_limits(*t, ci_prob), strict=True)
    ) | {"log_p": log_p(*t)}
    shape, tested = effects.effect.shape, {"ace": t[0], "se": t[1], **tested}
    columns = {
        name: tested[name].reshape(shape)
        for name in ("ace", "se", "p", "log_p", "lower", "upper")
    }
    columns |= {"df": effects.df} if np.isfinite(effects.df).all() else {}
    data: dict[str, Any] = {
        name: (("contrast", "task"), column) for name, column in columns.items()
    }
    data |= (
        {}
        if effects.covariance is None
        else {"covariance": (("contrast", "contrast_", "task"), effects.covariance)}
    )
    coords: dict[str, Any] = {"contrast": effects.labels, "task": list(tasks)}
    coords |= {"contrast_": effects.labels} if effects.covariance is not None else {}
    for name, column in effects.beside.items():
        if name in NOT_COLUMNS or name in data:
            continue
        if name in VARIABLES:
            wide = (
                column
                if column.ndim == 2
                else np.broadcast_to(column[:, None], shape).copy()
            )
            data[name] = (("contrast", "task"), wide)
        else:
            coords[name] = (("contrast", "task")[: column.ndim], column)
    attrs = attributes(
        ci_prob=ci_prob,
        errors="estimated" if "df" in columns else "known",
        effects_are="given",
        errors_together="independent" if effects.covariance is None else "covariance",
    )
    made = xr.Dataset(data, coords=coords, attrs=attrs)
    if not measured.all():
        made = made.assign(measured=(("contrast", "task"), measured))
        without = f"no estimate: {unmeasured_in_words(made['measured'])} (not measured, or without an error)"
        warnings.warn(without, DegenerateWarning, stacklevel=caller_stacklevel())
        notes = (*notes, without)
    if _OF_THE_RULE & {*made.variables}:  # a table that `estimate` wrote
        made = made.assign(
            {
                n: (("contrast", "task"), x)
                for n, x in by_the_rule(made, ci_prob).items()
            }
        )
    return as_result(blanked(made), "estimates", *notes)


def as_estimates(table: GivenTable) -> xr.Dataset:
    """Return estimates as they are, or make them from a table or a result of another
    program.

    Parameters
    ----------
    table
        Estimates; or a Dataset with ``ace, se (element, contrast)``, as from
        ``cg.mpra.fit``: elements become the dim ``contrast`` and contrasts the dim
        ``task``, so that a family is the elements of one contrast. If contrasts were
        selected from estimates, their covariance is reduced to these.

        Or a table (of pandas, or of another library with ``to_pandas()``) with the
        columns ``effect`` and ``se`` (and ``df``), or those that other programs write
        in their place (`causalgia.estimation.effect_columns.COLUMN_NAMES`): without an
        error t or z, or limits (of 95 %, or of a column ``conf_level``). A column
        ``contrast``, the index, a column ``term`` or its like, or else the only column
        of text that differs in each row, with a note, names the contrasts; a column
        ``task`` the tasks, each with the same contrasts. Other columns become
        coordinates on contrast, which may name families, or variables if they have the
        name of one, such as ``n_units``. The row of an intercept, and rows that have
        neither effect nor error, are left out, with a note.

        Or a Dataset with ``effect, se (x[, task])`` (and ``df``) or ``covariance (x,
        y)``, its dim x naming the contrasts; or a mapping of names to columns, or to
        matrices ``Bhat, Shat (contrast, task)``; or a result, as `from_effects` takes.

    Raises
    ------
    DataError
        If it is not one of these, or violates `causalgia.schema`.
    EstimateError
        As `from_effects`; or if a standard error is negative, df is not positive, or
        the covariance is not symmetric, has negative eigenvalues, or disagrees with the
        standard errors. It may be singular.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"effect": [1.0, 2.0], "se": [0.5, 0.5], "motif": ["x", "y"]},
    ...     index=["a", "b"],
    ... )
    >>> as_estimates(table)["contrast"].values, as_estimates(table)["motif"].values
    (array(['a', 'b'], dtype='<U1'), array(['x', 'y'], dtype='<U1'))
    """
    return estimates_of_given(read_given(table))


def estimates_of_given(given: Given, ci_prob: float = 0.95) -> xr.Dataset:
    """Return what was given as estimates, as `as_estimates`; `ci_prob` where intervals
    are made.
    """
    match given.kind:
        case "result":
            return _estimates_of_result(given.data, None, ci_prob)
        case "slopes":
            return _estimates_of_slopes(given.data)
        case "table":
            return _estimates_of_rows(effect_rows(given.data), ci_prob)
        case "estimates":
            return _checked_estimates(given.data)
    raise _no_effects(given.data)


def _checked_estimates(table: xr.Dataset) -> xr.Dataset:
    table = estimates_of_elements(table) if "element" in table["ace"].dims else table
    estimates = with_aligned_covariance(validate(table, "estimates"))
    for name, least in (("se", 0.0), ("df", np.nextafter(0.0, 1.0))):
        wrong = (
            estimates[name].to_numpy() < least
            if name in estimates
            else np.zeros(1, dtype=bool)
        )
        if wrong.any():
            raise EstimateError(
                f"contrast {first_row(estimates, wrong)}: {name} "
                f"{estimates[name].to_numpy()[wrong][0]:g}; se must be at least 0 "
                "and df above 0"
            )
    if "covariance" in estimates:
        check_covariance(estimates)
    return estimates


def _no_effects(table: Any) -> DataError:
    had = (
        ", ".join(map(quoted, table))
        if isinstance(table, pd.DataFrame | xr.Dataset)
        else type_in_words(table)
    )
    return DataError(
        "estimates: a table with 'effect' and 'se' (or a covariance, t or limits) "
        f"is needed, not {had}"
    )


def _estimates_of_rows(rows: EffectRows, ci_prob: float) -> xr.Dataset:
    tasks = rows.by_task() or {TASK: rows}
    read: dict[Any, GivenEffects] = {}
    for task, one in tasks.items():
        try:
            read[task] = _read_task(one)
        except EstimateError as error:
            if len(tasks) == 1:
                raise
            raise EstimateError(
                f"task {task}: {error}", argument=error.argument
            ) from None
    return _estimates_of_tasks(read, ci_prob, *rows.notes)


def check_not_decisions(table: xr.Dataset) -> None:
    """Raise EstimateError for decisions, which keep neither p-values nor a covariance.

    Examples
    --------
    >>> check_not_decisions(
    ...     xr.Dataset(
    ...         {"ace": ("contrast", [1.0]), "verdict": ("contrast", ["increases"])}
    ...     )
    ... )
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: these are decisions, which keep no p-values and no covariance
    """
    if "verdict" in table:
        raise EstimateError(
            "these are decisions, which keep no p-values and no covariance"
        )


def _estimates_of_slopes(found: xr.Dataset) -> xr.Dataset:
    """Return slopes on moderators as estimates: a row for each effect and moderator,
    "GATA1 by gc".
    """
    of_effect = [n for n in ("contrast", "model") if n in found["slope"].dims]
    read = ["slope", "se", "df", "p", "lower", "upper"]
    read += [n for n in ("unbounded",) if n in found]
    columns = found[[*read, "skewness", "se_pooled", "df_pooled"]]
    columns["n_units"] = found["n_inside"] + found["n_outside"]
    if "moderator" not in columns["slope"].dims:
        columns = columns.expand_dims("moderator")
    if "task" not in columns["slope"].dims:
        task = str(found["task"].item()) if "task" in found.coords else TASK
        columns = columns.drop_vars("task", errors="ignore").expand_dims(task=[task])
    names = [columns[n].to_numpy().astype(str) for n in ("moderator", *of_effect)]
    labels = [
        f"{', '.join(rest)} by {by}" if rest else by
        for by, *rest in itertools.product(*map(np.ndarray.tolist, names))
    ]
    dims = ("moderator", *of_effect, "task")
    shape = len(labels), columns.sizes["task"]
    flat = {
        name: (("contrast", "task"), column.transpose(*dims).to_numpy().reshape(shape))
        for name, column in columns.rename(slope="ace").items()
    }
    attrs = attributes(
        ci_prob=about(found, 0.95).ci_prob,
        errors="estimated",
        effects_are="coefficients",
        errors_together="independent",
    )
    coords = {"contrast": labels, "task": columns["task"].to_numpy()}
    return as_result(xr.Dataset(flat, coords, attrs), "estimates")


def estimates_of_elements(fitted: xr.Dataset) -> xr.Dataset:
    """Return effects of elements, ``ace (element[, contrast])``, as estimates,
    ``ace (contrast, task)``.

    Examples
    --------
    >>> fitted = xr.Dataset(
    ...     {"ace": (("element", "contrast"), [[0.5], [1.0]])},
    ...     coords={"element": ["u1", "u2"], "contrast": ["GATA1"]},
    ... )
    >>> estimates_of_elements(fitted)["ace"].sel(contrast="u2", task="GATA1").item()
    1.0
    """
    fitted = with_contrast_dim(fitted)
    dims = {"element", "contrast"}
    of_both = [
        n for n, v in fitted.data_vars.items() if set(v.dims) == dims and n in VARIABLES
    ]
    of_each = [
        n for n, v in fitted.coords.items() if v.dims == ("element",) and n != "element"
    ]
    renamed = {"contrast": "task", "element": "contrast"}
    found = fitted[of_both].transpose("element", "contrast").reset_coords(drop=True)
    found = found.assign_coords({n: fitted[n] for n in of_each}).rename(renamed)
    if "measured" in found:
        found = found.isel(contrast=np.flatnonzero(found["measured"].any("task")))
        if found["measured"].all():
            found = found.drop_vars("measured")
    attrs = {n: v for n, v in fitted.attrs.items() if n != "control"} | attributes(
        errors="estimated"
    )
    if has(fitted).method:
        attrs.update(attributes(method=f"method {quoted(about(fitted).method)}"))
    if has(fitted).control:
        attrs.update(
            attributes(
                estimand=(
                    f"the contrast's arm minus {about(fitted).control}, in each element"
                )
            )
        )
    found.attrs = attrs
    return annotate(found)


def with_contrast_dim(fitted: xr.Dataset) -> xr.Dataset:
    """Return effects of elements with a dim contrast, which is restored where one
    contrast was selected.

    Examples
    --------
    >>> with_contrast_dim(
    ...     xr.Dataset({"ace": ("element", [0.5])}, coords={"contrast": "GATA1"})
    ... )["ace"].dims
    ('contrast', 'element')
    """
    if "contrast" in fitted["ace"].dims:
        return fitted
    name = str(fitted["contrast"].item()) if "contrast" in fitted.coords else TASK
    return fitted.drop_vars("contrast", errors="ignore").expand_dims(contrast=[name])


def _read_task(rows: EffectRows) -> GivenEffects:
    frame, matrix = rows.frame, rows.covariance
    if "se" not in frame and matrix is None:
        others = [name for name in frame if name != "effect"]
        raise DataError(
            "estimates: effects have no errors: a column 'se' (or a covariance, t or "
            f"limits) is needed beside them, not {first_of(map(quoted, others), NAMES_LISTED)}"
        )
    if matrix is not None and matrix.ndim == 2:
        matrix = aligned_covariance(matrix, *map(str, matrix.dims))
    columns = {str(name): frame[name].to_numpy() for name in frame}
    return _as_given_effects(
        columns["effect"],
        columns.get("se"),
        None if matrix is None else matrix.to_numpy(),
        columns.get("df"),
        frame.index,
        {name: _as_text_or_numbers(column) for name, column in columns.items()},
    )


def with_aligned_covariance(estimates: xr.Dataset) -> xr.Dataset:
    """Return estimates with the columns of their covariance selected and ordered as its
    rows.

    ``estimates.sel(contrast=[...])`` selects rows only, because columns have a dim of
    their own.

    Raises
    ------
    EstimateError
        If names do not identify the columns.

    Examples
    --------
    >>> whole = from_effects(
    ...     [1.0, 2.0], covariance=[[4.0, 1.0], [1.0, 9.0]], names=["a", "b"]
    ... )
    >>> with_aligned_covariance(whole.sel(contrast=["b"]))["covariance"].values.ravel()
    array([9.])
    """
    if "covariance" not in estimates or "contrast_" not in estimates["covariance"].dims:
        return estimates
    matrix = aligned_covariance(estimates["covariance"], "contrast", "contrast_")
    if matrix is estimates["covariance"] or matrix.equals(estimates["covariance"]):
        return estimates
    return estimates.drop_dims("contrast_").assign(covariance=matrix)


def _as_text_or_numbers(column: Any) -> npt.NDArray[Any]:
    """Return a column as an array, of text if every value is text."""
    text = column.dtype == object and all(isinstance(value, str) for value in column)
    return np.asarray(column.astype(str) if text else column)


def _as_positive_array(
    values: Any, name: str, labels: npt.NDArray[Any], cure: str, *, unless: Mask
) -> Array:
    """Return positive numbers, one for each effect; the largest in rows of `unless`."""
    numbers = _as_floats(values, name)
    if numbers.shape not in ((), (len(labels),)):
        raise EstimateError(
            f"{name} has shape {numbers.shape}, and there are {len(labels)} effects"
        )
    numbers = np.broadcast_to(numbers, (len(labels),))
    largest = np.fmax.reduce(numbers, where=~unless, initial=1.0)
    numbers = np.where(unless, largest, numbers)
    if name != "df":
        check_none(~np.isfinite(numbers), labels, numbers, name, _NOT_FINITE)
    check_none(
        ~(numbers > 0), labels, numbers, name, f"is not a positive number; {cure}"
    )
    return numbers


def _as_standard_errors(
    se: Any, matrix: Array | None, labels: npt.NDArray[Any]
) -> Array:
    """Return standard errors, given or from a covariance; they must agree. NaN of a
    contrast without one: none, or 0.
    """
    if matrix is None:
        given = _as_floats(se, "se")
        lacks = np.isnan(given) | (given == 0)
        errors = _as_positive_array(
            se, "se", labels, "leave the contrast out or repair it", unless=lacks
        )
        return np.where(lacks, np.nan, errors)
    if se is None:
        return np.asarray(np.sqrt(np.diagonal(matrix)))
    errors = _as_positive_array(
        se, "se", labels, "leave the contrast out", unless=np.zeros(1, dtype=bool)
    )
    check_se_matches(errors, np.diagonal(matrix), labels)
    return errors


def _as_covariance(values: Any, labels: npt.NDArray[Any], *, singular: bool) -> Array:
    matrix, n = _as_floats(values, "covariance"), len(labels)
    if matrix.shape != (n, n):
        raise EstimateError(
            f"covariance has shape {matrix.shape}, and there are {n} effects; give "
            f"({n}, {n})"
        )
    check_none(
        ~np.isfinite(matrix).all(axis=1),
        labels,
        np.diagonal(matrix),
        "covariance",
        f"has a row that {_NOT_FINITE}",
    )
    variances = np.diagonal(matrix)
    check_none(
        ~(variances > 0),
        labels,
        variances,
        "variance",
        "is not a positive number; leave the contrast out",
    )
    sd = np.sqrt(variances)
    correlation = matrix / sd / sd[:, None]
    check_symmetric(correlation, labels)
    least = float(np.linalg.eigvalsh(correlation)[0])
    if least < -1e-9 * n:
        raise EstimateError(
            "the matrix is not a covariance (least eigenvalue of its correlation "
            f"{least:.2g})"
        )
    if not (singular or least > 1e-12 * n):
        raise EstimateError(
            f"the covariance of the {n} effects is singular (least eigenvalue of the "
            f"correlation {least:.2g}): some contrast is a sum of others"
        )
    return (matrix + matrix.T) / 2


def typical_df(estimates: xr.Dataset) -> float:
    """Return the median degrees of freedom of the standard errors, infinite if there
    are none.

    Parameters
    ----------
    estimates
        With ``df (contrast, task[, model])``, or without.

    Examples
    --------
    >>> (
    ...     typical_df(from_effects([1.0, 2.0, 3.0], se=1.0, df=[3, 5, 40])),
    ...     typical_df(from_effects([1.0], se=1.0)),
    ... )
    (5.0, inf)
    """
    if "df" not in estimates:
        return np.inf
    df = estimates["df"].to_numpy()
    known = df[~np.isnan(df)]
    return float(np.median(known)) if known.size else np.inf


_CORRELATION_ROUNDING = 1e-6  # of correlations stored in single precision


def check_covariance(estimates: xr.Dataset) -> None:
    """Raise EstimateError where a covariance is not symmetric, not semidefinite, or
    disagrees with standard errors.
    """
    matrix = estimates["covariance"].transpose("contrast", "contrast_", ...).to_numpy()
    n = len(matrix)
    labels = (
        estimates["contrast"].to_numpy()
        if "contrast" in estimates.coords
        else np.arange(n)
    )
    stack = np.moveaxis(matrix.reshape(n, n, -1), -1, 0).astype(np.float64)
    for t, variances in enumerate(np.diagonal(stack, axis1=1, axis2=2)):
        check_none(
            variances < 0,
            labels,
            variances,
            "variance",
            "is negative; no covariance has that",
        )
        if "se" in estimates:
            check_se_matches(
                estimates["se"].to_numpy().reshape(n, -1)[:, t], variances, labels
            )
        sd = np.sqrt(np.diagonal(stack[t]))
        sd = np.where(sd > LEAST_SD, sd, 1.0)  # correlations are 0 where a variance is
        correlation = np.asarray(stack[t] / sd / sd[:, None])
        check_symmetric(correlation, labels)
        least = _least_eigenvalue(correlation)
        if least < -_CORRELATION_ROUNDING:
            raise EstimateError(
                f"the covariance of the {n} effects has negative eigenvalues (least of "
                f"the correlation {least:.2g}), and no estimates vary like that"
            )


def check_se_matches(se: Array, variances: Array, labels: npt.NDArray[Any]) -> None:
    """Raise EstimateError where standard errors, (K,), are not the roots of their
    variances within rounding.
    """
    sd = np.sqrt(variances)
    apart = np.abs(sd - se) > _CORRELATION_ROUNDING * np.maximum(sd, se) + LEAST_SD
    check_none(
        apart,
        labels,
        se,
        "se",
        "is not the root of its variance in the covariance; give one of the two alone",
    )


def check_symmetric(correlation: Array, labels: npt.NDArray[Any]) -> None:
    """Raise EstimateError where a correlation, (K, K), is not symmetric within
    rounding.
    """
    crooked = (np.abs(correlation - correlation.T) > _CORRELATION_ROUNDING).any(axis=1)
    if crooked.any():
        raise EstimateError(
            f"contrast {labels[int(np.argmax(crooked))]}: its covariances are not "
            "symmetric"
        )


def check_none(
    bad: Any, labels: npt.NDArray[Any], values: Array, name: str, why: str
) -> None:
    """Raise EstimateError with name and value of the first contrast that is bad."""
    if bad.any():
        k = int(np.argmax(bad))
        raise EstimateError(f"contrast {labels[k]}: {name} {values[k]:g} {why}")


def _least_eigenvalue(correlation: Array) -> float:
    """Return the least eigenvalue if it is negative beyond rounding, else 0 (a Cholesky
    factor is faster).
    """
    try:
        np.linalg.cholesky(
            correlation + _CORRELATION_ROUNDING * np.eye(len(correlation))
        )
    except np.linalg.LinAlgError:
        return float(np.linalg.eigvalsh(correlation)[0])
    return 0.0
