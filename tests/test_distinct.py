# Imports from the inside: the numbers of sequences, against a dictionary of letters.
"""Distinct sequences are numbered as a dictionary of their letters would, whatever their
hashes.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from causalgia.errors import SequenceError
from causalgia.sequences import composition
from causalgia.sequences.composition import number_distinct
from causalgia.sequences.samplers import sample_uniform

LENGTHS = [1, 2, 7, 8, 9, 31, 32, 33, 41, 64, 249, 3_000]


def agrees(tokens: np.ndarray) -> None:
    known, fresh, expected = dict[bytes, int](), [], []
    for row, sequence in enumerate(tokens):
        if (letters := sequence.tobytes()) not in known:
            known[letters] = len(known)
            fresh.append(row)
        expected.append(known[letters])
    numbers, first = number_distinct(tokens)
    assert numbers.dtype == first.dtype == np.int64
    assert (numbers.tolist(), first.tolist()) == (expected, fresh)


def pool(length: int, n: int) -> np.ndarray:
    """Sequences of which many differ in one letter alone, at every place."""
    rows = np.repeat(sample_uniform(3, np.arange(2), length), n // 2, axis=0)
    rows[np.arange(len(rows)), np.arange(len(rows)) % length] = (
        np.arange(len(rows)) // 7 % 4
    )
    return rows


@settings(max_examples=settings.default.max_examples * 2 // 3)
@given(st.data())
def test_numbers_are_a_dictionarys(data):
    of = pool(data.draw(st.sampled_from(LENGTHS)), 400)
    picked = data.draw(st.lists(st.integers(0, 399), min_size=1, max_size=300))
    agrees(of[picked])


@pytest.mark.parametrize("length", [1, 33, 249])
def test_equal_hashes_do_not_confuse(monkeypatch, length):
    hashes = composition._hashes
    for few in (1, 7):
        monkeypatch.setattr(
            composition, "_hashes", lambda rows, few=few: hashes(rows) % np.uint64(few)
        )
        agrees(pool(length, 300))


def test_agrees_with_numpy_over_several_blocks():
    few = sample_uniform(5, np.arange(9_000), 9)
    tokens = np.concatenate([few, few[::-1], sample_uniform(6, np.arange(9_000), 9)])
    numbers, fresh = number_distinct(tokens)
    unique, first, inverse = np.unique(
        tokens, axis=0, return_index=True, return_inverse=True
    )
    assert len(fresh) == len(unique)
    np.testing.assert_array_equal(fresh, np.sort(first))
    np.testing.assert_array_equal(
        numbers, np.argsort(np.argsort(first))[inverse.ravel()]
    )


def test_rows_longer_than_a_block():
    tokens = sample_uniform(5, np.arange(3), 600_000)
    tokens[2] = tokens[0]
    tokens[1] = tokens[0]
    tokens[1, -1] ^= 1
    agrees(tokens)


def test_all_sequences_of_one_letter_and_of_four():
    agrees(np.array([[2], [0], [2], [3], [1], [0]], np.uint8))
    words = np.indices((4, 4, 4, 4)).reshape(4, -1).T.astype(np.uint8)
    agrees(words)


@pytest.mark.parametrize(
    "view",
    [lambda x: x[::2, ::3], lambda x: x.T, np.asfortranarray, lambda x: x.copy()],
)
def test_any_layout_and_read_only(view):
    tokens = view(sample_uniform(1, np.arange(60), 60) % 2)
    tokens.setflags(write=False)
    agrees(tokens)


@pytest.mark.parametrize("length", [41, 249])
def test_hashes_tell_apart_sequences_that_differ_in_one_letter_or_two(length):
    """Of all neighbors of a sequence none shares its hash with another."""
    row = sample_uniform(9, [0], length)[0]
    tokens = np.repeat(row[None], 3 * length * (1 + 3 * 40), axis=0)
    one = np.arange(len(tokens)) % (3 * length)
    two = np.arange(len(tokens)) // (3 * length)
    for change, some in ((one, tokens >= 0), (two - 1, two[:, None] > 0)):
        at, by = change // 3, (1 + change % 3).astype(np.uint8)
        rows = np.flatnonzero(some[:, 0])
        tokens[rows, at[rows]] = (tokens[rows, at[rows]] + by[rows]) % 4
    n = len(np.unique(tokens, axis=0))
    assert len(np.unique(composition._hashes(tokens))) == n > 7_000


@pytest.mark.parametrize(
    "tokens", [np.zeros((3, 4)), np.zeros(4, np.uint8), np.full((2, 9), 4)]
)
def test_other_arrays_are_refused(tokens):
    with pytest.raises(SequenceError):
        number_distinct(tokens)
