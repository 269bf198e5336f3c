"""Errors of experiments: the cure that each names is taken from its text and applied to
the same call, and the answer is the right one.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from cures import Cases, arguments, cure_in, cured, number_in, refusal
from test_applied_cures import (
    ARMS,
    PLAIN,
    STRINGS,
    WITH_NONE,
    design,
    network,
    run,
)

import causalgia as cg
from causalgia.attribution import interactions
from causalgia.experiments._across_predictors import (
    _concatenate_predictors,
    share_of_predictors,
)
from causalgia.experiments._fractional_factorial import aliases, fraction
from causalgia.experiments._junctions import junctions
from causalgia.experiments.kit.experiment import build
from causalgia.experiments.kit.listed_rows import list_of_variants
from causalgia.experiments.kit.screens import random_placebos
from causalgia.experiments.kit.site_controls import SiteControl, as_site_control
from causalgia.experiments.kit.tile_contexts import (
    as_spans_inside,
    as_task,
    shuffle_spans,
    tile_context,
)
from causalgia.experiments.kit.variance import pairing_gain
from causalgia.sequences import Motif, Variant

pytestmark = pytest.mark.rotating(6)

ex = cg.experiments
case = Cases()
TILED = cg.Genomic(of=["".join(STRINGS[:5])])


# ---- several predictors


@cache
def of_two(**given: Any) -> dict[str, xr.Dataset]:
    named = design(contrasts=WITH_NONE, n_units=40)
    return {name: run(named, network(k)) for k, name in enumerate("ab")}


@cache
def across() -> xr.Dataset:
    return ex_across(of_two())


def ex_across(tables: Any) -> xr.Dataset:
    from causalgia.experiments import _across_predictors

    found: xr.Dataset = _across_predictors.across_predictors(tables, contrast="GATA")
    return found


@case
def backgrounds_too_short_for_the_sites() -> Any:
    """One of two sites was to be moved, where there was no room for both."""
    experiments = cg.experiments
    for make, n, at in (
        (experiments.composition_bias, 7, {"at": 0, "motif_at": 6}),
        (experiments.fractional_factorial, 20, {}),
    ):
        text = refusal(make, cg.Uniform(length=n), n_units=20)
        least = number_in(text, r"use backgrounds of at least (\d+)")
        assert make(cg.Uniform(length=least), n_units=20, **at).n_units == 20
    return True


@case
def a_share_without_a_seed() -> Any:
    given = {"found": across(), "rope": (-0.1, 0.1)}
    found = cured(share_of_predictors, given, r"such as (rng=0)")
    return found.equals(share_of_predictors(**given, rng=0))


@case
def individual_effects_of_a_parallel_trial() -> Any:
    named = design(contrasts=WITH_NONE, assignment="parallel", n_units=60)
    tables = {name: run(named, network(k)) for k, name in enumerate("ab")}
    kind = cure_in(refusal(ex_across, tables), r"; run a (crossover)")
    named = design(contrasts=WITH_NONE, assignment=kind, n_units=60)
    tables = {name: run(named, network(k)) for k, name in enumerate("ab")}
    return ex_across(tables)["contrast"].size == 4


@case
def some_predictors_on_the_same_units() -> Any:
    other = run(design(contrasts=WITH_NONE, n_units=40), network(2), rng=2)
    text = refusal(ex_across, of_two() | {"c": other})
    assert cure_in(text, r"one experiment with one (rng)= for all")
    c = run(design(contrasts=WITH_NONE, n_units=40), network(2))
    return "c" in " ".join(ex_across(of_two() | {"c": c})["contrast"].to_numpy())


@case
def predictors_on_different_experiments() -> Any:
    longer = design(contrasts=WITH_NONE, n_units=40, null=cg.Uniform(length=60))
    other = cg.FunctionPredictor(
        lambda x: x[:, :2].mean(2), tasks=["K562", "HepG2"], fingerprint="c"
    )
    text = refusal(ex_across, of_two() | {"c": run(longer, other)})
    cure_in(text, r"; run (one experiment) on all predictors")
    c = run(design(contrasts=WITH_NONE, n_units=40), other)
    return "c" in " ".join(ex_across(of_two() | {"c": c})["contrast"].to_numpy())


# ---- fractional factorials


@case
def more_factors_than_letters() -> Any:
    most = number_in(refusal(fraction, 99), r"a whole number from 1 to (\d+)")
    first = chr(ord("A") + 4)
    return most > 4 and fraction(5, [f"{first}=ABCD"]).resolution == 5


@case
def generators_in_one_text() -> Any:
    text = refusal(fraction, 6, "E=ABC,F=BCD")
    generators = eval(cure_in(text, r"must be a list such as (\[.*\])"))
    return fraction(6, generators).signs.shape == (16, 6)


@case
def aliases_of_order_0() -> Any:
    text = refusal(aliases, ["D=ABC"], 4, order=0)
    order = number_in(text, r"a whole number of at least (\d)")
    return [*aliases(["D=ABC"], 4, order=order)] == ["A", "B", "C", "D"]


# ---- tiles


TILES = {"sequences": TILED, "tiles": [(0, 20), (40, 60), (100, 120)]}


@case
def a_goal_that_is_no_goal() -> Any:
    given = TILES | {"predictor": network_of(200), "rng": 0, "task": "K562"}
    text = refusal(ex.greedy_tiles, **given, goal="silence", n_rounds=1)
    goal = cure_in(text, r"must be '(\w+)' or 'raise'")
    return ex.greedy_tiles(**given, goal=goal, n_rounds=1) is not None


def network_of(length: int) -> cg.FunctionPredictor:
    w = np.random.default_rng(4).normal(size=(2, 4, length))
    return cg.FunctionPredictor(
        lambda x: np.tensordot(x, w, ((1, 2), (1, 2))),
        tasks=["K562", "HepG2"],
        fingerprint=f"of {length}",
    )


@case
def an_unknown_context_of_tiles() -> Any:
    text = refusal(ex.tile_interactions, **TILES, rope=(-1, 1), context="native")
    name = cure_in(text, r"must be '(\w+)' or 'shuffled'")
    found = ex.tile_interactions(**TILES, rope=(-1, 1), context=name)
    return len(found.named_arms) == 8


SEARCH = {
    "sequences": TILED,
    "predictor": network_of(200),
    "rng": 0,
    "task": "K562",
    "tiles": [(0, 40)],
    "min_width": 20,
    "fill": "uniform",
    "rope": 0,
}


@case
def an_unknown_fill() -> Any:
    text = refusal(ex.tile_search, **SEARCH | {"fill": "N"})
    fill = cure_in(text, r"must be one of (\w+)")
    return ex.tile_search(**SEARCH | {"fill": fill}) is not None


@case
def tiles_too_narrow_for_a_fill() -> Any:
    given = SEARCH | {"min_width": 1, "fill": "dinucleotide_shuffle", "tiles": [(0, 4)]}
    fill = cure_in(refusal(ex.tile_search, **given), r"; use '(\w+)'")
    return ex.tile_search(**given | {"fill": fill}) is not None


@case
def a_level_of_a_search_in_percent() -> Any:
    given = SEARCH | {"alpha": 5}
    return cured(ex.tile_search, given, r"for example (alpha=0.05)$") is not None


@case
def a_region_of_placebos_in_a_search() -> Any:
    given = SEARCH | {"rope": "placebo"}
    return cured(ex.tile_search, given, r"give (rope=\(-0.1, 0.1\))") is not None


@case
def one_tile_in_place_of_a_list() -> Any:
    text = refusal(as_spans_inside, "0-10", "tiles", 100)
    assert cure_in(text, r"must be a list of (\(start, stop\))")
    return as_spans_inside([(0, 10)], "tiles", 100) == ((0, 10),)


@case
def a_shuffle_of_too_long_k_mers() -> Any:
    k = number_in(refusal(shuffle_spans, [(0, 30)], 12), r"number from 1 to (\d+)")
    return f"k = {k}" in str(shuffle_spans([(0, 30)], k))


@case
def a_search_of_no_task() -> Any:
    text = refusal(as_task, ["K562", "HepG2"], None)
    task = cure_in(text, r"one of (\w+)")
    return as_task(["K562", "HepG2"], task) == "K562"


@case
def a_tile_that_acts_on_nothing() -> Any:
    given = {"null": TILED, "tile": (0, 10), "at": [20, 60], "k": 2}
    text = refusal(tile_context, **given, tss=None)
    name = cure_in(text, r"(tss): give the \(start, stop\) that the tile acts on")
    return tile_context(**given, **{name: (40, 50)}).distance(20) == 20


# ---- sites


class Halved(cg.Untreated):
    """An edit of one's own that leaves out the second half."""

    def apply(self, tokens: Any, *, units: Any, key: int) -> Any:
        return tokens[:, : tokens.shape[1] // 2]


@case
def an_arm_whose_new_bases_are_unknown() -> Any:
    arms = {"none": cg.Untreated(), "cut": cg.Delete((3, 7)), "flip": Halved()}
    motifs = {"GATA": cg.motif("GATA1")}
    text = refusal(junctions, design(arms=arms), motifs, rng=0)
    name = cure_in(text, r"arm '(\w+)': .*; leave the arm out")
    del arms[name]
    return junctions(design(arms=arms), motifs, rng=0) is not None


@case
def a_width_beside_k_mers() -> Any:
    given = {"null": PLAIN, "motifs": ["GATA", "TTAC"], "at": 10, "rope": (-1, 1)}
    name = cure_in(
        refusal(ex.kmer_screen, **given, k=5), r"leave (\w) out where motifs="
    )
    assert name == "k"
    return ex.kmer_screen(**given).named_arms[0] is not None


@case
def a_motif_of_one_base() -> Any:
    short = Motif("A", ((0.97, 0.01, 0.01, 0.01),))
    given = {"null": PLAIN, "at": 10, "rope": (-1, 1)}
    motifs = {"A": short, "GATA": cg.motif("GATA1")}
    text = refusal(ex.motif_screen, motifs, **given)
    del motifs[cure_in(text, r"motif '(\w+)': its core .*; leave the motif out")]
    return ex.motif_screen(motifs, **given) is not None


def pair(**given: Any) -> Any:
    settings = {"null": PLAIN, "motif": "AGATAAG", "other": "TGACTCA", "center": 20}
    return ex.spacing(**settings | {"distances": [8, 12], "rope": (-1, 1)} | given)


@case
def one_null_model_given_twice() -> Any:
    nulls = {"uniform": PLAIN, "again": cg.Uniform(length=40)}
    text = refusal(ex.null_models, pair(), nulls=nulls)
    name = cure_in(text, r"nulls 'uniform' and '(\w+)' are the same .*; give it once")
    del nulls[name]
    nulls["shuffled"] = cg.Shuffle(of=STRINGS)
    return [*ex.null_models(pair(), nulls=nulls)] == ["uniform", "shuffled"]


@case
def sites_that_overlap_and_have_no_placebo() -> Any:
    given = {"other": "AGATAAG", "distances": [5]}
    text = refusal(pair, **given, control="placebo")
    least = number_in(text, r"give distances of (\d+) or more")
    named = arguments(cure_in(text, r"or (control='untreated')"))
    far = pair(**given | {"distances": [least]}, control="placebo")
    near = pair(**given, **named)
    return far.named_arms is not None and near.named_arms is not None


@case
def sites_that_make_a_third() -> Any:
    given = {"motif": "AAAA", "other": "AAAA", "control": "untreated"}
    text = refusal(pair, **given, distances=[2, 6])
    bad = number_in(text, r"collide at distance (\d): .*; choose another distance")
    return pair(**given, distances=[k for k in (2, 6) if k != bad]) is not None


@case
def an_unknown_control_of_sites() -> Any:
    text = refusal(as_site_control, "scrambled", PLAIN)
    kind = cure_in(text, r"must be '(\w+)' \(a rearrangement")
    return as_site_control(kind, PLAIN) == SiteControl("placebo")


@case
def a_site_without_a_placebo() -> Any:
    text = refusal(SiteControl("placebo").absent, cg.Embed("AAAA", at=3))
    named = arguments(cure_in(text, r"; or give (control='untreated')"))
    control = as_site_control(named["control"], PLAIN)
    return control.absent(cg.Embed("AAAA", at=3)) == cg.Untreated()


@case
def k_mers_that_leave_no_other() -> Any:
    taken = ["A", "C", "G", "T"]
    text = refusal(random_placebos, 6, 60, "ACGT", other_than=taken)
    assert cure_in(text, r"holds one of 4 k-mers; test (fewer) of them")
    found = random_placebos(6, 60, "ACGT", other_than=taken[:1])
    return len(found) == 60 and not any("A" in kmer for kmer in found)


# ---- experiments and their answers


@case
def an_argument_that_an_experiment_has_not() -> Any:
    settings = {"motif": "AGATAAG", "at": 10, "rope": (-1, 1)}
    text = refusal(build, "flanks", PLAIN, settings=settings | {"nunits": 50})
    name = cure_in(text, r"no 'nunits'; did you mean '(\w+)'")
    return build("flanks", PLAIN, settings=settings | {name: 50}).n_units == 50


@case
def outcomes_without_a_seed() -> Any:
    experiment = pair(n_units=40)
    outcomes = run(experiment, rng=np.random.default_rng(0))
    text = refusal(experiment.analyze, outcomes)
    named = arguments(cure_in(text, r"give one: analyze\(outcomes, (rng=0)\)"))
    return experiment.analyze(outcomes, **named).decisions is not None


@case
def a_schema_of_no_file() -> Any:
    variants = [Variant("1", 4, "A", "G")]
    text = refusal(list_of_variants, variants, schema="original", skip="N")
    name = cure_in(text, r"^(\w+)='original' is for a file, .*: leave it out")
    assert name == "schema"
    return list_of_variants(variants, schema="vcf", skip="N").skip == {"N"}


@case
def a_pairing_of_unnamed_contrasts() -> Any:
    outcomes = run(design(n_units=40))
    text = refusal(pairing_gain, outcomes, design(n_units=40))
    name = cure_in(text, r"give its design, with (\w+)=")
    found = pairing_gain(outcomes, design(n_units=40, **{name: WITH_NONE}))
    return found is not None and len(ARMS) == 3


# ---- what an experiment is made of, and what it is given


def genome_of_variants(folder: Path) -> list[Variant]:
    """Write a chromosome, and return two variants of it."""
    chromosome = "".join(STRINGS[:4])
    (folder / "genome.fa").write_text(f">1\n{chromosome}\n")
    return [
        Variant("1", at, chromosome[at], {"A": "C", "C": "G"}.get(chromosome[at], "A"))
        for at in (60, 100)
    ]


@case
def the_former_name_of_three_experiments() -> Any:
    folder = Path(tempfile.mkdtemp())
    rows = [
        f"1\t{v.position + 1}\trs{k}\t{v.reference}\t{v.alternate}\t.\t.\t.\n"
        for k, v in enumerate(genome_of_variants(folder))
    ]
    (folder / "calls.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        + "".join(rows)
    )
    files = folder / "calls.vcf", folder / "genome.fa"
    text = refusal(cg.experiments.variants, *files, length=40, rope=(-0.1, 0.1))
    made = eval(cure_in(text, r"did you mean (cg\.experiments\..*\))\?"), {"cg": cg})
    return made.analyze(run(made)).estimates is not None


@case
def an_experiment_without_contrasts() -> Any:
    made = pair(n_units=20)
    text = refusal(replace, made, contrasts=None)
    name = cure_in(text, r"give (\w+)= that answer its question")
    again = replace(made, **{name: made.contrasts})
    return again.named_contrasts == made.named_contrasts


@case
def an_analysis_with_contrasts_of_its_own() -> Any:
    made = pair(n_units=20)
    own = cg.Analysis(control=made.arm_names[0], rope=(-0.1, 0.1))
    text = refusal(replace, made, analysis=own)
    names = cure_in(
        text, r"leave (control, contrasts and interaction) out of analysis="
    )
    plain = replace(own, **dict.fromkeys(names.replace(" and", ",").split(", ")))
    return replace(made, analysis=plain).analysis.rope == own.rope


@case
def predictors_of_which_one_has_no_errors() -> Any:
    one, other = (
        cg.estimate(cg.contrast(run(design(), network(k)), control="none"))
        .sel(contrast=["GATA"])
        .assign_coords(contrast=[f"net {k}"])
        for k in (0, 1)
    )
    text = refusal(_concatenate_predictors, [one, other.drop_vars("se")])
    assert cure_in(
        text, r"has no se, which others have; (run all predictors in one way)"
    )
    return _concatenate_predictors([one, other]).sizes["contrast"] == 2


@case
def null_models_of_several_predictors() -> Any:
    arms = ARMS | {"later": cg.Embed("TGACTCA", at=20)}
    both = cg.Ensemble(
        {"one": network(), "other": network(1)}, differ_by="architectures"
    )
    outcomes = run(design(arms=arms), both)
    table = cg.estimate(cg.contrast(outcomes, control="none"))
    tables = {"uniform": table, "profile": table}
    text = refusal(ex.agreement, tables)
    assert cure_in(text, r"on the dim 'model'; select (one), or their mean")
    tables = {name: one.isel(model=0, drop=True) for name, one in tables.items()}
    return ex.agreement(tables) is not None


@case
def pairs_of_a_task_that_has_no_interactions() -> Any:
    rows = [one[:10] + "AGATAAG" + one[17:] for one in STRINGS[:4]]
    found = cg.attribution.interactions(rows, network(), pairs=[(10, 16), (11, 20)])
    given = {"interactions": found, "null": PLAIN, "rope": (-0.1, 0.1)}
    text = refusal(cg.experiments.site_pairs, **given, task="K526")
    task = cure_in(text, r"is not one of the interactions.*; did you mean '(\w+)'\?")
    return len(cg.experiments.site_pairs(**given, task=task).arm_names) > 2


@case
def variants_in_a_file_of_text() -> Any:
    answer, folder = of_variants(), Path(tempfile.mkdtemp())
    text = refusal(cg.experiments.write_variants, answer, folder / "found.txt")
    ending = cure_in(text, r"is not an extension .*; say (\.tsv), \.csv or \.vcf$")
    path = cg.experiments.write_variants(answer, folder / f"found{ending}")
    return path.read_text().count("\n") >= 3


def of_variants() -> Any:
    folder = Path(tempfile.mkdtemp())
    made = cg.experiments.variant_effects(
        genome_of_variants(folder), folder / "genome.fa", length=40, rope=(-0.1, 0.1)
    )
    return made.analyze(run(made))


# ---- what an experiment is too small for


@case
def motifs_that_two_sites_share() -> Any:
    given = {"null": cg.Uniform(length=80), "rope": (-1, 1), "n_units": 20}
    text = refusal(ex.arrangement_screen, **given, motifs=["AGATAAG"])
    motifs = eval(cure_in(text, r"may be, such as (\(.*\))$"))
    other = ("TGACT", "CAGCTG")
    return ex.arrangement_screen(**given, motifs=motifs, other=other).n_units == 20


@case
def one_distance_of_a_screen() -> Any:
    given = {"null": cg.Uniform(length=80), "rope": (-1, 1), "n_units": 20}
    text = refusal(ex.arrangement_screen, **given, spacing=(10, 10))
    assert cure_in(text, r"give (two different numbers) of bases between the sites")
    return ex.arrangement_screen(**given, spacing=(4, 10)).n_units == 20


@case
def sites_too_far_apart_for_the_background() -> Any:
    given = {"null": PLAIN, "rope": (-1, 1), "n_units": 20}
    text = refusal(ex.arrangement_screen, **given, spacing=(4, 40))
    needed = int(cure_in(text, r"take (\d+) bases, and backgrounds have 40"))
    assert cure_in(text, r"(bring them nearer), or use longer backgrounds$")
    near = ex.arrangement_screen(**given, spacing=(4, 40 - (needed - 40)))
    long = ex.arrangement_screen(
        **given | {"null": cg.Uniform(length=needed)}, spacing=(4, 40)
    )
    return near.n_units == long.n_units


@case
def more_runs_than_can_be_had() -> Any:
    text = refusal(fraction, 20, ["T=ABC"])
    most = int(cure_in(text, r"at most 2\^(\d+) runs .*or fewer factors$"))
    assert cure_in(text, r"give (more generators), or fewer factors$")
    return len(fraction(min(most, 8)).signs) == 2 ** min(most, 8)


@case
def a_generator_that_is_generated() -> Any:
    text = refusal(fraction, 6, ["E=ABC", "F=BCE"])
    name, wrong = (
        cure_in(text, r"generator '(\w)="),
        cure_in(text, r": (\w) is generated itself; use the other factors$"),
    )
    word = "".join(one for one in "ABCD" if one != wrong)[-3:]
    return len(fraction(6, ["E=ABC", f"{name}={word}"]).signs) == 16


@case
def a_variant_alone() -> Any:
    folder = Path(tempfile.mkdtemp())
    variants = genome_of_variants(folder)
    given = {"length": 40, "rope": (-0.1, 0.1)}
    text = refusal(ex.variant_effects, variants[:1], folder / "genome.fa", **given)
    assert cure_in(text, r"give (more variants), or rank it among matched ones")
    made = ex.variant_effects(variants, folder / "genome.fa", **given)
    return made.analyze(run(made)).estimates is not None


@case
def no_predictors() -> Any:
    text = refusal(ex.across_predictors, {}, contrast="GATA")
    n = {"two": 2}[cure_in(text, r"give the outcomes of (two) or more$")]
    made = design(contrasts=WITH_NONE)
    tables = {f"net {k}": run(made, network(k)).sel(task=["K562"]) for k in range(n)}
    return ex.across_predictors(tables, contrast="GATA").sizes["contrast"] == n


@case
def tiles_for_more_rounds_than_there_are() -> Any:
    tiles = [(0, 10), (10, 20), (20, 30)]
    given = {"sequences": STRINGS[:6], "predictor": network(), "rng": 0}
    given |= {"task": "K562", "n_draws": 2}
    text = refusal(ex.greedy_tiles, **given, tiles=tiles, n_rounds=4)
    n = int(cure_in(text, r"there are (\d) tiles to choose from; give more tiles$"))
    tiles.append((30, 40))
    return ex.greedy_tiles(**given, tiles=tiles, n_rounds=n - 2) is not None


@case
def one_shuffle_of_each_sequence() -> Any:
    given = {"sequences": STRINGS[:6], "predictor": network(), "rng": 0, "n_rounds": 1}
    given |= {"task": "K562", "tiles": [(0, 10), (10, 20)]}
    text = refusal(ex.greedy_tiles, **given, n_draws=1)
    named = cure_in(text, r"needs two of each; give (n_draws=\d+)$")
    return ex.greedy_tiles(**given, **arguments(named)) is not None


@case
def pairs_that_leave_the_background() -> Any:
    rows = [one[:10] + "AGATAAG" + one[17:] for one in STRINGS[:4]]
    found = cg.attribution.interactions(rows, network(), pairs=[(10, 16), (11, 20)])
    given = {"interactions": found, "null": PLAIN, "rope": (-0.1, 0.1), "n_units": 9}
    text = refusal(ex.site_pairs, **given, task="K562", at=38)
    named = arguments(cure_in(text, r"give (at=\d+) at most"))
    near = ex.site_pairs(**given | named, task="K562")
    length = number_in(text, r"take backgrounds of (\d+) bp or more$")
    far = ex.site_pairs(
        **given | {"null": cg.Uniform(length=length)}, task="K562", at=38
    )
    return near.n_units == far.n_units


@case
def proposals_that_leave_the_background() -> Any:
    oracle = cg.zoo.oracle("additive")
    rows = [one[:10] + "TGCATG" + one[16:] for one in STRINGS]
    found = cg.propose(sequences=rows, predictor=oracle, rng=0)
    given = {"proposals": found, "n_units": 20}
    text = refusal(ex.proposals, null=PLAIN, **given, at=38)
    named = arguments(cure_in(text, r"give (at=\d+) at most"))
    length = number_in(text, r"take backgrounds of (\d+) bp or more$")
    near = ex.proposals(null=PLAIN, **given, **named)
    far = ex.proposals(null=cg.Uniform(length=length), **given, at=38)
    text = refusal(ex.proposals, null=cg.Uniform(length=4), **given)
    length = number_in(text, r"background; take backgrounds of (\d+) bp or more$")
    least = ex.proposals(null=cg.Uniform(length=length), **given)
    return len(near.named_arms) == len(far.named_arms) == len(least.named_arms)


@case
def copies_that_are_alike() -> Any:
    given = {"null": PLAIN, "n_steps": 3, "n_units": 20}
    for wrong in ([2, 1, 2], []):
        text = refusal(ex.dose_response, **given, copies=wrong)
        copies = eval(cure_in(text, r"each once, such as (\[.*\])$"))
        assert set(wrong) <= set(copies)
        made = ex.dose_response(**given, copies=copies)
    return made.n_units == 20


@case
def one_unit_of_an_experiment() -> Any:
    trial = {"motif": "AGATAAG", "n_units": 1}
    cure = r"an error needs two or more; give (n_\w+=2) or more$"
    found = cured(ex.copies, {"null": PLAIN, **trial}, cure)
    given = {"motif": "AGATAAG", "placebo": "ACCTCCG"}
    of_two = ex.knock_in(cg.Genomic(of=STRINGS[:2]), **given)
    again = cured(ex.knock_in, {"negatives": STRINGS[:2], **given, "n_units": 1}, cure)
    text = refusal(ex.knock_in, STRINGS[:1], **given)
    assert cure_in(text, r"; give (two sequences or more)$")
    fixed = replace(of_two.analysis, target="parents")
    text = refusal(
        replace, of_two, null=cg.Genomic(of=STRINGS[:1]), n_units=1, analysis=fixed
    )
    draws = cg.Genomic(of=STRINGS[:1], **arguments(cure_in(text, cure)))
    one = replace(of_two, null=draws, n_units=2, analysis=fixed)
    return [found.n_units == again.n_units == one.n_units == 2]


@case
def one_instance_among_sequences() -> Any:
    sited = [one[:10] + "AGATAAG" + one[17:] for one in STRINGS[:3]]
    text = refusal(ex.occlusion, [*sited[:1], *STRINGS[3:6]], motif="AGATAAG")
    assert cure_in(text, r"needs two or more; (give more sequences)$")
    made = ex.occlusion([*sited, *STRINGS[3:6]], motif="AGATAAG")
    return made.n_units == ex.occlusion(sited, motif="AGATAAG").n_units


@case
def pairs_of_other_effects() -> Any:
    given = {"null": cg.Uniform(length=40), "rope": (-0.1, 0.1), "n_units": 9}
    wrong = cg.contrast(run(design()), control="none")
    text = refusal(ex.site_pairs, wrong, **given)
    call = cure_in(text, r"; give those of (cg\.attribution\.interactions)$")
    rows = [one[:10] + "AGATAAG" + one[17:] for one in STRINGS[:4]]
    found = eval(call, {"cg": cg})(rows, network(), pairs=[(10, 16), (11, 20)])
    return ex.site_pairs(found, **given, task="K562").n_units == 9


@case
def alleles_of_one_base() -> Any:
    folder = Path(tempfile.mkdtemp())
    first = genome_of_variants(folder)[0]
    others = [base for base in "ACGT" if base != first.reference]
    alleles = [replace(first, alternate=base, name=base) for base in others]
    given = {"length": 40, "rope": "0.2 sd"}
    text = refusal(ex.variant_effects, alleles, folder / "genome.fa", **given)
    named = arguments(cure_in(text, r"too small to matter, (rope=.*)$"))
    made = ex.variant_effects(alleles, folder / "genome.fa", **given | named)
    return made.analyze(run(made)).estimates is not None


@case
def a_region_in_sd_of_one_sequence() -> Any:
    given = {"sequences": STRINGS[:1], "element": (5, 11), "n_draws": 20}
    text = refusal(ex.context_dependence, **given, rope="0.2 sd")
    named = arguments(cure_in(text, r"too small to matter, (rope=.*)$"))
    made = ex.context_dependence(**given, **named)
    found = made.analyze(run(made), rng=0).decisions
    return found.attrs["rope"] == "-0.1 to 0.1" and "verdict" in found


@case
def a_position_twice() -> Any:
    given = {"null": PLAIN, "motif": "AGATAAG", "n_units": 20}
    found = cured(
        ex.position,
        given | {"at": [4, 4, 12]},
        r"give each once: (at=\[.*\])$",
    )
    text = refusal(ex.position, **given, at=[4, 4])
    assert number_in(text, r"give (\d) different positions or more$") == 2
    return found.named_arms == ex.position(**given, at=[4, 12]).named_arms


@case
def a_hairpin_outside_of_the_background() -> Any:
    """Its start was given, or the place of the motif."""
    given = {"null": PLAIN, "motif": "UGCAUG", "n_units": 9}
    cure = r"start=(\d+) to (\d+) fit"
    for wrong in (30, 16):
        ends = re.search(cure, refusal(ex.hairpin, **given, start=wrong))
        assert ends
        first, last = (ex.hairpin(**given, start=int(one)) for one in ends.groups())
    beyond = int(ends[2]) + 1
    assert re.search(cure, refusal(ex.hairpin, **given, start=beyond))
    ends = re.search(
        r"or at=(\d+) to (\d+) with start= left out", refusal(ex.hairpin, **given, at=0)
    )
    assert ends
    found = [ex.hairpin(**given, at=int(one)) for one in ends.groups()]
    refusal(ex.hairpin, **given, at=int(ends[2]) + 1)
    return [one.n_units == 9 for one in (first, last, *found)]


@case
def a_hairpin_whose_motif_is_outside_of_its_loop() -> Any:
    """The start and the place of the motif were given, and one of them is left out."""
    given = {"null": PLAIN, "motif": "UGCAUG", "n_units": 9}
    text = refusal(ex.hairpin, **given, start=10, at=12)
    first, last = (number_in(text, p) for p in (r"at=(\d+) to", r"to (\d+) fit"))
    for at in (first, last):
        ex.hairpin(**given, start=10, at=at)
    assert cure_in(text, r"and (start=None) puts the loop where the motif is")
    ex.hairpin(**given, at=12)
    for at in (2, 30):
        assert "start=None" not in refusal(ex.hairpin, **given, start=10, at=at)
    # the motif lies at the end of the loop
    text = refusal(ex.hairpin, **given, start=20, at=30)
    first, last = (number_in(text, p) for p in (r"at=(\d+) to", r"(\d+) with start="))
    found = [ex.hairpin(**given, at=at) for at in (first, last)]
    return [one.n_units == 9 for one in found]


@case
def a_stem_that_is_one_string() -> Any:
    text = refusal(ex.hairpin, PLAIN, "GCUGG", stem="GGCGCGCGCC", n_units=9)
    arms = eval(cure_in(text, r"such as (\(.*\))$"))
    found = ex.hairpin(PLAIN, "GCUGG", stem=arms, n_units=9)
    return "GGCGC" in str(found.named_arms[2].intervention)


@case
def pairs_of_motifs_that_collide() -> Any:
    given = {"null": cg.Uniform(length=80), "motifs": ["GATAA", "CCTTTGG"]}
    text = refusal(ex.motif_pairs, **given, distances=[5])
    least = number_in(text, r"between starts, (\d+) or more$")
    return [
        ex.motif_pairs(**given, distances=[least]).null.length == 80,
        "collide" in refusal(ex.motif_pairs, **given, distances=[least - 1]),
    ]


@case
def null_models_that_are_sequences() -> Any:
    asked = ex.position(PLAIN, "UGCAUG", n_units=9)
    nulls = {"uniform": PLAIN, "peaks": STRINGS}
    named = cure_in(
        refusal(ex.null_models, asked, nulls=nulls),
        r"sequences are one as (cg\.Genomic\(of=\.\.\.\))$",
        {"...": "STRINGS"},
    )
    nulls["peaks"] = eval(named, {"cg": cg, "STRINGS": STRINGS})
    return list(ex.null_models(asked, nulls=nulls)) == ["uniform", "peaks"]


@case
def flanks_that_leave_the_background() -> Any:
    given = {"motif": "AGATAAG", "n_flanks": 4, "n_units": 9}
    for wrong in (1, 38):
        ends = re.search(
            r"; at=(\d+) to (\d+) fit$", refusal(ex.flanks, PLAIN, **given, at=wrong)
        )
        assert ends
        for one in ends.groups():
            assert ex.flanks(PLAIN, **given, at=int(one)).n_units == 9
    text = refusal(ex.flanks, cg.Uniform(length=12), **given)
    length = number_in(
        text, r"take backgrounds of (\d+) bp or more, or a smaller width"
    )
    made = ex.flanks(cg.Uniform(length=length), **given)
    narrow = ex.flanks(cg.Uniform(length=12), **given, width=2)
    return made.n_units == narrow.n_units == 9


@case
def one_motif_of_pairs() -> Any:
    given = {"null": cg.Uniform(length=80), "n_units": 9}
    text = refusal(ex.motif_pairs, **given, motifs=["AGATAAG"])
    motifs = eval(cure_in(text, r"two motifs or more, such as (\{.*\})$"))
    return ex.motif_pairs(**given, motifs=motifs, distances=[10, 20]).n_units == 9


@case
def distances_that_leave_the_background() -> Any:
    given = {"null": cg.Uniform(length=80), "n_units": 9, "distances": [10, 60]}
    pairs = given | {"motifs": ["AGATAAG", "CACGTG"]}
    pair = given | {"motif": "AGATAAG", "other": "CACGTT"}
    for call, wrong in (
        (ex.motif_pairs, pairs),
        (ex.motif_pair, pair),
        (ex.motif_pair, pair | {"orders": ["downstream"]}),
    ):
        most = number_in(refusal(call, **wrong), r"use distances of at most (\d+), ")
        made = call(**wrong | {"distances": [10, most]})
        refusal(call, **wrong | {"distances": [10, most + 1]})
        longer = call(**wrong | {"null": cg.Uniform(length=200)})
        assert len(made.named_arms) == len(longer.named_arms)
    return True


@case
def where_distances_fit_the_background() -> Any:
    given = {"null": PLAIN, "n_units": 9, "distances": [8, 10]}
    pair = given | {"motif": "AGATAAG", "other": "CACGTT"}
    for call, name, wrong in (
        (ex.motif_pairs, "at", given | {"motifs": ["AGATAAG", "CACGTG"], "at": 30}),
        (ex.motif_pair, "at", pair | {"at": 3}),
        (ex.spacing, "center", pair | {"center": 38}),
        (ex.spacing, "center", pair | {"center": 2}),
    ):
        text = refusal(call, **wrong)
        first, last = cure_in(text, rf"{name}=(\d+ to \d+)$").split(" to ")
        made = [call(**wrong | {name: int(one)}) for one in (first, last)]
        assert {one.n_units for one in made} == {9}
        refusal(call, **wrong | {name: int(last) + 1})
        wrong |= {"distances": [8, 60], name: 20}
        text = refusal(call, **wrong)
        length = number_in(text, r"or backgrounds of (\d+) bp or more with")
        start = number_in(text, rf"with {name}=(\d+)$")
        most = number_in(text, r"distances of at most (\d+), ")
        call(**wrong | {"distances": [8, most]})
        call(**wrong | {"null": cg.Uniform(length=length), name: start})
        refusal(call, **wrong | {"null": cg.Uniform(length=length - 1), name: start})
    return True


@case
def more_copies_than_fit() -> Any:
    given = {"null": PLAIN, "n_units": 9}
    text = refusal(ex.dose_response, **given, copies=[1, 20])
    most = number_in(text, r"give at most (\d+) in copies=")
    few = ex.dose_response(**given, copies=[1, most])
    length = number_in(text, r"or backgrounds of (\d+) bp or more$")
    many = ex.dose_response(n_units=9, null=cg.Uniform(length=length), copies=[1, 20])
    assert few.n_units == many.n_units
    text = refusal(ex.copies, **given, motif="AGATAAGAGATAAG")
    assert cure_in(text, r"give (two starts) in at=")
    assert ex.copies(**given, motif="AGATAAGAGATAAG", at=[0, 20]).n_units == 9
    return "at=" not in refusal(ex.copies, **given, motif="AGATAAG" * 3)


@case
def one_place_for_a_site() -> Any:
    given = {"motif": "AGATAAG", "n_units": 9}
    text = refusal(ex.position, **given, null=cg.Uniform(length=7))
    length = number_in(text, r"take backgrounds of (\d+) bp or more$")
    made = ex.position(**given, null=cg.Uniform(length=length))
    return [arm.name for arm in made.named_arms][1:3] == ["at 0", "at 1"]


@case
def more_units_than_the_design_has() -> Any:
    given = {"design": design(), "motifs": ["AGATAAG"], "rng": 0}
    said = refusal(junctions, **given, n_units=61)
    n = number_in(said, r"the design has (\d+) units; ask for at most so many$")
    return junctions(**given, n_units=n).equals(junctions(**given))


@case
def motifs_given_twice_or_not_at_all() -> Any:
    def found(*motifs: str) -> Any:
        return junctions(design(), list(motifs), rng=0)

    text = refusal(found, "AGATAAG", "AGATAAG", "CACGTG")
    assert cure_in(text, r"'(\w+)' appears twice; give each once$") == "AGATAAG"
    both = found("AGATAAG", "CACGTG")
    cure_in(refusal(found), r"there is none; give (one) or more$")
    return found("AGATAAG").equals(both.sel(motif=["AGATAAG"]))


@case
def pairs_of_sites_that_do_not_interact() -> Any:
    words = {16: "AGATAAGG", 36: "CCACACCC"}
    drawn = cg.Uniform(length=60).sample(6, rng=1)["sequence"].to_numpy().copy()
    plain = cg.sequences.decode(drawn)
    for at, word in words.items():
        drawn[:, at : at + len(word)] = cg.sequences.encode([word])[0]
    null = cg.Uniform(length=60)

    def trial(strings: Any, oracle: Any) -> Any:
        given = {"positions": range(14, 46), "tasks": "AND"}
        return ex.site_pairs(interactions(strings, oracle, **given), null)

    text = refusal(trial, plain, cg.zoo.oracle("gated"))
    cure_in(text, r"; give (sequences that have both sites), or test")
    made = trial(cg.sequences.decode(drawn), cg.zoo.oracle("gated"))
    assert "AGATAAGG 20 CCACACCC" in made.labels["asks"]
    pair = eval(cure_in(text, r"or test given motifs: (cg.experiments.motif_pair)$"))
    given = {"motif": words[16], "other": words[36], "distances": [20]}
    return pair(**given, null=null, n_units=9).n_units == 9


@cache
def screen(**given: Any) -> Any:
    """Return a screen of two variants among variants in random sequences."""
    folder = Path(tempfile.mkdtemp())
    around = "ACGTTGCCAT" * 4
    (folder / "a.fa").write_text(f">chr1\n{around}AGATAAGCTC{around}\n")
    (folder / "a.vcf").write_text("chr1\t43\trs1\tA\tC\nchr1\t61\trs2\tA\tG\n")
    null = cg.MatchedVariants(
        of=cg.Uniform(length=40), match=("substitution", "length"), min_nulls=39
    )
    given = {"length": 40, "null": null, "n_null": 500} | given
    return ex.variant_screen(folder / "a.vcf", folder / "a.fa", **given)


def screened(experiment: Any, **given: Any) -> Any:
    return run(experiment, cg.zoo.oracle("gata1_like"), **given)


@case
def placebos_of_variants() -> Any:
    said = refusal(screen, rope="placebo")
    ropes = [
        arguments(cure_in(said, r"none of: give (rope='matched'), the central 95 %"))[
            "rope"
        ],
        (-0.1, 0.1),
        cure_in(said, r"two numbers or '([^']*)'$"),
    ]
    return [screen(rope=rope).analysis.rope == rope for rope in ropes]


@case
def moments_of_variants_that_are_ranked() -> Any:
    given = screen(rope="matched")
    other = replace(given.analysis, target="population")
    with pytest.warns(cg.errors.FewClustersWarning):
        moments = screened(replace(given, analysis=other), keep="moments")
    said = refusal(given.analyze, moments)
    keep = arguments(cure_in(said, r"keep the effects: cg.run\(..., (keep='\w+')\)$"))
    found = given.analyze(screened(given, **keep))
    right = given.analyze(screened(given))
    return found.estimates["p_matched"].equals(right.estimates["p_matched"])


@case
def a_table_of_variants_like_a_vcf_file() -> Any:
    folder = Path(tempfile.mkdtemp())
    answer = screen(rope="matched").analyze(screened(screen(rope="matched")))
    given = {"answer": answer, "path": folder / "found.tsv", "like": "a.vcf"}
    said = refusal(ex.write_variants, **given)
    name = cure_in(said, r"^(like)='a.vcf' is for a VCF file, .*; leave it out$")
    del given[name]
    return len(ex.write_variants(**given).read_text().splitlines()) > 2


@case
def sequences_that_are_shuffles_of_one_another() -> Any:
    null = cg.DinucleotideShuffle(of=STRINGS[:2])
    rows = list(cg.sequences.decode(null.sample(48, rng=0)["sequence"].to_numpy()))
    given = {"predictor": cg.zoo.oracle("gata1_like"), "method": "kmer"}
    given |= {"n_units": 20, "rng": 0, "progress": False}
    text = refusal(cg.discover, sequences=rows, **given)
    n = number_in(text, r"not independent; give (\d+) or more unrelated ones$")
    drawn = cg.Uniform(length=20).sample(n, rng=0)["sequence"].to_numpy()
    found = cg.discover(sequences=list(cg.sequences.decode(drawn)), **given)
    return len(found.confirmed) == 0  # none of so few short ones holds a site


@case
def a_loop_that_neither_turns_nor_holds_the_motif() -> Any:
    """Three bases were asked for, and then five: the motif's."""
    for loop, motif, least in ((2, "GCUGG", 5), (0, "GCUGG", 5), (2, "GC", 3)):
        text = refusal(ex.hairpin, motif=motif, loop=loop)
        n = number_in(text, r"(?:takes|of at least) (\d+)")
        assert n == least
        assert ex.hairpin(motif=motif, loop=n).n_units == 1_000
    return arguments(cure_in(refusal(ex.hairpin, loop=4), r"; for example (.*)$")) == {
        "loop": 5
    }


@case.each
def test_the_cure_of_an_experiment_is_applied_and_succeeds(case):
    assert np.all(case())
