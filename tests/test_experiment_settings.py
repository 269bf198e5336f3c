"""What settings of the catalogue may be: null models, strings, motifs by name, file or
table; and the sites they add.
"""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import causalgia as cg
from causalgia.design.intervention import Layout
from causalgia.errors import CausalgiaError, DegenerateWarning, DesignError
from causalgia.experiments.kit.sites import as_site, further_sites
from causalgia.zoo import MotifCount, Oracle

PFM = np.array([[0, 0, 9, 1], [8, 1, 1, 0], [0, 0, 0, 7], [9, 0, 1, 0]])
MEME = """MEME version 4

ALPHABET= ACGT

MOTIF toy
letter-probability matrix: alength= 4 w= 2 nsites= 10
0.0 0.0 0.9 0.1
0.8 0.1 0.1 0.0
"""


def refused(message: str):
    return pytest.raises(DesignError, match=re.escape(message))


# --- null models ----------------------------------------------------------------------

OF_BACKGROUNDS = [
    name
    for name in cg.experiments.entries()
    if next(iter(inspect.signature(getattr(cg.experiments, name)).parameters)) == "null"
]


@pytest.mark.parametrize("name", OF_BACKGROUNDS)
@pytest.mark.parametrize(
    "null", ["uniform", 5, None, ["ACGT"], np.zeros((2, 4)), cg.Uniform]
)
def test_what_is_no_null_model_is_refused_by_every_experiment(name, null):
    with pytest.raises(DesignError, match=r"\bnot a null model, such as cg.Uniform"):
        getattr(cg.experiments, name)(null)


# --- strings and motifs ---------------------------------------------------------------


def test_a_site_is_a_word_or_what_motif_makes_one_of(tmp_path):
    path = tmp_path / "toy.meme"
    path.write_text(MEME)
    assert [as_site(word, "motif") for word in ("ugcaug", "WGATAR", "SRY")] == [
        "UGCAUG",
        "WGATAR",
        "SRY",
    ]
    assert as_site("GATA1", "motif") == as_site("MA0035", "motif") == cg.motif("GATA1")
    assert (
        as_site(PFM, "motif")
        == as_site(dict(zip("ACGT", PFM.T, strict=True)), "motif")
        == cg.motif(PFM)
    )
    from_file = [
        as_site(given, "motif")
        for given in (path, str(path), {"file": str(path), "motif": "toy"})
    ]
    assert {motif.consensus for motif in from_file} == {"GA"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda given: cg.experiments.position(motif=given, n_units=20),
        lambda given: cg.experiments.copies(motif=given, n_units=20),
        lambda given: cg.experiments.spacing(
            motif=given, distances=[9, 10], n_units=20
        ),
        lambda given: cg.experiments.flanks(motif=given, n_units=20),
        lambda given: cg.experiments.composition_bias(motif=given, n_units=20),
        lambda given: cg.experiments.motif_pair(
            motif=given, other="AACAAT", distances=[12, 20], n_units=20
        ),
        lambda given: cg.experiments.motif_pairs(
            motifs={"a": given, "b": "AACAAT"}, distances=[20], n_units=20
        ),
    ],
)
def test_sites_come_by_name_and_table_and_near_names_are_suggested(ask):
    for given in ("GATA1", PFM):
        assert ask(given).n_units == 20
    with pytest.raises(DesignError, match="did you mean 'GATA1'"):
        ask("GATTA1")


def test_a_pattern_that_is_no_word_is_pointed_to_motif():
    with refused(
        "letter '1' at position 4 is not an IUPAC letter (ACGTURYSWKMBDHVN); a motif "
        "by its name or file is cg.mo"
    ):
        cg.Embed("GATA1", at=3)
    with refused("cg.motif() makes a Motif of a table"):
        cg.Embed(PFM, at=3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (5, "motifs=5 is not a list of strings"),
        ({"UGCAUG": 1}, "is not a list of strings"),
        (["GATA1"], "motifs: 'GATA1' is not a string of A C G T (U)"),
        ([3], "motifs: 3 is not a string"),
        ([cg.sequences.Motif.from_iupac("GATA")], "motifs: 'GATA' is not a string"),
        (["GANA", ""], "'GANA' is not a string"),
    ],
)
def test_words_that_are_none(words, said):
    with refused(said):
        cg.experiments.kmer_screen(motifs=words, n_units=20)


# --- sites that neighboring sites make ------------------------------------------------

ADDITIVE = Oracle(MotifCount("UGCAUG", 3.0), MotifCount("GGG", 0.2), scale="score")


def further(experiment) -> tuple[str, ...]:
    return experiment.analyze(
        cg.run(experiment, ADDITIVE, rng=0, progress=False), rng=0
    ).details


@pytest.mark.parametrize(
    ("at", "truth"),
    [
        ((4, 12), 1 / 16),  # UG CA UG
        ((4, 12, 20), 1 - (15 / 16) ** 2),
        ((20, 4, 12), 1 - (15 / 16) ** 2),
        ((4, 13, 22), 0.0),
        ((4, 14), 0.0),
        ((4, 30), 0.0),
    ],
)
def test_share_of_backgrounds_in_which_copies_make_one_more(at, truth):
    experiment = cg.experiments.copies(at=at, n_units=50)
    found = further_sites(experiment, f"{len(at)} copies", key=1)
    assert found["UGCAUG"] == pytest.approx(
        truth, abs=4 * np.sqrt(truth * (1 - truth) / 2_000)
    )


def test_sites_that_abut_make_one_more_without_any_letters_between():
    experiment = cg.experiments.copies(motif="GAGA", at=(4, 8), n_units=50)
    assert further_sites(experiment, "2 copies", key=0) == {"GAGA": 1.0}


def test_backgrounds_that_are_few_are_all_scanned():
    null = cg.Genomic(of={"one": "ACGTTACCAAGGTTCA", "two": "ACGTTACAGGGGTTCA"})
    experiment = cg.experiments.copies(null, motif="TTAC", at=(0, 6), n_units=2)
    between = [row[4:6] for row in ("ACGTTACCAAGGTTCA", "ACGTTACAGGGGTTCA")]
    assert between == ["TA", "TA"]
    assert further_sites(experiment, "2 copies", key=0) == {"TTAC": 0.0}
    completed = cg.experiments.copies(
        null, motif="ATAA", at=(0, 6), n_units=2
    )  # A TA A
    assert further_sites(completed, "2 copies", key=0) == {"ATAA": 1.0}


def test_a_motif_s_further_instances_count():
    for word in ("GATA1", cg.sequences.Motif("flat", ((0.25,) * 4,) * 5), "NNNN"):
        experiment = cg.experiments.copies(motif=word, at=(2, 10), n_units=50)
        (share,) = further_sites(experiment, "2 copies", key=0).values()
        assert 0 <= share <= 1


@pytest.mark.rotating(6)
def test_the_answer_says_it_where_it_is_more_than_one_percent():
    once = re.compile(
        r'In 1\d % of backgrounds the sites of "3 copies" and the letters between them '
        r"read UGCAUG once more, on "
        r"either strand: its effect is part of both excesses\."
    )
    assert once.fullmatch(
        further(cg.experiments.copies(at="published", n_units=200))[-1]
    )
    assert len(further(cg.experiments.copies(at=(4, 13, 22), n_units=200))) == 1
    *_, said = further(cg.experiments.spacing(distances=[4, 8, 9], n_units=200))
    assert re.match(
        r'In \d % of backgrounds the sites of "UGCAUG at 14, UGCAUG at 22"', said
    )
    assert said.endswith("is part of the interaction at 8.")
    assert not further(cg.experiments.spacing(n_units=200))


@pytest.mark.rotating
@pytest.mark.parametrize("name", OF_BACKGROUNDS)
def test_a_region_that_cannot_be_is_refused_when_the_experiment_is_made(name):
    build = getattr(cg.experiments, name)
    with pytest.raises(DesignError, match="and there is none; give rope="):
        build(rope=None)
    if name != "kmer_screen":
        with pytest.raises(
            DesignError,
            match=(
                "rope='placebo' needs contrasts of 40 or more placebos, and there are 0"
            ),
        ):
            build(rope="placebo")


# --- defaults follow the background ---------------------------------------------------


@pytest.mark.parametrize("name", OF_BACKGROUNDS)
def test_default_places_follow_the_length_of_the_background(name):
    """Nothing of a default lies where a site of 41-nt RNA would: what is written is
    about the center, or spread.
    """
    build = getattr(cg.experiments, name)
    written = []
    for length in (150, 151):
        experiment = build(
            cg.Uniform(length=length),
            **({"distances": [20]} if "motif_pair" in name else {}),
        )
        layouts = [
            arm.intervention.lay(Layout(length)).written
            for arm in experiment.named_arms[1:]
        ]
        spans = [(span.start, span.stop) for layout in layouts for span in layout]
        written.append(
            (min(start for start, _ in spans), max(stop for _, stop in spans))
        )
    (first, last), (_, further) = written
    assert last > 150 / 2 or first > 150 / 2 - 41
    if name not in ("composition_bias", "position", "fractional_factorial"):
        assert abs((first + last) / 2 - 75) <= 25
    assert further - last in (0, 1)


def test_in_41_bases_the_defaults_are_the_published_places():
    e = cg.experiments
    at = lambda made, i: made.named_arms[i].intervention.at  # noqa: E731
    assert at(e.kmer_screen(motifs=["UGCAUG"], n_units=5), 1) == 17
    assert at(e.affinity(n_units=5), 1) == 17
    assert at(e.motif_mutagenesis(n_units=5), 1) == 17
    assert (
        str(e.hairpin(n_units=5).named_arms[3].intervention)
        == "do(x[17:22] = GCUGG, x[24:33] = rc(x[8:17]))"
    )
    assert [at(e.composition_bias(n_units=5), i) for i in (1, 2)] == [17, 34]
    assert str(e.copies(at="published", n_units=5).named_arms[3].intervention) == (
        "do(x[4:10] = UGCAUG, x[12:18] = UGCAUG, x[20:26] = UGCAUG)"
    )


# --- which kind of claim --------------------------------------------------------------


@pytest.mark.rotating(6)
def test_every_experiment_states_its_kind_of_claim():
    kinds = {name: entry.claims for name, entry in cg.experiments.entries().items()}
    assert {name for name, kind in kinds.items() if kind == "screening"} == {
        "kmer_screen",
        "motif_screen",
        "variant_screen",
        "variants_across_contexts",
    }
    assert set(kinds.values()) == {"confirmatory", "screening"}
    for name in OF_BACKGROUNDS:
        made = getattr(cg.experiments, name)()
        assert made.claims == kinds[name]
        assert made.analysis.error == "fdr"


def test_the_number_of_contrasts_does_not_choose_the_error_rate():
    words = [f"{x}{a}{b}C" for x in "AG" for a in "ACGT" for b in "ACGT"]
    for n in (9, 29, 30):
        made = cg.experiments.kmer_screen(motifs=words[:n], rope=(-0.1, 0.1))
        assert made.analysis.error == "fdr"


# --- a task without a spread ----------------------------------------------------------


@pytest.mark.rotating(6)
@pytest.mark.parametrize(
    "name", [name for name in OF_BACKGROUNDS if "motif_pair" not in name]
)
def test_a_task_whose_control_does_not_vary_is_left_out_with_a_warning(name):
    def answers(x):
        gc = np.asarray(x)[:, 1:3].sum((1, 2))
        return np.stack([gc, 0 * gc, 2 * gc], axis=1)

    settings = {"n_units": 60} | (
        {"motifs": ["UGCAUG", "AAAAAA"]} if name == "kmer_screen" else {}
    )
    experiment = getattr(cg.experiments, name)(**settings)
    predictor = cg.FunctionPredictor(
        answers, tasks=["gc", "dead", "twice"], scale="bases"
    )
    with pytest.warns(DegenerateWarning) as caught:
        answer = experiment.analyze(
            cg.run(experiment, predictor, rng=0, progress=False), rng=0
        )
    assert any("no verdict on task 'dead'" in str(one.message) for one in caught)
    assert answer.tasks == ["gc", "twice"]
    assert answer.estimates["task"].values.tolist() == ["gc", "dead", "twice"]
    assert "no verdict on task 'dead'" in answer.decisions.attrs["notes"]
    assert "No verdict on task 'dead'" in " ".join(str(answer).split())
    assert not any(said.startswith("Task dead: UGCAUG") for said in answer.sentences)


def test_a_control_that_never_varies_still_ends_the_trial():
    experiment = cg.experiments.copies(n_units=60)
    dead = cg.FunctionPredictor(
        lambda x: np.asarray(x)[:, 0, 7:13].sum(1) * 0.0, tasks=["dead"], scale="bases"
    )
    with (
        pytest.warns(DegenerateWarning),
        pytest.raises(CausalgiaError, match="do not vary|does not vary"),
    ):
        experiment.analyze(cg.run(experiment, dead, rng=0, progress=False), rng=0)
