"""Distribution of sequences under an arm, as a mixture of distributions with independent positions.

Under a null model with independent positions (uniform, profile), an embedded word gives point masses, drawn bases give
their probabilities, and a placebo is a mixture over its words. Each component keeps independent positions, so
expectations are sums over windows. Interventions that break independence (a scramble of unlike positions) have no
such form.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from causalgia.design import (
    Ablate,
    Delete,
    Embed,
    Insert,
    Intervention,
    Markov,
    Mutate,
    NullModel,
    Placebo,
    Profile,
    Scramble,
    Sequential,
    Uniform,
    Untreated,
)
from causalgia.design.pattern_interventions import Patterned, admissible, count_orders
from causalgia.design.patterns import as_pattern
from causalgia.errors import quoted
from causalgia.sequences.fasta import as_sequences
from causalgia.sequences.motifs import Motif
from causalgia.types import Array
from causalgia.zoo.automaton import NoClosedForm

_MOST_COMPONENTS = 4_096


@dataclass(frozen=True)
class Mixture:
    """A mixture of m equally likely distributions with independent positions.

    Attributes
    ----------
    columns
        Probabilities of A, C, G, T, (m, length, 4).
    """

    columns: Array

    def overwrite(self, piece: Array, at: int) -> Mixture:
        """Write each of p pieces, (p, w, 4), over each component: m p components."""
        first, second = self._cross(piece)
        written = first.copy()
        written[:, at : at + piece.shape[1]] = second
        return Mixture(written)

    def insert(self, piece: Array, at: int) -> Mixture:
        """Insert each of p pieces, (p, w, 4), before position `at` of each component."""
        first, second = self._cross(piece)
        return Mixture(np.concatenate([first[:, :at], second, first[:, at:]], axis=1))

    def _cross(self, piece: Array) -> tuple[Array, Array]:
        if len(self.columns) * len(piece) > _MOST_COMPONENTS:
            raise NoClosedForm(f"the arm is a mixture of more than {_MOST_COMPONENTS:,} distributions")
        return np.repeat(self.columns, len(piece), axis=0), np.tile(piece, (len(self.columns), 1, 1))


def null_columns(null: NullModel) -> Array:
    """Return the base probabilities of a null model with independent positions, (length, 4).

    Raises
    ------
    NoClosedForm
        If its positions are not independent.
    """
    if isinstance(null, Uniform):
        return np.full((null.length, 4), 0.25)
    if isinstance(null, Profile):
        return null.probabilities()
    if isinstance(null, Markov) and null.order == 0:
        from causalgia.sequences.samplers import fit_markov

        return np.tile(fit_markov(as_sequences(null.of).tokens, 0).transition, (null.length, 1))
    raise NoClosedForm(f"positions of {null.describe()} are not independent")


def mixture(intervention: Intervention, columns: Array) -> Mixture:
    """Return the distribution of sequences after an intervention on independent positions, (length, 4).

    Raises
    ------
    NoClosedForm
        If the result is not a mixture of independent positions, or has too many components.

    Examples
    --------
    >>> import causalgia as cg
    >>> mixture(cg.Placebo("AAC", at=0), np.full((5, 4), 0.25)).columns.shape
    (2, 5, 4)
    """
    return _apply(intervention, Mixture(columns[None]))


@singledispatch
def _apply(intervention: Intervention, before: Mixture) -> Mixture:  # noqa: ARG001
    raise NoClosedForm(f"nothing is known on paper of {type(intervention).__name__}")


@_apply.register
def _apply_untreated(intervention: Untreated, before: Mixture) -> Mixture:  # noqa: ARG001
    return before


@_apply.register
def _apply_sequential(intervention: Sequential, before: Mixture) -> Mixture:
    for step in intervention.steps:
        before = _apply(step, before)
    return before


@_apply.register
def _apply_embed(intervention: Embed, before: Mixture) -> Mixture:
    return before.overwrite(_written_columns(intervention), intervention.at)


@_apply.register
def _apply_insert(intervention: Insert, before: Mixture) -> Mixture:
    return before.insert(_written_columns(intervention), intervention.at)


@_apply.register
def _apply_delete(intervention: Delete, before: Mixture) -> Mixture:
    return Mixture(np.delete(before.columns, np.s_[slice(*intervention.span)], axis=1))


@_apply.register
def _apply_mutate(intervention: Mutate, before: Mixture) -> Mixture:
    mutated = before.columns.copy()
    mutated[:, list(intervention.positions)] = _motif_columns(Motif.from_word(intervention.to))
    return Mixture(mutated)


@_apply.register
def _apply_scramble(intervention: Scramble, before: Mixture) -> Mixture:
    return _scramble_columns(before, intervention.span)


@_apply.register
def _apply_ablate(intervention: Ablate, before: Mixture) -> Mixture:
    start, stop = intervention.span
    if intervention.fill in ("shuffle", "dinucleotide_shuffle"):
        return _scramble_columns(before, intervention.span)
    letters = "N" if intervention.fill == "uniform" else intervention.fill
    word = letters * (stop - start) if len(letters) == 1 else letters
    return before.overwrite(_motif_columns(Motif.from_word(word)), start)


@_apply.register
def _apply_placebo(intervention: Placebo, before: Mixture) -> Mixture:
    source = as_pattern(intervention.pattern).source
    if not isinstance(source, str) or intervention.strand != "+":
        raise NoClosedForm("a placebo of a motif, or on the opposite strand, is drawn and not enumerated")
    if count_orders(source) > _MOST_COMPONENTS:
        raise NoClosedForm(f"{quoted(source)} has more than {_MOST_COMPONENTS:,} rearrangements")
    return before.overwrite(np.eye(4)[admissible(source)], intervention.at)


def _written_columns(intervention: Patterned) -> Array:
    """Return the base probabilities of an embedded pattern, (1, w, 4)."""
    pattern = as_pattern(intervention.pattern)
    literal = isinstance(pattern.source, str) or intervention.instance == "consensus"
    motif = Motif.from_word(pattern.word) if literal else pattern.source
    assert isinstance(motif, Motif)
    return _motif_columns(motif if intervention.strand == "+" else motif.reverse_complement())


def _motif_columns(motif: Motif) -> Array:
    return np.array(motif.probabilities)[None]


def _scramble_columns(before: Mixture, span: tuple[int, int]) -> Mixture:
    """Return the mixture unchanged: shuffling identically distributed bases does not change their distribution."""
    inside = before.columns[:, slice(*span)]
    if np.ptp(inside, axis=1).max() > 0:
        raise NoClosedForm("shuffled positions that differ in distribution are not independent")
    return before
