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
    assert any("TASKS" in line for line in said)
    assert any("CAGT" in line for line in said)
    assert load_predictor(f"{file}:build", tasks=["x", "y"], announce=None).tasks == (
        "x",
        "y",
    )
    with pytest.raises(
        PredictorError, match=r"alphabet='ACGT', but .*net\.py says ALPHABET = 'CAGT'"
    ):
        load_predictor(f"{file}:build", alphabet="ACGT", announce=None)


def test_it_is_announced_before_it_is_imported(tmp_path):
    file = write(tmp_path / "loud.py", "raise SystemError('imported')")
    said = []
    with pytest.raises(
        PredictorError,
        match=r"loud.py: importing it failed \(line 1\): SystemError: imported",
    ):
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
    with pytest.raises(PredictorError, match=message):
        load_predictor(f"{file}:{function}", announce=None, **{option: value})


def test_a_ready_predictor_agrees_with_its_own_file(tmp_path):
    file = write(tmp_path / "ready.py", _READY + 'ALPHABET = "ACGT"')
    with pytest.raises(PredictorError, match="alphabet='ACTG', and alphabet='ACGT'"):
        load_predictor(f"{file}:build", announce=None)
    assert load_predictor(f"{file}:pair", announce=None).models == ("a", "b")


@pytest.mark.parametrize(
    ("constant", "message"),
    [
        ("TASKS = 3", r"odd\.py: TASKS = 3: .*one or more names"),
        ("TASKS = ['a', 'a']", "task 'a' is named twice"),
        ("ALPHABET = 3", r"odd\.py: ALPHABET = 3 must be four letters"),
    ],
)
def test_odd_constants_of_a_file(tmp_path, constant, message):
    file = write(
        tmp_path / "odd.py",
        constant + "\ndef build():\n    return lambda x: x[:, 0].sum(-1)",
    )
    with pytest.raises(PredictorError, match=message):
        load_predictor(f"{file}:build", announce=None)


def test_a_path_is_a_factory_too(tmp_path):
    file = write(
        tmp_path / "net.py", "def build():\n    return lambda x: x[:, 0].sum(-1)"
    )
    assert load_predictor(Path(f"{file}:build"), announce=None).predict(
        TOKENS
    ).shape == (37, 1)


def test_a_file_that_leaves_while_it_is_imported(tmp_path):
    file = write(tmp_path / "leaver.py", "import sys\nsys.exit(3)")
    with pytest.raises(
        PredictorError,
        match=r"leaver\.py: importing it failed \(line 2\): SystemExit: 3",
    ):
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
    with pytest.raises(
        MissingExtraError, match=r"torchy\.py.*pip install 'causalgia\[torch\]'"
    ) as caught:
        load_predictor(f"{file}:build", announce=None)
    assert "\n" not in str(caught.value)


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
    with pytest.raises(
        PredictorError,
        match=r"lonely\.py: importing it failed \(line 1\): ModuleNotFoundError",
    ):
        load_predictor(f"{file}:build", announce=None)
    assert sys.path == before
    assert not [name for name in sys.modules if "lonely" in name]


_BROKEN = """
import math
import sys
def first(): return 3
def second(path): return 1 / 0
def third(a, b): return a
def fourth(): return lambda x: x
def fifth(): sys.exit("no network today")
def sixth(path): raise RuntimeError("Error in loading:\\n\\tMissing key(s): a, b.\\n\\tsize mismatch for c")
seventh = dict
"""


@pytest.mark.parametrize(
    ("function", "weights", "message"),
    [
        ("first", False, "broken.py:first returned an int; return a torch module"),
        (
            "missing",
            False,
            "broken.py has no function 'missing'; it has: first, second, third, "
            "fourth, fifth, sixth",
        ),
        (
            "second",
            True,
            r"broken.py:second raised ZeroDivisionError: division by zero \(line 5\)",
        ),
        ("second", False, "second takes 'path' and no weights were given"),
        ("third", True, "third takes 2 arguments"),
        ("fourth", True, "takes no argument and returned a function"),
        (
            "fifth",
            False,
            r"broken.py:fifth raised SystemExit: no network today \(line 8\)",
        ),
        (
            "sixth",
            True,
            r"Missing key\(s\): a, b. size mismatch for c \(line 9\); correct.*or is "
            r".*broken.py another's",
        ),
        (
            "seventh",
            False,
            r"seventh is <class 'dict'>, whose arguments cannot be seen.*def "
            r"seventh\(path\)",
        ),
    ],
)
def test_what_a_file_can_do_wrong(tmp_path, function, weights, message):
    file = write(tmp_path / "broken.py", _BROKEN)
    with pytest.raises(PredictorError, match=message) as caught:
        load_predictor(
            f"{file}:{function}", weights=file if weights else None, announce=None
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("net.py", "write 'file.py:function'"),
        (":load", "write 'file.py:function'"),
        ("net.py:load()", "write 'file.py:function'"),
        ("absent.py:load", "no Python file absent.py"),
        (Path("net.py"), "write 'file.py:function'"),
        (3, "factory=3; write 'file.py:function'"),
        (None, "factory=None; write 'file.py:function'"),
    ],
)
def test_a_factory_that_is_none(factory, message):
    with pytest.raises(PredictorError, match=message):
        load_predictor(factory, announce=None)


def test_absent_weights_are_named(tmp_path):
    file = write(tmp_path / "broken.py", _BROKEN)
    with pytest.raises(PredictorError, match=r"absent\.safetensors'?: no such file"):
        load_predictor(
            f"{file}:second", weights=tmp_path / "absent.safetensors", announce=None
        )


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


@pytest.mark.parametrize("arguments", ["path", ""])
def test_the_line_holds_whether_or_not_the_function_takes_the_weights(
    tmp_path, arguments
):
    pytest.importorskip("torch")
    file = write(
        tmp_path / "net.py",
        f"""
        import torch
        def load({arguments}):
            net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 1))
            {"net.load_state_dict(torch.load(path))" if arguments else ""}
            return net
        """,
    )
    import torch

    weights = tmp_path / "net.pt"
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 1))
    torch.save(net.state_dict(), weights)
    said = []
    load_predictor(
        f"{file}:load", weights=weights, tasks=["a"], scale="x", announce=said.append
    )
    assert said == [f"predictor: importing {file} and calling load; weights: {weights}"]
