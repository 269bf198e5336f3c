"""A trial as `run` was asked for it: its arguments, checked, in one frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, get_args, runtime_checkable

import xarray as xr

from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.design.design import check_design
from causalgia.errors import DesignError, quoted
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.sequences.fasta import Source
from causalgia.streams import RNG
from causalgia.trial.attributes import check_analysis, known_tasks
from causalgia.trial.design_notes import overlap_notes
from causalgia.trial.setup import TrialSetup, set_up_trial

if TYPE_CHECKING:
    from distributed import Client

Keep: TypeAlias = Literal["outcomes", "effects", "moments"]
KEEPS = get_args(Keep)


class Look(Protocol):
    """Result of one interim look at the outcomes."""

    @property
    def stop(self) -> bool:
        """Whether the trial stops at this look."""

    @property
    def words(self) -> str:
        """The result as part of a sentence, such as "every interval is at most 0.1 to each side"."""

    @property
    def record(self) -> xr.Dataset:
        """``n_units, n_clusters ()`` and the intervals ``lower, upper (contrast, task[, model])``, with attrs."""


@runtime_checkable
class Until(Protocol):
    """A stopping rule: `causalgia.Precision` or `causalgia.Decided`."""

    def schedule(self, n_units: int) -> Iterable[int]:
        """Return the increasing numbers of units at which to look; the last is `n_units`, the maximum."""

    def look(self, outcomes: xr.Dataset) -> Look:
        """Analyze the outcomes of the first units."""


@dataclass(frozen=True, eq=False, kw_only=True)
class RunRequest:
    """The arguments of `causalgia.run`, checked; `path` is its ``store=``.

    Raises
    ------
    DesignError
        If the design, the analysis or the stopping rule is none, or two of them do not go together.
    PredictorError
        If the predictor is none.
    """

    design: Design
    predictor: Predictor
    rng: RNG
    keep: Keep
    analysis: Analysis | None
    until: Until | None
    real: Source | Literal["parents"] | None
    path: Path | None
    same_answers: bool
    client: Client | None
    progress: bool

    def __post_init__(self) -> None:
        if not isinstance(self.keep, str) or self.keep not in KEEPS:
            raise DesignError(f"keep={quoted(self.keep)} is none of {', '.join(map(quoted, KEEPS))}")
        if self.same_answers and self.path is None:
            raise DesignError("same_answers= is about the answers that a store keeps; give store=, or leave it out")
        check_design(self.design, self.predictor, "run(design, predictor)")
        check_predictor(self.predictor, "run(design, predictor)")
        if self.until is not None:
            self._check_until(self.until)
        if self.analysis is None:
            object.__setattr__(self, "analysis", self.design.planned())
        if self.analysis is not None:
            if not isinstance(self.analysis, Analysis):
                raise DesignError(f"analysis= takes a cg.Analysis, not {type(self.analysis).__name__}")
            tasks = known_tasks(self.predictor)
            check_analysis(self.analysis, self.design, tasks)

    def _check_until(self, until: object) -> None:
        if not isinstance(until, Until):
            raise DesignError(f"until= takes cg.Precision(half_width=) or cg.Decided(rope=), not {quoted(until)}")
        if self.design.assignment != "crossover":
            raise DesignError("until= watches the individual effects of a crossover; a parallel trial has n_units=")
        until.schedule(self.design.n_units)  # which refuses units that are too few to decide anything
        if self.keep != "outcomes":
            raise DesignError(
                f"until= looks at outcomes as they come, and keep={quoted(self.keep)} does not hold them; leave one out"
            )
        for name, value in (("store", self.path), ("client", self.client)):
            if value is not None:
                raise DesignError(
                    f"until= looks at outcomes as they come, in memory and in order: it goes with no {name}=; leave "
                    "one out"
                )

    def set_up(self) -> TrialSetup:
        """Return the trial before its first answer; only real sequences are predicted, to compare them with units."""
        setup = set_up_trial(self.design, self.predictor, rng=self.rng, analysis=self.analysis, client=self.client)
        if self.real is not None and (notes := overlap_notes(self.design, self.predictor, self.real)):
            setup.attrs["notes"] = "\n".join([*notes, *([setup.attrs["notes"]] if "notes" in setup.attrs else [])])
        return setup
