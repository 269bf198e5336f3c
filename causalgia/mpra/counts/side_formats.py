"""Side tables as other pipelines write them: BCalm's map of variants, MPRAmodel's
attributes, and MPRAsnakeflow's labels, as element, arm and group of each oligo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from causalgia.errors import DataError, quoted

#: columns that these formats are read by, in lower case
SIDE_FORMAT_COLUMNS = (
    "oligo_name",
    "oligo",
    "name",
    "coord",
    "oligo_id",
    "label",
    "id",
    "ref",
    "alt",
    "snp",
    "allele",
    "project",
    "window",
    "strand",
    "haplotype",
)
_OLIGO_NAMES = ("oligo_name", "oligo", "name", "coord", "oligo_id")
_NEGATIVE = re.compile(
    r"(?<![a-z])(neg(ative)?s?(ctrls?|controls?)?|scrambled?s?|shuffled?s?|inactive)"
    r"(?![a-z])",
    re.IGNORECASE,
)
_POSITIVE = re.compile(
    r"(?<![a-z])((pos(itive)?s?|exp)(ctrls?|controls?)?)(?![a-z])", re.IGNORECASE
)
_CONTROL = re.compile(r"(?<![a-z])(controls?|ctrls?)(?![a-z])", re.IGNORECASE)
_BARCODE = re.compile(r"[ACGTN]{6,}", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"[\s.-]+")
_ALLELES = {"ref": "ref", "alt": "alt", "a": "ref", "b": "alt"}


def plain_column(name: str) -> str:
    """Return the name of a column in lower case, without white space at its ends, and
    with ``_`` for blanks, points and hyphens inside, as R and spreadsheets write them.
    """
    return _BETWEEN_WORDS.sub("_", name.strip().lower())


def lower_names(columns: Iterable[object]) -> list[str]:
    """Return names of columns as they are compared.

    Examples
    --------
    >>> lower_names(["Oligo Name", "oligo.name", " ARM"])
    ['oligo_name', 'oligo_name', 'arm']
    """
    return [plain_column(str(name)) for name in columns]


def known_side_format(side: pd.DataFrame, where: str) -> pd.DataFrame | None:
    """Return a side table from one of the formats known here, or None.

    Parameters
    ----------
    side
        Its columns as text.
    where
        Name of the table in errors.

    Examples
    --------
    >>> known_side_format(
    ...     pd.DataFrame({"ID": ["rs1"], "REF": ["o1"], "ALT": ["o2"]}), "the map"
    ... )
      oligo_name element  arm group
    0         o1     rs1  ref  test
    1         o2     rs1  alt  test
    """
    names = lower_names(side.columns)
    renamed = side.set_axis(names, axis=1)
    if {"id", "ref", "alt"} <= set(names) and "oligo_name" not in names:
        return _from_variant_map(renamed, where)
    if {"id", "snp", "allele", "project"} <= set(names):
        return _from_attributes(renamed, where)
    if len(names) == 2 and names[1] == "label" and names[0] in _OLIGO_NAMES:
        return from_labels(renamed.to_numpy().tolist(), where)
    return None


def is_headless_labels(cells: Sequence[str]) -> bool:
    """Return whether the first line of a table is no header, but an oligo and its
    label.

    Examples
    --------
    >>> (
    ...     is_headless_labels(["chr1:100-200", "HNF4A"]),
    ...     is_headless_labels(["oligo", "arm"]),
    ... )
    (True, False)
    """
    known = (*_OLIGO_NAMES, "element", "arm", "group", "label", "id", "barcode")
    return len(cells) == 2 and not set(lower_names(cells)) & set(known)


def from_labels(rows: Sequence[Sequence[str]], where: str) -> pd.DataFrame:
    """Return a side table from oligos and their labels, of which each oligo is its own
    element and the label its arm; labels of negative and positive controls are groups.

    Raises
    ------
    DataError
        If the first column holds barcodes, or a label says control and not which.

    Examples
    --------
    >>> from_labels([["o1", "HNF4A"], ["o2", "scrambled"]], "labels.tsv")
      oligo_name element        arm     group
    0         o1      o1      HNF4A      test
    1         o2      o2  scrambled  negative
    """
    if rows and all(_BARCODE.fullmatch(str(row[0])) for row in rows[:20]):
        raise DataError(
            f"{where} begins with barcodes, as {quoted(rows[0][0])}: it says which "
            "oligo a barcode is of, and not what an oligo is; give it as "
            "assignment=, and a table oligo_name element arm as side_table="
        )
    labels = {str(row[1]) for row in rows}
    group = {label: _group_of(label, where) for label in labels}
    return pd.DataFrame(
        [(row[0], row[0], row[1], group[str(row[1])]) for row in rows],
        columns=["oligo_name", "element", "arm", "group"],
        dtype=object,
    )


def _group_of(label: str, where: str) -> str:
    negative, positive = _NEGATIVE.search(label), _POSITIVE.search(label)
    if (negative and positive) or (
        _CONTROL.search(label) and not negative and not positive
    ):
        raise DataError(
            f"{where}: label {quoted(label)} may be of negative or of positive "
            "controls; write negative_control or positive_control"
        )
    return "negative" if negative else "positive" if positive else "test"


def _from_variant_map(side: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a side table from ``ID REF ALT``; variants of one reference oligo are one
    element with several alternative arms.
    """
    rows = list(
        zip(
            *(side[name].astype(str).tolist() for name in ("id", "ref", "alt")),
            strict=True,
        )
    )
    of_reference: dict[str, list[tuple[str, str]]] = {}
    for i, (variant, ref, alt) in enumerate(rows):
        if "" in (variant, ref, alt) or "nan" in (ref, alt):
            raise DataError(
                f"{where}, row {i + 1}: variant {quoted(variant)} has no oligo of one "
                "allele; fill it in, or leave the row out"
            )
        of_reference.setdefault(ref, []).append((variant, alt))
    table = []
    for ref, variants in of_reference.items():
        element = ";".join(dict.fromkeys(name for name, _ in variants))
        table.append((ref, element, "ref", "test"))
        for k, alt in enumerate(dict.fromkeys(alt for _, alt in variants)):
            table.append((alt, element, f"alt{k + 1}" if k else "alt", "test"))
    return pd.DataFrame(
        table, columns=["oligo_name", "element", "arm", "group"], dtype=object
    )


def _from_attributes(side: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a side table from MPRAmodel's attributes: a variant with its window,
    strand and haplotype is an element; an oligo without one is its own.
    """
    table = []
    context = [name for name in ("window", "strand", "haplotype") if name in side]
    for i, row in enumerate(side.astype(str).to_dict("records")):
        group = _group_of(row["project"], where) if row["project"] != "NA" else "test"
        if row["snp"] in ("NA", "") or row["allele"] in ("NA", ""):
            table.append((row["id"], row["id"], row["project"], group))
            continue
        allele = _ALLELES.get(row["allele"].lower())
        if allele is None:
            raise DataError(
                f"{where}, row {i + 1}: allele of oligo {quoted(row['id'])} is "
                f"{quoted(row['allele'])}; it is ref or alt, or NA without a variant"
            )
        element = "_".join(
            [row["snp"], *(row[name] for name in context if row[name] != "NA")]
        )
        table.append((row["id"], element, allele, group))
    return pd.DataFrame(
        table, columns=["oligo_name", "element", "arm", "group"], dtype=object
    )
