"""Unintended sites: words that two embedded sites complete with the background letters between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from causalgia.design import Arm, Design, Embed
from causalgia.design.intervention import steps_of
from causalgia.design.layout import Layout
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError
from causalgia.sequences import Motif, find_instances
from causalgia.sequences.motif_scores import step_scores, tail_probabilities
from causalgia.streams import derive
from causalgia.types import Tokens

_BACKGROUNDS = 2_000
_P_VALUE = 1e-4  # of an instance of a motif, or that of its best word where it is greater
_WORTH_SAYING = 0.01


def further_sites(design: Design, name: str, *, key: int) -> dict[str, float]:
    """Return how often the embedded sites of an arm complete a further one with the letters between them.

    An instance is unintended if it overlaps two embedded spans and lies within neither: UGCAUG and UGCAUG 8 apart read
    ``UG CA UG`` in one uniform background of 16. Both strands of newly drawn backgrounds (2,000, or all of the null
    model) are scanned; the predictor is not called.

    Parameters
    ----------
    design
        A design with an arm that embeds two or more words or motifs.
    name
        Name of that arm.
    key
        Key of the random stream of backgrounds.

    Returns
    -------
    dict
        Word, or name of a motif -> share of backgrounds, 0 to 1.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.copies(at=(4, 12))
    >>> further_sites(experiment, "2 copies", key=0)
    {'UGCAUG': 0.06...}
    """
    arm = next(arm for arm in design.named_arms if arm.name == name)
    embeds = [step for step in steps_of(arm.intervention) if isinstance(step, Embed)]
    patterns = {as_pattern(step.written).label: step.written.source for step in embeds}
    spans = [(w.start, w.stop) for w in arm.intervention.lay(Layout(design.null.length)).written]
    first, last = min(start for start, _ in spans), max(stop for _, stop in spans)
    tokens = _backgrounds_under(arm, design, key)[:, first:last]
    written = np.array(spans) - first
    return {label: _share_completed(tokens, written, pattern) for label, pattern in patterns.items()}


def further_sites_in_words(design: Design, name: str, *, of: str, key: int) -> tuple[str, ...]:
    """Return a sentence for each word that an arm completes unintentionally in more than 1 % of backgrounds.

    Parameters
    ----------
    design, name, key
        As `further_sites` takes them.
    of
        Contrast that includes the effect of the unintended site.

    Examples
    --------
    >>> import causalgia as cg
    >>> further_sites_in_words(cg.experiments.copies(at=(4, 12)), "2 copies", of="the excess", key=0)
    ('In 6 % of backgrounds the sites of "2 copies" and the letters between them read UGCAUG once more, on either ...',)
    >>> further_sites_in_words(cg.experiments.copies(at=(4, 13)), "2 copies", of="the excess", key=0)
    ()
    """
    return tuple(
        f'In {100 * share:.0f} % of backgrounds the sites of "{name}" and the letters between them read {label} once '
        f"more, on either strand: what it does is part of {of}."
        for label, share in further_sites(design, name, key=key).items()
        if share > _WORTH_SAYING
    )


def _backgrounds_under(arm: Arm, design: Design, key: int) -> Tokens:
    try:
        design.drawn.check(_BACKGROUNDS)
        n = _BACKGROUNDS
    except DesignError:  # the null model has fewer backgrounds
        n = design.n_units
    ids = np.arange(n, dtype=np.uint64)
    tokens = design.drawn.draw(ids, key=derive(key, "null"), n_units=n)
    return arm.intervention.apply(tokens, units=ids, key=key)


def _share_completed(tokens: Tokens, spans: NDArray[np.int64], pattern: str | Motif) -> float:
    """Return the share of sequences with an instance that overlaps two spans and lies within neither."""
    threshold = None if isinstance(pattern, str) else max(_P_VALUE, float(tail_probabilities(step_scores(pattern))[-1]))
    if threshold is not None and threshold >= 1:  # every window is an instance
        return 0.0
    found = find_instances(tokens, pattern, threshold=threshold, overlapping=True)
    start, stop = found.start[:, None], found.start[:, None] + found.width
    overlapped = ((start < spans[:, 1]) & (spans[:, 0] < stop)).sum(axis=1)
    within = ((spans[:, 0] <= start) & (stop <= spans[:, 1])).any(axis=1)
    return len(np.unique(found.row[(overlapped >= 2) & ~within])) / len(tokens)
