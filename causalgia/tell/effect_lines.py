"""Lines of a table of effects: the cells of a row, one line for the placebos of a task,
and tasks beside each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.attributes import about
from causalgia.choices import Rows
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.inputs import format_p
from causalgia.tell._trial_report import in_one_line
from causalgia.tell.effect_rows import (
    Row,
    axis_of,
    placebo_count,
    placebo_rounding_unit,
    placebo_summary,
    reading_order,
    rows_of,
    setting_order,
)
from causalgia.tell.table_formats import (
    format_effect,
    format_number,
    format_se,
    is_large,
    percent,
    shrunken_effect,
)
from causalgia.tell.text_tables import Table
from causalgia.tell.verdict_sentences import (
    effect_heading,
    error_heading,
    error_text,
    has_shrunken,
    is_decided,
    is_simultaneous,
    verdict_word,
)

ROWS_OF_ANSWER = 20
# of an answer whose sentence says the shape
FEW_ROWS = 4
_SHAPED = ("place", "gap", "copies", "gc_percent", "letter")
_LEAST_OF_TASK = 8
_MOST_BESIDE = 100
"""Columns of a terminal that a task takes beside others, at least."""
_FEW_PLACES = 2
_HELPERS = "helpers, each by itself:"
_NOT_BESIDE = ("contrast", "task", "n")


class Line(NamedTuple):
    """A line of a table: its rows (several of which only the range is shown; none under
    a heading of its own), and heading -> cell.
    """

    label: str
    rows: tuple[Row, ...]
    cells: dict[str, str]


class Columns:
    """What all rows of a table share: the headings, and how cells are written."""

    def __init__(self, effects: xr.Dataset, rows: Sequence[Row]) -> None:
        attrs = self.attrs = effects.attrs
        self.effect = effect_heading(attrs)
        kind = "simultaneous interval" if is_simultaneous(effects) else "interval"
        level = percent(float(about(attrs, 0.95).ci_prob))
        # without intervals, that of the placebos' estimates
        self.interval = f"{level} {kind}" if "lower" in effects else "range"
        self.error = error_heading(attrs)
        self.several = [x for x in ("task", "model") if effects.sizes.get(x, 1) > 1]
        self.decided = is_decided(effects)
        self.shrunken = has_shrunken(effects)
        self.of_units = about(attrs, None).target == "units"
        self.scientific = any(map(is_large, rows))

    def headings(self, lines: Sequence[Line], but: Sequence[str] = ()) -> list[str]:
        """Return the headings of columns with anything in them, in the order of cells."""
        names = dict.fromkeys(
            name for line in sorted(lines, key=_few_cells) for name in line.cells
        )
        return [
            name
            for name in names
            if name not in but
            and any(line.cells.get(name, "") not in ("", "–") for line in lines)
        ]

    def line(self, row: Row) -> Line:
        """Return the line of one row: its cells in the order of the table, size first."""
        how = {"scientific": self.scientific}
        ace, interval = format_effect(row, **how)
        ranked = row.p_matched is not None  # no interval, nor has what is known
        exact = ("exact" if self.of_units else "alike") if row.exact else ""
        error = error_text(row, self.attrs) if self.decided else ""
        said = exact if row.p == 0 else error
        cells: dict[str, str] = {x: row[x] for x in ("contrast", *self.several)}
        cells |= {
            self.effect: ace,
            "SE": ""
            if row.se is None or self.decided or self.shrunken
            else format_se(row.se, **how),
            self.interval: "" if ranked or (exact and self.of_units) else interval,
            "verdict": verdict_word(row, self.attrs) if self.decided else "",
            "p matched": _p(row.p_matched),
            self.error: error,
            "shrunken": self._shrunken(row),
            "lfsr alone": _p(row.lfsr_alone),
            "lfsr": "" if self.decided else _p(row.lfsr),
            "null variants": f"{row.n_matched:,}" if ranked else "",
            "n": f"{row.n:,}" if self.decided and row.n is not None else "",
            "truth": ""
            if row.truth is None
            else format_number(row.truth, row.se or abs(row.ace) / 100, **how),
            "units": ("exact" if self.of_units else "same effect")
            if exact and said != exact
            else "",
        }
        if not self.decided:
            cells["p"] = "" if row.p is None else format_p(row.p, exact=exact)
        return Line(row.contrast, (row,), cells)

    def _shrunken(self, row: Row) -> str:
        """Return a hierarchical effect size; a dash for a row that is not shrunken."""
        if not self.shrunken:
            return ""
        if math.isnan(row["shrunken"]):
            return "–"
        return shrunken_effect(row, scientific=self.scientific)[0]

    def range(self, label: str, rows: Sequence[Row]) -> Line:
        """Return one line for several rows: the range of their estimates."""
        found = placebo_summary(rows)
        unit = placebo_rounding_unit(found)
        low, high = (format_number(found[end], unit) for end in ("lowest", "highest"))
        cells = {name: rows[0][name] for name in self.several} | {"contrast": label}
        cells[self.interval] = f"{low} to {high}"
        verdicts = {
            verdict_word(row, self.attrs) if row.get("verdict") else "" for row in rows
        }
        if len(verdicts) == 1 and not rows[0].is_placebo:
            cells["verdict"] = verdicts.pop()
        return Line(label, tuple(rows), cells)


def _p(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else format_p(value)


def _few_cells(line: Line) -> int:
    return -len(line.cells)


def effect_lines(
    effects: xr.Dataset,
    at: npt.NDArray[np.int64],
    *,
    rows: Rows = "summary",
    truth: xr.DataArray | None = None,
    helpers_apart: bool = True,
) -> tuple[list[Line], Columns]:
    """Return the lines of rows at flat positions, and their columns; of a summary one
    line for the placebos of a task, the last, and one for a site alone at more than two
    places.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> estimates = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["GATA1"], "task": ["K562"]}
    ... )
    >>> effect_lines(estimates, np.array([0]))[0][0].cells["ACE"]
    '1.500'
    """
    table = rows_of(effects, truth=truth, at=at)
    each = [row for row in table if rows == "all" or not row.is_placebo]
    of = Columns(effects, each)
    heading = Line(_HELPERS, (), {"contrast": _HELPERS})
    groups: dict[object, list[Row]] = {}
    for i, row in enumerate(table):
        shared = rows != "all" and (row.is_placebo or row.site)
        key = (row.is_placebo, row.site, row.task, row.model) if shared else i
        groups.setdefault(key, []).append(row)
    lines: list[Line] = []
    for group in groups.values():
        first, n = group[0], len(group)
        if first.is_placebo and rows != "all":
            lines.append(of.range(placebo_count(n), group))
            continue
        if first.is_helper and helpers_apart and heading not in lines:
            lines.append(heading)
        if n > _FEW_PLACES:
            lines.append(of.range(f"{first.site} alone, {n} places", group))
        else:
            lines += map(of.line, group)
    return lines, of


def chosen_lines(
    effects: xr.Dataset,
    *,
    rows: Rows,
    order: str,
    truth: xr.DataArray | None,
    width: float,
    most: int = ROWS_OF_ANSWER,
) -> tuple[list[Line], Columns, Table | None]:
    """Return the lines of an answer, their columns, and the table with the tasks beside
    each other: the first contrasts, `most` of them, where tasks have room there, else the
    first rows over all tasks; of settings that have an order four at most.
    """
    at = np.arange(effects["ace"].size)
    at = reading_order(effects) if order == "size" else at
    dims = effects["ace"].dims
    contrast = np.unravel_index(at, effects["ace"].shape)[dims.index("contrast")]
    placebo = is_placebo(effects)[contrast] & (rows != "all")
    asked, placebos, contrast = at[~placebo], at[placebo], contrast[~placebo]
    most = min(most, FEW_ROWS) if axis_of(effects) in _SHAPED else most
    most = len(asked) if rows == "all" else most

    def first(beside: bool) -> tuple[list[Line], Columns]:
        some = asked[:most]
        if beside:
            named, where = np.unique(contrast, return_index=True)
            some = asked[np.isin(contrast, named[np.argsort(where)][:most])]
        some = setting_order(effects, some) if order == "size" else some
        if "site" in effects.coords:  # several rows to a line
            some = np.concatenate([some, asked[~np.isin(asked, some)]])
        if beside or effects.sizes["task"] == 1:
            some = np.concatenate([some, placebos])
        lines, of = effect_lines(
            effects, some, rows=rows, truth=truth, helpers_apart=order == "size"
        )
        return lines if rows == "all" else _first_lines(lines, most, beside), of

    n_tasks = effects.sizes["task"]
    beside = None
    room = max(width // _LEAST_OF_TASK, min(most, _MOST_BESIDE))
    if 1 < n_tasks <= room and "model" not in dims:
        lines, of = first(beside=True)
        beside = tasks_beside(
            lines, of, effects["task"].to_numpy().astype(str).tolist()
        )
        if beside.beside(width, whole=False) is not None:
            return lines, of, beside
        if len(asked) > most:
            beside = None
    return *first(beside=False), beside


def _first_lines(lines: Sequence[Line], most: int, beside: bool) -> list[Line]:
    """Return the first so many lines (labels, of tasks beside each other), the range of
    placebos, and the headings of any of them.
    """
    keys = [line.label if beside else str(i) for i, line in enumerate(lines)]
    counted = [line.rows != () and not line.rows[0].is_placebo for line in lines]
    kept = {key: None for key, own in zip(keys, counted, strict=True) if own}
    shown = {*list(kept)[:most]}
    return [
        line
        for i, (line, key, own) in enumerate(zip(lines, keys, counted, strict=True))
        if key in shown or (not own and (line.rows or keys[i + 1 : i + 2][0] in shown))
    ]


def tasks_beside(lines: Sequence[Line], of: Columns, tasks: list[str]) -> Table:
    """Return a table with a line for each contrast, and the columns of each task."""
    header = of.headings(lines)
    both = f"{of.effect} [{of.interval}]" if of.interval in header else of.effect
    said = (*_NOT_BESIDE, of.effect, of.interval)
    columns = [both, *(name for name in header if name not in said)]
    cells_of: dict[str, dict[str, dict[str, str]]] = {}
    for label, rows, cells in lines:
        ends = (cells.get(name, "") for name in (of.effect, of.interval))
        own = cells | {both: " ".join(end for end in ends if end)}
        of_task = cells_of.setdefault(label, {})
        of_task |= {rows[0].task: own} if rows else {}
    return Table(
        header=["contrast", *columns * len(tasks)],
        lines=[
            [
                in_one_line(label),
                *(by.get(task, {}).get(name, "") for task in tasks for name in columns),
            ]
            for label, by in cells_of.items()
        ],
        tasks=[in_one_line(task) for task in tasks],
    )


def long_table(lines: Sequence[Line], of: Columns, but: Sequence[str] = ()) -> Table:
    """Return a table with a line for each of these, without columns that the foot
    says.
    """
    header = of.headings(lines, but)
    cells = [[in_one_line(line.cells.get(x, "")) for x in header] for line in lines]
    return Table(header=header, lines=cells)
