"""Estimates as text: what was estimated, how large it is, how sure one may be; size first, p last.

Everything that prints a number of an effect goes through `rows` and `cells`, and numbers are formatted in
`format_effect` and `format_p` alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.schema import validate

Row: TypeAlias = dict[str, Any]
Rows = Literal["summary", "all"]

_COLUMNS = (
    "ace",
    "se",
    "df",
    "lower",
    "upper",
    "p",
    "p_adjusted",
    "skewness",
    "leverage",
    "exact",
    "n_units",
    "n_clusters",
)
_FEW = 6
_ENOUGH_FOR_QUANTILES = 40


def report(estimates: xr.Dataset, *, rows: Rows = "summary") -> str:
    """Say what was estimated, as text: the estimand, a table of effects, and a sentence for each where they are few.

    An effect here is an effect on the predictor. Fixed placebo words are one line (how many, their mean and range,
    and from 40 words on the central 95 %), for they are a distribution that effects are judged against.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`, with or without `causalgia.adjust`.
    rows
        ``"summary"``, or ``"all"`` for a line for each placebo word.

    Returns
    -------
    str
        Text for a terminal or a notebook, at most as wide as the names need.

    Raises
    ------
    OutcomesError
        If `estimates` is not a Dataset of estimates.

    Examples
    --------
    >>> estimates = xr.Dataset(
    ...     {
    ...         "ace": (("contrast", "task"), [[1.38]]),
    ...         "lower": (("contrast", "task"), [[1.371]]),
    ...         "upper": (("contrast", "task"), [[1.389]]),
    ...     },
    ...     coords={"contrast": ["GATA1"], "task": ["K562"]},
    ...     attrs={
    ...         "contrast_scale": "log counts",
    ...         "control": "placebo",
    ...         "null": "dinucleotide shuffles of 500 sequences",
    ...         "ci_prob": 0.95,
    ...     },
    ... )
    >>> print(report(estimates))
    Effect on the predictor: ACE on log counts, each arm minus placebo, over dinucleotide shuffles of 500 sequences.
    <BLANKLINE>
    contrast    ACE   95 % interval
    GATA1     1.380  [1.371, 1.389]
    <BLANKLINE>
    ACE on log counts, GATA1 minus placebo, over dinucleotide shuffles of 500 sequences: 1.380 [1.371, 1.389].
    """
    validate(estimates, "estimates")
    parts = [estimand(estimates), _aligned(*cells(estimates, rows=rows)), "\n".join(sentences(estimates, rows=rows))]
    return "\n\n".join(part for part in parts if part)


def rows(estimates: xr.Dataset, *, truth: xr.DataArray | None = None) -> list[Row]:
    """Return the estimates as plain rows, one for each contrast and task (and model), for other programs.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`.
    truth
        True ACE ``(contrast, task)`` where it is known, with a Monte-Carlo error ``mcse`` where it is not exact.

    Returns
    -------
    list of dict
        ``contrast``, ``task``, ``model`` where there are several, ``do``, ``placebo_word`` (whether the contrast is
        a fixed placebo word against the control), the numbers that the estimates have, and with `truth` also
        ``truth`` and ``z = (ace - truth) / sqrt(se^2 + mcse^2)``.

    Examples
    --------
    >>> estimates = xr.Dataset({"ace": (("contrast", "task"), [[1.5]])}, coords={"contrast": ["GATA1"], "task": ["K562"]})
    >>> rows(estimates)
    [{'contrast': 'GATA1', 'task': 'K562', 'do': None, 'placebo_word': False, 'ace': 1.5}]
    """
    validate(estimates, "estimates")
    return _table_rows(estimates, truth)


def cells(
    estimates: xr.Dataset, *, rows: Rows = "summary", truth: xr.DataArray | None = None
) -> tuple[list[str], list[list[str]]]:
    """Return the table of a report: its header, and its lines of formatted cells.

    Parameters
    ----------
    estimates
        From `causalgia.estimate`.
    rows
        ``"summary"`` gathers fixed placebo words in one line for each task, ``"all"`` shows each.
    truth
        As in `rows`: adds the columns ``truth`` and ``z``.

    Examples
    --------
    >>> estimates = xr.Dataset({"ace": (("contrast", "task"), [[1.5]])}, coords={"contrast": ["GATA1"], "task": ["K562"]})
    >>> cells(estimates)
    (['contrast', 'ACE'], [['GATA1', '1.500']])
    """
    lines = _lines(estimates, _table_rows(estimates, truth), rows)
    header = [name for name in _headings(estimates).values() if any(line.get(name) for line in lines)]
    return header, [[line.get(name, "") for name in header] for line in lines]


def placebo_summary(rows: Sequence[Row]) -> Row:
    """Return what a sample of placebo words says: n, mean, lowest, highest, and the central 95 % from 40 words on.

    Fewer words give no quantile: with 5, 10 and 20 of them it is .68, .80 and .88 of the true one.

    Examples
    --------
    >>> placebo_summary([{"ace": -0.5}, {"ace": 1.0}])
    {'n': 2, 'mean': 0.25, 'lowest': -0.5, 'highest': 1.0, 'central': None}
    """
    aces = np.array([row["ace"] for row in rows])
    enough = len(aces) >= _ENOUGH_FOR_QUANTILES
    central = tuple(map(float, np.quantile(aces, [0.025, 0.975]))) if enough else None
    summary = {"n": len(aces), "mean": float(aces.mean()), "lowest": float(aces.min()), "highest": float(aces.max())}
    return {**summary, "central": central}


def estimand(estimates: xr.Dataset) -> str:
    """Return what was estimated in words: scale, contrast, population, target, units and clusters, method.

    Examples
    --------
    >>> estimates = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[1.5]])},
    ...     coords={"contrast": ["GATA1"], "task": ["K562"], "do": ("contrast", ["do(x[5:9] = GATA) − do()"])},
    ...     attrs={"scale": "log counts", "target": "units"},
    ... )
    >>> print(estimand(estimates))
    Effect on the predictor: ACE on log counts, do(x[5:9] = GATA) − do(), for exactly these units.
    """
    attrs = estimates.attrs
    first = f"Effect on the predictor: ACE on {_scale(attrs)}, {_question(estimates)}{_population(attrs)}."
    second = [_counts(estimates), attrs.get("assignment"), attrs.get("method")]
    said = "; ".join(str(part) for part in second if part)
    sentences = [first, f"{said[0].upper()}{said[1:]}." if said else "", _in_do_notation(_table_rows(estimates))]
    return "\n".join(part for part in sentences if part)


def sentences(estimates: xr.Dataset, *, rows: Rows = "summary") -> list[str]:
    """Return a sentence for each effect where there are at most six, and one for the placebo words of each task."""
    table = _table_rows(estimates)
    names = [name for name in ("task", "model") if estimates.sizes.get(name, 1) > 1]
    effects = [row for row in table if rows == "all" or not row["placebo_word"]]
    said = [sentence(estimates, row) for row in effects] if len(effects) <= _FEW else []
    return said + ([] if rows == "all" else [_summary_sentence(g, names) for g in _placebo_groups(table, names)])


def sentence(estimates: xr.Dataset, row: Row) -> str:
    """Return one row of `rows` as a sentence that can stand alone."""
    attrs = estimates.attrs
    where = "".join(f" in {row[name]}" for name in ("task", "model") if estimates.sizes.get(name, 1) > 1)
    control = f" minus {_quoted(attrs['control'])}" if attrs.get("control") else ""
    ace, interval = format_effect(row)
    size = f"{ace} {interval}" if interval else f"{ace}, without a standard error"
    exact = " (exact: no unit differs)" if row.get("exact") else ""
    return f"ACE on {_scale(attrs)}{where}, {_quoted(row['contrast'])}{control}{_population(attrs)}: {size}{exact}."


def format_effect(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return an effect and its interval as text, rounded by the interval's half-width.

    Examples
    --------
    >>> format_effect({"ace": 1.3812, "lower": 1.29, "upper": 1.472})
    ('1.38', '[1.29, 1.47]')
    >>> format_effect({"ace": 0.25})
    ('0.250', '')
    """
    lower, upper = row.get("lower"), row.get("upper")
    if lower is None or upper is None:
        return format_number(row["ace"], abs(row["ace"]) / 50), ""
    unit = (upper - lower) / 2 or abs(row["ace"]) / 50
    ace, low, high = (format_number(value, unit) for value in (row["ace"], lower, upper))
    return ace, f"[{low}, {high}]"


def format_number(value: float, unit: float) -> str:
    """Return a number rounded by `unit`, its uncertainty: to two digits of it, or one where that begins above 3.5.

    Examples
    --------
    >>> format_number(1.38123, 0.031), format_number(-0.0001, 0.5), format_number(1.5e-9, 2e-10)
    ('1.381', '0.0', '1.50e-09')
    """
    if not unit > 0 or not math.isfinite(unit):
        return f"{value:.4g}"
    decimals = math.ceil(math.log10(3.55 / unit))
    if decimals > 6 or abs(value) >= 1e7:
        digits = decimals + (math.floor(math.log10(abs(value))) if value else 0)
        return f"{value:.{min(max(digits, 0), 16)}e}"
    return f"{round(value, decimals) + 0.0:.{max(decimals, 0)}f}"


def format_p(p: float, *, exact: bool = False) -> str:
    """Return a p-value: three decimals, two significant digits below 0.001; 0 only where nothing varies.

    Examples
    --------
    >>> format_p(0.0312), format_p(3.2e-41), format_p(0.0), format_p(0.0, exact=True)
    ('0.031', '3.2e-41', '<1e-300', '0')
    """
    if p < 1e-300:
        return "0" if exact and p == 0 else "<1e-300"
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"


def _table_rows(estimates: xr.Dataset, truth: xr.DataArray | None = None) -> list[Row]:
    dims = estimates["ace"].dims
    columns = [name for name in _COLUMNS if name in estimates.variables]
    values = {name: estimates[name].transpose(*dims).to_numpy().ravel().tolist() for name in columns}
    names = {dim: [str(x) for x in _labels(estimates, str(dim))] for dim in dims}
    do = estimates["do"].to_numpy().tolist() if "do" in estimates.variables else [None] * estimates.sizes["contrast"]
    placebo = placebo_words(estimates)
    table = []
    for flat, where in enumerate(np.ndindex(*estimates["ace"].shape)):
        row: Row = {str(dim): names[dim][i] for dim, i in zip(dims, where, strict=True)}
        row |= {"do": do[where[0]], "placebo_word": bool(placebo[where[0]])}
        row |= {name: values[name][flat] for name in columns}
        table.append(row if truth is None else row | _against(row, truth))
    return table


def placebo_words(estimates: xr.Dataset) -> NDArray[np.bool_]:
    """Return whether each contrast is a fixed placebo word against the control, (contrast,).

    Known from ``weight (contrast, arm)`` and ``kind (arm)``; without them no contrast is.
    """
    none = np.zeros(estimates.sizes["contrast"], dtype=bool)
    if "weight" not in estimates or "kind" not in estimates.variables or not estimates.attrs.get("control"):
        return none
    weight = estimates["weight"].transpose("contrast", "arm").to_numpy()
    word = estimates["kind"].to_numpy() == "placebo_word"
    return np.asarray((weight[:, word] > 0).any(axis=1))


def _labels(estimates: xr.Dataset, dim: str) -> Sequence[Any]:
    return estimates[dim].to_numpy().tolist() if dim in estimates.coords else range(estimates.sizes[dim])


def _against(row: Row, truth: xr.DataArray) -> Row:
    """The truth of a row and z, each None where it is not known."""
    known = row["contrast"] in truth["contrast"].to_numpy() and row["task"] in truth["task"].to_numpy()
    if not known:
        return {"truth": None, "z": None}
    true = truth.sel(contrast=row["contrast"], task=row["task"])
    error = math.hypot(row.get("se", 0.0), float(true["mcse"]) if "mcse" in true.coords else 0.0)
    return {"truth": float(true), "z": (row["ace"] - float(true)) / error if error else None}


def _headings(estimates: xr.Dataset) -> dict[str, str]:
    """Cell -> its heading, in the order of the table: size first, p last."""
    percent = f"{100 * float(estimates.attrs.get('ci_prob', 0.95)):g} %"
    method = f"p ({estimates.attrs['adjust']})" if "adjust" in estimates.attrs else "p adjusted"
    words = {name: name for name in ("contrast", "task", "model", "truth", "z", "exact", "p")}
    first = {"contrast": "contrast", "task": "task", "model": "model", "ace": "ACE", "interval": f"{percent} interval"}
    return {**first, **words, "p_adjusted": method}


def _lines(estimates: xr.Dataset, table: list[Row], rows: Rows) -> list[dict[str, str]]:
    names = [name for name in ("task", "model") if estimates.sizes.get(name, 1) > 1]
    headings = _headings(estimates)
    shown = [_line(row, names) for row in table if rows == "all" or not row["placebo_word"]]
    summaries = [] if rows == "all" else [_summary_line(group, names) for group in _placebo_groups(table, names)]
    return [{headings[key]: text for key, text in line.items()} for line in shown + summaries]


def _line(row: Row, names: list[str]) -> dict[str, str]:
    ace, interval = format_effect(row)
    line = {"contrast": row["contrast"], **{name: row[name] for name in names}, "ace": ace, "interval": interval}
    if row.get("truth") is not None:
        line["truth"] = format_number(row["truth"], _unit(row))
        line["z"] = "" if row["z"] is None else f"{row['z']:+.1f}"
    line["exact"] = "exact" if row.get("exact") else ""
    exact = bool(row.get("exact"))
    return line | {name: format_p(row[name], exact=exact) for name in ("p", "p_adjusted") if name in row}


def _placebo_groups(table: list[Row], names: list[str]) -> list[list[Row]]:
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in table:
        if row["placebo_word"]:
            groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return list(groups.values())


def _summary_line(group: list[Row], names: list[str]) -> dict[str, str]:
    found = placebo_summary(group)
    unit = _spread(found)
    spread = f"{format_number(found['lowest'], unit)} to {format_number(found['highest'], unit)}"
    line = {"contrast": _words(found["n"]), **{name: group[0][name] for name in names}}
    return line | {"ace": format_number(found["mean"], unit), "interval": spread}


def _summary_sentence(group: list[Row], names: list[str]) -> str:
    found = placebo_summary(group)
    mean, low, high = (format_number(found[key], _spread(found)) for key in ("mean", "lowest", "highest"))
    where = "".join(f" in {group[0][name]}" for name in names)
    said = f"{_words(found['n'])}{where}: mean {mean}, from {low} to {high}"
    if found["central"] is None:
        return f"{said} (too few for quantiles; {_ENOUGH_FOR_QUANTILES} set a scale)."
    low, high = (format_number(limit, _spread(found)) for limit in found["central"])
    return f"{said}, the central 95 % from {low} to {high}."


def _words(n: int) -> str:
    return f"{n} placebo word{'s' if n != 1 else ''}"


def _spread(found: Row) -> float:
    """What the numbers of a placebo sample are rounded by: a twentieth of its range."""
    return float(found["highest"] - found["lowest"]) / 20 or abs(found["mean"]) / 50


def _unit(row: Row) -> float:
    return (row["upper"] - row["lower"]) / 2 if row.get("upper") is not None else abs(row["ace"]) / 50


def _aligned(header: list[str], lines: list[list[str]]) -> str:
    """Return a table as text: the first columns to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    left = {"contrast", "task", "model"}
    return "\n".join(
        "  ".join(
            c.ljust(w) if h in left else c.rjust(w) for h, c, w in zip(header, line, widths, strict=True)
        ).rstrip()
        for line in [header, *lines]
    )


def _scale(attrs: Mapping[Any, Any]) -> str:
    return str(attrs.get("contrast_scale") or attrs.get("scale") or "the outcome")


def _question(estimates: xr.Dataset) -> str:
    if estimates.sizes["contrast"] == 1 and "do" in estimates.variables:
        return str(estimates["do"].to_numpy()[0])
    if estimates.attrs.get("control"):
        return f"each arm minus {_quoted(estimates.attrs['control'])}"
    return str(estimates.attrs.get("estimand", "the weighted sum of arms that each contrast names"))


def _quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name


def _in_do_notation(table: list[Row]) -> str:
    """What is compared in each contrast, where they are few and no placebo words."""
    do = {row["contrast"]: row["do"] for row in table if row["do"] and not row["placebo_word"]}
    return "\n".join(f"{name}: {text}" for name, text in do.items()) if 1 < len(do) <= _FEW else ""


def _population(attrs: Mapping[Any, Any]) -> str:
    null = attrs.get("null", "the population that the units were drawn from")
    return {
        "parents": f", over new draws from these parents ({null})",
        "units": ", for exactly these units",
        "population x predictors": f", over {null} and retrainings of the predictor",
    }.get(str(attrs.get("target")), f", over {null}")


def _counts(estimates: xr.Dataset) -> str | None:
    if "n_units" not in estimates:
        return None
    said = f"{_range(estimates['n_units'].to_numpy())} units"
    cluster = estimates.attrs.get("cluster")
    if "n_clusters" in estimates and cluster not in (None, "", "unit"):
        said += f" in {_range(estimates['n_clusters'].to_numpy())} clusters ({cluster})"
    return said


def _range(counts: NDArray[np.int64]) -> str:
    low, high = int(counts.min()), int(counts.max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
