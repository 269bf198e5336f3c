# Imports from the inside: canonical SPDI, against brute force and the shared examples.
"""Order files and the tables of the field: written, read back, and the same bytes;
variants against brute force.
"""

from __future__ import annotations

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings, strategies as st

import causalgia as cg
from causalgia.errors import (
    DesignError,
)
from causalgia.mpra.counts import counts_of
from causalgia.mpra.formats import to_csv
from causalgia.mpra.formats._variant_tiles import canonical_spdi
from causalgia.mpra.formats.igvf import experiment
from causalgia.mpra.formats.orders import two_arms
from causalgia.sequences import Variant, decode
from causalgia.sequences.genome import Genome


@pytest.fixture(scope="module")
def barcoded() -> xr.Dataset:
    """A library with synthesized barcodes, scrambles, duplicates and a promoter
    alone.
    """
    design = cg.Design(
        null=cg.Uniform(length=60),
        arms={"untreated": cg.Untreated(), "GATA + 1": cg.Embed("AGATAAG", at=20)},
        n_units=20,
    )
    return cg.mpra.library(
        design,
        oligo_length=115,
        adapters="melnikov",
        barcodes_per_oligo=3,
        rng=0,
        controls=cg.mpra.Controls(n_scrambles=10, n_duplicates=3),
        rules=cg.mpra.OligoRules(gc=(0.1, 0.9), repeats=0.9),
    )


# counts


@pytest.mark.real
@pytest.mark.parametrize(
    "case", ["allelic_clean", "allelic_barcode", "factorial", "backgrounds"]
)
def test_simulated_counts_are_read_and_written_byte_for_byte(shared, tmp_path, case):
    folder = shared / "reference" / "mpra" / case
    counts = cg.mpra.read_counts(
        folder / "counts.tsv.gz", side_table=folder / "arms.tsv"
    )
    written = cg.mpra.to_igvf(
        counts, tmp_path / "counts.tsv.gz", "reporter_experiment_barcode"
    )
    assert gzip.decompress(written.read_bytes()) == gzip.decompress(
        (folder / "counts.tsv.gz").read_bytes()
    )


# a library


def test_a_library_is_written_as_a_folder_and_read_back_identical(barcoded, tmp_path):
    paths = cg.mpra.write_library(barcoded, tmp_path / "LIB")
    assert sorted(path.name for path in paths) == sorted(
        path.name for path in (tmp_path / "LIB").iterdir()
    )
    xr.testing.assert_identical(cg.mpra.read_library(tmp_path / "LIB"), barcoded)
    rows = list(zip(barcoded["name"].values, barcoded["oligo"].values, strict=True))
    csv = (tmp_path / "LIB" / "oligos.csv").read_text()
    assert csv.splitlines() == [
        "name,oligo",
        *(f"{name},{oligo}" for name, oligo in rows),
    ]
    records = (
        (tmp_path / "LIB" / "oligos.fa").read_text().removeprefix(">").split("\n>")
    )
    assert [record.split("\n", 1)[0] for record in records] == [
        name for name, _ in rows
    ]
    assert ["".join(record.splitlines()[1:]) for record in records] == [
        oligo for _, oligo in rows
    ]
    side = pd.read_csv(tmp_path / "LIB" / "arms.tsv", sep="\t")
    rows = {
        name: barcoded[name].values
        for name in ("oligo_name", "element", "arm", "group")
    }
    pd.testing.assert_frame_equal(
        side,
        pd.DataFrame(rows).drop_duplicates().reset_index(drop=True),
        check_dtype=False,
    )
    mapping = pd.read_csv(paths[-2], sep="\t", header=None)
    assert dict(mapping.values.tolist()) == dict(
        zip(barcoded["barcode"].values, barcoded["oligo_name"].values, strict=True)
    )


def test_the_same_library_gives_the_same_bytes(barcoded, tmp_path, monkeypatch):
    first = cg.mpra.write_library(barcoded, tmp_path / "one")
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    second = cg.mpra.write_library(barcoded, tmp_path / "other")
    for one, other in zip(first[:-1], second[:-1], strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_nothing_is_written_over_unless_asked(barcoded, tmp_path):
    (tmp_path / "arms.tsv").write_text("mine")
    with pytest.raises(DesignError):
        cg.mpra.write_library(barcoded, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["arms.tsv"]
    assert (tmp_path / "arms.tsv").read_text() == "mine"
    cg.mpra.write_library(barcoded, tmp_path, overwrite=True)
    assert (tmp_path / "arms.tsv").read_text().startswith("oligo_name\t")
    cg.mpra.write_library(two_arms(), tmp_path, overwrite=True)
    # of the library that was there
    assert not (tmp_path / "reporter_barcode_to_element_mapping.tsv.gz").exists()
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]
    with pytest.raises(DesignError):
        to_csv(barcoded, tmp_path / "absent" / "order.csv")
    with pytest.raises(DesignError):
        cg.mpra.read_library(tmp_path / "absent")


def test_a_library_that_cannot_be_ordered_leaves_what_was_there(tmp_path):
    cg.mpra.write_library(two_arms(), tmp_path / "LIB")
    before = {path.name: path.read_bytes() for path in (tmp_path / "LIB").iterdir()}
    clash = with_cell("insert", 2, "ACGATACA")
    for folder in ("LIB", "new"):
        with pytest.raises(DesignError):
            cg.mpra.write_library(clash, tmp_path / folder, overwrite=True)
    assert {
        path.name: path.read_bytes() for path in (tmp_path / "LIB").iterdir()
    } == before
    assert not (tmp_path / "new").exists()


def test_the_inserts_that_reads_are_mapped_to_are_each_there_once(barcoded, tmp_path):
    text = cg.mpra.to_fasta(
        barcoded, tmp_path / "inserts.fa", sequence="insert"
    ).read_text()
    names = [line[1:] for line in text.splitlines() if line.startswith(">")]
    tests = barcoded["group"].isin(["test", "negative"]).values
    assert names == list(dict.fromkeys(barcoded["oligo_name"].values[tests]))
    assert cg.read_sequences(tmp_path / "inserts.fa").length == 60


def test_the_sequence_design_says_what_each_construct_is(barcoded):
    table = cg.mpra.igvf_table(barcoded, "reporter_sequence_design")

    groups = {
        json.loads(info)["group"]: row
        for info, row in zip(table["info"], table.itertuples(), strict=True)
    }
    assert (groups["test"].category, groups["test"][4]) == ("synthetic", "test")
    assert (groups["negative"].category, groups["negative"][4]) == (
        "scrambled",
        "element inactive control",
    )
    # a promoter alone has no sequence
    assert set(groups) == {"test", "negative", "duplicate"}
    oligo = str(barcoded["oligo_name"].values[barcoded["arm"].values == "GATA + 1"][0])
    assert json.loads(table.set_index("name")["info"][oligo]) == {
        "design": barcoded.attrs["design_fingerprint"],
        "library": barcoded.attrs["library_fingerprint"],
        "element": oligo.removesuffix("_GATA_+_1"),
        "arm": "GATA + 1",
        "group": "test",
    }
    real = barcoded.assign_attrs(null_kind="genomic")
    assert (
        cg.mpra.igvf_table(real, "reporter_sequence_design")["category"][0] == "element"
    )


def with_cell(name: str, row: int, value: str) -> xr.Dataset:
    library = two_arms()
    cells = library[name].values.astype(object)
    cells[row] = value
    return library.assign({name: ("row", cells)})


def minus_strand(letters: str) -> str:
    return letters[::-1].translate(str.maketrans("ACGT", "TGCA"))


@pytest.mark.parametrize("minus", [False, True])
def test_sequences_that_cannot_be_told_apart_are_refused_by_name(tmp_path, minus):
    other = minus_strand("ACGATACA") if minus else "ACGATACA"
    library = with_cell("insert", 2, other)
    for write in (
        lambda: cg.mpra.to_fasta(library, tmp_path / "x", sequence="insert"),
        lambda: cg.mpra.to_igvf(library, tmp_path / "x", "reporter_sequence_design"),
    ):
        with pytest.raises(DesignError):
            write()
    oligo = "AGGAACGATACACATT"
    library = with_cell("oligo", 2, minus_strand(oligo) if minus else oligo)
    with pytest.raises(DesignError):
        to_csv(library, tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_declared_duplicates_are_exempt_in_their_own_orientation_alone(tmp_path):
    assert "u1=again:control" in to_csv(two_arms(), tmp_path / "order.csv").read_text()
    turned = with_cell("insert", 5, minus_strand("ACGATACA"))
    with pytest.raises(DesignError):
        cg.mpra.to_igvf(turned, tmp_path / "x", "labels")


def test_a_library_that_does_not_hold_together_is_refused_before_a_file_is_written(
    tmp_path,
):
    barcodes = ["AA", "AC", "AG", "AT", "CA", "CC"]
    library = two_arms().assign(barcode=("row", barcodes))
    library["oligo"] = (
        "row",
        [a + b for a, b in zip(library["oligo"].values, barcodes, strict=True)],
    )
    twice = library.assign(barcode=("row", ["AA", "AC", "AA", "AT", "CA", "CC"]))
    for broken in (
        twice,
        library.assign(insert=("row", ["ACGTTGCC", *library["insert"].values[1:]])),
        library.assign(barcode=("row", ["GGG", *barcodes[1:]])),
        library.isel(row=slice(0, 0)),
    ):
        with pytest.raises(DesignError):
            cg.mpra.write_library(broken, tmp_path / "LIB")
    with pytest.raises(DesignError):
        to_csv(twice, tmp_path / "order.csv")
    assert not list(tmp_path.iterdir())
    cg.mpra.write_library(library, tmp_path / "LIB")


def test_a_palindrome_is_one_sequence(tmp_path):
    assert cg.mpra.to_fasta(
        with_cell("insert", 2, "GGAATTCC"), tmp_path / "x", sequence="insert"
    ).exists()


@pytest.mark.parametrize("name", ["chr1:5-11(+)", "1st", "", "a b", "é", "a,b", "a\tb"])
def test_names_that_an_order_cannot_hold_are_refused(tmp_path, name):
    with pytest.raises(DesignError):
        to_csv(with_cell("name", 1, name), tmp_path / "order.csv")


@pytest.mark.parametrize("label", ["", "two\nlines", "a\tb"])
def test_a_label_that_a_line_cannot_hold_is_refused_before_a_file_is_written(
    tmp_path, label
):
    with pytest.raises(DesignError):
        cg.mpra.to_igvf(with_cell("arm", 1, label), tmp_path / "x", "side_table")
    assert not (tmp_path / "x").exists()


# counts


@pytest.mark.real
def test_experiments_and_activities_agree_with_the_reference(shared):
    folder = shared / "reference" / "mpra" / "allelic_clean"
    counts = cg.mpra.read_counts(
        folder / "counts.tsv.gz", side_table=folder / "arms.tsv"
    )
    keys = ["replicate", "oligo_name"]
    theirs = pd.read_csv(
        folder / "expected" / "aggregate.tsv", sep="\t", dtype={"replicate": str}
    )
    both = experiment(counts).merge(theirs, on=keys, suffixes=("", "_r"))
    assert len(both) == (theirs["n_bc"] > 0).sum()
    for name in (
        "dna_counts",
        "rna_counts",
        "n_bc",
        "dna_normalized",
        "rna_normalized",
    ):
        np.testing.assert_allclose(
            both[name], both[f"{name}_r"], rtol=1e-9, err_msg=name
        )
    np.testing.assert_allclose(
        both["log2FoldChange"], both["log2_ratio"], rtol=1e-9, atol=1e-12
    )
    activity = pd.read_csv(folder / "expected" / "activity.tsv", sep="\t")
    found = cg.mpra.activity(counts)["activity"].to_series()
    ours = found.loc[activity["oligo_name"]]
    assert len(ours) == len(found) == len(activity)
    assert np.corrcoef(ours, activity["activity"])[0, 1] > 0.9


def test_one_pool_of_dna_is_written_as_one_column_and_read_as_one(tmp_path):
    side = pd.DataFrame(
        {"oligo_name": ["a", "b"], "element": ["u", "u"], "arm": ["x", "y"]}
    )
    counts = counts_of(
        [5, 7, 0],
        [[1, 2], [3, 4], [5, 6]],
        barcodes=["AC", "AG", "AT"],
        oligos=["a", "b", "b"],
        side_table=side,
        dna_observed=[True, True, False],
    )
    path = cg.mpra.to_igvf(
        counts, tmp_path / "counts.tsv", "reporter_experiment_barcode"
    )
    assert (
        path.read_text().splitlines()[0]
        == "barcode\toligo_name\tdna_count_1\trna_count_1\trna_count_2"
    )
    again = cg.mpra.read_counts(path, side_table=side)
    for name in ("dna", "rna", "dna_observed", "oligo_index"):
        np.testing.assert_array_equal(again[name], counts[name])
    assert experiment(counts)["dna_counts"].tolist() == [5, 7, 5, 7]


# variants


GENOME = "".join(np.random.default_rng(3).choice(list("ACGT"), 3_000))


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    path = tmp_path_factory.mktemp("genome") / "genome.fa"
    path.write_text(f">chr1\n{GENOME}\n>chr2\n{'ACACACAC' * 40}\n")
    return path


def changed(letters: str, variant: Variant) -> str:
    stop = variant.position + len(variant.reference)
    return letters[: variant.position] + variant.alternate + letters[stop:]


def at(position: int, deleted: int, inserted: str, name: str = "") -> Variant:
    """Return a variant as VCF writes it, with the base before an indel."""
    if deleted == len(inserted) == 1:
        return Variant("chr1", position, GENOME[position], inserted, name)
    anchor = GENOME[position - 1]
    return Variant(
        "chr1",
        position - 1,
        anchor + GENOME[position : position + deleted],
        anchor + inserted,
        name,
    )


def other(position: int, step: int = 1) -> str:
    return "ACGT"[("ACGT".index(GENOME[position]) + step) % 4]


VARIANTS = [
    at(500, 1, other(500), "snv"),
    at(900, 4, "", "deletion"),
    at(1_300, 0, "TTGCA", "insertion"),
    at(1_700, 3, "CATCATG", "both"),
    at(500, 1, other(500, 2), "second"),
]


@given(st.data())
def test_tiles_are_the_genome_and_the_genome_with_the_alternate(fasta, data):
    length = data.draw(st.integers(20, 120))
    most = (length - 9) // 2
    offsets = data.draw(
        st.lists(st.integers(-most + 5, most - 5), min_size=1, max_size=3, unique=True)
    )
    tiles = cg.mpra.variant_tiles(
        VARIANTS, fasta, insert_length=length, offsets=offsets
    )
    assert tiles.n_units == len(tiles.tiles) == len(VARIANTS) * len(offsets)
    given = tiles.null.sample(tiles.n_units, rng=0)["sequence"].values
    alternate = tiles.named_arms[1].intervention
    assert len({(t.start, t.variant.chromosome) for t in tiles.tiles}) == len(
        tiles.tiles
    )
    for row, tile in enumerate(tiles.tiles):
        ref = decode(given[row : row + 1])[0]
        begin, word = alternate.at[row], alternate.motifs[row]
        alt = ref[:begin] + word + ref[begin + len(word) :]
        assert ref == GENOME[tile.start : tile.start + length]
        assert alt == changed(GENOME, tile.variant)[tile.start : tile.start + length]
        width = max(len(tile.variant.reference), len(tile.variant.alternate))
        middle = tile.variant.position - tile.start + width // 2
        assert middle == length // 2 + tile.offset + tile.moved
        assert GENOME[tile.start :].startswith(tile.spdi.deleted, tile.variant_pos)


def test_two_alternates_of_one_place_are_told_apart_by_a_base(fasta):
    tiles = cg.mpra.variant_tiles(VARIANTS, fasta, insert_length=50).tiles
    assert [tile.moved for tile in tiles] == [0, 0, 0, 0, 1]
    assert tiles[0].start - tiles[4].start == 1


@given(st.data())
@settings(max_examples=settings.default.max_examples * 2)
def test_spdi_is_the_same_for_the_same_change_and_makes_it(tmp_path_factory, data):
    letters = data.draw(st.text("AC", min_size=12, max_size=30))
    path = tmp_path_factory.mktemp("small") / "genome.fa"
    path.write_text(f">chr1\n{letters}\n")
    variants = []
    for _ in range(2):
        start = data.draw(st.integers(0, len(letters) - 4))
        reference = letters[start : start + data.draw(st.integers(1, 4))]
        alternate = data.draw(
            st.text("AC", min_size=1, max_size=4).filter(lambda x, r=reference: x != r)
        )
        variants.append(Variant("chr1", start, reference, alternate))
    with Genome(path) as genome:
        forms = [canonical_spdi(variant, genome) for variant in variants]
    for variant, form in zip(variants, forms, strict=True):
        stop = form.position + len(form.deleted)
        assert letters[form.position : stop] == form.deleted
        assert letters[: form.position] + form.inserted + letters[stop:] == changed(
            letters, variant
        )
    indel = [not all(_trim(variant)) for variant in variants]
    if all(indel) or not any(indel):
        assert (forms[0] == forms[1]) == (
            changed(letters, variants[0]) == changed(letters, variants[1])
        )


def _trim(variant: Variant) -> tuple[str, str]:
    reference, alternate = variant.reference, variant.alternate
    while reference and alternate and reference[-1] == alternate[-1]:
        reference, alternate = reference[:-1], alternate[:-1]
    while reference and alternate and reference[0] == alternate[0]:
        reference, alternate = reference[1:], alternate[1:]
    return reference, alternate


def test_a_table_of_variants_is_read_as_a_vcf_is(fasta, tmp_path):
    rows = [
        (v.chromosome, v.position + 1, v.name, v.reference, v.alternate)
        for v in VARIANTS
    ]
    (tmp_path / "some.vcf").write_text(
        "".join("\t".join(map(str, row)) + "\n" for row in rows)
    )
    table = pd.DataFrame(rows, columns=["#CHROM", "POS", "ID", "REF", "ALT"])
    designs = [
        cg.mpra.variant_tiles(x, fasta, insert_length=40)
        for x in (VARIANTS, tmp_path / "some.vcf", table)
    ]
    assert designs[0] == designs[1] == designs[2]
    assert designs[0].tiles == designs[1].tiles == designs[2].tiles
    partly = cg.mpra.variant_tiles(
        table.assign(ID=[None, "rs", "rs", ".", "x"]), fasta, insert_length=40
    )
    assert [tile.variant.name for tile in partly.tiles] == [
        *(v.written for v in VARIANTS[:4]),
        "x",
    ]
    (tmp_path / "odd.vcf").write_text(f"chr1\t501\trs7\t{other(500)}\tACG\n")


@pytest.fixture(scope="module")
def ordered(fasta):
    """Tiles of 30 variants, the library of them, annotated."""
    variants = [
        at(p, 1, other(p), f"rs{p}") for p in range(300, 2_700, 100)
    ] + VARIANTS[1:4]
    tiles = cg.mpra.variant_tiles(
        variants, fasta, insert_length=100, offsets=(0, 20), assembly="GRCh38"
    )
    library = cg.mpra.library(
        tiles,
        oligo_length=130,
        adapters="lentimpra",
        rng=0,
        controls=cg.mpra.Controls(n_scrambles=20),
        rules=cg.mpra.OligoRules(gc=(0.1, 0.9), repeats=0.9),
    )
    return tiles, tiles.annotate(library)


def design_of(path):
    """Return a design as the field writes it, arrays as tuples, () for NA."""
    table = pd.read_csv(path, sep="\t", keep_default_na=False)
    for name in ("variant_class", "variant_pos", "SPDI", "allele"):
        table[name] = [
            () if cell == "NA" else tuple(json.loads(cell)) for cell in table[name]
        ]
    return table


def test_the_variant_columns_of_a_sequence_design_come_out_right(ordered, tmp_path):
    tiles, library = ordered
    path = cg.mpra.to_igvf(
        library, tmp_path / "design.tsv.gz", "reporter_sequence_design"
    )
    table = design_of(path).set_index("name")
    assert table["category"].value_counts().to_dict() == {
        "variant": len(table) - 20,
        "scrambled": 20,
    }
    units = dict(zip(library["oligo_name"].values, library["unit"].values, strict=True))
    tested = table[table["category"] == "variant"]
    for name, row in tested.iterrows():
        tile, (allele,) = tiles.tiles[units[name]], row["allele"]
        sequence, position, deleted, inserted = row["SPDI"][0].split(":")
        assert (sequence, row["chr"], row["ref"], row["strand"]) == (
            "NC_000001.11",
            "chr1",
            "GRCh38",
            "+",
        )
        spelled = {"ref": deleted, "alt": inserted}[allele]
        assert row["sequence"][row["variant_pos"][0] :].startswith(spelled)
        assert row["variant_pos"][0] == int(position) - row["start"]
        assert row["variant_class"] == (
            "SNV" if len(deleted) == len(inserted) == 1 else "indel",
        )
        whole = GENOME if allele == "ref" else changed(GENOME, tile.variant)
        assert row["sequence"] == whole[row["start"] : row["start"] + 100]
        shift = 0 if allele == "ref" else len(inserted) - len(deleted)
        assert row["end"] - row["start"] + shift == 100
    assert tested["allele"].value_counts().to_dict() == {
        ("ref",): len(tested) // 2,
        ("alt",): len(tested) // 2,
    }
    assert (
        table.loc[table["category"] == "scrambled", ["SPDI", "allele"]].map(len) == 0
    ).all(axis=None)
    cg.mpra.write_library(library, tmp_path / "LIB")
    xr.testing.assert_identical(cg.mpra.read_library(tmp_path / "LIB"), library)


def test_tiles_annotate_their_own_library_alone(ordered, fasta):
    _, library = ordered
    others = cg.mpra.variant_tiles(VARIANTS, fasta, insert_length=100)
    with pytest.raises(DesignError):
        others.annotate(library)


def test_tiles_run_on_a_predictor_like_any_design(ordered):
    tiles, _ = ordered
    outcomes = cg.run(tiles, cg.zoo.oracle("gata1_like"), rng=0)
    assert outcomes["arm"].values.tolist() == ["ref", "alt"]
    assert outcomes.sizes["unit"] == len(tiles.tiles)
    effects = cg.contrast(outcomes)
    assert effects["contrast"].values.tolist() == ["alt"]


@pytest.mark.real
def test_variants_of_the_example_design_have_their_spdi(shared, tmp_path):
    table = design_of(
        shared
        / "reference"
        / "mpra_formats"
        / "reporter_sequence_design.example.tsv.gz"
    )
    rows = table[(table["allele"] == ("ref",)) & (table["ref"] == "GRCh38")]
    checked = 0
    for row in rows.itertuples():
        _, position, deleted, inserted = row.SPDI[0].split(":")
        begin = int(position) - row.start
        if not row.sequence[begin:].startswith(deleted):
            continue  # the example says another place than its own start
        path = tmp_path / "genome.fa"
        path.write_text(f">chr\n{row.sequence}\n")
        anchored = Variant(
            "chr",
            begin - 1,
            row.sequence[begin - 1] + deleted,
            row.sequence[begin - 1] + inserted,
        )
        with Genome(path) as genome:
            form = canonical_spdi(anchored, genome)
        assert (form.position, form.deleted, form.inserted) == (
            begin,
            deleted,
            inserted,
        ), row.SPDI
        assert form.variant_class == row.variant_class[0]
        checked += 1
    assert checked >= 85
