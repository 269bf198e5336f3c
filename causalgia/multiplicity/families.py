"""What counts as one set of questions: a family, declared by nothing, by a coordinate of the contrasts, or "all"."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.errors import EstimateError, quoted
from causalgia.types import Codes


def families(table: xr.Dataset, family: str | None, shape: Sequence[int]) -> list[Codes]:
    """Return the members of each family, as positions in an array (contrast, ...) of `shape` read row by row.

    Parameters
    ----------
    table
        Has the dim contrast, and the coordinate that is named.
    family
        None: the contrasts of one task (and model); ``"all"``: every number; or the name of a coordinate on contrast,
        whose values are the families inside one task.
    shape
        Of the numbers, contrast first.

    Raises
    ------
    EstimateError
        If `family` names no coordinate on contrast, or a contrast has none.

    Examples
    --------
    >>> table = xr.Dataset(coords={"contrast": ["a", "b", "c"], "motif": ("contrast", ["x", "y", "x"])})
    >>> [list(map(int, members)) for members in families(table, "motif", (3, 2))]
    [[0, 4], [2], [1, 5], [3]]
    """
    positions = np.arange(int(np.prod(shape)), dtype=np.intp).reshape(shape[0], -1)
    if family == "all":
        return [positions.ravel()]
    codes = family_codes(table, family)
    return [column[codes == f] for column in positions.T for f in range(codes.max() + 1)]


def family_codes(table: xr.Dataset, family: str | None) -> Codes:
    """Return the family of each contrast, 0 to F - 1, inside one task; all 0 for None."""
    if not isinstance(family, str | None):
        raise EstimateError(f"family={quoted(family)} is neither None, 'all' nor the name of a coordinate on contrast")
    if family is None:
        return np.zeros(table.sizes["contrast"], dtype=np.intp)
    on_contrast = [str(c) for c in table.coords if table[c].dims == ("contrast",)]
    if family not in on_contrast:
        raise EstimateError(
            f"family {quoted(family)} is neither 'all' nor a coordinate on contrast ({', '.join(on_contrast)})"
        )
    codes = np.asarray(pd.factorize(table[family].to_numpy())[0], dtype=np.intp)
    if (codes < 0).any():
        raise EstimateError(
            f"contrast {table['contrast'].to_numpy()[np.argmin(codes)]!s} has no {quoted(family)}; fill it in"
        )
    return codes


def in_words(family: str | None, numbers: xr.DataArray) -> str:
    """Return the sentence that the attrs say of a family."""
    if family == "all":
        return "all p-values of the table"
    within = " and ".join(str(dim) for dim in numbers.dims if dim != "contrast")
    return f"the contrasts of {f'one {within}' if within else 'the table'}" + (
        "" if family is None else f" with the same '{family}'"
    )
