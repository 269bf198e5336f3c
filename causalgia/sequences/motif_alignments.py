"""Motifs trimmed to their core, and families of motifs that are one by their letters,
aligned on both strands.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import SequenceError, quoted
from causalgia.sequences.motifs import Motif

CORE_BITS = 0.25
"""Information, in bits, of the first and the last position of a core."""
_LEAST_CORRELATION = 0.75
_LEAST_OVERLAP = 4


def motif_core(motif: Motif) -> Motif:
    """Return a motif without the positions at its ends that have less than `CORE_BITS` of
    information.

    A core has four positions or more: the four with the most information, of a motif
    with fewer above the limit.

    Parameters
    ----------
    motif
        The motif, w positions; their information is ``2 + sum_b p_b log2(p_b)``.

    Raises
    ------
    SequenceError
        If the motif has no position of so much.

    Examples
    --------
    >>> import causalgia as cg
    >>> motif_core(cg.motif("MA0035.5")).consensus
    'CTAATCT'
    """
    information = np.asarray(motif.information)
    above = np.flatnonzero(information >= CORE_BITS)
    if not len(above):
        raise SequenceError(
            f"motif {quoted(motif.name)} has no position of {CORE_BITS:g} bits, and no "
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
            if score[best] >= _LEAST_CORRELATION:
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
