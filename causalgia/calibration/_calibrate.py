"""Error rates and coverage of a whole analysis, over repeated trials of one design."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia._analyze import estimate_effects, infer_and_decide
from causalgia._run import run
from causalgia.analysis import Analysis
from causalgia.analysis_values import Prior
from causalgia.attributes import attributes
from causalgia.calibration.binomial_bands import (
    Row,
    mean_row,
    rank_row,
    rate_table,
    share_row,
    verdict_rows,
)
from causalgia.checks import as_probability, check_arm, is_whole
from causalgia.design import Arm, Design
from causalgia.design.design import check_design
from causalgia.effects import contrast
from causalgia.errors import (
    CausalgiaWarning,
    DataError,
    DesignError,
    EstimateError,
    PredictorError,
    quoted,
    type_in_words,
)
from causalgia.estimation import estimate, from_effects
from causalgia.multiplicity import simultaneous
from causalgia.numerics.float_errors import usual_errors
from causalgia.predict import Predictor
from causalgia.streams import RNG, derive, root_key
from causalgia.trial.setup import set_up_trial
from causalgia.trial.turns import Trial
from causalgia.types import Array, Client
from causalgia.verdicts import decide
from causalgia.verdicts.verdict_rule import UNDECIDED
from causalgia.workers import mapped

LEAST_TRIALS = 2
RANKED = 99
"""Posterior draws among which a truth is ranked."""
_TRIAL, _SAME_ARMS = "trial", "same arms"


@usual_errors
def calibrate(
    design: Design,
    predictor_or_simulator: Predictor | Simulator,
    *,
    n_trials: int,
    rng: RNG,
    analysis: Analysis | None = None,
    truth: xr.DataArray | None = None,
    posterior: bool = True,
    alpha: float = 0.001,
    client: Client | None = None,
) -> xr.Dataset:
    """Repeat a trial with fresh units and estimate its error rates: false verdicts,
    coverage, type-I error.

    Each rate is given with the band in which it lies by chance if the nominal rate
    holds. Trials are the replicates, and the bands hold for all rows together. If the
    analysis has a region of practical equivalence, verdicts and printed intervals are
    those of `causalgia.analyze`.

    Parameters
    ----------
    design
        The design.
    predictor_or_simulator
        A predictor; or a function ``simulator(design, rng=seed)`` that returns outcomes
        as `causalgia.run` does, with an optional variable ``truth (contrast, task)`` of
        the trial. Truths drawn from the prior test the calibration of a posterior.
    n_trials
        Number of trials, two or more; as many A/A trials are run too. 1,000 detect a
        true .07 instead of .05 with probability .7.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    analysis
        Analysis of each trial; None: every arm minus the first, 95 % intervals.
    truth
        True ACE ``(contrast, task)``. None: the simulator's, or the predictor's
        ``true_ace``, else the mean of all trials, which measures coverage but not false
        discoveries.
    posterior
        Whether to fit a posterior (`causalgia.infer`) to each trial, and add rows on
        it; trials without one (an effect without spread, a sampler that has not
        converged) are counted in attrs["without_posterior"].
    alpha
        Probability that any row falls outside its band although all nominal rates hold.
    client
        A `distributed.Client`, on whose Dask workers this runs; None: this process.
        Seeds do not depend on workers: the table is the same, to the bit on equal
        hardware, for any number of them.

    Returns
    -------
    Dataset
        ``value, nominal, lower, upper, mcse, n_trials, claim, passes (row)``,
        ``p_same (trial, task)`` of the A/A trials and ``ace (trial, contrast, task)``;
        attrs["not_measured"] lists what cannot be measured with the available truth.
        Notes list the rows.

    Raises
    ------
    EstimateError
        If there are fewer than two trials, or the truth lacks a contrast.
    EstimateError
        If the analysis has a region that these effects have not (by task, and a task is
        missing; of placebos, and there are fewer than 40), or cannot decide on them.
    DesignError
        If `design` is not a design, or the analysis names an arm it lacks.
    StoreError
        If the cluster has no workers, loses them, does not respond within the time
        limit, or the predictor or simulator cannot be sent to them; or the simulator
        fails on a worker (names the trial).

    Notes
    -----
    Rows: ``"A/A p < 0.05: task"`` (type-I error), ``"coverage: contrast, task"`` (of
    `causalgia.estimate`, whose intervals decisions print, too), ``"FWER of the band"``.
    If a truth and a region are known: ``"false verdict: contrast, task"``;
    ``"false directions of all given"`` and ``"false negligibles of all given"``, means
    over trials, which ``error="fdr"`` and ``"fwer"`` bound, and ``"posterior"`` if
    truths are drawn anew; and the verdicts that are missed:
    ``"missed: effects of 2 bounds or more"``, of which at most .05 may be where they
    lie 8 standard errors or more beyond the region, and ``"missed: effects of 0"``
    (those whose standard error is below a fifth of the bound). If some truths are 0:
    ``"FDR"`` of the directions that ``decide(rope=0)`` names, and the 95th percentile
    of their false-discovery proportion. With `posterior`: ``"lfsr - wrong signs"`` and
    ``"SBC rank: contrast, task"``, for truths drawn from the prior of an
    analysis that has one and estimates simulated with each trial's errors, or for the
    simulator's own truths. Intervals and
    p-values are those of `causalgia.estimation.effect_intervals`: the coverage is at
    least the nominal one, and the type-I error at most.

    References
    ----------
    Talts et al. (2018), doi:10.48550/arXiv.1804.06788 (ranks).

    Examples
    --------
    >>> import causalgia as cg
    >>> design = cg.Design(
    ...     null=cg.Uniform(length=30),
    ...     arms={"untreated": cg.Untreated(), "GC": cg.Embed("GCGCGC", at=12)},
    ...     n_units=40,
    ... )
    >>> share = cg.FunctionPredictor(
    ...     lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share"
    ... )
    >>> table = calibrate(design, share, n_trials=20, rng=0)
    >>> table["row"].values.tolist()
    ['A/A p < 0.05: GC', 'coverage: GC, GC', 'FWER of the band', 'lfsr - wrong signs']
    >>> bool(table["passes"].all())
    True
    """
    check_design(
        design, predictor_or_simulator, "calibrate(design, predictor_or_simulator)"
    )
    if not is_whole(n_trials) or n_trials < LEAST_TRIALS:
        raise EstimateError(
            f"n_trials={quoted(n_trials)}: {LEAST_TRIALS} or more are needed, and "
            "1,000 give useful bands"
        )
    alpha = as_probability(alpha, "alpha")
    simulator_of(predictor_or_simulator)  # raises PredictorError
    if not isinstance(analysis, Analysis | None):
        raise DesignError(f"analysis={quoted(analysis)} is not a cg.Analysis")
    _check_truth(truth)
    request = (
        analysis
        if analysis is not None
        else Analysis(control=design.named_arms[0].name)
    )
    with warnings.catch_warnings():
        # they would be repeated in every trial
        warnings.simplefilter("ignore", CausalgiaWarning)
        known = truth
        identity = request.control is not None and request.scale == "identity"
        if (
            truth is None and identity and hasattr(predictor_or_simulator, "true_ace")
        ):  # of the zoo
            known = predictor_or_simulator.true_ace(design, control=request.control)
        settings = None
        if client is not None and isinstance(
            predictor_or_simulator, Predictor
        ):  # those of this process, for workers
            begun = set_up_trial(
                design, predictor_or_simulator, rng=0, analysis=None, client=client
            )
            begun.probe()
            settings = begun.trial.settings
        repeat = _Repetition(
            design,
            predictor_or_simulator,
            request,
            root_key(rng),
            posterior,
            known,
            settings,
        )
        alone = repeat((_SAME_ARMS, 0))
        again = (
            []
            if alone is None
            else [(_SAME_ARMS, trial) for trial in range(1, n_trials)]
        )
        pieces = [*((_TRIAL, trial) for trial in range(n_trials)), *again]
        names = [f"{which} {trial}" for which, trial in pieces]
        found = mapped(repeat, pieces, what="calibrate", names=names, client=client)
    results = found[:n_trials]
    aa_p_values = (
        None
        if alone is None
        else xr.concat([alone, *found[n_trials:]], dim="trial").rename("p_same")
    )
    return _calibration_table(results, aa_p_values, request, known, alpha)


@dataclass(frozen=True)
class _TrialResult:
    """What the table needs of one trial, which a worker sends back.

    ``ace, lower, upper`` of the estimates, ``lower, upper`` of the simultaneous band,
    discoveries, truth, decisions, and summaries of the posterior.
    """

    estimates: xr.Dataset
    band: xr.Dataset
    found: Array
    truth: Array | None
    decisions: xr.Dataset | None = None
    lfsr: Array | None = None
    sign: Array | None = None
    ranks: Array | None = None
    without: str = ""


@dataclass(frozen=True)
class _Repetition:
    """One repetition, of the trial or of its A/A trial, here or on a worker."""

    design: Design
    predictor_or_simulator: Any
    analysis: Analysis
    key: int
    posterior: bool
    known: xr.DataArray | None
    trial_settings: list[dict[str, Any]] | None

    def __post_init__(self) -> None:
        """Apply the predictor settings of the main process, on which the last bits of
        predictions depend.
        """
        if self.trial_settings is not None:
            Trial(self.design, self.predictor_or_simulator, self.key).apply_settings(
                self.trial_settings
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return _Repetition, tuple(getattr(self, field.name) for field in fields(self))

    def __call__(self, piece: tuple[str, int]) -> Any:
        """Return the result of a trial; of an A/A trial its p-values, or None where
        there are none.
        """
        which, trial = piece
        simulator = simulator_of(self.predictor_or_simulator)
        if which == _TRIAL:
            return self._analyze(
                repeat_trial(
                    self.design, simulator, key=self.key, trial=trial, purpose=which
                ),
                trial,
            )
        control = (
            self.analysis.control
            if self.analysis.control is not None
            else self.design.named_arms[0].name
        )
        pair = repeat_trial(
            aa_design(self.design, control),
            simulator,
            key=self.key,
            trial=trial,
            purpose=which,
        )
        try:
            return estimate(contrast(pair, control=SAME), cluster="auto")["p"].isel(
                contrast=0, drop=True
            )
        except (
            EstimateError
        ):  # a simulator with arms of its own, not those of the design that it is given
            return None

    def _analyze(self, outcomes: xr.Dataset, trial: int) -> _TrialResult:
        """Apply the analysis to the outcomes of a trial, and summarize its
        posterior.
        """
        analysis, rng = self.analysis, derive(self.key, "resampling", trial)
        effects, estimates = estimate_effects(
            outcomes.drop_vars("truth", errors="ignore"), analysis
        )
        # which a simulator may give
        own = outcomes["truth"] if "truth" in outcomes.variables else None
        true = own if own is not None else self.known
        at = None if true is None else _truth_of_estimates(true, estimates)
        directions = decide(
            estimates,
            rope=0,
            ci_prob=analysis.ci_prob,
            family=analysis.family,
            shrink=None,
        )["verdict"].transpose("contrast", "task")
        discovered = directions.to_numpy() != UNDECIDED
        band = _simultaneous_band(effects, estimates, analysis, rng)[["lower", "upper"]]
        found = _TrialResult(
            estimates[["ace", "lower", "upper"]], band, discovered.astype(float), at
        )
        # without a truth no verdict is judged; a plan that cannot be carried out is
        # refused all the same
        if analysis.rope is not None and (at is not None or trial == 0):
            steps = infer_and_decide(
                outcomes,
                effects,
                estimates,
                analysis,
                shrinks=False,
            )
            if at is not None:
                found = replace(found, decisions=steps.decisions)
        if not self.posterior:
            return found
        summary = _posterior_summary(
            estimates,
            analysis,
            own is not None,
            at,
            derive(self.key, "posterior", trial),
        )
        if isinstance(summary, str):
            return replace(found, without=summary)
        lfsr, sign, ranks = summary
        return replace(found, lfsr=lfsr, sign=sign, ranks=ranks)


def _simultaneous_band(
    effects: xr.Dataset | None, estimates: xr.Dataset, analysis: Analysis, rng: int
) -> xr.Dataset:
    if effects is None or "ice" not in effects:
        return simultaneous(estimates, ci_prob=analysis.ci_prob, rng=rng)
    return simultaneous(
        effects, ci_prob=analysis.ci_prob, cluster=analysis.cluster, rng=rng
    )


def _posterior_summary(
    estimates: xr.Dataset,
    analysis: Analysis,
    drawn: bool,
    truth: Array | None,
    seed: int,
) -> tuple[Array, Array, Array | None] | str:
    """Return the lfsr and sign of each effect and the rank of a truth drawn from the
    prior; or why there are none.
    """
    from causalgia.posterior import infer

    shrink: Any = analysis.shrink
    prior = shrink.prior
    try:
        post = infer(estimates, prior=prior, n_draws=4 * (RANKED + 1), rng=seed)
    except EstimateError as error:
        return str(error)
    draws = (
        post["posterior"]["ace"]
        .transpose("chain", "draw", "contrast", "task")
        .to_numpy()
    )
    draws = draws.reshape(-1, *draws.shape[2:])
    sign = np.sign((draws > 0).sum(axis=0) - (draws < 0).sum(axis=0))
    lfsr = post["moments"]["lfsr"].transpose("contrast", "task").to_numpy()
    if drawn and truth is not None:
        return lfsr, sign.astype(float), (draws[:RANKED] < truth).sum(axis=0)
    if prior is None:
        return lfsr, sign.astype(float), None
    ranks = ranks_from_the_prior(estimates, prior, seed=derive(seed, "ranks"))
    return lfsr, sign.astype(float), ranks


def _check_truth(truth: Any) -> None:
    if truth is None:
        return
    if (
        not isinstance(truth, xr.DataArray)
        or set(truth.dims) != {"contrast", "task"}
        or truth.dtype.kind not in "iuf"
    ):
        what = (
            f"has dims {truth.dims}"
            if isinstance(truth, xr.DataArray)
            else f"is {type_in_words(truth)}"
        )
        raise EstimateError(
            f"truth= {what}; give the true ACE as an xarray.DataArray of numbers "
            "with dims and coordinates contrast and task, as "
            "predictor.true_ace(design, control=...) does for the zoo"
        )
    for dim in ("contrast", "task"):
        if dim not in truth.coords:
            raise EstimateError(f"truth= has no coordinate {dim}")
    if not np.isfinite(truth.to_numpy()).all():
        raise EstimateError("truth= has values that are not finite")


def _truth_of_estimates(truth: xr.DataArray, estimates: xr.Dataset) -> Array:
    """Return the truth of each estimate, (contrast, task)."""
    for dim in ("contrast", "task"):
        lacking = [
            x for x in estimates[dim].to_numpy() if x not in truth[dim].to_numpy()
        ]
        if lacking:
            raise EstimateError(f"the truth lacks {dim} {lacking[0]}")
    at = truth.sel(
        contrast=estimates["contrast"].to_numpy(), task=estimates["task"].to_numpy()
    )
    return np.asarray(at.transpose("contrast", "task").to_numpy(), dtype=np.float64)


def _calibration_table(
    results: Sequence[_TrialResult],
    aa_p_values: xr.DataArray | None,
    analysis: Analysis,
    known: xr.DataArray | None,
    alpha: float,
) -> xr.Dataset:
    estimates = xr.concat([result.estimates for result in results], dim="trial")
    bands = xr.concat([result.band for result in results], dim="trial")
    ace = estimates["ace"].transpose("trial", "contrast", "task").to_numpy()
    truths = [result.truth for result in results if result.truth is not None]
    truth = np.stack(truths) if truths else centered_truth(ace)
    error = 1 - float(analysis.ci_prob)
    rows, lacking = list[Row](), list[str]()
    if aa_p_values is None:
        lacking = [
            "A/A: the simulator has arms of its own, not the two equal ones of the "
            "design that it is given"
        ]
    else:
        for t in aa_p_values["task"].to_numpy():
            rows.append(
                share_row(
                    f"A/A p < {error:.3g}: {t!s}",
                    aa_p_values.sel(task=t).to_numpy() < error,
                    error,
                    "at most",
                )
            )
    covered = ~_outside(estimates, truth)
    contrasts, tasks = estimates["contrast"].to_numpy(), estimates["task"].to_numpy()
    for k, j in np.ndindex(*covered.shape[1:]):
        rows.append(
            share_row(
                f"coverage: {contrasts[k]!s}, {tasks[j]!s}",
                covered[:, k, j],
                1 - error,
                "at least",
            )
        )
    rows.append(
        share_row(
            "FWER of the band",
            _outside(bands, truth).any(axis=(1, 2)),
            error,
            "at most",
        )
    )
    random = bool(truths) and known is None
    decided, why_not = verdict_rows([result.decisions for result in results], truth)
    rows += decided
    lacking += why_not
    more, why = (
        _discovery_rows(results, truth, error)
        if truths
        else ([], ["FDR: no true effect is known"])
    )
    rows += more + _posterior_rows(results, truth, estimates, random=random)
    why += [f"posterior: {result.without}" for result in results if result.without][:1]
    table = rate_table(rows, alpha=alpha).assign(ace=estimates["ace"])
    if aa_p_values is not None:
        table["p_same"] = aa_p_values
    table.attrs |= attributes(
        analysis=analysis.to_json(), not_measured="; ".join(lacking + why)
    )
    table.attrs.update(
        attributes(without_posterior=sum(bool(result.without) for result in results))
    )
    return table


def _outside(limits: xr.Dataset, truth: Array) -> npt.NDArray[np.bool_]:
    lower, upper = (
        limits[end].transpose("trial", "contrast", "task").to_numpy()
        for end in ("lower", "upper")
    )
    return np.asarray((truth < lower) | (truth > upper))


def _discovery_rows(
    results: Sequence[_TrialResult], truth: Array, alpha: float
) -> tuple[list[Row], list[str]]:
    null = truth == 0
    if not null.any():
        return [], ["FDR: no true effect is 0, so no discovery is false"]
    found = np.stack([result.found for result in results]) > 0
    proportion = (found & null).sum(axis=(1, 2)) / np.maximum(found.sum(axis=(1, 2)), 1)
    spread = float(np.quantile(proportion, 0.95))
    tail = Row(
        "95th percentile of the FDP",
        spread,
        alpha,
        len(results),
        "reported",
        "mean",
        0.0,
    )
    return [mean_row("FDR", proportion, alpha, "at most"), tail], []


def _posterior_rows(
    results: Sequence[_TrialResult],
    truth: Array,
    estimates: xr.Dataset,
    *,
    random: bool,
) -> list[Row]:
    """Return rows on lfsr minus wrong signs (nominal if truths were drawn anew for each
    trial) and on ranks.
    """
    has = [i for i, result in enumerate(results) if result.lfsr is not None]
    if not has:
        return []
    lfsr, sign = (
        np.stack([getattr(results[i], name) for i in has]) for name in ("lfsr", "sign")
    )
    wrong = (truth[has] == 0) | (np.sign(truth[has]) != sign)
    rows = [
        mean_row(
            "lfsr - wrong signs",
            (lfsr - wrong).mean(axis=(1, 2)),
            0.0,
            "exact" if random else "reported",
        )
    ]
    each = [r for r in (results[i].ranks for i in has) if r is not None]
    if not each:
        return rows
    ranks = np.stack(each)
    contrasts, tasks = estimates["contrast"].to_numpy(), estimates["task"].to_numpy()
    for k, t in np.ndindex(*ranks.shape[1:]):
        rows.append(
            rank_row(
                f"SBC rank: {contrasts[k]!s}, {tasks[t]!s}",
                ranks[:, k, t],
                RANKED,
                "exact",
            )
        )
    return rows


def ranks_from_the_prior(
    estimates: xr.Dataset, prior: Prior, *, seed: int
) -> Array | None:
    """Return the rank of effects drawn from the prior among draws of their posterior,
    (contrast, task).

    ``(mu, tau, delta)`` are drawn from the prior, and estimates with the standard
    errors of this trial, taken as known and independent. None if the prior is improper
    or without a unit (the control arm does not vary), or a standard error is 0.

    Parameters
    ----------
    estimates
        Estimates of a trial: ``se``, and ``control_sd`` if the prior is in its unit.
    prior
        As `causalgia.infer` takes it.
    seed
        Seed of truths and draws.

    References
    ----------
    Talts et al. (2018), doi:10.48550/arXiv.1804.06788.

    Examples
    --------
    >>> ranks_from_the_prior(from_effects([0.0, 1.0], se=0.5), Prior(), seed=0).shape
    (2, 1)
    """
    se = estimates["se"].transpose("contrast", "task").to_numpy()
    if not (se > 0).all() or not np.isfinite([prior.mu_sd, prior.tau_scale]).all():
        return None
    generator = np.random.default_rng(seed)
    columns = []
    for t in range(se.shape[1]):
        own = prior
        if (
            prior.standardized and "control_sd" in estimates
        ):  # on the scale of the effects
            unit = float(
                np.sqrt(
                    (
                        estimates["control_sd"]
                        .transpose("contrast", "task")
                        .to_numpy()[:, t]
                        ** 2
                    ).mean()
                )
            )
            if not unit > 0:  # the control arm does not vary: the prior has no unit
                return None
            own = Prior(
                mu_sd=unit * prior.mu_sd,
                tau_scale=unit * prior.tau_scale,
                standardized=False,
            )
        columns.append(_ranks(se[:, t], own, generator))
    return np.stack(columns, axis=1)


def _ranks(se: Array, prior: Prior, generator: np.random.Generator) -> Array:
    from causalgia.posterior import infer

    z = generator.standard_normal(se.size)
    mu = prior.mu_sd * generator.standard_normal()
    tau = prior.tau_scale * abs(float(generator.standard_normal()))
    delta = mu + tau * z
    table = from_effects(delta + se * generator.standard_normal(se.size), se)
    post = infer(
        table,
        prior=prior,
        n_draws=RANKED + 1,
        rng=int(generator.integers(2**62)),
    )
    draws = post["posterior"]["ace"].to_numpy().reshape(-1, se.size)[:RANKED]
    return np.asarray((draws < delta).sum(axis=0))


#: called as `run` is, without the predictor:
#: ``simulator(design, rng=seed) -> outcomes``
Simulator: TypeAlias = Callable[..., xr.Dataset]
SAME, _SAME_AGAIN = "A", "A again"


def simulator_of(predictor_or_simulator: Any) -> Simulator:
    """Return the simulator of one trial: `run` with a predictor, or the given
    function.
    """
    if isinstance(predictor_or_simulator, Predictor):
        predictor: Predictor = predictor_or_simulator

        def trial(design: Design, *, rng: int) -> xr.Dataset:
            return run(design, predictor, rng=rng, progress=False)

        return trial
    if callable(predictor_or_simulator):
        simulator: Simulator = predictor_or_simulator
        try:
            inspect.signature(simulator).bind(None, rng=0)
        except TypeError as error:
            raise PredictorError(
                "the simulator is called as simulator(design, rng=seed) and cannot be "
                f"({error})"
            ) from error
        except ValueError as error:
            raise PredictorError(
                f"{quoted(simulator)} does not say which arguments it takes; the "
                "simulator is called as simulator(design, rng=seed): define a function "
                "that calls it"
            ) from error
        return simulator
    raise PredictorError(
        "calibrate(design, predictor_or_simulator): "
        f"{type_in_words(predictor_or_simulator)} is neither a predictor nor a "
        "function simulator(design, rng=) that returns outcomes as cg.run does"
    )


def repeat_trial(
    design: Design, simulator: Simulator, *, key: int, trial: int, purpose: str
) -> xr.Dataset:
    """Return the outcomes of one repetition, on units of its own."""
    outcomes = simulator(design, rng=derive(key, purpose, trial))
    if not isinstance(outcomes, xr.Dataset):
        raise DataError(
            f"the simulator returned {type_in_words(outcomes)}; it must return "
            "outcomes as cg.run or cg.from_frame do"
        )
    return outcomes


def aa_design(design: Design, control: str) -> Design:
    """Return the A/A trial of a design: its control arm twice, each unit randomized to
    one of them.

    There are twice as many units, so that each arm has as many as in the design.

    Examples
    --------
    >>> import causalgia as cg
    >>> arms = {"untreated": cg.Untreated(), "GATA": cg.Embed("GATA", at=20)}
    >>> design = cg.Design(null=cg.Uniform(length=50), arms=arms, n_units=100)
    >>> twice = aa_design(design, "untreated")
    >>> [arm.name for arm in twice.named_arms], twice.n_units, twice.assignment
    (['A', 'A again'], 200, 'parallel')
    """
    arms = {arm.name: arm.intervention for arm in design.named_arms}
    check_arm(control, design.arm_names, "control", error=DesignError)
    n_units = 2 * design.n_units if design.assignment == "crossover" else design.n_units
    try:
        design.null.check(n_units)
    except DesignError:  # the null model cannot give as many
        n_units = design.n_units
    pair = [Arm(SAME, arms[control]), Arm(_SAME_AGAIN, arms[control])]
    return replace(
        design,
        arms=pair,
        n_units=n_units,
        assignment="parallel",
        blocks=None,
        contrasts=None,
    )


def centered_truth(ace: np.ndarray) -> np.ndarray:
    """Return a substitute for unknown truths from the mean of all trials, in the shape
    of `ace`, (trials, ...).

    A trial's deviation from the mean of all n has variance ``sigma^2 (1 - 1/n)``;
    scaled by ``sqrt(n / (n - 1))`` it has that of a deviation from the truth.

    Examples
    --------
    >>> centered_truth(np.array([[1.0], [3.0]])).round(3)
    array([[2.414],
           [1.586]])
    """
    n = len(ace)
    return np.asarray(ace - (ace - ace.mean(axis=0)) * np.sqrt(n / (n - 1)))
