"""Errors of sequences, windows and variants as they are given: what each message says is
done, and what was meant is read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from cures import Cases, cure_in, cured, evaluated, refusal

import causalgia as cg
from causalgia import sequences
from causalgia.sequences import Variant, middle_windows, read_fasta

case = Cases()

LETTERS = "".join(np.random.default_rng(3).choice(list("ACGT"), 100))
PARTS = [LETTERS[:20], LETTERS[20:40]]
ONE_HOT = np.eye(4)[sequences.encode(PARTS)]
MOTIF = "A [1 2 3]\nC [3 2 1]\nG [1 2 3]\nT [3 2 1]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working folder with a genome of 100 bases."""
    monkeypatch.chdir(tmp_path)
    write("genome.fa", f">chr1\n{LETTERS}\n")


def write(name: str, text: str) -> str:
    Path(name).write_text(text)
    return name


def windows(text: str, **given: Any) -> dict[str, Any]:
    bed = write("peaks.bed", text)
    return {"path": bed, "genome": "genome.fa", "length": 10, **given}


@case
def one_hot_in_place_of_tokens() -> Any:
    """It was told to become integers, and of three axes was then refused again."""
    found = [
        evaluated(sequences.decode, {"tokens": x}, r": (cg\..*\)) makes them", x=x)
        for x in (ONE_HOT, ONE_HOT.astype(int), np.moveaxis(ONE_HOT, 2, 1))
    ]
    return all(sequences.decode(x) == PARTS for x in found)


@case
def an_array_without_four_channels() -> Any:
    """It looked one-hot, and tokens() refused it."""
    rows = np.zeros((2, 3, 5), dtype=int)
    text = refusal(cg.Genomic, of=rows)
    assert "give (n, length) tokens with at least one sequence" in text
    return cg.Genomic(of=rows[:, 0]).length == 5


@case
def channels_on_the_other_axis() -> Any:
    np.save("x.npy", ONE_HOT)
    cure = r"puts them; give (layout='NLC')$"
    found = cured(sequences.tokens, {"one_hot": ONE_HOT, "layout": "NCL"}, cure)
    read = cured(cg.read_sequences, {"path": "x.npy", "layout": "NCL"}, cure)
    return sequences.decode(found) == sequences.decode(read.tokens) == PARTS


@case
def one_hot_of_one_sequence_in_a_file() -> Any:
    for array in (ONE_HOT[0], ONE_HOT[0].T, ONE_HOT[0].astype(bool)):
        np.save("x.npy", array)
        text = refusal(cg.read_sequences, "x.npy")
        np.save("x.npy", eval(cure_in(text, r"of sequences: (array\[None\])$")))
        read = cg.read_sequences("x.npy")
        assert sequences.decode(read.tokens) == PARTS[:1]
    return True


@case
def a_name_of_an_array_that_has_none() -> Any:
    np.save("x.npy", ONE_HOT)
    given = {"path": "x.npy", "key": "x"}
    return len(cured(cg.read_sequences, given, r"without a name: leave (key)= out"))


@case
def a_table_in_place_of_its_column() -> Any:
    table = pd.DataFrame({"a": PARTS, "b": PARTS})
    assert refusal(cg.Genomic, of=table).endswith("give its column of sequences alone")
    return sequences.decode(cg.Genomic(of=table["a"]).of.tokens) == PARTS


@case
def a_sequence_without_letters() -> Any:
    """It was told to be dropped, though no other was there."""
    assert "is empty; give it letters" in refusal(cg.Genomic, of=[""])
    assert refusal(cg.Genomic, of=["ACGT", ""]).endswith("is empty; drop it")
    return cg.Genomic(of=["ACGT"]).length == 4


@case
def bytes_in_place_of_a_string() -> Any:
    text = refusal(sequences.encode, b"ACGT")
    assert "not a sequence; give one string such as 'ACGT'" in text
    return sequences.encode(b"ACGT".decode()).tolist() == [[0, 1, 2, 3]]


@case
def a_length_that_no_record_or_not_all_have() -> Any:
    """One less than the first was refused for the second."""
    write("two.fa", ">a\nACGTA\n>b\nACG\n")
    of = {"a": "ACGTA", "b": "ACG"}
    read = cured(read_fasta, {"path": "two.fa", "length": 9}, r"; (length=3) fits all")
    given = cured(middle_windows, {"of": of, "length": 4}, r"; (length=3) fits all")
    return sequences.decode(read.tokens) == sequences.decode(given.tokens)


@case
def the_middle_of_one_string() -> Any:
    """Its letters were taken for records of one base."""
    assert sequences.decode(middle_windows("ACGTA", 3).tokens) == ["CGT"]
    assert "no such file; check the path" in refusal(middle_windows, "none.fa", 3)
    return True


@case
def other_files_in_place_of_fasta() -> Any:
    vcf = write("calls.fa", "##fileformat=VCFv4.2\nchr1\t20\t.\tA\tC\n")
    named = {"of": vcf}
    read = evaluated(cg.Genomic, named, r"(cg\.sequences\.read_variants) reads")
    assert len(read(vcf)) == 1
    text = refusal(cg.Genomic, of=write("peaks.fa", "track name=x\nchr1\t10\t30\n"))
    call = cure_in(text, r"like BED: (cg\..*?\)) cuts")
    call = call.replace("genome=", "genome='genome.fa'").replace("length=", "length=10")
    assert len(eval(call, {"cg": cg, "path": "peaks.fa"})) == 1
    given = {"of": write("motif.fa", f">MA1 X\n{MOTIF}")}
    call = r"has; (cg\.read_patterns\(path\)) reads"
    return list(evaluated(cg.Genomic, given, call, path="motif.fa")) == ["X"]


@case
def a_window_that_is_given_twice() -> Any:
    """Summits were offered of files that have none, which offer the middle."""
    for text in ("chr1\t10\t30\nchr1\t15\t25\n", "chr1\t10\t30\nchr1\t10\t30\n"):
        said = refusal(cg.read_sequences, **windows(text))
        assert "the same window chr1:15-25; drop one, or leave such lines" in said
    peak = "chr1\t10\t30\tp\t0\t.\t1\t1\t1\t"
    same, other = (f"{peak}3\n{peak}{summit}\n" for summit in (3, 14))
    assert "summit" not in refusal(cg.read_sequences, **windows(same))
    read = cured(
        cg.read_sequences, windows(other), r"or give (center='summit') if they are"
    )
    return list(read.names) == ["chr1:8-18", "chr1:19-29"]


@case
def a_window_beyond_its_chromosome() -> Any:
    """A shorter one was offered, and none lies inside."""
    text = refusal(cg.read_sequences, **windows("chr1\t190\t210\n"))
    assert "drop it, or use the genome to which the coordinates refer" in text
    write("genome.fa", f">chr1\n{LETTERS * 3}\n")
    assert len(cg.read_sequences(**windows("chr1\t190\t210\n"))) == 1
    near = windows("chr1\t2\t6\n")
    assert "drop it, or ask for a shorter length" in refusal(cg.read_sequences, **near)
    return len(cg.read_sequences(**near | {"length": 8})) == 1


@case
def hits_beyond_a_chromosome() -> Any:
    """A shorter length was offered, which read_patterns does not take."""
    hits = write("hits.bed", "chr1\t190\t196\tp0\t0\t+\n")
    text = refusal(cg.read_patterns, hits, genome="genome.fa")
    assert text.endswith("give the genome in which the hits were called")
    write("genome.fa", f">chr1\n{LETTERS * 3}\n")
    return cg.read_patterns(hits, genome="genome.fa")["p0"].consensus == LETTERS[90:96]


@case
def an_allele_without_letters() -> Any:
    """It was told to be written out, and a deletion has nothing to write."""
    ref = LETTERS[19:21]
    line = f"chr1\t21\t.\t{ref[1]}\t-\n"
    for text in (
        refusal(Variant, "chr1", 20, ref[1], ""),
        refusal(sequences.read_variants, write("calls.vcf", line)),
    ):
        assert "write both with the base before them, as GA and G of" in text
    write("calls.vcf", f"chr1\t20\t.\t{ref}\t{ref[0]}\n")
    (read,) = sequences.read_variants("calls.vcf")
    return (read.reference, read.alternate) == (ref, ref[0])


@case
def variants_that_are_strings_or_a_table() -> Any:
    for odd in (["chr1:20:A:C"], pd.DataFrame({"chrom": ["chr1"], "pos": [20]})):
        text = refusal(cg.experiments.variant_screen, odd, "genome.fa", length=21)
        made = eval(cure_in(text, r"such as (cg\..*?\)), at"), {"cg": cg})
        assert isinstance(made, Variant)
    return made.name == "chr1:1001:A>G"


@case.each
def test_the_cure_of_what_is_read_is_applied_and_succeeds(case):
    assert case()
