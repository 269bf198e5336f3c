"""A trial as `run` was asked for it: its arguments, checked, in one frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.design.design import check_design
from causalgia.effects.functions_of_means import check_scale_of_means
from causalgia.effects.scales import OF_MEANS, check_not_log
from causalgia.effects.task_weights import TaskWeights, check_one_task_scale, check_task_scale, requested_task_weights
from causalgia.errors import DesignError, quoted
from causalgia.estimation.request import OVER_PREDICTORS
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.sequences.fasta import Source
from causalgia.streams import RNG, derive
from causalgia.trial.attributes import check_analysis, known_tasks
from causalgia.trial.design_notes import overlap_notes
from causalgia.trial.setup import TrialSetup, set_up_trial
from causalgia.trial.turns import Trial

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
    ContrastError
        If the scale of the analysis is impossible for the predictor's answers.
    DecisionError
        If the region of the stopping rule does not contain 1 and the analysis is of ratios.
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
        self._check_verdicts_of_curves()
        if self.analysis is None:
            object.__setattr__(self, "analysis", self.design.planned())
        if self.analysis is not None:
            if not isinstance(self.analysis, Analysis):
                raise DesignError(f"analysis= takes a cg.Analysis, not {type(self.analysis).__name__}")
            if self.until is not None and self.analysis.tasks is not None:
                raise DesignError(
                    "until= watches the effect in each task, and the analysis asks for contrasts between tasks; leave "
                    "tasks= out of the analysis until the trial has ended, or give n_units= instead of until="
                )
            if self.until is not None and self.analysis.across is not None:
                raise DesignError(
                    "until= decides by its confidence sequence, and across='task' by a posterior; leave across= out of "
                    "the analysis, or give n_units= instead of until="
                )
            tasks = known_tasks(self.predictor)
            check_analysis(self.analysis, self.design, tasks)
            self._check_outcomes(self.analysis)

    def _check_verdicts_of_curves(self) -> None:
        """Raise DesignError if an analysis that is given asks for verdicts on a track."""
        rope = getattr(self.analysis, "rope", None)
        if rope is not None and "position" in self.predictor.dims:
            raise DesignError(
                f"[analysis]: rope = {quoted(rope)} is for verdicts on one number for each task, and the predictor "
                "answers a track; leave rope= out (cg.simultaneous(over='position') gives the band of a curve), or "
                "read a window: reduce=[cg.Window(...)]"
            )

    def _check_outcomes(self, analysis: Analysis) -> None:
        """Raise for an analysis of what the predictor's outcomes cannot show."""
        crossover = self.design.assignment == "crossover"
        check_scale_of_means(analysis.scale, None, analysis.interaction, crossover, self.predictor.scale)
        if analysis.tasks is not None:
            check_task_scale(analysis.scale)
            known = known_tasks(self.predictor)
            if known is not None:
                as_comparable_tasks(analysis, self.predictor, known)
        if analysis.scale not in ("identity", *OF_MEANS):
            check_not_log(analysis.scale, self.predictor.scale)
        if analysis.target in OVER_PREDICTORS and len(self.predictor.models or ()) < 2:
            raise DesignError(
                f"[analysis]: target = {quoted(analysis.target)} needs the answers of two or more predictors, and "
                "there is one; run the trial on cg.Ensemble([...]), or leave target= out"
            )
        if analysis.across is not None and analysis.target not in OVER_PREDICTORS and self.predictor.models is not None:
            raise DesignError(
                "[analysis]: across = 'task' of several predictors takes their average; say target = 'population x "
                "predictors', or run the trial on one of them"
            )
        rope = getattr(self.until, "rope", None)
        if analysis.scale == "ratio" and isinstance(rope, tuple):
            from causalgia.multiplicity.tost import rope_ends

            rope_ends(rope, 1.0)

    def _check_until(self, until: object) -> None:
        if not isinstance(until, Until):
            raise DesignError(f"until= takes cg.Precision(half_width=) or cg.Decided(rope=), not {quoted(until)}")
        if self.design.assignment != "crossover":
            raise DesignError("until= watches the individual effects of a crossover; a parallel trial has n_units=")
        if "position" in self.predictor.dims:
            raise DesignError(
                "until= watches one number for each task, and the predictor answers a track; watch a window of it: "
                "reduce=[cg.Window(...)]"
            )
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
        setup.trial.announce = self.progress
        if self.analysis is not None and self.analysis.target == "parents":
            self._check_parents(setup.trial)
        if self.real is not None and (notes := overlap_notes(self.design, self.predictor, self.real)):
            setup.attrs["notes"] = "\n".join([*notes, *([setup.attrs["notes"]] if "notes" in setup.attrs else [])])
        return setup

    def _check_parents(self, trial: Trial) -> None:
        """Raise DesignError if a parent has one unit, and none therefore a spread between its units."""
        n = self.design.n_units
        parents = trial.design.drawn.parents(np.arange(n, dtype=np.uint64), key=derive(trial.key, "null"), n_units=n)
        lone = int((np.bincount(pd.factorize(parents)[0]) < 2).sum())
        if lone:
            raise DesignError(
                f"[analysis]: target = 'parents' needs two or more units of each parent, and {lone:,} of them would "
                "have one; draw more units of them (n_units=), or leave target= out"
            )


def as_comparable_tasks(analysis: Analysis, predictor: Predictor, known: tuple[str, ...]) -> TaskWeights:
    """Return the contrasts between tasks; ContrastError if one is of tasks on different scales."""
    assert analysis.tasks is not None
    over = requested_task_weights(analysis.weights_by_task_contrast, known)
    if predictor.task_scales is not None and analysis.scale == "identity":
        check_one_task_scale(over.weights, dict(zip(known, predictor.task_scales, strict=True)))
    return over
