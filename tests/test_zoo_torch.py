# Imports from the inside: terms of oracles, each against its twin.
"""Oracles as PyTorch networks."""

from __future__ import annotations

import numpy as np
import pytest

from causalgia.sequences import encode, one_hot
from causalgia.zoo import MotifCount, Oracle, Pair, Saturating, oracle
from causalgia.zoo.oracles import names
from causalgia.zoo.terms import Exponential, Gate, Hill, Slope

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

MORE = {
    "exp link": Oracle(
        MotifCount("GA", 0.1, "both", gain=Slope(0.01)),
        tasks=["a", "b"],
        weights=[[1], [2]],
        link="exp",
    ),
    "responses": Oracle(
        Saturating(
            (MotifCount("GA"), MotifCount("NTR", 0.5, "both")),
            Hill(top=3, half=2, power=2),
        ),
        Saturating((MotifCount("TT"),), Exponential(top=2, scale=3)),
    ),
    "gates": Oracle(
        Gate(("GAT", "CC", "NTR"), bonus=1.5, logic="and", strand="both"),
        Gate(("GATAC", "CCTGA"), bonus=-0.5, logic="or"),
    ),
    "graded": Oracle(
        Pair(
            "GA",
            "TC",
            bonus=1.0,
            clash=((2, -2.0), (4, -0.5)),
            min_distance=6,
            decay=30.0,
        )
    ),
    "near and far": Oracle(
        Pair("GA", "TC", bonus=1.0, clash=-2.0, min_distance=4, decay=30.0, phase=0.4)
    ),
}


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)]
)
@pytest.mark.parametrize("length", [10, 120])
@pytest.mark.parametrize("name", [*names(), *MORE])
def test_twin_equals_the_oracle(
    name: str, length: int, dtype: str, tolerance: float
) -> None:
    made = MORE.get(name) or oracle(name)
    tokens = np.random.default_rng(2).integers(0, 4, (64, length)).astype(np.uint8)
    tokens[:32, 2:8] = encode("UGCAUG")
    answer = made.module()(torch.tensor(one_hot(tokens, dtype=dtype)))
    assert str(answer.dtype) == f"torch.{dtype}"
    np.testing.assert_allclose(
        answer.numpy(), made.predict(tokens), rtol=tolerance, atol=tolerance
    )


def test_gradient_of_one_window_is_its_in_silico_mutagenesis() -> None:
    made = Oracle(MotifCount("GATA", 2.0))
    x = torch.tensor(one_hot(encode("GATC"), dtype="float64"), requires_grad=True)
    made.module()(x).sum().backward()
    expected = np.zeros((4, 4))
    expected[0, 3] = 2.0
    np.testing.assert_array_equal(x.grad[0].numpy(), expected)


def test_gradient_of_a_closed_gate_points_at_the_letter_that_opens_it() -> None:
    made = Oracle(Gate(("GATA", "CC"), bonus=3.0, logic="and"))
    x = torch.tensor(one_hot(encode("GATATTCA"), dtype="float64"), requires_grad=True)
    made.module()(x).sum().backward()
    gained = x.grad[0].numpy() > 0
    assert (made.predict(encode("GATATTCC")), made.predict(encode("GATATCCA"))) == (
        3.0,
        3.0,
    )
    assert np.argwhere(gained).tolist() == [[1, 5], [1, 7]]
    np.testing.assert_array_equal(x.grad[0].numpy()[gained], 3.0)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)]
)
def test_twin_equals_the_oracle_on_long_sequences(dtype: str, tolerance: float) -> None:
    made = oracle("long_range")
    tokens = np.random.default_rng(4).integers(0, 4, (2, 50_000)).astype(np.uint8)
    for at, word in (
        (25_000, "GGCTATAAAAGG"),
        (21_000, "ATGCTGAGTCAT"),
        (40_000, "CCAGATAAGGAC"),
    ):
        tokens[0, at : at + 12] = encode(word)
    answer = made.module()(torch.tensor(one_hot(tokens, dtype=dtype)))
    np.testing.assert_allclose(
        answer.numpy(), made.predict(tokens), rtol=tolerance, atol=tolerance
    )
    assert answer[0, 0] > 2


def test_a_twin_in_a_torch_predictor_answers_and_is_fingerprinted_as_the_oracle() -> (
    None
):
    from causalgia.predict import TorchPredictor

    made = oracle("gata1_like")
    tokens = np.random.default_rng(3).integers(0, 4, (9, 80)).astype(np.uint8)
    predictor = TorchPredictor(
        made.module(), tasks=made.tasks, scale=made.scale, device="cpu"
    )
    np.testing.assert_allclose(
        predictor.predict(tokens), made.predict(tokens), rtol=1e-5, atol=1e-5
    )
    again = TorchPredictor(
        oracle("gata1_like").module(), tasks=made.tasks, scale=made.scale, device="cpu"
    )
    other = TorchPredictor(
        Oracle(*made.terms[1:], tasks=made.tasks).module(),
        tasks=made.tasks,
        scale=made.scale,
    )
    assert predictor.fingerprint == again.fingerprint != other.fingerprint
