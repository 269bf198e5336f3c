"""Predictors from the user's own file."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import MissingExtraError, PredictorError
from causalgia.predict import FunctionPredictor, Predictor, load_predictor

TOKENS = np.random.default_rng(0).integers(0, 4, (37, 11), dtype=np.uint8)


def write(path, text):
    path.write_text(textwrap.dedent(text))
    return path


def test_a_callable_from_a_file(tmp_path):
    file = write(
        tmp_path / "net.py",
        """
        TASKS = ("a", "c")
        ALPHABET = "CAGT"
        def build():
            return lambda x: x[:, [1, 0]].sum(-1)
        """,
    )
    said = []
    predictor = load_predictor(f"{file}:build", scale="letters", announce=said.append)
    assert isinstance(predictor, FunctionPredictor)
    assert (predictor.tasks, predictor.scale) == (("a", "c"), "letters")
    np.testing.assert_array_equal(predictor.predict(TOKENS)[:, 1], (TOKENS == 1).sum(1))
    assert str(file) in said[0]
    assert load_predictor(f"{file}:build", tasks=["x", "y"], announce=None).tasks == (
        "x",
        "y",
    )
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:build", alphabet="ACGT", announce=None)


def test_it_is_announced_before_it_is_imported(tmp_path):
    file = write(tmp_path / "loud.py", "raise SystemError('imported')")
    said = []
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:build", announce=said.append)
    assert len(said) == 1
    assert str(file) in said[0]


def test_the_path_is_printed_by_default(tmp_path, capsys):
    file = write(
        tmp_path / "quiet.py", "def build():\n    return lambda x: x[:, 0].sum(-1)"
    )
    load_predictor(f"{file}:build")
    assert str(file) in capsys.readouterr().out


def test_a_predictor_is_taken_as_it_is(tmp_path):
    file = write(
        tmp_path / "made.py",
        """
        import causalgia as cg
        def build(path=None):
            return cg.FunctionPredictor(lambda x: x[:, 0].sum(-1), tasks=["n"], scale=str(path))
        """,
    )
    predictor = load_predictor(f"{file}:build", announce=None)
    assert isinstance(predictor, Predictor)
    assert predictor.scale == "None"
    given = load_predictor(f"{file}:build", weights=file, tasks=["n"], announce=None)
    assert given.scale == str(file)


_READY = """
import causalgia as cg
def build():
    return cg.FunctionPredictor(
        lambda x: x[:, 0].sum(-1), tasks=["n"], scale="letters", alphabet="ACTG", batch_size=16
    )
def unnamed():
    return cg.FunctionPredictor(lambda x: x[:, 0].sum(-1))
def pair():
    other = cg.FunctionPredictor(lambda x: x[:, 1].sum(-1), tasks=["n"], scale="letters")
    return cg.Ensemble({"a": build(), "b": other})
def twice():
    return cg.Ensemble({"a": build(), "b": build()})
"""


def test_a_ready_predictor_keeps_what_it_has_and_agrees_with_what_is_said_twice(
    tmp_path,
):
    file = write(tmp_path / "ready.py", _READY)
    plain = load_predictor(f"{file}:build", announce=None)
    assert (plain.scale, plain.tasks, plain.alphabet) == ("letters", ("n",), "ACTG")
    said = {
        "tasks": ["n"],
        "scale": "letters",
        "alphabet": "acug",
        "batch_size": np.int64(16),
    }
    assert (
        load_predictor(f"{file}:build", announce=None, **said).fingerprint
        == plain.fingerprint
    )
    assert load_predictor(
        f"{file}:pair", scale="letters", tasks=["n"], announce=None
    ).models == ("a", "b")


@pytest.mark.parametrize(
    ("function", "option", "value", "message"),
    [
        ("build", "tasks", ["m"], r"tasks=\['n'\], and tasks=\['m'\]"),
        ("build", "scale", "log", "scale='letters', and scale='log'"),
        ("build", "scale", "outcome", "scale='letters', and scale='outcome'"),
        ("build", "alphabet", "ACGT", "alphabet='ACTG', and alphabet='ACGT'"),
        ("build", "batch_size", 8, "batch_size=16, and batch_size=8"),
        ("build", "device", "cpu", r"FunctionPredictor\(.*no use for device='cpu'"),
        ("unnamed", "tasks", ["m"], "no use for tasks="),
        ("pair", "alphabet", "ACTG", "no use for alphabet='ACTG'"),
        ("pair", "batch_size", 8, "no use for batch_size=8"),
        ("build", "scale", "", "scale='' must be a text"),
        (
            "twice",
            "tasks",
            None,
            "models 'a' and 'b' have the same fingerprint .* leave one of them out",
        ),
    ],
)
def test_a_ready_predictor_refuses_what_contradicts_it_or_has_no_use(
    tmp_path, function, option, value, message
):
    file = write(tmp_path / "ready.py", _READY)
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:{function}", announce=None, **{option: value})


def test_a_ready_predictor_agrees_with_its_own_file(tmp_path):
    file = write(tmp_path / "ready.py", _READY + 'ALPHABET = "ACGT"')
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:build", announce=None)
    assert load_predictor(f"{file}:pair", announce=None).models == ("a", "b")


def test_a_path_is_a_factory_too(tmp_path):
    file = write(
        tmp_path / "net.py", "def build():\n    return lambda x: x[:, 0].sum(-1)"
    )
    assert load_predictor(Path(f"{file}:build"), announce=None).predict(
        TOKENS
    ).shape == (37, 1)


def test_a_file_that_leaves_while_it_is_imported(tmp_path):
    file = write(tmp_path / "leaver.py", "import sys\nsys.exit(3)")
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:build", announce=None)


@pytest.mark.parametrize(
    "text",
    [
        "import torch\ndef build(): ...",
        "def build():\n    from torch import nn",
        "import causalgia as cg\ndef build():\n    return cg.TorchPredictor(None)",
    ],
)
def test_without_torch_a_factory_that_needs_it_names_the_extra(
    tmp_path, text, monkeypatch
):
    for name in ("causalgia.predict.torch_predictor", "causalgia.predict.torch_batch"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for package in (cg, cg.predict):
        monkeypatch.delitem(vars(package), "TorchPredictor", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    file = write(tmp_path / "torchy.py", text)
    with pytest.raises(MissingExtraError):
        load_predictor(f"{file}:build", announce=None)


def test_a_file_imports_its_neighbors_at_both_times(tmp_path):
    write(tmp_path / "near_by.py", "ROW = 1")
    write(tmp_path / "later_on.py", "GAIN = 2")
    file = write(
        tmp_path / "needy.py",
        """
        import near_by
        def build():
            import later_on
            gain = later_on.GAIN
            return lambda x: x[:, near_by.ROW].sum(-1) * gain
        """,
    )
    before = list(sys.path)
    predictor = load_predictor(f"{file}:build", announce=None)
    assert sys.path == before
    np.testing.assert_array_equal(
        predictor.predict(TOKENS)[:, 0], 2 * (TOKENS == 1).sum(1)
    )


def test_two_networks_may_have_neighbors_of_one_name(tmp_path):
    answers = []
    for row in (0, 3):
        folder = tmp_path / str(row)
        folder.mkdir()
        write(
            folder / "layers_of_it.py", f"def scan(x):\n    return x[:, {row}].sum(-1)"
        )
        file = write(
            folder / "net.py",
            "from layers_of_it import scan\ndef build():\n    return scan",
        )
        answers.append(
            load_predictor(f"{file}:build", announce=None).predict(TOKENS)[:, 0]
        )
    np.testing.assert_array_equal(answers, [(TOKENS == 0).sum(1), (TOKENS == 3).sum(1)])
    assert Path(sys.modules["layers_of_it"].__file__).parent.name == "0"


def test_a_failed_import_leaves_nothing_behind(tmp_path):
    file = write(tmp_path / "lonely.py", "import a_module_that_is_nowhere")
    before = list(sys.path)
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:build", announce=None)
    assert sys.path == before
    assert not [name for name in sys.modules if "lonely" in name]


def test_an_edit_of_the_same_size_in_the_same_second_is_seen(tmp_path):
    file = tmp_path / "net.py"
    found = []
    for column in "01":
        file.write_text(f"def load():\n    return lambda x: x[:, {column}].mean(1)\n")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        found.append(
            load_predictor(
                f"{file}:load", tasks=["y"], scale="counts", announce=None
            ).predict(TOKENS)[:, 0]
        )
    np.testing.assert_allclose(found, [(letter == TOKENS).mean(1) for letter in (0, 1)])
