"""What notebooks show: a design drawn to scale, plans, answers and effects as tables,
with every name escaped.
"""

import re

import numpy as np
import pytest

import causalgia as cg

HOSTILE = "<script>alert('GATA')</script>\x1b[31m"


def boxes(page):
    return [
        (float(x), float(w))
        for x, w in re.findall(r"<rect x='([\d.]+)' y='3' width='([\d.]+)'", page)
    ]


def design(arms, length=200):
    return cg.Design(
        null=cg.Uniform(length=length), arms={"none": cg.Untreated()} | arms, n_units=40
    )


def test_boxes_lie_where_the_intervention_writes():
    page = design(
        {"GATA": cg.Embed("AGATAAG", at=96), "scrambled": cg.Scramble((50, 80))}
    )._repr_html_()
    (at, width), (start, long) = boxes(page)
    np.testing.assert_allclose(
        [at, width, start, long], np.array([96, 7, 50, 30]) * 420 / 200, atol=0.06
    )


def test_an_insertion_makes_the_sequence_longer():
    page = design({"longer": cg.Insert("ACGT" * 25, at=100)})._repr_html_()
    np.testing.assert_allclose(
        boxes(page)[0], np.array([100, 100]) * 420 / 300, atol=0.06
    )
    ends = [float(x) for x in re.findall(r"<line x1='0' x2='([\d.]+)' y1='9'", page)]
    np.testing.assert_allclose(ends, [420, 420], atol=0.06)


def test_names_are_escaped_everywhere():
    drawn = design({HOSTILE.replace("\x1b", " "): cg.Embed("AGATAAG", at=96)})
    effects = cg.from_effects([1.0], se=[0.1], names=[HOSTILE])
    decided = cg.decide(effects, rope=(-0.1, 0.1))
    told = cg.report(effects), cg.report(decided, as_="md")
    for shown in (drawn, cg.Analysis(control=HOSTILE), *told):
        page = shown._repr_html_()
        assert "<script" not in page
        assert "\x1b" not in page
        assert "&lt;script&gt;" in page


def test_many_arms_are_counted():
    arms = {f"arm {i}": cg.Embed("AGATAAG", at=i) for i in range(30)}
    page = design(arms)._repr_html_()
    assert page.count("scope='row'") == 20


def test_experiments_and_answers_show_their_question():
    experiment = cg.experiments.copies(
        cg.Uniform(length=60), motif="UGCAUG", at=[5, 25], n_units=80
    )
    with pytest.warns(cg.errors.DegenerateWarning):
        answer = experiment.analyze(
            cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
        )
    page = answer._repr_html_()
    for row in ("copy 1 added", "copy 2 added", "excess over single sites"):
        assert f">{row}</td>" in page
    assert page.count("<table>") == 1
