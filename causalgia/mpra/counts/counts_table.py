"""The counts Dataset, and its side table: element, arm and group of each oligo."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from causalgia.analysis import as_result
from causalgia.attributes import about
from causalgia.checks import as_names
from causalgia.errors import DataError, DesignError, quoted, type_in_words
from causalgia.inputs import from_column, parse_json, read_bytes
from causalgia.mpra.counts.comment_lines import without_comments
from causalgia.mpra.counts.side_formats import (
    SIDE_FORMAT_COLUMNS,
    from_labels,
    is_headless_labels,
    known_side_format,
    lower_names,
)
from causalgia.mpra.counts.variant_haplotypes import (
    is_variant_file,
    side_table_of_variants,
)
from causalgia.schema import validate
from causalgia.types import Ints, Mask

SIDE_COLUMNS = ("oligo_name", "element", "arm", "group")
#: groups of oligos that are controls of the bench, not units of the design
CONTROLS = ("negative", "positive", "promoter", "duplicate")
_OF_LIBRARY = ("library_fingerprint", "design_fingerprint", "null_fingerprint")
_PRINTED = re.compile(r"(?P<stem>.+)\.(?P<print>[0-9a-f]{6})(?P<arm>_.+)?")
_OWN_CONTROL = re.compile(r"(scramble|aa|positive|negative)[0-9]+\.[0-9a-f]{6}")
_CODES = bytes.maketrans(b"ACGT", bytes(range(4)))


def as_side_table(side_table: str | Path | pd.DataFrame | xr.Dataset) -> pd.DataFrame:
    """Return ``oligo_name element arm group`` as text, a row an oligo.

    Parameters
    ----------
    side_table
        A path (with tabs, commas or semicolons between cells, plain or compressed), a
        DataFrame, or a library, whose oligos that differ in their barcode alone are
        one. ``group`` defaults to ``test``; other columns are ignored. IGVF's sequence
        design is accepted (`side_table_from_design`), and the formats of
        `causalgia.mpra.counts.side_formats`.

    Raises
    ------
    DataError
        If a column is absent, a cell is empty, an oligo has two rows, or is of an
        element of another library.

    Examples
    --------
    >>> as_side_table(
    ...     pd.DataFrame({"oligo_name": ["a"], "element": ["u1"], "arm": ["GATA1"]})
    ... )
      oligo_name element    arm group
    0          a      u1  GATA1  test
    """
    if isinstance(side_table, xr.Dataset):
        validate(side_table, "library")
        side = pd.DataFrame(
            {name: side_table[name].to_numpy() for name in SIDE_COLUMNS}
        ).drop_duplicates()
        where = "the library"
    elif isinstance(side_table, pd.DataFrame):
        side, where = side_table, "the side table"
    elif isinstance(side_table, str | Path):
        path = Path(side_table)
        data = read_bytes(path, DataError, unpack=True)
        if is_variant_file(text := data.decode("utf-8-sig", errors="replace")):
            where = f"the side table {side_table}"
            return _side_columns(side_table_of_variants(text, where), where)
        read = without_comments(text, SIDE_FORMAT_COLUMNS)
        if read.text != text:
            data = read.text.encode()
        first = data.partition(b"\n")[0]
        separator = next((c for c in "\t,;" if c.encode() in first), "\t")
        try:
            lines = pd.read_csv(
                BytesIO(data),
                sep=separator,
                dtype=object,
                keep_default_na=False,
                header=None,
                encoding="utf-8-sig",
            )
        except ValueError as error:  # malformed table, or not UTF-8
            raise DataError(
                f"the side table {path} cannot be read ({error}); it is tab-separated "
                "UTF-8 text"
            ) from error
        # lines with more cells than the header were refused, because names would shift
        where = f"the side table {side_table}"
        names = [str(name) for name in lines.iloc[0]]
        if is_headless_labels(names):
            return _side_columns(from_labels(lines.to_numpy().tolist(), where), where)
        side = lines.iloc[1:].set_axis(names, axis=1)
        known = {*SIDE_COLUMNS, *SIDE_FORMAT_COLUMNS, *lower_names(DESIGN_COLUMNS)}
        used = [low in known for low in lower_names(names)]
        side = side.loc[:, used].apply(from_column)
    else:
        raise DataError(
            f"side_table= is {type_in_words(side_table)}; give a path, a "
            "DataFrame, or a library"
        )
    return _side_columns(side, where)


def library_attrs(arms: object) -> dict[str, Any]:
    """Return the attrs that counts inherit from their library: fingerprints of library,
    design and null model.
    """
    return (
        {name: arms.attrs[name] for name in _OF_LIBRARY if name in arms.attrs}
        if isinstance(arms, xr.Dataset)
        else {}
    )


def other_spelling(name: str, known: Iterable[str]) -> str:
    """Return the name in `known` that differs in the marks between words or in upper
    and lower case alone, or an empty string.

    Examples
    --------
    >>> other_spelling("u0.3fa2c1:GATA1", ["u0.3fa2c1_placebo", "u0.3fa2c1_GATA1"])
    'u0.3fa2c1_GATA1'
    >>> other_spelling("chr1-100-A", ["chr11_00_a"]), other_spelling("--", ["::"])
    ('', '')
    """
    words = _words(name)
    return next((one for one in known if words and _words(one) == words), "")


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.lower())


def other_library(name: str, known: Iterable[str]) -> str:
    """Return a hint if `name` is known with another fingerprint, else an empty string.

    Units of a library are named ``u0.3fa2c1`` and their oligos ``u0.3fa2c1_GATA1``, a
    scramble ``scramble0.6380f7``; after the point comes the fingerprint of the inserts.

    Examples
    --------
    >>> other_library("u0.3fa2c1_GATA1", ["u0.77ab01_placebo", "u0.77ab01_GATA1"])
    "; it has 'u0.77ab01_GATA1', which is another sequence: these are two libraries"
    >>> other_library("u0.3fa2c1_GATA1", ["u1.77ab01_GATA1"])
    ''
    >>> other_library(
    ...     "peak.120500", ["peak.120700"]
    ... )  # numbers, as positions, are hardly ever fingerprints
    ''
    """
    found = _PRINTED.fullmatch(name)
    if found is None or found["print"].isdigit():
        return ""
    same = re.compile(
        f"{re.escape(found['stem'])}\\.[0-9a-f]{{6}}{re.escape(found['arm'] or '')}"
    )
    other = next((one for one in known if same.fullmatch(one)), None)
    return (
        ""
        if other is None
        else (
            f"; it has {quoted(other)}, which is another sequence: these are two "
            "libraries"
        )
    )


def insert_fingerprint(inserts: Sequence[str]) -> str:
    """Return the fingerprint of an element's inserts: of a unit, in the order of the
    arms; of a control, its one.

    Examples
    --------
    >>> insert_fingerprint(["ACGT", "ACGA"])
    '71765c'
    """
    return hashlib.blake2b(
        "".join(inserts).encode().translate(_CODES), digest_size=3
    ).hexdigest()


def check_fingerprints(library: xr.Dataset, arms: Sequence[str]) -> None:
    """Raise DesignError where a unit or control has other inserts than those whose
    fingerprint is in its name.

    Counts, fits and virtual trials are matched by names, so that a changed unit under
    its old name would be compared with another sequence. Elements with a name of the
    user's own, and units that lack an arm, have nothing to compare.

    Parameters
    ----------
    library
        Of kind ``library``.
    arms
        Arms of its design, in order.

    Raises
    ------
    DesignError
        With the element and the name that would be right.
    """
    every = pd.DataFrame(
        {name: library[name].to_numpy() for name in ("element", "arm", "insert")}
    )
    test = library["group"].to_numpy() == "test"
    controls = every[~test].drop_duplicates()
    for name, insert in zip(
        controls["element"].tolist(), controls["insert"].tolist(), strict=True
    ):
        if _OWN_CONTROL.fullmatch(str(name)):
            _check_fingerprint(str(name), [insert])
    if (
        about(library, None).assignment == "parallel"
    ):  # the fingerprint is of all arms, and a unit is under one
        return
    rows = every[test & every["arm"].isin(arms)].drop_duplicates()
    unit, names = pd.factorize(rows["element"])
    place = pd.Categorical(rows["arm"], categories=list(arms)).codes
    inserts = rows["insert"].to_numpy()[np.lexsort((place, unit))].tolist()
    ends = np.cumsum(np.bincount(unit, minlength=len(names))).tolist()
    for name, start, end in zip(names.tolist(), [0, *ends], ends, strict=False):
        if end - start == len(arms):
            _check_fingerprint(str(name), inserts[start:end])


def _check_fingerprint(name: str, inserts: Sequence[str]) -> None:
    printed, found = _PRINTED.fullmatch(name), insert_fingerprint(inserts)
    if printed is not None and not printed["arm"] and found != printed["print"]:
        raise DesignError(
            f"element {quoted(name)} has other inserts than those that its name is the "
            "fingerprint of; effects are matched by name, and this is another "
            "sequence: give the element and its oligos another name, such as "
            f"{quoted(printed['stem'] + '.' + found)}"
        )


def _side_columns(side: pd.DataFrame, where: str) -> pd.DataFrame:
    if not is_sequence_design(side.columns):
        by_case = {
            name: low
            for name, low in zip(
                map(str, side.columns), lower_names(side.columns), strict=True
            )
            if low in SIDE_COLUMNS
        }
        side = side.rename(columns=by_case)
        other = known_side_format(side, where)
        side = side if other is None else other
    twice = [
        name
        for name in (*SIDE_COLUMNS, *DESIGN_COLUMNS)
        if side.columns.tolist().count(name) > 1
    ]
    if twice:
        raise DataError(
            f"{where} has the column {quoted(twice[0])} twice; leave one of them out"
        )
    if is_sequence_design(side.columns):
        side = side_table_from_design(side, where)
    absent = [name for name in SIDE_COLUMNS[:3] if name not in side.columns.tolist()]
    if absent:
        raise DataError(
            f"{where} has no column {' and '.join(map(quoted, absent))}; it is "
            "tab-separated, with the columns oligo_name element arm and, if there is "
            "one, group; or IGVF's reporter_sequence_design, BCalm's ID REF ALT, "
            "MPRAmodel's attributes, or MPRAsnakeflow's labels"
        )
    if "group" not in side.columns:
        side = side.assign(group="test")
    side = side[list(SIDE_COLUMNS)].reset_index(drop=True)
    empty = side.isna() | (side.astype(str) == "")
    if empty.to_numpy().any():
        i = int(empty.any(axis=1).to_numpy().argmax())
        name = SIDE_COLUMNS[int(empty.iloc[i].to_numpy().argmax())]
        raise DataError(
            f"{where}, row {i + 1} (oligo {quoted(side['oligo_name'].iloc[i])}): "
            f"{name} is empty; fill it in"
        )
    side = side.astype(str)
    again = side["oligo_name"].duplicated()
    if again.any():
        rows = side[side["oligo_name"] == side["oligo_name"][again].iloc[0]]
        both = " and ".join(
            f"({row.element}, {row.arm}, {row.group})"
            for row in rows.iloc[:2].itertuples()
        )
        raise DataError(
            f"{where} has oligo {quoted(rows['oligo_name'].iloc[0])} twice, as {both}; "
            "an oligo is of one element and arm: leave one row out, or give two "
            "constructs two names"
        )
    for name, element in zip(side["oligo_name"], side["element"], strict=True):
        of_oligo, of_element = _PRINTED.fullmatch(name), _PRINTED.fullmatch(element)
        if of_oligo and of_element and of_oligo["stem"] == of_element["stem"]:
            prints = of_oligo["print"], of_element["print"]
            if prints[0] != prints[1] and not any(map(str.isdigit, prints)):
                raise DataError(
                    f"{where}: oligo {quoted(name)} is of element {quoted(element)}, "
                    "which is another sequence: these are two libraries; give the side "
                    "table of the library that was measured"
                )
    return side


DESIGN_COLUMNS = ("name", "category", "class", "SPDI", "allele", "info")
_GROUP_OF_KIND = {
    "test": "test",
    "variant positive control": "positive",
    "variant negative control": "negative",
    "element active control": "positive",
    "element inactive control": "negative",
}


def is_sequence_design(columns: Iterable[Any]) -> bool:
    """Return whether these are the columns of ``reporter_sequence_design``, not of a
    side table.

    Examples
    --------
    >>> is_sequence_design(
    ...     [
    ...         "name",
    ...         "sequence",
    ...         "category",
    ...         "class",
    ...         "variant_class",
    ...         "variant_pos",
    ...         "SPDI",
    ...         "allele",
    ...     ]
    ... )
    True
    """
    found = set(columns)
    return found >= set(DESIGN_COLUMNS[:5]) and "oligo_name" not in found


def side_table_from_design(design: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return the side table of a design: columns ``oligo_name element arm group``, a
    row an oligo.

    A design written by causalgia has element, arm and group in ``info``. In others, an
    oligo with a variant belongs to the element ``SPDI`` in the arm ``ref`` or ``alt``;
    one without is its own element, in the arm ``positive`` or ``negative`` for
    controls, else in that of its category. White space in names becomes ``_``, as in
    mappers and count tables.

    Parameters
    ----------
    design
        Its columns as text, or as `causalgia.mpra.read_igvf` returns them.
    where
        Name of the table in errors.

    Raises
    ------
    DataError
        If a class is unknown, an oligo carries several variants, or two names become
        one.

    Examples
    --------
    >>> spdi = '["NC_000001.11:300:A:G"]'
    >>> alleles = ['["ref"]', '["alt"]']
    >>> design = pd.DataFrame(
    ...     {
    ...         "name": ["v 1", "v 2"],
    ...         "category": "variant",
    ...         "class": "test",
    ...         "allele": alleles,
    ...     }
    ... )
    >>> side_table_from_design(design.assign(SPDI=spdi), "the design")
      oligo_name               element  arm group
    0        v_1  NC_000001.11:300:A:G  ref  test
    1        v_2  NC_000001.11:300:A:G  alt  test
    """
    infos = design["info"].tolist() if "info" in design.columns else [""] * len(design)
    rows = zip(
        *(design[name].tolist() for name in DESIGN_COLUMNS[:5]), infos, strict=True
    )
    side = [
        (re.sub(r"\s+", "_", str(row[0])), *_element_arm_group(row, where))
        for row in rows
    ]
    first: dict[str, str] = {}
    for (name, *_), original in zip(side, design["name"].astype(str), strict=True):
        if first.setdefault(name, original) != original:
            raise DataError(
                f"{where}: oligos {quoted(first[name])} and {quoted(original)} are "
                f"both {quoted(name)} in counts; rename one"
            )
    return pd.DataFrame(
        side, columns=["oligo_name", "element", "arm", "group"], dtype=object
    )


def _element_arm_group(row: tuple[Any, ...], where: str) -> tuple[str, str, str]:
    """Return element, arm and group of a row."""
    name, category, kind, spdi, allele, info = row
    if str(kind) not in _GROUP_OF_KIND:
        raise DataError(
            f"{where}: oligo {quoted(name)} is of class '{kind}'; there are "
            f"{', '.join(_GROUP_OF_KIND)}"
        )
    group = _GROUP_OF_KIND[str(kind)]
    own = _labels_from_info(info)
    if own is not None:
        return own
    variants, alleles = (
        _texts_in_cell(spdi, name, where),
        _texts_in_cell(allele, name, where),
    )
    if not variants:
        return (
            re.sub(r"\s+", "_", str(name)),
            str(category) if group == "test" else group,
            group,
        )
    if len(variants) > 1 or len(alleles) != 1:
        raise DataError(
            f"{where}: oligo {quoted(name)} carries {len(variants)} variants and "
            f"{len(alleles)} alleles; a side table has one element an oligo: write one "
            "(oligo_name element arm group) for the variants that are compared"
        )
    return variants[0], alleles[0], group


def _labels_from_info(info: Any) -> tuple[str, str, str] | None:
    """Return element, arm and group from the ``info`` that causalgia writes, else
    None.
    """
    try:
        known = parse_json(str(info), DataError)
    except DataError:
        return None
    if not isinstance(known, dict) or not all(
        isinstance(known.get(x), str) for x in ("element", "arm", "group")
    ):
        return None
    return known["element"], known["arm"], known["group"]


def _texts_in_cell(cell: Any, name: Any, where: str) -> list[str]:
    """Return the texts of a cell: a JSON array of texts, or NA for none."""
    if isinstance(cell, tuple | list):
        return list(map(str, cell))
    if str(cell) in ("NA", ""):
        return []
    try:
        found = parse_json(str(cell), DataError)
    except DataError:
        found = None
    if not isinstance(found, list) or not all(isinstance(x, str) for x in found):
        cell = quoted(str(cell)[:40])
        raise DataError(
            f"{where}: oligo {quoted(name)}: {cell} is neither a JSON array of texts "
            "nor NA; correct it"
        )
    return found


def _labels(values: Any, name: str, what: str) -> NDArray[Any]:
    """Return names as texts, or raise DataError; whole numbers are names, too."""
    try:
        labels = np.asarray(values)
    except (TypeError, ValueError):  # ragged, or a Dataset
        labels = np.array(None)
    if labels.dtype.kind in "iuSU" and labels.ndim == 1:
        return labels.astype(str)
    found = None if isinstance(values, str) else as_names(values)
    if found is None:
        raise DataError(
            f"{name}={quoted(values)} is no list of texts; give {what}",
            argument=name,
        )
    return np.array(found, dtype=str)


MOST_READS = 2**53  # whole numbers below it are exact as floats


def counts_of(
    dna: ArrayLike,
    rna: ArrayLike,
    *,
    barcodes: Sequence[str] | NDArray[Any],
    oligos: Sequence[str] | NDArray[Any],
    side_table: pd.DataFrame | xr.Dataset,
    replicates: Sequence[str] | None = None,
    dna_observed: ArrayLike | None = None,
    rna_observed: ArrayLike | None = None,
    n_bc: ArrayLike | None = None,
) -> xr.Dataset:
    """Return barcode counts as a Dataset of kind ``counts``.

    Parameters
    ----------
    dna
        DNA reads, shape ``(n_barcodes, n_replicates)``, or ``(n_barcodes,)`` for one
        plasmid pool; whole numbers, at least 0.
    rna
        RNA reads, shape ``(n_barcodes, n_replicates)``.
    barcodes, oligos
        Letters of each barcode, unique, and the name of its oligo, shape
        ``(n_barcodes,)``.
    side_table
        Columns ``oligo_name element arm`` and optionally ``group`` (else ``test``), a
        row an oligo; or the ordered library. Oligos without barcodes stay on the oligo
        dim.
    replicates
        Names of the replicates; None: ``"1"``, ``"2"``, ...
    dna_observed, rna_observed
        Whether a cell held a count, shapes as `dna` and `rna`; None: all that are not
        NaN.
    n_bc
        Of sums, the number of barcodes behind each, shape ``(n_barcodes,)``.

    Returns
    -------
    Dataset
        ``dna, rna, dna_observed, rna_observed (barcode, replicate)``,
        ``oligo_index (barcode)``, ``n_bc (barcode)`` where it is given, ``dna_total, rna_total (replicate)``, and
        ``element, arm, group (oligo)``; see `causalgia.schema`.

    Raises
    ------
    DataError
        If there is no barcode, a barcode has an unknown oligo or appears twice, a count
        is negative or fractional, shapes disagree, or a library (DNA or RNA of a
        replicate) has no reads.

    Examples
    --------
    >>> side = pd.DataFrame(
    ...     {
    ...         "oligo_name": ["a"],
    ...         "element": ["u1"],
    ...         "arm": ["GATA1"],
    ...         "group": ["test"],
    ...     }
    ... )
    >>> counts_of([[9]], [[12]], barcodes=["ACGT"], oligos=["a"], side_table=side)[
    ...     "rna_total"
    ... ].values
    array([12])
    """
    side = as_side_table(side_table)
    letters = _labels(barcodes, "barcodes", "the letters of each barcode")
    oligos = _labels(oligos, "oligos", "the oligo of each barcode")
    if len(letters) == 0 or len(oligos) != len(letters):
        raise DataError(
            f"{len(letters)} barcodes and {len(oligos)} names of oligos; give one "
            "oligo to each barcode"
        )
    of, known = pd.factorize(oligos)
    places = pd.Index(side["oligo_name"]).get_indexer(pd.Index(known).astype(str))
    if (places < 0).any():
        i = int(np.argmax(places[of] < 0))
        hint = other_library(str(oligos[i]), side["oligo_name"]) or "; add its row"
        raise DataError(
            f"barcode {letters[i]}: its oligo {quoted(oligos[i])} is not in the side "
            f"table{hint}"
        )
    place = np.asarray(places[of], dtype=np.int64)
    dna_cells, observed_dna = _as_count_cells(dna, dna_observed, "dna", letters)
    rna_cells, observed_rna = _as_count_cells(rna, rna_observed, "rna", letters)
    if rna_cells.ndim != 2 or dna_cells.shape not in (
        rna_cells.shape,
        rna_cells.shape[:1],
    ):
        raise DataError(
            f"dna has shape {dna_cells.shape} and rna {rna_cells.shape}; give both "
            "(n_barcodes, n_replicates), or dna (n_barcodes,) where one plasmid pool "
            "serves all replicates"
        )
    of_dna = ("barcode", "replicate")[: dna_cells.ndim]
    names = (
        [str(r + 1) for r in range(rna_cells.shape[1])]
        if replicates is None
        else _labels(replicates, "replicates", "the name of each replicate").tolist()
    )
    if len(names) != rna_cells.shape[1]:
        raise DataError(
            f"replicates={quoted(names)} names {len(names)}, and rna has "
            f"{rna_cells.shape[1]} columns; name each replicate once",
            argument="replicates",
        )
    counts = xr.Dataset(
        {
            "dna": (of_dna, dna_cells),
            "rna": (("barcode", "replicate"), rna_cells),
            "dna_observed": (of_dna, observed_dna),
            "rna_observed": (("barcode", "replicate"), observed_rna),
            "oligo_index": ("barcode", place),
            "dna_total": (of_dna[1:], dna_cells.sum(axis=0)),
            "rna_total": ("replicate", rna_cells.sum(axis=0)),
        },
        coords={
            "barcode": letters,
            "replicate": np.array(names),
            "oligo": side["oligo_name"].to_numpy().astype(str),
            **{
                name: ("oligo", side[name].to_numpy().astype(str))
                for name in SIDE_COLUMNS[1:]
            },
        },
    )
    if n_bc is not None:
        each = np.asarray(n_bc, dtype=np.float64)
        if each.shape != letters.shape or not (each >= 1).all():
            raise DataError(
                f"n_bc: {quoted(n_bc)} is not a number of 1 or more for each of the "
                f"{len(letters):,} sums",
                argument="n_bc",
            )
        counts["n_bc"] = ("barcode", each)
    for name in ("dna", "rna"):
        total = counts[f"{name}_total"]
        if not total.all():
            i = int(np.argmin(total.to_numpy()))
            whole = (
                f"replicate {counts['replicate'].to_numpy()[i]}"
                if total.ndim
                else "the plasmid pool"
            )
            raise DataError(
                f"{name.upper()} of {whole} has no read at all; leave the replicate "
                "out, or correct its column"
            )
    return as_result(counts.assign_attrs(library_attrs(side_table)), "counts")


def _as_count_cells(
    values: ArrayLike, observed: ArrayLike | None, name: str, barcodes: NDArray[np.str_]
) -> tuple[Ints, Mask]:
    """Return counts as integers, 0 where not observed, and the mask of observed
    cells.
    """
    cells = np.asarray(values)
    if cells.dtype.kind not in "iuf":
        raise DataError(
            f"{name} is of dtype {cells.dtype}, and counts are numbers; cast it"
        )
    if cells.ndim == 0 or len(cells) != len(barcodes):
        raise DataError(
            f"{name} has shape {cells.shape} for {len(barcodes)} barcodes; give a row "
            "to each barcode"
        )
    present = (cells == cells) if observed is None else np.asarray(observed, bool)
    if present.shape != cells.shape:
        raise DataError(
            f"{name}_observed has shape {present.shape}, not {cells.shape} as {name} "
            "has"
        )
    cells = np.where(present, cells, 0)
    wrong = (cells < 0) | (cells >= MOST_READS)
    if cells.dtype.kind == "f":
        wrong |= ~np.isfinite(cells) | (cells != np.floor(cells))
    if wrong.any():
        i = tuple(np.argwhere(wrong)[0])
        raise DataError(
            f"barcode {barcodes[i[0]]}: {name} is {cells[i]:g}; give the reads as they "
            "were counted (whole, at least 0, below 2^53), not normalized"
        )
    return cells.astype(np.int64), present
