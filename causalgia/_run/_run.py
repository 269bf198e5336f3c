"""`run`: run a trial and keep its outcomes, its individual effects, or their moments."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import xarray as xr

from causalgia._run.kept_effects import run_effects
from causalgia._run.kept_outcomes import run_outcomes
from causalgia._run.request import Keep, RunRequest, Until
from causalgia.analysis import Analysis
from causalgia.design import Design
from causalgia.predict import Predictor
from causalgia.sequences.fasta import Source
from causalgia.streams import RNG
from causalgia.trial.archive import place_of

if TYPE_CHECKING:
    from distributed import Client


def run(
    design: Design,
    predictor: Predictor,
    *,
    rng: RNG,
    store: str | os.PathLike[str] | None = None,
    same_answers: bool = False,
    keep: Keep = "outcomes",
    client: Client | None = None,
    analysis: Analysis | None = None,
    until: Until | None = None,
    progress: bool = True,
    real: Source | Literal["parents"] | None = None,
) -> xr.Dataset:
    """Run a trial: draw the units, apply the arms, ask the predictor, and return the outcomes.

    The outcome of unit u under arm a is ``Y_u(a) = f(a(u))``. Results depend on the design, the predictor and `rng`
    alone: not on batch size, order or worker count, and not on whether the trial was stored or resumed. See Notes.

    Parameters
    ----------
    design
        Units and arms.
    predictor
        The network as a function, from `cg.TorchPredictor`, `cg.FunctionPredictor`, `cg.Ensemble` or the zoo.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    store
        A folder (zarr) in which the trial is saved as it runs: after a kill, an error or Ctrl-C the same call resumes
        it, and for a finished trial it returns the stored result. The result is then lazy, as from `causalgia.open`.
        None: in memory.
    same_answers
        Take over the answers of a store that another predictor began, if this one reproduces them and nothing else
        differs: after a correction of code on which answers do not depend. Up to 256 of the stored units are
        predicted again under every arm; none may differ by more than 4 times the predictor's own rounding.
        ``attrs["notes"]`` says what was taken over. Sums (``keep="moments"``) cannot be compared.
    keep
        ``"outcomes"``; ``"effects"``, the individual effects of the contrasts that the design or the analysis names,
        on the analysis's scale; or ``"moments"``, only the moments of these, in memory that does not grow with the
        number of units, for `causalgia.estimate`. Both need a crossover.
    client
        Client of a Dask cluster (`distributed.Client`) whose workers predict; None: this process.
    analysis
        The planned analysis: stored with the outcomes, so that `causalgia.analyze` can say what was fixed before they
        were seen. None: the one of the design (an experiment of the catalogue).
    until
        Stopping rule: `causalgia.Precision` or `causalgia.Decided`, for a crossover held in memory.
        ``design.n_units`` is then the largest number of units; a trial that stops has the first units of the full one.
    progress
        Whether to draw a progress bar if standard error is a terminal.
    real
        Natural sequences of the length of the backgrounds, or ``"parents"``, the sequences of the null model: up to 200
        are predicted beside 200 untreated units, and ``attrs["notes"]`` gives the AUROC of each task where it is at
        least .9 or at most .1, that is, where null model and data do not overlap.

    Returns
    -------
    Dataset
        ``keep="outcomes"``: ``outcome (unit, arm, task[, model])`` in the predictor's dtype, on
        ``attrs["scale"]``; in a parallel trial ``outcome (unit, task[, model])`` with ``assigned (unit)``.
        Coordinates: ``parent``, ``gc`` (and ``block``) of each unit; ``do``, ``kind``, ``random`` and the factor levels
        of each arm. With `until` also the trajectory: ``look_n_units, look_n_clusters (look)`` and the intervals
        ``look_lower, look_upper (look, contrast, task[, model])``; ``attrs["stopped"]`` says where the trial ended and
        why. `causalgia.Decided` adds ``look_counts (look)``, whether there were enough clusters for a verdict. The
        design is stored as JSON, ``attrs["design"]`` (compressed, as ``design (byte)``, if it is long).

        ``keep="effects"``: the result of `causalgia.contrast` on these outcomes.

        ``keep="moments"``: ``ice_mean, ice_sd, ice_skewness, ice_least, ice_most (contrast, task[, model])``;
        ``ice_quantile (quantile, contrast, task[, model])``, the percentiles and those of usual intervals:
        ``moments["ice_quantile"].sel(quantile=[0.025, 0.5, 0.975])``, each known to ``attrs["relative_error"]`` of its
        distance from the mean of the first turn (0.7 % up to 1,024 contrasts of a task, 3 % at 4,096, at most 11 %;
        `causalgia.estimation.Sketch`); ``control_sd``. For the covariance of estimates: up to 512 contrasts
        ``ice_correlation (contrast, contrast_, task[, model])``; where units share parents ``ice_sum (cluster,
        contrast, task[, model])``, their sums by parent; beyond 512 contrasts of independent units sums by random
        group: unit i is dealt into group ``i mod G``, and ``F_g = sum_{i in g} (ICE_i - mean) / (n sqrt(1 - n_g / n))``
        makes ``F' F`` unbiased for the covariance of the estimates, on G - 1 degrees of freedom. G is the number of
        groups that fit into 32 MiB, at least 256 (1,024 for 4,096 contrasts of one task); standard errors use all
        units. The running sums take 0.3 MB for 10 contrasts of one task and 67 MB for 4,096, for any number of units.

    Raises
    ------
    DesignError
        If all units are the same sequence, an arm cannot be applied (the arm is named), the result would not fit into
        this machine's memory, or the analysis names an arm, factor, task or coordinate that the outcomes will not
        have; if a parallel or stored trial has `until`; or if a trial that keeps effects or moments names no
        contrasts, is parallel, or has an analysis that needs all outcomes at once.
    PredictorError
        If an answer is not finite (naming arm, unit and task), has the wrong shape, or depends on batch mates.
    ContrastError
        If it keeps effects or moments and an outcome cannot be put on their scale.
    EstimateError
        If it keeps moments and all units share one parent.
    StoreError
        If the store belongs to another trial (the message says what differs) or another version, cannot be written, or,
        with `same_answers`, has answers that this predictor does not reproduce.
    ClusterError
        If the cluster has no workers, loses them, or the predictor cannot be sent to them.
    TrialInterruptedError
        At Ctrl-C in a stored trial; the answers so far are stored.

    Warns
    -----
    DegenerateWarning
        If the predictor gives one answer for every sequence, or few units are distinct.
    FewClustersWarning
        If it keeps moments and units share fewer than 20 parents.
    DamageWarning
        If files of the store are damaged; their units are predicted again.

    Notes
    -----
    A trial runs in turns of some thousand sequences. Sequences that are equal within a turn are predicted once, so that
    the control arm is shared by all contrasts. Before the first turn some 26 rows are predicted to check that answers
    do not depend on batch mates. Units, draws of the arms and the assignment depend on `rng` and the unit's id alone,
    so that adding an arm changes no other arm.

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115. Masson, Rim & Lee (2019),
    doi:10.14778/3352063.3352135. Wolter (2007), Introduction to Variance Estimation, doi:10.1007/978-0-387-35099-8,
    chapter 2 (random groups).

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30),
    ...     arms={"control": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)},
    ...     n_units=50,
    ...     contrasts="control",
    ... )
    >>> share = cg.FunctionPredictor(lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share")
    >>> outcomes = cg.run(design, share, rng=0)
    >>> outcomes["outcome"].shape
    (50, 2, 1)
    >>> moments = cg.run(design, share, rng=0, keep="moments")
    >>> moments["ice_quantile"].sel(quantile=0.5).round(2).values, cg.estimate(moments)["ace"].round(2).values
    (array([[0.1]]), array([[0.1]]))
    """
    request = RunRequest(
        design=design,
        predictor=predictor,
        rng=rng,
        keep=keep,
        analysis=analysis,
        until=until,
        real=real,
        path=None if store is None else place_of(store),
        same_answers=same_answers,
        client=client,
        progress=progress,
    )
    if keep == "outcomes":
        return run_outcomes(request)
    if keep == "effects":
        return run_effects(request)
    from causalgia._run.running_moments import run_moments

    return run_moments(request)
