"""What a worker is sent: a trial as bytes, and what is refused because it cannot become bytes."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import causalgia
from causalgia.errors import ClusterError, quoted
from causalgia.predict.predictor import first_line
from causalgia.predict.provenance import installed
from causalgia.trial.kept import Kept
from causalgia.trial.plan import Plan
from causalgia.trial.turns import Trial

_FILES = "causalgia_user_"
_FACTORY = (
    "give a factory, which builds it once on each worker: cg.PredictorFactory(build), where build() opens what it "
    "needs and returns the predictor"
)
_VALUES = "keep open files, locks and sessions out of it: give it values, or functions that make them"


@dataclass(frozen=True)
class Origin:
    """What was sent and from where: answers are the same numbers only from the same library.

    Attributes
    ----------
    run
        Another for each run.
    causalgia, python
        Versions on the sending side.
    """

    run: str
    causalgia: str
    python: str


@dataclass(frozen=True)
class Sent:
    """What is loaded on a worker: the trial, its cut, and what is kept of the outcomes."""

    trial: Trial
    plan: Plan
    kept: Kept
    settled: list[dict[str, Any]]

    def __post_init__(self) -> None:
        """Take what was settled on where it was sent: the last bits of an answer depend on it."""
        if self.trial.settled != self.settled:
            self.trial.settle(self.settled)

    def __reduce__(self) -> tuple[Any, ...]:
        return Sent, (self.trial, self.plan, self.kept, self.settled)


def packed(trial: Trial, plan: Plan, kept: Kept) -> tuple[bytes, Origin]:
    """Return a trial as bytes, and where they are from.

    Raises
    ------
    ClusterError
        If a part of it cannot become bytes; names the part, and says how to give a factory.
    """
    sent = Sent(trial, plan, kept, trial.settled)
    try:
        data = dumped(sent)
    except Exception as error:
        require_sendable(trial)
        raise ClusterError(f"what is kept of the outcomes cannot be sent to workers ({first_line(error)})") from error
    return data, Origin(uuid4().hex, *here())


def here() -> tuple[str, str]:
    """Return the versions of causalgia and Python."""
    return causalgia.__version__, "{}.{}".format(*sys.version_info)


def require_sendable(trial: Trial) -> None:
    """Refuse a trial that cannot be sent to workers; nothing is predicted.

    Raises
    ------
    ClusterError
        Naming what cannot become bytes, with the cure.
    """
    try:
        dumped(trial)
    except Exception as error:
        raise _refused(trial, error) from error


def _refused(trial: Trial, error: Exception) -> ClusterError:
    """Return what is raised, the part of the trial in it that cannot become bytes."""
    with _by_value():
        return _named(trial, error)


def _named(trial: Trial, error: Exception) -> ClusterError:
    design = trial.design
    if not _sendable(trial.predictor):
        parts = zip(trial.predictor.models or (), trial.predictor.parts, strict=False)
        named = [(f"model {quoted(name)}", part) for name, part in parts] or [("the predictor", trial.predictor)]
        return _unsendable(named, _FACTORY, error)
    arms = [(f"arm '{arm.name}'", arm.intervention) for arm in design.named_arms]
    return _unsendable([("the null model", design.null), *arms, ("the design", design)], _VALUES, error)


def _unsendable(named: Sequence[tuple[str, object]], cure: str, error: Exception) -> ClusterError:
    name, part = next((one for one in named if not _sendable(one[1])), named[-1])
    return ClusterError(f"{name}{_culprit(part)} cannot be sent to workers ({first_line(error)}); {cure}")


def _sendable(value: object) -> bool:
    """Say whether a value becomes bytes; the code that goes along was said before (`_by_value`)."""
    try:
        _bytes(value)
    except Exception:
        return False
    return True


def _culprit(part: object) -> str:
    """Return which attribute it is that cannot become bytes, in words."""
    for name, value in getattr(part, "__dict__", {}).items():
        if not _sendable(value):
            return f"'s {name} (a {type(value).__name__})"
    return f" (a {type(part).__name__})"


def dumped(value: object) -> bytes:
    """Return anything as bytes; code that a worker could not import goes along."""
    with _by_value():
        return _bytes(value)


def _bytes(value: object) -> bytes:
    import cloudpickle  # type: ignore[import-untyped]  # it has no stubs

    return bytes(cloudpickle.dumps(value))


@contextmanager
def _by_value() -> Iterator[None]:
    """Send the code of files that were loaded by their path, and of their neighbours: no worker knows their names."""
    import cloudpickle

    registered = cloudpickle.list_registry_pickle_by_value()
    with ExitStack() as stack:
        for module in _own_files():
            if module.__name__ not in registered:
                cloudpickle.register_pickle_by_value(module)
                stack.callback(cloudpickle.unregister_pickle_by_value, module)
        yield


def _own_files() -> list[ModuleType]:
    """Return the modules in the folders of files that were loaded by their path, installed ones left out."""
    loaded = [module for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
    folders = {Path(str(module.__file__)).parent for module in loaded if module.__name__.startswith(_FILES)}
    return [module for module in loaded if folders and _is_own(module, folders)]


def _is_own(module: ModuleType, folders: set[Path]) -> bool:
    if module.__name__ == "__main__" or installed(module.__name__):
        return False
    return not folders.isdisjoint(Path(str(module.__file__)).resolve().parents)
