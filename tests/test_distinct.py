# Imports from the inside: the table of sequences, against a dictionary of letters.
"""The table of distinct sequences numbers rows as a dictionary of their letters would,
whatever their hashes.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from causalgia import compiled
from causalgia.compiled import Allowance
from causalgia.errors import SequenceError
from causalgia.sequences import composition
from causalgia.sequences.composition import Distinct
from causalgia.sequences.samplers import sample_uniform


@pytest.fixture(autouse=True, params=["dictionary", "table"])
def kept_in(request, monkeypatch):
    """Each test, where rows are kept in a dictionary and where they are kept in a
    compiled table.
    """
    monkeypatch.setattr(
        compiled,
        "NUMPY_ALLOWANCE",
        Allowance(10**18 if request.param == "dictionary" else 0),
    )


LENGTHS = [1, 2, 7, 8, 9, 31, 32, 33, 41, 64, 249, 3_000]


def by_dictionary(
    known: dict[bytes, int], tokens: np.ndarray
) -> tuple[list[int], list[int]]:
    numbers, fresh = [], []
    for row, sequence in enumerate(tokens):
        letters = sequence.tobytes()
        if letters not in known:
            known[letters] = len(known)
            fresh.append(row)
        numbers.append(known[letters])
    return numbers, fresh


def agrees(table: Distinct, known: dict[bytes, int], tokens: np.ndarray) -> None:
    numbers, fresh = table.enter(tokens)
    assert (numbers.tolist(), fresh.tolist()) == by_dictionary(known, tokens)
    assert len(table) == len(known)


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
    length = data.draw(st.sampled_from(LENGTHS))
    table, known = Distinct(length, capacity=data.draw(st.integers(1, 100))), {}
    of = pool(length, 400)
    for _ in range(data.draw(st.integers(1, 4))):
        picked = data.draw(st.lists(st.integers(0, len(of) - 1), max_size=120))
        agrees(table, known, of[picked])


@pytest.mark.parametrize("length", [33, 249])
def test_equal_hashes_do_not_confuse(monkeypatch, length):
    monkeypatch.setattr(
        composition, "_hash_rows", lambda packed, hashes: hashes.fill(2**64 - 1)
    )
    table, known = Distinct(length, capacity=1), {}
    for tokens in (pool(length, 300), pool(length, 600)):
        agrees(table, known, tokens)


def test_hashes_that_crowd_the_end_of_the_table_wrap_around(monkeypatch):
    monkeypatch.setattr(
        composition,
        "_hash_rows",
        lambda packed, out: out.__setitem__(..., 2**64 - 1 - packed[:, 0] % 3),
    )
    agrees(Distinct(31, capacity=4), {}, pool(31, 500))


def test_agrees_with_numpy_over_several_blocks_and_growths():
    few = sample_uniform(5, np.arange(9_000), 9)
    tokens = np.concatenate([few, few[::-1], sample_uniform(6, np.arange(9_000), 9)])
    table = Distinct(9, capacity=1)
    numbers, fresh = table.enter(tokens)
    unique, first, inverse = np.unique(
        tokens, axis=0, return_index=True, return_inverse=True
    )
    assert len(table) == len(unique)
    np.testing.assert_array_equal(fresh, np.sort(first))
    np.testing.assert_array_equal(
        numbers, np.argsort(np.argsort(first))[inverse.ravel()]
    )
    again, none = table.enter(tokens)
    np.testing.assert_array_equal(again, numbers)
    assert none.size == 0


def test_rows_longer_than_a_block():
    tokens = sample_uniform(5, np.arange(3), 600_000)
    tokens[2] = tokens[0]
    tokens[1] = tokens[0]
    tokens[1, -1] ^= 1
    agrees(Distinct(600_000, capacity=1), {}, tokens)


def test_all_sequences_of_one_letter_and_of_four():
    agrees(Distinct(1), {}, np.array([[2], [0], [2], [3], [1], [0]], np.uint8))
    words = np.indices((4, 4, 4, 4)).reshape(4, -1).T.astype(np.uint8)
    numbers, _ = Distinct(4).enter(words)
    assert numbers.tolist() == list(range(256))


def test_nothing_to_enter():
    table = Distinct(5)
    numbers, fresh = table.enter(np.empty((0, 5), np.uint8))
    assert numbers.dtype == fresh.dtype == np.int64
    assert (numbers.size, fresh.size, len(table)) == (0, 0, 0)


@pytest.mark.parametrize(
    "view",
    [lambda x: x[::2, ::3], lambda x: x.T, np.asfortranarray, lambda x: x.copy()],
)
def test_any_layout_and_read_only(view):
    tokens = view(sample_uniform(1, np.arange(60), 60) % 2)
    tokens.setflags(write=False)
    agrees(Distinct(tokens.shape[1]), {}, tokens)


def test_hashes_spread_sequences_that_differ_in_one_letter():
    """Of 3 x 249 neighbors of a sequence, chains in a table half full stay short:
    hashes are as good as random.
    """
    tokens = np.repeat(sample_uniform(9, [0], 249), 747, axis=0)
    tokens[np.arange(747), np.arange(747) // 3] += (1 + np.arange(747) % 3).astype(
        np.uint8
    )
    tokens %= 4
    compiled.NUMPY_ALLOWANCE.covers(10**19)
    table = Distinct(249)
    table.enter(tokens)
    slots = table._kept.slots
    taken = np.flatnonzero(slots[:, 1])
    home = (slots[taken, 0] >> np.uint64(64 - np.log2(len(slots)))).astype(np.int64)
    assert len(np.unique(slots[taken, 0])) == 747
    assert ((taken - home) % len(slots)).mean() < 1.0


@pytest.mark.parametrize("length", [9, 249])
def test_a_dictionary_becomes_a_table_in_the_middle(monkeypatch, length):
    table, known = Distinct(length, capacity=1), {}
    monkeypatch.setattr(compiled, "NUMPY_ALLOWANCE", Allowance(500_000))
    of = pool(length, 600)
    for start in range(0, 600, 50):
        agrees(table, known, of[start : start + 200])
    assert not compiled.NUMPY_ALLOWANCE.covers(0)


@pytest.mark.parametrize(
    "tokens",
    [
        np.zeros((3, 4), np.int64),
        np.zeros((3, 5), np.uint8),
        np.zeros(4, np.uint8),
        np.zeros((1, 4, 1), np.uint8),
    ],
)
def test_other_arrays_are_refused(tokens):
    with pytest.raises(SequenceError):
        Distinct(4).enter(tokens)


def test_a_token_beyond_three_is_named_and_nothing_entered():
    table, tokens = Distinct(40_000, capacity=1), np.zeros((50, 40_000), np.uint8)
    tokens[49, 12_345] = 4
    with pytest.raises(SequenceError):
        table.enter(tokens)
    assert len(table) == 0
    with pytest.raises(SequenceError):
        Distinct(0)
