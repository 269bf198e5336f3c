"""Errors of files of networks (Python files, Keras, ONNX, state dicts, published ones):
what each message says is done, and the network answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cures import cure_in, cured, refusal

import causalgia as cg
from causalgia.predict import from_keras_h5, load_weights, save_weights

torch = pytest.importorskip("torch")
h5py = pytest.importorskip("h5py")
pytest.importorskip("safetensors")

TOKENS = np.random.default_rng(0).integers(0, 4, (5, 9), np.uint8)
GC = ((TOKENS == 1) | (TOKENS == 2)).sum(1) / 9
NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = torch.nn.Linear(4, 1, bias=False)
    def forward(self, x):
        return self.mix(x.mean(-1))
"""
EXACT = (
    NET
    + """
def load():
    net = Net()
    net.mix.weight.data = torch.tensor([[0.0, 1.0, 1.0, 0.0]])
    return net
"""
)
BY_PATH = (
    NET
    + """
from safetensors.torch import load_file
def load(path):
    net = Net()
    net.load_state_dict(load_file(path))
    return net
"""
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder with the weights of a network that counts G and C."""
    monkeypatch.chdir(tmp_path)
    written("exact.py", EXACT)
    save_weights(made("exact.py:load").module, "net.safetensors")


def written(name: str, text: str) -> str:
    Path(name).write_text(text)
    return f"{name}:load"


def made(factory: Any, **given: Any) -> Any:
    settings = {"tasks": ["gc"], "scale": "share", "announce": None} | given
    return cg.load_predictor(factory, **settings)


def is_gc(predictor: Any) -> bool:
    return np.allclose(predictor.predict(TOKENS)[:, 0], GC, atol=1e-6)


def answered(values: np.ndarray) -> Callable[[Any], bool]:
    return lambda predictor: np.allclose(
        predictor.predict(TOKENS).reshape(len(TOKENS), -1)[:, 0], values, atol=1e-5
    )


# ---- Keras


LAYERS = [
    {
        "class_name": "InputLayer",
        "config": {"name": "in", "batch_input_shape": [None, 9, 4]},
    },
    {
        "class_name": "Dense",
        "config": {"name": "mix", "units": 1, "use_bias": False},
    },
    {"class_name": "GlobalAveragePooling1D", "config": {"name": "mean"}},
]
GRAPH = {"class_name": "Sequential", "config": {"layers": LAYERS}}


def of_other_bytes() -> str:
    Path("n.h5").write_bytes(bytes(range(1, 200)))
    return "n.h5"


def leading_to(name: str, begin: str = "in") -> Any:
    """Return a graph that begins at a layer, and whose last layer reads another."""
    names = {"in": [], "mix": [[["in", 0, 0, {}]]], "mean": [[[name, 0, 0, {}]]]}
    layers = [one | {"name": one["config"]["name"]} for one in LAYERS]
    layers = [one | {"inbound_nodes": names[one["name"]]} for one in layers]
    ends = {"input_layers": [[begin, 0, 0]], "output_layers": [["mean", 0, 0]]}
    return {"class_name": "Functional", "config": {"layers": layers} | ends}


def image(*, shape: bool = True, order: str = "channels_last") -> Any:
    """Return the graph of a network of images, with the shape of its input or without."""
    scan = {"name": "mix", "filters": 1, "kernel_size": [1, 4], "use_bias": False}
    scan["data_format"] = order
    layers = [
        {"class_name": "Conv2D", "config": scan},
        {"class_name": "GlobalAveragePooling2D", "config": {"name": "mean"}},
    ]
    entry = {"name": "in", "batch_input_shape": [None, 9, 4, 1]}
    first = [{"class_name": "InputLayer", "config": entry}] if shape else []
    return {"class_name": "Sequential", "config": {"layers": first + layers}}


def keras(
    graph: Any = GRAPH,
    *,
    alone: bool = False,
    name: str = "k.h5",
    kernel: tuple[int, ...] = (4, 1),
) -> str:
    with h5py.File(name, "w") as file:
        if graph is not None:
            file.attrs["model_config"] = json.dumps(graph)
        root = "" if alone else "model_weights/"
        file[f"{root}mix/mix/kernel:0"] = np.reshape([0, 1, 1, 0], kernel).astype("f4")
    return name


def archive(name: str = "k.keras") -> str:
    import zipfile

    with h5py.File("w.h5", "w") as file:
        file["layers/dense/vars/0"] = np.array([[0, 1, 1, 0]], "f4").T
        file["layers/dense/vars"].attrs["name"] = "mix"
    with zipfile.ZipFile(name, "w") as packed:
        packed.writestr("config.json", json.dumps(GRAPH))
        packed.writestr("metadata.json", "{}")
        packed.write("w.h5", "model.weights.h5")
    return name


def of_keras(path: str, **given: Any) -> Any:
    return from_keras_h5(path, **{"tasks": ["gc"], "scale": "share"} | given)


# ---- ONNX


def onnx_file(
    shape: Any = ("n", 4, 9),
    axes: Any = (2,),
    outputs: Any = ("y",),
    kind: str = "FLOAT",
) -> str:
    """Write a network of the means over some axes; over none, of its input."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper

    number = getattr(TensorProto, kind)
    along = helper.make_tensor("along", TensorProto.INT64, [len(axes)], axes)
    how = {"keepdims": 0, "noop_with_empty_axes": 1}
    nodes = [
        helper.make_node("ReduceMean", ["x", "along"], [name], **how)
        for name in outputs
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", number, shape)],
        [helper.make_tensor_value_info(name, number, None) for name in outputs],
        [along],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    onnx.save(model, "net.onnx")
    return "net.onnx"


def of_onnx(path: str, **given: Any) -> Any:
    predictor = cg.OnnxPredictor(path, **{"tasks": list("ACGT")} | given)
    predictor.predict(TOKENS)
    return predictor


LETTER_A = (TOKENS == 0).mean(1)

CASES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    # ---- Python files
    "a factory without weights": (
        lambda: cured(
            made,
            {"factory": written("n.py", BY_PATH)},
            r"no weights were given; give (weights='net\.safetensors')$",
        ),
        is_gc,
    ),
    "weights of a predictor that has its own": (
        lambda: cured(
            made,
            {
                "factory": written(
                    "n.py",
                    "import causalgia as cg\ndef load(): return cg.FunctionPredictor("
                    "lambda x: x[:, 1:3].sum(1).mean(1), tasks=['gc'], scale='share')",
                ),
                "weights": "net.safetensors",
            },
            r"has no use; leave (weights)= out$",
        ),
        is_gc,
    ),
    "a factory that returns a table": (
        lambda: (
            cure_in(
                refusal(made, written("n.py", "def load(): return {}")),
                r"(return a torch module), a predictor or a callable$",
            ),
            made("exact.py:load"),
        )[1],
        is_gc,
    ),
    "a factory that is written otherwise": (
        lambda: made(
            cure_in(refusal(made, 7), r"such as '(my_net\.py:load)'").replace(
                "my_net", "exact"
            )
        ),
        is_gc,
    ),
    "a file without its function": (
        lambda: made(
            "exact.py:"
            + cure_in(refusal(made, "exact.py:make"), r"it has: Net, (load)$")
        ),
        is_gc,
    ),
    "a file without a function's name": (
        lambda: made(
            "exact.py"
            + cure_in(
                refusal(made, "exact.py"), r"write 'file\.py(:function)'"
            ).replace("function", "load")
        ),
        is_gc,
    ),
    "a partial whose arguments are unseen": (
        lambda: made(
            written(
                "n.py",
                BY_PATH.replace("def load(path)", "def build(path)")
                + cure_in(
                    refusal(
                        made,
                        written("hidden.py", "load = dict"),
                        weights="net.safetensors",
                    ),
                    r"write a function: (def load\(path\):) \.\.\.$",
                )
                + " return build(path)\n",
            ),
            weights="net.safetensors",
        ),
        is_gc,
    ),
    "a factory of two arguments": (
        lambda: (
            cure_in(
                refusal(
                    made,
                    written("n.py", BY_PATH.replace("(path):", "(path, seed):")),
                    weights="net.safetensors",
                ),
                r"it may take one, (the path of the weights)$",
            ),
            made(written("m.py", BY_PATH), weights="net.safetensors"),
        )[1],
        is_gc,
    ),
    "an option that a predictor contradicts": (
        lambda: cured(
            made,
            {
                "factory": written(
                    "n.py",
                    "import causalgia as cg\ndef load(): return cg.FunctionPredictor("
                    "lambda x: x[:, 1:3].sum(1).mean(1), tasks=['gc'], scale='share')",
                ),
                "scale": "log",
            },
            r"returned a predictor with (scale='share'), and",
        ),
        is_gc,
    ),
    "an option that a predictor lacks": (
        lambda: cured(
            made,
            {
                "factory": written(
                    "n.py",
                    "import causalgia as cg\ndef load(): return cg.FunctionPredictor("
                    "lambda x: x[:, 1:3].sum(1).mean(1), tasks=['gc'], scale='share')",
                ),
                "device": "cpu",
            },
            r"which has no use for (device)=",
        ),
        is_gc,
    ),
    "an alphabet that the file contradicts": (
        lambda: cured(
            made,
            {
                "factory": written("n.py", EXACT + "ALPHABET = 'ACGT'"),
                "alphabet": "TGCA",
            },
            r"says (ALPHABET = 'ACGT'); find out which is true",
            fill={"ALPHABET =": "alphabet="},
        ),
        is_gc,
    ),
    "an alphabet of a file that is none": (
        lambda: made(
            written(
                "m.py",
                EXACT
                + "ALPHABET = "
                + cure_in(
                    refusal(made, written("n.py", EXACT + "ALPHABET = 4")),
                    r"such as ('ACGT')$",
                ),
            )
        ),
        is_gc,
    ),
    "names of tasks that are twice": (
        lambda: cured(
            made,
            {"factory": "exact.py:load", "tasks": ["gc", "gc"]},
            r"(twice)",
            fill={"twice": "tasks=['gc']"},
        ),
        is_gc,
    ),
    # ---- weights
    "weights of another network": (
        lambda: load_renamed(),
        lambda net: net.mix.weight.tolist() == [[0, 1, 1, 0]],
    ),
    "weights by another name": (
        lambda: save_weights(
            torch.nn.Linear(4, 1),
            cure_in(
                refusal(save_weights, torch.nn.Linear(4, 1), "new.pt"),
                r"call it '(new\.safetensors)'$",
            ),
        ),
        lambda _: load_weights(torch.nn.Linear(4, 1), "new.safetensors") is None,
    ),
    "weights in a pickle": (
        lambda: converted(),
        is_gc,
    ),
    "weights in place of a factory": (
        lambda: cured(
            made,
            {"factory": "net.safetensors"},
            r"write (factory='my_net\.py:load', weights='net\.safetensors')$",
            fill={"my_net.py:load": written("n.py", BY_PATH)},
        ),
        is_gc,
    ),
    "an exported program in place of a factory": (
        lambda: made(
            written(
                "my_net.py",
                "import torch\n"
                + cure_in(
                    refusal(made, exported()),
                    r"function of yours, (def load\(\): return .*\.module\(\)), as",
                ),
            )
        ),
        is_gc,
    ),
    "a file of Keras in place of a factory": (
        lambda: eval(
            cure_in(
                refusal(made, keras()), r"read by (cg\.predict\.\w+\('k\.h5'\)), which"
            ),
            {"cg": cg},
        ),
        is_gc,
    ),
    "damaged safetensors": (
        lambda: tensors_saved_again(),
        is_gc,
    ),
    "a damaged state dict": (
        lambda: saved_again(),
        is_gc,
    ),
    # ---- Keras
    "weights of Keras alone": (
        lambda: cured(
            of_keras,
            {"path": keras(None, alone=True)},
            r"give (config=), the JSON",
            fill={"config=": "config=text"},
            text=json.dumps(GRAPH),
        ),
        is_gc,
    ),
    "weights of Keras 3 alone": (
        lambda: cured(
            of_keras,
            {"path": (archive(), "w.h5")[1]},
            r"give (config=), the JSON",
            fill={"config=": "config=text"},
            text=json.dumps(GRAPH),
        ),
        is_gc,
    ),
    "an archive with a graph": (
        lambda: cured(
            of_keras,
            {"path": archive(), "config": json.dumps(GRAPH)},
            r"has its own graph; leave (config)= out$",
        ),
        is_gc,
    ),
    "a graph that is a dict": (
        lambda: cured(
            of_keras,
            {"path": keras(None, alone=True), "config": GRAPH},
            r"; give (json\.dumps\(config\))$",
            fill={"json": "config=json"},
            json=json,
            config=GRAPH,
        ),
        is_gc,
    ),
    "a file of other bytes": (
        lambda: (
            cure_in(
                refusal(of_keras, of_other_bytes()),
                r"(save the network as one), in Keras 3 model\.save\('net\.keras'\), in "
                r"Keras 2 model\.save\('net\.h5'\)",
            ),
            [is_gc(of_keras(one)) for one in (archive(), keras())],
        )[1],
        all,
    ),
    "a graph whose layers lead nowhere": (
        lambda: (
            cure_in(
                refusal(of_keras, keras(leading_to("gone"))),
                r"the graph around layer 'gone' is damaged; (save it again)$",
            ),
            of_keras(keras(leading_to("mix"))),
        )[1],
        is_gc,
    ),
    "a graph whose input is no layer": (
        lambda: (
            cure_in(
                refusal(of_keras, keras(leading_to("mix", begin="gone"))),
                r"its input, 'gone', is not one of its layers: .*; (save it again)$",
            ),
            of_keras(keras(leading_to("mix"))),
        )[1],
        is_gc,
    ),
    "channels before positions": (
        lambda: (
            cure_in(
                refusal(
                    of_keras, keras(image(order="channels_first"), kernel=(1, 4, 1, 1))
                ),
                r"data_format is channels_first; save the network as (channels_last)",
            ),
            of_keras(keras(image(order="channels_last"), kernel=(1, 4, 1, 1))),
        )[1],
        is_gc,
    ),
    "a network without the shape of its input": (
        lambda: cured(
            lambda **given: (of := of_keras(**given), of.predict(TOKENS))[0],
            {"path": keras(image(shape=False), kernel=(1, 4, 1, 1))},
            r"Give (config=), the JSON of model\.to_json\(\)",
            fill={"config=": "config=text"},
            text=json.dumps(image(shape=True)),
        ),
        is_gc,
    ),
    # ---- ONNX
    "weights of a file that holds them": (
        lambda: cured(
            made,
            {
                "factory": onnx_file(),
                "weights": "net.safetensors",
                "tasks": list("ACGT"),
            },
            r"and (weights)=.* were given; leave them out$",
        ),
        answered(LETTER_A),
    ),
    "a device that ONNX Runtime has not": (
        lambda: cured(
            made,
            {"factory": onnx_file(), "device": "mps", "tasks": list("ACGT")},
            r"use auto, (cpu),",
            fill={"cpu": "device='cpu'"},
        ),
        answered(LETTER_A),
    ),
    "a provider that is not there": (
        lambda: cured(
            of_onnx,
            {"path": onnx_file(), "providers": ["NoneExecutionProvider"]},
            r"available: .*(CPUExecutionProvider)",
            fill={"CPU": "providers=['CPU", "Provider": "Provider']"},
        ),
        answered(LETTER_A),
    ),
    "a batch of a size that is fixed": (
        lambda: cured(
            of_onnx,
            {"path": onnx_file((2, 4, 9)), "batch_size": 7},
            r"leave (batch_size)= out$",
        ),
        answered(LETTER_A),
    ),
    "a layout that is not known": (
        lambda: cured(
            of_onnx,
            {"path": onnx_file(("n", "a", "b"))},
            r"give (layout='NCL') ",
        ),
        answered(LETTER_A),
    ),
    "a layout by another name": (
        lambda: cured(
            of_onnx,
            {"path": onnx_file(), "layout": "NHWC"},
            r"use ('NCL'), 'NLC'",
            fill={"'NCL'": "layout='NCL'"},
        ),
        answered(LETTER_A),
    ),
    "the other layout": (
        lambda: cured(
            of_onnx,
            {"path": onnx_file(), "layout": "NLC"},
            r"(give the other layout)$",
            fill={"give the other layout": "layout='NCL'"},
        ),
        answered(LETTER_A),
    ),
    "half precision": (
        lambda: cured(
            of_onnx,
            {"path": onnx_file(kind="FLOAT16")},
            r"or accept it with (dtype='float16')$",
        ),
        lambda found: np.allclose(found.predict(TOKENS)[:, 0], LETTER_A, atol=1e-2),
    ),
    "a dtype that the file has not": (
        lambda: cured(
            of_onnx,
            {"path": onnx_file(), "dtype": "float64"},
            r"and (dtype)='float64' was asked for; leave it out$",
        ),
        answered(LETTER_A),
    ),
    "no thread": (
        lambda: cured(
            of_onnx,
            {"path": onnx_file(), "n_threads": 0},
            r"of at least (1), or",
            fill={"1": "n_threads=1"},
        ),
        answered(LETTER_A),
    ),
    "names of columns of two outputs": (
        lambda: cured(
            of_onnx,
            {
                "path": onnx_file(outputs=("y", "z"), axes=(1, 2)),
                "heads": ["y", "z"],
                "tasks": None,
            },
            r"; pick outputs with (tasks=)$",
            fill={"tasks=": "tasks=['y'], heads=None"},
        ),
        answered(np.full(len(TOKENS), 0.25)),
    ),
    "an output of several columns": (
        lambda: cured(
            of_onnx,
            {"path": onnx_file(outputs=("y", "z")), "tasks": ["y"]},
            r"give (reduce=), for example (?:reduce=lambda y: y\['y'\]) and",
            fill={"reduce=": "reduce=lambda y: y['y'], tasks=list('ACGT')"},
        ),
        answered(LETTER_A),
    ),
    "an output that is none": (
        lambda: cured(
            of_onnx,
            {
                "path": onnx_file(outputs=("y", "z")),
                "tasks": ["w"],
                "reduce": lambda y: {name: of[:, 0] for name, of in y.items()},
            },
            r"it has (y) ",
            fill={"y": "tasks=['y']"},
        ),
        answered(LETTER_A),
    ),
    "positions of an output": (
        lambda: cured(
            of_onnx,
            {"path": onnx_file(axes=()), "tasks": list("ACGT")},
            r"for example (reduce=lambda y: y\.sum\(-1\)) for",
        ),
        answered(9 * LETTER_A),
    ),
}


def load_renamed() -> Any:
    """Rename the tensors of a file, as the message says."""
    from safetensors.torch import load_file, save_file

    net = made("exact.py:load").module
    state = load_file("net.safetensors")
    save_file({f"module.{name}": one for name, one in state.items()}, "o.safetensors")
    net.mix.weight.data.zero_()
    text = refusal(load_weights, net, "o.safetensors")
    named = cure_in(text, r"and take off 'module\.': (\{.*\})$")
    weights = load_file("o.safetensors")
    save_file(eval(named, {"weights": weights}), "o.safetensors")
    load_weights(net, "o.safetensors")
    save_file({"mixed": state["mix.weight"]}, "o.safetensors")
    text = refusal(load_weights, net, "o.safetensors")
    missing, unexpected = (
        cure_in(text, r"missing \(([\w.]+)\)"),
        cure_in(text, r"unexpected \(([\w.]+)\)"),
    )
    cure_in(text, r"(Rename the tensors)")
    save_file({missing: load_file("o.safetensors")[unexpected]}, "o.safetensors")
    load_weights(net, "o.safetensors")
    return net


def exported() -> str:
    """Write the network as an exported program."""
    n = torch.export.Dim("n", min=2)
    program = torch.export.export(
        made("exact.py:load").module, (torch.zeros(3, 4, 9),), dynamic_shapes=({0: n},)
    )
    torch.export.save(program, "net.pt2")
    return "net.pt2"


def saved_again() -> Any:
    """Write a file of zeros anew, by the line of the message."""
    module = made("exact.py:load").module
    Path("net.pt").write_bytes(bytes(500))
    text = refusal(made, written("n.py", NET + "load = Net"), weights="net.pt")
    line = cure_in(text, r"(torch\.save\(module\.state_dict\(\), 'net\.pt'\))$")
    eval(line, {"torch": torch, "module": module})
    return made("n.py:load", weights="net.pt")


def tensors_saved_again() -> Any:
    """Write a damaged file of tensors anew, by the function of the message."""
    module = made("exact.py:load").module
    for damaged in (bytes(500), Path("net.safetensors").read_bytes()[:-9]):
        Path("net.safetensors").write_bytes(damaged)
        text = refusal(
            made, written("n.py", NET + "load = Net"), weights="net.safetensors"
        )
        name = cure_in(text, r"not a safetensors file .*; write it anew with (\w+)$")
        getattr(cg.predict, name)(module, "net.safetensors")
    return made("n.py:load", weights="net.safetensors")


def converted() -> Any:
    """Keep the tensors of a pickled network alone, by the line of the message."""
    module = made("exact.py:load").module
    torch.save(module, "whole.pt")
    text = refusal(made, written("n.py", NET + "load = Net"), weights="whole.pt")
    line = cure_in(text, r"(causalgia\.predict\.save_weights\(module, '[\w.]+'\))")
    eval(line, {"causalgia": cg, "module": module})
    return made("n.py:load", weights=line.split("'")[1])


@pytest.mark.rotating
@pytest.mark.parametrize("case", CASES)
def test_the_cure_of_a_loader_is_applied_and_the_network_answers(case):
    apply, holds = CASES[case]
    assert holds(apply())
