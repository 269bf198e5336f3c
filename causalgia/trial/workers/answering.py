"""What happens on a worker: the trial is loaded once in a process, and turns are answered one at a time."""

from __future__ import annotations

import pickle
import threading
import warnings
from collections import deque
from typing import TypeAlias

from causalgia.errors import CausalgiaError, ClusterError
from causalgia.predict.predictor import one_line
from causalgia.trial.carrying import Parts, unit_parts
from causalgia.trial.workers.allocating import keep_freed_memory
from causalgia.trial.workers.sending import Origin, Sent, here

Heard: TypeAlias = list[tuple[type[Warning], str]]
_AT_HAND = 2
_LOADED: dict[str, Sent] = {}
_OVER: deque[str] = deque(maxlen=1_000)
_ONE_AT_A_TIME = threading.RLock()
"""A predictor is asked by one thread at a time, as it is without workers; turns are made ready meanwhile."""


def answered(data: bytes, origin: Origin, turn: int, model: int | None) -> tuple[Parts, Heard]:
    """Return what is kept of a turn, answered by every model or by one, and the warnings that were given.

    What is known of the units themselves comes with the first model.

    Raises
    ------
    DesignError
        If an arm cannot be applied.
    PredictorError
        As `Trial.answer`.
    ClusterError
        If the trial cannot be loaded here.
    """
    with _ONE_AT_A_TIME:
        sent = _loaded(data, origin)
    ready = sent.trial.prepare(*sent.plan.bounds(turn))
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
        outcome = sent.trial.answer(ready, model=model)
    parts = unit_parts(sent.trial, ready.units) if not model else {}
    return {**parts, **sent.kept.reduce(outcome)}, [(_known(said.category), str(said.message)) for said in caught]


def forget(run: str) -> None:
    """Let go of the trial of a run that is over; waits for nothing, since it is called where workers are heard."""
    _OVER.append(run)
    _LOADED.pop(run, None)


def _loaded(data: bytes, origin: Origin) -> Sent:
    """Return the trial, loaded where it is not; two are held, so that trials may share a cluster."""
    sent = _LOADED.get(origin.run)
    if sent is None:
        while len(_LOADED) >= _AT_HAND:
            _LOADED.pop(next(iter(_LOADED)), None)
        sent = _LOADED[origin.run] = _load(data, origin)
    if origin.run in _OVER:
        _LOADED.pop(origin.run, None)
        raise ClusterError("the run that this turn belongs to is over")
    return sent


def _load(data: bytes, origin: Origin) -> Sent:
    _require_same(origin)
    keep_freed_memory()
    try:
        return pickle.loads(data)  # type: ignore[no-any-return]
    except CausalgiaError:
        raise
    except Exception as error:
        cure = "install there what it needs, or give a factory that finds it: cg.PredictorFactory(build)"
        raise ClusterError(f"a worker could not load the trial ({one_line(error)}); {cure}") from error


def _require_same(origin: Origin) -> None:
    for name, there, mine in zip(("causalgia", "Python"), (origin.causalgia, origin.python), here(), strict=True):
        if there != mine:
            same = "answers are the same numbers only from the same versions"
            raise ClusterError(f"a worker has {name} {mine}, this process {there}: {same}; install {there} there")


def _known(category: type[Warning]) -> type[Warning]:
    """Return the nearest kind of warning that exists without the predictor's own packages."""
    return next(c for c in category.__mro__ if c.__module__ in ("builtins", "causalgia.errors"))
