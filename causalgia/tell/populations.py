"""The sentence of individual effects, from the shapes of their populations alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from causalgia.checks import in_list
from causalgia.tell.answer_sentences import size_in_words
from causalgia.tell.shapes import Shape
from causalgia.tell.table_formats import format_share
from causalgia.types import Array

_DOES = {
    1: "increases the outcome",
    -1: "decreases the outcome",
    0: "has a negligible effect",
    None: "has an undecided effect",
}


def population_sentence(
    shapes: Sequence[Shape], mean: Mapping[str, float], *, what: str, units: str
) -> str:
    """Return what is done, and what the units lose or gain by it: each population, the
    largest effect first, or the mean of the only one.

    Parameters
    ----------
    shapes
        From `causalgia.experiments.kit.populations.populations`.
    mean
        ``ace``, ``lower`` and ``upper`` over all units.
    what, units
        What is done, as the subject of a sentence, and to how many units: ``"156 sites
        in 153 sequences"``.

    Examples
    --------
    >>> of = {"axis": "site", "start": 0.0, "stop": 0.0}
    >>> few = Shape(
    ...     **of, n=14, sign=-1, size=-1.28, weakest=-1.1, strongest=-1.4, share=0.09
    ... )
    >>> rest = Shape(
    ...     **of, n=142, sign=0, size=-0.04, weakest=0.0, strongest=-0.1, share=0.91
    ... )
    >>> mean = {"ace": -0.15, "lower": -0.2, "upper": -0.1}
    >>> on = {"what": "overwriting CATTCCA", "units": "156 sites in 153 sequences"}
    >>> population_sentence([few, rest], mean, **on)
    'overwriting CATTCCA: 9 % of 156 sites in 153 sequences lose 1.28; the others change negligibly (-0.04); ...'
    """
    size = size_in_words(mean)
    if len(shapes) == 1:
        return f"{what} {_DOES[shapes[0].sign]} ({size}; {units})."
    *named, rest = shapes
    of = [
        f"{format_share(s.share)} {f'of {units} ' if s is named[0] else ''}{_changes(s)}"
        for s in named
    ]
    return f"{what}: {in_list(of)}; the others {_changes(rest)}; the mean is {size}."


def spread_sentence(each: Array, *, of: str) -> str:
    """Return the middle half of the effects of units, and the extremes.

    Examples
    --------
    >>> spread_sentence(np.arange(5.0), of="overwriting CATTCCA")
    'overwriting CATTCCA: half of its effects lie within 1 to 3, all within 0 to 4.'
    """
    low, first, third, high = np.quantile(each, [0, 0.25, 0.75, 1])
    return (
        f"{of}: half of its effects lie within {first:.3g} to {third:.3g}, all within "
        f"{low:.3g} to {high:.3g}."
    )


def _changes(shape: Shape) -> str:
    if shape.sign == 0:
        return f"change negligibly ({shape.size:+.3g})"
    return f"{'lose' if shape.size < 0 else 'gain'} {abs(shape.size):.3g}"


def counted_sites(n: int, sequences: int) -> str:
    """Return how many sites in how many sequences.

    Examples
    --------
    >>> counted_sites(156, 153), counted_sites(2, 1)
    ('156 sites in 153 sequences', '2 sites in 1 sequence')
    """
    return f"{n:,} sites in {sequences:,} sequence{'s' if sequences != 1 else ''}"
