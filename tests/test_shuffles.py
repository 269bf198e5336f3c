# Imports from the inside: compiled shuffles, whose distribution is enumerated.
"""The k-let shuffles are exactly uniform over the right set, whatever the threads and
the batch.

False alarms: each chi-square below rejects at p < 1e-6 on fixed keys, about 60 of them,
so a correct sampler fails this file with probability below 1e-4 over all choices of the
keys.
"""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import exp, lgamma, log

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import chisquare

from causalgia import compiled
from causalgia.compiled import Allowance
from causalgia.sequences import dinucleotide_shuffle, samplers, shuffles
from causalgia.sequences.dinucleotide_shuffle import (
    LANES,
    LONGEST,
    _walk_alone,
    shuffle_long_pairs,
    shuffle_pairs,
)
from causalgia.sequences.random import random_words, unit_state
from causalgia.sequences.samplers import (
    sample_profile,
    sample_uniform,
)
from causalgia.sequences.shuffles import _shuffle_klets, klet_shuffle, log_degeneracy

N_DRAWS = 40_000


@pytest.fixture(autouse=True)
def _compiled_alone(monkeypatch):
    """The compiled shuffles are tested here; that numpy's are the same, the tests at
    the end say.
    """
    monkeypatch.setattr(compiled, "NUMPY_ALLOWANCE", Allowance(0))


ALARM = 1e-6

PUBLISHED = {
    "ACGTACGATCA": 30,
    "AACCGATCGTA": 36,
    "ACAGATCTGCA": 54,
    "GATTACACAT": 6,
    "ACGCGTATACGA": 12,
}
ENUMERATED = [
    *((word, 2) for word in PUBLISHED),
    ("ACGTTGCACAAC", 2),  # ends on another letter
    ("AAATTTAATTA", 2),  # runs of two letters
    ("ACACACAACC", 2),
    ("GTGTGTTTGG", 2),
    ("AACAGAATAA", 2),  # a hub with three spokes
    ("TCTCAGATGAGT", 2),
    ("AAAAAAA", 2),
    ("CG", 2),
    ("ACGACTACGATACA", 3),
    ("ACAACACACAAACC", 3),
    ("AAAATAAATTAAT", 3),
    ("GAGAAGAGGAAGAGA", 3),
    ("ACAGTACTACAAC", 3),  # runs from AC back to AC, and CA is on the way
    ("ACAGTAC", 3),
    ("ACACAGACAC", 3),
    ("TTATTATATTA", 4),
    ("CATACCCAT", 4),
    ("ACGACGTACGACTACG", 4),
    ("TTTTTTTT", 3),
    ("AACG", 1),
    ("AACCGT", 1),
    ("TTTTA", 1),
    ("GGGG", 1),
]


def tokens_of(word: str) -> np.ndarray:
    return np.array([["ACGT".index(letter) for letter in word]], np.uint8)


def draws_of(tokens: np.ndarray, k: int, n: int = N_DRAWS, key: int = 11) -> np.ndarray:
    return klet_shuffle(key, np.arange(n), tokens, k, parent=np.zeros(n, np.int64))


def klets(word: str, k: int) -> Counter[str]:
    return Counter(word[i : i + k] for i in range(len(word) - k + 1))


def same_counts(word: str, k: int) -> set[str]:
    """Every rearrangement of the word's letters with the same k-let counts, by plain
    search.
    """
    left, found = klets(word, k), set()

    def extend(prefix: str) -> None:
        if len(prefix) == len(word):
            found.add(prefix)
            return
        for letter in "ACGT":
            klet = (prefix + letter)[-k:]
            if left[klet] > 0:
                left[klet] -= 1
                extend(prefix + letter)
                left[klet] += 1

    for start in map("".join, product("ACGT", repeat=k - 1)):
        extend(start)
    return {other for other in found if klets(other, 1) == klets(word, 1)}


def distinct(draws: np.ndarray) -> Counter[str]:
    rows, counts = np.unique(draws, axis=0, return_counts=True)
    return Counter(
        {
            "".join("ACGT"[token] for token in row): int(count)
            for row, count in zip(rows, counts, strict=True)
        }
    )


def klet_counts(tokens: np.ndarray, k: int) -> np.ndarray:
    codes = sum(
        tokens[:, j : tokens.shape[1] - k + 1 + j].astype(np.int64) << 2 * (k - 1 - j)
        for j in range(k)
    )
    return np.stack([np.bincount(row, minlength=4**k) for row in codes])


@pytest.mark.parametrize("word", PUBLISHED)
def test_the_set_is_the_published_one(word: str) -> None:
    assert len(same_counts(word, 2)) == PUBLISHED[word]


@pytest.mark.parametrize(("word", "k"), ENUMERATED)
def test_every_valid_sequence_is_equally_likely(word: str, k: int) -> None:
    valid = same_counts(word, k)
    seen = distinct(draws_of(tokens_of(word), k))
    assert set(seen) == valid
    if len(valid) > 1:
        assert chisquare(list(seen.values())).pvalue > ALARM


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("word", "k"), [(w, k) for w, k in ENUMERATED if k == 2 and len(w) > 2]
)
def test_the_general_walk_agrees_for_pairs(word: str, k: int) -> None:
    out = np.empty((N_DRAWS, len(word)), np.uint8)
    _shuffle_klets(
        np.uint64(5),
        np.arange(N_DRAWS, dtype=np.uint64),
        tokens_of(word),
        np.zeros(N_DRAWS, np.int64),
        k,
        out,
    )
    seen = distinct(out)
    assert set(seen) == same_counts(word, k)
    if len(seen) > 1:
        assert chisquare(list(seen.values())).pvalue > ALARM


@pytest.mark.simulation
@pytest.mark.parametrize("word", [w for w, k in ENUMERATED if k == 2])
def test_the_lists_of_long_sequences_agree_for_pairs(word: str) -> None:
    out = np.empty((N_DRAWS, len(word)), np.uint8)
    shuffle_long_pairs(
        np.uint64(5),
        np.arange(N_DRAWS, dtype=np.uint64),
        tokens_of(word),
        np.zeros(N_DRAWS, np.int64),
        out,
    )
    seen = distinct(out)
    assert set(seen) == same_counts(word, 2)
    if len(seen) > 1:
        assert chisquare(list(seen.values())).pvalue > ALARM


def test_all_last_exit_trees_have_their_share() -> None:
    """Four hubs with unequal exits: all 16 tree shapes occur, against the enumerated
    set.
    """
    word = "ACGTACTGATCGCAGT"
    valid = same_counts(word, 2)
    seen = distinct(draws_of(tokens_of(word), 2, n=60 * len(valid)))
    assert set(seen) == valid
    assert chisquare(list(seen.values())).pvalue > ALARM


@pytest.mark.parametrize(("word", "k"), ENUMERATED)
def test_log_degeneracy_counts_the_set(word: str, k: int) -> None:
    expected = log(len(same_counts(word, k)))
    assert log_degeneracy(tokens_of(word)[0], k) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=settings.default.max_examples * 5 // 2)
@given(st.text("ACGT", min_size=1, max_size=11), st.integers(1, 4))
def test_log_degeneracy_of_any_word(word: str, k: int) -> None:
    if len(word) <= k and k > 1:
        assert log_degeneracy(tokens_of(word)[0], k) == 0.0
    elif len(word) < 9 or k > 1:
        assert exp(log_degeneracy(tokens_of(word)[0], k)) == pytest.approx(
            len(same_counts(word, k)), rel=1e-9
        )


def test_log_degeneracy_of_a_long_sequence_is_near_its_entropy() -> None:
    tokens = sample_uniform(3, [0], 20_000)[0]
    counts = np.bincount(tokens, minlength=4)
    expected = lgamma(20_001) - sum(lgamma(count + 1) for count in counts.tolist())
    assert log_degeneracy(tokens, 1) == pytest.approx(expected, rel=1e-12)
    assert (
        0
        < log_degeneracy(tokens, 4)
        < log_degeneracy(tokens, 3)
        < log_degeneracy(tokens, 2)
        < expected
    )


@settings(max_examples=settings.default.max_examples * 3)
@given(
    st.integers(1, 40),
    st.integers(1, 30),
    st.integers(1, 8),
    st.lists(st.integers(0, 5), min_size=4, max_size=4).filter(any),
    st.integers(0, 2**64 - 1),
)
def test_counts_are_kept(
    n: int, length: int, k: int, weights: list[int], key: int
) -> None:
    tokens = sample_profile(
        key, np.arange(n), np.tile(np.array(weights) / sum(weights), (length, 1))
    )
    shuffled = klet_shuffle(key, np.arange(n), tokens, k)
    assert shuffled.shape == tokens.shape
    assert shuffled.dtype == np.uint8
    if length < k:
        np.testing.assert_array_equal(shuffled, tokens)
        return
    for j in (1, k):
        np.testing.assert_array_equal(klet_counts(shuffled, j), klet_counts(tokens, j))


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("length", [1_000, LONGEST, LONGEST + 1])
def test_counts_are_kept_when_long(length: int, k: int) -> None:
    skewed = sample_profile(
        1, np.arange(9), np.tile([0.9, 0.07, 0.02, 0.01], (length, 1))
    )
    for tokens in (sample_uniform(2, np.arange(9), length), skewed):
        shuffled = klet_shuffle(5, np.arange(9), tokens, k)
        np.testing.assert_array_equal(
            klet_counts(shuffled, min(k, 6)), klet_counts(tokens, min(k, 6))
        )
        np.testing.assert_array_equal(shuffled[:, : k - 1], tokens[:, : k - 1])


def test_long_words_keep_their_counts() -> None:
    repeat = np.tile(sample_uniform(2, [0], 40), (1, 5))
    for k in (16, 31, 32):
        shuffled = klet_shuffle(5, [0], repeat, k)[0]
        before, after = (
            klets("".join("ACGT"[t] for t in row), k) for row in (repeat[0], shuffled)
        )
        assert before == after


def test_lock_step_equals_one_walk_after_the_other() -> None:
    """The vector kernel hands every draw that may be rejected to the plain one: both
    give the same rows.
    """
    length, n = LONGEST, 96
    tokens = sample_profile(
        4, np.arange(n), np.tile([0.85, 0.05, 0.05, 0.05], (length, 1))
    )
    units, parents, key = np.arange(n, dtype=np.uint64), np.arange(n), np.uint64(9)
    together, alone = np.empty_like(tokens), np.empty_like(tokens)
    shuffle_pairs(key, units, tokens, parents, together, True)
    shuffle_pairs(key, units, tokens, parents, alone, False)
    np.testing.assert_array_equal(together, alone)


def test_a_rejected_exit_is_drawn_again() -> None:
    """Four urns of 24,576 exits each: a half word of 0 is among those that Lemire's
    rule rejects.
    """
    total, n_lanes = 24_576, LANES
    urn = sum((j + 1) * (total // 4) << 16 * j for j in range(3)) | total << 48
    state = 0
    while (
        True
    ):  # a stream whose first word rejects its low half: about 4 in a million do
        words = random_words(7, np.arange(state, state + 100_000), 1)[:, 0] & 0xFFFFFFFF
        rejected = np.flatnonzero(words * np.uint64(total) % 2**32 < 2**32 % total)
        if rejected.size:
            break
        state += 100_000
    unit = state + int(rejected[0])
    halves = [
        int(half)
        for word in random_words(7, [unit], 8)[0]
        for half in (word & 0xFFFFFFFF, word >> 32)
    ]
    kept = [half for half in halves if half * total % 2**32 >= 2**32 % total]
    urns = np.zeros(9 * n_lanes, np.uint64)
    urns[: 4 * n_lanes : n_lanes] = urn
    urns[5 * n_lanes] = unit_state(np.uint64(7), np.uint64(unit))
    out = np.empty(9, np.uint8)
    _walk_alone(urns, 0, out)
    counts, v = [[total // 4] * 4 for _ in range(4)], 0
    for half, letter in zip(kept, out[1:].tolist(), strict=False):
        drawn = half * sum(counts[v]) >> 32
        expected = next(a for a in range(4) if drawn < sum(counts[v][: a + 1]))
        assert letter == expected
        counts[v][letter] -= 1
        v = letter


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_row_depends_on_its_unit_alone(k: int) -> None:
    tokens = sample_uniform(1, np.arange(1_000), 120)
    units = np.arange(1_000)
    whole = klet_shuffle(0, units, tokens, k, threads=1)
    np.testing.assert_array_equal(whole, klet_shuffle(0, units, tokens, k, threads=2))
    np.testing.assert_array_equal(whole, klet_shuffle(0, units, tokens, k, threads=7))
    np.testing.assert_array_equal(
        whole[:100], klet_shuffle(0, units[:100], tokens[:100], k)
    )
    np.testing.assert_array_equal(
        whole[::-1], klet_shuffle(0, units[::-1], tokens[::-1], k)
    )
    pieces = [
        klet_shuffle(0, units[i : i + 37], tokens[i : i + 37], k)
        for i in range(0, 1_000, 37)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(pieces))
    one = np.array([417])
    np.testing.assert_array_equal(
        whole[one], klet_shuffle(0, one, tokens, k, parent=one)
    )


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_long_row_depends_on_its_unit_alone(k: int) -> None:
    tokens, units = sample_uniform(1, np.arange(11), 100_000), np.arange(11)
    whole = klet_shuffle(0, units, tokens, k, threads=1)
    np.testing.assert_array_equal(whole, klet_shuffle(0, units, tokens, k, threads=2))
    np.testing.assert_array_equal(whole, klet_shuffle(0, units, tokens, k, threads=7))
    for rows in (slice(0, 1), slice(3, 5), slice(4, 7), slice(10, None, -1)):
        np.testing.assert_array_equal(
            whole[rows], klet_shuffle(0, units[rows], tokens[rows], k)
        )


@pytest.mark.parametrize("k", [1, 2, 3])
def test_parents_are_rows(k: int) -> None:
    tokens, parent = (
        sample_uniform(1, np.arange(3), 60),
        np.array([2, 0, 1, 2, 2, 0, 0, 1]),
    )
    np.testing.assert_array_equal(
        klet_shuffle(5, np.arange(8), tokens, k, parent=parent),
        klet_shuffle(5, np.arange(8), tokens[parent], k),
    )


@pytest.mark.parametrize("k", [1, 2, 3])
def test_units_and_keys_give_different_draws(k: int) -> None:
    tokens = sample_uniform(1, [0], 200)
    draws = draws_of(tokens, k, n=300, key=0)
    assert len(np.unique(draws, axis=0)) == 300
    assert (draws != draws_of(tokens, k, n=300, key=1)).any(axis=1).all()


def test_the_parents_are_left_alone() -> None:
    tokens = sample_uniform(1, np.arange(50), 100)
    before = tokens.copy()
    for k in (1, 2, 3, 100, 32):
        klet_shuffle(3, np.arange(50), tokens, min(k, 32))
    short = klet_shuffle(3, np.arange(50), tokens[:, :3], 5)
    short[:] = 0
    np.testing.assert_array_equal(tokens, before)


def test_no_units_is_no_rows() -> None:
    assert klet_shuffle(
        1, np.arange(0), np.zeros((2, 9), np.uint8), 2, parent=np.zeros(0, int)
    ).shape == (0, 9)


def in_numpy(monkeypatch, draw):
    with monkeypatch.context() as patched:
        patched.setattr(compiled, "NUMPY_ALLOWANCE", Allowance(10**18))
        return draw()


COMPOSITIONS = [
    [0.25] * 4,
    [0.85, 0.05, 0.05, 0.05],
    [1, 0, 0, 0],
    [0.5, 0.5, 0, 0],
    [0, 0.01, 0, 0.99],
]


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 8, 9, 41, 200, 1_000])
@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_numpy_shuffles_to_the_same_rows(monkeypatch, k, length, composition) -> None:
    tokens = sample_profile(3, np.arange(40), np.tile(composition, (length, 1)))
    units, parent = np.arange(90) + 10**12, np.arange(90) * 7 % 40
    expected = klet_shuffle(5, units, tokens, k, parent=parent)
    np.testing.assert_array_equal(
        in_numpy(monkeypatch, lambda: klet_shuffle(5, units, tokens, k, parent=parent)),
        expected,
    )


@pytest.mark.parametrize("k", [1, 2])
def test_a_draw_that_may_be_rejected_is_left_to_the_compiled_shuffle(
    monkeypatch, k
) -> None:
    """Rows so long that some draw of theirs lies where Lemire's rule has to look; numpy
    says which, and no more.
    """
    left = []

    def watched(shuffle_in_numpy):
        def call(*arguments):
            doubt = shuffle_in_numpy(*arguments)
            left.append(int(doubt.sum()))
            return doubt

        return call

    monkeypatch.setattr(
        samplers, "shuffle_letters", watched(dinucleotide_shuffle.shuffle_letters)
    )
    monkeypatch.setattr(
        shuffles, "shuffle_pairs_of", watched(dinucleotide_shuffle.shuffle_pairs_of)
    )
    tokens = sample_profile(
        4, np.arange(300), np.tile([0.85, 0.05, 0.05, 0.05], (16_000, 1))
    )
    expected = klet_shuffle(9, np.arange(300), tokens, k)
    np.testing.assert_array_equal(
        in_numpy(monkeypatch, lambda: klet_shuffle(9, np.arange(300), tokens, k)),
        expected,
    )
    assert 0 < sum(left) < 100


@pytest.mark.parametrize("k", [1, 2])
def test_where_much_is_shuffled_the_compiled_shuffle_takes_over(monkeypatch, k) -> None:
    tokens = sample_uniform(1, np.arange(50), 60)
    wanted = 2.5 * dinucleotide_shuffle.nanoseconds(50, 60)
    monkeypatch.setattr(compiled, "NUMPY_ALLOWANCE", Allowance(int(wanted)))
    rows = [klet_shuffle(2, np.arange(50), tokens, k) for _ in range(4)]
    assert not compiled.NUMPY_ALLOWANCE.covers(0)
    for other in rows[1:]:
        np.testing.assert_array_equal(other, rows[0])
