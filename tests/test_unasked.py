"""What a question leaves out is said before anything is predicted, and in the answer."""

from __future__ import annotations

import pytest

import causalgia as cg

NULL = cg.Uniform(length=60)
ORACLE = cg.zoo.oracle("rbfox1_like")
X = cg.experiments
EXPERIMENTS = {
    "a motif without a core": (
        lambda: X.motif_screen(
            NULL, {"fox": "TGCATG", "short": "AC"}, n_placebos=40, n_units=20
        ),
        "short",
    ),
    "a gap that does not fit": (
        lambda: X.spacing(NULL, "TGCATG", gaps=[2, 70], n_units=20),
        "1 setting",
    ),
    "gaps between those of pairs": (
        lambda: X.pairs(NULL, ["TGCATG", "ACGACG"], gaps=[0, 3, 6], n_units=20),
        "3 gaps",
    ),
}


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_is_not_asked_is_known_before_the_run_and_stands_in_the_answer(name):
    make, said = EXPERIMENTS[name]
    experiment = make()
    assert any(said in note for note in experiment.notes)
    assert said in str(experiment)
    answer = experiment.analyze(cg.run(experiment, ORACLE, rng=0), rng=0)
    assert sum(said in sentence for sentence in answer.sentences) == 1


def test_pairs_ask_every_third_gap_by_default():
    experiment = X.pairs(cg.Uniform(length=250), ["TGCATG", "ACGACG"])
    assert {*experiment.labels["gap"].values()} == {*range(0, 31, 3), 100}
    assert any("12 gaps" in note for note in experiment.notes)
