"""A float64 version of a predictor, against which rounding is measured."""

from __future__ import annotations

from causalgia.errors import PredictorError
from causalgia.predict.ensemble import Ensemble
from causalgia.predict.predictor import Predictor


def reference_of(predictor: Predictor) -> Predictor | None:
    """Return the same network, or ensemble, in float64; None if it is in float64 already or cannot be converted.

    Examples
    --------
    >>> import causalgia as cg
    >>> reference_of(cg.FunctionPredictor(lambda x: x[:, 0].mean(1))) is None
    True
    """
    makers = [getattr(part, "reference", None) for part in predictor.parts]
    if any(make is None for make in makers) or predictor.precision.itemsize == 8:
        return None
    try:
        parts = [make() for make in makers if make is not None]
    except (PredictorError, RuntimeError, TypeError):
        return None  # a module that cannot be copied
    return parts[0] if predictor.models is None else Ensemble(parts, names=predictor.models, of=predictor.of or "seeds")
