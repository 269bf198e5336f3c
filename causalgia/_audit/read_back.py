"""Reading the folder of an audit."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from causalgia._audit._audit import Audit, Plan
from causalgia._audit.candidates import Candidate
from causalgia._audit.folder import LIBRARY, MATRICES, PROTOCOL, SITES, is_audit
from causalgia._audit.measurable import CLAIMS
from causalgia._audit.named import LOST_IN
from causalgia.errors import DataError, SequenceError
from causalgia.inputs import from_column, parse_toml, read_text
from causalgia.sequences.motif_files import read_motifs
from causalgia.sequences.motifs import Motif

_TEXT = {
    *("motif", "name", "runners_up", "task", "strand", "first", "second", "family"),
    *("arrangement", "strands", "doubts", "step", "line", "along", "sequence"),
    *("verdict", "feature", "further"),
    *("lost_verdict", "alone_verdict", "check", "status", "claim", "folder"),
    *("why_not", "#place", "strand in it", "sites_on"),
}
"""Columns of texts, which may look like numbers."""


def read_audit(folder: str | Path) -> Audit:
    """Return the audit whose files a folder has; its `sites` are those that act.

    Raises
    ------
    DataError
        If it is no such folder, or a file is missing, damaged or changed.
    """
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
    return sites.join(bed[[name for name in bed if str(name).startswith(LOST_IN)]])
