"""A design as a drawing for notebooks: a ruler of the background, and each arm with what it writes where."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from causalgia.design.intervention import Intervention, Layout, steps_of
from causalgia.spreadsheet import as_html

if TYPE_CHECKING:
    from causalgia.design.design import Design

_WIDTH, _HEIGHT, _MOST_ARMS, _MOST_SPANS, _LEAST_BOX = 420.0, 18, 20, 50, 2.0
_WRITTEN, _CHANGED = "#4c78a8", "#e0a33a"
_IN_PLACE = {"delete", "scramble", "ablate"}


def ruler(design: Design) -> str:
    """Return a design as HTML: a row for each arm with its do-notation, drawn on the length of a background.

    Blue boxes are written by the intervention, orange ones changed in place (scrambled, ablated, deleted). The first 20
    arms are drawn, and the number of the others is said.

    Parameters
    ----------
    design
        The design. Positions of interventions that vary by sequence are drawn for the first 50 of them.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    >>> page = ruler(cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=100))
    >>> "do(x[20:24] = GATA)" in page, page.count("<rect")
    (True, 1)
    """
    length = design.null.length
    arms = design.named_arms
    rows = [
        f"<tr><th scope='row' style='text-align: left'>{as_html(arm.name)}</th>"
        f"<td>{_drawing(arm.intervention, length)}</td>"
        f"<td style='text-align: left'><code>{as_html(str(arm.intervention))}</code></td></tr>"
        for arm in arms[:_MOST_ARMS]
    ]
    more = len(arms) - _MOST_ARMS
    rows += [f"<tr><td colspan='3'>and {more:,} more arms</td></tr>"] if more > 0 else []
    units = f"{design.n_units:,} unit{'s' if design.n_units != 1 else ''}"
    caption = f"{design.assignment}; {units}; {design.null.describe()}"
    axis = f"<tr><td></td><td>{_axis(length)}</td><td></td></tr>"
    return f"<table><caption>{as_html(caption)}</caption>\n" + "\n".join([axis, *rows]) + "\n</table>"


def _drawing(intervention: Intervention, length: int) -> str:
    """Return the background as a line, with a box for each span; inserted bases make the line longer."""
    layout, changed = Layout(length), []
    for step in steps_of(intervention):
        if step.kind in _IN_PLACE:
            changed.append(step.span)  # type: ignore[attr-defined]
        layout = step.lay(layout)
    scale = _WIDTH / max(length, layout.length, 1)
    boxes = [_box(span, scale, _CHANGED, f"x[{span[0]}:{span[1]}]") for span in changed]
    boxes += [_box((w.start, w.stop), scale, _WRITTEN, w.label) for w in layout.written[:_MOST_SPANS]]
    line = f"<line x1='0' x2='{layout.length * scale:.1f}' y1='9' y2='9' stroke='currentColor' stroke-width='1.5'/>"
    if not boxes and steps_of(intervention):
        at = _WIDTH / 2
        boxes = [f"<text x='{at}' y='7' font-size='9' fill='currentColor' text-anchor='middle'>varies by unit</text>"]
    return _svg("".join([line, *boxes]), str(intervention))


def _box(span: tuple[int, int], scale: float, color: str, label: str) -> str:
    x, width = span[0] * scale, max((span[1] - span[0]) * scale, _LEAST_BOX)
    return (
        f"<rect x='{x:.1f}' y='3' width='{width:.1f}' height='12' fill='{color}'>"
        f"<title>{as_html(label)} at {span[0]}</title></rect>"
    )


def _axis(length: int) -> str:
    """Return a scale of the positions with ticks at round numbers."""
    step = 10 ** math.floor(math.log10(max(length, 1)))
    step = next(s for s in (step, step // 2 or 1, step // 5 or 1) if length / s >= 2 or s == 1)
    ticks, scale = range(0, length + 1, step), _WIDTH / max(length, 1)
    marks = "".join(
        f"<line x1='{t * scale:.1f}' x2='{t * scale:.1f}' y1='12' y2='18' stroke='currentColor'/>"
        f"<text x='{t * scale:.1f}' y='10' font-size='10' fill='currentColor' "
        f"text-anchor='{'start' if t == 0 else 'end' if t * scale > _WIDTH - 12 else 'middle'}'>{t:,}</text>"
        for t in ticks
    )
    return _svg(marks, f"positions 0 to {length:,}")


def _svg(inside: str, label: str) -> str:
    size = f"width='{_WIDTH:.0f}' height='{_HEIGHT}' viewBox='0 0 {_WIDTH:.0f} {_HEIGHT}'"
    return f"<svg xmlns='http://www.w3.org/2000/svg' role='img' aria-label='{as_html(label)}' {size}>{inside}</svg>"
