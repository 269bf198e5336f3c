"""Tiles of a list with one bad line, and maps of a FASTA file with an N
(openvax/varcode#88, kundajelab/bpnet#40): left out on request, each with its reason.
"""

import numpy as np
import pandas as pd
import pytest

import causalgia as cg
from causalgia.errors import CausalgiaError
from causalgia.sequences import Variant, read_sequences

GENOME = "".join(np.random.default_rng(3).choice(list("ACGT"), 220))
GENOME = GENOME[:100] + "CACACACA" + "G" + GENOME[109:]


def other(at):
    return next(b for b in "ACGT" if b != GENOME[at - 1])


GOOD = [(p, GENOME[p - 1], other(p)) for p in range(60, 160, 10)]
BAD = {
    "symbolic": (100, GENOME[99], "*"),
    "edge": (5, GENOME[4], other(5)),
    "mismatch": (90, other(90), GENOME[89]),
    "N": (95, GENOME[94], "N"),
    "unchanged": (96, GENOME[95], GENOME[95]),
    "long": (97, GENOME[96:170], GENOME[96]),
    "repeated": GOOD[0],
}


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(f">c\n{GENOME}\n")
    return path


def listed(rows, tmp_path, kind):
    table = [("c", p, f"v{i}", r, a) for i, (p, r, a) in enumerate(rows)]
    if kind == "table":
        return pd.DataFrame(table, columns=["chrom", "pos", "id", "ref", "alt"])
    path = tmp_path / "v.vcf"
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in table))
    return path


@pytest.mark.parametrize("kind", ["file", "table"])
@pytest.mark.parametrize("reason", BAD)
def test_a_tile_is_refused_or_left_out(genome, tmp_path, reason, kind):
    bad = listed([*GOOD, BAD[reason]], tmp_path, kind)
    if (reason, kind) != ("repeated", "table"):  # one variant, named after the first
        with pytest.raises(CausalgiaError):
            cg.mpra.variant_tiles(bad, genome, insert_length=60, offsets=(0, 9))
    tiles = cg.mpra.variant_tiles(
        bad, genome, insert_length=60, offsets=(0, 9), skip=reason
    )
    alone = cg.mpra.variant_tiles(
        listed(GOOD, tmp_path, kind), genome, insert_length=60, offsets=(0, 9)
    )
    assert tiles.tiles == alone.tiles
    assert tiles.skipped[["name", "reason", "line"]].values.tolist() == [
        ["v10", reason, 11]
    ]
    written = pd.read_csv(tiles.write_skipped(tmp_path / "skipped.tsv"), sep="\t")
    assert written["reason"].tolist() == [reason]
    assert not alone.account
    assert alone.skipped.empty


def test_an_insertion_at_two_places_of_a_repeat_is_one_tile(genome):
    start = GENOME.index("CACACACAG", 95)
    first = GENOME[start - 1]
    both = [
        Variant("c", start - 1, first, first + "CA", "left"),
        Variant("c", start + 3, "A", "ACA", "right"),
        Variant("c", 60, GENOME[60], other(61), "lone"),
    ]
    tiles = cg.mpra.variant_tiles(both, genome, insert_length=60)
    assert [x.variant.name for x in tiles.tiles] == ["left", "lone"]
    turned = cg.mpra.variant_tiles(both[1:], genome, insert_length=60)
    assert turned.tiles[0].start == tiles.tiles[0].start
    assert turned.tiles[0].spdi == tiles.tiles[0].spdi


COUNT = cg.FunctionPredictor(lambda x: x[:, 2].sum(-1), tasks=["G"], scale="count")
MAPPED = {
    "attribute": lambda x, **y: cg.attribute(x, COUNT, **y),
    "interactions": lambda x, **y: cg.attribution.interactions(
        x, COUNT, pairs=[(0, 2)], **y
    ),
    "dfim": lambda x, **y: cg.attribution.dfim(x, COUNT, 1, **y),
}


@pytest.mark.parametrize("name", MAPPED)
def test_a_record_with_an_n_is_left_out_of_maps(name, tmp_path):
    path = tmp_path / "s.fa"
    path.write_text(">a\nACGTG\n>b\nACNTG\n>c\nGGGTG\n>d\nGGG\n")
    mapped = MAPPED[name]
    with pytest.raises(CausalgiaError):
        mapped(path)
    found = mapped(path, skip=("N", "length"))
    assert found["parent"].values.tolist() == ["a", "c"]
    same = mapped(read_sequences(path, skip="all"))
    assert same.attrs["skipped"] == found.attrs["skipped"]
    clean = mapped({"a": "ACGTG", "c": "GGGTG"})
    assert "skipped" not in clean.attrs
    value = "ice" if name == "interactions" else "score"
    np.testing.assert_array_equal(found[value], clean[value])
