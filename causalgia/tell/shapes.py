"""Sentences on shapes of answers along a setting, and on single rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from causalgia.checks import in_list
from causalgia.choices import DIRECTIONS, OPEN, VERDICT_WORDS
from causalgia.experiments.kit.stated import NAMED_SHARE, Shape, wave_in_words

if TYPE_CHECKING:
    import xarray as xr

_FEW = 4


def shape_sentence(shapes: Sequence[Shape], of: str) -> str:
    """Return the sentence of an answer along a setting, from its shapes alone.

    Examples
    --------
    >>> near = Shape(
    ...     axis="gap",
    ...     group="A then B",
    ...     start=3,
    ...     stop=8,
    ...     n=6,
    ...     sign=1,
    ...     size=1.5,
    ...     weakest=1.4,
    ...     strongest=1.6,
    ... )
    >>> rest = Shape(
    ...     axis="gap",
    ...     group="A then B",
    ...     start=9,
    ...     stop=30,
    ...     n=22,
    ...     sign=0,
    ...     size=0.0,
    ...     weakest=0.0,
    ...     strongest=0.01,
    ... )
    >>> shape_sentence([near, rest], "A and B")
    'A and B do more than their sum, +1.5 for A then B at gaps of 3 to 8 bp; negligible at the other 22 of 28 gaps.'
    """
    waves = [shape for shape in shapes if math.isfinite(shape.period)]
    if waves:
        said = [_wave(shape) for shape in waves[:_FEW]]
        text = f"the interaction of {of} by gap is {in_list(said, n=len(waves))}"
        without = [shape for shape in shapes if shape not in waves]
        return f"{text}; {shape_sentence(without, of)}" if without else f"{text}."
    acting = [shape for shape in shapes if shape.sign]
    total = sum(shape.n for shape in shapes)
    words = _Words(shapes[0].axis, of, total, len({s.group for s in shapes}) > 1)
    if not acting:
        return f"{words.nothing(shapes)}."
    largest = max(abs(shape.size) for shape in acting)
    named = [s for s in acting if abs(s.size) >= NAMED_SHARE * largest]
    weaker = sum(s.n for s in acting) - sum(s.n for s in named)
    signs = [sign for sign in (1, -1) if any(s.sign == sign for s in named)]
    text = ", ".join(
        words.of_sign(sign, named, first=sign == signs[0]) for sign in signs
    )
    rest = {
        "weaker effects": weaker,
        "negligible": sum(s.n for s in shapes if s.sign == 0),
        "undecided": sum(s.n for s in shapes if s.sign is None),
    }
    counted = [(word, n) for word, n in rest.items() if n]
    if len(counted) == 1:
        word, n = counted[0]
        others = "the other one" if n == 1 else f"the other {n:,}"
        text += f"; {word} at {others} of {total:,} {words.plural}"
    elif counted:
        listed = in_list([f"{word} at {n:,}" for word, n in counted])
        text += (
            f"; of the other {sum(n for _, n in counted):,} {words.plural}, {listed}"
        )
    return f"{text}."


def _wave(shape: Shape) -> str:
    names = (
        in_list(list(shape.groups))
        if len(shape.groups) <= _FEW
        else f"{len(shape.groups):,} arrangements"
    )
    return (
        f"{wave_in_words(shape.period, shape.length, shape.stop)}, of "
        f"{shape.size:.3g} for {names}"
    )


def excess_sentence(row: xr.Dataset) -> str:
    """Return how all copies stand to the sum of the same sites alone."""
    verdict = str(row["verdict"].item())
    size = sized(row)
    if verdict in OPEN:
        return f"whether all together are additive is undecided ({size})"
    if verdict not in DIRECTIONS:
        return f"all together are additive ({size} beside the sum)"
    word = "more" if row["ace"].item() > 0 else "less"
    return f"all together are {word} than the sum of each alone ({size})"


def sized(row: xr.Dataset) -> str:
    """Return the effect of a row with its sign, and its interval if it has one."""
    size = row["ace"].item()
    ends = (
        f" [{row['lower'].item():.3g}, {row['upper'].item():.3g}]"
        if "lower" in row
        else ""
    )
    return f"{f'{size:+.3g}' if size else '0'}{ends}"


def alone_sentence(rows: xr.Dataset, of: str) -> str:
    """Return what a site does alone, on each strand."""
    parts = [
        _does(row, f" on {row['strand'].item()}")
        for row in (rows.isel(contrast=i) for i in range(rows.sizes["contrast"]))
    ]
    return f"one {of} at the center {in_list(parts)}"


def row_sentence(row: xr.Dataset, of: str) -> str:
    """Return what one row does."""
    return f"{of} {_does(row)}"


def _does(row: xr.Dataset, where: str = "") -> str:
    word = VERDICT_WORDS[str(row["verdict"].item())]
    return f"{word.does()}{where} ({sized(row)})"


@dataclass(frozen=True)
class _Words:
    """Words of one axis."""

    axis: str
    of: str
    total: int
    several: bool

    @property
    def plural(self) -> str:
        if self.axis == "order":
            return "terms"
        if self.several:
            return "settings"
        return self.axis if self.axis.endswith("s") else f"{self.axis}s"

    def nothing(self, shapes: Sequence[Shape]) -> str:
        n = {sign: sum(s.n for s in shapes if s.sign == sign) for sign in (0, None)}
        what = {
            "gap": f"the interaction of {self.of}",
            "order": f"the interaction of {self.of}",
            "copies": f"what a further copy of {self.of} adds",
            "letter": f"a change of one letter of {self.of}",
        }.get(self.axis, f"the effect of {self.of}")
        tried = f"all {self.total:,} {self.plural}"
        everywhere = (
            f"at {tried if self.total > 1 else 'the one ' + self.plural[:-1]} tried"
        )
        if self.axis == "copies":
            everywhere = f"for {self.total:,} copies"
        if not n[None]:
            return f"{what} is negligible {everywhere}"
        if not n[0]:
            return f"{what} is undecided {everywhere}"
        return (
            f"{what} is negligible at {n[0]:,} and undecided at {n[None]:,} of "
            f"{self.total:,} {self.plural} tried"
        )

    def of_sign(self, sign: int, shapes: Sequence[Shape], *, first: bool) -> str:
        """Return what the settings of one sign do, and where; the first names what acts."""
        own = [shape for shape in shapes if shape.sign == sign]
        if self.axis == "copies":
            return self._copies(own)
        verb, outcome = (
            "raises" if sign > 0 else "lowers",
            "the outcome" if first else "it",
        )
        n, size = sum(s.n for s in own), _sizes(own)
        on_strands = self.axis == "distance"
        where = in_list(
            [_span(s) + (f" bp on {s.group}" if on_strands else "") for s in own]
        )
        if self.axis == "letter":
            any_one = f"letter {where}" if n == 1 else f"any one of letters {where}"
            return f"changing {any_one} of {self.of} {verb} {outcome} ({size})"
        subject = f"{self.of} " if first else ""
        if self.axis in ("gap", "order"):
            more = "more" if sign > 0 else "less"
            return f"{subject}do {more} than their sum, {self._by_window(own)}"
        if n == self.total:
            where = (
                f"all {n:,} {self.plural} tried, {own[0].start:g} to {own[-1].stop:g}"
            )
        return f"{subject}{verb} {outcome} at {where} ({size})"

    def _copies(self, own: Sequence[Shape]) -> str:
        parts: list[str] = []
        for s in own:
            verb = "adds" if s.sign == 1 else "takes"
            even = abs(s.strongest - s.weakest) <= NAMED_SHARE * abs(s.size)
            of = f" of {self.of}" if not parts else ""
            if s.n > 1 and not even:
                parts.append(
                    f"copy {s.start:g}{of} {verb} {abs(s.first):.3g}, copy {s.stop:g} "
                    f"{abs(s.last):.3g}"
                )
            elif s.start == 1 and s.n > 1:
                parts.append(f"each copy{of} {verb} {abs(s.size):.3g} up to {s.stop:g}")
            else:
                copies = "copy" if s.n == 1 else "each of copies"
                parts.append(f"{copies} {_span(s)}{of} {verb} {abs(s.size):.3g}")
        return ", ".join(parts)

    def _by_window(self, own: Sequence[Shape]) -> str:
        """Return sizes with arrangements and gaps, those of one window together."""
        windows: dict[tuple[float, float], list[Shape]] = {}
        for shape in own:
            windows.setdefault((shape.start, shape.stop), []).append(shape)
        ordered = sorted(windows.values(), key=lambda w: -max(abs(s.size) for s in w))
        parts = []
        for window in ordered[:_FEW]:
            names = [s.group for s in window if s.group]
            alike = [f"{len(s.groups):,} arrangements" for s in window if s.groups]
            names += alike
            shown = (
                in_list(names[:_FEW])
                if len(names) <= _FEW
                else f"{len(names)} arrangements"
            )
            one = window[0]
            gaps = "a gap" if one.start == one.stop else "gaps"
            where = f" for {shown}" if names else ""
            if self.axis == "gap":
                where += f" at {gaps} of {_span(one)} bp"
            parts.append(f"{_sizes(window)}{where}")
        rest = len(ordered) - _FEW
        more = f"; in {rest:,} further windows" if rest > 0 else ""
        return in_list(parts) + more


def _span(shape: Shape) -> str:
    if shape.start == shape.stop:
        return f"{shape.start:,.0f}"
    return f"{shape.start:,.0f} to {shape.stop:,.0f}"


def _sizes(shapes: Sequence[Shape]) -> str:
    sizes = sorted((s.size for s in shapes), key=abs)
    if len(shapes) == 1:
        one = shapes[0]
        if abs(one.strongest - one.weakest) > NAMED_SHARE * abs(one.size):
            return _range(one.weakest, one.strongest)
        return f"{one.size:+.3g}"
    return _range(sizes[0], sizes[-1])


def _range(low: float, high: float) -> str:
    near, far = f"{low:+.3g}", f"{high:+.3g}"
    return near if near == far else f"{near} to {far}"
