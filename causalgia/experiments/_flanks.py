"""Flanks of a site: the effect of an instance split into core, flanks and
background.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from causalgia.attributes import about
from causalgia.checks import as_count
from causalgia.design import Embed, NullModel
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Answer, Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.sites import as_site, as_start
from causalgia.experiments.kit.trial import ROPE, Trial, Weights
from causalgia.experiments.kit.variance import rows_by_task, variance_limits
from causalgia.notes import Statement
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif, find_instances
from causalgia.sequences.alphabet import decode
from causalgia.streams import derive

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes

PARTS = ("core in flanks", "core", "flanks alone")
_KEY = 0  # of the flanks, a fixed choice of the design
_ATTEMPTS = 100
_FEWEST_FLANKS = 3


def flanks(
    null: NullModel,
    motif: str | Motif,
    *,
    at: int | None = None,
    width: int = 5,
    n_flanks: int = 20,
    n_units: int = 400,
    rope: RopeLike = ROPE,
) -> Experiment:
    """Return the experiment that splits the effect of an instance into core, flanks and
    background.

    The core is embedded in sampled flanks, and each pair of flanks is also embedded
    alone (with background bases in the place of the core), on the same backgrounds.
    Contrasts for flanks f: ``"core in flanks, f"``, core and flanks minus untreated;
    ``"flanks alone, f"``, flanks minus untreated; and ``"core, f"``, their difference,
    the effect of the core in these flanks. ``"core"`` is its mean over the sampled
    flanks. All are against untreated backgrounds: over real sequences
    (`causalgia.Genomic`) what the core overwrites is part of its effect, and `knock_in`
    compares it with a placebo.

    Parameters
    ----------
    null
        The null model of backgrounds.
    motif
        The core; a motif's consensus.
    at
        0-based start of the core; None: the center.
    width
        Bases of each flank.
    n_flanks
        Pairs of flanks, three or more: uniform random bases, fixed by the design, none
        of which creates another instance of the core on either strand.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads; by default a tenth of the mean effect of the core.

    Returns
    -------
    Experiment
        Coordinates of the contrasts: ``part`` (``"core in flanks"``, ``"core"``,
        ``"flanks alone"``; ``"mean over flanks"`` of the row ``"core"``) and ``flank``.
        Findings: ``components (component, part, task)``, the mean square of the effect
        of each part split into ``core`` (squared mean effect), ``flank``,
        ``background`` and ``flank x background``: ``size`` (the root; for the core the
        mean effect), limits ``lower`` and ``upper``, and ``share`` of the mean square.
        The mean effect and its interval generalize over flanks and backgrounds.

    Raises
    ------
    DesignError
        If flanks or core leave the sequence, there are fewer than three pairs of
        flanks, or too few exist.

    References
    ----------
    Avsec et al. (2021), doi:10.1038/s41588-021-00782-6; de Almeida et al. (2022),
    doi:10.1038/s41588-022-01048-5.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.flanks(cg.Uniform(length=41), "UGCAUG", n_flanks=3)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task RBFOX1: averaged over these flanks, UGCAUG raises the outcome (+3...
    """
    core = as_pattern(as_site(motif, "motif")).consensus
    width = as_count(width, "width")
    trial = Trial(null, control="untreated", entry=replace(FLANKS, of=core))
    length = trial.null.length
    at = as_start(at, "at", length, len(core))
    if not width <= at <= length - len(core) - width:
        raise DesignError(
            f"at={at}: the core of {len(core)} bases needs {width} on each side, and "
            f"backgrounds have {length:,}",
            argument="at",
        )
    n = as_count(n_flanks, "n_flanks")
    if n < _FEWEST_FLANKS:
        raise DesignError(
            f"n_flanks={n}: {_FEWEST_FLANKS} or more pairs say how flanks differ",
            argument="n_flanks",
        )
    mean, none = Weights(), trial.untreated()
    for left, right in _sample_flanks(core, width, n):
        beside = Embed(left, at=at - width), Embed(right, at=at + len(core))
        whole = trial.arm(Embed(left + core + right, at=at - width))
        alone = trial.arm(*beside)
        effects = whole - none, whole - alone, alone - none
        mean = mean + (1 / n) * effects[1]
        for part, effect in zip(PARTS, effects, strict=True):
            name = f"{left}..{right}"
            trial.row(
                f"{part}, {name}",
                effect,
                asked=part != PARTS[0],
                part=part,
                flank=name,
            )
    trial.row("core", mean, asked=True, single=True, part="mean over flanks")
    return trial.experiment(n_units=n_units, rope=rope)


def _sample_flanks(core: str, width: int, n: int) -> list[tuple[str, str]]:
    """Draw distinct pairs of flanks, uniform over those that create no second instance
    of the core.
    """
    from causalgia.sequences import encode
    from causalgia.sequences.random import random_integers

    found: dict[tuple[str, str], None] = {}
    for attempt in range(_ATTEMPTS):
        key = derive(_KEY, "flanks", core, width, attempt)
        bases = random_integers(key, np.arange(4 * n), np.full(2 * width, 4))
        pairs = [(x[:width], x[width:]) for x in decode(bases.astype(np.uint8))]
        dna = core.replace("U", "T")
        tokens = encode([left + dna + right for left, right in pairs])
        rows = find_instances(tokens, core, overlapping=True).row
        count = np.bincount(rows, minlength=len(pairs))
        found |= {pair: None for pair, k in zip(pairs, count, strict=True) if k == 1}
        if len(found) >= n:
            return list(found)[:n]
    raise DesignError(
        f"n_flanks={n}: only {len(found):,} pairs of flanks of {width} bases "
        f"without another {core} were found",
        argument="n_flanks",
    )


def _read_flanks(found: TrialResults) -> Reading:
    effects = found.steps.effects
    split = (
        None
        if effects is None
        else _flank_components(effects, float(about(found.steps.estimates).ci_prob))
    )
    states, further = list[Statement](), list[Statement]()
    mean = found.steps.decisions.sel(contrast="core")
    for place, row in rows_by_task(mean):
        of_task = None if split is None else split.sel(task=place[0])
        core = ("core", row, found.experiment.entry.of, of_task)
        states.append(Statement((core,), *place))
        if of_task is not None and place[1] is None:
            further.append(Statement((("core and flanks", of_task),), *place))
    datasets = {} if split is None else {"components": split}
    return Reading(datasets, tuple(states), tuple(further))


def _flank_components(effects: xr.Dataset, ci_prob: float) -> xr.Dataset:
    """Split the mean square of each part's effects into core, flank, background and the
    last two together.
    """
    import xarray as xr

    effects = effects.sel(contrast=np.isin(effects["part"], PARTS))
    if "model" in effects["ice"].dims:
        effects = effects.assign(ice=effects["ice"].mean("model")).drop_vars(
            ["constant", "zero"], errors="ignore"
        )
    tables = [
        _part_components(effects.sel(contrast=effects["part"] == part), ci_prob)
        for part in PARTS
    ]
    return (
        xr.concat(tables, "part")
        .assign_coords(part=list(PARTS))
        .assign_attrs(
            ci_prob=ci_prob,
            method="mean squares of the table of backgrounds by flanks, variances "
            "bounded at 0; limits from standard errors, normal theory",
        )
    )


def _part_components(effects: xr.Dataset, ci_prob: float) -> xr.Dataset:
    """Return the mean effect and the variance components of one part over pairs of
    flanks.
    """
    import xarray as xr
    from scipy import special

    from causalgia.estimation.crossover import crossed_mean, crossed_variances
    from causalgia.estimation.crossover_estimates import ice_without_rounding

    parents, codes = np.unique(effects["parent"].to_numpy(), return_inverse=True)
    of_unit = None if len(parents) == effects.sizes["unit"] else codes.astype(np.intp)
    ice = effects["ice"].copy(data=ice_without_rounding(effects))
    table = ice.transpose("unit", "contrast", "task").to_numpy()
    mean, (variance, se) = (
        crossed_mean(table, of_unit),
        crossed_variances(table, of_unit),
    )
    half = special.stdtrit(mean.df, 0.5 + ci_prob / 2) * mean.se
    lower, upper = (np.sqrt(limit) for limit in variance_limits(variance, se, ci_prob))
    columns = {
        "size": np.vstack([mean.ace, np.sqrt(variance)]),
        "lower": np.vstack([mean.ace - half, lower]),
        "upper": np.vstack([mean.ace + half, upper]),
    }
    square = np.vstack([np.maximum(mean.ace**2 - mean.se**2, 0.0), variance])
    whole = square.sum(axis=0, keepdims=True)
    columns["share"] = np.divide(
        square, whole, out=np.zeros_like(square), where=whole > 0
    )
    names = ["background", "flank", "flank x background"]
    if of_unit is not None:
        names = ["parent", *names[:2], "parent x flank", names[2]]
    coords = {"component": ["core", *names], "task": effects["task"]}
    return xr.Dataset(
        {name: (("component", "task"), column) for name, column in columns.items()},
        coords,
    )


def _draw_core(answer: Answer) -> Axes:
    """Draw the effect of the core in each pair of flanks, and its mean."""
    from causalgia.tell.figures import forest

    rows = answer.decisions
    core = np.isin(rows["part"].to_numpy(), (PARTS[1], "mean over flanks"))
    return forest(rows.isel(contrast=core), task=answer.tasks[0])


FLANKS = Entry(
    name="flanks",
    question=(
        "How much of an instance's effect is its core, its flanks, or the background "
        "around it?"
    ),
    estimand=(
        "E[Y(core in flanks) - Y(flanks)] and the variance of Y(core in flanks) - "
        "Y(none) over both."
    ),
    doi="10.1038/s41588-021-00782-6",
    example={"motif": "UGCAUG"},
    read=_read_flanks,
    draw=_draw_core,
)
