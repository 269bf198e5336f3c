"""Whose turn it is: a network answers one thread at a time. Imported on demand: this module needs torch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import torch

_LOCKS: WeakKeyDictionary[torch.nn.Module, threading.RLock] = WeakKeyDictionary()
_REGISTERING = threading.Lock()


def lock_of(module: torch.nn.Module) -> threading.RLock:
    """Return the re-entrant lock of a network; networks that share a part share the lock."""
    with _REGISTERING:
        if module in _LOCKS:
            return _LOCKS[module]
        parts = list(module.modules())
        lock = next((_LOCKS[part] for part in parts if part in _LOCKS), None) or threading.RLock()
        for part in parts:
            _LOCKS[part] = lock
        return lock


@contextmanager
def in_eval_mode(module: torch.nn.Module) -> Iterator[None]:
    """Hold a network in eval mode, out of reach of other threads, and put its training flags back afterwards.

    Training flags are the module's, not the thread's: were they put back while another thread is in the forward
    pass, that pass would go on in training mode and answer wrong numbers.
    """
    with lock_of(module):
        in_training = [part for part in module.modules() if part.training]
        if in_training:
            module.eval()
        try:
            yield
        finally:
            for part in in_training:
                part.training = True
