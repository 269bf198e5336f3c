# Imports from the inside: distances of words and the dealing of barcodes, against the
# textbook recurrence and every pair.
"""Barcodes: distances against the textbook recurrence, every pair by brute force, every
rule letter by letter.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left

import numpy as np
import pytest
from scipy import stats

from causalgia.errors import DesignError
from causalgia.mpra.libraries import barcode_sets
from causalgia.mpra.libraries.barcode_sets import (
    BarcodeRules,
    barcodes,
    draw_barcodes,
)
from causalgia.sequences import decode, encode
from causalgia.sequences.alphabet import reverse_complement
from causalgia.sequences.string_distance import (
    KINDS,
    largest_distance,
)


def edit_matrix(one, others):
    """The textbook recurrence for one word against many: D[i, j] is (n,), the distance
    of the first i and j letters.
    """
    n, length = others.shape
    D = np.zeros((length + 1, length + 1, n), np.int16)
    D[0], D[:, 0] = np.arange(length + 1)[:, None], np.arange(length + 1)[:, None]
    for i, j in itertools.product(range(1, length + 1), repeat=2):
        D[i, j] = np.minimum(D[i - 1, j], D[i, j - 1]) + 1
        D[i, j] = np.minimum(
            D[i, j], D[i - 1, j - 1] + (one[i - 1] != others[:, j - 1])
        )
    return D


def distances(one, others, kind):
    if kind == "hamming":
        return (others != one).sum(axis=1)
    D, length = edit_matrix(one, others), others.shape[1]
    if kind == "levenshtein":
        return D[-1, -1]
    ends = [
        np.minimum(D[m, : m + 1].min(axis=0), D[: m + 1, m].min(axis=0))
        for m in range(length, 0, -1)
    ]
    return np.min([np.maximum(2 * s, end) for s, end in enumerate(ends)], axis=0)


@pytest.mark.simulation
@pytest.mark.parametrize("kind", KINDS)
def test_every_pair_of_2000_barcodes_keeps_its_distance(kind):
    made = encode(barcodes(2_000, length=11, distance=kind, rng=3))
    least = min(
        int(distances(made[i], made[:i], kind).min()) for i in range(1, len(made))
    )
    # kept, and reached: the set is dense enough for that to say something
    assert least == 3


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_is_refused_that_would_have_done(kind):
    rules = BarcodeRules(
        length=5,
        distance=kind,
        min_distance=2,
        gc=(0, 1),
        homopolymer=5,
        all_four_bases=False,
    )

    def fits(n):
        try:
            draw_barcodes(n, rules, rng=1)
        except DesignError:
            return False
        return True

    n = bisect_left(range(1, 1_001), True, key=lambda n: not fits(n))
    made, refused = draw_barcodes(n, rules, rng=1)
    every = np.array(list(itertools.product(range(4), repeat=5)), np.uint8)
    nearest = np.min([distances(one, every, kind) for one in made], axis=0)
    assert (nearest < 2).all()  # every other word is too near: no more would fit in
    assert refused["homopolymer"] == refused["GC"] == 0


def test_large_orders_may_try_twenty_words_for_each_barcode(monkeypatch):
    """Above the floor of tries, how many words are tried grows with the order."""
    monkeypatch.setattr(barcode_sets, "_TRIES", 40)
    assert len(set(barcodes(2_000, length=12, rng=2))) == 2_000


def one_error(word, *, window):
    """What may be read of a word with one error: its own letters, or `window` letters
    with any that follow.
    """
    after = {word}
    for i, base in itertools.product(range(len(word) + 1), "ACGT"):
        after |= {
            word[:i] + base + word[i:],
            word[:i] + base + word[i + 1 :] if i < len(word) else word,
        }
    after |= {word[:i] + word[i + 1 :] for i in range(len(word))}
    if not window:
        return after
    return {(read + end)[: len(word)] for read in after for end in ("A", "C", "G", "T")}


@pytest.mark.parametrize(("kind", "window"), [("levenshtein", False), ("free", True)])
def test_one_error_is_corrected_at_distance_three(kind, window):
    reads = [
        one_error(word, window=window)
        for word in barcodes(200, length=9, distance=kind, rng=5)
    ]
    assert len(set.union(*reads)) == sum(map(len, reads))


def test_two_errors_are_corrected_at_distance_five_where_a_fixed_number_of_letters_is_read():
    reads = []
    for word in barcodes(25, length=12, min_distance=5, distance="free", rng=5):
        reads.append(
            set.union(
                *(one_error(read, window=True) for read in one_error(word, window=True))
            )
        )
    assert len(set.union(*reads)) == sum(map(len, reads))


def test_the_sequence_levenshtein_distance_alone_would_let_two_words_meet():
    words = encode(barcodes(150, length=8, min_distance=2, rng=1))
    pairs = []
    for i, one in enumerate(words):
        D = edit_matrix(one, words[:i])
        apart = np.minimum(D[-1].min(axis=0), D[:, -1].min(axis=0)) == 3
        near = distances(one, words[:i], "free") < 3
        pairs += [decode(words[[i, j]]) for j in np.flatnonzero(apart & near)]
    meet = [one_error(a, window=True) & one_error(b, window=True) for a, b in pairs]
    assert any(meet)  # one error from the same read, though S_0 is 3


def test_every_rule_is_kept_letter_by_letter():
    left, right = "GGTACCTCTAGAA", "ATTCAGATCGGAAGAGC"
    let7, primer = "UGAGGUAGUAGGUUGUAUAGUU", "ACTGGCCGCTTCACTG"
    made = barcodes(
        3_000,
        length=10,
        avoid=["EcoRI", "BsaI", "ACNT"],
        flanks=(left, right),
        seeds=[let7],
        primers=[primer],
        rng=0,
    )
    assert len(set(made)) == 3_000
    for word in made:
        whole = left + word + right
        # seven letters of either flank: a site of eight that touches the barcode, and
        # none that does not
        near = whole[len(left) - 7 : len(left) + 17]
        strands = [near, decode(reverse_complement(encode(near)))[0]]
        assert 4 <= word.count("G") + word.count("C") <= 6  # 3.5 and 6.5
        assert set(word) == set("ACGT")
        assert not any(base * 4 in whole for base in "ACGT")
        assert not any(
            site in strand
            for strand in strands
            for site in ("GAATTC", "GGTCTC", primer[-8:])
        )
        assert not any(f"AC{base}T" in word or f"A{base}GT" in word for base in "ACGT")
        assert "AATAAA" not in whole
        assert "ATTAAA" not in whole
        assert "CTACCTC" not in whole  # pairs with GAGGUAG, the seed of let-7


@pytest.mark.parametrize(
    ("word", "asked"),
    [
        ("GAATTC", {"avoid": ["EcoRI"]}),
        ("GAGACC", {"avoid": ["BsaI"]}),  # on the other strand
        ("AATAAA", {}),
        ("CTACCTC", {"seeds": ["GAGGUAG"]}),
        ("GCTTCACT", {"primers": ["TTTGCTTCACT"]}),
        ("AGTGAAGC", {"primers": ["TTTGCTTCACT"]}),
        ("AAAA", {"homopolymer": 3}),
    ],
)
@pytest.mark.parametrize("cut", [2, 3])
def test_what_the_flanks_begin_a_barcode_does_not_finish(word, asked, cut):
    rules = {
        "gc": (0, 1),
        "all_four_bases": False,
        "min_distance": 1,
        "length": 6,
        "homopolymer": 6,
        **asked,
    }
    every, begun, ended = (
        barcodes(n, **rules, flanks=flanks, rng=11)
        for n, flanks in (
            (3_900, ("", "")),
            (2_500, ("CG" + word[:cut], "")),
            (2_500, ("", word[-cut:] + "CG")),
        )
    )
    assert any(x.startswith(word[cut:]) for x in every)
    assert any(x.endswith(word[:-cut]) for x in every)
    assert not any(x.startswith(word[cut:]) for x in begun)
    assert not any(x.endswith(word[:-cut]) for x in ended)


def test_a_seed_on_the_barcodes_own_strand_is_no_target():
    asked = {
        "length": 7,
        "gc": (0, 1),
        "all_four_bases": False,
        "homopolymer": 7,
        "min_distance": 1,
    }
    every = [
        set(barcodes(15_000, **asked, seeds=seeds, rng=0))
        for seeds in ([], ["GAGGUAG"])
    ]
    assert "CTACCTC" not in every[1]
    assert "GAGGTAG" in every[1]


def test_the_first_of_many_are_the_few():
    asked = {"length": 12, "avoid": ["EcoRI"]}
    assert barcodes(50, **asked, rng=4) == barcodes(3_000, **asked, rng=4)[:50]
    assert barcodes(50, **asked, rng=4) != barcodes(50, **asked, rng=5)


def test_barcodes_are_a_random_sample_of_words():
    made = encode(
        barcodes(
            20_000,
            length=14,
            min_distance=1,
            gc=(0, 1),
            homopolymer=14,
            all_four_bases=False,
            rng=9,
        )
    )
    for letters in made.T:
        assert stats.chisquare(np.bincount(letters, minlength=4)).pvalue > 1e-5
    pairs = 4 * made[:, :-1].astype(int) + made[:, 1:]
    assert all(
        stats.chisquare(np.bincount(column, minlength=16)).pvalue > 1e-5
        for column in pairs.T
    )


def test_one_text_is_one_primer_and_one_seed():
    one, several = (
        {"primers": kind("ACGTACGT"), "seeds": kind("GAGGUAG")}
        for kind in (str, lambda text: [text])
    )
    assert barcodes(50, length=10, rng=0, **one) == barcodes(
        50, length=10, rng=0, **several
    )


@pytest.mark.parametrize("length", range(4, 33))
def test_the_largest_free_distance_leaves_every_piece_a_letter(length):
    most = largest_distance(length, "free")
    assert most + (most - 1) // 2 <= length < most + 1 + most // 2


# ---- who carries which
