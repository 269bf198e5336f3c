"""Errors of designs, of arms and of null models: the cure that each names is taken from
its text and applied to the same call, and the answer is the right one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from cures import Cases, arguments, cure_in, cured, evaluated, number_in, refusal
from test_applied_cures import STRINGS, design, run

import causalgia as cg
from causalgia.design import (
    AblateEach,
    Copy,
    EmbedEach,
    intervention_from_dict,
    merged_motif,
    null_from_dict,
)
from causalgia.sequences import Motif, Variant
from causalgia.sequences.alphabet import reverse_complement
from causalgia.sequences.windowed_variants import variant_windows

pytestmark = pytest.mark.rotating(6)

case = Cases()
TWO = {"first": "TTGATATT", "second": "CCGATACC"}


def names_in(text: str, pattern: str) -> list[str]:
    return cure_in(text, pattern).split(", ")


# ---- arms


@case
def no_factors() -> Any:
    factors = evaluated(
        cg.factorial,
        {"factors": {}},
        r"such as (\{'A': .*\})",
        fill={"...": "'GATA', at=0"},
    )
    return [arm.name for arm in cg.factorial(factors)] == ["untreated", "A"]


@case
def a_contrast_of_an_arm_that_is_not_there() -> Any:
    given = {
        "null": cg.Uniform(length=20),
        "arms": {"none": cg.Untreated(), "GATA": cg.Embed("GATA", at=3)},
        "n_units": 4,
    }
    for name in ("TAL", "gata"):
        text = refusal(cg.Design, **given, contrasts={"c": {name: 1, "none": -1}})
        there = names_in(text, r"The arms are (.*)$")
        arm = there[1].strip("'")
        assert cg.Design(**given, contrasts={"c": {arm: 1, "none": -1}})
    return there == ["'none'", "'GATA'"]


@case
def labels_for_other_units() -> Any:
    given = {"assignment": "parallel", "n_units": 12, "blocks": ["x", "y"] * 5}
    n = number_in(refusal(design, **given), r"or (\d+) labels, one for each unit")
    return len(design(**given | {"blocks": ["x", "y"] * (n // 2)}).blocks) == 12


@case
def labels_in_a_table() -> Any:
    given = {"assignment": "parallel", "n_units": 12}
    labels = np.array([["x", "y"]] * 6)
    cure_in(refusal(design, **given, blocks=labels), r"or a (label for each unit)")
    return len(design(**given, blocks=labels.ravel()).blocks) == 12


@case
def an_argument_beside_steps() -> Any:
    step = {"embed": "GATA"}
    text = refusal(intervention_from_dict, {"steps": [step], "at": 3})
    name = cure_in(text, r"; (\w+) beside them would be lost: put it into a step")
    found = intervention_from_dict({"steps": [step | {name: 3}]})
    return found == cg.Embed("GATA", at=3)


@case
def an_arm_of_two_verbs() -> Any:
    plain = {"embed": "GATA", "ablate": [3, 7], "at": 3}
    text = refusal(intervention_from_dict, plain)
    known = names_in(text, r"says one of (.*); here embed and ablate")
    assert {"embed", "ablate"} < {*known}
    del plain["ablate"]
    return intervention_from_dict(plain) == cg.Embed("GATA", at=3)


@case
def an_unknown_kind_of_null_model() -> Any:
    plain = {"kind": "uniforme", "length": 20}
    kinds = names_in(refusal(null_from_dict, plain), r"must be one of (.*)")
    (kind,) = (one for one in kinds if plain["kind"].startswith(one))
    return null_from_dict(plain | {"kind": kind}) == cg.Uniform(length=20)


def arm(level: object) -> cg.Arm:
    return cg.Arm("near", cg.Embed("GATA", at=10), levels={"gap": level})


@case
def a_level_that_is_a_list() -> Any:
    kinds = cure_in(refusal(arm, [1, 2]), r"must be a (string or a number)").split(
        " or "
    )
    levels = {"string": "1 and 2", "a number": 1.5}
    return [dict(arm(levels[one]).factors)["gap"] for one in kinds] == ["1 and 2", 1.5]


@case
def a_level_with_a_line_break() -> Any:
    level = "5 bp\n"
    cure_in(refusal(arm, level), r"of 'gap' must be (printable)")
    return dict(arm(level.strip()).factors)["gap"] == "5 bp"


@case
def a_level_beyond_integers() -> Any:
    power = number_in(refusal(arm, 2**70), r"must be below 2\^(\d+)")
    return dict(arm(2**power - 1).factors)["gap"] == 2**power - 1


# ---- designs as tables


@case
def an_unknown_key_of_a_design() -> Any:
    plain = design().to_dict()
    text = refusal(cg.Design.from_dict, plain | {"assigment": "crossover"})
    name = cure_in(text, r"no 'assigment'; did you mean '(\w+)'")
    return cg.Design.from_dict(plain | {name: "crossover"}) == design()


@case
def a_key_of_a_design_like_no_other() -> Any:
    plain = design().to_dict()
    text = refusal(cg.Design.from_dict, plain | {"xyz": 1})
    assert names_in(text, r"no 'xyz'; it takes (.*)")[:3] == [
        "null",
        "arms",
        "n_units",
    ]
    return cg.Design.from_dict(plain) == design()


# ---- null models


@case
def k_mers_beyond_the_most() -> Any:
    given = {"of": ["ACGT" * 10], "k": 12}
    k = number_in(refusal(cg.KletShuffle, **given), r"k is at most (\d+)")
    return cg.KletShuffle(**given | {"k": k}).k == k


@case
def k_mers_longer_than_the_parents() -> Any:
    given = {"of": ["ACGTAC"], "k": 8}
    text = refusal(cg.KletShuffle, **given)
    most = number_in(text, r"parents have only (\d+) bp; choose k below that")
    return cg.KletShuffle(**given | {"k": most - 1}).k == 5


@case
def units_that_are_no_multiple_of_the_draws() -> Any:
    null = cg.Genomic(of=TWO, n_draws=3)
    given = {"null": null, "arms": {"wt": cg.Untreated(), "G": cg.Embed("G", at=0)}}
    text = refusal(design, **given, n_units=4)
    return design(**given, n_units=number_in(text, r"a multiple of (\d+)")).n_units == 3


# ---- interventions


@case
def more_placebos_than_a_motif_has() -> Any:
    nearly = 1 - 3e-9
    a, c = (nearly, *[1e-9] * 3), (1e-9, nearly, 1e-9, 1e-9)
    given = {"pattern": Motif("AAC", (a, a, c)), "at": 3}
    found = cured(cg.placebos, given | {"n_placebos": 3}, r"; give (n_placebos=\d+)")
    return {*found} == {"placebo ACA", "placebo CAA"}


@case
def a_motif_none_of_whose_rearrangements_lacks_it() -> Any:
    row = (1 - 3e-9, *[1e-9] * 3)
    same = Motif("poly(A)", (row, row, row, row))
    arms = {"none": cg.Untreated(), "placebo": cg.Placebo(same, at=3)}
    text = refusal(run, design(arms=arms, n_units=4))
    kind = getattr(cg, cure_in(text, r"use (\w+) instead"))
    arms["placebo"] = kind((3, 7), fill="uniform")
    return run(design(arms=arms, n_units=4)).sizes["arm"] == 2


@case
def a_placebo_of_iupac_letters() -> Any:
    text = refusal(cg.Placebo, "WGATAR", at=3)
    kinds = cure_in(text, r"give a (string of A C G T or a Motif), not IUPAC letters")
    assert kinds
    half = {"W": (0.5, 0, 0, 0.5), "R": (0.5, 0, 0.5, 0)}
    rows = [half.get(b) or [float(b == x) for x in "ACGT"] for b in "WGATAR"]
    of_strings = cg.Placebo("AGATAA", at=3)
    return of_strings and cg.Placebo(Motif("GATA", tuple(map(tuple, rows))), at=3)


@case
def an_unknown_strand() -> Any:
    text = refusal(cg.Embed, "GATAA", at=3, strand="minus")
    strands = cure_in(text, r"must be ('.' or '.')").split(" or ")
    made = [cg.Embed("GATAA", at=3, strand=one.strip("'")) for one in strands]
    return [one.strand for one in made] == ["+", "-"]


@case
def an_unknown_instance() -> Any:
    text = refusal(cg.Embed, cg.motif("CTCF"), at=3, instance="best")
    name = cure_in(text, r"must be 'sample' or '(\w+)'")
    return "consensus" in str(cg.Embed(cg.motif("CTCF"), at=3, instance=name))


@case
def the_name_of_a_motif() -> Any:
    given = {"pattern": "CTCF", "at": 3}
    motif = evaluated(cg.Embed, given, r"name or file is (cg.motif\('CTCF'\))")
    return cg.Embed(motif, at=3).pattern.source == cg.motif("CTCF")


@case
def two_sites_that_differ_where_they_overlap() -> Any:
    text = refusal(merged_motif, "GATA", "GATA", 2)
    assert "have T and G at base 2" in text
    distance = number_in(text, r"at a distance of (\d+) or more they do not overlap")
    return merged_motif("GATA", "GATA", distance) == "GATAGATA"


def alleles(n: int, **given: Any) -> cg.Design:
    arms = {
        name: EmbedEach([base] * n, at=3, **given)
        for name, base in (("reference", "A"), ("alternate", "C"))
    }
    return cg.Design(null=cg.Genomic(of=TWO), arms=arms, n_units=2)


@case
def sites_for_other_sequences() -> Any:
    text = refusal(alleles, 3)
    n = number_in(text, r"the null model (\d+) sequences .*; give a site for each seq")
    return len(alleles(n).named_arms) == 2


@case
def sites_beside_a_reserve() -> Any:
    arms = {one.name: one.intervention for one in alleles(2).named_arms}
    given = {"null": cg.Genomic(of=TWO), "arms": arms, "n_units": 2, "reserve": 0.5}
    name = cure_in(refusal(cg.Design, **given), r"(reserve)=")
    del given[name]
    return cg.Design(**given) == alleles(2)


@case
def draws_that_differ_from_the_null_model() -> Any:
    text = refusal(alleles, 2, n_draws=3)
    n = number_in(text, r"the null model n_draws=(\d+); make them equal")
    return alleles(2, n_draws=n).n_units == 2


@case
def units_beyond_the_sites() -> Any:
    tokens, units = np.zeros((3, 8), np.uint8), np.arange(3, dtype=np.uint64)
    text = refusal(EmbedEach(["C"] * 2, at=3).apply, tokens, units=units, key=0)
    cure_in(text, r"; give a (site) for each sequence")
    found = EmbedEach(["C"] * 3, at=3).apply(tokens, units=units, key=0)
    return found[:, 3].tolist() == [1, 1, 1]


@case
def a_scramble_of_too_long_k_mers() -> Any:
    given = {"span": (3, 9), "k": 11}
    most = number_in(refusal(cg.Scramble, **given), r"whole number from 1 to (\d+)")
    return cg.Scramble(**given | {"k": most}).k == 6


@case
def bases_without_positions() -> Any:
    text = refusal(cg.Mutate, at=3, bases="AC")
    n = number_in(text, r"1 position\(s\) but (\d+) base\(s\).*give one each")
    found = cg.Mutate(at=range(3, 3 + n), bases="AC")
    tokens, units = np.zeros((1, 8), np.uint8), np.arange(1, dtype=np.uint64)
    made = found.apply(tokens, units=units, key=0)
    return made.tolist() == [[0, 0, 0, 0, 1, 0, 0, 0]]


# ---- more sequences, and fewer of them


@case
def a_reserve_of_nothing() -> Any:
    few = cg.Genomic(of=STRINGS[:3])
    text = refusal(few.split, 0.1)
    assert cure_in(text, r"give (more sequences), or another share$")
    return [
        len(cg.Genomic(of=STRINGS).split(0.1)) == 2,
        [part.available for part in few.split(1 / 3)] == [2, 1],
    ]


@case
def sequences_that_do_not_fit_into_memory() -> Any:
    null = cg.Uniform(length=40)
    draw = cg.Uniform.draw

    def failing(self: Any, units: Any, **given: Any) -> Any:
        if len(units) > 100:
            raise MemoryError
        return draw(self, units, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cg.Uniform, "draw", failing)
        text = refusal(null.sample, 200, rng=0)
        assert cure_in(text, r"do not fit into memory; draw (fewer)$")
        return null.sample(100, rng=0).sizes["unit"] == 100


@case
def an_insertion_past_the_end() -> Any:
    def inserted(at: int) -> Any:
        return design(arms={"none": cg.Untreated(), "A": cg.Insert("GATA", at=at)})

    last = number_in(refusal(inserted, 70), r"the last valid place is (\d+)$")
    refusal(inserted, last + 1)
    return len(inserted(last).named_arms) == 2


# ---- spans, copies and lists for each sequence


TOKENS = cg.sequences.encode(STRINGS[:4])
UNITS = np.arange(4, dtype=np.uint64)


def occluded(spans: Any, n_draws: int) -> Any:
    """Return how many bases differ in each of the units of a design."""
    made = AblateEach(spans, fill="A", n_draws=n_draws)
    null = cg.Genomic(of=TWO, n_draws=n_draws)
    arms = {"wt": cg.Untreated(), "out": made}
    design = cg.Design(null=null, arms=arms, n_units=2 * n_draws)
    return len(design.named_arms[1].intervention.sites)


@case
def spans_some_of_which_are_several() -> Any:
    text = refusal(occluded, [(2, 6), [(0, 4), (4, 8)]], 2)
    assert cure_in(text, r"; give (each \(start, stop\), or as many)$")
    return [
        occluded([(2, 6), (0, 4)], 2) == 2,
        occluded([[(2, 6), (4, 8)], [(0, 4), (4, 8)]], 2) == 4,
    ]


@case
def draws_that_are_no_multiple_of_the_spans() -> Any:
    spans = [[(2, 6), (4, 8)], [(0, 4), (4, 8)]]
    n = number_in(refusal(occluded, spans, 3), r"; give a multiple of (\d+) draws$")
    return [occluded(spans, n) == 4, occluded(spans, 2 * n) == 4]


@case
def sites_of_given_sequences_in_random_ones() -> Any:
    arms = {one.name: one.intervention for one in alleles(2).named_arms}
    given = {"arms": arms, "n_units": 2}
    null = cure_in(
        refusal(cg.Design, null=cg.Uniform(length=8), **given),
        r"; use (null=cg\.Genomic\(of=those sequences\))$",
    )
    named = arguments(null.replace("those sequences", "TWO"), TWO=TWO)
    return cg.Design(**given, **named) == alleles(2)


@case
def motifs_without_positions() -> Any:
    text = refusal(EmbedEach, ["G", "TT", "C", "A"], at=[3, 4])
    assert cure_in(text, r"2 positions in at=; (give one each)$")
    made = EmbedEach(["G", "TT", "C", "A"], at=[3, 4, 5, 6])
    made = made.apply(TOKENS, units=UNITS, key=0)
    return [
        cg.sequences.decode(made)[row][at : at + len(motif)] == motif
        for row, (motif, at) in enumerate([("G", 3), ("TT", 4), ("C", 5), ("A", 6)])
    ]


@case
def a_copy_on_an_unknown_strand() -> Any:
    text = refusal(Copy, (2, 6), at=10, strand="minus")
    made = [
        cg.sequences.decode(
            Copy((2, 6), at=10, strand=one.strip("'")).apply(TOKENS, units=UNITS, key=0)
        )[0][10:14]
        for one in cure_in(text, r"must be ('.' or '.')$").split(" or ")
    ]
    other = reverse_complement(TOKENS[:, 2:6])
    return made == [STRINGS[0][2:6], cg.sequences.decode(other)[0]]


@case
def a_copy_that_overlaps_itself() -> Any:
    text = refusal(Copy, (12, 18), at=15)
    places = [
        number_in(text, r"; write it at (\d+) or later"),
        number_in(text, r", or at (\d+) or earlier$"),
    ]
    assert places == [18, 6]
    copies = [
        Copy((12, 18), at=at).apply(TOKENS, units=UNITS, key=0)[:, at : at + 6]
        for at in places
    ]
    return [np.array_equal(one, TOKENS[:, 12:18]) for one in copies]


@case
def sites_that_do_not_touch() -> Any:
    text = refusal(merged_motif, "GATA", "CACC", 7)
    most = number_in(text, r"at most (\d+) makes one string; embed each of them$")
    both = cg.Embed("GATA", at=3) + cg.Embed("CACC", at=3 + 7)
    made = cg.sequences.decode(both.apply(TOKENS, units=UNITS, key=0))
    return [
        merged_motif("GATA", "CACC", most) == "GATACACC",
        {one[3:7] + one[10:14] for one in made} == {"GATACACC"},
    ]


@case
def contrasts_that_are_a_number() -> Any:
    text = refusal(design, contrasts=3)
    assert cure_in(text, r"must be a (mapping contrast -> arm -> weight), or the")
    assert cure_in(text, r"or the (control arm's name)$")
    weights = {one: {one: 1, "none": -1} for one in ("placebo", "GATA")}
    by_name = design(contrasts="none").named_contrasts
    return [
        design(contrasts=weights).named_contrasts.plain == weights,
        by_name.plain == weights,
    ]


# ---- null models of variants


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(f">chr1\n{LETTERS}\n")
    return path


LETTERS = "".join(np.random.default_rng(4).choice(list("ACGT"), 3_000))
LIST = [
    Variant("chr1", at, LETTERS[at], "CATG"["ACGT".index(LETTERS[at])], f"v{at}")
    for at in range(200, 2_800, 60)
]


def screened(genome: Any, null: Any, **given: Any) -> int:
    """Return how many null variants are drawn."""
    settings = {"length": 40, "n_null": 30} | given
    variants = settings.pop("variants", LIST)
    made = cg.experiments.variant_screen(variants, genome, null=null, **settings)
    assert made.null.length == settings["length"]
    return len(made.null.parents_given) - len(variants)


def of(population: Any = "genome", **given: Any) -> cg.MatchedVariants:
    return cg.MatchedVariants(
        of=population, **{"match": ("length",), "min_nulls": 19} | given
    )


def test_keys_of_variants_that_appear_twice(genome):
    text = refusal(of, match=("length", "length"))
    keys = eval(
        cure_in(text, r"name different keys, such as (\('substitution', .*\))$")
    )
    assert of(match=keys).matched[::-1] == ("length", "substitution", "context")
    assert screened(genome, of(match=keys)) == 30


def test_few_null_variants_of_a_stratum(genome):
    text = refusal(of, min_nulls=5)
    least = arguments(cure_in(text, r"; give (min_nulls=\d+) or more$"))
    assert screened(genome, of(**least)) == 30


def test_a_context_that_is_wider_than_the_windows(genome):
    text = refusal(screened, genome, of("variants", match=("context:41", "length")))
    most = number_in(text, r"give a context of at most (\d+), such as 'context:39'")
    for n in (most, 39):
        assert (
            screened(
                genome, of("variants", match=(f"context:{n}", "length")), n_null=30
            )
            == 30
        )
    longer = arguments(cure_in(text, r"or longer windows, (length=\d+) or more$"))
    assert (
        screened(genome, of("variants", match=("context:41", "length")), **longer) == 30
    )


@pytest.mark.parametrize("deletion", [0, 3])
def test_sequences_that_are_shorter_than_the_windows(genome, deletion):
    cut = Variant("chr1", 150, LETTERS[150:154], LETTERS[150], "cut")
    given = {"variants": [*LIST, cut] if deletion else LIST, "n_null": 90}
    text = refusal(screened, genome, of(cg.Uniform(length=30)), **given)
    least = number_in(
        text, r": give sequences of (\d+) bases or more, of which the mid"
    )
    assert screened(genome, of(cg.Uniform(length=least)), **given) == 90
    name = arguments(cure_in(text, r", or (of='genome')$"))["of"]
    assert screened(genome, of(name), **given) == 90


@pytest.mark.parametrize("gap", [90_000, 0], ids=["sparse", "none"])
def test_null_variants_that_find_no_place(genome, tmp_path, gap):
    """In a genome that is nearly all N, and in one that has no window at all."""
    sparse = tmp_path / "sparse.fa"
    bases = LETTERS[:300] + "N" * gap if gap else "ACGTN" * 60
    sparse.write_text(f">chr1\n{bases}\n")

    def drawn(n_null: int = 60, **of: Any) -> Any:
        null = cg.MatchedVariants(**{"of": "genome", "match": ("length",)} | of)
        windows = variant_windows(LIST[:2], genome, length=40)
        return null.draw(windows, n_null=n_null, genome=sparse)

    text = refusal(drawn)
    found = 60 - number_in(text, r"^(\d+) of 60 null variants found no place")
    assert ("n_null=" in text) == (found > 0) == bool(gap)
    if gap:
        name = cure_in(text, r"; give fewer \((n_null)=\), or more or longer seq")
        assert len(drawn(**{name: 5}).matched) == 5
    name = cure_in(text, r"give .*more or longer sequences \((\w+)=\)$")
    more = drawn(
        **{
            name: [
                one + other
                for one, other in zip(STRINGS * 3, STRINGS[1:] * 3, strict=False)
            ]
        }
    )
    assert len(more.matched) == 60


@case
def a_span_without_bases() -> Any:
    said = refusal(cg.Scramble, (12, 12))
    cure_in(said, r"is empty; stop is excluded and must be (greater than start)$")
    arms = {"none": cg.Untreated(), "cut": cg.Scramble((12, 14))}
    found = run(design(arms=arms, n_units=9))
    return str(found["do"].sel(arm="cut").item()).count("x[12:14]") == 1


@case
def contrasts_in_a_text_that_is_no_arm() -> Any:
    """No arms were listed, and a difference was taken for a control."""
    arms = {
        name: cg.Embed("AGATAAG", at=at)
        for name, at in (("GATA1", 2), ("GATA2", 4), ("x", 6))
    } | {"none": cg.Untreated()}
    listed = cure_in(
        refusal(design, arms=arms, contrasts="mock"), r"he arms are ('.*?)(?:;|$)"
    )
    assert eval(f"[{listed}]") == [*arms]
    for text in ("GATA1 - none", "GATA1 - (GATA2 + x) / 2"):
        named = cure_in(
            refusal(design, arms=arms, contrasts=text), r"by weights: (contrasts=.*)$"
        )
        made = design(arms=arms, **arguments(named)).named_contrasts
        assert list(made) == [text]
        assert made[text]["GATA1"] == 1
    near = refusal(design, arms=arms, contrasts="GATA1 - mock")
    assert "The arms are 'GATA1', 'GATA2', 'x', 'none'" in near
    return design(arms=arms, contrasts="none").named_contrasts["x"] == {
        "x": 1,
        "none": -1,
    }


@case.each
def test_the_cure_of_a_design_is_applied_and_succeeds(case):
    assert np.all(case())
