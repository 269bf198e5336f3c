"""The protocol of a trial: design, analysis, predictor and seed, fixed and locked
before the trial is run.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
import sys
import warnings
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import causalgia
from causalgia._run import run
from causalgia._run._run import protocol_marks, write_protocol_marks
from causalgia._run.request import Keep
from causalgia.analysis import Analysis
from causalgia.analysis_values import as_plain
from causalgia.attributes import about
from causalgia.checks import is_whole
from causalgia.choices import Rows
from causalgia.design import Design
from causalgia.design.design import check_design
from causalgia.effects.contrast_weights import arm_name, requested_weights
from causalgia.effects.scales import effect_attrs, measured_on
from causalgia.errors import (
    CausalgiaError,
    DesignError,
    ExploratoryWarning,
    PredictorError,
    StoreError,
    caller_stacklevel,
    comma_list,
    quoted,
)
from causalgia.notes import ReportText
from causalgia.predict import Predictor
from causalgia.protocol.lock_file import (
    FORMAT,
    Deviation,
    analysis_differences,
    arm_differences,
    differences,
    machine_attrs,
    read_lock,
    write_lock,
)
from causalgia.stopping import Decided
from causalgia.stopping.stopping_rules import STORED_NAMES
from causalgia.trial.archive import Archive, place_of
from causalgia.trial.attributes import arm_coordinates, check_analysis, known_tasks
from causalgia.types import Client

_UNITS_AT_ONCE = 65_536
_ARGUMENTS = {stored: name for name, stored in STORED_NAMES.items()}


@dataclass(frozen=True, init=False, repr=False)
class Protocol:
    """Pre-registration of a trial: design, analysis and predictor, fixed before any
    outcome is seen.

    Make it from a design, an analysis and a predictor, `lock` it into a file and `run`
    it; `causalgia.verify` lists the deviations of a result. A protocol holds
    fingerprints instead of sequences, so it can be read and compared on any machine.
    Two protocols are equal if they fix the same trial, whether they are locked or not.

    Parameters
    ----------
    design
        The design, or an experiment of the catalogue.
    analysis
        The analysis; None for that of the experiment. It needs contrasts (its own or
        the design's) and, for verdicts, a region of practical equivalence.
    predictor
        The predictor, or its fingerprint.
    rng
        Seed, a whole number. From 0 to below 2^63; None: derived from everything else
        that is fixed, so that nobody chose it.
    until
        Stopping rule of `causalgia.run`: `causalgia.Decided`.

    Attributes
    ----------
    n_units, assignment, reserve, null, arms, do
        Of the design: number of units, who receives what, share of parents that is kept
        back, the null model in words, and the arms by name and in do-notation.
    design_fingerprint, null_fingerprint
        Digests of the whole design and of its null model with the contents of its
        sequences.
    estimand, contrasts
        The estimand in words, and the names of the contrasts.
    analysis
        The analysis, with the contrasts of the design.
    predictor_fingerprint, predictor_parts, tasks, predictor_scale
        Of the predictor: digest, digests of its parts (code, weights), and names and
        scale of its outputs, if known.
    rng, until
        Seed, and stopping rule as text.
    sha256, locked, trial
        Of a lock: its hash, the time in UTC at which it was locked, and the trial file
        in it; None without a lock.

    Raises
    ------
    DesignError
        If the design is none, the analysis is missing, asks for nothing or does not fit
        the design, or `until` is not a stopping rule of the library.
    PredictorError
        If the predictor is neither a predictor nor a fingerprint.
    TypeError
        If the seed is no whole number from 0 to below 2^63.

    References
    ----------
    Nosek BA, Ebersole CR, DeHaven AC, Mellor DT (2018). The preregistration revolution.
    PNAS 115:2600-2606. doi:10.1073/pnas.1708274114

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
    >>> protocol = cg.Protocol(design, ask, predictor=share, rng=7).lock(
    ...     tempfile.mkdtemp() + "/lock.toml"
    ... )
    >>> outcomes = protocol.run(design, share)
    >>> cg.analyze(outcomes)["verdict"].item()
    'increases'
    """

    n_units: int
    assignment: str
    reserve: float
    null: str
    arms: tuple[str, ...]
    do: tuple[str, ...]
    design_fingerprint: str
    null_fingerprint: str
    estimand: str
    contrasts: tuple[str, ...]
    analysis: Analysis
    predictor_fingerprint: str
    rng: int
    until: str | None
    predictor_parts: tuple[tuple[str, str], ...] = field(compare=False)
    tasks: tuple[str, ...] | None = field(compare=False)
    predictor_scale: str | None = field(compare=False)
    sha256: str | None = field(compare=False)
    locked: str | None = field(compare=False)
    trial: str | None = field(compare=False)

    def __init__(
        self,
        design: Design,
        analysis: Analysis | None = None,
        *,
        predictor: Predictor | str,
        rng: int | None = None,
        until: Decided | None = None,
    ) -> None:
        check_design(design, predictor, "Protocol(design, analysis, predictor=)")
        planned = design.planned() if analysis is None else analysis
        if planned is None:
            raise DesignError("analysis=None: a protocol takes a cg.Analysis")
        requested = planned.asking(design.analysis_fields)
        if not requested.asks:
            raise DesignError(
                "the analysis of a protocol asks for no contrasts: control=, "
                "contrasts= and interaction= are None"
            )
        facts = _predictor_facts(predictor)
        check_analysis(requested, design, facts["tasks"])
        coords = xr.Dataset(coords=arm_coordinates(design.named_arms))
        weights, control = _weights(requested, design, coords)
        on = facts["predictor_scale"] or measured_on(coords)
        words = effect_attrs(
            on,
            weights,
            requested.scale,
            design.assignment,
            control,
            requested.interaction,
        )
        fixed: dict[str, Any] = {
            "n_units": design.n_units,
            "assignment": design.assignment,
            "reserve": design.reserve,
            "null": design.drawn.describe(),
            "arms": tuple(design.arm_names),
            "do": tuple(str(arm.intervention) for arm in design.named_arms),
            "design_fingerprint": design.fingerprint,
            "null_fingerprint": design.null.fingerprint,
            "estimand": f"{words['estimand']}, on {words['contrast_scale']}",
            "contrasts": tuple(weights),
            "until": _as_rule_text(until),
        }
        seed = _as_seed(
            rng,
            (
                design.fingerprint,
                requested.fingerprint,
                facts["predictor_fingerprint"],
                fixed["until"],
            ),
        )
        self._set(
            **fixed,
            **facts,
            analysis=requested,
            rng=seed,
            sha256=None,
            locked=None,
            trial=None,
        )

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def lock(
        self, path: str | os.PathLike[str], *, trial: str | None = None
    ) -> Protocol:
        """Write the protocol into a new file with its SHA-256 and the time in UTC, and
        return it locked.

        The hash in the first line is that of the lines below it, so that
        ``tail -n +2 lock.toml | sha256sum`` computes it anywhere. It protects against
        changes by accident, and against changes on purpose if the hash itself is
        published where its time is not in doubt: a registry, a paper's preprint, a
        commit that was pushed.

        Parameters
        ----------
        path
            A file that does not exist yet.
        trial
            A trial file as text, to be kept in the lock and not compared;
            `causalgia lock` gives its own.

        Raises
        ------
        StoreError
            If the file exists or cannot be written.
        """
        locked = utc_now()
        sha256 = write_lock(path, self._content(locked, trial))
        made = object.__new__(Protocol)
        made._set(**{**vars(self), "sha256": sha256, "locked": locked, "trial": trial})
        return made

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Protocol:
        """Return the protocol in a lock, after checking its hash.

        Raises
        ------
        StoreError
            If there is no such file, it is not a lock, or it is damaged; names the
            values that are not those locked.
        """
        content, sha256 = read_lock(path)
        design, predictor = content["design"], content["predictor"]
        try:
            analysis = Analysis.from_dict(content["analysis"])
            if not analysis.asks:
                raise DesignError("[analysis] asks for no contrasts")
            _rule_of_text(design.get("until"))
        except CausalgiaError as error:
            raise StoreError(f"{path}: {error}") from error
        made = object.__new__(cls)
        made._set(
            n_units=design["n_units"],
            assignment=design["assignment"],
            reserve=float(design["reserve"]),
            null=design["null"],
            arms=tuple(design["arms"]),
            do=tuple(design["do"]),
            design_fingerprint=design["fingerprint"],
            null_fingerprint=design["null_fingerprint"],
            estimand=content["question"]["estimand"],
            contrasts=tuple(content["question"]["contrasts"]),
            analysis=analysis,
            predictor_fingerprint=predictor["fingerprint"],
            predictor_parts=tuple(
                (str(k), str(v)) for k, v in predictor.get("parts", {}).items()
            ),
            tasks=tuple(predictor["tasks"]) if "tasks" in predictor else None,
            predictor_scale=predictor.get("scale"),
            rng=design["rng"],
            until=design.get("until"),
            sha256=sha256,
            locked=content["protocol"]["locked"],
            trial=content.get("trial", {}).get("toml"),
        )
        return made

    def run(
        self,
        design: Design,
        predictor: Predictor,
        *,
        rng: int | None = None,
        store: str | os.PathLike[str] | None = None,
        same_answers: bool = False,
        keep: Keep = "outcomes",
        client: Client | None = None,
        progress: bool = True,
    ) -> xr.Dataset:
        """Run the locked trial: its seed, analysis and stopping rule, and outcomes that
        name the lock.

        Parameters
        ----------
        design, predictor
            Those that were locked: a lock has fingerprints and no sequences or weights.
        rng
            Seed, a whole number. Another than the locked one is a deviation.
        store, same_answers, keep, client, progress
            As in `causalgia.run`. The marks of the lock are kept beside the store, in
            ``{store}.protocol.json``; the same call resumes the trial, whose time is
            that at which it was begun.

        Returns
        -------
        Dataset
            Outcomes as of `causalgia.run`, or what `keep` names, with
            ``attrs["protocol"]`` (the hash of the lock), ``protocol_locked``,
            ``protocol_started`` (times in UTC), ``protocol_values`` (digest of the
            outcomes; ``protocol_kept`` of effects or moments), ``threads``, ``torch``;
            and ``protocol_deviations``, which every later result has among
            ``attrs["exploratory"]``.

        Raises
        ------
        StoreError
            If the protocol is not locked yet, its lock is of a later time than this
            clock has, or the store holds a trial that was begun without this lock.
        DesignError
            As `causalgia.run`; for example, if the design lacks an arm of the locked
            analysis.

        Warns
        -----
        ExploratoryWarning
            If design, predictor or seed are not those that were locked; names what
            differs.
        """
        if self.locked is None:
            raise StoreError("this protocol is not locked")
        started = utc_now()
        if started < self.locked:
            raise StoreError(
                f"the protocol was locked at {self.locked}, and it is {started} by "
                "this clock"
            )
        seed = self.rng if rng is None else rng
        here = Protocol(
            design,
            self.analysis,
            predictor=predictor,
            rng=seed,
            until=self.stopping_rule(),
        )
        found = self.differences(here)
        marks: dict[str, Any] = {
            "protocol": str(self.sha256),
            "protocol_locked": self.locked,
        }
        marks |= {"protocol_started": started, **machine_attrs()}
        if found:
            marks["protocol_deviations"] = ", ".join(one.what for one in found)
        begun = None if store is None else self._begun(place_of(store))
        if begun is not None:
            marks["protocol_started"] = begun["protocol_started"]
            names = [
                *str(begun.get("protocol_deviations", "")).split(", "),
                *(one.what for one in found),
            ]
            if any(names):
                marks["protocol_deviations"] = ", ".join(
                    dict.fromkeys(filter(None, names))
                )
        elif store is not None:
            write_protocol_marks(place_of(store), marks)
        outcomes = run(
            design,
            predictor,
            rng=seed,
            analysis=self.analysis,
            until=self.stopping_rule(),
            store=store,
            same_answers=same_answers,
            keep=keep,
            client=client,
            progress=progress,
        )
        marks["protocol_values" if keep == "outcomes" else "protocol_kept"] = (
            digest_of_values(outcomes)
        )
        if store is not None:
            write_protocol_marks(place_of(store), marks)
        if found:
            warnings.warn(
                ExploratoryWarning(
                    "deviations from the protocol, whose results are exploratory: "
                    f"{'; '.join(map(str, found))}"
                ),
                stacklevel=caller_stacklevel(),
            )
        return outcomes.assign_attrs(marks)

    def _begun(self, place: Path) -> dict[str, Any] | None:
        """Return the marks of a trial on disk that is resumed; None if there is none
        yet.

        Raises
        ------
        StoreError
            If it was begun without this lock.
        """
        if not Archive.exists(place):
            return None
        there = protocol_marks(place)
        if there is None or there.get("protocol") != self.sha256:
            raise StoreError(f"{place} holds a trial that was begun without this lock")
        return there

    def differences(self, other: Protocol, where: str = "run") -> list[Deviation]:
        """Return what another protocol fixes otherwise, beginning with what is easiest
        to understand.
        """
        terms = differences(self.terms(), other.terms(), where)
        arms = arm_differences(self.do_by_arm, other.do_by_arm, where)
        analysis = analysis_differences(self.analysis, other.analysis, where)
        found = [*terms, *arms, *analysis]
        of_design = {"n_units", "assignment", "reserve", "null model"}
        known = bool(arms) or any(one.what in of_design for one in terms)
        if self.design_fingerprint != other.design_fingerprint and not known:
            texts = self.design_fingerprint, other.design_fingerprint
            found.append(
                Deviation(where=where, what="design", there=texts[0], here=texts[1])
            )
        there, here = dict(self.predictor_parts), dict(other.predictor_parts)
        # such as its weights
        parts = [name for name in there if name in here and there[name] != here[name]]
        named = f"predictor ({' and '.join(parts)})"
        return [
            replace(one, what=named) if one.what == "predictor" and parts else one
            for one in found
        ]

    @property
    def do_by_arm(self) -> dict[str, str]:
        """The arms in do-notation."""
        return dict(zip(self.arms, self.do, strict=True))

    def terms(self) -> dict[str, Any]:
        """Return what is compared with a result by name, apart from arms and
        analysis.
        """
        return {
            "n_units": self.n_units,
            "assignment": self.assignment,
            "reserve": self.reserve,
            "null model": f"{self.null} ({self.null_fingerprint})",
            "predictor": self.predictor_fingerprint,
            "rng": self.rng,
            "until": self.until,
        }

    def stopping_rule(self) -> Decided | None:
        """Return the stopping rule as a value, for `causalgia.run`; None if there is
        none.
        """
        return _rule_of_text(self.until)

    def _content(self, locked: str, trial: str | None) -> dict[str, Any]:
        """Return the tables of the lock."""
        design = {
            "fingerprint": self.design_fingerprint,
            "null": self.null,
            "null_fingerprint": self.null_fingerprint,
            "n_units": self.n_units,
            "assignment": self.assignment,
            "reserve": self.reserve,
            "arms": list(self.arms),
            "do": list(self.do),
            "rng": self.rng,
            **({} if self.until is None else {"until": self.until}),
        }
        predictor: dict[str, Any] = {
            "fingerprint": self.predictor_fingerprint,
            "parts": dict(self.predictor_parts),
        }
        if self.tasks is not None:
            predictor["tasks"] = list(self.tasks)
        if self.predictor_scale is not None:
            predictor["scale"] = self.predictor_scale
        analysis = {
            name: as_plain(name, getattr(self.analysis, name))
            for name in Analysis.__dataclass_fields__
        }
        torch = sys.modules.get("torch")
        made_with = {
            "causalgia": causalgia.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        }
        return {
            "protocol": {"format": FORMAT, "locked": locked},
            "design": design,
            "question": {"estimand": self.estimand, "contrasts": list(self.contrasts)},
            "analysis": {
                name: value for name, value in analysis.items() if value is not None
            },
            "predictor": predictor,
            "made_with": made_with
            if torch is None
            else {**made_with, "torch": str(torch.__version__)},
            **({} if trial is None else {"trial": {"toml": trial}}),
        }

    def __str__(self) -> str:
        return self.report()

    def report(self, *, rows: Rows = "summary", notes: bool = False) -> ReportText:
        """Return what will be run as text: the comparison, the units and the number of
        predictions; the arms; the verdicts, the seed and the predictor.

        Parameters
        ----------
        rows
            ``"all"``: more than 20 arms, too.
        notes
            Whether to print also the fingerprints.
        """
        from causalgia.tell.answers import every_row
        from causalgia.tell.plan_answers import protocol_parts

        parts = protocol_parts(
            self, every_row=every_row(rows), requested=["notes"] if notes else []
        )
        return ReportText(parts.text(), parts.html())

    def _repr_html_(self) -> str:
        """Return what will be run, for notebooks."""
        return self.report()._repr_html_()

    def __repr__(self) -> str:
        lock = (
            "not locked"
            if self.sha256 is None
            else f"locked {self.locked}, SHA-256 {self.sha256[:16]}..."
        )
        plan, shown_contrasts = self.analysis, comma_list(self.contrasts[:6])
        more = f", ... ({len(self.contrasts):,})" if len(self.contrasts) > 6 else ""
        until = "" if self.until is None else f" at most, until {self.stopping_rule()}"
        return "\n".join(
            [
                f"Protocol ({lock})",
                f"  estimand   {self.estimand}",
                f"  null model {self.null}",
                f"  units      {self.n_units:,}{until}, {self.assignment}, "
                f"{len(self.arms):,} arms, seed {self.rng}",
                f"  contrasts  {shown_contrasts}{more}",
                f"  rope       {plan.region and plan.region.argument}; error rate {plan.error}, intervals of "
                f"{plan.ci_prob:.4g}",
                f"  predictor  {self.predictor_fingerprint}",
            ]
        )


def digest_of_values(outcomes: xr.Dataset) -> str:
    """Return a digest of the outcomes and of who was assigned what, whatever the order
    of bytes of the machine.

    Of effects or moments it is that of all their variables. Names of arms, contrasts
    and tasks belong to it: labels that change places turn the sign of an effect.
    """
    found = hashlib.sha256()
    names = [name for name in ("outcome", "assigned") if name in outcomes]
    if "outcome" not in outcomes:
        names = sorted(
            str(name)
            for name, of in outcomes.data_vars.items()
            if of.dtype.kind in "iufb"
        )
    for name in names:
        of = outcomes[name]
        for dim in (
            dim
            for dim in ("arm", "contrast", "task")
            if dim in of.dims and dim in outcomes.coords
        ):
            found.update(
                f"{dim} {[str(label) for label in outcomes[dim].to_numpy()]}".encode()
            )
        if of.dtype.kind not in "iufb":
            of = of.copy(data=np.asarray(of.to_numpy(), dtype="U"))
        little = of.dtype.newbyteorder("<")
        found.update(f"{name} {of.dims} {of.shape} {little.str}".encode())
        for start in range(
            0, len(of), _UNITS_AT_ONCE
        ):  # a trial on disk need not fit into memory
            found.update(
                of[start : start + _UNITS_AT_ONCE].to_numpy().astype(little).tobytes()
            )
    return found.hexdigest()


def digests_of_run(results: xr.Dataset) -> tuple[str | None, str] | None:
    """Return the digest that a locked run recorded of its outcomes, effects or moments,
    and that of the values now.

    None for results that no lock covers, and for effects or moments of a run that
    recorded none.
    """
    of_outcomes = "outcome" in results
    recorded = results.attrs.get("protocol_values" if of_outcomes else "protocol_kept")
    if not about(results, None).protocol or (recorded is None and not of_outcomes):
        return None
    return recorded, digest_of_values(results)


def utc_now() -> str:
    """Return the time in UTC to the second, such as ``2026-11-22T20:50:00Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _predictor_facts(predictor: Predictor | str) -> dict[str, Any]:
    """Return the fields of a protocol that are about the predictor."""
    if isinstance(predictor, str):
        if not (predictor.removesuffix("~").isalnum() and predictor.isascii()):
            raise PredictorError(f"predictor={quoted(predictor)} is not a fingerprint")
        unknown: dict[str, Any] = {
            "predictor_parts": (),
            "tasks": None,
            "predictor_scale": None,
        }
        return {"predictor_fingerprint": predictor, **unknown}
    return {
        "predictor_fingerprint": predictor.fingerprint,
        "predictor_parts": tuple(predictor.fingerprint_parts.items()),
        "tasks": known_tasks(predictor),
        "predictor_scale": predictor.scale,
    }


def _weights(
    requested: Analysis, design: Design, coords: xr.Dataset
) -> tuple[dict[str, dict[str, float]], Any]:
    """Return the weights by contrast, and the control arm."""
    names = design.arm_names
    control = None if requested.control is None else arm_name(requested.control, names)
    rows = None if control is not None else requested.weights_by_contrast or None
    over = list(requested.interaction) if requested.interaction else None
    return requested_weights(coords, names, control, rows, over), control


def _as_seed(rng: object, fixed: tuple[Any, ...]) -> int:
    if rng is None:
        return int(hashlib.sha256(json.dumps(fixed).encode()).hexdigest()[:8], 16)
    if not is_whole(rng) or not 0 <= rng < 2**63:
        raise TypeError(
            f"rng={quoted(rng)} must be a whole number from 0 to below 2^63"
        )
    return int(rng)


def _as_rule_text(until: object) -> str | None:
    if until is None:
        return None
    if not isinstance(until, Decided):
        raise DesignError(
            f"until={quoted(until)} is not a cg.Decided",
            argument="until",
        )
    text = until.stored_text()
    _rule_of_text(text)
    return text


def _rule_of_text(text: str | None) -> Decided | None:
    """Return the stopping rule of a stored text, reading literals alone."""
    if text is None:
        return None
    try:
        call = ast.parse(text, mode="eval").body
        if not (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Name)
            and call.func.id == "Decided"
            and not call.args
        ):
            raise ValueError("no call")
        given = {
            str(keyword.arg): ast.literal_eval(keyword.value)
            for keyword in call.keywords
        }
        given = {_ARGUMENTS.get(name, name): value for name, value in given.items()}
        return Decided(**given)
    except (
        SyntaxError,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
        MemoryError,
    ) as error:
        raise StoreError(f"until = {quoted(text)} is not a stopping rule") from error
