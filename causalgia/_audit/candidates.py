"""Candidate motifs of an audit: what maps of sequences propose, as matrices, in the order
of what their sites contribute in all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import special

from causalgia.attribution.attribution_maps import contributions
from causalgia.sequences import Motif
from causalgia.sequences.alphabet import reverse_complement_iupac
from causalgia.sequences.motif_scores import (
    find_instances,
    step_scores,
    tail_probabilities,
)
from causalgia.types import Array, Tokens

MOST = 12
"""Candidates that are tested, at most."""
_LEAST_SITES, _LEAST_SEQUENCES, _LEAST_WIDTH = 8, 3, 4
"""Sites of which a matrix is made, sequences with one, and positions of it."""
_P_VALUES = (1e-6, 5e-6, 2e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3)
_ROUNDS = 3
"""How often a matrix is made again from its sites."""
_WORDS, _SITES, _BESIDE = 10, 30, 8
"""Words, sites of each, and bases beside them, that tell whether both strands are read."""
_SHARED = 0.1
"""Probability that two motifs give the same letter, at each position of one motif."""
_FLANK, _CORE_BITS, _READ_SHARE, _AROUND, _CHANCE = 4, 0.4, 0.1, 10, 16.27
"""Positions looked at beside a motif. Its ends have letters of so many bits more than those
of the bases around, more than by chance (that quantile of chi squared of 3 df, .999), which
contribute that share of what its best position does: bases that are read as composition
contribute too."""
_LEAST_BITS = 0.1
"""Of a position that is named by its letter."""
_LEAST_SHARE, _VARIANTS = 0.02, 4
"""Share of what the sites of the first candidate contribute, that those of another do
beside them; and of how many such variants one may be made."""
_OTHER_SHARE = 0.5
"""Share of what the sites of a candidate contribute, from which those of one much like it
beside them are another motif, and not its weak sites."""
_OWN_SHARE = 0.1
"""Share of what the sites of a candidate contribute, that they do beside the sites of
those before it."""
_LEFT_BY_ONE, _LEFT_BY_TWO, _LEAST_OTHER, _TURNS = 0.1, 2 / 3, 0.1, 20
"""Where sites are those of two motifs: share of the squares of contributions that one
profile leaves, at least; share of that which two leave, at most; and of what the sites of
the first contribute, that those of the second do. How often sites change between the two,
at most."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A motif to be tested.

    Attributes
    ----------
    motif
        Its matrix, named by the letters of its core.
    threshold
        p-value of its sites.
    word
        The word that maps proposed; empty for a named motif.
    total
        What its sites contribute to the answers to the proposing sequences, beside those
        of the candidates before it, in the task where that is most.
    n_sites, n_sequences
        Sites in the proposing sequences, and sequences with one.
    """

    motif: Motif
    threshold: float
    word: str
    total: float
    n_sites: int
    n_sequences: int

    @property
    def label(self) -> str:
        """What it is called until it has a name: the letters of its core."""
        return self.motif.name


@dataclass(frozen=True)
class _Sites:
    """Places of a motif in sequences."""

    row: NDArray[np.int64]
    start: NDArray[np.int64]
    minus: NDArray[np.bool_]
    width: int

    @property
    def n_sequences(self) -> int:
        return len(np.unique(self.row))

    @property
    def bases(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.row[:, None], self.start[:, None] + np.arange(self.width)

    def contributions(self, scores: Array) -> Array:
        """Return what the bases of each site contribute, (sites, tasks)."""
        values: Array = scores[self.bases].sum(axis=1)
        return values

    def total(self, scores: Array) -> float:
        """Return what all contribute, in the task where that is most."""
        sums = self.contributions(scores).sum(axis=0)
        return float(sums[np.abs(sums).argmax()])

    def as_read(self, motif: Motif, scores: Array) -> Motif:
        """Return the motif, turned where sites on the other strand contribute more than
        twice what those as it is written do.
        """
        each = self.contributions(scores)
        own = each[:, self.task(scores)]
        plus, minus = (
            abs(own[of].mean()) if of.any() else 0.0 for of in (~self.minus, self.minus)
        )
        return motif.reverse_complement() if minus > 2 * plus else motif

    def beside(self, scores: Array) -> Array:
        """Return what a base beside each site contributes over what one of it does, on
        the side where that is more, (sites,).
        """
        wide = np.pad(scores, ((0, 0), (_FLANK, _FLANK)))
        row, at = self.row[:, None], self.start[:, None]
        sides = [
            np.abs(wide[row, at + start + np.arange(_FLANK)].mean(axis=1))
            for start in (0, _FLANK + self.width)
        ]
        own = np.abs(scores[self.bases].mean(axis=1))
        ratio: Array = np.maximum(*sides) / np.maximum(own, np.finfo(float).tiny)
        return ratio

    def task(self, scores: Array) -> int:
        """Return the task where all contribute most."""
        return int(np.abs(self.contributions(scores).sum(axis=0)).argmax())

    def windows(self, values: Array, flank: int = _FLANK) -> Array:
        """Return the values (sequence, position[, base]) of each site and of the positions
        beside it, as read on its strand, (sites, positions[, base]); 0 outside.
        """
        beside = ((0, 0), (flank, flank), (0, 0))[: values.ndim]
        at = self.start[:, None] + np.arange(self.width + 2 * flank)
        own: Array = np.pad(values, beside)[self.row[:, None], at]
        own[self.minus] = np.flip(own[self.minus], axis=tuple(range(1, own.ndim)))
        return own

    def where(self, chosen: NDArray[np.bool_]) -> _Sites:
        """Return some of them."""
        return _Sites(
            self.row[chosen], self.start[chosen], self.minus[chosen], self.width
        )

    def cover(self, scores: Array) -> None:
        """Set the contributions of the bases of the sites to 0."""
        scores[self.bases] = 0.0


def candidates(
    proposed: xr.Dataset,
    maps: xr.Dataset,
    sd: Array,
    *,
    both_strands: bool,
    named: Sequence[Motif] = (),
    most: int = MOST,
) -> list[Candidate]:
    """Return the motifs to be tested, those whose sites contribute most first.

    Each next one begins as the proposed word whose occurrences contribute most beside the
    sites of those before it, so that parts and shifted copies of one add nothing. Its
    matrix is made of its sites, each weighed by what it contributes, and its sites are
    found again, at the p-value where they contribute most over the cube root of their
    number.

    Parameters
    ----------
    proposed
        From `causalgia.propose`, on `maps`.
    maps
        Maps of the proposing sequences.
    sd
        (tasks,) standard deviations of predictions, in which tasks are compared.
    both_strands
        Whether sites are read on both strands.
    named
        Motifs that a screen found to act, as matrices.
    most
        Most candidates.
    """
    every, tokens = contributions_of(maps) / sd, maps["observed"].to_numpy()
    free = every.copy()
    seeds = {
        str(word): (
            Motif.from_iupac(str(word)),
            _sites(str(word), tokens, both_strands=both_strands),
        )
        for word in dict.fromkeys(proposed["consensus"].to_numpy().tolist())
    } | {
        one.name: (one, _best_sites(one, tokens, free, both_strands=both_strands)[1])
        for one in named
    }
    made, least = list[Candidate](), 0.0
    while seeds and len(made) < most:
        name = max(seeds, key=lambda one: abs(seeds[one][1].total(free)))
        motif, sites = seeds.pop(name)
        is_word = name != motif.name or motif.name == motif.consensus
        if abs(sites.total(free)) <= least / _VARIANTS:
            break
        threshold, sites = _best_sites(motif, tokens, free, both_strands=both_strands)
        for n in range(_ROUNDS if is_word else 0):
            if n == 0:  # letters that it admits beside its own
                sites = _near(motif, tokens, free, both_strands=both_strands)
                sites, _ = _of_one_motif(
                    motif, sites, tokens, free, both_strands=both_strands
                )
            motif = _weighed(motif, sites, tokens, free)
            threshold, sites = _best_sites(
                motif, tokens, free, both_strands=both_strands
            )
        motif = sites.as_read(motif, free)
        total = sites.total(free)
        least = least or _LEAST_SHARE * abs(total)
        if sites.n_sequences < _LEAST_SEQUENCES or abs(total) < least:
            continue
        in_all = abs(sites.contributions(every)[:, sites.task(free)].sum())
        sites.cover(free)
        if abs(total) < _OWN_SHARE * in_all or any(
            _letters(motif) == one.label
            or (
                _is_same(motif, one.motif, both_strands=both_strands)
                and 0 < total / one.total < _OTHER_SHARE
            )
            for one in made
        ):
            continue
        made.append(
            Candidate(
                replace(motif, name=_letters(motif)),
                threshold,
                name if is_word else "",
                total,
                len(sites.row),
                sites.n_sequences,
            )
        )
    return sorted(made, key=lambda one: -abs(one.total))


def reads_both_strands(
    proposed: xr.Dataset,
    tokens: Tokens,
    answers: Callable[[Tokens], Array],
    *,
    rng: int,
) -> bool:
    """Return whether the sites of the first proposed words do half as much, or more, where
    they and the bases beside them are turned to the other strand: in their sequences, or
    in shuffles of these at the same place, where no partner is near.

    Answers to reverse complements of whole sequences do not tell: those of a network that
    reads both strands and places differ as well.
    """
    generator = np.random.default_rng(rng)
    own, turned_too = np.zeros(2), np.zeros(2)
    words = dict.fromkeys(map(str, proposed["consensus"].to_numpy().tolist()))
    for word in list(words)[:_WORDS]:
        sites = _sites(word, tokens, both_strands=False)
        inside = sites.start >= _BESIDE
        inside &= sites.start + sites.width + _BESIDE <= tokens.shape[1]
        if word == reverse_complement_iupac(word) or not inside.any():
            continue
        # a word may be a part of a motif, which is turned as a whole
        wide = np.arange(-_BESIDE, sites.width + _BESIDE)
        bases = sites.start[inside][:_SITES, None] + wide
        rows = tokens[sites.row[inside][:_SITES]]
        each = np.arange(len(rows))[:, None]
        letters = rows[each, bases]
        for k, others in enumerate((rows, generator.permuted(rows, axis=1))):
            without, there, turned = others.copy(), others.copy(), others.copy()
            without[each, bases] = generator.integers(0, 4, bases.shape)
            there[each, bases] = letters
            turned[each, bases] = 3 - letters[:, ::-1]
            none = answers(without)
            of_word, of_turned = (
                (answers(x) - none).sum(axis=0) for x in (there, turned)
            )
            task = int(np.abs(of_word).argmax())
            own[k] += abs(of_word[task])
            turned_too[k] += of_turned[task] * np.sign(of_word[task])
    return bool(((own > 0) & (2 * turned_too >= own)).any())


def _letters(motif: Motif) -> str:
    """Return the best letter of each position, N where all are much alike.

    Examples
    --------
    >>> _letters(Motif.from_iupac("TGANTCR"))
    'TGANTCA'
    """
    says = motif.information >= _LEAST_BITS
    return "".join(x if y else "N" for x, y in zip(motif.consensus, says, strict=True))


def contributions_of(maps: xr.Dataset) -> Array:
    """Return what each base contributes, (unit, position, task), the mean over models."""
    of = contributions(maps)
    of = of.mean("model") if "model" in of.dims else of
    values: Array = of.transpose("unit", "position", "task").to_numpy()
    return values.astype(np.float64)


def _best_sites(
    motif: Motif, tokens: Tokens, scores: Array, *, both_strands: bool
) -> tuple[float, _Sites]:
    """Return the p-value of the sites of a motif, of those tried the one at which they
    contribute most over the cube root of their number, and the sites. Those of another
    motif among them are left out, and count against it.

    Further sites raise it that contribute a third of the mean of those before, or more.
    """
    least = float(tail_probabilities(step_scores(motif))[-1]) * (1 + 1e-9)
    best = (-1.0, least, _sites(motif, tokens, least, both_strands=both_strands))
    for threshold in (least, *(x for x in _P_VALUES if x > least)):
        sites = _sites(motif, tokens, threshold, both_strands=both_strands)
        if not len(sites.row):
            continue
        own, other = _of_one_motif(
            motif, sites, tokens, scores, both_strands=both_strands
        )
        value = (abs(own.total(scores)) - abs(other.total(scores))) / np.cbrt(
            len(sites.row)
        )
        if value > best[0]:
            best = (value, threshold, own)
    return best[1:]


def _of_one_motif(
    motif: Motif, sites: _Sites, tokens: Tokens, scores: Array, *, both_strands: bool
) -> tuple[_Sites, _Sites]:
    """Return the sites of one motif, and those of another among them: where one profile
    of contributions, scaled to each site, leaves a tenth of their squares or more, two
    leave two thirds of that or less, and the letters of their sites are not those of one.
    The first contribute more, and the others a tenth of it, or more.
    """
    every = np.ones(len(sites.row), bool)
    of_one = sites.where(every), sites.where(~every)
    if len(every) < 2 * _LEAST_SITES:
        return of_one
    of_site = sites.windows(scores[:, :, sites.task(scores)])
    along, sizes, _ = np.linalg.svd(of_site, full_matrices=False)
    first = along[:, 0] * along[:, 1] > 0
    for _ in range(_TURNS):
        if min(first.sum(), (~first).sum()) < _LEAST_SITES:
            return of_one
        profiles = [
            np.linalg.svd(of_site[x], full_matrices=False)[2][0]
            for x in (first, ~first)
        ]
        explained = (of_site @ np.array(profiles).T) ** 2
        before, first = first, explained[:, 0] >= explained[:, 1]
        if (before == first).all():
            break
    left_by_one, total = (sizes[1:] ** 2).sum(), (sizes**2).sum()
    left_by_two = total - explained.max(axis=1).sum()
    if left_by_one < _LEFT_BY_ONE * total or left_by_two > _LEFT_BY_TWO * left_by_one:
        return of_one
    parts = sorted(
        (sites.where(first), sites.where(~first)), key=lambda x: -abs(x.total(scores))
    )
    size, of_other = (abs(x.total(scores)) for x in parts)
    one, other = (_weighed(motif, x, tokens, scores) for x in parts)
    same = _is_same(one, other, both_strands=both_strands)
    return of_one if same or of_other < _LEAST_OTHER * size else (parts[0], parts[1])


def _near(word: Motif, tokens: Tokens, scores: Array, *, both_strands: bool) -> _Sites:
    """Return the sites of a word, and those with one other letter that contribute a
    quarter of what its own do, or more, and are no part of a longer site: the bases beside
    them do not contribute as they do, unless those beside the word's own do.
    """
    p = 0.05 + 0.8 * np.asarray(word.probabilities)
    soft = Motif(word.name, _rows(p / p.sum(axis=1, keepdims=True)))
    wide = len(word)
    one_off = (1 + 3 * wide) / 4.0**wide * (1 + 1e-9)
    own = _sites(word.consensus, tokens, both_strands=both_strands)
    near = _sites(soft, tokens, one_off, both_strands=both_strands)
    of_own = own.contributions(scores)
    task = own.task(scores)
    least = np.median(of_own[:, task]) / 4
    each = near.contributions(scores)[:, task]
    ends = max(0.5, 1.5 * float(np.median(own.beside(scores[:, :, task]))))
    acts = (each * np.sign(least) >= abs(least)) & (
        near.beside(scores[:, :, task]) <= ends
    )
    return _Sites(near.row[acts], near.start[acts], near.minus[acts], wide)


def _sites(
    motif: Motif | str,
    tokens: Tokens,
    threshold: float | None = None,
    *,
    both_strands: bool,
) -> _Sites:
    """Return the sites of a motif in sequences."""
    found = find_instances(
        tokens, motif, threshold=threshold, both_strands=both_strands
    )
    return _Sites(found.row, found.start, found.strand == "-", found.width)


def _weighed(motif: Motif, sites: _Sites, tokens: Tokens, scores: Array) -> Motif:
    """Return the matrix of sites, each weighed by what it contributes in the direction of
    their sum, from the first to the last position that the network reads, four
    positions beside among them; those between that it does not read have any letter.
    """
    if len(sites.row) < _LEAST_SITES:
        return motif
    each = sites.contributions(scores)
    task = sites.task(scores)
    weights = np.maximum(each[:, task] * np.sign(each[:, task].sum()), 0.0)
    weights /= weights.max(initial=0.0) or 1.0
    if weights.sum() < _LEAST_SITES:
        return motif
    counts = np.tensordot(weights, sites.windows(np.eye(4)[tokens]), 1)
    read = weights @ sites.windows(scores[:, :, task])
    total = counts.sum(axis=1, keepdims=True)
    table = np.where(total > 0, counts / np.where(total > 0, total, 1.0), 0.25)
    around = np.tensordot(weights, sites.windows(np.eye(4)[tokens], _AROUND), 1)
    around = around[np.r_[:_AROUND, -_AROUND:0]].sum(axis=0) + 1
    bits = special.rel_entr(table, around / around.sum()).sum(axis=1) / np.log(2)
    n = weights.sum() ** 2 / np.square(weights).sum()
    says = bits >= max(_CORE_BITS, _CHANCE / (2 * np.log(2) * n))
    is_read = np.abs(read) >= _READ_SHARE * np.abs(read[_FLANK:-_FLANK]).max()
    core = np.flatnonzero(says & is_read)
    if not len(core) or core[-1] - core[0] + 1 < _LEAST_WIDTH:
        return motif
    table = np.where(is_read[:, None], table, 0.25)[core[0] : core[-1] + 1]
    return Motif(Motif("core", _rows(table)).consensus, _rows(table))


def _is_same(one: Motif, other: Motif, *, both_strands: bool) -> bool:
    """Return whether two motifs are one: they lie over four fifths of the longer, five
    positions or more, on a strand that is read, and share letters at each.
    """
    a, b = np.asarray(one.probabilities), np.asarray(other.probabilities)
    least = max(_LEAST_WIDTH + 1, 0.8 * max(len(a), len(b)))
    for turned in (b, b[::-1, ::-1])[: 1 + both_strands]:
        for at in range(1 - len(turned), len(a)):
            rows = np.arange(max(0, at), min(len(a), at + len(turned)))
            shared = (a[rows] * turned[rows - at]).sum(axis=1)
            if len(rows) >= least and shared.min() >= _SHARED:
                return True
    return False


def _rows(table: Array) -> Any:
    return tuple(map(tuple, table))
