# Imports from the inside: what a fingerprint knows of a class.
"""Calls into a user's network outside the forward pass: eval, to, copies, hooks; TorchScript,
torch.export, quantization. A user's report (DeepLIFT of TorchScript raised RuntimeError of torch).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import causalgia as cg
from causalgia.errors import CausalgiaError, PredictorError

torch = pytest.importorskip("torch")
pytest.importorskip("tangermeme")
SEQUENCES = ["ACGTTGCATGACCAGTTAGACATTGACAGG", "TTGACCAGTACGGATCAGATTACCAGATCA"]
DESIGN = cg.Design(
    null=cg.Uniform(length=30),
    arms={"p": cg.Placebo("AGATAAG", at=9), "w": cg.Embed("AGATAAG", at=9)},
    n_units=4,
)


def network() -> Any:
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Conv1d(4, 6, 7),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool1d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(6, 2),
    ).eval()


class Whole(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = network()

    def forward(self, x: Any) -> Any:
        return self.inner(x)


class NoCopy(Whole):
    def __deepcopy__(self, memo: object) -> Any:
        raise TypeError("no copy of this")


class Locked(Whole):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class Hooked(Whole):
    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, Any] = {}
        self.inner[0].register_forward_hook(lambda _, __, y: self.seen.update(y=y))


class NoTrain(Whole):
    def train(self, mode: bool = True) -> Any:
        raise ValueError("no train here")


class NoParameters(Whole):
    def parameters(self, recurse: bool = True) -> Any:
        raise ValueError("no parameters here")


class NoMove(Whole):
    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        raise ValueError("no move")


def exported(rows: int, *, dynamic: bool) -> Any:
    shapes = ({0: torch.export.Dim("n", min=1)},) if dynamic else None
    x = torch.zeros(rows, 4, 30)
    return torch.export.export(network(), (x,), dynamic_shapes=shapes).module()


NETWORKS: dict[str, Callable[[], Any]] = {
    "plain": network,
    "scripted": lambda: torch.jit.script(network()),
    "traced": lambda: torch.jit.trace(network(), torch.zeros(2, 4, 30)),
    "frozen": lambda: torch.jit.freeze(torch.jit.script(network())),
    "exported": lambda: exported(2, dynamic=True),
    "exported for two": lambda: exported(2, dynamic=False),
    "quantized": lambda: torch.ao.quantization.quantize_dynamic(
        network(), {torch.nn.Linear}
    ),
    "no copy": NoCopy,
    "locked": Locked,
    "hooked": Hooked,
    "no train": NoTrain,
    "no parameters": NoParameters,
    "no move": NoMove,
}
ASKS: dict[str, Callable[[Any], object]] = {
    "run": lambda p: cg.run(DESIGN, p, rng=0, progress=False),
    "reference": lambda p: p.reference(),
    "fingerprint": lambda p: p.fingerprint,
    "filters": lambda p: cg.attribution.filters(p, "0", SEQUENCES),
    "nullified": lambda p: cg.run(
        DESIGN, cg.attribution.Nullified(p, "0", [1]), rng=0, progress=False
    ),
    "randomized": lambda p: cg.attribution.randomized(p, rng=0),
    **{
        method: lambda p, method=method: cg.attribute(
            SEQUENCES,
            p,
            method=method,
            progress=False,
            **({} if method in ("ism", "gradient") else {"n_baselines": 2, "rng": 0}),
        )
        for method in ("ism", "gradient", "integrated_gradients", "deeplift")
    },
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", NETWORKS)
def test_any_network_runs_or_is_refused_by_name(kind):
    refused: list[str] = []
    try:
        predictor = cg.TorchPredictor(
            NETWORKS[kind](), tasks=["a", "b"], scale="z", device="cpu"
        )
    except PredictorError as error:
        refused.append(str(error))
        predictor = None
    for ask in ASKS.values() if predictor is not None else ():
        try:
            ask(predictor)
        except CausalgiaError as error:
            refused.append(str(error))
    assert all(refused)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["scripted", "exported", "frozen", "no copy"])
def test_a_trial_and_ism_run(kind):
    predictor = cg.TorchPredictor(NETWORKS[kind](), tasks=["a", "b"], device="cpu")
    plain = cg.TorchPredictor(network(), tasks=["a", "b"], device="cpu")
    for ask in (ASKS["run"], ASKS["ism"], ASKS["gradient"]):
        if kind == "no copy" and ask is ASKS["gradient"]:
            continue
        made, wanted = ask(predictor), ask(plain)
        name = "outcome" if "outcome" in made else "score"
        assert made[name].to_numpy() == pytest.approx(wanted[name].to_numpy(), abs=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "ask", "error"),
    [
        ("scripted", "deeplift", PredictorError),
        ("exported", "deeplift", PredictorError),
        ("quantized", "deeplift", PredictorError),
        ("quantized", "run", PredictorError),
        ("scripted", "filters", PredictorError),
        ("exported", "nullified", PredictorError),
        ("no train", "run", PredictorError),
        ("locked", "deeplift", PredictorError),
    ],
)
def test_kinds_without_layers_or_gradients_are_refused(kind, ask, error):
    made = NETWORKS[kind]()
    if kind == "no train":
        made.training = True
    predictor = cg.TorchPredictor(made, tasks=["a", "b"], device="cpu")
    with pytest.raises(error):
        ASKS[ask](predictor)


class Sorts(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.last = torch.nn.Conv1d(4, 6, 7), torch.nn.Linear(6, 2)

    def forward(self, x: Any) -> Any:
        h = torch.relu(self.inner(x)).sort(-1).values[..., -5:].mean(-1)
        return self.last((h / (h.norm(dim=1, keepdim=True) + 1)).cumprod(1))


def test_operations_of_the_rules_themselves_are_not_listed():
    torch.manual_seed(0)
    predictor = cg.TorchPredictor(Sorts(), tasks=["a", "b"], device="cpu")
    with pytest.raises(PredictorError):
        cg.attribute(SEQUENCES, predictor, method="deeplift", rng=0, progress=False)


class NoWords(Whole):
    def extra_repr(self) -> str:
        raise ValueError("no words")


def test_a_class_that_cannot_describe_itself_has_a_fingerprint():
    from causalgia.predict.fingerprint import structure_of

    assert structure_of(NoWords()) == structure_of(NoWords())
    assert structure_of(NoWords()) != structure_of(Whole())
    predictor = cg.TorchPredictor(NoWords(), tasks=["a", "b"], device="cpu")
    assert cg.run(DESIGN, predictor, rng=0, progress=False).sizes["unit"] == 4


class WordlessError(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class FailsWithoutWords(Whole):
    def forward(self, x: Any) -> Any:
        raise WordlessError


class AnyAttributeIsAKey(Whole):
    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            raise KeyError(name) from None


def test_an_error_that_cannot_be_written_is_named_by_its_type():
    predictor = cg.TorchPredictor(FailsWithoutWords(), tasks=["a", "b"], device="cpu")
    with pytest.raises(PredictorError):
        cg.run(DESIGN, predictor, rng=0, progress=False)


@pytest.mark.simulation
def test_a_class_that_raises_another_error_for_attributes_is_checked():
    predictor = cg.TorchPredictor(AnyAttributeIsAKey(), tasks=["a", "b"], device="cpu")
    whole = cg.TorchPredictor(Whole(), tasks=["a", "b"], device="cpu")
    assert cg.check(DESIGN, predictor).verdict == cg.check(DESIGN, whole).verdict


class OwnAttributesAreKeys(AnyAttributeIsAKey):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # copies look for these
            raise AttributeError(name)
        return super().__getattr__(name)


class OwnBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        raise KeyError("saved")


class FailsOnTheWayBack(Whole):
    def forward(self, x: Any) -> Any:
        return OwnBackward.apply(super().forward(x))


@pytest.mark.parametrize(
    ("net", "method"),
    [
        (OwnAttributesAreKeys, "deeplift"),
        (FailsOnTheWayBack, "deeplift"),
        (FailsOnTheWayBack, "gradient"),
    ],
)
def test_own_code_that_fails_on_the_way_back_is_named(net, method):
    predictor = cg.TorchPredictor(net(), tasks=["a", "b"], device="cpu")
    rng = 0 if method == "deeplift" else None
    with pytest.raises(PredictorError):
        cg.attribute(SEQUENCES, predictor, method=method, rng=rng)
    cg.attribute(SEQUENCES, predictor, method="ism")  # the cure


def test_a_network_without_values_is_refused_and_runs_once_loaded():
    with torch.device("meta"):
        net = Whole()
    with pytest.raises(PredictorError):
        cg.TorchPredictor(net, tasks=["a", "b"])
    net.load_state_dict(Whole().state_dict(), assign=True)
    loaded = cg.TorchPredictor(net, tasks=["a", "b"], device="cpu")
    whole = cg.TorchPredictor(Whole(), tasks=["a", "b"], device="cpu")
    first, second = (
        cg.run(DESIGN, each, rng=0, progress=False) for each in (loaded, whole)
    )
    assert (first["outcome"] == second["outcome"]).all()


@pytest.mark.simulation
@pytest.mark.parametrize("make", [lambda y: y.argmax(1, True), lambda y: y > 0])
def test_a_network_of_whole_numbers_or_flags_is_checked(make):
    # "data type int64 not inexact", of the comparison with the incremental path
    class Called(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def forward(self, x: object) -> object:
            return make(self.net(x))[:, :1]

    predictor = cg.TorchPredictor(Called(), tasks=["a"], device="cpu")
    assert cg.check(DESIGN, predictor).ok
