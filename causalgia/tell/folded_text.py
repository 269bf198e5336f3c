"""Text in the columns of a terminal: paragraphs that break between words, and the foot
of a table, which has three lines at most.
"""

from __future__ import annotations

from collections.abc import Sequence

from causalgia.inputs import wide

WIDTH = 100
"""Columns in which tables of several tasks stand side by side."""
_FOOT = 3


def folded(text: str, width: float) -> str:
    r"""Return a text in lines of at most this many columns, broken between words, and
    in a word that is longer than a line.

    Examples
    --------
    >>> folded("one two three", 8)
    'one two\nthree'
    >>> folded("GATA1GATA1", 8)
    'GATA1GAT\nA1'
    """
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and wide(longer) > width:
            lines.append(line)
            longer = word
        while wide(longer) > width:  # a word of more columns than there are
            first = start_of(longer, int(width)) or longer[0]
            lines.append(first)
            longer = longer[len(first) :]
        line = longer
    return "\n".join([*lines, line])


def start_of(name: str, most: int) -> str:
    """Return the letters of a name that fit into this many columns.

    Examples
    --------
    >>> start_of("GATA1", 4), start_of("漢字", 3)
    ('GATA', '漢')
    """
    taken = 0
    for i, letter in enumerate(name):
        taken += wide(letter)
        if taken > most:
            return name[:i]
    return name


def paragraph(lines: Sequence[str], width: float) -> str:
    r"""Return lines as they stand where they fit, else one paragraph of them.

    Examples
    --------
    >>> paragraph(["one two", "three"], 8), paragraph(["one two", "three"], 6)
    ('one two\nthree', 'one\ntwo\nthree')
    """
    if all(wide(line) <= width for line in lines):
        return "\n".join(lines)
    return folded(" ".join(lines), width)


def fitted_foot(
    first: Sequence[str],
    others: Sequence[str],
    *,
    n_notes: int = 0,
    pointer: str = "",
    always: Sequence[str] = (),
    in_one_line: bool = False,
) -> tuple[list[str], list[str]]:
    """Return the foot of a table, at most three lines of 100 columns, and the sentences
    that found no room in it, which are for the notes.

    Parameters
    ----------
    first
        Lines that stand there in any case.
    others
        Further sentences, the most important first.
    n_notes
        How many notes there are besides.
    pointer
        How notes are asked for, which the last line says with their number; empty where
        they are printed, and every sentence stands in the foot.
    always
        Those of the others that stand there however long the foot is.
    in_one_line
        Whether the others share a line, where they do not have one each.

    Examples
    --------
    >>> fitted_foot(["a" * 90], ["b" * 90, "c" * 90, "d"], pointer="notes=True")[0][1:]
    ['bbb...', 'd 1 note: notes=True.']
    """
    if not pointer:
        return _laid_out(first, others, in_one_line), []
    shown = [text for text in others if text in always]
    left: list[str] = []
    for text in others:
        if text in shown:
            continue
        pointed = _notes_counted(n_notes + len(left) + 1, pointer)
        tried = _laid_out(first, [*shown, text], in_one_line, pointed)
        if paragraph(tried, WIDTH).count("\n") < _FOOT:
            shown.append(text)
        else:
            left.append(text)
    shown = [text for text in others if text in shown]
    pointed = _notes_counted(n_notes + len(left), pointer)
    return _laid_out(first, shown, in_one_line, pointed), left


def fits(lines: Sequence[str]) -> bool:
    """Return whether lines make a foot of three lines at most."""
    return paragraph(lines, WIDTH).count("\n") < _FOOT


def _laid_out(
    first: Sequence[str], others: Sequence[str], in_one_line: bool, last: str = ""
) -> list[str]:
    """Return the lines of a foot, of which the last ends with how notes are asked
    for.
    """
    rest = [text for text in others if text]
    if in_one_line:
        joined = " ".join(text for text in (*rest, last) if text)
        return [line for line in (*first, joined) if line]
    lines = [line for line in (*first, *rest) if line]
    if not last:
        return lines
    return [*lines[:-1], " ".join((*lines[-1:], last))]


def _notes_counted(n: int, pointer: str) -> str:
    return f"{n} note{'s' * (n > 1)}: {pointer}." if n and pointer else ""
