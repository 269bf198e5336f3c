"""Rows of an answer for the lines of a list: each line its own, and what was left
out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.sequences.listed_variants import ListedVariants
from causalgia.sequences.skipped_inputs import (
    Skipped,
    skip_sentence,
    skipped_table,
)
from causalgia.sequences.variant_files import Variant

if TYPE_CHECKING:
    import xarray as xr


def places(chosen: Sequence[Variant]) -> dict[str, list[Any]]:
    """Return where each variant is, and its alleles: coordinate -> values.

    Examples
    --------
    >>> places([Variant("1", 4, "A", "G", "rs1")])["position"]
    [4]
    """
    names = ("chromosome", "position", "reference", "alternate")
    return {name: [getattr(x, name) for x in chosen] for name in names}


def skipped_finding(skipped: Sequence[Skipped]) -> dict[str, xr.Dataset]:
    """Return the finding ``"skipped"``, a row for each line that was left out; none if
    there is none.

    Examples
    --------
    >>> list(skipped_finding([Skipped("rs1", "edge")])["skipped"].data_vars)
    ['name', 'reason']
    """
    import xarray as xr

    if not skipped:
        return {}
    columns = {
        name: ("row", np.array(column if name == "line" else list(map(str, column))))
        for name, column in skipped_table(skipped).items()
    }
    return {"skipped": xr.Dataset(columns)}


def account_of_lines(listed: ListedVariants) -> tuple[str, ...]:
    """Return the sentences on lines that are one variant, and on those left out."""
    same = listed.same_sentence
    skipped = skip_sentence(listed.skipped, len(listed.listed), "variants")
    return tuple(f"{x[0].upper()}{x[1:]}." for x in (same, skipped) if x)


def row_of_each_line(table: xr.Dataset, listed: ListedVariants) -> xr.Dataset:
    """Return a table of haplotypes (variant, ...) as one with a row for each listed
    variant, named and placed as it was written.
    """
    written = listed.listed
    coords = {name: ("variant", row) for name, row in places(written).items()}
    return table.isel(variant=list(listed.of)).assign_coords(
        {"variant": [x.name for x in written], **coords}
    )
