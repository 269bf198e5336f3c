"""Streamed trials: estimates of the contrasts of a design in memory that does not grow with the number of units."""

from __future__ import annotations

from typing import TYPE_CHECKING

from causalgia.design import Design
from causalgia.errors import DesignError
from causalgia.experiments.kit.experiment import Experiment
from causalgia.predict import Predictor
from causalgia.streams import RNG

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client


def stream(
    experiment: Design,
    predictor: Predictor,
    *,
    rng: RNG,
    progress: bool = True,
    ci_prob: float = 0.95,
    client: Client | None = None,
) -> xr.Dataset:
    """Run a trial and estimate its named contrasts without storing its outcomes.

    The estimates equal, to rounding, those of ``cg.estimate(cg.contrast(cg.run(experiment, predictor, rng=rng)))``.
    They are ``cg.estimate(cg.run(experiment, predictor, rng=rng, keep="moments"))``: the same units and arms, with
    individual effects accumulated in running moments. Memory grows with arms, contrasts and parents, not with units.
    For more than 512 contrasts of independent units, ``factor`` has a row for each of up to some thousand random groups
    of units (see `causalgia.run`); standard errors use all units.

    Parameters
    ----------
    experiment
        A crossover that names its contrasts: an experiment of the catalogue, or a design with ``contrasts=``.
    predictor
        As in `causalgia.run`.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    progress
        Draw a progress bar when standard error is a terminal.
    ci_prob
        Probability of the intervals.
    client
        Client of a Dask cluster (`distributed.Client`) that runs the predictions; None: this process.

    Returns
    -------
    Dataset
        As from `causalgia.estimate`, with the experiment's coordinates on the contrasts; ``weight`` only for up to 33
        million weights (contrasts times arms). Pass it to ``experiment.analyze(estimates, rng=)``, `causalgia.infer`,
        `causalgia.adjust` or `causalgia.decide`. For an ensemble there is a dim ``model``.

    Raises
    ------
    DesignError
        If the design names no contrasts, is parallel, has one unit, or its analysis needs the outcomes themselves (a
        target other than the population, clusters weighted equally, a function of means, resampling).
    EstimateError
        If all units share one parent.
    PredictorError
        As `causalgia.run`: an answer that is not finite (naming arm and unit), or depends on batch mates.
    ContrastError
        If outcomes cannot be put on the scale of the analysis.
    ClusterError
        As `causalgia.run`.

    Warns
    -----
    DegenerateWarning
        If effects do not vary, or the predictor returns the same value for every sequence.
    FewClustersWarning
        Below 20 parents, where units share them.

    References
    ----------
    Wolter (2007), Introduction to Variance Estimation, doi:10.1007/978-0-387-35099-8, chapter 2 (random groups).

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.copies(at="published", n_units=200)
    >>> estimates = cg.experiments.stream(experiment, cg.zoo.oracle("additive"), rng=0)
    >>> round(estimates["ace"].sel(contrast="3 copies", task="outcome").item(), 1)
    9.3
    """
    if not isinstance(experiment, Design):
        raise DesignError(f"stream(experiment, predictor): the first is {type(experiment).__name__}, not an experiment")
    from causalgia._run import run
    from causalgia.estimation._estimate import estimate
    from causalgia.estimation.request import as_ci_prob
    from causalgia.trial.stored_design import store_design

    ci_prob = as_ci_prob(ci_prob)
    moments = run(experiment, predictor, rng=rng, keep="moments", progress=progress, client=client)
    estimates = estimate(moments, ci_prob=ci_prob)
    estimates = experiment.label(estimates) if isinstance(experiment, Experiment) else estimates
    return store_design(estimates, experiment)
