"""Scales of outcomes with bounds on rounding, and contrasts between tasks and between
models of an ensemble.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from causalgia.attributes import about, attributes
from causalgia.checks import nearest
from causalgia.effects.contrast_weights import (
    Contrasts,
    Weights,
    as_unique,
    weight_matrix,
    weights_as_given,
)
from causalgia.errors import (
    EstimateError,
    first_of,
    quoted,
)
from causalgia.expressions import backticked, without_patterns
from causalgia.inputs import parse_json
from causalgia.numerics.row_blocks import by_block, extremes, first_where, row_blocks
from causalgia.types import Array, Mask

_MOST_TERMS = 6
ATTRIBUTE = "task_weights"
"""Attribute of effects, estimates and decisions with the weights, as JSON."""
_MOST_ARMS_SHOWN = 8
_TASK_AXIS = 2  # of outcomes (unit, arm, task, ...)

FUNCTION = "function"
"""attrs["transform"] of effects on the scale of a function of the user's."""
#: scale of a function of the arms' means -> null value
OF_MEANS = {"log_of_means": 0.0, "ratio": 1.0, "sd": 0.0, FUNCTION: 0.0}

MeansFunction: TypeAlias = Callable[..., Any]
"""Interaction of two factors in a crossover, of the means of the arms with neither, the
first, the second and both: arrays of one shape; 0 where there is none. It returns a value,
or a tuple of a numerator and of what it is divided by."""

#: scale -> (transform g, |g'|)
_TRANSFORMS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "identity": (lambda y: y, np.ones_like),
    "log": (np.log, lambda y: 1 / y),
    "log2": (np.log2, lambda y: 1 / (y * np.log(2))),
    "logit": (lambda y: np.log(y) - np.log1p(-y), lambda y: 1 / (y * (1 - y))),
}
#: relative rounding error of the calculation of an outcome in float64
_CALCULATION = 4 * np.finfo(float).eps

_LOG_WORD = re.compile(
    r"(?<![a-z])(log(2|10|1p|e|s|ged|arithms?|arithmic)?|ln|logits?)(?![a-z])",
    re.IGNORECASE,
)
_LOG2_WORD = re.compile(r"(?<![a-z])log2(?![0-9a-z])|(?<![A-Za-z])log2[A-Z]")
_LOG_PREFIX = re.compile(r"(?<![A-Za-z])log[A-Z]")


def on_scale(
    y: xr.DataArray, scale: str | MeansFunction, measured_on: str
) -> tuple[xr.DataArray, Array]:
    """Transform outcomes to a scale in float64, with a bound on the rounding of each.

    The bound is half a unit in the last place of the outcome's dtype plus four units of
    float64 for its calculation, times the derivative of the scale.

    Parameters
    ----------
    y
        Outcomes of any shape.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``.
    measured_on
        Scale of the outcomes, in words.

    Returns
    -------
    transformed, bound
        Of the shape of `y`, both on the new scale.

    Raises
    ------
    EstimateError
        If the scale is unknown, or impossible for what is measured or for a value.

    Examples
    --------
    >>> import xarray as xr
    >>> y, bound = on_scale(
    ...     xr.DataArray(np.array([1.0, 1e6], dtype=np.float32)), "identity", "counts"
    ... )
    >>> bound.round(7)
    array([1.000e-07, 3.125e-02])
    """
    name = scale_name(scale)
    check_scale(y, name, measured_on)
    put, bound = transform_with_bound(y.to_numpy(), scale=name)
    return y.copy(data=put), bound


def transform_with_bound(
    values: npt.NDArray[np.floating], *, scale: str, over: TaskWeights | None = None
) -> tuple[Array, Array]:
    """Return `on_scale` of an array, without checks.

    Parameters
    ----------
    values
        Outcomes of any shape, in their original dtype; with `over` (unit, arm, task,
        ...).
    scale
        As in `on_scale`.
    over
        Contrasts between tasks, of the transformed outcomes; they replace the tasks.

    Examples
    --------
    >>> transform_with_bound(np.array([1.0, 8.0]), scale="log2")[0]
    array([0., 3.])
    """
    size, put = values.astype(np.float64), transform(values, scale=scale)
    bound = _TRANSFORMS[scale][1](size) * (
        np.spacing(np.abs(values)) / 2 + _CALCULATION * np.abs(size)
    )
    bound = bound + np.finfo(float).eps * np.abs(put)
    return (
        (put, bound)
        if over is None
        else (over.sums(put, _TASK_AXIS), over.bounds(bound, _TASK_AXIS))
    )


_OUTCOME_ROUNDING = 2.5e-10
"""Share of an outcome below which a difference says nothing: two arms of two units then
differ by at most 1e-9 of the largest outcome.
"""


def bound_of_alike(values: Array, bound: Array) -> Array:
    """Return within what numbers are called alike: their rounding, or a billionth of
    them where that is more.

    Parameters
    ----------
    values, bound
        From `transform_with_bound`.

    Examples
    --------
    >>> bound_of_alike(np.array([2.0, 0.0]), np.array([1e-16, 1e-16]))
    array([5.e-10, 1.e-16])
    """
    return np.maximum(bound, _OUTCOME_ROUNDING * np.abs(values))


def transform(
    values: npt.NDArray[np.floating], *, scale: str, over: TaskWeights | None = None
) -> Array:
    """Return outcomes transformed to a scale, in float64, and their contrasts between
    tasks.
    """
    put = _TRANSFORMS[scale][0](values.astype(np.float64))
    return put if over is None else over.sums(put, _TASK_AXIS)


def check_scale(y: xr.DataArray, scale: Any, measured_on: str) -> None:
    """Raise EstimateError where a scale is unknown, or impossible for the outcomes."""
    if not isinstance(scale, str) or scale not in _TRANSFORMS:
        known = [*_TRANSFORMS, *(name for name in OF_MEANS if name != FUNCTION)]
        raise EstimateError(
            f"scale {quoted(scale)} is not one of "
            f"{', '.join(known)}{nearest(str(scale), known)}"
        )
    if scale != "identity":
        check_not_log(scale, measured_on)
        _check_values(y, scale)


def is_log(measured_on: str) -> bool:
    """Return whether the description of a scale names a logarithm.

    Examples
    --------
    >>> [
    ...     is_log(words)
    ...     for words in (
    ...         "log counts",
    ...         "log2FC",
    ...         "logCPM",
    ...         "biology score",
    ...         "analog signal",
    ...     )
    ... ]
    [True, True, True, False, False]
    """
    return bool(_LOG_WORD.search(measured_on) or _LOG_PREFIX.search(measured_on))


def is_log2(measured_on: str) -> bool:
    """Return whether the description of a scale names log2.

    Examples
    --------
    >>> is_log2("log2 counts"), is_log2("log counts")
    (True, False)
    """
    return bool(_LOG2_WORD.search(measured_on))


def check_not_log(scale: str, measured_on: str) -> None:
    """Raise EstimateError where the log, logit or ratio of logarithms is requested.

    Examples
    --------
    >>> check_not_log("log", "log counts")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: scale='log': the outcomes are already on 'log counts'
    """
    if not is_log(measured_on):
        return
    if scale == "logit":
        raise EstimateError(
            f"scale='logit': the outcomes are on {quoted(measured_on)} and not "
            "probabilities",
            argument="scale",
        )
    raise EstimateError(
        f"scale={quoted(scale)}: the outcomes are already on {quoted(measured_on)}",
        argument="scale",
    )


def _check_values(y: xr.DataArray, scale: str) -> None:
    def impossible(block: Array) -> Mask:
        return (block <= 0) | (block >= (1 if scale == "logit" else np.inf))

    ends = np.stack(extremes(y.data)) if y.size else np.zeros(0)
    if np.isnan(ends).any():  # of bases that an arm lacks
        found = [impossible(block).any() for block in row_blocks(y.data)]
    else:
        found = [impossible(ends).any()]
    if not any(found):
        return
    value, where = first_where(y.data, impossible)
    labels = ", ".join(
        f"{dim} {y[dim].to_numpy()[i]!s}"
        for dim, i in zip(y.dims, where, strict=True)
        if dim in y.coords
    )
    need = "outcomes between 0 and 1" if scale == "logit" else "positive outcomes"
    raise EstimateError(
        f"scale={quoted(scale)} needs {need}, and {labels} has {value:g}",
        argument="scale",
    )


@dataclass(frozen=True)
class TaskWeights:
    """Weights of V contrasts between tasks.

    Attributes
    ----------
    weights
        Contrast -> task -> weight.
    known
        All tasks of the outcomes.
    """

    weights: Weights
    known: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Names of the contrasts, which take the place of the tasks."""
        return list(self.weights)

    @cached_property
    def used(self) -> NDArray[np.intp]:
        """Places of the tasks that have a weight in any contrast; the only ones that
        are read.
        """
        return np.unique(weight_matrix(self.weights, list(self.known)).indices).astype(
            np.intp
        )

    @cached_property
    def matrix(self) -> sparse.csr_array:
        """Weights over the tasks in use, ``(V, T)``."""
        return weight_matrix(self.weights, [self.known[i] for i in self.used])

    @property
    def selects(self) -> bool:
        """Whether each is a task by itself, so that nothing is summed."""
        return all(row == {name: 1.0} for name, row in self.weights.items())

    def sums(self, x: Array, axis: int) -> Array:
        """Return weighted sums over the axis of the tasks in use."""
        return sums_over_axis(self.matrix, x, axis)

    def bounds(self, x: Array, axis: int) -> Array:
        """Return bounds on the error of `sums`, from bounds by task."""
        return sums_over_axis(abs(self.matrix), x, axis)

    def at_each(self, positions: Sequence[Any]) -> TaskWeights:
        """Return the weights over the columns of curves, as
        `causalgia.effect_table.folded` names them.
        """
        weights = {
            f"{name} at {at}": {f"{task} at {at}": w for task, w in row.items()}
            for at in positions
            for name, row in self.weights.items()
        }
        return TaskWeights(
            weights, tuple(f"{task} at {at}" for at in positions for task in self.known)
        )

    @property
    def attrs(self) -> dict[str, str]:
        """The weights as an attribute of effects; nothing where tasks are selected and
        not summed.
        """
        return {} if self.selects else {ATTRIBUTE: json.dumps(self.weights)}


def stored_task_weights(estimates: xr.Dataset) -> dict[str, dict[str, float]]:
    """Return the weights that effects, estimates or decisions keep; an empty dict where
    no tasks were summed.

    Raises
    ------
    EstimateError
        If the attribute holds anything else, as in a file changed by hand.
    """
    rows = parse_json(
        str(estimates.attrs.get(ATTRIBUTE, "{}")),
        EstimateError,
        source=f"attrs['{ATTRIBUTE}']",
    )
    weights = rows if isinstance(rows, dict) else {"": rows}
    for name, row in weights.items():
        if not isinstance(row, dict) or not all(
            type(weight) in (int, float) for weight in row.values()
        ):
            raise EstimateError(
                f"attrs['{ATTRIBUTE}'] holds no weights of tasks for {quoted(name)}"
            )
    return weights


def requested_task_weights(tasks: Contrasts, known: Sequence[str]) -> TaskWeights:
    """Return weights of tasks, as given, in text, or by patterns of names.

    Raises
    ------
    EstimateError
        If a task is unknown, a pattern matches none, or a row has no weight.

    Examples
    --------
    >>> requested_task_weights("K562 - HepG2", ["K562", "HepG2", "GM12878"]).weights
    {'K562 - HepG2': {'K562': 1.0, 'HepG2': -1.0}}
    >>> requested_task_weights("K562 - `*2`", ["K562", "HepG2", "GM12878"]).weights
    {'K562 - `*2`': {'K562': 1.0, 'HepG2': -1.0}}
    """
    names = as_unique([str(name) for name in known], "tasks")
    rows = weights_as_given(tasks, names, of="task")
    weights = without_patterns(rows, names)
    for name, row in weights.items():
        if name in names and {
            task: weight for task, weight in row.items() if weight
        } != {name: 1.0}:
            raise EstimateError(
                f"the contrast {quoted(name)} has the name of a task, and is another "
                "sum"
            )
    return TaskWeights(weights, tuple(names))


def sums_over_axis(V: sparse.csr_array, x: Array, axis: int) -> Array:
    """Return weighted sums over one axis of an array.

    Examples
    --------
    >>> sums_over_axis(
    ...     sparse.csr_array([[1.0, -1.0]]), np.array([[3.0, 1.0], [5.0, 2.0]]), 1
    ... )
    array([[2.],
           [3.]])
    """
    first = np.moveaxis(x, axis, 0)
    found = np.asarray(V @ first.reshape(len(first), -1)).reshape(
        V.shape[0], *first.shape[1:]
    )
    return np.ascontiguousarray(np.moveaxis(found, 0, axis))


def tasks_in_use(
    outcomes: xr.Dataset, over: TaskWeights, scale: str | MeansFunction
) -> xr.Dataset:
    """Return outcomes of the tasks that have a weight.

    Raises
    ------
    EstimateError
        If the tasks of a contrast are measured on different scales (coordinate
        ``task_scale``), and `scale` leaves them there.
    """
    if "task_scale" in outcomes.coords and scale == "identity":
        check_one_task_scale(
            over.weights,
            dict(
                zip(
                    over.known,
                    outcomes["task_scale"].astype(str).to_numpy(),
                    strict=True,
                )
            ),
        )
    if len(over.used) == len(over.known):
        return outcomes
    y = outcomes["outcome"]
    some = by_block(y.data, np.take, indices=over.used, axis=y.dims.index("task"))
    rest = outcomes.drop_vars("outcome").isel(task=over.used)
    return rest.assign(outcome=y.isel(task=over.used).copy(data=some))


def check_one_task_scale(weights: Weights, scales: Mapping[str, str]) -> None:
    """Raise EstimateError for a contrast of tasks that are measured on different
    scales.
    """
    for name, row in weights.items():
        first, *others = row
        for task in others:
            if scales[task] != scales[first]:
                raise EstimateError(
                    f"contrast {quoted(name)}: task {quoted(first)} is on "
                    f"{quoted(scales[first])} and task {quoted(task)} on "
                    f"{quoted(scales[task])}, which cannot be subtracted"
                )


def task_weights_in_words(weights: Weights) -> str:
    """Return one contrast between tasks as a sum, of several that they are several.

    Examples
    --------
    >>> task_weights_in_words(
    ...     {"specific": {"K562": 1.0, "HepG2": -0.5, "HEK 293": -0.5}}
    ... )
    'K562 - 0.5 HepG2 - 0.5 `HEK 293`'
    >>> task_weights_in_words(
    ...     {"K562": {"K562": 1.0, **{f"t{i}": -1 / 55 for i in range(55)}}}
    ... )
    'K562 - mean of t0, t1 and 53 more'
    """
    if len(weights) > 1:
        return f"each of {len(weights)} contrasts between tasks"
    row = next(iter(weights.values()))
    signs = {
        sign: {task: abs(w) for task, w in row.items() if w * sign > 0}
        for sign in (1, -1)
    }
    parts = [
        f"{'-' if sign < 0 else '+'} {_sum_in_words(terms, sign)}"
        for sign, terms in signs.items()
        if terms
    ]
    return " ".join(parts).removeprefix("+ ")


def _sum_in_words(terms: Mapping[str, float], sign: int) -> str:
    """Return a sum of tasks; of many with equal weights that sum to 1 their mean, of
    others the first ones.
    """
    names = list(map(backticked, terms))
    if (
        len(names) > 2
        and np.ptp(list(terms.values())) < 1e-12
        and abs(sum(terms.values()) - 1) < 1e-9
    ):
        return f"mean of {first_of(names, 2 if len(names) > 3 else 3)}"
    pieces = [
        f"{'' if w == 1 else f'{w:.4g} '}{name}"
        for name, w in zip(names, terms.values(), strict=True)
    ]
    more = len(pieces) - _MOST_TERMS
    shown = [*pieces[:_MOST_TERMS], f"{more} more"] if more > 1 else pieces
    return (" - " if sign < 0 else " + ").join(shown)


def check_task_scale(scale: str | MeansFunction) -> None:
    """Raise EstimateError for a scale of means that has no weighted sum over tasks.

    Examples
    --------
    >>> check_task_scale("ratio")
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: tasks with scale='ratio': ratios cannot be added
    """
    if scale == "ratio":
        raise EstimateError(
            "tasks with scale='ratio': ratios cannot be added",
            argument="tasks",
        )
    if callable(scale):
        raise EstimateError(
            "tasks with a function as the scale: its interaction is estimated for one "
            "task at a time",
            argument="tasks",
        )


def requested_model_weights(
    outcomes: xr.Dataset,
    control: str | float | None,
    models: Contrasts | None,
) -> Weights:
    """Return weights of models by the name of the comparison: each minus a control, or
    as given.

    Raises
    ------
    EstimateError
        If there are not two models or more of a crossover,
        control and models are both given, or a model is unknown.
    """
    if "model" not in outcomes["outcome"].dims:
        raise EstimateError(
            "these are outcomes of one predictor",
        )
    if "arm" not in outcomes["outcome"].dims:
        raise EstimateError(
            "contrasts between models need outcomes of a crossover",
        )
    known = [str(name) for name in outcomes["model"].to_numpy()]
    listed = first_of(map(quoted, known), 20)
    if control is not None and models is not None:
        raise EstimateError(
            "control and models= are given; they ask different questions: give one "
            "of them",
            argument="control",
        )
    if models is not None:
        return weights_as_given(models, known, of="model")
    if control is None:
        raise EstimateError(
            "control is missing: it says which model is subtracted; the models are "
            f"{listed}",
            argument="control",
        )
    if str(control) not in known:
        hint = nearest(str(control), known, most=3) or "."
        raise EstimateError(
            f"control={quoted(control)} is not a model{hint} The models are {listed}",
            argument="control",
        )
    if len(known) < 2:
        raise EstimateError(
            f"control={quoted(control)} is the only model",
            argument="control",
        )
    return {
        f"{model} minus {control}": {model: 1.0, str(control): -1.0}
        for model in known
        if model != str(control)
    }


def stacked_models(outcomes: xr.Dataset) -> xr.Dataset:
    """Return outcomes with an arm for each arm and model, ``"GATA1 in intact"``, and
    without the dim model.

    Examples
    --------
    >>> outcomes = xr.Dataset(
    ...     {
    ...         "outcome": (
    ...             ("unit", "arm", "task", "model"),
    ...             np.arange(4.0).reshape(1, 2, 1, 2),
    ...         )
    ...     },
    ...     coords={"arm": ["A", "B"], "task": ["K562"], "model": ["m", "n"]},
    ... )
    >>> stacked = stacked_models(outcomes)
    >>> dict(
    ...     zip(
    ...         stacked["arm"].values.tolist(),
    ...         stacked["outcome"].values.ravel().tolist(),
    ...         strict=True,
    ...     )
    ... )
    {'A in m': 0.0, 'B in m': 2.0, 'A in n': 1.0, 'B in n': 3.0}
    """
    y = outcomes["outcome"].transpose("unit", "arm", ..., "model")
    models = [str(name) for name in y["model"].to_numpy()]
    n = len(models)
    coords: dict[str, Any] = {
        "arm": [f"{arm} in {model}" for model in models for arm in y["arm"].to_numpy()]
    }
    for name, c in outcomes.coords.items():
        if c.dims == ("arm",) and name not in ("arm", "kind", "random"):
            values = (
                [f"{x} in {model}" for model in models for x in c.to_numpy()]
                if name == "do"
                else np.tile(c, n)
            )
            coords[str(name)] = ("arm", values)
        elif "arm" not in c.dims and "model" not in c.dims:
            coords[str(name)] = c.variable
    stacked: dict[str, Any] = {
        "outcome": (y.dims[:-1], by_block(y.data, _with_models_as_arms))
    }
    if "answer_floor" in outcomes:
        stacked["answer_floor"] = outcomes["answer_floor"].max("model").variable
    attrs = {
        name: value
        for name, value in outcomes.attrs.items()
        if name not in ("edits", "model_is")
    }
    return xr.Dataset(stacked, coords, attrs)


def _with_models_as_arms(block: Array) -> Array:
    """Return outcomes (b, arms, ..., models) as (b, models x arms, ...)."""
    by_model = np.moveaxis(block, -1, 1)
    return np.ascontiguousarray(by_model.reshape(len(block), -1, *by_model.shape[3:]))


def stacked_weights(weights: Weights, of_models: Weights) -> Weights:
    """Return the weights of stacked arms by which each contrast of arms is compared
    between models.

    Examples
    --------
    >>> stacked_weights(
    ...     {"B": {"B": 1.0, "A": -1.0}}, {"n minus m": {"n": 1.0, "m": -1.0}}
    ... )
    {'B: n minus m': {'B in n': 1.0, 'A in n': -1.0, 'B in m': -1.0, 'A in m': 1.0}}
    """
    return {
        f"{name}: {comparison}": {
            f"{arm} in {model}": of_model * w
            for model, of_model in of_models[comparison].items()
            for arm, w in row.items()
        }
        for comparison in of_models
        for name, row in weights.items()
    }


def measured_on(outcomes: xr.Dataset) -> str:
    """Return the scale of outcomes in words."""
    scale = about(outcomes, "outcome").scale
    return scale if isinstance(scale, str) else quoted(scale)


def do_coordinate(
    outcomes: xr.Dataset, weights: Weights, scale: str | MeansFunction
) -> dict[str, Any]:
    """Return the coordinate ``do (contrast)``, the signed sum (or quotient) of those of
    the arms, if any.
    """
    if "do" not in outcomes.variables:
        return {}
    text = dict(
        zip(
            map(str, outcomes["arm"].to_numpy()),
            map(str, outcomes["do"].to_numpy()),
            strict=True,
        )
    )
    return {
        "do": (
            "contrast",
            [_signed_sum(w, text, ratio=scale == "ratio") for w in weights.values()],
        )
    }


def _signed_sum(w: dict[str, float], text: Mapping[str, str], *, ratio: bool) -> str:
    """Return '+' and '−' terms, of a ratio '×' and '/' factors; the positive ones
    first, eight at most.
    """
    terms = sorted(w.items(), key=lambda item: item[1] < 0)
    plus, minus, power = ("×", "/", "^{:.4g}") if ratio else ("+", "−", "{:.4g} ")
    pieces = []
    for arm, value in terms[
        : len(terms) if len(terms) <= _MOST_ARMS_SHOWN + 1 else _MOST_ARMS_SHOWN
    ]:
        size = "" if abs(value) == 1 else power.format(abs(value))
        pieces.append(
            f"{minus if value < 0 else plus} "
            f"{text[arm] + size if ratio else size + text[arm]}"
        )
    more = len(terms) - len(pieces)
    rest = f"{'×/' if ratio else '±'} {more:,} more"
    return " ".join([*pieces, *([rest] if more else [])]).removeprefix(f"{plus} ")


def scale_name(scale: str | MeansFunction) -> str:
    """Return the name of a scale, of a function its own.

    Examples
    --------
    >>> scale_name("log"), scale_name(lambda none, a, b, both: both - a - b + none)
    ('log', 'function')
    """
    if isinstance(scale, str):
        return scale
    name = str(getattr(scale, "__name__", FUNCTION))
    return name if name.isidentifier() else FUNCTION


def effect_attrs(
    on: str,
    weights: Weights,
    scale: str | MeansFunction,
    assignment: str,
    control: Any,
    interaction: Sequence[str] | None,
    over: TaskWeights | None = None,
) -> dict[str, Any]:
    """Return the attrs of effects of outcomes measured `on` a scale: assignment, scale,
    control, estimand, tasks.
    """
    transform = FUNCTION if callable(scale) else scale
    name = scale_name(scale)
    estimand = _estimand_text(weights, name, control, interaction)
    if over is not None and not over.selects:
        estimand = f"{task_weights_in_words(over.weights)}, of the {estimand}"
    attrs: dict[str, Any] = {
        **attributes(
            assignment=assignment,
            contrast_scale=_scale_in_words(name, on),
            transform=transform,
            control="" if control is None else str(control),
            estimand=estimand,
        ),
        **({} if over is None else over.attrs),
    }
    if transform in OF_MEANS:
        attrs |= attributes(
            null_value=OF_MEANS[transform],
            ice_is="influence values, whose mean is the effect",
        )
    return attrs


def _scale_in_words(scale: str, on: str) -> str:
    if scale == "identity":
        return on
    if scale in _TRANSFORMS:
        return f"{scale} of {on}"
    if scale == "sd":
        return f"{on}, in sd of the control arm"
    return f"log of mean {on}" if scale == "log_of_means" else f"{scale} of mean {on}"


def _estimand_text(
    weights: Weights, scale: str, control: Any, interaction: Sequence[str] | None
) -> str:
    by_unit = scale in _TRANSFORMS or scale == "sd"
    outcome = "outcome" if by_unit else "mean outcome over units"
    outcome = (
        outcome
        if scale in ("identity", "ratio", "sd")
        else f"{scale.removesuffix('_of_means')}({outcome})"
    )
    arm = quoted(next(iter(weights))) if len(weights) == 1 else "the arm"
    if control is not None:
        against = "divided by" if scale == "ratio" else "minus"
        what = f"{outcome} under {arm} {against} {outcome} under {quoted(str(control))}"
    elif interaction is not None:
        what = (
            f"the interaction {' : '.join(interaction)} of {outcome}, over all "
            f"2^{len(interaction)} arms"
        )
        what = (
            what.replace(" of mean", " (ratio of ratios) of mean")
            if scale == "ratio"
            else what
        )
    else:
        what = f"the weighted sum of {outcome} over arms"
        what = (
            "the weighted product of mean outcomes over units"
            if scale == "ratio"
            else what
        )
    what = f"mean over units of {what}" if by_unit else what
    return (
        f"{what}, divided by the sd of the control over units"
        if scale == "sd"
        else what
    )
