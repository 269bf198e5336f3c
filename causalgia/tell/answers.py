"""The answer of a trial as text and as HTML: sentences, one table and a foot of at most
three lines; definitions, sentences on each effect and notes on request.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.choices import VERDICTS, requested_parts
from causalgia.effect_table import select_tasks, tasks_in_table
from causalgia.errors import DataError, printable, quoted
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.inputs import wide as wide
from causalgia.notes import notes_of
from causalgia.schema import keeps_effects
from causalgia.tell._trial_report import (
    describe_outcomes,
    in_one_line,
    scale_text,
    sentences,
    task_contrast_text,
)
from causalgia.tell.answer_sentences import answer_sentences, cut, cut_apart
from causalgia.tell.effect_rows import (
    Row,
    Rows,
    as_reportable,
    cell_rows,
    cells,
    helpers_apart,
    reading_order,
    rows as every_row_of,
)
from causalgia.tell.folded_text import (
    WIDTH,
    folded,
    paragraph,
)
from causalgia.tell.foot import (
    _ACE,
    arm_lines,
    columns_in_foot,
    first_sentences,
    foot_lines,
    in_task,
    in_tasks,
    note_lines,
    placebos_in_words,
    sentences_on_tasks,
    tasks_of,
)
from causalgia.tell.table_formats import html_table
from causalgia.tell.text_tables import (
    GIVING_WAY,
    NAME_COLUMNS,
    laid_out,
    padded,
    table_within,
    without_q_twice,
)
from causalgia.tell.verdict_sentences import (
    effect_heading,
)

_Line: TypeAlias = tuple[Row, dict[str, str]]
_ROWS_OF_ANSWER = 20
_TASKS_OF_TABLE = 30
_LEAST_OF_TASK = 8
"""Columns of a terminal that a task takes beside others, at least."""
_FEW_PLACES = 2
_INTERVALS = ("interval", "range")
_NOT_BESIDE = ("contrast", "task", "n")


@dataclass(frozen=True, kw_only=True)
class AnswerParts:
    """What a report of effects says, before it is laid out.

    Attributes
    ----------
    sentences
        The answer.
    columns
        Heading -> how it is aligned, of the long table: a line for each effect.
    lines
        Its cells, by heading, a line for each effect, the largest directions first.
    words
        Headings of columns of words besides those of a table of effects, which are
        aligned left.
    by_task
        The same with the tasks beside each other: a line for each contrast; None where
        there is one task, or several models.
    summaries
        For each line whether it is of all placebos.
    placebos
        These in a sentence; empty where there is one task.
    more
        What the table leaves out; empty where it has all.
    cut_names, whole
        That names of the table are cut already, where they are, and where they are
        whole.
    contrasts
        The contrasts in the table.
    foot
        At most three lines.
    arms, each, notes
        Definitions of the arms, a sentence for each effect, notes on method and data:
        printed where they are asked for.
    further
        Sentences of the answer that do not stand above the table: printed with the
        notes.
    """

    sentences: tuple[str, ...]
    header: list[str]
    lines: list[list[str]]
    words: tuple[str, ...] = ()
    by_task: tuple[list[str], list[str], list[list[str]]] | None = None
    summaries: tuple[bool, ...] = ()
    placebos: str = ""
    more: str = ""
    cut_names: str = ""
    whole: str = "cg.tidy and effects.tsv have them whole"
    contrasts: tuple[str, ...] = ()
    foot: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    each: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    requested: tuple[str, ...] = field(default=())

    def text(self, width: int = WIDTH, *, fold: bool = True) -> str:
        """Return the answer as text.

        Parameters
        ----------
        width
            Columns in which tasks stand beside each other, if they do not take more.
        fold
            Whether the lines of the answer and of the foot end there too, and long
            names in the table are cut; what is asked for besides is not.
        """
        by_task, lines, is_cut = self.by_task, self.lines, False
        most = width if fold else math.inf
        if fold:
            by_task, is_cut = _with_short_names(by_task)
        beside = None if by_task is None else _beside_within(by_task, width)
        answer_lines, table = self.sentences, beside or []
        if beside is None:
            if self.placebos:  # a sentence for a line of each task
                answer_lines = (*answer_lines, self.placebos)
                lines = [
                    line
                    for line, summary in zip(lines, self.summaries, strict=True)
                    if not summary
                ]
            table, is_cut = [], False
            if lines and fold:
                table, is_cut = table_within(self.header, lines, most, self.words)
            elif lines:
                table = laid_out([self.header, *lines], self.words)
        under = [self.left_out]
        if is_cut:  # further than the cells were
            under = [self.more, f"Long names are cut with …; {self.whole}."]
        parts = [
            paragraph(answer_lines, most),
            "\n".join([*table, *(folded(line, most) for line in under if line)]),
            paragraph(self.foot, most),
            *("\n".join(self._requested_lines(name)) for name in self.requested),
        ]
        return printable("\n\n".join(part for part in parts if part))

    def _requested_lines(self, name: str) -> tuple[str, ...]:
        found: tuple[str, ...] = getattr(self, name)
        return (*self.further, *found) if name == "notes" else found

    @property
    def left_out(self) -> str:
        """What the table leaves out of rows and names."""
        return " ".join(text for text in (self.more, self.cut_names) if text)

    def html(self) -> str:
        """Return the answer as HTML: paragraphs and one table."""
        from causalgia.inputs import as_html

        requested = [
            line for name in self.requested for line in self._requested_lines(name)
        ]
        under = (self.left_out, *self.foot, *requested)
        notes = [printable(line) for line in under if line]
        first = "\n".join(
            f"<p>{as_html(printable(text))}</p>" for text in self.sentences
        )
        lines = without_q_twice([self.header, *self.lines])[1:]
        cells_ = [[in_one_line(cell) for cell in line] for line in lines]
        return f"{first}\n{html_table(self.header, cells_, notes, self.words)}"


class ReportText(str):
    """A report: a string, which a notebook shows as HTML and a prompt as its text.

    Examples
    --------
    >>> ReportText("GATA1: 1.40 [1.20, 1.60]")
    GATA1: 1.40 [1.20, 1.60]
    """

    __slots__ = ("_html",)
    _html: str

    def __new__(cls, text: str, html: str = "") -> ReportText:
        made = super().__new__(cls, text)
        made._html = html
        return made

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        """Return the report for notebooks; text keeps its lines."""
        from causalgia.inputs import as_html

        return self._html or f"<pre>{as_html(str(self))}</pre>"


def answer_parts(
    dataset: xr.Dataset,
    *,
    rows: Rows = "summary",
    task: str | Sequence[str] | None = None,
    order: str = "size",
    requested: Sequence[str] = (),
    answer: Sequence[str] | None = None,
    details: Sequence[str] = (),
    truth: xr.DataArray | None = None,
    width: int = WIDTH,
    every: str = 'rows="all"',
    noted: str = "notes=True",
    foot: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> AnswerParts:
    """Return the parts of a report of estimates or decisions.

    Parameters
    ----------
    dataset
        Estimates or decisions.
    rows, task, order
        As in `trial_report`.
    requested
        Of ``"arms"``, ``"each"`` and ``"notes"``, what is shown under the foot.
    answer
        Sentences in place of those made from the effects, as of an experiment, each
        with its task (`causalgia.notes.Said`).
    details
        Further sentences of an experiment, printed before the notes.
    truth
        As in `causalgia.tell.rows`.
    width
        Columns of the text: tasks that do not stand beside each other in them take more
        lines, so that fewer contrasts are shown.
    every, noted
        How to see all rows, and the notes.
    foot, notes
        What else stands under the table, and what else is noted.
    """
    whole = as_reportable(dataset)
    effects = select_tasks(whole, task, place="report: ")
    keep, by_task = _shown_lines(effects, rows, order, truth, width)
    header, lines = _cells_shown(effects, keep)
    of = {row["task"] for row, _ in keep}
    places = [i for i, name in enumerate(tasks_in_table(effects)) if name in of]
    shown = effects.isel(task=places)
    of_effects = note_lines(effects)
    above, further = first_sentences(answer or (), effects)
    further += sentences_on_tasks(details, tasks_in_table(effects))
    unsaid = tasks_of(further) - tasks_of(above)
    above = in_tasks(above)
    further = tuple(in_task(text) for text in further)
    if unsaid and above and "notes" not in requested:
        tasks = next(iter(unsaid)) if len(unsaid) == 1 else f"{len(unsaid):,} tasks"
        above = (*above, f"On {cut(tasks)}: {noted}.")
    under_table, left_over = foot_lines(
        effects,
        set(_contrasts_of(keep)),
        "" if "notes" in requested else noted,
        len(notes_of(effects)) + len(notes) + len(further),
        foot,
    )
    of_trial = effect_heading(effects.attrs) == "ACE"
    if of_trial and not any(_ACE in line for line in under_table):
        of_effects = [_ACE, *of_effects]
    scale = scale_text(effects.attrs)
    if effects.sizes["task"] == 1:  # else each effect names its task
        tasks = task_contrast_text(effects)[0].removeprefix(", ")
        scale += f" in {tasks}" if tasks else ""
    answer_lines = above
    if answer is None:
        answer_lines = tuple(
            answer_sentences(effects, every_row_of(effects), scale=scale)
        )
    return AnswerParts(
        sentences=answer_lines,
        header=header,
        lines=lines,
        by_task=by_task,
        summaries=tuple(row["summary"] for row, _ in keep),
        placebos=placebos_in_words(effects) if _counts_effects(keep) else "",
        more=_not_shown(effects, keep, every) if rows != "all" else "",
        contrasts=_contrasts_of(keep),
        foot=tuple(under_table),
        arms=tuple(
            arm_lines(effects, every=rows == "all") if "arms" in requested else ()
        ),
        each=tuple(
            sentences(shown, rows=rows, every=True) if "each" in requested else ()
        ),
        further=further,
        notes=(*of_effects, *left_over, *notes),
        requested=tuple(requested),
    )


def all_lines(
    dataset: xr.Dataset, *, task: str | Sequence[str] | None = None
) -> tuple[list[str], list[list[str]]]:
    """Return header and lines of the table of `answer_parts` with every contrast and
    task, in the same order; placebos have one line.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> effects = from_effects([0.1, 1.4], se=[0.1, 0.1], names=["mutant", "GATA1"])
    >>> [line[:2] for line in all_lines(effects)[1]]
    [['GATA1', '1.40'], ['mutant', '0.10']]
    """
    effects = select_tasks(as_reportable(dataset), task, place="report: ")
    return _cells_shown(effects, cell_rows(effects, at=reading_order(effects)))


def trial_report(
    dataset: xr.Dataset,
    *,
    rows: Rows = "summary",
    task: str | Sequence[str] | None = None,
    order: str = "size",
    arms: bool = False,
    sentences: bool = False,
    notes: bool = False,
) -> ReportText:
    """Report outcomes, estimates or decisions as text; `causalgia.report` is this for
    results of a trial.

    Parameters
    ----------
    dataset
        Outcomes, estimates or decisions.
    rows
        ``"summary"``: at most 20 lines (contrasts, where tasks stand side by side), one
        for the placebos; ``"all"``: a line for each contrast and each placebo.
    task
        Names or patterns of tasks, one or several, such as ``"DNASE:*"``; None: all.
    order
        ``"size"``: directions of all tasks first, the largest on top, then undecided
        effects, those whose interval nearly excludes no effect first, then negligible
        ones; ``"file"``: as they stand in the Dataset.
    arms, sentences, notes
        Whether to print also the definition of each arm, a sentence for each effect,
        and the notes on method and data.

    Raises
    ------
    DataError
        If it is another Dataset; a posterior goes through `causalgia.decide` first.

    Examples
    --------
    >>> import xarray as xr
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
    >>> print(trial_report(estimates))
    Effect on log counts of GATA1: 1.38 [1.37, 1.39].
    <BLANKLINE>
    contrast     ACE     95 % interval
    GATA1     1.3800  [1.3710, 1.3890]
    <BLANKLINE>
    GATA1 minus placebo, over dinucleotide shuffles of 500 sequences. ACE: average causal effect.
    """
    for name, value, words in (
        ("rows", rows, ("summary", "all")),
        ("order", order, ("size", "file")),
    ):
        if value not in words:
            raise DataError(
                f"{name}={quoted(value)} is neither {quoted(words[0])} nor "
                f"{quoted(words[1])}"
            )
    if keeps_effects(dataset) or "outcome" in getattr(dataset, "data_vars", ()):
        return ReportText(
            describe_outcomes(
                select_tasks(dataset, task, place="report: "), every_arm=rows == "all"
            )
        )
    requested = requested_parts(arms=arms, sentences=sentences, notes=notes)
    parts = answer_parts(
        dataset, rows=rows, task=task, order=order, requested=requested
    )
    return ReportText(parts.text(), parts.html())


def table_parts(
    dataset: xr.Dataset,
    *,
    rows: Rows = "summary",
    task: str | Sequence[str] | None = None,
) -> tuple[list[str], list[list[str]], list[str]]:
    """Return the header, the lines of cells and the notes of a table of estimates or
    decisions, printable.

    Parameters
    ----------
    dataset, rows, task
        As in `trial_report`.
    """
    effects = select_tasks(as_reportable(dataset), task, place="table: ")
    at, left_out = reading_order(effects), ""
    if rows != "all" and effects.sizes["task"] > _TASKS_OF_TABLE:
        at = at[:_ROWS_OF_ANSWER]
    table = cell_rows(effects, rows=rows, at=at)
    header, lines = cells(effects, rows=rows, table=table)
    if rows != "all":
        left_out = _not_shown(effects, table, 'rows="all"')
    foot, _ = foot_lines(effects, {row["contrast"] for row, _ in table})
    notes = [printable(line) for line in (left_out, *foot) if line]
    return (
        [in_one_line(name) for name in header],
        [[in_one_line(cell) for cell in line] for line in lines],
        notes,
    )


def _without_column(
    name: str, header: list[str], lines: list[list[str]]
) -> tuple[list[str], list[list[str]]]:
    keep = [i for i, heading in enumerate(header) if heading != name]
    return [header[i] for i in keep], [[line[i] for i in keep] for line in lines]


def _shown_lines(
    effects: xr.Dataset, rows: Rows, order: str, truth: xr.DataArray | None, width: int
) -> tuple[list[_Line], tuple[list[str], list[str], list[list[str]]] | None]:
    """Return the lines of a table, and the same with the tasks beside each other where
    they have room: the first 20 contrasts; else the first 20 rows over all tasks.
    """
    at = np.arange(effects["ace"].size)
    if order == "size":
        at = reading_order(effects)
    placebo = _placebo_rows(effects)[at]
    asked, placebos = (at, at[:0]) if rows == "all" else (at[~placebo], at[placebo])
    of = np.unravel_index(asked, effects["ace"].shape)[
        effects["ace"].dims.index("contrast")
    ]
    most = len(asked) if rows == "all" else _ROWS_OF_ANSWER
    merges = "site" in effects.coords  # several rows to a line

    def first(chosen: npt.NDArray[np.int64], beside: bool) -> list[_Line]:
        of_tasks = beside or effects.sizes["task"] <= _ROWS_OF_ANSWER
        both = np.concatenate([chosen, placebos if of_tasks else placebos[:0]])
        lines = cell_rows(effects, rows=rows, truth=truth, at=both)
        apart = helpers_apart if order == "size" else _as_they_are
        if rows == "all":
            return apart(lines, effects)
        lines = apart(_sites_in_one_line(lines, effects), effects)
        named = [row["label"] for row, _ in lines if not row["summary"]]
        labels = set(list(dict.fromkeys(named))[:most])
        made, n = [], 0
        for row, cells_ in lines:
            n += not row["summary"]
            if row["summary"] or (row["label"] in labels if beside else n <= most):
                made.append((row, cells_))
        return made

    by_task = None
    if 1 < effects.sizes["task"] <= max(width // _LEAST_OF_TASK, most):
        names = list(dict.fromkeys(of.tolist()))
        chosen = asked if merges else asked[np.isin(of, names[:most])]
        keep = first(chosen, beside=True)
        header, _ = _cells_shown(effects, keep)
        by_task = (
            _tasks_beside(keep, effects, header) if _counts_effects(keep) else None
        )
        if by_task is not None and _beside_within(by_task, width) is not None:
            return keep, by_task
    # a wider text may have room for them
    by_task = by_task if len(asked) <= most else None
    return first(asked if merges else asked[:most], beside=False), by_task


def _as_they_are(lines: list[_Line], _: xr.Dataset) -> list[_Line]:
    return lines


def _placebo_rows(effects: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return which rows are of placebos, flat."""
    ace = effects["ace"]
    flat = is_placebo(effects).reshape(-1, *[1] * (ace.ndim - 1))
    return np.broadcast_to(flat, ace.shape).ravel()


def _counts_effects(table: list[_Line]) -> bool:
    return any(not row["summary"] for row, _ in table)


def _cells_shown(
    effects: xr.Dataset, table: list[_Line]
) -> tuple[list[str], list[list[str]]]:
    """Return header and cells without the columns that the foot says."""
    header, lines = cells(effects, table=table)
    for name in columns_in_foot(effects):
        header, lines = _without_column(name, header, lines)
    return header, lines


def _sites_in_one_line(table: list[_Line], effects: xr.Dataset) -> list[_Line]:
    """Return the lines of a table with one line for a site alone at more than two
    places: the range of its effects, and its verdict where they share it.
    """
    if "site" not in effects.coords or effects["site"].dims != ("contrast",):
        return table
    names = effects["contrast"].to_numpy().astype(str).tolist()
    site_of = dict(zip(names, effects["site"].to_numpy().astype(str), strict=True))
    groups: dict[tuple[str, ...], list[_Line]] = {}
    for row, line in table:
        if site := site_of.get(row["contrast"], ""):
            key = (site, row.get("task", ""), row.get("model", ""))
            groups.setdefault(key, []).append((row, line))
    made = []
    for row, line in table:
        key = (
            site_of.get(row["contrast"], ""),
            row.get("task", ""),
            row.get("model", ""),
        )
        group = groups.get(key, [])
        if len(group) <= _FEW_PLACES:
            made.append((row, line))
        elif group[0][0] is row:
            label = f"{key[0]} alone, {len(group)} places"
            name = effect_heading(effects.attrs)
            made.append(_range_of_lines(label, group, name))
    return made


def _range_of_lines(
    label: str, group: list[_Line], effect: str
) -> tuple[Row, dict[str, str]]:
    """Return one line for several effects: the range of the estimates."""
    by_ace = sorted(group, key=lambda line: line[0]["ace"])
    first, line = by_ace[0][0], by_ace[0][1]
    interval = next((name for name in line if name.endswith(_INTERVALS)), effect)
    ends = f"{line[effect]} to {by_ace[-1][1][effect]}"
    verdicts = {line.get("verdict", "") for _, line in group}
    cells_: dict[str, str] = {
        name: line[name] for name in ("task", "model") if name in line
    }
    cells_ |= {"contrast": label, interval: ends}
    cells_ |= {"verdict": verdicts.pop()} if len(verdicts) == 1 else {}
    members = [row["contrast"] for row, _ in group]
    merged = {"contrast": label, "label": label, "spread": True, "members": members}
    merged["verdicts"] = [str(row.get("verdict", "more")) for row, _ in group]
    return first | merged, cells_


def _contrasts_of(table: list[_Line]) -> tuple[str, ...]:
    """Return the contrasts of lines, with those that share one."""
    names = (
        name
        for row, _ in table
        if not row["summary"]
        for name in row.get("members", [row["contrast"]])
    )
    return tuple(dict.fromkeys(names))


def _not_shown(effects: xr.Dataset, table: list[_Line], every: str) -> str:
    """Return a line on the rows that a table leaves out, with their verdicts: "18
    negligible, 2 undecided: --all."; empty where it has all.
    """
    of_effects = ~_placebo_rows(effects)
    shown = Counter(
        word
        for row, _ in table
        if not row["summary"] and not row["is_placebo"]
        for word in row.get("verdicts", [str(row.get("verdict", "more"))])
    )
    if "verdict" not in effects:
        left = int(of_effects.sum()) - sum(shown.values())
        return f"{left:,} more: {every}." if left else ""
    verdict = effects["verdict"].transpose(*effects["ace"].dims).to_numpy()
    count = Counter(verdict.ravel()[of_effects].astype(str).tolist())
    count.subtract(shown)
    left_of = [(count[word], word) for word in VERDICTS if count[word]]
    counts = ", ".join(f"{n:,} {word}" for n, word in left_of)
    return f"{counts}: {every}." if counts else ""


def _tasks_beside(
    table: list[_Line], effects: xr.Dataset, header: list[str]
) -> tuple[list[str], list[str], list[list[str]]] | None:
    """Return tasks, columns of each, and lines of cells with the tasks beside each
    other; None where there is one task, or several models.
    """
    if effects.sizes.get("task", 1) < 2 or effects.sizes.get("model", 1) > 1:
        return None
    tasks = [str(name) for name in effects["task"].to_numpy()]
    interval = next((name for name in header if name.endswith(_INTERVALS)), "")
    effect = effect_heading(effects.attrs)
    both = f"{effect} [{interval}]" if interval else effect
    said = (*_NOT_BESIDE, effect, interval)
    columns = [both, *(x for x in header if x not in said)]
    cells_of: dict[str, dict[str, dict[str, str]]] = {}
    for row, line in table:
        joined = f"{line.get(effect, '')} {line.get(interval, '')}".strip()
        of_task = cells_of.setdefault(row["label"], {})
        spread = (row["summary"] or row.get("spread")) and interval in line
        of_task[row["task"]] = line | {both: line[interval] if spread else joined}
    lines = [
        [
            label,
            *(
                by_task.get(task, {}).get(name, "")
                for task in tasks
                for name in columns
            ),
        ]
        for label, by_task in cells_of.items()
    ]
    return tasks, columns, lines


def _with_short_names(
    by_task: tuple[list[str], list[str], list[list[str]]] | None,
) -> tuple[tuple[list[str], list[str], list[list[str]]] | None, bool]:
    """Return tasks beside each other with the names of contrasts and tasks in as many
    columns as a terminal has for them, and whether any was cut.
    """
    if by_task is None:
        return None, False
    tasks = cut_apart(by_task[0], NAME_COLUMNS["task"])
    labels = cut_apart([line[0] for line in by_task[2]], NAME_COLUMNS["contrast"])
    is_cut = any(short != name for name, short in (tasks | labels).items())
    lines = [[labels[line[0]], *line[1:]] for line in by_task[2]]
    return ([tasks[name] for name in by_task[0]], by_task[1], lines), is_cut


def _beside_within(
    by_task: tuple[list[str], list[str], list[list[str]]], width: int
) -> list[str] | None:
    """Return a table with the tasks beside each other; None where it is wider."""
    for dropped in ((), GIVING_WAY[:1], GIVING_WAY):
        beside = _beside(*by_task, dropped)
        if max(map(wide, beside)) <= width:
            return beside
    return None


def _beside(
    tasks: list[str],
    columns: list[str],
    lines: list[list[str]],
    dropped: Sequence[str] = (),
) -> list[str]:
    """Return lines of text with a heading for each task."""
    each = len(columns)
    blocks = list(zip(*lines, strict=True))
    labels, cells_ = blocks[0], blocks[1:]
    used = [
        [
            i
            for i in range(each)
            if any(cells_[t * each + i]) and columns[i] not in dropped
        ]
        for t in range(len(tasks))
    ]
    first = max(map(wide, labels))
    text = [
        [
            " " * first,
            " " * first,
            *(padded(label, first, left=True) for label in labels),
        ]
    ]
    for t, task in enumerate(tasks):
        names = [columns[i] for i in used[t]]
        block = [
            names,
            *(
                [cells_[t * each + i][row] for i in used[t]]
                for row in range(len(lines))
            ),
        ]
        laid = laid_out(block) if names else [""] * (len(lines) + 1)
        width = max(wide(task), *map(wide, laid))
        text.append([padded(part, width, left=True) for part in (task, *laid)])
    return ["   ".join(parts).rstrip() for parts in zip(*text, strict=True)]
