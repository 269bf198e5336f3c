"""Imports the alphabet from the inside: complements of every letter.

Motifs as values, their instances, and their files."""

from __future__ import annotations

import gzip
import json
import math
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tomli_w
from hypothesis import given, strategies as st
from scipy.stats import chisquare, entropy

from causalgia.errors import SequenceError
from causalgia.sequences import Motif, decode, read_motifs
from causalgia.sequences.alphabet import (
    IUPAC,
    reverse_complement,
    reverse_complement_iupac,
)
from causalgia.sequences.instance_changes import instance_changes

WEIGHTS = st.lists(st.integers(0, 1_000), min_size=4, max_size=4).filter(any)
MOTIFS = st.lists(WEIGHTS, min_size=1, max_size=8).map(
    lambda counts: Motif.from_counts("m", counts)
)
WORDS = st.text("ACGTRYSWKMBDHVN", min_size=1, max_size=12)
TOY = Motif("toy", ((0.5, 0.25, 0.125, 0.125), (0.0, 0.0, 1.0, 0.0)), "MA0000.1")


def words(n: int, w: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, size=(n, w), dtype=np.uint64)


# --- the value ------------------------------------------------------------------------


@given(MOTIFS)
def test_a_motif_survives_json_and_toml(motif):
    assert Motif.from_dict(json.loads(json.dumps(motif.to_dict()))) == motif
    assert Motif.from_dict(tomllib.loads(tomli_w.dumps(motif.to_dict()))) == motif
    assert hash(Motif.from_dict(motif.to_dict())) == hash(motif)


def test_a_dict_holds_the_value_and_not_the_source():
    sourced = Motif(TOY.name, TOY.probabilities, TOY.identifier, "here.meme")
    assert sourced == TOY
    assert sourced.to_dict() == {
        "name": "toy",
        "identifier": "MA0000.1",
        "probabilities": [[0.5, 0.25, 0.125, 0.125], [0.0, 0.0, 1.0, 0.0]],
    }
    assert "identifier" not in Motif.from_iupac("A").to_dict()
    assert eval(repr(sourced)) == sourced


@given(MOTIFS)
def test_reverse_complement_twice_is_nothing(motif):
    assert motif.reverse_complement().reverse_complement() == motif


@given(WORDS)
def test_the_motif_of_a_word(word):
    motif = Motif.from_iupac(word)
    assert motif.name == word
    assert (
        motif.reverse_complement().probabilities
        == Motif.from_iupac(reverse_complement_iupac(word)).probabilities
    )
    assert motif.information == pytest.approx(
        [2 - math.log2(len(IUPAC[letter])) for letter in word]
    )


def test_consensus_breaks_ties_in_the_order_acgt():
    assert Motif.from_iupac("NYKSA").consensus == "ACGCA"


@given(MOTIFS)
def test_information_is_two_bits_less_the_entropy(motif):
    expected = 2 - entropy(np.array(motif.probabilities), base=2, axis=1)
    assert motif.information == pytest.approx(expected, abs=1e-12)


@given(MOTIFS, st.sampled_from([(0.25, 0.25, 0.25, 0.25), (0.3, 0.2, 0.2, 0.3)]))
def test_from_pwm_undoes_log_odds(motif, background):
    scores = motif.log_odds(background, pseudocount=0.1)
    found = np.array(Motif.from_pwm("m", scores, background=background).probabilities)
    assert found == pytest.approx(
        (np.array(motif.probabilities) + 0.1 * np.array(background)) / 1.1, abs=1e-12
    )
    assert Motif.from_pwm(
        "m", scores * math.log(2), background=background, base=math.e
    ).probabilities == pytest.approx([pytest.approx(row) for row in found.tolist()])


def test_counts_with_a_pseudocount():
    assert Motif.from_counts(
        "m", [[3, 0, 1, 0], [0, 0, 0, 0]], pseudocount=1
    ).probabilities == (
        (0.5, 0.125, 0.25, 0.125),
        (0.25, 0.25, 0.25, 0.25),
    )


def test_rounded_rows_are_divided_by_their_sum():
    (row,) = Motif("m", ((0.333, 0.333, 0.333, 0.0),)).probabilities
    assert row == pytest.approx((1 / 3, 1 / 3, 1 / 3, 0), abs=1e-15)


# --- instances ------------------------------------------------------------------------


def test_instances_follow_the_probabilities():
    motif = Motif.from_counts(
        "m", [[1, 2, 3, 4], [0, 1, 0, 1], [7, 0, 0, 0], [1, 0, 2, 0]]
    )
    drawn = motif.instances(words(100_000, 4))
    assert drawn.dtype == np.uint8
    for column, row in zip(drawn.T, np.array(motif.probabilities), strict=True):
        counts = np.bincount(column, minlength=4)
        assert not counts[row == 0].any()
        if (row > 0).sum() > 1:
            assert chisquare(counts[row > 0], row[row > 0] * len(drawn)).pvalue > 1e-4


@given(MOTIFS)
def test_the_first_and_the_last_word_draw_a_base_that_can_be(motif):
    extremes = np.array([[0] * len(motif), [2**64 - 1] * len(motif)], dtype=np.uint64)
    table = np.array(motif.probabilities)
    first, last = motif.instances(extremes)
    assert np.array_equal(first, (table > 0).argmax(axis=1))
    assert np.array_equal(last, 3 - (table > 2.0**-53)[:, ::-1].argmax(axis=1))


@given(st.integers(0, 2**64 - 1), WEIGHTS)
def test_a_word_draws_the_base_whose_stretch_of_the_cdf_it_falls_in(word, weights):
    total, tokens = sum(weights), np.repeat(np.arange(4), weights)
    drawn = int(
        Motif.from_counts("m", [weights]).instances(
            np.array([[word]], dtype=np.uint64)
        )[0, 0]
    )
    around = {
        int(tokens[min(max(total * (word + shift) >> 64, 0), total - 1)])
        for shift in (-(2**13), 0, 2**13)
    }
    assert drawn in around


def test_instances_of_a_word_are_the_word():
    assert set(decode(Motif.from_iupac("AGATAAG").instances(words(50, 7)))) == {
        "AGATAAG"
    }


def test_instances_of_the_other_strand_are_reverse_complements_in_law():
    motif = Motif.from_counts("m", [[1, 2, 3, 4], [4, 0, 1, 3]])
    there = motif.reverse_complement().instances(words(50_000, 2, seed=1))
    pairs = [
        np.bincount(x[:, 0] * 4 + x[:, 1], minlength=16)
        for x in (reverse_complement(there),)
    ]
    expected = np.outer(*map(np.array, motif.probabilities)).ravel() * len(there)
    assert chisquare(pairs[0][expected > 0], expected[expected > 0]).pvalue > 1e-4


# --- files ----------------------------------------------------------------------------

MEME = """\
# made by hand
MEME version 4

ALPHABET= ACGT

strands: + -

Background letter frequencies
A 0.25 C 0.25 G 0.25 T 0.25

MOTIF MA1.1 ONE
letter-probability matrix: alength= 4 w= 2 nsites= 10 E= 0
 0.1 0.2 0.3 0.4
 1.0 0.0 0.0 0.0
URL http://example.org/MA1.1

MOTIF MA2.1
letter-probability matrix:
0.25\t0.25\t0.25\t0.25

MOTIF TTT MEME-3 width = 1
 log-odds matrix: alength= 4 w= 1
 -5 -5 -5 2
--------
letter-probability matrix: alength=4 w=1
 0 0 0 1
--------
"""
JASPAR = (
    ">MA1.1\tONE\n"
    "A  [ 1 10 ]\n"
    "C  [ 2 0 ]\n"
    "G  [ 3 0 ]\n"
    "T  [ 4 0 ]\n\n"
    ">MA2.1\n"
    "5\n"
    "5\n"
    "5\n"
    "5\n"
)


def written(path: Path, text: str) -> Path:
    path.write_bytes(
        gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode()
    )
    return path


RNA = MEME.replace("version 4", "version 5.5.7 (Release date: 2025)").replace(
    "ALPHABET= ACGT", "ALPHABET= ACGU"
)
CUSTOM = MEME.replace(
    "ALPHABET= ACGT",
    'ALPHABET "DNA" DNA-LIKE\nA "Adenine" CC0000 ~ T "Thymine" 008000\nEND ALPHABET',
)


@pytest.mark.parametrize("name", ["m.meme", "m.txt.gz"])
@pytest.mark.parametrize(
    "text",
    [
        MEME,
        RNA,
        CUSTOM,
        MEME.replace("\n", "\r\n"),
        MEME.replace("ALPHABET= ACGT\n", ""),
    ],
)
def test_read_meme(tmp_path, name, text):
    path = written(tmp_path / name, text)
    found = read_motifs(path)
    assert list(found) == ["ONE", "MA2.1", "MEME-3"]
    assert found["ONE"] == Motif(
        "ONE", ((0.1, 0.2, 0.3, 0.4), (1.0, 0.0, 0.0, 0.0)), "MA1.1"
    )
    assert found["ONE"].source == str(path)
    assert found["MA2.1"] == Motif("MA2.1", ((0.25, 0.25, 0.25, 0.25),), "MA2.1")
    assert found["MEME-3"].consensus == "T"


STARS = "*" * 80
PRINTED = f"""\
{STARS}
MEME - Motif discovery tool
{STARS}
MEME version 5.5.7 (Release date: Wed Jan 1 00:00:00 2025 -0800)

For further information on how to interpret these results please access the manual.
{STARS}
TRAINING SET
{STARS}
PRIMARY SEQUENCES= peaks.fa
ALPHABET= ACGT
Sequence name            Weight Length
-------------            ------ ------
peak1                    1.0000    500
{STARS}
command: meme peaks.fa -dna -nmotifs 2
Letter frequencies in dataset:
A 0.25 C 0.25 G 0.25 T 0.25
{STARS}
MOTIF RC MEME-1\twidth =   2  sites =  10  llr = 20  E-value = 1.4e-237
{STARS}
\tMotif RC MEME-1 Description
{"-" * 80}
Simplified        A  5:
pos.-specific     C  :a
probability       G  5:
matrix            T  ::
{"-" * 80}
\tMotif RC MEME-1 in BLOCKS format
{"-" * 80}
BL   MOTIF RC width=2 seqs=10
peak1                    (  213) AC  1
//
{"-" * 80}
log-odds matrix: alength= 4 w= 2 n= 490 bayes= 5.6 E= 1.4e-237
   100  -1055    100  -1055
 -1055    200  -1055  -1055
{"-" * 80}
letter-probability matrix: alength= 4 w= 2 nsites= 10 E= 1.4e-237
 0.500000  0.000000  0.500000  0.000000
 0.000000  1.000000  0.000000  0.000000
{"-" * 80}
\tMotif RC MEME-1 regular expression
{"-" * 80}
[AG]C
{"-" * 80}
Time  3.78 secs.
{STARS}
MOTIF  2\twidth =    1   sites =   3   llr = 9   E-value = 1.0e+000
{STARS}
letter-probability matrix: alength= 4 w= 1 nsites= 3 E= 1.0e+000
 0.333333  0.333333  0.333333  0.000000
{"-" * 80}
SEQUENCE NAME            POSITION P-VALUE  MOTIF DIAGRAM
{STARS}
SUMMARY OF MOTIFS
{STARS}
Stopped because requested number of motifs (2) found.
{STARS}
"""


def test_what_meme_prints_is_read(tmp_path):
    found = read_motifs(written(tmp_path / "meme.txt", PRINTED))
    assert list(found) == ["MEME-1", "2"]
    assert found["MEME-1"] == Motif(
        "MEME-1", ((0.5, 0.0, 0.5, 0.0), (0.0, 1.0, 0.0, 0.0)), "RC"
    )
    assert found["2"].probabilities[0] == pytest.approx(
        (1 / 3, 1 / 3, 1 / 3, 0), abs=1e-15
    )
    with pytest.raises(SequenceError):
        read_motifs(
            written(
                tmp_path / "old.txt", re.sub("version 5.*", "version 3.5.4", PRINTED)
            )
        )


def test_rounded_rows_of_a_file_are_divided_by_their_sum(tmp_path):
    rounded = MEME.replace(
        " 0.1 0.2 0.3 0.4\n 1.0 0.0 0.0 0.0",
        " 0.33 0.33 0.33 0.00\n 0.334 0.334 0.334 0",
    )
    for row in read_motifs(written(tmp_path / "m", rounded))["ONE"].probabilities:
        assert row == pytest.approx((1 / 3, 1 / 3, 1 / 3, 0), abs=1e-15)
    for row in ["0.32 0.33 0.32 0.00", "0.341 0.341 0.341 0"]:
        spoiled = MEME.replace("0.1 0.2 0.3 0.4", row)
        with pytest.raises(SequenceError):
            read_motifs(written(tmp_path / "m", spoiled))
    for row in [(0.33, 0.33, 0.33, 0.0), (0.334, 0.334, 0.334, 0.0)]:
        with pytest.raises(SequenceError):
            Motif("m", (row,))


SQUARE = "0.7 0.1 0.1 0.1\n0.7 0.1 0.1 0.1\n0.05 0.05 0.05 0.85\n0.3 0.3 0.3 0.1\n"


OF_HOMER = ">GATA\tGATA1(Zf)\t6.05\t-1781.9\t0\n"


def test_motifs_of_homer(tmp_path):
    """As HOMER's known.motifs: known ones with statistics behind, and one found de
    novo.
    """
    text = (
        OF_HOMER
        + SQUARE
        + ">SCCTCAG\t1-SCCTCAG\t8.2\n0.997\t0.001\t0.001\t0.001\n0.4\t0.3\t0.2\t0.1\n"
    )
    found = read_motifs(written(tmp_path / "m", text))
    assert [(x, motif.identifier) for x, motif in found.items()] == [
        ("GATA1(Zf)", "GATA"),
        ("1-SCCTCAG", "SCCTCAG"),
    ]
    assert found["GATA1(Zf)"].probabilities == tuple(
        tuple(map(float, row.split())) for row in SQUARE.splitlines()
    )
    assert len(found["1-SCCTCAG"].probabilities) == 2
    twice = read_motifs(
        written(tmp_path / "m", text + text.replace(">SC", ">AC").replace(">GA", ">CA"))
    )
    assert list(twice) == ["GATA", "SCCTCAG", "CATA", "ACCTCAG"]


TATA = ((1, 3, 2, 14), (13, 0, 0, 7), (7, 1, 1, 11), (20, 0, 0, 0))
LINES = "".join(" ".join(map(str, row)) + "\n" for row in TATA)
PLAIN = f">box\n{LINES}"


@pytest.mark.parametrize(
    ("name", "format"),
    [("m.cb", None), ("m.pcm.gz", None), ("m.txt", "clusterbuster")],
)
def test_rows_of_cluster_buster_are_positions(tmp_path, name, format):
    found = read_motifs(written(tmp_path / name, PLAIN), format=format)
    np.testing.assert_allclose(found["box"].probabilities, np.array(TATA) / 20)


@pytest.mark.parametrize(("name", "format"), [("m.jaspar", None), ("m.txt", "jaspar")])
def test_rows_of_jaspar_are_bases(tmp_path, name, format):
    counts = np.array(TATA).T
    found = read_motifs(written(tmp_path / name, PLAIN), format=format)
    np.testing.assert_allclose(
        np.array(found["box"].probabilities), counts / counts.sum(1, keepdims=True)
    )


@pytest.mark.parametrize("name", ["m.txt", "m.pfm", "m"])
def test_numbers_alone_do_not_say_what_their_rows_are(tmp_path, name):
    # the four rows of four of TATA have one sum by row; others have it both ways
    for text in (PLAIN, LINES, ">x\n1 2 3\n4 5 6\n7 8 9\n1 1 1\n"):
        with pytest.raises(SequenceError):
            read_motifs(written(tmp_path / name, text))


def test_the_line_that_says_the_format_stands_above_the_ending(tmp_path):
    assert next(iter(read_motifs(written(tmp_path / "m.jaspar", MEME)))) == "ONE"


def test_a_jaspar_name_is_all_that_follows_the_identifier(tmp_path):
    found = read_motifs(
        written(tmp_path / "m", JASPAR.replace("MA1.1\tONE", "MA1\tFOS  JUN\t(var.2) "))
    )
    assert found["FOS JUN (var.2)"].identifier == "MA1"
    assert found["FOS JUN (var.2)"].name == "FOS JUN (var.2)"


@pytest.mark.parametrize("name", ["m.jaspar", "m.jaspar.gz"])
@pytest.mark.parametrize(
    "text",
    [
        JASPAR,
        JASPAR.replace("\n", "\r\n"),
        f"\ufeff# of JASPAR\n{JASPAR}",
        JASPAR.replace("A  [ 1 10 ]\nC  [ 2 0 ]", "C  [ 2 0 ]\nA  [ 1 10 ]"),
    ],
)
def test_read_jaspar(tmp_path, name, text):
    found = read_motifs(written(tmp_path / name, text))
    assert list(found) == ["ONE", "MA2.1"]
    assert found["ONE"] == Motif(
        "ONE", ((0.1, 0.2, 0.3, 0.4), (1.0, 0.0, 0.0, 0.0)), "MA1.1"
    )
    assert found["MA2.1"] == Motif("MA2.1", ((0.25, 0.25, 0.25, 0.25),), "MA2.1")


@pytest.mark.parametrize(
    "text", ["1 0\n1 0\n1 5\n1 0\n", "A [1 0]\nC [1 0]\nG [1 5]\nT [1 0]\n"]
)
def test_a_bare_jaspar_matrix_is_named_after_its_file(tmp_path, text):
    found = read_motifs(written(tmp_path / "SPI1.jaspar.gz", text))
    assert found["SPI1"].probabilities == (
        (0.25, 0.25, 0.25, 0.25),
        (0.0, 0.0, 1.0, 0.0),
    )


def test_motifs_that_share_a_name_are_keyed_by_identifier(tmp_path):
    text = JASPAR.replace(">MA2.1", ">MA2.1 ONE\n1\n1\n1\n1\n>MA3.1 TWO")
    found = read_motifs(written(tmp_path / "m.jaspar", text))
    assert list(found) == ["MA1.1", "MA2.1", "TWO"]
    assert [motif.name for motif in found.values()] == ["ONE", "ONE", "TWO"]


TRANSFAC = (
    "VV  of a test\nXX\n//\nAC M1\nXX\nID one\nXX\nDE M1 one ; From JASPAR\n"
    "PO\tA\tC\tG\tT\n01\t1\t2\t3\t4\n02\t10\t0\t0\t0\nXX\n"
    "CC tf_family:C4; C4; GATA\nXX\n//\nAC M2\nNA two\n"
    "HP  T00001; Basic domain.\nHC  T00204; Jun.\nHC  T00999; Fos.\n"
    "P0      A      C      G      T\n01      0      0      9      0      G\nXX\n//\n"
)


def test_read_transfac(tmp_path):
    found = read_motifs(written(tmp_path / "m", TRANSFAC))
    assert list(found) == ["one", "two"]
    assert found["one"] == Motif(
        "one", ((0.1, 0.2, 0.3, 0.4), (1.0, 0.0, 0.0, 0.0)), "M1"
    )
    assert found["one"].tf_family == "C4::GATA"
    assert (found["two"].identifier, found["two"].consensus) == ("M2", "G")
    assert (found["two"].tf_class, found["two"].tf_family) == (
        "Basic domain",
        "Jun::Fos",
    )


OF_MEME = "MEME version 4\nMOTIF X\nletter-probability matrix: nsites= 9\n1 0 0 0\n"
DAMAGED = {
    "nothing": ("", ""),
    "a comment": ("# nothing\n\n", ""),
    "words": ("hello\n", ""),
    "meme, no motif": ("MEME version 4\n", ""),
    "meme, old": (MEME.replace("version 4", "version 3"), ""),
    "meme, protein": (MEME.replace("= ACGT", "= ACDEFGHIKLMNPQRSTVWY"), "line 4"),
    "meme, own letters": (
        MEME.replace("ALPHABET= ACGT", 'ALPHABET "mDNA" DNA-LIKE'),
        "line 4",
    ),
    "meme, 20 letters": (
        MEME.replace("alength= 4 w= 2", "alength= 20 w= 2"),
        "line 12",
    ),
    "meme, a row less": (MEME.replace(" 1.0 0.0 0.0 0.0\n", ""), "line 12"),
    "meme, a number less": (MEME.replace("1.0 0.0 0.0 0.0", "1.0 0.0 0.0"), "line 14"),
    "meme, five numbers": (
        MEME.replace("0.25\t0.25\t0.25\t0.25", "0.25 0.25 0.25 0.25 0"),
        "line 19",
    ),
    "meme, no number": (MEME.replace("1.0 0.0 0.0 0.0", "1.0 x 0.0 0.0"), "line 14"),
    "meme, decimal comma": (MEME.replace("0.1 0.2", "0,1 0,2"), "line 13"),
    "meme without w, a row that is none": (f"{OF_MEME}NA 0 0 0\n1 0 0 0\n", "line 5"),
    "meme without w, nan": (f"{OF_MEME}nan 0 0 0\n1 0 0 0\n", "line 3"),
    "meme without w, a note": (f"{OF_MEME} # end\n1 0 0 0\n", "line 5"),
    "meme without w, a row below": (f"{OF_MEME}\n\nx\n1 0 0 0\n", "line 7"),
    "meme, counts": (MEME.replace("1.0 0.0 0.0 0.0", "9 0 0 0"), "line 12"),
    "meme, a zero row": (MEME.replace("1.0 0.0 0.0 0.0", "0 0 0 0"), "line 12"),
    "meme, negative": (MEME.replace("0.1 0.2 0.3", "-0.1 0.4 0.3"), "line 12"),
    "meme, no name": (MEME.replace("MOTIF MA2.1", "MOTIF"), "line 18"),
    "meme, no matrix": (MEME + "MOTIF X Y\n", "line 28"),
    "meme, a lost MOTIF": (MEME.replace("MOTIF MA2.1", ""), "line 11"),
    "meme, no position": (
        MEME + "MOTIF X\nletter-probability matrix: alength= 4 w= 0\n",
        "line 29",
    ),
    "jaspar, a row less": (JASPAR.replace("5\n5\n5\n5", "5\n5\n5"), "line 7"),
    "jaspar, a row too many": (JASPAR + "5\n", "line 7"),
    "jaspar, a name alone": (JASPAR + ">MA3.1 THREE\n", "line 12"),
    "jaspar, rows of the next": (
        JASPAR.replace("T  [ 4 0 ]\n", "").replace("5\n5", "5\n5\n5"),
        "line 1",
    ),
    "jaspar, no name": (JASPAR.replace(">MA2.1", ">"), "line 7"),
    "jaspar, no number": (JASPAR.replace("C  [ 2 0 ]", "C  [ 2 x ]"), "line 3"),
    "jaspar, decimal comma": (JASPAR.replace("[ 2 0 ]", "[ 2,5 0 ]"), "line 3"),
    "jaspar, G twice": (JASPAR.replace("C  [", "G  ["), "line 5"),
    "jaspar, no positions": (JASPAR.replace("C  [ 2 0 ]", "C  [ ]"), "line 5"),
    "jaspar, unequal rows": (JASPAR.replace("[ 2 0 ]", "[ 2 ]"), "line 5"),
    "jaspar, a zero column": (JASPAR.replace("10", "0"), "line 1"),
    "jaspar, negative": (JASPAR.replace("10", "-10"), "line 1"),
    "jaspar, not finite": (JASPAR.replace("10", "nan"), "line 1"),
    "jaspar, twice": (JASPAR + JASPAR, ""),
    "homer, two numbers": (f"{OF_HOMER}0.5 0.5\n", "line 2"),
    "homer, letters": (f"{OF_HOMER}A 0.1 0.2 0.3 0.4\n", "line 2"),
    "homer, counts": (f"{OF_HOMER}1 1 1 1\n", "line 1"),
    "homer, a sequence": (f"{OF_HOMER}ccTGATAAGgg\n", "line 2"),
    "homer, no position": (OF_HOMER + SQUARE + OF_HOMER, "line 6"),
    "transfac, cut": (TRANSFAC[:-3], "line 16"),
    "transfac, a row cut": (TRANSFAC.replace("\t10\t0\t0\t0", ""), "line 4"),
    "transfac, three numbers": (TRANSFAC.replace("3\t4\n", "3\n"), "line 10"),
    "transfac, other order": (TRANSFAC.replace("A\tC\tG\tT", "T\tC\tG\tA"), "line 9"),
    "transfac, no matrix": (TRANSFAC + "AC M3\nNA x\nXX\n//\n", "line 25"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_and_foreign_files_are_refused(tmp_path, what):
    text, place = DAMAGED[what]
    with pytest.raises(SequenceError) as caught:
        read_motifs(written(tmp_path / "m", text))
    assert place in str(caught.value)


@pytest.mark.parametrize(
    "text", [f"{PLAIN}1 2 3 4 5\n", PLAIN + ">y\n", ">y\nACGT\n", ">y\n-1 .2 .3 .1\n"]
)
def test_no_row_of_cluster_buster_is_passed_over(tmp_path, text):
    with pytest.raises(SequenceError):
        read_motifs(written(tmp_path / "m.cb", text))


def test_probabilities_of_meme_keep_their_digits(tmp_path):
    # Bio.motifs rounds them to counts of nsites=20
    text = MEME.replace("0.1 0.2 0.3 0.4", "0.123456 0.200001 0.300003 0.37654")
    found = read_motifs(written(tmp_path / "m", text.replace("nsites= 10", "")))
    assert found["ONE"].probabilities[0] == (0.123456, 0.200001, 0.300003, 0.37654)


@pytest.mark.real
def test_the_motifs_of_jaspar(shared):
    path = shared / "data" / "motifs" / "jaspar2020_subset.meme"
    found = read_motifs(path)
    assert len(found) == path.read_text().count("\nMOTIF ")
    assert (found["GATA1"].identifier, len(found["GATA1"])) == ("MA0035.4", 11)
    assert found["GATA1"].consensus == "TTCTAATCTAT"
    assert (len(found["CTCF"]), found["CTCF"].consensus) == (19, "TGGCCACCAGGGGGCGCTA")
    assert "FOS::JUN" in found
    for motif in found.values():
        assert (motif.information >= 0).all()
        instances = motif.instances(words(200, len(motif)))
        assert instances.shape == (200, len(motif))


def test_columns_and_rows_of_a_table_are_read_by_their_names():
    # a frame in another order was read as if it were A, C, G, T, without a word
    rows = [[0.7, 0.1, 0.1, 0.1], [0.0, 0.0, 0.0, 1.0]]
    table = pd.DataFrame(rows, columns=list("TGCA"))
    turned = table.T
    for one in (table, turned, table.rename(columns={"T": "u"})):
        assert Motif("x", one).consensus == "TA"
    assert Motif.from_counts("x", 10 * turned).consensus == "TA"
    assert Motif("x", table.to_numpy()).consensus == "AT"


def test_changes_of_a_string_are_those_read_by_hand() -> None:
    rng = np.random.default_rng(0)
    before = rng.integers(0, 4, (3_000, 12), dtype=np.uint8)
    after = before.copy()
    after[:, 4:8] = rng.integers(0, 4, (3_000, 4))
    found = instance_changes(before, after, np.array([[(4, 8)]]), "GAT")

    def read(rows: np.ndarray) -> list[set[int]]:
        return [
            {i for i in range(10) if text[i : i + 3] in ("GAT", "ATC")}
            for text in decode(rows)
        ]

    there, now = read(before), read(after)
    inside = {4, 5}
    assert found.written.tolist() == [bool(new & inside) for new in now]
    pairs = list(zip(there, now, strict=True))
    assert found.made.tolist() == [bool(new - old - inside) for old, new in pairs]
    assert found.lost.tolist() == [bool(old - new) for old, new in pairs]
