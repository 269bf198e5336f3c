"""A trial whose turns are prepared, asked and gathered by different threads: the bits of
one thread, errors as they were raised, and nothing left behind.
"""

from __future__ import annotations

import _thread
import signal
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import causalgia as cg
from causalgia.design import Intervention
from causalgia.errors import CausalgiaWarning, DesignError, SequenceError, StoreError
from causalgia.predict import Predictor
from causalgia.trial import outcomes
from causalgia.trial.archive import Archive
from causalgia.trial.turns import Trial

UNITS, TURNS = 20_000, 5


class Here(Predictor):
    """Answers by a formula, in the thread that it expects; calls a function before the
    answer to a turn.
    """

    scale, tasks, fingerprint = "s", ("y",), "here"

    def __init__(self, before: Callable[[int], object] = lambda _turn: None) -> None:
        self.before, self.asked = before, list[bytes]()
        self.thread = threading.get_ident()

    @property
    def n_turns(self) -> int:
        return sum(len(one) > 100 * 20 for one in self.asked)

    def resolve_batch_size(self, length: int) -> int:
        return 1_024

    def predict(self, tokens: Any, *, progress: Any = None) -> Any:
        assert threading.get_ident() == self.thread
        if len(tokens) > 100:  # no probe
            self.before(self.n_turns)
        self.asked.append(tokens.tobytes())
        if progress is not None:
            progress(len(tokens))
        return np.exp(tokens[:, 3:7].sum(axis=1) / np.float32(7))[:, None]


@dataclass(frozen=True)
class Marked(Intervention):
    """Writes an A at the start; calls a function with the first unit before."""

    before: Callable[[int], object] = field(default=lambda _unit: None, compare=False)
    kind = "marked"
    terms = ("x[0] = A",)

    def lay(self, layout):
        return layout

    def apply(self, tokens, *, units, key):
        self.before(int(units[0]))
        edited = tokens.copy()
        edited[:, 0] = 0
        return edited

    def to_dict(self):
        return {"marked": True}


def design(before: Callable[[int], object] = lambda _unit: None) -> cg.Design:
    arms = {"untreated": cg.Untreated(), "A": Marked(before)}
    return cg.Design(
        null=cg.Uniform(length=20), arms=arms, n_units=UNITS, contrasts="untreated"
    )


def run(predictor: Predictor | None = None, of: cg.Design | None = None, **how: Any):
    """Run the trial; no warning and no thread is left by it, however it ends."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return cg.run(
                of or design(), predictor or Here(), rng=0, progress=False, **how
            )
    finally:
        # Ctrl-C while a thread starts leaves it to end by itself
        left = [one for one in threading.enumerate() if "turn" in one.name]
        for one in left:
            one.join(5)
        assert not [one for one in left if one.is_alive()]


KEEPS = ("outcomes", "effects", "moments")


# --- the same bits


@pytest.mark.parametrize("keep", KEEPS)
def test_bits_are_those_of_one_core(monkeypatch, tmp_path, keep):
    """Also where turns take turns in being slow, so that later ones are ready first."""
    found, asked = [], []
    for cores, slow in ((1, 0), (2, 0), (5, 0), (5, 0.03)):
        monkeypatch.setattr(outcomes, "available_cores", lambda cores=cores: cores)
        predictor = Here()
        of = design(lambda unit, slow=slow: time.sleep(slow * (unit // 4096 % 2 == 0)))
        path = tmp_path / f"{cores} {slow}.zarr"
        found.append(run(predictor, of, keep=keep).compute())
        found.append(run(of=of, keep=keep, store=path).compute())
        asked.append(predictor.asked)
    assert all(one.identical(found[0]) for one in found)
    assert all(one == asked[0] for one in asked)
    assert predictor.n_turns == TURNS


def test_turns_in_hand_are_few(monkeypatch):
    """However slow the predictor is, and however slow the store."""
    monkeypatch.setattr(outcomes, "available_cores", lambda: 3)
    prepared, gathered, most = set[int](), [], 0

    def asked(turn):
        nonlocal most
        time.sleep(0.02)
        most = max(most, len(prepared) - len(gathered))

    gather = Trial.gather

    def slowly(self, turn, answers):
        time.sleep(0.03)
        gathered.append(turn.units.ids[0])
        return gather(self, turn, answers)

    monkeypatch.setattr(Trial, "gather", slowly)
    of = cg.Design(
        null=cg.Uniform(length=20),
        arms={"untreated": cg.Untreated(), "A": Marked(prepared.add)},
        n_units=30 * 4096,
        contrasts="untreated",
    )
    run(Here(asked), of)
    assert len(gathered) == 30
    assert most <= 3 + 1 + 3


# --- errors


@pytest.mark.parametrize("turn", [0, 2, TURNS - 1])
@pytest.mark.parametrize("error", [ValueError("no"), MemoryError("no"), SystemExit(3)])
def test_an_error_of_the_predictor_arrives_as_it_was_raised(turn, error):
    def fail(now: int) -> None:
        if now == turn:
            raise error

    if isinstance(error, MemoryError):  # says how much the trial takes
        with pytest.raises(DesignError) as caught:
            run(Here(fail))
        assert caught.value.__cause__ is error
        return
    with pytest.raises(type(error)) as caught:
        run(Here(fail))
    assert caught.value is error


@pytest.mark.parametrize("turn", [0, 2, TURNS - 1])
@pytest.mark.parametrize("kind", [ValueError, DesignError, SystemExit])
def test_an_error_of_an_arm_arrives_from_its_thread(turn, kind):
    error = kind("no")

    def fail(unit: int) -> None:
        if unit == turn * 4096 and threading.current_thread() is not here:
            raise error

    here = threading.main_thread()
    with pytest.raises(kind) as caught:
        run(of=design(fail))
    assert error in (caught.value, caught.value.__cause__)


def test_an_arm_that_loses_rows_or_letters_is_refused():
    for edit in (lambda x: x[:1], lambda x: x + 4, lambda x: x / 1, lambda x: x[0]):

        @dataclass(frozen=True)
        class Odd(Marked):
            def apply(self, tokens, *, units, key, edit=edit):
                return edit(tokens)

        arms = {"untreated": cg.Untreated(), "odd": Odd()}
        of = cg.Design(null=cg.Uniform(length=20), arms=arms, n_units=50)
        with pytest.raises((DesignError, SequenceError)):
            run(of=of)


@pytest.mark.parametrize("keep", KEEPS)
def test_nothing_is_kept_after_a_turn_that_could_not_be(monkeypatch, tmp_path, keep):
    """The sums of a trial would lack it."""
    whole = run(keep=keep, store=tmp_path / "whole.zarr").compute()
    gather, n = Trial.gather, []

    def fails_once(self, turn, answers):
        n.append(int(turn.units.ids[0]))
        if len(n) == 3:
            raise StoreError("the disk is full")
        return gather(self, turn, answers)

    path = tmp_path / "trial.zarr"
    with monkeypatch.context() as patch:
        patch.setattr(Trial, "gather", fails_once)
        with pytest.raises(StoreError):
            run(keep=keep, store=path)
    assert n == [0, 4096, 8192]
    assert run(keep=keep, store=path).compute().identical(whole)


# --- Ctrl-C


def interrupted_at(phase: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Arrange for Ctrl-C in the middle of a phase; return what to run."""

    def interrupt(now: int, at: int = 2) -> None:
        if now == at:
            _thread.interrupt_main()
            time.sleep(0.2)

    if phase == "probe":
        probed = Trial.probe

        def probe(self):
            interrupt(2)
            return probed(self)

        monkeypatch.setattr(Trial, "probe", probe)
    if phase == "asking":
        return {"predictor": Here(interrupt)}
    if phase == "preparing":
        return {"of": design(lambda unit: interrupt(unit // 4096))}
    owner, name = {"gathering": (Trial, "gather"), "writing": (Archive, "put")}.get(
        phase, (None, "")
    )
    if owner is not None:
        done, calls = getattr(owner, name), []

        def called(*given, **more):
            calls.append(1)
            interrupt(len(calls))
            return done(*given, **more)

        monkeypatch.setattr(owner, name, called)
    return {}


@pytest.fixture
def hears_ctrl_c():
    """In a process that was started in the background, SIGINT is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_ctrl_c")
@pytest.mark.parametrize("keep", ["outcomes", "effects"])
@pytest.mark.parametrize(
    "phase", ["probe", "preparing", "asking", "gathering", "writing"]
)
def test_ctrl_c_leaves_a_store_that_goes_on(monkeypatch, tmp_path, phase, keep):
    path, whole = tmp_path / "trial.zarr", run(keep=keep)
    with monkeypatch.context() as patch:
        given, start = interrupted_at(phase, patch), time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            run(**given, keep=keep, store=path)
        assert time.monotonic() - start < 5
    resumed = Here()
    assert run(resumed, keep=keep, store=path).compute().identical(whole)
    if phase in ("gathering", "writing"):  # what was answered is not asked again
        assert resumed.n_turns < TURNS


@pytest.mark.torch
def test_batches_that_do_not_fit_are_halved_within_a_trial(monkeypatch):
    """A device that takes 300 sequences at most; the error of torch says so."""
    torch = pytest.importorskip("torch")

    class Small(torch.nn.Module):
        most = 10**9

        def forward(self, x):
            if len(x) > self.most:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return x[:, 1].sum(1, keepdim=True)

    of, net = design(), Small()
    whole = cg.run(of, cg.TorchPredictor(net, batch_size=512), rng=0)
    net.most = 300
    with pytest.warns(CausalgiaWarning):
        found = cg.run(of, cg.TorchPredictor(net, batch_size=512), rng=0)
    np.testing.assert_array_equal(found["outcome"], whole["outcome"])
