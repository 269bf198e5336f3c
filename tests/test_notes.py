"""What a report notes by itself: only where it is true, with the arms, the numbers and
the cure.
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.design import Copy
from causalgia.errors import DesignError, OutcomesError
from causalgia.notes import notes_of
from causalgia.trial.design_notes import auroc

WORD = "AGATAAG"


def share(of=0):
    return cg.FunctionPredictor(
        lambda x: x[:, of].mean(1),
        tasks=["y"],
        scale="share",
        fingerprint=f"share {of}",
    )


def run(arms, *, length=200, null=None, n_units=200, predictor=None, **rest):
    design = cg.Design(
        null=null or cg.Uniform(length=length),
        arms=arms,
        n_units=n_units,
        contrasts="control",
    )
    return cg.run(design, predictor or share(), rng=0, progress=False, **rest)


def against(control, treated, **rest):
    return notes_of(run({"control": control, "GATA": treated}, **rest))


@pytest.mark.parametrize(
    ("control", "treated"),
    [
        (cg.Untreated(), cg.Embed(WORD, at=80)),
        (cg.Placebo(WORD, at=80), cg.Embed(WORD, at=80)),
        (cg.Placebo(WORD, at=80, strand="-"), cg.Embed(WORD, at=80, strand="-")),
        (cg.Embed(WORD, at=20), cg.Embed(WORD, at=80)),  # place is the question
        (cg.Embed("AGATTAG", at=80), cg.Embed(WORD, at=80)),  # one base is
        (
            cg.Untreated(),
            cg.Embed(WORD, at=80) + cg.Embed(WORD, at=92),
        ),  # 5 bases apart
        (cg.Embed(WORD, at=80), cg.Embed(WORD, at=80) + cg.Embed(WORD, at=110)),
    ],
)
def test_a_design_in_order_has_no_note(control, treated):
    assert against(control, treated) == []


def test_a_control_at_another_place_is_noted():
    (note,) = against(cg.Placebo(WORD, at=80), cg.Embed(WORD, at=96))
    assert note.startswith(
        "'GATA' and its control 'control' differ in place (at 96 against 80)"
    )


def test_a_control_of_another_length_is_noted():
    (note,) = against(cg.Embed("CATAAC", at=80), cg.Embed(WORD, at=80))
    assert "differ in length (7 bases against 6)" in note


def test_a_shared_site_is_no_difference():
    shared = cg.Embed("GGTTCCAA", at=20)
    assert (
        against(shared + cg.Placebo(WORD, at=80), shared + cg.Embed(WORD, at=80)) == []
    )
    assert (
        len(against(shared + cg.Placebo(WORD, at=90), shared + cg.Embed(WORD, at=80)))
        == 1
    )


def test_the_placebo_of_another_word_is_noted_with_its_composition():
    (note,) = against(cg.Placebo("GGCCGCG", at=80), cg.Embed(WORD, at=80))
    assert "rearranges GGCCGCG, not AGATAAG (GC 1.00 against 0.29)" in note


def test_placebo_words_belong_to_the_word_that_they_rearrange():
    words = cg.placebos(WORD, at=80, n_placebos=5)
    assert (
        notes_of(
            run(
                {
                    "control": cg.Placebo(WORD, at=80),
                    "GATA": cg.Embed(WORD, at=80),
                    **words,
                }
            )
        )
        == []
    )
    other = cg.placebos("GGCCGCG", at=80, n_placebos=1)
    (note,) = notes_of(
        run({"control": next(iter(other.values())), "GATA": cg.Embed(WORD, at=80)})
    )
    assert "not AGATAAG" in note


def test_sites_that_touch_are_scanned_and_what_arises_is_said():
    (first, *_) = against(
        cg.Untreated(), cg.Embed("TGCAT", at=80) + cg.Embed("GCATG", at=85), length=120
    )
    assert first.startswith("two sites lie 0 bases apart in 'GATA': at the junction")
    assert "TGCAT arises in 100 % of the units" in first
    (note,) = against(
        cg.Untreated(), cg.Embed("CCACCCCC", at=80) + cg.Embed("TTTTGTTTT", at=91)
    )
    assert (
        "two sites lie 3 bases apart in 'GATA'; embedding creates no other motif of "
        "the design (in under 1 % of " in note
    )


def test_the_gap_of_two_makes_the_longer_word():
    two = cg.Embed("TGCATG", at=30) + cg.Embed("TGCATG", at=38)
    notes = against(cg.Untreated(), two, length=60, n_units=2_000)
    assert "TGCATG arises in" in notes[0]


def test_a_word_that_is_in_the_flanks_too_is_counted_in_both_arms():
    (note,) = against(cg.Placebo("GCATG", at=20), cg.Embed("GCATG", at=20), length=300)
    assert note.startswith("GCATG is in the flanks too, in ")
    shares = [int(part.rpartition(" ")[2]) for part in note.split(" %")[:2]]
    expected = 100 * (1 - (1 - 2 / 4**5) ** 290)
    assert all(abs(share - expected) < 12 for share in shares)


@pytest.mark.rotating(6)
def test_notes_travel_to_the_report_whatever_is_kept(tmp_path):
    arms = {"control": cg.Placebo(WORD, at=80), "GATA": cg.Embed(WORD, at=96)}
    for keep in ("outcomes", "effects", "moments"):
        found = run(arms, keep=keep, store=tmp_path / f"{keep}.zarr")
        estimates = cg.estimate(cg.contrast(found) if keep == "outcomes" else found)
        assert "Note: 'GATA' and its control 'control' differ in place" in cg.report(
            estimates, notes=True
        )
        assert "differ in place" in cg.report(
            cg.decide(estimates, rope=(-0.1, 0.1)), notes=True
        )


def test_auroc_is_the_share_of_pairs():
    rng = np.random.default_rng(0)
    one, other = (
        rng.integers(0, 9, 40).astype(float),
        rng.integers(2, 11, 30).astype(float),
    )
    pairs = (other[:, None] > one).mean() + (other[:, None] == one).mean() / 2
    np.testing.assert_allclose(auroc(one, other), pairs)


def test_a_null_model_far_from_the_data_is_noted_and_a_near_one_is_not():
    rng = np.random.default_rng(0)
    alike = ["".join(rng.choice(list("ACGT"), 100)) for _ in range(50)]
    rich = [
        "".join(rng.choice(list("ACGT"), 100, p=[0.7, 0.1, 0.1, 0.1]))
        for _ in range(50)
    ]
    arms = {"control": cg.Placebo(WORD, at=50), "GATA": cg.Embed(WORD, at=50)}
    assert notes_of(run(arms, length=100, real=alike)) == []
    (note,) = notes_of(run(arms, length=100, real=rich))
    assert "hardly overlap" in note
    assert "AUROC 1.00 in y" in note
    shuffled = cg.DinucleotideShuffle(of=alike)
    assert notes_of(run(arms, null=shuffled, n_units=50, real="parents")) == []


def test_real_sequences_that_do_not_fit_are_refused():
    arms = {"control": cg.Untreated(), "GATA": cg.Embed(WORD, at=50)}
    with pytest.raises(DesignError, match="60 bp and the backgrounds have 100"):
        run(arms, length=100, real=["A" * 60, "C" * 60])
    with pytest.raises(DesignError, match="have none"):
        run(arms, length=100, real="parents")


@pytest.mark.real
@pytest.mark.torch
def test_shuffles_of_real_enhancers_hardly_overlap_with_them(shared):
    pytest.importorskip("torch")
    folder = shared / "data" / "models" / "deepstarr"
    if not folder.is_dir():
        pytest.skip("the network is absent")
    predictor = cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        tasks=["dev", "hk"],
        scale="log2 enrichment",
        announce=None,
    )
    arms = {
        "control": cg.Placebo("ATGACTCAT", at=100),
        "AP-1": cg.Embed("ATGACTCAT", at=100),
    }
    null = cg.DinucleotideShuffle(
        of=str(shared / "data" / "sequences" / "fly_249" / "enhancers.fasta.gz")
    )
    (note,) = notes_of(
        run(arms, null=null, n_units=100, predictor=predictor, real="parents")
    )
    assert "hardly overlap" in note
    assert float(note.partition("AUROC ")[2].partition(" ")[0]) > 0.95


def test_a_control_that_is_named_after_the_trial_is_looked_at_too():
    arms = {
        "placebo": cg.Placebo(WORD, at=20),
        "none": cg.Untreated(),
        "GATA": cg.Embed(WORD, at=80),
    }
    outcomes = cg.run(
        cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=50),
        share(),
        rng=0,
        progress=False,
    )
    noted = notes_of(cg.estimate(cg.contrast(outcomes, control="placebo")))
    assert any(
        "'GATA' and its control 'placebo' differ in place (at 80 against 20)" in note
        for note in noted
    )
    assert "differ in place" in cg.report(
        cg.estimate(cg.contrast(outcomes, control="placebo")), notes=True
    )
    assert not any(
        "differ in place" in note
        for note in notes_of(cg.estimate(cg.contrast(outcomes, control="none")))
    )


@pytest.mark.parametrize(
    ("letter", "share"),
    [
        ("U", "embedding creates no other motif of the design"),
        ("T", "TGCATG arises in 100 %"),
    ],
)
def test_rna_has_one_strand(letter, share):
    """CAUG beside CA holds the reverse complement of UGCAUG, which a transcript does
    not have.
    """
    word, first, second = (
        text.replace("U", letter) for text in ("UGCAUG", "AACAUG", "CAAAAA")
    )
    arms = {"control": cg.Untreated(), "motif": cg.Embed(word, at=20)}
    arms["pair"] = cg.Embed(first, at=80) + cg.Embed(second, at=86)
    (note,) = [note for note in notes_of(run(arms)) if "two sites lie" in note]
    assert share in note


def test_a_control_of_another_composition_is_noted():
    (note,) = against(cg.Embed("ATATAT", at=80), cg.Embed("GCGGTC", at=80))
    assert (
        "'GATA' and its control 'control' differ in composition (GC 0.83 against 0.00)"
        in note
    )


@pytest.mark.parametrize(
    ("control", "said"),
    [
        (cg.Scramble((40, 47)), "differ in place (at 96 against 40)"),
        (cg.Scramble((96, 99)), "differ in length (7 bases against 3)"),
        (cg.Delete((96, 103)), "differ in length of the sequence (7 bases longer)"),
        (
            cg.Delete((40, 50)),
            "differ in place and length and length of the sequence (at 96 against 40, "
            "7 bases",
        ),
        (cg.Ablate((90, 97), fill="uniform"), "differ in place (at 96 against 90)"),
    ],
)
def test_a_control_that_rearranges_or_removes_other_bases_is_noted(control, said):
    (note,) = against(control, cg.Embed(WORD, at=96))
    assert said in note


@pytest.mark.parametrize(
    "control", [cg.Scramble((96, 103)), cg.Ablate((96, 103), fill="uniform")]
)
def test_a_control_on_the_same_bases_is_in_order(control):
    assert against(control, cg.Embed(WORD, at=96)) == []


def test_a_placebo_of_one_site_is_no_control_of_two():
    two = cg.Embed(WORD, at=96) + cg.Embed("CAGCTGC", at=120)
    (note,) = against(cg.Placebo(WORD, at=96), two)
    assert "differ in number of sites (2 against 1, at 96 and 120 against 96)" in note
    assert against(cg.Placebo(WORD, at=96) + cg.Placebo("CAGCTGC", at=120), two) == []
    assert against(cg.Placebo(WORD, at=96) + cg.Embed("CAGCTGC", at=120), two) == []
    (note,) = against(cg.Placebo("CAGCTGC", at=96) + cg.Placebo(WORD, at=120), two)
    assert "rearranges CAGCTGC, not AGATAAG" in note


def test_one_placebo_may_rearrange_two_words_that_touch():
    notes = against(
        cg.Placebo(WORD + "CAGCTGC", at=96),
        cg.Embed(WORD, at=96) + cg.Embed("CAGCTGC", at=103),
    )
    assert not any("rearranges" in note for note in notes)


def test_a_word_that_is_part_of_the_longer_one_is_shared():
    """Flanks alone are no other sites than a core in these flanks."""
    left, right = "GGTTCCGA", "CCATACGT"
    alone, core = (
        cg.Embed(left, at=80) + cg.Embed(right, at=95),
        cg.Embed(f"{left}{WORD}{right}", at=80),
    )
    assert against(alone, core) == []
    (note,) = against(cg.Embed(left, at=80) + cg.Embed("TTTTACGT", at=95), core)
    assert "differ in place and length" in note


def test_two_mutations_are_no_sites():
    assert against(cg.Untreated(), cg.Mutate(at=(17, 19), bases="AC")) == []


def test_an_insertion_against_an_overwriting_placebo_is_noted():
    (note,) = against(cg.Placebo(WORD, at=96), cg.Insert(WORD, at=96))
    assert "differ in length of the sequence (7 bases longer)" in note
    assert against(cg.Untreated(), cg.Insert(WORD, at=96)) == []


def test_places_are_those_of_the_background():
    """Behind an insertion of 10 bases, base 106 is base 96 of the background."""
    ten = cg.Insert("GGTTCCAACC", at=20)
    assert against(ten + cg.Placebo(WORD, at=106), ten + cg.Embed(WORD, at=106)) == []
    (note,) = against(
        cg.Placebo("GGTTCCAACC", at=20) + cg.Placebo(WORD, at=96),
        ten + cg.Embed(WORD, at=106),
    )
    assert "differ in length of the sequence (10 bases longer)" in note


def test_what_a_tile_leaves_behind_is_no_site_of_its_own():
    """Moved, it is copied and its first place scrambled; the control scrambles where it
    would go.
    """
    assert (
        against(cg.Scramble((120, 140)), Copy((20, 40), at=120) + cg.Scramble((20, 40)))
        == []
    )


def test_each_of_several_controls_is_compared():
    arms = {
        "c": cg.Placebo(WORD, at=40),
        "d": cg.Placebo(WORD, at=96),
        "GATA": cg.Embed(WORD, at=96),
    }
    weights = {"x": {"GATA": 1.0, "c": -0.5, "d": -0.5}}
    design = cg.Design(
        null=cg.Uniform(length=200), arms=arms, n_units=50, contrasts=weights
    )
    (note,) = notes_of(cg.run(design, share(), rng=0, progress=False))
    assert note.startswith(
        "'GATA' and its control 'c' differ in place (at 96 against 40); write"
    )
    after = cg.run(
        cg.Design(null=cg.Uniform(length=200), arms=arms, n_units=50),
        share(),
        rng=0,
        progress=False,
    )
    assert notes_of(after) == []
    assert notes_of(cg.contrast(after, contrasts=weights)) == [note]
    assert "edits" not in cg.contrast(after, contrasts=weights).attrs


def test_a_contrast_named_beside_that_of_the_design_is_compared_too():
    arms = {
        "control": cg.Untreated(),
        "c": cg.Placebo(WORD, at=40),
        "GATA": cg.Embed(WORD, at=96),
    }
    outcomes = run(arms)
    assert notes_of(outcomes) == []
    (note,) = notes_of(cg.contrast(outcomes, contrasts={"x": {"GATA": 1.0, "c": -1.0}}))
    assert "differ in place" in note


def test_a_factorial_has_no_note():
    factors = {"A": cg.Embed(WORD, at=60), "B": cg.Embed("CAGCTGC", at=120)}
    design = cg.Design(
        null=cg.Uniform(length=200), arms=cg.factorial(factors), n_units=50
    )
    outcomes = cg.run(design, share(), rng=0, progress=False)
    assert notes_of(cg.contrast(outcomes, interaction=["A", "B"])) == []
    assert (
        notes_of(
            cg.contrast(
                outcomes,
                contrasts={"AB": {"A + B": 1, "A": -1, "B": -1, "untreated": 1}},
            )
        )
        == []
    )


@pytest.mark.parametrize(
    ("treated", "control", "said"),
    [
        ("AAAAAAA", "ATATATA", "differ in composition (A 1.00 against A 0.57 T 0.43)"),
        (
            "AAAAAAA",
            "TTTTTTT",
            "write reverse complements (AAAAAAA against TTTTTTT); on double-stranded "
            "DNA",
        ),
        ("AAAAAAA", "UUUUUUU", "differ in composition (A 1.00 against T 1.00)"),
        ("WWWWWWWW", "SSSSSSSS", "differ in composition (GC 0.00 against 1.00)"),
    ],
)
def test_composition_is_of_single_bases_too(treated, control, said):
    assert any(
        said in note
        for note in against(cg.Embed(control, at=80), cg.Embed(treated, at=80))
    )


@pytest.mark.parametrize("control", ["CTTATCT", "AGCCAAG", "GAATAAG"])
def test_a_strand_a_mutant_and_a_rearrangement_have_the_composition(control):
    assert not any(
        "composition" in note
        for note in against(cg.Embed(control, at=80), cg.Embed(WORD, at=80))
    )


def test_words_of_the_iupac_code_are_looked_for_in_the_flanks():
    (note,) = against(
        cg.Untreated(), cg.Embed("WGATAR", at=96), length=400, n_units=400
    )
    share = int(note.partition("in ")[2].partition("in ")[2].partition("%")[0])
    assert note.startswith("WGATAR is in the flanks too, in ")
    assert abs(share - 100 * (1 - (1 - 2 * 4 / 4**6) ** 383)) < 12


def test_of_a_short_word_the_number_of_copies_is_told():
    (note,) = against(cg.Untreated(), cg.Embed("CAC", at=96), n_units=400)
    assert note.startswith(
        "CAC is in the flanks too, in 100 % of the units, on average "
    )
    times, control = (
        float(part.partition(" times")[0]) for part in note.split("on average ")[1:]
    )
    assert abs(times - 2 * 193 / 64) < 0.6
    assert abs(control - 2 * 198 / 64) < 0.6
    assert against(cg.Untreated(), cg.Embed("N" * 12, at=96)) == []


@pytest.mark.parametrize("text", ["[", "[1]", '{"GATA": [["motif"]]}'])
def test_edits_that_cannot_be_read_are_refused(text):
    outcomes = run(
        {"control": cg.Placebo(WORD, at=40), "GATA": cg.Embed(WORD, at=96)}
    ).assign_attrs(edits=text)
    with pytest.raises(OutcomesError, match="edits"):
        cg.contrast(outcomes, contrasts={"x": {"GATA": -1.0, "control": 1.0}})


def test_the_contrast_of_a_design_is_looked_at_when_it_is_run_and_no_more():
    outcomes = run({"control": cg.Placebo(WORD, at=80), "GATA": cg.Embed(WORD, at=96)})
    del outcomes.attrs["notes"]
    assert notes_of(cg.contrast(outcomes)) == []
    (note,) = notes_of(cg.contrast(outcomes, control="control"))
    assert "differ in place" in note
