"""Keras networks through Keras 3 on torch: each family beside Keras itself, from every
kind of file; published ones; files and models that are refused.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import PredictorError

torch = pytest.importorskip("torch")
os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
L = keras.layers

pytestmark = [
    pytest.mark.torch,
    # numpy of a tensor, where keras saves one
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

LENGTH = 40
TOKENS = np.random.default_rng(16).integers(0, 4, (5, LENGTH)).astype(np.uint8)
ONE_HOT = np.eye(4, dtype=np.float32)[TOKENS]


def convolutional(x):
    for filters, width in ((8, 7), (6, 4)):
        x = L.Conv1D(filters, width, padding="same")(x)
        x = L.Activation("relu")(L.BatchNormalization()(x))
        x = L.Dropout(0.3)(L.MaxPooling1D(2, padding="same")(x))
    return L.Dense(2)(L.Dense(8, activation="relu")(L.Flatten()(x)))


def dilated(x):
    x = L.Conv1D(8, 5, activation="relu")(x)
    for gap in (1, 2, 4):
        x = L.Add()([x, L.Conv1D(8, 3, padding="same", dilation_rate=gap)(x)])
    return L.Dense(2)(L.GlobalAveragePooling1D()(L.Cropping1D(3)(x)))


def attentive(x):
    x = L.LayerNormalization()(L.SeparableConv1D(8, 5, activation="gelu")(x))
    x = L.Add()([x, L.MultiHeadAttention(2, 4, dropout=0.1)(x, x)])
    return L.Dense(2)(L.GlobalMaxPooling1D()(x))


def recurrent(x):
    x = L.Bidirectional(L.LSTM(4, return_sequences=True))(L.Conv1D(6, 5)(x))
    return L.Dense(2, activation="softmax")(L.GRU(3, reset_after=False)(x))


def heads(x):
    x = L.Flatten()(L.AveragePooling1D(3, padding="same")(L.Conv1D(6, 5)(x)))
    return [L.Dense(1, name="dev")(x), L.Dense(1, name="hk")(x)]


FAMILIES = (convolutional, dilated, attentive, recurrent, heads)


def with_values(model):
    """Return a model whose weights are no longer those that Keras begins with."""
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.05, 0.5, w.shape) for w in model.weights])
    return model


def built(family, shape=(LENGTH, 4)):
    x = keras.Input(shape)
    return with_values(keras.Model(x, family(x)))


def own_answers(model, x=ONE_HOT):
    made = model.predict(x, verbose=0)
    return np.hstack(made) if isinstance(made, list) else made


def saved(model, folder):
    """Return what `from_keras` takes for each kind of file."""
    names = ("net.keras", "net.h5", "net.json", "net.weights.h5")
    archive, whole, graph, weights = (folder / name for name in names)
    model.save(archive)
    model.save(whole)
    graph.write_text(model.to_json())
    model.save_weights(weights)
    return [(archive, None), (whole, None), (graph, weights), (graph, whole)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_answered_as_by_keras(tmp_path, family):
    model = built(family)
    expected = own_answers(model)
    assert np.ptp(expected) > 1e-3
    of_files = [
        cg.predict.from_keras(path, weights=weights, device="cpu")
        for path, weights in saved(model, tmp_path)
    ]
    for made in (*of_files, cg.predict.from_keras(model, device="cpu")):
        np.testing.assert_allclose(made.predict(TOKENS), expected, atol=1e-5)
        assert made.fingerprint == of_files[0].fingerprint
        assert not made.fingerprint.endswith("~")


@pytest.mark.parametrize("family", [*FAMILIES][:3])
def test_a_reference_is_in_float64_and_a_copy_is_the_same(family):
    made = cg.predict.from_keras(built(family), device="cpu")
    exact = made.reference()
    found = exact.predict(TOKENS)
    assert found.dtype == np.float64
    assert (found != found.astype(np.float32)).any()
    np.testing.assert_allclose(found, made.predict(TOKENS), rtol=1e-4)
    for one in (made, exact):
        again = pickle.loads(pickle.dumps(one))
        np.testing.assert_array_equal(again.predict(TOKENS), one.predict(TOKENS))
        assert again.fingerprint == one.fingerprint


def test_float64_is_that_of_the_formula():
    x = keras.Input((LENGTH, 4))
    scan = L.BatchNormalization()(L.Conv1D(3, 5, activation="tanh")(x))
    model = with_values(keras.Model(x, L.GlobalAveragePooling1D()(scan)))
    kernel, bias, gamma, beta, mean, variance = map(np.float64, model.get_weights())
    seen = np.lib.stride_tricks.sliding_window_view(np.eye(4)[TOKENS], 5, axis=1)
    made = np.tanh(np.einsum("nlcw,wcf->nlf", seen, kernel) + bias)
    made = gamma * (made - mean) / np.sqrt(variance + 1e-3) + beta
    found = cg.predict.from_keras(model, device="cpu").reference().predict(TOKENS)
    np.testing.assert_allclose(found, made.mean(axis=1), rtol=1e-12)


def test_heads_are_tasks_and_a_dict_of_outputs_is_read_by_its_keys():
    model = built(heads)
    made = cg.predict.from_keras(model)
    assert made.predict(TOKENS).shape == (5, 2)
    assert made.tasks == ("dev", "hk")
    assert cg.predict.from_keras(model, tasks=["a", "b"]).tasks == ("a", "b")
    keyed = keras.Model(
        model.inputs, dict(zip(("first", "second"), model.outputs, strict=True))
    )
    found = cg.predict.from_keras(keyed)
    np.testing.assert_array_equal(found.predict(TOKENS), made.predict(TOKENS))
    assert found.tasks == ("first", "second")


def test_outputs_of_several_numbers_are_for_reduce():
    x = keras.Input((LENGTH, 4))
    scan = L.Conv1D(2, 5)(x)
    model = keras.Model(x, [scan, L.GlobalMaxPooling1D()(scan)])
    made = cg.predict.from_keras(model, reduce=lambda out: out[1])
    np.testing.assert_allclose(
        made.predict(TOKENS), model.predict(ONE_HOT, verbose=0)[1], atol=1e-6
    )
    track = cg.Track(axis=1, origin=2)
    whole = cg.predict.from_keras(
        keras.Model(x, scan), tasks=["a", "b"], track=track, device="cpu"
    )
    assert whole.predict(TOKENS).shape == (5, LENGTH - 4, 2)


LAYOUTS = {
    (LENGTH, 4, 1): ONE_HOT[:, :, :, None],
    (4, LENGTH, 1): ONE_HOT.transpose(0, 2, 1)[:, :, :, None],
    (1, LENGTH, 4): ONE_HOT[:, None],
    (LENGTH, 1, 4): ONE_HOT[:, :, None],
    (1, 4, LENGTH): ONE_HOT.transpose(0, 2, 1)[:, None],
    (None, 4, 1): ONE_HOT[:, :, :, None],
    (4, LENGTH): ONE_HOT.transpose(0, 2, 1),
    (None, 4): ONE_HOT,
    (None, None): ONE_HOT,
}


@pytest.mark.parametrize("shape", LAYOUTS)
def test_the_shape_of_the_input_says_where_the_bases_lie(shape):
    x = keras.Input(shape)
    made = cg.predict.from_keras(keras.Model(x, L.Rescaling(2.0)(x)), reduce=flat)
    expected = 2 * LAYOUTS[shape].reshape(5, -1)
    np.testing.assert_array_equal(made.predict(TOKENS), expected)


def flat(out):
    return out.flatten(1)


def test_an_image_of_a_sequence():
    model = built(
        lambda x: L.Dense(2)(L.Flatten()(L.Conv2D(3, (5, 4))(x))), (LENGTH, 4, 1)
    )
    np.testing.assert_allclose(
        cg.predict.from_keras(model).predict(TOKENS),
        own_answers(model, ONE_HOT[..., None]),
        atol=1e-5,
    )


@pytest.mark.simulation
def test_a_trial_is_the_same_in_another_process(tmp_path):
    """Keras counts the layers that a process made; the fingerprint does not."""
    (path, _), *_ = saved(built(attentive), tmp_path)
    code = (
        "import sys, causalgia as cg; made = cg.predict.from_keras(sys.argv[1], "
        "device='cpu'); made.resolve_batch_size(40); print(made.fingerprint)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    built(attentive)
    made = cg.predict.from_keras(path, device="cpu")
    assert found.stdout.split() == [made.fingerprint]
    arms = {"none": cg.Untreated(), "TATA": cg.Embed("TATA", at=9)}
    design = cg.Design(
        null=cg.Uniform(length=LENGTH), arms=arms, n_units=5, contrasts="none"
    )
    outcomes = cg.run(design, made, rng=1)["outcome"].values
    assert np.ptp(outcomes, axis=1).max() > 1e-3


def test_the_fingerprint_is_that_of_structure_and_current_weights():
    one, other = (
        built(lambda x, kind=kind: L.Dense(2, kind, name="d")(L.Flatten(name="f")(x)))
        for kind in ("relu", "tanh")
    )
    made = [cg.predict.from_keras(model, device="cpu") for model in (one, other)]
    assert made[0].fingerprint != made[1].fingerprint
    before = made[0].fingerprint
    one.set_weights([w + 1 for w in one.get_weights()])
    assert made[0].fingerprint != before


class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x


def test_a_layer_of_ones_own_is_used_in_memory_and_refused_in_a_file(tmp_path):
    model = built(lambda x: L.Dense(2)(L.Flatten()(Doubled()(x))))
    made = cg.predict.from_keras(model)
    np.testing.assert_allclose(made.predict(TOKENS), own_answers(model), atol=1e-5)
    archive, whole, *_ = saved(model, tmp_path)
    for path, _ in (archive, whole):
        with pytest.raises(PredictorError):
            cg.predict.from_keras(path)
    again = built(lambda x: L.Dense(2)(L.Flatten()(Doubled()(x))))
    again.set_weights([0 * w for w in again.get_weights()])
    of_file = cg.predict.from_keras(again, weights=tmp_path / "net.weights.h5")
    np.testing.assert_array_equal(of_file.predict(TOKENS), made.predict(TOKENS))


def as_keras_2(rows, **weights):
    """Return the JSON and the groups of weights that Keras 2 wrote for a Sequential."""
    layers = [{"class_name": kind, "config": config} for kind, config in rows]
    return {"class_name": "Sequential", "config": {"layers": layers}}, weights


def write_keras_2(path, graph, weights):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(graph)
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            group = root.create_group(name)
            names = [f"{name}/{key}:0" for key in arrays]
            group.attrs["weight_names"] = [one.encode() for one in names]
            for one, array in zip(names, arrays.values(), strict=True):
                group[one] = np.asarray(array, np.float32)
    return path


def test_a_sequential_of_keras_2_has_its_shape_in_the_first_layer(tmp_path):
    kernel = np.random.default_rng(0).normal(size=(3, 4, 2))
    graph, weights = as_keras_2(
        [
            (
                "Conv1D",
                {
                    "name": "scan",
                    "filters": 2,
                    "kernel_size": [3],
                    "batch_input_shape": [None, LENGTH, 4],
                },
            ),
            ("GlobalMaxPooling1D", {"name": "best"}),
        ],
        scan={"kernel": kernel, "bias": [1.0, 2.0]},
    )
    path = write_keras_2(tmp_path / "net.h5", graph, weights)
    seen = np.lib.stride_tricks.sliding_window_view(ONE_HOT, 3, axis=1)
    expected = np.einsum("nlcw,wcf->nlf", seen, kernel).max(axis=1)
    expected = expected + np.array([1.0, 2.0])
    (tmp_path / "net.json").write_text(json.dumps(graph))
    for made in (
        cg.predict.from_keras(path),
        cg.predict.from_keras(tmp_path / "net.json", weights=path),
    ):
        np.testing.assert_allclose(made.predict(TOKENS), expected, atol=1e-5)


def test_average_pooling_leaves_its_padding_out(tmp_path):
    model = built(lambda x: L.Flatten()(L.AveragePooling1D(4, 3, padding="same")(x)))
    for path, weights in saved(model, tmp_path):
        made = cg.predict.from_keras(path, weights=weights, device="cpu")
        padded = np.full((5, LENGTH + 3, 4), np.nan)
        padded[:, 1 : LENGTH + 1] = ONE_HOT  # 14 windows; 1 is padded before, 2 after
        rows = [padded[:, 3 * i : 3 * i + 4] for i in range(14)]
        expected = np.stack([np.nanmean(row, axis=1) for row in rows], 1)
        np.testing.assert_allclose(
            made.predict(TOKENS), expected.reshape(5, -1), atol=1e-6
        )
        np.testing.assert_allclose(
            pickle.loads(pickle.dumps(made)).predict(TOKENS), made.predict(TOKENS)
        )


def lstm_of(x, kernel, recurrent, bias, gate):
    state = carry = np.zeros((len(x), recurrent.shape[0]))
    for step in x.transpose(1, 0, 2):
        i, f, c, o = np.split(step @ kernel + state @ recurrent + bias, 4, axis=1)
        carry = gate(f) * carry + gate(i) * np.tanh(c)
        state = gate(o) * np.tanh(carry)
    return state


@pytest.mark.parametrize("version", ["2.2.4", "2.15.0"])
def test_a_recurrent_network_of_keras_2_and_its_hard_sigmoid(tmp_path, version):
    """`time_major`, and initializers with a dtype, which Keras 3 lacks; a slope of 1/5,
    which in Keras 3 is 1/6.
    """
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=shape) for shape in ((4, 12), (3, 12), (12,))]
    graph, weights = as_keras_2(
        [
            (
                "LSTM",
                {
                    "name": "lstm",
                    "units": 3,
                    "time_major": False,
                    "implementation": 2,
                    "dtype": {"class_name": "Policy", "config": {"name": "float32"}},
                    "recurrent_activation": "hard_sigmoid",
                    "bias_initializer": {
                        "class_name": "Zeros",
                        "config": {"dtype": "float32"},
                    },
                    "batch_input_shape": [None, LENGTH, 4],
                },
            ),
        ],
        lstm=dict(zip(("kernel", "recurrent_kernel", "bias"), arrays, strict=True)),
    )
    if version == "2.2.4":
        graph["config"] = graph["config"]["layers"]
    path = write_keras_2(tmp_path / "net.h5", graph, weights)
    with h5py.File(path, "a") as file:
        file.attrs["keras_version"] = version
    made = cg.predict.from_keras(path, device="cpu")
    gate = lambda x: np.clip(0.2 * x + 0.5, 0, 1)  # noqa: E731
    expected = lstm_of(ONE_HOT, *arrays, gate)
    np.testing.assert_allclose(made.predict(TOKENS), expected, atol=1e-5)
    again = pickle.loads(pickle.dumps(made))
    np.testing.assert_array_equal(again.predict(TOKENS), made.predict(TOKENS))
    assert made.reference().predict(TOKENS).dtype == np.float64


def test_a_functional_network_of_keras_2_with_a_network_in_it(tmp_path):
    """It counted the calls of the inner network from 1."""
    conv = {"name": "scan", "filters": 2, "kernel_size": [1], "use_bias": False}
    at_input = {"batch_input_shape": [None, LENGTH, 4], "sparse": False}
    inner = {
        "class_name": "Sequential",
        "name": "inner",
        "config": {
            "name": "inner",
            "layers": [
                {"class_name": "InputLayer", "config": {"name": "i", **at_input}},
                {"class_name": "Conv1D", "config": conv},
            ],
        },
        "inbound_nodes": [[["x", 0, 0, {}]]],
    }
    layers = [
        {
            "class_name": "InputLayer",
            "name": "x",
            "config": {"name": "x", "ragged": False, **at_input},
            "inbound_nodes": [],
        },
        inner,
        {
            "class_name": "GlobalMaxPooling1D",
            "name": "best",
            "config": {"name": "best"},
            "inbound_nodes": [[["inner", 1, 0, {}]]],
        },
    ]
    graph = {
        "class_name": "Functional",
        "config": {
            "name": "model",
            "layers": layers,
            "input_layers": [["x", 0, 0]],
            "output_layers": [["best", 0, 0]],
        },
    }
    kernel = np.random.default_rng(0).normal(size=(1, 4, 2))
    path = write_keras_2(tmp_path / "net.h5", graph, {"inner": {"kernel": kernel}})
    np.testing.assert_allclose(
        cg.predict.from_keras(path).predict(TOKENS),
        (ONE_HOT @ kernel[0]).max(axis=1),
        atol=1e-6,
    )
    layers[2]["class_name"] = "ThresholdedReLU"
    write_keras_2(path, graph, {"inner": {"kernel": kernel}})
    with pytest.raises(PredictorError):
        cg.predict.from_keras(path)


def test_weights_of_other_layers_are_refused(tmp_path):
    def two(one, other):
        return built(
            lambda x: [L.Dense(1, name=n)(L.Flatten()(x)) for n in (one, other)]
        )

    _, (whole, _), (_, weights), _ = saved(two("dev", "hk"), tmp_path)
    built_with = cg.predict.from_keras
    for path in (weights, whole):
        fewer = built(lambda x: L.Dense(1, name="dev")(L.Flatten()(x)))
        with pytest.raises(PredictorError):
            built_with(fewer, weights=path)
        same = built_with(two("dev", "hk"), weights=path).predict(TOKENS)
        np.testing.assert_array_equal(same, built_with(whole).predict(TOKENS))
    with pytest.raises(PredictorError):
        built_with(two("hk", "dev"), weights=weights)
    swapped = built_with(two("hk", "dev"), weights=whole)  # which has names to go by
    np.testing.assert_array_equal(swapped.predict(TOKENS), same[:, ::-1])


def test_a_network_built_twice_has_one_fingerprint():
    one, other = (cg.predict.from_keras(built(dilated)) for _ in range(2))
    assert one.fingerprint == other.fingerprint


def lambdas(folder):
    model = built(lambda x: L.Flatten()(L.Lambda(lambda x: 2 * x, name="code")(x)))
    return saved(model, folder)


def test_code_in_a_file_is_refused(tmp_path):
    for path, weights in lambdas(tmp_path):
        with pytest.raises(PredictorError):
            cg.predict.from_keras(path, weights=weights)


def test_files_that_are_refused(tmp_path):
    archive, whole, (graph, weights), _ = saved(built(dilated), tmp_path)
    (tmp_path / "other").mkdir()
    saved(built(recurrent), tmp_path / "other")
    for path, _ in (archive, whole):
        data = path.read_bytes()
        (tmp_path / f"cut{path.suffix}").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.h5").write_text("hello, not HDF5")
    (tmp_path / "text.json").write_text("{nope")
    for path, of in (
        (tmp_path / "cut.keras", None),
        (tmp_path / "cut.h5", None),
        (tmp_path / "text.h5", None),
        (tmp_path / "text.json", weights),
        (tmp_path / "absent.h5", None),
        (tmp_path / "absent.keras", None),
        (weights, None),
        (graph, None),
        (graph, tmp_path / "other" / "net.weights.h5"),
        (graph, tmp_path / "other" / "net.h5"),
    ):
        with pytest.raises(PredictorError):
            cg.predict.from_keras(path, weights=of)


def test_links_to_other_files_are_refused(tmp_path):
    model = built(lambda x: L.Flatten()(L.Dense(2, use_bias=False, name="d")(x)))
    archive, whole, *_ = (path for path, _ in saved(model, tmp_path))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.ones((4, 2), "f4")
    link = h5py.ExternalLink(str(tmp_path / "other.h5"), "/secret")
    with h5py.File(whole, "a") as file:
        place = f"model_weights/d/{file['model_weights/d'].attrs['weight_names'][0]}"
        del file[place]
        file[place] = link
    with zipfile.ZipFile(archive) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    (tmp_path / "x.h5").write_bytes(parts["model.weights.h5"])
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = link
    with zipfile.ZipFile(tmp_path / "links.keras", "w") as packed:
        for name, data in parts.items():
            packed.writestr(name, data)
    parts["model.weights.h5"] = (tmp_path / "x.h5").read_bytes()
    with zipfile.ZipFile(tmp_path / "links.keras", "w") as packed:
        for name, data in parts.items():
            packed.writestr(name, data)
    for path in (whole, tmp_path / "links.keras"):
        with pytest.raises(PredictorError):
            cg.predict.from_keras(path)


def two_inputs():
    a, b = keras.Input((LENGTH, 4)), keras.Input((LENGTH, 4))
    return keras.Model([a, b], L.Add()([a, b]))


@pytest.mark.parametrize(
    "make",
    [
        two_inputs,
        lambda: keras.Sequential([L.Flatten(), L.Dense(1)]),
        lambda: None,
        lambda: torch.nn.Linear(4, 1),
        lambda: built(lambda x: [[L.Flatten()(x)], L.Flatten()(x)]),
        *(
            lambda shape=shape: built(L.Flatten(), shape)
            for shape in (
                (LENGTH, 5),
                (4, 4, 1),
                (1, 4, 1),
                (LENGTH, 4, 2),
                (1, LENGTH, 4, 1),
            )
        ),
    ],
)
def test_models_that_are_refused(make):
    with pytest.raises(PredictorError):
        cg.predict.from_keras(make())


def test_another_backend_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(PredictorError):
        cg.predict.from_keras(built(dilated))


def test_gradients_are_those_of_the_network():
    model = built(dilated)
    made = cg.predict.from_keras(model, tasks=["a", "b"], device="cpu")
    maps = cg.attribute(TOKENS, made, method="gradient")
    x = torch.from_numpy(ONE_HOT.copy()).requires_grad_(True)
    model(x)[:, 0].sum().backward()
    assert maps is not None
    assert float(x.grad.abs().sum()) > 0


@pytest.mark.real
def test_deepstarr_of_its_deposit_answers_as_its_torch_copy(shared):
    from test_predict_torch_real import load

    stem = shared / "data" / "networks" / "deepstarr" / "DeepSTARR.model"
    made = cg.predict.from_keras(f"{stem}.json", weights=f"{stem}.h5", device="cpu")
    tokens = np.random.default_rng(0).integers(0, 4, (40, 249)).astype(np.uint8)
    exact = load("deepstarr").reference().predict(tokens)
    np.testing.assert_allclose(made.predict(tokens), exact, atol=5e-6)
    np.testing.assert_allclose(made.reference().predict(tokens), exact, atol=1e-12)
    assert made.tasks == ("Dense_Dev", "Dense_Hk")


@pytest.mark.real
def test_mpra_dragonn_answers_as_published(shared, tmp_path):
    from safetensors.numpy import load_file

    folder = shared / "data" / "models" / "mpra_dragonn"
    arrays = load_file(folder / "model.safetensors")
    expected = json.loads((folder / "reference.json").read_text())
    model = keras.Sequential([keras.Input((145, 4))])
    values = []
    for i in (0, 3, 6):
        model.add(L.Conv1D(120, 5, activation="relu"))
        model.add(L.BatchNormalization())
        values += [arrays[f"body.{i}.weight"].transpose(2, 1, 0)]
        values += [arrays[f"body.{i}.bias"]]
        names = ("weight", "bias", "running_mean", "running_var")
        values += [arrays[f"body.{i + 2}.{name}"] for name in names]
    model.add(L.Flatten())
    model.add(L.Dense(12))
    kernel = arrays["heads.weight"].reshape(12, 120, 133).transpose(2, 1, 0)
    model.set_weights([*values, kernel.reshape(-1, 12), arrays["heads.bias"]])
    tokens = cg.sequences.encode(expected["tokens"])
    for path, weights in saved(model, tmp_path):
        made = cg.predict.from_keras(path, weights=weights, device="cpu")
        np.testing.assert_allclose(made.predict(tokens), expected["outputs"], atol=1e-6)


@pytest.mark.real
def test_dragonn_networks_answer_as_recorded(shared):
    """24 networks of simulated grammars; a Permute puts channels first before Flatten,
    as these have them.
    """
    from safetensors import safe_open

    folder = shared / "data" / "models" / "dragonn_simulated"
    recorded = json.loads((folder / "reference.json").read_text())
    for name, expected in recorded["outputs"].items():
        with safe_open(str(folder / f"{name}.safetensors"), "np") as file:
            about = file.metadata()
            held = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        model = keras.Sequential([keras.Input((int(about["length"]), 4))])
        values = []
        for key in sorted({key.rsplit(".", 1)[0] for key in held} - {"dense"}):
            kernel = held[f"{key}.weight"].transpose(2, 1, 0)
            model.add(L.Conv1D(kernel.shape[2], kernel.shape[0], activation="relu"))
            values += [kernel, held[f"{key}.bias"]]
        model.add(L.MaxPooling1D(int(about["pool"])))
        model.add(L.Permute((2, 1)))
        model.add(L.Flatten())
        model.add(L.Dense(len(held["dense.bias"])))
        model.set_weights([*values, held["dense.weight"].T, held["dense.bias"]])
        tokens = cg.sequences.encode(recorded["tokens"][about["length"]])
        found = cg.predict.from_keras(model, device="cpu").predict(tokens)
        np.testing.assert_allclose(
            found, np.reshape(expected, found.shape), atol=recorded["tolerance"]
        )


def test_a_folder_is_no_file_that_is_absent(tmp_path):
    folder = tmp_path / "net"
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    named = tmp_path / "net.keras"
    named.mkdir()
    for given in ((folder, None), (named, None), (tmp_path / "net.json", folder)):
        with pytest.raises(PredictorError) as caught:
            cg.predict.from_keras(given[0], weights=given[1])
        is_folder = given[0].exists()
        assert ("is a folder" in str(caught.value)) == is_folder
