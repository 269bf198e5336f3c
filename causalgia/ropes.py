"""Regions of practical equivalence (ROPE) as they are asked for, parsed once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Complex, Real
from typing import Any, Literal, TypeAlias

from causalgia.checks import as_number, four_digits, is_real
from causalgia.choices import PLACEBO_ROPES
from causalgia.errors import (
    CausalgiaError,
    EstimateError,
    quoted,
)

Ends: TypeAlias = tuple[float, float]
Kind: TypeAlias = Literal[
    "numbers",
    "direction",
    "by task",
    "sd",
    "largest",
    "placebo",
    "placebo outliers",
    "matched",
]

_SHARE = re.compile(r"\s*((?:\d+(?:\.\d*)?|\.\d+)(?:e-?\d+)?)\s*(sd|of largest)\s*")


@dataclass(frozen=True)
class Rope:
    """A region of practical equivalence as it is asked for: the effects that are too
    small to matter.

    Every verb that takes a region takes one of these or what `parse` reads, and asks it
    for its ends on the effects at hand (`causalgia.multiplicity.regions.rope_region`).

    Attributes
    ----------
    kind
        ``"numbers"``; ``"direction"``, for which no effect is negligible;
        ``"by task"``; ``"sd"``, of the control arm; ``"largest"``, a share of the
        largest single effect; ``"placebo"`` and
        ``"placebo outliers"``, of random sequences; ``"matched"``, of null variants.
    value
        The region in plain numbers and text: its two ends; 0; (task, ends) for each
        task; or the text that was given.

    Examples
    --------
    >>> Rope.parse((-0.1, 0.1))
    Rope(kind='numbers', value=(-0.1, 0.1))
    >>> str(Rope.parse({"K562": (-0.1, 0.1), "HepG2": (-1, 1)}))
    '-0.1 to 0.1 (K562); -1 to 1 (HepG2)'
    >>> Rope.parse("0.2 sd").share, Rope.parse("0.1 of largest").share
    (0.2, 0.1)
    """

    kind: Kind
    value: Any

    @classmethod
    def parse(
        cls,
        rope: RopeLike | Sequence[float] | None,
        null: float = 0.0,
        *,
        fixed: bool = False,
        error: type[CausalgiaError] = EstimateError,
    ) -> Rope:
        """Return the region that is asked for.

        Parameters
        ----------
        rope
            Region of practical equivalence. Two numbers, the lower first, of which
            one may be infinite (``(-inf, 0.5)``: is the effect above 0.5, or at most
            that?); one number, 0.3 for -0.3 to 0.3; 0, the direction alone; for each
            task such numbers; ``"0.2 sd"``, of
            the control arm; ``"0.1 of largest"``, of the largest effect of its task
            (in an experiment, of the largest effect of one site), at least 0.2 sd;
            ``"placebo"``,
            ``"placebo outliers"``; ``"matched"``; a `Rope`; or numbers in a text, as on
            a command line: ``"-0.1,0.1"``, ``"0"``, ``"K562=-0.1,0.1;HepG2=-1,1"``.
        null
            No effect: 1 for ratios.
        fixed
            Whether the region has to be in numbers, which need no data.
        error
            Type of the error.

        Raises
        ------
        EstimateError
            If it is none of these (or `error`, of another kind).

        Examples
        --------
        >>> Rope.parse("-0.1,0.1") == Rope.parse("0.1") == Rope.parse(0.1)
        True
        >>> str(Rope.parse("K562=-0.1,0.1;HepG2=-1,1"))
        '-0.1 to 0.1 (K562); -1 to 1 (HepG2)'
        >>> Rope.parse((0.1, -0.1))
        Traceback (most recent call last):
        ...
        causalgia.errors.EstimateError: rope=(0.1, -0.1) is reversed; the lower end comes first
        """
        try:
            parsed = cls._parsed(rope, null)
            return parsed.fixed() if fixed else parsed
        except EstimateError as found:
            raise error(str(found), argument="rope") from None

    @classmethod
    def _parsed(cls, rope: Any, null: float) -> Rope:
        if isinstance(rope, Rope):  # one that was made by hand may be none
            if cls._parsed(rope.value, null) != rope:
                raise EstimateError(
                    f"rope={quoted(str(rope))} is not a region of the kind "
                    f"{quoted(rope.kind)}; make it by cg.Rope.parse(rope)",
                    argument="rope",
                )
            return rope
        if rope is None:
            raise EstimateError(
                "rope=None: a verdict compares an effect with a region of practical "
                "equivalence: two ends, 0, '0.2 sd' or 'placebo'",
                argument="rope",
            )
        if isinstance(rope, str):
            rope = _numbers_of(rope)
        if isinstance(rope, str):
            return _of_name(rope)
        if getattr(rope, "ndim", None) == 0 and not getattr(rope, "mask", False):
            rope = rope.item()  # an array of one number
        if is_real(rope) and rope == 0:
            return cls("direction", 0)
        if isinstance(rope, Mapping):
            if not rope:
                raise EstimateError(
                    f"rope={quoted(rope)} names no task",
                    argument="rope",
                )
            return cls("by task", _of_tasks(tuple(rope.items())))
        if isinstance(rope, tuple | list) and rope and all(map(_names_a_task, rope)):
            return cls("by task", _of_tasks(rope))
        return cls("numbers", rope_ends(rope))

    @property
    def is_fixed(self) -> bool:
        """Whether its ends need no data."""
        return self.kind in ("numbers", "direction", "by task")

    @property
    def of_placebos(self) -> bool:
        """Whether it is the range of random sequences."""
        return self.kind in PLACEBO_ROPES

    @property
    def share(self) -> float:
        """The half width in sd of the control arm, or in largest effects."""
        found = _SHARE.fullmatch(str(self.value))
        return float(found[1]) if found else math.nan

    @property
    def stated_ends(self) -> tuple[Ends, ...]:
        """The two ends that it states, of each task if it is by task; none for a
        region whose ends need data, and for a direction.

        Examples
        --------
        >>> Rope.parse((-0.1, 0.1)).stated_ends, Rope.parse("placebo").stated_ends
        (((-0.1, 0.1),), ())
        """
        if self.kind == "by task":
            return tuple(ends for _, ends in self.value)
        return (self.value,) if self.kind == "numbers" else ()

    @property
    def argument(self) -> Any:
        """The region as users write it in Python: two numbers, a mapping by task, 0 or
        the text.

        Examples
        --------
        >>> Rope.parse("K562=-0.1,0.1").argument, Rope.parse("-1,1").argument
        ({'K562': (-0.1, 0.1)}, (-1.0, 1.0))
        """
        return dict(self.value) if self.kind == "by task" else self.value

    def to_plain(self) -> Any:
        """Return the region in the types of TOML and JSON, which `parse` reads.

        Examples
        --------
        >>> Rope.parse((-0.1, 0.1)).to_plain(), Rope.parse("K562=-1,1").to_plain()
        ([-0.1, 0.1], {'K562': [-1.0, 1.0]})
        """
        if self.kind == "by task":
            return {task: list(ends) for task, ends in self.value}
        return list(self.value) if self.kind == "numbers" else self.value

    def fixed(self) -> Rope:
        """Return this region, whose ends need no data.

        Raises
        ------
        EstimateError
            If they do, as those of placebos.
        """
        if self.is_fixed:
            return self
        raise EstimateError(
            f"rope={quoted(self.value)} is not fixed beforehand for all effects",
            argument="rope",
        )

    def ends(self, tasks: list[str], null: float = 0.0) -> list[Ends]:
        """Return the two ends for each task; those of a direction are both `null`, no
        effect.

        Raises
        ------
        EstimateError
            If a task has no region or there is no such task, the region needs data,
            or it does not contain 1 on a scale of ratios.

        Examples
        --------
        >>> Rope.parse(0).ends(["K562"]), Rope.parse((-1, 1)).ends(["K562", "HepG2"])
        ([(0.0, 0.0)], [(-1.0, 1.0), (-1.0, 1.0)])
        """
        as_number(null, "null", error=EstimateError)
        if self.kind == "direction":
            return [(null, null) for _ in tasks]
        if self.kind == "numbers":
            return [rope_ends(self.value, null) for _ in tasks]
        by_task = dict(self.fixed().value)
        if set(by_task) != set(tasks):
            raise EstimateError(
                f"rope names the tasks {quoted(sorted(by_task))}, and the tasks are "
                f"{quoted(tasks)}; give a rope for each"
            )
        return [_of_task(task, by_task[task], null)[1] for task in tasks]

    def __str__(self) -> str:
        if self.kind == "numbers":
            return " to ".join(map(four_digits, self.value))
        if self.kind == "by task":
            return "; ".join(
                f"{' to '.join(map(four_digits, ends))} ({task})"
                for task, ends in self.value
            )
        return str(self.value)


RopeLike: TypeAlias = (
    Rope | Ends | str | int | Mapping[str, Ends] | tuple[tuple[str, Ends], ...]
)
"""Every form of a region (`Rope.parse`)."""


def _names_a_task(pair: object) -> bool:
    return (
        isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[0], str)
    )


def _of_tasks(pairs: Sequence[tuple[str, Any]]) -> tuple[tuple[str, Ends], ...]:
    """Return the region of each task, which is named once."""
    found = [_of_task(*pair) for pair in pairs]
    names = [task for task, _ in found]
    for i, task in enumerate(names):
        if not task.strip():
            raise EstimateError(
                f"rope={quoted(dict(found))} has a region of a task without a name; "
                "name the task of each",
                argument="rope",
            )
        if task in names[:i]:
            raise EstimateError(
                f"rope names the task {quoted(task)} twice; give one region for each "
                "task",
                argument="rope",
            )
    return tuple(found)


def _of_task(task: Any, ends: Any, null: float = 0.0) -> tuple[str, Ends]:
    try:
        return str(task), rope_ends(ends, null)
    except EstimateError as error:
        raise EstimateError(f"task {task}: {error}") from None


def _numbers_of(text: str) -> Any:
    """Return the numbers that a text holds, by task where it names tasks; a text
    without numbers as it is.
    """
    if "=" in text:
        parts = [part.rpartition("=") for part in text.split(";") if part.strip()]
        return [(task.strip(), _numbers_of(ends)) for task, _, ends in parts]
    try:
        numbers = [
            int(part) if part.lstrip("+-").isdecimal() else float(part)
            for part in text.replace(",", " ").split()
        ]
    except ValueError:
        return text
    return numbers[0] if len(numbers) == 1 else numbers or text


def _of_name(rope: str) -> Rope:
    name = rope.strip()
    if name in PLACEBO_ROPES or name == "matched":
        return Rope(name, name)  # type: ignore[arg-type]  # one of the names
    found = _SHARE.fullmatch(rope)
    if found is None or not 0 < float(found[1]) < math.inf:
        raise EstimateError(
            f"rope={quoted(rope)} is not a region: two numbers, 0, '0.2 sd', "
            "'0.1 of largest', 'placebo', 'placebo outliers' or 'matched'",
            argument="rope",
        )
    return Rope("sd" if found[2] == "sd" else "largest", rope)


def rope_ends(rope: Any, null: float = 0.0) -> tuple[float, float]:
    """Return the two ends of a rope as floats.

    Parameters
    ----------
    rope
        Region of practical equivalence. ``(lower, upper)``; r for ``(-r, r)``.
    null
        No effect: 1 for ratios, which the rope then has to contain; about 0 a rope may
        lie on one side.

    Raises
    ------
    EstimateError
        If it is not two numbers, the lower one first, with something between them, of
        which one may be infinite; or does not contain 1 on a scale of ratios.

    Examples
    --------
    >>> rope_ends((-0.1, 0.2)), rope_ends((-float("inf"), 0.5))
    ((-0.1, 0.2), (-inf, 0.5))
    >>> rope_ends((0.1, -0.1))
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: rope=(0.1, -0.1) is reversed; the lower end comes first
    """
    try:
        ends = (-rope, rope) if is_real(rope) else rope
        if isinstance(ends, set | frozenset) or any(
            (isinstance(end, str | bytes | Complex) and not isinstance(end, Real))
            or type(end).__name__ in ("bool", "MaskedConstant")  # also NumPy's bool
            for end in ends
        ):
            raise TypeError
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError, OverflowError):
        raise EstimateError(
            f"rope={quoted(rope)} is not two numbers; for example rope=(-0.1, 0.1)",
            argument="rope",
        ) from None
    one_sided = (low == -math.inf) != (high == math.inf)
    if not (math.isfinite(low) and math.isfinite(high)) and not (
        one_sided and math.isfinite(high if low == -math.inf else low)
    ):
        raise EstimateError(
            f"rope={quoted(rope)}: two finite ends, or one of one side, such as "
            "(-inf, 0.5)",
            argument="rope",
        )
    if low > high:
        raise EstimateError(
            f"rope={quoted(rope)} is {'reversed; the lower end comes first' if ends is rope else 'below 0'}",
            argument="rope",
        )
    if low == high:
        raise EstimateError(
            f"rope={quoted(rope)} has no width, and no effect is certainly a point; "
            "widen it, for example rope=(-0.1, 0.1), or give rope=0, the direction "
            "alone",
            argument="rope",
        )
    if null and -math.inf < low < 0:
        raise EstimateError(
            f"rope={quoted(rope)}: a ratio is not below 0; give its two ends, such as "
            "(0.8, 1.25)",
            argument="rope",
        )
    if null and not low <= null <= high:
        raise EstimateError(
            f"rope={quoted(rope)} does not contain {null:g}, which is no effect on a "
            "scale of ratios",
            argument="rope",
        )
    return low, high
