"""A GIA trial on real trained networks: known motifs against placebos, as their
papers found them.

The networks and sequences are those of published repositories (de Almeida et al. 2022,
doi:10.1038/s41588-022-01048-5, Zenodo 10.5281/zenodo.5502060; Novakovsky et al. 2023,
doi:10.1186/s13059-023-02985-y); nothing of them is copied here.
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import DegenerateWarning

pytestmark = [pytest.mark.real, pytest.mark.torch]

MOTIFS = {"AP-1": "ATGACTCAT", "GATA": "AGATAAGA", "Dref": "TATCGATA"}
# Mean effect of a motif at 0-based start 100 on the 500 published shuffles, from the
# SOURCE.md of the data.
PUBLISHED = {
    ("AP-1", "dev"): 1.246, ("AP-1", "hk"): 0.530, ("GATA", "dev"): 0.639,
    ("GATA", "hk"): 0.149, ("Dref", "dev"): 0.112, ("Dref", "hk"): 1.378,
}  # fmt: skip


def deepstarr(shared):
    folder = shared / "data/models/deepstarr"
    return cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        tasks=["dev", "hk"],
        scale="log2 enrichment",
        announce=None,
    )


@pytest.mark.simulation
@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_known_motifs_stand_out_of_their_placebo_words_in_both_tasks(shared):
    enhancers = str(shared / "data/sequences/fly_249/enhancers.fasta.gz")
    arms = {
        "untreated": cg.Untreated(),
        **{name: cg.Embed(word, at=100) for name, word in MOTIFS.items()},
        **cg.placebos("ATGACTCAT", at=100, n_placebos=40),
    }
    design = cg.Design(
        null=cg.DinucleotideShuffle(of=enhancers), arms=arms, n_units=300
    )
    outcomes = cg.run(design, deepstarr(shared), rng=0, progress=False)
    estimates = cg.estimate(cg.contrast(outcomes, control="untreated"))
    assert estimates.attrs["cluster"] == "parent"
    placebo = estimates["ace"].sel(
        contrast=[name for name in arms if name.startswith("placebo")]
    )
    beyond = placebo.quantile(0.975, "contrast")
    for motif, task in (
        ("AP-1", "dev"),
        ("GATA", "dev"),
        ("Dref", "hk"),
        ("AP-1", "hk"),
    ):
        assert estimates["lower"].sel(contrast=motif, task=task) > beyond.sel(
            task=task
        ), (motif, task)
    assert (
        estimates["ace"].sel(contrast="Dref", task="dev") < beyond.sel(task="dev") + 0.2
    )
    assert (abs(placebo.mean("contrast")) < 0.25).all()


@pytest.mark.filterwarnings("ignore::causalgia.errors.DegenerateWarning")
def test_the_published_shuffles_give_the_effects_of_their_source(shared):
    """The numbers beside the data were computed without this library, in float64 on the
    same 500 backgrounds.
    """
    path = shared / "data/sequences/fly_249/dinucleotide_shuffled.fasta.gz"
    arms = {
        "untreated": cg.Untreated(),
        **{name: cg.Embed(word, at=100) for name, word in MOTIFS.items()},
    }
    design = cg.Design(null=cg.Genomic(of=str(path)), arms=arms, n_units=500)
    outcomes = cg.run(design, deepstarr(shared), rng=0, progress=False)
    estimates = cg.estimate(cg.contrast(outcomes, control="untreated"), cluster="none")
    for (motif, task), ace in PUBLISHED.items():
        assert float(estimates["ace"].sel(contrast=motif, task=task)) == pytest.approx(
            ace, abs=6e-4
        )
    parents = np.array(
        [name.split("_shuffle")[0] for name in outcomes["parent"].values]
    )
    clustered = outcomes.assign_coords(enhancer=("unit", parents))
    by_parent = cg.estimate(
        cg.contrast(clustered, control="untreated"), cluster="enhancer"
    )
    ratio = by_parent["se"].sel(contrast="AP-1", task="dev") / estimates["se"].sel(
        contrast="AP-1", task="dev"
    )
    assert float(ratio) == pytest.approx(0.058 / 0.023, abs=0.12)


def test_few_parents_are_warned_about(shared):
    enhancers = str(shared / "data/sequences/fly_249/enhancers.fasta.gz")
    arms = {"untreated": cg.Untreated(), "AP-1": cg.Embed("ATGACTCAT", at=100)}
    outcomes = cg.run(
        cg.Design(null=cg.Shuffle(of=enhancers), arms=arms, n_units=20),
        deepstarr(shared),
        rng=0,
        progress=False,
    )
    with pytest.warns(DegenerateWarning):
        cg.estimate(cg.contrast(outcomes, control="untreated"))


def test_motifs_on_real_sequences_move_their_own_factor(shared):
    folder = shared / "data/models/explainn_tf"
    predictor = cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        scale="logit",
        announce=None,
    )
    real = np.load(folder / "backgrounds.npz")["tokens"]
    words = {"MAX": "CCACGTGG", "FOXA1": "TGTTTAC", "JUND": "TGACTCA"}
    arms = {
        "untreated": cg.Untreated(),
        **{name: cg.Embed(word, at=96) for name, word in words.items()},
        **{f"{name} placebo": cg.Placebo(word, at=96) for name, word in words.items()},
    }
    outcomes = cg.run(
        cg.Design(null=cg.Genomic(of=real), arms=arms, n_units=400),
        predictor,
        rng=0,
        progress=False,
    )
    against = {name: {name: 1, f"{name} placebo": -1} for name in words}
    estimates = cg.estimate(cg.contrast(outcomes, contrasts=against))
    for name in words:
        own = estimates.sel(contrast=name, task=name)
        assert float(own["lower"]) > 0.2
        others = estimates["ace"].sel(contrast=name).drop_sel(task=name)
        assert float(own["ace"]) > float(others.max())
