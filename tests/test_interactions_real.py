"""Interactions of pairs of positions in networks that others trained: known pairs are
found, and their trial agrees.

The enhancer network is DeepSTARR (de Almeida et al. 2022,
doi:10.1038/s41588-022-01048-5); the network of a simulated grammar, SPI1 two to five
bases before IRF, is of the DragoNN authors (github.com/kundajelab/dragonn).
"""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

import causalgia as cg
from causalgia.sequences import decode, read_fasta

pytestmark = [pytest.mark.real, pytest.mark.torch]
GATA = "AGATAAGA"


def test_gata_sites_stand_in_for_each_other_when_close_alone(shared):
    """As in the trial of pairs: 10 bp apart they do less than their sum, 45 bp apart
    they do not.
    """
    folder = shared / "data/models/deepstarr"
    network = cg.load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        scale="log2",
        announce=None,
    )
    in_part = cg.TorchPredictor(
        network.module, tasks=["dev", "hk"], scale="log2", incremental=True
    )
    given = decode(
        read_fasta(
            shared / "data/sequences/fly_249/dinucleotide_shuffled.fasta.gz"
        ).tokens[::25]
    )
    core = range(101, 106)
    t = {}
    for apart in (10, 45):
        rows = [
            row[:100] + GATA + row[108 : 100 + apart] + GATA + row[108 + apart :]
            for row in given
        ]
        pairs = [(i, j + apart) for i in core for j in core]
        found = cg.attribution.interactions(rows, in_part, pairs=pairs, tasks="dev")
        mean = cg.estimate(found)
        t[apart] = (mean["ace"] / mean["se"]).to_numpy()
        if apart == 45:  # edits in part are full passes
            full = cg.attribution.interactions(
                rows[:1], network, pairs=pairs[:5], tasks="dev"
            )
            np.testing.assert_allclose(found["ice"][:1, :5], full["ice"], atol=2e-5)
    assert (t[10] < 0).all()
    assert np.median(t[10]) < -3
    assert np.median(t[45]) > 0


@pytest.mark.simulation
def test_the_two_motifs_of_a_simulated_grammar_are_proposed_and_hold(shared):
    folder = shared / "data/models/dragonn_simulated"
    spec = importlib.util.spec_from_file_location(
        "dragonn_networks", folder / "arch.py"
    )
    arch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
    net = arch.load(folder / "heterodimer_n12000.safetensors")
    network = cg.TorchPredictor(net, tasks=["pair"], scale="logit", incremental=True)
    motifs = json.loads((folder / "truth.json").read_text())["motifs"]
    spi1, irf = motifs["SPI1_known4"]["consensus"], motifs["IRF_known20"]["consensus"]
    tokens = np.load(folder / "backgrounds.npz")["tokens_500"]
    # a gap of 3
    rows = [
        row[:200] + spi1 + row[214:217] + irf + row[231:] for row in decode(tokens[:6])
    ]
    found = cg.attribution.interactions(rows, network, positions=range(196, 236))
    trial = cg.experiments.site_pairs(
        cg.Genomic(of=tokens[100:]),
        found,
        n_pairs=1,
        control="untreated",  # backgrounds without sites
        rope=(-0.5, 0.5),
    )
    (name,) = trial.asked
    first, second = trial.labels["arrangement"][name].replace("+", "").split(" then ")
    assert first in spi1
    assert second in irf
    assert min(len(first), len(second)) >= 8
    distance = trial.labels["gap"][name] + len(first)
    assert distance == 17 + irf.index(second) - spi1.index(first)
    answer = trial.analyze(cg.run(trial, network, rng=0))
    assert answer.decisions["lower"].sel(contrast=name).item() > 20
