# Imports from the inside: turns of a trial on workers, that die, join and disappear.
"""Trials over workers: the answers of the local run, whoever dies, joins or disappears
meanwhile.
"""

from __future__ import annotations

import logging
import os
import platform
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import numpy as np
import pytest
from events import wait_for

import causalgia as cg
from causalgia.errors import (
    CausalgiaWarning,
    DesignError,
    MissingExtraError,
    PredictorError,
    StoreError,
)
from causalgia.predict import NonFiniteError
from causalgia.streams import root_key
from causalgia.trial import outcomes
from causalgia.trial.distributed_turns import run_on_cluster
from causalgia.trial.turn_plan import TurnPlan
from causalgia.trial.turns import AllOutcomes, Trial
from causalgia.workers import clusters, connected, jobs, local_cluster
from causalgia.workers.jobs import pickle_with_code

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
TURN = 50
KEPT = AllOutcomes(("unit", "arm", "task"))


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Dask tells of every worker that a test kills."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("distributed").setLevel(logging.WARNING)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with local_cluster(2) as client:
        yield client


@pytest.fixture
def no_workers() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=0, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def in_threads(n: int = 1) -> Any:
    """A cluster in this process, of one worker with some threads."""
    where = {"processes": False, "dashboard_address": "127.0.0.1:0"}
    return distributed.LocalCluster(n_workers=1, threads_per_worker=n, **where)


def design(n: int = 1_000, **more: Any) -> cg.Design:
    arms = {
        "untreated": cg.Untreated(),
        "GATA": cg.Embed("GATAAG", at=12),
        "random": cg.Scramble((3, 9)),
    }
    return cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=n, **more)


def weighted(rate: float = 1.37) -> cg.FunctionPredictor:
    return cg.FunctionPredictor(
        lambda x: np.exp(x[:, 1:3].sum(2) * rate / 10), tasks=["G", "C"]
    )


def trial(
    predictor: Any, asked: cg.Design | None = None, *, turn: int = TURN
) -> tuple[Trial, TurnPlan]:
    asked = design() if asked is None else asked
    return Trial(asked, predictor, root_key(7)), TurnPlan(asked.n_units, turn, 4)


def every(plan: TurnPlan, models: int = 0) -> list[tuple[int, int | None]]:
    return [
        (turn, model)
        for turn in range(len(plan))
        for model in (list(range(models)) or [None])
    ]


def through(
    client: Any, begun: tuple[Trial, TurnPlan], *, models: int = 0, advance: Any = None
) -> Iterator[Any]:
    return run_on_cluster(
        client, *begun, every(begun[1], models), reduction=KEPT, advance=advance
    )


def run_here(begun: tuple[Trial, TurnPlan], turns: Any) -> dict[int, Any]:
    """The reduced outcomes of each turn, predicted by this process."""
    made = dict[int, Any]()
    outcomes.run_turns(
        *begun, turns, lambda turn, _, parts: made.update({turn: parts}), reduction=KEPT
    )
    return made


def require_same(found: list[Any], begun: tuple[Trial, TurnPlan]) -> None:
    """The bytes of every array, turn by turn, are those of the local run."""
    turns = sorted(turn for turn, _, _ in found)
    assert turns == list(range(len(turns)))
    made = run_here(begun, turns)
    for turn, model, parts in found:
        assert model is None
        assert parts.keys() == made[turn].keys()
        for name, part in parts.items():
            assert (part.dtype, part.shape) == (
                made[turn][name].dtype,
                made[turn][name].shape,
            ), name
            assert part.tobytes() == made[turn][name].tobytes(), name


def pids(client: Any) -> list[int]:
    return list(client.run(os.getpid).values())


def held(folder: Path) -> cg.FunctionPredictor:
    """A predictor that leaves the number of its process in a folder, and answers once
    the gate in it is open.
    """

    def answer(x: Any) -> Any:
        (folder / str(os.getpid())).touch()
        wait_for((folder / "open").exists)
        return np.exp(x[:, 1:3].sum(2) / 7)

    return cg.FunctionPredictor(answer, tasks=["G", "C"], fingerprint="held")


def arrived(folder: Path) -> set[int]:
    """The processes that have been asked."""
    return {int(path.name) for path in folder.iterdir() if path.name != "open"}


def open_when(folder: Path, ready: Any) -> threading.Thread:
    """Open the gate, from another thread, as soon as something holds."""
    thread = threading.Thread(
        target=lambda: wait_for(ready) and (folder / "open").touch()
    )
    thread.start()
    return thread


# --- the same answers


def test_outcomes_are_those_of_the_local_run(client: Any) -> None:
    begun, n = trial(weighted()), []
    found = list(through(client, begun, advance=n.append))
    require_same(found, begun)
    assert len(found) == len(begun[1]) == 20
    assert sum(n) == 3_000


def test_a_parallel_trial_with_blocks(client: Any) -> None:
    begun = trial(weighted(), design(400, assignment="parallel"))
    found = list(through(client, begun))
    assert {"assigned"} < found[0][2].keys()
    require_same(found, begun)


def test_models_of_an_ensemble_are_asked_apart(client: Any) -> None:
    begun = trial(
        cg.Ensemble({"a": weighted(), "b": weighted(2.0), "c": weighted(0.1)}),
        design(330),
    )
    whole = run_here(begun, range(len(begun[1])))
    n: list[int] = []
    found = list(through(client, begun, models=3, advance=n.append))
    assert sorted((turn, model) for turn, model, _ in found) == every(begun[1], 3)
    assert sum(n) == 3 * 330
    for turn, model, parts in found:
        assert (
            parts["outcome"].tobytes()
            == np.ascontiguousarray(whole[turn]["outcome"][..., model]).tobytes()
        )
        assert parts.keys() - {"outcome"} == (
            whole[turn].keys() - {"outcome"} if model == 0 else set()
        )


def test_a_client_of_threads_asks_one_at_a_time() -> None:
    inside: list[int] = []

    def answer(x: Any) -> Any:
        inside.append(1)
        for _ in range(200):
            time.sleep(0)  # another thread's turn, if there is one
            assert len(inside) == 1
        inside.pop()
        return x[:, 1:3].sum(2)

    begun = trial(
        cg.FunctionPredictor(answer, tasks=["G", "C"], fingerprint="v1"), design(300)
    )
    with (
        in_threads(3) as cluster,
        distributed.Client(cluster, set_as_default=False) as threads,
    ):
        require_same(list(through(threads, begun)), begun)


@pytest.mark.simulation
@pytest.mark.torch
def test_a_trained_network_answers_the_same_bits(client: Any) -> None:
    from causalgia.zoo import load

    predictor = load("rbfox1_like")
    arms = {"untreated": cg.Untreated(), "GCATG": cg.Embed("GCATG", at=12)}
    asked = cg.Design(null=cg.Uniform(length=41), arms=arms, n_units=400)
    begun = trial(predictor, asked, turn=100)
    begun[0].probe()
    require_same(list(through(client, begun)), begun)


# --- loaded once, forgotten in the end, and never too many at a time


def test_a_worker_loads_the_predictor_once_and_lets_go_of_it(
    client: Any, tmp_path: Path
) -> None:
    before = set(pids(client))
    list(through(client, trial(Factory(str(tmp_path)), design(1_000))))
    loads = [int(path.name.partition("-")[0]) for path in tmp_path.iterdir()]
    assert sorted(loads) == sorted(before)
    assert set(client.run(n_loaded).values()) == {0}


class Factory(cg.predict.Predictor):
    """Builds a predictor wherever it is unpickled, and leaves a file to say so; answers
    once it was built twice.
    """

    scale = "outcome"
    tasks = ("G", "C")
    fingerprint = "f"

    def __init__(self, folder: str, inner: Any = None) -> None:
        self.folder, self.inner = folder, inner or weighted()

    def __reduce__(self) -> Any:
        return build, (self.folder,)

    def resolve_batch_size(self, length: int) -> int:
        return int(self.inner.resolve_batch_size(length))

    def predict(self, tokens: Any, *, progress: Any = None) -> Any:
        wait_for(lambda: len([*Path(self.folder).iterdir()]) > 1)
        return self.inner.predict(tokens, progress=progress)


def build(folder: str) -> Factory:
    Path(folder, f"{os.getpid()}-{uuid4().hex}").touch()
    return Factory(folder)


def n_loaded() -> int:
    return len(jobs._LOADED)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_freed_memory_is_kept_for_the_next_layer() -> None:
    """Dask's own setting costs a page fault for every 4 kB of every activation."""
    process = subprocess.run(
        [sys.executable, "-c", ALLOCATING],
        env={**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"},
        capture_output=True,
    )
    before, after = map(int, process.stdout.split())
    assert before > 2_000
    assert after < 200


ALLOCATING = """
import resource
import numpy as np
from causalgia.workers.clusters import keep_freed_memory

def faults():
    for _ in range(2):
        start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            np.ones(2**21, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start

before = faults()
keep_freed_memory()
print(before, faults())
"""


def test_few_jobs_are_on_their_way_at_a_time(client: Any) -> None:
    begun = trial(weighted(), design(2_000))
    taken: list[int] = []

    def asked() -> Iterator[tuple[int, None]]:
        for turn in range(len(begun[1])):
            taken.append(turn)
            yield turn, None

    found = []
    for job in run_on_cluster(client, *begun, asked(), reduction=KEPT):
        found.append(job)
        assert len(taken) - len(found) <= jobs._A_THREAD * 2 + 1
    require_same(found, begun)


def test_batch_sizes_settled_on_here_hold_there(client: Any) -> None:
    predictor = Sized()
    predictor.sizes[30] = 17
    begun = trial(predictor, design(100))
    assert {
        float(answer)
        for _, _, parts in through(client, begun)
        for answer in parts["outcome"].flat
    } == {17.0}


class Sized(cg.predict.Predictor):
    """Answers with the size of its batches, which does not travel with it."""

    scale = "outcome"
    tasks = ("size",)
    fingerprint = "sized"

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}

    def __reduce__(self) -> Any:
        return Sized, ()

    def batches(self) -> dict[int, int]:
        return dict(self.sizes)

    def fix_batches(self, sizes: Any) -> None:
        self.sizes = dict(sizes)

    def resolve_batch_size(self, length: int) -> int:
        return self.sizes.get(length, 5)

    def predict(self, tokens: Any, *, progress: Any = None) -> Any:
        return np.full(
            (len(tokens), 1), float(self.resolve_batch_size(tokens.shape[1]))
        )


# --- what workers say


def test_an_error_of_a_worker_arrives_as_it_is(client: Any) -> None:
    def answer(x: Any) -> Any:
        return np.where(x[:, 0].sum(1) > 11, np.nan, 1.0)

    begun = trial(cg.FunctionPredictor(answer, tasks=["A"]))
    with pytest.raises(PredictorError) as here:
        run_here(begun, range(len(begun[1])))
    with pytest.raises(PredictorError) as there:
        list(through(client, begun))
    assert type(there.value) is type(here.value)
    wait_for(lambda: not any(client.processing().values()))
    assert set(client.run(n_loaded).values()) == {0}


class Stop(BaseException):
    """An error that no handler of `Exception` takes."""


@pytest.mark.parametrize(
    "ended", [Stop("mine"), KeyboardInterrupt()], ids=["own", "interrupt"]
)
@pytest.mark.parametrize("keep", ["outcomes", "moments"])
def test_a_predictor_that_raises_what_is_no_exception_is_an_error(
    client: Any, ended: BaseException, keep: str, tmp_path: Path
) -> None:
    here = os.getpid(), threading.get_ident()

    def answer(x: Any) -> Any:
        if (os.getpid(), threading.get_ident()) != here:
            raise ended
        return x[:, 1:3].sum(2)

    predictor = cg.FunctionPredictor(answer, tasks=["G", "C"], fingerprint="v1")
    arms = {"a": cg.Untreated(), "b": cg.Embed("GC", at=3)}
    design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=40, contrasts="a")
    with pytest.raises(StoreError):
        cg.run(
            design,
            predictor,
            rng=0,
            client=client,
            store=tmp_path / "a.zarr",
            keep=keep,
            progress=False,
        )
    wait_for(lambda: not any(client.processing().values()))
    assert set(client.run(n_loaded).values()) == {0}


def test_errors_keep_what_they_know_on_the_way(client: Any) -> None:
    def fail() -> None:
        raise NonFiniteError(
            "sequence 3: NaN", row=3, task="K562", value=np.inf, detail="NaN"
        )

    with pytest.raises(NonFiniteError) as error:
        client.submit(fail, pure=False).result()
    assert (
        error.value.row,
        error.value.task,
        error.value.value,
        error.value.detail,
    ) == (3, "K562", np.inf, "NaN")


def test_an_arm_that_cannot_be_applied(client: Any) -> None:
    asked = cg.Design(
        null=cg.Uniform(length=30),
        arms={"untreated": cg.Untreated(), "odd": Own()},
        n_units=100,
    )
    with pytest.raises(DesignError):
        list(through(client, trial(weighted(), asked)))


def test_a_warning_of_workers_is_given_once(client: Any) -> None:
    def answer(x: Any) -> Any:
        warnings.warn("out of memory; going on with 8", CausalgiaWarning, stacklevel=1)
        warnings.warn("old", Odd, stacklevel=1)
        return x[:, 0].sum(1)

    begun = trial(cg.FunctionPredictor(answer, tasks=["A"], fingerprint="v1"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert len(list(through(client, begun))) == len(begun[1])
    assert [(said.category, str(said.message)) for said in caught] == [
        (CausalgiaWarning, "out of memory; going on with 8"),
        (UserWarning, "old"),
    ]


class Odd(UserWarning):
    """A kind of warning that only the predictor's package has."""


def test_a_worker_of_another_version_is_refused(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cg, "__version__", "99.0")
    with pytest.raises(StoreError):
        list(through(client, trial(weighted())))


def test_ctrl_c_cancels_the_jobs(client: Any, tmp_path: Path) -> None:
    """The signal comes while a worker is at work (both, as a rule), which does not end
    before it has come.
    """
    # a shell ignores it in what it runs behind
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt = threading.Thread(
        target=lambda: (
            wait_for(lambda: arrived(tmp_path)) and os.kill(os.getpid(), signal.SIGINT)
        )
    )
    try:
        found = through(client, trial(held(tmp_path)))
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            interrupt.start()
            list(found)
        interrupt.join()
    finally:
        signal.signal(signal.SIGINT, before)
        (tmp_path / "open").touch()
    wait_for(lambda: not any(client.processing().values()))
    assert len(client.nthreads()) == 2


HANGING, RELEASED = threading.Event(), threading.Event()


def hangs_when_told(x: Any) -> Any:
    if HANGING.is_set():
        RELEASED.wait()
    return x[:, 1:3].sum(2)


def test_a_predictor_that_hangs_ends_in_an_error_at_the_limit_that_was_set() -> None:
    predictor = cg.FunctionPredictor(
        hangs_when_told, tasks=["G", "C"], fingerprint="v1"
    )
    begun = trial(predictor)
    HANGING.set()
    try:
        with (
            in_threads() as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            with dask.config.set({"causalgia.time-limit": "200 ms"}):
                found = through(client, begun)
                with pytest.raises(StoreError):
                    list(found)
            RELEASED.set()
    finally:
        HANGING.clear()
        RELEASED.set()


@pytest.mark.simulation
@pytest.mark.skipif(
    not hasattr(signal, "SIGSTOP"), reason="no process can be stopped here"
)
def test_a_worker_that_is_stopped_ends_in_an_error_at_the_limit_that_was_set() -> None:
    with local_cluster(1) as client:
        (stopped,) = pids(client)
        os.kill(stopped, signal.SIGSTOP)
        try:
            with (
                dask.config.set({"causalgia.time-limit": "200 ms"}),
                pytest.raises(StoreError),
            ):
                list(through(client, trial(weighted())))
        finally:
            os.kill(stopped, signal.SIGCONT)


def test_a_limit_that_is_kept_changes_nothing(client: Any) -> None:
    begun = trial(weighted())
    with dask.config.set({"causalgia.time-limit": "10 minutes"}):
        there = list(through(client, begun))
    assert len(there) == len(begun[1])


# --- what cannot be sent


def test_a_predictor_that_cannot_be_sent(client: Any) -> None:
    lock = threading.Lock()

    def answer(x: Any) -> Any:
        with lock:
            return x[:, 0].sum(1)

    begun = trial(cg.FunctionPredictor(answer, tasks=["A"], fingerprint="v1"))
    with pytest.raises(StoreError):
        through(client, begun)
    with pytest.raises(StoreError):
        pickle_with_code(begun[0], "the trial")


class Served(cg.FunctionPredictor):
    """Holds what cannot be sent, and says how it is made elsewhere."""

    def __reduce__(self) -> Any:
        return served, ()


def served() -> Served:
    lock = threading.Lock()

    def answer(x: Any) -> Any:
        with lock:
            return x[:, 0].sum(1)

    return Served(answer, tasks=["A"], fingerprint="v1")


def test_a_predictor_that_says_how_it_is_made_elsewhere(client: Any) -> None:
    begun = trial(served())
    require_same(list(through(client, begun)), begun)


def test_a_member_and_an_arm_that_cannot_be_sent() -> None:
    lock = threading.Lock()
    bad = cg.FunctionPredictor(
        lambda x: (lock, x[:, 1:3].sum(2))[1], tasks=["G", "C"], fingerprint="v1"
    )
    with pytest.raises(StoreError):
        pickle_with_code(
            trial(cg.Ensemble({"good": weighted(), "bad": bad}))[0], "the trial"
        )
    asked = cg.Design(
        null=cg.Uniform(length=30),
        arms={"untreated": cg.Untreated(), "odd": Own(lock)},
        n_units=100,
    )
    with pytest.raises(StoreError):
        pickle_with_code(trial(weighted(), asked)[0], "the trial")
    pickle_with_code(trial(weighted())[0], "the trial")


def test_a_predictor_that_cannot_be_loaded(client: Any) -> None:
    with pytest.raises(StoreError):
        list(through(client, trial(Unloadable())))


@dataclass(frozen=True)
class Own(cg.design.Intervention):
    """An intervention of the user's, which fails."""

    held: Any = None
    kind: ClassVar[str] = "own"
    terms = ("own",)

    def lay(self, layout: Any) -> Any:
        return layout

    def apply(self, tokens: Any, *, units: Any, key: int) -> Any:
        raise DesignError("not today")

    def to_dict(self) -> dict[str, Any]:
        return {}


class Unloadable(Sized):
    """Goes out, and cannot come in."""

    def __reduce__(self) -> Any:
        return _no_session, ()


def _no_session() -> None:
    raise OSError("no such session")


def test_a_file_of_the_users_own_is_sent_along(client: Any, tmp_path: Path) -> None:
    """Workers cannot import it: neither its name nor its neighbors' are on their
    path.
    """
    (tmp_path / "beside_it.py").write_text(
        "def share(x):\n    return x[:, 1:3].sum(2)\n"
    )
    (tmp_path / "arch.py").write_text(
        "from beside_it import share\n\n"
        "def load():\n"
        "    return lambda x: share(x) / 3\n"
    )
    predictor = cg.predict.load_predictor(f"{tmp_path}/arch.py:load", tasks=["G", "C"])
    begun = trial(predictor, design(100))
    require_same(list(through(client, begun)), begun)


# --- clients and clusters that are none


def test_no_workers(no_workers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "TO_START", 0.5)
    with pytest.raises(StoreError):
        through(no_workers, trial(weighted()))


def test_an_adaptive_cluster_starts_its_workers_when_asked(no_workers: Any) -> None:
    no_workers.cluster.adapt(minimum=0, maximum=1, interval="100ms")
    begun = trial(weighted(), design(100))
    require_same(list(through(no_workers, begun)), begun)


def test_an_address_where_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "_TO_CONNECT", 0.5)
    with (
        pytest.raises(StoreError),
        connected("tcp://127.0.0.1:1"),
    ):
        pass


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError):
        clusters.check_client(object())


# --- workers that die, join, and are lost


def test_a_worker_killed_during_the_run_changes_no_bit(
    client: Any, tmp_path: Path
) -> None:
    """One is killed with a job in its hands; no answer comes until the one in its place
    has been asked, too.
    """
    begun = trial(held(tmp_path), design(1_500))
    first = pids(client)[0]
    asked = lambda: first in arrived(tmp_path)  # noqa: E731
    killing = threading.Thread(
        target=lambda: wait_for(asked) and os.kill(first, signal.SIGKILL)
    )
    opening = open_when(tmp_path, lambda: len(arrived(tmp_path)) >= 3)
    killing.start()
    found = list(through(client, begun))
    killing.join()
    opening.join()
    assert set(pids(client)) == arrived(tmp_path) - {first}
    require_same(found, begun)


@pytest.mark.simulation
def test_a_worker_that_joins_is_given_work(client: Any, tmp_path: Path) -> None:
    """Two workers are at work, and nothing ends until the third is."""
    begun = trial(held(tmp_path))
    before = set(pids(client))
    joining = threading.Thread(
        target=lambda: (
            wait_for(lambda: arrived(tmp_path) == before) and client.cluster.scale(3)
        )
    )
    opening = open_when(tmp_path, lambda: len(arrived(tmp_path)) >= 3)
    joining.start()
    found = list(through(client, begun))
    joining.join()
    opening.join()
    assert arrived(tmp_path) == set(pids(client))
    client.cluster.scale(2)
    require_same(found, begun)


def test_a_job_that_kills_every_worker_is_an_error(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(x: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            os.kill(os.getpid(), signal.SIGKILL)
        return x[:, :1].sum(2)

    begun = trial(
        cg.FunctionPredictor(answer, tasks=["A"], fingerprint="killer"),
        design(20),
        turn=20,
    )
    monkeypatch.setattr(client.cluster.scheduler, "allowed_failures", 0)
    with pytest.raises(StoreError):
        list(through(client, begun))


def test_all_workers_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with answers that were ready and not fetched: Dask calls what was lost with
    its worker done.
    """
    monkeypatch.setattr(jobs, "TO_COME", 1.0)
    monkeypatch.setattr(jobs, "_TO_READ", 1.0)
    with (
        in_threads() as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        found = through(client, trial(weighted()))
        next(found)
        cluster.scale(0)
        with pytest.raises(StoreError):
            list(found)


def test_a_cluster_that_disappears() -> None:
    cluster = in_threads()
    with distributed.Client(cluster, set_as_default=False) as client:
        found = through(client, trial(weighted()))
        next(found)
        cluster.close()
        with pytest.raises(StoreError):
            list(found)
    with pytest.raises(StoreError):
        through(client, trial(weighted()))


@pytest.mark.simulation
def test_a_scheduler_that_is_killed(tmp_path: Path) -> None:
    """A scheduler in a process of its own, as on a cluster of machines."""
    file = tmp_path / "address"
    process = subprocess.Popen(
        [sys.executable, "-c", SCHEDULER, str(file)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = wait_for(lambda: file.exists() and file.read_text())
        with connected(address) as client:
            found = through(client, trial(weighted()))
            next(found)
            process.kill()
            with pytest.raises(StoreError):
                list(found)
    finally:
        process.kill()
        process.communicate()


SCHEDULER = """
import pathlib, sys
from distributed import LocalCluster
cluster = LocalCluster(n_workers=1, processes=False, protocol="tcp", dashboard_address="127.0.0.1:0")
path = pathlib.Path(sys.argv[1])
path.with_suffix(".new").write_text(cluster.scheduler_address)
path.with_suffix(".new").rename(path)
sys.stdin.read()
"""


@pytest.mark.simulation
def test_workers_end_with_a_process_that_is_killed() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    workers = [int(pid) for pid in process.stdout.readline().split()]
    assert len(workers) == 1
    process.kill()  # kill -9
    process.communicate()
    wait_for(lambda: not any(map(alive, workers)))


PARENT = """
import os, sys
from causalgia.workers import local_cluster
with local_cluster(1) as client:
    print(*client.run(os.getpid).values(), flush=True)
    sys.stdin.read()
"""


def alive(pid: int) -> bool:
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except FileNotFoundError:
        return False
