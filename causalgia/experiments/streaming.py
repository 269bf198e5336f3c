"""A trial whose outcomes are not held: from a design to estimates of its contrasts, in memory that n does not fill."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from causalgia.analysis import Analysis, beyond, of_one_word
from causalgia.design import Design
from causalgia.effects.spread import measured_in, pooled_sd, read_for_sd
from causalgia.effects.weights import dense, weight_matrix
from causalgia.effects.wording import done, in_words
from causalgia.errors import DegenerateWarning, DesignError
from causalgia.estimation.accumulating import Moments, Products, Sums
from causalgia.estimation.crossover import Estimate, mean_of_sums
from causalgia.estimation.labelled import MAX_COVARIANCE, estimates_of
from causalgia.estimation.moments import Array, p_and_limits
from causalgia.estimation.ratios import Limits
from causalgia.estimation.request import Answer, Grouping, Request, clusters, require_ci_prob, require_clusters
from causalgia.estimation.tails import log_p
from causalgia.experiments.experiment import Experiment
from causalgia.predict import Predictor
from causalgia.predict.predictor import require_predictor
from causalgia.scales import OF_MEANS, on_scale, refuse_logs
from causalgia.streams import RNG, root_key
from causalgia.trial.asking import check_analysis
from causalgia.trial.blockwise import Blockwise, blocks
from causalgia.trial.describing import arm_coordinates, attributes, known_tasks, question_kept
from causalgia.trial.keeping import keep_design
from causalgia.trial.meter import meter
from causalgia.trial.units import Units, draw_units

_LEAST_GROUPS = 256
_BYTES_OF_GROUPS = 2**25
_MOST_WEIGHTS = 2**25


def stream(
    experiment: Design, predictor: Predictor, *, rng: RNG, progress: bool = True, ci_prob: float = 0.95
) -> xr.Dataset:
    """Run a trial and estimate its named contrasts without ever holding its outcomes.

    The estimates are those of ``cg.estimate(cg.contrast(cg.run(experiment, predictor, rng=rng)))``, to rounding: the
    same units under the same arms, some at a time; their individual effects are added to running moments (pairwise
    updates of central sums) and forgotten. Memory grows with arms and contrasts, and with clusters where units share
    parents, not with units times arms. Each arm is asked for once for every unit; sequences that two arms share by
    chance are not looked for.

    Beyond 512 contrasts of independent units their covariance is the random-groups estimate: unit i is dealt into
    group ``i mod G``, and ``factor (cluster, contrast, task)`` has for group g
    ``F_g = sum_{i in g} (ICE_i - mean) / (n sqrt(1 - n_g / n))``, so that ``F' F`` is unbiased for the covariance of
    the estimates, on G - 1 degrees of freedom. G is what 32 MiB hold, at least 256 (1,024 for 4,096 contrasts of one
    task); where there are no more units, each is a group, and the factor is that of `causalgia.estimate`. Standard
    errors are from all units.

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

    Warns
    -----
    DegenerateWarning
        If effects do not vary, or the predictor answers every sequence alike.
    FewClustersWarning
        Below 20 parents, where units share them.

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115. Wolter (2007), Introduction to Variance
    Estimation, doi:10.1007/978-0-387-35099-8, chapter 2 (random groups).

    Examples
    --------
    >>> import causalgia as cg
    >>> experiment = cg.experiments.copies(n_units=200)
    >>> estimates = cg.experiments.stream(experiment, cg.zoo.oracle("additive"), rng=0)
    >>> round(estimates["ace"].sel(contrast="3 copies", task="outcome").item(), 1)
    9.3
    """
    analysis, request = _checked(experiment, predictor)
    ci_prob = require_ci_prob(ci_prob)
    fingerprint, key = predictor.fingerprint, root_key(rng)
    units = draw_units(experiment, key=key)
    groups = _groups(units, request)
    attrs = attributes(experiment, predictor, fingerprint, rng)
    if experiment.planned() is not None:
        attrs["analysis"] = question_kept(analysis, experiment)
    with meter(experiment.n_units * len(experiment.named_arms), show=progress) as advance:
        asked = Blockwise(experiment, units, predictor, key, advance)
        found = _accumulated(asked, groups, analysis.scale)
    _warn_constant(found, predictor)
    effects = _labels(experiment, predictor, found, attrs, analysis)
    said: dict[str, Any] = {"target": "population", "ci_prob": ci_prob, "weights": "units"}
    said |= {"covariates": ""} | beyond(attrs, cluster=request.cluster, block=None, covariates=(), **said)
    answer = found.answer(groups)
    e = answer.estimate
    limits: Limits = (*p_and_limits(e.ace, e.se, e.df, ci_prob), {"log_p": log_p(e.ace, e.se, e.df)})
    estimates = estimates_of(effects, answer, limits, said | {"cluster": answer.cluster, "method": answer.method})
    estimates = experiment.label(estimates) if isinstance(experiment, Experiment) else estimates
    return keep_design(estimates, experiment)


def _checked(design: object, predictor: Predictor) -> tuple[Analysis, Request]:
    """Return what is asked; refuse what a stream cannot answer, before anything is predicted."""
    if not isinstance(design, Design):
        raise DesignError(f"stream(experiment, predictor): the first is {type(design).__name__}, not an experiment")
    require_predictor(predictor, "stream(experiment, predictor)")
    if design.named_contrasts is None:
        raise DesignError("stream: the design names no contrasts; make it with cg.Design(..., contrasts=...)")
    if design.assignment != "crossover":
        raise DesignError(
            "stream: a parallel trial has no individual effects to add up; use cg.run, it holds one outcome a unit"
        )
    if design.n_units < 2:
        raise DesignError("stream: one unit gives no standard error; draw more units, or use cg.run")
    analysis = design.planned() or Analysis()
    _check_streamable(analysis)
    check_analysis(analysis, design, known_tasks(predictor))
    if analysis.scale != "identity":
        refuse_logs(analysis.scale, predictor.scale)
    return analysis, Request(None if analysis.cluster == "none" else analysis.cluster, None, (), "population", "units")


def _check_streamable(analysis: Analysis) -> None:
    whole = {
        "target": analysis.target != "population",
        "weights": analysis.weights != "units",
        "cluster": analysis.cluster not in ("auto", "none", "parent"),
        "scale": analysis.scale in OF_MEANS,
        "adjust": analysis.adjust in ("bootstrap_t", "sign_flip"),
        "error": analysis.error == "bootstrap_t",
    }
    for name, needed in whole.items():
        if needed:
            raise DesignError(
                f"stream: {name}={getattr(analysis, name)!r} of the analysis needs the outcomes of all units at once; "
                "use cg.run, or leave it out with dataclasses.replace(experiment, analysis=...)"
            )


def _groups(units: Units, request: Request) -> Grouping | None:
    """Return the units by parent where units share parents; refuse one parent, warn of few."""
    labels = xr.Dataset(coords={"unit": units.ids.astype(np.int64), "parent": ("unit", units.parents)})
    groups = clusters(labels, request)
    if groups is not None:
        require_clusters(groups, len(groups.labels))
    return groups


@dataclass
class _Found:
    """What is kept of a trial: moments of the ICE (K, R) and of the arms that have the sd of contrasts (S, R).

    R counts tasks and models. `together` has what is needed of the covariance: sums by cluster or random group, or sums
    of products.
    """

    weights: sparse.csr_array
    read: sparse.csr_array
    shape: tuple[int, ...]
    together: Sums | Products
    codes: NDArray[np.intp]
    ice: Moments = field(default_factory=Moments)
    arms: Moments = field(default_factory=Moments)
    least: Array = field(default_factory=lambda: np.array(np.inf))
    most: Array = field(default_factory=lambda: np.array(-np.inf))

    def add(self, y: Array, bound: Array, rows: NDArray[np.int64]) -> None:
        """Take in outcomes of some units and bounds on their rounding, (arms, b, R) both."""
        self.arms.add(*(np.moveaxis(x[self.measured], 1, 0) for x in (y, bound)))
        ice, within = (_by_unit(W, x) for W, x in ((self.weights, y), (abs(self.weights), bound)))
        before = self.ice.n
        centred, step = self.ice.add(ice, within)
        if isinstance(self.together, Sums):
            self.together.add(ice - self.ice.origin, self.codes[rows])
        else:
            self.together.add(before, centred, step)

    def answer(self, groups: Grouping | None) -> Answer:
        """Return the estimates and their factor, (K, tasks[, models])."""
        n, k = self.ice.n, self.weights.shape[0]
        e = self._clustered() if groups is not None else self._independent()
        estimate = Estimate(*(x.reshape(*x.shape[:-1], *self.shape) for x in (e.ace, e.se, e.df, e.factor, e.leverage)))
        dealt = isinstance(self.together, Sums) and len(e.factor) < n
        by = f", covariance by {len(e.factor)} random groups" if dealt else ""
        return Answer(
            estimate=estimate,
            skewness=self.ice.skewness.reshape(k, *self.shape),
            n_units=np.full(k, n),
            n_clusters=np.full(k, n if groups is None else len(groups.labels)),
            method=f"mean ICE; s^2 / n, t with n - 1 df{by}"
            if groups is None
            else f"mean ICE; CR2 by {groups.name}, Satterthwaite (Bell-McCaffrey) df",
            cluster="unit" if groups is None else groups.name,
        )

    @property
    def measured(self) -> NDArray[np.intp]:
        """The arms that are read for their sd: the untreated one, and in case it does not vary those subtracted."""
        return np.union1d(*(W.indices[W.data < 0] for W in (self.read, self.weights))).astype(np.intp)

    @property
    def yardstick(self) -> sparse.csr_array:
        """Weights that say in which arms' sd each contrast is measured."""
        varies = (pooled_sd(self.arms.sd, self.read[:, self.measured]) > 0).all()
        return self.read if varies else self.weights

    @property
    def control_sd(self) -> Array:
        """Pooled sd of the arms that each contrast is measured in, (K, tasks[, models])."""
        return pooled_sd(self.arms.sd, self.yardstick[:, self.measured]).reshape(-1, *self.shape)

    @property
    def _ace(self) -> Array:
        return np.where(self.ice.zero, 0.0, self.ice.mean)

    def _by_sums(self, sums: Sums) -> Estimate:
        about = np.where(self.ice.constant, 0.0, sums.about(self.ice.shift))
        return mean_of_sums(self._ace, about, sums.sizes)

    def _clustered(self) -> Estimate:
        assert isinstance(self.together, Sums)
        return self._by_sums(self.together)

    def _independent(self) -> Estimate:
        n, varies = self.ice.n, ~self.ice.constant
        se = self.ice.sd / np.sqrt(n)
        if isinstance(self.together, Sums):
            factor = self._by_sums(self.together).factor
        else:
            factor = self.together.factor() * np.where(varies, se, 0.0)
        return Estimate(self._ace, se, np.full(se.shape, n - 1.0), factor, self.ice.leverage)


def _by_unit(W: sparse.csr_array, x: Array) -> Array:
    """Weighted sums over arms: (arms, b, R) -> (b, K, R)."""
    return np.moveaxis(np.asarray(W @ x.reshape(len(x), -1)).reshape(W.shape[0], *x.shape[1:]), 0, 1)


def _accumulated(asked: Blockwise, groups: Grouping | None, scale: str) -> _Found:
    """Go through the units block by block, and keep moments alone."""
    asked.meet()
    design, predictor = asked.design, asked.predictor
    names = list(design.arm_names)
    W = weight_matrix({name: dict(row) for name, row in (design.named_contrasts or {}).items()}, names)
    shape = (len(predictor.tasks), *(() if predictor.models is None else (len(predictor.models),)))
    n, n_answers = len(asked.units.ids), int(np.prod(shape))
    kinds = [arm.intervention.kind for arm in design.named_arms]
    read = read_for_sd(W, kinds, design.asked.get("control"))
    found = _Found(W, read, shape, *_together(n, W.shape[0], n_answers, groups))
    for rows in blocks(n, bytes_a_unit=8 * max(W.shape) * n_answers):
        answers = asked.answers(rows)
        y = xr.DataArray(answers, dims=("arm", "unit", "task", "model")[: answers.ndim])
        y = y.assign_coords(arm=names, unit=asked.units.ids[rows].astype(np.int64), task=list(predictor.tasks))
        put, bound = on_scale(y, scale, predictor.scale)
        flat = (*answers.shape[:2], -1)
        found.add(put.to_numpy().reshape(flat), bound.reshape(flat), rows)
        found.least = np.minimum(found.least, answers.min(axis=(0, 1)))
        found.most = np.maximum(found.most, answers.max(axis=(0, 1)))
    return found


def _together(
    n: int, n_contrasts: int, n_answers: int, groups: Grouping | None
) -> tuple[Sums | Products, NDArray[np.intp]]:
    """Return what will hold the covariance, and the cluster or random group of each unit."""
    if groups is not None:
        return Sums(len(groups.labels)), groups.codes
    if n_contrasts <= MAX_COVARIANCE:
        return Products(), np.zeros(n, dtype=np.intp)
    dealt = min(n, max(_LEAST_GROUPS, _BYTES_OF_GROUPS // (8 * n_contrasts * n_answers)))
    return Sums(dealt), np.arange(n, dtype=np.intp) % dealt


def _warn_constant(found: _Found, predictor: Predictor) -> None:
    constant = (found.least == found.most).reshape(len(predictor.tasks), -1).all(axis=1)
    if constant.any():
        task = predictor.tasks[int(constant.argmax())]
        text = f"task '{task}': the predictor gives the same answer for every unit under every arm"
        warnings.warn(text, DegenerateWarning, stacklevel=3)


def _labels(
    design: Design, predictor: Predictor, found: _Found, attrs: dict[str, Any], analysis: Analysis
) -> xr.Dataset:
    """Return the effects without a unit: the names, words and weights that estimates keep of them."""
    weights = {name: dict(row) for name, row in (design.named_contrasts or {}).items()}
    dims = ("contrast", "task", "model")[: 1 + len(found.shape)]
    outcomes = xr.Dataset(coords=arm_coordinates(design.named_arms), attrs=attrs)
    effects = xr.Dataset(
        {
            "ice": (("unit", *dims), np.empty((0, len(weights), *found.shape))),
            "control_sd": (dims, found.control_sd),
        },
        coords={"contrast": list(weights), "task": list(predictor.tasks), **done(outcomes, weights)},
        attrs=attrs
        | in_words(outcomes, weights, analysis.scale, "crossover", design.asked.get("control"), None)
        | measured_in(found.yardstick, found.weights),
    )
    if predictor.models is not None:
        effects = effects.assign_coords(model=list(predictor.models))
    words = [arm.name for arm in design.named_arms if arm.intervention.kind == "placebo_word"]
    if found.weights.shape[0] * found.weights.shape[1] > _MOST_WEIGHTS:
        single = set(of_one_word(weights, set(words)))
        return effects.assign_coords(placebo_word=("contrast", [k in single for k in weights])) if words else effects
    on_arms = {str(name): c.variable for name, c in outcomes.coords.items() if name != "do"}
    return effects.assign(weight=(("contrast", "arm"), dense(found.weights))).assign_coords(on_arms)
