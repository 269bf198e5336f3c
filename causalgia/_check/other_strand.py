"""Effects of embedded motifs on the other strand, on a few units of a trial.

A network of an RNA, or of one strand of DNA, reads a motif in one orientation. Whoever
embeds the reverse complement finds a small effect, and nothing says why. A check of a
trial of embedded motifs therefore predicts their reverse complements on a few units,
and says where one of them has a larger effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtr

from causalgia.analysis import Analysis
from causalgia.design import Arm, Design, Embed, Insert
from causalgia.design.intervention import Sequential, steps_of
from causalgia.design.pattern_interventions import FixedPlacebo
from causalgia.errors import first_of, quoted
from causalgia.predict import Predictor
from causalgia.predict.predictor import LONG
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.trial.attributes import apply_arm
from causalgia.trial.source_sequences import named_contrasts
from causalgia.trial.turns import Trial
from causalgia.types import Array

N_UNITS = 16
"""Units that are looked at."""
MOTIFS_NAMED = 3
_ANSWER_RATIO = 2.0  # of the larger difference to the mean
_SDS_OF_CONTROL = 0.5
_NOTE_LEVEL = 0.01


@dataclass(frozen=True)
class OrientedArms:
    """An arm that embeds one string, its control, and the arm of the reverse
    complement.
    """

    control: Arm
    motif: Arm
    other: Arm
    spelled: str

    @property
    def reversed(self) -> str:
        """The reverse complement of the string."""
        return reverse_complement_iupac(self.spelled)


@dataclass(frozen=True)
class _Larger:
    """Task -> effects of a motif and of its reverse complement, the latter larger; the
    largest difference first.
    """

    arms: OrientedArms
    sizes: Mapping[int, tuple[float, float]]

    @property
    def task(self) -> int:
        return next(iter(self.sizes))

    @property
    def gain(self) -> float:
        own, turned = self.sizes[self.task]
        return abs(turned) - abs(own)

    @property
    def in_words(self) -> str:
        own, turned = self.sizes[self.task]
        return f"{turned:.3g} against {own:.3g}"


def oriented_arms(
    design: Design, predictor: Predictor, analysis: Analysis
) -> tuple[OrientedArms, ...]:
    """Return the arms of a trial whose motif is looked at on the other strand.

    One of their steps embeds a fixed string, which is no palindrome and whose reverse
    complement no arm embeds. Each is compared with the other arm of its contrast; where
    no contrast of two arms has it, with the first arm that embeds nothing. There are
    none in a trial of a track or of long sequences.

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=41),
    ...     arms={
    ...         "untreated": cg.Untreated(),
    ...         "A": cg.Embed("UGCAUG", at=9),
    ...         "B": cg.Embed("GAAUUC", at=9),
    ...     },
    ...     n_units=400,
    ...     contrasts="untreated",
    ... )
    >>> found = oriented_arms(design, cg.zoo.oracle("rbfox1_like"), cg.Analysis())
    >>> [(x.motif.name, x.reversed) for x in found]
    [('A', 'CAUGCA')]
    """
    if "position" in predictor.dims or design.null.length > LONG:
        return ()
    arms = {arm.name: arm for arm in design.named_arms}
    strings = {_string_of(x) for arm in arms.values() for x in _embeds(arm)}
    pairs = [
        pair
        for weights in named_contrasts(design, analysis).values()
        if (pair := _pair(weights, arms)) is not None
    ]
    compared = {motif.name for _, motif in pairs}
    if (plain := next((x for x in arms.values() if not _embeds(x)), None)) is not None:
        pairs += [(plain, arm) for arm in arms.values() if arm.name not in compared]
    found = dict[str, OrientedArms]()
    for control, motif in pairs:
        if len(_embeds(motif)) != 1:
            continue
        (step,) = _embeds(motif)
        spelled = _string_of(step)
        if not spelled or reverse_complement_iupac(spelled) in strings:
            continue
        turned = replace(step, strand="-" if step.strand == "+" else "+")
        steps = [turned if x is step else x for x in steps_of(motif.intervention)]
        label = step.written.consensus
        label = label if step.strand == "+" else reverse_complement_iupac(label)
        other = Arm(
            f"{motif.name} on the other strand",
            steps[0] if len(steps) == 1 else Sequential(tuple(steps)),
        )
        found.setdefault(spelled, OrientedArms(control, motif, other, label))
    return tuple(found.values())


def _pair(
    weights: Mapping[str, float], arms: Mapping[str, Arm]
) -> tuple[Arm, Arm] | None:
    """Return the two arms of a difference, the one with weight -1 first."""
    used = {name: weight for name, weight in weights.items() if weight}
    if sorted(used.values()) != [-1.0, 1.0] or not used.keys() <= arms.keys():
        return None
    control, motif = sorted(used, key=lambda name: used[name])
    return arms[control], arms[motif]


def _embeds(arm: Arm) -> list[Embed | Insert]:
    """Return the steps of an arm that write a motif, not a placebo."""
    return [
        step
        for step in steps_of(arm.intervention)
        if isinstance(step, Embed | Insert) and not isinstance(step, FixedPlacebo)
    ]


def _string_of(step: Embed | Insert) -> str:
    """Return the fixed string that a step writes, in A, C, G, T; empty for one that is
    drawn.
    """
    if step.random:
        return ""
    letters: str = step.edit().letters
    return letters


def other_strand(arms: tuple[OrientedArms, ...], trial: Trial) -> str:
    """Return a sentence on the motifs whose reverse complement has a larger effect;
    empty if there are none.

    It is said where, in the first units, its mean effect is at least twice as large
    and at least half of a standard deviation of the control's answers, and larger by a
    one-sided paired t test at .01 over all motifs and tasks.
    """
    n = min(N_UNITS, trial.design.n_units)
    if n < 3:
        return ""
    units = trial.draw(0, n)
    controls = dict[Arm, Array]()
    larger = list[_Larger]()
    for each in arms:
        if each.control not in controls:
            (controls[each.control],) = _answers([each.control], trial, units)
        motif, other = _answers([each.motif, each.other], trial, units)
        control = controls[each.control]
        if sizes := _larger_on_the_other(control, motif, other, len(arms)):
            larger.append(_Larger(each, sizes))
    if len(larger) > 1:
        return _of_several(larger, len(arms), trial.predictor.tasks, n)
    return _of_one(larger[0], trial.predictor.tasks, n) if larger else ""


def _answers(arms: list[Arm], trial: Trial, units: Any) -> list[Array]:
    """Return the answers (n, tasks) under each arm, the mean of several predictors."""
    edited = [apply_arm(arm, units.tokens, units.ids, trial.key) for arm in arms]
    if len({x.shape for x in edited}) == 1:
        together = np.asarray(
            trial.predictor.predict(np.concatenate(edited)), np.float64
        )
        found = np.split(together, len(arms))
    else:
        found = [np.asarray(trial.predictor.predict(x), np.float64) for x in edited]
    return [x if x.ndim == 2 else x.mean(axis=2) for x in found]


def _larger_on_the_other(
    control: Array, motif: Array, other: Array, n_motifs: int
) -> dict[int, tuple[float, float]]:
    """Return task -> effects of the motif and of its reverse complement, where that of
    the latter is larger; the largest difference first.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> control = rng.normal(size=(16, 2))
    >>> motif, other = control + 0.5, control + [3.0, 0.5]
    >>> _larger_on_the_other(control, motif, other + 0.01 * rng.normal(size=(16, 2)), 1)
    {0: (0.5, 3.0...)}
    """
    own, turned = motif - control, other - control
    mean, large = own.mean(axis=0), turned.mean(axis=0)
    more = np.sign(large) * turned - np.sign(mean) * own
    n, (gain, sd) = len(own), (more.mean(axis=0), more.std(axis=0, ddof=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(sd > 0, gain / (sd / np.sqrt(n)), np.sign(gain) * np.inf)
    p = 1 - stdtr(n - 1, t)
    noted = (
        (np.abs(large) >= _ANSWER_RATIO * np.abs(mean))
        & (np.abs(large) >= _SDS_OF_CONTROL * control.std(axis=0, ddof=1))
        & (gain > 0)
        & (p < _NOTE_LEVEL / (own.shape[1] * n_motifs))
    )
    order = np.argsort(-gain, kind="stable")
    return {
        int(k): (float(mean[k]), float(large[k])) for k in order.tolist() if noted[k]
    }


def _of_one(found: _Larger, tasks: tuple[str, ...], n: int) -> str:
    more = (
        f" and in {len(found.sizes) - 1:,} other tasks" if len(found.sizes) > 1 else ""
    )
    each = found.arms
    return (
        f"the reverse complement of {each.spelled}, {each.reversed}, has a "
        f"larger effect ({found.in_words} in task {tasks[found.task]}{more}, on the "
        f"first {n} units); the answer of arm {quoted(each.motif.name)} depends on the "
        "strand: if the motif was written for the other one, embed it with strand='-'"
    )


def _of_several(
    found: list[_Larger], n_motifs: int, tasks: tuple[str, ...], n: int
) -> str:
    named = sorted(found, key=lambda x: -x.gain)
    each = [
        f"{x.arms.spelled} (arm {quoted(x.arms.motif.name)}: {x.in_words} in task "
        f"{tasks[x.task]})"
        for x in named
    ]
    shown = first_of(each, MOTIFS_NAMED, sep="; ")
    return (
        f"{len(found):,} of {n_motifs:,} motifs have a larger effect as "
        f"their reverse complement, on the first {n} units; {shown}: "
        "answers of these arms depend on the "
        "strand; embed those that were written for the other one with strand='-'"
    )
