"""Differences between a trial and its protocol, or between two runs of it, bit for bit."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from causalgia.analysis import Analysis, exploratory_attrs
from causalgia.analysis_values import as_plain
from causalgia.errors import OutcomesError

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
    fields = {name: getattr(here, name) for name in Analysis.__dataclass_fields__}
    names = exploratory_attrs({"analysis": there.to_json()}, **fields).get("exploratory", "")
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
    known, present = set(there), set(found)
    added = [name for name in found if name not in known] if added_counts else []
    left_out = [name for name in there if name not in present]
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


_MADE_OF = {  # in the order in which one explains the next
    "design_fingerprint": "design",
    "null_fingerprint": "null model",
    "assignment": "assignment",
    "rng": "seed",
    "predictor_fingerprint": "predictor (its weights, code or options)",
    "analysis": "analysis",
}
_VERSIONS = ("causalgia", "numpy", "python")
_OF_MACHINES = ("torch", "threads")
_COORDINATES = ("arm", "do", "task", "model", "unit", "parent", "assigned")


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """Result of `compare_runs`.

    Attributes
    ----------
    identical
        Whether every outcome has the same bits.
    differs
        The first thing that differs, with both values: of what the trial is made of, or of its coordinates; None if
        only numbers differ, or nothing.
    versions
        Versions that differ; of outcomes of `Protocol.run` and of the command line, also the number of threads.
    n_values, n_different
        Number of outcomes, and of those whose bits differ.
    largest, rounding
        Largest difference between two outcomes, and the rounding error of an answer that the trial measured; None
        where shapes differ or it was not measured.
    """

    identical: bool
    differs: str | None
    versions: tuple[str, ...]
    n_values: int
    n_different: int
    largest: float | None
    rounding: float | None

    def __str__(self) -> str:
        versions = f" Of then and now: {'; '.join(self.versions)}." if self.versions else ""
        if self.identical and self.differs is None:
            return f"Reproduced: all {self.n_values:,} outcomes have the same bits.{versions}"
        first = f"first difference: {self.differs}" if self.differs else self._numbers()
        if self.differs and self.largest is not None and self.n_different:
            first += f"; {self._numbers()}"
        if self.identical:
            return f"The {self.n_values:,} outcomes have the same bits; {first}.{versions}"
        return f"Not reproduced: {first}.{versions}"

    def _numbers(self) -> str:
        text = f"{self.n_different:,} of {self.n_values:,} outcomes differ, by at most {self.largest:.3g}"
        if self.rounding is None or self.largest is None:
            return text
        if self.largest > 2 * self.rounding:
            return (
                f"{text}, more than the rounding error of two answers ({2 * self.rounding:.3g}) explains: another "
                "device or precision, or values that were changed"
            )
        why = "" if self.versions else ": other threads, another processor or library give such differences"
        return f"{text}, within the rounding error of two answers ({2 * self.rounding:.3g}){why}"


def machine_attrs() -> dict[str, str]:
    """Return what may change the last bits of a prediction: number of threads, and the PyTorch that is loaded."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return {"threads": str(torch.get_num_threads()), "torch": str(torch.__version__)}
    return {"threads": os.environ.get("OMP_NUM_THREADS", "") or str(os.cpu_count())}


def compare_runs(first: xr.Dataset, second: xr.Dataset) -> Reproduction:
    """Compare outcomes with those of a second run: equal bit for bit, or the first difference.

    Parameters
    ----------
    first, second
        Outcomes of `causalgia.run`, with the same design.

    Raises
    ------
    OutcomesError
        If one of them has no outcomes.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)}
    >>> design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=20)
    >>> share = cg.FunctionPredictor(lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share of GC")
    >>> one, other = (cg.run(design, share, rng=seed) for seed in (0, 1))
    >>> print(compare_runs(one, one))
    Reproduced: all 40 outcomes have the same bits.
    >>> print(compare_runs(one, other))  # doctest: +ELLIPSIS
    Not reproduced: first difference: seed, 0 then and 1 now; ... outcomes differ, by at most ...
    """
    for outcomes in (first, second):
        if "outcome" not in outcomes:
            raise OutcomesError("bits of outcomes are compared, and these results have no variable 'outcome'")
    differs = _first_difference(first, second)
    versions = tuple(
        f"{name} {first.attrs.get(name, 'unknown')} then, {second.attrs.get(name, 'unknown')} now"
        for name in (*_VERSIONS, *(name for name in _OF_MACHINES if name in first.attrs))
        if first.attrs.get(name) != second.attrs.get(name)
    )
    one, other = (x["outcome"].to_numpy() for x in (first, second))
    if one.shape != other.shape or one.dtype != other.dtype:
        differs = differs or f"shape or type, {one.shape} {one.dtype} then and {other.shape} {other.dtype} now"
        return Reproduction(
            identical=False,
            differs=differs,
            versions=versions,
            n_values=one.size,
            n_different=one.size,
            largest=None,
            rounding=None,
        )
    bits = [np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}") for x in (one, other)]
    n_different = int((bits[0] != bits[1]).sum())
    floor = first["answer_floor"].sel(transform="identity") if "answer_floor" in first else None
    return Reproduction(
        identical=not n_different,
        differs=differs,
        versions=versions,
        n_values=one.size,
        n_different=n_different,
        largest=float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max(initial=0.0)),
        rounding=None if floor is None else float(floor.max()),
    )


def _first_difference(first: xr.Dataset, second: xr.Dataset) -> str | None:
    for attr, what in _MADE_OF.items():
        then, now = first.attrs.get(attr), second.attrs.get(attr)
        if then != now:
            return f"{what}, {then} then and {now} now"
    for name in _COORDINATES:
        if (name in first.variables) != (name in second.variables):
            return f"coordinate {name}, which one run has and the other has not"
        if name in first.variables and not np.array_equal(first[name].to_numpy(), second[name].to_numpy()):
            return f"coordinate {name}"
    return None
