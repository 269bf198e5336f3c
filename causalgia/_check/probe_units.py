"""Units and contrasts of a design on which a predictor is checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalgia._check.cost import LongProbe
from causalgia.design import Arm, Design
from causalgia.errors import PredictorError, quoted
from causalgia.predict import NonFiniteError, Predictor
from causalgia.trial.attributes import apply_arm
from causalgia.trial.turns import DrawnUnits, Trial
from causalgia.types import Tokens

Weights: TypeAlias = dict[str, dict[str, float]]


@dataclass(frozen=True)
class ProbeUnits:
    """The first units of a design, drawn with a key of their own, and the contrasts to check.

    Attributes
    ----------
    trial
        The trial.
    units
        The backgrounds.
    weights
        Contrast -> arm -> weight.
    seconds_a_row
        Approximate time of an answer.
    probe
        The first passes of a sequence above 50 kb, where every pass counts; else None.
    n_asked
        Sequences asked so far, by precision: ``"float32"`` of the predictor itself, ``"float64"`` of its reference.
    """

    trial: Trial
    units: DrawnUnits
    weights: Weights
    seconds_a_row: float = 0.0
    probe: LongProbe | None = None
    n_asked: Counter[str] = field(default_factory=Counter, repr=False, compare=False)
    _answered: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.units.ids)

    @cached_property
    def arms(self) -> tuple[str, ...]:
        """The arms of the contrasts, in the order of the design, the reference arm first."""
        used = {arm for row in self.weights.values() for arm in row}
        first = reference_arm(self.trial.design)
        return (first, *(name for name in self.trial.design.arm_names if name in used - {first}))

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """Weights of the contrasts over `arms`, (K, arms)."""
        return np.array([[row.get(arm, 0.0) for arm in self.arms] for row in self.weights.values()])

    @cached_property
    def goes_one_by_one(self) -> bool:
        """Whether sequences are long and go through the predictor alone, so that none has batch mates."""
        sizes = (part.resolve_batch_size(n) for part in self.trial.predictor.parts for n in self.lengths)
        return self.probe is not None and max(sizes) == 1

    @cached_property
    def lengths(self) -> set[int]:
        """The lengths of the trial's sequences."""
        return {tokens_under(self.trial, self.units, arm, slice(0, 1)).shape[1] for arm in self.trial.design.arm_names}

    def tokens(self, arm: str, n: int | None = None) -> Tokens:
        """Return the first n units under an arm, (n, length)."""
        return tokens_under(self.trial, self.units, arm, slice(0, n))

    def answers(self, arm: str) -> NDArray[Any]:
        """Return the predictor's answers to the units under an arm, (units, tasks[, models]), cached.

        Raises
        ------
        PredictorError
            If it fails; names the arm, and the unit and task whose answer is not finite.
        """
        if arm not in self._answered:
            tokens = self.tokens(arm)
            known = self.trial.known(tokens)
            new = [row for row in range(len(tokens)) if row not in known]
            made = self.named(self.trial.predictor, tokens[new], arm, new) if new else ()
            self._answered[arm] = np.stack([*known.values(), *made])[np.argsort([*known, *new])]
        return self._answered[arm]

    def named(self, predictor: Predictor, tokens: Tokens, arm: str, rows: Sequence[int] | None = None) -> NDArray[Any]:
        """Return the answers to tokens of units (the first ones) under an arm; an error names the arm and unit."""
        self.n_asked[str(predictor.precision)] += len(tokens)
        try:
            return predictor.predict(tokens)
        except NonFiniteError as error:
            unit = int(self.units.ids[error.row if rows is None else rows[error.row]])
            raise PredictorError(f"arm {quoted(arm)}, unit {unit}: {error.detail}") from error
        except PredictorError as error:
            raise PredictorError(f"arm {quoted(arm)} ({tokens.shape[1]} bp): {error}") from error

    def outcomes(self) -> NDArray[np.float64]:
        """Return the answers to the units under each of `arms`, (arms, units, tasks[, models])."""
        return np.stack([self.answers(arm) for arm in self.arms]).astype(np.float64)

    def outcomes_of(self, predictor: Predictor) -> NDArray[np.float64]:
        """Return the outcomes of another predictor."""
        answers = [self.named(predictor, self.tokens(arm), arm) for arm in self.arms]
        return np.stack(answers).astype(np.float64)


def tokens_under(trial: Trial, units: DrawnUnits, arm: str, rows: slice) -> Tokens:
    """Return some units under an arm."""
    return apply_arm(arm_of(trial.design, arm), units.tokens[rows], units.ids[rows], trial.key)


def arm_of(design: Design, name: str) -> Arm:
    """Return the arm of that name."""
    return next(arm for arm in design.named_arms if arm.name == name)


def reference_arm(design: Design) -> str:
    """Return the arm that others are compared with: the design's control, else the untreated arm, else the first.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"GATA": cg.Embed("GATA", at=20), "as it is": cg.Untreated()}
    >>> reference_arm(cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=10))
    'as it is'
    """
    control = design.asked.get("control")
    untreated = (arm.name for arm in design.named_arms if arm.intervention.kind == "untreated")
    called = (name for name in design.arm_names if name.lower() == "control")
    return str(control) if control is not None else next(untreated, next(called, design.arm_names[0]))


def contrasts_to_check(design: Design, *, most: int, most_arms: int) -> Weights:
    """Return at most `most` contrasts of a design, spread evenly, that together weigh few arms.

    They are those that the design names, else every arm against the reference arm. If each of them weighs too many
    arms, it is one other arm against the reference arm.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), **{w: cg.Embed(w, at=20) for w in ("GATA", "TATA", "CACC")}}
    >>> design = cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=10)
    >>> contrasts_to_check(design, most=2, most_arms=8)
    {'GATA': {'GATA': 1.0, 'untreated': -1.0}, 'CACC': {'CACC': 1.0, 'untreated': -1.0}}
    """
    control = reference_arm(design)
    named: Mapping[str, Mapping[str, float]] | None = design.named_contrasts
    names = list(named) if named is not None else [arm for arm in design.arm_names if arm != control]
    chosen: Weights = {}
    arms = {control}
    for name in pick_evenly(names, most):
        row = {name: 1.0, control: -1.0} if named is None else dict(named[name])
        if len(arms | row.keys()) <= most_arms:
            chosen[name] = row
            arms |= row.keys()
    if chosen:
        return chosen
    other = next(arm for arm in design.arm_names if arm != control)
    return {f"{other} - {control}": {other: 1.0, control: -1.0}}


def pick_evenly(names: list[str], most: int) -> list[str]:
    """Return at most `most` names, spread evenly from the first to the last.

    Examples
    --------
    >>> pick_evenly(list("abcdefg"), 3)
    ['a', 'd', 'g']
    """
    return [names[i] for i in np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int))]
