"""Oracles as PyTorch networks."""

from __future__ import annotations

import numpy as np
import pytest

from causalgia.errors import PredictorError
from causalgia.sequences import encode, one_hot
from causalgia.zoo import Exponential, Hill, Oracle, Saturating, Slope, Word, names, oracle

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

MORE = {
    "exp link": Oracle(Word("GA", 0.1, "both", gain=Slope(0.01)), tasks=["a", "b"], weights=[[1], [2]], link="exp"),
    "responses": Oracle(
        Saturating((Word("GA"), Word("NTR", 0.5, "both")), Hill(top=3, half=2, power=2)),
        Saturating((Word("TT"),), Exponential(top=2, scale=3)),
    ),
}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("length", [10, 120])
@pytest.mark.parametrize("name", [*names(), *MORE])
def test_twin_equals_the_oracle(name: str, length: int, dtype: str, tolerance: float) -> None:
    made = MORE.get(name) or oracle(name)
    tokens = np.random.default_rng(2).integers(0, 4, (64, length)).astype(np.uint8)
    tokens[:32, 2:8] = encode("UGCAUG")
    answer = made.module()(torch.tensor(one_hot(tokens, dtype=dtype)))
    assert str(answer.dtype) == f"torch.{dtype}"
    np.testing.assert_allclose(answer.numpy(), made.predict(tokens), rtol=tolerance, atol=tolerance)


def test_gradient_of_one_window_is_its_in_silico_mutagenesis() -> None:
    made = Oracle(Word("GATA", 2.0))
    x = torch.tensor(one_hot(encode("GATC"), dtype="float64"), requires_grad=True)
    made.module()(x).sum().backward()
    expected = np.zeros((4, 4))
    expected[0, 3] = 2.0
    np.testing.assert_array_equal(x.grad[0].numpy(), expected)


def test_a_twin_in_a_torch_predictor_answers_and_is_fingerprinted_as_the_oracle() -> None:
    from causalgia.predict import TorchPredictor

    made = oracle("gata1_like")
    tokens = np.random.default_rng(3).integers(0, 4, (9, 80)).astype(np.uint8)
    predictor = TorchPredictor(made.module(), tasks=made.tasks, scale=made.scale, device="cpu")
    np.testing.assert_allclose(predictor.predict(tokens), made.predict(tokens), rtol=1e-5, atol=1e-5)
    again = TorchPredictor(oracle("gata1_like").module(), tasks=made.tasks, scale=made.scale, device="cpu")
    other = TorchPredictor(Oracle(*made.terms[1:], tasks=made.tasks).module(), tasks=made.tasks, scale=made.scale)
    assert predictor.fingerprint == again.fingerprint != other.fingerprint


def test_wrong_channels_are_refused() -> None:
    with pytest.raises(PredictorError, match="one-hot"):
        oracle("additive").module()(torch.zeros(2, 5, 41))
