"""Numbers and tables for readers: rounding by standard errors, p-values, and cells as
Markdown, HTML and LaTeX.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Collection, Mapping, Sequence
from statistics import NormalDist
from typing import Any, Literal

from causalgia.checks import four_digits

_MISSING = "n/a"
_LARGE, _MOST_DECIMALS, _MOST_DIGITS = 1e7, 7, 16
_FAR_WIDER = 100
_MOST_PLACES = 6
"""A limit that would be rounded to 0 has so many decimals before it is written with an
exponent.
"""


def percent(level: float) -> str:
    """Return a probability in per cent: four digits, and more where they would round it
    to 100 %.

    Examples
    --------
    >>> percent(0.95), percent(1 - 0.05 / 12), percent(1 - 0.05 / 4096), percent(1.0)
    ('95 %', '99.58 %', '99.9988 %', '100 %')
    """
    if not 0.999 < level < 1:
        return f"{100 * level:.4g} %"
    decimals = min(1 - math.floor(math.log10(100 * (1 - level))), _MOST_DIGITS)
    return f"{f'{100 * level:.{decimals}f}'.rstrip('0')} %"


def format_effect(
    row: Mapping[str, Any], *, scientific: bool = False
) -> tuple[str, str]:
    """Return an effect and its interval as text, to the decimal of the second
    significant digit of the standard error.

    Without a standard error the interval gives it. A limit other than 0 is not rounded
    to 0, so that an interval that excludes 0 shows it. An infinite limit is an open
    end, "(-inf, 1.20]"; an interval without limits (a ratio whose denominator may be 0)
    is "unbounded".

    Parameters
    ----------
    row
        ``ace``, and as far as there are ``se``, ``lower``, ``upper`` and, for verdicts,
        ``rope_lower`` and ``rope_upper``: a limit gets more digits where rounding would
        put it on an end of the ROPE.
    scientific
        Whether all numbers are in scientific notation, as they are anyway if one of the
        row `is_large`.

    Examples
    --------
    >>> format_effect({"ace": 1.38123, "se": 0.0463, "lower": 1.29, "upper": 1.472})
    ('1.381', '[1.290, 1.472]')
    >>> format_effect({"ace": -0.07, "lower": -0.2369, "upper": -0.0031})
    ('-0.070', '[-0.237, -0.003]')
    >>> format_effect({"ace": 0.25})
    ('0.2500', '')
    >>> format_effect({"ace": 41.38, "se": 30.2, "lower": -math.inf, "upper": math.inf})
    ('41', 'unbounded')
    >>> format_effect({"ace": 0.5, "se": 0.2, "lower": -math.inf, "upper": 0.83})
    ('0.50', '(-inf, 0.83]')
    >>> format_effect(
    ...     {
    ...         "ace": 0.3,
    ...         "se": 0.1,
    ...         "lower": 0.1042,
    ...         "upper": 0.5,
    ...         "rope_lower": -0.1,
    ...         "rope_upper": 0.1,
    ...     }
    ... )
    ('0.30', '[0.104, 0.50]')
    >>> format_effect({"ace": -0.0037, "se": 0.0023, "lower": -0.009, "upper": 0.00002})
    ('-0.0037', '[-0.0090, 0.00002]')
    """
    lower, upper, se = (
        row.get("lower"),
        row.get("upper"),
        row.get("se") or abs(row["ace"]) / 100,
    )
    scientific = scientific or is_large(row)
    ace = format_number(row["ace"], se, scientific=scientific)
    if lower is None or upper is None:
        return ace, ""
    if math.isinf(lower) and math.isinf(upper):
        return ace, "unbounded"
    if math.isfinite(upper - lower):
        implied = (upper - lower) / 2 / NormalDist().inv_cdf(0.975)
        if not row.get("se"):
            se = implied or se
        elif (
            implied > _FAR_WIDER * se
        ):  # the rounding of the predictor's answers, beside which the error is nothing
            se = implied
    rope = [
        row[name]
        for name in ("rope_lower", "rope_upper")
        if math.isfinite(row.get(name) or math.nan)
    ]
    left = (
        f"[{_format_limit(lower, se, rope, scientific)}"
        if math.isfinite(lower)
        else "(-inf"
    )
    right = (
        f"{_format_limit(upper, se, rope, scientific)}]"
        if math.isfinite(upper)
        else "inf)"
    )
    return format_number(row["ace"], se, scientific=scientific), f"{left}, {right}"


def shrunken_effect(
    row: Mapping[str, Any], *, scientific: bool = False
) -> tuple[str, str]:
    """Return the hierarchical effect size of a row and its interval as text.

    Examples
    --------
    >>> shrunken_effect(
    ...     {"shrunken": 0.91234, "shrunken_lower": 0.8, "shrunken_upper": 1.0}
    ... )
    ('0.912', '[0.800, 1.000]')
    """
    names = {"shrunken": "ace", "shrunken_lower": "lower", "shrunken_upper": "upper"}
    return format_effect(
        {names[name]: row[name] for name in names}, scientific=scientific
    )


def is_large(row: Mapping[str, Any]) -> bool:
    """Return whether the effect or a limit of its interval is so large (1e7) that
    scientific notation is shorter.

    Examples
    --------
    >>> (
    ...     is_large({"ace": 2e6, "lower": -8e6, "upper": 1.2e7}),
    ...     is_large({"ace": 0.5, "upper": math.inf}),
    ... )
    (True, False)
    """
    sizes = (abs(row.get(name) or 0.0) for name in ("ace", "lower", "upper"))
    return any(_LARGE <= size < math.inf for size in sizes)


def _format_limit(
    limit: float, se: float, rope: Sequence[float], scientific: bool
) -> str:
    """Return a limit that does not cross 0 or an end of the ROPE by being rounded."""
    rounded = format_number(limit, se, scientific=scientific)
    if float(rounded) == 0 and abs(limit) > 1e-6 * se:
        first = -math.floor(math.log10(abs(limit)))  # the place of its first digit
        if scientific or first > _MOST_PLACES:
            return f"{limit:.1g}"
        return f"{limit:.{first}f}"
    for end in rope:
        if math.isclose(limit, end, rel_tol=1e-12):
            return (
                rounded
                if math.isclose(float(rounded), end, rel_tol=1e-12)
                else four_digits(end)
            )
    for _ in range(4):
        se /= 10
        if all(
            (limit < end) == (float(rounded) < end)
            and (limit > end) == (float(rounded) > end)
            for end in rope
        ):
            break
        rounded = format_number(limit, se, scientific=scientific)
    return rounded


def format_se(se: float, *, scientific: bool = False) -> str:
    """Return a standard error as text: two significant digits.

    Examples
    --------
    >>> format_se(0.00389), format_se(0.0), format_se(1234.5), format_se(3.21e-9)
    ('0.0039', '0', '1200', '3.2e-09')
    """
    # a 0 may have a sign
    return format_number(abs(se), abs(se), scientific=scientific) if se else "0"


def format_number(value: float, se: float, *, scientific: bool = False) -> str:
    """Return a number, rounded to the decimal of the second significant digit of its
    standard error.

    A number far smaller than its standard error is rounded to a whole one.

    Parameters
    ----------
    value
        The number.
    se
        Its standard error, or another unit of rounding; 0 or not finite: four
        significant digits are shown.
    scientific
        Whether it is in scientific notation, which is used anyway from 1e7 and for more
        than 7 decimals.

    Examples
    --------
    >>> (
    ...     format_number(1.38123, 0.031),
    ...     format_number(-0.0001, 0.5),
    ...     format_number(1.5e-9, 2e-10),
    ... )
    ('1.381', '0.00', '1.50e-09')
    >>> (
    ...     format_number(123456.0, 1234.5),
    ...     format_number(5.0, 2000.0),
    ...     format_number(0.0, 1e-9),
    ... )
    ('123500', '5', '0')
    >>> (
    ...     format_number(99.96, 0.31, scientific=True),
    ...     format_number(99.96, 3.1, scientific=True),
    ... )
    ('9.996e+01', '1.000e+02')
    """
    if math.isnan(value):
        return _MISSING
    if not se > 0 or not math.isfinite(se) or math.isinf(value):
        return four_digits(value)
    decimals = 1 - int(f"{se:.1e}".partition("e")[2])
    rounded = round(value, decimals) + 0.0
    if scientific or decimals > _MOST_DECIMALS or abs(value) >= _LARGE:
        digits = decimals + math.floor(math.log10(abs(rounded))) if rounded else 0
        return f"{rounded:.{min(max(digits, 0), _MOST_DIGITS)}e}" if rounded else "0"
    if not rounded and decimals < 0:
        rounded = round(value) + 0.0
    return f"{rounded:.{max(decimals, 0)}f}"


def number(value: float, of: float, *, signed: bool = False) -> str:
    """Return a number to the decimals of three digits of another.

    Examples
    --------
    >>> number(-0.00373, 0.593), number(12.345, 12.345, signed=True), number(0.0, 0.0)
    ('-0.004', '+12.3', '0')
    """
    if not math.isfinite(value):
        return "n/a"
    size = abs(of)
    digits = max(0, 2 - math.floor(math.log10(size))) if size > 0 else 0
    text = f"{value:{'+' if signed else ''}.{min(digits, 12)}f}"
    return text if float(text) else text.lstrip("+-")


NAMES = {"contrast", "task", "model", "verdict", "units"}
_MINUS = re.compile(r"(?<![\w.])-(?=[\d.]|inf)")
_MARKS = re.compile(r"([\\`*_{}\[\]<>|~#$&])")
_LATEX = {
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    **{
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    },
    **{
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        **{mark: f"{{{mark}}}" for mark in "[]*"},  # options of a row's end
        "−": "$-$",
        "×": r"$\times$",
        "±": r"$\pm$",
    },
}


def _shown(
    header: Sequence[str], lines: Sequence[Sequence[str]], words: Collection[str]
) -> list[list[str]]:
    """Return the lines of a table with minus signs in its numbers."""
    return [
        [
            cell if name in words else with_minus(cell)
            for name, cell in zip(header, line, strict=True)
        ]
        for line in lines
    ]


def markdown_table(
    header: list[str],
    lines: list[list[str]],
    notes: list[str],
    *,
    names: Collection[str] = frozenset(NAMES),
) -> str:
    r"""Return a table as Markdown, with notes below; `names` are columns of words.

    Examples
    --------
    >>> print(
    ...     markdown_table(
    ...         ["contrast", "ACE"], [["GATA_1", "-1.5"]], ["On log counts."]
    ...     )
    ... )
    | contrast | ACE |
    | :-- | --: |
    | GATA\_1 | −1.5 |
    <BLANKLINE>
    On log counts.
    <BLANKLINE>
    """

    def row(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cells)} |"

    rule = [":--" if name in names else "--:" for name in header]
    first = [_MARKS.sub(_escape, name) for name in header]
    body = [
        [
            _MARKS.sub(_escape, cell) if name in names else cell
            for name, cell in zip(header, line, strict=True)
        ]
        for line in _shown(header, lines, names)
    ]
    below = (f"{_MARKS.sub(_escape, note)}  " for note in notes)
    table = [row(first), row(rule), *map(row, body)]
    return "\n".join([*table, "", *below]).rstrip() + "\n"


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


def html_table(
    header: list[str],
    lines: list[list[str]],
    notes: list[str],
    words: Collection[str] = (),
) -> str:
    """Return a table as HTML, with notes as its caption; besides those of names,
    columns under `words` are of words.

    Examples
    --------
    >>> ">GATA &amp; TAL</td>" in html_table(
    ...     ["contrast", "ACE"], [["GATA & TAL", "-1.5"]], []
    ... )
    True
    """
    left = {*NAMES, *words}
    sides = ["left" if name in left else "right" for name in header]

    def row(cells: Sequence[str], tag: str) -> str:
        inside = "".join(
            f"<{tag} style='text-align: {side}'>{html.escape(text)}</{tag.split()[0]}>"
            for text, side in zip(cells, sides, strict=True)
        )
        return f"<tr>{inside}</tr>"

    body = "\n".join(row(line, "td") for line in _shown(header, lines, left))
    caption = "<br>\n".join(map(html.escape, notes))
    head = row(header, 'th scope="col"')
    return (
        "<table>\n"
        f"<caption style='caption-side: bottom; text-align: left'>{caption}</caption>\n"
        f"<thead>\n{head}\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"
    )


def latex_table(
    header: list[str],
    lines: list[list[str]],
    notes: list[str],
    *,
    names: Collection[str] = frozenset(NAMES),
) -> str:
    r"""Return a table as LaTeX with the rules of booktabs, with notes as its caption.

    Examples
    --------
    >>> r"GATA\_1 & $-$1.5 \\" in latex_table(
    ...     ["contrast", "ACE"], [["GATA_1", "-1.5"]], []
    ... )
    True
    """
    sides = "".join("l" if name in names else "r" for name in header)
    head, *rows = (
        rf"{' & '.join(map(_tex, line))} \\"
        for line in (header, *_shown(header, lines, names))
    )
    caption = _tex(
        " ".join(note if note.endswith((".", ":")) else f"{note}." for note in notes)
    )
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{caption}}}",
            rf"\begin{{tabular}}{{{sides}}}",
            r"\toprule",
            head,
            r"\midrule",
            *rows,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _tex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
