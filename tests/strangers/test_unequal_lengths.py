# Imports from the inside: windows of intervals, which those of records equal.
"""Peaks differ in length, and a network has one (kundajelab/ChromDragoNN#6): the middle
of each by one rule where it is asked for, else refused.
"""

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import CausalgiaError, SequenceError
from causalgia.sequences import middle_windows, read_fasta, read_sequences
from causalgia.sequences.fasta import from_bed
from causalgia.trial_file import read_spec

GENOME = "".join(np.random.default_rng(8).choice(list("ACGT"), 400))
SPANS = {"a": (10, 40), "b": (50, 81), "c": (100, 121), "d": (200, 220)}
STRINGS = {name: GENOME[first:stop] for name, (first, stop) in SPANS.items()}


@pytest.fixture
def fasta(tmp_path):
    path = tmp_path / "peaks.fa"
    path.write_text("".join(f">{name}\n{text}\n" for name, text in STRINGS.items()))
    return path


@pytest.mark.parametrize("length", [1, 7, 12, 20])
def test_a_record_has_the_window_that_its_interval_has(fasta, tmp_path, length):
    (tmp_path / "g.fa").write_text(f">c\n{GENOME}\n")
    bed = tmp_path / "peaks.bed"
    bed.write_text("".join(f"c\t{x}\t{y}\n" for x, y in SPANS.values()))
    windows = from_bed(bed, tmp_path / "g.fa", length=length)
    for found in (
        read_fasta(fasta, length=length),
        read_sequences(fasta, length=length),
        middle_windows(STRINGS, length),
        middle_windows(fasta, length),
    ):
        np.testing.assert_array_equal(found.tokens, windows.tokens)
        assert found.names == tuple(SPANS)
        assert found.source is None


def test_the_rest_is_refused_or_left_out(fasta):
    with pytest.raises(SequenceError):
        read_fasta(fasta)
    with pytest.raises(CausalgiaError):
        cg.DinucleotideShuffle(of=list(STRINGS.values()))
    with pytest.raises(SequenceError):
        read_fasta(fasta, length=21)
    with pytest.raises(SequenceError):
        middle_windows(STRINGS, 21)
    with pytest.raises(SequenceError):
        read_fasta(fasta, length=21, skip="N")
    left = read_fasta(fasta, length=21, skip="length")
    assert left.names == ("a", "b", "c")
    assert left.skipped[0][:2] == ("d", "length")


def test_a_letter_outside_of_the_window_is_no_flaw(tmp_path):
    path = tmp_path / "n.fa"
    path.write_text(">a\nNACGTN\n>b\nACNGT\n")
    with pytest.raises(SequenceError):
        read_fasta(path, length=4)
    assert read_fasta(path, length=4, skip="N").names == ("a",)


def test_a_trial_file_reads_the_middle_too(fasta, tmp_path):
    path = tmp_path / "trial.toml"
    path.write_text(
        'n_units = 8\nrng = 0\n[null]\nkind = "dinucleotide_shuffle"\n'
        'of = {file = "peaks.fa", length = 18}\n[predictor]\nzoo = "rbfox1_like"\n'
        '[arms.untreated]\n[arms.motif]\nembed = "TGCATG"\nat = 5\n'
        '[analysis]\ncontrol = "untreated"\n'
    )
    assert read_spec(path).design.null == cg.DinucleotideShuffle(
        of=middle_windows(STRINGS, 18)
    )
