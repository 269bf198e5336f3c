"""The constructs of a library: one row for oligos that differ in their barcode alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import LibraryError, quoted
from causalgia.mpra.formats.names import require_distinct, require_names
from causalgia.schema import validate

_OF_CONSTRUCT = ("unit", "element", "arm", "group", "insert")
_OF_OLIGO = ("name", "oligo", "barcode")


def constructs_of(library: xr.Dataset, place: str) -> pd.DataFrame:
    """Return a row for each construct, in order of first appearance, with every variable that is one a construct.

    Raises
    ------
    LibraryError
        If a construct's oligos differ in more than their barcode, a name would not pass, or two inserts cannot be told
        apart and are no declared duplicates.
    """
    validate(library, "library")
    of, names = pd.factorize(library["oligo_name"].to_numpy())
    first = np.unique(of, return_index=True)[1]
    _refuse_mixed(library, of, first, place)
    rowwise = [name for name in library.variables if library[name].dims == ("row",)]
    rows = pd.DataFrame({name: library[name].to_numpy()[first] for name in rowwise if name not in _OF_OLIGO})
    require_names(names.tolist(), place)
    kept = rows[rows["insert"] != ""]
    declared = (kept["group"] == "duplicate").tolist()
    require_distinct(kept["insert"].tolist(), kept["oligo_name"].tolist(), declared, place)
    return rows


def _refuse_mixed(library: xr.Dataset, of: NDArray[np.intp], first: NDArray[np.intp], place: str) -> None:
    if len(first) == len(of):
        return
    for column in _OF_CONSTRUCT:
        values = library[column].to_numpy()
        differs = values != values[first][of]
        if differs.any():
            name = library["oligo_name"].to_numpy()[int(differs.argmax())]
            raise LibraryError(
                f"{place}: oligos of {quoted(name)} differ in their {column}; only the barcode may: give them "
                "constructs of their own"
            )
