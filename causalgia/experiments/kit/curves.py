"""What pairs of motifs do by their gap: runs that are much the same in most arrangements
are one, and so are curves that a period explains.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from causalgia.estimation._helical_phase import Periodic, follows, periodic
from causalgia.experiments.kit.stated import GROUP, Shape
from causalgia.types import Array

if TYPE_CHECKING:
    import xarray as xr

MANY = 0.75
"""Share of the arrangements in which a run, or a wave, is so in any."""
WHOLE = 0.8
"""Share of the gaps asked that a run covers, from which it is told as all gaps."""


@dataclass(frozen=True)
class Run:
    """A run of gaps in arrangements that are `members`; of most of them, with gaps and size
    that are medians (or, at nearly all gaps, `whole`, the first and the last).
    """

    shape: Shape
    members: tuple[Shape, ...]
    many: bool = False
    whole: bool = False

    @property
    def groups(self) -> tuple[str, ...]:
        """The arrangements."""
        return tuple(shape.group for shape in self.members)


@dataclass(frozen=True)
class Wave:
    """A wave in `groups` of the arrangements, of most of them or of one and that of the
    opposite strand.
    """

    fit: Periodic
    groups: tuple[str, ...]
    many: bool = False


def turned(arrangement: str) -> str:
    """Return an arrangement as it is read on the opposite strand.

    Examples
    --------
    >>> turned("A+ then B-")
    'B+ then A-'
    """
    parts = [part.strip() for part in arrangement.split(" then ")]
    return " then ".join(
        part[:-1] + ("-" if part[-1] == "+" else "+") for part in parts[::-1]
    )


def waves_along(
    rows: xr.Dataset, groups: Iterable[str], n_groups: int, *, both_strands: bool
) -> list[Wave]:
    """Return the waves in the interactions of one task by gap, in arrangements that act:
    one of most of the arrangements, or each in one and that of the opposite strand.
    """
    names, gaps = (
        rows[GROUP].to_numpy().astype(str),
        rows["gap"].to_numpy().astype(float),
    )
    ace, curves = rows["ace"].to_numpy().astype(float), dict[str, dict[float, float]]()
    for name in groups:
        own = names == name
        curves[name] = dict(
            sorted(zip(gaps[own].tolist(), ace[own].tolist(), strict=True))
        )
    found = list[Wave]()

    def fitted(of: Sequence[str]) -> Periodic | None:
        if not of:
            return None
        x = np.array(
            [gap for gap in curves[of[0]] if all(gap in curves[y] for y in of)]
        )
        return periodic(x, np.mean([_at(curves[name], x) for name in of], axis=0))

    def following(wave: Periodic, of: Iterable[str]) -> tuple[str, ...]:
        return tuple(x for x in of if follows(wave, *np.array([*curves[x].items()]).T))

    whole = fitted([*curves])
    if whole is not None and n_groups > 1:
        same = following(whole, curves)
        own_fit = fitted(same)
        if len(same) >= MANY * n_groups and own_fit is not None:
            found.append(Wave(own_fit, same, many=True))
            curves = {name: x for name, x in curves.items() if name not in same}
    left = [*curves]
    while left:
        one = left.pop(0)
        other = turned(one)
        both = [one, *([other] if both_strands and other in left else [])]
        fit = fitted(both)
        if fit is None or one not in (same := following(fit, both)):
            both, fit = [one], fitted([one])
            same = (one,)
        if fit is not None:
            found.append(Wave(fit, same))
            left = [name for name in left if name not in same]
    return found


def _at(curve: dict[float, float], x: Array) -> Array:
    return np.array([curve[gap] for gap in x.tolist()])


def merged_runs(
    shapes: Iterable[Shape], arrangements: Sequence[str], n_gaps: int
) -> list[Run]:
    """Return the runs of one task that have a sign, the largest of each sign first.

    What is so in three quarters of the arrangements at much the same gaps is one run, and
    so is an arrangement with that of the opposite strand.
    """
    found = list[Run]()
    by_sign: dict[int, list[Shape]] = {}
    for shape in shapes:
        if shape.sign in (-1, 1):
            by_sign.setdefault(int(shape.sign or 0), []).append(shape)
    for runs in by_sign.values():
        runs.sort(key=lambda run: -abs(run.size))
        while runs:
            one = runs[0]
            alike = {one.group: one}
            for other in runs[1:]:
                if _alike(one, other):
                    alike.setdefault(other.group, other)
            whole = one.n >= WHOLE * n_gaps
            if (whole or len(arrangements) > 1) and (
                len(alike) >= MANY * len(arrangements)
            ):
                found.append(_in_any([*alike.values()], n_gaps))
            else:
                own = (one.group, turned(one.group))
                alike = {x: alike[x] for x in own if x in alike}
                found.append(Run(one, tuple(alike.values())))
            runs = [x for x in runs if x not in alike.values()]
    return found


def _alike(one: Shape, other: Shape) -> bool:
    """Return whether two runs share half of their gaps, and one is no more than twice the
    other.
    """
    shared = min(one.stop, other.stop) - max(one.start, other.start) + 1
    both = max(one.stop, other.stop) - min(one.start, other.start) + 1
    sizes = sorted(abs(x.size) for x in (one, other))
    return 2 * shared >= both and 2 * sizes[0] >= sizes[1]


def _in_any(runs: Sequence[Shape], n_gaps: int) -> Run:
    of = {
        name: np.array([getattr(run, name) for run in runs])
        for name in ("start", "stop", "n", "size")
    }
    whole = bool(np.median(of["n"]) >= WHOLE * n_gaps)
    at = (0.0, 1.0) if whole else (0.5, 0.5)
    first, last = (  # gaps that were asked
        float(np.quantile(of[name], q, method="lower"))
        for name, q in zip(("start", "stop"), at, strict=True)
    )
    shape = replace(
        runs[0],
        start=first,
        stop=last,
        n=int(np.median(of["n"])),
        size=float(np.median(of["size"])),
        weakest=min((x.weakest for x in runs), key=abs),
        strongest=max((x.strongest for x in runs), key=abs),
    )
    return Run(shape, tuple(runs), many=True, whole=whole)


def told(rows: xr.Dataset, shapes: Sequence[Shape]) -> list[Shape]:
    """Return the shapes of one task by gap as they are told: of each pair of motifs, runs
    that are much the same in most arrangements as one, and waves for their arrangements.
    """
    found = list[Shape]()
    pairs: dict[frozenset[str], list[Shape]] = {}
    for shape in shapes:
        motifs = frozenset(x.strip()[:-1] for x in shape.group.split(" then "))
        pairs.setdefault(motifs, []).append(shape)
    for own in pairs.values():
        names = list(dict.fromkeys(shape.group for shape in own))
        acting = [shape for shape in own if shape.sign]
        groups = dict.fromkeys(shape.group for shape in acting)
        waves = waves_along(rows, groups, len(names), both_strands=True)
        found += [_as_shape(wave) for wave in waves]
        in_waves = {name for wave in waves for name in wave.groups}
        own = [shape for shape in own if shape.group not in in_waves]
        n_gaps = len(np.unique(rows["gap"].to_numpy()))
        runs = merged_runs(own, names, n_gaps) if len(names) > 1 else []
        for run in (run for run in runs if run.many):
            alike = [x for x in own if x.sign == run.shape.sign and x in run.members]
            n = sum(shape.n for shape in alike)
            found.append(replace(run.shape, group="", groups=run.groups, n=n))
            own = [shape for shape in own if shape not in alike]
        found += own
    return found


def _as_shape(wave: Wave) -> Shape:
    fit = wave.fit
    return Shape(
        axis="gap",
        start=fit.start,
        stop=fit.stop,
        n=len(fit.trend),
        sign=None,
        size=fit.amplitude,
        weakest=fit.amplitude,
        strongest=fit.amplitude,
        groups=wave.groups,
        period=fit.period,
        length=fit.length,
    )
