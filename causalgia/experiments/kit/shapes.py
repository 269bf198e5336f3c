"""Answers along a setting: the runs of neighboring settings with one sign."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from causalgia.choices import DIRECTIONS, INSIDE
from causalgia.experiments.kit.curves import told
from causalgia.experiments.kit.stated import GROUP, NAMED_SHARE, Shape
from causalgia.experiments.kit.variance import rows_by_task
from causalgia.notes import Statement
from causalgia.types import Mask

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.experiments.kit.answer import Answer, Reading
    from causalgia.experiments.kit.experiment import TrialResults
    from causalgia.tell.figures.axes import Axes

Clauses: TypeAlias = tuple[tuple[Any, ...], ...]


def shapes_along(rows: xr.Dataset, axis: str) -> list[Shape]:
    """Return the runs of settings of one task's decisions, of each arrangement.

    Settings with a coordinate ``stop`` are spans, and a run ends with its last one. A
    setting has a sign where its verdict is a direction and its effect lies outside
    the region; an undecided one that stands between two of one sign, with an effect of
    that sign, belongs to their run. Of a run of gaps, whose ends are the rule, settings
    at either end with less than a quarter of the largest effect are runs of their own.

    Examples
    --------
    >>> import xarray as xr
    >>> rows = xr.Dataset(
    ...     {
    ...         "ace": ("contrast", [2.0, 1.5, 0.01]),
    ...         "verdict": ("contrast", ["increases", "increases", "negligible"]),
    ...         "rope_lower": ("contrast", [-0.1] * 3),
    ...         "rope_upper": ("contrast", [0.1] * 3),
    ...     },
    ...     coords={"gap": ("contrast", [3, 4, 5])},
    ... )
    >>> [(x.start, x.stop, x.sign, x.size) for x in shapes_along(rows, "gap")]
    [(3.0, 4.0, 1, 1.75), (5.0, 5.0, 0, 0.01)]
    """
    groups = rows[GROUP].to_numpy().astype(str) if GROUP in rows.coords else None
    names = [""] if groups is None else list(dict.fromkeys(groups.tolist()))
    found: list[Shape] = []
    acting = np.isin(rows["verdict"].to_numpy(), list(DIRECTIONS))
    least = NAMED_SHARE * abs(rows["ace"].to_numpy()[acting]).max(initial=0.0)
    for name in names:
        own = rows if groups is None else rows.isel(contrast=groups == name)
        own = own.isel(contrast=np.argsort(own[axis].to_numpy(), kind="stable"))
        setting, ace = own[axis].to_numpy().astype(float), own["ace"].to_numpy()
        ends = own["stop"].to_numpy() if "stop" in own.coords else setting
        kinds = _kinds(own)
        starts = [0, *(np.flatnonzero(np.diff(kinds)) + 1).tolist(), len(kinds)]
        if axis == "gap":
            starts = _with_ends(starts, kinds, ace, least)
        for i, j in itertools.pairwise(starts):
            inside = ace[i:j]
            by_size = np.argsort(abs(inside))
            found.append(
                Shape(
                    axis=axis,
                    group=name,
                    start=float(setting[i]),
                    stop=float(ends[j - 1]),
                    n=j - i,
                    sign=None if kinds[i] == _UNDECIDED else int(kinds[i]),
                    size=float(inside.mean()),
                    weakest=float(inside[by_size[0]]),
                    strongest=float(inside[by_size[-1]]),
                    first=float(inside[0]),
                    last=float(inside[-1]),
                )
            )
    return found


def _with_ends(
    starts: list[int], kinds: np.ndarray, ace: np.ndarray, least: float
) -> list[int]:
    """Return starts of runs, with the weak ends of those with a sign apart.

    Examples
    --------
    >>> _with_ends([0, 4], np.ones(4), np.array([0.5, 4.0, 5.0, 0.9]), least=1.25)
    [0, 1, 3, 4]
    """
    cut = set(starts)
    for i, j in itertools.pairwise(starts):
        strong = i + np.flatnonzero(abs(ace[i:j]) >= least)
        if kinds[i] in (-1, 1) and len(strong):
            cut |= {int(strong[0]), int(strong[-1]) + 1}
    return sorted(cut)


_UNDECIDED = 9
_CURVES = 6


def _kinds(rows: xr.Dataset) -> np.ndarray:
    """Return 1, -1, 0 (inside of the region) or undecided of each setting."""
    ace, verdict = rows["ace"].to_numpy(), rows["verdict"].to_numpy()
    directed = np.isin(verdict, list(DIRECTIONS))
    inside = (ace >= rows["rope_lower"].to_numpy()) & (
        ace <= rows["rope_upper"].to_numpy()
    )
    kinds = np.full(len(ace), _UNDECIDED)
    kinds[np.isin(verdict, INSIDE) | (directed & inside)] = 0
    kinds[directed & ~inside] = np.sign(ace[directed & ~inside])
    known = np.flatnonzero(kinds != _UNDECIDED)
    for left, right in itertools.pairwise(known):
        sign, between = kinds[left], slice(left + 1, right)
        if sign and sign == kinds[right] and (np.sign(ace[between]) == sign).all():
            kinds[between] = sign
    return kinds


def read_shapes(
    found: TrialResults,
    *,
    axes: tuple[str, ...] = (),
    before: Callable[[xr.Dataset], Clauses] = lambda _: (),
    after: Callable[[xr.Dataset], Clauses] = lambda _: (),
) -> Reading:
    """Return the shape of the answer in each task along each axis, which is stated
    between what else its decisions state.
    """
    from causalgia.experiments.kit.answer import Reading

    entry, states = found.experiment.entry, list[Statement]()
    waves: list[tuple[tuple[str, str | None], Shape]] = []
    every: list[tuple[tuple[str, str | None], Shape]] = []
    for begins, rows in rows_by_task(found.steps.decisions):
        parts = list[tuple[Any, ...]]()
        for axis in axes or (entry.axis,):
            if axis not in rows.coords:
                continue
            asked = rows.isel(contrast=question_rows(rows, axis))
            shapes = shapes_along(asked, axis)
            every += [(begins, shape) for shape in shapes]
            if axis == "gap" and GROUP in asked.coords:
                shapes = told(asked, shapes)
                waves += [(begins, x) for x in shapes if np.isfinite(x.period)]
            parts.append(("shapes", shapes, entry.of))
        states.append(Statement((*before(rows), *parts, *after(rows)), *begins))
    datasets = {"shapes": shape_table(every)}
    if waves:
        datasets["waves"] = _wave_table(waves)
    return Reading(datasets=datasets, states=tuple(states))


def _wave_table(waves: list[tuple[tuple[str, str | None], Shape]]) -> xr.Dataset:
    """Return waves as a Dataset on ``wave``."""
    import xarray as xr

    columns = {
        "task": [begins[0] for begins, _ in waves],
        "model": [begins[1] or "" for begins, _ in waves],
        "arrangements": [", ".join(shape.groups) for _, shape in waves],
        "amplitude": [shape.size for _, shape in waves],
        **{
            name: [getattr(shape, name) for _, shape in waves]
            for name in ("period", "length", "start", "stop")
        },
    }
    return xr.Dataset({name: ("wave", values) for name, values in columns.items()})


def question_rows(rows: xr.Dataset, axis: str) -> Mask:
    """Return which rows are settings of the question."""
    chosen: Mask = np.isfinite(rows[axis].to_numpy().astype(float))
    return (
        chosen & rows["of_question"].to_numpy()
        if "of_question" in rows.coords
        else chosen
    )


def shape_table(shapes: list[tuple[tuple[str, str | None], Shape]]) -> xr.Dataset:
    """Return shapes as a Dataset on ``shape``."""
    import xarray as xr

    columns = {
        "task": [begins[0] for begins, _ in shapes],
        "model": [begins[1] or "" for begins, _ in shapes],
        **{
            name: [getattr(shape, name) for _, shape in shapes]
            for name in (
                "kind",
                "axis",
                "group",
                "start",
                "stop",
                "n",
                "size",
                "weakest",
                "strongest",
                "first",
                "last",
            )
        },
        "sign": [np.nan if s.sign is None else float(s.sign) for _, s in shapes],
    }
    return xr.Dataset({name: ("shape", values) for name, values in columns.items()})


def draw_shapes(answer: Answer) -> Axes:
    """Draw the rows of the question along their setting; of arrangements the six with
    the largest effects, each as a line.
    """
    from causalgia.tell.figures import curve

    axis = str(answer.findings["shapes"]["axis"].to_numpy()[0])
    rows = answer.decisions.isel(contrast=question_rows(answer.decisions, axis))
    if GROUP not in rows.coords:
        return curve(rows, x=axis)
    size = abs(rows["ace"]).groupby(rows[GROUP]).max(...)
    largest = size.sortby(-size)[GROUP][:_CURVES]
    return curve(rows.isel(contrast=rows[GROUP].isin(largest)), x=axis, by=GROUP)
