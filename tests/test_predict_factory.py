# Imports from the inside: how far contrasts deviate, against a binomial; what was made is
# made once.
"""Predictors in other processes, made or loaded again there; and how far the contrasts
of a fast one deviate.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import EstimateError, PredictorError
from causalgia.predict import function_predictor, load_predictor
from causalgia.predict.answer_comparisons import contrast_deviation

TOKENS = np.random.default_rng(0).integers(0, 4, (20, 12), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _nothing_made(monkeypatch):
    monkeypatch.setattr(function_predictor, "_MADE", {})


def count_a():
    handle = threading.Lock()  # cannot be pickled

    def answer(x):
        with handle:
            return x[:, 0].sum(-1)

    return cg.FunctionPredictor(answer, tasks=["A"], scale="letters", fingerprint="a")


def fresh(code, *args):
    command = [sys.executable, "-W", "error", "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


# --- a predictor that is made where it is asked ---------------------------------------


def test_it_is_made_at_the_first_question_and_once():
    made = cg.predict.PredictorFactory(count_a)
    assert function_predictor._MADE == {}
    np.testing.assert_array_equal(
        made.predict(TOKENS), (TOKENS == 0).sum(1, keepdims=True)
    )
    for other in (
        cg.predict.PredictorFactory(count_a),
        pickle.loads(pickle.dumps(made)),
    ):
        np.testing.assert_array_equal(other.predict(TOKENS), made.predict(TOKENS))
    assert len(function_predictor._MADE) == 1


def test_it_is_what_it_makes():
    made, plain = cg.predict.PredictorFactory(count_a), count_a()
    for name in ("tasks", "scale", "models", "fingerprint", "precision"):
        assert getattr(made, name) == getattr(plain, name), name
    assert made.resolve_batch_size(12) == plain.resolve_batch_size(12)
    assert made.backgrounds_at_once(12) == 0
    assert made.parts == (made,)
    other = cg.FunctionPredictor(
        lambda x: x[:, 1].sum(-1), tasks=plain.tasks, scale=plain.scale
    )
    pair = cg.predict.PredictorFactory(
        lambda: cg.Ensemble({"one": count_a(), "two": other}, differ_by="folds")
    )
    assert pair.differ_by == "folds"
    assert (pair.models, len(pair.parts)) == (("one", "two"), 2)


def test_a_trial_of_a_factory_is_that_of_its_predictor():
    arms = {"untreated": cg.Untreated(), "A": cg.Embed("AAAA", at=10)}
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=50)
    by_factory, plain = (
        cg.run(design, p, rng=3, progress=False)
        for p in (cg.predict.PredictorFactory(count_a), count_a())
    )
    assert by_factory.identical(plain)


def test_what_cannot_be_read_is_not_taken_for_another():
    class Handle:
        """State that no fingerprint can read."""

        __slots__ = ("lock", "row")

        def __init__(self, row):
            self.lock, self.row = threading.Lock(), row

    first, second = Handle(0), Handle(1)
    makes = [
        cg.predict.PredictorFactory(
            lambda handle=handle: cg.FunctionPredictor(
                lambda x: x[:, handle.row].sum(-1)
            )
        )
        for handle in (first, second)
    ]
    for row, made in enumerate(makes):
        np.testing.assert_array_equal(
            made.predict(TOKENS), (row == TOKENS).sum(1, keepdims=True)
        )


def test_batch_sizes_wait_for_the_predictor():
    sizes = {}

    class Sized(cg.FunctionPredictor):
        def batches(self):
            return dict(sizes)

        def fix_batches(self, given):
            sizes.update(given)

    made = cg.predict.PredictorFactory(lambda: Sized(lambda x: x[:, 0].sum(-1)))
    made.fix_batches({12: 5})
    assert made.batches() == {12: 5}
    assert sizes == {}
    made.predict(TOKENS)
    assert sizes == made.batches() == {12: 5}


def test_choices_wait_for_the_predictor_and_travel():
    class Choosing(cg.FunctionPredictor):
        told = None

        def choices(self):
            return self.told or {}

        def choose(self, given):
            self.told = dict(given)

    made = cg.predict.PredictorFactory(
        lambda: Choosing(lambda x: x[:, 0].sum(-1), fingerprint="chooses")
    )
    assert made.choices() == {}
    made.choose({"12:8": True})
    assert made.choices() == {"12:8": True}
    made.predict(TOKENS)
    assert made.made.told == made.choices() == {"12:8": True}
    assert made.__getstate__()["_chosen"] == {"12:8": True}


def reads_a_file(path):
    def build():
        weight = float(path.read_text())
        return cg.FunctionPredictor(
            lambda x: x[:, 0].sum(-1) * weight, fingerprint=str(weight)
        )

    return build


def test_what_was_made_before_a_file_changed_is_made_again(tmp_path):
    cloudpickle = pytest.importorskip("cloudpickle")
    path = tmp_path / "weight"
    build = reads_a_file(path)
    counts = (TOKENS == 0).sum(1, keepdims=True)
    sent = []
    for weight in (1.0, 5.0):
        path.write_text(str(weight))
        made = cg.predict.PredictorFactory(build)
        np.testing.assert_array_equal(made.predict(TOKENS), counts * weight)
        sent.append(cloudpickle.dumps(made))
        opened = cloudpickle.loads(sent[-1])
        np.testing.assert_array_equal(opened.predict(TOKENS), counts * weight)
        assert opened.made is made.made  # once in each process
    assert len(function_predictor._MADE) == 1
    with pytest.raises(PredictorError):
        cloudpickle.loads(sent[0]).predict(TOKENS)


# --- a predictor from a user's file ---------------------------------------------------

_LOAD = """
import pickle, sys, numpy as np
tokens = np.random.default_rng(0).integers(0, 4, (20, 12), dtype=np.uint8)
try:
    predictor = pickle.load(open(sys.argv[1], "rb"))
    print(predictor.predict(tokens).sum(), predictor.fingerprint, predictor is pickle.load(open(sys.argv[1], "rb")))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "letters_of_mine.py").write_text("WEIGHTS = 3\n")
    path = tmp_path / "net_of_mine.py"
    path.write_text(
        "import letters_of_mine\n"
        "def load():\n"
        "    return lambda x: letters_of_mine.WEIGHTS * x[:, 0].sum(-1)\n"
    )
    return path


@pytest.mark.parametrize("by", ["pickle", "cloudpickle"])
def test_a_loaded_predictor_is_loaded_again_elsewhere(tmp_path, file, by, monkeypatch):
    monkeypatch.chdir(tmp_path)
    predictor = load_predictor("net_of_mine.py:load", announce=None)
    sent = tmp_path / "sent.pkl"
    sent.write_bytes(pytest.importorskip(by).dumps(predictor))
    total = 3.0 * (TOKENS == 0).sum()
    assert fresh(_LOAD, sent).stdout.split() == [
        str(total),
        predictor.fingerprint,
        "True",
    ]


@pytest.mark.simulation
def test_a_file_that_is_absent_or_another_elsewhere_is_said(tmp_path, file):
    predictor = load_predictor(f"{file}:load", announce=None)
    sent = tmp_path / "sent.pkl"
    sent.write_bytes(pickle.dumps(predictor))
    (tmp_path / "letters_of_mine.py").write_text("WEIGHTS = 4\n")
    assert "PredictorError" in fresh(_LOAD, sent).stdout
    file.unlink()
    assert "PredictorError" in fresh(_LOAD, sent).stdout


# --- contrasts ------------------------------------------------------------------------


def arms(n=4_000, length=30):
    control = np.random.default_rng(1).integers(0, 4, (n, length), dtype=np.uint8)
    return {
        "control": control,
        "A6": np.where(np.arange(length) < 6, np.uint8(0), control),
    }


def test_a_shift_of_every_answer_cancels_and_a_shift_of_the_treated_does_not():
    exact = cg.FunctionPredictor(lambda x: x[:, 0].sum(-1), dtype="float64")
    shifted = cg.FunctionPredictor(lambda x: x[:, 0].sum(-1) + 7, dtype="float64")
    found = contrast_deviation(shifted, exact, arms())
    assert (found.contrasts, float(found.rms[0, 0]), float(found.bias_in_se[0, 0])) == (
        ("A6",),
        0,
        0,
    )
    treated = cg.FunctionPredictor(
        lambda x: x[:, 0].sum(-1) + 0.25 * (x[:, 0, :6].sum(-1) == 6), dtype="float64"
    )
    found = contrast_deviation(treated, exact, arms(), n_units=400)
    sd = np.sqrt(6 * 3 / 16)  # the contrast is 6 minus a binomial (6, 1/4)
    # a control that is A6 itself has chance 2e-4
    np.testing.assert_allclose(found.bias[0, 0], 0.25 / sd, rtol=0.05)
    np.testing.assert_allclose(found.bias_in_se, found.bias * 20)
    np.testing.assert_allclose(found.rms, found.bias, rtol=1e-3)


def test_noise_is_told_from_bias():
    exact = cg.FunctionPredictor(lambda x: x[:, 0].sum(-1), dtype="float64")
    rounded = cg.FunctionPredictor(
        lambda x: np.round(x[:, 0].sum(-1) / 3) * 3, dtype="float64"
    )
    found = contrast_deviation(rounded, exact, arms())
    assert abs(found.bias[0, 0]) < 4 * found.bias_mcse[0, 0]
    assert found.rms[0, 0] > 20 * found.bias_mcse[0, 0]


def test_contrasts_keep_tasks_and_models():
    pair = cg.Ensemble(
        [cg.FunctionPredictor(lambda x, k=k: x[:, :2].sum(-1) * k) for k in (1, 2)]
    )
    found = contrast_deviation(pair, pair, arms(50))
    assert found.rms.shape == found.bias.shape == (1, 2, 2)
    assert not found.rms.any()


def test_deviations_that_cannot_be_had():
    exact = cg.FunctionPredictor(lambda x: x[:, 0].sum(-1))
    constant = cg.FunctionPredictor(lambda x: x[:, 0, :6].sum(-1) * 0)
    with pytest.raises(EstimateError):
        contrast_deviation(exact, constant, arms(10))
    for given in (
        {"control": TOKENS},
        {"control": TOKENS, "A": TOKENS[:3]},
        {"c": TOKENS[:1], "A": TOKENS[:1]},
    ):
        with pytest.raises(EstimateError):
            contrast_deviation(exact, exact, given)
    with pytest.raises(PredictorError):
        contrast_deviation(exact, np.sum, arms(10))
    with pytest.raises(PredictorError):
        contrast_deviation(
            exact, cg.FunctionPredictor(lambda x: x[:, :2].sum(-1)), arms(10)
        )


@pytest.mark.torch
def test_float32_against_its_reference():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv1d(4, 8, 7),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(192, 2),
    )
    plain = cg.TorchPredictor(
        net, tasks=["a", "b"], device="cpu", alphabet="TGCA", rc_average=True
    )
    exact = plain.reference()
    assert exact.precision == np.float64
    assert plain.precision == np.float32
    assert next(net.parameters()).dtype is torch.float32
    assert (exact.tasks, exact.alphabet, exact.rc_average) == (("a", "b"), "TGCA", True)
    found = contrast_deviation(plain, exact, arms(200))
    assert (found.rms > 0).all()
    assert found.rms.max() < 1e-5
    assert contrast_deviation(exact, exact, arms(200)).rms.max() == 0
