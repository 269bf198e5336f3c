"""The power of a library as text: one or two sentences, one table and a short foot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import xarray as xr

from causalgia.attributes import about, has
from causalgia.checks import in_list
from causalgia.notes import notes_of
from causalgia.tell.answers import (
    ROWS_SHOWN,
    AnswerParts,
    short_answer,
)
from causalgia.tell.folded_text import cut
from causalgia.tell.table_formats import format_share, percent

ENOUGH = 0.8
"""Power from which a design is called enough."""
_RANGES_LISTED = 3
_LEAST_LOST = 0.005  # of smaller shares 0 % is printed
_SETTINGS = {
    "n_backgrounds": ("background", "backgrounds"),
    "n_barcodes": ("barcode of each oligo", "barcodes of each oligo"),
    "n_replicates": ("replicate", "replicates"),
    "depth": ("read of a barcode", "reads of a barcode"),
}
_HEADING_OF_COLUMN = {
    "n_backgrounds": "backgrounds",
    "n_barcodes": "barcodes",
    "n_replicates": "replicates",
    "depth": "reads a barcode",
    "lost": "lost",
    "se": "SE",
    "half_width": "half width",
    "power": "power",
}
_LAYERS = {
    "sd_barcode": "between barcodes",
    "sd_replicate": "between replicates",
    "sd_count": "of a cell by counting",
    "tau": "of the effect between backgrounds",
    "sd_shared": "shared by an arm's elements in a replicate",
}
_LOSSES = {
    "missing": "of cells missing",
    "p_silent": "of cells silent",
    "outliers": "of barcodes outliers",
}


def assumptions_in_words(found: xr.Dataset) -> str:
    """Return what a plan assumes: its layers of noise, where they are not from the noise
    model, and its losses.

    Examples
    --------
    >>> from causalgia.mpra import NoiseModel, power
    >>> noise = NoiseModel(sd_barcode=0.6, sd_replicate=0.15, sd_count=0.5)
    >>> found = power(0.5, n_barcodes=20, n_replicates=4, noise=noise)
    >>> print(assumptions_in_words(found))
    sd on log2 0.6 between barcodes, 0.15 between replicates, 0.5 of a cell by counting, 0
    shared by an arm's elements in a replicate; elements alike in noise; 0 % of barcodes
    lost, 0 % of cells missing, 0 % of cells silent, 0 % of barcodes outliers
    """
    layers = []
    for name, what in _LAYERS.items():
        if name in found:
            source = about(found[name]).source
            of = "" if source == "noise" else f" ({source})"
            layers.append(f"{_sizes(found[name])} {what}{of}")
    uneven, far = float(found["sd_noisiness"]), float(found["sd_outlier"])
    losses = [f"{format_share(1 - float(found['recovery']))} of barcodes lost"]
    losses += [f"{format_share(float(found[x]))} {of}" for x, of in _LOSSES.items()]
    losses[-1] += f" (a further sd of {far:.3g})" if float(found["outliers"]) else ""
    elements = f"differ in noise by a factor of {np.exp(uneven):.2g}"
    return (
        f"sd on log2 {', '.join(layers)}; elements "
        f"{elements if uneven else 'alike in noise'}; {', '.join(losses)}"
    )


def _sizes(values: xr.DataArray) -> str:
    """Return one size, two, or the range of several."""
    sizes = [f"{x:.3g}" for x in np.unique(values.to_numpy())]
    return (" or " if len(sizes) < 3 else " to ").join(
        dict.fromkeys(sizes[:: max(len(sizes) - 1, 1)])
    )


def power_parts(
    found: xr.Dataset,
    *,
    requested: Sequence[str] = (),
    every: bool = False,
    pointer: str = 'rows="all"',
    noted: str = "notes=True",
) -> AnswerParts:
    """Return the parts of the text of power.

    Parameters
    ----------
    found
        From `causalgia.mpra.power`.
    requested, every, pointer, noted
        What is printed besides, whether every design is, and how to see all, and notes.
    """
    dims = [str(dim) for dim in found["power"].dims]
    designs = [dim for dim in dims if dim in _SETTINGS]
    effects = [dim for dim in dims if dim not in _SETTINGS]
    cells = []
    for at in product(*(range(found.sizes[dim]) for dim in dims)):
        one = found.isel(dict(zip(dims, at, strict=True)))
        cells.append((float(one["power"]), one))
    n_designs = int(np.prod([found.sizes[dim] for dim in designs], dtype=int))
    groups: dict[tuple[str, ...], list[tuple[float, xr.Dataset]]] = {}
    for power, one in cells:
        groups.setdefault(tuple(_value(one, dim) for dim in effects), []).append(
            (power, one)
        )
    of_each = sorted(groups.items(), key=lambda group: max(x for x, _ in group[1]))
    shown = of_each if len(of_each) <= _RANGES_LISTED else of_each[:1]
    named = [
        (_effect_in_words(found, dict(zip(effects, key, strict=True))), group)
        for key, group in shown
    ]
    averaged = about(found, None).question != "one element"
    where = "on average over backgrounds" if averaged else "in one element"
    answer = (
        [_one_design(found, named, where)]
        if n_designs == 1
        else [_designs_in_words(f"{x} {where}", group, n_designs) for x, group in named]
    )
    if len(shown) < len(of_each):
        answer[0] = (
            f"{answer[0][:-1]}; the other {len(of_each) - 1:,} effects are easier."
        )
    if len(cells) > ROWS_SHOWN and not every:
        cells.sort(key=lambda cell: -cell[0])
    columns = ["se", "half_width", "power"]
    shared = float(about(found).shared_error)
    headings = _HEADING_OF_COLUMN | {"power_shared": f"with {shared:g} shared"}
    beside = bool((found["sd_shared"] < shared).any())
    columns += ["power_shared"] if beside else []
    columns += ["lost"] if float(found["lost"].max()) >= _LEAST_LOST else []
    names = [
        "effect" if dim == "true_effect" else _HEADING_OF_COLUMN.get(dim, dim)
        for dim in dims
    ]
    lines = [
        [*(_value(one, dim) for dim in dims), *(_number(one, x) for x in columns)]
        for _, one in cells
    ]
    fixed = in_list(
        [
            _counted(name, found.attrs[name])
            for name in _SETTINGS
            if name in found.attrs and n_designs > 1
        ]
    )
    test = (
        f"False discovery rate {about(found).q:g}"
        if has(found).q
        else f"Two-sided test at {float(found['alpha'].max()):.3g}{_of_t(found)}"
    )
    of = [f"{test}{f'; {fixed}' if fixed else ''}."]
    lost = ["Lost: oligos with fewer than two barcodes."] * ("lost" in columns)
    answer.append(f"Assumed: {assumptions_in_words(found)}.")
    answer += [f"The pilot: {note}." for note in notes_of(found)]
    return short_answer(
        answer,
        [*names, *(headings[x] for x in columns)],
        lines,
        words=[dim for dim in dims if dim in ("contrast", "task")],
        foot=[*of, *lost],
        requested=requested,
        every_row=every,
        pointers={"every": pointer, "noted": noted},
    )


def _of_t(found: xr.Dataset) -> str:
    """Return the degrees of freedom of the t tests, as a clause to append; empty where
    the tests are normal.
    """
    df = found["df"].to_numpy() if "df" in found else np.empty(0)
    df = df[np.isfinite(df)]
    if not df.size:
        return ""
    least, most = f"{df.min():.3g}", f"{df.max():.3g}"
    several = f" to {most}" if most != least else ""
    return f", by a t with {least}{several} degrees of freedom"


def _effect_in_words(found: xr.Dataset, effect: Mapping[str, str]) -> str:
    """Return "a log2 effect of 0.5", or that of a contrast and task."""
    size = effect.get("true_effect", about(found, None).true_effect)
    what = f"a log2 effect of {size}" if size is not None else "the virtual effect"
    others = [cut(x) for name, x in effect.items() if name != "true_effect"]
    return f"{what} of {' in '.join(others)}" if others else what


def _one_design(
    found: xr.Dataset,
    effects: list[tuple[str, list[tuple[float, xr.Dataset]]]],
    where: str,
) -> str:
    """Return how likely one design finds each effect."""
    design = _design_in_words(found)
    chances = [
        f"{what} with a power of {_chance(cells[0][1])}" for what, cells in effects
    ]
    width = float(effects[0][1][0][1]["half_width"])
    level = percent(float(about(found).ci_prob))
    return (
        f"{design[:1].upper()}{design[1:]} find, {where}, {in_list(chances)}; a {level} "
        f"interval has a half width of {width:.2g}."
    )


def _designs_in_words(what: str, cells: list[tuple[float, xr.Dataset]], n: int) -> str:
    """Return which of several designs find an effect."""
    enough = [cell for cell in cells if cell[0] >= ENOUGH]
    if not enough:
        _, one = max(cells, key=lambda cell: cell[0])
        return (
            f"None of {n:,} designs finds {what} with a power of {ENOUGH:g}: the best "
            f"has {_design_in_words(one)} ({_chance(one)})."
        )
    _, one = min(enough, key=lambda cell: (_effort(cell[1]), -cell[0]))
    smallest = "it" if len(enough) == 1 else "the smallest"
    return (
        f"Of {n:,} designs, {len(enough):,} find{'s' * (len(enough) == 1)} {what} with "
        f"a power of {ENOUGH:g} or more: {smallest} has {_design_in_words(one)} "
        f"({_chance(one)})."
    )


def _chance(one: xr.Dataset) -> str:
    """Return the power of a design, and that under a shared error where it is not
    assumed.
    """
    power, beside = (
        f"{x:.2g}" if x < 0.995 else "over 0.99"
        for x in (float(one["power"]), float(one["power_shared"]))
    )
    shared = float(about(one).shared_error)
    if float(one["sd_shared"]) >= shared:
        return power
    return f"{power}, and {beside} under a shared error of {shared:g}"


def _design_in_words(one: xr.Dataset) -> str:
    """Return the settings of a design: of one cell those that vary, else the fixed."""
    of = {name: one[name].item() for name in _SETTINGS if name in one.coords}
    of = of or {name: one.attrs[name] for name in _SETTINGS if name in one.attrs}
    return in_list([_counted(name, value) for name, value in of.items()]) or "it"


def _effort(one: xr.Dataset) -> float:
    """Return the number of reads that a design takes, relative to other designs."""
    return float(
        np.prod([one[name].item() for name in _SETTINGS if name in one.coords])
    )


def _counted(name: str, value: float) -> str:
    one, many = _SETTINGS[name]
    return f"{value:,g} {one if value == 1 else many}"


def _value(one: xr.Dataset, dim: str) -> str:
    value = one[dim].item() if dim in one.coords else ""
    return f"{value:,g}" if isinstance(value, int | float) else str(value)


def _number(one: xr.Dataset, name: str) -> str:
    value = float(one[name])
    return format_share(value) if name == "lost" else f"{value:.3g}"
