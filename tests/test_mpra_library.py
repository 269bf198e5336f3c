# Imports from the inside: the dealing of barcodes, against chance.
"""Libraries: the oligos are what was asked for, rules are kept by redrawing whole
units, and nothing else moves.
"""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from assay import library_of

import causalgia as cg
from causalgia.design import Design
from causalgia.errors import CausalgiaWarning, DesignError
from causalgia.mpra.libraries.barcode_sets import barcodes, deal_barcodes
from causalgia.notes import unpack_text
from causalgia.schema import validate
from causalgia.sequences import decode, encode

LENTI = ("AGGACCGGATCAACT", "CATTGCGTGAACCGA")
BARCODED = (LENTI[0], "", LENTI[1])
LOOSE = {"gc": (0.0, 1.0), "homopolymer": 200, "repeats": 1.0}


def reverse(text):
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


def pair(n_units, *, length=60, motif="AGATAAG", at=20, **rest):
    arms = {"untreated": cg.Untreated(), "GATA1": cg.Embed(motif, at=at)}
    return cg.Design(null=cg.Uniform(length=length), arms=arms, n_units=n_units, **rest)


def bare(design, *, rng=7, adapters=LENTI, **rest):
    """A library without controls; its rules are those that a test names."""
    ends = sum(map(len, adapters)) if not isinstance(adapters, str) else 30
    asked = {
        "n_scrambles": 0,
        "n_duplicates": 0,
        "n_promoter_only": 0,
        "avoid": (),
        **LOOSE,
    } | rest
    asked.setdefault("oligo_length", design.null.length + ends)
    return library_of(design, adapters=adapters, rng=rng, **asked)


def column(library, name, **where):
    chosen = np.ones(library.sizes["row"], bool)
    for other, value in where.items():
        chosen &= library[other].to_numpy() == value
    return library[name].to_numpy()[chosen]


@pytest.fixture(scope="module")
def barcoded():
    design = pair(150, length=145, contrasts="untreated")
    return cg.mpra.library(
        design,
        oligo_length=203,
        adapters="melnikov",
        barcodes_per_oligo=6,
        barcode_rules=cg.mpra.BarcodeRules(length=13),
        controls=cg.mpra.Controls(
            positives={
                "CMV": decode(np.random.default_rng(4).integers(0, 4, (1, 145)))[0]
            }
        ),
        rng=3,
    )


# the oligo


def test_an_oligo_is_its_parts(barcoded):
    validate(barcoded, "library")
    names = ("insert", "barcode", "oligo", "group")
    for insert, barcode, oligo, group in zip(
        *(barcoded[name].to_numpy() for name in names), strict=True
    ):
        if group == "promoter":
            assert insert == ""
            assert oligo.startswith("ACTGGCCGCTTCACTGGGTACC")
            assert oligo.endswith("TCTAGA" + barcode + "AGATCGGAAGAGCGTCG")
        else:
            assert (
                oligo
                == "ACTGGCCGCTTCACTG"
                + insert
                + "GGTACCTCTAGA"
                + barcode
                + "AGATCGGAAGAGCGTCG"
            )
            assert len(insert) == 145
        assert (len(oligo), len(barcode)) == (203, 13)


def test_without_barcodes_the_oligo_carries_none_and_no_junction():
    library = bare(pair(20), adapters=("ACCA", "CAAC"), oligo_length=68)
    assert "barcode" not in library
    assert library["oligo"].values[0] == "ACCA" + library["insert"].values[0] + "CAAC"
    assert library["name"].values.tolist() == library["oligo_name"].values.tolist()


def test_what_is_ordered_is_counted(barcoded):
    assert Counter(barcoded["group"].values) == {
        "test": 150 * 2 * 6,
        "negative": 100 * 6,
        "positive": 6,
        "duplicate": 20 * 2 * 6,
        "promoter": 36,
    }
    assert (
        barcoded.sizes["row"]
        == len(set(barcoded["name"].values))
        == len(set(barcoded["barcode"].values))
    )


def test_sites_stand_where_they_are_meant_and_nowhere_else(barcoded):
    for oligo in barcoded["oligo"].values:
        for site in ("GGTACC", "TCTAGA"):
            assert oligo.count(site) == 1
        assert not any(
            oligo[i : i + 5] == "GGCCN"[:4] and oligo[i + 9 : i + 13] == "GGCC"
            for i in range(190)
        )


def test_an_arm_does_not_have_the_name_of_controls():
    arms = {"scramble": cg.Untreated(), "GATA1": cg.Embed("AGATAAG", at=20)}
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=4)
    assert bare(design).sizes["row"] == 8


def test_a_small_design_has_as_many_pairs_as_oligos():
    order = {
        "adapters": BARCODED,
        "barcodes_per_oligo": 2,
        "barcode_length": 10,
        "oligo_length": 100,
    }
    for n_units, pairs in ((5, 10), (12, 20)):
        arms = bare(pair(n_units), **order, n_duplicates=None)["arm"].values.tolist()
        assert arms.count("duplicate 1") == arms.count("duplicate 2") == 2 * pairs


# redrawing


def test_units_that_keep_the_rules_are_those_of_the_trial():
    design = pair(200)
    library = bare(design)
    drawn = decode(design.null.sample(200, rng=7)["sequence"].values)
    assert column(library, "insert", arm="untreated").tolist() == drawn
    assert not library["draw"].any()
    assert float(library["share_redrawn"]) == 0
    assert library["gc_ordered"] == library["gc_proposed"]


def test_a_redraw_keeps_the_pair_and_moves_nobody_else():
    design = pair(400)
    free, kept = (
        bare(design, adapters=("ACCA", "CAAC"), avoid=avoid)
        for avoid in ((), ("EcoRI", "GATC"))
    )
    redrawn = kept["draw"].values > 0
    assert 0 < redrawn.mean() < 1
    same = free["insert"].values == kept["insert"].values
    assert (same == ~redrawn).all()
    untreated, treated = (
        column(kept, "insert", arm=arm) for arm in ("untreated", "GATA1")
    )
    assert all(
        a[:20] + "AGATAAG" + a[27:] == b
        for a, b in zip(untreated, treated, strict=True)
    )
    for oligo in kept["oligo"].values:
        assert "GAATTC" not in oligo
        assert "GATC" not in oligo


def test_a_site_made_at_a_junction_is_repaired_as_often_as_it_must():
    """The left adapter ends in GAATT: one background in four begins with the C that
    makes EcoRI.
    """
    n = 4_000
    library = bare(pair(n), adapters=("GGAATT", "ACCA"), avoid="EcoRI")
    untreated, treated = (
        column(library, "insert", arm=arm) for arm in ("untreated", "GATA1")
    )
    assert not any("GAATTC" in oligo for oligo in library["oligo"].values)
    inside = 1 - (1 - 4.0**-6) ** 55
    least, most = 0.25, 0.25 + 2 * inside
    se = np.sqrt(0.25 * 0.75 / n)
    assert least - 4 * se < float(library["share_redrawn"]) < most + 4 * se
    first = Counter(insert[0] for insert in untreated)
    assert set(first) == set("AGT")
    assert np.abs(
        np.array([first[base] for base in "AGT"]) - n / 3
    ).max() < 4 * np.sqrt(n * 2 / 9)
    assert [a[0] for a in untreated] == [b[0] for b in treated]
    report = library["broken"].sel(rule="site EcoRI")
    assert int(report.sel(judged_arm="untreated")) >= int(
        (library["draw"].values > 0).sum() / 2 * 0.9
    )
    assert float(library["gc_proposed"] - library["gc_ordered"]) > 0


def test_a_unit_is_judged_under_every_arm_in_a_parallel_library_too():
    """Arm B makes EcoRI where the background begins with G: backgrounds under A may not
    begin with it either.
    """
    arms = {"A": cg.Untreated(), "B": cg.Embed("AATTC", at=1)}
    design = cg.Design(
        null=cg.Uniform(length=60), arms=arms, n_units=600, assignment="parallel"
    )
    library = bare(design, avoid="EcoRI")
    assert library.sizes["row"] == 600
    assert Counter(library["arm"].values) == {"A": 300, "B": 300}
    assert not any(insert.startswith("G") for insert in library["insert"].values)
    share = cg.FunctionPredictor(lambda x: x[:, 1].mean(1), scale="share")
    dealt_by_run = cg.run(design, share, rng=7, progress=False)["assigned"].values
    assert library["arm"].values.tolist() == dealt_by_run.tolist()


def test_a_shorter_library_is_the_first_part_of_a_longer_one():
    short, long = (
        bare(pair(n), avoid=["EcoRI", "GGCC"], n_scrambles=20) for n in (100, 500)
    )
    assert (short["draw"].values > 0).any()
    assert short["insert"].values[:200].tolist() == long["insert"].values[:200].tolist()
    again = bare(pair(100), avoid=["EcoRI", "GGCC"], n_scrambles=20)
    other = bare(pair(100), avoid=["EcoRI", "GGCC"], n_scrambles=20, rng=8)
    prints = [library.attrs["library_fingerprint"] for library in (short, again, other)]
    assert prints[0] == prints[1] != prints[2]


def test_arms_that_are_equal_for_some_unit_are_redrawn_and_counted():
    n = 800
    library = bare(pair(n, motif="A"))
    untreated, treated = (
        column(library, "insert", arm=arm) for arm in ("untreated", "GATA1")
    )
    assert not any(a == b for a, b in zip(untreated, treated, strict=True))
    counted = int(library["broken"].sel(rule="equal arms", judged_arm="GATA1"))
    assert counted == int(library["n_draws"]) - n
    # draws of a unit are geometric: of mean 4/3 and variance 4/9
    assert abs(counted - n / 3) < 4 * np.sqrt(n * 4 / 9)


def test_equal_arms_of_a_parallel_library_are_a_trial_of_a_against_a():
    arms = {"one": cg.Untreated(), "other": cg.Untreated()}
    design = cg.Design(
        null=cg.Uniform(length=60), arms=arms, n_units=30, assignment="parallel"
    )
    made = bare(design)
    assert made.sizes["row"] == len(set(made["insert"].values)) == 30
    assert "equal arms" not in made["rule"].values
    assert sorted(np.unique(made["arm"].values, return_counts=True)[1]) == [15, 15]


def test_inserts_are_unique_in_both_orientations():
    library = bare(pair(120, length=8, motif="ACA", at=1), n_scrambles=3)
    seen = [min(insert, reverse(insert)) for insert in library["insert"].values]
    assert len(seen) == len(set(seen)) == 243
    assert int(library["broken"].sel(rule="repeated insert").sum()) > 0


def test_given_sequences_are_dropped_in_every_arm_and_recorded():
    dice = np.random.default_rng(0)
    sequences = decode(dice.integers(0, 4, (12, 60)))
    sequences = [text.replace("GAATTC", "GAATTA") for text in sequences]
    sequences[3] = sequences[3][:30] + "GAATTC" + sequences[3][36:]
    sequences[5] = sequences[5][:20] + "AGATAAG" + sequences[5][27:]
    sequences[8] = reverse(sequences[2])
    design = cg.Design(null=cg.Genomic(of=sequences), arms=pair(12).arms, n_units=12)
    with pytest.warns(CausalgiaWarning):
        library = bare(design, avoid="EcoRI")
    assert int(library["n_draws"]) == 12
    assert sorted(set(library["unit"].values)) == [0, 1, 2, 4, 6, 7, 9, 10, 11]
    assert library["why"].to_series().index.tolist() == [3, 5, 8]


def test_a_library_of_one_sequence_is_without_the_arm_that_makes_a_site():
    dice = np.random.default_rng(0)
    text = decode(dice.integers(0, 4, (1, 60)))[0].replace("GAATTC", "GAATTA")
    text = text[:30] + "GAATTG" + text[36:]
    design = cg.experiments.saturation(text, span=(25, 45))
    with pytest.warns(CausalgiaWarning):
        library = bare(design, avoid="EcoRI")
    assert library["why_arm"].to_series().to_dict() == {"G35C": "site EcoRI"}
    assert set(library["arm"].values) == set(design.arm_names) - {"G35C"}
    outcomes = cg.mpra.virtual_trial(library, cg.zoo.oracle("additive"))
    asked = set(cg.contrast(outcomes)["contrast"].values)
    assert asked == set(design.named_contrasts) - {"G35C", "35 changed"}
    with pytest.raises(DesignError):
        bare(design, avoid=text[26:36])


@pytest.mark.parametrize(("pools", "bridge"), [(2, None), (3, 5)])
def test_elements_are_dealt_over_pools_with_a_bridge(tmp_path, pools, bridge):
    design = pair(46, contrasts="untreated")
    whole = bare(design, n_scrambles=8)
    library = bare(design, n_scrambles=8, pools=pools, bridge=bridge)
    assert library.identical(bare(design, n_scrambles=8, pools=pools, bridge=bridge))
    shared = 20 if bridge is None else bridge
    rows = library[["pool", "element", "arm", "group", "oligo"]].to_dataframe()
    assert set(rows["oligo"]) == set(whole["oligo"].values)
    controls = rows[rows["group"] != "test"].groupby("pool")["oligo"].nunique()
    assert controls.tolist() == [8] * pools
    test = rows[rows["group"] == "test"]
    assert (test.groupby(["pool", "element"])["arm"].nunique() == 2).all()
    pools_of = test.groupby("element")["pool"].nunique()
    assert pools_of.value_counts().to_dict() == {pools: shared, 1: 46 - shared}
    sizes = test.groupby("pool")["element"].nunique()
    assert sizes.max() - sizes.min() <= 1

    written = cg.mpra.write_library(library, tmp_path / "order")
    assert cg.mpra.read_library(tmp_path / "order").identical(library)
    for pool in range(1, pools + 1):
        folder = tmp_path / "order" / f"pool_{pool}"
        sheet = pd.read_csv(folder / "oligos.csv")
        assert set(sheet["oligo"]) == set(rows["oligo"][rows["pool"] == pool])
        own = cg.mpra.read_library(folder)
        assert cg.mpra.write_library(own, tmp_path / f"{pool}")
    with pytest.raises(DesignError):
        cg.mpra.write_library(whole, tmp_path / "order")
    again = cg.mpra.write_library(whole, tmp_path / "order", overwrite=True)
    assert {path for path in written if path.exists()} <= set(again)


def test_the_bridge_is_what_two_pools_are_compared_by():
    library = bare(pair(60, contrasts="untreated"), pools=2)
    effect = dict.fromkeys(library["element"].values.tolist())
    effect = dict(zip(effect, np.random.default_rng(0).normal(size=60), strict=True))
    fits = []
    for pool in (1, 2):
        own = library.isel(row=library["pool"].values == pool)
        truth = own[["element", "arm"]].to_dataframe().reset_index(drop=True)
        truth["log2"] = truth["element"].map(effect) * (truth["arm"] != "untreated")
        counts = cg.mpra.simulate(truth, n_barcodes=40, n_replicates=3, rng=pool)
        fits.append(cg.mpra.fit(counts, control="untreated"))
    found = cg.mpra.concordance(*fits)
    assert found["n"].item() == 20
    assert found["pearson"].item() > 0.9


def test_an_arm_that_draws_is_drawn_anew_on_given_sequences():
    dice = np.random.default_rng(0)
    sites = ("GATC", "GGCC", "TTAA")
    sequences = [
        text
        for text in decode(dice.integers(0, 4, (120, 60)))
        if not any(x in text for x in sites)
    ][:40]
    arms = {"untreated": cg.Untreated(), "random": cg.Embed("NNNNNNNNNN", at=30)}
    design = cg.Design(null=cg.Genomic(of=sequences), arms=arms, n_units=40)
    library = bare(design, adapters=("ACCA", "CAAC"), avoid=sites)
    redrawn = library["draw"].values > 0
    assert redrawn.any()
    for insert, unit in zip(
        column(library, "insert", arm="untreated"),
        column(library, "unit", arm="untreated"),
        strict=True,
    ):
        assert insert == sequences[unit]


def test_a_given_sequence_is_not_drawn_anew_for_an_arm_that_never_changes():
    dice = np.random.default_rng(0)
    sequences = [
        text.replace("GGCC", "GGCA") for text in decode(dice.integers(0, 4, (40, 60)))
    ]
    sequences[7] = "GGCC" + sequences[7][4:]
    arms = {"untreated": cg.Untreated(), "random": cg.Embed("NNNNNNNNNN", at=30)}
    design = cg.Design(null=cg.Genomic(of=sequences), arms=arms, n_units=40)
    with pytest.warns(CausalgiaWarning):
        library = bare(design, avoid="GGCC")
    assert library["why"].to_series().index.tolist() == [7]
    assert (
        int(library["n_draws"])
        == 40 + int((library["draw"].values[::2] > 0).sum())
        < 60
    )


def test_shuffles_of_a_parent_that_cannot_meet_the_rules_are_dropped_in_every_arm(
    tmp_path,
):
    dice = np.random.default_rng(0)
    parents = {
        "fair": decode(dice.integers(0, 4, 60))[0],
        "poor": decode(dice.integers(0, 2, 60) * 3)[0],
    }
    arms = pair(4).arms
    design = cg.Design(null=cg.DinucleotideShuffle(of=parents), arms=arms, n_units=20)
    with pytest.warns(CausalgiaWarning):
        library = bare(design, gc=(0.3, 1.0), n_redraws=5)
    assert set(column(library, "parent", group="test")) == {"fair"}
    assert Counter(library["arm"].values) == {"untreated": 10, "GATA1": 10}
    told = library["why"].to_series().to_dict()
    assert list(told) == list(range(min(told), 20, 2))
    cg.mpra.write_library(library, tmp_path / "LIB")
    back = cg.mpra.read_library(tmp_path / "LIB")
    assert back.identical(library)
    assert cg.report(back) == cg.report(library)
    np.testing.assert_array_equal(
        cg.mpra.virtual_trial(back, content(60))["outcome"],
        cg.mpra.virtual_trial(library, content(60))["outcome"],
    )


def test_reserved_parents_stay_reserved():
    dice = np.random.default_rng(1)
    peaks = dict(
        zip(
            [f"p{i}" for i in range(20)],
            decode(dice.integers(0, 4, (20, 60))),
            strict=True,
        )
    )
    design = cg.Design(
        null=cg.DinucleotideShuffle(of=peaks),
        arms=pair(5).arms,
        n_units=40,
        reserve=0.5,
    )
    library = bare(
        design, avoid=["GGCC", "TTAA"], adapters=("ACCA", "CAAC"), n_scrambles=30
    )
    reserved = set(
        map(
            str,
            design.reserved.parents(np.arange(10, dtype=np.uint64), key=0, n_units=10),
        )
    )
    parents = set(column(library, "parent", group="test"))
    assert len(parents) == 10
    assert not parents & reserved
    assert (library["draw"].values > 0).any()
    for parent, insert in zip(
        *(column(library, x, arm="untreated") for x in ("parent", "insert")),
        strict=True,
    ):
        assert pairs_in(insert) == pairs_in(peaks[parent])


def pairs_in(text):
    return Counter(text[i : i + 2] for i in range(len(text) - 1))


# what rules did to the null model


def test_a_rule_that_favors_a_composition_shows_as_a_shift():
    library = bare(pair(300), gc=(0.55, 1.0))
    assert float(library["gc_ordered"]) > 0.55 > float(library["gc_proposed"])


# controls


def test_scrambles_keep_the_dinucleotides_of_the_units_backgrounds():
    library = bare(pair(30), avoid="GGCC", n_scrambles=100)
    backgrounds = column(library, "insert", arm="untreated")
    made = column(library, "insert", arm="scramble")
    assert len(made) == len(set(made)) == 100
    for i, insert in enumerate(made):
        assert pairs_in(insert) == pairs_in(backgrounds[i % 30])
        assert "GGCC" not in insert
    assert set(column(library, "group", arm="scramble")) == {"negative"}
    assert int(library["broken_scrambles"].sum()) > 0


def test_given_controls_stand_as_they_are_and_units_give_way():
    design = pair(20)
    taken = decode(design.null.sample(20, rng=7)["sequence"].values)[4]
    library = bare(design, positives={"mine": reverse(taken)}, negatives=["ACGGT" * 12])
    assert column(library, "insert", arm="positive").tolist() == [reverse(taken)]
    assert column(library, "oligo_name", arm="negative").tolist() == [
        "negative0.d14815"
    ]
    assert sorted(set(column(library, "unit", draw=1))) == [4]
    assert column(library, "unit", group="positive").tolist() == [-1]


def test_duplicates_are_one_oligo_under_two_names(barcoded):
    tests = set(column(barcoded, "insert", group="test"))
    names = sorted(set(column(barcoded, "element", group="duplicate")))
    assert {name.split(".")[0] for name in names} == {f"aa{i}" for i in range(20)}
    for name in names:
        one, two = (
            column(barcoded, "insert", element=name, arm=f"duplicate {j}")
            for j in (1, 2)
        )
        assert set(one) == set(two) <= tests
        assert len(set(one)) == 1
        assert len(one) == len(two) == 6
    assert len(set(column(barcoded, "insert", group="duplicate"))) == 20
    without = bare(pair(20))
    assert not (without["group"].values == "duplicate").any()


def test_what_only_synthesized_barcodes_have_is_refused_with_random_ones():
    order = {"oligo_length": 230, "adapters": "lentimpra", "rng": 7}
    design = pair(5, length=200)
    kept, zero = (
        cg.mpra.library(
            design, controls=cg.mpra.Controls(n_scrambles=5, n_duplicates=n), **order
        )
        for n in (None, 0)
    )
    np.testing.assert_array_equal(kept["oligo"].values, zero["oligo"].values)


def test_names_can_be_ordered_and_arms_do_not_collide():
    arms = {
        "A + B": cg.Untreated(),
        "A_+_B": cg.Embed("ACA", at=3),
        "é": cg.Embed("ACGA", at=3),
    }
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=5)
    names = bare(design)["name"].values
    assert len(set(names)) == 15
    assert all(name.isascii() and " " not in name for name in names)


def test_arms_of_a_unit_stand_in_random_order():
    n = 400
    first = bare(pair(n))["arm"].values[::2]
    assert abs((first == "GATA1").sum() - n / 2) < 4 * np.sqrt(n / 4)


def test_what_an_arm_deletes_it_may_insert_elsewhere():
    arms = {
        "untreated": cg.Untreated(),
        "without": cg.Delete((3, 9)) + cg.Insert("ACGTAC", at=54),
    }
    library = bare(cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=5))
    for one, two in zip(
        *(column(library, "insert", arm=arm) for arm in arms), strict=True
    ):
        assert two == one[:3] + one[9:] + "ACGTAC"


# barcodes


def test_barcodes_make_no_site_where_they_meet_their_oligo():
    library = bare(
        pair(150), adapters=("ACCAT", "", "TACCA"), oligo_length=80, avoid=["GGCC", "TCGA"], barcodes_per_oligo=5,
        barcode_length=10, min_distance=2,
    )  # fmt: skip
    assert int(library["broken_barcodes"].sum()) > 0
    assert not any(
        site in oligo for oligo in library["oligo"].values for site in ("GGCC", "TCGA")
    )
    assert len(set(library["barcode"].values)) == library.sizes["row"] == 150 * 2 * 5


def test_barcodes_are_dealt_at_random_in_sets_of_like_composition():
    n_units, arms, copies = 40, 2, 3
    block = np.repeat(np.arange(n_units), arms * copies)
    cells = block * copies + np.tile(np.arange(copies), n_units * arms)
    arm = np.tile(np.repeat(np.arange(arms), copies), n_units)
    pool = encode(barcodes(260, length=10, rng=0))
    gc = ((pool == 1) | (pool == 2)).sum(axis=1)
    off = []
    for key in range(100):
        mine, left = deal_barcodes(cells, gc, key=key)
        assert sorted([*mine, *left]) == list(range(260))
        off.append(gc[mine][arm == 0].mean() - gc[mine][arm == 1].mean())

        spread = [np.ptp(gc[mine][cells == cell]) for cell in range(n_units * copies)]
        assert max(spread) <= 1

    assert abs(np.mean(off)) < 4 * np.std(off) / 10
    assert np.std(off) < gc.std() * np.sqrt(2 / 120) / 2


# from the library to effects


def test_elements_are_matched_by_name_from_the_order_to_the_comparison(barcoded):
    columns = ["oligo_name", "element", "arm", "group"]
    side = pd.DataFrame(
        {name: barcoded[name].values for name in columns}
    ).drop_duplicates("oligo_name")
    counts = cg.mpra.simulate(
        side.assign(log2=1.0 * (side["arm"] == "GATA1")), n_barcodes=6, rng=0
    )
    fit = cg.mpra.fit(counts, control="untreated", method="two_way")
    virtual = cg.mpra.virtual_trial(barcoded, content(145))
    assert (
        set(fit["element"].values)
        == set(virtual["unit"].values)
        == set(column(barcoded, "element", group="test"))
    )
    same = cg.mpra.fit(
        counts, control="duplicate 1", arm_names=["duplicate 2"], method="two_way"
    )
    assert set(same["element"].values) == set(
        column(barcoded, "element", group="duplicate")
    )
    assert abs(fit["ace"].mean() - 1) < 4 * fit["ace"].std() / np.sqrt(150)


# how it was made


def test_the_library_says_how_it_was_made(barcoded):
    attrs = barcoded.attrs
    design = Design.from_json(unpack_text(barcoded, "design"))
    assert design == pair(150, length=145, contrasts="untreated")
    assert attrs["design_fingerprint"] == design.fingerprint
    assert (attrs["rng"], attrs["left"]) == ("3", "ACTGGCCGCTTCACTG")
    assert json.loads(attrs["rules"])[:3] == ["site KpnI", "site SfiI", "site XbaI"]
    made = cg.mpra.library(
        design,
        oligo_length=attrs["oligo_length"],
        adapters=attrs["construct"],
        barcodes_per_oligo=attrs["barcodes_per_oligo"],
        barcode_rules=cg.mpra.BarcodeRules(length=attrs["barcode_length"]),
        controls=cg.mpra.Controls(
            positives={"CMV": column(barcoded, "insert", oligo_name="CMV")[0]}
        ),
        rng=int(attrs["rng"]),
    )
    assert made.attrs["library_fingerprint"] == attrs["library_fingerprint"]


# the virtual trial


def content(length):
    return cg.FunctionPredictor(
        lambda x: np.stack([x[:, 1:3].sum((1, 2)), x[:, 0].sum(1)], 1) / length,
        scale="share",
    )


def test_the_virtual_trial_of_what_was_ordered_is_the_trial_where_nothing_was_redrawn():
    design = pair(80, contrasts="untreated")
    run = cg.run(design, content(60), rng=7, progress=False)
    virtual = cg.mpra.virtual_trial(bare(design), content(60))
    np.testing.assert_array_equal(run["outcome"].values, virtual["outcome"].values)
    for name in ("gc", "parent"):
        assert (
            run[name].values.astype(str).tolist()
            == virtual[name].values.astype(str).tolist()
        )
    assert [name.split(".")[0] for name in virtual["unit"].values[:3]] == [
        "u0",
        "u1",
        "u2",
    ]
    ours, theirs = (cg.estimate(cg.contrast(x)) for x in (virtual, run))
    np.testing.assert_allclose(ours["ace"], theirs["ace"], rtol=1e-12)
    np.testing.assert_allclose(ours["se"], theirs["se"], rtol=1e-12)


def test_the_virtual_trial_asks_for_what_was_ordered(barcoded):
    virtual = cg.mpra.virtual_trial(barcoded, content(145))
    assert virtual["outcome"].shape == (150, 2, 2)
    for arm in ("untreated", "GATA1"):
        inserts = column(barcoded, "insert", arm=arm)[::6]  # six barcodes each
        share = [sum(base in "CG" for base in insert) / 145 for insert in inserts]
        np.testing.assert_allclose(
            virtual["outcome"].sel(arm=arm).values[:, 0], share, rtol=1e-6
        )
    assert (barcoded["draw"].values > 0).any()
    assert virtual["gc"].values == pytest.approx(
        virtual["outcome"].sel(arm="untreated").values[:, 0]
    )


def test_flanks_stand_around_the_insert():
    library = bare(pair(20))
    seen = []
    predictor = cg.FunctionPredictor(
        lambda x: seen.append(x.shape) or x[:, 2, :5].sum(1), scale="G", batch_size=64
    )
    outcomes = cg.mpra.virtual_trial(library, predictor, flanks=("GGGGG", "AC"))
    assert (outcomes["outcome"] == 5).all()
    assert {shape[2] for shape in seen} == {67}


def test_a_parallel_library_and_an_ensemble():
    design = pair(40, assignment="parallel", contrasts="untreated")
    ensemble = cg.Ensemble({"a": content(60), "b": content(30)})
    virtual = cg.mpra.virtual_trial(bare(design), ensemble)
    run = cg.run(design, ensemble, rng=7, progress=False)
    np.testing.assert_array_equal(run["outcome"].values, virtual["outcome"].values)
    assert run["assigned"].values.tolist() == virtual["assigned"].values.tolist()
    ours, theirs = (cg.estimate(cg.contrast(x)) for x in (virtual, run))
    np.testing.assert_allclose(ours["se"], theirs["se"], rtol=1e-12)
