# Imports from the inside: which patterns are one and which pairs are told apart, of words
# made by hand; fingerprints of both strands.
"""Proposals and their trial: planted motifs are proposed and confirmed, random ones are
not, units are fresh.
"""

from __future__ import annotations

import re
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia._discover import _largest, _reads, _variants, is_near_copy
from causalgia.attribution.distinct_patterns import (
    EditedBackgrounds,
    Pattern,
    _added,
    each_motif_once,
    trimmed,
)
from causalgia.attribution.seqlets import groups, windows
from causalgia.errors import (
    DataError,
    DegenerateWarning,
    DesignError,
    MissingExtraError,
    PredictorError,
    SequenceError,
)
from causalgia.multiplicity.placebo import placebo_fences
from causalgia.sequences import decode, encode
from causalgia.sequences.alphabet import reverse_complement, reverse_complement_iupac
from causalgia.sequences.fasta import sequence_fingerprints
from causalgia.zoo._true_ace import true_ace
from causalgia.zoo.terms import Hill, Slope

# effects of oracles do not, here and there
pytestmark = pytest.mark.filterwarnings("ignore:.*not vary at all")
WORDS = ("TGCATG", "AGCATG", "CGCATG", "TGCACG", "AGAATG")
rbfox1 = cg.zoo.oracle("rbfox1_like")


def planted(n, *words, seed=1, length=41):
    """Random sequences with one of the motifs each, anywhere."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(0, 4, (n, length)).astype(np.uint8)
    for row, letters in enumerate(tokens):
        word = encode([words[row % len(words)]])[0]
        at = generator.integers(0, length - len(word) + 1)
        letters[at : at + len(word)] = word
    return tokens


@pytest.fixture(scope="module")
def proposed():
    return cg.propose(sequences=planted(150, *WORDS), predictor=rbfox1, rng=0)


def test_planted_words_are_proposed_each_by_itself(proposed):
    assert set(WORDS) <= set(proposed["consensus"].values.tolist())
    strongest = proposed.isel(
        pattern=proposed["consensus"].values.tolist().index("TGCATG")
    )
    rows = planted(150, *WORDS)
    holds = np.array(["TGCATG" in row for row in decode(rows)])
    assert strongest["proposed"].values[holds].mean() > 0.9
    motif = strongest["motif"].values[: int(strongest["width"])]
    assert decode(motif.argmax(axis=1).astype(np.uint8)) == ["TGCATG"]
    np.testing.assert_allclose(motif.sum(axis=1), 1)
    assert (strongest["motif"].values[int(strongest["width"]) :] == 0).all()
    assert (proposed["n_units"] == proposed["proposed"].sum("unit")).all()


@pytest.mark.simulation
def test_words_are_proposed_by_their_mean_contribution_as_well():
    found = cg.propose(
        sequences=planted(60, "TGCATG"), predictor=rbfox1, method="kmer", width=6, rng=0
    )
    assert "TGCATG" in found["consensus"].values.tolist()


def seqlet_table(rows, word):
    """A table as tangermeme's, of the places of a motif, a base more on the right of
    every second one.
    """
    places = [(k, row.find(word)) for k, row in enumerate(decode(rows)) if word in row]
    columns = {"example_idx": [k for k, _ in places], "start": [at for _, at in places]}
    table = pd.DataFrame(columns).assign(
        end=lambda t: np.minimum(t["start"] + 6 + t.index % 2, 41)
    )
    return table.assign(attribution=1.0, **{"p-value": 1e-3})


def test_seqlets_that_others_called_are_proposals():
    rows = planted(60, "TGCATG", "AGAATG")
    table = pd.concat(
        [seqlet_table(rows, word) for word in ("TGCATG", "AGAATG")], ignore_index=True
    )
    found = cg.propose(sequences=rows, predictor=rbfox1, seqlets=table, rng=0)
    assert set(found["consensus"].values) == {"TGCATG", "AGAATG"}
    assert found["n_seqlets"].sum() == len(table)
    twice = pd.concat([table, table])
    assert cg.propose(sequences=rows, predictor=rbfox1, seqlets=twice, rng=0)[
        "n_seqlets"
    ].sum() == len(table)
    one = found.isel(pattern=found["consensus"].values.tolist().index("TGCATG"))
    assert one["proposed"].values.tolist() == ["TGCATG" in row for row in decode(rows)]
    scores = cg.attribution.contributions(cg.attribute(rows, rbfox1)).to_numpy()[..., 0]
    mine = table.iloc[: int(one["n_seqlets"])]
    sums = [
        scores[k, start:end].sum()
        for k, start, end in mine[["example_idx", "start", "end"]].to_numpy()
    ]
    np.testing.assert_allclose(one["strength"].item(), np.mean(sums))
    assert "threshold" not in found
    # no p-value is carried
    assert not [name for name in found.variables if "p" in str(name).split("_")]
    trial = cg.experiments.proposals(found, cg.Uniform(length=41), n_units=100)
    decisions = trial.analyze(cg.run(trial, rbfox1, rng=1)).decisions.sel(
        contrast=["TGCATG", "AGAATG"]
    )
    assert (decisions["verdict"] == "increases").all()


@pytest.mark.simulation
def test_seqlets_of_tangermeme_are_proposals():
    called = pytest.importorskip("tangermeme.seqlet").recursive_seqlets
    rows = planted(120, "TGCATG")
    maps = cg.attribute(rows, rbfox1)
    table = called(
        cg.attribution.contributions(maps).to_numpy()[..., 0],
        threshold=0.01,
        additional_flanks=1,
    )
    table = table[(table["start"] >= 0) & (table["end"] <= 41)]
    found = cg.propose(maps, predictor=rbfox1, seqlets=table, rng=0)
    assert found["consensus"].values[0] == "TGCATG"
    assert int(found["n_seqlets"].sum()) >= len(table)


def test_maps_and_seqlets_from_files_propose_together(tmp_path):
    """As of a network that another program explained: the task has the name that the
    predictor gives it.
    """
    rows = planted(60, "TGCATG")
    np.savez(
        tmp_path / "maps.npz",
        scores=cg.attribution.contributions(cg.attribute(rows, rbfox1)).to_numpy()[
            ..., 0
        ],
    )
    table = seqlet_table(rows, "TGCATG")
    maps = cg.attribution.read_attributions(
        tmp_path / "maps.npz", sequences=rows, task="RBFOX1"
    )
    found = cg.propose(maps, predictor=rbfox1, seqlets=table, rng=0)
    assert found["consensus"].values.tolist() == ["TGCATG"]
    other = cg.attribution.read_attributions(tmp_path / "maps.npz", sequences=rows)
    with pytest.raises(PredictorError):
        cg.propose(other, predictor=rbfox1, seqlets=table, rng=0)
    with pytest.raises(PredictorError):
        cg.propose(maps, predictor=rbfox1, rng=0)


def test_modisco_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "modiscolite", None)
    with pytest.raises(MissingExtraError):
        cg.propose(
            sequences=planted(4, "TGCATG"), predictor=rbfox1, method="modisco", rng=0
        )


def test_tasks_of_seqlets_are_named_where_there_are_several():
    gate = cg.zoo.oracle("gated")
    rows = planted(30, "AGATAAGG", length=60)
    places = [(k, row.find("AGATAAGG")) for k, row in enumerate(decode(rows))]
    table = pd.DataFrame(places, columns=["example_idx", "start"]).assign(
        end=lambda t: t["start"] + 8
    )
    with pytest.raises(PredictorError):
        cg.propose(sequences=rows, predictor=gate, seqlets=table, rng=0)
    found = cg.propose(
        sequences=rows, predictor=gate, seqlets=table.assign(task="sum"), rng=0
    )
    assert found["consensus"].values.tolist() == ["AGATAAGG"]


def test_a_map_of_one_task_is_compared_with_null_maps_of_that_task():
    gate = cg.zoo.oracle("gated")
    maps = cg.attribute(planted(40, "AGATAAGG", length=60), gate)
    both, one = (
        cg.propose(of, predictor=gate, rng=0) for of in (maps, maps.sel(task=["sum"]))
    )
    assert one["threshold"].sel(task="sum").values == pytest.approx(
        both["threshold"].sel(task="sum").values
    )
    assert "AGATAAGG" in one["consensus"].values


def test_a_word_and_its_reverse_complement_are_one_across_tasks():
    """Whichever of the two the strongest window of each task spells, here of opposite
    effects.
    """
    words = [
        cg.zoo.MotifCount("AGATAAG", 2.0, "both", gain=Slope(slope))
        for slope in (0.02, -0.02)
    ]
    both = cg.zoo.Oracle(*words, tasks=["a", "b"], weights=[[1.0, 0.0], [0.0, -1.0]])
    rows = np.random.default_rng(0).integers(0, 4, (40, 41)).astype(np.uint8)
    for k, row in enumerate(
        rows
    ):  # the early sites are on one strand, the late ones on the other
        row[2 + k // 2 : 9 + k // 2] = encode(["AGATAAG" if k < 20 else "CTTATCT"])[0]
    found = cg.propose(sequences=rows, predictor=both, rc=True, rng=0)[
        "consensus"
    ].values.tolist()
    assert sum(word in ("AGATAAG", "CTTATCT") for word in found) == 1


@pytest.mark.simulation
def test_the_limits_are_passed_by_that_share_of_windows_of_null_maps():
    sample = cg.Uniform(length=41).sample(150, rng=5)
    loose, strict = (
        cg.propose(
            sequences=sample,
            predictor=rbfox1,
            null=cg.Uniform(length=41),
            null_share=most,
            n_patterns=1,
            rng=0,
        )
        for most in (0.2, 0.02)
    )
    assert (
        loose["threshold"].sel(side="above") < strict["threshold"].sel(side="above")
    ).all()
    drawn = cg.attribution.contributions(
        cg.attribute(cg.Uniform(length=41).sample(400, rng=9), rbfox1)
    )
    sums = drawn.rolling(position=8).sum().dropna("position")
    for most, of in ((0.2, loose), (0.02, strict)):
        above, below = (
            of["threshold"].sel(side=side, task="RBFOX1").item()
            for side in ("above", "below")
        )
        share = float(((sums > above) | (sums < below)).mean())
        assert share <= most * 1.5  # ties at the limits count for neither side


def test_half_words_that_backgrounds_complete_become_the_word():
    backgrounds = np.random.default_rng(0).integers(0, 4, (256, 41)).astype(np.uint8)
    frame = encode(["TGCATGT"])[0]
    cut = trimmed(frame, EditedBackgrounds(rbfox1, backgrounds), inside=(1, 7), task=0)
    assert decode(cut.consensus) == ["TGCATG"]
    assert cut.start == 0
    direct = backgrounds.copy()
    direct[:, 17:23] = encode(["TGCATG"])[0]
    effect = rbfox1.predict(direct).mean() - rbfox1.predict(backgrounds).mean()
    assert abs(cut.effect - effect) < 0.1  # one base to the left of it


LONG = "TGACGTCATTGC"


def counting(word, least=None):
    """A predictor that counts a motif; parts of it count in proportion to what they
    have beyond `least` letters.
    """
    letters, least = encode([word])[0], len(word) - 1 if least is None else least

    def count(x):
        frames = np.lib.stride_tricks.sliding_window_view(
            x.argmax(1), len(word), axis=1
        )
        beyond = np.maximum((frames == letters).sum(-1) - least, 0) / (
            len(word) - least
        )
        return beyond.sum(1, keepdims=True).astype(np.float64)

    return cg.FunctionPredictor(count, tasks=["activity"])


@pytest.mark.simulation
@pytest.mark.parametrize(("method", "least"), [("seqlets", 9)])
def test_a_word_longer_than_a_window_is_proposed_whole(method, least):
    """Letters beside the eight of a window were added once, two on each side."""
    predictor = counting(LONG, least)
    proposed = cg.propose(
        sequences=planted(80, LONG, length=60),
        predictor=predictor,
        method=method,
        rng=0,
    )
    assert proposed["consensus"].values[0] == LONG


def test_a_letter_that_completes_another_word_in_one_background_is_none_of_the_word():
    """The motif has nine letters; with the tenth beside it one background of 64 reads a
    motif of its own.
    """
    read, other = counting("TTGCATGAC", 7), counting("ACCTT")

    def both(x):
        return read.predict(x.argmax(1).astype(np.uint8)) + 20 * other.predict(
            x.argmax(1).astype(np.uint8)
        )

    backgrounds = np.zeros((64, 60), dtype=np.uint8)
    backgrounds[0, 36:38] = 3
    frame, edited = (
        encode(["AAAATTGCATGACCAA"])[0],
        EditedBackgrounds(cg.FunctionPredictor(both), backgrounds),
    )
    nine, ten = (
        edited.answers(frame[None, 4:stop], at=26, task=0).mean() for stop in (13, 14)
    )
    assert ten - nine > 0.25 * nine
    assert decode(trimmed(frame, edited, inside=(4, 12), task=0).consensus) == [
        "TTGCATGAC"
    ]


def test_a_part_of_a_longer_word_gives_way_to_it():
    none = np.zeros((0, 3), dtype=np.int64)
    part, long = (
        Pattern(
            word, np.full((len(word), 4), 0.25), 0, none, effect, frozenset([method])
        )
        for word, effect, method in (
            ("GACGTCAT", 0.004, "seqlets"),
            (LONG, 1.0, "modisco"),
        )
    )
    for first, second in ((part, long), (long, part)):
        merged = [first]
        assert _added(merged, second, False)
        assert [(one.consensus, one.methods) for one in merged] == [
            (LONG, frozenset(["seqlets", "modisco"]))
        ]


def test_a_word_that_two_patterns_become_is_one():
    none = np.zeros((1, 3), dtype=np.int64)
    words = ("TGCATT", "ACGTGT", "AATGCA", "ACGTGT")
    patterns = [
        Pattern(word, np.full((6, 4), 0.25), 0, none + k, 1.0, frozenset([str(k)]))
        for k, word in enumerate(words)
    ]
    one = each_motif_once(patterns, both_strands=False)
    assert [pattern.consensus for pattern in one] == ["TGCATT", "ACGTGT", "AATGCA"]
    assert one[1].methods == {"1", "3"}
    assert one[1].windows.tolist() == [[1, 1, 1], [3, 3, 3]]
    assert [
        pattern.consensus for pattern in each_motif_once(patterns, both_strands=True)
    ] == ["TGCATT", "ACGTGT"]


def test_windows_do_not_overlap_and_groups_hold_each_window_once():
    tokens = planted(40, "TGCATG")
    scores = (
        cg.attribution.contributions(cg.attribute(tokens, rbfox1))
        .transpose("unit", "position", "task")
        .to_numpy()
    )
    found = windows(
        tokens, scores, width=8, below=np.array([-0.5]), above=np.array([0.5])
    )
    totals = [
        scores[u, s : s + 8, 0].sum()
        for u, s in zip(found.unit, found.start, strict=True)
    ]
    np.testing.assert_allclose(found.total, totals)
    for unit in range(40):
        starts = np.sort(found.start[found.unit == unit])
        assert (np.diff(starts) >= 8).all()
    members = np.concatenate(
        [group.members for group in groups(found, both_strands=False)]
    )
    assert sorted(members.tolist()) == list(range(len(found.total)))


def test_reverse_complements_are_one_pattern_where_the_answers_say_so():
    both = cg.zoo.Oracle(cg.zoo.MotifCount("AGATAAG", 2.0, "both"))
    rows = planted(60, "AGATAAG", "CTTATCT")
    for rc, spelled in ((None, 1), (False, 2)):
        found = cg.propose(sequences=rows, predictor=both, rc=rc, rng=0)
        words = found["consensus"].values.tolist()
        assert sum(word in ("AGATAAG", "CTTATCT") for word in words) == spelled
        assert found.attrs["both_strands"] == (rc is None)


def test_no_proposal_is_an_answer():
    nothing = cg.FunctionPredictor(
        lambda x: np.zeros(len(x)), tasks=["a"], scale="none"
    )
    found = cg.propose(sequences=planted(40, "TGCATG"), predictor=nothing, rng=0)
    assert found.sizes["pattern"] == 0
    answer = cg.discover(nothing, planted(40, "TGCATG"), rng=0)
    assert len(answer.table) == 0
    assert answer.decisions is None


def test_planted_words_are_confirmed_on_fresh_units_at_their_true_effects(proposed):
    null = cg.Uniform(length=41)
    trial = cg.experiments.proposals(proposed, null, n_units=300)
    decisions = trial.analyze(cg.run(trial, rbfox1, rng=3)).decisions.sel(task="RBFOX1")
    words = decisions.sel(contrast=list(WORDS))
    assert (words["verdict"] == "increases").all()
    design = cg.Design(null=null, arms=list(trial.named_arms), n_units=300)
    truth = true_ace(design, rbfox1, control="untreated").sel(
        contrast=list(WORDS), task="RBFOX1"
    )
    assert (abs(words["ace"] - truth) < 4.5 * words["se"]).all()


def test_units_that_proposed_are_refused():
    null = cg.Uniform(length=41)
    sample = null.sample(60, rng=4)
    found = cg.propose(sequences=sample, predictor=rbfox1, rng=0)
    for again in (cg.DinucleotideShuffle, cg.Genomic):
        for rows in (
            sample["sequence"].values,
            reverse_complement(sample["sequence"].values),
        ):
            with pytest.raises(DesignError):
                cg.experiments.proposals(found, again(of=rows))
    trial = cg.experiments.proposals(found, null, n_units=80)
    with pytest.raises(DataError):
        trial.analyze(cg.run(trial, rbfox1, rng=4))
    assert trial.analyze(cg.run(trial, rbfox1, rng=5)).decisions.sizes["contrast"] > 100


def test_fingerprints_are_those_of_both_strands():
    rows = planted(20, "TGCATG")
    one, other = (
        sequence_fingerprints(rows),
        sequence_fingerprints(reverse_complement(rows)),
    )
    assert (one == other).all()
    assert len(set(one.tolist())) == 20


def test_discovery_confirms_planted_words_alone():
    found = cg.discover(
        rbfox1,
        planted(120, "TGCATG", "AGAATG"),
        rng=0,
        motifs={"RBFOX1": "TGCATG", "GATA1": "AGATAAG"},
    )
    assert {"TGCATG", "AGAATG"} <= set(found.confirmed["consensus"])
    row = found.table.set_index("consensus").loc["TGCATG"]
    assert row["name"] == "RBFOX1"
    assert row["lower"] < 3.6 < row["upper"] + 0.1
    assert found.n_proposing + found.n_fresh == 120
    with pytest.raises(DataError):
        found.report(rows="some")


@pytest.mark.parametrize("both", [0, 1])
def test_no_placebo_word_holds_a_proposed_one(both):
    """Random sequences are the same in every design, but for those that hold a motif
    that is tested.
    """
    null = cg.Uniform(length=41)
    proposed = cg.propose(
        sequences=planted(60, "TGCATG"), predictor=rbfox1, method="kmer", rng=0
    )
    first = [
        arm.name
        for arm in cg.experiments.proposals(proposed, null).arms
        if arm.name.startswith("placebo ")
    ]
    held = next(
        name for name in first if len(name) == len("placebo ") + 8
    ).removeprefix("placebo ")[1:7]
    words = [held, *proposed["consensus"].values.tolist()[1:]]
    changed = proposed.assign_coords(consensus=("pattern", words)).assign_attrs(
        both_strands=both
    )
    trial = cg.experiments.proposals(changed, null)
    now = [arm.name for arm in trial.arms if arm.name.startswith("placebo ")]
    assert len(now) == len(first)
    assert not any(held in name for name in now)
    assert any(reverse_complement_iupac(held) in name for name in now) <= (not both)
    assert len(set(first) & set(now)) > 0.9 * len(first)


@pytest.mark.simulation
def test_a_word_holds_where_no_placebo_word_has_an_effect():
    network = cg.TorchPredictor(
        cg.zoo.Oracle(cg.zoo.MotifCount("TGACTCA", 2.0)).module(), tasks=["a"]
    )
    generator = np.random.default_rng(0)
    rows = ["".join(generator.choice(list("ACGT"), 60)) for _ in range(80)]
    found = cg.discover(
        network, [row[:20] + "TGACTCA" + row[27:] for row in rows], rng=0
    )
    best, others = found.confirmed.iloc[0], found.confirmed.iloc[1:]
    assert best[["consensus", "ace", "verdict"]].tolist() == [
        "TGACTCA",
        2.0,
        "increases",
    ]
    # the outermost random sequence holds a part of it
    assert found.decisions["rope_upper"].max() < 0.2
    # a background in 64 completes them
    assert others["consensus"].str.endswith("TGAC").all()
    assert others["ace"].between(0.02, 0.1).all()


@pytest.mark.simulation
@pytest.mark.parametrize(("word", "n"), [("GCAT", 4), ("TGCATGA", 0)])
def test_placebo_words_that_would_hold_are_counted(word, n):
    """Random sequences may hold a proposed motif of four bases, which then acts in
    them, and none of seven.
    """
    reads = cg.zoo.Oracle(cg.zoo.MotifCount(word, 2.0), cg.zoo.MotifCount("CC", 0.1))
    found = cg.discover(reads, planted(80, word), n_units=60, method="seqlets", rng=0)
    assert word in set(found.confirmed["consensus"])
    placebos = found.decisions.sel(
        contrast=found.decisions["is_placebo"], task="outcome"
    )
    held = placebos["contrast"].values[
        np.isin(placebos["verdict"].values, ["increases", "decreases"])
    ]
    assert len(held) == n
    assert all(word in one for one in held)
    says = f"{n} of {placebos.sizes['contrast']} random sequences pass the same"
    assert (says in found.foot[0]) == (n > 0)


def test_a_verdict_against_the_sign_of_the_effect_is_said_to_be_relative():
    """All backgrounds have TGACTCA in the middle; random sequences destroy it, and it
    leaves them as they are.
    """
    reads = cg.zoo.Oracle(
        cg.zoo.MotifCount("TGACTCA", 2.0), cg.zoo.MotifCount("CC", 0.1)
    )
    rows = planted(100, "TGACTCA")
    found = cg.propose(sequences=rows[:60], predictor=reads, rng=0)
    arms = {
        arm.name: arm
        for arm in cg.experiments.proposals(found, cg.Uniform(length=41)).arms
    }
    start = arms["TGACTCA"].intervention.at
    rows[60:, start : start + 7] = encode(["TGACTCA"])[0]
    for null, n in ((cg.Genomic(of=rows[60:]), 1), (cg.Uniform(length=41), 0)):
        trial = cg.experiments.proposals(found, null, n_units=40)
        answer = trial.analyze(cg.run(trial, reads, rng=1))
        word = answer.decisions.sel(contrast="TGACTCA", task="outcome")
        assert word["verdict"].item() == "increases"
        assert (word["ace"].item() == 0) == bool(n)


def test_words_are_named_by_jaspar():
    pytest.importorskip("pyjaspar")
    reads = cg.zoo.Oracle(
        cg.zoo.MotifCount("TGACTCA", 2.0), cg.zoo.MotifCount("AG", 0.05)
    )
    network = cg.TorchPredictor(reads.module(), tasks=["a"])
    found = cg.discover(
        network, planted(60, "TGACTCA"), n_units=40, rng=0, motifs="JASPAR"
    )
    row = found.table.set_index("consensus").loc["TGACTCA"]
    assert row["nearest"].split()[1] in row["name"]
    assert row["nearest"].split()[1] in {
        "BACH1",
        "NFE2",
        "BATF3",
        "JDP2",
    }


@pytest.mark.simulation
@pytest.mark.parametrize("seed", range(3))
def test_random_answers_confirm_next_to_nothing(seed):
    """A predictor of random weights: motifs differ, and proposed ones are no other than
    random sequences.
    """
    generator = np.random.default_rng(seed)
    kernels, head = generator.normal(size=(16, 4, 6)), generator.normal(size=16)

    def answer(x):
        views = np.lib.stride_tricks.sliding_window_view(x, 6, axis=2)
        return (
            np.maximum(np.tensordot(views, kernels, axes=((1, 3), (1, 2))), 0).max(
                axis=1
            )
            @ head
        )

    network = cg.FunctionPredictor(answer, tasks=["a"], scale="none")
    found = cg.discover(
        network, cg.Uniform(length=41).sample(60, rng=seed), n_units=100, rng=seed
    )
    assert len(found.table) > 10
    assert len(found.confirmed) <= 0.1 * len(found.table)


@pytest.mark.parametrize(
    ("term", "reads"),
    [
        (
            cg.zoo.Saturating(
                (cg.zoo.MotifCount("TGCATG", 1.0), cg.zoo.MotifCount("AGAATG", 1.0)),
                Hill(top=2.0, half=0.05),
            ),
            "saturating",
        ),
        (None, "additive"),
    ],
)
def test_pairs_of_words_that_hold_are_told_apart(term, reads):
    terms = (
        [cg.zoo.MotifCount("TGCATG", 2.0), cg.zoo.MotifCount("AGAATG", 2.0)]
        if term is None
        else [term]
    )
    found = cg.discover(cg.zoo.Oracle(*terms), planted(120, "TGCATG", "AGAATG"), rng=0)
    pair = found.pairs[
        found.pairs["first"].isin(["TGCATG", "AGAATG"])
        & found.pairs["second"].isin(["TGCATG", "AGAATG"])
    ]
    assert pair["reads"].tolist() == [reads]


def test_pairs_that_need_each_other_are_and():
    up, down = "increases", "decreases"
    assert _reads(0.9, 1.2, [0.5, 0.6], [up, up]).word == "synergistic"
    assert _reads(-1.2, -0.9, [-0.5, -0.6], [down, down]).word == "synergistic"
    assert _reads(0.9, 1.2, [-0.5, -0.6], [down, down]).word == "saturating"
    assert _reads(-1.2, -0.9, [0.5, -0.6], [up, down]).word == "weakening"
    assert _reads(0.01, 0.2, [0.5, 0.6], [up, up]).word == "undecided"


def test_near_copies_are_left_out_of_pairs_and_named():
    words = [
        "GTGACTCA",
        "AGATAAG",
        "TGACTCAC",
        "CTTATCT",
        "GAGTCAC",
        "TGCATG",
        "AGCATG",
        "AGAATG",
    ]
    table = pd.DataFrame(
        {
            "consensus": words,
            "verdict": ["increases"] * 7 + ["undecided"],
            "variant_of": "",
            "family": words,
        }
    )
    largest, _ = _largest(table, both_strands=False)
    assert largest == ["GTGACTCA", "AGATAAG", "CTTATCT", "GAGTCAC"]
    largest, _ = _largest(table, both_strands=True)
    assert largest == ["GTGACTCA", "AGATAAG", "TGCATG", "AGCATG"]
    assert _largest(table.iloc[[1, 5]], both_strands=True) == (
        ["AGATAAG", "TGCATG"],
        [],
    )


@pytest.mark.simulation
def test_variants_are_named_and_left_out_of_pairs():
    """A network that reads TTTGCAT, and TTTACAT with half of its effect, and another
    motif.
    """
    terms = [
        cg.zoo.MotifCount("TTTGCAT", 2.0),
        cg.zoo.MotifCount("TTTACAT", 1.0),
        cg.zoo.MotifCount("CACGTG", 1.5),
    ]
    sequences = planted(240, "TTTGCAT", "TTTACAT", "CACGTG")
    found = cg.discover(cg.zoo.Oracle(*terms), sequences, rng=0)
    variant_of = found.table.set_index("consensus")["variant_of"]
    assert {"TTTGCAT", "TTTACAT", "CACGTG"} <= set(found.confirmed["consensus"])
    assert variant_of[["TTTGCAT", "TTTACAT", "CACGTG"]].tolist() == ["", "TTTGCAT", ""]
    assert "TTTACAT" not in {*found.pairs["first"], *found.pairs["second"]}


def test_a_variant_is_one_of_the_same_verdict_and_task():
    rows = [
        ("TTTGCAT", "a", "increases"),
        ("TTTACAT", "a", "decreases"),
        ("ATGTAAA", "a", "increases"),
        ("TTTACAT", "b", "increases"),
        ("TTTGCAT", "b", "undecided"),
        ("CTTTGCAT", "a", "increases"),
    ]
    table = pd.DataFrame(rows, columns=["consensus", "task", "verdict"])
    assert _variants(table, both_strands=True) == ["", "", "TTTGCAT", "", "", "ATGTAAA"]
    assert _variants(table, both_strands=False) == [""] * 6


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("TGCATG", "ATGCATGA", True),
        ("ACGT", "CGTA", False),
        ("TGAGTCATC", "ATGAGTCAC", True),
    ],
)
def test_near_copies_are_so_in_both_orders(one, other, near):
    assert (
        is_near_copy(one, other, both_strands=False)
        == near
        == is_near_copy(other, one, both_strands=False)
    )


@pytest.mark.simulation
def test_a_null_that_the_network_tells_from_its_sequences_is_said():
    """Every sequence has the motif, and hardly any of their shuffles; of the other
    sequences half have it.
    """
    both = cg.zoo.Oracle(
        cg.zoo.MotifCount("TGCATGAC", 2.0), cg.zoo.MotifCount("AC", 0.1)
    )
    found = cg.discover(both, planted(60, "TGCATGAC"), n_units=100, rng=0)
    assert re.search(r"AUROC (1\.00|0\.9\d)", found.foot[1])
    drawn = planted(400, "TGCATGAC")
    # as many without the motif
    half = np.where(np.arange(400)[:, None] % 2, drawn, planted(400, "AAAAAA", seed=2))
    overlaps = cg.discover(both, half[:120], n_units=100, rng=0)
    assert "AUROC" not in overlaps.report(notes=True)


def test_natural_sequences_as_null_overlap_with_themselves():
    rows = planted(120, "TGCATG")
    network = cg.zoo.Oracle(
        cg.zoo.MotifCount("TGCATG", 2.0), cg.zoo.MotifCount("AC", 0.1)
    )
    found = cg.propose(sequences=rows[:60], predictor=network, rng=0)
    for null, said in (
        (cg.DinucleotideShuffle(of=rows[60:]), True),
        (cg.Genomic(of=rows[60:]), False),
    ):
        trial = cg.experiments.proposals(found, null, n_units=60)
        outcomes = cg.run(trial, network, rng=1, real="parents")
        assert ("hardly overlap" in outcomes.attrs.get("notes", "")) == said


def test_copies_on_either_strand_count_once():
    rows = planted(60, "TGCATG")
    copied = np.concatenate([rows, rows[:20], reverse_complement(rows[:20])])
    found = cg.discover(rbfox1, copied, rng=0)
    assert found.n_proposing + found.n_fresh == 60
    assert "TGCATG" in set(found.confirmed["consensus"])
    with pytest.raises(SequenceError):
        cg.discover(rbfox1, np.concatenate([rows[:20]] * 3), rng=0)


def test_sites_are_where_words_that_hold_stand():
    rows = planted(80, "TGCATG")
    found = cg.discover(rbfox1, rows, rng=0)
    letters = decode(rows)
    own = found.sites[found.sites["motif"] == "TGCATG"]
    assert len(own) == sum(len(re.findall("(?=TGCATG)", row)) for row in letters)
    assert all(
        letters[int(site.sequence)][site.start : site.stop] == "TGCATG"
        for site in own.itertuples()
    )
    assert set(found.sites["motif"]) <= set(found.confirmed["consensus"])


def test_words_are_compared_with_placebo_words_of_their_width():
    found = cg.propose(sequences=planted(150, *WORDS), predictor=rbfox1, rng=0)
    trial = cg.experiments.proposals(
        found, cg.Uniform(length=41), n_units=60, n_placebos=40
    )
    answer = trial.analyze(cg.run(trial, rbfox1, rng=3))
    decisions = answer.decisions
    for name, wide, word in zip(
        decisions["contrast"].values,
        decisions["placebo_class"].values,
        decisions["is_placebo"].values,
        strict=True,
    ):
        letters = str(name).removeprefix("placebo ")
        assert (
            len(letters) == wide
            if word
            else wide - len(letters) in (0, 1) or (wide == 6 and len(letters) < 6)
        )
    for wide in set(decisions["placebo_class"].values.tolist()):
        own = decisions.isel(contrast=decisions["placebo_class"].values == wide)
        assert own["is_placebo"].sum() == 40
        assert len(np.unique(own["rope_upper"])) == 1
        fences = placebo_fences(
            answer.estimates.isel(contrast=decisions["placebo_class"].values == wide)
        )
        np.testing.assert_allclose(own["rope_lower"].to_numpy(), fences["lower"].item())
        np.testing.assert_allclose(own["rope_upper"].to_numpy(), fences["upper"].item())
    assert (
        len(np.unique(decisions["rope_upper"]))
        == len(set(decisions["placebo_class"].values.tolist()))
        > 1
    )


@pytest.mark.torch
def test_chosen_words_are_tested_however_many_there_are():
    """A posterior takes effects for draws from one law, and needs a spread of the
    control, which an oracle has not.
    """
    words = list(
        dict.fromkeys(
            decode(np.random.default_rng(3).integers(0, 4, (40, 6)).astype(np.uint8))
        )
    )
    zeros = np.zeros((len(words), 2))
    table = xr.Dataset(
        {
            "consensus": ("pattern", words),
            "motif": (
                ("pattern", "motif_position", "base"),
                np.full((len(words), 6, 4), 0.25),
            ),
            "width": ("pattern", np.full(len(words), 6)),
            "n_seqlets": ("pattern", np.full(len(words), 9)),
            "n_units": ("pattern", np.full(len(words), 9)),
            "strength": (("pattern", "task"), zeros[:, :1]),
            "proposed": (("pattern", "unit"), zeros[:, :1].astype(bool)),
            "sequence_fingerprint": ("unit", ["none of these"]),
        },
        coords={
            "pattern": words,
            "unit": [0],
            "task": ["RBFOX1"],
            "base": list("ACGT"),
        },
    )
    experiment = cg.experiments.proposals(
        table, cg.Uniform(length=41), n_placebos=40, n_units=60, rope=(-0.3, 0.3)
    )
    outcomes = cg.run(experiment, rbfox1, rng=0)
    flat = outcomes.assign(
        outcome=outcomes["outcome"].where(outcomes["arm"] != "untreated", 0.0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cg.errors.CausalgiaWarning)
        decisions = experiment.analyze(flat, rng=0).decisions
    assert decisions.attrs["error"] == "fdr"


def test_a_network_is_asked_about_what_changes_alone():
    import torch

    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv1d(4, 32, 7, padding=3), torch.nn.ReLU(), torch.nn.MaxPool1d(4),
        torch.nn.Conv1d(32, 32, 5, padding=2), torch.nn.ReLU(), torch.nn.MaxPool1d(4),
        torch.nn.Flatten(), torch.nn.Linear(32 * 12, 1),
    )  # fmt: skip
    predictor = cg.TorchPredictor(net, tasks=["a"], device="cpu")
    quick = predictor.with_incremental_edits(200)
    assert quick.incremental
    assert quick.with_incremental_edits(200) is quick
    assert not predictor.incremental
    backgrounds = np.random.default_rng(0).integers(0, 4, (70, 200)).astype(np.uint8)
    words = np.random.default_rng(1).integers(0, 4, (5, 8)).astype(np.uint8)
    words[0, 3] = 9
    direct = []
    for word in words:
        rows = backgrounds.copy()
        rows[:, 90:98] = np.where(word == 9, rows[:, 90:98], word)
        direct.append(predictor.predict(rows).mean())
    for one in (predictor, quick):
        found = (
            EditedBackgrounds(one, backgrounds)
            .answers(words, at=90, task=0)
            .mean(axis=1)
        )
        np.testing.assert_allclose(found, direct, rtol=1e-4)
    other = cg.TorchPredictor(
        torch.nn.Sequential(*net[:-1], torch.nn.Linear(384, 1)),
        tasks=["a"],
        device="cpu",
    )
    both = cg.Ensemble([predictor, other])
    assert all(part.incremental for part in both.with_incremental_edits(200).parts)
    assert rbfox1.with_incremental_edits(41) is rbfox1


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_a_task_that_answers_nothing_has_no_rows():
    def answer(x):
        live = rbfox1.predict(x.argmax(axis=1).astype(np.uint8))[:, 0]
        return np.stack([live, np.zeros(len(x))], axis=1)

    two = cg.FunctionPredictor(answer, tasks=["live", "dead"], scale="log intensity")
    found = cg.discover(two, planted(80, "TGCATG", "AGAATG"), n_units=100, rng=0)
    assert set(found.table["task"]) == {"live"}
    assert set(found.pairs["task"]) <= {"live"}


@pytest.mark.simulation
def test_a_word_holds_in_most_members_of_an_ensemble():
    """Two of three read TGCATG, one with half the effect: effect, interval and q are
    those of the second.
    """
    weights = 0.05 * np.random.default_rng(0).normal(size=(4, 41))

    def answer(share):
        def one(x):
            return (
                share * rbfox1.predict(x.argmax(axis=1).astype(np.uint8))[:, 0]
                + (x * weights).sum(axis=(1, 2))
            )[:, None]

        return cg.FunctionPredictor(
            one, tasks=["RBFOX1"], scale="log intensity", fingerprint=f"share {share}"
        )

    members = [answer(share) for share in (1.0, 0.5, 0.0)]
    found = cg.discover(
        cg.Ensemble(members),
        planted(80, "TGCATG", "AGAATG"),
        n_units=100,
        method="seqlets",
        rng=0,
    )
    best = found.table.iloc[0]
    assert best["consensus"] in "UTGCATGT"
    assert best["members"] == 2
    alone = found.decisions.sel(contrast=best["consensus"], task="RBFOX1")
    # verdict, effect, interval and q are those of the median network
    for name in ("ace", "lower", "upper", "q"):
        assert best[name] == np.sort(alone[name])[1]
    assert best["lower"] > np.sort(alone["rope_upper"])[1]


def reader(seed, *shares, weakly=0.05):
    """A predictor that reads two motifs by their share, and the composition weakly:
    every motif has a small effect.
    """
    weak = np.random.default_rng(seed).normal(size=(8, 4, 5))

    def answer(x):
        out = np.zeros(len(x))
        if weakly:
            seen = np.lib.stride_tricks.sliding_window_view(x, 5, axis=2)
            out += weakly * np.maximum(
                np.tensordot(seen, weak, axes=((1, 3), (1, 2))), 0
            ).mean(axis=(1, 2))
        letters = decode(x.argmax(axis=1).astype(np.uint8))
        for share, word in zip(shares, ("GATTACA", "CCGTAAC"), strict=True):
            out += 2 * share * np.array([word in row for row in letters])
        return out[:, None]

    return cg.FunctionPredictor(
        answer,
        tasks=["act"],
        scale="units",
        fingerprint=f"reader {seed} {shares} {weakly}",
    )


def with_both_words():
    """120 sequences of 60 bases, each motif in 7 of 10."""
    generator = np.random.default_rng(0)
    tokens = generator.choice(4, size=(120, 60)).astype(np.uint8)
    for row in tokens:
        for word in ("GATTACA", "CCGTAAC"):
            if generator.random() < 0.7:
                at = generator.integers(0, 54)
                row[at : at + 7] = encode([word])[0]
    return tokens


@pytest.mark.simulation
def test_only_words_that_are_read_hold_where_a_background_has_one_of_them():
    """A shuffle has GATTACA in its middle: most wide random sequences take it away, all
    with the error of one unit.
    """
    members = [reader(seed, 1.0, share) for seed, share in enumerate((1.0, 0.0, 0.0))]
    tokens = with_both_words()
    found = cg.discover(
        cg.Ensemble(members), tokens, n_units=60, method="seqlets", rng=0
    )
    assert found.confirmed[["consensus", "verdict", "members"]].values.tolist() == [
        ["GATTACA", "increases", 3]
    ]
    assert found.table.set_index("consensus").loc[
        "CCGTAAC", ["verdict", "members"]
    ].tolist() == ["undecided", 1]


def test_motifs_of_one_effect_in_all_units_of_few_sequences_are_found():
    network = cg.zoo.Oracle(cg.zoo.MotifCount("TGACTCAT", 2.0))
    rows = planted(80, "TGACTCAT", length=60)
    few = cg.discover(network, rows[:40], n_units=100, method="seqlets", rng=0)
    assert few.table.loc[0, ["consensus", "ace", "verdict"]].tolist() == [
        "TGACTCAT",
        2.0,
        "increases",
    ]


@pytest.mark.simulation
def test_a_member_that_reads_whole_words_alone_takes_no_fence_from_the_others():
    """Nearly all random sequences have one effect in that member, and none has in the
    two others.
    """
    members = [
        reader(0, 1.0, 1.0),
        reader(1, 1.0, 1.0),
        reader(2, 1.0, 1.0, weakly=0.0),
    ]
    found = cg.discover(
        cg.Ensemble(members), with_both_words(), n_units=60, method="seqlets", rng=0
    )
    assert sorted(found.confirmed[["consensus", "members"]].values.tolist()) == [
        ["CCGTAAC", 3],
        ["GATTACA", 3],
    ]


@pytest.mark.simulation
def test_a_task_in_which_no_placebo_word_acts_has_its_verdicts_and_pairs_only_of_words_that_hold():
    """The second task reads whole motifs alone, the third nothing."""
    one, other = reader(0, 1.0, 1.0), reader(1, 1.0, 1.0, weakly=0.0)

    def answer(x):
        return np.concatenate(
            [
                one.predict(x.argmax(axis=1).astype(np.uint8)),
                whole(x),
                np.ones((len(x), 1)),
            ],
            axis=1,
        )

    def whole(x):
        return other.predict(x.argmax(axis=1).astype(np.uint8))

    network = cg.FunctionPredictor(
        answer, tasks=["x", "y", "z"], scale="units", fingerprint="three tasks"
    )
    with pytest.warns(DegenerateWarning):
        found = cg.discover(
            network, with_both_words(), n_units=60, method="seqlets", rng=0
        )
    assert set(found.table["task"]) == {"x", "y"}
    assert set(
        found.confirmed[["consensus", "task"]].itertuples(index=False, name=None)
    ) == {(word, task) for word in ("GATTACA", "CCGTAAC") for task in "xy"}
    assert sorted(found.pairs["task"]) == ["x", "y"]


def test_a_word_that_most_members_agree_on_has_the_effect_of_their_median():
    """Two members have -0.5 and -0.6, and one 2: the mean is positive, and two of three
    read it as lowering.
    """
    terms = [cg.zoo.MotifCount("AGAATG", 2.0)]
    members = [
        cg.zoo.Oracle(cg.zoo.MotifCount("TGCATG", size), *terms)
        for size in (-0.5, -0.6, 2.0)
    ]
    found = cg.discover(
        cg.Ensemble(members),
        planted(80, "TGCATG", "AGAATG"),
        n_units=100,
        method="seqlets",
        rng=0,
    )
    rows = found.table.set_index("consensus")
    each = found.decisions["ace"].sel(contrast="TGCATG").to_numpy().ravel()
    assert each.mean() > 0
    assert rows.loc["TGCATG", "ace"] == np.sort(each)[1] < 0
    assert rows.loc["TGCATG", "upper"] < 0
    assert rows.loc["TGCATG", ["verdict", "members"]].tolist() == ["decreases", 2]
    assert rows.loc["AGAATG", "verdict"] == "increases"


@pytest.mark.parametrize(
    ("curves", "reads"),
    [(np.exp, "synergistic"), (np.tanh, "saturating"), (np.positive, "")],
)
def test_pairs_read_alike_where_the_answer_curves(curves, reads):
    words = ("TGCATG", "CCTTAA", "AGAGCT")
    total = cg.zoo.Oracle(*(cg.zoo.MotifCount(word, 1.0) for word in words))
    network = cg.FunctionPredictor(
        lambda x: curves(total.predict(x.argmax(axis=1))), tasks=["y"], scale="none"
    )
    found = cg.discover(
        network, planted(150, *words), method="seqlets", n_units=100, rng=0
    )
    assert len(found.pairs) == 3
    if reads:
        assert (found.pairs["reads"] == reads).all()
