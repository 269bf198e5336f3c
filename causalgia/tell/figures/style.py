"""What all figures share: colors, names, the rows of a table, titles, legends, files."""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from causalgia.attributes import about, has
from causalgia.checks import listed
from causalgia.choices import OPEN, VERDICT_WORDS
from causalgia.effect_table import tasks_in_table
from causalgia.errors import DataError, EstimateError, printable, quoted
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.request import null_value
from causalgia.tell.effect_rows import as_reportable, reading_order, setting_order
from causalgia.types import Array

if TYPE_CHECKING:
    import pandas as pd

INK, GRAY, BAND, ACCENT, ROPE, GRID = (
    "#1b1f24",
    "#6b7480",
    "#e8eaed",
    "#1f5fa8",
    "#dcebdd",
    "#d5d9de",
)
SERIES = (ACCENT, "#d55e00", "#00795a", "#cc79a7", "#e69f00", "#56b4e9")
PAGE = 7.08  # inches: 180 mm, the width of a journal's page; no figure is wider
UNNAMED_TASK = "effect"  # of effects without tasks
PNG_DPI = 160
#: Names are written literally: a dollar sign does not start a formula.
AS_IT_IS: dict[str, Any] = {"parse_math": False, "usetex": False}
_NO_GLYPH = "Glyph |Matplotlib currently does not support"
_NUMBER = "n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"  # at which no line ends
_INCHES_A_LETTER = 0.083  # of titles and labels
_INCHES_IN_LEGEND = 0.065
_NARROW = 4.5  # inches


def shortened(name: str, most: float = 40) -> str:
    """Return a name on one line, as wide as at most 40 letters, with its beginning and
    its end; unprintable characters are escaped.

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
    """Return how wide a text is, in letters; those of East Asian scripts count twice.

    Examples
    --------
    >>> letters_wide("GATA1"), letters_wide("WW"), letters_wide("転写")
    (5.0, 3.0, 4.0)
    """
    return float(sum(_letter_wide(letter) for letter in text))


def _letter_wide(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 2.0
    return 1.5 if letter in "MW@%mw" else 1.0


def _cut(text: str, most: float) -> str:
    wide = 0.0
    for place, letter in enumerate(text):
        wide += _letter_wide(letter)
        if wide > most:
            return text[:place]
    return text


def of_one_task(
    table: xr.Dataset, task: str | None, figure: str, *, models: bool = False
) -> xr.Dataset:
    """Return one task of a Dataset, by default the only one, kept as a dim; unless
    there may be several models, of one predictor.
    """
    tasks = tasks_in_table(table)
    if "model" in table.dims and not models:
        raise EstimateError(f"{figure} draws one predictor: table.sel(model=...)")
    if task not in tasks and (task is not None or len(tasks) > 1):
        raise EstimateError(
            f"{figure}: task={quoted(task)} must be one of {listed(tasks)}"
        )
    at = 0 if task is None else tasks.index(task)
    return table.isel(task=[at]) if "task" in table.dims else table


def rows_of(table: xr.Dataset) -> pd.DataFrame:
    """Return effects as `causalgia.tidy` gives them, with the coordinates of their
    contrasts, in the order of a report; ``_place`` is that among rows along a setting.
    """
    from causalgia.tell.effect_tables import tidy

    order, ace = reading_order(table), table["ace"]
    at = np.unravel_index(order, ace.shape)[ace.dims.index("contrast")]
    known = {
        str(name): coord.to_numpy()[at]
        for name, coord in table.coords.items()
        if coord.dims == ("contrast",) and name != "contrast"
    }
    known["is_placebo"] = is_placebo(table)[at]
    known["_place"] = np.argsort(setting_order(table, order))[order]
    return tidy(table).iloc[order].assign(**known)


def effects_in(table: Any) -> xr.Dataset:
    """Return estimates or decisions whose names are text without halves of pairs of
    surrogates, which no table of pandas holds.
    """
    found = as_reportable(getattr(table, "decisions", table))
    names = {}
    for name, coord in found.coords.items():
        if coord.dtype.kind == "U" or name in ("contrast", "task", "model"):
            text = np.char.encode(coord.astype(str), "utf-8", "backslashreplace")
            names[name] = (coord.dims, np.char.decode(text))
    return found.assign_coords(names)


def reach(rows: pd.DataFrame) -> tuple[float, float]:
    """Return the limits at which open intervals are cut: a tenth of the range beyond
    all finite numbers.
    """
    known = ("estimate", "conf_low", "conf_high", "rope_lower", "rope_upper")
    numbers = rows[[name for name in known if name in rows]].to_numpy(float)
    finite = numbers[np.isfinite(numbers)]
    low, high = finite.min(initial=0.0), finite.max(initial=0.0)
    pad = 0.1 * (high - low) or 1.0
    return float(low - pad), float(high + pad)


def draw_region(
    axes: Axes, rows: pd.DataFrame, at: Array | None = None, *, across: bool
) -> None:
    """Shade the region of practical equivalence that all rows share, or where they
    differ that of each, at its height or place.
    """
    if "rope_lower" not in rows or not len(rows):
        return
    ends = reach(rows)
    low, high = (
        np.clip(rows[name].to_numpy(float), *ends)
        for name in ("rope_lower", "rope_upper")
    )
    look: dict[str, Any] = {"color": ROPE, "lw": 0, "zorder": 0.5, "label": "ROPE"}
    if np.ptp(low) == np.ptp(high) == 0:
        if low[0] < high[0]:
            (axes.axvspan if across else axes.axhspan)(low[0], high[0], **look)
    elif at is not None and across:
        axes.barh(at, high - low, left=low, height=1.0, **look)
    elif at is not None:
        axes.fill_between(at, low, high, **look)


def colors_of(rows: pd.DataFrame) -> list[str]:
    """Return the color of each row's verdict, or that of estimates."""
    return [
        VERDICT_WORDS[verdict].color if verdict in VERDICT_WORDS else ACCENT
        for verdict in verdicts_of(rows)
    ]


def draw_effects(
    axes: Axes,
    rows: pd.DataFrame,
    at: Array,
    *,
    across: bool,
    ends: tuple[float, float],
    color: str | None = None,
    size: float = 26,
    **look: Any,
) -> None:
    """Draw effects with their intervals, across at heights or upward at places;
    undecided ones are hollow, and open intervals end in an arrow.
    """
    value, low, high = (
        rows[name].to_numpy(float) for name in ("estimate", "conf_low", "conf_high")
    )
    colors = np.array([color] * len(rows) if color else colors_of(rows), dtype="U9")
    lines = axes.hlines if across else axes.vlines
    width = 1.4 if size > 10 else 0.9
    cut = np.clip(low, *ends), np.clip(high, *ends)
    lines(at, *cut, colors=colors.tolist(), lw=width, zorder=4)
    for limit, end, mark in zip(
        (low, high), ends, "<>" if across else "v^", strict=True
    ):
        open_ = np.isinf(limit)
        where = np.full(int(open_.sum()), end)
        x, y = (where, at[open_]) if across else (at[open_], where)
        axes.scatter(x, y, s=size, marker=mark, color=colors[open_].tolist(), zorder=5)
    hollow = np.array([color is None and v in OPEN for v in verdicts_of(rows)], bool)
    inner = np.where(hollow, "white", colors).tolist()
    x, y = (value, at) if across else (at, value)
    axes.scatter(
        x, y, s=size, facecolors=inner, edgecolors=colors.tolist(), lw=width, zorder=5,
        **look,
    )  # fmt: skip


def verdicts_of(rows: pd.DataFrame) -> list[str]:
    """Return the verdict of each row, empty where there is none."""
    return [str(v) for v in rows["verdict"]] if "verdict" in rows else [""] * len(rows)


def verdict_keys(axes: Axes, rows: pd.DataFrame) -> None:
    """Add a key to the legend for every verdict among the rows."""
    present = set(verdicts_of(rows))
    for verdict, word in VERDICT_WORDS.items():
        if verdict in present:
            inner = "white" if word.side is None else word.color
            axes.scatter(
                *([], []), s=26, facecolors=inner, edgecolors=word.color, lw=1.4,
                label=verdict,
            )  # fmt: skip


def name_points(axes: Axes, x: Array, y: Array, names: Mapping[int, str]) -> None:
    """Write names beside points; one that would cover a point or another name is left
    out.
    """
    figure: Any = axes.get_figure(root=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_NO_GLYPH)
        figure.draw_without_rendering()
    inside, taken = axes.get_window_extent(), list[Any]()
    marks = axes.transData.transform(np.column_stack([x, y]))
    for i, name in names.items():
        for offset, side in (((6, -2.5), "left"), ((-6, -2.5), "right")):
            text = axes.annotate(
                shortened(name), (x[i], y[i]), offset, textcoords="offset points",
                ha=side, fontsize=7.5, color=INK, zorder=7, **AS_IT_IS,
            )  # fmt: skip
            text.set_in_layout(False)
            box = text.get_window_extent()
            fits = inside.x0 <= box.x0 and box.x1 <= inside.x1
            fits &= inside.y0 <= box.y0 and box.y1 <= inside.y1
            covered = (marks > (box.x0 - 2, box.y0 - 2)) & (
                marks < (box.x1 + 2, box.y1 + 2)
            )
            if (
                fits
                and not covered.all(axis=1).any()
                and not any(map(box.overlaps, taken))
            ):
                taken.append(box)
                break
            text.remove()


def axis_label(attrs: Mapping[Any, Any], label: str = "effect") -> str:
    """Return the label of an axis of effects.

    Examples
    --------
    >>> axis_label({"scale": "log counts", "control": "placebo"})
    'effect on log counts, minus placebo'
    """
    from causalgia.tell._trial_report import versus

    known = about(attrs, None)
    scale = shortened(str(known.contrast_scale or known.scale or "the outcome"))
    control = known.control
    return f"{label} on {scale}" + (
        f", {versus(attrs)} {shortened(control)}" if control else ""
    )


def interval_label(table: xr.Dataset) -> str:
    """Return the level of the intervals, "95 % intervals"; empty where there are none.

    Examples
    --------
    >>> interval_label(xr.Dataset({"lower": 0.0}, attrs={"ci_prob": 0.95}))
    '95 % intervals'
    """
    if "lower" not in table or not has(table).ci_prob or "p_matched" in table:
        return ""
    band = has(table).band and "verdict" not in table
    level = f"{100 * float(about(table).ci_prob):.4g} %"
    return f"{level} {'simultaneous ' if band else ''}intervals"


def title_of(table: xr.Dataset, *names: str) -> str:
    r"""Return what a picture is of: the question, on a line of its own; names, the
    network, the number of units, and which part is shown; as far as is known.

    Examples
    --------
    >>> table = xr.Dataset(
    ...     {"n_units": ("contrast", [80, 80])}, attrs={"predictor": "rbfox"}
    ... )
    >>> title_of(table, "GATA1", "K562")
    'GATA1, K562, rbfox, n = 80'
    >>> title_of(table.assign_attrs(question="Does the place matter?", name="TGA"))
    'Does the place matter?\nTGA, rbfox, n = 80'
    """
    known = about(table, "")
    counts = np.array([table.sizes["unit"]] if "unit" in table.sizes else [])
    if not len(counts) and "n_units" in table:
        counts = table["n_units"].to_numpy().ravel()
    counts = counts[counts > 0]
    n = f"n = {int(counts.min()):,}" if len(counts) else ""
    if len(counts) and counts.max() > counts.min():
        n += f" to {int(counts.max()):,}"
    of_maps = "score" in table or has(table).map_method
    network = "" if of_maps else known.predictor or known.effect_on
    tasks = tasks_in_table(table) if table.sizes.get("task", 2) == 1 else []
    parts = [known.name, *names, *tasks, network]
    shown = [shortened(part, 60) for part in parts if part not in ("", UNNAMED_TASK)]
    line = ", ".join([*dict.fromkeys(shown), *([n] if n else [])])
    line = ": ".join(filter(None, (line, known.shown)))
    return "\n".join(filter(None, (" ".join(known.question.split()), line)))


def new_axes(
    ax: Axes | None,
    width: float,
    height: float,
    lines: int = 1,
    columns: int = 1,
    **shared: Any,
) -> list[Axes]:
    """Return the axes given, or those of a new figure of pyplot, of this size in
    inches.
    """
    if ax is not None:
        return [ax]
    _, axes = plt.subplots(
        lines, columns, figsize=(width, height), layout="constrained", squeeze=False,
        facecolor="white", **shared,
    )  # fmt: skip
    return list(axes.ravel())


def finish(
    panels: Sequence[Axes], ax: Axes | None, title: str, x: str = "", y: str = ""
) -> Axes:
    """Write title, labels and legend of a figure; return its first axes.

    On axes that were given, title and legend are theirs, and not the figure's.
    """
    first: Axes = panels[0]
    figure: Any = first.get_figure(root=True)
    width, height = figure.get_size_inches()
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        axes.tick_params(labelsize=9)
    beside = len({axes.get_position().x0 for axes in panels}) > 1
    if x and not beside:
        panels[-1].set_xlabel(
            in_lines(x, (0.65 if width > _NARROW else 0.5) * width),
            fontsize=9.5,
            **AS_IT_IS,
        )
    if y and len(panels) > 1:
        figure.supylabel(in_lines(y, 0.75 * height), fontsize=9.5, **AS_IT_IS)
    elif y:
        first.set_ylabel(in_lines(y, 0.75 * height), fontsize=9.5, **AS_IT_IS)
    keys: dict[str, Any] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        keys |= dict(zip(labels, handles, strict=True))
    look: dict[str, Any] = {"frameon": False, "fontsize": 8, "columnspacing": 1.2}
    if ax is None:
        figure.suptitle(
            in_lines(title, width),
            x=0.01,
            ha="left",
            fontsize=10.5,
            color=INK,
            **AS_IT_IS,
        )
        wide = max((letters_wide(key) for key in keys), default=0) * _INCHES_IN_LEGEND
        columns = max(1, min(len(keys), 4, int(width / (wide + 0.7))))
        look |= {"loc": "outside lower center", "ncols": columns}
    else:
        first.set_title(title, loc="left", fontsize=10.5, color=INK, **AS_IT_IS)
    if len(keys) > (keys.keys() == {"estimate"}) or beside:
        look["title"] = in_lines(x, width) if beside else ""
        host = figure if ax is None else first
        made = host.legend(keys.values(), keys.keys(), **look)
        for text in (made.get_title(), *made.get_texts()):
            text.set(multialignment="center" if beside else "left", **AS_IT_IS)
    return first


def in_lines(text: str, inches: float) -> str:
    """Break a text into lines; one of East Asian letters into shorter ones."""
    widest = max((letters_wide(word) / len(word) for word in text.split()), default=1.0)
    most = max(8, int(inches / _INCHES_A_LETTER / (2.5 if widest > 1.5 else 1.0)))
    text = text.replace("n = ", _NUMBER)
    lines = "\n".join(fill(line, most) for line in text.split("\n"))
    return lines.replace(_NUMBER, "n = ")


def no_effect(axes: Axes, table: xr.Dataset, *, across: bool) -> None:
    """Draw the line of no effect, at 0 or, for ratios, at 1, and a grid."""
    line = axes.axvline if across else axes.axhline
    line(null_value(table), color=INK, lw=0.8, zorder=2)
    axes.grid(axis="x" if across else "y", color=GRID, lw=0.5, zorder=1)


def _write(axes: Axes, to: str | Path | BytesIO, **options: Any) -> None:
    """Write the figure of axes, and close it; letters that the font lacks become boxes
    without a warning.
    """
    figure: Any = axes.get_figure(root=True)
    plt.close(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_NO_GLYPH)
        figure.savefig(to, **options)


def save_figure(axes: Axes, path: str | Path) -> Path:
    """Save the figure of axes to a file (PNG, PDF or SVG by its name), and close it."""
    try:
        _write(axes, path, dpi=PNG_DPI)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: the figure cannot be written ({error})") from error
    return Path(path)


def image_of(axes: Axes, kind: Literal["svg", "png"], *, dpi: float) -> bytes:
    """Return the figure of axes as an image, and close it; the same figure gives the
    same bytes.
    """
    buffer = BytesIO()
    options: dict[str, Any] = {"metadata": {"Date": None}} if kind == "svg" else {}
    with plt.rc_context({"svg.fonttype": "path", "svg.hashsalt": "causalgia"}):
        _write(axes, buffer, format=kind, dpi=dpi, **options)
    return buffer.getvalue()
