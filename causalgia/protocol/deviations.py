"""Deviations of a trial from its protocol: what differs, what was locked, what is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from causalgia.analysis import Analysis, exploratory_attrs
from causalgia.analysis_values import as_plain

NOTHING = "nothing"


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One difference between a result and the protocol.

    Attributes
    ----------
    where
        The result: ``"outcomes"``, ``"estimates"``, ``"decisions"``, ``"run"``, or a file.
    what
        What differs: ``"n_units"``, a field of the analysis such as ``"rope"``, ``"predictor"``, ``"arm 'GATA1'"``.
    there
        In the lock, as text.
    here
        In the result, as text.
    exploratory
        Whether the result can no longer count as planned. A contrast or a task that was left out leaves the others
        as planned, and is to be reported.
    """

    where: str
    what: str
    there: str
    here: str
    exploratory: bool = True

    def __str__(self) -> str:
        mark = "" if self.exploratory else " (the others stay as planned)"
        return f"{self.where}: {self.what}: locked {self.there}, here {self.here}{mark}"


def differences(there: Mapping[str, Any], here: Mapping[str, Any], where: str) -> list[Deviation]:
    """Return a deviation for each value that both name and that differs.

    Examples
    --------
    >>> print(*differences({"n_units": 100, "seed": 1}, {"n_units": 50}, "outcomes"))
    outcomes: n_units: locked 100, here 50
    """
    return [
        Deviation(where=where, what=name, there=as_text(there[name]), here=as_text(value))
        for name, value in here.items()
        if name in there and there[name] != value
    ]


def arm_differences(there: Mapping[str, str], here: Mapping[str, str], where: str) -> list[Deviation]:
    """Return a deviation for each arm that was added, left out, or is another intervention."""
    names = dict.fromkeys([*there, *here])
    return [
        Deviation(where=where, what=f"arm '{name}'", there=there.get(name, NOTHING), here=here.get(name, NOTHING))
        for name in names
        if there.get(name) != here.get(name)
    ]


def analysis_differences(there: Analysis, here: Analysis, where: str) -> list[Deviation]:
    """Return a deviation for each field in which two analyses differ; the order of contrasts is none."""
    asked = {name: getattr(here, name) for name in Analysis.__dataclass_fields__}
    names = exploratory_attrs({"analysis": there.to_json()}, **asked).get("exploratory", "")
    return [
        Deviation(where=where, what=name, there=_field(there, name), here=_field(here, name))
        for name in names.split(", ")
        if name
    ]


def name_differences(
    what: str, there: Sequence[str], here: Iterable[str], where: str, *, added_counts: bool = True
) -> list[Deviation]:
    """Return a deviation for each contrast or task that was added (exploratory) or left out (to be reported)."""
    found = list(here)
    known, kept = set(there), set(found)
    added = [name for name in found if name not in known] if added_counts else []
    left_out = [name for name in there if name not in kept]
    return [
        *(Deviation(where=where, what=f"{what} '{name}'", there=NOTHING, here="added") for name in added),
        *(
            Deviation(where=where, what=f"{what} '{name}'", there="planned", here="left out", exploratory=False)
            for name in left_out
        ),
    ]


def as_text(value: Any) -> str:
    """Return a value as text of one line; None as ``nothing``."""
    return NOTHING if value is None else " ".join(str(value).split())


def _field(analysis: Analysis, name: str) -> str:
    value = as_plain(name, getattr(analysis, name))
    return as_text(value)
