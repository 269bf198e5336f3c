"""Distributions: effects by unit, outcomes by arm, barcodes and reads of a library."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from causalgia.attributes import about, has
from causalgia.errors import DataError
from causalgia.tell.figures.style import (
    ACCENT,
    AS_IT_IS,
    GRID,
    INK,
    axis_label,
    finish,
    new_axes,
    no_effect,
    of_one_task,
    shortened,
    title_of,
)
from causalgia.types import Array

_ROWS = 24
_POINTS = 400


def distribution(
    table: xr.Dataset, *, task: str | None = None, ax: Axes | None = None
) -> Axes:
    """Draw distributions, a row each: density, box, and a point for each unit.

    Use it for what an average hides: units without an effect, two groups, or a few
    units with all of the effect. Boxes of arms that overlap do not mean that there is
    no effect: in a crossover the effect is a mean of differences within units.

    Parameters
    ----------
    table
        Effects of single units, from `causalgia.contrast`, a row for each contrast;
        outcomes, from `causalgia.run`, a row for each arm but fixed placebos;
        ``causalgia.mpra.quality``, barcodes with DNA of an oligo by arm; or counts,
        DNA reads of a barcode by replicate. Some of the rows are drawn by
        ``table.sel(contrast=["GATA1"])``.
    task
        The task; required if there are several.
    ax
        Axes to draw into; by default those of a new figure.

    Returns
    -------
    Axes
        The box has the quartiles and the median, its whiskers the central 95 %, the
        diamond is the mean. Of more than 400 units, 400 evenly spaced in rank are
        drawn, and of more than 24 rows the first 24, as the title says.

    Raises
    ------
    EstimateError
        If there is no such task, it is required, or there are several models.
    DataError
        If there are no values of single units.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GCATG": cg.Embed("GCATG", at=12)}
    >>> design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=50)
    >>> outcomes = cg.run(design, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> axes = distribution(cg.contrast(outcomes, control="untreated"))
    >>> [tick.get_text() for tick in axes.get_yticklabels()]
    ['GCATG']
    """
    if "ice" in table or "outcome" in table:
        table = of_one_task(table, task, "distribution")
    values, label = _values(table)
    names = list(values)[:_ROWS]
    (axes,) = new_axes(ax, 6.6, 1.8 + 0.62 * len(names))
    axes.use_sticky_edges = False  # a box at the least value needs its margin, too
    for row, name in enumerate(names):
        units = values[name][np.isfinite(values[name])]
        if len(units):
            _draw_row(axes, np.sort(units), row)
    axes.set_yticks(range(len(names)), [shortened(name) for name in names], **AS_IT_IS)
    axes.set_ylim(len(names) - 0.4, -0.75)
    axes.scatter([], [], s=8, color=ACCENT, label="unit")
    box = "quartiles, median, central 95 %"
    axes.scatter([], [], marker="s", s=36, fc="white", ec=ACCENT, label=box)
    axes.scatter([], [], marker="D", s=14, color=INK, label="mean")
    if "ice" in table:
        no_effect(axes, table, across=True)
    axes.grid(axis="x", color=GRID, lw=0.5, zorder=1)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    most = max(map(len, values.values()), default=0)
    said = [f"{_POINTS} of {most:,} points a row"] if most > _POINTS else []
    if len(values) > _ROWS:
        said.append(f"the first {_ROWS} of {len(values):,} rows")
    shown = table.assign_attrs(shown=", ".join(said)) if said else table
    return finish([axes], ax, title_of(shown), label)


def _values(table: xr.Dataset) -> tuple[dict[str, Array], str]:
    """Return the values of each row by its name, and the label of their axis."""
    if "ice" in table:
        label = axis_label(table.attrs, "individual causal effect")
        return _by(table["ice"], "contrast"), label
    if "outcome" in table:
        one = table.isel(task=0) if "task" in table.dims else table
        scale = about(table, "the outcome").scale
        label = f"prediction on {scale}" if has(table).predictor_fingerprint else scale
        if "arm" not in one["outcome"].dims:
            found = _grouped(one["outcome"].to_numpy(), one["assigned"])
            arms = one["arm"].to_numpy().astype(str) if "arm" in one.coords else found
            return {str(name): found[name] for name in arms if name in found}, label
        if "kind" in one.coords:
            one = one.isel(
                arm=np.flatnonzero(one["kind"].to_numpy() != "fixed_placebo")
            )
        return _by(one["outcome"], "arm"), label
    if "n_barcodes" in table and "oligo" in table["n_barcodes"].dims:
        found = _grouped(table["n_barcodes"].to_numpy(), table["arm"])
        return found, "barcodes with DNA, of an oligo"
    if "dna" in table:
        dna, seen = (
            table[name].to_numpy().reshape(table.sizes["barcode"], -1)
            for name in ("dna", "dna_observed")
        )
        names = ["plasmid pool"]
        if table["dna"].ndim > 1:
            names = [f"replicate {name}" for name in table["replicate"].to_numpy()]
        reads = {
            name: np.log10(dna[seen[:, i], i] + 1.0) for i, name in enumerate(names)
        }
        return reads, "log10(DNA reads of a barcode + 1)"
    raise DataError("distribution: there are no values of single units")


def _by(values: xr.DataArray, dim: str) -> dict[str, Array]:
    array = (
        values.transpose(dim, ...)
        .to_numpy()
        .astype(float)
        .reshape(values.sizes[dim], -1)
    )
    names = [str(name) for name in values[dim].to_numpy()]
    return dict(zip(names, array, strict=True))


def _grouped(values: Array, by: xr.DataArray) -> dict[str, Array]:
    of = by.to_numpy().astype(str)
    return {str(name): values[of == name].astype(float) for name in dict.fromkeys(of)}


def _bandwidth(units: Array) -> float:
    """Return the bandwidth of a density that keeps small groups apart: Silverman's, and
    a 60th of the range at least.
    """
    first, third = np.quantile(units, [0.25, 0.75])
    spread = min(units.std(ddof=1), (third - first) / 1.34)
    return float(max(0.9 * spread * len(units) ** -0.2, np.ptp(units) / 60))


def _draw_row(axes: Axes, units: Array, row: int) -> None:
    """Draw sorted units: density above, box at, and points below their row."""
    from scipy.stats import gaussian_kde  # scipy.stats asks for torch

    if np.ptp(units) > 1e-9 * max(1.0, float(np.abs(units).max())):
        at = np.linspace(units[0], units[-1], 200)
        height = gaussian_kde(units, _bandwidth(units) / units.std(ddof=1))(at)
        top = row - 0.06 - 0.5 * height / height.max()
        axes.fill_between(at, top, row - 0.06, color=ACCENT, alpha=0.35, lw=0, zorder=2)
    low, first, middle, third, high = np.quantile(
        units, [0.025, 0.25, 0.5, 0.75, 0.975]
    )
    axes.hlines(row + 0.03, low, high, color=ACCENT, lw=0.9, zorder=3.5)
    axes.barh(
        row + 0.03, third - first, left=first, height=0.1, facecolor="white",
        edgecolor=ACCENT, lw=1.1, zorder=4,
    )  # fmt: skip
    axes.vlines(middle, row - 0.02, row + 0.08, color=ACCENT, lw=2.0, zorder=4.5)
    axes.scatter(
        [units.mean()], [row + 0.03], marker="D", s=14, color=INK, lw=0, zorder=5
    )
    drawn = units
    if len(units) > _POINTS:
        drawn = units[np.linspace(0, len(units) - 1, _POINTS).round().astype(int)]
    spread = row + 0.16 + 0.18 * (np.arange(len(drawn)) * 0.618034 % 1)
    axes.scatter(drawn, spread, s=5, color=ACCENT, alpha=0.5, lw=0, zorder=3)
