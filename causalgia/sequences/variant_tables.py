"""Variants from tables: VCF, and the five tab-separated schemas of variant-scorer; variants that a genome lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from typing import NamedTuple

from causalgia.choices import SCHEMAS, Schema
from causalgia.errors import SequenceError, quoted
from causalgia.inputs import parse_int
from causalgia.sequences.genome import Genome
from causalgia.sequences.text_files import check_not_fasta, numbered_lines, read_text
from causalgia.sequences.vcf import Variant, as_variants, read_vcf

_COLUMNS: dict[str, tuple[str, ...]] = {
    "original": ("chromosome", "position", "name", "reference", "alternate"),
    "bed": ("chromosome", "position", "end", "reference", "alternate", "name"),
    "plink": ("chromosome", "name", "", "position", "reference", "alternate"),
    "plink2": ("chromosome", "name", "position", "reference", "alternate"),
    "chrombpnet": ("chromosome", "position", "reference", "alternate", "name"),
}


def read_variants(path: str | PathLike[str], *, schema: Schema = "vcf") -> tuple[Variant, ...]:
    r"""Read variants from a VCF file or a tab-separated table, plain or gzip-compressed, in its order.

    Use it for lists of variants of other tools. The tables are those of variant-scorer and have no header:

    ==============  ====================================================================
    ``original``    chromosome, position, name, allele 1, allele 2
    ``bed``         chromosome, start, end, allele 1, allele 2, name; **counted from 0**
    ``plink``       chromosome, name, (ignored), position, allele 1, allele 2
    ``plink2``      chromosome, name, position, allele 1, allele 2
    ``chrombpnet``  chromosome, position, allele 1, allele 2, name
    ==============  ====================================================================

    Positions are counted from 1 but in ``bed``. Allele 1 is the reference and allele 2 the alternate, as variant-scorer
    has it: the genome tells whether that is so (`variant_windows`). Several alternates in one cell, separated by
    commas, are a variant each. Chromosomes keep their spelling. A variant without a name (``.``), or that shares one,
    is named ``chromosome:POS:reference>alternate``.

    Parameters
    ----------
    path
        The file.
    schema
        ``"vcf"``, or one of the five above.

    Raises
    ------
    SequenceError
        If there is no such schema, the file cannot be read or has no variants, a line has other columns than the schema
        or a malformed value, an allele is not a word of A, C, G, T, or a variant is repeated. The message names file
        and line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.bed"
    >>> _ = path.write_text("chr1\t41\t42\tA\tG\trs1\nchr1\t49\t51\tCA\tC\t.\n")
    >>> [(v.name, v.position) for v in read_variants(path, schema="bed")]
    [('rs1', 41), ('chr1:50:CA>C', 49)]
    """
    if schema not in SCHEMAS:
        known = ", ".join(map(quoted, SCHEMAS))
        raise SequenceError(f"schema={quoted(schema)} is not one of {known}; it names the columns of the file")
    if schema == "vcf":
        return read_vcf(path)
    text = read_text(path)
    check_not_fasta(text, path, "give the file of variants first, then the FASTA file of the genome")
    found: dict[str, tuple[int, Variant]] = {}
    for number, line in numbered_lines(text):
        if line.startswith("#"):
            continue
        if not found and {"chr", "chrom", "pos", "start"} & set(line.lower().split()):
            raise SequenceError(
                f"{path}: line {number} is a header, and the schemas have none; drop it, or begin it with #"
            )
        for variant in _variants_of_row(line, schema, f"{path}: line {number}"):
            if variant.written in found:
                lines = f"lines {found[variant.written][0]} and {number}"
                raise SequenceError(f"{path}: {lines} give the same variant {variant.written}; drop one")
            found[variant.written] = number, variant
    if not found:
        raise SequenceError(f"{path}: no variants; schema={quoted(schema)} has the columns {_column_names(schema)}")
    shared = Counter(variant.name for _, variant in found.values())
    return tuple(x if shared[x.name] == 1 else replace(x, name="") for _, x in found.values())


def _column_names(schema: str) -> str:
    return ", ".join(name or "(ignored)" for name in _COLUMNS[schema])


def _variants_of_row(line: str, schema: str, place: str) -> list[Variant]:
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) != len(_COLUMNS[schema]):
        raise SequenceError(
            f"{place}: {len(cells)} columns separated by tabs, and schema={quoted(schema)} has "
            f"{len(_COLUMNS[schema])}: {_column_names(schema)}; give the schema that the file has"
        )
    row = dict(zip(_COLUMNS[schema], cells, strict=True))
    first = 0 if schema == "bed" else 1
    position = parse_int(row["position"], SequenceError, source=f"{place}: position")
    if position < first:
        raise SequenceError(f"{place}: position {position}; schema={quoted(schema)} counts from {first}")
    if "end" in row:
        end = parse_int(row["end"], SequenceError, source=f"{place}: end")
        if end not in (position + 1, position + len(row["reference"])):
            raise SequenceError(
                f"{place}: [{position}, {end}) has {end - position} bases and allele 1 {quoted(row['reference'])} "
                f"{len(row['reference'])}; a BED counts its start from 0 and excludes its end"
            )
    name = "" if row["name"] in (".", "") else row["name"]
    try:
        return [
            Variant(row["chromosome"], position - first, row["reference"], alternate, name)
            for alternate in row["alternate"].split(",")
        ]
    except SequenceError as error:
        raise SequenceError(f"{place}: {error}") from error


class OfGenome(NamedTuple):
    """Variants whose reference allele the genome has, and the others.

    Attributes
    ----------
    kept
        Variants whose reference allele is in the genome.
    mismatched
        The others, each with the letters that the genome has there.
    """

    kept: tuple[Variant, ...]
    mismatched: tuple[tuple[Variant, str], ...]


def split_by_genome(variants: Sequence[Variant], fasta: str | PathLike[str]) -> OfGenome:
    r"""Divide variants by whether the genome has their reference allele: to go on without the others, knowingly.

    `variant_windows` refuses a list with a single mismatch, because it usually means another assembly. A few are usual
    in old lists.

    Raises
    ------
    SequenceError
        If a chromosome is unknown, a variant lies past its end, or no reference allele is in the genome.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "genome.fa"
    >>> _ = path.write_text(">chr1\nAACCGGTTACGT\n")
    >>> found = split_by_genome([Variant("chr1", 4, "G", "T", "right"), Variant("chr1", 5, "A", "T", "wrong")], path)
    >>> [x.name for x in found.kept], [(x.name, letters) for x, letters in found.mismatched]
    (['right'], [('wrong', 'G')])
    """
    chosen = as_variants(variants)
    kept, mismatched = [], []
    with Genome(fasta) as genome:
        for variant in chosen:
            stop = variant.position + len(variant.reference)
            place = f"variant {quoted(variant.name)}"
            letters = genome.letters(variant.chromosome, variant.position, stop, place=place).decode("latin-1").upper()
            if letters == variant.reference:
                kept.append(variant)
            else:
                mismatched.append((variant, letters))
    if not kept:
        raise SequenceError(
            f"none of {len(chosen):,} variants has its reference allele in {fasta}: is it another assembly than the "
            "variants are of, or are positions counted from another base (BED from 0, VCF from 1)?"
        )
    return OfGenome(tuple(kept), tuple(mismatched))
