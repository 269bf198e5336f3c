"""Copies of a site: what each further one adds, and all beside the same sites alone."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from causalgia.choices import Control
from causalgia.design import Embed, NullModel
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.shapes import draw_shapes, read_shapes
from causalgia.experiments.kit.sites import (
    as_positions,
    as_site,
    further_sites,
)
from causalgia.experiments.kit.trial import ROPE, Trial, Weights
from causalgia.notes import Statement
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.streams import derive

# bases between neighbors; a smaller gap makes unintended further sites more frequent
_LEAST_GAP = 4
_MOST_COPIES = 6
_WORTH_SAYING = 0.01
EXCESS = "excess over single sites"


def copies(
    null: NullModel,
    motif: str | Motif,
    *,
    at: Sequence[int] | None = None,
    control: Control | None = None,
    n_units: int = 1_200,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks what each further copy of a site adds.

    Arms have the site at the first place, at the first two, and so on, on the same
    backgrounds. Estimands, over the null model: ``E[Y(n copies) - Y(n - 1 copies)]``,
    what copy n adds; and ``E[Y(all)] - E[Y(none)]`` minus the sum of the same sites
    alone, the ``excess over single sites`` (0: additive, even where the effect depends
    on the place). The answer is the runs of copies that add alike (finding ``shapes``).

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        The site: a string of IUPAC letters, or a motif (anything that `causalgia.motif`
        accepts).
    at
        0-based starts of two or more copies, in the order in which they are added.
        None: up to six about the center, 4 bases between neighbors.
    control
        What stands at a place without a copy: ``"untreated"``, the background;
        ``"placebo"``, a fresh rearrangement of the site for each unit. None:
        ``"placebo"`` over `causalgia.Genomic`, else ``"untreated"``.
    n_units
        Backgrounds. The excess of six copies is a sum of twelve means, and takes three
        times as many as one effect does.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the largest effect of one copy,
        at least 0.2 sd of the backgrounds.

    Returns
    -------
    Experiment
        Contrasts ``"copy 2 added"``, ..., with coordinate ``copies``, and ``"excess over
        single sites"`` answer the question; beside them ``"1 copy"``, ``"2 copies"``, ...
        and the site ``"alone at 12"`` against none.

    Raises
    ------
    DesignError
        If there are fewer than two places, sites overlap, or one leaves the sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.copies(
    ...     cg.Uniform(length=41), "UGCAUG", at=(4, 13, 22)
    ... )
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("additive"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task outcome: each copy of UGCAUG adds 3... up to 3; all together are additive ...
    """
    site = as_site(motif, "motif")
    pattern = as_pattern(site)
    trial = Trial(null, control=control, entry=replace(COPIES, of=pattern.label))
    places = (
        about_center(trial.null.length, len(pattern))
        if at is None
        else as_positions(at, "at", least=2)
    )
    add_site_copies(trial, site, places)
    return trial.experiment(n_units=n_units, rope=rope)


def add_site_copies(trial: Trial, site: str | Motif, places: Sequence[int]) -> None:
    """Add the rows of copies of a site at these places."""
    sites = [Embed(site, at=place) for place in places]

    def arm(*present: Embed) -> Weights:
        return trial.arm(*present, absent=[s for s in sites if s not in present])

    dose = [arm(*sites[:n]) for n in range(len(sites) + 1)]
    none, total = dose[0], dose[1]
    for n, own in enumerate(dose[1:], 1):
        name = f"{n} {'copy' if n == 1 else 'copies'}"
        single = {"single": True, "asks": "alone"} if n == 1 else {"asks": "all"}
        trial.row(name, own - none, **single)
    for one in sites[1:]:
        alone = arm(one)
        total = total + alone
        trial.row(f"alone at {one.at}", alone - none, single=True, asks="alone")
    for n, (before, own) in enumerate(itertools.pairwise(dose), 1):
        trial.row(f"copy {n} added", own - before, asked=True, copies=n, asks="added")
    excess = dose[-1] - total + (len(sites) - 1) * none
    trial.row(EXCESS, excess, asked=True, asks="excess")


def about_center(length: int, width: int) -> tuple[int, ...]:
    """Return the starts of as many copies as fit, six at most."""
    step = width + _LEAST_GAP
    n = min(_MOST_COPIES, (length + _LEAST_GAP) // step)
    if n < 2:
        raise DesignError(
            f"two copies of {width} bases, {_LEAST_GAP} apart, do not fit {length:,} bp"
        )
    start = (length - (n * step - _LEAST_GAP)) // 2
    return tuple(start + i * step for i in range(n))


def _read_copies(found: TrialResults) -> Reading:
    """Return the shape along copies, how all are beside the same sites alone, and how
    often the letters between two make a further site.
    """
    rows: Mapping[str, Mapping[str, float]] = found.experiment.named_contrasts or {}
    row = rows[EXCESS]
    every = max(row, key=lambda arm: (row[arm] == 1, len(arm)))
    key = derive(found.key, "further sites")
    further = [
        Statement((("completed", share, every, label),))
        for label, share in further_sites(found.experiment, every, key=key).items()
        if share > _WORTH_SAYING
    ]
    reading = read_shapes(
        found, after=lambda rows: (("excess", rows.sel(contrast=EXCESS)),)
    )
    return replace(reading, further=tuple(further))


COPIES = Entry(
    name="copies",
    question="What does each further copy of a site add?",
    estimand=(
        "E[Y(n copies) - Y(n - 1 copies)] for each n, and E[Y(all copies)] minus the sum "
        "of single sites, over the null model."
    ),
    doi="10.1101/418459",
    example={"motif": "UGCAUG"},
    axis="copies",
    read=_read_copies,
    draw=draw_shapes,
)
