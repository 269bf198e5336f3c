"""Occlusion and knock-in on real trained networks: what their papers and the tables
beside the data say.

The networks and sequences are those of published repositories (de Almeida et al. 2022,
doi:10.1038/s41588-022-01048-5; Novakovsky et al. 2023, doi:10.1186/s13059-023-02985-y;
Seitz et al. 2024, doi:10.1038/s42256-024-00851-5); nothing of them is copied here.
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.experiments import copies, knock_in, necessity
from causalgia.sequences import read_fasta

pytestmark = [
    pytest.mark.real,
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning"),
]

AP1, GATA, DREF = "ATGACTCAT", "AGATAAGA", "TATCGATA"
NETWORKS = {
    "P": "deepstarr",
    "R1": "deepstarr_retrained_1",
    "R2": "deepstarr_retrained_2",
}
# Mean effect at 0-based start 100 on the 500 published shuffles, paired standard error,
# and (in brackets there) the standard error over the ten enhancers that they are
# shuffles of: deepstarr_retrained_1/SOURCE.md, network P.
TABLE = {
    (AP1, "dev"): (1.246, 0.058), (AP1, "hk"): (0.530, 0.038), (GATA, "dev"): (0.639, 0.045),
    (GATA, "hk"): (0.149, 0.020), (DREF, "dev"): (0.112, 0.072), (DREF, "hk"): (1.378, 0.104),
}  # fmt: skip
# The same of all three networks, dev: mean effect and paired standard error of each,
# and the sd between them.
AP1_DEV = {"P": (1.246, 0.023), "R1": (1.103, 0.023), "R2": (1.364, 0.024)}
AP1_SD = {"dev": 0.130, "hk": 0.065}


def load(shared, name, scale="log2 enrichment"):
    folder = shared / "data/models" / name
    return cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        scale=scale,
        announce=None,
    )


@pytest.fixture(scope="module")
def shuffles(shared):
    """The 500 shuffles, each with the enhancer that it is a shuffle of as its
    parent.
    """
    given = read_fasta(shared / "data/sequences/fly_249/dinucleotide_shuffled.fasta.gz")
    return cg.Genomic(
        of=given, parent=[str(name).split("_shuffle")[0] for name in given.names]
    )


def test_knock_in_gives_the_table_beside_the_data(shared, shuffles):
    network = load(shared, "deepstarr")
    for word, motif in ((AP1, "AP-1"), (GATA, "GATA"), (DREF, "Dref")):
        experiment = knock_in(shuffles, motif=word, at=100)
        outcomes = cg.run(experiment, network, rng=0, progress=False)
        estimates = cg.estimate(cg.contrast(outcomes))
        assert (estimates["n_clusters"] == 10).all()
        for task in ("dev", "hk"):
            found = estimates.sel(contrast="motif", task=task)
            ace, se = TABLE[word, task]
            assert float(found["ace"]) == pytest.approx(ace, abs=6e-4), (motif, task)
            assert float(found["se"]) == pytest.approx(se, abs=6e-4), (motif, task)
        own = "hk" if word == DREF else "dev"
        claim = estimates.sel(contrast="motif minus placebo", task=own)
        assert float(claim["lower"]) > 0.5
        assert (abs(estimates["ace"].sel(contrast="placebo")) < 0.1).all()
        if word == DREF:
            answer = experiment.analyze(outcomes, rng=0)
            assert (
                answer.decisions["verdict"]
                .sel(contrast="motif minus placebo", task="hk")
                .item()
                == "increases"
            )


def test_overwriting_its_motifs_lowers_an_enhancer(shared):
    enhancers = shared / "data/sequences/fly_249/enhancers.fasta.gz"
    network = load(shared, "deepstarr")
    fills = ("uniform", "shuffle")
    for word, n, expected in (("TGASTCA", 3, 0.45), ("GATAA", 14, 0.25)):
        experiment = necessity(
            str(enhancers), motif=word, fills=fills, n_draws=5, rope=(-0.1, 0.1)
        )
        answer = experiment.analyze(
            cg.run(experiment, network, rng=0, progress=False), rng=0
        )
        assert answer.findings["instances"].sizes["instance"] == n
        for fill in fills:
            dev = answer.estimates.sel(task="dev")
            assert float(dev["ace"].sel(contrast=fill)) < -expected
            if word == "GATAA":
                assert float(dev["upper"].sel(contrast=fill)) < 0
        each = answer.findings["instances"]["effect"].sel(
            contrast="uniform", task="dev"
        )
        assert float((each < 0).mean()) > 0.8


def test_three_networks_the_effect_over_predictors_beside_the_effect_on_each(
    shared, shuffles
):
    ensemble = cg.Ensemble(
        [load(shared, name) for name in NETWORKS.values()], names=list(NETWORKS)
    )
    arms = {"untreated": cg.Untreated(), "motif": cg.Embed(AP1, at=100)}
    design = cg.Design(null=shuffles, arms=arms, n_units=500, contrasts="untreated")
    effects = cg.contrast(cg.run(design, ensemble, rng=0, progress=False))
    each = cg.estimate(effects, cluster="none").squeeze("contrast")
    for model, (ace, se) in AP1_DEV.items():
        own = each.sel(model=model, task="dev")
        assert float(own["ace"]) == pytest.approx(ace, abs=6e-4)
        assert float(own["se"]) == pytest.approx(se, abs=6e-4)
    over = cg.estimate(
        effects, target="population x predictors", cluster="none"
    ).squeeze("contrast")
    np.testing.assert_allclose(over["ace"], each["ace"].mean("model"), rtol=1e-9)
    between = each["ace"].std("model", ddof=1)
    for task, sd in AP1_SD.items():
        assert float(between.sel(task=task)) == pytest.approx(sd, abs=1e-3)
        # training differs more than backgrounds do
        assert (between > 3.5 * each["se"]).sel(task=task).all()
        assert (over["se"] > 2 * each["se"]).sel(task=task).all()
        assert float(over["df"].sel(task=task)) < 4
    floor = cg.planning.power(effects, n_units=10**9)["se"].sel(task="dev")
    sd = float(floor.squeeze()) * len(NETWORKS) ** 0.5
    assert sd == pytest.approx(AP1_SD["dev"], abs=5e-3)


def test_a_sum_of_independent_units_has_no_interaction_of_distant_motifs_and_saturates_with_repeats(
    shared,
):
    network = load(shared, "explainn_tf", "logit")
    null = cg.Genomic(
        of=np.load(shared / "data/models/explainn_tf/backgrounds.npz")["tokens"]
    )
    pair = cg.factorial(
        {"FOXA1": cg.Embed("TGTTTACTT", at=40), "JUND": cg.Embed(AP1, at=140)}
    )
    outcomes = cg.run(
        cg.Design(null=null, arms=pair, n_units=300), network, rng=0, progress=False
    )
    ask = cg.Analysis(interaction=["FOXA1", "JUND"], rope=(-0.1, 0.1), error="fdr")
    decided = cg.analyze(outcomes, ask)
    assert (decided["verdict"] == "negligible").all()
    alone = cg.estimate(cg.contrast(outcomes, control="untreated"))["ace"]
    assert alone.sel(contrast="FOXA1", task="FOXA1") > 3
    assert alone.sel(contrast="JUND", task="JUND") > 3
    for word, own in (("TGTTTACTT", "FOXA1"), (AP1, "JUND"), ("CCACGTGG", "MAX")):
        repeated = copies(null, motif=word, at=(40, 95, 150), n_units=150)
        estimates = cg.estimate(
            cg.contrast(cg.run(repeated, network, rng=0, progress=False))
        ).sel(task=own)
        added = estimates.sel(contrast=["copy 1 added", "copy 2 added", "copy 3 added"])
        assert (added["upper"][1:] < float(added["lower"][0]) - 0.3).all()
        assert float(estimates["upper"].sel(contrast="excess over single sites")) < -2
        assert (
            np.diff(estimates["ace"].sel(contrast=["1 copy", "2 copies", "3 copies"]))
            > 0.5
        ).all()


def test_a_site_of_gabpa_works_and_its_broken_core_does_not(shared):
    """SOURCE.md: 2.86 (standard error 0.07) and, with the core broken, -0.06 (0.04) on
    100 backgrounds of its own.
    """
    backgrounds = np.random.default_rng(1).integers(0, 4, (400, 200), dtype=np.uint8)
    experiment = knock_in(backgrounds, motif="ACCGGAAGTG", at=95, placebo="ACCAGTAGTG")
    outcomes = cg.run(
        experiment, load(shared, "gabpa_chip", "logit"), rng=0, progress=False
    )
    answer = experiment.analyze(outcomes, rng=0)
    estimates = answer.estimates.squeeze("task")
    for contrast, ace, se in (("motif", 2.86, 0.07), ("placebo", -0.06, 0.04)):
        own = estimates.sel(contrast=contrast)
        assert abs(float(own["ace"]) - ace) < 4 * np.hypot(float(own["se"]), se)
    assert (
        answer.decisions["verdict"].sel(contrast="motif minus placebo").item()
        == "increases"
    )


@pytest.mark.simulation
def test_the_units_of_explainn_that_are_named_after_fox_carry_its_site(shared):
    """Nine of a hundred filters of ExplaiNN carry the effect of FOX."""
    network = load(shared, "explainn_tf", "logit")
    sequences = np.load(shared / "data/models/explainn_tf/backgrounds.npz")["tokens"]
    named = cg.attribution.match(
        cg.attribution.filters(network, "scan_bn", sequences, activation=np.exp),
        "JASPAR",
    )
    near = zip(named["nearest"].values, named["nearest_q"].values, strict=True)
    names = ["FOX" if "FOX" in name.upper() and q <= 0.1 else "" for name, q in near]
    assert names.count("FOX") == 9
    without = {
        "FOX": cg.attribution.Nullified(
            network, "final", "FOX", names=names, side="input"
        )
    }
    without |= {
        str(unit): cg.attribution.Nullified(network, "final", unit, side="input")
        for unit in (12, 78, 51)
    }
    design = cg.Design(
        null=cg.DinucleotideShuffle(of=sequences),
        arms={"untreated": cg.Untreated(), "site": cg.Embed("TGTTTACTT", at=95)},
        n_units=400,
    )
    outcomes = cg.run(
        design,
        cg.Ensemble({"intact": network} | without, differ_by="architectures"),
        rng=0,
        progress=False,
    )
    whole = (
        cg.estimate(cg.contrast(outcomes, control="untreated"))["ace"]
        .sel(task="FOXA1", model="intact")
        .item()
    )
    lost = cg.contrast_models(
        outcomes, contrasts={"site": "site - untreated"}, control="intact"
    )
    found = cg.estimate(lost)["ace"].sel(task="FOXA1").values
    np.testing.assert_allclose(
        [whole, *-found], [3.50, 3.49, 1.32, 1.05, 0.90], atol=0.006
    )
