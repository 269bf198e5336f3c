"""Report of the effects on a profile, and its file for genome browsers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from causalgia.attributes import about
from causalgia.checks import first_of, is_whole
from causalgia.effect_table import has_positions, positions_of
from causalgia.errors import (
    DataError,
    EstimateError,
    MissingExtraError,
    install_command,
    quoted,
)
from causalgia.inputs import rough_percent
from causalgia.multiplicity.joint_methods import carried_by_few
from causalgia.schema import validate
from causalgia.tell._trial_report import scale_text
from causalgia.tell.answers import AnswerParts, ReportText, short_answer
from causalgia.tell.folded_text import cut
from causalgia.tell.foot import foot_lines, note_lines
from causalgia.tell.table_formats import format_effect, format_number, percent

_MOST_RANGES = 4
_NAMES = ("contrast", "task", "model")


def curve_report(curves: xr.Dataset) -> ReportText:
    """Report estimates with a dim position as text; `causalgia.report` is this for
    profiles.

    A line for each curve (contrast and task), the 20 of largest change first: the
    ranges of positions in which the band excludes no effect, the largest change, and the
    change of the total over all positions.

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
    GATA1 differs from 0 at 2 of 4 positions; its largest change is 3.00 [2.50, 3.50], at 1.
    <BLANKLINE>
    contrast  above   largest change     95 % band  at
    GATA1     0 to 1            3.00  [2.50, 3.50]   1
    <BLANKLINE>
    Effect on counts at each position. GATA1 minus placebo. ACE: average causal effect.
    4 positions, -1 to 2 bp; 95 % band over all positions (sup-t).
    """
    parts = curve_parts(curves)
    return ReportText(parts.text(), parts.html())


def curve_parts(curves: xr.Dataset) -> AnswerParts:
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
    return short_answer(
        [answer],
        [
            *(*named, "above", "below", "largest change"),
            *(f"{level} {'band' if banded else 'interval'}", "at"),
        ],
        [[*names, *own[:-1]] for names, _, _, own in found],
        words=[*named, "above", "below"],
        foot=[*_setting(curves, banded), sums, *_rarity(curves, banded)],
        pointers={"noted": "", "every": "cg.tidy"},
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
    return [said, *more, *note_lines(one), f"{extent}; {bounds}."]


def _rarity(curves: xr.Dataset, banded: bool) -> list[str]:
    """Return the lines on positions that few units carry, and on effects in too few
    units to be seen.
    """
    lines = []
    if n := int(
        curves["few_units"].any(set(curves["few_units"].dims) - {"position"}).sum()
    ):
        what = "bands of such curves" if banded else "intervals there"
        cure = (
            "lower - unseen and upper + unseen allow for rare effects"
            if banded
            else "cg.simultaneous(..., over='position') says what rare effects could add"
        )
        one_in = 1 / (1 - float(about(curves, 0.95).ci_prob))
        lines.append(
            f"Few units carry the effect at {n:,} positions (few_units): {what} may miss "
            f"more often than 1 in {one_in:.4g}; {cure}."
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
    return about(curves, "").assignment.startswith("parallel")


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


_CURVE_COLUMNS = ("ace", "se", "lower", "upper", "critical")


def write_bigwig(
    curves: xr.Dataset,
    path: str | PathLike[str],
    *,
    chromosome: str,
    origin: int,
    chrom_sizes: Mapping[str, int],
    contrast: str | None = None,
    task: str | None = None,
    column: str = "ace",
) -> Path:
    """Write one curve to a bigWig file, for a genome browser.

    Parameters
    ----------
    curves
        From `causalgia.estimate` or `causalgia.simultaneous`, with a dim position.
    path
        The file.
    chromosome
        Name of the chromosome.
    origin
        Base of the chromosome, counted from 0, that is position 0.
    chrom_sizes
        Chromosome -> length, of the genome.
    contrast, task
        The curve; may be left out where there is one.
    column
        ``"ace"``, ``"lower"``, ``"upper"`` or ``"se"``.

    Raises
    ------
    DataError
        If there are no curves, the column is absent, positions do not increase, or the
        file cannot be written.
    EstimateError
        If the contrast, task or chromosome is unknown, or the curve leaves the
        chromosome.
    MissingExtraError
        If pyBigWig is not installed: ``pip install 'causalgia[bigwig]'``.
    """
    if not (has_positions(curves) and "ace" in curves):
        raise DataError("these are not curves: they have no dim 'position' and 'ace'")
    if column not in _CURVE_COLUMNS or column not in curves:
        known = ", ".join(quoted(name) for name in _CURVE_COLUMNS if name in curves)
        raise DataError(
            f"column={quoted(column)} is not one of the curves' columns: {known}"
        )
    if "model" in curves[column].dims:
        raise DataError("a bigWig file holds one model; select it: .sel(model=...)")
    values = curves[column]
    for dim, name in (("contrast", contrast), ("task", task)):
        values = values.sel({dim: _chosen(dim, name, values[dim].to_numpy().tolist())})
    if chromosome not in chrom_sizes:
        raise EstimateError(
            f"chromosome {quoted(chromosome)} is not in chrom_sizes=, which has "
            f"{first_of(map(quoted, chrom_sizes), 6)}"
        )
    if not is_whole(origin):
        raise EstimateError(f"origin={quoted(origin)} is not a whole number from 0 on")
    starts = positions_of(curves).astype(np.int64) + origin
    ends = starts + int(about(curves, 1).bin)
    if (np.diff(starts) <= 0).any():
        raise DataError("positions do not increase; sort them: .sortby('position')")
    if starts[0] < 0 or ends[-1] > chrom_sizes[chromosome]:
        raise EstimateError(
            f"origin={origin:,}: the curve would go from {starts[0]:,} to "
            f"{ends[-1]:,}, outside {chromosome} of {chrom_sizes[chromosome]:,} bp"
        )
    try:
        import pyBigWig
    except ImportError as error:
        msg = f"bigWig files need pyBigWig ({error}): {install_command('bigwig')}"
        raise MissingExtraError(msg) from error
    target = Path(path)
    place = target if target.exists() else target.parent
    if target.is_dir() or not os.access(place, os.W_OK):  # else the process would end
        raise DataError(f"{target}: cannot be written")
    file = pyBigWig.open(str(target), "w")
    try:
        file.addHeader(list(chrom_sizes.items()))
        file.addEntries(
            [chromosome] * len(starts),
            starts.tolist(),
            ends=ends.tolist(),
            values=values.to_numpy().astype(np.float64).tolist(),
        )
    finally:
        file.close()
    return target


def _chosen(dim: str, name: str | None, there: Sequence[Any]) -> Any:
    """Return the label of the one curve that is asked for."""
    if name is None and len(there) == 1:
        return there[0]
    if name not in there:
        raise EstimateError(
            f"{dim}={quoted(name)} is not one of {first_of(map(quoted, there), 6)}"
        )
    return name
