from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from causalgia.errors import EstimateError, RandomnessError
from causalgia.estimation import mean_ice
from causalgia.estimation.joint_tests import randomization_test, sign_flip_test
from causalgia.multiplicity.bootstrap_t import (
    _t_of_equal_clusters,
    _t_of_unequal_clusters,
    bootstrap_t_max,
    missed_share,
    missed_share_sentence,
    rare_p,
    rare_reach,
)
from causalgia.multiplicity.joint_methods import _random_signs, sign_flip_max_t

HERE = Path(__file__).parent / "reference"


def expected(case: str) -> Any:
    return json.loads((HERE / case / "expected.json").read_text())


def flip_case() -> np.ndarray:
    frame = pd.read_csv(HERE / "sign_flip_maxt" / "input.csv")
    return frame.iloc[:, 2:].to_numpy() - frame["control"].to_numpy()[:, None]


# ---- sign flips


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("studentized", {}),
        ("mean", {"statistic": "mean"}),
        ("studentized_greater", {"alternative": "greater"}),
    ],
)
def test_enumerated_flips_are_those_of_r(case: str, options: dict[str, Any]) -> None:
    mine, theirs = (
        sign_flip_max_t(flip_case(), **options),
        expected("sign_flip_maxt")[case],
    )
    assert mine.exact
    assert len(mine.maxima) == expected("sign_flip_maxt")["n_flips"]
    for name in ("p_raw", "p_single_step", "p_step_down"):
        np.testing.assert_allclose(
            getattr(mine, name), theirs[name], rtol=0, atol=1e-12
        )
    np.testing.assert_allclose(mine.observed, theirs["observed"], rtol=1e-9)
    if "critical" in theirs:
        np.testing.assert_allclose(mine.critical, theirs["critical"], rtol=1e-9)


def test_drawn_flips_agree_with_all_of_them() -> None:
    ice = np.random.default_rng(0).normal(size=(16, 6)) + np.linspace(0, 1, 6)
    every, drawn = (
        sign_flip_max_t(ice, n_flips=2**16),
        sign_flip_max_t(ice, n_flips=20_000, rng=1),
    )
    assert every.exact
    assert not drawn.exact
    for name in ("p_raw", "p_single_step", "p_step_down"):
        p = getattr(every, name)
        assert (
            np.abs(getattr(drawn, name) - p)
            < 4.5 * np.sqrt(p * (1 - p) / 20_000) + 1e-4
        ).all()
    assert drawn.p_raw.min() >= 1 / 20_001


def test_float32_maxima_are_those_of_float64() -> None:
    ice = np.random.default_rng(2).exponential(size=(300, 50)) - 0.8
    mine = sign_flip_max_t(ice, n_flips=500, rng=3)
    signs = np.concatenate(list(_random_signs(300, 500, 500, 3))).astype(float)
    u = np.abs(signs @ (ice / np.sqrt((ice**2).sum(axis=0)))).max(axis=1)
    np.testing.assert_allclose(
        mine.maxima, np.sort(u * np.sqrt(299 / (300 - u**2))), rtol=2e-6
    )


def test_signs_are_fair_and_do_not_depend_on_blocks() -> None:
    whole = np.concatenate(list(_random_signs(70, 4_000, 4_000, 5)))
    np.testing.assert_array_equal(
        whole, np.concatenate(list(_random_signs(70, 4_000, 33, 5)))
    )
    assert np.abs(whole.mean(axis=0)).max() < 4.5 / np.sqrt(4_000)
    assert np.abs(np.corrcoef(whole.T) - np.eye(70)).max() < 5 / np.sqrt(4_000)


def test_clusters_flip_whole() -> None:
    frame = pd.read_csv(HERE / "randomization_test" / "input_clustered.csv")
    ice, cluster = frame["ice"].to_numpy(), pd.factorize(frame["parent"])[0]
    theirs = expected("randomization_test")["clustered_sign_flip"]
    np.testing.assert_allclose(
        sign_flip_max_t(ice[:, None], cluster, statistic="mean").p_raw,
        theirs["p"],
        atol=1e-12,
    )
    shuffled = np.random.default_rng(0).permutation(len(ice))
    again = sign_flip_max_t(ice[shuffled, None], cluster[shuffled])
    np.testing.assert_allclose(
        again.p_raw, sign_flip_max_t(ice[:, None], cluster).p_raw, atol=1e-12
    )


def test_flips_of_constants() -> None:
    ice = np.column_stack([np.zeros(10), np.full(10, 0.3), np.arange(10.0) - 4.5])
    answer = sign_flip_max_t(ice)
    np.testing.assert_allclose(answer.p_raw[:2], [1.0, 2 / 2**10])
    assert np.isfinite(answer.observed).all()
    assert np.isfinite(answer.critical)
    assert (sign_flip_max_t(np.zeros((10, 5))).p_step_down == 1).all()


def test_flips_at_any_magnitude() -> None:
    ice = np.random.default_rng(1).normal(size=(12, 3))
    scaled = sign_flip_max_t(ice * [1e200, 1.0, 1e-200])
    np.testing.assert_allclose(scaled.p_step_down, sign_flip_max_t(ice).p_step_down)


def test_what_flips_refuse() -> None:
    ice = np.ones((30, 2))
    with pytest.raises(RandomnessError, match="rng="):
        sign_flip_max_t(ice)
    with pytest.raises(
        EstimateError, match="n_flips=10 is too few for ci_prob=0.95; take 19 or more"
    ):
        sign_flip_max_t(ice, n_flips=10, rng=0)
    with pytest.raises(EstimateError, match="n_flips=0 is not a number of draws"):
        sign_flip_max_t(ice, n_flips=0, rng=0)
    with pytest.raises(EstimateError, match="statistic='t'"):
        sign_flip_max_t(ice, statistic="t", rng=0)  # type: ignore[arg-type]


# ---- bootstrap-t


@pytest.mark.parametrize(
    "sizes", [[1] * 12, [3] * 12, [1, 4, 2, 7, 3, 2, 5, 1, 1, 2, 6, 3]]
)
def test_a_draw_is_the_estimate_of_the_resampled_clusters(sizes: list[int]) -> None:
    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(12), sizes)
    ice = rng.exponential(size=(len(cluster), 5)) + rng.normal(size=(12, 5))[cluster]
    counts = np.array(
        [np.bincount(rng.integers(0, 12, 12), minlength=12) for _ in range(6)],
        dtype=np.float32,
    )
    residuals = ice - ice.mean(axis=0)
    sums = np.array([residuals[cluster == g].sum(axis=0) for g in range(12)]).T.astype(
        np.float32
    )
    blocks = (
        _t_of_equal_clusters(sums, iter([counts]))
        if len(set(sizes)) == 1
        else _t_of_unequal_clusters(
            sums, np.array(sizes, dtype=np.float32), iter([counts])
        )
    )
    mine = next(blocks)
    for b, row in enumerate(counts.astype(int)):
        drawn = [g for g in range(12) for _ in range(row[g])]
        units = np.concatenate([np.flatnonzero(cluster == g) for g in drawn])
        codes = np.repeat(np.arange(12), [sizes[g] for g in drawn])
        theirs = mean_ice(residuals[units], codes)
        np.testing.assert_allclose(
            mine[:, b], np.abs(theirs.ace / theirs.se), rtol=2e-5, atol=1e-6
        )


def test_one_normal_contrast_is_students_t() -> None:
    ice = np.random.default_rng(3).normal(size=(400, 1)) + 0.12
    answer = bootstrap_t_max(ice, n_draws=20_000, rng=0)
    t = stats.ttest_1samp(ice[:, 0], 0)
    np.testing.assert_allclose(answer.observed, np.abs(t.statistic), rtol=1e-9)
    assert abs(answer.p_raw[0] - t.pvalue) < 0.012
    assert abs(answer.critical - stats.t.ppf(0.975, 399)) < 0.06


@pytest.mark.rotating(6)
@pytest.mark.long
@pytest.mark.parametrize(
    "kind", ["exponential", "lognormal", "rare binary", "rare exponential", "clustered"]
)
def test_family_wise_error_is_at_most_nominal(kind: str) -> None:
    rng, n, k, trials = np.random.default_rng(8), 100, 200, 100
    cluster = np.arange(n) // 4 if kind == "clustered" else None

    def null() -> np.ndarray:
        if kind == "exponential":
            return rng.exponential(size=(n, k)) - 1
        if kind == "lognormal":
            return np.exp(rng.normal(size=(n, k))) - np.exp(0.5)
        if kind == "clustered":
            return np.repeat(rng.normal(size=(n // 4, k)), 4, axis=0) + rng.normal(
                size=(n, k)
            )
        size = 1.0 if kind == "rare binary" else rng.exponential(size=(n, k))
        return (rng.random((n, k)) < 0.03) * size - 0.03

    false = sum(
        bool(
            bootstrap_t_max(null(), cluster, n_draws=199, rng=rng).p_single_step.min()
            <= 0.05
        )
        for _ in range(trials)
    )
    assert false <= stats.binom.ppf(1 - 1e-4, trials, 0.05)


def test_p_and_band_say_the_same() -> None:
    rng = np.random.default_rng(11)
    ice = np.where(
        rng.random((60, 40)) < np.linspace(0.02, 1, 40),
        rng.exponential(size=(60, 40)),
        0.0,
    )
    ice = ice - np.linspace(0, 1, 40) * rng.random(40)
    answer = bootstrap_t_max(ice, n_draws=999, rng=2)
    assert answer.rare.any()
    assert not answer.rare.all()
    excludes = np.abs(ice.mean(axis=0)) > answer.half_width
    np.testing.assert_array_equal(
        excludes[~answer.rare], answer.p_single_step[~answer.rare] < 0.05
    )
    rare = answer.rare
    assert (answer.p_single_step[rare][excludes[rare]] < 0.05).all()


def test_step_down_never_exceeds_single_step() -> None:
    ice = np.random.default_rng(5).exponential(size=(50, 30)) - np.linspace(
        0.2, 1.0, 30
    )
    answer = bootstrap_t_max(ice, n_draws=999, rng=0)
    assert (answer.p_step_down <= answer.p_single_step).all()
    assert (answer.p_raw <= answer.p_step_down).all()
    assert (answer.p_step_down < answer.p_single_step).any()


@settings(max_examples=settings.default.max_examples // 2)
@given(st.integers(0, 10_000), st.sampled_from([1e-200, 1e-3, 1e150]))
def test_bootstrap_t_is_invariant(seed: int, size: float) -> None:
    ice = np.random.default_rng(seed).exponential(size=(20, 6)) - 0.5
    plain = bootstrap_t_max(ice, n_draws=99, rng=1)
    order = np.random.default_rng(seed).permutation(6)
    again = bootstrap_t_max(-ice[:, order] * size, n_draws=99, rng=1)
    np.testing.assert_allclose(again.p_single_step, plain.p_single_step[order])
    np.testing.assert_allclose(again.critical, plain.critical, rtol=1e-4)


def test_contrasts_that_do_not_vary() -> None:
    zeros = bootstrap_t_max(np.zeros((30, 10_000)), n_draws=39, rng=0)
    assert (zeros.p_single_step == 1).all()
    assert (zeros.half_width == 0).all()
    ones = bootstrap_t_max(np.ones((30, 3)), n_draws=39, rng=0)
    assert (ones.p_single_step == 0).all()
    assert (ones.half_width == 0).all()
    mixed = bootstrap_t_max(
        np.column_stack([np.ones(30), np.random.default_rng(0).normal(size=30)]),
        n_draws=39,
        rng=0,
    )
    assert mixed.rare.tolist() == [True, False]
    assert 0 < mixed.half_width[0] < 1
    assert mixed.p_single_step[0] < 0.001


def test_the_few_that_vary_answer_to_bonferroni() -> None:
    rng = np.random.default_rng(3)
    ice = (rng.random((115, 200)) < 0.03) - 0.03
    answer = bootstrap_t_max(ice, n_draws=199, rng=0)
    assert 100 < np.count_nonzero(answer.rare) < 200
    assert answer.critical >= stats.t.ppf(1 - 0.05 / 400, 114)
    p = 200 * 2 * stats.t.sf(answer.observed, 114)
    assert (answer.p_single_step >= np.minimum(p, 1) - 1e-12)[~answer.rare].all()


def test_few_clusters_that_all_differ_are_not_rare() -> None:
    ice = np.random.default_rng(0).normal(size=(5, 400))
    assert not bootstrap_t_max(ice, n_draws=39, rng=0).rare.any()


@given(st.integers(0, 30), st.floats(0.001, 0.9))
def test_rare_bands_and_p_are_duals(u: int, ci_error: float) -> None:
    far = rare_reach(2.0, np.array([u]), 100, 5, ci_prob=1 - ci_error)
    p = rare_p(far, 2.0, np.array([u]), 100, 5)
    np.testing.assert_allclose(p, min(ci_error, 1), rtol=1e-6)


@pytest.mark.parametrize("n_hits", [1, 2, 4])
def test_rare_effects_of_either_sign_have_the_same_band(n_hits: int) -> None:
    """A band reaches from the ACE, past the common value, as far as clusters unseen
    could move it.
    """
    ice = np.full((100, 3), 0.3)
    ice[:n_hits] += np.array([5.0, 2.0, 1.0])
    up, down = (bootstrap_t_max(sign * ice, n_draws=199, rng=0) for sign in (1, -1))
    assert up.rare.all()
    np.testing.assert_allclose(down.half_width, up.half_width, rtol=1e-12)
    np.testing.assert_allclose(down.p_single_step, up.p_single_step, rtol=1e-12)
    reach = rare_reach(5.0, np.full(3, n_hits), 100, 3, ci_prob=0.95)
    np.testing.assert_allclose(
        up.half_width, reach + n_hits / 100 * np.array([5.0, 2.0, 1.0]), rtol=1e-9
    )


def test_the_few_that_vary_among_many_rare_have_p_of_bonferroni() -> None:
    rng = np.random.default_rng(2)
    ice = np.zeros((60, 30))
    ice[0] = 1.0
    ice[:, :2] = rng.normal(size=(60, 2)) + np.array([0.0, 2.0])
    answer = bootstrap_t_max(ice, n_draws=199, rng=0)
    assert answer.rare.tolist() == [False] * 2 + [True] * 28
    t = stats.ttest_1samp(ice[:, :2], 0)
    assert t.pvalue[0] * 30 > 1
    assert answer.p_single_step[0] == answer.p_step_down[0] == 1.0
    assert 0 < answer.p_single_step[1] < 0.05
    for p in (answer.p_single_step, answer.p_step_down):
        assert ((p >= 0) & (p <= 1)).all()
        assert (p[:2] >= np.minimum(30 * t.pvalue, 1) - 1e-12).all()


def test_the_rule_of_three_covers() -> None:
    rng, share, trials = np.random.default_rng(0), 0.02, 4_000
    u = rng.binomial(100, share, trials)
    covered = (rare_reach(1.0, u, 100, 1, ci_prob=0.95) >= share).mean()
    assert covered >= 0.95 - 4 * np.sqrt(0.05 * 0.95 / trials)


def test_what_the_bootstrap_refuses() -> None:
    with pytest.raises(
        EstimateError, match="4 clusters are too few to resample: 5 or more"
    ):
        bootstrap_t_max(np.ones((4, 2)), rng=0)
    with pytest.raises(
        EstimateError, match="n_draws=18 is too few for ci_prob=0.95; take 19 or more"
    ):
        bootstrap_t_max(np.ones((30, 2)), n_draws=18, rng=0)
    for bad in (0, -1, 2.5, True, 10**8 + 1, 10**12):
        with pytest.raises(
            EstimateError,
            match=f"n_draws={bad} is not a number of draws, 1 to 100,000,000",
        ):
            bootstrap_t_max(np.ones((30, 2)), n_draws=bad, rng=0)  # type: ignore[arg-type]
    with pytest.raises(RandomnessError):
        bootstrap_t_max(np.ones((30, 2)), rng=None)  # type: ignore[arg-type]


# ---- randomization tests


@pytest.mark.parametrize("statistic", ["difference", "welch_t"])
def test_parallel_assignments_are_those_of_r(statistic: str) -> None:
    frame = pd.read_csv(HERE / "randomization_test" / "input_parallel.csv")
    mine = randomization_test(
        frame["y"].to_numpy(), frame["arm"].to_numpy() == 1, statistic=statistic
    )  # type: ignore[arg-type]
    for name, value in expected("randomization_test")["parallel"][statistic].items():
        np.testing.assert_allclose(getattr(mine, name), value, rtol=1e-12)


def test_blocked_assignments_are_those_of_r() -> None:
    frame = pd.read_csv(HERE / "randomization_test" / "input_blocked.csv")
    block = pd.factorize(frame["block"])[0]
    mine = randomization_test(
        frame["y"].to_numpy(), frame["arm"].to_numpy() == 1, block
    )
    for name, value in expected("randomization_test")["blocked"].items():
        np.testing.assert_allclose(getattr(mine, name), value, rtol=1e-12)


def test_clustered_flips_are_those_of_r() -> None:
    frame = pd.read_csv(HERE / "randomization_test" / "input_clustered.csv")
    ice, cluster = frame["ice"].to_numpy(), pd.factorize(frame["parent"])[0]
    theirs, mine = (
        expected("randomization_test")["clustered_sign_flip"],
        sign_flip_test(ice, cluster),
    )
    for name in ("observed", "n_assignments", "p", "p_greater", "p_less"):
        np.testing.assert_allclose(getattr(mine, name), theirs[name], rtol=1e-12)


def test_scipy_agrees_on_a_larger_trial() -> None:
    rng = np.random.default_rng(7)
    y, treated = rng.normal(size=16), np.arange(16) < 7
    mine = randomization_test(y, treated)
    theirs = stats.permutation_test(
        (y[treated], y[~treated]),
        lambda a, b: a.mean() - b.mean(),
        n_resamples=np.inf,
        alternative="greater",
    )
    np.testing.assert_allclose(mine.p_greater, theirs.pvalue)


def test_a_cluster_as_large_as_a_whole_resample_is_no_error() -> None:
    """Five draws among four clusters of one unit have five units, as the fifth cluster
    has, which is not among them.
    """
    cluster = np.repeat(np.arange(5), [1, 1, 1, 1, 5])
    answer = bootstrap_t_max(
        np.random.default_rng(0).normal(size=(9, 2)), cluster, n_draws=999, rng=0
    )
    assert np.isfinite(answer.half_width).all()


def test_what_randomization_refuses() -> None:
    with pytest.raises(
        EstimateError, match="block 1 has 2 treated and 0 control units"
    ):
        randomization_test(
            np.arange(4.0), np.array([True, False, True, True]), np.array([0, 0, 1, 1])
        )
    with pytest.raises(EstimateError, match=r"assignments, more than the 4,194,304"):
        randomization_test(np.arange(60.0), np.arange(60) < 30)
    assert (
        randomization_test(np.ones(6), np.arange(6) < 3, statistic="welch_t").p == 1.0
    )


@pytest.mark.parametrize("alternative", ["two-sided", "greater"])
def test_the_maxima_of_drawn_flips_are_those_of_float64(alternative):
    """Of a thousand skewed effects a float32 product alone is off by more than 1e-6."""
    ice = np.random.default_rng(0).exponential(size=(1_000, 300)) - 1
    signs = next(_random_signs(1_000, 400, 400, 5)).astype(float)
    means = signs @ ice / 1_000
    t = means / np.sqrt(((ice**2).mean(axis=0) - means**2) / 999)
    expected = np.sort((np.abs(t) if alternative == "two-sided" else t).max(axis=1))
    found = sign_flip_max_t(
        ice, alternative=alternative, n_flips=400, ci_prob=0.9, rng=5
    )
    np.testing.assert_allclose(found.maxima, expected, rtol=3e-7)


@pytest.mark.parametrize(
    ("y", "treated", "block"),
    [
        ([np.nan, 1.0, 2.0], [True, False, False], None),
        ([1.0, np.inf, 2.0], [True, False, False], None),
        ([1.0, np.nan, 2.0, 3.0], [True, False, True, False], [0, 0, 1, 1]),
        ([], [], None),
        ([], [], []),
    ],
)
def test_outcomes_that_are_empty_or_not_finite_have_no_randomization_p(
    y: Any, treated: Any, block: Any
) -> None:
    blocks = None if block is None else np.array(block, dtype=np.intp)
    with pytest.raises(EstimateError, match="empty or not finite"):
        randomization_test(
            np.array(y, dtype=float), np.array(treated, dtype=bool), blocks
        )
    with pytest.raises(EstimateError, match="empty or not finite"):
        sign_flip_test(np.array(y, dtype=float), blocks)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sign_flip_test("abc"), "ice does not hold numbers alone"),  # type: ignore[arg-type]
        (
            lambda: sign_flip_test(np.ones((2, 2))),
            r"ice has shape \(2, 2\); give one effect",
        ),
        (
            lambda: sign_flip_test(np.ones(3), np.array([0, 2, 2])),
            "cluster=.* is not a whole number from 0",
        ),
        (
            lambda: sign_flip_test(np.ones(3), np.array([0, 1])),
            r"cluster has shape \(2,\), and there are 3 units",
        ),
        (
            lambda: randomization_test([1, 2, 3], [True, False]),
            r"treated has shape \(2,\), and there are 3",
        ),  # type: ignore[arg-type]
        (
            lambda: randomization_test(["a", "b"], [True, False]),
            "y does not hold numbers alone",
        ),  # type: ignore[arg-type]
        (
            lambda: randomization_test(np.ones(2), ["A", "B"]),
            "is not True or False for each unit",
        ),  # type: ignore[arg-type]
        (
            lambda: randomization_test(np.ones(2), [1, 2]),
            "is not True or False for each unit",
        ),  # type: ignore[arg-type]
        (
            lambda: randomization_test(np.ones(2), [1, 0], ["a", "a"]),
            "block=.* is not a whole number",
        ),  # type: ignore[arg-type]
    ],
)
def test_exact_tests_name_what_they_cannot_use(call: Any, message: str) -> None:
    with pytest.raises(EstimateError, match=message):
        call()


def test_lists_are_tested_as_arrays_are() -> None:
    y, treated = [1.0, 2.0, 3.0, 9.0], [False, False, True, True]
    assert randomization_test(y, treated) == randomization_test(
        np.array(y), np.array(treated)
    )  # type: ignore[arg-type]
    assert sign_flip_test([1, 2, 4], [0, 0, 1]) == sign_flip_test(
        np.array([1.0, 2.0, 4.0]), np.array([0, 0, 1])
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.5, np.nan])
def test_a_share_that_is_none_is_refused(wrong: float) -> None:
    with pytest.raises(EstimateError, match="not above 0 and at most 1"):
        missed_share_sentence(wrong)
    with pytest.raises(EstimateError, match="needs at least one"):
        missed_share(min(wrong, 0.0))
    assert (
        missed_share_sentence(1.0)
        == "effects on fewer than 100 % of backgrounds could be missed"
    )


def test_statistics_of_a_randomization_that_there_are_not() -> None:
    y, treated = (
        np.random.default_rng(0).normal(size=8),
        np.array([True, True, False, False] * 2),
    )
    with pytest.raises(EstimateError, match="is neither 'difference' nor 'welch_t'"):
        randomization_test(y, treated, statistic="t")  # type: ignore[arg-type]
    with pytest.raises(EstimateError, match="is for trials without blocks"):
        randomization_test(y, treated, block=np.repeat([0, 1], 4), statistic="welch_t")


def shares_of(values: list[float], observed: float) -> tuple[int, float, float, float]:
    """Number of assignments, and the shares at least as far, at least as large and at
    most as large; ties count.
    """
    every, near = np.array(values), 1e-9
    far = (np.abs(every) >= abs(observed) - near).mean()
    return (
        len(every),
        far,
        (every >= observed - near).mean(),
        (every <= observed + near).mean(),
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_a_randomization_is_an_enumeration_by_hand(sign: int) -> None:
    y = sign * np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0])
    treated = np.array([0, 0, 1, 0, 1, 1, 0, 1, 0], dtype=bool)
    block = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])

    def difference(rows: np.ndarray) -> float:
        return float(y[rows].mean() - y[~rows].mean())

    def welch(rows: np.ndarray) -> float:
        return float(stats.ttest_ind(y[rows], y[~rows], equal_var=False).statistic)

    def by_block(rows: np.ndarray) -> float:
        parts = [block == b for b in (0, 1)]
        return float(
            sum(p.mean() * (y[p & rows].mean() - y[p & ~rows].mean()) for p in parts)
        )

    every = [
        np.isin(np.arange(9), chosen) for chosen in itertools.combinations(range(9), 4)
    ]
    within = [rows for rows in every if rows[:4].sum() == 1]
    cases = (
        ({}, every, difference),
        ({"statistic": "welch_t"}, every, welch),
        ({"block": block}, within, by_block),
    )
    for options, assignments, statistic in cases:
        found = randomization_test(y, treated, **options)  # type: ignore[arg-type]
        assert found.observed == pytest.approx(statistic(treated))
        expected = shares_of(
            [statistic(rows) for rows in assignments], statistic(treated)
        )
        assert (
            found.n_assignments,
            found.p,
            found.p_greater,
            found.p_less,
        ) == pytest.approx(expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_flips_are_an_enumeration_by_hand_over_several_blocks_of_rows(
    sign: int,
) -> None:
    ice = sign * np.round(np.random.default_rng(0).normal(0.3, 1, 13), 1)
    found = sign_flip_test(ice)
    every = [
        float(np.mean(np.array(signs) * ice))
        for signs in itertools.product((1, -1), repeat=13)
    ]
    assert (
        found.n_assignments,
        found.p,
        found.p_greater,
        found.p_less,
    ) == pytest.approx(shares_of(every, ice.mean()))
    cluster = np.arange(13) % 5
    by_cluster = sign_flip_test(ice, cluster)
    every = [
        float(np.mean(np.array(signs)[cluster] * ice))
        for signs in itertools.product((1, -1), repeat=5)
    ]
    whole = (
        by_cluster.n_assignments,
        by_cluster.p,
        by_cluster.p_greater,
        by_cluster.p_less,
    )
    assert whole == pytest.approx(shares_of(every, ice.mean()))


def test_welchs_t_without_spread_is_0_or_as_large_as_a_float() -> None:
    treated = np.array([True, True, False, False])
    for y, observed in (([2.0, 2, 1, 1], 1), ([1.0, 1, 2, 2], -1)):
        found = randomization_test(np.array(y), treated, statistic="welch_t")
        assert found.observed == observed * np.finfo(float).max
        assert found.p == pytest.approx(2 / 6)
    assert randomization_test(np.ones(4), treated, statistic="welch_t").p == 1
    with pytest.raises(
        EstimateError, match="there are 1 treated and 3 control units; 2 or more"
    ):
        randomization_test(np.arange(4.0), np.arange(4) == 0, statistic="welch_t")
    with pytest.raises(
        EstimateError, match="more than the 4,194,304 that are enumerated"
    ):
        sign_flip_test(np.ones(23))
    assert sign_flip_test(np.r_[5.0, np.ones(3)]).n_assignments == 16
