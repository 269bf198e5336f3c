"""Reading of count tables (IGVF reporter experiments, and tables of other pipelines)
with the side table of their oligos.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.errors import NAMES_LISTED, DataError, comma_list, first_of, quoted
from causalgia.inputs import from_cell, is_file, open_regular_file
from causalgia.mpra.counts.count_tables import (
    CountTable,
    Frame,
    clean_barcodes,
    count_table,
    long_counts,
    merged,
    plain_name,
    read_frame,
    read_table_text,
    role_of,
)
from causalgia.mpra.counts.counts_table import (
    counts_of,
    library_attrs,
    library_question,
)
from causalgia.mpra.counts.side_formats import as_side_table
from causalgia.mpra.counts.variant_haplotypes import (
    is_variant_file,
    read_carried,
    with_variants,
)
from causalgia.types import Array, Ints

_File: TypeAlias = str | Path
_Table: TypeAlias = str | Path | pd.DataFrame
_UNASSIGNED = "no_BC"  # MPRAsnakeflow's oligo of a barcode that was assigned to none
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
_ENDS = re.compile(r"(\.(gz|tsv|csv|txt|tab))+$", re.IGNORECASE)


def read_counts(
    path: _File | Sequence[_File] | Mapping[str, _File | Sequence[_File]],
    *,
    side_table: _Table | xr.Dataset | None = None,
    replicates: Sequence[str] | None = None,
    assignment: _Table | None = None,
    batch: _Table | Mapping[str, str] | None = None,
    drop_unknown: bool = False,
) -> xr.Dataset:
    r"""Read barcode counts, or sums of oligos, and the side table of their oligos.

    Columns are recognized by their names, in any order and in upper or lower case:

    - IGVF ``reporter_experiment_barcode``, MPRAsnakeflow: ``barcode oligo_name``, and
      ``dna_count_<rep> rna_count_<rep>`` of each replicate;
    - BCalm: ``barcode name``, and ``dna_count_<rep>`` ...;
    - a row a barcode and replicate: ``barcode oligo_name replicate``, and
      ``dna_count rna_count``; also with a column ``condition``;
    - one pool of DNA and several columns of RNA: ``barcode label DNA RNA1 RNA2`` ...;
    - IGVF ``reporter_experiment``, a sum an oligo: ``replicate oligo_name``, and
      ``dna_counts rna_counts``;
    - sums of oligos: ``oligo_name``, and ``dna_count_<rep> rna_count_<rep>``;
    - MPRAflow, a file a replicate, with `assignment`: three columns without a header;
    - an experiment file, ``condition replicate`` and ``counts``, or ``dna`` and
      ``rna``, which name files from its folder on;
    - mpralm, a matrix of DNA and one of RNA with the same columns:
      ``{"dna": file, "rna": file}``.

    ``gDNA``, ``pDNA``, ``plasmid`` and ``input`` are DNA, ``cDNA``, ``mRNA`` and
    ``output`` RNA. Where no column is called so, the oligo is the column of text that
    is no barcode; of sums, the one whose texts are all different. Columns of DNA that
    pair with no RNA, or with some of it, are one pool, and summed. Names of rows and
    other columns of text are left out.

    MPRAflow's ``variants.txt`` of a saturation mutagenesis (a barcode, and the variants
    that it carries) is both `assignment` and `side_table`: the region is one element,
    and its arms are the reference, each variant alone, and ``several``. The counts keep
    the variants of each barcode, by which `fit` separates their effects.

    Parameters
    ----------
    path
        A table, plain or gzip, with tabs, commas, semicolons or blanks between cells,
        as R and spreadsheets write it. Or a list of tables of one replicate each, whose
        replicates are named by what differs between the names of the files. Or a
        mapping of conditions to tables, or to lists of them; or of replicates to tables
        of one replicate each. An empty cell (or ``NA``)
        is a missing count, not 0; in a long table absent rows are empty. Barcodes may
        be in lower case.
    side_table
        Columns ``oligo_name element arm`` and optionally ``group``: a path, a
        DataFrame, or the ordered library, whose contrasts the counts then carry. Oligos
        without counts are left out. None: each oligo is an element. Also
        accepted: IGVF's ``reporter_sequence_design``, whose variants are elements in
        the arms ``ref`` and ``alt``, and whose controls are in ``positive`` and
        ``negative`` (white space in names becomes ``_``, as in counts); BCalm's map of
        variants, ``ID REF ALT``; and MPRAsnakeflow's ``labels.tsv``, oligo and label,
        of which each oligo is its own element.
    replicates
        Replicates to read, by their names in the Dataset; None: all. Names that differ
        in more than a number (``K562_1, K562_2, HepG2_1``) are of several conditions,
        unless they are named here.
    assignment
        Table of barcodes and their oligos, if the counts do not name oligos. Barcodes
        that it lacks are left out.
    batch
        Columns ``replicate batch``, or a mapping: the batch of each replicate (a
        transfection, a day), in which an oligo has noise that its replicates share.
        `fit` and the other verbs that need independent replicates sum those of a batch.
    drop_unknown
        Whether rows of oligos that the side table lacks are left out, instead of an
        error.

    Returns
    -------
    Dataset
        As `causalgia.mpra.counts_of`; with the coordinate ``condition (replicate)``
        where there are several conditions, and, where barcodes carry several variants,
        ``variant_index (barcode, carried)``, their places on the coordinate
        ``variant``, filled up by -1. ``attrs["source"]`` is the name of the file,
        and ``attrs["table_format"]`` says what it was read as and what was left out. Of
        sums, the barcode of an oligo is its name, and a column ``n_bc`` the number
        of barcodes behind it.

    Raises
    ------
    DataError
        If the table has no rows, columns of whole numbers that are neither DNA nor RNA,
        several that may be the barcode or oligo, lines of another number of cells, a
        barcode twice or of two oligos, or with letters other than ACGTN, an oligo that
        the side table lacks, a replicate without its DNA or RNA, or a cell that is
        negative, fractional or text; if a named replicate is absent, a file is given
        twice, or one of several has several replicates; or if there is an assignment
        and the table names its oligos.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> side = pd.DataFrame({"oligo_name": ["a"], "element": ["u1"], "arm": ["GATA1"]})
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "counts.csv")
    ...     _ = path.write_text("Barcode,Oligo,DNA_1,RNA_1\nACGT,a,9,12\nTTGC,a,4,\n")
    ...     counts = read_counts(path, side_table=side)
    ...     other = path.rename(path.with_name("stim.csv"))
    ...     _ = path.write_text("Barcode,Oligo,DNA_1,RNA_1\nACGT,a,8,7\n")
    ...     both = read_counts({"rest": path, "stim": other}, side_table=side)
    >>> counts["rna"].values.tolist(), counts["rna_observed"].values.tolist()
    ([[12], [0]], [[True], [False]])
    >>> counts.attrs["table_format"]
    'read as a row a barcode; commas between cells'
    >>> both["replicate"].values.tolist(), both["condition"].values.tolist()
    (['rest', 'stim'], ['rest', 'stim'])
    """
    side = None if side_table is None else as_side_table(side_table)
    files = [one for found in _files(path) for one in _of_experiment(found)]
    of_barcodes = None if assignment is None else _read_assignment(assignment)
    details: dict[str, None] = {}
    parts, pools, is_sums = [], [], False
    for one in files:
        table = _read_one(one, assigned=of_barcodes is not None)
        details |= dict.fromkeys(table.details)
        is_sums |= "barcode" not in table.cells
        cells = _with_oligos(table.cells, table.where, of_barcodes, details)
        if side is not None:
            cells = _known_rows(cells, table.where, side, drop_unknown, details)
        table.cells = cells
        rows, pool = long_counts(table)
        details |= dict.fromkeys(table.details)
        parts.append(rows)
        pools.append(pool)
    parts = _of_files(parts, files)
    rows = pd.concat(parts) if len(parts) > 1 else parts[0]
    where = comma_list(map(str, files))
    rows = _with_conditions(rows, replicates, where)
    if not is_sums:
        rows["barcode"] = _unique_barcodes(rows, details)
    if side is None:
        names = rows["oligo"].astype(str).unique()
        side = pd.DataFrame({"oligo_name": names, "element": names, "arm": "oligo"})
        side["group"] = "test"
    same_dna = len(files) > 1 and len({one.dna for one in files} - {None}) == 1
    counts = _as_dataset(rows, side, all(pools) or same_dna, details, where)
    if of_barcodes is not None and of_barcodes.variants is not None:
        counts = with_variants(counts, of_barcodes.variants)
    if batch is not None:
        of = _read_batches(batch, counts["replicate"].to_numpy().astype(str).tolist())
        counts = counts.assign_coords(batch=("replicate", of))
    form = "one sum an oligo" if is_sums else "a row a barcode"
    return counts.assign_attrs(
        source=", ".join(
            dict.fromkeys(path.name for one in files for path in one.paths)
        ),
        table_format="; ".join([f"read as {form}", *details]),
        **library_attrs(side_table),
        **library_question(side_table),
    )


class _Source(NamedTuple):
    """A file of counts, or one of DNA and one of RNA, and what it is of, if known."""

    both: Path | None = None
    dna: Path | None = None
    rna: Path | None = None
    replicate: str = ""
    condition: str = ""

    @property
    def paths(self) -> list[Path]:
        return [one for one in (self.both, self.dna, self.rna) if one is not None]

    def __str__(self) -> str:
        return " and ".join(map(str, self.paths))


def _files(path: Any) -> list[_Source]:
    """Return the files that `read_counts` was given; the names of a mapping are
    conditions here.
    """
    if isinstance(path, Mapping) and {*path} == {"dna", "rna"}:
        return [_Source(dna=Path(path["dna"]), rna=Path(path["rna"]))]
    found = []
    for condition, of in (path if isinstance(path, Mapping) else {"": path}).items():
        alone = isinstance(of, str | Path)
        paths = [Path(of)] if alone else [Path(one) for one in of]
        names = _differences(paths) if len(paths) > 1 else [""]
        found += [
            _Source(both=one, replicate=name, condition=str(condition))
            for one, name in zip(paths, names, strict=True)
        ]
    if not found or len({one.both for one in found}) < len(found):
        raise DataError(f"{comma_list(map(str, found))}: give each file of counts once")
    return found


def _differences(paths: Sequence[Path]) -> list[str]:
    """Return what differs between the names of files, or of their folders.

    Examples
    --------
    >>> _differences([Path("K562_1_counts.tsv.gz"), Path("K562_2_counts.tsv.gz")])
    ['1', '2']
    >>> _differences([Path("rep1/counts.tsv"), Path("rep2/counts.tsv")])
    ['rep1', 'rep2']
    """
    for names in ([one.name for one in paths], [str(one) for one in paths]):
        words = [re.findall(r"[^\W_]+", _ENDS.sub("", name)) for name in names]
        for end in (0, -1):
            while min(map(len, words)) > 1 and len({one[end] for one in words}) == 1:
                words = [one[1:] if end == 0 else one[:-1] for one in words]
        found = ["_".join(one) for one in words]
        if len({*found}) == len(found):
            return found
    raise DataError(
        f"{comma_list(map(str, paths))}: nothing in these names tells replicates apart"
    )


def _of_experiment(source: _Source) -> list[_Source]:
    """Return the files that an experiment file names; another file as it is."""
    if source.both is None or source.replicate:
        return [source]
    path = source.both
    with open_regular_file(path, DataError) as file:
        head = file.read(4096).lower()
    if not (b"condition" in head and b"replicate" in head):
        return [source]
    frame = read_frame(path).cells.rename(columns=str.lower)
    kinds = [x for x in frame if x in ("dna", "rna")] or [
        x for x in frame if x in ("counts", "count", "count_file", "counts_file")
    ]
    if (
        "barcode" in map(role_of, map(str, frame))
        or not kinds
        or _is_count(frame[kinds[0]])
    ):
        return [source]
    found = []
    for line, row in frame.iterrows():
        files = {name: path.parent / row[name].strip() for name in kinds}
        absent = [one for one in files.values() if not is_file(one)]
        if absent:
            raise DataError(f"{path}, line {line}: there is no file {absent[0]}")
        names = {key: row[key].strip() for key in ("condition", "replicate")}
        of = files if "dna" in files else {"both": files[kinds[0]]}
        found.append(_Source(**of, **names))
    keys = [(one.condition, one.replicate) for one in found]
    if len({*keys}) < len(keys):
        raise DataError(f"{path}: a condition and replicate has two lines")
    return found


def _is_count(cells: pd.Series[Any]) -> bool:
    return bool(cells.str.strip().str.isdigit().any())


def _read_one(source: _Source, *, assigned: bool) -> CountTable:
    if source.both is not None:
        return count_table(read_frame(source.both), assigned=assigned)
    dna, rna = (
        count_table(read_frame(one), kind=kind, assigned=assigned)
        for kind, one in (("dna", source.dna), ("rna", source.rna))
        if one is not None
    )
    return merged(dna, rna)


def _of_files(parts: list[pd.DataFrame], files: list[_Source]) -> list[pd.DataFrame]:
    """Return the rows of each file with its replicate and condition; where each of
    several conditions is a table of one replicate, their names are those of replicates.
    """
    alone = [one["replicate"].nunique() == 1 for one in parts]
    unnamed = all(alone) and not any(one.replicate for one in files)
    found = []
    for rows, one, single in zip(parts, files, alone, strict=True):
        if one.replicate and not single:
            raise DataError(
                f"{one}: one of several files has one replicate, and this has "
                f"{comma_list(rows['replicate'].unique())}"
            )
        name = one.condition if unnamed else one.replicate
        of = {"replicate": name} if name else {}
        of |= {"condition": one.condition} if one.condition and not unnamed else {}
        found.append(rows.assign(**of))
    return found


def _read_batches(batch: _Table | Mapping[str, str], names: list[str]) -> list[str]:
    """Return the batch of each replicate of these names.

    Examples
    --------
    >>> _read_batches({"1": "monday", "2": "friday"}, ["2", "1"])
    ['friday', 'monday']
    """
    if isinstance(batch, Mapping):
        table = pd.DataFrame(batch.items(), columns=["replicate", "batch"])
    else:
        table = (
            batch if isinstance(batch, pd.DataFrame) else read_frame(Path(batch)).cells
        )
        table = table.rename(columns=lambda name: plain_name(str(name)))
    if not {"replicate", "batch"} <= {*table}:
        raise DataError(
            f"batch= has the columns {comma_list(map(str, table))}, and needs replicate "
            "and batch",
            argument="batch",
        )
    pairs = table[["replicate", "batch"]].astype(str).drop_duplicates()
    wrong = pairs["replicate"][pairs["replicate"].duplicated()].tolist()
    wrong += sorted({*names} ^ {*pairs["replicate"]})
    if wrong:
        raise DataError(
            f"batch=: replicate {quoted(wrong[0])} is not in one batch and the counts, "
            f"whose replicates are {comma_list(names)}",
            argument="batch",
        )
    return list(pairs.set_index("replicate")["batch"].loc[names])


class _Assignment(NamedTuple):
    """The oligo of each barcode, barcodes whose reads are added to another one's, and
    the variants that each carries, of ``variants.txt``.
    """

    oligos: pd.Series[Any]
    taken_for: dict[str, str]
    variants: dict[str, tuple[str, ...]] | None


def _read_assignment(table: _Table) -> _Assignment:
    """Return the oligo of each barcode, of IGVF's ``reporter_barcode_to_element_mapping``,
    a table with columns of barcodes and oligos, or MPRAflow's ``variants.txt``.
    """
    where, variants = "assignment=", None
    if isinstance(table, pd.DataFrame):
        frame = Frame(table.astype(str), where)
    else:
        text, where = read_table_text(Path(table)), str(table)
        if is_variant_file(text):
            carried = read_carried(text, where)
            pairs = pd.DataFrame(carried.oligos.items(), columns=["barcode", "oligo"])
            frame = Frame(pairs, where)
            variants = {
                barcode.partition(",")[0]: one
                for barcode, one in carried.variants.items()
            }
        else:
            frame = read_frame(Path(table), text)
    cells = frame.cells
    if 0 in cells.columns:  # two columns without a header
        cells = cells.iloc[:, :2].set_axis(["barcode", "oligo"], axis=1)
    places = [
        [x for x in cells if role_of(str(x)) == of] for of in ("barcode", "oligo")
    ]
    if [len(one) for one in places] != [1, 1]:
        raise DataError(
            f"{where}: an assignment has a column of barcodes and one of oligos, and "
            f"this has {comma_list(map(str, cells.columns))}"
        )
    barcodes, oligos = (cells[name] for (name,) in places)
    joint = barcodes.str.upper()  # commas are between those taken for one
    first = clean_barcodes(joint.str.partition(",")[0], frame)
    pairs = pd.DataFrame({"barcode": first, "oligo": oligos}).drop_duplicates()
    several = [one.split(",") for one in joint[joint.str.contains(",")]]
    taken = {other: one for one, *others in several for other in others}
    wrong = pairs["barcode"][pairs["barcode"].duplicated()].tolist()
    wrong += sorted({*taken} & {*pairs["barcode"]})
    if wrong:
        of = pairs.loc[pairs["barcode"] == wrong[0], "oligo"]
        raise DataError(
            f"{where}: barcode {wrong[0]} is of several oligos or lines "
            f"({first_of(map(quoted, of), NAMES_LISTED)}), as are {len(wrong) - 1:,} more"
        )
    return _Assignment(pairs.set_index("barcode")["oligo"], taken, variants)


def _with_oligos(
    rows: pd.DataFrame,
    where: str,
    assignment: _Assignment | None,
    details: dict[str, None],
) -> pd.DataFrame:
    """Return rows with barcode and oligo: of sums, the barcode is the oligo; else by an
    assignment where the table names no oligo.
    """
    if "oligo" in rows:
        if assignment is not None:
            raise DataError(
                f"{where}: assignment= has no effect on a table that names the oligo of "
                "each row"
            )
        known = rows["oligo"].unique()
        meant = {name: from_cell(name) for name in known}
        if any(name != text for name, text in meant.items()):
            rows["oligo"] = rows["oligo"].map(meant)
        return rows if "barcode" in rows else rows.assign(barcode=rows["oligo"])
    if "barcode" not in rows:
        raise DataError(
            f"{where}: no column of barcodes (barcode) or oligos (oligo_name)"
        )
    if assignment is None:
        raise DataError(
            f"{where}: no column of oligos (oligo_name), and no assignment= of barcodes "
            "to oligos"
        )
    taken = rows["barcode"].map(assignment.taken_for)
    if taken.notna().any():
        details[
            f"{int(taken.notna().sum()):,} barcodes were added to those that the "
            "assignment takes them for"
        ] = None
        keys = [x for x in ("barcode", "replicate", "condition") if x in rows]
        rows["barcode"] = taken.fillna(rows["barcode"])
        both = rows["barcode"].isin(taken.dropna())
        sums = rows[both].groupby(keys).transform("sum", min_count=1)
        rows.loc[both, sums.columns] = sums.to_numpy()
        rows = rows[~(both & rows.duplicated(keys))]
    rows = rows.assign(oligo=rows["barcode"].map(assignment.oligos))
    lone = rows["oligo"].isna() | (rows["oligo"] == _UNASSIGNED)
    if lone.all():
        raise DataError(
            f"{where}: none of its barcodes, as {rows['barcode'].iloc[0]}, is in "
            f"assignment=, which has {assignment.oligos.index[0]}"
        )
    return _without(rows, lone, "without an oligo in the assignment", details)


def _without(
    rows: pd.DataFrame, out: pd.Series[Any], what: str, details: dict[str, None]
) -> pd.DataFrame:
    if not out.any():
        return rows
    details[f"{int(out.sum()):,} of {len(rows):,} rows {what} left out"] = None
    return rows[~out]


def _known_rows(
    rows: pd.DataFrame,
    where: str,
    side: pd.DataFrame,
    drop_unknown: bool,
    details: dict[str, None],
) -> pd.DataFrame:
    """Return the rows of oligos that the side table has."""
    unknown = ~rows["oligo"].isin(side["oligo_name"])
    if not unknown.any():
        return rows
    if drop_unknown and not unknown.all():
        what = (
            f"of {rows['oligo'][unknown].nunique():,} oligos that the side table lacks"
        )
        return _without(rows, unknown, what, details)
    first = unknown.idxmax()
    name = str(rows["oligo"][unknown].iloc[0])
    barcode = rows["barcode"][unknown].iloc[0]
    raise DataError(
        f"{where}, line {first}: barcode {barcode} is of oligo {quoted(name)}, which the "
        f"side table lacks, as are {int(unknown.sum()) - 1:,} more rows"
    )


def _with_conditions(
    rows: pd.DataFrame,
    chosen: Sequence[str] | None,
    where: str,
) -> pd.DataFrame:
    """Return the rows of the chosen replicates, whose names are unique, with their
    conditions: empty where they are not known.
    """
    names = rows[["condition", "replicate"]].drop_duplicates()
    if names["replicate"].duplicated().any():
        both = rows["condition"].astype(str) + "_" + rows["replicate"].astype(str)
        rows = rows.assign(replicate=both)
        names = rows[["condition", "replicate"]].drop_duplicates()
    if chosen is not None:
        wanted = [chosen] if isinstance(chosen, str) else [str(one) for one in chosen]
        known = names["replicate"].tolist()
        if not {*wanted} <= {*known} or not wanted or len({*wanted}) < len(wanted):
            raise DataError(
                f"{where}: replicates={quoted(chosen)}; give different ones of "
                f"{comma_list(known)}",
                argument="replicates",
            )
        names = names.set_index("replicate").loc[wanted].reset_index()
        rows = rows[rows["replicate"].isin(wanted)]
    of = dict(zip(names["replicate"], names["condition"], strict=True))
    if chosen is None and not any(of.values()):
        of = _kinds(of)
    if len({*of.values()}) > 1 and "" in of.values():
        raise DataError(
            f"{where}: some of {comma_list(of)} name a condition, others none"
        )
    replicate = rows["replicate"].astype(pd.CategoricalDtype([*of]))
    return rows.assign(replicate=replicate, condition=replicate.map(of))


def _kinds(names: Iterable[str]) -> dict[str, str]:
    """Return the condition in the name of each replicate: what is left without its
    number, or all of it where the numbers do not count.

    Examples
    --------
    >>> _kinds(["K562_1", "K562_2", "1_HepG2"])
    {'K562_1': 'K562', 'K562_2': 'K562', '1_HepG2': 'HepG2'}
    >>> _kinds(["day0", "day7"]), _kinds(["rep1", "rep3"])
    ({'day0': 'day0', 'day7': 'day7'}, {'rep1': '', 'rep3': ''})
    """
    kinds: dict[str, str] = {}
    for name in names:
        if _NUMBER_AT_BEGIN.match(name):
            kinds[name] = _NUMBER_AT_BEGIN.sub("", name, count=1)
        else:
            kinds[name] = "" if len(name) == 1 else _NUMBER_AT_END.sub("", name)
    for kind in {*kinds.values()}:
        alike = [name for name, of in kinds.items() if of == kind]
        found = [int(one[1]) for name in alike if (one := _WITH_NUMBER.fullmatch(name))]
        if len(found) == len(alike) and max(found) - min(found) >= len(found):
            kinds |= {name: name for name in alike}
    return kinds


def _unique_barcodes(rows: pd.DataFrame, details: dict[str, None]) -> pd.Series[Any]:
    """Return barcodes, with the names of their oligos where these number their own."""
    barcodes = rows["barcode"]
    if re.fullmatch("[ACGTN]+", barcodes.iloc[0]):
        return barcodes
    pairs = rows[["barcode", "oligo"]].drop_duplicates()
    if not pairs["barcode"].duplicated().any():
        details["barcodes are names, not sequences"] = None
        return barcodes
    details["barcodes are numbers within their oligos"] = None
    return rows["oligo"].astype(str) + ":" + barcodes.astype(str)


def _of_conditions(rows: pd.DataFrame) -> pd.Series[Any]:
    """Return barcodes, with the name of its oligo where one is of another in another
    condition, whose barcodes were drawn anew.
    """
    barcodes = rows["barcode"]
    if "condition" not in rows or rows["condition"].nunique() < 2:
        return barcodes
    pairs = rows[["condition", "barcode", "oligo"]].drop_duplicates()
    once = ~pairs.duplicated(["condition", "barcode"], keep=False)
    n = pairs[once].drop_duplicates(["barcode", "oligo"])["barcode"].value_counts()
    shared = barcodes.isin(n.index[n > 1])
    named = barcodes.astype(str) + " " + rows["oligo"].astype(str)
    return named.where(shared, barcodes.astype(str)) if shared.any() else barcodes


def _barcodes_behind(rows: pd.DataFrame, of: Ints) -> Array:
    """Return the mean number of barcodes behind each sum over its replicates; 1 of a sum
    of none.
    """
    n = rows["n_bc"].where(rows["n_bc"] > 0)
    return n.groupby(of).mean().fillna(1.0).to_numpy()


def _as_dataset(
    rows: pd.DataFrame,
    side: pd.DataFrame,
    pool: bool,
    details: dict[str, None],
    where: str,
) -> xr.Dataset:
    """Return the counts of rows, of which each barcode has one in each replicate."""
    barcode, barcodes = pd.factorize(_of_conditions(rows))
    oligo, oligos = pd.factorize(rows["oligo"])
    replicates = rows["replicate"].cat
    replicate, names = replicates.codes.to_numpy(), replicates.categories
    first = np.empty(len(barcodes), oligo.dtype)
    first[barcode[::-1]] = oligo[::-1]
    cell = barcode.astype(np.int64) * len(names) + replicate
    wrong = oligo != first[barcode]
    if np.bincount(cell).max(initial=0) > 1:
        wrong |= pd.Series(cell).duplicated().to_numpy()
    if wrong.any():
        i = int(np.argmax(wrong))
        a, b = (quoted(oligos[k]) for k in (first[barcode[i]], oligo[i]))
        raise DataError(
            f"{where}, line {rows.index[i]}: barcode {barcodes[barcode[i]]} is of oligo "
            f"{f'{a} twice' if a == b else f'{a} and of oligo {b}'}, and "
            f"{len(np.unique(barcode[wrong])) - 1:,} more barcodes are so"
        )
    dna, rna = np.full((2, len(barcodes), len(names)), np.nan)
    dna[barcode, replicate], rna[barcode, replicate] = rows["dna"], rows["rna"]
    if pool and len(names) > 1:
        most = np.fmax.reduce(dna, axis=1)
        if ((dna == most[:, None]) | np.isnan(dna)).all():
            dna = most
    counted = side["oligo_name"].isin(oligos)
    if not counted.all():
        details[
            f"{int((~counted).sum()):,} of {len(side):,} oligos of the side table have "
            "no row and were left out"
        ] = None
    counts = counts_of(
        dna,
        rna,
        barcodes=barcodes.to_numpy().astype(str),
        oligos=oligos.to_numpy()[first].astype(str),
        side_table=side[counted].reset_index(drop=True),
        replicates=names.astype(str).tolist(),
        dna_observed=~np.isnan(dna),
        rna_observed=~np.isnan(rna),
        n_bc=_barcodes_behind(rows, barcode) if "n_bc" in rows else None,
    )
    of = rows.drop_duplicates("replicate").set_index("replicate")["condition"]
    if of.nunique() == 1:
        return counts
    condition = of.loc[list(names)].to_numpy().astype(str)
    return counts.assign_coords(condition=("replicate", condition))
