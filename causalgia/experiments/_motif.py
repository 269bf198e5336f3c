"""What a motif does: alone on both strands, by place, by copies, by letter."""

from __future__ import annotations

from dataclasses import replace

import xarray as xr

from causalgia.choices import Control
from causalgia.design import Embed, NullModel
from causalgia.design.patterns import as_pattern
from causalgia.experiments._copies import about_center, add_site_copies
from causalgia.experiments._motif_mutagenesis import add_letters
from causalgia.experiments._position import PLACES, add_places
from causalgia.experiments.kit.answer import Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.neighbors import moderated_by_units
from causalgia.experiments.kit.shapes import Clauses, draw_shapes, read_shapes
from causalgia.experiments.kit.sites import as_site
from causalgia.experiments.kit.trial import (
    ROPE,
    Trial,
    places_over,
    strands_of,
)
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif

_AXES = ("place", "copies", "letter")


def motif(
    null: NullModel,
    motif: str | Motif,
    *,
    control: Control | None = None,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that asks what a motif does: alone on both strands, at 25
    places, in up to six copies, and without each of its letters.

    Each part is also an entry of its own (`causalgia.experiments.position`,
    `causalgia.experiments.copies`, `causalgia.experiments.motif_mutagenesis`). Estimands,
    over the null model: ``E[Y(site) - Y(no site)]`` at the center on each strand and at
    each place; ``E[Y(n copies) - Y(n - 1 copies)]``; and ``E[Y(letter i another) -
    Y(motif)]``, the mean over the three other letters.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        The motif: a string of IUPAC letters, or anything that `causalgia.motif` accepts;
        the letters of a matrix are those of its consensus.
    control
        What stands where a site is absent: ``"untreated"``, the background;
        ``"placebo"``, a fresh rearrangement of it for each unit. None: ``"placebo"``
        over `causalgia.Genomic`, else ``"untreated"``.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the largest effect of one site,
        at least 0.2 sd of the backgrounds.

    Returns
    -------
    Experiment
        Contrasts ``"alone +"``, ``"at 3"``, ``"copy 2 added"``, ``"letter 3 (C)
        changed"``, ...; coordinates ``strand``, ``place``, ``copies`` and ``letter``.
        The finding ``shapes`` has the runs along each, and ``moderation`` what moves
        the effects alone between backgrounds (`causalgia.moderation`).

    Raises
    ------
    DesignError
        If the motif does not fit the sequence twice.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.motif(cg.Uniform(length=41), "UGCAUG")
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> answer = experiment.analyze(outcomes, rng=0)
    >>> answer.findings["shapes"]["axis"].to_series().unique().tolist()
    ['place', 'copies', 'letter']
    """
    site = as_site(motif, "motif")
    pattern = as_pattern(site)
    trial = Trial(null, control=control, entry=replace(MOTIF, of=pattern.label))
    length, width = trial.null.length, len(pattern)
    start = trial.center(site)
    for strand in strands_of(site):
        here = Embed(site, at=start, strand=strand)
        effect = trial.arm(here) - trial.arm(absent=[here])
        trial.row(f"alone {strand}", effect, asked=True, single=True, strand=strand)
    add_places(trial, site, places_over(length, width, PLACES))
    copies = about_center(length, width)
    add_site_copies(trial, site, copies)
    add_letters(trial, pattern.consensus, start)
    return trial.experiment(n_units=n_units, rope=rope)


def _read_motif(found: TrialResults) -> Reading:
    def alone(rows: xr.Dataset) -> Clauses:
        own = rows.isel(contrast=rows["strand"].to_numpy().astype(str) != "")
        return (("alone", own, found.experiment.entry.of),)

    answer = read_shapes(found, axes=_AXES, before=alone)
    strands = [*found.experiment.labels["strand"]]
    by = moderated_by_units(found.steps.effects, strands)
    return replace(
        answer, datasets={**answer.datasets, **by.datasets}, further=by.further
    )


MOTIF = Entry(
    name="motif",
    question="What does a motif do?",
    estimand=(
        "E[Y(site) - Y(no site)] on each strand and at each place, of each further copy, "
        "and of each letter changed, over the null model."
    ),
    doi="10.1101/418459",
    example={"motif": "UGCAUG"},
    axis="place",
    read=_read_motif,
    draw=draw_shapes,
)
