"""Variants as they are given, and the genome that they say they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

import pandas as pd

from causalgia.errors import LibraryError, SequenceError, quoted
from causalgia.sequences.genome import Genome
from causalgia.sequences.vcf import Variant, check_alleles, read_vcf


def variants_of(given: str | PathLike[str] | pd.DataFrame | Sequence[Variant]) -> tuple[Variant, ...]:
    """Read variants: a VCF file, a table with its columns, or variants as they are.

    Raises
    ------
    SequenceError
        If the file cannot be read, or a line of it is malformed.
    LibraryError
        If the table lacks a column, or a row is no variant.
    """
    if isinstance(given, str | PathLike):
        return read_vcf(given)
    if not isinstance(given, pd.DataFrame):
        return _as_they_are(given)
    table = given.rename(columns=lambda name: str(name).lower().removeprefix("#"))
    for name in ("chrom", "pos", "ref", "alt"):
        if name not in table.columns:
            raise LibraryError(
                f"variants: no column {quoted(name)}; a table has chrom, pos (counted from 1), ref, alt, maybe id"
            )
    ids = table["id"].where(table["id"].notna(), ".").astype(str) if "id" in table.columns else ["."] * len(table)
    shared = Counter(ids)
    rows = zip(table["chrom"], table["pos"], table["ref"], table["alt"], ids, strict=True)
    return tuple(_variant(i, row, shared) for i, row in enumerate(rows, 1))


def _as_they_are(given: Any) -> tuple[Variant, ...]:
    variants = tuple(given) if isinstance(given, Iterable) else (given,)
    odd = next((x for x in variants if not isinstance(x, Variant)), None)
    if odd is not None or any(x is None for x in variants):
        raise LibraryError(f"variants: {quoted(odd)} is no cg.sequences.Variant; give these, a VCF file or a table")
    return variants


def _variant(number: int, row: tuple[Any, ...], shared: Counter[str]) -> Variant:
    chromosome, position, reference, alternate, name = row
    try:
        own = "" if name == "." or shared[name] > 1 else name
        if int(position) != float(position):
            raise ValueError(f"pos {position} is not a whole number")
        return Variant(str(chromosome), int(position) - 1, reference, alternate, own)
    except (SequenceError, TypeError, ValueError) as error:
        raise LibraryError(
            f"variants: row {number} ({chromosome}:{position}): {error}; correct or drop the row"
        ) from error


def require_alleles(chosen: Sequence[Variant], genome: Genome, given: object) -> None:
    """Refuse variants whose reference allele is not the genome's; the error names their file, if there is one."""
    try:
        check_alleles(chosen, [_found(x, genome) for x in chosen], genome.path)
    except SequenceError as error:
        if not isinstance(given, str | PathLike):
            raise
        raise SequenceError(f"{given}: {error}") from error


def _found(variant: Variant, genome: Genome) -> str:
    """Return the letters that the genome has where the reference allele should be."""
    stop = variant.position + len(variant.reference)
    letters = genome.letters(variant.chromosome, variant.position, stop, place=f"variant {quoted(variant.name)}")
    return letters.decode("latin-1").upper()
