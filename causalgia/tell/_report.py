"""The verb `report`: a result as text, Markdown, HTML, LaTeX, a page, or methods."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, get_args, overload

import xarray as xr

from causalgia.choices import Rows
from causalgia.errors import CausalgiaError, DataError, quoted
from causalgia.notes import ReportText
from causalgia.numerics.float_errors import usual_errors
from causalgia.tell._methods import Methods, methods_text
from causalgia.tell.answer_kinds import Asked, is_audit, told

Printed = Literal["text", "md", "html", "latex"]
Shape = Literal["text", "md", "html", "latex", "page", "methods"]
_TOLD_AS = {"text": "text", "md": "markdown", "html": "html", "latex": "latex"}
"""Rendering -> method of an answer."""
_PAPER = {
    "rows": ("text", "md", "html", "latex"),
    "order": ("text", "md", "html", "latex"),
    "arms": ("text", "md", "html", "latex"),
    "sentences": ("text", "md", "html", "latex"),
    "notes": ("text", "md", "html", "latex"),
    "path": ("page",),
    "outcomes": ("page",),
    "refutations": ("page", "methods"),
}
"""Argument -> renderings that it serves."""


@overload
def report(
    x: Any,
    *,
    as_: Printed = "text",
    rows: Rows = "summary",
    task: str | Sequence[str] | None = None,
    order: Literal["size", "file"] = "size",
    arms: bool = False,
    sentences: bool = False,
    notes: bool = False,
) -> ReportText: ...


@overload
def report(
    x: Any,
    *,
    as_: Literal["methods"],
    task: str | Sequence[str] | None = None,
    refutations: xr.Dataset | None = None,
) -> Methods: ...


@overload
def report(
    x: Any,
    *,
    as_: Literal["page"] = "page",
    task: str | Sequence[str] | None = None,
    path: str | PathLike[str],
    outcomes: xr.Dataset | None = None,
    refutations: xr.Dataset | None = None,
) -> Path: ...


@usual_errors
def report(
    x: Any,
    *,
    as_: Shape = "text",
    rows: Rows = "summary",
    task: str | Sequence[str] | None = None,
    order: Literal["size", "file"] = "size",
    arms: bool = False,
    sentences: bool = False,
    notes: bool = False,
    path: str | PathLike[str] | None = None,
    outcomes: xr.Dataset | None = None,
    refutations: xr.Dataset | None = None,
) -> ReportText | Path:
    r"""Say what a result is: as text, in a paper's formats, as a page, or as the methods
    of a paper.

    Estimates and decisions have the answer in one to three sentences, a table of
    effects (directions first, the largest on top, then undecided, then negligible
    ones; fixed placebos in one line), and at most three lines under it. Everything
    else that has something to say is told in the same shape.

    Parameters
    ----------
    x
        A result: outcomes, effects, estimates, decisions, curves, tipping points,
        a posterior, checks of a claim, a plan of `causalgia.planning`, the
        `~causalgia.experiments.Answer` of an experiment, what `causalgia.audit`,
        `causalgia.account`,
        `causalgia.check` and `causalgia.Protocol` return, the Datasets of
        `causalgia.mpra`, or effects of another program as `causalgia.from_effects`
        takes them.
    as_
        ``"text"``; ``"md"``, ``"html"`` and ``"latex"`` (with the package booktabs),
        with every name escaped; ``"page"``, one self-contained HTML file;
        ``"methods"``, the paragraph of a paper's methods, what it assumes, the works to
        cite, and the checklist of what to report.
    rows
        ``"summary"``: at most 20 contrasts, and one line for the placebos; ``"all"``:
        every row.
    task
        Names or patterns of tasks, one or several, such as ``"DNASE:*"``; None: all.
    order
        ``"size"``, or ``"file"``: rows as they stand in the Dataset.
    arms, sentences, notes
        Whether to add the definition of each arm, a sentence for each effect, and the
        notes on method and data.
    path
        The file of a page; with a path, ``as_="page"`` may be left out.
    outcomes
        For a page of effects: the outcomes of the trial, whose distributions are drawn.
    refutations
        For a page and for methods: the checks of the claim, from `causalgia.refute`.

    Returns
    -------
    ReportText or Path
        Text, a `str` that a notebook shows as HTML; of methods with ``bibtex``. Of a
        page its path.

    Raises
    ------
    DataError
        If there is nothing to say of it, an argument does not serve the rendering, or
        a page cannot be written.
    EstimateError
        If there is no such task.

    Examples
    --------
    >>> import causalgia as cg
    >>> estimates = cg.from_effects(
    ...     [1.4, 0.02], se=[0.1, 0.02], names=["GATA1", "mutant_1"]
    ... )
    >>> decided = cg.decide(estimates, rope=(-0.1, 0.1))
    >>> print("\n".join(cg.report(decided, as_="md").splitlines()[2:6]))
    | contrast | effect | 95 % interval | verdict | q |
    | :-- | --: | --: | :-- | --: |
    | GATA1 | 1.40 | [1.20, 1.60] | increases | <1e-4 |
    | mutant\_1 | 0.020 | [−0.019, 0.059] | negligible | <1e-4 |

    A page, and the methods of a paper:

    >>> import tempfile
    >>> cg.report(decided, as_="page", path=tempfile.mkdtemp() + "/report.html").name
    'report.html'
    >>> print(cg.report(decided, as_="methods").bibtex)
    @software{causalgia,
    ...
    """
    shape = "page" if path is not None and as_ == "text" else as_
    for name, value, words in (
        ("as_", shape, get_args(Shape)),
        ("rows", rows, get_args(Rows)),
        ("order", order, ("size", "file")),
    ):
        if value not in words:
            raise DataError(
                f"{name}={quoted(value)} is not one of {', '.join(map(quoted, words))}"
            )
    given = {
        "rows": rows != "summary",
        "order": order != "size",
        "arms": arms,
        "sentences": sentences,
        "notes": notes,
        "path": path is not None,
        "outcomes": outcomes is not None,
        "refutations": refutations is not None,
    }
    for name, there in given.items():
        if there and shape not in _PAPER[name]:
            raise DataError(f"{name}= does not serve as_={quoted(shape)}")
    if shape == "page":
        from causalgia.tell.audit_page import write_audit_page
        from causalgia.tell.html_page import parts_of, write_page

        if path is None:
            raise DataError("as_='page' needs path=, a file that ends in .html")
        if is_audit(x):
            return write_audit_page(Path(path), x)
        page = parts_of(x, outcomes=outcomes, refutations=refutations)
        return write_page(Path(path), page, task=task)
    if shape == "methods":
        return methods_text(x, task=task, refutations=refutations)
    answer = told(
        x,
        Asked(rows, task, order, arms, sentences, notes, shape in ("md", "latex")),
    )
    text: str = getattr(answer, _TOLD_AS[shape])()
    return ReportText(text, "" if shape == "latex" else answer.html())


def table(
    x: Any, *, rows: Rows = "summary", task: str | Sequence[str] | None = None
) -> ReportText:
    """Return a result as Markdown: ``report(x, as_="md")``.

    Parameters
    ----------
    x, rows, task
        As in `causalgia.report`.

    Returns
    -------
    ReportText
        The answer with its table.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> table(from_effects([1.4], se=[0.1], names=["GATA1"])).splitlines()[2]
    '| contrast | effect | SE | 95 % interval | p |'
    """
    return report(x, as_="md", rows=rows, task=task)


def methods(x: Any, *, task: str | Sequence[str] | None = None) -> Methods:
    """Return the methods of a paper: ``report(x, as_="methods")``.

    Parameters
    ----------
    x, task
        As in `causalgia.report`.

    Returns
    -------
    ReportText
        The paragraph, the assumptions of a trial, the works to cite, and the checklist;
        with ``bibtex``.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> print(methods(from_effects([1.4], se=[0.1])).splitlines()[2])
    Effects and their standard errors were given. ...
    """
    return report(x, as_="methods", task=task)


def view_of(effects: xr.Dataset) -> str:
    """Return effects as HTML for a notebook; empty for a part of a table, of which
    there is nothing to say.
    """
    try:
        return report(effects)._repr_html_()
    except CausalgiaError:
        return ""
