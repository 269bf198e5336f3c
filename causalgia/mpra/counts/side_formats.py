"""Side tables: element, arm and group of each oligo, as ours, IGVF's sequence design,
BCalm's map of variants or MPRAsnakeflow's labels have them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.errors import DataError, quoted, type_in_words
from causalgia.inputs import from_column, parse_json
from causalgia.mpra.counts.count_tables import (
    plain_name,
    read_frame,
    read_table_text,
    text_columns,
)
from causalgia.mpra.counts.variant_haplotypes import (
    is_variant_file,
    side_table_of_variants,
)
from causalgia.schema import validate

SIDE_COLUMNS = ("oligo_name", "element", "arm", "group")
_OLIGO_NAMES = ("oligo_name", "oligo", "name", "coord", "oligo_id")
#: columns of one format each, beyond which others are ignored
_DESIGN = ("name", "category", "class", "spdi", "allele")
_PRINTED = re.compile(r"(?P<stem>.+)\.(?P<print>[0-9a-f]{6})(?P<arm>_.+)?")
_NEGATIVE, _POSITIVE, _CONTROL = (
    rf"(?i)(?<![a-z])({words})(?![a-z])"
    for words in (
        r"neg(ative)?s?(ctrls?|controls?)?|scrambled?s?|shuffled?s?|inactive",
        r"(pos(itive)?s?|exp)(ctrls?|controls?)?",
        r"controls?|ctrls?",
    )
)
_GROUP_OF_CLASS = {
    "test": "test",
    "variant positive control": "positive",
    "variant negative control": "negative",
    "element active control": "positive",
    "element inactive control": "negative",
}


def as_side_table(side_table: str | Path | pd.DataFrame | xr.Dataset) -> pd.DataFrame:
    """Return ``oligo_name element arm group`` as text, a row an oligo.

    Parameters
    ----------
    side_table
        A path (a table as `causalgia.mpra.read_counts` reads counts), a DataFrame, or a
        library, whose oligos that differ in their barcode alone are one. ``group``
        defaults to ``test``; other columns are ignored. Or one of the formats of
        others.

    Raises
    ------
    DataError
        If a column is absent, a cell is empty, an oligo has two rows, or is of an
        element of another library.

    Examples
    --------
    >>> as_side_table(pd.DataFrame({"oligo": ["a"], "label": ["scrambled"]}))
      oligo_name element        arm     group
    0          a       a  scrambled  negative
    >>> as_side_table(pd.DataFrame({"ID": ["rs1"], "REF": ["o1"], "ALT": ["o2"]}))
      oligo_name element  arm group
    0         o1     rs1  ref  test
    1         o2     rs1  alt  test
    """
    where = "the side table"
    if isinstance(side_table, xr.Dataset):
        validate(side_table, "library")
        side = pd.DataFrame(
            {name: side_table[name].to_numpy() for name in SIDE_COLUMNS}
        ).drop_duplicates()
    elif isinstance(side_table, pd.DataFrame):
        side = side_table.set_axis([str(name) for name in side_table.columns], axis=1)
    elif isinstance(side_table, str | Path):
        where = f"the side table {side_table}"
        text = read_table_text(Path(side_table))
        if is_variant_file(text):
            return side_table_of_variants(text, where)
        side = read_frame(Path(side_table), text, labels=True).cells
        if 0 in side.columns:  # two columns without a header
            side = side.iloc[:, :2].set_axis(["oligo_name", "label"], axis=1)
        side = side.apply(from_column)
    else:
        raise DataError(
            f"side_table= is {type_in_words(side_table)}, not a path, a DataFrame or a "
            "library"
        )
    names = [plain_name(name) for name in side.columns]
    twice = [x for x in (*SIDE_COLUMNS, *_DESIGN) if names.count(x) > 1]
    if twice:
        raise DataError(f"{where} has the column {twice[0]} twice")
    side = side.set_axis(names, axis=1).reset_index(drop=True)
    return _checked(_as_columns(side, names, where), where)


def _as_columns(side: pd.DataFrame, names: list[str], where: str) -> pd.DataFrame:
    """Return the columns of a side table from those of its format."""
    has = {*names}
    if "oligo_name" not in has:
        if has >= {*_DESIGN}:
            return _from_design(side, where)
        if has >= {"id", "ref", "alt"}:
            return _from_variant_map(side, where)
    if len(names) == 2 and names[1] == "label" and names[0] in _OLIGO_NAMES:
        oligo, label = side[names[0]].astype(str), side["label"].astype(str)
        if oligo.str.fullmatch("(?i)[ACGTN]{6,}").all():
            raise DataError(
                f"{where} begins with barcodes, as {quoted(oligo.iloc[0])}, and has no "
                "element and arm of an oligo"
            )
        return _table(oligo, oligo, label, _groups(label, where))
    if has >= {"element", "arm"} and "oligo_name" not in has:
        others = [name for name in text_columns(side) if name not in SIDE_COLUMNS]
        unique = [name for name in others if side[name].is_unique]
        if len(unique) == 1:
            side = side.rename(columns={unique[0]: "oligo_name"})
    absent = [name for name in SIDE_COLUMNS[:3] if name not in side]
    if absent:
        raise DataError(
            f"{where} has no column {' and '.join(absent)}; its columns are oligo_name "
            "element arm and optionally group, or those of an IGVF design, BCalm (ID "
            "REF ALT) or MPRAsnakeflow's labels"
        )
    return side if "group" in side else side.assign(group="test")


def _table(*columns: Iterable[Any]) -> pd.DataFrame:
    return pd.DataFrame(dict(zip(SIDE_COLUMNS, columns, strict=True)), dtype=object)


def _checked(side: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the columns of a side table whose oligos have one row and no empty cell."""
    side = side[list(SIDE_COLUMNS)].reset_index(drop=True)
    empty = (side.isna() | (side.astype(str) == "")).to_numpy()
    if empty.any():
        i, j = np.argwhere(empty)[0]
        raise DataError(f"{where}, row {i + 1}: {SIDE_COLUMNS[j]} is empty")
    side = side.astype(str)
    again = side["oligo_name"].duplicated()
    if again.any():
        rows = side[side["oligo_name"] == side["oligo_name"][again].iloc[0]]
        both = " and ".join(map(str, rows.iloc[:2, 1:].to_numpy().tolist()))
        raise DataError(
            f"{where} has oligo {quoted(rows.iloc[0, 0])} twice, as {both}; an oligo is "
            "of one element and arm"
        )
    of_oligo, of_element = (
        side[name].str.extract(f"^{_PRINTED.pattern}$") for name in SIDE_COLUMNS[:2]
    )
    other = (of_oligo["stem"] == of_element["stem"]) & (
        of_oligo["print"] != of_element["print"]
    )
    other &= ~(of_oligo["print"] + of_element["print"]).str.contains(r"^\d{6}|\d{6}$")
    if other.any():
        row = side[other].iloc[0]
        raise DataError(
            f"{where}: oligo {quoted(row['oligo_name'])} is of element "
            f"{quoted(row['element'])}, which is another sequence: two libraries"
        )
    return side


def _groups(labels: pd.Series[Any], where: str) -> list[str]:
    """Return the group that each label says: negative, positive or test."""
    found = {}
    for label in labels.unique():
        negative, positive = re.search(_NEGATIVE, label), re.search(_POSITIVE, label)
        if (negative and positive) or (
            re.search(_CONTROL, label) and not negative and not positive
        ):
            raise DataError(
                f"{where}: label {quoted(label)} may be of negative or of positive "
                "controls; write negative_control or positive_control"
            )
        found[label] = "negative" if negative else "positive" if positive else "test"
    return [found[label] for label in labels]


def _from_variant_map(side: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a side table from BCalm's ``ID REF ALT``; variants of one reference oligo
    are one element with several alternative arms.
    """
    side = side[["id", "ref", "alt"]].astype(str)
    empty = side.isin(["", "nan"]).any(axis=1)
    if empty.any():
        i = int(empty.to_numpy().argmax())
        raise DataError(
            f"{where}, row {i + 1}: a variant without an oligo of one allele"
        )
    rows = []
    for ref, variants in side.groupby("ref", sort=False):
        element = ";".join(variants["id"].unique())
        rows.append((ref, element, "ref", "test"))
        for k, alt in enumerate(variants["alt"].unique()):
            rows.append((alt, element, f"alt{k + 1}" if k else "alt", "test"))
    return _table(*zip(*rows, strict=True))


def _from_design(side: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a side table from IGVF's ``reporter_sequence_design``.

    A design written by causalgia has element, arm and group in ``info``. In others, an
    oligo with a variant belongs to the element ``SPDI`` in the arm ``ref`` or ``alt``;
    one without is its own element, in the arm ``positive`` or ``negative`` for
    controls, else in that of its category. White space in names becomes ``_``, as in
    mappers and count tables.
    """
    side = side.assign(info=side.get("info", ""))
    rows = []
    for name, category, of_class, spdi, allele, info in zip(
        *(side[column] for column in (*_DESIGN, "info")), strict=True
    ):
        if of_class not in _GROUP_OF_CLASS:
            raise DataError(
                f"{where}: oligo {quoted(name)} is of class {quoted(of_class)}; there "
                f"are {', '.join(_GROUP_OF_CLASS)}"
            )
        group, oligo = _GROUP_OF_CLASS[of_class], re.sub(r"\s+", "_", str(name))
        own = _labels_from_info(info)
        variants, alleles = (_texts(cell, name, where) for cell in (spdi, allele))
        if own is not None:
            rows.append((oligo, *own))
        elif not variants:
            arm = str(category) if group == "test" else group
            rows.append((oligo, oligo, arm, group))
        elif len(variants) == len(alleles) == 1:
            rows.append((oligo, variants[0], alleles[0], group))
        else:
            raise DataError(
                f"{where}: oligo {quoted(name)} carries {len(variants)} variants and "
                f"{len(alleles)} alleles, and a side table has one element an oligo"
            )
    return _table(*zip(*rows, strict=True))


def _labels_from_info(info: Any) -> list[str] | None:
    """Return element, arm and group from the ``info`` that causalgia writes."""
    try:
        known = parse_json(str(info), DataError)
    except DataError:
        return None
    own = [known.get(x) for x in SIDE_COLUMNS[1:]] if isinstance(known, dict) else [0]
    texts = [one for one in own if isinstance(one, str)]
    return texts if len(texts) == len(own) else None


def _texts(cell: Any, name: Any, where: str) -> list[str]:
    """Return the texts of a cell: a JSON array of texts, or NA for none."""
    if isinstance(cell, tuple | list):
        return list(map(str, cell))
    if str(cell) in ("NA", ""):
        return []
    found = parse_json(str(cell), DataError, source=f"{where}: oligo {quoted(name)}")
    if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
        raise DataError(
            f"{where}: oligo {quoted(name)}: {quoted(str(cell)[:40])} is no JSON array "
            "of texts"
        )
    return found
