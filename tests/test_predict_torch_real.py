"""Published networks through the front door: loaded from their own arch.py and asked
about real sequences.
"""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from shared_folder import SHARED

import causalgia as cg
from causalgia.errors import PredictorError
from causalgia.predict import load_predictor
from causalgia.predict.answer_comparisons import check_batch_mates
from causalgia.sequences.alphabet import encode

MODELS = SHARED / "data" / "models"
pytestmark = [pytest.mark.real, pytest.mark.torch]
STARR = ("deepstarr", "deepstarr_retrained_1", "deepstarr_retrained_2")


def load(name, **options):
    folder = MODELS / name
    return load_predictor(
        f"{folder / 'arch.py'}:load",
        weights=folder / "model.safetensors",
        announce=None,
        **options,
    )


def fasta(name):
    """Return the tokens of a FASTA.gz of one-line or wrapped records, read here without
    the library's own reader.
    """
    text = gzip.decompress((SHARED / "data" / "sequences" / name).read_bytes()).decode()
    return encode(["".join(record.splitlines()[1:]) for record in text.split(">")[1:]])


def embed(tokens, word, at):
    treated = tokens.copy()
    treated[:, at : at + len(word)] = encode([word])[0]
    return treated


def effect(predictor, tokens, word, at):
    """Return the mean paired effect of writing a word, and its standard error, by
    task.
    """
    ice = (
        predictor.predict(embed(tokens, word, at)) - predictor.predict(tokens)
    ).astype(float)
    return ice.mean(0), ice.std(0, ddof=1) / np.sqrt(len(ice))


@pytest.fixture(scope="module")
def shuffles():
    return fasta("fly_249/dinucleotide_shuffled.fasta.gz")


@pytest.mark.parametrize(
    ("name", "tasks", "length"),
    [
        ("deepstarr", ("dev", "hk"), 249),
        ("deepstarr_flex", ("dev", "hk"), 249),
        ("gabpa_chip", ("gabpa_logit",), 200),
        ("explainn_tf", ("MAX", "FOXA1", "JUND"), 200),
    ],
)
def test_each_network_loads_and_passes_the_door(name, tasks, length, shuffles):
    predictor = load(name, scale="log2")
    tokens = shuffles[:80, :length]
    assert predictor.tasks == tasks
    check_batch_mates(predictor, tokens)
    answer = predictor.predict(tokens)
    assert (answer.shape, answer.dtype) == ((80, len(tasks)), np.float32)
    assert predictor.fingerprint == load(name, scale="log2").fingerprint
    np.testing.assert_allclose(
        load(name, batch_size=7).predict(tokens), answer, atol=2e-5
    )
    with pytest.raises(PredictorError):
        predictor.predict(tokens[:, :150])


def test_auto_batch_of_deepstarr_stays_below_the_cliff():
    assert 16 < load("deepstarr", device="cpu").resolve_batch_size(249) <= 128


def test_three_deepstarr_as_an_ensemble(shuffles):
    """Means and correlations are those of models/deepstarr_retrained_1/SOURCE.md, which
    used the networks alone.
    """
    ensemble = cg.Ensemble([load(name) for name in STARR], names=["P", "R1", "R2"])
    assert len({member.fingerprint for member in ensemble.members}) == 3
    answer = ensemble.predict(shuffles)
    assert answer.shape == (500, 2, 3)
    np.testing.assert_allclose(answer[:, 0].mean(0), [0.194, 0.170, 0.425], atol=6e-4)
    np.testing.assert_allclose(
        answer[:, 1].mean(0), [-0.359, -0.286, -0.244], atol=6e-4
    )
    dev, hk = (np.corrcoef(answer[:, task].T)[np.triu_indices(3, 1)] for task in (0, 1))
    np.testing.assert_allclose(dev, [0.819, 0.802, 0.799], atol=6e-4)
    np.testing.assert_allclose(hk, [0.685, 0.696, 0.707], atol=6e-4)


def test_known_effects_on_deepstarr(shuffles):
    """Effects and standard errors are those of
    models/deepstarr_retrained_1/SOURCE.md.
    """
    ace, se = effect(load("deepstarr"), shuffles, "ATGACTCAT", 100)
    np.testing.assert_allclose(ace, [1.246, 0.530], atol=6e-4)
    np.testing.assert_allclose(se, [0.023, 0.015], atol=6e-4)
    enhancers = load("deepstarr").predict(fasta("fly_249/enhancers.fasta.gz"))[:, 0]
    np.testing.assert_allclose(
        [enhancers.min(), enhancers.max()], [3.3, 7.3], atol=0.06
    )


def test_a_wrong_channel_order_answers_plausibly_and_wrongly(shuffles):
    from causalgia.predict import TorchPredictor

    right = load("deepstarr_retrained_2")
    wrong = TorchPredictor(right.module, tasks=right.tasks, alphabet="ACTG")
    assert wrong.fingerprint != right.fingerprint
    tokens = shuffles[::5]
    for word, task in (("ATGACTCAT", 0), ("TATCGATA", 1)):
        assert effect(right, tokens, word, 120)[0][task] > 1
        ace, se = effect(wrong, tokens, word, 120)
        assert abs(ace[task]) < 0.05 + 4 * se[task] < 0.5
    published, agrees, differs = (
        p.predict(tokens)[:, 0] for p in (load("deepstarr"), right, wrong)
    )
    assert np.corrcoef(published, agrees)[0, 1] > 0.6
    assert np.corrcoef(published, differs)[0, 1] < 0.4
    with pytest.raises(PredictorError):
        load("deepstarr", alphabet="ACTG")


def test_flex_agrees_with_deepstarr_on_its_own_backgrounds():
    tokens = np.load(MODELS / "deepstarr_flex" / "backgrounds.npz")["tokens"]
    flex, published = (
        load("deepstarr_flex").predict(tokens),
        load("deepstarr").predict(tokens),
    )
    assert np.corrcoef(flex[:, 0], published[:, 0])[0, 1] > 0.6
    assert np.corrcoef(flex[:, 1], published[:, 1])[0, 1] > 0.5


def test_known_effects_on_gabpa():
    """SOURCE.md: 2.86 (standard error 0.07) and -0.06 (0.04) on 100 random backgrounds
    of its own.
    """
    tokens = np.random.default_rng(1).integers(0, 4, (400, 200), dtype=np.uint8)
    for word, ace, se in (("ACCGGAAGTG", 2.86, 0.07), ("ACCAGTAGTG", -0.06, 0.04)):
        found, own = effect(load("gabpa_chip"), tokens, word, 95)
        assert abs(found[0] - ace) < 4 * np.hypot(own[0], se)


def test_units_of_explainn_are_nulled_by_name_and_add_up():
    """Their answers enter a linear layer: without a unit, its weight times its answer
    is missing, and no more.
    """
    torch = pytest.importorskip("torch")
    network = load("explainn_tf").reference()
    tokens = np.load(MODELS / "explainn_tf" / "backgrounds.npz")["tokens"][:50]
    answers = []
    hook = network.module.final.register_forward_pre_hook(
        lambda _, args: answers.append(args[0].detach().double())
    )
    intact = network.predict(tokens)
    hook.remove()
    activation = torch.cat(answers)[-len(tokens) :].numpy()
    weight = network.module.final.weight.detach().double().numpy()
    names = [f"unit {k}" for k in range(100)]
    one, other = (int(k) for k in np.argsort(-(activation.std(0) * abs(weight[1])))[:2])
    members = {"intact": network} | {
        name: cg.attribution.Nullified(
            network, "final", units, names=names, side="input"
        )
        for name, units in {
            "first": f"unit {one}",
            "second": f"unit {other}",
            "both": [f"unit {one}", f"unit {other}"],
        }.items()
    }
    for name, units in {
        "first": [one],
        "second": [other],
        "both": [one, other],
    }.items():
        lost = intact - members[name].predict(tokens)
        np.testing.assert_allclose(
            lost, activation[:, units] @ weight[:, units].T, rtol=0, atol=1e-6
        )
    arms = {"as it is": cg.Untreated(), "FOXA1": cg.Embed("TGTTTACTT", at=96)}
    design = cg.Design(null=cg.Genomic(of=tokens), arms=arms, n_units=50)
    outcomes = cg.run(design, cg.Ensemble(members, differ_by="architectures"), rng=0)
    together = cg.contrast_models(
        outcomes, models={"redundancy": "both - first - second + intact"}
    )
    np.testing.assert_allclose(together["ice"], 0, atol=1e-6)


def test_motifs_raise_their_own_factor_on_explainn():
    tokens = np.load(MODELS / "explainn_tf" / "backgrounds.npz")["tokens"]
    predictor = load("explainn_tf")
    for word, own in (("TGTTTACTT", 1), ("ATGACTCAT", 2)):
        ace, se = effect(predictor, tokens, word, 95)
        assert ace[own] > 10 * se[own]
        assert ace.argmax() == own
