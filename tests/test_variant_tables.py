# Imports from the inside: windows of variants, in each schema.
"""Lists of variants in the schemas of variant-scorer, and what is refused in them."""

from __future__ import annotations

import pytest

from causalgia.errors import SequenceError
from causalgia.sequences import Variant, read_variants
from causalgia.sequences.windowed_variants import variant_windows

ROWS = [("chr1", 41, "rs1", "A", "G"), ("chr2", 9, "rs2", "CA", "C")]
# columns as kundajelab/variant-scorer reads them: `bed` counts from 0, the others from
# 1
WRITTEN = {
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
    assert [x.name for x in read_variants(path, schema="chrombpnet")] == [
        "1:42:A>G",
        "1:42:A>T",
        "1:50:A>G",
    ]


def test_names_of_variants_may_be_numbers(tmp_path):
    numbers = write(
        tmp_path,
        ("chr1", 42, 43, "A", "G", ".", "PASS", "."),
        ("chr1", 50, 7, "A", "G", ".", "PASS", "."),
    )
    assert [variant.name for variant in read_variants(numbers)] == ["43", "7"]


def test_a_header_is_left_out_where_it_is_a_comment(tmp_path):
    path = write(
        tmp_path,
        ("chr", "pos", "variant_id", "allele1", "allele2"),
        WRITTEN["original"](*ROWS[0]),
    )
    path.write_text("#" + path.read_text())
    assert len(read_variants(path, schema="original")) == 1


@pytest.mark.parametrize(("schema", "off"), [("bed", 1), ("original", -1)])
def test_positions_counted_from_another_number_are_refused(tmp_path, schema, off):
    letters = "ACGTTGCA" * 20
    (tmp_path / "genome.fa").write_text(f">chr1\n{letters}\n")
    rows = [
        ("chr1", at + off, f"v{at}", letters[at], "A" if letters[at] != "A" else "C")
        for at in (65, 74, 82)
    ]
    variants = read_variants(
        write(tmp_path, *(WRITTEN[schema](*row) for row in rows)), schema=schema
    )
    with pytest.raises(SequenceError):
        variant_windows(variants, tmp_path / "genome.fa", length=20)
    right = read_variants(
        write(
            tmp_path,
            *(
                WRITTEN[schema](c, at - off, name, ref, alt)
                for c, at, name, ref, alt in rows
            ),
        ),
        schema=schema,
    )
    assert len(variant_windows(right, tmp_path / "genome.fa", length=20)) == 3
