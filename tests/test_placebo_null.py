# Imports from the inside: ranks, regions and fences of placebos, against counts by hand and
# coverage by simulation.
"""The placebos as a null: ranks are uniform, and the region holds the share of new
placebos that it says.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import causalgia as cg
from causalgia.errors import EstimateError
from causalgia.multiplicity import placebo_rank
from causalgia.multiplicity.placebo import (
    placebo_fences,
    placebo_region,
    tasks_without_scale,
)

EFFECT = ("contrast", "task")


def screen(
    ace: np.ndarray,
    n_placebos: int,
    se: float = 0.1,
    covariance: np.ndarray | None = None,
) -> xr.Dataset:
    """Contrasts of which the last `n_placebos` are placebos."""
    ace = np.asarray(ace, dtype=float).reshape(len(ace), -1)
    words = np.arange(len(ace)) >= len(ace) - n_placebos
    out = xr.Dataset({"ace": (EFFECT, ace), "se": (EFFECT, np.full(ace.shape, se))})
    if covariance is not None:
        out["covariance"] = (("contrast", "contrast_", "task"), covariance[:, :, None])
    return out.assign_coords(
        contrast=[f"c{i}" for i in range(len(ace))],
        task=[f"t{i}" for i in range(ace.shape[1])],
        is_placebo=("contrast", words),
    )


def test_ranks_are_counted_by_hand() -> None:
    found = placebo_rank(screen(np.array([3.0, -1.0, 0.2, 0.2, 0.0, 1.0, 0.4]), 5))
    assert found["p_placebo_above"].values.ravel() == pytest.approx(
        [1 / 6, 1, 4 / 5, 4 / 5, 1, 1 / 5, 2 / 5]
    )
    assert found["p_placebo_below"].values.ravel() == pytest.approx(
        [1, 1 / 6, 3 / 5, 3 / 5, 1 / 5, 1, 4 / 5]
    )
    assert found["p_placebo"].values.ravel() == pytest.approx(
        [2 / 6, 2 / 6, 1, 1, 2 / 5, 2 / 5, 4 / 5]
    )
    assert found.attrs["n_placebos"] == 5


def test_ranks_of_words_like_the_others_are_not_small_too_often() -> None:
    rng = np.random.default_rng(0)
    p = placebo_rank(screen(rng.exponential(size=(60, 2000)), 59))["p_placebo"][0]
    for level in (0.1, 0.2, 0.5):
        assert (p <= level).mean() <= level + 4 * np.sqrt(level * (1 - level) / 2000)
        assert (p <= level).mean() > level - 2 / 60 - 4 * np.sqrt(
            level * (1 - level) / 2000
        )


def test_the_words_of_a_trial_are_found() -> None:
    arms = {
        "none": cg.Untreated(),
        "GATA": cg.Embed("AGATAAG", at=9),
        **cg.placebos("AGATAAG", at=9, n_placebos=40),
    }
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=200)
    effects = cg.contrast(
        cg.run(design, cg.zoo.oracle("gata1_like"), rng=5), control="none"
    )
    estimates = cg.estimate(effects)
    assert placebo_rank(estimates)["p_placebo"].sel(
        contrast="GATA", task="K562"
    ).item() == pytest.approx(2 / 41)
    region = placebo_region(estimates)
    assert int(region["n_placebos"]) == 40
    assert (region["lower"] < region["upper"]).all()
    words = estimates["ace"].isel(contrast=slice(1, None))
    assert (region["sd"] <= words.std("contrast", ddof=1)).all()
    assert estimates["ace"].sel(contrast="GATA", task="K562") > region["upper"].sel(
        task="K562"
    )


TRUTHS = {
    "normal": (stats.norm(), 0.035, 0.065),
    "skewed": (stats.lognorm(0.5), 0.03, 0.06),
    "left": (stats.gamma(4), 0.03, 0.06),
    "exponential": (stats.expon(), 0.015, 0.05),
    "heavy": (stats.t(5), 0.035, 0.065),
}


@pytest.mark.simulation
@pytest.mark.parametrize("n_placebos", [40, 100])
@pytest.mark.parametrize("name", TRUTHS)
def test_a_new_word_is_outside_as_often_as_said(name: str, n_placebos: int) -> None:
    """SE a third of the true sd, half of its square shared by all placebos; the shared
    part moves a new placebo too.
    """
    law, least, most = TRUTHS[name]
    sign = -1.0 if name == "left" else 1.0
    rng, n_trials = np.random.default_rng(7), 600
    se = law.std() / 3
    truth = sign * law.rvs(size=(n_placebos, n_trials), random_state=rng)
    shared = rng.normal(size=n_trials) * se * np.sqrt(0.5)
    effect = truth + shared + rng.normal(size=truth.shape) * se * np.sqrt(0.5)
    covariance = np.broadcast_to(
        se**2 * (0.5 + 0.5 * np.eye(n_placebos))[:, :, None],
        (n_placebos, n_placebos, n_trials),
    )
    taken = screen(effect, n_placebos, se=se)
    taken["covariance"] = (("contrast", "contrast_", "task"), covariance)
    region = placebo_region(taken)
    low, high = region["lower"].values - shared, region["upper"].values - shared
    outside = law.cdf(low) + law.sf(high) if sign > 0 else law.sf(-low) + law.cdf(-high)
    error = 3 * outside.std() / np.sqrt(n_trials)
    assert least - error < outside.mean() < most + error
    long_side = law.sf(high) if sign > 0 else law.sf(-low)
    assert abs(long_side.mean() - 0.025) < 0.006 + 4 * long_side.std() / np.sqrt(
        n_trials
    )


def test_the_error_that_words_share_does_not_narrow_the_region() -> None:
    rng, k = np.random.default_rng(2), 60
    effect = rng.normal(size=k)
    shared = screen(effect, k, se=0.7, covariance=0.49 * (0.5 + 0.5 * np.eye(k)))
    independent = screen(effect, k, se=0.7)
    halved = screen(effect, k, se=0.7 * np.sqrt(0.5))
    assert placebo_region(shared)["sd"].item() == pytest.approx(
        placebo_region(halved)["sd"].item()
    )
    assert (
        placebo_region(independent)["sd"].item() < placebo_region(shared)["sd"].item()
    )


def test_a_selection_of_contrasts_keeps_its_own_covariance() -> None:
    rng = np.random.default_rng(5)
    factor = 0.03 * rng.normal(size=(60, 61)) * np.linspace(0.2, 2, 61)
    whole = screen(rng.normal(size=61), 60, covariance=factor.T @ factor).assign_coords(
        contrast_=[f"c{i}" for i in range(61)]
    )
    whole["se"] = (EFFECT, np.sqrt(np.diag(factor.T @ factor))[:, None])
    part = whole.isel(contrast=slice(11, None))
    both = part.isel(contrast_=slice(11, None))
    xr.testing.assert_allclose(placebo_region(part), placebo_region(both))


def test_a_factor_says_what_a_covariance_says() -> None:
    rng = np.random.default_rng(3)
    factor = rng.normal(size=(30, 50)) * 0.05 + 0.05 * rng.normal(size=(30, 1))
    covariance = factor.T @ factor
    whole = screen(rng.normal(size=50), 45, covariance=covariance)
    whole["se"] = (EFFECT, np.sqrt(np.diag(covariance))[:, None])
    thin = whole.drop_vars("covariance").assign(
        factor=(("cluster", *EFFECT), factor[:, :, None])
    )
    xr.testing.assert_allclose(placebo_region(thin), placebo_region(whole))


def test_exact_effects_need_no_correction() -> None:
    ace = np.random.default_rng(4).normal(size=99)
    region = placebo_region(screen(ace, 99, se=0.0), share=0.9)
    assert region["lower"].item() == pytest.approx(np.sort(ace)[4])
    assert region["upper"].item() == pytest.approx(np.sort(ace)[94])


def test_words_of_unequal_error_are_drawn_in_by_their_own() -> None:
    """Half of the placebos are measured ten times worse: a new placebo is outside as
    often as said all the same.
    """
    rng, n_placebos, n_trials = np.random.default_rng(8), 100, 400
    se = np.where(np.arange(n_placebos) % 2 == 0, 0.1, 1.0)[:, None]
    taken = screen(
        rng.normal(size=(n_placebos, n_trials))
        + se * rng.normal(size=(n_placebos, n_trials)),
        n_placebos,
    )
    region = placebo_region(
        taken.assign(se=(EFFECT, np.broadcast_to(se, (n_placebos, n_trials))))
    )
    outside = stats.norm.cdf(region["lower"]) + stats.norm.sf(region["upper"])
    assert abs(outside.mean() - 0.05) < 0.008 + 3 * outside.std() / np.sqrt(n_trials)


def test_the_value_that_most_words_have_is_in_the_region() -> None:
    """A few rare placebos do something; the others are exactly one value, which is not
    drawn out of the region.
    """
    rng = np.random.default_rng(9)
    rare = np.arange(100) >= 90
    ace, se = (
        np.where(rare, rng.exponential(size=100) + 1, 0.1),
        np.where(rare, 0.2, 0.0),
    )
    region = placebo_region(screen(ace, 100).assign(se=(EFFECT, se[:, None])))
    assert region["lower"].item() == 0.1  # to the bit
    assert 1 < region["upper"].item() < ace.max()
    with pytest.raises(EstimateError):
        placebo_region(screen(np.where(np.arange(100) < 99, 0.1, 3.0), 100, se=0.0))


def test_a_frame_with_marked_words_is_taken() -> None:
    frame = pd.DataFrame(
        {"effect": np.random.default_rng(4).normal(size=41), "se": 0.1}
    )
    frame["is_placebo"] = frame.index > 0
    assert int(placebo_region(frame)["n_placebos"]) == 40
    assert "p_placebo" in placebo_rank(frame)


def test_a_task_in_which_words_set_no_scale_for_one_predictor_has_none() -> None:
    effect = np.random.default_rng(0).normal(size=(40, 2, 2))
    effect[:, 1, 0] = 0.0
    dims = ("contrast", "task", "model")
    table = xr.Dataset(
        {"ace": (dims, effect), "se": (dims, np.full(effect.shape, 0.1))}
    )
    table = table.assign_coords(is_placebo=("contrast", np.full(40, True)))
    assert tasks_without_scale(table).tolist() == [False, True]


def test_words_of_which_nearly_all_have_one_effect_set_no_scale() -> None:
    effect = np.r_[np.zeros(198), 5.0, -5.0]
    table = xr.Dataset(
        {"ace": (EFFECT, effect[:, None]), "se": (EFFECT, np.full((200, 1), 1e-3))}
    )
    assert tasks_without_scale(
        table.assign_coords(is_placebo=("contrast", np.full(200, True)))
    ).tolist() == [True]


def test_two_words_rank_and_one_does_not() -> None:
    found = placebo_rank(screen(np.array([3.0, 0.0, 1.0]), 2))
    assert found["p_placebo_above"].values.ravel() == pytest.approx([1 / 3, 1, 1 / 2])


def two_classes(seed: int = 0) -> xr.Dataset:
    """Ten placebos and 60 placebos of 6 bases, and as many of 10 with effects three
    times as large.
    """
    rng = np.random.default_rng(seed)
    wide = np.repeat([6, 10], 70)
    table = screen(rng.normal(size=140) * np.where(wide == 10, 3.0, 1.0), 60, se=0.01)
    words = np.tile(np.arange(70) >= 10, 2)
    return table.assign_coords(
        is_placebo=("contrast", words), placebo_class=("contrast", wide)
    )


def test_each_class_of_placebo_words_is_a_null_of_its_own() -> None:
    asked = np.arange(140) == 0  # 40 placebos are enough for one
    table = two_classes().assign_coords(of_question=("contrast", asked))
    parts = [
        table.isel(contrast=table["placebo_class"].values == wide) for wide in (6, 10)
    ]
    alone = [part.drop_vars("placebo_class") for part in parts]
    ranked = placebo_rank(table)
    expected = np.concatenate(
        [placebo_rank(part)["p_placebo"].values for part in alone]
    )
    np.testing.assert_array_equal(ranked["p_placebo"].values, expected)
    for rope, region in (
        ("placebo", placebo_region),
        ("placebo outliers", placebo_fences),
    ):
        decided = cg.decide(table, rope=rope, ci_prob=0.9)
        for part in alone:
            own = decided.sel(contrast=part["contrast"].values)
            np.testing.assert_allclose(
                own["rope_upper"], region(part)["upper"].values[0]
            )
            np.testing.assert_allclose(
                own["rope_lower"], region(part)["lower"].values[0]
            )


def test_fences_are_five_sd_of_a_normal_law_whatever_a_few_words_do() -> None:
    n = 20_000
    law = stats.norm.ppf((np.arange(n) + 0.5) / n)
    fences = placebo_fences(screen(law, n, se=1e-9))
    np.testing.assert_allclose(
        [fences["lower"].item(), fences["upper"].item()], [-5, 5], atol=0.01
    )
    read = np.where(np.arange(n) < n // 50, 30.0, law)  # 2 % that the network reads
    moved = placebo_fences(screen(read, n, se=1e-9))
    assert 5 < moved["upper"].item() < 5.6
    # most placebos do nothing
    one_side = placebo_fences(screen(np.where(law < -0.5, law, 0.0), n, se=1e-9))
    np.testing.assert_allclose(
        [one_side["lower"].item(), one_side["upper"].item()], [-5, 0], atol=0.01
    )


def test_fences_stand_where_one_placebo_word_has_an_error_larger_than_the_spread() -> (
    None
):
    """One placebo completes a placebo that the network reads, in 1 of 60 units: its
    error is as large as its effect.
    """
    effect = np.r_[np.random.default_rng(0).normal(scale=1e-3, size=99), 2 / 60]
    se = np.r_[np.full(99, 1e-5), np.sqrt(effect.var(ddof=1) * 100)]
    table = screen(effect, 100, se=0.0).assign(se=(EFFECT, se[:, None]))
    with pytest.raises(EstimateError):
        placebo_region(table)
    assert tasks_without_scale(table).tolist() == [True]
    fences = placebo_fences(table)
    assert -8e-3 < fences["lower"].item() < -4e-3 < 4e-3 < fences["upper"].item() < 8e-3


def test_a_fence_is_the_outermost_word_on_a_side_where_most_have_one_effect() -> None:
    """A network that reads whole placebos alone: 2 of 100 placebos hold a part of
    one, and the others do 0.25.
    """
    effect = np.r_[np.full(98, 0.25), 0.4, 0.5, 2.0, 0.45, 0.25, 0.2]
    table = screen(effect, 100, se=0.01).assign_coords(
        is_placebo=("contrast", np.arange(104) < 100)
    )
    fences = placebo_fences(table)
    assert (fences["lower"].item(), fences["upper"].item()) == (0.25, 0.5)
    found = cg.decide(table, rope="placebo outliers", ci_prob=0.9).isel(
        contrast=slice(100, None)
    )
    assert found["verdict"].values.ravel().tolist() == [
        "increases",
        "within",
        "undecided",
        "decreases",
    ]


@pytest.mark.parametrize("rounding", [1e-12, 1e-9, 1e-7, 1e-6])
def test_a_fence_is_the_outermost_word_where_answers_are_rounded(
    rounding: float,
) -> None:
    noise = rounding * np.random.default_rng(0).normal(size=100)
    words = screen(np.r_[0.01, 0.02, 0.05, 0.2, np.full(96, 0.0)] + noise, 100, se=0.0)
    fences = placebo_fences(
        words.assign_coords(is_placebo=("contrast", np.full(100, True)))
    )
    assert fences["upper"].item() == words["ace"].values.max()
    assert fences["lower"].item() == words["ace"].values.min()


@pytest.mark.simulation
def test_a_new_word_lies_beyond_the_outermost_of_100_once_in_101() -> None:
    """Placebos that seldom act: 5 % have an effect, 95 % none."""
    rng, shares = np.random.default_rng(2), []
    for _ in range(300):
        effect = rng.exponential(size=300) * (rng.random(300) < 0.05)
        words = screen(effect, 300, se=0.0).assign_coords(
            is_placebo=("contrast", np.arange(300) < 100)
        )
        shares.append(np.mean(effect[100:] > placebo_fences(words)["upper"].item()))
    assert abs(np.mean(shares) - 1 / 101) < 4 * np.std(shares, ddof=1) / np.sqrt(300)


def test_fences_of_words_of_one_effect_are_that_effect() -> None:
    effect = np.r_[np.full(100, 0.1), 2.0, 0.1, 0.0]
    table = screen(effect, 100, se=0.01).assign_coords(
        is_placebo=("contrast", np.arange(103) < 100)
    )
    fences = placebo_fences(table)
    assert (fences["lower"].item(), fences["upper"].item()) == (0.1, 0.1)
    found = cg.decide(table, rope="placebo outliers", ci_prob=0.9)
    assert found["verdict"].values.ravel()[100:].tolist() == [
        "increases",
        "undecided",
        "decreases",
    ]
    assert "caution" not in found.attrs
    with pytest.raises(EstimateError):
        placebo_region(table)


@pytest.mark.parametrize("error", ["fdr", "fwer"])
def test_a_class_of_words_of_one_effect_leaves_the_verdicts_of_others_as_they_are(
    error: Literal["fdr", "fwer"],
) -> None:
    table = two_classes()
    alone = cg.decide(
        table.isel(contrast=slice(70, None)),
        rope="placebo outliers",
        ci_prob=0.9,
        error=error,
    )
    still = table.assign(ace=table["ace"].where(table["placebo_class"] == 10, 0.0))
    found = cg.decide(still, rope="placebo outliers", ci_prob=0.9, error=error)
    assert (found["verdict"][:70] == "undecided").all()
    np.testing.assert_array_equal(found["rope_upper"][:70], 0.0)
    np.testing.assert_array_equal(found["rope_upper"][70:], alone["rope_upper"])
    np.testing.assert_array_equal(found["p_verdict"][70:], alone["p_verdict"])


@pytest.mark.simulation
def test_random_words_are_hardly_ever_beyond_the_fences() -> None:
    """Of 400 placebos of a normal law, the extreme of 20,000 in 50 screens."""
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(50):
        ace = rng.normal(size=500)
        ace[:5] = np.sort(rng.normal(size=400))[-5:]  # the winners of a search
        found = cg.decide(
            screen(ace, 100, se=0.05), rope="placebo outliers", ci_prob=0.9
        )
        held += int(
            np.isin(found["verdict"].values[:400], ("increases", "decreases")).sum()
        )
    assert held <= 1
