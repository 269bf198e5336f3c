"""Effect of a site by its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from causalgia.choices import Control
from causalgia.design import Embed, NullModel
from causalgia.design.patterns import as_pattern
from causalgia.experiments.kit.experiment import Entry, Experiment
from causalgia.experiments.kit.shapes import draw_shapes, read_shapes
from causalgia.experiments.kit.sites import as_positions, as_site
from causalgia.experiments.kit.trial import ROPE, Trial, places_over
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif

PLACES = 25


def position(
    null: NullModel,
    motif: str | Motif,
    *,
    at: Sequence[int] | None = None,
    strand: Literal["+", "-"] = "+",
    control: Control | None = None,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks what a site does at every place.

    Estimand: ``E[Y(site at p) - Y(control at p)]`` of each place p, over the null model.
    The answer is the runs of neighboring places with one sign (finding ``shapes``).

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        The site: a string of IUPAC letters, or a motif (anything that `causalgia.motif`
        accepts).
    at
        Two or more 0-based starts; None: 25 from one end of the sequence to the other.
    strand
        Strand of the site.
    control
        What a site is compared with: ``"untreated"``, the background as it was drawn;
        ``"placebo"``, a fresh rearrangement of the site for each unit at the same
        place. None: ``"placebo"`` over `causalgia.Genomic`, else ``"untreated"``.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the effect at the best place,
        at least 0.2 sd of the backgrounds.

    Returns
    -------
    Experiment
        Contrasts ``"at 3"``, ...; coordinate ``place``.

    Raises
    ------
    DesignError
        If there are fewer than two places, one is named twice, or the site leaves the
        sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.position(cg.Uniform(length=41), "UGCAUG")
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("additive"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task outcome: UGCAUG raises the outcome at all 25 places tried, 0 to 35 (+3...).
    """
    site = as_site(motif, "motif")
    pattern = as_pattern(site)
    trial = Trial(null, control=control, entry=replace(POSITION, of=pattern.label))
    if at is None:
        places = places_over(trial.null.length, len(pattern), PLACES)
    else:
        places = tuple(sorted(as_positions(at, "at", least=2)))
    add_places(trial, site, places, strand)
    return trial.experiment(n_units=n_units, rope=rope)


def add_places(
    trial: Trial,
    site: str | Motif,
    places: Sequence[int],
    strand: Literal["+", "-"] = "+",
) -> None:
    """Add the rows of a site at each place."""
    for place in places:
        here = Embed(site, at=place, strand=strand)
        effect = trial.arm(here) - trial.arm(absent=[here])
        trial.row(f"at {place}", effect, asked=True, place=place, single=True)


POSITION = Entry(
    name="position",
    question="What does a site do at every place?",
    estimand="E[Y(site at a place) - Y(no site there)] of each place, over the null model.",
    doi="10.1101/418459",
    example={"motif": "UGCAUG"},
    axis="place",
    read=read_shapes,
    draw=draw_shapes,
)
