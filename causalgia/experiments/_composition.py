"""Composition: what GC does to the outcome and to a motif, and how much of the
predictions is composition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from causalgia.attributes import about
from causalgia.choices import VERDICT_WORDS, Control
from causalgia.design import Ablate, Embed, Genomic, NullModel, Scramble
from causalgia.design.patterns import as_pattern
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Answer, Reading
from causalgia.experiments.kit.experiment import (
    Entry,
    Experiment,
    TrialResults,
    rise_weights,
)
from causalgia.experiments.kit.shapes import shape_table
from causalgia.experiments.kit.site_controls import UNTREATED
from causalgia.experiments.kit.sites import as_site, as_start
from causalgia.experiments.kit.stated import Shape
from causalgia.experiments.kit.trial import Trial, Weights
from causalgia.experiments.kit.variance import Place, rows_by_task
from causalgia.notes import Statement
from causalgia.ropes import RopeLike
from causalgia.sequences import Motif
from causalgia.streams import Seed, derive
from causalgia.types import Array, Codes

if TYPE_CHECKING:
    import xarray as xr

    from causalgia.tell.figures.axes import Axes

GC = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
"""Shares of G and C that are asked by default."""
AXIS, SHUFFLED = "gc_percent", "own dinucleotides"
PARTS = ("GC, a line", "GC, a curve", "CpG at one GC")
COMPONENTS = (*PARTS, "composition", "arrangement")
_ROUNDING, _DIGITS = 1e-10, 12


def composition(
    null: NullModel,
    motif: str | Motif | None = None,
    *,
    gc: Sequence[float] = GC,
    at: int | None = None,
    control: Control = "placebo",
    n_units: int = 400,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that asks what composition does: the slope of the outcome
    along GC, the effect of a motif along it, and the share of the predictions' variance
    that is composition.

    Each background is replaced by random sequences of each GC content, which differ in
    nothing else. Estimand of the slope: the change of the least-squares line of ``E[Y]``
    from the lowest GC to the highest; of the motif, that of ``E[Y(motif) - Y(no
    motif)]``.

    The variance of predictions over random sequences, of which each GC has as many, is
    split into composition (what is linear in GC, what else differs between GC, and the
    number of CpG among sequences of one GC) and the rest, arrangement; their ``ratio``
    compares the two, as the Mechanistic Invariance Test does. Over given sequences,
    whose own dinucleotides are shuffled beside them, ``kept`` is ``Cov(Y(given),
    Y(shuffled)) / Var(Y(given))`` over sequences: the part of their differences that
    their dinucleotides keep.

    Parameters
    ----------
    null
        The null model of backgrounds; sequences in `causalgia.Genomic` are also
        shuffled.
    motif
        A site whose effect is asked along GC: a string of IUPAC letters, or a motif
        (anything that `causalgia.motif` accepts).
    gc
        Three or more shares of G and C, from 0 to 1.
    at
        0-based start of the motif; None: the center.
    control
        What the motif is compared with: ``"placebo"``, a fresh rearrangement of it for
        each unit, which has its composition; ``"untreated"``, the random sequence.
    n_units
        Backgrounds.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads.

    Returns
    -------
    Experiment
        Contrasts ``"GC 30 to 70 %"`` and, with a motif, ``"TGACTCA, GC 30 to 70 %"``
        answer the question; beside them each GC against the middle one, ``"GC 30 - 50
        %"``, and the motif ``"TGACTCA at GC 30 %"``; coordinates ``gc_percent`` and
        ``asks``. Findings: ``shapes``, the slopes; ``shares (component, task)``:
        ``share``, ``lower`` and ``upper``, with ``ratio`` and ``sd`` (of random
        sequences of one GC); and ``kept`` of given sequences. Intervals are of the
        jackknife over units or parents.

    Raises
    ------
    DesignError
        If there are fewer than three GC, or one is none; or the motif leaves the
        sequence.

    References
    ----------
    Koo et al. (2021), doi:10.1371/journal.pcbi.1008925. Cheng & Zhang (2026),
    arXiv:2604.06549.

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.composition(cg.Uniform(length=41), "UGCAUG")
    >>> outcomes = cg.run(experiment, cg.zoo.oracle("rbfox1_like"), rng=0)
    >>> print(experiment.analyze(outcomes, rng=0).sentences[0])
    Task RBFOX1: GC ...
    """
    levels = sorted({float(share) for share in gc})
    if len(levels) < 3:
        raise DesignError(
            f"gc={gc}: give three different shares or more", argument="gc"
        )
    trial = Trial(null, control=control, entry=COMPOSITION)
    length, given = trial.null.length, isinstance(trial.null, Genomic)
    base = {
        share: trial.intervention(
            f"GC {100 * share:g} %", Ablate((0, length), fill=share)
        )
        for share in levels
    }
    middle, reach = levels[len(levels) // 2], f"GC {_reach(levels)} %"
    trial.row(reach, _rise(base), asked=True, asks="slope")
    for share in levels:
        if share != middle:
            trial.row(
                f"GC {100 * share:g} - {100 * middle:g} %",
                base[share] - base[middle],
                asks="level",
                gc_percent=round(100 * share, 9),
            )
    if motif is not None:
        site = as_site(motif, "motif")
        here = Embed(site, at=as_start(at, "at", length, len(as_pattern(site))))
        label, effects = here.written.label, dict[float, Weights]()
        for share in levels:
            name, random = f"GC {100 * share:g} %", Ablate((0, length), fill=share)
            none = base[share]
            if trial.beside.placebos:
                none = trial.intervention(
                    f"{name} + placebo", random + trial.beside.absent(here)
                )
            effects[share] = (
                trial.intervention(f"{name} + {label}", random + here) - none
            )
            trial.row(
                f"{label} at {name}",
                effects[share],
                single=True,
                asks="motif",
                gc_percent=round(100 * share, 9),
            )
        trial.row(
            f"{label}, {reach}", _rise(effects), asked=True, asks="slope", site=label
        )
    if given:
        shuffled = trial.intervention(SHUFFLED, Scramble((0, length), k=2))
        trial.row(
            f"given - {SHUFFLED}", trial.untreated() - shuffled, asks="arrangement"
        )
    return trial.experiment(n_units=n_units, rope=rope)


def _reach(levels: Sequence[float]) -> str:
    return f"{100 * levels[0]:g} to {100 * levels[-1]:g}"


def _rise(along: dict[float, Weights]) -> Weights:
    """Return the rise of the line through rows, from the lowest GC to the highest."""
    weights = rise_weights({f"{share:.9g}": share for share in along})
    total = Weights()
    for share, row in along.items():
        total = total + row * float(weights[f"{share:.9g}"])
    return total


def variance_split(y: Array, cpg: Array, gc: Array, cluster: Codes) -> Array:
    """Return the shares of the variance of `y` over random sequences, and the sd at one
    GC: estimate and jackknife error, (2, 6).

    Parameters
    ----------
    y, cpg
        (n, K): predictions and CpG counts of n sequences of each of K contents of GC.
    gc
        (K,).
    cluster
        (n,) codes of what is left out together.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(5.0) + rng.normal(size=(400, 5)) * 2**0.5  # variances 2 and 2
    >>> found = variance_split(
    ...     y, rng.normal(size=(400, 5)), np.arange(5), np.arange(400)
    ... )
    >>> (found[0].round(1) + 0.0).tolist()
    [0.5, 0.0, 0.0, 0.5, 0.5, 1.4]
    """
    y = y - y.mean()
    moments = np.stack([np.ones_like(y), y, y * y, cpg, cpg * cpg, y * cpg])
    of_cluster = np.stack(
        [
            np.bincount(cluster, column)
            for column in moments.transpose(0, 2, 1).reshape(-1, len(y))
        ]
    ).reshape(6, y.shape[1], -1)
    total = of_cluster.sum(axis=2, keepdims=True)
    whole = _split(total, gc)[:, 0]
    return np.stack([whole, _jackknife_error(_split(total - of_cluster, gc))])


def _split(moments: Array, gc: Array) -> Array:
    """Return components of sums (moment, K, draws), (component, draws)."""
    n, y, yy, c, cc, yc = moments
    k, mean, x = len(gc), y / n, (gc - gc.mean())[:, None]
    within, of_cpg, joint = (
        ((square - one * other / n) / (n - 1)).mean(axis=0)
        for square, one, other in ((yy, y, y), (cc, c, c), (yc, y, c))
    )
    noise = within / n[0] / k  # of a mean square with one degree of freedom
    line = (x * mean).sum(axis=0) ** 2 / (x**2).sum() / k - noise
    between = mean.var(axis=0) - (k - 1) * noise
    cpg = joint**2 / np.where(of_cpg > 0, of_cpg, np.inf) - noise
    total = between + within
    parts = np.stack([line, between - line, cpg])
    whole = parts.sum(axis=0)
    columns = np.stack([*parts, whole, total - whole]) / np.where(
        total > 0, total, np.nan
    )
    return np.concatenate([columns, np.sqrt(np.maximum(within, 0))[None]])


def _kept(given: Array, shuffled: Array, cluster: Codes) -> Array:
    """Return the share of the variance of `given` that `shuffled` keeps, and its
    jackknife error.
    """
    given, shuffled = given - given.mean(), shuffled - shuffled.mean()
    columns = (np.ones_like(given), given, given**2, shuffled, given * shuffled)
    of_cluster = np.stack([np.bincount(cluster, column) for column in columns])
    total = of_cluster.sum(axis=1, keepdims=True)

    def slope(sums: Array) -> Array:
        n, y, yy, s, ys = sums
        return np.asarray((ys - y * s / n) / (yy - y * y / n))

    return np.array([slope(total)[0], _jackknife_error(slope(total - of_cluster))])


def _jackknife_error(left_out: Array) -> Array:
    n = left_out.shape[-1]
    return np.asarray(np.sqrt((n - 1) * left_out.var(axis=-1)))


def _read_composition(found: TrialResults) -> Reading:
    levels = {
        float(arm.intervention.fill): arm.name
        for arm in found.experiment.named_arms
        if isinstance(arm.intervention, Ablate)
    }
    ends = round(100 * min(levels), 9), round(100 * max(levels), 9)
    tables = None if found.outcomes is None else _shares(found, levels)
    shapes, states = list[tuple[Place, Shape]](), list[Statement]()
    for place, rows in rows_by_task(found.steps.decisions):
        slopes = rows.isel(contrast=rows["asks"].to_numpy() == "slope")
        own = [
            _slope(slopes.isel(contrast=i), ends, len(levels))
            for i in range(slopes.sizes["contrast"])
        ]
        shapes += [(place, shape) for shape in own]
        # shares are of one predictor: of many together, they stand in the finding
        own_tables = {} if place[1] is None and _by_model(tables) else tables or {}
        of_task = _of_place(own_tables["shares"], place) if own_tables else None
        states.append(Statement((("composition", own, slopes, of_task),), *place))
        if "kept" in own_tables:
            kept = _of_place(own_tables["kept"], place)
            states.append(Statement((("kept", kept),), *place))
    return Reading(
        datasets={"shapes": shape_table(shapes), **(tables or {})},
        states=tuple(states),
    )


def _by_model(tables: dict[str, xr.Dataset] | None) -> bool:
    return tables is not None and "model" in tables["shares"].dims


def _of_place(table: xr.Dataset, place: Place) -> xr.Dataset:
    task, model = place
    return table.sel({"task": task} | ({} if model is None else {"model": model}))


def _slope(row: xr.Dataset, ends: tuple[float, float], n: int) -> Shape:
    verdict, size = str(row["verdict"].item()), row["ace"].item()
    return Shape(
        axis=AXIS,
        group=str(row["site"].item()) if "site" in row.coords else "",
        start=ends[0],
        stop=ends[1],
        n=n,
        sign=VERDICT_WORDS[verdict].side,
        size=size,
        weakest=size,
        strongest=size,
    )


def _shares(found: TrialResults, levels: dict[Any, str]) -> dict[str, xr.Dataset]:
    """Return the shares of composition and arrangement of each task, over random
    sequences and over the given ones.
    """
    import xarray as xr
    from scipy import special

    outcomes, estimates = found.outcomes, found.steps.estimates
    assert outcomes is not None
    y = outcomes["outcome"].transpose("unit", "arm", ...)
    dims = [str(dim) for dim in y.dims[2:]]
    cluster = np.unique(outcomes["parent"].to_numpy(), return_inverse=True)[1]
    df = cluster.max()
    half = special.stdtrit(df, 0.5 + about(estimates).ci_prob / 2)
    coords = {dim: y[dim].to_numpy() for dim in dims}

    def table(cells: Array, components: Sequence[str]) -> xr.Dataset:
        share, error = np.moveaxis(cells, 1, 0)
        columns = {"share": share, "lower": share - half * error}
        columns["upper"] = share + half * error
        return xr.Dataset(
            {
                name: (("component", *dims), np.clip(values.round(_DIGITS), 0, 1))
                for name, values in columns.items()
            },
            {"component": list(components), **coords},
        )

    shape = [*y.shape[2:]]
    random = (
        y.sel(arm=list(levels.values())).to_numpy().reshape(len(y), len(levels), -1)
    )
    cpg, gc = _cpg_counts(found, list(levels.values())), np.array(list(levels))
    cells = np.stack(
        [
            variance_split(column, cpg, gc, cluster)
            for column in np.moveaxis(random, 2, 0)
        ],
        axis=-1,
    )
    flat = cells[0, 5] <= _ROUNDING * abs(random).max(axis=(0, 1))
    constant = flat & (np.ptp(random.mean(axis=0), axis=0) <= _ROUNDING)
    cells[:, :5, constant] = np.nan
    cells = np.moveaxis(cells, 1, 0).reshape(6, 2, *shape)
    shares = table(cells[:5], COMPONENTS)
    whole = shares["share"].sel(component="composition", drop=True)
    with np.errstate(divide="ignore"):
        shares["ratio"] = whole / (1 - whole)
    shares["sd"] = (dims, cells[5, 0])
    if SHUFFLED not in found.experiment.arm_names:
        return {"shares": shares}
    both = y.sel(arm=[UNTREATED, SHUFFLED]).to_numpy().reshape(len(y), 2, -1)
    kept = np.stack(
        [
            _kept(column[:, 0], column[:, 1], cluster)
            for column in np.moveaxis(both, 2, 0)
        ]
    )
    split = np.stack([kept.T, np.stack([1 - kept[:, 0], kept[:, 1]])])
    return {
        "shares": shares,
        "kept": table(split.reshape(2, 2, *shape), ("dinucleotides", "arrangement")),
    }


def _cpg_counts(found: TrialResults, arms: Sequence[str]) -> Array:
    """Return the number of CpG in the sequences of arms, which are drawn again; 0 where
    the seed is not known.
    """
    outcomes, design = found.outcomes, found.experiment
    assert outcomes is not None
    seed, units = (
        Seed.stored(about(outcomes, "").rng),
        outcomes["unit"].to_numpy().astype(np.uint64),
    )
    if seed is None:
        return np.zeros((len(units), len(arms)))
    drawn = design.drawn.draw(
        units, key=derive(seed.key, "null"), n_units=design.n_units
    )
    done = {arm.name: arm.intervention for arm in design.named_arms}
    counts = []
    for name in arms:
        tokens = done[name].apply(drawn, units=units, key=seed.key)
        counts.append(((tokens[:, :-1] == 1) & (tokens[:, 1:] == 2)).sum(axis=1))
    return np.array(counts, float).T


def _draw_composition(answer: Answer) -> Axes:
    """Draw the outcome along GC against the middle one, and the effect of the motif."""
    from causalgia.tell.figures import curve

    rows = answer.decisions
    return curve(
        rows.isel(contrast=np.isfinite(rows[AXIS].to_numpy())), x=AXIS, by="asks"
    )


COMPOSITION = Entry(
    name="composition",
    question="Is it composition: what does GC do, and how much of the predictions is it?",
    estimand=(
        "The change of the line through E[Y] of random sequences of each GC, from the "
        "lowest to the highest, and of that through E[Y(motif) - Y(no motif)]."
    ),
    doi="10.48550/arXiv.2604.06549",
    example={"motif": "UGCAUG"},
    axis=AXIS,
    read=_read_composition,
    draw=_draw_composition,
)
