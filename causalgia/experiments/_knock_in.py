"""Knock-in: a motif written into real sequences of the negative class."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalgia.analysis import Rope
from causalgia.checks import as_position, shown
from causalgia.design import Arm, Embed, Genomic, Intervention, NullModel, Placebo, Untreated
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError
from causalgia.experiments._junctions import changes
from causalgia.experiments.kit.answer import Finding
from causalgia.experiments.kit.experiment import Entry, Experiment, Found, analysis_for
from causalgia.experiments.kit.given_sequences import label_of, real_sequences, refuse_overlap, sought
from causalgia.experiments.kit.variance import by_task, effect_in_words
from causalgia.sequences import Motif, find_instances
from causalgia.sequences.fasta import Source
from causalgia.streams import derive

if TYPE_CHECKING:
    import xarray as xr

CONTROL, NET = "untreated", "motif minus placebo"
_LEAST = 20  # units from which one speaks of what modifies their effects
_KEY = 0  # of the draws of the design's own that are scanned


@dataclass(frozen=True, eq=False)
class Place:
    """What is written where.

    Attributes
    ----------
    pattern
        A word or motif.
    at
        0-based start.
    threshold
        p-value of a motif's lowest score, as `find_instances` takes it.
    """

    pattern: str | Motif
    at: int
    threshold: float | None


def knock_in(
    negatives: Source | NullModel,
    *,
    motif: str | Motif,
    at: int | None = None,
    placebo: str | None = None,
    positives: Source | NullModel | None = None,
    threshold: float | None = None,
    n_units: int | None = None,
    rope: Rope = "0.2 sd",
) -> Experiment:
    """Return the experiment that asks what a motif gains where it is written into real sequences of the negative class.

    Each sequence is its own control. On real sequences a placebo is not zero, since writing anything overwrites
    something: the claim is ``"motif minus placebo"``, paired, beside ``"motif"`` and ``"placebo"``, each minus
    untreated.

    Parameters
    ----------
    negatives
        Real sequences of one length: a FASTA file, strings, tokens, or ``cg.Genomic(of=..., parent=..., draws=...)``.
    motif
        A word of IUPAC letters, or what `causalgia.motif` takes: a name, a file, a table (then each unit gets an
        instance of its own).
    at
        0-based start; None: the centre.
    placebo
        A word of the motif's width that is written as the control, such as the motif with its core broken; None: a
        fresh rearrangement for each unit, none of which carries the motif.
    positives
        Sequences of the positive class; no negative may be one of them, on either strand. Where the lengths differ,
        none may lie within the other.
    threshold
        p-value of the lowest score of an instance of a motif that a sequence has already, by default 1e-4; a word
        takes none.
    n_units
        Sequences used (times the null model's draws), a random part of them; None: all.
    rope
        Region of practical equivalence for every contrast, on the predictor's scale.

    Returns
    -------
    Experiment
        Finding ``modification``, by `causalgia.estimation.modification`: how the effect (motif, and motif minus placebo)
        changes with ``gc`` and ``neighbours``, the instances that a sequence has elsewhere; ``distance``, how it changes
        with the bases to the nearest of them, among sequences that have one.

    Raises
    ------
    DesignError
        If negatives are among the positives (how many, and the first), the motif does not fit, no rearrangement is free
        of it, or the placebo is of another width.
    SequenceError
        If nothing has the motif's name.

    References
    ----------
    Avsec et al. (2021), doi:10.1038/s41588-021-00782-6; de Almeida et al. (2022), doi:10.1038/s41588-022-01048-5.

    Examples
    --------
    >>> import causalgia as cg
    >>> sampled = cg.Uniform(length=200).sample(300, rng=0)["sequence"].values
    >>> experiment = cg.experiments.knock_in(sampled, motif="AGATAAG")
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("gata1_like"), rng=0)
    >>> print(experiment.analyse(outcomes, rng=0).sentences[0])
    Task K562: AGATAAG at 96 changes the outcome by 1.0..., its placebo by ...; motif minus placebo 1.0...: increases.
    """
    given, pattern = real_sequences(negatives, "negatives"), sought(motif, "motif")
    if positives is not None:
        refuse_overlap(given, real_sequences(positives, "positives"))
    width = len(as_pattern(pattern))
    at = (given.length - width) // 2 if at is None and width <= given.length else as_position(at or 0, "at")
    arms = {CONTROL: Untreated(), "motif": Embed(pattern, at=at), "placebo": _control(pattern, placebo, width, at)}
    made = Experiment(
        null=given,
        arms=[Arm(name, arm) for name, arm in arms.items()],
        n_units=given.available if n_units is None else n_units,
        contrasts={
            "motif": {"motif": 1.0, CONTROL: -1.0},
            "placebo": {"placebo": 1.0, CONTROL: -1.0},
            NET: {"motif": 1.0, "placebo": -1.0},
        },
        entry=KNOCK_IN,
        analysis=analysis_for("confirmatory", rope=rope),
    )
    place = Place(pattern, at, threshold)
    more = {name: _share_with_more(arms[name], given, place, meant=name == "motif") for name in ("motif", "placebo")}
    if more["placebo"] == 1:
        raise DesignError(
            f"placebo={shown(placebo)} reads as {label_of(pattern)} wherever it is written; give a word without it"
        )
    return replace(made, entry=replace(KNOCK_IN, read=partial(_read, place, more)))


def _control(pattern: str | Motif, placebo: str | None, width: int, at: int) -> Intervention:
    if placebo is None:
        return Placebo(pattern, at=at)
    word = as_pattern(placebo)
    if len(word) != width:
        raise DesignError(
            f"placebo={shown(placebo)} has {len(word)} bases and the motif {width}; give a word of that width"
        )
    return Embed(word.source, at=at)


def _share_with_more(arm: Intervention, given: Genomic, place: Place, *, meant: bool) -> float:
    """Return the share of sequences in which an arm makes an instance of the motif, besides the one that is meant."""
    tokens = given.parents_given.tokens
    written = arm.apply(tokens, units=np.arange(len(tokens), dtype=np.uint64), key=derive(_KEY, "scanned draws"))
    width, at = len(as_pattern(place.pattern)), place.at
    begin = max(at - width, 0)
    near, own = slice(begin, at + 2 * width), np.array([[[at - begin, at - begin + width]]])
    found = changes(tokens[:, near], written[:, near], own, place.pattern, threshold=place.threshold)
    return float((found.made if meant else found.made | found.written).mean())


def _read(place: Place, more: dict[str, float], found: Found) -> Finding:
    tasks = found.steps.decisions["task"].to_numpy().tolist()
    said = [_gained(place, rows, task) for task, rows in by_task(found.steps.decisions)]
    junctions = [
        f"{name}: makes a {label_of(place.pattern)} that was not meant in {100 * share:.2g} % of the sequences."
        for name, share in more.items()
        if share > 0
    ]
    if found.steps.effects is None:
        return Finding(sentences=(*said, *junctions))
    datasets = _modification(_with_neighbours(found.steps.effects, found.experiment, place))
    modified = [text for task in tasks for name in datasets for text in _modified(datasets[name], task)]
    return Finding(datasets=datasets, sentences=(*said, *modified, *junctions))


def _with_neighbours(effects: xr.Dataset, design: Experiment, place: Place) -> xr.Dataset:
    """Add how many instances each unit's background has elsewhere, and how far the nearest one is."""
    rows, given = _rows(effects, design), design.drawn
    if rows is None:
        return effects
    assert isinstance(given, Genomic)
    found = find_instances(given.parents_given.tokens, place.pattern, threshold=place.threshold)
    apart = np.abs(found.start - place.at)
    elsewhere = apart >= found.width
    count = np.bincount(found.row[elsewhere], minlength=len(given.parents_given))
    nearest = np.full(len(count), np.inf)
    np.minimum.at(nearest, found.row[elsewhere], apart[elsewhere])
    return effects.assign_coords(neighbours=("unit", count[rows]), distance=("unit", nearest[rows]))


def _rows(effects: xr.Dataset, design: Experiment) -> NDArray[np.int64] | None:
    """Return which given sequence each unit is; None where a random part was taken of sequences that share parents."""
    given, unit = design.drawn, effects["unit"].to_numpy().astype(np.int64)
    assert isinstance(given, Genomic)
    if design.n_units == given.available:
        return unit // given.draws
    row = {name: i for i, name in enumerate(given.parent_names)}
    if len(row) < len(given.parent_names):
        return None
    return np.array([row[name] for name in effects["parent"].to_numpy().tolist()], np.int64)


def _modification(effects: xr.Dataset) -> dict[str, xr.Dataset]:
    """Return how the effects change with GC and neighbours, and with the distance of the nearest one."""
    from causalgia.estimation import modification

    whole = effects.sel(contrast=["motif", NET])
    if "model" in whole.dims:
        whole = whole.assign(ice=whole["ice"].mean("model")).drop_vars(["constant", "zero"], errors="ignore")
    near = whole.isel(unit=np.isfinite(whole["distance"])) if "distance" in whole.coords else whole.isel(unit=[])
    asked = {"modification": (whole, ("gc", "neighbours")), "distance": (near, ("distance",))}
    found = {}
    for name, (part, covariates) in asked.items():
        by = [one for one in covariates if _varies(part, one)]
        if by and len(set(part["parent"].to_numpy().tolist())) >= _LEAST:
            found[name] = modification(part, by=by)
    return found


def _varies(effects: xr.Dataset, covariate: str) -> bool:
    return covariate in effects.coords and len(np.unique(effects[covariate].to_numpy())) > 1


def _modified(table: xr.Dataset, task: Any) -> list[str]:
    """Say what one sd more GC, one more instance, or ten more bases to the nearest one change."""
    import xarray as xr

    steps = {"gc": table["sd"].sel(covariate="gc").item()} if "gc" in table["covariate"] else {}
    steps |= {"neighbours": 1.0, "distance": 10.0}
    words = {"neighbours": "each instance elsewhere", "distance": "10 bp further from the nearest instance"}
    said = []
    for name in table["covariate"].to_numpy().tolist():
        row = table.sel(contrast=NET, task=task, covariate=name)
        limits = {"ace": row["slope"], "lower": row["lower"], "upper": row["upper"]}
        change = effect_in_words(xr.Dataset({key: value * steps[name] for key, value in limits.items()}))
        said.append(f"{change} for {words.get(name, f'{100 * steps[name]:.2g} points of GC more')}")
    return [f"Task {task}: {NET} changes by {', and by '.join(said)}."]


def _gained(place: Place, rows: xr.Dataset, task: str) -> str:
    own, placebo, net = (rows.sel(contrast=name) for name in ("motif", "placebo", NET))
    return (
        f"{task}: {label_of(place.pattern)} at {place.at} changes the outcome by {effect_in_words(own)}, its "
        f"placebo by {effect_in_words(placebo)}; motif minus placebo {effect_in_words(net)}: {net['verdict'].item()}."
    )


KNOCK_IN = Entry(
    name="knock_in",
    question="What does a motif gain where it is written into real sequences of the negative class?",
    estimand="E[Y(motif) - Y(placebo)] over the negative sequences, and its slope on GC and neighbouring instances.",
    doi="10.1038/s41588-021-00782-6",
)
