"""The shape of effects under a table: which are so skewed, or rest so much on one unit, that a reader must know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from causalgia.estimation.transformed_t import ENOUGH, hall_coefficient

if TYPE_CHECKING:
    import xarray as xr

_NAMED = 3
_HALF = 0.5


def shape_lines(estimates: xr.Dataset) -> list[str]:
    """Return a line on effects with ``n < 25 skewness^2``, and one on those of which one unit makes half the variance.

    Examples
    --------
    >>> import xarray as xr
    >>> columns = {"ace": 0.3, "skewness": 6.0, "leverage": 0.99, "n_units": 100}
    >>> table = xr.Dataset({name: (("contrast", "task"), [[x]]) for name, x in columns.items()})
    >>> skewed, leveraged = shape_lines(table.assign_coords(contrast=["GATA1"], task=["K562"]))
    >>> skewed.partition(";")[0]
    'Skewed: GATA1 (skewness up to 6.0: 900 units would be enough, and there are 100)'
    >>> leveraged
    'One unit carries 99 % of the variance of GATA1.'
    """
    return [line for line in (_skewed(estimates), _leveraged(estimates)) if line]


def _skewed(estimates: xr.Dataset) -> str:
    a = hall_coefficient(estimates)
    worst = np.unravel_index(np.argmax(np.abs(a)), a.shape)
    if not ENOUGH * a[worst] ** 2 > 1:
        return ""
    n = int(_counts(estimates)[worst])
    skewness = abs(float(a[worst])) * np.sqrt(n)
    beware = (
        "verdicts are by Hall's transformed t"
        if estimates.attrs.get("evidence") == "tests"
        else "t intervals cover less than their nominal level"
    )
    return (
        f"Skewed: {_named(estimates, ENOUGH * a**2 > 1, a)} (skewness up to {skewness:.1f}: "
        f"{int(np.ceil(ENOUGH * skewness**2)):,} {_units(estimates)} would be enough, and there are {n:,}); {beware}."
    )


def _leveraged(estimates: xr.Dataset) -> str:
    if "leverage" not in estimates:
        return ""
    leverage = estimates["leverage"].transpose(*estimates["ace"].dims).to_numpy()
    if not (leverage > _HALF).any():
        return ""
    one = _units(estimates).removesuffix("s")
    of_what = _named(estimates, leverage > _HALF, leverage)
    share = f"{100 * leverage.max():.0f} % of the variance of"
    if np.count_nonzero(leverage > _HALF) == 1:
        return f"One {one} carries {share} {of_what}."
    return f"One {one} carries more than half, and up to {share} each of {of_what}."


def _counts(estimates: xr.Dataset) -> npt.NDArray[np.int64]:
    name = "n_clusters" if "n_clusters" in estimates else "n_units"
    counts = estimates[name].broadcast_like(estimates["ace"]).transpose(*estimates["ace"].dims).to_numpy()
    return np.asarray(counts, dtype=np.int64)


def _units(estimates: xr.Dataset) -> str:
    cluster = str(estimates.attrs.get("cluster", "unit"))
    return "units" if cluster in ("unit", "") else f"{cluster}s"


def _named(estimates: xr.Dataset, which: npt.NDArray[np.bool_], size: npt.NDArray[np.float64]) -> str:
    """Return the effects of a mask, the largest first, a few by name."""
    chosen = [i for i in np.argsort(-np.abs(size), axis=None, kind="stable") if which.flat[i]]
    names = [_name(estimates, np.unravel_index(i, which.shape)) for i in chosen[:_NAMED]]
    more = f" and {len(chosen) - _NAMED:,} more" if len(chosen) > _NAMED else ""
    return ", ".join(names) + more


def _name(estimates: xr.Dataset, at: tuple[np.intp, ...]) -> str:
    """Return "GATA1 in HepG2", without a task or model where there is one."""
    dims = [str(dim) for dim in estimates["ace"].dims]
    labels = {d: estimates[d].to_numpy()[i] if d in estimates.coords else i for d, i in zip(dims, at, strict=True)}
    where = [str(labels[d]) for d in dims if d != "contrast" and estimates.sizes[d] > 1]
    return " in ".join([str(labels["contrast"]), *where])
