# Imports from the inside: scores of motifs, whose p-values are enumerated.
"""Instances of strings and motifs against brute force, and exact p-values against
enumeration.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st

from causalgia.sequences import Motif, decode, encode, find_instances
from causalgia.sequences.alphabet import IUPAC, reverse_complement
from causalgia.sequences.motif_scores import cutoff, step_scores, tail_probabilities

TOY = Motif.from_counts(
    "toy", [[8, 0, 1, 1], [0, 1, 9, 0], [4, 3, 2, 1], [0, 0, 1, 9], [5, 4, 1, 0]]
)
WORDS = st.text("ACGTUWSRYN", min_size=1, max_size=5)


def reads(word: str, letters: str) -> bool:
    return all(
        base in IUPAC[letter] for letter, base in zip(word, letters, strict=True)
    )


def opposite(letters: str) -> str:
    return decode(reverse_complement(encode(letters)))[0]


def listed(found) -> list[tuple[int, int, str]]:
    return list(
        zip(
            found.row.tolist(), found.start.tolist(), found.strand.tolist(), strict=True
        )
    )


def random_tokens(n: int, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, (n, length)).astype(np.uint8)


# --- strings --------------------------------------------------------------------------


@given(WORDS, st.integers(0, 1_000))
def test_words_are_found_where_their_letters_admit_the_bases(word, seed):
    tokens = random_tokens(3, 20, seed)
    expected = []
    for row, sequence in enumerate(decode(tokens)):
        for start in range(20 - len(word) + 1):
            piece = sequence[start : start + len(word)]
            if reads(word, piece) or reads(word, opposite(piece)):
                expected.append((row, start, "+" if reads(word, piece) else "-"))
    assert listed(find_instances(tokens, word, overlapping=True)) == expected


def test_a_palindrome_is_one_instance():
    found = find_instances(encode(["TTCACGTGTT"]), "CACGTG")
    assert listed(found) == [(0, 2, "+")]
    assert found.score.tolist() == [12.0]


def test_case_and_rna_do_not_matter():
    assert listed(find_instances(encode(["aaugcaugaa"]), "ugcaug")) == [(0, 2, "+")]


def test_a_word_scores_its_bits():
    assert find_instances(encode(["AGATAA"]), "WGATAR").score.tolist() == [10.0]
    np.testing.assert_allclose(
        find_instances(encode(["AC"]), "AB").score, 4 - np.log2(3)
    )
    assert find_instances(encode(["AC"]), "N").score.tolist() == [0.0, 0.0]


# --- motifs ---------------------------------------------------------------------------


def test_p_values_are_those_of_all_words():
    steps = step_scores(TOY)
    scores = np.array(
        [
            sum(steps[i, b] for i, b in enumerate(w))
            for w in itertools.product(range(4), repeat=5)
        ]
    )
    tails = tail_probabilities(steps)
    lowest = steps.min(axis=1).sum()
    assert tails.size == scores.max() - lowest + 1
    for score in np.unique(scores):
        assert tails[score - lowest] == pytest.approx(
            (scores >= score).mean(), abs=1e-15
        )
    for threshold in (0.9, 0.1, 0.01, 1 / 1024):
        assert (
            (scores >= cutoff(TOY, threshold)).mean()
            <= threshold
            < (scores >= cutoff(TOY, threshold) - 1).mean()
        )


def test_scores_are_log_odds_rounded_to_a_thousandth_of_a_bit():
    exact = TOY.log_odds(pseudocount=0.01)
    assert np.abs(step_scores(TOY) / 1000 - exact).max() <= 0.0005
    found = find_instances(encode([TOY.consensus]), TOY, threshold=0.01)
    assert abs(found.score[0] - exact.max(axis=1).sum()) <= 5 * 0.0005


@pytest.mark.parametrize("threshold", [0.2, 0.01, 0.001])
def test_a_motif_is_found_where_it_scores_on_either_strand(threshold):
    tokens = random_tokens(20, 30)
    steps, lowest = step_scores(TOY), cutoff(TOY, threshold)
    expected = []
    for row, start in itertools.product(range(20), range(26)):
        piece = tokens[row, start : start + 5]
        plus, minus = (
            int(steps[np.arange(5), x].sum())
            for x in (piece, reverse_complement(piece))
        )
        if max(plus, minus) >= lowest:
            expected.append(
                (row, start, "-" if minus > plus else "+", max(plus, minus) / 1000)
            )
    found = find_instances(tokens, TOY, threshold=threshold, overlapping=True)
    assert [
        (*place, s)
        for place, s in zip(listed(found), found.score.tolist(), strict=True)
    ] == expected


def test_random_sequences_have_as_many_instances_as_the_p_value_says():
    found = find_instances(
        random_tokens(4_000, 104), TOY, threshold=0.001, overlapping=True
    )
    probability = tail_probabilities(step_scores(TOY))[
        cutoff(TOY, 0.001) - step_scores(TOY).min(axis=1).sum()
    ]
    per_row = np.bincount(found.row, minlength=4_000)
    se = per_row.std(ddof=1) / np.sqrt(4_000)
    # no string of this motif scores on both strands, so that strands add
    assert abs(per_row.mean() - 2 * 100 * probability) < 4 * se


def test_the_default_threshold_is_one_in_ten_thousand():
    wide = Motif.from_counts("wide", np.tile([[9, 1, 0, 2], [0, 8, 2, 2]], (4, 1)))
    tokens = random_tokens(500, 200)
    assert listed(find_instances(tokens, wide)) == listed(
        find_instances(tokens, wide, threshold=1e-4)
    )
    assert len(find_instances(tokens, wide)) > 0


def test_blocks_do_not_change_what_is_found(monkeypatch):
    tokens = random_tokens(50, 40)
    whole = find_instances(tokens, TOY, threshold=0.01)
    monkeypatch.setattr("causalgia.sequences.motif_scores._SCORES_A_BLOCK", 100)
    assert listed(find_instances(tokens, TOY, threshold=0.01)) == listed(whole)


# --- overlaps -------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", [TOY, "NRN", "AA"])
def test_overlaps_are_thinned_greedily_by_score(pattern):
    tokens = random_tokens(30, 40)
    threshold = 0.3 if isinstance(pattern, Motif) else None
    every = find_instances(tokens, pattern, threshold=threshold, overlapping=True)
    order = sorted(
        range(len(every)), key=lambda i: (-every.score[i], every.row[i], every.start[i])
    )
    kept: list[tuple[int, int, str]] = []
    for row, start, strand in (listed(every)[i] for i in order):
        if all(row != r or abs(start - s) >= every.width for r, s, _ in kept):
            kept.append((row, start, strand))
    assert listed(find_instances(tokens, pattern, threshold=threshold)) == sorted(kept)
    assert len(kept) < len(every)


def test_neighboring_sequences_do_not_overlap():
    assert listed(find_instances(encode(["CCA", "ACC"]), "A")) == [
        (0, 2, "+"),
        (1, 0, "+"),
    ]
    assert listed(find_instances(encode(["AAAA", "AAAA"]), "AAA")) == [
        (0, 0, "+"),
        (1, 0, "+"),
    ]


def test_nothing_found_is_empty():
    for overlapping in (False, True):
        found = find_instances(encode(["CCCCCC"]), "AGATAA", overlapping=overlapping)
        assert (len(found), found.width, found.score.dtype) == (0, 6, np.float64)
