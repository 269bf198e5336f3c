"""Barcodes of a saturation mutagenesis by the variants that they carry, as MPRAflow
writes them: the barcode, and its variants with spaces between them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.errors import DataError, quoted
from causalgia.schema import annotate
from causalgia.types import Mask

#: barcodes with commas between them were taken for one, read with errors
_BARCODES = re.compile(r"[ACGTN]{4,}(,[ACGTN]{4,})*", re.IGNORECASE)
_VARIANT = re.compile(r"([^\s:>]+):(-?[0-9]+:[ACGTN.]+>[ACGTN.]+)", re.IGNORECASE)
#: arms of barcodes without a variant, and with more than one
REFERENCE, SEVERAL = "reference", "several"


class Carried(NamedTuple):
    """The region of a saturation mutagenesis, and the variants of each barcode (or of
    several with commas between them, which were taken for one), as ``20:C>G``.
    """

    region: str
    variants: dict[str, tuple[str, ...]]

    @property
    def oligos(self) -> dict[str, str]:
        """Barcode -> its oligo: the reference, a variant, or that of several variants."""
        return {
            barcode: f"{self.region}:{_arm(variants)}"
            for barcode, variants in self.variants.items()
        }


def _arm(variants: Sequence[str]) -> str:
    return SEVERAL if len(variants) > 1 else next(iter(variants), REFERENCE)


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


def read_carried(text: str, where: str) -> Carried:
    r"""Return the variants that each barcode carries.

    Parameters
    ----------
    text
        Of the file.
    where
        The file, for errors.

    Raises
    ------
    DataError
        If a line has something else than a barcode and variants, a barcode has two
        lines, or variants are of several regions.

    Examples
    --------
    >>> found = read_carried("AAAAC \nAAAAG T:20:C>G T:75:GC>G\nAAAAT T:7:A>C", "it")
    >>> found.variants
    {'AAAAC': (), 'AAAAG': ('20:C>G', '75:GC>G'), 'AAAAT': ('7:A>C',)}
    >>> list(found.oligos.values())
    ['T:reference', 'T:several', 'T:7:A>C']
    """
    carried: dict[str, tuple[str, ...]] = {}
    firsts: dict[str, frozenset[str]] = {}
    regions: dict[str, str] = {}
    for i, line in enumerate(text.split("\n")):
        barcode, *words = line.split() or ["#"]
        if barcode.startswith("#"):
            continue
        found = [_VARIANT.fullmatch(word) for word in words]
        matches = [one for one in found if one is not None]
        if len(matches) < len(words) or not _BARCODES.fullmatch(barcode):
            raise DataError(
                f"{where}, line {i + 1}: {quoted(line.strip())} is no barcode with "
                "variants, as in AAAAAACTAATACCA TERT:104:A>G TERT:408:G>A"
            )
        regions |= {one[1]: one[0] for one in matches if one[1] not in regions}
        variants = tuple(dict.fromkeys(one[2] for one in matches))
        barcode = barcode.upper()
        first = barcode.partition(",")[0]
        if firsts.setdefault(first, frozenset(variants)) != frozenset(variants):
            raise DataError(
                f"{where}, line {i + 1}: barcode {first} has another line with other "
                "variants"
            )
        carried[barcode] = variants
    if len(regions) > 1:
        raise DataError(
            f"{where}: variants are of several regions, as in "
            f"{' and '.join(map(quoted, [*regions.values()][:2]))}; give a file for "
            "each, since a barcode without a variant names no region"
        )
    return Carried(next(iter(regions)), carried)


def side_table_of_variants(text: str, where: str) -> pd.DataFrame:
    r"""Return a side table: the region is one element, whose arms are the reference,
    each variant that some barcode carries alone, and ``several``.

    Raises
    ------
    DataError
        As `read_carried`.

    Examples
    --------
    >>> side_table_of_variants("AAAAC \nAAAAG T:20:C>G\nAAAAT T:20:C>G T:9:A>C", "it")
        oligo_name element        arm group
    0  T:reference       T  reference  test
    1    T:several       T    several  test
    2     T:20:C>G       T     20:C>G  test
    """
    carried = read_carried(text, where)
    seen = {_arm(variants) for variants in carried.variants.values()}
    first = [REFERENCE, *({SEVERAL} & seen)]
    arms = [*first, *sorted(seen - {*first}, key=_place)]
    return pd.DataFrame(
        {
            "oligo_name": [f"{carried.region}:{arm}" for arm in arms],
            "element": carried.region,
            "arm": arms,
            "group": "test",
        },
        dtype=object,
    )


def _place(variant: str) -> tuple[int, str]:
    return int(variant.partition(":")[0]), variant


def is_of_variants(oligo: str) -> bool:
    """Return whether this is the name of a variant, a reference or several variants.

    Examples
    --------
    >>> [is_of_variants(name) for name in ("T:20:C>G", "T:reference", "oligo1")]
    [True, True, False]
    """
    return oligo.endswith((f":{REFERENCE}", f":{SEVERAL}")) or (
        _VARIANT.fullmatch(oligo) is not None
    )


def with_variants(
    counts: xr.Dataset, variants: Mapping[str, Sequence[str]]
) -> xr.Dataset:
    """Return counts with the variants of each barcode, if some barcode has several.

    Parameters
    ----------
    counts
        Of kind ``counts``.
    variants
        Barcode -> names of the variants that it carries.

    Returns
    -------
    Dataset
        With the names of the variants as coordinate ``variant``, and
        ``variant_index (barcode, carried)``, their places there; -1 fills a row up.
    """
    lists = [variants[barcode] for barcode in counts["barcode"].to_numpy().tolist()]
    size = np.array([len(one) for one in lists])
    if size.max() < 2:
        return counts
    names = sorted({name for one in lists for name in one}, key=_place)
    place = {name: i for i, name in enumerate(names)}
    filled: Mask = np.arange(size.max()) < size[:, None]
    index = np.full(filled.shape, -1, np.int32)
    index[filled] = [place[name] for one in lists for name in one]
    found = counts.assign(variant_index=(("barcode", "carried"), index))
    return annotate(found.assign_coords(variant=names))


def arms_compared(counts: xr.Dataset) -> list[str]:
    """Return the arms that a fit compares: those of oligos; where barcodes carry several
    variants, the reference and the variants that a filter left.
    """
    if "variant" in counts.coords:
        names = counts["variant"].to_numpy()
        if "compared" in counts.coords:
            names = names[counts["compared"].to_numpy()]
        return [REFERENCE, *names.tolist()]
    return list(dict.fromkeys(counts["arm"].to_numpy().tolist()))
