# Imports from the inside: leftmost alleles, each against the sequence it makes.
"""An insertion in a repeat, written at two places, is one variant (google/deepvariant#487;
Tan et al. 2015).
"""

from functools import partial

import numpy as np
import pytest

import causalgia as cg
from causalgia.sequences import Variant
from causalgia.sequences.genome import Genome
from causalgia.sequences.listed_variants import left_normalized

RNG = np.random.default_rng(11)
GENOME = "".join(RNG.choice(list("AC"), 90)) + "CACACACA" + "GATAAGTTTTTTTT" * 3


def applied(variant):
    end = variant.position + len(variant.reference)
    return GENOME[: variant.position] + variant.alternate + GENOME[end:]


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    path.write_text(f">c\n{GENOME}\n")
    return path


def test_normalized_alleles_make_the_same_sequence_and_equal_ones_are_equal(genome):
    made = {}
    with Genome(genome) as open_genome:
        for _ in range(400):
            at, width = int(RNG.integers(0, 130)), int(RNG.integers(1, 5))
            reference = GENOME[at : at + width]
            alternate = "".join(RNG.choice(list("AC"), RNG.integers(1, 5)))
            if alternate == reference:
                continue
            variant = Variant("c", at, reference, alternate)
            normal = left_normalized(variant, open_genome)
            assert applied(normal) == applied(variant)
            assert normal.reference[-1] != normal.alternate[-1] or normal.position == 0
            place = (normal.position, normal.reference, normal.alternate)
            assert made.setdefault(applied(variant), place) == place


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
@pytest.mark.parametrize("kind", ["own", "matched", "sampled"])
def test_both_lines_keep_their_row_and_are_tested_once(genome, tmp_path, kind):
    start = GENOME.index("CACACACA", 86)
    first = GENOME[start - 1]
    rows = [
        *((start, first, first + "CA"), (start + 4, "A", "ACA")),
        *((start + 20, GENOME[start + 19], other(GENOME[start + 19])),),
        *((start + 25, GENOME[start + 24], other(GENOME[start + 24])),),
    ]
    path = tmp_path / "v.vcf"
    path.write_text(
        "".join(f"c\t{p}\tv{i}\t{r}\t{a}\n" for i, (p, r, a) in enumerate(rows))
    )
    null = cg.MatchedVariants(of=cg.Uniform(length=41), match=("length",), min_nulls=39)
    experiment = {
        "own": partial(cg.experiments.variants, length=41),
        "sampled": partial(
            cg.experiments.variants,
            null=cg.Uniform(length=41),
            n_null=10,
        ),
        "matched": partial(cg.experiments.variants, length=41, null=null, n_null=100),
    }[kind](path, genome, rope=(-0.1, 0.1))
    outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    answer = experiment.analyze(outcomes, rng=0)
    if kind != "own":
        assert answer.decisions["contrast"].values.tolist() == ["v0", "v2", "v3"]
    table = answer.findings["variants"]
    assert table["variant"].values.tolist() == ["v0", "v1", "v2", "v3"]
    assert table["position"].values.tolist() == [p - 1 for p, _, _ in rows]
    both = table["effect"].sel(variant=["v0", "v1"])
    assert (both.isel(variant=0) == both.isel(variant=1)).all()
    written = cg.experiments.write_variants(answer, tmp_path / "o.vcf", like=path)
    first, second = (
        line.split("\t")
        for line in written.read_text().splitlines()
        if "\tv0\t" in line or "\tv1\t" in line
    )
    assert first[7] == second[7] != "."


def other(base):
    return next(x for x in "ACGT" if x != base)


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_one_substitution_under_two_names_is_one_variant(genome):
    # a second example: a list of another library, which has a row for each rsID
    letters = genome.read_text().splitlines()[1]
    rows = [
        Variant("c", at, letters[at], other(letters[at]), name)
        for at, name in ((30, "rs1"), (30, "rs2"), (40, "rs3"))
    ]
    null = cg.Uniform(length=41)
    experiment = cg.experiments.variants(
        rows, genome, null=null, n_null=10, rope=(-0.1, 0.1)
    )
    outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    answer = experiment.analyze(outcomes, rng=0)
    assert answer.decisions["contrast"].values.tolist() == ["rs1", "rs3"]
    assert answer.findings["variants"]["variant"].values.tolist() == [
        *("rs1", "rs2", "rs3")
    ]
