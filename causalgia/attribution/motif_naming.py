"""The name of a motif: the best match of a database, with runners-up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from causalgia.sequences.motif_names import FactorClass

SAME_NAME = 0.1
"""q-value up to which a motif has a name."""
_NEARER = 100
"""How many times smaller p of a match of another family is than that of an expected
one, at least, for it to name the motif.
"""
_RUNNERS_UP = 2


class MotifName(NamedTuple):
    """What a motif is called.

    Attributes
    ----------
    name
        Name of the best match, or of the expected one; empty if its q is above .1.
    q
        Its q-value over the database; of an expected one over the matrices of its
        class.
    runners_up
        The next two names.
    target
        Which matrix has the name (or would have it).
    """

    name: str
    q: float
    runners_up: tuple[str, ...]
    target: int


def motif_name(
    p: NDArray[np.float64],
    called: Sequence[str],
    classes: Sequence[FactorClass],
    expected: Sequence[int] = (),
) -> MotifName:
    """Return the name of a motif from its p-values against the matrices of a database:
    the best match at a q-value (Benjamini-Hochberg) of .1 or less.

    An expected one has the name instead if its q over the matrices of its own class (the
    database where it has none) is .1 or less, unless one of another family is a hundred
    times nearer.

    Parameters
    ----------
    p
        p-value against each of n matrices.
    called, classes
        Name, and class and family, of each.
    expected
        Which of them are expected.

    Examples
    --------
    >>> p, called = np.array([1e-6, 1e-5, 0.5, 0.9]), ["FOS", "JUN", "GATA1", "SP1"]
    >>> bzip, other = FactorClass("bZIP", "Jun"), FactorClass("", "")
    >>> classes = [bzip, bzip, other, other]
    >>> motif_name(p, called, classes)[:3]
    ('FOS', 4e-06, ('JUN', 'GATA1'))
    >>> motif_name(p, called, classes, expected=[1])[:3]
    ('JUN', 1e-05, ('FOS', 'GATA1'))
    """
    order = np.argsort(p, kind="stable")
    best = int(order[0])
    q = float(_adjusted(p, best))
    found = MotifName(called[best] if q <= SAME_NAME else "", q, (), best)
    if len(expected):
        own = expected_match(p, classes, expected)
        same_family = classes[best].tf_family and (
            classes[best].tf_family == classes[own.target].tf_family
        )
        nearer = found.name and p[best] * _NEARER <= p[own.target]
        if own.q <= SAME_NAME and (same_family or not nearer):
            found = MotifName(called[own.target], own.q, (), own.target)
    others = dict.fromkeys(
        called[k] for k in order if called[k] != called[found.target]
    )
    return found._replace(runners_up=tuple(others)[:_RUNNERS_UP])


def expected_match(
    p: NDArray[np.float64], classes: Sequence[FactorClass], expected: Sequence[int]
) -> MotifName:
    """Return the nearest of the expected matrices, and its q-value over its class."""
    k = min(expected, key=lambda target: float(p[target]))
    own = classes[k].tf_class
    of_class = [i for i, one in enumerate(classes) if one.tf_class == own or not own]
    return MotifName("", _adjusted(p[of_class], of_class.index(k)), (), k)


def _adjusted(p: NDArray[np.float64], k: int) -> float:
    from scipy.stats import false_discovery_control

    return float(false_discovery_control(p, method="bh")[k])
