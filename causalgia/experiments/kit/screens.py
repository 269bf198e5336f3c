"""Screens: many arms at one place, compared with random sequences there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from causalgia.analysis import Analysis
from causalgia.checks import as_count
from causalgia.choices import LEAST_PLACEBOS, placebos_for_ranks
from causalgia.design import Arm, NullModel, Untreated
from causalgia.design.pattern_interventions import FixedPlacebo
from causalgia.errors import DesignError
from causalgia.experiments.kit.experiment import Entry, Experiment
from causalgia.ropes import Rope, RopeLike
from causalgia.streams import derive

CONTROL, PLACEBO = "untreated", "placebo "
_STREAM = 2018  # random key of the random sequences, which are fixed by the design
_ATTEMPTS = 1_000
_WIDER = 1.2


def screen_of_arms(
    null: NullModel,
    arms: Sequence[Arm],
    *,
    n_units: int,
    rope: RopeLike,
    entry: Entry,
    **labels: Mapping[str, Any],
) -> Experiment:
    """Return the experiment that compares each arm with the untreated one; arms of a
    fixed placebo are the random sequences.

    Raises
    ------
    DesignError
        If verdicts are by ranks, and the random sequences of a class are too few.
    """
    placebos = [arm.name for arm in arms if isinstance(arm.intervention, FixedPlacebo)]
    classes = labels.get("placebo_class", {})
    fewest = min(Counter(classes.get(name) for name in placebos).values(), default=0)
    needed = placebos_for_ranks(len(arms) - len(placebos))
    if Rope.parse(rope).kind == "placebo" and fewest < needed:
        raise DesignError(
            f"rope='placebo' needs {needed:,} random sequences of each width for "
            f"{len(arms) - len(placebos):,} arms, and there are {fewest:,}",
            argument="rope",
        )
    return Experiment(
        null=null,
        arms=[Arm(CONTROL, Untreated()), *arms],
        n_units=n_units,
        contrasts=CONTROL,
        entry=entry,
        analysis=Analysis(rope=rope),
        labels={
            "is_placebo": {
                arm.name: isinstance(arm.intervention, FixedPlacebo) for arm in arms
            },
            **labels,
        },
    )


def width_classes(widths: Iterable[int]) -> list[list[int]]:
    """Return widths in classes that share random sequences, narrow ones first: the
    widest of a class is at most a fifth wider than the narrowest.

    The effect of a random sequence is a sum over its positions, more or less, and its
    standard deviation grows with the root of the width: within a class by .095 at most.
    (On DeepSTARR, from 6 to 20 bases, it over the root of the width is .027 to .036.)
    Either side of the range of 50 normal effects has a standard error of .18.

    Examples
    --------
    >>> width_classes([6, 7, 8, 10, 12, 6, 22])
    [[6, 7], [8], [10, 12], [22]]
    """
    classes = list[list[int]]()
    for width in sorted(set(widths)):
        if classes and width <= _WIDER * classes[-1][0]:
            classes[-1].append(width)
        else:
            classes.append([width])
    return classes


def random_placebos(
    width: int, n: int, letters: str, *, other_than: Sequence[str]
) -> list[str]:
    """Draw distinct k-mers uniformly, from a stream that is the same in every design;
    none holds another k-mer.
    """
    from causalgia.sequences.random import random_integers

    n, taken = (
        as_count(n, "n_placebos"),
        {kmer.replace("U", "T") for kmer in other_than},
    )
    left = 4**width - sum(len(kmer) == width for kmer in taken)
    others = f"the {left:,} {'other ' if other_than else ''}k-mers of {width} bases"
    if left < LEAST_PLACEBOS:
        raise DesignError(
            f"a screen needs {LEAST_PLACEBOS} random sequences, and {others} are "
            f"fewer; screen k-mers of {max(3, width + bool(other_than))} bases or more"
        )
    if n < LEAST_PLACEBOS or n > left:
        raise DesignError(
            f"n_placebos={n}: give {LEAST_PLACEBOS} or more, and at most {others}"
        )
    found: dict[str, None] = {}
    attempt, spelling, lengths = (
        0,
        np.array(list(letters)),
        {len(kmer) for kmer in taken},
    )
    while len(found) < n:
        if attempt == _ATTEMPTS:
            raise DesignError(
                f"nearly every k-mer of {width} bases holds one of {len(taken):,} "
                "k-mers; test fewer of them"
            )
        key = derive(_STREAM, "placebo words", width, attempt)
        drawn = random_integers(
            key, np.arange(4 * n, dtype=np.uint64), np.full(width, 4)
        )
        spelled = ("".join(row) for row in spelling[drawn])
        found.update(
            dict.fromkeys(
                kmer
                for kmer in spelled
                if taken.isdisjoint(_parts(kmer.replace("U", "T"), lengths))
            )
        )
        attempt += 1
    return list(found)[:n]


def _parts(kmer: str, lengths: Set[int]) -> set[str]:
    """Return the parts of a k-mer that have these lengths."""
    return {kmer[i : i + n] for n in lengths for i in range(len(kmer) - n + 1)}
