# Imports from the inside: the share of pairs that are in order, against all pairs.
"""What a report notes by itself: only where it is true, with the arms, the numbers and
the cure.
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.design import Copy
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
    assert len(against(cg.Placebo(WORD, at=80), cg.Embed(WORD, at=96))) == 1


def test_a_control_of_another_length_is_noted():
    assert len(against(cg.Embed("CATAAC", at=80), cg.Embed(WORD, at=80))) == 1


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
    assert len(against(cg.Placebo("GGCCGCG", at=80), cg.Embed(WORD, at=80))) == 1


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
    assert (
        len(
            notes_of(
                run(
                    {
                        "control": next(iter(other.values())),
                        "GATA": cg.Embed(WORD, at=80),
                    }
                )
            )
        )
        == 1
    )


def test_sites_that_touch_are_scanned_and_what_arises_is_said():
    assert against(
        cg.Untreated(), cg.Embed("TGCAT", at=80) + cg.Embed("GCATG", at=85), length=120
    )
    assert (
        len(
            against(
                cg.Untreated(),
                cg.Embed("CCACCCCC", at=80) + cg.Embed("TTTTGTTTT", at=91),
            )
        )
        == 1
    )


def test_the_gap_of_two_makes_the_longer_word():
    near, far = (
        cg.Embed("TGCATG", at=30) + cg.Embed("TGCATG", at=at) for at in (38, 50)
    )
    near, far = (
        against(cg.Untreated(), two, length=60, n_units=2_000) for two in (near, far)
    )
    assert len(near) > len(far)


def test_a_word_that_is_in_the_flanks_too_is_counted_in_both_arms():
    (note,) = against(cg.Placebo("GCATG", at=20), cg.Embed("GCATG", at=20), length=300)
    shares = [int(part.rpartition(" ")[2]) for part in note.split(" %")[:2]]
    expected = 100 * (1 - (1 - 2 / 4**5) ** 290)
    assert all(abs(share - expected) < 12 for share in shares)


def test_notes_travel_to_the_report_whatever_is_kept(tmp_path):
    arms = {"control": cg.Placebo(WORD, at=80), "GATA": cg.Embed(WORD, at=96)}
    for keep in ("outcomes", "effects", "moments"):
        found = run(arms, keep=keep, store=tmp_path / f"{keep}.zarr")
        estimates = cg.estimate(cg.contrast(found) if keep == "outcomes" else found)
        assert notes_of(estimates)
        assert notes_of(cg.decide(estimates, rope=(-0.1, 0.1)))


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
    assert len(notes_of(run(arms, length=100, real=rich))) == 1
    shuffled = cg.DinucleotideShuffle(of=alike)
    assert notes_of(run(arms, null=shuffled, n_units=50, real="parents")) == []


@pytest.mark.real
@pytest.mark.torch
def test_shuffles_of_real_enhancers_hardly_overlap_with_them(shared):
    pytest.importorskip("torch")
    folder = shared / "data" / "models" / "deepstarr"
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
    noted, none = (
        notes_of(cg.estimate(cg.contrast(outcomes, control=name)))
        for name in ("placebo", "none")
    )
    assert len(noted) > len(none)


@pytest.mark.parametrize("letter", ["U", "T"])
def test_rna_has_one_strand(letter):
    """CAUG beside CA holds the reverse complement of UGCAUG, which a transcript does
    not have.
    """
    word, first, second = (
        text.replace("U", letter) for text in ("UGCAUG", "AACAUG", "CAAAAA")
    )
    arms = {"control": cg.Untreated(), "motif": cg.Embed(word, at=20)}
    arms["pair"] = cg.Embed(first, at=80) + cg.Embed(second, at=86)
    assert any("100 %" in note for note in notes_of(run(arms))) == (letter == "T")


def test_a_control_of_another_composition_is_noted():
    assert len(against(cg.Embed("ATATAT", at=80), cg.Embed("GCGGTC", at=80))) == 1


@pytest.mark.parametrize(
    "control",
    [
        cg.Scramble((40, 47)),
        cg.Scramble((96, 99)),
        cg.Delete((96, 103)),
        cg.Delete((40, 50)),
        cg.Ablate((90, 97), fill="uniform"),
    ],
)
def test_a_control_that_rearranges_or_removes_other_bases_is_noted(control):
    assert len(against(control, cg.Embed(WORD, at=96))) == 1


@pytest.mark.parametrize(
    "control", [cg.Scramble((96, 103)), cg.Ablate((96, 103), fill="uniform")]
)
def test_a_control_on_the_same_bases_is_in_order(control):
    assert against(control, cg.Embed(WORD, at=96)) == []


def test_a_placebo_of_one_site_is_no_control_of_two():
    two = cg.Embed(WORD, at=96) + cg.Embed("CAGCTGC", at=120)
    assert len(against(cg.Placebo(WORD, at=96), two)) == 1
    assert against(cg.Placebo(WORD, at=96) + cg.Placebo("CAGCTGC", at=120), two) == []
    assert against(cg.Placebo(WORD, at=96) + cg.Embed("CAGCTGC", at=120), two) == []
    assert (
        len(against(cg.Placebo("CAGCTGC", at=96) + cg.Placebo(WORD, at=120), two)) == 1
    )


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
    assert len(against(cg.Embed(left, at=80) + cg.Embed("TTTTACGT", at=95), core)) == 1


def test_two_mutations_are_no_sites():
    assert against(cg.Untreated(), cg.Mutate(at=(17, 19), bases="AC")) == []


def test_an_insertion_against_an_overwriting_placebo_is_noted():
    assert len(against(cg.Placebo(WORD, at=96), cg.Insert(WORD, at=96))) == 1
    assert against(cg.Untreated(), cg.Insert(WORD, at=96)) == []


def test_places_are_those_of_the_background():
    """Behind an insertion of 10 bases, base 106 is base 96 of the background."""
    ten = cg.Insert("GGTTCCAACC", at=20)
    assert against(ten + cg.Placebo(WORD, at=106), ten + cg.Embed(WORD, at=106)) == []
    assert (
        len(
            against(
                cg.Placebo("GGTTCCAACC", at=20) + cg.Placebo(WORD, at=96),
                ten + cg.Embed(WORD, at=106),
            )
        )
        == 1
    )


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
    assert (
        len(notes_of(cg.contrast(outcomes, contrasts={"x": {"GATA": 1.0, "c": -1.0}})))
        == 1
    )


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
    ("treated", "control"),
    [
        ("AAAAAAA", "ATATATA"),
        ("AAAAAAA", "TTTTTTT"),
        ("AAAAAAA", "UUUUUUU"),
        ("WWWWWWWW", "SSSSSSSS"),
    ],
)
def test_composition_is_of_single_bases_too(treated, control):
    assert against(cg.Embed(control, at=80), cg.Embed(treated, at=80))


@pytest.mark.parametrize("control", ["AGCCAAG", "GAATAAG"])
def test_a_mutant_and_a_rearrangement_have_the_composition(control):
    assert against(cg.Embed(control, at=80), cg.Embed(WORD, at=80)) == []


def test_words_of_the_iupac_code_are_looked_for_in_the_flanks():
    (note,) = against(
        cg.Untreated(), cg.Embed("WGATAR", at=96), length=400, n_units=400
    )
    share = int(note.partition("in ")[2].partition("in ")[2].partition("%")[0])
    assert abs(share - 100 * (1 - (1 - 2 * 4 / 4**6) ** 383)) < 12


def test_of_a_short_word_the_number_of_copies_is_told():
    (note,) = against(cg.Untreated(), cg.Embed("CAC", at=96), n_units=400)
    times, control = (
        float(part.partition(" times")[0]) for part in note.split("on average ")[1:]
    )
    assert abs(times - 2 * 193 / 64) < 0.6
    assert abs(control - 2 * 198 / 64) < 0.6
    assert against(cg.Untreated(), cg.Embed("N" * 12, at=96)) == []


def test_the_contrast_of_a_design_is_looked_at_when_it_is_run_and_no_more():
    outcomes = run({"control": cg.Placebo(WORD, at=80), "GATA": cg.Embed(WORD, at=96)})
    del outcomes.attrs["notes"]
    assert notes_of(cg.contrast(outcomes)) == []
    assert len(notes_of(cg.contrast(outcomes, control="control"))) == 1
