"""Tables of text cells as Markdown, HTML and LaTeX, with names escaped and the sign for minus."""

from __future__ import annotations

import html
import re
from collections.abc import Set
from typing import Literal

NAMES = {"contrast", "task", "model", "verdict", "exact"}
_MINUS = re.compile(r"(?<![\w.])-(?=[\d.]|inf)")
_MARKS = re.compile(r"([\\`*_{}\[\]<>|~#])")
_LATEX = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{"<": r"\textless{}", ">": r"\textgreater{}", "−": "$-$", "×": r"$\times$", "±": r"$\pm$"},
}


def markdown_table(
    header: list[str], lines: list[list[str]], notes: list[str], *, names: Set[str] = frozenset(NAMES)
) -> str:
    r"""Return a table of `causalgia.reporting.cells` as Markdown, with notes below; `names` are columns of text.

    Examples
    --------
    >>> print(markdown_table(["contrast", "ACE"], [["GATA_1", "-1.5"]], ["On log counts."]))
    | contrast | ACE |
    | :-- | --: |
    | GATA\_1 | −1.5 |
    <BLANKLINE>
    On log counts.
    <BLANKLINE>
    """
    rule = [":--" if name in names else "--:" for name in header]
    body = [
        [
            _MARKS.sub(_escape, cell) if name in names else with_minus(cell)
            for name, cell in zip(header, line, strict=True)
        ]
        for line in lines
    ]
    table = [f"| {' | '.join(row)} |" for row in [[_MARKS.sub(_escape, name) for name in header], rule, *body]]
    return "\n".join([*table, "", *(f"{_MARKS.sub(_escape, note)}  " for note in notes)]).rstrip() + "\n"


def with_minus(text: str) -> str:
    """Return a number as text with the sign for minus in place of a hyphen.

    Examples
    --------
    >>> with_minus("[-0.5, 1e-4]")
    '[−0.5, 1e-4]'
    """
    return _MINUS.sub("−", text)


def escaped(text: str, to: Literal["markdown", "latex"]) -> str:
    r"""Return a sentence that stands as it is in Markdown or LaTeX.

    Examples
    --------
    >>> print(escaped("TAL1_a", "markdown"), escaped("5 %", "latex"))
    TAL1\_a 5 \%
    """
    return _tex(text) if to == "latex" else _MARKS.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def html_table(header: list[str], lines: list[list[str]], notes: list[str]) -> str:
    """Return a table of `causalgia.reporting.cells` as HTML, with notes as its caption.

    Examples
    --------
    >>> ">GATA &amp; TAL</td>" in html_table(["contrast", "ACE"], [["GATA & TAL", "-1.5"]], [])
    True
    """

    def row(cells: list[str], tag: str) -> str:
        texts = [with_minus(c) if name not in NAMES else c for name, c in zip(header, cells, strict=True)]
        sides = [f" style='text-align: {'left' if name in NAMES else 'right'}'" for name in header]
        scope = ' scope="col"' if tag == "th" else ""
        inside = zip(texts, sides, strict=True)
        return "<tr>" + "".join(f"<{tag}{scope}{side}>{html.escape(text)}</{tag}>" for text, side in inside) + "</tr>"

    caption = "<br>\n".join(map(html.escape, notes))
    body = "\n".join(row(line, "td") for line in lines)
    return (
        f"<table>\n<caption style='caption-side: bottom; text-align: left'>{caption}</caption>\n"
        f"<thead>\n{row(header, 'th')}\n</thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n"
    )


def latex_table(header: list[str], lines: list[list[str]], notes: list[str]) -> str:
    r"""Return a table of `causalgia.reporting.cells` as LaTeX with the rules of booktabs, with notes as its caption.

    Examples
    --------
    >>> r"GATA\_1 & $-$1.5 \\" in latex_table(["contrast", "ACE"], [["GATA_1", "-1.5"]], [])
    True
    """
    columns = "".join("l" if name in NAMES else "r" for name in header)
    rows = [
        " & ".join(_tex(cell if name in NAMES else with_minus(cell)) for name, cell in zip(header, line, strict=True))
        for line in lines
    ]
    caption = " ".join(_tex(note if note.endswith((".", ":")) else f"{note}.") for note in notes)
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
