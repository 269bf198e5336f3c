"""What settings of the catalogue may be: null models, words, motifs by name, file or table; and the sites they add."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import DesignError
from causalgia.experiments.further_sites import further_sites
from causalgia.experiments.settings import site
from causalgia.zoo import Oracle, Word

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


# --- null models ------------------------------------------------------------------------------------------------------

OF_BACKGROUNDS = [
    name
    for name in cg.experiments.entries()
    if next(iter(inspect.signature(getattr(cg.experiments, name)).parameters)) == "null"
]


@pytest.mark.parametrize("name", OF_BACKGROUNDS)
@pytest.mark.parametrize("null", ["uniform", 5, None, ["ACGT"], np.zeros((2, 4)), cg.Uniform])
def test_what_is_no_null_model_is_refused_by_every_experiment(name, null):
    with pytest.raises(DesignError, match="is not a null model, such as cg.Uniform"):
        getattr(cg.experiments, name)(null)


# --- words and motifs -------------------------------------------------------------------------------------------------


def test_a_site_is_a_word_or_what_motif_makes_one_of(tmp_path):
    path = tmp_path / "toy.meme"
    path.write_text(MEME)
    assert [site(word, "word") for word in ("ugcaug", "WGATAR", "SRY")] == ["UGCAUG", "WGATAR", "SRY"]
    assert site("GATA1", "word") == site("MA0035", "word") == cg.motif("GATA1")
    assert site(PFM, "word") == site(dict(zip("ACGT", PFM.T, strict=True)), "word") == cg.motif(PFM)
    from_file = [site(given, "word") for given in (path, str(path), {"file": str(path), "motif": "toy"})]
    assert {motif.consensus for motif in from_file} == {"GA"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda given: cg.experiments.position(word=given, n_units=20),
        lambda given: cg.experiments.copies(word=given, n_units=20),
        lambda given: cg.experiments.spacing(word=given, distances=[9, 10], n_units=20),
        lambda given: cg.experiments.flanks(word=given, n_units=20),
        lambda given: cg.experiments.composition_bias(word=given, n_units=20),
        lambda given: cg.experiments.motif_pair(first=given, second="AACAAT", distances=[12, 20], n_units=20),
        lambda given: cg.experiments.motif_pairs(motifs={"a": given, "b": "AACAAT"}, distances=[20], n_units=20),
    ],
)
def test_sites_come_by_name_and_table_and_near_names_are_suggested(ask):
    for given in ("GATA1", PFM):
        assert ask(given).n_units == 20
    with pytest.raises(DesignError, match="did you mean 'GATA1'"):
        ask("GATTA1")


def test_a_pattern_that_is_no_word_is_pointed_to_motif():
    with refused(
        "letter '1' at position 4 is not an IUPAC letter (ACGTURYSWKMBDHVN); a motif by its name or file is cg.mo"
    ):
        cg.Embed("GATA1", at=3)
    with refused("cg.motif() makes a Motif of a table"):
        cg.Embed(PFM, at=3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (5, "words=5 is no list of words"),
        ({"UGCAUG": 1}, "is no list of words"),
        (["GATA1"], "words: 'GATA1' is not a word of A C G T (U)"),
        ([3], "words: 3 is not a word"),
        ([cg.Motif.from_word("GATA")], "words: 'GATA' is not a word"),
        (["GANA", ""], "'GANA' is not a word"),
    ],
)
def test_words_that_are_none(words, said):
    with refused(said):
        cg.experiments.word_screen(words=words, n_units=20)


# --- sites that neighbouring sites make -------------------------------------------------------------------------------

ADDITIVE = Oracle(Word("UGCAUG", 3.0), Word("GGG", 0.2), scale="score")


def sentences(experiment) -> tuple[str, ...]:
    return experiment.analyse(cg.run(experiment, ADDITIVE, rng=0, progress=False), rng=0).sentences


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
    assert found["UGCAUG"] == pytest.approx(truth, abs=4 * np.sqrt(truth * (1 - truth) / 2_000))


def test_sites_that_abut_make_one_more_without_any_letters_between():
    experiment = cg.experiments.copies(word="GAGA", at=(4, 8), n_units=50)
    assert further_sites(experiment, "2 copies", key=0) == {"GAGA": 1.0}


def test_backgrounds_that_are_few_are_all_scanned():
    null = cg.Genomic(of={"one": "ACGTTACCAAGGTTCA", "two": "ACGTTACAGGGGTTCA"})
    experiment = cg.experiments.copies(null, word="TTAC", at=(0, 6), n_units=2)
    between = [row[4:6] for row in ("ACGTTACCAAGGTTCA", "ACGTTACAGGGGTTCA")]
    assert between == ["TA", "TA"]
    assert further_sites(experiment, "2 copies", key=0) == {"TTAC": 0.0}
    completed = cg.experiments.copies(null, word="ATAA", at=(0, 6), n_units=2)  # A TA A
    assert further_sites(completed, "2 copies", key=0) == {"ATAA": 1.0}


def test_a_motif_s_further_instances_count():
    for word in ("GATA1", cg.Motif("flat", ((0.25,) * 4,) * 5), "NNNN"):
        experiment = cg.experiments.copies(word=word, at=(2, 10), n_units=50)
        (share,) = further_sites(experiment, "2 copies", key=0).values()
        assert 0 <= share <= 1


def test_the_answer_says_it_where_it_is_more_than_one_percent():
    once = re.compile(
        r'In 1\d % of backgrounds the sites of "3 copies" and the letters between them read UGCAUG once more, on '
        r"either strand: what it does is part of the curvature and the excess\."
    )
    assert once.fullmatch(sentences(cg.experiments.copies(n_units=200))[-1])
    assert len(sentences(cg.experiments.copies(at=(4, 13, 22), n_units=200))) == 1
    *_, said = sentences(cg.experiments.spacing(distances=[4, 8, 9], n_units=200))
    assert re.match(r'In \d % of backgrounds the sites of "UGCAUG at 14, UGCAUG at 22"', said)
    assert said.endswith("is part of the interaction at 8.")
    assert len(sentences(cg.experiments.spacing(n_units=200))) == 1


@pytest.mark.parametrize("name", OF_BACKGROUNDS)
def test_a_region_that_cannot_be_is_refused_when_the_experiment_is_made(name):
    build = getattr(cg.experiments, name)
    with pytest.raises(DesignError, match="rope=None leaves no verdict; give two numbers"):
        build(rope=None)
    if name != "word_screen":
        with pytest.raises(
            DesignError, match="rope = 'placebo' needs contrasts of 40 or more placebo words, and there are 0"
        ):
            build(rope="placebo")
