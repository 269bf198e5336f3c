"""Tiles of genomic regions, each under one arm, for the activity of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar

from causalgia.checks import as_count
from causalgia.design import Arm, Design, Genomic, Untreated
from causalgia.errors import DesignError, quoted
from causalgia.sequences.fasta import as_sequences, is_path
from causalgia.sequences.genome import Genome
from causalgia.sequences.intervals import Intervals, read_bed

TILE = "tile"


@dataclass(frozen=True, kw_only=True)
class Tiling(Design):
    """A design of one arm, ``tile``, in which each unit is a tile of a region."""

    least_arms: ClassVar[int] = 1


def tiling(
    region: Intervals | Mapping[str, str],
    width: int,
    step: int,
    *,
    fasta: str | PathLike[str] | None = None,
) -> Tiling:
    r"""Return the design of tiles of regions, for the activity of each of them.

    A region of length L has the tiles ``[k step, k step + width)``, k = 0, 1, ..., and
    one that ends at L. The estimand is the mean log2(RNA/DNA) of each tile, which
    `causalgia.mpra.activity` estimates and compares with the negative controls:
    `causalgia.mpra.Controls` of the library, 100 or more.

    Parameters
    ----------
    region
        Letters; name -> letters; a FASTA or .2bit file, whose records are regions; or,
        with `fasta`, a BED file or a table with ``chrom, start, end``.
    width
        Bases of a tile: the insert of the oligo.
    step
        Bases from the start of a tile to that of the next one.
    fasta
        The genome of a BED file, FASTA or .2bit.

    Returns
    -------
    Design
        With the arm ``tile``, units ``name:start-end`` (from 0, the end excluded) whose
        parent is the region, for `causalgia.mpra.library` and `causalgia.run`. A tile of
        two overlapping regions is one unit.

    Raises
    ------
    DesignError
        If a region is shorter than a tile.
    SequenceError
        If a file cannot be read, an interval leaves its chromosome, or a tile has
        letters that are not bases.

    References
    ----------
    Ernst, Melnikov, Zhang, Wang, Rogov, Mikkelsen & Kellis (2016),
    doi:10.1038/nbt.3678.

    Examples
    --------
    >>> design = tiling({"enhancer": "ACGTTGCCATAGATAAGCTCTTGCA"}, width=10, step=8)
    >>> list(design.null.of.names), design.arm_names
    (['enhancer:0-10', 'enhancer:8-18', 'enhancer:15-25'], ['tile'])
    """
    width, step = as_count(width, "width"), as_count(step, "step")
    tiles: dict[str, str] = {}
    parents: list[str] = []
    for name, first, letters in _regions(region, fasta):
        last = len(letters) - width
        if last < 0:
            raise DesignError(
                f"width={width}: region {quoted(name)} has {len(letters)} bases",
                argument="width",
            )
        for start in [*range(0, last, step), last]:
            tile = f"{name}:{first + start}-{first + start + width}"
            if tile not in tiles:
                tiles[tile] = letters[start : start + width]
                parents.append(f"{name}:{first}")
    return Tiling(
        null=Genomic(of=as_sequences(tiles), parent=parents),
        arms=[Arm(TILE, Untreated())],
        n_units=len(tiles),
    )


def _regions(
    region: Any,
    fasta: str | PathLike[str] | None,
) -> Iterator[tuple[str, int, str]]:
    """Yield the name, the first position and the letters of each region."""
    if isinstance(region, Mapping):
        if fasta is not None:
            raise DesignError("fasta= is the genome of a BED file", argument="fasta")
        yield from ((str(name), 0, letters) for name, letters in region.items())
    elif fasta is not None:
        with Genome(fasta) as genome:
            for one in read_bed(region, length=1, center="middle", stranded=False):
                place = f"region=: line {one.line}"
                found = genome.letters(one.chromosome, *one.interval, place=place)
                yield one.chromosome, one.interval[0], found.decode().upper()
    elif isinstance(region, str) and not is_path(region):
        as_sequences(region)
        yield "region", 0, region
    else:
        with Genome(region) as genome:
            for name, n in genome.lengths.items():
                found = genome.letters(name, 0, n, place=str(region))
                yield name, 0, found.decode().upper()
