"""Motifs from the files of motif discovery: tfmodisco HDF5, FiNeMo's hits, and text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import (
    SequenceError,
    quoted,
)
from causalgia.inputs import check_path, open_regular_file, parse_int
from causalgia.sequences.alphabet import CODES
from causalgia.sequences.genome import Genome
from causalgia.sequences.motif_files import read_motifs
from causalgia.sequences.motifs import Motif, Seqlets
from causalgia.sequences.text_files import numbered_lines, read_text, text_head
from causalgia.types import Array

if TYPE_CHECKING:
    import h5py

HDF5 = b"\x89HDF\r\n\x1a\n"
_PATTERN_GROUPS = ("pos_patterns", "neg_patterns")
_OLD = "metacluster_idx_to_submetacluster_results"
# most positions of a pattern, and most patterns
_LONGEST_PATTERN = 10_000
# share of the largest contribution below which outer positions are cut off
_TRIM = 0.3
_MOST_PATTERNS = 100_000


def read_patterns(
    path: str | PathLike[str],
    *,
    genome: str | PathLike[str] | None = None,
) -> dict[str, Motif]:
    r"""Read patterns found by motif discovery, or motifs of a text file.

    HDF5 of tfmodisco-lite and FiNeMo's ``hits.tsv`` or ``hits.bed`` are known by their
    content; the text of MEME, JASPAR, HOMER, TRANSFAC and Cluster-Buster is read by
    `causalgia.sequences.read_motifs`. Each pattern is a `causalgia.sequences.Motif`,
    which every intervention takes; those of tfmodisco and FiNeMo carry their seqlets
    (``motif.seqlets``): how many there were, and their contributions.

    Parameters
    ----------
    path
        The file, text plain or gzip-compressed.
    genome
        FiNeMo: the FASTA or .2bit file with the chromosomes of the hits; the motif is the
        base frequency of the hits' strings.

    Returns
    -------
    dict
        Name -> motif, in the order of the file: ``"pos_patterns.pattern_0"`` for
        tfmodisco (the name that FiNeMo gives), the motif's own name elsewhere.

    Raises
    ------
    SequenceError
        If the file is absent, of no such format or malformed, has links to other files,
        a pattern has no position left, hits come without `genome` or lie outside it, or
        a genome is given with patterns.

    References
    ----------
    Shrikumar et al. (2018), arXiv:1811.00416: TF-MoDISco.

    Examples
    --------
    >>> import h5py, tempfile
    >>> path = Path(tempfile.mkdtemp()) / "modisco.h5"
    >>> with h5py.File(path, "w") as file:
    ...     group = file.create_group("pos_patterns/pattern_0")
    ...     group["sequence"] = np.eye(4)[[3, 2, 0, 3, 0, 0, 1]]
    ...     group["contrib_scores"] = np.eye(4)[[3, 2, 0, 3, 0, 0, 1]] * [
    ...         [0.1],
    ...         [2],
    ...         [2],
    ...         [2],
    ...         [2],
    ...         [1],
    ...         [0],
    ...     ]
    ...     group["hypothetical_contribs"] = group["contrib_scores"][:]
    ...     group["seqlets/n_seqlets"] = np.array([120])
    >>> patterns = read_patterns(path)
    >>> gata = patterns["pos_patterns.pattern_0"]
    >>> gata.consensus, gata.seqlets.n, len(gata.seqlets.contributions)
    ('GATAA', 120, 7)
    """
    check_path(path, "modisco.h5", SequenceError)
    with open_regular_file(path, SequenceError) as file:
        is_hdf5 = file.read(8) == HDF5
    is_table = not is_hdf5 and is_hit_table(path)
    if (genome is not None) != is_table:
        raise SequenceError(
            f"{path}: genome={quoted(genome)}: a FASTA or .2bit file goes with hits, "
            "which have places and no bases, and with nothing else",
            argument="genome",
        )
    if is_hdf5:
        return _read_modisco(Path(path))
    return read_motifs(path) if genome is None else hit_motifs(path, genome)


def _read_modisco(path: Path) -> dict[str, Motif]:
    with opened_hdf5(path) as file:
        groups = [name for name in _PATTERN_GROUPS if name in file]
        if not groups:
            raise SequenceError(f"{path}: {_what_else(list(file))}")
        found = {}
        for group in groups:
            patterns = _group(file, group, path)
            names = [name for name in patterns if re.fullmatch(r"pattern_\d+", name)]
            names.sort(key=lambda name: int(name.rpartition("_")[2]))
            if len(names) > _MOST_PATTERNS:
                raise SequenceError(
                    f"{path}: {group} has {len(names):,} patterns, and at most "
                    f"{_MOST_PATTERNS:,} are read"
                )
            for name in names:
                key = f"{group}.{name}"
                found[key] = _pattern(_group(patterns, name, path), key, path)
    if not found:
        raise SequenceError(
            f"{path}: {' and '.join(groups)} hold no pattern_0; tfmodisco found none, "
            "or stopped early"
        )
    return found


def _what_else(names: list[str]) -> str:
    if _OLD in names:
        return (
            "is of the first TF-MoDISco; rewrite it with `modisco convert` of "
            "modisco-lite"
        )
    if "obs" in names and "var" in names:
        return (
            "is an AnnData file, which holds regions and no motifs; write them as BED "
            "for cg.read_sequences"
        )
    if names and {"shap", "raw"} & set(names):
        return "holds contributions; run tfmodisco on them, and give the file it writes"
    return (
        "no pos_patterns or neg_patterns, as tfmodisco writes them; it has "
        f"{quoted(names[:6])}"
    )


@contextmanager
def opened_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file; what h5py raises in the block is an error that names it."""
    from causalgia.store import as_damage_error, check_hdf5_installed

    check_hdf5_installed()
    import h5py

    with as_damage_error(path, "HDF5", SequenceError), h5py.File(path, "r") as file:
        yield file


def _member(group: h5py.Group, name: str, path: Path) -> Any:
    """Return a member of a group."""
    if name not in group:
        raise SequenceError(
            f"{path}: {group.name} lacks {quoted(name)}; tfmodisco writes it for each "
            "pattern"
        )
    return group[name]


def _group(parent: h5py.Group, name: str, path: Path) -> h5py.Group:
    import h5py

    found = _member(parent, name, path)
    if not isinstance(found, h5py.Group):
        raise SequenceError(
            f"{path}: {found.name} is an array, and tfmodisco has a group there; make "
            "the file anew"
        )
    return found


def _array(parent: h5py.Group, name: str, path: Path) -> NDArray[np.float64]:
    """Return a table of numbers of four columns, (w, 4)."""
    import h5py

    found = _member(parent, name, path)
    if not isinstance(found, h5py.Dataset):
        raise SequenceError(
            f"{path}: {found.name} is a group, and tfmodisco has an array there; make "
            "the file anew"
        )
    shape: tuple[int, ...] = found.shape or ()
    if (
        len(shape) != 2
        or shape[1] != 4
        or not 1 <= shape[0] <= _LONGEST_PATTERN
        or found.dtype.kind not in "fiub"
    ):
        raise SequenceError(
            f"{path}: {found.name} is {found.dtype} of shape {shape}; a pattern has 1 "
            f"to {_LONGEST_PATTERN:,} rows of A, C, G, T"
        )
    values: NDArray[np.float64] = found[()].astype(np.float64)
    if not np.isfinite(values).all():
        at = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise SequenceError(
            f"{path}: {found.name} has {values[at][~np.isfinite(values[at])][0]} at "
            f"position {at}"
        )
    return values


def _pattern(group: h5py.Group, name: str, path: Path) -> Motif:
    tables = {
        key: _array(group, key, path)
        for key in ("sequence", "contrib_scores", "hypothetical_contribs")
    }
    sequence, contributions, hypothetical = tables.values()
    if len({len(table) for table in tables.values()}) > 1:
        lengths = {key: len(table) for key, table in tables.items()}
        raise SequenceError(
            f"{path}: {name} has tables of several lengths, {lengths}; make the file "
            "anew"
        )
    start, stop = trimmed(contributions, _TRIM)
    probabilities = _frequencies(sequence[start:stop], f"{path}: {name}")
    found = _member(_group(group, "seqlets", path), "n_seqlets", path)
    number = (
        np.asarray(found[()]).reshape(-1)
        if getattr(found, "size", 0) == 1
        else np.empty(0)
    )
    if number.size != 1 or number.dtype.kind not in "iuf" or number[0] < 1:
        raise SequenceError(
            f"{path}: {found.name} is not one number of seqlets; make the file anew"
        )
    seqlets = Seqlets(
        int(number[0]), len(sequence), start, stop, contributions, hypothetical
    )
    return Motif(name, probabilities, source=str(path), seqlets=seqlets)


def trimmed(contributions: Array, share: float) -> tuple[int, int]:
    """Return the stretch of a pattern between the outermost positions of a large
    contribution.

    A position is kept if its sum of absolute contributions is at least `share` of the
    largest, or lies between two such positions, as in FiNeMo and in tfmodisco's report.

    Examples
    --------
    >>> trimmed(np.diag([0.1, 1.0, 0.2, -0.9])[:, :4], 0.3)
    (1, 4)
    """
    size = np.abs(contributions).sum(axis=1)
    retained = np.flatnonzero(size >= share * size.max())
    return int(retained[0]), int(retained[-1]) + 1


def _frequencies(table: Array, place: str) -> Any:
    totals = table.sum(axis=1, keepdims=True)
    if table.min() < 0 or totals.min() <= 0:
        at = int(
            np.argmin(
                np.minimum(table.min(axis=1), totals[:, 0] - np.finfo(float).tiny)
            )
        )
        raise SequenceError(
            f"{place}: position {at} of its trimmed part has base frequencies "
            f"{table[at].round(3).tolist()}; they are not negative and some base has "
            "one: make the file anew"
        )
    return tuple(map(tuple, (table / totals).tolist()))


_BED = ("chr", "start", "end", "motif_name", "score", "strand")
_NEEDED = ("chr", "start", "end", "motif_name", "strand")
_NO_CHROMOSOME = ("NA", "", ".")


class Hit(NamedTuple):
    """A hit: its place and its strand."""

    chromosome: str
    start: int
    stop: int
    motif: str
    minus: bool
    line: int


def is_hit_table(path: str | PathLike[str]) -> bool:
    r"""Say whether a text file is FiNeMo's ``hits.tsv``, by its header, or
    ``hits.bed``, by six columns of BED.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "hits.bed"
    >>> _ = path.write_text("chr1\t5\t9\tpos_patterns.pattern_0\t912.5\t-\n")
    >>> is_hit_table(path)
    True
    """
    columns = _first_line(path).split("\t")
    if set(_NEEDED) <= set(columns):
        return True
    return (
        len(columns) >= 6
        and columns[1].isdigit()
        and columns[2].isdigit()
        and columns[5] in ("+", "-", ".")
    )


def _first_line(path: str | PathLike[str]) -> str:
    lines = (line for _, line in numbered_lines(text_head(path)))
    return next((line for line in lines if not line.startswith("#")), "")


def hit_motifs(
    path: str | PathLike[str],
    genome: str | PathLike[str],
) -> dict[str, Motif]:
    """Return the motif of each name among hits, in the order of its first hit.

    Hits that stand at one place on one strand count once. At each position only A, C, G
    and T count.

    Raises
    ------
    SequenceError
        If the table is malformed, hits of a motif differ in width, or one lies outside
        the genome or its region.
    """
    hits = list({hit[:5]: hit for hit in _hits_in(path)}.values())
    by_name: dict[str, list[Hit]] = {}
    for hit in hits:
        by_name.setdefault(hit.motif, []).append(hit)
    for name, found in by_name.items():
        widths = sorted({hit.stop - hit.start for hit in found})
        if len(widths) > 1:
            raise SequenceError(
                f"{path}: hits of {quoted(name)} are {widths[:4]} bases wide; one "
                "motif has one width"
            )
    return {name: _in_genome(found, genome, path) for name, found in by_name.items()}


def _hits_in(path: str | PathLike[str]) -> Iterable[Hit]:
    lines = [
        (n, line.split("\t"))
        for n, line in numbered_lines(read_text(path))
        if not line.startswith("#")
    ]
    header, rows = (
        (lines[0][1], lines[1:])
        if set(_NEEDED) <= set(lines[0][1])
        else (list(_BED), lines)
    )
    if not rows:
        raise SequenceError(
            f"{path}: no hits; FiNeMo found none, or the file is cut short"
        )
    at = {name: header.index(name) for name in _NEEDED}
    for number, row in rows:
        place = f"{path}: line {number}"
        if len(row) <= max(at.values()):
            raise SequenceError(
                f"{place}: {len(row)} columns, and the table has {len(header)}; the "
                "line is cut short"
            )
        start, stop = (
            parse_int(row[at[name]], SequenceError, source=f"{place}: {name}")
            for name in ("start", "end")
        )
        strand, name = row[at["strand"]], row[at["motif_name"]]
        if start >= stop or strand not in ("+", "-") or not name:
            lost = (
                "; a motif has no orientation without its strand: take the hits as "
                "FiNeMo wrote them"
            )
            raise SequenceError(
                f"{place}: {quoted(name)} from {start} to {stop} on strand "
                f"{quoted(strand)}; a hit has a name, start < end, and strand + or "
                f"-{lost if strand == '.' else ''}"
            )
        yield Hit(row[at["chr"]], start, stop, name, strand == "-", number)


def _in_genome(
    hits: list[Hit], genome: str | PathLike[str], path: str | PathLike[str]
) -> Motif:
    counts = np.zeros((hits[0].stop - hits[0].start, 4))
    with Genome(genome) as records:
        for hit in hits:
            place = f"{path}: line {hit.line}"
            if hit.chromosome in _NO_CHROMOSOME:
                raise SequenceError(
                    f"{place}: the hit has no chromosome (FiNeMo was given no peaks)"
                )
            if hit.stop > (size := records.length(hit.chromosome, place=place)):
                raise SequenceError(
                    f"{place}: the hit ends at base {hit.stop} of {hit.chromosome}, "
                    f"which has {size} in {genome}; give the genome in which the hits "
                    "were called"
                )
            letters = records.letters(hit.chromosome, hit.start, hit.stop, place=place)
            one_hot = np.eye(5)[np.minimum(CODES[np.frombuffer(letters, np.uint8)], 4)][
                :, :4
            ]
            counts += one_hot[::-1, ::-1] if hit.minus else one_hot
    seqlets = Seqlets(len(hits), len(counts), 0, len(counts), None, None)
    if counts.sum(axis=1).min() == 0:
        raise SequenceError(
            f"{path}: no hit of {quoted(hits[0].motif)} has a base A, C, G or T at "
            "every position"
        )
    made = Motif.from_counts(hits[0].motif, counts)
    return Motif(made.name, made.probabilities, source=str(path), seqlets=seqlets)
