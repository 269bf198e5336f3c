"""One door for motifs: tfmodisco's HDF5, FiNeMo's hits, MEME and JASPAR text."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import causalgia as cg
from causalgia.sequences import encode, read_motifs

FLANKED = "TCGATAAGCA"


def contributions(word: str = FLANKED, start: int = 2, stop: int = 8) -> np.ndarray:
    size = np.where(
        (np.arange(len(word)) >= start) & (np.arange(len(word)) < stop), 1.0, 0.05
    )
    return np.eye(4)[encode([word])[0]] * size[:, None]


def write_pattern(
    parent: h5py.Group, name: str, word: str = FLANKED, n: int = 90, **tables: Any
) -> h5py.Group:
    """Write a pattern as tfmodisco-lite 2 does: averages of one-hot, contributions, and
    the seqlets themselves.
    """
    group = parent.create_group(name)
    group["sequence"] = tables.get(
        "sequence", np.eye(4)[encode([word])[0]] * 0.94 + 0.015
    )
    group["contrib_scores"] = tables.get("contrib_scores", contributions(word))
    group["hypothetical_contribs"] = tables.get(
        "hypothetical_contribs", contributions(word) - 0.1
    )
    seqlets = group.create_group("seqlets")
    seqlets["n_seqlets"] = np.array([n])
    for key in ("start", "end", "example_idx", "is_revcomp"):
        seqlets[key] = np.zeros(n, dtype=int)
    return group


@pytest.fixture
def modisco(tmp_path: Path) -> Path:
    path = tmp_path / "modisco_results.h5"
    with h5py.File(path, "w") as file:
        found = file.create_group("pos_patterns")
        for i in (0, 1, 2, 10):
            write_pattern(found, f"pattern_{i}", n=100 - i)
        write_pattern(found["pattern_0"], "subpattern_0")
        write_pattern(file.create_group("neg_patterns"), "pattern_0", word="AACCGGTTAA")
    return path


def test_patterns_of_tfmodisco_are_motifs_with_their_seqlets(modisco: Path) -> None:
    found = cg.read_patterns(modisco)
    assert list(found) == [
        *(f"pos_patterns.pattern_{i}" for i in (0, 1, 2, 10)),
        "neg_patterns.pattern_0",
    ]
    gata = found["pos_patterns.pattern_0"]
    assert (gata.name, gata.consensus, gata.source) == (
        "pos_patterns.pattern_0",
        "GATAAG",
        str(modisco),
    )
    np.testing.assert_allclose(
        gata.probabilities, np.eye(4)[encode(["GATAAG"])[0]] * 0.94 + 0.015, atol=1e-12
    )
    assert (
        gata.seqlets.n,
        gata.seqlets.width,
        gata.seqlets.start,
        gata.seqlets.stop,
    ) == (100, 10, 2, 8)
    np.testing.assert_array_equal(gata.seqlets.contributions, contributions())
    np.testing.assert_array_equal(gata.seqlets.hypothetical, contributions() - 0.1)
    assert found["pos_patterns.pattern_10"].seqlets.n == 90


def test_a_pattern_goes_into_a_trial_and_comes_back(modisco: Path) -> None:
    gata = cg.read_patterns(modisco)["pos_patterns.pattern_0"]
    turned = gata.reverse_complement()
    assert turned.consensus == "CTTATC"
    assert (turned.seqlets.start, turned.seqlets.stop) == (2, 8)
    np.testing.assert_array_equal(
        turned.seqlets.contributions, contributions()[::-1, ::-1]
    )
    assert turned.reverse_complement() == gata
    assert pickle.loads(pickle.dumps(gata)) == gata
    arms = {"untreated": cg.Untreated(), "GATA": cg.Embed(gata, at=20)}
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=50)
    assert cg.Design.from_json(design.to_json()) == design
    total = cg.FunctionPredictor(lambda x: x[:, 0].sum(1), tasks=["K562"])
    assert cg.run(design, total, rng=0).sizes["unit"] == 50


def test_text_of_motifs_comes_through_the_same_door(tmp_path: Path) -> None:
    path = tmp_path / "one.jaspar"
    path.write_text(">MA0000.1 TOY\nA [ 4 0 ]\nC [ 0 1 ]\nG [ 0 3 ]\nT [ 0 0 ]\n")
    assert cg.read_patterns(path) == read_motifs(path)
    assert cg.read_patterns(path)["TOY"].seqlets is None


HEADER = (
    "chr\tstart\tend\tstart_untrimmed\tend_untrimmed\tmotif_name\thit_coefficient\thit_coefficient_global\t"
    "hit_correlation\thit_importance\tstrand\tpeak_name\tpeak_id"
)


def hit(
    chromosome: str, start: int, name: str, strand: str, peak: int, width: int = 4
) -> str:
    stop = start + width
    columns = [
        chromosome,
        start,
        stop,
        start - 2,
        stop + 2,
        name,
        1.0,
        2.0,
        0.91,
        0.4,
        strand,
        f"p{peak}",
        peak,
    ]
    return "\t".join(map(str, columns))


@pytest.fixture
def finemo(tmp_path: Path) -> Path:
    """Two regions of 20 bp of a chromosome, from 10 and from 40; GATA and its reverse
    complement TATC in them.
    """
    letters = list("C" * 80)
    letters[12:16], letters[45:49], letters[50:54] = "GATA", "GATT", "TATC"
    genome = "".join(letters)
    (tmp_path / "genome.fa").write_text(f">chr1\n{genome}\n")
    lines = [
        hit("chr1", 12, "GATA", "+", 0),
        hit("chr1", 45, "GATA", "+", 1),
        hit("chr1", 50, "GATA", "-", 1),
    ]
    (tmp_path / "hits.tsv").write_text("\n".join([HEADER, *lines, lines[0]]) + "\n")
    bed = [
        f"chr1\t{s}\t{s + 4}\tGATA\t910.0\t{strand}"
        for s, strand in ((12, "+"), (45, "+"), (50, "-"))
    ]
    (tmp_path / "hits.bed").write_text("\n".join(bed) + "\n")
    return tmp_path


EXPECTED = np.array([[0, 0, 3, 0], [3, 0, 0, 0], [0, 0, 0, 3], [2, 0, 0, 1]]) / 3


@pytest.mark.parametrize("table", ["hits.tsv", "hits.bed"])
def test_hits_in_a_genome(finemo: Path, table: str) -> None:
    found = cg.read_patterns(finemo / table, genome=finemo / "genome.fa")
    assert list(found) == ["GATA"]
    np.testing.assert_allclose(found["GATA"].probabilities, EXPECTED)
    assert found["GATA"].seqlets.n == 3  # the hit that two regions share counts once
    assert found["GATA"].seqlets.contributions is None
