"""Variants: known effects, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from catalogue_truth import assert_recovers

import causalgia as cg
from causalgia.errors import (
    DegenerateWarning,
    DesignError,
    EstimateError,
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


def _letter_track(crop: int = 0, width: int = 1) -> cg.FunctionPredictor:
    """A network whose track is the letters, or their sums in bins."""

    def letters(x: np.ndarray) -> np.ndarray:
        y = x.argmax(1)[:, crop : x.shape[2] - crop].astype(float)
        return y.reshape(len(y), -1, width).sum(2)

    return cg.FunctionPredictor(
        letters,
        scale="letter",
        track=cg.Track(axis=1, bin=width),
        fingerprint=f"letters {crop} {width}",
    )


def _indels(letters: str) -> list[Variant]:
    other = {x: next(y for y in "ACGT" if y != x) for x in "ACGT"}
    return [
        Variant("chr1", 100, letters[100], other[letters[100]], "substitution"),
        Variant("chr1", 150, letters[150], letters[150] + "ACG", "insertion"),
        Variant("chr1", 200, letters[200:205], letters[200], "deletion"),
        Variant("chr1", 250, letters[250:253], other[letters[250]] + "TTTTT", "both"),
    ]


def _differences(outcomes) -> np.ndarray:
    found = outcomes["outcome"].squeeze("task", drop=True)
    return (found.sel(arm="alternate") - found.sel(arm="reference")).to_numpy()


@pytest.mark.parametrize("align", ["left", "right"])
@pytest.mark.parametrize("crop", [0, 4])
def test_an_indel_leaves_the_track_of_other_bases_alone(files, genome, align, crop):
    """Of a network whose track is the letters, only changed bases differ, and a base
    that one variant lacks is that variant's.
    """
    chosen = _indels(genome["chr1"])
    experiment = variants(chosen, files[1], length=40, align=align, rope=0)
    outcomes = cg.run(experiment, _letter_track(crop), rng=0, progress=False)
    difference = _differences(outcomes)
    assert np.isnan(difference).sum(axis=1).tolist() == [0, 3, 4, 3]
    differs = (np.nan_to_num(difference) != 0).sum(axis=1)
    assert differs[:3].tolist() == [1, 0, 0]
    assert differs[3] <= 3
    effects = cg.contrast(outcomes)
    assert effects["n_units"].sum() == 4 * (40 - 2 * crop) - 10
    assert not np.isnan(effects["control_sd"]).any()
    with pytest.raises(EstimateError):
        cg.estimate(effects)
    whole = effects.dropna("position", subset=["ice"])
    assert (cg.estimate(whole)["n_units"] == 4).all()


@pytest.mark.parametrize("offset", [-9, 0, 3, 9])
def test_the_side_that_has_the_read_out_keeps_its_place(files, genome, offset):
    """On either strand, the middle of the window is the same base under both alleles."""
    chosen = [x for x in _indels(genome["chr1"]) if x.name != "both"] * 2
    chosen = [replace(x, name=f"{x.name} {i}") for i, x in enumerate(chosen)]
    sites = {
        "position": [x.position + offset for x in chosen],
        "strand": ["+"] * 3 + ["-"] * 3,
    }
    experiment = variants(chosen, files[1], length=40, read_out=sites, rope=0)
    assert experiment.n_units == 3  # one haplotype, listed twice
    found = []
    for rows in (slice(3), slice(3, 6)):
        some = {name: column[rows] for name, column in sites.items()}
        experiment = variants(
            chosen[rows], files[1], length=40, read_out=some, rope=(-0.1, 0.1)
        )
        outcomes = cg.run(experiment, _letter_track(), rng=0, progress=False)
        difference = _differences(outcomes)
        found.append(np.isnan(difference).sum(axis=1).tolist())
        assert (np.nan_to_num(difference) != 0).sum(axis=1).tolist() == [1, 0, 0]
    assert found == [[0, 3, 4]] * 2


def test_bins_hold_the_same_bases_or_nothing(files, genome):
    """Behind a deletion of 4 bases bins of 4 are compared again, and bins of 5 are
    not.
    """
    deletion = _indels(genome["chr1"])[2]
    experiment = variants([deletion], files[1], length=60, rope=0)
    at = experiment.windows.start[0] + 1  # the first base that is gone
    for width, whole in ((4, True), (5, False)):
        outcomes = cg.run(experiment, _letter_track(0, width), rng=0, progress=False)
        (difference,) = _differences(outcomes)
        first = at // width
        assert (difference[:first] == 0).all()
        behind = difference[first + 1 + (at % width > 0) :]
        assert (behind == 0).all() if whole else np.isnan(behind).all()
        assert np.isnan(difference[first])


def test_null_variants_are_aligned_as_the_variants_are(files, genome):
    null = cg.MatchedVariants(
        of=cg.Uniform(length=48), match=("substitution", "length"), min_nulls=19
    )
    experiment = variants(
        _indels(genome["chr1"])[:3], files[1], length=40, null=null, n_null=90
    )
    outcomes = cg.run(experiment, _letter_track(), rng=0, progress=False)
    difference = _differences(outcomes)
    lacks = np.isnan(difference).sum(axis=1)
    assert np.unique(lacks).tolist() == [0, 3, 4]
    differs = (np.nan_to_num(difference) != 0).sum(axis=1)
    assert (differs == (lacks == 0)).all()
    answer = experiment.analyze(outcomes)
    assert answer.estimates["p_matched"].sel(contrast="deletion").item() == 1


@pytest.mark.parametrize("keep", ["outcomes", "effects"])
def test_tracks_with_indels_are_kept_as_they_are(files, genome, tmp_path, keep):
    experiment = variants(_indels(genome["chr1"]), files[1], length=40, rope=0.5)
    ask = {"rng": 0, "progress": False, "keep": keep}
    held = cg.run(experiment, _letter_track(), **ask)
    stored = cg.run(experiment, _letter_track(), store=tmp_path / "t.zarr", **ask)
    again = cg.open(tmp_path / "t.zarr")
    assert stored.load().identical(again.load())
    assert again.drop_attrs().equals(held.drop_attrs())
    if keep == "outcomes":
        effects = cg.contrast(held)
        kept = cg.run(experiment, _letter_track(), **ask | {"keep": "effects"})
        for name in ("ice", "n_units", "constant", "zero", "control_sd"):
            assert effects[name].equals(kept[name]), name
    answers = [experiment.analyze(x).decisions for x in (held, again)]
    assert answers[0].equals(answers[1])
    with pytest.raises(DesignError):
        cg.run(experiment, _letter_track(), **ask | {"keep": "moments"})


def test_a_track_is_answered_where_it_changes_most(files, genome, tmp_path):
    """The largest effect outside the region, in either direction; 0 where nothing
    changes.
    """
    letters = genome["chr1"]
    at = letters.index("A", 100)
    chosen = [
        Variant("chr1", at, "A", "T", "up"),
        Variant("chr1", 200, letters[200:205], letters[200], "deletion"),
    ]

    def track(x: np.ndarray) -> np.ndarray:
        y = x.argmax(1).astype(float)
        return np.stack([y, np.roll(y, -2, axis=1) * -0.5 + y], axis=1)

    predictor = cg.FunctionPredictor(
        track, tasks=["a", "b"], track=cg.Track(origin=20), scale="letter"
    )
    for rope, change, peak in (((-0.1, 0.1), 3.0, 0), ((-1.0, 4.0), -1.5, -2)):
        experiment = variants(chosen, files[1], length=40, rope=rope)
        outcomes = cg.run(experiment, predictor, rng=0, progress=False)
        rows = experiment.analyze(outcomes).decisions
        row = rows.sel(contrast="up", task="b")
        assert (row["ace"].item(), row["peak"].item()) == (change, peak)
        assert row["verdict"].item() == ("increases" if change > 0 else "decreases")
        assert rows["ace"].sel(contrast="deletion", task="a").item() == 0
    answer = variants(chosen, files[1], length=40).analyze(outcomes)
    assert "at 0" in answer.sentences[0]
    written = cg.experiments.write_variants(answer, tmp_path / "found.vcf").read_text()
    assert "CG_a_effect=3;CG_a_peak=0;" in written


def test_changes_of_a_track_that_are_equal_but_for_rounding_have_one_rank(
    files, genome
):
    letters = genome["chr1"]
    chosen = [
        Variant("chr1", at, letters[at], "G" if letters[at] in "AT" else "A", f"v{at}")
        for at in range(100, 220, 10)
    ]

    def track(x: np.ndarray) -> np.ndarray:
        gc = 0.1 * x[:, 1:3].sum(axis=(1, 2)) + 0.37 * x[:, :, 0].argmax(1)
        rows = np.log1p(np.arange(x.shape[2]))  # answers of unlike sizes round apart
        return (gc[:, None] + rows)[:, None].astype(np.float32)

    predictor = cg.FunctionPredictor(
        track, track=cg.Track(origin=20), scale="log counts"
    )
    null = cg.MatchedVariants(of="genome", match=("length",), min_nulls=50)
    experiment = variants(chosen, files[1], length=40, null=null, n_null=200)
    outcomes = cg.run(experiment, predictor, rng=0, progress=False)
    found = experiment.analyze(outcomes).estimates
    assert np.abs(np.abs(found["ace"]) - 0.1).max() < 1e-5
    assert len(np.unique(found["p_matched"])) == 1


def test_an_indel_over_contexts_moves_no_other_base_of_the_track(files, genome):
    chosen = _indels(genome["chr1"])
    experiment = variants(
        chosen, files[1], null=cg.Uniform(length=60), n_null=20, flank=6
    )
    outcomes = cg.run(experiment, _letter_track(), rng=0, progress=False)
    effects = cg.contrast(outcomes)["ice"].squeeze("task", drop=True)
    lacks = {"substitution": 0, "insertion": 3, "deletion": 4, "both": 3}
    for name, n in lacks.items():
        one = effects.sel(contrast=name)
        assert (np.isnan(one).sum("position") == n).all()
        differs = (one.fillna(0) != 0).sum("position")
        assert (differs == {"substitution": 1, "both": differs[0]}.get(name, 0)).all()
        assert differs[0] <= 3
    again = cg.Design.from_dict(experiment.to_dict())
    assert again.fingerprint == experiment.fingerprint
    assert again.named_arms == experiment.named_arms


def test_a_deletion_of_a_saturation_moves_no_other_base_of_the_track(genome):
    sequence = genome["chr1"][:30]
    experiment = cg.experiments.saturation(sequence, span=(5, 12), deletions=3)
    outcomes = cg.run(experiment, _letter_track(), rng=0, progress=False)
    effects = cg.contrast(outcomes)["ice"].squeeze("task", drop=True)
    names = [x for x in effects["contrast"].values.tolist() if "deleted" in x]
    assert names
    for name in names:
        one = effects.sel(contrast=name).squeeze("unit")
        assert np.isnan(one).sum() == 3
        assert (one.fillna(0) == 0).all()


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
