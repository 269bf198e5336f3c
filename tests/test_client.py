# Imports from the inside: jobs of workers, whose order and bytes are counted.
"""Verbs over workers: the results of this process to the bit, errors that name the
piece, an end at Ctrl-C.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from events import wait_for

import causalgia as cg
from causalgia import mpra
from causalgia.errors import EstimateError, StoreError
from causalgia.experiments import across_predictors, tile_search
from causalgia.mpra.fits import _hierarchical as hierarchical_model
from causalgia.sequences import decode
from causalgia.workers import local_cluster, mapped
from causalgia.workers.jobs import do_job
from causalgia.workers.pieces import _Bundles, _Packed
from causalgia.zoo import EndGC, MotifCount, Oracle

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

ARMS = {
    "untreated": cg.Untreated(),
    "GC": cg.Embed("GCGCGC", at=12),
    "AT": cg.Embed("ATATAT", at=12),
}
DESIGN = cg.Design(null=cg.Uniform(length=30), arms=ARMS, n_units=40)
BIAS = cg.experiments.position(cg.Uniform(length=41), "GCGCGC", at=[2, 34], n_units=60)


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("distributed").setLevel(logging.WARNING)


@pytest.fixture(scope="module")
def two() -> Iterator[Any]:
    with local_cluster(2) as client:
        yield client


@pytest.fixture(scope="module")
def one() -> Iterator[Any]:
    """One worker, a thread of this process."""
    where = {"processes": False, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, **where) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


# --- the same results


def share() -> cg.FunctionPredictor:
    return cg.FunctionPredictor(
        lambda x: np.exp(x[:, 1:3].sum(2) / 9), tasks=["G", "C"], fingerprint="share"
    )


def effects(n_tasks: int, n: int = 12) -> xr.Dataset:
    rng = np.random.default_rng(5)
    rows = [(f"c{k}", f"t{t}") for k in range(n) for t in range(n_tasks)]
    table = pd.DataFrame(rows, columns=["contrast", "task"])
    found = cg.from_effects(
        table.assign(
            effect=rng.normal(size=len(rows)), se=rng.uniform(0.1, 0.5, len(rows))
        )
    )
    return found.assign_coords(family=("contrast", ["odd", "even"] * (n // 2)))


def biased(rng: Callable[[int], int]) -> dict[str, xr.Dataset]:
    oracles = {
        k: Oracle(MotifCount("UGCAUG", 1.0), EndGC(-0.2 * k, last=8)) for k in (1, 2, 3)
    }
    return {
        f"RBP{k}": cg.run(BIAS, oracle, rng=rng(k), progress=False)
        for k, oracle in oracles.items()
    }


def counts() -> xr.Dataset:
    elements = [f"e{k}" for k in range(30)]
    truth = pd.DataFrame(
        {
            "element": np.repeat(elements, 2),
            "arm": ["scramble", "GATA1"] * 30,
            "log2": [0, 1.0] * 30,
        }
    )
    return mpra.simulate(truth, n_barcodes=6, rng=1)


def random(n: int, length: int) -> list[str]:
    return list(decode(cg.Uniform(length=length).sample(n, rng=0)["sequence"].values))


def fitted(method: Any, client: Any) -> xr.Dataset:
    return mpra.fit(counts(), control="scramble", method=method, client=client)


def searched(client: Any) -> xr.Dataset:
    sequences = [s[:40] + "ATGCTGAGTCAT" + s[52:] for s in random(8, 80)]
    oracle = cg.zoo.oracle("long_range")
    return tile_search(
        sequences,
        oracle,
        rng=0,
        rope=(-0.5, 0.5),
        n_draws=2,
        min_width=20,
        client=client,
    )


def confirmed(client: Any) -> xr.Dataset:
    screen = cg.run(DESIGN, share(), rng=0, progress=False)
    return cg.confirm(screen, select="GC", predictor=share(), rng=0, client=client)


def analyzed(client: Any) -> xr.Dataset:
    outcomes = cg.run(DESIGN, share(), rng=0, progress=False)
    ask = cg.Analysis(control="untreated", rope=(-0.1, 0.1))
    return cg.analyze(outcomes, ask, client=client)


VERBS: dict[str, Callable[[Any], Any]] = {
    "analyze": analyzed,
    "infer tasks": lambda client: cg.infer(
        effects(5), rng=2, n_draws=400, client=client
    ),
    "infer many": lambda client: cg.infer(
        effects(2, 60), rng=2, n_draws=400, client=client
    ),
    "predictors of the same units": lambda client: across_predictors(
        biased(lambda _: 0), contrast="at 34", client=client
    ),
    "predictors of other units": lambda client: across_predictors(
        biased(lambda k: k), contrast="at 34", client=client
    ),
    "hierarchical": lambda client: fitted("hierarchical", client),
    "two_way": lambda client: fitted("two_way", client),
    "confirm": confirmed,
    "moments": lambda client: cg.run(
        BIAS,
        Oracle(MotifCount("UGCAUG", 1.0)),
        rng=0,
        progress=False,
        client=client,
        keep="moments",
    ),
    "tile_search": searched,
}


def datasets(found: Any) -> dict[str, xr.Dataset]:
    """The Datasets of a result, those of a tree by their names."""
    if isinstance(found, xr.Dataset):
        return {"": found}
    names = found.children if hasattr(found, "children") else found.groups()
    return {
        name: found[name].to_dataset()
        if hasattr(found[name], "to_dataset")
        else found[name]
        for name in names
    }


def require_same(found: Any, here: Any) -> None:
    there, here = datasets(found), datasets(here)
    assert there.keys() == here.keys()
    for group, one in here.items():
        other = there[group]
        assert one.variables.keys() == other.variables.keys()
        for name, variable in one.variables.items():
            assert other[name].dims == variable.dims, name
            assert other[name].dtype == variable.dtype, name
            assert pickle.dumps(other[name].to_numpy().tolist()) == pickle.dumps(
                variable.to_numpy().tolist()
            ), name
        timed = {"created_at"}
        assert {k: v for k, v in one.attrs.items() if k not in timed} == {
            k: v for k, v in other.attrs.items() if k not in timed
        }


@pytest.mark.simulation
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.filterwarnings("ignore::causalgia.errors.CausalgiaWarning")
def test_results_do_not_depend_on_workers(
    verb: str, one: Any, two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hierarchical_model, "BLOCK", 7)  # several blocks
    here = VERBS[verb](None)
    for client in (one, two):
        require_same(VERBS[verb](client), here)


@pytest.mark.simulation
def test_pieces_come_back_in_their_order_whatever_their_number(two: Any) -> None:
    assert mapped(
        abs, range(-500, 0), what="abs", names=[str(i) for i in range(500)], client=two
    ) == [*range(500, 0, -1)]
    assert mapped(abs, [], what="abs", names=[], client=two) == []


# --- how pieces travel


def test_small_pieces_travel_together_and_are_made_when_there_is_room() -> None:
    made: list[int] = []
    bundles = _Bundles(
        (made.append(i) or i for i in range(20)),
        [f"piece {i}" for i in range(20)],
        n_threads=1,
    )
    jobs = bundles.jobs()
    first, names, packed = next(jobs)
    assert (first, names, packed.unpack(), made) == (0, ["piece 0"], [0], [0])
    bundles.seconds_each = 0.1
    job = next(jobs)
    assert (job[0], job[2].unpack(), made) == (1, [1, 2], [0, 1, 2])
    assert bundles.named(*job) == "piece 1 to piece 2"
    bundles.seconds_each = 0.0
    shares = [packed.unpack() for _, _, packed in jobs]
    assert [piece for share in shares for piece in share] == [*range(3, 20)]
    # half of what is left: no thread waits long
    assert [len(share) for share in shares] == [8, 4, 2, 1, 1, 1]


def test_first_jobs_are_spread_over_all_threads(
    two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, submit = [], two.submit

    def note(function: Any, *given: Any, **where: Any) -> Any:
        if function is do_job:
            sent.append((where.get("workers"), where.get("allow_other_workers")))
        return submit(function, *given, **where)

    monkeypatch.setattr(two, "submit", note)
    assert mapped(abs, range(-9, 0), what="abs", names="abcdefghi", client=two) == [
        *range(9, 0, -1)
    ]
    both = list(two.nthreads())
    assert [where for where, _ in sent[:4]] == [[both[0]], [both[1]]] * 2
    assert all(others for _, others in sent[:4])  # a lost worker's jobs go elsewhere
    assert set(sent[4:]) == {(None, None)}


def test_large_arrays_are_sent_apart_and_stay_as_they_were() -> None:
    large = np.asfortranarray(np.random.default_rng(0).normal(size=(200, 300)))
    results = [
        {"large": large, "small": large[0], "view": large[::2, ::2], "text": "ACGT"},
        lambda: large,
    ]
    packed = _Packed.of(results)
    assert [array.nbytes for array in packed.arrays] == [large.nbytes]
    assert len(packed.data) < large.nbytes
    found, function = packed.unpack()
    for name in ("large", "small", "view"):
        np.testing.assert_array_equal(found[name], results[0][name])
    assert found["text"] == "ACGT"
    assert function() is found["large"]
    assert found["large"].flags.writeable
    assert found["large"].flags.f_contiguous


# --- errors


def odd(piece: int) -> int:
    if piece == 3:
        raise EstimateError("an odd piece; leave it out")
    if piece == 4:
        raise ZeroDivisionError("no such piece")
    return piece


@pytest.mark.simulation
def test_our_errors_arrive_as_they_are_and_name_the_piece(one: Any, two: Any) -> None:
    names = [f"task T{i}" for i in range(4)]
    for client in (None, one, two):
        with pytest.raises(EstimateError) as error:
            mapped(odd, range(4), what="odd", names=names, client=client)
        assert error.value.__notes__ == ["task T3"]
    wait_for(lambda: not any(two.processing().values()))


def test_other_errors_on_workers_are_ours_and_name_the_piece(
    one: Any, two: Any
) -> None:
    names = [f"task T{i}" for i in range(3)]
    for client in (one, two):
        with pytest.raises(
            StoreError,
        ) as error:
            mapped(odd, [1, 2, 4], what="odd", names=names, client=client)
        assert isinstance(error.value.__cause__, ZeroDivisionError) or client is two


class Own(BaseException):
    """An error that no handler of `Exception` takes."""


ENDS = {"own": Own("mine"), "exit": SystemExit(3), "interrupt": KeyboardInterrupt()}


def ends(piece: int, how: str) -> int:
    if piece == 4:
        raise ENDS[how]
    return piece


@pytest.mark.parametrize("how", ENDS)
def test_what_ends_a_program_is_an_error_that_names_the_piece(
    two: Any, how: str
) -> None:
    with pytest.raises(StoreError):
        mapped(
            partial(ends, how=how),
            [1, 2, 4],
            what="ends",
            names=[f"task T{i}" for i in range(3)],
            client=two,
        )
    wait_for(lambda: not any(two.processing().values()))
    assert mapped(abs, [-1], what="abs", names=["task T0"], client=two) == [1]


def test_a_function_that_fails_on_a_worker_alone_is_an_error(two: Any) -> None:
    here = os.getpid()

    def lost(piece: int) -> int:
        if os.getpid() != here:
            raise KeyError("lost")
        return piece

    with pytest.raises(StoreError):
        mapped(lost, range(4), what="lost", names="abcd", client=two)


def test_what_cannot_be_sent_is_named(two: Any) -> None:
    lock = threading.Lock()

    def locked(piece: int) -> int:
        with lock:
            return piece

    with pytest.raises(StoreError):
        mapped(locked, range(4), what="locked", names="abcd", client=two)
    answers = cg.FunctionPredictor(
        lambda x: (lock, x[:, 1:3].sum(2))[1], tasks=["G", "C"], fingerprint="v1"
    )
    with pytest.raises(StoreError):
        cg.run(DESIGN, answers, rng=0, client=two, progress=False)


def test_a_worker_of_another_version_is_refused(
    two: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cg, "__version__", "99.0")
    with pytest.raises(StoreError):
        cg.infer(effects(2), rng=0, n_draws=400, client=two)


RELEASED = threading.Event()


def hang(_piece: int) -> None:
    RELEASED.wait()


class MuteError(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError


class UnsendableError(Exception):
    """An error that cannot become bytes."""

    def __reduce__(self) -> Any:
        raise TypeError


def fails(_piece: int, how: str) -> int:
    if how == "mute":
        raise MuteError
    if how == "group":
        raise BaseExceptionGroup("both", [Own("mine"), ValueError("v")])
    if how == "without end":
        return fails(_piece, how)
    try:
        raise UnsendableError("lost")
    except UnsendableError as error:
        if how == "of ours":
            raise EstimateError("T2: no spread") from error
        raise


FAILURES = {
    "mute": StoreError,
    "group": StoreError,
    "without end": StoreError,
    "unsendable": StoreError,
    "of ours": EstimateError,
}


@pytest.mark.parametrize("how", FAILURES)
def test_what_cannot_be_sent_back_is_said(two: Any, how: str) -> None:
    with pytest.raises(FAILURES[how]):
        mapped(
            partial(fails, how=how), [1], what="fails", names=["task T2"], client=two
        )


def test_a_piece_that_hangs_ends_in_an_error_at_the_limit_that_was_set(
    one: Any,
) -> None:
    try:
        with (
            dask.config.set({"causalgia.time-limit": "200 ms"}),
            pytest.raises(StoreError),
        ):
            mapped(
                hang,
                range(2),
                what="hang",
                names=["task K562", "task HepG2"],
                client=one,
            )
    finally:
        RELEASED.set()
    wait_for(lambda: not any(one.processing().values()))


# --- an end


def test_ctrl_c_cancels_the_trials(two: Any, tmp_path: Path) -> None:
    """The signal comes while a worker is at work (both, as a rule), which does not end
    before it has come.
    """
    here = os.getpid()

    def waiting(piece: int) -> int:
        if os.getpid() != here:
            (tmp_path / str(os.getpid())).touch()
            wait_for((tmp_path / "open").exists)
        return piece

    # a shell ignores it in what it runs behind
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt = threading.Thread(
        target=lambda: (
            wait_for(lambda: list(tmp_path.iterdir())) and os.kill(here, signal.SIGINT)
        )
    )
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            interrupt.start()
            mapped(
                waiting,
                range(20),
                what="wait",
                names="abcdefghijklmnopqrst",
                client=two,
            )
        interrupt.join()
    finally:
        signal.signal(signal.SIGINT, before)
        (tmp_path / "open").touch()
    wait_for(lambda: not any(two.processing().values()))
    assert len(two.nthreads()) == 2
