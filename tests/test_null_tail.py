# Imports from the inside: the law of the largest null effects, against scipy.
"""Extrapolated p-values: the generalized Pareto law of the largest null effects, and
where it is refused.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import anderson, genpareto

import causalgia as cg
from causalgia.multiplicity.matched_ranks import (
    Strata,
    anderson_darling,
    extrapolate_ranks,
    fit_null_tail,
    rank_among_matched,
)
from causalgia.sequences import Variant, decode


def one_stratum(m, k):
    return Strata(np.zeros(k, np.int64), (np.arange(m),), ((),))


@pytest.mark.simulation
def test_the_probability_is_averaged_over_the_posterior_of_shape_and_scale():
    """Against scipy's density and survival function, summed over the same grid."""
    null = np.sort(np.random.default_rng(0).exponential(size=10_000) ** 1.5)
    tail = fit_null_tail(null)
    threshold = (null[-100] + null[-101]) / 2
    z = null[-100:] - threshold
    scale = np.median(z) / np.log(2)
    shapes, scales = np.linspace(0, 2, 41), scale * np.exp(np.linspace(-1.2, 1.0, 45))
    logs = np.array(
        [[genpareto.logpdf(z, c, scale=s).sum() for s in scales] for c in shapes]
    )
    weights = np.exp(logs - logs.max())
    weights /= weights.sum()
    np.testing.assert_allclose(tail.weights, weights, atol=1e-10)
    for x in (null[-1], 1.5 * null[-1]):
        survival = np.array(
            [[genpareto.sf(x - threshold, c, scale=s) for s in scales] for c in shapes]
        )
        assert tail.p([x])[0] == pytest.approx(
            0.01 * (weights * survival).sum(), rel=1e-9
        )
    assert tail.p([1e9])[0] == pytest.approx(1 / (100 * 10_001))


def test_anderson_and_darling_s_statistic_is_that_of_scipy():
    """Of a fitted exponential law, whose survival is exp(-x / mean)."""
    x = np.sort(np.random.default_rng(0).exponential(size=80))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # asks for a way to compute p
        expected = anderson(x, "expon").statistic
    assert anderson_darling(x / x.mean()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.simulation
def test_a_law_that_holds_is_refused_in_one_of_twenty():
    rng = np.random.default_rng(1)
    refused = [
        fit_null_tail(rng.standard_exponential(2_000)) is None for _ in range(300)
    ]
    assert 0.01 < np.mean(refused) < 0.11  # four standard errors about .05


def test_exponential_effects_get_the_p_that_they_have():
    """At 1e-5, a tenth of the least rank, log10 p is -4.35 on average: what is not
    known of the tail raises it.
    """
    rng = np.random.default_rng(2)
    found = []
    for _ in range(60):
        tail = fit_null_tail(rng.exponential(size=10_000))
        if tail is not None:
            found.append(np.log10(tail.p([np.log(1e5)])[0]))
    assert -4.5 < np.mean(found) < -4.2  # four standard errors about it


def test_p_falls_as_the_effect_grows_and_ranks_stay_where_ten_nulls_are_as_large():
    rng = np.random.default_rng(3)
    null, effects = rng.standard_t(3, 5_000), np.linspace(0, 200, 300)
    strata = one_stratum(5_000, 300)
    ranks, tails = (
        f(effects, null, strata) for f in (rank_among_matched, extrapolate_ranks)
    )
    by_rank = tails.by == "rank"
    np.testing.assert_array_equal(tails.p[by_rank], ranks.p[by_rank])
    assert (ranks.p[by_rank] >= 11 / 5_001).all()
    assert set(tails.by) == {"rank", "tail"}
    assert (np.diff(tails.p[~by_rank]) <= 0).all()
    assert tails.p.min() < ranks.p.min() / 10
    np.testing.assert_array_equal(tails.p, extrapolate_ranks(-effects, null, strata).p)
    scaled = extrapolate_ranks(1e-6 * effects, 1e-6 * null, strata)
    np.testing.assert_allclose(scaled.p, tails.p, rtol=1e-6)


@pytest.mark.parametrize(
    "null",
    [
        np.random.default_rng(0).exponential(size=1_999),  # too few
        np.repeat([0.0, 1.0], [9_000, 1_000]),  # the largest are equal
        # no such law
        np.concatenate(
            [np.random.default_rng(0).exponential(size=9_950), np.full(50, 30.0)]
        ),
    ],
)
def test_where_no_law_fits_p_is_by_rank_and_says_so(null):
    assert fit_null_tail(null) is None
    strata = one_stratum(len(null), 2)
    found = extrapolate_ranks([100.0, 0.5], null, strata)
    assert found.by.tolist() == ["no fit", "rank"]
    np.testing.assert_array_equal(
        found.p, rank_among_matched([100.0, 0.5], null, strata).p
    )


def test_errors_of_the_predictor_s_arithmetic_count_as_ties():
    null = np.random.default_rng(4).exponential(size=(5_000, 2))
    strata = one_stratum(5_000, 1)
    near, exact = (
        extrapolate_ranks([[12.0, 12.0]], null, strata, floor=floor).p
        for floor in ([1.0, 0.0], 0.0)
    )
    assert near[0, 0] > exact[0, 0]
    assert near[0, 1] == exact[0, 1]


@pytest.mark.simulation
@pytest.mark.parametrize("draw", ["exponential", "standard_t", "lognormal"])
def test_null_effects_are_rejected_at_most_at_the_nominal_rate(draw):
    rng = np.random.default_rng(5)
    law = {"exponential": {}, "standard_t": {"df": 3}, "lognormal": {"sigma": 1.5}}[
        draw
    ]
    found = []
    for _ in range(60):
        null, effects = (getattr(rng, draw)(**law, size=n) for n in (10_000, 200_000))
        found.append(
            (
                extrapolate_ranks(effects, null, one_stratum(10_000, 200_000)).p <= 1e-5
            ).mean()
        )
    assert np.mean(found) <= 1e-5 * 1.3 + 4 * np.std(found) / np.sqrt(60)


def test_an_experiment_gives_tail_p_beside_the_ranks(tmp_path):
    letters = decode(cg.Uniform(length=9_000).sample(1, rng=3)["sequence"].values)[0]
    (tmp_path / "g.fa").write_text(f">c\n{letters}\n")
    chosen = [
        Variant("c", at, letters[at], "A" if letters[at] != "A" else "C", f"v{at}")
        for at in range(200, 8_200, 200)
    ]
    weights = np.random.default_rng(0).normal(size=(4, 40))
    network = cg.FunctionPredictor(
        lambda x: np.exp((x * weights).sum((1, 2)) / 2), tasks=["a"], scale="counts"
    )
    null = cg.MatchedVariants(of=cg.Uniform(length=50), match=("length",), min_nulls=39)
    settings = {"length": 40, "null": null, "n_null": 2_500}
    plain, tailed = (
        (
            experiment := cg.experiments.variants(
                chosen, tmp_path / "g.fa", tail=tail, **settings
            )
        ).analyze(cg.run(experiment, network, rng=0, progress=False))
        for tail in (False, True)
    )
    assert "tail_p" not in plain.estimates
    estimates = tailed.estimates
    assert plain.estimates.identical(
        estimates.drop_vars(["tail_p", "tail_by"]).assign_attrs(plain.estimates.attrs)
    )
    by_rank = estimates["tail_by"] == "rank"
    assert (estimates["tail_p"] == estimates["p_matched"]).where(by_rank, True).all()
    assert {"tail_p", "tail_by"} <= set(cg.experiments.variant_frame(tailed))
    outcomes = cg.run(
        cg.experiments.variants(chosen, tmp_path / "g.fa", **settings),
        network,
        rng=0,
        progress=False,
    )
    with pytest.raises(cg.errors.EstimateError):
        cg.analyze(outcomes)
