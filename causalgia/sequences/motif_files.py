"""Motifs from text: JASPAR, HOMER, Cluster-Buster and TRANSFAC by Bio.motifs, MEME here.

Bio.motifs rounds MEME's probabilities to whole counts of ``nsites`` (20 where a file has
none) and keeps one of a motif's two names. What it passes over without a word (rows of
other lengths, a matrix that is cut, an entry that has none) is found by giving it one
motif at a time and counting its rows.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from causalgia.choices import BASES
from causalgia.errors import SequenceError, quoted
from causalgia.sequences.motifs import Motif, as_probabilities
from causalgia.sequences.text_files import read_text

_ROUNDED = 0.02
"""How far from 1 the sum of probabilities may be that a file rounds to two digits."""
_BEGINS = {
    "meme": r"^(?=MOTIF\s)",
    "transfac": r"(?<=^//\n)",
    "jaspar": r"^(?=>)",
    "homer": r"^(?=>)",
    "clusterbuster": r"^(?=>)",
}
"""Where a motif begins in the text of each format."""
_AFTER_MATRIX = r"^\s*(?=URL\b|Time\b|---|\*\*\*)"
"""What MEME, DREME and STREME write below the matrix of a motif."""
_SAYS = {
    "meme": r"^MEME version",
    "transfac": r"^P[0O]\s+[ACGT]\s",
    "jaspar": r"^\s*A\s*\[",
    "homer": r"^>[^\t\n]+\t[^\t\n]*\t\s*[-+]?\.?\d",
}
"""The line by which a format tells what it is."""
_ENDINGS = {".jaspar": "jaspar", ".cb": "clusterbuster", ".pcm": "clusterbuster"}


def read_motifs(
    path: str | PathLike[str], *, format: str | None = None
) -> dict[str, Motif]:
    r"""Read the motifs of a text file, plain or gzip-compressed.

    Counts become probabilities without a pseudocount. Probabilities of MEME and HOMER
    may be rounded: rows that sum to 1 within 0.02 are divided by their sum.

    Parameters
    ----------
    path
        The file.
    format
        ``"meme"`` (text of version 4 or 5), ``"jaspar"`` (rows are A, C, G and T, with
        or without letters), ``"homer"``, ``"transfac"``, or ``"clusterbuster"`` (rows
        are positions: also HOCOMOCO's pcm and GimmeMotifs). By default the line that
        says it: ``MEME version``, ``A [``, HOMER's name and threshold between tabs,
        ``P0 A C G T``; else the name's ending, .jaspar, .cb or .pcm.

    Returns
    -------
    dict
        Name -> motif, in the order of the file; motifs that share a name are keyed by
        their identifiers instead. A matrix of JASPAR or Cluster-Buster without a line
        of its name is called after the file.

    Raises
    ------
    SequenceError
        If the file cannot be read or does not say its format, or a motif is malformed;
        the message names the file and the line.

    Notes
    -----
    Other matrices: ``cg.motif(table, name=)`` takes a DataFrame with the columns A, C, G
    and T, and ``cg.motif(m)`` a motif of ``Bio.motifs.parse``, which reads more formats.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "one.jaspar"
    >>> _ = path.write_text(
    ...     ">MA0000.1 TOY\nA [ 4 0 ]\nC [ 0 1 ]\nG [ 0 3 ]\nT [ 0 0 ]\n"
    ... )
    >>> read_motifs(path)["TOY"].consensus
    'AG'
    """
    if format is not None and format not in _BEGINS:
        raise SequenceError(
            f"format={quoted(format)} is none of {', '.join(_BEGINS)}",
            argument="format",
        )
    text = re.sub("^#.*", "", read_text(path).decode("utf-8", "replace"), flags=re.M)
    kind = format or _format_of(text, path)
    if kind == "meme":
        _check_meme(text, path)
    motifs, line = list[Motif](), 1
    for block in re.split(_BEGINS[kind], f"{text}\n", flags=re.M):
        if block.strip():
            motifs += (
                _of_meme(block, str(path), line)
                if kind == "meme"
                else _of_bio(block, kind, str(path), line)
            )
        line += block.count("\n")
    if not motifs:
        raise SequenceError(f"{path}: no motif of the format {kind}")
    names = Counter(motif.name for motif in motifs)
    keys = [x.name if names[x.name] == 1 else str(x.identifier) for x in motifs]
    twice = [key for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise SequenceError(
            f"{path}: more than one motif is called {quoted(twice[0])}, by name and "
            "identifier"
        )
    return dict(zip(keys, motifs, strict=True))


def _format_of(text: str, path: str | PathLike[str]) -> str:
    for name, line in _SAYS.items():
        if re.search(line, text, re.M):
            return name
    ending = Path(str(path).removesuffix(".gz")).suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    raise SequenceError(
        f"{path}: neither a line nor the ending of the file says the format of its "
        f"motifs; read_motifs(format=) is one of {', '.join(_BEGINS)}"
    )


def _check_meme(text: str, path: str | PathLike[str]) -> None:
    """Raise SequenceError for a version or an alphabet whose columns would be misread."""
    version = re.search(r"^MEME version\s+(\S+)", text, re.M)
    if version is None or not re.match(r"0*[45](?!\d)", version[1]):
        raise SequenceError(
            f"{path}: MEME version {quoted(version and version[1])}; versions 4 and 5 "
            "are read"
        )
    alphabet = re.search(r'^ALPHABET(?:\s*=\s*|\s+")([^"\n]*)', text, re.M)
    if alphabet and alphabet[1].strip() not in ("ACGT", "ACGU", "DNA", "RNA"):
        line = text.count("\n", 0, alphabet.start()) + 1
        raise SequenceError(
            f"{path}: line {line}: alphabet {quoted(alphabet[1])}; motifs are over ACGT "
            "or ACGU"
        )


def _of_meme(block: str, path: str, line: int) -> list[Motif]:
    """Return the motif of MEME's text from one line MOTIF to the next; none of the text
    above the first.
    """
    found = list(re.finditer(r"^\s*letter-probability matrix:(.*)", block, re.M))
    if not block.startswith("MOTIF") and not found:
        return []
    if not block.startswith("MOTIF") or len(found) != 1:
        raise SequenceError(
            f"{path}: line {line}: {len(found)} letter-probability matrices; a line MOTIF "
            "has one"
        )
    matrix = found[0]
    at = line + block.count("\n", 0, matrix.start(1))
    place = f"{path}: line {at}"
    below = re.split(_AFTER_MATRIX, block[matrix.end() :], maxsplit=1, flags=re.M)[0]
    rows = np.array(
        [
            _four_numbers(text, f"{path}: line {number}")
            for number, text in enumerate(below.split("\n"), at)
            if text.strip()
        ]
    ).reshape(-1, 4)
    stated = {"alength": 4, "w": len(rows)} | {
        key: int(value)
        for key, value in re.findall(r"\b(alength|w)\s*=\s*(\d+)", matrix[1])
    }
    if not len(rows) or (stated["w"], stated["alength"]) != rows.shape:
        raise SequenceError(
            f"{place}: {len(rows)} rows of 4 numbers under "
            f"{quoted(matrix[1].strip())}; rows are positions, of four"
        )
    identifier, *names = block.partition("\n")[0].split()[1:] or [""]
    # what MEME prints: "MOTIF AGATAA MEME-1 width = 6", and "MOTIF 1 width = 6" of old
    name = names[0] if names and names[:2] != ["width", "="] else identifier
    return [_motif(name, identifier, rows, path, place, are_counts=False)]


def _four_numbers(text: str, place: str) -> list[float]:
    """Return the numbers of a row of a matrix whose rows are positions."""
    try:
        numbers = [float(x) for x in text.split()]
    except ValueError:
        numbers = []
    if len(numbers) != len(BASES):
        raise SequenceError(
            f"{place}: {quoted(text.strip())} is no row of the matrix; a position is four "
            "numbers, of A, C, G and T"
        )
    return numbers


def _of_bio(block: str, kind: str, path: str, line: int) -> list[Motif]:
    """Return the motif of a text that begins with its name, or ends with ``//``; none
    of the text around these.
    """
    from Bio import motifs

    of_transfac = kind == "transfac"
    if kind in ("homer", "clusterbuster"):
        for number, text in enumerate(block.split("\n"), line):
            if text.strip() and not text.startswith(">"):
                _four_numbers(text, f"{path}: line {number}")
    handle = io.StringIO(block)
    try:
        found: list[Any] = motifs.parse(  # type: ignore[no-untyped-call]
            handle, "clusterbuster" if kind == "homer" else kind, strict=False
        )
    except Exception as error:  # lengths that differ are a plain Exception
        at = line + block.count("\n", 0, handle.tell()) - 1
        raise SequenceError(
            f"{path}: line {at}: not read as {kind}: {error}"
        ) from error
    if of_transfac and not re.search(r"^(AC|ID|NA|P[0O])\s", block, re.M):
        return []
    place = f"{path}: line {line}"
    rows = re.findall(r"^\s*\d+[ \t]+\S" if of_transfac else r"^\s*[^>\s]", block, re.M)
    expected = 4 if kind == "jaspar" else found[0].length if found else 1
    if len(found) != 1 or len(rows) != expected:
        raise SequenceError(
            f"{place}: {len(rows)} rows, which are not one matrix of the format {kind}"
        )
    domain = ("", "")
    if of_transfac:
        entry = found[0]
        facts = [entry[key] for key in ("NA", "ID", "AC", "DE") if entry.get(key)]
        name = facts[0] if facts else _stem(path)
        identifier = entry.get("AC") or entry.get("ID") or name.split()[0]
        domain = _domain(entry, "HP", "class"), _domain(entry, "HC", "family")
    else:
        head = block.partition("\n")[0][1:] if block[0] == ">" else _stem(path)
        tab = "\t" if kind == "homer" else None
        identifier, *rest = head.strip().split(tab) or [""]
        name = " ".join(rest[:1] if tab else rest).strip() or identifier
    counts = np.array([found[0].counts[base] for base in BASES]).T
    return [_motif(name, identifier, counts, path, place, kind != "homer", domain)]


def _motif(
    name: str,
    identifier: str,
    rows: Any,
    path: str,
    place: str,
    are_counts: bool,
    domain: tuple[str, str] = ("", ""),
) -> Motif:
    """Return a motif of counts, or of probabilities that are rounded."""
    try:
        shares = (
            Motif.from_counts(name, rows).probabilities
            if are_counts
            else tuple(
                as_probabilities(
                    row, f"motif {quoted(name)}: position {i}", within=_ROUNDED
                )
                for i, row in enumerate(rows.tolist())
            )
        )
        return Motif(name, shares, identifier, path, None, *domain)
    except SequenceError as error:
        raise SequenceError(f"{place}: {error}") from error


def _stem(path: str) -> str:
    return Path(path).name.removesuffix(".gz").split(".")[0]


def _domain(entry: Any, code: str, word: str) -> str:
    """Return the class or the family of a factor's DNA-binding domain: JASPAR's ``CC
    tf_family:``, or TRANSFAC's superfamilies (HP) and subfamilies (HC), of which each
    has an accession before its name.
    """
    told = [
        *(
            x.partition(":")[2]
            for x in entry.get("CC", ())
            if x.startswith(f"tf_{word}")
        ),
        *(re.sub(r"\bT\d{5};|\.$", "", x) for x in entry.get(code, ())),
    ]
    parts = [part.strip() for part in ";".join(told).split(";")]
    return "::".join(dict.fromkeys(filter(None, parts)))
