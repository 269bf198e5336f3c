"""Libraries of variants: windows of a genome around each, with the reference and the
alternate allele.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.attributes import about
from causalgia.checks import as_int, is_whole
from causalgia.choices import VARIANT_SKIPS
from causalgia.design import Design, Genomic
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.experiments.kit.own_contexts import arms_of, window_loci
from causalgia.inputs import to_csv
from causalgia.mpra.formats.text_tables import write_text
from causalgia.mpra.libraries.constructs import data_table, find_row
from causalgia.schema import annotate
from causalgia.sequences.fasta import Sequences
from causalgia.sequences.genome import Genome
from causalgia.sequences.listed_variants import ListedVariants, listed_variants
from causalgia.sequences.skipped_inputs import (
    Skip,
    as_skip,
    skip_sentence,
    skipped_table,
)
from causalgia.sequences.variant_files import (
    Variant,
    VariantTable,
    check_alleles,
    read_variants,
)
from causalgia.sequences.windowed_variants import (
    VariantWindows,
    allele_width,
    variant_windows,
)

REF, ALT = "ref", "alt"
#: library variables that describe the variant of an oligo, with their values for none
ANNOTATION: dict[str, str | int] = {
    "variant": "",
    "SPDI": "",
    "allele": "",
    "variant_class": "",
    "variant_pos": -1,
    "assembly": "",
    "chromosome": "",
    "start": -1,
    "end": -1,
}


@dataclass(frozen=True)
class Tile:
    """A variant in a window of the genome.

    Attributes
    ----------
    variant
        The variant, left-normalized, under the name that was given.
    spdi
        In canonical form.
    start
        Start of the window on the chromosome, from 0.
    offset
        Requested distance of the allele's middle to the right of the insert's middle,
        in bases.
    moved
        Bases by which the window was shifted to the left because another tile has the
        same reference.
    assembly
        Genome assembly, if given.
    """

    variant: Variant
    spdi: Spdi
    start: int
    offset: int
    moved: int = 0
    assembly: str | None = None

    @property
    def name(self) -> str:
        """SPDI of the variant and, unless it is in the middle, the offset."""
        return f"{self.spdi}.{self.offset:+d}" if self.offset else str(self.spdi)

    @property
    def variant_pos(self) -> int:
        """Start of the canonical form in the insert, from 0; 0 where it starts before
        the insert.
        """
        return max(self.spdi.position - self.start, 0)


@dataclass(frozen=True, kw_only=True)
class VariantTiles(Design):
    """A design of variants in their own contexts, with arms ``ref`` and ``alt``; a unit
    is a variant in a window.

    Attributes
    ----------
    tiles
        The tile of each unit, in order.
    listed
        The variants as they were written, the different ones among them, and those left
        out.
    """

    tiles: tuple[Tile, ...] = field(default=(), compare=False, repr=False)
    listed: ListedVariants = field(
        default=ListedVariants((), (), ()), compare=False, repr=False
    )

    @property
    def skipped(self) -> pd.DataFrame:
        """A row for each variant that ``skip=`` left out: its name, the reason, the
        line, its place and alleles.
        """
        return pd.DataFrame(skipped_table(self.listed.skipped))

    @property
    def account(self) -> tuple[str, ...]:
        """Sentences on variants that are one under two writings, and on those left
        out.
        """
        n = len(self.listed.listed)
        same = self.listed.same_sentence.replace("tested", "tiled")
        left_out = skip_sentence(self.listed.skipped, n, "variants")
        return tuple(f"{x[0].upper()}{x[1:]}." for x in (same, left_out) if x)

    def write_skipped(self, path: str | PathLike[str]) -> Path:
        """Write `skipped` as tab-separated text, such as ``skipped.tsv``."""
        return write_text(path, to_csv(self.skipped, index=False, tabs=True))

    def annotate(self, library: xr.Dataset) -> xr.Dataset:
        """Return a library of these tiles with the variant of each oligo, for the IGVF
        tables.

        Variables ``variant, SPDI, allele, variant_class, variant_pos, assembly,
        chromosome, start, end`` (row); oligos that are not units have empty text and
        -1.

        Raises
        ------
        DesignError
            If the library is of another design.
        """
        known = about(library, self.fingerprint).design_fingerprint
        if known != self.fingerprint:
            raise DesignError(
                f"the library is of design {known}, the tiles are {self.fingerprint}: "
                "annotate the library that was made from them"
            )
        units, arms = (
            library["unit"].to_numpy().tolist(),
            library["arm"].to_numpy().tolist(),
        )
        rows = [self._row(unit, arm) for unit, arm in zip(units, arms, strict=True)]
        columns = {
            name: ("row", np.array([row[name] for row in rows])) for name in ANNOTATION
        }
        return annotate(library.assign(columns))

    def _row(self, unit: int, arm: str) -> dict[str, str | int]:
        if unit < 0 or arm not in (REF, ALT):
            return ANNOTATION
        tile = self.tiles[unit]
        longer = (
            len(tile.variant.reference) - len(tile.variant.alternate)
            if arm == ALT
            else 0
        )
        return {
            "variant": tile.variant.name,
            "SPDI": str(tile.spdi),
            "allele": arm,
            "variant_class": tile.spdi.variant_class,
            "variant_pos": tile.variant_pos,
            "assembly": tile.assembly or "",
            "chromosome": tile.variant.chromosome,
            "start": tile.start,
            "end": tile.start + self.null.length + longer,
        }


def variant_tiles(
    variants: VariantTable,
    fasta: str | PathLike[str],
    *,
    insert_length: int,
    offsets: Sequence[int] = (0,),
    assembly: str | None = None,
    skip: Skip = (),
) -> VariantTiles:
    r"""Return a design that tests both alleles of variants, each in one or more windows
    of its genome.

    A unit is a variant in a window; its arms ``ref`` and ``alt`` are the window of the
    genome and the window with the alternate allele. Both have `insert_length` bases:
    they agree up to the allele, and after an indel bases are added from or lost to the
    genome at the 3' end. Overlapping windows have one parent, so their units form one
    cluster.

    Alleles are left-normalized, and an indel in a repeat is placed by its leftmost
    writing. Variants that make the same sequence are one variant with one tile a window
    (`VariantTiles.account` counts them).

    Two tiles with the same reference (two alternates of one place, or coinciding
    windows) could not be distinguished in a pool, so the later one is shifted to the
    left, base by base; `Tile.moved` records it.

    Parameters
    ----------
    variants
        The variants in any form that `causalgia.sequences.read_variants` reads: a VCF
        file, a table, ``["chr1:42:A:G"]``, `causalgia.sequences.Variant` values.
    fasta
        The genome, FASTA or .2bit; lower case is read as upper case.
    insert_length
        Bases of an insert: the oligo without adapters and barcode.
    offsets
        One tile for each: distance of the allele's middle to the right of the insert's
        middle, in bases.
    assembly
        ``"GRCh37"`` or ``"GRCh38"``, for RefSeq accessions in SPDI. None: chromosome
        names of the genome.
    skip
        Reasons for which variants are left out instead of refused, or ``"all"``, as in
        `causalgia.experiments.variants`. ``"long"``: an allele that leaves the insert at
        one of the offsets; ``"edge"`` and ``"N"`` are about all windows of a variant.
        `VariantTiles.skipped` lists them.

    Returns
    -------
    VariantTiles
        A `causalgia.Design` with contrast ``alt`` against ``ref`` and the tile of each
        unit in ``tiles``, for `causalgia.mpra.library` and `causalgia.run`.

    Raises
    ------
    SequenceError
        If a file cannot be read, a variant is malformed, or the genome lacks its
        chromosome or place or has another reference allele there; the message names the
        variant.
    DesignError
        If an option has the wrong type, an allele leaves its window, or both alleles
        give the same window (an indel in a repeat that reaches the end); the message
        names the variant and the cure.

    References
    ----------
    Alleles as arms of a reporter assay: Tewhey et al. (2016),
    doi:10.1016/j.cell.2016.04.027.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "genome.fa").write_text(
    ...     ">chr1\n" + "ACGTTGCCAT" * 4 + "AGATAAGCTC" + "ACGTTGCCAT" * 4
    ... )
    >>> _ = (folder / "two.vcf").write_text(
    ...     "chr1\t43\trs1\tA\tC\nchr1\t51\trs2\tACG\tA\n"
    ... )
    >>> tiles = variant_tiles(
    ...     folder / "two.vcf", folder / "genome.fa", insert_length=20, offsets=(0, 5)
    ... )
    >>> [tile.name for tile in tiles.tiles]
    ['chr1:42:A:C', 'chr1:42:A:C.+5', 'chr1:51:CG:', 'chr1:51:CG:.+5']
    >>> tiles.arm_names, tiles.n_units
    (['ref', 'alt'], 4)
    """
    reasons = as_skip(skip, VARIANT_SKIPS, what="variants")
    chosen = read_variants(variants, skip=skip)
    _check_options(chosen, insert_length, offsets)
    lowest, highest = min(offsets), max(offsets)

    def span(variant: Variant, i: int) -> tuple[int, int]:  # noqa: ARG001
        first = variant.position - _allele_start(variant, insert_length, highest)
        last = variant.position - _allele_start(variant, insert_length, lowest)
        lost = max(len(variant.reference) - len(variant.alternate), 0)
        return first, last + insert_length + lost

    try:
        listed = listed_variants(
            chosen,
            fasta,
            skip=reasons,
            span=span,
            widest=_widest_allele(insert_length, lowest, highest),
        )
        if "unchanged" in reasons:
            _check_alleles_fit(listed.haplotypes, insert_length, offsets)
            listed = _changed(listed, fasta, insert_length, offsets)
        usable = listed.haplotypes
        with Genome(fasta) as genome:
            letters_of = partial(_genome_letters, genome=genome)
            check_alleles(usable, [*map(letters_of, usable)], genome.path)
            spdi = [canonical_spdi(x, genome, assembly=assembly) for x in usable]
    except SequenceError as error:
        if not isinstance(variants, str | PathLike):
            raise
        raise type(error)(f"{variants!s}: {error}") from error
    _check_alleles_fit(usable, insert_length, offsets)
    pairs = [
        (x, s, offset) for x, s in zip(usable, spdi, strict=True) for offset in offsets
    ]
    # windows are distinct: later duplicates are shifted to the left
    taken: set[tuple[str, int]] = set()
    tiles = []
    for tile in [
        Tile(x, s, x.position - _allele_start(x, insert_length, o), o, 0, assembly)
        for x, s, o in pairs
    ]:
        start = tile.start
        while (tile.variant.chromosome, start) in taken:
            start -= 1
        taken.add((tile.variant.chromosome, start))
        tiles.append(replace(tile, start=start, moved=tile.start - start))
    windows = _cut_windows(tiles, fasta, insert_length)
    return VariantTiles(
        null=Genomic(
            of=Sequences(windows.reference, windows.names), parent=window_loci(windows)
        ),
        arms=arms_of(windows.reference, windows.alternate, windows.aligned, (REF, ALT)),
        n_units=len(tiles),
        contrasts=REF,
        tiles=tuple(tiles),
        listed=listed,
    )


def _changed(
    listed: ListedVariants,
    fasta: str | PathLike[str],
    insert_length: int,
    offsets: Sequence[int],
) -> ListedVariants:
    """Return the list without the indels of which both alleles give one insert at one of
    the offsets.
    """
    indels = {
        i: x
        for i, x in enumerate(listed.haplotypes)
        if len(x.reference) != len(x.alternate)
    }
    same = dict[int, str]()
    for offset in offsets if indels else ():
        begins = [_allele_start(x, insert_length, offset) for x in indels.values()]
        windows = variant_windows(
            list(indels.values()), fasta, length=insert_length, starts=begins
        )
        for i, unchanged in zip(indels, windows.unchanged, strict=True):
            if unchanged:
                same.setdefault(i, f"both alleles give one insert at {offset:+d}")
    return listed.changed(same)


def _check_options(
    chosen: Sequence[Variant], insert_length: int, offsets: Sequence[int]
) -> None:
    if not chosen:
        raise DesignError("variants: there are none; give at least one")
    as_int(insert_length, "insert_length", error=DesignError)
    if not isinstance(offsets, Sequence | np.ndarray) or not all(
        map(is_whole, offsets)
    ):
        raise DesignError(
            f"offsets={quoted(offsets)}: give whole numbers of bases in a list; "
            "(0,) is the middle"
        )
    if not len(offsets) or len(set(offsets)) < len(offsets):
        raise DesignError(
            f"offsets={quoted(tuple(offsets))}: give at least one, each once; (0,) "
            "is the middle"
        )


def _check_alleles_fit(
    chosen: Sequence[Variant], insert_length: int, offsets: Sequence[int]
) -> None:
    def fits(variant: Variant, offset: int) -> bool:
        begin = _allele_start(variant, insert_length, offset)
        return 0 <= begin <= insert_length - allele_width(variant)

    for variant in chosen:
        for offset in offsets:
            if not fits(variant, offset):
                raise DesignError(
                    f"variant {quoted(variant.name)}: at offset {offset:+d} its allele "
                    f"of {allele_width(variant)} bases reaches beyond the insert of "
                    f"{insert_length}; skip='long' leaves it out"
                )


def _widest_allele(insert_length: int, lowest: int, highest: int) -> int:
    """Return the most bases of an allele that stays in the insert at these offsets.

    Examples
    --------
    >>> [_widest_allele(20, *ends) for ends in ((0, 0), (0, 5), (-9, 0), (0, 12))]
    [20, 10, 3, 0]
    """
    middle = insert_length // 2
    left, right = middle + min(lowest, 0), insert_length - middle - max(highest, 0)
    return max(0, min(2 * left + 1, 2 * right))


def _allele_start(variant: Variant, insert_length: int, offset: int) -> int:
    """Return the start of the allele in its insert."""
    return insert_length // 2 - allele_width(variant) // 2 + int(offset)


def _cut_windows(
    tiles: Sequence[Tile], fasta: str | PathLike[str], insert_length: int
) -> VariantWindows:
    """Cut the tiles out of the genome, under their names."""
    named = [replace(tile.variant, name=tile.name) for tile in tiles]
    begins = [tile.variant.position - tile.start for tile in tiles]
    for tile, begin in zip(tiles, begins, strict=True):
        if begin > insert_length - allele_width(tile.variant):
            raise DesignError(
                f"variant {quoted(tile.variant.name)}: {tile.moved} other tiles have "
                "its window, and moved aside it leaves the insert; drop some of the "
                "alternates of its place"
            )
    windows = variant_windows(named, fasta, length=insert_length, starts=begins)
    if (same := windows.unchanged).any():
        tile = tiles[int(np.argmax(same))]
        raise DesignError(
            f"variant {quoted(tile.variant.name)}: both alleles give one insert at "
            f"offset {tile.offset:+d} (an indel in a repeat that reaches the insert's "
            "end); skip='unchanged' leaves it out"
        )
    return windows


def _genome_letters(variant: Variant, genome: Genome) -> str:
    """Return the genome sequence at the place of the reference allele."""
    stop = variant.position + len(variant.reference)
    letters = genome.letters(
        variant.chromosome,
        variant.position,
        stop,
        place=f"variant {quoted(variant.name)}",
    )
    return letters.decode("latin-1").upper()


_BASES_A_READ = 256


@dataclass(frozen=True)
class Spdi:
    """A variant in canonical SPDI form: alleles trimmed of shared bases, indels
    extended over their ambiguous range.

    Attributes
    ----------
    sequence
        Accession or name of the chromosome.
    position
        First deleted base, from 0.
    deleted, inserted
        Letters; either may be empty.
    """

    sequence: str
    position: int
    deleted: str
    inserted: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.position}:{self.deleted}:{self.inserted}"

    @property
    def variant_class(self) -> str:
        """``SNV`` or ``indel`` as in IGVF: anything but one base for one base is an
        indel.
        """
        return "SNV" if len(self.deleted) == len(self.inserted) == 1 else "indel"


def accession_of(chromosome: str, assembly: str | None) -> str:
    """Return the RefSeq accession of a chromosome; its own name without an assembly.

    Raises
    ------
    DesignError
        If the assembly or the chromosome is not in the table.

    Examples
    --------
    >>> (
    ...     accession_of("chr1", "GRCh38"),
    ...     accession_of("2", "GRCh37"),
    ...     accession_of("scaffold7", None),
    ... )
    ('NC_000001.11', 'NC_000002.11', 'scaffold7')
    """
    if assembly is None:
        return chromosome
    _, rows = find_row(
        data_table("accessions"),
        assembly,
        "assembly",
        cure="leave assembly= out: chromosomes keep their names",
    )
    name = chromosome if chromosome in rows else f"chr{chromosome}"
    if name not in rows:
        raise DesignError(
            f"chromosome {quoted(chromosome)} has no accession in {assembly}; leave "
            "assembly= out to keep chromosomes' names"
        )
    return str(rows[name])


def canonical_spdi(
    variant: Variant, genome: Genome, *, assembly: str | None = None
) -> Spdi:
    """Return a variant in canonical SPDI.

    Bases shared by the starts or ends of both alleles are trimmed; a pure insertion or
    deletion is then extended over the whole range in which it could lie without
    changing the sequence.

    References
    ----------
    Holmes et al. (2020), doi:10.1093/bioinformatics/btz856.
    """
    at, deleted, inserted = variant.position, variant.reference, variant.alternate
    while deleted and inserted and deleted[-1] == inserted[-1]:
        deleted, inserted = deleted[:-1], inserted[:-1]
    while deleted and inserted and deleted[0] == inserted[0]:
        at, deleted, inserted = at + 1, deleted[1:], inserted[1:]
    left = right = ""
    if not (deleted and inserted):
        unit = deleted or inserted
        place = f"variant {quoted(variant.name)}"
        left = _repeat_extension(genome, variant.chromosome, at, unit[::-1], -1, place)
        right = _repeat_extension(
            genome, variant.chromosome, at + len(deleted), unit, 1, place
        )
    sequence = accession_of(variant.chromosome, assembly)
    return Spdi(
        sequence, at - len(left), left + deleted + right, left + inserted + right
    )


def _repeat_extension(
    genome: Genome, chromosome: str, at: int, unit: str, step: int, place: str
) -> str:
    """Return the bases beside `at` that continue the unit, rightwards (step 1) or
    leftwards (-1, unit reversed).
    """
    found = ""
    end = genome.length(chromosome, place=place) if step > 0 else 0
    while at != end:
        other = (
            min(at + _BASES_A_READ, end) if step > 0 else max(at - _BASES_A_READ, end)
        )
        letters = (
            genome.letters(chromosome, min(at, other), max(at, other), place=place)
            .decode("latin-1")
            .upper()
        )
        for letter in letters[::step]:
            if letter != unit[len(found) % len(unit)]:
                return found[::step]
            found += letter
        at = other
    return found[::step]
