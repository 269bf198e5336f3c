"""Variants: known effects, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from catalogue_truth import assert_recovers

import causalgia as cg
from causalgia.errors import (
    DegenerateWarning,
    DesignError,
    SequenceError,
)
from causalgia.experiments import (
    variants,
)
from causalgia.sequences import decode, encode
from causalgia.sequences.variant_files import Variant
from causalgia.trial_file import read_spec

LENGTH = 120
# single sites add without spread
EXACT = pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")


# ---------------------------------------------------------------- variants


@pytest.fixture(scope="module")
def genome():
    """Two soft-masked chromosomes of 1,000 bases with sites of 'gata1_like' at 300
    and 700.
    """
    made = decode(cg.Uniform(length=1_000).sample(2, rng=5)["sequence"].values)
    sites = [x[:300] + "AGATAAG" + x[307:700] + "TGACTCA" + x[707:] for x in made]
    return {"chr1": sites[0], "chr2": sites[1]}


@pytest.fixture(scope="module")
def files(genome, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genome")
    rows = [
        ("chr1", 304, "rs1", "T", "G"),
        ("chr1", 304, "rs2", "T", "A"),
        (
            "chr1",
            500,
            "rs3",
            genome["chr1"][499],
            "ACGT".replace(genome["chr1"][499], "")[0],
        ),
        ("chr1", 704, "rs4", "C", "A"),
        ("chr2", 304, "deletion", "TAA", "T"),
        (
            "chr2",
            500,
            "insertion",
            genome["chr2"][499],
            genome["chr2"][499] + "TGACTCAC",
        ),
    ]
    text = "".join(
        f"{c}\t{at}\t{name}\t{ref}\t{alt}\t.\tPASS\t.\n"
        for c, at, name, ref, alt in rows
    )
    (folder / "some.vcf").write_text("##fileformat=VCFv4.3\n" + text)
    masked = (x[:250] + x[250:600].lower() + x[600:] for x in genome.values())
    (folder / "genome.fa").write_text(
        "".join(f">{c}\n{x}\n" for c, x in zip(genome, masked, strict=True))
    )
    return folder / "some.vcf", folder / "genome.fa"


def own_windows(genome, variant, length=LENGTH):
    """Cut both windows by hand: the longer allele is centered, the genome fills the
    alternate's 3' end.
    """
    width = max(len(variant.reference), len(variant.alternate))
    first = variant.position - (length // 2 - width // 2)
    whole = genome[variant.chromosome]
    changed = (
        whole[: variant.position]
        + variant.alternate
        + whole[variant.position + len(variant.reference) :]
    )
    return whole[first : first + length], changed[first : first + length]


def read(files):
    from causalgia.sequences import read_variants

    return read_variants(files[0])


def test_own_contexts_give_each_variant_its_exact_effect(files, genome):
    predictor = cg.zoo.oracle("gata1_like")
    experiment = variants(*files, length=LENGTH)
    assert experiment.arm_names == ["reference", "alternate"]
    outcomes = cg.run(experiment, predictor, rng=0, progress=False)
    answer = experiment.analyze(outcomes)
    table = answer.findings["variants"]
    by_hand = [own_windows(genome, x) for x in read(files)]
    reference, alternate = (
        predictor.predict(encode(list(side))) for side in zip(*by_hand, strict=True)
    )
    np.testing.assert_array_equal(
        table["effect"].transpose("variant", "task"), alternate - reference
    )
    assert (table["se"] == 0).all()
    np.testing.assert_array_equal(table["lower"], table["effect"])
    low, high = (table[side] for side in ("rope_lower", "rope_upper"))
    sd = outcomes["outcome"].sel(arm="reference").std("unit", ddof=1)
    np.testing.assert_allclose(high.isel(variant=0), 0.2 * sd, rtol=1e-6)
    np.testing.assert_array_equal(
        table["verdict"] == "increases", table["effect"] > high
    )
    np.testing.assert_array_equal(
        table["verdict"] == "decreases", table["effect"] < low
    )
    assert table["variant"].values.tolist() == [
        "rs1",
        "rs2",
        "rs3",
        "rs4",
        "deletion",
        "insertion",
    ]
    assert table["position"].values.tolist() == [303, 303, 499, 703, 303, 499]
    assert table.sel(task="K562")["verdict"].values.tolist() == [
        *("decreases", "decreases", "negligible"),
        *("decreases", "decreases", "increases"),
    ]
    frame = table.to_dataframe()
    assert len(frame) == 6 * 2
    assert {
        "chromosome",
        "position",
        "reference",
        "alternate",
        "effect",
        "verdict",
    } <= set(frame.columns)
    assert answer.draw() is not None


@pytest.mark.filterwarnings(
    "ignore::causalgia.errors.DegenerateWarning",
    "ignore::causalgia.errors.DegenerateWarning",
)
def test_a_task_whose_reference_windows_do_not_vary_is_left_out(files):
    """It has no verdict in units of the control's sd; the other task keeps its rows."""

    def answer(x):
        cytosines = x[:, 1].sum(1)
        return np.stack([cytosines, np.full_like(cytosines, 3.0)], 1)

    predictor = cg.FunctionPredictor(
        answer, tasks=["cytosines", "flat"], scale="counts"
    )
    experiment = variants(*files, length=LENGTH)
    found = experiment.analyze(
        cg.run(experiment, predictor, rng=0, progress=False), rng=0
    )
    assert found.findings["variants"]["task"].values.tolist() == ["cytosines"]
    assert found.findings["variants"].sizes["variant"] == 6


def test_windows_that_overlap_are_one_cluster(files):
    parents = variants(*files, length=LENGTH).null.parent_names
    assert [parents.index(name) for name in parents] == [0, 0, 2, 3, 4, 5]
    # 300, 500 and 700 now overlap
    wide = variants(*files, length=500).null.parent_names
    assert [wide.index(name) for name in wide] == [0, 0, 0, 0, 4, 4]
    effects = cg.contrast(
        cg.run(
            variants(*files, length=500),
            cg.zoo.oracle("gata1_like"),
            rng=0,
            progress=False,
        )
    )
    with pytest.warns(DegenerateWarning):
        estimates = cg.estimate(effects)
    assert (estimates["n_clusters"] == 2).all()


@EXACT
def test_sampled_contexts_recover_every_variant(files):
    predictor = cg.zoo.oracle("gata1_like")
    experiment = variants(*files, null=cg.Uniform(length=LENGTH), n_null=300)
    answer = assert_recovers(experiment, predictor)
    table = answer.findings["variants"]
    assert list(experiment.named_contrasts) == table["variant"].values.tolist()
    np.testing.assert_array_equal(table["effect"], answer.estimates["ace"])
    assert {"effect", "lower", "upper", "verdict", "se", "p", "q"} < set(
        table.data_vars
    )
    assert table.sel(task="K562")["verdict"].values.tolist()[:4] == [
        *("decreases", "decreases", "negligible", "decreases")
    ]
    assert table["alternate"].values.tolist()[:2] == ["G", "A"]


def test_variants_of_one_place_share_their_reference(files):
    experiment = variants(*files, null=cg.Uniform(length=LENGTH))
    assert len(experiment.named_arms) == 11
    rows = experiment.named_contrasts
    assert rows["rs1"]["rs1 reference"] == rows["rs2"]["rs1 reference"] == -1


def test_both_alleles_carry_their_own_flanks(files, genome):
    experiment = variants(*files, null=cg.Uniform(length=LENGTH), flank=4)
    arms = {arm.name: arm.intervention for arm in experiment.named_arms}
    chr2 = genome["chr2"]
    assert (
        arms["deletion reference"].pattern.consensus
        == chr2[299:303] + "TAA" + chr2[306:310]
    )
    assert (
        arms["deletion alternate"].pattern.consensus
        == chr2[299:303] + "T" + chr2[306:312]
    )
    assert (
        arms["deletion reference"].at
        == arms["deletion alternate"].at
        == (LENGTH - 11) // 2
    )


@EXACT
def test_real_sequences_serve_as_contexts(files):
    real = cg.Genomic(
        of=decode(cg.Uniform(length=LENGTH).sample(40, rng=9)["sequence"].values)
    )
    experiment = variants(*files, null=real)
    assert experiment.n_units == 40
    assert_recovers(experiment, cg.zoo.oracle("gata1_like"))


def test_moments_have_no_single_effects(files):
    with pytest.raises(DesignError):
        cg.run(
            variants(*files, length=LENGTH),
            cg.zoo.oracle("gata1_like"),
            rng=0,
            progress=False,
            keep="moments",
        )


def test_a_file_says_both_kinds_of_context(files, tmp_path):
    text = (
        "rng = 0\n"
        "[experiment]\n"
        'kind = "{3}"\n'
        'vcf = "{0}"\n'
        'fasta = "{1}"\n'
        "{2}\n"
        "[predictor]\n"
        'zoo = "gata1_like"\n'
    )
    path = tmp_path / "trial.toml"
    path.write_text(text.format(*files, f"length = {LENGTH}", "variants"))
    assert read_spec(path).design == variants(*files, length=LENGTH)
    uniform = f'[null]\nkind = "uniform"\nlength = {LENGTH}'
    path.write_text(text.format(*files, uniform, "variants"))
    assert read_spec(path).design == variants(*files, null=cg.Uniform(length=LENGTH))


def variant_of(genome, **changed):
    return Variant(
        **{
            "chromosome": "chr1",
            "position": 303,
            "reference": "T",
            "alternate": "G",
            "name": "x",
        }
        | changed
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"reference": "A"},
        {"chromosome": "1"},
        {"position": 5},
        {"position": 5_000},
    ],
)
def test_the_genome_must_have_what_the_vcf_says(files, genome, changed):
    chosen = [variant_of(genome, **changed), *read(files)[2:]]
    with pytest.raises(SequenceError):
        variants(chosen, files[1], length=LENGTH)
    with pytest.raises(SequenceError):
        variants(chosen, files[1], null=cg.Uniform(length=LENGTH))


def test_one_variant_gives_its_number(files, genome):
    first = read(files)[:1]
    experiment = variants(first, files[1], length=LENGTH)
    assert experiment.notes  # before anything is predicted: it has no interval
    oracle = cg.zoo.oracle("gata1_like")
    answer = experiment.analyze(cg.run(experiment, oracle, rng=0, progress=False))
    reference, alternate = oracle.predict(encode(list(own_windows(genome, first[0]))))
    np.testing.assert_array_equal(answer.decisions["ace"][0], alternate - reference)
    assert (answer.decisions["verdict"] == "decreases").all()
    with pytest.raises(DesignError):
        variants(first, files[1], length=LENGTH, rope="0.2 sd")


def test_alternates_of_one_line_share_its_window(files, genome):
    base = genome["chr1"][399]
    others = [x for x in "ACGT" if x != base]
    table = pd.DataFrame({"chrom": ["chr1"], "pos": [400], "ref": [base]})
    table["alt"] = f"{others[0]},{base}{'ACGT' * 3},{others[1]}"
    windows = variants(table, files[1], length=LENGTH, rope=0).windows
    assert len(windows) == 3
    assert len(np.unique(windows.reference, axis=0)) == 1
    assert len(np.unique(windows.alternate, axis=0)) == 3


@EXACT
def test_the_motif_that_a_variant_makes_or_breaks(files, genome):
    motifs = {"GATA1": "AGATAAG", "AP1": "TGACTCA", "other": "CCCCCCCC"}
    found = {}
    for name, settings in (
        ("own", {"length": LENGTH}),
        ("turned", {"length": LENGTH, "read_out": {"position": [], "strand": []}}),
        ("contexts", {"null": cg.Uniform(length=LENGTH), "n_null": 5}),
    ):
        listed = read(files)
        if name == "turned":  # the other strand is read
            at = [x.position + 3 for x in listed]
            settings["read_out"] = {"position": at, "strand": ["-"] * len(at)}
        experiment = variants(*files, motifs=motifs, rope=(-0.1, 0.1), **settings)
        outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
        answer = experiment.analyze(outcomes, rng=0)
        found[name] = frame = cg.experiments.variant_frame(answer)
        frame = frame.drop_duplicates("variant").set_index("variant")
        assert frame["motif"].to_dict() == {
            **dict.fromkeys(["rs1", "rs2", "deletion"], "GATA1"),
            **{"rs3": "", "rs4": "AP1", "insertion": "AP1"},
        }
        lost = frame["score_alt"] - frame["score_ref"]
        assert (lost[["rs1", "rs2", "rs4", "deletion"]] < 0).all()
        assert lost["insertion"] > 0
        assert np.isnan(lost["rs3"])
    strands = [x["strand"][x["motif"] == "GATA1"].unique() for x in found.values()]
    assert [x.tolist() for x in strands] == [["+"], ["-"], ["+"]]
    assert found["own"]["score_ref"].max() == pytest.approx(
        7 * np.log2((1 + 0.0025) / 1.01 / 0.25), abs=0.01
    )


@pytest.mark.parametrize("align", ["left", "right"])
@pytest.mark.parametrize("crop", [0, 4])
def test_an_indel_leaves_the_track_of_other_bases_alone(files, genome, align, crop):
    """Of a network whose track is the letters, only changed bases differ."""
    letters = genome["chr1"]
    other = {x: next(y for y in "ACGT" if y != x) for x in "ACGT"}
    chosen = [
        Variant("chr1", 100, letters[100], other[letters[100]], "substitution"),
        Variant("chr1", 150, letters[150], letters[150] + "ACG", "insertion"),
        Variant("chr1", 200, letters[200:205], letters[200], "deletion"),
        Variant("chr1", 250, letters[250:253], other[letters[250]] + "TTTTT", "both"),
    ]
    experiment = variants(chosen, files[1], length=40, align=align, rope=0)
    track = cg.FunctionPredictor(
        lambda x: x.argmax(1)[:, crop : 40 - crop].astype(float),
        scale="letter",
        track=cg.Track(axis=1),
        fingerprint=f"crop {crop}",
    )
    outcomes = cg.run(experiment, track, rng=0, progress=False)
    found = experiment.on_reference(outcomes)["outcome"].squeeze("task")
    difference = found.sel(arm="alternate") - found.sel(arm="reference")
    lacks = np.isnan(difference).sum("position").to_numpy()
    n_end = [0, 3, 0, 3]  # bases of the window that an insertion pushes out
    assert lacks.tolist() == [0, n_end[1], 4, n_end[3]]
    differs = (difference.fillna(0) != 0).sum("position").to_numpy()
    assert differs[0] == 1
    assert differs[1] == differs[2] == 0
    assert differs[3] <= 3
    ends = experiment.on_reference(outcomes).dropna("position", subset=["outcome"])
    assert cg.contrast(ends)["ice"].sizes["position"] == 40 - 2 * crop - 3 - 4


def test_alleles_that_read_the_same_are_refused(tmp_path):
    (tmp_path / "g.fa").write_text(">c\n" + "G" * 50 + "A" * 40 + "G" * 50 + "\n")
    slip = [Variant("c", 60, "AA", "A", "slip")]
    with pytest.raises(DesignError):
        variants(slip, tmp_path / "g.fa", null=cg.Uniform(length=60), flank=5)


def test_a_rope_in_sd_needs_windows_that_differ(files):
    assert (
        variants(read(files)[:2], files[1], length=LENGTH, rope=(-0.1, 0.1)).n_units
        == 2
    )
