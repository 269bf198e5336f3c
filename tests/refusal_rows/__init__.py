"""Guards that stay: tables of wrong values, one row a guard or two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A call that is refused, the class of the error, and the argument it names."""

    id: str
    call: Callable[[], Any]
    error: type[BaseException]
    argument: str = ""
