"""A factory that ignores its argument, or a forgotten weights=, runs at random weights. A user's
report.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import causalgia as cg
from causalgia.errors import CausalgiaWarning, PredictorError

torch = pytest.importorskip("torch")
CODE = """
import torch, causalgia as cg
def make():
    return torch.nn.Sequential(torch.nn.Conv1d(4, 2, 7), torch.nn.AdaptiveAvgPool1d(1),
                               torch.nn.Flatten(), torch.nn.Linear(2, 2))
def ignores(weights=None): return make()
def forgets(): return make()
def wraps(path): return cg.TorchPredictor(make(), tasks=["a", "b"], scale="z")
def seeded():
    torch.manual_seed(0)
    return make()
def loads(path):
    net = make()
    net.load_state_dict(torch.load(path, weights_only=True))
    return net
def partly(path):
    net, state = make(), torch.load(path, weights_only=True)
    net.load_state_dict({"0.weight": state["0.weight"]}, strict=False)
    return net
def answers(net, x): return net(torch.as_tensor(x)).detach().numpy()
class Wrapped:
    def __init__(self): self.net = make()
    def predict(self, x): return answers(self.net, x)
def closure(path):
    net = make()
    return lambda x: net(torch.as_tensor(x)).detach().numpy()
def bound(path): return Wrapped().predict
def function_predictor(path):
    return cg.FunctionPredictor(closure(path), tasks=["a", "b"], scale="z")
def ensemble(path): return cg.Ensemble([wraps(path), wraps(path)])
def normalized():
    net = torch.nn.Sequential(torch.nn.Conv1d(4, 3, 5), torch.nn.BatchNorm1d(3),
                              torch.nn.AdaptiveAvgPool1d(1), torch.nn.Flatten(), torch.nn.Linear(3, 2))
    return net
def fresh_averages(path):
    net, state = normalized(), torch.load(path, weights_only=True)
    net.load_state_dict({k: x for k, x in state.items() if "running" not in k}, strict=False)
    return net
def halved(path): return loads(path).half().float()
def inside(path):
    net = torch.nn.Module()
    net.inner, net.forward = loads(path), lambda x: net.inner(x)
    return net
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(CODE)
    space: dict[str, object] = {}
    exec(CODE, space)
    torch.save(space["make"]().state_dict(), tmp_path / "net.pt")
    torch.save(
        {"state_dict": space["make"]().state_dict(), "epoch": 3}, tmp_path / "ckpt.pt"
    )
    normalized = space["normalized"]()
    normalized[1].running_mean.normal_()
    normalized[1].running_var.uniform_(1, 2)
    torch.save(normalized.state_dict(), tmp_path / "normalized.pt")
    (tmp_path / "net.npz").write_bytes(b"a format of another library")
    return tmp_path


def load(folder: Path, name: str, weights: str | None) -> tuple[str, list[str]]:
    lines: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cg.load_predictor(
            f"{folder}/net.py:{name}",
            weights=None if weights is None else str(folder / weights),
            tasks=["a", "b"],
            scale="z",
            announce=lines.append,
        )
    found = [str(w.message) for w in caught if w.category is CausalgiaWarning]
    return "\n".join(lines), found


@pytest.mark.parametrize("weights", ["net.pt", "ckpt.pt", "net.npz"])
@pytest.mark.parametrize("name", ["ignores", "wraps"])
def test_a_file_that_was_not_loaded_is_a_warning(folder, name, weights):
    _, found = load(folder, name, weights)
    assert len(found) == 1


@pytest.mark.parametrize("name", ["ignores", "forgets"])
def test_forgotten_weights_are_noted(folder, name):
    printed, found = load(folder, name, None)
    assert not found
    assert len(printed.splitlines()) > 1


@pytest.mark.parametrize(
    ("name", "weights"), [("partly", "net.pt"), ("fresh_averages", "normalized.pt")]
)
def test_a_part_that_was_not_loaded_is_noted(folder, name, weights):
    printed, found = load(folder, name, weights)
    assert not found
    assert len(printed.splitlines()) > 1


def test_a_seed_hides_no_file_that_was_not_loaded(folder):
    code = CODE.replace("def seeded():", "def seeded(path=None):")
    (folder / "net.py").write_text(code)
    assert len(load(folder, "seeded", "net.pt")[1]) == 1


@pytest.mark.parametrize("name", ["closure", "bound", "function_predictor", "ensemble"])
def test_a_network_behind_a_callable_is_looked_at(folder, name):
    _, found = load(folder, name, "net.pt")
    assert found


def test_silence_is_not_for_warnings(folder):
    with pytest.warns(CausalgiaWarning):
        cg.load_predictor(
            f"{folder}/net.py:ignores",
            weights=folder / "net.pt",
            tasks=["a", "b"],
            scale="z",
            announce=None,
        )


@pytest.mark.parametrize(
    ("name", "weights"),
    [("loads", "net.pt"), ("seeded", None), ("halved", "net.pt"), ("inside", "net.pt")],
)
def test_a_network_with_its_weights_has_no_note(folder, name, weights):
    printed, found = load(folder, name, weights)
    assert not found
    assert len(printed.splitlines()) == 1  # what is imported


def test_a_class_of_networks_and_a_network_are_no_functions(folder):
    """A class takes sizes, not the path of weights; a module is not a function."""
    code = """
import torch
class Net(torch.nn.Module):
    def __init__(self, n_channels=2):
        super().__init__()
        self.line = torch.nn.Linear(4, n_channels)
    def forward(self, x): return self.line(x.mean(2))
net = Net()
def load(): return Net
"""
    (folder / "own.py").write_text(code)
    space: dict[str, object] = {}
    exec(code, space)
    net = space["net"]
    torch.save(net.state_dict(), folder / "own.pt")
    options = {"tasks": ["a", "b"], "scale": "z", "announce": None}
    loaded = cg.load_predictor(
        f"{folder}/own.py:Net", weights=folder / "own.pt", **options
    )
    assert torch.equal(loaded.module.line.weight, net.line.weight)
    with pytest.raises(PredictorError):
        cg.load_predictor(f"{folder}/own.py:net", **options)
    with pytest.raises(PredictorError):
        cg.load_predictor(f"{folder}/own.py:load", **options)
