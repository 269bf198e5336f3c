"""Variants read from VCF files and tables, checked against a genome, and VCF files with
values of variants.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Literal, NamedTuple

from causalgia.checks import check_text_or_none, is_whole
from causalgia.choices import SCHEMAS, VARIANT_SKIPS, Schema
from causalgia.errors import SequenceError, quoted
from causalgia.inputs import parse_int
from causalgia.sequences.allele_mismatches import mismatch_in_words
from causalgia.sequences.alphabet import BASE_LETTERS
from causalgia.sequences.genome import Genome
from causalgia.sequences.skipped_inputs import (
    Skip,
    Skipped,
    as_skip,
    check_any_left,
    parsed_or_left_out,
)
from causalgia.sequences.text_files import check_not_fasta, numbered_lines, read_text


@dataclass(frozen=True)
class Variant:
    """A reference allele at a position of a genome, and the alternate that replaces it.

    Parameters
    ----------
    chromosome
        Name of the chromosome, as the genome has it.
    position
        0-based start of the reference allele (a VCF counts from 1).
    reference, alternate
        Two different strings of A, C, G, T, in either case; kept in upper case. Indels
        are written as VCF does, with a base that both alleles share.
    name
        Name in reports; by default ``chromosome:POS:reference>alternate`` with the
        VCF's POS, counted from 1.

    Raises
    ------
    SequenceError
        If the chromosome is blank, the position is negative, an allele has another
        letter or none, or both are equal.

    Examples
    --------
    >>> Variant("chr1", 41, "A", "g").name
    'chr1:42:A>G'
    """

    chromosome: str
    position: int
    reference: str
    alternate: str
    name: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.chromosome, str) or not self.chromosome.strip():
            msg = (
                f"chromosome={quoted(self.chromosome)}; give its name in the "
                "genome, such as 'chr1'"
            )
            raise SequenceError(msg)
        at = self.position
        if (type(at) is not int and not is_whole(at)) or at < 0:
            msg = (
                f"position={quoted(at)} on {self.chromosome}; give a whole number, "
                "counted from 0 (POS - 1 of a VCF)"
            )
            raise SequenceError(msg)
        for what in ("reference", "alternate"):
            letters = getattr(self, what)
            if (
                not isinstance(letters, str)
                or not letters
                or not BASE_LETTERS.issuperset(letters)
            ):
                object.__setattr__(
                    self, what, _allele(letters, f"{self._label}: {what} allele")
                )
        if self.reference == self.alternate:
            msg = (
                f"{self._label}: both alleles are {quoted(self.reference)}; a variant "
                "changes something: drop it"
            )
            raise SequenceError(msg)
        object.__setattr__(self, "position", int(self.position))
        check_text_or_none(self.name, "name", error=SequenceError)
        object.__setattr__(self, "name", self.name or self.written)

    @property
    def _label(self) -> str:
        return (
            f"variant {quoted(self.name or f'{self.chromosome}:{self.position + 1}')}"
        )

    @property
    def written(self) -> str:
        """``chromosome:POS:reference>alternate``, POS counted from 1 as VCF does."""
        return (
            f"{self.chromosome}:{self.position + 1}:{self.reference}>{self.alternate}"
        )


class VariantList(tuple[Variant, ...]):
    """The variants of a file, in its order: a tuple that knows what was left out.

    Attributes
    ----------
    skipped
        Lines, or single alternates of them, that ``skip=`` left out.
    lines
        Line of each variant in the file, from 1.
    """

    skipped: tuple[Skipped, ...] = ()
    lines: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        variants: Iterable[Variant],
        skipped: Iterable[Skipped],
        lines: Iterable[int],
    ) -> VariantList:
        """Return variants as a list with their lines and what was left out."""
        found = cls(variants)
        found.skipped, found.lines = tuple(skipped), tuple(lines)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return VariantList.of, (tuple(self), self.skipped, self.lines)


def read_vcf(path: str | PathLike[str], *, skip: Skip = ()) -> VariantList:
    r"""Read the variants of a VCF file, plain or gzip-compressed, in its order.

    A line with several alternate alleles gives a variant for each. A variant is named
    by its ID; one without, or whose ID is shared, is named
    ``chromosome:POS:reference>alternate``. The first five columns are read: QUAL,
    FILTER and genotypes are not looked at, so filter the file first. Columns are
    separated by tabs, or by blanks on lines without tabs; the header may be missing.

    Parameters
    ----------
    path
        The file.
    skip
        Reasons for which an alternate is left out instead of refused, as in
        `read_variants`.

    Raises
    ------
    SequenceError
        If the file cannot be read or has no variants, a line is malformed, an allele is
        not a string of A, C, G, T (symbolic ``<DEL>``, breakends, ``*``, ``.``, N), or
        a variant is repeated, and `skip` does not leave it out. The message names file
        and line.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "two.vcf"
    >>> _ = path.write_text(
    ...     "chr1\t42\trs1\tA\tG\t.\tPASS\t.\nchr1\t50\t.\tCA\tC\t.\tPASS\t.\n"
    ... )
    >>> [(v.name, v.position) for v in read_vcf(path)]
    [('rs1', 41), ('chr1:50:CA>C', 49)]
    """
    text = read_text(path)
    check_not_fasta(
        text, path, "give the VCF file first, then the FASTA file of the genome"
    )
    reasons, skipped = as_skip(skip, VARIANT_SKIPS, what="variants"), list[Skipped]()
    rows = [row for row in numbered_lines(text) if not row[1].startswith("#")]

    def variants_of(number: int, line: str, skipped: list[Skipped]) -> list[Variant]:
        return [*_variants(line, f"{path}: line {number}", number, reasons, skipped)]

    try:
        found = [
            (number, variant)
            for number, line in rows
            for variant in variants_of(number, line, skipped)
        ]
        check_any_left(len(found), skipped, str(path))
    except SequenceError:
        _check_is_vcf(text, path)
        raise
    if not found:
        msg = (
            f"{path}: no variants; a VCF line has CHROM, POS, ID, REF and ALT, "
            "separated by tabs"
        )
        raise SequenceError(msg)
    # a name that is the end of an interval whose start was read as a position counted
    # from 1
    if all(
        x.name in (str(x.position + 2), str(x.position + 1 + len(x.reference)))
        for _, x in found
    ):
        columns = _COLUMNS_OF_SCHEMA["bed"]
        written = all(line.count("\t") + 1 == len(columns) for _, line in rows)
        anew = "" if written else f"write {_column_names('bed')}, and "
        raise SequenceError(
            f"{path}: ID is the end of each variant, as in a BED file, which counts "
            f"from 0; {anew}give schema='bed' (cg.sequences.read_variants)"
        )
    return _each_once(found, skipped, reasons, path)


def _check_is_vcf(text: bytes, path: str | PathLike[str]) -> None:
    """Raise SequenceError if lines without the header of a VCF file have columns of
    another order: those of a schema, or all of them no allele or position in a column
    of it.
    """
    lines = list(numbered_lines(text))
    if any(line.startswith(("##", "#CHROM")) for _, line in lines):
        return
    rows = [
        (number, line)
        for number, line in lines
        if not line.startswith("#") and not _is_header(line)
    ]
    schemas = [
        schema
        for schema in _COLUMNS_OF_SCHEMA
        if rows and all(_has_variant(line, schema) for _, line in rows)
    ]
    if schemas and not any(_has_variant(line, "original") for _, line in rows):
        raise SequenceError(
            f"{path}: not a VCF file: the columns are {_column_names(schemas[0])}; "
            f"give schema={quoted(schemas[0])} (cg.sequences.read_variants)"
        )
    columns = {_not_of_vcf(line) for _, line in rows}
    if len(rows) > 1 and len(columns) == 1 and (column := columns.pop()):
        number, line = rows[0]
        cell = _cells(line)[_VCF_COLUMNS.index(column)]
        listed = "; ".join(
            f"{quoted(schema)}: {_column_names(schema)}"
            for schema in _COLUMNS_OF_SCHEMA
        )
        raise SequenceError(
            f"{path}: no line has {column} of a VCF file in column "
            f"{_VCF_COLUMNS.index(column) + 1} ({quoted(cell)} in line {number}); "
            "which schema has the file? Give it as schema= "
            "(cg.sequences.read_variants), or first write the columns of one: "
            f"{listed}"
        )


def _is_header(line: str) -> bool:
    return bool({"chr", "chrom", "pos", "start"} & set(line.lower().split()))


def _has_variant(line: str, schema: str) -> bool:
    """Return whether a line is read as a variant of letters by a schema."""
    try:
        row = _schema_row(line, schema)
    except SequenceError:
        return False
    return all(not flaw_of_alleles(row[2], one) for one in row[4].split(","))


def _not_of_vcf(line: str) -> str:
    """Return the first column of a VCF file that a line has something else in; empty if
    there is none.
    """
    cells = dict(zip(_VCF_COLUMNS, _cells(line), strict=False))
    if "ALT" not in cells:
        return ""
    if not cells["POS"].isdecimal():
        return "POS"
    if not cells["REF"].isalpha():
        return "REF"
    alternates = cells["ALT"].split(",")
    is_allele = any(one.isalpha() or set(one) & set("<[]*.") for one in alternates)
    return "" if is_allele else "ALT"


def _cells(line: str) -> list[str]:
    return [x.strip() for x in (line.split("\t") if "\t" in line else line.split())]


def _each_once(
    found: Sequence[tuple[int, Variant]],
    skipped: list[Skipped],
    reasons: frozenset[str],
    path: str | PathLike[str],
) -> VariantList:
    """Return variants that are listed once, under names of their own."""
    seen: dict[str, int] = {}
    once: list[Variant] = []
    for number, variant in found:
        if variant.written not in seen:
            seen[variant.written] = number
            once.append(variant)
        elif "repeated" in reasons:
            detail = f"the variant of line {seen[variant.written]}"
            skipped.append(skipped_variant(variant, "repeated", detail, line=number))
        else:
            raise SequenceError(
                f"{path}: lines {seen[variant.written]} and {number} give the same "
                f"variant {variant.written}; skip='repeated' leaves it out"
            )
    shared = Counter(variant.name for variant in once)
    return VariantList.of(
        (x if shared[x.name] == 1 else replace(x, name="") for x in once),
        sorted(skipped, key=lambda x: x.line),
        seen.values(),
    )


def skipped_variant(
    variant: Variant, reason: str, detail: str = "", *, line: int = 0
) -> Skipped:
    """Return the row of a variant that is left out.

    Examples
    --------
    >>> skipped_variant(Variant("chr1", 41, "A", "G", "rs1"), "edge").position
    42
    """
    return Skipped(
        variant.name,
        reason,
        detail,
        line,
        variant.chromosome,
        variant.position + 1,
        variant.reference,
        variant.alternate,
    )


def flaw_of_alleles(reference: str, alternate: str) -> str:
    """Return the reason for which two alleles of a file are no variant; empty if they
    are one.
    """
    alleles = [x.upper() for x in (reference, alternate)]
    for letters in alleles:
        if not BASE_LETTERS.issuperset(letters) or not letters:
            return "N" if letters.isalpha() else "symbolic"
    return "unchanged" if alleles[0] == alleles[1] else ""


def _allele(letters: str, place: str) -> str:
    allele = letters.upper() if isinstance(letters, str) else ""
    if allele and set(allele) <= BASE_LETTERS:
        return allele
    symbolic = "symbolic alleles, breakends, '*' and '.' have no letters of their own"
    ambiguous = isinstance(letters, str) and letters.isalpha()
    why = "alleles are strings of A, C, G, T" if ambiguous else symbolic
    cure = "drop the variant, or write the allele out"
    if letters in ("", "-"):
        why = "an allele has at least one base"
        cure = "write both with the base before them, as GA and G of a deleted A"
    msg = f"{place} is {quoted(letters)}; {why}: {cure}"
    raise SequenceError(msg)


def _variants(
    line: str,
    place: str,
    number: int,
    reasons: frozenset[str],
    skipped: list[Skipped],
) -> Iterator[Variant]:
    row = parsed_or_left_out(lambda: _vcf_row(line), place, number, reasons, skipped)
    if row is not None:
        yield from _of_alternates(row[:4], row[4], place, number, reasons, skipped)


def _vcf_row(line: str) -> tuple[str, int, str, str, str]:
    """Return chromosome, position from 0, reference, name and alternates of a line."""
    columns = _cells(line)
    if len(columns) < 5:
        msg = (
            f"{len(columns)} columns; a VCF line has CHROM, POS, ID, REF and "
            "ALT, separated by tabs"
        )
        raise SequenceError(msg)
    chromosome, at, identifier, reference, alternates = columns[:5]
    position = parse_int(at, SequenceError, source="POS")
    if position < 1:
        msg = (
            f"POS {quoted(at)} is not a whole number of at least 1 (a VCF "
            "counts from 1); correct or drop the line"
        )
        raise SequenceError(msg)
    name = "" if identifier in (".", "") else identifier
    return chromosome, position - 1, reference, name, alternates


def _of_alternates(
    row: tuple[str, int, str, str],
    alternates: str,
    place: str,
    number: int,
    reasons: frozenset[str],
    skipped: list[Skipped],
) -> Iterator[Variant]:
    """Yield a variant for each alternate of a line that is not left out."""
    chromosome, position, reference, name = row
    for alternate in alternates.split(","):
        flaw = flaw_of_alleles(reference, alternate)
        if flaw and flaw in reasons:
            written = f"{chromosome}:{position + 1}:{reference}>{alternate}"
            detail = f"alleles {quoted(reference)} and {quoted(alternate)}"
            skipped.append(
                Skipped(
                    *(name or written, flaw, detail, number),
                    *(chromosome, position + 1, reference, alternate),
                )
            )
            continue
        try:
            yield Variant(chromosome, position, reference, alternate, name)
        except SequenceError as error:
            raise type(error)(f"{place}: {error}") from error


def as_variants(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Return variants as a tuple: at least one, with different names."""
    chosen = tuple(variants) if isinstance(variants, Iterable) else (variants,)
    odd = [x for x in chosen if not isinstance(x, Variant)]
    if not chosen or odd:
        msg = (
            "variants= takes a VCF file, or what cg.sequences.read_variants gives, "
            "values such as cg.sequences.Variant('chr1', 1000, 'A', 'G'), at least "
            f"one, not {quoted(odd[0] if odd else chosen)}"
        )
        raise SequenceError(msg)
    twice = [
        name for name, count in Counter(x.name for x in chosen).items() if count > 1
    ]
    if twice:
        msg = (
            f"more than one variant is called {quoted(twice[0])}; names tell variants "
            "apart: rename or drop one"
        )
        raise SequenceError(msg)
    return chosen


_COLUMNS_OF_SCHEMA: dict[str, tuple[str, ...]] = {
    "original": ("chromosome", "position", "name", "reference", "alternate"),
    "bed": ("chromosome", "position", "end", "reference", "alternate", "name"),
    "plink": ("chromosome", "name", "", "position", "reference", "alternate"),
    "plink2": ("chromosome", "name", "position", "reference", "alternate"),
    "chrombpnet": ("chromosome", "position", "reference", "alternate", "name"),
}


def read_variants(
    path: str | PathLike[str], *, schema: Schema = "vcf", skip: Skip = ()
) -> VariantList:
    r"""Read variants from a VCF file or a tab-separated table, plain or
    gzip-compressed, in its order.

    Use it for lists of variants of other tools. The tables are those of variant-scorer
    and have no header:

    ==============  ====================================================================
    ``original``    chromosome, position, name, allele 1, allele 2
    ``bed``         chromosome, start, end, allele 1, allele 2, name; **counted from 0**
    ``plink``       chromosome, name, (ignored), position, allele 1, allele 2
    ``plink2``      chromosome, name, position, allele 1, allele 2
    ``chrombpnet``  chromosome, position, allele 1, allele 2, name
    ==============  ====================================================================

    Positions are counted from 1 but in ``bed``. Allele 1 is the reference and allele 2
    the alternate, as variant-scorer has it: the genome tells whether that is so
    (`variant_windows`). Several alternates in one cell, separated by commas, are a
    variant each. Chromosomes keep their spelling. A variant without a name (``.``), or
    that shares one, is named ``chromosome:POS:reference>alternate``.

    Parameters
    ----------
    path
        The file.
    schema
        ``"vcf"``, or one of the five above.
    skip
        Reasons for which an alternate is left out, and listed in ``skipped`` of what is
        returned, instead of refused: ``"symbolic"`` (``<DEL>``, breakends, ``*``,
        ``.``), ``"N"`` (other letters than A, C, G, T), ``"unchanged"`` (both alleles
        are equal), ``"repeated"``, ``"malformed"`` (a line that cannot be parsed), or
        ``"all"`` of these. Those that a genome tells
        (`causalgia.experiments.variant_effects`) are accepted and mean nothing here.

    Raises
    ------
    SequenceError
        If there is no such schema, the file cannot be read or has no variants, a line
        has other columns than the schema or a malformed value, an allele is not a
        string of A, C, G, T, or a variant is repeated, and `skip` does not leave it
        out; or nothing is left. The message names file and line.

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
        raise SequenceError(
            f"schema={quoted(schema)} is not one of {known}; it names the columns "
            "of the file"
        )
    if schema == "vcf":
        return read_vcf(path, skip=skip)
    text = read_text(path)
    check_not_fasta(
        text, path, "give the file of variants first, then the FASTA file of the genome"
    )
    reasons, skipped = as_skip(skip, VARIANT_SKIPS, what="variants"), list[Skipped]()
    rows = [row for row in numbered_lines(text) if not row[1].startswith("#")]
    if rows and _is_header(rows[0][1]):
        raise SequenceError(
            f"{path}: line {rows[0][0]} is a header, and the schemas have none; drop "
            "it, or begin it with #"
        )

    def variants_of(number: int, line: str, skipped: list[Skipped]) -> list[Variant]:
        place = f"{path}: line {number}"
        return [*_variants_of_row(line, schema, place, number, reasons, skipped)]

    try:
        found = [
            (number, variant)
            for number, line in rows
            for variant in variants_of(number, line, skipped)
        ]
        check_any_left(len(found), skipped, str(path))
    except SequenceError:
        _check_has_schema(text, path, schema)
        raise
    if not found:
        raise SequenceError(
            f"{path}: no variants; schema={quoted(schema)} has the columns "
            f"{_column_names(schema)}"
        )
    return _each_once(found, skipped, reasons, path)


def _check_has_schema(text: bytes, path: str | PathLike[str], schema: str) -> None:
    """Raise SequenceError if no line is read as a variant by this schema, and the file
    is a VCF file or all lines are read by another schema.
    """
    lines = [line for _, line in numbered_lines(text)]
    rows = [line for line in lines if not line.startswith("#")]
    if any(_has_variant(line, schema) for line in rows):
        return
    if any(line.startswith(("##fileformat=VCF", "#CHROM")) for line in lines):
        raise SequenceError(
            f"{path}: this is a VCF file, and schema={quoted(schema)} has the "
            f"columns {_column_names(schema)}; give schema='vcf'"
        )
    fitting = [
        other
        for other in _COLUMNS_OF_SCHEMA
        if all(_has_variant(line, other) for line in rows)
    ]
    if fitting:
        raise SequenceError(
            f"{path}: the columns are {_column_names(fitting[0])}, and those of "
            f"schema={quoted(schema)} {_column_names(schema)}; give "
            f"schema={quoted(fitting[0])}"
        )


def _column_names(schema: str) -> str:
    return ", ".join(name or "(ignored)" for name in _COLUMNS_OF_SCHEMA[schema])


def _variants_of_row(
    line: str,
    schema: str,
    place: str,
    number: int,
    reasons: frozenset[str],
    skipped: list[Skipped],
) -> Iterator[Variant]:
    row = parsed_or_left_out(
        lambda: _schema_row(line, schema), place, number, reasons, skipped
    )
    if row is not None:
        yield from _of_alternates(row[:4], row[4], place, number, reasons, skipped)


def _schema_row(line: str, schema: str) -> tuple[str, int, str, str, str]:
    """Return chromosome, position from 0, reference, name and alternates of a row."""
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) != len(_COLUMNS_OF_SCHEMA[schema]):
        raise SequenceError(
            f"{len(cells)} columns separated by tabs, and "
            f"schema={quoted(schema)} has {len(_COLUMNS_OF_SCHEMA[schema])}: "
            f"{_column_names(schema)}; give the schema that the file has"
        )
    row = dict(zip(_COLUMNS_OF_SCHEMA[schema], cells, strict=True))
    first = 0 if schema == "bed" else 1
    position = parse_int(row["position"], SequenceError, source="position")
    if position < first:
        raise SequenceError(
            f"position {position}; schema={quoted(schema)} counts from {first}"
        )
    if "end" in row:
        end = parse_int(row["end"], SequenceError, source="end")
        if end not in (position + 1, position + len(row["reference"])):
            raise SequenceError(
                f"[{position}, {end}) has {end - position} bases and allele 1 "
                f"{quoted(row['reference'])} {len(row['reference'])}; a BED counts its "
                "start from 0 and excludes its end"
            )
    name = "" if row["name"] in (".", "") else row["name"]
    return (
        row["chromosome"],
        position - first,
        row["reference"],
        name,
        row["alternate"],
    )


class OfGenome(NamedTuple):
    """Variants whose reference allele the genome has, and the others.

    Attributes
    ----------
    matched
        Variants whose reference allele is in the genome.
    mismatched
        The others, each with the letters that the genome has there.
    """

    matched: tuple[Variant, ...]
    mismatched: tuple[tuple[Variant, str], ...]


def split_by_genome(
    variants: Sequence[Variant], fasta: str | PathLike[str]
) -> OfGenome:
    r"""Divide variants by whether the genome has their reference allele, to exclude the
    others deliberately.

    `variant_windows` refuses a list with a single mismatch, because it usually means
    another assembly. A few are usual in old lists.

    Raises
    ------
    SequenceError
        If a chromosome is unknown, a variant lies past its end, or no reference allele
        is in the genome.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "genome.fa"
    >>> _ = path.write_text(">chr1\nAACCGGTTACGT\n")
    >>> found = split_by_genome(
    ...     [
    ...         Variant("chr1", 4, "G", "T", "right"),
    ...         Variant("chr1", 5, "A", "T", "wrong"),
    ...     ],
    ...     path,
    ... )
    >>> (
    ...     [x.name for x in found.matched],
    ...     [(x.name, letters) for x, letters in found.mismatched],
    ... )
    (['right'], [('wrong', 'G')])
    """
    chosen = as_variants(variants)
    matched, mismatched, wrong = [], [], []
    with Genome(fasta) as genome:
        for variant in chosen:
            stop = variant.position + len(variant.reference)
            place = f"variant {quoted(variant.name)}"
            further = min(
                max(stop, variant.position + len(variant.alternate)),
                max(stop, genome.length(variant.chromosome, place=place)),
            )
            after = (
                genome.letters(
                    variant.chromosome, variant.position, further, place=place
                )
                .decode("latin-1")
                .upper()
            )
            letters = after[: len(variant.reference)]
            if letters == variant.reference:
                matched.append(variant)
            else:
                mismatched.append((variant, letters))
                wrong.append((variant, after))
    if not matched:
        why = mismatch_in_words(wrong, len(chosen)) or (
            "is it another assembly than the variants are of, or are positions counted "
            "from another base (BED from 0, VCF from 1)?"
        )
        raise SequenceError(
            f"none of {len(chosen):,} variants has its reference allele in {fasta}: {why}"
        )
    return OfGenome(tuple(matched), tuple(mismatched))


def check_alleles(
    variants: Sequence[Variant],
    letters: Sequence[str],
    fasta: str | PathLike[str],
    *,
    before: Sequence[str] = (),
) -> None:
    """Raise SequenceError for variants whose reference allele differs from the genome.

    Parameters
    ----------
    variants
        The variants.
    letters
        Of the genome, from the position of each variant on.
    fasta
        Where these are from.
    before
        The letter before each, to tell whether positions are counted from another
        number.
    """
    pairs = zip(variants, letters, before or [""] * len(variants), strict=True)
    wrong = [
        (x, found, one) for x, found, one in pairs if not found.startswith(x.reference)
    ]
    if not wrong:
        return
    variant, found, _ = wrong[0]
    alike = mismatch_in_words([(x, after) for x, after, _ in wrong], len(variants))
    found = found[: len(variant.reference)]
    right = all(after[1:].startswith(x.reference) for x, after, _ in wrong)
    left = all((one + after).startswith(x.reference) for x, after, one in wrong)
    cure = (
        "is the FASTA another assembly than that of the variants, or are all positions "
        "off by one?"
    )
    if alike:
        cure = alike if ";" in alike else f"{cure} Or {alike}"
    if len(wrong) > 2 and 2 * len(wrong) > len(variants) and (right or left):
        cure = (
            "it has all alleles one base to the right, as where positions are counted "
            "from 0 and were taken as counted from 1; add 1 to each, or give a table "
            "with schema='bed', which counts from 0"
            if right
            else "it has all alleles one base to the left, as where positions are counted "
            "from 1 and were taken as counted from 0; subtract 1 from each, or give "
            "another schema than 'bed', which counts from 0"
        )
    place = f"{variant.chromosome}:{variant.position} (counted from 0)"
    msg = (
        f"variant {quoted(variant.name)}: its reference allele at {place} is "
        f"{quoted(variant.reference)}, but {fasta} has {quoted(found)} there "
        f"({len(wrong)} of {len(variants)} variants differ): {cure}"
        + ("; skip='mismatch' leaves it out" if 2 * len(wrong) <= len(variants) else "")
    )
    raise SequenceError(msg)


_POSITION = re.compile(r"[0-9]{1,18}", re.ASCII)
_VCF_COLUMNS = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_RESERVED = re.compile(r"[%;:=,\s]")


@dataclass(frozen=True)
class InfoField:
    """A field of INFO with one value for each alternate allele.

    Parameters
    ----------
    name
        Its ID in the file: letters, digits, ``_`` and ``.``; `info_name` makes one of
        any text.
    kind
        ``"Float"``, ``"Integer"`` or ``"String"``.
    description
        What it is, for the header.
    values
        Value of each variant; a missing value is written as ``.``.
    """

    name: str
    kind: Literal["Float", "Integer", "String"]
    description: str
    values: Sequence[float | int | str]

    def __post_init__(self) -> None:
        if re.fullmatch(r"[A-Za-z_][0-9A-Za-z_.]*", self.name) is None:
            raise SequenceError(
                f"INFO field {quoted(self.name)}: a name has letters, digits, '_' and "
                "'.', and begins with a letter; for example "
                f"{quoted(info_name(self.name))}"
            )

    @property
    def declaration(self) -> str:
        """The line of the header."""
        text = (
            " ".join(self.description.split()).replace("\\", r"\\").replace('"', r"\"")
        )
        return f'##INFO=<ID={self.name},Number=A,Type={self.kind},Description="{text}">'


def info_name(text: str) -> str:
    """Return a name for INFO made of any text: other characters become ``_``.

    Examples
    --------
    >>> info_name("DNASE:K562"), info_name("3' end")
    ('DNASE_K562', '_3__end')
    """
    name = re.sub(r"[^0-9A-Za-z_.]", "_", text)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def info_value(value: float | int | str) -> str:
    """Return a value as INFO text: special characters as percent codes, NaN and empty
    text as ``.``.

    Examples
    --------
    >>> info_value(0.1234567891), info_value("a;b = 5 %"), info_value(float("nan"))
    ('0.123457', 'a%3Bb%20%3D%205%20%25', '.')
    """
    if isinstance(value, str):
        return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", value) or "."
    if isinstance(value, float) and not math.isfinite(value):
        return "."
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def annotated_vcf(
    variants: Sequence[Variant],
    fields: Sequence[InfoField],
    *,
    like: str | PathLike[str] | None = None,
) -> str:
    r"""Return VCF text with a value of each field for each variant.

    Parameters
    ----------
    variants
        The V variants that the values belong to.
    fields
        Fields of V values each.
    like
        The VCF file of the variants: its lines, columns and header are kept, fields of
        these names are replaced, and alleles that are not among `variants` get ``.``.
        None: a line for each variant.

    Raises
    ------
    SequenceError
        If a field has another number of values, two have one name, or the file cannot
        be read or is not VCF.

    Examples
    --------
    >>> effect = InfoField("CG_effect", "Float", 'Change of "K562"', [0.5])
    >>> print(annotated_vcf([Variant("chr1", 41, "A", "G", "rs1")], [effect]))
    ##fileformat=VCFv4.3
    ##INFO=<ID=CG_effect,Number=A,Type=Float,Description="Change of \"K562\"">
    #CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO
    chr1	42	rs1	A	G	.	.	CG_effect=0.5
    <BLANKLINE>
    """
    names = [field.name for field in fields]
    for field in fields:
        if len(field.values) != len(variants):
            raise SequenceError(
                f"INFO field {quoted(field.name)}: {len(field.values):,} values for "
                f"{len(variants):,} variants; give one for each"
            )
        if names.count(field.name) > 1:
            raise SequenceError(
                f"two INFO fields are called {quoted(field.name)}; rename one"
            )
    of = {
        (x.chromosome, x.position, x.reference, x.alternate): i
        for i, x in enumerate(variants)
    }
    head, rows = list[str](), list[list[str]]()
    if like is None:
        for x in variants:
            name = "." if x.name == x.written else re.sub(r"[;\s]", "_", x.name)
            rows.append(
                [
                    x.chromosome,
                    str(x.position + 1),
                    name,
                    x.reference,
                    x.alternate,
                    ".",
                    ".",
                    ".",
                ]
            )
    else:
        lines = [line for _, line in numbered_lines(read_text(like))]
        head = [line for line in lines if line.startswith("#")]
        cells = [
            line.split("\t") if "\t" in line else line.split()
            for line in lines
            if not line.startswith("#")
        ]
        rows = [
            [cell.strip() for cell in row] + ["."] * (8 - len(row)) for row in cells
        ]
    # a line without a position was left out, and has no values
    places = [int(row[1]) - 1 if _POSITION.fullmatch(row[1]) else -1 for row in rows]
    if rows and max(places) < 0:  # no VCF
        parse_int(rows[0][1], SequenceError, source=f"{like}: POS")
    own = tuple(f"##INFO=<ID={name}," for name in names)
    meta = [line for line in head if line.startswith("##") and not line.startswith(own)]
    if not any(line.startswith("##fileformat=") for line in meta):
        meta.insert(0, "##fileformat=VCFv4.3")
    columns = next(
        (line for line in head if not line.startswith("##")), "\t".join(_VCF_COLUMNS)
    )
    body = [
        _with_info(row, place, fields, of)
        for row, place in zip(rows, places, strict=True)
    ]
    return (
        "\n".join([*meta, *(field.declaration for field in fields), columns, *body])
        + "\n"
    )


def _with_info(
    row: list[str],
    position: int,
    fields: Sequence[InfoField],
    of: Mapping[tuple[str, int, str, str], int],
) -> str:
    keys = [
        (row[0], position, row[3].upper(), alternate.upper())
        for alternate in row[4].split(",")
    ]
    which = [of.get(key) for key in keys]
    names = {field.name for field in fields}
    info = [
        part
        for part in row[7].split(";")
        if part not in ("", ".") and part.partition("=")[0] not in names
    ]
    for field in fields:
        values = ["." if i is None else info_value(field.values[i]) for i in which]
        if set(values) != {"."}:
            info.append(f"{field.name}={','.join(values)}")
    return "\t".join([*row[:7], ";".join(info) or ".", *row[8:]])
