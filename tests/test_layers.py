"""Imports receptive_field from the inside: the arithmetic that filters and maps rest on.

Layers of a network: filters against counts by hand, nulled channels against networks
without them, matches.
"""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import xarray as xr

import causalgia as cg
from causalgia.attribution import Nullified, filters, randomized
from causalgia.attribution.layers import receptive_field
from causalgia.errors import (
    PredictorError,
)

torch = pytest.importorskip("torch")
nn = torch.nn
pytestmark = pytest.mark.torch


class Scan(nn.Module):
    """A convolution of 3 filters of 4 bp, whose activation is or is not a module, and a
    sum over places.
    """

    def __init__(self, *, stride=1, padding=0, rungs=1):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.scan = nn.Conv1d(4, 3, 4, stride=stride, padding=padding, bias=False)
        self.deeper = nn.ModuleList(
            [nn.Conv1d(3, 3, 3, dilation=2, bias=False) for _ in range(rungs - 1)]
        )
        self.act = nn.ReLU()
        self.spare = nn.Linear(3, 3)
        self.read = nn.Linear(3, 1, bias=False)
        with torch.no_grad():
            for weight in self.parameters():
                weight.copy_(torch.randn(weight.shape, generator=generator))

    def forward(self, x):
        x = self.act(self.scan(x))
        for step in self.deeper:
            x = step(x)
        return self.read(x.sum(-1))


class Units(nn.Module):
    """A transparent network as ExplaiNN is one: units of one filter each, and a linear
    sum of their answers.
    """

    def __init__(self, n=3):
        super().__init__()
        self.linears = nn.Sequential(
            nn.Conv1d(4 * n, n, 4, groups=n), nn.ReLU(), nn.MaxPool1d(9), nn.Flatten()
        )
        self.final = nn.Linear(n, 2)
        self.n = n

    def forward(self, x):
        return self.final(self.linears(x.repeat(1, self.n, 1)))


@pytest.fixture
def sample():
    return cg.Uniform(length=12).sample(40, rng=0)


def _scores(net, tokens):
    """Activations of the first filters, (n, 3, 9), by the sum over the window."""
    weight = net.scan.weight.detach().double().numpy()
    hot = np.eye(4)[tokens]
    windows = np.stack([hot[:, i : i + 4] for i in range(9)], 1)
    return np.maximum(np.einsum("npwb,fbw->nfp", windows, weight), 0)


def test_filters_are_the_frequencies_over_sites_above_half_of_the_maximum(sample):
    net = Scan()
    found = filters(cg.TorchPredictor(net), "act", sample)
    tokens = sample["sequence"].to_numpy()
    scores = _scores(net, tokens)
    np.testing.assert_allclose(found["maximum"], scores.max((0, 2)), rtol=1e-6)
    for f in range(3):
        sites = [
            tokens[u, i : i + 4]
            for u, i in np.argwhere(scores[:, f] > scores[:, f].max() / 2)
        ]
        assert found["n_sites"][f] == len(sites)
        frequency = np.stack(
            [(np.stack(sites) == base).mean(0) for base in range(4)], -1
        )
        np.testing.assert_allclose(found["frequency"][f], frequency, atol=1e-12)
        bits = cg.sequences.Motif("f", frequency.tolist()).information
        np.testing.assert_allclose(found["information"][f], bits, atol=1e-12)
    assert not any(
        part._forward_hooks or part._forward_pre_hooks for part in net.modules()
    )


def test_the_input_of_a_layer_is_the_output_of_the_one_before(sample):
    net = cg.TorchPredictor(Scan())
    after, before = (
        filters(net, "scan", sample),
        filters(net, "act", sample, side="input"),
    )
    np.testing.assert_array_equal(after["frequency"], before["frequency"])
    module = filters(net, "act", sample)
    function = filters(net, "scan", sample, activation=lambda x: np.maximum(x, 0))
    xr.testing.assert_equal(function, module)


@pytest.mark.parametrize(
    ("options", "layer", "window"),
    [
        ({}, "scan", (0, 1, 4)),
        ({"stride": 2}, "act", (0, 2, 4)),
        ({"padding": 2}, "act", (-2, 1, 4)),
        ({"rungs": 2}, "deeper.0", (0, 1, 8)),
        ({"rungs": 2, "stride": 2, "padding": 1}, "deeper.0", (-1, 2, 12)),
    ],
)
def test_the_receptive_field_is_that_of_the_arithmetic(options, layer, window):

    predictor = cg.TorchPredictor(Scan(**options))
    assert receptive_field(predictor, layer, "output", 40) == window


def test_the_receptive_field_of_windows_that_the_ends_cut_off():

    predictor = cg.TorchPredictor(Scan(stride=3, padding=2))
    assert receptive_field(predictor, "scan", "output", 6) == (-2, 3, 4)
    with pytest.raises(PredictorError):
        receptive_field(predictor, "scan", "output", 4)
    assert receptive_field(predictor, "scan", "output", 40) == (-2, 3, 4)


def test_the_receptive_field_in_a_long_sequence():

    predictor = cg.TorchPredictor(Scan(rungs=2, stride=2, padding=1))
    assert receptive_field(predictor, "deeper.0", "output", 1_500) == (-1, 2, 12)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_channel_that_answers_to_one_word_reads_as_wide_as_its_filter(stride):
    """No substitution in eight random sequences moves it: it was without a width, or
    one position wide.
    """
    tokens = np.random.default_rng(0).integers(0, 4, (400, 60), dtype=np.uint8)
    scan = torch.nn.Conv1d(4, 2, 5, stride=stride)
    with torch.no_grad():
        scan.weight[:] = 0
        scan.weight[0, [0, 1, 2, 3, 0], range(5)] = 1.0
        scan.bias[:] = torch.tensor([-4.0, 1.0])
    network = torch.nn.Sequential(
        scan, torch.nn.ReLU(), torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten()
    )
    found = filters(
        cg.TorchPredictor(network, tasks=["word", "none"]), "1", tokens
    ).isel(channel=0)
    windows = np.lib.stride_tricks.sliding_window_view(tokens, 5, axis=1)[:, ::stride]
    assert found["n_sites"] == (windows == [0, 1, 2, 3, 0]).all(-1).sum() > 0
    assert found["frequency"].values.argmax(-1).tolist() == [0, 1, 2, 3, 0]
    assert (found["information"] == 2).all()


@pytest.mark.parametrize("n_names", [2, 4])
def test_names_of_a_layer_without_weights_are_counted_where_it_is_met(n_names):
    without = Nullified(
        cg.TorchPredictor(Scan()),
        "act",
        "one",
        names=["one"] + ["other"] * (n_names - 1),
    )
    with pytest.raises(PredictorError):
        without.predict(np.zeros((1, 12), np.uint8))


def test_an_activation_between_different_layers_has_no_channels_of_its_own():
    class Reused(Scan):
        def forward(self, x):
            return self.read(self.act(self.spare(self.act(self.scan(x)).sum(-1))))

    with pytest.raises(PredictorError):
        Nullified(cg.TorchPredictor(Reused()), "act", 0).predict(
            np.zeros((1, 12), np.uint8)
        )


def test_a_convolution_of_both_strands_is_nulled_on_both():
    class BothStrands(Scan):
        def forward(self, x):
            return super().forward(x) + super().forward(x.flip(1, 2))

    tokens = np.random.default_rng(0).integers(0, 4, (5, 12), dtype=np.uint8)
    both, one = (
        Nullified(cg.TorchPredictor(network()), "scan", 1)
        for network in (BothStrands, Scan)
    )
    np.testing.assert_allclose(
        both.predict(tokens),
        one.predict(tokens) + one.predict(3 - tokens[:, ::-1]),
        atol=1e-5,
    )


def test_a_network_that_refuses_nan_is_read_by_substitutions():

    class Strict(Scan):
        def forward(self, x):
            if x.isnan().any():
                raise ValueError("NaN")
            return super().forward(x)

    assert receptive_field(cg.TorchPredictor(Strict()), "scan", "output", 40) == (
        0,
        1,
        4,
    )


def test_sites_that_leave_the_sequence_are_not_counted(sample):
    whole, padded = (
        filters(cg.TorchPredictor(Scan(padding=p)), "act", sample) for p in (0, 2)
    )
    np.testing.assert_array_equal(whole["frequency"], padded["frequency"])


def test_a_channel_that_never_responds_has_no_site(sample):
    net = Scan()
    with torch.no_grad():
        net.scan.weight[1] = -net.scan.weight[1].abs()
    found = filters(cg.TorchPredictor(net), "act", sample)
    assert found["n_sites"][1] == 0
    assert (found["frequency"][1] == 0.25).all()
    assert (found["information"][1] == 0).all()


@pytest.mark.parametrize("channels", [1, [0, 2]])
def test_a_nulled_channel_is_a_network_with_weights_of_0(sample, channels):
    net, other = Scan(), Scan()
    with torch.no_grad():
        other.scan.weight[channels] = 0
    tokens = sample["sequence"].to_numpy()
    predictor = cg.TorchPredictor(net)
    before = predictor.predict(tokens)
    without = Nullified(predictor, "scan", channels)
    np.testing.assert_allclose(
        without.predict(tokens), cg.TorchPredictor(other).predict(tokens), atol=1e-6
    )
    np.testing.assert_array_equal(predictor.predict(tokens), before)
    assert not any(
        part._forward_hooks or part._forward_pre_hooks for part in net.modules()
    )
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(without)).predict(tokens), without.predict(tokens)
    )


def test_a_mean_is_that_over_sequences_and_places(sample):
    net, tokens = Scan(), sample["sequence"].to_numpy()
    scores = _scores(net, tokens)
    without = Nullified(
        cg.TorchPredictor(net), "act", [2], ablation="mean", sequences=sample
    )
    expected = scores.sum(-1)
    expected[:, 2] = 9 * scores[:, 2].mean()
    read = net.read.weight.detach().numpy().T
    np.testing.assert_allclose(
        without.predict(tokens), expected @ read, rtol=1e-4, atol=1e-4
    )


def test_resampled_channels_are_those_of_a_donor_and_the_same_in_every_batch(sample):
    net, tokens = Scan(), sample["sequence"].to_numpy()
    donors = cg.Uniform(length=12).sample(5, rng=1)
    of_donors = _scores(net, donors["sequence"].to_numpy()).sum(-1)[:, 2]
    without = Nullified(
        cg.TorchPredictor(net), "act", 2, ablation="resample", sequences=donors
    )
    answers = without.predict(tokens)
    np.testing.assert_allclose(
        np.concatenate([without.predict(one[None]) for one in tokens]),
        answers,
        atol=1e-6,
    )
    read = net.read.weight.detach().double().numpy()[0]
    kept = _scores(net, tokens).sum(-1)[:, :2] @ read[:2]
    which = np.abs((answers[:, 0] - kept)[:, None] - read[2] * of_donors)
    assert which.min(1).max() < 1e-4
    assert len(np.unique(which.argmin(1))) == 5


def test_fingerprints_name_the_layer_the_channels_and_what_takes_their_place(sample):
    predictor = cg.TorchPredictor(Scan())
    made = [
        Nullified(predictor, "scan", 1),
        Nullified(predictor, "act", 1),
        Nullified(predictor, "act", 1, side="input"),
        Nullified(predictor, "scan", 2),
        Nullified(predictor, "scan", [1, 2]),
        Nullified(predictor, "scan", 1, ablation="mean", sequences=sample),
        Nullified(predictor, "scan", 1, ablation="resample", sequences=sample),
        predictor,
    ]
    assert len({one.fingerprint for one in made}) == len(made)
    assert Nullified(predictor, "scan", [1]).fingerprint == made[0].fingerprint


def test_units_of_a_transparent_network_are_channels():
    net = Units()
    tokens = cg.Uniform(length=12).sample(30, rng=0)["sequence"].to_numpy()
    whole = cg.TorchPredictor(net, tasks=["a", "b"])
    with torch.no_grad():
        unit = net.linears(
            torch.eye(4)[tokens.astype(int)].transpose(1, 2).repeat(1, 3, 1)
        ).numpy()
    lost = whole.predict(tokens) - Nullified(whole, "linears.3", 2).predict(tokens)
    np.testing.assert_allclose(
        lost, unit[:, [2]] * net.final.weight.detach().numpy()[:, 2], atol=1e-5
    )


def test_contrasts_over_models_are_paired_differences(sample):
    predictor = cg.TorchPredictor(Scan(), tasks=["score"])
    members = {"intact": predictor} | {
        f"without {k}": Nullified(predictor, "scan", k) for k in (0, 1)
    }
    design = cg.Design(
        null=cg.Uniform(length=12),
        arms={"placebo": cg.Placebo("TGCA", at=4), "TGCA": cg.Embed("TGCA", at=4)},
        n_units=30,
    )
    outcomes = cg.run(design, cg.Ensemble(members, differ_by="architectures"), rng=0)
    y = outcomes["outcome"].to_numpy().astype(float)
    effects = cg.contrast_models(outcomes, control="intact")
    assert effects["contrast"].values.tolist() == [
        f"{arm}: without {k} minus intact"
        for k in (0, 1)
        for arm in ("placebo", "TGCA")
    ]
    expected = (y[..., 1:] - y[..., :1])[:, :, 0].transpose(0, 2, 1).reshape(30, 4)
    np.testing.assert_allclose(effects["ice"][:, :, 0], expected, atol=1e-12)
    estimates = cg.estimate(effects)
    np.testing.assert_allclose(estimates["ace"][:, 0], expected.mean(0))
    np.testing.assert_allclose(estimates["se"][:, 0], expected.std(0, ddof=1) / 30**0.5)

    changes = cg.contrast_models(outcomes, contrasts="TGCA - placebo", control="intact")
    twice = (y[:, 1, 0] - y[:, 0, 0])[:, 1:] - (y[:, 1, 0] - y[:, 0, 0])[:, :1]
    np.testing.assert_allclose(changes["ice"][:, :, 0], twice, atol=1e-12)
    assert "model" not in changes.dims
    decided = cg.decide(cg.estimate(changes), rope=(-0.01, 0.01), error="fwer")
    assert set(decided["verdict"].values.ravel()) <= {
        "increases",
        "decreases",
        "negligible",
        "undecided",
    }


def test_channels_have_names_and_a_name_may_be_of_several(sample):
    predictor, tokens = cg.TorchPredictor(Scan()), sample["sequence"].to_numpy()
    names = ["GATA1", "AP1", "GATA1"]
    for named, numbers in (("AP1", 1), ("GATA1", [0, 2]), (["AP1", 0], [0, 1])):
        by_name, by_number = (
            Nullified(predictor, "scan", c, names=names) for c in (named, numbers)
        )
        np.testing.assert_array_equal(
            by_name.predict(tokens), by_number.predict(tokens)
        )
        assert by_name.fingerprint == by_number.fingerprint
    assert Nullified(predictor, "scan", "AP1", names=xr.DataArray(names)).channels == (
        1,
    )


def test_the_redundancy_of_two_filters_is_a_contrast_of_four_networks():
    """Of max(a, b) + c, a and b stand in for each other, and c adds up with either."""

    class Redundant(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.units = torch.nn.Linear(4, 3)
            with torch.no_grad():
                self.units.weight[:] = torch.tensor(
                    [[0.0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 1, 0]]
                )
                self.units.bias[:] = 0

        def forward(self, x):
            h = self.units(x.mean(2))
            return (torch.maximum(h[:, 0], h[:, 1]) + h[:, 2])[:, None]

    intact = cg.TorchPredictor(Redundant(), tasks=["G"])
    members = {"intact": intact} | {
        name: Nullified(intact, "units", channels, names=["a", "b", "c"])
        for name, channels in {
            "a": "a",
            "b": "b",
            "c": "c",
            "a, b": ["a", "b"],
            "a, c": ["a", "c"],
        }.items()
    }
    arms = {
        "placebo": cg.Placebo("GGGGAAAA", at=2),
        "G": cg.Embed("GGGG", at=4),
        "none": cg.Untreated(),
    }
    design = cg.Design(null=cg.Uniform(length=16), arms=arms, n_units=40)
    outcomes = cg.run(design, cg.Ensemble(members, differ_by="architectures"), rng=0)
    models = {
        "a with b": {"a, b": 1, "a": -1, "b": -1, "intact": 1},
        "a with c": "`a, c` - a - c + intact",
    }
    found = cg.contrast_models(outcomes, contrasts={"G": "G - none"}, models=models)
    assert found["contrast"].values.tolist() == ["G: a with b", "G: a with c"]
    effect = cg.contrast(outcomes, contrasts={"G": "G - none"})["ice"].isel(
        contrast=0, task=0
    )
    half = effect.sel(model="intact") / 2  # max(a, b) carries one half, c the other
    np.testing.assert_allclose(found["ice"].isel(contrast=0, task=0), -half, atol=1e-6)
    np.testing.assert_allclose(found["ice"].isel(contrast=1, task=0), 0, atol=1e-6)
    by_control = cg.contrast_models(outcomes, control="intact").sel(
        contrast="G: a minus intact"
    )
    as_given = cg.contrast_models(outcomes, models="a - intact").sel(
        contrast="G: a - intact"
    )
    np.testing.assert_array_equal(by_control["ice"], as_given["ice"])


class Normalized(nn.Module):
    """A convolution with batch normalization, and one weight under two names."""

    def __init__(self):
        super().__init__()
        self.scan = nn.Conv1d(4, 6, 4)
        self.norm = nn.BatchNorm1d(6)
        self.read = nn.Linear(6, 6)
        self.again = nn.Linear(6, 6, bias=False)
        self.again.weight = self.read.weight
        with torch.no_grad():
            for number, weight in enumerate(self.parameters()):
                weight.copy_(
                    torch.randn(
                        weight.shape, generator=torch.Generator().manual_seed(number)
                    )
                )
            self.norm.running_mean.fill_(0.5)

    def forward(self, x):
        return self.again(self.read(self.norm(self.scan(x)).sum(-1))).sum(1)


def test_randomized_networks_have_the_values_of_each_tensor_in_other_places(sample):
    net = Normalized()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    predictor = cg.TorchPredictor(net, tasks=["score"], scale="log counts")
    both = randomized(predictor, n_draws=3, rng=0)
    assert both.models == ("intact", "randomized 1", "randomized 2", "randomized 3")
    assert both.members[0] is predictor
    assert len({member.fingerprint for member in both.members}) == 4
    assert all(
        torch.equal(value, before[name]) for name, value in net.state_dict().items()
    )
    copies = [member.module for member in both.members[1:]]
    for copy in copies:
        assert copy.again.weight is copy.read.weight
        for name, value in copy.named_parameters():
            assert torch.equal(
                value.flatten().sort().values, before[name].flatten().sort().values
            )
            assert not torch.equal(value, before[name])
        assert all(
            torch.equal(value, before[name]) for name, value in copy.named_buffers()
        )
    assert not torch.equal(copies[0].scan.weight, copies[1].scan.weight)
    fewer = randomized(predictor, n_draws=1, rng=0)
    assert fewer.members[1].fingerprint == both.members[1].fingerprint
    assert (
        randomized(predictor, n_draws=1, rng=1).members[1].fingerprint
        != both.members[1].fingerprint
    )
    named = cg.TorchPredictor(net, tasks=["score"], fingerprint="version 1")
    assert len({member.fingerprint for member in randomized(named, rng=0).members}) == 6
    tokens = sample["sequence"].to_numpy()
    np.testing.assert_array_equal(
        both.predict(tokens)[..., 1], fewer.predict(tokens)[..., 1]
    )
    assert both.predict(tokens).shape == (40, 1, 4)


def test_a_shuffle_gives_every_permutation_equally_often():
    """Of three weights, one of 6 orders: chi-squared with 5 degrees of freedom, at 1e-4
    (25.7).
    """
    net = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[0.0, 1.0, 2.0] + [3.0] * 9]))
    from causalgia.attribution.altered_networks import _shuffled  # which imports torch

    weights = [_shuffled(net, key)[1].weight[0].detach().numpy() for key in range(600)]
    orders = [row[row < 3] for row in weights]
    counts = np.unique(orders, axis=0, return_counts=True)[1]
    assert len(counts) == 6
    assert ((counts - 100) ** 2 / 100).sum() < 25.7


def test_randomized_networks_are_compared_with_the_intact_one(sample):
    both = randomized(
        Nullified(cg.TorchPredictor(Scan(), tasks=["score"]), "scan", 0),
        n_draws=4,
        rng=0,
    )
    arms = {"placebo": cg.Placebo("TGCA", at=4), "TGCA": cg.Embed("TGCA", at=4)}
    outcomes = cg.run(
        cg.Design(null=cg.Uniform(length=12), arms=arms, n_units=20), both, rng=0
    )
    y = outcomes["outcome"].to_numpy().astype(float)[:, :, 0]
    effects = cg.contrast_models(outcomes, contrasts="TGCA - placebo", control="intact")
    np.testing.assert_allclose(
        effects["ice"][:, :, 0],
        (y[:, 1] - y[:, 0])[:, 1:] - (y[:, 1] - y[:, 0])[:, :1],
        atol=1e-12,
    )


@pytest.mark.filterwarnings("ignore::FutureWarning")  # the older weight normalization
def test_a_network_that_cannot_be_copied_is_named():
    net = nn.Sequential(
        nn.utils.weight_norm(nn.Conv1d(4, 2, 3)), nn.Flatten(), nn.Linear(20, 1)
    )
    with pytest.raises(PredictorError):
        randomized(cg.TorchPredictor(net), rng=0)
    net = nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 2, 3)),
        nn.Flatten(),
        nn.Linear(20, 1),
    )
    assert len(randomized(cg.TorchPredictor(net), rng=0).members) == 6


def test_one_exponential_filter_carries_the_word():
    """The prototype's figure: -3.80 (.02)."""
    intact = cg.zoo.load("rbfox1_like", architecture="exponential", member=1)
    arms = {"placebo": cg.Placebo("UGCAUG", at=17), "UGCAUG": cg.Embed("UGCAUG", at=17)}
    design = cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=300)
    members = {"intact": intact} | {
        f"without {k}": Nullified(intact, "first.0", k) for k in (3, 24)
    }
    outcomes = cg.run(design, cg.Ensemble(members, differ_by="architectures"), rng=0)
    lost = cg.contrast_models(outcomes, contrasts="UGCAUG - placebo", control="intact")
    found = cg.estimate(lost)
    np.testing.assert_allclose(found["ace"][:, 0], [0, -3.80], atol=0.06)
    assert abs(found["se"][1, 0] - 0.02) < 0.005


def test_words_and_factors_match_themselves():
    pytest.importorskip("memelite")
    found = cg.attribution.match(
        {"one": "GATA1", "other": cg.motif("CTCF"), "none": [[1, 1, 1, 1]] * 4}
    )
    assert found["nearest"].values.tolist()[:2] == ["MA0035.5 GATA1", "MA0139.2 CTCF"]
    assert (found["nearest_q"][:2] < 1e-6).all()
    assert (found["match_p"][2] == 1).all()
    few = cg.attribution.match(["GATA1"], ["GATA1", "CTCF"])
    of_all = np.log10(
        found["match_p"].sel(motif="one", target=["MA0035.5 GATA1", "MA0139.2 CTCF"])
    )
    # beside the columns of JASPAR
    np.testing.assert_allclose(np.log10(few["match_p"][0]), of_all, rtol=0.05)


@pytest.mark.simulation
def test_filters_of_no_motif_match_none():
    """Weak columns match the gaps of the 34-bp motifs of CTCF: Tomtom alone names
    nearly all of these filters.
    """
    pytest.importorskip("memelite")
    rng, false = np.random.default_rng(0), 0
    for strength in (0.3, 0.5, 0.8, 1.2):
        weights = np.exp(rng.normal(0, strength, (20, 19, 4)))
        sites = rng.integers(34, 107, 20)
        drawn = {
            str(i): [
                (rng.multinomial(sites[i], column / column.sum()) / sites[i]).tolist()
                for column in one
            ]
            for i, one in enumerate(weights)
        }
        false += int((cg.attribution.match(drawn)["nearest_q"] <= 0.1).sum())
    # of 80; the four sets are null, so that any is false: one in ten sets may have some
    assert false <= 1


def test_noisy_motifs_are_still_matched():
    pytest.importorskip("memelite")
    rng, names = (
        np.random.default_rng(1),
        ["GATA1", "CTCF", "SP1", "REST", "JUN", "YY1"],
    )
    drawn = {
        name: [
            (rng.multinomial(50, np.asarray(column) / sum(column)) / 50).tolist()
            for column in one.probabilities
        ]
        for name, one in ((name, cg.motif(name)) for name in names)
    }
    assert (cg.attribution.match(drawn)["nearest_q"] <= 0.01).all()


def test_matches_leave_torch_its_threads():
    """numba's parallel kernels set OpenMP's threads for the process: a network was 17
    times slower afterward.
    """
    pytest.importorskip("memelite")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        cg.attribution.match(["GATAAG", "CACGTG"])
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("convolution", "padded", "short", "width"),
    [
        (nn.Conv1d(4, 3, 3, dilation=6, padding=1), 0, 11, 13),  # one base of three
        (nn.Conv1d(4, 3, 3, dilation=6, padding=1, stride=2), 0, 11, 13),
        (nn.Conv1d(4, 3, 10, padding=2, stride=6), 0, 12, 10),  # two places, both cut
        (nn.Conv1d(4, 3, 5, padding=2, stride=40), 0, 40, 5),  # one, cut on the left
        (nn.Conv1d(4, 3, 3, dilation=6), 12, 12, 13),  # causal: all places cut
    ],
)
def test_windows_that_the_ends_cut_have_no_width(convolution, padded, short, width):
    """Widths of 1, 8, 3 and 7 were taken for those of whole windows."""
    pool = nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(3, 1)
    layers = nn.ConstantPad1d((padded, 0), 0.0), convolution, *pool
    made = cg.TorchPredictor(nn.Sequential(*layers), tasks=["a"], device="cpu")
    with pytest.raises(PredictorError):
        receptive_field(made, "1", "output", short)
    assert receptive_field(made, "1", "output", 4 * short + 80)[2] == width


def test_windows_that_end_where_the_sequence_does_are_whole():
    """Of a network that takes no longer sequences, and after adaptive pooling."""
    two = nn.Conv1d(4, 3, 8, stride=4)  # reads 0 to 7 and 4 to 11 of 12
    fixed = nn.Sequential(two, nn.Flatten(), nn.Linear(6, 1))
    made = cg.TorchPredictor(fixed, tasks=["a"], device="cpu")
    assert receptive_field(made, "0", "output", 12) == (0, 4, 8)
    pooled = nn.Sequential(
        nn.Conv1d(4, 8, 7),
        nn.AdaptiveMaxPool1d(20),
        nn.Conv1d(8, 3, 5),
        nn.Flatten(),
        nn.Linear(48, 1),
    )
    made = cg.TorchPredictor(pooled, tasks=["a"], device="cpu")
    assert receptive_field(made, "2", "output", 86) == (0, 4, 26)
