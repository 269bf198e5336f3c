"""Waiting for what other threads and processes do: for as long as it takes, for a busy
machine has no hurry.

What never comes is the business of `faulthandler_timeout` in pyproject.toml, which
prints where every thread stands.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def wait_for(ready: Callable[[], Any]) -> Any:
    """Return what a function gives as soon as that is true."""
    while not (found := ready()):
        time.sleep(0.01)
    return found
