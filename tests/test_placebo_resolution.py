# Imports from the inside: what a number of placebos can resolve, against the least p-value.
"""What the number of placebos lets ranks distinguish, one ordering, and the tail
that is gone.
"""

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.choices import placebos_for_ranks
from causalgia.errors import DesignError, EstimateError
from causalgia.multiplicity.placebo import placebo_rank, placebo_region
from causalgia.tell.effect_rows import as_reportable, rows_of
from causalgia.tell.verdict_sentences import noun_of_region, verdict_in_words
from causalgia.trial.attributes import check_analysis


def _table(words, effects, se=0.01):
    ace = np.concatenate([words, effects])
    table = xr.Dataset(
        {
            "ace": (("contrast", "task"), ace[:, None]),
            "se": (("contrast", "task"), np.full((ace.size, 1), se)),
        },
        coords={"contrast": np.arange(ace.size).astype(str), "task": ["t"]},
    )
    return table.assign_coords(
        is_placebo=("contrast", np.arange(ace.size) < len(words))
    )


@pytest.mark.parametrize("m", [40, 59, 78, 79, 80, 400])
def test_p_of_at_most_five_percent_is_beyond_the_region(m):
    """With effects known exactly: ranks and region are one ordering of words and
    effects.
    """
    rng = np.random.default_rng(m)
    words = rng.standard_t(3, m).round(2)
    table = _table(words, np.r_[words[:20], rng.normal(0, 3, 400).round(2)], se=0.0)
    table = table.assign(se=table["se"] * 0)
    region = placebo_region(table)
    ace = table["ace"].values[m:, 0]
    beyond = (ace > region["upper"].item()) | (ace < region["lower"].item())
    p = placebo_rank(table)["p_placebo"].values[m:, 0]
    np.testing.assert_array_equal(p <= 0.05, beyond)
    r = int(round(0.025 * (m + 1), 9))
    assert region["upper"].item() == np.sort(words)[-r]


def test_effects_inside_of_random_sequences_are_within_not_negligible():
    rng = np.random.default_rng(1)
    table = _table(rng.normal(size=159), [40.0, -40.0, 0.0, 2.2])
    for rope in ("placebo", "placebo outliers"):
        found = cg.decide(table, rope=rope)
        verdicts = found["verdict"].values[159:, 0].tolist()
        assert verdicts[:3] == ["increases", "decreases", "within"]
        assert found.attrs["rope_kind"] == rope
        assert set(found["verdict"].values.ravel()) <= {
            "increases",
            "decreases",
            "within",
            "undecided",
        }


@pytest.mark.parametrize("k", [1, 2, 3])
def test_one_effect_alone_can_be_found_with_the_placebos_that_are_asked(k):
    """The others lie within; with one placebo fewer p of 2 / (M + 1) is too large."""
    needed = placebos_for_ranks(k)
    assert needed == {1: 40, 2: 79, 3: 119}[k]
    words = np.random.default_rng(0).normal(size=needed)
    effects = np.r_[50.0, np.zeros(k - 1)]
    found = cg.decide(_table(words, effects), rope="placebo", shrink=None)
    assert found["verdict"].values[needed, 0] == "increases"
    assert found["q"].values[needed, 0] == pytest.approx(k * 2 / (needed + 1))
    with pytest.raises(EstimateError):
        cg.decide(_table(words[1:], effects), rope="placebo", shrink=None)
    assert cg.decide(_table(words[:40], effects), rope="placebo outliers") is not None


def test_contrasts_that_are_not_of_the_question_take_no_placebos():
    words = np.random.default_rng(0).normal(size=40)
    table = _table(words, [50.0, 0.0, 0.0])
    asked = np.arange(43) <= 40
    marked = table.assign_coords(of_question=("contrast", asked))
    assert cg.decide(marked, rope="placebo", shrink=None).sizes["contrast"] == 43


def test_a_trial_with_too_few_placebos_is_refused_before_it_runs():
    arms = {"none": cg.Untreated(), "a": cg.Embed("GATA", at=5)}
    arms |= cg.placebos("GATAAGCC", at=5, n_placebos=40)
    design = cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=4)
    ask = cg.Analysis(control="none", rope="placebo")
    check_analysis(ask, design)
    arms["b"] = cg.Embed("GGTA", at=5)
    more = cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=4)
    with pytest.raises(DesignError):
        check_analysis(ask, more)
    check_analysis(cg.Analysis(control="none", rope="placebo outliers"), more)
    of_one = {n: {n: 1, "none": -1} for n in arms if n not in ("none", "b")}
    check_analysis(cg.Analysis(contrasts=of_one, rope="placebo"), more)
    with pytest.raises(DesignError):
        cg.experiments.kmer_screen(
            cg.Uniform(length=41), motifs=["GGATAA", "TTATCC", "CACGTG"], rope="placebo"
        )
    assert cg.experiments.kmer_screen(
        cg.Uniform(length=41),
        motifs=["GGATAA", "TTATCC", "CACGTG"],
        rope="placebo",
        n_placebos=119,
    )


def test_the_name_of_a_task_does_not_make_a_region_of_placebos_or_variants():
    task = "the central 95 % of 40 placebos, matched variants"
    table = _table([], [1.0]).assign_coords(task=[task])
    found = cg.decide(table, rope={task: (-0.1, 0.1)})
    assert task in found.attrs["rope"]
    assert found.attrs["rope_kind"] == "stated"
    assert noun_of_region(found.attrs) == "the ROPE"
    assert verdict_in_words(rows_of(found)[0], found.attrs).startswith(
        "increases, above"
    )


def test_the_words_of_a_table_without_attributes_tell_its_region():
    found = cg.decide(_table(np.linspace(-1, 1, 159), [40.0]), rope="placebo")
    assert as_reportable(found.drop_attrs()).attrs == {"rope_kind": "placebo"}
