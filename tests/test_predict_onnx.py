"""Networks in ONNX files: graphs built by hand whose answers are known; and PyTorch
networks that were exported.
"""

from __future__ import annotations

import importlib.util
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import PredictorError
from causalgia.predict.answer_comparisons import check_batch_mates

onnx = pytest.importorskip("onnx")


pytest.importorskip("onnxruntime")


from onnx import TensorProto, helper  # noqa: E402

LENGTH = 9


TOKENS = np.random.default_rng(0).integers(0, 4, (23, LENGTH), dtype=np.uint8)


KINDS = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
}


def counts(letters="ACGT"):
    return np.stack(
        [("ACGT".index(letter) == TOKENS).sum(1) for letter in letters], axis=1
    )


def saved(
    folder,
    nodes,
    *,
    shape=("n", 4, LENGTH),
    outputs=(("y", ("n", 4)),),
    kind="float32",
    initial=(),
    name="net",
):
    x = helper.make_tensor_value_info("x", KINDS[kind], shape)
    ys = [
        helper.make_tensor_value_info(output, KINDS[kind], sides)
        for output, sides in outputs
    ]
    graph = helper.make_graph(nodes, "graph", [x], ys, list(initial))
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    return path


def whole(name, values):
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def counting(folder, *, axis=2, **options):
    """Answers how often each letter comes: the sum of one-hot over positions."""
    node = helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)
    return saved(folder, [node], initial=[whole("axes", [axis])], **options)


def two_heads(folder):
    """Outputs "A" (n, 1) and "all" (n, 4)."""
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["all"], keepdims=0),
        helper.make_node("Slice", ["all", "zero", "one", "one"], ["A"]),
    ]
    initial = [whole("axes", [2]), whole("zero", [0]), whole("one", [1])]
    return saved(
        folder, nodes, outputs=(("A", ("n", 1)), ("all", ("n", 4))), initial=initial
    )


@pytest.mark.parametrize("batch_size", [1, 8, 64, "auto"])
def test_known_answers_at_every_batch_size(tmp_path, batch_size):
    done = []
    predictor = cg.OnnxPredictor(
        counting(tmp_path), tasks=list("ACGT"), batch_size=batch_size, n_threads=1
    )
    answer = predictor.predict(TOKENS, progress=done.append)
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, counts())
    assert sum(done) == len(TOKENS)
    assert predictor.precision == np.float32
    check_batch_mates(predictor, TOKENS)


def test_a_trial_runs(tmp_path):
    predictor = cg.OnnxPredictor(
        counting(tmp_path, shape=("n", 4, 30)), tasks=list("ACGT"), scale="letters"
    )
    arms = {"untreated": cg.Untreated(), "AAAA": cg.Embed("AAAA", at=12)}
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=400)
    ice = (
        cg.run(design, predictor, rng=1, progress=False)["outcome"]
        .diff("arm")
        .squeeze("arm")
    )
    for letter, truth in zip("ACGT", (3, -1, -1, -1), strict=True):
        found = ice.sel(task=letter).values
        assert abs(found.mean() - truth) < 4 * found.std(ddof=1) / 20


def test_layout_dtype_and_length_are_read_from_the_graph(tmp_path):
    backwards = cg.OnnxPredictor(
        counting(tmp_path, axis=1, shape=("n", LENGTH, 4), kind="float64"),
        alphabet="TGCA",
    )
    assert (backwards.layout, backwards.precision) == ("NLC", np.float64)
    np.testing.assert_array_equal(backwards.predict(TOKENS), counts("TGCA"))
    free = counting(tmp_path, shape=("n", 4, "length"), name="free")
    assert cg.OnnxPredictor(free).predict(TOKENS[:, :5]).shape == (23, 4)
    assert cg.OnnxPredictor(free).layout == "NCL"


def test_an_unsaid_layout_is_asked_for(tmp_path):
    open_sides = counting(tmp_path, shape=("n", "a", "b"))
    with pytest.raises(PredictorError):
        cg.OnnxPredictor(open_sides)
    np.testing.assert_array_equal(
        cg.OnnxPredictor(open_sides, layout="NCL").predict(TOKENS), counts()
    )
    square = counting(tmp_path, shape=("n", 4, 4), name="square")
    with pytest.raises(PredictorError):
        cg.OnnxPredictor(square)
    with pytest.raises(PredictorError):
        cg.OnnxPredictor(counting(tmp_path), layout="NLC")
    with pytest.raises(PredictorError):
        cg.OnnxPredictor(counting(tmp_path), layout="LCN")


@pytest.mark.parametrize("rows", [1, 8])
def test_a_fixed_batch_is_filled(tmp_path, rows):
    fixed = counting(tmp_path, shape=(rows, 4, LENGTH), outputs=(("y", (rows, 4)),))
    predictor = cg.OnnxPredictor(fixed)
    assert predictor.resolve_batch_size(LENGTH) == rows
    np.testing.assert_array_equal(predictor.predict(TOKENS), counts())
    predictor.fix_batches({LENGTH: 64})
    np.testing.assert_array_equal(predictor.predict(TOKENS[:3]), counts()[:3])


def test_batch_sizes_are_recorded_and_given_back(tmp_path):
    predictor = cg.OnnxPredictor(counting(tmp_path, shape=("n", 4, "length")))
    sizes = [
        predictor.resolve_batch_size(length) for length in (4, 41, 249, 2_114, 200_000)
    ]
    assert sizes == [1024, 128, 32, 2, 1]
    predictor.fix_batches({41: 7})
    assert predictor.batches() == {4: 1024, 41: 7, 249: 32, 2_114: 2, 200_000: 1}


def test_rc_average(tmp_path):
    both = cg.OnnxPredictor(counting(tmp_path), rc_average=True).predict(TOKENS)
    np.testing.assert_array_equal(both, (counts("ACGT") + counts("TGCA")) / 2)


def test_many_threads_answer_as_one(tmp_path):
    predictor = cg.OnnxPredictor(counting(tmp_path), batch_size=2, n_threads=1)
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(predictor.predict, [TOKENS] * 8):
            np.testing.assert_array_equal(answer, counts())


def test_columns_are_picked_by_name(tmp_path):
    path = counting(tmp_path)
    picked = cg.OnnxPredictor(path, heads=list("ACGT"), tasks=["T", "A"]).predict(
        TOKENS
    )
    np.testing.assert_array_equal(picked, counts("TA"))
    predictor = cg.OnnxPredictor(path)
    predictor.predict(TOKENS)
    assert predictor.tasks == ("task 0", "task 1", "task 2", "task 3")


def test_several_outputs_are_picked_by_name(tmp_path):
    path = two_heads(tmp_path)
    np.testing.assert_array_equal(
        cg.OnnxPredictor(path, tasks=["A"]).predict(TOKENS), counts("A")
    )
    taken = cg.OnnxPredictor(
        path, reduce=lambda y: y["all"], tasks=list("ACGT")
    ).predict(TOKENS)
    np.testing.assert_array_equal(taken, counts())


def test_profiles_need_reduce(tmp_path):
    path = saved(
        tmp_path,
        [helper.make_node("Identity", ["x"], ["y"])],
        outputs=(("y", ("n", 4, LENGTH)),),
    )
    np.testing.assert_array_equal(
        cg.OnnxPredictor(path, reduce=lambda y: y.sum(-1)).predict(TOKENS), counts()
    )


def test_non_finite_answers(tmp_path):
    nodes = [
        helper.make_node("ReduceSum", ["x", "axes"], ["s"], keepdims=0),
        helper.make_node("Log", ["s"], ["y"]),
    ]
    path = saved(tmp_path, nodes, initial=[whole("axes", [2])])
    with pytest.raises(cg.predict.NonFiniteError) as caught:
        cg.OnnxPredictor(path, tasks=list("ACGT"), batch_size=2).predict(
            np.array([[0, 1, 2, 3] * 2 + [0]] * 5 + [[3] * 9], np.uint8)
        )
    assert caught.value.row == 5


def test_files_that_are_none(tmp_path):
    with pytest.raises(PredictorError):
        cg.OnnxPredictor(tmp_path / "absent.onnx")
    broken = tmp_path / "broken.onnx"
    whole_file = counting(tmp_path).read_bytes()
    for content in (b"", b"not a network", whole_file[:40]):
        broken.write_bytes(content)
        with pytest.raises(PredictorError):
            cg.OnnxPredictor(broken)


@pytest.mark.parametrize("shape", [("n", 4), ("n", 4, 1, LENGTH), ("n", 5, LENGTH)])
def test_inputs_that_are_no_sequences(tmp_path, shape):
    node = helper.make_node("Identity", ["x"], ["y"])
    with pytest.raises(PredictorError):
        cg.OnnxPredictor(saved(tmp_path, [node], shape=shape, outputs=(("y", shape),)))


def test_half_precision_is_a_choice(tmp_path):
    node = helper.make_node("ReduceMax", ["x", "axes"], ["y"], keepdims=0)
    path = saved(tmp_path, [node], kind="float16", initial=[whole("axes", [2])])
    with pytest.raises(PredictorError):
        cg.OnnxPredictor(path)
    accepted = cg.OnnxPredictor(path, dtype="float16")
    assert (accepted.predict(TOKENS).dtype, accepted.precision) == (
        np.float32,
        np.float16,
    )


def test_a_missing_package_is_named(tmp_path):
    absent, call = "onnxruntime", f"cg.OnnxPredictor({str(counting(tmp_path))!r})"
    code = (
        f"import sys; sys.modules[{absent!r}] = None\n"
        "import causalgia as cg\n"
        "try:\n"
        f"    {call}\n"
        "except cg.errors.MissingExtraError as error:\n"
        "    print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert absent in said
    assert "pip install onnx" in said


def test_every_difference_is_in_the_fingerprint(tmp_path):
    path, double = counting(tmp_path), counting(tmp_path, kind="float64", name="double")
    seen = [
        cg.OnnxPredictor(path, **options).fingerprint
        for options in (
            {},
            {"tasks": list("ACGT")},
            {"scale": "log"},
            {"alphabet": "TGCA"},
            {"rc_average": True},
            {"reduce": lambda y: y[:, :1]},
            {"fingerprint": "v1"},
        )
    ]
    seen.append(cg.OnnxPredictor(double).fingerprint)
    assert len(set(seen)) == len(seen)
    other = tmp_path / "elsewhere.onnx"
    other.write_bytes(path.read_bytes())
    assert cg.OnnxPredictor(other, n_threads=1, batch_size=3).fingerprint == seen[0]


def test_a_pickle_takes_the_file_along(tmp_path):
    path = counting(tmp_path)
    predictor = cg.OnnxPredictor(path, tasks=list("ACGT"), n_threads=1)
    predictor.fix_batches({LENGTH: 4})
    sent = pickle.dumps(predictor)
    path.unlink()
    copy = pickle.loads(sent)
    np.testing.assert_array_equal(copy.predict(TOKENS), counts())
    assert (copy.fingerprint, copy.batches()) == (predictor.fingerprint, {LENGTH: 4})


def test_a_network_by_the_name_of_its_file(tmp_path):
    path = counting(tmp_path)
    loaded = cg.load_predictor(
        path, tasks=list("ACGT"), scale="letters", batch_size=4, announce=None
    )
    assert isinstance(loaded, cg.OnnxPredictor)
    assert (loaded.tasks, loaded.scale, loaded.batch_size) == (
        tuple("ACGT"),
        "letters",
        4,
    )
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(loaded)).predict(TOKENS), counts()
    )


def test_a_trial_file_may_name_it(tmp_path):
    from causalgia.trial_file import read_predictor_spec

    counting(tmp_path)
    (tmp_path / "net.toml").write_text('predictor = {factory = "net.onnx"}')
    read = read_predictor_spec(tmp_path / "net.toml")
    assert read.factory == str(tmp_path / "net.onnx")


with_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs causalgia[torch]"
)
