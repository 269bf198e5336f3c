"""`calibrate`: how often the statements of a whole analysis are right, over repeated trials of one design."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia._analyze import conclude, estimated
from causalgia.analysis import Analysis
from causalgia.calibration.bands import Row, judged, mean_row, rank_row, share_row
from causalgia.calibration.ranks import RANKED, ranks_from_the_prior
from causalgia.calibration.trials import (
    SAME,
    Simulator,
    centred_truth,
    repeated,
    same_arms,
    simulator_of,
    truth_of,
)
from causalgia.calibration.verdict_rows import verdict_rows
from causalgia.design import Design
from causalgia.effects import contrast
from causalgia.errors import (
    CausalgiaWarning,
    ContrastError,
    ConvergenceError,
    DesignError,
    EstimateError,
    InferenceError,
    quoted,
)
from causalgia.estimation import estimate
from causalgia.multiplicity import adjust, simultaneous
from causalgia.predict import Predictor
from causalgia.prior import Prior
from causalgia.streams import RNG, derive, root_key
from causalgia.trial.setup import set_up_trial
from causalgia.trial.turns import Trial
from causalgia.types import Array
from causalgia.workers import mapped

if TYPE_CHECKING:
    from distributed import Client

LEAST_TRIALS = 2
_TRIAL, _SAME_ARMS = "trial", "same arms"


def calibrate(
    design: Design,
    predictor_or_simulator: Any,
    *,
    n_trials: int,
    rng: RNG,
    analysis: Analysis | None = None,
    truth: xr.DataArray | None = None,
    posterior: bool = True,
    error: float = 0.001,
    client: Client | None = None,
) -> xr.Dataset:
    """Repeat a trial with fresh units and count how often what it prints is right: verdicts, intervals, type-I error.

    Where the analysis has a region of practical equivalence, verdicts and the intervals printed beside them are those
    of `causalgia.analyze`, by whichever method the analysis comes to. Each figure stands beside the band in which
    chance may put it if the promise holds; the trial is the replicate, and the error rate of the bands is shared by all
    rows.

    Parameters
    ----------
    design
        The design.
    predictor_or_simulator
        A predictor; or a function ``simulator(design, rng=seed)`` that returns outcomes as `causalgia.run` does. It may
        give each trial's own ``truth (contrast, task)`` as a variable: drawn from the prior, it makes the rows of the
        posterior promises.
    n_trials
        Trials, two or more; as many A/A trials are run beside them. With few the bands are wide; 1,000 find a true .07
        in the place of .05 with probability .7.
    rng
        Seed (0 is a seed), Generator or SeedSequence.
    analysis
        What is asked of each trial; None: every arm minus the first, 95 % intervals.
    truth
        True ACE ``(contrast, task)``. None: the simulator's, the predictor's ``true_ace`` where it has one, else the
        mean of all trials, with which coverage can be measured but no false discoveries.
    posterior
        Whether each trial also gets a posterior (`causalgia.infer`), and rows on it; trials without one (an effect
        without spread, a sampler that has not converged) are counted in attrs["without_posterior"].
    error
        Chance that any row falls outside its band though every promise holds.
    client
        Of a Dask cluster (`distributed.Client`) whose workers run the trials, each with the seed that it has anyway:
        the table is the same, bit for bit on equal hardware, for any number of workers. None: this process.

    Returns
    -------
    Dataset
        ``value, nominal, lower, upper, mcse, n_trials, claim, passes (row)``: ``"A/A p < 0.05: task"`` (type-I error),
        ``"coverage: contrast, task"`` (of `causalgia.estimate`), ``"FWER of the band"``; of verdicts, where a truth and
        a region are known, ``"false verdict: contrast, task"`` and ``"printed interval: contrast, task"`` (coverage of
        the interval that gave the verdict, at least its mean level, less ``(1 - level) / 2`` where the data choose
        between the levels of a direction and of "negligible"), ``"false directions of all given"`` and ``"false
        negligibles of all given"`` (means over trials; a posterior promises them where truths are drawn anew). Where
        some truths are 0 ``"FDR"``, and the 95th percentile of the false-discovery proportion; with `posterior`
        ``"lfsr - wrong signs"`` and ``"SBC rank: contrast, task"`` (truths from the prior, about which estimates are
        simulated with each trial's errors; the simulator's own where it gives them). Beside them ``p_same (trial,
        task)`` of the A/A trials and ``ace (trial, contrast, task)``; attrs["not_measured"] says what the truth at hand
        could not show.

    Raises
    ------
    EstimateError
        If there are fewer than two trials, or the truth lacks a contrast.
    DesignError
        If `design` is no design, or the analysis names an arm it lacks.
    ClusterError
        If the cluster has no workers, loses them, keeps silent for longer than the time limit, or the predictor or
        simulator cannot be sent to them; or the simulator fails on a worker (names the trial).

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
    >>> share = cg.FunctionPredictor(lambda x: x[:, 1:3].sum((1, 2)) / 30, tasks=["GC"], scale="share")
    >>> table = calibrate(design, share, n_trials=40, rng=0)
    >>> table["row"].values.tolist()
    ['A/A p < 0.05: GC', 'coverage: GC, GC', 'FWER of the band', 'lfsr - wrong signs', 'SBC rank: GC, GC']
    >>> bool(table["passes"].all())
    True
    """
    n_trials = _checked(design, n_trials)
    simulator_of(predictor_or_simulator)  # which refuses what is none
    asked = analysis if analysis is not None else Analysis(control=design.named_arms[0].name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CausalgiaWarning)  # the same few hundred times; the table says what they cost
        known = truth if truth is not None else _known(design, predictor_or_simulator, asked)
        settled = _settled(design, predictor_or_simulator, client)
        repeat = _Repeat(design, predictor_or_simulator, asked, root_key(rng), posterior, known, settled)
        alone = repeat((_SAME_ARMS, 0))
        again = [] if alone is None else [(_SAME_ARMS, trial) for trial in range(1, n_trials)]
        pieces = [*((_TRIAL, trial) for trial in range(n_trials)), *again]
        names = [f"{which} {trial}" for which, trial in pieces]
        found = mapped(repeat, pieces, what="calibrate", names=names, client=client)
    looks = found[:n_trials]
    same = None if alone is None else xr.concat([alone, *found[n_trials:]], dim="trial").rename("p_same")
    return _table(looks, same, asked, known, error)


@dataclass(frozen=True)
class _Look:
    """One trial: its estimates, band and discoveries, and what its posterior said, with the trial's own truth."""

    estimates: xr.Dataset
    band: xr.Dataset
    found: Array
    truth: Array | None
    decisions: xr.Dataset | None = None
    lfsr: Array | None = None
    sign: Array | None = None
    ranks: Array | None = None
    without: str = ""


def _checked(design: object, n_trials: object) -> int:
    if not isinstance(design, Design):
        raise DesignError(f"calibrate(design, ...): the first argument is {type(design).__name__}, not a cg.Design")
    if isinstance(n_trials, bool) or not isinstance(n_trials, int | np.integer) or n_trials < LEAST_TRIALS:
        raise EstimateError(f"n_trials={quoted(n_trials)}: {LEAST_TRIALS} or more are needed; 1,000 say something")
    return int(n_trials)


def _known(design: Design, predictor: Any, analysis: Analysis) -> xr.DataArray | None:
    """Return what a predictor of the zoo knows of its effects, for contrasts with one control on the identity scale."""
    if analysis.control is None or analysis.scale != "identity" or not hasattr(predictor, "true_ace"):
        return None
    known: xr.DataArray = predictor.true_ace(design, control=analysis.control)
    return known


@dataclass(frozen=True)
class _Repeat:
    """One repetition, of the trial or of its A/A trial, here or on a worker."""

    design: Design
    predictor_or_simulator: Any
    analysis: Analysis
    key: int
    posterior: bool
    known: xr.DataArray | None
    settled: list[dict[str, Any]] | None

    def __post_init__(self) -> None:
        """Take what the predictor settled on where it was sent: the last bits of an answer depend on it."""
        if self.settled is not None:
            Trial(self.design, self.predictor_or_simulator, self.key).apply_settings(self.settled)

    def __reduce__(self) -> tuple[Any, ...]:
        return _Repeat, tuple(getattr(self, field.name) for field in fields(self))

    def __call__(self, piece: tuple[str, int]) -> Any:
        """Return what a trial says, a `_Look`; or of an A/A trial its p-values, None where there are none."""
        which, trial = piece
        simulator = simulator_of(self.predictor_or_simulator)
        if which == _TRIAL:
            return _look(self.design, simulator, self.analysis, self.key, trial, self.posterior, self.known)
        return _same_arms(self.design, simulator, self.analysis, self.key, trial)


def _settled(design: Design, predictor: Any, client: Client | None) -> list[dict[str, Any]] | None:
    """Return what a predictor settles on here, for workers to take; None for simulators and without workers."""
    if client is None or not isinstance(predictor, Predictor):
        return None
    begun = set_up_trial(design, predictor, rng=0, analysis=None, client=client)
    begun.probe()
    return begun.trial.settings


def _look(
    design: Design,
    simulator: Simulator,
    analysis: Analysis,
    key: int,
    trial: int,
    posterior: bool,
    known: xr.DataArray | None,
) -> _Look:
    outcomes = repeated(design, simulator, key=key, trial=trial, purpose=_TRIAL)
    rng = derive(key, "resampling", trial)
    effects, estimates = estimated(outcomes.drop_vars("truth", errors="ignore"), analysis, rng=rng)
    alpha = 1 - analysis.ci_prob
    band = _band(effects, estimates, analysis, rng)
    found = estimates if analysis.adjust is not None else adjust(estimates, family=analysis.families)
    own = truth_of(outcomes)
    true = own if own is not None else known
    at = None if true is None else _aligned(true, estimates)
    discovered = (found["p_adjusted"] <= alpha).transpose("contrast", "task").to_numpy().astype(float)
    decisions = None
    if analysis.rope is not None and at is not None:
        decisions = conclude(outcomes, effects, found, analysis, derive(key, "decisions", trial)).decisions
    if not posterior:
        return _Look(estimates, band, discovered, at, decisions)
    said = _posterior(estimates, analysis, own is not None, at, derive(key, "posterior", trial))
    return _Look(
        estimates, band, discovered, at, decisions, *((None, None, None, said) if isinstance(said, str) else said)
    )


def _band(effects: xr.Dataset | None, estimates: xr.Dataset, analysis: Analysis, rng: int) -> xr.Dataset:
    if effects is None or "ice" not in effects:
        return simultaneous(estimates, method="dunnett", ci_prob=analysis.ci_prob)
    cluster = None if analysis.cluster == "none" else analysis.cluster
    return simultaneous(effects, ci_prob=analysis.ci_prob, n_draws=999, cluster=cluster, rng=rng)


def _posterior(
    estimates: xr.Dataset, analysis: Analysis, drawn: bool, truth: Array | None, seed: int
) -> tuple[Array, Array, Array | None] | str:
    """Return the lfsr of each effect, its sign, and the rank of a truth drawn from the prior; or why there is none."""
    from causalgia.posterior import infer

    chosen: dict[str, Any] = {"prior": analysis.prior} if analysis.prior is not None else {}
    law: Any = analysis.law
    try:
        post = infer(estimates, law=law, draws=4 * (RANKED + 1), rng=seed, **chosen)
    except (InferenceError, ConvergenceError) as error:
        return str(error)
    draws = post["posterior"]["ace"].transpose("chain", "draw", "contrast", "task").to_numpy()
    draws = draws.reshape(-1, *draws.shape[2:])
    sign = np.sign((draws > 0).sum(axis=0) - (draws < 0).sum(axis=0))
    lfsr = post["moments"]["lfsr"].transpose("contrast", "task").to_numpy()
    if drawn and truth is not None:
        return lfsr, sign.astype(float), (draws[:RANKED] < truth).sum(axis=0)
    prior = analysis.prior if isinstance(analysis.prior, Prior) else Prior()
    return lfsr, sign.astype(float), ranks_from_the_prior(estimates, prior, analysis.law, seed=derive(seed, "ranks"))


def _aligned(truth: xr.DataArray, estimates: xr.Dataset) -> Array:
    """Return the truth of each estimate, (contrast, task)."""
    for dim in ("contrast", "task"):
        lacking = [x for x in estimates[dim].to_numpy() if x not in truth[dim].to_numpy()]
        if lacking:
            raise EstimateError(f"the truth lacks {dim} {lacking[0]!s}; give truth (contrast, task) for all of them")
    at = truth.sel(contrast=estimates["contrast"].to_numpy(), task=estimates["task"].to_numpy())
    return np.asarray(at.transpose("contrast", "task").to_numpy(), dtype=np.float64)


def _same_arms(design: Design, simulator: Simulator, analysis: Analysis, key: int, trial: int) -> xr.DataArray | None:
    """Return the p-values of an A/A trial, (task,); None where a simulator does not take its arms."""
    control = analysis.control if analysis.control is not None else design.named_arms[0].name
    pair = repeated(same_arms(design, control), simulator, key=key, trial=trial, purpose=_SAME_ARMS)
    try:
        return estimate(contrast(pair, control=SAME), cluster="auto")["p"].isel(contrast=0, drop=True)
    except ContrastError:  # arms of its own, not those of the design that it is given
        return None


def _table(
    looks: Sequence[_Look], same: xr.DataArray | None, analysis: Analysis, known: xr.DataArray | None, error: float
) -> xr.Dataset:
    estimates = xr.concat([look.estimates[["ace", "lower", "upper"]] for look in looks], dim="trial")
    bands = xr.concat([look.band[["lower", "upper"]] for look in looks], dim="trial")
    ace = estimates["ace"].transpose("trial", "contrast", "task").to_numpy()
    truths = [look.truth for look in looks if look.truth is not None]
    truth = np.stack(truths) if truths else centred_truth(ace)
    alpha = 1 - float(analysis.ci_prob)
    rows, lacking = _same_rows(same, alpha)
    rows += _coverage(estimates, truth, 1 - alpha)
    rows.append(share_row("FWER of the band", _outside(bands, truth).any(axis=(1, 2)), alpha, "at most"))
    decided, why_not = verdict_rows([look.decisions for look in looks], truth, random=bool(truths) and known is None)
    rows += decided
    lacking += why_not
    more, why = _discoveries(looks, truth, alpha) if truths else ([], ["FDR: no true effect is known"])
    rows += more + _posterior_rows(looks, truth, estimates, random=bool(truths) and known is None)
    why += [f"posterior: {look.without}" for look in looks if look.without][:1]
    table = judged(rows, error=error).assign(ace=estimates["ace"])
    if same is not None:
        table["p_same"] = same
    table.attrs |= {"analysis": analysis.to_json(), "not_measured": "; ".join(lacking + why)}
    table.attrs["without_posterior"] = sum(bool(look.without) for look in looks)
    return table


def _same_rows(same: xr.DataArray | None, alpha: float) -> tuple[list[Row], list[str]]:
    if same is None:
        return [], ["A/A: the simulator has arms of its own, not the two equal ones of the design that it is given"]
    tasks = same["task"].to_numpy()
    return [share_row(f"A/A p < {alpha:.3g}: {t!s}", same.sel(task=t).to_numpy() < alpha, alpha) for t in tasks], []


def _outside(limits: xr.Dataset, truth: Array) -> npt.NDArray[np.bool_]:
    lower, upper = (limits[end].transpose("trial", "contrast", "task").to_numpy() for end in ("lower", "upper"))
    return np.asarray((truth < lower) | (truth > upper))


def _coverage(estimates: xr.Dataset, truth: Array, level: float) -> list[Row]:
    covered = ~_outside(estimates, truth)
    names = [(k, t) for k in range(covered.shape[1]) for t in range(covered.shape[2])]
    contrasts, tasks = estimates["contrast"].to_numpy(), estimates["task"].to_numpy()
    return [share_row(f"coverage: {contrasts[k]!s}, {tasks[t]!s}", covered[:, k, t], level) for k, t in names]


def _discoveries(looks: Sequence[_Look], truth: Array, alpha: float) -> tuple[list[Row], list[str]]:
    null = truth == 0
    if not null.any():
        return [], ["FDR: no true effect is 0, so no discovery is false"]
    found = np.stack([look.found for look in looks]) > 0
    proportion = (found & null).sum(axis=(1, 2)) / np.maximum(found.sum(axis=(1, 2)), 1)
    spread = float(np.quantile(proportion, 0.95))
    tail = Row("95th percentile of the FDP", spread, alpha, len(looks), "reported", "mean", 0.0)
    return [mean_row("FDR", proportion, alpha, "at most"), tail], []


def _posterior_rows(looks: Sequence[_Look], truth: Array, estimates: xr.Dataset, *, random: bool) -> list[Row]:
    """Return lfsr against wrong signs, a promise where truths were drawn anew for each trial, and ranks."""
    has = [i for i, look in enumerate(looks) if look.lfsr is not None]
    if not has:
        return []
    lfsr, sign = (np.stack([getattr(looks[i], name) for i in has]) for name in ("lfsr", "sign"))
    wrong = (truth[has] == 0) | (np.sign(truth[has]) != sign)
    rows = [mean_row("lfsr - wrong signs", (lfsr - wrong).mean(axis=(1, 2)), 0.0, "exact" if random else "reported")]
    each = [r for r in (looks[i].ranks for i in has) if r is not None]
    if not each:
        return rows
    ranks = np.stack(each)
    contrasts, tasks = estimates["contrast"].to_numpy(), estimates["task"].to_numpy()
    for k, t in np.ndindex(*ranks.shape[1:]):
        rows.append(rank_row(f"SBC rank: {contrasts[k]!s}, {tasks[t]!s}", ranks[:, k, t], RANKED, "exact"))
    return rows
