"""`verify`: deviations of a result from its protocol; `compare_runs`: of one run from
another, bit for bit.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from causalgia import store
from causalgia._analyze import estimate_effects, steps
from causalgia._run._run import open_store
from causalgia.analysis import Analysis, analysis_in_attrs, stored_analysis
from causalgia.analysis_values import as_plain
from causalgia.attributes import about
from causalgia.design import Design
from causalgia.errors import (
    CausalgiaError,
    CausalgiaWarning,
    DataError,
    StoreError,
    first_of,
)
from causalgia.inputs import parse_json
from causalgia.notes import unpack_text
from causalgia.protocol._protocol import Protocol, digests_of_run
from causalgia.protocol.lock_file import (
    RECOMPUTED,
    Deviation,
    analysis_differences,
    arm_differences,
    as_text,
    differences,
    name_differences,
)

_KIND_OF_FILE = {
    "outcomes.nc": "outcomes",
    "trial.zarr": "outcomes",
    "estimates.nc": "estimates",
    "decisions.nc": "decisions",
}
_SAID = {
    "control": "control",
    "target": "target",
    "weights": "weights",
    "ci_prob": "ci_prob",
    "transform": "scale",
}
_RELATIVE = 1e-9
"""Largest relative difference that another processor or library may give to estimates
of the same outcomes.
"""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Result of `verify`: the lock, what was compared with it, and every deviation.

    Attributes
    ----------
    protocol
        The locked protocol.
    compared
        The results: ``"outcomes"``, ``"estimates"``, ``"decisions"``.
    deviations
        What differs; empty if all is as locked.
    """

    protocol: Protocol
    compared: tuple[str, ...]
    deviations: tuple[Deviation, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no deviation."""
        return not self.deviations

    @property
    def exploratory(self) -> tuple[str, ...]:
        """What can no longer count as planned."""
        return tuple(
            dict.fromkeys(one.what for one in self.deviations if one.exploratory)
        )

    def __str__(self) -> str:
        lock = (
            f"protocol {str(self.protocol.sha256)[:16]}..., locked "
            f"{self.protocol.locked}"
        )
        what = ", ".join(self.compared)
        if self.ok:
            unseen = {"estimates", "decisions"}.issuperset(self.compared)
            return f"As locked: {what} ({lock})." + (f"\n{_UNSEEN}" if unseen else "")
        n = len(self.deviations)
        rows = [f"- {one}" for one in self.deviations[:_DEVIATIONS_SHOWN]]
        if n > len(rows):
            rows.append(
                f"- and {n - len(rows):,} more: cg.verify(...).deviations has all"
            )
        end = (
            f"Exploratory: {first_of(self.exploratory, _DEVIATIONS_SHOWN)}."
            if self.exploratory
            else "Nothing becomes exploratory."
        )
        return "\n".join(
            [f"{n} deviation{'s' if n > 1 else ''} in {what} ({lock}):", *rows, end]
        )

    __repr__ = __str__


_DEVIATIONS_SHOWN = 20


_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_NUMBERS = (
    "ace",
    "se",
    "df",
    "p",
    "q",
    "lfsr",
    "lower",
    "upper",
    "p_verdict",
    "shrunken",
    "shrunken_lower",
    "shrunken_upper",
)
_UNSEEN = (
    "The outcomes behind them were not given, and their values were not compared: "
    "verify these, or the folder, too."
)


def verify(
    path: str | os.PathLike[str] | Protocol,
    results: xr.Dataset | str | os.PathLike[str],
) -> Verification:
    """Compare results with a locked protocol and list every deviation.

    Use it before a claim is published, on the outcomes, on estimates and decisions, or
    on a whole folder of the command line: there the estimates and verdicts are also
    computed again from the outcomes, so that edited numbers are found.

    Parameters
    ----------
    path
        The lock, or a locked protocol.
    results
        Outcomes, effects, moments, estimates or decisions of the trial; or a folder
        that ``causalgia run`` wrote.

    Returns
    -------
    Verification
        ``deviations``, each with ``where``, ``what``, ``there`` (locked, or
        recomputed), ``here`` (found) and ``exploratory``; ``ok``; ``print`` gives a line for each.

    Raises
    ------
    StoreError
        If the lock cannot be read or is damaged, or the protocol is not locked.
    DataError
        If the results are none of a trial, or the folder holds none.

    Notes
    -----
    Compared are the design (units, arms, null model with the contents of its
    sequences), the predictor's fingerprint, the seed, the stopping rule, each field of
    the analysis, the contrasts and tasks that are reported, the order of time (locked
    before begun), and a digest of the outcomes. Versions and machines are not compared:
    ``causalgia reproduce`` is about them. Estimates and decisions alone do not show
    that the outcomes behind them are those of the run: verify the outcomes, too, or the
    folder, where numbers are computed again. Results that were not run under a lock
    deviate in ``protocol``, since nothing shows that the lock came first. Anyone who
    can write the files can forge them, times included; only a hash published beforehand
    is binding.

    Examples
    --------
    >>> import tempfile
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30),
    ...     arms={"untreated": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)},
    ...     n_units=200,
    ... )
    >>> share = cg.FunctionPredictor(
    ...     lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share of GC"
    ... )
    >>> ask = cg.Analysis(control="untreated", rope=(-0.01, 0.01))
    >>> path = tempfile.mkdtemp() + "/lock.toml"
    >>> outcomes = (
    ...     cg.Protocol(design, ask, predictor=share, rng=7)
    ...     .lock(path)
    ...     .run(design, share)
    ... )
    >>> cg.verify(path, outcomes).ok
    True
    >>> print(cg.verify(path, outcomes.isel(unit=slice(100))))  # doctest: +ELLIPSIS
    2 deviations in outcomes (protocol ...):
    - outcomes: n_units: locked 200, here 100
    - outcomes: values: locked ..., here ...
    Exploratory: n_units, values.
    """
    protocol = path if isinstance(path, Protocol) else Protocol.read(path)
    if protocol.locked is None:
        raise StoreError("this protocol is not locked")
    if isinstance(results, xr.Dataset):
        kind = _kind_of(results)
        return Verification(
            protocol=protocol,
            compared=(kind,),
            deviations=tuple(_of_dataset(protocol, results, kind)),
        )
    folder = Path(results)
    found: dict[str, xr.Dataset] = {}
    for name, kind in _KIND_OF_FILE.items():
        if not (folder / name).exists():
            continue
        found[kind] = (
            open_store(folder / name)
            if name == "trial.zarr"
            else store.load(folder / name, kind)  # type: ignore[arg-type]
        )
    if "outcomes" not in found:
        raise DataError(f"{folder} holds no outcomes of a trial")
    rows = [
        row
        for kind, dataset in found.items()
        for row in _of_dataset(protocol, dataset, kind)
    ]
    rows += _recomputed(found)
    return Verification(
        protocol=protocol, compared=tuple(found), deviations=tuple(rows)
    )


def _kind_of(results: xr.Dataset) -> str:
    if "verdict" in results:
        return "decisions"
    if "ace" in results:
        return "estimates"
    kinds = {"outcome": "outcomes", "ice": "effects", "ice_mean": "moments"}
    for name, kind in kinds.items():
        if name in results:
            return kind
    raise DataError(
        f"the Dataset has {', '.join(map(str, results.data_vars))}, and no outcomes, "
        "effects, estimates or decisions of a trial"
    )


def _of_dataset(
    protocol: Protocol, results: xr.Dataset, where: str
) -> Iterator[Deviation]:
    """Yield the deviations of one Dataset."""
    attrs = results.attrs
    yield from _time_differences(protocol, attrs, where)
    yield from _design_differences(protocol, results, where)
    here = {
        "predictor": about(attrs, None).predictor_fingerprint,
        "rng": _as_whole(about(attrs, None).rng),
        "until": about(attrs, None).until,
    }
    yield from differences(protocol.terms(), here, where)
    own = ("contrasts",) if _of_variants(results) else ()
    for one in _analysis_differences(protocol, attrs, where):
        if one.what not in own:
            yield one
    tasks = protocol.tasks
    if (
        protocol.analysis.tasks is not None and where != "outcomes"
    ):  # None where patterns leave them open
        planned = tuple(protocol.analysis.weights_by_task_contrast)
        tasks = planned if tasks is not None and set(planned) <= set(tasks) else None
    if tasks is not None and "task" in results.coords:
        yield from name_differences(
            "task", tasks, map(str, np.atleast_1d(results["task"].to_numpy())), where
        )
    if "contrast" in results.coords and not _of_variants(results):
        contrasts = map(str, np.atleast_1d(results["contrast"].to_numpy()))
        yield from name_differences("contrast", protocol.contrasts, contrasts, where)
    if where == "outcomes":
        yield from differences(
            {"scale": protocol.predictor_scale},
            {"scale": about(attrs, None).scale},
            where,
        )
    if (
        where in ("outcomes", "effects", "moments")
        and (digests := digests_of_run(results)) is not None
    ):
        recorded, now = digests
        yield from differences(
            {"values": recorded or "no digest of them is kept"}, {"values": now}, where
        )


def _of_variants(results: xr.Dataset) -> bool:
    """Return whether rows are variants, each a unit of the contrast that is locked."""
    return "contrast" in results.dims and "alternate" in results.coords


def _time_differences(
    protocol: Protocol, attrs: dict[Any, Any], where: str
) -> Iterator[Deviation]:
    """Yield deviations in the lock that a result names, and in the order of time."""
    named = about(attrs, None).protocol
    if named is None:
        here = "not run under a lock, so that nothing shows which came first"
        yield Deviation(
            where=where, what="protocol", there=str(protocol.sha256), here=here
        )
        return
    yield from differences(
        {"protocol": protocol.sha256}, {"protocol": str(named)}, where
    )
    started = about(attrs, "").protocol_started
    if not _TIME.fullmatch(started) or started < str(protocol.locked):
        here = f"begun {started or 'at no time on record'}"
        yield Deviation(
            where=where,
            what="order of time",
            there=f"locked {protocol.locked}",
            here=here,
        )


def _design_differences(
    protocol: Protocol, results: xr.Dataset, where: str
) -> Iterator[Deviation]:
    """Yield deviations in units, arms, null model and assignment; in the design as a
    whole where no other is found.
    """
    attrs, terms = results.attrs, protocol.terms()
    found: list[Deviation] = []
    if "unit" in results.dims:
        n = int(results.sizes["unit"])
        fewer_looks = protocol.until is not None and n <= protocol.n_units
        found += [] if fewer_looks else differences(terms, {"n_units": n}, where)
    elif about(attrs, None).design_fingerprint != protocol.design_fingerprint:
        plain = parse_json(
            unpack_text(results, "design") or "{}",
            DataError,
            source="the design kept with the outcomes",
        )
        names = ("n_units", "reserve")
        stored = (
            {name: plain[name] for name in names if name in plain}
            if isinstance(plain, dict)
            else {}
        )
        found += differences(terms, stored, where)
    elif (
        "n_units" in results
        and protocol.until is None
        and about(attrs, None).assignment == "crossover"
        and (n := int(results["n_units"].max())) < protocol.n_units
    ):
        found += differences(terms, {"n_units": n}, where)
    if not _of_variants(results):
        here_so = {"assignment": about(attrs, None).assignment}
        found += differences(terms, here_so, where)
    if about(attrs, None).null_fingerprint != protocol.null_fingerprint:
        here = f"{about(attrs, None).null} ({about(attrs, None).null_fingerprint})"
        found += differences(terms, {"null model": here}, where)
    if "do" in results.coords and results["do"].dims == ("arm",):
        here_arms = dict(
            zip(
                map(str, results["arm"].to_numpy()),
                map(str, results["do"].to_numpy()),
                strict=True,
            )
        )
        found += arm_differences(protocol.do_by_arm, here_arms, where)
    if (
        about(attrs, None).design_fingerprint != protocol.design_fingerprint
        and not found
    ):
        there, here = (
            protocol.design_fingerprint,
            as_text(about(attrs, None).design_fingerprint),
        )
        found.append(Deviation(where=where, what="design", there=there, here=here))
    yield from found
    if not found:
        yield from _stored_design(protocol, results, where)


def _stored_design(
    protocol: Protocol, results: xr.Dataset, where: str
) -> Iterator[Deviation]:
    """Yield a deviation if the design that is kept with a result is not the one of its
    fingerprint.

    A design whose sequences are in a file that is not here cannot be read; its numbers
    are compared all the same.
    """
    text = unpack_text(results, "design")
    if text is None:
        return
    plain = parse_json(text, DataError, source="the design kept with the outcomes")
    if not isinstance(plain, dict):
        yield Deviation(
            where=where,
            what="stored design",
            there=protocol.design_fingerprint,
            here="no table",
        )
        return
    here = {
        "n_units": plain.get("n_units"),
        "assignment": plain.get("assignment", "crossover"),
    }
    rows = differences(protocol.terms(), here, f"{where}, stored design")
    arms = plain.get("arms", {})
    names = list(arms) if isinstance(arms, dict) else []
    if tuple(names) != protocol.arms:
        there, now = ", ".join(protocol.arms), ", ".join(names)
        rows.append(
            Deviation(
                where=where, what="arms of the stored design", there=there, here=now
            )
        )
    if not rows:
        try:
            fingerprint = Design.from_dict(plain).fingerprint
        except CausalgiaError as error:
            if _is_of_absent_file(error):
                # its sequences are on another machine; the fingerprint of the whole was
                # compared
                return
            fingerprint = f"cannot be read ({error})"
        if fingerprint != protocol.design_fingerprint:
            there = protocol.design_fingerprint
            rows.append(
                Deviation(
                    where=where, what="stored design", there=there, here=fingerprint
                )
            )
    yield from rows


def _is_of_absent_file(error: BaseException | None) -> bool:
    """Return whether an error comes from a file that is not there."""
    while error is not None and not isinstance(error, FileNotFoundError):
        error = error.__cause__ or error.__context__
    return error is not None


def _analysis_differences(
    protocol: Protocol, attrs: dict[Any, Any], where: str
) -> Iterator[Deviation]:
    """Yield deviations in the analysis that a result was made with, or whose outcomes
    were to be.
    """
    plan = protocol.analysis
    here = analysis_in_attrs(attrs)
    found = [] if here == Analysis() else analysis_differences(plan, here, where)
    if here == Analysis():
        found.append(
            Deviation(
                where=where,
                what="analysis",
                there="planned",
                here="none is kept with the results",
            )
        )
    known = {one.what for one in found}
    # which were found where results are compared, if they are
    of_run = about(attrs, "").protocol_deviations
    marked = about(attrs, "").exploratory.removeprefix(of_run).split(", ")
    for name in (name for name in marked if name and name not in known):
        there = as_text(as_plain(name, getattr(plan, name, "as planned")))
        found.append(
            Deviation(
                where=where,
                what=name,
                there=there,
                here=as_text(attrs.get(name, "marked exploratory")),
            )
        )
        known.add(name)
    for attr, name in _SAID.items() if where != "outcomes" else ():
        planned = getattr(plan, name)
        if (
            attr in attrs
            and planned is not None
            and name not in known
            and attrs[attr] != planned
        ):
            found.append(
                Deviation(
                    where=where,
                    what=name,
                    there=as_text(planned),
                    here=as_text(attrs[attr]),
                )
            )
    yield from found


def _recomputed(found: dict[str, xr.Dataset]) -> Iterator[Deviation]:
    """Yield a deviation for estimates or verdicts that the outcomes in the same folder
    do not give.

    Each is computed by the analysis that it names, so that only edited numbers differ.
    """
    outcomes = found["outcomes"]
    if not {"outcome", "ice", "ice_mean"} & set(map(str, outcomes.data_vars)):
        return
    if any(_of_variants(results) for results in found.values()):
        return
    if "estimates" in found:
        yield from compared_values(
            found["estimates"], lambda a: estimate_effects(outcomes, a)[1], "estimates"
        )
    if "decisions" in found:
        region = analysis_in_attrs(found["decisions"].attrs).region
        if region is not None and region.kind == "matched":
            return
        yield from compared_values(
            found["decisions"],
            lambda a: steps(outcomes, a).decisions,
            "decisions",
        )


def _as_whole(text: object) -> object:
    """Return a seed as a number; anything else as it is."""
    return int(str(text)) if str(text).isdecimal() and len(str(text)) <= 78 else text


def compared_values(
    results: xr.Dataset, again: Callable[[Analysis], xr.Dataset], where: str
) -> Iterator[Deviation]:
    """Yield a deviation for each variable that differs where it is computed again from
    the outcomes.
    """
    plan = analysis_in_attrs(results.attrs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CausalgiaWarning)
            computed = again(plan)
    except CausalgiaError as error:
        yield Deviation(
            where=where,
            what="values",
            there=f"none ({error})",
            here="values",
            source=RECOMPUTED,
        )
        return
    for name in (*_NUMBERS, "verdict"):
        if (
            name not in results
            or name not in computed
            or results[name].dims != computed[name].dims
        ):
            continue
        found, expected = xr.align(results[name], computed[name], join="inner")
        one, other = found.to_numpy(), expected.to_numpy()
        differ = (
            one != other
            if name == "verdict"
            else ~np.isclose(one, other, _RELATIVE, 0, equal_nan=True)
        )
        if differ.any():
            at = tuple(int(axis[0]) for axis in np.nonzero(differ))
            place = ", ".join(
                str(found[dim].to_numpy()[k])
                for dim, k in zip(found.dims, at, strict=True)
            )
            yield Deviation(
                where=where,
                what=f"{name} of {first_of([place], 1, n=int(differ.sum()))}",
                there=str(other[at]),
                here=str(one[at]),
                source=RECOMPUTED,
            )


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
        The first thing that differs, with both values: of what the trial is made of, or
        of its coordinates; None if only numbers differ, or nothing.
    versions
        Versions that differ; of outcomes of `Protocol.run` and of the command line,
        also the number of threads.
    n_values, n_different
        Number of outcomes, and of those whose bits differ.
    largest, rounding
        Largest difference between two outcomes, and the rounding error of an answer
        that the trial measured; None where shapes differ or it was not measured.
    what
        What the values are, outcomes or effects of units.
    """

    identical: bool
    differs: str | None
    versions: tuple[str, ...]
    n_values: int
    n_different: int
    largest: float | None
    rounding: float | None
    what: str = "outcomes"

    def __str__(self) -> str:
        versions = (
            f" Of then and now: {'; '.join(self.versions)}." if self.versions else ""
        )
        if self.identical and self.differs is None:
            return (
                f"Reproduced: all {self.n_values:,} {self.what} have the same "
                f"bits.{versions}"
            )
        first = f"first difference: {self.differs}" if self.differs else self._numbers()
        if self.differs and self.largest is not None and self.n_different:
            first += f"; {self._numbers()}"
        if self.identical:
            return (
                f"The {self.n_values:,} {self.what} have the same bits; "
                f"{first}.{versions}"
            )
        return f"Not reproduced: {first}.{versions}"

    def _numbers(self) -> str:
        text = (
            f"{self.n_different:,} of {self.n_values:,} {self.what} differ, by at most "
            f"{self.largest:.3g}"
        )
        if self.rounding is None or self.largest is None:
            return text
        if self.largest > 2 * self.rounding:
            return (
                f"{text}, more than the rounding error of two answers "
                f"({2 * self.rounding:.3g}) explains: another device or precision, or "
                "values that were changed"
            )
        why = (
            ""
            if self.versions
            else ": other threads, another processor or library give such differences"
        )
        return (
            f"{text}, within the rounding error of two answers "
            f"({2 * self.rounding:.3g}){why}"
        )


_VALUES = {"outcome": "outcomes", "ice": "effects"}
"""Variables of a trial whose bits are compared, and what they are called."""


def compare_runs(first: xr.Dataset, second: xr.Dataset) -> Reproduction:
    """Compare outcomes with those of a second run: equal bit for bit, or the first
    difference.

    Parameters
    ----------
    first, second
        Outcomes of `causalgia.run`, with the same design.

    Raises
    ------
    DataError
        If one of them has no outcomes.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)}
    >>> design = cg.Design(null=cg.Uniform(length=30), arms=arms, n_units=20)
    >>> share = cg.FunctionPredictor(
    ...     lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share of GC"
    ... )
    >>> one, other = (cg.run(design, share, rng=seed) for seed in (0, 1))
    >>> print(compare_runs(one, one))
    Reproduced: all 40 outcomes have the same bits.
    >>> print(compare_runs(one, other))  # doctest: +ELLIPSIS
    Not reproduced: first difference: seed, 0 then and 1 now; ... outcomes differ, by at most ...
    """
    for outcomes in (first, second):
        if not _VALUES.keys() & set(outcomes):
            raise DataError(
                "bits of outcomes or effects are compared, and these results have none"
            )
    name, what = next(one for one in _VALUES.items() if one[0] in first)
    differs = _first_difference(first, second)
    versions = tuple(
        f"{name} {first.attrs.get(name, 'unknown')} then, "
        f"{second.attrs.get(name, 'unknown')} now"
        for name in (
            *_VERSIONS,
            *(name for name in _OF_MACHINES if name in first.attrs),
        )
        if first.attrs.get(name) != second.attrs.get(name)
    )
    one, other = (x[name].to_numpy() for x in (first, second))
    if one.shape != other.shape or one.dtype != other.dtype:
        differs = differs or (
            f"shape or type, {one.shape} {one.dtype} then and {other.shape} "
            f"{other.dtype} now"
        )
        return Reproduction(
            identical=False,
            differs=differs,
            versions=versions,
            n_values=one.size,
            n_different=one.size,
            largest=None,
            rounding=None,
            what=what,
        )
    bits = [np.ascontiguousarray(x).view(f"u{x.dtype.itemsize}") for x in (one, other)]
    n_different = int((bits[0] != bits[1]).sum())
    floor = (
        first["answer_floor"].sel(transform="identity")
        if "answer_floor" in first
        else None
    )
    return Reproduction(
        identical=not n_different,
        differs=differs,
        versions=versions,
        n_values=one.size,
        n_different=n_different,
        largest=float(
            np.abs(one.astype(np.float64) - other.astype(np.float64)).max(initial=0.0)
        ),
        rounding=None if floor is None else float(floor.max()),
        what=what,
    )


def _first_difference(first: xr.Dataset, second: xr.Dataset) -> str | None:
    for attr, what in _MADE_OF.items():
        then, now = first.attrs.get(attr), second.attrs.get(attr)
        if then == now:
            continue
        if attr == "analysis" and stored_analysis(first) == stored_analysis(second):
            continue  # "{}" and none at all are both a trial without a plan
        return f"{what}, {then} then and {now} now"
    for name in _COORDINATES:
        if (name in first.variables) != (name in second.variables):
            return f"coordinate {name}, which one run has and the other has not"
        if name in first.variables and not np.array_equal(
            first[name].to_numpy(), second[name].to_numpy()
        ):
            return f"coordinate {name}"
    return None
