# Imports from the inside: ranks of any intervals, against all orders.
"""Ranks that a simultaneous band allows: by enumeration, ties, exact effects, and
coverage.
"""

from itertools import permutations

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.multiplicity import rank_intervals, simultaneous
from causalgia.multiplicity.rank_sets import possible_ranks


def _orders(lower, upper):
    """All orders, the largest first, of effects that lie inside their intervals."""
    for order in permutations(range(len(lower))):
        bound = np.inf  # the largest value that the next effect may have
        for k in order:
            value = min(upper[k], bound)
            if value < lower[k]:
                break
            bound = value
        else:
            yield order


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6])
def test_the_ranks_are_those_of_all_orders_that_the_intervals_allow(k):
    rng = np.random.default_rng(k)
    for _ in range(25):
        center, half = rng.normal(size=k).round(1), rng.choice([0.0, 0.1, 0.4, 1.0], k)
        lower, upper = center - half, center + half
        first, last = possible_ranks(lower, upper)
        ranks = np.array([np.argsort(order) + 1 for order in _orders(lower, upper)])
        np.testing.assert_array_equal(first, ranks.min(axis=0))
        np.testing.assert_array_equal(last, ranks.max(axis=0))


def test_one_effect_is_first_and_equal_exact_effects_share_their_ranks():
    one = possible_ranks(np.array([2.0]), np.array([2.0]))
    assert [x.tolist() for x in one] == [[1], [1]]
    exact = np.array([1.0, 3.0, 1.0, 0.0])
    first, last = possible_ranks(exact, exact)
    assert (first.tolist(), last.tolist()) == ([2, 1, 2, 4], [3, 1, 3, 4])
    unbounded = possible_ranks(
        np.array([-np.inf, 0.0, 1.0]), np.array([np.inf, 0.5, 2.0])
    )
    assert [x.tolist() for x in unbounded] == [[1, 2, 1], [3, 3, 2]]


def test_touching_intervals_say_nothing_about_the_order():
    first, last = possible_ranks(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    assert (first.tolist(), last.tolist()) == ([1, 1], [2, 2])


def test_each_task_is_ranked_by_itself_and_placebo_words_are_not():
    effects = np.array([[5.0, -5.0], [0.0, 0.0], [9.0, 9.0]])
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), effects),
            "se": (("contrast", "task"), np.full((3, 2), 0.1)),
        },
        coords={"contrast": ["a", "b", "word"], "task": ["x", "y"]},
    )
    table = table.assign_coords(is_placebo=("contrast", [False, False, True]))
    band = simultaneous(table, method="bonferroni")
    found = rank_intervals(band)
    assert found["rank_lower"].values.tolist() == [[1, 2], [2, 1], [0, 0]]
    assert found["rank_upper"].values.tolist() == [[1, 2], [2, 1], [0, 0]]
    turned = rank_intervals(band.transpose("task", "contrast", ...))
    xr.testing.assert_equal(
        turned["rank_lower"].transpose(*found["rank_lower"].dims), found["rank_lower"]
    )
    assert found.attrs["band"] == "bonferroni"


def test_a_screen_is_ranked_in_two_lines():
    experiment = cg.experiments.kmer_screen(
        cg.Uniform(length=41),
        motifs=["UGCAUG", "AGCAUG", "GGAACC", "CUCUCU"],
        n_units=100,
    )
    outcomes = cg.run(experiment, cg.zoo.load("rbfox1_like"), rng=0, progress=False)
    estimates = experiment.analyze(outcomes, rng=0).estimates
    words = estimates.sel(contrast=~estimates["is_placebo"])
    ranks = rank_intervals(simultaneous(words, method="bonferroni"))
    first, last = (
        ranks[name].sel(contrast="UGCAUG").item()
        for name in ("rank_lower", "rank_upper")
    )
    assert (first, last) == (1, 1)
    assert ranks["rank_upper"].max() == 4
    # a wider band
    beside = rank_intervals(simultaneous(estimates, method="bonferroni"))
    named = beside.sel(contrast=words["contrast"])
    assert (named["rank_lower"] <= ranks["rank_lower"]).all()
    assert (named["rank_upper"] >= ranks["rank_upper"]).all()
    assert named["rank_upper"].max() == 4  # random words are not counted


def test_thousands_of_effects_take_no_quadratic_time():
    rng = np.random.default_rng(0)
    center, half = rng.normal(size=200_000), rng.exponential(size=200_000)
    first, last = possible_ranks(center - half, center + half)
    for i in range(0, 200_000, 40_000):
        assert first[i] == 1 + ((center - half) > center[i] + half[i]).sum()
        assert last[i] == 200_000 - ((center + half) < center[i] - half[i]).sum()


@pytest.mark.simulation
@pytest.mark.parametrize("spread", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("shared", [0.0, 0.8])
def test_all_ranks_are_covered_together_at_the_level_of_the_band(spread, shared):
    """Forty effects with correlated errors; among equal ones every order is a truth."""
    rng, k, trials = np.random.default_rng(7), 40, 400
    true = spread * np.linspace(-1, 1, k)
    rank = k - np.argsort(np.argsort(true))
    kept = 0
    for _ in range(trials):
        error = np.sqrt(shared) * rng.normal() + np.sqrt(1 - shared) * rng.normal(
            size=k
        )
        band = simultaneous(cg.from_effects(true + error, 1.0), method="bonferroni")
        found = rank_intervals(band)
        first, last = (
            found["rank_lower"].values.ravel(),
            found["rank_upper"].values.ravel(),
        )
        if spread == 0:  # any of the ranks may be given to any effect
            kept += bool((first == 1).all() and (last == k).all())
        else:
            kept += bool(((first <= rank) & (rank <= last)).all())
    assert kept / trials >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / trials)
