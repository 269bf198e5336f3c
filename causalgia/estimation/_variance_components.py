"""Where the variance of an effect comes from: backgrounds, parents, predictors, motif instances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.arm_weights import weights_of
from causalgia.effects import contrast
from causalgia.errors import EstimateError, quoted
from causalgia.estimation.crossover_estimates import settled
from causalgia.estimation.mixed_model import fit_variances, lay_out, respond, same_partition
from causalgia.estimation.request import parents_if_shared
from causalgia.numerics.moments import group_sums
from causalgia.schema import check_dataset, validate
from causalgia.types import Array, Codes

_MORE = {
    "background": "more backgrounds",
    "parent": "more parents (more shuffles of the same ones do not help)",
    "predictor": "more predictors",
    "instance": "more instances of the motif",
}


def variance_components(
    outcomes_or_effects: xr.Dataset, *, control: str | float | None = None, instance: str | None = None
) -> xr.Dataset:
    """Split the variance of effects (or outcomes) by what was drawn at random, to tell what to buy next.

    Every component is the variance of a normal random intercept, by restricted maximum likelihood (REML) bounded at 0.
    Effects: ``ICE = ACE + background + parent + predictor + instance + their interactions``, where the interaction of
    all that vary is the residual. Outcomes without a control: ``Y = arm + background + parent + predictor`` and the
    interaction of each with the arm; an interaction of background and predictor that all arms share is residual there.

    Parameters
    ----------
    outcomes_or_effects
        Effects of a crossover, from `contrast`; or outcomes, from `run` or `from_frame`.
    control
        The arm that is subtracted from outcomes first, so that the components are those of each effect.
    instance
        A coordinate on the contrasts (or arms) that has the same value for all instances of one motif: the answer is
        then for each motif, and its instances are a component.

    Returns
    -------
    Dataset
        ``variance, se, share, sd, in_ace (component, contrast, task)``: variance on the squared scale of the effect,
        its standard error (average information, normal theory; where the variance is 0, that of the unbounded
        estimate), its share of the sum, its root, and its share of the squared standard error of the ACE over all
        that varies (of the difference of the first two arms, for outcomes without control). ``n_levels (component,
        contrast)``. attrs say what is not identified, what is at 0, and what to buy next.

    Raises
    ------
    EstimateError
        If there is one unit, a parallel trial is asked for effects, effects are given with ``control=``, `instance` is
        no coordinate on contrasts or arms, or a motif has one instance.

    References
    ----------
    Patterson & Thompson (1971), doi:10.1093/biomet/58.3.545. Searle, Casella & McCulloch (1992),
    doi:10.1002/9780470316856.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ice = 2 + rng.normal(size=(50, 1, 1, 1)) + 0.5 * rng.normal(size=(1, 1, 1, 4)) + rng.normal(size=(50, 1, 1, 4))
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task", "model"), ice)}, coords={"contrast": ["GATA1"], "task": ["K562"]}
    ... )
    >>> components = variance_components(effects)
    >>> components["component"].values
    array(['background', 'predictor', 'residual'], dtype='<U10')
    >>> components["in_ace"].values.ravel().round(2)
    array([0.38, 0.5 , 0.12])
    >>> components.attrs["buy_next"]
    'predictor has the largest part of the squared standard error of the ACE (50%): buy more predictors'
    """
    source = outcomes_or_effects
    check_dataset(source, "effects")
    if control is not None:
        if "ice" in source or "contrast" in source.dims:
            raise EstimateError("control= goes with outcomes; these are effects already, leave control= out")
        source = contrast(source, control=control)
    if "ace" in source:
        raise EstimateError(
            "these are estimates, in which the units are averaged away; give the effects of cg.contrast behind them"
        )
    if "ice" in source:
        return _of_effects(validate(source, "effects"), instance)
    if "contrast" in source.dims:
        raise EstimateError("a parallel trial has no individual effects; give its outcomes without control=")
    if instance is not None:
        raise EstimateError(f"instance={quoted(instance)} groups effects; give control= too, or the effects")
    return _of_outcomes(validate(source, "outcomes"))


def _of_effects(effects: xr.Dataset, instance: str | None) -> xr.Dataset:
    _check_sizes(effects, ("contrast", "task"))
    dims = effects["ice"].dims
    ice = np.moveaxis(settled(effects), [dims.index(d) for d in ("unit", "contrast", "task")], [0, 1, 2])
    ice, parent = ice if ice.ndim == 4 else ice[..., None], _parents(effects)
    if instance is None:
        return _finish(_answer(effect_cells(ice, parent), _names(effects), effects), effects)
    blocks = [_answer(instance_cells(ice[:, k], parent), [name], effects) for name, k in _motifs(effects, instance)]
    out = xr.concat(blocks, "contrast", combine_attrs="override")
    return _finish(out, effects)


def _of_outcomes(outcomes: xr.Dataset) -> xr.Dataset:
    _check_sizes(outcomes, ("task",))
    return _finish(_answer(outcome_cells(outcomes, _parents(outcomes)), ["outcome"], outcomes), outcomes)


def _check_sizes(dataset: xr.Dataset, dims: tuple[str, ...]) -> None:
    for dim in dims:
        if dataset.sizes[dim] == 0:
            raise EstimateError(f"no {dim}s: the selection before variance_components left none")
    if dataset.sizes["unit"] < 2:
        raise EstimateError(f"{dataset.sizes['unit']} unit gives no variance; draw more units")


def _parents(dataset: xr.Dataset) -> Codes | None:
    dataset = dataset.set_coords([name for name in ("parent",) if name in dataset])
    parents = parents_if_shared(dataset)
    return None if parents is None else parents.codes


def _names(effects: xr.Dataset) -> list[Any]:
    if "contrast" not in effects.coords:
        return list(range(effects.sizes["contrast"]))
    return list(effects["contrast"].to_numpy())


def _motifs(effects: xr.Dataset, instance: str) -> Iterator[tuple[str, Codes]]:
    """Motifs, and the contrasts that are instances of each."""
    labels, of = _names(effects), _instance_of(effects, instance)
    for motif in dict.fromkeys(of):
        where = np.flatnonzero([value == motif for value in of])
        if len(where) < 2:
            raise EstimateError(
                f"instance={quoted(instance)}: {motif!s} has one instance, contrast {labels[where[0]]!s}; "
                "leave it out, or add instances"
            )
        yield motif, where


def _instance_of(effects: xr.Dataset, instance: str) -> list[str]:
    dims = effects[instance].dims if instance in effects.variables else ()
    if dims == ("contrast",):
        return [str(value) for value in effects[instance].to_numpy()]
    if dims == ("arm",) and "weight" in effects:
        on_arms, treated = effects[instance].to_numpy(), weights_of(effects) > 0
        of = [sorted(set(on_arms[row].astype(str))) for row in np.split(treated.indices, treated.indptr[1:-1])]
        for name, values in zip(_names(effects), of, strict=True):
            if len(values) != 1:
                raise EstimateError(
                    f"contrast {name!s}: its arms have several {quoted(instance)} ({', '.join(values)})"
                )
        return [values[0] for values in of]
    raise EstimateError(
        f"instance={quoted(instance)} is no coordinate on the contrasts or arms; "
        f'give one: effects.assign_coords({instance}=("contrast", [...]))'
    )


def _answer(cells: Cells, names: list[Any], source: xr.Dataset) -> xr.Dataset:
    size = np.ptp(cells.rows, axis=0)
    if (size > 1e150).any() or ((size > 0) & (size < 1e-150)).any():
        raise EstimateError(
            f"effects that spread over {size.max():g} have no variance in double precision; rescale them"
        )
    known = identified(cells)
    variance, se = _fitted(cells, known)
    shape = (len(variance), len(names), source.sizes["task"])
    dims = ("component", "contrast", "task")
    in_ace = variance * shares_of_weight(cells, known.groups)[:, None]
    columns = {"variance": variance, "se": se, "share": _shares(variance), "in_ace": _shares(in_ace)}
    data: dict[str, Any] = {name: (dims, column.reshape(shape)) for name, column in columns.items()}
    data["sd"] = (dims, np.sqrt(variance).reshape(shape))
    levels = [int(codes.max()) + 1 for codes in known.groups.values()] + [len(cells.rows)]
    data["n_levels"] = (("component", "contrast"), np.repeat(np.array(levels)[:, None], len(names), axis=1))
    alone = () if "predictor" in known.groups else ("one predictor shows no variance between predictors",)
    notes = (*known.notes, *alone)
    coords: dict[str, Any] = {"component": [*known.groups, known.residual], "contrast": names}
    coords |= {"task": source["task"].to_numpy()} if "task" in source.coords else {}
    return xr.Dataset(data, coords, {"not_identified": "; ".join(notes)})


def _fitted(cells: Cells, known: Identified) -> tuple[Array, Array]:
    """Variances and their standard errors, ``(J + 1, R)`` each."""
    if not known.groups:
        df = len(cells.rows) - cells.fixed.shape[1]
        residuals = cells.rows - cells.rows[0]
        residuals = residuals - cells.fixed @ np.linalg.lstsq(cells.fixed, residuals, rcond=None)[0]
        variance = (residuals**2).sum(axis=0, keepdims=True) / df
        return variance, variance * np.sqrt(2 / df)
    layout = lay_out(cells.fixed, known.groups)
    fits = [fit_variances(respond(layout, y)) for y in cells.rows.T]
    return np.column_stack([fit.variance for fit in fits]), np.column_stack([fit.se for fit in fits])


def _shares(parts: Array) -> Array:
    whole = parts.sum(axis=0, keepdims=True)
    return np.asarray(np.divide(parts, whole, out=np.zeros_like(parts), where=whole > 0))


def _finish(out: xr.Dataset, source: xr.Dataset) -> xr.Dataset:
    zero = [str(name) for name, v in zip(out["component"].to_numpy(), out["variance"], strict=True) if (v == 0).any()]
    out.attrs = (
        dict(source.attrs)
        | out.attrs
        | {
            "method": "REML, variances bounded at 0; standard errors from the average information, normal theory",
            "at_zero": ", ".join(zero),
            "buy_next": _buy_next(out),
        }
    )
    return out


def _buy_next(out: xr.Dataset) -> str:
    median = out["in_ace"].median(("contrast", "task")).to_numpy()
    if not median.any():
        return "nothing varies: more units or predictors change nothing"
    name = str(out["component"].to_numpy()[median.argmax()])
    mains = dict.fromkeys(part for part in name.replace(" + residual", "").split("_by_") if part in _MORE)
    what = " or ".join(_MORE[part] for part in mains) or " or ".join(
        _MORE[part] for part in ("background", "predictor", "instance") if part in out["component"].to_numpy()
    )
    part = f"{name} has the largest part of the squared standard error of the ACE ({median.max():.0%})"
    return f"{part}: buy {what or 'more units'}"


@dataclass(frozen=True)
class Cells:
    """Rows of a table of responses, and groupings of the rows that may have a variance of their own.

    Attributes
    ----------
    rows
        Responses, shape ``(N, R)``.
    fixed
        Fixed effects, shape ``(N, p)``.
    weight
        Weight of each row in the effect whose standard error is divided up, shape ``(N,)``.
    drawn
        Component -> level of each row, shape ``(N,)``.
    """

    rows: Array
    fixed: Array
    weight: Array
    drawn: dict[str, Codes]


@dataclass(frozen=True)
class Identified:
    """Which groupings the rows can tell apart.

    Attributes
    ----------
    groups
        Component -> level of each row; no two of them alike, none with one level or one row for each level.
    residual
        What the residual is called: with the name of a main effect where that is confounded with it.
    notes
        What cannot be told apart, a clause each.
    """

    groups: dict[str, Codes]
    residual: str
    notes: tuple[str, ...]


def identified(cells: Cells) -> Identified:
    """Sort out the groupings that the rows cannot tell apart, and say which.

    Examples
    --------
    >>> drawn = {"background": np.arange(3), "predictor": np.zeros(3, dtype=int)}
    >>> identified(Cells(np.zeros((3, 1)), np.ones((3, 1)), np.ones(3) / 3, drawn)).notes
    ('background is one with the residual', 'predictor has one level')
    """
    groups: dict[str, Codes] = {}
    residual, notes = "residual", []
    for name, codes in cells.drawn.items():
        levels = int(codes.max()) + 1
        twin = next((other for other, theirs in groups.items() if same_partition(codes, theirs)), None)
        if levels == 1:
            notes.append(f"{name} has one level")
        elif levels == len(codes):
            residual = residual if "_by_" in name else f"{name} + {residual}"
            notes.append(f"{name} is one with the residual")
        elif twin is not None:
            notes.append(f"{name} is one with {twin}")
        else:
            groups[name] = codes
    return Identified(groups, residual, tuple(notes))


def shares_of_weight(cells: Cells, groups: dict[str, Codes]) -> Array:
    """Return what a unit of each component's variance adds to that of the effect, residual last, ``(J + 1,)``."""
    sums = [float((group_sums(cells.weight, codes) ** 2).sum()) for codes in groups.values()]
    return np.array([*sums, float((cells.weight**2).sum())])


def effect_cells(ice: Array, parent: Codes | None) -> Cells:
    """Lay out ICE of shape ``(n, K, T, M)``, every contrast and task a response of its own.

    Examples
    --------
    >>> effect_cells(np.zeros((4, 2, 1, 3)), None).rows.shape
    (12, 2)
    """
    n, k, t, m = ice.shape
    return Cells(np.moveaxis(ice, 3, 1).reshape(n * m, k * t), *_crossed(n, m, 1, parent))


def instance_cells(ice: Array, parent: Codes | None) -> Cells:
    """Lay out ICE of shape ``(n, K, T, M)``, the contrasts being instances of one motif and every task a response.

    Examples
    --------
    >>> list(instance_cells(np.zeros((4, 2, 1, 1)), None).drawn)
    ['background', 'background_by_instance', 'instance']
    """
    n, k, t, m = ice.shape
    return Cells(ice.transpose(0, 3, 1, 2).reshape(n * m * k, t), *_crossed(n, m, k, parent))


def _crossed(n: int, m: int, k: int, parent: Codes | None) -> tuple[Array, Array, dict[str, Codes]]:
    u, p, i = (index.ravel() for index in np.indices((n, m, k)))
    others = ({"predictor": p} if m > 1 else {}) | ({"instance": i} if k > 1 else {})
    drawn: dict[str, Codes] = {}
    for name, codes in _tops(u, parent).items():
        drawn |= {"_by_".join([name, *with_]): _joint(codes, *(others[x] for x in with_)) for with_ in _subsets(others)}
    drawn |= {"_by_".join(with_): _joint(*(others[x] for x in with_)) for with_ in _subsets(others) if with_}
    size = n * m * k
    return np.ones((size, 1)), np.full(size, 1 / size), drawn


def _tops(u: Codes, parent: Codes | None) -> dict[str, Codes]:
    return ({} if parent is None else {"parent": parent[u]}) | {"background": u}


def _subsets(names: dict[str, Codes]) -> list[tuple[str, ...]]:
    return [chosen for size in range(len(names) + 1) for chosen in combinations(names, size)]


def _joint(*codes: Codes) -> Codes:
    joint = codes[0]
    for other in codes[1:]:
        joint = joint * (other.max() + 1) + other
    return np.asarray(pd.factorize(joint)[0], dtype=np.intp)


def outcome_cells(outcomes: xr.Dataset, parent: Codes | None) -> Cells:
    """Lay out outcomes with a fixed effect of each arm, every task a response.

    Examples
    --------
    >>> outcomes = xr.Dataset({"outcome": (("unit", "arm", "task", "model"), np.zeros((4, 2, 1, 3)))})
    >>> list(outcome_cells(outcomes, None).drawn)
    ['background', 'predictor', 'background_by_arm', 'predictor_by_arm']
    """
    crossover = "arm" in outcomes["outcome"].dims
    dims = ("unit", "arm", "task") if crossover else ("unit", "task")
    y = np.asarray(outcomes["outcome"].transpose(*dims, ...).to_numpy(), dtype=np.float64)
    y = y if crossover else y[:, None]
    y = y[..., None] if y.ndim == 3 else y
    n, a, t, m = y.shape
    u, arm, p = (index.ravel() for index in np.indices((n, a, m)))
    if not crossover:
        arm = np.asarray(pd.factorize(outcomes["assigned"].to_numpy())[0], dtype=np.intp)[u]
    drawn = _tops(u, parent) | ({"predictor": p} if m > 1 else {})
    drawn |= {f"{name}_by_arm": _joint(codes, arm) for name, codes in drawn.items() if arm.max() > 0}
    fixed = np.eye(arm.max() + 1)[arm]
    size = fixed.sum(axis=0)
    weight = fixed[:, 0] / size[0] - (fixed[:, 1] / size[1] if len(size) > 1 else 0.0)
    return Cells(y.transpose(0, 1, 3, 2).reshape(-1, t), fixed, weight, drawn)
