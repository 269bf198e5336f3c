"""IGVF's sequence design as side table: ours gives back the arms of the library, a
foreign one ref and alt.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_cli import call

import causalgia as cg

HEADER = [
    *(
        "name",
        "sequence",
        "category",
        "class",
        "source",
        "ref",
        "chr",
        "start",
        "end",
        "strand",
    ),
    *("variant_class", "variant_pos", "SPDI", "allele", "info"),
]


def row(name, kind, *, spdi="NA", allele="NA", category="variant", info=""):
    variant = ('["SNV"]', "[100]") if spdi != "NA" else ("NA", "NA")
    place = ("lab", "GRCh38", "chr1", "0", "20", "+")
    return [
        name,
        "ACGTACGTACGTACGTACGT",
        category,
        kind,
        *place,
        *variant,
        spdi,
        allele,
        info,
    ]


FOREIGN = [
    row(
        "Variant 1 (chr1:5-25)",
        "test",
        spdi='["NC_000001.11:300:A:G"]',
        allele='["ref"]',
        info="ask the lab",
    ),
    row(
        "Variant 2 (chr1:5-25)",
        "test",
        spdi='["NC_000001.11:300:A:G"]',
        allele='["alt"]',
    ),
    row("Plain 3", "test", category="element"),
    row("Negative 4", "element inactive control", category="element"),
    row("Positive 5", "element active control", category="element"),
    row(
        "Known 6",
        "variant positive control",
        spdi='["NC_000001.11:9:C:T"]',
        allele='["ref"]',
    ),
]
SIDE = [
    ["Variant_1_(chr1:5-25)", "NC_000001.11:300:A:G", "ref", "test"],
    ["Variant_2_(chr1:5-25)", "NC_000001.11:300:A:G", "alt", "test"],
    ["Plain_3", "Plain_3", "element", "test"],
    ["Negative_4", "Negative_4", "negative", "negative"],
    ["Positive_5", "Positive_5", "positive", "positive"],
    ["Known_6", "NC_000001.11:9:C:T", "ref", "positive"],
]


def written(folder, rows):
    path = folder / "design.tsv"
    path.write_text("\n".join("\t".join(cells) for cells in [HEADER, *rows]) + "\n")
    return path


def counts_in(folder, names):
    lines = [
        f"{'ACGT'[i % 4]}{'ACGT'[i // 4]}CA\t{name}\t{9 + i}\t{12 + i}"
        for i, name in enumerate(names)
    ]
    path = folder / "counts.tsv"
    path.write_text(
        "\n".join(["barcode\toligo_name\tdna_count_1\trna_count_1", *lines]) + "\n"
    )
    return path


@pytest.mark.parametrize("as_table", [False, True])
def test_a_foreign_design_is_a_side_table(tmp_path, as_table):
    path = written(tmp_path, FOREIGN)
    arms = pd.read_csv(path, sep="\t", keep_default_na=False) if as_table else path
    counts = cg.mpra.read_counts(
        counts_in(tmp_path, [x[0] for x in SIDE]), side_table=arms
    )
    found = counts[["element", "arm", "group"]].to_dataframe().reset_index()
    assert found[["oligo", "element", "arm", "group"]].to_numpy().tolist() == SIDE


@pytest.mark.simulation
def test_our_design_gives_the_arms_of_the_library_and_the_same_effects(tmp_path):
    arms = {"untreated": cg.Untreated(), "GATA + 1": cg.Embed("AGATAAG", at=20)}
    design = cg.Design(null=cg.Uniform(length=60), arms=arms, n_units=12)
    library = cg.mpra.library(
        design,
        oligo_length=80,
        adapters=("ACGTTGCAAC", "TGCATTGCAT"),
        rng=1,
        controls=cg.mpra.Controls(n_scrambles=6),
        rules=cg.mpra.OligoRules(gc=(0, 1), repeats=1.0),
    )
    path = cg.mpra.to_igvf(
        library,
        tmp_path / "reporter_sequence_design.tsv.gz",
        "reporter_sequence_design",
    )
    activities = library[["element", "arm", "group", "oligo_name"]].to_dataframe()
    counts = cg.mpra.simulate(
        activities.assign(log2=np.arange(len(activities)) % 3.0), n_barcodes=5, rng=2
    )
    table = cg.mpra.to_igvf(
        counts, tmp_path / "counts.tsv", "reporter_experiment_barcode"
    )
    by_design, by_library = (
        cg.mpra.read_counts(table, side_table=side) for side in (path, library)
    )
    for name in ("element", "arm", "group"):
        assert (
            by_design[name].to_series().to_dict()
            == by_library[name].to_series().to_dict()
        )
    fits = [
        cg.mpra.fit(x, control="untreated", method="two_way")
        for x in (by_design, by_library)
    ]
    np.testing.assert_allclose(
        fits[0]["ace"].sortby("element"), fits[1]["ace"].sortby("element")
    )
    analyze = (
        "mpra",
        "analyze",
        table,
        "--control",
        "untreated",
        "--method",
        "two_way",
    )
    call(*analyze, "--design", path, "--out", tmp_path / "measured")


def test_a_side_table_may_have_the_columns_of_a_design_beside_its_own(tmp_path):
    side = pd.DataFrame(SIDE, columns=["oligo_name", "element", "arm", "group"]).assign(
        **dict.fromkeys(("name", "category", "class", "SPDI", "allele"), "NA")
    )
    counts = cg.mpra.read_counts(
        counts_in(tmp_path, [x[0] for x in SIDE]), side_table=side
    )
    assert counts["arm"].values.tolist() == [x[2] for x in SIDE]
