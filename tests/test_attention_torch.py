"""Attention weights of a layer: those of the layer's own formula, at the bases that its
places read.
"""

from __future__ import annotations

import numpy as np
import pytest

import causalgia as cg
from causalgia.attribution import attention
from causalgia.errors import PredictorError

torch = pytest.importorskip("torch")
nn = torch.nn


class Transformer(nn.Module):
    """A convolution, pooling, two encoder layers, and a read-out."""

    def __init__(self, *, batch_first=True, pool=2, token=False):
        super().__init__()
        torch.manual_seed(0)
        self.batch_first, self.token = batch_first, token
        self.scan, self.pool = nn.Conv1d(4, 8, 3, padding=1), nn.MaxPool1d(pool)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=batch_first)
            for _ in range(2)
        )
        self.read = nn.Linear(8, 1)

    def forward(self, x):
        h = self.pool(self.scan(x)).transpose(1, 2)
        if self.token:
            h = torch.cat([torch.ones_like(h[:, :1]), h], 1)
        h = h if self.batch_first else h.transpose(0, 1)
        for layer in self.layers:
            h = layer(h)
        return self.read(h.mean(1 if self.batch_first else 0))


class Finds(nn.Module):
    """Attention by hand: the places of ``GG`` attend to those of ``CC``; the answer is
    how much they find.
    """

    def __init__(self):
        super().__init__()
        self.scan = nn.Conv1d(4, 2, 2)
        self.attends = nn.MultiheadAttention(2, 1, batch_first=True, bias=False)
        with torch.no_grad():
            self.scan.weight.zero_()
            # channel 0: GG, channel 1: CC
            self.scan.weight[0, 2], self.scan.weight[1, 1] = 0.5, 0.5
            self.scan.bias[:] = -0.5
            self.attends.in_proj_weight.zero_()
            # queries GG, keys CC
            self.attends.in_proj_weight[0, 0] = self.attends.in_proj_weight[2, 1] = 8.0
            self.attends.in_proj_weight[4:] = torch.eye(2)
            self.attends.out_proj.weight[:] = torch.eye(2)

    def forward(self, x):
        h = self.scan(x).relu().transpose(1, 2)
        return (self.attends(query=h, key=h, value=h)[0][..., 1] * h[..., 0]).sum(
            1, keepdim=True
        )


@pytest.mark.parametrize("batch_first", [True, False])
def test_weights_are_the_layers_own_and_places_are_bases(batch_first):
    network = Transformer(batch_first=batch_first).eval()
    predictor = cg.TorchPredictor(network, tasks=["t"], batch_size=4)
    sample = cg.Uniform(length=24).sample(10, rng=0)
    before = predictor.predict(sample["sequence"].values)
    for k in (0, 1):
        found = attention(predictor, f"layers.{k}.self_attn", sample)
        x = torch.from_numpy(
            np.eye(4, dtype=np.float32)[sample["sequence"].values]
        ).transpose(1, 2)
        with torch.no_grad():
            h = network.pool(network.scan(x)).transpose(1, 2)
            h = h if batch_first else h.transpose(0, 1)
            h = network.layers[0](h) if k else h
            expected = (
                network.layers[k]
                .self_attn(h, h, h, average_attn_weights=False)[1]
                .mean(1)
            )
        np.testing.assert_allclose(found["attention"], expected, atol=1e-5)
        np.testing.assert_allclose(found["attention"].sum("key"), 1, atol=1e-5)
        # a place reads bases 2 p - 1 to 2 p + 2
        np.testing.assert_array_equal(found["key_base"], 2 * np.arange(12))
        np.testing.assert_array_equal(found["query_base"], found["key_base"])
    assert not any(
        part._forward_hooks or part._forward_pre_hooks for part in network.modules()
    )
    np.testing.assert_array_equal(predictor.predict(sample["sequence"].values), before)


def test_a_token_before_the_sequence_has_no_base_in_it():
    predictor = cg.TorchPredictor(Transformer(pool=1, token=True), tasks=["t"])
    found = attention(
        predictor, "layers.1.self_attn", cg.Uniform(length=12).sample(3, rng=0)
    )
    assert found["key_base"].values.tolist() == list(range(-1, 12))


def test_pairs_that_attend_to_each_other_are_tested_on_fresh_units():
    predictor = cg.TorchPredictor(Finds(), tasks=["found"])
    drawn = cg.sequences.decode(
        cg.Uniform(length=20).sample(60, rng=0)["sequence"].values
    )
    drawn = [row.replace("G", "T").replace("C", "A") for row in drawn]
    rows = [row[:4] + "GG" + row[6:13] + "CC" + row[15:] for row in drawn]
    found = attention(predictor, "attends", rows)
    uniform = 1 / found.sizes["key"]
    beyond = found["attention"].mean("unit") - uniform
    query, key = np.unravel_index(int(beyond.values.argmax()), beyond.shape)
    assert (found["query_base"].values[query], found["key_base"].values[key]) == (4, 13)
    pairs = [(4 + i, 13 + j) for i in (0, 1) for j in (0, 1)]
    interacting = cg.attribution.interactions(rows, predictor, pairs=pairs)
    trial = cg.experiments.site_pairs(
        cg.Uniform(length=20), interacting, n_units=100, rope=(-0.01, 0.01)
    )
    answer = trial.analyze(cg.run(trial, predictor, rng=1))
    (name,) = trial.asked
    assert answer.decisions["verdict"].sel(contrast=name).item() == "increases"


class Crosses(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind, self.scan = kind, nn.Conv1d(4, 4, 3, padding=1)
        self.first, self.second = (
            nn.MultiheadAttention(4, 1, batch_first=True) for _ in range(2)
        )

    def forward(self, x):
        h = self.scan(x).transpose(1, 2)
        h = h + h.mean(1, keepdim=True) if self.kind == "whole" else h
        if self.kind == "cross":
            return self.first(h[:, :3], h, h)[0].mean((1, 2))[:, None]
        h = self.first(h, h, h)[0]
        if self.kind == "twice":
            h = self.first(h, h, h)[0]
        if self.kind == "pooled":
            h = h[:, ::2]
            h = self.second(h, h, h)[0]
        return h.mean((1, 2))[:, None]


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("one", "scan"),
        ("one", "frist"),
        ("one", "second"),
        ("twice", "first"),
        ("cross", "first"),
        ("pooled", "second"),
        ("whole", "first"),
    ],
)
def test_layers_without_weights_of_positions_are_refused(kind, layer):
    predictor = cg.TorchPredictor(Crosses(kind), tasks=["t"])
    with pytest.raises(PredictorError):
        attention(predictor, layer, cg.Uniform(length=12).sample(3, rng=0))
    assert not any(
        part._forward_hooks or part._forward_pre_hooks
        for part in predictor.module.modules()
    )
