"""Effects of embedded motifs on the other strand, on a few units of a trial.

A network of an RNA, or of one strand of DNA, reads a motif in one orientation. Whoever
embeds the reverse complement finds a small effect, and nothing says why. A trial of a
few embedded motifs therefore predicts their reverse complements on its first units, and
a note says where one of them has a larger effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtr

from causalgia.analysis import Analysis
from causalgia.design import Arm, Design, Embed
from causalgia.design.intervention import steps_of
from causalgia.errors import CausalgiaError, message_line, quoted
from causalgia.predict import Predictor
from causalgia.predict.predictor import LONG
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.trial.attributes import apply_arm
from causalgia.trial.source_sequences import named_contrasts
from causalgia.trial.turns import Trial
from causalgia.types import Array

MOST_MOTIFS, N_UNITS, SHARE = 3, 16, 10
"""Motifs and units that are looked at, and how many times their predictions the trial
makes itself, at least.
"""
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


def oriented_arms(
    design: Design, predictor: Predictor, analysis: Analysis
) -> tuple[OrientedArms, ...]:
    """Return the arms of a trial whose motif is looked at on the other strand.

    They embed one fixed string, which is no palindrome and whose reverse complement no
    arm embeds, and a contrast compares them with one other arm. There are none in a
    trial of more than three such strings, which a screen is; of a track, of long
    sequences, or of fewer predictions than ten times those that this takes.

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
    []
    >>> asking = cg.Analysis(control="untreated")
    >>> found = oriented_arms(design, cg.zoo.oracle("rbfox1_like"), asking)
    >>> [(x.motif.name, x.reversed) for x in found]
    [('A', 'CAUGCA')]
    """
    if "position" in predictor.dims or design.null.length > LONG:
        return ()
    arms = {arm.name: arm for arm in design.named_arms}
    strings = {_string_of(x) for arm in arms.values() for x in _embeds(arm)}
    found = dict[str, OrientedArms]()
    for weights in named_contrasts(design, analysis).values():
        pair = _pair(weights, arms)
        steps = () if pair is None else steps_of(pair[0].intervention)
        if pair is None or len(steps) != 1 or not isinstance(steps[0], Embed):
            continue
        step = steps[0]
        spelled = _string_of(step)
        if not spelled or reverse_complement_iupac(spelled) in strings:
            continue
        turned = replace(step, strand="-" if step.strand == "+" else "+")
        label = step.written.consensus
        label = label if step.strand == "+" else reverse_complement_iupac(label)
        other = Arm(f"{pair[0].name} on the other strand", turned)
        found.setdefault(spelled, OrientedArms(pair[1], pair[0], other, label))
        if len(found) > MOST_MOTIFS:
            return ()
    n_needed = len(found) * 3 * N_UNITS
    n_own = design.n_units * (len(arms) if design.assignment == "crossover" else 1)
    if n_own < SHARE * n_needed:
        return ()
    return tuple(found.values())


def _pair(
    weights: Mapping[str, float], arms: Mapping[str, Arm]
) -> tuple[Arm, Arm] | None:
    """Return the two arms of a difference."""
    used = {name: weight for name, weight in weights.items() if weight}
    if sorted(used.values()) != [-1.0, 1.0] or not used.keys() <= arms.keys():
        return None
    first, second = sorted(used, key=lambda name: -used[name])
    return arms[first], arms[second]


def _embeds(arm: Arm) -> list[Embed]:
    return [step for step in steps_of(arm.intervention) if isinstance(step, Embed)]


def _string_of(step: Embed) -> str:
    """Return the fixed string that a step writes, in A, C, G, T; empty for one that is
    drawn.
    """
    if step.random:
        return ""
    letters: str = step.edit().letters
    return letters


def other_strand_notes(arms: tuple[OrientedArms, ...], trial: Trial) -> tuple[str, ...]:
    """Return a note for each motif whose reverse complement has a larger effect.

    It is noted where, in the first units, its mean effect is at least twice as large
    and at least half of a standard deviation of the control's answers, and larger by a
    one-sided paired t test at .01 over all motifs and tasks.
    """
    if not arms:
        return ()
    n = min(N_UNITS, trial.design.n_units)
    units = trial.draw(0, n)
    notes = []
    for each in arms:
        try:
            control, motif, other = _answers(each, trial, units)
        except CausalgiaError as error:
            notes.append(
                f"{quoted(each.spelled)} could not be predicted on the other strand: "
                f"{message_line(error)}"
            )
            continue
        sizes = _larger_on_the_other(control, motif, other, len(arms))
        if sizes:
            notes.append(_note(each, sizes, trial.predictor.tasks, n))
    return tuple(notes)


def _answers(each: OrientedArms, trial: Trial, units: Any) -> tuple[Array, ...]:
    """Return the answers (n, tasks) under each of the three arms, the mean of several
    predictors.
    """
    edited = [
        apply_arm(arm, units.tokens, units.ids, trial.key)
        for arm in (each.control, each.motif, each.other)
    ]
    found = [np.asarray(trial.predictor.predict(x), np.float64) for x in edited]
    return tuple(x if x.ndim == 2 else x.mean(axis=2) for x in found)


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


def _note(
    each: OrientedArms,
    sizes: Mapping[int, tuple[float, float]],
    tasks: tuple[str, ...],
    n: int,
) -> str:
    task = next(iter(sizes))
    own, turned = sizes[task]
    more = f" and in {len(sizes) - 1:,} other tasks" if len(sizes) > 1 else ""
    return (
        f"the reverse complement of {each.spelled}, {each.reversed}, has a larger effect "
        f"({turned:.3g} against {own:.3g} in task {tasks[task]}{more}, on the first {n} "
        f"units): the answer of arm {quoted(each.motif.name)} depends on the strand; if "
        "the motif was written for the other one, embed it with strand='-'"
    )
