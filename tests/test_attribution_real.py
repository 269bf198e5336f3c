"""Maps of networks that others trained: scores add up to the difference that they
explain, in every one of them.
"""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import pytest
from shared_folder import SHARED

import causalgia as cg
from causalgia.attribution.map_scores import as_explained, as_null, draws_of
from causalgia.sequences import read_fasta
from causalgia.streams import derive, root_key
from causalgia.trial.design_notes import auroc

pytestmark = [pytest.mark.real, pytest.mark.torch]


MODELS = SHARED / "data" / "models"


TRAINED = {
    "deepstarr": "model",
    "deepstarr_flex": "model",
    "deepstarr_retrained_1": "model",
    "deepstarr_retrained_2": "model",
    "dragonn_simulated": (
        "counting_filters20 counting_n1000 counting_n12000 counting_n2000 "
        "counting_n6000 heterodimer_filters20 heterodimer_n1000 "
        "heterodimer_n12000 heterodimer_n5000 heterodimer_n8000 "
        "localization_filters1 localization_filters20 localization_n1000 "
        "localization_n12000 localization_n4000 multi_filters20 multi_n1000 "
        "multi_n12000 multi_n3000 single_n1000 single_n12000 single_n3000 "
        "single_n6000 single_pool5"
    ),
    "explainn_tf": "model",
    "gabpa_chip": "model",
    "mpra_dragonn": "model",
    "mtsplice": "member_0 member_1 member_2 member_3",
    "openspliceai_mane_80": "member_10 member_11 member_12 member_13 member_14",
    "openspliceai_mouse_80": "member_10 member_11 member_12 member_13 member_14",
}


WEIGHTS = [
    f"{folder}/{name}.safetensors"
    for folder, names in TRAINED.items()
    for name in names.split()
]


#: of retrainings that take half a minute each by integrated gradients, one each
SLOW = (
    "mtsplice/member_[023]",
    "openspliceai_mane_80/member_1[0-3]",
    "openspliceai_mouse_80/member_1[1-4]",
)


QUICK = [one for one in WEIGHTS if not any(re.match(slow, one) for slow in SLOW)]


def predictor_of(weights):
    path = MODELS / weights
    spec = importlib.util.spec_from_file_location(
        f"arch_of_{path.parent.name}", path.parent / "arch.py"
    )
    arch = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
    network = arch.load(path)
    tasks = getattr(network, "tasks", None) or arch.TASKS
    reduce = arch.at() if hasattr(arch, "at") else None
    predictor = cg.TorchPredictor(network, tasks=tasks, reduce=reduce, device="cpu")
    return predictor, cg.Uniform(
        length=getattr(network, "length", None) or arch.LENGTH
    ).sample(1, rng=1)


def shares_missed(weights, method):
    """Return by how much scores miss, as a share of the difference, or of the
    baselines' spread if that is larger.
    """
    predictor, drawn = predictor_of(weights)
    tokens = drawn["sequence"].to_numpy()
    of = as_explained(drawn)
    baselines = draws_of(as_null(None, of), of, 3, derive(root_key(0), "baselines"))(
        np.zeros(3, int), np.arange(3)
    )
    answers = predictor.predict(np.concatenate([tokens, baselines]))[:, 0].astype(float)
    maps = cg.attribute(
        drawn,
        predictor,
        method=method,
        n_baselines=3,
        rng=0,
        tasks=predictor.tasks[0],
        progress=False,
    )
    total = cg.attribution.contributions(maps).sum("position").item()
    explained = max(abs(answers[0] - answers[1:].mean()), answers[1:].std())
    return abs(total - (answers[0] - answers[1:].mean())) / explained


@pytest.mark.simulation
@pytest.mark.parametrize("weights", WEIGHTS)
def test_deeplift_adds_up(shared, weights):
    pytest.importorskip("tangermeme")
    assert shares_missed(weights, "deeplift") < 1e-4  # answers are in float32


@pytest.mark.simulation
@pytest.mark.parametrize("weights", QUICK)
def test_integrated_gradients_add_up(shared, weights):
    assert shares_missed(weights, "integrated_gradients") < 0.0101


def test_the_enhancer_network_tells_enhancers_from_their_shuffles(shared):
    """And not from themselves: a trial on natural sequences has no such note."""
    network, _ = predictor_of("deepstarr/model.safetensors")
    fly = shared / "data" / "sequences" / "fly_249"
    enhancers = read_fasta(fly / "enhancers.fasta.gz")
    arms = {"untreated": cg.Untreated(), "AP-1": cg.Embed("TGACTCA", at=120)}
    for null, n_units in (
        (cg.DinucleotideShuffle(of=enhancers), 200),
        (cg.Genomic(of=enhancers), 10),
    ):
        outcomes = cg.run(
            cg.Design(null=null, arms=arms, n_units=n_units),
            network,
            rng=0,
            real="parents",
        )
        natural = isinstance(null, cg.Genomic)
        area = auroc(
            outcomes["outcome"].sel(arm="untreated", task="dev").values,
            network.predict(enhancers.tokens)[:, 0],
        )
        assert abs(area - 0.5) < 0.1 if natural else area >= 0.95
