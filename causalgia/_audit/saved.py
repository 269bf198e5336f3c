"""The folder of an audit: its tables, the answer and the page, and libraries of what is
worth measuring.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from causalgia._audit.candidates import Candidate
from causalgia._audit.measurable import CLAIMS, files_of_libraries, libraries
from causalgia.errors import DataError, SequenceError
from causalgia.inputs import (
    from_column,
    parse_toml,
    read_text,
    to_csv,
    write_text,
    written_whole,
)
from causalgia.results_folder import ANSWER, AUDIT_MARK, PAGE, PROTOCOL, is_audit
from causalgia.sequences.motif_files import read_motifs
from causalgia.sequences.motifs import Motif
from causalgia.sequences.parents import places_of
from causalgia.tell.audit_answers import LOST, acting_sites, audit_answer
from causalgia.tell.audit_page import write_audit_page

if TYPE_CHECKING:
    from causalgia._audit._audit import Audit

SITES, MATRICES, LIBRARY = "sites.bed", "motifs.meme", "library"
_TEXT = {
    *("motif", "name", "runners_up", "task", "strand", "first", "second", "family"),
    *("arrangement", "strands", "doubts", "step", "sequence", "verdict", "feature"),
    *("lost_verdict", "alone_verdict", "check", "status", "claim", "folder"),
    *("why_not", "#place", "strand in it"),
}
"""Columns of texts, which may look like numbers."""
_BED = ("#place", "start", "stop", "motif", "score", "strand")
_IN_SEQUENCE = ("sequence", "start in it", "strand in it")


def save_audit(
    found: Audit, folder: Path, *, inputs: Mapping[str, Any]
) -> tuple[Path, ...]:
    """Write the files of an audit, all at once, and return their paths."""
    import tomli_w

    if found.reserved is None:
        raise DataError(
            f"{folder}: an audit that was read from a folder has no sequences to make "
            "libraries of; copy its folder"
        )
    old = files_of_libraries(folder / LIBRARY)
    with written_whole(folder, [f"{LIBRARY}/{name}" for name in old]) as new:
        tables = {
            f"{name}.tsv": to_csv(table, index=False, tabs=True)
            for name, table in _tables(found).items()
        }
        tables[SITES] = _bed(found, found.reserved.length)
        if found.candidates:
            tables[MATRICES] = _meme(found.candidates)
        for name, text in tables.items():
            write_text(new / name, text)
        claims = libraries(found, new / LIBRARY)
        write_text(new / LIBRARY / CLAIMS, to_csv(claims, index=False, tabs=True))
        protocol = {
            "settings": dict(found.settings),
            "plan": _without_none(asdict(found.plan)),
            "counts": dict(found.counts),
            "left_out": list(found.left_out),
            "digests": {
                name: hashlib.sha256(text.encode()).hexdigest()
                for name, text in tables.items()
            },
            "candidates": [
                {"motif": one.label} | _without_none(_of_candidate(one))
                for one in found.candidates
            ],
            "inputs": dict(inputs),
        }
        write_text(new / PROTOCOL, AUDIT_MARK + tomli_w.dumps(protocol))
        write_text(new / ANSWER, audit_answer(found) + "\n")
        write_audit_page(new / PAGE, found, claims)
        made = [path.relative_to(new) for path in new.rglob("*") if path.is_file()]
    for place in (folder / LIBRARY).iterdir():  # of claims that are no more
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
    return tuple(folder / path for path in sorted(made))


def read_audit(folder: str | Path) -> Audit:
    """Return the audit whose files a folder has; its `sites` are those that act.

    Raises
    ------
    DataError
        If it is no such folder, or a file is missing, damaged or changed.
    """
    from causalgia._audit._audit import Audit, Plan

    place = Path(folder)
    if not is_audit(place):
        raise DataError(f"{place}: no folder of an audit (no {PROTOCOL} of one)")
    if not (place / PROTOCOL).is_file():
        raise DataError(
            f"{place}: the audit was interrupted; the same causalgia audit goes on"
        )
    protocol = parse_toml(
        read_text(place / PROTOCOL, DataError), DataError, source=str(place / PROTOCOL)
    )
    try:
        digests = protocol["digests"]
        tables = {
            one.name: pd.DataFrame()
            for one in fields(Audit)
            if "DataFrame" in str(one.type)
        } | {
            name.removesuffix(".tsv"): _read_table(place / name, digest)
            for name, digest in digests.items()
            if name.endswith(".tsv")
        }
        tables["sites"] = _read_sites(place / SITES, digests[SITES])
        rows, matrices = protocol.get("candidates", []), {}
        if rows:
            _read_unchanged(place / MATRICES, digests[MATRICES])
            matrices = read_motifs(place / MATRICES)
        return Audit(
            **tables,
            candidates=[
                Candidate(
                    motif=Motif(label, matrices[label].probabilities),
                    **{name: x for name, x in row.items() if name != "motif"},
                )
                for row in rows
                for label in [row["motif"]]
            ],
            counts=protocol["counts"],
            plan=Plan(**protocol["plan"]),
            left_out=tuple(protocol["left_out"]),
            settings=protocol["settings"],
        )
    except (KeyError, TypeError, ValueError, SequenceError) as error:
        raise DataError(f"{place}: damaged or of another version ({error})") from error


def read_claims(folder: Path) -> pd.DataFrame:
    """Return the list of the libraries in the folder of an audit."""
    return _read_table(folder / LIBRARY / CLAIMS)


def _tables(found: Audit) -> dict[str, pd.DataFrame]:
    """Return the tables of an audit but that of its sites."""
    values = {one.name: getattr(found, one.name) for one in fields(found)}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, pd.DataFrame) and name != "sites" and len(value.columns)
    }


def _of_candidate(one: Candidate) -> dict[str, Any]:
    return {
        part.name: getattr(one, part.name)
        for part in fields(one)
        if part.name != "motif"
    }


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _read_table(path: Path, digest: str = "") -> pd.DataFrame:
    """Return a table as it was, refused if it was changed."""
    text = _read_unchanged(path, digest)
    return _typed(
        pd.read_csv(StringIO(text), sep="\t", dtype=str, keep_default_na=False)
    )


def _read_unchanged(path: Path, digest: str) -> str:
    text = read_text(path, DataError)
    if digest and hashlib.sha256(text.encode()).hexdigest() != digest:
        raise DataError(f"{path}: changed since the audit (its digest in {PROTOCOL})")
    return text


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of texts with its numbers and truth values."""
    table = table.rename(columns=lambda name: from_column(pd.Series([name]))[0])
    for name in table.columns:
        column = table[name]
        if name in _TEXT:
            texts = from_column(column)
            table[name] = texts.where(texts != "") if "_verdict" in name else texts
        elif len(column) and set(column) <= {"True", "False"}:
            table[name] = column == "True"
        else:
            numbers = [float(x) if x else np.nan for x in column]
            whole = [x.lstrip("-").isdecimal() for x in column]
            table[name] = (
                np.array([int(x) for x in column]) if all(whole) else np.array(numbers)
            )
    return table


def _bed(found: Audit, length: int) -> str:
    """Return the sites that act as BED, with further columns."""
    sites = acting_sites(found)
    effects = [name for name in sites.columns if str(name).startswith(LOST)]
    table = pd.DataFrame(columns=[*_BED, *_IN_SEQUENCE, *effects])
    if len(sites):
        largest = sites[effects].abs().max(axis=1)
        share = largest / largest.groupby(sites["motif"]).transform("max")
        names = sites["sequence"].astype(str)
        at = places_of(names.tolist(), length)
        known = at.start >= 0
        minus = at.strand == "-"
        start, stop = (sites[name].to_numpy(int) for name in ("start", "stop"))
        table["#place"] = np.where(known, at.chromosome, names)
        table["start"] = np.where(
            known, at.start + np.where(minus, length - stop, start), start
        )
        table["stop"] = table["start"].to_numpy(int) + stop - start
        table["motif"] = sites["motif"].to_numpy()
        table["score"] = (1000 * share).round().astype(int).to_numpy()
        strand = sites["strand"].to_numpy().astype(str)
        other = np.where(strand == "+", "-", "+")
        table["strand"] = np.where(known & minus, other, strand)
        table["sequence"], table["start in it"] = names.to_numpy(), start
        table["strand in it"] = strand
        table[effects] = sites[effects].to_numpy()
    return to_csv(table, index=False, tabs=True)


def _read_sites(path: Path, digest: str) -> pd.DataFrame:
    """Return the sites of a BED file, in their sequences."""
    bed = _read_table(path, digest)
    start = bed["start in it"]
    sites = pd.DataFrame(
        {
            "sequence": bed["sequence"],
            "start": start,
            "stop": start + bed["stop"] - bed["start"],
            "motif": bed["motif"],
            "strand": bed["strand in it"],
        }
    )
    return sites.join(bed[[name for name in bed if str(name).startswith(LOST)]])


def _meme(found: Sequence[Candidate]) -> str:
    """Return the matrices of candidates in the format of MEME, every digit of them."""
    lines = ["MEME version 4", "", "ALPHABET= ACGT", "", "strands: + -", ""]
    for one in found:
        lines += [f"MOTIF {one.label} {one.label}"]
        lines += [
            f"letter-probability matrix: alength= 4 w= {len(one.motif)} "
            f"nsites= {one.n_sites} E= 0"
        ]
        lines += [
            " ".join(map(repr, map(float, row))) for row in one.motif.probabilities
        ]
        lines += [""]
    return "\n".join(lines)
