# Imports from the inside: the plan beside outcomes, which a confirmation takes on.
"""Select, then confirm: fresh units from reserved parents, or a label that says that
they are the same.
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia import store
from causalgia._analyze import stored_analysis
from causalgia._confirm import INDEPENDENT, SAME
from causalgia.errors import DataError
from causalgia.notes import LONGEST_ATTRIBUTE
from causalgia.trial.attributes import load_design

ARMS = {
    "untreated": cg.Untreated(),
    "placebo": cg.Placebo("AGATAAG", at=20),
    "GATA1": cg.Embed("AGATAAG", at=20),
    "ebox": cg.Embed("CAGCTG", at=40),
}
PARENTS = {
    f"peak{i}": "".join(np.random.default_rng(i).choice(list("ACGT"), 60))
    for i in range(40)
}
ASK = cg.Analysis(control="placebo", rope=0)


def g_count(x):
    return (x[:, 2] * np.linspace(0.5, 1.5, x.shape[2])).sum(1)


def predictor():
    return cg.FunctionPredictor(g_count, tasks=["G"], scale="weighted count")


def design(**changes) -> cg.Design:
    return cg.Design(
        **{
            "null": cg.DinucleotideShuffle(of=PARENTS),
            "arms": ARMS,
            "n_units": 120,
            **changes,
        }
    )


def screen(analysis=ASK, **changes):
    return cg.run(design(**changes), predictor(), rng=0, analysis=analysis)


def confirmed(outcomes, **how):
    return cg.confirm(
        outcomes, **{"select": ["GATA1"], "predictor": predictor(), "rng": 0, **how}
    )


# reserving


@pytest.mark.parametrize(
    "null",
    [
        cg.DinucleotideShuffle,
        cg.Shuffle,
        cg.Genomic,
        lambda of: cg.KletShuffle(of=of, k=3),
    ],
)
def test_the_two_parts_share_no_parent_and_lose_none(null):
    made = design(null=null(of=PARENTS), n_units=20, reserve=0.25)
    used, kept = made.drawn.parents_given, made.reserved.parents_given
    assert (len(used), len(kept)) == (30, 10)
    assert sorted([*used.names, *kept.names]) == sorted(PARENTS)
    assert type(made.drawn) is type(made.null)
    other = design(
        null=null(of=PARENTS),
        n_units=10,
        arms={k: ARMS[k] for k in ("placebo", "ebox")},
        reserve=0.25,
    )
    assert other.reserved == made.reserved  # the null model alone says which
    order = sorted(PARENTS)
    assert kept.names not in (tuple(order[:10]), tuple(order[-10:]))


def test_a_trial_never_uses_what_is_reserved():
    reserved = set(design(reserve=0.5).reserved.parents_given.names)
    outcomes = screen(reserve=0.5)
    assert not reserved & set(outcomes["parent"].values)


def test_a_reserve_is_part_of_the_design():
    made = design(reserve=0.25)
    assert made != design()
    assert made.fingerprint != design().fingerprint
    assert "reserve" not in design().to_dict()
    for again in (
        cg.Design.from_toml(made.to_toml()),
        cg.Design.from_json(made.to_json()),
    ):
        assert again == made
        assert again.fingerprint == made.fingerprint
        assert again.reserved == made.reserved


# confirming


def test_reserved_parents_are_the_units():
    outcomes = screen(reserve=0.25)
    fresh = confirmed(outcomes, n_units=50)
    assert fresh["arm"].values.tolist() == ["placebo", "GATA1"]
    assert fresh.sizes["unit"] == 50
    assert set(fresh["parent"].values) == set(
        design(reserve=0.25).reserved.parents_given.names
    )
    assert not set(fresh["parent"].values) & set(outcomes["parent"].values)
    assert fresh.attrs["rng"] == "0"
    assert cg.Analysis.from_json(fresh.attrs["analysis"]) == ASK


def test_the_same_parents_are_labeled_so():
    fresh = confirmed(screen())
    assert fresh.attrs["confirms"].startswith(SAME)
    assert fresh.sizes["unit"] == 120
    assert cg.Analysis.from_json(fresh.attrs["analysis"]).target == "parents"
    found = cg.analyze(fresh)
    assert found.attrs["target"] == "parents"
    assert found.attrs["confirms"] == fresh.attrs["confirms"]
    assert "exploratory" not in found.attrs
    one_each = confirmed(screen(), n_units=40)
    assert cg.Analysis.from_json(one_each.attrs["analysis"]).target == "population"
    assert one_each.attrs["confirms"].startswith(SAME)


def test_units_are_fresh_even_with_the_seed_of_the_screen():
    outcomes = screen(null=cg.Uniform(length=60))
    fresh = confirmed(outcomes)
    assert fresh.attrs["confirms"].startswith(INDEPENDENT)
    both = set(outcomes["gc"].values[:20]) == set(fresh["gc"].values[:20])
    assert not both
    assert not np.array_equal(
        outcomes["outcome"].sel(arm="GATA1"), fresh["outcome"].sel(arm="GATA1")
    )
    assert confirmed(outcomes).identical(fresh)
    assert not confirmed(outcomes, rng=1)["outcome"].equals(fresh["outcome"])


def test_a_difference_of_screens_is_kept_on_average():
    """The confirmation estimates what the screen did, on other parents: within 5
    standard errors of each other.
    """
    big = screen(reserve=0.5, n_units=400)
    first, second = (
        cg.estimate(cg.contrast(y, control="placebo")).sel(contrast="GATA1")
        for y in (big, confirmed(big))
    )
    z = float(
        ((first["ace"] - second["ace"]) / np.hypot(first["se"], second["se"])).item()
    )
    assert abs(z) < 5


def test_real_sequences_are_confirmed_on_those_kept_back():
    outcomes = screen(null=cg.Genomic(of=PARENTS), n_units=30, reserve=0.25)
    fresh = confirmed(outcomes)
    assert fresh.sizes["unit"] == 10
    assert not set(fresh["parent"].values) & set(outcomes["parent"].values)


def test_decisions_select_what_they_call_directional():
    outcomes = screen(reserve=0.25)
    decisions = cg.analyze(outcomes)
    directional = [
        str(c)
        for c in decisions["contrast"].values[
            np.isin(decisions["verdict"][:, 0], ["increases", "decreases"])
        ]
    ]
    assert directional
    fresh = confirmed(outcomes, select=decisions)
    assert set(fresh["arm"].values) == {"placebo", *directional}
    assert confirmed(decisions, select=decisions)["outcome"].equals(fresh["outcome"])


def test_contrasts_bring_their_arms():
    rows = {"gata": {"GATA1": 1, "placebo": -1}, "box": {"ebox": 1, "untreated": -1}}
    outcomes = screen(cg.Analysis(contrasts=rows))
    fresh = confirmed(outcomes, select="box")
    assert fresh["arm"].values.tolist() == ["untreated", "ebox"]
    assert cg.Analysis.from_json(fresh.attrs["analysis"]).weights_by_contrast == {
        "box": rows["box"]
    }


def test_without_an_analysis_controls_are_known_by_what_they_are():
    assert confirmed(screen(None))["arm"].values.tolist() == [
        "untreated",
        "placebo",
        "GATA1",
    ]
    assert "analysis" not in confirmed(screen(None)).attrs
    arms = {
        "first": cg.Embed("CCCC", at=3),
        "GATA1": ARMS["GATA1"],
        "ebox": ARMS["ebox"],
    }
    assert confirmed(screen(None, arms=arms))["arm"].values.tolist() == [
        "first",
        "GATA1",
    ]


def test_placebo_words_come_along_where_they_judge():
    words = cg.placebos("AGATAAGC", at=20, n_placebos=119)
    judged = screen(
        cg.Analysis(control="placebo", rope="placebo"), arms={**ARMS, **words}
    )
    assert confirmed(judged)["arm"].values.tolist() == ["placebo", "GATA1", *words]
    assert confirmed(screen(arms={**ARMS, **words}))["arm"].values.tolist() == [
        "placebo",
        "GATA1",
    ]
    rows = {name: {name: 1, "placebo": -1} for name in ("GATA1", *words)}
    again = confirmed(
        screen(cg.Analysis(contrasts=rows, rope="placebo"), arms={**ARMS, **words})
    )
    assert list(stored_analysis(again).weights_by_contrast) == ["GATA1", *words]


# what the outcomes carry


def test_outcomes_carry_their_design_through_a_file(tmp_path):
    outcomes = screen(reserve=0.25)
    again = store.load(store.save(outcomes, tmp_path / "screen.nc"), "outcomes")
    assert load_design(again) == design(reserve=0.25)
    assert confirmed(again).identical(confirmed(outcomes))


def test_a_long_design_is_kept_beside_the_attributes(tmp_path):
    many = {
        f"p{i}": "".join(np.random.default_rng(i).choice(list("ACGT"), 400))
        for i in range(200)
    }
    outcomes = screen(null=cg.Shuffle(of=many))
    assert "design" not in outcomes.attrs
    assert outcomes["design"].dims == ("byte",)
    assert outcomes["design"].nbytes < 0.5 * 200 * 400
    again = store.load(store.save(outcomes, tmp_path / "screen.nc"), "outcomes")
    assert load_design(again).fingerprint == outcomes.attrs["design_fingerprint"]
    assert len(design().to_json()) < LONGEST_ATTRIBUTE
    assert confirmed(again)["outcome"].sizes["arm"] == 2


def test_a_file_that_changed_is_noticed(tmp_path):
    fasta = tmp_path / "peaks.fa"
    fasta.write_text(
        "".join(f">{name}\n{letters}\n" for name, letters in PARENTS.items())
    )
    outcomes = screen(null=cg.DinucleotideShuffle(of=str(fasta)))
    assert confirmed(outcomes)
    fasta.write_text(
        "".join(f">{name}\n{letters[::-1]}\n" for name, letters in PARENTS.items())
    )
    with pytest.raises(
        DataError,
    ):
        confirmed(outcomes)
    fasta.unlink()
    with pytest.raises(DataError):
        confirmed(outcomes)
    original = design()
    assert confirmed(outcomes, design=original)["arm"].size == 2


# refusals


def test_another_predictor_is_refused_unless_it_is_meant():
    other = cg.FunctionPredictor(
        lambda x: x[:, 1].sum(1), tasks=["G"], scale="weighted count"
    )
    assert confirmed(screen(), predictor=other, other_predictor=True).sizes["arm"] == 2


def test_without_a_design_one_must_be_given():
    bare = screen().drop_attrs()
    assert confirmed(bare, design=design()).sizes["unit"] == 120


def test_labeled_blocks_are_refused():
    by_parent = screen(assignment="parallel", blocks="parent", n_units=160)
    assert confirmed(by_parent)["block"].dims == ("unit",)
