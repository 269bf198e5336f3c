"""Report of the effects on a profile, and its files for genome browsers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
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
    printable,
    quoted,
)
from causalgia.inputs import rough_percent
from causalgia.multiplicity.joint_methods import carried_by_few
from causalgia.schema import validate
from causalgia.tell._trial_report import scale_text
from causalgia.tell.foot import foot_lines, note_lines
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
    Effect on counts at each position. GATA1 minus placebo. ACE: average causal effect.
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
    said = "\n".join([*foot_lines(one, set())[0], *note_lines(one)])
    said = f"Effect on {scale_text(one.attrs)} at each position. {said}"
    return f"{said}\n{extent[0].upper()}{extent[1:]}; {bounds}."


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


_CURVE_COLUMNS = ("ace", "se", "lower", "upper", "critical")


def write_npz(curves: xr.Dataset, path: str | PathLike[str]) -> Path:
    """Write estimates of curves to a compressed numpy file: an array for each column,
    and the names of its dims.

    Parameters
    ----------
    curves
        From `causalgia.estimate` or `causalgia.simultaneous`, with a dim position.
    path
        The file; ``.npz`` is added where it is missing.

    Returns
    -------
    Path
        The file. It holds ``ace``, ``se``, ``lower``, ``upper`` (contrast, position,
        task[, model]), and ``contrast``, ``position``, ``task``, ``bin``.

    Raises
    ------
    DataError
        If there are no curves, or the folder is absent.

    Examples
    --------
    >>> import tempfile
    >>> ace = (("contrast", "position", "task"), np.zeros((1, 3, 1)))
    >>> curves = xr.Dataset(
    ...     {"ace": ace},
    ...     {"contrast": ["GATA1"], "position": [-1, 0, 1], "task": ["K562"]},
    ... )
    >>> np.load(write_npz(curves, tempfile.mkdtemp() + "/curves"))["position"].tolist()
    [-1, 0, 1]
    """
    _check_curves(curves)
    positions_of(curves)
    target = Path(path) if str(path).endswith(".npz") else Path(f"{path}.npz")
    arrays: dict[str, Any] = {
        name: curves[name].to_numpy() for name in _CURVE_COLUMNS if name in curves
    }
    dims = ("contrast", "position", "task", "model")
    labels: dict[str, Any] = {
        dim: curves[dim].to_numpy() for dim in dims if dim in curves.coords
    }
    arrays |= {
        dim: values.astype(str) if values.dtype.kind == "O" else values
        for dim, values in labels.items()
    }
    _check_folder(target)
    np.savez_compressed(target, **arrays, bin=int(about(curves, 1).bin))
    return target


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
    _check_curves(curves)
    if column not in _CURVE_COLUMNS or column not in curves:
        known = ", ".join(quoted(name) for name in _CURVE_COLUMNS if name in curves)
        raise DataError(
            f"column={quoted(column)} is not one of the curves' columns: {known}"
        )
    if "model" in curves[column].dims:
        raise DataError(
            "the curves have a dim 'model', and a bigWig file holds one; select it: "
            ".sel(model=...)"
        )
    values = curves[column]
    for dim, name in (("contrast", contrast), ("task", task)):
        values = values.sel({dim: _chosen(dim, name, values[dim].to_numpy().tolist())})
    if not isinstance(chrom_sizes, Mapping) or not all(
        is_whole(size) and size > 0 for size in chrom_sizes.values()
    ):
        raise EstimateError(
            f"chrom_sizes={quoted(chrom_sizes)} is not a mapping of chromosomes to "
            "their lengths, such as {'chr1': 248_956_422}; of a file: dict((c, int(n)) "
            "for c, n in (line.split()[:2] for line in open('hg38.chrom.sizes')))"
        )
    if chromosome not in chrom_sizes:
        raise EstimateError(
            f"chromosome {quoted(chromosome)} is not in chrom_sizes=, which has "
            f"{_few(chrom_sizes)}"
        )
    if not is_whole(origin):
        raise EstimateError(
            f"origin={quoted(origin)} is not a base of the chromosome, a whole "
            "number from 0 on"
        )
    if (np.diff(positions_of(curves)) <= 0).any():
        raise DataError(
            "positions do not increase, as those of a bigWig file do; sort them: "
            ".sortby('position')"
        )
    starts, width = (
        positions_of(curves).astype(np.int64) + origin,
        int(about(curves, 1).bin),
    )
    if starts[0] < 0 or starts[-1] + width > chrom_sizes[chromosome]:
        raise EstimateError(
            f"origin={origin:,}: the curve would go from {starts[0]:,} to "
            f"{starts[-1] + width:,}, outside {chromosome} of "
            f"{chrom_sizes[chromosome]:,} bp"
        )
    try:
        import pyBigWig
    except ImportError as error:
        msg = (
            f"bigWig files need pyBigWig ({error}): {install_command('bigwig')}, or "
            "use write_npz"
        )
        raise MissingExtraError(msg) from error
    target = Path(path)
    _check_folder(target)
    file = pyBigWig.open(str(target), "w")
    try:
        file.addHeader(list(chrom_sizes.items()))
        ends = (starts + width).tolist()
        numbers = values.to_numpy().astype(np.float64).tolist()
        file.addEntries(
            [chromosome] * len(starts), starts.tolist(), ends=ends, values=numbers
        )
    finally:
        file.close()
    return target


def _check_curves(curves: xr.Dataset) -> None:
    if not (has_positions(curves) and "ace" in curves):
        raise DataError(
            "these are not curves: estimates with a dim 'position', from "
            "cg.estimate or cg.simultaneous"
        )


def _check_folder(target: Path) -> None:
    """Raise DataError if a file cannot be made there; pyBigWig ends the process
    instead.
    """
    if target.is_dir() or not os.access(
        target if target.exists() else target.parent, os.W_OK
    ):
        raise DataError(
            f"{target}: cannot be written; choose a file in a folder that exists"
        )


def _chosen(dim: str, name: str | None, there: list[Any]) -> Any:
    if name is None and len(there) == 1:
        return there[0]
    if name not in there:
        problem = (
            f"there are {len(there)} {dim}s"
            if name is None
            else f"{dim} {quoted(name)} is not there"
        )
        raise EstimateError(
            f"{problem}, and a bigWig file holds one curve; say {dim}= one of "
            f"{_few(there)}"
        )
    return name


def _few(names: Iterable[Any]) -> str:
    listed = list(map(quoted, names))
    return ", ".join(listed[:6]) + (
        f", ... {len(listed):,} in all" if len(listed) > 6 else ""
    )
