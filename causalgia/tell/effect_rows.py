"""Tables of estimates and decisions: rows for programs, cells for text, summaries of
placebos.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.special import ndtri

from causalgia.attributes import about, attributes, has
from causalgia.choices import DIRECTIONS, INSIDE, VERDICTS
from causalgia.effect_table import of_effects
from causalgia.errors import DataError, quoted
from causalgia.estimation._from_effects import (
    as_estimates,
    estimates_of_elements,
    is_of_others,
)
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.notes import with_notes
from causalgia.schema import validate
from causalgia.tell.table_formats import (
    format_effect,
    format_number,
    format_p,
    format_se,
    is_large,
    percent,
    shrunken_effect,
)
from causalgia.tell.verdict_sentences import (
    effect_heading,
    error_heading,
    error_text,
    has_shrunken,
    is_decided,
    is_simultaneous,
    verdict_cell,
)

Row: TypeAlias = dict[str, Any]
Rows = Literal["summary", "all"]

ENOUGH_FOR_QUANTILES = 40
_LIMITS = ("ace", "se", "df", "lower", "upper", "p")
_NUMBER_COLUMNS = (*_LIMITS, "skewness", "leverage", "exact", "n_units", "n_clusters")
_OF_VERDICTS = (
    "verdict",
    "p_verdict",
    "q",
    "rope_lower",
    "rope_upper",
    "more_units",
    "shrunken",
    "shrunken_lower",
    "shrunken_upper",
    "lfsr",
    "lfsr_alone",
)
_OF_MATCHED = ("p_matched", "n_matched")
_FIRST_DIMS = ("contrast", "task", "model", "element", "position")
"""Dims of effects that a report knows."""


def rows(estimates: xr.Dataset, *, truth: xr.DataArray | None = None) -> list[Row]:
    """Return estimates or decisions as plain rows, one for each contrast and task (and
    model), for other programs.

    Parameters
    ----------
    estimates
        From `causalgia.estimate` or `causalgia.decide`.
    truth
        True ACE ``(contrast, task)`` where it is known, with a Monte-Carlo error
        ``mcse`` where it is not exact.

    Returns
    -------
    list of dict
        ``contrast``, ``task``, ``model`` if there are several, ``do``, ``is_placebo``
        (whether the contrast is a fixed placebo minus the control), available
        numbers and verdicts, ``n``, the number of independent units where it is known
        (100, where 1,000 are shuffles of 100 parents), and with `truth` also ``truth``
        and ``z = (ace - truth) / sqrt(se^2 + mcse^2)``.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> estimates = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["GATA1"], "task": ["K562"]}
    ... )
    >>> rows(estimates)
    [{'contrast': 'GATA1', 'task': 'K562', 'do': None, 'is_placebo': False, 'ace': 1.5}]
    """
    estimates = as_reportable(estimates)
    return _table_rows(estimates, truth)


_MEANT = {
    "p": "a probability",
    "q": "a probability",
    "se": "at least 0",
    "lower": "at most 'upper'",
    "verdict": f"one of {', '.join(VERDICTS)}",
}


def as_reportable(estimates: Any) -> xr.Dataset:
    """Return estimates or decisions; effects of elements are converted as by
    `as_estimates`.

    Raises
    ------
    DataError
        If they are neither; a posterior, or its group of draws, has to be decided
        first. If a number or verdict is one that no estimate has.

    Examples
    --------
    >>> as_reportable({"posterior": xr.Dataset()})
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: a posterior holds draws, ...; decide first: cg.decide(posterior, rope=(-0.1, 0.1))
    """
    check_not_draws(estimates)
    estimates = _with_one_contrast_dim(estimates)
    of_each = (
        isinstance(estimates, xr.Dataset)
        and "ace" in estimates
        and "element" in estimates["ace"].dims
    )
    found = validate(
        estimates_of_elements(estimates) if of_each else estimates, "estimates"
    )
    _check_numbers(found)
    if has(found).rope_kind or "verdict" not in found:
        return found
    if (found["verdict"] == INSIDE[1]).any():  # a table without attributes: words tell
        kind = "matched" if "p_matched" in found else "placebo"
        found = found.assign_attrs(rope_kind=kind)
    return found


def _with_one_contrast_dim(estimates: Any) -> Any:
    """Return effects with a further dim, such as the rounds of a search or null models,
    as contrasts that name its levels: "10-40, added".
    """
    if not isinstance(estimates, xr.Dataset) or "ace" not in estimates:
        return estimates
    further = [str(dim) for dim in estimates["ace"].dims if dim not in _FIRST_DIMS]
    if len(further) != 1 or "contrast" not in estimates["ace"].dims:
        return estimates
    (dim,) = further
    labels = next(
        (
            [str(label) for label in found.to_numpy()]
            for found in estimates.coords.values()
            if found.dims == (dim,) and found.dtype.kind in "UOT"
        ),
        [f"{dim} {i + 1}" for i in range(estimates.sizes[dim])],
    )
    columns = [name for name, of in estimates.items() if "contrast" in of.dims]
    own = [name for name, of in estimates.coords.items() if dim in of.dims]
    levels = []
    for i, label in enumerate(labels):
        level = estimates[columns].isel({dim: i}).drop_vars(own, errors="ignore")
        names = [f"{label}, {name}" for name in level["contrast"].to_numpy()]
        levels.append(level.assign_coords(contrast=names))
    return xr.concat(levels, dim="contrast", combine_attrs="override").assign_attrs(
        estimates.attrs
    )


def _check_numbers(estimates: xr.Dataset) -> None:
    """Raise DataError for numbers that no estimate has: they were changed by hand,
    and would be printed.
    """
    ci_prob = about(estimates, 0.95).ci_prob
    if not 0.5 <= ci_prob < 1:
        raise DataError(
            f"estimates: attrs['ci_prob'] is {quoted(ci_prob)}, and not a "
            "probability from 0.5 to below 1; take the Dataset as cg.estimate or "
            "cg.decide returned it"
        )
    wrong = {
        name: (estimates[name] < 0) | (estimates[name] > 1)
        for name in ("p", "q")
        if name in estimates
    }
    wrong |= {"se": estimates["se"] < 0} if "se" in estimates else {}
    wrong |= (
        {"lower": estimates["lower"] > estimates["upper"]}
        if {"lower", "upper"} <= set(estimates)
        else {}
    )
    wrong |= (
        {"verdict": ~estimates["verdict"].isin(VERDICTS)}
        if "verdict" in estimates
        else {}
    )
    for name, where in wrong.items():
        if where.any():
            place = [int(i[0]) for i in np.nonzero(where.to_numpy())]
            labels = ", ".join(
                f"{dim} {estimates[dim].to_numpy()[i]!s}"
                if dim in estimates.coords
                else f"{dim} {i}"
                for dim, i in zip(where.dims, place, strict=True)
            )
            raise DataError(
                f"estimates: {quoted(name)} is "
                f"{estimates[name].to_numpy()[tuple(place)]!s} at {labels}, which no "
                f"estimate is ({_MEANT[name]}); repair it where it arose"
            )


def check_not_draws(given: Any) -> None:
    """Raise `DataError` for a posterior and for its group of draws, in either
    generation of ArviZ.
    """
    if is_posterior(given):
        raise DataError(
            "a posterior holds draws, and a figure is of verdicts; decide first: "
            "cg.decide(posterior, rope=(-0.1, 0.1))"
        )


def is_posterior(given: object) -> bool:
    """Return whether this is a posterior, or its group of draws.

    Examples
    --------
    >>> is_posterior({"posterior": xr.Dataset()}), is_posterior(xr.Dataset())
    (True, False)
    """
    if isinstance(given, xr.Dataset | xr.DataTree) and {"chain", "draw"} <= set(
        given.dims
    ):
        return True
    trees = (
        isinstance(given, xr.DataTree | dict) or type(given).__name__ == "InferenceData"
    )
    return trees and "posterior" in given  # type: ignore[operator]  # each is a mapping


def readable(given: Any) -> Any:
    """Return what a table can tell: effects of another program as estimates, a
    posterior as its effects; anything else as it is.

    Examples
    --------
    >>> readable({"effect": [1.0], "se": [0.1]})["ace"].item()
    1.0
    """
    if is_of_others(given):
        return as_estimates(given)
    return posterior_effects(given) if is_posterior(given) else given


_LEVEL = 0.95


def posterior_effects(posterior: Any) -> xr.Dataset:
    """Return the effects of a posterior with hierarchical effect sizes beside them, as
    measured; where it does not hold what was measured, those of its draws, mean and
    interval.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(1.0, 0.1, size=(1, 4000, 1))
    >>> found = posterior_effects(
    ...     {"posterior": xr.Dataset({"ace": (("chain", "draw", "contrast"), draws)})}
    ... )
    >>> found["ace"].round(1).item(), found["upper"].round(1).item()
    (1.0, 1.2)
    """
    # a posterior is loaded where one is told
    from causalgia.posterior.posterior_tree import tree_datasets, tree_group

    if isinstance(posterior, xr.DataTree) and "chain" in posterior.dims:  # the group
        posterior = posterior.to_dataset()
    groups = tree_datasets(
        {"posterior": posterior} if isinstance(posterior, xr.Dataset) else posterior
    )
    draws = tree_group(groups, "posterior", "ace")["ace"]
    if "task" not in draws.dims:
        draws = draws.expand_dims(task=["effect"], axis=-1)
    empty = xr.Dataset()
    moments = groups.get("moments", empty)
    tails = draws.quantile(
        [0.5 - _LEVEL / 2, 0.5 + _LEVEL / 2], dim=("chain", "draw"), skipna=False
    )
    sizes = {
        "shrunken": moments.get("mean", draws.mean(("chain", "draw"))),
        "shrunken_lower": tails.isel(quantile=0, drop=True),
        "shrunken_upper": tails.isel(quantile=1, drop=True),
    }
    above, below = (sign.mean(("chain", "draw")) for sign in (draws > 0, draws < 0))
    # draws of exactly 0 have the wrong sign, whichever is claimed
    wrong = 1 - above.where(above > below, below)
    sizes["lfsr"] = moments.get("lfsr", wrong.where(sizes["shrunken"].notnull()))
    attrs = {**groups["posterior"].attrs, **attributes(ci_prob=_LEVEL)}
    effect = groups.get("observed_data", empty).get("effect")
    if effect is not None and "task" not in effect.dims:
        effect = effect.expand_dims(task=["effect"], axis=-1)
    if effect is None or effect.dims != draws.dims[2:]:
        own = ("ace", "lower", "upper", "lfsr")
        columns = dict(zip(own, sizes.values(), strict=False))
        attrs |= {} if has(attrs).errors else attributes(effects_are="given")
        note = "effects and intervals are of the posterior"
        return with_notes(xr.Dataset(columns, attrs=attrs), note)
    known = groups.get("constant_data", empty)
    half = ndtri(0.5 + _LEVEL / 2) * known.get("se", np.nan)
    columns = {
        "ace": effect,
        "lower": moments.get("lower_unshrunken", effect - half),
        "upper": moments.get("upper_unshrunken", effect + half),
        **sizes,
    }
    columns |= {"se": known["se_estimated"]} if "se_estimated" in known else {}
    marks = {n: known[n] for n in ("is_placebo",) if n in known}
    return xr.Dataset(columns, marks, attrs)


def cells(
    estimates: xr.Dataset,
    *,
    rows: Rows = "summary",
    truth: xr.DataArray | None = None,
    table: Sequence[tuple[Row, dict[str, str]]] | None = None,
) -> tuple[list[str], list[list[str]]]:
    """Return the table of a report: its header, and its lines of formatted cells.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`, or decisions from `causalgia.decide`.
    rows
        ``"summary"``: one line for the fixed placebos of each task; ``"all"``: a
        line for each.
    truth
        As in `rows`: adds the column ``truth``.
    table
        The lines of `cell_rows` to write; None: all, as they stand.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> estimates = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["GATA1"], "task": ["K562"]}
    ... )
    >>> cells(estimates)
    (['contrast', 'ACE'], [['GATA1', '1.500']])
    """
    lines = [
        line
        for _, line in (
            cell_rows(estimates, rows=rows, truth=truth) if table is None else table
        )
    ]
    header = [
        name
        for name in _headings(estimates).values()
        if any(line.get(name, "") not in ("", "–") for line in lines)
    ]
    return header, [[line.get(name, "") for name in header] for line in lines]


def cell_rows(
    estimates: xr.Dataset,
    *,
    rows: Rows = "summary",
    truth: xr.DataArray | None = None,
    at: npt.NDArray[np.int64] | None = None,
) -> list[tuple[Row, dict[str, str]]]:
    """Return each line of a report's table: the row with its numbers, and heading ->
    cell.

    A row has also ``label``, the name of its line, and ``summary``, whether the line is
    that of the placebos of a task.

    Parameters
    ----------
    estimates, rows, truth
        As in `cells`.
    at
        Flat positions of the rows that are asked for, in their order; None: all.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> estimates = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["GATA1"], "task": ["K562"]}
    ... )
    >>> [(row["label"], line["ACE"]) for row, line in cell_rows(estimates)]
    [('GATA1', '1.500')]
    """
    table = _table_rows(estimates, truth, at)
    names = [name for name in ("task", "model") if estimates.sizes.get(name, 1) > 1]
    headings = _headings(estimates)
    effects = [row for row in table if rows == "all" or not row["is_placebo"]]
    large = any(map(is_large, effects))
    beside = has_shrunken(estimates)
    found: list[tuple[Row, dict[str, str]]] = []
    for row in effects:
        of_units = about(estimates, None).target == "units"
        line = _effect_cells(row, names, large, of_units=of_units)
        if is_decided(estimates):
            line |= _verdict_cells(row, estimates.attrs, large, shrunken=beside)
            line |= {"exact": ""} if line["error"] in ("exact", "alike") else {}
        elif beside:
            line |= {"se": "", "shrunken": _shrunken_cell(row, large)}
            line["lfsr"] = format_p(row["lfsr"]) if "lfsr" in row else ""
        if line["exact"] and not of_units:
            line["exact"] = "same effect"
        found.append((row | {"label": row["contrast"], "summary": False}, line))
    groups = [] if rows == "all" else placebo_groups(table, names)
    for group in groups:
        line = _placebo_cells(group, names)
        summary = {"label": line["contrast"], "summary": True}
        found.append((group[0] | summary, line))
    return [
        (row, {headings[key]: text for key, text in line.items() if key in headings})
        for row, line in found
    ]


def placebo_summary(rows: Sequence[Row]) -> Row:
    """Summarize the estimates of placebos: n, mean, lowest, highest, and from 40
    placebos the central 95 %.

    Estimates spread more than the placebos' true effects, whose region is
    `causalgia.multiplicity.placebo.placebo_region`. There are no quantiles of fewer placebos:
    with 5, 10 and 20 of them they are .68, .80 and .88 of the true ones.

    Examples
    --------
    >>> placebo_summary([{"ace": -0.5}, {"ace": 1.0}])
    {'n': 2, 'mean': 0.25, 'lowest': -0.5, 'highest': 1.0, 'central': None}
    """
    aces = np.array([row["ace"] for row in rows])
    enough = len(aces) >= ENOUGH_FOR_QUANTILES
    central = tuple(map(float, np.quantile(aces, [0.025, 0.975]))) if enough else None
    summary = {
        "n": len(aces),
        "mean": float(aces.mean()),
        "lowest": float(aces.min()),
        "highest": float(aces.max()),
    }
    return {**summary, "central": central}


def reading_order(effects: xr.Dataset) -> npt.NDArray[np.int64]:
    """Return the flat positions of the rows of ``ace`` in the order in which they are
    read: directions, undecided rows, negligible ones; placebos last.

    Directions and negligible rows are ordered by ``|shrunken - null|``, or
    ``|ace - null|`` where they are not shrunken, the largest first. Undecided rows are
    ordered by the end of their interval that is nearer to leaving no effect,
    ``max(lower - null, null - upper)``, the largest first: a row whose interval nearly
    excludes no effect comes before one that is only noisy. Estimates without verdicts
    are ordered by size.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> effects = from_effects([0.0, 3.0, 0.3, 1.0], se=[0.01, 9.0, 0.12, 0.1])
    >>> reading_order(decide(effects, rope=(-0.1, 0.1))).tolist()
    [3, 2, 1, 0]
    """
    null = float(about(effects, 0.0).null_value)
    dims = effects["ace"].dims
    size = np.abs(of_effects(effects, "ace") - null)
    if "shrunken" in effects:
        shrunken = np.abs(of_effects(effects, "shrunken") - null)
        size = np.where(np.isfinite(shrunken), shrunken, size)
    kind = np.zeros(size.shape)
    if "verdict" in effects:
        verdict = effects["verdict"].transpose(*dims).to_numpy()
        undecided = verdict == "undecided"
        kind = np.select([np.isin(verdict, DIRECTIONS), undecided], [0, 1], 2)
        if {"lower", "upper"} <= {*effects.variables}:
            lower, upper = (of_effects(effects, name) for name in ("lower", "upper"))
            nearer = np.maximum(lower - null, null - upper)
            size = np.where(undecided, nearer, size)
    size = np.where(np.isfinite(size), size, -np.inf)
    by_contrast = (-1, *[1] * (size.ndim - 1))
    placebo = np.broadcast_to(is_placebo(effects).reshape(by_contrast), size.shape)
    helper = np.broadcast_to(_beside(effects).reshape(by_contrast), size.shape)
    keys = (-size, kind, helper, placebo)
    return np.lexsort([key.ravel() for key in keys]).astype(np.int64)


def _beside(effects: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return which contrasts are helpers: not of the question."""
    if "of_question" not in effects.variables:
        return np.zeros(effects.sizes["contrast"], dtype=bool)
    return np.asarray(~effects["of_question"].to_numpy())


def first_of(effects: xr.Dataset, dim: str, most: int) -> npt.NDArray[np.int64]:
    """Return the positions of the first so many contrasts, or tasks, in the order in
    which their rows are read.

    Examples
    --------
    >>> names = {"contrast": ["GATA1"], "task": ["a", "b", "c"]}
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[0.1, -2.0, 1.0]])}, coords=names
    ... )
    >>> first_of(table, "task", 2).tolist()
    [1, 2]
    """
    at = np.unravel_index(reading_order(effects), effects["ace"].shape)
    of_dim = at[effects["ace"].dims.index(dim)]
    _, first = np.unique(of_dim, return_index=True)
    return of_dim[np.sort(first)][:most]


def _table_rows(
    estimates: xr.Dataset,
    truth: xr.DataArray | None = None,
    at: npt.NDArray[np.int64] | None = None,
) -> list[Row]:
    dims = estimates["ace"].dims
    at = np.arange(estimates["ace"].size) if at is None else at
    columns = [
        name
        for name in (*_NUMBER_COLUMNS, *_OF_VERDICTS, *_OF_MATCHED)
        if name in estimates.variables
    ]
    values = {
        name: estimates[name].transpose(*dims).to_numpy().ravel()[at].tolist()
        for name in columns
    }
    names = {dim: [str(x) for x in estimates[dim].to_numpy().tolist()] for dim in dims}
    do = (
        estimates["do"].to_numpy().tolist()
        if "do" in estimates.variables
        else [None] * estimates.sizes["contrast"]
    )
    placebo = is_placebo(estimates)
    if truth is not None and not {"contrast", "task"} <= truth.coords.keys():
        raise DataError(
            f"truth={quoted(truth)} has no coordinates 'contrast' and 'task'; name "
            "its rows as the estimates do",
            argument="truth",
        )
    table = []
    places = np.array(np.unravel_index(at, estimates["ace"].shape)).T.tolist()
    for flat, where in enumerate(places):
        row: Row = {str(dim): names[dim][i] for dim, i in zip(dims, where, strict=True)}
        row |= {"do": do[where[0]], "is_placebo": bool(placebo[where[0]])}
        row |= {name: values[name][flat] for name in columns}
        independent = row.get("n_clusters", row.get("n_units"))
        row |= {} if independent is None else {"n": independent}
        table.append(row if truth is None else row | _truth_columns(row, truth))
    return table


def _truth_columns(row: Row, truth: xr.DataArray) -> Row:
    """Return the truth of a row and z, None where unknown."""
    known = (
        row["contrast"] in truth["contrast"].to_numpy()
        and row["task"] in truth["task"].to_numpy()
    )
    if not known:
        return {"truth": None, "z": None}
    true = truth.sel(contrast=row["contrast"], task=row["task"])
    error = math.hypot(
        row.get("se", 0.0), float(true["mcse"]) if "mcse" in true.coords else 0.0
    )
    return {
        "truth": float(true),
        "z": (row["ace"] - float(true)) / error if error else None,
    }


def _headings(estimates: xr.Dataset) -> dict[str, str]:
    """Return cell -> heading, in the order of the table: size first, p last."""
    kind = "simultaneous interval" if is_simultaneous(estimates) else "interval"
    level = percent(float(about(estimates, 0.95).ci_prob))
    # without intervals, that of the placebos' estimates
    interval = f"{level} {kind}" if "lower" in estimates else "range"
    first = {name: name for name in ("contrast", "task", "model")}
    first |= {"ace": effect_heading(estimates.attrs), "se": "SE", "interval": interval}
    verdict = {
        "verdict": "verdict",
        "p_matched": "p matched",
        "error": error_heading(estimates.attrs),
        "shrunken": "shrunken",
        "alone": "lfsr alone",
        "n_matched": "null variants",
        "n": "n",
    }
    last = {"truth": "truth", "exact": "units"}
    if is_decided(estimates):
        return {**first, **verdict, **last}
    beside = {"shrunken": "shrunken", "lfsr": "lfsr"}
    return {**first, **(beside if has_shrunken(estimates) else {}), **last, "p": "p"}


def _effect_cells(
    row: Row, names: list[str], scientific: bool, *, of_units: bool
) -> dict[str, str]:
    ace, interval = format_effect(row, scientific=scientific)
    line = {
        "contrast": row["contrast"],
        **{name: row[name] for name in names},
        "ace": ace,
        "interval": interval,
    }
    line["se"] = format_se(row["se"], scientific=scientific) if "se" in row else ""
    if row.get("truth") is not None:
        line["truth"] = format_number(
            row["truth"], row.get("se") or abs(row["ace"]) / 100, scientific=scientific
        )
    # units of a population that all answer alike are not certain
    exact = ("exact" if of_units else "alike") if row.get("exact") else ""
    # else the column of p says it
    line["exact"] = exact if row.get("p") != 0 else ""
    if "p" in row:
        line["p"] = format_p(row["p"], exact=exact)
    return line


def _verdict_cells(
    row: Row, attrs: Mapping[Any, Any], scientific: bool, *, shrunken: bool
) -> dict[str, str]:
    """Return the cells of a verdict, which take the place of the standard error."""
    line = {
        "se": "",
        "verdict": verdict_cell(row, attrs),
        "error": error_text(row, attrs),
        "n": f"{row['n']:,}" if "n" in row else "",
    }
    if shrunken:
        line["shrunken"] = _shrunken_cell(row, scientific)
    if not math.isnan(row.get("lfsr_alone", math.nan)):
        line["alone"] = format_p(row["lfsr_alone"])
    if "p_matched" in row:  # an exact effect, ranked among others: it has no interval
        line |= {
            "interval": "",
            "p_matched": format_p(row["p_matched"]),
            "n_matched": f"{row['n_matched']:,}",
        }
    return line


def _shrunken_cell(row: Row, scientific: bool) -> str:
    """Return a hierarchical effect size; a dash for a row that is not shrunken."""
    if math.isnan(row["shrunken"]):
        return "–"
    return shrunken_effect(row, scientific=scientific)[0]


def placebo_groups(table: list[Row], names: list[str]) -> list[list[Row]]:
    """Return the rows of placebos, sorted by task and model."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in table:
        if row["is_placebo"]:
            groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return list(groups.values())


def _placebo_cells(group: list[Row], names: list[str]) -> dict[str, str]:
    found = placebo_summary(group)
    unit = placebo_rounding_unit(found)
    spread = (
        f"{format_number(found['lowest'], unit)} to "
        f"{format_number(found['highest'], unit)}"
    )
    line = {
        "contrast": placebo_count(found["n"]),
        **{name: group[0][name] for name in names},
    }
    return line | {"ace": format_number(found["mean"], unit), "interval": spread}


def placebo_count(n: int) -> str:
    """Return "40 placebos"."""
    return f"{n} placebo{'s' if n != 1 else ''}"


def placebo_rounding_unit(found: Row) -> float:
    """Return the rounding unit of a placebo sample: a quarter of its range, which is
    about its standard deviation.
    """
    return float((found["highest"] - found["lowest"]) / 4 or abs(found["mean"]) / 100)


_HELPERS = "helpers, each by itself:"


def helpers_apart(
    table: list[tuple[Row, dict[str, str]]], effects: xr.Dataset
) -> list[tuple[Row, dict[str, str]]]:
    """Return the lines of a table, helpers last, with one above the first of them.

    Examples
    --------
    >>> effects = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[1.5], [0.1]])},
    ...     {
    ...         "contrast": ["interaction", "pair"],
    ...         "task": ["K562"],
    ...         "of_question": ("contrast", [True, False]),
    ...     },
    ... )
    >>> lines = helpers_apart(cell_rows(effects), effects)
    >>> [row["label"] for row, _ in lines]
    ['interaction', 'helpers, each by itself:', 'pair']
    """
    names = effects["contrast"].to_numpy().astype(str)
    helpers = set(names[_beside(effects)].tolist())
    for i, (row, _) in enumerate(table):
        if not row["summary"] and row.get("members", [row["contrast"]])[0] in helpers:
            above = row | {"contrast": _HELPERS, "label": _HELPERS, "summary": True}
            return [*table[:i], (above, {"contrast": _HELPERS}), *table[i:]]
    return table
