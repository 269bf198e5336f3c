"""What a design, a protocol and a number of units print."""

from __future__ import annotations

import pytest

import causalgia as cg
from causalgia._reporting.size_answers import is_size, size_report
from causalgia.errors import OutcomesError
from causalgia.inputs import wide


def design(n_arms: int = 1, name: str = "GATA", **options: object) -> cg.Design:
    arms = {"none": cg.Untreated()} | {
        f"{name} {i}": cg.Embed("GATA", at=i) for i in range(n_arms)
    }
    return cg.Design(
        **{"null": cg.Uniform(length=100), "arms": arms, "n_units": 20, **options}
    )


def test_a_design_prints_what_it_does_and_its_repr_can_be_pasted():
    one = design(contrasts="none")
    assert str(one) == (
        "This trial compares GATA 0 with none, both on each of 20 uniform random "
        "sequences of 100 bp: 40\npredictions.\n\narm     intervention\nnone    do()\n"
        "GATA 0  do(x[0:4] = GATA)"
    )
    assert repr(one).startswith("Design(null=Uniform(length=100), arms=(Arm(")
    parallel = design(2, assignment="parallel")
    assert str(parallel).startswith(
        "This trial has the arms none, GATA 0 and GATA 1, one"
    )
    assert ": 20 predictions." in str(parallel)


def test_an_experiment_prints_its_question_first():
    asked = cg.experiments.spacing(motif="UGCAUG", n_units=100)
    assert str(asked).startswith(asked.question)
    assert repr(asked).startswith("<Experiment spacing")


def test_many_arms_and_long_names_are_cut_and_said():
    text = str(design(60, name="転" * 200, contrasts="none"))
    lines = text.split("\n\n")[1].splitlines()
    assert len(lines) == 22
    assert lines[-1] == "Names end after 40 letters (…). 41 more arms."
    assert len({wide(line[: line.index("do(")]) for line in lines[2:-1]}) == 1


@pytest.mark.parametrize("until", [None, cg.Precision(half_width=0.1)])
def test_a_protocol_prints_the_plan_and_on_request_its_fingerprints(until):
    plan = cg.Analysis(control="none", rope=(-0.1, 0.1))
    protocol = cg.Protocol(design(), plan, predictor="f" * 32, rng=7, until=until)
    text = str(protocol)
    most = " at most" if until else ""
    assert text.replace("\n", " ").startswith(
        "This trial compares GATA 0 with none, both on each of 20 uniform random "
        f"sequences of 100 bp: 40 predictions{most}."
    )
    foot = text.split("\n\n")[2]
    assert len(foot.splitlines()) <= 3
    assert max(map(len, foot.splitlines())) <= 100
    assert "Seed 7." in foot
    assert ("Until" in foot) == (until is not None)
    assert "f" * 32 not in text
    assert "f" * 32 in protocol.report(notes=True)
    assert "Estimand: mean over units" in protocol.report(notes=True)
    assert repr(protocol).startswith("Protocol (not locked)")


def test_a_number_of_units_is_a_sentence():
    assert str(size_report(cg.sample_size(sd=1.0, half_width=0.25))) == (
        "64 units give a 95 % interval with a half width of 0.25."
    )
    found = cg.sample_size(sd=1.0, true_effect=0.0, rope=(-0.5, 0.5), n_contrasts=7)
    assert size_report(found).replace("\n", " ") == (
        f"{found['n_units'].item()} units are enough to decide whether an effect of 0 "
        "lies in (-0.5, 0.5) if it is the only one among 7 rows, with a probability of 0.81."
    )
    least = cg.planning.minimal_detectable_effect(sd=1.0, n_units=100)
    assert size_report(least) == (
        "100 units show an effect of 0.283 or more with a probability of 0.8."
    )


def test_of_many_rows_the_one_that_needs_most_is_first():
    names = [f"{'転' * 200}{i}" for i in range(30)]
    pilot = cg.from_effects(
        [1.0] * 30, se=[0.01 * (i + 1) for i in range(30)], names=names
    ).assign(n_units=("contrast", [50] * 30))
    found = cg.sample_size(pilot, half_width=0.05)
    assert is_size(found)
    text = size_report(found)
    assert text.startswith(f"{int(found['n_units'].max()):,} units give a 95 %")
    table = text.split("\n\n")[1].splitlines()
    assert len(table) == 22
    assert table[-1] == '10 more; rows="all" shows all. Names end after 40 letters (…).'
    assert len(size_report(found, rows="all").split("\n\n")[1].splitlines()) == 32
    with pytest.raises(OutcomesError, match=r"cg\.sample_size"):
        size_report(pilot)


def test_report_takes_checks_plans_and_protocols_with_what_is_asked_for():
    plan = cg.Analysis(control="none", rope=(-0.1, 0.1))
    protocol = cg.Protocol(design(), plan, predictor="f" * 32, rng=7)
    assert cg.report(protocol) == str(protocol)
    assert "f" * 32 in cg.report(protocol, notes=True)
    found = cg.sample_size(sd=1.0, half_width=0.25)
    assert cg.report(found) == size_report(found)
    with pytest.raises(OutcomesError, match="this is a plan; leave it out"):
        cg.report(found, task="a")
    oracle = cg.zoo.oracle("additive")
    arms = {"none": cg.Untreated(), "site": cg.Embed("UGCAUG", at=17)}
    trial = cg.Design(
        null=cg.Uniform(length=41), arms=arms, n_units=60, contrasts="none"
    )
    checks = cg.refute(trial, oracle, rng=0, checks=["degenerate_draws", "balance"])
    assert "Not applicable: balance" in cg.report(checks, notes=True)
    assert "degenerate draws (pass; " in cg.report(checks, sentences=True)
