"""Imports with_floor and at_least_floor from the inside: rounding given by hand.

Effects below the arithmetic: what rounding alone can make is zero, whatever its t
says.
"""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from scipy import special

import causalgia as cg
from causalgia.estimation.effect_intervals import one_sided_p
from causalgia.estimation.request import at_least_floor, is_below_floor, with_floor

WORDS = ("CATGAGTCACC", "GGGGTCAAAGGTCA")
CELLS = [
    f"{cell} {promoter}" for cell in ("K562", "HepG2") for promoter in ("minP", "SV40P")
]
TASKS = [
    f"{cell} {measure}" for cell in CELLS for measure in ("rep1", "rep2", "pooled")
]


def design(word, gap, n_units=300):
    first, second = cg.Embed(word, at=20), cg.Embed(word, at=20 + len(word) + gap)
    arms = {"0": cg.Untreated(), "A": first, "B": second, "AB": first + second}
    contrasts = {
        "interaction": {"AB": 1, "A": -1, "B": -1, "0": 1},
        "A": {"A": 1, "0": -1},
    }
    return cg.Design(
        null=cg.Uniform(length=145), arms=arms, n_units=n_units, contrasts=contrasts
    )


@pytest.fixture(scope="module")
def dragonn(shared):
    pytest.importorskip("torch")
    folder = shared / "data" / "models" / "mpra_dragonn"
    weights = folder / "model.safetensors"
    return cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=weights,
        tasks=TASKS,
        scale="log2",
        announce=None,
    )


@pytest.mark.simulation
@pytest.mark.real
@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("gap", [20, 60])
@pytest.mark.parametrize("word", WORDS)
def test_an_interaction_that_no_window_sees_is_zero_and_a_main_effect_is_not(
    dragonn, word, gap, exact
):
    predictor = dragonn.reference() if exact else dragonn
    effects = cg.contrast(cg.run(design(word, gap), predictor, rng=0, progress=False))
    estimates = cg.estimate(effects)
    pair, one = estimates.sel(contrast="interaction"), estimates.sel(contrast="A")
    assert (abs(pair["ace"]) <= pair["floor"]).all()
    assert (pair["p"] == 1).all()
    assert not one["below_floor"].any()
    assert (one["p"] < (1e-10 if word == WORDS[0] else 0.2)).all()
    for rope in (0, (-1e-16, 1e-16), (-1e-3, 1e-3)):
        verdict = cg.decide(estimates, rope=rope)["verdict"]
        found = verdict.sel(contrast="interaction").values
        # sequences that all answer alike leave what others could add (exact below 1e-9)
        small = rope == (-1e-3, 1e-3)
        decided = small & ~pair["exact"].values
        assert (found == np.where(decided, "negligible", "undecided")).all()
    band = cg.decide(effects, rope=0, error="fwer")["verdict"]
    assert set(band.sel(contrast="interaction").values) == {"undecided"}
    assert (pair["below_floor"] | (pair["ace"] == 0)).all()


def shaky(interaction=0.0):
    """A predictor in float32 whose answers are wrong alike, by up to an ulp or so,
    wherever the word is written.
    """

    def answer(x):
        word = x[:, 0, 10] * x[:, 0, 11]
        other = x[:, 2, 30] * x[:, 2, 31]
        y = x[:, 0].mean(1) + 3.3 * word + 1.7 * other + interaction * word * other
        return (y + 16).astype(np.float32) - np.float32(16)

    return cg.FunctionPredictor(
        answer, tasks=["y"], scale="s", fingerprint=f"shaky {interaction}"
    )


def pair(n_units=400, **rest):
    first, second = cg.Embed("AA", at=10), cg.Embed("GG", at=30)
    arms = {
        "0": cg.Embed("CC", at=10) + cg.Embed("CC", at=30),
        "A": first + cg.Embed("CC", at=30),
    }
    arms |= {"B": cg.Embed("CC", at=10) + second, "AB": first + second}
    contrasts = {
        "interaction": {"AB": 1, "A": -1, "B": -1, "0": 1},
        "A": {"A": 1, "0": -1},
    }
    return cg.Design(
        null=cg.Uniform(length=50),
        arms=arms,
        n_units=n_units,
        contrasts=contrasts,
        **rest,
    )


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("keep", ["outcomes", "effects", "moments"])
def test_rounding_that_is_alike_in_every_unit_is_never_called(keep):
    found = cg.run(pair(), shaky(), rng=0, keep=keep, progress=False)
    estimates = cg.estimate(cg.contrast(found) if keep == "outcomes" else found)
    at = estimates.sel(contrast="interaction").squeeze()
    assert bool(at["below_floor"])
    assert at["p"] == 1
    assert at["lower"] < 0 < at["upper"]
    assert not estimates["below_floor"].sel(contrast="A").any()
    verdicts = cg.decide(estimates, rope=0)["verdict"].squeeze()
    assert verdicts.sel(contrast="interaction") == "undecided"
    assert verdicts.sel(contrast="A") == "increases"


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_a_true_interaction_of_a_ten_thousandth_is_found():
    estimates = cg.estimate(
        cg.contrast(cg.run(pair(), shaky(1e-4), rng=0, progress=False))
    )
    at = estimates.sel(contrast="interaction").squeeze()
    assert not bool(at["below_floor"])
    assert at["p"] < 1e-6
    np.testing.assert_allclose(at["ace"], 1e-4, rtol=0.02)


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_the_floor_is_the_same_wherever_a_trial_is_kept(tmp_path):
    held = cg.run(pair(), shaky(), rng=0, progress=False)
    stored = cg.run(pair(), shaky(), rng=0, store=tmp_path / "t.zarr", progress=False)
    xr.testing.assert_identical(stored["answer_floor"].load(), held["answer_floor"])
    of_outcomes = cg.contrast(held)["floor"]
    for keep in ("effects", "moments"):
        kept = cg.run(
            pair(),
            shaky(),
            rng=0,
            keep=keep,
            store=tmp_path / f"{keep}.zarr",
            progress=False,
        )
        np.testing.assert_array_equal(kept["floor"], of_outcomes)
        np.testing.assert_array_equal(
            cg.open(tmp_path / f"{keep}.zarr")["floor"], of_outcomes
        )


@pytest.mark.parametrize("scale", ["log", "log2", "logit", "log_of_means", "ratio"])
def test_the_floor_follows_the_scale(scale):
    predictor = cg.FunctionPredictor(
        lambda x: 0.2 + x[:, 0].mean(1) / 2, tasks=["y"], scale="share", fingerprint="f"
    )
    arms = {"control": cg.Untreated(), "A": cg.Embed("AAAAAA", at=10)}
    outcomes = cg.run(
        cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=200),
        predictor,
        rng=0,
        progress=False,
    )
    plain, found = (
        cg.contrast(outcomes, control="control", scale=s) for s in ("identity", scale)
    )
    moved = outcomes.assign(
        outcome=outcomes["outcome"]
        + plain["floor"].item() / 2 * xr.where(outcomes["arm"] == "A", 1, -1)
    )
    shift = abs(
        cg.contrast(moved, control="control", scale=scale)["ice"].mean()
        - found["ice"].mean()
    ).item()
    np.testing.assert_allclose(found["floor"].item(), shift, rtol=0.35)


def test_an_interval_reaches_as_far_as_the_floor():
    one = xr.Dataset(
        {name: ("contrast", [x]) for name, x in {"ace": 5e-7, "floor": 1e-7}.items()}
    )
    lower, upper = at_least_floor(one, np.array([4.99e-7]), np.array([5.01e-7]))
    np.testing.assert_allclose([lower[0], upper[0]], [4e-7, 6e-7])
    assert not is_below_floor(one).any()
    lower, upper = at_least_floor(one, np.array([1e-7]), np.array([9e-7]))
    np.testing.assert_allclose([lower[0], upper[0]], [1e-7, 9e-7])


def test_a_posterior_gives_no_direction_below_the_floor():
    rng = np.random.default_rng(0)
    # the second lies inside all ropes, and its floor does not
    effects = np.r_[1e-7, 2e-8, rng.normal(0, 1e-3, 40)]
    estimates = cg.from_effects(effects, np.r_[1e-10, 1e-10, np.full(40, 1e-4)])
    estimates["floor"] = estimates["ace"] * 0 + 1e-6
    for rope, expected in (
        (0, "undecided"),
        ((-1e-7, 1e-7), "undecided"),
        ((-1e-2, 1e-2), "negligible"),
    ):
        decisions = cg.decide(cg.infer(estimates, rng=0, n_draws=500), rope=rope)
        assert decisions["verdict"].values.ravel()[:2].tolist() == [expected] * 2
        assert decisions["below_floor"].values.ravel()[:2].all()


def test_an_effect_that_is_zero_in_every_unit_is_not_called_rounding():
    predictor = cg.FunctionPredictor(
        lambda x: x[:, 0, :5].sum(1), tasks=["y"], scale="s", fingerprint="g"
    )
    arms = {"control": cg.Untreated(), "far": cg.Embed("GGG", at=30)}
    trial = cg.Design(
        null=cg.Uniform(length=50), arms=arms, n_units=100, contrasts="control"
    )
    with pytest.warns(cg.errors.DegenerateWarning):
        estimates = cg.estimate(
            cg.contrast(cg.run(trial, predictor, rng=0, progress=False))
        )
    assert not estimates["below_floor"].any()


@pytest.mark.parametrize("scale", ["ratio", "log_of_means"])
def test_the_floor_of_a_parallel_trial_is_that_of_its_means(scale):
    """The same outcomes once as a crossover and once with an arm for each unit: their
    means, and so floors, agree.
    """
    y = np.array([[2.0, 4.0], [4.0, 4.0], [3.0, 7.0], [3.0, 9.0]])
    floor = (("transform", "task"), np.full((4, 1), 1e-6))
    transforms = ["identity", "log", "log2", "logit"]
    crossover = xr.Dataset(
        {"outcome": (("unit", "arm", "task"), y[..., None]), "answer_floor": floor},
        coords={
            "unit": np.arange(4),
            "arm": ["c", "A"],
            "task": ["y"],
            "transform": transforms,
        },
    )
    parallel = xr.Dataset(
        {"outcome": (("unit", "task"), y.T.reshape(-1, 1)), "answer_floor": floor},
        coords={
            "unit": np.arange(8),
            "arm": ["c", "A"],
            "task": ["y"],
            "transform": transforms,
            "assigned": ("unit", ["c"] * 4 + ["A"] * 4),
        },
    )
    one, other = (
        cg.contrast(outcomes, control="c", scale=scale)["floor"].item()
        for outcomes in (crossover, parallel)
    )
    assert other == pytest.approx(one)
    m = y.mean(axis=0)
    moved = [(m[1] + 1e-6) / (m[0] - 1e-6), m[1] / m[0]]
    moved = np.log(moved) if scale == "log_of_means" else moved
    assert other == pytest.approx(moved[0] - moved[1], rel=1e-4)


@pytest.mark.parametrize(
    "scale",
    [
        lambda none, a, b, both: both - a * b / none,
        lambda none, a, b, both: (both - a - b + none, a),
        lambda none, a, b, both: 2**both / (2**a + 2**b - 2**none),
    ],
)
def test_the_floor_of_four_means_is_the_worst_case_of_their_rounding(scale):
    """Each mean is off by as much as an answer, in the direction that adds up: the
    largest change over all signs.
    """
    r, y = (
        1e-6,
        np.array([[2.0, 3.0, 4.0, 7.0], [2.2, 3.1, 3.7, 6.5], [1.9, 2.8, 4.2, 7.2]]),
    )

    def ask(means):
        outcomes = xr.Dataset(
            {
                "outcome": (("unit", "arm", "task"), means[..., None]),
                "answer_floor": (("transform", "task"), np.full((4, 1), r)),
            },
            coords={
                "unit": np.arange(3),
                "arm": ["0", "B", "A", "AB"],
                "task": ["y"],
                "transform": ["identity", "log", "log2", "logit"],
                "a": ("arm", [0, 0, 1, 1]),
                "b": ("arm", [0, 1, 0, 1]),
            },
        )
        return cg.contrast(outcomes, interaction=["a", "b"], scale=scale)

    signs = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1).T
    here = cg.estimate(ask(y))["ace"].item()
    worst = (
        max(
            abs(cg.estimate(ask(y + 1e3 * r * sign))["ace"].item() - here)
            for sign in signs
        )
        / 1e3
    )
    np.testing.assert_allclose(ask(y)["floor"].item(), worst, rtol=0.01)


def test_effects_at_and_around_their_floor_are_told_apart():
    ace, floor = (
        [1.0, -1.0, 0.0, 0.5, 2.0, 0.0, -2.0],
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0],
    )
    exact = [False, False, True, True, True, False, False]
    some = xr.Dataset(
        {
            "ace": ("contrast", ace),
            "floor": ("contrast", floor),
            "exact": ("contrast", exact),
        }
    )
    assert is_below_floor(some).tolist() == [
        True,
        True,
        False,
        True,
        False,
        True,
        False,
    ]
    lower, upper = at_least_floor(some, np.array(ace) - 0.25, np.array(ace) + 0.25)
    # 0 and 2 are exact and above: their limits stay
    reach = np.array([1, 1, 0.25, 1, 0.25, 0.25, 1])
    np.testing.assert_array_equal([lower, upper], [ace - reach, ace + reach])
    found = one_sided_p(some.assign(se=("contrast", np.ones(7))), 0.0, 0.0)
    p = np.where([True, True, True, True, False, False, False], 1.0, special.ndtr(ace))
    np.testing.assert_allclose([found.below, found.not_above], [p, p])
    np.testing.assert_allclose(
        found.above, np.where(p == 1, 1.0, special.ndtr(-np.array(ace)))
    )


@pytest.mark.parametrize("n_tasks", [1, 2])
def test_the_floor_of_several_models_is_the_largest_and_flags_what_it_reaches(n_tasks):
    dims, tasks = ("contrast", "task"), ["x", "y"][:n_tasks]
    coords = {"contrast": list("abcdef"), "task": tasks}
    ace = np.full((6, n_tasks), 1.0)
    ace[:5, 0] = 1e-9
    # the largest is of an effect above it
    rounding = np.array([1e-8, 3e-8, 2e-8, 1e-8, 1e-8, 7e-8])
    floor = np.stack([rounding, rounding / 2], axis=1)[:, :, None] * np.ones(n_tasks)
    columns = {
        "ace": ace,
        "p": np.full(ace.shape, 0.25),
        "log_p": np.full(ace.shape, np.log(0.25)),
    }
    estimates = xr.Dataset(
        {name: (dims, x) for name, x in columns.items()}, coords=coords
    )
    effects = xr.Dataset(
        {"floor": (("contrast", "model", "task"), floor)}, coords=coords
    )
    found = with_floor(estimates, effects)
    np.testing.assert_array_equal(
        found["floor"], np.stack([rounding] * n_tasks, axis=1)
    )
    np.testing.assert_array_equal(found["below_floor"], ace < 0.5)
    np.testing.assert_array_equal(found["p"], np.where(ace < 0.5, 1, 0.25))
    np.testing.assert_array_equal(found["log_p"], np.where(ace < 0.5, 0, np.log(0.25)))
