"""The verb `table`: effects as a table to print, in Markdown, LaTeX, HTML, CSV or as a great_tables object."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import pandas as pd
import xarray as xr

from causalgia.effect_table import select_tasks
from causalgia.errors import MissingExtraError, OutcomesError, printable, quoted
from causalgia.paper._tidy import tidy
from causalgia.reporting._trial_report import estimand, shape_lines
from causalgia.reporting.effect_rows import Rows, as_reportable, cells, largest_tasks, left_out_tasks
from causalgia.spreadsheet import to_csv

if TYPE_CHECKING:
    from causalgia.experiments import Answer

Format = Literal["markdown", "latex", "html", "csv", "great_tables"]
_NAMES = {"contrast", "task", "model", "verdict", "exact"}
_MINUS = re.compile(r"(?<![\w.])-(?=[\d.]|inf)")
_MARKS = re.compile(r"([\\`*_{}\[\]<>|~#])")
_LATEX = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "−": "$-$", "×": r"$\times$", "±": r"$\pm$"},
}


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
    if isinstance(decisions := getattr(x, "decisions", None), xr.Dataset):  # of an answer
        x = decisions
    if to == "csv":
        return to_csv(tidy(x, task=task), index=False)
    effects = select_tasks(as_reportable(x), task, place="table: ")
    shown = effects if rows == "all" else largest_tasks(effects)
    header, lines = cells(shown, rows=rows)
    left_out = left_out_tasks(effects, shown, 'rows="all"', 'task="..."')
    notes = [line for text in (estimand(effects), left_out, *shape_lines(effects)) for line in text.split("\n") if line]
    plain = [[printable(cell) for cell in line] for line in lines]
    return _WRITERS[to](list(map(printable, header)), plain, list(map(printable, notes)))


_Writer = Callable[[list[str], list[list[str]], list[str]], Any]


def _markdown(header: list[str], lines: list[list[str]], notes: list[str]) -> str:
    rule = [":--" if name in _NAMES else "--:" for name in header]
    body = [[_marked(cell, name) for name, cell in zip(header, line, strict=True)] for line in lines]
    table = [f"| {' | '.join(row)} |" for row in [[_marked(name, "contrast") for name in header], rule, *body]]
    return "\n".join([*table, "", *(f"{_MARKS.sub(_escape, note)}  " for note in notes)]).rstrip() + "\n"


def _escape(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def _marked(cell: str, column: str) -> str:
    """Return a cell for Markdown: names escaped, numbers with the sign for minus."""
    return _MARKS.sub(_escape, cell) if column in _NAMES else _MINUS.sub("−", cell)


def _html(header: list[str], lines: list[list[str]], notes: list[str]) -> str:
    def row(cells: list[str], tag: str) -> str:
        texts = [_MINUS.sub("−", c) if name not in _NAMES else c for name, c in zip(header, cells, strict=True)]
        sides = ["" if name in _NAMES else ' style="text-align: right"' for name in header]
        scope = ' scope="col"' if tag == "th" else ""
        inside = zip(texts, sides, strict=True)
        return "<tr>" + "".join(f"<{tag}{scope}{side}>{html.escape(text)}</{tag}>" for text, side in inside) + "</tr>"

    caption = "<br>\n".join(map(html.escape, notes))
    body = "\n".join(row(line, "td") for line in lines)
    return (
        f"<table>\n<caption>{caption}</caption>\n<thead>\n{row(header, 'th')}\n</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n"
    )


def _latex(header: list[str], lines: list[list[str]], notes: list[str]) -> str:
    columns = "".join("l" if name in _NAMES else "r" for name in header)
    rows = [
        " & ".join(
            _tex(cell if name in _NAMES else _MINUS.sub("−", cell)) for name, cell in zip(header, line, strict=True)
        )
        for line in lines
    ]
    caption = " ".join(map(_tex, notes))
    head = " & ".join(map(_tex, header))
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{caption}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *(rf"{row} \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _tex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _great_tables(header: list[str], lines: list[list[str]], notes: list[str]) -> Any:
    try:
        from great_tables import GT
        from great_tables import html as as_html
    except ImportError as missing:
        raise MissingExtraError("to='great_tables' needs great_tables: pip install 'causalgia[tables]'") from missing
    shown = [
        [_MINUS.sub("−", c) if n not in _NAMES else c for n, c in zip(header, line, strict=True)] for line in lines
    ]
    made = GT(pd.DataFrame(shown, columns=header)).cols_align("right", [n for n in header if n not in _NAMES])
    for note in notes:
        made = made.tab_source_note(as_html(html.escape(note)))
    return made


_WRITERS: dict[str, _Writer] = {"markdown": _markdown, "html": _html, "latex": _latex, "great_tables": _great_tables}
