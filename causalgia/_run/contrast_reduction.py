"""Reduction of the outcomes of some units to their individual effects, on the worker that predicted them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import sparse

from causalgia._run.requested_contrasts import ContrastRequest
from causalgia.effects.pointwise_effects import sums_over_arms
from causalgia.effects.scales import check_scale, transform_with_bound
from causalgia.predict import Predictor
from causalgia.trial.attributes import known_tasks
from causalgia.trial.outcome_reductions import NamedArrays
from causalgia.types import Array


@dataclass(frozen=True)
class ContrastReduction:
    """Computes contrasts of the outcomes of some units, (units, arms, tasks[, models]); it can be pickled.

    Attributes
    ----------
    names
        Names of the arms, and of the tasks where they are known before the first answer, for errors.
    used, matrix
        The arms in use, and the weights of the contrasts over them, ``(K, len(used))``.
    measured
        The arms whose sd is a unit of the contrasts.
    scale, measured_on
        The transformation of the outcomes, and the scale of the predictor, in words.
    """

    names: dict[str, list[str]]
    used: NDArray[np.intp]
    matrix: sparse.csr_array
    measured: NDArray[np.intp]
    scale: str
    measured_on: str

    @classmethod
    def of(cls, question: ContrastRequest, predictor: Predictor) -> ContrastReduction:
        """Return the reduction for the requested contrasts."""
        tasks = known_tasks(predictor)
        return cls(
            names={"arm": question.design.arm_names, **({} if tasks is None else {"task": list(tasks)})},
            used=question.used,
            matrix=question.matrix[:, question.used],
            measured=question.measured,
            scale=question.scale,
            measured_on=predictor.scale,
        )

    def effects(self, outcome: NDArray[Any]) -> NamedArrays:
        """Return ``ice`` (units, K, tasks[, models]), and ``low``, ``high`` (K, tasks[, models]).

        The intervals ICE +- rounding of all units have [low, high] in common; they are disjoint where low > high.

        Raises
        ------
        ContrastError
            If the scale is impossible for an outcome.
        """
        self._check(outcome, self.used)
        y, bound = self._put(outcome, self.used)
        ice, within = sums_over_arms(self.matrix, y), sums_over_arms(abs(self.matrix), bound)
        return {
            "ice": np.ascontiguousarray(np.moveaxis(ice, 0, 1)),
            "low": (ice - within).max(axis=1),
            "high": (ice + within).min(axis=1),
        }

    def of_arms(self, outcome: NDArray[Any]) -> NamedArrays:
        """Return the outcomes of the measured arms on the scale, ``arms`` (units, S, ...), with their low and high."""
        y, bound = self._put(outcome, self.measured)
        return {"arms": np.ascontiguousarray(y), "arms_low": (y - bound).max(0), "arms_high": (y + bound).min(0)}

    def _check(self, outcome: NDArray[Any], arms: NDArray[np.intp]) -> None:
        dims = ("unit", "arm", "task", "model")[: outcome.ndim]
        y = xr.DataArray(outcome, dims=dims, coords=self.names)
        check_scale(y.isel(arm=arms), self.scale, self.measured_on)

    def _put(self, outcome: NDArray[Any], arms: NDArray[np.intp]) -> tuple[Array, Array]:
        return transform_with_bound(np.take(outcome, arms, axis=1), scale=self.scale)


def extremes(outcome: NDArray[Any]) -> NamedArrays:
    """Return the smallest and the largest answer of each task (and model), ``least`` and ``most``."""
    return {"least": outcome.min(axis=(0, 1)), "most": outcome.max(axis=(0, 1))}
