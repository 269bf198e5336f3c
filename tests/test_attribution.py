"""Maps of sequences: substitutions against a loop, gradients against closed forms, baselines against their null."""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import AttributionError, OutcomesError, PredictorError

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


class Linear(torch.nn.Module):
    """Weights (4, length) for each of two tasks, and squares of the first."""

    def __init__(self, length=12, power=1):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = torch.nn.Parameter(torch.randn(2, 4, length, generator=generator, dtype=torch.float64))
        self.power = power

    def forward(self, x):
        return torch.einsum("ncl,tcl->nt", x, self.weight) ** self.power


@pytest.fixture
def drawn():
    return cg.Uniform(length=12).sample(3, rng=1)


def _weights(net):
    return net.weight.detach().numpy().transpose(2, 1, 0)  # (length, base, task)


def test_mutagenesis_is_the_loop_over_substitutions(drawn):
    predictor = cg.zoo.load("rbfox1_like")
    sample = cg.Uniform(length=41).sample(2, rng=0)
    maps = cg.attribute(sample, predictor)
    tokens = sample["sequence"].to_numpy()
    answers = predictor.predict(tokens)
    for position in range(41):
        for base in range(4):
            edited = tokens.copy()
            edited[:, position] = base
            change = predictor.predict(edited) - answers
            np.testing.assert_allclose(maps["score"][:, position, base], change, atol=2e-6)
    np.testing.assert_allclose(maps["answer"], answers, atol=1e-6)


def test_gradients_of_a_linear_network_are_its_centered_weights(drawn):
    net = Linear()
    maps = cg.attribute(drawn, cg.TorchPredictor(net, tasks=["a", "b"]), method="gradient")
    weights = _weights(net)
    expected = weights - weights.mean(1, keepdims=True)
    np.testing.assert_allclose(maps["score"], np.broadcast_to(expected, (3, *expected.shape)), atol=1e-12)


@pytest.mark.parametrize("power", [1, 2])
def test_integrated_gradients_add_up_to_the_difference(drawn, power):
    net = Linear(power=power)
    predictor = cg.TorchPredictor(net, tasks=["a", "b"])
    maps = cg.attribute(drawn, predictor, method="integrated_gradients", baselines=cg.Uniform(length=12), rng=0)
    total = cg.attribution.contributions(maps).sum("position")
    np.testing.assert_allclose(total, maps["answer"] - maps["baseline_answer"], atol=1e-9)
    if power == 1:  # f = w x: the score of a base is its weight minus the mean weight of the baselines' bases
        chance = _weights(net).mean(1, keepdims=True)
        z = (maps["score"].to_numpy() - (_weights(net) - chance)) / maps["score_se"].to_numpy()
        assert np.abs(z).max() < 5


def test_the_order_of_letters_the_layout_and_both_strands_are_those_of_the_predictor(drawn):
    net = Linear()
    for options in ({"alphabet": "TGCA"}, {"rc_average": True}, {"heads": ["a", "b"], "tasks": ["b"]}):
        predictor = cg.TorchPredictor(net, **({"tasks": ["a", "b"]} | options))
        gradient = cg.attribute(drawn, predictor, method="gradient")
        changes = cg.attribute(drawn, predictor)["score"]
        changes = changes - changes.mean("base")
        np.testing.assert_allclose(gradient["score"], changes, atol=1e-9)


def test_an_ensemble_has_a_map_for_each_member(drawn):
    members = [cg.TorchPredictor(Linear(power=k), tasks=["a", "b"], scale="y") for k in (1, 2)]
    maps = cg.attribute(drawn, cg.Ensemble(members), method="gradient")
    assert maps["score"].dims == ("unit", "position", "base", "task", "model")
    for k, member in enumerate(members):
        alone = cg.attribute(drawn, member, method="gradient")
        np.testing.assert_array_equal(maps["score"][..., k], alone["score"])


def test_baselines_are_shuffles_of_the_sequence_itself():
    from causalgia.attribution.baselines import as_null, draws_of
    from causalgia.sequences.fasta import as_sequences

    of = as_sequences(["ACGTACGATCATTT", "GGGCCGGAATTGCA"])
    draw = draws_of(as_null(None, of), of, 5, 7)
    for row in range(2):
        for shuffle in draw(np.full(5, row), np.arange(5)):
            np.testing.assert_array_equal(np.bincount(shuffle, minlength=4), np.bincount(of.tokens[row], minlength=4))
    np.testing.assert_array_equal(draw(np.array([1]), np.array([3])), draw(np.full(5, 1), np.arange(5))[3:4])


def test_the_network_is_as_it_was(drawn):
    net = torch.nn.Sequential(Linear(), torch.nn.BatchNorm1d(2).double()).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    cg.attribute(drawn, cg.TorchPredictor(net, tasks=["a", "b"]), method="integrated_gradients", n_baselines=2, rng=0)
    assert net.training
    assert all(part.training for part in net.modules())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in net.parameters())


def test_what_gives_no_map_is_refused_with_the_cure(drawn):
    counts = cg.FunctionPredictor(lambda x: x[:, 2].sum(-1), tasks=["G"])
    network = cg.TorchPredictor(Linear(), tasks=["a", "b"])
    for call, error, said in (
        (lambda: cg.attribute(drawn, counts, method="gradient"), PredictorError, "method='ism'"),
        (lambda: cg.attribute(drawn, network, method="gradients"), AttributionError, "did you mean 'gradient'"),
        (lambda: cg.attribute(drawn, network, baselines=cg.Uniform(length=12)), AttributionError, "no baselines"),
        (lambda: cg.attribute(drawn, network, method="integrated_gradients"), AttributionError, "rng=0"),
        (
            lambda: cg.attribute(drawn, network, method="integrated_gradients", baselines=cg.Uniform(length=9), rng=0),
            AttributionError,
            "that length",
        ),
        (
            lambda: cg.attribute(drawn, network, method="integrated_gradients", baselines=np.zeros(12), rng=0),
            AttributionError,
            "no null model",
        ),
        (lambda: cg.attribution.contributions(drawn), OutcomesError, "attributions"),
    ):
        with pytest.raises(error, match=said):
            call()


def test_a_network_without_gradients_is_named(drawn):
    class Counts(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.kept = torch.nn.Parameter(torch.ones(1))

        def forward(self, x):
            return x.argmax(1).float().sum(1) * self.kept.detach()

    with pytest.raises(AttributionError, match="no gradient"):
        cg.attribute(drawn, cg.TorchPredictor(Counts(), tasks=["a"]), method="gradient")
