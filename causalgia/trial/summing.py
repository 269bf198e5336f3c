"""A trial of which running sums are kept: turns are taken in order, and sums over the first of them kept on disk."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from causalgia.errors import StoreError
from causalgia.trial.archive import Archive
from causalgia.trial.execution import Parts, carried
from causalgia.trial.progress import meter
from causalgia.trial.reductions import Kept, Summary
from causalgia.trial.setup import Begun
from causalgia.trial.storing import interruptible, opened
from causalgia.trial.turn_plan import Plan, columns
from causalgia.trial.turns import Trial

if TYPE_CHECKING:
    from distributed import Client

_SECONDS = 1.0
_SPARING = 20
"""Times as long as the last keeping took: it takes at most a twentieth of the trial, however large the sums."""


def summed(
    begun: Begun,
    kept: Summary,
    path: Path | None,
    *,
    client: Client | None,
    progress: bool,
    same_answers: bool = False,
) -> None:
    """Carry out a trial, or what is left of it, and take it all into `kept`.

    Raises
    ------
    StoreError
        If the store is another trial's (says what differs), of another version, or cannot be written.
    TrialInterruptedError
        At Ctrl-C in a stored trial; sums over the first turns are in the store.
    """
    with ExitStack() as stack:
        archive, plan = (None, begun.meet()) if path is None else opened(begun, kept, path, same_answers=same_answers)
        if archive is not None and path is not None:
            stack.enter_context(archive)
            stack.enter_context(interruptible(archive, path, plan.n_units))
        first = 0 if archive is None else _restored(kept, archive)
        advance = stack.enter_context(meter(plan.n_units * columns(begun.trial.design), show=progress))
        if first:
            advance(plan.bounds(first - 1)[1] * columns(begun.trial.design))
        turns = range(first, len(plan))
        answers = carried(begun.trial, plan, turns, kept=kept, client=client, advance=advance)
        _take(kept, plan, _in_order(answers, begun.trial, kept, first), archive)


def _restored(kept: Summary, archive: Archive) -> int:
    """Put back the sums of a store, and return the turns that they are over."""
    state = archive.state()
    if state is None:
        return 0
    try:
        kept.restore(state[1])
    except StoreError as error:
        raise StoreError(f"{archive.path}: {error}; move the store away, and run the trial anew") from error
    return state[0]


def _take(kept: Summary, plan: Plan, turns: Iterable[tuple[int, Parts]], archive: Archive | None) -> None:
    """Take turn after turn, and keep the sums on disk about every second and at the end."""
    last, pause = time.monotonic(), _SECONDS
    for turn, parts in turns:
        kept.take(parts)
        begun = time.monotonic()
        if archive is not None and (begun - last >= pause or turn == len(plan) - 1):
            archive.put_state(kept.state(), turns=turn + 1)
            last = time.monotonic()
            pause = max(_SECONDS, _SPARING * (last - begun))


def _in_order(
    answers: Iterable[tuple[int, int | None, Parts]], trial: Trial, kept: Kept, first: int
) -> Iterator[tuple[int, Parts]]:
    """Yield turns in their order, with the models side by side again where they were asked apart."""
    waiting: dict[int, dict[int, Parts]] = {}
    n_parts = len(trial.predictor.parts)
    for turn, model, parts in answers:
        waiting.setdefault(turn, {})[0 if model is None else model] = parts
        while len(waiting.get(first, ())) == (1 if model is None else n_parts):
            yield first, _together(waiting.pop(first), kept, apart=model is not None)
            first += 1


def _together(models: dict[int, Parts], kept: Kept, *, apart: bool) -> Parts:
    if not apart:
        return models[0]
    found = dict(models[0])
    for name, dims in kept.dims.items():
        if "model" in dims:
            found[name] = np.stack([models[model][name] for model in sorted(models)], axis=-1)
    return found
