# Imports from the inside: the layer whose filters are read.
"""Proposals by filters and by several methods: what each proposes, which are merged,
which are left out and why.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_proposals import planted
from torch import nn

import causalgia as cg
from causalgia.attribution.layers import first_activation
from causalgia.errors import PredictorError
from causalgia.sequences import encode

pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore:.*not vary at all")]
WORD = "TGACTCAT"


class Read(nn.Module):
    """A convolution with a filter of one word, a weak one and a silent one; activation
    and pooling as given.
    """

    def __init__(self, *behind, functional=False):
        super().__init__()
        self.first = nn.Conv1d(4, 3, 8)
        self.behind = nn.Sequential(*behind)
        self.last = nn.LazyLinear(1)
        self.functional = functional
        with torch.no_grad():
            self.first.weight[:] = 0.0
            for position, letter in enumerate(encode([WORD])[0]):
                self.first.weight[0, letter, position] = 1.0
            self.first.weight[1, :, 3] = torch.tensor([0.01, 0.0, 0.0, 0.0])
            self.first.bias[:] = torch.tensor([-5.0, 0.0, -1.0])
            self(torch.zeros(1, 4, 41))
            self.last.weight[:] = 1.0

    def forward(self, x):
        x = self.first(x)
        x = x.relu() if self.functional else x
        return self.last(self.behind(x).flatten(1))


def predictor(*behind, functional=False):
    torch.manual_seed(0)
    return cg.TorchPredictor(
        Read(*behind, functional=functional).eval(), tasks=["a"], device="cpu"
    )


@pytest.mark.parametrize(
    ("network", "at"),
    [
        (predictor(nn.ReLU()), ("behind.0", "output")),
        (
            predictor(nn.BatchNorm1d(3), nn.ReLU(), nn.Dropout(), nn.MaxPool1d(2)),
            ("behind.3", "input"),
        ),
        (
            predictor(nn.Conv1d(3, 3, 1), nn.ReLU(), functional=True),
            ("behind.0", "input"),
        ),
    ],
)
def test_filters_are_read_behind_their_activation(network, at):
    assert first_activation(network, planted(1, WORD)) == at


def test_a_network_without_a_convolution_has_no_filters():
    dense = cg.TorchPredictor(
        nn.Sequential(nn.Flatten(), nn.Linear(164, 1)), tasks=["a"], device="cpu"
    )
    with pytest.raises(PredictorError):
        cg.propose(
            sequences=planted(40, WORD), predictor=dense, method="filters", rng=0
        )
    found = cg.propose(
        sequences=planted(40, WORD), predictor=dense, method="all", rng=0
    )
    assert found.attrs["method"] == "seqlets, kmer"


@pytest.mark.parametrize(
    "behind", [(nn.ReLU(), nn.MaxPool1d(2)), (nn.ReLU(), nn.Conv1d(3, 3, 1), nn.ReLU())]
)
def test_the_word_of_a_filter_is_proposed(behind):
    rows = planted(60, WORD)
    found = cg.propose(
        sequences=rows, predictor=predictor(*behind), method="filters", rng=0
    )
    first = found.isel(pattern=0)
    assert "GACTC" in first["consensus"].item()
    has = np.array([WORD in row for row in cg.sequences.decode(rows)])
    assert first["proposed"].values[has].all()
    assert found["method"].values.tolist() == ["filters"]
    assert "threshold" not in found
    assert found.attrs["width"] == 8
    # a filter of one position is no word
    assert not np.isin("AAAA", found["consensus"].values)


def test_filters_of_each_member_are_proposed():
    one, other = predictor(nn.ReLU()), predictor(nn.ReLU())
    with torch.no_grad():
        other.module.first.weight[0] = 0.0
        for position, letter in enumerate(encode(["CCGGAAGT"])[0]):
            other.module.first.weight[0, letter, position] = 1.0
    rows = planted(80, WORD, "CCGGAAGT")
    found = cg.propose(
        sequences=rows, predictor=cg.Ensemble([one, other]), method="filters", rng=0
    )
    words = found["consensus"].values.tolist()
    assert any("GACTC" in word for word in words)
    assert any("CGGAA" in word for word in words)


@pytest.mark.simulation
def test_words_that_several_methods_propose_are_one_and_say_so():
    rows, network = planted(60, WORD), predictor(nn.ReLU())
    alone = {
        m: cg.propose(sequences=rows, predictor=network, method=m, rng=0)
        for m in ("seqlets", "filters", "kmer")
    }
    found = cg.propose(sequences=rows, predictor=network, method=tuple(alone), rng=0)
    by = found["proposed_by"].to_numpy()
    assert found["method"].values.tolist() == list(alone)
    assert by.any(axis=1).all()
    strongest = found.isel(pattern=0)
    assert strongest["proposed_by"].values.all()
    # none is lost to another's
    assert set(alone["seqlets"]["consensus"].values) <= set(found["consensus"].values)
    assert int(strongest["n_seqlets"]) > int(alone["seqlets"]["n_seqlets"][0])
    assert len(set(found["consensus"].values)) == found.sizes["pattern"]
    for one in (
        "seqlets",
        "kmer",
    ):  # the limits on null maps are those of each by itself
        np.testing.assert_array_equal(found["threshold"], alone[one]["threshold"])
    again = cg.propose(sequences=rows, predictor=network, method=["seqlets"], rng=0)
    assert alone["seqlets"].identical(again)


def test_filters_need_layers():
    plain = cg.FunctionPredictor(lambda x: x[:, 0].sum(1), tasks=["a"], scale="s")
    with pytest.raises(PredictorError):
        cg.propose(
            sequences=planted(40, WORD),
            predictor=plain,
            method=("seqlets", "filters"),
            rng=0,
        )


def test_the_null_share_is_of_null_maps():
    with pytest.raises(PredictorError):
        cg.propose(
            sequences=planted(4, WORD),
            predictor=predictor(nn.ReLU()),
            method="filters",
            null_share=0.1,
            rng=0,
        )


@pytest.mark.simulation
def test_modisco_proposes_beside_the_others():
    pytest.importorskip("modiscolite")
    rows = planted(600, "AGATAAG", "CACCTG", length=120)
    network = cg.zoo.oracle("gata1_like")
    found = cg.propose(
        sequences=rows, predictor=network, method=("seqlets", "modisco"), rng=0
    )
    by = found["proposed_by"].to_numpy()
    assert by.any(axis=0).all()
