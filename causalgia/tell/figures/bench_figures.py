"""Figures of the bench: barcodes per oligo, agreement of replicates, DNA counts,
measured against virtual effects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from scipy import special

from causalgia.attributes import about
from causalgia.checks import listed
from causalgia.errors import DataError, EstimateError, quoted
from causalgia.schema import validate
from causalgia.tell.figures.style import (
    ACCENT,
    AS_IT_IS,
    BAND,
    GRAY,
    GRID,
    INK,
    MODELS,
    MOST_POINTS,
    axes_or_new,
    heading,
    legend,
    name_points,
    shortened,
    strip,
    write_heading,
)
from causalgia.types import Array

_BINS = 40


def barcodes(quality: xr.Dataset, *, ax: Axes | None = None) -> Axes:
    """Draw the distribution of the number of barcodes per oligo, for each arm.

    Parameters
    ----------
    quality
        From `causalgia.mpra.quality`: ``n_barcodes (oligo)`` and the coordinate
        ``arm (oligo)``.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        A line for each arm; save it by `save_figure`.

    Raises
    ------
    DataError
        If `quality` is not from `causalgia.mpra.quality`.

    Examples
    --------
    >>> from causalgia.mpra import quality
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> axes = barcodes(quality(simulated()))
    >>> axes.get_xlabel(), [text.get_text() for text in axes.get_legend().get_texts()]
    ('barcodes with DNA, an oligo', ['control (median 8)', 'GATA1 (median 8)'])
    """
    _check_quality(quality, "n_barcodes", "barcodes")
    axes = axes_or_new(ax, 5.2, 3.2)
    n, arm = quality["n_barcodes"].to_numpy(), quality["arm"].to_numpy()
    step = max(1, -(-(int(n.max(initial=0)) + 1) // _BINS))
    edges = np.arange(0.0, n.max(initial=0) + step + 1.0, step) - 0.5
    for i, name in enumerate(dict.fromkeys(arm.tolist())):
        counts = n[arm == name]
        _draw_histogram(
            axes, counts, edges, f"{shortened(name)} (median {np.median(counts):g})", i
        )
    write_heading(axes, heading(quality, f"{len(n):,} oligos, barcodes of each"))
    _finish_counts(axes, "barcodes with DNA, an oligo", "oligos")
    return axes


def replicates(
    quality: xr.Dataset,
    *,
    first: str | None = None,
    second: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the activity of every oligo in one replicate against another.

    Replicates share their barcodes, so their agreement shows the reproducibility of
    cells and libraries, not the variation between an oligo's barcodes.

    Parameters
    ----------
    quality
        From `causalgia.mpra.quality`: ``activity (oligo, replicate)``.
    first, second
        Names of the replicates; by default the first two.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        A point for each oligo, 20,000 at most, evenly spaced; the title has the
        correlation over all oligos.

    Raises
    ------
    DataError
        If `quality` is not from `causalgia.mpra.quality`, or a replicate does not
        exist.

    Examples
    --------
    >>> from causalgia.mpra import quality
    >>> from causalgia.mpra.counts._noise_model import simulated
    >>> replicates(quality(simulated()), second="3").get_title("left")
    '60 oligos, correlation 0.79'
    """
    _check_quality(quality, "activity", "replicates")
    names = [str(name) for name in quality["replicate"].to_numpy()]
    if len(names) < 2:
        raise DataError(
            "replicates: there is one replicate, and two are drawn against each other"
        )
    pair = (
        names[0] if first is None else str(first),
        names[1] if second is None else str(second),
    )
    for name in pair:
        if name not in names:
            raise DataError(
                f"replicates: no replicate {quoted(name)}; there are {listed(names)}"
            )
    axes = axes_or_new(ax, 4.2, 4.2)
    x, y = (quality["activity"].to_numpy()[:, names.index(name)] for name in pair)
    step = -(-len(x) // MOST_POINTS)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    label = (
        "oligo" if step == 1 else f"oligo ({len(x[::step]):,} of {len(x):,}, evenly)"
    )
    axes.plot(ends, ends, color=GRAY, lw=0.8, zorder=2, label="equal")
    axes.scatter(
        x[::step],
        y[::step],
        s=6,
        color=MODELS[0],
        alpha=0.5,
        lw=0,
        zorder=3,
        label=label,
    )
    axes.set_aspect("equal")
    correlation = (
        quality["correlation_activity"]
        .sel(replicate=pair[0], replicate_=pair[1])
        .item()
    )
    write_heading(
        axes, heading(quality, f"{len(x):,} oligos, correlation {correlation:.2f}")
    )
    _finish_counts(axes, *(f"log2(RNA/DNA), replicate {name}" for name in pair))
    return axes


def dna_counts(
    counts: xr.Dataset, *, min_dna: float = 10.0, ax: Axes | None = None
) -> Axes:
    """Draw the distribution of DNA counts of barcodes in each replicate, with the floor
    for reliable ratios.

    Parameters
    ----------
    counts
        From `causalgia.mpra.read_counts`; empty cells are left out.
    min_dna
        Position of the floor.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        A line for each replicate (one for a plasmid pool), with the share of its cells
        below the floor.

    Raises
    ------
    DataError
        If these are not counts.

    Examples
    --------
    >>> from causalgia.mpra.counts._noise_model import two_arms
    >>> [
    ...     text.get_text()
    ...     for text in dna_counts(two_arms(), min_dna=11).get_legend().get_texts()
    ... ]
    ['replicate 1 (50 % below 11)', 'replicate 2 (0 % below 11)', 'floor of 11 reads']
    """
    validate(counts, "counts")
    axes = axes_or_new(ax, 6.8, 3.2)
    dna, observed = (
        counts[k].to_numpy().reshape(counts.sizes["barcode"], -1)
        for k in ("dna", "dna_observed")
    )
    pool = counts["dna"].ndim == 1
    names = (
        ["plasmid pool"]
        if pool
        else [f"replicate {name}" for name in counts["replicate"].to_numpy()]
    )
    edges = np.linspace(0, np.log10(dna.max() + 1.0), _BINS + 1)
    for i, name in enumerate(names):
        counts_of = dna[observed[:, i], i]
        below = 100 * float((counts_of < min_dna).mean()) if len(counts_of) else 0.0
        _draw_histogram(
            axes,
            np.log10(counts_of + 1.0),
            edges,
            f"{shortened(name)} ({below:.0f} % below {min_dna:g})",
            i,
        )
    axes.axvline(
        np.log10(min_dna + 1.0),
        color=INK,
        lw=0.9,
        ls="-",
        zorder=2,
        label=f"floor of {min_dna:g} reads",
    )
    ticks = [
        tick
        for tick in (0, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
        if tick <= dna.max() or tick == 0
    ]
    axes.set_xticks(np.log10(np.array(ticks) + 1.0), [f"{tick:,}" for tick in ticks])
    write_heading(axes, heading(counts, f"{len(dna):,} barcodes, DNA of each"))
    _finish_counts(axes, "DNA reads of a barcode", "barcodes")
    return axes


def _draw_histogram(
    axes: Axes, values: Any, edges: Array, label: str, number: int
) -> None:
    found = np.histogram(values, bins=edges)[0]
    dashes = ("-", "--", ":", "-.")[number % 4]  # of equal distributions both are seen
    axes.stairs(
        found,
        edges,
        color=MODELS[number % len(MODELS)],
        ls=dashes,
        lw=1.4,
        label=label,
        zorder=3,
    )


def _check_quality(quality: xr.Dataset, name: str, figure: str) -> None:
    if name not in quality or "oligo" not in quality[name].dims:
        raise DataError(f"{figure}: no {quoted(name)} by oligo here")


def _finish_counts(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x, **AS_IT_IS)
    axes.set_ylabel(y, **AS_IT_IS)
    axes.grid(color=GRID, lw=0.6)
    strip(axes, "top", "right")
    if len(axes.get_legend_handles_labels()[1]) <= len(MODELS):
        legend(axes)
        return
    beside = axes.legend(
        frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0)
    )
    for text in beside.get_texts():
        text.set(**AS_IT_IS)


_CALIBRATION_LINE = "errors_and_scatter"
_OFF = "#c25b12"
_LABELED = 8


def concordance(
    table: xr.Dataset, *, contrast: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw measured effects against virtual ones, with the fitted line and means by
    bin.

    Parameters
    ----------
    table
        From `causalgia.mpra.concordance`.
    contrast
        The contrast; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        Small points are elements, orange if they are off the line by more than their
        errors (q < .05; up to eight are labeled where there is room). The line allows
        for errors in both coordinates and scatter; the band is the range of true
        effects about the line at the table's ``ci_prob``. Large points are means of
        bins of virtual effects, with intervals.

    Raises
    ------
    DataError
        If `table` is not a concordance.
    EstimateError
        If the contrast does not exist, or is required.

    Examples
    --------
    >>> import causalgia as cg
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> true = rng.normal(size=100)
    >>> virtual = pd.DataFrame({"element": np.arange(100), "effect": 0.5 * true})
    >>> measured = pd.DataFrame(
    ...     {
    ...         "element": np.arange(100),
    ...         "effect": true + rng.normal(0, 0.5, size=100),
    ...         "se": 0.5,
    ...     }
    ... )
    >>> axes = concordance(cg.mpra.concordance(virtual, measured))
    >>> axes.get_ylabel()
    'measured effect on log2'
    """
    if "noise_ceiling" not in table:
        raise DataError("concordance: the table has no 'noise_ceiling'")
    one = _select_contrast(table, contrast)
    axes = axes_or_new(ax, 5.2, 4.4)
    tail = special.ndtri(0.5 + float(about(table).ci_prob) / 2)
    _draw_line(axes, one, tail)
    x, y, q = (one[name].to_numpy() for name in ("virtual", "measured", "q_off"))
    off = q < 0.05
    errors: dict[str, Any] = {
        "fmt": "none",
        "ecolor": GRAY,
        "elinewidth": 0.5,
        "alpha": 0.4,
        "zorder": 2,
    }
    axes.errorbar(
        x,
        y,
        xerr=one["virtual_se"].to_numpy(),
        yerr=one["measured_se"].to_numpy(),
        **errors,
    )
    axes.scatter(
        x[~off], y[~off], s=9, color=ACCENT, lw=0, alpha=0.7, zorder=4, label="element"
    )
    if off.any():
        axes.scatter(
            x[off], y[off], s=12, color=_OFF, lw=0, zorder=5, label="off the line"
        )
    look: dict[str, Any] = {
        "fmt": "o",
        "color": INK,
        "ms": 5,
        "elinewidth": 1.2,
        "zorder": 6,
        "label": "mean of a bin",
    }
    binned = one.isel(bin=np.flatnonzero(one["bin_n"].to_numpy() > 0))
    axes.errorbar(
        binned["bin_virtual"],
        binned["bin_measured"],
        yerr=tail * binned["bin_se"],
        **look,
    )
    sides = (
        ("effect in the first", "effect in the second")
        if about(table, None).of_two_fits
        else ("virtual effect", "measured effect")
    )
    axes.set_xlabel(
        f"{sides[0]} on {shortened(about(table).virtual_scale)}",
        fontsize=9.5,
        **AS_IT_IS,
    )
    axes.set_ylabel(
        f"{sides[1]} on {shortened(about(table).measured_scale)}",
        fontsize=9.5,
        **AS_IT_IS,
    )
    write_heading(
        axes,
        heading(
            table, str(one["contrast"].item()), f"{one.sizes['element']:,} elements"
        ),
    )
    strip(axes, "top", "right")
    axes.tick_params(labelsize=9)
    axes.grid(color=GRID, lw=0.5, zorder=1)
    legend(axes)
    if off.sum() <= _LABELED:
        name_points(
            axes,
            x,
            y,
            {int(i): str(one["element"].to_numpy()[i]) for i in np.flatnonzero(off)},
        )
    return axes


def _select_contrast(table: xr.Dataset, contrast: str | None) -> xr.Dataset:
    names = [str(name) for name in np.atleast_1d(table["contrast"].to_numpy())]
    if "contrast" not in table.dims:
        return table
    if contrast is None and len(names) == 1:
        return table.isel(contrast=0)
    if contrast not in names:
        raise EstimateError(
            f"concordance: contrast={quoted(contrast)} is none of {listed(names)}"
        )
    return table.isel(contrast=names.index(contrast))


def _draw_line(axes: Axes, one: xr.Dataset, tail: float) -> None:
    best = one.sel(line=_CALIBRATION_LINE)
    x = np.array([one["virtual"].min().item(), one["virtual"].max().item()])
    y = best["intercept"].item() + best["slope"].item() * x
    half = tail * one["scatter"].item()
    if half > 0:
        axes.fill_between(
            x,
            y - half,
            y + half,
            color=BAND,
            lw=0,
            zorder=0.5,
            label="true effects, expected",
        )
    label = (
        f"slope {best['slope'].item():.2f} [{best['slope_lower'].item():.2f}, "
        f"{best['slope_upper'].item():.2f}]"
    )
    axes.plot(x, y, color=INK, lw=1.0, ls=(0, (5, 3)), zorder=2.5, label=label)
