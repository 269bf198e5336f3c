"""The verb `table`: effects as a table to print, in Markdown, LaTeX, HTML, CSV or as a great_tables object."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import pandas as pd
import xarray as xr

from causalgia.errors import MissingExtraError, OutcomesError, quoted
from causalgia.paper._tidy import tidy
from causalgia.reporting._trial_report import table_parts
from causalgia.reporting.effect_rows import Rows
from causalgia.reporting.table_formats import NAMES, html_table, latex_table, markdown_table, with_minus
from causalgia.spreadsheet import to_csv

if TYPE_CHECKING:
    from causalgia.experiments import Answer

Format = Literal["markdown", "latex", "html", "csv", "great_tables"]


def table(
    x: xr.Dataset | Answer, *, to: Format = "markdown", rows: Rows = "summary", task: str | Sequence[str] | None = None
) -> Any:
    r"""Return effects as a table to print: the one of `causalgia.report`, with its estimand and notes.

    Effects are rounded to the second digit of their standard error, p below 1e-4 is "<1e-4", and fixed placebo words
    are one line. Every name is escaped for the format.

    Parameters
    ----------
    x
        Estimates, decisions, the fit of an MPRA, or the `~causalgia.experiments.Answer` of an experiment.
    to
        ``"markdown"``, ``"html"`` and ``"latex"`` (``tabular`` with the rules of the package booktabs, in a ``table``
        with a caption) are text; ``"csv"`` is that of `causalgia.tidy`, with every digit; ``"great_tables"`` is a
        ``great_tables.GT`` to be styled further (the extra ``tables``).
    rows
        ``"summary"``, or ``"all"`` for a row for each placebo word, and for each of more than 30 tasks (else the 20
        with the largest effects, which a note says).
    task
        Tasks to show: a name, a pattern such as ``"DNASE:*"``, or several. None: all.

    Returns
    -------
    str or great_tables.GT

    Raises
    ------
    OutcomesError
        If there are no effects in it, or the format is unknown.
    ContrastError
        If there is no such task.
    MissingExtraError
        If great_tables is not installed.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> estimates = from_effects([1.38, -0.51], se=[0.02, 0.02], names=["GATA1", "TAL1_a"])
    >>> print(table(decide(estimates, rope=(-0.1, 0.1))))
    | contrast | ACE | 95 % interval | verdict | q (bh) |
    | :-- | --: | --: | :-- | --: |
    | GATA1 | 1.380 | [1.341, 1.419] | increases | <1e-4 |
    | TAL1\_a | −0.510 | [−0.549, −0.471] | decreases | <1e-4 |
    <BLANKLINE>
    Effects and standard errors as given.
    ...
    """
    if to not in get_args(Format):
        raise OutcomesError(f"to={quoted(to)} is none of {', '.join(map(quoted, get_args(Format)))}")
    if rows not in get_args(Rows):
        raise OutcomesError(f"rows={quoted(rows)} is neither 'summary' nor 'all'")
    effects: Any = x if isinstance(x, xr.Dataset) else getattr(x, "decisions", x)
    if to == "csv":
        return to_csv(tidy(effects, task=task), index=False)
    return _WRITERS[to](*table_parts(effects, rows=rows, task=task))


_Writer = Callable[[list[str], list[list[str]], list[str]], Any]


def _great_tables(header: list[str], lines: list[list[str]], notes: list[str]) -> Any:
    try:
        from great_tables import GT
        from great_tables import html as as_html
    except ImportError as missing:
        raise MissingExtraError("to='great_tables' needs great_tables: pip install 'causalgia[tables]'") from missing
    shown = [[with_minus(c) if n not in NAMES else c for n, c in zip(header, line, strict=True)] for line in lines]
    made = GT(pd.DataFrame(shown, columns=header)).cols_align("right", [n for n in header if n not in NAMES])
    for note in notes:
        made = made.tab_source_note(as_html(html.escape(note)))
    return made


_WRITERS: dict[str, _Writer] = {
    "markdown": markdown_table,
    "html": html_table,
    "latex": latex_table,
    "great_tables": _great_tables,
}
