"""Lists of variants in the schemas of variant-scorer, and what is refused in them."""

from __future__ import annotations

import re

import pytest

from causalgia.errors import SequenceError
from causalgia.sequences import Variant, read_variants

ROWS = [("chr1", 41, "rs1", "A", "G"), ("chr2", 9, "rs2", "CA", "C")]
WRITTEN = {  # columns as kundajelab/variant-scorer reads them: `bed` counts from 0, the others from 1
    "original": lambda c, at, name, ref, alt: (c, at + 1, name, ref, alt),
    "bed": lambda c, at, name, ref, alt: (c, at, at + len(ref), ref, alt, name),
    "plink": lambda c, at, name, ref, alt: (c, name, 0, at + 1, ref, alt),
    "plink2": lambda c, at, name, ref, alt: (c, name, at + 1, ref, alt),
    "chrombpnet": lambda c, at, name, ref, alt: (c, at + 1, ref, alt, name),
    "vcf": lambda c, at, name, ref, alt: (c, at + 1, name, ref, alt, ".", "PASS", "."),
}


def write(tmp_path, *rows):
    path = tmp_path / "variants.tsv"
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("schema", WRITTEN)
def test_every_schema_gives_the_same_variants(tmp_path, schema):
    path = write(tmp_path, *(WRITTEN[schema](*row) for row in ROWS))
    expected = tuple(Variant(c, at, ref, alt, name) for c, at, name, ref, alt in ROWS)
    assert read_variants(path, schema=schema) == expected


def test_alternates_of_one_row_and_shared_names(tmp_path):
    path = write(tmp_path, ("1", 42, "A", "G,T", "rs1"), ("1", 50, "A", "G", "."))
    assert [x.name for x in read_variants(path, schema="chrombpnet")] == ["1:42:A>G", "1:42:A>T", "1:50:A>G"]


@pytest.mark.parametrize(
    ("schema", "row", "message"),
    [
        ("excel", ("1", 5, "x", "A", "G"), "schema='excel' is not one of 'vcf', 'original'"),
        ("original", ("1", 5, "x", "A"), "line 1: 4 columns separated by tabs, and schema='original' has 5"),
        ("plink", ("1", "x", 5, "A", "G"), "line 1: 5 columns separated by tabs, and schema='plink' has 6"),
        ("original", ("1", "x", 5, "A", "G"), "line 1: position"),
        ("original", ("1", 0, "x", "A", "G"), "position 0; schema='original' counts from 1"),
        ("bed", ("1", 5, 5, "A", "G", "x"), "[5, 5) has 0 bases and allele 1 'A' 1; a BED counts its start from 0"),
        ("original", ("1", 5, "x", "A", "<DEL>"), "line 1: variant 'x': alternate allele is '<DEL>'; symbolic"),
        ("original", ("1", 5, "x", "A", "G,*"), "alternate allele is '*'; symbolic alleles"),
        ("original", ("#1", 5, "x", "A", "G"), "no variants; schema='original' has the columns chromosome, position"),
    ],
)
def test_bad_rows_are_named(tmp_path, schema, row, message):
    with pytest.raises(SequenceError, match=re.escape(message)):
        read_variants(write(tmp_path, row), schema=schema)


def test_a_repeated_variant_is_refused(tmp_path):
    with pytest.raises(SequenceError, match=r"lines 1 and 2 give the same variant 1:5:A>G"):
        read_variants(write(tmp_path, ("1", 5, "x", "A", "G"), ("1", 5, "y", "A", "G")), schema="original")
