"""Knock-in: a motif embedded in real sequences of the negative class."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import xarray as xr

from causalgia.checks import as_position
from causalgia.design import Embed, Genomic, Intervention, NullModel, Placebo
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.experiments.kit.answer import Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.neighbors import Place, moderated_by_neighbors
from causalgia.experiments.kit.sites import (
    as_genomic,
    as_string_or_motif,
    check_no_overlap,
)
from causalgia.experiments.kit.trial import Trial
from causalgia.experiments.kit.unit_effects import means_by, quantiles_of
from causalgia.experiments.kit.variance import at_place, rows_by_task
from causalgia.notes import Statement
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.sequences.fasta import Source
from causalgia.sequences.instance_changes import instance_changes
from causalgia.streams import derive

NET = "motif minus placebo"
_KEY = 0  # of the draws of the design's own that are scanned


def knock_in(
    negatives: Source | NullModel,
    motif: str | Motif,
    *,
    at: int | None = None,
    placebo: str | None = None,
    positives: Source | NullModel | None = None,
    threshold: float | None = None,
    n_units: int | None = None,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that estimates the effect of a motif embedded in real
    sequences of the negative class.

    Each sequence is its own control. In real sequences a placebo has an effect, since
    it overwrites something. The claim is therefore the paired contrast
    ``"motif minus placebo"``; ``"motif"`` and ``"placebo"``, each minus untreated, are
    reported with it.

    Parameters
    ----------
    negatives
        Real sequences of one length: a FASTA file, strings, tokens, or
        ``cg.Genomic(of=..., parent=..., n_draws=...)``.
    motif
        A string of IUPAC letters, or what `causalgia.motif` takes: a name, a file, a
        table (each unit then gets its own sampled instance).
    at
        0-based start; None: the center.
    placebo
        Control string of the motif's width, such as the motif with a broken core; None:
        a fresh rearrangement for each unit that does not carry the motif.
    positives
        Sequences of the positive class; no negative may equal, contain or lie within
        one of them, on either strand.
    threshold
        p-value of the lowest score of an existing instance of a motif, by default 1e-4;
        not allowed for a string.
    n_units
        Number of sequences (times the null model's draws), a random subset; None: all.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads.

    Returns
    -------
    Experiment
        Findings: ``quantiles (prob, ...)`` of the effects over sequences;
        ``moderation``, how the effect (motif, and motif minus placebo)
        changes with ``gc`` and with ``neighbors``, the number of instances elsewhere in
        the sequence (`causalgia.moderation`); ``distance``, how it changes
        with the distance to the nearest instance, among sequences that have one.

    Raises
    ------
    DesignError
        If negatives are among the positives (the message gives their number and the
        first), the motif does not fit, every rearrangement carries it, or the placebo
        has another width.
    SequenceError
        If there is no motif of that name.

    References
    ----------
    Avsec et al. (2021), doi:10.1038/s41588-021-00782-6; de Almeida et al. (2022),
    doi:10.1038/s41588-022-01048-5.

    Examples
    --------
    >>> import causalgia as cg
    >>> sampled = cg.Uniform(length=200).sample(300, rng=0)["sequence"].values
    >>> experiment = cg.experiments.knock_in(sampled, motif="AGATAAG")
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task K562: AGATAAG at 96 rather than its placebo raises the outcome (1.0...; 300 sequences); ...
    """
    null = as_genomic(negatives, "negatives")
    pattern = as_string_or_motif(motif, "motif")
    if positives is not None:
        check_no_overlap(null, as_genomic(positives, "positives"))
    width = len(as_pattern(pattern))
    middle = max(null.length - width, 0) // 2
    place = Place(pattern, middle if at is None else as_position(at, "at"), threshold)
    arms = {
        "motif": Embed(pattern, at=place.at),
        "placebo": _control(pattern, placebo, width, place.at),
    }
    made = dict[str, float]()
    trial = Trial(
        null,
        control="untreated",
        entry=replace(KNOCK_IN, read=partial(_read_knock_in, place, made)),
    )
    own, other = (trial.intervention(name, done) for name, done in arms.items())
    trial.row("motif", own - trial.untreated())
    trial.row("placebo", other - trial.untreated())
    trial.row(NET, own - other, asked=True)
    experiment = trial.experiment(
        n_units=null.available if n_units is None else n_units, rope=rope
    )
    made |= {
        name: _share_unintended(done, null, place, meant=name == "motif")
        for name, done in arms.items()
    }
    if made["placebo"] == 1:
        raise DesignError(
            f"placebo={quoted(placebo)} reads as {as_pattern(pattern).label} wherever it "
            "is written",
            argument="placebo",
        )
    return experiment


def _control(
    pattern: str | Motif, placebo: str | None, width: int, at: int
) -> Intervention:
    if placebo is None:
        return Placebo(pattern, at=at)
    letters = as_pattern(placebo)
    if len(letters) != width:
        raise DesignError(
            f"placebo={quoted(placebo)} has {len(letters)} bases, the motif {width}",
            argument="placebo",
        )
    return Embed(letters.source, at=at)


def _share_unintended(
    arm: Intervention, given: Genomic, place: Place, *, meant: bool
) -> float:
    """Return the share of sequences in which an arm creates an unintended instance of
    the motif.
    """
    tokens = given.parents_given.tokens
    units = np.arange(len(tokens), dtype=np.uint64)
    written = arm.apply(tokens, units=units, key=derive(_KEY, "scanned draws"))
    width = len(as_pattern(place.pattern))
    begin = max(place.at - width, 0)
    near = slice(begin, place.at + 2 * width)
    own = np.array([[[place.at - begin, place.at - begin + width]]])
    found = instance_changes(
        tokens[:, near], written[:, near], own, place.pattern, threshold=place.threshold
    )
    return float((found.made if meant else found.made | found.written).mean())


def _read_knock_in(
    place: Place, made: dict[str, float], found: TrialResults
) -> Reading:
    label, effects = as_pattern(place.pattern).label, found.steps.effects
    spread = None if effects is None else _quantiles(effects, found.steps.decisions)
    states, further = list[Statement](), list[Statement]()
    for at, rows in rows_by_task(found.steps.decisions):
        own, placebo, net = (rows.sel(contrast=n) for n in ("motif", "placebo", NET))
        quantiles = None
        if spread is not None:
            quantiles = spread["quantiles"].sel({"contrast": NET} | at_place(at))
        knocked_in = ("knocked in", net, quantiles, label, place.at)
        states.append(Statement((knocked_in,), *at))
        each = ("site and placebo", own, placebo, label, place.at)
        further.append(Statement((each,), *at))
    junctions = [
        Statement((("made by chance", name, label, share),))
        for name, share in made.items()
        if share > 0
    ]
    if effects is None or spread is None:
        return Reading(states=tuple(states), further=(*further, *junctions))
    by = moderated_by_neighbors(effects, found.experiment, place, rows=("motif", NET))
    return Reading(
        datasets={"quantiles": spread, **by.datasets},
        states=tuple(states),
        further=(*further, *by.further, *junctions),
    )


def _quantiles(effects: xr.Dataset, decisions: xr.Dataset) -> xr.Dataset:
    """Return the quantiles of the effect over sequences, each the mean of its draws."""
    ice = effects["ice"].sel(contrast=[NET]).transpose("unit", ...)
    _, *others = ice.dims
    each = xr.DataArray(
        means_by(ice.to_numpy(), effects["parent"].to_numpy()),
        {name: ice[name] for name in others},
        ("sequence", *others),
    )
    return quantiles_of(each, decisions)


KNOCK_IN = Entry(
    name="knock_in",
    question=(
        "What is the effect of a motif embedded in real sequences of the negative "
        "class?"
    ),
    estimand=(
        "E[Y(motif) - Y(placebo)] over the negative sequences, and its slope on GC and "
        "neighboring instances."
    ),
    doi="10.1038/s41588-021-00782-6",
    zoo="long_range",
    example={"negatives": "negatives.fa", "motif": "CCAGATAAGGAC", "rope": [-0.1, 0.1]},
)
