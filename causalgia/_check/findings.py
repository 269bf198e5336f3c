"""What `causalgia.check` found: lines to read, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import xarray as xr

State: TypeAlias = Literal["ok", "note", "warn", "FAIL"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    name
        What it is.
    state
        ``"ok"``; ``"note"``: good to know; ``"warn"``: the answer of a trial would suffer; ``"FAIL"``:
        `causalgia.run` would refuse, or its answers would be wrong.
    text
        What was found, and the cure.
    """

    name: str
    state: State
    text: str

    def __str__(self) -> str:
        return f"{self.state:<4}  {self.name:<23}  {self.text}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Check:
    """What `causalgia.check` found; printed, one line for each thing that was looked at.

    What could not be measured is None (or empty). An sd is that of the predictor's answers over units, unless it is
    said to be of a contrast.

    Attributes
    ----------
    about
        What was checked on what.
    findings
        The lines.
    n_units
        Units that were looked at.
    deterministic
        Whether the same batch is answered alike, up to rounding, when it is asked for twice.
    batch_mates
        Largest difference between the answers to a sequence alone, among others and in another order, in sd.
    floor
        Rounding error of the contrasts: ``rms (contrast, task[, model])`` of an individual effect, in sd of the
        contrast over units; ``bias`` of the average effect in its standard errors at the design's number of units, its
        ``mcse``, and ``most = |bias| + 2 mcse``; ``constant`` where an effect does not vary; ``size``, the average
        effect below which a trial says "zero within rounding". ``attrs["method"]`` says whether a computation in
        float64 was compared, or other batches.
    strand_asymmetry
        Root mean square difference of the answers to a sequence and to its reverse complement, in sd, (task[, model]).
    throughput
        Sequences per second at `batch_size`.
    batch_size, best_batch_size
        The one in use, and the fastest of those that were tried.
    by_batch, by_threads
        Sequences per second by batch size and by number of threads.
    memory
        Bytes that a batch takes at its peak.
    incremental
        Whether of edited sequences only what the edit reaches can be recomputed, rightly and faster.
    speedup
        How many times faster an edit is answered so than by a full pass; None where it was not tried.
    n_sequences
        Sequences that the trial asks for, estimated.
    seconds
        That the trial takes on this machine, estimated.
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
        failed, warned = ([f.name for f in self.findings if f.state == state] for state in ("FAIL", "warn"))
        if failed:
            return f"Not fit for a trial yet: {', '.join(failed)}."
        return f"Fit for a trial; look at: {', '.join(warned)}." if warned else "Fit for a trial."

    def __str__(self) -> str:
        return "\n".join([self.about, "", *map(str, self.findings), "", self.verdict])

    def __repr__(self) -> str:
        return str(self)
