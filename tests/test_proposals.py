# Imports from the inside: which patterns are one, of words made by hand; fingerprints of both strands.
"""Proposals and their trial: planted motifs are proposed and confirmed, random ones are
not, units are fresh.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import causalgia as cg
from causalgia.attribution.distinct_patterns import (
    EditedBackgrounds,
    Pattern,
    each_motif_once,
    trimmed,
)
from causalgia.attribution.seqlets import groups, windows
from causalgia.errors import (
    DataError,
    DesignError,
    MissingExtraError,
    PredictorError,
)
from causalgia.multiplicity.placebo import placebo_fences
from causalgia.sequences import decode, encode
from causalgia.sequences.alphabet import reverse_complement, reverse_complement_iupac
from causalgia.sequences.fasta import sequence_fingerprints
from causalgia.zoo._true_ace import true_ace

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
    return cg.propose(
        cg.attribute(planted(150, *WORDS), rbfox1), predictor=rbfox1, rng=0
    )


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
    found = cg.propose(
        cg.attribute(rows, rbfox1), predictor=rbfox1, seqlets=table, rng=0
    )
    assert set(found["consensus"].values) == {"TGCATG", "AGAATG"}
    assert found["n_seqlets"].sum() == len(table)
    twice = pd.concat([table, table])
    assert cg.propose(
        cg.attribute(rows, rbfox1), predictor=rbfox1, seqlets=twice, rng=0
    )["n_seqlets"].sum() == len(table)
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
    trial = cg.experiments.proposals(cg.Uniform(length=41), found, n_units=100)
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


def test_maps_and_seqlets_of_others_propose_together():
    """As of a network that another program explained: the task has the name that the
    predictor gives it.
    """
    rows = planted(60, "TGCATG")
    scores = cg.attribution.contributions(cg.attribute(rows, rbfox1))[..., 0]
    table = seqlet_table(rows, "TGCATG")
    maps = cg.attribution.read_attributions(scores, sequences=rows, task="RBFOX1")
    found = cg.propose(maps, predictor=rbfox1, seqlets=table, rng=0)
    assert found["consensus"].values.tolist() == ["TGCATG"]
    other = cg.attribution.read_attributions(scores, sequences=rows)
    with pytest.raises(PredictorError):
        cg.propose(other, predictor=rbfox1, seqlets=table, rng=0)
    with pytest.raises(PredictorError):
        cg.propose(maps, predictor=rbfox1, rng=0)


def test_modisco_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "modiscolite", None)
    with pytest.raises(MissingExtraError):
        cg.propose(
            cg.attribute(planted(4, "TGCATG"), rbfox1),
            predictor=rbfox1,
            method="modisco",
            rng=0,
        )


def test_tasks_of_seqlets_are_named_where_there_are_several():
    gate = cg.zoo.oracle("gated")
    rows = planted(30, "AGATAAGG", length=60)
    places = [(k, row.find("AGATAAGG")) for k, row in enumerate(decode(rows))]
    table = pd.DataFrame(places, columns=["example_idx", "start"]).assign(
        end=lambda t: t["start"] + 8
    )
    with pytest.raises(PredictorError):
        cg.propose(cg.attribute(rows, gate), predictor=gate, seqlets=table, rng=0)
    found = cg.propose(
        cg.attribute(rows, gate),
        predictor=gate,
        seqlets=table.assign(task="sum"),
        rng=0,
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


def test_a_word_that_two_patterns_become_is_one():
    none = np.zeros((1, 3), dtype=np.int64)
    words = ("TGCATT", "ACGTGT", "AATGCA", "ACGTGT")
    patterns = [
        Pattern(word, np.full((6, 4), 0.25), 0, none + k, 1.0)
        for k, word in enumerate(words)
    ]
    one = each_motif_once(patterns, both_strands=False)
    assert [pattern.consensus for pattern in one] == ["TGCATT", "ACGTGT", "AATGCA"]
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
    rows, one = planted(60, "AGATAAG", "CTTATCT"), cg.zoo.MotifCount
    alike = cg.zoo.Oracle(one("AGATAAG", 2.0, "both"))
    apart = cg.zoo.Oracle(one("AGATAAG", 2.0), one("CTTATCT", 1.0))
    for oracle, spelled in ((alike, 1), (apart, 2)):
        found = cg.propose(cg.attribute(rows, oracle), predictor=oracle, rng=0)
        words = found["consensus"].values.tolist()
        assert sum(word in ("AGATAAG", "CTTATCT") for word in words) == spelled
        assert found.attrs["both_strands"] == (spelled == 1)


def test_planted_words_are_confirmed_on_fresh_units_at_their_true_effects(proposed):
    null = cg.Uniform(length=41)
    trial = cg.experiments.proposals(null, proposed, n_units=300)
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
    found = cg.propose(cg.attribute(sample, rbfox1), predictor=rbfox1, rng=0)
    for again in (cg.DinucleotideShuffle, cg.Genomic):
        for rows in (
            sample["sequence"].values,
            reverse_complement(sample["sequence"].values),
        ):
            with pytest.raises(DesignError):
                cg.experiments.proposals(again(of=rows), found)
    trial = cg.experiments.proposals(null, found, n_units=80)
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


@pytest.mark.parametrize("both", [0, 1])
def test_no_placebo_word_holds_a_proposed_one(both):
    """Random sequences are the same in every design, but for those that hold a motif
    that is tested.
    """
    null = cg.Uniform(length=41)
    proposed = cg.propose(
        cg.attribute(planted(60, "TGCATG"), rbfox1), predictor=rbfox1, rng=0
    )
    first = [
        arm.name
        for arm in cg.experiments.proposals(null, proposed).arms
        if arm.name.startswith("placebo ")
    ]
    held = next(
        name for name in first if len(name) == len("placebo ") + 8
    ).removeprefix("placebo ")[1:7]
    words = [held, *proposed["consensus"].values.tolist()[1:]]
    changed = proposed.assign_coords(consensus=("pattern", words)).assign_attrs(
        both_strands=both
    )
    trial = cg.experiments.proposals(null, changed)
    now = [arm.name for arm in trial.arms if arm.name.startswith("placebo ")]
    assert len(now) == len(first)
    assert not any(held in name for name in now)
    assert any(reverse_complement_iupac(held) in name for name in now) <= (not both)
    assert len(set(first) & set(now)) > 0.9 * len(first)


def test_a_verdict_against_the_sign_of_the_effect_is_said_to_be_relative():
    """All backgrounds have TGACTCA in the middle; random sequences destroy it, and it
    leaves them as they are.
    """
    reads = cg.zoo.Oracle(
        cg.zoo.MotifCount("TGACTCA", 2.0), cg.zoo.MotifCount("CC", 0.1)
    )
    rows = planted(100, "TGACTCA")
    found = cg.propose(cg.attribute(rows[:60], reads), predictor=reads, rng=0)
    arms = {
        arm.name: arm
        for arm in cg.experiments.proposals(cg.Uniform(length=41), found).arms
    }
    start = arms["TGACTCA"].intervention.at
    rows[60:, start : start + 7] = encode(["TGACTCA"])[0]
    for null, n in ((cg.Genomic(of=rows[60:]), 1), (cg.Uniform(length=41), 0)):
        trial = cg.experiments.proposals(null, found, n_units=40)
        answer = trial.analyze(cg.run(trial, reads, rng=1))
        word = answer.decisions.sel(contrast="TGACTCA", task="outcome")
        assert word["verdict"].item() == "increases"
        assert (word["ace"].item() == 0) == bool(n)


def test_natural_sequences_as_null_overlap_with_themselves():
    rows = planted(120, "TGCATG")
    network = cg.zoo.Oracle(
        cg.zoo.MotifCount("TGCATG", 2.0), cg.zoo.MotifCount("AC", 0.1)
    )
    found = cg.propose(cg.attribute(rows[:60], network), predictor=network, rng=0)
    for null, said in (
        (cg.DinucleotideShuffle(of=rows[60:]), True),
        (cg.Genomic(of=rows[60:]), False),
    ):
        trial = cg.experiments.proposals(null, found, n_units=60)
        outcomes = cg.run(trial, network, rng=1, real="parents")
        assert ("hardly overlap" in outcomes.attrs.get("notes", "")) == said


def test_words_are_compared_with_placebo_words_of_their_width():
    found = cg.propose(
        cg.attribute(planted(150, *WORDS), rbfox1), predictor=rbfox1, rng=0
    )
    trial = cg.experiments.proposals(
        cg.Uniform(length=41), found, n_units=60, n_placebos=40
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
        cg.Uniform(length=41), table, n_placebos=40, n_units=60, rope=(-0.3, 0.3)
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
