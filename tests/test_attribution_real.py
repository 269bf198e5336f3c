"""Maps of networks that others trained: scores add up to the difference that they
explain, in every one of them.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import causalgia as cg
from causalgia.attribution.map_scores import as_explained, as_null, draws_of
from causalgia.sequences import read_fasta
from causalgia.streams import derive, root_key
from causalgia.trial.design_notes import auroc

pytestmark = [pytest.mark.real, pytest.mark.torch, pytest.mark.long]
MODELS = Path(__file__).resolve().parents[2] / "shared" / "data" / "models"
WEIGHTS = sorted(
    str(path.relative_to(MODELS)) for path in MODELS.glob("*/*.safetensors")
)
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


@pytest.mark.rotating
@pytest.mark.parametrize("weights", WEIGHTS)
def test_deeplift_adds_up(shared, weights):
    pytest.importorskip("tangermeme")
    assert shares_missed(weights, "deeplift") < 1e-4  # answers are in float32


@pytest.mark.rotating
@pytest.mark.parametrize("weights", QUICK)
def test_integrated_gradients_add_up(shared, weights):
    assert shares_missed(weights, "integrated_gradients") < 0.0101


def test_every_network_is_there(shared):
    assert len(WEIGHTS) == 45
    assert {one.split("/")[0] for one in QUICK} == {
        path.name for path in MODELS.iterdir() if path.is_dir()
    }


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
        notes, natural = outcomes.attrs.get("notes", ""), isinstance(null, cg.Genomic)
        assert ("10 real sequences hardly overlap" in notes) != natural
        area = auroc(
            outcomes["outcome"].sel(arm="untreated", task="dev").values,
            network.predict(enhancers.tokens)[:, 0],
        )
        assert abs(area - 0.5) < 0.1 if natural else area >= 0.95
