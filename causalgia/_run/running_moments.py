"""Trials that keep moments of individual effects, in memory that does not grow with the
number of units.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from causalgia._run.request import (
    ContrastReduction,
    ContrastRequest,
    ContrastTrialSetup,
    RunRequest,
    set_up_contrasts,
    warn_constant_tasks,
    which_tasks,
)
from causalgia.analysis import Analysis, as_result
from causalgia.attributes import About, attributes
from causalgia.design import Design
from causalgia.effects.pointwise_effects import pooled_sd, sd_attrs
from causalgia.errors import StoreError
from causalgia.estimation._estimate import MAX_COVARIANCE
from causalgia.estimation.request import Grouping, check_clusters
from causalgia.numerics.running_sums import Moments, Products, Sketch, Sums, bins_within
from causalgia.schema import annotate
from causalgia.streams import derive
from causalgia.trial.archive import Archive, open_archive, state_of_trial
from causalgia.trial.outcomes import meter, run_turns
from causalgia.trial.setup import flush_on_interrupt, open_or_create
from causalgia.trial.turn_plan import TurnPlan, outcomes_per_unit
from causalgia.trial.turns import NamedArrays, Trial, TurnReduction
from causalgia.types import Array

QUANTILES = np.unique(
    np.concatenate([np.arange(101) / 100, [0.001, 0.005, 0.025, 0.975, 0.995, 0.999]])
)
"""Probabilities of the stored quantiles: the percentiles, and those of usual
intervals.
"""
_LEAST_GROUPS = 256
_BYTES_OF_GROUPS = 2**25


@dataclass(eq=False)
class TurnMoments:
    """Reduces a turn, where it was predicted, to its ICE, the measured arms, and
    extremes for `RunningMoments`.
    """

    name = "moments"
    reduction: ContrastReduction

    @property
    def dims(self) -> dict[str, tuple[str, ...]]:
        """The dims of each array that `reduce` returns."""
        last = self.reduction.dims
        of_effects, of_arms = ("contrast", *last), ("measured", *last)
        return {
            "ice": ("unit", *of_effects),
            **dict.fromkeys(("low", "high"), of_effects),
            "arms": ("unit", *of_arms),
            **dict.fromkeys(("arms_low", "arms_high"), of_arms),
            **dict.fromkeys(("least", "most"), last),
        }

    def reduce(self, outcome: NDArray[Any]) -> NamedArrays:
        """Return the input of `RunningMoments.take`, for outcomes (units, arms, tasks[,
        models]).
        """
        return {
            **self.reduction.effects(outcome),
            **self.reduction.of_arms(outcome),
            **self.reduction.extremes(outcome),
        }


class RunningMoments(TurnMoments):
    """Running moments of the ICE of a trial: mean, spread, extremes, quantiles and sums
    for the covariance.

    Turns are taken in order, so that the numbers are the same, bit for bit, wherever
    turns were predicted and however often the trial was resumed. The state grows with
    arms, contrasts and shared parents, and not with units. It is pickled as a
    `TurnMoments`, without the sums.

    Parameters
    ----------
    question
        The contrasts.
    reduction
        Computes the contrasts of a turn.
    parents
        Names of the parents that units share, or None.

    References
    ----------
    Chan, Golub & LeVeque (1983), doi:10.1080/00031305.1983.10483115. Masson, Rim & Lee
    (2019), doi:10.14778/3352063.3352135. Wolter (2007), Introduction to Variance
    Estimation, doi:10.1007/978-0-387-35099-8, chapter 2 (random groups).
    """

    def __init__(
        self,
        question: ContrastRequest,
        reduction: ContrastReduction,
        *,
        parents: tuple[Any, ...] | None,
    ) -> None:
        super().__init__(reduction)
        self._question = question
        self._names, self._parents = (
            parents,
            None if parents is None else pd.Index(parents),
        )
        self._answers: dict[str, NDArray[Any]] = {}
        self._powers = np.zeros(0, np.int64)
        self._begin()

    def _begin(self, shape: tuple[int, ...] = ()) -> None:
        """Make empty accumulators for all contrasts and some tasks and models."""
        K, n_answers = self._question.matrix.shape[0], int(np.prod(shape))
        self._ice, self._arms = Moments(), Moments()
        # for the covariance: sums by parent, products, or sums by random group
        self._together: Sums | Products
        if self._parents is not None:
            self._together = Sums(len(self._parents))
        elif K <= MAX_COVARIANCE and "position" not in self.reduction.dims:
            self._together = Products()
        else:
            groups = max(_LEAST_GROUPS, _BYTES_OF_GROUPS // (8 * K * n_answers))
            self._together = Sums(min(self._question.design.n_units, groups))
        self._sketch = Sketch(bins_within(K * n_answers))
        self._powers = np.zeros(shape, np.int64)

    def __reduce__(self) -> tuple[Any, ...]:
        return TurnMoments, (self.reduction,)

    @property
    def n(self) -> int:
        """Units taken."""
        return self._ice.n

    def take(self, parts: NamedArrays) -> None:
        """Add the next turn: the result of `reduce`, and ``parent`` (units,)."""
        if self.n == 0:
            self._begin(parts["ice"].shape[2:])
            self._powers = _powers(parts["ice"], parts["arms"], self.reduction.dims)
        for name, better in (("least", np.minimum), ("most", np.maximum)):
            self._answers[name] = better(
                self._answers.get(name, parts[name]), parts[name]
            )
        before = self.n
        ice, low, high = (self._flat(parts[name]) for name in ("ice", "low", "high"))
        self._arms.take(
            *(self._flat(parts[name]) for name in ("arms", "arms_low", "arms_high"))
        )
        centered, step = self._ice.take(ice, low, high)
        if isinstance(self._together, Sums):
            groups = np.arange(before, self.n, dtype=np.intp) % len(
                self._together.sizes
            )
            if self._parents is not None:
                groups = np.asarray(
                    self._parents.get_indexer(parts["parent"].tolist()), np.intp
                )
            self._together.add(ice - self._ice.origin, groups)
        else:
            self._together.add(before, centered, step)
        self._sketch.add(ice)

    def _flat(self, values: NDArray[Any]) -> Array:
        """Return values with one axis for tasks and models, divided by the powers of
        two.
        """
        near = np.ldexp(values, -self._powers) if self._powers.any() else values
        shape = values.shape[: values.ndim - self._powers.ndim]
        return np.ascontiguousarray(near, np.float64).reshape(*shape, -1)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the sums as arrays by name; after the last turn also the moments."""
        running = {
            f"{part}.{name}": np.asarray(x)
            for part, of in self._running.items()
            for name, x in vars(of).items()
        }
        whole = self.moments() if self.n == self._question.design.n_units else {}
        return (
            running
            | {f"answers.{name}": x for name, x in self._answers.items()}
            | {"powers": self._powers}
            | whole
        )

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Continue from what `state` returned.

        Raises
        ------
        StoreError
            If the arrays are not those of this trial.
        """
        self._check(state)
        self._begin(state["powers"].shape)
        self._powers = state["powers"]
        for key, values in state.items():
            part, _, name = key.partition(".")
            if part == "answers":
                self._answers[name] = values
            elif part in self._running:
                setattr(
                    self._running[part],
                    name,
                    values.item() if values.ndim == 0 else values.copy(),
                )

    def _check(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Raise StoreError for sums of other names, shapes or dtypes than those after a
        turn of zeros.
        """
        wrong = StoreError("sums of other names, shapes or kinds")
        K, S = self._question.matrix.shape[0], len(self._question.measured)
        powers, origin, least = (
            state.get(name, np.zeros(0))
            for name in ("powers", "ice.origin", "answers.least")
        )
        answers = powers.shape
        if (
            origin.shape != (K, math.prod(answers))
            or least.shape != answers
            or least.dtype.kind != "f"
            or not origin.size
        ):
            raise wrong
        empty = RunningMoments(self._question, self.reduction, parents=self._names)
        effects, arms, one = (
            np.zeros((K, *answers)),
            np.zeros((S, *answers)),
            np.zeros(answers, least.dtype),
        )
        parts = {
            "ice": effects[None],
            "low": effects,
            "high": effects,
            "least": one,
            "most": one,
        }
        parts |= {"arms": arms[None], "arms_low": arms, "arms_high": arms}
        empty.take(parts | {"parent": np.asarray((self._names or (0,))[:1])})
        expected = {name: (x.shape, x.dtype) for name, x in empty.state().items()}
        found = {
            name: (x.shape, x.dtype) for name, x in state.items() if name in expected
        }
        rest = state.keys() - found.keys()
        if found != expected or any(
            name not in _DIMS_OF_STATE and not name.startswith("attrs.")
            for name in rest
        ):
            raise wrong

    @property
    def _running(self) -> dict[str, Any]:
        return {
            "ice": self._ice,
            "arms": self._arms,
            "together": self._together,
            "sketch": self._sketch,
        }

    @property
    def constant_tasks(self) -> list[int]:
        """Tasks that have one answer for every sequence, in every model."""
        return which_tasks(
            self._answers["least"] == self._answers["most"], self.reduction.dims
        )

    def moments(self) -> dict[str, NDArray[Any]]:
        """Return the moments, as arrays by name, ``(..., K, tasks[, models])``: the
        input of `moments_dataset`.
        """
        ice = self._ice
        mean = np.where(ice.zero, 0.0, ice.mean)
        least, most = (
            np.where(ice.constant, mean, ice.origin + end)
            for end in (ice.least, ice.most)
        )
        quantiles = np.clip(self._sketch.quantile(QUANTILES), least, most)
        quantiles[[0, -1]] = least, most
        measured, sd_of = self._question.measured, self._question.sd_matrix
        if not (pooled_sd(self._arms.sd, sd_of[:, measured]) > 0).all():
            sd_of = self._question.matrix
        sized = {
            "ice_mean": mean,
            "ice_sd": ice.sd,
            "ice_least": least,
            "ice_most": most,
            "ice_quantile": quantiles,
            "control_sd": pooled_sd(self._arms.sd, sd_of[:, measured]),
        }
        of_itself: dict[str, NDArray[Any]] = {
            "ice_skewness": ice.skewness,
            "ice_leverage": ice.leverage,
        }
        of_itself |= {
            "constant": ice.constant,
            "zero": ice.zero,
            "n_units": np.full(mean.shape, ice.n),
        }
        if isinstance(self._together, Products):
            of_itself["ice_correlation"] = _correlation_of_sums(
                self._together.sums, ice.constant
            )
        else:
            sized["ice_sum"] = np.where(
                ice.constant, 0.0, self._together.about(ice.shift)
            )
        flat = {name: np.asarray(x) for name, x in (of_itself | sized).items()}
        found = {
            name: x.reshape(*x.shape[:-1], *self._powers.shape)
            for name, x in flat.items()
        }
        found |= {name: np.ldexp(found[name], self._powers) for name in sized}
        if isinstance(self._together, Sums):
            found["cluster_size"] = self._together.sizes.astype(np.int64)
        by = "unit" if self._parents is None else "parent"
        attrs = attributes(
            cluster=by, relative_error=self._sketch.error, control_sd_of=""
        )
        attrs |= sd_attrs(sd_of, self._question.matrix)
        return found | {
            f"attrs.{name}": np.asarray(value) for name, value in attrs.items()
        }


def _correlation_of_sums(sums: Array, constant: NDArray[np.bool_]) -> Array:
    """Correlations (K, K, R) of columns whose central sums of products are (R, K, K); 0
    where one is constant.
    """
    size = np.sqrt(np.diagonal(sums, axis1=1, axis2=2))
    unit = np.divide(1.0, size, out=np.zeros_like(size), where=(size > 0) & ~constant.T)
    return np.ascontiguousarray(
        np.moveaxis(sums * unit[:, :, None] * unit[:, None], 0, 2)
    )


def _powers(ice: Array, arms: Array, dims: tuple[str, ...]) -> NDArray[np.int64]:
    """Return a power of two for each answer whose first numbers are outside 1e-100 to
    1e100, one for all models.
    """
    peak = np.maximum(np.abs(ice).max(axis=(0, 1)), np.abs(arms).max(axis=(0, 1)))
    peak = (
        peak.max(axis=dims.index("model"), keepdims=True) if "model" in dims else peak
    )
    powers = np.where(
        (peak > 0) & ((peak < 1e-100) | (peak > 1e100)), np.frexp(peak)[1], 0
    )
    return np.broadcast_to(powers, ice.shape[2:]).astype(np.int64)


def has_moments(state: Mapping[str, NDArray[Any]]) -> bool:
    """Say whether a state has the moments of a complete trial."""
    return "ice_mean" in state


def moments_dataset(
    names: xr.Dataset, moments: Mapping[str, NDArray[Any]]
) -> xr.Dataset:
    """Return moments as a labeled Dataset.

    Parameters
    ----------
    names
        Effects without units, from `effect_labels`.
    moments
        From `RunningMoments.moments`, or `RunningMoments.state` of a complete trial.

    Raises
    ------
    KeyError
        If one of the moments is missing.
    """
    together = (
        {"ice_sum", "cluster_size"} if "ice_sum" in moments else {"ice_correlation"}
    )
    if missing := sorted((_ALWAYS | together) - moments.keys()):
        raise KeyError(", ".join(missing))
    found = names.copy()
    last = tuple(dim for dim in ("position", "task", "model") if dim in names.coords)
    for name, values in moments.items():
        if name in _DIMS_OF_STATE:
            found[name] = ((*_DIMS_OF_STATE[name], *last)[: values.ndim], values)
    attrs = {
        name.removeprefix("attrs."): x.item()
        for name, x in moments.items()
        if name.startswith("attrs.")
    }
    found["ice_quantile"].attrs.update(
        attributes(relative_error=attrs.pop(About.relative_error.name))
    )
    found = found.assign_coords(quantile=QUANTILES).assign_attrs(
        {name: x for name, x in attrs.items() if x != ""}
    )
    if "ice_correlation" in found:
        found = found.assign_coords(contrast_=names["contrast"].to_numpy())
    return as_result(found, "moments", positions=True)


_OF_CONTRAST = ("mean", "sd", "least", "most", "skewness", "leverage")
_DIMS_OF_STATE = {
    **dict.fromkeys(
        (*(f"ice_{name}" for name in _OF_CONTRAST), "constant", "zero", "control_sd"),
        ("contrast",),
    ),
    "n_units": ("contrast",),
    "ice_quantile": ("quantile", "contrast"),
    "ice_correlation": ("contrast", "contrast_"),
    "ice_sum": ("cluster", "contrast"),
    "cluster_size": ("cluster",),
}
"""Dims of each moment before task and model."""
_ALWAYS = _DIMS_OF_STATE.keys() - {"ice_correlation", "ice_sum", "cluster_size"} | {
    f"attrs.{name}" for name in ("cluster", "relative_error", "control_sd_of")
}
"""What a complete trial has besides its covariances, or the sums of its clusters."""


_LEAST_PAUSE_SECONDS = 1.0
_SPARING = 20
"""Least pause between two saves of the sums, as a multiple of the time of the last
save: saves take at most 1/20.
"""


def run_moments(request: RunRequest) -> xr.Dataset:
    """Run a trial and keep the moments of the individual effects of its contrasts."""
    setup = set_up_contrasts(request)
    parents = shared_parents(
        request.design, setup.question.analysis, key=setup.trial.key
    )
    moments = RunningMoments(setup.question, setup.reduction, parents=parents)
    if request.path is None:
        _take_turns(request, setup, moments, setup.probe())
        found = moments_dataset(setup.frame, moments.moments())
    else:
        labels, state = _store_moments(request, setup, moments)
        with state_of_trial(request.path):
            found = moments_dataset(labels, state)
    warn_constant_tasks(moments.constant_tasks, found)
    return found


def _store_moments(
    request: RunRequest, setup: ContrastTrialSetup, moments: RunningMoments
) -> tuple[xr.Dataset, dict[str, NDArray[Any]]]:
    """Run the part of a trial that a store lacks; return the stored labels and the last
    state of the sums.
    """
    assert request.path is not None
    archive, plan = open_or_create(
        setup, moments, request.path, same_answers=request.same_answers
    )
    with archive, flush_on_interrupt(archive):
        before = archive.state()
        if before is not None:
            with state_of_trial(archive.path):
                moments.restore(before[1])
        _take_turns(
            request,
            setup,
            moments,
            plan,
            first=0 if before is None else before[0],
            archive=archive,
        )
        after = archive.state()
        assert after is not None
    return annotate(open_archive(request.path)), after[1]


def _take_turns(
    request: RunRequest,
    setup: ContrastTrialSetup,
    moments: RunningMoments,
    plan: TurnPlan,
    *,
    first: int = 0,
    archive: Archive | None = None,
) -> None:
    """Add turn after turn to the sums; an archive saves them about every second and at
    the end.
    """
    per_unit, turns = outcomes_per_unit(request.design), range(first, len(plan))
    with meter(plan.n_units * per_unit, show=request.progress) as advance:
        if first:
            advance(plan.bounds(first - 1)[1] * per_unit)
        saved, pause = time.monotonic(), _LEAST_PAUSE_SECONDS

        def take(turn: int, parts: NamedArrays) -> None:
            nonlocal saved, pause
            moments.take(parts)
            started = time.monotonic()
            if archive is not None and (
                started - saved >= pause or turn == len(plan) - 1
            ):
                archive.put_state(moments.state(), turns=turn + 1)
                saved = time.monotonic()
                pause = max(_LEAST_PAUSE_SECONDS, _SPARING * (saved - started))

        run_turns(
            setup.trial,
            plan,
            turns,
            _in_order(take, setup.trial, moments, first),
            reduction=moments,
            client=request.client,
            advance=advance,
        )


def _in_order(
    take: Callable[[int, NamedArrays], None],
    trial: Trial,
    reduction: TurnReduction,
    first: int,
) -> Callable[[int, int | None, NamedArrays], None]:
    """Return a function that takes turns in any order and hands them on in theirs; the
    models of an ensemble that were asked separately are stacked again.
    """
    waiting: dict[int, dict[int, NamedArrays]] = {}
    n_parts = len(trial.predictor.parts)

    def put(turn: int, model: int | None, parts: NamedArrays) -> None:
        nonlocal first
        waiting.setdefault(turn, {})[0 if model is None else model] = parts
        while len(waiting.get(first, ())) == (1 if model is None else n_parts):
            models = waiting.pop(first)
            found = dict(models[0])
            for name, dims in reduction.dims.items():
                if model is not None and "model" in dims:
                    found[name] = np.stack(
                        [models[i][name] for i in sorted(models)], axis=-1
                    )
            take(first, found)
            first += 1

    return put


_IDS_A_BLOCK = 2**16


def shared_parents(
    design: Design, analysis: Analysis, *, key: int
) -> tuple[Any, ...] | None:
    """Return the parents in order of appearance, where units share them and errors are
    to be clustered; else None.

    Raises
    ------
    EstimateError
        If all units share one parent.

    Warns
    -----
    DegenerateWarning
        Below 20 parents.
    """
    if analysis.cluster == "none" or not design.drawn.has_parents:
        return None
    null, n, stream = design.drawn, design.n_units, derive(key, "null")
    most = len(set(getattr(null, "parent_names", range(n))))
    distinct: dict[Any, None] = {}
    for start in range(0, n, _IDS_A_BLOCK):  # until every existing parent has appeared
        ids = np.arange(start, min(start + _IDS_A_BLOCK, n), dtype=np.uint64)
        distinct |= dict.fromkeys(null.parents(ids, key=stream, n_units=n).tolist())
        if len(distinct) == most:
            break
    parents = tuple(distinct)
    if len(parents) == n:
        return None
    names = tuple(map(str, parents))
    check_clusters(Grouping("parent", np.arange(len(parents)), names), len(parents))
    return parents
