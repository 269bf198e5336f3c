"""What a rule that stops a trial has: looks at the outcomes so far, each with the intervals that it saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

import xarray as xr

from causalgia.schema import annotate


class Look(Protocol):
    """What one look at the outcomes so far found."""

    @property
    def stop(self) -> bool:
        """Whether the trial stops here."""

    @property
    def words(self) -> str:
        """What was found, as a sentence part: "every interval is at most 0.1 to each side"."""

    @property
    def record(self) -> xr.Dataset:
        """``n_units, n_clusters ()`` and the intervals ``lower, upper (contrast, task[, model])``, with attrs."""


@runtime_checkable
class Until(Protocol):
    """A rule that says when a trial has enough units: `causalgia.Precision`, `causalgia.Decided`."""

    def schedule(self, n_units: int) -> Iterable[int]:
        """Return the numbers of units at which to look, increasing; the last is `n_units`, the most there can be."""

    def look(self, outcomes: xr.Dataset) -> Look:
        """Look at the outcomes of the units so far."""


def with_looks(outcomes: xr.Dataset, looks: Sequence[Look], until: Until, *, most: int) -> xr.Dataset:
    """Return outcomes with the trajectory of the looks on the dim look, and where the trial ended and why."""
    trajectory = xr.concat([look.record for look in looks], dim="look")
    trajectory = trajectory.rename({str(name): f"look_{name}" for name in trajectory.data_vars})
    n, last = outcomes.sizes["unit"], looks[-1]
    where = f"stopped at {n:,} of at most {most:,} units" if last.stop else f"ended at the {most:,} units there are"
    said = f"{where}, look {len(looks)}: {last.words}"
    attrs = {"until": repr(until), "stopped": said} | {f"until_{name}": x for name, x in last.record.attrs.items()}
    return annotate(outcomes.assign(trajectory.data_vars).assign_attrs(attrs))
