# Imports from the inside: windows of variants.
"""Tables of variants, BCF, and files that end too early."""

from __future__ import annotations

import gzip
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from causalgia.errors import MissingExtraError, SequenceError
from causalgia.sequences import Variant, read_variants
from causalgia.sequences.variant_files import InfoField, annotated_vcf
from causalgia.sequences.windowed_variants import variant_windows

VARIANTS = (Variant("1", 41, "A", "G", "rs1"), Variant("X", 9, "CA", "C"))
ROWS = [("1", 42, "rs1", "A", "G"), ("X", 10, ".", "CA", "C")]
HEADER = (
    "##fileformat=VCFv4.2\n##contig=<ID=1>\n##contig=<ID=X>\n"
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)


def lines(*rows):
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


VCF = HEADER + lines(*((*row, ".", "PASS", ".") for row in ROWS))
TABLES = {
    "named": lines(("chrom", "pos", "ref", "alt", "id"))
    + lines(*((c, at, ref, alt, name) for c, at, name, ref, alt in ROWS)),
    "capitals": lines(("ID", "REF", "ALT", "beta", "CHROM", "POS"))
    + lines(*((name, ref, alt, 0.1, c, at) for c, at, name, ref, alt in ROWS)),
    "a hash": "# a list\n" + lines(("#chrom", "pos", "id", "ref", "alt"), *ROWS),
    "a hash and a blank": lines(("# chrom", "pos", "id", "ref", "alt"), *ROWS),
    "a sample called by a number": lines(("chrom", "pos", "ref", "alt", "1000", "id"))
    + lines(*((c, at, ref, alt, 1, name) for c, at, name, ref, alt in ROWS)),
    "headless": lines(*ROWS),
    "blanks": "chrom pos id ref alt\n" + lines(*ROWS).replace("\t", " "),
    "vcf": VCF,
    "windows": VCF.replace("\n", "\r\n"),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("packed", [False, True])
def test_every_table_gives_the_same_variants(tmp_path, table, packed):
    data = TABLES[table].encode()
    path = tmp_path / "variants.tsv"
    path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
    assert read_variants(path) == VARIANTS


@pytest.mark.parametrize("positions", [[42, 10], [42.0, 10.0], ["42", "10"]])
def test_a_data_frame_is_a_table(positions):
    table = pd.DataFrame(
        {
            "#CHROM": ["1", "X"],
            "pos": positions,
            "ref": ["A", "CA"],
            "alt": ["G", "C"],
            "id": ["rs1", None],
        }
    )
    assert read_variants(table) == VARIANTS
    table.loc[2] = ["X", type(positions[0])(7), "A", "*", "rs3"]
    with pytest.raises(SequenceError):
        read_variants(table)
    found = read_variants(table, skip="symbolic")
    assert found == VARIANTS
    assert [(x.name, x.reason, x.line) for x in found.skipped] == [
        ("rs3", "symbolic", 3)
    ]


ONE = Variant("chr1", 1479, "A", "G")


@pytest.mark.parametrize(
    "written",
    [
        *("chr1:1480:A:G", "chr1-1480-A-G", "chr1_1480_A_G", "chr1_1480_A_G_b38"),
        *("chr1:1480:A>G", "chr1:1480A>G", "chr1:g.1480A>G", "chr1:1480_a/g", ONE),
        {"chrom": "chr1", "pos": np.int64(1480), "ref": "A", "alt": "G"},
        {"#CHROM": ["chr1"], "POS": [1480.0], "REF": ["A"], "ALT": ["G"]},
        SimpleNamespace(chrom="chr1", pos=1480, id=None, ref="A", alts=("G",)),
    ],
)
def test_a_variant_is_read_however_it_is_held(tmp_path, written):
    many = isinstance(written, dict) and "POS" in written
    forms = [written, *([] if many else [[written], (written,), iter([written])])]
    if isinstance(written, str):
        forms += [np.array([written]), pd.Series([written]), [written, ONE]]
        path = tmp_path / "names.txt"
        path.write_text(f"# a list\n{written}\n")
        forms += [path, str(path)]
    for form in forms:
        (found,) = read_variants(form, skip="repeated")
        assert (found.chromosome, found.position) == ("chr1", 1479)
        assert (found.reference, found.alternate) == ("A", "G")
        assert found.name == (written if isinstance(written, str) else ONE.name)


def test_a_list_of_names_is_no_vcf_to_annotate(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text("chr1:1480:A:G\n")
    with pytest.raises(SequenceError):
        annotated_vcf([ONE], [InfoField("e", "Float", "x", [0.5])], like=path)


def test_spdi_counts_from_0_and_nothing_else_does():
    for written, position in {
        "NC_000001.11:1479:A:G": 1479,
        "NC_000001.11:g.1480A>G": 1479,
        "NC_000001.11-1480-A-G": 1479,
        "HLA-A*01:01:01:01:1480:A:G": 1479,
        "chr1_KI270706v1_random:1480:A:AGG": 1479,
    }.items():
        (found,) = read_variants([written])
        assert found.position == position


@pytest.mark.parametrize(
    "written",
    [
        *("rs123", "chr1:1480", "chr1:1480::G", "chr1:1480:A:", "chr1:0:A:G", "x", 5),
        *("NC_000001.11:1479:A:", "NC_000001.11:1479:1:G", ("chr1", 1480, "A", "G")),
        *("chr1:1480:A:<DEL>", "chr1:1480:N:G", "chr1:1480:A:A", "chr1:1480:A:*"),
    ],
)
def test_what_names_no_variant_is_refused(written):
    with pytest.raises(SequenceError):
        read_variants([written, "chr1:1490:A:G"])
    if isinstance(written, str):
        found = read_variants([written, "chr1:1490:A:G"], skip="all")
        assert [x.name for x in found] == ["chr1:1490:A:G"]
        assert [x.line for x in found.skipped] == [1]


@pytest.mark.parametrize(
    "header",
    [
        ("#chr", "pos(1-based)", "ref", "alt", "aaref"),
        ("#chr pos ref alt aaref",),
        ("chr", "pos", "ref", "alt", "1000"),
        ("chrom", "pos", "ref", "alt", "ref"),
    ],
)
def test_a_header_that_does_not_tell_the_columns_is_no_comment(tmp_path, header):
    path = tmp_path / "variants.tsv"
    row = ("1", 42, "A", "G", "T")
    path.write_text(lines(header, row).replace("\t", " " if len(header) < 2 else "\t"))
    with pytest.raises(SequenceError):
        read_variants(path, skip="all")
    effect = InfoField("e", "Float", "x", [0.5])
    with pytest.raises(SequenceError):
        annotated_vcf(VARIANTS[:1], [effect], like=path)


def test_a_second_header_of_other_columns_is_refused(tmp_path):
    path = tmp_path / "variants.tsv"
    path.write_text(VCF + VCF)
    assert read_variants(path, skip="repeated") == VARIANTS
    other = lines(("#chrom", "pos", "ref", "alt", "x"), ("1", 50, "A", "G", "T"))
    path.write_text(VCF + other)
    with pytest.raises(SequenceError):
        read_variants(path, skip="all")


def test_a_comment_is_no_header_of_the_vcf_that_is_written(tmp_path):
    path = tmp_path / "some.vcf"
    path.write_text("# a list\n" + lines(*ROWS))
    effect = InfoField("effect", "Float", "", [1.0, 2.0])
    text = annotated_vcf(VARIANTS, [effect], like=path)
    path.write_text(text)
    assert read_variants(path) == VARIANTS
    assert text.splitlines()[-3].startswith("#CHROM\tPOS")


def test_a_table_of_polars_is_a_table():
    polars = pytest.importorskip("polars")
    table = polars.DataFrame(
        ROWS, schema=["chrom", "pos", "id", "ref", "alt"], orient="row"
    )
    assert read_variants(table) == VARIANTS


@pytest.mark.parametrize(
    "source",
    [
        None,
        [],
        {"chrom": ["1"]},
        pd.DataFrame({"chrom": ["1", None], "pos": 9, "ref": "A", "alt": "G"}),
        pd.DataFrame(
            [["1", 9, "A", "G", "T"]], columns=["chrom", "pos", "ref", "alt", "ref"]
        ),
    ],
)
def test_what_is_no_table_of_variants_is_refused(source):
    with pytest.raises(SequenceError):
        read_variants(source)
    with pytest.raises(SequenceError):
        annotated_vcf(VARIANTS, [], like=source if source is not None else 5)


def test_alternates_of_one_row_and_shared_names(tmp_path):
    path = tmp_path / "variants.tsv"
    path.write_text(lines(("1", 42, "rs1", "A", "G,T"), ("1", 50, ".", "A", "G")))
    assert [x.name for x in read_variants(path)] == ["1:42:A>G", "1:42:A>T", "1:50:A>G"]


def test_names_of_variants_may_be_numbers(tmp_path):
    path = tmp_path / "variants.vcf"
    path.write_text(lines(("chr1", 42, 43, "A", "G"), ("chr1", 50, 7, "A", "G")))
    assert [variant.name for variant in read_variants(path)] == ["43", "7"]


@pytest.mark.parametrize("off", [1, -1])
def test_positions_counted_from_another_number_are_refused(tmp_path, off):
    letters = "ACGTTGCA" * 20
    (tmp_path / "genome.fa").write_text(f">chr1\n{letters}\n")
    rows = [
        ("chr1", at + 1, f"v{at}", letters[at], "A" if letters[at] != "A" else "C")
        for at in (65, 74, 82)
    ]
    path = tmp_path / "variants.tsv"
    path.write_text(lines(*((c, at + off, *row) for c, at, *row in rows)))
    with pytest.raises(SequenceError):
        variant_windows(path, tmp_path / "genome.fa", length=20)
    path.write_text(lines(*rows))
    assert len(variant_windows(path, tmp_path / "genome.fa", length=20)) == 3


@pytest.fixture
def bcf(tmp_path):
    pysam = pytest.importorskip("pysam")
    path = tmp_path / "x.bcf"
    (tmp_path / "x.vcf").write_text(VCF)
    with (
        pysam.VariantFile(str(tmp_path / "x.vcf")) as text,
        pysam.VariantFile(str(path), "wb", header=text.header) as file,
    ):
        for record in text:
            file.write(record)
    return path


def test_bcf_is_read_as_its_text_is(bcf):
    assert read_variants(bcf) == VARIANTS
    effect = InfoField("effect", "Float", "", [1.0, 2.0])
    text = annotated_vcf(VARIANTS, [effect], like=bcf)
    assert [row.split("\t")[7] for row in text.splitlines()[-2:]] == [
        "effect=1",
        "effect=2",
    ]


def test_bcf_needs_pysam(bcf, monkeypatch):
    monkeypatch.setitem(sys.modules, "pysam", None)
    with pytest.raises(MissingExtraError):
        read_variants(bcf)


def test_bcf_in_plain_gzip_is_refused(bcf, tmp_path):
    path = tmp_path / "y.bcf"
    path.write_bytes(gzip.compress(gzip.decompress(bcf.read_bytes())))
    with pytest.raises(SequenceError):
        read_variants(path)


@pytest.mark.parametrize("kind", ["bcf", "vcf.gz"])
def test_a_file_of_bgzip_that_ends_with_a_block_is_cut_short(bcf, tmp_path, kind):
    import pysam

    if kind == "vcf.gz":
        bcf = tmp_path / "x.vcf.gz"
        pysam.tabix_compress(str(tmp_path / "x.vcf"), str(bcf))
        assert read_variants(bcf) == VARIANTS
    whole = bcf.read_bytes()
    for n in (28, 40):  # the last block, which is empty
        bcf.write_bytes(whole[:-n])
        with pytest.raises(SequenceError):
            read_variants(bcf)
