"""Rows of effects: one typed row for each effect, made once from a complete Dataset; what
is printed, drawn or counted is of these rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy
import xarray as xr

from causalgia.attributes import about, attributes, has
from causalgia.choices import DIRECTIONS, OPEN, VERDICTS, WITHIN
from causalgia.effect_table import of_effects
from causalgia.errors import DataError, quoted
from causalgia.estimation._from_effects import (
    estimates_of_elements,
    estimates_of_given,
)
from causalgia.estimation.crossover_estimates import is_placebo
from causalgia.estimation.given_table import read_given
from causalgia.notes import with_notes
from causalgia.schema import validate
from causalgia.verdicts.shrinkage import posterior_columns

ENOUGH_FOR_QUANTILES = 40
AXES = ("place", "gap", "distance", "copies", "center", "gc_percent", "letter")
"""Coordinates of contrasts that are a setting with an order; the first is the axis."""
_FIRST_DIMS = ("contrast", "task", "model", "element", "position")
"""Dims of effects that a report knows."""


@dataclass(frozen=True, kw_only=True)
class Row(Mapping[str, Any]):
    """One effect, under the names of `causalgia.schema`; None is what its Dataset has
    not, NaN what it lacks for this row.

    As a mapping it has what is known: ``row["ace"]``, ``row.get("se")``.
    """

    contrast: str = ""
    task: str = ""
    model: str | None = None
    do: str = ""
    asks: str = ""
    site: str = ""
    axis: float | None = None
    is_placebo: bool = False
    is_helper: bool = False
    ace: float = math.nan
    se: float | None = None
    df: float | None = None
    lower: float | None = None
    upper: float | None = None
    p: float | None = None
    skewness: float | None = None
    leverage: float | None = None
    exact: bool | None = None
    n_units: int | None = None
    n_clusters: int | None = None
    n: int | None = None
    verdict: str | None = None
    p_verdict: float | None = None
    q: float | None = None
    rope_lower: float | None = None
    rope_upper: float | None = None
    more_units: int | None = None
    shrunken: float | None = None
    shrunken_lower: float | None = None
    shrunken_upper: float | None = None
    lfsr: float | None = None
    lfsr_alone: float | None = None
    p_matched: float | None = None
    n_matched: int | None = None
    truth: float | None = None
    z: float | None = None

    def __getitem__(self, name: str) -> Any:
        value = getattr(self, name, None) if name in _NAMES else None
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return (name for name in _NAMES if getattr(self, name) not in (None, ""))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __or__(self, other: Mapping[str, Any]) -> Row:
        return replace(self, **other)


_NAMES = {field.name: None for field in fields(Row)}
_COLUMNS = tuple(_NAMES)[tuple(_NAMES).index("ace") :]
"""Names of variables with a value for each effect."""


def rows_of(
    effects: xr.Dataset,
    *,
    truth: xr.DataArray | None = None,
    at: npt.NDArray[np.int64] | None = None,
) -> list[Row]:
    """Return estimates or decisions as rows, one for each contrast and task (and model).

    Parameters
    ----------
    effects
        From `causalgia.estimate` or `causalgia.decide`.
    truth
        True ACE ``(contrast, task)`` where it is known, with a Monte-Carlo error
        ``mcse`` where it is not exact; ``z = (ace - truth) / sqrt(se^2 + mcse^2)``.
    at
        Flat positions of the rows of ``ace`` that are asked for, in their order; None:
        all.

    Examples
    --------
    >>> ace = (("contrast", "task"), [[1.5]])
    >>> estimates = xr.Dataset(
    ...     {"ace": ace}, coords={"contrast": ["GATA1"], "task": ["K562"]}
    ... )
    >>> dict(rows_of(estimates)[0])
    {'contrast': 'GATA1', 'task': 'K562', 'is_placebo': False, 'is_helper': False, 'ace': 1.5}
    """
    effects = as_reportable(effects)
    dims = effects["ace"].dims
    places = np.arange(effects["ace"].size) if at is None else at
    if "measured" in effects:
        places = places[effects["measured"].transpose(*dims).to_numpy().ravel()[places]]
    index = dict(
        zip(map(str, dims), np.unravel_index(places, effects["ace"].shape), strict=True)
    )
    columns: dict[str, Any] = {
        dim: effects[dim].to_numpy().astype(str)[index[dim]].tolist() for dim in index
    }
    columns |= {
        name: effects[name].transpose(*dims).to_numpy().ravel()[places].tolist()
        for name in _COLUMNS
        if name in effects.variables and {*effects[name].dims} == {*dims}
    }
    n = columns.get("n_clusters", columns.get("n_units"))
    columns |= {"n": n} if n else {}
    axis = axis_of(effects)
    of_contrast = {name: effects.get(name) for name in ("do", "asks", "site")}
    of_contrast |= {"axis": effects[axis]} if axis else {}
    columns |= {
        name: found.to_numpy()[index["contrast"]].tolist()
        for name, found in of_contrast.items()
        if found is not None and found.dims == ("contrast",)
    }
    columns |= {
        name: [str(x or "") for x in columns[name]]
        for name in ("do", "asks", "site")
        if name in columns
    }
    columns["is_placebo"] = is_placebo(effects)[index["contrast"]].tolist()
    columns["is_helper"] = helpers_of(effects)[index["contrast"]].tolist()
    names = list(columns)
    table = [
        Row(**dict(zip(names, values, strict=True)))
        for values in zip(*columns.values(), strict=True)
    ]
    return table if truth is None else _with_truth(table, truth)


def axis_of(effects: xr.Dataset) -> str:
    """Return the coordinate of contrasts that is a setting with an order, or ""."""
    return next(
        (
            name
            for name in AXES
            if name in effects.coords
            and effects[name].dims == ("contrast",)
            and effects[name].dtype.kind in "if"
        ),
        "",
    )


def helpers_of(effects: xr.Dataset) -> npt.NDArray[np.bool_]:
    """Return which contrasts are not of the question."""
    if "of_question" not in effects.variables:
        return np.zeros(effects.sizes["contrast"], dtype=bool)
    return ~effects["of_question"].to_numpy().astype(bool)


def _with_truth(table: list[Row], truth: xr.DataArray) -> list[Row]:
    if not {"contrast", "task"} <= truth.coords.keys():
        raise DataError(
            f"truth={quoted(truth)} has no coordinates 'contrast' and 'task'",
            argument="truth",
        )
    true = truth.transpose("contrast", "task")
    mcse = true.coords["mcse"] if "mcse" in true.coords else 0 * true
    numbers = zip(
        true.to_numpy().ravel().tolist(),
        mcse.broadcast_like(true).to_numpy().ravel().tolist(),
        strict=True,
    )
    names = (true[dim].to_numpy().astype(str).tolist() for dim in ("contrast", "task"))
    known = dict(zip(product(*names), numbers, strict=True))
    made = []
    for row in table:
        value, error = known.get((row.contrast, row.task), (None, 0.0))
        spread = math.hypot(row.se or 0.0, error)
        z = None if value is None or not spread else (row.ace - value) / spread
        made.append(replace(row, truth=value, z=z))
    return made


def as_reportable(estimates: Any) -> xr.Dataset:
    """Return estimates or decisions; effects of elements are converted as by
    `as_estimates`, and contrasts and tasks without names have their numbers.

    Examples
    --------
    >>> as_reportable({"posterior": xr.Dataset()})
    Traceback (most recent call last):
    ...
    causalgia.errors.DataError: a posterior holds draws, ...; decide first: cg.decide(posterior, rope=(-0.1, 0.1))
    """
    check_not_draws(estimates)
    estimates = _with_one_contrast_dim(estimates)
    of_each = (
        isinstance(estimates, xr.Dataset)
        and "ace" in estimates
        and "element" in estimates["ace"].dims
    )
    found = validate(
        estimates_of_elements(estimates) if of_each else estimates, "estimates"
    )
    _check_complete(found)
    unnamed = [dim for dim in ("contrast", "task") if dim not in found.coords]
    found = found.assign_coords({dim: np.arange(found.sizes[dim]) for dim in unnamed})
    if has(found).rope_kind or "verdict" not in found:
        return found
    if (found["verdict"] == WITHIN).any():  # a table without attributes: words tell
        kind = "matched" if "p_matched" in found else "placebo"
        found = found.assign_attrs(rope_kind=kind)
    return found


def _with_one_contrast_dim(estimates: Any) -> Any:
    """Return effects with a further dim, such as the rounds of a search or null models,
    as contrasts that name its levels: "10-40, added".
    """
    if not isinstance(estimates, xr.Dataset) or "ace" not in estimates:
        return estimates
    further = [str(dim) for dim in estimates["ace"].dims if dim not in _FIRST_DIMS]
    if len(further) != 1 or "contrast" not in estimates["ace"].dims:
        return estimates
    (dim,) = further
    labels = next(
        (
            [str(label) for label in found.to_numpy()]
            for found in estimates.coords.values()
            if found.dims == (dim,) and found.dtype.kind in "UOT"
        ),
        [f"{dim} {i + 1}" for i in range(estimates.sizes[dim])],
    )
    columns = [name for name, of in estimates.items() if "contrast" in of.dims]
    own = [name for name, of in estimates.coords.items() if dim in of.dims]
    levels = []
    for i, label in enumerate(labels):
        level = estimates[columns].isel({dim: i}).drop_vars(own, errors="ignore")
        names = [f"{label}, {name}" for name in level["contrast"].to_numpy()]
        levels.append(level.assign_coords(contrast=names))
    return xr.concat(levels, dim="contrast", combine_attrs="override").assign_attrs(
        estimates.attrs
    )


def _check_complete(effects: xr.Dataset) -> None:
    """Raise DataError for variables that a user removed or changed by hand, and that
    would be printed.
    """
    ci_prob = about(effects, 0.95).ci_prob
    if not 0.5 <= ci_prob < 1:
        raise DataError(
            f"estimates: attrs['ci_prob'] is {quoted(ci_prob)}, and not a probability "
            "from 0.5 to below 1"
        )
    needed = {"rope_lower", "rope_upper"} if "verdict" in effects else set()
    for of in ("", "shrunken_", "rope_"):
        ends = {f"{of}lower", f"{of}upper"}
        needed |= ends if ends & {*effects} else set()
    for low, high in (("lower", "upper"), ("rope_lower", "rope_upper")):
        if {low, high} <= {*effects} and (effects[low] > effects[high]).any():
            raise DataError(f"estimates: {low} exceeds {high}", argument=low)
    if "se" in effects and (effects["se"] < 0).any():
        raise DataError("estimates: se is below 0", argument="se")
    if absent := sorted(needed - {*effects}):
        raise DataError(f"estimates: the variable {quoted(absent[0])} is missing")
    words = [*VERDICTS, *([""] if "measured" in effects else [])]
    if "verdict" in effects and not (known := effects["verdict"].isin(words)).all():
        wrong = effects["verdict"].to_numpy()[~known.to_numpy()][0]
        raise DataError(f"estimates: the verdict {quoted(str(wrong))} is unknown")


def check_not_draws(given: Any) -> None:
    """Raise `DataError` for a posterior and for its group of draws, in either
    generation of ArviZ.
    """
    if is_posterior(given):
        raise DataError(
            "a posterior holds draws, and a figure is of verdicts; decide first: "
            "cg.decide(posterior, rope=(-0.1, 0.1))"
        )


def is_posterior(given: object) -> bool:
    """Return whether this is a posterior, or its group of draws.

    Examples
    --------
    >>> is_posterior({"posterior": xr.Dataset()}), is_posterior(xr.Dataset())
    (True, False)
    """
    if isinstance(given, xr.Dataset | xr.DataTree) and {"chain", "draw"} <= set(
        given.dims
    ):
        return True
    trees = (
        isinstance(given, xr.DataTree | dict) or type(given).__name__ == "InferenceData"
    )
    return trees and "posterior" in given  # type: ignore[operator]  # each is a mapping


def readable(given: Any) -> Any:
    """Return what a table can tell: effects of another program as estimates, a
    posterior as its effects; anything else as it is.

    Examples
    --------
    >>> readable({"effect": [1.0], "se": [0.1]})["ace"].item()
    1.0
    """
    if (read := read_given(given)).of_others:
        return estimates_of_given(read)
    return posterior_effects(given) if is_posterior(given) else given


_LEVEL = 0.95


def posterior_effects(posterior: Any) -> xr.Dataset:
    """Return the effects of a posterior with hierarchical effect sizes beside them, as
    measured; where it does not hold what was measured, those of its draws.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(1.0, 0.1, size=(1, 4000, 1))
    >>> found = posterior_effects(
    ...     {"posterior": xr.Dataset({"ace": (("chain", "draw", "contrast"), draws)})}
    ... )
    >>> found["ace"].round(1).item(), found["upper"].round(1).item()
    (1.0, 1.2)
    """
    # a posterior is loaded where one is told
    from causalgia.posterior.posterior_tree import tree_datasets, tree_group

    if isinstance(posterior, xr.DataTree) and "chain" in posterior.dims:  # the group
        posterior = posterior.to_dataset()
    groups = tree_datasets(
        {"posterior": posterior} if isinstance(posterior, xr.Dataset) else posterior
    )
    draws = tree_group(groups, "posterior", "ace")["ace"]
    if "task" not in draws.dims:
        draws = draws.expand_dims(task=["effect"], axis=-1)
    empty = xr.Dataset()
    moments = groups.get("moments", empty)
    one = draws.isel(chain=0, draw=0, drop=True).transpose("contrast", "task")
    sizes = {
        name: one.copy(data=values)
        for name, values in posterior_columns(draws, moments, _LEVEL).items()
    }
    attrs = {**groups["posterior"].attrs, **attributes(ci_prob=_LEVEL)}
    effect = groups.get("observed_data", empty).get("effect")
    if effect is not None and "task" not in effect.dims:
        effect = effect.expand_dims(task=["effect"], axis=-1)
    if effect is None or effect.dims != draws.dims[2:]:
        own = ("ace", "lower", "upper", "lfsr")
        columns = dict(zip(own, sizes.values(), strict=False))
        attrs |= {} if has(attrs).errors else attributes(effects_are="given")
        note = "effects and intervals are of the posterior"
        return with_notes(xr.Dataset(columns, attrs=attrs), note)
    known = groups.get("constant_data", empty)
    half = scipy.special.ndtri(0.5 + _LEVEL / 2) * known.get("se", np.nan)
    columns = {
        "ace": effect,
        "lower": moments.get("lower_unshrunken", effect - half),
        "upper": moments.get("upper_unshrunken", effect + half),
        **sizes,
    }
    columns |= {"se": known["se_estimated"]} if "se_estimated" in known else {}
    marks = {n: known[n] for n in ("is_placebo",) if n in known}
    return xr.Dataset(columns, marks, attrs)


def placebo_summary(table: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Summarize the estimates of placebos: n, mean, lowest, highest, and from 40
    placebos the central 95 %.

    Estimates spread more than the placebos' true effects, whose region is
    `causalgia.multiplicity.placebo.placebo_region`. There are no quantiles of fewer
    placebos: with 5, 10 and 20 of them they are .68, .80 and .88 of the true ones.

    Examples
    --------
    >>> placebo_summary([{"ace": -0.5}, {"ace": 1.0}])
    {'n': 2, 'mean': 0.25, 'lowest': -0.5, 'highest': 1.0, 'central': None}
    """
    aces = np.array([row["ace"] for row in table])
    enough = len(aces) >= ENOUGH_FOR_QUANTILES
    central = tuple(map(float, np.quantile(aces, [0.025, 0.975]))) if enough else None
    ends = {"lowest": float(aces.min()), "highest": float(aces.max())}
    return {"n": len(aces), "mean": float(aces.mean()), **ends, "central": central}


def placebo_count(n: int) -> str:
    """Return "40 placebos"."""
    return f"{n} placebo{'s' if n != 1 else ''}"


def placebo_rounding_unit(found: Mapping[str, Any]) -> float:
    """Return what a `placebo_summary` is rounded by: a quarter of its range, about its
    sd.
    """
    return float((found["highest"] - found["lowest"]) / 4 or abs(found["mean"]) / 100)


def reading_order(effects: xr.Dataset) -> npt.NDArray[np.int64]:
    """Return the flat positions of the rows of ``ace`` in the order in which they are
    read: directions, undecided rows, negligible ones; helpers and placebos last.

    Each kind is ordered by ``|shrunken - null|``, or ``|ace - null|`` where rows are not
    shrunken, the largest first. Undecided rows are ordered by the end of their interval
    that is nearer to leaving no effect, so that one that nearly excludes it comes before
    one that is only noisy.

    Examples
    --------
    >>> from causalgia.estimation import from_effects
    >>> from causalgia.verdicts import decide
    >>> effects = from_effects([0.0, 3.0, 0.3, 1.0], se=[0.01, 9.0, 0.12, 0.1])
    >>> reading_order(decide(effects, rope=(-0.1, 0.1))).tolist()
    [3, 2, 1, 0]
    """
    null = float(about(effects, 0.0).null_value)
    dims = effects["ace"].dims
    size = np.abs(of_effects(effects, "ace") - null)
    if "shrunken" in effects:
        shrunken = np.abs(of_effects(effects, "shrunken") - null)
        size = np.where(np.isfinite(shrunken), shrunken, size)
    kind = np.zeros(size.shape)
    if "verdict" in effects:
        verdict = effects["verdict"].transpose(*dims).to_numpy()
        undecided = np.isin(verdict, OPEN)
        kind = np.select([np.isin(verdict, DIRECTIONS), undecided], [0, 1], 2)
        if "lower" in effects.variables:
            lower, upper = (of_effects(effects, name) for name in ("lower", "upper"))
            nearer = np.maximum(lower - null, null - upper)
            size = np.where(undecided, nearer, size)
    size = np.where(np.isfinite(size), size, -np.inf)
    by_contrast = (-1, *[1] * (size.ndim - 1))
    placebo, helper = (
        np.broadcast_to(which.reshape(by_contrast), size.shape)
        for which in (is_placebo(effects), helpers_of(effects))
    )
    keys = (-size, kind, helper, placebo)
    return np.lexsort([key.ravel() for key in keys]).astype(np.int64)


def setting_order(effects: xr.Dataset, at: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return flat positions of rows in the order of the setting, where they have one;
    helpers and placebos stay last.
    """
    axis = axis_of(effects)
    if not axis:
        return at
    of = np.unravel_index(at, effects["ace"].shape)
    of_contrast = of[effects["ace"].dims.index("contrast")]
    value = effects[axis].to_numpy().astype(float)[of_contrast]
    others = (helpers_of(effects) | is_placebo(effects))[of_contrast]
    return at[np.lexsort([np.where(others, 0, value), others])]


def first_rows(effects: xr.Dataset, dim: str, most: int) -> npt.NDArray[np.int64]:
    """Return the positions of the first so many contrasts, or tasks, in the order in
    which their rows are read.

    Examples
    --------
    >>> names = {"contrast": ["GATA1"], "task": ["a", "b", "c"]}
    >>> table = xr.Dataset(
    ...     {"ace": (("contrast", "task"), [[0.1, -2.0, 1.0]])}, coords=names
    ... )
    >>> first_rows(table, "task", 2).tolist()
    [1, 2]
    """
    at = np.unravel_index(reading_order(effects), effects["ace"].shape)
    of_dim = at[effects["ace"].dims.index(dim)]
    _, first = np.unique(of_dim, return_index=True)
    return of_dim[np.sort(first)][:most]
