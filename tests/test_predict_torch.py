"""TorchPredictor on networks whose answers are known by hand."""

from __future__ import annotations

import gc
import io
import pickle
import subprocess
import sys
import textwrap
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import causalgia as cg
from causalgia.errors import CausalgiaWarning, PredictorError
from causalgia.predict import NonFiniteError, load_predictor, load_weights, save_weights
from causalgia.predict.answer_comparisons import check_batch_mates

torch = pytest.importorskip("torch")


pytestmark = pytest.mark.torch


from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402

from causalgia.predict import torch_device  # noqa: E402
from causalgia.predict.torch_batch import BatchSizes, added_by_a_row  # noqa: E402
from causalgia.predict.torch_device import input_dtype  # noqa: E402
from causalgia.predict.torch_exports import differentiable  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]


LENGTH = 12


TOKENS = np.random.default_rng(0).integers(0, 4, (70, LENGTH), dtype=np.uint8)


class Count(nn.Module):
    """Answers how often each of the four letters comes, times a gain."""

    def __init__(self, gain=1.0):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(gain))

    def forward(self, x):
        return x.sum(-1) * self.gain


class Returns(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def small_net(seed=0):
    torch.manual_seed(seed)
    layers = [
        nn.Conv1d(4, 8, 5, padding=2),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Flatten(),
    ]
    return nn.Sequential(*layers, nn.Linear(8 * LENGTH, 2))


def counts(letters="ACGT"):
    return np.stack(
        [("ACGT".index(letter) == TOKENS).sum(1) for letter in letters], axis=1
    )


@pytest.mark.parametrize("rc_average", [False, True])
def test_a_network_may_write_every_answer_into_one_tensor(rc_average):
    page = torch.empty(8, 4)

    def answer(x):
        page[: len(x)] = x.sum(-1)
        return page[: len(x)]

    options = {"rc_average": rc_average, "batch_size": 8, "device": "cpu"}
    fresh = cg.TorchPredictor(Count(), **options).predict(TOKENS)
    assert np.array_equal(
        cg.TorchPredictor(Returns(answer), **options).predict(TOKENS), fresh
    )


@pytest.mark.parametrize("batch_size", [1, 8, 64, "auto"])
def test_known_answers_at_every_batch_size(batch_size):
    done = []
    predictor = cg.TorchPredictor(
        Count(), tasks=list("ACGT"), batch_size=batch_size, device="cpu"
    )
    answer = predictor.predict(TOKENS, progress=done.append)
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, counts())
    assert sum(done) == len(TOKENS)
    assert predictor.models is None


@pytest.mark.parametrize("batch_size", [1, 8, 64])
def test_a_network_answers_the_same_at_every_batch_size(batch_size):
    whole = cg.TorchPredictor(small_net(), batch_size=70).predict(TOKENS)
    parts = cg.TorchPredictor(small_net(), batch_size=batch_size).predict(TOKENS)
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_float64_is_kept():
    single = cg.TorchPredictor(small_net())
    double = cg.TorchPredictor(small_net().double())
    assert double.predict(TOKENS).dtype == np.float64
    assert (single.precision, double.precision) == (np.float32, np.float64)
    np.testing.assert_allclose(
        single.predict(TOKENS), double.predict(TOKENS), atol=1e-5
    )


def test_single_outputs_are_named():
    predictor = cg.TorchPredictor(Returns(lambda x: x[:, 0].sum(-1)))
    np.testing.assert_array_equal(predictor.predict(TOKENS), counts("A"))
    assert predictor.tasks == ("outcome",)


@pytest.mark.parametrize("letters", ["ACTG", "TGCA", "ACGU"])
def test_alphabet_permutes_channels(letters):
    answer = cg.TorchPredictor(Count(), alphabet=letters).predict(TOKENS)
    np.testing.assert_array_equal(answer, counts(letters.replace("U", "T")))


def test_layout():
    predictor = cg.TorchPredictor(
        Returns(lambda x: x.sum(1)), layout="NLC", alphabet="GATC"
    )
    np.testing.assert_array_equal(predictor.predict(TOKENS), counts("GATC"))


def test_rc_average():
    both = cg.TorchPredictor(Count(), rc_average=True).predict(TOKENS)
    np.testing.assert_array_equal(both, (counts("ACGT") + counts("TGCA")) / 2)
    first = cg.TorchPredictor(Returns(lambda x: x[:, 0, 0]), rc_average=True).predict(
        TOKENS
    )
    np.testing.assert_array_equal(
        first[:, 0], ((TOKENS[:, 0] == 0) * 1.0 + (TOKENS[:, -1] == 3)) / 2
    )


def test_heads_are_picked_by_name():
    heads = ["a", "c", "g", "t"]
    assert cg.TorchPredictor(Count(), heads=heads).tasks == tuple(heads)
    once = (name for name in heads)
    assert cg.TorchPredictor(Count(), heads=once).tasks == tuple(heads)
    picked = cg.TorchPredictor(Count(), heads=heads, tasks=["t", "c"])
    np.testing.assert_array_equal(picked.predict(TOKENS), counts("TC"))
    assert picked.tasks == ("t", "c")
    with pytest.raises(PredictorError):
        cg.TorchPredictor(Count(), heads=heads, tasks=["n"])
    with pytest.raises(PredictorError):
        cg.TorchPredictor(Count(), heads=["a", "c"]).predict(TOKENS)
    with pytest.raises(PredictorError):
        cg.TorchPredictor(Count(), tasks=["a", "c"]).predict(TOKENS)


def test_dict_outputs_are_picked_by_key():
    net = Returns(
        lambda x: {
            "A": x[:, 0].sum(-1),
            "T": x[:, 3].sum(-1, keepdim=True),
            "wide": x[:, :2].sum(-1),
        }
    )
    np.testing.assert_array_equal(
        cg.TorchPredictor(net, tasks=["T", "A"]).predict(TOKENS), counts("TA")
    )
    with pytest.raises(PredictorError):
        cg.TorchPredictor(net).predict(TOKENS)
    with pytest.raises(PredictorError):
        cg.TorchPredictor(net, tasks=["G"], batch_size=70).predict(TOKENS)
    with pytest.raises(PredictorError):
        cg.TorchPredictor(net, heads=["A"]).predict(TOKENS)
    plain = cg.TorchPredictor(
        Returns(lambda x: {"A": x[:, 0].sum(-1), "C": x[:, 1].sum(-1)})
    )
    np.testing.assert_array_equal(plain.predict(TOKENS), counts("AC"))
    assert plain.tasks == ("A", "C")


def test_tuples_and_profiles_need_reduce():
    pair = Returns(lambda x: (x, x[:, 0].sum(-1)))
    np.testing.assert_array_equal(
        cg.TorchPredictor(pair, reduce=lambda y: y[1]).predict(TOKENS), counts("A")
    )
    profile = Returns(lambda x: x)
    np.testing.assert_array_equal(
        cg.TorchPredictor(profile, reduce=lambda y: y.sum(-1)).predict(TOKENS), counts()
    )


def test_integer_and_half_answers():
    assert (
        cg.TorchPredictor(Returns(lambda x: x.argmax(1)[:, :1])).predict(TOKENS).dtype
        == np.float64
    )
    for dtype in (torch.bfloat16, torch.float16):
        half = cg.TorchPredictor(
            Returns(lambda x, dtype=dtype: x[:, 0].sum(-1).to(dtype))
        )
        assert half.precision == np.float32
        assert half.predict(TOKENS).dtype == np.float32
        assert half.precision == np.float16
    large = cg.TorchPredictor(
        Returns(lambda x: torch.full((len(x),), 6e4).half()), rc_average=True
    )
    assert (large.predict(TOKENS) == np.float16(6e4)).all()


def test_ensemble_of_networks():
    members = [
        cg.TorchPredictor(Count(gain), tasks=list("ACGT"), batch_size=size)
        for gain, size in ((1.0, 16), (2.0, 7))
    ]
    answer = cg.Ensemble(members, names=["one", "two"]).predict(TOKENS)
    np.testing.assert_array_equal(answer, counts()[:, :, None] * np.array([1, 2]))


def test_eval_mode_during_and_flags_restored_after():
    net = small_net()
    net.train()
    net[1].eval()
    flags = [sub.training for sub in net.modules()]
    buffers = {name: tensor.clone() for name, tensor in net.named_buffers()}
    predictor = cg.TorchPredictor(net)
    np.testing.assert_array_equal(predictor.predict(TOKENS), predictor.predict(TOKENS))
    assert [sub.training for sub in net.modules()] == flags
    assert all(
        torch.equal(tensor, buffers[name]) for name, tensor in net.named_buffers()
    )
    with pytest.raises(PredictorError):
        predictor.predict(TOKENS[:, :5])
    assert [sub.training for sub in net.modules()] == flags


class Trained(nn.Module):
    """Answers 1000 in training mode; a forward pass says which thread began it, and
    ends when that thread may.
    """

    def __init__(self, begun, leave, part=None):
        super().__init__()
        self.part = part or nn.BatchNorm1d(4)
        self.begun, self.leave = begun, leave

    def forward(self, x):
        name = threading.current_thread().name
        self.begun[name].set()
        self.leave[name].wait()
        wrong = self.training or self.part.training
        return x[:, 0].sum(-1) + 1000.0 * wrong


class Watched:
    """A lock that says when the second thread asks for it."""

    def __init__(self, lock, begun):
        self.lock, self.begun = lock, begun

    def __enter__(self):
        if threading.current_thread().name == "second":
            self.begun["second"].set()
        self.lock.acquire()

    def __exit__(self, *error):
        self.lock.release()


@pytest.mark.parametrize("shared", ["the network", "a part of it"])
def test_a_thread_that_ends_leaves_the_other_in_eval_mode(shared, monkeypatch):
    begun, leave = (
        {name: threading.Event() for name in ("first", "second")} for _ in range(2)
    )
    one = Trained(begun, leave).train()
    two = one if shared == "the network" else Trained(begun, leave, one.part).train()
    assert torch_device.lock_of(one) is torch_device.lock_of(two)
    lock = Watched(torch_device.lock_of(one), begun)
    answers = {}
    # put back while the networks live: an id that ends may be another network's
    with monkeypatch.context() as patched:
        for part in {*one.modules(), *two.modules()}:
            patched.setitem(torch_device._LOCKS, id(part), lock)
        first, second = (
            threading.Thread(
                target=lambda p=p, name=name: answers.__setitem__(
                    name, p.predict(TOKENS[:1])
                ),
                name=name,
            )
            for name, p in (
                (
                    name,
                    cg.TorchPredictor(
                        net, batch_size=70, fingerprint="v", device="cpu"
                    ),
                )
                for name, net in (("first", one), ("second", two))
            )
        )
        first.start()
        begun["first"].wait()
        second.start()
        # it waits for its turn; without turns it may be in its forward pass, the flags off
        begun["second"].wait()
        leave["first"].set()
        first.join()  # and has put the flags back
        leave["second"].set()
        second.join()
    np.testing.assert_array_equal(answers["first"], counts("A")[:1])
    np.testing.assert_array_equal(answers["second"], counts("A")[:1])
    assert one.training
    assert two.training
    assert one.part.training


def test_many_threads_answer_as_one():
    net = small_net().train()
    predictor = cg.TorchPredictor(net, batch_size=8, device="cpu")
    alone = predictor.predict(TOKENS)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: predictor.predict(TOKENS), range(12)))
    assert all(np.array_equal(answer, alone) for answer in answers)
    assert all(part.training for part in net.modules())


def test_a_network_may_ask_a_predictor_of_itself():
    inner = Count()
    asked = cg.TorchPredictor(inner, fingerprint="inner", device="cpu")
    outer = Returns(lambda x: x.sum(-1) + torch.tensor(asked.predict(TOKENS[: len(x)])))
    outer.inner = inner
    np.testing.assert_array_equal(
        cg.TorchPredictor(outer, batch_size=70, device="cpu").predict(TOKENS),
        2 * counts(),
    )


@pytest.mark.simulation
def test_networks_are_forgotten_with_their_locks():
    net = Count()
    cg.TorchPredictor(net, device="cpu").predict(TOKENS)
    known = weakref.ref(net)
    del net
    gc.collect()
    assert known() is None


def test_no_gradients_and_uint8_until_the_device():
    seen = []

    def look(x):
        seen.append((x.dtype, x.shape, torch.is_inference_mode_enabled()))
        return x[:, 0].sum(-1)

    predictor = cg.TorchPredictor(Returns(look), batch_size=8, fingerprint="look")
    predictor.predict(TOKENS)
    assert {dtype for dtype, *_ in seen} == {torch.float32}
    assert all(inference for *_, inference in seen)
    assert max(shape[0] for _, shape, _ in seen) == 8
    frozen = TOKENS.copy()
    frozen.flags.writeable = False
    predictor.predict(frozen[:, ::-1])


def test_largest_activation_counts_what_grows_with_the_batch():
    def trace(n_rows, length):
        with torch.no_grad():
            net(torch.zeros(n_rows, 4, length))

    net = nn.Sequential(
        nn.Conv1d(4, 16, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1600, 3000),
        nn.Linear(3000, 1),
    )
    assert max(added_by_a_row(100, trace)) == 3000 * 4
    assert cg.TorchPredictor(net).resolve_batch_size(100) == 1024


def test_auto_batch_keeps_the_largest_activation_under_16_mib():
    wide = nn.Sequential(
        nn.Conv1d(4, 1000, 3, padding=1),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(1000, 1),
    )
    predictor = cg.TorchPredictor(wide, device="cpu")
    size = predictor.resolve_batch_size(200)
    assert size * 200 * 1000 * 4 < 2**24 <= 2 * size * 200 * 1000 * 4
    assert predictor.resolve_batch_size(400) == size // 2
    functional = Returns(lambda x: x.repeat(1, 250, 1).exp().mean((1, 2)))
    assert cg.TorchPredictor(functional, device="cpu").resolve_batch_size(200) == size


def test_measured_once_for_each_length():
    calls = []

    def count(n_rows, length):
        calls.append((n_rows, length))
        torch.zeros(n_rows, length)

    sizes = BatchSizes("auto", torch.device("cpu"))
    assert [sizes.resolve(length, count) for length in (10, 10, 20, 10)] == [1024] * 4
    assert calls == [(2, 10), (4, 10), (2, 20), (4, 20)]


def out_of_memory_above(limit):
    def forward(x):
        if len(x) > limit:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        return x.sum(-1)

    return cg.TorchPredictor(Returns(forward), batch_size=32, fingerprint="greedy")


def test_out_of_memory_halves_the_batch_with_a_warning():
    done, predictor = [], out_of_memory_above(10)
    with pytest.warns(CausalgiaWarning) as caught:
        answer = predictor.predict(TOKENS, progress=done.append)
    np.testing.assert_array_equal(answer, counts())
    assert len(caught) == 2
    assert predictor.resolve_batch_size(LENGTH) == 8
    assert sum(done) == len(TOKENS)


@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
def test_out_of_memory_with_one_sequence_is_an_error():
    with pytest.raises(PredictorError):
        out_of_memory_above(0).predict(TOKENS)


def test_a_batch_size_may_be_a_numpy_integer():
    predictor = cg.TorchPredictor(Count(), batch_size=np.int64(7))
    assert (
        predictor.resolve_batch_size(LENGTH),
        type(predictor.resolve_batch_size(LENGTH)),
    ) == (7, int)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (
            nn.Conv1d(5, 1, 3),
            r"refused an input of shape \(1, 4, 12\).*5 channels.*It takes 1 more "
            r"channel",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(99, 1)),
            r"refused an input of shape \(1, 4, 12\).*mat1 and mat2",
        ),
    ],
)
def test_wrong_channels_and_length(net, message):
    with pytest.raises(PredictorError):
        cg.TorchPredictor(net).predict(TOKENS)
    with pytest.raises(PredictorError):
        cg.TorchPredictor(net, layout="NLC").predict(TOKENS)


def test_non_finite_answers():
    net = Returns(lambda x: torch.log(x[:, :2].sum(-1)))
    tokens = np.tile(np.array([0, 1, 2, 3], np.uint8), (40, 1))
    tokens[33] = 0
    with pytest.raises(NonFiniteError) as caught:
        cg.TorchPredictor(net, batch_size=16).predict(tokens)
    assert (caught.value.row, caught.value.task) == (33, "task 1")


def test_lazy_layers_must_know_their_shape():
    net = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
    with pytest.raises(PredictorError):
        cg.TorchPredictor(net)
    net(torch.zeros(1, 4, LENGTH))
    assert cg.TorchPredictor(net).predict(TOKENS).shape == (70, 2)


def test_sparse_answers_need_reduce():
    net = Returns(lambda x: x.sum(-1).to_sparse())
    with pytest.raises(PredictorError):
        cg.TorchPredictor(net).predict(TOKENS)
    np.testing.assert_array_equal(
        cg.TorchPredictor(net, reduce=lambda y: y.to_dense()).predict(TOKENS), counts()
    )


def test_half_precision_is_a_choice():
    with pytest.raises(PredictorError):
        cg.TorchPredictor(small_net().bfloat16())
    accepted = cg.TorchPredictor(small_net().bfloat16(), dtype="bfloat16", device="cpu")
    assert accepted.predict(TOKENS).dtype == np.float32
    assert accepted.precision == np.float16
    check_batch_mates(accepted, TOKENS)
    with pytest.raises(PredictorError):
        cg.TorchPredictor(Count(), dtype="int8")
    assert input_dtype(Returns(len), None) is torch.float32


_TF32 = """
import torch
from causalgia.predict.torch_device import exact_float32
{}
places = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)
before = [place.fp32_precision for place in places]
first, second = (exact_float32(torch.device("cuda")) for _ in "ab")
first.__enter__(), second.__enter__()
first.__exit__(None, None, None)
assert "tf32" not in [place.fp32_precision for place in places]
second.__exit__(None, None, None)
with exact_float32(torch.device("cuda")):
    assert "tf32" not in [place.fp32_precision for place in places]
assert [place.fp32_precision for place in places] == before, before
"""


@pytest.mark.simulation
@pytest.mark.skipif(
    not hasattr(torch.backends.cudnn, "conv"),
    reason="torch before 2.9 has only the old switches",
)
@pytest.mark.parametrize(
    "setting",
    [
        "",
        "torch.backends.cuda.matmul.allow_tf32 = True",
        "torch.backends.cudnn.conv.fp32_precision = 'ieee'",
    ],
)
def test_tf32_is_off_for_a_while_whichever_switch_the_user_touched(setting):
    command = [sys.executable, "-W", "error", "-c", _TF32.format(setting)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr


class Stubborn(nn.Sequential):
    """Puts itself back into training mode at every call."""

    def forward(self, x):
        self.train()
        return super().forward(x)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (
            Returns(lambda x: nn.functional.dropout(x, 0.2, training=True).sum(-1)),
            "asked twice.*dropout",
        ),
        (
            Stubborn(
                nn.Conv1d(4, 3, 5), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(24, 1)
            ),
            "batch mates|asked twice",
        ),
        (
            nn.Sequential(
                nn.Conv1d(4, 3, 5),
                nn.BatchNorm1d(3, track_running_stats=False),
                nn.Flatten(),
            ),
            "batch mates",
        ),
        (
            nn.Sequential(nn.Flatten(), nn.BatchNorm1d(48, track_running_stats=False)),
            "alone it fails",
        ),
        (Returns(lambda x: x.sum(-1).softmax(0)), "batch mates"),
    ],
)
def test_batch_mates_that_matter_are_refused(net, message):
    with pytest.raises(PredictorError):
        check_batch_mates(cg.TorchPredictor(net), TOKENS)


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, "auto"])
def test_honest_networks_pass(double, batch_size):
    net = small_net().train()
    check_batch_mates(
        cg.TorchPredictor(net.double() if double else net, batch_size=batch_size),
        TOKENS,
    )


_SCRIPT = """
import torch
from torch import nn
import causalgia as cg

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(4, 3, 5), nn.BatchNorm1d(3), nn.GELU())
        self.words = {"GATA", "TATA", "CACGTG", "TGACTCA"}
        self.register_buffer("ramp", torch.arange(8.0), persistent=False)
    def forward(self, x):
        return self.body(x) @ self.ramp

torch.manual_seed(0)
print(cg.TorchPredictor(Net(), reduce=lambda y: y * 2).fingerprint)
"""


@pytest.mark.simulation
def test_fingerprint_is_the_same_in_every_process(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    command = [sys.executable, str(script)]
    answers = {
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
    assert len(answers.pop().strip()) == 32


_WATCHED = """
import sys
import numpy as np
import torch
import causalgia as cg

class Net(torch.nn.Module):
    def __init__(self, dtype):
        super().__init__()
        self.c, self.dtype = torch.nn.Conv1d(4, 3, 5), dtype
    def forward(self, x):
        return self.c(x).to(self.dtype).float().amax(2)

def refused(net):
    try:
        cg.TorchPredictor(net, device="cpu").predict(np.zeros((1, 30), np.uint8))
    except cg.errors.PredictorError as error:
        return "bfloat16" in str(error)

arms = {"none": cg.Untreated(), "word": cg.Embed("ACGT", at=9)}
design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=20)
cg.run(design, cg.TorchPredictor(Net(torch.float32), device="cpu"), rng=1, progress=False)
assert refused(Net(torch.bfloat16))
assert "torch._dynamo" not in sys.modules
import torch._dynamo
assert refused(Net(torch.bfloat16))
compiled = torch.compile(torch.nn.ReLU(), backend="eager")
assert refused(torch.nn.Sequential(compiled, Net(torch.bfloat16)))
assert refused(torch.nn.Sequential(compiled, Net(torch.float32))) is None
"""


@pytest.mark.simulation
def test_a_trial_loads_no_compiler_and_half_precision_is_found_with_and_without_one():
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr


def test_one_weight_changes_the_fingerprint():
    net = small_net()
    predictor = cg.TorchPredictor(net)
    before = predictor.fingerprint
    assert cg.TorchPredictor(small_net()).fingerprint == before
    net.train()
    assert predictor.fingerprint == before
    with torch.no_grad():
        net[0].weight[3, 2, 1] += 1e-6
    assert predictor.fingerprint != before


def changed(**options):
    return cg.TorchPredictor(Count(), **options).fingerprint


class Scaled(nn.Module):
    def __init__(self, scale=1.0, buffer=1.0):
        super().__init__()
        self.scale = scale
        self.register_buffer("buffer", torch.tensor(buffer), persistent=False)

    def forward(self, x):
        return x.sum(-1) * self.scale * self.buffer


def test_every_difference_is_in_the_fingerprint():
    structures = [
        nn.Sequential(nn.Conv1d(4, 2, 3), nn.Flatten()),
        nn.Sequential(nn.Conv1d(4, 2, 3), nn.ReLU(), nn.Flatten()),
        nn.Sequential(nn.Conv1d(4, 2, 3), nn.GELU(), nn.Flatten()),
        nn.Sequential(nn.Conv1d(4, 2, 3), nn.GELU(approximate="tanh"), nn.Flatten()),
        nn.Sequential(nn.Conv1d(4, 2, 3, dilation=2), nn.GELU(), nn.Flatten()),
        nn.Sequential(nn.Conv1d(4, 2, 3).double(), nn.GELU(), nn.Flatten()),
        Scaled(),
        Scaled(scale=2.0),
        Scaled(buffer=2.0),
        Returns(torch.relu),
        Returns(torch.sigmoid),
        Returns(lambda x: x + 1),
        Returns(lambda x: x + 2),
    ]
    for net in structures[:6]:
        for tensor in net.parameters():
            nn.init.ones_(tensor)
    prints = [cg.TorchPredictor(net).fingerprint for net in structures]
    assert len(set(prints)) == len(prints)
    choices = [
        {},
        {"tasks": list("abcd")},
        {"heads": list("abcd"), "tasks": list("ab")},
        {"alphabet": "ACTG"},
        {"layout": "NLC"},
        {"scale": "log"},
        {"rc_average": True},
        {"reduce": lambda y: y + 1},
        {"reduce": lambda y: y + 2},
        {"dtype": "float64"},
        {"fingerprint": "v1"},
    ]
    assert len({changed(**choice) for choice in choices}) == len(choices)
    assert changed(batch_size=3) == changed(device="cpu") == changed()


def test_a_fingerprint_says_where_an_attribute_could_not_be_read():
    net = Scaled()
    net.body = Scaled(scale=torch.Generator())
    assert cg.TorchPredictor(net).fingerprint.endswith("~")
    assert (
        cg.TorchPredictor(net, fingerprint="v1").fingerprint
        == cg.TorchPredictor(net, fingerprint="v1").fingerprint
    )


def test_compiled_transformer_and_recurrent_networks_are_read():
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
            self.cell = nn.LSTM(4, 3, batch_first=True)

        def forward(self, x):
            return self.cell(self.layer(x.transpose(1, 2)))[0].sum(1)

    net = Mixed()
    predictor = cg.TorchPredictor(net)
    assert (
        predictor.fingerprint
        == cg.TorchPredictor(torch.compile(net, backend="eager")).fingerprint
    )
    check_batch_mates(predictor, TOKENS)
    first, second = scripted(net.layer.linear1), scripted(net.layer.linear2)
    assert cg.TorchPredictor(first).fingerprint != cg.TorchPredictor(second).fingerprint
    assert not cg.TorchPredictor(first).fingerprint.endswith("~")


def scripted(net):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(net)


def as_pth(net, path):
    torch.save(net.state_dict(), path)


@pytest.mark.parametrize(
    ("name", "save"),
    [("net.safetensors", save_weights), ("net.pth", as_pth), ("net.pt", as_pth)],
)
def test_weights_go_out_and_in(tmp_path, name, save):
    source, target = small_net(1), small_net(2)
    save(source, tmp_path / name)
    assert (
        cg.TorchPredictor(source).fingerprint != cg.TorchPredictor(target).fingerprint
    )
    load_weights(target, tmp_path / name)
    assert (
        cg.TorchPredictor(source).fingerprint == cg.TorchPredictor(target).fingerprint
    )


def test_a_folder_holds_the_parts_of_a_network(tmp_path):
    source, target = small_net(1), small_net(2)
    tensors = source.state_dict()
    names = sorted(tensors)
    parts = {"a.safetensors": names[:1], "b.safetensors": names[1:]}
    for file, held in parts.items():
        save_file({name: tensors[name] for name in held}, tmp_path / file)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "training_args.bin").write_bytes(b"no weights")
    load_weights(target, tmp_path)
    assert (
        cg.TorchPredictor(source).fingerprint == cg.TorchPredictor(target).fingerprint
    )
    save_file(tensors, tmp_path / "again.safetensors")
    with pytest.raises(PredictorError):
        load_weights(target, tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(PredictorError):
        load_weights(target, tmp_path / "empty")


def strands(x):
    return torch.stack([(x[:, a, :-1] * x[:, b, 1:]).sum(1) for a, b in PAIRS], 1)


PAIRS = (0, 1), (2, 3)  # AC, which is GT on the other strand


class Strands(nn.Module):
    def forward(self, x):
        return strands(x)


def test_opposite_strands_change_places_in_answers_and_maps():
    options = {"tasks": ["plus", "minus"], "device": "cpu"}
    plain = cg.TorchPredictor(Strands(), **options)
    both = cg.TorchPredictor(
        Strands(), rc_average=True, opposite=[("minus", "plus")], **options
    )
    np.testing.assert_array_equal(both.predict(TOKENS), plain.predict(TOKENS))
    x = nn.functional.one_hot(torch.from_numpy(TOKENS).long(), 4).mT.float()
    with differentiable(both) as answers:
        np.testing.assert_array_equal(
            answers(x).detach().numpy(), plain.predict(TOKENS)
        )


class Bomb:
    def __reduce__(self):
        return (Path.touch, (Path(self.target),))


def test_nothing_is_ever_unpickled(tmp_path):
    bomb = Bomb()
    bomb.target = str(tmp_path / "exploded")
    for name in ("bomb.pth", "bomb.pt"):
        torch.save({"0.weight": bomb}, tmp_path / name)
        with pytest.raises(PredictorError):
            load_weights(small_net(), tmp_path / name)
    for name in ("bomb.pkl", "bomb.bin", "bomb.ckpt", "bomb"):
        (tmp_path / name).write_bytes(pickle.dumps(bomb))
        with pytest.raises(PredictorError):
            load_weights(small_net(), tmp_path / name)
    (tmp_path / "raw.pt").write_bytes(pickle.dumps(bomb))
    with pytest.raises(PredictorError):
        load_weights(small_net(), tmp_path / "raw.pt")
    assert not (tmp_path / "exploded").exists()


def test_torch_says_nothing_about_a_file_that_is_refused(tmp_path):
    for protocol in range(5):
        (tmp_path / "raw.pt").write_bytes(
            pickle.dumps({"0.weight": 3}, protocol=protocol)
        )
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            with pytest.raises(PredictorError):
                load_weights(small_net(), tmp_path / "raw.pt")
        assert not said


def test_whole_modules_and_checkpoints_are_refused(tmp_path):
    torch.save(small_net(), tmp_path / "whole.pt")
    with pytest.raises(PredictorError):
        load_weights(small_net(), tmp_path / "whole.pt")
    torch.save(
        {"epoch": 3, "state_dict": small_net().state_dict()}, tmp_path / "checkpoint.pt"
    )
    with pytest.raises(PredictorError):
        load_weights(small_net(), tmp_path / "checkpoint.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(PredictorError):
        load_weights(small_net(), tmp_path / "list.pt")


def test_files_that_do_not_fit(tmp_path):
    net, file = small_net(), tmp_path / "net.safetensors"
    before = cg.TorchPredictor(net).fingerprint
    save_weights(nn.Sequential(nn.Conv1d(4, 8, 5), nn.Linear(3, 3)), file)
    with pytest.raises(PredictorError):
        load_weights(net, file)
    other = small_net()
    other[0] = nn.Conv1d(4, 8, 7, padding=3)
    save_weights(other, file)
    with pytest.raises(PredictorError):
        load_weights(net, file)
    assert cg.TorchPredictor(net).fingerprint == before
    file.write_bytes(b"not tensors")
    with pytest.raises(PredictorError):
        load_weights(net, file)
    with pytest.raises(PredictorError):
        load_weights(net, tmp_path / "absent.pt")
    with pytest.raises(PredictorError):
        save_weights(net, tmp_path / "net.pt")
    with pytest.raises(PredictorError):
        save_weights(net, tmp_path / "absent" / "net.safetensors")


def test_tied_weights_are_saved(tmp_path):
    net = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])
    net[1].weight = net[0].weight
    save_weights(net, tmp_path / "tied.safetensors")
    load_weights(net, tmp_path / "tied.safetensors")


_FILE = """
from torch import nn
TASKS = ("a", "c", "g", "t")
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv1d(4, 4, 1)
    def forward(self, x):
        return self.head(x).sum(-1)
def empty():
    return Net()
def load(path):
    from safetensors.torch import load_file
    net = Net()
    net.load_state_dict(load_file(path))
    return net
"""


def test_a_network_from_a_file(tmp_path):
    file, weights = tmp_path / "net.py", tmp_path / "net.safetensors"
    file.write_text(textwrap.dedent(_FILE))
    net = nn.ModuleDict({"head": nn.Conv1d(4, 4, 1)})
    with torch.no_grad():
        net["head"].weight.copy_(2 * torch.eye(4)[:, :, None])
        net["head"].bias.zero_()
    save_weights(net, weights)
    taking, empty = (
        load_predictor(
            f"{file}:{name}",
            weights=weights,
            device="cpu",
            batch_size=16,
            announce=None,
        )
        for name in ("load", "empty")
    )
    assert isinstance(taking, cg.TorchPredictor)
    assert taking.tasks == ("a", "c", "g", "t")
    assert taking.fingerprint == empty.fingerprint
    assert taking.resolve_batch_size(LENGTH) == 16
    np.testing.assert_array_equal(empty.predict(TOKENS), 2 * counts())
    bare = load_predictor(f"{file}:empty", announce=None)
    assert (bare.scale, bare.alphabet) == ("outcome", "ACGT")
    assert bare.fingerprint != empty.fingerprint
    save_weights(
        nn.ModuleDict({"head": nn.Conv1d(4, 3, 1), "tail": nn.Linear(1, 1)}), weights
    )
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:load", weights=weights, announce=None)
    weights.write_bytes(b"")
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:load", weights=weights, announce=None)
    torch.save({"head.weight": torch.zeros(4, 4, 1)}, tmp_path / "part.pt")
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:empty", weights=tmp_path / "part.pt", announce=None)


def test_a_ready_network_knows_its_device(tmp_path):
    file = tmp_path / "net.py"
    file.write_text(
        _FILE
        + (
            "def ready():\n"
            "    import causalgia as cg\n"
            "    return cg.TorchPredictor(Net(), device='cpu')\n"
        )
    )
    assert load_predictor(
        f"{file}:ready", device="cpu", announce=None
    ).device == torch.device("cpu")
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:ready", device="cuda:1", announce=None)
    with pytest.raises(PredictorError):
        load_predictor(f"{file}:ready", batch_size=4, announce=None)


def test_errors_survive_pickling():
    error = NonFiniteError("x", row=3, task="t", detail="y")
    again = pickle.load(io.BytesIO(pickle.dumps(error)))
    assert (str(again), again.row, again.task, again.detail) == ("x", 3, "t", "y")
