"""Text in the columns of a terminal: names that are cut, paragraphs that break between
words, and the foot of a table, which has three lines at most.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from causalgia.inputs import wide

WIDTH = 100
"""Columns in which tables of several tasks stand side by side."""
_FOOT = 3
_MOST_COLUMNS = 60


def start_of(name: str, most: float) -> str:
    """Return the letters of a name that fit into this many columns."""
    taken = 0
    for i, letter in enumerate(name):
        taken += wide(letter)
        if taken > most:
            return name[:i]
    return name


def cut(name: str, most: float = _MOST_COLUMNS) -> str:
    """Return a name of at most this many columns of a terminal, cut with an ellipsis.

    Examples
    --------
    >>> cut("GATA1"), cut("A" * 80, 5), cut("漢字漢字", 5)
    ('GATA1', 'AAAA…', '漢字…')
    """
    return name if wide(name) <= most else f"{start_of(name, most - 1)}…"


def cut_apart(names: Sequence[str], most: float) -> dict[str, str]:
    """Return each name as `cut` shows it, in the middle where several have the same
    beginning, so that they stay apart.

    Examples
    --------
    >>> cut_apart(["GATA1", "A" * 9, "CCCCCCCCG", "CCCCCCCCT"], 7)
    {'GATA1': 'GATA1', 'AAAAAAAAA': 'AAAAAA…', 'CCCCCCCCG': 'CCC…CCG', 'CCCCCCCCT': 'CCC…CCT'}
    """
    shown = {name: cut(name, most) for name in names}
    common = Counter(shown.values())
    for name in (name for name in shown if common[shown[name]] > 1):
        head = start_of(name, most // 2)
        shown[name] = f"{head}…{start_of(name[::-1], most - 1 - wide(head))[::-1]}"
    common = Counter(shown.values())
    for i, name in enumerate(shown):
        if common[shown[name]] > 1:
            shown[name] = f"{start_of(name, most - 1 - len(str(i + 1)))}…{i + 1}"
    return shown


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
            first = start_of(longer, width) or longer[0]
            lines.append(first)
            longer = longer[len(first) :]
        line = longer
    return "\n".join([*lines, line])


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
    ['bbb...', 'd 1 note (notes=True).']
    """
    shown = [text for text in others if text in always or not pointer]
    left: list[str] = []

    def laid_out(texts: Sequence[str], n: int) -> list[str]:
        pointed = f"{n} note{'s' * (n > 1)} ({pointer})." if n and pointer else ""
        rest = [text for text in others if text and text in texts]
        if in_one_line:
            rest = [" ".join(text for text in (*rest, pointed) if text)]
        lines = [line for line in (*first, *rest) if line]
        if in_one_line or not pointed:
            return lines
        return [*lines[:-1], " ".join([*lines[-1:], pointed])]

    for text in others:
        if text in shown:
            continue
        if fits(laid_out([*shown, text], n_notes + len(left) + 1)):
            shown.append(text)
        else:
            left.append(text)
    return laid_out(shown, n_notes + len(left)), left


def fits(lines: Sequence[str]) -> bool:
    """Return whether lines make a foot of three lines at most."""
    return paragraph(lines, WIDTH).count("\n") < _FOOT
