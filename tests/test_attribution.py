# Imports from the inside: kernels of maps, each proved against a loop over positions.
"""Maps of sequences: substitutions against a loop, gradients against closed forms,
baselines against their null.
"""

from __future__ import annotations

import tracemalloc
import warnings

import numpy as np
import pytest
from test_map_averages import starting_at

import causalgia as cg
from causalgia.errors import (
    DegenerateWarning,
    PredictorError,
)

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch


class Linear(torch.nn.Module):
    """Weights (4, length) for each of two tasks, and squares of the first."""

    def __init__(self, length=12, power=1):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.weight = torch.nn.Parameter(
            torch.randn(2, 4, length, generator=generator, dtype=torch.float64)
        )
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
            np.testing.assert_allclose(
                maps["score"][:, position, base], change, atol=2e-6
            )
    np.testing.assert_allclose(maps["answer"], answers, atol=1e-6)


def test_gradients_of_a_linear_network_are_its_centered_weights(drawn):
    net = Linear()
    maps = cg.attribute(
        drawn, cg.TorchPredictor(net, tasks=["a", "b"]), method="gradient"
    )
    weights = _weights(net)
    expected = weights - weights.mean(1, keepdims=True)
    np.testing.assert_allclose(
        maps["score"], np.broadcast_to(expected, (3, *expected.shape)), atol=1e-12
    )


@pytest.mark.parametrize("power", [1, 2])
def test_integrated_gradients_add_up_to_the_difference(drawn, power):
    net = Linear(power=power)
    predictor = cg.TorchPredictor(net, tasks=["a", "b"])
    maps = cg.attribute(
        drawn,
        predictor,
        method="integrated_gradients",
        baselines=cg.Uniform(length=12),
        rng=0,
    )
    total = cg.attribution.contributions(maps).sum("position")
    np.testing.assert_allclose(
        total, maps["answer"] - maps["baseline_answer"], atol=1e-9
    )
    if (
        power == 1
    ):  # f = w x: the score of a base is its weight minus the mean weight of the baselines' bases
        chance = _weights(net).mean(1, keepdims=True)
        z = (maps["score"].to_numpy() - (_weights(net) - chance)) / maps[
            "score_se"
        ].to_numpy()
        assert np.abs(z).max() < 5


def test_the_order_of_letters_the_layout_and_both_strands_are_those_of_the_predictor(
    drawn,
):
    net = Linear()
    for options in (
        {"alphabet": "TGCA"},
        {"rc_average": True},
        {"heads": ["a", "b"], "tasks": ["b"]},
    ):
        predictor = cg.TorchPredictor(net, **({"tasks": ["a", "b"]} | options))
        gradient = cg.attribute(drawn, predictor, method="gradient")
        changes = cg.attribute(drawn, predictor)["score"]
        changes = changes - changes.mean("base")
        np.testing.assert_allclose(gradient["score"], changes, atol=1e-9)


def test_an_ensemble_has_a_map_for_each_member(drawn):
    members = [
        cg.TorchPredictor(Linear(power=k), tasks=["a", "b"], scale="y") for k in (1, 2)
    ]
    maps = cg.attribute(drawn, cg.Ensemble(members), method="gradient")
    assert maps["score"].dims == ("unit", "position", "base", "task", "model")
    for k, member in enumerate(members):
        alone = cg.attribute(drawn, member, method="gradient")
        np.testing.assert_array_equal(maps["score"][..., k], alone["score"])


def test_baselines_are_shuffles_of_the_sequence_itself():
    from causalgia.attribution.map_scores import as_null, draws_of
    from causalgia.sequences.fasta import as_sequences

    of = as_sequences(["ACGTACGATCATTT", "GGGCCGGAATTGCA"])
    draw = draws_of(as_null(None, of), of, 5, 7)
    for row in range(2):
        for shuffle in draw(np.full(5, row), np.arange(5)):
            np.testing.assert_array_equal(
                np.bincount(shuffle, minlength=4),
                np.bincount(of.tokens[row], minlength=4),
            )
    np.testing.assert_array_equal(
        draw(np.array([1]), np.array([3])), draw(np.full(5, 1), np.arange(5))[3:4]
    )


def test_the_network_is_as_it_was(drawn):
    net = torch.nn.Sequential(Linear(), torch.nn.BatchNorm1d(2).double()).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    cg.attribute(
        drawn,
        cg.TorchPredictor(net, tasks=["a", "b"]),
        method="integrated_gradients",
        n_baselines=2,
        rng=0,
    )
    assert net.training
    assert all(part.training for part in net.modules())
    assert all(
        torch.equal(before[name], value) for name, value in net.state_dict().items()
    )
    assert all(
        parameter.grad is None and parameter.requires_grad
        for parameter in net.parameters()
    )


def test_a_network_without_gradients_is_named(drawn):
    class Counts(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.kept = torch.nn.Parameter(torch.ones(1))

        def forward(self, x):
            return x.argmax(1).float().sum(1) * self.kept.detach()

    with pytest.raises(PredictorError):
        cg.attribute(drawn, cg.TorchPredictor(Counts(), tasks=["a"]), method="gradient")


@pytest.mark.parametrize(
    "method", ["gradient", "integrated_gradients", "expected_gradients", "deeplift"]
)
def test_a_slope_that_is_not_finite_is_named(drawn, method):
    class Roots(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = Linear()

        def forward(self, x):
            return self.linear(x) + x[:, 0].sqrt().sum(-1, keepdim=True)

    if method == "deeplift":
        pytest.importorskip("tangermeme")
    options = {} if method == "gradient" else {"rng": 0, "n_baselines": 4}
    predictor = cg.TorchPredictor(Roots(), tasks=["a", "b"])
    with pytest.raises(
        PredictorError,
    ):
        cg.attribute(drawn, predictor, method=method, **options)
    assert np.isfinite(cg.attribute(drawn, predictor)["score"]).all()


class Awkward(torch.nn.Module):
    """What autograd, or a copy in float64, refuses; and letters that are looked up."""

    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(1)
        self.kind, self.first, self.second = (
            kind,
            torch.nn.Conv1d(4, 8, 3, padding=1),
            torch.nn.Conv1d(8, 8, 1),
        )
        self.letters, self.last = torch.nn.Embedding(4, 8), torch.nn.Linear(8, 2)

    def forward(self, x):
        if self.kind == "looked up":
            h = self.letters(x.argmax(1)).transpose(1, 2).relu()
        elif self.kind == "changed in place":
            h = self.first(x).relu()
            k = self.second(h).relu()
            h += k
        elif self.kind == "in place after a pool":
            h = torch.nn.functional.max_pool1d(self.first(x), 2)
            h += 1
        else:
            h = torch.eye(8) @ self.first(x).relu()
        return self.last((h * torch.linspace(0, 1, h.shape[-1])).sum(-1))


@pytest.mark.parametrize(
    ("kind", "methods"),
    [
        (
            "looked up",
            ("gradient", "integrated_gradients", "expected_gradients", "deeplift"),
        ),
        ("changed in place", ("gradient", "integrated_gradients", "deeplift")),
        ("in place after a pool", ("deeplift",)),
        ("float32 of its own", ("deeplift",)),
    ],
)
def test_what_cannot_be_differentiated_is_refused_with_the_cure(drawn, kind, methods):
    predictor = cg.TorchPredictor(Awkward(kind), tasks=["a", "b"])
    for method in methods:
        if method == "deeplift":
            pytest.importorskip("tangermeme")
        rng = {} if method == "gradient" else {"rng": 0, "n_baselines": 4}
        with pytest.raises(PredictorError):
            cg.attribute(drawn, predictor, method=method, **rng)
    cg.attribute(drawn, predictor, method="ism")


@pytest.mark.parametrize(
    "forward",
    [
        lambda h: h * (h > 0),
        lambda h: torch.nn.functional.layer_norm(h, h.shape[1:]).relu(),
        lambda h: torch.nn.functional.max_pool1d(h, 3, return_indices=True)[0],
        lambda h: torch.fft.rfft(h).abs(),
        lambda h: h.kthvalue(2, keepdim=True).values,
        lambda h: torch.linalg.vector_norm(h, dim=-1, keepdim=True),
        lambda h: torch.einsum("ncl,ncl->ncl", h, h),
    ],
)
def test_functions_without_a_rule_are_named(drawn, forward):
    pytest.importorskip("tangermeme")

    class Own(Awkward):
        def forward(self, x):
            return self.last(forward(self.first(x)).mean(-1))

    with pytest.raises(PredictorError):
        cg.attribute(
            drawn,
            cg.TorchPredictor(Own(""), tasks=["a", "b"]),
            method="deeplift",
            n_baselines=4,
            rng=0,
        )


class Functional(torch.nn.Module):
    """Activations as functions, in place, by methods, through one module used twice;
    products and poolings.
    """

    def __init__(self, kind):
        super().__init__()
        torch.manual_seed(1)
        self.kind = kind
        self.first = torch.nn.Conv1d(4, 8, 3, padding=1)
        self.second = torch.nn.Conv1d(8, 8, 3, padding=1)
        self.act = torch.nn.ReLU(inplace=True)
        self.norm = torch.nn.LayerNorm(8)
        self.last = torch.nn.Linear(8, 2)

    def forward(self, x):
        if x.shape[1] != 4:
            raise ValueError("four channels")
        h = self.first(x)
        if self.kind == "methods":
            h = self.second(h.relu()).exp().clamp(max=3).sqrt()
        elif self.kind == "in place":
            h = self.second(torch.nn.functional.relu(h, inplace=True))
            h.sigmoid_()
        elif self.kind == "one module twice":
            h = self.act(self.second(self.act(h)))
        elif self.kind == "pooling":
            h = torch.nn.functional.max_pool1d(
                self.second(torch.nn.functional.gelu(h)), 3, stride=2
            )
        elif self.kind == "gate":
            h = torch.tanh(h) * torch.sigmoid(self.second(h)) / (1 + h.abs())
        elif self.kind == "attention":
            h = self.norm(h.transpose(1, 2))
            weights = (h @ h.transpose(1, 2) / 8**0.5).softmax(-1)
            h = (weights @ h).transpose(1, 2)
        elif self.kind == "gated unit":
            h = torch.nn.functional.glu(torch.cat([h, self.second(h)], 1), 1)
        elif self.kind == "threshold":
            h = torch.nn.functional.threshold(
                torch.relu(input=self.second(h)), 0.05, 0.0
            )
        elif self.kind == "softmin":
            h = torch.nn.functional.softmin(self.second(h) * 3, 1)
        elif self.kind == "max":
            h = self.second(h).max(-1, keepdim=True).values
        return self.last(h.mean(-1))


KINDS = ("methods", "in place", "one module twice", "pooling", "gate", "attention")
KINDS += ("gated unit", "threshold", "softmin")


@pytest.mark.parametrize("kind", KINDS)
def test_deeplift_adds_up_whatever_way_the_activations_are_written(kind):
    pytest.importorskip("tangermeme")
    sequences = cg.Uniform(length=12).sample(3, rng=1)
    predictor = cg.TorchPredictor(
        Functional(kind), tasks=["a", "b"], reduce=lambda y: (y - y.mean(1, True)).exp()
    )
    maps = cg.attribute(sequences, predictor, method="deeplift", n_baselines=7, rng=0)
    total = cg.attribution.contributions(maps).sum("position")
    np.testing.assert_allclose(
        total, maps["answer"] - maps["baseline_answer"], atol=1e-9
    )
    np.testing.assert_allclose(
        maps["answer"], predictor.predict(sequences["sequence"].to_numpy()), atol=1e-5
    )


def test_deeplift_of_a_linear_network_is_its_weights_against_the_baselines(drawn):
    net = Linear()
    maps = cg.attribute(
        drawn, cg.TorchPredictor(net, tasks=["a", "b"]), method="deeplift", rng=0
    )
    paths = cg.attribute(
        drawn,
        cg.TorchPredictor(net, tasks=["a", "b"]),
        method="integrated_gradients",
        rng=0,
    )
    np.testing.assert_allclose(maps["score"], paths["score"], atol=1e-9)


def test_an_operation_without_a_rule_is_named():
    sequences = cg.Uniform(length=12).sample(2, rng=1)
    predictor = cg.TorchPredictor(Functional("max"), tasks=["a", "b"])
    with pytest.raises(
        PredictorError,
    ):
        cg.attribute(sequences, predictor, method="deeplift", n_baselines=4, rng=0)


@pytest.mark.parametrize("network", ["residual", "exponential"])
def test_deeplift_adds_up_on_the_networks_of_the_zoo(network):
    sequences = cg.Uniform(length=41).sample(2, rng=1)
    maps = cg.attribute(
        sequences,
        cg.zoo.load("vts1_like", architecture=network),
        method="deeplift",
        n_baselines=5,
        rng=0,
    )
    assert np.abs(maps["completeness"]).max() < 1e-9


def _game(values):
    """Return a predictor of three positions whose answer is a number for each set of
    A's.
    """
    table = np.asarray(values, float)
    return cg.FunctionPredictor(
        lambda x: table[(x[:, 0] @ np.array([1, 2, 4])).astype(int)],
        tasks=["v"],
        fingerprint="game",
    )


def test_shapley_values_are_those_of_all_orders():
    from itertools import permutations

    from causalgia.attribution.map_scores import shapley

    values = [0.0, 1.0, 2.0, 5.0, 0.5, 1.0, 4.0, 9.0]
    tokens, baseline = np.zeros(3, np.uint8), np.ones(3, np.uint8)
    draws = np.repeat(baseline[None], 6_000, 0)
    scores, answer, baselines = shapley(
        _game(values), tokens, draws, key=3, progress=lambda _: None
    )
    exact = np.zeros(3)
    for order in permutations(range(3)):
        held = 0
        for position in order:
            exact[position] += (values[held | 1 << position] - values[held]) / 6
            held |= 1 << position
    z = (scores[..., 0].mean(0) - exact) / (scores[..., 0].std(0) / np.sqrt(len(draws)))
    assert np.abs(z).max() < 4.5
    np.testing.assert_allclose(scores.sum(1), answer - baselines)


def test_occlusion_is_the_mean_over_the_windows_that_cover_a_position():
    from causalgia.attribution.map_scores import occlusion

    rng = np.random.default_rng(0)
    weights = rng.normal(size=(9, 4))
    predictor = cg.FunctionPredictor(
        lambda x: np.einsum("ncl,lc->n", x, weights) ** 2,
        tasks=["y"],
        fingerprint="square",
    )
    tokens, draws = (
        rng.integers(0, 4, 9).astype(np.uint8),
        rng.integers(0, 4, (3, 9)).astype(np.uint8),
    )
    scores, answer, _ = occlusion(
        predictor, tokens, draws, width=4, progress=lambda _: None
    )
    for row, baseline in enumerate(draws):
        for position in range(9):
            losses = []
            for start in range(6):
                if start <= position < start + 4:
                    edited = tokens.copy()
                    edited[start : start + 4] = baseline[start : start + 4]
                    losses.append(answer - predictor.predict(edited[None])[0])
            np.testing.assert_allclose(
                scores[row, position], np.mean(losses, 0), rtol=1e-5
            )


def test_methods_without_bases_have_one_score_a_position(drawn):
    predictor = cg.TorchPredictor(Linear(), tasks=["a", "b"])
    for method in ("shapley", "occlusion"):
        maps = cg.attribute(drawn, predictor, method=method, n_baselines=3, rng=0)
        assert maps["score"].dims == ("unit", "position", "task")
        assert cg.attribution.contributions(maps).identical(maps["score"])
    shapley = cg.attribute(drawn, predictor, method="shapley", n_baselines=9, rng=0)
    paths = cg.attribute(
        drawn, predictor, method="integrated_gradients", n_baselines=9, rng=0
    )
    np.testing.assert_allclose(
        shapley["score"], cg.attribution.contributions(paths), atol=1e-9
    )


def test_expected_gradients_are_integrated_ones_in_expectation(drawn):
    nets = [cg.TorchPredictor(Linear(power=k), tasks=["a", "b"]) for k in (1, 2)]
    options = {"baselines": cg.Uniform(length=12), "rng": 0, "n_baselines": 400}
    for net, exact in zip(nets, (True, False), strict=True):
        paths = cg.attribute(drawn, net, method="integrated_gradients", **options)
        points = cg.attribute(drawn, net, method="expected_gradients", **options)
        if exact:
            np.testing.assert_allclose(points["score"], paths["score"], atol=1e-12)
        else:
            z = ((points["score"] - paths["score"]) / points["score_se"]).to_numpy()
            assert np.abs(z).max() < 4
            misses = points["completeness"] / points["completeness_se"]
            assert (np.abs(misses) < 4.5).all()
            assert (np.abs(points["completeness"]) > 1e-6).all()


def test_an_answer_that_changes_on_a_short_part_of_the_lines_is_refused(drawn):
    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))

        def forward(self, x):
            return torch.sigmoid(4e3 * (x[:, :2].sum((1, 2)) * self.weight - 9.1))[
                :, None
            ]

    sequences = ["ACACACACACAC", "CAACCACCCACA"]
    predictor = cg.TorchPredictor(Step(), tasks=["a"])
    options = {"baselines": cg.Uniform(length=12), "rng": 0, "n_baselines": 16}
    with pytest.raises(
        PredictorError,
    ):
        cg.attribute(sequences, predictor, method="expected_gradients", **options)


@pytest.mark.parametrize("method", ["integrated_gradients", "expected_gradients"])
def test_a_map_of_zeros_does_not_pass_for_one_that_adds_up(method, drawn):
    """A rounded answer has no slope anywhere; the spread of the baselines' answers is
    no error of its scores.
    """

    class Rounded(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = Linear()

        def forward(self, x):
            return self.linear(x).round()

    predictor = cg.TorchPredictor(Rounded(), tasks=["a", "b"], dtype=torch.float64)
    with pytest.raises(PredictorError):
        cg.attribute(
            drawn,
            predictor,
            method=method,
            baselines=cg.Uniform(length=12),
            n_baselines=8,
            rng=0,
        )


@pytest.mark.parametrize(
    "method", ["integrated_gradients", "expected_gradients", "deeplift"]
)
def test_blocks_of_baselines_change_nothing(method, drawn, monkeypatch):
    if method == "deeplift":
        pytest.importorskip("tangermeme")
    predictor = cg.TorchPredictor(
        Linear(power=1 if method == "deeplift" else 2), tasks=["a", "b"]
    )
    whole = cg.attribute(drawn, predictor, method=method, n_baselines=11, rng=0)
    monkeypatch.setattr("causalgia.attribution._attribute._HELD", 3 * 32 * 12 * 2)
    blocks = cg.attribute(drawn, predictor, method=method, n_baselines=11, rng=0)
    for name in whole:
        np.testing.assert_allclose(blocks[name], whole[name], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "method",
    ["ism", "gradient", "integrated_gradients", "deeplift", "shapley", "occlusion"],
)
def test_chosen_tasks_have_the_maps_that_they_have_among_all(method, drawn):
    if method == "deeplift":
        pytest.importorskip("tangermeme")
    predictor = cg.TorchPredictor(Linear(), tasks=["a:1", "b"])
    options = {} if method in ("ism", "gradient") else {"n_baselines": 3, "rng": 0}
    every = cg.attribute(drawn, predictor, method=method, **options)
    for tasks, names in (("b", ["b"]), ("a:*", ["a:1"]), (["b", "a:1"], ["b", "a:1"])):
        chosen = cg.attribute(drawn, predictor, method=method, tasks=tasks, **options)
        assert chosen["task"].values.tolist() == names
        for name in every:
            expected = (
                every[name].sel(task=names) if name != "observed" else every[name]
            )
            np.testing.assert_allclose(chosen[name], expected, atol=1e-12)


def test_progress_counts_what_a_method_costs(drawn, monkeypatch):
    from contextlib import contextmanager

    seen = []

    @contextmanager
    def meter(total, *, show):
        assert show
        seen.append([total, 0])

        def advance(n):
            seen[-1][1] += n

        yield advance

    monkeypatch.setattr("causalgia.attribution._attribute.meter", meter)
    predictor = cg.TorchPredictor(Linear(), tasks=["a", "b"])
    for method in (
        "ism",
        "gradient",
        "integrated_gradients",
        "expected_gradients",
        "shapley",
        "occlusion",
    ):
        options = {} if method in ("ism", "gradient") else {"n_baselines": 3, "rng": 0}
        cg.attribute(drawn, predictor, method=method, **options)
        assert seen[-1][0] == seen[-1][1] > 0, method


def test_the_users_network_keeps_no_hooks(drawn):
    pytest.importorskip("tangermeme")
    net = torch.nn.Sequential(
        torch.nn.Conv1d(4, 3, 3),
        torch.nn.ReLU(inplace=True),
        torch.nn.Flatten(),
        torch.nn.Linear(30, 1),
    )
    predictor = cg.TorchPredictor(net, tasks=["a"])
    for method in ("deeplift", "integrated_gradients", "expected_gradients"):
        cg.attribute(drawn, predictor, method=method, n_baselines=2, rng=0)
        for part in net.modules():
            assert not part._forward_hooks
            assert not part._forward_pre_hooks
            assert not part._backward_hooks
        assert net[1].inplace


def test_the_mean_of_members_maps_is_the_map_of_their_mean(drawn):
    """True of methods that are linear in the network: of all but DeepLIFT, whose rule
    is not.
    """
    nets = [Functional("gate").double() for _ in range(2)]
    torch.nn.init.normal_(nets[1].last.weight)

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.parts = torch.nn.ModuleList(nets)

        def forward(self, x):
            return (self.parts[0](x) + self.parts[1](x)) / 2

    members = cg.Ensemble(
        [cg.TorchPredictor(net, tasks=["a", "b"], scale="y") for net in nets]
    )
    mean = cg.TorchPredictor(Mean(), tasks=["a", "b"], scale="y")
    for method in ("ism", "gradient", "integrated_gradients", "shapley"):
        options = {} if method in ("ism", "gradient") else {"n_baselines": 3, "rng": 0}
        of_members = cg.attribute(drawn, members, method=method, **options)[
            "score"
        ].mean("model")
        of_mean = cg.attribute(drawn, mean, method=method, **options)["score"]
        # of 16 points on each line, past kinks
        error = 1e-5 if method == "integrated_gradients" else 2e-6
        np.testing.assert_allclose(of_members, of_mean, atol=error, err_msg=method)


def test_repressors_have_negative_maps():
    repressor = cg.FunctionPredictor(
        lambda x: -x[:, 2].sum(-1), tasks=["G"], scale="count"
    )
    maps = cg.attribution.contributions(cg.attribute(["ACGT"], repressor))
    assert maps.sel(position=2).item() == -1.0
    assert (maps.sel(position=[0, 1, 3]) > 0).all()


def test_maps_over_baselines_alone_see_an_or_gate():
    pytest.importorskip("tangermeme")

    class Gate(torch.nn.Module):
        """Either of GGGG and CCCC is enough: 1 - relu(1 - sites)."""

        def __init__(self):
            super().__init__()
            self.words = torch.nn.Conv1d(4, 2, 4)
            with torch.no_grad():
                self.words.weight.zero_()
                self.words.weight[0, 2] = self.words.weight[1, 1] = 1
                self.words.bias.fill_(-3)

        def forward(self, x):
            sites = self.words(x).relu().sum(-1)
            return 1 - (1 - sites.sum(1, keepdim=True)).relu()

    gate = cg.TorchPredictor(Gate(), tasks=["a"])
    sequence = ["ATATAGGGGATATACCCCATA"]
    for method, seen in (
        ("ism", False),
        ("gradient", False),
        ("occlusion", False),
        ("integrated_gradients", True),
        ("expected_gradients", True),
        ("deeplift", True),
        ("shapley", True),
    ):
        options = (
            {}
            if method in ("ism", "gradient")
            else {"n_baselines": 192, "rng": 0, "baselines": cg.Uniform(length=21)}
        )
        maps = cg.attribute(sequence, gate, method=method, **options)
        at_site = (
            cg.attribution.contributions(maps)
            .isel(unit=0, task=0, position=slice(5, 9))
            .mean()
            .item()
        )
        assert (at_site > 0.05) if seen else (abs(at_site) < 1e-9), (method, at_site)


def _auroc(scores, truth):
    ranks = np.argsort(np.argsort(scores))
    return (ranks[truth].sum() - truth.sum() * (truth.sum() - 1) / 2) / (
        truth.sum() * (~truth).sum()
    )


@pytest.mark.simulation
@pytest.mark.parametrize("network", ["residual", "exponential"])
def test_maps_of_trained_networks_find_the_planted_word(network):
    """UGCAUG at one place in 12 backgrounds without it: area under the curve, and share
    of the 6 highest positions.
    """
    pytest.importorskip("tangermeme")
    drawn = cg.Uniform(length=41).sample(40, rng=5)["sequence"].to_numpy()
    words = ["".join("ACGT"[token] for token in row) for row in drawn]
    planted = [
        f"{word[:17]}TGCATG{word[23:]}"
        for word in words
        if "GCATG" not in word and "GCACG" not in word
    ][:12]
    truth = (np.arange(41) >= 17) & (np.arange(41) < 23)
    for member in range(5):
        predictor = cg.zoo.load("rbfox1_like", architecture=network, member=member)
        for method in ("ism", "integrated_gradients", "deeplift", "gradient"):
            options = (
                {} if method in ("ism", "gradient") else {"n_baselines": 16, "rng": 0}
            )
            maps = cg.attribute(
                planted, predictor, method=method, progress=False, **options
            )
            scores = cg.attribution.contributions(maps).isel(task=0).to_numpy()
            area = np.mean([_auroc(row, truth) for row in scores])
            precision = np.mean([truth[np.argsort(-row)[:6]].mean() for row in scores])
            least = (0.995, 0.98) if method == "gradient" else (0.98, 0.90)
            if method != "gradient" or network == "exponential":
                assert area >= least[0], (method, member)
                assert precision >= least[1], (method, member)


def test_nothing_of_this_room_returns_a_p_value(drawn):
    predictor = cg.TorchPredictor(Linear(), tasks=["a", "b"])
    maps = cg.attribute(
        drawn, predictor, method="integrated_gradients", n_baselines=3, rng=0
    )
    mean = cg.attribution.average(maps, starting_at([0, 1, 2], 4))
    for made in (maps, mean):
        assert not {"p", "log_p", "q"} & set(made.variables)


def test_a_sequence_that_no_baseline_differs_from_has_scores_of_nothing():
    """All answers of the AND gate are 0; between them its product is not, so that
    scores have rounding errors.
    """
    gate = cg.zoo.oracle("gated")
    network = cg.TorchPredictor(
        gate.module(), tasks=gate.tasks, scale=gate.scale, device="cpu"
    )
    drawn = cg.Uniform(length=60).sample(10, rng=0)
    maps = cg.attribute(
        drawn,
        network,
        method="integrated_gradients",
        n_baselines=4,
        rng=0,
        progress=False,
    )
    assert (maps["answer"].sel(task="AND") == 0).all()
    assert np.abs(maps["score"].sel(task="AND")).max() < 1e-3


@pytest.mark.parametrize("method", ["integrated_gradients", "shapley", "occlusion"])
def test_a_sequence_whose_shuffles_are_all_itself_is_warned_of(method):
    predictor = cg.TorchPredictor(Linear(), tasks=["a", "b"])
    names = {"poly": "A" * 12, "mixed": "ACGTTGCAAGTC", "repeat": "ACACACACACAC"}
    options = {"method": method, "n_baselines": 4, "rng": 0, "progress": False}
    with pytest.warns(DegenerateWarning) as given:
        maps = cg.attribute(names, predictor, **options)
    assert len(given) == 1
    assert (cg.attribution.contributions(maps).isel(unit=[0, 2]) == 0).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cg.attribute(names, predictor, baselines=cg.Uniform(length=12), **options)


def test_maps_over_baselines_take_the_memory_of_the_result():
    weights, null = (
        np.random.default_rng(0).normal(size=(40, 100)),
        cg.Uniform(length=40),
    )
    predictor = cg.FunctionPredictor(
        lambda x: x[:, 2] @ weights, tasks=[f"task {k}" for k in range(100)], scale="y"
    )
    by = {
        "method": "occlusion",
        "baselines": null,
        "n_baselines": 2,
        "rng": 0,
        "progress": False,
    }
    cg.attribute(null.sample(2, rng=1), predictor, **by)  # imports what it needs
    sequences = null.sample(300, rng=0)
    tracemalloc.start()
    try:
        maps = cg.attribute(sequences, predictor, **by)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * maps.nbytes


class Steps(torch.nn.Module):
    """A step in the number of A's, without width for quadrature, and a constant."""

    def __init__(self, steep=1e7, at=6.123):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((1,), steep))
        self.at = at

    def forward(self, x):
        n = x[:, 0].sum(-1)
        return torch.stack([torch.sigmoid((n - self.at) * self.weight), 0 * n], 1)


def test_sequences_whose_scores_do_not_add_up_are_listed():
    """Lines from baselines without A cross the step where a sequence has 7 or more."""
    names = {
        "below": "ACGTACGTACGT",
        "above": "AAAAAAAACGTC",
        "low": "CCGTACGTCCGT",
        "over": "AAAAAACCAAAA",
    }
    predictor = cg.TorchPredictor(Steps(), tasks=["step", "nothing"])
    options = {
        "baselines": cg.Profile(of=["C" * 12, "G" * 12, "T" * 12]),
        "n_baselines": 2,
    }
    options |= {"method": "integrated_gradients", "rng": 0, "progress": False}
    with pytest.raises(PredictorError):
        cg.attribute(names, predictor, **options)
    with pytest.raises(PredictorError):
        cg.attribute(
            {name: row for name, row in names.items() if name != "over"},
            predictor,
            **options,
        )
    left = {name: row for name, row in names.items() if name in ("below", "low")}
    assert (cg.attribute(left, predictor, **options)["completeness"] == 0).all()


def test_steps_are_added_for_the_sequences_that_need_them(monkeypatch):
    seen = []
    from causalgia.attribution import gradients

    count = gradients.path_multipliers
    monkeypatch.setattr(
        gradients,
        "path_multipliers",
        lambda *a, **k: seen.append(k["n_steps"]) or count(*a, **k),
    )
    predictor = cg.TorchPredictor(Steps(steep=900.0), tasks=["step", "nothing"])
    null = cg.Profile(of=["C" * 12, "G" * 12, "T" * 12])
    options = {
        "method": "integrated_gradients",
        "baselines": null,
        "n_baselines": 2,
        "rng": 0,
        "progress": False,
    }
    maps = cg.attribute(
        ["ACGTACGTACGT", "AAAAAAAACGTC", "CCGTACGTCCGT"], predictor, **options
    )
    assert seen[:2] == [16, 16]
    assert 512 < max(seen) <= 4096
    assert seen[-1] == 256
    assert np.abs(maps["completeness"]).max() <= 0.01


def test_constant_answers_are_explained_by_nothing():
    predictor = cg.TorchPredictor(Steps(at=100.0), tasks=["step", "nothing"])
    for method in (
        "gradient",
        "integrated_gradients",
        "expected_gradients",
        "deeplift",
    ):
        if method == "deeplift":
            pytest.importorskip("tangermeme")
        options = {} if method == "gradient" else {"n_baselines": 3, "rng": 0}
        maps = cg.attribute(
            cg.Uniform(length=12).sample(3, rng=1), predictor, method=method, **options
        )
        assert (maps["score"] == 0).all()
        assert not np.isnan(maps["score"]).any()
        if "completeness" in maps:
            assert (maps["completeness"] == 0).all()


@pytest.mark.parametrize(
    "method", ["ism", "gradient", "integrated_gradients", "shapley"]
)
def test_a_network_with_dropout_left_on_has_no_map(method):
    class Noisy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scan, self.last = torch.nn.Conv1d(4, 32, 5), torch.nn.Linear(32, 1)

        def forward(self, x):
            return self.last(
                torch.nn.functional.dropout(self.scan(x).amax(2), 0.5, training=True)
            )

    predictor = cg.TorchPredictor(Noisy(), tasks=["a"], device="cpu")
    with pytest.raises(PredictorError):
        cg.attribute(
            cg.Uniform(length=41).sample(4, rng=0), predictor, method=method, rng=0
        )
