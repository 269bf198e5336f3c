"""Which known motifs does a network read? A database names one site dozens of times, and
the answer is a family (stuart-lab/signac#1967, fmicompbio/monaLisa#8).
"""

import importlib.util

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import CausalgiaError
from causalgia.sequences import Motif
from causalgia.sequences.motif_alignments import motif_core, motif_families

pytestmark = pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
WEAK = [[0.3, 0.2, 0.3, 0.2]]
GATA = [[0.5, 0, 0, 0.5], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
NULL = cg.Uniform(length=41)


def screen(motifs, predictor=None, **settings):
    experiment = cg.experiments.motif_screen(motifs, NULL, n_units=60, **settings)
    predictor = cg.zoo.oracle("additive") if predictor is None else predictor
    return experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))


def test_cores_end_where_the_information_does():
    core = motif_core(Motif("GATA", WEAK * 3 + GATA + WEAK))
    assert core.probabilities == Motif("GATA", GATA).probabilities
    assert len(motif_core(Motif("one", [*WEAK, GATA[1], *WEAK, *WEAK]))) == 4
    with pytest.raises(CausalgiaError, match="no position of 0.25 bits"):
        motif_core(Motif("none", WEAK * 6))


def test_families_are_of_both_strands_without_chains():
    forkheads = ["TGTTTAC", "GTAAACA", "TGTTTGC", "TTGTTTAC", "TGTTTATA"]
    others = ["TGACTCA", "TGACGTCA", "ATGACTCAT"]
    made = [Motif.from_iupac(x) for x in [*forkheads, *others]]
    assert motif_families(made) == [0, 0, 0, 0, 0, 5, 6, 5]
    pair = [Motif.from_iupac(x) for x in ("TGTTTAC", "GTAAACA")]
    assert motif_families(pair, both_strands=False) == [0, 1]
    # likeness is to the leader alone: the third is near the second, not the first
    chain = [Motif.from_iupac(x) for x in ("AAAACCC", "AAAATCC", "AAAATGG")]
    assert motif_families(chain, both_strands=False) == [0, 0, 2]


def test_what_is_read_is_named_by_family_and_the_rest_lies_inside():
    rbfox = np.eye(4)[[3, 2, 1, 0, 3, 2]] * 0.7 + 0.075
    motifs = {
        **{"RBFOX1": rbfox, "RBFOX2": "TTGCATG", "SP1": "GGGCGGG", "NRF1": "GCGCATG"},
        **{"twin": "TTGCATG"},
    }
    answer = screen(motifs, n_placebos=40)
    table = answer.findings["motifs"].sel(task="outcome")
    assert table["family"].values.tolist() == ["RBFOX2", "RBFOX2", "", "", "RBFOX2"]
    assert (
        table["effect"].sel(motif="twin") == table["effect"].sel(motif="RBFOX2")
    ).all()
    assert table["core"].sel(motif="RBFOX1").item() == "TGCATG"
    # instances are often not the site
    assert table["drawn"].sel(motif="RBFOX1") < 0.5 * table["effect"].sel(
        motif="RBFOX1"
    )
    assert table["drawn"].sel(motif="SP1") == table["effect"].sel(motif="SP1")
    inside = table.sel(motif=["SP1", "NRF1"])
    assert (inside["effect"] >= inside["range_lower"]).all()
    assert (inside["effect"] <= inside["range_upper"]).all()
    assert table["motif"].values[table["inside"]].tolist() == ["SP1", "NRF1"]
    assert answer.sentences[0].startswith("Task outcome: 3 of 5 motifs, 1 family, have")
    assert "drawn instances +" in answer.sentences[0]
    assert "2 motifs lie inside of the range of random sequences" in answer.details[0]
    widths = answer.decisions["placebo_class"].sel(
        contrast=~answer.decisions["is_placebo"]
    )
    assert set(widths.values.tolist()) == {7}
    assert answer.draw() is not None


def test_widths_up_to_a_fifth_apart_share_random_sequences_of_each_of_them():
    words = np.array(list("ACGT"))[np.random.default_rng(0).integers(0, 4, (9, 24))]
    widths = [5, 6, 7, 10, 11, 12, 13, 20, 24]
    motifs = {f"m{n}": "".join(word[:n]) for n, word in zip(widths, words, strict=True)}
    experiment = cg.experiments.motif_screen(motifs, NULL, n_placebos=40)
    classes = experiment.labels["placebo_class"]
    assert [classes[f"m{n}"] for n in widths] == [6, 6, 7, 12, 12, 12, 13, 24, 24]
    drawn = [name.removeprefix("placebo ") for name in classes if "placebo" in name]
    for widest, own in {6: (5, 6), 7: (7,), 12: (10, 11, 12), 13: (13,)}.items():
        sizes = [len(x) for x in drawn if classes[f"placebo {x}"] == widest]
        counts = [sizes.count(n) for n in own]
        assert sum(counts) == len(sizes) == 40
        assert max(counts) - min(counts) <= 1
    middles = {
        arm.intervention.at + len(drawn_from) / 2
        for arm in experiment.named_arms
        if (drawn_from := arm.name.removeprefix("placebo ")) != arm.name
    }
    assert max(middles) - min(middles) <= 1  # all about one place


@pytest.mark.parametrize("kind", ["dict", "file", "list"])
def test_lists_of_motifs(kind, tmp_path):
    file = tmp_path / "m.meme"
    rows = "\n".join(" ".join(map(str, row)) for row in GATA)
    file.write_text(
        "MEME version 4\n\nALPHABET= ACGT\n\nMOTIF one\n"
        f"letter-probability matrix: alength= 4 w= 5 nsites= 20\n{rows}\n"
    )
    given = {
        "dict": {"one": GATA},
        "file": file,
        "list": [cg.motif(GATA, name="one")],
    }[kind]
    experiment = cg.experiments.motif_screen(given, NULL, n_placebos=40)
    assert [arm.name for arm in experiment.named_arms][:3] == [
        *("untreated", "one", "one, drawn instances")
    ]


def test_lists_that_cannot_be():
    with pytest.raises(CausalgiaError, match="two motifs are called 'one'"):
        cg.experiments.motif_screen([cg.motif(GATA, name="one")] * 2, NULL)
    with pytest.raises(CausalgiaError, match="'wide': its core of 44 bases"):
        cg.experiments.motif_screen({"wide": "ACGT" * 11}, NULL)
    with pytest.raises(CausalgiaError, match="no list of motifs"):
        cg.experiments.motif_screen(3, NULL)


@pytest.mark.rotating
@pytest.mark.real
@pytest.mark.torch
@pytest.mark.parametrize("kind", ["single", "counting", "heterodimer"])
def test_a_network_that_learned_nothing_names_nothing(kind, shared):
    folder = shared / "data/models/dragonn_simulated"
    spec = importlib.util.spec_from_file_location("arch_dragonn", folder / "arch.py")
    arch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
    network = arch.load(folder / f"{kind}_n1000.safetensors")
    predictor = cg.TorchPredictor(network, tasks=["y"], device="cpu")
    null = cg.Uniform(length=getattr(network, "length", None) or arch.LENGTH)
    experiment = cg.experiments.motif_screen(
        shared / "data/motifs/jaspar2020_subset.meme", null, n_units=10, n_placebos=40
    )
    answer = experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))
    assert (answer.findings["motifs"]["family"] == "").all()
    assert answer.findings["motifs"]["inside"].mean() > 0.7
    assert answer.sentences[0].startswith("Task y: none of 13 motifs has an effect")
    assert answer.sentences[0].endswith("inside it.")
