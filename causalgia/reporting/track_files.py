"""Files of curves: bigWig for genome browsers, npz for arrays."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from causalgia.checks import is_whole
from causalgia.errors import ContrastError, MissingExtraError, OutcomesError, quoted
from causalgia.positions import has_positions, positions_of

_COLUMNS = ("ace", "se", "lower", "upper", "critical")


def write_npz(curves: xr.Dataset, path: str | PathLike[str]) -> Path:
    """Write estimates of curves to a compressed numpy file: an array for each column, and the names of its dims.

    Parameters
    ----------
    curves
        From `causalgia.estimate` or `causalgia.simultaneous`, with a dim position.
    path
        The file; ``.npz`` is added where it is missing.

    Returns
    -------
    Path
        The file. It holds ``ace``, ``se``, ``lower``, ``upper`` (contrast, position, task[, model]), and
        ``contrast``, ``position``, ``task``, ``bin``.

    Raises
    ------
    OutcomesError
        If there are no curves, or the folder is absent.

    Examples
    --------
    >>> import tempfile
    >>> ace = (("contrast", "position", "task"), np.zeros((1, 3, 1)))
    >>> curves = xr.Dataset({"ace": ace}, {"contrast": ["GATA1"], "position": [-1, 0, 1], "task": ["K562"]})
    >>> np.load(write_npz(curves, tempfile.mkdtemp() + "/curves"))["position"].tolist()
    [-1, 0, 1]
    """
    _check_curves(curves)
    positions_of(curves)
    target = Path(path) if str(path).endswith(".npz") else Path(f"{path}.npz")
    arrays: dict[str, Any] = {name: curves[name].to_numpy() for name in _COLUMNS if name in curves}
    dims = ("contrast", "position", "task", "model")
    labels: dict[str, Any] = {dim: curves[dim].to_numpy() for dim in dims if dim in curves.coords}
    arrays |= {dim: values.astype(str) if values.dtype.kind == "O" else values for dim, values in labels.items()}
    _check_folder(target)
    np.savez_compressed(target, **arrays, bin=int(curves.attrs.get("bin", 1)))
    return target


def write_bigwig(
    curves: xr.Dataset,
    path: str | PathLike[str],
    *,
    chromosome: str,
    origin: int,
    sizes: Mapping[str, int],
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
    sizes
        Chromosome -> length, of the genome.
    contrast, task
        The curve; may be left out where there is one.
    column
        ``"ace"``, ``"lower"``, ``"upper"`` or ``"se"``.

    Raises
    ------
    OutcomesError
        If there are no curves, the column is absent, positions do not increase, or the file cannot be written.
    ContrastError
        If the contrast, task or chromosome is unknown, or the curve leaves the chromosome.
    MissingExtraError
        If pyBigWig is not installed: ``pip install 'causalgia[bigwig]'``.
    """
    _check_curves(curves)
    if column not in _COLUMNS or column not in curves:
        known = ", ".join(quoted(name) for name in _COLUMNS if name in curves)
        raise OutcomesError(f"column={quoted(column)} is none of the curves' columns: {known}")
    if "model" in curves[column].dims:
        raise OutcomesError("the curves have a dim 'model', and a bigWig file holds one; select it: .sel(model=...)")
    values = curves[column]
    for dim, name in (("contrast", contrast), ("task", task)):
        values = values.sel({dim: _chosen(dim, name, values[dim].to_numpy().tolist())})
    if not isinstance(sizes, Mapping) or not all(is_whole(size) and size > 0 for size in sizes.values()):
        raise ContrastError(
            f"sizes={quoted(sizes)} is no mapping of chromosomes to their lengths, such as {{'chr1': 248_956_422}}; of "
            "a file: dict((c, int(n)) for c, n in (line.split()[:2] for line in open('hg38.chrom.sizes')))"
        )
    if chromosome not in sizes:
        raise ContrastError(f"chromosome {quoted(chromosome)} is not in sizes=, which has {_few(sizes)}")
    if not is_whole(origin):
        raise ContrastError(f"origin={quoted(origin)} is not a base of the chromosome, a whole number from 0 on")
    if (np.diff(positions_of(curves)) <= 0).any():
        raise OutcomesError("positions do not increase, as those of a bigWig file do; sort them: .sortby('position')")
    starts, width = positions_of(curves).astype(np.int64) + origin, int(curves.attrs.get("bin", 1))
    if starts[0] < 0 or starts[-1] + width > sizes[chromosome]:
        raise ContrastError(
            f"origin={origin:,}: the curve would go from {starts[0]:,} to {starts[-1] + width:,}, outside {chromosome} "
            f"of {sizes[chromosome]:,} bp"
        )
    try:
        import pyBigWig
    except ImportError as error:
        msg = f"bigWig files need pyBigWig ({error}); run: pip install 'causalgia[bigwig]', or use write_npz"
        raise MissingExtraError(msg) from error
    target = Path(path)
    _check_folder(target)
    file = pyBigWig.open(str(target), "w")
    try:
        file.addHeader(list(sizes.items()))
        ends = (starts + width).tolist()
        numbers = values.to_numpy().astype(np.float64).tolist()
        file.addEntries([chromosome] * len(starts), starts.tolist(), ends=ends, values=numbers)
    finally:
        file.close()
    return target


def _check_curves(curves: xr.Dataset) -> None:
    if not (has_positions(curves) and "ace" in curves):
        raise OutcomesError("these are no curves: estimates with a dim 'position', from cg.estimate or cg.simultaneous")


def _check_folder(target: Path) -> None:
    """Raise OutcomesError if a file cannot be made there; pyBigWig ends the process instead."""
    if target.is_dir() or not os.access(target if target.exists() else target.parent, os.W_OK):
        raise OutcomesError(f"{target}: cannot be written; choose a file in a folder that exists")


def _chosen(dim: str, name: str | None, there: list[Any]) -> Any:
    if name is None and len(there) == 1:
        return there[0]
    if name not in there:
        problem = f"there are {len(there)} {dim}s" if name is None else f"{dim} {quoted(name)} is not there"
        raise ContrastError(f"{problem}, and a bigWig file holds one curve; say {dim}= one of {_few(there)}")
    return name


def _few(names: Iterable[Any]) -> str:
    listed = list(map(quoted, names))
    return ", ".join(listed[:6]) + (f", ... {len(listed):,} in all" if len(listed) > 6 else "")
