"""Scatter plot of measured against virtual effects, with the fitted line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import special

from causalgia.errors import ContrastError, OutcomesError, quoted
from causalgia.plot.style import ACCENT, AS_IT_IS, BAND, GRAY, GRID, INK, axes_or_new, legend, shortened, strip, title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE = "errors_and_scatter"
_OFF = "#c25b12"
_LABELED = 8


def concordance(table: xr.Dataset, *, contrast: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw measured effects against virtual ones, with the fitted line and means by bin.

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
        Small points are elements, orange if they are off the line by more than their errors (q < .05; up to eight are
        labeled). The line allows for errors in both coordinates and scatter; the band is the range of true effects
        about the line at the table's ``ci_prob``. Large points are means of bins of virtual effects, with intervals.

    Raises
    ------
    OutcomesError
        If `table` is not a concordance.
    ContrastError
        If the contrast does not exist, or is required.

    Examples
    --------
    >>> import causalgia as cg
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> true = rng.normal(size=100)
    >>> virtual = pd.DataFrame({"element": np.arange(100), "effect": 0.5 * true})
    >>> measured = pd.DataFrame({"element": np.arange(100), "effect": true + rng.normal(0, 0.5, size=100), "se": 0.5})
    >>> axes = concordance(cg.mpra.concordance(virtual, measured))
    >>> axes.get_ylabel()
    'measured effect on log2'
    """
    if not isinstance(table, xr.Dataset) or "noise_ceiling" not in table:
        raise OutcomesError("concordance: no such table; take one from cg.mpra.concordance(virtual, measured)")
    one = _select_contrast(table, contrast)
    axes = axes_or_new(ax, 5.2, 4.4)
    tail = special.ndtri(0.5 + float(table.attrs["ci_prob"]) / 2)
    _draw_line(axes, one, tail)
    _draw_elements(axes, one)
    look: dict[str, Any] = {"fmt": "o", "color": INK, "ms": 5, "elinewidth": 1.2, "zorder": 6, "label": "mean of a bin"}
    binned = one.isel(bin=np.flatnonzero(one["bin_n"].to_numpy() > 0))
    axes.errorbar(binned["bin_virtual"], binned["bin_measured"], yerr=tail * binned["bin_se"], **look)
    axes.set_xlabel(f"virtual effect on {shortened(str(table.attrs['virtual_scale']))}", fontsize=9.5, **AS_IT_IS)
    axes.set_ylabel(f"measured effect on {shortened(str(table.attrs['measured_scale']))}", fontsize=9.5, **AS_IT_IS)
    title(axes, str(one["contrast"].item()))
    strip(axes, "top", "right")
    axes.tick_params(labelsize=9)
    axes.grid(color=GRID, lw=0.5, zorder=1)
    legend(axes)
    return axes


def _select_contrast(table: xr.Dataset, contrast: str | None) -> xr.Dataset:
    names = [str(name) for name in np.atleast_1d(table["contrast"].to_numpy())]
    if "contrast" not in table.dims:
        return table
    if contrast is None and len(names) == 1:
        return table.isel(contrast=0)
    if contrast not in names:
        problem = "several contrasts" if contrast is None else f"contrast {quoted(contrast)} is not there"
        raise ContrastError(f"concordance: {problem}; say contrast= one of {', '.join(map(quoted, names))}")
    return table.isel(contrast=names.index(contrast))


def _draw_line(axes: Axes, one: xr.Dataset, tail: float) -> None:
    best = one.sel(line=_LINE)
    x = np.array([one["virtual"].min().item(), one["virtual"].max().item()])
    y = best["intercept"].item() + best["slope"].item() * x
    half = tail * one["scatter"].item()
    if half > 0:
        axes.fill_between(x, y - half, y + half, color=BAND, lw=0, zorder=0.5, label="true effects, expected")
    label = f"slope {best['slope'].item():.2f} [{best['slope_lower'].item():.2f}, {best['slope_upper'].item():.2f}]"
    axes.plot(x, y, color=INK, lw=1.0, ls=(0, (5, 3)), zorder=2.5, label=label)


def _draw_elements(axes: Axes, one: xr.Dataset) -> None:
    x, y, q = (one[name].to_numpy() for name in ("virtual", "measured", "q_off"))
    off = q < 0.05
    errors: dict[str, Any] = {"fmt": "none", "ecolor": GRAY, "elinewidth": 0.5, "alpha": 0.4, "zorder": 2}
    axes.errorbar(x, y, xerr=one["virtual_se"].to_numpy(), yerr=one["measured_se"].to_numpy(), **errors)
    axes.scatter(x[~off], y[~off], s=9, color=ACCENT, lw=0, alpha=0.7, zorder=4, label="element")
    if not off.any():
        return
    axes.scatter(x[off], y[off], s=12, color=_OFF, lw=0, zorder=5, label="off the line")
    if off.sum() <= _LABELED:
        look: dict[str, Any] = {"fontsize": 7.5, "color": GRAY, "textcoords": "offset points", **AS_IT_IS}
        for i in np.flatnonzero(off):
            axes.annotate(shortened(str(one["element"].to_numpy()[i])), (x[i], y[i]), (5, 4), **look)
