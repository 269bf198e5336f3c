"""How fast a predictor answers: sequences per second, at which batch size and with how many threads."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia._check.using import Use, cores, memory_of
from causalgia.predict import FunctionPredictor, Predictor
from causalgia.types import Tokens

_MAPPED_FROM = 2**25
"""Bytes from which glibc maps memory afresh at every layer: a batch beyond it costs a factor of 3 on a CPU."""
_SHARES = (0.25, 0.5, 1.0, 2.0, 4.0)
_ROUNDS, _SECONDS, _BRIEF = 3, 3.0, 0.15
SLOW = 0.3
"""Seconds a sequence from which as little as possible is asked."""


@dataclass(frozen=True)
class Pace:
    """How fast a predictor answers.

    Attributes
    ----------
    batch_size
        What it takes at once, as it is set or found by itself.
    by_batch
        Sequences per second at each batch size that was tried, of one network.
    by_threads
        Sequences per second by number of threads, where torch computes on a CPU; else empty.
    per_second
        Sequences per second at `batch_size`, every member of an ensemble answering.
    busy
        Cores that were busy meanwhile, on average.
    threads
        In use; None where torch does not say.
    use
        Memory of a batch.
    """

    batch_size: int
    by_batch: dict[int, float]
    by_threads: dict[int, float]
    per_second: float
    busy: float
    threads: int | None
    use: Use

    @property
    def best_batch_size(self) -> int:
        """The batch size of the largest throughput among those that were tried."""
        return max(self.by_batch, key=lambda size: self.by_batch[size])


def paced(predictor: Predictor, tokens: Tokens, *, seconds_a_row: float) -> Pace:
    """Measure how fast a predictor answers sequences such as these, in some seconds; it is left as it was."""
    length, part = tokens.shape[1], predictor.parts[0]
    batch = predictor.resolve_batch_size(length)
    few = max(1, min(batch, int(_SECONDS / 3 / seconds_a_row)))
    rows = _rows(tokens, few)
    use = memory_of(lambda: predictor.predict(rows)).times(batch / few)
    rate, busy = _rate(lambda: predictor.predict(rows), few)
    threads = _threads(use)
    return Pace(
        batch_size=batch,
        by_batch=_by_batch(part, tokens, use, seconds_a_row=1 / (rate * len(predictor.parts))),
        by_threads=_by_threads(predictor, rows[: max(8, int(_BRIEF * rate))], threads) if threads is not None else {},
        per_second=rate,
        busy=busy,
        threads=threads,
        use=use,
    )


def _rows(tokens: Tokens, n: int) -> Tokens:
    """Return n rows, the same ones over and over where there are fewer."""
    return np.resize(tokens, (n, tokens.shape[1]))


def _rate(do: Callable[[], object], n_rows: int, *, seconds: float = 0.4) -> tuple[float, float]:
    """Return rows per second, by the median of three calls or more, and how many cores were busy."""
    took: list[float] = []
    started, used = time.perf_counter(), time.process_time()
    while len(took) < _ROUNDS or time.perf_counter() - started < seconds:
        took.append(_seconds(do))
        if time.perf_counter() - started > 3 * seconds:
            break
    return n_rows / float(np.median(took)), (time.process_time() - used) / (time.perf_counter() - started)


def _seconds(do: Callable[[], object]) -> float:
    started = time.perf_counter()
    do()
    return max(time.perf_counter() - started, 1e-9)


def _by_batch(part: Predictor, tokens: Tokens, use: Use, *, seconds_a_row: float) -> dict[int, float]:
    """Return sequences per second by batch size, from a quarter of the usual one to four times as many.

    Every size answers the same rows, in turn with the others; of each its fastest turn counts, since what else the
    machine does only slows it.
    """
    length = tokens.shape[1]
    usual = part.resolve_batch_size(length)
    sizes = _sizes(part, length, usual, use)
    affordable = int(_SECONDS / (_ROUNDS * len(sizes) * seconds_a_row))
    sizes = [size for size in sizes if size <= affordable] or [min(usual, max(1, affordable))]
    rows = _rows(tokens, max(sizes))
    rounds = int(np.clip(_SECONDS / 4 / (len(sizes) * len(rows) * seconds_a_row), _ROUNDS, 4 * _ROUNDS))
    took = np.array([[_seconds(_asking(part, rows, size)) for size in sizes] for _ in range(rounds)])
    return {size: len(rows) / least for size, least in zip(sizes, took.min(axis=0).tolist(), strict=True)}


def _sizes(part: Predictor, length: int, usual: int, use: Use) -> list[int]:
    """Return the batch sizes to try; of a network that is compiled for one, that one."""
    if getattr(part, "compile", False):
        return [usual]
    sizes = dict.fromkeys(max(1, int(usual * share)) for share in _SHARES)
    return [size for size in sizes if _safe(size, usual, use) and (size <= usual or _takes(part, length, size))]


def _safe(size: int, usual: int, use: Use) -> bool:
    """Say whether a batch may be tried: on a CPU below the size where memory is mapped afresh, elsewhere twice."""
    if size <= usual:
        return True
    return use.largest * size / usual < _MAPPED_FROM if use.on_cpu else size <= 2 * usual


def _takes(part: Predictor, length: int, size: int) -> bool:
    with at_batch_size(part, length, size) as sized:
        return sized.resolve_batch_size(length) == size


def _asking(part: Predictor, rows: Tokens, size: int) -> Callable[[], None]:
    def ask() -> None:
        length = rows.shape[1]
        larger = size > part.resolve_batch_size(length)
        with at_batch_size(part, length, size) if larger else nullcontext(part) as sized:
            for start in range(0, len(rows), size):
                sized.predict(rows[start : start + size])

    return ask


@contextmanager
def at_batch_size(predictor: Predictor, length: int, size: int) -> Iterator[Predictor]:
    """Yield a predictor that takes so many sequences at once, where it lets itself be told; put it back afterwards."""
    if isinstance(predictor, FunctionPredictor):
        sized = copy.copy(predictor)
        sized.batch_size = size
        yield sized
        return
    before = predictor.resolve_batch_size(length)
    predictor.fix_batches({length: size})
    try:
        yield predictor
    finally:
        predictor.fix_batches({length: before})


def _threads(use: Use) -> int | None:
    """Return torch's number of threads where it computes on a CPU."""
    if not (use.torch and use.on_cpu):
        return None
    from causalgia.predict.torch_usage import threads_in_use

    return threads_in_use()


def _by_threads(predictor: Predictor, rows: Tokens, now: int) -> dict[int, float]:
    """Return sequences per second with one thread, with those in use, and with one for each core."""
    from causalgia.predict.torch_usage import with_threads

    found: dict[int, float] = {}
    for n in sorted({1, now, cores()}):
        with with_threads(n):
            found[n] = _rate(lambda: predictor.predict(rows), len(rows), seconds=_BRIEF)[0]
    return found


def seconds_a_row(ask: Callable[[Tokens], NDArray[Any]], tokens: Tokens) -> float:
    """Return about how many seconds a sequence takes, by asking for one, and for these where that is quick."""
    one = _seconds(partial(ask, tokens[:1]))
    return one if one > SLOW else min(one, _seconds(partial(ask, tokens)) / len(tokens))
