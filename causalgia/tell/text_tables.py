"""Tables of text in the columns of a terminal: names are cut and columns give way where
there is no room, and where there is very little each row takes two lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from causalgia.inputs import wide
from causalgia.tell.answer_sentences import cut_apart

NAME_COLUMNS = {"contrast": 40, "task": 30}
"""Columns of a terminal for the names of a table, which are cut beyond them."""
GIVING_WAY = ("q", "shrunken")
"""Columns that a table does without where there is no room, the first to go first."""
_LEFT = {"contrast", "task", "model", "verdict"}
"""Columns of words, which are aligned left; numbers are aligned right."""
_LEAST_NAME_WIDTH = 16
"""Columns that a name has at least, unless it is shorter."""


def laid_out(lines: Sequence[Sequence[str]], words: Sequence[str] = ()) -> list[str]:
    """Return a table, of which the first line is the heading, in aligned columns.

    Examples
    --------
    >>> laid_out([["contrast", "ACE"], ["GATA1", "1.4"], ["mutant", "-0.1"]])
    ['contrast   ACE', 'GATA1      1.4', 'mutant    -0.1']
    """
    lines = without_q_twice(lines)
    widths = [max(map(wide, column)) for column in zip(*lines, strict=True)]
    left = [name in _LEFT or name in words for name in lines[0]]
    return [
        "  ".join(
            padded(cell, width, left=left_)
            for cell, width, left_ in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in lines
    ]


def without_q_twice(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the lines of a table, below its heading, without the q of a verdict that
    it withholds where a column has it.

    Examples
    --------
    >>> without_q_twice([["verdict", "q"], ["undecided (q .08)", "0.08"]])[1]
    ['undecided', '0.08']
    """
    header = list(lines[0])
    if "q" not in header or "verdict" not in header:
        return [list(line) for line in lines]
    at, q = header.index("verdict"), header.index("q")
    return [
        header,
        *(
            [
                cell.partition(" (")[0] if i == at and line[q] else cell
                for i, cell in enumerate(line)
            ]
            for line in lines[1:]
        ),
    ]


def padded(cell: str, width: int, *, left: bool) -> str:
    """Return a cell of this many columns of a terminal.

    Examples
    --------
    >>> padded("漢", 4, left=True), padded("1.4", 4, left=False)
    ('漢  ', ' 1.4')
    """
    space = " " * (width - wide(cell))
    return f"{cell}{space}" if left else f"{space}{cell}"


def table_within(
    header: Sequence[str],
    lines: Sequence[Sequence[str]],
    width: float,
    words: Sequence[str] = (),
) -> tuple[list[str], bool]:
    r"""Return a table in at most this many columns of a terminal, and whether names were
    cut for it.

    Names have at most 40 columns (tasks 30). Where the table is wider, names get fewer
    and q and shrunken effects give way; where 16 columns a name are too many, each row
    has its names on one line and its numbers on the next.

    Parameters
    ----------
    header, lines
        Headings, and cells.
    width
        Columns of the terminal.
    words
        Headings of columns of words besides those of a table of effects.

    Examples
    --------
    >>> header = ["contrast", "ACE", "95 % interval", "verdict", "q"]
    >>> line = ["GATA1, core broken", "1.4", "[1.3, 1.5]", "increases", "<1e-4"]
    >>> print("\n".join(table_within(header, [line], 50)[0]))
    contrast            ACE  95 % interval  verdict
    GATA1, core broken  1.4     [1.3, 1.5]  increases
    >>> print("\n".join(table_within(header, [line], 40)[0]))
    contrast
      ACE  95 % interval  verdict      q
    GATA1, core broken
      1.4     [1.3, 1.5]  increases  <1e-4
    """
    names = [name for name in header if name in NAME_COLUMNS or name in words]
    most = {name: NAME_COLUMNS[name] for name in names if name in NAME_COLUMNS}
    made, is_cut = _with_names_cut(header, lines, most)
    table = laid_out([header, *made], words)
    if max(map(wide, table)) <= width:
        return table, is_cut
    for dropped in (GIVING_WAY[:0], GIVING_WAY[:1], GIVING_WAY):
        keep = [i for i, name in enumerate(header) if name not in dropped]
        head = [header[i] for i in keep]
        shown = [[line[i] for i in keep] for line in without_q_twice([header, *made])]
        over = max(map(wide, laid_out(shown, words))) - width
        longest = {
            name: max(wide(line[head.index(name)]) for line in shown) for name in names
        }
        room = {name: max(long, _LEAST_NAME_WIDTH) for name, long in longest.items()}
        while over > 0 and any(long > _LEAST_NAME_WIDTH for long in room.values()):
            name = max(room, key=lambda one: room[one])
            room[name] -= 1
            over -= 1 if room[name] < longest[name] else 0
        if over <= 0:
            short, also_cut = _with_names_cut(head, shown[1:], room)
            return laid_out([head, *short], words), is_cut or also_cut
    table, also_cut = _in_two_lines(header, made, width, names, words)
    return table, is_cut or also_cut


def _with_names_cut(
    header: Sequence[str], lines: Sequence[Sequence[str]], most: Mapping[str, int]
) -> tuple[list[list[str]], bool]:
    """Return lines with names of so many columns, and whether any was cut."""
    made, is_cut = [list(line) for line in lines], False
    for name, columns in most.items():
        i = list(header).index(name)
        short = cut_apart([line[i] for line in lines], columns)
        is_cut |= any(short[line[i]] != line[i] for line in lines)
        for line in made:
            line[i] = short[line[i]]
    return made, is_cut


def _in_two_lines(
    header: Sequence[str],
    lines: Sequence[Sequence[str]],
    width: float,
    names: Sequence[str],
    words: Sequence[str],
) -> tuple[list[str], bool]:
    """Return a table with the names of each row on one line, and its numbers on the
    next; and whether names were cut for it.
    """
    space = "  "
    at = [i for i, name in enumerate(header) if name in names]
    rest = [i for i in range(len(header)) if i not in at]
    made, is_cut = [list(line) for line in lines], False
    if any(wide(space.join(line[i] for i in at)) > width for line in lines):
        share = (int(width) - len(space) * (len(at) - 1)) // len(at)
        columns = dict.fromkeys(names, max(share, 4))
        made, is_cut = _with_names_cut(header, lines, columns)
    whole = without_q_twice([header, *made])
    for dropped in (GIVING_WAY[:0], GIVING_WAY[:1], GIVING_WAY):
        shown = [i for i in rest if header[i] not in dropped]
        seconds = laid_out([[line[i] for i in shown] for line in whole], words)
        if max(map(wide, seconds)) + len(space) <= width:
            break
    table = [
        text
        for line, second in zip(whole, seconds, strict=True)
        for text in (space.join(line[i] for i in at if line[i]), f"{space}{second}")
    ]
    return table, is_cut
