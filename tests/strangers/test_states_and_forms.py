"""States of libraries that a user set, and common forms of tables and networks."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import causalgia as cg

RNG = np.random.default_rng(0)
DESIGN = cg.Design(
    null=cg.Uniform(length=60),
    arms={"p": cg.Placebo("AGATAAG", at=20), "w": cg.Embed("AGATAAG", at=20)},
    n_units=60,
)
TABLE = cg.from_effects(np.r_[np.zeros(50), 3.0, 40.0], se=np.full(52, 0.1))


def answers() -> list[np.ndarray]:
    outcomes = cg.run(DESIGN, cg.zoo.oracle("gata1_like"), rng=7, progress=False)
    found = cg.analyze(outcomes, control="p", rope=(-0.1, 0.1))
    decided = cg.decide(TABLE, rope=(-0.2, 0.2))
    return [found["ace"].values, found["q"].values, decided["shrunken"].values]


@pytest.mark.parametrize("state", ["raise", "print", "ignore"])
def test_the_error_state_of_numpy_changes_no_number_and_stands_afterwards(state):
    right = answers()
    before = np.seterr(all=state)
    try:
        for one, other in zip(answers(), right, strict=True):
            np.testing.assert_array_equal(one, other)
        assert set(np.geterr().values()) == {state}
    finally:
        np.seterr(**before)


class Frame:
    """As polars has it where pyarrow is absent."""

    def __init__(self, columns: dict[str, list[object]]) -> None:
        self._columns = columns
        self.columns = list(columns)

    def to_pandas(self) -> pd.DataFrame:
        raise ModuleNotFoundError("pa.Table requires 'pyarrow'")

    def to_dict(self, as_series: bool = True) -> dict[str, list[object]]:
        return dict(self._columns)


def units(n: int = 40) -> pd.DataFrame:
    y = RNG.normal([0.0, 1.0], size=(n, 2))
    return pd.DataFrame(
        {"unit": np.repeat(np.arange(n), 2), "arm": ["c", "w"] * n, "y": y.ravel()}
    )


def effect(table: object) -> float:
    read = cg.from_frame(table, outcome="y", arm="arm", unit="unit")
    return cg.estimate(cg.contrast(read, control="c"))["ace"].item()


def test_a_table_of_polars_and_levels_of_an_index_are_columns():
    table = units()
    right = effect(table)
    assert effect(table.set_index(["unit", "arm"])) == right
    assert effect(table.set_index("arm")) == right
    assert effect(Frame({k: v.tolist() for k, v in table.items()})) == right


def test_a_full_disk_ends_with_code_2_and_nothing_half_written(tmp_path):
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

    def call(*words: str, **more: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "causalgia", *words]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, **more
        )

    call("init", "trial.toml")
    trial = tmp_path / "trial.toml"
    trial.write_text(trial.read_text().replace("n_units = 1000", "n_units = 60"))
    done = call("run", "trial.toml", "--out", "r", preexec_fn=limited)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert not list(tmp_path.glob("r/*.nc"))
    code = f"exec {sys.executable} -m causalgia experiments >&-"
    closed = subprocess.run(["bash", "-c", code], capture_output=True, env=os.environ)
    assert (closed.returncode, closed.stderr) == (0, b"")


@pytest.mark.torch
def test_outputs_that_hold_none_are_read_without_it():
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self, form: str) -> None:
            super().__init__()
            self.form, self.head = form, torch.nn.Linear(4, 2)

        def forward(self, x: object) -> object:
            y = self.head(x.mean(2))
            if self.form == "tuple":
                return None, y
            return {"loss": None, "a": y[:, 0], "b": y[:, 1]}

    torch.manual_seed(0)
    found = []
    for form in ("tuple", "dict"):
        torch.manual_seed(0)
        net = cg.TorchPredictor(Net(form).eval(), tasks=["a", "b"])
        found.append(cg.run(DESIGN, net, rng=0)["outcome"].values)
    np.testing.assert_array_equal(*found)


@pytest.mark.torch
@pytest.mark.parametrize("method", ["gradient", "integrated_gradients"])
def test_maps_are_those_outside_of_inference_mode(method):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = [torch.nn.Conv1d(4, 3, 5), torch.nn.ReLU(), torch.nn.Flatten()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(48, 1)).eval()
    options = {} if method == "gradient" else {"rng": 0, "n_baselines": 2}
    ask = {"predictor": cg.TorchPredictor(net, tasks=["a"]), "method": method}
    right = cg.attribute(["ACGGACTTACATACGTACGT"], **ask, **options)
    with torch.inference_mode():
        found = cg.attribute(["ACGGACTTACATACGTACGT"], **ask, **options)
    assert found.identical(right)


def test_bfloat16_of_jax_is_numbers():
    dtypes = pytest.importorskip("ml_dtypes")
    one, other = (
        cg.FunctionPredictor(lambda x, as_=as_: as_(x[:, 1].mean(1)), tasks=["C"])
        for as_ in (
            lambda y: y.astype(dtypes.bfloat16),
            lambda y: y.astype(dtypes.bfloat16).astype(np.float32),
        )
    )
    found = [cg.run(DESIGN, p, rng=0) for p in (one, other)]
    np.testing.assert_array_equal(*(x["outcome"].values for x in found))
    # the rounding of its dtype is that of the answers
    floors = [x["answer_floor"].values[0].item() for x in found]
    assert floors[0] > 1_000 * floors[1]


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_weights_beside_an_onnx_network_belong_to_it(tmp_path):
    torch, onnx = pytest.importorskip("torch"), pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    layers = [torch.nn.Conv1d(4, 3, 5), torch.nn.ReLU(), torch.nn.Flatten()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(168, 1)).eval()
    whole, apart = tmp_path / "whole.onnx", tmp_path / "apart.onnx"
    torch.onnx.export(net, (torch.zeros(2, 4, 60),), whole, dynamo=False)
    onnx.save_model(
        onnx.load(whole),
        apart,
        save_as_external_data=True,
        location="apart.data",
        size_threshold=0,
    )

    def answered() -> np.ndarray:
        predictor = cg.OnnxPredictor(apart, tasks=["a"])
        return cg.run(DESIGN, predictor, rng=0)["outcome"].values

    right = cg.run(DESIGN, cg.OnnxPredictor(whole, tasks=["a"]), rng=0)
    np.testing.assert_array_equal(answered(), right["outcome"].values)
    first = cg.OnnxPredictor(apart, tasks=["a"]).fingerprint
    weights = bytearray((tmp_path / "apart.data").read_bytes())
    weights[2] ^= 1
    (tmp_path / "apart.data").write_bytes(weights)
    assert cg.OnnxPredictor(apart, tasks=["a"]).fingerprint != first
    (tmp_path / "apart.data").unlink()
    with pytest.raises(cg.errors.PredictorError):
        cg.OnnxPredictor(apart, tasks=["a"])


@pytest.mark.torch
@pytest.mark.parametrize("state", ["dtype", "device"])
def test_a_default_of_torch_changes_no_answer(state):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = [torch.nn.Conv1d(4, 3, 5), torch.nn.ReLU(), torch.nn.Flatten()]
    net = torch.nn.Sequential(*layers, torch.nn.Linear(48, 1)).eval()

    def answers():
        for incremental in (False, True):
            ask = cg.TorchPredictor(
                net, tasks=["a"], device="cpu", incremental=incremental
            )
            yield cg.run(DESIGN_20, ask, rng=0, progress=False)
        yield cg.attribute(["ACGGACTTACATACGTACGT"], predictor=ask, method="gradient")

    right = [*answers()]
    try:
        if state == "dtype":
            torch.set_default_dtype(torch.float64)
        else:
            torch.set_default_device("meta")
        found = [*answers()]
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert all(one.identical(other) for one, other in zip(found, right, strict=True))


DESIGN_20 = cg.Design(
    null=cg.Uniform(length=20),
    arms={"none": cg.Untreated(), "TGACT": cg.Embed("TGACT", at=8)},
    n_units=30,
    contrasts="none",
)
