"""Flanks of a site: the effect of an instance split into core, flanks and
background.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.analysis import Analysis
from causalgia.attributes import about
from causalgia.checks import as_count
from causalgia.choices import DIRECTIONS
from causalgia.design import Arm, Embed, NullModel, Uniform, Untreated
from causalgia.design.null_model import as_null_model
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Answer, Finding, largest_contrasts
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.sites import as_site, as_start
from causalgia.experiments.kit.variance import (
    effect_in_words,
    rows_by_task,
    variance_limits,
)
from causalgia.inputs import rough_percent
from causalgia.notes import Said
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif, find_instances
from causalgia.sequences.alphabet import decode
from causalgia.streams import derive

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes

CONTROL = "untreated"
PARTS = ("core in flanks", "core", "flanks alone")
_KEY = 0  # of the flanks, a fixed choice of the design
_ATTEMPTS = 100
_FEWEST_FLANKS = 3


@dataclass(frozen=True)
class Flank:
    """A pair of flanks, left and right of a core.

    Examples
    --------
    >>> Flank("ACGTA", "GGTCA").around("UGCAUG")
    'ACGTAUGCAUGGGTCA'
    """

    left: str
    right: str

    @property
    def name(self) -> str:
        """Both flanks with the core's place between them, "ACGTA..GGTCA"."""
        return f"{self.left}..{self.right}"

    @property
    def contrasts(self) -> tuple[str, str, str]:
        """The contrast of each of the `PARTS`; the first and the last are arms."""
        whole, core, alone = (f"{part}, {self.name}" for part in PARTS)
        return whole, core, alone

    def around(self, core: str) -> str:
        """Return the core in its flanks."""
        return self.left + core + self.right


def flanks(
    null: NullModel = Uniform(length=41),  # noqa: B008 - a frozen value
    motif: str | Motif = "UGCAUG",
    *,
    at: int | None = None,
    width: int = 5,
    n_flanks: int = 20,
    n_units: int = 1_000,
    rope: RopeLike = "0.2 sd",
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
        reads.

    Returns
    -------
    Experiment
        Coordinates of the contrasts: ``part`` ("core in flanks", "core", "flanks
        alone") and ``flank``. Findings: ``components (component, part, task)``, the
        mean square of the effect of each part split into ``core`` (squared mean
        effect), ``flank``, ``background`` and ``flank x background``: ``size`` (the
        root; for the core the mean effect), limits ``lower`` and ``upper``, and
        ``share`` of the mean square. The mean effect and its interval generalize over
        flanks and backgrounds.

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
    >>> experiment = cg.experiments.flanks(n_flanks=4)
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task RBFOX1: averaged over these flanks, UGCAUG increases the outcome (3.6...); the core ...
    """
    as_null_model(null)
    core, width = (
        as_pattern(as_site(motif, "motif")).consensus,
        as_count(width, "width"),
    )
    at = as_start(at, "at", null.length, len(core))
    last = null.length - len(core) - width
    if not width <= at <= last:
        cure = (
            f"at={width} to {last} fit"
            if width <= last
            else f"take backgrounds of {len(core) + 2 * width:,} bp or more, or a "
            "smaller width="
        )
        raise DesignError(
            f"at={at}: the core of {len(core)} bases needs {width} on each side "
            f"for its flanks, and backgrounds have {null.length:,}; {cure}"
        )
    drawn = _sample_flanks(
        core, width, as_count(n_flanks, "n_flanks", least=_FEWEST_FLANKS)
    )
    arms, rows = [Arm(CONTROL, Untreated())], {"core": dict[str, float]()}
    labels = {"part": {"core": "mean over flanks"}, "flank": dict[str, str]()}
    for flank in drawn:
        whole, core_alone, alone = flank.contrasts
        beside = Embed(flank.left, at=at - width) + Embed(
            flank.right, at=at + len(core)
        )
        arms.append(
            Arm(
                whole,
                Embed(flank.around(core), at=at - width),
                {"flank": flank.name, "core": 1},
            )
        )
        arms.append(Arm(alone, beside, {"flank": flank.name, "core": 0}))
        rows["core"] |= {whole: 1.0 / len(drawn), alone: -1.0 / len(drawn)}
        rows |= {
            whole: {whole: 1.0, CONTROL: -1.0},
            core_alone: {whole: 1.0, alone: -1.0},
        }
        rows[alone] = {alone: 1.0, CONTROL: -1.0}
        labels["part"] |= dict(zip(flank.contrasts, PARTS, strict=True))
        labels["flank"] |= dict.fromkeys(flank.contrasts, flank.name)
    return Experiment(
        null=null,
        arms=arms,
        n_units=n_units,
        contrasts=rows,
        entry=replace(FLANKS, read=partial(_read_flanks, core)),
        analysis=Analysis(rope=rope),
        asked=("core", "core, *", "flanks alone, *"),
        labels=labels,
    )


def _sample_flanks(core: str, width: int, n: int) -> list[Flank]:
    """Draw distinct pairs of flanks, uniform over those that create no second instance
    of the core.
    """
    from causalgia.sequences import encode
    from causalgia.sequences.random import random_integers

    if n < _FEWEST_FLANKS:
        raise DesignError(
            f"n_flanks={n}: three or more pairs of flanks are needed to say how "
            "they differ"
        )
    found: dict[Flank, None] = {}
    for attempt in range(_ATTEMPTS):
        key = derive(_KEY, "flanks", core, width, attempt)
        bases = random_integers(key, np.arange(4 * n), np.full(2 * width, 4)).astype(
            np.uint8
        )
        pairs = [Flank(text[:width], text[width:]) for text in decode(bases)]
        tokens = encode([flank.around(core.replace("U", "T")) for flank in pairs])
        count = np.bincount(
            find_instances(tokens, core, overlapping=True).row, minlength=len(pairs)
        )
        found |= dict.fromkeys(
            flank
            for flank, n_cores in zip(pairs, count.tolist(), strict=True)
            if n_cores == 1
        )
        if len(found) >= n:
            return list(found)[:n]
    raise DesignError(
        f"n_flanks={n}: only {len(found):,} pairs of flanks of {width} bases "
        f"without another {core} were found; ask for fewer, or a greater width="
    )


def _read_flanks(core: str, found: TrialResults) -> Finding:
    core_effect = found.steps.decisions.sel(contrast="core")
    components = (
        None
        if found.steps.effects is None
        else _flank_components(
            found.steps.effects, float(about(found.steps.estimates).ci_prob)
        )
    )
    sentences = tuple(
        Said(
            f"averaged over these flanks, {core} {_EFFECT_PHRASES[row['verdict'].item()]} the "
            f"outcome ({effect_in_words(row)}){_core_share_text(components, row)}.",
            *task,
        )
        for task, row in rows_by_task(core_effect)
    )
    if components is None:
        return Finding(sentences=sentences)
    split = tuple(
        _flank_split_text(components.sel(task=task), task)
        for task in components["task"].to_numpy().tolist()
    )
    return Finding(
        datasets={"components": components}, sentences=sentences, details=split
    )


def _core_share_text(components: xr.Dataset | None, row: xr.Dataset) -> str:
    """Return how much of the effect of core and flanks together is the core's; empty
    where no individual effects were kept, or there is nothing to share.
    """
    if components is None:
        return ""
    share = components["share"].sel(part="core in flanks", task=row["task"].item())
    core = share.sel(component="core").item()
    if not share.sum() > 0:
        return ""
    return f"; the core makes up {rough_percent(core)} of the mean squared effect"


def _flank_components(effects: xr.Dataset, ci_prob: float) -> xr.Dataset:
    """Split the mean square of each part's effects into core, flank, background and the
    last two together.
    """
    import xarray as xr

    from causalgia.estimation import variance_components

    effects = effects.sel(contrast=np.isin(effects["part"], PARTS))
    if "model" in effects["ice"].dims:
        effects = effects.assign(ice=effects["ice"].mean("model")).drop_vars(
            ["constant", "zero"], errors="ignore"
        )
    split = variance_components(effects, instance="part")
    tables = [
        _part_components(
            effects.sel(contrast=effects["part"] == part),
            split.sel(contrast=part),
            ci_prob,
        )
        for part in PARTS
    ]
    return (
        xr.concat(tables, "part")
        .assign_coords(part=list(PARTS))
        .assign_attrs(ci_prob=ci_prob, method=about(split).method)
    )


def _part_components(
    effects: xr.Dataset, split: xr.Dataset, ci_prob: float
) -> xr.Dataset:
    """Return the mean effect and the variance components of one part over pairs of
    flanks.
    """
    import xarray as xr
    from scipy import special

    from causalgia.estimation.crossover import crossed_mean

    parents, codes = np.unique(effects["parent"].to_numpy(), return_inverse=True)
    of_unit = None if len(parents) == effects.sizes["unit"] else codes.astype(np.intp)
    mean = crossed_mean(
        effects["ice"].transpose("unit", "contrast", "task").to_numpy(), of_unit
    )
    half = special.stdtrit(mean.df, 0.5 + ci_prob / 2) * mean.se
    variance, se = (
        split[name].transpose("component", "task").to_numpy()
        for name in ("variance", "se")
    )
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
    names = [  # flanks are the instances of `variance_components`
        name.replace("_by_instance", " x flank")
        .replace("instance", "flank")
        .replace("residual", "flank x background")
        for name in split["component"].to_numpy().tolist()
    ]
    coords = {"component": ["core", *names], "task": effects["task"]}
    return xr.Dataset(
        {name: (("component", "task"), column) for name, column in columns.items()},
        coords,
    )


_EFFECT_PHRASES = {
    "negligible": "has a negligible effect on",
    "undecided": "has an undecided effect on",
}
_EFFECT_PHRASES |= {verdict: verdict for verdict in DIRECTIONS}


def _flank_split_text(components: xr.Dataset, task: Any) -> str:
    core, whole = (components.sel(part=part) for part in ("core", "core in flanks"))
    mean, flank, background = (
        _component_size_text(core, name) for name in ("core", "flank", "background")
    )
    alone, share = (
        _component_size_text(components.sel(part="flanks alone"), "core"),
        whole["share"],
    )
    shares = [
        f"{rough_percent(share.sel(component=name).item())} {name}"
        for name in share["component"].to_numpy()
    ]
    return Said(
        f"averaged over flanks like these, the core changes the outcome "
        f"by {mean}; its effect has sd {flank} between flanks and {background} between "
        f"backgrounds. The effect of the flanks alone is {alone}. Mean square of core "
        f"and flanks together: {', '.join(shares)}.",
        str(task),
    )


def _component_size_text(part: xr.Dataset, component: str) -> str:
    row = part.sel(component=component)
    return effect_in_words(row.rename(size="ace")[["ace", "lower", "upper"]])


def _draw_flank_components(answer: Answer) -> Axes:
    """Draw mean effects and sd of the parts; the contrasts where no individual effects
    were kept.
    """
    import xarray as xr

    from causalgia.tell.figures import forest

    if "components" not in answer.findings:
        return forest(largest_contrasts(answer.decisions), task=answer.tasks[0])
    components = answer.findings["components"].sel(
        part=["core", "flanks alone"], task=answer.tasks[0]
    )
    cells = [components.sel(part=part) for part in components["part"].to_numpy()]
    names = []
    for cell in cells:
        for name in cell["component"].to_numpy():
            of = (
                "mean"
                if name == "core"
                else f"sd over {name}"
                if " x " in name
                else f"sd over {name}s"
            )
            names.append(f"{cell['part'].item()}: {of}")
    ends = {
        to: (
            ("contrast", "task"),
            np.concatenate([cell[of].to_numpy() for cell in cells])[:, None],
        )
        for to, of in (("ace", "size"), ("lower", "lower"), ("upper", "upper"))
    }
    attrs = {
        name: answer.decisions.attrs[name]
        for name in ("scale", "contrast_scale", "name", "question", "predictor")
        if name in answer.decisions.attrs
    }
    axes = forest(
        xr.Dataset(
            ends,
            {"contrast": names, "task": [answer.tasks[0]]},
            attrs | components.attrs,
        )
    )
    axes.set_xlabel(axes.get_xlabel().replace("effect", "mean effect, or sd,", 1))
    return axes


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
    draw=_draw_flank_components,
)
