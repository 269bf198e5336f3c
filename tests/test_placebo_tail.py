"""Directions by a Student t tail fitted to placebo words: against exact tails, false
discoveries, and what it says.
"""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.multiplicity.placebo import (
    LEAST_EXCESSES,
    rank_errors,
    resolution_note,
    tail_errors,
    upper_tail,
)


def _table(words, effects, se=0.01):
    ace = np.concatenate([words, effects])
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), ace[:, None]),
            "se": (("contrast", "task"), np.full((ace.size, 1), se)),
        },
        coords={"contrast": np.arange(ace.size).astype(str), "task": ["t"]},
    )
    return table.assign_coords(
        placebo_word=("contrast", np.arange(ace.size) < len(words))
    )


@pytest.mark.parametrize(
    "law", [stats.norm(), stats.t(5), stats.t(3)], ids=["normal", "t5", "t3"]
)
def test_many_words_give_their_own_tail(law):
    words = law.ppf((np.arange(4_000) + 0.5) / 4_000)
    at = law.isf([1e-4, 1e-5])
    ratio = upper_tail(words, at) / law.sf(at)
    assert (ratio > 0.6).all()
    # a normal law is the limit of what the prior holds, and gets a tail that is too
    # heavy
    assert (ratio < 3).all()


def test_the_posterior_is_that_of_a_finer_integral():
    words = np.random.default_rng(0).standard_t(4, size=100)
    excess = words[words > np.median(words)] - np.median(words)
    inverse, scale = np.linspace(1 / 200, 1 / 1.5, 150), np.exp(np.linspace(-3, 3, 601))
    df, grid = np.meshgrid(1 / inverse, scale, indexing="ij")
    log = sum(stats.t.logpdf(e / grid, df) - np.log(grid) for e in excess)
    weight = np.exp(log - log.max())
    at = words.max() + np.array([1.0, 5.0, 30.0])
    tails = [
        (weight * 2 * stats.t.sf((x - np.median(words)) / grid, df)).sum()
        / weight.sum()
        for x in at
    ]
    assert upper_tail(words, at) == pytest.approx(np.array(tails) * 51 / 101, rel=0.1)


def test_ranks_decide_inside_the_range_and_the_tail_only_lowers_beyond_it():
    rng = np.random.default_rng(1)
    words = rng.normal(size=100)
    table = _table(
        words,
        np.concatenate([rng.uniform(words.min(), words.max(), 50), [6.0, 40.0, -40.0]]),
    )
    ranked, tail = (
        np.stack(found)[:, 100:, 0]
        for found in (rank_errors(table), tail_errors(table))
    )
    assert (tail[:, :50] == ranked[:, :50]).all()
    assert (tail <= ranked).all()
    assert tail[0, 51] < 1e-3 < ranked[0, 51]
    assert tail[1, 52] < 1e-3 < ranked[1, 52]


def test_at_the_median_a_tail_is_the_share_of_excesses():
    for n in (20, 41):
        words = np.random.default_rng(3).normal(size=n)
        # each with one word more, as in a p-value by ranks
        share = (n // 2 + 1) / (n + 1)
        assert upper_tail(words, np.array([np.median(words)])) == pytest.approx(
            share, rel=1e-9
        )


def test_a_tail_moves_with_its_words():
    words = np.random.default_rng(2).normal(size=100)
    assert upper_tail(words + 8, np.array([12.0])) == pytest.approx(
        upper_tail(words, np.array([4.0])), rel=1e-6
    )


@pytest.mark.parametrize("n", [0, LEAST_EXCESSES - 1])
def test_a_side_with_few_excesses_has_no_tail(n):
    words = np.concatenate([np.zeros(100 - n), np.arange(1.0, n + 1)])
    assert upper_tail(words, np.array([1e6])) == 1


def test_a_side_with_just_enough_excesses_has_a_tail():
    words = np.concatenate(
        [np.zeros(100 - LEAST_EXCESSES), np.arange(1.0, LEAST_EXCESSES + 1)]
    )
    assert upper_tail(words, np.array([1e6])) < 0.1


def test_a_verdict_takes_the_region_too_and_says_that_the_tail_is_a_model():
    rng = np.random.default_rng(0)
    table = _table(
        rng.normal(size=100),
        np.concatenate([np.full(12, 40.0), rng.normal(size=4_084)]),
    )
    by_rank, found = (
        cg.decide(table, rope=rope) for rope in ("placebo", "placebo tail")
    )
    assert not (by_rank["verdict"].to_numpy()[100:112] == "increases").any()
    assert (found["verdict"].to_numpy()[100:112] == "increases").all()
    assert not np.isin(
        found["verdict"].to_numpy()[112:], ["increases", "decreases"]
    ).any()
    assert "by a Student t tail fitted to 100 placebo words" in found.attrs["rope"]
    assert "rest on a model" in cg.report(found)
    unsure = table.assign(se=table["se"].where(table["contrast"] != "100", 100.0))
    assert (
        cg.decide(unsure, rope="placebo tail")["verdict"].sel(contrast="100").item()
        == "undecided"
    )


def test_it_needs_placebo_words():
    with pytest.raises(
        cg.errors.DecisionError, match="rope='placebo tail': .* placebo words"
    ):
        cg.decide(_table(np.arange(10.0), [40.0]), rope="placebo tail")


@pytest.mark.long
@pytest.mark.parametrize("law", ["normal", "t5", "t3", "exponential"])
@pytest.mark.parametrize("share", [0.0, 0.05])
def test_false_discoveries_are_bounded(law, share):
    rng, found = np.random.default_rng(3), []
    draw = {
        "normal": rng.standard_normal,
        "t5": lambda n: rng.standard_t(5, n),
        "t3": lambda n: rng.standard_t(3, n),
        "exponential": rng.standard_exponential,
    }[law]
    for _ in range(60):
        effects, planted = draw(400), np.arange(400) < 400 * share
        effects[planted] = 60.0
        p = np.minimum(*tail_errors(_table(draw(100), effects))).ravel()[100:]
        called = stats.false_discovery_control(np.minimum(p, 1.0)) <= 0.05
        found.append((called & ~planted).sum() / max(called.sum(), 1))
        assert called[planted].mean() == 1 if share and law == "normal" else True
    assert np.mean(found) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)


@pytest.mark.parametrize("n_words", [38, 39, 79, 80])
def test_a_note_asks_for_words_exactly_where_no_p_can_be_small_enough(n_words):
    """Two effects beyond every word, of two or of four: with M words the least p is 2 /
    (M + 1).
    """
    for n_effects in (2, 4):
        table = _table(
            np.linspace(-1, 1, n_words), np.r_[[50.0, 60.0], np.zeros(n_effects - 2)]
        )
        could_be = (table["ace"].to_numpy() > 40) & ~table["placebo_word"].to_numpy()[
            :, None
        ]
        enough = 2 / (n_words + 1) <= 0.05 * 2 / n_effects
        assert (resolution_note(table, could_be, 0.05) is None) == enough
        assert resolution_note(table, could_be & False, 0.05) is None


@pytest.mark.parametrize("n", [20, 40])
def test_the_tail_is_the_weighted_mean_of_the_laws_of_its_grid(n):
    """df from 1.5 to 200, evenly in 1 / df; scales over 5 units of log about the median
    excess.
    """
    words = np.random.default_rng(n).standard_t(2, size=n) + 3
    center = np.median(words)
    excess = words[words > center] - center
    inverse, log_scale = np.linspace(1 / 200, 1 / 1.5, 24), np.linspace(-2.5, 2.5, 101)
    df, scale = np.meshgrid(
        1 / inverse, np.median(excess) * np.exp(log_scale), indexing="ij"
    )
    log = sum(stats.t.logpdf(e / scale, df) - np.log(scale) for e in excess)
    weight = np.exp(log - log.max()) / np.exp(log - log.max()).sum()
    at = center + np.array([0.5, 4.0, 50.0])
    tails = [(weight * 2 * stats.t.sf((x - center) / scale, df)).sum() for x in at]
    expected = np.array(tails) * (len(excess) + 1) / (n + 1)
    np.testing.assert_allclose(upper_tail(words, at), expected, rtol=1e-9)


def test_a_note_says_what_the_words_resolve():
    table = _table(np.linspace(-1, 1, 49), np.r_[[50.0, 60.0], np.zeros(2)])
    could_be = (table["ace"].to_numpy() > 40) & ~table["placebo_word"].to_numpy()[
        :, None
    ]
    assert resolution_note(table, could_be, 0.05) == (
        "2 of 4 effects lie beyond the region of placebo words and are undecided: with "
        "49 words no p-value of a direction is below 0.04; 79 words are needed to find "
        "2 of 4 effects"
    )
