"""Barcodes of a saturation mutagenesis by the variants that they carry, as MPRAflow
writes them: the barcode, and its variants with spaces between them.
"""

from __future__ import annotations

import re

import pandas as pd

from causalgia.errors import DataError, quoted

#: barcodes with commas between them were taken for one, read with errors
_BARCODES = re.compile(r"[ACGTN]{4,}(,[ACGTN]{4,})*", re.IGNORECASE)
_VARIANT = re.compile(r"([^\s:>]+):(-?[0-9]+:[ACGTN.]+>[ACGTN.]+)", re.IGNORECASE)
_JOINT = ";"
REFERENCE = "reference"


def is_variant_file(text: str) -> bool:
    r"""Return whether the lines of a file are barcodes and variants: MPRAflow's
    ``variants.txt``.

    Examples
    --------
    >>> is_variant_file("AAAAC \nAAAAG TERT:200:C>G TERT:75:GC>G\n")
    True
    >>> is_variant_file("AAAAC\toligo1\n")
    False
    """
    some = [line.split() for line in text[:100_000].split("\n")[:1000]]
    some = [words for words in some if words and not words[0].startswith("#")]
    return (
        any(len(words) > 1 for words in some)
        and any(len(words) != 2 for words in some)  # else a plain assignment
        and all(_BARCODES.fullmatch(words[0]) for words in some)
        and all(
            _VARIANT.fullmatch(word)
            for words in some[:-1] or some
            for word in words[1:]
        )
    )


def read_haplotypes(text: str, where: str) -> list[tuple[str, str]]:
    r"""Return each barcode (or several with commas between them, which were taken for
    one) with its haplotype: the region's name and ``:reference`` without a variant, a
    variant, or several variants joined by ``;``.

    Parameters
    ----------
    text
        Of the file.
    where
        The file, for errors.

    Raises
    ------
    DataError
        If a line has something else than a barcode and variants, or variants are of
        several regions.

    Examples
    --------
    >>> read_haplotypes("AAAAC \nAAAAG T:20:C>G T:75:GC>G\nAAAAT T:7:A>C", "the file")
    [('AAAAC', 'T:reference'), ('AAAAG', 'T:20:C>G;T:75:GC>G'), ('AAAAT', 'T:7:A>C')]
    """
    rows: list[tuple[str, list[str]]] = []
    regions: dict[str, str] = {}
    for i, line in enumerate(text.split("\n")):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        barcode, variants = words[0], words[1:]
        for variant in variants:
            found = _VARIANT.fullmatch(variant)
            if found is None or not _BARCODES.fullmatch(barcode):
                raise DataError(
                    f"{where}, line {i + 1}: {quoted(line.strip())} is no barcode with "
                    "variants, as in AAAAAACTAATACCA TERT:104:A>G TERT:408:G>A"
                )
            regions.setdefault(found[1], variant)
        rows.append((barcode, variants))
    if len(regions) > 1:
        first, second = list(regions)[:2]
        raise DataError(
            f"{where}: variants are of several regions ({quoted(regions[first])}, "
            f"{quoted(regions[second])}), so that a barcode without a variant may be of "
            "either; give a file for each region"
        )
    region = next(iter(regions))
    reference = f"{region}:{REFERENCE}"
    return [
        (barcode, _JOINT.join(dict.fromkeys(variants)) or reference)
        for barcode, variants in rows
    ]


def several_variants(oligo: str) -> int:
    """Return the number of variants in the name of a haplotype, 0 where it is none of
    several.

    Examples
    --------
    >>> several_variants("T:20:C>G;T:75:GC>G"), several_variants("T:20:C>G")
    (2, 0)
    """
    if _JOINT not in oligo:
        return 0
    parts = oligo.split(_JOINT)
    return len(parts) if all(map(_VARIANT.fullmatch, parts)) else 0


def is_variant_or_reference(oligo: str) -> bool:
    """Return whether a name is that of a variant alone, or of a reference.

    Examples
    --------
    >>> [
    ...     is_variant_or_reference(name)
    ...     for name in ("T:20:C>G", "T:reference", "T:20:C>G;T:75:GC>G", "oligo1")
    ... ]
    [True, True, False, False]
    """
    return oligo.endswith(f":{REFERENCE}") or _VARIANT.fullmatch(oligo) is not None


def side_table_of_variants(text: str, where: str) -> pd.DataFrame:
    r"""Return a side table: the region is one element, and the reference and each
    variant that some barcode carries alone are its arms.

    Raises
    ------
    DataError
        As `read_haplotypes`; or if no barcode is of the reference, or none carries a
        variant alone.

    Examples
    --------
    >>> side_table_of_variants("AAAAC \nAAAAG T:20:C>G\nAAAAT T:20:C>G T:9:A>C", "it")
        oligo_name element        arm group
    0  T:reference       T  reference  test
    1     T:20:C>G       T     20:C>G  test
    """
    oligos = sorted(
        {
            name
            for _, name in read_haplotypes(text, where)
            if not several_variants(name)
        },
        key=_place,
    )
    split = [name.partition(":") for name in oligos]
    arms = [arm for _, _, arm in split]
    if arms[:1] != [REFERENCE] or len(arms) == 1:
        what = (
            "no barcode is without a variant, so that no variant can be compared with "
            "the reference"
            if arms[:1] != [REFERENCE]
            else "no barcode carries a variant alone"
        )
        raise DataError(
            f"{where}: {what}; effects of variants that share all their barcodes need "
            "an additive model, which comes later"
        )
    return pd.DataFrame(
        {
            "oligo_name": oligos,
            "element": [region for region, _, _ in split],
            "arm": arms,
            "group": "test",
        },
        dtype=object,
    )


def _place(oligo: str) -> tuple[int, str]:
    """Return the place of an oligo in the side table: the reference, then by position."""
    arm = oligo.partition(":")[2]
    return (-(10**12), "") if arm == REFERENCE else (int(arm.partition(":")[0]), arm)
