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


@pytest.mark.rotating(6)
@pytest.mark.parametrize("kind", HALVES)
def test_half_precision_is_noted_by_check_and_run(kind):
    make, options = HALVES[kind]

    def predictor() -> cg.FunctionPredictor:
        return cg.FunctionPredictor(
            lambda x: make(scores(x)), scale="z", **{"tasks": ["a"], **options}
        )

    name = kind.split()[0].rstrip(",")
    found = str(cg.check(DESIGN, predictor()))
    assert f"no more digits than {name}" in found
    assert "compute in float32" in found
    with pytest.warns(CausalgiaWarning, match=f"no more digits than {name}"):
        outcomes = cg.run(DESIGN, predictor(), rng=0, progress=False)
    assert f"no more digits than {name}" in outcomes.attrs["notes"]
    assert float(outcomes["answer_floor"].max()) > 1e-5


@pytest.mark.rotating(6)
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
    assert f"no more digits than {name}" in str(found)
    assert "of a network in 8 bits" in str(found)


@pytest.mark.filterwarnings("error::causalgia.errors.CausalgiaWarning")
@pytest.mark.parametrize("kind", ["float32", "float64", "counts", "sums of halves"])
def test_other_answers_are_not_noted(kind):
    predictor = cg.FunctionPredictor(WHOLE[kind], tasks=["a"], scale="z")
    outcomes = cg.run(DESIGN, predictor, rng=0, progress=False)
    assert "digits" not in outcomes.attrs.get("notes", "")
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


STEPS: dict[str, tuple[Any, str]] = {
    "printed to 3 decimals": (
        lambda y: np.round(y, 3),
        "0.001, as if rounded to 3 decimals",
    ),
    "printed to 2 decimals": (
        lambda y: np.round(y, 2),
        "0.01, as if rounded to 2 decimals",
    ),
    "3 decimals in float64": (
        lambda y: np.round(y.astype(np.float64), 3),
        "0.001, as if rounded to 3 decimals",
    ),
    "3 significant digits": (
        lambda y: np.array([float(f"{x * 1e-2:.2e}") for x in y], np.float32),
        "3 significant digits",
    ),
    "bfloat16 before a sigmoid": (
        lambda y: 1 / (1 + np.exp(-bfloat16(y))),
        "lie on a grid",
    ),
    "float16 before an affine map": (
        lambda y: float16(y / 8) * np.float32(2.5) + np.float32(1),
        "lie on a grid",
    ),
    "3 significant digits of which the last are even": (
        # the smallest are multiples of 2e-5: not shares of 50,000
        lambda y: np.concatenate(
            [
                np.round(np.where(np.abs(y[:-3]) < 0.1, 0.5, y[:-3]), 3),
                np.array([0.00124, 0.00132, 0.0468], y.dtype),
            ]
        ),
        "3 significant digits",
    ),
    "mean of 3 in bfloat16": (
        lambda y: np.mean(
            [bfloat16(y), bfloat16(y[::-1] / 2), bfloat16(np.roll(y, 5))], axis=0
        ),
        "mean or sum of several numbers in half precision",
    ),
    "mean of 8 in float16": (
        lambda y: np.mean([float16(np.roll(y, i)) for i in range(8)], axis=0),
        "mean or sum of several numbers in half precision",
    ),
    "8 bits": (
        lambda y: (np.rint(y / 0.0137) * 0.0137).astype(np.float32),
        "multiples of 0.0137",
    ),
}


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("n", [256, 512])
def test_answers_on_steps(kind, n):
    # a third example: what was printed, quantized, or rounded before a read-out
    make, words = STEPS[kind]
    x = np.eye(4, dtype=np.float32)[
        np.random.default_rng(n).integers(4, size=(n, 30))
    ].transpose(0, 2, 1)
    digits = AnswerDigits()
    digits.add(make(scores(x)))
    assert words in digits.steps
    assert digits.format == ""


def test_steps_are_noted_by_check():
    predictor = cg.FunctionPredictor(
        lambda x: np.round(scores(x), 3), tasks=["a"], scale="z"
    )
    found = str(cg.check(DESIGN, predictor))
    assert "note  digits" in found
    assert "are whole multiples of 0.001, as if rounded to 3 decimals" in found
    assert "return all digits" in found


@pytest.mark.parametrize(
    "kind", ["float32", "float64", "counts", "0 and 1", "shares of 32", "few values"]
)
def test_answers_with_steps_of_their_own_are_not_noted(kind):
    x = np.eye(4, dtype=np.float32)[
        np.random.default_rng(2).integers(4, size=(400, 30))
    ].transpose(0, 2, 1)
    for answers in (WHOLE[kind](x), np.maximum(scores(x), 0), x[:, 2].mean(-1)):
        digits = AnswerDigits()
        digits.add(np.asarray(answers))
        assert digits.steps == ""


def test_shares_of_a_long_window_are_a_grid():
    digits = AnswerDigits()
    digits.add(np.random.default_rng(0).integers(0, 257, size=(400, 1)) / 256)
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
    with pytest.raises(cg.errors.PredictorError, match="computes in bfloat16"):
        cg.run(DESIGN, refused, rng=0, progress=False)
    accepted = cg.TorchPredictor(
        Half(), tasks=["a", "b"], device="cpu", dtype="float32"
    )
    with pytest.warns(CausalgiaWarning, match="no more digits than bfloat16"):
        cg.run(DESIGN, accepted, rng=0, progress=False)


@pytest.mark.parametrize(("center", "spread"), [(0.3, 1e-6), (-7.0, 2e-5), (0.3, 1e-2)])
def test_close_answers_in_float32_are_not_on_a_grid(center, spread):
    rng = np.random.default_rng(8)
    answers = (center + spread * rng.normal(size=(400, 1))).astype(np.float32)
    digits = AnswerDigits()
    digits.add(answers)
    assert digits.steps == ""


def test_a_grid_of_many_float32_steps_is_still_one():
    rng = np.random.default_rng(8)
    answers = 0.3 + 2e-5 * rng.normal(size=(400, 1))
    digits = AnswerDigits()
    digits.add((np.rint(answers / 4.1e-7) * 4.1e-7 + 0.0123).astype(np.float32))
    assert "on a grid" in digits.steps


SUMS: dict[str, tuple[Any, float, float, int]] = {
    # rounding, mean and sd of a head, number of heads
    "two in bfloat16, of one binade": (bfloat16, 3.0, 0.3, 2),
    "two in bfloat16, of two binades": (bfloat16, 8.0, 1.0, 2),
    "three in bfloat16, of one binade": (bfloat16, -5.5, 0.6, 3),
    "two in float16": (float16, 3.0, 0.3, 2),
    "five in float16": (float16, 100.0, 10.0, 5),
    "two in e4m3": (lambda y: float8(y, 3, -6), 0.0, 2.0, 2),
    "two in e5m2": (lambda y: float8(y, 2, -14), 0.0, 2.0, 2),
}


@pytest.mark.parametrize("take", [np.sum, np.mean])
@pytest.mark.parametrize("kind", SUMS)
def test_sums_and_means_of_heads_are_noted(kind, take):
    # sums of numbers of one binade are multiples of one step, as shares are
    rounded, center, spread, n = SUMS[kind]
    rng = np.random.default_rng(0)
    shared = rng.normal(size=256)
    heads = [
        rounded((center + spread * (shared + rng.normal(size=256))).astype(np.float32))
        for _ in range(n)
    ]
    digits = AnswerDigits()
    digits.add(take(heads, axis=0).astype(np.float32)[:, None])
    assert "mean or sum of several numbers" in digits.steps


def test_the_sum_of_two_heads_is_noted_by_check():
    def both(x: np.ndarray) -> np.ndarray:
        y = scores(x) / 3
        return bfloat16(1.5 + y) + bfloat16(1.5 - y[::-1] / 2)

    found = str(cg.check(DESIGN, cg.FunctionPredictor(both, tasks=["a"], scale="z")))
    assert "have few binary digits, as the mean or sum of several numbers" in found


@pytest.mark.parametrize(
    ("second", "seen"),
    [
        (lambda y: bfloat16(np.float32(0.5) - y), True),
        (lambda y: -bfloat16(np.float32(0.5) - y * y), True),
        (lambda y: np.float32(0.5) - y, False),
    ],
)
def test_two_heads_are_seen_where_the_docs_of_check_say(second, seen):
    """The sum of two leaves few digits; beside float32, none are fewer."""

    def both(x: np.ndarray) -> np.ndarray:
        y = scores(x)
        return bfloat16(y) + second(scores(x[:, ::-1]) / np.float32(2))

    found = cg.check(DESIGN, cg.FunctionPredictor(both, tasks=["a"], scale="z"))
    assert ("few binary digits" in str(found)) == seen
    assert "added to one in float32 leaves no trace" in cg.check.__doc__


EXACT_STEPS: dict[str, Any] = {
    "twice a share of 512": lambda c, d: 2 * c / 512,
    "two shares of 256": lambda c, d: (c + d) / 256,
    "difference of shares": lambda c, d: (c - d) / 512,
    "percentage of 64": lambda c, d: 100 * c / 64,
    "weighted counts": lambda c, d: 0.25 * c + 0.125 * d + 1,
    "eighths": lambda c, d: (3 * c - d) / 8,
    "pairs": lambda c, d: c * (c - 1) / 2,
    "capped": lambda c, d: np.minimum(c, 170) / 128,
    "mean of three counts": lambda c, d: (c + d + 1) / 3,
}


@pytest.mark.parametrize("kind", EXACT_STEPS)
def test_weighted_counts_and_shares_are_not_noted_as_sums(kind):
    rng = np.random.default_rng(6)
    for share in (0.1, 0.25, 0.4):
        c, d = rng.binomial(512, share, size=(2, 400)).astype(np.float32)
        digits = AnswerDigits()
        digits.add(np.asarray(EXACT_STEPS[kind](c, d))[:, None])
        assert "binary digits" not in digits.steps


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("center", "spread"),
    [(45.0, 1.0), (-80.0, 3.0), (500.0, 20.0), (5e4, 1e3), (1e6, 1e5)],
)
def test_exact_answers_far_from_zero_are_not_decimals(dtype, center, spread):
    # a float32 of 100 has five decimals: all of them are multiples of 0.00001
    rng = np.random.default_rng(1)
    answers = (center + spread * rng.normal(size=(256, 1))).astype(np.float32)
    digits = AnswerDigits()
    digits.add(answers.astype(dtype))
    assert digits.steps == ""
    rounded = AnswerDigits()
    decimals = 1 if abs(center) < 1e3 else -1
    rounded.add(np.round(answers.astype(dtype), decimals))
    assert ("rounded to 1 decimal" in rounded.steps) == (decimals == 1)


@pytest.mark.parametrize("length", [60, 114, 249])
def test_percentages_are_not_noted(length):
    count = np.random.default_rng(0).binomial(length, 0.4, size=(512, 1))
    digits = AnswerDigits()
    digits.add((100 * (count / length).astype(np.float32)).astype(np.float32))
    assert digits.steps == ""


@pytest.mark.rotating(6)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (bfloat16, "no more digits than bfloat16"),
        (lambda y: np.round(y, 3), "decimals"),
    ],
)
def test_one_member_of_an_ensemble_is_noted_wherever_it_stands(make, words, first):
    members = [
        cg.FunctionPredictor(f, tasks=["a"], scale="z")
        for f in (lambda x: make(scores(x)), lambda x: scores(x) * np.float32(0.9))
    ]
    found = cg.check(DESIGN, cg.Ensemble(members if first else members[::-1]))
    assert words in str(found)


@pytest.mark.parametrize("largest", [0.25, 0.03])
def test_sums_of_larger_terms_are_on_the_grid_of_these_terms(largest):
    # "a grid, with steps of about 1.5e-08" was said of small networks in float32, of which batches of
    # another size answer with another last digit
    for seed in range(20):
        random = np.random.default_rng(seed)
        terms = np.repeat(random.normal(0.2, 0.01, 20), 4).astype(np.float32)
        terms += (random.integers(0, 4, 80) * 2.0**-26).astype(np.float32)
        digits = AnswerDigits()
        digits.add(np.append(terms - np.float32(0.19), np.float32(largest))[:, None])
        assert not digits.steps
        assert not digits.format
