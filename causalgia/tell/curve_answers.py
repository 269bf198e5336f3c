"""Report of the effects on a profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from causalgia.attributes import about
from causalgia.effect_table import positions_of
from causalgia.errors import (
    DataError,
    first_of,
)
from causalgia.inputs import rough_percent
from causalgia.multiplicity.joint_methods import carried_by_few
from causalgia.schema import validate
from causalgia.tell._trial_report import scale_text
from causalgia.tell.answers import AnswerParts, short_answer
from causalgia.tell.folded_text import cut
from causalgia.tell.foot import foot_lines, note_lines
from causalgia.tell.table_formats import format_effect, format_number, percent

_MOST_RANGES = 4
_NAMES = ("contrast", "task", "model")


def curve_parts(curves: xr.Dataset, *, requested: Sequence[str] = ()) -> AnswerParts:
    """Return the answer of a profile."""
    curves = validate(curves, "estimates", positions=True)
    if "lower" not in curves:
        raise DataError(
            "these curves have no intervals, because they are of one unit; draw more "
            "units"
        )
    if "few_units" not in curves:
        few = carried_by_few(curves)
        curves = curves.assign(few_units=(curves["ace"].dims, few))
    dims = [name for name in _NAMES if name in curves["ace"].dims]
    named = [name for name in dims if name == "contrast" or curves.sizes[name] > 1]
    found = []
    for at in np.ndindex(*(curves.sizes[dim] for dim in dims)):
        one = curves.isel(dict(zip(dims, at, strict=True)))
        names = [str(one[name].item()) for name in named]
        found.append((names, *_described(one)))
    found.sort(key=lambda curve: -curve[1])
    names, _, n, own = found[0]
    banded = about(curves, None).over == "position"
    null = f"{float(about(curves, 0.0).null_value):g}"
    of = " in ".join(map(cut, names))
    differs = f"differs from {null} at {n:,} of {curves.sizes['position']:,} positions"
    _, _, size, interval, place, _ = own
    answer = (
        f"{of} {differs if n else f'differs from {null} at no position'}; its largest "
        f"change is {size} {interval}, at {place}."
    )
    level = percent(float(about(curves, 0.95).ci_prob))
    totals = [f"{' in '.join(x)} {own[-1]}" for x, _, _, own in found if own[-1]]
    sums = f"Sum over positions: {first_of(totals, 6, sep='; ')}." if totals else ""
    rare = _rarity(curves, banded)
    return short_answer(
        [answer],
        [
            *(*named, "above", "below", "largest change"),
            *(f"{level} {'band' if banded else 'interval'}", "at"),
        ],
        [[*names, *own[:-1]] for names, _, _, own in found],
        words=[*named, "above", "below"],
        foot=[" ".join([*_setting(curves, banded), *rare[:1]]), sums, *rare[1:]],
        notes=note_lines(curves.isel(position=0)),
        requested=requested,
        pointers={"every": "cg.tidy"},
    )


def _setting(curves: xr.Dataset, banded: bool) -> list[str]:
    """Return what the effects are, and over which positions."""
    one = curves.isel(position=0)
    known = ("band", "family", "notes")
    one.attrs = {name: x for name, x in one.attrs.items() if name not in known}
    at, width = positions_of(curves), int(about(curves, 1).bin)
    extent = f"{len(at):,} position{'s' * (len(at) > 1)}, {at[0]} to {at[-1]} bp"
    extent += f", in bins of {width} bp" if width > 1 else ""
    level = percent(float(about(curves, 0.95).ci_prob))
    bounds = (
        f"{level} intervals of one position each; cg.simultaneous(..., "
        "over='position') gives the band"
    )
    if banded:
        over = about(curves, "all positions").family
        method = about(curves, "").band.replace("_", "-")
        bounds = f"{level} band over {over} ({method})"
    first, *more = foot_lines(one, set())[0]
    said = f"Effect on {scale_text(one.attrs)} at each position. {first}"
    return [f"{said} {extent}; {bounds}.", *more]


def _rarity(curves: xr.Dataset, banded: bool) -> list[str]:
    """Return the lines on positions that few units carry, and on effects in too few
    units to be seen.
    """
    lines = []
    if n := int(
        curves["few_units"].any(set(curves["few_units"].dims) - {"position"}).sum()
    ):
        what = "the band" if banded else "an interval"
        one_in = 1 / (1 - float(about(curves, 0.95).ci_prob))
        lines.append(
            f"Few units carry the effect at {n:,} positions, where {what} may miss more "
            f"often than 1 in {one_in:.4g}."
        )
    if "unseen" in curves and (most := float(curves["unseen"].max())) > 0:
        own = float(curves["n_clusters" if "n_clusters" in curves else "n_units"].min())
        own = own / 2 if _is_parallel(curves) else own
        lines.append(
            f"Unseen: effects on fewer than {rough_percent(min(3 / own, 1))} of the "
            "population could be missed at any position; as large as the largest that "
            "was seen, they would change the curve by up to "
            f"{format_number(most, most / 10)}."
        )
    return lines


def _is_parallel(curves: xr.Dataset) -> bool:
    return about(curves, "").assignment == "parallel"


def _described(curve: xr.Dataset) -> tuple[float, int, list[str]]:
    """Return the largest change of a curve in absolute terms, the number of positions at
    which it differs, and its cells.
    """
    at, width = positions_of(curve), int(about(curve, 1).bin)
    null = float(about(curve, 0.0).null_value)
    ace, lower, upper = (curve[x].to_numpy() for x in ("ace", "lower", "upper"))
    above, below = lower > null, upper < null
    n = int((above | below).sum())
    size = np.where(above | below if n else True, np.abs(ace - null), -1.0)
    top = int(size.argmax())
    se = {"se": float(curve["se"][top])} if "se" in curve else {}
    row = {
        "ace": float(ace[top]),
        "lower": float(lower[top]),
        "upper": float(upper[top]),
    }
    ranges = [_ranges(which, at, width) for which in (above, below)]
    total = " ".join(_total(curve, ace))
    return float(size[top]), n, [*ranges, *format_effect(row | se), str(at[top]), total]


def _ranges(which: NDArray[np.bool_], at: NDArray[Any], width: int) -> str:
    """Return the runs of positions as text, the longest four in order: "-12 to 24"."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], which, [False]])))
    runs = list(zip(edges[::2], edges[1::2] - 1, strict=True))
    longest = sorted(sorted(runs, key=lambda run: run[0] - run[1])[:_MOST_RANGES])
    words = [
        f"{at[a]} to {at[b] + width - 1}" if at[a] < at[b] + width - 1 else f"{at[a]}"
        for a, b in longest
    ]
    return first_of(words, _MOST_RANGES, n=len(runs), thing="range") if words else ""


def _total(curve: xr.Dataset, ace: NDArray[np.float64]) -> tuple[str, ...]:
    """Return the sum over positions and its interval, if it is known how they correlate
    (pieces of independent arms do not tell it).
    """
    null = float(about(curve, 0.0).null_value)
    if "factor" not in curve or null or _is_parallel(curve):
        return ()
    pieces = curve["factor"].transpose("cluster", "position").to_numpy().sum(axis=1)
    se, df = float(np.sqrt((pieces**2).sum())), float(np.median(curve["df"].to_numpy()))
    half = float(special.stdtrit(df, 0.5 + float(about(curve, 0.95).ci_prob) / 2)) * se
    total = float(ace.sum())
    ends = {"lower": total - half, "upper": total + half}
    return format_effect({"ace": total, "se": se, **ends})
