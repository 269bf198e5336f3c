"""Imports scales_tried from the inside: on which scales departures of outcomes are tried.

One vocabulary for what sites do together: on networks with known single effects and
interaction, in every experiment that names a pair.
"""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import causalgia as cg
from causalgia.experiments import joint_effect
from causalgia.experiments.kit.joint_effects import scales_tried

GATA, KLF = "AGATAAGA", "CCACACCC"


def has(x, word):
    letters = np.array(["ACGT".index(letter) for letter in word])
    windows = sliding_window_view(x.argmax(axis=1), len(word), axis=1)
    return (windows == letters).all(axis=2).sum(axis=1)


def network(first, second, interaction, *, link=None):
    """A network whose truth is known; the share of A differs between units."""

    def answers(x):
        a, b = (np.minimum(has(x, word), 1) for word in (GATA, KLF))
        y = first * a + second * b + interaction * a * b + x[:, 0].mean(axis=1)
        return (y if link is None else link(y))[:, None]

    return cg.FunctionPredictor(answers, tasks=["y"], scale="activity")


def pair(predictor, *, n_units=400, rope=(-0.5, 0.5), **settings):
    experiment = cg.experiments.pair(
        cg.Uniform(length=80),
        GATA,
        KLF,
        gaps=[4, 12],
        orientations=["++"],
        orders=["downstream"],
        n_units=n_units,
        rope=rope,
        **settings,
    )
    return experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))


TRUTHS = {
    (-4, -4, 3): "saturating",
    (4, 4, -3): "saturating",
    (2, 2, 3): "synergistic",
    (-2, -2, -3): "synergistic",
    (-2, -2, 6): "reversing",
    (5, -2, -2): "weakening",
    (5, -2, 2): "weakening",
    (0, 3, 2): "synergistic",
    (0, 3, -2): "weakening",
    (0, 0, 4): "synergistic",
    (0, 0, -4): "synergistic",
    (2, 3, 0): "additive",
}


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        pytest.param(*one, marks=[pytest.mark.simulation] if i % 3 else [])
        for i, one in enumerate(TRUTHS.items())
    ],
    ids=str,
)
def test_a_pair_is_named_by_the_signs_of_its_parts(truth, said):
    found = pair(network(*truth)).decisions.isel(task=0)
    asks, verdict = found["asks"].to_numpy(), found["verdict"].to_numpy()
    sign = {-1: "decreases", 0: "negligible", 1: "increases"}
    for name, effect in zip(("first", "second", "interaction"), truth, strict=True):
        assert set(verdict[asks == name]) == {sign[np.sign(effect)]}
    alone = [*verdict[asks == "first"], *verdict[asks == "second"]]
    together = verdict[asks == "pair"][0]
    assert joint_effect(alone, verdict[asks == "interaction"][0], together).word == said


@pytest.mark.parametrize(
    ("alone", "interaction", "together", "word"),
    [
        (["increases", "undecided"], "increases", "increases", "more than the sum"),
        (["undecided", "undecided"], "decreases", "decreases", "less than the sum"),
        (["increases", "within"], "within", "increases", "additive"),
        (["increases"] * 4, "decreases", "increases", "saturating"),
        (["increases", "negligible", "increases"], "increases", "", "synergistic"),
        (["increases", "decreases", "increases"], "increases", "", "weakening"),
        (["increases", "increases"], "undecided", "increases", "undecided"),
        (["undecided", "increases"], "negligible", "increases", "additive"),
    ],
)
def test_what_verdicts_mean_together(alone, interaction, together, word):
    assert joint_effect(alone, interaction, together).word == word


def test_words_turn_with_the_sign_of_the_outcome():
    """The vocabulary knows no direction: minus the outcome has the same word."""
    turn = {"increases": "decreases", "decreases": "increases"}
    kinds = ["increases", "decreases", "negligible"]
    for one in kinds:
        for other in kinds:
            for beyond in kinds:
                for both in kinds:
                    found = joint_effect([one, other], beyond, both)
                    turned = joint_effect(
                        [turn.get(x, x) for x in (one, other)],
                        turn.get(beyond, beyond),
                        turn.get(both, both),
                    )
                    assert found.word == turned.word


def test_scales_are_tried_on_departures_alone():
    assert scales_tried(None, {"a": {"b": 1.0}}) is None


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("n", "sign", "power", "word"),
    [
        (2, 1, 1.0, "additive"),
        (4, -1, 1.0, "additive"),
        (2, -1, 0.5, "saturating"),
        (4, 1, 0.5, "saturating"),
        (3, -1, 2.0, "synergistic"),
        (4, 1, 2.0, "synergistic"),
    ],
)
def test_copies_depart_from_their_sum_whatever_their_direction(n, power, word, sign):
    def answers(x):
        y = sign * 2.0 * has(x, GATA) ** power + 0.3 * x[:, 0].mean(axis=1)
        return y[:, None]

    places = [10, 40, 70, 100][:n]
    experiment = cg.experiments.copies(
        cg.Uniform(length=120), GATA, at=places, n_units=400, rope=(-0.3, 0.3)
    )
    predictor = cg.FunctionPredictor(answers, tasks=["y"], scale="activity")
    answer = experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))
    verdict = answer.decisions["verdict"].isel(task=0)
    beyond = {"additive": 0, "saturating": -sign, "synergistic": sign}[word]
    for name in ("excess over single sites", "excess over n times the first"):
        expected = {0: "negligible", 1: "increases", -1: "decreases"}[beyond]
        assert verdict.sel(contrast=name) == expected
    alone = [f"alone at {place}" for place in places[1:]]
    assert set(alone) <= set(answer.decisions["contrast"].to_numpy().tolist())
