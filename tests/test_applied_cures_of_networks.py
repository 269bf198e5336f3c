"""Errors about a network of one's own: it is wrapped again as the message says, and the
answers are its own.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
from cures import arguments, cure_in, cured, refusal

import causalgia as cg

torch = pytest.importorskip("torch")
nn = torch.nn

DESIGN = cg.Design(
    null=cg.Uniform(length=40),
    arms={"none": cg.Untreated(), "GATA": cg.Embed("AGATAAG", at=10)},
    n_units=8,
)
STRINGS = [
    "".join(row) for row in np.random.default_rng(1).choice(list("ACGT"), (6, 40))
]
ONE_HOT = cg.sequences.one_hot(cg.sequences.encode(STRINGS))
FUNCTIONS = {"torch": torch}


def run(predictor: Any) -> Any:
    return cg.run(DESIGN, predictor, rng=0, progress=False)["outcome"]


def of_function(fn: Callable[..., Any], **given: Any) -> Any:
    settings = {"tasks": ["a"], "fingerprint": "one"} | given
    return run(cg.FunctionPredictor(fn, **settings))


def of_network(module: Any, **given: Any) -> Any:
    return run(cg.TorchPredictor(module, **{"tasks": ["a"], "device": "cpu"} | given))


def gc(x: Any) -> Any:
    return x[:, 1:3].sum((1, 2)) / x.shape[2]


@cache
def right() -> np.ndarray:
    """Return the outcomes of `gc`."""
    return of_function(gc).to_numpy()


def is_gc(found: Any) -> bool:
    return np.allclose(found.to_numpy()[..., :1], right(), atol=1e-6)


class Profile(nn.Module):  # type: ignore[misc, name-defined]
    """C and G at each position."""

    def forward(self, x: Any) -> Any:
        return x[:, 1:3] / x.shape[2]


class Counts(nn.Module):  # type: ignore[misc, name-defined]
    """The shares of GC, and of A and T."""

    def forward(self, x: Any) -> Any:
        gc = x[:, 1:3].sum((1, 2)) / x.shape[2]
        return torch.stack([gc, 1 - gc], 1)


class Named(nn.Module):  # type: ignore[misc, name-defined]
    """A mapping of both, each with positions."""

    def forward(self, x: Any) -> Any:
        return {"gc": x[:, 1:3] / x.shape[2], "at": x[:, ::3] / x.shape[2]}


class PositionsFirst(nn.Module):  # type: ignore[misc, name-defined]
    """A network that takes (n, length, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv1d(4, 1, 1, bias=False)
        self.mix.weight.data = torch.tensor([[[0.0], [1.0], [1.0], [0.0]]])

    def forward(self, x: Any) -> Any:
        return self.mix(x.transpose(1, 2)).mean((1, 2))


class TwoInputs(nn.Module):  # type: ignore[misc, name-defined]
    """A network with a second input."""

    def forward(self, x: Any, m: Any) -> Any:
        return m * x[:, 1:3].sum((1, 2)) / x.shape[2]


class WithNewInput(nn.Module):  # type: ignore[misc, name-defined]
    """A module whose forward(x) returns what a message says."""

    def __init__(self, net: Any, text: str) -> None:
        super().__init__()
        self.net, self.text = net, text

    def forward(self, x: Any) -> Any:
        return eval(self.text, {"net": self.net, "x": x, "m": 1.0})


class OverBatch(nn.Module):  # type: ignore[misc, name-defined]
    """A network that is normalized over its batch."""

    def __init__(self, **given: Any) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(1, **given)

    def forward(self, x: Any) -> Any:
        return self.norm(x[:, 1:3].sum((1, 2))[:, None])


def wrapped(text: str, predictor: Any) -> Any:
    """Wrap a function in the class that a message names."""
    made = eval(text, {"cg": cg})(predictor, tasks=["a"])
    return run(made)


CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    # ---- functions
    "a function that is not wrapped": (
        lambda: wrapped(
            cure_in(refusal(run, gc), r"callable in (cg\.FunctionPredictor)\("), gc
        ),
        is_gc,
    ),
    "a network that is not wrapped": (
        lambda: run(
            eval(
                cure_in(refusal(run, Counts()), r"a network in (cg\.TorchPredictor)\("),
                {"cg": cg},
            )(Counts(), tasks=["a", "b"])
        ),
        is_gc,
    ),
    "a function in TorchPredictor": (
        lambda: wrapped(
            "cg."
            + cure_in(
                refusal(cg.TorchPredictor, gc, tasks=["a"]),
                r"(FunctionPredictor) takes any callable",
            ),
            gc,
        ),
        is_gc,
    ),
    "two numbers and one name": (
        lambda: cured(
            of_function,
            {"fn": lambda x: np.stack([gc(x), 1 - gc(x)], 1)},
            r"; (name each output)$",
            fill={"name each output": "tasks=['a', 'b']"},
        ),
        is_gc,
    ),
    "positions that are not summed": (
        lambda: cured(
            of_function,
            {"fn": lambda x: x[:, 1:2] + x[:, 2:3]},
            r"for example (reduce=lambda y: y\.sum\(-1\))$",
        ),
        lambda found: np.allclose(found.to_numpy(), 40 * right(), atol=1e-5),
    ),
    "a tensor with gradients": (
        lambda: of_function(
            lambda x: eval(
                cure_in(
                    refusal(
                        of_function, lambda x: torch.tensor(gc(x), requires_grad=True)
                    ),
                    r"; return (net\(x\)\.detach\(\)\.cpu\(\)\.numpy\(\)),",
                ),
                {"net": lambda x: torch.tensor(gc(x), requires_grad=True), "x": x},
            )
        ),
        is_gc,
    ),
    "positions first": (
        lambda: cured(
            of_function,
            {"fn": lambda x: (x[:, 39] * 0 + x.mean(1))[:, 1:3].sum(1)},
            r"give (layout='NLC')$",
        ),
        is_gc,
    ),
    "an answer of masked numbers": (
        lambda: refusal(of_function, lambda x: np.ma.masked_greater(gc(x), 0.5)),
        lambda text: (
            "return numbers for all" in text
            and is_gc(of_function(lambda x: np.ma.masked_greater(gc(x), 0.5).data))
        ),
    ),
    "one number for all sequences": (
        lambda: of_function(
            lambda x: eval(
                "y."
                + cure_in(refusal(of_function, squeezed), r"write (squeeze\(-1\))$"),
                {"y": gc(x)[:, None]},
            )
        ),
        is_gc,
    ),
    "a mean over all axes": (
        lambda: of_function(
            lambda x: eval(
                "y"
                + cure_in(
                    refusal(of_function, lambda x: x.mean()),
                    r"such as (\.mean\(.*?\)\)),",
                ),
                {"y": 2 * x[:, 1:3]},
            )
        ),
        is_gc,
    ),
    "a layout by another name": (
        lambda: cured(
            of_function,
            {"fn": gc, "layout": "LCN"},
            r"use ('NCL') for \(n, 4, length\)",
            fill={"'NCL'": "layout='NCL'"},
        ),
        is_gc,
    ),
    "an alphabet of three letters": (
        lambda: cured(
            of_function,
            {"fn": gc, "alphabet": "ACTT"},
            r"such as ('ACGT') or",
            fill={"'ACGT'": "alphabet='ACGT'"},
        ),
        is_gc,
    ),
    "a batch of none": (
        lambda: cured(
            of_function,
            {"fn": gc, "batch_size": 0},
            r"or ('auto')$",
            fill={"'auto'": "batch_size='auto'"},
        ),
        is_gc,
    ),
    "a dtype by another name": (
        lambda: cured(
            of_function,
            {"fn": gc, "dtype": "float12"},
            r"use ('float32') or",
            fill={"'float32'": "dtype='float32'"},
        ),
        is_gc,
    ),
    "a scale of more tasks": (
        lambda: cured(
            of_function,
            {"fn": gc, "scale": ["log", "log"]},
            r"or (one text) for all$",
            fill={"one text": "scale='share'"},
        ),
        is_gc,
    ),
    # ---- networks
    "a network with two numbers": (
        lambda: cured(
            of_network,
            {"module": Counts()},
            r"or name each output in (heads=) and pick some of them in tasks=",
            fill={"heads=": "heads=['a', 'b']"},
        ),
        lambda found: is_gc(found) and found.sizes["task"] == 1,
    ),
    "a task that is no head": (
        lambda: cured(
            of_network,
            {"module": Counts(), "heads": ["gc", "at"]},
            r"is not among heads=\[('gc'), 'at'\]",
            fill={"'gc'": "tasks=['gc']"},
        ),
        is_gc,
    ),
    "a network that takes positions first": (
        lambda: cured(
            of_network, {"module": PositionsFirst()}, r"give (layout='NLC')$"
        ),
        is_gc,
    ),
    "a key that the output lacks": (
        lambda: cured(
            of_network,
            {"module": Named()},
            r"such as (reduce=lambda y: y\['gc'\]\.flatten\(1\)\.sum\(1\))$",
        ),
        is_gc,
    ),
    "a profile in place of a number": (
        lambda: cured(
            of_network,
            {"module": Profile(), "tasks": ["C", "G"]},
            r"(reduce=lambda y: y\.sum\(-1\)) for total counts",
        ),
        lambda found: np.allclose(found.sum("task"), right()[..., 0], atol=1e-6),
    ),
    "a profile whose positions are kept": (
        lambda: cured(
            of_network,
            {"module": Profile(), "tasks": ["C", "G"]},
            r"or (track=cg\.Track\(axis=-1\)) to keep its positions",
        ),
        lambda found: np.allclose(
            found.sum(("task", "position")), right()[..., 0], atol=1e-6
        ),
    ),
    "the other axis of a track": (
        lambda: of_network(
            Profile(),
            tasks=["C", "G"],
            track=eval(
                "cg."
                + cure_in(
                    refusal(
                        of_network,
                        Profile(),
                        tasks=["C", "G"],
                        track=cg.Track(axis=1),
                    ),
                    r"the other axis is that of positions: (Track\(axis=-1\))$",
                ),
                {"cg": cg},
            ),
        ),
        lambda found: found.sizes["position"] == 40,
    ),
    "a number as a track": (
        lambda: cured(
            of_network,
            {"module": Profile(), "tasks": ["C", "G"], "track": -1},
            r"write (track=cg\.Track\(axis=-1, origin=0, bin=1\))$",
        ),
        lambda found: found.sizes["position"] == 40,
    ),
    "a window without a track": (
        lambda: cured(
            of_network,
            {
                "module": Profile(),
                "tasks": ["C", "G"],
                "reduce": [cg.Window("all", 0, 39, reduce="mean")],
            },
            r"(track=cg\.Track\(axis=-1, origin=\.\.\.\))$",
            fill={"...": "0"},
        ),
        lambda found: found.sizes["task"] == 2,
    ),
    "a window that leaves its track": (
        lambda: of_network(
            Profile(),
            tasks=["C", "G"],
            track=cg.Track(axis=-1, origin=0),
            reduce=[
                cg.Window(
                    "end",
                    30,
                    int(
                        cure_in(
                            refusal(
                                of_network,
                                Profile(),
                                tasks=["C", "G"],
                                track=cg.Track(axis=-1, origin=0),
                                reduce=[cg.Window("end", 30, 50)],
                            ),
                            r"which has positions 0 to (\d+) ",
                        )
                    ),
                )
            ],
        ),
        lambda found: found.sizes["task"] == 2,
    ),
    "a window that cuts a bin": (
        lambda: binned(
            int(
                cure_in(
                    refusal(binned, 3),
                    r"whose edges are 0 and (\d+); use one of these",
                )
            )
        ),
        lambda found: found.sizes["task"] == 2,
    ),
    "a window's reduction by another name": (
        lambda: cured(
            cg.Window,
            {"name": "TSS", "start": 3, "stop": 9, "reduce": "avg"},
            r"is not one of 'sum', ('mean'),",
            fill={"'mean'": "reduce='mean'"},
        ),
        lambda found: found.reduce == "mean",
    ),
    "a second input": (
        lambda: of_network(
            WithNewInput(
                TwoInputs(),
                cure_in(
                    refusal(of_network, TwoInputs()),
                    r"whose forward\(x\) returns (net\(x, m\)), with a m",
                ),
            )
        ),
        is_gc,
    ),
    "a softmax that adds up to 1": (
        lambda: cured(
            of_network,
            {"module": Softmax(), "reduce": lambda y: y.sum(1)},
            r"such as (reduce=lambda y: y\[:, 0\]),",
        ),
        lambda found: float(found.std()) > 0,
    ),
    "an array in place of a tensor": (
        lambda: cured(
            of_network,
            {
                "module": Counts(),
                "reduce": lambda y: y[:, 0].numpy(),
            },
            r"(return the tensor itself), without \.numpy\(\)$",
            fill={"return the tensor itself": "reduce=lambda y: y[:, 0]"},
        ),
        is_gc,
    ),
    "a network that is normalized over its batch": (
        lambda: of_network(
            OverBatch(
                **arguments(
                    cure_in(
                        refusal(of_network, OverBatch(track_running_stats=False)),
                        r"batch norm into eval mode \((track_running_stats=True),",
                    )
                )
            )
        ),
        lambda found: np.allclose(found, 40 * right() / np.sqrt(1 + 1e-5), atol=1e-4),
    ),
    "a device that is not here": (
        lambda: cured(
            of_network,
            {"module": Counts(), "tasks": ["a", "b"], "device": "gpu"},
            r"available: (cpu) ",
            fill={"cpu": "device='cpu'"},
        ),
        is_gc,
    ),
    "weights in place of a network": (
        lambda: from_weights(
            cure_in(
                refusal(cg.TorchPredictor, linear().state_dict(), tasks=["a"]),
                r"then (net\.load_state_dict\(weights\))$",
            )
        ),
        lambda found: np.allclose(found, of_network(linear())),
    ),
    "a file in place of a network": (
        lambda: cure_in(
            refusal(cg.TorchPredictor, "net.pt", tasks=["a"]),
            r"(net\.load_state_dict\(torch\.load\(path, weights_only=True\)\))$",
        ),
        lambda text: np.allclose(from_file(text), of_network(linear())),
    ),
    # ---- ensembles
    "an ensemble of one": (
        lambda: refusal(cg.Ensemble, [predictor(1)]),
        lambda text: "use a single one as it is" in text and is_gc(run(predictor(1))),
    ),
    "a network that is twice": (
        lambda: cg.Ensemble(
            {
                name: made
                for name, made in {
                    "x": predictor(1),
                    "y": predictor(1),
                    "z": predictor(2),
                }.items()
                if name
                != cure_in(
                    refusal(
                        cg.Ensemble,
                        {"x": predictor(1), "y": predictor(1), "z": predictor(2)},
                    ),
                    r"models '(\w)' and '\w' have the same fingerprint .*leave one",
                )
            }
        ),
        lambda found: set(found.models) == {"y", "z"},
    ),
}


def squeezed(x: Any) -> Any:
    return gc(x)[:, None].squeeze()


class Softmax(nn.Module):  # type: ignore[misc, name-defined]
    """Two shares that add up to 1."""

    def forward(self, x: Any) -> Any:
        return torch.softmax(Counts()(x), 1)


def binned(stop: int) -> Any:
    return of_network(
        nn.Sequential(Profile(), nn.AvgPool1d(4)),
        tasks=["C", "G"],
        track=cg.Track(axis=-1, origin=0, bin=4),
        reduce=[cg.Window("TSS", 0, stop)],
    )


def linear(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(160, 1)).eval()


def from_weights(text: str) -> Any:
    net = linear(1)
    eval(text, {"net": net, "weights": linear().state_dict()})
    return of_network(net)


def from_file(text: str) -> Any:
    import io

    file = io.BytesIO()
    torch.save(linear().state_dict(), file)
    file.seek(0)
    net = linear(1)
    eval(text, {"net": net, "path": file, "torch": torch})
    return of_network(net)


def predictor(k: int) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(
        lambda x: gc(x) ** k, tasks=["a"], fingerprint=f"power {k}"
    )


class Peaks(nn.Module):  # type: ignore[misc, name-defined]
    """Shares of positions that add up to 1, or their counts."""

    def __init__(self, *, counts: bool = False) -> None:
        super().__init__()
        self.counts = counts

    def forward(self, x: Any) -> Any:
        shares = (3 * x[:, 1:2]).softmax(-1)
        return (
            shares * (1 + x[:, 1:3].sum((1, 2)))[:, None, None]
            if self.counts
            else shares
        )


def of_softmax(start: int, stop: int, *, counts: bool = False) -> Any:
    return of_network(
        Peaks(counts=counts),
        track=cg.Track(origin=20),
        reduce=[cg.Window("TSS", start, stop)],
    )


def of_a_whole_softmax() -> Any:
    text = refusal(of_softmax, -20, 20)
    assert cure_in(text, r"take (a part) of it, or have the network return counts$")
    assert cure_in(text, r"or have the network (return counts)$")
    return of_softmax(-10, 10), of_softmax(-20, 20, counts=True)


def of_a_longer_track() -> Any:
    def inserted(step: Any) -> Any:
        arms = {"none": cg.Untreated(), "GATA": step("AGATAAG", at=10)}
        predictor = cg.TorchPredictor(
            Profile(), tasks=["a", "b"], device="cpu", track=cg.Track(origin=20)
        )
        made = cg.Design(null=cg.Uniform(length=40), arms=arms, n_units=8)
        return cg.run(made, predictor, rng=0, progress=False)["outcome"]

    call = cure_in(refusal(inserted, cg.Insert), r"keep the length \((cg\.Embed), not")
    return inserted(eval(call, {"cg": cg}))


MORE = {
    "shares that add up to 1": (
        of_a_whole_softmax,
        lambda found: all(float(one.std()) > 0 for one in found),
    ),
    "a track that an arm makes longer": (
        of_a_longer_track,
        lambda found: "position" in found.dims and len(found["arm"]) == 2,
    ),
    "a reduction by its name": (
        lambda: of_network(
            Peaks(counts=True),
            track=cg.Track(origin=20),
            **arguments(
                cure_in(
                    refusal(
                        of_network,
                        Peaks(counts=True),
                        track=cg.Track(origin=20),
                        reduce="sum",
                    ),
                    r"such as (reduce=\[cg\.Window\(.*\)\])$",
                ).replace("-50, 50", "-5, 5")
            )
            | {"tasks": None},
        ),
        lambda found: bool(np.isfinite(found).all()),
    ),
    "a head by its number": (
        lambda: of_network(
            Profile(),
            tasks=["a"],
            **arguments(
                cure_in(
                    refusal(of_network, Profile(), heads=1),
                    r"(reduce=lambda y: y\[:, \d+\]) one column",
                ).replace("y[:, 1]", "y[:, 1].mean(-1)")
            ),
        ),
        lambda found: bool(np.isfinite(found).all()),
    ),
}


CASES |= MORE


@pytest.mark.rotating(6)
@pytest.mark.parametrize("case", CASES)
def test_a_network_is_wrapped_as_the_message_says(case):
    apply, holds = CASES[case]
    assert holds(apply())
