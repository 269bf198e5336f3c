# Imports from the inside: the digits of answers, which are few or many.
"""Half precision behind a function: answers rounded to bfloat16 and handed on as float32. A user's
report (check said ok: .01108, standard error .00012, where float32 gives .01139).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import CausalgiaWarning
from causalgia.predict.answer_digits import AnswerDigits

WEIGHTS = np.random.default_rng(3).normal(size=(4, 30)).astype(np.float32)
DESIGN = cg.Design(
    null=cg.Uniform(length=30),
    arms={"p": cg.Placebo("AGATAAG", at=9), "w": cg.Embed("AGATAAG", at=9)},
    n_units=40,
)


def scores(x: np.ndarray) -> np.ndarray:
    return np.tanh((x * WEIGHTS).sum((1, 2)) / 8).astype(np.float32)


def bfloat16(y: np.ndarray) -> np.ndarray:
    bits = np.ascontiguousarray(y, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32)


def float8(y: np.ndarray, n_bits: int, least: int) -> np.ndarray:
    step = np.ldexp(1.0, np.maximum(np.frexp(y)[1] - 1, least) - n_bits)
    return (np.rint(y / step) * step).astype(np.float32)


def float16(y: np.ndarray) -> np.ndarray:
    return y.astype(np.float16).astype(np.float32)


HALVES: dict[str, Any] = {
    "bfloat16": (bfloat16, {}),
    "float16": (float16, {}),
    "bfloat16 in float64": (lambda y: bfloat16(y).astype(np.float64), {}),
    "bfloat16, one of two tasks": (
        lambda y: np.stack([y, bfloat16(y)], 1),
        {"tasks": ["exact", "half"]},
    ),
    "float16 before a read-out": (
        float16,
        {"reduce": lambda y: np.log1p(np.exp(y))},
    ),
    "bfloat16, both strands averaged": (bfloat16, {"rc_average": True}),
}
WHOLE: dict[str, Any] = {
    "float32": lambda x: scores(x),
    "float64": lambda x: scores(x).astype(np.float64) * np.pi,
    "counts": lambda x: x[:, 2].sum(-1),
    "0 and 1": lambda x: (scores(x) > 0).astype(np.float32),
    "shares of 32": lambda x: x[:, 2, :16].sum(-1) / 32,
    "shares of 32 and 0": lambda x: np.minimum(x[:, 2].sum(-1), 15) / 32,
    "sums of halves": lambda x: x[:, 2].sum(-1) * 0.5 + 0.25,
    "few values": lambda x: np.float32(0.3) * (x[:, 2, 3] > 0),
}


@pytest.mark.parametrize("kind", HALVES)
def test_half_precision_is_noted_by_check_and_run(kind):
    make, options = HALVES[kind]

    def predictor() -> cg.FunctionPredictor:
        return cg.FunctionPredictor(
            lambda x: make(scores(x)), scale="z", **{"tasks": ["a"], **options}
        )

    name = kind.split()[0].rstrip(",")
    assert name in str(cg.check(DESIGN, predictor()))
    with pytest.warns(CausalgiaWarning):
        outcomes = cg.run(DESIGN, predictor(), rng=0, progress=False)
    assert name in outcomes.attrs["notes"]
    assert float(outcomes["answer_floor"].max()) > 1e-5


@pytest.mark.parametrize(
    ("name", "n_bits", "least"), [("float8_e4m3", 3, -6), ("float8_e5m2", 2, -14)]
)
def test_answers_of_8_bits_are_noted_by_check(name, n_bits, least):
    # run looks at the answers to a few sequences, which have too few values of 8 bits
    found = cg.check(
        DESIGN,
        cg.FunctionPredictor(
            lambda x: float8(4 * scores(x), n_bits, least), tasks=["a"], scale="z"
        ),
    )
    assert name in str(found)


@pytest.mark.filterwarnings("error::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize("kind", ["float32", "float64", "counts", "sums of halves"])
def test_other_answers_are_not_noted(kind):
    predictor = cg.FunctionPredictor(WHOLE[kind], tasks=["a"], scale="z")
    cg.run(DESIGN, predictor, rng=0, progress=False)
    assert predictor.rounded_to == ""


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("n", [16, 400])
def test_the_digits_of_few_and_many_answers(kind, n):
    x = np.eye(4, dtype=np.float32)[
        np.random.default_rng(n).integers(4, size=(n, 30))
    ].transpose(0, 2, 1)
    digits = AnswerDigits()
    digits.add(np.asarray(WHOLE[kind](x)))
    assert digits.format == ""


def test_a_network_that_was_accepted_is_noted_and_another_refused():
    # a second example of the kind: half precision inside of a network in PyTorch
    torch = pytest.importorskip("torch")

    class Half(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.inner = torch.nn.Linear(120, 2)

        def forward(self, x: Any) -> Any:
            return self.inner(x.flatten(1)).bfloat16().float()

    refused = cg.TorchPredictor(Half(), tasks=["a", "b"], device="cpu")
    with pytest.raises(cg.errors.PredictorError):
        cg.run(DESIGN, refused, rng=0, progress=False)
    accepted = cg.TorchPredictor(
        Half(), tasks=["a", "b"], device="cpu", dtype="float32"
    )
    with pytest.warns(CausalgiaWarning):
        cg.run(DESIGN, accepted, rng=0, progress=False)


@pytest.mark.parametrize("first", [True, False])
def test_one_member_of_an_ensemble_is_noted_wherever_it_stands(first):
    members = [
        cg.FunctionPredictor(f, tasks=["a"], scale="z")
        for f in (lambda x: bfloat16(scores(x)), lambda x: scores(x) * np.float32(0.9))
    ]
    found = cg.check(DESIGN, cg.Ensemble(members if first else members[::-1]))
    assert "bfloat16" in str(found)
