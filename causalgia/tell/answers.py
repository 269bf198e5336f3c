"""The answer: sentences, one table, a foot of at most three lines, and what is printed on
request; as text, Markdown, HTML and LaTeX.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import xarray as xr

from causalgia.choices import VERDICTS, Rows, requested_parts
from causalgia.effect_table import select_tasks, tasks_in_table
from causalgia.errors import (
    NAMES_SHOWN,
    DataError,
    first_of,
    printable,
    quoted,
)
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.notes import ReportText, as_said, notes_of
from causalgia.schema import keeps_effects
from causalgia.tell._trial_report import (
    describe_outcomes,
    in_one_line,
    scale_text,
    sentences as effect_sentences,
    task_contrast_text,
)
from causalgia.tell.answer_sentences import answer_sentences
from causalgia.tell.effect_lines import (
    ROWS_OF_ANSWER,
    Line,
    chosen_lines,
    long_table,
)
from causalgia.tell.effect_rows import (
    as_reportable,
    first_rows,
    helpers_of,
    rows_of,
)
from causalgia.tell.folded_text import WIDTH, fitted_foot, folded, paragraph
from causalgia.tell.foot import (
    _ACE,
    MOST_SENTENCES,
    arm_lines,
    columns_in_foot,
    first_sentences,
    foot_lines,
    in_task,
    in_tasks,
    note_lines,
    placebos_in_words,
    sentences_on_tasks,
)
from causalgia.tell.table_formats import escaped
from causalgia.tell.text_tables import Table
from causalgia.tell.verdict_sentences import effect_heading

ROWS_SHOWN = ROWS_OF_ANSWER
LINES_SHOWN = 16
"""Lines of the printed answer of an experiment, at most."""
_LEAST_ROWS = 2
"""Rows of several tasks, at least."""
LETTERS_SHOWN = 40
"""Columns of a name in the table of a short answer; longer ones are cut there."""


@dataclass(frozen=True, kw_only=True)
class AnswerParts:
    """What an answer says, before it is laid out.

    Attributes
    ----------
    sentences
        The answer.
    table
        A line for each effect, the largest directions first.
    beside
        The same with the tasks beside each other, where these are several.
    placebos
        The placebos in a sentence, where the table has no line for them.
    more
        What the table leaves out; empty where it has all.
    whole
        Where names are whole that are cut in text.
    contrasts
        The contrasts in the table.
    foot
        At most three lines.
    arms, each, notes, further
        Definitions of the arms, a sentence for each effect, notes on method and data,
        and sentences that do not stand above the table (with the notes): printed where
        they are asked for, by `requested`.
    """

    sentences: tuple[str, ...] = ()
    table: Table = Table()  # noqa: RUF009 - frozen
    beside: Table | None = None
    placebos: str = ""
    more: str = ""
    whole: str = "cg.tidy and effects.tsv have them whole"
    contrasts: tuple[str, ...] = ()
    foot: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    each: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    further: tuple[str, ...] = ()
    requested: tuple[str, ...] = ()

    @property
    def header(self) -> list[str]:
        """The headings of the table."""
        return list(self.table.header)

    @property
    def lines(self) -> list[list[str]]:
        """The cells of the table."""
        return [list(line) for line in self.table.lines]

    @property
    def words(self) -> Iterable[str]:
        """Headings of columns of words besides those of a table of effects."""
        return self.table.words

    @property
    def left_out(self) -> str:
        """What the table leaves out."""
        return self.more

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
        most = width if fold else math.inf
        above = [printable(text) for text in self.sentences if text]
        found = self.beside.beside(width, whole=not fold) if self.beside else None
        if found is None:
            above, found = self._above(), self.table.text(most)
        table, is_cut = found
        whole = f"; {self.whole}" if self.whole else ""
        under = [self.more, f"Long names are cut with …{whole}." if is_cut else ""]
        parts = [
            paragraph(above, most),
            "\n".join([*table, *(folded(printable(x), most) for x in under if x)]),
            paragraph([printable(line) for line in self.foot], most),
            *(printable("\n".join(lines)) for lines in self._requested()),
        ]
        return "\n\n".join(part for part in parts if part)

    def height(self, width: int) -> int:
        """Return the lines of the text, without what is printed on request."""
        return replace(self, requested=()).text(width).count("\n") + 1

    def html(self) -> str:
        """Return the answer as HTML: paragraphs and one table."""
        from causalgia.inputs import as_html

        above = "\n".join(f"<p>{as_html(text)}</p>" for text in self._above())
        return f"{above}\n{self.table.html(self._under())}"

    def markdown(self) -> str:
        """Return the answer as Markdown: paragraphs and one table."""
        return self._for_a_paper("markdown")

    def latex(self) -> str:
        """Return the answer as LaTeX: paragraphs and one table, with a caption."""
        return self._for_a_paper("latex")

    def _for_a_paper(self, to: Literal["markdown", "latex"]) -> str:
        above, under = escaped(" ".join(self._above()), to), self._under()
        if not self.table.lines:
            return "\n\n".join([above, *(escaped(line, to) for line in under)])
        write = self.table.markdown if to == "markdown" else self.table.latex
        return f"{above}\n\n{write(under)}"

    def _above(self) -> list[str]:
        return [printable(text) for text in (*self.sentences, self.placebos) if text]

    def _under(self) -> list[str]:
        requested = (line for lines in self._requested() for line in lines)
        under = (self.more, *self.foot, *requested)
        return [printable(line) for line in under if line]

    def _requested(self) -> list[Sequence[str]]:
        parts = {"arms": self.arms, "each": self.each}
        parts["notes"] = (*self.further, *self.notes)
        return [parts[name] for name in self.requested]


def short_answer(
    sentences: Sequence[str],
    header: Sequence[str],
    lines: Sequence[Sequence[str]],
    *,
    foot: Sequence[str] = (),
    words: Sequence[str] = (),
    arms: Sequence[str] = (),
    each: Sequence[str] = (),
    notes: Sequence[str] = (),
    requested: Sequence[str] = (),
    every_row: bool = False,
    more: str = "",
    letters: float = LETTERS_SHOWN,
    pointers: Mapping[str, str] | None = None,
) -> AnswerParts:
    """Return the answer of a result that has no table of effects: the table has at most
    20 rows and the foot three lines; what finds no room in the foot is a note.

    Parameters
    ----------
    sentences
        The answer.
    header, lines
        The table: headings and cells. A column with nothing in it is left out.
    foot
        What stands under the table, the most important first.
    words
        Headings of columns of words, which are aligned left, and which text cuts after
        so many `letters`.
    arms, each, notes
        What is printed on request.
    requested
        Of ``"arms"``, ``"each"`` and ``"notes"``, what is asked for.
    every_row
        Whether the table has every row.
    more
        What the table leaves out besides.
    pointers
        How to see every row, the notes and whole names: ``every``, ``noted``,
        ``whole``.

    Examples
    --------
    >>> one = short_answer(
    ...     ["GATA1 raises K562."], ["motif", "n"], [["GATA1", "12"]], words=["motif"]
    ... )
    >>> print(one.text())
    GATA1 raises K562.
    <BLANKLINE>
    motif   n
    GATA1  12
    """
    how = {"every": 'rows="all"', "noted": "notes=True", "whole": ""}
    how |= pointers or {}
    shown = lines if every_row else lines[:ROWS_SHOWN]
    left = len(lines) - len(shown)
    used = [i for i in range(len(header)) if any(line[i] for line in shown)]
    further = f"{left:,} more; {how['every']} shows all." if left else ""
    pointer = "" if "notes" in requested else how["noted"]
    under, over = fitted_foot(foot[:1], foot[1:], n_notes=len(notes), pointer=pointer)
    return AnswerParts(
        sentences=tuple(sentences),
        table=Table(
            header=[header[i] for i in used],
            lines=[[in_one_line(line[i]) for i in used] for line in shown],
            words=words,
            letters=letters,
        ),
        more=" ".join(text for text in (more, further) if text),
        whole=how["whole"],
        foot=tuple(under),
        arms=tuple(arms) or ("No arms are defined here.",),
        each=tuple(each),
        notes=(*over, *notes) or ("No notes.",),
        requested=tuple(requested),
    )


def every_row(rows: str) -> bool:
    """Return whether all rows are asked for, by ``"summary"`` or ``"all"``."""
    if rows not in ("summary", "all"):
        raise DataError(f"rows={quoted(rows)} is neither 'summary' nor 'all'")
    return rows == "all"


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
    """Return the answer of estimates or decisions; one whose sentences are each on a
    task, as of an experiment, in 16 lines, with the rows and then the tasks that have
    most to say.

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
        As in `causalgia.tell.effect_rows.rows_of`.
    width
        Columns of the text: tasks that do not stand beside each other in them take more
        lines, so that fewer contrasts are shown.
    every, noted
        How to see all rows, and the notes.
    foot, notes
        What else stands under the table, and what else is noted.
    """
    effects = select_tasks(as_reportable(dataset), task, place="report: ")
    tasks = tasks_in_table(effects)

    def parts(some: Sequence[int], most: int) -> AnswerParts:
        return _parts_of_tasks(
            effects,
            some,
            most,
            rows=rows,
            order=order,
            requested=requested,
            answer=answer,
            details=details,
            truth=truth,
            width=width,
            every=every,
            noted=noted,
            foot=foot,
            notes=notes,
        )

    if all(as_said(sentence).task is None for sentence in answer or ()):
        return parts(range(len(tasks)), ROWS_OF_ANSWER)
    first = first_rows(effects, "task", MOST_SENTENCES).tolist()
    for n in range(len(first), 0, -1):
        some, most = sorted(first[:n]), ROWS_OF_ANSWER
        while True:
            found = parts(some, most)
            if rows == "all":
                return found
            over = found.height(width) - LINES_SHOWN
            if over <= 0 or (n, most) == (1, 1):
                return found
            most = min(most, len(found.lines)) - over
            if most < _LEAST_ROWS and n > 1:
                break
            most = max(most, 1)
    return found


def _parts_of_tasks(
    effects: xr.Dataset,
    some: Sequence[int],
    most: int,
    *,
    rows: Rows,
    order: str,
    requested: Sequence[str],
    answer: Sequence[str] | None,
    details: Sequence[str],
    truth: xr.DataArray | None,
    width: int,
    every: str,
    noted: str,
    foot: Sequence[str],
    notes: Sequence[str],
) -> AnswerParts:
    """Return an answer with the sentences and the rows, `most` of them, of some tasks;
    all rows are those of all.
    """
    tasks = tasks_in_table(effects)
    lines, of, beside = chosen_lines(
        effects if rows == "all" else effects.isel(task=some),
        rows=rows,
        order=order,
        truth=truth,
        width=width,
        most=most,
    )
    in_lines = [x.rows for x in lines if not (len(x.rows) > 1 and x.rows[0].is_placebo)]
    shown = tuple(dict.fromkeys(row.contrast for rows_ in in_lines for row in rows_))
    if answer is None:
        scale = scale_text(effects.attrs)
        on = (
            task_contrast_text(effects)[0].removeprefix(", ") if len(tasks) == 1 else ""
        )
        scale += f" in {on}" if on else ""
        above = tuple(answer_sentences(effects, rows_of(effects), scale=scale))
        further: tuple[str, ...] = ()
    else:
        above, further = first_sentences(answer, effects, [tasks[i] for i in some])
        above = in_tasks(above)
    further += sentences_on_tasks(details, tasks)
    own_notes = note_lines(effects)
    under, left_over = foot_lines(
        effects,
        {*shown},
        "" if "notes" in requested else noted,
        len(notes_of(effects)) + len(notes) + len(further),
        foot,
    )
    if effect_heading(effects.attrs) == "ACE" and not any(_ACE in x for x in under):
        own_notes = [_ACE, *own_notes]
    arms = arm_lines(effects, every=rows == "all") if "arms" in requested else ()
    in_tasks_ = {row.task for line in lines for row in line.rows}
    places = [i for i, name in enumerate(tasks) if name in in_tasks_]
    each = "each" in requested
    return AnswerParts(
        sentences=above,
        table=long_table(lines, of, columns_in_foot(effects)),
        beside=beside,
        placebos=placebos_in_words(effects) if rows != "all" else "",
        more=_not_shown(effects, lines, every) if rows != "all" else "",
        contrasts=shown,
        foot=tuple(under),
        arms=tuple(arms),
        each=tuple(effect_sentences(effects.isel(task=places), rows=rows, every=True))
        if each
        else (),
        further=tuple(in_task(text) for text in further),
        notes=(*own_notes, *left_over, *notes),
        requested=tuple(requested),
    )


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
        ones; settings such as places or distances in their order; ``"file"``: as they
        stand in the Dataset.
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
    all_rows = every_row(rows)
    if order not in ("size", "file"):
        raise DataError(f"order={quoted(order)} is neither 'size' nor 'file'")
    if keeps_effects(dataset) or "outcome" in getattr(dataset, "data_vars", ()):
        outcomes = select_tasks(dataset, task, place="report: ")
        return ReportText(describe_outcomes(outcomes, every_arm=all_rows))
    requested = requested_parts(arms=arms, sentences=sentences, notes=notes)
    parts = answer_parts(
        dataset, rows=rows, task=task, order=order, requested=requested
    )
    return ReportText(parts.text(), parts.html())


def _not_shown(effects: xr.Dataset, lines: Sequence[Line], every: str) -> str:
    """Return a line on the rows that a table leaves out, with their verdicts: "Not shown:
    18 negligible, 2 undecided (--all)."; empty where it has all.
    """
    asked = effects.isel(contrast=np.flatnonzero(~is_placebo(effects)))
    rows = [row for line in lines for row in line.rows if not row.is_placebo]
    if "verdict" not in asked:
        more = asked["ace"].size - len(rows)
        return f"Not shown: {more:,} rows ({every})." if more else ""
    parts, n_left = [], 0
    for of_helpers in (False, True):
        own = asked.isel(contrast=np.flatnonzero(helpers_of(asked) == of_helpers))
        left = Counter(own["verdict"].to_numpy().ravel().astype(str).tolist())
        left.subtract(str(row.verdict) for row in rows if row.is_helper == of_helpers)
        counts = ", ".join(f"{left[word]:,} {word}" for word in VERDICTS if left[word])
        parts += [f"{'helpers: ' * of_helpers}{counts}"] if counts else []
        n_left += left.total()
    if not parts:
        return ""
    shown = {row.task for row in rows}
    left_out = [task for task in tasks_in_table(effects) if task not in shown]
    tasks = ""
    if 0 < len(left_out) < n_left:  # else each row is a task
        one = "causalgia report --task" if "--all" in every else "task="
        tasks = f" Not in the table: {first_of(left_out, NAMES_SHOWN)} ({one})."
    return f"Not shown: {'; '.join(parts)} ({every}).{tasks}"
