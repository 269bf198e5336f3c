"""Error of a fast predictor's contrasts relative to an exact one's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalgia.errors import EstimateError, PredictorError, quoted
from causalgia.predict.predictor import Predictor, as_token_rows, check_predictor
from causalgia.types import Array, Tokens


@dataclass(frozen=True)
class ContrastDeviation:
    """Error of contrasts, in standard deviations of the contrast over units; arrays (contrast, task[, model]).

    Parameters
    ----------
    contrasts
        Names of the arms that the control was subtracted from.
    rms
        Root mean square of the error of an individual effect.
    bias
        Mean error, which no number of units removes.
    bias_mcse
        Monte-Carlo standard error of `bias`.
    bias_in_se
        Size of the bias in standard errors of the average effect at `n_units`.
    """

    contrasts: tuple[str, ...]
    rms: Array
    bias: Array
    bias_mcse: Array
    bias_in_se: Array


def contrast_deviation(
    predictor: Predictor, reference: Predictor, arms: Mapping[str, Tokens], *, n_units: int = 1_000
) -> ContrastDeviation:
    r"""Measure the error of one predictor's contrasts relative to another that computes the same exactly.

    With :math:`C_u` the reference's contrast of unit u (an arm minus the control) and :math:`e_u` the other's minus
    it, this gives :math:`\sqrt{\overline{e^2}} / s_C`, :math:`\bar e / s_C` and :math:`|\bar e| \sqrt{n} / s_C`, where
    :math:`s_C` is the standard deviation of :math:`C_u` over units. The average effect over n units has the standard
    error :math:`s_C / \sqrt n`, so the last is the bias relative to the uncertainty that is reported. Compare with the
    numerical floor: the same for plain float32 (``fast = TorchPredictor(net, tf32=True)`` and
    ``plain = TorchPredictor(net)``, both against ``plain.reference()``).

    Parameters
    ----------
    predictor
        The fast predictor.
    reference
        The exact predictor, such as `TorchPredictor.reference`, with the same tasks.
    arms
        Tokens (n, length) of the same units under each arm, by name; the first is the control.
    n_units
        Number of units of the intended trial.

    Raises
    ------
    PredictorError
        If one of the two is not a predictor or fails, or their answers have different shapes.
    EstimateError
        If there are fewer than two arms or two units, or a contrast does not vary over units (named).

    Examples
    --------
    >>> import causalgia as cg
    >>> exact = cg.FunctionPredictor(lambda x: x[:, 0].sum(-1), dtype="float64")
    >>> rounded = cg.FunctionPredictor(lambda x: np.round(x[:, 0].sum(-1) / 3) * 3, dtype="float64")
    >>> control = np.random.default_rng(0).integers(0, 4, (500, 30), dtype=np.uint8)
    >>> treated = np.where(np.arange(30) < 6, np.uint8(0), control)
    >>> found = contrast_deviation(rounded, exact, {"control": control, "A6": treated})
    >>> found.contrasts, bool(abs(found.bias[0, 0]) < 4 * found.bias_mcse[0, 0])
    (('A6',), True)
    """
    for given in (predictor, reference):
        check_predictor(given, "contrast_deviation(predictor, reference)")
    sizes = {name: len(as_token_rows(tokens)) for name, tokens in arms.items()}
    if len(sizes) < 2 or len(set(sizes.values())) > 1 or min(sizes.values()) < 2:
        msg = f"arms= has units by arm {sizes}; give two arms or more, the control first, of the same units"
        raise EstimateError(msg)
    fast, exact = (_arm_differences(one, arms) for one in (predictor, reference))
    if fast.shape != exact.shape:
        msg = f"the predictors give contrasts of shape {fast.shape} and {exact.shape}; give both the same tasks"
        raise PredictorError(msg)
    names = tuple(arms)[1:]
    sd: Array = exact.std(axis=1, ddof=1)
    at = np.argwhere(sd == 0)
    if at.size:
        msg = (
            f"the contrast {quoted(names[int(at[0][0])])} is the same for all units (task {int(at[0][1])}), so there "
            "is no spread to measure a deviation in; give more units, or an arm that the predictor answers to"
        )
        raise EstimateError(msg)
    error = (fast - exact) / sd[:, None]
    bias = error.mean(axis=1)
    return ContrastDeviation(
        contrasts=names,
        rms=np.sqrt((error**2).mean(axis=1)),
        bias=bias,
        bias_mcse=error.std(axis=1, ddof=1) / np.sqrt(error.shape[1]),
        bias_in_se=np.abs(bias) * np.sqrt(n_units),
    )


def _arm_differences(predictor: Predictor, arms: Mapping[str, Tokens]) -> Array:
    """Return every arm minus the first, (contrast, unit, task[, model])."""
    answers: list[NDArray[Any]] = [predictor.predict(tokens).astype(np.float64) for tokens in arms.values()]
    return np.stack([answer - answers[0] for answer in answers[1:]])
