"""A trial as `run` was asked for it: its arguments, checked, in one frozen value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.design.null_model import FromSequences
from causalgia.errors import DesignError, SequenceError, quoted
from causalgia.predict import Predictor
from causalgia.predict.predictor import check_predictor
from causalgia.sequences.fasta import Sequences, Source, as_sequences
from causalgia.streams import RNG, derive
from causalgia.trial.attributes import check_analysis, known_tasks
from causalgia.trial.setup import TrialSetup, set_up_trial
from causalgia.trial.turns import draw_backgrounds

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
        if not isinstance(self.design, Design):
            raise DesignError(
                f"run(design, predictor): the first argument is {type(self.design).__name__}, not a cg.Design"
            )
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


APART = 0.9
"""AUROC, in either direction, from which a note says that null model and real sequences do not overlap."""
_MOST = 200
_NAMED = 3


def auroc(units: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    """Return the probability that a real sequence scores higher than a unit, ties counting half (Mann-Whitney U / nm).

    Examples
    --------
    >>> auroc(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    0.875
    """
    from scipy import stats

    ranks = stats.rankdata(np.concatenate([units, real]))[len(units) :]
    n, m = len(units), len(real)
    return float((ranks.sum() - m * (m + 1) / 2) / (n * m))


def overlap_notes(design: Design, predictor: Predictor, real: Any) -> list[str]:
    """Return a note on tasks in which untreated units and real sequences are separated: AUROC >= .9 or <= .1.

    Up to 200 units, drawn by a key of their own, and up to 200 of the real sequences, spread evenly, are predicted. An
    average effect over units that look unlike every real sequence to the network is an extrapolation.

    Parameters
    ----------
    design, predictor
        The trial.
    real
        Sequences (a path, strings, or a table of names) of the length of the backgrounds; or ``"parents"``, the
        sequences of the null model.

    Raises
    ------
    DesignError
        If `real` is none of these, or of another length.
    PredictorError
        If the predictor cannot answer.
    """
    key = derive(0, "overlap", design.fingerprint)
    units = draw_backgrounds(design, 0, min(_MOST, design.n_units), key=key)
    tokens = _real_tokens(design, real)
    real_answers = predictor.predict(tokens).astype(np.float64)
    unit_answers = predictor.predict(units.tokens).astype(np.float64)
    found = [
        text
        for at in np.ndindex(*real_answers.shape[1:])
        if (text := _separation(unit_answers, real_answers, at, predictor))
    ]
    if not found:
        return []
    more = f"; and {len(found) - _NAMED} more tasks" if len(found) > _NAMED else ""
    return [
        f"the null model and {len(tokens):,} real sequences do not overlap in what the predictor answers to them "
        f"untreated: {'; '.join(found[:_NAMED])}{more}; effects here are effects far from real sequences: repeat the "
        "trial on cg.Genomic(of=...)"
    ]


def _real_tokens(design: Design, real: Any) -> NDArray[np.uint8]:
    """Return up to 200 real sequences, evenly spread."""
    if isinstance(real, str) and real == "parents":
        if not isinstance(design.null, FromSequences):
            raise DesignError(f"real='parents': {design.null.describe()} have none; give sequences: real=[...]")
        given: Sequences = design.null.parents_given
    else:
        try:
            given = as_sequences(real)
        except SequenceError as error:
            raise DesignError(f"real=...: {error}") from error
    if given.length != design.null.length:
        raise DesignError(
            f"real= has sequences of {given.length} bp and the backgrounds have {design.null.length}; cut them alike"
        )
    places = np.unique(np.linspace(0, len(given) - 1, min(len(given), _MOST)).round().astype(int))
    return np.asarray(given.tokens[places])


def _separation(
    units: NDArray[np.float64], real: NDArray[np.float64], at: tuple[int, ...], predictor: Predictor
) -> str:
    one, other = (np.moveaxis(answers, 0, -1)[at] for answers in (units, real))
    area = auroc(one, other)
    if 1 - APART < area < APART:
        return ""
    names = [predictor.tasks[at[0]], *([] if predictor.models is None else [predictor.models[at[1]]])]
    return (
        f"AUROC {area:.2f} in {', '.join(names)} (units {one.mean():.3g}, sd {one.std():.2g}; real {other.mean():.3g}, "
        f"sd {other.std():.2g})"
    )
