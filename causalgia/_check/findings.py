"""Findings of `causalgia.check`: lines to read, the numbers behind them, and the gain
of the incremental path.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from causalgia._check.cost import Cost, Throughput
from causalgia._check.probe import AGAINST_EXACT, ProbeUnits, Repeats
from causalgia.attributes import about
from causalgia.errors import FallbackWarning, quoted
from causalgia.notes import Finding
from causalgia.predict._torch_network import torch_network
from causalgia.trial.stages import duration
from causalgia.workers.clusters import available_cores

if TYPE_CHECKING:
    from causalgia.predict.incremental import WidthResult


# seconds of a measurement, and about how many passes over its units it takes
_MEASURE_SECONDS = 1.0
_PASSES_A_MEASURE = 12
_MOST_UNITS_MEASURED = 64
_MOST_ARMS_MEASURED = 4


@dataclass(frozen=True)
class IncrementalGain:
    """Whether edits can be recomputed in part, and what that gains.

    Attributes
    ----------
    reason
        Why they cannot be, or why it is not worth it; "" if it works and is faster.
    in_use
        Whether the predictor does so.
    share
        Share of the work of a full pass that an edit changes, by counting, the largest
        over arms; 0 above 50 kb, where it is not counted.
    deviation
        Largest difference from the full pass, in sd of the answers; None if it was not
        compared.
    """

    reason: str
    in_use: bool = False
    share: float = 1.0
    deviation: float | None = None

    @property
    def speedup(self) -> float | None:
        """Work of a full pass over that of an edit."""
        return 1 / self.share if self.deviation is not None and self.share else None


def measure_incremental_gain(sample: ProbeUnits) -> IncrementalGain:
    """Measure the recomputation of edits on some units and arms; the predictor is left
    as it was.
    """
    part = sample.trial.predictor.parts[0]
    network = torch_network(part)
    if network is None:
        return IncrementalGain(
            f"it recomputes layers of a TorchPredictor; {type(part).__name__} has none"
        )
    from causalgia.predict.incremental import Incremental

    base = sample.units.tokens
    trying = Incremental(network, always=True)
    reason = trying.reason(base.shape[1])
    if reason is not None:
        return IncrementalGain(reason, in_use=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FallbackWarning)  # its content is measured here
        n = int(
            np.clip(
                _MEASURE_SECONDS / _PASSES_A_MEASURE / max(sample.seconds_a_row, 1e-9),
                2,
                _MOST_UNITS_MEASURED,
            )
        )
        if sample.probe is not None:
            n = 1
        base = sample.units.tokens[:n]
        session = trying.on(base)
        for arm in sample.arms[:_MOST_ARMS_MEASURED]:
            edited = sample.tokens(arm, n)
            if edited.shape == base.shape and (edited != base).any():
                session.answers(edited, np.arange(len(base)))
    in_use = all(
        getattr(part, "incremental", False) for part in sample.trial.predictor.parts
    )
    tried = trying.tried()
    if not tried:  # the control pass of half precision may be what deviates
        none = (
            "no arm edits a background without changing its length"
            if sample.probe is None
            else "no arm edits a background"
        )
        return IncrementalGain(trying.reason(base.shape[1]) or none, in_use)
    return _summarize_tried(tried, in_use=in_use)


def _summarize_tried(tried: list[WidthResult], *, in_use: bool) -> IncrementalGain:
    from causalgia.predict.incremental import MOST_SHARE

    share = max(each.share for each in tried)
    deviation = max(each.deviation for each in tried)
    if not all(each.exact for each in tried):
        reason = f"its answers deviate by {deviation:.1g} sd from those of a full pass"
    elif share > MOST_SHARE:
        reason = "full passes are faster for these edits"
    else:
        reason = ""
    return IncrementalGain(reason, in_use, share, deviation)


@dataclass(frozen=True, eq=False, kw_only=True)
class Check:
    """The result of `causalgia.check`; printed, one line for each check.

    What could not be measured is None (or empty). An sd is that of the predictor's
    answers over units, unless it is said to be of a contrast.

    Attributes
    ----------
    about
        The predictor and the design.
    findings
        The lines.
    n_units
        Number of units that were used.
    deterministic
        Whether a batch that is predicted twice has the same answers, up to rounding.
    batch_mates
        Largest difference between the answers to a sequence alone, among others and in
        another order, in sd.
    floor
        Rounding error of the contrasts: ``rms (contrast, task[, model])`` of an
        individual effect, in sd of the contrast over units; ``bias`` of the average
        effect in its standard errors at the design's number of units, its ``mcse``, and
        ``most = |bias| + 2 mcse``; ``constant`` where an effect does not vary;
        ``size``, the average effect below which a trial says "zero within rounding".
        ``attrs["method"]`` says whether a computation in float64 was compared, or other
        batches.
    strand_asymmetry
        Root mean square difference of the answers to a sequence and to its reverse
        complement, in sd, (task[, model]).
    throughput
        Sequences per second at `batch_size`.
    batch_size, best_batch_size
        The batch size in use, and the fastest of those that were tried.
    by_batch, by_threads
        Sequences per second by batch size and by number of threads.
    memory
        Peak memory of a batch in bytes.
    incremental
        Whether recomputing only what an edit reaches is exact and faster.
    speedup
        Work of a full pass over that of an edit, by counting; None if it was not
        counted.
    n_sequences
        Estimated number of sequences that the trial predicts.
    seconds
        Estimated time of the trial on this machine.
    disk
        Bytes of a store for each ``keep=``.
    """

    about: str
    findings: tuple[Finding, ...]
    n_units: int
    deterministic: bool | None = None
    batch_mates: float | None = None
    floor: xr.Dataset | None = None
    strand_asymmetry: xr.DataArray | None = None
    throughput: float | None = None
    batch_size: int | None = None
    best_batch_size: int | None = None
    by_batch: Mapping[int, float] = field(default_factory=dict)
    by_threads: Mapping[int, float] = field(default_factory=dict)
    memory: int | None = None
    incremental: bool | None = None
    speedup: float | None = None
    n_sequences: int | None = None
    seconds: float | None = None
    disk: Mapping[str, int] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(finding.state != "FAIL" for finding in self.findings)

    @property
    def verdict(self) -> str:
        """The last line: whether a trial can be run."""
        failed, warned = (
            [f.name for f in self.findings if f.state == state]
            for state in ("FAIL", "warn")
        )
        if failed:
            return f"Not fit for a trial yet: {', '.join(failed)}."
        return (
            f"Ready for a trial; look at: {', '.join(warned)}."
            if warned
            else "Ready for a trial."
        )

    def __str__(self) -> str:
        return "\n".join([self.about, "", *map(str, self.findings), "", self.verdict])

    __repr__ = __str__


_BIASED = 0.1
"""Bias in standard errors that noticeably reduces the coverage of an interval (0.95
becomes 0.949).
"""
_COARSE = 1e-3
"""Rounding of an effect, in sd, that is too large for float32: half precision, or
TF32.
"""
_WORTH = 1.2
_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STRAND_ROUNDING = 1e-6  # relative difference of the strands that is rounding


def answers(constant: str, sample: ProbeUnits) -> Finding:
    """Report that answers are finite, and whether they vary."""
    n, n_arms = len(sample.arms), len(sample.trial.design.named_arms)
    arms = (
        f"{n} arms"
        if n == n_arms
        else f"{n} of {n_arms:,} arms, those of contrasts spread evenly"
    )
    text = (
        f"finite for {len(sample):,} unit{'s' if len(sample) > 1 else ''} under {arms}"
    )
    if constant:
        return Finding(
            "answers",
            "warn",
            text=f"{text}, but one and the same for every sequence ({constant})",
        )
    return Finding("answers", "ok", text=text)


def determinism(found: Repeats) -> Finding:
    """Report whether a batch that is predicted twice has the same answers."""
    if found.random:
        return Finding(
            "determinism",
            "FAIL",
            text=f"{found.random}. The answers differ by {_worst(found.twice)}",
        )
    if not found.twice.any():
        return Finding("determinism", "ok", text="the same answers twice, bit for bit")
    return Finding(
        "determinism",
        "note",
        text=f"the same twice but for rounding: differences of at most {_worst(found.twice)}",
    )


def batch_mates(found: Repeats) -> Finding:
    """Report whether the answer to a sequence depends on its batch mates."""
    name = "batch-mate independence"
    if found.random:
        return Finding(name, "FAIL", text="cannot be tested while answers are random")
    if found.dependent:
        return Finding(
            name,
            "FAIL",
            text=f"{found.dependent}. The answers differ by {_worst(found.mates)}",
        )
    if found.one_by_one:
        return Finding(name, "ok", text="every sequence goes through the network alone")
    if not found.mates.any():
        return Finding(
            name,
            "ok",
            text="the same answers alone, among others and in another order, bit for bit",
        )
    return Finding(
        name,
        "ok",
        text="answers alone, among others and in another order differ by at most "
        f"{_worst(found.mates)}",
    )


def floor(found: xr.Dataset, n_units: int) -> Finding:
    """Report the rounding of contrasts, and whether its bias is visible at the design's
    number of units.
    """
    name = "numerical floor"
    if bool(found["constant"].all()):
        what = (
            "the effects of one unit have no spread"
            if n_units == 1
            else "no effect varies over units"
        )
        size = f"rounding {_two_digits(found['rms'].max())} of the largest answer"
        return Finding(
            name,
            "note",
            text=f"{what}, so that there is no standard error to compare with; {size}",
        )
    varying = found.where(~found["constant"])
    where = varying["most"].fillna(-1.0).argmax(...)
    at = found.isel(where)
    here = f"({', '.join(str(at[dim].item()) for dim in found['rms'].dims)})"
    size = (
        f"an effect is rounded by {_two_digits(at['rms'])} of its sd over units {here}, "
        f"{about(found).method}"
    )
    bias, most = abs(at["bias"].item()), at["most"].item()
    sentence = (
        f"a bias of {_two_digits(bias)} standard errors at {n_units:,} units, at most "
        f"{_two_digits(most)}"
    )
    if "size" in found:
        sentence += (
            f"; an effect of {_two_digits(found['size'].max())} or less is zero within "
            "rounding"
        )
    unseen = at["rms"].item() >= _COARSE and about(found).method != AGAINST_EXACT
    if most <= _BIASED and not unseen:
        return Finding(name, "ok", text=f"{size}; {sentence}")
    if bias - 2 * at["mcse"].item() <= _BIASED and at["rms"] < _COARSE:
        return Finding(
            name,
            "note",
            text=f"{size}; {sentence}: too few units were looked at to tell whether it is "
            "below 0.1",
        )
    if unseen:
        sentence = "what all batches share of it is not seen, and does not cancel"
    cure = (
        "no number of units removes it: compute in float32 without TF32, or in float64 "
        "(module.double())"
    )
    return Finding(name, "warn", text=f"{size}; {sentence}; {cure}")


def strands(found: xr.DataArray, pairs: Sequence[tuple[str, str]]) -> Finding:
    """Report the difference between the two strands, and tasks that change places."""
    name = "strand symmetry"
    shown = quoted(list(pairs[:3])) + ", ..." * (len(pairs) > 3)
    if pairs and found.max() <= _STRAND_ROUNDING:
        return Finding(
            name,
            "warn",
            text=f"{quoted(pairs[0][0])} and {quoted(pairs[0][1])} are equal in every unit, "
            "as the mean over both strands of two stranded tasks is: "
            f"opposite={shown} exchanges them on the reverse complement",
        )
    if found.max() <= _STRAND_ROUNDING:
        exactly = "" if found.any() else ", bit for bit"
        return Finding(
            name,
            "ok",
            text=f"the same answer to a sequence and its reverse complement{exactly}",
        )
    text = (
        "answers to a sequence and its reverse complement differ by "
        f"{_worst(found)} (root mean square)"
    )
    if pairs:
        return Finding(
            name,
            "note",
            text=f"{text}; each of {quoted(pairs[0][0])} and {quoted(pairs[0][1])} answers "
            "the reverse complement as the other does the sequence: to average both "
            f"strands, rc_average=True with opposite={shown}",
        )
    return Finding(
        name,
        "note",
        text=f"{text}; where the task has no strand, rc_average=True averages both",
    )


def throughput(found: Throughput) -> Finding:
    """Report sequences per second, and the effect of the number of threads."""
    text = (
        f"{_rate(found.per_second)} sequences per second in batches of "
        f"{found.batch_size:,}"
    )
    where = (
        f"; {found.busy:.1f} of {available_cores()} cores busy"
        if found.use.on_cpu
        else ""
    )
    if not found.by_threads or found.threads is None:
        return Finding("throughput", "ok", text=text + where)
    by = ", ".join(f"{n}: {_rate(rate)}" for n, rate in found.by_threads.items())
    best = max(found.by_threads, key=lambda n: found.by_threads[n])
    better = found.by_threads[best] > _WORTH * found.by_threads[found.threads]
    advice = f"; torch.set_num_threads({best}) is faster" if better else ""
    return Finding(
        "throughput",
        "note" if better else "ok",
        text=f"{text}{where}; by threads ({found.threads} in use) {by}{advice}",
    )


def memory(found: Throughput, held: int, *, fits: bool) -> Finding:
    """Report the memory of a batch, and of the outcomes if they are held in memory."""
    where = "" if found.use.on_cpu else " of the device"
    text = (
        f"a batch takes {_bytes(found.use.peak)}{where} at its peak; outcomes held in "
        f"memory {_bytes(held)}"
    )
    if fits:
        return Finding("memory", "ok", text=text)
    return Finding(
        "memory",
        "warn",
        text=f"{text}, with their units more than this machine has: keep them on disk, "
        "cg.run(..., store=)",
    )


def batch_size(found: Throughput) -> Finding:
    """Report the best batch size, and whether it is in use."""
    name, best = "best batch size", found.best_batch_size
    tried = f"of {', '.join(f'{size:,}' for size in found.by_batch)} tried"
    if found.long and found.batch_size == 1:
        return Finding(
            name,
            "ok",
            text="1: above 50 kb sequences go one at a time; batch_size= puts more together",
        )
    if found.batch_size not in found.by_batch:
        return Finding(
            name,
            "note",
            text=f"{found.batch_size:,} is in use; a batch is too slow to try others",
        )
    gain = found.by_batch[best] / found.by_batch[found.batch_size]
    if gain <= _WORTH:
        where = "the best"
        if best != found.batch_size:
            loss = 100 * (gain - 1)
            where = (
                f"within {loss:.0f} % of the best" if loss >= 1 else "as fast as any"
            )
        return Finding(
            name,
            "ok",
            text=f"{found.batch_size:,}, which is in use, is {where} {tried}",
        )
    text = (
        f"{best:,}, the best {tried}, is {gain:.1f} times as fast as "
        f"{found.batch_size:,}, which is in use"
    )
    return Finding(name, "note", text=f"{text}: batch_size={best}")


def incremental_path(found: IncrementalGain) -> Finding:
    """Report whether edits can be recomputed in part, and what that gains."""
    name = "incremental path"
    if found.deviation is None:
        return Finding(name, "note", text=f"does not apply: {found.reason}")
    share = f"an edit changes {100 * found.share:.1f} % of the work of a full pass, "
    text = (
        f"{share if found.share else ''}answers differ from those of a full pass by at "
        f"most {_two_digits(found.deviation)} sd"
    )
    if found.reason:
        return Finding(name, "note", text=f"not worth it: {found.reason} ({text})")
    if found.in_use:
        return Finding(name, "ok", text=f"in use: {text}")
    return Finding(
        name,
        "note",
        text=f"applies and is not in use: {text}; TorchPredictor(..., incremental=True) "
        "uses it",
    )


def expected_time(found: Cost) -> Finding:
    """Report the time of the trial, and the number of sequences."""
    saved = 1 - found.sequences / found.outcomes
    some = f", {100 * saved:.0f} % of the outcomes are shared" if saved >= 0.005 else ""
    how_long = duration(found.seconds) if found.seconds >= 1 else "less than a second"
    text = (
        f"{how_long} on this machine: {found.outcomes:,} outcomes, {found.sequences:,} "
        f"sequences{some}"
    )
    return Finding("expected time", "ok", text=text)


def disk(found: Mapping[str, int]) -> Finding:
    """Report the size of a store for each ``keep=``."""
    return Finding(
        "disk",
        "ok",
        text="; ".join(f"{keep} {_bytes(size)}" for keep, size in found.items()),
    )


def _worst(values: xr.DataArray) -> str:
    """Return the largest value over tasks, in words."""
    at = values.isel(values.argmax(...))
    here = [
        f"{dim} {quoted(at[dim].item())}"
        for dim in values.dims
        if values.sizes[dim] > 1
    ]
    return f"{_two_digits(at)} sd" + (f" ({', '.join(here)})" if here else "")


def _two_digits(value: float | xr.DataArray) -> str:
    return f"{float(value):.2g}"


def _rate(value: float) -> str:
    """Return a rate with three digits.

    Examples
    --------
    >>> _rate(12_345.6), _rate(0.5)
    ('12,300', '0.5')
    """
    return f"{float(f'{value:.3g}'):,.10g}"


def _bytes(value: float) -> str:
    """Return bytes in binary units.

    Examples
    --------
    >>> _bytes(512), _bytes(1023), _bytes(1536), _bytes(5 * 2**30)
    ('512 B', '0.999 KiB', '1.5 KiB', '5 GiB')
    """
    step = 0
    while value >= 999.5 and step < len(_BYTE_UNITS) - 1:
        value, step = value / 1024, step + 1
    return f"{value:.3g} {_BYTE_UNITS[step]}"


def worst(values: xr.DataArray) -> float:
    """Return the largest value."""
    return float(np.max(values.to_numpy()))
