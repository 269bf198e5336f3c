"""Knock-in: a motif embedded in real sequences of the negative class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.analysis import Analysis
from causalgia.attributes import about
from causalgia.checks import as_position
from causalgia.design import (
    Arm,
    Embed,
    Genomic,
    Intervention,
    NullModel,
    Placebo,
    Untreated,
)
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError, quoted
from causalgia.experiments._junctions import motif_changes
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.sites import (
    as_genomic,
    as_string_or_motif,
    check_no_overlap,
)
from causalgia.experiments.kit.variance import DOES, effect_in_words, rows_by_task
from causalgia.inputs import rough_percent
from causalgia.notes import Said
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif, find_instances
from causalgia.sequences.fasta import Source
from causalgia.streams import Seed, derive

if TYPE_CHECKING:
    import xarray as xr

CONTROL, NET = "untreated", "motif minus placebo"
_LEAST_PARENTS = 20  # units from which one speaks of what modifies their effects
_KEY = 0  # of the draws of the design's own that are scanned


@dataclass(frozen=True, eq=False)
class Place:
    """Pattern and place of a knock-in.

    Attributes
    ----------
    pattern
        A string or motif.
    at
        0-based start.
    threshold
        p-value of the lowest score of an instance, as in `find_instances`.
    """

    pattern: str | Motif
    at: int
    threshold: float | None


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
        Findings: ``moderation``, how the effect (motif, and motif minus placebo)
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
    Task K562: AGATAAG at 96, against its placebo, increases the outcome (1.0...).
    """
    null, pattern = (
        as_genomic(negatives, "negatives"),
        as_string_or_motif(motif, "motif"),
    )
    if positives is not None:
        check_no_overlap(null, as_genomic(positives, "positives"))
    width = len(as_pattern(pattern))
    at = (
        (null.length - width) // 2
        if at is None and width <= null.length
        else as_position(at or 0, "at")
    )
    arms = {
        CONTROL: Untreated(),
        "motif": Embed(pattern, at=at),
        "placebo": _control_intervention(pattern, placebo, width, at),
    }
    experiment = Experiment(
        null=null,
        arms=[Arm(name, arm) for name, arm in arms.items()],
        n_units=null.available if n_units is None else n_units,
        contrasts={
            "motif": {"motif": 1.0, CONTROL: -1.0},
            "placebo": {"placebo": 1.0, CONTROL: -1.0},
            NET: {"motif": 1.0, "placebo": -1.0},
        },
        entry=KNOCK_IN,
        analysis=Analysis(rope=rope),
        asked=(NET,),
    )
    place = Place(pattern, at, threshold)
    more = {
        name: _share_with_unintended_motif(
            arms[name], null, place, meant=name == "motif"
        )
        for name in ("motif", "placebo")
    }
    if more["placebo"] == 1:
        raise DesignError(
            f"placebo={quoted(placebo)} reads as {as_pattern(pattern).label} "
            "wherever it is written; give a string without it"
        )
    return replace(
        experiment, entry=replace(KNOCK_IN, read=partial(_read_knock_in, place, more))
    )


def _control_intervention(
    pattern: str | Motif, placebo: str | None, width: int, at: int
) -> Intervention:
    if placebo is None:
        return Placebo(pattern, at=at)
    letters = as_pattern(placebo)
    if len(letters) != width:
        raise DesignError(
            f"placebo={quoted(placebo)} has {len(letters)} bases and the motif "
            f"{width}; give a string of that width"
        )
    return Embed(letters.source, at=at)


def _share_with_unintended_motif(
    arm: Intervention, given: Genomic, place: Place, *, meant: bool
) -> float:
    """Return the share of sequences in which an arm creates an unintended instance of
    the motif.
    """
    tokens = given.parents_given.tokens
    written = arm.apply(
        tokens,
        units=np.arange(len(tokens), dtype=np.uint64),
        key=derive(_KEY, "scanned draws"),
    )
    width, at = len(as_pattern(place.pattern)), place.at
    begin = max(at - width, 0)
    near, own = (
        slice(begin, at + 2 * width),
        np.array([[[at - begin, at - begin + width]]]),
    )
    found = motif_changes(
        tokens[:, near], written[:, near], own, place.pattern, threshold=place.threshold
    )
    return float((found.made if meant else found.made | found.written).mean())


def _read_knock_in(
    place: Place, more: dict[str, float], found: TrialResults
) -> Finding:
    tasks = found.steps.decisions["task"].to_numpy().tolist()
    label = as_pattern(place.pattern).label
    sentences, details = list[str](), list[str]()
    for task, rows in rows_by_task(found.steps.decisions):
        own, placebo, net = (
            rows.sel(contrast=name) for name in ("motif", "placebo", NET)
        )
        sentences.append(
            Said(
                f"{label} at {place.at}, against its placebo, "
                f"{DOES[str(net['verdict'].item())]} ({effect_in_words(net)}).",
                *task,
            )
        )
        details.append(
            Said(
                f"{label} at {place.at} changes the outcome by "
                f"{effect_in_words(own)}, its placebo by {effect_in_words(placebo)}.",
                *task,
            )
        )
    junctions = [
        f"{name}: creates {label} by chance in {rough_percent(share)} of the sequences."
        for name, share in more.items()
        if share > 0
    ]
    if found.steps.effects is None:
        return Finding(sentences=tuple(sentences), details=(*details, *junctions))
    datasets = _moderation_by_neighbors(
        _add_neighbor_coordinates(found.steps.effects, found.experiment, place)
    )
    modified = [
        text
        for task in tasks
        for name in datasets
        for text in _moderation_sentences(datasets[name], task)
    ]
    return Finding(
        datasets=datasets,
        sentences=tuple(sentences),
        details=(*details, *modified, *junctions),
    )


def _add_neighbor_coordinates(
    effects: xr.Dataset, design: Experiment, place: Place
) -> xr.Dataset:
    """Add the number of instances elsewhere in each background and the distance to the
    nearest one.
    """
    given, seed = design.drawn, Seed.stored(about(effects, "").rng)
    assert isinstance(given, Genomic)
    if seed is None and design.n_units < given.available:
        return effects  # which sequences were drawn is not known
    rows = given.rows(
        effects["unit"].to_numpy().astype(np.uint64),
        key=0 if seed is None else derive(seed.key, "null"),
        n_units=design.n_units,
    )
    found = find_instances(
        given.parents_given.tokens, place.pattern, threshold=place.threshold
    )
    apart = np.abs(found.start - place.at)
    elsewhere = apart >= found.width
    count = np.bincount(found.row[elsewhere], minlength=len(given.parents_given))
    nearest = np.full(len(count), np.inf)
    np.minimum.at(nearest, found.row[elsewhere], apart[elsewhere])
    return effects.assign_coords(
        neighbors=("unit", count[rows]), distance=("unit", nearest[rows])
    )


def _moderation_by_neighbors(effects: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return the dependence of effects on GC and neighboring instances, and on the
    distance to the nearest one.
    """
    from causalgia._moderation import moderation

    whole = effects.sel(contrast=["motif", NET])
    if "model" in whole.dims:
        whole = whole.assign(ice=whole["ice"].mean("model")).drop_vars(
            ["constant", "zero"], errors="ignore"
        )
    near = (
        whole.isel(unit=np.isfinite(whole["distance"]))
        if "distance" in whole.coords
        else whole.isel(unit=[])
    )
    covariates_of = {
        "moderation": (whole, ("gc", "neighbors")),
        "distance": (near, ("distance",)),
    }
    found = {}
    for name, (part, covariates) in covariates_of.items():
        by = [
            name
            for name in covariates
            if name in part.coords and len(np.unique(part[name].to_numpy())) > 1
        ]
        if by and len(set(part["parent"].to_numpy().tolist())) >= _LEAST_PARENTS:
            found[name] = moderation(part, by)
    return found


def _moderation_sentences(table: xr.Dataset, task: Any) -> list[str]:
    """Return the changes for one sd more GC, one more instance, or ten more bases to
    the nearest one.
    """
    import xarray as xr

    steps = (
        {"gc": table["sd_of"].sel(moderator="gc").max().item()}
        if "gc" in table["moderator"]
        else {}
    )
    steps |= {"neighbors": 1.0, "distance": 10.0}
    words = {
        "neighbors": "each instance elsewhere",
        "distance": "10 bp further from the nearest instance",
    }
    changes = []
    for name in table["moderator"].to_numpy().tolist():
        row = table.sel(contrast=NET, task=task, moderator=name)
        limits = {"ace": row["slope"], "lower": row["lower"], "upper": row["upper"]}
        change = effect_in_words(
            xr.Dataset({key: value * steps[name] for key, value in limits.items()})
        )
        changes.append(
            f"{change} for {words.get(name, f'{100 * steps[name]:.2g} points more GC')}"
        )
    return [Said(f"{NET} changes by {', and by '.join(changes)}.", str(task))]


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
)
