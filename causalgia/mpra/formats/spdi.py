"""Variants in SPDI notation: sequence, position from 0, deleted and inserted letters, the same for the same change."""

from __future__ import annotations

from dataclasses import dataclass

from causalgia.errors import LibraryError, quoted
from causalgia.mpra.libraries.tables import row_of, table
from causalgia.sequences.genome import Genome
from causalgia.sequences.vcf import Variant

_BLOCK = 256


@dataclass(frozen=True)
class Spdi:
    """A change in canonical form: no base that both alleles share, but for the stretch in which an indel could lie.

    Attributes
    ----------
    sequence
        Accession or name of the chromosome.
    position
        Of the first deleted base, from 0.
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
        """``SNV`` or ``indel``, as IGVF has it: whatever is not one base for one base is an indel."""
        return "SNV" if len(self.deleted) == len(self.inserted) == 1 else "indel"


def accession_of(chromosome: str, assembly: str | None) -> str:
    """Return the RefSeq accession of a chromosome; its own name where no assembly is said.

    Raises
    ------
    LibraryError
        If the assembly or the chromosome is not in the table.

    Examples
    --------
    >>> accession_of("chr1", "GRCh38"), accession_of("2", "GRCh37"), accession_of("scaffold7", None)
    ('NC_000001.11', 'NC_000002.11', 'scaffold7')
    """
    if assembly is None:
        return chromosome
    _, rows = row_of(
        table("accessions"), assembly, "assembly", cure="leave assembly= out: chromosomes keep their names"
    )
    name = chromosome if chromosome in rows else f"chr{chromosome}"
    if name not in rows:
        raise LibraryError(
            f"chromosome {quoted(chromosome)} has no accession in {assembly}; leave assembly= out to keep "
            "chromosomes' names"
        )
    return str(rows[name])


def canonical(variant: Variant, genome: Genome, *, assembly: str | None = None) -> Spdi:
    """Return a variant in canonical SPDI.

    Bases that both alleles begin or end with are dropped; a pure insertion or deletion is then written over the whole
    stretch within which it could lie without a difference to the sequence.

    References
    ----------
    Holmes et al. (2020), doi:10.1093/bioinformatics/btz856.
    """
    at, deleted, inserted = _trimmed(variant.position, variant.reference, variant.alternate)
    left = right = ""
    if not (deleted and inserted):
        unit = deleted or inserted
        place = f"variant {quoted(variant.name)}"
        left = _rolled(genome, variant.chromosome, at, unit[::-1], -1, place)
        right = _rolled(genome, variant.chromosome, at + len(deleted), unit, 1, place)
    sequence = accession_of(variant.chromosome, assembly)
    return Spdi(sequence, at - len(left), left + deleted + right, left + inserted + right)


def _trimmed(position: int, reference: str, alternate: str) -> tuple[int, str, str]:
    while reference and alternate and reference[-1] == alternate[-1]:
        reference, alternate = reference[:-1], alternate[:-1]
    while reference and alternate and reference[0] == alternate[0]:
        position, reference, alternate = position + 1, reference[1:], alternate[1:]
    return position, reference, alternate


def _rolled(genome: Genome, chromosome: str, at: int, unit: str, step: int, place: str) -> str:
    """Return the letters beside `at` that go on with the unit, rightwards (step 1) or leftwards (-1, unit reversed)."""
    found = ""
    end = genome.length(chromosome, place=place) if step > 0 else 0
    while at != end:
        other = min(at + _BLOCK, end) if step > 0 else max(at - _BLOCK, end)
        letters = genome.letters(chromosome, min(at, other), max(at, other), place=place).decode("latin-1").upper()
        for letter in letters[::step]:
            if letter != unit[len(found) % len(unit)]:
                return found[::step]
            found += letter
        at = other
    return found[::step]
