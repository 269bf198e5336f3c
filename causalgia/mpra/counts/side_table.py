"""Side table of barcode counts: element, arm and group of each oligo."""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from causalgia.errors import CountsError, quoted
from causalgia.inputs import parse_json, read_bytes
from causalgia.schema import validate
from causalgia.spreadsheet import from_column

SIDE_COLUMNS = ("oligo_name", "element", "arm", "group")
#: groups of oligos that are controls of the bench, not units of the design
CONTROLS = ("negative", "positive", "promoter", "duplicate")
_OF_LIBRARY = ("library_fingerprint", "design_fingerprint", "null_fingerprint")
_PRINTED = re.compile(r"(?P<stem>.+)\.[0-9a-f]{6}(?P<arm>_.+)?")


def side_table(arms: str | Path | pd.DataFrame | xr.Dataset) -> pd.DataFrame:
    """Return ``oligo_name element arm group`` as text, a row an oligo.

    Parameters
    ----------
    arms
        A path (tab-separated, plain or compressed), a DataFrame, or a library, whose oligos that differ in their
        barcode alone are one. ``group`` defaults to ``test``; other columns are ignored. IGVF's sequence design is
        accepted (`side_table_from_design`).

    Raises
    ------
    CountsError
        If a column is absent, a cell is empty, or an oligo has two rows.

    Examples
    --------
    >>> side_table(pd.DataFrame({"oligo_name": ["a"], "element": ["u1"], "arm": ["GATA1"]}))
      oligo_name element    arm group
    0          a      u1  GATA1  test
    """
    if isinstance(arms, xr.Dataset):
        validate(arms, "library")
        side = pd.DataFrame({name: arms[name].to_numpy() for name in SIDE_COLUMNS}).drop_duplicates()
        where = "the library"
    elif isinstance(arms, pd.DataFrame):
        side, where = arms, "the side table"
    elif isinstance(arms, str | Path):
        side, where = _read_side_table(Path(arms)), f"the side table {arms}"
    else:
        raise CountsError(f"arms= is a {type(arms).__name__}; give the side table as a path or DataFrame, or a library")
    return _as_side_table(side, where)


def library_attrs(arms: object) -> dict[str, Any]:
    """Return the attrs that counts inherit from their library: fingerprints of library, design and null model."""
    return (
        {name: arms.attrs[name] for name in _OF_LIBRARY if name in arms.attrs} if isinstance(arms, xr.Dataset) else {}
    )


def other_library(name: str, known: Iterable[str]) -> str:
    """Return a hint if `name` is known with another fingerprint, else an empty string.

    Units of a library are named ``u0.3fa2c1`` and their oligos ``u0.3fa2c1_GATA1``; after the point comes the
    fingerprint of the unit's inserts.

    Examples
    --------
    >>> other_library("u0.3fa2c1_GATA1", ["u0.77ab01_placebo", "u0.77ab01_GATA1"])
    "; it has 'u0.77ab01_GATA1', which is another sequence: these are two libraries"
    >>> other_library("u0.3fa2c1_GATA1", ["u1.77ab01_GATA1"])
    ''
    """
    found = _PRINTED.fullmatch(name)
    if found is None:
        return ""
    same = re.compile(f"{re.escape(found['stem'])}\\.[0-9a-f]{{6}}{re.escape(found['arm'] or '')}")
    other = next((one for one in known if same.fullmatch(one)), None)
    return "" if other is None else f"; it has {quoted(other)}, which is another sequence: these are two libraries"


def _read_side_table(path: Path) -> pd.DataFrame:
    """Read the table; lines with more cells than the header are refused, because names would shift."""
    text = BytesIO(read_bytes(path, CountsError, unpack=True))
    try:
        lines = pd.read_csv(text, sep="\t", dtype=object, keep_default_na=False, header=None, encoding="utf-8-sig")
    except ValueError as error:  # malformed table, or not UTF-8
        raise CountsError(f"the side table {path} cannot be read ({error}); it is tab-separated UTF-8 text") from error
    used = lines.loc[:, lines.iloc[0].isin((*SIDE_COLUMNS, *DESIGN_COLUMNS))]
    return used.iloc[1:].apply(from_column).set_axis(used.iloc[0].to_numpy(), axis=1)


def _as_side_table(side: pd.DataFrame, where: str) -> pd.DataFrame:
    twice = [name for name in (*SIDE_COLUMNS, *DESIGN_COLUMNS) if side.columns.tolist().count(name) > 1]
    if twice:
        raise CountsError(f"{where} has the column {quoted(twice[0])} twice; leave one of them out")
    if is_sequence_design(side.columns):
        side = side_table_from_design(side, where)
    absent = [name for name in SIDE_COLUMNS[:3] if name not in side.columns.tolist()]
    if absent:
        raise CountsError(
            f"{where} has no column {' and '.join(map(quoted, absent))}; it is tab-separated, with the columns "
            "oligo_name element arm and, if there is one, group; or IGVF's reporter_sequence_design"
        )
    if "group" not in side.columns:
        side = side.assign(group="test")
    side = side[list(SIDE_COLUMNS)].reset_index(drop=True)
    empty = side.isna() | (side.astype(str) == "")
    if empty.to_numpy().any():
        i = int(empty.any(axis=1).to_numpy().argmax())
        name = SIDE_COLUMNS[int(empty.iloc[i].to_numpy().argmax())]
        raise CountsError(
            f"{where}, row {i + 1} (oligo {quoted(side['oligo_name'].iloc[i])}): {name} is empty; fill it in"
        )
    side = side.astype(str)
    again = side["oligo_name"].duplicated()
    if again.any():
        rows = side[side["oligo_name"] == side["oligo_name"][again].iloc[0]]
        both = " and ".join(f"({row.element}, {row.arm}, {row.group})" for row in rows.iloc[:2].itertuples())
        raise CountsError(
            f"{where} has oligo {quoted(rows['oligo_name'].iloc[0])} twice, as {both}; an oligo is of one element and "
            "arm: leave one row out, or give two constructs two names"
        )
    return side


DESIGN_COLUMNS = ("name", "category", "class", "SPDI", "allele", "info")
_GROUPS = {
    "test": "test",
    "variant positive control": "positive",
    "variant negative control": "negative",
    "element active control": "positive",
    "element inactive control": "negative",
}


def is_sequence_design(columns: Iterable[Any]) -> bool:
    """Return whether these are the columns of ``reporter_sequence_design``, not of a side table.

    Examples
    --------
    >>> is_sequence_design(["name", "sequence", "category", "class", "variant_class", "variant_pos", "SPDI", "allele"])
    True
    """
    found = set(columns)
    return found >= set(DESIGN_COLUMNS[:5]) and "oligo_name" not in found


def side_table_from_design(design: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the side table of a design: columns ``oligo_name element arm group``, a row an oligo.

    A design written by causalgia has element, arm and group in ``info``. In others, an oligo with a variant belongs to
    the element ``SPDI`` in the arm ``ref`` or ``alt``; one without is its own element, in the arm ``positive`` or
    ``negative`` for controls, else in that of its category. White space in names becomes ``_``, as in mappers and count
    tables.

    Parameters
    ----------
    design
        Its columns as text, or as `causalgia.mpra.read_igvf` returns them.
    where
        Name of the table in errors.

    Raises
    ------
    CountsError
        If a class is unknown, an oligo carries several variants, or two names become one.

    Examples
    --------
    >>> spdi = '["NC_000001.11:300:A:G"]'
    >>> alleles = ['["ref"]', '["alt"]']
    >>> design = pd.DataFrame({"name": ["v 1", "v 2"], "category": "variant", "class": "test", "allele": alleles})
    >>> side_table_from_design(design.assign(SPDI=spdi), "the design")
      oligo_name               element  arm group
    0        v_1  NC_000001.11:300:A:G  ref  test
    1        v_2  NC_000001.11:300:A:G  alt  test
    """
    infos = design["info"].tolist() if "info" in design.columns else [""] * len(design)
    rows = zip(*(design[name].tolist() for name in DESIGN_COLUMNS[:5]), infos, strict=True)
    side = [(re.sub(r"\s+", "_", str(row[0])), *_element_arm_group(row, where)) for row in rows]
    first: dict[str, str] = {}
    for (name, *_), original in zip(side, design["name"].astype(str), strict=True):
        if first.setdefault(name, original) != original:
            raise CountsError(
                f"{where}: oligos {quoted(first[name])} and {quoted(original)} are both {quoted(name)} in counts; "
                "rename one"
            )
    return pd.DataFrame(side, columns=["oligo_name", "element", "arm", "group"], dtype=object)


def _element_arm_group(row: tuple[Any, ...], where: str) -> tuple[str, str, str]:
    """Return element, arm and group of a row."""
    name, category, kind, spdi, allele, info = row
    if str(kind) not in _GROUPS:
        raise CountsError(f"{where}: oligo {quoted(name)} is of class '{kind}'; there are {', '.join(_GROUPS)}")
    group = _GROUPS[str(kind)]
    own = _labels_from_info(info)
    if own is not None:
        return own
    variants, alleles = _texts_in_cell(spdi, name, where), _texts_in_cell(allele, name, where)
    if not variants:
        return re.sub(r"\s+", "_", str(name)), str(category) if group == "test" else group, group
    if len(variants) > 1 or len(alleles) != 1:
        raise CountsError(
            f"{where}: oligo {quoted(name)} carries {len(variants)} variants and {len(alleles)} alleles; a side table "
            "has one element an oligo: write one (oligo_name element arm group) for the variants that are compared"
        )
    return variants[0], alleles[0], group


def _labels_from_info(info: Any) -> tuple[str, str, str] | None:
    """Return element, arm and group from the ``info`` that causalgia writes, else None."""
    try:
        known = parse_json(str(info), CountsError)
    except CountsError:
        return None
    if not isinstance(known, dict) or not all(isinstance(known.get(x), str) for x in ("element", "arm", "group")):
        return None
    return known["element"], known["arm"], known["group"]


def _texts_in_cell(cell: Any, name: Any, where: str) -> list[str]:
    """Return the texts of a cell: a JSON array of texts, or NA for none."""
    if isinstance(cell, tuple | list):
        return list(map(str, cell))
    if str(cell) in ("NA", ""):
        return []
    try:
        found = parse_json(str(cell), CountsError)
    except CountsError:
        found = None
    if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
        cell = quoted(str(cell)[:40])
        raise CountsError(f"{where}: oligo {quoted(name)}: {cell} is neither a JSON array of texts nor NA; correct it")
    return found
