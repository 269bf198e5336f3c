"""Placebo words: which contrasts are of one, and many of them as levels of one contrast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from causalgia.arm_weights import weights_of
from causalgia.effects.scales import OF_MEANS
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossover_estimates import settled
from causalgia.numerics.row_blocks import is_lazy

LEAST_WORDS = 20


def placebo_words(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return whether each contrast of effects or estimates is one fixed placebo word against something, (contrast,).

    Known from ``weight (contrast, arm)`` and ``kind (arm)``; without them no contrast is. A mean of several words is
    none: it is not a draw from the class of words.

    Examples
    --------
    >>> weight = [[-1.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 1.0, 0.0], [-1.0, 0.0, 0.5, 0.5]]
    >>> kind = ("arm", ["placebo", "embed", "placebo_word", "placebo_word"])
    >>> placebo_words(xr.Dataset({"weight": (("contrast", "arm"), weight)}, coords={"kind": kind}))
    array([False,  True, False])
    """
    if "weight" not in dataset or "kind" not in dataset.variables:
        return np.zeros(dataset.sizes["contrast"], dtype=bool)
    rows = dataset["weight"].transpose("contrast", "arm").data
    positive = ((weights_of(dataset) if is_lazy(rows) else rows) > 0).astype(np.intp)
    word = dataset["kind"].to_numpy().astype(str) == "placebo_word"
    return np.asarray((positive.sum(axis=1) == 1) & (positive @ word.astype(np.intp) > 0))


def words_of(dataset: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return whether each contrast is one fixed placebo word, shape ``(contrast,)``.

    The bool coordinate or variable ``placebo_word (contrast)`` says so; without it ``weight`` and ``kind`` of the arms.

    Raises
    ------
    EstimateError
        If ``placebo_word`` is not bool on the dim contrast.

    Examples
    --------
    >>> words_of(xr.Dataset({"ace": ("contrast", [1.0, 0.0]), "placebo_word": ("contrast", [False, True])}))
    array([False,  True])
    """
    if "placebo_word" not in dataset.variables:
        return placebo_words(dataset)
    marked = dataset["placebo_word"]
    if marked.dims != ("contrast",) or marked.dtype != bool:
        raise EstimateError(f"placebo_word has dims {marked.dims} and dtype {marked.dtype}, not bool on contrast")
    return np.asarray(marked.to_numpy())


def words_as_levels(effects: xr.Dataset) -> xr.Dataset:
    """Take the contrasts of placebo words as levels of one contrast, the class of such words, on the dim model.

    Raises
    ------
    EstimateError
        If fewer than 20 contrasts have an arm of kind ``placebo_word`` on their positive side, or there is a dim model.

    Examples
    --------
    >>> effects = xr.Dataset({"ice": (("unit", "contrast", "task"), np.zeros((2, 1, 1)))})
    >>> words_as_levels(effects)
    Traceback (most recent call last):
    ...
    causalgia.errors.EstimateError: target='population x words' needs 20 or more contrasts of placebo words, ...
    """
    if "ice" in effects and "model" in effects["ice"].dims:
        raise EstimateError("target='population x words' takes one predictor; pick one of the dim 'model' first")
    if effects.attrs.get("transform") in OF_MEANS:
        raise EstimateError(
            f"target='population x words' is a mean over words, and scale={quoted(effects.attrs['transform'])} is of "
            "the arms' means; use scale='identity' or scale='log'"
        )
    words = np.flatnonzero(placebo_words(effects)) if "ice" in effects else np.array([], dtype=np.intp)
    if len(words) < LEAST_WORDS:
        raise EstimateError(
            f"target='population x words' needs {LEAST_WORDS} or more contrasts of placebo words, "
            f"and there are {len(words)}; "
            "add arms with cg.placebos(pattern, at=, n=40) to a crossover, or use target='population'"
        )
    ice = settled(effects)[:, words]
    by_word = np.moveaxis(ice, 1, -1)[:, None]
    coords = {name: c for name, c in effects.coords.items() if set(c.dims) <= {"unit", "task", "arm"}}
    out = xr.Dataset({"ice": (("unit", "contrast", "task", "model"), by_word)}, coords=coords, attrs=effects.attrs)
    if "control_sd" in effects:
        squares = effects["control_sd"].to_numpy()[words] ** 2
        out["control_sd"] = (("contrast", "task"), np.sqrt(squares.mean(axis=0, keepdims=True)))
    if "floor" in effects:
        out["floor"] = (("contrast", "task"), effects["floor"].to_numpy()[words].max(axis=0, keepdims=True))
    out["weight"] = (
        ("contrast", "arm"),
        effects["weight"].to_numpy()[words].mean(axis=0, keepdims=True, dtype=np.float64),
    )
    return out.assign_coords(contrast=["placebo words"])
