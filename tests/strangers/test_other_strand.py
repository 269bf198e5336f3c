"""A k-mer of an RNA network, given as on the other strand, has a small effect and nobody
said why (issue 44, 7: .84 against 3.64).
"""

import numpy as np
import pytest
from test_cli import call

import causalgia as cg
from causalgia.notes import notes_of

NULL = cg.Uniform(length=41)
pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")


def trial(motif, predictor, n_units=300, **settings):
    arms = {"untreated": cg.Untreated(), "motif": cg.Embed(motif, at=17)}
    design = cg.Design(null=NULL, arms=arms, n_units=n_units, contrasts="untreated")
    return cg.run(design, predictor, rng=0, progress=False, **settings)


def strand_notes(result):
    return [x for x in notes_of(result) if "reverse complement" in x]


RNA = cg.zoo.oracle("rbfox1_like")


@pytest.mark.parametrize("motif", ["CATGCA", "CAUGCA", "TCATGCAT"])
def test_the_other_strand_is_noted_through_the_verbs(motif):
    outcomes = trial(motif, RNA)
    (note,) = strand_notes(outcomes)
    assert "depends on the strand" in note
    assert "on the first 16 units" in note
    assert note in notes_of(cg.estimate(cg.contrast(outcomes)))
    assert not strand_notes(trial(motif, RNA, real=False))


@pytest.mark.parametrize("keep", ["effects", "moments"])
def test_it_is_noted_whatever_is_stored(keep, tmp_path):
    (note,) = strand_notes(trial("CATGCA", RNA, keep=keep))
    stored = trial("CATGCA", RNA, keep=keep, store=tmp_path / "t.zarr")
    assert strand_notes(stored) == [note]


def test_the_effects_in_the_note_are_those_of_both_arms():
    arms = {
        "untreated": cg.Untreated(),
        "given": cg.Embed("CATGCA", at=17),
        "other": cg.Embed("TGCATG", at=17),
    }
    design = cg.Design(null=NULL, arms=arms, n_units=300, contrasts="untreated")
    both = cg.run(design, RNA, rng=0, progress=False)
    assert not strand_notes(both)  # the trial has both
    y = both["outcome"].isel(unit=slice(16), task=0).to_numpy()
    (note,) = strand_notes(trial("CATGCA", RNA))
    own, other = (y[:, 1:] - y[:, :1]).mean(axis=0)
    assert f"({other:.3g} against {own:.3g} in task" in note


@pytest.mark.parametrize(
    ("motif", "predictor"),
    [
        ("TGCATG", RNA),  # as the network reads it
        ("GAATTC", RNA),  # a palindrome
        ("CATRCA", RNA),  # drawn letters
        ("AGATAAG", cg.zoo.oracle("gata1_like")),  # both strands alike
        ("CTTATCT", cg.zoo.oracle("gata1_like")),
    ],
)
def test_nothing_is_noted_where_nothing_is_the_matter(motif, predictor):
    assert not strand_notes(trial(motif, predictor, n_units=1_000))


def test_a_small_trial_pays_nothing():
    asked = []

    def count(x):
        asked.append(len(x))
        return x[:, 2].sum(1)

    predictor = cg.FunctionPredictor(count, tasks=["y"], scale="score")
    trial("CATGCA", predictor, n_units=200, real=False)
    without = sum(asked)
    asked.clear()
    trial("CATGCA", predictor, n_units=200)
    assert sum(asked) == without  # 400 predictions are fewer than ten times 48
    asked.clear()
    trial("CATGCA", predictor, n_units=300)
    more = sum(asked)
    asked.clear()
    trial("CATGCA", predictor, n_units=300, real=False)
    assert more - sum(asked) == 48
    words = ["CATGCA", "TTTCCA", "GGGTTA", "ACCAGT"]
    arms = {"untreated": cg.Untreated()} | {x: cg.Embed(x, at=17) for x in words}
    design = cg.Design(null=NULL, arms=arms, n_units=250, contrasts="untreated")
    asked.clear()
    cg.run(design, predictor, rng=0, progress=False)
    # 1,250 predictions are fewer than ten times 16 of a control and two arms a motif
    assert not strand_notes(cg.run(design, RNA, rng=0, progress=False))


ANSWERS = {
    "a list of motifs": lambda: cg.experiments.kmer_screen(
        NULL, motifs=["CATGCA", "CATGTA", "CATACA", "GGGGCT"], n_placebos=40
    ),
    "a screen of motifs": lambda: cg.experiments.motif_screen(
        {"a": "CATGCA", "b": "GAAGTT", "c": "CATGCAA", "d": "TCATGCA"},
        NULL,
        n_placebos=40,
    ),
    "substitutions": lambda: cg.experiments.motif_mutagenesis(NULL, "CATGCA"),
    "flanks": lambda: cg.experiments.flanks(NULL, "CATGCA", n_flanks=5),
    "positions": lambda: cg.experiments.position(NULL, "CATGCA", at=[5, 17, 28]),
    "copies": lambda: cg.experiments.copies(NULL, "CATGCA", at=[5, 17, 28]),
}


@pytest.mark.rotating(6)
@pytest.mark.parametrize("kind", ANSWERS)
def test_every_experiment_with_a_motif_says_so_at_once(kind):
    experiment = ANSWERS[kind]()
    outcomes = cg.run(experiment, RNA, rng=0, progress=False)
    assert len(strand_notes(outcomes)) == 1
    text = str(experiment.analyze(outcomes, rng=0))
    assert "Caution: on the other strand: " in text


def test_it_is_printed_without_asking_for_notes():
    outcomes = trial("CATGCA", RNA)
    estimates = cg.estimate(cg.contrast(outcomes))
    decisions = cg.analyze(outcomes, rope="0.2 sd", rng=0)
    for text in (cg.report(estimates), cg.report(decisions)):
        assert (
            "Caution: on the other strand: the reverse complement of CATGCA, TGCATG, has "
            "a larger effect (" in str(text).replace("\n", " ")
        )


def test_an_analysis_that_names_its_contrasts_later_has_the_note():
    arms = {"untreated": cg.Untreated(), "motif": cg.Embed("CATGCA", at=17)}
    design = cg.Design(null=NULL, arms=arms, n_units=300)
    outcomes = cg.run(design, RNA, rng=0, progress=False)
    assert strand_notes(outcomes) == strand_notes(trial("CATGCA", RNA))
    decisions = cg.analyze(outcomes, control="untreated", rope="0.2 sd", rng=0)
    assert strand_notes(decisions) == strand_notes(outcomes)


def test_motifs_among_other_edits_are_looked_at():
    arm = cg.Embed("CATGCA", at=17) + cg.Placebo("GGGTTA", at=30)
    arms = {"untreated": cg.Untreated(), "motif": arm}
    design = cg.Design(null=NULL, arms=arms, n_units=300, contrasts="untreated")
    assert strand_notes(cg.run(design, RNA, rng=0, progress=False))


def test_inserted_motifs_are_looked_at():
    word = "TGCATG"

    def matches(x):
        windows = np.lib.stride_tricks.sliding_window_view(x, len(word), axis=2)
        spelled = np.eye(4)[["ACGT".index(letter) for letter in word]].T
        return (windows * spelled[:, None]).sum((1, 3)).max(axis=1)

    predictor = cg.FunctionPredictor(matches, tasks=["y"], scale="score")
    arms = {"untreated": cg.Untreated(), "motif": cg.Insert("CATGCA", at=17)}
    design = cg.Design(null=NULL, arms=arms, n_units=300, contrasts="untreated")
    (note,) = strand_notes(cg.run(design, predictor, rng=0, progress=False))
    assert "has a larger effect" in note


@pytest.mark.rotating(6)
def test_the_shell_prints_it_at_run_and_analyze(tmp_path):
    trial_file, out = tmp_path / "trial.toml", tmp_path / "results"
    trial_file.write_text(
        "rng = 0\nn_units = 300\n"
        '[predictor]\nzoo = "rbfox1_like"\n'
        '[null]\nkind = "uniform"\nlength = 41\n'
        "[arms.untreated]\n"
        '[arms.motif]\nembed = "CATGCA"\nat = 17\n'
        '[analysis]\nrope = "0.2 sd"\ncontrol = "untreated"\n'
    )
    for command in (("run", trial_file, "--out", out), ("analyze", out), ("show", out)):
        text = call(*command).stdout.replace("\n", " ")
        assert "Caution: on the other strand: the reverse complement of CATGCA" in text


def test_networks_that_read_both_strands_nearly_alike_have_no_note():
    rng = np.random.default_rng(4)
    noted = 0
    for _ in range(40):
        weights = rng.normal(size=(4, 41)) * 0.05 + rng.normal(size=(4, 1))
        predictor = cg.FunctionPredictor(
            lambda x, w=weights: (x * (w + w[::-1])).sum((1, 2)),
            tasks=["y"],
            scale="score",
        )
        motif = "".join(rng.choice(list("ACGT"), 6))
        noted += bool(strand_notes(trial(motif, predictor, n_units=300)))
    assert noted <= 3
