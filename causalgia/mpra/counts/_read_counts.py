"""Readers of count tables (IGVF reporter experiments, and tables of other pipelines)
with the side table of their oligos.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia.errors import DataError, quoted
from causalgia.inputs import from_cell
from causalgia.mpra.counts.count_formats import (
    EMPTY,
    NAMES,
    NO_OLIGO,
    Assignment,
    CountTable,
    Lines,
    clean_barcodes,
    joined,
    read_any_table,
    read_assignment,
    read_conditions,
    read_table_bytes,
    without_commas,
)
from causalgia.mpra.counts.counts_table import (
    MOST_READS,
    as_side_table,
    counts_of,
    library_attrs,
    other_library,
    other_spelling,
)
from causalgia.mpra.counts.experiment_files import (
    CountFiles,
    read_experiment,
    read_pair,
)
from causalgia.mpra.counts.replicate_files import named_files
from causalgia.mpra.counts.variant_haplotypes import is_of_variants, with_variants
from causalgia.types import Array, Ints, Mask

_COUNT = re.compile(r"(dna|rna)_counts?(?:_(.+))?")
_REPLICATE = r"(?:rep(?:licate)?|r|bio)?"
_NUMBER_AT_END = re.compile(rf"[_.\- ]*{_REPLICATE}[_.\- ]*[0-9]+$", re.IGNORECASE)
_NUMBER_AT_BEGIN = re.compile(
    rf"{_REPLICATE}[0-9]+[_.\- ]+(?!{_REPLICATE}[_.\- ]*[0-9]+$)(?=.*[^\W\d_])",
    re.IGNORECASE,
)
_WITH_NUMBER = re.compile(
    r".*[^\W\d_](?<!rep)(?<!replicate)(?<!bio)(?<!(?<![^\W\d_])r)([0-9]{1,18})",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"[0-9]")
_SEQUENCE = re.compile(r"[ACGTN]+(-[0-9]+)?", re.IGNORECASE)
_BARCODE_LETTERS = b"ACGTN\0"  # the last fills a shorter barcode up


def read_counts(
    path: str | Path | Sequence[str | Path] | Mapping[str, str | Path],
    *,
    side_table: str | Path | pd.DataFrame | xr.Dataset,
    replicates: Sequence[str] | None = None,
    assignment: str | Path | pd.DataFrame | None = None,
    conditions: str | Path | pd.DataFrame | Mapping[str, str] | None = None,
    drop_unknown: bool = False,
) -> xr.Dataset:
    r"""Read barcode counts, or sums of oligos, and the side table of their oligos.

    The table is recognized by its columns, in any order and in upper or lower case:

    - IGVF ``reporter_experiment_barcode``, MPRAsnakeflow: ``barcode oligo_name``, and
      ``dna_count_<rep> rna_count_<rep>`` of each replicate;
    - BCalm: ``barcode name``, and ``dna_count_<rep>`` ...;
    - a row a barcode and replicate: ``barcode oligo_name replicate``, and
      ``dna_count rna_count``;
    - one pool of DNA and several columns of RNA: ``barcode label DNA RNA1 RNA2`` ...;
    - IGVF ``reporter_experiment``, a sum an oligo: ``replicate oligo_name``, and
      ``dna_counts rna_counts``;
    - sums of oligos: ``oligo_name``, and ``dna_count_<rep> rna_count_<rep>``;
    - MPRAmodel, with `conditions`: ``Barcode Oligo plasmid_r1 K562_r1`` ...;
    - MPRAflow, a file a replicate, with `assignment`: three columns without a header;
    - an experiment file, ``condition replicate`` and ``counts``, or ``dna`` and
      ``rna``, which name files from its folder on.

    Columns of plasmids and inputs are DNA, those of cDNA, mRNA and outputs RNA. Lines
    that begin with ``#`` are left out.

    MPRAflow's ``variants.txt`` of a saturation mutagenesis (a barcode, and the variants
    that it carries) is both `assignment` and `side_table`: the region is one element,
    and its arms are the reference, each variant alone, and ``several``. The counts keep
    the variants of each barcode, by which `fit` separates their effects.

    Parameters
    ----------
    path
        A table, plain or gzip, with tabs, commas or semicolons between cells. Or tables
        of one replicate each: a mapping of replicates to them, or a list, whose
        replicates are named by what differs between the names of the files. An empty
        cell (or ``NA``)
        is a missing count, not 0; lines may end in tabs, which are empty cells. In a
        long table absent rows are empty. Numbers may have commas between thousands.
        Barcodes may be in lower case, or end in 10x Genomics' ``-1``.
    side_table
        Columns ``oligo_name element arm`` and optionally ``group``: a path, a
        DataFrame, or the ordered library. It may contain oligos without barcodes. Also
        accepted: IGVF's ``reporter_sequence_design``, whose variants are elements in
        the arms ``ref`` and ``alt``, and whose controls are in ``positive`` and
        ``negative`` (white space in names becomes ``_``, as in counts); BCalm's map of
        variants, ``ID REF ALT``; MPRAmodel's attributes; and MPRAsnakeflow's
        ``labels.tsv``, oligo and label, of which each oligo is its own element.
    replicates
        Replicates to read, by the suffix of their columns; None: all. Suffixes of
        several kinds (``K562_1, K562_2, HepG2_1``: cell types, conditions) are not
        replicates of one another and must be named here.
    assignment
        Table of barcodes and their oligos, if the counts do not name oligos. Barcodes
        that it lacks are left out, as by `drop_unknown`.
    conditions
        Column of the counts -> ``DNA``, or the cell type of its RNA, if columns do not
        say so: MPRAmodel's condition table, or a mapping. Its DNA columns are one
        plasmid pool, and summed.
    drop_unknown
        Whether rows of oligos that the side table lacks are left out, instead of an
        error.

    Returns
    -------
    Dataset
        As `causalgia.mpra.counts_of`; where barcodes carry several variants, with
        ``variant_index (barcode, carried)``, their places on the coordinate
        ``variant``, filled up by -1. ``attrs["source"]`` is the name of the file, and
        ``attrs["table_format"]`` a sentence on what it was read as and what was left
        out. Of sums, the barcode of an oligo is its name, and a column ``n_bc`` the
        barcodes behind it.

    Raises
    ------
    DataError
        If the table has no rows, unknown columns or several that may be the barcode or
        oligo, lines of another number of cells, a barcode twice or with letters other
        than ACGTN, an oligo that the side table lacks, a replicate without its DNA or
        RNA column, or a cell that is negative, fractional or text; or if replicates
        are of several kinds, a named one is absent, or `path` is no path; if a file is
        given twice, or one of several has several replicates. The message gives file,
        line, oligo and cure.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> side = pd.DataFrame({"oligo_name": ["a"], "element": ["u1"], "arm": ["GATA1"]})
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "counts.csv")
    ...     _ = path.write_text("Barcode,Oligo,DNA_1,RNA_1\nACGT,a,9,12\nTTGC,a,4,\n")
    ...     counts = read_counts(path, side_table=side)
    >>> counts["rna"].values.tolist(), counts["rna_observed"].values.tolist()
    ([[12], [0]], [[True], [False]])
    >>> counts.attrs["table_format"]
    "read as a row a barcode; commas between cells; barcodes in 'Barcode' and oligos in 'Oligo'"
    """
    side = as_side_table(side_table)
    files = named_files(path)
    experiment = _experiment(files, replicates, path)
    of_barcodes = None if assignment is None else read_assignment(assignment)
    of_columns = None if conditions is None else read_conditions(conditions)
    tables = {
        replicate: _read_one(one.both, of_barcodes, of_columns)
        if one.both
        else read_pair(one, of_barcodes)
        for replicate, one in experiment.items()
    }
    alone = [*experiment] == [""]
    read = next(iter(tables.values())) if alone else joined(tables)
    table, lines = _unescape_oligo_names(read.cells), read.lines
    columns = _sort_count_columns(list(table.columns), lines)
    if "replicate" in table:
        blank = (table["replicate"].astype(str).str.strip() == "").to_numpy()
        if blank.any():
            i = int(np.argmax(blank))
            raise DataError(
                f"{file_line(lines, i)}: replicate of oligo "
                f"{quoted(table['oligo_name'].iloc[i])} is empty; fill it in"
            )
        known = [str(name) for name in table["replicate"].unique()]
        names = _select_replicates(known, replicates, lines)
        if len(names) < len(known):
            chosen = table["replicate"].astype(str).isin(names).to_numpy()
            table = table[chosen].reset_index(drop=True)
            read.lines = lines = lines.select(chosen)
    else:
        names = _select_replicates(columns.replicates, replicates, lines)
        _check_one_cell_type(names, of_columns or {}, lines)
        of = [columns.replicates.index(name) for name in names]
        dna = (
            columns.dna
            if len(columns.dna) < len(columns.replicates)
            else [columns.dna[i] for i in of]
        )
        columns = _CountColumns(names, dna, [columns.rna[i] for i in of])
    if not read.is_sums:
        table = _with_letters(table, read)
    _check_counts(table, [*columns.dna, *columns.rna], lines)
    if drop_unknown or of_barcodes is not None:
        table = _known_oligos(table, side, read, of_barcodes is not None, drop_unknown)
        if of_barcodes is not None:
            side = _counted_variants(side, table, read)
    else:
        _check_oligos_known(table, side, lines)
    lines = read.lines
    rows = _arrange_rows(table, columns, lines)
    pools = {one.dna for one in experiment.values()}
    if len(experiment) > 1 and len(pools) == 1 and None not in pools:
        # one file of DNA serves all replicates
        rows = replace(rows, dna=np.fmax.reduce(rows.dna, axis=1))
    barcodes, oligos = (table[name].to_numpy()[rows.first] for name in NAMES)
    n_bc = None
    if "n_bc" in table:
        n_bc = table.groupby("barcode", sort=False)["n_bc"].mean().loc[barcodes]
    del table
    counts = counts_of(
        rows.dna,
        rows.rna,
        barcodes=barcodes.astype(str),
        oligos=oligos,
        side_table=side,
        replicates=rows.replicates,
        dna_observed=~np.isnan(rows.dna),
        rna_observed=~np.isnan(rows.rna),
        n_bc=n_bc,
    )
    if of_barcodes is not None and of_barcodes.variants is not None:
        counts = with_variants(counts, of_barcodes.variants)
    names_of_files = ", ".join(one.name for one in lines.paths)
    return counts.assign_attrs(
        source=names_of_files,
        table_format=read.sentence,
        **library_attrs(side_table),
    )


def _experiment(
    files: Mapping[str, Path],
    replicates: Sequence[str] | None,
    path: object,
) -> dict[str, CountFiles]:
    """Return replicate -> its files: those that an experiment file names, if one is
    given, of the replicates that are read.
    """
    alone = len(files) == 1 and not isinstance(path, Mapping)
    named = read_experiment(next(iter(files.values()))) if alone else None
    if named is None:
        return {
            "" if alone else name: CountFiles(both=one) for name, one in files.items()
        }
    chosen = _select_replicates([*named.rows], replicates, named.path)
    return {name: named.files(name) for name in chosen}


def _read_one(
    path: Path, assignment: Assignment | None, conditions: dict[str, str] | None
) -> CountTable:
    """Return a table in one layout: quickly, where it is IGVF's of barcodes."""
    text = read_table_bytes(path)
    names = _header_cells(text)
    is_igvf = (
        conditions is None
        and set(NAMES) <= set(names)
        and all(
            name in (*NAMES, "replicate") or _COUNT.fullmatch(name) for name in names
        )
        and not (text.startswith(b"#") or b"\n#" in text)
        and not _has_row_names(text, names)
    )
    if not is_igvf:
        return read_any_table(text, path, assignment=assignment, conditions=conditions)
    header = parse_header(text, path)
    long = "replicate" in header
    plain = "a row a barcode and replicate" if long else "a row a barcode"
    igvf = "" if long else " (IGVF reporter_experiment_barcode)"
    lines = Lines((path,))
    _sort_count_columns(header, lines)
    return CountTable(parse_table(text, header, path), lines, plain + igvf)


def _has_row_names(text: bytes, header: Sequence[str]) -> bool:
    """Return whether each row begins with a name, as R and pandas write them."""
    cells = text.partition(b"\n")[2].partition(b"\n")[0].rstrip(b"\r").split(b"\t")
    return header[0] == "" or (
        len(cells) == len(header) + 1
        and cells[-1] != b""
        and not set(cells[0].upper()) <= set(_BARCODE_LETTERS)
    )


def _with_letters(table: pd.DataFrame, read: CountTable) -> pd.DataFrame:
    """Return the table with barcodes of the letters ACGTN, or with the numbers or names
    that a table has in their place; raise DataError if some are of letters.
    """
    barcodes = table["barcode"].to_numpy(dtype=object)
    wrong = _wrong_letters(barcodes)
    if wrong.any():
        if wrong.all() and all(map(_is_no_sequence, barcodes)):
            return table.assign(barcode=_numbered_barcodes(table, read))
        barcodes = clean_barcodes(barcodes, read)
        table = table.assign(barcode=barcodes)
    _check_letters(barcodes, read.lines)
    return table


def _is_no_sequence(barcode: object) -> bool:
    """Return whether a barcode is a number, or a name with a number.

    Examples
    --------
    >>> [_is_no_sequence(name) for name in ("BC0", "12", "ACGT-1", "ACGX")]
    [True, True, False, False]
    """
    text = str(barcode)
    return bool(_DIGIT.search(text)) and not _SEQUENCE.fullmatch(text)


def _numbered_barcodes(table: pd.DataFrame, read: CountTable) -> pd.Series[Any]:
    """Return names for barcodes that are numbered, with the name of their oligo where
    each oligo counts its own.
    """
    pairs = table[["barcode", "oligo_name"]].drop_duplicates()
    if not pairs["barcode"].duplicated().any():
        read.details.append("barcodes are names, not sequences")
        return table["barcode"]
    read.details.append("barcodes are numbers within their oligos")
    return table["oligo_name"].astype(str) + ":" + table["barcode"].astype(str)


def _known_oligos(
    table: pd.DataFrame,
    side: pd.DataFrame,
    read: CountTable,
    assigned: bool,
    drop_unknown: bool,
) -> pd.DataFrame:
    """Return the rows of oligos that the side table has, with a note on those that were
    left out.
    """
    if assigned:
        lone = (table["oligo_name"] == NO_OLIGO).to_numpy()
        if lone.any():
            read.details.append(
                f"{_rows_in_words(lone)} without an oligo in the assignment left out"
            )
            table = _select_rows(table, ~lone, read)
    if not drop_unknown:
        _check_oligos_known(table, side, read.lines)
        return table
    known = table["oligo_name"].isin(side["oligo_name"]).to_numpy()
    if not known.any():
        _check_oligos_known(table, side, read.lines)
    if not known.all():
        n = table["oligo_name"][~known].nunique()
        read.details.append(
            f"{_rows_in_words(~known)} of {n:,} oligo{'s' * (n != 1)} that "
            "the side table lacks left out"
        )
    return _select_rows(table, known, read)


def _counted_variants(
    side: pd.DataFrame, table: pd.DataFrame, read: CountTable
) -> pd.DataFrame:
    """Return the side table without arms that no counted barcode has, if it is one of
    variants, with a note; another side table as it is.
    """
    names = side["oligo_name"].to_numpy()
    if not all(map(is_of_variants, names)):
        return side
    counted = side["oligo_name"].isin(table["oligo_name"].cat.categories).to_numpy()
    if not counted.all():
        read.details.append(
            f"{int((~counted).sum()):,} of {len(side):,} arms left out, which no "
            "counted barcode has"
        )
    return side[counted].reset_index(drop=True)


def _select_rows(
    table: pd.DataFrame, rows: NDArray[np.bool_], read: CountTable
) -> pd.DataFrame:
    if rows.all():
        return table
    read.lines = read.lines.select(rows)
    table = table[rows].reset_index(drop=True)
    return table.assign(oligo_name=table["oligo_name"].cat.remove_unused_categories())


def _rows_in_words(rows: NDArray[np.bool_]) -> str:
    n = int(rows.sum())
    return f"{n:,} of {len(rows):,} rows"


def _unescape_oligo_names(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with oligo names unescaped (`to_igvf` and side tables escape
    them).
    """
    names = table["oligo_name"].cat.categories
    meant = {name: from_cell(name) for name in names}
    if all(name == text for name, text in meant.items()):
        return table
    return table.assign(
        oligo_name=table["oligo_name"].astype(object).map(meant).astype("category")
    )


@dataclass(frozen=True)
class _CountColumns:
    """Count columns of each replicate; ``dna`` has one name where one pool serves
    all.
    """

    replicates: list[str]
    dna: list[str]
    rna: list[str]


@dataclass(frozen=True)
class _CountRows:
    """Counts ``(n_barcodes, n_replicates)``, NaN where empty, and the first table row
    of each barcode.
    """

    dna: Array
    rna: Array
    replicates: list[str]
    first: Ints


def _sort_count_columns(header: Sequence[str], path: Path | Lines) -> _CountColumns:
    """Return the count columns by replicate, or raise DataError."""
    at = f"{path}, line {path.header if isinstance(path, Lines) else 1}"
    found: dict[str, dict[str, str]] = {"dna": {}, "rna": {}}
    is_long = "replicate" in header
    for name in header:
        if name in (*NAMES, "replicate", "n_bc"):
            continue
        match = _COUNT.fullmatch(name)
        assert match is not None, "other columns are left out or refused before"
        if is_long and match[2] is not None:
            raise DataError(
                f"{at}: the replicate is named by the column 'replicate' and by "
                f"{quoted(name)}; rename the latter {match[1]}_count, or leave "
                "'replicate' out"
            )
        if (match[2] or "") in found[match[1]]:
            raise DataError(
                f"{at}: two columns of {match[1]} for one replicate; leave "
                f"{quoted(name)} out"
            )
        found[match[1]][match[2] or ""] = name
    dna, rna = found["dna"], found["rna"]
    for kind, other in (("dna", "rna"), ("rna", "dna")):
        if not found[kind]:
            raise DataError(
                f"{at}: no column {kind}_count_<replicate> beside those of "
                f"{other}; add them"
            )
    nameless = "" in dna and "" not in rna
    if len(dna) == 1 and (len(rna) > 1 or nameless):  # one plasmid pool
        return _CountColumns(list(rna), list(dna.values()), list(rna.values()))
    of_dna, of_rna = sorted(set(dna) - set(rna)), sorted(set(rna) - set(dna))
    if of_dna and of_rna:
        raise DataError(
            f"{at}: replicate {quoted(of_dna[0])} has no column of rna, and "
            f"{quoted(of_rna[0])} none of dna; if they are one replicate, give it one "
            f"name in both columns, else add rna_count_{of_dna[0]} and "
            f"dna_count_{of_rna[0]}, or leave both out"
        )
    for kind, lone in (("rna", of_dna), ("dna", of_rna)):
        if lone:
            raise DataError(
                f"{at}: replicate {quoted(lone[0])} has no column of "
                f"{kind}; add {kind}_count_{lone[0]}, or leave the replicate out "
                "(one DNA column in all is a plasmid pool, which serves every "
                "replicate)"
            )
    lone_name = "0" if "1" in rna else "1"  # beside RNA.1, as pandas names a second
    return _CountColumns(
        [name or lone_name for name in rna],
        [dna[name] for name in rna],
        list(rna.values()),
    )


def _select_replicates(
    names: list[str], chosen: Sequence[str] | None, path: Path | Lines
) -> list[str]:
    """Return the replicates to read; several kinds of names raise DataError unless
    they were given.
    """
    if chosen is None:
        _check_one_kind(names, path)
        return names
    wanted = [chosen] if isinstance(chosen, str) else [str(name) for name in chosen]
    absent = [name for name in wanted if name not in names]
    if absent or not wanted or len(set(wanted)) < len(wanted):
        what = (
            f"no replicate '{absent[0]}'"
            if absent
            else "give a list of different replicates"
        )
        raise DataError(
            f"{path!s}: replicates={quoted(chosen)}: {what}; there are "
            f"{', '.join(names)}",
            argument="replicates",
        )
    return wanted


def _check_one_kind(names: list[str], path: Path | Lines) -> None:
    """Raise DataError where names differ in more than their number: cell types are
    not replicates.
    """
    by_name: dict[str, list[str]] = {}
    for name in names:
        by_name.setdefault(_kind_of_replicate(name), []).append(name)
    kinds = [
        kind
        for alike in by_name.values()
        for kind in ([[one] for one in alike] if _differ_in_name(alike) else [alike])
    ]
    if len(kinds) > 1:
        listed = "; ".join(map(", ".join, kinds))
        first = kinds[0]
        raise DataError(
            f"{path!s}: the columns are of {len(kinds)} kinds ({listed}), and "
            "cell types or conditions are not replicates of one another; read one "
            f"at a time, replicates={quoted(first)}, or, if they are replicates all "
            "the same, name them all there",
        )


def _check_one_cell_type(
    names: list[str], conditions: Mapping[str, str], path: Path | Lines
) -> None:
    """Raise DataError where the table of conditions gives replicates several cell
    types.
    """
    by_type: dict[str, list[str]] = {}
    for name in names:
        if name in conditions:
            by_type.setdefault(conditions[name], []).append(name)
    if len(by_type) > 1:
        kinds = "; ".join(f"{kind}: {', '.join(of)}" for kind, of in by_type.items())
        first = next(iter(by_type.values()))
        raise DataError(
            f"{path}: conditions= gives the columns {len(by_type)} cell types "
            f"({kinds}), which are not replicates of one another; read one at a time, "
            f"replicates={quoted(first)}"
        )


def _differ_in_name(names: list[str]) -> bool:
    """Return whether the numbers of these names belong to the names, as those of cell
    lines and days do.

    They do not count: no word for a replicate or separator stands before them, and they
    are not in sequence.

    Examples
    --------
    >>> [
    ...     _differ_in_name(names)
    ...     for names in (
    ...         ["SW480", "SW620"],
    ...         ["day0", "day7"],
    ...         ["S1", "S2"],
    ...         ["rep1", "rep3"],
    ...     )
    ... ]
    [True, True, False, False]
    """
    found = [_WITH_NUMBER.fullmatch(name) for name in names]
    numbers = {int(one[1]) for one in found if one}
    return len(numbers) == len(names) and max(numbers) - min(numbers) >= len(numbers)


def _kind_of_replicate(name: str) -> str:
    """Return a name without the number of its replicate, last or first; empty for a
    letter or number alone.

    Examples
    --------
    >>> [
    ...     _kind_of_replicate(name)
    ...     for name in (
    ...         "K562_1",
    ...         "HepG2 rep2",
    ...         "1_K562",
    ...         "rep1-HepG2",
    ...         "1_rep2",
    ...         "2",
    ...         "b",
    ...     )
    ... ]
    ['K562', 'HepG2', 'K562', 'HepG2', '1', '', '']
    """
    if _NUMBER_AT_BEGIN.match(name):
        return _NUMBER_AT_BEGIN.sub("", name, count=1)
    return "" if len(name) == 1 else _NUMBER_AT_END.sub("", name)


def _wrong_letters(barcodes: NDArray[np.object_]) -> Mask:
    """Return whether each barcode has letters other than ACGTN, or none."""
    try:
        text = barcodes.astype("S")
    except UnicodeEncodeError:
        text = np.array([str(b).encode() for b in barcodes])
    each = text.view(np.uint8).reshape(len(text), -1)
    known = np.isin(np.arange(256), np.frombuffer(_BARCODE_LETTERS, dtype=np.uint8))
    return np.asarray(~known[each].all(axis=1) | (each[:, 0] == 0))


def _check_letters(barcodes: NDArray[np.object_], path: Lines) -> None:
    wrong = _wrong_letters(barcodes)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise DataError(
            f"{file_line(path, i)}: barcode {quoted(barcodes[i])} is not of the "
            "letters A, C, G, T (or N); correct it"
        )


def _check_counts(
    table: pd.DataFrame, columns: Sequence[str], path: Path | Lines
) -> None:
    for name in columns:
        x = table[name].to_numpy()
        wrong = ~((x >= 0) & (x == np.floor(x)) & (x < MOST_READS) | np.isnan(x))
        if wrong.any():
            i = int(np.argmax(wrong))
            raise DataError(
                f"{file_line(path, i)}: {name} of oligo "
                f"{quoted(table['oligo_name'].iloc[i])} is {x[i]:g}; give the reads as "
                "they were counted (whole, at least 0, below 2^53), not normalized"
            )


def _check_oligos_known(
    table: pd.DataFrame, side: pd.DataFrame, path: Path | Lines
) -> None:
    oligos = table["oligo_name"].cat
    unknown = ~pd.Index(oligos.categories).isin(side["oligo_name"])
    if unknown.any():
        which = unknown[oligos.codes.to_numpy()]
        i = int(np.argmax(which))
        name = str(table["oligo_name"].iloc[i])
        spelling = other_spelling(name, side["oligo_name"])
        other = (
            f"; it has {quoted(spelling)}"
            if spelling
            else other_library(name, side["oligo_name"])
        )
        n = int(which.sum()) - 1
        nor = f", nor {'are those' if n > 1 else 'is that'} of {n:,} more row"
        more = f"{nor}{'s' * (n > 1)}" if n else ""
        raise DataError(
            f"{file_line(path, i)}: oligo {quoted(name)} is not in the side table{more}{other}",
        )


def _arrange_rows(
    table: pd.DataFrame, columns: _CountColumns, path: Lines
) -> _CountRows:
    """Arrange cells by barcode and replicate."""
    barcode = pd.factorize(table["barcode"])[0].astype(np.int64)
    first = np.flatnonzero(~pd.Series(barcode).duplicated().to_numpy())
    if "replicate" not in table.columns:
        _check_unique_cells(table, barcode, barcode, first, path)
        dna, rna = (
            np.column_stack([table[name] for name in names])
            for names in (columns.dna, columns.rna)
        )
        return _CountRows(
            dna[:, 0] if len(columns.dna) < len(columns.rna) else dna,
            rna,
            columns.replicates,
            first,
        )
    replicate, names = pd.factorize(table["replicate"])
    _check_unique_cells(table, barcode, barcode * len(names) + replicate, first, path)
    dna, rna = np.full((2, len(first), len(names)), np.nan)
    dna[barcode, replicate], rna[barcode, replicate] = (
        table[columns.dna[0]],
        table[columns.rna[0]],
    )
    return _CountRows(dna, rna, [str(name) for name in names], first)


_MOST_ASSIGNED_TWICE = 0.5


def _check_unique_cells(
    table: pd.DataFrame, barcode: Ints, cell: Ints, first: Ints, path: Lines
) -> None:
    """Raise DataError for a barcode of two oligos, or a cell that appears twice."""
    of = table["oligo_name"].cat.codes.to_numpy()
    wrong = pd.Series(cell).duplicated().to_numpy() | (of != of[first][barcode])
    if wrong.any():
        i = int(np.argmax(wrong))
        j = int(first[barcode[i]])
        a, b = (table["oligo_name"].iloc[k] for k in (j, i))
        what = (
            f"is of oligo '{a}' twice"
            if a == b
            else f"is of oligo '{a}' and of oligo '{b}'"
        )
        n = int(wrong.sum()) - 1
        more = f", and {n:,} more row{'s repeat' if n > 1 else ' repeats'} one"
        more = more if n else ""
        # most barcodes of two oligos: not errors of assignment
        elsewhere = np.unique(barcode[of != of[first][barcode]])
        cure = (
            "most barcodes are of two oligos or more, as where conditions (cells, "
            "treatments) are rows of one table. Each is a library of its own: write "
            "a table of each, fit it by itself, and compare the fits: "
            "cg.mpra.concordance(fit, fit)"
            if len(elsewhere) > _MOST_ASSIGNED_TWICE * len(first)
            else "drop the barcodes that are assigned twice"
        )
        raise DataError(
            f"{file_line(path, i)}: barcode {table['barcode'].iloc[i]} {what} (first "
            f"in line {path.line(j).rpartition(' ')[2]}){more}; {cure}"
        )


_TAB = 9
_NEWLINE = 10
_LINES = 50_000


def _header_cells(text: bytes) -> list[str]:
    first = text.partition(b"\n")[0].decode(errors="replace")
    return first.rstrip("\r").removeprefix("\ufeff").split("\t")


def parse_header(text: bytes, path: Path) -> list[str]:
    """Return the column names; raise DataError if barcodes or oligos are missing or a
    name appears twice.
    """
    names = _header_cells(text)
    absent = [name for name in NAMES if name not in names]
    if absent:
        found = (
            f", line 1: no column {' and '.join(map(quoted, absent))} among "
            f"{', '.join(names)[:200]}"
        )
        raise DataError(
            f"{path}{found if any(names) else ': line 1 is empty'}; the table is "
            "tab-separated, with a header barcode oligo_name dna_count_1 rna_count_1 "
            "..."
        )
    twice = next((name for name, n in Counter(names).items() if n > 1), None)
    if twice is not None:
        raise DataError(
            f"{path}, line 1: column {quoted(twice)} appears twice; leave one of them "
            "out"
        )
    return names


def parse_table(text: bytes, header: Sequence[str], path: Path) -> pd.DataFrame:
    """Return the table: text for barcodes, categories for other names, floats for
    counts, NaN where empty.
    """
    _check_cells(text, len(header), path)
    counts = [name for name in header if name not in (*NAMES, "replicate")]
    types: dict[str, Any] = dict.fromkeys(counts, "float64") | {"barcode": object}
    options: dict[str, Any] = {
        "sep": "\t",
        "quoting": csv.QUOTE_NONE,
        "keep_default_na": False,
        "na_values": dict.fromkeys(counts, EMPTY),
        "skip_blank_lines": False,
        "names": list(header),
        "header": None,
        "skiprows": 1,
    }
    if not text.partition(b"\n")[2].strip(b"\r\n"):
        raise DataError(
            f"{path}: no row below the header; give the table of barcode counts"
        )
    named = dict.fromkeys(("oligo_name", "replicate"), "category")
    try:
        table: pd.DataFrame = pd.read_csv(
            io.BytesIO(text), dtype=types | named, engine="c", **options
        )
        return table
    except ValueError:
        cells: pd.DataFrame = pd.read_csv(
            io.BytesIO(text), dtype=object, engine="c", **options
        )
    for name in counts:
        cells[name] = cells[name].map(without_commas, na_action="ignore")
    try:
        here = {name: kind for name, kind in named.items() if name in cells}
        cells = cells.astype(dict.fromkeys(counts, "float64") | here)
    except ValueError as error:
        raise _text_cell_error(cells, counts, path) from error
    return cells


def _text_cell_error(
    cells: pd.DataFrame, counts: Sequence[str], path: Path
) -> DataError:
    for name in counts:
        wrong = (
            pd.to_numeric(cells[name], errors="coerce").isna() & cells[name].notna()
        ).to_numpy()
        if wrong.any():
            i = int(np.argmax(wrong))
            return DataError(
                f"{file_line(path, i)}: {name} of oligo "
                f"{quoted(cells['oligo_name'].iloc[i])} is "
                f"{quoted(cells[name].iloc[i])}; a count is a whole number, and a cell "
                "without one is empty"
            )
    return DataError(f"{path}: some cell is neither a count nor empty")


def _check_cells(text: bytes, n: int, path: Path) -> None:
    """Raise DataError for a line with fewer or more cells than the header (stripped
    tabs).
    """
    letters = np.frombuffer(text, dtype=np.uint8)
    starts = np.concatenate([[0], np.flatnonzero(letters == _NEWLINE) + 1])
    starts = starts[starts < len(letters)]
    for first in range(0, len(starts), _LINES):
        ends = starts[first : first + _LINES + 1]
        block = letters[ends[0] : ends[-1] if len(ends) > _LINES else None]
        wrong = (
            np.add.reduceat(block == _TAB, ends[:_LINES] - ends[0], dtype=np.int32)
            != n - 1
        )
        if not wrong.any():
            continue
        i = first + int(np.argmax(wrong))
        found = text[starts[i] :].partition(b"\n")[0].count(b"\t") + 1
        if not text[starts[i] :].partition(b"\n")[0].strip():
            raise DataError(f"{file_line(path, i - 1)} is blank; leave it out")
        raise DataError(
            f"{file_line(path, i - 1)}: {found} cells under a header of {n}; tabs at "
            "the end of a line are empty cells, so write the table again without "
            "stripping its lines"
        )


def file_line(path: Path | Lines, row: int) -> str:
    """Return the file and line of a table row, for errors."""
    return path.line(row) if isinstance(path, Lines) else f"{path}, line {row + 2}"
