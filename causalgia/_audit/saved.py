"""Writing the folder of an audit: its tables, the answer and the page, and libraries of
what is worth measuring.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from causalgia._audit.candidates import Candidate
from causalgia._audit.folder import (
    ANSWER,
    LIBRARY,
    MARK,
    MATRICES,
    PAGE,
    PROTOCOL,
    SITES,
)
from causalgia._audit.measurable import CLAIMS, files_of_libraries, libraries
from causalgia._audit.named import LOST_IN, acting_sites
from causalgia.errors import DataError
from causalgia.inputs import (
    to_csv,
    write_text,
    written_whole,
)
from causalgia.sequences.parents import places_of
from causalgia.tell.audit_answers import audit_answer
from causalgia.tell.audit_page import write_audit_page

if TYPE_CHECKING:
    from causalgia._audit._audit import Audit

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
        write_text(new / PROTOCOL, MARK + tomli_w.dumps(protocol))
        write_text(new / ANSWER, audit_answer(found) + "\n")
        write_audit_page(new / PAGE, found, claims)
        made = [path.relative_to(new) for path in new.rglob("*") if path.is_file()]
    for place in (folder / LIBRARY).iterdir():  # of claims that are no more
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
    return tuple(folder / path for path in sorted(made))


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


def _bed(found: Audit, length: int) -> str:
    """Return the sites that act as BED, with further columns."""
    sites = acting_sites(found)
    effects = [name for name in sites.columns if str(name).startswith(LOST_IN)]
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
