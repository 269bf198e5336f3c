"""What a figure must be to be printed: texts apart, on the canvas and of a size that can
be read; rows named. `conftest.py` looks at every figure that a test saves or shows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

COLUMN = 180 / 25.4  # inches: the width of a journal's page
SMALLEST = 7.0  # points
_TOLERANCE = 0.75  # points: hinting and rounding to whole pixels


class Written(NamedTuple):
    """A visible text, and where it is, in points from the lower left."""

    text: str
    box: Bbox
    size: float
    of: Artist


def visible_texts(figure: Figure) -> list[Written]:
    """Return the texts of a figure that are seen; those of ticks beyond the limits of
    their axis are not.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that the font lacks
        figure.draw_without_rendering()
    renderer: Any = figure._get_renderer()  # type: ignore[attr-defined]
    scale = 72 / figure.dpi
    found = []
    for text in _texts(figure):
        if not text.get_text().strip() or not text.get_visible():
            continue
        if (text.get_alpha() or 1.0) <= 0:
            continue
        text.update_positions(renderer) if isinstance(text, Annotation) else None
        box = Text.get_window_extent(text, renderer)  # of the words, without an arrow
        points = Bbox.from_extents(*(scale * end for end in box.extents))
        found.append(Written(text.get_text(), points, float(text.get_fontsize()), text))
    return found


def _texts(artist: Artist) -> Iterator[Text]:
    """Yield the texts that are drawn with an artist."""
    if not artist.get_visible():
        return
    if isinstance(artist, Text):
        yield artist
    elif isinstance(artist, Axis):
        yield from (artist.label, artist.offsetText)
        for tick in artist._update_ticks():  # type: ignore[attr-defined]
            yield from (tick.label1, tick.label2)
    else:
        for child in artist.get_children():
            yield from _texts(child)


def faults(figure: Figure) -> list[str]:
    """Return what is wrong with a figure: overlapping texts, texts beyond the canvas,
    too small ones, rows without a name.
    """
    written = visible_texts(figure)
    width, height = (72 * inches for inches in figure.get_size_inches())
    found = []
    for number, one in enumerate(written):
        for other in written[:number]:
            across = min(one.box.x1, other.box.x1) - max(one.box.x0, other.box.x0)
            down = min(one.box.y1, other.box.y1) - max(one.box.y0, other.box.y0)
            if min(across, down) > _TOLERANCE:
                found.append(
                    f"{other.text!r} and {one.text!r} overlap by {across:.1f} x "
                    f"{down:.1f} points"
                )
        over = max(-one.box.x0, -one.box.y0, one.box.x1 - width, one.box.y1 - height)
        if over > _TOLERANCE:
            found.append(f"{one.text!r} leaves the canvas by {over:.1f} points")
        printed = one.size * min(1.0, 72 * COLUMN / width)
        if printed < SMALLEST - 0.01:
            found.append(f"{one.text!r} has {printed:.1f} points at 180 mm")
    return found + [fault for axes in figure.axes for fault in _unnamed_rows(axes)]


def _unnamed_rows(axes: Axes) -> list[str]:
    """Return the rows of a forest plot with marks and no name, on these axes or the
    first of their line.
    """
    place = axes.get_subplotspec()
    if axes.get_label() != "rows" or (place and not place.is_first_col()):
        return []
    ticks = axes.yaxis._update_ticks()  # type: ignore[attr-defined]
    named = {
        round(np.asarray(tick.get_loc()).item())
        for tick in ticks
        if tick.label1.get_text()
    }
    marks = {
        round(float(y))
        for found in axes.collections
        if isinstance(found, PathCollection)
        for y in np.asarray(found.get_offsets())[:, 1]
    }
    return [f"row {row} has no name" for row in sorted(marks - named)]


@contextmanager
def looked_at() -> Iterator[list[str]]:
    """Look at every figure that is saved or shown in this block; gather the faults."""
    found: list[str] = []
    write = FigureCanvasBase.print_figure

    def print_figure(canvas: FigureCanvasBase, *given: Any, **settings: Any) -> Any:
        found.extend(faults(canvas.figure))
        return write(canvas, *given, **settings)

    setattr(FigureCanvasBase, "print_figure", print_figure)  # noqa: B010
    try:
        yield found
    finally:
        setattr(FigureCanvasBase, "print_figure", write)  # noqa: B010
