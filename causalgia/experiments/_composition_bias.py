"""Composition bias: the effect of base composition such as GC, of a site, and their
interaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from causalgia.analysis import Analysis
from causalgia.design import Arm, Embed, NullModel, Uniform, Untreated
from causalgia.design.null_model import as_null_model
from causalgia.design.patterns import as_pattern
from causalgia.experiments.kit.experiment import Entry, Experiment, finding_by_task
from causalgia.experiments.kit.sites import as_positions, as_site, as_start
from causalgia.experiments.kit.variance import DOES, effect_in_words
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif

if TYPE_CHECKING:
    import xarray as xr

UNTREATED, MOTIF, LETTERS = "untreated", "motif", "composition"


def composition_bias(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    motif: str | Motif = "CAAAUU",
    *,
    bias: str | Motif = "GCGCGC",
    at: int | Sequence[int] | None = None,
    motif_at: int | None = None,
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that tests whether GC, or any composition, changes the
    outcome and a site's effect.

    A full 2 x 2 factorial on the same backgrounds: neither, the letters, the motif,
    both. Contrasts: ``composition``, the letters without the motif; ``motif``, the motif
    without the letters; and ``interaction``, the change of the motif's effect by the
    letters. With several places there is a factorial for each, ``composition at 34`` and
    ``interaction at 34``, and the first place is compared with every other one,
    ``composition at 34 - at 2``, which tells a bias at one end from a bias for GC anywhere.
    Neither is the untreated background, for a placebo of the letters would have their
    composition: over real sequences (`causalgia.Genomic`) what is overwritten is part
    of the effects.

    Parameters
    ----------
    null
        The null model of backgrounds.
    bias
        The letters, as a motif; IUPAC letters are drawn for each unit (``"SSSSSS"``: G
        or C).
    at
        0-based start of the letters, or several; None: one base before the end of the
        background (of 41 bases 34, as published, beside 2).
    motif, motif_at
        The site and its 0-based start (None: the center); published are CAAAUU, UUAUUU
        and UUGCAC at 17.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads.

    Returns
    -------
    Experiment
        Arms ``"untreated"``, ``"motif"``, ``"composition"`` and ``"composition +
        motif"`` (for each place), with the factors ``composition`` and ``motif`` of
        levels 0 and 1; coordinate ``place``.

    Raises
    ------
    DesignError
        If letters and motif overlap, or one leaves the sequence.

    References
    ----------
    Koo et al. (2021), doi:10.1371/journal.pcbi.1008925.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo import EndGC, Oracle, MotifCount
    >>> experiment = cg.experiments.composition_bias(motif="UGCAUG", n_units=200)
    >>> binding = Oracle(
    ...     MotifCount("UGCAUG", 1.0),
    ...     EndGC(-0.8, last=8),
    ...     tasks=["RBFOX1"],
    ...     scale="intensity",
    ...     link="exp",
    ... )
    >>> outcomes = cg.run(experiment, binding, rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task RBFOX1: GCGCGC at 34 decreases the outcome (-0.1...); it decreases the effect of ...
    """
    as_null_model(null)
    letters, target = as_site(bias, "bias"), as_site(motif, "motif")
    places = as_positions(
        max(null.length - len(as_pattern(letters)) - 1, 0) if at is None else at, "at"
    )
    start = as_start(motif_at, "motif_at", null.length, len(as_pattern(target)))
    names = {
        place: LETTERS if len(places) == 1 else f"{LETTERS} at {place}"
        for place in places
    }
    written = Embed(target, at=start)
    arms = [
        Arm(UNTREATED, Untreated(), {LETTERS: 0, "motif": 0}),
        Arm(MOTIF, written, {LETTERS: 0, "motif": 1}),
    ]
    for place, name in names.items():
        alone = Embed(letters, at=place)
        arms += [
            Arm(name, alone, {LETTERS: 1, "motif": 0}),
            Arm(f"{name} + motif", alone + written, {LETTERS: 1, "motif": 1}),
        ]
    rows = {MOTIF: {MOTIF: 1.0, UNTREATED: -1.0}}
    for name in names.values():
        rows[name] = {name: 1.0, UNTREATED: -1.0}
        rows[_interaction_name(name)] = {
            f"{name} + motif": 1.0,
            name: -1.0,
            MOTIF: -1.0,
            UNTREATED: 1.0,
        }
    first, *others = names
    rows |= {
        f"{names[first]} - at {other}": {names[first]: 1.0, names[other]: -1.0}
        for other in others
    }
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts=rows,
        entry=COMPOSITION_BIAS,
        analysis=Analysis(rope=rope),
        asked=[*names.values(), *map(_interaction_name, names.values())],
        labels={
            "place": {**{name: place for place, name in names.items()}, MOTIF: start},
            "written": {
                **dict.fromkeys(names.values(), as_pattern(letters).label),
                MOTIF: as_pattern(target).label,
            },
        },
    )


def _interaction_name(letters: str) -> str:
    return letters.replace(LETTERS, "interaction")


def _bias_text(rows: xr.Dataset) -> str:
    """Return what the letters do, and whether they change the effect of the motif."""
    names = [str(name) for name in rows["contrast"].to_numpy()]
    alone = [
        name
        for name in names
        if name != MOTIF and rows["written"].sel(contrast=name).item()
    ]
    motif = str(rows["written"].sel(contrast=MOTIF).item())
    parts = [
        f"{_placed(rows, name)} {_verdict_text(rows, name)}; "
        f"{_on_motif(rows.sel(contrast=_interaction_name(name)), motif)}"
        for name in alone
    ]
    return f"{'; '.join(parts)}."


_ON_MOTIF = {
    "increases": "it increases the effect of {}",
    "decreases": "it decreases the effect of {}",
    "negligible": "it changes the effect of {} negligibly",
    "undecided": "whether it changes the effect of {} is undecided",
}


def _on_motif(row: xr.Dataset, motif: str) -> str:
    does = _ON_MOTIF[str(row["verdict"].item())].format(motif)
    return f"{does} (interaction {effect_in_words(row)})"


def _placed(rows: xr.Dataset, name: str) -> str:
    row = rows.sel(contrast=name)
    return f"{row['written'].item()} at {row['place'].item():.0f}"


def _bias_details(rows: xr.Dataset) -> str:
    """Return the effect of the motif, and the differences between places."""
    names = [str(name) for name in rows["contrast"].to_numpy() if " - at " in str(name)]
    parts = [f"{_placed(rows, MOTIF)} {_verdict_text(rows, MOTIF)}"]
    parts += [f"{name} {_verdict_text(rows, name)}" for name in names]
    return f"{'; '.join(parts)}."


def _verdict_text(rows: xr.Dataset, name: str) -> str:
    row = rows.sel(contrast=name)
    return f"{DOES[row['verdict'].item()]} ({effect_in_words(row)})"


COMPOSITION_BIAS = Entry(
    name="composition_bias",
    question=(
        "Does GC, or any composition, change the outcome, and does it change the "
        "effect of a site?"
    ),
    estimand=(
        "E[Y(letters) - Y(none)], E[Y(motif) - Y(none)] and E[Y(both) - Y(letters) - "
        "Y(motif) + Y(none)] over the null model."
    ),
    doi="10.1371/journal.pcbi.1008925",
    read=partial(finding_by_task, text=_bias_text, details=_bias_details),
)
