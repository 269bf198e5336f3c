# Imports from the inside: devices, switches and copies that no machine of the tests has,
# with others in their place.
"""Fast predictions: engines, device sessions, staging, workers' devices, pickles, and
how far contrasts deviate.
"""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import PredictorError
from causalgia.zoo.oracles import names

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.torch

from torch import nn  # noqa: E402

from causalgia.predict import torch_device  # noqa: E402
from causalgia.predict.torch_device import (  # noqa: E402
    device_of_worker,
    exact_float32,
    worker_number,
)
from causalgia.predict.torch_predictor import DeviceEdits  # noqa: E402

LENGTH = 40
TOKENS = np.random.default_rng(0).integers(0, 4, (50, LENGTH), dtype=np.uint8)


class Layers(nn.Module):
    """Every one-dimensional layer that is turned, and functions besides."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Sequential(
            nn.Conv1d(4, 16, 7, padding=3),
            nn.BatchNorm1d(16),
            nn.ReLU(),
            nn.MaxPool1d(2),
        )
        self.second = nn.Conv1d(
            16, 16, 3, padding="same", dilation=2, groups=2, bias=False
        )
        self.norm = nn.BatchNorm1d(16, affine=False)
        self.pool = nn.AvgPool1d(3, stride=2, padding=1)
        self.last = nn.Linear(16 * 10, 2)
        for norm in (self.first[1], self.norm):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        x = self.first(x)
        x = nn.functional.max_pool1d(x + self.norm(self.second(x)), 3, 1, 1)
        return self.last(self.pool(x).flatten(1))


class Returns(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def predictor(net=None, **options):
    return cg.TorchPredictor(Layers() if net is None else net, device="cpu", **options)


# --- precision ------------------------------------------------------------------------


class Autocast(Layers):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(x).float()


def test_autocast_around_a_call_is_switched_off():
    alone = predictor().predict(TOKENS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        np.testing.assert_array_equal(predictor().predict(TOKENS), alone)
        assert torch.is_autocast_enabled("cpu")


def test_half_precision_inside_a_network_is_refused_unless_accepted():
    with pytest.raises(PredictorError):
        predictor(Autocast(), batch_size=8).predict(TOKENS)
    rough = predictor(Autocast(), dtype="float32").predict(TOKENS)
    exact = predictor().predict(TOKENS)
    assert 1e-4 < np.abs(rough - exact).max() < 0.1
    with pytest.raises(PredictorError):
        predictor(Layers().bfloat16())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("place", ["end", "middle", "reduce"])
def test_rounding_to_half_precision_is_refused_wherever_it_is(dtype, place):
    casts = {"end": lambda y: y.to(dtype), "middle": lambda y: y.to(dtype).float() * 2}
    net = (
        Layers()
        if place == "reduce"
        else nn.Sequential(Layers(), Returns(casts[place]))
    )
    options = {"reduce": casts["end"]} if place == "reduce" else {}
    with pytest.raises(PredictorError):
        predictor(net, **options).predict(TOKENS)
    rough = predictor(net, dtype="float32", **options).predict(TOKENS)
    assert rough.dtype == np.float32


def test_half_precision_that_loses_no_digit_is_no_matter():
    net = nn.Sequential(Returns(lambda x: x.half().float()), Layers())
    np.testing.assert_array_equal(
        predictor(net).predict(TOKENS), predictor().predict(TOKENS)
    )


def test_tf32_is_switched_on_where_it_is_asked_for():
    cuda, matmul = torch.device("cuda"), torch.backends.cuda.matmul
    before = matmul.allow_tf32
    with exact_float32(cuda, tf32=True):
        assert matmul.allow_tf32
        with exact_float32(cuda, tf32=True):
            pass
        assert matmul.allow_tf32
        with pytest.raises(PredictorError), exact_float32(cuda):
            pass
    assert matmul.allow_tf32 == before
    assert predictor(tf32=True).fingerprint != predictor().fingerprint


class Turning(threading.Condition):
    """A condition that says when a thread waits for it."""

    def __init__(self):
        super().__init__()
        self.waited_for = threading.Event()

    def wait(self, timeout=None):
        self.waited_for.set()
        return super().wait(timeout)


def test_threads_that_want_the_switches_otherwise_wait(monkeypatch):
    cuda, matmul, seen, turning = (
        torch.device("cuda"),
        torch.backends.cuda.matmul,
        [],
        Turning(),
    )
    monkeypatch.setattr(torch_device._SWITCHES, "_turning", turning)

    def rough():
        with exact_float32(cuda, tf32=True):
            seen.append(matmul.allow_tf32)
            turning.waited_for.set()

    thread = threading.Thread(target=rough)
    with exact_float32(cuda):
        thread.start()
        turning.waited_for.wait()
        assert not matmul.allow_tf32
        assert seen == []
    thread.join()
    assert seen == [True]


# --- backgrounds on the device --------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"rc_average": True}, {"layout": "NCL", "alphabet": "ACTG"}]
)
def test_a_session_answers_as_predict_bit_for_bit(options):
    asked = predictor(batch_size=8, **options)
    session = asked.edits(TOKENS)
    assert isinstance(session, DeviceEdits)
    rows = np.random.default_rng(1).integers(0, len(TOKENS), 37)
    edited = TOKENS[rows].copy()
    edited[:, 12:20] = np.random.default_rng(2).integers(0, 4, (37, 8))
    np.testing.assert_array_equal(session.answers(edited, rows), asked.predict(edited))
    np.testing.assert_array_equal(
        session.answers(TOKENS, np.arange(50)), asked.predict(TOKENS)
    )
    everywhere = 3 - TOKENS
    np.testing.assert_array_equal(
        session.answers(everywhere, np.arange(50)), asked.predict(everywhere)
    )
    # nothing was damaged
    np.testing.assert_array_equal(
        session.answers(TOKENS, np.arange(50)), asked.predict(TOKENS)
    )


def test_only_the_window_that_changed_is_sent(monkeypatch):
    sent, send = [], torch_device.HostDeviceCopier.send
    monkeypatch.setattr(
        torch_device.HostDeviceCopier,
        "send",
        lambda self, a: sent.append(a.shape) or send(self, a),
    )
    session = predictor(batch_size=25).edits(TOKENS)
    edited = TOKENS.copy()
    edited[:, 10:14] = 3 - edited[:, 10:14]
    session.answers(edited, np.arange(50))
    assert sent == [TOKENS.shape, (1,), (1, 4), (25,), (25, 4), (25,), (25, 4)]


def test_a_session_refuses_what_it_has_no_background_for():
    session = predictor().edits(TOKENS)
    with pytest.raises(PredictorError):
        session.answers(TOKENS[:, 1:], np.arange(50))
    with pytest.raises(PredictorError):
        session.answers(TOKENS, np.arange(50) + 1)
    infinite = predictor(
        Returns(lambda x: x[:, 0].sum(-1).sub(LENGTH).neg().log()), batch_size=8
    ).edits(TOKENS)
    edited = TOKENS.copy()
    edited[17] = 0
    with pytest.raises(cg.predict.NonFiniteError) as caught:
        infinite.answers(edited, np.arange(50))
    assert caught.value.row == 17


def test_sessions_are_for_cuda():
    asked = predictor()
    assert asked.backgrounds_at_once(LENGTH) == 0
    asked.device = torch.device("cuda")
    assert asked.backgrounds_at_once(249) == 2**28 // 249


def test_out_of_memory_in_a_session_halves_the_batch():
    def forward(x):
        if len(x) > 10:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return x.sum(-1)

    asked = predictor(Returns(forward), batch_size=32, fingerprint="greedy")
    with pytest.warns(cg.errors.CausalgiaWarning) as caught:
        answer = asked.edits(TOKENS).answers(TOKENS, np.arange(50))
    np.testing.assert_array_equal(
        answer, (TOKENS[:, None] == np.arange(4)[:, None]).sum(-1)
    )
    assert len(caught) == 2
    assert asked.batches() == {LENGTH: 8}


class FakeCuda:
    """Stands where CUDA would: pages are locked and copies queued, and are there when
    the event was waited for.
    """

    def __init__(self, monkeypatch):
        self.log, self.empty, fake = [], torch.empty, self

        class Event:
            def record(self, stream):
                fake.log.append("record")

            def synchronize(self):
                fake.log.append("wait")

        def empty(*shape, pin_memory=False, **options):
            if pin_memory:
                self.log.append("page")
            return self.empty(*shape, **options)

        monkeypatch.setattr(torch_device.torch, "empty", empty)
        monkeypatch.setattr(torch_device.torch.cuda, "Event", Event)
        monkeypatch.setattr(
            torch_device.torch.cuda, "current_stream", lambda device: None
        )


def test_batches_are_queued_before_the_one_before_is_waited_for(monkeypatch):
    cuda, asked = FakeCuda(monkeypatch), predictor(batch_size=20)
    plain = asked.predict(TOKENS)
    asked._ferry._pinned = True
    np.testing.assert_array_equal(asked.predict(TOKENS), plain)
    queued = ["page", "page", "record"]
    assert cuda.log == queued + queued + ["wait"] + queued + ["wait", "wait"]


# --- batch sizes ----------------------------------------------------------------------


def test_batch_sizes_are_recorded_and_given_back():
    first = predictor()
    assert first.batches() == {}
    first.predict(TOKENS)
    assert first.batches() == {LENGTH: first.resolve_batch_size(LENGTH)}
    second = predictor(Layers(2))
    second.fix_batches({LENGTH: 7, 90: np.int64(3)})
    assert (second.resolve_batch_size(LENGTH), second.resolve_batch_size(90)) == (7, 3)
    pair = cg.Ensemble([first, second])
    assert pair.batches() == {LENGTH: 7, 90: 3}
    pair.fix_batches({LENGTH: 5})
    assert pair.resolve_batch_size(LENGTH) == 5
    assert pickle.loads(pickle.dumps(second)).batches() == {LENGTH: 5, 90: 3}


NO_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError(
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes."
    ),
    MemoryError(),
]


@pytest.mark.parametrize("error", NO_MEMORY)
def test_where_nothing_can_be_measured_one_sequence_goes_at_a_time(error):
    def most(n):
        def forward(x):
            if len(x) > n:
                raise error
            return x.sum(-1)

        return predictor(Returns(forward), fingerprint="greedy")

    some = most(1)
    np.testing.assert_array_equal(
        some.predict(TOKENS), (TOKENS[:, None] == np.arange(4)[:, None]).sum(-1)
    )
    assert some.batches() == {LENGTH: 1}
    with pytest.raises(PredictorError):
        most(0).predict(TOKENS)


def test_a_callable_without_memory_names_a_batch_size():
    def greedy(x):
        if len(x) > 20:
            raise MemoryError
        return x[:, 0].sum(-1)

    with pytest.raises(PredictorError):
        cg.FunctionPredictor(greedy).predict(TOKENS)
    assert len(cg.FunctionPredictor(greedy, batch_size=20).predict(TOKENS)) == 50


def test_wide_rows_give_way_to_caches():
    narrow = predictor(Returns(lambda x: x.sum((1, 2)))).resolve_batch_size(LENGTH)
    deep = nn.Sequential(
        *(nn.Conv1d(4 if i == 0 else 96, 96, 3, padding=1) for i in range(12)),
        nn.Flatten(),
    )
    assert (narrow, predictor(deep).resolve_batch_size(LENGTH)) == (1024, 256)


# --- workers and pickles --------------------------------------------------------------


def test_workers_take_gpus_in_turn(monkeypatch):
    assert [device_of_worker(k, 3) for k in range(5)] == [
        "cuda:0",
        "cuda:1",
        "cuda:2",
        "cuda:0",
        "cuda:1",
    ]
    monkeypatch.delenv("CAUSALGIA_WORKER", raising=False)
    assert worker_number() is None
    assert torch_device._worker_device(torch.device("cuda")) == torch.device("cuda")
    monkeypatch.setenv("CAUSALGIA_WORKER", "5")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert torch_device._worker_device(torch.device("cuda")) == torch.device("cuda:1")
    assert torch_device._worker_device(torch.device("cuda:0")) == torch.device("cuda:0")
    assert torch_device._worker_device(torch.device("cpu")) == torch.device("cpu")
    monkeypatch.setenv("CAUSALGIA_WORKER", "left")


def test_a_dask_worker_is_known_by_its_name(monkeypatch):
    import sys
    import types

    def module(get_worker):
        return types.SimpleNamespace(get_worker=get_worker)

    def nobody():
        raise ValueError("No worker found")

    monkeypatch.delenv("CAUSALGIA_WORKER", raising=False)
    for get_worker, number in (
        (lambda: types.SimpleNamespace(name=3), 3),
        (nobody, None),
    ):
        monkeypatch.setitem(sys.modules, "distributed", module(get_worker))
        assert worker_number() == number
    monkeypatch.setitem(
        sys.modules,
        "distributed",
        module(lambda: types.SimpleNamespace(name="tcp://1:2")),
    )
    assert worker_number() is None


@pytest.mark.parametrize("options", [{}, {"rc_average": True, "batch_size": 6}])
def test_a_pickled_predictor_is_itself(options):
    asked = predictor(**options)
    before = asked.predict(TOKENS)
    copy = pickle.loads(pickle.dumps(asked))
    np.testing.assert_array_equal(copy.predict(TOKENS), before)
    assert (copy.fingerprint, copy.tasks, copy.batch_size) == (
        asked.fingerprint,
        asked.tasks,
        asked.batch_size,
    )
    assert copy.module is not asked.module


def test_a_pickle_chooses_its_device_where_it_is_opened(monkeypatch):
    asked = cg.TorchPredictor(Layers(), device="auto")
    sent = pickle.dumps(asked)
    monkeypatch.setattr(
        torch_device, "_best_device", lambda dtype: torch.device("meta")
    )
    assert pickle.loads(sent).device == torch.device("meta")
    here = pickle.dumps(predictor())
    assert pickle.loads(here).device == torch.device("cpu")


def test_ensembles_and_zoo_networks_are_pickled():
    cloudpickle = pytest.importorskip("cloudpickle")
    pair = cg.Ensemble({"a": predictor(Layers(1)), "b": predictor(Layers(2))})
    count = cg.FunctionPredictor(lambda x: x[:, 0].sum(-1))
    for asked in (pair, cg.zoo.oracle(names()[0]), count):
        length = 41 if asked is not pair else LENGTH
        tokens = np.random.default_rng(3).integers(0, 4, (9, length), dtype=np.uint8)
        copy = pickle.loads(cloudpickle.dumps(asked))
        np.testing.assert_array_equal(copy.predict(tokens), asked.predict(tokens))
        assert copy.fingerprint == asked.fingerprint
