"""Instances of a motif that an edit writes, makes or destroys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from causalgia.sequences.motif_scores import find_instances
from causalgia.sequences.motifs import Motif
from causalgia.types import Ints, Mask, Tokens


@dataclass(frozen=True, eq=False)
class InstanceChanges:
    """Changes of a motif in n edited sequences.

    Attributes
    ----------
    written
        (n,) whether an instance lies entirely within a written span.
    made
        (n,) whether there is a new instance elsewhere.
    lost
        (n,) whether an instance of the original sequence is gone.
    """

    written: Mask
    made: Mask
    lost: Mask


def instance_changes(
    before: Tokens,
    after: Tokens,
    written: Ints,
    pattern: str | Motif,
    *,
    threshold: float | None = None,
) -> InstanceChanges:
    """Compare the instances of a string or motif in sequences before and after an edit.

    Parameters
    ----------
    before, after
        (n, length) tokens.
    written
        (start, stop) of the written spans in `after`, (n, m, 2), or (1, m, 2) if the
        same for all.
    pattern, threshold
        As in `causalgia.sequences.find_instances`; instances may overlap.

    Examples
    --------
    >>> from causalgia.sequences import encode
    >>> before, after = encode(["TTTTTTTGATT"]), encode(["TTGATTAAGAT"])
    >>> found = instance_changes(before, after, np.array([[(2, 5), (6, 9)]]), "GAT")
    >>> found.written.tolist(), found.made.tolist(), found.lost.tolist()
    ([True], [True], [True])
    """
    there, now = (
        find_instances(t, pattern, threshold=threshold, overlapping=True)
        for t in (before, after)
    )
    length, width = before.shape[1], now.width
    places = now.row * length + now.start
    known = there.row * length + there.start
    spans = written[now.row if len(written) > 1 else np.zeros_like(now.row)]
    inside = (
        (spans[..., 0] <= now.start[:, None])
        & (now.start[:, None] + width <= spans[..., 1])
    ).any(axis=1)
    return InstanceChanges(
        written=_row_flags(now.row[inside], len(after)),
        made=_row_flags(now.row[~inside & ~np.isin(places, known)], len(after)),
        lost=_row_flags(there.row[~np.isin(known, places)], len(after)),
    )


def _row_flags(rows: Ints, n: int) -> Mask:
    flags = np.zeros(n, bool)
    flags[rows] = True
    return flags
