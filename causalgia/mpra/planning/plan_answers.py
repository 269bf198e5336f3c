"""The power of a library as text: one or two sentences, one table and a short foot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import xarray as xr

from causalgia.attributes import about, has
from causalgia.checks import in_list
from causalgia.mpra.counts._noise_model import NoiseModel
from causalgia.tell.answers import (
    ROWS_SHOWN,
    AnswerParts,
    short_answer,
)
from causalgia.tell.folded_text import cut
from causalgia.tell.table_formats import format_share, percent
from causalgia.tell.verdict_sentences import truncation_sentence

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
    "sd_barcode": "barcodes",
    "sd_replicate": "replicates",
    "sd_count": "counting",
}


def noise_in_words(
    noise: NoiseModel,
    pilot: xr.Dataset | None,
    *,
    average: bool,
    virtual: bool = False,
) -> str:
    """Return the noise that a plan assumes, and where it is from.

    Parameters
    ----------
    noise, pilot
        As in `causalgia.mpra.power`.
    average
        Whether the plan is of an average effect, which varies between backgrounds.
    virtual
        Whether that variation is of a virtual trial.

    Examples
    --------
    >>> noise_in_words(
    ...     NoiseModel(sd_barcode=0.6, sd_replicate=0.15, tau=0.5), None, average=False
    ... )
    'sd on log2 0.6 (barcodes), 0.15 (replicates)'
    """
    layers = _LAYERS | ({"tau": "effect between backgrounds"} if average else {})
    parts = []
    for name, what in layers.items():
        given = getattr(noise, name)
        if given is None and name == "tau" and virtual:
            parts.append("that of the virtual trial (effect between backgrounds)")
            continue
        values = [given] if given is not None else []
        if given is None and pilot is not None and name in pilot:
            values = np.ravel(pilot[name].to_numpy()).tolist()
        if values:
            of_pilot = ", pilot" if given is None else ""
            sizes = " or ".join(f"{value:.3g}" for value in values)
            parts.append(f"{sizes} ({what}{of_pilot})")
    if noise.barcode_dispersion is not None:
        parts.append(f"random barcodes with dispersion {noise.barcode_dispersion:g}")
    if noise.recovery != 1:
        parts.append(f"{100 * noise.recovery:g} % of the planned barcodes counted")
    return f"sd on log2 {', '.join(parts)}" if parts else ""


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
    columns = [x for x in ("se", "half_width", "power") if x in found]
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
    assumed = about(found, "").assumed
    lost = ["Lost: oligos with fewer than two barcodes."] * ("lost" in columns)
    return short_answer(
        [*truncation_sentence(found.attrs), *answer],
        [*names, *(_HEADING_OF_COLUMN[x] for x in columns)],
        lines,
        words=[dim for dim in dims if dim in ("contrast", "task")],
        foot=[*of, *([f"Assumed: {assumed}."] if assumed else []), *lost],
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
        f"{what} with a power of {_chance(cells[0][0])}" for what, cells in effects
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
        power, one = max(cells, key=lambda cell: cell[0])
        return (
            f"None of {n:,} designs finds {what} with a power of {ENOUGH:g}: the best "
            f"has {_design_in_words(one)} ({_chance(power)})."
        )
    power, one = min(enough, key=lambda cell: (_effort(cell[1]), -cell[0]))
    smallest = "it" if len(enough) == 1 else "the smallest"
    return (
        f"Of {n:,} designs, {len(enough):,} find{'s' * (len(enough) == 1)} {what} with "
        f"a power of {ENOUGH:g} or more: {smallest} has {_design_in_words(one)} "
        f"({_chance(power)})."
    )


def _chance(power: float) -> str:
    return f"{power:.2g}" if power < 0.995 else "over 0.99"


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
