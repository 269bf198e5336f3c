"""Motifs trimmed to their core, and families of motifs that are one by their letters or
by the effects of these, aligned on both strands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.checks import as_number
from causalgia.errors import SequenceError, quoted
from causalgia.sequences.motifs import Motif

CORE_BITS = 0.25
"""Information, in bits, of the first and the last position of a core."""
_LEAST_CORRELATION = 0.75
_LEAST_OVERLAP = 4
_LEAST_SHARED_EFFECT = 0.75
"""Cosine of the effects of two motifs from which they are one: `effect_families`."""


def motif_core(motif: Motif, *, bits: float = CORE_BITS) -> Motif:
    """Return a motif without the positions at its ends that have less than `bits` of
    information.

    A core has four positions or more: the four with the most information, of a motif
    with fewer above the limit.

    Parameters
    ----------
    motif
        The motif, w positions.
    bits
        Least information of its first and last position; information is
        ``2 + sum_b p_b log2(p_b)``.

    Raises
    ------
    SequenceError
        If the motif has no position of `bits`.

    Examples
    --------
    >>> import causalgia as cg
    >>> motif_core(cg.motif("MA0035.5")).consensus
    'CTAATCT'
    """
    limit = as_number(bits, "bits", least=0.0)
    information = np.asarray(motif.information)
    above = np.flatnonzero(information >= limit)
    if not len(above):
        raise SequenceError(
            f"motif {quoted(motif.name)} has no position of {limit:g} bits, and no "
            "core; leave it out"
        )
    start, stop = int(above[0]), int(above[-1]) + 1
    least = min(_LEAST_OVERLAP, len(motif))
    while stop - start < least:
        before = information[start - 1] if start else -1.0
        after = information[stop] if stop < len(information) else -1.0
        start, stop = (start - 1, stop) if before >= after else (start, stop + 1)
    if (start, stop) == (0, len(motif)):
        return motif
    return Motif(
        motif.name,
        motif.probabilities[start:stop],
        identifier=motif.identifier,
        source=motif.source,
        tf_class=motif.tf_class,
        tf_family=motif.tf_family,
    )


def motif_families(
    motifs: Sequence[Motif],
    *,
    both_strands: bool = True,
    alike: float = _LEAST_CORRELATION,
) -> list[int]:
    r"""Return the family of each motif, as the index of its first member.

    Motifs are taken in their order, so that a family is led by the first (give the
    largest effect first): each joins the leader that it is most alike, or founds a
    family. Likeness is that of the best alignment, over every shift and, by default,
    both strands, of the probabilities minus 1/4,

    .. math:: \max_{o}\ \frac{\sum_j (a_j - 1/4) \cdot (b_{j + o} - 1/4)}
        {\min(w_a, w_b)\, s_a s_b},

    with w the width and s the root mean square over the positions of a motif, so that
    it is 1 where the shorter of two strings lies within the longer, and where two
    matrices are equal. Strings of seven letters that differ in one have .81, copies
    shifted by one letter .86, strings that differ in two letters .62. Likeness to a
    leader, not to any member, joins a family: there are no chains.

    Parameters
    ----------
    motifs
        Motifs, trimmed to their cores (`motif_core`).
    both_strands
        Whether a motif and its reverse complement are one.
    alike
        Likeness from which motifs are one.

    Returns
    -------
    list of int
        Of each motif; a leader has its own index.

    Examples
    --------
    >>> spelled = ["TGTTTAC", "GTAAACA", "TGTTTGC", "TGACTCA", "ATGACTCAT"]
    >>> motif_families([Motif.from_iupac(x) for x in spelled])
    [0, 0, 0, 3, 3]
    >>> motif_families([Motif.from_iupac(x) for x in spelled[:2]], both_strands=False)
    [0, 1]
    """
    wide = max(map(len, motifs), default=1)
    tables = [_centered(motif) for motif in motifs]
    own = [float(np.sqrt((table**2).sum() / len(table))) for table in tables]
    leaders, found = list[int](), list[int]()
    padded = np.zeros((0, 3 * wide, 4))
    for i, table in enumerate(tables):
        if leaders:
            wide_of = np.minimum(len(table), [len(tables[k]) for k in leaders])
            size = wide_of * own[i] * np.array([own[k] for k in leaders])
            score = best_alignments(table, padded, both_strands=both_strands) / size
            best = int(np.argmax(score))
            if score[best] >= alike:
                found.append(leaders[best])
                continue
        leaders.append(i)
        found.append(i)
        row = np.zeros((1, 3 * wide, 4))
        row[0, wide : wide + len(table)] = table
        padded = np.concatenate([padded, row])
    return found


def apart_by_class(led: Sequence[int], classes: Sequence[str]) -> list[int]:
    """Return the leader of each motif after those of another class than their leader have
    left its family; those of one class leave together. A class of a dimer
    (``"bHLH::GATA"``) is that of either part; a motif without a class stays.

    Examples
    --------
    >>> apart_by_class([0, 0, 0, 0, 0], ["bZIP", "", "ETS", "bZIP::GATA", "ETS"])
    [0, 0, 2, 0, 2]
    """
    first: dict[tuple[int, str], int] = {}
    parts = [set(one.split("::")) - {""} for one in classes]
    return [
        k
        if not parts[i] or not parts[k] or parts[i] & parts[k]
        else first.setdefault((k, classes[i]), i)
        for i, k in enumerate(led)
    ]


class Alignment(NamedTuple):
    """Where a motif begins on the strand of another one, counted from the first position
    of that, and whether it is turned to its reverse complement.
    """

    start: int
    turned: bool


def alignment(motif: Motif, leader: Motif, *, both_strands: bool = True) -> Alignment:
    """Return the best alignment of a motif with the leader of its family, by the
    likeness of `motif_families`; of equal ones, the strand as it stands and the
    smallest shift.

    Examples
    --------
    >>> leader = Motif.from_iupac("TGACTCA")
    >>> alignment(Motif.from_iupac("ATGACTCAT"), leader)
    Alignment(start=-1, turned=False)
    >>> alignment(Motif.from_iupac("GTAAACA"), Motif.from_iupac("TTGTTTAC"))
    Alignment(start=1, turned=True)
    """
    return aligned(_centered(motif), _centered(leader), both_strands=both_strands).place


class Aligned(NamedTuple):
    """The best alignment of two tables, and the product of the positions that they
    share.
    """

    place: Alignment
    product: float


def aligned(
    table: NDArray[np.float64],
    leader: NDArray[np.float64],
    *,
    both_strands: bool = True,
    overlap: int = 1,
) -> Aligned:
    """Return the alignment of a table of w rows of A, C, G, T with that of the leader of
    its family that has the largest product, with at least so many positions in common;
    of equal ones, the strand as it stands and the smallest shift.

    Examples
    --------
    >>> table = np.eye(4)[[0, 1, 1, 1]]
    >>> aligned(table, np.eye(4)[[3, 0, 1, 1, 1]])
    Aligned(place=Alignment(start=1, turned=False), product=4.0)
    """
    wide = len(table)
    beside = wide - min(overlap, wide, len(leader))
    padded = np.pad(leader, ((beside, beside), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, wide, axis=0)
    found = []
    for turned in (False, True) if both_strands else (False,):
        one = table[::-1, ::-1] if turned else table
        products = np.einsum("sbw,wb->s", windows, one)
        found += [
            (-round(float(product), 9), turned, abs(k - beside), k - beside)
            for k, product in enumerate(products)
        ]
    product, turned, _, start = min(found)
    return Aligned(Alignment(start, turned), -product)


def effect_alignment(
    effects: NDArray[np.float64],
    leader: NDArray[np.float64],
    *,
    both_strands: bool = True,
) -> Aligned:
    """Return the best alignment of the effects of a motif with those of the leader of its
    family, four positions or more in common, as in `effect_families`.
    """
    return aligned(
        _directions(effects),
        _directions(leader),
        both_strands=both_strands,
        overlap=_LEAST_OVERLAP,
    )


def _directions(effects: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return effects by base, each position divided by the square root of its size, and
    all by their norm; 0 where there are none.
    """
    size = np.linalg.norm(effects, axis=1, keepdims=True)
    scaled = effects / np.sqrt(np.where(size > 0, size, 1.0))
    norm = np.sqrt(size.sum())  # the squares of a position's row add up to its size
    scaled /= norm if norm > 0 else 1.0
    return scaled


def effect_families(
    effects: Sequence[NDArray[np.float64]],
    *,
    both_strands: bool = True,
    alike: float = _LEAST_SHARED_EFFECT,
) -> list[int]:
    r"""Return the family of each motif, as the index of its first member, by the effects
    that their letters carry.

    Two motifs are one if the positions that they share, in the best alignment of four
    positions or more, carry the effects of both, and prefer the same bases there: with
    :math:`e_{jb}` the mean answer with base b at position j of a motif, minus the mean
    of the four bases, and :math:`u_j = e_j / \lVert e_j \rVert^{1/2}`,

    .. math:: \max_{o}\ \frac{\sum_j u_j \cdot v_{j + o}}
        {\lVert u \rVert\, \lVert v \rVert}

    is `alike` or more, whatever the size of either effect. The square root is between
    effects (in a weak motif, the letter that it lacks would count for nearly all) and
    letters (of which all would count alike). A flank that carries nothing counts for
    nothing; and a weak variant (``TGACACA``), whose answer rises most with the letter
    that it lacks, is like the strong one. Motifs are taken in their order, as in
    `motif_families`: likeness to a leader joins a family, and there are no chains. A
    motif of which no letter has an effect by itself is like none.

    Parameters
    ----------
    effects
        Of each motif, (w, 4), for A, C, G, T; the largest effect first.
    both_strands
        Whether a motif and its reverse complement are one.
    alike
        Cosine from which motifs are one. Of 605 pairs of words of one matrix of JASPAR,
        as networks that read 30 of them trim them, .5 % were in two families (26 % by
        letters), of 14,307 pairs of two classes of factors .4 % were in one (.3 %); of
        random strings with random effects, .3 % (1.4 %). A motif that is cut inside of
        its core (``TGATAGATA``, of ``AGATAAG``) may stay apart.

    Returns
    -------
    list of int
        Of each motif; a leader has its own index.

    Examples
    --------
    GATA with other flanks, on either strand, and AP-1:

    >>> def carried(letters, sizes):
    ...     rows = np.array(["ACGT".index(x) for x in letters])
    ...     return (np.eye(4)[rows] - 0.25) * np.array(sizes)[:, None]
    >>> effect_families(
    ...     [
    ...         carried("AGATAACG", [2, 4, 4, 4, 4, 3, 0.5, 0.5]),
    ...         carried("AATTATCT", [0.5, 0.5, 3, 4, 4, 4, 4, 2]),
    ...         carried("TGACTCA", [4, 4, 4, 2, 4, 4, 4]),
    ...     ]
    ... )
    [0, 0, 2]
    """
    leaders, found = list[int](), list[int]()
    for i, one in enumerate(effects):
        likeness = [
            effect_alignment(one, effects[k], both_strands=both_strands).product
            for k in leaders
        ]
        best = int(np.argmax(likeness)) if likeness else -1
        if likeness and likeness[best] >= alike:
            found.append(leaders[best])
            continue
        leaders.append(i)
        found.append(i)
    return found


def _centered(motif: Motif) -> NDArray[np.float64]:
    return np.asarray(motif.probabilities, np.float64) - 0.25


def best_alignments(
    table: NDArray[np.float64], padded: NDArray[np.float64], *, both_strands: bool
) -> NDArray[np.float64]:
    """Return the largest product of a table of w rows with each of k padded tables,
    (k, length, 4), over every shift and the strands.
    """
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(table), axis=1)
    strands = [table, table[::-1, ::-1]] if both_strands else [table]
    products = [np.einsum("ksbw,wb->ks", windows, one).max(axis=1) for one in strands]
    best: NDArray[np.float64] = np.max(products, axis=0)
    return best
