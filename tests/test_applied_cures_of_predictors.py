"""Errors about predictors and their files: the cure that each names is taken from its
text and applied to the same call, and the answer is the right one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cures import Cases, arguments, cure_in, cured, refusal

import causalgia as cg
from causalgia.predict.onnx import export_onnx
from causalgia.predict.torch_device import copied_network
from causalgia.predict.torch_exports import differentiable

pytestmark = pytest.mark.rotating(6)

torch = pytest.importorskip("torch")
nn = torch.nn
TOKENS = np.random.default_rng(0).integers(0, 4, (5, 12), dtype=np.uint8)
ONE_HOT = np.eye(4, dtype=np.float32)[TOKENS]
case = Cases()


class Profile(nn.Module):  # type: ignore[misc, name-defined]
    """C and G at each position: two tasks."""

    def forward(self, x: Any) -> Any:
        return x[:, 1:3] * 2.0


def of_track(**given: Any) -> cg.TorchPredictor:
    settings = {"tasks": ["C", "G"], "device": "cpu", "track": cg.Track(origin=6)}
    return cg.TorchPredictor(Profile(), **settings | given)


def gc_track(x: Any) -> Any:
    return x[:, 1:3]


def gc(x: Any) -> Any:
    return x[:, 1:3].sum((1, 2))


# ---- networks of Keras


def keras(
    folder: Path, *layers: Any, config: bool = True
) -> tuple[Path, dict[str, Any]]:
    """Save a network of layers, the first with the weights that pick out C."""
    import h5py

    graph = {
        "class_name": "Sequential",
        "config": {
            "layers": [
                {"class_name": kind, "config": {"name": kind, **settings}}
                for kind, settings in layers
            ]
        },
    }
    path = folder / "net.h5"
    with h5py.File(path, "w") as file:
        if config:
            file.attrs["model_config"] = json.dumps(graph)
        kernel = np.zeros((3, 4, 1), np.float32)
        kernel[1, 1] = 1
        file["model_weights/Conv1D/Conv1D/kernel:0"] = kernel
    return path, graph


CONV = {"filters": 1, "kernel_size": [3], "use_bias": False, "activation": "linear"}


def of_keras(path: Path, **given: Any) -> Any:
    return cg.predict.from_keras_h5(path, device="cpu", **given).predict(TOKENS)


def is_c(found: Any) -> bool:
    return np.allclose(found, ONE_HOT[:, :, 1])


@case
def a_config_that_is_a_dict(folder: Path) -> Any:
    layers = ("Conv1D", CONV | {"padding": "same"}), ("Flatten", {})
    path, config = keras(folder, *layers, config=False)
    text = refusal(of_keras, path, config=config)
    made = cure_in(text, r"; give (json.dumps\(config\))")
    return is_c(of_keras(path, config=eval(made, {"json": json, "config": config})))


@case
def a_config_that_is_empty(folder: Path) -> Any:
    layers = ("Conv1D", CONV | {"padding": "same"}), ("Flatten", {})
    path, config = keras(folder, *layers, config=False)
    place = folder / "net.json"
    place.write_text("")
    text = refusal(of_keras, path, config=place)
    cure_in(text, r"net.json: is empty; write it by (model.to_json\(\)) in Keras")
    place.write_text(json.dumps(config))
    return is_c(of_keras(path, config=place))


@case
def a_padding_that_keras_has_not(folder: Path) -> Any:
    layers = ("Conv1D", CONV | {"padding": "reflect"}), ("Flatten", {})
    text = refusal(of_keras, keras(folder, *layers)[0])
    known = cure_in(text, r"is not one of (.*?);").split(", ")
    assert known == ["valid", "same", "causal"]
    layers[0][1]["padding"] = known[1]
    return is_c(of_keras(keras(folder, *layers)[0]))


@case
def a_rectifier_with_a_slope(folder: Path) -> Any:
    first = "Conv1D", CONV | {"padding": "same"}
    relu = {"negative_slope": 0.1}
    text = refusal(of_keras, keras(folder, first, ("ReLU", relu), ("Flatten", {}))[0])
    kind = cure_in(text, r"is not read; use (\w+)")
    return is_c(of_keras(keras(folder, first, (kind, relu), ("Flatten", {}))[0]))


# ---- ONNX


def onnx(folder: Path, *, shape: Any = ("n", 4, 12), axis: int = 2) -> Path:
    """Save a graph that counts the letters."""
    made = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    h, kind = made.helper, made.TensorProto.FLOAT
    node = h.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)
    axes = h.make_tensor("axes", made.TensorProto.INT64, [1], [axis])
    graph = h.make_graph(
        [node],
        "graph",
        [h.make_tensor_value_info("x", kind, shape)],
        [h.make_tensor_value_info("y", kind, (shape[0], 4))],
        [axes],
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 18)], ir_version=9)
    made.save(model, folder / "net.onnx")
    return folder / "net.onnx"


def is_counts(predictor: cg.OnnxPredictor, length: int = 12) -> bool:
    tokens = TOKENS[:, :length]
    return np.array_equal(predictor.predict(tokens), np.eye(4)[tokens].sum(1))


@case
def another_precision_than_that_of_the_graph(folder: Path) -> Any:
    given = {"path": onnx(folder), "dtype": "float64"}
    text = refusal(cg.OnnxPredictor, **given)
    name = cure_in(text, r"and (dtype)='float64' was asked for; leave it out")
    return is_counts(cg.OnnxPredictor(**{k: given[k] for k in given if k != name}))


@case
def an_unknown_layout(folder: Path) -> Any:
    path = onnx(folder)
    text = refusal(cg.OnnxPredictor, path, layout="channels_first")
    names = cure_in(text, r"; use ('NCL', 'NLC' or 'auto')").replace(" or ", ", ")
    first, _, auto = eval(names)
    return [is_counts(cg.OnnxPredictor(path, layout=one)) for one in (first, auto)]


@case
def a_graph_of_either_layout(folder: Path) -> Any:
    given = {"path": onnx(folder, shape=("n", 4, 4))}
    return is_counts(cured(cg.OnnxPredictor, given, r"; give (layout='NCL')"), 4)


@case
def a_batch_of_another_size_than_that_of_the_graph(folder: Path) -> Any:
    given = {"path": onnx(folder, shape=(2, 4, 12)), "batch_size": 64}
    text = refusal(cg.OnnxPredictor, **given)
    del given[cure_in(text, r"takes 2 sequences at once; leave (batch_size)= out")]
    return is_counts(cg.OnnxPredictor(**given))


@case
def a_folder_in_place_of_a_file(folder: Path) -> Any:
    for needed in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(needed)
    name = cure_in(
        refusal(export_onnx, nn.Flatten(), "", length=12),
        r"give a path such as (net.onnx)",
    )
    export_onnx(nn.Flatten(), folder / name, length=12)
    found = cg.OnnxPredictor(folder / name).predict(TOKENS)
    return np.array_equal(found, ONE_HOT.transpose(0, 2, 1).reshape(5, -1))


# ---- scales


@case
def scales_of_tasks_without_names(_folder: Path) -> Any:
    given = {"fn": lambda x: x.sum(2), "fingerprint": "counts"}
    scale = ["counts", "shares", "counts", "counts"]
    text = refusal(cg.FunctionPredictor, **given, scale=scale)
    named = cure_in(text, r"give them, (tasks=\['K562', \.\.\.\])")
    named = named.replace("...", "'HepG2', 'GM12878', 'A549'")
    found = cg.FunctionPredictor(**given, scale=scale, **arguments(named))
    one = cg.FunctionPredictor(**given, scale=scale[0])
    return found.task_scales == tuple(scale) and one.scale == "counts"


@case
def a_task_without_a_scale(_folder: Path) -> Any:
    given = {"fn": lambda x: x[:, :2].sum(2), "fingerprint": "n", "tasks": ["A", "C"]}
    text = refusal(cg.FunctionPredictor, **given, scale={"A": "counts"})
    task = cure_in(text, r"task '(\w+)' has none; give one for each task")
    each = cg.FunctionPredictor(**given, scale={"A": "counts", task: "shares"})
    cure_in(text, r"or (one text for all) of them")
    same = cg.FunctionPredictor(**given, scale="counts")
    return each.task_scales == ("counts", "shares") and same.scale == "counts"


# ---- tracks


@case
def members_with_different_tracks(_folder: Path) -> Any:
    binned = of_track(track=cg.Track(origin=6, bin=2), reduce=None)
    text = refusal(cg.Ensemble, {"a": of_track(), "b": binned})
    cure_in(text, r"give all members the same (track)=")
    members = cg.Ensemble({"a": of_track(), "b": of_track(fingerprint="b")})
    return members.predict(TOKENS).shape[0] == 5


@case
def gradients_of_a_track(_folder: Path) -> Any:
    def enter(predictor: Any) -> Any:
        with differentiable(predictor) as found:
            return found

    text = refusal(enter, of_track())
    named = cure_in(text, r"TorchPredictor\(\.\.\., track=, (reduce=\[.*?\)\])\)")
    named = named.replace("-50, 50", "-5, 5")
    return enter(of_track(**arguments(named))) is not None


@case
def two_windows_of_one_name(_folder: Path) -> Any:
    def of(*names: str) -> Any:
        pairs = zip(names, (-5, 0), strict=True)
        return of_track(reduce=[cg.Window(name, k, k + 5) for name, k in pairs])

    name = cure_in(
        refusal(of, "TSS", "TSS"), r"are named '(\w+)'; give each a name of its own"
    )
    return of(name, f"{name} 2").predict(TOKENS).shape == (5, 4)


@case
def windows_of_two_reductions(_folder: Path) -> Any:
    windows = [cg.Window(one, -5, 5, reduce=one) for one in ("sum", "mean")]
    text = refusal(of_track, reduce=windows)
    cure_in(text, r"; make a (predictor) for each reduction")
    sums, means = (of_track(reduce=[one]).predict(TOKENS) for one in windows)
    return np.allclose(sums, 10 * means)


@case
def a_bin_of_no_bases(_folder: Path) -> Any:
    text = refusal(cg.Track, bin=0)
    least = int(cure_in(text, r"a whole number from (\d+) on"))
    return of_track(track=cg.Track(origin=6, bin=least)).bin == 1


@case
def a_window_without_a_name(_folder: Path) -> Any:
    text = refusal(cg.Window, "", -5, 5)
    name = cure_in(text, r"give the read-out a name, such as '(\w+)'")
    return of_track(reduce=[cg.Window(name, -5, 5)]).predict(TOKENS).shape == (5, 2)


@case
def a_pair_of_which_one_is_left_out(_folder: Path) -> Any:
    given = {"track": cg.Track(origin=6, opposite=[("C", "G")]), "heads": ["C"]}
    text = refusal(of_opposite, given | {"tasks": ["C", "T"]})
    task = cure_in(text, r"names task '(\w)', which is not among .*both tasks")
    found = of_opposite(given | {"tasks": ["C", task]})
    return found.shape[0] == 5


def of_opposite(given: dict[str, Any]) -> Any:
    settings = {k: given[k] for k in ("track", "tasks")}
    return of_track(**settings, rc_average=True).predict(TOKENS)


@case
def pairs_that_are_a_text(_folder: Path) -> Any:
    text = refusal(cg.Track, origin=6, opposite="plus")
    pairs = eval(cure_in(text, r"such as (\[\('plus', 'minus'\)\])"))
    track = cg.Track(origin=6, opposite=pairs)
    return of_track(track=track, tasks=["plus", "minus"]).predict(TOKENS).shape[0] == 5


# ---- networks in torch


class Held(nn.Module):  # type: ignore[misc, name-defined]
    """A network with an attribute that is a function."""

    def __init__(self, held: Any = None) -> None:
        super().__init__()
        self.mix = nn.Conv1d(4, 1, 1, bias=False)
        self.held = held(self) if held else None

    def as_method(self, x: Any) -> Any:
        return self.mix(x).mean((1, 2))

    def forward(self, x: Any) -> Any:
        return self.held(x) if self.held else self.as_method(x)


@case
def a_function_that_uses_a_part_of_a_network(_folder: Path) -> Any:
    outside = Held(lambda net: lambda x: net.mix(x).mean((1, 2)))
    text = refusal(copied_network, outside)
    cure_in(text, r"; make it a (method)")
    net = Held()
    copy = copied_network(net)
    x = torch.from_numpy(ONE_HOT.transpose(0, 2, 1).copy())
    return copy is not net and torch.equal(copy(x), net(x))


@case
def edits_of_other_backgrounds(_folder: Path) -> Any:
    net = nn.Sequential(nn.Conv1d(4, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 1))
    predictor = cg.TorchPredictor(net, tasks=["a"], device="cpu", incremental=True)
    edited = TOKENS.copy()
    edited[:, 4] = 3 - edited[:, 4]
    session = predictor.edits(TOKENS)
    text = refusal(session.answers, edited, np.arange(1, 6))
    n = int(cure_in(text, r"give one of the (\d+) backgrounds for each of 5 edits"))
    found = session.answers(edited, np.arange(n))
    return np.allclose(found, predictor.predict(edited), atol=1e-5)


class Mean(nn.Module):  # type: ignore[misc, name-defined]
    """Two tasks of a convolution."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv1d(4, 2, 3)

    def forward(self, x: Any) -> Any:
        return self.conv(x).relu().mean(2)


def of_mean(module: Any) -> cg.TorchPredictor:
    return cg.TorchPredictor(module, tasks=["a", "b"], device="cpu")


def traced(net: Any) -> Any:
    return torch.jit.trace(net, torch.zeros(1, 4, 12))


@case
def a_network_that_torchscript_froze(_folder: Path) -> Any:
    scripted = traced(Mean().eval())
    text = refusal(of_mean(torch.jit.freeze(scripted)).reference)
    assert cure_in(text, r"give the one that was frozen \((torch\.jit\.freeze) returns")
    found = of_mean(scripted).reference().predict(TOKENS)
    return np.allclose(found, of_mean(Mean()).predict(TOKENS), atol=1e-6)


@case
def a_folder_of_members(folder: Path) -> Any:
    for seed in (0, 1):
        torch.save(Mean(seed).state_dict(), folder / f"fold{seed}.pt")

    def load(path: Path) -> cg.TorchPredictor:
        net = Mean(7)
        net.load_state_dict(torch.load(path))
        return of_mean(net)

    text = refusal(cg.Ensemble, folder)
    named = cure_in(text, r"one of each file, (cg\.Ensemble\(.*\)), where load builds")
    found = eval(named, {"cg": cg, "folder": folder, "load": load})
    each = [of_mean(Mean(seed)).predict(TOKENS) for seed in (0, 1)]
    return found.models == ("fold0", "fold1") and np.allclose(
        np.moveaxis(found.predict(TOKENS), -1, 0), each
    )


@case
def a_track_longer_than_the_sequence(_folder: Path) -> Any:
    """Its axis, bins or length: what is offered is what helps."""

    def answered(fn: Any, track: str = "Track()", **given: Any) -> Any:
        track = eval(track, {"Track": cg.Track})
        return cg.FunctionPredictor(fn, track=track, **given).predict(TOKENS).shape

    def turned(x: Any) -> Any:
        return np.repeat(x, 10, 1).swapaxes(1, 2)[:, :, :13]

    def twice(x: Any) -> Any:
        return np.repeat(x, 2, 2)

    axis = cure_in(refusal(answered, turned), r"other axis, (Track\(axis=1\))$")
    assert answered(turned, axis) == (5, 12, 13)
    given = {"tasks": ["C", "G"]}
    text = refusal(answered, gc_track, "Track(bin=2)", **given)
    bins = cure_in(text, r"of a sequence; bins smaller, (Track\(bin=1\))$")
    assert answered(gc_track, bins, **given) == (5, 12, 2)
    text = refusal(answered, twice, tasks=list("ACGT"))
    assert cure_in(
        text, r"(cut the output to the positions of the sequence) by reduce="
    )
    cut = answered(twice, tasks=list("ACGT"), reduce=lambda y: y[..., :12])
    return cut == (5, 12, 4)


@case
def a_function_of_tensors(_folder: Path) -> Any:
    def function(x: Any) -> Any:
        return x.permute(0, 2, 1)[:, :, 0].sum(1)

    text = refusal(cg.FunctionPredictor(function).predict, TOKENS)
    cure = cure_in(text, r"or give (lambda x: .*)$")
    given = eval(cure, {"f": function, "torch": torch})
    return cg.FunctionPredictor(given).predict(TOKENS)[:, 0] == (TOKENS == 0).sum(1)


@case
def a_path_for_a_predictor(folder: Path) -> Any:
    code = (
        "import causalgia\ndef load():\n    return causalgia.zoo.oracle('additive')\n"
    )
    (folder / "net.py").write_text(code)
    trial = cg.Design(
        null=cg.Uniform(length=41),
        arms={"none": cg.Untreated(), "A": cg.Embed("UGCAUG", at=3)},
        n_units=10,
    )
    given = {"rng": 0, "progress": False}
    text = refusal(cg.run, trial, str(folder / "net.py:load"), **given)
    made = eval(cure_in(text, r"(cg\.load_predictor\(.*\)) reads"), {"cg": cg})
    return cg.run(trial, made, **given).sizes["unit"] == 10


@case
def tracks_of_two_lengths(_folder: Path) -> Any:
    """Of an arm that no probe asks for, too."""
    arms = {f"at {at}": cg.Embed("GATA", at=at) for at in range(12)}
    given = {"rng": 0, "progress": False}

    def trial(kind: Any) -> cg.Design:
        return cg.Design(
            null=cg.Uniform(length=40),
            arms={"none": cg.Untreated(), **arms, "here": kind("CAGG", at=3)},
            n_units=4,
        )

    oracle = cg.zoo.footprint(length=40)
    text = refusal(cg.run, trial(cg.Insert), oracle, **given)
    assert text.startswith("arm 'here' changes the length from 40 to 44")
    kept = eval(cure_in(text, r"\((cg\.Embed), not cg\.Insert\)$"), {"cg": cg})
    return cg.run(trial(kept), oracle, **given).sizes["position"] == 40


@case
def looks_of_other_numbers(_folder: Path) -> Any:
    call, given = cg.stopping.confidence_sequence, {"n_clusters": [100, 200]}
    text = refusal(call, mean=[0.1, 0.2], sd=[1.0, 1.0, 1.0], **given)
    assert cure_in(text, r"(give each one number, or one for each look)$")
    one = call(mean=[0.1, 0.2], sd=1.0, **given)
    each = call(mean=[0.1, 0.2], sd=[1.0, 1.0], **given)
    assert "0 or more" in refusal(call, mean=[0.1, 0.2], sd=-1.0, **given)
    return np.array(one) == np.array(each)


@case
def a_file_of_torch_for_another_reader(folder: Path) -> Any:
    pytest.importorskip("onnxruntime")
    path, net = folder / "net.pt", nn.Sequential(Profile(), nn.Flatten())
    torch.save({"weight": torch.ones(3)}, path)
    text = refusal(cg.OnnxPredictor, path)
    call = cure_in(text, r"write that with (cg\.predict\.export_onnx\(.*\))$")
    call = call.replace("'net.onnx'", "target").replace("...", "12")
    made = eval(call, {"cg": cg, "net": net, "target": folder / "net.onnx"})
    assert made.predict(TOKENS).shape == (5, 24)
    code = "def load(weights):\n    return lambda x: x[:, 1].sum(1)\n"
    (folder / "my_net.py").write_text(code)
    text = refusal(cg.predict.from_keras_h5, path)
    call = cure_in(text, r"(cg\.load_predictor\(.*\))$")
    call = call.replace("my_net.py", str(folder / "my_net.py"))
    return eval(call, {"cg": cg}).predict(TOKENS)[:, 0] == (TOKENS == 1).sum(1)


@case
def a_function_to_be_exported(folder: Path) -> Any:
    pytest.importorskip("onnx")
    net = nn.Sequential(Profile(), nn.Flatten())
    given = {"path": folder / "net.onnx", "length": 12}
    text = refusal(
        cg.predict.export_onnx, cg.FunctionPredictor(lambda x: x[:, 1].sum(1)), **given
    )
    kind = cure_in(text, r"give the network itself, or a (cg\.TorchPredictor)$")
    one = eval(kind, {"cg": cg})(net, device="cpu")
    return len(cg.predict.export_onnx(one, **given).predict(TOKENS)) == 5


@case
def a_module_without_its_ending(folder: Path) -> Any:
    code = "def load(weights):\n    return lambda x: x[:, 1].sum(1)\n"
    (folder / "my_net.py").write_text(code)
    (folder / "w.pt").write_bytes(b"")
    given = {"weights": folder / "w.pt", "announce": None}
    text = refusal(cg.load_predictor, f"{folder}/my_net:load", **given)
    meant = cure_in(text, r"did you mean '(.*:load)'\?$")
    return cg.load_predictor(meant, **given).predict(TOKENS).shape == (5, 1)


@case
def a_function_that_answers_with_tensors(_: Path) -> Any:
    net = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    one_hot = torch.from_numpy(ONE_HOT.transpose(0, 2, 1).copy())
    wanted = net(one_hot).detach().numpy()
    for cast, close in ((torch.float32, 0), (torch.bfloat16, 1e-2)):
        text = refusal(
            cg.FunctionPredictor(
                lambda x, cast=cast: net(torch.from_numpy(x)).to(cast)
            ).predict,
            TOKENS,
        )
        shown = cure_in(text, r"return (net\(x\)\S+), or use cg.TorchPredictor\(net\)")
        called = cg.FunctionPredictor(
            lambda x, cast=cast, shown=shown: eval(
                shown,
                {"x": x, "net": lambda x: net(torch.from_numpy(x)).to(cast)},
            )
        )
        assert np.allclose(called.predict(TOKENS), wanted, atol=close + 1e-6)
    return np.allclose(cg.TorchPredictor(net).predict(TOKENS), wanted, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@case.each
def test_the_cure_of_a_predictor_is_applied_and_succeeds(case, tmp_path):
    assert np.all(case(tmp_path))


@pytest.mark.rotating
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_network_that_torchscript_made_is_given_as_the_module(tmp_path):
    pytest.importorskip("onnxscript")
    net, path = Mean().eval(), tmp_path / "net.onnx"
    scripted = of_mean(traced(net))
    text = refusal(cg.predict.export_onnx, scripted, path, length=12)
    assert cure_in(text, r"give the (torch\.nn\.Module) from which it was made, or")
    given = of_mean(net).predict(TOKENS)
    made = cg.predict.export_onnx(of_mean(net), path, length=12)
    assert np.allclose(made.predict(TOKENS), given, atol=1e-6)
    kept = cure_in(text, r", or keep it a (TorchPredictor)$")
    assert type(scripted).__name__ == kept
    assert np.allclose(scripted.predict(TOKENS), given, atol=1e-6)
