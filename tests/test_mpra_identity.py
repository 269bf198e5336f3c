# Imports from the inside: counts without a file, for libraries compared.
"""Which library: fingerprints in the names of units, from the order to the comparison,
and the names of sequences.
"""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from assay import library_of
from test_cli import call

import causalgia as cg
from causalgia.errors import DataError, DesignError
from causalgia.mpra.counts import counts_of as as_counts

ARMS = {"placebo": cg.Placebo("AGATAAG", at=96), "GATA1": cg.Embed("AGATAAG", at=96)}
TRIAL = """
name = "bench"
n_units = 30
rng = 1
null = {kind = "uniform", length = 200}
predictor = {zoo = "gata1_like"}
arms = {placebo = {placebo = "AGATAAG", at = 96}, GATA1 = {embed = "AGATAAG", at = 96}}
analysis = {control = "placebo"}
mpra = {oligo_length = 230, adapters = "lentimpra", n_scrambles = 20}
"""


def design(
    n: int = 30,
    arms: dict[str, cg.Intervention] | None = None,
    null: cg.NullModel | None = None,
) -> cg.Design:
    return cg.Design(
        null=null or cg.Uniform(length=200),
        arms=arms or ARMS,
        n_units=n,
        contrasts="placebo",
    )


def ordered(rng: int = 1, of: cg.Design | None = None, **options: object) -> xr.Dataset:
    return library_of(
        of or design(),
        oligo_length=230,
        adapters="lentimpra",
        rng=rng,
        n_scrambles=20,
        **options,
    )


def counts_of(library: xr.Dataset, rng: int = 0) -> xr.Dataset:
    side = (
        library[["oligo_name", "element", "arm", "group"]]
        .to_dataframe()
        .drop_duplicates("oligo_name")
    )
    treated = np.random.default_rng(rng).normal(1, 0.5, len(side)) * (
        side["arm"] == "GATA1"
    )
    counts = cg.mpra.simulate(
        side.assign(log2=treated),
        n_barcodes=6,
        n_replicates=2,
        noise=cg.mpra.NoiseModel(sd_barcode=0.2),
        rng=rng,
    )
    names = counts["oligo"].values[counts["oligo_index"].values]
    return as_counts(
        counts["dna"].values,
        counts["rna"].values,
        barcodes=counts["barcode"].values,
        oligos=names,
        side_table=library,
    )


def virtual_of(library: xr.Dataset) -> xr.Dataset:
    share = cg.FunctionPredictor(
        lambda x: (x[:, 2] * np.linspace(0, 1, 200)).sum(1), scale="share"
    )
    return cg.contrast(cg.mpra.virtual_trial(library, share))


def units(library: xr.Dataset) -> list[str]:
    return list(
        dict.fromkeys(
            library["element"].values[library["group"].values == "test"].tolist()
        )
    )


def test_units_of_two_libraries_have_no_name_in_common():
    ours = units(ordered())
    moved = {"placebo": ARMS["placebo"], "GATA1": cg.Embed("AGATAAG", at=50)}
    for other in (ordered(2), ordered(of=design(arms=moved))):
        assert not set(ours) & set(units(other))
        assert [name.split(".")[0] for name in units(other)] == [
            name.split(".")[0] for name in ours
        ]
    # a shorter library has the first units of a longer one
    assert units(ordered(of=design(60)))[:30] == ours


BARCODED = ("ACTGGCCGCTTCACTG", "GGTACCTCTAGA", "AGATCGGAAGAGCGTCG")


def barcoded(
    rng: int, of: cg.Design | None = None, n_scrambles: int = 20
) -> xr.Dataset:
    """Return a library with every kind of control, two of them given without names."""
    given = [
        "".join(np.random.default_rng([rng, i]).choice(list("ACGT"), 145))
        for i in range(2)
    ]
    short = {
        "placebo": cg.Placebo("AGATAAG", at=60),
        "GATA1": cg.Embed("AGATAAG", at=60),
    }
    return cg.mpra.library(
        of or design(arms=short, null=cg.Uniform(length=145)),
        oligo_length=203,
        adapters=BARCODED,
        barcodes_per_oligo=2,
        barcode_rules=cg.mpra.BarcodeRules(length=13),
        rules=cg.mpra.OligoRules(avoid={"KpnI": 1, "XbaI": 1}),
        controls=cg.mpra.Controls(
            n_scrambles=n_scrambles,
            n_duplicates=4,
            positives=given[:1],
            negatives=given[1:],
        ),
        rng=rng,
    )


def elements_of(library: xr.Dataset, *groups: str) -> list[str]:
    return list(
        dict.fromkeys(
            library["element"].values[np.isin(library["group"].values, groups)].tolist()
        )
    )


def test_controls_of_two_libraries_have_no_name_in_common():
    """Both had scramble0, aa0, positive0 and promoter: duplicates removed by name were
    other sequences.
    """
    one, other, again = barcoded(1), barcoded(2), barcoded(1, n_scrambles=25)
    groups = ("negative", "positive", "promoter", "duplicate")
    ours, theirs = elements_of(one, *groups), elements_of(other, *groups)
    assert len(ours) == 20 + 1 + 1 + 4 + 1
    assert not set(ours) & set(theirs)
    assert [name.split(".")[0] for name in ours] == [
        name.split(".")[0] for name in theirs
    ]
    for name in ("oligo_name", "name"):
        alone = one["group"].values != "test"
        pairs = zip(one[name].values[alone], one["element"].values[alone], strict=True)
        assert all(row.startswith(element) for row, element in pairs)
    # one sequence has one name: the longer list of scrambles begins with the shorter
    # one
    assert elements_of(again, "negative")[:20] == elements_of(one, "negative")[:20]
    assert elements_of(again, "promoter", "duplicate", "positive") == elements_of(
        one, "promoter", "duplicate", "positive"
    )


def test_two_libraries_merged_by_name_keep_every_control(tmp_path):
    one, other = barcoded(1), barcoded(2)
    sides = []
    for place, library in (("1", one), ("2", other)):
        cg.mpra.write_library(library, tmp_path / place)
        sides.append(pd.read_csv(tmp_path / place / "arms.tsv", sep="\t"))
    merged = pd.concat(sides).drop_duplicates("oligo_name")
    assert len(merged) == len(sides[0]) + len(sides[1])
    assert merged.groupby("element")["group"].nunique().max() == 1
    scramble = elements_of(one, "negative")[0]
    with pytest.raises(DataError):
        as_counts([[1]], [[1]], barcodes=["ACGT"], oligos=[scramble], side_table=other)


def test_a_control_that_was_changed_by_hand_keeps_its_name_in_no_order(tmp_path):
    library = barcoded(1)
    for group, stem in (
        ("negative", "scramble0"),
        ("duplicate", "aa0"),
        ("positive", "positive0"),
    ):
        name = next(x for x in elements_of(library, group) if x.startswith(stem))
        rows = np.flatnonzero(library["element"].values == name)
        inserts, oligos = (
            library["insert"].values.copy(),
            library["oligo"].values.copy(),
        )
        for i in rows:
            inserts[i] = inserts[i][:-1] + ("A" if inserts[i][-1] != "A" else "C")
            oligos[i] = oligos[i].replace(library["insert"].values[i], inserts[i])
        with pytest.raises(DesignError):
            cg.mpra.write_library(
                library.assign(insert=("row", inserts), oligo=("row", oligos)),
                tmp_path / "LIB",
            )


def test_counts_are_refused_with_the_side_table_of_another_library(tmp_path):
    ours, other = ordered(), ordered(2)
    cg.mpra.to_igvf(
        counts_of(ours), tmp_path / "counts.tsv", "reporter_experiment_barcode"
    )
    cg.mpra.to_igvf(other, tmp_path / "arms.tsv", "side_table")
    for side in (other, tmp_path / "arms.tsv"):
        with pytest.raises(DataError):
            cg.mpra.read_counts(tmp_path / "counts.tsv", side_table=side)
    with pytest.raises(DataError):
        as_counts(
            [[1]],
            [[1]],
            barcodes=["ACGT"],
            oligos=[ours["oligo_name"].values[0]],
            side_table=other,
        )


def test_oligos_of_one_library_are_no_elements_of_another():
    """As where one column of a side table was pasted from another, or was sorted
    alone.
    """
    one, other = (
        ordered(rng)[["oligo_name", "element", "arm", "group"]]
        .to_dataframe()
        .drop_duplicates("oligo_name")
        for rng in (1, 2)
    )
    mixed = one.assign(element=other["element"].to_numpy())
    counts = cg.mpra.simulate(one.assign(log2=0.0), n_barcodes=2, n_replicates=2, rng=0)
    reads = {name: counts[name].values for name in ("dna", "rna")}
    names = {
        "barcodes": counts["barcode"].values,
        "oligos": counts["oligo"].values[counts["oligo_index"].values],
    }
    assert as_counts(**reads, **names, side_table=one).sizes["oligo"] == len(one)
    with pytest.raises(DataError):
        as_counts(**reads, **names, side_table=mixed)


def test_the_virtual_trial_of_another_library_is_refused():
    """Matched by u0, u1, ... the true effects had met those of other sequences: r .49
    fell to .08 without a word.
    """
    ours, other = ordered(), ordered(2)
    fitted = cg.mpra.fit(counts_of(ours), control="placebo", method="two_way")
    assert cg.mpra.concordance(virtual_of(ours), fitted)["n"].item() == 30
    for compare in (cg.mpra.concordance, cg.mpra.prediction_powered):
        with pytest.raises(DataError):
            compare(virtual_of(other), fitted)
    tables = [
        pd.DataFrame({"element": units(x), "effect": np.arange(30.0), "se": 1.0})
        for x in (ours, other)
    ]
    with pytest.raises(DataError):
        cg.mpra.concordance(*tables)


def test_a_unit_that_was_changed_by_hand_keeps_its_name_in_no_order_and_no_prediction(
    tmp_path,
):
    library = ordered()
    one, other = units(library)[:2]
    inserts, oligos, elements = (
        library[name].values.astype(object) for name in ("insert", "oligo", "element")
    )
    i = elements.tolist().index(one)
    changed = {"insert": inserts.copy(), "oligo": oligos.copy()}
    changed["insert"][i] = (
        "C" + inserts[i][1:] if inserts[i][0] != "C" else "T" + inserts[i][1:]
    )
    changed["oligo"][i] = oligos[i].replace(inserts[i], changed["insert"][i])
    swapped = np.where(
        elements == one, other, np.where(elements == other, one, elements)
    )
    for wrong in (
        library.assign({name: ("row", x) for name, x in changed.items()}),
        library.assign(element=("row", swapped)),
    ):
        for use in (lambda x: cg.mpra.write_library(x, tmp_path / "LIB"), virtual_of):
            with pytest.raises(DesignError):
                use(wrong)
    fewer = library.isel(row=library["arm"].values != "placebo")
    own = library.assign(element=("row", np.where(elements == one, "mine", elements)))
    for place, right in enumerate((library, fewer, own)):
        cg.mpra.write_library(right, tmp_path / str(place))


def test_a_library_that_is_named_travels_through_counts_activities_and_fit(tmp_path):
    library = ordered()
    counts = counts_of(library)
    cg.mpra.to_igvf(counts, tmp_path / "counts.tsv", "reporter_experiment_barcode")
    read = cg.mpra.read_counts(tmp_path / "counts.tsv", side_table=library)
    fitted = cg.mpra.fit(read, control="placebo", method="two_way")
    for found in (counts, read, cg.mpra.outcomes(read), fitted):
        for name in ("library_fingerprint", "design_fingerprint", "null_fingerprint"):
            assert found.attrs[name] == library.attrs[name]
    table = cg.mpra.igvf_table(library, "reporter_sequence_design")
    assert library.attrs["library_fingerprint"] in table["info"][0]


@pytest.mark.simulation
def test_the_command_line_refuses_another_library(tmp_path):
    for seed in (1, 2):
        place = tmp_path / str(seed)
        place.mkdir()
        (place / "trial.toml").write_text(TRIAL.replace("rng = 1", f"rng = {seed}"))
        call("mpra", "design", place / "trial.toml", "--out", place / "LIB")
        call(
            "mpra",
            "predict",
            place / "trial.toml",
            "--design",
            place / "LIB",
            "--out",
            place / "virtual",
        )
        library = cg.mpra.read_library(place / "LIB")
        cg.mpra.to_igvf(
            counts_of(library), place / "counts.tsv", "reporter_experiment_barcode"
        )
    analyze = (
        "mpra",
        "analyze",
        tmp_path / "1" / "counts.tsv",
        "--method",
        "two_way",
        "--design",
    )
    for side in ("LIB", "LIB/arms.tsv"):
        asked = (
            *analyze,
            tmp_path / "2" / side,
            "--control",
            "placebo",
            "--out",
            tmp_path / "measured",
        )
        call(*asked, code=2)
    call(*analyze, tmp_path / "1" / "LIB", "--out", tmp_path / "measured")
    compare = (
        "mpra",
        "compare",
        tmp_path / "2" / "virtual",
        tmp_path / "measured",
        "--task",
        "K562",
    )
    call(*compare, code=2)
    tables = [tmp_path / name for name in ("virtual.csv", "effects.csv")]
    pd.DataFrame(
        {
            "element": units(cg.mpra.read_library(tmp_path / "2" / "LIB")),
            "effect": range(30),
        }
    ).to_csv(tables[0])
    effects = pd.read_csv(tmp_path / "measured" / "effects.tsv", sep="\t").rename(
        columns={"term": "element", "estimate": "effect", "std_error": "se"}
    )
    effects.to_csv(tables[1], index=False)
    call("mpra", "compare", *tables, code=2)


@pytest.fixture(scope="module")
def genomic() -> xr.Dataset:
    """A library of 12 windows of a genome, one on the minus strand, one with a name
    that is no place.
    """
    rng = np.random.default_rng(1)
    names = [f"chr{i % 3 + 1}:{1_000 * i}-{1_000 * i + 200}" for i in range(12)]
    names[5] += "(-)"
    names[7] = "enhancer 7"
    peaks = {name: "".join(rng.choice(list("ACGT"), 200)) for name in names}
    control = "".join(rng.choice(list("ACGT"), 200))
    return ordered(
        of=design(12, null=cg.Genomic(of=peaks)), positives={"chr9:7-207": control}
    )


def test_the_names_of_sequences_reach_every_text_file(genomic, tmp_path):
    written = cg.mpra.write_library(genomic, tmp_path / "LIB")
    texts = [path for path in written if path.name != "library.nc"]
    assert len(texts) == 6
    for path in texts:
        text = (
            gzip.decompress(path.read_bytes()).decode()
            if path.suffix == ".gz"
            else path.read_text()
        )
        assert text.count("chr2:1000-1200.") >= 2, path.name
        assert "enhancer_7." in text


def test_rows_of_the_field_say_where_a_sequence_lies(genomic):
    table = cg.mpra.igvf_table(genomic, "reporter_sequence_design")
    stem = table["name"].str.rsplit(".", n=1).str[0]
    place = (
        table[["chr", "start", "end", "strand"]]
        .astype(object)
        .agg(tuple, axis=1)
        .groupby(stem)
        .first()
    )
    assert place["chr2:1000-1200"] == ("chr2", 1_000, 1_200, "+")
    assert place["chr3:5000-5200_-_"] == ("chr3", 5_000, 5_200, "-")
    assert place["enhancer_7"] == ("NA", 0, 200, "+")
    assert place["chr9:7-207"] == ("chr9", 7, 207, "+")
    assert table["info"].str.contains("enhancer 7").any()


@pytest.mark.simulation
def test_the_names_of_sequences_reach_effects_and_comparisons(genomic, tmp_path):
    cg.mpra.write_library(genomic, tmp_path / "LIB")
    cg.mpra.to_igvf(
        counts_of(genomic), tmp_path / "counts.tsv", "reporter_experiment_barcode"
    )
    asked = (
        "--design",
        tmp_path / "LIB",
        "--method",
        "two_way",
        "--control",
        "placebo",
        "--out",
        tmp_path / "measured",
    )
    call("mpra", "analyze", tmp_path / "counts.tsv", *asked)
    effects = pd.read_csv(tmp_path / "measured" / "effects.tsv", sep="\t")
    assert effects["term"].str.startswith("chr2:1000-1200.").any()


def test_sequences_without_names_are_numbered():
    peaks = [
        "".join(np.random.default_rng(i).choice(list("ACGT"), 200)) for i in range(6)
    ]
    library = ordered(of=design(6, null=cg.Genomic(of=peaks)))
    assert units(library)[0].startswith("u0.")
    long = ordered(
        of=design(
            6,
            null=cg.Genomic(
                of={f"{'x' * 80}{i}": peak for i, peak in enumerate(peaks)}
            ),
        )
    )
    assert units(long)[0].startswith("u0.")
    assert long["source_name"].values[0].startswith("xxx")
    ensembl = ordered(
        of=design(
            6, null=cg.Genomic(of={f"{i}:5-205": peak for i, peak in enumerate(peaks)})
        )
    )
    assert units(ensembl)[0].startswith("n0:5-205.")
    assert cg.mpra.igvf_table(ensembl, "reporter_sequence_design")["chr"][0] == "0"
