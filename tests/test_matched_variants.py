"""Imports match_strata, local_fdr and variant_windows from the inside: strata and rates against counting.

Matched null variants: what they share with their variants, their strata, and ranks
among them.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.stats import false_discovery_control, kstest

import causalgia as cg
from causalgia.errors import (
    DataError,
    DesignError,
    EstimateError,
    SequenceError,
)
from causalgia.multiplicity.matched_ranks import (
    Strata,
    divide_strata,
    local_fdr,
    match_strata,
    rank_among_matched,
)
from causalgia.sequences import Variant, decode, encode
from causalgia.sequences.alphabet import reverse_complement
from causalgia.sequences.windowed_variants import (
    distance_class,
    variant_changes,
    variant_windows,
)

LENGTH = 60


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    letters = decode(cg.Uniform(length=20_000).sample(2, rng=3)["sequence"].values)
    path.write_text("".join(f">chr{i}\n{x}\n" for i, x in enumerate(letters, 1)))
    return path, letters


@pytest.fixture(scope="module")
def chosen(genome):
    """Sixty variants: substitutions, deletions of one and two bases, insertions of
    three.
    """
    rng, found = np.random.default_rng(1), []
    for i in range(60):
        record, at = int(rng.integers(2)), int(rng.integers(200, 19_800))
        letters = genome[1][record]
        reference, alternate = (
            letters[at],
            str(rng.choice([x for x in "ACGT" if x != letters[at]])),
        )
        if i % 6 == 0:
            reference, alternate = letters[at : at + 2 + i % 4 // 2], letters[at]
        elif i % 6 == 1:
            alternate = reference + "TGA"
        found.append(Variant(f"chr{record + 1}", at, reference, alternate, f"v{i}"))
    return found


def changes_of(nulls, windows, align="left"):
    """The letters that each null variant removes and adds, found from its windows
    alone.
    """
    for reference, alternate, which in zip(
        decode(nulls.reference), decode(nulls.alternate), nulls.matched, strict=True
    ):
        size = CHANGES[which].size
        found = []
        for at in range(
            LENGTH - max(size) + 1
        ):  # wherever the change could begin: an indel in a repeat has several
            rest = reference[at + size[0] :]
            if (
                align == "left"
                and alternate.startswith(reference[:at])
                and alternate[at + size[1] :][: len(rest)]
                in (
                    rest[: LENGTH - at - size[1]],
                    alternate[at + size[1] :],
                )
            ):
                inside = alternate[at + size[1] :]
                n = min(len(inside), len(rest))
                if inside[:n] == rest[:n]:
                    found.append(
                        (reference[at : at + size[0]], alternate[at : at + size[1]], at)
                    )
        yield which, reference, found


CHANGES: list = []


def matches(change, found, reference, keys, flank):
    for removed, added, at in found:
        left, right = (
            reference[max(at - flank, 0) : at],
            reference[at + len(removed) :][:flank],
        )
        for own in (change, change.on_other_strand):
            fits = (
                [(removed, added) == (own.removed, own.added)]
                if "substitution" in keys
                else [True]
            )
            fits += (
                [(left, right) == (own.left, own.right)] if "context" in keys else []
            )
            here, there = at - LENGTH // 2, change.at - LENGTH // 2
            fits += (
                [distance_class(here) == distance_class(there)]
                if "distance" in keys
                else []
            )
            if all(fits):
                return True
    return False


@pytest.mark.parametrize(
    "population", ["genome", "variants", "sequences", "null model"]
)
def test_null_variants_share_what_is_matched(genome, chosen, population):
    windows = variant_windows(chosen, genome[0], length=LENGTH)
    CHANGES[:] = variant_changes(windows, flank=1)
    many = cg.Uniform(length=LENGTH + 10).sample(3_000, rng=8)["sequence"].values
    of = {"sequences": many, "null model": cg.Uniform(length=LENGTH + 10)}.get(
        population, population
    )
    null = cg.MatchedVariants(of=of)
    n = 400
    nulls = null.draw(windows, n_null=n, genome=genome[0])
    assert nulls.reference.shape == nulls.alternate.shape == (n, LENGTH)
    # few places of a window of 60 bases match the context: it is given up
    assert ((nulls.n_dropped == 0).mean() > 0.9) == (population != "variants")
    for (which, reference, found), dropped in zip(
        changes_of(nulls, windows), nulls.n_dropped, strict=True
    ):
        assert matches(CHANGES[which], found, reference, null.matched[dropped:], 1)
    if population == "sequences":
        assert len(set(nulls.source)) == n  # one in each sequence
    if population == "variants":  # in the window of its variant
        for source, which in zip(nulls.source, nulls.matched, strict=True):
            chromosome, _, at = source.partition(":")
            variant = windows.variants[which]
            assert chromosome == variant.chromosome
            assert abs(int(at) - 1 - variant.position) <= LENGTH // 2 + 2
    if population in ("genome", "variants"):
        whole = "".join(genome[1]) + "".join(
            decode(reverse_complement(encode(genome[1])))
        )
        assert all(row in whole for row in decode(nulls.reference))


def test_draws_belong_to_their_ids(genome, chosen):
    windows = variant_windows(chosen, genome[0], length=LENGTH)
    for of in ("genome", cg.Uniform(length=LENGTH + 10)):
        few, many = (
            cg.MatchedVariants(of=of).draw(windows, n_null=n, genome=genome[0])
            for n in (50, 80)
        )
        np.testing.assert_array_equal(few.alternate, many.alternate[:50])
        other = cg.MatchedVariants(of=of, seed=1).draw(
            windows, n_null=50, genome=genome[0]
        )
        assert (other.reference != few.reference).any()


def test_half_of_the_null_variants_go_to_all_lengths_alike(genome, chosen):
    windows = variant_windows(chosen, genome[0], length=LENGTH)
    null = cg.MatchedVariants(of=cg.Uniform(length=LENGTH + 10), match=("length",))
    sizes = [change.size for change in variant_changes(windows, flank=0)]
    drawn = [
        sizes[i] for i in null.draw(windows, n_null=4_000, genome=genome[0]).matched
    ]
    for size in set(sizes):
        expected = 0.5 * sizes.count(size) / 60 + 0.5 / len(set(sizes))
        assert drawn.count(size) / 4_000 == pytest.approx(
            expected, abs=4 * np.sqrt(expected / 4_000)
        )


def test_right_aligned_indels_keep_what_follows(genome, chosen):
    left, right = (
        variant_windows(chosen, genome[0], length=LENGTH, align=side)
        for side in ("left", "right")
    )
    np.testing.assert_array_equal(left.reference, right.reference)
    letters = dict(zip(("chr1", "chr2"), genome[1], strict=True))
    for variant, start, alternate in zip(
        chosen, right.start, decode(right.alternate), strict=True
    ):
        whole = letters[variant.chromosome]
        stop = variant.position + len(variant.reference)
        changed = (
            whole[: variant.position]
            + variant.alternate
            + whole[stop : variant.position - start + LENGTH]
        )
        assert alternate == changed[-LENGTH:]
    same = np.array([len(x.reference) == len(x.alternate) for x in chosen])
    np.testing.assert_array_equal(left.alternate[same], right.alternate[same])


@pytest.mark.parametrize(
    ("of", "n_null"),
    [
        (10, 11),
        (1_000, 10_001),
    ],
)
def test_several_null_variants_in_a_sequence_are_limited(genome, chosen, of, n_null):
    windows = variant_windows(chosen, genome[0], length=LENGTH)
    given = cg.Uniform(length=LENGTH + 10).sample(of, rng=0)["sequence"].values
    with pytest.raises(DesignError):
        cg.MatchedVariants(of=given, match="length").draw(
            windows, n_null=n_null, genome=genome[0]
        )


def test_ten_null_variants_in_a_sequence_lie_at_different_places(genome, chosen):
    windows = variant_windows(
        [x for x in chosen if len(x.reference + x.alternate) == 2],
        genome[0],
        length=LENGTH,
    )
    given = cg.Uniform(length=LENGTH).sample(1_000, rng=0)["sequence"].values
    nulls = cg.MatchedVariants(of=given, match="length").draw(
        windows, n_null=3_000, genome=genome[0]
    )
    at = (nulls.reference != nulls.alternate).argmax(1)
    assert len(set(zip(nulls.source, at.tolist(), strict=True))) == 3_000
    assert max(np.unique(nulls.source, return_counts=True)[1]) == 3


def test_a_context_wider_than_the_windows_is_refused(genome, chosen):
    windows = variant_windows(chosen, genome[0], length=LENGTH)
    wide = cg.MatchedVariants(of="variants", match=("context:61", "length"))
    with pytest.raises(DesignError):
        wide.draw(windows, n_null=60, genome=genome[0])
    narrower = cg.MatchedVariants(of="variants", match=("context:59", "length"))
    assert len(narrower.draw(windows, n_null=60, genome=genome[0]).matched) == 60
    longer = variant_windows(chosen, genome[0], length=61)
    assert len(wide.draw(longer, n_null=60, genome=genome[0]).matched) == 60


def test_a_picture_of_sixty_variants_has_twenty_rows(genome, chosen):
    tasks = ["A", "C", "G"]
    net = cg.FunctionPredictor(
        lambda x: x[:, :3].sum(-1) * [1, 2, 1],
        tasks=tasks,
        scale="count",
        fingerprint="v1",
    )

    def answer_of(variants, **options):
        experiment = cg.experiments.variants(
            variants, genome[0], length=LENGTH, **options
        )
        return experiment.analyze(cg.run(experiment, net, rng=0), rng=0)

    answer = answer_of(chosen)
    axes = answer.draw(task="C")
    assert len(axes.get_yticks()) == 20


def test_sequences_without_room_for_a_deletion_are_refused(genome, chosen):
    windows = variant_windows(chosen, genome[0], length=LENGTH)
    with pytest.raises(DesignError):
        cg.MatchedVariants(of=cg.Uniform(length=LENGTH)).draw(
            windows, n_null=10, genome=genome[0]
        )


def test_a_genome_without_room_is_refused(genome, chosen, tmp_path):
    windows = variant_windows(chosen[2:4], genome[0], length=LENGTH)
    (tmp_path / "other.fa").write_text(">c\n" + "ACGTN" * 20 + "\n")
    with pytest.raises(DesignError):
        cg.MatchedVariants(of="genome", match="length").draw(
            windows, n_null=5, genome=tmp_path / "other.fa"
        )


def test_the_choice_survives_text():
    for null in (
        cg.MatchedVariants(of="genome"),
        cg.MatchedVariants(
            of=cg.Uniform(length=9), match=("length",), min_nulls=50, seed=3
        ),
        cg.MatchedVariants(of=["ACGT", "TTTT"]),
    ):
        assert cg.MatchedVariants.from_toml(null.to_toml()) == null
        assert (
            cg.MatchedVariants.from_json(null.to_json()).fingerprint == null.fingerprint
        )
    # as in stored results
    assert (
        cg.MatchedVariants(of="genome", min_nulls=50).fingerprint == "d4c19286d8357ccf"
    )


# ---------------------------------------------------------------- strata and ranks


def test_strata_are_pooled_until_they_have_enough():
    keys = [[0, 0, 0], [0, 0, 0], [1, 0, 0], [2, 1, 0], [3, 2, 1]]
    matched = np.repeat(np.arange(5), [60, 60, 40, 90, 50])
    found = match_strata(keys, ["context", "substitution", "length"], matched, least=80)
    assert found.of_effect[0] == found.of_effect[1]
    sizes = [len(found.nulls[s]) for s in found.of_effect]
    dropped = [found.dropped[s] for s in found.of_effect]
    assert sizes == [120, 120, 40 + 90, 40 + 90, 50]
    assert dropped == [(), (), *[("context", "substitution")] * 3]
    with pytest.raises(EstimateError):
        match_strata([[0, 0]], ["context", "length"], np.zeros(18), least=10)


def test_a_pooled_stratum_has_the_nulls_of_its_own_effects_alone():
    """Of two pooled cells and a third with its own stratum, the pool has the first two
    cells' nulls.
    """
    keys = [[0, 0], [1, 0], [2, 0]]
    matched = np.repeat(np.arange(3), [50, 60, 200])
    found = match_strata(keys, ["context", "length"], matched, least=100)
    assert found.of_effect[0] == found.of_effect[1] != found.of_effect[2]
    np.testing.assert_array_equal(found.nulls[found.of_effect[0]], np.arange(110))


def test_ranks_hold_their_level_where_a_remainder_is_pooled():
    """Of 1,000 nulls, 180 with effects five times as large have too few nulls of their
    own: all are one stratum.
    """
    rng = np.random.default_rng(2)
    near = np.arange(1_000) < 180
    keys = np.column_stack([rng.integers(0, 64, 1_000), near, np.zeros(1_000)])
    matched = np.repeat(np.arange(1_000), 10)
    strata = match_strata(keys, ["context", "distance", "length"], matched, least=2_000)
    assert [len(x) for x in strata.nulls] == [10_000]
    spread = np.where(near, 5.0, 1.0)
    rates = []
    for _ in range(40):
        effects, nulls = (
            rng.normal(size=1_000) * spread,
            rng.normal(size=10_000) * spread[matched],
        )
        rates.append((rank_among_matched(effects, nulls, strata).p <= 0.05).mean())
    assert 0.045 < np.mean(rates) < 0.055  # .091 if the 180 are compared with all


def test_ranks_are_those_of_counting():
    rng = np.random.default_rng(4)
    effects, nulls = (
        rng.normal(size=(30, 2, 3)).round(1),
        rng.normal(size=(200, 2, 3)).round(1),
    )
    of = rng.integers(0, 2, 30)
    strata = Strata(of, (np.arange(0, 120), np.arange(120, 200)), ((), ()))
    found = rank_among_matched(effects, nulls, strata)
    for i, t, m in np.ndindex(30, 2, 3):
        own = nulls[strata.nulls[of[i]], t, m]
        assert found.p[i, t, m] == (
            1 + (np.abs(own) >= abs(effects[i, t, m])).sum()
        ) / (len(own) + 1)
        assert found.n[i, t, m] == len(own)
        largest = np.sort(np.abs(own))[::-1]
        assert found.limit[i, t, m] == largest[int(0.05 * (len(own) + 1)) - 1]
    np.testing.assert_allclose(
        found.q.ravel(), false_discovery_control(found.p.ravel())
    )
    apart = rank_among_matched(effects, nulls, strata, by_column=True)
    np.testing.assert_allclose(
        apart.q[:, 1, 2], false_discovery_control(found.p[:, 1, 2])
    )


@pytest.mark.parametrize("m", [18, 19, 38, 39, 99, 100, 137])
@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.1])
def test_p_of_at_most_alpha_is_outside_the_limit(m, alpha):
    """Whatever the number of nulls, ties and rounding: one ordering gives p and
    region.
    """
    rng = np.random.default_rng(m)
    nulls, effects = (
        rng.normal(size=(m, 2)).round(1),
        rng.normal(0, 2, (300, 2)).round(1),
    )
    strata = Strata(np.zeros(300, np.int64), (np.arange(m),), ((),))
    for floor in (0.0, np.array([0.1, 0.3])):
        found = rank_among_matched(effects, nulls, strata, floor=floor, alpha=alpha)
        outside = np.abs(effects) > found.limit
        np.testing.assert_array_equal(found.p <= alpha, outside)
        assert np.isnan(found.limit).all() == (m + 1 < 1 / alpha)
        assert (found.q[~outside] > alpha).all()
        beyond_all = np.abs(effects) > np.abs(nulls).max(0) + floor
        np.testing.assert_array_equal(found.p == 1 / (m + 1), beyond_all)


def test_ranks_of_null_effects_are_uniform():
    rng = np.random.default_rng(5)
    draws = rng.standard_t(2, size=(400, 100)) * rng.choice([1, 5], (400, 100))
    strata = Strata(np.zeros(1, np.int64), (np.arange(99),), ((),))
    p = [rank_among_matched(row[:1], row[1:], strata).p[0] for row in draws]
    assert kstest(np.array(p) - rng.uniform(0, 0.01, 400), "uniform").pvalue > 1e-4


def test_the_local_rate_is_the_slope_of_the_majorant():
    rng = np.random.default_rng(6)
    p = np.concatenate([rng.uniform(size=800), rng.beta(0.2, 8, 200)])
    found = local_fdr(p)
    assert (np.diff(found[np.argsort(p)]) >= -1e-12).all()
    x, y = np.concatenate([[0], np.sort(p)]), np.arange(1_001) / 1_000
    for i in (
        3,
        50,
        500,
    ):  # the slope of the least concave majorant, by max-min of slopes
        at = np.sort(p)[i]
        left = x < at
        slopes = [
            (y[~left] - b) / (x[~left] - a)
            for a, b in zip(x[left], y[left], strict=True)
        ]
        density = min(s.max() for s in slopes)
        pi0 = min((1 + (p > 0.5).sum()) / 500, 1)
        assert found[np.argsort(p)[i]] == pytest.approx(min(pi0 / density, 1))
    with pytest.raises(EstimateError):
        local_fdr(p[:29])


# ---------------------------------------------------------------- the experiment


@pytest.fixture(scope="module")
def experiment(genome, chosen):
    null = cg.MatchedVariants(of="genome", match=("length",), min_nulls=100)
    return cg.experiments.variants(
        chosen, genome[0], length=LENGTH, null=null, n_null=600
    )


@pytest.fixture(scope="module")
def predictor():
    weights = np.random.default_rng(9).normal(size=(4, LENGTH))
    return cg.FunctionPredictor(
        lambda x: np.stack(
            [(x * weights).sum((1, 2)), (x * weights**3).sum((1, 2))], 1
        ),
        tasks=["a", "b"],
        scale="score",
    )


def test_effects_are_exact_and_ranked(experiment, predictor, chosen, genome):
    answer = experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))
    haplotypes = experiment.listed.haplotypes  # indels in repeats at their left end
    assert [x.name for x in haplotypes] == [x.name for x in chosen]
    assert 0 < sum(x != y for x, y in zip(haplotypes, chosen, strict=True)) < 30
    windows = variant_windows(haplotypes, genome[0], length=LENGTH)
    delta = predictor.predict(windows.alternate) - predictor.predict(windows.reference)
    np.testing.assert_allclose(answer.estimates["ace"], delta, atol=1e-12)
    assert answer.estimates["contrast"].values.tolist() == [x.name for x in chosen]
    null = answer.findings["null variants"]["effect"].to_numpy()
    assert null.shape == (600, 2)
    strata = experiment.strata
    for i in range(60):
        own = np.abs(null[strata.nulls[strata.of_effect[i]]])
        expected = (1 + (own >= np.abs(delta[i]) - 1e-9).sum(0)) / (len(own) + 1)
        np.testing.assert_allclose(answer.estimates["p_matched"][i], expected)
    for name in ("p_matched", "q_matched", "n_matched", "lfdr_matched"):
        assert (
            answer.estimates[name].dims
            == answer.decisions[name].dims
            == ("contrast", "task")
        )
    table = answer.findings["variants"].to_dataframe()
    assert len(table) == 120
    assert {
        "chromosome",
        "position",
        "effect",
        "p_matched",
        "q_matched",
        "n_matched",
        "verdict",
    } <= set(table)
    assert answer.draw() is not None


def test_verdicts_need_the_region_and_the_rate(experiment, predictor):
    outcomes = cg.run(experiment, predictor, rng=0, progress=False, keep="effects")
    moved = outcomes.copy(deep=True)
    moved["ice"][:20] = [[[90.0, -900.0]]]
    # an indel, whose nulls have effects of many sizes, just beyond 96 % of these: no
    # discovery among 60 variants
    nulls = experiment.analyze(moved).findings["null variants"]["effect"].to_numpy()
    strata = experiment.strata
    of = [np.abs(nulls[strata.nulls[k]]) for k in strata.of_effect]
    lone = 20 + int(np.argmax([len(np.unique(own[:, 0])) for own in of[20:]]))
    moved["ice"][lone] = [np.quantile(of[lone], 0.965, axis=0)]
    answer = experiment.analyze(moved)
    d = answer.decisions
    assert (d["verdict"][:20] == ["increases", "decreases"]).all()  # 90, -900
    assert (d["verdict"][lone] == "undecided").all()
    assert (d["p_matched"][lone] < 0.05).all()
    assert (d["q_matched"][lone] > 0.05).all()
    assert (d["rope_lower"] == -d["rope_upper"]).all()
    inside = abs(d["ace"]) <= d["rope_upper"]
    assert ((d["verdict"] == "within") == inside).all()
    assert ((d["verdict"] == "undecided") == (~inside & (d["q_matched"] > 0.05))).all()
    assert ((d["p_matched"] <= 0.05) == ~inside).all()
    found = d["verdict"].isin(["increases", "decreases"])
    assert not ((d["q"] <= 0.05) & ~found).any()
    counts = [
        int((d["verdict"].sel(task="a") == x).sum()) for x in ("within", "undecided")
    ]
    assert counts[1] >= 1


@pytest.mark.simulation
def test_every_effect_beyond_the_nulls_has_a_direction_and_none_is_within(tmp_path):
    """Fifty-two broken sites lower the outcome far more than the nulls, which are
    skewed: 0 within.
    """
    letters = np.random.default_rng(0).choice(list("ACGT"), 60_000)
    sites = range(500, 60_000, 1_150)
    for at in sites:
        letters[at : at + 7] = list("AGATAAG")
    (tmp_path / "g.fa").write_text(">chr1\n" + "".join(letters) + "\n")
    broken = [Variant("chr1", at + 2, "A", "C", f"site{at}") for at in sites]
    null = cg.MatchedVariants(of="genome")
    one = cg.experiments.variants(
        broken, tmp_path / "g.fa", length=60, null=null, n_null=2_000
    )
    answer = one.analyze(
        cg.run(one, cg.zoo.oracle("gata1_like"), rng=0, progress=False)
    )
    assert (answer.decisions["verdict"] == "decreases").all()


def test_a_level_that_the_nulls_cannot_reach_is_refused(experiment, predictor):
    """At level .999 ranks need 999 null variants, and the strata have fewer."""
    strict = dataclasses.replace(
        experiment, analysis=dataclasses.replace(experiment.analysis, ci_prob=0.999)
    )
    outcomes = cg.run(strict, predictor, rng=0, progress=False)
    fewest = min(map(len, experiment.strata.nulls))
    with pytest.raises(EstimateError):
        strict.analyze(outcomes)
    level = float(f"{1 - 1 / (fewest + 1):.3g}")  # the cure leads to verdicts
    looser = dataclasses.replace(
        experiment,
        analysis=dataclasses.replace(experiment.analysis, ci_prob=level - 1e-3),
    )
    assert (looser.analyze(outcomes).decisions["rope_upper"] > 0).all()


def test_a_region_in_numbers_is_possible(chosen, genome, predictor):
    null = cg.MatchedVariants(of="genome", match=("length",), min_nulls=100)
    one = cg.experiments.variants(
        chosen, genome[0], length=LENGTH, null=null, n_null=600, rope=(-1, 1)
    )
    d = one.analyze(cg.run(one, predictor, rng=0, progress=False)).decisions
    assert (d["rope_lower"] == -1).all()
    assert (d["q"].where(abs(d["ace"]) <= 1, 0) == 0).all()
    assert (d["verdict"].where(abs(d["ace"]) <= 1, "negligible") == "negligible").all()


def test_a_region_in_sd_is_of_the_reference_windows(chosen, genome, predictor):
    null = cg.MatchedVariants(of="genome", match=("length",), min_nulls=100)
    one = cg.experiments.variants(
        chosen, genome[0], length=LENGTH, null=null, n_null=600, rope="0.2 sd"
    )
    outcomes = cg.run(one, predictor, rng=0, progress=False)
    answer = one.analyze(outcomes)
    sd = outcomes["outcome"].sel(arm="reference").std("unit", ddof=1)
    np.testing.assert_allclose(
        answer.decisions["rope_upper"].isel(contrast=0), 0.2 * sd, rtol=1e-6
    )


def test_indels_have_null_variants_of_their_length(experiment, chosen, genome):
    windows = variant_windows(chosen, genome[0], length=LENGTH)
    sizes = [change.size for change in variant_changes(windows, flank=0)]
    nulls = experiment.matched.draw(windows, n_null=600, genome=genome[0])
    for s, members in enumerate(experiment.strata.nulls):
        mine = {sizes[i] for i in np.flatnonzero(experiment.strata.of_effect == s)}
        assert {sizes[i] for i in nulls.matched[members]} == mine
        assert len(mine) == 1


def test_an_ensemble_has_ranks_of_each_model(experiment, predictor):
    other = cg.FunctionPredictor(
        lambda x: 2 * x[:, :2].sum(2), tasks=["a", "b"], scale="score"
    )
    both = cg.Ensemble([predictor, other], names=["one", "two"])
    answer = experiment.analyze(cg.run(experiment, both, rng=0, progress=False))
    assert answer.estimates["p_matched"].dims == ("contrast", "task", "model")
    single = experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))
    np.testing.assert_allclose(
        answer.estimates["p_matched"].sel(model="one"), single.estimates["p_matched"]
    )


def test_selected_or_reordered_units_are_refused(experiment, predictor, chosen, genome):
    alone = cg.experiments.variants(chosen, genome[0], length=LENGTH)
    for one in (experiment, alone):
        outcomes = cg.run(one, predictor, rng=0, progress=False)
        for some in (slice(1, None), slice(None, None, -1), slice(20)):
            with pytest.raises(DataError):
                one.analyze(outcomes.isel(unit=some), rng=0)


def test_windows_that_leave_their_chromosomes_are_counted(chosen, genome):
    far = [
        Variant(
            "chr1",
            at,
            genome[1][0][at],
            "G" if genome[1][0][at] != "G" else "C",
            f"w{at}",
        )
        for at in (3, 9)
    ]
    with pytest.raises(SequenceError):
        cg.experiments.variants([*chosen, *far], genome[0], length=LENGTH)
    with pytest.raises(SequenceError):
        cg.experiments.variants([*chosen, far[0]], genome[0], length=LENGTH)


def test_effects_within_the_rounding_of_answers_are_none(tmp_path):
    (tmp_path / "genome.fa").write_text(
        ">chr1\n" + "ACGTTGCCAT" * 4 + "AGATAAGCTC" + "ACGTTGCCAT" * 4
    )
    (tmp_path / "two.vcf").write_text("chr1\t43\trs1\tA\tC\nchr1\t61\trs2\tA\tG\n")
    null = cg.MatchedVariants(
        of=cg.Uniform(length=40), match=("substitution", "length"), min_nulls=39
    )
    experiment = cg.experiments.variants(
        tmp_path / "two.vcf", tmp_path / "genome.fa", length=40, null=null, n_null=500
    )

    def shaken(x):  # 40 roundings beside an answer of 1
        grown = (x[:, :-3].argmax(-1) * np.arange(1, 38)).sum(axis=1) % 7 * 1e-15
        holds = (x[:, :, 1][:, 20:24].sum(axis=1) == 0) * 0.5
        return 1 + holds + grown

    predictor = cg.FunctionPredictor(shaken, layout="NLC", scale="score")
    answer = experiment.analyze(cg.run(experiment, predictor, rng=0, progress=False))
    table = answer.findings["variants"]
    np.abs(answer.findings["null variants"].to_array().to_numpy())
    assert set(np.abs(table["effect"].to_numpy()).ravel()) <= {0.0, 0.5}


def active_variants(folder, *, active: bool):
    """Return eleven variants, in clusters of sites or in silence, their genome, and a
    network on a scale of counts.
    """
    rng = np.random.default_rng(5)
    letters = rng.choice(list("ACGT"), 30_000)
    places = range(2_000, 28_000, 2_500)
    for at in places:
        for start in range(at - 60, at + 61, 30):
            letters[start : start + 7] = list("AGATAAG")
    genome = folder / "genome.fa"
    genome.write_text(">chr1\n" + "".join(letters) + "\n")
    found = [
        cg.sequences.Variant("chr1", at, x, "A" if x != "A" else "C")
        for at in (place + (15 if active else 1_200) for place in places)
        for x in [letters[at]]
    ]
    sites = cg.zoo.Oracle(cg.zoo.MotifCount("AGATAAG", 0.7), tasks=["y"])
    weights = rng.normal(0, 0.02, (4, 200))

    def answer(x):
        count = np.exp(sites.predict(x.argmax(axis=1).astype(np.uint8)))
        return count * np.exp((x * weights).sum((1, 2)))[:, None]

    return found, genome, cg.FunctionPredictor(answer, tasks=["y"], scale="counts")


def ranked_active(folder, null, *, active: bool = True, n_null: int = 400):
    found, genome, network = active_variants(folder, active=active)
    experiment = cg.experiments.variants(
        found, genome, length=200, null=null, n_null=n_null
    )
    return experiment.analyze(cg.run(experiment, network, rng=0, progress=False))


@pytest.mark.parametrize("active", [True, False])
def test_null_variants_in_unlike_places_are_said_first(tmp_path, active) -> None:
    null = cg.MatchedVariants(of="genome", match=("length",), min_nulls=50)
    answer = ranked_active(tmp_path, null, active=active)
    first = answer.sentences[0]
    assert ("null variants" in first and "median" in first) == active
    assert ((answer.estimates["q_matched"] <= 0.05).mean() > 0.5) == active


@pytest.mark.parametrize("active", [True, False])
def test_null_variants_not_stated_lie_in_own_windows_if_loci_are_unlike(
    tmp_path, active
) -> None:
    match = {"match": ("length",), "min_nulls": 50}
    answer = ranked_active(tmp_path, cg.MatchedVariants(**match), active=active)
    assert ("own windows" in answer.sentences[0]) == active
    assert (answer.estimates["q_matched"] > 0.05).all()
    same = cg.MatchedVariants(of="variants" if active else "genome", **match)
    nulls, others = (
        np.abs(x.findings["null variants"]["effect"].to_numpy())
        for x in (answer, ranked_active(tmp_path, same, active=active))
    )
    middle, other = np.median(nulls), np.median(others)  # other draws of one population
    assert 0.5 < middle / other < 2


def test_null_variants_are_matched_by_the_prediction_of_the_reference(tmp_path) -> None:
    null = cg.MatchedVariants(of="genome", match="reference", min_nulls=30)
    answer = ranked_active(tmp_path, null, n_null=1_500)
    assert (answer.estimates["q_matched"] > 0.05).all()
    assert (answer.estimates["n_matched"] <= 60).all()
    assert "prediction of the reference" in answer.estimates.attrs["matched"]


def test_effects_alone_do_not_say_which_null_variants_are_alike(tmp_path) -> None:
    found, genome, network = active_variants(tmp_path, active=True)
    for null in (
        cg.MatchedVariants(min_nulls=50),
        cg.MatchedVariants(of="genome", match="reference", min_nulls=50),
    ):
        experiment = cg.experiments.variants(
            found, genome, length=200, null=null, n_null=200
        )
        effects = cg.run(experiment, network, rng=0, keep="effects", progress=False)
        with pytest.raises(DataError):
            experiment.analyze(effects)


def test_groups_by_a_number_leave_no_group_without_nulls() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        n, least = int(rng.integers(40, 300)), int(rng.integers(19, 40))
        nulls = rng.choice([rng.normal(size=n), rng.integers(4, size=n), np.zeros(n)])
        one = Strata(np.zeros(50, np.int64), (np.arange(n),), ((),))
        own = rng.choice([rng.normal(size=50) * 3, rng.integers(-1, 5, size=50)])
        found = divide_strata(one, own, nulls, least=least)
        assert sorted(np.concatenate(found.nulls)) == list(range(n))
        assert min(map(len, found.nulls)) >= least
        for i, group in enumerate(found.of_effect):  # a null of its number is beside it
            inside = np.flatnonzero(nulls == own[i])
            assert set(inside) <= set(found.nulls[group])


@pytest.mark.parametrize("length", [60, 400])
def test_ranks_among_own_windows_hold_their_level_however_few_places_match(
    genome, length
) -> None:
    """Variants at random places of windows: one in a place of its window among others."""
    rng, below = np.random.default_rng(4), []
    for seed in range(40):
        effect_of = rng.standard_t(2, size=(2, 20_000))  # of each position
        at = rng.integers(500, 19_500, size=4)
        chosen = [
            Variant("chr1", int(i), x := genome[1][0][i], "A" if x != "A" else "C")
            for i in at
        ]
        windows = variant_windows(chosen, genome[0], length=length)
        null = cg.MatchedVariants(
            of="variants", match=("substitution", "length"), seed=seed
        )
        nulls = null.draw(windows, n_null=400, genome=genome[0])
        position = [int(source.partition(":")[2]) - 1 for source in nulls.source]
        below += (
            cg.rank(effect_of[0][at], effect_of[0][position])["p"] <= 0.05
        ).tolist()
    assert np.mean(below) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(below))
