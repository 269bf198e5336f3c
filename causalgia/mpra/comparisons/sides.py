"""Virtual and measured effects by element as long tables, and their matching by
contrast and element.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from causalgia.checks import nearest
from causalgia.errors import (
    NAMES_LISTED,
    DataError,
    EstimateError,
    comma_list,
    first_of,
    quoted,
    type_in_words,
)
from causalgia.mpra.comparisons.prediction_powered_means import (
    SharedNoise,
    excess_replicate_noise,
)
from causalgia.mpra.counts.counts_table import CONTROLS, other_library
from causalgia.multiplicity.adjusted_p import stepwise
from causalgia.schema import validate
from causalgia.types import Array, Codes

Side: TypeAlias = Literal["virtual", "measured"]
_OTHER_NAMES = {"ace": "effect", "unit": "element"}
_OPTIONAL = ("df", "p", "q", "parent", "group")
# squares of larger numbers leave the floats, and those of smaller ones than its inverse
# are 0
LARGEST = 1e100


def effects_by_element(
    source: Any, side: Side, *, task: str | None = None
) -> pd.DataFrame:
    """Return effects by element as a long table.

    Parameters
    ----------
    source
        Effects of a trial, ``ice (unit, contrast, task[, model])``, with elements as
        units: exact, or over a ``model`` dim the mean with its standard error. A fit,
        ``ace, se (element, contrast)``. Or a DataFrame with columns ``element`` (or an
        index of that name) and ``effect``, and optional
        ``contrast se df p q parent group``.
    side
        ``"virtual"`` or ``"measured"``; measured effects need an ``se``.
    task
        Task of a trial; needed if there are several.

    Returns
    -------
    DataFrame
        ``contrast element effect se``, and ``df p q parent group`` where known.

    Raises
    ------
    DataError
        If it is of another kind, a column is absent, a value is not finite, or an
        element appears twice.
    EstimateError
        If the task is unknown, given for a table, or not given where there are several.
    EstimateError
        If measured effects have no standard errors.

    Examples
    --------
    >>> table = pd.DataFrame({"element": ["a", "b"], "effect": [1.0, 2.0]})
    >>> effects_by_element(table, "virtual").columns.tolist()
    ['contrast', 'element', 'effect', 'se']
    """
    check_not_parallel(source, side)
    of_trial = isinstance(source, xr.Dataset) and "ice" in source
    if task is not None and not of_trial:
        raise EstimateError(
            f"{side}: these effects by element are of one task already; leave "
            f"task={quoted(task)} out"
        )
    if of_trial:
        check_named(source["unit"].to_numpy(), f"{side}: unit {{}} has no name")
        table = _trial_table(source, side, task)
    elif (
        isinstance(source, xr.Dataset)
        and "ace" in source
        and "element" in source["ace"].dims
    ):
        fit = with_contrast_dim(source)
        check_named(fit["element"].to_numpy(), f"{side}: element {{}} has no name")
        if "se" not in fit and side == "measured":
            raise EstimateError(
                "measured: no 'se', without which noise cannot be separated from true "
                "effects; add it to the fit"
            )
        fit = fit if "se" in fit else fit.assign(se=xr.zeros_like(fit["ace"]))
        names = {"ace": "effect", "se": "se", "df": "df", "p": "p"}
        data = {
            new: fit[old].transpose("contrast", "element")
            for old, new in names.items()
            if old in fit
        }
        table = _long_table(data, fit, "element")
        if "measured" in fit:
            known = fit["measured"].transpose("contrast", "element").to_numpy()
            table = table[known.ravel()].reset_index(drop=True)
    elif isinstance(source, pd.DataFrame):
        table = _frame_table(source, side)
    else:
        raise DataError(
            f"{side}: {type_in_words(source)} has no effects by element; give effects "
            "of a trial (cg.contrast), a fit (cg.mpra.fit), or a DataFrame "
            "with columns element, effect and se"
        )
    return _as_valid_table(table, side)


def check_not_parallel(effects: Any, side: Side) -> None:
    """Raise DataError for a parallel trial, whose units have no effects of their
    own.

    Examples
    --------
    >>> check_not_parallel(xr.Dataset(), "virtual")
    """
    if (
        isinstance(effects, xr.Dataset)
        and "ice" not in effects
        and "assigned" in effects
    ):
        raise DataError(
            f"{side}: in a parallel trial each unit is under one arm, so that none has "
            "an effect of its own; compare the averages (cg.estimate of both "
            "sides), or order and predict a crossover"
        )


def _trial_table(effects: xr.Dataset, side: Side, task: str | None) -> pd.DataFrame:
    if side == "measured":
        raise EstimateError(
            "measured: effects of units have no standard errors of their own, and "
            "replicates share their barcodes; take them from cg.mpra.fit(counts, "
            "control=)"
        )
    effects = select_task(validate(effects, "effects"), task)
    ice = effects["ice"]
    mean, se = ice, xr.zeros_like(ice)
    if "model" in ice.dims:
        mean, se = (
            ice.mean("model"),
            ice.std("model", ddof=1) / np.sqrt(ice.sizes["model"]),
        )
        if ice.sizes["model"] < 2:
            se = xr.zeros_like(mean)
    data = {
        "effect": mean.transpose("contrast", "unit"),
        "se": se.transpose("contrast", "unit"),
    }
    return _long_table(data, effects, "unit")


def select_task(effects: xr.Dataset, task: str | None) -> xr.Dataset:
    """Return the effects on one task, without the dim."""
    tasks = (
        [str(t) for t in effects["task"].to_numpy()]
        if "task" in effects.coords
        else ["0"]
    )
    if task is None and len(tasks) > 1:
        raise EstimateError(
            f"virtual: there are the tasks {comma_list(tasks)}; say which one was "
            "measured: task="
        )
    if task is not None and str(task) not in tasks:
        hint = nearest(str(task), tasks, then=f"it has {comma_list(tasks)}")
        raise EstimateError(f"virtual: there is no task {quoted(task)}{hint}")
    return effects.isel(
        task=tasks.index(str(task)) if task is not None else 0, drop=True
    )


def with_contrast_dim(fit: xr.Dataset) -> xr.Dataset:
    """Return a fit with a contrast dim, also where one contrast was selected.

    Raises
    ------
    EstimateError
        If the selected contrast has lost its name.
    """
    if "contrast" not in fit.coords:
        raise EstimateError(
            "measured: the fit does not name its contrasts; select without drop: "
            "fit.sel(contrast=[...])"
        )
    return fit if "contrast" in fit["ace"].dims else fit.expand_dims("contrast")


def fit_replicate_noise(fit: xr.Dataset) -> list[SharedNoise]:
    """Return the shared noise of replicates in each contrast of a fit; 0 where not
    known.

    Examples
    --------
    >>> fit = xr.Dataset(
    ...     {"ace": (("element", "contrast"), np.zeros((2, 1)))},
    ...     coords={"contrast": ["GATA1"]},
    ... )
    >>> fit_replicate_noise(fit)[0].pieces
    array([0.])
    """
    fit = with_contrast_dim(fit)
    if "replicate_shift" not in fit:
        return [SharedNoise(np.zeros(1), 0.0, 0.0, 1.0)] * fit.sizes["contrast"]
    if (
        set(fit["replicate_shift"].dims) != {"contrast", "replicate"}
        or "replicate_df" not in fit
    ):
        raise DataError(
            "measured: the fit was changed (its 'replicate_shift' has other dims than "
            "contrast and replicate, or 'replicate_df' is absent), so the noise "
            "that replicates share is not known; fit all counts together, or use each "
            "fit as cg.mpra.fit returned it"
        )
    shift = fit["replicate_shift"].transpose("contrast", "replicate").to_numpy()
    within, df = (fit[f"replicate_{x}"].to_numpy() for x in ("within", "df"))
    # nan: a replicate that the contrast does not use
    rows = [row[~np.isnan(row)] for row in shift]
    if not np.isfinite([*within, *df]).all() or min(map(len, rows)) < 2:
        raise DataError(
            "measured: 'replicate_shift' or 'replicate_within' of the fit is not "
            "finite; fit anew"
        )
    return [
        excess_replicate_noise(row, float(own), float(n))
        for row, own, n in zip(rows, within, df, strict=True)
    ]


def _long_table(
    data: dict[str, xr.DataArray], dataset: xr.Dataset, dim: str
) -> pd.DataFrame:
    """Return a row for each contrast and element, with the parent and group of
    elements.
    """
    names = dataset[dim].to_numpy().astype(str)
    contrasts = dataset["contrast"].to_numpy().astype(str)
    columns = {name: values.to_numpy().ravel() for name, values in data.items()}
    known = {
        c: dataset[c].to_numpy()
        for c in ("parent", "group")
        if c in dataset and dataset[c].dims == (dim,)
    }
    return pd.DataFrame(
        {
            "contrast": np.repeat(contrasts, len(names)),
            "element": np.tile(names, len(contrasts)),
        }
        | columns
        | {name: np.tile(values, len(contrasts)) for name, values in known.items()}
    )


def check_named(names: Any, message: str) -> None:
    """Raise DataError where a name is empty or missing; `message` has a place for
    its number, counted from 1.

    Examples
    --------
    >>> check_named(["a", ""], "virtual: element {} has no name")
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: virtual: element 2 has no name; effects are matched by name: name it, ...it out
    """
    absent = [bool(pd.isna(name)) or str(name) == "" for name in names]
    if any(absent):
        where = message.format(absent.index(True) + 1)
        raise DataError(
            f"{where}; effects are matched by name: name it, or leave it out"
        )


def _frame_table(frame: pd.DataFrame, side: Side) -> pd.DataFrame:
    named = frame.index.name in ("element", "unit") and not {"element", "unit"} & set(
        frame.columns
    )
    table = frame.reset_index() if named else frame
    table = table.rename(
        columns={
            old: new for old, new in _OTHER_NAMES.items() if new not in table.columns
        }
    )
    for column in ("element", "effect"):
        if column not in table.columns:
            raise DataError(
                f"{side}: no column {quoted(column)}, only "
                f"{', '.join(map(str, table.columns))}; rename it"
            )
    if "se" not in table.columns:
        if side == "measured":
            raise EstimateError(
                "measured: no column 'se', without which noise cannot be separated "
                "from true effects; add the standard errors as that column"
            )
        table = table.assign(se=0.0)
    if "contrast" not in table.columns:
        table = table.assign(contrast="effect")
    table = table[
        [
            "contrast",
            "element",
            "effect",
            "se",
            *(c for c in _OPTIONAL if c in table.columns),
        ]
    ]
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()][0]
        raise DataError(
            f"{side}: the table has the column {quoted(twice)} twice; leave one of "
            "them out"
        )
    for name in ("element", "contrast"):
        check_named(table[name], f"{side}: row {{}} of the table has no {name}")
    return table.assign(
        element=table["element"].astype(str), contrast=table["contrast"].astype(str)
    )


def _as_valid_table(table: pd.DataFrame, side: Side) -> pd.DataFrame:
    if table.empty:
        raise DataError(
            f"{side}: the table has no rows; give effects of ten elements or more"
        )
    if (
        "parent" in table
        and (
            absent := table["parent"].isna() | (table["parent"].astype(str) == "")
        ).any()
    ):
        row = table[absent].iloc[0]
        raise DataError(
            f"{side}: the parent of element {quoted(row['element'])} is empty; name "
            "it, or drop the column"
        )
    table = table.assign(
        **{
            c: _as_numeric_column(table, c, side)
            for c in ("df", "p", "q")
            if c in table
        }
    )
    for column in ("effect", "se"):
        if table[column].dtype.kind == "c":
            raise DataError(
                f"{side}: column {quoted(column)} holds complex numbers; give real ones"
            )
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(float)
        bad = ~(np.abs(values) <= LARGEST)
        if column == "se":
            bad |= (values < 0) | ((values > 0) & (values < 1 / LARGEST))
        if bad.any():
            row = table.iloc[int(np.argmax(bad))]
            raise DataError(
                f"{side}: {column} of element {quoted(row['element'])} in contrast "
                f"{quoted(row['contrast'])} is {row[column]}; leave the element out, "
                "or repair it where it arose"
            )
    twice = table.duplicated(["contrast", "element"])
    if twice.any():
        row = table[twice].iloc[0]
        raise DataError(
            f"{side}: element {quoted(row['element'])} appears twice in contrast "
            f"{quoted(row['contrast'])}; leave one of its rows out"
        )
    return table.reset_index(drop=True)


def _as_numeric_column(
    table: pd.DataFrame, column: str, side: Side
) -> pd.Series[float]:
    """Return a column as numbers; empty degrees of freedom stay empty (normal)."""
    numbers = pd.to_numeric(table[column], errors="coerce")
    bad = numbers.isna() & table[column].notna()
    if column == "df":
        bad |= numbers <= 0
    if bad.any():
        row = table[bad].iloc[0]
        raise DataError(
            f"{side}: {column} of element {quoted(row['element'])} is {row[column]}; "
            "correct it"
        )
    return numbers


def one_sided_contrasts(
    virtual: Iterable[str],
    measured: Iterable[str],
    names: Mapping[str, str],
    called: tuple[str, str] = ("virtual", "measured"),
) -> list[str]:
    """Return a note on contrasts of one side only, which `match_contrasts` leaves out;
    none if all are compared.

    Parameters
    ----------
    virtual, measured
        Names of contrasts, repeats allowed.
    names
        Measured name -> virtual name of those that are compared.
    called
        What the two sides are called.

    Examples
    --------
    >>> one_sided_contrasts(["A", "B"], ["A", "C"], {"A": "A"})
    ["not compared, because one side alone has them: virtual 'B'; measured 'C'"]
    """
    alone = {
        called[0]: [
            name for name in dict.fromkeys(virtual) if name not in names.values()
        ],
        called[1]: [name for name in dict.fromkeys(measured) if name not in names],
    }
    parts = [
        f"{side} {first_of(map(quoted, some), NAMES_LISTED)}"
        for side, some in alone.items()
        if some
    ]
    return (
        [f"not compared, because one side alone has them: {'; '.join(parts)}"]
        if parts
        else []
    )


def match_contrasts(
    virtual: Iterable[str], measured: Iterable[str], pairs: Mapping[str, str] | None
) -> dict[str, str]:
    """Return the measured contrasts to compare, each with its virtual one.

    Parameters
    ----------
    virtual, measured
        Names of contrasts, repeats allowed.
    pairs
        Measured name -> virtual name; None pairs equal names, or the only contrast of
        each side.

    Raises
    ------
    EstimateError
        If a name is unknown, or none are shared.

    Examples
    --------
    >>> match_contrasts(["A", "A"], ["effect"], None)
    {'effect': 'A'}
    """
    of_virtual, of_measured = (
        list(dict.fromkeys(virtual)),
        list(dict.fromkeys(measured)),
    )
    for side, found in (("virtual", of_virtual), ("measured", of_measured)):
        if not found:
            raise EstimateError(
                f"{side}: there is no contrast; the selection before left none: select "
                "at least one"
            )
    if pairs is not None:
        if not isinstance(pairs, Mapping) or not pairs:
            raise EstimateError(
                f"pairs={quoted(pairs)} names none; give measured name -> virtual name: "
                f"{{{quoted(of_measured[0])}: {quoted(of_virtual[0])}}}",
                argument="pairs",
            )
        for name, known, side in (
            *((str(m), of_measured, "measured") for m in pairs),
            *((str(v), of_virtual, "virtual") for v in pairs.values()),
        ):
            if name not in known:
                raise EstimateError(
                    f"{side}: there is no contrast {quoted(name)}"
                    + nearest(name, known, then=f"it has {comma_list(known)}")
                )
        return {str(m): str(v) for m, v in pairs.items()}
    shared = {name: name for name in of_measured if name in of_virtual}
    if shared:
        return shared
    if len(of_virtual) == len(of_measured) == 1:
        return {of_measured[0]: of_virtual[0]}
    pair = f"pairs={{{quoted(of_measured[0])}: {quoted(of_virtual[0])}}}"
    raise EstimateError(
        f"virtual contrasts {comma_list(of_virtual)} and measured contrasts "
        f"{comma_list(of_measured)} share no name; name them alike, or say which "
        f"belong together: {pair}",
    )


LEAST = 10


@dataclass(frozen=True)
class MatchedEffects:
    """Effects of n elements on both sides in one contrast, shape ``(n,)`` each.

    Attributes
    ----------
    elements
        Names of the elements.
    x, sx, y, sy
        Virtual and measured effects, and their standard errors.
    df, p, q
        Of the measured effects: degrees of freedom (inf: normal), two-sided p of no
        effect, and q of the contrast.
    cluster
        Parent of each element, 0 to G - 1; None where each parent has one element.
    """

    elements: NDArray[np.str_]
    x: Array
    sx: Array
    y: Array
    sy: Array
    df: Array
    p: Array
    q: Array
    cluster: Codes | None


def drop_controls(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return a table without the controls of the bench, and their number by group.

    Examples
    --------
    >>> table = pd.DataFrame({"element": ["a", "b"], "group": ["test", "negative"]})
    >>> drop_controls(table)[1]
    {'negative': 1}
    """
    if "group" not in table.columns:
        return table, {}
    out = table["group"].isin(CONTROLS)
    left = table[out].groupby("group")["element"].nunique()
    return table[~out], {str(group): int(n) for group, n in left.items()}


def match_elements(
    virtual: pd.DataFrame, measured: pd.DataFrame
) -> tuple[MatchedEffects, dict[str, Any]]:
    """Match the two sides of one contrast by element names.

    Parameters
    ----------
    virtual, measured
        From `effects_by_element`, of one contrast.

    Returns
    -------
    tuple
        The matched effects, in the order of the measured side; and the numbers of
        elements on one side only, and of controls.

    Raises
    ------
    DataError
        If fewer than ten elements are on both sides.
    """
    df = (
        measured["df"].to_numpy(float)
        if "df" in measured
        else np.full(len(measured), np.inf)
    )
    df = np.where(np.isfinite(df), df, np.inf)
    if "p" in measured:
        p = measured["p"].to_numpy(float)
    else:
        se = measured["se"].to_numpy(float)
        t = np.abs(measured["effect"].to_numpy(float)) / np.where(
            se > 0, se, np.finfo(float).tiny
        )
        p = 2 * special.stdtr(np.where(np.isfinite(df), df, 1e12), -t)
    _check_probabilities(p, "p", measured)
    q = measured["q"].to_numpy(float) if "q" in measured else stepwise(p, "bh")
    _check_probabilities(q, "q", measured)
    of_all = measured.assign(df=df, p=p, q=q)
    virtual, _ = drop_controls(virtual)
    of_test, controls = drop_controls(of_all)
    both = of_test.merge(virtual, on="element", how="inner", suffixes=("", "_virtual"))
    lost = {
        "only virtual": len(set(virtual["element"]) - set(of_all["element"])),
        "only measured": len(set(of_test["element"]) - set(virtual["element"])),
        "controls": controls,
    }
    _check_enough_elements(both, virtual, of_test)
    return _matched_arrays(both), lost


def _check_probabilities(values: Array, name: str, measured: pd.DataFrame) -> None:
    good = (values >= 0) & (values <= 1)
    if not good.all():
        i = int(np.argmin(good))
        raise DataError(
            f"measured: {name} of element {quoted(measured['element'].iloc[i])} is "
            f"{values[i]}, no probability"
        )


def _check_enough_elements(
    both: pd.DataFrame, virtual: pd.DataFrame, measured: pd.DataFrame
) -> None:
    if len(both) < LEAST:
        for side, some in (("virtual", virtual), ("measured", measured)):
            if not len(some):
                raise DataError(
                    f"{side}: every element is a control of the bench (group "
                    f"{comma_list(CONTROLS)}); give effects of test elements"
                )
        names = [
            side["element"].iloc[0] if len(side) else "none"
            for side in (virtual, measured)
        ]
        known = set(virtual["element"])
        absent = next((one for one in measured["element"] if one not in known), None)
        if absent is None:
            raise DataError(
                f"{len(both)} elements are both virtual and measured, and {LEAST} are "
                "needed; order a library of more backgrounds, which has more elements",
            )
        if other := other_library(absent, virtual["element"]):
            raise DataError(
                f"{len(both)} elements are both virtual and measured; measured element "
                f"{quoted(absent)} is not in the virtual trial{other}. Predict the "
                "library that was measured: cg.mpra.virtual_trial"
            )
        raise DataError(
            f"{len(both)} elements are both virtual (first: {quoted(names[0])}) and "
            f"measured (first: {quoted(names[1])}), and {LEAST} are needed; the units "
            "of the virtual trial have to have the names of the measured elements"
        )


def side_without_spread(
    matched: MatchedEffects, called: tuple[str, str] = ("virtual", "measured")
) -> str:
    """Return "all virtual effects are 0" where the elements of a side do not differ, ""
    where both sides do.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {
    ...         "element": [f"e{i}" for i in range(10)],
    ...         "effect": np.arange(10.0),
    ...         "se": 0.5,
    ...     }
    ... )
    >>> side_without_spread(match_elements(table.assign(effect=2.0), table)[0])
    'all virtual effects are 2'
    """
    for side, values in zip(called, (matched.x, matched.y), strict=True):
        if np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())):
            return f"all {side} effects are {values[0]:g}"
    return ""


def _matched_arrays(both: pd.DataFrame) -> MatchedEffects:
    def column(name: str) -> Array:
        return both[name].to_numpy(float)

    parents = next((c for c in ("parent_virtual", "parent") if c in both.columns), None)
    return MatchedEffects(
        both["element"].to_numpy().astype(str),
        column("effect_virtual"),
        column("se_virtual"),
        column("effect"),
        column("se"),
        column("df"),
        column("p"),
        column("q"),
        None if parents is None else parent_codes(both[parents]),
    )


def parent_codes(parents: Any) -> Codes | None:
    """Return parents as codes; None where each has one element."""
    codes, labels = pd.factorize(parents)
    return np.asarray(codes, dtype=np.intp) if len(labels) < len(codes) else None
