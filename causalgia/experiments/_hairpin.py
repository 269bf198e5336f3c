"""A site outside of an RNA hairpin, in its loop, and in its stem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.checks import as_count, as_position
from causalgia.design import Copy, Embed, NullModel
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Answer, Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.sites import as_site
from causalgia.experiments.kit.trial import ROPE, Trial
from causalgia.experiments.kit.variance import rows_by_task
from causalgia.notes import Statement
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif

if TYPE_CHECKING:
    from causalgia.tell.figures.axes import Axes

_LEAST_LOOP = 3
_ORDER = (
    "motif in the open",
    "motif in the loop",
    "loop - open",
    "motif x loop",
    "motif in the open, where the stem was",
    "complement in the open",
    "motif in the stem",
    "open - stem",
    "motif x stem",
    "hairpin",
)


def hairpin(
    null: NullModel,
    motif: str | Motif,
    *,
    at: int | None = None,
    stem: int = 9,
    loop: int = 7,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that compares the effects of a site outside of a hairpin,
    in its loop, and in its stem.

    The stem is made of each unit's own bases: those of the 3' arm become the reverse
    complement of the 5' arm. The effect of the motif is estimated against the same fold
    without the motif: in the open, in the loop (at the same place), and in the stem
    (one base into its 5' arm, with its complement in the other); and also in the open
    where the stem was, as is the motif's complement. ``motif x loop`` and ``motif x
    stem`` are what the fold changes at the same place. All are against untreated
    backgrounds or folds: over real sequences (`causalgia.Genomic`) what the motif
    overwrites is part of its effect.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        The site: a string of IUPAC letters, or a motif (anything that `causalgia.motif`
        accepts).
    at
        0-based start of the motif in the open and in the loop, whose first base it is;
        None: such that the hairpin is centered.
    stem
        Base pairs of the stem; if fewer than the motif has bases, the arms with the
        motif in the stem are left out.
    loop
        Bases between the arms of the stem, three or more, which hold the motif.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the largest effect of the motif in one place.

    Returns
    -------
    Experiment
        Contrasts ``"motif in the open"``, ``"motif in the loop"``, ``"motif in the
        stem"``, ``"motif x loop"`` and ``"motif x stem"`` answer the question; beside
        them ``"motif in the open, where the stem was"``, ``"complement in the open"``,
        ``"hairpin"``, ``"loop - open"``, ``"open - stem"``.

    Raises
    ------
    DesignError
        If the loop cannot turn or hold the motif, or the hairpin leaves the sequence.

    References
    ----------
    Koo, Anand, Paul & Eddy (2018), doi:10.1101/418459; Koo et al. (2021),
    doi:10.1371/journal.pcbi.1008925.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.hairpin(cg.Uniform(length=41), "GCUGG")
    >>> print(experiment.named_arms[3].intervention)
    do(x[17:22] = GCUGG, x[24:33] = rc(x[8:17]))
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("vts1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task VTS1: loop > open > stem: ...
    """
    site, trial = (
        as_site(motif, "motif"),
        Trial(null, control="untreated", entry=HAIRPIN),
    )
    width, pairs = len(as_pattern(site)), as_count(stem, "stem")
    bases = as_count(loop, "loop")
    if bases < max(_LEAST_LOOP, width):
        raise DesignError(
            f"loop={loop}: a loop of {_LEAST_LOOP} bases or more turns, and the motif "
            f"has {width}",
            argument="loop",
        )
    left = (
        (trial.null.length - 2 * pairs - bases) // 2
        if at is None
        else as_position(at, "at") - pairs
    )
    right = left + pairs + bases
    if left < 0 or right + pairs > trial.null.length:
        raise DesignError(
            f"a hairpin of {2 * pairs + bases} bases at {left} leaves the "
            f"{trial.null.length:,}-bp background",
            argument="stem" if at is None else "at",
        )
    here = Embed(site, at=left + pairs)
    folded = Copy((left, left + pairs), at=right, strand="-")
    none, in_open = trial.untreated(), trial.intervention("open", here)
    fold = trial.intervention("hairpin", folded)
    in_loop = trial.intervention("loop", here + folded)
    trial.row("motif in the open", in_open - none, asked=True, single=True)
    trial.row("motif in the loop", in_loop - fold, asked=True, single=True)
    trial.row("hairpin", fold - none)
    trial.row("motif x loop", in_loop - fold - in_open + none, asked=True)
    trial.row("loop - open", in_loop - in_open)
    if pairs < width:
        return trial.experiment(n_units=n_units, rope=rope)
    inside = left + min(1, pairs - width)
    opposite = right + pairs - (inside - left) - width
    written = Embed(site, at=inside)
    in_stem = trial.intervention("stem", written + folded)
    beside = trial.intervention("open, where the stem was", written)
    other = trial.intervention(
        "complement in the open", Embed(site, at=opposite, strand="-")
    )
    trial.row("motif in the stem", in_stem - fold, asked=True, single=True)
    trial.row("motif in the open, where the stem was", beside - none, single=True)
    trial.row("complement in the open", other - none)
    trial.row("motif x stem", in_stem - fold - beside - other + 2 * none, asked=True)
    trial.row("open - stem", beside - in_stem)
    return trial.experiment(n_units=n_units, rope=rope)


def _draw_hairpin(answer: Answer) -> Axes:
    """Draw the effects place by place, each with its differences."""
    from causalgia.tell.figures import forest

    known = answer.decisions["contrast"].to_numpy().tolist()
    names = [name for name in _ORDER if name in known]
    return forest(answer.decisions.sel(contrast=names), sort="given")


def _read_fold(found: TrialResults) -> Reading:
    rows = list(rows_by_task(found.steps.decisions))
    return Reading(
        states=tuple(Statement((("fold", own),), *of) for of, own in rows),
        further=tuple(Statement((("places of a fold", own),), *of) for of, own in rows),
    )


HAIRPIN = Entry(
    name="hairpin",
    question="Does a site work in the open, in the loop of a hairpin, or in its stem?",
    estimand=(
        "E[Y(fold, motif) - Y(fold, no motif)] in the open, the loop and the stem, and "
        "the differences of these at the same place, the motif's complement by itself "
        "taken off, over the null model."
    ),
    doi="10.1101/418459",
    example={"motif": "GCUGG"},
    read=_read_fold,
    draw=_draw_hairpin,
    zoo="vts1_like",
)
