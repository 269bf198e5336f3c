# Imports from the inside: further sites, which letters between sites make.
"""What settings of the catalogue may be: null models, strings, motifs by name, file or
table; and the sites they add.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import numpy as np
import pytest

import causalgia as cg
from causalgia.design.intervention import Layout
from causalgia.errors import CausalgiaError, DegenerateWarning
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


# --- null models ----------------------------------------------------------------------

OF_BACKGROUNDS = [
    name
    for name in cg.experiments.entries()
    if next(iter(inspect.signature(getattr(cg.experiments, name)).parameters)) == "null"
]


NULL, RNA = cg.Uniform(length=60), cg.Uniform(length=41)
SITES = (
    "motif",
    "position",
    "copies",
    "spacing",
    "motif_mutagenesis",
    "hairpin",
    "composition",
    "flanks",
)
#: what an entry without a default needs
NEEDED = {
    **{key: {"motif": "UGCAUG"} for key in SITES},
    "affinity": {"kd": {"UGCAUG": 0.83, "UGUAUG": 280.0, "UGCACG": 4.9}},
    "pair": {"motif": "UGCAUG", "other": "GCACGA", "gaps": [20]},
    "pairs": {"motifs": ["UGCAUG", "GCACGA"], "gaps": [20]},
    "motif_screen": {"motifs": ["UGCAUG", "GCACGA"]},
}


# --- strings and motifs ---------------------------------------------------------------


def test_every_experiment_takes_its_null_model_first():
    for name in (*cg.experiments.entries(), "proposals", "site_pairs"):
        taken = inspect.signature(getattr(cg.experiments, name)).parameters
        needed = [key for key, one in taken.items() if one.default is one.empty]
        assert "null" not in needed or needed[0] == "null", name


@pytest.mark.parametrize("file", ["peaks.fa", Path("peaks.bed")])
def test_a_file_in_place_of_a_null_model_is_told_who_reads_it(file):
    for made in (
        lambda: cg.experiments.motif(file, "AGATAAG"),
        lambda: cg.experiments.motif_screen(file, ["AGATAAG"]),
        lambda: cg.experiments.site_pairs(file, None),
        lambda: cg.experiments.proposals(file, None),
    ):
        with pytest.raises(CausalgiaError) as caught:
            made()
        assert f"cg.Genomic(of={str(file)!r})" in str(caught.value)


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
        lambda given: cg.experiments.position(NULL, given, n_units=20),
        lambda given: cg.experiments.copies(NULL, given, n_units=20),
        lambda given: cg.experiments.spacing(NULL, given, gaps=[1, 4], n_units=20),
        lambda given: cg.experiments.flanks(NULL, given, n_units=20),
        lambda given: cg.experiments.composition(NULL, given, n_units=20),
        lambda given: cg.experiments.pair(
            NULL, given, other="AACAAT", gaps=[2, 4], n_units=20
        ),
        lambda given: cg.experiments.pairs(
            NULL, motifs={"a": given, "b": "AACAAT"}, gaps=[4], n_units=20
        ),
    ],
)
def test_sites_come_by_name_and_table_and_near_names_are_suggested(ask):
    for given in ("GATA1", PFM):
        assert ask(given).n_units == 20


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
    experiment = cg.experiments.copies(RNA, "UGCAUG", at=at, n_units=50)
    every = ", ".join(f"UGCAUG at {place}" for place in sorted(at))
    found = further_sites(experiment, every, key=1)
    assert found["UGCAUG"] == pytest.approx(
        truth, abs=4 * np.sqrt(truth * (1 - truth) / 2_000)
    )


def test_sites_that_abut_make_one_more_without_any_letters_between():
    experiment = cg.experiments.copies(RNA, "GAGA", at=(4, 8), n_units=50)
    assert further_sites(experiment, "GAGA at 4, GAGA at 8", key=0) == {"GAGA": 1.0}


def test_backgrounds_that_are_few_are_all_scanned():
    null = cg.Genomic(of={"one": "ACGTTACCAAGGTTCA", "two": "ACGTTACAGGGGTTCA"})
    over = {"at": (0, 6), "n_units": 2, "control": "untreated"}
    experiment = cg.experiments.copies(null, "TTAC", **over)
    between = [row[4:6] for row in ("ACGTTACCAAGGTTCA", "ACGTTACAGGGGTTCA")]
    assert between == ["TA", "TA"]
    assert further_sites(experiment, "TTAC at 0, TTAC at 6", key=0) == {"TTAC": 0.0}
    completed = cg.experiments.copies(null, "ATAA", **over)  # A TA A
    assert further_sites(completed, "ATAA at 0, ATAA at 6", key=0) == {"ATAA": 1.0}


def test_a_motif_s_further_instances_count():
    for word in ("GATA1", cg.sequences.Motif("flat", ((0.25,) * 4,) * 5), "NNNN"):
        experiment = cg.experiments.copies(RNA, word, at=(2, 30), n_units=50)
        every = next(arm.name for arm in experiment.named_arms if ", " in arm.name)
        (share,) = further_sites(experiment, every, key=0).values()
        assert 0 <= share <= 1


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_the_answer_says_it_where_it_is_more_than_one_percent():
    places = {(4, 12): 1, (4, 14): 0}
    for at, n in places.items():
        experiment = cg.experiments.copies(RNA, "UGCAUG", at=at, n_units=200)
        assert len(further(experiment)) == n


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
            **NEEDED.get(name, {}),
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
    if name not in ("composition", "position", "motif"):
        assert abs((first + last) / 2 - 75) <= 25
    assert further - last in (0, 1)


def test_in_41_bases_the_defaults_are_the_published_places():
    e = cg.experiments
    cg.Uniform(length=41)
    at = lambda made, i: made.named_arms[i].intervention.at  # noqa: E731
    assert at(e.kmer_screen(RNA, motifs=["UGCAUG"], n_units=5), 1) == 17
    assert at(e.motif_mutagenesis(RNA, "UGCAUG", n_units=5), 1) == 17
    assert (
        str(e.hairpin(RNA, "GCUGG", n_units=5).named_arms[3].intervention)
        == "do(x[17:22] = GCUGG, x[24:33] = rc(x[8:17]))"
    )


# --- which kind of claim --------------------------------------------------------------


def test_the_number_of_contrasts_does_not_choose_the_error_rate():
    words = [f"{x}{a}{b}C" for x in "AG" for a in "ACGT" for b in "ACGT"]
    for n in (9, 29, 30):
        made = cg.experiments.kmer_screen(
            cg.Uniform(length=41), motifs=words[:n], rope=(-0.1, 0.1)
        )
        assert made.analysis.error == "fdr"


# --- a task without a spread ----------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [name for name in OF_BACKGROUNDS if not re.search("pair|motif_s", name)][::3],
)
def test_a_task_whose_control_does_not_vary_is_left_out_with_a_warning(name):
    def answers(x):
        gc = np.asarray(x)[:, 1:3].sum((1, 2))
        return np.stack([gc, 0 * gc, 2 * gc], axis=1)

    settings = {"n_units": 60} | (
        {"motifs": ["UGCAUG", "AAAAAA"]} if name == "kmer_screen" else {}
    )
    build = getattr(cg.experiments, name)
    experiment = build(RNA, **NEEDED.get(name, {}), **settings)
    predictor = cg.FunctionPredictor(
        answers, tasks=["gc", "dead", "twice"], scale="bases"
    )
    with pytest.warns(DegenerateWarning):
        answer = experiment.analyze(
            cg.run(experiment, predictor, rng=0, progress=False), rng=0
        )
    assert answer.tasks == ["gc", "twice"]
    assert answer.estimates["task"].values.tolist() == ["gc", "dead", "twice"]


def test_a_control_that_never_varies_still_ends_the_trial():
    experiment = cg.experiments.copies(RNA, "UGCAUG", n_units=60)
    dead = cg.FunctionPredictor(
        lambda x: np.asarray(x)[:, 0, 7:13].sum(1) * 0.0, tasks=["dead"], scale="bases"
    )
    with (
        pytest.warns(DegenerateWarning),
        pytest.raises(CausalgiaError),
    ):
        experiment.analyze(cg.run(experiment, dead, rng=0, progress=False), rng=0)
