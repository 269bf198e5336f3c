"""Keras networks in HDF5 files: layers against their definitions in numpy, real
weights, and files that are refused.
"""

from __future__ import annotations

import json
import math
import pickle
import zipfile

import h5py
import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import PredictorError

torch = pytest.importorskip("torch")


pytestmark = pytest.mark.torch


RNG = np.random.default_rng(16)


LENGTH = 23


TOKENS = RNG.integers(0, 4, (5, LENGTH)).astype(np.uint8)


ONE_HOT = np.eye(4)[TOKENS]


def layer(kind, name, *inputs, **config):
    return {
        "class_name": kind,
        "name": name,
        "config": {"name": name, **config},
        "inputs": inputs,
    }


def as_keras_2(layers, outputs):
    for one in layers:
        inputs = one.pop("inputs")
        one["inbound_nodes"] = [[[name, 0, 0, {}] for name in inputs]] if inputs else []
    ends = {
        "input_layers": [[layers[0]["name"], 0, 0]],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {"class_name": "Model", "config": {"layers": layers, **ends}}


def as_keras_3(layers, outputs):
    for one in layers:
        inputs = one.pop("inputs")
        tensors = [
            {
                "class_name": "__keras_tensor__",
                "config": {"keras_history": [name, 0, 0]},
            }
            for name in inputs
        ]
        args = [tensors] if len(tensors) > 1 else tensors
        one["inbound_nodes"] = [{"args": args, "kwargs": {}}] if inputs else []
    first = [layers[0]["name"], 0, 0]
    ends = {"input_layers": first, "output_layers": [[name, 0, 0] for name in outputs]}
    return {"class_name": "Functional", "config": {"layers": layers, **ends}}


def sequential(*layers):
    for one in layers:
        one.pop("inputs")
    return {"class_name": "Sequential", "config": {"layers": list(layers)}}


def save(path, graph, weights):
    with h5py.File(path, "w") as file:
        if graph is not None:
            file.attrs["model_config"] = json.dumps(graph)
        for name, arrays in weights.items():
            for key, array in arrays.items():
                file[f"model_weights/{name}/{name}/{key}:0"] = np.asarray(
                    array, np.float32
                )
    return path


def random(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def answers(path, **options):
    return cg.predict.from_keras_h5(path, device="cpu", **options).predict(TOKENS)


def one_layer(tmp_path, kind, weights=None, **config):
    """Return what a layer answers to one-hot sequences, (n, numbers), in Keras'
    order.
    """
    graph = sequential(layer(kind, "it", **config), layer("Flatten", "flat"))
    return answers(save(tmp_path / "it.h5", graph, {"it": weights or {}}))


def windows(x, width, stride, gap, padding):
    """Return the windows (n, out, width, channels) of TensorFlow's definition, and
    which of their places are real.
    """
    reach = (width - 1) * gap + 1
    if padding == "valid":
        before, n = 0, (x.shape[1] - reach) // stride + 1
    else:
        n = -(-x.shape[1] // stride)
        before = (
            reach - 1
            if padding == "causal"
            else max((n - 1) * stride + reach - x.shape[1], 0) // 2
        )
    places = np.arange(n)[:, None] * stride - before + np.arange(width) * gap
    real = (places >= 0) & (places < x.shape[1])
    return x[:, places.clip(0, x.shape[1] - 1)] * real[None, :, :, None], real


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(
    ("width", "stride", "gap"), [(4, 1, 1), (5, 1, 1), (4, 3, 1), (5, 2, 1), (3, 1, 4)]
)
def test_convolutions(tmp_path, padding, width, stride, gap):
    kernel, bias = random(width, 4, 3), random(3)
    config = {
        "filters": 3,
        "kernel_size": [width],
        "strides": [stride],
        "dilation_rate": [gap],
        "padding": padding,
    }
    found = one_layer(
        tmp_path,
        "Conv1D",
        {"kernel": kernel, "bias": bias},
        activation="tanh",
        **config,
    )
    seen, _ = windows(ONE_HOT, width, stride, gap, padding)
    expected = np.tanh(np.einsum("nowc,wcf->nof", seen, kernel.astype(float)) + bias)
    np.testing.assert_allclose(found, expected.reshape(5, -1), atol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("width", "stride"), [(2, 2), (3, 2), (5, 1), (4, 3)])
def test_pooling(tmp_path, padding, width, stride):
    seen, real = windows(ONE_HOT, width, stride, 1, padding)
    config = {"pool_size": [width], "strides": [stride], "padding": padding}
    found = one_layer(tmp_path, "MaxPooling1D", **config)
    np.testing.assert_array_equal(found, seen.max(2).reshape(5, -1))
    found = one_layer(tmp_path, "AveragePooling1D", **config)
    np.testing.assert_allclose(
        found, (seen.sum(2) / real.sum(1)[:, None]).reshape(5, -1), atol=1e-6
    )


IMAGE = RNG.normal(size=(3, 6, 4, 2))


def planes(kind, x, size, stride, gap, padding, kernel=None):
    """Return a convolution or pooling of images (n, rows, columns, channels), place by
    place, as Keras defines them.
    """
    before, n_out = [], []
    for length, width, step, hole in zip(x.shape[1:3], size, stride, gap, strict=True):
        reach = (width - 1) * hole + 1
        n_out.append(
            (length - reach) // step + 1 if padding == "valid" else -(-length // step)
        )
        lacking = (n_out[-1] - 1) * step + reach - length
        before.append(max(lacking, 0) // 2 if padding == "same" else 0)
    made = np.zeros((len(x), *n_out, x.shape[3] if kernel is None else kernel.shape[3]))
    for r, c in np.ndindex(*n_out):
        seen = []
        for i, j in np.ndindex(*size):
            row, column = (
                r * stride[0] - before[0] + i * gap[0],
                c * stride[1] - before[1] + j * gap[1],
            )
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                seen.append(
                    x[:, row, column]
                    if kernel is None
                    else x[:, row, column] @ kernel[i, j]
                )
        made[:, r, c] = {
            "Conv2D": sum(seen),
            "Max": np.max(seen, 0),
            "Average": np.mean(seen, 0),
        }[kind]
    return made


def of_image(tmp_path, kind, x, weights=None, **config):
    """Return what a layer makes of images, after its place in a network of sequences is
    taken.
    """
    path = save(
        tmp_path / "it.h5",
        sequential(layer(kind, "it", **config)),
        {"it": weights or {}},
    )
    step = cg.predict.from_keras_h5(path, device="cpu").module.steps[1]
    made = step([torch.tensor(x, dtype=torch.float32).movedim(-1, 1)])
    return (made.movedim(1, -1) if made.ndim > 2 else made).numpy()


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("size", "stride", "gap"),
    [
        ((3, 4), (1, 1), (1, 1)),
        ((2, 1), (3, 2), (1, 1)),
        ((1, 2), (1, 1), (2, 3)),
        ((3, 2), (1, 1), (2, 1)),
    ],
)
def test_convolutions_of_images(tmp_path, padding, size, stride, gap):
    kernel, bias = random(*size, 2, 3), random(3)
    config = {
        "filters": 3,
        "kernel_size": size,
        "strides": stride,
        "dilation_rate": gap,
        "padding": padding,
    }
    found = of_image(
        tmp_path,
        "Conv2D",
        IMAGE,
        {"kernel": kernel, "bias": bias},
        activation="tanh",
        **config,
    )
    expected = np.tanh(
        planes("Conv2D", IMAGE, size, stride, gap, padding, kernel.astype(float)) + bias
    )
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("size", "stride"),
    [((2, 2), None), ((3, 1), (2, 1)), ((1, 4), (1, 3)), ((4, 3), (1, 2))],
)
def test_pooling_of_images(tmp_path, padding, size, stride):
    config = {"pool_size": size, "strides": stride, "padding": padding}
    for name in ("Max", "Average"):
        found = of_image(tmp_path, f"{name}Pooling2D", IMAGE, **config)
        expected = planes(name, IMAGE, size, stride or size, (1, 1), padding)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-6)


GAMMA, BETA, MEAN, VARIANCE = random(2), random(2), random(2), random(2) ** 2


MOMENTS = {"moving_mean": MEAN, "moving_variance": VARIANCE}


KERNEL = random(2, 3)


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("GlobalMaxPooling2D", {}, lambda x: x.max((1, 2))),
        (
            "GlobalAveragePooling2D",
            {"keepdims": True},
            lambda x: x.mean((1, 2), keepdims=True),
        ),
        ("Flatten", {}, lambda x: x.reshape(3, -1)),
        ("Reshape", {"target_shape": [4, -1]}, lambda x: x.reshape(3, 4, 12)),
        ("Reshape", {"target_shape": [2, 6, 4]}, lambda x: x.reshape(3, 2, 6, 4)),
        ("Permute", {"dims": [3, 1, 2]}, lambda x: x.transpose(0, 3, 1, 2)),
        ("Permute", {"dims": [2, 3, 1]}, lambda x: x.transpose(0, 2, 3, 1)),
        (
            "ZeroPadding2D",
            {"padding": [[2, 1], [0, 3]]},
            lambda x: np.pad(x, [(0, 0), (2, 1), (0, 3), (0, 0)]),
        ),
        (
            "ZeroPadding2D",
            {"padding": [1, 2]},
            lambda x: np.pad(x, [(0, 0), (1, 1), (2, 2), (0, 0)]),
        ),
        ("Cropping2D", {"cropping": [[1, 2], [0, 1]]}, lambda x: x[:, 1:-2, :-1]),
        ("UpSampling2D", {"size": [1, 3]}, lambda x: x.repeat(3, 2)),
        ("Softmax", {"axis": 2}, lambda x: np.exp(x) / np.exp(x).sum(2, keepdims=True)),
        (
            "Activation",
            {"activation": "softmax"},
            lambda x: np.exp(x) / np.exp(x).sum(3, keepdims=True),
        ),
        ("SpatialDropout2D", {"rate": 0.5}, lambda x: x),
        ("Dense", {"units": 3, "use_bias": False}, lambda x: x @ KERNEL),
        (
            "BatchNormalization",
            {"axis": [3], "epsilon": 0.01},
            lambda x: (x - MEAN) / np.sqrt(VARIANCE + 0.01) * GAMMA + BETA,
        ),
        (
            "LayerNormalization",
            {"axis": [3], "epsilon": 0.01},
            lambda x: (
                (x - x.mean(3, keepdims=True))
                / np.sqrt(x.var(3, keepdims=True) + 0.01)
                * GAMMA
                + BETA
            ),
        ),
    ],
)
def test_layers_of_images(tmp_path, kind, config, expected):
    norm = {"gamma": GAMMA, "beta": BETA}
    weights = {
        "Dense": {"kernel": KERNEL},
        "BatchNormalization": norm | MOMENTS,
        "LayerNormalization": norm,
    }
    found = of_image(tmp_path, kind, IMAGE, weights.get(kind), **config)
    assert found.shape == expected(IMAGE).shape
    np.testing.assert_allclose(found, expected(IMAGE), atol=1e-5)


LAYOUTS = {
    (LENGTH, 4, 1): ONE_HOT[:, :, :, None],
    (4, LENGTH, 1): ONE_HOT.transpose(0, 2, 1)[:, :, :, None],
    (1, LENGTH, 4): ONE_HOT[:, None],
    (LENGTH, 1, 4): ONE_HOT[:, :, None],
    (1, 4, LENGTH): ONE_HOT.transpose(0, 2, 1)[:, None],
    (None, 4, 1): ONE_HOT[:, :, :, None],
    (4, None, 1): ONE_HOT.transpose(0, 2, 1)[:, :, :, None],
    (4, LENGTH): ONE_HOT.transpose(0, 2, 1),
    (LENGTH, 4): ONE_HOT,
}


@pytest.mark.parametrize("shape", LAYOUTS)
@pytest.mark.parametrize(
    "where", ["InputLayer", "batch_shape", "first layer", "build_input_shape"]
)
def test_the_shape_of_the_input_says_where_the_bases_lie(tmp_path, shape, where):
    given = [None, *shape]
    layers = [layer("Flatten", "flat")]
    if where in ("InputLayer", "batch_shape"):
        layers.insert(
            0,
            layer(
                "InputLayer",
                "x",
                **{where.replace("InputLayer", "batch_input_shape"): given},
            ),
        )
    elif where == "first layer":
        layers[0]["config"]["batch_input_shape"] = given
    graph = sequential(*layers)
    if where == "build_input_shape":
        graph["config"]["build_input_shape"] = given
    np.testing.assert_array_equal(
        answers(save(tmp_path / "it.h5", graph, {})), LAYOUTS[shape].reshape(5, -1)
    )


@pytest.mark.parametrize("write", [as_keras_2, as_keras_3])
def test_a_network_of_images(tmp_path, write):
    """A filter over all bases, (positions, 4, 1), pooling along positions, and a second
    path: as Keras says.
    """
    scan, other = (
        {"kernel": random(5, 4, 1, 3), "bias": random(3)},
        {"kernel": random(3, 2, 3, 3), "bias": random(3)},
    )
    out = {"kernel": random(2 * 10 * 3, 2), "bias": random(2)}
    layers = [
        layer("InputLayer", "dna", batch_input_shape=[None, LENGTH, 4, 1]),
        layer(
            "Conv2D", "scan", "dna", filters=3, kernel_size=[5, 4], activation="relu"
        ),
        layer("MaxPooling2D", "pool", "scan", pool_size=[2, 1], padding="same"),
        layer("ZeroPadding2D", "wide", "pool", padding=[[1, 1], [0, 1]]),
        layer("Conv2D", "other", "wide", filters=3, kernel_size=[3, 2]),
        layer("Concatenate", "both", "pool", "other", axis=2),
        layer("Flatten", "flat", "both"),
        layer("Dense", "out", "flat", units=2),
    ]
    path = save(
        tmp_path / "net.h5",
        write(layers, ["out"]),
        {"scan": scan, "other": other, "out": out},
    )
    x = LAYOUTS[LENGTH, 4, 1]
    one = (1, 1)
    first = (
        planes("Conv2D", x, (5, 4), one, one, "valid", scan["kernel"].astype(float))
        + scan["bias"]
    )
    pooled = planes("Max", first.clip(0), (2, 1), (2, 1), one, "same")
    padded = np.pad(pooled, [(0, 0), (1, 1), (0, 1), (0, 0)])
    second = (
        planes(
            "Conv2D", padded, (3, 2), one, one, "valid", other["kernel"].astype(float)
        )
        + other["bias"]
    )
    expected = (
        np.concatenate([pooled, second], axis=2).reshape(5, -1) @ out["kernel"]
        + out["bias"]
    )
    made = cg.predict.from_keras_h5(path, tasks=["a", "b"], device="cpu")
    np.testing.assert_allclose(made.predict(TOKENS), expected, atol=1e-4)
    np.testing.assert_allclose(made.reference().predict(TOKENS), expected, atol=1e-5)
    arms = {"none": cg.Untreated(), "TATA": cg.Embed("TATA", at=9)}
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms=arms, n_units=5, contrasts="none"
    )
    edited = cg.run(design, made, rng=1)
    assert np.ptp(edited["outcome"].values, axis=1).max() > 0.01


@pytest.mark.parametrize(
    "shape",
    [
        (4, 4, 1),
        (1, 4, 1),
        (LENGTH, 4, 2),
        (None, None, None),
        (1, LENGTH, 4, 1),
    ],
)
def test_inputs_that_are_refused(tmp_path, shape):
    graph = sequential(
        layer("InputLayer", "x", batch_shape=[None, *shape]), layer("Flatten", "flat")
    )
    with pytest.raises(PredictorError):
        cg.predict.from_keras_h5(save(tmp_path / "it.h5", graph, {}))


def test_an_image_whose_shape_is_not_in_the_file(tmp_path):
    """A graph may be given that says the shape."""
    graph = sequential(
        layer("Conv2D", "scan", filters=1, kernel_size=[3, 4]),
        layer("GlobalMaxPooling2D", "best"),
    )
    path = save(
        tmp_path / "it.h5",
        graph,
        {"scan": {"kernel": random(3, 4, 1, 1), "bias": random(1)}},
    )
    with pytest.raises(PredictorError):
        answers(path)
    graph["config"]["layers"][0]["config"]["batch_input_shape"] = [None, None, 4, 1]
    assert answers(path, config=json.dumps(graph)).shape == (5, 1)


@pytest.mark.parametrize(
    "kind", ["Conv2D", "Flatten", "GlobalMaxPooling2D", "ZeroPadding2D"]
)
def test_channels_first_is_refused(tmp_path, kind):
    config = {
        "filters": 1,
        "kernel_size": [1, 1],
        "padding": "same" if kind == "Conv2D" else [1, 1],
    }
    with pytest.raises(PredictorError):
        of_image(
            tmp_path,
            kind,
            IMAGE,
            {"kernel": random(1, 1, 2, 1)},
            data_format="channels_first",
            **config,
        )


def test_norms_and_dense_layers(tmp_path):
    gamma, beta, mean, variance = random(4), random(4), random(4), random(4) ** 2
    weights = {
        "gamma": gamma,
        "beta": beta,
        "moving_mean": mean,
        "moving_variance": variance,
    }
    found = one_layer(tmp_path, "BatchNormalization", weights, axis=[-1], epsilon=0.01)
    expected = (ONE_HOT - mean) / np.sqrt(variance + 0.01) * gamma + beta
    np.testing.assert_allclose(found, expected.reshape(5, -1), atol=1e-5)
    found = one_layer(
        tmp_path,
        "LayerNormalization",
        {"gamma": gamma, "beta": beta},
        axis=[2],
        epsilon=0.01,
    )
    centered = ONE_HOT - ONE_HOT.mean(2, keepdims=True)
    expected = centered / np.sqrt(ONE_HOT.var(2, keepdims=True) + 0.01) * gamma + beta
    np.testing.assert_allclose(found, expected.reshape(5, -1), atol=1e-5)
    kernel = random(4, 6)
    found = one_layer(
        tmp_path,
        "Dense",
        {"kernel": kernel},
        units=6,
        use_bias=False,
        activation="softmax",
    )
    z = np.exp(ONE_HOT @ kernel.astype(float))
    np.testing.assert_allclose(
        found, (z / z.sum(-1, keepdims=True)).reshape(5, -1), atol=1e-6
    )


@pytest.mark.parametrize(
    ("kind", "config", "expected"),
    [
        ("Reshape", {"target_shape": [4, LENGTH]}, lambda x: x.reshape(5, 4, LENGTH)),
        ("Permute", {"dims": [2, 1]}, lambda x: x.transpose(0, 2, 1)),
        (
            "ZeroPadding1D",
            {"padding": [2, 1]},
            lambda x: np.pad(x, [(0, 0), (2, 1), (0, 0)]),
        ),
        ("Cropping1D", {"cropping": [3, 0]}, lambda x: x[:, 3:]),
        ("UpSampling1D", {"size": 2}, lambda x: x.repeat(2, 1)),
        ("GlobalMaxPooling1D", {}, lambda x: x.max(1)),
        ("GlobalAveragePooling1D", {}, lambda x: x.mean(1)),
        ("Activation", {"activation": "exponential"}, np.exp),
        ("Softmax", {"axis": 1}, lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
        ("LeakyReLU", {"alpha": 0.2}, lambda x: x),
        ("Dropout", {"rate": 0.9}, lambda x: x),
        ("ReLU", {"max_value": 0.5}, lambda x: x.clip(0, 0.5)),
    ],
)
def test_layers_without_weights(tmp_path, kind, config, expected):
    np.testing.assert_allclose(
        one_layer(tmp_path, kind, **config), expected(ONE_HOT).reshape(5, -1), atol=1e-6
    )


@pytest.mark.parametrize("write", [as_keras_2, as_keras_3])
def test_a_graph_with_branches_and_two_outputs(tmp_path, write):
    kernel, one, two = random(3, 4, 4), random(4 * LENGTH * 2, 1), random(8, 1)
    layers = [
        layer("InputLayer", "dna", batch_input_shape=[None, LENGTH, 4]),
        layer(
            "Conv1D",
            "scan",
            "dna",
            filters=4,
            kernel_size=[3],
            padding="same",
            use_bias=False,
        ),
        layer("Add", "sum", "dna", "scan"),
        layer("Concatenate", "both", "sum", "scan", axis=-1),
        layer("Flatten", "flat", "both"),
        layer("Dense", "first", "flat", units=1, use_bias=False),
        layer("GlobalAveragePooling1D", "mean", "both"),
        layer("Dense", "second", "mean", units=1, use_bias=False),
    ]
    weights = {
        "scan": {"kernel": kernel},
        "first": {"kernel": one},
        "second": {"kernel": two},
    }
    made = cg.predict.from_keras_h5(
        save(tmp_path / "net.h5", write(layers, ["first", "second"]), weights)
    )
    seen, _ = windows(ONE_HOT, 3, 1, 1, "same")
    scan = np.einsum("nowc,wcf->nof", seen, kernel.astype(float))
    both = np.concatenate([ONE_HOT + scan, scan], axis=-1)
    expected = np.hstack([both.reshape(5, -1) @ one, both.mean(1) @ two])
    np.testing.assert_allclose(made.predict(TOKENS), expected, atol=2e-5)
    assert made.tasks == ("first", "second")
    again = pickle.loads(pickle.dumps(made))
    assert np.array_equal(again.predict(TOKENS), made.predict(TOKENS))
    assert again.fingerprint == made.fingerprint
    assert not made.fingerprint.endswith("~")
    np.testing.assert_allclose(made.reference().predict(TOKENS), expected, atol=1e-6)


def test_a_track_is_read_with_positions_first(tmp_path):
    weights = {"scan": {"kernel": random(4, 4, 2), "bias": random(2)}}
    path = save(
        tmp_path / "net.h5",
        sequential(layer("Conv1D", "scan", filters=2, kernel_size=[4])),
        weights,
    )
    track = cg.Track(axis=1, origin=10)
    whole = cg.predict.from_keras_h5(path, tasks=["a", "b"], track=track).predict(
        TOKENS
    )
    expected = sum(
        ONE_HOT[:, i : i + LENGTH - 3] @ weights["scan"]["kernel"][i] for i in range(4)
    )
    np.testing.assert_allclose(whole, expected + weights["scan"]["bias"], atol=1e-5)
    read = cg.predict.from_keras_h5(
        path, tasks=["a", "b"], track=track, reduce=cg.Window("w", -2, 3)
    )
    np.testing.assert_allclose(read.predict(TOKENS), whole[:, 8:13].sum(1), atol=1e-5)
    with pytest.raises(PredictorError):
        cg.predict.from_keras_h5(path, config={"class_name": "Sequential"})


def test_weights_alone_need_their_graph(tmp_path):
    kernel = random(4, 2)
    graph = sequential(
        layer("GlobalAveragePooling1D", "mean"),
        layer("Dense", "out", units=2, use_bias=False),
    )
    path = save(tmp_path / "weights.h5", None, {"out": {"kernel": kernel}})
    with pytest.raises(PredictorError):
        cg.predict.from_keras_h5(path)
    (tmp_path / "net.json").write_text(json.dumps(graph))
    for config in (json.dumps(graph), tmp_path / "net.json"):
        np.testing.assert_allclose(
            answers(path, config=config), ONE_HOT.mean(1) @ kernel, atol=1e-6
        )


TWO_ENDS = {
    "layers": [
        {"class_name": "InputLayer", "config": {"name": "i"}, "inbound_nodes": []}
    ],
    "input_layers": [["i", 0, 0]],
    "output_layers": [["i", 0, 0], ["i", 0, 0]],
}


REFUSED = {
    "Lambda": [layer("Lambda", "trick", function=["4wEAAAA", None, None])],
    "custom": [layer("SplineWeight1D", "spline")],
    "nested": [layer("Functional", "inner", **TWO_ENDS)],
    "shape": [layer("Dense", "wide", units=3)],
    "absent": [layer("Dense", "gone", units=2)],
    "activation": [layer("Activation", "a", activation="mine")],
    "first": [layer("MaxPooling1D", "m", data_format="channels_first")],
    "empty": [],
}


@pytest.mark.parametrize("case", REFUSED)
def test_layers_that_are_refused_by_name(tmp_path, case):
    layers = REFUSED[case]
    graph = sequential(*[{**one, "config": dict(one["config"])} for one in layers])
    path = save(tmp_path / "net.h5", graph, {"wide": {"kernel": random(4, 2)}})
    with pytest.raises(PredictorError):
        cg.predict.from_keras_h5(path)


def test_graphs_that_are_refused(tmp_path):
    two = as_keras_2(
        [
            layer("InputLayer", "a"),
            layer("InputLayer", "b"),
            layer("Add", "sum", "a", "b"),
        ],
        ["sum"],
    )
    two["config"]["input_layers"] = [["a", 0, 0], ["b", 0, 0]]
    circle = as_keras_2(
        [layer("InputLayer", "a"), layer("Add", "x", "y"), layer("Add", "y", "x")],
        ["y"],
    )
    astray = as_keras_2([layer("InputLayer", "a"), layer("Dense", "x", "a")], ["x"])
    astray["config"]["input_layers"] = [["b", 0, 0]]
    endless = as_keras_2([layer("InputLayer", "a"), layer("Dense", "x", "a")], ["x"])
    endless["config"]["input_layers"] = [["a", math.inf, 0]]
    for graph in [
        two,
        endless,
        astray,
        circle,
        {"class_name": "MyModel", "config": {"layers": [1]}},
        {"class_name": "Model", "config": {"layers": [{}]}},
        [1, 2],
        sequential({**layer("Dense", "a"), "class_name": {"a": 1}}),
        sequential({**layer("Dense", "a"), "class_name": None}),
    ]:
        with pytest.raises(PredictorError):
            cg.predict.from_keras_h5(save(tmp_path / "net.h5", graph, {}))
    with h5py.File(tmp_path / "text.h5", "w") as file:
        file.attrs["model_config"] = "[" * 5_000
    with pytest.raises(PredictorError):
        cg.predict.from_keras_h5(tmp_path / "text.h5")


def test_types_that_are_named_in_the_file_are_no_weights(tmp_path):
    path = save(tmp_path / "x.h5", sequential(layer("Flatten", "flat")), {})
    with h5py.File(path, "a") as file:
        file["model_weights/flat/type"] = np.dtype("f4")
    assert answers(path).shape == (5, 4 * LENGTH)


def test_files_that_are_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    (tmp_path / "text.h5").write_text("hello, not HDF5")
    for name in [
        "net.keras",
        "text.h5",
        "absent.h5",
    ]:
        with pytest.raises(PredictorError):
            cg.predict.from_keras_h5(tmp_path / name)


def test_a_file_that_is_cut_is_named(tmp_path):
    graph = sequential(layer("Dense", "out", units=2))
    data = save(
        tmp_path / "cut.h5", graph, {"out": {"kernel": random(400, 2)}}
    ).read_bytes()
    (tmp_path / "cut.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(PredictorError):
        cg.predict.from_keras_h5(tmp_path / "cut.h5")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def recurrent(kind, x, kernel, inner, bias):
    """Return the states (n, steps, units) of an LSTM or GRU, as Keras defines them."""
    units = len(inner)
    h = c = np.zeros((len(x), units))
    states = []
    for t in range(x.shape[1]):
        if kind == "LSTM":
            i, f, g, o = np.split(x[:, t] @ kernel + h @ inner + bias, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        else:
            xz, xr, xh = np.split(x[:, t] @ kernel + bias[0], 3, axis=1)
            hz, hr, hh = np.split(h @ inner + bias[1], 3, axis=1)
            z, r = sigmoid(xz + hz), sigmoid(xr + hr)
            h = z * h + (1 - z) * np.tanh(xh + r * hh)
        states.append(h)
    return np.stack(states, axis=1)


def recurrent_weights(kind, units=3):
    gates = 4 if kind == "LSTM" else 3
    bias = random(gates * units) if kind == "LSTM" else random(2, gates * units)
    return {
        "kernel": random(4, gates * units),
        "recurrent_kernel": random(units, gates * units),
        "bias": bias,
    }


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_recurrent_layers(tmp_path, kind, sequences, backwards):
    weights = recurrent_weights(kind)
    found = one_layer(
        tmp_path,
        kind,
        weights,
        units=3,
        return_sequences=sequences,
        go_backwards=backwards,
    )
    expected = recurrent(
        kind, ONE_HOT[:, ::-1] if backwards else ONE_HOT, *weights.values()
    )
    assert np.allclose(
        found, expected.reshape(5, -1) if sequences else expected[:, -1], atol=1e-6
    )


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize(
    ("mode", "merge"),
    [
        ("concat", lambda a, b: np.concatenate([a, b], -1)),
        ("ave", lambda a, b: (a + b) / 2),
    ],
)
def test_bidirectional_layers(tmp_path, kind, sequences, mode, merge):
    ways = {way: recurrent_weights(kind) for way in ("forward", "backward")}
    inner = {"class_name": kind, "config": {"units": 3, "return_sequences": sequences}}
    graph = sequential(layer("Bidirectional", "both", layer=inner, merge_mode=mode))
    arrays = {
        f"{way}_x/cell/{name}": array
        for way, of in ways.items()
        for name, array in of.items()
    }
    path = save(tmp_path / "net.h5", graph, {"both": arrays})
    one = recurrent(kind, ONE_HOT, *ways["forward"].values())
    other = recurrent(kind, ONE_HOT[:, ::-1], *ways["backward"].values())
    expected = (
        merge(one, other[:, ::-1]) if sequences else merge(one[:, -1], other[:, -1])
    )
    found = answers(path, track=cg.Track(axis=1)) if sequences else answers(path)
    assert np.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("LSTM", {"activation": "relu"}),
        ("GRU", {"reset_after": False}),
        ("LSTM", {"return_state": True}),
        (
            "Bidirectional",
            {"layer": {"class_name": "SimpleRNN", "config": {"units": 3}}},
        ),
        (
            "Bidirectional",
            {"layer": {"class_name": "GRU", "config": {}}, "merge_mode": None},
        ),
    ],
)
def test_recurrent_layers_that_are_refused(tmp_path, kind, config):
    with pytest.raises(PredictorError):
        one_layer(tmp_path, kind, recurrent_weights("LSTM"), **({"units": 3} | config))


@pytest.mark.parametrize("write", [as_keras_2, as_keras_3])
def test_a_network_in_a_network(tmp_path, write):
    """The inner network is called twice; its layer has one set of weights."""
    scan = layer("Conv1D", "scan", filters=2, kernel_size=[3])
    body = sequential(scan, layer("GlobalMaxPooling1D", "best"))["config"]["layers"]
    layers = [
        layer("InputLayer", "dna"),
        layer("ZeroPadding1D", "moved", "dna", padding=[2, 0]),
        layer("Sequential", "body", "dna", layers=body),
        layer("Dense", "out", "body", units=1),
    ]
    graph = write(layers, ["out"])
    again = json.loads(json.dumps(layers[2]["inbound_nodes"]).replace("dna", "moved"))
    layers[2]["inbound_nodes"] += again
    layers[3]["inbound_nodes"] = json.loads(
        json.dumps(layers[3]["inbound_nodes"]).replace('["body", 0', '["body", 1')
    )
    kernel, dense = random(3, 4, 2), random(2, 1)
    arrays = {
        "body": {"scan/kernel": kernel, "scan/bias": np.zeros(2)},
        "out": {"kernel": dense, "bias": np.zeros(1)},
    }
    padded = np.pad(ONE_HOT, ((0, 0), (2, 0), (0, 0)))
    scanned = np.einsum(
        "nlcw,wcf->nlf",
        np.lib.stride_tricks.sliding_window_view(padded, 3, axis=1),
        kernel,
    )
    assert np.allclose(
        answers(save(tmp_path / "net.h5", graph, arrays)),
        scanned.max(1) @ dense,
        atol=1e-5,
    )


def as_archive(path, graph, groups, *, compress=zipfile.ZIP_STORED):
    """Write a .keras archive: numbered arrays in groups called by kinds, with the names
    of the layers as attributes.
    """
    inner = path.with_suffix(".weights.h5")
    with h5py.File(inner, "w") as file:
        for group, (name, arrays) in groups.items():
            made = file.create_group(f"layers/{group}")
            made.create_group("vars").attrs["name"] = name
            for place, array in arrays.items():
                made[place] = np.asarray(array, "f4")
    with zipfile.ZipFile(path, "w", compress) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", json.dumps(graph))
        archive.write(inner, "model.weights.h5")
    return path


def test_an_archive_of_keras_3(tmp_path):
    kernel, gamma, mean, variance, dense = (
        random(3, 4, 2),
        random(2),
        random(2),
        random(2) ** 2,
        random(42, 2),
    )
    graph = sequential(
        layer("Conv1D", "scan", filters=2, kernel_size=[3], use_bias=False),
        layer("BatchNormalization", "norm", center=False),
        layer("Flatten", "flat"),
        layer("Dense", "out", units=2),
    )
    groups = {
        "conv1d": ("scan", {"vars/0": kernel}),
        "batch_normalization": (
            "norm",
            {"vars/0": gamma, "vars/1": mean, "vars/2": variance},
        ),
        "dense": ("out", {"vars/0": dense, "vars/1": np.ones(2)}),
    }
    path = as_archive(tmp_path / "net.keras", graph, groups)
    scanned = np.einsum(
        "nlcw,wcf->nlf",
        np.lib.stride_tricks.sliding_window_view(ONE_HOT, 3, axis=1),
        kernel,
    )
    expected = ((scanned - mean) / np.sqrt(variance + 1e-3) * gamma).reshape(
        5, -1
    ) @ dense + 1
    assert np.allclose(answers(path), expected, atol=1e-4)
    with pytest.raises(PredictorError):
        cg.predict.from_keras_h5(path, config="{}")
    groups["dense"] = ("other", groups["dense"][1])
    with pytest.raises(PredictorError):
        answers(as_archive(tmp_path / "other.keras", graph, groups))


def test_hostile_archives(tmp_path):
    graph = sequential(layer("Dense", "out", units=2))
    groups = {"dense": ("out", {"vars/0": np.zeros((92, 2)), "vars/1": np.zeros(2)})}
    with pytest.raises(PredictorError):
        answers(
            as_archive(
                tmp_path / "bomb.keras", graph, groups, compress=zipfile.ZIP_DEFLATED
            )
        )
    whole = as_archive(tmp_path / "net.keras", graph, groups).read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PredictorError):
        answers(tmp_path / "cut.keras")
    with zipfile.ZipFile(tmp_path / "links.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(graph))
        with h5py.File(tmp_path / "links.h5", "w") as file:
            file["layers/dense/vars/0"] = h5py.ExternalLink("/etc/passwd", "/")
        archive.write(tmp_path / "links.h5", "model.weights.h5")
    with pytest.raises(PredictorError):
        answers(tmp_path / "links.keras")


@pytest.mark.real
def test_mpra_dragonn_answers_as_published(shared, tmp_path):
    from safetensors.numpy import load_file

    folder = shared / "data" / "models" / "mpra_dragonn"
    arrays, expected = (
        load_file(folder / "model.safetensors"),
        json.loads((folder / "reference.json").read_text()),
    )
    layers, weights = [], {}
    for i in range(3):
        layers.append(
            layer("Conv1D", f"conv{i}", filters=120, kernel_size=[5], activation="relu")
        )
        layers.append(layer("BatchNormalization", f"norm{i}", epsilon=1e-3))
        kernel = arrays[f"body.{3 * i}.weight"].transpose(2, 1, 0)
        weights[f"conv{i}"] = {"kernel": kernel, "bias": arrays[f"body.{3 * i}.bias"]}
        names = {
            "gamma": "weight",
            "beta": "bias",
            "moving_mean": "running_mean",
            "moving_variance": "running_var",
        }
        weights[f"norm{i}"] = {
            keras: arrays[f"body.{3 * i + 2}.{name}"] for keras, name in names.items()
        }
    layers += [layer("Flatten", "flat"), layer("Dense", "out", units=12)]
    kernel = (
        arrays["heads.weight"].reshape(12, 120, 133).transpose(2, 1, 0).reshape(-1, 12)
    )
    weights["out"] = {"kernel": kernel, "bias": arrays["heads.bias"]}
    made = cg.predict.from_keras_h5(
        save(tmp_path / "net.h5", sequential(*layers), weights)
    )
    tokens = np.array(
        [["ACGT".index(base) for base in letters] for letters in expected["tokens"]],
        np.uint8,
    )
    np.testing.assert_allclose(made.predict(tokens), expected["outputs"], atol=1e-6)


@pytest.mark.real
def test_deepstarr_answers_as_its_torch_copy(shared, tmp_path):
    from test_predict_torch_real import load

    net = load("deepstarr").module
    state = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    names = {
        "gamma": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    }
    layers, weights, before = (
        [layer("InputLayer", "dna", batch_input_shape=[None, 249, 4])],
        {},
        "dna",
    )

    def add(kind, name, arrays=None, **config):
        nonlocal before
        layers.append(layer(kind, name, before, **config))
        weights[name], before = arrays or {}, name

    def norm(name, place):
        add(
            "BatchNormalization",
            name,
            {k: state[f"{place}.{v}"] for k, v in names.items()},
            epsilon=1e-3,
        )
        add("Activation", f"{name}_relu", activation="relu")

    for i, (filters, width) in enumerate([(256, 7), (60, 3), (60, 5), (120, 3)]):
        arrays = {
            "kernel": state[f"body.{4 * i}.weight"].transpose(2, 1, 0),
            "bias": state[f"body.{4 * i}.bias"],
        }
        add(
            "Conv1D",
            f"conv{i}",
            arrays,
            filters=filters,
            kernel_size=[width],
            padding="same",
        )
        norm(f"norm{i}", f"body.{4 * i + 1}")
        add("MaxPooling1D", f"pool{i}", pool_size=[2], strides=[2])
    add("Flatten", "flat")
    kernel = (
        state["dense.1.weight"]
        .reshape(256, 120, 15)
        .transpose(2, 1, 0)
        .reshape(1800, 256)
    )
    add("Dense", "dense0", {"kernel": kernel, "bias": state["dense.1.bias"]}, units=256)
    norm("norm4", "dense.2")
    add(
        "Dense",
        "dense1",
        {"kernel": state["dense.5.weight"].T, "bias": state["dense.5.bias"]},
        units=256,
    )
    norm("norm5", "dense.6")
    last = before
    for k, name in enumerate(("dev", "hk")):
        before = last
        arrays = {
            "kernel": state["heads.weight"][k : k + 1].T,
            "bias": state["heads.bias"][k : k + 1],
        }
        add("Dense", name, arrays, units=1)
    made = cg.predict.from_keras_h5(
        save(tmp_path / "net.h5", as_keras_2(layers, ["dev", "hk"]), weights)
    )
    tokens = np.random.default_rng(0).integers(0, 4, (40, 249)).astype(np.uint8)
    expected = cg.TorchPredictor(net, tasks=["dev", "hk"]).predict(tokens)
    np.testing.assert_allclose(made.predict(tokens), expected, atol=5e-6)
    assert made.tasks == ("dev", "hk")


@pytest.mark.real
def test_dragonn_networks_answer_as_recorded(shared, tmp_path):
    """24 networks of simulated grammars; a Permute puts channels first before Flatten,
    as these have them.
    """
    from safetensors import safe_open

    folder = shared / "data" / "models" / "dragonn_simulated"
    recorded = json.loads((folder / "reference.json").read_text())
    for name, expected in recorded["outputs"].items():
        with safe_open(str(folder / f"{name}.safetensors"), "np") as file:
            about, held = (
                file.metadata(),
                {key: file.get_tensor(key) for key in file.keys()},  # noqa: SIM118
            )
        convs = sorted({key.rsplit(".", 1)[0] for key in held} - {"dense"})
        weights = {
            key: {
                "kernel": held[f"{key}.weight"].transpose(2, 1, 0),
                "bias": held[f"{key}.bias"],
            }
            for key in convs
        }
        weights["dense"] = {
            "kernel": held["dense.weight"].T,
            "bias": held["dense.bias"],
        }
        layers = [
            layer(
                "Conv1D",
                key,
                filters=one["kernel"].shape[2],
                kernel_size=[one["kernel"].shape[0]],
                activation="relu",
            )
            for key, one in weights.items()
            if key != "dense"
        ]
        layers += [
            layer("MaxPooling1D", "pool", pool_size=[int(about["pool"])]),
            layer("Permute", "turn", dims=[2, 1]),
        ]
        layers += [
            layer("Flatten", "flat"),
            layer("Dense", "dense", units=len(weights["dense"]["bias"])),
        ]
        path = save(tmp_path / f"{name}.h5", sequential(*layers), weights)
        tokens = cg.sequences.encode(recorded["tokens"][about["length"]])
        found = cg.predict.from_keras_h5(path, device="cpu").predict(tokens)
        np.testing.assert_allclose(
            found, np.reshape(expected, found.shape), atol=recorded["tolerance"]
        )
