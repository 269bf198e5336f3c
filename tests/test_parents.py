"""Sequences that overlap are one parent, by places or by letters, at every door."""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import SequenceError
from causalgia.sequences import decode
from causalgia.sequences.alphabet import reverse_complement
from causalgia.sequences.fasta import Sequences, as_sequences

N = 200
BASES = np.arange(4, dtype=np.uint8)


def genome(rng: np.random.Generator, length: int) -> np.ndarray:
    return rng.choice(BASES, length)


def windows(rng: np.random.Generator, n: int, starts: list[int]) -> np.ndarray:
    """Return windows of `n` loci, the same starts in each."""
    loci = [genome(rng, N + max(starts)) for _ in range(n)]
    return np.stack([locus[at : at + N] for locus in loci for at in starts])


def n_parents(tokens: np.ndarray) -> int:
    return len(set(Sequences(tokens, tuple(range(len(tokens)))).parents))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def on_either_strand(tokens: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    flip = rng.random(len(tokens)) < 0.5
    return np.where(flip[:, None], reverse_complement(tokens), tokens)


def test_tiles_of_five_bases_are_one_parent_each_locus(rng):
    tiles = windows(rng, 15, list(range(0, 100, 5)))
    assert n_parents(tiles) == 15
    mixed = rng.permutation(on_either_strand(tiles, rng))
    assert n_parents(mixed) == 15


def test_both_strands_and_copies_are_one_parent(rng):
    once = genome(rng, 20 * N).reshape(20, N)
    assert n_parents(once) == 20
    assert n_parents(np.concatenate([once, reverse_complement(once), once])) == 20
    short = genome(rng, 200).reshape(20, 10)
    assert n_parents(np.concatenate([short, reverse_complement(short)])) == n_parents(
        short
    )


@pytest.mark.parametrize(("overlap", "expected"), [(60, 15), (50, 15), (49, 30)])
def test_a_quarter_of_the_length_makes_one_parent(rng, overlap, expected):
    assert n_parents(windows(rng, 15, [0, N - overlap])) == expected


def test_windows_with_variants_are_one_parent(rng):
    tiles = on_either_strand(windows(rng, 15, list(range(0, 100, 10))), rng)
    changed = rng.random(tiles.shape) < 0.02
    mutated = np.where(changed, rng.choice(BASES, tiles.shape), tiles)
    assert n_parents(mutated) == 15


@pytest.mark.parametrize("length", [41, 60, 200, 500, 2114])
def test_random_sequences_are_parents_of_their_own(rng, length):
    assert n_parents(genome(rng, 2_000 * length).reshape(2_000, length)) == 2_000


@pytest.mark.parametrize("diverged", [0.0, 0.1])
@pytest.mark.parametrize("length", [500, 1_000, 2_114])
def test_an_alu_joins_nobody(rng, length, diverged):
    found = genome(rng, 300 * length).reshape(300, length)
    alu = genome(rng, 300)
    for row in found:
        own = np.where(rng.random(300) < diverged, rng.choice(BASES, 300), alu)
        if rng.random() < 0.5:
            own = reverse_complement(own[None])[0]
        at = int(rng.integers(-150, length - 150))  # some are cut
        own = own[max(-at, 0) : length - at]
        row[max(at, 0) : max(at, 0) + len(own)] = own
    assert n_parents(found) == 300


def test_tiles_with_an_alu_are_one_parent_each_locus(rng):
    loci = genome(rng, 30 * 900).reshape(30, 900)
    loci[:, 300:600] = genome(rng, 300)
    tiles = np.stack([x[at : at + 500] for x in loci for at in range(0, 401, 50)])
    assert n_parents(tiles) == 30


def test_simple_repeats_join_nobody(rng):
    found = genome(rng, 300 * N).reshape(300, N)
    found[:150, -80:] = 0
    found[150:, :80] = 0
    assert n_parents(on_either_strand(found, rng)) == 300
    microsatellite = np.tile(np.array([1, 0], np.uint8), 40)
    found[:150, -80:] = found[150:, :80] = microsatellite
    assert n_parents(found) == 300


def test_adapters_and_a_common_context_join_nobody(rng):
    found = genome(rng, 300 * N).reshape(300, N)
    found[:, :20], found[:, -20:] = genome(rng, 20), genome(rng, 20)
    assert n_parents(found) == 300
    tiles = windows(rng, 15, list(range(0, 100, 10)))
    tiles[:, :20], tiles[:, -20:] = found[0, :20], found[0, -20:]
    assert n_parents(tiles) == 15
    backbone = np.repeat(genome(rng, 1_000)[None], 100, axis=0)
    backbone[:, 500:560] = genome(rng, 6_000).reshape(100, 60)
    assert n_parents(backbone) == 100


def test_places_are_read_as_bedtools_and_samtools_write_them(rng):
    names = {
        "chr1:100-300": (100, ""),
        "chr1:100-300(+)": (100, "+"),
        "chr1:100-300(-)": (100, "-"),
        "peak_1::chr1:100-300(-)": (100, "-"),
        "peak_1::chr1:100-300": (100, ""),
        "chr1:100-300(.)": (100, ""),
        "chr1:101-300": (100, ""),
        "chr1:101-300/rc": (100, "-"),
        "HLA-A*01:01:100-300": (100, ""),
        "chr1:0-400": (100, ""),
        "chr1:100-150": (-1, ""),
        "chr1:0-199": (-1, ""),
        "peak_1": (-1, ""),
        "a:b-c": (-1, ""),
    }
    places = Sequences(genome(rng, 14 * N).reshape(14, N), tuple(names)).places
    seen = list(zip(places.start.tolist(), places.strand.tolist(), strict=True))
    assert seen == list(names.values())
    assert places.stop[0] == 300
    assert places.chromosome[8] == "HLA-A*01:01"


def test_places_that_overlap_are_one_parent(rng):
    names = (
        *("chr1:0-200", "chr1:199-399(-)", "chr1:398-598(+)", "chr1:598-798"),
        *("chr2:0-200", "chr10:0-200", "other"),
    )
    of = Sequences(genome(rng, 7 * N).reshape(7, N), names)
    first = "chr1:0-200"
    assert of.parents == (first, first, first, *names[3:])
    design = cg.Design(null=cg.Genomic(of=of), arms=ARMS, n_units=7)
    assert cg.Design.from_json(design.to_json()).null.parent_names == of.parents


def test_two_assemblies_do_not_count_one_locus_twice(rng):
    """The second list names its chromosomes otherwise, and its places are others."""
    once = genome(rng, 20 * N).reshape(20, N)
    names = [f"chr1:{1000 * i}-{1000 * i + N}" for i in range(20)]
    ensembl = [name.removeprefix("chr") for name in names]
    lifted = [f"1:{1000 * i + 300}-{1000 * i + 300 + N}" for i in range(20)]
    for others in (ensembl, lifted):
        both = Sequences(np.concatenate([once, once]), (*names, *others))
        assert len(set(both.parents)) == 20
    part = np.concatenate([once, genome(rng, 20 * N).reshape(20, N)])
    assert len(set(Sequences(part, (*names, *ensembl)).parents)) == 20


def peaks(folder, rng, summits: int) -> Sequences:
    (folder / "g.fa").write_text(">chr1\n" + decode(genome(rng, 20_000)[None])[0])
    lines = [
        f"chr1\t{400 * i}\t{400 * i + 300}\tp{i}{k}\t5\t.\t5\t5\t5\t{120 + 20 * k}\n"
        for i in range(45)
        for k in range(summits)
    ]
    (folder / "p.narrowPeak").write_text("".join(lines))
    return cg.read_sequences(
        folder / "p.narrowPeak", genome=folder / "g.fa", length=N, center="summit"
    )


def answer(x: np.ndarray) -> np.ndarray:
    return x[:, 2].mean(1) * (x[:, 0] @ np.linspace(0, 1, N) ** 2)


PREDICTOR = cg.FunctionPredictor(answer, tasks=["y"], scale="s", fingerprint="G x A")
ARMS = {"control": cg.Untreated(), "word": cg.Embed("AAAAAAA", at=96)}


def test_summits_of_a_peak_are_one_parent_at_every_door(tmp_path, rng):
    found = peaks(tmp_path, rng, 3)
    assert len(found) == 135
    assert len(set(found.parents)) == 45
    for null in (
        *(cg.Genomic(of=found), cg.Shuffle(of=found), cg.DinucleotideShuffle(of=found)),
        cg.KletShuffle(of=found, k=3),
    ):
        drawn = null.sample(135, rng=0)
        assert len(set(drawn["parent"].values.tolist())) == 45
        assert "135 sequences of 200 bp, 45 parents" in drawn.attrs["null"]
        one, other = null.split(0.4)
        assert len(set(one.parent_names)) == 27
        assert not set(one.parent_names) & set(other.parent_names)
        design = cg.Design(null=null, arms=ARMS, n_units=135, contrasts="control")
        outcomes = cg.run(design, PREDICTOR, rng=1, progress=False)
        table = cg.estimate(cg.contrast(outcomes))
        assert table["n_clusters"].item() == 45
        assert table["df"].item() <= 44
        assert "45 parents" in str(cg.report(table))
    apart = cg.Genomic(of=found, parent=range(135))
    assert len(set(apart.sample(135, rng=0)["parent"].values.tolist())) == 135
    maps = cg.attribute(found, PREDICTOR, progress=False)
    assert len(set(maps["parent"].values.tolist())) == 45


def test_experiments_on_real_sequences_count_parents(tmp_path, rng):
    found = peaks(tmp_path, rng, 3)
    for experiment in (
        cg.experiments.knock_in(found, "AAAGAAA"),
        cg.experiments.necessity(found, tile_width=50, n_draws=2),
        cg.experiments.necessity(found, motif="ACG", n_draws=2),
    ):
        outcomes = cg.run(experiment, PREDICTOR, rng=0, progress=False)
        estimates = experiment.analyze(outcomes, rng=0).estimates
        assert set(estimates["n_clusters"].values.ravel().tolist()) == {45}


def test_source_sequences_are_of_different_parents(rng):
    tiles = decode(windows(rng, 5, [0, 20, 40]))
    null = cg.DinucleotideShuffle(of=tiles)
    design = cg.Design(null=null, arms=ARMS, n_units=30, contrasts="control")
    outcomes = cg.run(design, PREDICTOR, rng=0, real=10, progress=False)
    rows = [int(name) for name in outcomes["source_sequence"].values]
    assert sorted(row // 3 for row in rows) == list(range(5))


def test_equal_windows_are_refused_with_their_lines(tmp_path, rng):
    (tmp_path / "g.fa").write_text(">chr1\n" + decode(genome(rng, 900)[None])[0])
    (tmp_path / "p.bed").write_text("chr1\t300\t500\nchr1\t299\t501\n")
    given = {"genome": tmp_path / "g.fa", "length": N}
    with pytest.raises(SequenceError):
        cg.read_sequences(tmp_path / "p.bed", **given)
    assert len(cg.read_sequences(tmp_path / "p.bed", skip="repeated", **given)) == 1
    with pytest.raises(SequenceError):
        cg.read_sequences(tmp_path / "p.bed")
    (tmp_path / "p.bed").write_text("chr1\t800\t900\n")
    with pytest.raises(SequenceError):
        cg.read_sequences(tmp_path / "p.bed", **given)


def test_names_that_are_no_places_change_nothing(rng):
    of = as_sequences(
        {f"site:{i}-{i + 1}": x for i, x in enumerate(decode(windows(rng, 9, [0])))}
    )
    assert len(set(of.parents)) == 9


def test_neighbors_are_known_where_sequences_share_parents(tmp_path, rng):
    found = peaks(tmp_path, rng, 3)
    experiment = cg.experiments.knock_in(found, "ACGA", n_units=90)
    outcomes = cg.run(experiment, PREDICTOR, rng=0, progress=False)
    tables = experiment.analyze(outcomes, rng=0).findings
    assert "neighbors" in tables["moderation"]["moderator"].values
