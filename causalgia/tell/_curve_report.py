"""Report of the effects on a profile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from causalgia.attributes import about
from causalgia.checks import first_of
from causalgia.effect_table import positions_of
from causalgia.errors import (
    DataError,
    printable,
)
from causalgia.inputs import rough_percent
from causalgia.multiplicity.joint_methods import carried_by_few
from causalgia.schema import validate
from causalgia.tell._trial_report import estimand
from causalgia.tell.table_formats import format_effect, format_number

_MOST_CURVES, _MOST_RANGES = 20, 4


def curve_report(curves: xr.Dataset) -> str:
    """Report estimates with a dim position as text; `causalgia.report` is this for
    profiles.

    A line for each curve (contrast and task), the 20 of largest change first: the
    ranges of positions in which the band excludes no effect, the largest change, the
    change of the total over all positions, and the positions at which few units carry
    the effect. Below the lines it states how much effects in too few units to be seen
    could add.

    Parameters
    ----------
    curves
        From `causalgia.simultaneous` with ``over="position"``, or from
        `causalgia.estimate`, whose intervals hold at one position each.

    Raises
    ------
    DataError
        If they are no estimates.

    Examples
    --------
    >>> dims = ("contrast", "position", "task")
    >>> ace, half = np.array([0.0, 2.0, 3.0, 0.1]).reshape(1, 4, 1), 0.5
    >>> band = xr.Dataset(
    ...     {
    ...         "ace": (dims, ace),
    ...         "lower": (dims, ace - half),
    ...         "upper": (dims, ace + half),
    ...     },
    ...     coords={"contrast": ["GATA1"], "position": [-1, 0, 1, 2], "task": ["K562"]},
    ...     attrs={
    ...         "scale": "counts",
    ...         "control": "placebo",
    ...         "band": "sup_t",
    ...         "over": "position",
    ...         "ci_prob": 0.95,
    ...     },
    ... )
    >>> print(curve_report(band))
    Effect: ACE on counts, each arm minus placebo.
    4 positions, -1 to 2 bp; 95 % band over all positions (sup-t).
    <BLANKLINE>
    GATA1: differs at 2 of 4 positions, above at 0 to 1; largest change 3.00 [2.50, 3.50] at 1.
    """
    curves = validate(curves, "estimates", positions=True)
    if "lower" not in curves:
        raise DataError(
            "these curves have no intervals, because they are of one unit; draw more "
            "units"
        )
    curves = curves.assign(few_units=(curves["ace"].dims, few_units(curves)))
    described = [_described(curve, name) for name, curve in _each(curves)]
    order = sorted(range(len(described)), key=lambda i: -described[i][0])
    lines = [described[i][1] for i in order[:_MOST_CURVES]]
    if len(order) > _MOST_CURVES:
        lines.append(
            f"... and {len(order) - _MOST_CURVES:,} more curves; select some: "
            ".sel(contrast=[...], task=[...])"
        )
    return printable(
        "\n\n".join(filter(None, [_heading(curves), "\n".join(lines), _rarity(curves)]))
    )


def few_units(curves: xr.Dataset) -> NDArray[np.bool_]:
    """Return where few units carry the effect, in the shape of ``ace``; of estimates
    where ``n < 25 skewness^2``.

    Examples
    --------
    >>> columns = {"ace": 0.3, "skewness": 6.0, "n_units": 100}
    >>> one = xr.Dataset(
    ...     {
    ...         name: (("contrast", "position", "task"), [[[x]]])
    ...         for name, x in columns.items()
    ...     }
    ... )
    >>> few_units(one).item()
    True
    """
    if "few_units" in curves:
        return np.asarray(
            curves["few_units"].transpose(*curves["ace"].dims).to_numpy(), dtype=bool
        )
    return carried_by_few(curves)


def _rarity(curves: xr.Dataset) -> str:
    """Return the lines on positions that few units carry, and on effects in too few
    units to be seen.
    """
    lines, banded = [], about(curves, None).over == "position"
    if few_units(curves).any():
        what = "bands of such curves" if banded else "intervals there"
        cure = (
            "lower - unseen and upper + unseen allow for rare effects"
            if banded
            else "cg.simultaneous(..., over='position') says what rare effects could add"
        )
        one_in = 1 / (1 - float(about(curves, 0.95).ci_prob))
        lines.append(
            f"Few units: {what} may miss more often than 1 in {one_in:.4g}; {cure}."
        )
    if "unseen" in curves and (most := float(curves["unseen"].max())) > 0:
        n = float(
            curves["n_clusters" if "n_clusters" in curves else "n_units"]
            .to_numpy()
            .min()
        )
        n = n / 2 if about(curves, "").assignment.startswith("parallel") else n
        lines.append(
            f"Unseen: effects on fewer than {rough_percent(min(3 / n, 1))} of the "
            "population could be missed at any position; as large as the largest that "
            "was seen, they would change the curve by up to "
            f"{format_number(most, most / 10)}."
        )
    return "\n".join(lines)


def _heading(curves: xr.Dataset) -> str:
    one = curves.isel(position=0)
    level, banded = (
        100 * float(about(curves, 0.95).ci_prob),
        about(curves, None).over == "position",
    )
    one.attrs = {
        name: x
        for name, x in one.attrs.items()
        if name not in ("band", "family", "notes")
    }
    at, width = positions_of(curves), int(about(curves, 1).bin)
    extent = (
        f"{len(at):,} position{'s' if len(at) > 1 else ''}, {at[0]} to {at[-1]} bp"
        + (f", in bins of {width} bp" if width > 1 else "")
    )
    method = about(curves, "").band.replace("_", "-")
    bounds = (
        f"{level:.4g} % band over {about(curves, 'all positions').family} ({method})"
        if banded
        else (
            f"{level:.4g} % intervals of one position each; cg.simultaneous(..., "
            "over='position') gives the band"
        )
    )
    return f"{estimand(one)}\n{extent[0].upper()}{extent[1:]}; {bounds}."


def _each(curves: xr.Dataset) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield every curve with its name: the contrast, and task and model where there are
    several.
    """
    outer = [dim for dim in ("contrast", "task", "model") if dim in curves["ace"].dims]
    for at in np.ndindex(*(curves.sizes[dim] for dim in outer)):
        curve = curves.isel(dict(zip(outer, at, strict=True)))
        names = [
            str(curve[dim].item())
            for dim in outer
            if dim == "contrast" or curves.sizes[dim] > 1
        ]
        yield (
            " in ".join(names[:2]) + (f", {names[2]}" if len(names) > 2 else ""),
            curve,
        )


def _described(curve: xr.Dataset, name: str) -> tuple[float, str]:
    """Return the largest change of a curve in absolute terms, and its line."""
    at, width = positions_of(curve), int(about(curve, 1).bin)
    ace, lower, upper = (
        np.asarray(curve[name].to_numpy(), dtype=float)
        for name in ("ace", "lower", "upper")
    )
    null = float(about(curve, 0.0).null_value)
    above, below = lower > null, upper < null
    found = [
        f"{word} at {_ranges(which, at, width)}"
        for which, word in ((above, "above"), (below, "below"))
        if which.any()
    ]
    n = int(above.sum() + below.sum())
    if found:
        where = f"differs at {n:,} of {len(at):,} positions, {', '.join(found)}"
    else:
        where = f"no position at which the interval excludes {null:g}"
    top = int(
        np.where(above | below if found else True, np.abs(ace - null), -1.0).argmax()
    )
    row: dict[str, Any] = {"ace": ace[top], "lower": lower[top], "upper": upper[top]}
    row |= {"se": float(curve["se"].to_numpy()[top])} if "se" in curve else {}
    size, interval = format_effect(row)
    total = _total(curve, ace)
    few = np.asarray(curve["few_units"].to_numpy(), dtype=bool)
    carried = f"; few units carry it at {_ranges(few, at, width)}" if few.any() else ""
    line = (
        f"{name}: {where}; largest change {size} {interval} at "
        f"{at[top]}{total}{carried}."
    )
    return float(abs(ace[top] - null)), line


def _ranges(which: NDArray[np.bool_], at: NDArray[Any], width: int) -> str:
    """Return the runs of positions as text, the longest four in order: "-12 to 24"."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], which, [False]])))
    runs = list(zip(edges[::2], edges[1::2] - 1, strict=True))
    longest = sorted(sorted(runs, key=lambda run: run[0] - run[1])[:_MOST_RANGES])
    words = [
        f"{at[a]} to {at[b] + width - 1}" if at[a] < at[b] + width - 1 else f"{at[a]}"
        for a, b in longest
    ]
    return first_of(words, _MOST_RANGES, n=len(runs), thing="range")


def _total(curve: xr.Dataset, ace: NDArray[np.float64]) -> str:
    """Return the clause on the sum over positions, if it is known how they
    correlate.
    """
    if "factor" not in curve or float(about(curve, 0.0).null_value):
        return ""
    if about(curve, "").assignment.startswith(
        "parallel"
    ):  # pieces of arms do not tell it
        return ""
    pieces = curve["factor"].transpose("cluster", "position").to_numpy().sum(axis=1)
    se, df = float(np.sqrt((pieces**2).sum())), float(np.median(curve["df"].to_numpy()))
    half = float(special.stdtrit(df, 0.5 + float(about(curve, 0.95).ci_prob) / 2)) * se
    size, interval = format_effect(
        {
            "ace": ace.sum(),
            "se": se,
            "lower": ace.sum() - half,
            "upper": ace.sum() + half,
        }
    )
    return f"; sum over positions {size} {interval}"
