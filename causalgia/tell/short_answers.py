"""Answers of results that have no table of effects, such as the checks of a claim or a
number of units: sentences, one table and a foot of at most three lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from causalgia.errors import DataError, quoted
from causalgia.tell._trial_report import in_one_line
from causalgia.tell.answer_sentences import cut
from causalgia.tell.answers import AnswerParts
from causalgia.tell.folded_text import fitted_foot

ROWS_SHOWN = 20
LETTERS_SHOWN = 40
"""Letters of a name in a table; longer ones are cut, which the table says."""


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
    letters: int = LETTERS_SHOWN,
    pointers: Mapping[str, str] | None = None,
) -> AnswerParts:
    """Return an answer of these parts, of which the table has at most 20 rows and the
    foot three lines; what finds no room in the foot is a note.

    Parameters
    ----------
    sentences
        The answer.
    header, lines
        The table: headings and cells. A column with nothing in it is left out.
    foot
        What stands under the table, the most important first.
    words
        Headings of columns of words, which are aligned left, and whose cells are cut
        after so many `letters`.
    arms, each, notes
        What is printed on request.
    requested
        Of ``"arms"``, ``"each"`` and ``"notes"``, what is asked for.
    every_row
        Whether the table has every row.
    more, letters
        What the table leaves out besides, and how long a cell of words may be.
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
    how = {"every": 'rows="all"', "noted": "notes=True", "whole": ""} | dict(
        pointers or {}
    )
    shown = lines if every_row else lines[:ROWS_SHOWN]
    left = len(lines) - len(shown)
    names = [heading in words for heading in header]
    cells = [
        [
            in_one_line(cut(cell, letters) if name else cell)
            for cell, name in zip(line, names, strict=True)
        ]
        for line in shown
    ]
    is_cut = any(
        name and len(cell) > letters
        for line in shown
        for cell, name in zip(line, names, strict=True)
    )
    used = [i for i in range(len(header)) if any(line[i] for line in cells)]
    whole = str(how["whole"])
    ends = f"Names end after {letters} letters (…)"
    cut_names = "; ".join(text for text in (ends, whole) if text) if is_cut else ""
    further = f"{left:,} more; {how['every']} shows all." if left else ""
    under_table, over = fitted_foot(
        foot[:1],
        foot[1:],
        n_notes=len(notes),
        pointer="" if "notes" in requested else str(how["noted"]),
    )
    return AnswerParts(
        sentences=tuple(sentences),
        header=[header[i] for i in used],
        lines=[[line[i] for i in used] for line in cells],
        words=tuple(words),
        more=" ".join(text for text in (more, further) if text),
        cut_names=f"{cut_names}." if cut_names else "",
        whole=whole or AnswerParts.whole,
        foot=tuple(under_table),
        arms=tuple(arms) or ("No arms are defined here.",),
        each=tuple(each),
        notes=(*over, *notes) or ("No notes.",),
        requested=tuple(requested),
    )


def every_row(rows: str) -> bool:
    """Return whether all rows are asked for.

    Raises
    ------
    DataError
        If `rows` is neither ``"summary"`` nor ``"all"``.
    """
    if rows not in ("summary", "all"):
        raise DataError(f"rows={quoted(rows)} is neither 'summary' nor 'all'")
    return rows == "all"
