"""Style of all figures: colors, labels, legends, and saving."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from causalgia.attributes import about, has
from causalgia.checks import is_not_among, listed
from causalgia.effect_table import selected_tasks, tasks_in_table
from causalgia.errors import DataError, EstimateError, printable, quoted
from causalgia.tell._trial_report import versus
from causalgia.tell.effect_rows import Row, rows
from causalgia.tell.verdict_sentences import is_simultaneous
from causalgia.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

INK, GRAY, BAND, ACCENT, ROPE, GRID = (
    "#1b1f24",
    "#6b7480",
    "#e8eaed",
    "#1f5fa8",
    "#dcebdd",
    "#d5d9de",
)
# apart in lightness or in blue, which a reader who takes red for green sees as well
DOWN, _WITHIN = "#d55e00", "#00795a"
VERDICTS = {
    "increases": ACCENT,
    "decreases": DOWN,
    "negligible": _WITHIN,
    "within": _WITHIN,
    "undecided": "#8a8f98",
}
MODELS = (ACCENT, DOWN, _WITHIN, "#cc79a7", "#e69f00", "#56b4e9")
EFFECT = "effect"
_NARROW = 4.5  # inches
PAGE = 7.08  # inches: 180 mm, the width of a journal's page; no figure is wider
INCHES_A_LETTER = 0.083  # of the names of rows and columns
MOST_POINTS = 20_000  # single points that a figure draws
UNNAMED_TASK = "effect"  # of effects without tasks
#: Names are written literally: a dollar sign does not start a formula.
AS_IT_IS: dict[str, Any] = {"parse_math": False, "usetex": False}


_NO_GLYPH = "Glyph |Matplotlib currently does not support"


@contextmanager
def _unknown_letters() -> Iterator[None]:
    """Draw letters that the font lacks as empty boxes, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_NO_GLYPH)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of a size in inches, without pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    if _CHOSEN["style"] == "dark":
        light = figure.draw

        def draw(renderer: Any) -> None:
            _darken(figure)
            light(renderer)

        figure.draw = draw  # type: ignore[method-assign]
    return figure


_CHOSEN = {"style": "light"}
_PAPER, _CHALK = "#14171a", "#e6e9ec"
_DARK = {
    INK: _CHALK,
    "#000000": _CHALK,
    "#ffffff": _PAPER,
    GRAY: "#a3adb8",
    BAND: "#30363d",
    ROPE: "#1f4032",
    GRID: "#3a4048",
    ACCENT: "#62a8ee",
    DOWN: "#ff8f45",
    _WITHIN: "#3cc79a",
    "#8a8f98": "#b4bac2",
}


def use_style(name: Literal["light", "dark"]) -> None:
    """Choose the style of the figures that are drawn from now on: light, for paper, or
    dark, for slides and dark pages.

    The colors of verdicts differ in lightness or in blue in both, so that readers who
    take red for green tell them apart; matplotlib's settings are left as they are.

    Parameters
    ----------
    name
        ``"light"`` (the default of the library) or ``"dark"``. Figures into given axes
        are not changed.

    Raises
    ------
    DataError
        If it is neither.

    Examples
    --------
    >>> use_style("dark")
    >>> new_figure(2.0, 1.0).canvas.draw()
    >>> use_style("light")
    """
    if name not in ("light", "dark"):
        raise DataError(f"use_style: {quoted(name)} is neither 'light' nor 'dark'")
    _CHOSEN["style"] = name


def _darken(figure: Figure) -> None:
    """Give the artists of a figure the dark colors of their light ones."""
    from matplotlib.collections import Collection
    from matplotlib.colors import to_hex, to_rgba
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    def dark(color: Any) -> Any:
        if isinstance(color, str) and color in ("none", "auto"):
            return color
        rgba = to_rgba(color)
        return (*to_rgba(_DARK.get(to_hex(rgba), rgba))[:3], rgba[3])

    on_colors = {id(text) for axes in figure.axes if axes.images for text in axes.texts}
    for artist in figure.findobj():
        if isinstance(artist, Text):
            if id(artist) not in on_colors:
                artist.set_color(dark(artist.get_color()))
        elif isinstance(artist, Line2D):
            artist.set_color(dark(artist.get_color()))
            artist.set_markerfacecolor(dark(artist.get_markerfacecolor()))
            artist.set_markeredgecolor(dark(artist.get_markeredgecolor()))
        elif isinstance(artist, Patch):
            face, edge = artist.get_facecolor(), artist.get_edgecolor()
            artist.set_facecolor(dark(face))
            artist.set_edgecolor(dark(edge))
        elif isinstance(artist, Collection) and artist.get_array() is None:
            for get, give in (
                (artist.get_facecolor, artist.set_facecolor),
                (artist.get_edgecolor, artist.set_edgecolor),
            ):
                colors = np.asarray(get())
                if len(colors):
                    give([dark(color) for color in colors])


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the given axes, or those of a new figure."""
    return new_figure(width, height).add_subplot() if ax is None else ax


def as_task(table: xr.Dataset, task: str | Sequence[str] | None, figure: str) -> str:
    """Return the task of a figure of one task, by default the only one.

    Raises
    ------
    EstimateError
        If there are several and none is given, or the given one does not exist or is
        several.
    """
    tasks = tasks_in_table(table)
    if task is None and len(tasks) == 1:
        return tasks[0]
    found = [] if task is None else selected_tasks(tasks, task, place=f"{figure}: ")
    if len(found) != 1:
        raise EstimateError(
            f"{figure}: task={quoted(task)} must be one of {listed(tasks)}"
        )
    return found[0]


def task_rows(
    table: xr.Dataset, task: str, truth: xr.DataArray | None = None
) -> list[Row]:
    """Return the rows of one task, each with the coordinates of its contrast."""
    at = tasks_in_table(table).index(task)
    return rows(table.isel(task=[at]) if "task" in table.dims else table, truth=truth)


def on_contrasts(table: xr.Dataset, name: str, figure: str) -> dict[str, Any]:
    """Return contrast -> value of a coordinate, in the order of the contrasts, without
    NaN and empty text.

    Raises
    ------
    EstimateError
        If the contrasts have no such coordinate, or no values in it.

    Examples
    --------
    >>> table = xr.Dataset(
    ...     coords={
    ...         "contrast": ["a", "b"],
    ...         "distance": ("contrast", [4.0, float("nan")]),
    ...     }
    ... )
    >>> on_contrasts(table, "distance", "profile")
    {'a': 4.0}
    """
    known = [
        str(key) for key, coord in table.coords.items() if coord.dims == ("contrast",)
    ]
    if name not in known:
        raise EstimateError(
            f"{figure}: {quoted(name)} {is_not_among(name, known, 'coordinate')}"
        )
    contrasts = [str(contrast) for contrast in table["contrast"].to_numpy()]
    found = dict(zip(contrasts, table[name].to_numpy().tolist(), strict=True))
    found = {
        contrast: value
        for contrast, value in found.items()
        if value == value and value not in ("", None)
    }
    if not found:
        raise EstimateError(f"{figure}: no contrast has a value of {quoted(name)}")
    return found


def numbers_on_contrasts(table: xr.Dataset, name: str, figure: str) -> dict[str, float]:
    """Return contrast -> number, as `on_contrasts`.

    Raises
    ------
    EstimateError
        Also if the coordinate has other values than finite numbers.
    """
    found = on_contrasts(table, name, figure)
    if not all(
        isinstance(value, int | float) and np.isfinite(value)
        for value in found.values()
    ):
        raise EstimateError(
            f"{figure}: {quoted(name)} is not a coordinate of finite numbers"
        )
    return {contrast: float(value) for contrast, value in found.items()}


def reach(table: Iterable[Row], null: float) -> tuple[float, float]:
    """Return the limits at which open intervals are cut: a tenth of the range beyond
    all finite numbers.

    Examples
    --------
    >>> reach([{"ace": 1.0, "lower": -float("inf"), "upper": 2.0}], 0.0)
    (-0.2, 2.2)
    """
    own = ("ace", "lower", "upper", "rope_lower", "rope_upper")
    names = (*own, "shrunken_lower", "shrunken_upper")
    known = [row[name] for row in table for name in names if row.get(name) is not None]
    finite = [null, *(x for x in known if np.isfinite(x))]
    pad = 0.1 * (max(finite) - min(finite)) or 1.0
    return min(finite) - pad, max(finite) + pad


def color_of(row: Row) -> str:
    """Return the color of a row's verdict, or that of estimates."""
    return VERDICTS.get(str(row.get("verdict")), ACCENT)


def shortened(name: str, most: float = 40) -> str:
    """Return a name on one line, as wide as at most 40 letters, with its beginning and
    its end; unprintable characters are escaped.

    Letters of East Asian scripts count twice, the widest Latin ones half as much again,
    and marks that stand on other letters not at all.

    Examples
    --------
    >>> shortened("a motif of no length to speak of"), shortened("GATA1" * 40)
    ('a motif of no length to speak of', 'GATA1GATA1GATA1GATA1GAT…1GATA1GATA1GATA1')
    >>> shortened("転写因子" * 10)
    '転写因子転写因子転写因…転写因子転写因子'
    """
    name = printable(name).replace("\n", " ").replace("\t", " ")
    if letters_wide(name) <= most:
        return name
    begin, end = _cut(name, 0.58 * most), _cut(name[::-1], 0.4 * most)[::-1]
    return f"{begin}…{end}"


def letters_wide(text: str) -> float:
    """Return how wide a text is, in letters.

    Examples
    --------
    >>> letters_wide("GATA1"), letters_wide("WW"), letters_wide("転写")
    (5.0, 3.0, 4.0)
    """
    return float(sum(map(_letter_wide, text)))


def _letter_wide(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 2.0
    return 1.5 if letter in "MW@%mw" else 1.0


def _cut(text: str, most: float) -> str:
    """Return the beginning of a text, as wide as `most` letters."""
    wide = 0.0
    for place, letter in enumerate(text):
        wide += _letter_wide(letter)
        if wide > most:
            return text[:place]
    return text


def axis_label(attrs: Mapping[Any, Any], label: str = EFFECT) -> str:
    """Return the label of an axis of effects: "effect on log counts, minus placebo".

    Examples
    --------
    >>> axis_label({"scale": "log counts", "control": "placebo"})
    'effect on log counts, minus placebo'
    """
    control = (
        f", {versus(attrs)} {shortened(about(attrs).control)}"
        if about(attrs, None).control
        else ""
    )
    return (
        f"{label} on "
        f"{shortened(str(about(attrs, None).contrast_scale or about(attrs, None).scale or 'the outcome'))}{control}"
    )


def interval_label(table: xr.Dataset) -> str:
    """Return the level of the intervals of estimates or decisions, "95 % intervals";
    empty where there are none.

    Examples
    --------
    >>> interval_label(xr.Dataset({"lower": 0.0}, attrs={"ci_prob": 0.95}))
    '95 % intervals'
    >>> interval_label(
    ...     xr.Dataset({"lower": 0.0}, attrs={"ci_prob": 0.95, "band": "dunnett"})
    ... )
    '95 % simultaneous intervals'
    """
    if "lower" not in table or not has(table).ci_prob:
        return ""
    if "p_matched" in table:  # exact effects
        return ""
    return (
        f"{100 * float(about(table).ci_prob):.4g} % "
        f"{'simultaneous ' if is_simultaneous(table) else ''}intervals"
    )


def add_verdicts_to_legend(axes: Axes, table: xr.Dataset) -> None:
    """Add a line to the legend for every verdict of the Dataset, also those of other
    panels.
    """
    present = (
        set(table["verdict"].to_numpy().ravel().tolist())
        if "verdict" in table
        else set()
    )
    for verdict, color in VERDICTS.items():
        if verdict in present and ("model" not in table.dims or verdict == "undecided"):
            fill = "none" if verdict == "undecided" else color
            axes.scatter(
                [], [], s=26, facecolors=fill, edgecolors=color, lw=1.4, label=verdict
            )


_FINGERPRINT = re.compile("[0-9a-f]{32}")
_TITLE: dict[str, Any] = {"fontsize": 10.5, "loc": "left", "color": INK}


def heading(table: xr.Dataset, *names: str) -> str:
    r"""Return what a picture is of: the question, on a line of its own, or the
    experiment; names, the network, the number of units; as far as is known.

    Examples
    --------
    >>> table = xr.Dataset(
    ...     {"n_units": ("contrast", [80, 80])}, attrs={"predictor": "rbfox"}
    ... )
    >>> heading(table, "GATA1", "K562")
    'GATA1, K562, rbfox, n = 80'
    >>> heading(table.assign_attrs(question="Does the place matter?", name="position"))
    'Does the place matter?\nrbfox, n = 80'
    """
    attrs, counts = table.attrs, [table.sizes["unit"]] if "unit" in table.sizes else []
    if not counts and "n_units" in table:
        counts = [int(n) for n in np.unique(table["n_units"].to_numpy()) if n > 0]
    if not counts and has(attrs).n_units:
        counts = [int(about(attrs).n_units)]
    n = (
        f"n = {min(counts):,}"
        + (f" to {max(counts):,}" if max(counts) > min(counts) else "")
        if counts
        else ""
    )
    network = str(about(attrs, None).predictor or "")
    if _FINGERPRINT.match(network):  # of a map; a reader has no use for it
        network = ""
    question = " ".join(str(about(attrs, None).question or "").split())
    name = "" if question else str(about(attrs, None).name or "")
    parts = [name, *names, network or str(about(attrs, None).effect_on or "")]
    named = [
        shortened(part, 60)
        for part in dict.fromkeys(parts)
        if part not in ("", UNNAMED_TASK)
    ]
    beside = ", ".join([*named, *([n] if n else [])])
    return "\n".join(filter(None, (question, beside)))


def write_heading(axes: Axes, text: str, shown: str = "") -> None:
    """Write a heading above the axes, with which part of the effects is shown, in as
    many lines as it needs.
    """
    text = ": ".join(filter(None, (text, shown)))
    set_flowing(axes.set_title("", **_TITLE, **AS_IT_IS), text)


def set_flowing(written: Text, text: str) -> None:
    """Give a text lines that `fit_to_page` breaks anew wherever the page ends."""
    written.set_text(text)
    written.unbroken = text  # type: ignore[attr-defined]


def ordinal(n: int) -> str:
    """Return a number of a step, "2nd".

    Examples
    --------
    >>> ordinal(2), ordinal(3), ordinal(11), ordinal(22)
    ('2nd', '3rd', '11th', '22nd')
    """
    ending = (
        "th"
        if n % 100 in (11, 12, 13)
        else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    )
    return f"{n}{ending}"


def part_shown(table: xr.Dataset) -> str:
    """Return which part of the effects a picture shows, ``attrs["shown"]``, and which
    task where the data chose it.

    Examples
    --------
    >>> part_shown(
    ...     xr.Dataset(
    ...         attrs={"shown": "the 20 largest of 128", "task_of": "task 1 of 3"}
    ...     )
    ... )
    'the 20 largest of 128; task 1 of 3'
    """
    shown, of, chosen = (
        str(table.attrs.get(name, "")) for name in ("shown", "task_of", "task_chosen")
    )
    task = ", ".join(filter(None, (of, chosen))) if shown or chosen else ""
    return "; ".join(filter(None, (shown, task)))


_LEGEND: dict[str, Any] = {
    "frameon": False,
    "fontsize": 8,
    "columnspacing": 1.2,
    "handletextpad": 0.4,
}


def legend_below(axes: Axes, columns: int = 3) -> None:
    """Put a legend below the axis label, where it covers no mark."""
    handles, labels = axes.get_legend_handles_labels()
    figure = axes.get_figure(root=True)
    if not labels or figure is None:
        return
    put_legend(figure, handles, labels, columns, loc="outside lower center")
    fit_to_page(axes)


def put_legend(
    host: Axes | Figure, handles: Any, labels: list[str], columns: int, **place: Any
) -> None:
    """Put a legend on axes or a figure; `fit_to_page` gives it fewer columns where the
    page is narrow.
    """
    made = host.legend(
        handles, labels, ncols=min(columns, len(labels)), **_LEGEND, **place
    )
    for text in (*made.get_texts(), made.get_title()):
        text.set(**AS_IT_IS)
    made.get_title().set_multialignment("center")

    def again(fewer: int) -> None:
        made.remove()
        put_legend(host, handles, labels, fewer, **place)

    made.again = again  # type: ignore[attr-defined]


@_unknown_letters()
def fit_to_page(*several: Axes) -> None:
    """Break headings, labels and legends of axes at the edges of their page, and lift
    headings above legends.

    Axes that share a figure with others are fitted together, by who drew them all.
    """
    figure: Any = several[0].get_figure(root=True)
    if figure is None or (
        len(several) == 1
        and sum(axes.get_subplotspec() is not None for axes in figure.axes) > 1
    ):
        return
    bars = [
        image.colorbar.ax
        for axes in several
        for image in axes.images
        if image.colorbar is not None
    ]
    _lay_out(figure)
    for _ in range(3):  # what is broken gives room to, or takes it from, the axes
        page, broken = figure.bbox, False
        if figure.get_suptitle():
            broken |= _break_lines(figure._suptitle, 0.98 * page.width, across=True)
        for found in list(figure.legends):
            broken |= _fewer_columns(found, page.width - 12)
        for axes in several:
            inside, place = axes.get_window_extent(), axes.get_subplotspec()
            right = page.x1 if place is None or place.is_last_col() else inside.x1
            heading: Any = axes._left_title  # type: ignore[attr-defined]
            broken |= _break_lines(heading, right - inside.x0, across=True)
            middle = (inside.x0 + inside.x1) / 2
            broken |= _break_lines(
                axes.xaxis.label,
                2 * min(middle - page.x0, page.x1 - middle),
                across=True,
            )
            if (own := axes.get_legend()) is not None:
                fewer = _fewer_columns(own, right - inside.x0)
                broken |= fewer or _lift(axes, heading, own)
        for axes in (*several, *bars):
            inside = axes.get_window_extent()
            middle = (inside.y0 + inside.y1) / 2
            broken |= _break_lines(
                axes.yaxis.label,
                2 * min(middle - page.y0, page.y1 - middle),
                across=False,
            )
        if not broken:
            break
        _lay_out(figure)


def _lift(axes: Axes, heading: Text, legend: Any) -> bool:
    """Lift a heading above the legend that stands on the axes; return whether it was
    not there yet.
    """
    box = legend.get_window_extent()
    above = box.y1 - axes.get_window_extent().y1
    figure: Any = axes.get_figure(root=True)
    pad = 6 + above * 72 / figure.dpi
    known = getattr(axes, "lifted", None)
    if not heading.get_text() or above <= 0 or known == round(pad, 1):
        return False
    flowing = getattr(heading, "unbroken", None)
    axes.set_title(heading.get_text(), pad=pad, **_TITLE, **AS_IT_IS)
    if flowing is not None:
        heading.unbroken = flowing  # type: ignore[attr-defined]
    axes.lifted = round(pad, 1)  # type: ignore[attr-defined]
    return True


def _fewer_columns(legend: Any, room: float) -> bool:
    """Take columns from a legend that is wider than its room in pixels; return whether
    it had too many.
    """
    wide, columns = legend.get_window_extent().width, legend._ncols
    if wide <= room or columns == 1 or not hasattr(legend, "again"):
        return False
    legend.again(max(1, min(columns - 1, int(columns * room / wide))))
    return True


@_unknown_letters()
def _lay_out(figure: Figure) -> None:
    figure.draw_without_rendering()


def _break_lines(text: Any, room: float, *, across: bool) -> bool:
    """Break the lines of a text that is longer than its room in pixels; one that flows
    is filled anew.

    Returns
    -------
    bool
        Whether the text is another.
    """
    before, box = text.get_text(), text.get_window_extent()
    long = box.width if across else box.height
    if not before or long <= room:
        return False
    lines = before.split("\n")
    most = max(8, int(0.97 * room / long * max(map(len, lines))))
    whole = getattr(text, "unbroken", before)
    text.set_text("\n".join(fill(line, most) for line in whole.split("\n")))
    return bool(text.get_text() != before)


@_unknown_letters()
def name_points(axes: Axes, x: Array, y: Array, names: Mapping[int, str]) -> None:
    """Write names beside points inside the axes; a name that would cover a point or
    another name is left out.
    """
    figure = axes.get_figure(root=True)
    if figure is None:
        return
    _lay_out(figure)
    inside, taken = axes.get_window_extent(), list[Any]()
    marks = axes.transData.transform(np.column_stack([x, y]))
    beside = [
        ((6, -2.5), "left"),
        ((-6, -2.5), "right"),
        ((5, 4), "left"),
        ((-5, 4), "right"),
    ]
    for i, name in names.items():
        for offset, side in beside:
            text = axes.annotate(
                shortened(name), (x[i], y[i]), offset, ha=side, zorder=7, **_LABEL_STYLE
            )
            text.set_in_layout(False)
            box = text.get_window_extent()
            fits = (
                inside.x0 <= box.x0
                and box.x1 <= inside.x1
                and inside.y0 <= box.y0
                and box.y1 <= inside.y1
            )
            covers = (
                (
                    (marks > (box.x0 - 2, box.y0 - 2))
                    & (marks < (box.x1 + 2, box.y1 + 2))
                )
                .all(axis=1)
                .any()
            )
            if fits and not covers and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                break
            text.remove()


_LABEL_STYLE: dict[str, Any] = {
    "fontsize": 7.5,
    "color": INK,
    "textcoords": "offset points",
    **AS_IT_IS,
}
_LINE_OF_NAMES = 11.0  # points


@_unknown_letters()
def name_ends(
    axes: Axes, x: Array, y: Array, names: Mapping[int, str], middle: float
) -> None:
    """Write the names of the highest and lowest points of a falling curve, above and
    below it, at the ends of thin lines; the axes get the room that they need.

    Names above stand to the right of their points and names below to the left, so that
    each lies on the empty side of the curve, and on no other's line.
    """
    figure: Any = axes.get_figure(root=True)
    up = sorted((i for i in names if y[i] > middle), key=lambda i: y[i])
    down = sorted((i for i in names if y[i] <= middle), key=lambda i: -y[i])
    _lay_out(figure)
    box = axes.get_window_extent()
    tall, wide = (72 / figure.dpi * size for size in (box.height, box.width))
    low, high = axes.get_ylim()
    each = _LINE_OF_NAMES / max(tall - _LINE_OF_NAMES * (len(up) + len(down)), tall / 4)
    axes.set_ylim(
        low - (high - low) * each * len(down), high + (high - low) * each * len(up)
    )
    texts = {
        i: axes.annotate(
            shortened(names[i]),
            (x[i], y[i]),
            (_LABEL_OFFSET if i in up else -_LABEL_OFFSET, 0),
            ha="left" if i in up else "right",
            va="center",
            zorder=7,
            arrowprops={
                "arrowstyle": "-",
                "color": GRAY,
                "lw": 0.5,
                "shrinkA": 0,
                "shrinkB": 2,
                "relpos": (0.0 if i in up else 1.0, 0.5),
            },
            **_LABEL_STYLE,
        )
        for i in (*up, *down)
    }
    shares = {
        i: (2 * _LABEL_OFFSET + _points_wide(text)) / wide for i, text in texts.items()
    }
    _make_room_beside(axes, *({i: (x[i], shares[i]) for i in of} for of in (up, down)))
    for side, several in ((1, up), (-1, down)):
        before = -np.inf
        for i in several:
            at = axes.transData.transform((x[i], y[i]))[1]
            height = side * at * 72 / figure.dpi
            before = max(height + 4, before + _LINE_OF_NAMES)
            texts[i].set_position(
                (texts[i].get_position()[0], side * (before - height))
            )
            texts[i].set_in_layout(False)


_LABEL_OFFSET = 10.0  # points from the place of a point to its name
_MOST_BESIDE = 0.6


def _points_wide(text: Text) -> float:
    """Return the width of a text in points."""
    from matplotlib.text import Text as Plain

    figure: Any = text.get_figure(root=True)
    return float(Plain.get_window_extent(text).width * 72 / figure.dpi)


def _make_room_beside(
    axes: Axes,
    right: Mapping[int, tuple[float, float]],
    left: Mapping[int, tuple[float, float]],
) -> None:
    """Widen axes so that names to the right and to the left of points, each of a share
    of their width, lie inside.
    """
    start, end = axes.get_xlim()
    for _ in range(8):
        for x, share in right.values():
            end = max(end, start + (x - start) / (1 - min(share, _MOST_BESIDE)))
        for x, share in left.values():
            part = min(share, _MOST_BESIDE)
            start = min(start, (x - end * part) / (1 - part))
    axes.set_xlim(start, end)


def beside_axis(axes: Axes, label: str, levels: str = "") -> None:
    """Write the label of the vertical axis, in lines that the height of the figure
    holds, and the level of its intervals below.
    """
    figure: Any = axes.get_figure(root=True)
    points = 72 * float(figure.get_figheight())
    most = max(int(points / _POINTS_A_LETTER), 12)
    lines = "\n".join(fill(part, most) for part in (label, levels) if part)
    axes.set_ylabel(lines, fontsize=9.5, **AS_IT_IS)


_POINTS_A_LETTER = 6.6
"""Points of a letter of an axis label, with room for whole pixels below 100 dpi."""


def legend(axes: Axes) -> None:
    """Put a legend between the axes and their heading, unless it would say "estimate"
    alone.
    """
    handles, labels = axes.get_legend_handles_labels()
    if labels and labels != ["estimate"]:
        place: dict[str, Any] = {
            "loc": "lower left",
            "bbox_to_anchor": (0.0, 1.0),
            "borderaxespad": 0.1,
            "borderpad": 0.2,
        }
        figure: Any = axes.get_figure(root=True)
        # four beside each other would leave a narrow figure's axes no width
        columns = 4 if figure.get_size_inches()[0] >= _NARROW else 2
        put_legend(axes, handles, labels, columns, **place)
    fit_to_page(axes)


def strip(axes: Axes, *sides: str) -> None:
    """Hide sides of the frame."""
    for side in sides:
        axes.spines[side].set_visible(False)
    axes.set_axisbelow(True)


PNG_DPI = 160
_MOST_PIXELS = 30_000


def save_figure(axes: Axes, path: str | Path) -> Path:
    """Save the figure of axes to a file (PNG, PDF or SVG by its name).

    Characters that the font lacks become empty boxes without a warning; figures have at
    most 30,000 pixels a side.

    Parameters
    ----------
    axes
        Axes returned by a function of `causalgia.tell.figures`.
    path
        File name.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If the file cannot be written: no such folder, unknown extension.

    Examples
    --------
    >>> import xarray as xr
    >>> import tempfile, xarray as xr
    >>> from causalgia.tell.figures import forest
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> axes = forest(
    ...     xr.Dataset({"ace": ace}, coords={"contrast": ["GATA1"], "task": ["K562"]})
    ... )
    >>> save_figure(axes, Path(tempfile.mkdtemp()) / "forest.png").name
    'forest.png'
    """
    figure = axes.get_figure(root=True)
    if figure is None:
        raise DataError("these axes no longer belong to a figure")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=_NO_GLYPH)
            figure.savefig(
                path, dpi=min(PNG_DPI, _MOST_PIXELS / max(figure.get_size_inches()))
            )
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: the figure cannot be written ({error})") from error
    return Path(path)


def image_of(axes: Axes, kind: Literal["svg", "png"], *, dpi: float) -> bytes:
    """Return the figure of axes as an image without a background; the same figure gives
    the same bytes.

    Examples
    --------
    >>> image_of(axes_or_new(None, 2.0, 1.0), "png", dpi=50)[1:4]
    b'PNG'
    """
    from matplotlib import rc_context

    figure: Any = axes.get_figure(root=True)
    for patch in (figure.patch, *(one.patch for one in figure.axes)):
        patch.set_alpha(0.0)
    buffer = BytesIO()
    options: dict[str, Any] = {"metadata": {"Date": None}} if kind == "svg" else {}
    with (
        rc_context({"svg.fonttype": "path", "svg.hashsalt": "causalgia"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message=_NO_GLYPH)
        figure.savefig(buffer, format=kind, dpi=dpi, **options)
    return buffer.getvalue()
