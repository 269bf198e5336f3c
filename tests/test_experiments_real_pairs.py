"""Pairs of motifs on real trained networks: no interaction where structure allows none,
and the syntax of enhancers.

ExplaiNN adds up independent units, each of which sees one filter (Novakovsky et al.
2023, doi:10.1186/s13059-023-02985-y); the three DeepSTARR networks (de Almeida et al.
2022, doi:10.1038/s41588-022-01048-5) were trained separately on the same enhancers.
Nothing of them is copied here.
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.experiments import pair as pair_of
from causalgia.sequences import read_fasta

pytestmark = [
    pytest.mark.real,
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning"),
]

SITES = {"MAX": "CCACGTGG", "FOXA1": "TGTTTACTT", "JUND": "ATGACTCAT"}
FAR = (31, 61, 91)  # more than a filter of 19 bp and its pooling of 7 apart
ROPE = 0.15  # log odds; the effects of single sites are 2.7 to 4
NETWORKS = {
    "P": "deepstarr",
    "R1": "deepstarr_retrained_1",
    "R2": "deepstarr_retrained_2",
}
AP1, GATA, DREF = "ATGACTCAT", "AGATAAGA", "TATCGATA"


def load(shared, name, scale):
    folder = shared / "data/models" / name
    return cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        scale=scale,
        announce=None,
    )


def sites_together(null, first, second, **settings):
    """Two sites downstream of each other, both on the plus strand."""
    chosen = {"orientations": ["++"], "orders": ["downstream"]} | settings
    return pair_of(null, first, second, **chosen)


# --- a sum over independent units -----------------------------------------------------


@pytest.fixture(scope="module")
def explainn(shared):
    tokens = np.load(shared / "data/models/explainn_tf/backgrounds.npz")["tokens"]
    network = load(shared, "explainn_tf", "logit")

    def ask(first, second, gaps=FAR):
        pair = sites_together(
            cg.Genomic(of=tokens),
            first,
            second,
            gaps=gaps,
            at=40,
            n_units=400,
            rope=(-ROPE, ROPE),
        )
        return pair, cg.run(pair, network, rng=0, progress=False)

    return ask


@pytest.mark.parametrize(
    ("one", "other"), [("FOXA1", "JUND"), ("MAX", "FOXA1"), ("MAX", "JUND")]
)
def test_different_distant_motifs_do_not_interact_in_a_sum_over_units(
    explainn, one, other
):
    pair, outcomes = explainn(SITES[one], SITES[other])
    answer = pair.analyze(outcomes, rng=0)
    interactions = answer.decisions["verdict"].sel(
        contrast=answer.decisions["asks"] == "interaction"
    )
    assert interactions.shape == (3, 3)  # gaps, tasks
    assert (interactions == "negligible").all()
    # real sequences: an absent site is a placebo in its place
    for site, asks in ((one, "first"), (other, "second")):
        alone = answer.decisions["ace"].sel(
            contrast=answer.decisions["asks"] == asks, task=site
        )
        assert alone.size == len(FAR)
        assert (alone > 2).all()


@pytest.mark.parametrize("one", ["MAX", "FOXA1", "JUND"])
def test_the_same_site_again_saturates_its_unit(explainn, one):
    pair, outcomes = explainn(SITES[one], SITES[one])
    answer = pair.analyze(outcomes, rng=0)
    own = answer.decisions.sel(
        task=one, contrast=answer.decisions["asks"] == "interaction"
    )
    assert (own["verdict"] == "decreases").all()
    assert float(own["upper"].max()) < -0.5  # log odds, beyond the region several times
    # saturating, and not repelling: both sites together do more than either
    rows = answer.decisions.sel(task=one)
    both, *alone = (
        rows["ace"].sel(contrast=rows["asks"] == asks).to_numpy()
        for asks in ("pair", "first", "second")
    )
    assert len(both) == len(FAR)
    for single in alone:
        assert (both > single).all()


# --- pair syntax of enhancers ---------------------------------------------------------


@pytest.fixture(scope="module")
def deepstarr(shared):
    given = read_fasta(shared / "data/sequences/fly_249/dinucleotide_shuffled.fasta.gz")
    null = cg.Genomic(
        of=given, parent=[str(name).split("_shuffle")[0] for name in given.names]
    )
    networks = cg.Ensemble(
        [load(shared, name, "log2") for name in NETWORKS.values()], names=list(NETWORKS)
    )

    def ask(first, second, gaps, at=80, **settings):
        pair = sites_together(
            null,
            first,
            second,
            gaps=gaps,
            at=at,
            n_units=120,
            control="untreated",  # shuffles have no sites to overwrite
            rope=(-0.1, 0.1),
            **settings,
        )
        effects = cg.contrast(cg.run(pair, networks, rng=0, progress=False))
        return cg.estimate(effects), cg.estimate(
            effects, target="population x predictors"
        )

    return ask


def cells(table, arrangement, task, gaps):
    """Return the interactions at these gaps, in their order."""
    rows = [f"interaction, {arrangement}, gap {gap}" for gap in gaps]
    return table.sel(task=task, contrast=rows)


def test_gata_sites_are_in_each_others_way_when_close_and_not_when_apart(deepstarr):
    two = f"{GATA}+ then {GATA}+"
    each, over = deepstarr(GATA, GATA, [2, 37])
    near, apart = (
        cells(each, two, "dev", [gap]).squeeze("contrast") for gap in (2, 37)
    )
    assert (near["upper"] < -0.2).all()  # in every network
    assert (apart["ace"] > -0.02).all()
    assert float(cells(over, two, "dev", [2])["upper"].squeeze()) < 0
    assert ((apart["ace"] - near["ace"]) > 0.3).all()


def test_dref_sites_help_each_other_most_when_close(deepstarr):
    two = f"{DREF}+ then {DREF}+"
    each, over = deepstarr(DREF, DREF, [6, 37, 92])
    for task in ("dev", "hk"):
        curve = cells(each, two, task, [6, 37, 92])["ace"]
        # less and less with the gap, in every network
        assert (curve.diff("contrast") < 0).all()
        assert (cells(each, two, task, [6])["lower"] > 0.5).all()
        assert float(cells(over, two, task, [6])["lower"].squeeze()) > 0.5


def test_what_depends_on_the_network_is_seen_to(deepstarr):
    """AP-1 downstream of GATA: networks differ by more than each says of its own error,
    and no claim is made.
    """
    two = f"{GATA}+ then {AP1}+"
    each, over = deepstarr(AP1, GATA, [7], at=120, orders=["upstream"])
    row = cells(each, two, "dev", [7]).squeeze("contrast")
    assert float(row["lower"].sel(model="P")) > 0
    assert float(row["upper"].sel(model="R1")) < 0.05
    assert float(row["ace"].std("model", ddof=1)) > 2 * float(row["se"].max())
    both = cells(over, two, "dev", [7]).squeeze()
    assert float(both["lower"]) < 0 < float(both["upper"])
