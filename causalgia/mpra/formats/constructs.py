"""The constructs of a library: one row for oligos that differ in their barcode alone."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from causalgia.errors import LibraryError
from causalgia.mpra.formats.naming import require_distinct, require_names
from causalgia.schema import validate

_OF_CONSTRUCT = ("oligo_name", "unit", "element", "arm", "group", "insert")


def constructs_of(library: xr.Dataset, place: str) -> pd.DataFrame:
    """Return a row for each construct, in order of first appearance, with every variable that is one a construct.

    Raises
    ------
    LibraryError
        If a construct's oligos differ in more than their barcode, a name would not pass, or two inserts cannot be told
        apart and are no declared duplicates.
    """
    validate(library, "library")
    table = library.drop_vars([v for v in library.variables if library[v].dims != ("row",)]).to_dataframe()
    table = table.reset_index(drop=True)
    first = table.drop_duplicates("oligo_name").reset_index(drop=True)
    _refuse_mixed(table, first, place)
    names = first["oligo_name"].tolist()
    require_names(names, place)
    kept = first[first["insert"] != ""]
    require_distinct(
        kept["insert"].tolist(), kept["oligo_name"].tolist(), (kept["group"] == "duplicate").tolist(), place
    )
    return first.drop(columns=[name for name in ("name", "oligo", "barcode") if name in first])


def _refuse_mixed(table: pd.DataFrame, first: pd.DataFrame, place: str) -> None:
    if len(first) == len(table):
        return
    of = pd.Index(first["oligo_name"]).get_indexer(table["oligo_name"])
    for column in _OF_CONSTRUCT:
        differs = table[column].to_numpy() != first[column].to_numpy()[of]
        if differs.any():
            name = table["oligo_name"][int(differs.argmax())]
            raise LibraryError(
                f"{place}: oligos of {name!r} differ in their {column}; only the barcode may: give them constructs of "
                "their own"
            )
