"""Source sequences of a null model, predicted beside the trial.

An average over shuffles says nothing of the sequences that were shuffled. A trial can
therefore predict some of them, untreated and under up to five arms of its contrasts,
which changes no unit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from causalgia.analysis import Analysis
from causalgia.attributes import attributes
from causalgia.checks import is_whole
from causalgia.design import Arm, Design, Genomic, Untreated
from causalgia.design.intervention import steps_of
from causalgia.design.null_model import FromSequences, random_order
from causalgia.errors import DesignError, SequenceError
from causalgia.predict import Predictor
from causalgia.sequences.fasta import Name, Sequences, as_sequences
from causalgia.streams import derive
from causalgia.trial.attributes import apply_arm
from causalgia.trial.turns import Trial
from causalgia.types import Tokens

MOST_SEQUENCES, MOST_ARMS, LEAST_SEQUENCES = 10, 5, 3
UNTREATED = "untreated"
"""Name of the untreated source sequences in a design that has no such arm."""
_WRITES = ("embed", "insert")
_OTHER_KINDS = ("placebo", "is_placebo", "scramble", "ablate")
"""Edits at a place of the design, which an arm that embeds may be compared with."""


@dataclass(eq=False)
class SourceTrial:
    """Some source sequences and the arms that they receive beside the units of a trial.

    Attributes
    ----------
    sequences
        Those that are predicted.
    population
        What they are, in words: "10 of the 500 source sequences".
    arms
        Their arms; the first is untreated.
    outcomes
        ``source_outcome (source_sequence, source_arm, task[, model])``, once predicted,
        and attributes. Where arms draw, a sequence has several rows, one for each draw.
    """

    sequences: Sequences
    population: str
    arms: tuple[Arm, ...]
    outcomes: xr.Dataset | None = field(default=None, repr=False)

    def predict(self, trial: Trial) -> None:
        """Predict every distinct sequence once."""
        outcome, n = self._answers(trial)
        dims = ("source_sequence", "source_arm", *trial.predictor.dims)
        names = np.asarray(list(map(str, self.sequences.names)))
        coords = {
            "source_sequence": np.repeat(names, self.n_draws),
            "source_arm": np.asarray([arm.name for arm in self.arms]),
        }
        attrs = attributes(source_sequences=self.population, source_predictions=n)
        self.outcomes = xr.Dataset({"source_outcome": (dims, outcome)}, coords, attrs)

    @property
    def n_draws(self) -> int:
        """Draws of each random arm, as many as there are predictions to spare."""
        random = sum(arm.intervention.random for arm in self.arms)
        fixed = len(self.arms) - random
        return max(1, (1 + MOST_ARMS - fixed) // random) if random else 1

    def _answers(self, trial: Trial) -> tuple[NDArray[Any], int]:
        """Return outcomes (rows, arms, tasks[, models]) and the number of predictions.

        Random arms draw as for `causalgia.Genomic` of these sequences with ``n_draws``,
        by the seed of the trial.
        """
        tokens = np.repeat(self.sequences.tokens, self.n_draws, axis=0)
        ids = np.arange(len(tokens), dtype=np.uint64)
        places = dict[bytes, int]()
        by_length: dict[int, list[tuple[int, Tokens]]] = {}
        place = np.empty((len(tokens), len(self.arms)), np.intp)
        for j, arm in enumerate(self.arms):
            edited = apply_arm(arm, tokens, ids, trial.key)
            for i, row in enumerate(edited):
                new = len(places)
                place[i, j] = at = places.setdefault(row.tobytes(), new)
                if at == new:
                    by_length.setdefault(len(row), []).append((at, row))
        answers: list[NDArray[Any]] = [np.empty(0)] * len(places)
        for rows in by_length.values():
            found = trial.predictor.predict(np.stack([row for _, row in rows]))
            for (at, _), answer in zip(rows, found, strict=True):
                answers[at] = answer
        return np.stack(answers)[place], len(places)


def source_trial(
    design: Design, predictor: Predictor, analysis: Analysis, real: Any, *, key: int
) -> SourceTrial | None:
    """Return the source sequences that a trial predicts beside its units, if any.

    Reserved sequences are never among them. If there are more than are asked for (or
    than ten that were given) they are drawn by the seed, one of each parent.

    Parameters
    ----------
    design, predictor
        The trial.
    analysis
        Its contrasts: the analysis, completed by those of the design.
    real
        As in `causalgia.run`.
    key
        Root key of the trial.

    Raises
    ------
    DesignError
        If `real` is no sequences, or they have another length than the backgrounds; or
        a number of source sequences, and there are none or the predictor answers a
        track.
    """
    if real is None:
        return None
    asked = is_whole(real)
    null = design.drawn
    has_own = isinstance(null, FromSequences) and not isinstance(null, Genomic)
    if asked and (real < LEAST_SEQUENCES or not has_own):
        raise DesignError(
            f"real={real}: the number of source sequences, at least {LEAST_SEQUENCES}, "
            "of a null model that is made of sequences"
        )
    if "position" in predictor.dims:
        if not asked:
            return None
        raise DesignError(f"real={real}: the predictor answers a track")
    own = asked or (isinstance(real, str) and real == "parents")
    if own and not has_own:
        return None
    given = (
        null.parents_given  # type: ignore[attr-defined]  # has_own says so
        if own
        else as_real_sequences(design, real)
    )
    most = int(real) if asked else MOST_SEQUENCES
    rows = _distinct_rows(given, min(most, design.n_units), key)
    if len(rows) < LEAST_SEQUENCES:
        return None
    names = tuple(str(given.names[row]) for row in rows)
    noun = "source" if own else "real"
    population = (
        f"the {len(rows)} {noun} sequences"
        if len(rows) == len(given)
        else f"{len(rows)} of the {len(given):,} {noun} sequences"
    )
    chosen = Sequences(np.asarray(given.tokens[rows]), names)
    return SourceTrial(chosen, population, source_arms(design, analysis))


def as_real_sequences(design: Design | None, real: Any) -> Sequences:
    """Return given real sequences, of the length of a design's backgrounds.

    Raises
    ------
    DesignError
        If they are none, or have another length than the backgrounds.
    """
    try:
        given = as_sequences(real)
    except SequenceError as error:
        raise DesignError(f"real=...: {error}") from error
    if design is not None and given.length != design.null.length:
        raise DesignError(
            f"real= has sequences of {given.length} bp and the backgrounds have "
            f"{design.null.length}"
        )
    return given


def _distinct_rows(given: Sequences, most: int, key: int) -> list[int]:
    """Return rows of different parents: in order, the first of a random order."""
    chosen: dict[Name, int] = {}
    for row in random_order(len(given), derive(key, "sources")).tolist():
        if len(chosen) == most:
            break
        chosen.setdefault(given.parents[row], row)
    return sorted(chosen.values())


def named_contrasts(
    design: Design, analysis: Analysis
) -> Mapping[str, Mapping[str, float]]:
    """Return the weights of the contrasts that an analysis names, by contrast.

    An interaction has its arms, each with weight 1.
    """
    if analysis.interaction:
        named = set(analysis.interaction)
        arms = [arm.name for arm in design.named_arms if named <= set(arm.factors)]
        return {"interaction": dict.fromkeys(arms, 1.0)}
    if analysis.control is not None:
        control = str(analysis.control)
        names = [arm for arm in design.arm_names if arm != control]
        return {arm: {arm: 1.0, control: -1.0} for arm in names}
    return analysis.weights_by_contrast


def source_arms(design: Design, analysis: Analysis) -> tuple[Arm, ...]:
    """Return the arms of source sequences: untreated ones, and up to five others.

    Contrasts are taken in their order, each with all of its arms or not at all, if one
    of its arms embeds a motif and the others edit places of the design; an experiment
    that names no contrasts has its first embedding arms, and a placebo.
    """
    arms = {arm.name: arm for arm in design.named_arms}
    rows = [
        [name for name, weight in row.items() if weight]
        for row in named_contrasts(design, analysis).values()
    ]
    if not rows:
        embed = [arm.name for arm in design.named_arms if _embeds(arm)]
        placebo = [
            a.name for a in design.named_arms if a.intervention.kind == "placebo"
        ]
        rows = [[name, *placebo[:1]] for name in embed]
    chosen: dict[str, Arm] = {}
    for row in rows:
        found = [arms[name] for name in row if name in arms]
        if len(found) < len(row) or not any(map(_embeds, found)):
            continue
        if not all(_is_in_place(arm) for arm in found):
            continue
        with_these = chosen | {arm.name: arm for arm in found if not _is_untreated(arm)}
        if len(with_these) <= MOST_ARMS:
            chosen = with_these
        if len(chosen) == MOST_ARMS:
            break
    none = [arm for arm in design.named_arms if _is_untreated(arm)]
    name = UNTREATED if UNTREATED not in arms else f"{UNTREATED} sequence"
    return (*(none or [Arm(name, Untreated())]), *chosen.values())


def _is_untreated(arm: Arm) -> bool:
    return not steps_of(arm.intervention)


def _embeds(arm: Arm) -> bool:
    return any(step.kind in _WRITES for step in steps_of(arm.intervention))


def _is_in_place(arm: Arm) -> bool:
    kinds = (*_WRITES, *_OTHER_KINDS)
    return all(step.kind in kinds for step in steps_of(arm.intervention))
