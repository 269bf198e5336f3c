"""Contrasts: outcomes under several arms -> individual causal effects on a named scale."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse

from causalgia.errors import ContrastError, OutcomesError
from causalgia.schema import annotate, validate

Array: TypeAlias = npt.NDArray[np.float64]
Scale = Literal["identity", "log", "log2", "logit"]
Weights: TypeAlias = dict[str, dict[str, float]]

#: scale -> (the transform g, |y g'(y)|: how far a relative error of the outcome moves g)
_TRANSFORMS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "identity": (lambda y: y, np.abs),
    "log": (np.log, np.ones_like),
    "log2": (np.log2, lambda y: np.full_like(y, 1 / np.log(2))),
    "logit": (lambda y: np.log(y) - np.log1p(-y), lambda y: 1 / (1 - y)),
}


def contrast(
    outcomes: xr.Dataset,
    *,
    control: str | int | None = None,
    contrasts: Mapping[str, Mapping[Any, float]] | None = None,
    interaction: Sequence[str] | None = None,
    scale: Scale = "identity",
) -> xr.Dataset:
    """Turn outcomes into individual causal effects (ICE): weighted sums of a unit's arms, on a named scale.

    ``ICE_u = sum_a w_a g(Y_u(a))`` with weights that sum to zero; the estimand is its mean over the null model. For
    g = log that is a difference of *means of logs*, which is not the log of a ratio of means.

    Parameters
    ----------
    outcomes
        From `causalgia.run` or `from_frame`: ``outcome (unit, arm, task[, model])`` of a crossover, or
        ``outcome (unit, task[, model])`` and ``assigned (unit)`` of a parallel trial.
    control
        The arm that is subtracted from every other one; each contrast is named after its treatment arm.
    contrasts
        Instead: contrast name -> arm name -> weight; the weights of a contrast sum to zero.
    interaction
        Instead: the names of two or more two-level factors, coordinates on the arm dim. The full interaction over
        their arms, ``sum (-1)^(number of factors at reference) g(Y)``: AB - A - B + 0 for two. The reference is the
        smaller level (0, False). Arms whose level is missing (NaN or empty) stand outside the factorial.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``: g, taken of every outcome first.

    Returns
    -------
    Dataset
        Crossover: ``ice (unit, contrast, task[, model])`` in float64, and a bound on its ``rounding (contrast,
        task[, model])`` from the dtype of the outcomes, below which a spread is none. Parallel: no ICE exists,
        and the observed ``outcome`` (on the scale g) and ``assigned`` are kept. Both: ``weight (contrast,
        arm)``, the coordinates of units and arms, ``do (contrast)``, and attrs that say the estimand.

    Raises
    ------
    ContrastError
        If not exactly one of `control`, `contrasts`, `interaction` is given, an arm or factor is unknown, weights do
        not sum to zero, a cell of the factorial is empty or taken twice, or the scale is impossible for an outcome.
    OutcomesError
        If `outcomes` is not a Dataset of outcomes.

    References
    ----------
    Koo & Ploenzke (2020), doi:10.1101/2020.02.19.956896: global importance is such an average.

    Examples
    --------
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task"), [[[1.0], [3.0]], [[2.0], [5.0]]])},
    ...     coords={"unit": [0, 1], "arm": ["placebo", "GATA1"], "task": ["K562"]},
    ... )
    >>> effects = contrast(outcomes, control="placebo")
    >>> effects["ice"].squeeze().values, effects.attrs["estimand"]
    (array([2., 3.]), "mean over units of outcome under 'GATA1' minus outcome under 'placebo'")
    """
    validate(outcomes, "outcomes")
    if outcomes.sizes["unit"] == 0:
        raise OutcomesError("outcomes: no units; the selection before contrast left none")
    if "arm" not in outcomes.dims:
        raise OutcomesError("outcomes: no dim 'arm'; a Dataset from cg.run or cg.from_frame has it")
    outcomes = outcomes.set_coords([name for name in ("assigned", "parent", "block") if name in outcomes])
    arms = [str(a) for a in outcomes["arm"].to_numpy()]
    weights = _chosen(outcomes, arms, control, contrasts, interaction)
    W = _weight_matrix(weights, arms)
    crossover = "arm" in outcomes["outcome"].dims
    transformed, rounding = _on_scale(outcomes, scale)
    parts = _crossover(transformed, rounding, W) if crossover else _parallel(outcomes, transformed, arms)
    coords = {name: c for name, c in outcomes.coords.items() if (name != "do" and "arm" in c.dims) or "unit" in c.dims}
    effects = xr.Dataset(parts, coords=coords, attrs=outcomes.attrs)
    effects["weight"] = (("contrast", "arm"), W.toarray())
    effects = effects.assign_coords(contrast=list(weights), arm=arms, **_do(outcomes, weights))
    effects.attrs |= _words(outcomes, weights, scale, "crossover" if crossover else "parallel", control, interaction)
    return validate(annotate(effects), "effects")


def _chosen(
    outcomes: xr.Dataset,
    arms: list[str],
    control: str | int | None,
    contrasts: Mapping[str, Mapping[Any, float]] | None,
    interaction: Sequence[str] | None,
) -> Weights:
    given = [
        name
        for name, x in (("control", control), ("contrasts", contrasts), ("interaction", interaction))
        if x is not None
    ]
    if len(given) != 1:
        said = " and ".join(given) or "none"
        raise ContrastError(
            f"give exactly one of control=, contrasts= and interaction=, not {said}; one of the arms is {arms[0]!r}"
        )
    if control is not None:
        return _against(str(control), arms)
    if contrasts is not None:
        return _custom(contrasts, arms)
    return _factorial(outcomes, arms, interaction or ())


def _against(control: str, arms: list[str]) -> Weights:
    _known(control, arms, "control")
    if len(arms) < 2:
        raise ContrastError(f"the only arm is the control '{control}'; a contrast needs another arm")
    return {arm: {arm: 1.0, control: -1.0} for arm in arms if arm != control}


def _known(arm: str, arms: list[str], role: str) -> None:
    if arm in arms:
        return
    near = difflib.get_close_matches(arm, arms, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
    raise ContrastError(f"{role} {arm!r} is not an arm{hint or '.'} The arms are {_listed(arms)}")


def _listed(names: Iterable[str], most: int = 20) -> str:
    names = list(names)
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def _custom(contrasts: Mapping[str, Mapping[Any, float]], arms: list[str]) -> Weights:
    if not contrasts:
        raise ContrastError('contrasts= is empty; for example contrasts={"A minus B": {"A": 1, "B": -1}}')
    return {str(name): _zero_sum(str(name), weights, arms) for name, weights in contrasts.items()}


def _zero_sum(name: str, weights: Mapping[Any, float], arms: list[str]) -> dict[str, float]:
    if not isinstance(weights, Mapping):
        raise ContrastError(f'contrast {name!r} is {weights!r}, not weights by arm; for example {{"A": 1, "B": -1}}')
    for arm in weights:
        _known(str(arm), arms, f"contrast {name!r}:")
    w = {str(arm): float(value) for arm, value in weights.items()}
    size, total = sum(map(abs, w.values())), sum(w.values())
    if not np.isfinite(size):
        raise ContrastError(f"contrast {name!r} has a weight that is not finite: {w}")
    if size == 0:
        raise ContrastError(f"contrast {name!r} has no weight other than 0; name the arms it compares")
    if abs(total) > 1e-9 * size:
        raise ContrastError(
            f"contrast {name!r}: the weights {w} sum to {total:g}; an effect needs weights that sum to 0"
        )
    return {arm: value for arm, value in w.items() if value != 0}


def _factorial(outcomes: xr.Dataset, arms: list[str], factors: Sequence[str]) -> Weights:
    if isinstance(factors, str) or len(factors) < 2 or len(set(factors)) < len(factors):
        raise ContrastError(f'interaction={factors!r}: name two or more different factors, for example ["A", "B"]')
    high = [_at_high_level(outcomes, factor) for factor in factors]
    members: dict[tuple[int, ...], str] = {}
    for i, arm in enumerate(arms):
        cell = tuple(int(level[i]) for level in high)
        if -1 in cell:
            continue
        if cell in members:
            raise ContrastError(
                f"interaction: arms {members[cell]!r} and {arm!r} are both the cell {_cell(factors, cell)}; "
                "drop one of them, or name every factor that tells them apart"
            )
        members[cell] = arm
    return {":".join(factors): {_member(members, factors, c): _sign(c) for c in product((0, 1), repeat=len(factors))}}


def _at_high_level(outcomes: xr.Dataset, factor: str) -> npt.NDArray[np.intp]:
    """1 at the high level of a factor, 0 at its reference, -1 where an arm has no level."""
    on_arm = [str(c) for c in outcomes.coords if outcomes[c].dims == ("arm",) and c != "arm"]
    if factor not in on_arm:
        raise ContrastError(
            f"interaction: no factor {factor!r} on the arms; the coordinates there are {_listed(on_arm)}"
        )
    values = outcomes[factor].to_numpy().tolist()
    absent = [v is None or v == "" or v != v for v in values]
    levels = sorted({v for v, gone in zip(values, absent, strict=True) if not gone}, key=lambda v: (str(type(v)), v))
    if len(levels) != 2:
        raise ContrastError(
            f"interaction: factor {factor!r} has the levels {levels}; two are needed, use contrasts= for more"
        )
    return np.array([-1 if gone else levels.index(v) for v, gone in zip(values, absent, strict=True)], dtype=np.intp)


def _cell(factors: Sequence[str], cell: tuple[int, ...]) -> str:
    return ", ".join(
        f"{factor} {'high' if level else 'reference'}" for factor, level in zip(factors, cell, strict=True)
    )


def _member(members: dict[tuple[int, ...], str], factors: Sequence[str], cell: tuple[int, ...]) -> str:
    if cell not in members:
        raise ContrastError(
            f"interaction: no arm has the cell {_cell(factors, cell)}; a factorial needs all 2^{len(factors)} arms"
        )
    return members[cell]


def _sign(cell: tuple[int, ...]) -> float:
    return float((-1) ** (len(cell) - sum(cell)))


def _weight_matrix(weights: Weights, arms: list[str]) -> sparse.csr_array:
    column = {arm: j for j, arm in enumerate(arms)}
    entries = [(k, column[arm], value) for k, w in enumerate(weights.values()) for arm, value in w.items()]
    rows, columns, values = zip(*entries, strict=True)
    return sparse.csr_array((np.array(values), (rows, columns)), shape=(len(weights), len(arms)))


def _on_scale(outcomes: xr.Dataset, scale: str) -> tuple[xr.DataArray, Array]:
    """Put the outcomes on the scale, in float64, with a bound on their rounding by (arm,) task[, model]."""
    if scale not in _TRANSFORMS:
        raise ContrastError(f"scale {scale!r} is none of {', '.join(_TRANSFORMS)}")
    y = outcomes["outcome"]
    if scale != "identity":
        _refuse_scale(y, scale, str(outcomes.attrs.get("scale", "outcome")))
    values = y.to_numpy().astype(np.float64)
    transform, elasticity = _TRANSFORMS[scale]
    transformed = transform(values)
    eps = np.finfo(y.dtype).eps * elasticity(values).max(axis=0) + np.finfo(float).eps * np.abs(transformed).max(axis=0)
    return y.copy(data=transformed), eps


def _refuse_scale(y: xr.DataArray, scale: str, measured_on: str) -> None:
    if scale != "logit" and "log" in measured_on.lower():
        raise ContrastError(
            f"scale='{scale}': the outcomes are already on '{measured_on}'; use scale='identity', which compares logs"
        )
    if scale == "logit" and "log" in measured_on.lower():
        raise ContrastError(
            f"scale='logit': the outcomes are on '{measured_on}' and not probabilities; use scale='identity'"
        )
    bad = (y <= 0) | (y >= 1) if scale == "logit" else y <= 0
    if not bad.any():
        return
    where = np.argwhere(bad.to_numpy())[0]
    labels = ", ".join(
        f"{dim} {y[dim].to_numpy()[i]!s}" for dim, i in zip(y.dims, where, strict=True) if dim in y.coords
    )
    need = "outcomes between 0 and 1" if scale == "logit" else "positive outcomes"
    raise ContrastError(
        f"scale='{scale}' needs {need}, and {labels} has {y.to_numpy()[tuple(where)]:g}; use scale='identity'"
    )


def _crossover(y: xr.DataArray, rounding: Array, W: sparse.csr_array) -> dict[str, Any]:
    """ICE as one (sparse) matrix product, in float64, and the bound on its rounding."""
    n_units, n_arms, *trailing = y.shape
    by_arm = np.moveaxis(y.to_numpy(), 1, 0).reshape(n_arms, -1)
    ice = np.moveaxis((W @ by_arm).reshape(W.shape[0], n_units, *trailing), 0, 1)
    bound = (abs(W) @ rounding.reshape(n_arms, -1)).reshape(W.shape[0], *trailing)
    others = y.dims[2:]
    coords = {dim: y[dim].to_numpy() for dim in ("unit", *others) if dim in y.coords}
    return {
        "ice": xr.DataArray(np.ascontiguousarray(ice), dims=("unit", "contrast", *others), coords=coords),
        "rounding": (("contrast", *others), bound),
    }


def _parallel(outcomes: xr.Dataset, y: xr.DataArray, arms: list[str]) -> dict[str, Any]:
    if "assigned" not in outcomes:
        raise OutcomesError(
            "outcomes: neither a dim 'arm' of the outcome nor a coordinate 'assigned'; use cg.from_frame"
        )
    known = set(arms)
    for i, arm in enumerate(outcomes["assigned"].to_numpy().astype(str)):
        if arm not in known:
            raise OutcomesError(f"unit {outcomes['unit'].to_numpy()[i]!s} is assigned to '{arm}', which is not an arm")
    return {"outcome": y}


def _do(outcomes: xr.Dataset, weights: Weights) -> dict[str, Any]:
    if "do" not in outcomes.variables:
        return {}
    text = dict(zip(map(str, outcomes["arm"].to_numpy()), map(str, outcomes["do"].to_numpy()), strict=True))
    return {"do": ("contrast", [_signed_sum(w, text) for w in weights.values()])}


def _signed_sum(w: dict[str, float], text: Mapping[str, str]) -> str:
    """Write weights as '+' and '−' terms, the positive ones first."""
    terms = sorted(w.items(), key=lambda item: item[1] < 0)
    pieces = [
        f"{'−' if value < 0 else '+'} {'' if abs(value) == 1 else f'{abs(value):.4g} '}{text[arm]}"
        for arm, value in terms
    ]
    return " ".join(pieces).removeprefix("+ ")


def _words(
    outcomes: xr.Dataset, weights: Weights, scale: str, assignment: str, control: Any, interaction: Sequence[str] | None
) -> dict[str, str]:
    measured_on = str(outcomes.attrs.get("scale", "outcome"))
    outcome = "outcome" if scale == "identity" else f"{scale}(outcome)"
    if len(weights) == 1 and control is not None:
        what = f"{outcome} under {next(iter(weights))!r} minus {outcome} under {str(control)!r}"
    elif control is not None:
        what = f"{outcome} under the arm minus {outcome} under {str(control)!r}"
    elif interaction is not None:
        what = f"the interaction {' : '.join(interaction)} of {outcome}, over all 2^{len(interaction)} arms"
    else:
        what = f"the weighted sum of {outcome} over arms"
    return {
        "assignment": assignment,
        "contrast_scale": measured_on if scale == "identity" else f"{scale} of {measured_on}",
        "transform": scale,
        "control": "" if control is None else str(control),
        "estimand": f"mean over units of {what}",
    }
