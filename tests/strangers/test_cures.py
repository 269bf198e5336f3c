"""Cures that did not cure: each is applied here, and succeeds. A user's report (VCF on the other strand or
with REF and ALT swapped was "another assembly?", chr16 "did you mean chr1?").
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import CountsError, PredictorError, SequenceError
from causalgia.mentions import plain
from causalgia.sequences import Variant, split_by_genome
from causalgia.sequences.genome import Genome
from causalgia.sequences.windowed_variants import variant_windows

COMPLEMENT = str.maketrans("ACGT", "TGCA")
GENOME = "".join(np.random.default_rng(5).choice(list("ACGT"), 400))
NEXT = {"A": "C", "C": "A", "G": "A", "T": "C"}  # no complement of the reference


@pytest.fixture
def genome(tmp_path: Path) -> Path:
    path = tmp_path / "genome.fa"
    path.write_text(f">chr1\n{GENOME}\n>chr2\n{GENOME[::-1]}\n")
    return path


def variants(n: int = 80) -> list[Variant]:
    return [
        Variant("chr1", at, GENOME[at], NEXT[GENOME[at]], f"v{at}")
        for at in range(60, 60 + 3 * n, 3)
    ]


def flipped(x: Variant) -> Variant:
    return replace(
        x,
        reference=x.reference.translate(COMPLEMENT)[::-1],
        alternate=x.alternate.translate(COMPLEMENT)[::-1],
    )


def swapped(x: Variant) -> Variant:
    return replace(x, reference=x.alternate, alternate=x.reference)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (flipped, "all 80 are on the other strand.*complement both alleles"),
        (swapped, "all 80 have REF and ALT swapped.*exchange the two columns"),
        (
            lambda x: flipped(swapped(x)),
            "all 80 have REF and ALT swapped, on the other strand.*and exchange them",
        ),
    ],
)
def test_strand_and_swap_are_told_apart_and_cured(genome, change, message):
    wrong = [change(x) for x in variants()]
    for call in (
        lambda given: variant_windows(given, genome, length=21),
        lambda given: split_by_genome(given, genome),
    ):
        with pytest.raises(SequenceError, match=message):
            call(wrong)
        call([change(x) for x in wrong])  # each change is its own inverse


def test_longer_alleles_on_the_other_strand_are_told_too(genome):
    # a second example of the kind: two bases, of which the complement is reversed
    wrong = [
        flipped(
            Variant(
                "chr1",
                at,
                GENOME[at : at + 2],
                NEXT[GENOME[at]] + NEXT[GENOME[at + 1]],
                f"d{at}",
            )
        )
        for at in range(60, 300, 3)
        if GENOME[at : at + 2] != GENOME[at : at + 2].translate(COMPLEMENT)[::-1]
    ]
    with pytest.raises(
        SequenceError, match=f"all {len(wrong)} are on the other strand"
    ):
        split_by_genome(wrong, genome)
    split_by_genome([flipped(x) for x in wrong], genome)


def test_a_list_of_both_kinds_is_told_and_cured(genome):
    # "another assembly, or off by one?", of a list of effect alleles
    def wrong(x: Variant, i: int) -> Variant:
        return swapped(x) if i % 2 else flipped(x)

    given = [wrong(x, i) for i, x in enumerate(variants())]
    with pytest.raises(
        SequenceError,
        match="of these 80, 40 have REF and ALT swapped, and 40 are on the other strand",
    ):
        variant_windows(given, genome, length=21)
    variant_windows([wrong(x, i) for i, x in enumerate(given)], genome, length=21)


def test_another_assembly_stays_one(genome):
    random = np.random.default_rng(1)
    wrong = []
    for x in variants():
        others = [b for b in "ACGT" if b != x.reference]
        ref = str(random.choice(others))
        wrong.append(replace(x, reference=ref, alternate="ACGT"["ACGT".index(ref) - 1]))
    with pytest.raises(SequenceError, match="another assembly"):
        split_by_genome(wrong, genome)


@pytest.mark.parametrize(
    ("name", "others", "meant"),
    [
        ("chr16", "chr1 chr2", ""),
        ("1", "chr1 chr10 chr11", "'chr1'"),
        ("chr1", "1 10 11", "'1'"),
        ("chrM", "MT 1", "'MT'"),
        ("chr16", "NC_000001.11 NC_000016.10", "'NC_000016.10'"),
    ],
)
def test_a_chromosome_is_that_of_another_name_or_none(tmp_path, name, others, meant):
    path = tmp_path / "g.fa"
    path.write_text("".join(f">{other}\nACGTACGT\n" for other in others.split()))
    with Genome(path) as one, pytest.raises(SequenceError) as error:
        one.letters(name, 0, 4, place="x")
    text = str(error.value)
    assert (f"did you mean {meant}? Rename" in text) == bool(meant)
    if not meant:
        assert "use the genome to which the coordinates refer" in text
        return
    # the cure, applied
    path.write_text(path.read_text().replace(f">{meant[1:-1]}\n", f">{name}\n"))
    with Genome(path) as one:
        assert one.letters(name, 0, 4, place="x") == b"ACGT"


def test_a_second_input_is_called_one():
    torch = pytest.importorskip("torch")

    class Two(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = torch.nn.Linear(120, 1)

        def forward(self, x: object, signal: object = None) -> object:
            return self.last(x.flatten(1)) + signal

    class One(torch.nn.Module):
        def __init__(self, net: object) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: object) -> object:
            return self.net(x, signal=torch.ones(1))

    tokens = np.zeros((2, 30), np.uint8)
    with pytest.raises(
        PredictorError, match=r"takes 'signal' as well.*net\(x, signal="
    ):
        cg.TorchPredictor(Two(), tasks=["a"], device="cpu").predict(tokens)
    # the cure, applied
    cured = cg.TorchPredictor(One(Two()), tasks=["a"], device="cpu")
    assert cured.predict(tokens).shape == (2, 1)
    with pytest.raises(PredictorError, match="takes 'y' as well"):
        cg.FunctionPredictor(lambda x, y: x.sum((1, 2)) + y, tasks=["a"]).predict(
            tokens
        )


def test_least_barcodes_name_a_number_that_is_there():
    from causalgia.mpra.counts.barcodes import _lower

    text = plain(_lower(3, "min_barcodes"))
    assert text.endswith("give min_barcodes=3 or fewer")
    assert "less than" not in _lower(0, "min_barcodes")
    assert issubclass(CountsError, Exception)


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A genome with three N, and a FASTA file with an empty record."""
    (tmp_path / "n.fa").write_text(f">chr1\n{GENOME[:90]}NNN{GENOME[93:]}\n")
    (tmp_path / "peaks.fa").write_text(
        f">a\n{GENOME[:60]}\n>b\n\n>c\n{GENOME[60:120]}\n"
    )
    (tmp_path / "v.vcf").write_text(
        "##fileformat=VCFv4.3\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        + "".join(
            f"chr1\t{x + 1}\tv{x}\t{GENOME[x]}\t{NEXT[GENOME[x]]}\t.\t.\t.\n"
            for x in (100, 200, 240)
        )
    )
    return tmp_path


def test_skip_is_named_where_it_is_an_argument_and_nowhere_else(broken):
    genome, fasta, vcf = broken / "n.fa", broken / "peaks.fa", broken / "v.vcf"
    near_n = [
        Variant("chr1", x, GENOME[x], NEXT[GENOME[x]], f"v{x}") for x in (100, 200)
    ]
    for call in (
        lambda: variant_windows(near_n, genome, length=31),
        lambda: variant_windows(
            [Variant("chr1", 3, GENOME[3], NEXT[GENOME[3]], "edge")], genome, length=31
        ),
        lambda: cg.Genomic(of=fasta),
        lambda: cg.DinucleotideShuffle(of=str(fasta)),
        lambda: cg.sequences.middle_windows(fasta, 30),
    ):
        with pytest.raises(cg.errors.CausalgiaError) as error:
            call()
        assert "skip=" not in str(error.value)
    for call, used in (
        (lambda skip: cg.sequences.read_fasta(fasta, skip=skip), 2),
        (lambda skip: cg.sequences.read_sequences(fasta, skip=skip), 2),
        (
            lambda skip: cg.mpra.variant_tiles(
                vcf, genome, insert_length=31, skip=skip
            ),
            2,
        ),
    ):
        with pytest.raises(cg.errors.CausalgiaError) as error:
            call(())
        named = re.search(r"or leave such \w+ out by skip='(\w+)'$", str(error.value))
        assert named, error.value
        answer = call(named[1])  # the cure, applied
        tiles = getattr(answer, "tiles", None)
        left = answer.names if tiles is None else {x.variant.name for x in tiles}
        assert len(left) == used


def test_of_a_part_that_is_swapped_these_lines_are_named_and_cured(genome):
    # "20 of the 20 of 40 variants that differ": exchange the two columns, of all
    given = [swapped(x) if i % 2 else x for i, x in enumerate(variants())]
    with pytest.raises(
        SequenceError,
        match="all 40 of these have .*exchange the two columns of these lines",
    ):
        variant_windows(given, genome, length=21)
    variant_windows(
        [swapped(x) if i % 2 else x for i, x in enumerate(given)], genome, length=21
    )


@pytest.mark.parametrize(
    ("shift", "cure"), [(-1, "add 1 to each"), (1, "subtract 1 from each")]
)
def test_positions_off_by_one_are_cured_in_a_vcf(genome, tmp_path, shift, cure):
    # "schema='bed'" alone, which a VCF does not take
    path = tmp_path / "off.vcf"

    def write(off: int) -> None:
        path.write_text(
            "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\n"
            + "".join(
                f"chr1\t{x.position + 1 + off}\t{x.name}\t{x.reference}\t{x.alternate}\n"
                for x in variants()
            )
        )

    write(shift)
    with pytest.raises(SequenceError, match=cure):
        cg.experiments.variant_effects(path, genome, length=21)
    write(0)
    cg.experiments.variant_effects(path, genome, length=21)
