"""Variants from VCF text, and their windows of a genome."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

import causalgia as cg
from causalgia.errors import SequenceError
from causalgia.sequences import Variant, decode
from causalgia.sequences.variant_files import read_vcf
from causalgia.sequences.windowed_variants import variant_windows

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
CHROMOSOME = "ACGTTGCAAGCTTAGGCATCGATTACGGAC"


def refused(message: str):
    return pytest.raises(SequenceError, match=re.escape(message))


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
    assert read_vcf(path) == (
        Variant("chr2", 4, "A", "G", "rs2"),
        Variant("chr1", 0, "AC", "A", "chr1:1:AC>A"),
    )


def test_lines_of_several_alternates_are_split_and_shared_names_replaced(vcf):
    path = vcf(
        line("1", 7, "rs1", "A", "C,AT"),
        line("1", 9, "rs9", "G", "T"),
        line("1", 10, "rs9", "G", "T"),
    )
    assert [(v.name, v.alternate) for v in read_vcf(path)] == [
        ("1:7:A>C", "C"),
        ("1:7:A>AT", "AT"),
        ("1:9:G>T", "T"),
        ("1:10:G>T", "T"),
    ]


def test_columns_may_be_five_and_separated_by_blanks(vcf):
    assert read_vcf(vcf("1 7 rs1 A C\n"))[0] == Variant("1", 6, "A", "C", "rs1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            line("1", 7, "x", "A", "<DEL>"),
            "line 3: variant 'x': alternate allele is '<DEL>'; symbolic alleles",
        ),
        (line("1", 7, "x", "A", "C,*"), "alternate allele is '*'; symbolic alleles"),
        (
            line("1", 7, ".", "A", "."),
            "variant '1:7': alternate allele is '.'; symbolic alleles",
        ),
        (line("1", 7, "x", "A", "A]2:8]"), "is 'A]2:8]'; symbolic alleles, breakends"),
        (
            line("1", 7, "x", "N", "A"),
            "reference allele is 'N'; alleles are strings of A, C, G, T",
        ),
        (
            line("1", 7, "x", "A", "R"),
            "alternate allele is 'R'; alleles are strings of A, C, G, T",
        ),
        (line("1", 7, "x", "A", "C,"), "alternate allele is ''"),
        (line("1", 7, "x", "A", "a"), "both alleles are 'A'"),
        (
            line("1", 0, "x", "A", "C"),
            "line 3: POS '0' is not a whole number of at least 1",
        ),
        (line("1", "1e3", "x", "A", "C"), "POS '1e3'"),
        (
            "1\t7\tx\tA\n",
            "line 3: 4 columns; a VCF line has CHROM, POS, ID, REF and ALT",
        ),
        ("", "no variants"),
        (
            line("1", 7, "x", "A", "C") + line("1", 7, "y", "A", "c"),
            "lines 3 and 4 give the same variant 1:7:A>C",
        ),
    ],
)
def test_lines_that_are_no_variants_are_refused(vcf, text, message):
    with refused(message):
        read_vcf(vcf(text))


def test_a_file_that_is_no_text_is_refused(vcf, tmp_path):
    (tmp_path / "x.bcf").write_bytes(b"BCF\0\0")
    with refused("is a binary file"):
        read_vcf(tmp_path / "x.bcf")
    with refused("no such file"):
        read_vcf(tmp_path / "y.vcf")


def test_a_genome_in_the_place_of_variants_is_refused(genome, vcf):
    path, message = (
        vcf(line("chr1", 16, "x", "G", "T")),
        f"{genome}: this is FASTA; give the VCF file first, then",
    )
    with refused(message):
        variant_windows(genome, path, length=9)
    with refused(message):
        cg.experiments.variant_effects(genome, path, length=9)
    with refused(message):
        cg.mpra.variant_tiles(genome, path, insert_length=9)


def test_a_variant_is_checked_when_it_is_made():
    with refused("chromosome=' '"):
        Variant(" ", 3, "A", "C")
    for position in (-1, 2.0, True, "3"):
        with refused("counted from 0 (POS - 1 of a VCF)"):
            Variant("1", position, "A", "C")
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
        with refused(f"variant {variant.name!r}: window chr1:"):
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
        variant_windows(read_vcf(path), genome, length=9),
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


@pytest.mark.parametrize(
    ("variant", "length", "message"),
    [
        (
            Variant("chr1", 15, "A", "T", "v"),
            5,
            "variant 'v': its reference allele at chr1:15 (counted from 0) is 'A'",
        ),
        (
            Variant("chr1", 15, "A", "T", "v"),
            5,
            "has 'G' there (1 of 1 variants differ): is the FASTA another assembly",
        ),
        (Variant("chr1", 15, "A", "G", "v"), 5, "are the alleles swapped?"),
        (Variant("1", 15, "G", "T", "v"), 5, "chromosome '1' is not in"),
        (
            Variant("1", 15, "G", "T", "v"),
            5,
            "did you mean 'chr1'? Rename one file's chromosomes",
        ),
        (
            Variant("chrZ9", 15, "G", "T", "v"),
            5,
            "variant 'v': chromosome 'chrZ9' is not in",
        ),
        (
            Variant("chr1", 1, "C", "T", "v"),
            9,
            "variant 'v': window chr1:-3-6 leaves the chromosome",
        ),
        (
            Variant("chr1", 99, "C", "T", "v"),
            9,
            "leaves the chromosome, which has 30 bases",
        ),
        (
            Variant("chr1", 14, "GGC", "G", "v"),
            2,
            "variant 'v' has an allele of 3 bases; give length= of at least that",
        ),
        (Variant("chrN", 3, "T", "A", "v"), 3, "variant 'v':"),
        (
            Variant("chrN", 3, "T", "A", "v"),
            3,
            "has 'N', which is not a base, 2 bases after the start of its window",
        ),
        (
            Variant("chrN", 11, "GT", "G", "v"),
            2,
            "has 'R', which is not a base, 2 bases after",
        ),
    ],
)
def test_variants_that_do_not_fit_the_genome_are_refused(
    genome, variant, length, message
):
    with refused(message):
        variant_windows([variant], genome, length=length)


def test_how_many_reference_alleles_differ_is_said(genome):
    fits, wrong = Variant("chr1", 15, "G", "T"), Variant("chr1", 16, "A", "T")
    with refused("(1 of 2 variants differ)"):
        variant_windows([fits, wrong], genome, length=3)


def test_arguments_are_checked(genome):
    variant = Variant("chr1", 15, "G", "T")
    for length in (0, 2.0, True):
        with refused("windows have a whole number of bases"):
            variant_windows([variant], genome, length=length)
    with refused("at least one"):
        variant_windows([], genome, length=3)
    with refused("not 'chr1:16:G>T'"):
        variant_windows(["chr1:16:G>T"], genome, length=3)
    for odd in (3, None):
        with pytest.raises(
            SequenceError,
            match=f"variants= takes a VCF file, .* at least one, not {odd}",
        ):
            variant_windows(odd, genome, length=3)
    with pytest.raises(
        SequenceError, match="the genome is 3; give the path of a FASTA or .2bit file"
    ):
        variant_windows([variant], 3, length=3)
    with refused("more than one variant is called 'chr1:16:G>T'"):
        variant_windows([variant, variant], genome, length=3)
