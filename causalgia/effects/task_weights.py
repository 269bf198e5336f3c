"""Contrasts between tasks: their weights, and weighted sums over the tasks of arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from causalgia.effects.contrast_weights import Contrasts, Weights, as_unique, weight_matrix, weights_as_given
from causalgia.errors import ContrastError, quoted
from causalgia.expressions import backticked, without_patterns
from causalgia.numerics.row_blocks import by_block
from causalgia.types import Array

_MOST_TERMS = 6
ATTRIBUTE = "task_weights"
"""Attribute of effects, estimates and decisions with the weights, as JSON."""


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
        """Places of the tasks that have a weight in any contrast; the only ones that are read."""
        return np.unique(weight_matrix(self.weights, list(self.known)).indices).astype(np.intp)

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

    def at_each(self, positions: Sequence[Any]) -> Weights:
        """Return the weights over the columns of curves, as `causalgia.positions.folded` names them."""
        return {
            f"{name} at {at}": {f"{task} at {at}": w for task, w in row.items()}
            for at in positions
            for name, row in self.weights.items()
        }

    @property
    def attrs(self) -> dict[str, str]:
        """The weights as an attribute of effects; nothing where tasks are selected and not summed."""
        return {} if self.selects else {ATTRIBUTE: json.dumps(self.weights)}


def requested_task_weights(tasks: Contrasts, known: Sequence[str]) -> TaskWeights:
    """Return weights of tasks, as given, in text, or by patterns of names.

    Raises
    ------
    ContrastError
        If a task is unknown, a pattern matches none, or a row has no weight.

    Examples
    --------
    >>> requested_task_weights("K562 - HepG2", ["K562", "HepG2", "GM12878"]).weights
    {'K562 - HepG2': {'K562': 1.0, 'HepG2': -1.0}}
    >>> requested_task_weights("K562 - `*2`", ["K562", "HepG2", "GM12878"]).weights
    {'K562 - `*2`': {'K562': 1.0, 'HepG2': -1.0}}
    """
    names = as_unique([str(name) for name in known], "tasks")
    weights = without_patterns(weights_as_given(tasks, names, of="task"), names)
    for name, row in weights.items():
        if name in names and {task: weight for task, weight in row.items() if weight} != {name: 1.0}:
            raise ContrastError(f"the contrast {quoted(name)} has the name of a task, and is another sum; rename it")
    return TaskWeights(weights, tuple(names))


def sums_over_axis(V: sparse.csr_array, x: Array, axis: int) -> Array:
    """Return weighted sums over one axis of an array.

    Examples
    --------
    >>> sums_over_axis(sparse.csr_array([[1.0, -1.0]]), np.array([[3.0, 1.0], [5.0, 2.0]]), 1)
    array([[2.],
           [3.]])
    """
    first = np.moveaxis(x, axis, 0)
    found = np.asarray(V @ first.reshape(len(first), -1)).reshape(V.shape[0], *first.shape[1:])
    return np.ascontiguousarray(np.moveaxis(found, 0, axis))


def tasks_in_use(outcomes: xr.Dataset, over: TaskWeights, scale: str) -> xr.Dataset:
    """Return outcomes of the tasks that have a weight.

    Raises
    ------
    ContrastError
        If the tasks of a contrast are measured on different scales (coordinate ``task_scale``), and `scale` leaves them
        there.
    """
    if "task_scale" in outcomes.coords and scale == "identity":
        check_one_task_scale(
            over.weights, dict(zip(over.known, outcomes["task_scale"].astype(str).to_numpy(), strict=True))
        )
    if len(over.used) == len(over.known):
        return outcomes
    y = outcomes["outcome"]
    some = by_block(y.data, np.take, indices=over.used, axis=y.dims.index("task"))
    rest = outcomes.drop_vars("outcome").isel(task=over.used)
    return rest.assign(outcome=y.isel(task=over.used).copy(data=some))


def check_one_task_scale(weights: Weights, scales: Mapping[str, str]) -> None:
    """Raise ContrastError for a contrast of tasks that are measured on different scales."""
    for name, row in weights.items():
        first, *others = row
        for task in others:
            if scales[task] != scales[first]:
                raise ContrastError(
                    f"contrast {quoted(name)}: task {quoted(first)} is on {quoted(scales[first])} and task "
                    f"{quoted(task)} on {quoted(scales[task])}, which are not subtracted; use scale='sd' (effects in "
                    "sd of the control arm of each task), or scale='log' for positive outcomes"
                )


def task_weights_in_words(weights: Weights) -> str:
    """Return one contrast between tasks as a sum, of several that they are several.

    Examples
    --------
    >>> task_weights_in_words({"specific": {"K562": 1.0, "HepG2": -0.5, "HEK 293": -0.5}})
    'K562 - 0.5 HepG2 - 0.5 `HEK 293`'
    >>> task_weights_in_words({"K562": {"K562": 1.0, **{f"t{i}": -1 / 55 for i in range(55)}}})
    'K562 - mean of t0, t1 and 53 more'
    """
    if len(weights) > 1:
        return f"each of {len(weights)} contrasts between tasks"
    row = next(iter(weights.values()))
    signs = {sign: {task: abs(w) for task, w in row.items() if w * sign > 0} for sign in (1, -1)}
    parts = [f"{'-' if sign < 0 else '+'} {_sum_in_words(terms, sign)}" for sign, terms in signs.items() if terms]
    return " ".join(parts).removeprefix("+ ")


def _sum_in_words(terms: Mapping[str, float], sign: int) -> str:
    """Return a sum of tasks; of many with equal weights that sum to 1 their mean, of others the first ones."""
    names = list(map(backticked, terms))
    first, left = ", ".join(names[:2]), len(names) - 2
    if len(names) > 2 and np.ptp(list(terms.values())) < 1e-12 and abs(sum(terms.values()) - 1) < 1e-9:
        return f"mean of {first} and {left} more" if left > 1 else f"mean of {', '.join(names)}"
    pieces = [f"{'' if w == 1 else f'{w:.4g} '}{name}" for name, w in zip(names, terms.values(), strict=True)]
    more = len(pieces) - _MOST_TERMS
    shown = [*pieces[:_MOST_TERMS], f"{more} more"] if more > 1 else pieces
    return (" - " if sign < 0 else " + ").join(shown)


def check_task_scale(scale: str) -> None:
    """Raise ContrastError for a scale of means that has no weighted sum over tasks.

    Examples
    --------
    >>> check_task_scale("ratio")
    Traceback (most recent call last):
    ...
    causalgia.errors.ContrastError: tasks= with scale='ratio': ratios are not added; use scale='log_of_means', whose ...
    """
    if scale == "ratio":
        raise ContrastError(
            "tasks= with scale='ratio': ratios are not added; use scale='log_of_means', whose difference between tasks "
            "is the log of the ratio of both ratios"
        )
    if scale in ("excess_over_multiplicative", "bpnet", "cooperativity", "bliss"):
        raise ContrastError(
            f"tasks= with scale={quoted(scale)}: this interaction is asked of one task at a time; leave tasks= out, or "
            "use scale='identity' or 'log_of_means'"
        )
