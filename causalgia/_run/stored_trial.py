"""A stored trial as the lazy Dataset that `run` returned."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from causalgia._run import kept_effects
from causalgia.errors import StoreError
from causalgia.inputs import parse_json, read_text
from causalgia.schema import annotate
from causalgia.trial.archive import open_archive, place_of
from causalgia.trial.archive.files import replace
from causalgia.trial.archive.journal import read_state, state_of_trial
from causalgia.trial.archive.layout import control

_LARGEST_MARKS, _MACHINE = 1_000_000, ("threads", "torch")


def open_store(path: str | os.PathLike[str]) -> xr.Dataset:
    """Open a finished trial on disk: the result of ``cg.run(..., store=path)``.

    Variables with a value for each unit are lazy (dask), a chunk for each file; every verb accepts them and returns the
    same results as in memory, bit for bit.

    Parameters
    ----------
    path
        The folder that was given as ``store=``.

    Returns
    -------
    Dataset
        Outcomes, effects or moments, as given by ``keep=``.

    Raises
    ------
    StoreError
        If there is no trial at the path, it is not finished (says how far it is), is of another version, or damaged.

    Examples
    --------
    >>> import tempfile
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GCATG": cg.Embed("GCATG", at=12)}
    >>> design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=50, contrasts="untreated")
    >>> path = tempfile.mkdtemp() + "/trial.zarr"
    >>> effects = cg.run(design, cg.zoo.oracle("rbfox1_like"), rng=0, store=path, keep="effects")
    >>> open_store(path).identical(effects)
    True
    """
    place = place_of(path)
    raw = annotate(open_archive(place)).assign_attrs(protocol_marks(place) or {})
    if "outcome" in raw:
        return raw
    found, _ = read_state(control(place))
    state: dict[str, NDArray[Any]] = {} if found is None else found[1]
    from causalgia._run import running_moments

    with state_of_trial(place):
        if "ice" in raw and kept_effects.has_summary(state, n_units=raw.sizes["unit"]):
            return kept_effects.with_summary(raw, state)
        if "ice" not in raw and running_moments.has_moments(state):
            return running_moments.moments_dataset(raw, state)
    raise StoreError(f"{place}: not finished; the same cg.run(..., store=) resumes it")


def protocol_marks(path: Path) -> dict[str, Any] | None:
    """Return what marks a trial on disk as run under a lock, kept in a file beside it; None of another trial.

    Raises
    ------
    StoreError
        If the file cannot be read.
    """
    beside = _marks_file(path)
    if not beside.exists():
        return None
    text = read_text(beside, StoreError, most=_LARGEST_MARKS)
    marks: dict[str, Any] = parse_json(text, StoreError, source=str(beside))
    known = isinstance(marks, dict) and all(name.startswith("protocol") or name in _MACHINE for name in marks)
    if not known or not all(isinstance(value, str | int) for value in marks.values()):
        raise StoreError(f"{beside}: no marks of a protocol; restore it from a copy")
    return marks


def write_protocol_marks(path: Path, marks: Mapping[str, Any]) -> None:
    """Keep the marks of a trial that is run under a lock in a file beside it.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    beside = _marks_file(path)
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        replace(beside, (json.dumps(dict(marks), indent=1) + "\n").encode())
    except OSError as error:
        raise StoreError(f"{beside}: cannot be written ({error}); choose another place") from error


def _marks_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.protocol.json")
