# Imports from the inside: windows around sites, base by base.
"""Variants near sites: windows with the site in their middle, distances from it, and
null variants as far away.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.sequences import Variant, decode, encode
from causalgia.sequences.alphabet import reverse_complement
from causalgia.sequences.genome import Genome
from causalgia.sequences.listed_variants import left_normalized
from causalgia.sequences.windowed_variants import (
    distance_class,
    place_by_read_out,
    variant_changes,
    variant_windows,
)

LENGTH = 61


@pytest.fixture(scope="module", params=[60, 61])
def length(request):
    return request.param


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    letters = decode(cg.Uniform(length=20_000).sample(1, rng=3)["sequence"].values)[0]
    path.write_text(f">chr1\n{letters}\n")
    return path, letters


@pytest.fixture(scope="module")
def sites(genome):
    """A BED file of a site every 200 bases, every other one on the minus strand."""
    path = genome[0].parent / "tss.bed"
    rows = [
        f"chr1\t{at}\t{at + 1}\ts\t0\t{'+-'[i % 2]}"
        for i, at in enumerate(range(300, 19_700, 200))
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def chosen(genome):
    """A variant within 25 bases of each site: substitutions, deletions of one and two
    bases, insertions of three.
    """
    rng, found = np.random.default_rng(1), []
    for i, site in enumerate(range(300, 19_700, 200)):
        at = site + int(rng.choice([*range(-25, -2), *range(3, 25)]))
        letters = genome[1][at]
        alternate = next(x for x in "ACGT" if x != letters)
        if i % 4 == 0:
            letters, alternate = genome[1][at : at + 2 + i % 8 // 4], letters
        elif i % 4 == 1:
            alternate = letters + "TGA"
        found.append(Variant("chr1", at, letters, alternate, f"v{i}"))
    return found


def placed(chosen, genome, sites, length, **settings):
    starts, minus = place_by_read_out(chosen, sites, length=length)
    return variant_windows(
        chosen,
        genome[0],
        length=length,
        starts=starts.tolist(),
        minus=minus.tolist(),
        align="read_out",
        **settings,
    )


def around(letters, site, length, minus):
    first = site - (length - 1 - length // 2 if minus else length // 2)
    window = letters[first : first + length]
    return decode(reverse_complement(encode([window])))[0] if minus else window


def test_both_alleles_have_the_site_in_their_middle(genome, chosen, sites, length):
    """The alternate window is the window around the same site in the genome with the
    alternate allele.
    """
    windows = placed(chosen, genome, sites, length)
    for i, (variant, site) in enumerate(
        zip(chosen, range(300, 19_700, 200), strict=True)
    ):
        minus = i % 2 == 1
        assert decode(windows.reference[i : i + 1])[0] == around(
            genome[1], site, length, minus
        )
        stop = variant.position + len(variant.reference)
        edited = genome[1][: variant.position] + variant.alternate + genome[1][stop:]
        moved = site + (len(variant.alternate) - len(variant.reference)) * (
            variant.position < site
        )
        assert decode(windows.alternate[i : i + 1])[0] == around(
            edited, moved, length, minus
        )
        assert windows.first[i] == site - (
            length - 1 - length // 2 if minus else length // 2
        )
        allele = decode(windows.reference[i : i + 1])[0][windows.start[i] :][
            : len(variant.reference)
        ]
        assert allele == (
            decode(reverse_complement(encode([variant.reference])))[0]
            if minus
            else variant.reference
        )


def test_the_middle_keeps_its_place_beside_every_indel(genome):
    """Every place of a deletion and an insertion but those that change the site itself,
    on both strands.
    """
    for minus in (False, True):
        for at in range(280, 321):
            for reference, alternate in (
                (genome[1][at : at + 3], genome[1][at]),
                (genome[1][at], genome[1][at] + "T"),
            ):
                removed = range(at + 1, at + len(reference))
                if 300 in removed:
                    continue
                table = {"position": [300], "strand": ["-" if minus else "+"]}
                variant = [Variant("chr1", at, reference, alternate)]
                window = decode(placed(variant, genome, table, LENGTH).alternate)[0]
                stop = at + len(reference)
                edited = genome[1][:at] + alternate + genome[1][stop:]
                moved = 300 + (len(alternate) - len(reference)) * (at < 300)
                assert window == around(edited, moved, LENGTH, minus), (
                    at,
                    minus,
                    reference,
                    alternate,
                )


def test_null_variants_lie_as_far_from_the_read_out(genome, chosen, sites):
    windows = placed(chosen, genome, sites, LENGTH)
    changes = variant_changes(windows, flank=0)
    of_variant = [distance_class(change.at - LENGTH // 2) for change in changes]
    assert len(set(of_variant)) >= 6
    long = cg.Uniform(length=LENGTH + 10).sample(600, rng=8)["sequence"].values
    for of, n in (
        ("genome", 300),
        ("variants", 60),
        (long, 300),
        (cg.Uniform(length=LENGTH + 10), 300),
    ):
        null = cg.MatchedVariants(of=of, match=("distance", "length"))
        nulls = null.draw(windows, n_null=n, genome=genome[0], read_out=True)
        assert not nulls.n_dropped.any()
        for reference, alternate, which in zip(
            nulls.reference, nulls.alternate, nulls.matched, strict=True
        ):
            if changes[which].size == (1, 1):
                at = int(np.flatnonzero(reference != alternate)[0])
                assert distance_class(at - LENGTH // 2) == of_variant[which]
            elif (
                of_variant[which] < 0
            ):  # what follows an indel before the site is as it was, the site as well
                np.testing.assert_array_equal(
                    reference[LENGTH // 2 :], alternate[LENGTH // 2 :]
                )
            else:
                np.testing.assert_array_equal(
                    reference[: LENGTH // 2 + 1], alternate[: LENGTH // 2 + 1]
                )


def test_null_variants_of_own_windows_share_the_site(genome):
    near = [Variant("chr1", s + d, x := genome[1][s + d], "A" if x != "A" else "C") for s in (300, 500)
            for d in range(-15, 15)]  # fmt: skip
    table = {"position": np.repeat([300, 500], 30)}
    windows = placed(near, genome, table, LENGTH)
    null = cg.MatchedVariants(of="variants", match=("length",))
    nulls = null.draw(windows, n_null=200, genome=genome[0], read_out=True)
    np.testing.assert_array_equal(nulls.reference, windows.reference[nulls.matched])
    at = np.argmax(nulls.reference != nulls.alternate, axis=1)
    assert len(np.unique(at)) > LENGTH // 2


def test_effects_that_fall_with_distance_are_ranked_among_their_own(
    genome, chosen, sites
):
    """A network that answers near the read-out alone: near variants are large among
    all, and not among near ones.
    """
    weight = 1 / (1 + np.abs(np.arange(LENGTH) - LENGTH // 2))

    def answer(x):
        return (
            x * weight[None, None, :] * np.array([-2.1, -0.6, 0.7, 1.9])[None, :, None]
        ).sum((1, 2)) ** 2

    near = cg.FunctionPredictor(answer, tasks=["near"], scale="counts")
    smallest = {}
    for match in (("length",), ("distance", "length")):
        null = cg.MatchedVariants(
            of=cg.Uniform(length=LENGTH + 10), match=match, min_nulls=39
        )
        snvs = [x for x in chosen if len(x.reference) == len(x.alternate)]
        experiment = cg.experiments.variants(
            snvs,
            genome[0],
            length=LENGTH,
            read_out=sites,
            null=null,
            n_null=4_000,
            rope="matched",
        )
        estimates = experiment.analyze(
            cg.run(experiment, near, rng=0, progress=False)
        ).estimates
        distance = np.abs(estimates["distance"].to_numpy())
        smallest[match] = estimates["p_matched"].to_numpy()[distance <= 6].mean()
    assert smallest["length",] < 0.3
    assert 0.3 < smallest["distance", "length"] < 0.7


def test_distances_are_in_the_answer_with_and_without_null_variants(
    genome, chosen, sites
):
    with Genome(genome[0]) as letters:  # an indel in a repeat is at its leftmost place
        leftmost = [left_normalized(variant, letters) for variant in chosen]
    expected = [
        change.at - LENGTH // 2
        for change in variant_changes(placed(leftmost, genome, sites, LENGTH), flank=0)
    ]
    null = cg.MatchedVariants(of="genome", match=("length",), min_nulls=39)
    for function, settings in (
        (cg.experiments.variants, {}),
        (cg.experiments.variants, {"null": null, "n_null": 400}),
    ):
        experiment = function(
            chosen, genome[0], length=LENGTH, read_out=sites, **settings
        )
        answer = experiment.analyze(
            cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0, progress=False),
            rng=0,
        )
        frame = cg.experiments.variant_frame(answer)
        assert frame.loc[frame["task"] == "K562", "distance"].tolist() == expected


def test_a_narrow_peak_reads_at_its_summit(genome, chosen, tmp_path):
    path = tmp_path / "peaks.narrowPeak"
    path.write_text(
        "chr1\t200\t500\tp\t0\t.\t1\t1\t1\t40\nchr1\t800\t900\tp\t0\t.\t1\t1\t1\t90\n"
    )
    at = [Variant("chr1", 250, "A", "C"), Variant("chr1", 870, "A", "C")]
    assert place_by_read_out(at, path, length=61).starts.tolist() == [40, 10]
    # a summit that was not called: all middles
    path.write_text(path.read_text().replace("\t90\n", "\t-1\n"))
    assert place_by_read_out([at[1]], path, length=61).starts.tolist() == [50]


def test_sites_are_read_from_their_table_as_from_their_file(
    genome, chosen, sites, length
):
    table = pd.read_csv(
        sites,
        sep="\t",
        header=None,
        names=["chrom", "start", "end", "n", "s", "strand"],
    )
    settings = {"length": length, "rope": 0}
    found = [
        cg.experiments.variants(chosen, genome[0], read_out=read_out, **settings)
        for read_out in (sites, table, table.rename(columns=str.upper))
    ]
    assert len({x.fingerprint for x in found}) == 1
