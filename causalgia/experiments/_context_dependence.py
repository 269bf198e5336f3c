"""Context dependence: whether an element works alone or needs the sequence around
it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from causalgia.analysis import Analysis
from causalgia.attributes import about
from causalgia.design import Genomic
from causalgia.design.intervention import Span
from causalgia.errors import DesignError
from causalgia.experiments.kit.answer import Reading
from causalgia.experiments.kit.experiment import Entry, Experiment, TrialResults
from causalgia.experiments.kit.site_controls import UNTREATED
from causalgia.experiments.kit.tile_contexts import (
    as_span_inside,
    as_tile_sequences,
    check_shufflable,
    cut_into_blocks,
    shuffle_spans,
    span_name,
    tile_analysis,
)
from causalgia.experiments.kit.trial import Trial
from causalgia.experiments.kit.variance import rows_by_task
from causalgia.notes import Statement
from causalgia.ropes import Rope, RopeLike
from causalgia.sequences.fasta import Source
from causalgia.types import Array

if TYPE_CHECKING:
    import xarray as xr


ALONE = "element alone"
DEPENDENT, NEUTRAL, INHIBITED = 0.95, 0.05, -0.3


def context_dependence(
    sequences: Source | Genomic,
    *,
    element: Span,
    n_draws: int = 10,
    k: int = 2,
    rope: RopeLike = "0.2 sd",
) -> Experiment:
    """Return the experiment that tests whether an element needs its context, works
    without it, or is inhibited by it.

    Each sequence (WT) is compared with the same sequence with all but the element
    shuffled (MUT); the contrast is ``MUT - WT``. The finding ``index`` is the published
    ``(WT - MUT) / WT``: over all sequences the ratio of mean outcomes with Fieller's
    limits (the whole line where the mean WT may be 0), and for each sequence with the
    t interval of its draws. Verdicts by the interval: above .95
    ``"dependent"``, within .05 of 0 ``"neutral"``, below -.3 ``"inhibited"``, else
    ``"undecided"``. The index needs an outcome with a true zero: on log scales only the
    contrast is given.

    Parameters
    ----------
    sequences
        Real sequences of equal length, as `causalgia.Genomic` takes them. Several are a
        sample of a population, with errors between sequences; a single one is the
        target itself, with errors between its shuffles.
    element
        (start, stop) of the element, 0-based, stop excluded.
    n_draws
        Shuffles of each sequence.
    k
        Length of the k-lets whose counts a shuffle preserves: 1 composition, 2
        dinucleotides. The two flanks of the element are shuffled separately.
    rope
        Region of practical equivalence, in every form that `causalgia.Rope.parse`
        reads. An sd is that of the wild type.

    Returns
    -------
    Experiment
        Arms ``"untreated"``, the wild type, and ``"element alone"``.

    Raises
    ------
    DesignError
        If the element leaves the sequence or is the whole sequence, sequences differ in
        length, or one sequence is given with a single draw or with a rope in sd.

    References
    ----------
    Toneyan & Koo (2024), doi:10.1038/s41588-024-01923-3. Fieller (1954),
    doi:10.1111/j.2517-6161.1954.tb00159.x.

    Examples
    --------
    >>> import causalgia as cg
    >>> from causalgia.zoo import MotifCount, Oracle
    >>> from causalgia.zoo.terms import Gate
    >>> gate = Oracle(
    ...     Gate(("GATAAG", "TATAAA"), bonus=4.0, logic="and"),
    ...     MotifCount("CAC", 0.002),
    ...     scale="activity",
    ... )
    >>> sequence = "ACCGTCAC" * 9 + "GATAAG" + "CCAG" * 10 + "TATAAA" + "CACTGAGT" * 9
    >>> experiment = cg.experiments.context_dependence(
    ...     [sequence], element=(72, 78), rope=(-0.5, 0.5)
    ... )
    >>> answer = experiment.analyze(cg.run(experiment, gate, rng=0), rng=0)
    >>> print(answer.sentences[0])
    Task outcome: element 72-78 depends on its context: (wild type - element alone) / ...
    """
    region = Rope.parse(rope, error=DesignError)
    null = as_tile_sequences(sequences, n_draws, region, fixed_control=True)
    span = as_span_inside(element, "element", null.length)
    context = [block for block in cut_into_blocks(null.length, [span]) if block != span]
    check_shufflable(context, k)
    trial = Trial(null, control="untreated", entry=CONTEXT_DEPENDENCE)
    alone = trial.intervention(ALONE, shuffle_spans(context, k))
    trial.row(ALONE, alone - trial.untreated(), asked=True, element=span_name(span))
    target = tile_analysis(null, region).target
    return trial.experiment(n_units=null.available, rope=region, target=target)


@dataclass(frozen=True)
class Index:
    """The index of context dependence with its verdict; all arrays have one shape.

    Attributes
    ----------
    index, lower, upper
        ``(WT - MUT) / WT`` and the limits of its interval; infinite where `unbounded`.
    unbounded
        Whether the mean WT may be 0, so that the interval is the whole line.
    verdict
        "dependent", "neutral", "inhibited" or "undecided".
    """

    index: Array
    lower: Array
    upper: Array
    unbounded: npt.NDArray[np.bool_]

    @property
    def verdict(self) -> npt.NDArray[np.str_]:
        return context_verdict(self.lower, self.upper)


def context_verdict(lower: Array, upper: Array) -> npt.NDArray[np.str_]:
    """Return the verdict of each interval of the index by the published thresholds.

    Examples
    --------
    >>> context_verdict(
    ...     np.array([0.96, -0.04, -9.0, 0.5]), np.array([1.1, 0.03, -0.4, 0.97])
    ... ).tolist()
    ['dependent', 'neutral', 'inhibited', 'undecided']
    """
    inside = (lower > -NEUTRAL) & (upper < NEUTRAL)
    chosen = [lower > DEPENDENT, inside, upper < INHIBITED]
    return np.select(chosen, ["dependent", "neutral", "inhibited"], "undecided")


def context_index(
    change: Array,
    wild_type: Array,
    variances: tuple[Array, Array, Array],
    df: Array,
    *,
    ci_prob: float = 0.95,
) -> Index:
    """Return ``change / WT`` with Fieller's limits, which are valid for any wild type.

    Where WT is 0, the index is 0 for no change and otherwise infinite, and the interval
    is the whole line.

    Parameters
    ----------
    change, wild_type
        Estimates of ``WT - MUT`` and of WT, shape ``(...)``.
    variances
        Variance of the change, covariance of the two, variance of WT, shape ``(...)``
        each; the last two are 0 where WT is known.
    df
        Degrees of freedom, shape ``(...)``.
    ci_prob
        Probability of the intervals.

    References
    ----------
    Fieller (1954), doi:10.1111/j.2517-6161.1954.tb00159.x.

    Examples
    --------
    >>> found = context_index(
    ...     np.array([1.98, 0.0]),
    ...     np.array([2.0, 0.0]),
    ...     (np.full(2, 1e-4), np.zeros(2), np.zeros(2)),
    ...     np.array(9.0),
    ... )
    >>> found.index, found.verdict.tolist(), found.unbounded.tolist()
    (array([0.99, 0.  ]), ['dependent', 'undecided'], [False, True])
    """
    from causalgia.estimation.ratios import fieller

    nothing = wild_type == 0
    lower, upper, unbounded = fieller(change, wild_type, variances, df, ci_prob)
    share = np.where(nothing, 0.0, change / np.where(nothing, 1.0, wild_type))
    infinite = np.where(change > 0, np.inf, np.where(change < 0, -np.inf, 0.0))
    return Index(np.where(nothing, infinite, share), lower, upper, unbounded)


def _change_and_wild_type(outcomes: xr.Dataset) -> tuple[Array, xr.DataArray]:
    """Return WT - MUT and WT of each unit, (unit, 2, task[, model]), and WT with its
    labels.
    """
    y = outcomes["outcome"].astype(float)
    wild, alone = (
        y.sel(arm=arm, drop=True).transpose("unit", ...) for arm in (UNTREATED, ALONE)
    )
    return np.stack([(wild - alone).to_numpy(), wild.to_numpy()], axis=1), wild


def _overall_index(outcomes: xr.Dataset, analysis: Analysis) -> xr.Dataset:
    """Return the index over all sequences, a ratio of two means, (task[, model])."""
    from causalgia.estimation.crossover import mean_ice, stratified_mean

    pairs, wild = _change_and_wild_type(outcomes)
    parents, codes = np.unique(outcomes["parent"].to_numpy(), return_inverse=True)
    alone = len(parents) == 1
    means = (
        stratified_mean(pairs, codes, np.ones(1)) if alone else mean_ice(pairs, codes)
    )
    covariance = np.einsum("ga...,gb...->ab...", means.factor, means.factor)
    variances = (covariance[0, 0], covariance[0, 1], covariance[1, 1])
    df = np.broadcast_to(means.df, means.ace.shape)[0]
    index = context_index(
        means.ace[0], means.ace[1], variances, df, ci_prob=analysis.ci_prob
    )
    of = f"(E WT - E MUT) / E WT over {about(outcomes, 'the units').null}"
    return _index_table(index, wild.isel(unit=0, drop=True).coords).assign_attrs(
        estimand=of
    )


def _index_of_each(outcomes: xr.Dataset, null: Genomic, ci_prob: float) -> xr.Dataset:
    """Return the index of each sequence, whose WT is known exactly, (sequence, task[,
    model]).
    """
    import xarray as xr

    pairs, wild = _change_and_wild_type(outcomes)
    n = len(pairs) // null.n_draws
    change, wild_type = np.moveaxis(
        pairs[: n * null.n_draws].reshape(n, null.n_draws, *pairs.shape[1:]), 2, 0
    )
    zero = np.zeros(change[:, 0].shape)
    variances = (change.var(axis=1, ddof=1) / null.n_draws, zero, zero)
    index = context_index(
        change.mean(axis=1),
        wild_type[:, 0],
        variances,
        zero + null.n_draws - 1,
        ci_prob=ci_prob,
    )
    names = xr.DataArray(
        list(null.parents_given.names[:n]), dims="sequence", name="sequence"
    )
    found = _index_table(
        index, {"sequence": names, **wild.isel(unit=0, drop=True).coords}
    )
    return found.assign_attrs(
        estimand="(WT - E MUT) / WT of each sequence, over its shuffles"
    )


def _index_table(index: Index, coords: Mapping[Hashable, xr.DataArray]) -> xr.Dataset:
    import xarray as xr

    dims = [str(name) for name, c in coords.items() if c.dims == (name,)]
    columns = {
        name: getattr(index, name)
        for name in ("index", "lower", "upper", "unbounded", "verdict")
    }
    return xr.Dataset(
        {name: (dims, v) for name, v in columns.items()},
        coords={dim: coords[dim] for dim in dims},
    )


def _read_context(found: TrialResults) -> Reading:
    from causalgia.effects.scales import is_log

    outcomes, analysis, null = (
        found.outcomes,
        found.experiment.analysis,
        found.experiment.null,
    )
    assert isinstance(null, Genomic)
    if outcomes is None or is_log(about(outcomes, "outcome").scale):
        alone = [  # of the contrast alone: log scales and moments have no index
            Statement((("element alone", row),), *start)
            for start, row in rows_by_task(found.steps.decisions.isel(contrast=0))
        ]
        return Reading(states=tuple(alone))
    tables = {"index": _overall_index(outcomes, analysis)}
    if null.n_draws > 1:
        tables["of each sequence"] = _index_of_each(outcomes, null, analysis.ci_prob)
    element = found.experiment.labels["element"][ALONE]
    states, further = list[Statement](), list[Statement]()
    for start, row in rows_by_task(found.steps.decisions):
        where = {dim: row[dim].item() for dim in ("task", "model") if dim in row.coords}
        own = {
            name: table.sel({dim: where[dim] for dim in where if dim in table.dims})
            for name, table in tables.items()
        }
        clause = ("element", element, row.isel(contrast=0), own["index"])
        states.append(Statement((clause,), *start))
        if len(null.parents_given) > 1 and "of each sequence" in own:
            each = ("element in each", own["of each sequence"])
            further.append(Statement((each,), *start))
    return Reading(datasets=tables, states=tuple(states), further=tuple(further))


CONTEXT_DEPENDENCE = Entry(
    name="context_dependence",
    question="Does an element need the sequence around it?",
    estimand=(
        "E[Y(element, context shuffled) - Y(wild type)], and (E WT - E MUT) / E WT, "
        "over the real sequences."
    ),
    doi="10.1038/s41588-024-01923-3",
    zoo="long_range",
    example={"sequences": "example.fa", "element": [120, 180], "rope": [-0.1, 0.1]},
    read=_read_context,
)
