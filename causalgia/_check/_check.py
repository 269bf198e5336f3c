"""`check`: assess a predictor before a trial is run on it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import xarray as xr
from scipy import sparse

from causalgia._check import findings
from causalgia._check.cost import (
    SLOW,
    Cost,
    Throughput,
    cost_from_rate,
    estimate_cost,
    fits_in_memory,
    measure_throughput,
    outcome_bytes,
    probe_long,
    seconds_per_sequence,
    setup_seconds,
    store_bytes,
    throughput_of_long,
)
from causalgia._check.findings import Check, measure_incremental_gain
from causalgia._check.other_strand import oriented_arms, other_strand
from causalgia._check.probe import (
    AGAINST_EXACT,
    ProbeUnits,
    contrasts_to_check,
    label_by_task,
    measure_repeats,
    outcomes_in_other_batches,
    rounding_across_batches,
    rounding_against_float64,
    strand_asymmetry,
)
from causalgia.analysis import Analysis
from causalgia.attributes import attributes
from causalgia.design import Design
from causalgia.design.design import check_design
from causalgia.effects._contrast import floor_of
from causalgia.errors import (
    FallbackWarning,
    PredictorError,
    quoted,
)
from causalgia.notes import Finding
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.predict.answer_comparisons import asks_one_by_one
from causalgia.predict.ensemble import reference_of
from causalgia.predict.predictor import LONG, check_predictor
from causalgia.streams import derive
from causalgia.trial.outcomes import (
    TRANSFORMS,
    constant_answers,
    floor_of_one,
    probe_cost,
    softmax_hint,
)
from causalgia.trial.setup import TrialSetup, check_distinct, set_up_trial
from causalgia.trial.turn_plan import TurnPlan
from causalgia.trial.turns import Trial

T = TypeVar("T")
_PROBE_SECONDS = 8.0  # of answers that the probe of a predictor may take
_LEAST_PROBE_UNITS = 8
_MOST_PROBE_UNITS = 256
_MOST_LONG_UNITS = 8  # of sequences too long for the whole probe
_PROBE_CONTRASTS = 16
# cost of a unit in answers: repeats of one arm, and for each arm the answer itself
# and 2.5 for one in float64
_REPEATS_A_UNIT = 3
_ANSWERS_AN_ARM = 3.5
_AT_DOOR = 27
"""Rows that a trial predicts before its first turn, to check a predictor that takes
batches; else one more.
"""


@usual_errors
def check(design: Design, predictor: Predictor) -> Check:
    """Check a predictor on some units of a design before a trial: its numerical
    reliability, and the cost of the trial.

    The check covers determinism, independence of batch mates, the numerical floor of
    effects, strand symmetry, and motifs with a larger effect as their reverse
    complements; and throughput, memory, best batch size, time of the whole trial and
    disk space on this machine. It takes seconds, and about half a
    minute with a slow predictor, for which fewer units are used (2 to 256).

    A predictor that is not fit for a trial gives findings, not an error. The units are
    drawn with a key derived from the design: no seed is needed, a repeated check uses
    the same units, and no unit of a trial is seen beforehand. No effect is reported.

    Parameters
    ----------
    design
        Units and arms. Rounding is measured for the contrasts that it names, else for
        every arm minus the untreated one (without one: the arm called control, else the
        first); for at most 16 contrasts.
    predictor
        The network as a function.

    Returns
    -------
    Check
        Printed as by ``causalgia check``; its fields are the numbers.

    Raises
    ------
    DesignError
        If the first argument is not a design, all units are the same sequence, or an
        arm cannot be applied.
    PredictorError
        If the second argument is not a predictor.

    Warns
    -----
    DegenerateWarning
        If few of the units are distinct sequences.

    Notes
    -----
    Above 50 kb the cost is counted in passes: twelve sequences are predicted (up to 42
    if a pass takes less than half a second), of which those in float64 take longer, and
    a further one for the threads; the first line says how many. A network whose edits
    can be recomputed in part takes four more passes.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    >>> design = cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=1_000)
    >>> found = cg.check(design, cg.zoo.oracle("additive"))
    >>> found.deterministic, found.batch_mates, found.n_units
    (True, 0.0, 256)
    >>> print(found.findings[1])
    ok    determinism              the same answers twice, bit for bit
    """
    check_design(design, predictor, "check(design, predictor)")
    check_predictor(predictor, "check(design, predictor)")
    setup = set_up_trial(
        design, predictor, rng=derive(0, "check", design.fingerprint), analysis=None
    )
    return _CheckRun(setup).look()


@dataclass
class _CheckRun:
    """One check in progress: the findings and the numbers so far."""

    setup: TrialSetup
    plan: TurnPlan = field(init=False)
    refused: str = ""
    findings: list[Finding] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)

    def look(self) -> Check:
        """Run all checks, as far as there are answers."""
        with warnings.catch_warnings():
            # the line of the incremental path says it
            warnings.simplefilter("ignore", FallbackWarning)
            sample = self._measured("answers", self._sampled)
            if sample is not None:
                self._answers(sample)
                self._costs(sample)
        n = 0 if sample is None else len(sample)
        design = self.setup.trial.design
        arms, units = (
            f"{len(design.named_arms):,} arms",
            f"{design.n_units:,} unit{'s' if design.n_units > 1 else ''}",
        )
        looked = f"{n} of {units}" if n < design.n_units else units
        about = (
            f"{looked} under {arms} ({design.assignment}): {design.drawn.describe()}"
        )
        about = f"{type(self.setup.trial.predictor).__name__} on {about}"
        if sample is not None and sample.probe is not None:
            exact = (
                f", {sample.n_calls['float64']} of them in float64"
                if sample.n_calls["float64"]
                else ""
            )
            about += f"; {sample.n_calls.total()} sequences were predicted{exact}"
        return Check(
            about=about, findings=tuple(self.findings), n_units=n, **self.numbers
        )

    def _sampled(self) -> ProbeUnits:
        """Return as many units and contrasts as can be checked in some seconds; probes
        the predictor.
        """
        first = _first_answers(self.setup)
        seconds, trial, design = (
            first.seconds_a_row,
            self.setup.trial,
            self.setup.trial.design,
        )
        self.plan, self.refused = _open_predictor(
            self.setup, slow=first.probe is not None or seconds > SLOW
        )
        n, most = (
            _affordable(seconds, 2)
            if first.probe is None
            else (_affordable_long(seconds), 1)
        )
        weights = contrasts_to_check(design, most=most, most_arms=max(most + 1, 3))
        return replace(
            first, units=trial.draw(0, min(n, design.n_units)), weights=weights
        )

    def _measured(self, name: str, measure: Callable[[], T]) -> T | None:
        """Return a measurement; if the predictor does not answer, None, and a finding
        that says why.
        """
        try:
            return measure()
        except PredictorError as error:
            why = str(error)
            reported = why in {finding.text for finding in self.findings}
            not_measured = Finding(
                name,
                "note",
                text="not measured: the predictor does not answer, see above",
            )
            self.findings.append(
                not_measured if reported else Finding(name, "FAIL", text=why)
            )
            return None

    def _answers(self, sample: ProbeUnits) -> None:
        """Check the answers."""
        if self._measured("answers", sample.outcomes) is not None:
            self.findings.append(findings.answers(_constant_task(sample), sample))
        repeats = self._measured(
            "determinism", lambda: measure_repeats(sample, refused=self.refused)
        )
        if repeats is not None:
            self.findings += [
                findings.determinism(repeats),
                findings.batch_mates(repeats),
            ]
            self.numbers |= {
                "deterministic": not repeats.random,
                "batch_mates": findings.worst(repeats.mates),
            }
        self._floor(
            sample,
            usable=repeats is not None and not (repeats.random or repeats.dependent),
        )
        try:
            asymmetry, pairs = strand_asymmetry(sample)
        except (
            PredictorError
        ) as error:  # a trial does not ask for the other strand: no failure
            self.findings.append(
                Finding("strand symmetry", "note", text=f"not measured: {error}")
            )
            return
        self.findings.append(findings.strands(asymmetry, pairs))
        self.numbers["strand_asymmetry"] = asymmetry
        self._other_strand(sample.trial)

    def _other_strand(self, trial: Trial) -> None:
        """Report embedded motifs whose reverse complement has a larger effect."""
        question = Analysis().asking(trial.design.analysis_fields)
        arms = oriented_arms(trial.design, trial.predictor, question)
        text = self._measured("other strand", lambda: other_strand(arms, trial))
        if text:
            self.findings.append(Finding("other strand", "warn", text=text))

    def _floor(self, sample: ProbeUnits, *, usable: bool) -> None:
        """Measure rounding, if every sequence has one answer."""
        name = "numerical floor"
        if not usable:
            self.findings.append(
                Finding(
                    name,
                    "note",
                    text="not measured: a sequence has no one answer, see above",
                )
            )
            return
        found = self._measured(name, lambda: _rounding(sample))
        if found is not None:
            if (floor := sample.trial.floor) is not None:
                by_scale = xr.DataArray(
                    floor, dims=("transform", "task", "model")[: floor.ndim]
                )
                by_scale = by_scale.assign_coords(transform=list(TRANSFORMS))
                # as a trial stores it
                size = floor_of(sparse.csr_array(sample.matrix), by_scale, "identity")
                found = found.assign(
                    size=label_by_task(size, sample.trial.predictor, sample.weights)
                )
            self.findings.append(findings.floor(found, sample.trial.design.n_units))
            self.numbers["floor"] = found

    def _costs(self, sample: ProbeUnits) -> None:
        """Measure throughput, memory, time and disk space."""
        trial = self.setup.trial
        tokens = sample.tokens(sample.arms[0])
        ask = partial(sample.named, trial.predictor, tokens[:1], sample.arms[0])

        def measure() -> Throughput:
            if sample.probe is not None:
                return throughput_of_long(
                    trial.predictor, ask, sample.probe, length=tokens.shape[1]
                )
            return measure_throughput(
                trial.predictor, tokens, seconds_a_row=sample.seconds_a_row
            )

        pace = self._measured("throughput", measure)
        if pace is None:
            return
        self.findings += [
            findings.throughput(pace),
            findings.memory(
                pace, outcome_bytes(self.setup), fits=fits_in_memory(self.setup)
            ),
            findings.batch_size(pace),
        ]
        self.numbers |= {
            "throughput": pace.per_second,
            "batch_size": pace.batch_size,
            "best_batch_size": pace.best_batch_size,
            "by_batch": pace.by_batch,
            "by_threads": pace.by_threads,
            "memory": pace.use.peak,
        }
        gain = self._measured(
            "incremental path",
            lambda: measure_incremental_gain(
                replace(
                    sample,
                    seconds_a_row=min(sample.seconds_a_row, 1 / pace.per_second),
                )
            ),
        )
        if gain is not None:
            self.findings.append(findings.incremental_path(gain))
            self.numbers |= {"incremental": not gain.reason, "speedup": gain.speedup}
        cost = self._measured(
            "expected time",
            lambda: _cost(sample, self.setup, self.plan, pace, usable=not self.refused),
        )
        if cost is not None:
            self.findings.append(findings.expected_time(cost))
            self.numbers |= {"n_sequences": cost.sequences, "seconds": cost.seconds}
        self.numbers["disk"] = store_bytes(self.setup)
        self.findings.append(findings.disk(self.numbers["disk"]))


def _first_answers(setup: TrialSetup) -> ProbeUnits:
    """Return some units with the approximate seconds per answer, or with the first
    passes of a long sequence.
    """
    trial, design = setup.trial, setup.trial.design
    few = ProbeUnits(
        trial,
        trial.draw(0, min(_LEAST_PROBE_UNITS, design.n_units)),
        contrasts_to_check(design, most=1, most_arms=3),
    )
    tokens = few.tokens(few.arms[0])
    ask = partial(few.named, trial.predictor, arm=few.arms[0])
    if design.null.length > LONG:
        probe = probe_long(ask, tokens)
        trial.answer_like = probe.answers[0]
        trial.remember(tokens[:1], probe.answers[:1])
        return replace(few, seconds_a_row=probe.seconds, probe=probe)
    trial.answer_like = ask(tokens[:1])[0]
    return replace(few, seconds_a_row=seconds_per_sequence(ask, tokens))


def _open_predictor(setup: TrialSetup, *, slow: bool) -> tuple[TurnPlan, str]:
    """Return the plan of turns, and why a trial would refuse the predictor; a slow
    predictor is not probed.
    """
    trial = setup.trial
    try:
        if not slow:
            return setup.probe(), ""
        check_distinct(trial)
        refused = ""
    except PredictorError as error:
        refused = str(error)
    return trial.plan(), refused


def _affordable(seconds: float, n_arms: int) -> tuple[int, int]:
    """Return the numbers of units and of contrasts that can be checked in some seconds.

    Examples
    --------
    >>> [_affordable(seconds, 2) for seconds in (1e-5, 1e-3, 1e-2, 0.1, 1.0)]
    [(256, 16), (256, 1), (80, 1), (8, 1), (2, 1)]
    """
    rows = _PROBE_SECONDS / seconds
    if (
        rows / (_REPEATS_A_UNIT + _ANSWERS_AN_ARM * (_PROBE_CONTRASTS + 1))
        >= _MOST_PROBE_UNITS
    ):
        return _MOST_PROBE_UNITS, _PROBE_CONTRASTS
    least = _LEAST_PROBE_UNITS if seconds < SLOW else 2
    return int(
        np.clip(
            rows / (_REPEATS_A_UNIT + _ANSWERS_AN_ARM * n_arms),
            least,
            _MOST_PROBE_UNITS,
        )
    ), 1


def _affordable_long(seconds: float) -> int:
    """Return the number of units above 50 kb: 2, and up to 8 where they take some
    seconds.

    Examples
    --------
    >>> [_affordable_long(seconds) for seconds in (0.01, 0.2, 70)]
    [8, 4, 2]
    """
    return int(
        np.clip(
            _PROBE_SECONDS / seconds / (2 * _ANSWERS_AN_ARM + _REPEATS_A_UNIT),
            2,
            _MOST_LONG_UNITS,
        )
    )


def _constant_task(sample: ProbeUnits) -> str:
    """Return the first task (and model) that has, but for rounding, one answer for
    several sequences; else "".
    """
    same = constant_answers(
        sample.trial.predictor,
        np.concatenate([sample.answers(arm) for arm in sample.arms]),
    )
    if len(sample) == 1 or not same.any():
        return ""
    found = label_by_task(same, sample.trial.predictor)
    at = found.isel(found.argmax(...))
    hint = softmax_hint(float(sample.outcomes()[0, 0].flat[int(same.argmax())]))
    return ", ".join(f"{dim} {quoted(at[dim].item())}" for dim in found.dims) + hint


def _rounding(sample: ProbeUnits) -> xr.Dataset:
    """Return the rounding of the contrasts, measured against float64 if the predictor
    supports it.
    """
    design, predictor = sample.trial.design, sample.trial.predictor
    dealt = len(design.named_arms) if design.assignment == "parallel" else 1
    counted: dict[str, int] = {"n_units": design.n_units, "dealt": dealt}
    reference, exact = reference_of(predictor), None
    with suppress(
        PredictorError
    ):  # a layer that is written for float32 alone: other batches are compared instead
        exact = None if reference is None else sample.outcomes_of(reference)
    if sample.probe is not None and not predictor.incremental:
        first = None if exact is None else exact[0, :1]
        sample.trial.floor = floor_of_one(predictor, sample.probe.answers[:1], first)
    if exact is not None:
        found = rounding_against_float64(
            sample.outcomes(), exact, sample.matrix, **counted
        )
        method = AGAINST_EXACT
    else:
        answers = sample.answers(sample.arms[0])
        dtype = min(
            predictor.precision, answers.dtype, key=lambda dtype: dtype.itemsize
        )
        eps = float(np.finfo(dtype).eps)
        found = rounding_across_batches(
            outcomes_in_other_batches(sample), sample.matrix, eps=eps, **counted
        )
        method = (
            f"from {'' if sample.goes_one_by_one else 'other batches and '}the digits "
            f"of {dtype}"
        )
    names = ("rms", "bias", "mcse", "most", "constant")
    columns = {
        name: label_by_task(getattr(found, name), predictor, sample.weights)
        for name in names
    }
    return xr.Dataset(columns, attrs=attributes(method=method, n_units=len(sample)))


def _cost(
    sample: ProbeUnits,
    setup: TrialSetup,
    plan: TurnPlan,
    pace: Throughput,
    *,
    usable: bool,
) -> Cost:
    door = sum(
        1 if asks_one_by_one(setup.trial.predictor, length) else _AT_DOOR
        for length in sample.lengths
    )
    rows = door + probe_cost(setup.trial.design, setup.trial.predictor)
    start = setup_seconds(setup) + rows * sample.seconds_a_row
    if usable and sample.seconds_a_row <= SLOW and sample.probe is None:
        return estimate_cost(setup, plan, per_second=pace.per_second, start=start)
    return cost_from_rate(setup.trial, plan, per_second=pace.per_second, start=start)
