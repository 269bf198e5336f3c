"""How many inputs a fuzz test makes, and what each of them may take."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

SECONDS, MEMORY = 2.0, 500 * 2**20
"""Processor time of an input, and the memory that it may take beyond what the process
had before.
"""


@pytest.fixture
def examples() -> Callable[[int], range]:
    """Return the numbers of the examples, each the seed of an input: as many as usual,
    or as FUZZ_EXAMPLES says.
    """
    first = int(os.environ.get("FUZZ_FIRST", "0"))
    return lambda usual: range(
        first, first + int(os.environ.get("FUZZ_EXAMPLES", usual))
    )


@pytest.fixture
def limited() -> Callable[[object], AbstractContextManager[None]]:
    """Return a context in which an input (named by its number) may take so much
    processor time and memory.
    """

    @contextmanager
    def limits(example: object) -> Iterator[None]:
        before, start = (
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            time.process_time(),
        )
        yield
        seconds = time.process_time() - start
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 2**10
        assert seconds < SECONDS, (
            f"example {example} took {seconds:.1f} s of processor time"
        )
        assert grown < MEMORY, f"example {example} took {grown / 2**20:,.0f} MiB"

    return limits
