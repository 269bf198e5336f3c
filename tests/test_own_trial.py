"""An experiment of one's own: written in Python and in a trial file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import DesignError
from causalgia.trial_file import parse_spec

GUIDE = Path(__file__).parents[1] / "docs" / "trial_file.md"
AROUND = """rng = 0
n_units = 300
[null]
kind = "uniform"
length = 41
[predictor]
zoo = "rbfox1_like"
"""


def of_the_guide() -> str:
    """Return the trial file of the guide's last example of [experiment]."""
    text = GUIDE.read_text()
    examples = [part.split("```")[0] for part in text.split("```toml")[1:]]
    (own,) = (toml for toml in examples if 'kind = "trial"' in toml)
    return AROUND + own


def in_python() -> cg.experiments.Experiment:
    trial = cg.experiments.Trial(
        cg.Uniform(length=41),
        question="Does the strand of a site matter?",
        axis="place",
        of="turning UGCAUG",
    )
    for at in (5, 29):
        site, back = (cg.Embed("UGCAUG", at=at, strand=s) for s in "+-")
        one = trial.arm(site)
        trial.row(f"+ at {at}", one - trial.untreated(), single=True)
        trial.row(f"turned at {at}", trial.arm(back) - one, asked=True, place=at)
    return trial.experiment(n_units=300)


def answer_of(experiment: cg.experiments.Experiment) -> cg.experiments.Answer:
    oracle = cg.zoo.oracle("rbfox1_like")
    outcomes = cg.run(experiment, oracle, rng=0, progress=False)
    return experiment.analyze(outcomes, rng=0)


def test_a_file_asks_what_python_asks():
    of_file, own = parse_spec(of_the_guide(), folder=Path()).design, in_python()
    assert of_file.question == own.question
    there, here = answer_of(of_file), answer_of(own)
    assert there.sentences == here.sentences
    for name in ("ace", "lower", "upper", "rope_upper"):
        np.testing.assert_allclose(
            there.decisions[name], here.decisions[name], rtol=0, atol=1e-9
        )
    for name in ("contrast", "verdict", "place", "single", "of_question"):
        np.testing.assert_array_equal(
            there.decisions[name].values, here.decisions[name].values
        )


def test_the_background_may_have_a_name_of_its_own():
    named = of_the_guide().replace("untreated", "none")
    asked = parse_spec(named, folder=Path()).design
    assert "untreated" not in asked.arm_names
    assert answer_of(asked).sentences == answer_of(in_python()).sentences


def test_the_file_that_is_written_is_read_again():
    spec = parse_spec(of_the_guide(), folder=Path())
    again = parse_spec(spec.to_toml(), folder=Path())
    assert again.design.fingerprint == spec.design.fingerprint
    assert again.design.labels == spec.design.labels
    assert again.design.asked == spec.design.asked


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('asked = ["turned at *"]', ""),  # rows without a place would be asked
        ('"turned at 29" = 29 }', "}"),
        ('"turned at 29" = 29 }', '"turned at 30" = 29 }'),
        ('asked = ["turned at *"]', 'asked = ["turned on *"]'),
        ('"+ at 5" = true', '"+ at *" = true'),  # a label names its contrast
        ("[contrasts]", "[experiment.contrasts]"),
    ],
)
def test_a_row_that_would_be_lost_is_refused(old: str, new: str):
    text = of_the_guide()
    assert old in text
    with pytest.raises(DesignError):
        parse_spec(text.replace(old, new), folder=Path())


def test_an_arm_of_a_placebo_is_refused():
    """It would have the name of the arm with the motif, and be taken for it."""
    trial = cg.experiments.Trial(cg.Uniform(length=41), question="?", estimand="E[Y]")
    trial.arm(cg.Embed("UGCAUG", at=17))
    with pytest.raises(DesignError):
        trial.arm(cg.Placebo("UGCAUG", at=17))
