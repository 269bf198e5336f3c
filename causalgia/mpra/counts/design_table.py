"""IGVF's sequence design as a side table: which element, arm and group each oligo is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import pandas as pd

from causalgia.errors import CountsError, quoted
from causalgia.inputs import parse_json

DESIGN_COLUMNS = ("name", "category", "class", "SPDI", "allele", "info")
_GROUPS = {
    "test": "test",
    "variant positive control": "positive",
    "variant negative control": "negative",
    "element active control": "positive",
    "element inactive control": "negative",
}


def is_design(columns: Iterable[Any]) -> bool:
    """Return whether these are the columns of ``reporter_sequence_design``, and not those of a side table.

    Examples
    --------
    >>> is_design(["name", "sequence", "category", "class", "variant_class", "variant_pos", "SPDI", "allele"])
    True
    """
    found = set(columns)
    return found >= set(DESIGN_COLUMNS[:5]) and "oligo_name" not in found


def side_of_design(design: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the side table of a design: columns ``oligo_name element arm group``, a row an oligo.

    A design that causalgia wrote says element, arm and group in ``info``. Of others, an oligo with a variant is of the
    element ``SPDI`` in the arm ``ref`` or ``alt``; one without is an element of its own, in the arm ``positive`` or
    ``negative`` if its class is a control's, else in that of its category. White space in names becomes ``_``, as
    mappers take no name with blanks and count tables have it.

    Parameters
    ----------
    design
        Its columns as text, or as `causalgia.mpra.read_igvf` returns them.
    where
        What errors call the table.

    Raises
    ------
    CountsError
        If a class is unknown, an oligo carries several variants, or two names become one.

    Examples
    --------
    >>> spdi = '["NC_000001.11:300:A:G"]'
    >>> alleles = ['["ref"]', '["alt"]']
    >>> design = pd.DataFrame({"name": ["v 1", "v 2"], "category": "variant", "class": "test", "allele": alleles})
    >>> side_of_design(design.assign(SPDI=spdi), "the design")
      oligo_name               element  arm group
    0        v_1  NC_000001.11:300:A:G  ref  test
    1        v_2  NC_000001.11:300:A:G  alt  test
    """
    infos = design["info"].tolist() if "info" in design.columns else [""] * len(design)
    rows = zip(*(design[name].tolist() for name in DESIGN_COLUMNS[:5]), infos, strict=True)
    side = [(re.sub(r"\s+", "_", str(row[0])), *_place(row, where)) for row in rows]
    first: dict[str, str] = {}
    for (name, *_), given in zip(side, design["name"].astype(str), strict=True):
        if first.setdefault(name, given) != given:
            raise CountsError(
                f"{where}: oligos {quoted(first[name])} and {quoted(given)} are both {quoted(name)} in counts; "
                "rename one"
            )
    return pd.DataFrame(side, columns=["oligo_name", "element", "arm", "group"], dtype=object)


def _place(row: tuple[Any, ...], where: str) -> tuple[str, str, str]:
    """Return element, arm and group of a row."""
    name, category, kind, spdi, allele, info = row
    if str(kind) not in _GROUPS:
        raise CountsError(f"{where}: oligo {quoted(name)} is of class '{kind}'; there are {', '.join(_GROUPS)}")
    group = _GROUPS[str(kind)]
    own = _own(info)
    if own is not None:
        return own
    variants, alleles = _several(spdi, name, where), _several(allele, name, where)
    if not variants:
        return re.sub(r"\s+", "_", str(name)), str(category) if group == "test" else group, group
    if len(variants) > 1 or len(alleles) != 1:
        raise CountsError(
            f"{where}: oligo {quoted(name)} carries {len(variants)} variants and {len(alleles)} alleles; a side table "
            "has one element an oligo: write one (oligo_name element arm group) for the variants that are compared"
        )
    return variants[0], alleles[0], group


def _own(info: Any) -> tuple[str, str, str] | None:
    """Return what a design that causalgia wrote says of an oligo."""
    try:
        known = parse_json(str(info), CountsError)
    except CountsError:
        return None
    if not isinstance(known, dict) or not all(isinstance(known.get(x), str) for x in ("element", "arm", "group")):
        return None
    return known["element"], known["arm"], known["group"]


def _several(cell: Any, name: Any, where: str) -> list[str]:
    """Return the texts of a cell: a JSON array of texts, or NA."""
    if isinstance(cell, tuple | list):
        return list(map(str, cell))
    if str(cell) in ("NA", ""):
        return []
    try:
        found = parse_json(str(cell), CountsError)
    except CountsError:
        found = None
    if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
        raise CountsError(
            f"{where}: oligo {quoted(name)}: {quoted(str(cell)[:40])} is no JSON array of texts, nor NA; correct it"
        )
    return found
