"""Variance components of effects: backgrounds, parents, predictors, motif instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from causalgia.attributes import attributes, of_sequences
from causalgia.effects import contrast
from causalgia.errors import (
    EstimateError,
    quoted,
)
from causalgia.estimation.crossover_estimates import ice_without_rounding
from causalgia.estimation.mixed_model import (
    fit_variances,
    mixed_layout,
    respond,
    same_partition,
)
from causalgia.estimation.request import contrast_labels, parents_if_shared
from causalgia.numerics.float_errors import usual_errors
from causalgia.numerics.moments import group_sums
from causalgia.numerics.row_blocks import weights_of
from causalgia.schema import check_dataset, validate
from causalgia.types import Array, Codes

_REMEDY = {
    "background": "draw more backgrounds",
    "parent": "add source sequences (more shuffles of the same ones do not help)",
    "predictor": "train more predictors",
    "instance": "add instances of the motif",
}
_REMEDY_OF_TABLE = _REMEDY | {
    "background": "measure more units",
    "parent": "add parents (more units of the same ones do not help)",
    "predictor": "add models",
}
"""For a table of one's own, whose units need not be sequences."""


@usual_errors
def variance_components(
    outcomes_or_effects: xr.Dataset,
    *,
    control: str | float | None = None,
    instance: str | None = None,
) -> xr.Dataset:
    """Split the variance of effects (or outcomes) into components, to decide what to
    draw more of.

    Each component is the variance of a normal random intercept, estimated by restricted
    maximum likelihood (REML), bounded at 0.

    Parameters
    ----------
    outcomes_or_effects
        Effects of a crossover, from `contrast`; or outcomes, from `run` or
        `from_frame`.
    control
        The arm that is subtracted from outcomes first, so that the components are those
        of each effect.
    instance
        A coordinate on the contrasts (or arms) with the same value for all instances of
        a motif: components are then given for each motif, its instances being one of
        them.

    Returns
    -------
    Dataset
        ``variance, se, share, sd, in_ace (component, contrast, task)``: variance on the
        squared scale of the effect, its standard error (average information, normal
        theory; where the variance is 0, that of the unbounded estimate), its share of
        the sum, its root, and its share of the squared standard error of the ACE (of
        the difference of the first two arms, for outcomes without control).
        ``n_levels (component, contrast)``. attrs say which components are not
        identified, which are 0, and what to draw more of.

    Raises
    ------
    EstimateError
        If there is one unit, effects of a parallel trial are requested, effects are
        given with ``control=``, `instance` is not a coordinate on contrasts or arms, or
        a motif has one instance.

    Notes
    -----
    Effects: ``ICE = ACE + background + parent + predictor + instance + their
    interactions``; the interaction of all of them is the residual. Outcomes without a
    control: ``Y = arm + background + parent + predictor`` and the interaction of each
    with the arm; an interaction of background and predictor that is the same in all
    arms is in the residual.

    References
    ----------
    Patterson & Thompson (1971), doi:10.1093/biomet/58.3.545. Searle, Casella &
    McCulloch (1992), doi:10.1002/9780470316856.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> ice = (
    ...     2
    ...     + rng.normal(size=(50, 1, 1, 1))
    ...     + 0.5 * rng.normal(size=(1, 1, 1, 4))
    ...     + rng.normal(size=(50, 1, 1, 4))
    ... )
    >>> effects = xr.Dataset(
    ...     {"ice": (("unit", "contrast", "task", "model"), ice)},
    ...     coords={"contrast": ["GATA1"], "task": ["K562"]},
    ...     attrs={"null_kind": "uniform"},
    ... )
    >>> components = variance_components(effects)
    >>> components["component"].values
    array(['background', 'predictor', 'residual'], dtype='<U10')
    >>> components["in_ace"].values.ravel().round(2)
    array([0.38, 0.5 , 0.12])
    >>> components.attrs["buy_next"]
    'predictor has the largest part of the squared standard error of the ACE (50 %): train more predictors'
    """
    source = outcomes_or_effects
    check_dataset(source, "effects")
    if control is not None:
        if "ice" in source or "contrast" in source.dims:
            raise EstimateError(
                "control goes with outcomes; these are effects already, leave control= "
                "out",
                argument="control",
            )
        source = contrast(source, control=control)
    if "ace" in source:
        raise EstimateError("these are estimates, in which the units are averaged away")
    if "ice" in source:
        return _components_of_effects(validate(source, "effects"), instance)
    if "contrast" in source.dims:
        validate(source, "effects")
        raise EstimateError("a parallel trial has no individual effects")
    if instance is not None:
        raise EstimateError(f"instance={quoted(instance)} groups effects")
    outcomes = validate(source, "outcomes")
    _check_units(outcomes)
    return _with_attrs(
        _components_dataset(
            outcome_cells(outcomes, _parent_codes(outcomes)), ["outcome"], outcomes
        ),
        outcomes,
    )


def _components_of_effects(effects: xr.Dataset, instance: str | None) -> xr.Dataset:
    _check_units(effects)
    dims = effects["ice"].dims
    ice = np.moveaxis(
        ice_without_rounding(effects),
        [dims.index(d) for d in ("unit", "contrast", "task")],
        [0, 1, 2],
    )
    ice, parent = ice if ice.ndim == 4 else ice[..., None], _parent_codes(effects)
    if instance is None:
        return _with_attrs(
            _components_dataset(
                effect_cells(ice, parent), list(contrast_labels(effects)), effects
            ),
            effects,
        )
    blocks = [
        _components_dataset(instance_cells(ice[:, k], parent), [name], effects)
        for name, k in _instances_by_motif(effects, instance)
    ]
    out = xr.concat(blocks, "contrast", combine_attrs="override")
    return _with_attrs(out, effects)


def _check_units(dataset: xr.Dataset) -> None:
    if dataset.sizes["unit"] < 2:
        raise EstimateError(f"{dataset.sizes['unit']} unit gives no variance")


def _parent_codes(dataset: xr.Dataset) -> Codes | None:
    dataset = dataset.set_coords([name for name in ("parent",) if name in dataset])
    parents = parents_if_shared(dataset)
    return None if parents is None else parents.codes


def _instances_by_motif(
    effects: xr.Dataset, instance: str
) -> Iterator[tuple[str, Codes]]:
    """Yield each motif and the contrasts that are its instances."""
    labels, motifs = contrast_labels(effects), _motif_of_contrasts(effects, instance)
    for motif in dict.fromkeys(motifs):
        where = np.flatnonzero([value == motif for value in motifs])
        if len(where) < 2:
            raise EstimateError(
                f"instance={quoted(instance)}: {motif} has one instance, contrast "
                f"{labels[where[0]]}"
            )
        yield motif, where


def _motif_of_contrasts(effects: xr.Dataset, instance: str) -> list[str]:
    dims = effects[instance].dims if instance in effects.variables else ()
    if dims == ("contrast",):
        return [str(value) for value in effects[instance].to_numpy()]
    if dims == ("arm",) and "weight" in effects:
        on_arms, treated = effects[instance].to_numpy(), weights_of(effects) > 0
        motifs = [
            sorted(set(on_arms[row].astype(str)))
            for row in np.split(treated.indices, treated.indptr[1:-1])
        ]
        for name, values in zip(contrast_labels(effects), motifs, strict=True):
            if len(values) != 1:
                raise EstimateError(
                    f"contrast {name}: its arms have several {quoted(instance)} "
                    f"({', '.join(values)})"
                )
        return [values[0] for values in motifs]
    raise EstimateError(
        f"instance={quoted(instance)} is not a coordinate on the contrasts or arms"
    )


def _components_dataset(
    cells: Cells, names: list[Any], source: xr.Dataset
) -> xr.Dataset:
    size = np.ptp(cells.rows, axis=0)
    if (size > 1e150).any() or ((size > 0) & (size < 1e-150)).any():
        raise EstimateError(
            f"effects that spread over {size.max():g} have no variance in double "
            "precision"
        )
    known = identify(cells)
    variance, se = _reml_variances(cells, known)
    shape = (len(variance), len(names), source.sizes["task"])
    dims = ("component", "contrast", "task")
    # variance of the effect for a unit of the variance of each component, the residual
    # last
    sums = [
        float((group_sums(cells.weight, codes) ** 2).sum())
        for codes in known.groups.values()
    ]
    in_ace = variance * np.array([*sums, float((cells.weight**2).sum())])[:, None]
    columns = {
        "variance": variance,
        "se": se,
        "share": _proportions(variance),
        "in_ace": _proportions(in_ace),
    }
    data: dict[str, Any] = {
        name: (dims, column.reshape(shape)) for name, column in columns.items()
    }
    data["sd"] = (dims, np.sqrt(variance).reshape(shape))
    levels = [int(codes.max()) + 1 for codes in known.groups.values()] + [
        len(cells.rows)
    ]
    data["n_levels"] = (
        ("component", "contrast"),
        np.repeat(np.array(levels)[:, None], len(names), axis=1),
    )
    alone = (
        ()
        if "predictor" in known.groups or not of_sequences(source)
        else ("one predictor shows no variance between predictors",)
    )
    notes = (*known.notes, *alone)
    coords: dict[str, Any] = {
        "component": [*known.groups, known.residual],
        "contrast": names,
    }
    coords |= {"task": source["task"].to_numpy()} if "task" in source.coords else {}
    return xr.Dataset(data, coords, attributes(not_identified="; ".join(notes)))


def _reml_variances(cells: Cells, known: Identified) -> tuple[Array, Array]:
    """Return variances and their standard errors, ``(J + 1, R)`` each."""
    if not known.groups:
        df = len(cells.rows) - cells.fixed.shape[1]
        residuals = cells.rows - cells.rows[0]
        residuals = (
            residuals
            - cells.fixed @ np.linalg.lstsq(cells.fixed, residuals, rcond=None)[0]
        )
        variance = (residuals**2).sum(axis=0, keepdims=True) / df
        return variance, variance * np.sqrt(2 / df)
    layout = mixed_layout(cells.fixed, known.groups)
    fits = [fit_variances(respond(layout, y)) for y in cells.rows.T]
    return np.column_stack([fit.variance for fit in fits]), np.column_stack(
        [fit.se for fit in fits]
    )


def _proportions(parts: Array) -> Array:
    whole = parts.sum(axis=0, keepdims=True)
    return np.asarray(
        np.divide(parts, whole, out=np.zeros_like(parts), where=whole > 0)
    )


def _with_attrs(out: xr.Dataset, source: xr.Dataset) -> xr.Dataset:
    zero = [
        str(name)
        for name, v in zip(out["component"].to_numpy(), out["variance"], strict=True)
        if (v == 0).any()
    ]
    out.attrs = (
        dict(source.attrs)
        | out.attrs
        | attributes(
            method=(
                "REML, variances bounded at 0; standard errors from the average "
                "information, normal theory"
            ),
            at_zero=", ".join(zero),
            buy_next=_buy_next(
                out, _REMEDY if of_sequences(source) else _REMEDY_OF_TABLE
            ),
        )
    )
    return out


def _buy_next(out: xr.Dataset, remedies: Mapping[str, str]) -> str:
    median = out["in_ace"].median(("contrast", "task")).to_numpy()
    if not median.any():
        return "nothing varies: more units or predictors change nothing"
    name = str(out["component"].to_numpy()[median.argmax()])
    mains = dict.fromkeys(
        part
        for part in name.replace(" + residual", "").split("_by_")
        if part in remedies
    )
    what = " or ".join(remedies[part] for part in mains) or " or ".join(
        remedies[part]
        for part in ("background", "predictor", "instance")
        if part in out["component"].to_numpy()
    )
    part = (
        f"{name} has the largest part of the squared standard error of the ACE "
        f"({100 * median.max():.0f} %)"
    )
    return f"{part}: {what or 'draw more units'}"


@dataclass(frozen=True)
class Cells:
    """Responses with fixed effects and candidate random groupings of the rows.

    Attributes
    ----------
    rows
        Responses, shape ``(N, R)``.
    fixed
        Fixed effects, shape ``(N, p)``.
    weight
        Weight of each row in the effect whose squared standard error is split, shape
        ``(N,)``.
    drawn
        Component -> level of each row, shape ``(N,)``.
    """

    rows: Array
    fixed: Array
    weight: Array
    drawn: dict[str, Codes]


@dataclass(frozen=True)
class Identified:
    """Identifiable groupings of the rows.

    Attributes
    ----------
    groups
        Component -> level of each row; all different, none with one level or with one
        row for each level.
    residual
        Name of the residual, which includes a main effect that is confounded with it.
    notes
        A clause for each grouping that is not identified.
    """

    groups: dict[str, Codes]
    residual: str
    notes: tuple[str, ...]


def identify(cells: Cells) -> Identified:
    """Keep the groupings that are identifiable, and note why others are not.

    Examples
    --------
    >>> drawn = {"background": np.arange(3), "predictor": np.zeros(3, dtype=int)}
    >>> identify(Cells(np.zeros((3, 1)), np.ones((3, 1)), np.ones(3) / 3, drawn)).notes
    ('background is one with the residual', 'predictor has one level')
    """
    groups: dict[str, Codes] = {}
    residual, notes = "residual", []
    for name, codes in cells.drawn.items():
        levels = int(codes.max()) + 1
        twin = next(
            (
                other
                for other, theirs in groups.items()
                if same_partition(codes, theirs)
            ),
            None,
        )
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


def effect_cells(ice: Array, parent: Codes | None) -> Cells:
    """Arrange ICE of shape ``(n, K, T, M)`` with each contrast and task as one
    response.

    Examples
    --------
    >>> effect_cells(np.zeros((4, 2, 1, 3)), None).rows.shape
    (12, 2)
    """
    n, k, t, m = ice.shape
    return Cells(
        np.moveaxis(ice, 3, 1).reshape(n * m, k * t),
        *_random_effects_of_ice(n, m, 1, parent),
    )


def instance_cells(ice: Array, parent: Codes | None) -> Cells:
    """Arrange ICE of shape ``(n, K, T, M)`` of K instances of one motif, with each task
    as one response.

    Examples
    --------
    >>> list(instance_cells(np.zeros((4, 2, 1, 1)), None).drawn)
    ['background', 'background_by_instance', 'instance']
    """
    n, k, t, m = ice.shape
    return Cells(
        ice.transpose(0, 3, 1, 2).reshape(n * m * k, t),
        *_random_effects_of_ice(n, m, k, parent),
    )


def _random_effects_of_ice(
    n: int, m: int, k: int, parent: Codes | None
) -> tuple[Array, Array, dict[str, Codes]]:
    u, p, i = (index.ravel() for index in np.indices((n, m, k)))
    others = ({"predictor": p} if m > 1 else {}) | ({"instance": i} if k > 1 else {})
    subsets = [
        chosen
        for size in range(len(others) + 1)
        for chosen in combinations(others, size)
    ]
    drawn: dict[str, Codes] = {}
    for name, codes in _unit_groupings(u, parent).items():
        drawn |= {
            "_by_".join([name, *with_]): interaction_codes(
                codes, *(others[x] for x in with_)
            )
            for with_ in subsets
        }
    drawn |= {
        "_by_".join(with_): interaction_codes(*(others[x] for x in with_))
        for with_ in subsets
        if with_
    }
    size = n * m * k
    return np.ones((size, 1)), np.full(size, 1 / size), drawn


def _unit_groupings(u: Codes, parent: Codes | None) -> dict[str, Codes]:
    return ({} if parent is None else {"parent": parent[u]}) | {"background": u}


def interaction_codes(*codes: Codes) -> Codes:
    """Return the codes of the combinations of several groupings, in order of first
    appearance.

    Examples
    --------
    >>> interaction_codes(np.array([0, 0, 1]), np.array([0, 1, 1]))
    array([0, 1, 2])
    """
    joint = codes[0]
    for other in codes[1:]:
        joint = joint * (other.max() + 1) + other
    return np.asarray(pd.factorize(joint)[0], dtype=np.intp)


def outcome_cells(outcomes: xr.Dataset, parent: Codes | None) -> Cells:
    """Arrange outcomes with a fixed effect for each arm and each task as one response.

    Examples
    --------
    >>> outcomes = xr.Dataset(
    ...     {"outcome": (("unit", "arm", "task", "model"), np.zeros((4, 2, 1, 3)))}
    ... )
    >>> list(outcome_cells(outcomes, None).drawn)
    ['background', 'predictor', 'background_by_arm', 'predictor_by_arm']
    """
    crossover = "arm" in outcomes["outcome"].dims
    dims = ("unit", "arm", "task") if crossover else ("unit", "task")
    y = np.asarray(
        outcomes["outcome"].transpose(*dims, ...).to_numpy(), dtype=np.float64
    )
    y = y if crossover else y[:, None]
    y = y[..., None] if y.ndim == 3 else y
    n, a, t, m = y.shape
    u, arm, p = (index.ravel() for index in np.indices((n, a, m)))
    if not crossover:
        arm = np.asarray(
            pd.factorize(outcomes["assigned"].to_numpy())[0], dtype=np.intp
        )[u]
    drawn = _unit_groupings(u, parent) | ({"predictor": p} if m > 1 else {})
    drawn |= {
        f"{name}_by_arm": interaction_codes(codes, arm)
        for name, codes in drawn.items()
        if arm.max() > 0
    }
    fixed = np.eye(arm.max() + 1)[arm]
    size = fixed.sum(axis=0)
    weight = fixed[:, 0] / size[0] - (fixed[:, 1] / size[1] if len(size) > 1 else 0.0)
    return Cells(y.transpose(0, 1, 3, 2).reshape(-1, t), fixed, weight, drawn)
