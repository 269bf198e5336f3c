# Imports from the inside: cores and families of matrices, by which JASPAR is compared.
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
    experiment = cg.experiments.motif_screen(NULL, motifs, n_units=60, **settings)
    predictor = cg.zoo.oracle("additive") if predictor is None else predictor
    return experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))


def test_cores_end_where_the_information_does():
    core = motif_core(Motif("GATA", WEAK * 3 + GATA + WEAK))
    assert core.probabilities == Motif("GATA", GATA).probabilities
    assert len(motif_core(Motif("one", [*WEAK, GATA[1], *WEAK, *WEAK]))) == 4
    with pytest.raises(CausalgiaError):
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
        **{"RBFOX1": rbfox, "RBFOX2": "TTGCATG", "SP1": "GGGCGGG", "NRF1": "GCGCCTC"},
        **{"twin": "TTGCATG"},
    }
    answer = screen(motifs, n_placebos=40)
    table = answer.findings["motifs"].sel(task="outcome")
    assert table["family"].values.tolist() == ["RBFOX2", "RBFOX2", "", "", "RBFOX2"]
    assert (
        table["effect"].sel(motif="twin") == table["effect"].sel(motif="RBFOX2")
    ).all()
    assert table["core"].sel(motif="RBFOX1").item() == "TGCATG"
    inside = table.sel(motif=["SP1", "NRF1"])
    assert (inside["effect"] >= inside["range_lower"]).all()
    assert (inside["effect"] <= inside["range_upper"]).all()
    assert table["motif"].values[table["inside"]].tolist() == ["SP1", "NRF1"]
    widths = answer.decisions["placebo_class"].sel(
        contrast=~answer.decisions["is_placebo"]
    )
    assert set(widths.values.tolist()) == {7}
    assert answer.draw() is not None


def test_widths_up_to_a_fifth_apart_share_random_sequences_of_each_of_them():
    words = np.array(list("ACGT"))[np.random.default_rng(0).integers(0, 4, (9, 24))]
    widths = [5, 6, 7, 10, 11, 12, 13, 20, 24]
    motifs = {f"m{n}": "".join(word[:n]) for n, word in zip(widths, words, strict=True)}
    experiment = cg.experiments.motif_screen(NULL, motifs, n_placebos=40)
    classes = experiment.labels["placebo_class"]
    assert [classes[f"m{n} +"] for n in widths] == [6, 6, 7, 12, 12, 12, 13, 24, 24]
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
    experiment = cg.experiments.motif_screen(NULL, given, n_placebos=40)
    assert experiment.arm_names[:3] == ["untreated", "one +", "one -"]


@pytest.mark.simulation
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
        null, shared / "data/motifs/jaspar2020_subset.meme", n_units=10, n_placebos=40
    )
    answer = experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))
    assert (answer.findings["motifs"]["family"] == "").all()
    assert answer.findings["motifs"]["inside"].mean() > 0.7


@pytest.mark.parametrize(
    "one",
    [
        np.array(GATA),
        GATA,
        cg.motif(GATA, name="one"),
        dict(zip("ACGT", np.transpose(GATA), strict=True)),
    ],
    ids=["array", "table", "motif", "letters"],
)
def test_one_motif_is_no_list(one):
    """Rows of a table were taken for motifs, and columns of letters for four of them."""
    with pytest.raises(CausalgiaError):
        cg.experiments.motif_screen(NULL, one)
    assert cg.experiments.motif_screen(NULL, {"motif 1": one}).named_arms


def test_jaspar_is_its_name_in_any_case(tmp_path, monkeypatch):
    pytest.importorskip("pyjaspar")
    monkeypatch.chdir(tmp_path)
    arms = cg.experiments.motif_screen(NULL, "jaspar", taxon="nematodes").named_arms
    assert len(arms) > 100
    (tmp_path / "jaspar").write_text(
        ">one\nA [9 0 0 1]\nC [0 9 0 0]\nG [0 0 9 0]\nT [0 0 0 8]\n"
    )
    arms = cg.experiments.motif_screen(NULL, "jaspar").named_arms
    assert [arm.name for arm in arms][1] == "one"


def test_what_is_beyond_the_range_by_its_effect_alone_is_not_inside():
    steps = np.arange(41) * 0.1

    def answers(x):  # a rare word acts in a few backgrounds
        noise = (x.argmax(-1) * steps).sum(axis=1) % 1 / 10
        holds = (x[:, 17:23].argmax(-1) == [3, 2, 1, 0, 3, 2]).all(axis=1)
        return noise + np.where(holds & (noise > 0.09), 1.0, 0.0)

    predictor = cg.FunctionPredictor(answers, layout="NLC", scale="score")
    answer = screen({"rare": "TGCATG", "none": "GGGCGG"}, predictor, n_placebos=40)
    table = answer.findings["motifs"].isel(task=0)
    assert not table["inside"].sel(motif="rare")
    assert (table["family"] == "").all()


def test_two_versions_of_a_matrix_are_one_family_by_letters():
    """Of 146 pairs none was split, and .013 of pairs of two classes were
    merged.
    """
    pytest.importorskip("pyjaspar")
    from causalgia.sequences.motif_names import core_motifs, factor_class

    older = {str(x.identifier)[:6]: x for x in core_motifs(release="JASPAR2020")}
    pairs = [
        (one, older[str(one.identifier)[:6]])
        for one in core_motifs(release="JASPAR2024")
        if str(one.identifier)[:6] in older
        and older[str(one.identifier)[:6]].probabilities != one.probabilities
        and 6 <= len(motif_core(one)) <= 20
        and factor_class(one).tf_class
    ]
    chosen = np.random.default_rng(0).choice(len(pairs), 40, replace=False)
    listed = [motif_core(x) for k in chosen for x in pairs[k]]
    family = np.array(motif_families(listed))
    assert (family[::2] == family[1::2]).mean() >= 0.95
    kind = np.array([factor_class(pairs[k][0]).tf_class for k in chosen])
    other = kind[:, None] != kind
    assert (family[::2, None] == family[::2])[other].mean() <= 0.03


def test_a_motif_of_a_file_without_a_core_does_not_stop_the_others(tmp_path):
    # "leave the motif out", of one of a file of 800
    path = tmp_path / "all.jaspar"
    words = {"GATA": "AGATAAG", "flat": "NNNNNNNN", "TA": "TA", "wide": "ACGT" * 11}
    counts = {
        name: cg.sequences.Motif.from_iupac(word).probabilities
        for name, word in words.items()
    }
    path.write_text(
        "".join(
            f">M{i} {name}\n"
            + "".join(
                f"{base} [ {' '.join(f'{12 * row[k]:g}' for row in rows)} ]\n"
                for k, base in enumerate("ACGT")
            )
            for i, (name, rows) in enumerate(counts.items())
        )
    )
    null = cg.Uniform(length=40)
    screen = cg.experiments.motif_screen(null, path, n_units=40)
    outcomes = cg.run(screen, cg.zoo.oracle("gata1_like"), rng=0, progress=False)
    answer = screen.analyze(outcomes, rng=0)
    assert answer.findings["motifs"]["motif"].values.tolist() == ["GATA"]
    assert any("flat" in text for text in answer.sentences)
    with pytest.raises(CausalgiaError):
        cg.experiments.motif_screen(null, {"mine": np.full((5, 4), 3)})


def test_the_strand_that_a_database_prints_decides_nothing():
    """The network reads TGAGTCA on the forward strand alone."""
    letters = ["ACGT".index(x) for x in "TGAGTCA"]
    windows = np.lib.stride_tricks.sliding_window_view
    noise = np.random.default_rng(7).normal(size=(41, 4)) * 0.05

    def answers(x):
        found = (windows(x.argmax(-1), 7, axis=1) == letters).all(-1).any(1)
        return 0.6 * found + (x * noise).sum((1, 2))

    predictor = cg.FunctionPredictor(answers, layout="NLC", scale="score")
    found = {
        word: screen({"AP1": word, "none": "GTACCATG"}, predictor)
        .findings["motifs"]
        .sel(motif="AP1")
        .isel(task=0)
        for word in ("TGAGTCA", "TGACTCA")
    }
    strands = [one["strand"].item() for one in found.values()]
    assert strands == ["+", "-"]
    np.testing.assert_allclose([one["effect"] for one in found.values()], 0.6, atol=0.1)
    assert all(abs(one["other_strand"]) < 0.1 for one in found.values())


def test_a_member_of_another_class_leaves_the_family_of_a_screen():
    rows = Motif.from_iupac("TGCATG").probabilities
    motifs = {
        name: Motif(name, rows if name != "far" else rows[:5], tf_class=of)
        for name, of in (("a", "one"), ("b", "one"), ("far", "two"))
    }
    predictor = cg.zoo.Oracle(
        cg.zoo.MotifCount("TGCAT", 1.0), cg.zoo.MotifCount("TGCATG", 1.0), scale="score"
    )
    table = screen(motifs, predictor).findings["motifs"].isel(task=0)
    assert table["family"].values.tolist() == ["a", "a", "far"]


def test_no_random_sequence_holds_a_motif_that_is_compared_with_it():
    rows = np.full((7, 4), 0.1) + 0.6 * np.eye(4)[[0, 2, 0, 3, 0, 0, 2]]
    matrix = Motif("matrix", rows.tolist())
    experiment = cg.experiments.motif_screen(
        NULL, {"matrix": matrix, "word": "TGACTCAC"}, n_placebos=400
    )
    words = [
        name.removeprefix("placebo ")
        for name in experiment.arm_names
        if "placebo" in name
    ]
    for one in (matrix, "TGACTCAC"):
        for word in words:
            tokens = cg.sequences.encode(["A" * 20 + word])[:, 20:]
            if len(word) >= len(one):
                assert not len(cg.sequences.find_instances(tokens, one))
