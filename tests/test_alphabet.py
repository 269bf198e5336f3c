# Imports from the inside: letters and tokens, which every reader of sequences shares.
"""Letters, tokens, one-hot and the reverse complement."""

from __future__ import annotations

import numpy as np
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import chisquare

from causalgia.sequences.alphabet import (
    IUPAC,
    decode,
    encode,
    one_hot,
    parse_iupac,
    reverse_complement,
    reverse_complement_iupac,
    tokens,
)

TOKENS = hnp.arrays(
    np.uint8,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.integers(0, 3),
)
ORDERS = st.permutations("ACGT").map("".join) | st.permutations("ACGU").map("".join)
WORDS = st.text("".join(IUPAC), min_size=1, max_size=12)


@given(TOKENS, st.booleans())
def test_decode_undoes_encode(x, rna):
    assert np.array_equal(encode(decode(x, rna=rna)), x)
    assert ("T" if rna else "U") not in "".join(decode(x, rna=rna))


@given(TOKENS)
def test_lower_case_is_upper_case(x):
    assert np.array_equal(encode([s.lower() for s in decode(x)]), x)


def test_one_string_is_a_list_of_one():
    assert encode("ACGU").shape == (1, 4)
    assert decode(np.array([0, 1, 2, 3])) == ["ACGT"]


@given(
    TOKENS,
    ORDERS,
    st.sampled_from(["NCL", "NLC"]),
    st.sampled_from([np.float32, np.int8, bool]),
)
def test_tokens_undoes_one_hot(x, alphabet, layout, dtype):
    hot = one_hot(x, alphabet=alphabet, layout=layout, dtype=dtype)
    assert hot.dtype == dtype
    assert hot.shape == (
        (len(x), 4, x.shape[1]) if layout == "NCL" else (len(x), x.shape[1], 4)
    )
    assert np.array_equal(tokens(hot, alphabet=alphabet, layout=layout), x)


@given(TOKENS, ORDERS)
def test_each_channel_is_the_letter_of_the_alphabet(x, alphabet):
    hot = one_hot(x, alphabet=alphabet)
    letters = np.array([list(s) for s in decode(x)])
    for channel, letter in enumerate(alphabet.replace("U", "T")):
        assert np.array_equal(hot[:, channel] == 1, letters == letter)


@given(TOKENS)
def test_reverse_complement_twice_is_nothing(x):
    once = reverse_complement(x)
    assert once.flags.c_contiguous
    assert once.dtype == np.uint8
    assert np.array_equal(reverse_complement(once), x)


@given(TOKENS)
def test_reverse_complement_of_words_and_of_tokens_agree(x):
    assert decode(reverse_complement(x)) == [
        reverse_complement_iupac(s) for s in decode(x)
    ]


@given(WORDS.filter(lambda word: not {"T", "U"} <= set(word)))
def test_reverse_complement_word_twice_is_nothing(word):
    twice = reverse_complement_iupac(reverse_complement_iupac(word))
    same = (
        twice
        if "U" in reverse_complement_iupac(word) or "U" not in word
        else twice.replace("T", "U")
    )
    assert same.replace("U", "T") == word.replace("U", "T")


@given(WORDS)
def test_the_opposite_strand_admits_the_complements(word):
    _, admitted = parse_iupac(word)
    _, opposite = parse_iupac(reverse_complement_iupac(word))
    assert [sorted(3 - t for t in position) for position in reversed(admitted)] == [
        list(p) for p in opposite
    ]


def test_an_rna_word_stays_rna():
    assert reverse_complement_iupac("gaua") == "UAUC"
    assert reverse_complement_iupac("GATA") == "TATC"


def test_ambiguous_letters_are_drawn_uniformly_from_their_bases():
    ambiguous = [letter for letter, bases in IUPAC.items() if len(bases) > 1]
    drawn = encode(["".join(ambiguous) * 4_000], ambiguous="draw", rng=0).reshape(
        -1, len(ambiguous)
    )
    for letter, column in zip(ambiguous, drawn.T, strict=True):
        counts = np.bincount(column, minlength=4)[parse_iupac(letter)[1][0],]
        assert counts.sum() == 4_000
        assert chisquare(counts).pvalue > 1e-4


def test_the_draw_of_a_record_is_its_own():
    together = encode(
        ["NNNNNNNN", "ACGTACGT", "RRNNACGT"],
        ambiguous="draw",
        rng=5,
        names=["a", "b", "c"],
    )
    alone = encode(["RRNNACGT"], ambiguous="draw", rng=5, names=["c"])
    assert np.array_equal(together[2], alone[0])
    assert decode(together[1]) == ["ACGTACGT"]
    assert not np.array_equal(
        together, encode(["NNNNNNNN", "ACGTACGT", "RRNNACGT"], ambiguous="draw", rng=6)
    )


def test_parse_word_reads_the_iupac_code():
    assert parse_iupac("uN") == ("UN", ((3,), (0, 1, 2, 3)))
