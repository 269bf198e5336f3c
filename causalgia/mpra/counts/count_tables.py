"""Tables of counts as laboratories and pipelines write them, read by pandas as one long
frame: a row for each barcode and replicate.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from causalgia.errors import NAMES_LISTED, DataError, comma_list, first_of, quoted
from causalgia.inputs import read_bytes
from causalgia.types import Ints

_AFTER = r"(?=counts?|reads?|umis?|rep|r[0-9]|(?![a-z]))"
_DNA, _RNA, _POOL, _OUTPUT = (
    rf"(?<![a-z])(?:{words}){_AFTER}"
    for words in ("[gp]?dna", "cdna|m?rna", "plasmids?|inputs?", "outputs?")
)
#: the role of a column: the first whose pattern is its whole name (`plain_name`)
ROLES = {
    "barcode": "barcodes?|bc|tags?",
    "oligo": "oligo(_?name|_id)?|name|label|id|seq_id",
    "replicate": "replicate|rep",
    "condition": "condition|cell_(type|line)",
    # what is derived from counts
    "annotation": r"(dna|rna)_?norm.*|log2_?(fold_?change)?|ratio|log2fc",
    "n_bc": "n_(obs_)?bc",
    "dna": rf"(?!.*{_RNA}).*{_DNA}.*",
    "rna": rf"(?!.*{_DNA}).*{_RNA}.*",
    "dna_pool": rf"(?!.*({_RNA}|{_DNA}|{_OUTPUT})).*{_POOL}.*",
    "output": rf"(?!.*({_RNA}|{_DNA}|{_POOL})).*{_OUTPUT}.*",
}
_KEYS = ("barcode", "oligo", "replicate", "condition")
_NO_COUNTS = ("annotation", "n_bc")
_KINDS = {"dna": "dna", "rna": "rna", "dna_pool": "dna", "output": "rna"}
#: words beside the replicate in the name of a column: of the molecule, and of its count
_NO_REPLICATE = (
    f"(?i){_DNA}|{_RNA}|{_POOL}|{_OUTPUT}",
    r"(?i)(?<![a-z])(?:counts?|reads?|umis?|condition|replicate)(?![a-z])",
)
_PLASMID = re.compile("pdna|plasmid|input", re.IGNORECASE)
_REPLICATE_WORD = re.compile(
    r"(?<![a-z])(replicate|rep|r|bio)_?(?=[0-9])", re.IGNORECASE
)
#: columns of MPRAnalyze's matrix of barcodes: ``DNA_X_1_12``, ``MT.1.0012``
_OF_ONE_BARCODE = re.compile(r"(.*[._])?[0-9]+[._][0-9]+")
_BARCODE = re.compile(r"[ACGTN]{4,}(-[0-9]+)?", re.IGNORECASE)
_EMPTY = ("", "NA")
_SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "spaces"}
_UNKNOWN = pd.CategoricalDtype([""])
MOST_READS = 2**53  # whole numbers below it are exact as floats


def plain_name(name: str) -> str:
    """Return the name of a column in lower case, with ``_`` for blanks, points and
    hyphens, as R and spreadsheets write them.

    Examples
    --------
    >>> plain_name(" Oligo.Name")
    'oligo_name'
    """
    return re.sub(r"[\s.-]+", "_", name.strip().lower())


def role_of(name: str) -> str | None:
    """Return the role of a column, by `ROLES`.

    Examples
    --------
    >>> [role_of(name) for name in ("Barcode", "K562_cDNA.1", "plasmid_2", "REF")]
    ['barcode', 'rna', 'dna_pool', None]
    """
    plain = plain_name(name)
    return next((role for role, of in ROLES.items() if re.fullmatch(of, plain)), None)


def replicate_of(name: str) -> str:
    """Return the replicate in the name of a column of counts.

    Examples
    --------
    >>> replicate_of("RNA(condition K562, replicate 1)"), replicate_of("dna_count")
    ('K562_1', '')
    """
    if of_igvf := re.fullmatch("[dr]na_counts?_(.+)", name):
        return of_igvf[1]
    for words in _NO_REPLICATE:
        name = re.sub(words, " ", name)
    return "_".join(re.findall(r"[^\W_]+", name))


@dataclass
class Frame:
    """The cells of a table as text, by column; the index is the line in the file.

    Attributes
    ----------
    cells
        Columns by their names, or by their number where the file has no header.
    where
        The file, for errors.
    details
        How it was read, where that is not plain.
    """

    cells: pd.DataFrame
    where: str
    details: list[str] = field(default_factory=list)


def read_table_text(path: Path) -> str:
    """Return the text of a table, plain or gzip, without blank lines at its end."""
    data = read_bytes(path, DataError, unpack=True)
    if data.startswith(b"\x80"):
        raise DataError(
            f"{path}: a pickle of Python, which may run code, is not read; write it as "
            "text"
        )
    try:
        text = data.decode("utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}, line {line}: is not UTF-8 text") from error


def read_frame(path: Path, text: str | None = None, *, labels: bool = False) -> Frame:
    """Return the cells of a table whose separator is that of its header.

    Names of rows as R and pandas write them are left out; a header is absent where the
    first line has a barcode and no name of a column.

    Parameters
    ----------
    path
        The file.
    text
        Its text, if it was read already.
    labels
        Whether two cells of which none names a column are no header, too.

    Raises
    ------
    DataError
        If the table has no row, or a line another number of cells than the header.
    """
    text = read_table_text(path) if text is None else text
    first = re.sub('"[^"]*"', "", text.partition("\n")[0])
    separator = next((one for one in _SEPARATORS if one in first), "\t")
    try:
        head, sizes, lines = _line_sizes(text, separator)
    except csv.Error as error:
        raise DataError(f"{path}: a quotation mark is not closed ({error})") from error
    roles = {role_of(name) for name in head}
    header = bool({*roles} - {None}) or not (
        any(map(_BARCODE.fullmatch, head)) or (labels and len(head) == 2)
    )
    n = len(head)
    if header and not len(lines):
        raise DataError(f"{path}: no row below the header {quoted(text)}")
    if not header:
        sizes, lines = np.append(n, sizes), np.append(1, lines)
    row_names = header and bool((sizes == n + 1).all())
    wrong = np.flatnonzero(sizes != n + row_names)
    if not wrong.size:
        cells: pd.DataFrame = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            names=range(n + row_names),
            index_col=False,
            skiprows=int(lines[0]) - 1,
            skip_blank_lines=False,
            dtype=str,
            na_filter=False,
            engine="c",
        )
    numbered = not wrong.size and bool(cells[0].str.isdigit().all())
    unnamed = not {"barcode", "oligo"} & roles
    if row_names and not ((unnamed or numbered) and (cells[n] != "").all()):
        wrong = np.array([0])
    if wrong.size:
        i = int(wrong[0])
        raise DataError(
            f"{path}, line {lines[i]}: {sizes[i]} cells under a header of {n}; "
            "an empty cell keeps its separator, at the end of a line too"
        )
    head = [""] * row_names + head
    cells.index = pd.Index(lines)
    details = [] if separator == "\t" else [f"{_SEPARATORS[separator]} between cells"]
    if not header:
        return Frame(cells, str(path), details)
    twice = next((name for name in head if head.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path}, line 1: column {quoted(twice)} twice")
    cells.columns = pd.Index(head)
    if head[0] == "" and (numbered or not unnamed):
        cells = cells.drop(columns="")
    return Frame(cells, str(path), details)


def _line_sizes(text: str, separator: str) -> tuple[list[str], Ints, Ints]:
    """Return the cells of the header, the number of cells of each row and its line."""
    found = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    head = [name.strip() for name in next(found, [""])]
    if '"' not in text:
        letters = np.frombuffer(text.encode(), np.uint8)
        ends = np.append(np.flatnonzero(letters == ord("\n")), len(letters))
        before = np.searchsorted(np.flatnonzero(letters == ord(separator)), ends)
        return head, np.diff(before) + 1, np.arange(2, len(ends) + 1)
    sizes, lines, end = [], [], found.line_num
    for row in found:
        sizes.append(len(row))
        lines.append(end + 1)
        end = found.line_num
    return head, np.array(sizes, np.int64), np.array(lines, np.int64)


@dataclass
class CountTable:
    """Columns of keys (`ROLES`) as text, and of counts as numbers, NaN where empty; the
    index is the line in the file.

    Attributes
    ----------
    cells
        The columns.
    counts
        Column -> dna or rna, and its replicate.
    where, details
        As `Frame`.
    """

    cells: pd.DataFrame
    counts: dict[str, tuple[str, str]]
    where: str
    details: list[str]


def count_table(
    frame: Frame, *, kind: str | None = None, assigned: bool = False
) -> CountTable:
    """Return the columns of a table by their roles, by their names; where none names
    the barcode or the oligo, by what they hold.

    Parameters
    ----------
    frame
        The cells.
    kind
        dna or rna, of a file that holds one of them.
    assigned
        Whether the oligos of barcodes are in a table of their own.

    Raises
    ------
    DataError
        If two columns may have one role, columns of whole numbers have none, or a cell
        is no count.
    """
    cells, at = frame.cells, f"{frame.where}, line {int(frame.cells.index[0]) - 1}"
    if 0 in cells.columns:  # no header
        cells, at = _with_names(frame, kind), frame.where
    roles = {name: role_of(name) for name in cells.columns}
    found: dict[str, Any] = {}
    for key in _KEYS:
        some = [name for name, of in roles.items() if of == key]
        exact = "oligo_name" if key == "oligo" else key
        named = [name for name in some if plain_name(name) == exact]
        if len(some) > 1 and len(named) != 1:
            raise DataError(
                f"{at}: {first_of(map(quoted, some), NAMES_LISTED)} may each be the {key}"
            )
        if some:
            found[key] = cells[(named or some)[0]]
    by_cells = _keys_by_cells(cells, roles, found, at, assigned=assigned)
    for key, name in by_cells.items():
        roles[name], found[key] = key, cells[name]
        frame.details.append(f"{_named([name])} read as the {key}")
    counts, unused, whole = {}, [], []
    numbers = {}
    for name, role in roles.items():
        if role in _KEYS:
            unused += [name] * (found[role].name != name)
            continue
        place: tuple[str, str] | None = None
        if role in _KINDS or (kind is not None and role is None):
            place = _KINDS.get(str(role), str(kind)), replicate_of(name)
        if role == "n_bc" and "barcode" not in found:
            found["n_bc"] = as_counts(cells[name], name, frame.where)
            continue
        if place is None and role not in _NO_COUNTS and _is_whole(cells[name]):
            whole.append(name)
        if place is None or (kind is not None and place[0] != kind):
            unused.append(name)
            continue
        counts[name] = place
        numbers[name] = as_counts(cells[name], name, frame.where)
    if whole:
        others = [name for name in roles if name not in whole]
        raise DataError(
            f"{at}: {_named(whole)}: whole numbers, neither DNA nor RNA by name; leave "
            f"out what is no count. Beside: {_named(others)}"
        )
    if counts and all(map(_OF_ONE_BARCODE.fullmatch, counts)) and len(counts) > 1:
        raise DataError(
            f"{at}: columns such as {quoted(next(iter(counts)))} are the barcodes of a "
            "matrix of MPRAnalyze, in which barcodes that do not exist are zeros"
        )
    if "barcode" in found:
        found["barcode"] = clean_barcodes(found["barcode"], frame)
    details = [*frame.details]
    details += [f"{_named(unused)} not used"] * bool(unused)
    return CountTable(
        pd.DataFrame(found | numbers, index=cells.index),
        counts,
        frame.where,
        details,
    )


def _with_names(frame: Frame, kind: str | None) -> pd.DataFrame:
    """Return the cells of a table without a header under names: barcode, DNA and RNA,
    or, of one `kind`, a barcode and a count in either order.
    """
    names = ["barcode", "dna", "rna"] if kind is None else ["barcode", kind]
    if kind and not _BARCODE.fullmatch(str(frame.cells.iloc[0, 0])):
        names.reverse()
    if frame.cells.shape[1] != len(names):
        raise DataError(
            f"{frame.where}: {frame.cells.shape[1]} columns without a header, and "
            f"without one there are {comma_list(names)}"
        )
    return frame.cells.set_axis(names, axis=1)


def _keys_by_cells(
    cells: pd.DataFrame,
    roles: dict[str, str | None],
    found: Mapping[str, pd.Series[Any]],
    at: str,
    *,
    assigned: bool,
) -> dict[str, str]:
    """Return the columns of barcodes and oligos where no name says them: barcodes are
    letters, each once, where oligos have several rows; the oligo is the one other
    column of text, of sums the one with a text for each row.
    """
    if "barcode" in found and ("oligo" in found or assigned):
        return {}
    text = [name for name in text_columns(cells) if roles[name] is None]
    of_row = {key: found[key] for key in ("replicate", "condition") if key in found}

    def once(one: pd.Series[Any]) -> bool:
        return not pd.DataFrame(of_row | {"key": one}).duplicated().any()

    keys: dict[str, str] = {}
    if "barcode" not in found:
        tags = [x for x in text if once(cells[x]) and _is_letters(cells[x])]
        rest = [found["oligo"]] if "oligo" in found else []
        rest = rest or [cells[x] for x in text if x not in tags]
        if len(tags) == 1 and (assigned or (rest and not any(map(once, rest)))):
            keys["barcode"] = tags[0]
    if "oligo" not in found and not assigned:
        some = [name for name in text if name != keys.get("barcode")]
        if not {"barcode"} & {*keys, *found}:
            some = [name for name in some if once(cells[name])] or some
        if len(some) > 1:
            raise DataError(
                f"{at}: {_named(some)} may each be the oligo; name one of them oligo_name"
            )
        keys |= dict.fromkeys(["oligo"] * len(some), *some)
    return keys


def text_columns(cells: pd.DataFrame) -> list[str]:
    """Return the columns of which most cells that are not empty are no numbers."""
    found = []
    for name in cells.columns.tolist():
        some = pd.Series(cells[name].unique(), dtype=str)
        some = some[~some.isin(_EMPTY)]
        if pd.to_numeric(some, errors="coerce").isna().mean() > 0.5:
            found.append(name)
    return found


def _is_letters(cells: pd.Series[Any]) -> bool:
    return bool(cells.str.fullmatch("(?i)[ACGTN]{4,}").all())


def _named(columns: list[str]) -> str:
    """Return columns by name, as ``columns 'a' and 'b'``."""
    names = comma_list(quoted(name) if name else "(no name)" for name in columns)
    return f"column{'s' * (len(columns) > 1)} {names}"


def _is_whole(cells: pd.Series[Any]) -> bool:
    """Return whether a column holds whole numbers, or empty cells."""
    some = cells[~cells.isin(_EMPTY)]
    return bool(len(some)) and bool(some.str.fullmatch(r"\s*[0-9,]+\s*").all())


def as_counts(cells: pd.Series[Any], name: str, where: str) -> pd.Series[Any]:
    """Return counts as numbers, NaN where empty.

    Raises
    ------
    DataError
        If a cell is negative, fractional or text, with its line.

    Examples
    --------
    >>> as_counts(pd.Series(["24", "NA", "7"]), "rna", "counts.tsv").tolist()
    [24.0, nan, 7.0]
    """
    places, known = pd.factorize(cells)  # few counts are different ones
    text = pd.Series(known, dtype=str).str.strip()
    empty = text.isin(_EMPTY)
    numbers = pd.to_numeric(text.mask(empty), errors="coerce").astype(np.float64)
    wrong = ~empty & ~((numbers >= 0) & (numbers % 1 == 0) & (numbers < MOST_READS))
    if wrong.any():
        i = int(np.argmax(wrong.to_numpy()[places]))
        raise DataError(
            f"{where}, line {cells.index[i]}: {name} is {quoted(cells.iloc[i])}; a count "
            "is a whole number, 0 to 2^53, or an empty cell"
        )
    return pd.Series(numbers.to_numpy()[places], cells.index)


def clean_barcodes(barcodes: pd.Series[Any], frame: Frame) -> pd.Series[Any]:
    """Return barcodes in upper case; numbers or names in place of letters as they are.

    Raises
    ------
    DataError
        If some have other letters than ACGTN.
    """
    upper = barcodes.str.upper()
    wrong = ~upper.str.fullmatch("[ACGTN]+")
    if wrong.any():
        suffixed = upper.str.fullmatch("[ACGTN]+-[0-9]+")
        if wrong.all() and barcodes.str.contains("[0-9]").all() and not suffixed.any():
            return barcodes
        first = barcodes[wrong].iloc[0]
        raise DataError(
            f"{frame.where}, line {wrong.idxmax()}: barcode {quoted(first)} is not of "
            "the letters A, C, G, T (or N)"
        )
    if not upper.equals(barcodes):
        frame.details.append("barcodes in lower case were read as upper case")
    return upper


def merged(dna: CountTable, rna: CountTable) -> CountTable:
    """Return the counts of DNA and RNA in files of their own as one table: a barcode of
    one file has 0 reads of the other.
    """
    keys = [key for key in _KEYS if key in dna.cells and key in rna.cells]
    for one in (dna, rna):
        twice = one.cells.duplicated(keys)
        if twice.any():
            raise DataError(
                f"{one.where}, line {twice.idxmax()}: {one.cells[keys[0]][twice].iloc[0]} "
                "has a second row"
            )
    named = [
        one.cells.rename(columns={name: f"{kind} {name}" for name in one.counts})
        for kind, one in (("dna", dna), ("rna", rna))
    ]
    cells = named[0].merge(named[1], how="outer", on=keys, sort=False, indicator="in")
    counts = {}
    for kind, one, other in (("dna", dna, "right_only"), ("rna", rna, "left_only")):
        for name, place in one.counts.items():
            counts[f"{kind} {name}"] = place
            cells.loc[cells["in"] == other, f"{kind} {name}"] = 0.0
    n = int((cells["in"] != "both").sum())
    details = [*dict.fromkeys([*dna.details, *rna.details])]
    details += [f"{n:,} barcodes are in one file of DNA or RNA alone"] * bool(n)
    both = f"{dna.where}, {rna.where}"
    return CountTable(cells.drop(columns="in"), counts, both, details)


def long_counts(table: CountTable) -> tuple[pd.DataFrame, bool]:
    """Return a row for each barcode and replicate, and whether the DNA is one pool.

    Returns
    -------
    DataFrame
        Columns ``barcode`` and ``oligo``, ``replicate``, ``condition`` (empty where it
        is not known), ``dna`` and ``rna``; of sums ``n_bc``, where the table has it.
    bool
        Whether one pool of DNA serves all replicates, to which plasmids are summed, and
        columns of DNA that pair with no RNA, or with some of it.

    Raises
    ------
    DataError
        If a replicate lacks its DNA or RNA, or has two columns of one.
    """
    cells = table.cells
    of: dict[str, dict[str, str]] = {"dna": {}, "rna": {}}
    for name, (kind, replicate) in table.counts.items():
        if replicate in of[kind]:
            raise DataError(
                f"{table.where}: columns {quoted(of[kind][replicate])} and {quoted(name)} "
                f"are both {kind} of one replicate"
            )
        of[kind][replicate] = name
    dna, rna = of["dna"], of["rna"]
    for kind, there in of.items():
        if not there:
            raise DataError(f"{table.where}: no column of {kind}, as {kind}_count_1")
    if {*dna} != {*rna}:
        plain = {_without_word(name): name for name in rna}
        paired = {plain.get(_without_word(one), one): dna[one] for one in dna}
        dna = paired if {*paired} == {*rna} else dna
    pool = {*dna} != {*rna} and (
        all(map(_PLASMID.search, dna.values()))
        or {*dna} < {*rna}
        or (not {*dna} & {*rna} and (len(dna) != len(rna) or "" in dna))
    )
    if not pool and (lone := {*dna} ^ {*rna}):
        has = "DNA and no RNA" if next(iter(sorted(lone))) in dna else "RNA and no DNA"
        raise DataError(
            f"{table.where}: replicate {quoted(min(lone))} has a column of {has}; there "
            f"are {first_of(map(quoted, table.counts), NAMES_LISTED)}"
        )
    if "replicate" in cells and [*rna] != [""]:
        raise DataError(
            f"{table.where}: the replicate is named by a column, and in the name of "
            f"{quoted(next(iter(rna.values())))}"
        )
    for key in {"replicate", "condition"} & {*cells}:
        blank = cells[key].str.strip() == ""
        if blank.any():
            raise DataError(f"{table.where}, line {blank.idxmax()}: {key} is empty")
    if pool and len(dna) > 1:
        table.details.append(
            f"{_named([*dna.values()])} were summed to one pool of DNA"
        )
    if pool:
        pooled = cells[[*dna.values()]].sum(axis=1, min_count=1)
    keys = pd.DataFrame(
        {
            key: pd.Categorical.from_codes(*pd.factorize(cells[key]))
            for key in ("barcode", "oligo")
        },
        index=cells.index,
    )
    unnamed = "0" if "1" in rna else "1"  # beside RNA.1, as pandas names a second
    names = pd.CategoricalDtype([name or unnamed for name in rna])
    behind = {"n_bc": cells["n_bc"]} if "n_bc" in cells else {}
    parts = [
        keys.assign(
            replicate=cells.get("replicate", _of_one(i, len(cells), names)),
            condition=cells.get("condition", _of_one(0, len(cells), _UNKNOWN)),
            dna=pooled if pool else cells[dna[name]],
            rna=cells[rna[name]],
            **behind,
        )
        for i, name in enumerate(rna)
    ]
    return parts[0] if len(parts) == 1 else pd.concat(parts), pool


def _of_one(place: int, n: int, names: pd.CategoricalDtype) -> pd.Categorical:
    return pd.Categorical.from_codes(np.full(n, place), dtype=names)


def _without_word(replicate: str) -> str:
    return _REPLICATE_WORD.sub("", replicate).lower()
