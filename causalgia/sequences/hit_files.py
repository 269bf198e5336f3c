"""Motifs from the hits of FiNeMo: the base frequencies, and the contributions, of the words that it found."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import SequenceError, quoted
from causalgia.inputs import parse_int
from causalgia.sequences.alphabet import CODES
from causalgia.sequences.genome import Genome
from causalgia.sequences.motifs import Motif, Seqlets
from causalgia.sequences.sequence_files import as_letters, load_arrays
from causalgia.sequences.text_files import numbered_lines, read_text, text_head
from causalgia.types import Array

Path = str | PathLike[str]
_BED = ("chr", "start", "end", "motif_name", "score", "strand")
_NEEDED = ("chr", "start", "end", "motif_name", "strand")
_NO_CHROMOSOME = ("NA", "", ".")


class Hit(NamedTuple):
    """A hit: its place, its strand, and the index of its region ("" if the file has none)."""

    chromosome: str
    start: int
    stop: int
    motif: str
    minus: bool
    region: str
    line: int


def is_hit_table(path: Path) -> bool:
    r"""Say whether a text file is FiNeMo's ``hits.tsv``, by its header, or ``hits.bed``, by six columns of BED.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "hits.bed"
    >>> _ = path.write_text("chr1\t5\t9\tpos_patterns.pattern_0\t912.5\t-\n")
    >>> is_hit_table(path)
    True
    """
    first = next((line for _, line in numbered_lines(text_head(path)) if not line.startswith("#")), "")
    columns = first.split("\t")
    if set(_NEEDED) <= set(columns):
        return True
    return len(columns) >= 6 and columns[1].isdigit() and columns[2].isdigit() and columns[5] in ("+", "-", ".")


def hit_motifs(path: Path, *, genome: Path | None, regions: Path | None) -> dict[str, Motif]:
    """Return the motif of each name among hits, in the order of its first hit.

    Hits that stand at one place on one strand count once. At each position only A, C, G and T count.

    Raises
    ------
    SequenceError
        If the table is malformed, hits of a motif differ in width, or one lies outside the genome or its region.
    """
    hits = list(
        {(*hit[:5], hit.region if hit.chromosome in _NO_CHROMOSOME else ""): hit for hit in _hits_in(path)}.values()
    )
    by_name: dict[str, list[Hit]] = {}
    for hit in hits:
        by_name.setdefault(hit.motif, []).append(hit)
    for name, found in by_name.items():
        widths = sorted({hit.stop - hit.start for hit in found})
        if len(widths) > 1:
            raise SequenceError(f"{path}: hits of {quoted(name)} are {widths[:4]} bases wide; one motif has one width")
    if genome is not None:
        return {name: _in_genome(found, genome, path) for name, found in by_name.items()}
    assert regions is not None
    table = _Regions(regions)
    return {name: table.motif(found, path) for name, found in by_name.items()}


def _hits_in(path: Path) -> Iterable[Hit]:
    lines = [(n, line.split("\t")) for n, line in numbered_lines(read_text(path)) if not line.startswith("#")]
    header, rows = (lines[0][1], lines[1:]) if set(_NEEDED) <= set(lines[0][1]) else (list(_BED), lines)
    if not rows:
        raise SequenceError(f"{path}: no hits; FiNeMo found none, or the file is cut short")
    at = {name: header.index(name) for name in (*_NEEDED, "peak_id") if name in header}
    for number, row in rows:
        place = f"{path}: line {number}"
        if len(row) <= max(at.values()):
            raise SequenceError(f"{place}: {len(row)} columns, and the table has {len(header)}; the line is cut short")
        start, stop = (parse_int(row[at[name]], SequenceError, source=f"{place}: {name}") for name in ("start", "end"))
        strand, name = row[at["strand"]], row[at["motif_name"]]
        if start >= stop or strand not in ("+", "-") or not name:
            lost = "; a motif has no orientation without its strand: take the hits as FiNeMo wrote them"
            raise SequenceError(
                f"{place}: {quoted(name)} from {start} to {stop} on strand {quoted(strand)}; a hit has a name, start < "
                f"end, and strand + or -{lost if strand == '.' else ''}"
            )
        region = row[at["peak_id"]] if "peak_id" in at else ""
        yield Hit(row[at["chr"]], start, stop, name, strand == "-", region, number)


def _in_genome(hits: list[Hit], genome: Path, path: Path) -> Motif:
    counts = np.zeros((hits[0].stop - hits[0].start, 4))
    with Genome(genome) as records:
        for hit in hits:
            place = f"{path}: line {hit.line}"
            if hit.chromosome in _NO_CHROMOSOME:
                raise SequenceError(
                    f"{place}: the hit has no chromosome (FiNeMo was given no peaks); give regions=, its regions.npz"
                )
            letters = records.letters(hit.chromosome, hit.start, hit.stop, place=place)
            one_hot = np.eye(5)[np.minimum(CODES[np.frombuffer(letters, np.uint8)], 4)][:, :4]
            counts += one_hot[::-1, ::-1] if hit.minus else one_hot
    return _motif(hits, counts, None, None, path)


def _motif(
    hits: list[Hit], counts: Array, contributions: Array | None, hypothetical: Array | None, path: Path
) -> Motif:
    seqlets = Seqlets(len(hits), len(counts), 0, len(counts), contributions, hypothetical)
    if counts.sum(axis=1).min() == 0:
        raise SequenceError(f"{path}: no hit of {quoted(hits[0].motif)} has a base A, C, G or T at every position")
    made = Motif.from_counts(hits[0].motif, counts)
    return Motif(made.name, made.probabilities, source=str(path), seqlets=seqlets)


class _Regions:
    """FiNeMo's regions: sequences, contributions, and where each region begins."""

    def __init__(self, path: Path) -> None:
        arrays, self.path = load_arrays(path), path
        if not {"sequences", "contributions"} <= set(arrays):
            raise SequenceError(
                f"{path}: has the arrays {quoted(sorted(arrays))}; FiNeMo's regions are 'sequences' and 'contributions'"
            )
        self.tokens = as_letters(arrays["sequences"], "NCL", f"{path}: sequences")
        n, width = self.tokens.shape
        given = arrays["contributions"]
        shapes = ((n, width), (n, 4, width))
        if given.dtype.kind not in "fiu" or given.shape not in shapes or not np.isfinite(given).all():
            raise SequenceError(
                f"{path}: contributions of {given.dtype} and shape {given.shape} for {n} regions of {width} bases; "
                f"they are finite numbers, {shapes[0]} or {shapes[1]}"
            )
        self.scores: NDArray[np.float64] = given.astype(np.float64)
        for name in ("peak_region_start", "peak_id"):
            column = arrays.get(name, np.zeros(n, np.int64))
            if column.shape != (n,) or (column.dtype.kind not in "iu" and name == "peak_region_start"):
                raise SequenceError(
                    f"{path}: {name} is {column.dtype} of shape {column.shape}; it has a whole number for each of {n} "
                    "regions: make the file anew"
                )
        self.starts = arrays.get("peak_region_start", np.zeros(n, np.int64))
        self.rows = {str(x): i for i, x in enumerate(arrays.get("peak_id", np.arange(n)).tolist())}

    def motif(self, hits: list[Hit], path: Path) -> Motif:
        """Return the motif of hits, with mean contributions."""
        w = hits[0].stop - hits[0].start
        counts, contributions, hypothetical = np.zeros((3, w, 4))
        for hit in hits:
            place = f"{path}: line {hit.line}"
            if hit.region not in self.rows:
                what = f"region {quoted(hit.region)} is not in" if hit.region else "names no region (peak_id) of"
                raise SequenceError(f"{place}: {what} {self.path}; give hits.tsv with its own regions, or genome=")
            row = self.rows[hit.region]
            first = hit.start - int(self.starts[row])
            if not 0 <= first <= self.tokens.shape[1] - w:
                raise SequenceError(f"{place}: bases {first} to {first + w} lie outside region {hit.region}")
            one_hot = np.eye(5)[self.tokens[row, first : first + w]][:, :4]
            scores = self.scores[row, ..., first : first + w]
            each = np.broadcast_to(scores.T if scores.ndim == 2 else scores[:, None], one_hot.shape)
            turn = -1 if hit.minus else 1
            counts += one_hot[::turn, ::turn]
            contributions += (one_hot * each)[::turn, ::turn]
            hypothetical += each[::turn, ::turn]
        n = len(hits)
        return _motif(hits, counts, contributions / n, hypothetical / n if self.scores.ndim == 3 else None, path)
