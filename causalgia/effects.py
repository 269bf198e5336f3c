"""Contrasts: outcomes under several arms -> individual causal effects on a named scale."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy import sparse

from causalgia.errors import ContrastError, OutcomesError
from causalgia.scales import Array, Scale, agreement, on_scale
from causalgia.schema import RESERVED, annotate, validate

Weights: TypeAlias = dict[str, dict[str, float]]


def contrast(
    outcomes: xr.Dataset,
    *,
    control: str | float | None = None,
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
        The arm that is subtracted from every other one; each contrast is named after its treatment arm. A number
        stands for the arm of that name: 0 and 0.0 for ``"0"``.
    contrasts
        Instead: contrast name -> arm name -> weight; the weights of a contrast sum to zero.
    interaction
        Instead: the names of two or more two-level factors, coordinates on the arm dim. The full interaction over
        their arms, ``sum (-1)^(number of factors at reference) g(Y)``: AB - A - B + 0 for two. The reference is the
        smaller level (0, False). Arms whose level is missing (NaN or empty) stand outside the factorial.
    scale
        ``"identity"``, ``"log"``, ``"log2"`` or ``"logit"``: g, taken of every outcome first. Arms that no contrast
        uses are not read; on a scale other than identity the units that a parallel trial gave them are left out.

    Returns
    -------
    Dataset
        Crossover: ``ice (unit, contrast, task[, model])`` in float64; ``constant (contrast, task[, model])`` where
        the ICE of all units are one number within the rounding of each unit's own outcomes, and ``zero`` where that
        number may be 0. Parallel: no ICE exists, and the observed ``outcome`` (on the scale g) and ``assigned`` are
        kept, with the bound ``rounding`` on each outcome. Both: ``weight (contrast, arm)`` (float32 where that is
        exact), the coordinates of units and arms, ``do (contrast)``, and attrs that say the estimand.

    Raises
    ------
    ContrastError
        If not exactly one of `control`, `contrasts`, `interaction` is given, an arm or factor is unknown, weights do
        not sum to zero, a cell of the factorial is empty or taken twice, or the scale is impossible for an outcome.
    OutcomesError
        If `outcomes` is not a Dataset of outcomes.

    References
    ----------
    Koo et al. (2021), doi:10.1371/journal.pcbi.1008925: global importance is such an average.

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
    arms = _unique([str(a) for a in outcomes["arm"].to_numpy()], "arms")
    control = None if control is None else _arm(control, arms)
    weights = _chosen(outcomes, arms, control, contrasts, interaction)
    W = _weight_matrix(weights, arms)
    crossover = "arm" in outcomes["outcome"].dims
    outcomes, parts = _crossover(outcomes, W, scale) if crossover else _parallel(outcomes, W, arms, scale)
    coords = {name: c for name, c in outcomes.coords.items() if (name != "do" and "arm" in c.dims) or "unit" in c.dims}
    effects = xr.Dataset(parts, coords=coords, attrs=outcomes.attrs)
    effects["weight"] = (("contrast", "arm"), _dense(W))
    effects = effects.assign_coords(contrast=list(weights), arm=arms, **_do(outcomes, weights))
    effects.attrs |= _words(outcomes, weights, scale, "crossover" if crossover else "parallel", control, interaction)
    return validate(annotate(effects), "effects")


def _unique(names: list[str], what: str) -> list[str]:
    """Refuse names that differ as values and are the same as text."""
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise ContrastError(f"{count} {what} are called {name!r} once they are text; rename them")
    return names


def _chosen(
    outcomes: xr.Dataset,
    arms: list[str],
    control: str | float | None,
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


def _arm(name: Any, arms: list[str]) -> str:
    """Name an arm as text: the number 0.0 means "0" where there is no "0.0"."""
    whole = _is_number(name) and float(name).is_integer()
    return next((text for text in (str(name), *([str(int(name))] if whole else [])) if text in arms), str(name))


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real)


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
    if not isinstance(contrasts, Mapping) or not contrasts:
        empty = "is empty" if isinstance(contrasts, Mapping) else f"is {type(contrasts).__name__}, not a mapping"
        raise ContrastError(f'contrasts= {empty}; for example contrasts={{"A minus B": {{"A": 1, "B": -1}}}}')
    names = _unique([str(name) for name in contrasts], "contrasts")
    return {name: _zero_sum(name, weights, arms) for name, weights in zip(names, contrasts.values(), strict=True)}


def _zero_sum(name: str, weights: Mapping[Any, float], arms: list[str]) -> dict[str, float]:
    if not isinstance(weights, Mapping):
        raise ContrastError(f'contrast {name!r} is {weights!r}, not weights by arm; for example {{"A": 1, "B": -1}}')
    for arm, value in weights.items():
        _known(_arm(arm, arms), arms, f"contrast {name!r}:")
        if not _is_number(value):
            raise ContrastError(f"contrast {name!r}: the weight of arm {arm!r} is {value!r}, not a number")
    w = {_arm(arm, arms): float(value) for arm, value in weights.items()}
    if len(w) < len(weights):
        raise ContrastError(f"contrast {name!r} names an arm twice: {list(weights)}")
    size, total = sum(map(abs, w.values())), sum(w.values())
    if not np.isfinite(size):
        raise ContrastError(f"contrast {name!r} has a weight that is not finite: {w}")
    if any(not 1e-100 < abs(value) < 1e100 for value in w.values() if value):
        raise ContrastError(
            f"contrast {name!r} has weights beyond 1e-100 to 1e100: {w}; weights of size 1 say the same"
        )
    if size == 0:
        raise ContrastError(f"contrast {name!r} has no weight other than 0; name the arms it compares")
    if abs(total) > 1e-9 * size:
        raise ContrastError(
            f"contrast {name!r}: the weights {w} sum to {total:g}; an effect needs weights that sum to 0"
        )
    return {arm: value for arm, value in w.items() if value != 0}


def _factorial(outcomes: xr.Dataset, arms: list[str], factors: Sequence[str]) -> Weights:
    factors = [factors] if isinstance(factors, str) or not isinstance(factors, Iterable) else list(factors)
    if len(factors) < 2 or len(set(factors)) < len(factors):
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
    on_arm = [str(c) for c in outcomes.coords if outcomes[c].dims == ("arm",) and c not in RESERVED]
    if not on_arm:
        raise ContrastError(
            f"interaction: no factor {factor!r}, because the arms have no factors; make the arms with cg.factorial, or "
            f'give their levels: outcomes.assign_coords({factor}=("arm", [0, 1, ...]))'
        )
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


def _dense(W: sparse.csr_array) -> npt.NDArray[np.floating]:
    """W as an array: 4,096 contrasts of as many arms take 67 MB in float32 (where that is exact), 134 in float64."""
    narrow = W.astype(np.float32)
    return np.asarray((narrow if (narrow.data == W.data).all() else W).toarray())


def _crossover(outcomes: xr.Dataset, W: sparse.csr_array, scale: str) -> tuple[xr.Dataset, dict[str, Any]]:
    """ICE as one (sparse) matrix product, in float64, and where it does not vary."""
    used = np.unique(W.indices)
    y, bound = on_scale(outcomes["outcome"].isel(arm=used), scale, _measured_on(outcomes))
    W, (n_units, n_arms, *trailing), others = W[:, used], y.shape, y.dims[2:]
    by_arm, bound = (np.moveaxis(x, 1, 0).reshape(n_arms, -1) for x in (y.to_numpy(), bound))
    ice = np.asarray(W @ by_arm)
    flags = [part.reshape(len(ice), *trailing) for part in _flags(ice, abs(W), bound, n_units)]
    ice = np.ascontiguousarray(np.moveaxis(ice.reshape(len(ice), n_units, *trailing), 0, 1))
    coords = {dim: y[dim].to_numpy() for dim in ("unit", *others) if dim in y.coords}
    return outcomes, {
        "ice": xr.DataArray(ice, dims=("unit", "contrast", *others), coords=coords),
        "constant": (("contrast", *others), flags[0]),
        "zero": (("contrast", *others), flags[1]),
    }


def _flags(ice: Array, sizes: sparse.csr_array, bound: Array, n_units: int) -> list[npt.NDArray[np.bool_]]:
    """Constant and zero of each row of ICE (K, n R), shape (K, R); the bounds of 64 contrasts at a time."""
    parts = []
    for start in range(0, len(ice), 64):
        rows = slice(start, start + 64)
        some, within = (x.reshape(len(x), n_units, -1).swapaxes(0, 1) for x in (ice[rows], sizes[rows] @ bound))
        parts.append(agreement(some, within))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


def _parallel(
    outcomes: xr.Dataset, W: sparse.csr_array, arms: list[str], scale: str
) -> tuple[xr.Dataset, dict[str, Any]]:
    if "assigned" not in outcomes:
        raise OutcomesError(
            "outcomes: neither a dim 'arm' of the outcome nor a coordinate 'assigned'; use cg.from_frame"
        )
    known = set(arms)
    assigned = outcomes["assigned"].to_numpy().astype(str)
    for i, arm in enumerate(assigned):
        if arm not in known:
            raise OutcomesError(f"unit {outcomes['unit'].to_numpy()[i]!s} is assigned to '{arm}', which is not an arm")
    if scale != "identity":
        outcomes = outcomes.isel(unit=np.isin(assigned, [arms[j] for j in np.unique(W.indices)]))
    y, bound = on_scale(outcomes["outcome"], scale, _measured_on(outcomes))
    return outcomes, {"outcome": y, "rounding": (y.dims, bound)}


def _measured_on(outcomes: xr.Dataset) -> str:
    return str(outcomes.attrs.get("scale", "outcome"))


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
    measured_on = _measured_on(outcomes)
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
