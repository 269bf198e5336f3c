# Imports from the inside: readers of VCF text and windows, against the genome edited
# by hand.
"""Variants from VCF text, and their windows of a genome."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from causalgia.errors import SequenceError
from causalgia.sequences import Variant, decode, read_variants
from causalgia.sequences.windowed_variants import variant_windows

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
CHROMOSOME = "ACGTTGCAAGCTTAGGCATCGATTACGGAC"


def line(*columns: object) -> str:
    return "\t".join(map(str, [*columns, ".", "PASS", "."])) + "\n"


@pytest.fixture
def vcf(tmp_path):
    def write(*lines: str, header: str = HEADER, name: str = "some.vcf"):
        path = tmp_path / name
        text = (header + "".join(lines)).encode()
        path.write_bytes(gzip.compress(text, mtime=0) if name.endswith(".gz") else text)
        return path

    return write


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    soft = CHROMOSOME[:10] + CHROMOSOME[10:20].lower() + CHROMOSOME[20:]
    path.write_text(
        f">chr1\n{soft[:12]}\n{soft[12:24]}\n{soft[24:]}\n>chrN\nACGTNACGTACGTRCGT\n"
    )
    return path


# --- reading --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["some.vcf", "some.vcf.gz"])
@pytest.mark.parametrize("header", [HEADER, ""])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_vcf_is_read_in_its_order(vcf, name, header, ends):
    path = vcf(
        line("chr2", 5, "rs2", "a", "G"),
        line("chr1", 1, ".", "AC", "A"),
        header=header,
        name=name,
    )
    if ends != "\n" and not name.endswith("gz"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_variants(path) == (
        Variant("chr2", 4, "A", "G", "rs2"),
        Variant("chr1", 0, "AC", "A", "chr1:1:AC>A"),
    )


def test_lines_of_several_alternates_are_split_and_shared_names_replaced(vcf):
    path = vcf(
        line("1", 7, "rs1", "A", "C,AT"),
        line("1", 9, "rs9", "G", "T"),
        line("1", 10, "rs9", "G", "T"),
    )
    assert [(v.name, v.alternate) for v in read_variants(path)] == [
        ("1:7:A>C", "C"),
        ("1:7:A>AT", "AT"),
        ("1:9:G>T", "T"),
        ("1:10:G>T", "T"),
    ]


def test_columns_may_be_five_and_separated_by_blanks(vcf):
    assert read_variants(vcf("1 7 rs1 A C\n"))[0] == Variant("1", 6, "A", "C", "rs1")


def test_a_variant_is_a_value():
    assert Variant("1", np.int64(3), "a", "c") == Variant("1", 3, "A", "C", "1:4:A>C")
    assert eval(repr(Variant("1", 3, "A", "C"))) == Variant("1", 3, "A", "C")


# --- windows --------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_windows_are_the_genome_and_the_genome_with_the_alternate(genome, data):
    length = data.draw(st.integers(1, 12))
    width = data.draw(st.integers(1, min(length, 5)))
    position = data.draw(st.integers(0, len(CHROMOSOME) - width))
    reference = CHROMOSOME[position : position + width]
    alternate = data.draw(
        st.text("ACGT", min_size=1, max_size=min(length, 5)).filter(
            lambda x: x != reference
        )
    )
    edited = CHROMOSOME[:position] + alternate + CHROMOSOME[position + width :]
    first = position - (length // 2 - max(width, len(alternate)) // 2)
    variant = Variant("chr1", position, reference, alternate)
    if first < 0 or first + length > min(len(CHROMOSOME), len(edited)):
        with pytest.raises(SequenceError):
            variant_windows([variant], genome, length=length)
        return
    windows = variant_windows([variant], genome, length=length)
    assert decode(windows.reference) == [CHROMOSOME[first : first + length]]
    assert decode(windows.alternate) == [edited[first : first + length]]
    assert windows.start.tolist() == [position - first]


@pytest.mark.parametrize("path_type", [str, Path])
def test_windows_of_a_file_are_those_of_its_variants(genome, vcf, path_type):
    path = vcf(line("chr1", 16, "x", "G", "T"))
    found, wanted = (
        variant_windows(path_type(path), genome, length=9),
        variant_windows(read_variants(path), genome, length=9),
    )
    assert found.variants == wanted.variants
    np.testing.assert_array_equal(found.alternate, wanted.alternate)


def test_windows_keep_order_names_and_widths(genome):
    variants = [
        Variant("chr1", 14, "GGC", "G", "del"),
        Variant("chr1", 8, "A", "ATTT", "ins"),
        Variant("chr1", 15, "G", "T"),
    ]
    windows = variant_windows(variants, genome, length=9)
    assert windows.names == ("del", "ins", "chr1:16:G>T")
    assert windows.reference.shape == windows.alternate.shape == (3, 9)
    assert windows.start.tolist() == [3, 2, 4]
    assert (windows.reference_width.tolist(), windows.alternate_width.tolist()) == (
        [3, 1, 1],
        [1, 4, 1],
    )
    assert len(windows) == 3
    for i, start in enumerate(windows.start):
        assert (windows.reference[i, :start] == windows.alternate[i, :start]).all()
