"""Style of all figures: colors, labels, legends, and saving."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from causalgia.checks import nearest
from causalgia.effect_table import selected_tasks, tasks_for_errors, tasks_in_table
from causalgia.errors import ContrastError, OutcomesError, printable, quoted
from causalgia.inputs import check_no_pipe
from causalgia.reporting import Row, rows
from causalgia.reporting._trial_report import versus
from causalgia.reporting.verdict_sentences import is_simultaneous
from causalgia.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GRAY, BAND, ACCENT, ROPE, GRID = (
    "#1b1f24",
    "#6b7480",
    "#e8eaed",
    "#1f5fa8",
    "#dcebdd",
    "#d5d9de",
)
_DOWN, _WITHIN = "#c25b12", "#3b7d3a"
VERDICTS = {
    "increases": ACCENT,
    "decreases": _DOWN,
    "higher": ACCENT,
    "lower": _DOWN,
    "larger": ACCENT,
    "negligible": _WITHIN,
    "within": _WITHIN,
    "undecided": "#8a8f98",
}
VERDICTS |= {
    "higher": ACCENT,
    "lower": "#c25b12",
    "larger": ACCENT,
    "within": "#3b7d3a",
}
MODELS = ("#1f5fa8", "#c25b12", "#3b7d3a", "#8a3d8f", "#a8892c", "#2b8c96")
ACE = "ACE"
UNNAMED_TASK = "effect"  # of effects without tasks
#: Names are written literally: a dollar sign does not start a formula.
AS_IT_IS: dict[str, Any] = {"parse_math": False, "usetex": False}


def new_figure(width: float, height: float) -> Figure:
    """Return a figure of a size in inches, without pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def axes_or_new(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the given axes, or those of a new figure."""
    return new_figure(width, height).add_subplot() if ax is None else ax


def as_task(table: xr.Dataset, task: str | Sequence[str] | None, figure: str) -> str:
    """Return the task of a figure of one task, by default the only one.

    Raises
    ------
    ContrastError
        If there are several and none is given, or the given one does not exist or is
        several.
    """
    tasks = tasks_in_table(table)
    if task is None and len(tasks) == 1:
        return tasks[0]
    if task is None:
        raise ContrastError(
            f"{figure}: several tasks; say task= one of {tasks_for_errors(tasks)}"
        )
    found = selected_tasks(tasks, task, place=f"{figure}: ")
    if len(found) > 1:
        raise ContrastError(
            f"{figure}: task={quoted(task)} is {len(found):,} tasks, "
            f"{', '.join(map(quoted, found[:2]))}, ..., and this figure is of one; "
            "name one, or draw several by forest(task=)"
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
    ContrastError
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
        hint = nearest(name, known) or f"; there are {', '.join(known)}"
        raise ContrastError(
            f"{figure}: the contrasts have no coordinate {quoted(name)}{hint}"
        )
    contrasts = [str(contrast) for contrast in table["contrast"].to_numpy()]
    found = dict(zip(contrasts, table[name].to_numpy().tolist(), strict=True))
    found = {
        contrast: value
        for contrast, value in found.items()
        if value == value and value not in ("", None)
    }
    if not found:
        raise ContrastError(
            f"{figure}: no contrast has a value of {quoted(name)}; choose another "
            "coordinate"
        )
    return found


def numbers_on_contrasts(table: xr.Dataset, name: str, figure: str) -> dict[str, float]:
    """Return contrast -> number, as `on_contrasts`.

    Raises
    ------
    ContrastError
        Also if the coordinate has other values than finite numbers.
    """
    found = on_contrasts(table, name, figure)
    if not all(
        isinstance(value, int | float) and np.isfinite(value)
        for value in found.values()
    ):
        raise ContrastError(
            f"{figure}: {quoted(name)} is not a coordinate of finite numbers; choose "
            "one that is"
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


def shortened(name: str) -> str:
    """Return a name of at most 40 characters, with its beginning and its end;
    unprintable ones are escaped.
    """
    name = printable(name)
    return name if len(name) <= 40 else f"{name[:23]}…{name[-16:]}"


def axis_label(attrs: Mapping[Any, Any], label: str = ACE) -> str:
    """Return the label of an axis of effects: "ACE on log counts, minus placebo".

    Examples
    --------
    >>> axis_label({"scale": "log counts", "control": "placebo"})
    'ACE on log counts, minus placebo'
    """
    control = (
        f", {versus(attrs)} {shortened(str(attrs['control']))}"
        if attrs.get("control")
        else ""
    )
    return (
        f"{label} on "
        f"{shortened(str(attrs.get('contrast_scale') or attrs.get('scale') or 'the outcome'))}{control}"
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
    if "lower" not in table or "ci_prob" not in table.attrs:
        return ""
    return (
        f"{100 * float(table.attrs['ci_prob']):.4g} % "
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
    """Return what a picture is of: names, the network (or its fingerprint), the number
    of units; as far as is known.

    Examples
    --------
    >>> table = xr.Dataset(
    ...     {"n_units": ("contrast", [80, 80])}, attrs={"predictor": "rbfox"}
    ... )
    >>> heading(table, "GATA1", "K562")
    'GATA1, K562, rbfox, n = 80'
    >>> heading(
    ...     xr.Dataset(attrs={"predictor": "63234e265490e60394b115196abe925c"})
    ... )  # of a map: its fingerprint
    'network 63234e26'
    """
    attrs, counts = table.attrs, [table.sizes["unit"]] if "unit" in table.sizes else []
    if not counts and "n_units" in table:
        counts = [int(n) for n in np.unique(table["n_units"].to_numpy()) if n > 0]
    if not counts and "n_units" in attrs:
        counts = [int(attrs["n_units"])]
    n = (
        f"n = {min(counts):,}"
        + (f" to {max(counts):,}" if max(counts) > min(counts) else "")
        if counts
        else ""
    )
    name, digest = (
        str(attrs.get("predictor") or ""),
        str(attrs.get("predictor_fingerprint") or ""),
    )
    if _FINGERPRINT.match(name):
        name, digest = "", name
    network = name or str(
        attrs.get("effect_on") or (digest and f"network {digest[:8]}")
    )
    parts = [str(attrs.get("name") or ""), *names, network]
    named = [
        shortened(part)
        for part in dict.fromkeys(parts)
        if part not in ("", UNNAMED_TASK)
    ]
    return ", ".join([*named, *([n] if n else [])])


def write_heading(axes: Axes, text: str, shown: str = "") -> None:
    """Write a heading above the axes, with which part of the effects is shown, in as
    many lines as it needs.
    """
    width = axes.get_position().width * axes.figure.get_size_inches()[0]  # type: ignore[union-attr]
    title = fill(": ".join(filter(None, (text, shown))), max(30, int(width / 0.085)))
    axes.set_title(title, **_TITLE, **AS_IT_IS)


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


def legend_below(axes: Axes, columns: int = 3) -> None:
    """Put a legend below the axis label, where it covers no mark."""
    handles, labels = axes.get_legend_handles_labels()
    figure = axes.get_figure(root=True)
    if not labels or figure is None:
        return
    look: dict[str, Any] = {
        "frameon": False,
        "fontsize": 8,
        "columnspacing": 1.0,
        "handletextpad": 0.4,
    }
    for text in figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(columns, len(labels)),
        **look,
    ).get_texts():
        text.set(**AS_IT_IS)
    fit_to_page(axes)


def fit_to_page(*several: Axes) -> None:
    """Break headings and labels of axes at the edges of their page, and lift headings
    off legends.

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
    for _ in range(2):  # what is broken gives room to, or takes it from, the axes
        page, broken = figure.bbox, False
        for axes in several:
            inside, place = axes.get_window_extent(), axes.get_subplotspec()
            right = page.x1 if place is None or place.is_last_col() else inside.x1
            heading: Any = axes._left_title  # type: ignore[attr-defined]
            broken |= _break_lines(
                heading, right - inside.x0, across=True, flowing=True
            )
            middle = (inside.x0 + inside.x1) / 2
            broken |= _break_lines(
                axes.xaxis.label,
                2 * min(middle - page.x0, page.x1 - middle),
                across=True,
            )
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
    for axes in several:
        found, heading = axes.get_legend(), axes._left_title  # type: ignore[attr-defined]
        if (
            found is not None
            and heading.get_text()
            and heading.get_window_extent().overlaps(found.get_window_extent())
        ):
            height = found.get_window_extent().height * 72 / figure.dpi
            axes.set_title(heading.get_text(), pad=6 + height, **_TITLE, **AS_IT_IS)


def _lay_out(figure: Figure) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_NO_GLYPH)
        figure.draw_without_rendering()


def _break_lines(
    text: Any, room: float, *, across: bool, flowing: bool = False
) -> bool:
    """Break the lines of a text that is longer than its room in pixels; a flowing one
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
    lines = [" ".join(lines)] if flowing else lines
    text.set_text("\n".join(fill(line, most) for line in lines))
    return bool(text.get_text() != before)


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
    look: dict[str, Any] = {
        "fontsize": 7.5,
        "color": INK,
        "textcoords": "offset points",
        **AS_IT_IS,
    }
    beside = [
        ((6, -2.5), "left"),
        ((-6, -2.5), "right"),
        ((5, 4), "left"),
        ((-5, 4), "right"),
    ]
    for i, name in names.items():
        for offset, side in beside:
            text = axes.annotate(
                shortened(name), (x[i], y[i]), offset, ha=side, zorder=7, **look
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


def legend(axes: Axes) -> None:
    """Put a legend above the axes, unless it would say "estimate" alone; a heading that
    meets it goes above it.
    """
    _, labels = axes.get_legend_handles_labels()
    if labels and labels != ["estimate"]:
        width = axes.get_position().width * axes.figure.get_size_inches()[0]  # type: ignore[union-attr]
        # inches of a handle, and of a letter
        fit = int(width / (0.4 + 0.06 * max(map(len, labels))))
        look: dict[str, Any] = {
            "frameon": False,
            "fontsize": 8,
            "columnspacing": 1.0,
            "handletextpad": 0.4,
        }
        place: dict[str, Any] = {
            "loc": "lower right",
            "bbox_to_anchor": (1.0, 1.0),
            "borderaxespad": 0.1,
        }
        columns = max(1, min(len(labels), 3, fit))
        for text in axes.legend(ncols=columns, **look, **place).get_texts():
            text.set(**AS_IT_IS)
    fit_to_page(axes)


def strip(axes: Axes, *sides: str) -> None:
    """Hide sides of the frame."""
    for side in sides:
        axes.spines[side].set_visible(False)
    axes.set_axisbelow(True)


_DPI, _MOST_PIXELS = 160, 30_000
_NO_GLYPH = "Glyph |Matplotlib currently does not support"


def save_figure(axes: Axes, path: str | Path) -> Path:
    """Save the figure of axes to a file (PNG, PDF or SVG by its name).

    Characters that the font lacks become empty boxes without a warning; figures have at
    most 30,000 pixels a side.

    Parameters
    ----------
    axes
        Axes returned by a function of `causalgia.plot`.
    path
        File name.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutcomesError
        If the file cannot be written: no such folder, unknown extension, or a pipe.

    Examples
    --------
    >>> import xarray as xr
    >>> import tempfile, xarray as xr
    >>> from causalgia.plot import forest
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> axes = forest(
    ...     xr.Dataset({"ace": ace}, coords={"contrast": ["GATA1"], "task": ["K562"]})
    ... )
    >>> save_figure(axes, Path(tempfile.mkdtemp()) / "forest.png").name
    'forest.png'
    """
    figure = axes.get_figure(root=True)
    if figure is None:
        raise OutcomesError("these axes no longer belong to a figure; draw them again")
    check_no_pipe(path, OutcomesError)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=_NO_GLYPH)
            figure.savefig(
                path, dpi=min(_DPI, _MOST_PIXELS / max(figure.get_size_inches()))
            )
    except (OSError, ValueError) as error:
        msg = (
            f"{path}: the figure cannot be written ({error}); choose another place or "
            "ending"
        )
        raise OutcomesError(msg) from error
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
