"""How many inputs a fuzz test makes, and the memory that each of them may take."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

MEMORY = 500 * 2**20
"""What an input may take beyond what the process had before."""


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
    memory.
    """

    @contextmanager
    def limits(example: object) -> Iterator[None]:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        yield
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 2**10
        assert grown < MEMORY, f"example {example} took {grown / 2**20:,.0f} MiB"

    return limits
