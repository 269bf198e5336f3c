"""Pickling of work for workers, with its origin."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol
from uuid import uuid4

import causalgia
from causalgia.provenance import is_installed

_FILES = "causalgia_user_"
FACTORY = (
    "give a factory, which builds it once on each worker: cg.predict.PredictorFactory(build), where build() opens what "
    "it needs and returns the predictor"
)


class Work(Protocol):
    """Work that is sent to workers once and applied to each job: prepared by any thread, done by one at a time."""

    def prepare(self, *job: Any) -> Any:
        """Return the prepared input of a job."""

    def do(self, ready: Any) -> Any:
        """Return the result of a job."""


@dataclass(frozen=True)
class Origin:
    """Origin of the work that was sent: equal versions are needed for equal answers.

    Attributes
    ----------
    what
        Name of the work.
    run
        Unique id of the call.
    causalgia, python
        Versions on the sending side.
    """

    what: str
    run: str
    causalgia: str
    python: str

    @classmethod
    def of(cls, what: str) -> Origin:
        """Return the origin of work that is sent from here, now."""
        return cls(what, uuid4().hex, *library_versions())


def library_versions() -> tuple[str, str]:
    """Return the versions of causalgia and Python."""
    return causalgia.__version__, "{}.{}".format(*sys.version_info)


def can_pickle(value: object) -> bool:
    """Say whether a value can be pickled, within `shipping_user_code`."""
    try:
        cloudpickle_bytes(value)
    except Exception:
        return False
    return True


def unpicklable_attribute(part: object) -> str:
    """Return which attribute of a value cannot be pickled, as text."""
    for name, value in getattr(part, "__dict__", {}).items():
        if not can_pickle(value):
            return f"'s {name} (a {type(value).__name__})"
    return f" (a {type(part).__name__})"


def pickle_with_code(value: object) -> bytes:
    """Pickle a value, with code that a worker could not import."""
    with shipping_user_code():
        return cloudpickle_bytes(value)


def cloudpickle_bytes(value: object) -> bytes:
    """Pickle a value; code of the user's own files is included within `shipping_user_code`."""
    import cloudpickle  # type: ignore[import-untyped]  # it has no stubs

    return bytes(cloudpickle.dumps(value))


@contextmanager
def shipping_user_code() -> Iterator[None]:
    """Pickle code of files loaded by path, and of their neighbors, by value: workers cannot import it."""
    import cloudpickle

    registered = cloudpickle.list_registry_pickle_by_value()
    with ExitStack() as stack:
        for module in _own_files():
            if module.__name__ not in registered:
                cloudpickle.register_pickle_by_value(module)
                stack.callback(cloudpickle.unregister_pickle_by_value, module)
        yield


def _own_files() -> list[ModuleType]:
    """Return the modules in the folders of files that were loaded by their path, without installed ones."""
    loaded = [module for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
    folders = {Path(str(module.__file__)).parent for module in loaded if module.__name__.startswith(_FILES)}
    return [
        module
        for module in loaded
        if folders
        and module.__name__ != "__main__"
        and not is_installed(module.__name__)
        and not folders.isdisjoint(Path(str(module.__file__)).resolve().parents)
    ]
