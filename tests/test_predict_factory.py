# Imports from the inside: what was loaded is loaded once.
"""Predictors from a user's file, loaded again in other processes."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

from causalgia.predict import function_predictor, load_predictor

TOKENS = np.random.default_rng(0).integers(0, 4, (20, 12), dtype=np.uint8)


@pytest.fixture(autouse=True)
def _nothing_made(monkeypatch):
    monkeypatch.setattr(function_predictor, "_MADE", {})


def fresh(code, *args):
    command = [sys.executable, "-W", "error", "-c", code, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


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
