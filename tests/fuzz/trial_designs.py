"""Designs of trials as Hypothesis draws them: any null model, motifs, sites and
controls, whole factorials.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from hypothesis import assume, strategies as st

import causalgia as cg
from causalgia.design import (
    DinucleotideShuffle,
    Genomic,
    KletShuffle,
    Markov,
    Profile,
    Shuffle,
    Uniform,
)
from causalgia.errors import DegenerateWarning, DesignError

LENGTH = 24
TASKS = ("linear", "curved", "count")
_PARENTS = [
    "".join(row)
    for row in np.random.default_rng(0).choice(list("ACGT"), size=(60, LENGTH))
]
_WEIGHTS = np.sin(np.arange(4 * LENGTH)).reshape(4, LENGTH)
_WORDS = st.text("ACGT", min_size=1, max_size=8)
_N_UNITS = st.sampled_from([2, 3, 12, 40, 41, 300, 2_500, 5_000])
"""As many turns of a trial as one, and two."""


def answers(tasks: int, *, reverse: bool = False) -> Callable[[np.ndarray], np.ndarray]:
    """Return a predictor's function of the first so many tasks."""

    def answer(x: np.ndarray) -> np.ndarray:
        y = ((x[..., ::-1] if reverse else x) * _WEIGHTS).sum((1, 2))
        return np.stack([y, np.exp(y / 8), x[:, 1:3].sum((1, 2))], 1)[:, :tasks]

    return answer


@st.composite
def nulls(draw: st.DrawFn) -> cg.design.NullModel:
    """Draw a null model of backgrounds of one length."""
    kind = draw(
        st.sampled_from(
            [
                Uniform,
                Profile,
                Markov,
                Shuffle,
                DinucleotideShuffle,
                KletShuffle,
                Genomic,
            ]
        )
    )
    if kind is Uniform:
        return Uniform(length=LENGTH)
    of = _PARENTS[: draw(st.sampled_from([5, 20, 60]))]
    if kind is Markov:
        return Markov(of=of, order=draw(st.integers(0, 2)))
    if kind is KletShuffle:
        return KletShuffle(of=of, k=draw(st.integers(1, 3)))
    return Genomic(of=_PARENTS) if kind is Genomic else kind(of=of)


@st.composite
def interventions(
    draw: st.DrawFn, first: int = 0, last: int = LENGTH
) -> cg.design.Intervention:
    """Draw what is done between two places: a motif, a placebo of one, a scramble, an
    ablation.
    """
    word = draw(_WORDS.filter(lambda word: len(word) <= last - first))
    at = draw(st.integers(first, last - len(word)))
    start, stop = sorted(
        draw(st.lists(st.integers(first, last), min_size=2, max_size=2, unique=True))
    )
    kind = draw(st.sampled_from(["embed", "embed", "placebo", "scramble", "ablate"]))
    if kind == "embed":
        return cg.Embed(word, at=at, strand=draw(st.sampled_from("+-")))
    if kind == "placebo":
        return cg.Placebo(word, at=at)
    return (
        cg.Scramble((start, stop))
        if kind == "scramble"
        else cg.Ablate((start, stop), fill="uniform")
    )


@st.composite
def sites(draw: st.DrawFn) -> cg.design.Intervention:
    """Draw one intervention, or several at places of their own."""
    cut = draw(st.sampled_from([(0, 24), (0, 12, 24), (0, 8, 16, 24)]))
    parts = [draw(interventions(a, b)) for a, b in pairwise(cut)]
    together = parts[0]
    for part in parts[1:]:
        together = together + part
    return together


@st.composite
def arms(
    draw: st.DrawFn,
) -> dict[str, cg.design.Intervention] | tuple[cg.design.Arm, ...]:
    """Draw a control and up to four arms beside it, or a factorial of two or three
    factors.
    """
    if draw(st.booleans()):
        k = draw(st.integers(2, 3))
        factors = {f"F{i}": draw(interventions(8 * i, 8 * i + 8)) for i in range(k)}
        return cg.factorial(factors, untreated="control")
    control = draw(st.one_of(st.just(cg.Untreated()), interventions()))
    return {"control": control} | {
        f"arm {i}": draw(sites()) for i in range(draw(st.integers(1, 4)))
    }


@st.composite
def designs(draw: st.DrawFn) -> cg.Design:
    """Draw a design; what a design refuses (an arm that does nothing, two that are the
    same) is drawn again.
    """
    null, n_units = draw(nulls()), draw(_N_UNITS)
    if isinstance(null, Genomic):
        n_units = min(n_units, len(_PARENTS))  # each of them is one unit
    assignment = draw(
        st.sampled_from(["crossover", "crossover", "crossover", "parallel"])
    )
    try:
        with warnings.catch_warnings():  # few distinct shuffles of short sequences
            warnings.simplefilter("ignore", DegenerateWarning)
            return cg.Design(
                null=null,
                arms=draw(arms()),
                n_units=n_units,
                assignment=assignment,
                contrasts="control",
            )
    except DesignError:
        assume(False)
        raise
