"""One door for sequences: FASTA, intervals of a genome, one-hot and token arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import SequenceError
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
    with pytest.raises(SequenceError):
        cg.read_sequences(path)
    with pytest.raises(SequenceError):
        cg.read_sequences(path, key="x")


def test_regions_of_finemo_are_sequences(tmp_path: Path) -> None:
    arrays = {"sequences": one_hot(encode(WORDS)), "contributions": np.zeros((3, 7))}
    assert cg.read_sequences(saved(tmp_path / "a.npz", **arrays)).names == (0, 1, 2)

    rng = np.random.default_rng(0)
    np.save(
        tmp_path / "peaks.npy", one_hot(rng.integers(0, 4, (30, 50)).astype(np.uint8))
    )
    null = cg.DinucleotideShuffle(of=cg.read_sequences(tmp_path / "peaks.npy"))
    assert null.sample(10, rng=1)["sequence"].shape == (10, 50)


def test_a_key_that_is_a_list(tmp_path: Path) -> None:
    tokens = saved(tmp_path / "x.npz", sequences=encode(WORDS), chr=np.zeros(3))
    with pytest.raises(SequenceError):
        cg.read_sequences(tokens, key=["sequences"])  # type: ignore[arg-type]


@pytest.mark.parametrize("head", ["chrom\tstart\tend\n", "chrom chromStart chromEnd\n"])
def test_a_head_of_a_table_of_intervals_is_no_interval(
    tmp_path: Path, head: str
) -> None:
    genome, bed = tmp_path / "genome.fa", tmp_path / "x.bed"
    genome.write_text(">chr1\n" + "ACGTTGCA" * 40 + "\n")
    bed.write_text(f"{head}chr1\t10\t40\n")
    with pytest.raises(SequenceError):
        cg.read_sequences(bed, genome=genome, length=20)
    bed.write_text(f"#{head}chr1\t10\t40\n")
    found = cg.read_sequences(bed, genome=genome, length=20)
    assert found.names == ("chr1:15-35",)
