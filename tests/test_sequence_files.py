"""One door for sequences: FASTA, intervals of a genome, one-hot and token arrays."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import DesignError, SequenceError
from causalgia.sequences import decode, encode, from_bed, one_hot, read_fasta

WORDS = ["GATTACA", "CCGGTTA", "ACGTACG"]


def saved(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def test_fasta_and_bed_are_read_as_before(tmp_path: Path) -> None:
    fasta = tmp_path / "x.fa"
    fasta.write_text("".join(f">s{i}\n{word}\n" for i, word in enumerate(WORDS)))
    assert cg.read_sequences(fasta) == read_fasta(fasta)
    assert cg.read_sequences(str(fasta)).source == str(fasta)
    genome, bed = tmp_path / "genome.fa", tmp_path / "peaks.narrowPeak"
    genome.write_text(">chr1\n" + "ACGTTGCA" * 10 + "\n")
    bed.write_text("chr1\t10\t40\tp\t9\t-\t1\t1\t1\t5\n")
    options: dict[str, Any] = {"length": 12, "center": "summit", "stranded": True}
    assert cg.read_sequences(bed, genome=genome, **options) == from_bed(
        bed, genome, **options
    )


@pytest.mark.parametrize("dtype", [np.int8, np.float32, np.float64, bool, np.uint8])
@pytest.mark.parametrize("layout", ["NCL", "NLC"])
def test_one_hot_of_both_layouts(tmp_path: Path, dtype: type, layout: Any) -> None:
    array = one_hot(encode(WORDS), layout=layout).astype(dtype)
    np.save(tmp_path / "x.npy", array)
    for path in (
        tmp_path / "x.npy",
        saved(tmp_path / "x.npz", arr_0=array),
        saved(tmp_path / "y.npz", onehot=array),
    ):
        for given in (None, layout):
            found = cg.read_sequences(path, layout=given)
            assert decode(found.tokens) == WORDS
            assert found.names == (0, 1, 2)


def test_tokens_and_named_arrays(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "x.npz",
        test=encode(WORDS[:1]),
        train=encode(WORDS[1:]).astype(np.int64),
    )
    assert decode(cg.read_sequences(path, key="train").tokens) == WORDS[1:]
    with pytest.raises(
        SequenceError, match=r"has the arrays \['test', 'train'\]; say which by key="
    ):
        cg.read_sequences(path)
    with pytest.raises(SequenceError, match="key='x' is not there"):
        cg.read_sequences(path, key="x")


def test_regions_of_finemo_have_their_windows_as_names(tmp_path: Path) -> None:
    arrays = {"sequences": one_hot(encode(WORDS)), "contributions": np.zeros((3, 7))}
    assert cg.read_sequences(saved(tmp_path / "a.npz", **arrays)).names == (0, 1, 2)
    places = {"chr": np.array(["chr1", "chr1", "chrX"]), "start": np.array([5, 90, 5])}
    found = cg.read_sequences(saved(tmp_path / "b.npz", **arrays, **places))
    assert found.names == ("chr1:5-12", "chr1:90-97", "chrX:5-12")
    assert decode(found.tokens) == WORDS
    places["chr"][:] = "NA"
    assert cg.read_sequences(saved(tmp_path / "c.npz", **arrays, **places)).names == (
        0,
        1,
        2,
    )


def test_four_bases_have_two_readings(tmp_path: Path) -> None:
    array = one_hot(encode(["ACGT", "TTTT"]))
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(SequenceError, match="fits both layouts"):
        cg.read_sequences(tmp_path / "x.npy")
    assert decode(cg.read_sequences(tmp_path / "x.npy", layout="NCL").tokens) == [
        "ACGT",
        "TTTT",
    ]


def test_positions_without_a_base(tmp_path: Path) -> None:
    for nothing in (0.0, 0.25):
        array = one_hot(encode(WORDS)).astype(float)
        array[1, :, 3] = nothing
        np.save(tmp_path / "x.npy", array)
        with pytest.raises(
            SequenceError, match=r"x\.npy: record 1: letter 'N' at position 3"
        ):
            cg.read_sequences(tmp_path / "x.npy")
        found = cg.read_sequences(tmp_path / "x.npy", ambiguous="draw", rng=0)
        drawn = decode(found.tokens)[1]
        assert (drawn[:3], drawn[4:]) == (WORDS[1][:3], WORDS[1][4:])
        assert found == cg.read_sequences(tmp_path / "x.npy", ambiguous="draw", rng=0)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 5, 7)), "has no axis of 4 channels"),
        (
            np.random.default_rng(0).normal(size=(2, 4, 7)),
            "contributions and averages are not sequences",
        ),
        (np.ones((2, 4, 7)), r"sequence 0, position 0 is \[1.0, 1.0, 1.0, 1.0\]"),
        (np.full((2, 7), 4), "tokens are whole numbers from 0 to 3"),
        (np.zeros((2, 7)), "tokens are whole numbers"),
        (np.zeros(7, int), "give one-hot"),
        (
            np.eye(4, dtype=int)[[0, 3, 2, 1, 1]],
            r"shape \(5, 4\) is one-hot of one sequence",
        ),
        (
            np.eye(4, dtype=int)[[0, 3, 2, 1, 1]].T,
            r"is one-hot of one sequence.*array\[None\]",
        ),
        (np.zeros((0, 4, 7)), "give one-hot"),
        (np.array(["ACGT"]), "give one-hot"),
        (
            np.array([{"a": 1}], dtype=object),
            "holds Python objects, which are never opened",
        ),
    ],
)
def test_other_arrays(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(SequenceError, match=message):
        cg.read_sequences(tmp_path / "x.npy")


def test_options_that_do_not_go_with_the_file(tmp_path: Path) -> None:
    fasta, bed, npy = tmp_path / "x.fa", tmp_path / "x.bed", tmp_path / "x.npy"
    fasta.write_text(">a\nACGT\n")
    bed.write_text("chr1\t1\t3\n")
    np.save(npy, one_hot(encode(WORDS)))
    for path, options, message in (
        (fasta, {"stranded": True}, "stranded= is for BED or narrowPeak, and this is "),
        (fasta, {"layout": "NCL"}, "layout= is for NumPy arrays"),
        (npy, {"genome": fasta}, "genome= is for BED"),
        (npy, {"layout": "LCN"}, "layout='LCN' is not a choice"),
        (npy, {"layout": "NLC"}, "no 4 channels where layout='NLC' puts them"),
        (bed, {"key": "x"}, "key= is for NumPy arrays"),
        (bed, {}, r"give genome= \(its FASTA or .2bit file\) and length= "),
        (bed, {"genome": fasta}, r"give length= \(that of the network"),
    ):
        with pytest.raises(SequenceError, match=message):
            cg.read_sequences(path, **options)


def test_files_that_are_none(tmp_path: Path) -> None:
    damaged = saved(tmp_path / "x.npz", x=np.zeros((50, 4, 50)))
    damaged.write_bytes(damaged.read_bytes()[:-30])
    (tmp_path / "x.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    (tmp_path / "empty.fa").write_text("")
    for name, message in (
        ("x.npz", "save them anew"),
        ("x.h5", "is HDF5"),
        ("empty.fa", "the file is empty"),
        ("none.fa", "no such file"),
        (".", "is a folder"),
    ):
        with pytest.raises(SequenceError, match=message):
            cg.read_sequences(tmp_path / name)
    with pytest.raises(SequenceError, match="is not a path"):
        cg.read_sequences(["ACGT"])  # type: ignore[arg-type]


def test_other_files_are_named_with_their_cure(tmp_path: Path) -> None:
    (tmp_path / "x.bw").write_bytes(b"\x26\xfc\x8f\x88" + b"\0" * 60)
    (tmp_path / "x.vcf").write_text("##fileformat=VCFv4.2\nchr1\t10\t.\tA\tC\n")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr("a.txt", "hello")
    for name, message in (
        ("x.bw", "is a bigWig"),
        ("x.vcf", "is VCF"),
        ("x.zip", "'a.txt' in it, which is not a NumPy array"),
    ):
        with pytest.raises(SequenceError, match=message):
            cg.read_sequences(tmp_path / name)
    (tmp_path / "x.bed").write_text("chr1 100 200\n")  # blanks for tabs
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGTTGCA" * 40 + "\n")
    assert cg.read_sequences(
        tmp_path / "x.bed", genome=tmp_path / "genome.fa", length=20
    ).names == ("chr1:140-160",)
    np.save(tmp_path / "x.npy", one_hot(encode(WORDS)))
    for name, message in (
        ("x.bed", "looks like BED: cg.read_sequences"),
        ("x.npy", "cg.read_sequences reads NumPy"),
    ):
        with pytest.raises(DesignError, match=message):
            cg.Shuffle(of=str(tmp_path / name))


def test_what_is_read_is_a_population(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(
        tmp_path / "peaks.npy", one_hot(rng.integers(0, 4, (30, 50)).astype(np.uint8))
    )
    null = cg.DinucleotideShuffle(of=cg.read_sequences(tmp_path / "peaks.npy"))
    assert null.sample(10, rng=1)["sequence"].shape == (10, 50)


def test_odd_windows_of_regions_and_keys(tmp_path: Path) -> None:
    """Found by fuzzing: bytes for names, a key that is a list."""
    hot, starts = one_hot(encode(WORDS)), np.arange(3)
    for chromosomes, places in (
        (np.array([b"1", b"1", b"1"]), starts),
        (np.array(["1"] * 3), np.array([b"1"] * 3)),
    ):
        path = saved(
            tmp_path / "x.npz", sequences=hot, chr=chromosomes, peak_region_start=places
        )
        assert cg.read_sequences(path).names == (0, 1, 2)
    tokens = saved(
        tmp_path / "x.npz",
        sequences=encode(WORDS),
        chr=np.array(["1"] * 3),
        peak_region_start=starts,
    )
    assert cg.read_sequences(tokens).names == ("1:0-7", "1:1-8", "1:2-9")
    with pytest.raises(SequenceError, match=r"key=\['sequences'\] is not there"):
        cg.read_sequences(tokens, key=["sequences"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "chrom\tstart\tend\nchr1\t10\t40\n",
            r"line 1: 'chrom', 'start', 'end' is a header.*begin the line with '#'",
        ),
        ("chrom chromStart chromEnd\n", "'chromStart', 'chromEnd' is a header"),
        ("", "no intervals; a BED line has a chromosome"),
        ("# nothing\n", "no intervals"),
        ("chr1\tten\t40\n", "line 1: start 'ten' is not a whole number"),
    ],
)
def test_a_table_with_a_genome_is_read_as_bed(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "genome.fa").write_text(">chr1\n" + "ACGTTGCA" * 40 + "\n")
    (tmp_path / "x.bed").write_text(text)
    with pytest.raises(SequenceError, match=message):
        cg.read_sequences(tmp_path / "x.bed", genome=tmp_path / "genome.fa", length=20)
    if "header" in message:
        (tmp_path / "x.bed").write_text(f"#{text.splitlines()[0]}\nchr1\t10\t40\n")
        found = cg.read_sequences(
            tmp_path / "x.bed", genome=tmp_path / "genome.fa", length=20
        )
        assert found.names == ("chr1:15-35",)


def test_a_window_longer_than_any_number_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "genome.fa").write_text(">chr1\nACGTTGCA\n")
    (tmp_path / "x.bed").write_text("chr1\t1\t5\n")
    with pytest.raises(SequenceError, match="at least 1 and at most a chromosome's"):
        cg.read_sequences(
            tmp_path / "x.bed", genome=tmp_path / "genome.fa", length=10**5_000
        )


def test_a_file_of_text_named_npz_is_called_what_it_is(tmp_path):
    path = tmp_path / "peaks.npz"
    path.write_text("0.25 0.5\n-1.0 2.0\n")
    with pytest.raises(
        SequenceError,
        match=r"is not a file of NumPy arrays, it begins with '0.25 0'.*np.loadtxt",
    ):
        cg.attribution.read_attributions(path, sequences=["AC", "GT"])
