"""A trial whose outcomes are not held: from a design to estimates of its contrasts, in memory that n does not fill."""

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
    """Run a trial and estimate its named contrasts without ever holding its outcomes.

    The estimates are those of ``cg.estimate(cg.contrast(cg.run(experiment, predictor, rng=rng)))``, to rounding, by
    ``cg.estimate(cg.run(experiment, predictor, rng=rng, keep="moments"))``: the same units under the same arms, whose
    individual effects are added to running moments and forgotten. Memory grows with arms and contrasts, and with
    parents where units share them, not with units. Beyond 512 contrasts of independent units ``factor`` has a row for
    each of up to some thousand random groups of units (`causalgia.run` says which); standard errors are from all units.

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
        Of a Dask cluster (`distributed.Client`) whose workers answer; None: this process.

    Returns
    -------
    Dataset
        As `causalgia.estimate` gives it, with the experiment's coordinates on the contrasts; ``weight`` only up to 33
        million weights (contrasts times arms). It goes to ``experiment.analyse(estimates, rng=)``, `causalgia.infer`,
        `causalgia.adjust` and `causalgia.decide`. On an ensemble there is a dim ``model``.

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
        If effects do not vary, or the predictor answers every sequence alike.
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
    from causalgia.estimation.request import require_ci_prob
    from causalgia.trial.stored_design import store_design

    ci_prob = require_ci_prob(ci_prob)
    moments = run(experiment, predictor, rng=rng, keep="moments", progress=progress, client=client)
    estimates = estimate(moments, ci_prob=ci_prob)
    estimates = experiment.label(estimates) if isinstance(experiment, Experiment) else estimates
    return store_design(estimates, experiment)
