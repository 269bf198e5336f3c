"""Tables: headings, cells, and which columns are words; text, Markdown, HTML and LaTeX only
lay them out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from causalgia.errors import printable
from causalgia.inputs import wide
from causalgia.tell.folded_text import cut_apart
from causalgia.tell.table_formats import (
    NAMES,
    html_table,
    latex_table,
    markdown_table,
)

NAME_COLUMNS = {"contrast": 40, "task": 30}
"""Columns of a terminal for the names of a table, which are cut beyond them."""
_DROPPED = (), ("q",), ("q", "shrunken")
"""Columns that a table does without where there is no room."""
_LEAST_NAME_WIDTH = 16
"""Columns that a name has at least, unless it is shorter."""
_GAP = "  "


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headings and cells, printable; the columns under `NAMES` and `words` are words.

    Of `tasks` beside each other the headings after the first, and the cells under them,
    are those of each task in turn. Text ends words after so many `letters`.
    """

    header: Sequence[str] = ()
    lines: Sequence[Sequence[str]] = ()
    words: Collection[str] = ()
    tasks: Sequence[str] = field(default=())
    letters: float = math.inf

    def text(self, width: float = math.inf) -> tuple[list[str], bool]:
        """Return lines of text within a width, and whether names are cut for it."""
        if not self.lines:
            return [], False
        return table_within(self.header, self.lines, width, self.words, self.letters)

    def beside(self, width: float, *, whole: bool) -> tuple[list[str], bool] | None:
        """Return tasks beside each other, and whether names are cut; None where they do
        not fit.
        """
        most = dict.fromkeys(NAME_COLUMNS, math.inf) if whole else NAME_COLUMNS
        tasks = cut_apart(self.tasks, most["task"])
        labels = cut_apart([line[0] for line in self.lines], most["contrast"])
        is_cut = any(short != name for name, short in (tasks | labels).items())
        each = (len(self.header) - 1) // len(self.tasks)
        columns = list(zip(self.header, *self.lines, strict=True))[1:]
        first = ["", "", *(labels[line[0]] for line in self.lines)]
        for dropped in _DROPPED:
            blocks = [first]
            for t, name in enumerate(self.tasks):
                own = columns[t * each : (t + 1) * each]
                used = [c for c in own if c[0] not in dropped and any(c[1:])]
                laid = laid_out(list(zip(*used, strict=True))) or [""] * len(first[1:])
                blocks.append([tasks[name], *laid])
            widths = [max(map(wide, block)) for block in blocks]
            of_width = [
                [padded(x, n) for x in block]
                for block, n in zip(blocks, widths, strict=True)
            ]
            found = ["   ".join(x).rstrip() for x in zip(*of_width, strict=True)]
            if max(map(wide, found)) <= width:
                return found, is_cut
        return None

    def markdown(self, notes: Sequence[str] = ()) -> str:
        """Return the table as Markdown, with notes below."""
        return markdown_table(*self._plain(notes), names={*NAMES, *self.words})

    def html(self, notes: Sequence[str] = ()) -> str:
        """Return the table as HTML, with notes as its caption."""
        return html_table(*self._plain(notes), self.words)

    def latex(self, notes: Sequence[str] = ()) -> str:
        """Return the table as LaTeX with the rules of booktabs, with notes as its
        caption.
        """
        return latex_table(*self._plain(notes), names={*NAMES, *self.words})

    def _plain(
        self, notes: Sequence[str]
    ) -> tuple[list[str], list[list[str]], list[str]]:
        lines = [list(line) for line in self.lines]
        return list(self.header), lines, [printable(note) for note in notes if note]


def laid_out(lines: Sequence[Sequence[str]], words: Collection[str] = ()) -> list[str]:
    """Return a table, of which the first line is the heading, in aligned columns.

    Examples
    --------
    >>> laid_out([["contrast", "ACE"], ["GATA1", "1.4"], ["mutant", "-0.1"]])
    ['contrast   ACE', 'GATA1      1.4', 'mutant    -0.1']
    """
    widths = [max(map(wide, column)) for column in zip(*lines, strict=True)]
    left = [name in NAMES or name in words for line in lines[:1] for name in line]
    return [
        _GAP.join(
            padded(cell, width, left=side)
            for cell, width, side in zip(line, widths, left, strict=True)
        ).rstrip()
        for line in lines
    ]


def padded(cell: str, width: int, *, left: bool = True) -> str:
    """Return a cell of this many columns of a terminal.

    Examples
    --------
    >>> padded("漢", 4), padded("1.4", 4, left=False)
    ('漢  ', ' 1.4')
    """
    space = " " * (width - wide(cell))
    return f"{cell}{space}" if left else f"{space}{cell}"


def table_within(
    header: Sequence[str],
    lines: Sequence[Sequence[str]],
    width: float,
    words: Collection[str] = (),
    letters: float = math.inf,
) -> tuple[list[str], bool]:
    r"""Return a table in at most this many columns of a terminal, and whether names were
    cut for it.

    Names have at most 40 columns (tasks 30, other words `letters`); where the table is
    wider q and shrunken effects give way, and names get as few as 16.

    Examples
    --------
    >>> header = ["contrast", "ACE", "95 % interval", "verdict", "q"]
    >>> line = ["GATA1, core broken", "1.4", "[1.3, 1.5]", "increases", "<1e-4"]
    >>> print("\n".join(table_within(header, [line], 50)[0]))
    contrast            ACE  95 % interval  verdict
    GATA1, core broken  1.4     [1.3, 1.5]  increases
    """
    table = [header, *lines]
    if width == math.inf:
        return laid_out(table, words), False
    longest = [max(map(wide, column)) for column in zip(*table, strict=True)]
    most = {
        i: int(min(longest[i], NAME_COLUMNS.get(name, letters)))
        for i, name in enumerate(header)
        if name in NAME_COLUMNS or name in words
    }
    for dropped in _DROPPED:
        keep = [i for i, name in enumerate(header) if name not in dropped]
        room = width - len(_GAP) * (len(keep) - 1)
        room -= sum(longest[i] for i in keep if i not in most)
        fewer = range(max(most.values(), default=0), _LEAST_NAME_WIDTH - 1, -1)
        tried = [{i: min(long, n) for i, long in most.items()} for n in fewer] or [most]
        names = next((x for x in tried if sum(x.values()) <= room), tried[-1])
        if sum(names.values()) <= room:
            break
    short, is_cut = _cut_names(table, names)
    return laid_out([[line[i] for i in keep] for line in short], words), is_cut


def _cut_names(
    table: Sequence[Sequence[str]], most: Mapping[int, int]
) -> tuple[list[list[str]], bool]:
    """Return lines with names of so many columns by place, and whether any was cut."""
    made = [list(line) for line in table]
    for i, n in most.items():
        short = cut_apart([line[i] for line in table], n)
        for line in made:
            line[i] = short[line[i]]
    return made, made != [list(line) for line in table]
