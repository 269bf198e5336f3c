"""Files of variants that would be half read, or name other bases than the genome's."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

import causalgia as cg
from causalgia.errors import DesignError, SequenceError
from causalgia.experiments import kmer_screen, knock_in
from causalgia.sequences import Variant, read_variants
from causalgia.sequences.variant_files import InfoField, annotated_vcf
from causalgia.sequences.windowed_variants import variant_windows

from . import Row

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n"
GENOME = ">chr1\nACGTTGCAAGCTTAGGCATCGATTACGGAC\n>chrN\nACGTNACGTACG\n"
ONE = Variant("chr1", 15, "G", "T", "v")


def of_file(read: Callable[..., Any], text: str, name: str, **options: Any) -> Any:
    """Read a file of a text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(text)
        return read(path, **options)


def vcf(text: str) -> Any:
    return of_file(read_variants, HEADER + text, "x.vcf")


def listed(*rows: str) -> Any:
    text = "".join(row.replace(" ", "\t") + "\n" for row in rows)
    return of_file(read_variants, text, "x.tsv")


def windows(*variants: Variant, length: int = 5) -> Any:
    return of_file(
        lambda path: variant_windows(variants, path, length=length), GENOME, "g.fa"
    )


def boxes() -> Any:
    """Sequences with CACGTG at 20."""
    tokens = cg.Uniform(length=50).sample(100, rng=3)["sequence"].to_numpy()
    tokens[:, 20:26] = cg.sequences.encode(["CACGTG"])
    return tokens


ROWS = [
    Row(
        "a symbolic allele", lambda: vcf("1\t7\tx\tA\t<DEL>\n"), SequenceError, "line 3"
    ),
    Row("a breakend", lambda: vcf("1\t7\tx\tA\tA]2:8]\n"), SequenceError, "A]2:8]"),
    Row("a reference of N", lambda: vcf("1\t7\tx\tN\tA\n"), SequenceError, "N"),
    Row("both alleles are one", lambda: vcf("1\t7\tx\tA\ta\n"), SequenceError, "A"),
    Row("a position of 0", lambda: vcf("1\t0\tx\tA\tC\n"), SequenceError, "line 3"),
    Row("a position of 1e3", lambda: vcf("1\t1e3\tx\tA\tC\n"), SequenceError, "1e3"),
    Row("a line of four columns", lambda: vcf("1\t7\tx\tA\n"), SequenceError, "line 3"),
    Row("a VCF without variants", lambda: vcf(""), SequenceError),
    Row(
        "a variant twice in a VCF",
        lambda: vcf("1\t7\tx\tA\tC\n1\t7\ty\tA\tc\n"),
        SequenceError,
        "line 4",
    ),
    Row(
        "a binary VCF",
        lambda: of_file(read_variants, "BCF\0\0", "x.bcf"),
        SequenceError,
        "x.bcf",
    ),
    Row(
        "a genome in the place of variants",
        lambda: of_file(
            lambda path: variant_windows(path, path, length=9), GENOME, "g.fa"
        ),
        SequenceError,
        "FASTA",
    ),
    Row(
        "a table lacks a cell",
        lambda: listed("chrom pos ref alt", "1 5 A"),
        SequenceError,
        "line 2",
    ),
    Row(
        "a table that counts from 0",
        lambda: listed("chrom pos ref alt", "1 0 A G"),
        SequenceError,
        "line 2",
    ),
    Row(
        "a variant twice in a table",
        lambda: listed("chrom pos ref alt", "1 5 A G", "1 5 A G"),
        SequenceError,
        "line 3",
    ),
    Row(
        "the columns of a genome-wide association study",
        lambda: listed("SNP CHR BP A1 A2 BETA", "rs1 1 5 A G 0.1"),
        SequenceError,
        "'bp'",
    ),
    Row(
        "a list of variant-scorer",
        lambda: listed("chr pos variant_id allele1 allele2", "chr1 42 rs1 A G"),
        SequenceError,
        "'allele1'",
    ),
    Row(
        "a DataFrame of other columns",
        lambda: read_variants(pd.DataFrame({"chrom": ["1"], "position": [4]})),
        SequenceError,
        "'position'",
    ),
    Row(
        "a table in the place of a VCF to annotate",
        lambda: of_file(
            lambda path: annotated_vcf([], [], like=path),
            "chrom\tpos\tref\talt\n1\t5\tA\tG\n",
            "x.tsv",
        ),
        SequenceError,
        "x.tsv",
    ),
    Row(
        "another reference than the genome's",
        lambda: windows(Variant("chr1", 15, "A", "T", "v")),
        SequenceError,
        "v",
    ),
    Row(
        "a chromosome of another genome",
        lambda: windows(Variant("1", 15, "G", "T", "v")),
        SequenceError,
        "1",
    ),
    Row(
        "a window leaves its chromosome",
        lambda: windows(Variant("chr1", 1, "C", "T", "v"), length=9),
        SequenceError,
        "v",
    ),
    Row(
        "a window is shorter than an allele",
        lambda: windows(Variant("chr1", 14, "GGC", "G", "v"), length=2),
        SequenceError,
        "length",
    ),
    Row(
        "a window of N",
        lambda: windows(Variant("chrN", 3, "T", "A", "v"), length=3),
        SequenceError,
        "v",
    ),
    Row("two variants of one name", lambda: windows(ONE, ONE), SequenceError),
    Row(
        "a variant at -1", lambda: Variant("1", -1, "A", "C"), SequenceError, "position"
    ),
    Row(
        "a field of a VCF whose name begins with a digit",
        lambda: annotated_vcf([ONE], [InfoField("1a", "Float", "", [1.0])]),
        SequenceError,
        "1a",
    ),
    Row(
        "two fields of a VCF have one name",
        lambda: annotated_vcf([ONE], [InfoField("a", "Float", "", [1.0])] * 2),
        SequenceError,
        "a",
    ),
    Row(
        "a field of a VCF has a value too many",
        lambda: annotated_vcf([ONE], [InfoField("a", "Float", "", [1.0, 2.0])]),
        SequenceError,
        "a",
    ),
    Row(
        "a VCF to annotate lacks a position",
        lambda: of_file(
            lambda path: annotated_vcf([], [], like=path),
            "#CHROM\tPOS\tID\tREF\tALT\nchr1\n",
            "x.vcf",
        ),
        SequenceError,
        "POS",
    ),
    Row(
        "a placebo is the motif on the other strand",
        lambda: knock_in(boxes(), motif="CACGTA", at=5, placebo="TACGTG"),
        DesignError,
        "placebo",
    ),
    Row(
        "a motif in two spellings",
        lambda: kmer_screen(cg.Uniform(length=41), motifs=["UGCAUG", "TGCATG"]),
        DesignError,
        "motifs",
    ),
]
