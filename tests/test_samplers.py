# Imports from the inside: streams and samplers of tokens, whose distribution is tested.
"""The streams and the samplers have the distributions they say, and a row depends on
its unit alone.

False alarms: each chi-square or bound below has a level of 1e-6 on fixed keys, about 60
of them, so correct code fails this file with probability below 1e-4 over all choices of
the keys.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.stats import chisquare, kstest, norm

from causalgia.sequences.random import (
    bounded,
    half_bounded,
    random_integers,
    random_words,
)
from causalgia.sequences.samplers import (
    MarkovChain,
    fit_markov,
    fit_profile,
    sample_markov,
    sample_profile,
    sample_uniform,
    shuffle,
)

ALARM = 1e-6
# standard deviations of an approximately normal statistic: two-sided level 6e-7
FIVE_SD = 5.0
MASK = 2**64 - 1

CHAIN = MarkovChain(
    2,
    np.arange(1, 17) / 136,
    np.stack([np.roll([0.4, 0.3, 0.2, 0.1], context) for context in range(16)]),
)
PROFILE = np.array(
    [
        [0.1, 0.2, 0.3, 0.4],
        [0.0, 0.5, 0.5, 0.0],
        [0.0, 0.0, 0.0, 1.0],
        [0.7, 0.0, 0.0, 0.3],
        [1, 0, 0, 0],
    ]
)
SAMPLERS: dict[str, Callable[..., np.ndarray]] = {
    "uniform": lambda key, units, threads=None: sample_uniform(
        key, units, 97, threads=threads
    ),
    "profile": lambda key, units, threads=None: sample_profile(
        key, units, np.tile(PROFILE, (20, 1)), threads=threads
    ),
    "markov": lambda key, units, threads=None: sample_markov(
        key, units, CHAIN, 97, threads=threads
    ),
    "words": lambda key, units, threads=None: random_words(
        key, units, 97, threads=threads
    ),
    "integers": lambda key, units, threads=None: random_integers(
        key, units, np.arange(1, 98), threads=threads
    ),
    "shuffle": lambda key, units, threads=None: shuffle(
        key,
        units,
        np.arange(97)[None] % 4,
        parent=np.zeros(len(units), int),
        threads=threads,
    ),
}


def splitmix64(state: int) -> int:
    z = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def start(key: int, unit: int) -> int:
    z = (unit + 0x6A09E667F3BCC909) & MASK
    for extra in (key, 0):
        z = (z ^ (z >> 33)) * 0xFF51AFD7ED558CCD & MASK
        z = (z ^ (z >> 33)) * 0xC4CEB9FE1A85EC53 & MASK
        z = z ^ (z >> 33) ^ extra
    return z


@given(st.integers(0, MASK), st.integers(0, MASK))
def test_words_are_splitmix64_of_the_unit(key: int, unit: int) -> None:
    """The published generator, in exact integers of Python."""
    state = start(key, unit)
    expected = [
        splitmix64((state + i * 0x9E3779B97F4A7C15) & MASK) for i in range(1, 6)
    ]
    assert random_words(key, np.array([unit], np.uint64), 5)[0].tolist() == expected


def test_the_published_test_vector() -> None:
    """First outputs of SplitMix64 from state 1234567, as in the reference
    implementation's tests.
    """
    state = 1234567
    words = [splitmix64((state + i * 0x9E3779B97F4A7C15) & MASK) for i in range(1, 4)]
    assert words == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def state_before(word: int) -> int:
    """The state whose next word is `word`: SplitMix64 backwards."""
    for shift, factor in ((31, 0x94D049BB133111EB), (27, 0xBF58476D1CE4E5B9), (30, 1)):
        z = word
        for _ in range(64 // shift):
            z = word ^ (z >> shift)
        word = z * pow(factor, -1, 2**64) & MASK
    return (word - 0x9E3779B97F4A7C15) & MASK


@pytest.mark.parametrize(
    ("draw", "bound", "bits"), [(bounded, 3 * 2**61, 64), (half_bounded, 24_576, 32)]
)
def test_a_draw_that_would_bias_is_drawn_again(
    draw: Callable[..., tuple[int, int]], bound: int, bits: int
) -> None:
    """Lemire's rule at its border: the lowest (2^bits mod bound) remainders are
    rejected, the next one is kept.
    """
    threshold = 2**bits % bound
    for x in (
        0,
        pow(3, -1, 2**bits) * (threshold // (bound // 3)) % 2**bits,
        2 ** (bits - 1) + 12_345,
    ):
        remainder = x * bound % 2**bits
        state = state_before(x << (64 - bits))
        first, second = (
            splitmix64((state + i * 0x9E3779B97F4A7C15) & MASK) >> (64 - bits)
            for i in (1, 2)
        )
        assert first == x
        taken, n_words = (second, 2) if remainder < threshold else (first, 1)
        after, value = draw(np.uint64(state), np.uint64(bound))
        assert int(value) == taken * bound >> bits
        assert int(after) == (state + n_words * 0x9E3779B97F4A7C15) & MASK


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_row_depends_on_its_unit_alone(name: str) -> None:
    sample = SAMPLERS[name]
    units = np.arange(3_000)
    whole = sample(0, units, threads=1)
    np.testing.assert_array_equal(whole, sample(0, units, threads=2))
    np.testing.assert_array_equal(whole, sample(0, units, threads=5))
    np.testing.assert_array_equal(whole[:100], sample(0, units[:100]))
    np.testing.assert_array_equal(whole[::-1], sample(0, units[::-1]))
    np.testing.assert_array_equal(
        whole[[7, 2_999, 11]], sample(0, np.array([7, 2_999, 11]))
    )
    assert len(np.unique(whole, axis=0)) == 3_000
    assert (whole != sample(1, units)).any(axis=1).all()


@pytest.mark.parametrize("key", [0, 1, MASK])
def test_bits_are_fair_within_and_between_units(key: int) -> None:
    """Bit frequencies, and agreement of each word with its neighbors along the stream
    and across units.
    """
    words = random_words(key, np.arange(2_000), 64)
    pairs = [
        words,
        words[:, 1:] ^ words[:, :-1],
        words[1:] ^ words[:-1],
        words[:, 2:] ^ words[:, :-2],
    ]
    for block in pairs:
        bits = np.unpackbits(np.ascontiguousarray(block).view(np.uint8)).reshape(-1, 64)
        z = (bits.mean(axis=0) - 0.5) * 2 * np.sqrt(len(bits))
        assert np.abs(z).max() < FIVE_SD + 1


def test_words_are_uniform_and_serially_independent() -> None:
    u = random_words(0, np.arange(1_000), 200) / 2.0**64
    assert kstest(u.ravel(), "uniform").pvalue > ALARM
    centered = u - 0.5
    for left, right in (
        (centered[:, 1:], centered[:, :-1]),
        (centered[1:], centered[:-1]),
    ):
        z = (left * right).sum() * 12 / np.sqrt(left.size)
        assert abs(z) < FIVE_SD
    first, second = (u[:, :-1] * 8).astype(int), (u[:, 1:] * 8).astype(int)
    assert (
        chisquare(
            np.bincount((8 * first + second)[:, ::2].ravel(), minlength=64)
        ).pvalue
        > ALARM
    )


def test_neighboring_keys_are_unrelated() -> None:
    one, other = (
        random_words(key, np.arange(1_000), 20) / 2.0**64 - 0.5 for key in (0, 1)
    )
    assert abs((one * other).sum() * 12 / np.sqrt(one.size)) < FIVE_SD


def test_bounded_integers_are_exactly_uniform() -> None:
    bounds = np.array([1, 2, 3, 5, 6, 7, 10, 13, 100])
    draws = random_integers(0, np.arange(100_000), bounds)
    assert (draws[:, 0] == 0).all()
    for bound, column in zip(bounds[1:].tolist(), draws[:, 1:].T, strict=True):
        assert chisquare(np.bincount(column, minlength=bound)).pvalue > ALARM


def test_rejection_removes_the_bias_of_a_large_bound() -> None:
    """Of 3 * 2^61 values a plain product would give every third one twice its share:
    0.5 instead of 1/3.
    """
    draws = random_integers(0, np.arange(20_000), np.full(5, 3 * 2**61)).ravel()
    assert draws.min() >= 0
    assert draws.max() < 3 * 2**61
    assert chisquare(np.bincount(draws % 3, minlength=3)).pvalue > ALARM
    assert kstest(draws / (3 * 2.0**61), "uniform").pvalue > ALARM


def test_uniform_letters_and_neighbors() -> None:
    tokens = sample_uniform(0, np.arange(4_000), 65)
    assert tokens.dtype == np.uint8
    for position in (0, 1, 31, 32, 63, 64):
        assert chisquare(np.bincount(tokens[:, position], minlength=4)).pvalue > ALARM
    triples = 16 * tokens[:, :-2].astype(int) + 4 * tokens[:, 1:-1] + tokens[:, 2:]
    assert chisquare(np.bincount(triples[:, ::3].ravel(), minlength=64)).pvalue > ALARM


def test_profile_letters_have_their_probabilities() -> None:
    n = 100_000
    tokens = sample_profile(0, np.arange(n), PROFILE)
    for probabilities, column in zip(PROFILE, tokens.T, strict=True):
        counts, possible = np.bincount(column, minlength=4), probabilities > 0
        assert counts[~possible].sum() == 0
        if possible.sum() > 1:
            assert (
                chisquare(counts[possible], n * probabilities[possible]).pvalue > ALARM
            )
    pairs = np.bincount(
        2 * (tokens[:, 1] - 1).astype(int) + tokens[:, 3] // 3, minlength=4
    )
    assert chisquare(pairs, n * np.outer([0.5, 0.5], [0.7, 0.3]).ravel()).pvalue > ALARM


@settings(max_examples=settings.default.max_examples * 2)
@given(
    st.lists(
        st.lists(st.integers(0, 9), min_size=4, max_size=4).filter(any),
        min_size=1,
        max_size=8,
    )
)
def test_an_impossible_letter_is_never_drawn(weights: list[list[int]]) -> None:
    profile = np.array(weights, float)
    profile /= profile.sum(axis=1, keepdims=True)
    tokens = sample_profile(0, np.arange(500), profile)
    assert (profile[np.arange(len(profile)), tokens] > 0).all()


def test_the_edges_of_a_thin_profile() -> None:
    """Sums that rounding leaves below 1 do not open a gap for the last letter."""
    tenths = np.array(
        [[0.1, 0.7, 0.2, 0.0], [1 / 3, 1 / 3, 1 / 3, 0.0], [0.0, 1e-12, 1.0, 0.0]]
    )
    assert sample_profile(3, np.arange(100_000), tenths).max() == 2


def test_markov_letters_follow_their_context() -> None:
    n = 20_000
    tokens = sample_markov(0, np.arange(n), CHAIN, 12).astype(int)
    context = 4 * tokens[:, :-1] + tokens[:, 1:]
    assert (
        chisquare(np.bincount(context[:, 0], minlength=16), n * CHAIN.initial).pvalue
        > ALARM
    )
    for c in range(16):
        followers = tokens[:, 2:][context[:, :-1] == c]
        expected = followers.size * CHAIN.transition[c]
        assert chisquare(np.bincount(followers, minlength=4), expected).pvalue > ALARM


def test_markov_of_order_0_is_a_profile() -> None:
    shares = np.array([[0.1, 0.0, 0.6, 0.3]])
    tokens = sample_markov(0, np.arange(10_000), MarkovChain(0, np.ones(1), shares), 9)
    counts = np.bincount(tokens.ravel(), minlength=4)
    assert counts[1] == 0
    assert (
        chisquare(counts[[0, 2, 3]], tokens.size * shares[0, [0, 2, 3]]).pvalue > ALARM
    )


def test_markov_shorter_than_its_order_is_the_head_of_a_context() -> None:
    n = 50_000
    first = sample_markov(0, np.arange(n), CHAIN, 1)[:, 0]
    assert (
        chisquare(
            np.bincount(first, minlength=4), n * CHAIN.initial.reshape(4, 4).sum(axis=1)
        ).pvalue
        > ALARM
    )


def test_fit_recovers_the_chain() -> None:
    """Each fitted probability is within 5 standard errors of the truth (sampling of a
    multinomial row).
    """
    tokens = sample_markov(0, np.arange(4_000), CHAIN, 60)
    fitted = fit_markov(tokens, 2)
    context = 4 * tokens[:, :-2].astype(int) + tokens[:, 1:-1]
    seen = np.bincount(context.ravel(), minlength=16)[:, None]
    se = np.sqrt(CHAIN.transition * (1 - CHAIN.transition) / seen)
    assert (np.abs(fitted.transition - CHAIN.transition) < FIVE_SD * se).all()
    assert fitted.initial.sum() == pytest.approx(1)


def test_fit_is_the_share_of_windows() -> None:
    tokens = np.array([[0, 1, 0, 2, 3], [0, 1, 1, 0, 1]])  # ACAGT, ACCAC
    chain = fit_markov(tokens, 1)
    np.testing.assert_allclose(chain.initial, [0.4, 0.4, 0.1, 0.1])
    np.testing.assert_allclose(chain.transition[0], [0, 3 / 4, 1 / 4, 0])
    np.testing.assert_allclose(chain.transition[1], [2 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(chain.transition[2], [0, 0, 0, 1])
    # T is never followed: the marginal shares
    np.testing.assert_allclose(chain.transition[3], [0.4, 0.4, 0.1, 0.1])
    np.testing.assert_allclose(fit_markov(tokens, 0).transition, [[0.4, 0.4, 0.1, 0.1]])
    np.testing.assert_allclose(fit_markov(tokens, 4).transition.sum(axis=1), 1)


def test_fitted_chain_of_any_order_only_makes_words_it_saw() -> None:
    tokens = sample_uniform(1, np.arange(3), 200)
    for order in (1, 3, 5):
        drawn = sample_markov(0, np.arange(50), fit_markov(tokens, order), 30)
        heads = {
            bytes(row[i : i + order]) for row in tokens for i in range(200 - order + 1)
        }
        assert all(bytes(row[:order]) in heads for row in drawn)


@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, MASK))
def test_profile_round_trip(n: int, length: int, key: int) -> None:
    tokens = sample_uniform(key, np.arange(n), length)
    profile = fit_profile(tokens)
    assert profile.shape == (length, 4)
    np.testing.assert_allclose(profile.sum(axis=1), 1)
    np.testing.assert_allclose(profile[:, 2], (tokens == 2).mean(axis=0))


def test_shuffle_puts_every_letter_everywhere() -> None:
    tokens = np.array([[0] * 5 + [1] * 3 + [2]])
    draws = shuffle(0, np.arange(50_000), tokens, parent=np.zeros(50_000, int))
    for position in range(9):
        assert (
            chisquare(
                np.bincount(draws[:, position], minlength=3),
                50_000 * np.array([5, 3, 1]) / 9,
            ).pvalue
            > ALARM
        )


def test_read_only_input_is_read() -> None:
    units, tokens = np.arange(4, dtype=np.uint64), sample_uniform(0, np.arange(4), 30)
    expected = shuffle(1, units, tokens)
    units.flags.writeable = tokens.flags.writeable = False
    np.testing.assert_array_equal(shuffle(1, units, tokens), expected)


def test_alarm_levels_are_as_stated() -> None:
    assert 2 * norm.sf(FIVE_SD) < ALARM
    assert 4 * 64 * 2 * norm.sf(FIVE_SD + 1) < ALARM
